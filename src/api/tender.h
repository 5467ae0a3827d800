/* tender.h - the points that pay for an order. */
#ifndef MBR_API_TENDER_H
#define MBR_API_TENDER_H

#include "api/purchase.h"
#include "store/hold.h"

/* What pays for an order: found first, as its receipt is claimed with the number of the row after these. */
typedef struct MbrTenders {
    MbrOrderSpend *spent; /* redeemed or captured before */
    int nspent;
    MbrHold **holds; /* to be captured: first those that a tender names, then the order's */
    int nholds;
    int nnamed;
    const MbrTenderArg **listed; /* without a hold */
    int nlisted;
    bool redeems; /* what is listed is redeemed now; else it was spent before */
} MbrTenders;

/* Reads what was spent on the order before, and compares it with the tenders given. */
extern MbrTenders
mbr_tenders_find(MbrSession *session, const MbrPurchaseArgs *args, const MbrLoad *load, MbrWork *work);
/* How many events mbr_tenders_post() will post. */
extern int mbr_tenders_events(const MbrTenders *tenders);
/* Captures, redeems, and spreads what was paid over the lines. */
extern void mbr_tenders_post(MbrSession *session, const MbrPurchaseArgs *args, const MbrLoad *load,
                             MbrWork *work, const MbrTenders *tenders, MbrPurchase *purchase);

/* What paid for an order pays for it as it is now; MB103 when it is worth more. */
extern void mbr_tenders_keep(int64 points, int64 value, const int64_t *spent, int nspent,
                             const MbrConfig *config, MbrPurchase *purchase);

#endif
