/* member.c - update_member, set_tags, set_member_status, set_tier. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "api/args.h"
#include "api/event.h"
#include "api/member.h"
#include "engine/accrue.h"
#include "engine/ledger.h"
#include "store/plan.h"
#include "store/verb.h"
#include "util/error.h"

PG_FUNCTION_INFO_V1(membership_update_member);
PG_FUNCTION_INFO_V1(membership_set_tags);
PG_FUNCTION_INFO_V1(membership_set_member_status);
PG_FUNCTION_INFO_V1(membership_set_tier);

#define MAX_TAGS 100

Datum
membership_update_member(PG_FUNCTION_ARGS)
{
    int64 member_id = mbr_get_int8(fcinfo, 0, "member_id");
    bool no_birthday;
    DateADT birthday = mbr_get_birthday(fcinfo, 1, &no_birthday);
    Jsonb *attributes = mbr_get_json_object(fcinfo, 2, "attributes");
    Jsonb *consent = mbr_get_json_object(fcinfo, 3, "consent");
    MbrArgs args = MBR_NO_ARGS;
    MbrSession session;
    MbrLoad load;
    MbrWork work;

    mbr_change_begin(&session, &member_id, false, &load, &work);
    mbr_arg_int8(&args, member_id);
    mbr_arg_datum(&args, DateADTGetDatum(birthday), no_birthday);
    mbr_arg_jsonb(&args, attributes);
    mbr_arg_jsonb(&args, consent);
    (void)mbr_plan_run(&session, MBR_PLAN_UPDATE_MEMBER, &args);
    mbr_leave(&session);
    PG_RETURN_VOID();
}

static void
check_tags(ArrayType *tags)
{
    Datum *values;
    bool *nulls;
    int n;

    deconstruct_array(tags, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &n);
    if (n > MAX_TAGS)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("too many tags"),
                        errdetail("There are %d; a member has at most %d.", n, MAX_TAGS),
                        errhint("Pass fewer tags.")));
    for (int i = 0; i < n; i++) {
        if (nulls[i])
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("a tag must not be null"),
                            errdetail("Element %d of tags is null.", i + 1), errhint("Leave it out.")));
        mbr_check_text(TextDatumGetCString(values[i]), "a tag", MBR_MAX_WORD);
    }
}

Datum
membership_set_tags(PG_FUNCTION_ARGS)
{
    int64 member_id = mbr_get_int8(fcinfo, 0, "member_id");
    MbrArgs args = MBR_NO_ARGS;
    MbrSession session;
    MbrLoad load;
    MbrWork work;

    mbr_require(fcinfo, 1, "tags");
    check_tags(PG_GETARG_ARRAYTYPE_P(1));
    mbr_change_begin(&session, &member_id, false, &load, &work);
    mbr_arg_int8(&args, member_id);
    mbr_arg_datum(&args, PG_GETARG_DATUM(1), false);
    (void)mbr_plan_run(&session, MBR_PLAN_UPDATE_TAGS, &args);
    mbr_leave(&session);
    PG_RETURN_VOID();
}

static MbrMemberStatus
parse_status(const char *status)
{
    if (strcmp(status, "active") != 0 && strcmp(status, "frozen") != 0 && strcmp(status, "closed") != 0)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("status \"%s\" is not known", status),
                 errdetail("A member is active, frozen or closed."),
                 errhint("Pass active, frozen or closed.")));
    return mbr_member_status_of(status);
}

Datum
membership_set_member_status(PG_FUNCTION_ARGS)
{
    int64 member_id = mbr_get_int8(fcinfo, 0, "member_id");
    char *name = mbr_get_text(fcinfo, 1, "status", MBR_MAX_WORD);
    char *reason = mbr_get_text(fcinfo, 2, "reason", MBR_MAX_NOTE);
    MbrMemberStatus status = parse_status(name);
    MbrSession session;
    MbrLoad load;
    MbrWork work;

    mbr_change_begin(&session, &member_id, status == MBR_MEMBER_CLOSED, &load, &work);
    if (work.member.status != status) {
        MbrArgs args = MBR_NO_ARGS;

        mbr_arg_int8(&args, member_id);
        mbr_arg_text(&args, name);
        (void)mbr_plan_run(&session, MBR_PLAN_UPDATE_STATUS, &args);
        mbr_change_post(&session, &load, &work, MBR_VERB_STATUS_CHANGE, reason);
    }
    mbr_leave(&session);
    PG_RETURN_VOID();
}

const MbrTier *
mbr_need_tier(const MbrConfig *config, const char *code)
{
    for (int i = 0; i < config->ntiers; i++)
        if (strcmp(config->tiers[i].code, code) == 0)
            return &config->tiers[i];
    ereport(ERROR, (errcode(MBR_ERR_NO_TIER), errmsg("tier \"%s\" does not exist", code),
                    errdetail("Table membership.tier has no row with this code."),
                    errhint("Use a code of membership.tier.")));
}

Datum
membership_set_tier(PG_FUNCTION_ARGS)
{
    int64 member_id = mbr_get_int8(fcinfo, 0, "member_id");
    char *code = mbr_get_text(fcinfo, 1, "tier", MBR_MAX_WORD);
    int64 locked_until = mbr_get_time(fcinfo, 2, "lock_until");
    char *reason = mbr_get_text(fcinfo, 3, "reason", MBR_MAX_NOTE);
    const MbrTier *tier;
    MbrSession session;
    MbrLoad load;
    MbrWork work;

    mbr_change_begin(&session, &member_id, false, &load, &work);
    tier = mbr_need_tier(load.config, code);
    if (tier->tier_id != work.member.tier_id || locked_until != work.tier_locked_until) {
        mbr_settle(&work);
        mbr_tier_change(&work, tier, work.posted_at, work.member.next_journal_no, true, locked_until);
        mbr_change_post(&session, &load, &work, MBR_VERB_TIER_CHANGE, reason);
    }
    mbr_leave(&session);
    PG_RETURN_VOID();
}
