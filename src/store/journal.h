/* journal.h - the journal's facts of a purchase: how they are frozen, and read back. */
#ifndef MBR_STORE_JOURNAL_H
#define MBR_STORE_JOURNAL_H

#include "engine/work.h"
#include "store/config.h"
#include "store/session.h"

/* A journal row as read back. */
typedef struct MbrEvent {
    int64 member_id; /* in whose journal */
    int64 journal_no;
    MbrVerb verb;
    int64 points;
    int64 balance;
    int64 occurred_at;
    DateADT day;
    int64 amount; /* minor units; the worth of a redemption */
    int64 refers_to;
    int64 counterpart_id; /* 0 = none */
    int merchant_id;
    const char *order_ref;
    MbrPurchase purchase; /* of an accrual; its lines only as frozen_lines */
} MbrEvent;

/* Writes purchase->frozen_lines and frozen_rules from what was decided, for the journal or for a preview. */
extern void mbr_freeze(MbrPurchase *purchase, int digits, bool preview);

/* Reads a row; false = there is none. */
extern bool mbr_event_read(MbrSession *session, const MbrConfig *config, int64 member_id, int64 journal_no,
                           MbrEvent *event);

#endif
