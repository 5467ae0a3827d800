/* accrue.c - accrue_points and preview_accrual: one road, of which a preview walks the part without writes.
 */
#include "postgres.h"

#include "fmgr.h"

#include "api/args.h"
#include "api/purchase.h"
#include "api/result.h"
#include "engine/accrue.h"
#include "engine/ledger.h"
#include "store/apply.h"
#include "store/claim.h"
#include "store/journal.h"
#include "store/load.h"
#include "store/plan.h"
#include "util/error.h"
#include "util/money.h"

PG_FUNCTION_INFO_V1(membership_accrue_points);
PG_FUNCTION_INFO_V1(membership_preview_accrual);

static void
raise_other_member(const char *order_ref)
{
    ereport(ERROR, (errcode(MBR_ERR_OTHER_MEMBER),
                    errmsg("receipt \"%s\" has been credited to another member", order_ref),
                    errdetail("A receipt is credited once, to one member."),
                    errhint("An operator can move it with a correction.")));
}

/* A receipt that was posted before: its own member gets the first result. */
static Datum
first_result(FunctionCallInfo fcinfo, MbrSession *session, const MbrPurchaseArgs *args, const MbrLoad *load,
             const MbrReceipt *receipt)
{
    MbrEvent event;

    if (receipt->member_id != args->member_id)
        raise_other_member(args->order_ref);
    if (!mbr_event_read(session, load->config, receipt->member_id, receipt->journal_no, &event))
        elog(ERROR, "a receipt has no journal row");
    return mbr_accrual_row(fcinfo, load->config, &event.purchase, event.journal_no, event.balance, true);
}

/*
 * Another order_ref with a known external ref is the same receipt when merchant and amount are the same, and
 * a contradiction otherwise.
 */
static Datum
result_by_external_ref(FunctionCallInfo fcinfo, MbrSession *session, const MbrPurchaseArgs *args,
                       const MbrLoad *load, const MbrReceipt *receipt)
{
    MbrEvent event;

    if (receipt->member_id != args->member_id)
        raise_other_member(args->order_ref);
    if (!mbr_event_read(session, load->config, receipt->member_id, receipt->journal_no, &event))
        elog(ERROR, "a receipt has no journal row");
    if (receipt->merchant_id != args->merchant_id ||
        event.purchase.amount != mbr_money_parse(args->amount, load->config->digits, "amount"))
        mbr_raise_other_content("external_refs of order_ref", args->order_ref);
    return mbr_accrual_row(fcinfo, load->config, &event.purchase, event.journal_no, event.balance, true);
}

static void
write_context(MbrSession *session, const MbrPurchaseArgs *args, int64 journal_no)
{
    MbrArgs row = MBR_NO_ARGS;

    if (args->attributes == NULL)
        return;
    mbr_arg_int8(&row, args->member_id);
    mbr_arg_int8(&row, journal_no);
    mbr_arg_jsonb(&row, args->attributes);
    (void)mbr_plan_run(session, MBR_PLAN_INSERT_CONTEXT, &row);
}

static void
begin(MbrSession *session, bool read_only, const MbrPurchaseArgs *args, MbrLoad *load, MbrWork *work)
{
    int nlines = Max(args->nlines, 1);

    mbr_enter(session, read_only);
    load->member_id = args->member_id;
    load->at = args->at;
    load->occurred_at = args->occurred_at;
    load->new_lots = nlines;
    load->new_splits = 3 * nlines;
    mbr_load(session, load, work);
}

static void
decide(const MbrPurchaseArgs *args, const MbrLoad *load, MbrWork *work, MbrPurchase *purchase)
{
    MbrScratch scratch;

    mbr_purchase_prepare(args, load, work, purchase, &scratch);
    mbr_accrue(work, purchase, &scratch);
    mbr_raise_refusal(work);
    mbr_freeze_lines(purchase, load->config->digits);
}

