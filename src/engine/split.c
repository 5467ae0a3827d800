/*
 * split.c - splits of a purchase.
 *
 * Each row names payer and payee, so the parties' books add up to zero by construction. Sale rows and what
 * merchants collected themselves add up to the net amount.
 */
#include <stddef.h>

#include "engine/canary.h"
#include "engine/spread.h"
#include "engine/split.h"

static bool
same_merchant(const MbrLine *a, const MbrLine *b)
{
    return a->terms->merchant_id == b->terms->merchant_id;
}

/* Whether this is the merchant's first line; its sums are then taken over all of its lines. */
static bool
is_first_of_merchant(const MbrPurchase *purchase, int line)
{
    for (int i = 0; i < line; i++)
        if (same_merchant(&purchase->lines[i], &purchase->lines[line]))
            return false;
    return true;
}

void
mbr_split_add(MbrWork *work, int merchant_id, MbrSplitKind kind, int payer, int payee, int64_t amount,
              int64_t points)
{
    int64_t journal_no = work->journals[work->njournals - 1].journal_no;
    const MbrSplit *last = work->nsplits > 0 ? &work->splits[work->nsplits - 1] : NULL;

    if (amount == 0 && points == 0)
        return;
    if (work->nsplits >= work->max_splits) {
        work->refusal = MBR_REFUSED_NO_ROOM;
        return;
    }
    work->splits[work->nsplits++] =
        (MbrSplit){.journal_no = journal_no,
                   .split_no = last != NULL && last->journal_no == journal_no ? last->split_no + 1 : 1,
                   .merchant_id = merchant_id,
                   .kind = kind,
                   .payer_party = payer,
                   .payee_party = payee,
                   .amount = amount,
                   .points = points};
}

/* What a merchant's lines add up to. */
typedef struct Sums {
    int64_t net;
    int64_t tendered; /* paid with points */
    int64_t points;
} Sums;

static Sums
sums_of(const MbrPurchase *purchase, int first_line)
{
    Sums sums = {0};

    for (int i = first_line; i < purchase->nlines; i++) {
        const MbrLine *line = &purchase->lines[i];

        if (!same_merchant(&purchase->lines[first_line], line))
            continue;
        sums.net += line->amount;
        sums.tendered += line->tendered;
        sums.points += line->points_tendered;
    }
    return sums;
}

/*
 * What the redemption price makes of a merchant's part of the points: by its worth, so that a price equal to
 * the worth of a point reimburses just that.
 */
static int64_t
reimbursed(MbrWork *work, const MbrTerms *terms, const Sums *part, const Sums *order, int64_t scale)
{
    MbrWide price = (MbrWide)order->points * terms->redemption_price * scale;
    MbrWide product;

    if (order->tendered == 0)
        return 0;
    if (__builtin_mul_overflow(price, (MbrWide)part->tendered, &product) ||
        product / MBR_RATE_SCALE / order->tendered > MBR_MAX_AMOUNT) {
        work->refusal = MBR_REFUSED_OVERFLOW;
        return 0;
    }
    return (int64_t)mbr_round_div(product, (MbrWide)MBR_RATE_SCALE * order->tendered, MBR_ROUND_HALF_UP);
}

/* The mall pays a merchant that collects; one that does not contributes what the price leaves open. */
static void
split_redeemed(MbrWork *work, const MbrTerms *terms, const Sums *part, const Sums *order, int64_t scale)
{
    int64_t paid = reimbursed(work, terms, part, order, scale);

    if (part->points == 0 && part->tendered == 0)
        return;
    if (!terms->mall_collects && paid > 0)
        mbr_split_add(work, terms->merchant_id, MBR_SPLIT_POINTS_REDEEMED, terms->mall_party,
                      terms->merchant_party, paid, part->points);
    else if (terms->mall_collects && part->tendered > paid)
        mbr_split_add(work, terms->merchant_id, MBR_SPLIT_POINTS_CONTRIBUTION, terms->merchant_party,
                      terms->mall_party, part->tendered - paid, part->points);
}

void
mbr_split_spent(MbrWork *work, const MbrTerms *terms, int64_t points, int64_t value, int64_t scale)
{
    Sums spent = {.net = value, .tendered = value, .points = points};

    if (terms->mall_collects)
        mbr_split_add(work, terms->merchant_id, MBR_SPLIT_SALE, terms->mall_party, terms->merchant_party,
                      value, 0);
    split_redeemed(work, terms, &spent, &spent, scale);
}

void
mbr_split_reverse(MbrWork *work, const MbrSplit *splits, int nsplits)
{
    for (int i = 0; i < nsplits; i++)
        mbr_split_add(work, splits[i].merchant_id, splits[i].kind, splits[i].payee_party,
                      splits[i].payer_party, splits[i].amount, splits[i].points);
}

