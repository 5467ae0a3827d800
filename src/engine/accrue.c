/* accrue.c - a purchase: award, status, lots, activity, splits, tier. */
#include <stddef.h>

#include "engine/accrue.h"
#include "engine/activity.h"
#include "engine/canary.h"
#include "engine/ledger.h"
#include "engine/split.h"

const MbrTier *
mbr_tier_find(const MbrTier *tiers, int ntiers, int tier_id)
{
    for (int i = 0; i < ntiers; i++)
        if (tiers[i].tier_id == tier_id)
            return &tiers[i];
    return NULL;
}

/* The best tier that a basis spend reaches above the present one; NULL = none. */
static const MbrTier *
tier_reached(const MbrWork *work, int64_t window_basis)
{
    const MbrTier *present = mbr_tier_find(work->tiers, work->ntiers, work->member.tier_id);

    for (int i = work->ntiers - 1; i >= 0; i--) {
        const MbrTier *tier = &work->tiers[i];

        if (present != NULL && tier->rank <= present->rank)
            break;
        if (tier->qualify_basis > 0 && window_basis >= tier->qualify_basis)
            return tier;
    }
    return NULL;
}

void
mbr_tier_change(MbrWork *work, const MbrTier *tier, int64_t since, int64_t journal_no, bool by_hand,
                int64_t locked_until)
{
    if (work->ntier_changes >= work->max_tier_changes) {
        work->refusal = MBR_REFUSED_NO_ROOM;
        return;
    }
    work->tier_changes[work->ntier_changes++] = (MbrTierChange){.tier = tier,
                                                                .since = since,
                                                                .journal_no = journal_no,
                                                                .by_hand = by_hand,
                                                                .locked_until = locked_until};
    work->member.tier_id = tier->tier_id;
    work->member.tier_since = since;
    work->tier_locked_until = locked_until;
}

/*
 * The day of a purchase counts the purchase, and what it earned, also when that is approved later. A basis
 * beyond what a day can hold is refused when it is stored, and need not be exact.
 */
static void
add_activity(MbrWork *work, int purchases, int64_t basis, int64_t points, int64_t growth)
{
    MbrActivity *activity = mbr_activity_on(work, work->day);

    if (activity == NULL)
        return;
    activity->purchases += purchases;
    if (activity->basis <= MBR_MAX_AMOUNT)
        activity->basis += basis;
    activity->points += points;
    activity->growth += growth;
}

/* Points of one life: those of a line's base rate and tier, or of a rule on a line. */
typedef struct Part {
    int64_t points;
    int64_t active_at;
    int64_t expires_at;
} Part;

static int
count_parts(const MbrPurchase *purchase)
{
    return purchase->nlines * (purchase->nuses + 1);
}

/* Line by line, base and tier first, then the rules. */
static Part
part_at(const MbrPurchase *purchase, int i)
{
    const MbrLine *line = &purchase->lines[i / (purchase->nuses + 1)];
    int nth = i % (purchase->nuses + 1); /* 0 = base and tier */
    const MbrUse *use;
    const MbrCell *cell;

    if (nth == 0)
        return (Part){line->base_points, line->active_at, line->expires_at};
    use = &purchase->uses[nth - 1];
    if (use->outcome != MBR_OUTCOME_APPLIED || use->rule->effect == MBR_EFFECT_GROWTH)
        return (Part){0, 0, 0};
    cell = &use->cells[i / (purchase->nuses + 1)];
    return (Part){cell->points, cell->active_at, cell->expires_at};
}

static bool
same_life(Part a, Part b)
{
    return a.points > 0 && a.active_at == b.active_at && a.expires_at == b.expires_at;
}

static bool
is_first_of_life(const MbrPurchase *purchase, int i)
{
    Part part = part_at(purchase, i);

    if (part.points == 0) /* most are, of many rules on many lines */
        return false;
    for (int k = 0; k < i; k++)
        if (same_life(part_at(purchase, k), part))
            return false;
    return true;
}

/* Some of the points of a life may be dead from the beginning. */
static void
credit_life(MbrWork *work, MbrJournal *journal, int64_t points, Part part, int64_t *dead)
{
    int64_t none = *dead < points ? *dead : points;

    if (points > none)
        mbr_credit(work, journal, points - none, part.active_at, part.expires_at);
    if (none > 0)
        mbr_credit(work, journal, none, work->posted_at, work->posted_at);
    *dead -= none;
}

/* How much of a correction's award expires with it, because as much of the old one had, and was not owed. */
static int64_t
expires_again(const MbrWork *work, const MbrPurchase *purchase)
{
    int64_t given = purchase->points - (work->member.debt - purchase->debt_before);

    if (!purchase->corrects || given < 0)
        return 0;
    return given < purchase->expired_before ? given : purchase->expired_before;
}

/* One lot for all points that become active and die together, less what is not to live. */
static void
open_lots(MbrWork *work, MbrJournal *journal, MbrPurchase *purchase)
{
    int64_t dead = expires_again(work, purchase);
    int n = count_parts(purchase);

    for (int i = 0; i < n && work->refusal == MBR_OK; i++) {
        Part part = part_at(purchase, i);
        int64_t points = 0;

        if (!is_first_of_life(purchase, i))
            continue;
        for (int k = i; k < n; k++)
            if (same_life(part_at(purchase, k), part))
                points += part_at(purchase, k).points;
        credit_life(work, journal, points, part, &dead);
        if (part.active_at < purchase->available_at)
            purchase->available_at = part.active_at;
        if (part.expires_at < purchase->expires_at)
            purchase->expires_at = part.expires_at;
    }
}

