/* parse.h - the text of a condition as a parse tree that names nothing but what is allowed. */
#ifndef MBR_RULE_PARSE_H
#define MBR_RULE_PARSE_H

#include "postgres.h"

#include "parser/parse_node.h"

/* Where the text of the second parse begins before the condition's own: its errors are that much further on.
 */
#define MBR_WRAPPED_SHIFT 1

/*
 * Returns the raw expression of pstate's source text. *literals gets its string literals (A_Const); *shift is
 * kept at what a parser's error position exceeds that in the text.
 */
extern Node *mbr_condition_parse(ParseState *pstate, List **literals, int *shift);

#endif
