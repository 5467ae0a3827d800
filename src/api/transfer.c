/* transfer.c - transfer_points: from one member to another, both locked in the order of their numbers. */
#include "postgres.h"

#include "fmgr.h"

#include "api/args.h"
#include "api/result.h"
#include "api/spend.h"
#include "engine/ledger.h"
#include "store/apply.h"
#include "store/claim.h"
#include "store/journal.h"
#include "util/calendar.h"
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
    sent = mbr_sent_on(session, args->from, from->posted_day);
    if (sent + args->points > config->transfer_daily_limit)
        mbr_spend_refuse_limit("the daily limit of transfers is exceeded",
                               psprintf(INT64_FORMAT " points a day are allowed, " INT64_FORMAT
                                                     " have been sent today.",
                                        config->transfer_daily_limit, sent),
                               "Transfer fewer points, or on another day.");
}

/* Two transfers that cross wait for each other in one direction. */
static void
load_both(MbrSession *session, const TransferArgs *args, MbrLoad *loads, MbrWork *works)
{
    const MbrConfig *config;

    for (int i = 0; i < 2; i++)
        if (!mbr_load_account(session, loads[i].member_id, &works[i]))
            mbr_raise_no_member(loads[i].member_id);
    config = mbr_load_config(session);
    for (int i = 0; i < 2; i++) {
        loads[i].config = config;
        mbr_load_member(session, config, &works[i]);
        mbr_load_posting(session, &loads[i], &works[i]);
    }
    for (int i = 0; i < 2; i++) { /* one moment for both: neither's history goes back */
        works[i].posted_at = Max(works[0].posted_at, works[1].posted_at);
        works[i].occurred_at = works[i].posted_at;
        works[i].day = works[i].posted_day = mbr_day_of(works[i].posted_at, config->zone);
        works[i].day_place = MBR_PLACE_UNKNOWN;
        mbr_settle(&works[i]);
    }
}

static MbrLoad
load_of(const TransferArgs *args, int64 member_id)
{
    return (MbrLoad){.member_id = member_id, .at = args->at, .occurred_at = MBR_NEVER, .all_lots = true};
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

static Datum
transfer(FunctionCallInfo fcinfo, MbrSession *session, const TransferArgs *args)
{
    int lower = args->from < args->to ? 0 : 1; /* place of the sender */
    MbrLoad loads[2];
    MbrWork works[2];
    MbrWork *all[2] = {&works[0], &works[1]};
    MbrWork *from = &works[lower], *to = &works[1 - lower];
    MbrPayload payload;
    MbrJournal *sent;
    int64 journal_no;
    MbrEvent first;

    mbr_payload_init(&payload);
    mbr_payload_add_int(&payload, args->to);
    mbr_payload_add_int(&payload, args->points);
    mbr_payload_add_time(&payload, args->at);
    loads[lower] = load_of(args, args->from);
    loads[1 - lower] = load_of(args, args->to);
    load_both(session, args, loads, works);
    journal_no = from->member.next_journal_no;
    if (!mbr_take_ref(session, loads[0].config, args->from, MBR_VERB_TRANSFER_OUT, args->ref,
                      mbr_payload_hash(&payload), journal_no, &first))
        return mbr_first_posting(fcinfo, &first);
    if (!loads[0].config->transfers)
        refuse_off();
    check_members(from, to, args->points);
    check_limits(session, args, loads[0].config, from);
    loads[1 - lower].new_lots = from->member.nlots;
    mbr_load_room(&loads[1 - lower], to);
    sent = mbr_transfer(from, to, args->points);
    mbr_raise_refusal(from);
    mbr_raise_refusal(to);
    mbr_apply_all(session, &loads[0], all, 2);
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
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("member " INT64_FORMAT " cannot transfer points to itself", args.from),
                 errdetail("Sender and receiver are the same."), errhint("Pass another to_member_id.")));
    mbr_enter(&session, false);
    result = transfer(fcinfo, &session, &args);
    mbr_leave(&session);
    PG_RETURN_DATUM(result);
}
