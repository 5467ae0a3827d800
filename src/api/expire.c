/*
 * expire.c - CALL expire_points and release_holds: members are settled as their next call would settle them.
 *
 * The two differ in how they search, and in what they count.
 */
#include "postgres.h"

#include "fmgr.h"

#include "api/args.h"
#include "api/result.h"
#include "api/sweep.h"
#include "engine/canary.h"
#include "engine/ledger.h"
#include "store/apply.h"
#include "store/load.h"

PG_FUNCTION_INFO_V1(membership_expire_points);
PG_FUNCTION_INFO_V1(membership_release_holds);

static int64
due_by_as_of(MbrSession *session, const MbrSweep *sweep)
{
    return sweep->as_of;
}

/* Locks the members that are still due; returns how many of them it came through, *n are locked. */
static int
lock_due(MbrSession *session, MbrSweep *sweep, const int64 *ids, int nids, bool wait, MbrWork *works, int *n)
{
    for (int i = 0; i < nids; i++) {
        MbrWork *work = &works[*n];
        MbrLocked locked;

        if (wait && !mbr_is_due(session, ids[i], sweep->due)) /* another run was faster */
            continue;
        if (wait && *n == 0)
            locked = mbr_load_account(session, ids[i], work) ? MBR_LOCKED : MBR_NOT_THERE;
        else
            locked = mbr_load_account_if_free(session, ids[i], work);
        if (locked == MBR_LOCKED_BY_ANOTHER && wait)
            return i;
        if (locked == MBR_LOCKED_BY_ANOTHER)
            mbr_sweep_put_off(sweep, ids[i]);
        if (locked == MBR_LOCKED && mbr_settle_needed(&work->member, sweep->due))
            (*n)++;
    }
    return nids;
}

static void
count(MbrSweep *sweep, const MbrWork *work, MbrVerb verb)
{
    for (int i = 0; i < work->njournals; i++)
        if (work->journals[i].verb == verb)
            sweep->counted += verb == MBR_VERB_EXPIRY ? -work->journals[i].points : 1;
}

static int
settle(MbrSession *session, MbrSweep *sweep, const int64 *ids, int nids, bool wait, MbrVerb counted)
{
    MbrWork *works = palloc(sizeof(MbrWork) * nids);
    MbrWork **settled = palloc(sizeof(MbrWork *) * nids);
    int n = 0, nsettled = 0;
    int through = lock_due(session, sweep, ids, nids, wait, works, &n);
    MbrLoad load = {.at = sweep->as_of_given && !MBR_CANARY(SWEEP_BY_THE_CLOCK) ? sweep->as_of
                                                                                : GetCurrentTimestamp(),
                    .all_lots = true,
                    .extend_to = MBR_NO_EXTENSION,
                    .config = mbr_load_config(session)};

    for (int i = 0; i < n; i++) {
        mbr_load_settling(session, &load, &works[i]);
        mbr_settle(&works[i]);
        mbr_raise_refusal(&works[i]);
        count(sweep, &works[i], counted);
        if (works[i].njournals > 0)
            settled[nsettled++] = &works[i];
    }
    mbr_apply_all(session, &load, settled, nsettled);
    sweep->members += nsettled;
    return through;
}

static int
settle_counting_points(MbrSession *session, MbrSweep *sweep, const int64 *ids, int n, bool wait)
{
    return settle(session, sweep, ids, n, wait, MBR_VERB_EXPIRY);
}

static int
settle_counting_holds(MbrSession *session, MbrSweep *sweep, const int64 *ids, int n, bool wait)
{
    return settle(session, sweep, ids, n, wait, MBR_VERB_TIMEOUT);
}

static Datum
run(FunctionCallInfo fcinfo, const MbrSweepJob *job)
{
    MbrSweep sweep = {
        .job = job, .as_of = mbr_get_time(fcinfo, 0, "as_of"), .batch_size = mbr_get_batch_size(fcinfo, 1)};

    return mbr_sweep_run(fcinfo, &sweep);
}

Datum
membership_expire_points(PG_FUNCTION_ARGS)
{
    static const MbrSweepJob job = {"expire_points", "points", due_by_as_of, mbr_find_due,
                                    settle_counting_points};

    return run(fcinfo, &job);
}

Datum
membership_release_holds(PG_FUNCTION_ARGS)
{
    static const MbrSweepJob job = {"release_holds", "holds", due_by_as_of, mbr_find_due_holds,
                                    settle_counting_holds};

    return run(fcinfo, &job);
}
