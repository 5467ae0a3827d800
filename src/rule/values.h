/* values.h - the values that conditions are evaluated over, as JSON: {"column": value}. */
#ifndef MBR_RULE_VALUES_H
#define MBR_RULE_VALUES_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

#include "rule/context.h"

/* Columns left out are NULL, attributes {}. Raises 22023 for an unknown column or an unfit value. */
extern void mbr_context_read(JsonbContainer *object, MbrContext *context);
/* Appends those of the columns that have a value. */
extern void mbr_context_write(StringInfo json, const MbrContext *context, uint64 columns);

#endif
