/*
 * config.h - the programme's configuration, cached in each backend.
 *
 * program.config_version changes with every change of configuration and is read with every load, in the same
 * snapshot; when it differs from the cache's, the cache is read anew and the load repeated. The version comes
 * from a sequence, so a version seen in a transaction that rolled back is never met again.
 */
#ifndef MBR_STORE_CONFIG_H
#define MBR_STORE_CONFIG_H

#include "postgres.h"

#include "pgtime.h"
#include "utils/date.h"
#include "utils/hsearch.h"

#include "engine/work.h"
#include "store/session.h"
#include "util/expiry.h"

#define MBR_TABLE_VERSION 2
#define MBR_OLDEST_TABLE_VERSION 1

typedef struct MbrContract {
    int merchant_id;
    DateADT from;  /* first day */
    DateADT until; /* first day after */
    bool mall_collects;
    int64 commission_rate;
    int64 issue_price;
    int64 redemption_price;
    bool commission_refunded;
} MbrContract;

typedef struct MbrMerchant {
    int merchant_id; /* hash key */
    int mall_id;
    int party_id;
    int mall_party_id;
    const char *brand;    /* NULL = none */
    const char *category; /* likewise */
    int pending_days;     /* -1 = the programme's */
    DateADT opened_on;
    DateADT ended_on;
    const MbrContract *contracts;
    int ncontracts;
} MbrMerchant;

typedef struct MbrRuleSet MbrRuleSet;     /* rules.h */
typedef struct MbrBurnRules MbrBurnRules; /* burn.h */

typedef struct MbrConfig {
    MemoryContext context;
    Oid program; /* the table it was read from */
    int64 version;
    int table_version;
    bool has_aliases; /* some member was merged into another */
    pg_tz *zone;
    int digits;
    int64 currency_scale;
    const char *phone_country; /* NULL = none */
    int64 base_rate;
    MbrRounding rounding;
    MbrExpiry expiry;
    int min_life_days;
    bool extend_on_activity;
    int pending_days;
    int claim_days;
    int64 max_future; /* microseconds */
    bool allow_debt;
    int window_months;
    MbrStacking stacking;
    int reinstatement_days;
    MbrClawback clawback;
    bool charge_cash;
    int64 liability_price; /* scaled */
    bool transfers;
    int64 transfer_minimum;
    int64 transfer_daily_limit; /* MBR_MAX_POINTS = none */
    MbrTier *tiers;             /* by rank */
    int ntiers;
    HTAB *merchants;
    Oid operator_function;
    Oid application_function;
    MbrRuleSet **rules;        /* read when a purchase needs them: rules.c */
    MbrBurnRules **burn_rules; /* likewise, a redemption: burn.c */
} MbrConfig;

/* The cache, read if there is none yet. What either returns stays readable to the transaction's end. */
extern const MbrConfig *mbr_config_get(MbrSession *session);
/* The cache, read again if its version is not this one. */
extern const MbrConfig *mbr_config_refresh(MbrSession *session, int64 version);
/* The cache as of the present statement's snapshot, for calls that load no member. */
extern const MbrConfig *mbr_config_current(MbrSession *session);

/* Refuses what the tables are too old for: they are served, and upgrade_program() has not been run. */
extern void mbr_need_tables(const MbrConfig *config, int version);

/* A merchant, or NULL. */
extern const MbrMerchant *mbr_config_merchant(const MbrConfig *config, int merchant_id);
/* The terms of a merchant on a programme day. */
extern MbrTerms mbr_merchant_terms(const MbrMerchant *merchant, DateADT day);
/* Whether the session's caller may do what operators may: adjust points. */
extern bool mbr_is_operator(const MbrSession *session, const MbrConfig *config);
/* Whether it may accrue points. */
extern bool mbr_may_accrue(const MbrSession *session, const MbrConfig *config);

#endif
