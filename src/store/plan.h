/*
 * plan.h - every SQL statement of the engine, prepared once per backend.
 *
 * Texts are constant, names in them qualified, values only ever parameters. The plan cache follows changes of
 * the tables; a statement is found by its number alone.
 */
#ifndef MBR_STORE_PLAN_H
#define MBR_STORE_PLAN_H

#include "postgres.h"

#include "executor/spi.h"
#include "utils/date.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "store/session.h"

typedef enum MbrPlan {
    /* configuration */
    MBR_PLAN_PROGRAM,
    MBR_PLAN_TIERS,
    MBR_PLAN_MERCHANTS,
    MBR_PLAN_CONTRACTS,
    MBR_PLAN_FUNCTIONS,
    MBR_PLAN_TOUCH_PROGRAM,
    MBR_PLAN_CONFIG_VERSION,
    MBR_PLAN_NEXT_CONFIG_VERSION,
    MBR_PLAN_RULES,
    MBR_PLAN_BURN_RULES,
    MBR_PLAN_RECORD_RULE,
    MBR_PLAN_RULE_UNKNOWN,
    MBR_PLAN_RULE_RIVAL,
    /* load */
    MBR_PLAN_BOUGHT_AT,
    MBR_PLAN_BOUGHT_CATEGORY,
    MBR_PLAN_PAST_TIER,
    MBR_PLAN_FIND_PAST_TIER,
    /* claims */
    MBR_PLAN_FIND_RECEIPT,
    MBR_PLAN_FIND_RECEIPTS,
    MBR_PLAN_CLAIM_RECEIPT_REF,
    MBR_PLAN_FIND_RECEIPT_REF,
    MBR_PLAN_CLAIM_KEY,
    MBR_PLAN_FIND_KEY,
    MBR_PLAN_FIND_KEY_AMONG,
    MBR_PLAN_LOAD_JOURNAL,
    MBR_PLAN_LOAD_LINES,
    MBR_PLAN_SALE_RULES,
    MBR_PLAN_SALE_CELLS,
    MBR_PLAN_SALE_SPENT,
    MBR_PLAN_REVIEW_DECISION,
    MBR_PLAN_LOAD_FACTS,
    MBR_PLAN_CORRECTED_AS,
    /* refunds */
    MBR_PLAN_FIND_REFUND_CLAIM,
    MBR_PLAN_ADD_REFUND_CLAIM,
    MBR_PLAN_PLACE_RECEIPT,
    MBR_PLAN_KEEP_PLACE,
    MBR_PLAN_TAKE_PLACE,
    MBR_PLAN_MOVE_RECEIPT,
    MBR_PLAN_PARK_REFUND,
    MBR_PLAN_PARKED_REFUNDS,
    MBR_PLAN_END_PARKED,
    MBR_PLAN_CLOSE_REFUND,
    MBR_PLAN_FIND_CLOSED_REFUND,
    MBR_PLAN_LAST_REFUND,
    MBR_PLAN_SUM_REFUNDS,
    MBR_PLAN_INSERT_REFUND,
    MBR_PLAN_LOAD_REFUND,
    MBR_PLAN_SPENT_PARTS,
    MBR_PLAN_AWARD_LOTS,
    MBR_PLAN_MOVED_LOTS,
    MBR_PLAN_EXPIRED_OF_LOTS,
    MBR_PLAN_SUM_EXCHANGES,
    MBR_PLAN_FIND_EXCHANGE,
    MBR_PLAN_INSERT_EXCHANGE,
    /* apply */
    MBR_PLAN_INSERT_RULE_FAILURE,
    MBR_PLAN_INSERT_CONTEXT,
    MBR_PLAN_UPDATE_TIER,
    MBR_PLAN_CLOSE_TIER_HISTORY,
    MBR_PLAN_OPEN_TIER_HISTORY,
    /* spending */
    MBR_PLAN_LOAD_HOLDS,
    MBR_PLAN_HOLD_FACTS,
    MBR_PLAN_FIND_HOLD_END,
    MBR_PLAN_INSERT_HOLD,
    MBR_PLAN_INSERT_HOLD_LOT,
    MBR_PLAN_DELETE_HOLD,
    MBR_PLAN_FIND_ORDER_SPENDS,
    MBR_PLAN_INSERT_ORDER_SPEND,
    MBR_PLAN_DELETE_ORDER_SPEND,
    MBR_PLAN_TAKEN_BY,
    MBR_PLAN_LOAD_SPLITS,
    MBR_PLAN_SENT_ON,
    /* members */
    MBR_PLAN_FIND_IDENTITY,
    MBR_PLAN_CLAIM_IDENTITY,
    MBR_PLAN_DELETE_IDENTITY,
    MBR_PLAN_NEXT_MEMBER_ID,
    MBR_PLAN_INSERT_MEMBER,
    MBR_PLAN_INSERT_ACCOUNT,
    MBR_PLAN_FIND_ENROLMENT,
    MBR_PLAN_UPDATE_MEMBER,
    MBR_PLAN_UPDATE_STATUS,
    MBR_PLAN_UPDATE_TAGS,
    /* merged members */
    MBR_PLAN_ANY_ALIAS,
    MBR_PLAN_FIND_SURVIVOR,
    MBR_PLAN_FIND_SURVIVORS,
    MBR_PLAN_FIND_ALIASES,
    MBR_PLAN_ANY_REVIEW,
    MBR_PLAN_LOAD_ORDER_SPENDS,
    MBR_PLAN_MOVE_ACTIVITY,
    MBR_PLAN_ADD_ACTIVITY,
    MBR_PLAN_CLEAR_ACTIVITY,
    MBR_PLAN_CLEAR_ORDER_SPENDS,
    MBR_PLAN_MOVE_IDENTITIES,
    MBR_PLAN_MERGE_PERSON,
    MBR_PLAN_TAKE_TIER,
    MBR_PLAN_PROLONG_TIER,
    MBR_PLAN_MOVE_ALIASES,
    MBR_PLAN_INSERT_ALIAS,
    /* erased members */
    MBR_PLAN_ERASE_IDENTITIES,
    MBR_PLAN_ERASE_PERSON,
    MBR_PLAN_ERASE_CONTEXT,
    MBR_PLAN_ERASE_FAILURES,
    MBR_PLAN_ERASE_ACCRUAL_ERRORS,
    /* accrual errors */
    MBR_PLAN_INSERT_ACCRUAL_ERROR,
    MBR_PLAN_LOCK_ACCRUAL_ERRORS,
    MBR_PLAN_DELETE_ACCRUAL_ERROR,
    MBR_PLAN_UPDATE_ACCRUAL_ERROR,
    /* reading */
    MBR_PLAN_STATEMENT,
    MBR_PLAN_BALANCE_AT,
    MBR_PLAN_VERIFY_ALL,
    MBR_PLAN_VERIFY_ONE,
    /* sweeps */
    MBR_PLAN_START_RUN,
    MBR_PLAN_NOTE_RUN,
    MBR_PLAN_FAIL_RUN,
    MBR_PLAN_DUE_HOLDS,
    MBR_PLAN_ANNOUNCE_UNTIL,
    MBR_PLAN_ANNOUNCE,
    MBR_PLAN_PRUNE_BEFORE,
    MBR_PLAN_OLD_CONTEXTS,
    MBR_PLAN_PRUNE_CONTEXTS,
    MBR_PLAN_COUNT
} MbrPlan;

