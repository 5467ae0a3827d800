/*
 * table.h - the hot tables, read and written through the executor's simple-relation calls.
 *
 * These are the calls that the logical replication apply worker uses: constraints, indexes, row triggers,
 * defaults and generated columns are honoured; parser, planner and executor start-up are left out. What such
 * calls cannot do as SQL would (partitioned or foreign tables, rules, forced row security, statement
 * triggers) is refused by name when a backend first meets it.
 */
#ifndef MBR_STORE_TABLE_H
#define MBR_STORE_TABLE_H

#include "postgres.h"

#include "store/plan.h"
#include "store/session.h"

#define MBR_WALLET_POINTS 1

typedef enum MbrTableId {
    MBR_TABLE_PROGRAM,
    MBR_TABLE_MEMBER,
    MBR_TABLE_ACCOUNT,
    MBR_TABLE_RECEIPT,
    MBR_TABLE_JOURNAL,
    MBR_TABLE_LEDGER_ENTRY,
    MBR_TABLE_LOT,
    MBR_TABLE_ACTIVITY_DAY,
    MBR_TABLE_MERCHANT_SPLIT,
    MBR_TABLE_COUNT
} MbrTableId;

/* The columns that the engine knows, primary key first; a table may have more. */
enum { MBR_PROGRAM_ID, MBR_PROGRAM_CONFIG_VERSION };
enum {
    MBR_MEMBER_ID,
    MBR_MEMBER_STATUS,
    MBR_MEMBER_TIER_ID,
    MBR_MEMBER_TIER_SINCE,
    MBR_MEMBER_TIER_LOCKED_UNTIL,
    MBR_MEMBER_ENROLLED_AT,
    MBR_MEMBER_BIRTHDAY,
    MBR_MEMBER_SOURCE,
    MBR_MEMBER_TAGS,
    MBR_MEMBER_ATTRIBUTES
};
enum {
    MBR_ACCOUNT_MEMBER_ID,
    MBR_ACCOUNT_WALLET_ID,
    MBR_ACCOUNT_BALANCE,
    MBR_ACCOUNT_HELD,
    MBR_ACCOUNT_DEBT,
    MBR_ACCOUNT_NEXT_JOURNAL_NO,
    MBR_ACCOUNT_NEXT_ENTRY_NO,
    MBR_ACCOUNT_NEXT_EXPIRY,
    MBR_ACCOUNT_ORDER_SPENDS,
    MBR_ACCOUNT_LAST_POSTED_AT
};
enum {
    MBR_LOT_MEMBER_ID,
    MBR_LOT_WALLET_ID,
    MBR_LOT_NO,
    MBR_LOT_JOURNAL_NO,
    MBR_LOT_GRANTED,
    MBR_LOT_ACTIVE_AT,
    MBR_LOT_EXPIRES_AT,
    MBR_LOT_ORIGIN,
    MBR_LOT_REMAINING,
    MBR_LOT_HELD
};
enum {
    MBR_ACTIVITY_MEMBER_ID,
    MBR_ACTIVITY_DAY,
    MBR_ACTIVITY_PURCHASES,
    MBR_ACTIVITY_BASIS,
    MBR_ACTIVITY_POINTS,
    MBR_ACTIVITY_GROWTH,
    MBR_ACTIVITY_REDEEMED,
    MBR_ACTIVITY_REFUNDED_OF,
    MBR_ACTIVITY_REFUNDED_ON
};

typedef struct MbrTable MbrTable;

/* Opens a table for the session, to write into it if asked; open ones are closed by mbr_tables_close(). */
extern MbrTable *mbr_table_open(MbrSession *session, MbrTableId id, bool write);
/* Later reads of the session see what was committed until then. */
extern void mbr_tables_refresh(MbrSession *session);
/*
 * For a batch, which contains errors of single rows by subtransactions: what a subtransaction uses must have
 * been opened before it, must hold no row or scan when it ends, and is forgotten, not closed, when it was
 * opened inside and the subtransaction aborted.
 */
extern void mbr_tables_prepare(MbrSession *session);
extern void mbr_tables_rest(MbrSession *session);
extern void mbr_tables_forget(MbrSession *session);

/* Ends what was opened: queued AFTER triggers fire here. mbr_leave() calls it. */
extern void mbr_tables_close(MbrSession *session);

/* Finds a row by its primary key in a fresh snapshot (the caller's in a read-only session); it becomes
 * current. */
extern bool mbr_table_find(MbrTable *table, const Datum *key);
/* Where the current row is, for mbr_table_find_at(); never 0 or negative. */
extern int64 mbr_table_place(const MbrTable *table);
/* Finds a row by its key, first looking where it was before (0 = nowhere). */
extern bool mbr_table_find_at(MbrTable *table, int64 place, const Datum *key);
/*
 * Locks the current row FOR NO KEY UPDATE, waiting for another's lock or passing by; it is then its newest
 * version.
 */
typedef enum MbrLocked { MBR_LOCKED, MBR_NOT_THERE, MBR_LOCKED_BY_ANOTHER } MbrLocked;
extern MbrLocked mbr_table_lock(MbrTable *table, bool wait);
/* Rows whose key begins with nkeys values, in key order; above, if not null, bounds the next key column
 * below. */
extern void mbr_table_scan(MbrTable *table, const Datum *key, int nkeys, const Datum *above);
extern bool mbr_table_next(MbrTable *table);

/* A column of the current row. */
extern Datum mbr_table_get(MbrTable *table, int column, bool *isnull);
extern int16 mbr_table_get_int2(MbrTable *table, int column); /* null = 0, as the next */
extern int32 mbr_table_get_int4(MbrTable *table, int column);
extern int64 mbr_table_get_int8(MbrTable *table, int column, int64 if_null);

/* Inserts a row of all known columns; other columns get their defaults. */
extern void mbr_table_insert(MbrTable *table, const MbrArgs *row);
/*
 * The same, ON CONFLICT with the primary key DO NOTHING; false = nothing was done. Of rows that wait a
 * conflict is an error when they are written. Only receipts are claimed.
 */
extern bool mbr_table_claim(MbrTable *table, const MbrArgs *row);
/*
 * Between these two, what is inserted may wait, to be written many rows at a time, as COPY does it. Values
 * that are passed by reference must stay until then.
 */
extern void mbr_tables_collect(MbrSession *session);
extern void mbr_tables_flush(MbrSession *session);
/* Updates the current row: the known columns from one on. It was found or locked in this transaction. */
extern void mbr_table_update(MbrTable *table, int from, const MbrArgs *values);
extern void mbr_table_delete(MbrTable *table);

#endif
