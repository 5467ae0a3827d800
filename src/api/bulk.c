/*
 * bulk.c - CALL accrue_from(query), refund_from(query): rows of a query of the caller's, chunk by chunk.
 *
 * The query is prepared, opened and fetched as the caller; only the posting of a chunk is done as the owner.
 * Each chunk is a transaction of its own where the call allows that; run again after a crash, what was posted
 * comes back as duplicates.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
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
#include "api/bulk.h"
#include "api/result.h"

#define MAX_CHUNK 10000

typedef struct Load {
    const MbrBulk *bulk;
    Portal portal;
    MbrColumnMap map;
    SPIPlanPtr report; /* INSERT into the result table; NULL = none */
    int ncolumns;      /* of it */
    bool commits;
    int64 processed;
    int64 counts[MBR_BULK_OUTCOMES];
} Load;

/*
 * Opens the query; a row-returning statement that writes could not be fetched across commits. Without
 * scrolling, for else the first commit would run it again from the start.
 */
static Portal
open_query(const char *query, const char *function)
{
    SPIPlanPtr plan = SPI_prepare_cursor(query, 0, NULL, CURSOR_OPT_NO_SCROLL);
    Portal portal;

    if (plan == NULL || !SPI_is_cursor_plan(plan))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("query is not one SELECT"),
                 errdetail("Rows are fetched from it chunk by chunk."),
                 errhint("Pass one SELECT whose columns are named as the arguments of %s.", function)));
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
    const MbrArguments *arguments = load->bulk->arguments;
    TupleDesc desc = load->portal->tupDesc;

    load->map.arguments = arguments;
    for (int i = 0; i < desc->natts; i++) {
        const char *name = NameStr(TupleDescAttr(desc, i)->attname);
        int argument = mbr_argument_number(arguments, name);

        if (argument < 0)
            ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                            errmsg("column \"%s\" is no argument of %s", name, arguments->function),
                            errdetail("The query's columns carry the names of its arguments."),
                            errhint("Rename the column with AS, or leave it out.")));
        if (load->map.attno[argument] != 0)
            ereport(ERROR, (errcode(ERRCODE_DUPLICATE_COLUMN), errmsg("column \"%s\" comes twice", name),
                            errdetail("Each argument has one value."), errhint("Leave one of them out.")));
        mbr_map_column(&load->map, argument, desc, i + 1);
    }
    mbr_check_map(&load->map, "query");
}

static void
need_result_column(const Load *load, Oid table, const char *name)
{
    if (get_attnum(table, name) != InvalidAttrNumber)
        return;
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN), errmsg("result_table has no column \"%s\"", name),
                    errdetail("It needs the columns of type membership.%s.", load->bulk->result_type),
                    errhint("CREATE TABLE %s (LIKE membership.%s).", quote_identifier(get_rel_name(table)),
                            load->bulk->result_type)));
}

/* The caller's own INSERT into the caller's own table. */
static void
prepare_report(Load *load, Oid table)
{
    TupleDesc row = mbr_row_type(load->bulk->result_type);
    Oid *types = palloc(sizeof(Oid) * row->natts);
    StringInfoData names, values;

    if (get_rel_name(table) == NULL)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("result_table does not exist"),
                        errdetail("No relation has OID %u.", table), errhint("Create it first.")));
    initStringInfo(&names);
    initStringInfo(&values);
    for (int i = 0; i < row->natts; i++) {
        need_result_column(load, table, NameStr(TupleDescAttr(row, i)->attname));
        appendStringInfo(&names, "%s%s", i == 0 ? "" : ", ", NameStr(TupleDescAttr(row, i)->attname));
        appendStringInfo(&values, "%s$%d", i == 0 ? "" : ", ", i + 1);
        types[i] = TupleDescAttr(row, i)->atttypid;
    }
    load->report =
        SPI_prepare(psprintf("INSERT INTO %s (%s) VALUES (%s)",
                             quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)),
                                                        get_rel_name(table)),
                             names.data, values.data),
                    row->natts, types);
    if (load->report == NULL || SPI_keepplan(load->report) != 0)
        elog(ERROR, "could not prepare the insertion into the result table");
    load->ncolumns = row->natts;
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

static void
post_chunk(Load *load, HeapTuple *tuples, int n, MbrBulkChunk *chunk)
{
    TupleDesc desc = load->portal->tupDesc;
    MbrRowsIn input;
    MbrSession session;

    mbr_enter(&session, false);
    input = mbr_rows_in(n, desc->natts, &load->map, mbr_config_current(&session));
    for (int i = 0; i < n; i++)
        heap_deform_tuple(tuples[i], desc, input.columns + i * desc->natts, input.nulls + i * desc->natts);
    load->bulk->post(&session, &input, n, chunk);
    mbr_leave(&session);
}

