/* hold.c - reads and writes holds and the spends of orders; seldom, so by SQL. */
#include "postgres.h"

#include "store/alias.h"
#include "store/hold.h"
#include "store/plan.h"
#include "store/table.h"
#include "store/verb.h"

/* One row a hold and lot, by hold, the lots in the order in which they are captured. */
void
mbr_hold_load(MbrSession *session, const MbrConfig *config, MbrWork *work)
{
    MbrMember *member = &work->member;
    MbrArgs args = MBR_NO_ARGS;
    int n;

    mbr_arg_int8(&args, member->member_id);
    n = (int)mbr_plan_run(session, MBR_PLAN_LOAD_HOLDS, &args);
    member->max_holds = Max(n, 1);
    member->holds = palloc(sizeof(MbrHold) * member->max_holds);
    member->nholds = 0;
    for (int i = 0; i < n; i++) {
        int64 hold_no = mbr_col_int8(i, 1, 0);
        MbrHold *hold;

        if (member->nholds == 0 || member->holds[member->nholds - 1].hold_no != hold_no)
            member->holds[member->nholds++] = (MbrHold){.hold_no = hold_no,
                                                        .ref = mbr_col_text(i, 2),
                                                        .points = mbr_col_int8(i, 3, 0),
                                                        .value = mbr_col_money(i, 10, config->digits),
                                                        .expires_at = mbr_col_int8(i, 4, MBR_NEVER),
                                                        .merchant_id = mbr_col_int4(i, 5, 0),
                                                        .order_ref = mbr_col_text(i, 6),
                                                        .made_at = mbr_col_int8(i, 7, 0),
                                                        .parts = palloc(sizeof(MbrHoldPart) * n)};
        hold = &member->holds[member->nholds - 1];
        hold->parts[hold->nparts++] =
            (MbrHoldPart){.lot_no = mbr_col_int8(i, 8, 0), .points = mbr_col_int8(i, 9, 0)};
    }
}

static void
insert_hold(MbrSession *session, int64 member_id, const MbrHold *hold)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, member_id);
    mbr_arg_int8(&args, hold->hold_no);
    mbr_arg_text(&args, hold->ref);
    mbr_arg_int8(&args, hold->points);
    mbr_arg_time(&args, hold->expires_at);
    if (hold->merchant_id == 0)
        mbr_arg_null(&args);
    else
        mbr_arg_int4(&args, hold->merchant_id);
    mbr_arg_text(&args, hold->order_ref);
    (void)mbr_plan_run(session, MBR_PLAN_INSERT_HOLD, &args);
    for (int i = 0; i < hold->nparts; i++) {
        args.n = 2;
        mbr_arg_int8(&args, hold->parts[i].lot_no);
        mbr_arg_int8(&args, hold->parts[i].points);
        (void)mbr_plan_run(session, MBR_PLAN_INSERT_HOLD_LOT, &args);
    }
}

void
mbr_hold_store(MbrSession *session, int64 member_id, const MbrHold *hold)
{
    MbrArgs args = MBR_NO_ARGS;

    if (hold->opened && !hold->over)
        insert_hold(session, member_id, hold);
    if (hold->opened || !hold->over)
        return;
    mbr_arg_int8(&args, member_id);
    mbr_arg_int8(&args, hold->hold_no);
    (void)mbr_plan_run(session, MBR_PLAN_DELETE_HOLD, &args);
}

void
mbr_hold_facts(MbrSession *session, const MbrConfig *config, int64 member_id, int64 hold_no, MbrSpend *spend,
               MbrBurn *burn)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, member_id);
    mbr_arg_int8(&args, hold_no);
    if (mbr_plan_run(session, MBR_PLAN_HOLD_FACTS, &args) == 0)
        elog(ERROR, "a hold has no authorization");
    *spend = (MbrSpend){.purpose = mbr_col_text(0, 1),
                        .merchant_id = mbr_col_int4(0, 2, 0),
                        .order_ref = mbr_col_text(0, 3),
                        .channel = mbr_col_text(0, 4),
                        .frozen_rule = mbr_col_text(0, 5)};
    *burn = (MbrBurn){.step = mbr_col_int8(0, 6, 1), .value = mbr_col_money(0, 7, config->digits)};
}

static MbrArgs
order_args(int64 member_id, int merchant_id, const char *order_ref)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, member_id);
    mbr_arg_int4(&args, merchant_id);
    mbr_arg_text(&args, order_ref);
    return args;
}

