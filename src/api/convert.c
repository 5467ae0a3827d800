/* convert.c - matching names and types; values change type by their text, but for times. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "api/convert.h"
#include "util/calendar.h"

static const struct {
    const char *name;
    Oid type;
} arguments[MBR_PURCHASE_ARGS] = {
    {"member_id", INT8OID},      {"merchant_id", INT4OID},        {"amount", NUMERICOID},
    {"order_ref", TEXTOID},      {"occurred_at", TIMESTAMPTZOID}, {"channel", TEXTOID},
    {"lines", JSONBOID},         {"tenders", JSONBOID},           {"attributes", JSONBOID},
    {"external_refs", JSONBOID}, {"exchange_of", TEXTOID},        {"at", TIMESTAMPTZOID},
};

int
mbr_argument_number(const char *name)
{
    for (int i = 0; i < MBR_PURCHASE_ARGS; i++)
        if (strcmp(arguments[i].name, name) == 0)
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
    Form_pg_attribute column = TupleDescAttr(desc, attno - 1);
    Oid type = getBaseType(column->atttypid);

    if (!is_convertible(type, arguments[argument].type))
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("column \"%s\" has type %s and cannot be %s", NameStr(column->attname),
                               format_type_be(column->atttypid), arguments[argument].name),
                        errdetail("%s has type %s.", arguments[argument].name,
                                  format_type_be(arguments[argument].type)),
                        errhint("Cast the column.")));
    map->attno[argument] = attno;
    map->type[argument] = type;
}

void
mbr_check_map(const MbrColumnMap *map, const char *what)
{
    for (int i = 0; i < 4; i++) /* member_id, merchant_id, amount, order_ref */
        if (map->attno[i] == 0)
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("%s has no column for %s", what, arguments[i].name),
                            errdetail("member_id, merchant_id, amount and order_ref are needed."),
                            errhint("Name a column for %s.", arguments[i].name)));
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
    for (int i = 0; i < MBR_PURCHASE_ARGS; i++) {
        int attno = map->attno[i];

        nulls[i] = (attno == 0 || column_nulls[attno - 1]);
        values[i] =
            nulls[i] ? (Datum)0 : convert(columns[attno - 1], map->type[i], arguments[i].type, config);
    }
}
