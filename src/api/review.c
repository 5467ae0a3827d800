/* review.c - review_accrual: decides a purchase that was posted too late to be believed unseen. */
#include "postgres.h"

#include "fmgr.h"

#include "api/args.h"
#include "api/event.h"
#include "api/match.h"
#include "api/purchase.h"
#include "api/result.h"
#include "engine/accrue.h"
#include "engine/ledger.h"
#include "store/apply.h"
#include "store/claim.h"
#include "store/journal.h"
#include "store/plan.h"
#include "store/sale.h"
#include "store/verb.h"
#include "util/error.h"
#include "util/payload.h"

PG_FUNCTION_INFO_V1(membership_review_accrual);

typedef struct Review {
    int64 member_id;
    int64 journal_no;
    bool approve;
    const char *reason;
} Review;

static void
read_sale(MbrSession *session, const MbrConfig *config, const Review *review, MbrSale *sale)
{
    if (!mbr_sale_read(session, config, review->member_id, review->journal_no, sale) ||
        sale->event.purchase.status != MBR_ACCRUAL_REVIEW)
        ereport(ERROR,
                (errcode(MBR_ERR_NO_REVIEW),
                 errmsg("member " INT64_FORMAT " has no purchase under review with journal_no " INT64_FORMAT,
                        review->member_id, review->journal_no),
                 errdetail("There is no such event, or its status is not review."),
                 errhint("Take journal_no from the result of accrue_points.")));
}

/* The parts of a line's award, base and tier first, become parts of what is left of it; rules of mode none
 * keep theirs. */
static void
shrink_line(MbrPurchase *purchase, int line, int64 withheld)
{
    int n = purchase->nuses + 1;
    MbrWide *weights = palloc0(sizeof(MbrWide) * n);
    MbrWide *remainders = palloc(sizeof(MbrWide) * n);
    int64_t *parts = palloc(sizeof(int64_t) * n);
    int64 whole = purchase->lines[line].base_points;

    weights[0] = whole;
    for (int u = 0; u < purchase->nuses; u++) {
        const MbrUse *use = &purchase->uses[u];

        if (use->outcome != MBR_OUTCOME_APPLIED || use->rule->effect == MBR_EFFECT_GROWTH ||
            use->rule->refund_mode == MBR_REFUND_NONE)
            continue;
        weights[u + 1] = use->cells[line].points;
        whole += use->cells[line].points;
    }
    purchase->lines[line].points -= withheld;
    if (whole == 0) { /* what others of its lines lost may have come to it */
        purchase->lines[line].base_points -= withheld;
        return;
    }
    mbr_spread_by(weights, n, whole, whole - withheld, parts, remainders);
    purchase->lines[line].base_points = parts[0];
    for (int u = 0; u < purchase->nuses; u++)
        if (weights[u + 1] > 0)
            purchase->uses[u].cells[line].points = parts[u + 1];
}

/* What was returned while the purchase was under review lowers what can be approved. */
static void
take_returned_off(MbrSession *session, const MbrConfig *config, MbrSale *sale)
{
    MbrPurchase *purchase = &sale->event.purchase;
    const MbrReturned *returned = mbr_sale_returned(session, config, sale);

    for (int u = 0; u < purchase->nuses; u++)
        for (int i = 0; i < purchase->nlines; i++)
            if (purchase->uses[u].outcome == MBR_OUTCOME_APPLIED &&
                purchase->uses[u].rule->effect == MBR_EFFECT_GROWTH)
                purchase->growth += purchase->uses[u].cells[i].points;
    for (int i = 0; i < purchase->nlines; i++) {
        purchase->growth -= returned[i].growth.withheld;
        purchase->points_wanted -= returned[i].award.withheld;
        if (returned[i].award.withheld != 0)
            shrink_line(purchase, i, returned[i].award.withheld);
    }
}

/* The points of base and tier live as if awarded by today's settings, a rule's as it said. */
static void
set_lives(const MbrLoad *load, const MbrWork *work, MbrPurchase *purchase)
{
    for (int i = 0; i < purchase->nlines; i++)
        mbr_line_prepare(load, work, mbr_need_merchant(load->config, purchase->lines[i].terms->merchant_id),
                         &purchase->lines[i]);
    mbr_match_lives(load, work, purchase);
}

static int64
hash_of(const Review *review)
{
    MbrPayload payload;

    mbr_payload_init(&payload);
    mbr_payload_add_int(&payload, review->approve);
    return mbr_payload_hash(&payload);
}

static void
check_same(const Review *review, const MbrKey *decided, const char *ref)
{
    if (decided->payload_hash != hash_of(review))
        mbr_raise_other_content("review of journal_no", ref);
}

/* Claims the decision; false = the same one was made before. */
static bool
claim_decision(MbrSession *session, const Review *review, const MbrWork *work)
{
    char *ref = psprintf(INT64_FORMAT, review->journal_no);
    MbrKey decided;

    if (mbr_claim_key(session, &work->member, MBR_VERB_REVIEW, ref, work->member.next_journal_no,
                      hash_of(review), &decided))
        return true;
    check_same(review, &decided, ref);
    return false;
}

/* Purchases under review are decided before their member is merged. */
static bool
was_decided(MbrSession *session, const Review *review, int64 merged_id)
{
    char *ref = psprintf(INT64_FORMAT, review->journal_no);
    MbrKey decided;

    if (!mbr_find_own_key(session, merged_id, MBR_VERB_REVIEW, ref, &decided))
        return false;
    check_same(review, &decided, ref);
    return true;
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
decide_review(MbrSession *session, Review *review)
{
    MbrLoad load = {.member_id = review->member_id, .at = MBR_NEVER};
    MbrPurchase *purchase;
    MbrSale sale;
    MbrWork work;

    if (!mbr_load_account(session, review->member_id, &work))
        mbr_raise_no_member(review->member_id);
    load.config = mbr_load_config(session);
    load.member_id = review->member_id = work.member.member_id;
    if (work.member.called_id != load.member_id && was_decided(session, review, work.member.called_id))
        return;
    mbr_load_member(session, load.config, &work);
    read_sale(session, load.config, review, &sale);
    purchase = &sale.event.purchase;
    load.occurred_at = sale.event.occurred_at;
    mbr_match_load(purchase, &load);
    mbr_load_posting(session, &load, &work);
    mbr_settle(&work);
    if (!claim_decision(session, review, &work))
        return;
    if (work.member.status == MBR_MEMBER_CLOSED)
        work.refusal = MBR_REFUSED_CLOSED;
    mbr_raise_refusal(&work);
    if (review->approve) {
        purchase->window_basis = load.window_basis;
        purchase->growth = 0;
        take_returned_off(session, load.config, &sale);
        set_lives(&load, &work, purchase);
        mbr_approve(&work, purchase, review->journal_no, review->reason);
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
