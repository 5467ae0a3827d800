/*
 * refund.c - refund_order: posts a return of goods, or parks it until its sale comes.
 *
 * A refund finds its member by the receipt, locks it, and reads what the sale froze and what was returned of
 * it before. Without a receipt it takes the receipt's place: the sale that claims it finds the refund.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "api/args.h"
#include "api/contain.h"
#include "api/json.h"
#include "api/reevaluate.h"
#include "api/refund.h"
#include "api/result.h"
#include "engine/canary.h"
#include "engine/ledger.h"
#include "store/alias.h"
#include "store/apply.h"
#include "store/hold.h"
#include "store/table.h"
#include "util/calendar.h"
#include "util/error.h"
#include "util/money.h"
#include "util/payload.h"

PG_FUNCTION_INFO_V1(membership_refund_order);

#define MAX_LINES 1000

/* ------------------------------------------------------------------ arguments */

static void
set_key(void *object, const char *key, const JsonbValue *value)
{
    MbrReturnArg *line = object;
    const char *what = "a line";

    if (strcmp(key, "line_no") == 0) {
        line->line_no = mbr_json_id(value, what, key);
    } else if (strcmp(key, "amount") == 0) {
        line->amount = mbr_json_number(value, what, key);
    } else if (strcmp(key, "quantity") == 0) {
        line->quantity = mbr_money_parse(mbr_json_number(value, what, key), MBR_RATE_DIGITS, key);
        if (line->quantity <= 0)
            mbr_json_refuse_value(what, key, "a number above 0");
    } else {
        mbr_json_refuse_key(what, key);
    }
}

static void
check_lines(const MbrRefundArgs *args)
{
    for (int i = 0; i < args->nlines; i++) {
        if (args->lines[i].line_no == 0)
            mbr_json_refuse_value("a line", "line_no", "a whole number from 1 to 2147483647");
        if (args->lines[i].amount == NULL && args->lines[i].quantity == 0)
            mbr_json_refuse_value("a line", "amount", "a number, unless quantity is");
        for (int k = 0; k < i; k++)
            if (args->lines[k].line_no == args->lines[i].line_no)
                ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                                errmsg("line_no %d comes twice", args->lines[i].line_no),
                                errdetail("A refund names each line once."),
                                errhint("Add its goods up in one element.")));
    }
}

static void
parse_lines(MbrRefundArgs *args)
{
    if (args->lines_json == NULL)
        return;
    args->nlines = JB_ROOT_COUNT(args->lines_json);
    if (args->nlines < 1 || args->nlines > MAX_LINES)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("a refund cannot be of %d lines", args->nlines),
                        errdetail("It is of 1 to %d lines.", MAX_LINES),
                        errhint("Leave lines out to refund what is left.")));
    args->lines = palloc0(sizeof(MbrReturnArg) * args->nlines);
    mbr_json_walk(args->lines_json, "lines", args->lines, sizeof(MbrReturnArg), set_key);
    check_lines(args);
}

void
mbr_refund_args(FunctionCallInfo fcinfo, MbrRefundArgs *args)
{
    *args = (MbrRefundArgs){.key = {.merchant_id = mbr_get_int4(fcinfo, 0, "merchant_id"),
                                    .order_ref = mbr_get_text(fcinfo, 1, "order_ref", MBR_MAX_REF),
                                    .refund_ref = mbr_get_text(fcinfo, 2, "refund_ref", MBR_MAX_REF)},
                            .amount = PG_ARGISNULL(3) ? NULL : PG_GETARG_NUMERIC(3),
                            .lines_json = mbr_get_json_array(fcinfo, 4, "lines"),
                            .member_id = PG_ARGISNULL(5) ? 0 : mbr_get_int8(fcinfo, 5, "member_id"),
                            .at = mbr_get_time(fcinfo, 6, "at")};
    parse_lines(args);
}

static void
refuse_nothing(void)
{
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the refund returns nothing"),
                    errdetail("Its amount is 0."), errhint("Pass what was returned.")));
}

