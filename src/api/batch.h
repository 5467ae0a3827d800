/* batch.h - many purchases at once, with the results of as many single calls. */
#ifndef MBR_API_BATCH_H
#define MBR_API_BATCH_H

#include "postgres.h"

#include "fmgr.h"

#include "api/purchase.h"
#include "api/result.h"
#include "store/session.h"

#define MBR_BATCH_COLUMNS (MBR_ACCRUAL_COLUMNS + 3) /* of type batch_result */

typedef struct MbrBatchRow {
    MbrPurchaseArgs args;
    int64 hash;
    MbrWork *work; /* its member's; NULL = no such member */
    bool taken;    /* the receipt was there before the batch */
    MbrReceipt receipt;
    bool decided; /* by this batch, and to be written */
    MbrAccrual result;
    char sqlstate[6]; /* empty = no error */
    const char *message;
} MbrBatchRow;

/* Makes a call's arguments of a row's columns; a channel left null takes its default. */
extern void mbr_batch_fill_arguments(FunctionCallInfo arguments, const Datum *values, const bool *nulls);
/* Reads a row's arguments as accrue_points would; an error becomes the row's. */
extern void mbr_batch_read(MbrBatchRow *row, FunctionCallInfo arguments);
/*
 * Posts the rows, in an entered session. Rows that fail have sqlstate and message, the others their result;
 * the configuration that judged them is returned. Memory is the session's context.
 */
extern const MbrConfig *mbr_batch_run(MbrSession *session, MbrBatchRow *rows, int n);
/* The columns of type batch_result. */
extern void
mbr_batch_columns(const MbrConfig *config, int64 row_no, const MbrBatchRow *row, Datum *values, bool *nulls);

#endif
