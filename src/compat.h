/* compat.h - the only place that knows which PostgreSQL it is compiled for. */
#ifndef MBR_COMPAT_H
#define MBR_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#endif
