/* identity.h - the normal form of what finds a member. */
#ifndef MBR_UTIL_IDENTITY_H
#define MBR_UTIL_IDENTITY_H

#include "postgres.h"

#define MBR_KIND_REFERRAL "referral"

/*
 * The normal form of an identity, palloc'd; refuses what has none.
 *
 * phone: E.164. Spaces, dots, dashes, slashes and brackets are dropped; a number with + or 00 is
 * international, any other belongs to phone_country, less one leading 0 (kept in Italy, 39). email: trimmed,
 * lower case. referral: trimmed, upper case. Every other kind: trimmed.
 */
extern char *mbr_identity_normalize(const char *kind, const char *value, const char *phone_country);

/* The referral code of a member: 8 characters of Crockford's base 32, scrambled one to one. */
extern char *mbr_referral_code(int64 member_id);

#endif
