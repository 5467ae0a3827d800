/*
 * table.c - one open table: columns by name, scans by primary key, writes through the executor.
 *
 * A table's column numbers are looked up once per backend and forgotten when its relcache entry is
 * invalidated, so a DBA's ADD COLUMN or DROP COLUMN is followed.
 */
#include "compat.h"

#include "access/skey.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/trigger.h"
#include "executor/nodeModifyTable.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "storage/lmgr.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "store/table.h"
#include "util/error.h"

#define MAX_COLUMNS 40
#define MAX_KEYS 3
#define MAX_WAITING 64 /* rows written at a time: about a page of them */

/* What is done to a table here; member and program are written by SQL. */
typedef enum TableUse { READ_ONLY, INSERT_ONLY, CLAIMED, WRITTEN } TableUse;

typedef struct TableDef {
    const char *name;
    TableUse use;
    const char *key_types; /* one letter a primary key column: L bigint, S smallint, I integer, D date, T text
                              (not to be searched by) */
    int ncolumns;
    const char *columns[MAX_COLUMNS];
} TableDef;

static const TableDef defs[MBR_TABLE_COUNT] = {
    [MBR_TABLE_PROGRAM] = {"program", READ_ONLY, "S", 2, {"program_id", "config_version"}},
    [MBR_TABLE_MEMBER] = {"member",
                          READ_ONLY,
                          "L",
                          10,
                          {"member_id", "status", "tier_id", "tier_since", "tier_locked_until", "enrolled_at",
                           "birthday", "source", "tags", "attributes"}},
    [MBR_TABLE_ACCOUNT] = {"account",
                           WRITTEN,
                           "LS",
                           10,
                           {"member_id", "wallet_id", "balance", "held", "debt", "next_journal_no",
                            "next_entry_no", "next_expiry", "order_spends", "last_posted_at"}},
    [MBR_TABLE_RECEIPT] = {"receipt",
                           CLAIMED,
                           "IT",
                           5,
                           {"merchant_id", "order_ref", "member_id", "journal_no", "payload_hash"}},
    [MBR_TABLE_JOURNAL] = {"journal",
                           INSERT_ONLY,
                           "LL",
                           37,
                           {"member_id",
                            "journal_no",
                            "verb",
                            "occurred_at",
                            "posted_at",
                            "day",
                            "actor",
                            "login",
                            "points",
                            "balance",
                            "last_entry_no",
                            "reason",
                            "refers_to",
                            "merchant_id",
                            "order_ref",
                            "channel",
                            "amount",
                            "basis",
                            "merchant_collected",
                            "status",
                            "reason_code",
                            "points_wanted",
                            "base_points",
                            "available_at",
                            "expires_at",
                            "base_rate",
                            "rounding",
                            "tier_id",
                            "tier_multiplier",
                            "tier_after",
                            "tier_changed",
                            "lines",
                            "rules",
                            "growth",
                            "purpose",
                            "counterpart_id",
                            "tenders"}},
    [MBR_TABLE_LEDGER_ENTRY] = {"ledger_entry",
                                INSERT_ONLY,
                                "LSL",
                                11,
                                {"member_id", "wallet_id", "entry_no", "journal_no", "lot_no", "points",
                                 "balance_after", "active_at", "expires_at", "origin", "moved_from"}},
    [MBR_TABLE_LOT] = {"lot",
                       WRITTEN,
                       "LSL",
                       10,
                       {"member_id", "wallet_id", "lot_no", "journal_no", "granted", "active_at",
                        "expires_at", "origin", "remaining", "held"}},
    [MBR_TABLE_ACTIVITY_DAY] = {"activity_day",
                                WRITTEN,
                                "LD",
                                9,
                                {"member_id", "day", "purchases", "basis", "points_earned", "growth",
                                 "points_redeemed", "refunded_of_day", "refunded_on_day"}},
    [MBR_TABLE_MERCHANT_SPLIT] = {"merchant_split",
                                  INSERT_ONLY,
                                  "LLI",
                                  9,
                                  {"member_id", "journal_no", "split_no", "merchant_id", "kind",
                                   "payer_party_id", "payee_party_id", "amount", "points"}},
};

/* What is known of a table between calls; relid is invalid until looked up, and after an invalidation. */
typedef struct TableMap {
    Oid relid;
    Oid index; /* of the primary key */
    AttrNumber attno[MAX_COLUMNS];
} TableMap;

