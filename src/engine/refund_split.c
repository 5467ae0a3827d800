/*
 * refund_split.c - splits of a sale reversed in its proportions.
 *
 * Each row of the sale has a cumulative target of its own, computed from what was returned before and after
 * this refund; the difference is posted with payer and payee swapped.
 */
#include <stddef.h>

#include "engine/refund.h"
#include "engine/split.h"

/* What was returned of a merchant's lines, and of how much. */
typedef struct Part {
    int64_t returned; /* net, as the next */
    int64_t net;
    int64_t value; /* points' money given back, as the next */
    int64_t tendered;
    int64_t taken; /* points taken back, as the next */
    int64_t returnable;
} Part;

/* What of a row is reversed. */
typedef struct Target {
    int64_t amount;
    int64_t points;
} Target;

static Part
part_of(const MbrPurchase *sale, const MbrReturned *returned, int merchant_id)
{
    Part part = {0};

    for (int i = 0; i < sale->nlines; i++) {
        const MbrLine *line = &sale->lines[i];

        if (line->terms->merchant_id != merchant_id)
            continue;
        part.returned += returned[i].amount;
        part.net += line->amount;
        part.value += returned[i].value;
        part.tendered += line->tendered;
        part.taken += returned[i].award.points - returned[i].award.withheld;
        part.returnable += mbr_returnable_points(sale, i) - returned[i].award.withheld;
    }
    if (part.taken < 0)
        part.taken = 0;
    if (part.taken > part.returnable)
        part.taken = part.returnable;
    return part;
}

/* Points of a points_issued row that stay: those of rules of mode none that its payer funds. */
static int64_t
staying_points(const MbrPurchase *sale, const MbrSplit *split)
{
    int64_t points = 0;

    for (int u = 0; u < sale->nuses; u++) {
        const MbrUse *use = &sale->uses[u];

        int funder = mbr_funder_of(use->rule, split->payee_party);

        if (use->outcome != MBR_OUTCOME_APPLIED || use->rule->refund_mode != MBR_REFUND_NONE ||
            use->rule->effect == MBR_EFFECT_GROWTH || funder != split->payer_party ||
            funder == split->payee_party) /* what a mall funds itself is in no row */
            continue;
        for (int i = 0; i < sale->nlines; i++)
            if (sale->lines[i].terms->merchant_id == split->merchant_id)
                points += use->cells[i].points;
    }
    return points;
}

static bool
keeps_commission(const MbrPurchase *sale, int merchant_id)
{
    for (int i = 0; i < sale->nlines; i++)
        if (sale->lines[i].terms->merchant_id == merchant_id)
            return !sale->lines[i].terms->commission_refunded;
    return false;
}

static Target
target_of(const MbrRefund *refund, const MbrSplit *split, const MbrReturned *returned)
{
    Part part = part_of(refund->sale, returned, split->merchant_id);
    Target target = {0};

    switch (split->kind) {
        case MBR_SPLIT_COMMISSION:
            if (refund->verb == MBR_VERB_REFUND && keeps_commission(refund->sale, split->merchant_id))
                break;
            /* FALLTHROUGH */
        case MBR_SPLIT_SALE:
            target.amount = mbr_share_of(split->amount, part.returned, part.net);
            break;
        case MBR_SPLIT_POINTS_REDEEMED:
        case MBR_SPLIT_POINTS_CONTRIBUTION:
            target.amount = mbr_share_of(split->amount, part.value, part.tendered);
            target.points = mbr_share_of(split->points, part.value, part.tendered);
            break;
        case MBR_SPLIT_POINTS_ISSUED:
            target.points = mbr_share_of(split->points - staying_points(refund->sale, split), part.taken,
                                         part.returnable);
            target.amount = mbr_share_of(split->amount, target.points, split->points);
            break;
    }
    return target;
}

/* A re-evaluation may move points between funders: one that owes more is a row the usual way round. */
static void
post_difference(MbrWork *work, const MbrSplit *split, Target before, Target after)
{
    int64_t amount = after.amount - before.amount;
    int64_t points = after.points - before.points;

    if (amount >= 0 && points >= 0)
        mbr_split_add(work, split->merchant_id, split->kind, split->payee_party, split->payer_party, amount,
                      points);
    else
        mbr_split_add(work, split->merchant_id, split->kind, split->payer_party, split->payee_party, -amount,
                      -points);
}

void
mbr_split_return(MbrWork *work, const MbrRefund *refund)
{
    for (int i = 0; i < refund->nsplits; i++)
        post_difference(work, &refund->splits[i], target_of(refund, &refund->splits[i], refund->before),
                        target_of(refund, &refund->splits[i], refund->after));
}
