/*
 * import.c - opening data from another system: members, lots, purchases, tiers.
 *
 * Rows are read first, each by itself, and then posted in one subtransaction; when that fails on a row, they
 * are posted one by one, each in its own, so that a bad row costs only itself.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "api/refund.h"
#include "api/accrue.h"
#include "api/args.h"
#include "api/contain.h"
#include "api/enroll.h"
#include "api/event.h"
#include "api/member.h"
#include "api/purchase.h"
#include "api/result.h"
#include "engine/accrue.h"
#include "engine/adjust.h"
#include "engine/ledger.h"
#include "store/alias.h"
#include "store/apply.h"
#include "store/claim.h"
#include "store/table.h"
#include "store/tier.h"
#include "util/calendar.h"
#include "util/error.h"
#include "util/money.h"
#include "util/payload.h"

PG_FUNCTION_INFO_V1(membership_import_members);
PG_FUNCTION_INFO_V1(membership_import_lots);
PG_FUNCTION_INFO_V1(membership_import_purchases);
PG_FUNCTION_INFO_V1(membership_import_tiers);

#define MAX_ROWS 10000
#define MAX_FIELDS 7
#define RESULT_COLUMNS 6

typedef struct TierImport {
    int64 member_id;
    const char *tier;
    int64 since;
    int64 locked_until;
} TierImport;

typedef struct LotImport {
    int64 member_id;
    int64 points;
    const char *ref;
    const char *reason;
    int64 earned_at;
    int64 expires_at; /* DT_NOBEGIN = by the programme's rule */
} LotImport;

typedef struct PurchaseImport {
    MbrPurchaseArgs args;
    int64 points;
} PurchaseImport;

typedef struct Row {
    union {
        MbrEnrolment member;
        LotImport lot;
        PurchaseImport purchase;
        TierImport tier;
    } in;
    int64 member_id; /* outcome; 0 = none */
    int64 journal_no;
    bool duplicate;
    ErrorData *error;
} Row;

/* One kind of import: how a row is read from its columns, and how it is posted. */
typedef struct Kind {
    void (*read)(Row *row, FunctionCallInfo columns);
    void (*post)(MbrSession *session, Row *row);
} Kind;

typedef struct Import {
    const Kind *kind;
    MbrSession session;
    Row *rows;
    int n;
    Row *at;
    FunctionCallInfo columns;
} Import;

/* ------------------------------------------------------------------ members */

static void
read_member(Row *row, FunctionCallInfo columns)
{
    MbrEnrolment *call = &row->in.member;

    *call = (MbrEnrolment){.kind = mbr_get_text(columns, 0, "identity_kind", MBR_MAX_REF),
                           .value = mbr_get_text(columns, 1, "identity_value", MBR_MAX_REF),
                           .at = mbr_get_time(columns, 2, "enrolled_at"),
                           .source = mbr_get_optional_text(columns, 4, "source", MBR_MAX_REF),
                           .channel = mbr_get_optional_text(columns, 5, "channel", MBR_MAX_WORD),
                           .attributes = mbr_get_json_object(columns, 6, "attributes")};
    call->birthday = mbr_get_birthday(columns, 3, &call->no_birthday);
    if (call->channel == NULL)
        call->channel = "import";
}

static void
post_member(MbrSession *session, Row *row)
{
    MbrEnrolment call = row->in.member; /* a second try starts from what was read */

    mbr_enroll(session, &call);
    row->member_id = call.member_id;
    row->journal_no = 1;
    row->duplicate = !call.created;
}

/* ------------------------------------------------------------------ lots */

static void
read_lot(Row *row, FunctionCallInfo columns)
{
    LotImport *lot = &row->in.lot;
    bool never = !columns->args[5].isnull && DatumGetTimestampTz(columns->args[5].value) == DT_NOEND;

    *lot = (LotImport){.member_id = mbr_get_int8(columns, 0, "member_id"),
                       .points = mbr_get_points(columns, 1, false),
                       .ref = mbr_get_text(columns, 2, "ref", MBR_MAX_REF),
                       .reason = mbr_get_optional_text(columns, 3, "reason", MBR_MAX_NOTE),
                       .earned_at = mbr_get_time(columns, 4, "earned_at"),
                       .expires_at = never ? MBR_NEVER : mbr_get_time(columns, 5, "expires_at")};
    if (columns->args[5].isnull)
        lot->expires_at = DT_NOBEGIN;
    if (lot->reason == NULL)
        lot->reason = "import";
}

