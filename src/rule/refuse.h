/* refuse.h - MB302: why a condition is not accepted, and where. */
#ifndef MBR_RULE_REFUSE_H
#define MBR_RULE_REFUSE_H

#include "postgres.h"

#include "parser/parse_node.h"

#include "util/error.h"

#define MBR_HINT_RULES "doc/rules.md lists what a condition can use."
#define MBR_HINT_REGEX "Use LIKE or starts_with, or tags and attributes that your application keeps."
#define MBR_HINT_LOCAL "Use occurred_at, which is local already, or a date as occurred_on::timestamp."

#define MBR_HINT_TIME \
    "Write '2026-11-11', '20:00', '2026-11-11 20:00' or '3 days'; the present is occurred_at, occurred_on."

/* location: offset in the condition's text in bytes, -1 = unknown. */
#define mbr_refuse(pstate, location, hint, ...)                                           \
    ereport(ERROR, (errcode(MBR_ERR_CONDITION), errmsg(__VA_ARGS__), errhint("%s", hint), \
                    parser_errposition(pstate, location)))
/* Names the function, with the hint that goes with it. */
extern void mbr_refuse_function(ParseState *pstate, int location, const char *name, const char *otherwise);

#endif
