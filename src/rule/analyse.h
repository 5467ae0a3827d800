/* analyse.h - names, types and functions of a condition: what is left is ready to be run. */
#ifndef MBR_RULE_ANALYSE_H
#define MBR_RULE_ANALYSE_H

#include "postgres.h"

#include "parser/parse_node.h"

/*
 * Looks up what the raw expression names, checks all of it, folds constants. Columns become attributes
 * 1 + MbrContextColumn of the scanned tuple.
 */
extern Expr *mbr_condition_analyse(ParseState *pstate, Node *raw, List *literals);

#endif