static void
post_lot(MbrSession *session, Row *row)
{
    const LotImport *lot = &row->in.lot;
    MbrLoad load = {
        .member_id = lot->member_id, .at = MBR_NEVER, .occurred_at = lot->earned_at, .new_lots = 1};
    int64 active_at, expires_at, hash;
    MbrPayload payload;
    MbrEvent first;
    MbrWork work;

    mbr_payload_init(&payload);
    mbr_payload_add_int(&payload, lot->points);
    mbr_payload_add_text(&payload, lot->reason);
    mbr_payload_add_time(&payload, lot->earned_at);
    mbr_payload_add_time(&payload, lot->expires_at);
    hash = mbr_payload_hash(&payload);
    mbr_load(session, &load, &work);
    mbr_settle(&work);
    row->member_id = load.member_id;
    row->journal_no = work.member.next_journal_no;
    row->duplicate = !mbr_take_ref(session, load.config, &work.member, MBR_VERB_OPENING, lot->ref, hash,
                                   row->journal_no, &first);
    if (row->duplicate) {
        row->journal_no = first.journal_no;
        return;
    }
    active_at = Min(work.occurred_at, work.posted_at);
    expires_at = lot->expires_at == DT_NOBEGIN
                     ? mbr_points_expire_at(load.config, NULL, work.day, work.occurred_at)
                     : lot->expires_at;
    if (expires_at < active_at)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("expires_at lies before earned_at"),
                 errdetail("Points cannot die before they were earned."), errhint("Check both times.")));
    (void)mbr_adjust(&work, MBR_VERB_OPENING, lot->points, active_at, expires_at, lot->reason);
    mbr_raise_refusal(&work);
    mbr_apply(session, &load, &work);
}

/* ------------------------------------------------------------------ purchases */

static void
read_purchase(Row *row, FunctionCallInfo columns)
{
    PurchaseImport *purchase = &row->in.purchase;
    MbrPurchaseArgs *args = &purchase->args;

    *args = (MbrPurchaseArgs){.member_id = mbr_get_int8(columns, 0, "member_id"),
                              .merchant_id = mbr_get_int4(columns, 1, "merchant_id"),
                              .order_ref = mbr_get_text(columns, 3, "order_ref", MBR_MAX_REF),
                              .occurred_at = mbr_get_time(columns, 4, "occurred_at"),
                              .channel = mbr_get_optional_text(columns, 5, "channel", MBR_MAX_WORD),
                              .at = MBR_NEVER};
    mbr_require(columns, 2, "amount");
    mbr_require(columns, 4, "occurred_at");
    args->amount = DatumGetNumeric(columns->args[2].value);
    purchase->points = mbr_get_int8(columns, 6, "points");
    if (purchase->points < 0 || purchase->points > MBR_MAX_POINTS)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("points must not be " INT64_FORMAT, purchase->points),
                        errdetail("A purchase awarded 0 to " INT64_FORMAT " points.", (int64)MBR_MAX_POINTS),
                        errhint("Pass the points of the old system.")));
    if (args->channel == NULL)
        args->channel = "import";
}

