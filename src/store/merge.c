/* merge.c - the rows of a merge, by SQL: both members are locked, and merges are rare. */
#include "postgres.h"

#include "engine/canary.h"
#include "store/hold.h"
#include "store/merge.h"
#include "store/plan.h"
#include "store/tier.h"

bool
mbr_merge_has_review(MbrSession *session, int64 member_id)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, member_id);
    return mbr_plan_run(session, MBR_PLAN_ANY_REVIEW, &args) > 0;
}

MbrCarried *
mbr_merge_carried(MbrSession *session, const MbrConfig *config, int64 member_id, int *n)
{
    MbrArgs args = MBR_NO_ARGS;
    MbrCarried *carried;

    mbr_arg_int8(&args, member_id);
    *n = (int)mbr_plan_run(session, MBR_PLAN_LOAD_ORDER_SPENDS, &args);
    carried = palloc(sizeof(MbrCarried) * Max(*n, 1));
    for (int i = 0; i < *n; i++)
        carried[i] = (MbrCarried){.member_id = mbr_col_int8(i, 3, 0),
                                  .journal_no = mbr_col_int8(i, 4, 0),
                                  .spend = {.merchant_id = mbr_col_int4(i, 1, 0),
                                            .order_ref = mbr_col_text(i, 2),
                                            .purpose = mbr_col_text(i, 5),
                                            .channel = mbr_col_text(i, 6),
                                            .value = mbr_col_money(i, 7, config->digits)}};
    return carried;
}

static void
run_1(MbrSession *session, MbrPlan plan, int64 first)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, first);
    (void)mbr_plan_run(session, plan, &args);
}

static void
run_2(MbrSession *session, MbrPlan plan, int64 first, int64 second)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, first);
    mbr_arg_int8(&args, second);
    (void)mbr_plan_run(session, plan, &args);
}

static void
move_activity(MbrSession *session, int64 from, int64 out_no, int64 into, int64 in_no)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, from);
    mbr_arg_int8(&args, out_no);
    mbr_arg_int8(&args, into);
    mbr_arg_int8(&args, in_no);
    (void)mbr_plan_run(session, MBR_PLAN_MOVE_ACTIVITY, &args);
    run_2(session, MBR_PLAN_ADD_ACTIVITY, into, in_no);
    run_1(session, MBR_PLAN_CLEAR_ACTIVITY, from);
}

/* The higher tier with what is left of it; of equal ones the later end. */
static void
keep_tier(MbrSession *session, int64 from, int64 into, int64 since, int64 in_no)
{
    MbrArgs args = MBR_NO_ARGS;
    MbrArgs close = MBR_NO_ARGS;
    int tier_id;

    mbr_arg_int8(&args, into);
    mbr_arg_int8(&args, from);
    mbr_arg_time(&args, since);
    if (mbr_plan_run(session, MBR_PLAN_TAKE_TIER, &args) == 0) {
        run_2(session, MBR_PLAN_PROLONG_TIER, into, from);
        return;
    }
    tier_id = mbr_col_int4(0, 1, 0);
    mbr_arg_int8(&close, into);
    mbr_arg_time(&close, since);
    (void)mbr_plan_run(session, MBR_PLAN_CLOSE_TIER_HISTORY, &close);
    mbr_tier_history_open(session, into, tier_id, since, "merge", in_no);
}

static void
mark_merged(MbrSession *session, int64 member_id)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, member_id);
    mbr_arg_text(&args, "merged");
    (void)mbr_plan_run(session, MBR_PLAN_UPDATE_STATUS, &args);
}

void
mbr_merge_store(MbrSession *session, const MbrWork *from, const MbrWork *into, int64 out_no, int64 in_no,
                const MbrCarried *carried, int ncarried)
{
    int64 from_id = from->member.member_id;
    int64 into_id = into->member.member_id;

    move_activity(session, from_id, out_no, into_id, in_no);
    run_1(session, MBR_PLAN_CLEAR_ORDER_SPENDS, from_id);
    for (int i = 0; i < ncarried && !MBR_CANARY(MERGE_LEAVES_SPENDS); i++)
        mbr_order_spend_add(session, into_id, carried[i].spend.merchant_id, carried[i].spend.order_ref,
                            in_no + 1 + i);
    run_2(session, MBR_PLAN_MOVE_IDENTITIES, into_id, from_id);
    run_2(session, MBR_PLAN_MOVE_ALIASES, into_id, from_id);
    run_2(session, MBR_PLAN_INSERT_ALIAS, into_id, from_id);
    run_2(session, MBR_PLAN_MERGE_PERSON, into_id, from_id);
    keep_tier(session, from_id, into_id, into->posted_at, in_no);
    mark_merged(session, from_id);
}
