/* settings.c - the settings that parsing, input and output of values hang on. */
#include "postgres.h"

#include "utils/float.h"
#include "utils/guc.h"

#include "rule/settings.h"

#define NOT_PINNED 0

static void
pin(const char *setting, const char *value)
{
    (void)set_config_option(setting, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

int
mbr_settings_pin_compile(void)
{
    int level = NewGUCNestLevel();

    pin("search_path", "pg_catalog, pg_temp");
    pin("standard_conforming_strings", "on");
    pin("backslash_quote", "safe_encoding");
    pin("transform_null_equals", "off");
    pin("array_nulls", "on");
    pin("datestyle", "ISO, YMD");
    pin("intervalstyle", "postgres");
    pin("timezone", "UTC");
    pin("extra_float_digits", "1");
    return level;
}

/* Only immutable functions are evaluated. One of those reads a setting all the same: the text of a float. */
int
mbr_settings_pin_evaluate(void)
{
    int level;

    if (extra_float_digits > 0)
        return NOT_PINNED;
    level = NewGUCNestLevel();
    pin("extra_float_digits", "1");
    return level;
}

void
mbr_settings_unpin(int level)
{
    if (level != NOT_PINNED)
        AtEOXact_GUC(true, level);
}
