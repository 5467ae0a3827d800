/* accrue.h - what a purchase earns, and what merchants owe for it. */
#ifndef MBR_ENGINE_ACCRUE_H
#define MBR_ENGINE_ACCRUE_H

#include "engine/award.h"

/* Decides a purchase and posts it into work; settle first. Its basis is known, and which rules it meets. */
extern void mbr_accrue(MbrWork *work, MbrPurchase *purchase, MbrScratch *scratch);

/* Posts the frozen award of a purchase that was held for review. */
extern void mbr_approve(MbrWork *work, MbrPurchase *purchase, int64_t purchase_no, const char *reason);

/*
 * Posts a purchase of another system, of one line, with the points it awarded (points_wanted): facts and
 * activity, no points, splits or tier.
 */
extern void mbr_import(MbrWork *work, MbrPurchase *purchase);

/* Moves the member to a tier from a moment on, by the event of that number. */
extern void mbr_tier_change(MbrWork *work, const MbrTier *tier, int64_t since, int64_t journal_no,
                            bool by_hand, int64_t locked_until);

extern const MbrTier *mbr_tier_find(const MbrTier *tiers, int ntiers, int tier_id);

#endif
