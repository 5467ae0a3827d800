/*
 * tender.c - points as tenders of a purchase.
 *
 * What was redeemed or held for the order before pays for it, and what the call asks for is redeemed now. Its
 * worth is spread over the lines pro rata to what is left of each, and lowers their basis.
 */
#include "postgres.h"

#include "api/args.h"
#include "api/result.h"
#include "api/spend.h"
#include "api/tender.h"
#include "engine/spread.h"
#include "store/claim.h"
#include "util/error.h"
#include "util/money.h"

#define PAYMENT "payment" /* the purpose that a purchase redeems points for */

/* A part of what was paid. */
typedef struct Share {
    int64 points;
    int64 value;
    int merchant_id; /* whose lines it is for; 0 = all */
} Share;

typedef struct Paying {
    MbrSession *session;
    const MbrPurchaseArgs *args;
    const MbrLoad *load;
    MbrWork *work;
    MbrPurchase *purchase;
    Share *shares;
    int nshares;
    int64 payment; /* worth of the points of purpose payment */
    int64 *spent;  /* journal numbers */
} Paying;

/* ------------------------------------------------------------------ find */

static bool
is_named(const MbrTenders *tenders, const MbrHold *hold)
{
    for (int i = 0; i < tenders->nholds; i++)
        if (tenders->holds[i] == hold)
            return true;
    return false;
}

static void
name_hold(const MbrPurchaseArgs *args, MbrMember *member, const MbrTenderArg *tender, MbrTenders *tenders)
{
    for (int i = 0; i < member->nholds; i++) {
        MbrHold *hold = &member->holds[i];

        if (hold->over || strcmp(hold->ref, tender->hold_ref) != 0)
            continue;
        if (hold->order_ref != NULL &&
            (args->order_ref == NULL || !mbr_hold_is_of_order(hold, args->merchant_id, args->order_ref)))
            mbr_spend_refuse_limit(psprintf("hold \"%s\" is for another order", hold->ref),
                                   "A hold that names an order pays for no other.",
                                   "Leave the tender out, or accrue that order.");
        if (tender->points != 0 && tender->points != hold->points)
            mbr_spend_refuse_limit(
                psprintf("hold \"%s\" has not " INT64_FORMAT " points", hold->ref, tender->points),
                psprintf("It has " INT64_FORMAT ", and is captured in full.", hold->points),
                "Leave the tender's points out.");
        if (is_named(tenders, hold))
            mbr_spend_refuse_limit(psprintf("hold \"%s\" comes twice", hold->ref),
                                   "A tender names a hold of its own.", "Name each hold once.");
        tenders->holds[tenders->nholds++] = hold;
        return;
    }
    ereport(ERROR, (errcode(MBR_ERR_NO_SPEND),
                    errmsg("member " INT64_FORMAT " has no open hold with ref \"%s\"", member->member_id,
                           tender->hold_ref),
                    errdetail("A tender's hold_ref names a hold of authorize_points."),
                    errhint("It may have timed out: leave hold_ref out to redeem points now.")));
}

static void
find_before(MbrSession *session, const MbrPurchaseArgs *args, const MbrLoad *load, MbrMember *member,
            MbrTenders *tenders)
{
    if (member->order_spends == 0 || args->order_ref == NULL)
        return;
    tenders->spent = mbr_order_spends(session, load->config, member->member_id, args->merchant_id,
                                      args->order_ref, &tenders->nspent);
    for (int i = 0; i < member->nholds; i++)
        if (mbr_hold_is_of_order(&member->holds[i], args->merchant_id, args->order_ref) &&
            !is_named(tenders, &member->holds[i]))
            tenders->holds[tenders->nholds++] = &member->holds[i];
}

/* Points listed without a hold are those spent before, to the point; or, when nothing was, to be redeemed. */
static void
compare_listed(const MbrPurchaseArgs *args, MbrTenders *tenders)
{
    int64 listed = 0, before = 0;

    for (int i = 0; i < args->ntenders; i++)
        if (args->tenders[i].hold_ref == NULL) {
            tenders->listed[tenders->nlisted++] = &args->tenders[i];
            listed += args->tenders[i].points;
        }
    for (int i = 0; i < tenders->nspent; i++)
        before += tenders->spent[i].points;
    for (int i = tenders->nnamed; i < tenders->nholds; i++)
        before += tenders->holds[i]->points;
    tenders->redeems = before == 0;
    if (tenders->nlisted > 0 && before > 0 && listed != before)
        mbr_spend_refuse_limit(psprintf("tenders list " INT64_FORMAT " points", listed),
                               psprintf(INT64_FORMAT " were redeemed or held for the order before.", before),
                               "List just these, or leave them out.");
}

