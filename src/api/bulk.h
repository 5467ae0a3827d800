/* bulk.h - what a procedure that posts the rows of a query is made of. */
#ifndef MBR_API_BULK_H
#define MBR_API_BULK_H

#include "postgres.h"

#include "api/convert.h"
#include "store/session.h"

typedef enum MbrBulkOutcome {
    MBR_BULK_POSTED,
    MBR_BULK_DUPLICATE,
    MBR_BULK_PARKED,
    MBR_BULK_FAILED,
} MbrBulkOutcome;
#define MBR_BULK_OUTCOMES 4

/* Rows that were posted, and the configuration that judged them. */
typedef struct MbrBulkChunk {
    const MbrConfig *config;
    void *rows;
} MbrBulkChunk;

typedef struct MbrBulk {
    const char *procedure;
    const char *rows;              /* what they are called */
    const char *result_type;       /* of the result table */
    const MbrArguments *arguments; /* of the call that each row stands for */
    bool parks;                    /* how many were parked is counted, too */
    /* Posts rows in an entered session; their errors are theirs. */
    void (*post)(MbrSession *session, const MbrRowsIn *input, int n, MbrBulkChunk *chunk);
    MbrBulkOutcome (*outcome)(const MbrBulkChunk *chunk, int row);
    /* Of the result type. */
    void (*columns)(const MbrBulkChunk *chunk, int row, int64 row_no, Datum *values, bool *nulls);
} MbrBulk;

/* The whole procedure (query, result_table, batch_size); its counts. */
extern Datum mbr_bulk(FunctionCallInfo fcinfo, const MbrBulk *bulk);

#define MBR_BULK_MORE 3 /* columns of a result type besides those of the result */
/* Those: row_no first, sqlstate and message of an error last; the result's are left null. */
extern void mbr_bulk_columns(int64 row_no, const ErrorData *error, int nresult, Datum *values, bool *nulls);

#endif
