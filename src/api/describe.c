/* describe.c - fills the context that conditions are evaluated over; only the columns that one asks for. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"

#include "api/describe.h"
#include "engine/limit.h"
#include "rule/values.h"
#include "util/calendar.h"
#include "util/money.h"

#define PERSON_COLUMNS                                                                                      \
    (MBR_COLUMN(MBR_CTX_BIRTHDAY) | MBR_COLUMN(MBR_CTX_BIRTHDAY_MONTH) | MBR_COLUMN(MBR_CTX_BIRTHDAY_DAY) | \
     MBR_COLUMN(MBR_CTX_AGE) | MBR_COLUMN(MBR_CTX_TAGS) | MBR_COLUMN(MBR_CTX_SOURCE) |                      \
     MBR_COLUMN(MBR_CTX_MEMBER_ATTRIBUTES))
#define HISTORY_COLUMNS                                                                                      \
    (MBR_COLUMN(MBR_CTX_FIRST_PURCHASE) | MBR_COLUMN(MBR_CTX_DAYS_SINCE_PURCHASE) |                          \
     MBR_COLUMN(MBR_CTX_ORDERS_TODAY) | MBR_COLUMN(MBR_CTX_BASIS_TODAY) | MBR_COLUMN(MBR_CTX_ORDERS_MONTH) | \
     MBR_COLUMN(MBR_CTX_BASIS_MONTH) | MBR_COLUMN(MBR_CTX_ORDERS_12M) | MBR_COLUMN(MBR_CTX_BASIS_12M))

MbrSubject
mbr_subject_of(const MbrConfig *config, const MbrPurchase *purchase, const MbrLine *line)
{
    int merchant_id = line == NULL ? purchase->merchant_id : line->terms->merchant_id;
    const MbrMerchant *merchant = mbr_config_merchant(config, merchant_id);

    if (merchant == NULL) /* points spent at no merchant */
        return (MbrSubject){0};
    return (MbrSubject){.merchant = merchant,
                        .line = line,
                        .merchant_id = psprintf("%d", merchant_id),
                        .mall_id = psprintf("%d", merchant->mall_id),
                        .brand = line != NULL && line->brand != NULL ? line->brand : merchant->brand,
                        .category =
                            line != NULL && line->category != NULL ? line->category : merchant->category};
}

Timestamp
mbr_local_timestamp(int64 moment, pg_tz *zone)
{
    struct pg_tm tm;
    Timestamp local;
    fsec_t fsec;
    int tz;

    if (timestamp2tm(moment, &tz, &tm, &fsec, NULL, zone) != 0 || tm2timestamp(&tm, fsec, NULL, &local) != 0)
        ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
    return local;
}

void
mbr_describe_prepare(MbrDescription *description)
{
    const MbrConfig *config = description->load->config;
    int tz;

    if (timestamp2tm(description->work->occurred_at, &tz, &description->local, &description->fraction, NULL,
                     config->zone) != 0)
        ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
    if (description->columns & PERSON_COLUMNS)
        description->person = mbr_facts_person(description->session, description->args->member_id);
    if (description->columns & HISTORY_COLUMNS)
        description->history = mbr_facts_history(description->session, config, description->work);
}

/* ------------------------------------------------------------------ setters */

static void
set(MbrContext *context, MbrContextColumn column, Datum value)
{
    context->values[column] = value;
    context->isnull[column] = false;
}

static bool
is_asked(const MbrDescription *description, MbrContextColumn column)
{
    return (description->columns & MBR_COLUMN(column)) != 0;
}

static void
set_text(const MbrDescription *description, MbrContext *context, MbrContextColumn column, const char *value)
{
    if (value != NULL && is_asked(description, column))
        set(context, column, CStringGetTextDatum(value));
}

static void
set_money(const MbrDescription *description, MbrContext *context, MbrContextColumn column, int64 value)
{
    if (is_asked(description, column))
        set(context, column, NumericGetDatum(mbr_money_numeric(value, description->load->config->digits)));
}

static Datum
empty_object(void)
{
    return DirectFunctionCall1(jsonb_in, CStringGetDatum("{}"));
}

/* ------------------------------------------------------------------ groups of columns */

static void
describe_amounts(const MbrDescription *description, const MbrLine *line, MbrContext *context)
{
    if (description->purchase->amount != MBR_UNLIMITED) {
        set_money(description, context, MBR_CTX_ORDER_AMOUNT, description->purchase->amount);
        set_money(description, context, MBR_CTX_ORDER_BASIS, description->purchase->basis);
    }
    if (line == NULL)
        return;
    set_money(description, context, MBR_CTX_LINE_AMOUNT, line->amount);
    set_money(description, context, MBR_CTX_LINE_BASIS, line->basis);
    set_text(description, context, MBR_CTX_SKU, line->sku);
    if (line->quantity != NULL && is_asked(description, MBR_CTX_QUANTITY))
        set(context, MBR_CTX_QUANTITY,
            DirectFunctionCall3(numeric_in, CStringGetDatum(line->quantity), ObjectIdGetDatum(InvalidOid),
                                Int32GetDatum(-1)));
}

