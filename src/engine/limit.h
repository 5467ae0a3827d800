/* limit.h - how many points may be spent: what a quote says and a redemption obeys. */
#ifndef MBR_ENGINE_LIMIT_H
#define MBR_ENGINE_LIMIT_H

#include "engine/work.h"

#define MBR_UNLIMITED (-1)

/* What a burn rule says. */
typedef struct MbrBurn {
    int64_t step;      /* points */
    int64_t value;     /* of a step, minor units */
    int64_t share;     /* scaled by MBR_RATE_SCALE, or MBR_UNLIMITED */
    int64_t minimum;   /* points */
    int64_t daily_cap; /* points, or MBR_UNLIMITED */
} MbrBurn;

/* What a redemption is judged by. */
typedef struct MbrSpending {
    const MbrBurn *burn;  /* NULL = no rule is for it */
    int64_t order_amount; /* minor units, or MBR_UNLIMITED */
    int64_t order_value;  /* worth of what is redeemed or held for the order, minor units */
    int64_t spent_today;  /* points redeemed or held on the day */
    bool order_posted;
} MbrSpending;

/* In the order in which they are named when several bind. */
typedef enum MbrLimit {
    MBR_LIMIT_NONE,
    MBR_LIMIT_MEMBER_STATUS,
    MBR_LIMIT_NO_RULE,
    MBR_LIMIT_ORDER_POSTED,
    MBR_LIMIT_STEP,
    MBR_LIMIT_BALANCE,
    MBR_LIMIT_SHARE,
    MBR_LIMIT_DAILY_CAP,
    MBR_LIMIT_MINIMUM
} MbrLimit;

/* The most points that can be redeemed, in whole steps, and what limits them. */
extern int64_t mbr_limit_points(const MbrWork *work, const MbrSpending *spending, MbrLimit *by);
/* What stands against redeeming that many; MBR_LIMIT_NONE = nothing. */
extern MbrLimit mbr_limit_check(const MbrWork *work, const MbrSpending *spending, int64_t points);
/* The worth of whole steps, minor units. */
extern int64_t mbr_worth(const MbrBurn *burn, int64_t points);

#endif
