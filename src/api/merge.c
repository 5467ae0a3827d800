/* merge.c - merge_members: two members turn out to be one person. */
#include "postgres.h"

#include "fmgr.h"

#include "api/args.h"
#include "api/pair.h"
#include "api/result.h"
#include "store/alias.h"
#include "store/apply.h"
#include "store/merge.h"
#include "store/plan.h"
#include "util/error.h"

PG_FUNCTION_INFO_V1(membership_merge_members);

typedef struct MergeArgs {
    int64 into;
    int64 from;
    const char *reason;
} MergeArgs;

static void
refuse(const char *message, const char *detail, const char *hint)
{
    ereport(ERROR, (errcode(MBR_ERR_NOT_MERGED), errmsg("%s", message), errdetail("%s", detail),
                    errhint("%s", hint)));
}

/* They are one member already: by this very merge, or the other way round. */
static bool
is_done(MbrSession *session, const MergeArgs *args, int64 member_id)
{
    if (args->from == member_id)
        refuse(psprintf("member " INT64_FORMAT " cannot be merged into itself", args->from),
               psprintf("Member " INT64_FORMAT " was merged into it before.", args->into),
               "A merge is not turned round; both numbers find the survivor.");
    return true;
}

static void
check_mergeable(MbrSession *session, const MergeArgs *args, const MbrPair *pair)
{
    const MbrMember *from = &pair->works[0].member;

    if (from->member_id != args->from)
        refuse(psprintf("member " INT64_FORMAT " was merged before", args->from),
               psprintf("It was merged into member " INT64_FORMAT ".", from->member_id),
               "Merge that member.");
    if (from->held > 0)
        refuse(psprintf("member " INT64_FORMAT " has open holds", args->from),
               psprintf(INT64_FORMAT " points are held.", from->held),
               "Capture or void them, or let them time out; see view member_holds.");
    if (mbr_merge_has_review(session, args->from))
        refuse(psprintf("member " INT64_FORMAT " has purchases under review", args->from),
               "They are decided in the journal that they stand in.", "Decide them with review_accrual().");
}

static void
check_status(MbrWork *work)
{
    work->refusal = mbr_may_spend(work);
    mbr_raise_refusal(work);
}

/* Backends that believe that no member was ever merged learn better. */
static void
announce_first(MbrSession *session, const MbrConfig *config)
{
    MbrArgs args = MBR_NO_ARGS;

    if (!config->has_aliases)
        (void)mbr_plan_run(session, MBR_PLAN_TOUCH_PROGRAM, &args);
}

static void
post_merge(MbrSession *session, const MergeArgs *args, MbrPair *pair)
{
    MbrWork *from = &pair->works[0], *into = &pair->works[1];
    MbrWork *all[2] = {from, into};
    int64 out_no = from->member.next_journal_no;
    int64 in_no = into->member.next_journal_no;
    const MbrConfig *config = pair->loads[0].config;
    MbrCarried *carried;
    int ncarried;

    carried = mbr_merge_carried(session, config, from->member.member_id, &ncarried);
    pair->loads[1].new_lots = from->member.nlots;
    pair->loads[1].new_events = ncarried;
    mbr_load_room(&pair->loads[1], into);
    mbr_merge(from, into, args->reason, carried, ncarried);
    mbr_raise_refusal(from);
    mbr_raise_refusal(into);
    mbr_apply_all(session, &pair->loads[0], all, 2);
    mbr_merge_store(session, from, into, out_no, in_no, carried, ncarried);
    announce_first(session, config);
}

static void
merge(MbrSession *session, const MergeArgs *args)
{
    MbrPair pair;
    bool both = mbr_pair_load(session, &pair, args->from, args->into, MBR_NEVER);

    mbr_need_tables(pair.loads[0].config, 2);
    if (!both && is_done(session, args, pair.loads[0].member_id))
        return;
    check_status(&pair.works[0]);
    check_status(&pair.works[1]);
    check_mergeable(session, args, &pair);
    post_merge(session, args, &pair);
}

Datum
membership_merge_members(PG_FUNCTION_ARGS)
{
    MergeArgs args = {.into = mbr_get_int8(fcinfo, 0, "into_member_id"),
                      .from = mbr_get_int8(fcinfo, 1, "from_member_id"),
                      .reason = mbr_get_text(fcinfo, 2, "reason", MBR_MAX_NOTE)};
    MbrSession session;

    if (args.into == args.from)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("member " INT64_FORMAT " cannot be merged into itself", args.from),
                 errdetail("Both numbers are the same."), errhint("Pass the numbers of two members.")));
    mbr_enter(&session, false);
    merge(&session, &args);
    mbr_leave(&session);
    PG_RETURN_VOID();
}
