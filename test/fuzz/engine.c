/*
 * engine.c - a libFuzzer target over the engine: test/fuzz/engine builds and runs it.
 *
 * The fuzzer's bytes draw a member with lots and debt, merchants, tiers, rules and a series of postings,
 * within what the tables and the functions' arguments allow. What has to hold after every posting is checked,
 * with the award computed once more from whole lines instead of parts. Arrays are as long as mbr_load_room
 * makes them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/accrue.h"
#include "engine/adjust.h"
#include "engine/ledger.h"
#include "engine/stack.h"

#define MAX_LINES 5
#define MAX_RULES 14
#define MAX_LOTS 5
#define MAX_STEPS 8
#define NTIERS 3
#define NMERCHANTS 3
#define MAX_GIVEN_AMOUNT INT64_C(9999999999999999) /* 16 digits, as mbr_money_parse takes them */
#define MAX_RATE (INT64_C(10000) * MBR_RATE_SCALE)
#define MAX_MULTIPLIER (INT64_C(100) * MBR_MULTIPLIER_SCALE)
#define FACTOR_SCALE INT64_C(1000000000000)

#define CHECK(condition) ((condition) ? (void)0 : fail(#condition, __LINE__))

typedef struct Order {
    MbrPurchase purchase;
    MbrLine lines[MAX_LINES];
    MbrUse uses[MAX_RULES];
    MbrCell cells[MAX_RULES][MAX_LINES];
    int64_t journal_no;
    bool awaits_review;
} Order;

typedef struct World {
    MbrTier tiers[NTIERS];
    MbrTerms merchants[NMERCHANTS];
    MbrRule rules[MAX_RULES];
    int nrules;
    MbrStacking stacking;
    MbrRounding rounding;
    int64_t currency_scale;
    int64_t base_rate;
    Order orders[MAX_STEPS];
    MbrWork work;
    MbrMember before; /* the member as drawn */
    MbrLot lots_before[MAX_LOTS];
} World;

static const uint8_t *bytes;
static size_t nbytes;
static uint64_t tail;
static int boldness;

static void
fail(const char *condition, int line)
{
    fprintf(stderr, "test/fuzz/engine.c:%d: does not hold: %s\n", line, condition);
    abort();
}

/* ------------------------------------------------------------------ drawing */

/* Where the bytes end, xorshift goes on, so that the shortest input is a whole series of postings. */
static int
draw_byte(void)
{
    if (nbytes > 0) {
        nbytes--;
        return *bytes++;
    }
    tail ^= tail << 13;
    tail ^= tail >> 7;
    tail ^= tail << 17;
    return (int)(tail >> 56);
}

/* 0 to n - 1 */
static int
pick(int n)
{
    return draw_byte() % n;
}

/* Within the bounds, often at one of them; a bold world prefers the upper. */
static int64_t
number(int64_t low, int64_t high)
{
    uint64_t any = 0;

    if (pick(8) < boldness)
        return high;
    switch (pick(5)) {
        case 0:
            return low;
        case 1:
            return low + (high - low) / (1 + draw_byte());
        case 2:
            return low + draw_byte() % (high - low + 1);
        default:
            for (int i = 0; i < 8; i++)
                any = any << 8 | (uint64_t)draw_byte();
            return low + (int64_t)(any % (uint64_t)(high - low + 1));
    }
}

static void
draw_settings(World *world)
{
    static const int64_t scales[] = {1, 100, 1000, 10000};

    boldness = pick(9);
    world->stacking = pick(2) == 0 ? MBR_STACK_ADDITIVE : MBR_STACK_MULTIPLY;
    world->rounding = (MbrRounding)pick(3);
    world->currency_scale = scales[pick(4)];
    world->base_rate = number(0, MAX_RATE);
    for (int i = 0; i < NTIERS; i++)
        world->tiers[i] = (MbrTier){.tier_id = i + 1,
                                    .rank = i + 1,
                                    .multiplier = number(0, MAX_MULTIPLIER),
                                    .qualify_basis = number(0, MBR_MAX_AMOUNT)};
    for (int i = 0; i < NMERCHANTS; i++)
        world->merchants[i] = (MbrTerms){.merchant_id = i + 1,
                                         .merchant_party = 1 + pick(4),
                                         .mall_party = 1 + pick(2),
                                         .mall_collects = pick(2) == 0,
                                         .commission_rate = number(0, MBR_RATE_SCALE),
                                         .issue_price = number(0, MAX_RATE)};
}

