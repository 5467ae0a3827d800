/* review.c - review_accrual: decides a purchase that was posted too late to be believed unseen. */
#include "postgres.h"

#include "fmgr.h"

#include "api/args.h"
#include "api/event.h"
#include "api/purchase.h"
#include "api/result.h"
#include "engine/accrue.h"
#include "engine/ledger.h"
#include "store/apply.h"
#include "store/claim.h"
#include "store/journal.h"
#include "store/plan.h"
#include "util/error.h"
#include "util/payload.h"

PG_FUNCTION_INFO_V1(membership_review_accrual);

typedef struct Review {
    int64 member_id;
    int64 journal_no;
    bool approve;
    const char *reason;
} Review;

/* The lines as frozen at the purchase; the journal is append-only, so they need no lock. */
static void
read_lines(MbrSession *session, const Review *review, int digits, MbrPurchase *purchase, int **merchants)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, review->member_id);
    mbr_arg_int8(&args, review->journal_no);
    purchase->nlines = (int)mbr_plan_run(session, MBR_PLAN_LOAD_LINES, &args);
    if (purchase->nlines == 0)
        ereport(ERROR,
                (errcode(MBR_ERR_NO_REVIEW),
                 errmsg("member " INT64_FORMAT " has no purchase under review with journal_no " INT64_FORMAT,
                        review->member_id, review->journal_no),
                 errdetail("There is no such event, or its status is not review."),
                 errhint("Take journal_no from the result of accrue_points.")));
    purchase->lines = palloc0(sizeof(MbrLine) * purchase->nlines);
    *merchants = palloc(sizeof(int) * purchase->nlines);
    for (int i = 0; i < purchase->nlines; i++) {
        purchase->lines[i] = (MbrLine){.line_no = mbr_col_int4(i, 1, 0),
                                       .amount = mbr_col_money(i, 3, digits),
                                       .basis = mbr_col_money(i, 4, digits),
                                       .points = mbr_col_int8(i, 5, 0)};
        (*merchants)[i] = mbr_col_int4(i, 2, 0);
    }
}

/* Claims the decision; false = the same one was made before. */
static bool
claim_decision(MbrSession *session, const Review *review, const MbrWork *work)
{
    int64 journal_no = work->member.next_journal_no;
    char *ref = psprintf(INT64_FORMAT, review->journal_no);
    MbrPayload payload;
    int64 hash, found;

    mbr_payload_init(&payload);
    mbr_payload_add_int(&payload, review->approve);
    hash = found = mbr_payload_hash(&payload);
    if (mbr_claim_key(session, review->member_id, MBR_VERB_REVIEW, ref, &journal_no, &found))
        return true;
    if (found != hash)
        mbr_raise_other_content("review of journal_no", ref);
    return false;
}

static void
post_rejection(MbrWork *work, const Review *review)
{
    MbrJournal *journal = mbr_journal_open(work, MBR_VERB_REVIEW, work->occurred_at);

    if (journal == NULL)
        return;
    journal->refers_to = review->journal_no;
    journal->reason = review->reason;
    journal->reason_code = MBR_REASON_REJECTED;
    mbr_journal_close(work, journal);
}

static void
decide_review(MbrSession *session, const Review *review)
{
    MbrPurchase lines = {0};
    MbrLoad load = {.member_id = review->member_id, .at = MBR_NEVER};
    MbrEvent event;
    MbrWork work;
    int *merchants;

    if (!mbr_load_account(session, review->member_id, &work))
        mbr_raise_no_member(review->member_id);
    load.config = mbr_load_config(session);
    mbr_load_member(session, load.config, &work);
    read_lines(session, review, load.config->digits, &lines, &merchants);
    if (!mbr_event_read(session, load.config, review->member_id, review->journal_no, &event))
        elog(ERROR, "a purchase has lines but no journal row");
    load.occurred_at = event.occurred_at;
    load.new_lots = lines.nlines;
    load.new_splits = lines.nlines;
    mbr_load_posting(session, &load, &work);
    mbr_settle(&work);
    if (!claim_decision(session, review, &work))
        return;
    if (work.member.status == MBR_MEMBER_CLOSED)
        work.refusal = MBR_REFUSED_CLOSED;
    mbr_raise_refusal(&work);
    if (review->approve) {
        event.purchase.lines = lines.lines;
        event.purchase.nlines = lines.nlines;
        event.purchase.window_basis = load.window_basis;
        for (int i = 0; i < lines.nlines; i++)
            mbr_line_prepare(&load, &work, mbr_need_merchant(load.config, merchants[i]), &lines.lines[i]);
        mbr_approve(&work, &event.purchase, review->journal_no, review->reason);
    } else {
        post_rejection(&work, review);
    }
    mbr_raise_refusal(&work);
    mbr_apply(session, &load, &work);
}

Datum
membership_review_accrual(PG_FUNCTION_ARGS)
{
    Review review = {.member_id = mbr_get_int8(fcinfo, 0, "member_id"),
                     .journal_no = mbr_get_int8(fcinfo, 1, "journal_no")};
    char *decision = mbr_get_text(fcinfo, 2, "decision", MBR_MAX_WORD);
    MbrSession session;

    review.reason = mbr_get_text(fcinfo, 3, "reason", MBR_MAX_NOTE);
    review.approve = strcmp(decision, "approve") == 0;
    if (!review.approve && strcmp(decision, "reject") != 0)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("decision \"%s\" is not known", decision),
                 errdetail("A review ends with approve or reject."), errhint("Pass approve or reject.")));
    mbr_enter(&session, false);
    decide_review(&session, &review);
    mbr_leave(&session);
    PG_RETURN_VOID();
}
