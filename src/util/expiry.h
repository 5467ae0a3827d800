/* expiry.h - expiry policies (有效期): how long points live. */
#ifndef MBR_UTIL_EXPIRY_H
#define MBR_UTIL_EXPIRY_H

#include "postgres.h"

#include "pgtime.h"
#include "utils/date.h"

typedef enum MbrExpiryKind {
    MBR_EXPIRY_NEVER,
    MBR_EXPIRY_DAYS,
    MBR_EXPIRY_MONTHS,
    MBR_EXPIRY_PERIOD_END, /* of a calendar month, quarter or year */
    MBR_EXPIRY_DATE
} MbrExpiryKind;

typedef struct MbrExpiry {
    MbrExpiryKind kind;
    int number; /* days; months; periods after the present one */
    int period; /* of a period end: its length in months */
    DateADT date;
} MbrExpiry;

/* Reads a policy as doc/rules.md writes it; false = it is none. */
extern bool mbr_expiry_parse(const char *text, MbrExpiry *expiry);

/*
 * When points earned on a local day and active from a moment on die: after the policy's last valid day, but
 * not before they lived min_life_days, and never before they are active. MBR_NEVER (= DT_NOEND) = never.
 */
extern int64
mbr_expiry_end(const MbrExpiry *expiry, DateADT day, int64 active_at, int min_life_days, pg_tz *zone);

#endif
