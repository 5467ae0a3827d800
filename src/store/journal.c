/* journal.c - freezing and reading back what a purchase was judged by. */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "engine/accrue.h"
#include "store/journal.h"
#include "store/plan.h"
#include "store/verb.h"
#include "util/money.h"

static void
add_json_text(StringInfo json, const char *key, const char *value)
{
    if (value == NULL)
        return;
    appendStringInfo(json, ",\"%s\":", key);
    escape_json(json, value);
}

static char *
lines_json(const MbrPurchase *purchase, int digits)
{
    StringInfoData json;

    initStringInfo(&json);
    for (int i = 0; i < purchase->nlines; i++) {
        const MbrLine *line = &purchase->lines[i];

        appendStringInfo(
            &json, "%c{\"line_no\":%d,\"merchant_id\":%d,\"amount\":%s,\"basis\":%s,\"points\":" INT64_FORMAT,
            i == 0 ? '[' : ',', line->line_no, line->terms->merchant_id, mbr_money_text(line->amount, digits),
            mbr_money_text(line->basis, digits), line->points);
        add_json_text(&json, "category", line->category);
        add_json_text(&json, "brand", line->brand);
        add_json_text(&json, "sku", line->sku);
        if (line->points_tendered > 0 || line->tendered > 0)
            appendStringInfo(&json, ",\"tendered\":%s,\"points_tendered\":" INT64_FORMAT,
                             mbr_money_text(line->tendered, digits), line->points_tendered);
        if (!line->eligible)
            appendStringInfoString(&json, ",\"eligible\":false");
        if (line->quantity != NULL)
            appendStringInfo(&json, ",\"quantity\":%s", line->quantity);
        appendStringInfoChar(&json, '}');
    }
    appendStringInfoChar(&json, ']');
    return json.data;
}

static void
add_gain(StringInfo json, const MbrRule *rule, int64 gain)
{
    appendStringInfo(json, ",\"%s\":" INT64_FORMAT, rule->effect == MBR_EFFECT_GROWTH ? "growth" : "points",
                     gain);
}

/* What a rule gave to each line it matched, or which rule beat it there. */
static void
add_cells(StringInfo json, const MbrPurchase *purchase, const MbrUse *use)
{
    char open = '[';

    appendStringInfoString(json, ",\"lines\":");
    for (int i = 0; i < purchase->nlines; i++) {
        const MbrCell *cell = &use->cells[i];

        if (!cell->matched)
            continue;
        appendStringInfo(json, "%c{\"line_no\":%d", open, purchase->lines[i].line_no);
        if (cell->beaten_by != NULL || use->outcome == MBR_OUTCOME_BEATEN)
            add_json_text(json, "beaten_by",
                          (cell->beaten_by != NULL ? cell->beaten_by : use->beaten_by)->code);
        else
            add_gain(json, use->rule, cell->points);
        appendStringInfoChar(json, '}');
        open = ',';
    }
    appendStringInfoChar(json, ']');
}

static int
decimals_of(MbrEffect effect)
{
    if (effect == MBR_EFFECT_BONUS)
        return 0;
    return effect == MBR_EFFECT_MULTIPLIER ? MBR_MULTIPLIER_DIGITS : MBR_RATE_DIGITS;
}

/* A failure's message may quote the order's data, which must not stay for ever: only a preview tells it. */
static void
add_outcome(StringInfo json, const MbrPurchase *purchase, const MbrUse *use, bool preview)
{
    const MbrRule *rule = use->rule;

    appendStringInfo(json, "{\"rule_id\":%d,\"version\":%d,\"code\":\"%s\",\"outcome\":\"%s\"", rule->rule_id,
                     rule->version, rule->code, mbr_outcome_name(use->outcome));
    appendStringInfo(json, ",\"effect\":\"%s\",\"value\":%s", mbr_effect_name(rule->effect),
                     mbr_rate_text(rule->value, decimals_of(rule->effect)));
    if (use->outcome == MBR_OUTCOME_APPLIED || use->outcome == MBR_OUTCOME_SHADOW)
        add_gain(json, rule, use->points);
    if (use->outcome == MBR_OUTCOME_BEATEN)
        add_json_text(json, "by", use->beaten_by->code);
    add_json_text(json, "sqlstate", use->sqlstate);
    if (use->outcome != MBR_OUTCOME_FAILED)
        add_json_text(json, "reason", use->message);
    else if (preview)
        add_json_text(json, "message", use->message);
    if ((use->outcome == MBR_OUTCOME_APPLIED || use->outcome == MBR_OUTCOME_BEATEN) &&
        purchase->explicit_lines)
        add_cells(json, purchase, use);
    appendStringInfoChar(json, '}');
}

/* Parsed once, for the journal and for the result. */
static Jsonb *
rules_jsonb(const MbrPurchase *purchase, bool preview)
{
    StringInfoData json;

    initStringInfo(&json);
    appendStringInfo(&json, "{\"stacking\":\"%s\",\"rules\":[", mbr_stacking_name(purchase->stacking));
    for (int i = 0; i < purchase->nuses; i++) {
        if (i > 0)
            appendStringInfoChar(&json, ',');
        add_outcome(&json, purchase, &purchase->uses[i], preview);
    }
    appendStringInfoString(&json, "]}");
    return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
}

