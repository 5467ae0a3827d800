/*
 * spend.c - judging a request to spend points: the rule, the order, the day.
 *
 * quote_redemption, redeem_points, authorize_points and the tenders of a purchase all come through here, so
 * that what a quote says is what the others do.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/json.h"

#include "api/args.h"
#include "api/describe.h"
#include "api/match.h"
#include "api/result.h"
#include "api/spend.h"
#include "rule/evaluate.h"
#include "store/claim.h"
#include "util/error.h"
#include "util/calendar.h"
#include "util/money.h"
#include "util/payload.h"

/* ------------------------------------------------------------------ arguments */

void
mbr_spend_read(FunctionCallInfo fcinfo, MbrSpendArgs *args, MbrSpendLayout layout)
{
    int next = layout.merchant_id + (layout.order_amount > layout.merchant_id ? 3 : 2);

    *args = (MbrSpendArgs){.member_id = mbr_get_int8(fcinfo, 0, "member_id")};
    if (layout.points > 0)
        args->points = mbr_get_points(fcinfo, layout.points, false);
    if (layout.ref > 0)
        args->ref = mbr_get_text(fcinfo, layout.ref, "ref", MBR_MAX_REF);
    if (!PG_ARGISNULL(layout.merchant_id))
        args->merchant_id = mbr_get_int4(fcinfo, layout.merchant_id, "merchant_id");
    args->order_ref = mbr_get_optional_text(fcinfo, layout.merchant_id + 1, "order_ref", MBR_MAX_REF);
    if (!PG_ARGISNULL(layout.order_amount))
        args->order_amount = PG_GETARG_NUMERIC(layout.order_amount);
    args->order.lines_json = mbr_get_json_array(fcinfo, next, "lines");
    mbr_purchase_parse_lines(&args->order);
    args->channel = mbr_get_text(fcinfo, next + 1, "channel", MBR_MAX_WORD);
    args->purpose = mbr_get_text(fcinfo, next + 2, "purpose", MBR_MAX_WORD);
    args->at = mbr_get_time(fcinfo, next + 3, "at");
    if (args->order_ref != NULL && args->merchant_id == 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("order_ref needs merchant_id"),
                        errdetail("An order is known by both."), errhint("Pass the order's merchant_id.")));
}

/* more: what else the call was given. */
int64
mbr_spend_hash(const MbrSpendArgs *args, int64 more)
{
    MbrPayload payload;

    mbr_payload_init(&payload);
    mbr_payload_add_int(&payload, args->points);
    mbr_payload_add_int(&payload, args->merchant_id);
    mbr_payload_add_text(&payload, args->order_ref);
    mbr_payload_add_text(&payload, args->order_amount == NULL ? NULL : mbr_numeric_text(args->order_amount));
    mbr_payload_add_jsonb(&payload, args->order.lines_json);
    mbr_payload_add_text(&payload, args->channel);
    mbr_payload_add_text(&payload, args->purpose);
    mbr_payload_add_time(&payload, args->at);
    mbr_payload_add_int(&payload, more);
    return mbr_payload_hash(&payload);
}

MbrLoad
mbr_spend_load(const MbrSpendArgs *args)
{
    return (MbrLoad){.member_id = args->member_id,
                     .at = args->at,
                     .occurred_at = MBR_NEVER,
                     .all_lots = true,
                     .new_splits = 2};
}

bool
mbr_spend_is_posted(MbrSession *session, const MbrSpendArgs *args)
{
    MbrReceipt receipt;

    return args->order_ref != NULL && mbr_find_receipt(session, args->merchant_id, args->order_ref, &receipt);
}

/* ------------------------------------------------------------------ the rule */

static bool
condition_holds(MbrBurnRules *rules, MbrBurnRule *rule, MbrDescription *about, MbrSubject *order)
{
    MbrProbe probe = {0};

    if (mbr_compile(rules->context, rule->text, &rule->condition) != NULL)
        return false;
    if (rule->condition == NULL)
        return true;
    probe.condition = rule->condition;
    about->columns = mbr_condition_columns(probe.condition);
    mbr_describe_prepare(about);
    mbr_describe(about, order);
    probe.context = order->context;
    mbr_evaluate(&probe, 1);
    return probe.holds;
}

