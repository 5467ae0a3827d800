/* apply.h - the one writer of the ledger. */
#ifndef MBR_STORE_APPLY_H
#define MBR_STORE_APPLY_H

#include "engine/work.h"
#include "store/load.h"
#include "store/session.h"

/* Writes what the engine posted into work: journal, entries, lots, splits, activity, tier and account. */
extern void mbr_apply(MbrSession *session, const MbrLoad *load, MbrWork *work);
/* The same for several members, best in the order of their numbers. */
extern void mbr_apply_all(MbrSession *session, const MbrLoad *load, MbrWork *const *works, int n);

#endif
