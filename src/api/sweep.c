/*
 * sweep.c - the runner of all sweeps.
 *
 * Each batch is posted as the owner, with its progress in job_run, in a subtransaction: one that fails is
 * taken back, the error noted in job_run and raised again. Inside a transaction block nothing can be
 * committed, and one batch is done. What a run remembers besides job_run is its own: run again, it searches
 * from the start and finds what is still due.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "api/args.h"
#include "api/result.h"
#include "api/sweep.h"
#include "store/load.h"

#define MAX_BATCH 10000

int
mbr_get_batch_size(FunctionCallInfo fcinfo, int arg)
{
    int size = mbr_get_int4(fcinfo, arg, "batch_size");

    if (size < 1 || size > MAX_BATCH)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("batch_size must not be %d", size),
                 errdetail("A batch has 1 to %d members.", MAX_BATCH), errhint("The default is 5000.")));
    return size;
}

Interval *
mbr_get_distance(FunctionCallInfo fcinfo, int arg, const char *name)
{
    Interval none = {0};
    Interval most = {.month = 100 * MONTHS_PER_YEAR};
    Datum value;

    mbr_require(fcinfo, arg, name);
    value = PG_GETARG_DATUM(arg);
    if (!DatumGetBool(DirectFunctionCall2(interval_gt, value, IntervalPGetDatum(&none))) ||
        DatumGetBool(DirectFunctionCall2(interval_gt, value, IntervalPGetDatum(&most))))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s is out of range", name),
                        errdetail("It is %s; above 0, and at most 100 years, are allowed.",
                                  DatumGetCString(DirectFunctionCall1(interval_out, value))),
                        errhint("Pass an interval such as '30 days'.")));
    return DatumGetIntervalP(value);
}

void
mbr_sweep_put_off(MbrSweep *sweep, int64 member_id)
{
    if (sweep->nput_off == sweep->max_put_off)
        sweep->put_off = repalloc_huge(sweep->put_off, sizeof(int64) * (sweep->max_put_off *= 2));
    sweep->put_off[sweep->nput_off++] = member_id;
}

/* ------------------------------------------------------------------ a batch */

/*
 * Without commits it goes on until something was done: the next call would begin at the start again, and find
 * the same members.
 */
static void
post_found(MbrSession *session, MbrSweep *sweep)
{
    int64 *ids = palloc(sizeof(int64) * sweep->batch_size);

    do {
        int n = sweep->job->find(session, &sweep->search, sweep->due, ids, sweep->batch_size);

        if (n > 0)
            (void)sweep->job->post(session, sweep, ids, n, false);
    } while (!sweep->commits && sweep->members == 0 && !sweep->search.at_end);
}

static void
post_put_off(MbrSession *session, MbrSweep *sweep)
{
    int n = Min(sweep->nput_off - sweep->nwaited, sweep->batch_size);

    sweep->nwaited += sweep->job->post(session, sweep, sweep->put_off + sweep->nwaited, n, true);
}

/* Whether one batch may not have been all: another finds out. */
static bool
is_more(MbrSession *session, const MbrSweep *sweep)
{
    MbrSearch ahead = sweep->search;
    bool more = sweep->nwaited < sweep->nput_off;
    int64 id;

    while (!more && !ahead.at_end)
        more = sweep->job->find(session, &ahead, sweep->due, &id, 1) > 0;
    return more;
}

static bool
is_done(const MbrSweep *sweep)
{
    return sweep->search.at_end && sweep->nwaited == sweep->nput_off;
}

static void
do_batch(MbrSweep *sweep)
{
    MbrSession session;

    PushActiveSnapshot(GetTransactionSnapshot());
    mbr_enter(&session, false);
    if (sweep->waits)
        post_put_off(&session, sweep);
    else
        post_found(&session, sweep);
    sweep->batches++;
    if (!sweep->commits)
        sweep->more = is_more(&session, sweep);
    mbr_run_note(&session, &sweep->run, sweep->batches, sweep->members, sweep->search.last_key,
                 sweep->commits ? is_done(sweep) : !sweep->more);
    mbr_leave(&session);
    PopActiveSnapshot();
}

/* ------------------------------------------------------------------ the run */

