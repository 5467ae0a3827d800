/* exception.c - close_refund_exception: what an operator settled by other means leaves refund_exception. */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "api/args.h"
#include "api/purchase.h"
#include "store/refund.h"
#include "util/error.h"

PG_FUNCTION_INFO_V1(membership_close_refund_exception);

Datum
membership_close_refund_exception(PG_FUNCTION_ARGS)
{
    MbrRefundKey key = {.merchant_id = mbr_get_int4(fcinfo, 0, "merchant_id"),
                        .order_ref = mbr_get_text(fcinfo, 1, "order_ref", MBR_MAX_REF),
                        .refund_ref = mbr_get_text(fcinfo, 2, "refund_ref", MBR_MAX_REF)};
    char *reason = mbr_get_text(fcinfo, 3, "reason", MBR_MAX_NOTE);
    const MbrConfig *config;
    const char *status;
    MbrSession session;

    mbr_enter(&session, false);
    config = mbr_config_current(&session);
    mbr_need_tables(config, 2);
    (void)mbr_need_merchant(config, key.merchant_id);
    status = mbr_refund_close(&session, &key, reason);
    if (status == NULL)
        ereport(ERROR, (errcode(MBR_ERR_NO_ORDER),
                        errmsg("refund \"%s\" of order \"%s\" at merchant %d is no refund exception",
                               key.refund_ref, key.order_ref, key.merchant_id),
                        errdetail("No such refund came before its sale, or all of it was applied."),
                        errhint("See refund_exception.")));
    mbr_leave(&session);
    PG_RETURN_TEXT_P(cstring_to_text(status));
}
