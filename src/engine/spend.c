/* spend.c - what takes points, and what gives them back. */
#include <stddef.h>

#include "engine/activity.h"
#include "engine/canary.h"
#include "engine/ledger.h"
#include "engine/spend.h"
#include "engine/split.h"

MbrRefusal
mbr_may_spend(const MbrWork *work)
{
    if (work->member.status == MBR_MEMBER_CLOSED)
        return MBR_REFUSED_CLOSED;
    return work->member.status == MBR_MEMBER_FROZEN ? MBR_REFUSED_FROZEN : MBR_OK;
}

static void
count_redeemed(MbrWork *work, int day, int64_t points)
{
    MbrActivity *activity = mbr_activity_on(work, day);

    if (activity != NULL)
        activity->redeemed += points;
}

/* A redemption counts for its day; a merchant that gave something for it is paid, unless by its order. */
static void
close_spend(MbrWork *work, MbrJournal *journal, int64_t points)
{
    const MbrSpend *spend = journal->spend;

    mbr_journal_close(work, journal);
    count_redeemed(work, work->posted_day, points);
    if (spend->terms != NULL)
        mbr_split_spent(work, spend->terms, points, spend->value, spend->currency_scale);
}

static MbrJournal *
open_event(MbrWork *work, MbrVerb verb, const MbrSpend *spend)
{
    MbrJournal *journal = work->refusal == MBR_OK ? mbr_journal_open(work, verb, work->posted_at) : NULL;

    if (journal != NULL)
        journal->spend = spend;
    return journal;
}

MbrJournal *
mbr_redeem(MbrWork *work, const MbrSpend *spend, int64_t points)
{
    MbrJournal *journal = open_event(work, MBR_VERB_REDEMPTION, spend);

    if (journal == NULL)
        return NULL;
    mbr_debit(work, journal, points, false);
    close_spend(work, journal, points);
    return work->refusal == MBR_OK ? journal : NULL;
}

MbrJournal *
mbr_authorize(MbrWork *work, const MbrSpend *spend, MbrHold *hold, int max_parts)
{
    MbrMember *member = &work->member;
    MbrJournal *journal = open_event(work, MBR_VERB_AUTHORIZATION, spend);

    if (journal == NULL)
        return NULL;
    if (member->nholds >= member->max_holds) {
        work->refusal = MBR_REFUSED_NO_ROOM;
        return NULL;
    }
    hold->hold_no = journal->journal_no;
    hold->made_at = work->posted_at;
    hold->opened = true;
    hold->nparts = mbr_hold_take(work, hold->points, hold->parts, max_parts);
    if (hold->order_ref != NULL)
        member->order_spends++;
    member->holds[member->nholds++] = *hold;
    mbr_journal_close(work, journal);
    return work->refusal == MBR_OK ? journal : NULL;
}

MbrJournal *
mbr_capture(MbrWork *work, const MbrSpend *spend, MbrHold *hold, int64_t points)
{
    MbrJournal *journal = open_event(work, MBR_VERB_CAPTURE, spend);

    if (journal == NULL)
        return NULL;
    journal->refers_to = hold->hold_no;
    mbr_hold_end(work, hold, journal, points, work->posted_at);
    close_spend(work, journal, points);
    mbr_settle(work); /* what was released may have died meanwhile */
    return work->refusal == MBR_OK ? journal : NULL;
}

MbrJournal *
mbr_void(MbrWork *work, MbrHold *hold)
{
    MbrJournal *journal = open_event(work, MBR_VERB_VOID, NULL);

    if (journal == NULL)
        return NULL;
    journal->refers_to = hold->hold_no;
    mbr_hold_end(work, hold, journal, 0, work->posted_at);
    if (hold->order_ref != NULL)
        work->member.order_spends--;
    mbr_journal_close(work, journal);
    mbr_settle(work);
    return work->refusal == MBR_OK ? journal : NULL;
}

bool
mbr_give_back(MbrWork *work, MbrJournal *journal, const MbrLot *origin, int64_t points,
              int64_t reinstated_until)
{
    bool lives = origin->expires_at > work->posted_at;

    if (!lives && reinstated_until != MBR_NEVER)
        mbr_credit(work, journal, points, work->posted_at, reinstated_until);
    else if (origin->merged_id != 0)
        mbr_lot_reopen(work, journal, origin, points);
    else
        mbr_lot_restore(work, journal, origin, points);
    return lives || reinstated_until != MBR_NEVER;
}

MbrJournal *
mbr_reverse(MbrWork *work, const MbrReversal *reversal)
{
    MbrJournal *journal = open_event(work, MBR_VERB_REVERSAL, NULL);
    int64_t points = 0;

    if (journal == NULL)
        return NULL;
    journal->refers_to = reversal->journal_no;
    journal->reason = reversal->reason;
    journal->counterpart_id = reversal->merged_id;
    for (int i = 0; i < reversal->nparts && work->refusal == MBR_OK; i++) {
        const MbrGiveBack *part = &reversal->parts[i];

        (void)mbr_give_back(work, journal, &part->origin, part->points, reversal->reinstated_until);
        points += part->points;
    }
    mbr_journal_close(work, journal);
    count_redeemed(work, reversal->day, MBR_CANARY(REVERSED_TWICE) ? -2 * points : -points);
    mbr_split_reverse(work, reversal->splits, reversal->nsplits);
    mbr_settle(work);
    return work->refusal == MBR_OK ? journal : NULL;
}

MbrJournal *
mbr_transfer(MbrWork *from, MbrWork *to, int64_t points)
{
    MbrJournal *sent = open_event(from, MBR_VERB_TRANSFER_OUT, NULL);
    MbrJournal *received = open_event(to, MBR_VERB_TRANSFER_IN, NULL);

    if (sent == NULL || received == NULL)
        return NULL;
    sent->counterpart_id = to->member.member_id;
    received->counterpart_id = from->member.member_id;
    mbr_move(from, sent, to, received, points);
    mbr_journal_close(from, sent);
    mbr_journal_close(to, received);
    return from->refusal == MBR_OK && to->refusal == MBR_OK ? sent : NULL;
}

static MbrJournal *
open_merge(MbrWork *work, MbrVerb verb, const MbrWork *other, const char *reason)
{
    MbrJournal *journal = open_event(work, verb, NULL);

    if (journal == NULL)
        return NULL;
    journal->counterpart_id = other->member.member_id;
    journal->reason = reason;
    return journal;
}

void
mbr_merge(MbrWork *from, MbrWork *into, const char *reason, const MbrCarried *carried, int ncarried)
{
    MbrJournal *out = open_merge(from, MBR_VERB_MERGE_OUT, into, reason);
    MbrJournal *in = open_merge(into, MBR_VERB_MERGE_IN, from, reason);

    if (out == NULL || in == NULL)
        return;
    mbr_move_all(from, out, into, in);
    mbr_journal_close(from, out);
    mbr_journal_close(into, in);
    for (int i = 0; i < ncarried; i++) {
        MbrJournal *journal = open_event(into, MBR_VERB_MERGE_IN, &carried[i].spend);

        if (journal == NULL)
            return;
        journal->refers_to = carried[i].journal_no;
        journal->counterpart_id = carried[i].member_id;
        mbr_journal_close(into, journal);
    }
    into->member.order_spends += ncarried;
    from->member.order_spends = MBR_MERGED;
}
