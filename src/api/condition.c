/* condition.c - try_condition: a condition over made-up values; attr_date, which conditions call. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "api/args.h"
#include "rule/evaluate.h"
#include "store/session.h"
#include "util/calendar.h"

PG_FUNCTION_INFO_V1(membership_attr_date);
PG_FUNCTION_INFO_V1(membership_try_condition);

Datum
membership_attr_date(PG_FUNCTION_ARGS)
{
    Jsonb *attributes = PG_GETARG_JSONB_P(0);
    text *name = PG_GETARG_TEXT_PP(1);
    JsonbValue value;
    DateADT day;

    if (!JB_ROOT_IS_OBJECT(attributes) ||
        getKeyJsonValueFromContainer(&attributes->root, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), &value) ==
            NULL ||
        value.type != jbvString || !mbr_parse_day(value.val.string.val, value.val.string.len, &day))
        PG_RETURN_NULL();
    PG_RETURN_DATEADT(day);
}

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

static void
read_context(Jsonb *object, MbrContext *context)
{
    Datum empty = DirectFunctionCall1(jsonb_in, CStringGetDatum("{}"));
    JsonbIterator *iterator = JsonbIteratorInit(&object->root);
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

Datum
membership_try_condition(PG_FUNCTION_ARGS)
{
    MbrSession session;
    MbrContext context;
    MbrProbe probe = {.context = &context};
    Jsonb *values;

    mbr_require(fcinfo, 0, "condition");
    mbr_require(fcinfo, 1, "context");
    values = mbr_get_json_object(fcinfo, 1, "context");
    mbr_enter(&session, true);
    probe.condition = mbr_condition_compile(text_to_cstring(PG_GETARG_TEXT_PP(0)));
    read_context(values, &context);
    mbr_evaluate(&probe, 1);
    mbr_leave(&session);
    if (probe.failed)
        ereport(ERROR, (errcode(probe.sqlerrcode), errmsg_internal("%s", probe.message)));
    if (probe.isnull)
        PG_RETURN_NULL();
    PG_RETURN_BOOL(probe.holds);
}