MbrTenders
mbr_tenders_find(MbrSession *session, const MbrPurchaseArgs *args, const MbrLoad *load, MbrWork *work)
{
    MbrTenders tenders = {0};

    if (args->ntenders == 0 && work->member.order_spends == 0)
        return tenders;
    tenders.holds = palloc(sizeof(MbrHold *) * Max(work->member.nholds, 1));
    tenders.listed = palloc(sizeof(MbrTenderArg *) * Max(args->ntenders, 1));
    for (int i = 0; i < args->ntenders; i++)
        if (args->tenders[i].hold_ref != NULL)
            name_hold(args, &work->member, &args->tenders[i], &tenders);
    tenders.nnamed = tenders.nholds;
    find_before(session, args, load, &work->member, &tenders);
    compare_listed(args, &tenders);
    return tenders;
}

int
mbr_tenders_events(const MbrTenders *tenders)
{
    return tenders->nholds + (tenders->redeems ? tenders->nlisted : 0);
}

/* ------------------------------------------------------------------ post */

static void
add_share(Paying *paying, int64 journal_no, Share share, const char *purpose)
{
    paying->spent[paying->nshares] = journal_no;
    paying->shares[paying->nshares++] = share;
    paying->purchase->points_tendered += share.points;
    paying->purchase->tendered += share.value;
    if (strcmp(purpose, PAYMENT) == 0)
        paying->payment += share.value;
}

static void
check_amount(const Paying *paying, const MbrTenderArg *tender, int64 points, int64 value)
{
    int digits = paying->load->config->digits;

    if (tender->amount != NULL && mbr_money_parse(tender->amount, digits, "tender amount") != value)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("a tender of " INT64_FORMAT " points has another amount than they are worth", points),
                 errdetail("They are worth %s.", mbr_money_text(value, digits)),
                 errhint("Leave the tender's amount out.")));
}

/* The tender that names a hold, or NULL. */
static const MbrTenderArg *
tender_of_hold(const MbrPurchaseArgs *args, const MbrHold *hold)
{
    for (int i = 0; i < args->ntenders; i++)
        if (args->tenders[i].hold_ref != NULL && strcmp(args->tenders[i].hold_ref, hold->ref) == 0)
            return &args->tenders[i];
    return NULL;
}

static void
capture_hold(Paying *paying, MbrHold *hold)
{
    const MbrTenderArg *tender = tender_of_hold(paying->args, hold);
    MbrWork *work = paying->work;
    MbrJournal *journal;
    int64 value;

    work->refusal = mbr_may_spend(work);
    mbr_raise_refusal(work);
    journal = mbr_hold_capture(paying->session, paying->load, work, hold, hold->points, paying->args, &value);
    mbr_raise_refusal(work);
    if (hold->order_ref != NULL)
        work->member.order_spends--;
    if (tender != NULL)
        check_amount(paying, tender, hold->points, value);
    add_share(paying, journal->journal_no,
              (Share){hold->points, value, tender == NULL ? 0 : tender->merchant_id},
              journal->spend->purpose);
}

static MbrSpendCase
judge(Paying *paying, const MbrSpendArgs *request)
{
    MbrSpendCase judged = {.args = request, .load = paying->load, .work = paying->work};

    mbr_spend_judge(paying->session, &judged, paying->purchase->amount, false);
    judged.spending.order_value = paying->purchase->tendered;
    return judged;
}

static void
claim_redemption(Paying *paying, const MbrSpendArgs *request)
{
    const MbrMember *member = &paying->work->member;
    MbrKey taken;

    if (!paying->session->read_only &&
        !mbr_claim_key(paying->session, member, MBR_VERB_REDEMPTION, request->ref, member->next_journal_no,
                       mbr_spend_hash(request, 0), &taken))
        mbr_raise_other_content("ref", request->ref);
}