static void
report_row(const Load *load, const MbrBulkChunk *chunk, int row)
{
    Datum *values = palloc(sizeof(Datum) * load->ncolumns);
    bool *isnull = palloc(sizeof(bool) * load->ncolumns);
    char *nulls = palloc(load->ncolumns);

    load->bulk->columns(chunk, row, load->processed, values, isnull);
    for (int c = 0; c < load->ncolumns; c++)
        nulls[c] = isnull[c] ? 'n' : ' ';
    if (SPI_execute_plan(load->report, values, nulls, false, 0) < 0)
        elog(ERROR, "could not insert into the result table");
}

/* How far it is, for pg_stat_activity. */
static void
show_progress(const Load *load)
{
    StringInfoData text;

    initStringInfo(&text);
    appendStringInfo(&text, "CALL membership.%s: " INT64_FORMAT " %s processed, " INT64_FORMAT " duplicates",
                     load->bulk->procedure, load->processed, load->bulk->rows,
                     load->counts[MBR_BULK_DUPLICATE]);
    if (load->bulk->parks)
        appendStringInfo(&text, ", " INT64_FORMAT " parked", load->counts[MBR_BULK_PARKED]);
    appendStringInfo(&text, ", " INT64_FORMAT " failed", load->counts[MBR_BULK_FAILED]);
    pgstat_report_activity(STATE_RUNNING, text.data);
}

/* One chunk; false when the query has no more rows. The snapshot serves what needs one after a commit. */
static bool
do_chunk(Load *load, int size)
{
    HeapTuple *tuples;
    MemoryContext context = CurrentMemoryContext;
    MbrBulkChunk chunk;
    int n;

    SPI_cursor_fetch(load->portal, true, size);
    n = (int)SPI_processed;
    MemoryContextSwitchTo(context);
    if (n == 0)
        return false;
    tuples = copy_fetched(n);
    PushActiveSnapshot(GetTransactionSnapshot());
    post_chunk(load, tuples, n, &chunk);
    for (int i = 0; i < n; i++) {
        load->processed++;
        load->counts[load->bulk->outcome(&chunk, i)]++;
        if (load->report != NULL)
            report_row(load, &chunk, i);
    }
    PopActiveSnapshot();
    show_progress(load);
    return n == size;
}

static void
run(Load *load, int size)
{
    MemoryContext chunk = AllocSetContextCreate(CurrentMemoryContext, "bulk chunk", ALLOCSET_DEFAULT_SIZES);
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
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("batch_size must not be %d", size),
                        errdetail("A chunk has 1 to %d rows.", MAX_CHUNK), errhint("The default is 1000.")));
    return size;
}

static Datum
counts_row(const Load *load, TupleDesc desc)
{
    Datum values[MBR_BULK_OUTCOMES];
    bool nulls[MBR_BULK_OUTCOMES] = {false};
    int n = 0;

    values[n++] = Int64GetDatum(load->processed);
    values[n++] = Int64GetDatum(load->counts[MBR_BULK_DUPLICATE]);
    if (load->bulk->parks)
        values[n++] = Int64GetDatum(load->counts[MBR_BULK_PARKED]);
    values[n++] = Int64GetDatum(load->counts[MBR_BULK_FAILED]);
    return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

Datum
mbr_bulk(FunctionCallInfo fcinfo, const MbrBulk *bulk)
{
    bool atomic = fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
                  castNode(CallContext, fcinfo->context)->atomic;
    char *query = mbr_get_text(fcinfo, 0, "query", 1024 * 1024);
    int size = get_batch_size(fcinfo);
    Load load = {.bulk = bulk, .commits = !atomic};
    TupleDesc desc;
    Oid program;

    (void)mbr_program_owner(&program); /* refuses early */
    if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "result is not a composite type");
    desc = BlessTupleDesc(desc);
    if (SPI_connect_ext(atomic ? 0 : SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
        elog(ERROR, "could not connect to SPI");
    if (!PG_ARGISNULL(1))
        prepare_report(&load, PG_GETARG_OID(1));
    load.portal = open_query(query, bulk->arguments->function);
    map_columns(&load);
    run(&load, size);
    UnpinPortal(load.portal);
    SPI_cursor_close(load.portal);
    if (load.report != NULL)
        SPI_freeplan(load.report);
    SPI_finish();
    return counts_row(&load, desc);
}

void
mbr_bulk_columns(int64 row_no, const ErrorData *error, int nresult, Datum *values, bool *nulls)
{
    memset(nulls, true, sizeof(bool) * (nresult + MBR_BULK_MORE));
    values[0] = Int64GetDatum(row_no);
    nulls[0] = false;
    if (error == NULL)
        return;
    values[nresult + 1] = CStringGetTextDatum(unpack_sql_state(error->sqlerrcode));
    values[nresult + 2] = CStringGetTextDatum(error->message);
    nulls[nresult + 1] = nulls[nresult + 2] = false;
}
