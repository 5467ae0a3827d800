/*
 * correct.c - correct_purchase and reassign_purchase: a purchase taken back as a whole and posted anew.
 *
 * Both are one posting of the members concerned: an event takes the old purchase back, another posts the new
 * one by the terms of the old, and the receipt stands for that.
 */
#include "postgres.h"

#include "fmgr.h"

#include "api/accrue.h"
#include "api/args.h"
#include "api/match.h"
#include "api/pair.h"
#include "api/refund.h"
#include "api/result.h"
#include "api/tender.h"
#include "engine/ledger.h"
#include "store/apply.h"
#include "store/plan.h"
#include "util/error.h"
#include "util/money.h"
#include "util/payload.h"

PG_FUNCTION_INFO_V1(membership_correct_purchase);
PG_FUNCTION_INFO_V1(membership_reassign_purchase);

typedef struct Correction {
    MbrSession *session;
    MbrVerb verb;
    MbrRefundKey key; /* refund_ref: the correction's; NULL = a reassignment has none */
    Numeric amount;   /* NULL = as it was */
    Jsonb *lines;
    int64 to_member_id; /* 0 = stays */
    const char *reason;
    int64 at;

    const MbrConfig *config;
    MbrSale sale;
    MbrRefund refund;
    int64 debt_before;    /* of the member whose purchase is corrected */
    MbrPurchaseArgs args; /* of the new purchase */
} Correction;

/* ------------------------------------------------------------------ checks */

static MbrReceipt
find_order(const Correction *correction)
{
    MbrReceipt receipt;

    if (!mbr_find_receipt(correction->session, correction->key.merchant_id, correction->key.order_ref,
                          &receipt))
        ereport(ERROR,
                (errcode(MBR_ERR_NO_ORDER),
                 errmsg("merchant %d has no order \"%s\"", correction->key.merchant_id,
                        correction->key.order_ref),
                 errdetail("No purchase was posted under that receipt."), errhint("Check order_ref.")));
    return receipt;
}

static void
refuse(const Correction *correction, const char *why, const char *hint)
{
    ereport(ERROR, (errcode(MBR_ERR_NOT_CORRECTABLE),
                    errmsg("order \"%s\" cannot be %s", correction->key.order_ref,
                           correction->to_member_id != 0 ? "reassigned" : "corrected"),
                    errdetail("%s", why), errhint("%s", hint)));
}

static void
check_order(const Correction *correction, const MbrWork *work)
{
    static const char *const instead = "Refund it, and accrue what is right under another order_ref.";
    const MbrSale *sale = &correction->sale;

    if (sale->member_id != work->member.member_id)
        refuse(correction, "Its member was merged into another.", instead);
    if (mbr_refunded_sum(correction->session, correction->config, sale).count > 0)
        refuse(correction, "Goods of it were returned.", instead);
    if (sale->undecided)
        refuse(correction, "It is under review.", "Decide it first: review_accrual().");
    if (correction->to_member_id != 0 && sale->event.purchase.status == MBR_ACCRUAL_REVIEW && !sale->granted)
        refuse(correction, "Its review was rejected.", instead);
    if (sale->event.purchase.status == MBR_ACCRUAL_IMPORTED)
        refuse(correction, "It was imported.", instead);
    if (sale->as_then > 0)
        refuse(correction, "Goods were exchanged for it.", instead);
    if (correction->to_member_id != 0 && sale->event.purchase.points_tendered > 0)
        refuse(correction, "The member's points paid for it.", instead);
}

/* ------------------------------------------------------------------ taking back */

static MbrLoad
load_of(const Correction *correction, int64 member_id)
{
    return (MbrLoad){
        .member_id = member_id, .at = correction->at, .occurred_at = MBR_NEVER, .all_lots = true};
}

static void
read_sale(Correction *correction, const MbrReceipt *receipt)
{
    MbrReceipt now = find_order(correction);

    if (now.member_id != receipt->member_id)
        ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                        errmsg("the order was moved to another member meanwhile"),
                        errdetail("Merchant %d, order_ref \"%s\".", correction->key.merchant_id,
                                  correction->key.order_ref),
                        errhint("Retry the transaction.")));
    if (!mbr_sale_read(correction->session, correction->config, now.member_id, now.journal_no,
                       &correction->sale))
        elog(ERROR, "a receipt has no journal row");
    mbr_sale_read_context(correction->session, &correction->sale);
}

