/* spend.h - what is asked of a redemption or hold, and how it is judged. */
#ifndef MBR_API_SPEND_H
#define MBR_API_SPEND_H

#include "postgres.h"

#include "api/purchase.h"
#include "engine/ledger.h"
#include "engine/limit.h"
#include "engine/spend.h"
#include "store/burn.h"
#include "store/hold.h"

typedef struct MbrSpendArgs {
    int64 member_id;
    int64 points; /* 0 = a quote */
    const char *ref;
    int merchant_id;       /* 0 = none */
    const char *order_ref; /* NULL = none */
    Numeric order_amount;  /* NULL = not given */
    MbrPurchaseArgs order; /* its lines */
    const char *channel;
    const char *purpose;
    int64 at;
} MbrSpendArgs;

/* A request with what it is judged by. */
typedef struct MbrSpendCase {
    const MbrSpendArgs *args;
    const MbrLoad *load;
    MbrWork *work;
    const MbrBurnRule *rule; /* NULL = none is for it */
    MbrSpending spending;
} MbrSpendCase;

/* Where a function's arguments are; merchant_id is followed by order_ref, and lines, channel, purpose, at end
 * it. */
typedef struct MbrSpendLayout {
    int points; /* 0 = none, as the next */
    int ref;
    int merchant_id;
    int order_amount;
} MbrSpendLayout;

extern void mbr_spend_read(FunctionCallInfo fcinfo, MbrSpendArgs *args, MbrSpendLayout layout);
extern int64 mbr_spend_hash(const MbrSpendArgs *args, int64 more);
/* What the load of a request asks for. */
extern MbrLoad mbr_spend_load(const MbrSpendArgs *args);
extern bool mbr_spend_is_posted(MbrSession *session, const MbrSpendArgs *args);

/* Judges a loaded and settled member's request. order_amount: minor units, or MBR_UNLIMITED. */
extern void
mbr_spend_judge(MbrSession *session, MbrSpendCase *spend_case, int64 order_amount, bool order_posted);
/* The order's net amount as given, or as its lines add up to; MBR_UNLIMITED when neither is. */
extern int64 mbr_spend_amount(const MbrSpendArgs *args, const MbrConfig *config);
/* Raises 22004 where the rule has a share and no amount was given. */
extern void mbr_spend_need_amount(const MbrSpendCase *spend_case);
extern void mbr_spend_refuse_order(const MbrSpendArgs *args);
extern void mbr_spend_refuse_limit(const char *message, const char *detail, const char *hint);
/* Raises what stands against redeeming that many points. */
extern void mbr_spend_check(const MbrSpendCase *spend_case, int64 points);
/* Captures points of an open hold, for the order when one is given; *value is their worth. */
extern MbrJournal *mbr_hold_capture(MbrSession *session, const MbrLoad *load, MbrWork *work, MbrHold *hold,
                                    int64 points, const MbrPurchaseArgs *order, int64 *value);
/* The event that ended a hold. */
typedef struct MbrHoldEnd {
    int64 member_id; /* in whose journal */
    int64 journal_no;
    MbrVerb verb;
} MbrHoldEnd;

/* How the hold of that ref ended, in this work or before; false = there never was one. */
extern bool mbr_hold_find_end(MbrSession *session, const MbrWork *work, const char *ref, MbrHoldEnd *end);
/* A merchant is paid at once for what belongs to no order. */
extern void mbr_spend_set_terms(MbrSpend *spend, const MbrConfig *config, DateADT day);
/* What the journal is to keep of it, palloc'd. */
extern MbrSpend *mbr_spend_facts(const MbrSpendCase *spend_case, int64 points);

extern bool mbr_hold_is_of_order(const MbrHold *hold, int merchant_id, const char *order_ref);

#endif