static TableMap maps[MBR_TABLE_COUNT];
static bool callback_registered = false;

struct MbrTable {
    MbrSession *session;
    MbrTableId id;
    Relation relation;
    Relation index;
    TupleTableSlot *current; /* the row found */
    IndexScanDesc scan;      /* the last one, for the next; NULL = none */

    /* of a table that is written */
    EState *estate; /* NULL = not written */
    ResultRelInfo *result;
    TupleTableSlot *fresh; /* the row to write */
    EPQState epq;
    ExprState **defaults; /* by attribute number - 1; of columns the engine does not know */
    bool may_wait;        /* inserted rows may be collected */
    TupleTableSlot *waiting[MAX_WAITING];
    int nwaiting;
};

/* A session's open tables, and the snapshot it reads by. */
struct MbrTables {
    MbrTable *open[MBR_TABLE_COUNT];
    Snapshot snapshot; /* registered; NULL = none yet */
    bool writing;
    bool collecting;
};

static void
forget_map(Datum arg, Oid relid)
{
    for (int i = 0; i < MBR_TABLE_COUNT; i++)
        if (relid == InvalidOid || maps[i].relid == relid)
            maps[i].relid = InvalidOid;
}

static void
refuse_table(Relation relation, const char *what)
{
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("table \"%s\" cannot be used: it has %s", RelationGetRelationName(relation), what),
                    errdetail("The engine writes this table row by row, which cannot honour that."),
                    errhint("Undo that change of the table.")));
}

/* Of the statements that the engine makes on the table: history is only inserted into, else guarded. */
static bool
has_statement_triggers(const TriggerDesc *triggers, TableUse use)
{
    if (triggers == NULL || use == READ_ONLY)
        return false;
    if (triggers->trig_insert_before_statement || triggers->trig_insert_after_statement ||
        triggers->trig_insert_new_table)
        return true;
    return use == WRITTEN &&
           (triggers->trig_update_before_statement || triggers->trig_update_after_statement ||
            triggers->trig_delete_before_statement || triggers->trig_delete_after_statement ||
            triggers->trig_update_old_table || triggers->trig_update_new_table ||
            triggers->trig_delete_old_table);
}

static void
check_table(Relation relation, const TableDef *def)
{
    if (relation->rd_rel->relkind != RELKIND_RELATION)
        refuse_table(relation, "another kind than an ordinary table");
    if (relation->rd_rel->relforcerowsecurity)
        refuse_table(relation, "forced row level security");
    if (relation->rd_rules != NULL && def->use != READ_ONLY)
        refuse_table(relation, "rules");
    if (has_statement_triggers(relation->trigdesc, def->use))
        refuse_table(relation, "statement level triggers");
    if (!OidIsValid(mbr_primary_key_index(relation)))
        refuse_table(relation, "no primary key");
}

static TableMap *
map_of(MbrTableId id)
{
    const TableDef *def = &defs[id];
    TableMap *map = &maps[id];
    Oid relid;
    Relation relation;

    if (OidIsValid(map->relid))
        return map;
    if (!callback_registered) {
        CacheRegisterRelcacheCallback(forget_map, (Datum)0);
        callback_registered = true;
    }
    relid = get_relname_relid(def->name, get_namespace_oid("membership", false));
    if (!OidIsValid(relid))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                        errmsg("table \"membership.%s\" does not exist", def->name),
                        errdetail("It belongs to the programme."), errhint("Restore it from a backup.")));
    relation = table_open(relid, AccessShareLock);
    check_table(relation, def);
    map->index = mbr_primary_key_index(relation);
    for (int i = 0; i < def->ncolumns; i++) {
        map->attno[i] = get_attnum(relid, def->columns[i]);
        if (map->attno[i] == InvalidAttrNumber)
            ereport(ERROR,
                    (errcode(ERRCODE_UNDEFINED_COLUMN),
                     errmsg("column \"%s\" of \"membership.%s\" does not exist", def->columns[i], def->name),
                     errdetail("The engine's columns must stay."),
                     errhint("Run upgrade_program(), or restore the column.")));
    }
    map->relid = relid;
    table_close(relation, NoLock);
    return map;
}