static Datum
accrue(FunctionCallInfo fcinfo, MbrSession *session, const MbrPurchaseArgs *args)
{
    int64 hash = mbr_purchase_hash(args);
    MbrLoad load = {0};
    MbrPurchase purchase;
    MbrReceipt receipt;
    MbrWork work;
    int64 journal_no;

    begin(session, false, args, &load, &work);
    if (mbr_find_receipt_by_ref(session, args->refs, args->nrefs, args->merchant_id, args->order_ref,
                                &receipt))
        return result_by_external_ref(fcinfo, session, args, &load, &receipt);
    mbr_settle(&work);
    journal_no = work.member.next_journal_no;
    if (!mbr_claim_receipt(session, args->merchant_id, args->order_ref, args->member_id, journal_no, hash,
                           &receipt)) {
        if (receipt.member_id == args->member_id && receipt.payload_hash != hash)
            mbr_raise_other_content("order_ref", args->order_ref);
        return first_result(fcinfo, session, args, &load, &receipt);
    }
    if (!mbr_claim_receipt_refs(session, args->refs, args->nrefs, args->merchant_id, args->order_ref))
        raise_other_member(args->order_ref); /* this member's own would have been found above */
    decide(args, &load, &work, &purchase);
    mbr_apply(session, &load, &work);
    write_context(session, args, journal_no);
    return mbr_accrual_row(fcinfo, load.config, &purchase, journal_no, work.member.balance, false);
}

static Datum
preview(FunctionCallInfo fcinfo, MbrSession *session, const MbrPurchaseArgs *args)
{
    MbrLoad load = {0};
    MbrPurchase purchase;
    MbrReceipt receipt;
    MbrWork work;

    begin(session, true, args, &load, &work);
    if (args->order_ref != NULL && mbr_find_receipt(session, args->merchant_id, args->order_ref, &receipt))
        return first_result(fcinfo, session, args, &load, &receipt);
    mbr_settle(&work);
    decide(args, &load, &work, &purchase);
    return mbr_accrual_row(fcinfo, load.config, &purchase, 0, work.member.balance, false);
}

/* The arguments that both functions have, in the order of accrue_points' first nine. */
static void
read_args(FunctionCallInfo fcinfo, MbrPurchaseArgs *args)
{
    *args = (MbrPurchaseArgs){.member_id = mbr_get_int8(fcinfo, 0, "member_id"),
                              .merchant_id = mbr_get_int4(fcinfo, 1, "merchant_id")};
    mbr_require(fcinfo, 2, "amount");
    args->amount = PG_GETARG_NUMERIC(2);
    args->order_ref = mbr_get_optional_text(fcinfo, 3, "order_ref", MBR_MAX_REF);
    args->occurred_at = mbr_get_time(fcinfo, 4, "occurred_at");
    args->channel = mbr_get_text(fcinfo, 5, "channel", MBR_MAX_WORD);
    args->lines_json = mbr_get_json_array(fcinfo, 6, "lines");
    args->tenders_json = mbr_get_json_array(fcinfo, 7, "tenders");
    args->attributes = mbr_get_json_object(fcinfo, 8, "attributes");
    if (args->attributes != NULL && JB_ROOT_COUNT(args->attributes) == 0)
        args->attributes = NULL;
    mbr_parse_lines(args);
    mbr_parse_tenders(args);
}

Datum
membership_accrue_points(PG_FUNCTION_ARGS)
{
    MbrPurchaseArgs args;
    MbrSession session;
    Datum result;

    read_args(fcinfo, &args);
    mbr_require(fcinfo, 3, "order_ref");
    args.refs_json = mbr_get_json_object(fcinfo, 9, "external_refs");
    args.at = mbr_get_time(fcinfo, 10, "at");
    mbr_parse_external_refs(&args);
    result = accrue(fcinfo, &session, &args);
    mbr_leave(&session);
    PG_RETURN_DATUM(result);
}

Datum
membership_preview_accrual(PG_FUNCTION_ARGS)
{
    MbrPurchaseArgs args;
    MbrSession session;
    Datum result;

    read_args(fcinfo, &args);
    args.at = mbr_get_time(fcinfo, 9, "at");
    result = preview(fcinfo, &session, &args);
    mbr_leave(&session);
    PG_RETURN_DATUM(result);
}
