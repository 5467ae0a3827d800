/* refund.c - reads and writes what refunds leave; seldom, so by SQL. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"

#include "store/alias.h"
#include "store/hold.h"
#include "store/plan.h"
#include "store/refund.h"
#include "util/money.h"

/* ------------------------------------------------------------------ keys */

static MbrArgs
key_args(const MbrRefundKey *key)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int4(&args, key->merchant_id);
    mbr_arg_text(&args, key->order_ref);
    mbr_arg_text(&args, key->refund_ref);
    return args;
}

bool
mbr_refund_claim_find(MbrSession *session, const MbrRefundKey *key, MbrRefundClaim *claim)
{
    MbrArgs args = key_args(key);

    if (mbr_plan_run(session, MBR_PLAN_FIND_REFUND_CLAIM, &args) == 0)
        return false;
    *claim = (MbrRefundClaim){.payload_hash = mbr_col_int8(0, 1, 0),
                              .member_id = mbr_col_int8(0, 2, 0),
                              .journal_no = mbr_col_int8(0, 3, 0),
                              .parked = mbr_col_null(0, 3) && mbr_col_null(0, 4),
                              .closed = mbr_col_bool(0, 5)};
    return true;
}

void
mbr_refund_claim_add(MbrSession *session, const MbrRefundKey *key, int64 payload_hash, int64 member_id,
                     int64 journal_no)
{
    MbrArgs args = key_args(key);

    mbr_arg_int8(&args, payload_hash);
    mbr_arg_int8(&args, member_id);
    mbr_arg_int8(&args, journal_no);
    (void)mbr_plan_run(session, MBR_PLAN_ADD_REFUND_CLAIM, &args);
}

/* ------------------------------------------------------------------ parked ones */

/*
 * The place is taken like a receipt, so that whoever comes second, sale or refund, waits for the first. One
 * that was there is written anew, so that a sale of an older snapshot cannot take it without this refund.
 */
MbrParkResult
mbr_refund_park(MbrSession *session, const MbrRefundKey *key, int64 payload_hash, const MbrParked *parked)
{
    MbrArgs args = key_args(key);

    args.n = 2;
    if (mbr_plan_run(session, MBR_PLAN_PLACE_RECEIPT, &args) == 0 &&
        mbr_plan_run(session, MBR_PLAN_KEEP_PLACE, &args) == 0)
        return MBR_PARK_SOLD;
    args = key_args(key);
    mbr_arg_int8(&args, payload_hash);
    mbr_arg_int8(&args, parked->member_id);
    mbr_arg_datum(&args, parked->amount, parked->amount == 0);
    mbr_arg_jsonb(&args, parked->lines);
    mbr_arg_time(&args, parked->at);
    return mbr_plan_run(session, MBR_PLAN_PARK_REFUND, &args) == 1 ? MBR_PARK_DONE : MBR_PARK_KNOWN;
}

MbrParked *
mbr_refunds_parked(MbrSession *session, int merchant_id, const char *order_ref, int *n)
{
    MbrArgs args = MBR_NO_ARGS;
    MbrParked *parked;

    mbr_arg_int4(&args, merchant_id);
    mbr_arg_text(&args, order_ref);
    *n = (int)mbr_plan_run(session, MBR_PLAN_PARKED_REFUNDS, &args);
    parked = palloc(sizeof(MbrParked) * Max(*n, 1));
    for (int i = 0; i < *n; i++)
        parked[i] = (MbrParked){.refund_ref = mbr_col_text(i, 1),
                                .member_id = mbr_col_int8(i, 2, 0),
                                .amount = mbr_col_null(i, 3) ? 0 : mbr_col_copy(i, 3),
                                .lines = mbr_col_jsonb(i, 4),
                                .at = mbr_col_int8(i, 5, MBR_NEVER)};
    return parked;
}