static Snapshot
snapshot_of(MbrSession *session)
{
    MbrTables *tables = session->tables;

    if (session->read_only)
        return GetActiveSnapshot();
    if (tables->snapshot == NULL)
        tables->snapshot = RegisterSnapshot(GetTransactionSnapshot());
    return tables->snapshot;
}

static void
end_scan(MbrTable *table)
{
    if (table->scan != NULL)
        index_endscan(table->scan);
    table->scan = NULL;
}

/* And the scans that read by it. */
static void
drop_snapshot(MbrTables *tables)
{
    for (int i = 0; i < MBR_TABLE_COUNT; i++)
        if (tables->open[i] != NULL)
            end_scan(tables->open[i]);
    if (tables->snapshot != NULL)
        UnregisterSnapshot(tables->snapshot);
    tables->snapshot = NULL;
}

void
mbr_tables_refresh(MbrSession *session)
{
    if (session->tables != NULL)
        drop_snapshot(session->tables);
}

/* Opening may bring an invalidation of what the map says; then it is made anew. */
static Relation
open_relation(MbrTableId id, LOCKMODE lockmode)
{
    for (;;) {
        Relation relation = table_open(map_of(id)->relid, lockmode);

        if (maps[id].relid == RelationGetRelid(relation))
            return relation;
        table_close(relation, lockmode);
    }
}

/*
 * A column that the engine does not know gets its default, as INSERT would give it. A volatile one might look
 * at the table.
 */
static void
prepare_defaults(MbrTable *table)
{
    TupleDesc desc = RelationGetDescr(table->relation);
    const TableMap *map = &maps[table->id];

    table->defaults = NULL;
    if (desc->natts == defs[table->id].ncolumns)
        return;
    table->defaults = palloc0(sizeof(ExprState *) * desc->natts);
    for (int i = 0; i < desc->natts; i++) {
        Form_pg_attribute attribute = TupleDescAttr(desc, i);
        bool known = attribute->attisdropped || attribute->attgenerated != '\0';
        Expr *expression;

        for (int c = 0; c < defs[table->id].ncolumns && !known; c++)
            known = (map->attno[c] == i + 1);
        expression = known ? NULL : (Expr *)build_column_default(table->relation, i + 1);
        if (expression == NULL)
            continue;
        table->defaults[i] = ExecPrepareExpr(expression, table->estate);
        if (contain_volatile_functions_not_nextval((Node *)expression))
            table->may_wait = false;
    }
}

/* A trigger before a row may look at the table too. */
static bool
has_triggers_before_rows(const TriggerDesc *triggers)
{
    return triggers != NULL && (triggers->trig_insert_before_row || triggers->trig_update_before_row ||
                                triggers->trig_delete_before_row);
}

/* Which columns an update may change: all that the engine knows after the key. */
static Bitmapset *
updated_columns(const MbrTable *table)
{
    const TableDef *def = &defs[table->id];
    Bitmapset *updated = NULL;

    if (def->use != WRITTEN)
        return NULL;
    for (int c = strlen(def->key_types); c < def->ncolumns; c++)
        updated = bms_add_member(updated, maps[table->id].attno[c] - FirstLowInvalidHeapAttributeNumber);
    return updated;
}

static void
open_for_write(MbrTable *table)
{
    MemoryContext saved;
    RangeTblEntry *entry;

    table->estate = CreateExecutorState();
    saved = MemoryContextSwitchTo(table->estate->es_query_cxt);
    entry = makeNode(RangeTblEntry);
    entry->rtekind = RTE_RELATION;
    entry->relid = RelationGetRelid(table->relation);
    entry->relkind = table->relation->rd_rel->relkind;
    entry->rellockmode = RowExclusiveLock;
    mbr_init_range_table(table->estate, entry, updated_columns(table));
    table->estate->es_output_cid = GetCurrentCommandId(true);
    table->result = makeNode(ResultRelInfo);
    InitResultRelInfo(table->result, table->relation, 1, NULL, 0);
    ExecOpenIndices(table->result, defs[table->id].use == CLAIMED);
    table->fresh = MakeSingleTupleTableSlot(RelationGetDescr(table->relation), &TTSOpsVirtual);
    mbr_eval_plan_qual_init(&table->epq, table->estate);
    table->may_wait = !has_triggers_before_rows(table->relation->trigdesc);
    prepare_defaults(table);
    MemoryContextSwitchTo(saved);
    if (!table->session->tables->writing) {
        AfterTriggerBeginQuery();
        table->session->tables->writing = true;
    }
}

