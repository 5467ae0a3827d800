/* rules.c - reads, keeps and finds the earning rules. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "store/plan.h"
#include "store/rules.h"
#include "store/verb.h"
#include "util/money.h"

#define FIRST_FILTER_COLUMN 16
#define MAX_VALUE 200 /* bytes of a brand or category */

/* The versions that a value of a filter may concern. */
typedef struct IndexEntry {
    char value[MAX_VALUE + 8]; /* hash key: kind and value */
    List *versions;
} IndexEntry;

/* ------------------------------------------------------------------ read */

static const char **
words_of(ArrayType *array, int *n)
{
    Oid type = ARR_ELEMTYPE(array);
    const char **words;
    Datum *elements;

    if (type == INT4OID)
        deconstruct_array(array, INT4OID, sizeof(int32), true, TYPALIGN_INT, &elements, NULL, n);
    else
        deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, n);
    words = palloc(sizeof(char *) * *n);
    for (int i = 0; i < *n; i++)
        words[i] =
            type == INT4OID ? psprintf("%d", DatumGetInt32(elements[i])) : TextDatumGetCString(elements[i]);
    return words;
}

void
mbr_filter_read(uint64 row, int col, MbrFilter *filter)
{
    if (!mbr_col_null(row, col))
        filter->values = words_of(DatumGetArrayTypePCopy(mbr_col_datum(row, col)), &filter->n);
}

static void
read_filters(uint64 row, MbrRuleVersion *version)
{
    for (int kind = 0; kind < MBR_FILTER_COUNT; kind++)
        mbr_filter_read(row, FIRST_FILTER_COLUMN + kind, &version->filters[kind]);
}

static int64
read_value(uint64 row, int col, MbrEffect effect)
{
    switch (effect) {
        case MBR_EFFECT_MULTIPLIER:
            return mbr_col_money(row, col, MBR_MULTIPLIER_DIGITS);
        case MBR_EFFECT_BONUS:
            return mbr_col_money(row, col, 0);
        case MBR_EFFECT_RATE:
        case MBR_EFFECT_GROWTH:
            break;
    }
    return mbr_col_money(row, col, MBR_RATE_DIGITS);
}

static MbrExpiry *
read_expiry(uint64 row, int col)
{
    char *text = mbr_col_text(row, col);
    MbrExpiry *expiry = palloc(sizeof(MbrExpiry));

    if (text == NULL)
        return NULL;
    if (!mbr_expiry_parse(text, expiry))
        elog(ERROR, "expiry policy \"%s\" of a rule is not known", text);
    return expiry;
}

void
mbr_rule_version_read(uint64 row, MbrRuleVersion *version)
{
    MbrEffect effect = mbr_effect_of(mbr_col_text(row, 4));

    *version = (MbrRuleVersion){.rule = {.rule_id = mbr_col_int4(row, 1, 0),
                                         .version = mbr_col_int4(row, 2, 0),
                                         .code = mbr_col_text(row, 3),
                                         .effect = effect,
                                         .value = read_value(row, 5, effect),
                                         .line_scope = mbr_col_bool(row, 6),
                                         .exclusive = mbr_col_bool(row, 7),
                                         .shadow = mbr_col_bool(row, 8),
                                         .group = mbr_col_int4(row, 9, -1),
                                         .priority = mbr_col_int4(row, 10, 0),
                                         .funder_party = mbr_col_int4(row, 11, 0),
                                         .refund_mode = mbr_refund_mode_of(mbr_col_text(row, 25))},
                                .valid_from = mbr_col_int8(row, 12, DT_NOBEGIN),
                                .valid_until = mbr_col_int8(row, 13, DT_NOEND),
                                .effective_from = mbr_col_int8(row, 14, DT_NOBEGIN),
                                .superseded_at = mbr_col_int8(row, 15, DT_NOEND),
                                .text = mbr_col_text(row, 22),
                                .expiry = read_expiry(row, 23),
                                .pending_days = mbr_col_int4(row, 24, -1)};
    read_filters(row, version);
}

/* ------------------------------------------------------------------ index */

