/*
 * rule.c - trigger functions of earn_rule and burn_rule: a rule that cannot work is refused, every version of
 * an earning rule is kept.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "api/guard.h"
#include "rule/condition.h"
#include "store/plan.h"
#include "util/error.h"
#include "util/expiry.h"

PG_FUNCTION_INFO_V1(membership_check_rule);
PG_FUNCTION_INFO_V1(membership_record_rule);
PG_FUNCTION_INFO_V1(membership_check_burn_rule);

static Datum
get(TriggerData *trigger, HeapTuple row, const char *column, Oid type, bool *isnull)
{
    return heap_getattr(row, mbr_need_column(trigger, column, type), RelationGetDescr(trigger->tg_relation),
                        isnull);
}

static char *
get_text(TriggerData *trigger, HeapTuple row, const char *column)
{
    bool isnull;
    Datum value = get(trigger, row, column, TEXTOID, &isnull);

    return isnull ? NULL : TextDatumGetCString(value);
}

static int32
get_int4(TriggerData *trigger, HeapTuple row, const char *column)
{
    bool isnull;

    return DatumGetInt32(get(trigger, row, column, INT4OID, &isnull));
}

static void
add_arg(MbrArgs *args, TriggerData *trigger, HeapTuple row, const char *column, Oid type)
{
    bool isnull;
    Datum value = get(trigger, row, column, type, &isnull);

    mbr_arg_datum(args, value, isnull);
}

static void
check_filters(MbrSession *session, TriggerData *trigger, HeapTuple row)
{
    MbrArgs args = MBR_NO_ARGS;

    add_arg(&args, trigger, row, "mall_ids", INT4ARRAYOID);
    add_arg(&args, trigger, row, "merchant_ids", INT4ARRAYOID);
    add_arg(&args, trigger, row, "tiers", TEXTARRAYOID);
    if (mbr_plan_run(session, MBR_PLAN_RULE_UNKNOWN, &args) > 0)
        ereport(ERROR, (errcode(MBR_ERR_RULE_UNFIT),
                        errmsg("rule \"%s\" names \"%s\" in %s, which does not exist",
                               get_text(trigger, row, "code"), mbr_col_text(0, 2), mbr_col_text(0, 1)),
                        errdetail("A filter on it would never match."),
                        errhint("Insert the row that it means first, or correct the filter.")));
}

static void
check_expiry(TriggerData *trigger, HeapTuple row)
{
    char *expiry = get_text(trigger, row, "expiry");
    MbrExpiry parsed;

    if (expiry != NULL && !mbr_expiry_parse(expiry, &parsed))
        ereport(ERROR,
                (errcode(MBR_ERR_RULE_UNFIT), errmsg("expiry policy \"%s\" is not known", expiry),
                 errdetail("Policies are such as 24 months, 90 days, year end + 1, 2027-03-31, never."),
                 errhint("See doc/rules.md, \"Expiry policies\".")));
}

static bool
has_same_status(TriggerData *trigger, HeapTuple row)
{
    return strcmp(get_text(trigger, row, "status"), get_text(trigger, trigger->tg_trigtuple, "status")) == 0;
}

/*
 * A new version is in force from now on, unless the statement says from when. One that is prepared for later
 * stays so when it is corrected; pausing it is meant now.
 */
static HeapTuple
number_version(TriggerData *trigger, HeapTuple row)
{
    TupleDesc desc = RelationGetDescr(trigger->tg_relation);
    int columns[] = {mbr_need_column(trigger, "version", INT4OID),
                     mbr_need_column(trigger, "effective_from", TIMESTAMPTZOID)};
    bool nulls[2] = {false, false};
    Datum values[2];

    values[0] = Int32GetDatum(1);
    values[1] = heap_getattr(row, columns[1], desc, &nulls[1]);
    if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event)) {
        bool isnull;
        Datum before = heap_getattr(trigger->tg_trigtuple, columns[1], desc, &isnull);
        TimestampTz now = GetCurrentTimestamp();

        values[0] = Int32GetDatum(get_int4(trigger, trigger->tg_trigtuple, "version") + 1);
        if (!nulls[1] && DatumGetTimestampTz(values[1]) == DatumGetTimestampTz(before) &&
            (DatumGetTimestampTz(before) <= now || !has_same_status(trigger, row)))
            values[1] = TimestampTzGetDatum(now);
    }
    return heap_modify_tuple_by_cols(row, desc, lengthof(columns), columns, values, nulls);
}

