/* hold.h - open holds, and what of an order has been spent already. */
#ifndef MBR_STORE_HOLD_H
#define MBR_STORE_HOLD_H

#include "engine/limit.h"
#include "engine/spend.h"
#include "store/load.h"

/* The member's open holds into work. */
extern void mbr_hold_load(MbrSession *session, const MbrConfig *config, MbrWork *work);
/* Writes a new hold, and removes one that is over. */
extern void mbr_hold_store(MbrSession *session, int64 member_id, const MbrHold *hold);

/* What the authorization of a hold froze. */
extern void mbr_hold_facts(MbrSession *session, const MbrConfig *config, int64 member_id, int64 hold_no,
                           MbrSpend *spend, MbrBurn *burn);

/* A redemption or capture of an order that is not accrued yet. */
typedef struct MbrOrderSpend {
    int64 journal_no;
    int64 points;
    int64 value; /* minor units */
    const char *purpose;
    int64 of_member; /* whose event it is, when a merge brought it; journal_no stands for that */
    int64 of_journal_no;
} MbrOrderSpend;

extern MbrOrderSpend *mbr_order_spends(MbrSession *session, const MbrConfig *config, int64 member_id,
                                       int merchant_id, const char *order_ref, int *n);
extern void mbr_order_spend_add(MbrSession *session, int64 member_id, int merchant_id, const char *order_ref,
                                int64 journal_no);
/* Removes one, or all of the order (journal_no 0). */
extern void mbr_order_spend_remove(MbrSession *session, int64 member_id, int merchant_id,
                                   const char *order_ref, int64 journal_no);

/* A part from a row of SPI_tuptable; the statements that read parts begin with the same columns. */
extern MbrGiveBack mbr_give_back_read(uint64 row, int64 merged_id);
/* Which lots an event took points of, and what these are: in the order in which they were taken. It is the
 * member's, or of one merged into it. */
extern MbrGiveBack *
mbr_taken_by(MbrSession *session, int64 member_id, int64 of_member, int64 journal_no, int *n);
/* The splits of an event. */
extern MbrSplit *
mbr_splits_of(MbrSession *session, const MbrConfig *config, int64 member_id, int64 journal_no, int *n);
/* Points redeemed by the member on a day. */
extern int64 mbr_redeemed_on(MbrSession *session, int64 member_id, DateADT day);
/* Points sent to others on a day, also before a merge. */
extern int64 mbr_sent_on(MbrSession *session, int64 member_id, DateADT day);

#endif
