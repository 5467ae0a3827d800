/* setting.c - what pg_cron was started with. */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"

PG_FUNCTION_INFO_V1(membership_cron_setting);

/*
 * The value of a setting of pg_cron's, NULL when the library is not loaded or has no such setting. Only
 * superusers may look at them, but an operator who schedules jobs needs to know their database and zone,
 * which are no secrets. What postgresql.conf says for a library that is not there, or too old for it, has no
 * effect: that is a placeholder.
 */
Datum
membership_cron_setting(PG_FUNCTION_ARGS)
{
    char *name = psprintf("cron.%s", text_to_cstring(PG_GETARG_TEXT_PP(0)));
    const char *value = GetConfigOption(name, true, false);

    if (value == NULL || (GetConfigOptionFlags(name, true) & GUC_CUSTOM_PLACEHOLDER) != 0)
        PG_RETURN_NULL();
    PG_RETURN_TEXT_P(cstring_to_text(value));
}