static int64
hash_of(const MbrRefundArgs *args)
{
    MbrPayload payload;

    mbr_payload_init(&payload);
    mbr_payload_add_text(&payload, args->amount == NULL ? NULL : mbr_numeric_text(args->amount));
    mbr_payload_add_jsonb(&payload, args->lines_json);
    mbr_payload_add_time(&payload, args->at);
    return mbr_payload_hash(&payload);
}

/* What can be said before the sale is known: signs and decimals, and a sum of which all parts are given. */
static void
check_amounts(const MbrRefundArgs *args, int digits)
{
    int64 amount = args->amount == NULL ? 0 : mbr_purchase_amount(args->amount, digits, "amount");
    int64 sum = 0;
    int given = 0;

    if (args->amount != NULL && amount == 0)
        refuse_nothing();
    for (int i = 0; i < args->nlines; i++)
        if (args->lines[i].amount != NULL) {
            sum += mbr_purchase_amount(args->lines[i].amount, digits, "line amount");
            given++;
            if (sum > MBR_MAX_AMOUNT)
                ereport(ERROR,
                        (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("the lines add up to too much"),
                         errdetail("Their sum has at most 18 digits, decimals included."),
                         errhint("Check the amounts of the lines.")));
        }
    if (args->nlines > 0 && given == args->nlines)
        mbr_goods_check_sum(args, amount, sum, digits);
}

/* ------------------------------------------------------------------ posting */

void
mbr_refund_prepare(MbrSession *session, const MbrConfig *config, const MbrWork *work, MbrSale *sale,
                   MbrRefund *refund)
{
    MbrReturned *before = mbr_sale_returned(session, config, sale);
    Size size = sizeof(MbrReturned) * Max(sale->event.purchase.nlines, 1);

    *refund =
        (MbrRefund){.verb = MBR_VERB_REFUND,
                    .sale = &sale->event.purchase,
                    .sale_no = sale->event.journal_no,
                    .counterpart_id = sale->member_id == work->member.member_id ? 0 : sale->member_id,
                    .sale_day = sale->event.day,
                    .granted = sale->granted,
                    .before = before,
                    .after = memcpy(palloc(size), before, size),
                    .reinstated_until = MBR_NEVER,
                    .clawback = config->clawback,
                    .charged_price = config->charge_cash ? config->liability_price : 0,
                    .goods = {.merchant_id = sale->event.merchant_id, .order_ref = sale->event.order_ref}};
    if (config->reinstatement_days > 0)
        refund->reinstated_until =
            mbr_day_start(work->posted_day + config->reinstatement_days + 1, config->zone);
}

/* The splits of a sale, and of its approval behind them. */
static MbrSplit *
splits_of(MbrSession *session, const MbrConfig *config, const MbrSale *sale, int *n)
{
    int approved = 0;
    MbrSplit *splits = mbr_splits_of(session, config, sale->member_id, sale->event.journal_no, n);
    MbrSplit *more, *all;

    if (sale->approval_no == 0)
        return splits;
    more = mbr_splits_of(session, config, sale->member_id, sale->approval_no, &approved);
    all = palloc(sizeof(MbrSplit) * Max(*n + approved, 1));
    memcpy(all, splits, sizeof(MbrSplit) * *n);
    memcpy(all + *n, more, sizeof(MbrSplit) * approved);
    *n += approved;
    return all;
}

/* Points of the order's own lots that expired when the member was brought up to date: not stored yet. */
static int64
expired_now(const MbrWork *work, const MbrRefund *refund)
{
    int64 expired = 0;

    for (int i = 0; i < work->nentries; i++) {
        const MbrEntry *entry = &work->entries[i];
        const MbrJournal *journal = &work->journals[entry->journal_no - work->journals[0].journal_no];

        if (journal->verb != MBR_VERB_EXPIRY)
            continue;
        for (int k = 0; k < refund->nown_lots; k++)
            if (refund->own_lots[k] == entry->lot_no)
                expired -= entry->points;
    }
    return expired;
}

