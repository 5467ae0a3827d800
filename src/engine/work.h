/*
 * work.h - what a verb works on: state read, inputs, postings, refusal.
 *
 * Plain C without PostgreSQL's headers, so that the engine can be linked into a stand-alone program.
 * Money is int64 minor units, rates are integers with the scales below, times are microseconds as in
 * PostgreSQL's timestamptz, days are PostgreSQL's dates. The caller provides every array; the engine
 * allocates nothing.
 */
#ifndef MBR_ENGINE_WORK_H
#define MBR_ENGINE_WORK_H

#include <stdbool.h>
#include <stdint.h>

#define MBR_NEVER INT64_MAX /* of a time: no such moment */
#define MBR_NO_EXTENSION INT64_MIN
#define MBR_MAX_POINTS INT64_C(1000000000000000)
#define MBR_MAX_AMOUNT INT64_C(999999999999999999) /* minor units: numeric(18) */
#define MBR_RATE_SCALE 1000000 /* base rate, commission rate, price per point: 6 decimals */
#define MBR_RATE_DIGITS 6
#define MBR_MULTIPLIER_SCALE 10000 /* tier multiplier: 4 decimals */
#define MBR_MULTIPLIER_DIGITS 4
#define MBR_MERGED (-1) /* order_spends of a member that was merged into another */

typedef enum MbrVerb {
    MBR_VERB_ENROLMENT,
    MBR_VERB_ACCRUAL,
    MBR_VERB_REVIEW,
    MBR_VERB_GRANT,
    MBR_VERB_OPENING,
    MBR_VERB_ADJUSTMENT,
    MBR_VERB_EXPIRY,
    MBR_VERB_DEBT_PAYMENT,
    MBR_VERB_EXTENSION,
    MBR_VERB_TIER_CHANGE,
    MBR_VERB_STATUS_CHANGE,
    MBR_VERB_IDENTITY_CHANGE,
    MBR_VERB_REDEMPTION,
    MBR_VERB_AUTHORIZATION,
    MBR_VERB_CAPTURE,
    MBR_VERB_VOID,
    MBR_VERB_TIMEOUT,
    MBR_VERB_REVERSAL,
    MBR_VERB_TRANSFER_OUT,
    MBR_VERB_TRANSFER_IN,
    MBR_VERB_REFUND,
    MBR_VERB_CORRECTION,
    MBR_VERB_REASSIGNMENT,
    MBR_VERB_MERGE_OUT,
    MBR_VERB_MERGE_IN,
    MBR_VERB_ERASURE
} MbrVerb;

typedef enum MbrMemberStatus { MBR_MEMBER_ACTIVE, MBR_MEMBER_FROZEN, MBR_MEMBER_CLOSED } MbrMemberStatus;

typedef enum MbrAccrualStatus {
    MBR_ACCRUAL_POSTED,
    MBR_ACCRUAL_PENDING,
    MBR_ACCRUAL_REVIEW,
    MBR_ACCRUAL_REJECTED,
    MBR_ACCRUAL_IMPORTED
} MbrAccrualStatus;

typedef enum MbrReason {
    MBR_REASON_NONE,
    MBR_REASON_MEMBER_FROZEN,
    MBR_REASON_LATE_CLAIM,
    MBR_REASON_APPROVED,
    MBR_REASON_REJECTED
} MbrReason;

typedef enum MbrRounding { MBR_ROUND_FLOOR, MBR_ROUND_HALF_UP, MBR_ROUND_CEILING } MbrRounding;

/* How far a refund takes back what the goods earned: doc/refunds.md. */
typedef enum MbrClawback {
    MBR_CLAWBACK_ONLY_PENDING,
    MBR_CLAWBACK_WITHIN_BALANCE,
    MBR_CLAWBACK_UNLIMITED
} MbrClawback;

typedef enum MbrSplitKind {
    MBR_SPLIT_SALE,
    MBR_SPLIT_COMMISSION,
    MBR_SPLIT_POINTS_ISSUED,
    MBR_SPLIT_POINTS_REDEEMED,
    MBR_SPLIT_POINTS_CONTRIBUTION
} MbrSplitKind;

/* Why the engine will not do it; the api raises it. */
typedef enum MbrRefusal {
    MBR_OK,
    MBR_REFUSED_INSUFFICIENT,
    MBR_REFUSED_CLOSED,
    MBR_REFUSED_FROZEN,
    MBR_REFUSED_OVERFLOW,
    MBR_REFUSED_NO_ROOM /* an array was too small: a defect of ours, never of the caller */
} MbrRefusal;

