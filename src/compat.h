/* compat.h - the only place that knows which PostgreSQL it is compiled for. */
#ifndef MBR_COMPAT_H
#define MBR_COMPAT_H

#include "postgres.h"

#include "access/genam.h"
#include "executor/executor.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/relcache.h"
#if PG_VERSION_NUM >= 160000
#include "catalog/pg_proc.h"
#include "parser/parse_relation.h"
#endif

/* 18 added a parameter for instrumentation. */
static inline IndexScanDesc
mbr_index_beginscan(Relation table, Relation index, Snapshot snapshot, int nkeys)
{
#if PG_VERSION_NUM >= 180000
    return index_beginscan(table, index, snapshot, NULL, nkeys, 0);
#else
    return index_beginscan(table, index, snapshot, nkeys, 0);
#endif
}

/* 16 moved what is updated from the range table's entry to its permission info; 18 wants unpruned relations.
 */
static inline void
mbr_init_range_table(EState *estate, RangeTblEntry *entry, Bitmapset *updated)
{
#if PG_VERSION_NUM >= 160000
    List *permissions = NIL;

    addRTEPermissionInfo(&permissions, entry)->updatedCols = updated;
#if PG_VERSION_NUM >= 180000
    ExecInitRangeTable(estate, list_make1(entry), permissions, bms_make_singleton(1));
#else
    ExecInitRangeTable(estate, list_make1(entry), permissions);
#endif
#else
    entry->updatedCols = updated;
    ExecInitRangeTable(estate, list_make1(entry));
#endif
}

static inline bool
mbr_may_execute(Oid role, Oid function)
{
#if PG_VERSION_NUM >= 160000
    return object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE) == ACLCHECK_OK;
#else
    return pg_proc_aclcheck(function, role, ACL_EXECUTE) == ACLCHECK_OK;
#endif
}

static inline Oid
mbr_primary_key_index(Relation table)
{
#if PG_VERSION_NUM >= 180000
    return RelationGetPrimaryKeyIndex(table, false);
#else
    return RelationGetPrimaryKeyIndex(table);
#endif
}

/* 16 added a parameter for updates that touch only summarizing indexes. Without arbiters a duplicate is an
 * error.
 */
static inline List *
mbr_insert_index_tuples(ResultRelInfo *result, TupleTableSlot *slot, EState *estate, bool *conflict,
                        List *arbiters)
{
#if PG_VERSION_NUM >= 160000
    return ExecInsertIndexTuples(result, slot, estate, false, arbiters != NIL, conflict, arbiters, false);
#else
    return ExecInsertIndexTuples(result, slot, estate, false, arbiters != NIL, conflict, arbiters);
#endif
}

/* 18 added the row's own place, which a row not yet inserted has not. */
static inline bool
mbr_check_index_constraints(ResultRelInfo *result, TupleTableSlot *slot, EState *estate, ItemPointer conflict,
                            List *arbiters)
{
#if PG_VERSION_NUM >= 180000
    ItemPointerData nowhere;

    ItemPointerSetInvalid(&nowhere);
    return ExecCheckIndexConstraints(result, slot, estate, conflict, &nowhere, arbiters);
#else
    return ExecCheckIndexConstraints(result, slot, estate, conflict, arbiters);
#endif
}

static inline void
mbr_eval_plan_qual_init(EPQState *epq, EState *estate)
{
#if PG_VERSION_NUM >= 160000
    EvalPlanQualInit(epq, estate, NULL, NIL, -1, NIL);
#else
    EvalPlanQualInit(epq, estate, NULL, NIL, -1);
#endif
}

#endif
