/* spend.h - redemptions, holds, reversals, transfers. Settle first; limits are checked before. */
#ifndef MBR_ENGINE_SPEND_H
#define MBR_ENGINE_SPEND_H

#include "engine/work.h"

/* Each posts one event and returns it; NULL with a refusal. */
extern MbrJournal *mbr_redeem(MbrWork *work, const MbrSpend *spend, int64_t points);
/* The hold's parts have room for max_parts; what else is known of it is filled. */
extern MbrJournal *mbr_authorize(MbrWork *work, const MbrSpend *spend, MbrHold *hold, int max_parts);
extern MbrJournal *mbr_capture(MbrWork *work, const MbrSpend *spend, MbrHold *hold, int64_t points);
extern MbrJournal *mbr_void(MbrWork *work, MbrHold *hold);

/* A part of a redemption to give back. */
typedef struct MbrGiveBack {
    MbrLot origin; /* the lot it was taken from */
    int64_t points;
    int day; /* of the redemption, where it is asked for */
} MbrGiveBack;

/*
 * Gives points back to their lot, or, if that has died, to a new one that lives until then (MBR_NEVER: to the
 * dead one, from which they expire at once). Whether they live.
 */
extern bool mbr_give_back(MbrWork *work, MbrJournal *journal, const MbrLot *origin, int64_t points,
                          int64_t reinstated_until);

/* What is to be undone. */
typedef struct MbrReversal {
    int64_t journal_no; /* of the redemption or capture */
    int64_t merged_id;  /* whose it was, when that was not this member; 0 = its own */
    int day;            /* on which it was */
    const char *reason;
    const MbrGiveBack *parts;
    int nparts;
    const MbrSplit *splits;
    int nsplits;
    int64_t reinstated_until; /* of points whose lot has died; MBR_NEVER = these expire at once */
} MbrReversal;

/* Gives points back to their lots, or, where these have died, to new ones. */
extern MbrJournal *mbr_reverse(MbrWork *work, const MbrReversal *reversal);

/* Moves points between two members; the sender's event is returned. */
extern MbrJournal *mbr_transfer(MbrWork *from, MbrWork *to, int64_t points);

/* What a merged member spent on an order that is not accrued: an event that stands for it goes along. */
typedef struct MbrCarried {
    int64_t member_id; /* in whose journal it is */
    int64_t journal_no;
    MbrSpend spend;
} MbrCarried;

/* Lets one member become another: all it has and owes, and what it spent on orders to come. No hold is open.
 * The last events of into, one each, are those carried. */
extern void
mbr_merge(MbrWork *from, MbrWork *into, const char *reason, const MbrCarried *carried, int ncarried);

/* MBR_REFUSED_CLOSED, MBR_REFUSED_FROZEN or MBR_OK. */
extern MbrRefusal mbr_may_spend(const MbrWork *work);

#endif
