/*
 * accrue_from.c - CALL accrue_from(query): purchases from a query of the caller's, chunk by chunk.
 *
 * The query is prepared, opened and fetched as the caller; only the posting of a chunk is done as the owner.
 * Each chunk is a transaction of its own where the call allows that; run again after a crash, what was posted
 * comes back as duplicates.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "api/args.h"
#include "api/batch.h"

PG_FUNCTION_INFO_V1(membership_accrue_from);

#define MAX_CHUNK 10000

typedef struct Load {
    Portal portal;
    MbrColumnMap map;
    SPIPlanPtr report; /* INSERT into the result table; NULL = none */
    bool commits;
    int64 processed;
    int64 duplicates;
    int64 failed;
} Load;

/*
 * Opens the query; a row-returning statement that writes could not be fetched across commits. Without
 * scrolling, for else the first commit would run it again from the start.
 */
static Portal
open_query(const char *query)
{
    SPIPlanPtr plan = SPI_prepare_cursor(query, 0, NULL, CURSOR_OPT_NO_SCROLL);
    Portal portal;

    if (plan == NULL || !SPI_is_cursor_plan(plan))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("query is not one SELECT"),
                 errdetail("Purchases are fetched from it chunk by chunk."),
                 errhint("Pass one SELECT whose columns are named as the arguments of accrue_points.")));
    portal = SPI_cursor_open(NULL, plan, NULL, NULL, false);
    if (portal->strategy != PORTAL_ONE_SELECT)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("query is not one SELECT"),
                        errdetail("It changes data, which cannot go on across the commits of its chunks."),
                        errhint("Pass a plain SELECT.")));
    PinPortal(portal);
    return portal;
}

static void
map_columns(Load *load)
{
    TupleDesc desc = load->portal->tupDesc;

    for (int i = 0; i < desc->natts; i++) {
        const char *name = NameStr(TupleDescAttr(desc, i)->attname);
        int argument = mbr_argument_number(name);

        if (argument < 0)
            ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                            errmsg("column \"%s\" is no argument of accrue_points", name),
                            errdetail("The query's columns carry the names of its arguments."),
                            errhint("Rename the column with AS, or leave it out.")));
        if (load->map.attno[argument] != 0)
            ereport(ERROR, (errcode(ERRCODE_DUPLICATE_COLUMN), errmsg("column \"%s\" comes twice", name),
                            errdetail("Each argument has one value."), errhint("Leave one of them out.")));
        mbr_map_column(&load->map, argument, desc, i + 1);
    }
    mbr_check_map(&load->map, "query");
}

/* The columns of type batch_result. */
static const struct {
    const char *name;
    Oid type;
} report_columns[MBR_BATCH_COLUMNS] = {
    {"row_no", INT8OID},
    {"journal_no", INT8OID},
    {"status", TEXTOID},
    {"reason_code", TEXTOID},
    {"points", INT8OID},
    {"points_wanted", INT8OID},
    {"base_points", INT8OID},
    {"bonus_points", INT8OID},
    {"available_at", TIMESTAMPTZOID},
    {"expires_at", TIMESTAMPTZOID},
    {"balance", INT8OID},
    {"tier", TEXTOID},
    {"tier_changed", BOOLOID},
    {"duplicate", BOOLOID},
    {"explanation", JSONBOID},
    {"sqlstate", TEXTOID},
    {"message", TEXTOID},
};

/* The caller's own INSERT into the caller's own table. */
static SPIPlanPtr
prepare_report(Oid table)
{
    Oid types[MBR_BATCH_COLUMNS];
    StringInfoData names, values;
    SPIPlanPtr plan;

    if (get_rel_name(table) == NULL)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("result_table does not exist"),
                        errdetail("No relation has OID %u.", table), errhint("Create it first.")));
    initStringInfo(&names);
    initStringInfo(&values);
    for (int i = 0; i < MBR_BATCH_COLUMNS; i++) {
        appendStringInfo(&names, "%s%s", i == 0 ? "" : ", ", report_columns[i].name);
        appendStringInfo(&values, "%s$%d", i == 0 ? "" : ", ", i + 1);
        types[i] = report_columns[i].type;
    }
    plan = SPI_prepare(psprintf("INSERT INTO %s (%s) VALUES (%s)",
                                quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)),
                                                           get_rel_name(table)),
                                names.data, values.data),
                       MBR_BATCH_COLUMNS, types);
    if (plan == NULL || SPI_keepplan(plan) != 0)
        elog(ERROR, "could not prepare the insertion into the result table");
    return plan;
}

/* Copies what was fetched, as posting will run other statements. */
static HeapTuple *
copy_fetched(uint64 n)
{
    HeapTuple *tuples = palloc(sizeof(HeapTuple) * n);

    for (uint64 i = 0; i < n; i++)
        tuples[i] = heap_copytuple(SPI_tuptable->vals[i]);
    SPI_freetuptable(SPI_tuptable);
    return tuples;
}