static void
redeem(Paying *paying, const MbrTenderArg *tender)
{
    const MbrPurchaseArgs *args = paying->args;
    MbrSpendArgs *request = palloc(sizeof(MbrSpendArgs));
    MbrSpendCase judged;
    MbrJournal *journal;
    MbrSpend *spend;

    *request = (MbrSpendArgs){.member_id = args->member_id,
                              .points = tender->points,
                              .ref = tender->ref,
                              .merchant_id = args->merchant_id,
                              .order_ref = args->order_ref,
                              .channel = args->channel,
                              .purpose = PAYMENT,
                              .at = args->at};
    if (tender->ref != NULL) /* else the receipt makes it happen once */
        claim_redemption(paying, request);
    judged = judge(paying, request);
    mbr_spend_check(&judged, tender->points);
    spend = mbr_spend_facts(&judged, tender->points);
    check_amount(paying, tender, tender->points, spend->value);
    journal = mbr_redeem(paying->work, spend, tender->points);
    mbr_raise_refusal(paying->work);
    add_share(paying, journal->journal_no, (Share){tender->points, spend->value, tender->merchant_id},
              PAYMENT);
}

static void
refuse_worth(const Paying *paying, int64 value, int64 most)
{
    int digits = paying->load->config->digits;

    mbr_spend_refuse_limit(
        psprintf("points worth %s are more than may pay for the order", mbr_money_text(value, digits)),
        psprintf("Its net amount is %s, and points may pay %s of it.",
                 mbr_money_text(paying->purchase->amount, digits), mbr_money_text(most, digits)),
        "Reverse a redemption or void a hold of the order, and try again.");
}

/* All points within the net, those of purpose payment within their rule's share of it. */
static void
check_worth(Paying *paying)
{
    const MbrPurchase *purchase = paying->purchase;
    const MbrSpendArgs request = {.member_id = paying->args->member_id,
                                  .merchant_id = paying->args->merchant_id,
                                  .channel = paying->args->channel,
                                  .purpose = PAYMENT};
    MbrSpendCase judged = judge(paying, &request);
    int64 most;

    if (purchase->tendered > purchase->amount)
        refuse_worth(paying, purchase->tendered, purchase->amount);
    if (judged.rule == NULL || judged.rule->burn.share == MBR_UNLIMITED)
        return;
    most = (int64)((MbrWide)purchase->amount * judged.rule->burn.share / MBR_RATE_SCALE);
    if (paying->payment > most)
        refuse_worth(paying, paying->payment, most);
}

/* ------------------------------------------------------------------ spread */

static bool
is_for(const Share *share, const MbrLine *line)
{
    return share->merchant_id == 0 || share->merchant_id == line->terms->merchant_id;
}

static void
spread_share(MbrPurchase *purchase, const Share *share)
{
    int n = purchase->nlines;
    MbrWide *weights = palloc(sizeof(MbrWide) * n);
    MbrWide *remainders = palloc(sizeof(MbrWide) * n);
    int64_t *values = palloc(sizeof(int64_t) * n);
    int64_t *points = palloc(sizeof(int64_t) * n);
    int64 left = 0;

    for (int i = 0; i < n; i++)
        if (is_for(share, &purchase->lines[i]))
            left += purchase->lines[i].amount - purchase->lines[i].tendered;
    if (share->value > left || left == 0)
        mbr_spend_refuse_limit(
            psprintf("points are worth more than is left of merchant %d's lines", share->merchant_id),
            "A tender with a merchant_id pays for that merchant's lines only.",
            "Pass fewer points, or leave merchant_id out.");
    for (int i = 0; i < n; i++)
        weights[i] = is_for(share, &purchase->lines[i])
                         ? (MbrWide)(purchase->lines[i].amount - purchase->lines[i].tendered)
                         : 0;
    mbr_spread_by(weights, n, left, share->value, values, remainders);
    mbr_spread_by(weights, n, left, share->points, points, remainders);
    for (int i = 0; i < n; i++) {
        purchase->lines[i].tendered += values[i];
        purchase->lines[i].points_tendered += points[i];
    }
}

