/*
 * match.c - from the rules in force to those that a purchase meets.
 *
 * Rules are found by their first filter, then windows and the other filters are compared, for the order or
 * for each of its eligible lines; what is left asks its condition. All conditions are evaluated together,
 * over contexts that hold only the columns asked for.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "api/contain.h"
#include "api/describe.h"
#include "api/match.h"
#include "engine/canary.h"
#include "rule/evaluate.h"
#include "store/plan.h"
#include "store/rules.h"

/* A rule on a subject whose condition is to be asked. */
typedef struct Trial {
    MbrUse *use;
    MbrSubject *subject;
} Trial;

typedef struct Match {
    MbrDescription about;
    MbrPurchase *purchase;
    MbrRuleSet *set;
    Timestamp local; /* wall clock of the purchase */
    bool explain;
    bool earns; /* some line is eligible */
    MbrSubject order;
    MbrSubject *lines;         /* of eligible ones */
    MbrRuleVersion **versions; /* of the uses */
    Trial *trials;
    int ntrials;
    int max_trials;
} Match;

/* ------------------------------------------------------------------ candidates */

static Bitmapset *
find_by_subject(const Match *match, const MbrSubject *subject, Bitmapset *found)
{
    const MbrRuleSet *set = match->set;

    found = mbr_rules_find(set, MBR_FILTER_MERCHANT, subject->merchant_id, found);
    found = mbr_rules_find(set, MBR_FILTER_MALL, subject->mall_id, found);
    if (subject->brand != NULL)
        found = mbr_rules_find(set, MBR_FILTER_BRAND, subject->brand, found);
    if (subject->category != NULL)
        found = mbr_rules_find(set, MBR_FILTER_CATEGORY, subject->category, found);
    return found;
}

/* The versions that can concern the purchase; to explain, all of them. */
static Bitmapset *
find_candidates(const Match *match)
{
    const MbrPurchase *purchase = match->purchase;
    Bitmapset *found = NULL;

    if (match->explain)
        return match->set->n == 0 ? NULL : bms_add_range(NULL, 0, match->set->n - 1);
    found = mbr_rules_find(match->set, MBR_FILTER_COUNT, NULL, found);
    found = mbr_rules_find(match->set, MBR_FILTER_TIER, purchase->tier->code, found);
    found = mbr_rules_find(match->set, MBR_FILTER_CHANNEL, purchase->channel, found);
    found = find_by_subject(match, &match->order, found);
    for (int i = 0; i < purchase->nlines; i++)
        if (match->lines[i].line != NULL)
            found = find_by_subject(match, &match->lines[i], found);
    return found;
}

/* ------------------------------------------------------------------ windows and filters */

static const char *
value_of(const MbrPurchase *purchase, const MbrSubject *subject, MbrFilterKind kind)
{
    switch (kind) {
        case MBR_FILTER_MERCHANT:
            return subject->merchant_id;
        case MBR_FILTER_MALL:
            return subject->mall_id;
        case MBR_FILTER_BRAND:
            return subject->brand;
        case MBR_FILTER_CATEGORY:
            return subject->category;
        case MBR_FILTER_TIER:
            return purchase->tier->code;
        case MBR_FILTER_CHANNEL:
            return purchase->channel;
        case MBR_FILTER_COUNT:
            break;
    }
    return NULL;
}

static const char *
why_filtered(const char *value, MbrFilterKind kind)
{
    static const char *const names[] = {
        [MBR_FILTER_MERCHANT] = "merchant", [MBR_FILTER_BRAND] = "brand", [MBR_FILTER_CATEGORY] = "category",
        [MBR_FILTER_MALL] = "mall",         [MBR_FILTER_TIER] = "tier",   [MBR_FILTER_CHANNEL] = "channel"};
    static const char *const columns[] = {[MBR_FILTER_MERCHANT] = "merchant_ids",
                                          [MBR_FILTER_BRAND] = "brands",
                                          [MBR_FILTER_CATEGORY] = "categories",
                                          [MBR_FILTER_MALL] = "mall_ids",
                                          [MBR_FILTER_TIER] = "tiers",
                                          [MBR_FILTER_CHANNEL] = "channels"};

    if (value == NULL)
        return psprintf("no %s is known, and %s asks for one", names[kind], columns[kind]);
    return psprintf("%s %s is not in %s", names[kind], value, columns[kind]);
}

/* The first filter that the subject does not pass; MBR_FILTER_COUNT = it passes all. */
static MbrFilterKind
first_failing(const MbrFilter *filters, const MbrSubject *subject, const MbrPurchase *purchase)
{
    int kind = 0;

    while (kind < MBR_FILTER_COUNT && mbr_filter_passes(&filters[kind], value_of(purchase, subject, kind)))
        kind++;
    return kind;
}