static void
open_index(MbrTable *table)
{
    if (table->index == NULL)
        table->index = index_open(maps[table->id].index, AccessShareLock);
}

/* As the SQL statements would: reading blocks no index build, locking rows and writing are more. */
static LOCKMODE
lock_mode(const MbrSession *session, MbrTableId id, bool write)
{
    if (write)
        return RowExclusiveLock;
    return id == MBR_TABLE_ACCOUNT && !session->read_only ? RowShareLock : AccessShareLock;
}

MbrTable *
mbr_table_open(MbrSession *session, MbrTableId id, bool write)
{
    MemoryContext saved = MemoryContextSwitchTo(session->context);
    MbrTable *table;

    if (session->tables == NULL)
        session->tables = palloc0(sizeof(MbrTables));
    table = session->tables->open[id];
    if (table == NULL) {
        table = palloc0(sizeof(MbrTable));
        table->session = session;
        table->id = id;
        table->relation = open_relation(id, lock_mode(session, id, write));
        table->current = table_slot_create(table->relation, NULL);
        session->tables->open[id] = table;
    }
    if (write && table->estate == NULL) {
        LockRelation(table->relation, RowExclusiveLock);
        open_for_write(table);
    }
    MemoryContextSwitchTo(saved);
    return table;
}

static void
close_table(MbrTable *table)
{
    end_scan(table);
    ExecDropSingleTupleTableSlot(table->current);
    if (table->index != NULL)
        index_close(table->index, NoLock);
    if (table->estate != NULL) {
        ExecDropSingleTupleTableSlot(table->fresh);
        EvalPlanQualEnd(&table->epq);
        ExecCloseIndices(table->result);
        ExecResetTupleTable(table->estate->es_tupleTable, false);
        FreeExecutorState(table->estate);
    }
    table_close(table->relation, NoLock);
}

void
mbr_tables_prepare(MbrSession *session)
{
    const MbrTableId read[] = {MBR_TABLE_PROGRAM, MBR_TABLE_MEMBER, MBR_TABLE_ACCOUNT, MBR_TABLE_LOT,
                               MBR_TABLE_ACTIVITY_DAY};

    for (int i = 0; i < (int)lengthof(read); i++)
        open_index(mbr_table_open(session, read[i], false));
    (void)snapshot_of(session);
}

void
mbr_tables_rest(MbrSession *session)
{
    for (int i = 0; session->tables != NULL && i < MBR_TABLE_COUNT; i++) {
        MbrTable *table = session->tables->open[i];

        if (table != NULL) {
            end_scan(table);
            ExecClearTuple(table->current);
        }
    }
}

void
mbr_tables_forget(MbrSession *session)
{
    session->tables = NULL;
}

/* AFTER triggers may look at the tables, so all of them fire before any is closed. */
void
mbr_tables_close(MbrSession *session)
{
    MbrTables *tables = session->tables;

    if (tables == NULL)
        return;
    if (tables->writing) {
        EState *any = NULL;

        for (int i = 0; i < MBR_TABLE_COUNT; i++)
            if (tables->open[i] != NULL && tables->open[i]->estate != NULL)
                any = tables->open[i]->estate;
        AfterTriggerEndQuery(any);
        ExecCloseResultRelations(any); /* those that the triggers opened */
        CommandCounterIncrement();
    }
    drop_snapshot(tables);
    for (int i = 0; i < MBR_TABLE_COUNT; i++)
        if (tables->open[i] != NULL)
            close_table(tables->open[i]);
    session->tables = NULL;
}

/* ------------------------------------------------------------------ reading */

static void write_waiting(MbrTable *table);

static RegProcedure
equal_proc(char type)
{
    switch (type) {
        case 'L':
            return F_INT8EQ;
        case 'I':
            return F_INT4EQ;
        case 'S':
            return F_INT2EQ;
    }
    return F_DATE_EQ;
}

