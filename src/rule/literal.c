/* literal.c - values of time by their texts, numbers by their length. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"

#include "rule/literal.h"
#include "rule/refuse.h"

#define MAX_DIGITS 40

/* 9 in the pattern stands for a digit. */
static bool
matches(const char *text, size_t length, const char *pattern)
{
    if (length != strlen(pattern))
        return false;
    for (size_t i = 0; i < length; i++)
        if (pattern[i] == '9' ? !isdigit((unsigned char)text[i]) : text[i] != pattern[i])
            return false;
    return true;
}

static bool
is_date(const char *text, size_t length)
{
    return matches(text, length, "9999-99-99");
}

static bool
is_time(const char *text, size_t length)
{
    static const char longest[] = "99:99:99.999999";

    if (length == strlen("99:99"))
        return matches(text, length, "99:99");
    if (length == strlen("99:99:99"))
        return matches(text, length, "99:99:99");
    return length > strlen("99:99:99.") && length <= strlen(longest) &&
           matches(text, length, pnstrdup(longest, length));
}

static bool
is_timestamp(const char *text, size_t length)
{
    const size_t date = strlen("9999-99-99");

    if (length <= date)
        return is_date(text, length);
    return is_date(text, date) && (text[date] == ' ' || text[date] == 'T') &&
           is_time(text + date + 1, length - date - 1);
}

/* Units may be written in many ways; what is no amount of time is infinity. */
static bool
is_interval(const char *text, size_t length)
{
    for (size_t i = 0; i + 3 <= length; i++)
        if (pg_strncasecmp(text + i, "inf", 3) == 0)
            return false;
    return true;
}

typedef bool (*IsOfType)(const char *text, size_t length);

static bool
is_trimmed(IsOfType is_of_type, const char *text, size_t length)
{
    while (length > 0 && isspace((unsigned char)text[0]))
        text++, length--;
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    return is_of_type(text, length);
}

static bool
is_null(const char *text, size_t length)
{
    return length == 0 || (length == 4 && pg_strncasecmp(text, "null", 4) == 0);
}

/* Every element of an array's text; between the elements there may be nothing. */
static bool
is_array(IsOfType is_of_type, const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "{},\"");

        if (!is_trimmed(is_null, text, length) && !is_trimmed(is_of_type, text, length))
            return false;
        text += length + (text[length] != '\0');
    }
    return true;
}

/* NULL when texts of this type mean the same at any time. */
static IsOfType
time_type(Oid type, bool *array)
{
    *array =
        type == DATEARRAYOID || type == TIMEARRAYOID || type == TIMESTAMPARRAYOID || type == INTERVALARRAYOID;
    switch (type) {
        case DATEOID:
        case DATEARRAYOID:
            return is_date;
        case TIMEOID:
        case TIMEARRAYOID:
            return is_time;
        case TIMESTAMPOID:
        case TIMESTAMPARRAYOID:
            return is_timestamp;
        case INTERVALOID:
        case INTERVALARRAYOID:
            return is_interval;
    }
    return NULL;
}

static const char *
text_at(int location, List *literals)
{
    ListCell *cell;

    foreach (cell, literals) {
        A_Const *literal = lfirst_node(A_Const, cell);

        if (literal->location == location)
            return strVal(&literal->val);
    }
    return NULL;
}

static bool
is_short(Datum number)
{
    return strlen(DatumGetCString(DirectFunctionCall1(numeric_out, number))) <= MAX_DIGITS;
}

static bool
are_short(Datum numbers)
{
    ArrayType *array = DatumGetArrayTypeP(numbers);
    Datum *values;
    bool *nulls;
    int n;

    deconstruct_array(array, NUMERICOID, -1, false, TYPALIGN_INT, &values, &nulls, &n);
    for (int i = 0; i < n; i++)
        if (!nulls[i] && !is_short(values[i]))
            return false;
    return true;
}

void
mbr_check_literal(ParseState *pstate, const Const *value, List *literals)
{
    bool array;
    IsOfType is_of_type = time_type(value->consttype, &array);
    const char *text;

    if (value->constisnull)
        return;
    if (is_of_type != NULL) {
        text = text_at(value->location, literals);
        if (text == NULL ||
            !(array ? is_array(is_of_type, text) : is_trimmed(is_of_type, text, strlen(text))))
            mbr_refuse(pstate, value->location, MBR_HINT_TIME, "not a fixed date or time in ISO format");
    }
    if ((value->consttype == NUMERICOID && !is_short(value->constvalue)) ||
        (value->consttype == NUMERICARRAYOID && !are_short(value->constvalue)))
        mbr_refuse(pstate, value->location, "Check the number.", "a number has more than %d digits",
                   MAX_DIGITS);
}