/* Why the rule is not for the subject, as far as filters say; NULL = it is. */
static const char *
filtered_out(const Match *match, const MbrRuleVersion *version, const MbrSubject *subject)
{
    MbrFilterKind kind = first_failing(version->filters, subject, match->purchase);

    return kind == MBR_FILTER_COUNT ? NULL : why_filtered(value_of(match->purchase, subject, kind), kind);
}

bool
mbr_filters_pass(const MbrFilter *filters, const MbrSubject *order, const MbrPurchase *purchase)
{
    return first_failing(filters, order, purchase) == MBR_FILTER_COUNT;
}

static bool
in_force(const Match *match, const MbrRuleVersion *version)
{
    int64 moment = match->about.work->occurred_at;

    if (MBR_CANARY(NEWEST_VERSION))
        return version->superseded_at == DT_NOEND;
    return version->effective_from <= moment && moment < version->superseded_at;
}

/* ------------------------------------------------------------------ matching */

static void
add_trial(Match *match, MbrUse *use, MbrSubject *subject)
{
    if (match->ntrials == match->max_trials) {
        match->max_trials = Max(2 * match->max_trials, 16);
        match->trials = match->trials == NULL
                            ? palloc(sizeof(Trial) * match->max_trials)
                            : repalloc_huge(match->trials, sizeof(Trial) * match->max_trials);
    }
    use->asked = true;
    match->trials[match->ntrials++] = (Trial){use, subject};
}

/* Of an order rule, every eligible line matches. */
static void
set_matched(const Match *match, MbrUse *use, const MbrSubject *subject)
{
    const MbrPurchase *purchase = match->purchase;

    if (use->cells == NULL)
        use->cells = palloc0(sizeof(MbrCell) * purchase->nlines);
    if (subject->line != NULL)
        use->cells[subject->line - purchase->lines].matched = true;
    else
        for (int i = 0; i < purchase->nlines; i++)
            use->cells[i].matched = purchase->lines[i].eligible;
    use->outcome = use->rule->shadow ? MBR_OUTCOME_SHADOW : MBR_OUTCOME_APPLIED;
    use->message = NULL;
}

typedef struct Compilation {
    MemoryContext context;
    const char *text;
    MbrCondition *condition;
} Compilation;

static void
compile(void *argument)
{
    Compilation *compilation = argument;
    MemoryContext saved = MemoryContextSwitchTo(compilation->context);

    compilation->condition = mbr_condition_compile(compilation->text);
    MemoryContextSwitchTo(saved);
}

ErrorData *
mbr_compile(MemoryContext context, const char *text, MbrCondition **condition)
{
    Compilation compilation = {.context = context, .text = text};
    ErrorData *error = NULL;

    if (text == NULL || *condition != NULL)
        return NULL;
    error = mbr_contain(NULL, MBR_CONTAIN_NO_TABLES, compile, &compilation);
    *condition = compilation.condition;
    return error;
}

static void
set_failed(MbrUse *use, int sqlerrcode, const char *message)
{
    use->outcome = MBR_OUTCOME_FAILED;
    use->sqlstate = pstrdup(unpack_sql_state(sqlerrcode));
    use->message = message;
}

/* What passes the filters is asked the condition. */
static void
ask_subject(Match *match, MbrRuleVersion *version, MbrUse *use, MbrSubject *subject)
{
    ErrorData *error = mbr_compile(match->set->context, version->text, &version->condition);
    if (error != NULL) {
        set_failed(use, error->sqlerrcode, error->message);
    } else if (version->condition == NULL) {
        set_matched(match, use, subject);
    } else {
        match->about.columns |= mbr_condition_columns(version->condition);
        add_trial(match, use, subject);
    }
}

static void
try_subject(Match *match, MbrRuleVersion *version, MbrUse *use, MbrSubject *subject)
{
    const char *reason = filtered_out(match, version, subject);

    if (reason == NULL)
        ask_subject(match, version, use, subject);
    else if (use->outcome == MBR_OUTCOME_NOT_MATCHED && use->message == NULL)
        use->message = reason;
}
static void
try_rule(Match *match, MbrRuleVersion *version, MbrUse *use)
{
    *use = (MbrUse){.rule = &version->rule};
    if (match->local < version->valid_from || match->local >= version->valid_until)
        use->message = "outside valid_during";
    else if (!match->earns)
        use->message = "no line of the order earns points";
    else if (!version->rule.line_scope)
        try_subject(match, version, use, &match->order);
    else
        for (int i = 0; i < match->purchase->nlines; i++)
            if (match->lines[i].line != NULL)
                try_subject(match, version, use, &match->lines[i]);
}

