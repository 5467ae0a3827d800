/* plan.c - preparing and running statements, their parameters and their rows. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/datum.h"

#include "engine/work.h"
#include "store/plan.h"
#include "store/statement.h"
#include "util/money.h"

static SPIPlanPtr prepared[MBR_PLAN_COUNT];

static Oid
type_of(char letter)
{
    switch (letter) {
        case 'L':
            return INT8OID;
        case 'I':
            return INT4OID;
        case 'T':
            return TEXTOID;
        case 'Z':
            return TIMESTAMPTZOID;
        case 'D':
            return DATEOID;
        case 'N':
            return NUMERICOID;
        case 'J':
            return JSONBOID;
        case 'B':
            return BOOLOID;
        case 'U':
            return UUIDOID;
        case 'i':
            return INT4ARRAYOID;
        case 'A':
            return TEXTARRAYOID;
        case 'V':
            return INTERVALOID;
        case 'l':
            return INT8ARRAYOID;
        case 'z':
            return TIMESTAMPTZARRAYOID;
    }
    elog(ERROR, "no type for parameter letter %c", letter);
}

static SPIPlanPtr
prepare(MbrPlan plan)
{
    const MbrStatement *statement = &mbr_statements[plan];
    Oid types[MBR_MAX_ARGS];
    int nargs = strlen(statement->types);

    if (prepared[plan] == NULL) {
        SPIPlanPtr made;

        for (int i = 0; i < nargs; i++)
            types[i] = type_of(statement->types[i]);
        made = SPI_prepare(statement->sql, nargs, types);
        if (made == NULL)
            elog(ERROR, "could not prepare statement %d: %s", plan, SPI_result_code_string(SPI_result));
        if (SPI_keepplan(made) != 0)
            elog(ERROR, "could not keep statement %d", plan);
        prepared[plan] = made;
    }
    return prepared[plan];
}

uint64
mbr_plan_run(MbrSession *session, MbrPlan plan, MbrArgs *args)
{
    MemoryContext saved = CurrentMemoryContext; /* SPI would leave its own behind */
    SPIPlanPtr ready = prepare(plan);
    int result;

    if (SPI_tuptable != NULL) /* a batch runs many in one session */
        SPI_freetuptable(SPI_tuptable);
    Assert(args->n == (int)strlen(mbr_statements[plan].types));
    result = SPI_execute_plan(ready, args->values, args->nulls, session->read_only, 0);
    MemoryContextSwitchTo(saved);
    if (result < 0)
        elog(ERROR, "could not run statement %d: %s", plan, SPI_result_code_string(result));
    return SPI_processed;
}

void
mbr_arg_datum(MbrArgs *args, Datum value, bool isnull)
{
    if (args->n >= MBR_MAX_ARGS)
        elog(ERROR, "too many parameters");
    args->values[args->n] = value;
    args->nulls[args->n++] = isnull ? 'n' : ' ';
}

void
mbr_arg_null(MbrArgs *args)
{
    mbr_arg_datum(args, (Datum)0, true);
}

void
mbr_arg_int8(MbrArgs *args, int64 value)
{
    mbr_arg_datum(args, Int64GetDatum(value), false);
}

void
mbr_arg_int4(MbrArgs *args, int32 value)
{
    mbr_arg_datum(args, Int32GetDatum(value), false);
}

void
mbr_arg_int2(MbrArgs *args, int16 value)
{
    mbr_arg_datum(args, Int16GetDatum(value), false);
}

void
mbr_arg_bool(MbrArgs *args, bool value)
{
    mbr_arg_datum(args, BoolGetDatum(value), false);
}

void
mbr_arg_text(MbrArgs *args, const char *value)
{
    mbr_arg_datum(args, value == NULL ? (Datum)0 : CStringGetTextDatum(value), value == NULL);
}

void
mbr_arg_time(MbrArgs *args, TimestampTz value)
{
    mbr_arg_datum(args, TimestampTzGetDatum(value), value == MBR_NEVER);
}

void
mbr_arg_date(MbrArgs *args, DateADT value)
{
    mbr_arg_datum(args, DateADTGetDatum(value), false);
}

void
mbr_arg_money(MbrArgs *args, int64 value, int digits)
{
    mbr_arg_datum(args, NumericGetDatum(mbr_money_numeric(value, digits)), false);
}

void
mbr_arg_jsonb(MbrArgs *args, Jsonb *value)
{
    mbr_arg_datum(args, JsonbPGetDatum(value), value == NULL);
}

void
mbr_arg_json_text(MbrArgs *args, const char *value)
{
    if (value == NULL)
        mbr_arg_null(args);
    else
        mbr_arg_datum(args, DirectFunctionCall1(jsonb_in, CStringGetDatum(value)), false);
}

bool
mbr_col_null(uint64 row, int col)
{
    bool isnull;

    (void)SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, col, &isnull);
    return isnull;
}

Datum
mbr_col_datum(uint64 row, int col)
{
    bool isnull;

    return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, col, &isnull);
}

Datum
mbr_col_copy(uint64 row, int col)
{
    Form_pg_attribute column = TupleDescAttr(SPI_tuptable->tupdesc, col - 1);

    return datumCopy(mbr_col_datum(row, col), column->attbyval, column->attlen);
}

int64
mbr_col_int8(uint64 row, int col, int64 if_null)
{
    return mbr_col_null(row, col) ? if_null : DatumGetInt64(mbr_col_datum(row, col));
}

int32
mbr_col_int4(uint64 row, int col, int32 if_null)
{
    return mbr_col_null(row, col) ? if_null : DatumGetInt32(mbr_col_datum(row, col));
}

bool
mbr_col_bool(uint64 row, int col)
{
    return !mbr_col_null(row, col) && DatumGetBool(mbr_col_datum(row, col));
}

char *
mbr_col_text(uint64 row, int col)
{
    return mbr_col_null(row, col) ? NULL : TextDatumGetCString(mbr_col_datum(row, col));
}

Jsonb *
mbr_col_jsonb(uint64 row, int col)
{
    return mbr_col_null(row, col) ? NULL : DatumGetJsonbPCopy(mbr_col_datum(row, col));
}

int64
mbr_col_money(uint64 row, int col, int digits)
{
    if (mbr_col_null(row, col))
        return 0;
    return mbr_money_stored(DatumGetNumeric(mbr_col_datum(row, col)), digits);
}
