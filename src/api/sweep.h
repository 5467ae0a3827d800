/*
 * sweep.h - what is done to all members when its time has come, batch by batch.
 *
 * A sweep searches the members in the order of their numbers and does a batch of those of whom something is
 * due, in a transaction of its own. Members that are locked are put off to a second pass, which waits.
 */
#ifndef MBR_API_SWEEP_H
#define MBR_API_SWEEP_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "store/config.h"
#include "store/session.h"
#include "store/sweep.h"

typedef struct MbrSweep MbrSweep;

/* What is special to one kind of sweep. */
typedef struct MbrSweepJob {
    const char *name;    /* of the procedure */
    const char *counted; /* what is counted besides members */
    /* Until when something is due. */
    int64 (*due)(MbrSession *session, const MbrSweep *sweep);
    /* The next members that may have something due, as in store/sweep.h. */
    int (*find)(MbrSession *session, MbrSearch *search, int64 due, int64 *ids, int max);
    /*
     * Does its work for members and counts it; one that is locked is put off. When it is to wait, it waits
     * for the first only, so that nobody waits for it meanwhile, and stops at the next one that is locked.
     * Returns the number of members it came through.
     */
    int (*post)(MbrSession *session, MbrSweep *sweep, const int64 *ids, int n, bool wait);
} MbrSweepJob;

struct MbrSweep {
    const MbrSweepJob *job;
    int64 as_of;
    bool as_of_given;   /* and so the posting time */
    Interval *distance; /* of as_of; NULL = none */
    int batch_size;
    int64 due;

    int64 members; /* done */
    int64 counted;

    /* the runner's own */
    bool commits;
    bool waits; /* in the second pass */
    MbrSearch search;
    int64 *put_off;
    int nput_off;
    int max_put_off;
    int nwaited; /* of them */
    int batches;
    bool more; /* without commits: than the one batch */
    pg_uuid_t run;
};

/* Runs a sweep whose arguments are read, as its procedure, and returns the procedure's row. */
extern Datum mbr_sweep_run(FunctionCallInfo fcinfo, MbrSweep *sweep);
/* Leaves a locked member to the second pass. */
extern void mbr_sweep_put_off(MbrSweep *sweep, int64 member_id);

/* The arguments that sweeps share. Times are checked against the clock by mbr_sweep_run. */
extern int mbr_get_batch_size(FunctionCallInfo fcinfo, int arg);
extern Interval *mbr_get_distance(FunctionCallInfo fcinfo, int arg, const char *name);

#endif
