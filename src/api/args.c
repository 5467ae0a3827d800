/* args.c - checks of arguments, without SQL. */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/typcache.h"

#include "api/args.h"

void
mbr_require(FunctionCallInfo fcinfo, int arg, const char *name)
{
    if (PG_ARGISNULL(arg))
        ereport(ERROR,
                (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", name),
                 errdetail("The call needs a value for %s.", name), errhint("Pass a value for %s.", name)));
}

int64
mbr_get_int8(FunctionCallInfo fcinfo, int arg, const char *name)
{
    mbr_require(fcinfo, arg, name);
    return PG_GETARG_INT64(arg);
}

int32
mbr_get_int4(FunctionCallInfo fcinfo, int arg, const char *name)
{
    mbr_require(fcinfo, arg, name);
    return PG_GETARG_INT32(arg);
}

void
mbr_check_text(const char *value, const char *name, int max)
{
    int length = strlen(value);

    if (length == 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must not be empty", name),
                        errdetail("An empty text names nothing."), errhint("Pass a value for %s.", name)));
    if (length > max)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s is too long", name),
                        errdetail("It has %d bytes; at most %d are allowed.", length, max),
                        errhint("Pass a shorter value for %s.", name)));
}

char *
mbr_get_text(FunctionCallInfo fcinfo, int arg, const char *name, int max)
{
    char *value;

    mbr_require(fcinfo, arg, name);
    value = text_to_cstring(PG_GETARG_TEXT_PP(arg));
    mbr_check_text(value, name, max);
    return value;
}

char *
mbr_get_optional_text(FunctionCallInfo fcinfo, int arg, const char *name, int max)
{
    return PG_ARGISNULL(arg) ? NULL : mbr_get_text(fcinfo, arg, name, max);
}

int64
mbr_get_time(FunctionCallInfo fcinfo, int arg, const char *name)
{
    /* 1900-01-01 and 10000-01-01, UTC */
    const TimestampTz first = ((int64)(2415021 - POSTGRES_EPOCH_JDATE)) * USECS_PER_DAY;
    const TimestampTz end = ((int64)(5373485 - POSTGRES_EPOCH_JDATE)) * USECS_PER_DAY;
    TimestampTz value;

    if (PG_ARGISNULL(arg))
        return MBR_NEVER;
    value = PG_GETARG_TIMESTAMPTZ(arg);
    if (value < first || value >= end)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s is out of range", name),
                        errdetail("Times lie in the years 1900 to 9999; infinity is none."),
                        errhint("Pass a finite time, or leave %s out.", name)));
    return value;
}

static Jsonb *
get_json(FunctionCallInfo fcinfo, int arg, const char *name, bool array)
{
    Jsonb *value;

    if (PG_ARGISNULL(arg))
        return NULL;
    value = PG_GETARG_JSONB_P(arg);
    if (array ? !JB_ROOT_IS_ARRAY(value) || JB_ROOT_IS_SCALAR(value) : !JB_ROOT_IS_OBJECT(value))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("%s must be a JSON %s", name, array ? "array" : "object"),
                        errdetail("It is another kind of JSON value."),
                        errhint("Pass %s.", array ? "[{...}, ...]" : "{\"name\": value, ...}")));
    if (VARSIZE(value) > MBR_MAX_JSON)
        ereport(ERROR,
                (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("%s is too large", name),
                 errdetail("It has %d bytes; at most %d are allowed.", (int)VARSIZE(value), MBR_MAX_JSON),
                 errhint("Pass less.")));
    return value;
}

Jsonb *
mbr_get_json_object(FunctionCallInfo fcinfo, int arg, const char *name)
{
    return get_json(fcinfo, arg, name, false);
}

Jsonb *
mbr_get_json_array(FunctionCallInfo fcinfo, int arg, const char *name)
{
    return get_json(fcinfo, arg, name, true);
}

DateADT
mbr_get_birthday(FunctionCallInfo fcinfo, int arg, bool *isnull)
{
    const DateADT first = 2415021 - POSTGRES_EPOCH_JDATE;
    DateADT tomorrow = (DateADT)(GetCurrentTimestamp() / USECS_PER_DAY) + 1;
    DateADT value;

    *isnull = PG_ARGISNULL(arg);
    if (*isnull)
        return 0;
    value = PG_GETARG_DATEADT(arg);
    if (value < first || value > tomorrow)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("birthday is out of range"),
                        errdetail("A birthday lies between 1900-01-01 and today."),
                        errhint("Pass a date of birth, or leave it out.")));
    return value;
}

int64
mbr_get_points(FunctionCallInfo fcinfo, int arg, bool is_signed)
{
    int64 points = mbr_get_int8(fcinfo, arg, "points");

    if (points == 0 || (points < 0 && !is_signed))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("points must not be " INT64_FORMAT, points),
                 errdetail(is_signed ? "An adjustment changes the balance."
                                     : "At least 1 point is granted, spent or moved."),
                 errhint("Pass a number of points %s.", is_signed ? "above or below 0" : "above 0")));
    if (points > MBR_MAX_POINTS || points < -MBR_MAX_POINTS)
        ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                        errmsg("points are out of range: " INT64_FORMAT, points),
                        errdetail("At most " INT64_FORMAT " points are allowed.", (int64)MBR_MAX_POINTS),
                        errhint("Check the unit of the value.")));
    return points;
}

void
mbr_row_arguments(FunctionCallInfo arguments, int n, Datum row, bool isnull)
{
    HeapTupleHeader header;
    HeapTupleData tuple;
    TupleDesc desc;

    InitFunctionCallInfoData(*arguments, NULL, n, InvalidOid, NULL, NULL);
    for (int i = 0; i < n; i++)
        arguments->args[i].isnull = true;
    if (isnull)
        return;
    header = DatumGetHeapTupleHeader(row);
    desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
    tuple = (HeapTupleData){.t_len = HeapTupleHeaderGetDatumLength(header), .t_data = header};
    for (int i = 0; i < Min(n, desc->natts); i++)
        arguments->args[i].value = heap_getattr(&tuple, i + 1, desc, &arguments->args[i].isnull);
    ReleaseTupleDesc(desc);
}