static void
post_purchase(MbrSession *session, Row *row)
{
    const PurchaseImport *import = &row->in.purchase;
    const MbrPurchaseArgs *args = &import->args;
    MbrLoad load = mbr_accrue_load(args);
    MbrPurchase purchase;
    MbrReceipt claim, taken;
    MbrWork work;
    MbrPayload payload;
    int64 hash;

    mbr_payload_init(&payload);
    mbr_payload_add_int(&payload, mbr_purchase_hash(args));
    mbr_payload_add_int(&payload, import->points);
    hash = mbr_payload_hash(&payload);
    mbr_load(session, &load, &work);
    mbr_settle(&work);
    row->member_id = load.member_id;
    row->journal_no = work.member.next_journal_no;
    claim = (MbrReceipt){load.member_id, row->journal_no, hash, args->merchant_id};
    row->duplicate = !mbr_claim_receipt(session, args->order_ref, &claim, &taken);
    if (row->duplicate && mbr_alias_survivor(session, taken.member_id) != load.member_id)
        mbr_accrue_raise_other_member(args->order_ref);
    if (row->duplicate && taken.payload_hash != hash)
        mbr_raise_other_content("order_ref", args->order_ref);
    if (row->duplicate) {
        row->journal_no = taken.journal_no;
        return;
    }
    mbr_purchase_prepare(args, &load, &work, &purchase);
    mbr_sum_basis(&purchase);
    purchase.points_wanted = import->points;
    mbr_import(&work, &purchase);
    mbr_raise_refusal(&work);
    mbr_freeze(&purchase, load.config->digits, false);
    mbr_apply(session, &load, &work);
    if (taken.parked)
        mbr_refund_parked(session, args, work.posted_at);
}

/* ------------------------------------------------------------------ tiers */

static void
read_tier(Row *row, FunctionCallInfo columns)
{
    row->in.tier = (TierImport){.member_id = mbr_get_int8(columns, 0, "member_id"),
                                .tier = mbr_get_text(columns, 1, "tier", MBR_MAX_WORD),
                                .since = mbr_get_time(columns, 2, "since"),
                                .locked_until = mbr_get_time(columns, 3, "lock_until")};
}

static void
post_tier(MbrSession *session, Row *row)
{
    const TierImport *import = &row->in.tier;
    MbrLoad load = {.member_id = import->member_id, .at = MBR_NEVER, .occurred_at = import->since};
    const MbrTier *tier;
    MbrWork work;

    mbr_load(session, &load, &work);
    tier = mbr_need_tier(load.config, import->tier);
    row->member_id = load.member_id;
    row->duplicate = tier->tier_id == work.member.tier_id && import->locked_until == work.tier_locked_until &&
                     (import->since == MBR_NEVER || import->since == work.member.tier_since);
    if (work.occurred_at < work.member.tier_since)
        row->duplicate = mbr_tier_was_given(session, load.member_id, tier->tier_id, work.occurred_at);
    if (row->duplicate)
        return;
    if (work.occurred_at < work.member.tier_since)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("since lies before the present tier began"),
                 errdetail("That was at %s.", timestamptz_to_str(work.member.tier_since)),
                 errhint("Import members with their enrolled_at, and tiers in the order of time.")));
    if (work.member.status == MBR_MEMBER_CLOSED)
        work.refusal = MBR_REFUSED_CLOSED;
    mbr_raise_refusal(&work);
    mbr_settle(&work);
    row->journal_no = work.member.next_journal_no;
    mbr_tier_change(&work, tier, work.occurred_at, row->journal_no, true, import->locked_until);
    mbr_change_post(session, &load, &work, MBR_VERB_TIER_CHANGE, "import");
}

/* ------------------------------------------------------------------ running */

static void
read_at(void *argument)
{
    Import *import = argument;

    import->kind->read(import->at, import->columns);
}

static void
read_rows(Import *import, ArrayType *array)
{
    LOCAL_FCINFO(columns, MAX_FIELDS);
    Datum *elements;
    bool *nulls;

    import->columns = columns;
    deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE, &elements, &nulls, &import->n);
    if (import->n > MAX_ROWS)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many rows: %d", import->n),
                        errdetail("At most %d are allowed.", MAX_ROWS), errhint("Split them.")));
    import->rows = palloc0(sizeof(Row) * Max(import->n, 1));
    for (int i = 0; i < import->n; i++) {
        mbr_row_arguments(columns, MAX_FIELDS, elements[i], nulls[i]);
        import->at = &import->rows[i];
        import->at->error = mbr_contain(NULL, MBR_CONTAIN_NO_TABLES, read_at, import);
    }
}