void
mbr_table_scan(MbrTable *table, const Datum *key, int nkeys, const Datum *above)
{
    const char *types = defs[table->id].key_types;
    ScanKeyData keys[MAX_KEYS];
    int n;

    if (table->nwaiting > 0)
        write_waiting(table);
    open_index(table);
    for (n = 0; n < nkeys; n++)
        ScanKeyInit(&keys[n], n + 1, BTEqualStrategyNumber, equal_proc(types[n]), key[n]);
    if (above != NULL) { /* only days and members are asked for so */
        Assert(types[n] == 'D' || types[n] == 'L');
        ScanKeyInit(&keys[n], n + 1, BTGreaterStrategyNumber, types[n] == 'D' ? F_DATE_GT : F_INT8GT, *above);
        n++;
    }
    if (table->scan != NULL && table->scan->numberOfKeys != n)
        end_scan(table);
    if (table->scan == NULL)
        table->scan = mbr_index_beginscan(table->relation, table->index, snapshot_of(table->session), n);
    index_rescan(table->scan, keys, n, NULL, 0);
}

bool
mbr_table_next(MbrTable *table)
{
    return index_getnext_slot(table->scan, ForwardScanDirection, table->current);
}

bool
mbr_table_find(MbrTable *table, const Datum *key)
{
    mbr_table_scan(table, key, strlen(defs[table->id].key_types), NULL);
    return mbr_table_next(table);
}

int64
mbr_table_place(const MbrTable *table)
{
    const ItemPointerData *tid = &table->current->tts_tid;

    return (int64)ItemPointerGetBlockNumber(tid) << 16 | ItemPointerGetOffsetNumber(tid);
}

static bool
has_key(MbrTable *table, const Datum *key)
{
    TupleDesc desc = RelationGetDescr(table->relation);
    int nkeys = strlen(defs[table->id].key_types);

    for (int i = 0; i < nkeys; i++) {
        Form_pg_attribute column = TupleDescAttr(desc, maps[table->id].attno[i] - 1);
        bool isnull;

        if (!datumIsEqual(mbr_table_get(table, i, &isnull), key[i], column->attbyval, column->attlen))
            return false;
    }
    return true;
}

/*
 * The place saves a descent of the index, and is no more than a hint: a row that has moved, or another one in
 * its place, is noticed by snapshot and key.
 */
bool
mbr_table_find_at(MbrTable *table, int64 place, const Datum *key)
{
    ItemPointerData tid;

    ItemPointerSet(&tid, (BlockNumber)(place >> 16), (OffsetNumber)(place & 0xFFFF));
    return (place != 0 &&
            table_tuple_fetch_row_version(table->relation, &tid, snapshot_of(table->session),
                                          table->current) &&
            has_key(table, key)) ||
           mbr_table_find(table, key);
}

static void
raise_concurrent_update(void)
{
    ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                    errmsg("could not serialize access due to concurrent update"),
                    errhint("Retry the transaction.")));
}

/*
 * As SELECT ... FOR NO KEY UPDATE does it, with SKIP LOCKED if it is not to wait: at READ COMMITTED a row
 * changed meanwhile is locked in its newest version, above that it is a serialization failure.
 */
MbrLocked
mbr_table_lock(MbrTable *table, bool wait)
{
    uint8 flags = TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS;
    ItemPointerData tid;
    TM_FailureData failure;
    TM_Result result;

    if (!IsolationUsesXactSnapshot())
        flags |= TUPLE_LOCK_FLAG_FIND_LAST_VERSION;
    tid = table->current->tts_tid;
    result = table_tuple_lock(table->relation, &tid, snapshot_of(table->session), table->current,
                              GetCurrentCommandId(false), LockTupleNoKeyExclusive,
                              wait ? LockWaitBlock : LockWaitSkip, flags, &failure);
    if (result == TM_WouldBlock)
        return MBR_LOCKED_BY_ANOTHER;
    if (result != TM_Ok && IsolationUsesXactSnapshot())
        raise_concurrent_update();
    if (result != TM_Ok && result != TM_Deleted)
        elog(ERROR, "could not lock a row of \"%s\": %d", RelationGetRelationName(table->relation), result);
    return result == TM_Ok ? MBR_LOCKED : MBR_NOT_THERE;
}

Datum
mbr_table_get(MbrTable *table, int column, bool *isnull)
{
    return slot_getattr(table->current, maps[table->id].attno[column], isnull);
}

int16
mbr_table_get_int2(MbrTable *table, int column)
{
    bool isnull;
    Datum value = mbr_table_get(table, column, &isnull);

    return isnull ? 0 : DatumGetInt16(value);
}

