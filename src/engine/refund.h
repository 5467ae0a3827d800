/*
 * refund.h - goods come back: doc/refunds.md.
 *
 * A sale is undone by cumulative targets: what all returns so far should have undone, half up, less what the
 * ones before did. Settle first.
 */
#ifndef MBR_ENGINE_REFUND_H
#define MBR_ENGINE_REFUND_H

#include "engine/award.h"
#include "engine/spend.h"

/* Points or growth of a line that were taken back, of which some were never given: an award under review. */
typedef struct MbrTaken {
    int64_t points;
    int64_t withheld;
} MbrTaken;

/* What has been returned of a line, and what that undid. */
typedef struct MbrReturned {
    int64_t amount;   /* net, minor units */
    int64_t quantity; /* scaled by MBR_RATE_SCALE */
    bool closed;      /* nothing is left of it */
    int64_t value;    /* points' money, minor units */
    int64_t restored; /* points given back */
    MbrTaken award;
    MbrTaken growth;
} MbrReturned;

typedef struct MbrRefund {
    MbrVerb verb;
    const char *reason;      /* NULL = none */
    int64_t counterpart_id;  /* of a reassignment */
    const MbrPurchase *sale; /* as frozen: lines, and uses with their cells */
    int64_t sale_no;
    int sale_day;
    bool granted;              /* its award was posted */
    const MbrReturned *before; /* a line each */
    MbrReturned *after;        /* amount, quantity and closed are given; the rest is decided */
    const MbrPurchase *left;   /* the frozen formula on what is left; NULL = in proportion */
    bool keeps_spent;          /* the points that paid for it stay spent */

    const MbrGiveBack *spent; /* on the order, the last taken first */
    int nspent;
    int64_t reinstated_until;
    const int64_t *own_lots; /* that the award opened, or that continue such */
    int nown_lots;
    int64_t expired;        /* points of these that expired, and were not counted by a refund before */
    const MbrSplit *splits; /* of the sale, and of its approval */
    int nsplits;
    MbrClawback clawback;
    int64_t charged_price; /* of a point not taken back, scaled; 0 = the till keeps nothing */

    MbrGoods goods; /* decided, as what follows */
    int64_t cash_amount;
    int64_t points_clawed;
    int64_t points_restored;
    int64_t points_forfeited;
    int64_t points_expired;
    int64_t loss;
    int64_t debt;
    int64_t cash_shortfall;
    bool complete;
} MbrRefund;

/* What is left of the order, net. */
extern int64_t mbr_return_left(const MbrPurchase *sale, const MbrReturned *returned);
/* Spreads an amount, at most what is left, over the lines by what is left of them. */
extern void
mbr_return_spread(const MbrPurchase *sale, int64_t amount, MbrReturned *returned, MbrScratch *scratch);
/* Decides points' money and points that go back, from the amounts; the formula asks what is left. */
extern void mbr_return_tenders(const MbrPurchase *sale, MbrReturned *returned);

/* Posts the refund and returns its event; NULL with a refusal. */
extern MbrJournal *mbr_refund(MbrWork *work, MbrRefund *refund, MbrScratch *scratch);

/* Corrects the splits by what the refund undid; the event is the last one opened. */
extern void mbr_split_return(MbrWork *work, const MbrRefund *refund);

/* part / whole of a number, half up; 0 of a whole of 0. */
extern int64_t mbr_share_of(int64_t number, int64_t part, int64_t whole);
/* Points of a line that a return can take back. */
extern int64_t mbr_returnable_points(const MbrPurchase *sale, int line);

#endif
