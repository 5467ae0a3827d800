/*
 * claim.c - claims as by INSERT ... ON CONFLICT DO NOTHING; what took the key is read by the next statement,
 * because the claim may have waited for it. Under REPEATABLE READ and above it is 40001 instead.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "engine/canary.h"
#include "store/alias.h"
#include "store/claim.h"
#include "store/plan.h"
#include "store/table.h"
#include "store/verb.h"
#include "util/error.h"

bool
mbr_find_receipt(MbrSession *session, int merchant_id, const char *order_ref, MbrReceipt *found)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int4(&args, merchant_id);
    mbr_arg_text(&args, order_ref);
    if (mbr_plan_run(session, MBR_PLAN_FIND_RECEIPT, &args) == 0)
        return false;
    *found = (MbrReceipt){.member_id = mbr_col_int8(0, 1, 0),
                          .journal_no = mbr_col_int8(0, 2, 0),
                          .payload_hash = mbr_col_int8(0, 3, 0),
                          .merchant_id = merchant_id};
    return true;
}

static Datum
array_of(Datum *values, int n, Oid type, int length)
{
    return PointerGetDatum(construct_array(values, n, type, length, length > 0, TYPALIGN_INT));
}

void
mbr_find_receipts(MbrSession *session, MbrReceiptClaim *claims, bool *found, int n)
{
    Datum *merchants = palloc(sizeof(Datum) * Max(n, 1));
    Datum *refs = palloc(sizeof(Datum) * Max(n, 1));
    MbrArgs args = MBR_NO_ARGS;
    uint64 rows;

    for (int i = 0; i < n; i++) {
        merchants[i] = Int32GetDatum(claims[i].receipt.merchant_id);
        refs[i] = CStringGetTextDatum(claims[i].order_ref);
        found[i] = false;
    }
    mbr_arg_datum(&args, array_of(merchants, n, INT4OID, sizeof(int32)), false);
    mbr_arg_datum(&args, array_of(refs, n, TEXTOID, -1), false);
    rows = mbr_plan_run(session, MBR_PLAN_FIND_RECEIPTS, &args);
    for (uint64 row = 0; row < rows; row++) {
        int64 i = mbr_col_int8(row, 1, 1) - 1;

        found[i] = true;
        claims[i].receipt.member_id = mbr_col_int8(row, 2, 0);
        claims[i].receipt.journal_no = mbr_col_int8(row, 3, 0);
        claims[i].receipt.payload_hash = mbr_col_int8(row, 4, 0);
    }
}

static MbrArgs
receipt_row(const char *order_ref, const MbrReceipt *receipt)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int4(&args, receipt->merchant_id);
    mbr_arg_text(&args, order_ref);
    mbr_arg_int8(&args, receipt->member_id);
    mbr_arg_int8(&args, receipt->journal_no);
    mbr_arg_int8(&args, receipt->payload_hash);
    return args;
}

/* A refund that came before its sale keeps the place; whether it did. */
static bool
take_place(MbrSession *session, const char *order_ref, const MbrReceipt *receipt)
{
    MbrArgs args = receipt_row(order_ref, receipt);

    return mbr_plan_run(session, MBR_PLAN_TAKE_PLACE, &args) == 1;
}

bool
mbr_claim_receipt(MbrSession *session, const char *order_ref, const MbrReceipt *receipt, MbrReceipt *taken)
{
    MbrArgs row = receipt_row(order_ref, receipt);

    taken->parked = false;
    if (MBR_CANARY(RECEIPT_LOST) || mbr_table_claim(mbr_table_open(session, MBR_TABLE_RECEIPT, true), &row))
        return true;
    if (take_place(session, order_ref, receipt)) {
        taken->parked = true;
        return true;
    }
    if (!mbr_find_receipt(session, receipt->merchant_id, order_ref, taken))
        ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                        errmsg("the receipt was claimed and released by another transaction"),
                        errdetail("Merchant %d, order_ref \"%s\".", receipt->merchant_id, order_ref),
                        errhint("Retry the transaction.")));
    return false;
}

int
mbr_compare_claims(const void *a, const void *b)
{
    const MbrReceiptClaim *left = a;
    const MbrReceiptClaim *right = b;

    if (left->receipt.merchant_id != right->receipt.merchant_id)
        return left->receipt.merchant_id < right->receipt.merchant_id ? -1 : 1;
    return strcmp(left->order_ref, right->order_ref);
}