static int64_t
draw_value(MbrEffect effect)
{
    switch (effect) {
        case MBR_EFFECT_MULTIPLIER:
            return number(MBR_MULTIPLIER_SCALE, MAX_MULTIPLIER);
        case MBR_EFFECT_BONUS:
            return number(1, 1000000000);
        case MBR_EFFECT_RATE:
        case MBR_EFFECT_GROWTH:
            break;
    }
    return number(0, MAX_RATE);
}

static void
draw_rules(World *world)
{
    int variety = 1 + pick(4); /* with 1, all are multipliers and none compete */

    world->nrules = pick(MAX_RULES + 1);
    for (int i = 0; i < world->nrules; i++) {
        MbrEffect effect = (MbrEffect)pick(variety);

        world->rules[i] = (MbrRule){.rule_id = i + 1,
                                    .version = 1,
                                    .code = "rule",
                                    .effect = effect,
                                    .value = draw_value(effect),
                                    .line_scope = pick(2) == 0,
                                    .exclusive = pick(8) == 1,
                                    .shadow = pick(8) == 1,
                                    .group = pick(variety) - 1,
                                    .priority = pick(3) - 1,
                                    .funder_party = pick(5)};
    }
}

static int64_t
draw_death(int64_t active_at)
{
    return pick(4) == 0 ? MBR_NEVER : active_at + pick(16);
}

static void
draw_member(World *world)
{
    MbrMember *member = &world->work.member;
    int64_t balance = 0;

    *member = (MbrMember){.member_id = 1,
                          .status = pick(8) == 1 ? MBR_MEMBER_FROZEN : MBR_MEMBER_ACTIVE,
                          .tier_id = 1 + pick(NTIERS),
                          .debt = pick(2) == 0 ? 0 : number(0, MBR_MAX_POINTS),
                          .next_journal_no = 5,
                          .next_entry_no = 1 + MAX_LOTS,
                          .nlots = pick(MAX_LOTS + 1),
                          .lots_loaded = true};
    for (int i = 0; i < member->nlots; i++) {
        int64_t remaining = number(1, (MBR_MAX_POINTS - 1) / MAX_LOTS);
        int64_t active_at = pick(32);

        world->lots_before[i] = (MbrLot){.lot_no = i + 1,
                                         .journal_no = 1,
                                         .granted = remaining,
                                         .remaining = remaining,
                                         .held = pick(3) == 1 ? number(0, remaining) : 0,
                                         .active_at = active_at,
                                         .expires_at = draw_death(active_at),
                                         .origin = MBR_VERB_GRANT};
        member->held += world->lots_before[i].held;
        balance += remaining;
    }
    member->balance = balance - member->debt;
    world->before = *member;
    member->lots = malloc(sizeof(world->lots_before));
    memcpy(member->lots, world->lots_before, sizeof(MbrLot) * member->nlots);
    world->work.allow_debt = pick(2) == 0;
    world->work.tiers = world->tiers;
    world->work.ntiers = NTIERS;
    world->work.tier_locked_until = MBR_NEVER;
    world->work.posted_at = 8;
}

/* Of an order rule every eligible line matches, of a line rule some; a rule that failed may have matched,
 * too. */
static void
draw_use(Order *order, const MbrRule *rule, int eligible)
{
    MbrPurchase *purchase = &order->purchase;
    MbrCell *cells = order->cells[purchase->nuses];
    MbrUse *use = &order->uses[purchase->nuses++];
    bool matched = false;

    *use = (MbrUse){.rule = rule};
    if (eligible == 0 || pick(4) == 1)
        return;
    use->cells = cells;
    for (int i = 0; i < purchase->nlines; i++) {
        const MbrLine *line = &order->lines[i];

        cells[i] = (MbrCell){.matched = line->eligible && (!rule->line_scope || pick(3) != 1),
                             .active_at = line->active_at,
                             .expires_at = line->expires_at};
        if (pick(4) == 1)
            cells[i].expires_at = draw_death(cells[i].active_at);
        matched = matched || cells[i].matched;
    }
    if (matched)
        use->outcome = rule->shadow ? MBR_OUTCOME_SHADOW : MBR_OUTCOME_APPLIED;
    if (matched && pick(16) == 1)
        use->outcome = MBR_OUTCOME_FAILED;
}

