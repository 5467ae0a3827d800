/*
 * membership.c - the module itself.
 *
 * There is nothing to initialise at load: plans, configuration and the owner's identity are found at first
 * use, so the library works the same preloaded or not.
 */
#include "postgres.h"

#include "fmgr.h"

PG_MODULE_MAGIC;