int32
mbr_table_get_int4(MbrTable *table, int column)
{
    bool isnull;
    Datum value = mbr_table_get(table, column, &isnull);

    return isnull ? 0 : DatumGetInt32(value);
}

int64
mbr_table_get_int8(MbrTable *table, int column, int64 if_null)
{
    bool isnull;
    Datum value = mbr_table_get(table, column, &isnull);

    return isnull ? if_null : DatumGetInt64(value);
}

/* ------------------------------------------------------------------ writing */

static void
set_columns(const MbrTable *table, TupleTableSlot *slot, int from, const MbrArgs *values)
{
    for (int i = 0; i < values->n; i++) {
        int attno = maps[table->id].attno[from + i];

        slot->tts_values[attno - 1] = values->values[i];
        slot->tts_isnull[attno - 1] = (values->nulls[i] == 'n');
    }
}

static void
fill_slot(MbrTable *table, TupleTableSlot *slot, const MbrArgs *row)
{
    int natts = slot->tts_tupleDescriptor->natts;

    Assert(row->n == defs[table->id].ncolumns);
    ExecClearTuple(slot);
    memset(slot->tts_isnull, true, natts * sizeof(bool));
    for (int i = 0; table->defaults != NULL && i < natts; i++)
        if (table->defaults[i] != NULL)
            slot->tts_values[i] = ExecEvalExprSwitchContext(
                table->defaults[i], GetPerTupleExprContext(table->estate), &slot->tts_isnull[i]);
    set_columns(table, slot, 0, row);
    ExecStoreVirtualTuple(slot);
}

static TupleTableSlot *
waiting_slot(MbrTable *table)
{
    MemoryContext saved;

    if (table->waiting[table->nwaiting] == NULL) {
        saved = MemoryContextSwitchTo(table->estate->es_query_cxt);
        table->waiting[table->nwaiting] = table_slot_create(table->relation, &table->estate->es_tupleTable);
        MemoryContextSwitchTo(saved);
    }
    return table->waiting[table->nwaiting];
}

/* What ExecSimpleRelationInsert does with the row before it stores it. */
static void
check_row(MbrTable *table, TupleTableSlot *slot)
{
    const TupleConstr *constraints = RelationGetDescr(table->relation)->constr;

    if (constraints == NULL)
        return;
    if (constraints->has_generated_stored)
        ExecComputeStoredGenerated(table->result, table->estate, slot, CMD_INSERT);
    ExecConstraints(table->result, slot, table->estate);
}

/* And what it does from there on, for many rows. */
static void
write_waiting(MbrTable *table)
{
    EState *estate = table->estate;
    MemoryContext saved = MemoryContextSwitchTo(GetPerTupleMemoryContext(estate));

    table_multi_insert(table->relation, table->waiting, table->nwaiting, GetCurrentCommandId(true), 0, NULL);
    MemoryContextSwitchTo(saved);
    for (int i = 0; i < table->nwaiting; i++) {
        TupleTableSlot *slot = table->waiting[i];
        List *recheck = mbr_insert_index_tuples(table->result, slot, estate, NULL, NIL);

        ExecARInsertTriggers(estate, table->result, slot, recheck, NULL);
        list_free(recheck);
        ExecClearTuple(slot);
    }
    table->nwaiting = 0;
    ResetPerTupleExprContext(estate);
}

/* Lets a row wait to be written with others, where that is asked for and possible. */
static bool
collect(MbrTable *table, const MbrArgs *row)
{
    TupleTableSlot *slot;

    if (!table->session->tables->collecting || !table->may_wait)
        return false;
    slot = waiting_slot(table);
    fill_slot(table, slot, row);
    check_row(table, slot);
    if (++table->nwaiting == MAX_WAITING)
        write_waiting(table);
    return true;
}

void
mbr_table_insert(MbrTable *table, const MbrArgs *row)
{
    table->estate->es_snapshot = snapshot_of(table->session);
    if (collect(table, row))
        return;
    fill_slot(table, table->fresh, row);
    ExecSimpleRelationInsert(table->result, table->estate, table->fresh);
    ResetPerTupleExprContext(table->estate);
}

