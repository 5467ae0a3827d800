/* verb.c - names of verbs, states and kinds, as the tables' CHECK constraints list them. */
#include "postgres.h"

#include "store/verb.h"

static const char *const verbs[] = {
    [MBR_VERB_ENROLMENT] = "enrolment",
    [MBR_VERB_ACCRUAL] = "accrual",
    [MBR_VERB_REVIEW] = "review",
    [MBR_VERB_GRANT] = "grant",
    [MBR_VERB_OPENING] = "opening",
    [MBR_VERB_ADJUSTMENT] = "adjustment",
    [MBR_VERB_EXPIRY] = "expiry",
    [MBR_VERB_DEBT_PAYMENT] = "debt_payment",
    [MBR_VERB_EXTENSION] = "extension",
    [MBR_VERB_TIER_CHANGE] = "tier_change",
    [MBR_VERB_STATUS_CHANGE] = "status_change",
    [MBR_VERB_IDENTITY_CHANGE] = "identity_change",
    [MBR_VERB_REDEMPTION] = "redemption",
    [MBR_VERB_AUTHORIZATION] = "authorization",
    [MBR_VERB_CAPTURE] = "capture",
    [MBR_VERB_VOID] = "void",
    [MBR_VERB_TIMEOUT] = "timeout",
    [MBR_VERB_REVERSAL] = "reversal",
    [MBR_VERB_TRANSFER_OUT] = "transfer_out",
    [MBR_VERB_TRANSFER_IN] = "transfer_in",
    [MBR_VERB_REFUND] = "refund",
    [MBR_VERB_CORRECTION] = "correction",
    [MBR_VERB_REASSIGNMENT] = "reassignment",
    [MBR_VERB_MERGE_OUT] = "merge_out",
    [MBR_VERB_MERGE_IN] = "merge_in",
    [MBR_VERB_ERASURE] = "erasure",
};

static const char *const accrual_statuses[] = {
    [MBR_ACCRUAL_POSTED] = "posted",     [MBR_ACCRUAL_PENDING] = "pending",   [MBR_ACCRUAL_REVIEW] = "review",
    [MBR_ACCRUAL_REJECTED] = "rejected", [MBR_ACCRUAL_IMPORTED] = "imported",
};

static const char *const member_statuses[] = {
    [MBR_MEMBER_ACTIVE] = "active",
    [MBR_MEMBER_FROZEN] = "frozen",
    [MBR_MEMBER_CLOSED] = "closed",
};

static const char *const roundings[] = {
    [MBR_ROUND_FLOOR] = "floor",
    [MBR_ROUND_HALF_UP] = "half_up",
    [MBR_ROUND_CEILING] = "ceiling",
};

static const char *const stackings[] = {
    [MBR_STACK_ADDITIVE] = "additive",
    [MBR_STACK_MULTIPLY] = "multiply",
};

static const char *const effects[] = {
    [MBR_EFFECT_MULTIPLIER] = "multiplier",
    [MBR_EFFECT_BONUS] = "bonus_points",
    [MBR_EFFECT_RATE] = "rate",
    [MBR_EFFECT_GROWTH] = "growth",
};

static const char *const outcomes[] = {
    [MBR_OUTCOME_NOT_MATCHED] = "not_matched", [MBR_OUTCOME_FAILED] = "failed",
    [MBR_OUTCOME_SHADOW] = "shadow",           [MBR_OUTCOME_BEATEN] = "beaten",
    [MBR_OUTCOME_APPLIED] = "applied",
};

static const char *const refund_modes[] = {
    [MBR_REFUND_PROPORTIONAL] = "proportional",
    [MBR_REFUND_REEVALUATE] = "reevaluate",
    [MBR_REFUND_NONE] = "none",
};

static const char *const clawbacks[] = {
    [MBR_CLAWBACK_ONLY_PENDING] = "only_pending",
    [MBR_CLAWBACK_WITHIN_BALANCE] = "within_balance",
    [MBR_CLAWBACK_UNLIMITED] = "unlimited",
};

static const char *const reasons[] = {
    [MBR_REASON_NONE] = NULL,
    [MBR_REASON_MEMBER_FROZEN] = "member_frozen",
    [MBR_REASON_LATE_CLAIM] = "late_claim",
    [MBR_REASON_APPROVED] = "approved",
    [MBR_REASON_REJECTED] = "rejected",
};

static const char *const split_kinds[] = {
    [MBR_SPLIT_SALE] = "sale",
    [MBR_SPLIT_COMMISSION] = "commission",
    [MBR_SPLIT_POINTS_ISSUED] = "points_issued",
    [MBR_SPLIT_POINTS_REDEEMED] = "points_redeemed",
    [MBR_SPLIT_POINTS_CONTRIBUTION] = "points_contribution",
};

const char *
mbr_verb_name(MbrVerb verb)
{
    return verbs[verb];
}

/* The index of a word that a table holds; NULL finds NULL. */
static int
find_name(const char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (name == names[i] || (name != NULL && names[i] != NULL && strcmp(name, names[i]) == 0))
            return i;
    elog(ERROR, "unknown word \"%s\" in a table", name == NULL ? "NULL" : name);
}

MbrVerb
mbr_verb_of(const char *name)
{
    return (MbrVerb)find_name(verbs, lengthof(verbs), name);
}

MbrAccrualStatus
mbr_accrual_status_of(const char *name)
{
    return (MbrAccrualStatus)find_name(accrual_statuses, lengthof(accrual_statuses), name);
}

MbrReason
mbr_reason_of(const char *name)
{
    return (MbrReason)find_name(reasons, lengthof(reasons), name);
}

MbrRounding
mbr_rounding_of(const char *name)
{
    return (MbrRounding)find_name(roundings, lengthof(roundings), name);
}

MbrMemberStatus
mbr_member_status_of(const char *name)
{
    return (MbrMemberStatus)find_name(member_statuses, lengthof(member_statuses), name);
}

MbrStacking
mbr_stacking_of(const char *name)
{
    return (MbrStacking)find_name(stackings, lengthof(stackings), name);
}

const char *
mbr_stacking_name(MbrStacking stacking)
{
    return stackings[stacking];
}

const char *
mbr_rounding_name(MbrRounding rounding)
{
    return roundings[rounding];
}

const char *
mbr_accrual_status_name(MbrAccrualStatus status)
{
    return accrual_statuses[status];
}

const char *
mbr_reason_name(MbrReason reason)
{
    return reasons[reason];
}

MbrSplitKind
mbr_split_kind_of(const char *name)
{
    return (MbrSplitKind)find_name(split_kinds, lengthof(split_kinds), name);
}

const char *
mbr_split_kind_name(MbrSplitKind kind)
{
    return split_kinds[kind];
}

MbrEffect
mbr_effect_of(const char *name)
{
    return (MbrEffect)find_name(effects, lengthof(effects), name);
}

const char *
mbr_effect_name(MbrEffect effect)
{
    return effects[effect];
}

const char *
mbr_outcome_name(MbrOutcome outcome)
{
    return outcomes[outcome];
}

MbrOutcome
mbr_outcome_of(const char *name)
{
    return (MbrOutcome)find_name(outcomes, lengthof(outcomes), name);
}

MbrRefundMode
mbr_refund_mode_of(const char *name)
{
    return (MbrRefundMode)find_name(refund_modes, lengthof(refund_modes), name);
}

MbrClawback
mbr_clawback_of(const char *name)
{
    return (MbrClawback)find_name(clawbacks, lengthof(clawbacks), name);
}