/* Of the active rules, best first, the first one that is for the purpose and matches. */
static const MbrBurnRule *
find_rule(MbrSession *session, const MbrSpendCase *spend_case, int64 order_amount)
{
    const MbrSpendArgs *args = spend_case->args;
    const MbrConfig *config = spend_case->load->config;
    const MbrPurchaseArgs member = {.member_id = spend_case->work->member.member_id};
    const MbrTier *tier = mbr_tier_find(config->tiers, config->ntiers, spend_case->load->tier_then);
    MbrPurchase purchase = {.merchant_id = args->merchant_id,
                            .channel = args->channel,
                            .amount = order_amount,
                            .basis = order_amount,
                            .tier = tier};
    MbrDescription about = {.session = session,
                            .args = &member,
                            .load = spend_case->load,
                            .work = spend_case->work,
                            .purchase = &purchase};
    MbrSubject order = mbr_subject_of(config, &purchase, NULL);
    Timestamp local = mbr_local_timestamp(spend_case->work->occurred_at, config->zone);
    MbrBurnRules *rules = mbr_burn_rules(session, config);

    for (int i = 0; i < rules->n; i++) {
        MbrBurnRule *rule = &rules->rules[i];

        if (strcmp(rule->purpose, args->purpose) == 0 && local >= rule->valid_from &&
            local < rule->valid_until && mbr_filters_pass(rule->filters, &order, &purchase) &&
            condition_holds(rules, rule, &about, &order))
            return rule;
    }
    return NULL;
}

/* ------------------------------------------------------------------ the order and the day */

bool
mbr_hold_is_of_order(const MbrHold *hold, int merchant_id, const char *order_ref)
{
    return !hold->over && hold->order_ref != NULL && hold->merchant_id == merchant_id &&
           strcmp(hold->order_ref, order_ref) == 0;
}

/* Worth of what was redeemed or is held for an order. */
static int64
spent_on_order(MbrSession *session, const MbrConfig *config, const MbrWork *work, int merchant_id,
               const char *order_ref)
{
    const MbrMember *member = &work->member;
    MbrOrderSpend *spends;
    int64 value = 0;
    int n;

    if (member->order_spends == 0)
        return 0;
    spends = mbr_order_spends(session, config, member->member_id, merchant_id, order_ref, &n);
    for (int i = 0; i < n; i++)
        value += spends[i].value;
    for (int i = 0; i < member->nholds; i++)
        if (mbr_hold_is_of_order(&member->holds[i], merchant_id, order_ref))
            value += member->holds[i].value;
    return value;
}

static int64
spent_today(MbrSession *session, const MbrConfig *config, const MbrWork *work)
{
    const MbrMember *member = &work->member;
    int64 points = mbr_redeemed_on(session, member->member_id, work->posted_day);

    for (int i = 0; i < work->nactivities; i++)
        if (work->activities[i].day == work->posted_day)
            points += work->activities[i].redeemed;
    for (int i = 0; i < member->nholds; i++)
        if (!member->holds[i].over && mbr_day_of(member->holds[i].made_at, config->zone) == work->posted_day)
            points += member->holds[i].points;
    return points;
}

int64
mbr_spend_amount(const MbrSpendArgs *args, const MbrConfig *config)
{
    int64 amount = MBR_UNLIMITED;
    int64 sum = 0;

    if (args->order_amount != NULL)
        amount = mbr_purchase_amount(args->order_amount, config->digits, "order_amount");
    if (args->order.nlines == 0)
        return amount;
    for (int i = 0; i < args->order.nlines; i++)
        sum = Min(sum + mbr_purchase_amount(args->order.lines[i].amount, config->digits, "line amount"),
                  MBR_MAX_AMOUNT);
    if (amount != MBR_UNLIMITED && amount != sum)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("order_amount %s is not the sum of its lines",
                               mbr_money_text(amount, config->digits)),
                        errdetail("The lines add up to %s.", mbr_money_text(sum, config->digits)),
                        errhint("Line amounts are net, and add up to order_amount.")));
    return sum;
}

void
mbr_spend_judge(MbrSession *session, MbrSpendCase *spend_case, int64 order_amount, bool order_posted)
{
    const MbrSpendArgs *args = spend_case->args;
    const MbrConfig *config = spend_case->load->config;
    MbrSpending *spending = &spend_case->spending;

    if (args->merchant_id != 0)
        (void)mbr_need_merchant(config, args->merchant_id);
    spend_case->rule = find_rule(session, spend_case, order_amount);
    *spending = (MbrSpending){.order_amount = order_amount, .order_posted = order_posted};
    if (spend_case->rule == NULL)
        return;
    spending->burn = &spend_case->rule->burn;
    if (args->order_ref != NULL)
        spending->order_value =
            spent_on_order(session, config, spend_case->work, args->merchant_id, args->order_ref);
    if (spending->burn->daily_cap != MBR_UNLIMITED)
        spending->spent_today = spent_today(session, config, spend_case->work);
}

/* ------------------------------------------------------------------ refusals */

void
mbr_spend_refuse_limit(const char *message, const char *detail, const char *hint)
{
    ereport(ERROR,
            (errcode(MBR_ERR_LIMIT), errmsg("%s", message), errdetail("%s", detail), errhint("%s", hint)));
}

void
mbr_spend_refuse_order(const MbrSpendArgs *args)
{
    ereport(ERROR,
            (errcode(MBR_ERR_ORDER_POSTED),
             errmsg("order \"%s\" of merchant %d has been accrued", args->order_ref, args->merchant_id),
             errdetail("Points pay for an order before or while it is accrued."),
             errhint("Undo the order with its refund.")));
}

