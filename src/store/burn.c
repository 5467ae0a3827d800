/* burn.c - reads and keeps the burn rules. */
#include "postgres.h"

#include "utils/memutils.h"

#include "store/burn.h"
#include "store/plan.h"

static int64
share_of(uint64 row, int col)
{
    return mbr_col_null(row, col) ? MBR_UNLIMITED : mbr_col_money(row, col, MBR_RATE_DIGITS);
}

static void
read_rule(uint64 row, const MbrConfig *config, MbrBurnRule *rule)
{
    *rule = (MbrBurnRule){.burn_rule_id = mbr_col_int4(row, 1, 0),
                          .code = mbr_col_text(row, 2),
                          .purpose = mbr_col_text(row, 3),
                          .valid_from = mbr_col_int8(row, 4, DT_NOBEGIN),
                          .valid_until = mbr_col_int8(row, 5, DT_NOEND),
                          .text = mbr_col_text(row, 10),
                          .burn = {.step = mbr_col_int8(row, 11, 0),
                                   .value = mbr_col_money(row, 12, config->digits),
                                   .share = share_of(row, 13),
                                   .minimum = mbr_col_int8(row, 14, 0),
                                   .daily_cap = mbr_col_int8(row, 15, MBR_UNLIMITED)}};
    mbr_filter_read(row, 6, &rule->filters[MBR_FILTER_MERCHANT]);
    mbr_filter_read(row, 7, &rule->filters[MBR_FILTER_MALL]);
    mbr_filter_read(row, 8, &rule->filters[MBR_FILTER_TIER]);
    mbr_filter_read(row, 9, &rule->filters[MBR_FILTER_CHANNEL]);
}

/* An error on the way leaves the cache as it was. */
MbrBurnRules *
mbr_burn_rules(MbrSession *session, const MbrConfig *config)
{
    MemoryContext fresh, saved;
    MbrArgs args = MBR_NO_ARGS;
    MbrBurnRules *rules;

    if (*config->burn_rules != NULL)
        return *config->burn_rules;
    fresh = AllocSetContextCreate(session->context, "membership burn rules", ALLOCSET_SMALL_SIZES);
    saved = MemoryContextSwitchTo(fresh);
    rules = palloc(sizeof(MbrBurnRules));
    rules->context = fresh;
    rules->n = (int)mbr_plan_run(session, MBR_PLAN_BURN_RULES, &args);
    rules->rules = palloc0(sizeof(MbrBurnRule) * Max(rules->n, 1));
    for (int i = 0; i < rules->n; i++)
        read_rule(i, config, &rules->rules[i]);
    MemoryContextSwitchTo(saved);
    MemoryContextSetParent(fresh, config->context);
    *config->burn_rules = rules;
    return rules;
}