/* Above READ COMMITTED the row that has the key must be of the transaction's snapshot, or its own. */
static void
check_visible(MbrTable *table, ItemPointer tid)
{
    TupleTableSlot *slot = table->current;
    TransactionId inserter;
    bool isnull;

    if (!IsolationUsesXactSnapshot())
        return;
    if (!table_tuple_fetch_row_version(table->relation, tid, SnapshotAny, slot))
        elog(ERROR, "a row of \"%s\" is gone", RelationGetRelationName(table->relation));
    inserter = DatumGetTransactionId(slot_getsysattr(slot, MinTransactionIdAttributeNumber, &isnull));
    if (!TransactionIdIsCurrentTransactionId(inserter) &&
        !table_tuple_satisfies_snapshot(table->relation, slot, snapshot_of(table->session)))
        raise_concurrent_update();
}

/*
 * Two that take one key at the same time both insert; the one whose index entry comes second takes its row
 * back and, like one that comes later, waits for the other's end.
 */
static bool
insert_unless_taken(MbrTable *table, TupleTableSlot *slot)
{
    List *arbiters = list_make1_oid(maps[table->id].index);
    TransactionId xid = GetCurrentTransactionId();
    EState *estate = table->estate;
    ItemPointerData taken;
    bool conflict;
    List *recheck;

    do {
        uint32 token;

        CHECK_FOR_INTERRUPTS();
        if (!mbr_check_index_constraints(table->result, slot, estate, &taken, arbiters)) {
            check_visible(table, &taken);
            return false;
        }
        conflict = false;
        token = SpeculativeInsertionLockAcquire(xid);
        table_tuple_insert_speculative(table->relation, slot, GetCurrentCommandId(true), 0, NULL, token);
        recheck = mbr_insert_index_tuples(table->result, slot, estate, &conflict, arbiters);
        table_tuple_complete_speculative(table->relation, slot, token, !conflict);
        SpeculativeInsertionLockRelease(xid);
    } while (conflict);
    ExecARInsertTriggers(estate, table->result, slot, recheck, NULL);
    return true;
}

bool
mbr_table_claim(MbrTable *table, const MbrArgs *row)
{
    TriggerDesc *triggers = table->relation->trigdesc;
    TupleTableSlot *slot = table->fresh;
    bool claimed = true;

    table->estate->es_snapshot = snapshot_of(table->session);
    if (collect(table, row))
        return true;
    fill_slot(table, slot, row);
    if (triggers != NULL && triggers->trig_insert_before_row)
        claimed = ExecBRInsertTriggers(table->estate, table->result, slot);
    if (claimed) {
        check_row(table, slot);
        claimed = insert_unless_taken(table, slot);
    }
    ResetPerTupleExprContext(table->estate);
    return claimed;
}

void
mbr_tables_collect(MbrSession *session)
{
    if (session->tables == NULL)
        session->tables = palloc0(sizeof(MbrTables));
    session->tables->collecting = true;
}

void
mbr_tables_flush(MbrSession *session)
{
    for (int i = 0; i < MBR_TABLE_COUNT; i++) {
        MbrTable *table = session->tables->open[i];

        if (table != NULL && table->nwaiting > 0)
            write_waiting(table);
    }
    session->tables->collecting = false;
}

void
mbr_table_update(MbrTable *table, int from, const MbrArgs *values)
{
    TupleTableSlot *slot = ExecClearTuple(table->fresh);
    int natts = slot->tts_tupleDescriptor->natts;

    slot_getallattrs(table->current);
    memcpy(slot->tts_values, table->current->tts_values, natts * sizeof(Datum));
    memcpy(slot->tts_isnull, table->current->tts_isnull, natts * sizeof(bool));
    set_columns(table, slot, from, values);
    ExecStoreVirtualTuple(slot);
    table->estate->es_snapshot = snapshot_of(table->session);
    EvalPlanQualSetSlot(&table->epq, slot);
    ExecSimpleRelationUpdate(table->result, table->estate, &table->epq, table->current, slot);
    ResetPerTupleExprContext(table->estate);
}

void
mbr_table_delete(MbrTable *table)
{
    table->estate->es_snapshot = snapshot_of(table->session);
    EvalPlanQualSetSlot(&table->epq, table->current);
    ExecSimpleRelationDelete(table->result, table->estate, &table->epq, table->current);
    ResetPerTupleExprContext(table->estate);
}