/* Posts the event that takes the old purchase back; returns its number. */
static int64
take_back(Correction *correction, MbrLoad *load, MbrWork *work)
{
    MbrRefund *refund = &correction->refund;
    MbrPurchase *purchase = &correction->sale.event.purchase;

    mbr_refund_prepare(correction->session, correction->config, work, &correction->sale, refund);
    for (int i = 0; i < purchase->nlines; i++) {
        refund->after[i].amount = purchase->lines[i].amount;
        refund->after[i].quantity = mbr_line_quantity(&purchase->lines[i]);
        refund->after[i].closed = true;
    }
    for (int u = 0; u < purchase->nuses; u++) { /* all of it, whatever rules say of returns */
        MbrRuleVersion *version = palloc(sizeof(MbrRuleVersion));

        *version = *mbr_version_of(purchase->uses[u].rule);
        version->rule.refund_mode = MBR_REFUND_PROPORTIONAL;
        purchase->uses[u].rule = &version->rule;
    }
    refund->verb = correction->verb;
    refund->reason = correction->reason;
    refund->counterpart_id = correction->to_member_id;
    refund->keeps_spent = true;
    refund->clawback = MBR_CLAWBACK_UNLIMITED; /* what stays of the old award would be points made */
    refund->charged_price = 0;
    return mbr_refund_decide(correction->session, load, work, &correction->sale, refund)->journal_no;
}

/* ------------------------------------------------------------------ posting anew */

/* The arguments of the old purchase, with what is corrected. */
static void
fill_args(Correction *correction, int64 member_id)
{
    const MbrEvent *event = &correction->sale.event;
    MbrPurchaseArgs *args = &correction->args;
    int digits = correction->config->digits;

    *args = (MbrPurchaseArgs){.member_id = member_id,
                              .merchant_id = event->merchant_id,
                              .amount = correction->amount != NULL
                                            ? correction->amount
                                            : mbr_money_numeric(event->purchase.amount, digits),
                              .order_ref = event->order_ref,
                              .occurred_at = event->occurred_at,
                              .channel = event->purchase.channel,
                              .lines_json = correction->lines,
                              .attributes = correction->sale.attributes,
                              .at = correction->at};
    if (args->attributes != NULL && JB_ROOT_COUNT(args->attributes) == 0)
        args->attributes = NULL;
    mbr_purchase_parse_lines(args);
}

/* The lines as they were. */
static void
copy_lines(const Correction *correction, MbrPurchase *purchase)
{
    const MbrPurchase *then = &correction->sale.event.purchase;

    if (correction->amount != NULL || !then->explicit_lines)
        return;
    purchase->nlines = then->nlines;
    purchase->explicit_lines = true;
    purchase->lines = palloc(sizeof(MbrLine) * then->nlines);
    for (int i = 0; i < then->nlines; i++)
        purchase->lines[i] = then->lines[i];
}

static void
decide_anew(Correction *correction, MbrLoad *load, MbrWork *work, int64 taken_no, MbrPurchase *purchase)
{
    const MbrPurchase *then = &correction->sale.event.purchase;
    int n;

    work->taken_back = correction->to_member_id == 0 ? correction->refund.sale_no : 0;
    mbr_purchase_prepare(&correction->args, load, work, purchase);
    copy_lines(correction, purchase);
    for (int i = 0; i < purchase->nlines; i++)
        mbr_line_prepare(load, work, mbr_need_merchant(load->config, purchase->lines[i].terms->merchant_id),
                         &purchase->lines[i]);
    mbr_judge_as(then, correction->to_member_id == 0, purchase);
    if (then->points_tendered > 0) {
        const int64_t *spent = mbr_sale_spent(correction->session, &correction->sale, &n);

        mbr_tenders_keep(then->points_tendered, then->tendered, spent, n, load->config, purchase);
    }
    mbr_sum_basis(purchase);
    mbr_match_rules(correction->session, &correction->args, load, work, purchase, false);
    purchase->late = false;
    purchase->corrects = correction->to_member_id == 0;
    purchase->debt_before = correction->debt_before;
    purchase->expired_before = correction->refund.points_expired;
    if (purchase->corrects) {
        purchase->status = correction->sale.granted ? MBR_ACCRUAL_POSTED : MBR_ACCRUAL_REJECTED;
        purchase->reason_code = correction->sale.granted               ? MBR_REASON_NONE
                                : then->status == MBR_ACCRUAL_REJECTED ? then->reason_code
                                                                       : MBR_REASON_REJECTED;
    }
    purchase->refers_to = taken_no;
    purchase->counterpart_id = correction->to_member_id == 0 ? 0 : correction->sale.member_id;
    mbr_accrue_matched(load, work, purchase, false);
}

