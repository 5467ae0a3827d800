/* refuse.c - refusals and what to write instead. */
#include "postgres.h"

#include "rule/refuse.h"

#define HINT_CLOCK "Use occurred_at or occurred_on, the time and day of the purchase."
#define HINT_TEXT "Join texts with ||."
#define HINT_DATE "attr_date(order_attributes, 'name') reads an ISO date of the attributes."
#define HINT_HISTORY "Use the columns orders_today, basis_month, orders_12m and their like."

static const struct {
    const char *name;
    const char *hint;
} advice[] = {
    {"age", "Use the column age, or age(occurred_at, birthday::timestamp)."},
    {"now", HINT_CLOCK},
    {"transaction_timestamp", HINT_CLOCK},
    {"statement_timestamp", HINT_CLOCK},
    {"clock_timestamp", HINT_CLOCK},
    {"timeofday", HINT_CLOCK},
    {"timezone", MBR_HINT_LOCAL},
    {"to_char", "Use hour, weekday, day and month, or extract(quarter FROM occurred_at)."},
    {"to_date", HINT_DATE},
    {"to_timestamp", HINT_DATE},
    {"to_number", "Use a cast, such as (order_attributes ->> 'n')::numeric."},
    {"concat", HINT_TEXT},
    {"concat_ws", HINT_TEXT},
    {"format", HINT_TEXT},
    {"count", HINT_HISTORY},
    {"sum", HINT_HISTORY},
    {"max", "Use greatest(a, b)."},
    {"min", "Use least(a, b)."},
};

void
mbr_refuse_function(ParseState *pstate, int location, const char *name, const char *otherwise)
{
    const char *hint = otherwise;

    for (int i = 0; i < (int)lengthof(advice); i++)
        if (strcmp(advice[i].name, name) == 0)
            hint = advice[i].hint;
    if (strncmp(name, "regexp_", strlen("regexp_")) == 0)
        hint = MBR_HINT_REGEX;
    mbr_refuse(pstate, location, hint, "function %s is not allowed in a condition", name);
}
