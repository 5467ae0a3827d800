/* apply.c - from postings to rows. The caller holds the member's lock. */
#include "postgres.h"

#include "miscadmin.h"

#include "engine/ledger.h"
#include "store/apply.h"
#include "store/plan.h"
#include "store/tier.h"
#include "store/verb.h"
#include "util/calendar.h"

/* The columns from merchant_id to lines, which an accrual fills; others have a reason_code at the most. */
static void
add_purchase(MbrArgs *args, const MbrJournal *journal, int digits)
{
    const MbrPurchase *purchase = journal->purchase;

    if (purchase == NULL) {
        while (args->n < 20)
            mbr_arg_null(args);
        mbr_arg_text(args, mbr_reason_name(journal->reason_code));
        while (args->n < 32)
            mbr_arg_null(args);
        return;
    }
    mbr_arg_int4(args, purchase->merchant_id);
    mbr_arg_text(args, purchase->order_ref);
    mbr_arg_text(args, purchase->channel);
    mbr_arg_money(args, purchase->amount, digits);
    mbr_arg_money(args, purchase->basis, digits);
    mbr_arg_money(args, purchase->merchant_collected, digits);
    mbr_arg_text(args, mbr_accrual_status_name(purchase->status));
    mbr_arg_text(args, mbr_reason_name(purchase->reason_code));
    mbr_arg_int8(args, purchase->points_wanted);
    mbr_arg_int8(args, purchase->base_points);
    mbr_arg_time(args, purchase->available_at);
    mbr_arg_time(args, purchase->expires_at);
    mbr_arg_money(args, purchase->base_rate, MBR_RATE_DIGITS);
    mbr_arg_text(args, mbr_rounding_name(purchase->rounding));
    mbr_arg_int4(args, purchase->tier->tier_id);
    mbr_arg_money(args, purchase->tier->multiplier, MBR_MULTIPLIER_DIGITS);
    mbr_arg_int4(args, purchase->tier_after->tier_id);
    mbr_arg_bool(args, purchase->tier_changed);
    mbr_arg_json_text(args, purchase->frozen_lines);
}

static void
insert_journal(MbrSession *session, const MbrLoad *load, const MbrWork *work, const MbrJournal *journal)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, work->member.member_id);
    mbr_arg_int8(&args, journal->journal_no);
    mbr_arg_text(&args, mbr_verb_name(journal->verb));
    mbr_arg_time(&args, journal->occurred_at);
    mbr_arg_time(&args, journal->posted_at);
    mbr_arg_date(&args, mbr_day_of(journal->occurred_at, load->config->zone));
    mbr_arg_text(&args, GetUserNameFromId(session->caller, false));
    mbr_arg_text(&args, GetUserNameFromId(GetSessionUserId(), false));
    mbr_arg_int8(&args, journal->points);
    mbr_arg_int8(&args, journal->balance);
    mbr_arg_int8(&args, journal->last_entry_no);
    mbr_arg_text(&args, journal->reason);
    if (journal->refers_to == 0)
        mbr_arg_null(&args);
    else
        mbr_arg_int8(&args, journal->refers_to);
    add_purchase(&args, journal, load->config->digits);
    (void)mbr_plan_run(session, MBR_PLAN_INSERT_JOURNAL, &args);
}

static void
insert_entry(MbrSession *session, const MbrWork *work, const MbrEntry *entry)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, work->member.member_id);
    mbr_arg_int8(&args, entry->entry_no);
    mbr_arg_int8(&args, entry->journal_no);
    mbr_arg_int8(&args, entry->lot_no);
    mbr_arg_int8(&args, entry->points);
    mbr_arg_int8(&args, entry->balance_after);
    mbr_arg_time(&args, entry->opens == NULL ? MBR_NEVER : entry->opens->active_at);
    mbr_arg_time(&args, entry->opens == NULL ? MBR_NEVER : entry->opens->expires_at);
    mbr_arg_text(&args, entry->opens == NULL ? NULL : mbr_verb_name(entry->opens->origin));
    (void)mbr_plan_run(session, MBR_PLAN_INSERT_ENTRY, &args);
}