/* The award of an imported purchase opened no lots. */
static void
read_lots(MbrSession *session, const MbrLoad *load, const MbrWork *work, const MbrSale *sale,
          MbrRefund *refund)
{
    if (!sale->granted || sale->event.purchase.status == MBR_ACCRUAL_IMPORTED)
        return;
    refund->own_lots = mbr_own_lots(session, load->member_id, sale, &refund->nown_lots, &refund->expired);
    refund->expired +=
        expired_now(work, refund) - mbr_refunded_sum(session, load->config, sale).points_expired;
}

MbrJournal *
mbr_refund_decide(MbrSession *session, MbrLoad *load, MbrWork *work, MbrSale *sale, MbrRefund *refund)
{
    MbrScratch scratch = mbr_purchase_scratch(refund->sale);
    MbrJournal *journal;

    mbr_return_tenders(refund->sale, refund->after);
    refund->left = mbr_reevaluate(session, load, sale, refund->after, &scratch);
    if (!refund->keeps_spent && refund->sale->points_tendered > 0)
        refund->spent = mbr_spent_on(session, load->member_id, sale, &refund->nspent);
    read_lots(session, load, work, sale, refund);
    refund->splits = splits_of(session, load->config, sale, &refund->nsplits);
    load->new_lots = refund->nspent;
    load->new_days = refund->nspent;
    load->new_splits = refund->nsplits;
    mbr_load_room(load, work);
    journal = mbr_refund(work, refund, &scratch);
    mbr_raise_refusal(work);
    return journal;
}

static bool
is_unchanged(const MbrRefund *refund)
{
    for (int i = 0; i < refund->sale->nlines; i++)
        if (refund->after[i].amount != refund->before[i].amount ||
            refund->after[i].quantity != refund->before[i].quantity ||
            refund->after[i].closed != refund->before[i].closed)
            return false;
    return true;
}

/* The first result of a key that was posted before. */
static void
first_result(MbrSession *session, const MbrConfig *config, const MbrRefundClaim *claim,
             MbrRefundResult *result)
{
    *result = (MbrRefundResult){.journal_no = claim->journal_no, .duplicate = true};
    mbr_refund_read(session, config, claim->member_id, claim->journal_no, &result->refund, &result->balance);
}

/* Whether the member given, if any, is the receipt's: by whatever number. */
static bool
is_of_member(MbrSession *session, const MbrRefundArgs *args, int64 member_id)
{
    return args->member_id == 0 || args->member_id == member_id ||
           mbr_alias_survivor(session, args->member_id) == mbr_alias_survivor(session, member_id);
}

/* The receipt's member is known: another one's is refused. */
static void
check_member(MbrSession *session, const MbrRefundArgs *args, int64 member_id)
{
    if (!is_of_member(session, args, member_id))
        ereport(ERROR, (errcode(MBR_ERR_OTHER_MEMBER),
                        errmsg("receipt \"%s\" has been credited to another member", args->key.order_ref),
                        errdetail("member_id " INT64_FORMAT " is not the receipt's.", args->member_id),
                        errhint("Leave member_id out: the receipt knows it.")));
}

static void
raise_parked_for_other(const MbrRefundArgs *args)
{
    ereport(ERROR,
            (errcode(MBR_ERR_OTHER_MEMBER),
             errmsg("refund \"%s\" waits for a sale of another member", args->key.refund_ref),
             errdetail("The first call with it named another member than " INT64_FORMAT ".", args->member_id),
             errhint("If that was wrong, an operator can end it by close_refund_exception(); give the right "
                     "one another refund_ref.")));
}

