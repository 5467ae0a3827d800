/* identity.c - rows of member_identity. */
#include "postgres.h"

#include "store/identity.h"
#include "store/plan.h"

bool
mbr_identity_find(MbrSession *session, const char *kind, const char *value, int64 *member_id)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_text(&args, kind);
    mbr_arg_text(&args, value);
    if (mbr_plan_run(session, MBR_PLAN_FIND_IDENTITY, &args) == 0)
        return false;
    *member_id = mbr_col_int8(0, 1, 0);
    return true;
}

bool
mbr_identity_claim(MbrSession *session, const char *kind, const char *value, int64 member_id)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_text(&args, kind);
    mbr_arg_text(&args, value);
    mbr_arg_int8(&args, member_id);
    return mbr_plan_run(session, MBR_PLAN_CLAIM_IDENTITY, &args) == 1;
}

void
mbr_identity_delete(MbrSession *session, const char *kind, const char *value, int64 member_id)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_text(&args, kind);
    mbr_arg_text(&args, value);
    mbr_arg_int8(&args, member_id);
    (void)mbr_plan_run(session, MBR_PLAN_DELETE_IDENTITY, &args);
}
