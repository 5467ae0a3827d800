/*
 * payload.h - the hash that tells a repeated call from another one with the same key.
 *
 * Over typed, normalised values in a fixed order: 10.0 and 10.00 are one amount, jsonb is canonical. It is
 * stored, so its result must never change: the first 8 bytes of SHA-256.
 */
#ifndef MBR_UTIL_PAYLOAD_H
#define MBR_UTIL_PAYLOAD_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

typedef struct MbrPayload {
    StringInfoData bytes;
} MbrPayload;

extern void mbr_payload_init(MbrPayload *payload);
extern void mbr_payload_add_text(MbrPayload *payload, const char *value); /* NULL is a value of its own */
extern void mbr_payload_add_int(MbrPayload *payload, int64 value);
extern void mbr_payload_add_time(MbrPayload *payload, int64 moment);  /* PG_INT64_MAX = not given */
extern void mbr_payload_add_jsonb(MbrPayload *payload, Jsonb *value); /* may be NULL */
extern int64 mbr_payload_hash(MbrPayload *payload);

#endif
