/*
 * exchange.c - an order for which goods of another were returned.
 *
 * Rules are asked about the whole order, once as of the old purchase and once as of now; then each judges its
 * part of every line by itself, and the two awards are added up.
 */
#include "postgres.h"

#include "api/accrue.h"
#include "api/exchange.h"
#include "api/match.h"
#include "store/refund.h"
#include "util/error.h"
#include "util/money.h"

MbrExchange
mbr_exchange_find(MbrSession *session, const MbrPurchaseArgs *args, const MbrConfig *config)
{
    MbrExchange exchange = {0};
    MbrReceipt receipt;
    int64 left;

    if (args->exchange_of == NULL)
        return exchange;
    if (!mbr_find_receipt(session, args->merchant_id, args->exchange_of, &receipt) ||
        receipt.member_id != args->member_id ||
        !mbr_sale_read(session, config, receipt.member_id, receipt.journal_no, &exchange.sale))
        ereport(ERROR,
                (errcode(MBR_ERR_NO_ORDER),
                 errmsg("member " INT64_FORMAT " has no order \"%s\" at merchant %d", args->member_id,
                        args->exchange_of, args->merchant_id),
                 errdetail("exchange_of names the order of the same member and merchant that was returned."),
                 errhint("Check exchange_of, or leave it out.")));
    exchange.purchase_no = receipt.journal_no;
    left = mbr_refunded_sum(session, config, &exchange.sale).amount -
           mbr_exchanged(session, config, receipt.member_id, receipt.journal_no);
    if (left <= 0)
        ereport(ERROR, (errcode(MBR_ERR_NOTHING_LEFT),
                        errmsg("nothing of order \"%s\" is left to exchange", args->exchange_of),
                        errdetail("What was returned of it has been exchanged, or nothing was returned."),
                        errhint("Refund the goods first: refund_order().")));
    exchange.amount = Min(left, mbr_purchase_amount(args->amount, config->digits, "amount"));
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
           const MbrExchange *exchange, MbrPurchase *purchase)
{
    int64 occurred_at = work->occurred_at;
    int day = work->day;

    mbr_judge_as(&exchange->sale.event.purchase, true, purchase);
    work->occurred_at = exchange->sale.event.occurred_at;
    work->day = exchange->sale.event.day;
    mbr_match_rules(session, args, load, work, purchase, false);
    work->occurred_at = occurred_at;
    work->day = day;
}

static int64
net_of(const MbrPurchase *purchase)
{
    int64 net = 0;

    for (int i = 0; i < purchase->nlines; i++)
        net += purchase->lines[i].amount;
    return net;
}

/* Fixed points of a rule for a part of the order: by its basis, or by its net if the order has none. */
static void
shrink_bonuses(const MbrPurchase *whole, MbrPurchase *part)
{
    int64 of_part = whole->basis == 0 ? net_of(part) : part->basis;
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

/* A copy with lines of its own, each with its part of amount and basis. */
static MbrPurchase
part_of(const MbrPurchase *purchase, const int64_t *amounts, bool rest)
{
    MbrPurchase part = *purchase;

    part.lines = palloc(sizeof(MbrLine) * part.nlines);
    for (int i = 0; i < part.nlines; i++) {
        const MbrLine *line = &purchase->lines[i];
        int64 basis = mbr_share_of(line->basis, amounts[i], line->amount);

        part.lines[i] = *line;
        part.lines[i].amount = rest ? line->amount - amounts[i] : amounts[i];
        part.lines[i].tendered = part.lines[i].amount - (rest ? line->basis - basis : basis);
    }
    mbr_sum_basis(&part);
    return part;
}

static void
award(MbrWork *work, const MbrPurchase *whole, MbrPurchase *part)
{
    MbrScratch scratch = mbr_purchase_scratch(part);

    shrink_bonuses(whole, part);
    work->refusal = mbr_award(part, &scratch);
    mbr_raise_refusal(work);
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

void
mbr_exchange_award(MbrSession *session, const MbrPurchaseArgs *args, MbrLoad *load, MbrWork *work,
                   const MbrExchange *exchange, MbrPurchase *purchase)
{
    MbrScratch scratch = mbr_purchase_scratch(purchase);
    MbrWide *weights = scratch.weights;
    MbrPurchase then = *purchase, now = *purchase;
    MbrPurchase parts[2];

    match_then(session, args, load, work, exchange, &then);
    mbr_match_rules(session, args, load, work, &now, false);
    for (int i = 0; i < purchase->nlines; i++)
        weights[i] = purchase->lines[i].amount;
    mbr_spread_by(weights, purchase->nlines, purchase->amount, exchange->amount, scratch.parts,
                  scratch.remainders);
    parts[0] = part_of(&then, scratch.parts, false);
    parts[1] = part_of(&now, scratch.parts, true);
    purchase->uses = NULL;
    purchase->nuses = 0;
    for (int i = 0; i < (exchange->amount < purchase->amount ? 2 : 1); i++) {
        award(work, purchase, &parts[i]);
        add_part(purchase, &parts[i]);
    }
    purchase->awarded = true;
    purchase->refers_to = exchange->purchase_no;
    mbr_match_room(purchase, load, work);
}
