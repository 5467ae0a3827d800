/*
 * refund.c - what a return undoes.
 *
 * Points spent on the order go back to their lots, then the award is taken back: from the order's own pending
 * points, the rest of its lots, other available ones, as debt. What all returns of an order should have
 * undone is computed anew from what was returned of each line, so that any series of them adds up.
 */
#include <stddef.h>

#include "engine/activity.h"
#include "engine/canary.h"
#include "engine/ledger.h"
#include "engine/refund.h"
#include "engine/split.h"

/* ------------------------------------------------------------------ goods */

int64_t
mbr_share_of(int64_t number, int64_t part, int64_t whole)
{
    return whole == 0 ? 0
                      : (int64_t)mbr_round_div((MbrWide)number * part, whole,
                                               MBR_CANARY(REFUND_DOWN) ? MBR_ROUND_FLOOR : MBR_ROUND_HALF_UP);
}

/* What the returns of a line make of a number of it. */
static int64_t
returned_of(int64_t number, const MbrLine *line, const MbrReturned *returned)
{
    return returned->closed ? number : mbr_share_of(number, returned->amount, line->amount);
}

int64_t
mbr_return_left(const MbrPurchase *sale, const MbrReturned *returned)
{
    int64_t left = 0;

    for (int i = 0; i < sale->nlines; i++)
        left += sale->lines[i].amount - returned[i].amount;
    return left;
}

void
mbr_return_spread(const MbrPurchase *sale, int64_t amount, MbrReturned *returned, MbrScratch *scratch)
{
    int64_t left = mbr_return_left(sale, returned);

    if (left == 0)
        return;
    for (int i = 0; i < sale->nlines; i++)
        scratch->weights[i] = sale->lines[i].amount - returned[i].amount;
    mbr_spread_by(scratch->weights, sale->nlines, left, amount, scratch->parts, scratch->remainders);
    for (int i = 0; i < sale->nlines; i++)
        returned[i].amount += scratch->parts[i];
}

void
mbr_return_tenders(const MbrPurchase *sale, MbrReturned *returned)
{
    for (int i = 0; i < sale->nlines; i++) {
        returned[i].value = returned_of(sale->lines[i].tendered, &sale->lines[i], &returned[i]);
        returned[i].restored = returned_of(sale->lines[i].points_tendered, &sale->lines[i], &returned[i]);
    }
}

/* ------------------------------------------------------------------ award and growth */

typedef enum Gain { AWARD, GROWTH } Gain;

static MbrTaken *
taken_of(MbrReturned *returned, Gain gain)
{
    return gain == AWARD ? &returned->award : &returned->growth;
}

static bool
gives(const MbrUse *use, Gain gain)
{
    return use->outcome == MBR_OUTCOME_APPLIED &&
           (use->rule->effect == MBR_EFFECT_GROWTH) == (gain == GROWTH);
}

/* What a line gained that a return can take back: what rules of mode none gave stays. */
static int64_t
returnable(const MbrPurchase *purchase, int line, Gain gain)
{
    int64_t sum = gain == AWARD ? purchase->lines[line].points : 0;

    for (int u = 0; u < purchase->nuses; u++) {
        const MbrUse *use = &purchase->uses[u];
        bool stays = use->rule->refund_mode == MBR_REFUND_NONE;

        if (gives(use, gain) && stays == (gain == AWARD))
            sum += (gain == AWARD ? -1 : 1) * use->cells[line].points;
    }
    return sum;
}

int64_t
mbr_returnable_points(const MbrPurchase *sale, int line)
{
    return returnable(sale, line, AWARD);
}

static void
take_in_proportion(MbrRefund *refund, Gain gain)
{
    for (int i = 0; i < refund->sale->nlines; i++)
        taken_of(&refund->after[i], gain)->points =
            returned_of(returnable(refund->sale, i, gain), &refund->sale->lines[i], &refund->after[i]);
}

