/* hold.c - authorize_points, capture_points, void_points: points set aside, then taken or released. */
#include "postgres.h"

#include "fmgr.h"
#include "utils/timestamp.h"

#include "api/args.h"
#include "api/result.h"
#include "api/spend.h"
#include "engine/ledger.h"
#include "store/apply.h"
#include "store/claim.h"
#include "store/journal.h"
#include "store/plan.h"
#include "store/verb.h"
#include "util/error.h"
#include "util/payload.h"

PG_FUNCTION_INFO_V1(membership_authorize_points);
PG_FUNCTION_INFO_V1(membership_capture_points);
PG_FUNCTION_INFO_V1(membership_void_points);

#define MAX_TTL (INT64CONST(3660) * USECS_PER_DAY)

/* A call that names a hold. */
typedef struct HoldArgs {
    int64 member_id;
    const char *ref;
    int64 points; /* 0 = all */
    int64 at;
} HoldArgs;

/* ------------------------------------------------------------------ authorize */

static bool
within(int64 value, int64 most)
{
    return -most <= value && value <= most;
}

/* A month is 30 days; no time zone has a say. MBR_NEVER for null. */
static int64
get_ttl(FunctionCallInfo fcinfo, int arg)
{
    Interval *ttl;
    int64 span;

    if (PG_ARGISNULL(arg))
        return MBR_NEVER;
    ttl = PG_GETARG_INTERVAL_P(arg);
    if (!within(ttl->month, 1200) || !within(ttl->day, 36600) || !within(ttl->time, MAX_TTL))
        span = 0;
    else
        span = (ttl->month * INT64CONST(30) + ttl->day) * USECS_PER_DAY + ttl->time;
    if (span <= 0 || span > MAX_TTL)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("ttl is out of range"),
                 errdetail("A hold lasts more than no time and at most 3660 days."),
                 errhint("Pass an interval such as '15 minutes', or NULL for a hold until it is voided.")));
    return span;
}

static Datum
authorize(FunctionCallInfo fcinfo, MbrSession *session, const MbrSpendArgs *args, int64 ttl)
{
    MbrLoad load = mbr_spend_load(args);
    MbrWork work;
    MbrSpendCase judged = {.args = args, .load = &load, .work = &work};
    MbrHold hold = {.ref = args->ref,
                    .points = args->points,
                    .merchant_id = args->merchant_id,
                    .order_ref = args->order_ref};
    MbrJournal *journal;
    int64 journal_no;
    MbrEvent first;

    mbr_load(session, &load, &work);
    mbr_settle(&work);
    journal_no = work.member.next_journal_no;
    if (!mbr_take_ref(session, load.config, &work.member, MBR_VERB_AUTHORIZATION, args->ref,
                      mbr_spend_hash(args, ttl), journal_no, &first))
        return mbr_first_posting(fcinfo, &first);
    mbr_spend_judge(session, &judged, mbr_spend_amount(args, load.config),
                    mbr_spend_is_posted(session, args));
    mbr_spend_need_amount(&judged);
    mbr_spend_check(&judged, args->points);
    hold.expires_at = ttl == MBR_NEVER ? MBR_NEVER : work.posted_at + ttl;
    hold.parts = palloc(sizeof(MbrHoldPart) * Max(work.member.nlots, 1));
    journal = mbr_authorize(&work, mbr_spend_facts(&judged, args->points), &hold, work.member.nlots);
    mbr_raise_refusal(&work);
    mbr_apply(session, &load, &work);
    return mbr_posting_row(fcinfo, journal_no, 0, journal->balance, false);
}

Datum
membership_authorize_points(PG_FUNCTION_ARGS)
{
    MbrSpendArgs args;
    MbrSession session;
    Datum result;
    int64 ttl;

    mbr_spend_read(fcinfo, &args,
                   (MbrSpendLayout){.points = 1, .ref = 2, .merchant_id = 4, .order_amount = 6});
    ttl = get_ttl(fcinfo, 3);
    mbr_enter(&session, false);
    result = authorize(fcinfo, &session, &args, ttl);
    mbr_leave(&session);
    PG_RETURN_DATUM(result);
}

