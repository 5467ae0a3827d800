/* statement.h - the texts of the engine's statements, by plan. */
#ifndef MBR_STORE_STATEMENT_H
#define MBR_STORE_STATEMENT_H

#include "store/plan.h"

typedef struct MbrStatement {
    const char *sql;
    /* one letter a parameter: L bigint, I integer, T text, Z timestamptz, D date, N numeric, J jsonb, B
     * boolean, U uuid, V interval, A text[], i integer[], l bigint[], z timestamptz[] */
    const char *types;
} MbrStatement;

extern const MbrStatement mbr_statements[MBR_PLAN_COUNT];

#endif