/* Keeps what the formula gives on what is left, but never more than was kept before, or granted. */
static void
take_by_formula(MbrRefund *refund, Gain gain, MbrScratch *scratch)
{
    const MbrPurchase *sale = refund->sale;
    int64_t granted = 0, kept = 0, formula = 0;

    for (int i = 0; i < sale->nlines; i++) {
        int64_t gained = returnable(sale, i, gain);

        scratch->weights[i] = refund->complete ? 0 : returnable(refund->left, i, gain);
        formula += (int64_t)scratch->weights[i];
        granted += gained;
        kept += gained - (gain == AWARD ? refund->before[i].award.points : refund->before[i].growth.points);
    }
    if (kept > granted)
        kept = granted;
    if (kept >= formula)
        for (int i = 0; i < sale->nlines; i++)
            scratch->parts[i] = (int64_t)scratch->weights[i];
    else
        mbr_spread_by(scratch->weights, sale->nlines, formula, kept, scratch->parts, scratch->remainders);
    for (int i = 0; i < sale->nlines; i++)
        taken_of(&refund->after[i], gain)->points = returnable(sale, i, gain) - scratch->parts[i];
}

/* Decides what is to be taken back of all lines; returns how much more that is than before. */
static int64_t
decide_gain(MbrRefund *refund, Gain gain, MbrScratch *scratch)
{
    int64_t more = 0;

    if (refund->left != NULL)
        take_by_formula(refund, gain, scratch);
    else
        take_in_proportion(refund, gain);
    for (int i = 0; i < refund->sale->nlines; i++) {
        MbrTaken *after = taken_of(&refund->after[i], gain);
        const MbrTaken *before = gain == AWARD ? &refund->before[i].award : &refund->before[i].growth;

        after->withheld = before->withheld + (refund->granted ? 0 : after->points - before->points);
        more += (after->points - after->withheld) - (before->points - before->withheld);
    }
    return more;
}

/* ------------------------------------------------------------------ posting */

/* The last taken go back first; what refunds before gave back is passed over. */
static void
give_back_spent(MbrWork *work, MbrJournal *journal, MbrRefund *refund)
{
    int64_t done = 0, due = 0;

    for (int i = 0; i < refund->sale->nlines; i++) {
        done += refund->before[i].restored;
        due += refund->after[i].restored - refund->before[i].restored;
    }
    for (int i = 0; i < refund->nspent && due > 0 && work->refusal == MBR_OK; i++) {
        const MbrGiveBack *part = &refund->spent[i];
        int64_t points = part->points;
        MbrActivity *day;

        if (done >= points) {
            done -= points;
            continue;
        }
        points -= done;
        done = 0;
        points = points < due ? points : due;
        due -= points;
        if (mbr_give_back(work, journal, &part->origin, points, refund->reinstated_until))
            refund->points_restored += points;
        else
            refund->points_forfeited += points;
        day = mbr_activity_on(work, part->day);
        if (day != NULL)
            day->redeemed -= points;
    }
}

static void
mark_own(MbrWork *work, const MbrRefund *refund)
{
    for (int i = 0; i < refund->nown_lots; i++) {
        MbrLot *lot = mbr_lot_find(&work->member, refund->own_lots[i]);

        if (lot != NULL)
            lot->own = true;
    }
}

/* The order's own lot to be taken from next, of those that are pending or of those that are not. */
static MbrLot *
next_own(MbrWork *work, bool pending)
{
    MbrLot *best = NULL;

    for (int i = 0; i < work->member.nlots; i++) {
        MbrLot *lot = &work->member.lots[i];

        if (lot->own && mbr_lot_unheld(lot) > 0 && lot->expires_at > work->posted_at &&
            (lot->active_at > work->posted_at) == pending &&
            (best == NULL || mbr_lot_expires_before(lot, best)))
            best = lot;
    }
    return best;
}

static int64_t
take_own(MbrWork *work, const MbrJournal *journal, bool pending, int64_t due)
{
    while (due > 0 && work->refusal == MBR_OK) {
        MbrLot *lot = next_own(work, pending);
        int64_t points;

        if (lot == NULL)
            break;
        points = mbr_lot_unheld(lot) < due ? mbr_lot_unheld(lot) : due;
        mbr_lot_take(work, journal->journal_no, lot, points);
        due -= points;
    }
    return due;
}

/* Of a correction, what the order's lots do not hold any more is owed until the new award pays it. */
static void
take_for_correction(MbrWork *work, MbrJournal *journal, MbrRefund *refund, int64_t award)
{
    mark_own(work, refund);
    refund->points_expired = award < refund->expired ? award : refund->expired;
    refund->points_clawed = award - refund->points_expired;
    refund->debt = take_own(work, journal, true, refund->points_clawed);
    refund->debt = take_own(work, journal, false, refund->debt);
    mbr_owe(work, journal, refund->debt);
}