typedef struct MbrLot {
    int64_t lot_no;
    int64_t journal_no;
    int64_t granted;
    int64_t remaining;
    int64_t held;
    int64_t active_at;
    int64_t expires_at; /* MBR_NEVER = never */
    MbrVerb origin;
    int64_t place;       /* the store's note of where it was read; 0 = none */
    bool opened;         /* not stored yet */
    bool stillborn;      /* dead when it was posted */
    bool changed;        /* stored, and to be written again */
    bool own;            /* of the order that is being refunded */
    int64_t merged_id;   /* of an origin: whose it was before a merge into this member; 0 = its own */
    int64_t released_at; /* when the last of its held points were released in this work; 0 = none were */
} MbrLot;

/* Points of a lot that a hold reserves. */
typedef struct MbrHoldPart {
    int64_t lot_no;
    int64_t points;
} MbrHoldPart;

/* An open hold. */
typedef struct MbrHold {
    int64_t hold_no; /* journal_no of its authorization */
    const char *ref;
    int64_t points;
    int64_t value;      /* their worth, minor units */
    int64_t expires_at; /* MBR_NEVER = until voided */
    int64_t made_at;
    int merchant_id;       /* 0 = none */
    const char *order_ref; /* NULL = none */
    MbrHoldPart *parts;    /* earliest expiry first */
    int nparts;
    bool opened; /* not stored yet */
    bool over;   /* captured, voided or timed out in this work */
} MbrHold;

/* A member as read under its lock and as changed so far. */
typedef struct MbrMember {
    int64_t member_id;
    int64_t called_id; /* the number called with: that of a merged member finds its survivor */
    MbrMemberStatus status;
    int tier_id;
    int64_t tier_since;
    int64_t enrolled_at;
    int64_t balance;
    int64_t held;
    int64_t debt;
    int64_t next_journal_no;
    int64_t next_entry_no;
    int64_t next_expiry; /* of a lot or hold; MBR_NEVER = none */
    int order_spends;    /* redemptions and open holds of orders not accrued */
    int64_t last_posted_at;
    int64_t place; /* the store's note of where the account was read; 0 = none */
    MbrLot *lots;  /* all open ones, or only those opened here */
    int nlots;
    int max_lots;
    bool lots_loaded;
    MbrLot **queue; /* those that can be spent, while points are taken: a heap */
    int nqueued;
    int max_queue;
    MbrHold *holds; /* all open ones, when lots were read */
    int nholds;
    int max_holds;
} MbrMember;

typedef struct MbrTier {
    int tier_id;
    int rank;
    int64_t multiplier;    /* scaled */
    int64_t qualify_basis; /* minor units; 0 = by hand only */
    int validity_months;   /* 0 = without end */
    const char *code;
} MbrTier;

typedef enum MbrStacking { MBR_STACK_ADDITIVE, MBR_STACK_MULTIPLY } MbrStacking;

typedef enum MbrEffect {
    MBR_EFFECT_MULTIPLIER, /* value scaled by MBR_MULTIPLIER_SCALE */
    MBR_EFFECT_BONUS,      /* points */
    MBR_EFFECT_RATE,       /* scaled by MBR_RATE_SCALE, as the next */
    MBR_EFFECT_GROWTH
} MbrEffect;

/* What a return does with what a rule gave. */
typedef enum MbrRefundMode { MBR_REFUND_PROPORTIONAL, MBR_REFUND_REEVALUATE, MBR_REFUND_NONE } MbrRefundMode;

/* A version of an earning rule, as far as the award asks. */
typedef struct MbrRule {
    int rule_id;
    int version;
    const char *code;
    MbrEffect effect;
    int64_t value;
    bool line_scope;
    bool exclusive;
    bool shadow;      /* explained, never paid */
    int group;        /* equal ones compete; negative = by itself */
    int priority;     /* higher wins a tie */
    int funder_party; /* 0 = the mall of the selling merchant */
    MbrRefundMode refund_mode;
} MbrRule;

typedef enum MbrOutcome {
    MBR_OUTCOME_NOT_MATCHED,
    MBR_OUTCOME_FAILED,
    MBR_OUTCOME_SHADOW,
    MBR_OUTCOME_BEATEN,
    MBR_OUTCOME_APPLIED
} MbrOutcome;

