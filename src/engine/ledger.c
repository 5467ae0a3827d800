/*
 * ledger.c - movements on a member's lots.
 *
 * Every change of a balance is an entry made by post(); a journal row's points are the change of the balance
 * between its opening and its closing.
 */
#include <stddef.h>

#include "engine/canary.h"
#include "engine/ledger.h"

MbrJournal *
mbr_journal_open(MbrWork *work, MbrVerb verb, int64_t occurred_at)
{
    MbrJournal *journal;

    if (work->njournals >= work->max_journals) {
        work->refusal = MBR_REFUSED_NO_ROOM;
        return NULL;
    }
    journal = &work->journals[work->njournals++];
    *journal = (MbrJournal){.journal_no = work->member.next_journal_no++,
                            .verb = verb,
                            .occurred_at = occurred_at,
                            .posted_at = work->posted_at,
                            .balance = work->member.balance};
    return journal;
}

void
mbr_journal_close(MbrWork *work, MbrJournal *journal)
{
    journal->points = work->member.balance - journal->balance;
    journal->balance = work->member.balance;
    journal->last_entry_no = work->member.next_entry_no - 1;
    work->member.last_posted_at = work->posted_at;
}

/* Posts one entry; the caller has changed the lot or the debt. */
static MbrEntry *
post(MbrWork *work, int64_t journal_no, int64_t lot_no, int64_t points)
{
    MbrMember *member = &work->member;
    MbrEntry *entry;

    if (work->nentries >= work->max_entries) {
        work->refusal = MBR_REFUSED_NO_ROOM;
        return NULL;
    }
    member->balance += points;
    entry = &work->entries[work->nentries++];
    *entry = (MbrEntry){.entry_no = member->next_entry_no++,
                        .journal_no = journal_no,
                        .lot_no = lot_no,
                        .points = points,
                        .balance_after = member->balance - (MBR_CANARY(BALANCE_BEFORE) ? points : 0)};
    return entry;
}

void
mbr_lot_take(MbrWork *work, int64_t journal_no, MbrLot *lot, int64_t points)
{
    lot->remaining -= points;
    lot->changed = true;
    post(work, journal_no, lot->lot_no, -points);
}

/* Pays debt from a lot by two visible entries; the balance stays. */
static void
pay_debt(MbrWork *work, int64_t journal_no, MbrLot *lot, int64_t points)
{
    mbr_lot_take(work, journal_no, lot, points);
    work->member.debt -= points;
    post(work, journal_no, 0, points);
}

int64_t
mbr_lot_unheld(const MbrLot *lot)
{
    return lot->remaining - lot->held;
}

static int64_t
min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t
max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* What was held while its lot became active, or died, does so when it is released. */
static int64_t
active_since(const MbrLot *lot)
{
    return max64(lot->active_at, lot->released_at);
}

static int64_t
dead_since(const MbrLot *lot)
{
    return max64(lot->expires_at, lot->released_at);
}

/* A lot that never lived pays no debt. */
static bool
pays_debt(const MbrLot *lot, int64_t now)
{
    return !lot->stillborn && active_since(lot) <= now && active_since(lot) < lot->expires_at &&
           mbr_lot_unheld(lot) > 0;
}

static bool
is_dead(const MbrLot *lot, int64_t now)
{
    return lot->expires_at <= now && mbr_lot_unheld(lot) > 0;
}

/* The order in which lots become active. */
static bool
activates_before(const MbrLot *a, const MbrLot *b)
{
    if (active_since(a) != active_since(b))
        return active_since(a) < active_since(b);
    if (a->expires_at != b->expires_at)
        return a->expires_at < b->expires_at;
    return a->lot_no < b->lot_no;
}

bool
mbr_lot_expires_before(const MbrLot *a, const MbrLot *b)
{
    if (a->expires_at != b->expires_at)
        return a->expires_at < b->expires_at;
    return a->lot_no < b->lot_no;
}

static bool
dies_before(const MbrLot *a, const MbrLot *b)
{
    return dead_since(a) != dead_since(b) ? dead_since(a) < dead_since(b) : mbr_lot_expires_before(a, b);
}

bool
mbr_settle_needed(const MbrMember *member, int64_t posted_at)
{
    return member->next_expiry <= posted_at || member->debt > 0;
}