/* Parameters, in order; adders below. */
#define MBR_MAX_ARGS 40

typedef struct MbrArgs {
    Datum values[MBR_MAX_ARGS];
    char nulls[MBR_MAX_ARGS];
    int n;
} MbrArgs;

#define MBR_NO_ARGS ((MbrArgs){.n = 0})

extern void mbr_arg_datum(MbrArgs *args, Datum value, bool isnull);
extern void mbr_arg_int8(MbrArgs *args, int64 value);
extern void mbr_arg_int4(MbrArgs *args, int32 value);
extern void mbr_arg_int2(MbrArgs *args, int16 value);
extern void mbr_arg_bool(MbrArgs *args, bool value);
extern void mbr_arg_text(MbrArgs *args, const char *value); /* NULL = null */
extern void mbr_arg_time(MbrArgs *args, TimestampTz value); /* MBR_NEVER = null */
extern void mbr_arg_date(MbrArgs *args, DateADT value);
extern void mbr_arg_money(MbrArgs *args, int64 value, int digits);
extern void mbr_arg_jsonb(MbrArgs *args, Jsonb *value);          /* NULL = null */
extern void mbr_arg_json_text(MbrArgs *args, const char *value); /* NULL = null */
extern void mbr_arg_null(MbrArgs *args);

/* Runs a statement; returns the number of rows, which are in SPI_tuptable until the next one. */
extern uint64 mbr_plan_run(MbrSession *session, MbrPlan plan, MbrArgs *args);

/* Columns of a row of SPI_tuptable, counted from 1. A null becomes the given value. */
extern bool mbr_col_null(uint64 row, int col);
extern Datum mbr_col_datum(uint64 row, int col);
extern Datum mbr_col_copy(uint64 row, int col); /* in CurrentMemoryContext */
extern int64 mbr_col_int8(uint64 row, int col, int64 if_null);
extern int32 mbr_col_int4(uint64 row, int col, int32 if_null);
extern bool mbr_col_bool(uint64 row, int col);
extern char *mbr_col_text(uint64 row, int col);              /* in CurrentMemoryContext; NULL for null */
extern Jsonb *mbr_col_jsonb(uint64 row, int col);            /* likewise */
extern int64 mbr_col_money(uint64 row, int col, int digits); /* null = 0 */

#endif
