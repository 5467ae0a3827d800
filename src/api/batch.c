/*
 * batch.c - accrue_batch, and the batch that accrue_from and accrue_trigger share.
 *
 * The members of a batch are locked in the order of their numbers and read once; the rows are decided in the
 * order given, in memory, each seeing those before it; everything is then written in one subtransaction. If
 * that fails on data or a constraint, the rows are posted one by one, each in its own subtransaction.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/tuplestore.h"

#include "api/accrue.h"
#include "api/args.h"
#include "api/batch.h"
#include "api/contain.h"
#include "engine/ledger.h"
#include "store/alias.h"
#include "store/apply.h"
#include "store/plan.h"
#include "store/table.h"
#include "util/error.h"
#include "util/money.h"

PG_FUNCTION_INFO_V1(membership_accrue_batch);

#define MAX_BATCH 10000

/* A batch with any is posted row by row. */
static const MbrTenders no_tenders;

/* A receipt, or one of its other names, taken by an earlier row of the batch. */
typedef struct Claim {
    char name[MBR_MAX_WORD + MBR_MAX_REF + 2]; /* hash key */
    MbrBatchRow *row;
} Claim;

typedef struct Batch {
    MbrSession *session;
    const MbrConfig *config;
    MbrBatchRow *rows;
    int n;
    MbrWork *works; /* by member_id */
    int nworks;
    HTAB *claims;
    MbrBatchRow *at;     /* the row being posted alone */
    MbrWork before;      /* its member's work until then; member_id 0 = not touched yet */
    MbrLot *lots_before; /* NULL = nothing was due of them, nor of the holds */
    MbrHold *holds_before;
} Batch;

typedef struct Reading {
    const MbrRowsIn *input;
    MbrBatchRow *rows;
} Reading;

static void
read_row(void *argument, int number)
{
    Reading *reading = argument;
    MbrBatchRow *row = &reading->rows[number];
    LOCAL_FCINFO(arguments, MBR_PURCHASE_ARGS);

    mbr_rows_call(reading->input, number, arguments);
    if (arguments->args[5].isnull) {
        arguments->args[5].value = CStringGetTextDatum("pos");
        arguments->args[5].isnull = false;
    }
    mbr_purchase_read(arguments, &row->args);
    row->hash = mbr_purchase_hash(&row->args);
}

static void
fail_reading(void *argument, int number, ErrorData *error)
{
    ((Reading *)argument)->rows[number].error = error;
}

MbrBatchRow *
mbr_batch_read(const MbrRowsIn *input, int n)
{
    Reading reading = {input, palloc0(sizeof(MbrBatchRow) * Max(n, 1))};

    mbr_contain_each(NULL, MBR_CONTAIN_NO_TABLES, n, read_row, fail_reading, &reading);
    return reading.rows;
}

/* ------------------------------------------------------------------ lock and load */

static int
compare_with_work(const void *id, const void *work)
{
    int64 left = *(const int64 *)id;
    int64 right = ((const MbrWork *)work)->member.member_id;

    return left < right ? -1 : left > right;
}

/* No posting of the batch will be before it: an earlier time of posting is only ever raised. */
static int64
earliest_moment(const Batch *batch)
{
    int64 earliest = GetCurrentTimestamp();

    for (int i = 0; i < batch->n; i++)
        if (batch->rows[i].error == NULL)
            earliest = Min(earliest, batch->rows[i].args.at);
    return earliest;
}

/* The distinct members of the good rows; those that do not exist drop out. */
static void
lock_members(Batch *batch)
{
    int64 *ids = palloc(sizeof(int64) * Max(batch->n, 1));
    int n = 0;

    for (int i = 0; i < batch->n; i++)
        if (batch->rows[i].error == NULL)
            ids[n++] = batch->rows[i].args.member_id;
    batch->works = palloc(sizeof(MbrWork) * Max(n, 1));
    batch->nworks = mbr_lock_members(batch->session, ids, n, batch->works);
    pfree(ids);
}

/* The rows of merged members are their survivors'. */
static void
rename_members(Batch *batch)
{
    int64 *ids = palloc(sizeof(int64) * Max(batch->n, 1));

    for (int i = 0; i < batch->n; i++)
        ids[i] = batch->rows[i].args.member_id;
    mbr_alias_resolve(batch->session, ids, batch->n);
    for (int i = 0; i < batch->n; i++)
        batch->rows[i].args.member_id = ids[i];
    pfree(ids);
}

