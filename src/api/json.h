/* json.h - arguments that are arrays of flat objects. */
#ifndef MBR_API_JSON_H
#define MBR_API_JSON_H

#include "postgres.h"

#include "utils/jsonb.h"
#include "utils/numeric.h"

/* 22023: a key that what (an object's kind) does not know; a value that is not the expected one. */
extern void mbr_json_refuse_key(const char *what, const char *key);
extern void mbr_json_refuse_value(const char *what, const char *key, const char *expected);

extern char *mbr_json_text(const JsonbValue *value, const char *what, const char *key);
extern Numeric mbr_json_number(const JsonbValue *value, const char *what, const char *key);
extern int mbr_json_id(const JsonbValue *value, const char *what, const char *key);

typedef void (*MbrSetKey)(void *object, const char *key, const JsonbValue *value);

/*
 * Calls set for every key of every object of a flat array; element i's object is at objects + i * size.
 * A null value counts as a key left out.
 */
extern void mbr_json_walk(Jsonb *json, const char *what, void *objects, size_t size, MbrSetKey set);

#endif
