/* parse.h - the text of a condition as a parse tree that names nothing but what is allowed. */
#ifndef MBR_RULE_PARSE_H
#define MBR_RULE_PARSE_H

#include "postgres.h"

#include "parser/parse_node.h"

/*
 * Returns the raw expression of pstate's source text. *literals gets its string literals (A_Const); *shift is
 * kept at what the positions of errors exceed those in the text by: the text is also parsed in parentheses.
 */
extern Node *mbr_condition_parse(ParseState *pstate, List **literals, int *shift);

#endif
