/* read.c - statement, balance_at, verify: queries run as the owner, in the caller's snapshot. */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/tuplestore.h"

#include "api/args.h"
#include "store/plan.h"
#include "util/error.h"

PG_FUNCTION_INFO_V1(membership_statement);
PG_FUNCTION_INFO_V1(membership_balance_at);
PG_FUNCTION_INFO_V1(membership_verify);

#define MAX_STATEMENT_ROWS 10000

/* Returns a statement's rows as the function's set. */
static void
return_rows(FunctionCallInfo fcinfo, MbrPlan plan, MbrArgs *args)
{
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
    MbrSession session;
    uint64 n;

    InitMaterializedSRF(fcinfo, 0);
    mbr_enter(&session, true);
    n = mbr_plan_run(&session, plan, args);
    for (uint64 i = 0; i < n; i++) {
        Datum values[MaxTupleAttributeNumber];
        bool nulls[MaxTupleAttributeNumber];

        heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, values, nulls);
        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
    mbr_leave(&session);
}

Datum
membership_statement(PG_FUNCTION_ARGS)
{
    int64 before = PG_ARGISNULL(1) ? PG_INT64_MAX : PG_GETARG_INT64(1);
    int32 max_rows = mbr_get_int4(fcinfo, 2, "max_rows");
    MbrArgs args = MBR_NO_ARGS;

    if (max_rows < 1 || max_rows > MAX_STATEMENT_ROWS)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("max_rows must not be %d", max_rows),
                        errdetail("A page has 1 to %d rows.", MAX_STATEMENT_ROWS),
                        errhint("Read further pages with before_entry_no.")));
    if (before == PG_INT64_MIN)
        before++; /* one below it must exist */
    mbr_arg_int8(&args, mbr_get_int8(fcinfo, 0, "member_id"));
    mbr_arg_int8(&args, before);
    mbr_arg_int4(&args, max_rows);
    return_rows(fcinfo, MBR_PLAN_STATEMENT, &args);
    return (Datum)0;
}

Datum
membership_verify(PG_FUNCTION_ARGS)
{
    MbrArgs args = MBR_NO_ARGS;

    if (PG_ARGISNULL(0)) {
        return_rows(fcinfo, MBR_PLAN_VERIFY_ALL, &args);
    } else {
        mbr_arg_int8(&args, PG_GETARG_INT64(0));
        return_rows(fcinfo, MBR_PLAN_VERIFY_ONE, &args);
    }
    return (Datum)0;
}

Datum
membership_balance_at(PG_FUNCTION_ARGS)
{
    int64 member_id = mbr_get_int8(fcinfo, 0, "member_id");
    MbrArgs args = MBR_NO_ARGS;
    MbrSession session;
    int64 balance;

    mbr_require(fcinfo, 1, "at");
    mbr_require(fcinfo, 2, "known_at");
    mbr_arg_int8(&args, member_id);
    mbr_arg_datum(&args, TimestampTzGetDatum(mbr_get_time(fcinfo, 1, "at")), false);
    if (PG_GETARG_TIMESTAMPTZ(2) != DT_NOEND)
        (void)mbr_get_time(fcinfo, 2, "known_at");
    mbr_arg_datum(&args, PG_GETARG_DATUM(2), false);
    mbr_enter(&session, true);
    if (mbr_plan_run(&session, MBR_PLAN_BALANCE_AT, &args) == 0)
        ereport(ERROR,
                (errcode(MBR_ERR_NO_MEMBER), errmsg("member " INT64_FORMAT " does not exist", member_id),
                 errdetail("No member was enrolled under this number."),
                 errhint("Look the member up with find_member(kind, value).")));
    balance = mbr_col_int8(0, 1, 0);
    mbr_leave(&session);
    PG_RETURN_INT64(balance);
}
