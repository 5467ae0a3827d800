/*
 * award.c - base rate, rate rules, multipliers, bonuses, growth; one rounding.
 *
 * A line is worth basis x rate x F, F being t + sum (m - 1) or t x product of m for the tier's multiplier t
 * and the rules' m. The sum over the lines is rounded once and spread over the lines, and each line's share
 * over its parts: base and tier, then each rule. F has 12 decimals. A product that overflows 128 bits is
 * worth more points than there may be.
 */
#include <stddef.h>

#include "engine/award.h"
#include "engine/canary.h"
#include "engine/stack.h"

#define FACTOR_SCALE INT64_C(1000000000000)
#define FACTOR_OF_MULTIPLIER (FACTOR_SCALE / MBR_MULTIPLIER_SCALE)

/* What the parts of a line are computed with. */
typedef struct Terms {
    int64_t basis;
    int64_t base_rate;
    int64_t rate; /* that counts on the line */
    MbrWide tier; /* scaled by FACTOR_SCALE, as the next */
    MbrWide product;
    bool overflow;
} Terms;

void
mbr_sum_basis(MbrPurchase *purchase)
{
    purchase->basis = 0;
    for (int i = 0; i < purchase->nlines; i++) {
        MbrLine *line = &purchase->lines[i];

        line->basis = line->eligible ? line->amount - line->tendered : 0;
        purchase->basis += line->basis;
    }
}

static MbrWide
times(Terms *terms, MbrWide a, MbrWide b)
{
    MbrWide product;

    if (__builtin_mul_overflow(a, b, &product)) {
        terms->overflow = true;
        return 0;
    }
    return product;
}

static MbrWide
plus(Terms *terms, MbrWide a, MbrWide b)
{
    MbrWide sum;

    if (__builtin_add_overflow(a, b, &sum)) {
        terms->overflow = true;
        return 0;
    }
    return sum;
}

/* Whether the rule counts on the line, by weight: bonuses are whole points and come later. */
static bool
counts_on(const MbrUse *use, int line)
{
    return use->outcome == MBR_OUTCOME_APPLIED && use->cells[line].matched &&
           use->cells[line].beaten_by == NULL;
}

static Terms
terms_of(const MbrPurchase *purchase, int line)
{
    Terms terms = {.basis = purchase->lines[line].basis,
                   .base_rate = purchase->base_rate,
                   .rate = purchase->base_rate,
                   .tier = (MbrWide)purchase->tier->multiplier * FACTOR_OF_MULTIPLIER};

    terms.product = terms.tier;
    for (int i = 0; i < purchase->nuses; i++)
        if (purchase->uses[i].rule->effect == MBR_EFFECT_RATE && counts_on(&purchase->uses[i], line))
            terms.rate = purchase->uses[i].rule->value;
    return terms;
}

/* What a multiplier adds to the factor; of a product, what it grows by with this rule. */
static MbrWide
factor_of(Terms *terms, MbrStacking stacking, int64_t multiplier)
{
    MbrWide before = terms->product;

    if (stacking == MBR_STACK_ADDITIVE)
        return (MbrWide)(multiplier - MBR_MULTIPLIER_SCALE) * FACTOR_OF_MULTIPLIER;
    terms->product = mbr_round_div(times(terms, before, multiplier), MBR_MULTIPLIER_SCALE, MBR_ROUND_HALF_UP);
    return terms->product - before;
}

static MbrWide
weight_of_rule(Terms *terms, MbrStacking stacking, const MbrRule *rule)
{
    MbrWide earned = (MbrWide)terms->basis * terms->rate;
    int64_t more = terms->rate - terms->base_rate;

    switch (rule->effect) {
        case MBR_EFFECT_RATE:
            return more > 0 ? times(terms, (MbrWide)terms->basis * more, terms->tier) : 0;
        case MBR_EFFECT_MULTIPLIER:
            return times(terms, earned, factor_of(terms, stacking, rule->value));
        case MBR_EFFECT_GROWTH:
            return (MbrWide)terms->basis * rule->value;
        case MBR_EFFECT_BONUS:
            break;
    }
    return 0;
}

/* The minor units, rates and factors in a weight of one point, or of one growth value. */
static MbrWide
divisor_of(const MbrPurchase *purchase, bool growth)
{
    return (MbrWide)purchase->currency_scale * MBR_RATE_SCALE * (growth ? 1 : FACTOR_SCALE);
}

