/* calendar.h - days and months of the programme's time zone. */
#ifndef MBR_UTIL_CALENDAR_H
#define MBR_UTIL_CALENDAR_H

#include "postgres.h"

#include "pgtime.h"
#include "utils/date.h"
#include "utils/timestamp.h"

/* The local date of a moment. */
extern DateADT mbr_day_of(TimestampTz moment, pg_tz *zone);
/*
 * The moment a local day begins. Where midnight is skipped it is the moment after the gap, where it comes
 * twice the later one: as timestamp AT TIME ZONE reads it.
 */
extern TimestampTz mbr_day_start(DateADT day, pg_tz *zone);
/* The moment of a local wall-clock time; gaps and repeated hours as above. */
extern TimestampTz mbr_local_time(Timestamp local, pg_tz *zone);
/* The same day some months later or earlier, clamped to the end of the month. */
extern DateADT mbr_add_months(DateADT day, int months);
/* The last day of the calendar month, quarter or year (1, 3 or 12 months), or of one so many later. */
extern DateADT mbr_period_end(DateADT day, int months, int later);

/* The first day of its month. */
extern DateADT mbr_month_start(DateADT day);

/* Reads YYYY-MM-DD, years 1 to 9999; false for any other text. */
extern bool mbr_parse_day(const char *text, size_t length, DateADT *day);

#endif
