/* redeem.c - quote_redemption, redeem_points, reverse_redemption. */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "api/args.h"
#include "api/result.h"
#include "api/spend.h"
#include "engine/ledger.h"
#include "store/apply.h"
#include "store/claim.h"
#include "store/journal.h"
#include "util/calendar.h"
#include "util/error.h"
#include "util/money.h"
#include "util/payload.h"

PG_FUNCTION_INFO_V1(membership_quote_redemption);
PG_FUNCTION_INFO_V1(membership_redeem_points);
PG_FUNCTION_INFO_V1(membership_reverse_redemption);

/* ------------------------------------------------------------------ quote */

static const char *
limit_name(MbrLimit limit)
{
    static const char *const names[] = {[MBR_LIMIT_MEMBER_STATUS] = "member_status",
                                        [MBR_LIMIT_NO_RULE] = "no_rule",
                                        [MBR_LIMIT_ORDER_POSTED] = "order_posted",
                                        [MBR_LIMIT_STEP] = "step",
                                        [MBR_LIMIT_BALANCE] = "balance",
                                        [MBR_LIMIT_SHARE] = "share",
                                        [MBR_LIMIT_DAILY_CAP] = "daily_cap",
                                        [MBR_LIMIT_MINIMUM] = "minimum"};

    return names[limit];
}

Datum
membership_quote_redemption(PG_FUNCTION_ARGS)
{
    MbrSpendArgs args;
    MbrSession session;
    MbrLoad load;
    MbrWork work;
    MbrSpendCase judged = {.args = &args, .load = &load, .work = &work};
    MbrLimit limit;
    int64 points;
    Datum values[3];
    bool nulls[3] = {false};
    Datum result;

    mbr_spend_read(fcinfo, &args, (MbrSpendLayout){.order_amount = 1, .merchant_id = 2});
    load = mbr_spend_load(&args);
    mbr_enter(&session, true);
    mbr_load(&session, &load, &work);
    mbr_settle(&work);
    mbr_spend_judge(&session, &judged, mbr_spend_amount(&args, load.config),
                    mbr_spend_is_posted(&session, &args));
    points = mbr_limit_points(&work, &judged.spending, &limit);
    values[0] = Int64GetDatum(points);
    values[1] = NumericGetDatum(
        mbr_money_numeric(points == 0 ? 0 : mbr_worth(judged.spending.burn, points), load.config->digits));
    nulls[2] = (limit == MBR_LIMIT_NONE);
    values[2] = nulls[2] ? (Datum)0 : CStringGetTextDatum(limit_name(limit));
    result = mbr_result_row(fcinfo, values, nulls);
    mbr_leave(&session);
    PG_RETURN_DATUM(result);
}

/* ------------------------------------------------------------------ redeem */

static Datum
redemption_row(FunctionCallInfo fcinfo, int64 journal_no, int64 points, Numeric value, int64 balance,
               bool duplicate)
{
    Datum values[5] = {Int64GetDatum(journal_no), Int64GetDatum(points), NumericGetDatum(value),
                       Int64GetDatum(balance), BoolGetDatum(duplicate)};
    bool nulls[5] = {false};

    return mbr_result_row(fcinfo, values, nulls);
}

static Datum
redeem(FunctionCallInfo fcinfo, MbrSession *session, const MbrSpendArgs *args)
{
    MbrLoad load = mbr_spend_load(args);
    MbrWork work;
    MbrSpendCase judged = {.args = args, .load = &load, .work = &work};
    MbrJournal *journal;
    MbrEvent first;
    MbrSpend *spend;
    int64 journal_no;

    mbr_load(session, &load, &work);
    mbr_settle(&work);
    journal_no = work.member.next_journal_no;
    if (!mbr_take_ref(session, load.config, &work.member, MBR_VERB_REDEMPTION, args->ref,
                      mbr_spend_hash(args, 0), journal_no, &first))
        return redemption_row(fcinfo, first.journal_no, -first.points,
                              mbr_money_numeric(first.amount, load.config->digits), first.balance, true);
    mbr_spend_judge(session, &judged, mbr_spend_amount(args, load.config),
                    mbr_spend_is_posted(session, args));
    mbr_spend_need_amount(&judged);
    mbr_spend_check(&judged, args->points);
    spend = mbr_spend_facts(&judged, args->points);
    if (args->order_ref != NULL) {
        work.member.order_spends++;
        mbr_order_spend_add(session, load.member_id, args->merchant_id, args->order_ref, journal_no);
    }
    journal = mbr_redeem(&work, spend, args->points);
    mbr_raise_refusal(&work);
    mbr_apply(session, &load, &work);
    return redemption_row(fcinfo, journal_no, args->points,
                          mbr_money_numeric(spend->value, load.config->digits), journal->balance, false);
}

Datum
membership_redeem_points(PG_FUNCTION_ARGS)
{
    MbrSpendArgs args;
    MbrSession session;
    Datum result;

    mbr_spend_read(fcinfo, &args,
                   (MbrSpendLayout){.points = 1, .ref = 2, .merchant_id = 3, .order_amount = 5});
    mbr_enter(&session, false);
    result = redeem(fcinfo, &session, &args);
    mbr_leave(&session);
    PG_RETURN_DATUM(result);
}

/* ------------------------------------------------------------------ reverse */

typedef struct ReverseArgs {
    int64 member_id;
    const char *ref;
    const char *reason;
    int64 at;
} ReverseArgs;

