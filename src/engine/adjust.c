/* adjust.c - grants and adjustments. */
#include <stddef.h>

#include "engine/adjust.h"
#include "engine/ledger.h"

int64_t
mbr_adjust(MbrWork *work, MbrVerb verb, int64_t points, int64_t active_at, int64_t expires_at,
           const char *reason)
{
    MbrJournal *journal;
    int64_t balance;

    if (work->member.status == MBR_MEMBER_CLOSED)
        work->refusal = MBR_REFUSED_CLOSED;
    journal = work->refusal == MBR_OK ? mbr_journal_open(work, verb, work->occurred_at) : NULL;
    if (journal == NULL)
        return work->member.balance;
    journal->reason = reason;
    if (points > 0)
        mbr_credit(work, journal, points, active_at, expires_at);
    else
        mbr_debit(work, journal, -points, work->allow_debt);
    mbr_journal_close(work, journal);
    balance = journal->balance;
    mbr_settle(work); /* a lot born expired */
    return balance;
}
