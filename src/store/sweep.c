/* sweep.c - runs of sweeps, the search for members with something due, announcements, pruning. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"

#include "engine/canary.h"
#include "engine/work.h"
#include "store/plan.h"
#include "store/sweep.h"
#include "store/table.h"

#define LOOKED_AT 50000 /* accounts in one call */

static void
add_run(MbrArgs *args, const pg_uuid_t *run)
{
    mbr_arg_datum(args, UUIDPGetDatum(run), false);
}

pg_uuid_t
mbr_run_start(MbrSession *session, const char *job, int64 as_of)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_text(&args, job);
    mbr_arg_time(&args, as_of);
    (void)mbr_plan_run(session, MBR_PLAN_START_RUN, &args);
    return *DatumGetUUIDP(mbr_col_datum(0, 1));
}

void
mbr_run_note(MbrSession *session, const pg_uuid_t *run, int batches, int64 rows, int64 last_key,
             bool finished)
{
    MbrArgs args = MBR_NO_ARGS;

    add_run(&args, run);
    mbr_arg_int4(&args, batches);
    mbr_arg_int8(&args, rows);
    mbr_arg_int8(&args, last_key);
    mbr_arg_bool(&args, finished);
    (void)mbr_plan_run(session, MBR_PLAN_NOTE_RUN, &args);
}

void
mbr_run_fail(MbrSession *session, const pg_uuid_t *run, const char *error)
{
    MbrArgs args = MBR_NO_ARGS;

    add_run(&args, run);
    mbr_arg_text(&args, error);
    (void)mbr_plan_run(session, MBR_PLAN_FAIL_RUN, &args);
}

/* ------------------------------------------------------------------ the search */

/* As mbr_settle_needed has it: what pays a debt may be due before anything dies. */
static bool
may_be_due(MbrTable *account, int64 due)
{
    return mbr_table_get_int8(account, MBR_ACCOUNT_NEXT_EXPIRY, MBR_NEVER) <= due ||
           (mbr_table_get_int8(account, MBR_ACCOUNT_DEBT, 0) > 0 && !MBR_CANARY(SWEEP_LEAVES_DEBT));
}

/*
 * No index on next_expiry: it changes with purchases, which then could not be heap-only updates. Accounts are
 * read in the order of their key.
 */
int
mbr_find_due(MbrSession *session, MbrSearch *search, int64 due, int64 *ids, int max)
{
    MbrTable *account = mbr_table_open(session, MBR_TABLE_ACCOUNT, false);
    Datum above = Int64GetDatum(search->last_key);
    int n = 0;

    mbr_table_scan(account, NULL, 0, &above);
    for (int looked = 0; n < max && looked < LOOKED_AT; looked++) {
        CHECK_FOR_INTERRUPTS();
        if (!mbr_table_next(account)) {
            search->at_end = true;
            break;
        }
        search->last_key = mbr_table_get_int8(account, MBR_ACCOUNT_MEMBER_ID, 0);
        if (mbr_table_get_int2(account, MBR_ACCOUNT_WALLET_ID) == MBR_WALLET_POINTS &&
            may_be_due(account, due))
            ids[n++] = search->last_key;
    }
    return n;
}

bool
mbr_is_due(MbrSession *session, int64 member_id, int64 due)
{
    MbrTable *account = mbr_table_open(session, MBR_TABLE_ACCOUNT, false);
    Datum key[] = {Int64GetDatum(member_id), Int16GetDatum(MBR_WALLET_POINTS)};

    return mbr_table_find(account, key) && may_be_due(account, due);
}

/* By a statement that returns the members of a page, and whether something of each is due. */
static int
find_by_page(MbrSession *session, MbrPlan plan, MbrSearch *search, int64 due, int64 *ids, int max)
{
    MbrArgs args = MBR_NO_ARGS;
    uint64 found;
    int n = 0;

    mbr_arg_int8(&args, search->last_key);
    mbr_arg_time(&args, due);
    mbr_arg_int8(&args, Max(2 * max, 1000));
    found = mbr_plan_run(session, plan, &args);
    search->at_end = (found == 0);
    for (uint64 i = 0; i < found && n < max; i++) {
        search->last_key = mbr_col_int8(i, 1, 0);
        if (mbr_col_bool(i, 2))
            ids[n++] = search->last_key;
    }
    return n;
}

int
mbr_find_due_holds(MbrSession *session, MbrSearch *search, int64 due, int64 *ids, int max)
{
    return find_by_page(session, MBR_PLAN_DUE_HOLDS, search, due, ids, max);
}

int
mbr_find_old_contexts(MbrSession *session, MbrSearch *search, int64 due, int64 *ids, int max)
{
    return find_by_page(session, MBR_PLAN_OLD_CONTEXTS, search, due, ids, max);
}

/* ------------------------------------------------------------------ announcements and pruning */

static int64
moment_by(MbrSession *session, MbrPlan plan, int64 as_of, Interval *distance)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_time(&args, as_of);
    mbr_arg_datum(&args, IntervalPGetDatum(distance), false);
    (void)mbr_plan_run(session, plan, &args);
    return mbr_col_int8(0, 1, MBR_NEVER);
}

int64
mbr_announce_until(MbrSession *session, int64 as_of, Interval *lead)
{
    return moment_by(session, MBR_PLAN_ANNOUNCE_UNTIL, as_of, lead);
}

int64
mbr_prune_before(MbrSession *session, int64 as_of, Interval *older_than)
{
    return moment_by(session, MBR_PLAN_PRUNE_BEFORE, as_of, older_than);
}

/* Runs a statement that returns the numbers of members and of what was done for them. */
static void
run_counting(MbrSession *session, MbrPlan plan, MbrArgs *args, int64 *members, int64 *done)
{
    (void)mbr_plan_run(session, plan, args);
    *members = mbr_col_int8(0, 1, 0);
    *done = mbr_col_int8(0, 2, 0);
}

static void
add_array(MbrArgs *args, Datum *values, int n, Oid type)
{
    ArrayType *array = construct_array(values, n, type, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);

    mbr_arg_datum(args, PointerGetDatum(array), false);
}

void
mbr_announce(MbrSession *session, const MbrDying *dying, int n, Interval *lead, int64 *members, int64 *events)
{
    Datum *column = palloc(sizeof(Datum) * Max(n, 1));
    MbrArgs args = MBR_NO_ARGS;

    for (int i = 0; i < n; i++)
        column[i] = Int64GetDatum(dying[i].member_id);
    add_array(&args, column, n, INT8OID);
    for (int i = 0; i < n; i++)
        column[i] = TimestampTzGetDatum(dying[i].expires_at);
    add_array(&args, column, n, TIMESTAMPTZOID);
    for (int i = 0; i < n; i++)
        column[i] = Int64GetDatum(dying[i].points);
    add_array(&args, column, n, INT8OID);
    mbr_arg_datum(&args, IntervalPGetDatum(lead), false);
    mbr_set(session, "IntervalStyle", "iso_8601"); /* whatever the caller's is */
    run_counting(session, MBR_PLAN_ANNOUNCE, &args, members, events);
}

void
mbr_prune_contexts(MbrSession *session, const int64 *ids, int n, int64 before, int64 *members,
                   int64 *contexts)
{
    Datum *column = palloc(sizeof(Datum) * Max(n, 1));
    MbrArgs args = MBR_NO_ARGS;

    for (int i = 0; i < n; i++)
        column[i] = Int64GetDatum(ids[i]);
    add_array(&args, column, n, INT8OID);
    mbr_arg_time(&args, before);
    run_counting(session, MBR_PLAN_PRUNE_CONTEXTS, &args, members, contexts);
}