static void
draw_order(World *world, Order *order)
{
    MbrPurchase *purchase = &order->purchase;
    int64_t left = number(0, MAX_GIVEN_AMOUNT);
    int eligible = 0;

    *purchase = (MbrPurchase){.merchant_id = 1,
                              .amount = left,
                              .currency_scale = world->currency_scale,
                              .base_rate = world->base_rate,
                              .rounding = world->rounding,
                              .tier = &world->tiers[pick(NTIERS)],
                              .lines = order->lines,
                              .nlines = 1 + pick(MAX_LINES),
                              .late = pick(4) == 1,
                              .window_basis = number(0, 2 * MBR_MAX_AMOUNT),
                              .in_window = pick(2) == 0,
                              .stacking = world->stacking,
                              .uses = order->uses};
    for (int i = 0; i < purchase->nlines; i++) {
        int64_t amount = i == purchase->nlines - 1 ? left : number(0, left);
        int64_t active_at = world->work.posted_at + (pick(3) == 1 ? pick(8) : 0);

        order->lines[i] = (MbrLine){.line_no = i + 1,
                                    .terms = &world->merchants[pick(NMERCHANTS)],
                                    .amount = amount,
                                    .eligible = pick(4) != 1,
                                    .active_at = active_at,
                                    .expires_at = draw_death(active_at)};
        eligible += order->lines[i].eligible;
        left -= amount;
    }
    for (int i = 0; i < world->nrules; i++)
        draw_use(order, &world->rules[i], eligible);
    mbr_sum_basis(purchase);
}

/* ------------------------------------------------------------------ room, as mbr_load_room makes it */

static void *
resize(void *array, int *max, int needed, size_t size)
{
    *max = needed;
    return realloc(array, needed * size);
}

static void
make_room(MbrWork *work, int new_lots, int new_splits)
{
    MbrMember *member = &work->member;
    int lots = member->nlots + new_lots;

    member->lots = resize(member->lots, &member->max_lots, lots, sizeof(MbrLot));
    member->queue = resize(member->queue, &member->max_queue, lots, sizeof(MbrLot *));
    work->journals =
        resize(work->journals, &work->max_journals, work->njournals + 2 * lots + 2, sizeof(MbrJournal));
    work->entries =
        resize(work->entries, &work->max_entries, work->nentries + 6 * lots + 2, sizeof(MbrEntry));
    work->splits = resize(work->splits, &work->max_splits, work->nsplits + new_splits, sizeof(MbrSplit));
    work->activities =
        resize(work->activities, &work->max_activities, work->nactivities + 1, sizeof(MbrActivity));
    work->tier_changes =
        resize(work->tier_changes, &work->max_tier_changes, work->ntier_changes + 1, sizeof(MbrTierChange));
}

static void
free_world(World *world)
{
    free(world->work.member.lots);
    free(world->work.member.queue);
    free(world->work.journals);
    free(world->work.entries);
    free(world->work.splits);
    free(world->work.activities);
    free(world->work.tier_changes);
    free(world);
}

/* ------------------------------------------------------------------ the books */

/* Each lot, and the debt, are what they were and what the entries moved. */
static void
check_lots(const World *world)
{
    const MbrWork *work = &world->work;
    int64_t debt = world->before.debt;
    int64_t sum = 0;

    for (int i = 0; i < work->member.nlots; i++) {
        const MbrLot *lot = &work->member.lots[i];
        int64_t remaining = lot->opened ? 0 : world->lots_before[i].remaining;

        for (int k = 0; k < work->nentries; k++)
            if (work->entries[k].lot_no == lot->lot_no)
                remaining += work->entries[k].points;
        CHECK(lot->remaining == remaining);
        CHECK(0 <= lot->held && lot->held <= lot->remaining && lot->remaining <= lot->granted);
        sum += lot->remaining;
    }
    for (int k = 0; k < work->nentries; k++)
        if (work->entries[k].lot_no == 0)
            debt -= work->entries[k].points;
    CHECK(work->member.debt == debt && debt >= 0 && debt <= MBR_MAX_POINTS);
    CHECK(work->member.balance == sum - debt);
    CHECK(-MBR_MAX_POINTS <= work->member.balance && work->member.balance <= MBR_MAX_POINTS);
}