static void
raise_not_applied(const MbrRefundArgs *args, bool closed)
{
    ereport(ERROR,
            (errcode(MBR_ERR_NOTHING_LEFT), errmsg("refund \"%s\" was not applied", args->key.refund_ref),
             errdetail("It came before its sale, %s",
                       closed ? "and an operator closed it."
                              : "which was another member's or had not what it asks for."),
             errhint("Refund what came back and was not paid for under another refund_ref.")));
}

/* Whether the key was used before; MB201 for other content. */
static bool
is_repeated(MbrSession *session, const MbrRefundArgs *args, int64 hash, const MbrConfig *config,
            MbrRefundResult *result)
{
    MbrRefundClaim claim;

    if (!mbr_refund_claim_find(session, &args->key, &claim))
        return false;
    if (claim.journal_no != 0)
        check_member(session, args, claim.member_id);
    else if (claim.parked && claim.member_id != 0 && !is_of_member(session, args, claim.member_id))
        raise_parked_for_other(args);
    if (claim.payload_hash != hash)
        mbr_raise_other_content("refund_ref", args->key.refund_ref);
    if (claim.journal_no != 0)
        first_result(session, config, &claim, result);
    else if (claim.parked)
        *result = (MbrRefundResult){.duplicate = true};
    else
        raise_not_applied(args, claim.closed);
    return true;
}

static void
raise_moved(const MbrRefundArgs *args)
{
    ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                    errmsg("the order was moved to another member meanwhile"),
                    errdetail("Merchant %d, order_ref \"%s\".", args->key.merchant_id, args->key.order_ref),
                    errhint("Retry the transaction.")));
}

/* Posts the refund of a sale; false = a clipped one left nothing to post. */
static bool
post(MbrSession *session, const MbrRefundArgs *args, const MbrReceipt *receipt, MbrLoad *load, MbrWork *work,
     MbrRefundResult *result)
{
    MbrRefund *refund = &result->refund;
    MbrSale *sale = palloc(sizeof(MbrSale)); /* the result refers to it */
    MbrJournal *journal;

    if (!mbr_sale_read(session, load->config, receipt->member_id, receipt->journal_no, sale))
        elog(ERROR, "a receipt has no journal row");
    mbr_refund_prepare(session, load->config, work, sale, refund);
    result->excess = mbr_goods_returned(args, load->config, refund->sale, refund->after, &result->clipped);
    if (is_unchanged(refund)) {
        if (args->clip)
            return false;
        refuse_nothing();
    }
    journal = mbr_refund_decide(session, load, work, sale, refund);
    mbr_apply(session, load, work);
    mbr_refund_store(session, load->config, receipt->member_id, load->member_id, journal->journal_no,
                     args->key.refund_ref, refund);
    result->journal_no = journal->journal_no;
    result->balance = journal->balance;
    result->duplicate = false;
    return true;
}

static void
refund_posted(MbrSession *session, const MbrRefundArgs *args, const MbrReceipt *receipt,
              MbrRefundResult *result, const MbrConfig **config)
{
    MbrLoad load = {
        .member_id = receipt->member_id, .at = args->at, .occurred_at = MBR_NEVER, .all_lots = true};
    MbrReceipt now;
    MbrWork work;

    check_member(session, args, receipt->member_id);
    mbr_load(session, &load, &work);
    *config = load.config;
    if (is_repeated(session, args, hash_of(args), load.config, result)) /* posted while this waited */
        return;
    if (!mbr_find_receipt(session, args->key.merchant_id, args->key.order_ref, &now) ||
        now.member_id != receipt->member_id)
        raise_moved(args);
    mbr_settle(&work);
    (void)post(session, args, &now, &load, &work, result);
    mbr_refund_claim_add(session, &args->key, hash_of(args), load.member_id, result->journal_no);
}

/* ------------------------------------------------------------------ before the sale */

