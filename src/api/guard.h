/* guard.h - what trigger functions check of the way they are called. */
#ifndef MBR_API_GUARD_H
#define MBR_API_GUARD_H

#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"

/* When a trigger function may fire. */
typedef struct MbrFiring {
    bool before;
    bool row;
    bool inserts;
    bool updates;
    bool removes;
} MbrFiring;

/* Raises 39P01 when the function was called in another way. */
extern TriggerData *mbr_need_trigger(FunctionCallInfo fcinfo, MbrFiring firing);
/* The number of a column; it must have that type, if one is given. Raises 39P01. */
extern int mbr_need_column(TriggerData *trigger, const char *column, Oid type);

#endif
