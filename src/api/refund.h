/* refund.h - refunds, for those who make many and for sales that find some waiting. */
#ifndef MBR_API_REFUND_H
#define MBR_API_REFUND_H

#include "fmgr.h"
#include "utils/numeric.h"

#include "api/purchase.h"
#include "store/refund.h"

/* Goods of a line. */
typedef struct MbrReturnArg {
    int line_no;
    int64 quantity; /* scaled by MBR_RATE_SCALE; 0 = not given */
    Numeric amount; /* NULL = not given */
} MbrReturnArg;

typedef struct MbrRefundArgs {
    MbrRefundKey key;
    Numeric amount; /* NULL = not given */
    Jsonb *lines_json;
    MbrReturnArg *lines;
    int nlines;
    int64 member_id; /* 0 = not given */
    int64 at;
    bool clip; /* what cannot be applied is left out: a parked one */
} MbrRefundArgs;

#define MBR_REFUND_ARGS 7
#define MBR_REFUND_COLUMNS 14

typedef struct MbrRefundResult {
    MbrRefund refund;
    int64 journal_no; /* 0 = parked */
    int64 balance;
    bool duplicate;
    bool clipped; /* something was left out: of a parked one */
    int64 excess; /* its worth, as far as it is known */
} MbrRefundResult;

/* Reads the arguments of refund_order. */
extern void mbr_refund_args(FunctionCallInfo fcinfo, MbrRefundArgs *args);
/* Posts or parks one in an entered session; *config is the one it was judged by. */
extern void mbr_refund_one(MbrSession *session, const MbrRefundArgs *args, MbrRefundResult *result,
                           const MbrConfig **config);
/* The columns of type refunding. */
extern void
mbr_refund_columns(const MbrConfig *config, const MbrRefundResult *result, Datum *values, bool *nulls);

/* Applies the refunds that waited for a sale which was just posted at a moment. */
extern void mbr_refund_parked(MbrSession *session, const MbrPurchaseArgs *args, int64 posted_at);

/*
 * What was returned by a refund's arguments, added to what was before: goods.c. Of one that is clipped it
 * says whether something was left out, and returns its worth.
 */
extern int64 mbr_goods_returned(const MbrRefundArgs *args, const MbrConfig *config, const MbrPurchase *sale,
                                MbrReturned *returned, bool *clipped);

/* What a refund's arguments add up to, as far as they name amounts. */
extern int64 mbr_goods_named(const MbrRefundArgs *args, int digits);
/* 22023 when an amount is given that is not the sum of the lines. */
extern void mbr_goods_check_sum(const MbrRefundArgs *args, int64 amount, int64 sum, int digits);

/* Reads what a refund needs of its sale, before the goods are known. */
extern void mbr_refund_prepare(MbrSession *session, const MbrConfig *config, const MbrWork *work,
                               MbrSale *sale, MbrRefund *refund);
/* Decides and posts it into work; raises refusals. */
extern MbrJournal *
mbr_refund_decide(MbrSession *session, MbrLoad *load, MbrWork *work, MbrSale *sale, MbrRefund *refund);

#endif
