/* ledger.h - movements on a member's lots: the only code that changes a balance. */
#ifndef MBR_ENGINE_LEDGER_H
#define MBR_ENGINE_LEDGER_H

#include "engine/work.h"

/* Opens the next journal row; NULL and a refusal when there is no room. Entries that follow belong to it. */
extern MbrJournal *mbr_journal_open(MbrWork *work, MbrVerb verb, int64_t occurred_at);
/* Closes it: its points and the balance are those of its entries. */
extern void mbr_journal_close(MbrWork *work, MbrJournal *journal);

/*
 * Brings a member up to posted_at: lots that became active pay debt, lots that died expire, each as an event
 * of the time when it happened. Needs all lots unless mbr_settle_needed says no.
 */
extern bool mbr_settle_needed(const MbrMember *member, int64_t posted_at);
extern void mbr_settle(MbrWork *work);
/* Whether it would post anything. */
extern bool mbr_settle_due(MbrWork *work);

/* Opens a lot in the open journal row, and pays debt from it if it is active. */
extern void
mbr_credit(MbrWork *work, MbrJournal *journal, int64_t points, int64_t active_at, int64_t expires_at);
/*
 * Lets what lives and dies before a moment live until then: the unheld points of each such lot go to a new
 * one, in an event that refers to the purchase which caused it. What that purchase earned itself stays. Needs
 * all lots that die before the moment.
 */
extern void mbr_extend(MbrWork *work, int64_t purchase_no, int64_t until);
/* Takes points, earliest expiry first; what exceeds the available points is refused or becomes debt. */
extern void mbr_debit(MbrWork *work, MbrJournal *journal, int64_t points, bool allow_debt);

/* Makes points a debt, whatever is available. */
extern void mbr_owe(MbrWork *work, MbrJournal *journal, int64_t points);
/* Pays debt beyond what there was: from the event's own lots, however they live, then from available ones. */
extern void mbr_pay_owed(MbrWork *work, MbrJournal *journal, int64_t debt);

/* What can be spent: active, living, unheld points less debt, 0 at least. */
extern int64_t mbr_available(const MbrMember *member, int64_t now);

/* Reserves points of the lots that a debit would take; fills at most max parts, returns their number. */
extern int mbr_hold_take(MbrWork *work, int64_t points, MbrHoldPart *parts, int max);
/* Ends a hold at a moment: takes captured points of its lots, earliest expiry first; the rest is released. */
extern void mbr_hold_end(MbrWork *work, MbrHold *hold, MbrJournal *journal, int64_t captured, int64_t at);

/* Gives points back to the lot they came from; origin describes it, should its row be gone. */
extern void mbr_lot_restore(MbrWork *work, MbrJournal *journal, const MbrLot *origin, int64_t points);
/* Gives points back that were taken from a lot of a member merged into this one: into a new lot of the same
 * life. */
extern void mbr_lot_reopen(MbrWork *work, MbrJournal *journal, const MbrLot *origin, int64_t points);
/* Moves all that a member has and owes, nothing of it held; then active points pay the debt. */
extern void mbr_move_all(MbrWork *from, MbrJournal *out, MbrWork *into, MbrJournal *in);
/* Moves available points to another member, with the life they have; the caller checked that there are
 * enough. */
extern void mbr_move(MbrWork *from, MbrJournal *sent, MbrWork *to, MbrJournal *received, int64_t points);
/* Takes points of a lot. */
extern void mbr_lot_take(MbrWork *work, int64_t journal_no, MbrLot *lot, int64_t points);
/* What remains of a lot and is not held. */
extern int64_t mbr_lot_unheld(const MbrLot *lot);
/* The order in which lots are spent: earliest expiry, never-expiring last, then number. */
extern bool mbr_lot_expires_before(const MbrLot *a, const MbrLot *b);
/* A lot that was read or opened here, or NULL. */
extern MbrLot *mbr_lot_find(MbrMember *member, int64_t lot_no);

/* The first moment at which an open lot dies or a hold times out, after the postings so far. */
extern int64_t mbr_next_expiry(const MbrMember *member);

#endif
