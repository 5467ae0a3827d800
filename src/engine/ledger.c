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

static void
take(MbrWork *work, int64_t journal_no, MbrLot *lot, int64_t points)
{
    lot->remaining -= points;
    lot->changed = true;
    post(work, journal_no, lot->lot_no, -points);
}

/* Pays debt from a lot by two visible entries; the balance stays. */
static void
pay_debt(MbrWork *work, int64_t journal_no, MbrLot *lot, int64_t points)
{
    take(work, journal_no, lot, points);
    work->member.debt -= points;
    post(work, journal_no, 0, points);
}

static int64_t
unheld(const MbrLot *lot)
{
    return lot->remaining - lot->held;
}

static int64_t
min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A lot that never lived pays no debt. */
static bool
pays_debt(const MbrLot *lot, int64_t now)
{
    return !lot->stillborn && lot->active_at <= now && lot->active_at < lot->expires_at && unheld(lot) > 0;
}

static bool
is_dead(const MbrLot *lot, int64_t now)
{
    return lot->expires_at <= now && unheld(lot) > 0;
}

/* The order in which lots become active. */
static bool
activates_before(const MbrLot *a, const MbrLot *b)
{
    if (a->active_at != b->active_at)
        return a->active_at < b->active_at;
    if (a->expires_at != b->expires_at)
        return a->expires_at < b->expires_at;
    return a->lot_no < b->lot_no;
}

/* The order in which lots are spent and expire: earliest expiry, never-expiring last, then number. */
static bool
expires_before(const MbrLot *a, const MbrLot *b)
{
    if (a->expires_at != b->expires_at)
        return a->expires_at < b->expires_at;
    return a->lot_no < b->lot_no;
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

        if (is_dead(lot, now) && (best == NULL || expires_before(lot, best)))
            best = lot;
    }
    return best;
}

/* Lots that die at the same instant expire in one event. */
static void
expire(MbrWork *work, MbrLot *first)
{
    int64_t died_at = first->expires_at;
    MbrJournal *journal = mbr_journal_open(work, MBR_VERB_EXPIRY, died_at);

    if (journal == NULL)
        return;
    for (MbrLot *lot = first; lot != NULL && lot->expires_at == died_at;
         lot = next_dead(&work->member, work->posted_at))
        take(work, journal->journal_no, lot, unheld(lot));
    mbr_journal_close(work, journal);
}

static void
pay(MbrWork *work, MbrLot *lot)
{
    MbrJournal *journal = mbr_journal_open(work, MBR_VERB_DEBT_PAYMENT, lot->active_at);

    if (journal == NULL)
        return;
    pay_debt(work, journal->journal_no, lot, min64(work->member.debt, unheld(lot)));
    mbr_journal_close(work, journal);
}

bool
mbr_settle_due(MbrWork *work)
{
    return next_payer(&work->member, work->posted_at) != NULL ||
           next_dead(&work->member, work->posted_at) != NULL;
}

/*
 * Payments and expiries in the order of their times, payments first: the result is the same as if each had
 * been posted at its own moment, however late this runs.
 */
void
mbr_settle(MbrWork *work)
{
    while (work->refusal == MBR_OK) {
        MbrLot *payer = next_payer(&work->member, work->posted_at);
        MbrLot *dead = next_dead(&work->member, work->posted_at);

        if (payer != NULL && (dead == NULL || payer->active_at <= dead->expires_at))
            pay(work, payer);
        else if (dead != NULL)
            expire(work, dead);
        else
            break;
    }
}

/* Opens a lot by its entry; NULL and a refusal when there is no room. */
static MbrLot *
open_lot(MbrWork *work, const MbrJournal *journal, int64_t points, int64_t active_at, int64_t expires_at,
         MbrVerb origin)
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
    lot = open_lot(work, journal, points, active_at, expires_at, journal->verb);
    if (lot != NULL && member->debt > 0 && pays_debt(lot, work->posted_at) && !MBR_CANARY(DEBT_NOT_PAID))
        pay_debt(work, journal->journal_no, lot, min64(member->debt, points));
}

static bool
is_available(const MbrLot *lot, int64_t now)
{
    return lot->active_at <= now && lot->expires_at > now && unheld(lot) > 0;
}

static MbrLot *
next_available(MbrMember *member, int64_t now)
{
    MbrLot *best = NULL;

    for (int i = 0; i < member->nlots; i++) {
        MbrLot *lot = &member->lots[i];

        if (is_available(lot, now) && (best == NULL || expires_before(lot, best)))
            best = lot;
    }
    return best;
}

static int64_t
available_points(const MbrMember *member, int64_t now)
{
    int64_t sum = 0;

    for (int i = 0; i < member->nlots; i++)
        if (is_available(&member->lots[i], now))
            sum += unheld(&member->lots[i]);
    sum -= member->debt;
    return sum > 0 ? sum : 0;
}

void
mbr_debit(MbrWork *work, MbrJournal *journal, int64_t points, bool allow_debt)
{
    MbrMember *member = &work->member;

    work->available = available_points(member, work->posted_at);
    if (points > work->available && !allow_debt) {
        work->refusal = MBR_REFUSED_INSUFFICIENT;
        return;
    }
    if (member->balance - points < -MBR_MAX_POINTS || member->debt + points > MBR_MAX_POINTS) {
        work->refusal = MBR_REFUSED_OVERFLOW;
        return;
    }
    while (points > 0 && work->refusal == MBR_OK) {
        MbrLot *lot = next_available(member, work->posted_at);
        int64_t part = lot == NULL ? points : min64(points, unheld(lot));

        if (lot != NULL) {
            take(work, journal->journal_no, lot, part);
        } else {
            member->debt += part;
            post(work, journal->journal_no, 0, -part);
        }
        points -= part;
    }
}

static bool
is_extended(const MbrLot *lot, const MbrWork *work, int64_t purchase_no, int64_t until)
{
    return lot->expires_at > work->posted_at && lot->expires_at < until && lot->journal_no != purchase_no &&
           unheld(lot) > 0;
}

void
mbr_extend(MbrWork *work, int64_t purchase_no, int64_t until)
{
    MbrJournal *journal = NULL;
    int nlots = work->member.nlots;

    for (int i = 0; i < nlots && work->refusal == MBR_OK; i++) {
        MbrLot *lot = &work->member.lots[i];
        int64_t points = unheld(lot);

        if (!is_extended(lot, work, purchase_no, until))
            continue;
        if (journal == NULL)
            journal = mbr_journal_open(work, MBR_VERB_EXTENSION, work->posted_at);
        if (journal == NULL)
            return;
        take(work, journal->journal_no, lot, points);
        (void)open_lot(work, journal, points, lot->active_at, until, lot->origin);
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
    return next;
}