static char *
tenders_json(const MbrPurchase *purchase, int digits)
{
    StringInfoData json;

    initStringInfo(&json);
    appendStringInfo(&json, "{\"points\":" INT64_FORMAT ",\"value\":%s,\"value_at_merchants\":%s,\"spent\":[",
                     purchase->points_tendered, mbr_money_text(purchase->tendered, digits),
                     mbr_money_text(purchase->tendered_at_merchants, digits));
    for (int i = 0; i < purchase->nspent; i++)
        appendStringInfo(&json, "%s" INT64_FORMAT, i == 0 ? "" : ",", purchase->spent[i]);
    appendStringInfoString(&json, "]}");
    return json.data;
}

void
mbr_freeze(MbrPurchase *purchase, int digits, bool preview)
{
    purchase->frozen_lines = purchase->explicit_lines ? lines_json(purchase, digits) : NULL;
    purchase->frozen_rules = NULL;
    if (purchase->nuses > 0 || purchase->stacking != MBR_STACK_ADDITIVE)
        purchase->frozen_rules = rules_jsonb(purchase, preview);
    purchase->frozen_tenders = purchase->nspent > 0 ? tenders_json(purchase, digits) : NULL;
}

/* The tier as it was for that purchase: its multiplier may have changed since. */
static const MbrTier *
frozen_tier(const MbrConfig *config, int tier_id, int64 multiplier)
{
    const MbrTier *present = mbr_tier_find(config->tiers, config->ntiers, tier_id);
    MbrTier *tier = palloc(sizeof(MbrTier));

    if (present == NULL)
        elog(ERROR, "tier %d of a posted purchase does not exist", tier_id);
    *tier = *present;
    tier->multiplier = multiplier;
    return tier;
}

static void
read_purchase(MbrPurchase *purchase, const MbrConfig *config)
{
    Jsonb *lines = mbr_col_jsonb(0, 18);
    Jsonb *tenders = mbr_col_jsonb(0, 25);

    *purchase = (MbrPurchase){
        .status = mbr_accrual_status_of(mbr_col_text(0, 4)),
        .reason_code = mbr_reason_of(mbr_col_text(0, 5)),
        .points = mbr_col_int8(0, 2, 0),
        .points_wanted = mbr_col_int8(0, 6, 0),
        .base_points = mbr_col_int8(0, 7, 0),
        .available_at = mbr_col_int8(0, 8, MBR_NEVER),
        .expires_at = mbr_col_int8(0, 9, MBR_NEVER),
        .amount = mbr_col_money(0, 10, config->digits),
        .basis = mbr_col_money(0, 11, config->digits),
        .base_rate = mbr_col_money(0, 12, MBR_RATE_DIGITS),
        .rounding = mbr_rounding_of(mbr_col_text(0, 13)),
        .tier = frozen_tier(config, mbr_col_int4(0, 14, 0), mbr_col_money(0, 15, MBR_MULTIPLIER_DIGITS)),
        .tier_after = frozen_tier(config, mbr_col_int4(0, 16, 0), MBR_MULTIPLIER_SCALE),
        .tier_changed = mbr_col_bool(0, 17),
        .frozen_lines = lines == NULL ? NULL : JsonbToCString(NULL, &lines->root, VARSIZE(lines)),
        .merchant_id = mbr_col_int4(0, 19, 0),
        .order_ref = mbr_col_text(0, 21),
        .channel = mbr_col_text(0, 22),
        .frozen_rules = mbr_col_jsonb(0, 23),
        .growth = mbr_col_int8(0, 24, 0),
        .stacking = mbr_col_null(0, 29) ? MBR_STACK_ADDITIVE : mbr_stacking_of(mbr_col_text(0, 29)),
        .refers_to = mbr_col_int8(0, 27, 0),
        .counterpart_id = mbr_col_int8(0, 30, 0),
        .frozen_tenders = tenders == NULL ? NULL : JsonbToCString(NULL, &tenders->root, VARSIZE(tenders)),
        .currency_scale = config->currency_scale,
    };
}

bool
mbr_event_read(MbrSession *session, const MbrConfig *config, int64 member_id, int64 journal_no,
               MbrEvent *event)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, member_id);
    mbr_arg_int8(&args, journal_no);
    if (mbr_plan_run(session, MBR_PLAN_LOAD_JOURNAL, &args) == 0)
        return false;
    *event = (MbrEvent){.member_id = member_id,
                        .journal_no = journal_no,
                        .verb = mbr_verb_of(mbr_col_text(0, 1)),
                        .points = mbr_col_int8(0, 2, 0),
                        .balance = mbr_col_int8(0, 3, 0),
                        .occurred_at = mbr_col_int8(0, 20, 0),
                        .day = mbr_col_int4(0, 28, 0),
                        .amount = mbr_col_money(0, 10, config->digits),
                        .refers_to = mbr_col_int8(0, 27, 0),
                        .counterpart_id = mbr_col_int8(0, 30, 0),
                        .merchant_id = mbr_col_int4(0, 19, 0),
                        .order_ref = mbr_col_text(0, 21)};
    if (event->verb == MBR_VERB_ACCRUAL)
        read_purchase(&event->purchase, config);
    return true;
}
