/* accrue.c - accrue_points and preview_accrual: a preview walks the part of the road that does not write. */
#include "postgres.h"

#include "fmgr.h"

#include "api/accrue.h"
#include "api/args.h"
#include "api/exchange.h"
#include "api/match.h"
#include "api/refund.h"
#include "engine/accrue.h"
#include "engine/canary.h"
#include "engine/ledger.h"
#include "store/alias.h"
#include "store/apply.h"
#include "store/claim.h"
#include "store/journal.h"
#include "store/plan.h"
#include "store/refund.h"
#include "util/error.h"
#include "util/money.h"

PG_FUNCTION_INFO_V1(membership_accrue_points);
PG_FUNCTION_INFO_V1(membership_preview_accrual);

void
mbr_accrue_raise_other_member(const char *order_ref)
{
    ereport(ERROR, (errcode(MBR_ERR_OTHER_MEMBER),
                    errmsg("receipt \"%s\" has been credited to another member", order_ref),
                    errdetail("A receipt is credited once, to one member."),
                    errhint("An operator can move it with a correction.")));
}

void
mbr_accrue_first_result(MbrSession *session, const MbrConfig *config, const MbrPurchaseArgs *args, int64 hash,
                        const MbrReceipt *receipt, bool by_ref, MbrAccrual *result)
{
    MbrEvent event;

    if (receipt->member_id != args->member_id &&
        mbr_alias_survivor(session, receipt->member_id) != args->member_id)
        mbr_accrue_raise_other_member(args->order_ref);
    if (!by_ref && receipt->payload_hash != hash && !MBR_CANARY(CONTENT_IGNORED))
        mbr_raise_other_content("order_ref", args->order_ref);
    if (!mbr_event_read(session, config, receipt->member_id, receipt->journal_no, &event))
        elog(ERROR, "a receipt has no journal row");
    if (by_ref && (receipt->merchant_id != args->merchant_id ||
                   event.purchase.amount != mbr_money_parse(args->amount, config->digits, "amount")))
        mbr_raise_other_content("external_refs of order_ref", args->order_ref);
    *result = (MbrAccrual){event.purchase, event.journal_no, event.balance, true};
}

void
mbr_accrue_write_context(MbrSession *session, const MbrPurchaseArgs *args, const MbrPurchase *purchase,
                         int64 journal_no)
{
    MbrArgs row = MBR_NO_ARGS;

    mbr_record_failures(session, args->member_id, journal_no, purchase);
    if (args->attributes == NULL && purchase->frozen_facts == NULL)
        return;
    mbr_arg_int8(&row, args->member_id);
    mbr_arg_int8(&row, journal_no);
    mbr_arg_jsonb(&row, args->attributes);
    mbr_arg_jsonb(&row, purchase->frozen_facts);
    (void)mbr_plan_run(session, MBR_PLAN_INSERT_CONTEXT, &row);
}

MbrLoad
mbr_accrue_load(const MbrPurchaseArgs *args)
{
    int nlines = Max(args->nlines, 1);

    return (MbrLoad){.member_id = args->member_id,
                     .at = args->at,
                     .occurred_at = args->occurred_at,
                     .new_lots = nlines,
                     .all_lots = args->ntenders > 0,
                     .new_events = args->ntenders,
                     .new_splits = 4 * nlines,
                     .extends = true};
}

void
mbr_accrue_matched(const MbrLoad *load, MbrWork *work, MbrPurchase *purchase, bool preview)
{
    MbrScratch scratch;

    mbr_match_lives(load, work, purchase);
    scratch = mbr_purchase_scratch(purchase);
    mbr_accrue(work, purchase, &scratch);
    mbr_raise_refusal(work);
    mbr_freeze(purchase, load->config->digits, preview);
}

void
mbr_accrue_decide(MbrSession *session, const MbrPurchaseArgs *args, MbrLoad *load, MbrWork *work,
                  const MbrTenders *tenders, const MbrExchange *exchange, MbrPurchase *purchase, bool explain)
{
    mbr_purchase_prepare(args, load, work, purchase);
    mbr_tenders_post(session, args, load, work, tenders, purchase);
    mbr_purchase_check_tenders(args, load->config, purchase);
    mbr_sum_basis(purchase);
    if (exchange != NULL && exchange->amount > 0)
        mbr_exchange_award(session, args, load, work, exchange, purchase);
    else
        mbr_match_rules(session, args, load, work, purchase, explain);
    mbr_accrue_matched(load, work, purchase, explain);
}