/* The row to be written, whose condition and filters can work. */
static HeapTuple
checked_row(FunctionCallInfo fcinfo, TriggerData **trigger)
{
    HeapTuple row;
    char *condition;
    MbrSession session;

    *trigger =
        mbr_need_trigger(fcinfo, (MbrFiring){.before = true, .row = true, .inserts = true, .updates = true});
    row = TRIGGER_FIRED_BY_UPDATE((*trigger)->tg_event) ? (*trigger)->tg_newtuple : (*trigger)->tg_trigtuple;
    condition = get_text(*trigger, row, "condition");
    mbr_enter(&session, false);
    if (condition != NULL)
        (void)mbr_condition_compile(condition);
    check_filters(&session, *trigger, row);
    mbr_leave(&session);
    return row;
}

Datum
membership_check_rule(PG_FUNCTION_ARGS)
{
    TriggerData *trigger;
    HeapTuple row = checked_row(fcinfo, &trigger);

    check_expiry(trigger, row);
    return PointerGetDatum(number_version(trigger, row));
}

/* Only here every row of the statement can be seen. */
static void
check_group(MbrSession *session, TriggerData *trigger, HeapTuple row)
{
    char *group = get_text(trigger, row, "stack_group");
    MbrArgs args = MBR_NO_ARGS;

    if (group == NULL || strcmp(get_text(trigger, row, "status"), "ended") == 0)
        return;
    mbr_arg_text(&args, group);
    mbr_arg_int4(&args, get_int4(trigger, row, "rule_id"));
    mbr_arg_text(&args, get_text(trigger, row, "effect"));
    mbr_arg_text(&args, get_text(trigger, row, "scope"));
    if (mbr_plan_run(session, MBR_PLAN_RULE_RIVAL, &args) > 0)
        ereport(ERROR,
                (errcode(MBR_ERR_RULE_UNFIT),
                 errmsg("rule \"%s\" does not fit into stack group \"%s\"", get_text(trigger, row, "code"),
                        group),
                 errdetail("Its rule \"%s\" has effect %s in scope %s; rules of one group have the same "
                           "effect, and of bonus_points and growth the same scope.",
                           mbr_col_text(0, 1), mbr_col_text(0, 2), mbr_col_text(0, 3)),
                 errhint("Give the rule another stack_group, or none.")));
}

Datum
membership_record_rule(PG_FUNCTION_ARGS)
{
    TriggerData *trigger =
        mbr_need_trigger(fcinfo, (MbrFiring){.row = true, .inserts = true, .updates = true});
    bool updates = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
    HeapTuple row = updates ? trigger->tg_newtuple : trigger->tg_trigtuple;
    MbrArgs args = MBR_NO_ARGS;
    MbrSession session;

    mbr_enter(&session, false);
    mbr_set(&session, "datestyle", "ISO, YMD"); /* a range is kept as text, and read back by any session */
    check_group(&session, trigger, row);
    mbr_arg_int4(&args, get_int4(trigger, row, "rule_id"));
    mbr_arg_text(&args, GetUserNameFromId(session.caller, false));
    (void)mbr_plan_run(&session, MBR_PLAN_RECORD_RULE, &args);
    mbr_leave(&session);
    return PointerGetDatum(NULL);
}

Datum
membership_check_burn_rule(PG_FUNCTION_ARGS)
{
    TriggerData *trigger;

    return PointerGetDatum(checked_row(fcinfo, &trigger));
}