static void
post_at(void *argument)
{
    Import *import = argument;

    import->kind->post(&import->session, import->at);
}

static int
compare_members(const void *a, const void *b)
{
    const Row *left = *(Row *const *)a;
    const Row *right = *(Row *const *)b;
    int64 left_id = left->in.lot.member_id, right_id = right->in.lot.member_id;

    if (left_id != right_id)
        return left_id < right_id ? -1 : 1;
    return left < right ? -1 : left > right;
}

static void
resolve_members(Import *import)
{
    int64 *ids = palloc(sizeof(int64) * Max(import->n, 1));

    for (int i = 0; i < import->n; i++)
        ids[i] = import->rows[i].in.lot.member_id;
    mbr_alias_resolve(&import->session, ids, import->n);
    for (int i = 0; i < import->n; i++)
        import->rows[i].in.lot.member_id = ids[i];
}

/* In the order of members, so that two imports wait for each other in one direction. */
static void
post_all(void *argument)
{
    Import *import = argument;
    Row **order = palloc(sizeof(Row *) * Max(import->n, 1));

    for (int i = 0; i < import->n; i++)
        order[i] = &import->rows[i];
    if (import->kind->post != post_member) {
        resolve_members(import);
        qsort(order, import->n, sizeof(Row *), compare_members);
    }
    for (int i = 0; i < import->n; i++) {
        CHECK_FOR_INTERRUPTS();
        if (order[i]->error == NULL) {
            import->kind->post(&import->session, order[i]);
            mbr_tables_close(&import->session);
        }
    }
}

static void
return_results(FunctionCallInfo fcinfo, const Import *import)
{
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;

    for (int i = 0; i < import->n; i++) {
        const Row *row = &import->rows[i];
        bool failed = (row->error != NULL);
        Datum values[RESULT_COLUMNS] = {Int64GetDatum(i + 1), Int64GetDatum(row->member_id),
                                        Int64GetDatum(row->journal_no), BoolGetDatum(row->duplicate)};
        bool nulls[RESULT_COLUMNS] = {false,  failed,  failed || row->journal_no == 0,
                                      failed, !failed, !failed};

        if (failed) {
            values[4] = CStringGetTextDatum(unpack_sql_state(row->error->sqlerrcode));
            values[5] = CStringGetTextDatum(row->error->message);
        }
        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
}

static Datum
run_import(FunctionCallInfo fcinfo, const Kind *kind, const char *name)
{
    Import import = {.kind = kind};

    mbr_require(fcinfo, 0, name);
    InitMaterializedSRF(fcinfo, 0);
    read_rows(&import, PG_GETARG_ARRAYTYPE_P(0));
    mbr_enter(&import.session, false);
    if (mbr_contain(&import.session, MBR_CONTAIN_WRITE, post_all, &import) != NULL) {
        for (int i = 0; i < import.n; i++) {
            CHECK_FOR_INTERRUPTS();
            import.at = &import.rows[i];
            if (import.at->error == NULL)
                import.at->error = mbr_contain(&import.session, MBR_CONTAIN_WRITE, post_at, &import);
        }
    }
    mbr_leave(&import.session);
    return_results(fcinfo, &import);
    return (Datum)0;
}

Datum
membership_import_members(PG_FUNCTION_ARGS)
{
    static const Kind kind = {read_member, post_member};

    return run_import(fcinfo, &kind, "members");
}

Datum
membership_import_lots(PG_FUNCTION_ARGS)
{
    static const Kind kind = {read_lot, post_lot};

    return run_import(fcinfo, &kind, "lots");
}

Datum
membership_import_purchases(PG_FUNCTION_ARGS)
{
    static const Kind kind = {read_purchase, post_purchase};

    return run_import(fcinfo, &kind, "purchases");
}

Datum
membership_import_tiers(PG_FUNCTION_ARGS)
{
    static const Kind kind = {read_tier, post_tier};

    return run_import(fcinfo, &kind, "tiers");
}
