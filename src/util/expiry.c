/* expiry.c - reads expiry policies, and says when points die by them. */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/datetime.h"

#include "engine/canary.h"
#include "util/calendar.h"
#include "util/expiry.h"

#define MAX_MONTHS 1200
#define MAX_DAYS 36600
#define MAX_PERIODS 100

static bool
skip(const char **text, const char *word)
{
    size_t length = strlen(word);

    if (strncmp(*text, word, length) != 0)
        return false;
    *text += length;
    return true;
}

/* A number from 1 to max, without leading zeros. */
static bool
read_number(const char **text, int max, int *number)
{
    if (**text == '0')
        return false;
    *number = 0;
    while (**text >= '0' && **text <= '9' && *number <= max)
        *number = *number * 10 + (*(*text)++ - '0');
    return *number >= 1 && *number <= max;
}

/* "90 days", "24 months" */
static bool
parse_span(const char *text, const char *unit, int max, MbrExpiryKind kind, MbrExpiry *expiry)
{
    *expiry = (MbrExpiry){.kind = kind};
    return read_number(&text, max, &expiry->number) && strcmp(text, unit) == 0;
}

/* "year end", "year end + 1" */
static bool
parse_period(const char *text, const char *name, int months, MbrExpiry *expiry)
{
    *expiry = (MbrExpiry){.kind = MBR_EXPIRY_PERIOD_END, .period = months};
    if (!skip(&text, name))
        return false;
    if (skip(&text, " + ") && !read_number(&text, MAX_PERIODS, &expiry->number))
        return false;
    return *text == '\0';
}

static bool
parse_date(const char *text, MbrExpiry *expiry)
{
    int year, month, day;

    if (strlen(text) != 10 || strspn(text, "0123456789-") != 10 || text[4] != '-' || text[7] != '-')
        return false;
    if (strchr(text + 8, '-') != NULL || strcspn(text, "-") != 4 || strcspn(text + 5, "-") != 2)
        return false;
    year = atoi(text);
    month = atoi(text + 5);
    day = atoi(text + 8);
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > day_tab[isleap(year)][month - 1])
        return false;
    *expiry = (MbrExpiry){.kind = MBR_EXPIRY_DATE, .date = date2j(year, month, day) - POSTGRES_EPOCH_JDATE};
    return true;
}

bool
mbr_expiry_parse(const char *text, MbrExpiry *expiry)
{
    if (strcmp(text, "never") == 0) {
        *expiry = (MbrExpiry){.kind = MBR_EXPIRY_NEVER};
        return true;
    }
    return parse_span(text, " months", MAX_MONTHS, MBR_EXPIRY_MONTHS, expiry) ||
           parse_span(text, " days", MAX_DAYS, MBR_EXPIRY_DAYS, expiry) ||
           parse_period(text, "month end", 1, expiry) || parse_period(text, "quarter end", 3, expiry) ||
           parse_period(text, "year end", 12, expiry) || parse_date(text, expiry);
}

static DateADT
last_valid_day(const MbrExpiry *expiry, DateADT day)
{
    switch (expiry->kind) {
        case MBR_EXPIRY_DAYS:
            return day + expiry->number;
        case MBR_EXPIRY_MONTHS:
            return mbr_add_months(day, expiry->number);
        case MBR_EXPIRY_PERIOD_END:
            return mbr_period_end(day, expiry->period, expiry->number);
        default:
            return expiry->date;
    }
}

int64
mbr_expiry_end(const MbrExpiry *expiry, DateADT day, int64 active_at, int min_life_days, pg_tz *zone)
{
    int64 end;

    if (expiry->kind == MBR_EXPIRY_NEVER)
        return DT_NOEND;
    end = mbr_day_start(last_valid_day(expiry, day) + !MBR_CANARY(EXPIRY_A_DAY_EARLY), zone);
    if (min_life_days > 0)
        end = Max(end, mbr_day_start(mbr_day_of(active_at, zone) + min_life_days, zone));
    return Max(end, active_at);
}