/* A lot's row exists while something remains. */
static void
write_lot(MbrSession *session, const MbrWork *work, const MbrLot *lot)
{
    MbrArgs args = MBR_NO_ARGS;
    MbrPlan plan;

    mbr_arg_int8(&args, work->member.member_id);
    mbr_arg_int8(&args, lot->lot_no);
    if (lot->opened && lot->remaining > 0) {
        plan = MBR_PLAN_INSERT_LOT;
        mbr_arg_int8(&args, lot->journal_no);
        mbr_arg_int8(&args, lot->granted);
        mbr_arg_int8(&args, lot->remaining);
        mbr_arg_time(&args, lot->active_at);
        mbr_arg_time(&args, lot->expires_at);
        mbr_arg_text(&args, mbr_verb_name(lot->origin));
    } else if (lot->changed && !lot->opened && lot->remaining > 0) {
        plan = MBR_PLAN_UPDATE_LOT;
        mbr_arg_int8(&args, lot->remaining);
        mbr_arg_int8(&args, lot->held);
    } else if (lot->changed && !lot->opened) {
        plan = MBR_PLAN_DELETE_LOT;
    } else {
        return;
    }
    (void)mbr_plan_run(session, plan, &args);
}

static void
insert_split(MbrSession *session, const MbrLoad *load, const MbrWork *work, const MbrSplit *split)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, work->member.member_id);
    mbr_arg_int8(&args, split->journal_no);
    mbr_arg_int4(&args, split->split_no);
    mbr_arg_int4(&args, split->merchant_id);
    mbr_arg_text(&args, mbr_split_kind_name(split->kind));
    mbr_arg_int4(&args, split->payer_party);
    mbr_arg_int4(&args, split->payee_party);
    mbr_arg_money(&args, split->amount, load->config->digits);
    if (split->kind == MBR_SPLIT_POINTS_ISSUED)
        mbr_arg_int8(&args, split->points);
    else
        mbr_arg_null(&args);
    (void)mbr_plan_run(session, MBR_PLAN_INSERT_SPLIT, &args);
}

/* The day of a purchase counts the purchase, and what it earned, also when that is approved later. */
static void
add_activity(MbrSession *session, const MbrLoad *load, const MbrWork *work, const MbrJournal *journal)
{
    const MbrPurchase *purchase = journal->purchase;
    MbrArgs args = MBR_NO_ARGS;

    if (journal->verb != MBR_VERB_ACCRUAL && journal->verb != MBR_VERB_REVIEW)
        return;
    mbr_arg_int8(&args, work->member.member_id);
    mbr_arg_date(&args, load->day);
    mbr_arg_int4(&args, purchase == NULL ? 0 : 1);
    mbr_arg_money(&args, purchase == NULL ? 0 : purchase->basis, load->config->digits);
    mbr_arg_int8(&args, journal->points);
    (void)mbr_plan_run(session, MBR_PLAN_ADD_ACTIVITY, &args);
}

static void
update_account(MbrSession *session, const MbrWork *work)
{
    const MbrMember *member = &work->member;
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, member->member_id);
    mbr_arg_int8(&args, member->balance);
    mbr_arg_int8(&args, member->held);
    mbr_arg_int8(&args, member->debt);
    mbr_arg_int8(&args, member->next_journal_no);
    mbr_arg_int8(&args, member->next_entry_no);
    mbr_arg_time(&args, mbr_next_expiry(member));
    mbr_arg_time(&args, member->last_posted_at);
    (void)mbr_plan_run(session, MBR_PLAN_UPDATE_ACCOUNT, &args);
}

void
mbr_apply(MbrSession *session, const MbrLoad *load, MbrWork *work)
{
    for (int i = 0; i < work->njournals; i++) {
        insert_journal(session, load, work, &work->journals[i]);
        add_activity(session, load, work, &work->journals[i]);
    }
    for (int i = 0; i < work->nentries; i++)
        insert_entry(session, work, &work->entries[i]);
    for (int i = 0; i < work->member.nlots; i++)
        write_lot(session, work, &work->member.lots[i]);
    for (int i = 0; i < work->nsplits; i++)
        insert_split(session, load, work, &work->splits[i]);
    if (work->new_tier != NULL)
        mbr_tier_store(session, load, work);
    update_account(session, work);
}
