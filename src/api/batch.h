/* batch.h - many purchases at once, with the results of as many single calls. */
#ifndef MBR_API_BATCH_H
#define MBR_API_BATCH_H

#include "postgres.h"

#include "api/bulk.h"
#include "api/convert.h"
#include "api/purchase.h"
#include "api/result.h"
#include "store/session.h"

#define MBR_BATCH_COLUMNS (MBR_ACCRUAL_COLUMNS + MBR_BULK_MORE) /* of type batch_result */

typedef struct MbrBatchRow {
    MbrPurchaseArgs args;
    int64 hash;
    MbrWork *work; /* its member's; NULL = no such member */
    bool taken;    /* the receipt was there before the batch */
    MbrReceipt receipt;
    bool decided; /* by this batch, and to be written */
    MbrAccrual result;
    ErrorData *error; /* why it failed; NULL = it did not */
} MbrBatchRow;

/*
 * Reads each row's columns as the arguments of accrue_points; an error becomes the row's. A channel left null
 * takes its default.
 */
extern MbrBatchRow *mbr_batch_read(const MbrRowsIn *input, int n);
/*
 * Posts the rows, in an entered session. Rows that fail have their error, the others their result;
 * the configuration that judged them is returned. Memory is the session's context.
 */
extern const MbrConfig *mbr_batch_run(MbrSession *session, MbrBatchRow *rows, int n);
/* The columns of type batch_result. */
extern void
mbr_batch_columns(const MbrConfig *config, int64 row_no, const MbrBatchRow *row, Datum *values, bool *nulls);

#endif