void
mbr_accrue_one(MbrSession *session, MbrPurchaseArgs *args, MbrAccrual *result, const MbrConfig **config)
{
    int64 hash = mbr_purchase_hash(args);
    MbrLoad load = mbr_accrue_load(args);
    MbrReceipt receipt, claim;
    MbrExchange exchange;
    MbrTenders tenders;
    MbrWork work;
    int64 journal_no;

    mbr_load(session, &load, &work);
    args->member_id = load.member_id;
    *config = load.config;
    if (args->nrefs > 0 && !mbr_find_receipt(session, args->merchant_id, args->order_ref, &receipt) &&
        mbr_find_receipt_by_ref(session, args->refs, args->nrefs, args->merchant_id, args->order_ref,
                                &receipt)) {
        mbr_accrue_first_result(session, load.config, args, hash, &receipt, true, result);
        return;
    }
    if (args->ntenders > 0 && mbr_find_receipt(session, args->merchant_id, args->order_ref, &receipt)) {
        /* what its tenders name is no longer there */
        mbr_accrue_first_result(session, load.config, args, hash, &receipt, false, result);
        return;
    }
    mbr_settle(&work);
    tenders = mbr_tenders_find(session, args, &load, &work);
    journal_no = work.member.next_journal_no + mbr_tenders_events(&tenders);
    claim = (MbrReceipt){args->member_id, journal_no, hash, args->merchant_id};
    if (!mbr_claim_receipt(session, args->order_ref, &claim, &receipt)) {
        mbr_accrue_first_result(session, load.config, args, hash, &receipt, false, result);
        if (MBR_CANARY(PRESENT_BALANCE))
            result->balance = work.member.balance;
        return;
    }
    if (!mbr_claim_receipt_refs(session, args->refs, args->nrefs, args->merchant_id, args->order_ref))
        mbr_accrue_raise_other_member(args->order_ref); /* this member's own would have been found above */
    exchange = mbr_exchange_find(session, args, load.config);
    mbr_accrue_decide(session, args, &load, &work, &tenders, &exchange, &result->purchase, false);
    mbr_apply(session, &load, &work);
    mbr_accrue_write_context(session, args, &result->purchase, journal_no);
    if (exchange.amount > 0)
        mbr_exchange_store(session, load.config, args->member_id, exchange.purchase_no, journal_no,
                           exchange.amount);
    if (receipt.parked)
        mbr_refund_parked(session, args, work.posted_at);
    result->journal_no = journal_no;
    result->balance = result->purchase.balance;
    result->duplicate = false;
}

/* A receipt already posted is shown as its first result, whatever else the preview was asked with. */
static void
preview(MbrSession *session, MbrPurchaseArgs *args, MbrAccrual *result, const MbrConfig **config)
{
    MbrLoad load = mbr_accrue_load(args);
    MbrReceipt receipt;
    MbrTenders tenders;
    MbrWork work;

    mbr_load(session, &load, &work);
    args->member_id = load.member_id;
    *config = load.config;
    if (args->order_ref != NULL && mbr_find_receipt(session, args->merchant_id, args->order_ref, &receipt)) {
        mbr_accrue_first_result(session, load.config, args, receipt.payload_hash, &receipt, false, result);
        return;
    }
    mbr_settle(&work);
    tenders = mbr_tenders_find(session, args, &load, &work);
    mbr_accrue_decide(session, args, &load, &work, &tenders, NULL, &result->purchase, true);
    result->journal_no = 0;
    result->balance = result->purchase.balance;
    result->duplicate = false;
}

Datum
membership_accrue_points(PG_FUNCTION_ARGS)
{
    const MbrConfig *config;
    MbrPurchaseArgs args;
    MbrSession session;
    MbrAccrual accrual;
    Datum result;

    mbr_purchase_read(fcinfo, &args);
    mbr_enter(&session, false);
    mbr_accrue_one(&session, &args, &accrual, &config);
    result = mbr_accrual_row(fcinfo, config, &accrual);
    mbr_leave(&session);
    PG_RETURN_DATUM(result);
}

Datum
membership_preview_accrual(PG_FUNCTION_ARGS)
{
    const MbrConfig *config;
    MbrPurchaseArgs args;
    MbrSession session;
    MbrAccrual accrual;
    Datum result;

    mbr_purchase_read_common(fcinfo, &args);
    args.at = mbr_get_time(fcinfo, 9, "at");
    mbr_enter(&session, true);
    preview(&session, &args, &accrual, &config);
    result = mbr_accrual_row(fcinfo, config, &accrual);
    mbr_leave(&session);
    PG_RETURN_DATUM(result);
}