static void
claw_back(MbrWork *work, MbrJournal *journal, MbrRefund *refund, int64_t award)
{
    int64_t due = award < refund->expired ? 0 : award - refund->expired;
    int64_t debt = work->member.debt;
    int64_t available;

    if (MBR_CANARY(EXPIRED_CLAWED))
        due = award;
    refund->points_expired = award - due;
    refund->points_clawed = due;
    mark_own(work, refund);
    due = take_own(work, journal, true, due);
    if (refund->clawback != MBR_CLAWBACK_ONLY_PENDING) {
        due = take_own(work, journal, false, due);
        available = mbr_available(&work->member, work->posted_at);
        if (refund->clawback == MBR_CLAWBACK_UNLIMITED || due < available)
            available = due;
        if (available > 0)
            mbr_debit(work, journal, available, refund->clawback == MBR_CLAWBACK_UNLIMITED);
        due -= available;
    }
    refund->loss = due;
    refund->points_clawed -= due;
    refund->debt = work->member.debt > debt ? work->member.debt - debt : 0;
}

static void
count_goods(MbrRefund *refund)
{
    int64_t value = 0;

    refund->goods.amount = refund->goods.basis = 0;
    refund->complete = true;
    for (int i = 0; i < refund->sale->nlines; i++) {
        const MbrReturned *before = &refund->before[i], *after = &refund->after[i];
        int64_t amount = after->amount - before->amount;

        refund->goods.amount += amount;
        value += after->value - before->value;
        if (refund->sale->lines[i].eligible)
            refund->goods.basis += amount - (after->value - before->value);
        refund->complete = refund->complete && after->closed;
    }
    refund->cash_amount = refund->goods.amount - value;
}

static void
correct_activity(MbrWork *work, const MbrRefund *refund, int64_t award, int64_t growth)
{
    MbrActivity *of = mbr_activity_on(work, refund->sale_day);
    MbrActivity *on;

    if (of == NULL)
        return;
    of->purchases -= refund->complete ? 1 : 0;
    of->basis -= refund->goods.basis;
    of->points -= award;
    of->growth -= growth;
    if (refund->verb != MBR_VERB_REFUND)
        return;
    of->refunded_of += refund->goods.amount;
    on = mbr_activity_on(work, work->posted_day);
    if (on != NULL)
        on->refunded_on += refund->goods.amount;
}

/* What the till may keep for points that could not be taken back. */
static int64_t
shortfall(const MbrRefund *refund)
{
    MbrWide worth = (MbrWide)refund->loss * refund->charged_price * refund->sale->currency_scale;

    worth = mbr_round_div(worth, MBR_RATE_SCALE, MBR_ROUND_HALF_UP);
    return worth < refund->cash_amount ? (int64_t)worth : refund->cash_amount;
}

MbrJournal *
mbr_refund(MbrWork *work, MbrRefund *refund, MbrScratch *scratch)
{
    MbrJournal *journal = mbr_journal_open(work, refund->verb, work->posted_at);
    int64_t award, growth;

    if (journal == NULL)
        return NULL;
    count_goods(refund);
    award = decide_gain(refund, AWARD, scratch);
    growth = decide_gain(refund, GROWTH, scratch);
    journal->goods = &refund->goods;
    journal->refers_to = refund->sale_no;
    journal->reason = refund->reason;
    journal->growth = -growth;
    journal->counterpart_id = refund->counterpart_id;
    if (!refund->keeps_spent)
        give_back_spent(work, journal, refund);
    if (refund->verb == MBR_VERB_CORRECTION)
        take_for_correction(work, journal, refund, award);
    else
        claw_back(work, journal, refund, award);
    mbr_journal_close(work, journal);
    refund->cash_shortfall = shortfall(refund);
    correct_activity(work, refund, award, growth);
    mbr_split_return(work, refund);
    if (refund->verb != MBR_VERB_CORRECTION)
        mbr_settle(work); /* what was forfeited */
    return work->refusal == MBR_OK ? journal : NULL;
}