/* Entries chain, and journal rows take turns in owning them. */
static void
check_chain(const World *world)
{
    const MbrWork *work = &world->work;
    int64_t balance = world->before.balance;
    int at = 0;

    for (int j = 0; j < work->njournals; j++) {
        const MbrJournal *journal = &work->journals[j];
        int64_t opening = balance;

        CHECK(journal->journal_no == world->before.next_journal_no + j);
        for (; at < work->nentries && work->entries[at].journal_no == journal->journal_no; at++) {
            const MbrEntry *entry = &work->entries[at];

            CHECK(entry->entry_no == world->before.next_entry_no + at);
            CHECK(entry->points != 0);
            balance += entry->points;
            CHECK(entry->balance_after == balance);
        }
        CHECK(journal->points == balance - opening && journal->balance == balance);
        CHECK(journal->last_entry_no == world->before.next_entry_no + at - 1);
    }
    CHECK(at == work->nentries && balance == work->member.balance);
    CHECK(work->member.next_journal_no == world->before.next_journal_no + work->njournals);
    CHECK(work->member.next_entry_no == world->before.next_entry_no + work->nentries);
}

static void
check_settled(MbrWork *work)
{
    int64_t next = MBR_NEVER;

    CHECK(!mbr_settle_due(work));
    for (int i = 0; i < work->member.nlots; i++) {
        const MbrLot *lot = &work->member.lots[i];

        CHECK(lot->expires_at > work->posted_at || lot->remaining == lot->held);
        if (lot->remaining > 0 && lot->expires_at < next)
            next = lot->expires_at;
    }
    CHECK(mbr_next_expiry(&work->member) == next);
}

static void
check_activity(const World *world)
{
    MbrActivity day = {0};

    for (int i = 0; i < world->work.nactivities; i++) {
        const MbrActivity *activity = &world->work.activities[i];

        day.purchases += activity->purchases;
        CHECK(activity->basis >= 0 && activity->points >= 0 && activity->growth >= 0);
    }
    for (int j = 0; j < world->work.njournals; j++)
        day.purchases -= world->work.journals[j].purchase != NULL;
    CHECK(day.purchases == 0);
}

static void
check_books(World *world)
{
    check_lots(world);
    check_chain(world);
    check_settled(&world->work);
    check_activity(world);
}

/* ------------------------------------------------------------------ the contest, by the words of
 * doc/rules.md */

#define THE_ORDER (-1)

static bool
is_growth(const MbrRule *rule)
{
    return rule->effect == MBR_EFFECT_GROWTH;
}

static bool
takes_part(const MbrUse *use)
{
    return use->outcome == MBR_OUTCOME_APPLIED || use->outcome == MBR_OUTCOME_BEATEN;
}

static bool
met_at(const MbrUse *use, bool growth, int line)
{
    if (!takes_part(use) || is_growth(use->rule) != growth)
        return false;
    return line == THE_ORDER ? !use->rule->line_scope : use->cells[line].matched;
}

/* Whether what the rule gives is given there. */
static bool
at_stake(const MbrUse *use, bool growth, int line)
{
    return met_at(use, growth, line) && mbr_is_order_bonus(use->rule) == (line == THE_ORDER);
}

static const MbrRule *
beaten_at(const MbrUse *use, int line)
{
    return line == THE_ORDER ? use->beaten_by : use->cells[line].beaten_by;
}

static bool
goes_first(const MbrRule *a, const MbrRule *b)
{
    return a->priority > b->priority || (a->priority == b->priority && a->rule_id < b->rule_id);
}

static bool
are_rivals(const MbrRule *a, const MbrRule *b)
{
    bool same_group = a->group >= 0 && a->group == b->group;

    return a != b && a->effect == b->effect && (same_group || a->effect == MBR_EFFECT_RATE);
}

/* The exclusive rule that stands alone there, or NULL. */
static const MbrRule *
alone_at(const MbrPurchase *purchase, bool growth, int line)
{
    const MbrRule *alone = NULL;

    for (int u = 0; u < purchase->nuses; u++) {
        const MbrRule *rule = purchase->uses[u].rule;

        if (rule->exclusive && met_at(&purchase->uses[u], growth, line) &&
            (alone == NULL || goes_first(rule, alone)))
            alone = rule;
    }
    return alone;
}

