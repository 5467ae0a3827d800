/*
 * exchange.c - an order for which goods of another were returned.
 *
 * Rules are asked about the whole order, as of every purchase that the goods returned were bought with and as
 * of now; then each judges its part of every line by itself, and the awards are added up.
 */
#include "postgres.h"

#include "api/accrue.h"
#include "api/exchange.h"
#include "api/match.h"
#include "engine/stack.h"
#include "store/refund.h"
#include "util/error.h"
#include "util/money.h"

#define MAX_EXCHANGES 10 /* looked through for what goods were bought with */

/* Of so much that was exchanged of a purchase's returns, what was bought with the purchase before it. */
static int64
older_of(const MbrSale *sale, int64 amount)
{
    return mbr_share_of(sale->as_then, amount, sale->event.purchase.amount);
}

static MbrSale *
read_older(MbrSession *session, const MbrConfig *config, const MbrSale *sale)
{
    MbrSale *older = palloc(sizeof(MbrSale));

    if (!mbr_sale_read(session, config, sale->member_id, sale->event.purchase.refers_to, older))
        elog(ERROR, "there is no purchase " INT64_FORMAT " of member " INT64_FORMAT,
             sale->event.purchase.refers_to, sale->member_id);
    return older;
}

/*
 * What an amount of a purchase's returns was bought with, when so much of them was exchanged before. Each
 * share is a cumulative one, so that exchanges of all parts add up to the purchase's own shares.
 */
static List *
find_origins(MbrSession *session, const MbrConfig *config, MbrSale *sale, int64 before, int64 amount)
{
    List *origins = NIL;

    for (int depth = 0; amount > 0 && sale->granted; depth++) {
        int64 older_before = older_of(sale, before);
        int64 older = depth < MAX_EXCHANGES ? older_of(sale, before + amount) - older_before : 0;
        MbrOrigin *origin = palloc(sizeof(MbrOrigin));

        *origin = (MbrOrigin){&sale->event, amount - older};
        if (origin->amount > 0)
            origins = lcons(origin, origins);
        before = sale->taken_before + older_before;
        amount = older;
        if (amount > 0)
            sale = read_older(session, config, sale);
    }
    return origins;
}

MbrExchange
mbr_exchange_find(MbrSession *session, const MbrPurchaseArgs *args, const MbrConfig *config)
{
    MbrExchange exchange = {0};
    MbrSale *sale = palloc(sizeof(MbrSale));
    MbrReceipt receipt;
    int64 before, left;

    if (args->exchange_of == NULL)
        return exchange;
    if (!mbr_find_receipt(session, args->merchant_id, args->exchange_of, &receipt) ||
        receipt.member_id != args->member_id ||
        !mbr_sale_read(session, config, receipt.member_id, receipt.journal_no, sale))
        ereport(
            ERROR,
            (errcode(MBR_ERR_NO_ORDER),
             errmsg("member " INT64_FORMAT " has no order \"%s\" at merchant %d", args->member_id,
                    args->exchange_of, args->merchant_id),
             errdetail("exchange_of names an order of the same member and merchant whose goods came back, "
                       "after its sale."),
             errhint("Check exchange_of, or repeat the call when that sale has come.")));
    exchange.purchase_no = receipt.journal_no;
    before = mbr_exchanged(session, config, receipt.member_id, receipt.journal_no);
    left = mbr_refunded_sum(session, config, sale).amount - before;
    if (left <= 0)
        ereport(ERROR, (errcode(MBR_ERR_NOTHING_LEFT),
                        errmsg("nothing of order \"%s\" is left to exchange", args->exchange_of),
                        errdetail("What was returned of it has been exchanged, or nothing was returned."),
                        errhint("Refund the goods first: refund_order().")));
    exchange.amount = Min(left, mbr_purchase_amount(args->amount, config->digits, "amount"));
    exchange.origins = find_origins(session, config, sale, before, exchange.amount);
    return exchange;
}

void
mbr_judge_as(const MbrPurchase *sale, bool by_tier, MbrPurchase *purchase)
{
    purchase->base_rate = sale->base_rate;
    purchase->rounding = sale->rounding;
    purchase->stacking = sale->stacking;
    if (by_tier)
        purchase->tier = sale->tier;
}

/* Rules in force then, asked about the order as if it were made then. */
static void
match_then(MbrSession *session, const MbrPurchaseArgs *args, MbrLoad *load, MbrWork *work,
           const MbrEvent *sale, MbrPurchase *purchase)
{
    int64 occurred_at = work->occurred_at;
    int day = work->day;

    mbr_judge_as(&sale->purchase, true, purchase);
    work->occurred_at = sale->occurred_at;
    work->day = sale->day;
    mbr_match_rules(session, args, load, work, purchase, false);
    work->occurred_at = occurred_at;
    work->day = day;
}

/* Fixed points of a rule for a part of the order: by its basis, or by its net if the order has none. */
static void
shrink_bonuses(const MbrPurchase *whole, MbrPurchase *part)
{
    int64 of_part = whole->basis == 0 ? part->amount : part->basis;
    int64 of_whole = whole->basis == 0 ? whole->amount : whole->basis;

    for (int u = 0; u < part->nuses; u++) {
        MbrRuleVersion *version;

        if (part->uses[u].rule->effect != MBR_EFFECT_BONUS || of_whole == 0)
            continue;
        version = palloc(sizeof(MbrRuleVersion));
        *version = *mbr_version_of(part->uses[u].rule);
        version->rule.value = (int64)((MbrWide)version->rule.value * of_part / of_whole);
        part->uses[u].rule = &version->rule;
    }
}

