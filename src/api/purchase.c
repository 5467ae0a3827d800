/* purchase.c - from the arguments of a purchase to the engine's MbrPurchase. */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/datum.h"

#include "api/args.h"
#include "api/json.h"
#include "api/purchase.h"
#include "engine/canary.h"
#include "util/calendar.h"
#include "util/clip.h"
#include "util/error.h"
#include "util/money.h"
#include "util/payload.h"

#define MAX_LINES 1000

const MbrMerchant *
mbr_need_merchant(const MbrConfig *config, int merchant_id)
{
    const MbrMerchant *merchant = mbr_config_merchant(config, merchant_id);

    if (merchant == NULL)
        ereport(ERROR, (errcode(MBR_ERR_NO_MERCHANT), errmsg("merchant %d does not exist", merchant_id),
                        errdetail("Table membership.merchant has no such row."),
                        errhint("Insert the merchant first, or check merchant_id.")));
    return merchant;
}

static const MbrMerchant *
need_open_merchant(const MbrConfig *config, int merchant_id, DateADT day)
{
    const MbrMerchant *merchant = mbr_need_merchant(config, merchant_id);

    if (day < merchant->opened_on || day >= merchant->ended_on)
        ereport(ERROR, (errcode(MBR_ERR_NO_MERCHANT),
                        errmsg("merchant %d is not open on the day of the purchase", merchant->merchant_id),
                        errdetail("Its opened_on or ended_on excludes that programme day."),
                        errhint("Check occurred_at and the merchant's row.")));
    return merchant;
}

int64
mbr_points_expire_at(const MbrConfig *config, const MbrExpiry *override, DateADT day, int64 active_at)
{
    return mbr_expiry_end(override != NULL ? override : &config->expiry, day, active_at,
                          config->min_life_days, config->zone);
}

/* Active at once, or from the start of a later day; not dead before a purchase dated ahead happens. */
MbrLife
mbr_points_life(const MbrLoad *load, const MbrWork *work, const MbrMerchant *merchant, int pending_days,
                const MbrExpiry *expiry)
{
    const MbrConfig *config = load->config;
    MbrLife life = {.active_at = work->posted_at};
    int days = pending_days;

    if (days < 0)
        days = merchant->pending_days >= 0 ? merchant->pending_days : config->pending_days;
    if (days > 0)
        life.active_at = mbr_day_start(work->day + days + MBR_CANARY(PENDING_A_DAY_LATE), config->zone);
    life.expires_at = mbr_points_expire_at(config, expiry, work->day, Max(life.active_at, work->occurred_at));
    return life;
}

void
mbr_line_prepare(const MbrLoad *load, const MbrWork *work, const MbrMerchant *merchant, MbrLine *line)
{
    MbrLife life = mbr_points_life(load, work, merchant, -1, NULL);
    MbrTerms *terms = palloc(sizeof(MbrTerms));

    *terms = mbr_merchant_terms(merchant, work->day);
    line->terms = terms;
    line->active_at = life.active_at;
    line->expires_at = life.expires_at;
}

MbrScratch
mbr_purchase_scratch(const MbrPurchase *purchase)
{
    int n = purchase->nlines + purchase->nuses + 1;

    return (MbrScratch){palloc(sizeof(MbrWide) * n), palloc(sizeof(MbrWide) * n), palloc(sizeof(int64) * n)};
}

int64
mbr_line_quantity(const MbrLine *line)
{
    Datum quantity;

    if (line->quantity == NULL)
        return 0;
    quantity = DirectFunctionCall3(numeric_in, CStringGetDatum(line->quantity), ObjectIdGetDatum(InvalidOid),
                                   Int32GetDatum(-1));
    return mbr_money_parse(DatumGetNumeric(quantity), MBR_RATE_DIGITS, "quantity");
}

int64
mbr_purchase_hash(const MbrPurchaseArgs *args)
{
    MbrPayload payload;

    mbr_payload_init(&payload);
    mbr_payload_add_text(&payload, mbr_numeric_text(args->amount));
    mbr_payload_add_text(&payload, args->channel);
    mbr_payload_add_jsonb(&payload, args->lines_json);
    mbr_payload_add_jsonb(&payload, args->tenders_json);
    mbr_payload_add_jsonb(&payload, args->attributes);
    mbr_payload_add_jsonb(&payload, args->refs_json);
    mbr_payload_add_text(&payload, args->exchange_of);
    mbr_payload_add_time(&payload, args->occurred_at);
    mbr_payload_add_time(&payload, args->at);
    return mbr_payload_hash(&payload);
}

