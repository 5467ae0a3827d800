/* apply.c - from postings to rows. The caller holds the member's lock. */
#include "postgres.h"

#include "miscadmin.h"

#include "engine/ledger.h"
#include "store/apply.h"
#include "store/hold.h"
#include "store/plan.h"
#include "store/table.h"
#include "util/money.h"
#include "store/tier.h"
#include "store/verb.h"
#include "util/calendar.h"

static void
add_nulls(MbrArgs *args, int n)
{
    for (int i = 0; i < n; i++)
        mbr_arg_null(args);
}

static void
add_number(MbrArgs *args, int64 value) /* 0 = none */
{
    if (value == 0)
        mbr_arg_null(args);
    else
        mbr_arg_int8(args, value);
}

/* The columns from merchant_id to rules, of an accrual. */
static void
add_purchase(MbrArgs *args, const MbrPurchase *purchase, int digits)
{
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
    mbr_arg_jsonb(args, purchase->frozen_rules);
}

/* The same columns of what points were spent on. */
static void
add_spend(MbrArgs *args, const MbrSpend *spend, int digits)
{
    if (spend->merchant_id == 0)
        mbr_arg_null(args);
    else
        mbr_arg_int4(args, spend->merchant_id);
    mbr_arg_text(args, spend->order_ref);
    mbr_arg_text(args, spend->channel);
    mbr_arg_money(args, spend->value, digits);
    add_nulls(args, 15);
    mbr_arg_json_text(args, spend->frozen_rule);
}

/* The same columns of goods returned. */
static void
add_goods(MbrArgs *args, const MbrGoods *goods, int digits)
{
    mbr_arg_int4(args, goods->merchant_id);
    mbr_arg_text(args, goods->order_ref);
    mbr_arg_null(args);
    mbr_arg_money(args, goods->amount, digits);
    mbr_arg_money(args, goods->basis, digits);
    add_nulls(args, 15);
}

/* Of other events, a reason_code at the most. */
static void
add_reason_code(MbrArgs *args, MbrReason reason_code)
{
    add_nulls(args, 7);
    mbr_arg_text(args, mbr_reason_name(reason_code));
    add_nulls(args, 12);
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
    add_number(&args, journal->refers_to);
    if (journal->purchase != NULL)
        add_purchase(&args, journal->purchase, load->config->digits);
    else if (journal->spend != NULL)
        add_spend(&args, journal->spend, load->config->digits);
    else if (journal->goods != NULL)
        add_goods(&args, journal->goods, load->config->digits);
    else
        add_reason_code(&args, journal->reason_code);
    add_number(&args, journal->growth);
    mbr_arg_text(&args, journal->spend == NULL ? NULL : journal->spend->purpose);
    add_number(&args, journal->counterpart_id);
    mbr_arg_json_text(&args, journal->purchase == NULL ? NULL : journal->purchase->frozen_tenders);
    mbr_table_insert(mbr_table_open(session, MBR_TABLE_JOURNAL, true), &args);
}

static void
insert_entry(MbrSession *session, const MbrWork *work, const MbrEntry *entry)
{
    bool opens = (entry->lot_no == entry->entry_no);
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, work->member.member_id);
    mbr_arg_int2(&args, MBR_WALLET_POINTS);
    mbr_arg_int8(&args, entry->entry_no);
    mbr_arg_int8(&args, entry->journal_no);
    mbr_arg_int8(&args, entry->lot_no);
    mbr_arg_int8(&args, entry->points);
    mbr_arg_int8(&args, entry->balance_after);
    mbr_arg_time(&args, opens ? entry->active_at : MBR_NEVER);
    mbr_arg_time(&args, opens ? entry->expires_at : MBR_NEVER);
    mbr_arg_text(&args, opens ? mbr_verb_name(entry->origin) : NULL);
    add_number(&args, entry->moved_from);
    mbr_table_insert(mbr_table_open(session, MBR_TABLE_LEDGER_ENTRY, true), &args);
}

