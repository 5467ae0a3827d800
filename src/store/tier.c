/* tier.c - a member's tier: the row in force and the history, which never overlaps. */
#include "postgres.h"

#include "store/plan.h"
#include "store/tier.h"
#include "util/calendar.h"

/* The first instant after a tier's validity when it begins at a moment; MBR_NEVER = without end. */
static int64
end_of_tier(const MbrConfig *config, const MbrTier *tier, int64 since)
{
    DateADT last_day;

    if (tier->validity_months == 0)
        return MBR_NEVER;
    last_day = mbr_add_months(mbr_day_of(since, config->zone), tier->validity_months);
    return mbr_day_start(last_day + 1, config->zone);
}

bool
mbr_tier_was_given(MbrSession *session, int64 member_id, int tier_id, int64 since)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, member_id);
    mbr_arg_int4(&args, tier_id);
    mbr_arg_time(&args, since);
    return mbr_plan_run(session, MBR_PLAN_FIND_PAST_TIER, &args) > 0;
}

void
mbr_tier_history_open(MbrSession *session, int64 member_id, int tier_id, int64 since, const char *cause,
                      int64 journal_no)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, member_id);
    mbr_arg_int4(&args, tier_id);
    mbr_arg_time(&args, since);
    mbr_arg_text(&args, cause);
    mbr_arg_int8(&args, journal_no);
    (void)mbr_plan_run(session, MBR_PLAN_OPEN_TIER_HISTORY, &args);
}

void
mbr_tier_store(MbrSession *session, const MbrLoad *load, const MbrWork *work, const MbrTierChange *change)
{
    MbrArgs args = MBR_NO_ARGS;
    MbrArgs close = MBR_NO_ARGS;

    mbr_arg_int8(&args, work->member.member_id);
    mbr_arg_int4(&args, change->tier->tier_id);
    mbr_arg_time(&args, change->since);
    mbr_arg_time(&args, end_of_tier(load->config, change->tier, change->since));
    mbr_arg_time(&args, change->locked_until);
    (void)mbr_plan_run(session, MBR_PLAN_UPDATE_TIER, &args);
    mbr_arg_int8(&close, work->member.member_id);
    mbr_arg_time(&close, change->since);
    (void)mbr_plan_run(session, MBR_PLAN_CLOSE_TIER_HISTORY, &close);
    mbr_tier_history_open(session, work->member.member_id, change->tier->tier_id, change->since,
                          change->by_hand ? "manual" : "upgrade", change->journal_no);
}
