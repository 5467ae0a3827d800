/*
 * batch.c - accrue_batch, and the batch that accrue_from and accrue_trigger share.
 *
 * The members of a batch are locked in the order of their numbers and read once; the rows are decided in the
 * order given, in memory, each seeing those before it; everything is then written in one subtransaction. If
 * that fails on data or a constraint, the rows are posted one by one, each in its own subtransaction.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

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
    const MbrBatchInput *input;
    MbrBatchRow *rows;
} Reading;

/* A row is read as the argument list of a call, by the code that reads those. */
static void
read_row(void *argument, int number)
{
    const MbrBatchInput *input = ((Reading *)argument)->input;
    MbrBatchRow *row = &((Reading *)argument)->rows[number];
    const Datum *columns = input->columns + (Size)number * input->width;
    const bool *isnull = input->nulls + (Size)number * input->width;
    LOCAL_FCINFO(arguments, MBR_PURCHASE_ARGS);
    Datum values[MBR_PURCHASE_ARGS];
    bool nulls[MBR_PURCHASE_ARGS];

    if (input->map != NULL) {
        mbr_convert_row(input->map, input->config, columns, isnull, values, nulls);
    } else {
        memcpy(values, columns, sizeof(values));
        memcpy(nulls, isnull, sizeof(nulls));
    }
    InitFunctionCallInfoData(*arguments, NULL, MBR_PURCHASE_ARGS, InvalidOid, NULL, NULL);
    for (int i = 0; i < MBR_PURCHASE_ARGS; i++) {
        arguments->args[i].value = values[i];
        arguments->args[i].isnull = nulls[i];
    }
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

MbrBatchInput
mbr_batch_input(int n, int width, const MbrColumnMap *map, const MbrConfig *config)
{
    Size cells = (Size)Max(n, 1) * width;

    return (MbrBatchInput){map, config, width, palloc(sizeof(Datum) * cells), palloc(sizeof(bool) * cells)};
}

MbrBatchRow *
mbr_batch_read(const MbrBatchInput *input, int n)
{
    Reading reading = {input, palloc0(sizeof(MbrBatchRow) * Max(n, 1))};

    mbr_contain_each(NULL, MBR_CONTAIN_NO_TABLES, n, read_row, fail_reading, &reading);
    return reading.rows;
}

/* ------------------------------------------------------------------ lock and load */

static int
compare_ids(const void *a, const void *b)
{
    int64 left = *(const int64 *)a;
    int64 right = *(const int64 *)b;

    return left < right ? -1 : left > right;
}

static int
compare_with_work(const void *id, const void *work)
{
    return compare_ids(id, &((const MbrWork *)work)->member.member_id);
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

/* The members of the good rows, as they are called now. */
static int
member_ids(Batch *batch, int64 *ids)
{
    int n = 0;

    for (int i = 0; i < batch->n; i++)
        if (batch->rows[i].error == NULL)
            ids[n++] = batch->rows[i].args.member_id;
    return n;
}

static void
rename_members(Batch *batch, const int64 *ids)
{
    int n = 0;

    for (int i = 0; i < batch->n; i++)
        if (batch->rows[i].error == NULL)
            batch->rows[i].args.member_id = ids[n++];
}

/* Locks each once; false = one was merged meanwhile, and its rows were renamed. */
static bool
lock_distinct(Batch *batch, int64 *ids, int n)
{
    batch->nworks = 0;
    qsort(ids, n, sizeof(int64), compare_ids);
    for (int i = 0; i < n; i++) {
        MbrWork *work = &batch->works[batch->nworks];

        if ((i > 0 && ids[i] == ids[i - 1]) || !mbr_load_account(batch->session, ids[i], work))
            continue;
        batch->nworks++;
        if (work->member.member_id == ids[i])
            continue;
        for (int r = 0; r < batch->n; r++)
            if (batch->rows[r].args.member_id == ids[i])
                batch->rows[r].args.member_id = work->member.member_id;
        return false;
    }
    return true;
}

/* The distinct members of the good rows, each locked; those that do not exist drop out. */
static void
lock_members(Batch *batch)
{
    int64 *ids = palloc(sizeof(int64) * Max(batch->n, 1));
    int n = member_ids(batch, ids);

    mbr_alias_resolve(batch->session, ids, n);
    rename_members(batch, ids);
    batch->works = palloc(sizeof(MbrWork) * Max(n, 1));
    while (!lock_distinct(batch, ids, n))
        (void)member_ids(batch, ids);
    pfree(ids);
}

static void
load_members(Batch *batch)
{
    int64 earliest = earliest_moment(batch);

    batch->config = mbr_load_config(batch->session);
    for (int i = 0; i < batch->nworks; i++)
        mbr_load_member(batch->session, batch->config, &batch->works[i]);
    for (int i = 0; i < batch->nworks; i++)
        mbr_load_days(batch->session, batch->config, earliest, &batch->works[i]);
    for (int i = 0; i < batch->n; i++)
        batch->rows[i].work = bsearch(&batch->rows[i].args.member_id, batch->works, batch->nworks,
                                      sizeof(MbrWork), compare_with_work);
}

static Datum
array_of(Datum *values, int n, Oid type)
{
    int16 length = type == INT4OID ? 4 : type == INT8OID ? 8 : -1;
    char align = type == INT8OID ? TYPALIGN_DOUBLE : TYPALIGN_INT;

    return PointerGetDatum(construct_array(values, n, type, length, type != TEXTOID, align));
}

/* Which receipts there were before the batch, in one statement. */
static void
find_receipts(Batch *batch)
{
    Datum *merchants = palloc(sizeof(Datum) * Max(batch->n, 1));
    Datum *refs = palloc(sizeof(Datum) * Max(batch->n, 1));
    MbrBatchRow **asked = palloc(sizeof(MbrBatchRow *) * Max(batch->n, 1));
    MbrArgs args = MBR_NO_ARGS;
    int n = 0;
    uint64 found;

    for (int i = 0; i < batch->n; i++) {
        MbrBatchRow *row = &batch->rows[i];

        if (row->error != NULL)
            continue;
        merchants[n] = Int32GetDatum(row->args.merchant_id);
        refs[n] = CStringGetTextDatum(row->args.order_ref);
        asked[n++] = row;
    }
    mbr_arg_datum(&args, array_of(merchants, n, INT4OID), false);
    mbr_arg_datum(&args, array_of(refs, n, TEXTOID), false);
    found = mbr_plan_run(batch->session, MBR_PLAN_FIND_RECEIPTS, &args);
    for (uint64 i = 0; i < found; i++) {
        MbrBatchRow *row = asked[mbr_col_int8(i, 1, 1) - 1];

        row->taken = true;
        row->receipt = (MbrReceipt){.member_id = mbr_col_int8(i, 2, 0),
                                    .journal_no = mbr_col_int8(i, 3, 0),
                                    .payload_hash = mbr_col_int8(i, 4, 0),
                                    .merchant_id = row->args.merchant_id};
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
    memset(nulls, true, sizeof(bool) * MBR_BATCH_COLUMNS);
    values[0] = Int64GetDatum(row_no);
    nulls[0] = false;
    if (row->error == NULL) {
        mbr_accrual_columns(config, &row->result, values + 1, nulls + 1);
        return;
    }
    values[MBR_ACCRUAL_COLUMNS + 1] = CStringGetTextDatum(unpack_sql_state(row->error->sqlerrcode));
    values[MBR_ACCRUAL_COLUMNS + 2] = CStringGetTextDatum(row->error->message);
    nulls[MBR_ACCRUAL_COLUMNS + 1] = nulls[MBR_ACCRUAL_COLUMNS + 2] = false;
}

/* ------------------------------------------------------------------ accrue_batch */

static MbrBatchRow *
read_elements(const Datum *elements, const bool *nulls, int n)
{
    MbrBatchInput input = mbr_batch_input(n, MBR_PURCHASE_ARGS, NULL, NULL);

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
