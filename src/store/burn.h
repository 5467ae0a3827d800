/* burn.h - the burn rules, cached with the configuration; conditions are compiled when first needed. */
#ifndef MBR_STORE_BURN_H
#define MBR_STORE_BURN_H

#include "engine/limit.h"
#include "store/rules.h"

typedef struct MbrBurnRule {
    int burn_rule_id;
    const char *code;
    const char *purpose;
    Timestamp valid_from;
    Timestamp valid_until;
    MbrFilter filters[MBR_FILTER_COUNT];
    const char *text; /* of the condition; NULL = always */
    MbrCondition *condition;
    MbrBurn burn;
} MbrBurnRule;

/* The active ones, best first. */
struct MbrBurnRules {
    MemoryContext context;
    MbrBurnRule *rules;
    int n;
};

extern MbrBurnRules *mbr_burn_rules(MbrSession *session, const MbrConfig *config);
#endif
