/* result.c - composing result rows and domain errors. */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "api/result.h"
#include "store/claim.h"
#include "store/verb.h"
#include "util/error.h"
#include "util/money.h"

Datum
mbr_result_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
    TupleDesc desc;

    if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "result is not a composite type");
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/* What the purchase was judged by, as frozen in the journal: the same for a first call and its duplicate. */
static Datum
explanation(const MbrConfig *config, const MbrPurchase *purchase)
{
    StringInfoData json;
    Datum object;

    initStringInfo(&json);
    appendStringInfo(&json, "{\"basis\":%s,\"base_rate\":%s,\"rounding\":\"%s\",\"tier\":",
                     mbr_money_text(purchase->basis, config->digits),
                     mbr_rate_text(purchase->base_rate, MBR_RATE_DIGITS),
                     mbr_rounding_name(purchase->rounding));
    escape_json(&json, purchase->tier->code);
    appendStringInfo(&json, ",\"tier_multiplier\":%s",
                     mbr_rate_text(purchase->tier->multiplier, MBR_MULTIPLIER_DIGITS));
    if (purchase->frozen_lines != NULL)
        appendStringInfo(&json, ",\"lines\":%s", purchase->frozen_lines);
    if (purchase->frozen_tenders != NULL)
        appendStringInfo(&json, ",\"tenders\":%s", purchase->frozen_tenders);
    appendStringInfoChar(&json, '}');
    object = DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
    if (purchase->frozen_rules == NULL)
        return object;
    return DirectFunctionCall2(jsonb_concat, object, JsonbPGetDatum(purchase->frozen_rules));
}

TupleDesc
mbr_row_type(const char *name)
{
    Oid type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(name),
                               ObjectIdGetDatum(get_namespace_oid("membership", false)));

    return lookup_rowtype_tupdesc_copy(type, -1);
}

void
mbr_accrual_columns(const MbrConfig *config, const MbrAccrual *accrual, Datum *values, bool *nulls)
{
    const MbrPurchase *purchase = &accrual->purchase;
    const char *reason = mbr_reason_name(purchase->reason_code);
    int n = 0;

    memset(nulls, false, sizeof(bool) * MBR_ACCRUAL_COLUMNS);
    nulls[n] = (accrual->journal_no == 0);
    values[n++] = Int64GetDatum(accrual->journal_no);
    values[n++] = CStringGetTextDatum(mbr_accrual_status_name(purchase->status));
    nulls[n] = (reason == NULL);
    values[n++] = reason == NULL ? (Datum)0 : CStringGetTextDatum(reason);
    values[n++] = Int64GetDatum(purchase->points);
    values[n++] = Int64GetDatum(purchase->points_wanted);
    values[n++] = Int64GetDatum(purchase->base_points);
    values[n++] = Int64GetDatum(purchase->points_wanted - purchase->base_points);
    nulls[n] = (purchase->available_at == MBR_NEVER);
    values[n++] = Int64GetDatum(purchase->available_at);
    nulls[n] = (purchase->expires_at == MBR_NEVER);
    values[n++] = Int64GetDatum(purchase->expires_at);
    values[n++] = Int64GetDatum(accrual->balance);
    values[n++] = CStringGetTextDatum(purchase->tier_after->code);
    values[n++] = BoolGetDatum(purchase->tier_changed);
    values[n++] = BoolGetDatum(accrual->duplicate);
    values[n++] = explanation(config, purchase);
}

Datum
mbr_accrual_row(FunctionCallInfo fcinfo, const MbrConfig *config, const MbrAccrual *accrual)
{
    Datum values[MBR_ACCRUAL_COLUMNS];
    bool nulls[MBR_ACCRUAL_COLUMNS];

    mbr_accrual_columns(config, accrual, values, nulls);
    return mbr_result_row(fcinfo, values, nulls);
}

Datum
mbr_posting_row(FunctionCallInfo fcinfo, int64 journal_no, int64 points, int64 balance, bool duplicate)
{
    Datum values[4] = {Int64GetDatum(journal_no), Int64GetDatum(points), Int64GetDatum(balance),
                       BoolGetDatum(duplicate)};
    bool nulls[4] = {false};

    return mbr_result_row(fcinfo, values, nulls);
}

bool
mbr_take_ref(MbrSession *session, const MbrConfig *config, const MbrMember *member, MbrVerb verb,
             const char *ref, int64 hash, int64 journal_no, MbrEvent *first)
{
    MbrKey taken;

    if (mbr_claim_key(session, member, verb, ref, journal_no, hash, &taken))
        return true;
    if (taken.payload_hash != hash)
        mbr_raise_other_content("ref", ref);
    if (!mbr_event_read(session, config, taken.member_id, taken.journal_no, first))
        elog(ERROR, "a source key has no journal row");
    return false;
}

Datum
mbr_first_posting(FunctionCallInfo fcinfo, const MbrEvent *first)
{
    return mbr_posting_row(fcinfo, first->journal_no, first->points, first->balance, true);
}

void
mbr_raise_refusal(const MbrWork *work)
{
    int64 member_id = work->member.member_id;

    switch (work->refusal) {
        case MBR_OK:
            return;
        case MBR_REFUSED_INSUFFICIENT:
            ereport(ERROR,
                    (errcode(MBR_ERR_INSUFFICIENT),
                     errmsg("member " INT64_FORMAT " has not enough points", member_id),
                     errdetail(INT64_FORMAT " points are available.", work->available),
                     errhint("Take at most the available points; pending and held ones do not count.")));
            break;
        case MBR_REFUSED_CLOSED:
            ereport(ERROR,
                    (errcode(MBR_ERR_MEMBER_CLOSED), errmsg("member " INT64_FORMAT " is closed", member_id),
                     errdetail("A closed member takes part in nothing but refunds and expiry."),
                     errhint("Enrol the person anew.")));
            break;
        case MBR_REFUSED_FROZEN:
            ereport(ERROR,
                    (errcode(MBR_ERR_MEMBER_FROZEN), errmsg("member " INT64_FORMAT " is frozen", member_id),
                     errdetail("A frozen member's points cannot be spent or moved."),
                     errhint("An operator can set the status to active.")));
            break;
        case MBR_REFUSED_OVERFLOW:
            ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                            errmsg("points of member " INT64_FORMAT " would be out of range", member_id),
                            errdetail("Awards and balances are at most " INT64_FORMAT " points.",
                                      (int64)MBR_MAX_POINTS),
                            errhint("Check the amount and the rates.")));
            break;
        case MBR_REFUSED_NO_ROOM:
            ereport(ERROR, (errcode(MBR_ERR_INTERNAL),
                            errmsg("no room for the postings of member " INT64_FORMAT, member_id),
                            errdetail("The engine posted more than was made room for."),
                            errhint("Nothing was changed; please report this.")));
            break;
    }
}

void
mbr_raise_other_content(const char *what, const char *ref)
{
    ereport(ERROR,
            (errcode(MBR_ERR_OTHER_CONTENT),
             errmsg("%s \"%s\" was used before with other content", what, ref),
             errdetail("The first call with it had other arguments and stands."),
             errhint("Repeat the call with the same arguments, or give the new one a key of its own.")));
}