/* Of two rivals one is beaten, by the better. */
static void
check_rivals(const MbrUse *a, const MbrUse *b, int line)
{
    const MbrRule *better = a->rule;

    if (b->rule->value > a->rule->value || (b->rule->value == a->rule->value && goes_first(b->rule, a->rule)))
        better = b->rule;
    CHECK(beaten_at(better == a->rule ? b : a, line) != NULL);
}

static void
check_contest(const MbrPurchase *purchase, bool growth, int line)
{
    const MbrRule *alone = alone_at(purchase, growth, line);

    for (int u = 0; u < purchase->nuses; u++) {
        const MbrUse *use = &purchase->uses[u];
        const MbrRule *by;

        if (!at_stake(use, growth, line))
            continue;
        by = beaten_at(use, line);
        if (alone != NULL) {
            CHECK(by == (use->rule == alone ? NULL : alone));
            continue;
        }
        CHECK(by == NULL || are_rivals(by, use->rule));
        for (int v = 0; v < purchase->nuses; v++) {
            const MbrUse *other = &purchase->uses[v];

            if (at_stake(other, growth, line) && are_rivals(use->rule, other->rule))
                check_rivals(use, other, line);
            CHECK(other->rule != by || (at_stake(other, growth, line) && beaten_at(other, line) == NULL));
        }
    }
}

static bool
counts_at(const MbrUse *use, int line)
{
    return at_stake(use, is_growth(use->rule), line) && beaten_at(use, line) == NULL;
}

static void
check_outcome(const MbrPurchase *purchase, const MbrUse *use)
{
    bool counts = false;

    if (!takes_part(use)) {
        CHECK(use->outcome != MBR_OUTCOME_BEATEN && use->beaten_by == NULL);
        return;
    }
    for (int line = THE_ORDER; line < purchase->nlines; line++)
        counts = counts || counts_at(use, line);
    CHECK((use->outcome == MBR_OUTCOME_APPLIED) == counts);
    CHECK(counts == (use->beaten_by == NULL));
}

/* ------------------------------------------------------------------ the award, from whole lines */

typedef struct Worth {
    MbrWide value; /* scaled; 0 with overflow */
    bool overflow;
} Worth;

static MbrWide
product(MbrWide a, MbrWide b, Worth *worth)
{
    MbrWide c;

    if (!__builtin_mul_overflow(a, b, &c))
        return c;
    worth->overflow = true;
    return 0;
}

/* basis x rate x F, or basis x growth rates. */
static Worth
worth_of_line(const MbrPurchase *purchase, bool growth, int line)
{
    MbrWide factor = (MbrWide)purchase->tier->multiplier * (FACTOR_SCALE / MBR_MULTIPLIER_SCALE);
    MbrWide rate = purchase->base_rate;
    MbrWide growth_rate = 0;
    Worth worth = {0};

    for (int u = 0; u < purchase->nuses; u++) {
        const MbrUse *use = &purchase->uses[u];
        MbrWide value = use->rule->value;

        if (!counts_at(use, line))
            continue;
        if (use->rule->effect == MBR_EFFECT_RATE)
            rate = value;
        else if (use->rule->effect == MBR_EFFECT_GROWTH)
            growth_rate += value;
        else if (use->rule->effect == MBR_EFFECT_MULTIPLIER && purchase->stacking == MBR_STACK_ADDITIVE)
            factor += (value - MBR_MULTIPLIER_SCALE) * (FACTOR_SCALE / MBR_MULTIPLIER_SCALE);
        else if (use->rule->effect == MBR_EFFECT_MULTIPLIER)
            factor = (product(factor, value, &worth) + MBR_MULTIPLIER_SCALE / 2) / MBR_MULTIPLIER_SCALE;
    }
    worth.value = growth ? purchase->lines[line].basis * growth_rate
                         : product(purchase->lines[line].basis * rate, factor, &worth);
    return worth;
}

static MbrWide
divisor_of(const MbrPurchase *purchase, bool growth)
{
    return (MbrWide)purchase->currency_scale * MBR_RATE_SCALE * (growth ? 1 : FACTOR_SCALE);
}

/* One rounding over all lines. */
static void
check_rounding(const MbrPurchase *purchase, bool growth, int64_t award)
{
    MbrWide divisor = divisor_of(purchase, growth);
    MbrWide rest = -(MbrWide)award * divisor;

    for (int i = 0; i < purchase->nlines; i++) {
        Worth worth = worth_of_line(purchase, growth, i);

        CHECK(!worth.overflow && worth.value >= 0);
        rest += worth.value;
    }
    if (purchase->rounding == MBR_ROUND_FLOOR)
        CHECK(0 <= rest && rest < divisor);
    else if (purchase->rounding == MBR_ROUND_CEILING)
        CHECK(-divisor < rest && rest <= 0);
    else
        CHECK(-divisor <= 2 * rest && 2 * rest < divisor);
}