static void
park(MbrSession *session, const MbrRefundArgs *args, MbrRefundResult *result, const MbrConfig **config)
{
    MbrParked parked = {.member_id = args->member_id,
                        .amount = args->amount == NULL ? 0 : NumericGetDatum(args->amount),
                        .lines = args->lines_json,
                        .at = args->at};
    MbrReceipt receipt;

    if (args->at != MBR_NEVER)
        (void)mbr_posting_time(session, *config, args->at);
    *result = (MbrRefundResult){0};
    switch (mbr_refund_park(session, &args->key, hash_of(args), &parked)) {
        case MBR_PARK_DONE:
            break;
        case MBR_PARK_KNOWN:
            (void)is_repeated(session, args, hash_of(args), *config, result);
            break;
        case MBR_PARK_SOLD:
            if (!mbr_find_receipt(session, args->key.merchant_id, args->key.order_ref, &receipt))
                raise_moved(args);
            refund_posted(session, args, &receipt, result, config);
            break;
    }
}

void
mbr_refund_one(MbrSession *session, const MbrRefundArgs *args, MbrRefundResult *result,
               const MbrConfig **config)
{
    MbrReceipt receipt;

    *config = mbr_config_current(session);
    (void)mbr_need_merchant(*config, args->key.merchant_id);
    check_amounts(args, (*config)->digits);
    if (is_repeated(session, args, hash_of(args), *config, result))
        return;
    if (mbr_find_receipt(session, args->key.merchant_id, args->key.order_ref, &receipt))
        refund_posted(session, args, &receipt, result, config);
    else
        park(session, args, result, config);
}

static MbrRefundArgs
args_of(const MbrPurchaseArgs *sale, const MbrParked *parked, int64 posted_at)
{
    MbrRefundArgs args = {.key = {sale->merchant_id, sale->order_ref, parked->refund_ref},
                          .amount = parked->amount == 0 ? NULL : DatumGetNumeric(parked->amount),
                          .lines_json = parked->lines,
                          .member_id = parked->member_id,
                          .at = MBR_NEVER,
                          .clip = true};

    if (sale->at != MBR_NEVER) /* a replay: not before the sale, nor before it was asked for */
        args.at = Max(parked->at == MBR_NEVER ? posted_at : parked->at, posted_at);
    parse_lines(&args);
    return args;
}

/* All of a refund that cannot be applied: the amounts it names; what is left, if it is of all. */
static int64
whole_of(MbrSession *session, const MbrConfig *config, const MbrRefundArgs *args, const MbrReceipt *receipt)
{
    int64 named = mbr_goods_named(args, config->digits);
    MbrSale sale;

    if (named > 0 || args->nlines > 0 ||
        !mbr_sale_read(session, config, receipt->member_id, receipt->journal_no, &sale))
        return named;
    return mbr_return_left(&sale.event.purchase, mbr_sale_returned(session, config, &sale));
}

typedef struct Unparking {
    MbrSession *session;
    MbrRefundArgs args;
    const MbrReceipt *receipt;
    MbrRefundResult result;
} Unparking;

static void
apply_parked(void *argument)
{
    Unparking *unparking = argument;
    const MbrReceipt *receipt = unparking->receipt;
    MbrLoad load = {.member_id = receipt->member_id,
                    .at = unparking->args.at,
                    .occurred_at = MBR_NEVER,
                    .all_lots = true};
    MbrWork work;

    mbr_load(unparking->session, &load, &work);
    mbr_settle(&work);
    (void)post(unparking->session, &unparking->args, receipt, &load, &work, &unparking->result);
}

/* One that cannot be applied, for whatever reason of its own, does not keep the sale from being posted. */
static void
unpark(Unparking *unparking, const MbrConfig *config)
{
    const MbrRefundArgs *args = &unparking->args;
    MbrRefundResult *result = &unparking->result;
    bool other = !is_of_member(unparking->session, args, unparking->receipt->member_id);
    int64 member_id = mbr_alias_survivor(unparking->session, unparking->receipt->member_id);

    mbr_tables_close(unparking->session); /* each reads what the one before wrote */
    if (other || mbr_contain(unparking->session, MBR_CONTAIN_WRITE, apply_parked, unparking) != NULL)
        *result = (MbrRefundResult){.clipped = true,
                                    .excess = whole_of(unparking->session, config, args, unparking->receipt)};
    mbr_refund_unpark(unparking->session, config, &args->key, member_id, result->journal_no, result->excess,
                      result->clipped || result->journal_no == 0);
}

