/* evaluate.h - conditions over the values of a purchase. */
#ifndef MBR_RULE_EVALUATE_H
#define MBR_RULE_EVALUATE_H

#include "postgres.h"

#include "rule/condition.h"
#include "rule/context.h"

typedef struct MbrProbe {
    MbrCondition *condition;
    const MbrContext *context;
    bool holds;
    bool isnull;
    bool failed; /* on data: then with sqlerrcode and message, in the caller's memory */
    int sqlerrcode;
    char *message;
} MbrProbe;

/*
 * Evaluates each, in one subtransaction unless one fails. Data errors and exceeded limits (classes 22 and 54,
 * 0A000) fail only their own; any other error goes on. The caller acts as the programme's owner.
 */
extern void mbr_evaluate(MbrProbe *probes, int n);

#endif