void
mbr_refund_unpark(MbrSession *session, const MbrConfig *config, const MbrRefundKey *key, int64 member_id,
                  int64 journal_no, int64 excess, bool clipped)
{
    MbrArgs args = key_args(key);

    mbr_arg_int8(&args, member_id);
    if (journal_no == 0)
        mbr_arg_null(&args);
    else
        mbr_arg_int8(&args, journal_no);
    mbr_arg_money(&args, excess, config->digits);
    mbr_arg_bool(&args, clipped);
    (void)mbr_plan_run(session, MBR_PLAN_END_PARKED, &args);
}

/* A sale under way has the place, and its refunds with it. */
const char *
mbr_refund_close(MbrSession *session, const MbrRefundKey *key, const char *reason)
{
    MbrArgs args = key_args(key);

    args.n = 2;
    (void)mbr_plan_run(session, MBR_PLAN_KEEP_PLACE, &args);
    args = key_args(key);
    mbr_arg_text(&args, reason);
    if (mbr_plan_run(session, MBR_PLAN_CLOSE_REFUND, &args) == 1)
        return mbr_col_text(0, 1);
    args = key_args(key);
    return mbr_plan_run(session, MBR_PLAN_FIND_CLOSED_REFUND, &args) == 0 ? NULL : mbr_col_text(0, 1);
}

/* ------------------------------------------------------------------ what a refund asks of its sale */

static MbrArgs
event_args(int64 member_id, int64 journal_no)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, member_id);
    mbr_arg_int8(&args, journal_no);
    return args;
}

MbrRefunded
mbr_refunded_sum(MbrSession *session, const MbrConfig *config, const MbrSale *sale)
{
    MbrArgs args = event_args(sale->member_id, sale->event.journal_no);

    (void)mbr_plan_run(session, MBR_PLAN_SUM_REFUNDS, &args);
    return (MbrRefunded){.count = mbr_col_int8(0, 1, 0),
                         .amount = mbr_col_money(0, 2, config->digits),
                         .points_expired = mbr_col_int8(0, 3, 0)};
}

MbrGiveBack *
mbr_spent_on(MbrSession *session, int64 member_id, const MbrSale *sale, int *n)
{
    MbrArgs args = event_args(sale->member_id, sale->event.journal_no);
    MbrGiveBack *parts;

    *n = (int)mbr_plan_run(session, MBR_PLAN_SPENT_PARTS, &args);
    parts = palloc(sizeof(MbrGiveBack) * Max(*n, 1));
    for (int i = 0; i < *n; i++) {
        int64 of_member = mbr_col_int8(i, 9, 0);

        parts[i] = mbr_give_back_read(i, of_member == member_id ? 0 : of_member);
        parts[i].day = mbr_col_int4(i, 8, 0);
    }
    return parts;
}

/* ------------------------------------------------------------------ the lots of an award */

/* A lot of one of the member's numbers. */
typedef struct LotKey {
    int64 member_id;
    int64 lot_no;
} LotKey;

static void
add_lot(HTAB *own, LotKey lot)
{
    (void)hash_search(own, &lot, HASH_ENTER, NULL);
}

/* Adds the lots that the award opened; returns the first one's number, 0 = none. */
static int64
add_award_lots(MbrSession *session, const MbrSale *sale, HTAB *own)
{
    MbrArgs args = event_args(sale->member_id, sale->event.journal_no);
    uint64 n;

    mbr_arg_int8(&args, sale->approval_no);
    n = mbr_plan_run(session, MBR_PLAN_AWARD_LOTS, &args);
    for (uint64 i = 0; i < n; i++)
        add_lot(own, (LotKey){sale->member_id, mbr_col_int8(i, 1, 0)});
    return n == 0 ? 0 : mbr_col_int8(0, 1, 0);
}

/*
 * Adds the lots that continue such. At one member a continuation has a higher number than what it continues,
 * so one pass finds them all; across merged ones there are passes until one finds none.
 */