static void
refuse_no_rule(const MbrSpendArgs *args)
{
    ereport(ERROR,
            (errcode(MBR_ERR_NO_BURN_RULE), errmsg("no burn rule is for purpose \"%s\" here", args->purpose),
             errdetail("No active rule of that purpose has filters and a condition that match."),
             errhint("See table burn_rule.")));
}

void
mbr_spend_need_amount(const MbrSpendCase *spend_case)
{
    if (spend_case->rule != NULL && spend_case->rule->burn.share != MBR_UNLIMITED &&
        spend_case->spending.order_amount == MBR_UNLIMITED)
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("order_amount must not be null here"),
                        errdetail("Burn rule \"%s\" lets points pay a share of it.", spend_case->rule->code),
                        errhint("Pass the order's net amount, or its lines.")));
}

static const char *const ask_quote = "quote_redemption() says how many points can be redeemed.";

void
mbr_spend_check(const MbrSpendCase *spend_case, int64 points)
{
    const MbrSpendArgs *args = spend_case->args;
    const MbrSpending *spending = &spend_case->spending;
    MbrWork *work = spend_case->work;
    const MbrBurn *burn = spending->burn;
    int64 available = mbr_available(&work->member, work->posted_at);

    switch (mbr_limit_check(work, spending, points)) {
        case MBR_LIMIT_NONE:
            break;
        case MBR_LIMIT_MEMBER_STATUS:
            work->refusal = mbr_may_spend(work);
            break;
        case MBR_LIMIT_NO_RULE:
            refuse_no_rule(args);
            break;
        case MBR_LIMIT_ORDER_POSTED:
            mbr_spend_refuse_order(args);
            break;
        case MBR_LIMIT_STEP:
            mbr_spend_refuse_limit(psprintf(INT64_FORMAT " points are not whole steps", points),
                                   psprintf("Points are redeemed in steps of " INT64_FORMAT ".", burn->step),
                                   ask_quote);
            break;
        case MBR_LIMIT_BALANCE:
            work->available = available;
            work->refusal = MBR_REFUSED_INSUFFICIENT;
            break;
        case MBR_LIMIT_SHARE:
            mbr_spend_refuse_limit(
                "the share of the order that points may pay is exceeded",
                psprintf(INT64_FORMAT " points are worth %s, with what the order has already more than that "
                                      "share.",
                         points, mbr_money_text(mbr_worth(burn, points), spend_case->load->config->digits)),
                ask_quote);
            break;
        case MBR_LIMIT_DAILY_CAP:
            mbr_spend_refuse_limit("the daily cap of points is exceeded",
                                   psprintf(INT64_FORMAT " points a day are allowed, " INT64_FORMAT
                                                         " have been redeemed or held today.",
                                            burn->daily_cap, spending->spent_today),
                                   ask_quote);
            break;
        case MBR_LIMIT_MINIMUM:
            mbr_spend_refuse_limit(
                psprintf(INT64_FORMAT " points are below the minimum", points),
                psprintf("At least " INT64_FORMAT " are redeemed at a time.", burn->minimum), ask_quote);
            break;
    }
    mbr_raise_refusal(work);
}

/* ------------------------------------------------------------------ facts */

static char *
rule_json(const MbrBurnRule *rule, int digits)
{
    return psprintf(
        "{\"burn_rule\":{\"burn_rule_id\":%d,\"code\":\"%s\",\"step\":" INT64_FORMAT ",\"value\":%s}}",
        rule->burn_rule_id, rule->code, rule->burn.step, mbr_money_text(rule->burn.value, digits));
}

void
mbr_spend_set_terms(MbrSpend *spend, const MbrConfig *config, DateADT day)
{
    MbrTerms *terms;

    if (spend->merchant_id == 0 || spend->order_ref != NULL)
        return;
    terms = palloc(sizeof(MbrTerms));
    *terms = mbr_merchant_terms(mbr_need_merchant(config, spend->merchant_id), day);
    spend->terms = terms;
}

MbrSpend *
mbr_spend_facts(const MbrSpendCase *spend_case, int64 points)
{
    const MbrSpendArgs *args = spend_case->args;
    const MbrConfig *config = spend_case->load->config;
    MbrSpend *spend = palloc(sizeof(MbrSpend));

    *spend = (MbrSpend){.purpose = args->purpose,
                        .merchant_id = args->merchant_id,
                        .order_ref = args->order_ref,
                        .channel = args->channel,
                        .value = mbr_worth(&spend_case->rule->burn, points),
                        .frozen_rule = rule_json(spend_case->rule, config->digits),
                        .currency_scale = config->currency_scale};
    mbr_spend_set_terms(spend, config, spend_case->work->posted_day);
    return spend;
}
