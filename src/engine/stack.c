/*
 * stack.c - the contest of rules.
 *
 * It is held on every line, and once for the order's bonuses. An exclusive rule stands alone; else the best
 * of each group counts; of the rates that are left, the highest.
 */
#include <stddef.h>

#include "engine/canary.h"
#include "engine/stack.h"

#define THE_ORDER (-1)

/* Points and growth do not meet. */
typedef enum Kind { POINTS, GROWTH } Kind;

bool
mbr_is_order_bonus(const MbrRule *rule)
{
    return rule->effect == MBR_EFFECT_BONUS && !rule->line_scope;
}

static bool
is_of_kind(const MbrRule *rule, Kind kind)
{
    return (rule->effect == MBR_EFFECT_GROWTH) == (kind == GROWTH);
}

/* Whether the rule matched where the contest is held: on a line, or for the order as a whole. */
static bool
is_met(const MbrUse *use, Kind kind, int line)
{
    if (use->outcome != MBR_OUTCOME_APPLIED || !is_of_kind(use->rule, kind))
        return false;
    return line == THE_ORDER ? !use->rule->line_scope : use->cells[line].matched;
}

/* Whether what it gives is at stake there; an exclusive rule stands alone also where it gives nothing. */
static bool
competes(const MbrUse *use, Kind kind, int line)
{
    return is_met(use, kind, line) && mbr_is_order_bonus(use->rule) == (line == THE_ORDER);
}

static bool
precedes(const MbrRule *a, const MbrRule *b)
{
    return a->priority != b->priority ? a->priority > b->priority : a->rule_id < b->rule_id;
}

static bool
is_better(const MbrRule *a, const MbrRule *b)
{
    return a->value != b->value ? a->value > b->value : precedes(a, b);
}

static const MbrRule *
find_exclusive(const MbrPurchase *purchase, Kind kind, int line)
{
    const MbrRule *first = NULL;

    for (int i = 0; i < purchase->nuses; i++) {
        const MbrUse *use = &purchase->uses[i];

        if (use->rule->exclusive && is_met(use, kind, line) && (first == NULL || precedes(use->rule, first)))
            first = use->rule;
    }
    return first;
}

/* Rules of one group have one effect; versions of different times may differ, and then do not meet. */
static bool
is_rival(const MbrRule *a, const MbrRule *b)
{
    return a->effect == b->effect &&
           (a->effect == MBR_EFFECT_RATE || (a->group >= 0 && a->group == b->group));
}

/* The best rule that the rule meets: itself, when it wins. Rates of all groups meet in the end. */
static const MbrRule *
find_winner(const MbrPurchase *purchase, Kind kind, int line, const MbrRule *rule)
{
    const MbrRule *best = rule;

    for (int i = 0; i < purchase->nuses; i++) {
        const MbrUse *use = &purchase->uses[i];

        if (competes(use, kind, line) && is_rival(use->rule, rule) && is_better(use->rule, best) &&
            !MBR_CANARY(SECOND_BEST_COUNTS))
            best = use->rule;
    }
    return best;
}

static void
hold_contest(MbrPurchase *purchase, Kind kind, int line)
{
    const MbrRule *exclusive = find_exclusive(purchase, kind, line);

    for (int i = 0; i < purchase->nuses; i++) {
        MbrUse *use = &purchase->uses[i];
        const MbrRule *winner = exclusive;

        if (!competes(use, kind, line))
            continue;
        if (winner == NULL)
            winner = find_winner(purchase, kind, line, use->rule);
        if (winner == use->rule)
            winner = NULL;
        if (line == THE_ORDER)
            use->beaten_by = winner;
        else
            use->cells[line].beaten_by = winner;
    }
}

/* A rule that counts on no line is beaten; by the rule that beat it on the first one. */
static void
sum_up(const MbrPurchase *purchase, MbrUse *use)
{
    const MbrRule *by = NULL;

    if (use->outcome != MBR_OUTCOME_APPLIED)
        return;
    for (int i = 0; i < purchase->nlines && !mbr_is_order_bonus(use->rule); i++) {
        const MbrCell *cell = &use->cells[i];

        if (cell->matched && cell->beaten_by == NULL)
            return;
        if (cell->matched && by == NULL)
            by = cell->beaten_by;
    }
    if (by != NULL)
        use->beaten_by = by;
    if (use->beaten_by != NULL)
        use->outcome = MBR_OUTCOME_BEATEN;
}

void
mbr_stack(MbrPurchase *purchase)
{
    if (purchase->nuses == 0)
        return;
    for (int line = THE_ORDER; line < purchase->nlines; line++) {
        hold_contest(purchase, POINTS, line);
        hold_contest(purchase, GROWTH, line);
    }
    for (int i = 0; i < purchase->nuses; i++)
        sum_up(purchase, &purchase->uses[i]);
}
