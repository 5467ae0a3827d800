/* accrue.h - one purchase, for those who post many. */
#ifndef MBR_API_ACCRUE_H
#define MBR_API_ACCRUE_H

#include "postgres.h"

#include "api/exchange.h"
#include "api/purchase.h"
#include "api/result.h"
#include "api/tender.h"
#include "store/session.h"

/* Posts one purchase in an entered session; *config is the one it was judged by. Of a merged member args
 * become the survivor's. */
extern void
mbr_accrue_one(MbrSession *session, MbrPurchaseArgs *args, MbrAccrual *result, const MbrConfig **config);

/*
 * The steps that a batch takes by itself.
 * A receipt that was posted before: its own member gets the first result, MB202 otherwise; MB201 for other
 * content (by_ref: found by an external ref, and the same if merchant and amount are).
 */
extern void mbr_accrue_first_result(MbrSession *session, const MbrConfig *config, const MbrPurchaseArgs *args,
                                    int64 hash, const MbrReceipt *receipt, bool by_ref, MbrAccrual *result);
/* Decides a loaded and settled purchase; raises refusals. To explain is to tell of every rule in force. */
extern void mbr_accrue_decide(MbrSession *session, const MbrPurchaseArgs *args, MbrLoad *load, MbrWork *work,
                              const MbrTenders *tenders, const MbrExchange *exchange, MbrPurchase *purchase,
                              bool explain);
/* The same of one whose rules and basis are known: awards, posts and freezes it. */
extern void mbr_accrue_matched(const MbrLoad *load, MbrWork *work, MbrPurchase *purchase, bool preview);
/* Keeps the attributes, if any, and which rules failed. */
extern void mbr_accrue_write_context(MbrSession *session, const MbrPurchaseArgs *args,
                                     const MbrPurchase *purchase, int64 journal_no);
extern void mbr_accrue_raise_other_member(const char *order_ref);

/* What the posting of a purchase asks of the load. */
extern MbrLoad mbr_accrue_load(const MbrPurchaseArgs *args);

#endif