static void
load_members(Batch *batch)
{
    int64 earliest = earliest_moment(batch);

    batch->config = mbr_load_config(batch->session);
    rename_members(batch);
    for (int i = 0; i < batch->nworks; i++)
        mbr_load_member(batch->session, batch->config, &batch->works[i]);
    for (int i = 0; i < batch->nworks; i++)
        mbr_load_days(batch->session, batch->config, earliest, &batch->works[i]);
    for (int i = 0; i < batch->n; i++)
        batch->rows[i].work = bsearch(&batch->rows[i].args.member_id, batch->works, batch->nworks,
                                      sizeof(MbrWork), compare_with_work);
}

static void
find_receipts(Batch *batch)
{
    MbrReceiptClaim *asked = palloc(sizeof(MbrReceiptClaim) * Max(batch->n, 1));
    bool *found = palloc(sizeof(bool) * Max(batch->n, 1));
    MbrBatchRow **rows = palloc(sizeof(MbrBatchRow *) * Max(batch->n, 1));
    int n = 0;

    for (int i = 0; i < batch->n; i++) {
        MbrBatchRow *row = &batch->rows[i];

        if (row->error != NULL)
            continue;
        asked[n] = (MbrReceiptClaim){row->args.order_ref, {.merchant_id = row->args.merchant_id}};
        rows[n++] = row;
    }
    mbr_find_receipts(batch->session, asked, found, n);
    for (int i = 0; i < n; i++) {
        rows[i]->taken = found[i];
        rows[i]->receipt = asked[i].receipt;
    }
}

/* ------------------------------------------------------------------ decide */

/* Finds or makes the claim on a name; kinds of names cannot begin with a digit. */
static Claim *
claim_of(Batch *batch, const char *kind, const char *name, HASHACTION action, bool *found)
{
    Claim key;

    snprintf(key.name, sizeof(key.name), "%s\n%s", kind, name);
    return hash_search(batch->claims, key.name, action, found);
}

static Claim *
claim_of_receipt(Batch *batch, const MbrPurchaseArgs *args, HASHACTION action, bool *found)
{
    char merchant[16];

    snprintf(merchant, sizeof(merchant), "#%d", args->merchant_id);
    return claim_of(batch, merchant, args->order_ref, action, found);
}

/* The earlier row of the batch that has one of the row's external refs, or NULL. */
static MbrBatchRow *
earlier_by_ref(Batch *batch, const MbrBatchRow *row)
{
    for (int i = 0; i < row->args.nrefs; i++) {
        Claim *claim = claim_of(batch, row->args.refs[i].kind, row->args.refs[i].value, HASH_FIND, NULL);

        if (claim != NULL)
            return claim->row;
    }
    return NULL;
}

static void
repeat_earlier(const MbrBatchRow *earlier, MbrBatchRow *row, bool by_ref, int digits)
{
    if (earlier->args.member_id != row->args.member_id)
        mbr_accrue_raise_other_member(row->args.order_ref);
    if (!by_ref && earlier->hash != row->hash)
        mbr_raise_other_content("order_ref", row->args.order_ref);
    if (by_ref && (earlier->args.merchant_id != row->args.merchant_id ||
                   earlier->result.purchase.amount != mbr_money_parse(row->args.amount, digits, "amount")))
        mbr_raise_other_content("external_refs of order_ref", row->args.order_ref);
    row->result = earlier->result;
    row->result.duplicate = true;
}

/* Whether the row is a receipt known before it, in the order in which a single call looks. */
static bool
is_repeated(Batch *batch, MbrBatchRow *row)
{
    const MbrConfig *config = batch->config;
    Claim *own = claim_of_receipt(batch, &row->args, HASH_FIND, NULL);
    MbrBatchRow *earlier;
    MbrReceipt receipt;

    if (row->taken) {
        mbr_accrue_first_result(batch->session, config, &row->args, row->hash, &row->receipt, false,
                                &row->result);
        return true;
    }
    if (own != NULL) {
        repeat_earlier(own->row, row, false, config->digits);
        return true;
    }
    if (mbr_find_receipt_by_ref(batch->session, row->args.refs, row->args.nrefs, row->args.merchant_id,
                                row->args.order_ref, &receipt)) {
        mbr_accrue_first_result(batch->session, config, &row->args, row->hash, &receipt, true, &row->result);
        return true;
    }
    earlier = earlier_by_ref(batch, row);
    if (earlier != NULL)
        repeat_earlier(earlier, row, true, config->digits);
    return earlier != NULL;
}