/* One order for all, so that two batches with the same receipts wait in one direction. */
void
mbr_claim_receipts(MbrSession *session, MbrReceiptClaim *claims, int n)
{
    qsort(claims, n, sizeof(MbrReceiptClaim), mbr_compare_claims);
    mbr_tables_collect(session);
    for (int i = 0; i < n; i++) {
        MbrArgs row = receipt_row(claims[i].order_ref, &claims[i].receipt);

        if (!mbr_table_claim(mbr_table_open(session, MBR_TABLE_RECEIPT, true), &row))
            ereport(ERROR, (errcode(ERRCODE_UNIQUE_VIOLATION),
                            errmsg("a receipt was claimed by another transaction meanwhile")));
    }
    mbr_tables_flush(session);
}

bool
mbr_find_receipt_by_ref(MbrSession *session, const MbrExternalRef *refs, int nrefs, int merchant_id,
                        const char *order_ref, MbrReceipt *found)
{
    for (int i = 0; i < nrefs; i++) {
        MbrArgs args = MBR_NO_ARGS;

        mbr_arg_text(&args, refs[i].kind);
        mbr_arg_text(&args, refs[i].value);
        if (mbr_plan_run(session, MBR_PLAN_FIND_RECEIPT_REF, &args) == 0)
            continue;
        if (mbr_col_int4(0, 1, 0) == merchant_id && strcmp(mbr_col_text(0, 2), order_ref) == 0)
            continue;
        *found = (MbrReceipt){.merchant_id = mbr_col_int4(0, 1, 0),
                              .member_id = mbr_col_int8(0, 3, 0),
                              .journal_no = mbr_col_int8(0, 4, 0)};
        return true;
    }
    return false;
}

bool
mbr_claim_receipt_refs(MbrSession *session, const MbrExternalRef *refs, int nrefs, int merchant_id,
                       const char *order_ref)
{
    for (int i = 0; i < nrefs; i++) {
        MbrArgs args = MBR_NO_ARGS;

        mbr_arg_text(&args, refs[i].kind);
        mbr_arg_text(&args, refs[i].value);
        mbr_arg_int4(&args, merchant_id);
        mbr_arg_text(&args, order_ref);
        if (mbr_plan_run(session, MBR_PLAN_CLAIM_RECEIPT_REF, &args) == 0)
            return false;
    }
    return true;
}

bool
mbr_find_own_key(MbrSession *session, int64 member_id, MbrVerb verb, const char *ref, MbrKey *found)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, member_id);
    mbr_arg_text(&args, mbr_verb_name(verb));
    mbr_arg_text(&args, ref);
    if (mbr_plan_run(session, MBR_PLAN_FIND_KEY, &args) == 0)
        return false;
    *found = (MbrKey){member_id, mbr_col_int8(0, 1, 0), mbr_col_int8(0, 2, 0)};
    return true;
}

bool
mbr_find_key(MbrSession *session, const MbrMember *member, MbrVerb verb, const char *ref, int64 payload_hash,
             MbrKey *found)
{
    MbrArgs args = MBR_NO_ARGS;

    if (!mbr_alias_any(session))
        return mbr_find_own_key(session, member->member_id, verb, ref, found);
    mbr_arg_datum(&args, mbr_alias_numbers(session, member->member_id), false);
    mbr_arg_text(&args, mbr_verb_name(verb));
    mbr_arg_text(&args, ref);
    mbr_arg_int8(&args, member->called_id);
    mbr_arg_int8(&args, payload_hash);
    if (mbr_plan_run(session, MBR_PLAN_FIND_KEY_AMONG, &args) == 0)
        return false;
    *found = (MbrKey){mbr_col_int8(0, 1, 0), mbr_col_int8(0, 2, 0), mbr_col_int8(0, 3, 0)};
    return true;
}

static bool
insert_key(MbrSession *session, int64 member_id, MbrVerb verb, const char *ref, int64 journal_no,
           int64 payload_hash)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, member_id);
    mbr_arg_text(&args, mbr_verb_name(verb));
    mbr_arg_text(&args, ref);
    mbr_arg_int8(&args, journal_no);
    mbr_arg_int8(&args, payload_hash);
    return MBR_CANARY(KEY_LOST) || mbr_plan_run(session, MBR_PLAN_CLAIM_KEY, &args) == 1;
}

/* The keys of a merged member change no more. The ref of a review is a number of one journal. */
bool
mbr_claim_key(MbrSession *session, const MbrMember *member, MbrVerb verb, const char *ref, int64 journal_no,
              int64 payload_hash, MbrKey *taken)
{
    if (verb != MBR_VERB_REVIEW && mbr_alias_any(session) &&
        mbr_find_key(session, member, verb, ref, payload_hash, taken))
        return false;
    if (insert_key(session, member->member_id, verb, ref, journal_no, payload_hash))
        return true;
    if (!mbr_find_own_key(session, member->member_id, verb, ref, taken))
        elog(ERROR, "a claimed key is gone though its member is locked");
    return false;
}