static void
conclude(const Match *match, const Trial *trial, const MbrProbe *probe)
{
    MbrUse *use = trial->use;

    if (use->outcome == MBR_OUTCOME_FAILED) {
        return; /* on an earlier line: the rule has failed as a whole */
    } else if (probe->failed) {
        set_failed(use, probe->sqlerrcode, probe->message);
    } else if (probe->holds) {
        set_matched(match, use, trial->subject);
    } else if (use->outcome == MBR_OUTCOME_NOT_MATCHED) {
        use->message = probe->isnull ? "condition is null" : "condition is false";
    }
}

static void
ask_conditions(Match *match)
{
    MbrProbe *probes = palloc0(sizeof(MbrProbe) * Max(match->ntrials, 1));

    if (match->ntrials == 0)
        return;
    if (!match->about.frozen)
        mbr_describe_prepare(&match->about);
    for (int i = 0; i < match->ntrials; i++) {
        Trial *trial = &match->trials[i];

        if (trial->subject->context == NULL)
            mbr_describe(&match->about, trial->subject);
        probes[i].condition = match->versions[trial->use - match->purchase->uses]->condition;
        probes[i].context = trial->subject->context;
    }
    mbr_evaluate(probes, match->ntrials);
    for (int i = 0; i < match->ntrials; i++)
        conclude(match, &match->trials[i], &probes[i]);
}

static void
set_subjects(Match *match)
{
    const MbrConfig *config = match->about.load->config;
    MbrPurchase *purchase = match->purchase;

    match->order = mbr_subject_of(config, purchase, NULL);
    match->lines = palloc0(sizeof(MbrSubject) * purchase->nlines);
    match->about.lines = match->lines;
    for (int i = 0; i < purchase->nlines; i++) {
        if (!purchase->lines[i].eligible)
            continue;
        match->lines[i] = mbr_subject_of(config, purchase, &purchase->lines[i]);
        match->earns = true;
    }
}

static bool
is_asked_again(const MbrUse *use)
{
    return use->rule->refund_mode == MBR_REFUND_REEVALUATE && !use->rule->shadow;
}

/* Whether a return will ask rules again, and if so what they saw. */
static bool
freeze_facts(const Match *match)
{
    MbrPurchase *purchase = match->purchase;
    uint64 columns = 0;
    bool again = false;

    for (int i = 0; i < purchase->nuses; i++) {
        const MbrUse *use = &purchase->uses[i];

        if (!is_asked_again(use))
            continue;
        again = again || use->outcome == MBR_OUTCOME_APPLIED;
        if (use->asked)
            columns |= mbr_condition_columns(match->versions[i]->condition);
    }
    if (again)
        purchase->frozen_facts = mbr_describe_freeze(&match->order, match->lines, purchase->nlines, columns);
    return again;
}

/* Keeps what is to be told, in its order, and what a return will ask again. */
static void
keep_uses(Match *match)
{
    MbrPurchase *purchase = match->purchase;
    bool again = freeze_facts(match);
    int kept = 0;

    for (int i = 0; i < purchase->nuses; i++) {
        const MbrUse *use = &purchase->uses[i];

        if (use->outcome == MBR_OUTCOME_NOT_MATCHED && !match->explain &&
            !(again && use->asked && is_asked_again(use)))
            continue;
        purchase->uses[kept++] = *use;
    }
    purchase->nuses = kept;
}

/*
 * Each line may open a lot for base and tier, and one for each rule with a life of its own; and one more
 * is for what of a correction's award expires again.
 */
void
mbr_match_load(const MbrPurchase *purchase, MbrLoad *load)
{
    load->new_lots = purchase->nlines * (1 + purchase->nuses) + 1;
    load->new_splits = purchase->nlines * (4 + purchase->nuses);
}

void
mbr_match_room(const MbrPurchase *purchase, MbrLoad *load, MbrWork *work)
{
    mbr_match_load(purchase, load);
    mbr_load_room(load, work);
}

void
mbr_match_rules(MbrSession *session, const MbrPurchaseArgs *args, MbrLoad *load, MbrWork *work,
                MbrPurchase *purchase, bool explain)
{
    Match match = {
        .about = {.session = session, .args = args, .load = load, .work = work, .purchase = purchase},
        .purchase = purchase,
        .explain = explain};
    Bitmapset *candidates;
    int number = -1;
    int n;

    purchase->nuses = 0;
    match.set = mbr_rules_for(session, load->config, work->occurred_at);
    if (match.set->n == 0)
        return;
    match.local = mbr_local_timestamp(work->occurred_at, load->config->zone);
    set_subjects(&match);
    candidates = find_candidates(&match);
    n = bms_num_members(candidates);
    purchase->uses = palloc(sizeof(MbrUse) * Max(n, 1));
    match.versions = palloc(sizeof(MbrRuleVersion *) * Max(n, 1));
    while ((number = bms_next_member(candidates, number)) >= 0) {
        MbrRuleVersion *version = &match.set->versions[number];

        if (!in_force(&match, version))
            continue;
        match.versions[purchase->nuses] = version;
        try_rule(&match, version, &purchase->uses[purchase->nuses++]);
    }
    ask_conditions(&match);
    keep_uses(&match);
    if (purchase->nuses > 0)
        mbr_match_room(purchase, load, work);
}

