/* json.c - arguments that are arrays of flat objects: a key or value of no use is refused by name. */
#include "postgres.h"

#include "utils/datum.h"

#include "api/args.h"
#include "api/json.h"
#include "util/clip.h"
#include "util/money.h"

void
mbr_json_refuse_key(const char *what, const char *key)
{
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("%s has an unknown key \"%s\"", what, mbr_clip(key)),
                    errdetail("Unknown keys are refused, so that a slip of the pen is not lost."),
                    errhint("See the argument's description for the keys it knows.")));
}

void
mbr_json_refuse_value(const char *what, const char *key, const char *expected)
{
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"%s\" of %s must be %s", key, what, expected),
             errdetail("It is missing, or has another value."),
             errhint("Correct \"%s\", or leave it out where it is optional.", key)));
}

char *
mbr_json_text(const JsonbValue *value, const char *what, const char *key)
{
    char *text;

    if (value->type != jbvString)
        mbr_json_refuse_value(what, key, "a text");
    text = pnstrdup(value->val.string.val, value->val.string.len);
    mbr_check_text(text, key, MBR_MAX_REF);
    return text;
}

Numeric
mbr_json_number(const JsonbValue *value, const char *what, const char *key)
{
    if (value->type != jbvNumeric)
        mbr_json_refuse_value(what, key, "a number");
    return DatumGetNumeric(datumCopy(NumericGetDatum(value->val.numeric), false, -1));
}

int
mbr_json_id(const JsonbValue *value, const char *what, const char *key)
{
    int64 id = mbr_money_parse(mbr_json_number(value, what, key), 0, key);

    if (id < 1 || id > PG_INT32_MAX)
        mbr_json_refuse_value(what, key, "a whole number from 1 to 2147483647");
    return (int)id;
}

void
mbr_json_walk(Jsonb *json, const char *what, void *objects, size_t size, MbrSetKey set)
{
    JsonbIterator *iterator = JsonbIteratorInit(&json->root);
    JsonbIteratorToken token;
    JsonbValue value;
    int at = -1;
    char *key = NULL;

    (void)JsonbIteratorNext(&iterator, &value, false);
    while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE) {
        if (token == WJB_ELEM) {
            JsonbIterator *inner;

            at++;
            if (value.type != jbvBinary || !JsonContainerIsObject(value.val.binary.data))
                mbr_json_refuse_value(what, "element", "an object");
            inner = JsonbIteratorInit(value.val.binary.data);
            while ((token = JsonbIteratorNext(&inner, &value, true)) != WJB_DONE) {
                if (token == WJB_KEY)
                    key = pnstrdup(value.val.string.val, value.val.string.len);
                else if (token == WJB_VALUE && value.type != jbvNull)
                    set((char *)objects + size * at, key, &value);
            }
        }
    }
}
