/* split.h - who owes whom for a purchase. */
#ifndef MBR_ENGINE_SPLIT_H
#define MBR_ENGINE_SPLIT_H

#include "engine/work.h"

/* Per merchant of the order: sale, commission, and what points paid for. */
extern void mbr_split_sale(MbrWork *work, MbrPurchase *purchase);
/*
 * points_issued, per merchant of the order and party that pays: the merchant for base and tier, funders for
 * their rules. Nothing when no points were awarded, nor what a mall would owe itself.
 */
extern void mbr_split_points(MbrWork *work, const MbrPurchase *purchase);

/* Of a redemption without an order at a merchant; its worth is a sale of its own where the mall collects. */
extern void
mbr_split_spent(MbrWork *work, const MbrTerms *terms, int64_t points, int64_t value, int64_t scale);
/* Adds a row to the last event opened; one of nothing is left out. */
extern void mbr_split_add(MbrWork *work, int merchant_id, MbrSplitKind kind, int payer, int payee,
                          int64_t amount, int64_t points);
/* Who pays for a rule's points. */
extern int mbr_funder_of(const MbrRule *rule, int mall_party);
/* Takes rows of an earlier event back: who was paid pays. */
extern void mbr_split_reverse(MbrWork *work, const MbrSplit *splits, int nsplits);

#endif
