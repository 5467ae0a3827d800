/* session.c - enter and leave. */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "store/session.h"
#include "store/table.h"
#include "util/error.h"

Oid
mbr_program_owner(Oid *program)
{
    Oid schema = get_namespace_oid("membership", true);
    Oid table = OidIsValid(schema) ? get_relname_relid("program", schema) : InvalidOid;
    HeapTuple tuple;
    Oid owner;

    tuple = OidIsValid(table) ? SearchSysCache1(RELOID, ObjectIdGetDatum(table)) : NULL;
    if (!HeapTupleIsValid(tuple))
        ereport(ERROR, (errcode(MBR_ERR_NO_PROGRAM), errmsg("no programme has been set up in this database"),
                        errdetail("Table membership.program does not exist."),
                        errhint("Run SELECT membership.create_program(name, time_zone).")));
    owner = ((Form_pg_class)GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    *program = table;
    if (superuser_arg(owner))
        ereport(ERROR,
                (errcode(MBR_ERR_OWNER_SUPERUSER), errmsg("the programme's tables are owned by a superuser"),
                 errdetail("The engine acts with the rights of role \"%s\", the tables' owner.",
                           GetUserNameFromId(owner, false)),
                 errhint("Run SELECT membership.set_owner(role) with a role that is no superuser.")));
    return owner;
}

void
mbr_set(const MbrSession *session, const char *setting, const char *value)
{
    Assert(session->guc_level > 0);
    (void)set_config_option(setting, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

void
mbr_enter(MbrSession *session, bool read_only)
{
    session->owner = mbr_program_owner(&session->program);
    session->read_only = read_only;
    if (!read_only) { /* rows are written without a statement that would ask */
        PreventCommandIfReadOnly("a posting");
        PreventCommandIfParallelMode("a posting");
    }
    session->context = CurrentMemoryContext;
    session->tables = NULL;
    GetUserIdAndSecContext(&session->caller, &session->saved_security_context);
    SetUserIdAndSecContext(session->owner, session->saved_security_context | SECURITY_LOCAL_USERID_CHANGE);
    session->guc_level = NewGUCNestLevel();
    mbr_set(session, "search_path", "pg_catalog, pg_temp");
    /*
     * What posts finds its rows by key. Planned while a table was empty, a statement would scan it for as
     * long as the session keeps the plan: a go-live import in one transaction grew quadratic that way. And a
     * scan that there is no way around, costed as if forbidden, must not make the planner think that
     * compiling pays.
     */
    mbr_set(session, "jit", "off");
    if (!read_only)
        mbr_set(session, "enable_seqscan", "off");
    if (SPI_connect() != SPI_OK_CONNECT)
        elog(ERROR, "could not connect to SPI");
    MemoryContextSwitchTo(session->context);
}

void
mbr_leave(MbrSession *session)
{
    mbr_tables_close(session);
    if (SPI_finish() != SPI_OK_FINISH)
        elog(ERROR, "could not leave SPI");
    AtEOXact_GUC(true, session->guc_level);
    SetUserIdAndSecContext(session->caller, session->saved_security_context);
}
