/* accrue_from.c - CALL accrue_from(query): a chunk of purchases is a batch. */
#include "postgres.h"

#include "fmgr.h"

#include "api/batch.h"
#include "api/bulk.h"

PG_FUNCTION_INFO_V1(membership_accrue_from);

static void
post_purchases(MbrSession *session, const MbrRowsIn *input, int n, MbrBulkChunk *chunk)
{
    MbrBatchRow *rows = mbr_batch_read(input, n);

    *chunk = (MbrBulkChunk){mbr_batch_run(session, rows, n), rows};
}

static MbrBulkOutcome
outcome_of(const MbrBulkChunk *chunk, int row)
{
    const MbrBatchRow *purchase = (const MbrBatchRow *)chunk->rows + row;

    if (purchase->error != NULL)
        return MBR_BULK_FAILED;
    return purchase->result.duplicate ? MBR_BULK_DUPLICATE : MBR_BULK_POSTED;
}

static void
columns_of(const MbrBulkChunk *chunk, int row, int64 row_no, Datum *values, bool *nulls)
{
    mbr_batch_columns(chunk->config, row_no, (const MbrBatchRow *)chunk->rows + row, values, nulls);
}

static const MbrBulk purchases = {
    .procedure = "accrue_from",
    .rows = "purchases",
    .result_type = "batch_result",
    .arguments = &mbr_accrue_arguments,
    .post = post_purchases,
    .outcome = outcome_of,
    .columns = columns_of,
};

Datum
membership_accrue_from(PG_FUNCTION_ARGS)
{
    return mbr_bulk(fcinfo, &purchases);
}
