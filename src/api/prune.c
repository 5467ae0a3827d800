/* prune.c - CALL prune_context: free attributes of events are kept for so long. */
#include "postgres.h"

#include "fmgr.h"

#include "api/args.h"
#include "api/sweep.h"

PG_FUNCTION_INFO_V1(membership_prune_context);

static int64
due_before(MbrSession *session, const MbrSweep *sweep)
{
    return mbr_prune_before(session, sweep->as_of, sweep->distance);
}

static int
prune(MbrSession *session, MbrSweep *sweep, const int64 *ids, int n, bool wait)
{
    int64 members, contexts;

    mbr_prune_contexts(session, ids, n, sweep->due, &members, &contexts);
    sweep->members += members;
    sweep->counted += contexts;
    return n;
}

Datum
membership_prune_context(PG_FUNCTION_ARGS)
{
    static const MbrSweepJob job = {"prune_context", "contexts", due_before, mbr_find_old_contexts, prune};
    MbrSweep sweep = {.job = &job,
                      .as_of = MBR_NEVER,
                      .distance = mbr_get_distance(fcinfo, 0, "older_than"),
                      .batch_size = mbr_get_batch_size(fcinfo, 1)};

    return mbr_sweep_run(fcinfo, &sweep);
}
