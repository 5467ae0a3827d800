/*
 * session.h - acting as the programme's owner.
 *
 * mbr_enter() notes the caller, switches to the owner of the programme's tables, pins search_path and opens
 * SPI; mbr_leave() undoes it. No statement touches the programme's tables outside. The switch never spans a
 * transaction boundary; on an error the (sub)transaction's abort restores user and settings.
 */
#ifndef MBR_STORE_SESSION_H
#define MBR_STORE_SESSION_H

#include "postgres.h"

typedef struct MbrTables MbrTables; /* table.c */

typedef struct MbrSession {
    Oid caller; /* who called, before the switch */
    Oid owner;
    Oid program;           /* the programme's table: another one after it was dropped and made again */
    bool read_only;        /* statements use the caller's snapshot and write nothing */
    MemoryContext context; /* the caller's memory: outlives mbr_leave() */
    MbrTables *tables;     /* open ones, NULL = none */
    int guc_level;
    int saved_security_context;
} MbrSession;

extern void mbr_enter(MbrSession *session, bool read_only);
extern void mbr_leave(MbrSession *session);
/* A setting until mbr_leave(). */
extern void mbr_set(const MbrSession *session, const char *setting, const char *value);

/* The role that owns the programme's tables; refuses a missing programme and a superuser. */
extern Oid mbr_program_owner(Oid *program);

#endif
