/* match.h - which earning rules a purchase meets. */
#ifndef MBR_API_MATCH_H
#define MBR_API_MATCH_H

#include "api/purchase.h"

/*
 * Fills purchase->uses with the rules that match or fail; when explaining, with every rule in force. Makes
 * room in work for what they may post.
 */
extern void mbr_match_rules(MbrSession *session, const MbrPurchaseArgs *args, MbrLoad *load, MbrWork *work,
                            MbrPurchase *purchase, bool explain);

/* Records the rules that failed on a posted purchase. */
extern void
mbr_record_failures(MbrSession *session, int64 member_id, int64 journal_no, const MbrPurchase *purchase);

#endif