static void
begin_run(MbrSweep *sweep)
{
    int64 clock = GetCurrentTimestamp();
    const MbrConfig *config;
    MbrSession session;

    PushActiveSnapshot(GetTransactionSnapshot());
    mbr_enter(&session, false);
    config = mbr_config_current(&session);
    mbr_need_tables(config, 2);
    if (sweep->as_of_given)
        mbr_check_not_ahead(sweep->as_of, clock, config, "as_of");
    else
        sweep->as_of = clock;
    sweep->due = sweep->job->due(&session, sweep);
    sweep->run = mbr_run_start(&session, sweep->job->name, sweep->as_of);
    mbr_leave(&session);
    PopActiveSnapshot();
}

static void
note_failure(MbrSweep *sweep, const ErrorData *error)
{
    MbrSession session;

    PushActiveSnapshot(GetTransactionSnapshot());
    mbr_enter(&session, false);
    mbr_run_fail(&session, &sweep->run,
                 psprintf("%s: %s", unpack_sql_state(error->sqlerrcode), error->message));
    mbr_leave(&session);
    PopActiveSnapshot();
    SPI_commit();
}

/* Every error is caught, a cancel too, noted, and goes on as it was. */
static void
do_batch_or_fail(MbrSweep *sweep)
{
    MemoryContext context = CurrentMemoryContext;
    ResourceOwner owner = CurrentResourceOwner;
    ErrorData *volatile error = NULL;

    BeginInternalSubTransaction(NULL);
    MemoryContextSwitchTo(context);
    PG_TRY();
    {
        do_batch(sweep);
        ReleaseCurrentSubTransaction();
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(context);
        error = CopyErrorData();
        FlushErrorState();
        RollbackAndReleaseCurrentSubTransaction();
    }
    PG_END_TRY();
    MemoryContextSwitchTo(context);
    CurrentResourceOwner = owner;
    if (error != NULL) {
        note_failure(sweep, error);
        ReThrowError(error);
    }
}

static void
report_progress(const MbrSweep *sweep)
{
    pgstat_report_activity(STATE_RUNNING,
                           psprintf("CALL membership.%s: " INT64_FORMAT " members, " INT64_FORMAT
                                    " %s, last looked at " INT64_FORMAT "%s",
                                    sweep->job->name, sweep->members, sweep->counted, sweep->job->counted,
                                    sweep->search.last_key, sweep->waits ? ", locked ones left" : ""));
}

static void
run_to_the_end(MbrSweep *sweep)
{
    MemoryContext batch =
        AllocSetContextCreate(CurrentMemoryContext, "batch of a sweep", ALLOCSET_DEFAULT_SIZES);

    SPI_commit(); /* the run's row */
    while (!is_done(sweep)) {
        MemoryContext saved = MemoryContextSwitchTo(batch);

        CHECK_FOR_INTERRUPTS();
        sweep->waits = sweep->search.at_end;
        do_batch_or_fail(sweep);
        report_progress(sweep);
        MemoryContextSwitchTo(saved);
        MemoryContextReset(batch);
        SPI_commit();
    }
}

/* Where all it found was locked, it waits: repeated until there is no more, it gets through. */
static void
run_one_batch(MbrSweep *sweep)
{
    do_batch(sweep);
    sweep->waits = sweep->members == 0 && sweep->nput_off > 0;
    if (sweep->waits)
        do_batch(sweep);
}

Datum
mbr_sweep_run(FunctionCallInfo fcinfo, MbrSweep *sweep)
{
    bool atomic = fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
                  castNode(CallContext, fcinfo->context)->atomic || IsSubTransaction();
    Datum values[3];
    bool nulls[3] = {false};

    sweep->commits = !atomic;
    sweep->as_of_given = (sweep->as_of != MBR_NEVER);
    if (SPI_connect_ext(atomic ? 0 : SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
        elog(ERROR, "could not connect to SPI");
    sweep->max_put_off = 64;
    sweep->put_off = palloc(sizeof(int64) * sweep->max_put_off);
    begin_run(sweep);
    if (sweep->commits)
        run_to_the_end(sweep);
    else
        run_one_batch(sweep);
    SPI_finish();
    values[0] = Int64GetDatum(sweep->members);
    values[1] = Int64GetDatum(sweep->counted);
    values[2] = BoolGetDatum(sweep->more);
    return mbr_result_row(fcinfo, values, nulls);
}