static void
insert_lot(MbrTable *table, int64 member_id, const MbrLot *lot)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, member_id);
    mbr_arg_int2(&args, MBR_WALLET_POINTS);
    mbr_arg_int8(&args, lot->lot_no);
    mbr_arg_int8(&args, lot->journal_no);
    mbr_arg_int8(&args, lot->granted);
    mbr_arg_time(&args, lot->active_at);
    mbr_arg_time(&args, lot->expires_at);
    mbr_arg_text(&args, mbr_verb_name(lot->origin));
    mbr_arg_int8(&args, lot->remaining);
    mbr_arg_int8(&args, lot->held);
    mbr_table_insert(table, &args);
}

/* A lot's row exists while something remains. */
static void
write_lot(MbrSession *session, const MbrWork *work, const MbrLot *lot)
{
    int64 member_id = work->member.member_id;
    Datum key[] = {Int64GetDatum(member_id), Int16GetDatum(MBR_WALLET_POINTS), Int64GetDatum(lot->lot_no)};
    MbrTable *table;
    MbrArgs args = MBR_NO_ARGS;

    if (lot->opened ? lot->remaining == 0 : !lot->changed)
        return;
    table = mbr_table_open(session, MBR_TABLE_LOT, true);
    if (lot->opened) {
        insert_lot(table, member_id, lot);
        return;
    }
    if (!mbr_table_find_at(table, lot->place, key))
        elog(ERROR, "lot " INT64_FORMAT " of member " INT64_FORMAT " is gone", lot->lot_no, member_id);
    mbr_arg_int8(&args, lot->remaining);
    mbr_arg_int8(&args, lot->held);
    if (lot->remaining > 0)
        mbr_table_update(table, MBR_LOT_REMAINING, &args);
    else
        mbr_table_delete(table);
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
    add_number(&args, split->points);
    mbr_table_insert(mbr_table_open(session, MBR_TABLE_MERCHANT_SPLIT, true), &args);
}

/* The column holds 18 digits. */
static void
check_day(const MbrWork *work, int64 basis)
{
    if (basis > MBR_MAX_AMOUNT)
        ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                        errmsg("purchases of member " INT64_FORMAT " on one day are out of range",
                               work->member.member_id),
                        errdetail("A day's basis has at most 18 digits, decimals included."),
                        errhint("Check the amounts.")));
}

/* Returns are rare: a day's row without any keeps these columns as they are. */
static void
add_refunded(MbrTable *table, bool found, const MbrActivity *activity, int digits, MbrArgs *args)
{
    int64 of = activity->refunded_of, on = activity->refunded_on;
    bool isnull;

    if (found && of == 0 && on == 0)
        return;
    if (found) {
        of += mbr_money_stored(DatumGetNumeric(mbr_table_get(table, MBR_ACTIVITY_REFUNDED_OF, &isnull)),
                               digits);
        on += mbr_money_stored(DatumGetNumeric(mbr_table_get(table, MBR_ACTIVITY_REFUNDED_ON, &isnull)),
                               digits);
    }
    mbr_arg_money(args, of, digits);
    mbr_arg_money(args, on, digits);
}

static void
add_activity(MbrSession *session, const MbrLoad *load, const MbrWork *work, const MbrActivity *activity)
{
    MbrTable *table = mbr_table_open(session, MBR_TABLE_ACTIVITY_DAY, true);
    Datum key[] = {Int64GetDatum(work->member.member_id), DateADTGetDatum(activity->day)};
    MbrActivity sum = *activity;
    int digits = load->config->digits;
    bool found = activity->place == MBR_PLACE_UNKNOWN ? mbr_table_find(table, key)
                 : activity->place == MBR_PLACE_NONE  ? false
                                                      : mbr_table_find_at(table, activity->place, key);
    MbrArgs args = MBR_NO_ARGS;

    if (found) {
        bool isnull;

        sum.purchases += DatumGetInt32(mbr_table_get(table, MBR_ACTIVITY_PURCHASES, &isnull));
        sum.basis +=
            mbr_money_stored(DatumGetNumeric(mbr_table_get(table, MBR_ACTIVITY_BASIS, &isnull)), digits);
        sum.points += mbr_table_get_int8(table, MBR_ACTIVITY_POINTS, 0);
        sum.growth += mbr_table_get_int8(table, MBR_ACTIVITY_GROWTH, 0);
        sum.redeemed += mbr_table_get_int8(table, MBR_ACTIVITY_REDEEMED, 0);
    } else {
        mbr_arg_int8(&args, work->member.member_id);
        mbr_arg_date(&args, activity->day);
    }
    check_day(work, sum.basis);
    mbr_arg_int4(&args, sum.purchases);
    mbr_arg_money(&args, sum.basis, digits);
    mbr_arg_int8(&args, sum.points);
    mbr_arg_int8(&args, sum.growth);
    mbr_arg_int8(&args, sum.redeemed);
    add_refunded(table, found, activity, digits, &args);
    if (found)
        mbr_table_update(table, MBR_ACTIVITY_PURCHASES, &args);
    else
        mbr_table_insert(table, &args);
}