/* ------------------------------------------------------------------ find */

/* The open hold of that ref, or NULL. */
static MbrHold *
find_open(MbrMember *member, const char *ref)
{
    for (int i = 0; i < member->nholds; i++)
        if (!member->holds[i].over && strcmp(member->holds[i].ref, ref) == 0)
            return &member->holds[i];
    return NULL;
}

bool
mbr_hold_find_end(MbrSession *session, const MbrWork *work, const char *ref, MbrHoldEnd *end)
{
    MbrArgs query = MBR_NO_ARGS;
    MbrKey hold;

    if (!mbr_find_key(session, &work->member, MBR_VERB_AUTHORIZATION, ref, 0, &hold))
        return false;
    end->member_id = hold.member_id;
    for (int i = 0; i < work->njournals; i++)
        if (work->journals[i].refers_to == hold.journal_no && hold.member_id == work->member.member_id) {
            end->verb = work->journals[i].verb;
            end->journal_no = work->journals[i].journal_no;
            return true;
        }
    mbr_arg_int8(&query, hold.member_id);
    mbr_arg_int8(&query, hold.journal_no);
    if (mbr_plan_run(session, MBR_PLAN_FIND_HOLD_END, &query) == 0)
        return false;
    end->journal_no = mbr_col_int8(0, 1, 0);
    end->verb = mbr_verb_of(mbr_col_text(0, 2));
    return true;
}

static void
refuse_no_hold(const HoldArgs *args)
{
    ereport(ERROR,
            (errcode(MBR_ERR_NO_SPEND),
             errmsg("member " INT64_FORMAT " has no hold with ref \"%s\"", args->member_id, args->ref),
             errdetail("No points were authorized under it."), errhint("Pass the ref of authorize_points.")));
}

static void
refuse_over(const HoldArgs *args, MbrVerb verb)
{
    ereport(ERROR, (errcode(MBR_ERR_HOLD_OVER), errmsg("hold \"%s\" is over", args->ref),
                    errdetail("It ended with a %s.", mbr_verb_name(verb)),
                    errhint("Authorize points anew, under another ref.")));
}

static MbrLoad
load_hold(MbrSession *session, const HoldArgs *args, MbrWork *work)
{
    MbrLoad load = {.member_id = args->member_id,
                    .at = args->at,
                    .occurred_at = MBR_NEVER,
                    .all_lots = true,
                    .new_splits = 2};

    mbr_load(session, &load, work);
    mbr_settle(work);
    return load;
}

/* ------------------------------------------------------------------ capture */

static const char *const capture_hint = "Capture at most what the hold has, in whole steps.";

/*
 * What the hold's authorization said of it; a partial capture is worth its whole steps. What pays for an
 * order belongs to it, and its merchants are paid with it.
 */
static MbrSpend *
facts_of(MbrSession *session, const MbrLoad *load, const MbrWork *work, const MbrHold *hold, int64 points,
         const MbrPurchaseArgs *order)
{
    const MbrConfig *config = load->config;
    MbrSpend *spend = palloc(sizeof(MbrSpend));
    MbrBurn burn;

    mbr_hold_facts(session, config, load->member_id, hold->hold_no, spend, &burn);
    if (points % burn.step != 0)
        mbr_spend_refuse_limit(psprintf(INT64_FORMAT " points are not whole steps", points),
                               psprintf("The hold has steps of " INT64_FORMAT ".", burn.step), capture_hint);
    spend->value = mbr_worth(&burn, points);
    spend->currency_scale = config->currency_scale;
    if (order != NULL) {
        spend->merchant_id = order->merchant_id;
        spend->order_ref = order->order_ref;
    } else {
        mbr_spend_set_terms(spend, config, work->posted_day);
    }
    return spend;
}

MbrJournal *
mbr_hold_capture(MbrSession *session, const MbrLoad *load, MbrWork *work, MbrHold *hold, int64 points,
                 const MbrPurchaseArgs *order, int64 *value)
{
    MbrSpend *spend;

    if (points > hold->points)
        mbr_spend_refuse_limit(
            psprintf(INT64_FORMAT " points are more than hold \"%s\" has", points, hold->ref),
            psprintf("It has " INT64_FORMAT ".", hold->points), capture_hint);
    spend = facts_of(session, load, work, hold, points, order);
    *value = spend->value;
    return mbr_capture(work, spend, hold, points);
}