/* What a repeated call returns: the purchase that the receipt, or the correction, stands for. */
static void
read_result(const Correction *correction, int64 member_id, int64 journal_no, MbrAccrual *result)
{
    MbrEvent event;

    if (!mbr_event_read(correction->session, correction->config, member_id, journal_no, &event))
        elog(ERROR, "a corrected purchase is gone");
    *result = (MbrAccrual){event.purchase, event.journal_no, event.balance, true};
}

static void
finish(Correction *correction, int64 taken_no, int64 member_id, int64 journal_no, MbrAccrual *result)
{
    mbr_refund_store(correction->session, correction->config, correction->sale.member_id,
                     correction->sale.member_id, taken_no, correction->key.refund_ref, &correction->refund);
    mbr_receipt_move(correction->session, correction->key.merchant_id, correction->key.order_ref, member_id,
                     journal_no);
    mbr_accrue_write_context(correction->session, &correction->args, &result->purchase, journal_no);
    result->journal_no = journal_no;
    result->balance = result->purchase.balance;
    result->duplicate = false;
}

/* The load of the new purchase: at the moment of the old one, which is no activity of today. */
static MbrLoad
load_anew(const Correction *correction, int64 posted_at)
{
    MbrLoad load = mbr_accrue_load(&correction->args);

    load.new_lots = 2 * Max(load.new_lots, correction->sale.event.purchase.nlines); /* copied, or divided */
    load.new_splits = Max(load.new_splits, 4 * correction->sale.event.purchase.nlines);
    load.config = correction->config;
    load.at = posted_at;
    load.extends = false;
    return load;
}

static Datum
run(FunctionCallInfo fcinfo, Correction *correction, void (*post)(Correction *correction, MbrAccrual *result))
{
    MbrAccrual accrual;
    Datum row;

    mbr_enter(correction->session, false);
    (void)mbr_need_merchant(mbr_config_current(correction->session), correction->key.merchant_id);
    post(correction, &accrual);
    row = mbr_accrual_row(fcinfo, correction->config, &accrual);
    mbr_leave(correction->session);
    return row;
}

/* ------------------------------------------------------------------ correct */

static int64
hash_of(const Correction *correction)
{
    MbrPayload payload;

    mbr_payload_init(&payload);
    mbr_payload_add_text(&payload, mbr_numeric_text(correction->amount));
    mbr_payload_add_jsonb(&payload, correction->lines);
    mbr_payload_add_text(&payload, correction->reason);
    mbr_payload_add_time(&payload, correction->at);
    return mbr_payload_hash(&payload);
}

/* Whether the correction was made before; MB201 for other content. */
static bool
is_repeated(const Correction *correction, int64 hash, MbrAccrual *result)
{
    MbrRefundClaim claim;
    MbrArgs args = MBR_NO_ARGS;

    if (!mbr_refund_claim_find(correction->session, &correction->key, &claim))
        return false;
    if (claim.payload_hash != hash)
        mbr_raise_other_content("correction_ref", correction->key.refund_ref);
    mbr_arg_int8(&args, claim.member_id);
    mbr_arg_int8(&args, claim.journal_no);
    if (mbr_plan_run(correction->session, MBR_PLAN_CORRECTED_AS, &args) == 0)
        elog(ERROR, "a correction has no purchase");
    read_result(correction, claim.member_id, mbr_col_int8(0, 1, 0), result);
    return true;
}

