/* transfer.c - transfer_points: from one member to another, both locked in the order of their numbers. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"

#include "api/args.h"
#include "api/pair.h"
#include "api/result.h"
#include "api/spend.h"
#include "engine/ledger.h"
#include "store/alias.h"
#include "store/apply.h"
#include "store/claim.h"
#include "store/journal.h"
#include "util/error.h"
#include "util/payload.h"

PG_FUNCTION_INFO_V1(membership_transfer_points);

typedef struct TransferArgs {
    int64 from;
    int64 to;
    int64 points;
    const char *ref;
    int64 at;
} TransferArgs;

static void
refuse_off(void)
{
    ereport(ERROR, (errcode(MBR_ERR_TRANSFERS_OFF), errmsg("transfers of points are off"),
                    errdetail("program.transfers is false."), errhint("An operator can set it to true.")));
}

static void
check_limits(MbrSession *session, const TransferArgs *args, const MbrConfig *config, const MbrWork *from)
{
    int64 sent;

    if (args->points < config->transfer_minimum)
        mbr_spend_refuse_limit(
            psprintf(INT64_FORMAT " points are below the minimum of a transfer", args->points),
            psprintf("At least " INT64_FORMAT " are transferred at a time.", config->transfer_minimum),
            "Transfer more at a time.");
    sent = mbr_sent_on(session, from->member.member_id, from->posted_day);
    if (sent + args->points > config->transfer_daily_limit)
        mbr_spend_refuse_limit("the daily limit of transfers is exceeded",
                               psprintf(INT64_FORMAT " points a day are allowed, " INT64_FORMAT
                                                     " have been sent today.",
                                        config->transfer_daily_limit, sent),
                               "Transfer fewer points, or on another day.");
}

static void
check_members(MbrWork *from, MbrWork *to, int64 points)
{
    from->refusal = mbr_may_spend(from);
    mbr_raise_refusal(from);
    to->refusal = mbr_may_spend(to);
    mbr_raise_refusal(to);
    from->available = mbr_available(&from->member, from->posted_at);
    if (points > from->available)
        from->refusal = MBR_REFUSED_INSUFFICIENT;
    mbr_raise_refusal(from);
}

static void
refuse_itself(int64 member_id)
{
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("member " INT64_FORMAT " cannot transfer points to itself", member_id),
                    errdetail("Sender and receiver are the same."), errhint("Pass another to_member_id.")));
}

static int64
hash_of(const TransferArgs *args, int64 to)
{
    MbrPayload payload;

    mbr_payload_init(&payload);
    mbr_payload_add_int(&payload, to);
    mbr_payload_add_int(&payload, args->points);
    mbr_payload_add_time(&payload, args->at);
    return mbr_payload_hash(&payload);
}

/* Whether a transfer posted before is this one: the receiver may go by another number now. */
static bool
is_same(MbrSession *session, const TransferArgs *args, const MbrKey *taken)
{
    int64 receiver = mbr_alias_survivor(session, args->to);
    Datum *numbers;
    bool *nulls;
    int n;

    deconstruct_array(DatumGetArrayTypeP(mbr_alias_numbers(session, receiver)), INT8OID, sizeof(int64), true,
                      TYPALIGN_DOUBLE, &numbers, &nulls, &n);
    for (int i = 0; i < n; i++)
        if (taken->payload_hash == hash_of(args, DatumGetInt64(numbers[i])))
            return true;
    return false;
}

static Datum
first_result(FunctionCallInfo fcinfo, MbrSession *session, const TransferArgs *args, const MbrConfig *config,
             const MbrKey *taken)
{
    MbrEvent first;

    if (!is_same(session, args, taken))
        mbr_raise_other_content("ref", args->ref);
    if (!mbr_event_read(session, config, taken->member_id, taken->journal_no, &first))
        elog(ERROR, "a source key has no journal row");
    return mbr_first_posting(fcinfo, &first);
}

static Datum
transfer(FunctionCallInfo fcinfo, MbrSession *session, const TransferArgs *args)
{
    MbrPair pair;
    MbrWork *from = &pair.works[0], *to = &pair.works[1];
    MbrWork *all[2] = {from, to};
    bool both = mbr_pair_load(session, &pair, args->from, args->to, args->at);
    const MbrConfig *config = pair.loads[0].config;
    int64 hash = hash_of(args, args->to);
    int64 journal_no = from->member.next_journal_no;
    MbrJournal *sent;
    MbrKey taken;

    if (!both && !mbr_find_key(session, &from->member, MBR_VERB_TRANSFER_OUT, args->ref, hash, &taken))
        refuse_itself(from->member.member_id);
    if (!both ||
        !mbr_claim_key(session, &from->member, MBR_VERB_TRANSFER_OUT, args->ref, journal_no, hash, &taken))
        return first_result(fcinfo, session, args, config, &taken);
    if (!config->transfers)
        refuse_off();
    check_members(from, to, args->points);
    check_limits(session, args, config, from);
    pair.loads[1].new_lots = from->member.nlots;
    mbr_load_room(&pair.loads[1], to);
    sent = mbr_transfer(from, to, args->points);
    mbr_raise_refusal(from);
    mbr_raise_refusal(to);
    mbr_apply_all(session, &pair.loads[0], all, 2);
    return mbr_posting_row(fcinfo, journal_no, sent->points, sent->balance, false);
}

Datum
membership_transfer_points(PG_FUNCTION_ARGS)
{
    TransferArgs args = {.from = mbr_get_int8(fcinfo, 0, "from_member_id"),
                         .to = mbr_get_int8(fcinfo, 1, "to_member_id"),
                         .points = mbr_get_points(fcinfo, 2, false),
                         .ref = mbr_get_text(fcinfo, 3, "ref", MBR_MAX_REF),
                         .at = mbr_get_time(fcinfo, 4, "at")};
    MbrSession session;
    Datum result;

    if (args.from == args.to)
        refuse_itself(args.from);
    mbr_enter(&session, false);
    result = transfer(fcinfo, &session, &args);
    mbr_leave(&session);
    PG_RETURN_DATUM(result);
}