/* A rule on one line. */
typedef struct MbrCell {
    bool matched;
    const MbrRule *beaten_by; /* decided; NULL = it counts here */
    int64_t points;           /* decided; growth, of a growth rule */
    int64_t active_at;        /* of its points */
    int64_t expires_at;
} MbrCell;

/* A rule met by a purchase. */
typedef struct MbrUse {
    const MbrRule *rule;
    MbrCell *cells;           /* one a line; of an order rule, matched on every eligible line */
    MbrOutcome outcome;       /* given: not matched, failed or (matched) shadow or applied; decided: beaten */
    const MbrRule *beaten_by; /* decided, with beaten */
    int64_t points;       /* decided; growth, of a growth rule; of a shadow rule what it would give alone */
    const char *sqlstate; /* with failed */
    const char *message;  /* with failed, and why it did not match */
    bool asked;           /* its condition was */
} MbrUse;

/* What a merchant agreed to, for one purchase. */
typedef struct MbrTerms {
    int merchant_id;
    int merchant_party;
    int mall_party;
    bool mall_collects;
    int64_t commission_rate; /* scaled */
    int64_t issue_price;     /* scaled, currency per point, as the next */
    int64_t redemption_price;
    bool commission_refunded;
} MbrTerms;

/* What points were spent on, as the journal keeps it. */
typedef struct MbrSpend {
    const char *purpose;
    int merchant_id;       /* 0 = none */
    const char *order_ref; /* NULL = none */
    const char *channel;
    int64_t value;           /* worth, minor units */
    const char *frozen_rule; /* the burn rule, JSON */
    const MbrTerms *terms;   /* of a merchant to be paid for it; NULL = with its order, or nobody */
    int64_t currency_scale;
} MbrSpend;

typedef struct MbrLine {
    int line_no;
    const MbrTerms *terms;
    int64_t amount;          /* net, minor units */
    int64_t tendered;        /* of it paid with points, minor units */
    int64_t points_tendered; /* their number */
    int64_t basis;
    int64_t points;      /* decided: all */
    int64_t base_points; /* decided: those of base rate and tier; the others are the rules' */
    bool eligible;
    int64_t active_at; /* of the points of base rate and tier */
    int64_t expires_at;
    const char *category; /* information, frozen with the line; NULL = not given */
    const char *brand;
    const char *sku;
    const char *quantity;
} MbrLine;

typedef struct MbrEntry {
    int64_t entry_no;
    int64_t journal_no;
    int64_t lot_no;
    int64_t points;
    int64_t balance_after;
    int64_t active_at; /* of an opening entry (lot_no = entry_no) */
    int64_t expires_at;
    MbrVerb origin;
    int64_t moved_from; /* likewise: the lot it continues; 0 = none */
} MbrEntry;

typedef struct MbrSplit {
    int64_t journal_no;
    int split_no;
    int merchant_id;
    MbrSplitKind kind;
    int payer_party;
    int payee_party;
    int64_t amount;
    int64_t points; /* that it is about; 0 = none */
} MbrSplit;

/* One purchase: inputs above, what was decided below. */
typedef struct MbrPurchase {
    int merchant_id;
    const char *order_ref;
    const char *channel;
    int64_t amount;
    int64_t currency_scale; /* minor units per unit */
    int64_t base_rate;      /* scaled */
    MbrRounding rounding;
    const MbrTier *tier; /* the tier it is judged by */
    MbrLine *lines;      /* in order of line_no, at least one */
    int nlines;
    bool explicit_lines;  /* given by the caller, to be frozen */
    bool late;            /* beyond the claim period */
    int64_t window_basis; /* basis of the tier window without this purchase */
    bool in_window;       /* this purchase counts in it */
    int64_t extend_to;    /* until when it lets the member's points live; MBR_NO_EXTENSION */
    MbrStacking stacking;
    MbrUse *uses; /* rules met, by rising rule_id */
    int nuses;

    int64_t tendered;        /* paid with points, minor units */
    int64_t points_tendered; /* their number */
    const int64_t *spent;    /* journal numbers of the redemptions and captures */
    int nspent;
    int64_t tendered_at_merchants; /* the part at merchants that collect themselves */
    int64_t basis;
    int64_t merchant_collected;
    MbrAccrualStatus status;
    MbrReason reason_code;
    int64_t points;
    int64_t points_wanted;
    int64_t base_points;
    int64_t growth;       /* gained */
    int64_t balance;      /* after it, before what the same call finds dead */
    int64_t available_at; /* MBR_NEVER = no lot */
    int64_t expires_at;
    const MbrTier *tier_after;
    bool tier_changed;
    const char *frozen_lines;   /* the lines as the journal keeps them, JSON; NULL without explicit lines */
    void *frozen_rules;         /* likewise stacking and rules, as jsonb; NULL = additive, without any */
    const char *frozen_tenders; /* likewise points tendered; NULL without any */
    void *frozen_facts;         /* what conditions saw that a return asks again, as jsonb; NULL = no more */

    bool awarded;           /* the award is decided */
    int64_t debt_before;    /* of a correction: what the member owed before the old one was taken back */
    int64_t expired_before; /* likewise: points of the old award that had expired unspent */
    bool corrects;          /* posted anew: the status is given */
    int64_t refers_to; /* the event that made way for it, or the purchase it is exchanged for; 0 = none */
    int64_t counterpart_id; /* the member it was taken back from; 0 = none */
} MbrPurchase;

