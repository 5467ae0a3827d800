/* result.h - result rows out, and refusals raised. */
#ifndef MBR_API_RESULT_H
#define MBR_API_RESULT_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "fmgr.h"

#include "engine/work.h"
#include "store/config.h"
#include "store/journal.h"

/* A row of the function's composite result type. */
extern Datum mbr_result_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls);
/* The row of a composite type of the extension's. */
extern TupleDesc mbr_row_type(const char *name);

#define MBR_ACCRUAL_COLUMNS 14

/* A purchase's result. */
typedef struct MbrAccrual {
    MbrPurchase purchase;
    int64 journal_no; /* 0 = none: a preview */
    int64 balance;
    bool duplicate;
} MbrAccrual;

/* The columns of type accrual, in order. */
extern void
mbr_accrual_columns(const MbrConfig *config, const MbrAccrual *accrual, Datum *values, bool *nulls);
extern Datum mbr_accrual_row(FunctionCallInfo fcinfo, const MbrConfig *config, const MbrAccrual *accrual);
extern Datum
mbr_posting_row(FunctionCallInfo fcinfo, int64 journal_no, int64 points, int64 balance, bool duplicate);

/*
 * Takes a verb's ref for the event of that number; false = it was taken before, and *first is that event.
 * MB201 for another payload.
 */
extern bool mbr_take_ref(MbrSession *session, const MbrConfig *config, const MbrMember *member, MbrVerb verb,
                         const char *ref, int64 hash, int64 journal_no, MbrEvent *first);
/* The result of that first event. */
extern Datum mbr_first_posting(FunctionCallInfo fcinfo, const MbrEvent *first);

/* Raises what the engine refused; returns when it did not. */
extern void mbr_raise_refusal(const MbrWork *work);
/* MB201: the key was used before with other content. */
extern void mbr_raise_other_content(const char *what, const char *ref);

#endif
