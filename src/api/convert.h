/* convert.h - columns of somebody else's query or table as the arguments of a call. */
#ifndef MBR_API_CONVERT_H
#define MBR_API_CONVERT_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "fmgr.h"

#include "store/config.h"

#define MBR_MAX_ARGUMENTS 12

typedef struct MbrArgument {
    const char *name;
    Oid type;
} MbrArgument;

/* The arguments of a function whose calls columns can make. */
typedef struct MbrArguments {
    const char *function;
    int needed; /* so many from the first have no default */
    int n;
    MbrArgument list[MBR_MAX_ARGUMENTS];
} MbrArguments;

extern const MbrArguments mbr_accrue_arguments; /* of accrue_points */
extern const MbrArguments mbr_refund_arguments; /* of refund_order */

/* Where each argument comes from. */
typedef struct MbrColumnMap {
    const MbrArguments *arguments;
    int attno[MBR_MAX_ARGUMENTS]; /* 0 = not given: the default */
    Oid type[MBR_MAX_ARGUMENTS];
} MbrColumnMap;

/* The columns of all rows, row by row, as they came. Without a map they are the arguments themselves. */
typedef struct MbrRowsIn {
    const MbrColumnMap *map;
    const MbrConfig *config; /* of the mapping */
    int width;
    Datum *columns;
    bool *nulls;
} MbrRowsIn;

/* The number of an argument, or -1. */
extern int mbr_argument_number(const MbrArguments *arguments, const char *name);
/* Maps an argument to a column; refuses a type that it cannot be made of. */
extern void mbr_map_column(MbrColumnMap *map, int argument, TupleDesc desc, int attno);
/* Refuses a map without the arguments that have no default. */
extern void mbr_check_map(const MbrColumnMap *map, const char *what);
/* A row's columns as arguments; a timestamp without zone is programme time. */
extern void mbr_convert_row(const MbrColumnMap *map, const MbrConfig *config, const Datum *columns,
                            const bool *column_nulls, Datum *values, bool *nulls);

/* Room for n rows of that many columns. */
extern MbrRowsIn mbr_rows_in(int n, int width, const MbrColumnMap *map, const MbrConfig *config);
/* A row as the argument list of a call, to be read by the code that reads those. */
extern void mbr_rows_call(const MbrRowsIn *input, int row, FunctionCallInfo arguments);

#endif
