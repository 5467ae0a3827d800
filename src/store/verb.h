/* verb.h - the words that tables hold for the engine's enums. */
#ifndef MBR_STORE_VERB_H
#define MBR_STORE_VERB_H

#include "engine/work.h"

extern const char *mbr_verb_name(MbrVerb verb);
extern MbrVerb mbr_verb_of(const char *name);
extern const char *mbr_accrual_status_name(MbrAccrualStatus status);
extern const char *mbr_reason_name(MbrReason reason); /* NULL for none */
extern MbrAccrualStatus mbr_accrual_status_of(const char *name);
extern MbrReason mbr_reason_of(const char *name); /* NULL = none */
extern MbrMemberStatus mbr_member_status_of(const char *name);
extern const char *mbr_rounding_name(MbrRounding rounding);
extern MbrRounding mbr_rounding_of(const char *name);
extern const char *mbr_split_kind_name(MbrSplitKind kind);

extern MbrStacking mbr_stacking_of(const char *name);
extern const char *mbr_stacking_name(MbrStacking stacking);
extern MbrEffect mbr_effect_of(const char *name);
extern const char *mbr_effect_name(MbrEffect effect);
extern const char *mbr_outcome_name(MbrOutcome outcome);
extern MbrOutcome mbr_outcome_of(const char *name);
extern MbrRefundMode mbr_refund_mode_of(const char *name);
extern MbrClawback mbr_clawback_of(const char *name);
extern MbrSplitKind mbr_split_kind_of(const char *name);

#endif