static Datum
capture(FunctionCallInfo fcinfo, MbrSession *session, const HoldArgs *args)
{
    int64 journal_no, value;
    MbrPayload payload;
    MbrEvent first;
    MbrJournal *journal;
    MbrHoldEnd end;
    MbrHold *hold;
    MbrWork work;
    MbrLoad load;

    mbr_payload_init(&payload);
    mbr_payload_add_int(&payload, args->points);
    mbr_payload_add_time(&payload, args->at);
    load = load_hold(session, args, &work);
    journal_no = work.member.next_journal_no;
    if (!mbr_take_ref(session, load.config, &work.member, MBR_VERB_CAPTURE, args->ref,
                      mbr_payload_hash(&payload), journal_no, &first))
        return mbr_first_posting(fcinfo, &first);
    hold = find_open(&work.member, args->ref);
    if (hold == NULL && !mbr_hold_find_end(session, &work, args->ref, &end))
        refuse_no_hold(args);
    if (hold == NULL)
        refuse_over(args, end.verb);
    work.refusal = mbr_may_spend(&work);
    mbr_raise_refusal(&work);
    if (hold->order_ref != NULL) /* in place of the hold */
        mbr_order_spend_add(session, load.member_id, hold->merchant_id, hold->order_ref, journal_no);
    journal = mbr_hold_capture(session, &load, &work, hold, args->points == 0 ? hold->points : args->points,
                               NULL, &value);
    mbr_raise_refusal(&work);
    mbr_apply(session, &load, &work);
    return mbr_posting_row(fcinfo, journal_no, journal->points, journal->balance, false);
}

Datum
membership_capture_points(PG_FUNCTION_ARGS)
{
    HoldArgs args = {.member_id = mbr_get_int8(fcinfo, 0, "member_id"),
                     .ref = mbr_get_text(fcinfo, 1, "ref", MBR_MAX_REF),
                     .points = PG_ARGISNULL(2) ? 0 : mbr_get_points(fcinfo, 2, false),
                     .at = mbr_get_time(fcinfo, 3, "at")};
    MbrSession session;
    Datum result;

    mbr_enter(&session, false);
    result = capture(fcinfo, &session, &args);
    mbr_leave(&session);
    PG_RETURN_DATUM(result);
}

/* ------------------------------------------------------------------ void */

static Datum
release(FunctionCallInfo fcinfo, MbrSession *session, const HoldArgs *args)
{
    MbrWork work;
    MbrLoad load = load_hold(session, args, &work);
    MbrHold *hold = find_open(&work.member, args->ref);
    MbrJournal *journal;
    MbrHoldEnd end;
    MbrEvent first;

    if (hold != NULL) {
        journal = mbr_void(&work, hold);
        mbr_raise_refusal(&work);
        mbr_apply(session, &load, &work);
        return mbr_posting_row(fcinfo, journal->journal_no, 0, journal->balance, false);
    }
    if (!mbr_hold_find_end(session, &work, args->ref, &end))
        refuse_no_hold(args);
    if (end.verb == MBR_VERB_CAPTURE)
        refuse_over(args, end.verb);
    mbr_apply(session, &load, &work); /* what was due; the hold may be part of it */
    if (!mbr_event_read(session, load.config, end.member_id, end.journal_no, &first))
        elog(ERROR, "a key has no journal row");
    return mbr_first_posting(fcinfo, &first);
}

Datum
membership_void_points(PG_FUNCTION_ARGS)
{
    HoldArgs args = {.member_id = mbr_get_int8(fcinfo, 0, "member_id"),
                     .ref = mbr_get_text(fcinfo, 1, "ref", MBR_MAX_REF),
                     .at = mbr_get_time(fcinfo, 2, "at")};
    MbrSession session;
    Datum result;

    mbr_enter(&session, false);
    result = release(fcinfo, &session, &args);
    mbr_leave(&session);
    PG_RETURN_DATUM(result);
}
