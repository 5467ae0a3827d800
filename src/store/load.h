/* load.h - a member's state, read under its lock with a fresh snapshot. */
#ifndef MBR_STORE_LOAD_H
#define MBR_STORE_LOAD_H

#include "engine/work.h"
#include "store/config.h"
#include "store/session.h"

typedef struct MbrLoad {
    /* asked for */
    int64 member_id;
    int64 at;          /* MBR_NEVER = the clock */
    int64 occurred_at; /* MBR_NEVER = at */
    bool lock;         /* no for a preview */
    bool all_lots;     /* also when nothing is due */
    int new_lots;      /* how many the verb may open */
    int new_splits;

    /* found besides what is in work */
    const MbrConfig *config;
    int64 window_basis;
    bool in_window; /* occurred_at lies in the tier window */
    int tier_then;  /* tier at occurred_at */
    DateADT day;    /* of occurred_at */
} MbrLoad;

/* Locks (if asked), loads and dates a verb; work is made ready for the engine. */
extern void mbr_load(MbrSession *session, MbrLoad *load, MbrWork *work);

/* A posting time as asked for (MBR_NEVER = the clock): the past is for operators, the future has its bound.
 */
extern int64 mbr_posting_time(MbrSession *session, const MbrConfig *config, int64 at);

#endif