void
mbr_refund_parked(MbrSession *session, const MbrPurchaseArgs *sale, int64 posted_at)
{
    MbrReceipt receipt;
    MbrParked *parked;
    int n;

    if (MBR_CANARY(PARKED_FORGOTTEN))
        return;
    parked = mbr_refunds_parked(session, sale->merchant_id, sale->order_ref, &n);
    if (!mbr_find_receipt(session, sale->merchant_id, sale->order_ref, &receipt))
        elog(ERROR, "a sale has no receipt");
    for (int i = 0; i < n; i++) {
        Unparking unparking = {
            .session = session, .args = args_of(sale, &parked[i], posted_at), .receipt = &receipt};

        unpark(&unparking, mbr_config_get(session));
    }
}

/* ------------------------------------------------------------------ result */

static Datum
tenders_of(const MbrRefund *refund, int digits)
{
    int64 value = refund->goods.amount - refund->cash_amount;
    int64 points = refund->points_restored + refund->points_forfeited;
    StringInfoData json;

    initStringInfo(&json);
    appendStringInfoChar(&json, '[');
    if (refund->cash_amount > 0)
        appendStringInfo(&json, "{\"kind\":\"cash\",\"amount\":%s}",
                         mbr_money_text(refund->cash_amount, digits));
    if (value > 0 || points > 0)
        appendStringInfo(&json, "%s{\"kind\":\"points\",\"points\":" INT64_FORMAT ",\"amount\":%s}",
                         refund->cash_amount > 0 ? "," : "", points, mbr_money_text(value, digits));
    appendStringInfoChar(&json, ']');
    return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}

void
mbr_refund_columns(const MbrConfig *config, const MbrRefundResult *result, Datum *values, bool *nulls)
{
    const MbrRefund *refund = &result->refund;
    bool parked = result->journal_no == 0;
    int n = 0;

    memset(nulls, false, sizeof(bool) * MBR_REFUND_COLUMNS);
    nulls[0] = nulls[11] = parked;
    values[n++] = Int64GetDatum(result->journal_no);
    values[n++] = CStringGetTextDatum(parked ? "parked" : "posted");
    values[n++] = NumericGetDatum(mbr_money_numeric(refund->goods.amount, config->digits));
    values[n++] = NumericGetDatum(mbr_money_numeric(refund->cash_amount, config->digits));
    values[n++] = tenders_of(refund, config->digits);
    values[n++] = Int64GetDatum(refund->points_clawed);
    values[n++] = Int64GetDatum(refund->points_restored);
    values[n++] = Int64GetDatum(refund->points_forfeited);
    values[n++] = Int64GetDatum(refund->loss);
    values[n++] = Int64GetDatum(refund->debt);
    values[n++] = NumericGetDatum(mbr_money_numeric(refund->cash_shortfall, config->digits));
    values[n++] = Int64GetDatum(result->balance);
    values[n++] = BoolGetDatum(result->duplicate);
    values[n++] = Int64GetDatum(refund->points_expired);
}

Datum
membership_refund_order(PG_FUNCTION_ARGS)
{
    Datum values[MBR_REFUND_COLUMNS];
    bool nulls[MBR_REFUND_COLUMNS];
    const MbrConfig *config;
    MbrRefundResult result;
    MbrRefundArgs args;
    MbrSession session;
    Datum row;

    mbr_refund_args(fcinfo, &args);
    mbr_enter(&session, false);
    mbr_refund_one(&session, &args, &result, &config);
    mbr_refund_columns(config, &result, values, nulls);
    row = mbr_result_row(fcinfo, values, nulls);
    mbr_leave(&session);
    PG_RETURN_DATUM(row);
}
