/* literal.h - literals that analysis turned into values: their texts must not have meant the clock. */
#ifndef MBR_RULE_LITERAL_H
#define MBR_RULE_LITERAL_H

#include "postgres.h"

#include "nodes/primnodes.h"
#include "parser/parse_node.h"

/*
 * Refuses 'today', 'now', 'infinity' and whatever else is no ISO text as a value of time, and numbers of too
 * many digits. literals: the string literals of the text, as mbr_condition_parse() found them.
 */
extern void mbr_check_literal(ParseState *pstate, const Const *value, List *literals);

#endif