static void
correct(Correction *correction, MbrAccrual *result)
{
    MbrReceipt receipt = find_order(correction);
    MbrLoad load = load_of(correction, receipt.member_id);
    int64 hash = hash_of(correction);
    int64 journal_no, taken_no;
    MbrWork work;

    mbr_load(correction->session, &load, &work);
    correction->config = load.config;
    if (is_repeated(correction, hash, result))
        return;
    read_sale(correction, &receipt);
    check_order(correction, &work);
    if (work.member.status == MBR_MEMBER_CLOSED)
        work.refusal = MBR_REFUSED_CLOSED;
    mbr_raise_refusal(&work);
    fill_args(correction, receipt.member_id);
    mbr_settle(&work);
    correction->debt_before = work.member.debt;
    taken_no = take_back(correction, &load, &work);
    load = load_anew(correction, work.posted_at);
    mbr_load_posting(correction->session, &load, &work);
    journal_no = work.member.next_journal_no;
    decide_anew(correction, &load, &work, taken_no, &result->purchase);
    mbr_apply(correction->session, &load, &work);
    mbr_refund_claim_add(correction->session, &correction->key, hash, receipt.member_id, taken_no);
    finish(correction, taken_no, receipt.member_id, journal_no, result);
}

Datum
membership_correct_purchase(PG_FUNCTION_ARGS)
{
    MbrSession session;
    Correction correction = {.session = &session,
                             .verb = MBR_VERB_CORRECTION,
                             .key = {.merchant_id = mbr_get_int4(fcinfo, 0, "merchant_id"),
                                     .order_ref = mbr_get_text(fcinfo, 1, "order_ref", MBR_MAX_REF),
                                     .refund_ref = mbr_get_text(fcinfo, 4, "correction_ref", MBR_MAX_REF)},
                             .lines = mbr_get_json_array(fcinfo, 3, "lines"),
                             .reason = mbr_get_text(fcinfo, 5, "reason", MBR_MAX_NOTE),
                             .at = mbr_get_time(fcinfo, 6, "at")};

    mbr_require(fcinfo, 2, "amount");
    correction.amount = PG_GETARG_NUMERIC(2);
    PG_RETURN_DATUM(run(fcinfo, &correction, correct));
}

/* ------------------------------------------------------------------ reassign */

static void
reassign(Correction *correction, MbrAccrual *result)
{
    MbrReceipt receipt = find_order(correction);
    MbrPair pair;
    MbrWork *from = &pair.works[0], *to = &pair.works[1];
    MbrWork *all[2] = {from, to};
    bool both = mbr_pair_load(correction->session, &pair, receipt.member_id, correction->to_member_id,
                              correction->at);
    int64 journal_no, taken_no;

    correction->config = pair.loads[0].config;
    if (!both) {
        read_result(correction, receipt.member_id, receipt.journal_no, result);
        return;
    }
    correction->to_member_id = to->member.member_id;
    read_sale(correction, &receipt);
    check_order(correction, from);
    if (to->member.status == MBR_MEMBER_CLOSED)
        to->refusal = MBR_REFUSED_CLOSED;
    mbr_raise_refusal(to);
    fill_args(correction, correction->to_member_id);
    taken_no = take_back(correction, &pair.loads[0], from);
    pair.loads[1] = load_anew(correction, to->posted_at);
    mbr_load_posting(correction->session, &pair.loads[1], to);
    journal_no = to->member.next_journal_no;
    decide_anew(correction, &pair.loads[1], to, taken_no, &result->purchase);
    mbr_apply_all(correction->session, &pair.loads[0], all, 2);
    finish(correction, taken_no, correction->to_member_id, journal_no, result);
}

Datum
membership_reassign_purchase(PG_FUNCTION_ARGS)
{
    MbrSession session;
    Correction correction = {.session = &session,
                             .verb = MBR_VERB_REASSIGNMENT,
                             .key = {.merchant_id = mbr_get_int4(fcinfo, 0, "merchant_id"),
                                     .order_ref = mbr_get_text(fcinfo, 1, "order_ref", MBR_MAX_REF)},
                             .to_member_id = mbr_get_int8(fcinfo, 2, "to_member_id"),
                             .reason = mbr_get_text(fcinfo, 3, "reason", MBR_MAX_NOTE),
                             .at = mbr_get_time(fcinfo, 4, "at")};

    PG_RETURN_DATUM(run(fcinfo, &correction, reassign));
}
