/* payload.c - builds and hashes the canonical form of a call. */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "fmgr.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"

#include "util/payload.h"

void
mbr_payload_init(MbrPayload *payload)
{
    initStringInfo(&payload->bytes);
}

/* Every value carries its kind and length, so that no two lists of values have the same bytes. */
static void
add(MbrPayload *payload, char kind, const char *bytes, int length)
{
    uint32 size = pg_hton32((uint32)length);

    appendStringInfoChar(&payload->bytes, kind);
    appendBinaryStringInfo(&payload->bytes, (char *)&size, sizeof(size));
    appendBinaryStringInfo(&payload->bytes, bytes, length);
}

static void
add_null(MbrPayload *payload)
{
    add(payload, 'n', "", 0);
}

void
mbr_payload_add_text(MbrPayload *payload, const char *value)
{
    if (value == NULL)
        add_null(payload);
    else
        add(payload, 't', value, strlen(value));
}

void
mbr_payload_add_int(MbrPayload *payload, int64 value)
{
    uint64 bytes = pg_hton64((uint64)value);

    add(payload, 'i', (char *)&bytes, sizeof(bytes));
}

void
mbr_payload_add_time(MbrPayload *payload, int64 moment)
{
    if (moment == PG_INT64_MAX)
        add_null(payload);
    else
        mbr_payload_add_int(payload, moment);
}

/* Numbers inside jsonb keep their trailing zeros, so they are normalised here. */
static void
add_jsonb_value(MbrPayload *payload, JsonbIteratorToken token, const JsonbValue *value)
{
    Datum number;

    switch (value->type) {
        case jbvNull:
            add_null(payload);
            break;
        case jbvString:
            add(payload, token == WJB_KEY ? 'k' : 't', value->val.string.val, value->val.string.len);
            break;
        case jbvBool:
            add(payload, value->val.boolean ? 'y' : 'f', "", 0);
            break;
        case jbvNumeric:
            number = DirectFunctionCall1(numeric_trim_scale, NumericGetDatum(value->val.numeric));
            number = DirectFunctionCall1(numeric_out, number);
            add(payload, '#', DatumGetCString(number), strlen(DatumGetCString(number)));
            break;
        default:
            elog(ERROR, "unexpected jsonb value of type %d", value->type);
    }
}

void
mbr_payload_add_jsonb(MbrPayload *payload, Jsonb *value)
{
    JsonbIterator *iterator;
    JsonbIteratorToken token;
    JsonbValue item;

    if (value == NULL) {
        add_null(payload);
        return;
    }
    iterator = JsonbIteratorInit(&value->root);
    while ((token = JsonbIteratorNext(&iterator, &item, false)) != WJB_DONE) {
        if (token == WJB_KEY || token == WJB_VALUE || token == WJB_ELEM)
            add_jsonb_value(payload, token, &item);
        else
            appendStringInfoChar(&payload->bytes, '0' + token);
    }
}

int64
mbr_payload_hash(MbrPayload *payload)
{
    uint8 digest[PG_SHA256_DIGEST_LENGTH];
    pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);
    uint64 first;

    if (context == NULL || pg_cryptohash_init(context) < 0 ||
        pg_cryptohash_update(context, (uint8 *)payload->bytes.data, payload->bytes.len) < 0 ||
        pg_cryptohash_final(context, digest, sizeof(digest)) < 0)
        elog(ERROR, "could not compute SHA-256 of a payload");
    pg_cryptohash_free(context);
    memcpy(&first, digest, sizeof(first));
    return (int64)pg_ntoh64(first);
}
