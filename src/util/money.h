/* money.h - numeric at the border, int64 inside: minor units and scaled rates. */
#ifndef MBR_UTIL_MONEY_H
#define MBR_UTIL_MONEY_H

#include "postgres.h"

#include "utils/numeric.h"

/*
 * A numeric as an integer of 10^-digits. Refuses NaN, infinities, more decimals and values beyond 16 digits
 * before the point less the decimals, naming the argument.
 */
extern int64 mbr_money_parse(Numeric value, int digits, const char *what);
/* The same of a value from a table: up to 18 digits. */
extern int64 mbr_money_stored(Numeric value, int digits);
/* The other way; exact. */
extern Numeric mbr_money_numeric(int64 value, int digits);
/* As text with exactly that many decimals, palloc'd. */
extern char *mbr_money_text(int64 value, int digits);
/* A rate as text without trailing zeros, palloc'd. */
extern char *mbr_rate_text(int64 value, int digits);
/* A numeric in normal form: 10.0 as 10.00. */
extern char *mbr_numeric_text(Numeric value);
extern int64 mbr_pow10(int digits);

#endif