static void
describe_place(const MbrDescription *description, const MbrSubject *subject, MbrContext *context)
{
    const MbrMerchant *merchant = subject->merchant;

    set_text(description, context, MBR_CTX_CHANNEL, description->purchase->channel);
    if (merchant == NULL)
        return;
    set(context, MBR_CTX_MERCHANT_ID, Int32GetDatum(merchant->merchant_id));
    set(context, MBR_CTX_MALL_ID, Int32GetDatum(merchant->mall_id));
    set_text(description, context, MBR_CTX_BRAND, subject->brand);
    set_text(description, context, MBR_CTX_CATEGORY, subject->category);
    if (merchant->opened_on != DATEVAL_NOBEGIN)
        set(context, MBR_CTX_MERCHANT_DAYS, Int32GetDatum(description->work->day - merchant->opened_on));
}

static void
describe_time(const MbrDescription *description, MbrContext *context)
{
    const struct pg_tm *tm = &description->local;
    int weekday = j2day(description->work->day + POSTGRES_EPOCH_JDATE);
    int64 seconds = (tm->tm_hour * MINS_PER_HOUR + tm->tm_min) * SECS_PER_MINUTE + tm->tm_sec;
    struct pg_tm copy = *tm;
    Timestamp local;

    if (tm2timestamp(&copy, description->fraction, NULL, &local) != 0)
        ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
    set(context, MBR_CTX_OCCURRED_AT, TimestampGetDatum(local));
    set(context, MBR_CTX_OCCURRED_ON, DateADTGetDatum(description->work->day));
    set(context, MBR_CTX_TIME_OF_DAY, TimeADTGetDatum(seconds * USECS_PER_SEC + description->fraction));
    set(context, MBR_CTX_HOUR, Int32GetDatum(tm->tm_hour));
    set(context, MBR_CTX_WEEKDAY, Int32GetDatum(weekday == 0 ? 7 : weekday));
    set(context, MBR_CTX_DAY, Int32GetDatum(tm->tm_mday));
    set(context, MBR_CTX_MONTH, Int32GetDatum(tm->tm_mon));
}

/* 29 February has the 28th in other years. */
static void
describe_birthday(const MbrDescription *description, MbrContext *context)
{
    const struct pg_tm *tm = &description->local;
    int year, month, day, celebrated;
    bool reached;

    if (!description->person.has_birthday)
        return;
    j2date(description->person.birthday + POSTGRES_EPOCH_JDATE, &year, &month, &day);
    celebrated = Min(day, day_tab[isleap(tm->tm_year)][month - 1]);
    reached = tm->tm_mon > month || (tm->tm_mon == month && tm->tm_mday >= day);
    set(context, MBR_CTX_BIRTHDAY, DateADTGetDatum(description->person.birthday));
    set(context, MBR_CTX_BIRTHDAY_MONTH, BoolGetDatum(tm->tm_mon == month));
    set(context, MBR_CTX_BIRTHDAY_DAY, BoolGetDatum(tm->tm_mon == month && tm->tm_mday == celebrated));
    set(context, MBR_CTX_AGE, Int32GetDatum(tm->tm_year - year - (reached ? 0 : 1)));
}

static void
describe_member(const MbrDescription *description, MbrContext *context)
{
    const MbrConfig *config = description->load->config;
    const MbrTier *tier = description->purchase->tier;
    DateADT enrolled_on = mbr_day_of(description->work->member.enrolled_at, config->zone);
    Jsonb *attributes = description->args->attributes;

    set(context, MBR_CTX_MEMBER_DAYS, Int32GetDatum(description->work->day - enrolled_on));
    set_text(description, context, MBR_CTX_TIER, tier->code);
    set(context, MBR_CTX_TIER_RANK, Int32GetDatum(tier->rank));
    if (is_asked(description, MBR_CTX_ORDER_ATTRIBUTES))
        set(context, MBR_CTX_ORDER_ATTRIBUTES,
            attributes == NULL ? empty_object() : JsonbPGetDatum(attributes));
    if (!(description->columns & PERSON_COLUMNS))
        return;
    describe_birthday(description, context);
    set(context, MBR_CTX_TAGS, description->person.tags);
    set_text(description, context, MBR_CTX_SOURCE, description->person.source);
    set(context, MBR_CTX_MEMBER_ATTRIBUTES, JsonbPGetDatum(description->person.attributes));
}

