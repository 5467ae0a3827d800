/* money.c - conversion between numeric and integers of minor units; no floating point anywhere. */
#include "postgres.h"

#include <ctype.h>

#include "fmgr.h"
#include "utils/builtins.h"

#include "util/money.h"

#define MAX_GIVEN_DIGITS 16  /* an order's products stay within 128 bits */
#define MAX_STORED_DIGITS 18 /* as numeric(18) in the tables */

int64
mbr_pow10(int digits)
{
    int64 power = 1;

    while (digits-- > 0)
        power *= 10;
    return power;
}

static void
refuse(const char *what, const char *text, const char *detail)
{
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must not be %.60s", what, text),
                    errdetail("%s", detail), errhint("Pass a finite number.")));
}

static void
refuse_size(const char *what, const char *text, int max_digits)
{
    ereport(ERROR,
            (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("%s is out of range: %.60s", what, text),
             errdetail("At most %d digits, decimals included, are allowed.", max_digits),
             errhint("Check the unit of the value.")));
}

static int64
parse(Numeric value, int digits, int max_digits, const char *what)
{
    char *text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value)));
    const char *p = text;
    bool negative = (*p == '-');
    int64 result = 0;
    int significant = 0;
    int decimals = -1; /* none seen yet */

    if (negative)
        p++;
    if (!isdigit((unsigned char)*p))
        refuse(what, text, "NaN and infinity are no amounts.");
    for (; *p != '\0'; p++) {
        if (*p == '.') {
            decimals = 0;
            continue;
        }
        if (decimals >= digits) {
            if (*p != '0')
                ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                                errmsg("%s has too many decimals: %.60s", what, text),
                                errdetail("At most %d decimals are allowed.", digits),
                                errhint("Round the value before the call.")));
            continue;
        }
        if (significant > 0 || *p != '0')
            significant++;
        if (significant > max_digits)
            refuse_size(what, text, max_digits);
        result = result * 10 + (*p - '0');
        if (decimals >= 0)
            decimals++;
    }
    for (int i = decimals < 0 ? 0 : decimals; i < digits; i++) {
        if (significant > 0)
            significant++;
        if (significant > max_digits)
            refuse_size(what, text, max_digits);
        result *= 10;
    }
    pfree(text);
    return negative ? -result : result;
}

int64
mbr_money_parse(Numeric value, int digits, const char *what)
{
    return parse(value, digits, MAX_GIVEN_DIGITS, what);
}

int64
mbr_money_stored(Numeric value, int digits)
{
    return parse(value, digits, MAX_STORED_DIGITS, "stored amount");
}

Numeric
mbr_money_numeric(int64 value, int digits)
{
    return int64_div_fast_to_numeric(value, digits);
}

char *
mbr_money_text(int64 value, int digits)
{
    int64 scale = mbr_pow10(digits);
    uint64 size = value < 0 ? -(uint64)value : (uint64)value;

    if (digits == 0)
        return psprintf("%s" UINT64_FORMAT, value < 0 ? "-" : "", size);
    return psprintf("%s" UINT64_FORMAT ".%0*d", value < 0 ? "-" : "", size / scale, digits,
                    (int)(size % scale));
}

char *
mbr_rate_text(int64 value, int digits)
{
    char *text = mbr_money_text(value, digits);
    char *end = text + strlen(text);

    while (strchr(text, '.') != NULL && (end[-1] == '0' || end[-1] == '.')) {
        bool point = (*--end == '.');

        *end = '\0';
        if (point)
            break;
    }
    return text;
}

char *
mbr_numeric_text(Numeric value)
{
    Datum trimmed = DirectFunctionCall1(numeric_trim_scale, NumericGetDatum(value));

    return DatumGetCString(DirectFunctionCall1(numeric_out, trimmed));
}