static int
compare_lines(const void *a, const void *b)
{
    return ((const MbrLine *)a)->line_no - ((const MbrLine *)b)->line_no;
}

static void
refuse_amount(const char *message, const char *detail)
{
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", message), errdetail("%s", detail),
                    errhint("Line amounts are net, and add up to amount.")));
}

int64
mbr_purchase_amount(Numeric value, int digits, const char *what)
{
    int64 amount = mbr_money_parse(value, digits, what);

    if (amount < 0)
        ereport(
            ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must not be negative", what),
             errdetail("It is %s.", mbr_money_text(amount, digits)),
             errhint(
                 "What comes back is refunded by refund_order(), with the positive amount of the goods.")));
    return amount;
}

static void
prepare_given_lines(const MbrPurchaseArgs *args, const MbrLoad *load, const MbrWork *work,
                    MbrPurchase *purchase)
{
    int64 sum = 0;

    for (int i = 0; i < args->nlines; i++) {
        const MbrLineArg *arg = &args->lines[i];
        MbrLine *line = &purchase->lines[i];
        int merchant_id;

        *line = (MbrLine){.line_no = arg->line_no > 0 ? arg->line_no : i + 1,
                          .amount = mbr_purchase_amount(arg->amount, load->config->digits, "line amount"),
                          .eligible = arg->eligible,
                          .category = arg->category,
                          .brand = arg->brand,
                          .sku = arg->sku,
                          .quantity = arg->quantity};
        merchant_id = arg->merchant_id != 0 ? arg->merchant_id : args->merchant_id;
        mbr_line_prepare(load, work, need_open_merchant(load->config, merchant_id, work->day), line);
        sum = Min(sum + line->amount, MBR_MAX_AMOUNT); /* 1000 lines could pass 64 bits */
    }
    qsort(purchase->lines, args->nlines, sizeof(MbrLine), compare_lines);
    for (int i = 1; i < args->nlines; i++)
        if (purchase->lines[i].line_no == purchase->lines[i - 1].line_no)
            refuse_amount(
                psprintf("line_no %d comes twice", purchase->lines[i].line_no),
                "Lines of an order have numbers of their own; without line_no a line has its position.");
    if (sum != purchase->amount)
        refuse_amount(psprintf("amount %s is not the sum of its lines",
                               mbr_money_text(purchase->amount, load->config->digits)),
                      sum == MBR_MAX_AMOUNT
                          ? "The lines add up to more than any amount."
                          : psprintf("The lines add up to %s.", mbr_money_text(sum, load->config->digits)));
}

/* Cash and points together; what is left out is cash too, so it need not be given. */
void
mbr_purchase_check_tenders(const MbrPurchaseArgs *args, const MbrConfig *config, const MbrPurchase *purchase)
{
    int64 tendered;

    if (args->tenders_json == NULL)
        return;
    tendered = mbr_purchase_amount(args->tendered, config->digits, "tender amount") + purchase->tendered;
    if (tendered > purchase->amount)
        refuse_amount(
            psprintf("tenders add up to %s, more than the amount", mbr_money_text(tendered, config->digits)),
            psprintf("The amount is %s.", mbr_money_text(purchase->amount, config->digits)));
}

void
mbr_purchase_prepare(const MbrPurchaseArgs *args, const MbrLoad *load, const MbrWork *work,
                     MbrPurchase *purchase)
{
    const MbrConfig *config = load->config;
    int nlines = Max(args->nlines, 1);
    const MbrMerchant *merchant;

    *purchase = (MbrPurchase){.merchant_id = args->merchant_id,
                              .order_ref = args->order_ref,
                              .channel = args->channel,
                              .amount = mbr_purchase_amount(args->amount, config->digits, "amount"),
                              .currency_scale = config->currency_scale,
                              .base_rate = config->base_rate,
                              .rounding = config->rounding,
                              .tier = mbr_tier_find(config->tiers, config->ntiers, load->tier_then),
                              .lines = palloc0(sizeof(MbrLine) * nlines),
                              .nlines = nlines,
                              .explicit_lines = args->nlines > 0,
                              .window_basis = load->window_basis,
                              .in_window = load->in_window,
                              .extend_to = load->extend_to,
                              .stacking = config->stacking};
    if (purchase->tier == NULL)
        elog(ERROR, "tier %d of member " INT64_FORMAT " does not exist", load->tier_then, args->member_id);
    purchase->late = mbr_day_of(work->posted_at, config->zone) - work->day >
                     config->claim_days - MBR_CANARY(CLAIM_A_DAY_SHORT);
    merchant = need_open_merchant(config, args->merchant_id, work->day);
    if (args->nlines > 0) {
        prepare_given_lines(args, load, work, purchase);
    } else {
        purchase->lines[0] = (MbrLine){.line_no = 1, .amount = purchase->amount, .eligible = true};
        mbr_line_prepare(load, work, merchant, &purchase->lines[0]);
    }
}

