/*
 * facts.c - reads what conditions ask about a member.
 *
 * Purchases posted before are those stored, and those of the same batch that work already holds.
 */
#include "postgres.h"

#include "nodes/bitmapset.h"
#include "utils/builtins.h"
#include "utils/datum.h"

#include "store/alias.h"
#include "store/facts.h"
#include "store/plan.h"
#include "store/table.h"
#include "util/calendar.h"
#include "util/money.h"

MbrPerson
mbr_facts_person(MbrSession *session, int64 member_id)
{
    MbrTable *table = mbr_table_open(session, MBR_TABLE_MEMBER, false);
    Datum key = Int64GetDatum(member_id);
    MbrPerson person = {0};
    bool isnull;
    Datum value;

    if (!mbr_table_find(table, &key))
        mbr_raise_no_member(member_id);
    value = mbr_table_get(table, MBR_MEMBER_BIRTHDAY, &isnull);
    person.has_birthday = !isnull;
    person.birthday = isnull ? 0 : DatumGetDateADT(value);
    value = mbr_table_get(table, MBR_MEMBER_SOURCE, &isnull);
    person.source = isnull ? NULL : TextDatumGetCString(value);
    value = mbr_table_get(table, MBR_MEMBER_TAGS, &isnull);
    person.tags = PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
    value = mbr_table_get(table, MBR_MEMBER_ATTRIBUTES, &isnull);
    person.attributes = DatumGetJsonbPCopy(value);
    return person;
}

static void
add_purchases(MbrPeriod *period, int64 orders, int64 basis)
{
    period->orders += orders;
    period->basis = Min(period->basis, MBR_MAX_AMOUNT) + Min(basis, MBR_MAX_AMOUNT);
}

static void
add_day(MbrHistory *history, DateADT today, DateADT day, int64 orders, int64 basis)
{
    if (day > today || orders == 0)
        return;
    history->last_day = history->bought ? Max(history->last_day, day) : day;
    history->bought = true;
    if (day > mbr_add_months(today, -12))
        add_purchases(&history->year, orders, basis);
    if (day >= mbr_month_start(today))
        add_purchases(&history->month, orders, basis);
    if (day == today)
        add_purchases(&history->today, orders, basis);
}

/* What work adds to a day, or takes from it. */
static const MbrActivity *
change_of(const MbrWork *work, DateADT day)
{
    for (int i = 0; i < work->nactivities; i++)
        if (work->activities[i].day == day)
            return &work->activities[i];
    return NULL;
}

/* Notes which of the changes met a stored day. */
static void
scan_days(MbrSession *session, const MbrConfig *config, const MbrWork *work, DateADT after,
          MbrHistory *history, Bitmapset **met)
{
    MbrTable *table = mbr_table_open(session, MBR_TABLE_ACTIVITY_DAY, false);
    Datum key = Int64GetDatum(work->member.member_id);
    Datum above = DateADTGetDatum(after);

    mbr_table_scan(table, &key, 1, &above);
    while (mbr_table_next(table)) {
        bool isnull;
        DateADT day = DatumGetDateADT(mbr_table_get(table, MBR_ACTIVITY_DAY, &isnull));
        int64 orders = DatumGetInt32(mbr_table_get(table, MBR_ACTIVITY_PURCHASES, &isnull));
        Numeric basis = DatumGetNumeric(mbr_table_get(table, MBR_ACTIVITY_BASIS, &isnull));
        const MbrActivity *change = change_of(work, day);

        if (day > work->day)
            break;
        if (change != NULL)
            *met = bms_add_member(*met, change - work->activities);
        add_day(history, work->day, day, orders + (change == NULL ? 0 : change->purchases),
                mbr_money_stored(basis, config->digits) + (change == NULL ? 0 : change->basis));
    }
}

/* Older days are read only of a member who bought nothing for a year. */
MbrHistory
mbr_facts_history(MbrSession *session, const MbrConfig *config, const MbrWork *work)
{
    MbrHistory history = {0};
    Bitmapset *met = NULL;

    scan_days(session, config, work, mbr_add_months(work->day, -12), &history, &met);
    if (!history.bought)
        scan_days(session, config, work, DATEVAL_NOBEGIN, &history, &met);
    for (int i = 0; i < work->nactivities; i++)
        if (!bms_is_member(i, met))
            add_day(&history, work->day, work->activities[i].day, work->activities[i].purchases,
                    work->activities[i].basis);
    return history;
}

static bool
found_in_journal(MbrSession *session, const MbrWork *work, MbrPlan plan, Datum value)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_datum(&args, mbr_alias_numbers(session, work->member.member_id), false);
    mbr_arg_date(&args, work->day);
    mbr_arg_datum(&args, value, false);
    mbr_arg_int8(&args, work->taken_back);
    return mbr_plan_run(session, plan, &args) > 0;
}

static const char *
category_of(const MbrConfig *config, const MbrLine *line)
{
    return line->category != NULL ? line->category
                                  : mbr_config_merchant(config, line->terms->merchant_id)->category;
}

/* Whether an earlier purchase of the batch has a line at the merchant, or of the category if one is given. */
static bool
found_in_batch(const MbrConfig *config, const MbrWork *work, int merchant_id, const char *category)
{
    for (int i = 0; i < work->njournals; i++) {
        const MbrPurchase *purchase = work->journals[i].purchase;

        if (purchase == NULL || mbr_day_of(work->journals[i].occurred_at, config->zone) > work->day)
            continue;
        for (int k = 0; k < purchase->nlines; k++) {
            const MbrLine *line = &purchase->lines[k];
            const char *present = category == NULL ? NULL : category_of(config, line);

            if (category == NULL ? line->terms->merchant_id == merchant_id
                                 : present != NULL && strcmp(present, category) == 0)
                return true;
        }
    }
    return false;
}

bool
mbr_facts_bought_at(MbrSession *session, const MbrConfig *config, const MbrWork *work, int merchant_id)
{
    return found_in_batch(config, work, merchant_id, NULL) ||
           found_in_journal(session, work, MBR_PLAN_BOUGHT_AT, Int32GetDatum(merchant_id));
}

bool
mbr_facts_bought_category(MbrSession *session, const MbrConfig *config, const MbrWork *work,
                          const char *category)
{
    return found_in_batch(config, work, 0, category) ||
           found_in_journal(session, work, MBR_PLAN_BOUGHT_CATEGORY, CStringGetTextDatum(category));
}
