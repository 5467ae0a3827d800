/* convert.c - matching names and types; values change type by their text, but for times. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "api/convert.h"
#include "api/purchase.h"
#include "api/refund.h"
#include "util/calendar.h"

const MbrArguments mbr_accrue_arguments = {
    "accrue_points",
    4,
    MBR_PURCHASE_ARGS,
    {{"member_id", INT8OID},
     {"merchant_id", INT4OID},
     {"amount", NUMERICOID},
     {"order_ref", TEXTOID},
     {"occurred_at", TIMESTAMPTZOID},
     {"channel", TEXTOID},
     {"lines", JSONBOID},
     {"tenders", JSONBOID},
     {"attributes", JSONBOID},
     {"external_refs", JSONBOID},
     {"exchange_of", TEXTOID},
     {"at", TIMESTAMPTZOID}},
};

const MbrArguments mbr_refund_arguments = {
    "refund_order",
    3,
    MBR_REFUND_ARGS,
    {{"merchant_id", INT4OID},
     {"order_ref", TEXTOID},
     {"refund_ref", TEXTOID},
     {"amount", NUMERICOID},
     {"lines", JSONBOID},
     {"member_id", INT8OID},
     {"at", TIMESTAMPTZOID}},
};

int
mbr_argument_number(const MbrArguments *arguments, const char *name)
{
    for (int i = 0; i < arguments->n; i++)
        if (strcmp(arguments->list[i].name, name) == 0)
            return i;
    return -1;
}

static bool
is_integer(Oid type)
{
    return type == INT2OID || type == INT4OID || type == INT8OID;
}

static bool
is_convertible(Oid from, Oid to)
{
    if (from == to)
        return true;
    switch (to) {
        case INT8OID:
        case INT4OID:
            return is_integer(from);
        case NUMERICOID:
            return is_integer(from);
        case TEXTOID:
            return is_integer(from) || from == VARCHAROID || from == BPCHAROID || from == NAMEOID ||
                   from == UUIDOID;
        case TIMESTAMPTZOID:
            return from == TIMESTAMPOID;
        case JSONBOID:
            return from == JSONOID;
    }
    return false;
}

void
mbr_map_column(MbrColumnMap *map, int argument, TupleDesc desc, int attno)
{
    const MbrArgument *wanted = &map->arguments->list[argument];
    Form_pg_attribute column = TupleDescAttr(desc, attno - 1);
    Oid type = getBaseType(column->atttypid);

    if (!is_convertible(type, wanted->type))
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("column \"%s\" has type %s and cannot be %s", NameStr(column->attname),
                               format_type_be(column->atttypid), wanted->name),
                        errdetail("%s has type %s.", wanted->name, format_type_be(wanted->type)),
                        errhint("Cast the column.")));
    map->attno[argument] = attno;
    map->type[argument] = type;
}

/* "a, b and c" */
static const char *
needed_names(const MbrArguments *arguments)
{
    StringInfoData names;

    initStringInfo(&names);
    for (int i = 0; i < arguments->needed; i++)
        appendStringInfo(&names, "%s%s",
                         i == 0                       ? ""
                         : i == arguments->needed - 1 ? " and "
                                                      : ", ",
                         arguments->list[i].name);
    return names.data;
}

void
mbr_check_map(const MbrColumnMap *map, const char *what)
{
    const MbrArguments *arguments = map->arguments;

    for (int i = 0; i < arguments->needed; i++)
        if (map->attno[i] == 0)
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("%s has no column for %s", what, arguments->list[i].name),
                            errdetail("%s are needed.", needed_names(arguments)),
                            errhint("Name a column for %s.", arguments->list[i].name)));
}

static Datum
convert(Datum value, Oid from, Oid to, const MbrConfig *config)
{
    Oid function, io_parameter;
    bool is_varlena;
    char *text;

    if (from == to)
        return value;
    if (to == TIMESTAMPTZOID)
        return TimestampTzGetDatum(mbr_local_time(DatumGetTimestamp(value), config->zone));
    getTypeOutputInfo(from, &function, &is_varlena);
    text = OidOutputFunctionCall(function, value);
    getTypeInputInfo(to, &function, &io_parameter);
    return OidInputFunctionCall(function, text, io_parameter, -1);
}

void
mbr_convert_row(const MbrColumnMap *map, const MbrConfig *config, const Datum *columns,
                const bool *column_nulls, Datum *values, bool *nulls)
{
    for (int i = 0; i < map->arguments->n; i++) {
        int attno = map->attno[i];

        nulls[i] = (attno == 0 || column_nulls[attno - 1]);
        values[i] = nulls[i]
                        ? (Datum)0
                        : convert(columns[attno - 1], map->type[i], map->arguments->list[i].type, config);
    }
}

MbrRowsIn
mbr_rows_in(int n, int width, const MbrColumnMap *map, const MbrConfig *config)
{
    Size cells = (Size)Max(n, 1) * width;

    return (MbrRowsIn){map, config, width, palloc(sizeof(Datum) * cells), palloc(sizeof(bool) * cells)};
}

void
mbr_rows_call(const MbrRowsIn *input, int row, FunctionCallInfo arguments)
{
    const Datum *columns = input->columns + (Size)row * input->width;
    const bool *isnull = input->nulls + (Size)row * input->width;
    int n = input->map == NULL ? input->width : input->map->arguments->n;
    Datum values[MBR_MAX_ARGUMENTS];
    bool nulls[MBR_MAX_ARGUMENTS];

    if (input->map != NULL) {
        mbr_convert_row(input->map, input->config, columns, isnull, values, nulls);
    } else {
        memcpy(values, columns, sizeof(Datum) * n);
        memcpy(nulls, isnull, sizeof(bool) * n);
    }
    InitFunctionCallInfoData(*arguments, NULL, n, InvalidOid, NULL, NULL);
    for (int i = 0; i < n; i++) {
        arguments->args[i].value = values[i];
        arguments->args[i].isnull = nulls[i];
    }
}
