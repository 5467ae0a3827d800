/* describe.h - a purchase in the words of conditions: doc/rules.md, "What a condition can use". */
#ifndef MBR_API_DESCRIBE_H
#define MBR_API_DESCRIBE_H

#include "api/purchase.h"
#include "rule/context.h"
#include "store/facts.h"

#define MBR_COLUMN(column) (UINT64CONST(1) << (column))
/* What a return changes of an order; every other column is frozen. */
#define MBR_AMOUNT_COLUMNS                                                                                  \
    (MBR_COLUMN(MBR_CTX_ORDER_AMOUNT) | MBR_COLUMN(MBR_CTX_ORDER_BASIS) | MBR_COLUMN(MBR_CTX_LINE_AMOUNT) | \
     MBR_COLUMN(MBR_CTX_LINE_BASIS) | MBR_COLUMN(MBR_CTX_QUANTITY))

/* A purchase as a whole, or one of its lines. */
typedef struct MbrSubject {
    const MbrMerchant *merchant;
    const MbrLine *line; /* NULL = the order */
    const char *merchant_id;
    const char *mall_id;
    const char *brand;    /* NULL = none */
    const char *category; /* likewise */
    MbrContext *context;  /* filled when a condition asks */
} MbrSubject;

typedef struct MbrDescription {
    MbrSession *session;
    const MbrPurchaseArgs *args;
    const MbrLoad *load;
    const MbrWork *work;
    const MbrPurchase *purchase;
    uint64 columns;          /* asked for by some condition */
    const MbrSubject *lines; /* of the purchase; those described have a context */

    bool frozen;  /* not described anew: amounts as they are, the rest from facts */
    Jsonb *facts; /* NULL = none */

    /* filled when they are */
    struct pg_tm local; /* wall clock of the purchase */
    fsec_t fraction;
    MbrPerson person;
    MbrHistory history;
} MbrDescription;

extern MbrSubject mbr_subject_of(const MbrConfig *config, const MbrPurchase *purchase, const MbrLine *line);

/* Reads what the asked columns need, once per purchase. */
extern void mbr_describe_prepare(MbrDescription *description);
/* Fills the asked columns for a subject. */
extern void mbr_describe(const MbrDescription *description, MbrSubject *subject);

/* Freezes the columns of those described, but for amounts; NULL = nothing is left to freeze. */
extern Jsonb *
mbr_describe_freeze(const MbrSubject *order, const MbrSubject *lines, int nlines, uint64 columns);

/* Local wall-clock time of the purchase. */
extern Timestamp mbr_local_timestamp(int64 moment, pg_tz *zone);

#endif