static void
claim(Batch *batch, MbrBatchRow *row)
{
    bool found;

    claim_of_receipt(batch, &row->args, HASH_ENTER, &found)->row = row;
    for (int i = 0; i < row->args.nrefs; i++)
        claim_of(batch, row->args.refs[i].kind, row->args.refs[i].value, HASH_ENTER, &found)->row = row;
}

static void
remember_work(Batch *batch, MbrWork *work)
{
    Size lots = sizeof(MbrLot) * work->member.nlots;
    Size holds = sizeof(MbrHold) * work->member.nholds;

    batch->before = *work;
    if (!mbr_settle_due(work))
        return;
    batch->lots_before = memcpy(palloc(lots), work->member.lots, lots);
    batch->holds_before = memcpy(palloc(holds), work->member.holds, holds);
}

/* Takes back what a failed row had settled, as a single call's rollback does it. */
static void
take_back(const Batch *batch, MbrWork *work)
{
    *work = batch->before;
    if (batch->lots_before == NULL)
        return;
    memcpy(work->member.lots, batch->lots_before, sizeof(MbrLot) * work->member.nlots);
    memcpy(work->member.holds, batch->holds_before, sizeof(MbrHold) * work->member.nholds);
}

static void
end_row(Batch *batch, MbrBatchRow *row)
{
    if (row->error != NULL && batch->before.member.member_id != 0)
        take_back(batch, row->work);
    if (batch->lots_before != NULL) {
        pfree(batch->lots_before);
        pfree(batch->holds_before);
    }
    batch->lots_before = NULL;
    batch->before.member.member_id = 0;
}

static void
post_in_memory(Batch *batch, MbrBatchRow *row)
{
    MbrLoad load = mbr_accrue_load(&row->args);

    if (row->work == NULL)
        mbr_raise_no_member(row->args.member_id);
    load.config = batch->config;
    mbr_load_posting(batch->session, &load, row->work);
    if (is_repeated(batch, row))
        return;
    remember_work(batch, row->work);
    mbr_settle(row->work);
    row->result.journal_no = row->work->member.next_journal_no;
    mbr_accrue_decide(batch->session, &row->args, &load, row->work, &no_tenders, NULL, &row->result.purchase,
                      false);
    row->result.balance = row->result.purchase.balance;
    row->decided = true;
    claim(batch, row);
}

static void
decide_row(void *argument, int number)
{
    Batch *batch = argument;
    MbrBatchRow *row = &batch->rows[number];

    if (row->error != NULL)
        return;
    post_in_memory(batch, row);
    end_row(batch, row);
}

static void
fail_row(void *argument, int number, ErrorData *error)
{
    Batch *batch = argument;

    batch->rows[number].error = error;
    end_row(batch, &batch->rows[number]);
}