static void
describe_period(const MbrDescription *description, MbrContext *context, MbrContextColumn orders,
                MbrContextColumn basis, const MbrPeriod *period)
{
    set(context, orders, Int32GetDatum((int32)Min(period->orders, PG_INT32_MAX)));
    set_money(description, context, basis, period->basis);
}

static void
describe_history(const MbrDescription *description, MbrContext *context)
{
    const MbrHistory *history = &description->history;

    if (!(description->columns & HISTORY_COLUMNS))
        return;
    set(context, MBR_CTX_FIRST_PURCHASE, BoolGetDatum(!history->bought));
    if (history->bought)
        set(context, MBR_CTX_DAYS_SINCE_PURCHASE, Int32GetDatum(description->work->day - history->last_day));
    describe_period(description, context, MBR_CTX_ORDERS_TODAY, MBR_CTX_BASIS_TODAY, &history->today);
    describe_period(description, context, MBR_CTX_ORDERS_MONTH, MBR_CTX_BASIS_MONTH, &history->month);
    describe_period(description, context, MBR_CTX_ORDERS_12M, MBR_CTX_BASIS_12M, &history->year);
}

/* What is looked up for one line of a merchant, or of a category, holds for the next. */
static const MbrContext *
find_described(const MbrDescription *description, const MbrSubject *subject, MbrContextColumn column)
{
    for (int i = 0; i < description->purchase->nlines; i++) {
        const MbrSubject *other = &description->lines[i];

        if (other->context == NULL || other->context->isnull[column])
            continue;
        if (column == MBR_CTX_FIRST_AT_MERCHANT ? other->merchant == subject->merchant
                                                : strcmp(other->category, subject->category) == 0)
            return other->context;
    }
    return NULL;
}

static bool
bought_before(const MbrDescription *description, const MbrSubject *subject, MbrContextColumn column)
{
    const MbrConfig *config = description->load->config;

    if (column == MBR_CTX_FIRST_AT_MERCHANT)
        return mbr_facts_bought_at(description->session, config, description->work,
                                   subject->merchant->merchant_id);
    return mbr_facts_bought_category(description->session, config, description->work, subject->category);
}

static void
set_first(const MbrDescription *description, const MbrSubject *subject, MbrContextColumn column,
          MbrContext *context)
{
    const MbrContext *described;

    if (!is_asked(description, column))
        return;
    described = find_described(description, subject, column);
    set(context, column,
        described != NULL ? described->values[column]
                          : BoolGetDatum(!bought_before(description, subject, column)));
}

static void
describe_firsts(const MbrDescription *description, const MbrSubject *subject, MbrContext *context)
{
    if (subject->merchant != NULL)
        set_first(description, subject, MBR_CTX_FIRST_AT_MERCHANT, context);
    if (subject->category != NULL)
        set_first(description, subject, MBR_CTX_FIRST_IN_CATEGORY, context);
}

/* What was frozen of a subject. */
static void
recall(const MbrDescription *description, const MbrSubject *subject, MbrContext *context)
{
    Jsonb *facts = description->facts;
    char key[16];
    JsonbValue *found = NULL;
    Jsonb *none;

    snprintf(key, sizeof(key), "%d", subject->line == NULL ? 0 : subject->line->line_no);
    if (facts != NULL)
        found = getKeyJsonValueFromContainer(&facts->root, key, strlen(key), NULL);
    if (found != NULL && found->type == jbvBinary) {
        mbr_context_read(found->val.binary.data, context);
        return;
    }
    none = DatumGetJsonbP(empty_object());
    mbr_context_read(&none->root, context);
}

void
mbr_describe(const MbrDescription *description, MbrSubject *subject)
{
    MbrContext *context = palloc(sizeof(MbrContext));

    subject->context = context;
    if (description->frozen) {
        recall(description, subject, context);
        describe_amounts(description, subject->line, context);
        return;
    }
    memset(context->isnull, true, sizeof(context->isnull));
    describe_amounts(description, subject->line, context);
    describe_place(description, subject, context);
    describe_time(description, context);
    describe_member(description, context);
    describe_history(description, context);
    describe_firsts(description, subject, context);
}

Jsonb *
mbr_describe_freeze(const MbrSubject *order, const MbrSubject *lines, int nlines, uint64 columns)
{
    StringInfoData json;
    char open = '{';

    columns &= ~MBR_AMOUNT_COLUMNS;
    if (columns == 0)
        return NULL;
    initStringInfo(&json);
    for (int i = -1; i < nlines; i++) {
        const MbrSubject *subject = i < 0 ? order : &lines[i];

        if (subject->context == NULL)
            continue;
        appendStringInfo(&json, "%c\"%d\":", open, i < 0 ? 0 : subject->line->line_no);
        mbr_context_write(&json, subject->context, columns);
        open = ',';
    }
    if (open == '{')
        return NULL;
    appendStringInfoChar(&json, '}');
    return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
}
