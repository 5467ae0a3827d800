/* exchange.h - goods returned and exchanged for others: doc/refunds.md, "Exchange". */
#ifndef MBR_API_EXCHANGE_H
#define MBR_API_EXCHANGE_H

#include "api/purchase.h"
#include "store/sale.h"

/* A purchase that goods were bought with. */
typedef struct MbrOrigin {
    const MbrEvent *sale;
    int64 amount; /* of the new order's net, which earns as then; above 0 */
} MbrOrigin;

typedef struct MbrExchange {
    int64 purchase_no; /* what was returned */
    int64 amount;      /* of the new order's net; 0 = it is no exchange */
    List *origins;     /* of MbrOrigin, the oldest goods first; what they leave of amount earns as of now */
} MbrExchange;

/* What a purchase is exchanged for; MB009 for another member's order, MB109 when nothing is left. */
extern MbrExchange
mbr_exchange_find(MbrSession *session, const MbrPurchaseArgs *args, const MbrConfig *config);

/* Matches and awards: parts of the order as the old goods were, the rest as of now. */
extern void mbr_exchange_award(MbrSession *session, const MbrPurchaseArgs *args, MbrLoad *load, MbrWork *work,
                               const MbrExchange *exchange, MbrPurchase *purchase);

/* Judges a purchase by the base rate, rounding and stacking of an earlier one; by its tier too, if asked. */
extern void mbr_judge_as(const MbrPurchase *sale, bool by_tier, MbrPurchase *purchase);

#endif