static MbrLot *
next_payer(MbrMember *member, int64_t now)
{
    MbrLot *best = NULL;

    for (int i = 0; member->debt > 0 && i < member->nlots; i++) {
        MbrLot *lot = &member->lots[i];

        if (pays_debt(lot, now) && (best == NULL || activates_before(lot, best)))
            best = lot;
    }
    return best;
}

static MbrLot *
next_dead(MbrMember *member, int64_t now)
{
    MbrLot *best = NULL;

    for (int i = 0; i < member->nlots; i++) {
        MbrLot *lot = &member->lots[i];

        if (is_dead(lot, now) && (best == NULL || dies_before(lot, best)))
            best = lot;
    }
    return best;
}

/* Lots that die at the same instant expire in one event. */
static void
expire(MbrWork *work, MbrLot *first)
{
    int64_t died_at = dead_since(first);
    MbrJournal *journal = mbr_journal_open(work, MBR_VERB_EXPIRY, died_at);

    if (journal == NULL)
        return;
    for (MbrLot *lot = first; lot != NULL && dead_since(lot) == died_at;
         lot = next_dead(&work->member, work->posted_at))
        mbr_lot_take(work, journal->journal_no, lot, mbr_lot_unheld(lot));
    mbr_journal_close(work, journal);
}

static void
pay(MbrWork *work, MbrLot *lot)
{
    MbrJournal *journal = mbr_journal_open(work, MBR_VERB_DEBT_PAYMENT, active_since(lot));

    if (journal == NULL)
        return;
    pay_debt(work, journal->journal_no, lot, min64(work->member.debt, mbr_lot_unheld(lot)));
    mbr_journal_close(work, journal);
}

/* The hold that times out next, of those whose time has come. */
static MbrHold *
next_timeout(MbrMember *member, int64_t now)
{
    MbrHold *best = NULL;

    for (int i = 0; i < member->nholds; i++) {
        MbrHold *hold = &member->holds[i];

        if (!hold->over && hold->expires_at <= now && (best == NULL || hold->expires_at < best->expires_at))
            best = hold;
    }
    return best;
}

MbrLot *
mbr_lot_find(MbrMember *member, int64_t lot_no)
{
    for (int i = 0; i < member->nlots; i++)
        if (member->lots[i].lot_no == lot_no)
            return &member->lots[i];
    return NULL;
}

static void
unhold(MbrWork *work, MbrLot *lot, int64_t points)
{
    lot->held -= points;
    lot->changed = true;
    work->member.held -= points;
}

void
mbr_hold_end(MbrWork *work, MbrHold *hold, MbrJournal *journal, int64_t captured, int64_t at)
{
    for (int i = 0; i < hold->nparts; i++) {
        MbrLot *lot = mbr_lot_find(&work->member, hold->parts[i].lot_no);
        int64_t points = min64(captured, hold->parts[i].points);

        if (lot == NULL) {
            work->refusal = MBR_REFUSED_NO_ROOM;
            return;
        }
        unhold(work, lot, hold->parts[i].points);
        if (points > 0)
            mbr_lot_take(work, journal->journal_no, lot, points);
        captured -= points;
        if (points < hold->parts[i].points)
            lot->released_at = max64(lot->released_at, at);
    }
    hold->over = true;
}

static void
time_out(MbrWork *work, MbrHold *hold)
{
    MbrJournal *journal = mbr_journal_open(work, MBR_VERB_TIMEOUT, hold->expires_at);

    if (journal == NULL)
        return;
    journal->refers_to = hold->hold_no;
    mbr_hold_end(work, hold, journal, 0, hold->expires_at);
    if (hold->order_ref != NULL)
        work->member.order_spends--;
    mbr_journal_close(work, journal);
}

bool
mbr_settle_due(MbrWork *work)
{
    return next_payer(&work->member, work->posted_at) != NULL ||
           next_dead(&work->member, work->posted_at) != NULL ||
           next_timeout(&work->member, work->posted_at) != NULL;
}

/*
 * Payments, time-outs and expiries in the order of their times, and of one time in this order: the result is
 * the same as if each had been posted at its own moment, however late this runs.
 */
void
mbr_settle(MbrWork *work)
{
    while (work->refusal == MBR_OK) {
        MbrLot *payer = next_payer(&work->member, work->posted_at);
        MbrLot *dead = next_dead(&work->member, work->posted_at);
        MbrHold *over = next_timeout(&work->member, work->posted_at);
        int64_t pays_at = payer == NULL ? MBR_NEVER : active_since(payer);
        int64_t ends_at = over == NULL ? MBR_NEVER : over->expires_at;
        int64_t dies_at = dead == NULL ? MBR_NEVER : dead_since(dead);

        if (payer != NULL && pays_at <= ends_at && pays_at <= dies_at)
            pay(work, payer);
        else if (over != NULL && ends_at <= dies_at)
            time_out(work, over);
        else if (dead != NULL)
            expire(work, dead);
        else
            break;
    }
}

