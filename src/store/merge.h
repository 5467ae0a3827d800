/* merge.h - what becomes of a merged member's rows besides its points. */
#ifndef MBR_STORE_MERGE_H
#define MBR_STORE_MERGE_H

#include "engine/spend.h"
#include "store/load.h"

/* Whether a member has purchases under review. */
extern bool mbr_merge_has_review(MbrSession *session, int64 member_id);
/* What a member spent on orders not accrued. */
extern MbrCarried *mbr_merge_carried(MbrSession *session, const MbrConfig *config, int64 member_id, int *n);

/*
 * After the postings of a merge were written, the events that stand for what was carried last: activity,
 * spends of orders, identities, person, tier and number of the one become the other's.
 */
extern void mbr_merge_store(MbrSession *session, const MbrWork *from, const MbrWork *into, int64 out_no,
                            int64 in_no, const MbrCarried *carried, int ncarried);

#endif
