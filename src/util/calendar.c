/* calendar.c - local days by PostgreSQL's own time zone code. */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "miscadmin.h"
#include "utils/datetime.h"

#include "util/calendar.h"

DateADT
mbr_day_of(TimestampTz moment, pg_tz *zone)
{
    struct pg_tm tm;
    fsec_t fsec;
    int tz;
    const char *tzn;

    if (timestamp2tm(moment, &tz, &tm, &fsec, &tzn, zone) != 0)
        ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
    return date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) - POSTGRES_EPOCH_JDATE;
}

TimestampTz
mbr_day_start(DateADT day, pg_tz *zone)
{
    struct pg_tm tm = {0};
    TimestampTz start;
    int tz;

    j2date(day + POSTGRES_EPOCH_JDATE, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
    tz = DetermineTimeZoneOffset(&tm, zone);
    if (tm2timestamp(&tm, 0, &tz, &start) != 0)
        ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
    return start;
}

DateADT
mbr_add_months(DateADT day, int months)
{
    int year, month, mday, last;

    j2date(day + POSTGRES_EPOCH_JDATE, &year, &month, &mday);
    months += year * 12 + (month - 1);
    year = months / 12;
    month = months % 12 + 1;
    last = day_tab[isleap(year)][month - 1];
    return date2j(year, month, Min(mday, last)) - POSTGRES_EPOCH_JDATE;
}

DateADT
mbr_month_start(DateADT day)
{
    int year, month, mday;

    j2date(day + POSTGRES_EPOCH_JDATE, &year, &month, &mday);
    return day - mday + 1;
}

DateADT
mbr_period_end(DateADT day, int months, int later)
{
    int year, month, mday;

    j2date(day + POSTGRES_EPOCH_JDATE, &year, &month, &mday);
    month += year * 12 - 1;
    month += (later + 1) * months - month % months; /* the first one after it */
    return date2j(month / 12, month % 12 + 1, 1) - 1 - POSTGRES_EPOCH_JDATE;
}

TimestampTz
mbr_local_time(Timestamp local, pg_tz *zone)
{
    struct pg_tm tm;
    TimestampTz moment;
    fsec_t fsec;
    int tz;

    if (TIMESTAMP_NOT_FINITE(local))
        return local; /* the reader of the argument refuses it by name */
    if (timestamp2tm(local, NULL, &tm, &fsec, NULL, NULL) != 0)
        ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
    tz = DetermineTimeZoneOffset(&tm, zone);
    if (tm2timestamp(&tm, fsec, &tz, &moment) != 0)
        ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
    return moment;
}

static int
read_digits(const char *text, int n)
{
    int number = 0;

    for (int i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

bool
mbr_parse_day(const char *text, size_t length, DateADT *day)
{
    int year, month, mday;

    if (length != strlen("9999-12-31") || text[4] != '-' || text[7] != '-')
        return false;
    year = read_digits(text, 4);
    month = read_digits(text + 5, 2);
    mday = read_digits(text + 8, 2);
    if (year < 1 || month < 1 || month > MONTHS_PER_YEAR || mday < 1 ||
        mday > day_tab[isleap(year)][month - 1])
        return false;
    *day = date2j(year, month, mday) - POSTGRES_EPOCH_JDATE;
    return true;
}
