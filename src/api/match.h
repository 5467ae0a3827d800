/* match.h - which earning rules a purchase meets. */
#ifndef MBR_API_MATCH_H
#define MBR_API_MATCH_H

#include "api/describe.h"
#include "api/purchase.h"
#include "store/rules.h"

/*
 * Fills purchase->uses with the rules that match or fail; when explaining, with every rule in force. Makes
 * room in work for what they may post.
 */
extern void mbr_match_rules(MbrSession *session, const MbrPurchaseArgs *args, MbrLoad *load, MbrWork *work,
                            MbrPurchase *purchase, bool explain);

/* What the purchase and its rules may post at the most. */
extern void mbr_match_load(const MbrPurchase *purchase, MbrLoad *load);

/* Makes room in work for what the purchase's rules may post. */
extern void mbr_match_room(const MbrPurchase *purchase, MbrLoad *load, MbrWork *work);

/* When the points of the rules that count become active and die. */
extern void mbr_match_lives(const MbrLoad *load, const MbrWork *work, MbrPurchase *purchase);

/*
 * Fills left->uses with the rules that a sale froze, as they are met by what is left of it: doc/refunds.md,
 * "Re-evaluation".
 */
extern void mbr_match_again(MbrSession *session, const MbrLoad *load, const MbrPurchase *sale, Jsonb *facts,
                            MbrPurchase *left);

/*
 * Compiles a rule's condition, when first needed, into the memory of the rules. One that was accepted when it
 * was saved and is not any more, by another PostgreSQL say, returns the error.
 */
extern ErrorData *mbr_compile(MemoryContext context, const char *text, MbrCondition **condition);

/* Whether an order passes all filters of a burn rule. */
extern bool mbr_filters_pass(const MbrFilter *filters, const MbrSubject *order, const MbrPurchase *purchase);

/* Records the rules that failed on a posted purchase. */
extern void
mbr_record_failures(MbrSession *session, int64 member_id, int64 journal_no, const MbrPurchase *purchase);

#endif
