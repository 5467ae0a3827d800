/* adjust.c - grants and adjustments. */
#include <stddef.h>

#include "engine/adjust.h"
#include "engine/ledger.h"

void
mbr_adjust(MbrWork *work, MbrVerb verb, int64_t points, int64_t active_at, int64_t expires_at,
           const char *reason)
{
    MbrJournal *journal;

    if (work->member.status == MBR_MEMBER_CLOSED) {
        work->refusal = MBR_REFUSED_CLOSED;
        return;
    }
    journal = mbr_journal_open(work, verb, work->occurred_at);
    if (journal == NULL)
        return;
    journal->reason = reason;
    if (points > 0)
        mbr_credit(work, journal, points, active_at, expires_at);
    else
        mbr_debit(work, journal, -points, work->allow_debt);
    mbr_journal_close(work, journal);
    mbr_settle(work); /* a lot born expired */
}
