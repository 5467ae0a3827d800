/* alias.h - the numbers of members that were merged into others. */
#ifndef MBR_STORE_ALIAS_H
#define MBR_STORE_ALIAS_H

#include "engine/work.h"
#include "store/session.h"

/* Who a merged member became; any other member is itself. */
extern int64 mbr_alias_survivor(MbrSession *session, int64 member_id);
/* The same of a member known to have been merged. */
extern int64 mbr_alias_follow(MbrSession *session, int64 member_id);
/* The same of many, in place: before they are put in order to be locked. */
extern void mbr_alias_resolve(MbrSession *session, int64 *ids, int n);

/* A member's numbers, its own first: bigint[]. */
extern Datum mbr_alias_numbers(MbrSession *session, int64 member_id);
/* Whether the programme has merged members at all. */
extern bool mbr_alias_any(MbrSession *session);

#endif