static int64_t
cell_points(const MbrUse *use, int line)
{
    return use->outcome == MBR_OUTCOME_APPLIED ? use->cells[line].points : 0;
}

/* A line has its share of the award, and bonuses; its parts make it up. Returns its bonuses. */
static int64_t
check_line(const MbrPurchase *purchase, int i)
{
    const MbrLine *line = &purchase->lines[i];
    MbrWide share = worth_of_line(purchase, false, i).value / divisor_of(purchase, false);
    int64_t rest = line->points - line->base_points;
    int64_t bonus = 0;

    CHECK(line->base_points >= 0);
    for (int u = 0; u < purchase->nuses; u++) {
        const MbrUse *use = &purchase->uses[u];

        CHECK(cell_points(use, i) >= 0);
        CHECK(cell_points(use, i) == 0 || counts_at(use, i) || counts_at(use, THE_ORDER));
        if (is_growth(use->rule))
            continue;
        rest -= cell_points(use, i);
        if (use->rule->effect == MBR_EFFECT_BONUS)
            bonus += cell_points(use, i);
    }
    CHECK(rest == 0);
    CHECK(line->points - bonus == share || line->points - bonus == share + 1);
    CHECK(line->eligible || line->points == 0);
    return bonus;
}

static void
check_use(const MbrPurchase *purchase, const MbrUse *use)
{
    int64_t points = 0;

    for (int i = 0; i < purchase->nlines; i++)
        points += cell_points(use, i);
    if (use->outcome == MBR_OUTCOME_SHADOW)
        CHECK(use->points >= 0 && use->points <= MBR_MAX_POINTS);
    else
        CHECK(use->points == points);
    if (use->outcome == MBR_OUTCOME_APPLIED && mbr_is_order_bonus(use->rule))
        CHECK(points == use->rule->value);
}

static int64_t
growth_of(const MbrPurchase *purchase)
{
    int64_t growth = 0;

    for (int u = 0; u < purchase->nuses; u++)
        if (is_growth(purchase->uses[u].rule))
            for (int i = 0; i < purchase->nlines; i++)
                growth += cell_points(&purchase->uses[u], i);
    return growth;
}

static void
check_award(const MbrPurchase *purchase)
{
    int64_t points = 0;
    int64_t bonus = 0;

    for (int line = THE_ORDER; line < purchase->nlines; line++) {
        check_contest(purchase, false, line);
        check_contest(purchase, true, line);
    }
    for (int u = 0; u < purchase->nuses; u++) {
        check_outcome(purchase, &purchase->uses[u]);
        check_use(purchase, &purchase->uses[u]);
    }
    for (int i = 0; i < purchase->nlines; i++) {
        bonus += check_line(purchase, i);
        points += purchase->lines[i].points;
    }
    CHECK(points == purchase->points_wanted && points <= MBR_MAX_POINTS);
    check_rounding(purchase, false, points - bonus);
    check_rounding(purchase, true, growth_of(purchase));
    CHECK(purchase->base_points >= 0 && purchase->base_points <= MBR_MAX_POINTS);
}

/* ------------------------------------------------------------------ splits */

/* The points of a merchant's lines that the mall does not owe itself. */
static int64_t
points_owed(const MbrPurchase *purchase, int merchant_id)
{
    int64_t points = 0;

    for (int i = 0; i < purchase->nlines; i++) {
        const MbrTerms *terms = purchase->lines[i].terms;

        if (terms->merchant_id != merchant_id)
            continue;
        points += purchase->lines[i].base_points;
        for (int u = 0; u < purchase->nuses; u++) {
            int funder = purchase->uses[u].rule->funder_party;

            if (!is_growth(purchase->uses[u].rule) && funder != 0 && funder != terms->mall_party)
                points += cell_points(&purchase->uses[u], i);
        }
    }
    return points;
}