/* What pays for the same lines is one share: in how many pieces it came makes no difference. */
static void
pool_shares(Paying *paying)
{
    int n = 0;

    for (int i = 0; i < paying->nshares; i++) {
        const Share share = paying->shares[i];
        int to = 0;

        while (to < n && paying->shares[to].merchant_id != share.merchant_id)
            to++;
        if (to == n)
            paying->shares[n++] = (Share){.merchant_id = share.merchant_id};
        paying->shares[to].points += share.points;
        paying->shares[to].value += share.value;
    }
    paying->nshares = n;
}

/* Those of one merchant's lines first, so that the others take what is left. */
static void
spread_shares(Paying *paying)
{
    pool_shares(paying);
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < paying->nshares; i++)
            if ((paying->shares[i].merchant_id == 0) == (pass == 1))
                spread_share(paying->purchase, &paying->shares[i]);
}

/*
 * What was spent before is for the lines of the merchants that the list names: the worth follows the points.
 * Shares are in the order of posting: spent, named holds, holds of the order.
 */
static void
assign_listed(Paying *paying, const MbrTenders *tenders)
{
    int n = tenders->nlisted;
    int last_named = tenders->nspent + tenders->nnamed;
    MbrWide *weights = palloc(sizeof(MbrWide) * n);
    MbrWide *remainders = palloc(sizeof(MbrWide) * n);
    int64_t *values = palloc(sizeof(int64_t) * n);
    Share *shares = palloc(sizeof(Share) * (n + tenders->nnamed));
    int64 points = 0, value = 0;

    for (int i = 0; i < paying->nshares; i++)
        if (i < tenders->nspent || i >= last_named) {
            points += paying->shares[i].points;
            value += paying->shares[i].value;
        }
    for (int i = 0; i < n; i++)
        weights[i] = tenders->listed[i]->points;
    mbr_spread_by(weights, n, points, value, values, remainders);
    for (int i = 0; i < n; i++) {
        check_amount(paying, tenders->listed[i], tenders->listed[i]->points, values[i]);
        shares[i] = (Share){tenders->listed[i]->points, values[i], tenders->listed[i]->merchant_id};
    }
    for (int i = tenders->nspent; i < last_named; i++)
        shares[n++] = paying->shares[i];
    paying->shares = shares;
    paying->nshares = n;
}

void
mbr_tenders_post(MbrSession *session, const MbrPurchaseArgs *args, const MbrLoad *load, MbrWork *work,
                 const MbrTenders *tenders, MbrPurchase *purchase)
{
    int n = tenders->nspent + mbr_tenders_events(tenders);
    Paying paying = {.session = session, .args = args, .load = load, .work = work, .purchase = purchase};

    if (n == 0)
        return;
    paying.shares = palloc(sizeof(Share) * n);
    paying.spent = palloc(sizeof(int64) * n);
    for (int i = 0; i < tenders->nspent; i++)
        add_share(&paying, tenders->spent[i].journal_no,
                  (Share){tenders->spent[i].points, tenders->spent[i].value, 0}, tenders->spent[i].purpose);
    for (int i = 0; i < tenders->nholds; i++)
        capture_hold(&paying, tenders->holds[i]);
    for (int i = 0; tenders->redeems && i < tenders->nlisted; i++)
        redeem(&paying, tenders->listed[i]);
    check_worth(&paying);
    purchase->spent = paying.spent;
    purchase->nspent = n;
    if (!tenders->redeems && tenders->nlisted > 0)
        assign_listed(&paying, tenders);
    spread_shares(&paying);
    work->member.order_spends -= tenders->nspent;
    if (tenders->nspent > 0 && !session->read_only)
        mbr_order_spend_remove(session, args->member_id, args->merchant_id, args->order_ref, 0);
}

void
mbr_tenders_keep(int64 points, int64 value, const int64_t *spent, int nspent, const MbrConfig *config,
                 MbrPurchase *purchase)
{
    Share share = {.points = points, .value = value};

    if (value > purchase->amount)
        mbr_spend_refuse_limit(
            psprintf("points worth %s paid for the order", mbr_money_text(value, config->digits)),
            psprintf("That is more than %s.", mbr_money_text(purchase->amount, config->digits)),
            "Refund the order instead.");
    purchase->tendered = value;
    purchase->points_tendered = points;
    purchase->spent = spent;
    purchase->nspent = nspent;
    spread_share(purchase, &share);
}