static MbrPurchase
with_lines(const MbrPurchase *purchase, const MbrLine *lines)
{
    MbrPurchase copy = *purchase;

    copy.lines = palloc(sizeof(MbrLine) * copy.nlines);
    memcpy(copy.lines, lines, sizeof(MbrLine) * copy.nlines);
    return copy;
}

/* Takes a part from the lines that are left, pro rata to what is left of each: amount, and basis with it. */
static MbrPurchase
cut(const MbrPurchase *judged, MbrPurchase *left, int64 amount)
{
    MbrPurchase part = with_lines(judged, left->lines);
    MbrScratch scratch = mbr_purchase_scratch(left);

    for (int i = 0; i < left->nlines; i++)
        scratch.weights[i] = left->lines[i].amount;
    mbr_spread_by(scratch.weights, left->nlines, left->amount, amount, scratch.parts, scratch.remainders);
    for (int i = 0; i < left->nlines; i++) {
        MbrLine *line = &left->lines[i];
        int64 cut_amount = scratch.parts[i];
        int64 basis = mbr_share_of(line->basis, cut_amount, line->amount);

        part.lines[i].amount = cut_amount;
        part.lines[i].tendered = cut_amount - basis;
        line->amount -= cut_amount;
        line->basis -= basis;
    }
    part.amount = amount;
    left->amount -= amount;
    mbr_sum_basis(&part);
    return part;
}

/* A rule whose condition failed is told once. */
static bool
has_failed(const MbrPurchase *purchase, const MbrUse *use)
{
    for (int u = 0; u < purchase->nuses && use->outcome == MBR_OUTCOME_FAILED; u++)
        if (purchase->uses[u].outcome == MBR_OUTCOME_FAILED &&
            purchase->uses[u].rule->rule_id == use->rule->rule_id)
            return true;
    return false;
}

/* Adds a part's award to the order's. */
static void
add_part(MbrPurchase *purchase, const MbrPurchase *part)
{
    MbrUse *uses = palloc(sizeof(MbrUse) * Max(purchase->nuses + part->nuses, 1));
    int n = purchase->nuses;

    if (n > 0)
        memcpy(uses, purchase->uses, sizeof(MbrUse) * n);
    for (int u = 0; u < part->nuses; u++)
        if (!has_failed(purchase, &part->uses[u]))
            uses[n++] = part->uses[u];
    purchase->uses = uses;
    purchase->nuses = n;
    purchase->points_wanted += part->points_wanted;
    purchase->base_points += part->base_points;
    purchase->growth += part->growth;
    for (int i = 0; i < purchase->nlines; i++) {
        purchase->lines[i].points += part->lines[i].points;
        purchase->lines[i].base_points += part->lines[i].base_points;
    }
}

/* Awards a part of the order by itself, as it was judged. */
static MbrPurchase
award_part(MbrWork *work, const MbrPurchase *whole, const MbrPurchase *judged, MbrPurchase *left,
           int64 amount)
{
    MbrPurchase part = cut(judged, left, amount);
    MbrScratch scratch = mbr_purchase_scratch(&part);

    mbr_stack(&part); /* by what the rules are worth, before that is rounded down to a part */
    shrink_bonuses(whole, &part);
    work->refusal = mbr_award_stacked(&part, &scratch);
    mbr_raise_refusal(work);
    return part;
}

/* What a rule that nothing is taken back of gave was kept when the goods came back: it is not given again. */
static void
leave_out_kept(MbrPurchase *part)
{
    for (int u = 0; u < part->nuses; u++) {
        MbrUse *use = &part->uses[u];

        if (use->rule->refund_mode != MBR_REFUND_NONE || use->outcome != MBR_OUTCOME_APPLIED)
            continue;
        if (use->rule->effect == MBR_EFFECT_GROWTH)
            part->growth -= use->points;
        else
            part->points_wanted -= use->points;
        for (int i = 0; i < part->nlines; i++) {
            if (use->rule->effect != MBR_EFFECT_GROWTH)
                part->lines[i].points -= use->cells[i].points;
            use->cells[i].points = 0;
        }
        use->points = 0;
    }
}

void
mbr_exchange_award(MbrSession *session, const MbrPurchaseArgs *args, MbrLoad *load, MbrWork *work,
                   const MbrExchange *exchange, MbrPurchase *purchase)
{
    MbrPurchase left = with_lines(purchase, purchase->lines);
    const MbrPurchase whole = *purchase;
    ListCell *cell;

    purchase->uses = NULL;
    purchase->nuses = 0;
    foreach (cell, exchange->origins) {
        const MbrOrigin *origin = lfirst(cell);
        MbrPurchase then = whole, part;

        match_then(session, args, load, work, origin->sale, &then);
        part = award_part(work, &whole, &then, &left, origin->amount);
        leave_out_kept(&part);
        add_part(purchase, &part);
    }
    if (left.amount > 0) {
        MbrPurchase now = whole, part;

        mbr_match_rules(session, args, load, work, &now, false);
        part = award_part(work, &whole, &now, &left, left.amount);
        add_part(purchase, &part);
    }
    work->refusal = mbr_award_fits(purchase) ? MBR_OK : MBR_REFUSED_OVERFLOW;
    mbr_raise_refusal(work);
    purchase->awarded = true;
    purchase->refers_to = exchange->purchase_no;
    mbr_match_room(purchase, load, work);
}