static void
check_split(const MbrPurchase *purchase, const MbrTerms *terms, const MbrSplit *split)
{
    MbrWide price = (MbrWide)split->points * terms->issue_price * purchase->currency_scale;

    CHECK(split->amount >= 0 && split->amount <= MBR_MAX_AMOUNT && split->points >= 0);
    CHECK(split->kind == MBR_SPLIT_SALE
              ? split->payer_party == terms->mall_party && split->payee_party == terms->merchant_party
              : split->payee_party == terms->mall_party);
    if (split->kind == MBR_SPLIT_POINTS_ISSUED)
        CHECK(split->amount == (int64_t)((2 * price + MBR_RATE_SCALE) / (2 * MBR_RATE_SCALE)));
    else
        CHECK(split->points == 0);
}

/* The rows of the last event: sales and what merchants collected are the amount, issued points those awarded.
 */
static void
check_splits(const World *world, const MbrPurchase *purchase, int first, bool sold)
{
    int64_t sales = 0;
    int64_t owed[NMERCHANTS] = {0};

    for (int s = first; s < world->work.nsplits; s++) {
        const MbrSplit *split = &world->work.splits[s];

        check_split(purchase, &world->merchants[split->merchant_id - 1], split);
        CHECK(split->split_no == s - first + 1);
        sales += split->kind == MBR_SPLIT_SALE ? split->amount : 0;
        owed[split->merchant_id - 1] += split->points;
        for (int r = first; r < s; r++)
            CHECK(world->work.splits[r].merchant_id != split->merchant_id ||
                  world->work.splits[r].kind != split->kind ||
                  world->work.splits[r].payer_party != split->payer_party);
    }
    CHECK(sold ? sales + purchase->merchant_collected == purchase->amount : sales == 0);
    for (int m = 0; m < NMERCHANTS; m++)
        CHECK(
            owed[m] ==
            (purchase->points > 0 && world->merchants[m].issue_price > 0 ? points_owed(purchase, m + 1) : 0));
}

/* ------------------------------------------------------------------ postings */

/* What the event of a number opened in lots. */
static int64_t
points_opened(const MbrWork *work, int64_t journal_no)
{
    int64_t points = 0;

    for (int i = 0; i < work->member.nlots; i++) {
        const MbrLot *lot = &work->member.lots[i];

        if (!lot->opened || lot->journal_no != journal_no)
            continue;
        points += lot->granted;
        for (int k = 0; k < i; k++)
            CHECK(!work->member.lots[k].opened || work->member.lots[k].journal_no != journal_no ||
                  work->member.lots[k].active_at != lot->active_at ||
                  work->member.lots[k].expires_at != lot->expires_at);
    }
    return points;
}

/* A refused purchase leaves nothing behind: a batch goes on from there. */
static void
check_untouched(const MbrWork *work, const MbrWork *before)
{
    CHECK(work->refusal == MBR_REFUSED_OVERFLOW);
    CHECK(work->njournals == before->njournals && work->nentries == before->nentries &&
          work->nsplits == before->nsplits && work->nactivities == before->nactivities &&
          work->ntier_changes == before->ntier_changes);
    CHECK(memcmp(&work->member, &before->member, sizeof(MbrMember)) == 0);
}

static void
check_tier(const MbrWork *work, const MbrPurchase *purchase, int tier_before)
{
    CHECK(purchase->tier_after->tier_id == work->member.tier_id);
    CHECK(purchase->tier_changed == (work->member.tier_id != tier_before));
    CHECK(work->member.tier_id >= tier_before);
}

static bool
post_purchase(World *world, Order *order)
{
    MbrPurchase *purchase = &order->purchase;
    MbrWork *work = &world->work;
    MbrWork before;
    MbrScratch scratch;
    int n;

    draw_order(world, order);
    n = purchase->nlines + purchase->nuses + 1;
    make_room(work, purchase->nlines * (1 + purchase->nuses), purchase->nlines * (3 + purchase->nuses));
    before = *work;
    order->journal_no = work->member.next_journal_no;
    scratch =
        (MbrScratch){malloc(sizeof(MbrWide) * n), malloc(sizeof(MbrWide) * n), malloc(sizeof(int64_t) * n)};
    mbr_accrue(work, purchase, &scratch);
    free(scratch.weights);
    free(scratch.remainders);
    free(scratch.parts);
    if (work->refusal != MBR_OK) {
        check_untouched(work, &before);
        work->refusal = MBR_OK;
        return true;
    }
    check_award(purchase);
    order->awaits_review = purchase->status == MBR_ACCRUAL_REVIEW;
    CHECK(purchase->points ==
          (order->awaits_review || work->member.status == MBR_MEMBER_FROZEN ? 0 : purchase->points_wanted));
    CHECK(purchase->growth ==
          (order->awaits_review || work->member.status == MBR_MEMBER_FROZEN ? 0 : growth_of(purchase)));
    CHECK(points_opened(work, order->journal_no) == purchase->points);
    check_splits(world, purchase, before.nsplits, true);
    check_tier(work, purchase, before.member.tier_id);
    return true;
}

