/* condition.c - try_condition: a condition over made-up values; attr_date, which conditions call. */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "api/args.h"
#include "rule/evaluate.h"
#include "rule/values.h"
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
    mbr_context_read(&values->root, &context);
    mbr_evaluate(&probe, 1);
    mbr_leave(&session);
    if (probe.failed)
        ereport(ERROR, (errcode(probe.sqlerrcode), errmsg_internal("%s", probe.message)));
    if (probe.isnull)
        PG_RETURN_NULL();
    PG_RETURN_BOOL(probe.holds);
}
