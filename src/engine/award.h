/* award.h - what a purchase earns. */
#ifndef MBR_ENGINE_AWARD_H
#define MBR_ENGINE_AWARD_H

#include "engine/spread.h"

/* Room for the arithmetic of one order: of each array nlines + nuses + 1. */
typedef struct MbrScratch {
    MbrWide *weights;
    MbrWide *remainders;
    int64_t *parts;
} MbrScratch;

/* Fills the lines' basis and the order's. */
extern void mbr_sum_basis(MbrPurchase *purchase);

/*
 * Decides which rules count, and fills points_wanted, base_points and growth, and the points of lines, cells
 * and uses. The lines' basis is known.
 */
extern MbrRefusal mbr_award(MbrPurchase *purchase, MbrScratch *scratch);
/* Likewise, after mbr_stack(). */
extern MbrRefusal mbr_award_stacked(MbrPurchase *purchase, MbrScratch *scratch);

/* Whether what was decided can be posted; mbr_award() has asked. */
extern bool mbr_award_fits(const MbrPurchase *purchase);

#endif
