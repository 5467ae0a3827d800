/* identity.c - normalisation, and referral codes. */
#include "postgres.h"

#include <ctype.h>

#include "catalog/pg_collation.h"
#include "utils/formatting.h"

#include "util/clip.h"
#include "util/identity.h"

#define MAX_VALUE 200
#define MIN_PHONE_DIGITS 7  /* country code included */
#define MAX_PHONE_DIGITS 15 /* ITU-T E.164 */

static void
refuse(const char *kind, const char *detail, const char *hint)
{
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("identity_value is not a valid identity of kind \"%s\"", kind),
                    errdetail("%s", detail), errhint("%s", hint)));
}

static char *
trim(const char *value)
{
    const char *end = value + strlen(value);

    while (isspace((unsigned char)*value))
        value++;
    while (end > value && isspace((unsigned char)end[-1]))
        end--;
    return pnstrdup(value, end - value);
}

static char *
normalize_phone(const char *value, const char *country)
{
    char *digits = palloc(strlen(value) + 8);
    int n = 0;
    bool international = (*value == '+');
    const char *p = international ? value + 1 : value;
    const char *national;

    for (; *p != '\0'; p++) {
        if (isdigit((unsigned char)*p))
            digits[n++] = *p;
        else if (strchr(" .-/()", *p) == NULL)
            refuse("phone", "A phone number holds digits, spaces and the characters . - / ( ) only.",
                   "Pass the number as dialled, or as + and country code.");
    }
    digits[n] = '\0';
    national = digits;
    if (!international && strncmp(digits, "00", 2) == 0) {
        international = true;
        national += 2;
    }
    if (!international) {
        if (country == NULL)
            refuse("phone", "The number names no country and program.phone_country is not set.",
                   "Pass the number with + and country code, or set program.phone_country.");
        if (*national == '0' && strcmp(country, "39") != 0)
            national++;
    }
    n = strlen(national) + (international ? 0 : strlen(country));
    if (n < MIN_PHONE_DIGITS || n > MAX_PHONE_DIGITS || (international && *national == '0'))
        refuse("phone", "With its country code a number has 7 to 15 digits and does not begin with 0.",
               "Pass the number as dialled, or as + and country code.");
    return psprintf("+%s%s", international ? "" : country, national);
}

static void
check_kind(const char *kind)
{
    int length = strlen(kind);

    if (length < 1 || length > 30 || !islower((unsigned char)kind[0]) ||
        (int)strspn(kind, "abcdefghijklmnopqrstuvwxyz0123456789_") != length)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("identity_kind \"%s\" is not valid", mbr_clip(kind)),
                        errdetail("A kind is 1 to 30 of a-z, 0-9 and _, beginning with a letter."),
                        errhint("Use kinds such as phone, email, card or wechat.")));
}

char *
mbr_identity_normalize(const char *kind, const char *value, const char *phone_country)
{
    char *normal = trim(value);

    check_kind(kind);
    if (*normal == '\0' || strlen(normal) > MAX_VALUE)
        refuse(kind, "An identity has 1 to 200 bytes.",
               "Pass what finds the member, such as a phone number.");
    if (strcmp(kind, "phone") == 0)
        normal = normalize_phone(normal, phone_country);
    else if (strcmp(kind, "email") == 0)
        normal = str_tolower(normal, strlen(normal), C_COLLATION_OID);
    else if (strcmp(kind, MBR_KIND_REFERRAL) == 0)
        normal = str_toupper(normal, strlen(normal), C_COLLATION_OID);
    return normal;
}

/*
 * Multiplying by an odd number modulo 2^40 is one to one, so codes never collide and look unordered. Members
 * beyond 2^40 get what is above in front.
 */
char *
mbr_referral_code(int64 member_id)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    const uint64 mask = (UINT64CONST(1) << 40) - 1;
    uint64 low = (((uint64)member_id & mask) * UINT64CONST(618970019643)) & mask;
    uint64 high = (uint64)member_id >> 40;
    char code[16];
    int n = sizeof(code);

    code[--n] = '\0';
    for (int i = 0; i < 8; i++, low >>= 5)
        code[--n] = alphabet[low & 31];
    for (; high > 0; high >>= 5)
        code[--n] = alphabet[high & 31];
    return pstrdup(code + n);
}