static void
update_account(MbrSession *session, const MbrWork *work)
{
    const MbrMember *member = &work->member;
    MbrTable *table = mbr_table_open(session, MBR_TABLE_ACCOUNT, true);
    Datum key[] = {Int64GetDatum(member->member_id), Int16GetDatum(MBR_WALLET_POINTS)};
    MbrArgs args = MBR_NO_ARGS;

    if (!mbr_table_find_at(table, member->place, key))
        elog(ERROR, "account of member " INT64_FORMAT " is gone", member->member_id);
    mbr_arg_int8(&args, member->balance);
    mbr_arg_int8(&args, member->held);
    mbr_arg_int8(&args, member->debt);
    mbr_arg_int8(&args, member->next_journal_no);
    mbr_arg_int8(&args, member->next_entry_no);
    mbr_arg_time(&args, mbr_next_expiry(member));
    mbr_arg_int4(&args, member->order_spends);
    mbr_arg_time(&args, member->last_posted_at);
    mbr_table_update(table, MBR_ACCOUNT_BALANCE, &args);
}

/* One kind of row of one member's work. */
typedef void (*WriteStep)(MbrSession *session, const MbrLoad *load, const MbrWork *work);

static void
write_journals(MbrSession *session, const MbrLoad *load, const MbrWork *work)
{
    for (int i = 0; i < work->njournals; i++)
        insert_journal(session, load, work, &work->journals[i]);
}

static void
write_activities(MbrSession *session, const MbrLoad *load, const MbrWork *work)
{
    for (int i = 0; i < work->nactivities; i++)
        add_activity(session, load, work, &work->activities[i]);
}

static void
write_entries(MbrSession *session, const MbrLoad *load, const MbrWork *work)
{
    for (int i = 0; i < work->nentries; i++)
        insert_entry(session, work, &work->entries[i]);
}

static void
write_lots(MbrSession *session, const MbrLoad *load, const MbrWork *work)
{
    for (int i = 0; i < work->member.nlots; i++)
        write_lot(session, work, &work->member.lots[i]);
}

static void
write_holds(MbrSession *session, const MbrLoad *load, const MbrWork *work)
{
    for (int i = 0; i < work->member.nholds; i++)
        mbr_hold_store(session, work->member.member_id, &work->member.holds[i]);
}

static void
write_splits(MbrSession *session, const MbrLoad *load, const MbrWork *work)
{
    for (int i = 0; i < work->nsplits; i++)
        insert_split(session, load, work, &work->splits[i]);
}

static void
write_tiers(MbrSession *session, const MbrLoad *load, const MbrWork *work)
{
    for (int i = 0; i < work->ntier_changes; i++)
        mbr_tier_store(session, load, work, &work->tier_changes[i]);
}

static void
write_account(MbrSession *session, const MbrLoad *load, const MbrWork *work)
{
    update_account(session, work);
}

/*
 * Table by table, so that the pages of one index are met while they are at hand, and the rows of many members
 * are written at a time.
 */
void
mbr_apply_all(MbrSession *session, const MbrLoad *load, MbrWork *const *works, int n)
{
    static const WriteStep steps[] = {write_journals, write_activities, write_entries, write_lots,
                                      write_holds,    write_splits,     write_tiers,   write_account};

    for (int step = 0; step < (int)lengthof(steps); step++) {
        if (n > 1)
            mbr_tables_collect(session);
        for (int i = 0; i < n; i++) {
            CHECK_FOR_INTERRUPTS();
            steps[step](session, load, works[i]);
        }
        if (n > 1)
            mbr_tables_flush(session);
    }
}

void
mbr_apply(MbrSession *session, const MbrLoad *load, MbrWork *work)
{
    mbr_apply_all(session, load, &work, 1);
}