/* Approves the first order that waits; terms may be others by then. */
static bool
post_approval(World *world)
{
    MbrWork *work = &world->work;
    int first = work->nsplits;
    int tier_before = work->member.tier_id;
    int64_t journal_no = work->member.next_journal_no;

    for (int i = 0; i < MAX_STEPS; i++) {
        Order *order = &world->orders[i];
        MbrPurchase *purchase = &order->purchase;

        if (!order->awaits_review)
            continue;
        order->awaits_review = false;
        if (pick(2) == 1)
            world->merchants[pick(NMERCHANTS)].issue_price = number(0, MAX_RATE);
        purchase->growth = growth_of(purchase);
        make_room(work, purchase->nlines * (1 + purchase->nuses), purchase->nlines * (1 + purchase->nuses));
        mbr_approve(work, purchase, order->journal_no, "fuzz");
        if (work->refusal != MBR_OK) {
            CHECK(work->refusal == MBR_REFUSED_OVERFLOW);
            return false;
        }
        CHECK(points_opened(work, journal_no) == purchase->points_wanted);
        check_splits(world, purchase, first, false);
        check_tier(work, purchase, tier_before);
        break;
    }
    return true;
}

static bool
post_adjustment(World *world, bool debit)
{
    MbrWork *work = &world->work;
    int64_t points = number(1, MBR_MAX_POINTS);
    int64_t active_at = work->posted_at + pick(4);
    int64_t before = work->member.balance;
    int64_t after;

    make_room(work, 1, 0);
    after = mbr_adjust(work, MBR_VERB_ADJUSTMENT, debit ? -points : points, active_at, draw_death(active_at),
                       "fuzz");
    if (work->refusal != MBR_OK) {
        CHECK(work->refusal == MBR_REFUSED_OVERFLOW || (debit && work->refusal == MBR_REFUSED_INSUFFICIENT));
        CHECK(work->refusal == MBR_REFUSED_OVERFLOW || !work->allow_debt);
        CHECK(before == work->member.balance);
        return false;
    }
    CHECK(after - before == (debit ? -points : points));
    return true;
}

static bool
post_import(World *world, Order *order)
{
    MbrWork *work = &world->work;

    draw_order(world, order);
    order->purchase.nlines = 1;
    order->lines[0].amount = order->purchase.amount;
    order->purchase.nuses = 0;
    order->purchase.points_wanted = number(0, MBR_MAX_POINTS);
    make_room(work, 1, 3);
    mbr_import(work, &order->purchase);
    CHECK(work->refusal == MBR_OK);
    return true;
}

/* False ends the series, as an error ends a call. */
static bool
post(World *world, Order *order)
{
    MbrWork *work = &world->work;

    work->posted_at += pick(8);
    work->occurred_at = work->posted_at - pick(8);
    work->day = pick(2);
    make_room(work, 0, 0);
    mbr_settle(work);
    CHECK(work->refusal == MBR_OK);
    check_books(world);
    switch (pick(8)) {
        case 0:
            return post_adjustment(world, false);
        case 1:
            return post_adjustment(world, true);
        case 2:
            return post_approval(world);
        case 3:
            return post_import(world, order);
        default:
            return post_purchase(world, order);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    World *world = calloc(1, sizeof(World));
    int steps;

    bytes = data;
    nbytes = size;
    tail = 1;
    for (int i = 0; i < 8; i++)
        tail = tail << 8 | (uint64_t)draw_byte();
    tail |= 1; /* never 0 */
    draw_settings(world);
    draw_rules(world);
    draw_member(world);
    steps = 1 + pick(MAX_STEPS);
    for (int i = 0; i < steps; i++) {
        if (!post(world, &world->orders[i]))
            break;
        check_books(world);
    }
    free_world(world);
    return 0;
}
