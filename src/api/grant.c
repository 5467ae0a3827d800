/* grant.c - grant_points and adjust_points: points by hand, once per ref. */
#include "postgres.h"

#include "fmgr.h"

#include "api/args.h"
#include "api/purchase.h"
#include "api/result.h"
#include "engine/adjust.h"
#include "engine/ledger.h"
#include "store/apply.h"
#include "store/claim.h"
#include "store/journal.h"
#include "store/load.h"
#include "util/payload.h"

PG_FUNCTION_INFO_V1(membership_grant_points);
PG_FUNCTION_INFO_V1(membership_adjust_points);

typedef struct HandPosting {
    MbrVerb verb;
    int64 member_id;
    int64 points;
    const char *reason;
    const char *ref;
    int64 expires_at; /* MBR_NEVER = by the programme's policy */
    int64 at;
} HandPosting;

static int64
hash_of(const HandPosting *call)
{
    MbrPayload payload;

    mbr_payload_init(&payload);
    mbr_payload_add_int(&payload, call->points);
    mbr_payload_add_text(&payload, call->reason);
    mbr_payload_add_time(&payload, call->expires_at);
    mbr_payload_add_time(&payload, call->at);
    return mbr_payload_hash(&payload);
}

static int64
expiry_of(const HandPosting *call, const MbrLoad *load, const MbrWork *work)
{
    if (call->expires_at == MBR_NEVER)
        return mbr_points_expire_at(load->config, NULL, work->day, work->posted_at);
    if (call->expires_at <= work->posted_at)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("expires_at lies in the past"),
                 errdetail("Points posted at %s would be dead at once.", timestamptz_to_str(work->posted_at)),
                 errhint("Pass a later expires_at, or leave it out.")));
    return call->expires_at;
}

static Datum
post_by_hand(FunctionCallInfo fcinfo, MbrSession *session, const HandPosting *call)
{
    MbrLoad load = {.member_id = call->member_id,
                    .at = call->at,
                    .occurred_at = MBR_NEVER,
                    .all_lots = call->points < 0,
                    .new_lots = 1};
    int64 hash = hash_of(call);
    int64 journal_no, balance;
    MbrEvent first;
    MbrWork work;

    mbr_enter(session, false);
    mbr_load(session, &load, &work);
    mbr_settle(&work);
    journal_no = work.member.next_journal_no;
    if (!mbr_take_ref(session, load.config, &work.member, call->verb, call->ref, hash, journal_no, &first))
        return mbr_first_posting(fcinfo, &first);
    balance = mbr_adjust(&work, call->verb, call->points, work.posted_at, expiry_of(call, &load, &work),
                         call->reason);
    mbr_raise_refusal(&work);
    mbr_apply(session, &load, &work);
    return mbr_posting_row(fcinfo, journal_no, call->points, balance, false);
}

static Datum
run(FunctionCallInfo fcinfo, const HandPosting *call)
{
    MbrSession session;
    Datum result = post_by_hand(fcinfo, &session, call);

    mbr_leave(&session);
    return result;
}

Datum
membership_grant_points(PG_FUNCTION_ARGS)
{
    HandPosting call = {.verb = MBR_VERB_GRANT,
                        .member_id = mbr_get_int8(fcinfo, 0, "member_id"),
                        .points = mbr_get_points(fcinfo, 1, false),
                        .reason = mbr_get_text(fcinfo, 2, "reason", MBR_MAX_NOTE),
                        .ref = mbr_get_text(fcinfo, 3, "ref", MBR_MAX_REF),
                        .expires_at = mbr_get_time(fcinfo, 4, "expires_at"),
                        .at = mbr_get_time(fcinfo, 5, "at")};

    PG_RETURN_DATUM(run(fcinfo, &call));
}

Datum
membership_adjust_points(PG_FUNCTION_ARGS)
{
    HandPosting call = {.verb = MBR_VERB_ADJUSTMENT,
                        .member_id = mbr_get_int8(fcinfo, 0, "member_id"),
                        .points = mbr_get_points(fcinfo, 1, true),
                        .reason = mbr_get_text(fcinfo, 2, "reason", MBR_MAX_NOTE),
                        .ref = mbr_get_text(fcinfo, 3, "ref", MBR_MAX_REF),
                        .expires_at = MBR_NEVER,
                        .at = mbr_get_time(fcinfo, 4, "at")};

    PG_RETURN_DATUM(run(fcinfo, &call));
}
