/* guard.c - trigger functions of the programme's tables. */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/datum.h"
#include "utils/rel.h"

#include "api/guard.h"
#include "store/plan.h"
#include "util/error.h"

PG_FUNCTION_INFO_V1(membership_guard_append_only);
PG_FUNCTION_INFO_V1(membership_guard_config);
PG_FUNCTION_INFO_V1(membership_config_version);
PG_FUNCTION_INFO_V1(membership_config_changed);

/* A trigger function can be attached to any table by whoever may execute it: nothing is taken for granted. */
TriggerData *
mbr_need_trigger(FunctionCallInfo fcinfo, MbrFiring firing)
{
    TriggerData *trigger = (TriggerData *)fcinfo->context;
    TriggerEvent event;

    if (!CALLED_AS_TRIGGER(fcinfo))
        event = 0;
    else
        event = trigger->tg_event;
    if (!CALLED_AS_TRIGGER(fcinfo) || !!TRIGGER_FIRED_BEFORE(event) != firing.before ||
        !!TRIGGER_FIRED_FOR_ROW(event) != firing.row || (TRIGGER_FIRED_BY_INSERT(event) && !firing.inserts) ||
        (TRIGGER_FIRED_BY_UPDATE(event) && !firing.updates) ||
        (!TRIGGER_FIRED_BY_INSERT(event) && !TRIGGER_FIRED_BY_UPDATE(event) && !firing.removes))
        ereport(ERROR,
                (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                 errmsg("this function is a trigger of the programme's tables"),
                 errdetail("It was called in another way."), errhint("Leave it to create_program().")));
    return trigger;
}

/* The number of a column; it must have that type, if one is given. */
int
mbr_need_column(TriggerData *trigger, const char *column, Oid type)
{
    TupleDesc desc = RelationGetDescr(trigger->tg_relation);
    int attno = SPI_fnumber(desc, column);

    if (attno <= 0 || (OidIsValid(type) && TupleDescAttr(desc, attno - 1)->atttypid != type))
        ereport(ERROR,
                (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                 errmsg("column \"%s\" of \"%s\" does not exist or has another type", column,
                        RelationGetRelationName(trigger->tg_relation)),
                 errdetail("The trigger needs it."), errhint("Leave this function to create_program().")));
    return attno;
}

Datum
membership_guard_append_only(PG_FUNCTION_ARGS)
{
    TriggerData *trigger =
        mbr_need_trigger(fcinfo, (MbrFiring){.before = true, .updates = true, .removes = true});

    ereport(ERROR, (errcode(MBR_ERR_APPEND_ONLY),
                    errmsg("table \"%s\" is append-only", RelationGetRelationName(trigger->tg_relation)),
                    errdetail("History is never changed or removed."),
                    errhint("Post a correction, such as adjust_points().")));
}

/* Whether a column has the same value in both rows. */
static bool
unchanged(TriggerData *trigger, const char *column)
{
    TupleDesc desc = RelationGetDescr(trigger->tg_relation);
    int attno = mbr_need_column(trigger, column, InvalidOid);
    bool old_null, new_null;
    Datum old_value, new_value;
    Form_pg_attribute attribute;

    attribute = TupleDescAttr(desc, attno - 1);
    old_value = heap_getattr(trigger->tg_trigtuple, attno, desc, &old_null);
    new_value = heap_getattr(trigger->tg_newtuple, attno, desc, &new_null);
    if (old_null || new_null)
        return old_null == new_null;
    return datum_image_eq(old_value, new_value, attribute->attbyval, attribute->attlen);
}

Datum
membership_guard_config(PG_FUNCTION_ARGS)
{
    bool truncates =
        CALLED_AS_TRIGGER(fcinfo) && TRIGGER_FIRED_BY_TRUNCATE(((TriggerData *)fcinfo->context)->tg_event);
    TriggerData *trigger = mbr_need_trigger(
        fcinfo, (MbrFiring){.before = true, .row = !truncates, .updates = true, .removes = true});
    const char *table = RelationGetRelationName(trigger->tg_relation);

    if (truncates || TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
        ereport(ERROR, (errcode(MBR_ERR_CONFIG_KEPT), errmsg("rows of \"%s\" are never deleted", table),
                        errdetail("The ledger refers to them."),
                        errhint("Give the row an end date instead, where it has one.")));
    for (int i = 0; i < trigger->tg_trigger->tgnargs; i++)
        if (!unchanged(trigger, trigger->tg_trigger->tgargs[i]))
            ereport(ERROR, (errcode(MBR_ERR_CONFIG_KEPT),
                            errmsg("column \"%s\" of \"%s\" cannot be changed",
                                   trigger->tg_trigger->tgargs[i], table),
                            errdetail("The ledger was written under the present value."),
                            errhint("Insert a new row instead, where the table has several.")));
    return PointerGetDatum(trigger->tg_newtuple);
}

/* Whoever changes configuration need not have rights on the version's sequence, so the owner draws it. */
Datum
membership_config_version(PG_FUNCTION_ARGS)
{
    TriggerData *trigger =
        mbr_need_trigger(fcinfo, (MbrFiring){.before = true, .row = true, .updates = true});
    TupleDesc desc = RelationGetDescr(trigger->tg_relation);
    int attno = mbr_need_column(trigger, "config_version", INT8OID);
    MbrArgs args = MBR_NO_ARGS;
    MbrSession session;
    bool isnull = false;
    Datum version;

    mbr_enter(&session, false);
    (void)mbr_plan_run(&session, MBR_PLAN_NEXT_CONFIG_VERSION, &args);
    version = Int64GetDatum(mbr_col_int8(0, 1, 0));
    mbr_leave(&session);
    return PointerGetDatum(
        heap_modify_tuple_by_cols(trigger->tg_newtuple, desc, 1, &attno, &version, &isnull));
}

/*
 * Before a statement, so that changes wait for each other; and after it, because what is called while it runs
 * keeps the configuration as it is half-way.
 */
Datum
membership_config_changed(PG_FUNCTION_ARGS)
{
    bool before =
        CALLED_AS_TRIGGER(fcinfo) && TRIGGER_FIRED_BEFORE(((TriggerData *)fcinfo->context)->tg_event);
    MbrArgs args = MBR_NO_ARGS;
    MbrSession session;

    (void)mbr_need_trigger(fcinfo,
                           (MbrFiring){.before = before, .inserts = true, .updates = true, .removes = true});
    mbr_enter(&session, false);
    (void)mbr_plan_run(&session, MBR_PLAN_TOUCH_PROGRAM, &args);
    mbr_leave(&session);
    return PointerGetDatum(NULL);
}