/* Goods returned, as the journal keeps them. */
typedef struct MbrGoods {
    int merchant_id;
    const char *order_ref;
    int64_t amount; /* net, minor units */
    int64_t basis;
} MbrGoods;

typedef struct MbrJournal {
    int64_t journal_no;
    MbrVerb verb;
    int64_t occurred_at;
    int64_t posted_at;
    int64_t points;
    int64_t balance;
    int64_t last_entry_no;
    int64_t refers_to;     /* 0 = none */
    const char *reason;    /* NULL = none */
    MbrReason reason_code; /* of a review */
    int64_t growth;
    const MbrPurchase *purchase; /* of an accrual */
    const MbrSpend *spend;       /* of a redemption, authorization or capture */
    const MbrGoods *goods;       /* of a refund */
    int64_t counterpart_id;      /* of a transfer or merge; whose event refers_to is; 0 = none */
} MbrJournal;

/* A day's activity was not looked for; there is none; else the store's note of where it was read. */
#define MBR_PLACE_UNKNOWN INT64_C(-1)
#define MBR_PLACE_NONE INT64_C(0)

/* What a programme day of purchase is to gain. */
typedef struct MbrActivity {
    int day;
    int64_t place;
    int purchases;
    int64_t basis;
    int64_t points;
    int64_t growth;
    int64_t redeemed;
    int64_t refunded_of; /* of this day's purchases, minor units */
    int64_t refunded_on; /* on this day */
} MbrActivity;

/* A day's activity as stored. */
typedef struct MbrDay {
    int day;
    int64_t basis;
    int64_t place;
} MbrDay;

/* The member's tier becomes another one. */
typedef struct MbrTierChange {
    const MbrTier *tier;
    int64_t since;
    int64_t journal_no;
    bool by_hand;
    int64_t locked_until; /* MBR_NEVER = no lock */
} MbrTierChange;

/*
 * One member's work: what was read of it, and what is to be written. A batch decides several purchases of a
 * member on one of these, each seeing what the ones before it posted.
 */
typedef struct MbrWork {
    MbrMember member;
    int64_t occurred_at; /* of the purchase or posting at hand */
    int64_t posted_at;
    int day;           /* programme day of occurred_at */
    int posted_day;    /* of posted_at */
    int64_t day_place; /* of its activity */
    bool allow_debt;
    const MbrTier *tiers; /* by rank, rising */
    int ntiers;

    MbrJournal *journals;
    int njournals;
    int max_journals;
    MbrEntry *entries;
    int nentries;
    int max_entries;
    MbrSplit *splits;
    int nsplits;
    int max_splits;

    MbrDay *days; /* stored activity of the days after one, in order; NULL = not read */
    int ndays;
    int days_after;
    MbrActivity *activities; /* one a day */
    int nactivities;
    int max_activities;
    MbrTierChange *tier_changes;
    int ntier_changes;
    int max_tier_changes;
    int64_t tier_locked_until; /* MBR_NEVER = no lock */
    int stored_tier_id;        /* as read */
    int64_t stored_tier_since;

    int64_t taken_back; /* a purchase that makes way for the one at hand; 0 = none */

    bool decided; /* of a batch: something is to be written */
    MbrRefusal refusal;
    int64_t available; /* with MBR_REFUSED_INSUFFICIENT: what could be taken */
} MbrWork;

#endif