static void
add_continuations(MbrSession *session, Datum numbers, bool several, int64 first, HTAB *own)
{
    MbrArgs args = MBR_NO_ARGS;
    long known;
    uint64 n;

    mbr_arg_datum(&args, numbers, false);
    mbr_arg_int8(&args, several ? 0 : first);
    mbr_arg_bool(&args, several);
    n = mbr_plan_run(session, MBR_PLAN_MOVED_LOTS, &args);
    do {
        known = hash_get_num_entries(own);
        for (uint64 i = 0; i < n; i++) {
            LotKey from = {mbr_col_int8(i, 3, 0), mbr_col_int8(i, 4, 0)};

            CHECK_FOR_INTERRUPTS();
            if (hash_search(own, &from, HASH_FIND, NULL) != NULL)
                add_lot(own, (LotKey){mbr_col_int8(i, 1, 0), mbr_col_int8(i, 2, 0)});
        }
    } while (several && hash_get_num_entries(own) > known);
}

static int64 *
lots_at(HTAB *own, int64 member_id, int *n)
{
    int64 *lots = palloc(sizeof(int64) * Max(hash_get_num_entries(own), 1));
    HASH_SEQ_STATUS scan;
    const LotKey *lot;

    *n = 0;
    hash_seq_init(&scan, own);
    while ((lot = hash_seq_search(&scan)) != NULL)
        if (lot->member_id == member_id)
            lots[(*n)++] = lot->lot_no;
    return lots;
}

static int64
expired_of(MbrSession *session, int64 member_id, const int64 *lots, int n)
{
    Datum *numbers = palloc(sizeof(Datum) * Max(n, 1));
    MbrArgs args = MBR_NO_ARGS;

    for (int i = 0; i < n; i++)
        numbers[i] = Int64GetDatum(lots[i]);
    mbr_arg_int8(&args, member_id);
    mbr_arg_datum(&args,
                  PointerGetDatum(construct_array(numbers, n, INT8OID, sizeof(int64), true, TYPALIGN_DOUBLE)),
                  false);
    (void)mbr_plan_run(session, MBR_PLAN_EXPIRED_OF_LOTS, &args);
    return mbr_col_int8(0, 1, 0);
}

