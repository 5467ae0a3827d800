/* sale.h - a posted purchase as the journal froze it: lines, rules with what each gave, and its review. */
#ifndef MBR_STORE_SALE_H
#define MBR_STORE_SALE_H

#include "engine/refund.h"
#include "store/journal.h"
#include "store/rules.h"

typedef struct MbrSale {
    MbrEvent event; /* its purchase has lines and uses; rules are MbrRuleVersions */
    int64 member_id;
    bool undecided; /* under review */
    bool granted;   /* its award was posted */
    int64 as_then; /* of an exchange, net that counts as goods of the purchase it refers_to; 0 = it is none */
    int64 taken_before; /* net of that purchase's returns that was exchanged before */
    int64 approval_no;  /* event that posted it; 0 = the purchase itself */
    Jsonb *attributes;  /* NULL = none, or erased */
    Jsonb *facts;       /* likewise */
} MbrSale;

/* Reads an accrual; false = there is none. */
extern bool
mbr_sale_read(MbrSession *session, const MbrConfig *config, int64 member_id, int64 journal_no, MbrSale *sale);
/* Its attributes and facts, which may have been erased. */
extern void mbr_sale_read_context(MbrSession *session, MbrSale *sale);

/* The events that spent points on it. */
extern int64_t *mbr_sale_spent(MbrSession *session, const MbrSale *sale, int *n);

/* What was returned of it so far: a line each. */
extern MbrReturned *mbr_sale_returned(MbrSession *session, const MbrConfig *config, const MbrSale *sale);

#endif