static MbrBatchRow *
post_chunk(Load *load, HeapTuple *tuples, int n, const MbrConfig **config)
{
    TupleDesc desc = load->portal->tupDesc;
    MbrBatchInput input;
    MbrBatchRow *rows;
    MbrSession session;

    mbr_enter(&session, false);
    input = mbr_batch_input(n, desc->natts, &load->map, mbr_config_current(&session));
    for (int i = 0; i < n; i++)
        heap_deform_tuple(tuples[i], desc, input.columns + i * desc->natts, input.nulls + i * desc->natts);
    rows = mbr_batch_read(&input, n);
    *config = mbr_batch_run(&session, rows, n);
    mbr_leave(&session);
    return rows;
}

static void
report_chunk(Load *load, const MbrConfig *config, const MbrBatchRow *rows, int n)
{
    for (int i = 0; i < n; i++) {
        Datum values[MBR_BATCH_COLUMNS];
        bool isnull[MBR_BATCH_COLUMNS];
        char nulls[MBR_BATCH_COLUMNS];

        load->processed++;
        load->failed += (rows[i].error != NULL);
        load->duplicates += (rows[i].error == NULL && rows[i].result.duplicate);
        if (load->report == NULL)
            continue;
        mbr_batch_columns(config, load->processed, &rows[i], values, isnull);
        for (int c = 0; c < MBR_BATCH_COLUMNS; c++)
            nulls[c] = isnull[c] ? 'n' : ' ';
        if (SPI_execute_plan(load->report, values, nulls, false, 0) < 0)
            elog(ERROR, "could not insert into the result table");
    }
}

/* One chunk; false when the query has no more rows. The snapshot serves what needs one after a commit. */
static bool
do_chunk(Load *load, int size)
{
    const MbrConfig *config;
    MbrBatchRow *rows;
    HeapTuple *tuples;
    MemoryContext context = CurrentMemoryContext;
    int n;

    SPI_cursor_fetch(load->portal, true, size);
    n = (int)SPI_processed;
    MemoryContextSwitchTo(context);
    if (n == 0)
        return false;
    tuples = copy_fetched(n);
    PushActiveSnapshot(GetTransactionSnapshot());
    rows = post_chunk(load, tuples, n, &config);
    report_chunk(load, config, rows, n);
    PopActiveSnapshot();
    pgstat_report_activity(STATE_RUNNING, psprintf("CALL membership.accrue_from: " INT64_FORMAT
                                                   " purchases processed, " INT64_FORMAT
                                                   " duplicates, " INT64_FORMAT " failed",
                                                   load->processed, load->duplicates, load->failed));
    return n == size;
}

static void
run(Load *load, int size)
{
    MemoryContext chunk =
        AllocSetContextCreate(CurrentMemoryContext, "accrue_from chunk", ALLOCSET_DEFAULT_SIZES);
    bool more = true;

    while (more) {
        MemoryContext saved = MemoryContextSwitchTo(chunk);

        CHECK_FOR_INTERRUPTS();
        more = do_chunk(load, size);
        MemoryContextSwitchTo(saved);
        MemoryContextReset(chunk);
        if (load->commits)
            SPI_commit();
    }
}

static int
get_batch_size(FunctionCallInfo fcinfo)
{
    int size = mbr_get_int4(fcinfo, 2, "batch_size");

    if (size < 1 || size > MAX_CHUNK)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("batch_size must not be %d", size),
                 errdetail("A chunk has 1 to %d purchases.", MAX_CHUNK), errhint("The default is 1000.")));
    return size;
}

Datum
membership_accrue_from(PG_FUNCTION_ARGS)
{
    bool atomic = fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
                  castNode(CallContext, fcinfo->context)->atomic;
    char *query = mbr_get_text(fcinfo, 0, "query", 1024 * 1024);
    int size = get_batch_size(fcinfo);
    Load load = {.commits = !atomic};
    Datum values[3];
    bool nulls[3] = {false};
    TupleDesc desc;
    HeapTuple row;
    Oid program;

    (void)mbr_program_owner(&program); /* refuses early */
    if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "result is not a composite type");
    desc = BlessTupleDesc(desc);
    if (SPI_connect_ext(atomic ? 0 : SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
        elog(ERROR, "could not connect to SPI");
    if (!PG_ARGISNULL(1))
        load.report = prepare_report(PG_GETARG_OID(1));
    load.portal = open_query(query);
    map_columns(&load);
    run(&load, size);
    UnpinPortal(load.portal);
    SPI_cursor_close(load.portal);
    if (load.report != NULL)
        SPI_freeplan(load.report);
    SPI_finish();
    values[0] = Int64GetDatum(load.processed);
    values[1] = Int64GetDatum(load.duplicates);
    values[2] = Int64GetDatum(load.failed);
    row = heap_form_tuple(desc, values, nulls);
    return HeapTupleGetDatum(row);
}
