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
#include "store/verb.h"
#include "util/error.h"
#include "util/payload.h"

PG_FUNCTION_INFO_V1(membership_review_accrual);

/* A rule's part of the award, and what it said of the life of its points. */
typedef struct FrozenRule {
    MbrRule rule; /* as far as splits and lots ask */
    MbrExpiry *expiry;
    int pending_days;
} FrozenRule;

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

static void
read_rule(uint64 row, FrozenRule *frozen)
{
    char *expiry = mbr_col_text(row, 9);

    *frozen = (FrozenRule){.rule = {.rule_id = mbr_col_int4(row, 1, 0),
                                    .version = mbr_col_int4(row, 2, 0),
                                    .code = mbr_col_text(row, 3),
                                    .effect = mbr_effect_of(mbr_col_text(row, 4)),
                                    .funder_party = mbr_col_int4(row, 8, 0)},
                           .pending_days = mbr_col_int4(row, 10, -1)};
    if (expiry == NULL)
        return;
    frozen->expiry = palloc(sizeof(MbrExpiry));
    if (!mbr_expiry_parse(expiry, frozen->expiry))
        elog(ERROR, "expiry policy \"%s\" of a rule is not known", expiry);
}

static MbrLine *
line_of(const MbrPurchase *purchase, int line_no)
{
    for (int i = 0; i < purchase->nlines; i++)
        if (purchase->lines[i].line_no == line_no)
            return &purchase->lines[i];
    elog(ERROR, "line %d of a purchase under review does not exist", line_no);
}

/* What rules gave of the award; the rest of each line is base and tier. Rows come by rule, then line. */
static FrozenRule *
read_parts(MbrSession *session, const Review *review, MbrPurchase *purchase)
{
    MbrArgs args = MBR_NO_ARGS;
    FrozenRule *rules;
    int n;

    for (int i = 0; i < purchase->nlines; i++)
        purchase->lines[i].base_points = purchase->lines[i].points;
    mbr_arg_int8(&args, review->member_id);
    mbr_arg_int8(&args, review->journal_no);
    n = (int)mbr_plan_run(session, MBR_PLAN_LOAD_PARTS, &args);
    rules = palloc(sizeof(FrozenRule) * Max(n, 1));
    purchase->uses = palloc(sizeof(MbrUse) * Max(n, 1));
    for (int i = 0; i < n; i++) {
        int last = purchase->nuses - 1;
        MbrLine *line;
        MbrUse *use;

        if (last < 0 || rules[last].rule.rule_id != mbr_col_int4(i, 1, 0)) {
            last = purchase->nuses++;
            read_rule(i, &rules[last]);
            purchase->uses[last] = (MbrUse){.rule = &rules[last].rule,
                                            .outcome = MBR_OUTCOME_APPLIED,
                                            .cells = palloc0(sizeof(MbrCell) * purchase->nlines)};
            purchase->growth += mbr_col_int8(i, 7, 0);
        }
        use = &purchase->uses[last];
        if (use->rule->effect == MBR_EFFECT_GROWTH)
            continue;
        line = line_of(purchase, mbr_col_int4(i, 5, 1));
        use->cells[line - purchase->lines].points = mbr_col_int8(i, 6, 0);
        line->base_points -= mbr_col_int8(i, 6, 0);
    }
    return rules;
}

/* The points of base and tier live as if awarded by today's settings, a rule's as it said. */
static void
set_lives(const MbrLoad *load, const MbrWork *work, const int *merchants, const FrozenRule *rules,
          MbrPurchase *purchase)
{
    for (int i = 0; i < purchase->nlines; i++) {
        const MbrMerchant *merchant = mbr_need_merchant(load->config, merchants[i]);

        mbr_line_prepare(load, work, merchant, &purchase->lines[i]);
        for (int u = 0; u < purchase->nuses; u++) {
            MbrCell *cell = &purchase->uses[u].cells[i];
            MbrLife life = mbr_points_life(load, work, merchant, rules[u].pending_days, rules[u].expiry);

            cell->active_at = life.active_at;
            cell->expires_at = life.expires_at;
        }
    }
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
    MbrPurchase lines = {0};
    MbrLoad load = {.member_id = review->member_id, .at = MBR_NEVER};
    MbrEvent event;
    MbrWork work;
    FrozenRule *rules;
    int *merchants;

    if (!mbr_load_account(session, review->member_id, &work))
        mbr_raise_no_member(review->member_id);
    load.config = mbr_load_config(session);
    load.member_id = review->member_id = work.member.member_id;
    if (work.member.called_id != load.member_id && was_decided(session, review, work.member.called_id))
        return;
    mbr_load_member(session, load.config, &work);
    read_lines(session, review, load.config->digits, &lines, &merchants);
    rules = read_parts(session, review, &lines);
    if (!mbr_event_read(session, load.config, review->member_id, review->journal_no, &event))
        elog(ERROR, "a purchase has lines but no journal row");
    load.occurred_at = event.occurred_at;
    load.new_lots = lines.nlines * (1 + lines.nuses);
    load.new_splits = load.new_lots;
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
        event.purchase.uses = lines.uses;
        event.purchase.nuses = lines.nuses;
        event.purchase.growth = lines.growth;
        event.purchase.window_basis = load.window_basis;
        set_lives(&load, &work, merchants, rules, &lines);
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
