/* split.h - who owes whom for a purchase. */
#ifndef MBR_ENGINE_SPLIT_H
#define MBR_ENGINE_SPLIT_H

#include "engine/work.h"

/* sale and commission, per merchant of the order. */
extern void mbr_split_sale(MbrWork *work, MbrPurchase *purchase);
/*
 * points_issued, per merchant of the order and party that pays: the merchant for base and tier, funders for
 * their rules. Nothing when no points were awarded, nor what a mall would owe itself.
 */
extern void mbr_split_points(MbrWork *work, const MbrPurchase *purchase);

#endif