void
mbr_split_sale(MbrWork *work, MbrPurchase *purchase)
{
    Sums order = {.tendered = purchase->tendered, .points = purchase->points_tendered};

    purchase->merchant_collected = 0;
    purchase->tendered_at_merchants = 0;
    for (int i = 0; i < purchase->nlines; i++) {
        const MbrTerms *terms = purchase->lines[i].terms;
        MbrWide commission;
        Sums sums;

        if (!is_first_of_merchant(purchase, i))
            continue;
        sums = sums_of(purchase, i);
        if (terms->mall_collects) {
            mbr_split_add(work, terms->merchant_id, MBR_SPLIT_SALE, terms->mall_party, terms->merchant_party,
                          sums.net, 0);
        } else {
            purchase->merchant_collected += sums.net - sums.tendered;
            purchase->tendered_at_merchants += sums.tendered;
        }
        commission = mbr_round_div((MbrWide)sums.net * terms->commission_rate, MBR_RATE_SCALE,
                                   MBR_CANARY(COMMISSION_DOWN) ? MBR_ROUND_FLOOR : MBR_ROUND_HALF_UP);
        mbr_split_add(work, terms->merchant_id, MBR_SPLIT_COMMISSION, terms->merchant_party,
                      terms->mall_party, (int64_t)commission, 0);
        split_redeemed(work, terms, &sums, &order, purchase->currency_scale);
    }
}

int
mbr_funder_of(const MbrRule *rule, int mall_party)
{
    return rule->funder_party == 0 ? mall_party : rule->funder_party;
}

static int
funder_of(const MbrRule *rule, const MbrTerms *terms)
{
    return mbr_funder_of(rule, terms->mall_party);
}

/* Whether somebody owes the mall for what the rule gave: the mall owes itself nothing. */
static bool
pays(const MbrUse *use, const MbrTerms *terms)
{
    return use->outcome == MBR_OUTCOME_APPLIED && use->rule->effect != MBR_EFFECT_GROWTH &&
           funder_of(use->rule, terms) != terms->mall_party;
}

/* A merchant's points that a party pays for: the merchant those of base and tier, funders their rules'. */
static int64_t
points_paid_by(const MbrPurchase *purchase, int first_line, int party)
{
    int64_t points = 0;

    for (int i = first_line; i < purchase->nlines; i++) {
        const MbrTerms *terms = purchase->lines[i].terms;

        if (!same_merchant(&purchase->lines[first_line], &purchase->lines[i]))
            continue;
        if (party == terms->merchant_party)
            points += purchase->lines[i].base_points;
        for (int u = 0; u < purchase->nuses; u++) {
            const MbrUse *use = &purchase->uses[u];

            if (pays(use, terms) && funder_of(use->rule, terms) == party)
                points += use->cells[i].points;
        }
    }
    return points;
}

static void
split_points_of(MbrWork *work, const MbrPurchase *purchase, int first_line, int party)
{
    const MbrTerms *terms = purchase->lines[first_line].terms;
    int64_t points = points_paid_by(purchase, first_line, party);
    MbrWide price = (MbrWide)points * terms->issue_price * purchase->currency_scale;

    price = mbr_round_div(price, MBR_RATE_SCALE, MBR_ROUND_HALF_UP);
    if (price > MBR_MAX_AMOUNT) { /* the price may have risen since the award */
        work->refusal = MBR_REFUSED_OVERFLOW;
        return;
    }
    mbr_split_add(work, terms->merchant_id, MBR_SPLIT_POINTS_ISSUED, party, terms->mall_party, (int64_t)price,
                  points);
}

/* The funder with the next higher number, other than the merchant; 0 = no more. */
static int
next_funder(const MbrPurchase *purchase, const MbrTerms *terms, int after)
{
    int next = 0;

    for (int u = 0; u < purchase->nuses; u++) {
        const MbrUse *use = &purchase->uses[u];
        int party = funder_of(use->rule, terms);

        if (pays(use, terms) && party != terms->merchant_party && party > after &&
            (next == 0 || party < next))
            next = party;
    }
    return next;
}

void
mbr_split_points(MbrWork *work, const MbrPurchase *purchase)
{
    if (purchase->points == 0)
        return;
    for (int i = 0; i < purchase->nlines; i++) {
        const MbrTerms *terms = purchase->lines[i].terms;

        if (terms->issue_price == 0 || !is_first_of_merchant(purchase, i))
            continue;
        split_points_of(work, purchase, i, terms->merchant_party);
        for (int party = next_funder(purchase, terms, 0); party != 0;
             party = next_funder(purchase, terms, party))
            split_points_of(work, purchase, i, party);
    }
}