/* Opens a lot by its entry; NULL and a refusal when there is no room. */
static MbrLot *
open_lot(MbrWork *work, const MbrJournal *journal, int64_t points, int64_t active_at, int64_t expires_at,
         MbrVerb origin, int64_t moved_from)
{
    MbrMember *member = &work->member;
    MbrEntry *entry;
    MbrLot *lot;

    if (member->nlots >= member->max_lots) {
        work->refusal = MBR_REFUSED_NO_ROOM;
        return NULL;
    }
    lot = &member->lots[member->nlots];
    *lot = (MbrLot){.lot_no = member->next_entry_no,
                    .journal_no = journal->journal_no,
                    .granted = points,
                    .remaining = points,
                    .active_at = active_at,
                    .expires_at = expires_at,
                    .origin = origin,
                    .opened = true,
                    .stillborn = expires_at <= work->posted_at};
    entry = post(work, journal->journal_no, lot->lot_no, points);
    if (entry == NULL)
        return NULL;
    entry->active_at = active_at;
    entry->expires_at = expires_at;
    entry->origin = origin;
    entry->moved_from = moved_from;
    member->nlots++;
    return lot;
}

void
mbr_credit(MbrWork *work, MbrJournal *journal, int64_t points, int64_t active_at, int64_t expires_at)
{
    MbrMember *member = &work->member;
    MbrLot *lot;

    if (member->balance + points > MBR_MAX_POINTS) {
        work->refusal = MBR_REFUSED_OVERFLOW;
        return;
    }
    lot = open_lot(work, journal, points, active_at, expires_at, journal->verb, 0);
    if (lot != NULL && member->debt > 0 && pays_debt(lot, work->posted_at) && !MBR_CANARY(DEBT_NOT_PAID))
        pay_debt(work, journal->journal_no, lot, min64(member->debt, points));
}

static bool
is_available(const MbrLot *lot, int64_t now)
{
    return lot->active_at <= now && lot->expires_at > now && mbr_lot_unheld(lot) > 0;
}

/* Lets a lot of the queue, a heap, sink to its place. */
static void
sink(MbrMember *member, int at)
{
    MbrLot **queue = member->queue;
    MbrLot *lot = queue[at];

    for (int child = 2 * at + 1; child < member->nqueued; child = 2 * at + 1) {
        if (child + 1 < member->nqueued && mbr_lot_expires_before(queue[child + 1], queue[child]))
            child++;
        if (!mbr_lot_expires_before(queue[child], lot))
            break;
        queue[at] = queue[child];
        at = child;
    }
    queue[at] = lot;
}

/* Queues what can be spent, so that the lots are looked through once, however many are taken. */
static void
queue_available(MbrMember *member, int64_t now)
{
    member->nqueued = 0;
    for (int i = 0; i < member->nlots; i++)
        if (is_available(&member->lots[i], now))
            member->queue[member->nqueued++] = &member->lots[i];
    for (int i = member->nqueued / 2 - 1; i >= 0; i--)
        sink(member, i);
}

/* The lot to be spent next leaves the queue; NULL = there is none. */
static MbrLot *
next_available(MbrMember *member)
{
    MbrLot *next;

    if (member->nqueued == 0)
        return NULL;
    next = member->queue[0];
    member->queue[0] = member->queue[--member->nqueued];
    sink(member, 0);
    return next;
}

int64_t
mbr_available(const MbrMember *member, int64_t now)
{
    int64_t sum = 0;

    for (int i = 0; i < member->nlots; i++)
        if (is_available(&member->lots[i], now))
            sum += mbr_lot_unheld(&member->lots[i]);
    sum -= member->debt;
    return sum > 0 ? sum : 0;
}

