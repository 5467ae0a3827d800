/* erase.c - erase_member: what tells who a member was goes, a pseudonymous ledger stays. */
#include "postgres.h"

#include "fmgr.h"

#include "api/args.h"
#include "api/event.h"
#include "engine/ledger.h"
#include "store/alias.h"
#include "store/claim.h"
#include "store/plan.h"

PG_FUNCTION_INFO_V1(membership_erase_member);

#define ONCE "erased" /* the ref of the event: a member is erased once */

static void
run(MbrSession *session, MbrPlan plan, Datum numbers)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_datum(&args, numbers, false);
    (void)mbr_plan_run(session, plan, &args);
}

static void
erase_person(MbrSession *session, int64 member_id)
{
    static const MbrPlan plans[] = {MBR_PLAN_ERASE_IDENTITIES, MBR_PLAN_ERASE_PERSON, MBR_PLAN_ERASE_CONTEXT,
                                    MBR_PLAN_ERASE_FAILURES, MBR_PLAN_ERASE_ACCRUAL_ERRORS};
    Datum numbers = mbr_alias_numbers(session, member_id);

    for (int i = 0; i < (int)lengthof(plans); i++)
        run(session, plans[i], numbers);
}

Datum
membership_erase_member(PG_FUNCTION_ARGS)
{
    int64 member_id = mbr_get_int8(fcinfo, 0, "member_id");
    char *reason = mbr_get_text(fcinfo, 1, "reason", MBR_MAX_NOTE);
    MbrSession session;
    MbrLoad load;
    MbrWork work;
    MbrKey taken;

    mbr_enter(&session, false);
    mbr_need_tables(mbr_config_current(&session), 2);
    /* a retry of recorded errors locks these before their members */
    run(&session, MBR_PLAN_ERASE_ACCRUAL_ERRORS,
        mbr_alias_numbers(&session, mbr_alias_survivor(&session, member_id)));
    mbr_leave(&session);
    mbr_change_begin(&session, &member_id, true, &load, &work);
    mbr_settle(&work); /* what is due comes first, and takes numbers */
    if (mbr_claim_key(&session, &work.member, MBR_VERB_ERASURE, ONCE, work.member.next_journal_no, 0,
                      &taken)) {
        erase_person(&session, member_id);
        mbr_change_post(&session, &load, &work, MBR_VERB_ERASURE, reason);
    }
    mbr_leave(&session);
    PG_RETURN_VOID();
}
