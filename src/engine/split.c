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

static void
add_split(MbrWork *work, const MbrTerms *terms, MbrSplitKind kind, int payer, int payee, int64_t amount,
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
                   .merchant_id = terms->merchant_id,
                   .kind = kind,
                   .payer_party = payer,
                   .payee_party = payee,
                   .amount = amount,
                   .points = points};
}

void
mbr_split_sale(MbrWork *work, MbrPurchase *purchase)
{
    purchase->merchant_collected = 0;
    for (int i = 0; i < purchase->nlines; i++) {
        const MbrTerms *terms = purchase->lines[i].terms;
        int64_t net = 0;
        MbrWide commission;

        if (!is_first_of_merchant(purchase, i))
            continue;
        for (int k = i; k < purchase->nlines; k++)
            if (same_merchant(&purchase->lines[i], &purchase->lines[k]))
                net += purchase->lines[k].amount;
        if (terms->mall_collects)
            add_split(work, terms, MBR_SPLIT_SALE, terms->mall_party, terms->merchant_party, net, 0);
        else
            purchase->merchant_collected += net;
        commission = mbr_round_div((MbrWide)net * terms->commission_rate, MBR_RATE_SCALE,
                                   MBR_CANARY(COMMISSION_DOWN) ? MBR_ROUND_FLOOR : MBR_ROUND_HALF_UP);
        add_split(work, terms, MBR_SPLIT_COMMISSION, terms->merchant_party, terms->mall_party,
                  (int64_t)commission, 0);
    }
}

static int
funder_of(const MbrRule *rule, const MbrTerms *terms)
{
    return rule->funder_party == 0 ? terms->mall_party : rule->funder_party;
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
    add_split(work, terms, MBR_SPLIT_POINTS_ISSUED, party, terms->mall_party, (int64_t)price, points);
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
