/*
 * rules.h - the earning rules, cached with the configuration.
 *
 * All versions that a purchase may be judged by are kept, with the time in which each is in force by
 * occurred_at. Rules with filters are found by hash; conditions are compiled when first needed.
 */
#ifndef MBR_STORE_RULES_H
#define MBR_STORE_RULES_H

#include "postgres.h"

#include "utils/hsearch.h"
#include "utils/timestamp.h"

#include "engine/work.h"
#include "rule/condition.h"
#include "store/config.h"
#include "util/expiry.h"

/* What a purchase, or one of its lines, can be filtered by. */
typedef enum MbrFilterKind {
    MBR_FILTER_MERCHANT,
    MBR_FILTER_BRAND,
    MBR_FILTER_CATEGORY,
    MBR_FILTER_MALL,
    MBR_FILTER_TIER,
    MBR_FILTER_CHANNEL,
    MBR_FILTER_COUNT
} MbrFilterKind;

/* The values that pass; ids and words alike as text. */
typedef struct MbrFilter {
    const char **values;
    int n; /* 0 = any */
} MbrFilter;

typedef struct MbrRuleVersion {
    MbrRule rule;
    TimestampTz effective_from; /* in force from, by occurred_at */
    TimestampTz superseded_at;
    Timestamp valid_from; /* programme time of the purchases it is for */
    Timestamp valid_until;
    MbrFilter filters[MBR_FILTER_COUNT];
    MbrExpiry *expiry;       /* NULL = the programme's */
    int pending_days;        /* -1 = as the line's other points */
    const char *text;        /* of the condition; NULL = always */
    MbrCondition *condition; /* compiled when first needed */
} MbrRuleVersion;

/* Rules that a purchase met are versions' rules. */
static inline const MbrRuleVersion *
mbr_version_of(const MbrRule *rule)
{
    return (const MbrRuleVersion *)((const char *)rule - offsetof(MbrRuleVersion, rule));
}

struct MbrRuleSet {
    MemoryContext context;
    TimestampTz since;        /* serves purchases from then on */
    MbrRuleVersion *versions; /* active and shadow ones, by rule_id and version */
    int n;
    HTAB *index; /* of a filter's value, the versions */
    List *unfiltered;
};

/* The rules for a purchase of that time. */
extern MbrRuleSet *mbr_rules_for(MbrSession *session, const MbrConfig *config, TimestampTz occurred_at);

/* Adds the versions whose first filter the value passes (NULL: those without any) to a set of numbers. */
extern Bitmapset *
mbr_rules_find(const MbrRuleSet *set, MbrFilterKind kind, const char *value, Bitmapset *found);

/* A version from a row of SPI_tuptable; the statements that read versions have the same columns. */
extern void mbr_rule_version_read(uint64 row, MbrRuleVersion *version);
/* A filter from an array column of a row of SPI_tuptable. */
extern void mbr_filter_read(uint64 row, int col, MbrFilter *filter);
/* Whether a value passes a filter. */
extern bool mbr_filter_passes(const MbrFilter *filter, const char *value);

#endif
