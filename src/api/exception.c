/* exception.c - close_refund_exception: what an operator settled by other means leaves refund_exception. */
#include "postgres.h"

#include "fmgr.h"

#include "api/args.h"
#include "api/purchase.h"
#include "store/refund.h"
#include "util/error.h"

PG_FUNCTION_INFO_V1(membership_close_refund_exception);

static void
refuse(const MbrRefundKey *key, const char *why)
{
    ereport(ERROR, (errcode(MBR_ERR_NO_ORDER),
                    errmsg("refund \"%s\" of order \"%s\" at merchant %d is no refund exception",
                           key->refund_ref, key->order_ref, key->merchant_id),
                    errdetail("%s", why), errhint("See refund_exception.")));
}

Datum
membership_close_refund_exception(PG_FUNCTION_ARGS)
{
    MbrRefundKey key = {.merchant_id = mbr_get_int4(fcinfo, 0, "merchant_id"),
                        .order_ref = mbr_get_text(fcinfo, 1, "order_ref", MBR_MAX_REF),
                        .refund_ref = mbr_get_text(fcinfo, 2, "refund_ref", MBR_MAX_REF)};
    char *reason = mbr_get_text(fcinfo, 3, "reason", MBR_MAX_NOTE);
    MbrSession session;

    mbr_enter(&session, false);
    (void)mbr_need_merchant(mbr_config_current(&session), key.merchant_id);
    switch (mbr_refund_close(&session, &key, reason)) {
        case MBR_CLOSE_DONE:
        case MBR_CLOSE_KNOWN:
            break;
        case MBR_CLOSE_APPLIED:
            refuse(&key, "It was applied in full.");
            break;
        case MBR_CLOSE_NONE:
            refuse(&key, "No such refund came before its sale.");
            break;
    }
    mbr_leave(&session);
    PG_RETURN_VOID();
}
