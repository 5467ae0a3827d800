/*
 * membership.c - the module itself.
 *
 * There is nothing to initialise at load: plans, configuration and the owner's identity are found at first
 * use, so the library works the same preloaded or not.
 */
#include "postgres.h"

#include "fmgr.h"

#include "store/config.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(membership_table_version);

/* The table version this library was built for; it also serves the one before. */
Datum
membership_table_version(PG_FUNCTION_ARGS)
{
    PG_RETURN_INT32(MBR_TABLE_VERSION);
}
