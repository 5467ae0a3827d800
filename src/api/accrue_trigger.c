/*
 * accrue_trigger.c - earning on an application's own order table.
 *
 * Arguments are argument=column pairs; the trigger reads those columns of the inserted rows and posts them as
 * accrue_points would, row by row or, for a statement trigger with a transition table, in batches. With
 * on_error=log a purchase that cannot be posted is recorded in accrual_error and the sale is kept.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "api/batch.h"
#include "store/plan.h"
#include "util/error.h"

PG_FUNCTION_INFO_V1(membership_accrue_trigger);
PG_FUNCTION_INFO_V1(membership_retry_accrual_errors);

#define CHUNK 1000

typedef struct Firing {
    TriggerData *trigger;
    MbrColumnMap map;
    bool log_errors;
    MbrSession session;
    const MbrConfig *config;
} Firing;

static void
refuse_trigger(const char *message, const char *detail)
{
    ereport(
        ERROR,
        (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED), errmsg("%s", message), errdetail("%s", detail),
         errhint("CREATE TRIGGER ... AFTER INSERT ... EXECUTE FUNCTION membership.accrue_trigger(...).")));
}

static void
check_event(FunctionCallInfo fcinfo)
{
    TriggerData *trigger = (TriggerData *)fcinfo->context;

    if (!CALLED_AS_TRIGGER(fcinfo))
        refuse_trigger("accrue_trigger is a trigger function", "It was called in another way.");
    if (!TRIGGER_FIRED_AFTER(trigger->tg_event) || !TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
        refuse_trigger("accrue_trigger serves AFTER INSERT only",
                       "A changed or deleted order is a correction or refund of its purchase.");
    if (TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) && trigger->tg_newtable == NULL)
        refuse_trigger("accrue_trigger for each statement needs a transition table",
                       "The inserted rows are read from it: REFERENCING NEW TABLE AS ...");
}

static void
read_argument(Firing *firing, const char *pair)
{
    TupleDesc desc = RelationGetDescr(firing->trigger->tg_relation);
    const char *equals = strchr(pair, '=');
    char *name = equals == NULL ? pstrdup(pair) : pnstrdup(pair, equals - pair);
    const char *column = equals == NULL ? "" : equals + 1;
    int argument = mbr_argument_number(&mbr_accrue_arguments, name);
    int attno;

    if (strcmp(name, "on_error") == 0 && (strcmp(column, "raise") == 0 || strcmp(column, "log") == 0)) {
        firing->log_errors = strcmp(column, "log") == 0;
        return;
    }
    if (argument < 0)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("trigger argument \"%s\" is not known", pair),
                 errdetail("Arguments are argument_of_accrue_points=column, and on_error=raise or log."),
                 errhint("Correct the trigger's arguments.")));
    attno = SPI_fnumber(desc, column);
    if (attno <= 0)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                        errmsg("column \"%s\" of \"%s\" does not exist", column,
                               RelationGetRelationName(firing->trigger->tg_relation)),
                        errdetail("Trigger argument \"%s\" names it.", pair),
                        errhint("Correct the trigger's arguments.")));
    mbr_map_column(&firing->map, argument, desc, attno);
}

/* The role that runs the INSERT must be allowed to accrue; being able to write the table is not enough. */
static void
enter(Firing *firing)
{
    mbr_enter(&firing->session, false);
    firing->config = mbr_config_current(&firing->session);
    if (!mbr_may_accrue(&firing->session, firing->config))
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("role \"%s\" may not accrue points",
                               GetUserNameFromId(firing->session.caller, false)),
                        errdetail("It inserts into \"%s\", whose trigger accrues.",
                                  RelationGetRelationName(firing->trigger->tg_relation)),
                        errhint("Run SELECT membership.grant_access(role, 'application').")));
}

/* A purchase as it was tried, as a row of type purchase. */
static Datum
purchase_row(const Firing *firing, const Datum *columns, const bool *nulls)
{
    Datum values[MBR_PURCHASE_ARGS];
    bool isnull[MBR_PURCHASE_ARGS];

    mbr_convert_row(&firing->map, firing->config, columns, nulls, values, isnull);
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(mbr_row_type("purchase")), values, isnull));
}

static void
log_error(Firing *firing, const ErrorData *error, const Datum *columns, const bool *nulls)
{
    MbrArgs args = MBR_NO_ARGS;
    Datum json = DirectFunctionCall1(row_to_json, purchase_row(firing, columns, nulls));

    mbr_arg_text(&args, RelationGetRelationName(firing->trigger->tg_relation));
    mbr_arg_text(&args, TextDatumGetCString(json));
    mbr_arg_text(&args, unpack_sql_state(error->sqlerrcode));
    mbr_arg_text(&args, error->message);
    (void)mbr_plan_run(&firing->session, MBR_PLAN_INSERT_ACCRUAL_ERROR, &args);
}