void
mbr_debit(MbrWork *work, MbrJournal *journal, int64_t points, bool allow_debt)
{
    MbrMember *member = &work->member;

    work->available = mbr_available(member, work->posted_at);
    if (points > work->available && !allow_debt) {
        work->refusal = MBR_REFUSED_INSUFFICIENT;
        return;
    }
    if (member->balance - points < -MBR_MAX_POINTS || member->debt + points > MBR_MAX_POINTS) {
        work->refusal = MBR_REFUSED_OVERFLOW;
        return;
    }
    queue_available(member, work->posted_at);
    while (points > 0 && work->refusal == MBR_OK) {
        MbrLot *lot = next_available(member);
        int64_t part = lot == NULL ? points : min64(points, mbr_lot_unheld(lot));

        if (lot != NULL) {
            mbr_lot_take(work, journal->journal_no, lot, part);
        } else {
            member->debt += part;
            post(work, journal->journal_no, 0, -part);
        }
        points -= part;
    }
}

void
mbr_owe(MbrWork *work, MbrJournal *journal, int64_t points)
{
    MbrMember *member = &work->member;

    if (points == 0)
        return;
    if (member->balance - points < -MBR_MAX_POINTS || member->debt + points > MBR_MAX_POINTS) {
        work->refusal = MBR_REFUSED_OVERFLOW;
        return;
    }
    member->debt += points;
    post(work, journal->journal_no, 0, -points);
}

void
mbr_pay_owed(MbrWork *work, MbrJournal *journal, int64_t debt)
{
    MbrMember *member = &work->member;

    for (int i = 0; i < member->nlots && member->debt > debt; i++)
        if (member->lots[i].journal_no == journal->journal_no && mbr_lot_unheld(&member->lots[i]) > 0)
            pay_debt(work, journal->journal_no, &member->lots[i],
                     min64(member->debt - debt, mbr_lot_unheld(&member->lots[i])));
    queue_available(member, work->posted_at);
    while (member->debt > debt && work->refusal == MBR_OK) {
        MbrLot *lot = next_available(member);

        if (lot == NULL)
            break;
        pay_debt(work, journal->journal_no, lot, min64(member->debt - debt, mbr_lot_unheld(lot)));
    }
}

static bool
is_extended(const MbrLot *lot, const MbrWork *work, int64_t purchase_no, int64_t until)
{
    return lot->expires_at > work->posted_at && lot->expires_at < until && lot->journal_no != purchase_no &&
           mbr_lot_unheld(lot) > 0;
}

void
mbr_extend(MbrWork *work, int64_t purchase_no, int64_t until)
{
    MbrJournal *journal = NULL;
    int nlots = work->member.nlots;

    for (int i = 0; i < nlots && work->refusal == MBR_OK; i++) {
        MbrLot *lot = &work->member.lots[i];
        int64_t points = mbr_lot_unheld(lot);

        if (!is_extended(lot, work, purchase_no, until))
            continue;
        if (journal == NULL)
            journal = mbr_journal_open(work, MBR_VERB_EXTENSION, work->posted_at);
        if (journal == NULL)
            return;
        mbr_lot_take(work, journal->journal_no, lot, points);
        (void)open_lot(work, journal, points, lot->active_at, until, lot->origin, lot->lot_no);
    }
    if (journal == NULL)
        return;
    journal->refers_to = purchase_no;
    mbr_journal_close(work, journal);
}

int64_t
mbr_next_expiry(const MbrMember *member)
{
    int64_t next = member->lots_loaded ? MBR_NEVER : member->next_expiry;

    for (int i = 0; i < member->nlots; i++)
        if (member->lots[i].remaining > 0 && !(MBR_CANARY(EXPIRY_NOT_NOTED) && member->lots[i].opened))
            next = min64(next, member->lots[i].expires_at);
    for (int i = 0; i < member->nholds; i++)
        if (!member->holds[i].over)
            next = min64(next, member->holds[i].expires_at);
    return next;
}

int
mbr_hold_take(MbrWork *work, int64_t points, MbrHoldPart *parts, int max)
{
    int n = 0;

    queue_available(&work->member, work->posted_at);
    while (points > 0) {
        MbrLot *lot = next_available(&work->member);

        if (lot == NULL || n >= max) {
            work->refusal = MBR_REFUSED_NO_ROOM;
            return n;
        }
        parts[n] = (MbrHoldPart){.lot_no = lot->lot_no, .points = min64(points, mbr_lot_unheld(lot))};
        points -= parts[n].points;
        lot->held += MBR_CANARY(HOLD_NOT_KEPT) ? 0 : parts[n].points;
        lot->changed = true;
        work->member.held += parts[n++].points;
    }
    return n;
}

