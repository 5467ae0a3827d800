/* limit.c - balance, share, cap, minimum: each as a number of points, the least one counts. */
#include <stddef.h>

#include "engine/canary.h"
#include "engine/ledger.h"
#include "engine/limit.h"
#include "engine/spread.h"

int64_t
mbr_worth(const MbrBurn *burn, int64_t points)
{
    MbrWide worth = (MbrWide)(points / burn->step) * burn->value;

    return worth > MBR_MAX_AMOUNT ? MBR_MAX_AMOUNT : (int64_t)worth;
}

static int64_t
whole_steps(const MbrBurn *burn, MbrWide points)
{
    if (points <= 0)
        return 0;
    if (points > MBR_MAX_POINTS)
        points = MBR_MAX_POINTS;
    return (int64_t)(points / burn->step * burn->step);
}

/* What may still be paid of the order, as points. */
static int64_t
points_of_share(const MbrSpending *spending)
{
    const MbrBurn *burn = spending->burn;
    MbrWide value;

    if (spending->order_amount == MBR_UNLIMITED)
        return MBR_MAX_POINTS;
    value = burn->share == MBR_UNLIMITED ? spending->order_amount
                                         : (MbrWide)spending->order_amount * burn->share / MBR_RATE_SCALE;
    value -= spending->order_value;
    return value <= 0 ? 0 : whole_steps(burn, value / burn->value * burn->step);
}

/* What each limit leaves; MBR_MAX_POINTS = it does not limit. */
static int64_t
points_left(const MbrWork *work, const MbrSpending *spending, MbrLimit limit)
{
    const MbrBurn *burn = spending->burn;

    switch (limit) {
        case MBR_LIMIT_MEMBER_STATUS:
            return work->member.status == MBR_MEMBER_ACTIVE ? MBR_MAX_POINTS : 0;
        case MBR_LIMIT_NO_RULE:
            return burn != NULL ? MBR_MAX_POINTS : 0;
        case MBR_LIMIT_ORDER_POSTED:
            return spending->order_posted ? 0 : MBR_MAX_POINTS;
        case MBR_LIMIT_BALANCE:
            return mbr_available(&work->member, work->posted_at);
        case MBR_LIMIT_SHARE:
            return MBR_CANARY(SHARE_NOT_ASKED) ? MBR_MAX_POINTS : points_of_share(spending);
        case MBR_LIMIT_DAILY_CAP:
            return burn->daily_cap == MBR_UNLIMITED ? MBR_MAX_POINTS
                                                    : burn->daily_cap - spending->spent_today;
        case MBR_LIMIT_NONE:
        case MBR_LIMIT_STEP:
        case MBR_LIMIT_MINIMUM:
            break;
    }
    return MBR_MAX_POINTS;
}

static const MbrLimit limits[] = {MBR_LIMIT_MEMBER_STATUS, MBR_LIMIT_NO_RULE, MBR_LIMIT_ORDER_POSTED,
                                  MBR_LIMIT_BALANCE,       MBR_LIMIT_SHARE,   MBR_LIMIT_DAILY_CAP};

#define NLIMITS ((int)(sizeof(limits) / sizeof(limits[0])))

int64_t
mbr_limit_points(const MbrWork *work, const MbrSpending *spending, MbrLimit *by)
{
    int64_t most = MBR_MAX_POINTS;

    *by = MBR_LIMIT_NONE;
    for (int i = 0; i < NLIMITS; i++) {
        int64_t left = points_left(work, spending, limits[i]);

        if (spending->burn != NULL)
            left = whole_steps(spending->burn, left);
        if (left < most) {
            most = left;
            *by = limits[i];
        }
        if (most == 0)
            return 0;
    }
    if (most < spending->burn->minimum) {
        *by = MBR_LIMIT_MINIMUM;
        return 0;
    }
    return most;
}

MbrLimit
mbr_limit_check(const MbrWork *work, const MbrSpending *spending, int64_t points)
{
    for (int i = 0; i < NLIMITS; i++) {
        if (limits[i] == MBR_LIMIT_BALANCE && points % spending->burn->step != 0)
            return MBR_LIMIT_STEP;
        if (points > points_left(work, spending, limits[i]))
            return limits[i];
    }
    return points < spending->burn->minimum ? MBR_LIMIT_MINIMUM : MBR_LIMIT_NONE;
}