/* The redemption of that ref, or the capture of the hold of that ref. */
static void
find_event(MbrSession *session, const ReverseArgs *args, const MbrConfig *config, const MbrWork *work,
           MbrEvent *event)
{
    MbrHoldEnd end;
    MbrKey key;

    if (mbr_find_key(session, &work->member, MBR_VERB_REDEMPTION, args->ref, 0, &key))
        end = (MbrHoldEnd){key.member_id, key.journal_no, MBR_VERB_REDEMPTION};
    else if (!mbr_hold_find_end(session, work, args->ref, &end) || end.verb != MBR_VERB_CAPTURE)
        ereport(
            ERROR,
            (errcode(MBR_ERR_NO_SPEND),
             errmsg("member " INT64_FORMAT " has no redemption with ref \"%s\"", args->member_id, args->ref),
             errdetail("Nothing was redeemed or captured under it."),
             errhint("Pass the ref of redeem_points, or of authorize_points for a captured hold.")));
    if (!mbr_event_read(session, config, end.member_id, end.journal_no, event))
        elog(ERROR, "a source key has no journal row");
}

/* The ref of a reversal is a person's: of two redemptions, one from before a merge, it reverses one. */
static void
check_reversed(const ReverseArgs *args, const MbrEvent *reversal, const MbrEvent *event)
{
    int64 of_member = reversal->counterpart_id == 0 ? reversal->member_id : reversal->counterpart_id;

    if (reversal->refers_to != event->journal_no || of_member != event->member_id)
        mbr_raise_other_content("ref", args->ref);
}

/* An order that was accrued has consumed what was spent on it. */
static void
release_order(MbrSession *session, const MbrConfig *config, const MbrEvent *event, MbrWork *work)
{
    MbrSpendArgs order = {.merchant_id = event->merchant_id, .order_ref = event->order_ref};
    int64 member_id = work->member.member_id;
    int64 pending = 0;
    MbrOrderSpend *spends;
    int n;

    if (event->order_ref == NULL)
        return;
    spends = mbr_order_spends(session, config, member_id, event->merchant_id, event->order_ref, &n);
    for (int i = 0; i < n; i++)
        if (spends[i].of_member == event->member_id && spends[i].of_journal_no == event->journal_no)
            pending = spends[i].journal_no;
    if (pending == 0)
        mbr_spend_refuse_order(&order);
    mbr_order_spend_remove(session, member_id, event->merchant_id, event->order_ref, pending);
    work->member.order_spends--;
}

static Datum
reverse(FunctionCallInfo fcinfo, MbrSession *session, const ReverseArgs *args)
{
    MbrLoad load = {.member_id = args->member_id, .at = args->at, .occurred_at = MBR_NEVER, .all_lots = true};
    MbrReversal reversal = {.reason = args->reason, .reinstated_until = MBR_NEVER};
    MbrPayload payload;
    MbrJournal *journal;
    int64 journal_no;
    MbrEvent first, event;
    MbrWork work;

    mbr_payload_init(&payload);
    mbr_payload_add_text(&payload, args->reason);
    mbr_payload_add_time(&payload, args->at);
    mbr_load(session, &load, &work);
    mbr_settle(&work);
    journal_no = work.member.next_journal_no;
    if (!mbr_take_ref(session, load.config, &work.member, MBR_VERB_REVERSAL, args->ref,
                      mbr_payload_hash(&payload), journal_no, &first)) {
        find_event(session, args, load.config, &work, &event);
        check_reversed(args, &first, &event);
        return mbr_first_posting(fcinfo, &first);
    }
    if (work.member.status == MBR_MEMBER_CLOSED)
        work.refusal = MBR_REFUSED_CLOSED;
    mbr_raise_refusal(&work);
    find_event(session, args, load.config, &work, &event);
    release_order(session, load.config, &event, &work);
    reversal.journal_no = event.journal_no;
    reversal.merged_id = event.member_id == load.member_id ? 0 : event.member_id;
    reversal.day = event.day;
    reversal.parts =
        mbr_taken_by(session, load.member_id, event.member_id, event.journal_no, &reversal.nparts);
    reversal.splits =
        mbr_splits_of(session, load.config, event.member_id, event.journal_no, &reversal.nsplits);
    if (load.config->reinstatement_days > 0)
        reversal.reinstated_until =
            mbr_day_start(work.posted_day + load.config->reinstatement_days + 1, load.config->zone);
    load.new_lots = reversal.nparts;
    load.new_splits = reversal.nsplits;
    mbr_load_room(&load, &work);
    journal = mbr_reverse(&work, &reversal);
    mbr_raise_refusal(&work);
    mbr_apply(session, &load, &work);
    return mbr_posting_row(fcinfo, journal_no, journal->points, journal->balance, false);
}

Datum
membership_reverse_redemption(PG_FUNCTION_ARGS)
{
    ReverseArgs args = {.member_id = mbr_get_int8(fcinfo, 0, "member_id"),
                        .ref = mbr_get_text(fcinfo, 1, "ref", MBR_MAX_REF),
                        .reason = mbr_get_text(fcinfo, 2, "reason", MBR_MAX_NOTE),
                        .at = mbr_get_time(fcinfo, 3, "at")};
    MbrSession session;
    Datum result;

    mbr_enter(&session, false);
    result = reverse(fcinfo, &session, &args);
    mbr_leave(&session);
    PG_RETURN_DATUM(result);
}
