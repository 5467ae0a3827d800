/* read.c - statement, balance_at, verify: queries run as the owner, in the caller's snapshot. */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/tuplestore.h"

#include "api/args.h"
#include "store/alias.h"
#include "store/load.h"
#include "store/plan.h"

PG_FUNCTION_INFO_V1(membership_statement);
PG_FUNCTION_INFO_V1(membership_balance_at);
PG_FUNCTION_INFO_V1(membership_verify);

#define MAX_STATEMENT_ROWS 10000

/* Of a merged member, the survivor. */
static int64
present_number(MbrSession *session, int64 member_id)
{
    (void)mbr_config_current(session);
    return mbr_alias_survivor(session, member_id);
}

/* Runs a statement in an entered session, and returns its rows as the function's set. */
static void
return_rows(FunctionCallInfo fcinfo, MbrSession *session, MbrPlan plan, MbrArgs *args)
{
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
    uint64 n = mbr_plan_run(session, plan, args);

    for (uint64 i = 0; i < n; i++) {
        Datum values[MaxTupleAttributeNumber];
        bool nulls[MaxTupleAttributeNumber];

        heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, values, nulls);
        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
}

Datum
membership_statement(PG_FUNCTION_ARGS)
{
    int64 before = PG_ARGISNULL(1) ? PG_INT64_MAX : PG_GETARG_INT64(1);
    int32 max_rows = mbr_get_int4(fcinfo, 2, "max_rows");
    MbrArgs args = MBR_NO_ARGS;
    MbrSession session;
    int64 member_id;

    if (max_rows < 1 || max_rows > MAX_STATEMENT_ROWS)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("max_rows must not be %d", max_rows),
                        errdetail("A page has 1 to %d rows.", MAX_STATEMENT_ROWS),
                        errhint("Read further pages with before_entry_no.")));
    if (before == PG_INT64_MIN)
        before++; /* one below it must exist */
    member_id = mbr_get_int8(fcinfo, 0, "member_id");
    InitMaterializedSRF(fcinfo, 0);
    mbr_enter(&session, true);
    mbr_arg_int8(&args, present_number(&session, member_id));
    mbr_arg_int8(&args, before);
    mbr_arg_int4(&args, max_rows);
    return_rows(fcinfo, &session, MBR_PLAN_STATEMENT, &args);
    mbr_leave(&session);
    return (Datum)0;
}

Datum
membership_verify(PG_FUNCTION_ARGS)
{
    MbrArgs args = MBR_NO_ARGS;
    MbrSession session;

    InitMaterializedSRF(fcinfo, 0);
    mbr_enter(&session, true);
    if (PG_ARGISNULL(0)) {
        return_rows(fcinfo, &session, MBR_PLAN_VERIFY_ALL, &args);
    } else {
        mbr_arg_int8(&args, PG_GETARG_INT64(0));
        return_rows(fcinfo, &session, MBR_PLAN_VERIFY_ONE, &args);
    }
    mbr_leave(&session);
    return (Datum)0;
}

Datum
membership_balance_at(PG_FUNCTION_ARGS)
{
    int64 member_id = mbr_get_int8(fcinfo, 0, "member_id");
    MbrArgs args = MBR_NO_ARGS;
    MbrSession session;
    int64 at, balance;

    mbr_require(fcinfo, 1, "at");
    mbr_require(fcinfo, 2, "known_at");
    at = mbr_get_time(fcinfo, 1, "at");
    if (PG_GETARG_TIMESTAMPTZ(2) != DT_NOEND)
        (void)mbr_get_time(fcinfo, 2, "known_at");
    mbr_enter(&session, true);
    mbr_arg_int8(&args, present_number(&session, member_id));
    mbr_arg_datum(&args, TimestampTzGetDatum(at), false);
    mbr_arg_datum(&args, PG_GETARG_DATUM(2), false);
    if (mbr_plan_run(&session, MBR_PLAN_BALANCE_AT, &args) == 0)
        mbr_raise_no_member(member_id);
    balance = mbr_col_int8(0, 1, 0);
    mbr_leave(&session);
    PG_RETURN_INT64(balance);
}
