/* args.h - arguments in: each refused by name when it is no use, before anything is locked. */
#ifndef MBR_API_ARGS_H
#define MBR_API_ARGS_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/date.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "engine/work.h"

#define MBR_MAX_REF 200   /* bytes of an order_ref, ref or identity */
#define MBR_MAX_WORD 60   /* bytes of a channel, source or tag */
#define MBR_MAX_NOTE 1000 /* bytes of a reason */
#define MBR_MAX_JSON 65536

/* Raises 22004 for a null argument. */
extern void mbr_require(FunctionCallInfo fcinfo, int arg, const char *name);
extern int64 mbr_get_int8(FunctionCallInfo fcinfo, int arg, const char *name); /* required */
extern int32 mbr_get_int4(FunctionCallInfo fcinfo, int arg, const char *name); /* required */
/* Required, not empty, at most max bytes. */
extern char *mbr_get_text(FunctionCallInfo fcinfo, int arg, const char *name, int max);
/* The same, or NULL. */
extern char *mbr_get_optional_text(FunctionCallInfo fcinfo, int arg, const char *name, int max);
/* MBR_NEVER for null; refuses infinities and years outside 1900 to 9999. */
extern int64 mbr_get_time(FunctionCallInfo fcinfo, int arg, const char *name);
/* A JSON object of at most 64 kB, or NULL. */
extern Jsonb *mbr_get_json_object(FunctionCallInfo fcinfo, int arg, const char *name);
/* A JSON array of at most 64 kB, or NULL. */
extern Jsonb *mbr_get_json_array(FunctionCallInfo fcinfo, int arg, const char *name);
/* A birthday: not before 1900, not after tomorrow anywhere; *isnull for null. */
extern DateADT mbr_get_birthday(FunctionCallInfo fcinfo, int arg, bool *isnull);
/* A whole number of points, 1 to 10^15 in size; negative ones and 0 only if allowed. */
extern int64 mbr_get_points(FunctionCallInfo fcinfo, int arg, bool is_signed);

/* The fields of a row (all null for a null row) as an argument list, to be read by the functions above. */
extern void mbr_row_arguments(FunctionCallInfo arguments, int n, Datum row, bool isnull);

/* Raises 22004, 22023 for a text that is empty or too long. */
extern void mbr_check_text(const char *value, const char *name, int max);

#endif
