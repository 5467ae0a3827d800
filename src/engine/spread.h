/* spread.h - dividing whole numbers so that the parts add up. */
#ifndef MBR_ENGINE_SPREAD_H
#define MBR_ENGINE_SPREAD_H

#include "engine/work.h"

/* Products of money and rates. Memory comes aligned to 8 bytes only, so the type must not ask for 16. */
__extension__ typedef __int128 MbrWide __attribute__((aligned(8)));

/* value / divisor by a rounding rule; both not negative, divisor above 0. */
extern MbrWide mbr_round_div(MbrWide value, MbrWide divisor, MbrRounding rounding);

/*
 * Spreads total over n parts: each gets weights[i] / divisor rounded down, and what is left goes one by
 * one to the largest remainders, ties to the lower index (Hamilton's method of largest remainders).
 * total must lie between the sum of the rounded-down parts and that sum plus n.
 */
extern void mbr_spread(const MbrWide *weights, int n, MbrWide divisor, int64_t total, int64_t *parts,
                       MbrWide *remainders);

/* The same of a total by weights that need not add up to it: part i is total x weights[i] / sum. */
extern void
mbr_spread_by(const MbrWide *weights, int n, int64_t sum, int64_t total, int64_t *parts, MbrWide *remainders);

#endif