/* The exact worth of a line's parts, base and tier first, then each use's; returns their sum. */
static MbrWide
weigh_parts(const MbrPurchase *purchase, bool growth, int line, Terms *terms, MbrWide *parts)
{
    int64_t base_rate;
    MbrWide sum;

    *terms = terms_of(purchase, line);
    base_rate = terms->rate < terms->base_rate ? terms->rate : terms->base_rate;
    parts[0] = growth ? 0 : times(terms, (MbrWide)terms->basis * base_rate, terms->tier);
    sum = parts[0];
    for (int i = 0; i < purchase->nuses; i++) {
        const MbrUse *use = &purchase->uses[i];
        bool counts = counts_on(use, line) && (use->rule->effect == MBR_EFFECT_GROWTH) == growth;

        parts[i + 1] = counts ? weight_of_rule(terms, purchase->stacking, use->rule) : 0;
        if (MBR_CANARY(ROUNDED_BY_RULE))
            parts[i + 1] -= parts[i + 1] % divisor_of(purchase, growth);
        sum = plus(terms, sum, parts[i + 1]);
    }
    return sum;
}

/* Rounds the order's worth once, and gives lines and cells their shares. */
static MbrRefusal
award_by_weight(MbrPurchase *purchase, bool growth, MbrScratch *scratch, int64_t *award)
{
    MbrWide divisor = divisor_of(purchase, growth);
    int n = purchase->nlines;
    MbrWide total = 0;
    Terms terms;

    for (int i = 0; i < n; i++) {
        scratch->weights[i] = weigh_parts(purchase, growth, i, &terms, scratch->weights + n);
        total = plus(&terms, total, scratch->weights[i]);
        if (terms.overflow)
            return MBR_REFUSED_OVERFLOW;
    }
    if (total / divisor > MBR_MAX_POINTS)
        return MBR_REFUSED_OVERFLOW;
    *award =
        (int64_t)mbr_round_div(total, divisor, MBR_CANARY(HALF_UP) ? MBR_ROUND_HALF_UP : purchase->rounding);
    mbr_spread(scratch->weights, n, divisor, *award, scratch->parts, scratch->remainders);
    for (int i = 0; i < n; i++) {
        MbrLine *line = &purchase->lines[i];
        int64_t *parts = scratch->parts + n;

        (void)weigh_parts(purchase, growth, i, &terms, scratch->weights + n);
        mbr_spread(scratch->weights + n, purchase->nuses + 1, divisor, scratch->parts[i], parts,
                   scratch->remainders + n);
        if (!growth) {
            line->points = scratch->parts[i];
            line->base_points = parts[0];
        }
        for (int u = 0; u < purchase->nuses; u++)
            if ((purchase->uses[u].rule->effect == MBR_EFFECT_GROWTH) == growth &&
                counts_on(&purchase->uses[u], i))
                purchase->uses[u].cells[i].points = parts[u + 1];
    }
    return MBR_OK;
}

/* The basis alone at the base rate, or at a lower rate of a rule's, rounded as the award is. */
static MbrRefusal
count_base(MbrPurchase *purchase)
{
    MbrWide sum = 0;
    MbrWide base;

    for (int i = 0; i < purchase->nlines; i++) {
        Terms terms = terms_of(purchase, i);

        sum += (MbrWide)terms.basis * (terms.rate < terms.base_rate ? terms.rate : terms.base_rate);
    }
    base = mbr_round_div(sum, (MbrWide)purchase->currency_scale * MBR_RATE_SCALE, purchase->rounding);
    if (base > MBR_MAX_POINTS)
        return MBR_REFUSED_OVERFLOW;
    purchase->base_points = (int64_t)base;
    return MBR_OK;
}

static void
give_line_bonus(MbrPurchase *purchase, MbrUse *use)
{
    for (int i = 0; i < purchase->nlines; i++)
        if (counts_on(use, i))
            use->cells[i].points = use->rule->value;
}

/* By basis over the eligible lines; over the first of them if there is none. */
static void
give_order_bonus(MbrPurchase *purchase, MbrUse *use, MbrScratch *scratch)
{
    int first = 0;

    while (first < purchase->nlines - 1 && !use->cells[first].matched)
        first++;
    if (purchase->basis == 0) {
        use->cells[first].points = use->rule->value;
        return;
    }
    for (int i = 0; i < purchase->nlines; i++)
        scratch->weights[i] = (MbrWide)purchase->lines[i].basis * use->rule->value;
    mbr_spread(scratch->weights, purchase->nlines, purchase->basis, use->rule->value, scratch->parts,
               scratch->remainders);
    for (int i = 0; i < purchase->nlines; i++)
        use->cells[i].points = scratch->parts[i];
}