static void
decide_rows(Batch *batch)
{
    HASHCTL control = {.keysize = sizeof(((Claim *)NULL)->name),
                       .entrysize = sizeof(Claim),
                       .hcxt = batch->session->context};

    batch->claims = hash_create("receipts of the batch", Max(batch->n, 16), &control,
                                HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
    mbr_contain_each(batch->session, MBR_CONTAIN_READ, batch->n, decide_row, fail_row, batch);
}

/* ------------------------------------------------------------------ write */

static void
claim_receipts(Batch *batch)
{
    MbrReceiptClaim *claims = palloc(sizeof(MbrReceiptClaim) * Max(batch->n, 1));
    int n = 0;

    for (int i = 0; i < batch->n; i++) {
        const MbrBatchRow *row = &batch->rows[i];

        if (row->decided)
            claims[n++] = (MbrReceiptClaim){
                row->args.order_ref,
                {row->args.member_id, row->result.journal_no, row->hash, row->args.merchant_id}};
    }
    mbr_claim_receipts(batch->session, claims, n);
}

static void
write_rows(void *argument)
{
    Batch *batch = argument;
    MbrLoad load = {.config = batch->config};
    MbrWork **decided = palloc(sizeof(MbrWork *) * Max(batch->nworks, 1));
    int n = 0;

    claim_receipts(batch);
    for (int i = 0; i < batch->n; i++) {
        const MbrBatchRow *row = &batch->rows[i];

        if (!row->decided)
            continue;
        row->work->decided = true;
        if (!mbr_claim_receipt_refs(batch->session, row->args.refs, row->args.nrefs, row->args.merchant_id,
                                    row->args.order_ref))
            mbr_accrue_raise_other_member(row->args.order_ref);
        mbr_accrue_write_context(batch->session, &row->args, &row->result.purchase, row->result.journal_no);
    }
    for (int i = 0; i < batch->nworks; i++)
        if (batch->works[i].decided)
            decided[n++] = &batch->works[i];
    mbr_apply_all(batch->session, &load, decided, n);
}

static void
post_row(void *argument)
{
    Batch *batch = argument;

    mbr_accrue_one(batch->session, &batch->at->args, &batch->at->result, &batch->config);
}

/* Rows that failed when decided fail for themselves; the others are tried again, each alone. */
static void
post_one_by_one(Batch *batch)
{
    for (int i = 0; i < batch->n; i++) {
        CHECK_FOR_INTERRUPTS();
        batch->at = &batch->rows[i];
        if (batch->at->error != NULL)
            continue;
        batch->at->error = mbr_contain(batch->session, MBR_CONTAIN_WRITE, post_row, batch);
    }
}

/* Points that pay for a purchase are events of their own, as are refunds that waited for it: not decided in
 * memory, nor are exchanges. */
static bool
needs_single_calls(const Batch *batch)
{
    for (int i = 0; i < batch->n; i++) {
        const MbrBatchRow *row = &batch->rows[i];

        if (row->error == NULL && (row->args.ntenders > 0 || row->args.exchange_of != NULL ||
                                   (row->taken && row->receipt.member_id == 0) ||
                                   (row->work != NULL && row->work->member.order_spends > 0)))
            return true;
    }
    return false;
}

const MbrConfig *
mbr_batch_run(MbrSession *session, MbrBatchRow *rows, int n)
{
    Batch batch = {.session = session, .rows = rows, .n = n};

    mbr_tables_prepare(session);
    lock_members(&batch);
    load_members(&batch);
    find_receipts(&batch);
    if (needs_single_calls(&batch)) {
        mbr_tables_close(session);
        post_one_by_one(&batch);
        return batch.config;
    }
    mbr_tables_rest(session);
    decide_rows(&batch);
    mbr_tables_close(session);
    if (mbr_contain(session, MBR_CONTAIN_WRITE, write_rows, &batch) != NULL)
        post_one_by_one(&batch);
    return batch.config;
}

void
mbr_batch_columns(const MbrConfig *config, int64 row_no, const MbrBatchRow *row, Datum *values, bool *nulls)
{
    mbr_bulk_columns(row_no, row->error, MBR_ACCRUAL_COLUMNS, values, nulls);
    if (row->error == NULL)
        mbr_accrual_columns(config, &row->result, values + 1, nulls + 1);
}

/* ------------------------------------------------------------------ accrue_batch */

static MbrBatchRow *
read_elements(const Datum *elements, const bool *nulls, int n)
{
    MbrRowsIn input = mbr_rows_in(n, MBR_PURCHASE_ARGS, NULL, NULL);

    for (int i = 0; i < n; i++) {
        LOCAL_FCINFO(arguments, MBR_PURCHASE_ARGS);

        mbr_row_arguments(arguments, MBR_PURCHASE_ARGS, elements[i], nulls[i]);
        for (int c = 0; c < MBR_PURCHASE_ARGS; c++) {
            input.columns[i * MBR_PURCHASE_ARGS + c] = arguments->args[c].value;
            input.nulls[i * MBR_PURCHASE_ARGS + c] = arguments->args[c].isnull;
        }
    }
    return mbr_batch_read(&input, n);
}

Datum
membership_accrue_batch(PG_FUNCTION_ARGS)
{
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
    const MbrConfig *config;
    MbrBatchRow *rows;
    ArrayType *array;
    MbrSession session;
    Datum *elements;
    bool *nulls;
    int n;

    mbr_require(fcinfo, 0, "purchases");
    array = PG_GETARG_ARRAYTYPE_P(0);
    deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE, &elements, &nulls, &n);
    if (n > MAX_BATCH)
        ereport(ERROR,
                (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many purchases in one batch: %d", n),
                 errdetail("At most %d are allowed.", MAX_BATCH),
                 errhint("Split them, or use CALL accrue_from(query).")));
    InitMaterializedSRF(fcinfo, 0);
    rows = read_elements(elements, nulls, n);
    mbr_enter(&session, false);
    config = mbr_batch_run(&session, rows, n);
    mbr_leave(&session);
    for (int i = 0; i < n; i++) {
        Datum values[MBR_BATCH_COLUMNS];
        bool isnull[MBR_BATCH_COLUMNS];

        mbr_batch_columns(config, i + 1, &rows[i], values, isnull);
        tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
    }
    return (Datum)0;
}
