/* convert.h - columns of somebody else's query or table as the arguments of accrue_points. */
#ifndef MBR_API_CONVERT_H
#define MBR_API_CONVERT_H

#include "postgres.h"

#include "access/tupdesc.h"

#include "api/purchase.h"
#include "store/config.h"

/* Where each argument of accrue_points comes from. */
typedef struct MbrColumnMap {
    int attno[MBR_PURCHASE_ARGS]; /* 0 = not given: the default */
    Oid type[MBR_PURCHASE_ARGS];
} MbrColumnMap;

/* The number of an argument of accrue_points, or -1. */
extern int mbr_argument_number(const char *name);
/* Maps an argument to a column; refuses a type that it cannot be made of. */
extern void mbr_map_column(MbrColumnMap *map, int argument, TupleDesc desc, int attno);
/* Refuses a map without the arguments that have no default. */
extern void mbr_check_map(const MbrColumnMap *map, const char *what);
/* A row's columns as arguments; a timestamp without zone is programme time. */
extern void mbr_convert_row(const MbrColumnMap *map, const MbrConfig *config, const Datum *columns,
                            const bool *column_nulls, Datum *values, bool *nulls);

#endif
