/* refund.h - keys of refunds, those that wait for their sale, and what refunds did. */
#ifndef MBR_STORE_REFUND_H
#define MBR_STORE_REFUND_H

#include "utils/jsonb.h"

#include "engine/refund.h"
#include "store/config.h"
#include "store/sale.h"
#include "store/session.h"

/* A refund's key: the receipt's, and its own. */
typedef struct MbrRefundKey {
    int merchant_id;
    const char *order_ref;
    const char *refund_ref;
} MbrRefundKey;

typedef struct MbrRefundClaim {
    int64 payload_hash;
    int64 member_id;  /* 0 = not known yet */
    int64 journal_no; /* 0 = parked, or nothing could be applied */
    bool parked;      /* waits for its sale */
    bool closed;      /* an operator settled it by other means */
} MbrRefundClaim;

/* What a parked refund asks for. */
typedef struct MbrParked {
    const char *refund_ref;
    int64 member_id; /* 0 = not given */
    Datum amount;    /* numeric; 0 = not given */
    Jsonb *lines;    /* NULL = not given */
    int64 at;        /* MBR_NEVER = not given */
} MbrParked;

extern bool mbr_refund_claim_find(MbrSession *session, const MbrRefundKey *key, MbrRefundClaim *claim);
extern void mbr_refund_claim_add(MbrSession *session, const MbrRefundKey *key, int64 payload_hash,
                                 int64 member_id, int64 journal_no);

/*
 * Parks a refund in its sale's place. MBR_PARK_SOLD: the sale came meanwhile; MBR_PARK_KNOWN: another call
 * parked it.
 */
typedef enum MbrParkResult { MBR_PARK_DONE, MBR_PARK_KNOWN, MBR_PARK_SOLD } MbrParkResult;
extern MbrParkResult
mbr_refund_park(MbrSession *session, const MbrRefundKey *key, int64 payload_hash, const MbrParked *parked);
/* Those that wait for a sale, in the order in which they came. */
extern MbrParked *mbr_refunds_parked(MbrSession *session, int merchant_id, const char *order_ref, int *n);
/* The sale came: what it was posted as (0 = nothing could be), and what could not be applied. */
extern void mbr_refund_unpark(MbrSession *session, const MbrConfig *config, const MbrRefundKey *key,
                              int64 member_id, int64 journal_no, int64 excess, bool clipped);

/*
 * An operator settled by other means what waits for its sale, or exceeded it: it is not applied any more. The
 * status it had, now or when it was closed before; NULL = it was no exception.
 */
extern const char *mbr_refund_close(MbrSession *session, const MbrRefundKey *key, const char *reason);

/* What refunds of a sale add up to. */
typedef struct MbrRefunded {
    int64 count;
    int64 amount;
    int64 points_expired;
} MbrRefunded;

extern MbrRefunded mbr_refunded_sum(MbrSession *session, const MbrConfig *config, const MbrSale *sale);
/* Points spent on the order: the last taken first. */
extern MbrGiveBack *mbr_spent_on(MbrSession *session, int64 member_id, const MbrSale *sale, int *n);
/* Lots of the award, and those that continue them, at the member: the sale's, or the one it was merged into;
 * *expired = points of them that expired, at merged ones as well. */
extern int64 *mbr_own_lots(MbrSession *session, int64 member_id, const MbrSale *sale, int *n, int64 *expired);

/* Records what a refund did: of a sale of the one member, posted in the journal of the other. */
extern void mbr_refund_store(MbrSession *session, const MbrConfig *config, int64 member_id, int64 posted_id,
                             int64 journal_no, const char *refund_ref, const MbrRefund *refund);
/* What the refund of that number did, and the balance then. */
extern void mbr_refund_read(MbrSession *session, const MbrConfig *config, int64 member_id, int64 journal_no,
                            MbrRefund *refund, int64 *balance);

/* The receipt stands for another event, of another member maybe. */
extern void mbr_receipt_move(MbrSession *session, int merchant_id, const char *order_ref, int64 member_id,
                             int64 journal_no);

/* What was exchanged of a purchase's returns. */
extern int64 mbr_exchanged(MbrSession *session, const MbrConfig *config, int64 member_id, int64 purchase_no);
extern void mbr_exchange_store(MbrSession *session, const MbrConfig *config, int64 member_id,
                               int64 purchase_no, int64 journal_no, int64 amount);

#endif
