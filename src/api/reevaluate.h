/* reevaluate.h - the frozen formula of a sale on what is left of it: doc/refunds.md, "Re-evaluation". */
#ifndef MBR_API_REEVALUATE_H
#define MBR_API_REEVALUATE_H

#include "engine/award.h"
#include "store/load.h"
#include "store/sale.h"

/* What is left, awarded anew; NULL when no rule of the sale asks for it. */
extern const MbrPurchase *mbr_reevaluate(MbrSession *session, const MbrLoad *load, MbrSale *sale,
                                         const MbrReturned *returned, MbrScratch *scratch);

#endif