/* ------------------------------------------------------------------ JSON */

static bool
numeric_is_negative(Numeric value)
{
    Datum zero = NumericGetDatum(int64_to_numeric(0));

    return DatumGetBool(DirectFunctionCall2(numeric_lt, NumericGetDatum(value), zero));
}

static void
set_line_key(MbrLineArg *line, const char *key, const JsonbValue *value)
{
    const char *what = "a line";

    if (strcmp(key, "line_no") == 0)
        line->line_no = mbr_json_id(value, what, key);
    else if (strcmp(key, "merchant_id") == 0)
        line->merchant_id = mbr_json_id(value, what, key);
    else if (strcmp(key, "category") == 0)
        line->category = mbr_json_text(value, what, key);
    else if (strcmp(key, "brand") == 0)
        line->brand = mbr_json_text(value, what, key);
    else if (strcmp(key, "sku") == 0)
        line->sku = mbr_json_text(value, what, key);
    else if (strcmp(key, "amount") == 0)
        line->amount = mbr_json_number(value, what, key);
    else if (strcmp(key, "quantity") == 0) {
        int64 quantity = mbr_money_parse(mbr_json_number(value, what, key), MBR_RATE_DIGITS, key);

        if (quantity <= 0)
            mbr_json_refuse_value(what, key, "a number above 0");
        line->quantity = mbr_rate_text(quantity, MBR_RATE_DIGITS);
    } else if (strcmp(key, "eligible") == 0) {
        if (value->type != jbvBool)
            mbr_json_refuse_value(what, key, "true or false");
        line->eligible = value->val.boolean;
    } else
        mbr_json_refuse_key(what, key);
}

static void
set_line(void *object, const char *key, const JsonbValue *value)
{
    set_line_key(object, key, value);
}

void
mbr_purchase_parse_lines(MbrPurchaseArgs *args)
{
    if (args->lines_json == NULL)
        return;
    args->nlines = JB_ROOT_COUNT(args->lines_json);
    if (args->nlines < 1 || args->nlines > MAX_LINES)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("an order cannot have %d lines", args->nlines),
                        errdetail("It has 1 to %d lines.", MAX_LINES),
                        errhint("Leave lines out for an order that is one line.")));
    args->lines = palloc0(sizeof(MbrLineArg) * args->nlines);
    for (int i = 0; i < args->nlines; i++)
        args->lines[i].eligible = true;
    mbr_json_walk(args->lines_json, "lines", args->lines, sizeof(MbrLineArg), set_line);
    for (int i = 0; i < args->nlines; i++)
        if (args->lines[i].amount == NULL)
            mbr_json_refuse_value("a line", "amount", "a number");
}

static void
set_tender(void *object, const char *key, const JsonbValue *value)
{
    MbrTenderArg *tender = object;
    const char *what = "a tender";

    if (strcmp(key, "kind") == 0)
        tender->kind = mbr_json_text(value, what, key);
    else if (strcmp(key, "amount") == 0)
        tender->amount = mbr_json_number(value, what, key);
    else if (strcmp(key, "points") == 0)
        tender->points = mbr_money_parse(mbr_json_number(value, what, key), 0, key);
    else if (strcmp(key, "ref") == 0)
        tender->ref = mbr_json_text(value, what, key);
    else if (strcmp(key, "hold_ref") == 0)
        tender->hold_ref = mbr_json_text(value, what, key);
    else if (strcmp(key, "merchant_id") == 0)
        tender->merchant_id = mbr_json_id(value, what, key);
    else
        mbr_json_refuse_key(what, key);
}

