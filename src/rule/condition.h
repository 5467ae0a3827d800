/* condition.h - a condition, compiled. */
#ifndef MBR_RULE_CONDITION_H
#define MBR_RULE_CONDITION_H

#include "postgres.h"

#include "nodes/execnodes.h"

typedef struct MbrCondition MbrCondition;

/*
 * Compiles the text in a child of the current memory context; raises MB302 with cause and place for one that
 * is refused. The caller acts as the programme's owner (store/session.h): what a condition may execute is
 * what the owner may.
 */
extern MbrCondition *mbr_condition_compile(const char *text);

/* The columns that it reads, as bits 1 << MbrContextColumn. */
extern uint64 mbr_condition_columns(const MbrCondition *condition);

/* Runs it over econtext's scanned tuple. */
extern bool mbr_condition_run(MbrCondition *condition, ExprContext *econtext, bool *isnull);
/* To be called when a run ended in an error, which may have left things half made. */
extern void mbr_condition_discard(MbrCondition *condition);

#endif
