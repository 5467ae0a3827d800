/* tier.h - writing a member's tier and its history. */
#ifndef MBR_STORE_TIER_H
#define MBR_STORE_TIER_H

#include "store/load.h"

/* Writes a change: the member's tier from then on, its end by the tier's validity, its history. */
extern void
mbr_tier_store(MbrSession *session, const MbrLoad *load, const MbrWork *work, const MbrTierChange *change);

/* Whether the member was given that tier at that moment, whatever came after. */
extern bool mbr_tier_was_given(MbrSession *session, int64 member_id, int tier_id, int64 since);

/* The history's first row of a new member. */
extern void mbr_tier_history_open(MbrSession *session, int64 member_id, int tier_id, int64 since,
                                  const char *cause, int64 journal_no);

#endif
