/* purchase.h - the arguments of a purchase, and making them ready for the engine. */
#ifndef MBR_API_PURCHASE_H
#define MBR_API_PURCHASE_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "engine/accrue.h"
#include "store/claim.h"
#include "store/load.h"

typedef struct MbrLineArg {
    int line_no;     /* 0 = not given */
    int merchant_id; /* 0 = not given */
    Numeric amount;
    bool eligible;
    const char *category;
    const char *brand;
    const char *sku;
    const char *quantity; /* a number as text */
} MbrLineArg;

/* A tender of points. */
typedef struct MbrTenderArg {
    const char *kind;
    Numeric amount;       /* NULL = what the points are worth */
    int64 points;         /* 0 = all of the hold */
    const char *ref;      /* of the redemption; NULL = known by its receipt alone */
    const char *hold_ref; /* NULL = no hold */
    int merchant_id;      /* whose lines it pays for; 0 = all */
} MbrTenderArg;

typedef struct MbrPurchaseArgs {
    int64 member_id;
    int merchant_id;
    Numeric amount;
    const char *order_ref; /* NULL in a preview without one */
    int64 occurred_at;
    const char *channel;
    Jsonb *lines_json; /* NULL = one line, the whole order */
    MbrLineArg *lines;
    int nlines;
    Jsonb *tenders_json;   /* NULL = all cash, but for points spent on the order before */
    Numeric tendered;      /* in cash */
    MbrTenderArg *tenders; /* of points */
    int ntenders;
    Jsonb *attributes; /* NULL or empty = none */
    Jsonb *refs_json;
    MbrExternalRef *refs;
    int nrefs;
    const char *exchange_of; /* order_ref of returned goods; NULL = none */
    int64 at;
} MbrPurchaseArgs;

#define MBR_PURCHASE_ARGS 12 /* of accrue_points, and columns of type purchase */

/* Reads the arguments of accrue_points; lines, tenders and refs from their JSON. */
extern void mbr_purchase_read(FunctionCallInfo fcinfo, MbrPurchaseArgs *args);
/* The first nine, which preview_accrual has too and where order_ref may be null. */
extern void mbr_purchase_read_common(FunctionCallInfo fcinfo, MbrPurchaseArgs *args);

/* Reads lines_json into lines. */
extern void mbr_purchase_parse_lines(MbrPurchaseArgs *args);

/* The hash that tells a repeated call from another purchase with the same receipt. */
extern int64 mbr_purchase_hash(const MbrPurchaseArgs *args);

/* Fills purchase from arguments, configuration and the loaded member; what was tendered is known later. */
extern void mbr_purchase_prepare(const MbrPurchaseArgs *args, const MbrLoad *load, const MbrWork *work,
                                 MbrPurchase *purchase);

/* An amount in minor units; refuses a negative one. */
extern int64 mbr_purchase_amount(Numeric value, int digits, const char *what);

/* Refuses tenders beyond the amount. */
extern void
mbr_purchase_check_tenders(const MbrPurchaseArgs *args, const MbrConfig *config, const MbrPurchase *purchase);

/* When points earned on a day die, by a policy or the programme's (NULL): never before they are active. */
extern int64
mbr_points_expire_at(const MbrConfig *config, const MbrExpiry *override, DateADT day, int64 active_at);

typedef struct MbrLife {
    int64 active_at;
    int64 expires_at;
} MbrLife;

/* The life of points bought at a merchant; pending_days -1, expiry NULL = as merchant and programme say. */
extern MbrLife mbr_points_life(const MbrLoad *load, const MbrWork *work, const MbrMerchant *merchant,
                               int pending_days, const MbrExpiry *expiry);

/* Room for the arithmetic of one order. */
extern MbrScratch mbr_purchase_scratch(const MbrPurchase *purchase);

/* A line's quantity, scaled by MBR_RATE_SCALE; 0 = not known. */
extern int64 mbr_line_quantity(const MbrLine *line);

extern const MbrMerchant *mbr_need_merchant(const MbrConfig *config, int merchant_id);
/* Gives a line the terms of its merchant on the day of purchase, and the life of its points. */
extern void
mbr_line_prepare(const MbrLoad *load, const MbrWork *work, const MbrMerchant *merchant, MbrLine *line);

#endif