MbrOrderSpend *
mbr_order_spends(MbrSession *session, const MbrConfig *config, int64 member_id, int merchant_id,
                 const char *order_ref, int *n)
{
    MbrArgs args = order_args(member_id, merchant_id, order_ref);
    MbrOrderSpend *spends;

    *n = (int)mbr_plan_run(session, MBR_PLAN_FIND_ORDER_SPENDS, &args);
    spends = palloc(sizeof(MbrOrderSpend) * Max(*n, 1));
    for (int i = 0; i < *n; i++)
        spends[i] = (MbrOrderSpend){.journal_no = mbr_col_int8(i, 1, 0),
                                    .points = -mbr_col_int8(i, 2, 0),
                                    .value = mbr_col_money(i, 3, config->digits),
                                    .purpose = mbr_col_text(i, 4),
                                    .of_member = mbr_col_int8(i, 5, 0),
                                    .of_journal_no = mbr_col_int8(i, 6, 0)};
    return spends;
}

void
mbr_order_spend_add(MbrSession *session, int64 member_id, int merchant_id, const char *order_ref,
                    int64 journal_no)
{
    MbrArgs args = order_args(member_id, merchant_id, order_ref);

    mbr_arg_int8(&args, journal_no);
    (void)mbr_plan_run(session, MBR_PLAN_INSERT_ORDER_SPEND, &args);
}

void
mbr_order_spend_remove(MbrSession *session, int64 member_id, int merchant_id, const char *order_ref,
                       int64 journal_no)
{
    MbrArgs args = order_args(member_id, merchant_id, order_ref);

    mbr_arg_int8(&args, journal_no);
    (void)mbr_plan_run(session, MBR_PLAN_DELETE_ORDER_SPEND, &args);
}

MbrGiveBack
mbr_give_back_read(uint64 row, int64 merged_id)
{
    return (MbrGiveBack){.points = mbr_col_int8(row, 1, 0),
                         .origin = {.lot_no = mbr_col_int8(row, 2, 0),
                                    .journal_no = mbr_col_int8(row, 3, 0),
                                    .granted = mbr_col_int8(row, 4, 0),
                                    .active_at = mbr_col_int8(row, 5, 0),
                                    .expires_at = mbr_col_int8(row, 6, MBR_NEVER),
                                    .origin = mbr_verb_of(mbr_col_text(row, 7)),
                                    .merged_id = merged_id}};
}

MbrGiveBack *
mbr_taken_by(MbrSession *session, int64 member_id, int64 of_member, int64 journal_no, int *n)
{
    MbrArgs args = MBR_NO_ARGS;
    MbrGiveBack *parts;

    mbr_arg_int8(&args, of_member);
    mbr_arg_int8(&args, journal_no);
    *n = (int)mbr_plan_run(session, MBR_PLAN_TAKEN_BY, &args);
    parts = palloc(sizeof(MbrGiveBack) * Max(*n, 1));
    for (int i = 0; i < *n; i++)
        parts[i] = mbr_give_back_read(i, of_member == member_id ? 0 : of_member);
    return parts;
}

MbrSplit *
mbr_splits_of(MbrSession *session, const MbrConfig *config, int64 member_id, int64 journal_no, int *n)
{
    MbrArgs args = MBR_NO_ARGS;
    MbrSplit *splits;

    mbr_arg_int8(&args, member_id);
    mbr_arg_int8(&args, journal_no);
    *n = (int)mbr_plan_run(session, MBR_PLAN_LOAD_SPLITS, &args);
    splits = palloc(sizeof(MbrSplit) * Max(*n, 1));
    for (int i = 0; i < *n; i++)
        splits[i] = (MbrSplit){.merchant_id = mbr_col_int4(i, 1, 0),
                               .kind = mbr_split_kind_of(mbr_col_text(i, 2)),
                               .payer_party = mbr_col_int4(i, 3, 0),
                               .payee_party = mbr_col_int4(i, 4, 0),
                               .amount = mbr_col_money(i, 5, config->digits),
                               .points = mbr_col_int8(i, 6, 0)};
    return splits;
}

int64
mbr_redeemed_on(MbrSession *session, int64 member_id, DateADT day)
{
    MbrTable *table = mbr_table_open(session, MBR_TABLE_ACTIVITY_DAY, false);
    Datum key[] = {Int64GetDatum(member_id), DateADTGetDatum(day)};

    return mbr_table_find(table, key) ? mbr_table_get_int8(table, MBR_ACTIVITY_REDEEMED, 0) : 0;
}

int64
mbr_sent_on(MbrSession *session, int64 member_id, DateADT day)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_datum(&args, mbr_alias_numbers(session, member_id), false);
    mbr_arg_date(&args, day);
    (void)mbr_plan_run(session, MBR_PLAN_SENT_ON, &args);
    return mbr_col_int8(0, 1, 0);
}