static void
give_bonuses(MbrPurchase *purchase, MbrScratch *scratch)
{
    for (int u = 0; u < purchase->nuses; u++) {
        MbrUse *use = &purchase->uses[u];

        if (use->outcome != MBR_OUTCOME_APPLIED || use->rule->effect != MBR_EFFECT_BONUS)
            continue;
        if (use->rule->line_scope)
            give_line_bonus(purchase, use);
        else
            give_order_bonus(purchase, use, scratch);
        for (int i = 0; i < purchase->nlines; i++) {
            purchase->lines[i].points += use->cells[i].points;
            purchase->points_wanted += use->cells[i].points;
        }
    }
}

/* What a rule on trial would give if it were the only one, rounded down. */
static int64_t
worth_alone(const MbrPurchase *purchase, const MbrUse *use)
{
    bool growth = use->rule->effect == MBR_EFFECT_GROWTH;
    Terms terms = {.base_rate = purchase->base_rate,
                   .rate = use->rule->effect == MBR_EFFECT_RATE ? use->rule->value : purchase->base_rate,
                   .tier = (MbrWide)purchase->tier->multiplier * FACTOR_OF_MULTIPLIER};
    MbrWide sum = 0;
    int64_t bonus = 0;

    for (int i = 0; i < purchase->nlines; i++) {
        if (!use->cells[i].matched)
            continue;
        terms.basis = purchase->lines[i].basis;
        terms.product = terms.tier;
        sum = plus(&terms, sum, weight_of_rule(&terms, purchase->stacking, use->rule));
        bonus = use->rule->line_scope ? bonus + use->rule->value : use->rule->value;
    }
    if (use->rule->effect == MBR_EFFECT_BONUS)
        return bonus;
    sum /= divisor_of(purchase, growth);
    return terms.overflow || sum > MBR_MAX_POINTS ? MBR_MAX_POINTS : (int64_t)sum;
}

static void
sum_uses(MbrPurchase *purchase)
{
    for (int u = 0; u < purchase->nuses; u++) {
        MbrUse *use = &purchase->uses[u];

        use->points = use->outcome == MBR_OUTCOME_SHADOW ? worth_alone(purchase, use) : 0;
        for (int i = 0; i < purchase->nlines && use->outcome == MBR_OUTCOME_APPLIED; i++)
            use->points += use->cells[i].points;
    }
}

/* What the funders owe must fit, too; checked here, before anything is posted. */
static bool
prices_fit(const MbrPurchase *purchase)
{
    for (int i = 0; i < purchase->nlines; i++) {
        MbrWide price = (MbrWide)purchase->points_wanted * purchase->lines[i].terms->issue_price;

        price *= purchase->currency_scale;
        if (mbr_round_div(price, MBR_RATE_SCALE, MBR_ROUND_HALF_UP) > MBR_MAX_AMOUNT)
            return false;
    }
    return true;
}

bool
mbr_award_fits(const MbrPurchase *purchase)
{
    return purchase->points_wanted <= MBR_MAX_POINTS && purchase->base_points <= MBR_MAX_POINTS &&
           purchase->growth <= MBR_MAX_POINTS && prices_fit(purchase);
}

MbrRefusal
mbr_award(MbrPurchase *purchase, MbrScratch *scratch)
{
    mbr_stack(purchase);
    return mbr_award_stacked(purchase, scratch);
}

MbrRefusal
mbr_award_stacked(MbrPurchase *purchase, MbrScratch *scratch)
{
    MbrRefusal refusal = award_by_weight(purchase, false, scratch, &purchase->points_wanted);

    if (refusal == MBR_OK)
        refusal = count_base(purchase);
    if (refusal == MBR_OK)
        give_bonuses(purchase, scratch);
    purchase->growth = 0;
    if (refusal == MBR_OK && purchase->nuses > 0)
        refusal = award_by_weight(purchase, true, scratch, &purchase->growth);
    if (refusal != MBR_OK)
        return refusal;
    sum_uses(purchase);
    return mbr_award_fits(purchase) ? MBR_OK : MBR_REFUSED_OVERFLOW;
}