/* The points of a rule live as those of the line, unless the rule says otherwise. */
void
mbr_match_lives(const MbrLoad *load, const MbrWork *work, MbrPurchase *purchase)
{
    for (int u = 0; u < purchase->nuses; u++) {
        const MbrUse *use = &purchase->uses[u];
        const MbrRuleVersion *version = mbr_version_of(use->rule);
        bool own = version->expiry != NULL || version->pending_days >= 0;

        for (int i = 0; use->outcome == MBR_OUTCOME_APPLIED && i < purchase->nlines; i++) {
            MbrCell *cell = &use->cells[i];
            MbrLife life = {purchase->lines[i].active_at, purchase->lines[i].expires_at};

            if (cell->matched && own)
                life = mbr_points_life(load, work,
                                       mbr_need_merchant(load->config, purchase->lines[i].terms->merchant_id),
                                       version->pending_days, version->expiry);
            cell->active_at = life.active_at;
            cell->expires_at = life.expires_at;
        }
    }
}

/* ------------------------------------------------------------------ matching again */

/* A rule holds where it held, on what is left. */
static void
hold_on(const MbrPurchase *purchase, const MbrUse *then, MbrUse *use)
{
    if (then->outcome == MBR_OUTCOME_NOT_MATCHED)
        return;
    use->outcome = MBR_OUTCOME_APPLIED;
    for (int i = 0; i < purchase->nlines; i++)
        use->cells[i].matched = then->cells[i].matched && purchase->lines[i].eligible;
}

/* Whether the condition can be asked: there is one, it compiles, and what it saw is known. */
static bool
can_be_asked(const Match *match, MbrRuleVersion *version)
{
    if (version->text == NULL ||
        mbr_compile(CurrentMemoryContext, version->text, &version->condition) != NULL)
        return false;
    return match->about.facts != NULL ||
           (mbr_condition_columns(version->condition) & ~MBR_AMOUNT_COLUMNS) == 0;
}

/* What it was for then it is for now, whatever became of the merchant's brand or category. */
static void
try_again(Match *match, MbrRuleVersion *version, const MbrUse *then, MbrUse *use)
{
    *use = (MbrUse){.rule = &version->rule, .cells = palloc0(sizeof(MbrCell) * match->purchase->nlines)};
    if (!match->earns)
        return;
    if (version->rule.refund_mode != MBR_REFUND_REEVALUATE || !can_be_asked(match, version))
        hold_on(match->purchase, then, use);
    else if (!version->rule.line_scope)
        ask_subject(match, version, use, &match->order);
    else
        for (int i = 0; i < match->purchase->nlines; i++)
            if (match->lines[i].line != NULL)
                (then->cells[i].matched ? ask_subject : try_subject)(match, version, use, &match->lines[i]);
}

void
mbr_match_again(MbrSession *session, const MbrLoad *load, const MbrPurchase *sale, Jsonb *facts,
                MbrPurchase *left)
{
    MbrRuleSet set = {.context = CurrentMemoryContext};
    Match match = {
        .about = {.session = session, .load = load, .purchase = left, .frozen = true, .facts = facts},
        .purchase = left,
        .set = &set};

    set_subjects(&match);
    left->uses = palloc(sizeof(MbrUse) * Max(sale->nuses, 1));
    match.versions = palloc(sizeof(MbrRuleVersion *) * Max(sale->nuses, 1));
    for (left->nuses = 0; left->nuses < sale->nuses; left->nuses++) {
        const MbrUse *then = &sale->uses[left->nuses];

        match.versions[left->nuses] = unconstify(MbrRuleVersion *, mbr_version_of(then->rule));
        try_again(&match, match.versions[left->nuses], then, &left->uses[left->nuses]);
    }
    ask_conditions(&match);
}

void
mbr_record_failures(MbrSession *session, int64 member_id, int64 journal_no, const MbrPurchase *purchase)
{
    for (int i = 0; i < purchase->nuses; i++) {
        const MbrUse *use = &purchase->uses[i];
        MbrArgs args = MBR_NO_ARGS;

        if (use->outcome != MBR_OUTCOME_FAILED)
            continue;
        mbr_arg_int8(&args, member_id);
        mbr_arg_int8(&args, journal_no);
        mbr_arg_int4(&args, use->rule->rule_id);
        mbr_arg_int4(&args, use->rule->version);
        mbr_arg_text(&args, use->sqlstate);
        mbr_arg_text(&args, use->message);
        (void)mbr_plan_run(session, MBR_PLAN_INSERT_RULE_FAILURE, &args);
    }
}
