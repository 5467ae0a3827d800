/* load.h - a member's state, read under its lock with a fresh snapshot. */
#ifndef MBR_STORE_LOAD_H
#define MBR_STORE_LOAD_H

#include "engine/work.h"
#include "store/config.h"
#include "store/session.h"
#include "store/table.h"

/* What one posting asks for, and what it is judged by besides the member's state in work. */
typedef struct MbrLoad {
    int64 member_id;   /* once loaded: of a merged member the survivor's */
    int64 at;          /* MBR_NEVER = the clock */
    int64 occurred_at; /* MBR_NEVER = at */
    bool all_lots;     /* also when nothing is due */
    int new_lots;      /* how many the posting may open */
    int new_splits;
    int new_events; /* besides the posting itself */
    int new_days;   /* of activity, besides two */
    bool extends;   /* it may let all points live on */

    const MbrConfig *config;
    int64 window_basis;
    bool in_window; /* occurred_at lies in the tier window */
    int tier_then;  /* tier at occurred_at */
    int64 extend_to;
} MbrLoad;

/*
 * Locks (if the session writes) and loads a member, and dates a posting: work is ready for the engine. Of a
 * member that was merged into another it is the other: work->member.member_id is who it is about.
 */
extern void mbr_load(MbrSession *session, MbrLoad *load, MbrWork *work);

/*
 * Locks members in the order of their numbers, which are sorted for it; works get those that there are, each
 * once, survivors for merged ones. Returns how many.
 */
extern int mbr_lock_members(MbrSession *session, int64 *ids, int n, MbrWork *works);

/*
 * The same in steps, for a batch: lock the members in the order of their numbers, then read the
 * configuration, then each member, then for each posting what it is judged by. A posting sees what work
 * already holds.
 */
extern bool
mbr_load_account(MbrSession *session, int64 called_id, MbrWork *work); /* false = no such member */
/* The same, passing by a member that another has locked. A merged one is not there. */
extern MbrLocked mbr_load_account_if_free(MbrSession *session, int64 member_id, MbrWork *work);
extern const MbrConfig *mbr_load_config(MbrSession *session);
extern void mbr_load_member(MbrSession *session, const MbrConfig *config, MbrWork *work);
/* What postings from the earliest on will ask of the tier window; without it each reads for itself. */
extern void mbr_load_days(MbrSession *session, const MbrConfig *config, int64 earliest, MbrWork *work);
extern void mbr_load_posting(MbrSession *session, MbrLoad *load, MbrWork *work);
/* What settling alone asks of a locked member, instead of mbr_load_member and mbr_load_posting: neither tier
 * nor activity. The time was checked. */
extern void mbr_load_settling(MbrSession *session, const MbrLoad *load, MbrWork *work);
/* Room in work for load's new lots and splits; mbr_load_posting makes it for those known then. */
extern void mbr_load_room(const MbrLoad *load, MbrWork *work);

extern void mbr_raise_no_member(int64 member_id);

/* A posting time as asked for (MBR_NEVER = the clock): the past is for operators, the future is bounded. */
extern int64 mbr_posting_time(MbrSession *session, const MbrConfig *config, int64 at);
/* Refuses a moment too far ahead of another. */
extern void mbr_check_not_ahead(int64 moment, int64 clock, const MbrConfig *config, const char *what);

#endif
