/* values.c - columns of conditions as JSON, and back. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

#include "rule/values.h"

/* ------------------------------------------------------------------ read */

static void
refuse_value(MbrContextColumn column)
{
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("context has no fit value for \"%s\"", mbr_context_name(column)),
                    errdetail("The column has type %s.", format_type_be(mbr_context_type(column))),
                    errhint("Pass a JSON value that reads as that type.")));
}

static char *
scalar_text(MbrContextColumn column, const JsonbValue *value)
{
    switch (value->type) {
        case jbvString:
            return pnstrdup(value->val.string.val, value->val.string.len);
        case jbvNumeric:
            return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
        case jbvBool:
            return value->val.boolean ? "true" : "false";
        default:
            refuse_value(column);
    }
    return NULL;
}

static Datum
read_texts(MbrContextColumn column, const JsonbValue *value)
{
    ArrayBuildState *texts = initArrayResult(TEXTOID, CurrentMemoryContext, false);
    JsonbIterator *iterator;
    JsonbValue element;
    JsonbIteratorToken token;

    if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data))
        refuse_value(column);
    iterator = JsonbIteratorInit(value->val.binary.data);
    while ((token = JsonbIteratorNext(&iterator, &element, true)) != WJB_DONE) {
        if (token != WJB_ELEM)
            continue;
        texts = accumArrayResult(
            texts, element.type == jbvNull ? (Datum)0 : CStringGetTextDatum(scalar_text(column, &element)),
            element.type == jbvNull, TEXTOID, CurrentMemoryContext);
    }
    return makeArrayResult(texts, CurrentMemoryContext);
}

static Datum
read_value(MbrContextColumn column, JsonbValue *value)
{
    Oid type = mbr_context_type(column);
    Oid input;
    Oid parameter;

    if (type == JSONBOID)
        return JsonbPGetDatum(JsonbValueToJsonb(value));
    if (type == TEXTARRAYOID)
        return read_texts(column, value);
    getTypeInputInfo(type, &input, &parameter);
    return OidInputFunctionCall(input, scalar_text(column, value), parameter, -1);
}

static MbrContextColumn
find_column(const JsonbValue *key)
{
    char *name = pnstrdup(key->val.string.val, key->val.string.len);
    MbrContextColumn column = mbr_context_find(name);

    if (column == MBR_CTX_COUNT)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("context has an unknown column \"%s\"", name),
                        errdetail("Its keys are columns that a condition can use."),
                        errhint("doc/rules.md lists the columns.")));
    return column;
}

void
mbr_context_read(JsonbContainer *object, MbrContext *context)
{
    Datum empty = DirectFunctionCall1(jsonb_in, CStringGetDatum("{}"));
    JsonbIterator *iterator = JsonbIteratorInit(object);
    JsonbIteratorToken token;
    JsonbValue value;
    MbrContextColumn column = MBR_CTX_COUNT;

    for (int i = 0; i < MBR_CTX_COUNT; i++) {
        context->isnull[i] = mbr_context_type(i) != JSONBOID;
        context->values[i] = context->isnull[i] ? (Datum)0 : empty;
    }
    while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE) {
        if (token == WJB_KEY)
            column = find_column(&value);
        else if (token == WJB_VALUE) {
            context->isnull[column] = value.type == jbvNull;
            if (value.type != jbvNull)
                context->values[column] = read_value(column, &value);
        }
    }
}

/* ------------------------------------------------------------------ write */

static void
write_texts(StringInfo json, Datum value)
{
    Datum *elements;
    bool *nulls;
    int n;

    deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
    appendStringInfoChar(json, '[');
    for (int i = 0; i < n; i++) {
        appendStringInfoString(json, i == 0 ? "" : ",");
        if (nulls[i])
            appendStringInfoString(json, "null");
        else
            escape_json(json, TextDatumGetCString(elements[i]));
    }
    appendStringInfoChar(json, ']');
}

/* Times in ISO format, whatever the session's DateStyle. */
static void
write_value(StringInfo json, MbrContextColumn column, Datum value)
{
    char buffer[MAXDATELEN + 1];

    switch (mbr_context_type(column)) {
        case NUMERICOID:
            appendStringInfoString(json, DatumGetCString(DirectFunctionCall1(numeric_out, value)));
            break;
        case INT4OID:
            appendStringInfo(json, "%d", DatumGetInt32(value));
            break;
        case BOOLOID:
            appendStringInfoString(json, DatumGetBool(value) ? "true" : "false");
            break;
        case JSONBOID:
            appendStringInfoString(json, DatumGetCString(DirectFunctionCall1(jsonb_out, value)));
            break;
        case TEXTARRAYOID:
            write_texts(json, value);
            break;
        case TEXTOID:
            escape_json(json, TextDatumGetCString(value));
            break;
        default:
            escape_json(json, JsonEncodeDateTime(buffer, value, mbr_context_type(column), NULL));
    }
}

void
mbr_context_write(StringInfo json, const MbrContext *context, uint64 columns)
{
    char open = '{';

    for (int column = 0; column < MBR_CTX_COUNT; column++) {
        if (context->isnull[column] || !(columns & (UINT64CONST(1) << column)))
            continue;
        appendStringInfo(json, "%c\"%s\":", open, mbr_context_name(column));
        write_value(json, column, context->values[column]);
        open = ',';
    }
    appendStringInfoString(json, open == '{' ? "{}" : "}");
}