/* Posts a chunk of inserted rows; guests, whose member is null, are none of ours. */
static void
post_rows(Firing *firing, HeapTuple *tuples, int n)
{
    TupleDesc desc = RelationGetDescr(firing->trigger->tg_relation);
    int width = desc->natts;
    int member_column = firing->map.attno[0];
    MbrRowsIn input;
    MbrBatchRow *rows;
    int kept = 0;

    enter(firing);
    input = mbr_rows_in(n, width, &firing->map, firing->config);
    for (int i = 0; i < n; i++) {
        bool *nulls = input.nulls + kept * width;

        heap_deform_tuple(tuples[i], desc, input.columns + kept * width, nulls);
        if (!nulls[member_column - 1])
            kept++;
    }
    rows = mbr_batch_read(&input, kept);
    if (kept > 0)
        (void)mbr_batch_run(&firing->session, rows, kept);
    for (int i = 0; i < kept; i++) {
        if (rows[i].error == NULL)
            continue;
        if (!firing->log_errors)
            ReThrowError(rows[i].error);
        log_error(firing, rows[i].error, input.columns + i * width, input.nulls + i * width);
    }
    mbr_leave(&firing->session);
}

/* The transition table, by a read pointer of our own: other triggers read it too. */
static void
post_statement(Firing *firing)
{
    Tuplestorestate *table = firing->trigger->tg_newtable;
    TupleTableSlot *slot =
        MakeSingleTupleTableSlot(RelationGetDescr(firing->trigger->tg_relation), &TTSOpsMinimalTuple);
    MemoryContext chunk =
        AllocSetContextCreate(CurrentMemoryContext, "accrue_trigger chunk", ALLOCSET_DEFAULT_SIZES);
    int pointer = tuplestore_alloc_read_pointer(table, EXEC_FLAG_REWIND);
    bool more = true;

    tuplestore_select_read_pointer(table, pointer);
    tuplestore_rescan(table);
    while (more) {
        MemoryContext saved = MemoryContextSwitchTo(chunk);
        HeapTuple *tuples = palloc(sizeof(HeapTuple) * CHUNK);
        int n = 0;

        CHECK_FOR_INTERRUPTS();
        tuplestore_select_read_pointer(table, pointer);
        while (n < CHUNK && (more = tuplestore_gettupleslot(table, true, false, slot)))
            tuples[n++] = ExecCopySlotHeapTuple(slot);
        if (n > 0)
            post_rows(firing, tuples, n);
        MemoryContextSwitchTo(saved);
        MemoryContextReset(chunk);
    }
    ExecDropSingleTupleTableSlot(slot);
}

Datum
membership_accrue_trigger(PG_FUNCTION_ARGS)
{
    Firing firing = {.trigger = (TriggerData *)fcinfo->context, .map = {.arguments = &mbr_accrue_arguments}};

    check_event(fcinfo);
    for (int i = 0; i < firing.trigger->tg_trigger->tgnargs; i++)
        read_argument(&firing, firing.trigger->tg_trigger->tgargs[i]);
    mbr_check_map(&firing.map, "trigger");
    if (TRIGGER_FIRED_FOR_ROW(firing.trigger->tg_event)) {
        HeapTuple tuple = firing.trigger->tg_trigtuple;

        post_rows(&firing, &tuple, 1);
    } else {
        post_statement(&firing);
    }
    return PointerGetDatum(NULL);
}

/* ------------------------------------------------------------------ retry */

static void
settle_errors(MbrSession *session, const Datum *ids, const MbrBatchRow *rows, int n, int64 *posted,
              int64 *failed)
{
    for (int i = 0; i < n; i++) {
        MbrArgs args = MBR_NO_ARGS;

        mbr_arg_datum(&args, ids[i], false);
        if (rows[i].error == NULL) {
            (*posted)++;
            (void)mbr_plan_run(session, MBR_PLAN_DELETE_ACCRUAL_ERROR, &args);
            continue;
        }
        (*failed)++;
        mbr_arg_text(&args, unpack_sql_state(rows[i].error->sqlerrcode));
        mbr_arg_text(&args, rows[i].error->message);
        (void)mbr_plan_run(session, MBR_PLAN_UPDATE_ACCRUAL_ERROR, &args);
    }
}

/* The recorded purchases in the order of their recording; those locked by another retry are left to it. */
Datum
membership_retry_accrual_errors(PG_FUNCTION_ARGS)
{
    MbrArgs none = MBR_NO_ARGS;
    int64 posted = 0, failed = 0;
    Datum values[2];
    bool no_nulls[2] = {false};
    MbrSession session;
    MbrRowsIn input;
    MbrBatchRow *rows;
    TupleDesc desc;
    Datum *ids;
    int n;

    if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "result is not a composite type");
    mbr_enter(&session, false);
    (void)mbr_config_current(&session);
    n = (int)mbr_plan_run(&session, MBR_PLAN_LOCK_ACCRUAL_ERRORS, &none);
    input = mbr_rows_in(n, MBR_PURCHASE_ARGS, NULL, NULL);
    ids = palloc(sizeof(Datum) * Max(n, 1));
    for (int i = 0; i < n; i++) {
        ids[i] = mbr_col_copy(i, 1);
        for (int c = 0; c < MBR_PURCHASE_ARGS; c++) {
            int cell = i * MBR_PURCHASE_ARGS + c;

            input.nulls[cell] = mbr_col_null(i, c + 2);
            input.columns[cell] = input.nulls[cell] ? (Datum)0 : mbr_col_copy(i, c + 2);
        }
    }
    rows = mbr_batch_read(&input, n);
    if (n > 0)
        (void)mbr_batch_run(&session, rows, n);
    settle_errors(&session, ids, rows, n, &posted, &failed);
    mbr_leave(&session);
    values[0] = Int64GetDatum(posted);
    values[1] = Int64GetDatum(failed);
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, no_nulls));
}
