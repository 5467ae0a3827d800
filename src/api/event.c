/* event.c - a change of a member, under the same lock and in the same journal as its points. */
#include "postgres.h"

#include "api/event.h"
#include "api/result.h"
#include "engine/ledger.h"
#include "store/apply.h"

void
mbr_change_begin(MbrSession *session, int64 *member_id, bool closed_too, MbrLoad *load, MbrWork *work)
{
    *load = (MbrLoad){.member_id = *member_id, .at = MBR_NEVER, .occurred_at = MBR_NEVER};
    mbr_enter(session, false);
    mbr_load(session, load, work);
    *member_id = work->member.member_id;
    if (work->member.status == MBR_MEMBER_CLOSED && !closed_too) {
        work->refusal = MBR_REFUSED_CLOSED;
        mbr_raise_refusal(work);
    }
}

void
mbr_change_post(MbrSession *session, MbrLoad *load, MbrWork *work, MbrVerb verb, const char *reason)
{
    MbrJournal *journal;

    mbr_settle(work);
    journal = mbr_journal_open(work, verb, work->occurred_at);
    mbr_raise_refusal(work);
    journal->reason = reason;
    mbr_journal_close(work, journal);
    mbr_apply(session, load, work);
}