void
mbr_lot_restore(MbrWork *work, MbrJournal *journal, const MbrLot *origin, int64_t points)
{
    MbrMember *member = &work->member;
    MbrLot *lot = mbr_lot_find(member, origin->lot_no);

    if (member->balance + points > MBR_MAX_POINTS || (lot == NULL && member->nlots >= member->max_lots)) {
        work->refusal =
            member->balance + points > MBR_MAX_POINTS ? MBR_REFUSED_OVERFLOW : MBR_REFUSED_NO_ROOM;
        return;
    }
    if (lot == NULL) { /* its row left when it was used up */
        lot = &member->lots[member->nlots++];
        *lot = *origin;
        lot->remaining = lot->held = 0;
        lot->opened = true;
    }
    lot->remaining += points;
    lot->changed = true;
    lot->released_at = max64(lot->released_at, work->posted_at);
    post(work, journal->journal_no, lot->lot_no, points);
    if (member->debt > 0 && pays_debt(lot, work->posted_at))
        pay_debt(work, journal->journal_no, lot, min64(member->debt, mbr_lot_unheld(lot)));
}

/* Each lot taken opens one of the same life. */
void
mbr_move(MbrWork *from, MbrJournal *sent, MbrWork *to, MbrJournal *received, int64_t points)
{
    queue_available(&from->member, from->posted_at);
    while (points > 0 && from->refusal == MBR_OK && to->refusal == MBR_OK) {
        MbrLot *lot = next_available(&from->member);
        int64_t part = lot == NULL ? 0 : min64(points, mbr_lot_unheld(lot));

        if (lot == NULL) {
            from->refusal = MBR_REFUSED_INSUFFICIENT;
            return;
        }
        mbr_credit(to, received, part, lot->active_at, lot->expires_at);
        mbr_lot_take(from, sent->journal_no, lot, part);
        points -= part;
    }
}

void
mbr_lot_reopen(MbrWork *work, MbrJournal *journal, const MbrLot *origin, int64_t points)
{
    MbrMember *member = &work->member;
    MbrLot *lot;

    if (member->balance + points > MBR_MAX_POINTS) {
        work->refusal = MBR_REFUSED_OVERFLOW;
        return;
    }
    lot = open_lot(work, journal, points, origin->active_at, origin->expires_at, origin->origin,
                   journal->counterpart_id == origin->merged_id ? origin->lot_no : 0);
    if (lot == NULL)
        return;
    lot->released_at = work->posted_at;
    if (member->debt > 0 && pays_debt(lot, work->posted_at))
        pay_debt(work, journal->journal_no, lot, min64(member->debt, points));
}

/* Earliest expiry first, as points are spent. */
static void
pay_all_debt(MbrWork *work, int64_t journal_no)
{
    MbrMember *member = &work->member;

    queue_available(member, work->posted_at);
    while (member->debt > 0 && work->refusal == MBR_OK) {
        MbrLot *lot = next_available(member);

        if (lot == NULL)
            return;
        pay_debt(work, journal_no, lot, min64(member->debt, mbr_lot_unheld(lot)));
    }
}

static void
move_debt(MbrWork *from, MbrJournal *out, MbrWork *into, MbrJournal *in)
{
    int64_t debt = from->member.debt;

    if (debt == 0 || MBR_CANARY(MERGE_LEAVES_DEBT))
        return;
    if (into->member.debt + debt > MBR_MAX_POINTS || into->member.balance - debt < -MBR_MAX_POINTS) {
        into->refusal = MBR_REFUSED_OVERFLOW;
        return;
    }
    from->member.debt = 0;
    post(from, out->journal_no, 0, debt);
    into->member.debt += debt;
    post(into, in->journal_no, 0, -debt);
}

void
mbr_move_all(MbrWork *from, MbrJournal *out, MbrWork *into, MbrJournal *in)
{
    for (int i = 0; i < from->member.nlots && into->refusal == MBR_OK; i++) {
        MbrLot *lot = &from->member.lots[i];
        int64_t points = lot->remaining;

        if (points == 0)
            continue;
        if (into->member.balance + points > MBR_MAX_POINTS) {
            into->refusal = MBR_REFUSED_OVERFLOW;
            return;
        }
        (void)open_lot(into, in, points, lot->active_at, lot->expires_at, lot->origin, lot->lot_no);
        mbr_lot_take(from, out->journal_no, lot, points);
    }
    move_debt(from, out, into, in);
    pay_all_debt(into, in->journal_no);
}