int64 *
mbr_own_lots(MbrSession *session, int64 member_id, const MbrSale *sale, int *n, int64 *expired)
{
    HASHCTL layout = {.keysize = sizeof(LotKey), .entrysize = sizeof(LotKey), .hcxt = CurrentMemoryContext};
    HTAB *own = hash_create("lots of an award", 64, &layout, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    Datum numbers = mbr_alias_numbers(session, member_id), *each;
    int64 first = add_award_lots(session, sale, own);
    int nnumbers;

    *n = 0;
    *expired = 0;
    if (first == 0)
        return NULL;
    deconstruct_array(DatumGetArrayTypeP(numbers), INT8OID, sizeof(int64), true, TYPALIGN_DOUBLE, &each, NULL,
                      &nnumbers);
    add_continuations(session, numbers, nnumbers > 1, first, own);
    for (int i = 0; i < nnumbers; i++) {
        int64 *lots = lots_at(own, DatumGetInt64(each[i]), n);

        *expired += expired_of(session, DatumGetInt64(each[i]), lots, *n);
    }
    return lots_at(own, member_id, n);
}

/* ------------------------------------------------------------------ what it did */

static char *
lines_json(const MbrRefund *refund, int digits)
{
    StringInfoData json;

    initStringInfo(&json);
    for (int i = 0; i < refund->sale->nlines; i++) {
        const MbrReturned *line = &refund->after[i];

        appendStringInfo(
            &json,
            "%c{\"line_no\":%d,\"amount\":%s,\"quantity\":%s,\"closed\":%s,\"value\":%s,"
            "\"restored\":" INT64_FORMAT ",\"clawed\":" INT64_FORMAT ",\"withheld\":" INT64_FORMAT
            ",\"growth\":" INT64_FORMAT ",\"growth_withheld\":" INT64_FORMAT "}",
            i == 0 ? '[' : ',', refund->sale->lines[i].line_no, mbr_money_text(line->amount, digits),
            mbr_rate_text(line->quantity, MBR_RATE_DIGITS), line->closed ? "true" : "false",
            mbr_money_text(line->value, digits), line->restored, line->award.points, line->award.withheld,
            line->growth.points, line->growth.withheld);
    }
    appendStringInfoChar(&json, ']');
    return json.data;
}

void
mbr_refund_store(MbrSession *session, const MbrConfig *config, int64 member_id, int64 posted_id,
                 int64 journal_no, const char *refund_ref, const MbrRefund *refund)
{
    MbrArgs args = event_args(member_id, refund->sale_no);

    mbr_arg_int8(&args, posted_id);
    mbr_arg_int8(&args, journal_no);
    mbr_arg_text(&args, refund_ref);
    mbr_arg_money(&args, refund->goods.amount, config->digits);
    mbr_arg_money(&args, refund->cash_amount, config->digits);
    mbr_arg_int8(&args, refund->points_clawed);
    mbr_arg_int8(&args, refund->points_restored);
    mbr_arg_int8(&args, refund->points_forfeited);
    mbr_arg_int8(&args, refund->points_expired);
    mbr_arg_int8(&args, refund->loss);
    mbr_arg_int8(&args, refund->debt);
    mbr_arg_money(&args, refund->cash_shortfall, config->digits);
    mbr_arg_bool(&args, refund->complete);
    mbr_arg_json_text(&args, lines_json(refund, config->digits));
    (void)mbr_plan_run(session, MBR_PLAN_INSERT_REFUND, &args);
}

void
mbr_refund_read(MbrSession *session, const MbrConfig *config, int64 member_id, int64 journal_no,
                MbrRefund *refund, int64 *balance)
{
    MbrArgs args = event_args(member_id, journal_no);

    if (mbr_plan_run(session, MBR_PLAN_LOAD_REFUND, &args) == 0)
        elog(ERROR, "a refund's key has no refund");
    *refund = (MbrRefund){.goods = {.amount = mbr_col_money(0, 1, config->digits)},
                          .cash_amount = mbr_col_money(0, 2, config->digits),
                          .points_clawed = mbr_col_int8(0, 3, 0),
                          .points_restored = mbr_col_int8(0, 4, 0),
                          .points_forfeited = mbr_col_int8(0, 5, 0),
                          .loss = mbr_col_int8(0, 6, 0),
                          .debt = mbr_col_int8(0, 7, 0),
                          .cash_shortfall = mbr_col_money(0, 8, config->digits),
                          .points_expired = mbr_col_int8(0, 9, 0)};
    *balance = mbr_col_int8(0, 10, 0);
}

void
mbr_receipt_move(MbrSession *session, int merchant_id, const char *order_ref, int64 member_id,
                 int64 journal_no)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int4(&args, merchant_id);
    mbr_arg_text(&args, order_ref);
    mbr_arg_int8(&args, member_id);
    mbr_arg_int8(&args, journal_no);
    (void)mbr_plan_run(session, MBR_PLAN_MOVE_RECEIPT, &args);
}

/* ------------------------------------------------------------------ exchanges */

int64
mbr_exchanged(MbrSession *session, const MbrConfig *config, int64 member_id, int64 purchase_no)
{
    MbrArgs args = event_args(member_id, purchase_no);

    (void)mbr_plan_run(session, MBR_PLAN_SUM_EXCHANGES, &args);
    return mbr_col_money(0, 1, config->digits);
}

void
mbr_exchange_store(MbrSession *session, const MbrConfig *config, int64 member_id, int64 purchase_no,
                   int64 journal_no, int64 amount)
{
    MbrArgs args = event_args(member_id, purchase_no);

    mbr_arg_int8(&args, journal_no);
    mbr_arg_money(&args, amount, config->digits);
    (void)mbr_plan_run(session, MBR_PLAN_INSERT_EXCHANGE, &args);
}
