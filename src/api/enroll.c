/* enroll.c - enroll_member: find or make, once per identity however many ask at the same time. */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "api/args.h"
#include "api/enroll.h"
#include "api/result.h"
#include "engine/ledger.h"
#include "store/apply.h"
#include "store/identity.h"
#include "store/plan.h"
#include "store/tier.h"
#include "util/calendar.h"
#include "util/error.h"
#include "util/identity.h"

PG_FUNCTION_INFO_V1(membership_enroll_member);

static int64
next_member_id(MbrSession *session)
{
    MbrArgs args = MBR_NO_ARGS;

    (void)mbr_plan_run(session, MBR_PLAN_NEXT_MEMBER_ID, &args);
    return mbr_col_int8(0, 1, 0);
}

static void
find_referrer(MbrSession *session, MbrEnrolment *call)
{
    char *code;

    if (call->referral_code == NULL)
        return;
    code = mbr_identity_normalize(MBR_KIND_REFERRAL, call->referral_code, NULL);
    if (!mbr_identity_find(session, MBR_KIND_REFERRAL, code, &call->referrer_id))
        ereport(ERROR,
                (errcode(MBR_ERR_NO_REFERRAL), errmsg("referral code \"%s\" is not known", code),
                 errdetail("No member has this code."), errhint("Check the code, or enrol without it.")));
}

static void
insert_member(MbrSession *session, const MbrEnrolment *call, int tier_id)
{
    MbrArgs member = MBR_NO_ARGS;
    MbrArgs account = MBR_NO_ARGS;

    mbr_arg_int8(&member, call->member_id);
    mbr_arg_int4(&member, tier_id);
    mbr_arg_time(&member, call->at);
    mbr_arg_datum(&member, DateADTGetDatum(call->birthday), call->no_birthday);
    mbr_arg_text(&member, call->source);
    mbr_arg_text(&member, call->channel);
    mbr_arg_datum(&member, Int64GetDatum(call->referrer_id), call->referrer_id == 0);
    if (call->attributes == NULL)
        mbr_arg_json_text(&member, "{}");
    else
        mbr_arg_jsonb(&member, call->attributes);
    (void)mbr_plan_run(session, MBR_PLAN_INSERT_MEMBER, &member);
    mbr_arg_int8(&account, call->member_id);
    mbr_arg_time(&account, call->at);
    (void)mbr_plan_run(session, MBR_PLAN_INSERT_ACCOUNT, &account);
}

/* The first row of the member's journal. */
static void
post_enrolment(MbrSession *session, const MbrEnrolment *call, const MbrConfig *config)
{
    MbrLoad load = {.config = config};
    MbrJournal journal;
    MbrWork work = {.occurred_at = call->at, .posted_at = call->at, .journals = &journal, .max_journals = 1};

    work.member = (MbrMember){
        .member_id = call->member_id, .next_journal_no = 1, .next_entry_no = 1, .next_expiry = MBR_NEVER};
    mbr_journal_close(&work, mbr_journal_open(&work, MBR_VERB_ENROLMENT, call->at));
    mbr_apply(session, &load, &work);
}

/*
 * The identity is claimed before the member is made: of two who enrol the same phone at once, the second
 * waits here and then finds the first one's member.
 */
void
mbr_enroll(MbrSession *session, MbrEnrolment *call)
{
    const MbrConfig *config = mbr_config_current(session);
    int tier_id = config->tiers[0].tier_id;

    call->value = mbr_identity_normalize(call->kind, call->value, config->phone_country);
    if (mbr_identity_find(session, call->kind, call->value, &call->member_id))
        return;
    find_referrer(session, call);
    call->at = mbr_posting_time(session, config, call->at);
    call->member_id = next_member_id(session);
    if (!mbr_identity_claim(session, call->kind, call->value, call->member_id)) {
        if (!mbr_identity_find(session, call->kind, call->value, &call->member_id))
            ereport(ERROR,
                    (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                     errmsg("the identity was claimed and released by another transaction"),
                     errdetail("It is of kind \"%s\".", call->kind), errhint("Retry the transaction.")));
        return;
    }
    insert_member(session, call, tier_id);
    if (!mbr_identity_claim(session, MBR_KIND_REFERRAL, mbr_referral_code(call->member_id), call->member_id))
        elog(ERROR, "referral code of member " INT64_FORMAT " is taken", call->member_id);
    post_enrolment(session, call, config);
    mbr_tier_history_open(session, call->member_id, tier_id, call->at, "enrolment", 1);
    call->created = true;
}

static Datum
enrolment_row(FunctionCallInfo fcinfo, MbrSession *session, const MbrEnrolment *call)
{
    MbrArgs args = MBR_NO_ARGS;
    Datum values[4];
    bool nulls[4] = {false};
    char *code;

    mbr_arg_int8(&args, call->member_id);
    mbr_arg_text(&args, mbr_referral_code(call->member_id));
    if (mbr_plan_run(session, MBR_PLAN_FIND_ENROLMENT, &args) != 1)
        elog(ERROR, "member " INT64_FORMAT " of an identity does not exist", call->member_id);
    code = mbr_col_text(0, 1);
    values[0] = Int64GetDatum(call->member_id);
    values[1] = BoolGetDatum(call->created);
    nulls[2] = (code == NULL);
    values[2] = code == NULL ? (Datum)0 : CStringGetTextDatum(code);
    nulls[3] = mbr_col_null(0, 2);
    values[3] = Int64GetDatum(mbr_col_int8(0, 2, 0));
    return mbr_result_row(fcinfo, values, nulls);
}

Datum
membership_enroll_member(PG_FUNCTION_ARGS)
{
    MbrEnrolment call = {0};
    MbrSession session;
    Datum result;

    call.kind = mbr_get_text(fcinfo, 0, "identity_kind", MBR_MAX_REF);
    call.value = mbr_get_text(fcinfo, 1, "identity_value", MBR_MAX_REF);
    call.birthday = mbr_get_birthday(fcinfo, 2, &call.no_birthday);
    call.source = mbr_get_optional_text(fcinfo, 3, "source", MBR_MAX_REF);
    call.channel = mbr_get_text(fcinfo, 4, "channel", MBR_MAX_WORD);
    call.referral_code = mbr_get_optional_text(fcinfo, 5, "referral_code", MBR_MAX_WORD);
    call.attributes = mbr_get_json_object(fcinfo, 6, "attributes");
    call.at = mbr_get_time(fcinfo, 7, "at");
    if (strcmp(call.kind, MBR_KIND_REFERRAL) == 0)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("a member cannot be enrolled by a referral code"),
                 errdetail("A referral code is given at enrolment."),
                 errhint("Pass an identity such as a phone, and the inviter's code as referral_code.")));
    mbr_enter(&session, false);
    mbr_enroll(&session, &call);
    result = enrolment_row(fcinfo, &session, &call);
    mbr_leave(&session);
    PG_RETURN_DATUM(result);
}
