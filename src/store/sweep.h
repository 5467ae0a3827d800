/* sweep.h - what sweeps read and write besides the members' own rows. */
#ifndef MBR_STORE_SWEEP_H
#define MBR_STORE_SWEEP_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "store/session.h"

/* The row of a run in job_run. */
extern pg_uuid_t mbr_run_start(MbrSession *session, const char *job, int64 as_of);
extern void mbr_run_note(MbrSession *session, const pg_uuid_t *run, int batches, int64 rows, int64 last_key,
                         bool finished);
extern void mbr_run_fail(MbrSession *session, const pg_uuid_t *run, const char *error);

/* How far a search has come: it goes through the members in the order of their numbers. */
typedef struct MbrSearch {
    int64 last_key; /* the last member looked at; 0 = none yet */
    bool at_end;
} MbrSearch;

/*
 * The next members of whom something may be due by a moment, at most max; each call looks at a bounded number
 * of rows, so it may find none and not be at the end.
 */
extern int mbr_find_due(MbrSession *session, MbrSearch *search, int64 due, int64 *ids, int max);
extern int mbr_find_due_holds(MbrSession *session, MbrSearch *search, int64 due, int64 *ids, int max);
extern int mbr_find_old_contexts(MbrSession *session, MbrSearch *search, int64 due, int64 *ids, int max);
/* Whether something of a member may be due still, without lock. */
extern bool mbr_is_due(MbrSession *session, int64 member_id, int64 due);

/* Points that die, to be announced. */
typedef struct MbrDying {
    int64 member_id;
    int64 expires_at;
    int64 points;
} MbrDying;

extern int64 mbr_announce_until(MbrSession *session, int64 as_of, Interval *lead);
/* Writes an event for each day and member not announced before; returns their numbers. */
extern void mbr_announce(MbrSession *session, const MbrDying *dying, int n, Interval *lead, int64 *members,
                         int64 *events);

extern int64 mbr_prune_before(MbrSession *session, int64 as_of, Interval *older_than);
extern void mbr_prune_contexts(MbrSession *session, const int64 *ids, int n, int64 before, int64 *members,
                               int64 *contexts);

#endif