static void
check_tender(const MbrTenderArg *tender)
{
    bool is_points = tender->kind != NULL && strcmp(tender->kind, "points") == 0;

    if (tender->kind == NULL || (!is_points && strcmp(tender->kind, "cash") != 0))
        mbr_json_refuse_value("a tender", "kind", "cash or points");
    if (tender->amount == NULL && !is_points)
        mbr_json_refuse_value("a tender", "amount", "given");
    if (tender->amount != NULL && numeric_is_negative(tender->amount))
        mbr_json_refuse_value("a tender", "amount", "0 or more");
    if (is_points ? (tender->points < 0 || tender->points > MBR_MAX_POINTS ||
                     (tender->points == 0 && tender->hold_ref == NULL))
                  : tender->points != 0)
        mbr_json_refuse_value("a tender", "points", "1 to 10^15, of kind points only");
    if (!is_points && tender->hold_ref != NULL)
        mbr_json_refuse_value("a tender", "hold_ref", "of kind points");
}

/* Cash is added up; tenders of points are kept, for they do something. */
static void
parse_tenders(MbrPurchaseArgs *args)
{
    MbrTenderArg *tenders;
    Datum sum = DirectFunctionCall1(int8_numeric, Int64GetDatum(0));
    int n;

    if (args->tenders_json == NULL)
        return;
    n = JB_ROOT_COUNT(args->tenders_json);
    tenders = palloc0(sizeof(MbrTenderArg) * Max(n, 1));
    mbr_json_walk(args->tenders_json, "tenders", tenders, sizeof(MbrTenderArg), set_tender);
    for (int i = 0; i < n; i++) {
        check_tender(&tenders[i]);
        if (strcmp(tenders[i].kind, "points") == 0)
            tenders[args->ntenders++] = tenders[i];
        else
            sum = DirectFunctionCall2(numeric_add, sum, NumericGetDatum(tenders[i].amount));
    }
    args->tenders = tenders;
    args->tendered = DatumGetNumeric(sum);
}

/* Keys of jsonb come in a fixed order, so two calls claim the same refs in the same order. */
static void
parse_external_refs(MbrPurchaseArgs *args)
{
    JsonbIterator *iterator;
    JsonbIteratorToken token;
    JsonbValue value;
    char *key = NULL;

    if (args->refs_json == NULL)
        return;
    args->refs = palloc0(sizeof(MbrExternalRef) * Max(JB_ROOT_COUNT(args->refs_json), 1));
    iterator = JsonbIteratorInit(&args->refs_json->root);
    (void)JsonbIteratorNext(&iterator, &value, false);
    while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE) {
        if (token == WJB_KEY) {
            key = pnstrdup(value.val.string.val, value.val.string.len);
            mbr_check_text(key, "kind of external_refs", MBR_MAX_WORD);
        } else if (token == WJB_VALUE) {
            args->refs[args->nrefs++] = (MbrExternalRef){key, mbr_json_text(&value, "external_refs", key)};
        }
    }
}

void
mbr_purchase_read_common(FunctionCallInfo fcinfo, MbrPurchaseArgs *args)
{
    *args = (MbrPurchaseArgs){.member_id = mbr_get_int8(fcinfo, 0, "member_id"),
                              .merchant_id = mbr_get_int4(fcinfo, 1, "merchant_id"),
                              .at = MBR_NEVER};
    mbr_require(fcinfo, 2, "amount");
    args->amount = PG_GETARG_NUMERIC(2);
    args->order_ref = mbr_get_optional_text(fcinfo, 3, "order_ref", MBR_MAX_REF);
    args->occurred_at = mbr_get_time(fcinfo, 4, "occurred_at");
    args->channel = mbr_get_text(fcinfo, 5, "channel", MBR_MAX_WORD);
    args->lines_json = mbr_get_json_array(fcinfo, 6, "lines");
    args->tenders_json = mbr_get_json_array(fcinfo, 7, "tenders");
    args->attributes = mbr_get_json_object(fcinfo, 8, "attributes");
    if (args->attributes != NULL && JB_ROOT_COUNT(args->attributes) == 0)
        args->attributes = NULL;
    mbr_purchase_parse_lines(args);
    parse_tenders(args);
}

void
mbr_purchase_read(FunctionCallInfo fcinfo, MbrPurchaseArgs *args)
{
    mbr_purchase_read_common(fcinfo, args);
    mbr_require(fcinfo, 3, "order_ref");
    args->refs_json = mbr_get_json_object(fcinfo, 9, "external_refs");
    args->exchange_of = mbr_get_optional_text(fcinfo, 10, "exchange_of", MBR_MAX_REF);
    args->at = mbr_get_time(fcinfo, 11, "at");
    parse_external_refs(args);
}
