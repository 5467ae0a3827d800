/* identity.c - find_member and the identities of a member. */
#include "postgres.h"

#include "fmgr.h"

#include "api/args.h"
#include "api/event.h"
#include "store/identity.h"
#include "util/error.h"
#include "util/identity.h"

PG_FUNCTION_INFO_V1(membership_find_member);
PG_FUNCTION_INFO_V1(membership_add_identity);
PG_FUNCTION_INFO_V1(membership_replace_identity);
PG_FUNCTION_INFO_V1(membership_remove_identity);

Datum
membership_find_member(PG_FUNCTION_ARGS)
{
    char *kind = mbr_get_text(fcinfo, 0, "identity_kind", MBR_MAX_REF);
    char *value = mbr_get_text(fcinfo, 1, "identity_value", MBR_MAX_REF);
    MbrSession session;
    int64 member_id = 0;
    bool found;

    mbr_enter(&session, true);
    value = mbr_identity_normalize(kind, value, mbr_config_current(&session)->phone_country);
    found = mbr_identity_find(&session, kind, value, &member_id);
    mbr_leave(&session);
    if (!found)
        PG_RETURN_NULL();
    PG_RETURN_INT64(member_id);
}

static void
refuse_referral(const char *kind)
{
    if (strcmp(kind, MBR_KIND_REFERRAL) == 0)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("identities of kind \"%s\" cannot be changed", kind),
                 errdetail("A referral code is given once, at enrolment."), errhint("Use another kind.")));
}

static void
raise_taken(const char *kind)
{
    ereport(ERROR, (errcode(MBR_ERR_IDENTITY_TAKEN),
                    errmsg("this identity of kind \"%s\" belongs to another member", kind),
                    errdetail("An identity finds one member."),
                    errhint("Find that member with find_member(kind, value).")));
}

/* Gives a member an identity; false = it had it already. */
static bool
claim_identity(MbrSession *session, const char *kind, const char *value, int64 member_id)
{
    int64 owner = 0;

    if (mbr_identity_claim(session, kind, value, member_id))
        return true;
    if (!mbr_identity_find(session, kind, value, &owner) || owner != member_id)
        raise_taken(kind);
    return false;
}

static bool
has_identity(MbrSession *session, const char *kind, const char *value, int64 member_id)
{
    int64 owner;

    return mbr_identity_find(session, kind, value, &owner) && owner == member_id;
}

Datum
membership_add_identity(PG_FUNCTION_ARGS)
{
    int64 member_id = mbr_get_int8(fcinfo, 0, "member_id");
    char *kind = mbr_get_text(fcinfo, 1, "identity_kind", MBR_MAX_REF);
    char *value = mbr_get_text(fcinfo, 2, "identity_value", MBR_MAX_REF);
    MbrSession session;
    MbrLoad load;
    MbrWork work;

    refuse_referral(kind);
    mbr_change_begin(&session, &member_id, false, &load, &work);
    value = mbr_identity_normalize(kind, value, load.config->phone_country);
    (void)claim_identity(&session, kind, value, member_id);
    mbr_leave(&session);
    PG_RETURN_VOID();
}

Datum
membership_remove_identity(PG_FUNCTION_ARGS)
{
    int64 member_id = mbr_get_int8(fcinfo, 0, "member_id");
    char *kind = mbr_get_text(fcinfo, 1, "identity_kind", MBR_MAX_REF);
    char *value = mbr_get_text(fcinfo, 2, "identity_value", MBR_MAX_REF);
    char *reason = mbr_get_text(fcinfo, 3, "reason", MBR_MAX_NOTE);
    MbrSession session;
    int64 owner;
    MbrLoad load;
    MbrWork work;

    refuse_referral(kind);
    mbr_change_begin(&session, &member_id, false, &load, &work);
    value = mbr_identity_normalize(kind, value, load.config->phone_country);
    if (has_identity(&session, kind, value, member_id)) {
        mbr_identity_delete(&session, kind, value, member_id);
        mbr_change_post(&session, &load, &work, MBR_VERB_IDENTITY_CHANGE, reason);
    } else if (mbr_identity_find(&session, kind, value, &owner)) {
        raise_taken(kind);
    }
    mbr_leave(&session);
    PG_RETURN_VOID();
}

Datum
membership_replace_identity(PG_FUNCTION_ARGS)
{
    int64 member_id = mbr_get_int8(fcinfo, 0, "member_id");
    char *kind = mbr_get_text(fcinfo, 1, "identity_kind", MBR_MAX_REF);
    char *old_value = mbr_get_text(fcinfo, 2, "old_value", MBR_MAX_REF);
    char *new_value = mbr_get_text(fcinfo, 3, "new_value", MBR_MAX_REF);
    char *reason = mbr_get_text(fcinfo, 4, "reason", MBR_MAX_NOTE);
    MbrSession session;
    bool had_old;
    int64 owner;
    MbrLoad load;
    MbrWork work;

    refuse_referral(kind);
    mbr_change_begin(&session, &member_id, false, &load, &work);
    old_value = mbr_identity_normalize(kind, old_value, load.config->phone_country);
    new_value = mbr_identity_normalize(kind, new_value, load.config->phone_country);
    had_old = has_identity(&session, kind, old_value, member_id);
    if (!had_old && !has_identity(&session, kind, new_value, member_id)) {
        if (mbr_identity_find(&session, kind, old_value, &owner) ||
            mbr_identity_find(&session, kind, new_value, &owner))
            raise_taken(kind);
        ereport(ERROR,
                (errcode(MBR_ERR_NO_IDENTITY),
                 errmsg("member " INT64_FORMAT " has no such identity of kind \"%s\"", member_id, kind),
                 errdetail("The old value is not this member's."),
                 errhint("Use add_identity to give a further identity.")));
    }
    if (had_old && strcmp(old_value, new_value) != 0) {
        (void)claim_identity(&session, kind, new_value, member_id);
        mbr_identity_delete(&session, kind, old_value, member_id);
        mbr_change_post(&session, &load, &work, MBR_VERB_IDENTITY_CHANGE, reason);
    }
    mbr_leave(&session);
    PG_RETURN_VOID();
}