/* A correction has the status of what it corrects. */
static void
decide_status(const MbrWork *work, MbrPurchase *purchase)
{
    if (!purchase->corrects) {
        purchase->reason_code = MBR_REASON_NONE;
        purchase->status = MBR_ACCRUAL_POSTED;
        if (work->member.status == MBR_MEMBER_FROZEN) {
            purchase->status = MBR_ACCRUAL_REJECTED;
            purchase->reason_code = MBR_REASON_MEMBER_FROZEN;
        } else if (purchase->late) {
            purchase->status = MBR_ACCRUAL_REVIEW;
            purchase->reason_code = MBR_REASON_LATE_CLAIM;
        }
    }
    if (purchase->status == MBR_ACCRUAL_POSTED) {
        purchase->points = purchase->points_wanted;
        return;
    }
    purchase->points = 0;
    purchase->growth = 0;
}

/* The purchase that upgrades a member earned at the old tier; the new one holds from here on. */
static void
upgrade(MbrWork *work, MbrPurchase *purchase)
{
    int64_t spent = purchase->window_basis + (purchase->in_window ? purchase->basis : 0);
    const MbrTier *reached = tier_reached(work, spent);

    purchase->tier_after = mbr_tier_find(work->tiers, work->ntiers, work->member.tier_id);
    purchase->tier_changed = false;
    if (reached != NULL && purchase->status != MBR_ACCRUAL_REVIEW &&
        purchase->status != MBR_ACCRUAL_REJECTED) {
        purchase->tier_after = reached;
        purchase->tier_changed = true;
        mbr_tier_change(work, reached, work->posted_at, work->journals[work->njournals - 1].journal_no, false,
                        work->tier_locked_until);
    }
}

void
mbr_accrue(MbrWork *work, MbrPurchase *purchase, MbrScratch *scratch)
{
    MbrJournal *journal;

    if (work->member.status == MBR_MEMBER_CLOSED) {
        work->refusal = MBR_REFUSED_CLOSED;
        return;
    }
    if (MBR_CANARY(UPGRADE_EARNS_MORE) && tier_reached(work, purchase->window_basis + purchase->basis))
        purchase->tier = tier_reached(work, purchase->window_basis + purchase->basis);
    if (!purchase->awarded)
        work->refusal = mbr_award(purchase, scratch);
    if (work->refusal != MBR_OK)
        return;
    decide_status(work, purchase);
    if (work->member.balance + purchase->points > MBR_MAX_POINTS) {
        work->refusal = MBR_REFUSED_OVERFLOW; /* before anything is posted: a batch goes on from here */
        return;
    }
    purchase->available_at = MBR_NEVER;
    purchase->expires_at = MBR_NEVER;
    journal = mbr_journal_open(work, MBR_VERB_ACCRUAL, work->occurred_at);
    if (journal == NULL)
        return;
    journal->purchase = purchase;
    journal->growth = purchase->growth;
    journal->refers_to = purchase->refers_to;
    journal->counterpart_id = purchase->counterpart_id;
    if (purchase->points > 0)
        open_lots(work, journal, purchase);
    if (purchase->corrects)
        mbr_pay_owed(work, journal, purchase->debt_before);
    mbr_journal_close(work, journal);
    purchase->balance = journal->balance;
    if (purchase->available_at != MBR_NEVER && purchase->available_at > work->posted_at)
        purchase->status = MBR_ACCRUAL_PENDING;
    add_activity(work, 1, purchase->basis, purchase->points, purchase->growth);
    mbr_split_sale(work, purchase);
    mbr_split_points(work, purchase);
    upgrade(work, purchase);
    mbr_settle(work); /* a lot born expired */
    if (purchase->status == MBR_ACCRUAL_POSTED || purchase->status == MBR_ACCRUAL_PENDING)
        mbr_extend(work, journal->journal_no, purchase->extend_to);
}

void
mbr_approve(MbrWork *work, MbrPurchase *purchase, int64_t purchase_no, const char *reason)
{
    MbrJournal *journal = mbr_journal_open(work, MBR_VERB_REVIEW, work->occurred_at);

    if (journal == NULL)
        return;
    journal->refers_to = purchase_no;
    journal->reason = reason;
    journal->reason_code = MBR_REASON_APPROVED;
    journal->growth = purchase->growth;
    purchase->points = purchase->points_wanted;
    purchase->available_at = MBR_NEVER;
    purchase->expires_at = MBR_NEVER;
    if (purchase->points > 0)
        open_lots(work, journal, purchase);
    mbr_journal_close(work, journal);
    add_activity(work, 0, 0, purchase->points, purchase->growth);
    mbr_split_points(work, purchase);
    purchase->status = MBR_ACCRUAL_POSTED;
    purchase->in_window = false; /* its basis was counted when it was posted */
    upgrade(work, purchase);
    mbr_settle(work);
}

void
mbr_import(MbrWork *work, MbrPurchase *purchase)
{
    MbrJournal *journal;

    if (work->member.status == MBR_MEMBER_CLOSED) {
        work->refusal = MBR_REFUSED_CLOSED;
        return;
    }
    purchase->status = MBR_ACCRUAL_IMPORTED;
    purchase->points = 0;
    purchase->base_points = purchase->points_wanted;
    purchase->merchant_collected = purchase->amount;
    purchase->available_at = MBR_NEVER;
    purchase->expires_at = MBR_NEVER;
    purchase->tier_after = mbr_tier_find(work->tiers, work->ntiers, work->member.tier_id);
    purchase->growth = 0;
    purchase->lines[0].points = purchase->points_wanted;
    journal = mbr_journal_open(work, MBR_VERB_ACCRUAL, work->occurred_at);
    if (journal == NULL)
        return;
    journal->purchase = purchase;
    mbr_journal_close(work, journal);
    add_activity(work, 1, purchase->basis, purchase->points_wanted, 0);
}
