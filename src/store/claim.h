/* claim.h - idempotency: one receipt, one source key, one effect. */
#ifndef MBR_STORE_CLAIM_H
#define MBR_STORE_CLAIM_H

#include "engine/work.h"
#include "store/session.h"

typedef struct MbrExternalRef {
    const char *kind;
    const char *value;
} MbrExternalRef;

/* Whose a receipt is, and as which event. */
typedef struct MbrReceipt {
    int64 member_id;
    int64 journal_no;
    int64 payload_hash;
    int merchant_id;
    bool parked; /* refunds waited for it */
} MbrReceipt;

typedef struct MbrReceiptClaim {
    const char *order_ref;
    MbrReceipt receipt;
} MbrReceiptClaim;

/*
 * Takes (merchant_id, order_ref) as receipt says; false = it was taken before, by *taken. taken->parked:
 * refunds that came before are to be applied.
 */
extern bool
mbr_claim_receipt(MbrSession *session, const char *order_ref, const MbrReceipt *receipt, MbrReceipt *taken);
/* Takes many, all or none: one taken since they were looked up is a unique violation. */
extern void mbr_claim_receipts(MbrSession *session, MbrReceiptClaim *claims, int n);
/* Without claiming; false = there is none. */
extern bool mbr_find_receipt(MbrSession *session, int merchant_id, const char *order_ref, MbrReceipt *found);
/* Finds many, in one statement; those found are filled in. */
extern void mbr_find_receipts(MbrSession *session, MbrReceiptClaim *claims, bool *found, int n);
/* The one order in which claims are taken, for qsort. */
extern int mbr_compare_claims(const void *a, const void *b);
/* The receipt that has one of these other names and not this order_ref; false = none. */
extern bool mbr_find_receipt_by_ref(MbrSession *session, const MbrExternalRef *refs, int nrefs,
                                    int merchant_id, const char *order_ref, MbrReceipt *found);
/* Gives a new receipt its other names; false = somebody else took one meanwhile. */
extern bool mbr_claim_receipt_refs(MbrSession *session, const MbrExternalRef *refs, int nrefs,
                                   int merchant_id, const char *order_ref);

/* What a verb's ref was posted as, in whose journal. */
typedef struct MbrKey {
    int64 member_id;
    int64 journal_no;
    int64 payload_hash;
} MbrKey;

/* Of one number; false = it was not. */
extern bool
mbr_find_own_key(MbrSession *session, int64 member_id, MbrVerb verb, const char *ref, MbrKey *found);
/* Of a member and those merged into it: of several that of the same content, or of the number called with. */
extern bool mbr_find_key(MbrSession *session, const MbrMember *member, MbrVerb verb, const char *ref,
                         int64 payload_hash, MbrKey *found);
/* Takes a verb's ref for an event of that number; false = it was taken before, as *taken says. */
extern bool mbr_claim_key(MbrSession *session, const MbrMember *member, MbrVerb verb, const char *ref,
                          int64 journal_no, int64 payload_hash, MbrKey *taken);

#endif