static void
make_key(char *key, MbrFilterKind kind, const char *value)
{
    memset(key, 0, sizeof(((IndexEntry *)NULL)->value));
    key[0] = '0' + kind;
    strlcpy(key + 1, value, sizeof(((IndexEntry *)NULL)->value) - 1);
}

/* A version is found by its first filter; the others are compared when it is. */
static void
index_version(MbrRuleSet *set, int number)
{
    const MbrRuleVersion *version = &set->versions[number];

    for (int kind = 0; kind < MBR_FILTER_COUNT; kind++) {
        const MbrFilter *filter = &version->filters[kind];

        for (int i = 0; i < filter->n; i++) {
            char key[sizeof(((IndexEntry *)NULL)->value)];
            IndexEntry *entry;
            bool found;

            make_key(key, kind, filter->values[i]);
            entry = hash_search(set->index, key, HASH_ENTER, &found);
            entry->versions = lappend_int(found ? entry->versions : NIL, number);
        }
        if (filter->n > 0)
            return;
    }
    set->unfiltered = lappend_int(set->unfiltered, number);
}

static MbrRuleSet *
read_rules(MbrSession *session, TimestampTz since)
{
    HASHCTL control = {.keysize = sizeof(((IndexEntry *)NULL)->value),
                       .entrysize = sizeof(IndexEntry),
                       .hcxt = CurrentMemoryContext};
    MbrRuleSet *set = palloc0(sizeof(MbrRuleSet));
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_datum(&args, TimestampTzGetDatum(since), false);
    set->context = CurrentMemoryContext;
    set->since = since;
    set->n = (int)mbr_plan_run(session, MBR_PLAN_RULES, &args);
    set->versions = palloc0(sizeof(MbrRuleVersion) * Max(set->n, 1));
    set->index =
        hash_create("membership rules", Max(set->n, 16), &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    for (int i = 0; i < set->n; i++) {
        mbr_rule_version_read(i, &set->versions[i]);
        index_version(set, i);
    }
    return set;
}

/* Receipts seldom come later than they may be claimed, so older versions are read when one does. */
static TimestampTz
usual_since(const MbrConfig *config)
{
    return GetCurrentTimestamp() - (config->claim_days + 1) * USECS_PER_DAY;
}

/*
 * An error on the way leaves the old set. What a purchase decided in this transaction refers to stays until
 * the transaction's end.
 */
MbrRuleSet *
mbr_rules_for(MbrSession *session, const MbrConfig *config, TimestampTz occurred_at)
{
    MbrRuleSet **kept = config->rules;
    MbrRuleSet *old = *kept;
    MemoryContext fresh, saved;

    if (old != NULL && occurred_at >= old->since)
        return old;
    fresh = AllocSetContextCreate(session->context, "membership rules", ALLOCSET_DEFAULT_SIZES);
    saved = MemoryContextSwitchTo(fresh);
    *kept = read_rules(session, occurred_at >= usual_since(config) ? usual_since(config) : DT_NOBEGIN);
    MemoryContextSwitchTo(saved);
    MemoryContextSetParent(fresh, config->context);
    if (old != NULL)
        MemoryContextSetParent(old->context, TopTransactionContext);
    return *kept;
}

/* ------------------------------------------------------------------ find */

static Bitmapset *
add_all(Bitmapset *found, List *numbers)
{
    ListCell *cell;

    foreach (cell, numbers)
        found = bms_add_member(found, lfirst_int(cell));
    return found;
}

Bitmapset *
mbr_rules_find(const MbrRuleSet *set, MbrFilterKind kind, const char *value, Bitmapset *found)
{
    char key[sizeof(((IndexEntry *)NULL)->value)];
    IndexEntry *entry;

    if (value == NULL)
        return add_all(found, set->unfiltered);
    make_key(key, kind, value);
    entry = hash_search(set->index, key, HASH_FIND, NULL);
    return entry == NULL ? found : add_all(found, entry->versions);
}

bool
mbr_filter_passes(const MbrFilter *filter, const char *value)
{
    if (filter->n == 0)
        return true;
    for (int i = 0; i < filter->n && value != NULL; i++)
        if (strcmp(filter->values[i], value) == 0)
            return true;
    return false;
}
