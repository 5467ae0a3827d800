/*
 * refund_from.c - CALL refund_from(query): the refunds of a chunk, each in a subtransaction of its own.
 *
 * A chunk is one transaction, so what it locks is locked in the order in which all lock: first the members of
 * the orders that are known, by number, then the places of the orders that are not, by name. Those have no
 * member yet, so it does not matter to anybody that they are parked after the others.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "api/bulk.h"
#include "api/contain.h"
#include "api/refund.h"
#include "store/load.h"
#include "store/table.h"

PG_FUNCTION_INFO_V1(membership_refund_from);

typedef struct Row {
    MbrRefundArgs args;
    MbrRefundResult result;
    ErrorData *error; /* why it failed; NULL = it did not */
} Row;

typedef struct Chunk {
    MbrSession *session;
    const MbrConfig *config;
    const MbrRowsIn *input;
    Row *rows;
    int n;
    Row *at; /* the row being posted */
} Chunk;

static void
read_row(void *argument, int number)
{
    Chunk *chunk = argument;
    LOCAL_FCINFO(arguments, MBR_REFUND_ARGS);

    mbr_rows_call(chunk->input, number, arguments);
    mbr_refund_args(arguments, &chunk->rows[number].args);
}

static void
fail_row(void *argument, int number, ErrorData *error)
{
    ((Chunk *)argument)->rows[number].error = error;
}

/* A row that can be tried, with its receipt as it was before the chunk. */
typedef struct Turn {
    Row *row;
    MbrReceiptClaim receipt;
    bool sold;
} Turn;

static int
compare_turns(const void *a, const void *b)
{
    const Turn *left = a;
    const Turn *right = b;
    int order = left->sold == right->sold ? 0 : left->sold ? -1 : 1;

    if (order == 0 && !left->sold)
        order = mbr_compare_claims(&left->receipt, &right->receipt);
    if (order == 0)
        order = left->row < right->row ? -1 : 1;
    return order;
}

static int
find_orders(Chunk *chunk, Turn *turns)
{
    MbrReceiptClaim *claims = palloc(sizeof(MbrReceiptClaim) * chunk->n);
    bool *found = palloc(sizeof(bool) * chunk->n);
    int n = 0;

    for (int i = 0; i < chunk->n; i++) {
        const MbrRefundKey *key = &chunk->rows[i].args.key;

        if (chunk->rows[i].error != NULL)
            continue;
        claims[n] = (MbrReceiptClaim){key->order_ref, {.merchant_id = key->merchant_id}};
        turns[n++].row = &chunk->rows[i];
    }
    mbr_find_receipts(chunk->session, claims, found, n);
    for (int i = 0; i < n; i++) {
        turns[i].receipt = claims[i];
        turns[i].sold = found[i] && claims[i].receipt.member_id != 0;
    }
    return n;
}

/* What is locked stays locked when a row fails. */
static void
lock_members(Chunk *chunk, const Turn *turns, int n)
{
    int64 *ids = palloc(sizeof(int64) * Max(n, 1));
    int nids = 0;

    for (int i = 0; i < n; i++)
        if (turns[i].sold)
            ids[nids++] = turns[i].receipt.receipt.member_id;
    (void)mbr_lock_members(chunk->session, ids, nids, palloc(sizeof(MbrWork) * Max(nids, 1)));
    mbr_tables_close(chunk->session);
}

static void
post_row(void *argument)
{
    Chunk *chunk = argument;

    mbr_refund_one(chunk->session, &chunk->at->args, &chunk->at->result, &chunk->config);
}

static ErrorData *
keep_error(const ErrorData *error)
{
    ErrorData *kept = palloc0(sizeof(ErrorData));

    kept->sqlerrcode = error->sqlerrcode;
    kept->message = pstrdup(error->message);
    return kept;
}

/* A sale and its member's lots are large: of a refund only the figures are kept. */
static void
post_alone(Chunk *chunk, Row *row, MemoryContext alone)
{
    MemoryContext saved = MemoryContextSwitchTo(alone);
    ErrorData *error;

    chunk->at = row;
    error = mbr_contain(chunk->session, MBR_CONTAIN_WRITE, post_row, chunk);
    MemoryContextSwitchTo(saved);
    if (error != NULL)
        row->error = keep_error(error);
    MemoryContextReset(alone);
}

static void
post_refunds(MbrSession *session, const MbrRowsIn *input, int n, MbrBulkChunk *posted)
{
    Chunk chunk = {session, input->config, input, palloc0(sizeof(Row) * n), n, NULL};
    Turn *turns = palloc(sizeof(Turn) * n);
    MemoryContext alone = AllocSetContextCreate(CurrentMemoryContext, "refund", ALLOCSET_DEFAULT_SIZES);
    int nturns;

    mbr_contain_each(NULL, MBR_CONTAIN_NO_TABLES, n, read_row, fail_row, &chunk);
    nturns = find_orders(&chunk, turns);
    lock_members(&chunk, turns, nturns);
    qsort(turns, nturns, sizeof(Turn), compare_turns);
    for (int i = 0; i < nturns; i++) {
        CHECK_FOR_INTERRUPTS();
        post_alone(&chunk, turns[i].row, alone);
    }
    *posted = (MbrBulkChunk){chunk.config, chunk.rows};
}

/* A refund that was parked before is a duplicate. */
static MbrBulkOutcome
outcome_of(const MbrBulkChunk *chunk, int row)
{
    const Row *refund = (const Row *)chunk->rows + row;

    if (refund->error != NULL)
        return MBR_BULK_FAILED;
    if (refund->result.duplicate)
        return MBR_BULK_DUPLICATE;
    return refund->result.journal_no == 0 ? MBR_BULK_PARKED : MBR_BULK_POSTED;
}

static void
columns_of(const MbrBulkChunk *chunk, int row, int64 row_no, Datum *values, bool *nulls)
{
    const Row *refund = (const Row *)chunk->rows + row;

    mbr_bulk_columns(row_no, refund->error, MBR_REFUND_COLUMNS, values, nulls);
    if (refund->error == NULL)
        mbr_refund_columns(chunk->config, &refund->result, values + 1, nulls + 1);
}

static const MbrBulk refunds = {
    .procedure = "refund_from",
    .rows = "refunds",
    .result_type = "refund_result",
    .arguments = &mbr_refund_arguments,
    .parks = true,
    .post = post_refunds,
    .outcome = outcome_of,
    .columns = columns_of,
};

Datum
membership_refund_from(PG_FUNCTION_ARGS)
{
    return mbr_bulk(fcinfo, &refunds);
}
