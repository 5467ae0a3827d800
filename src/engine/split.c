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

void
mbr_split_points(MbrWork *work, const MbrPurchase *purchase)
{
    if (purchase->points == 0)
        return;
    for (int i = 0; i < purchase->nlines; i++) {
        const MbrTerms *terms = purchase->lines[i].terms;
        int64_t points = 0;
        MbrWide price;

        if (terms->issue_price == 0 || !is_first_of_merchant(purchase, i))
            continue;
        for (int k = i; k < purchase->nlines; k++)
            if (same_merchant(&purchase->lines[i], &purchase->lines[k]))
                points += purchase->lines[k].points;
        price = (MbrWide)points * terms->issue_price * purchase->currency_scale;
        price = mbr_round_div(price, MBR_RATE_SCALE, MBR_ROUND_HALF_UP);
        add_split(work, terms, MBR_SPLIT_POINTS_ISSUED, terms->merchant_party, terms->mall_party,
                  (int64_t)price, points);
    }
}
