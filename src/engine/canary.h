/*
 * canary.h - faults compiled in on request, to prove that the tests notice them: see test/canary/run.
 *
 * With -DMBR_CANARY_ON=MBR_CANARY_LOCK_SKIPPED the condition MBR_CANARY(LOCK_SKIPPED) is true. Otherwise
 * every one is a constant false, and the compiler drops what hangs on it.
 */
#ifndef MBR_ENGINE_CANARY_H
#define MBR_ENGINE_CANARY_H

enum {
    MBR_CANARY_NONE,
    MBR_CANARY_LOCK_SKIPPED,        /* a posting does not lock its member */
    MBR_CANARY_OLD_SNAPSHOT,        /* what is read after the lock was current before it */
    MBR_CANARY_STALE_CONFIGURATION, /* a backend keeps the configuration it read first */
    MBR_CANARY_RECEIPT_LOST,        /* a purchase's claim is not recorded */
    MBR_CANARY_KEY_LOST,            /* the claim of another verb is not recorded */
    MBR_CANARY_CONTENT_IGNORED,     /* a repeated purchase may have another content */
    MBR_CANARY_PRESENT_BALANCE,     /* a repeated purchase returns today's balance */
    MBR_CANARY_BATCH_BLIND,         /* a purchase of a batch does not see the spend of those before it */
    MBR_CANARY_HALF_UP,             /* an award is rounded half up instead of down */
    MBR_CANARY_TIE_TO_LAST_LINE,    /* equal remainders favour the higher line */
    MBR_CANARY_UPGRADE_EARNS_MORE,  /* the purchase that upgrades a member earns at the new tier */
    MBR_CANARY_EXPIRY_A_DAY_EARLY,  /* points die at the beginning of their last day */
    MBR_CANARY_PENDING_A_DAY_LATE,  /* points become active a day late */
    MBR_CANARY_WINDOW_A_DAY_LONG,   /* the tier window has a day more */
    MBR_CANARY_CLAIM_A_DAY_SHORT,   /* the last day of the claim period counts as late */
    MBR_CANARY_DEBT_NOT_PAID,       /* a credit leaves the member's debt */
    MBR_CANARY_EXPIRY_NOT_NOTED,    /* a new lot does not bring the account's next expiry forward */
    MBR_CANARY_BALANCE_BEFORE,      /* an entry has the balance from before it */
    MBR_CANARY_COMMISSION_DOWN,     /* a commission is rounded down instead of half up */
    MBR_CANARY_SECOND_BEST_COUNTS,  /* every rule of a group counts */
    MBR_CANARY_ROUNDED_BY_RULE,     /* what each rule gives is rounded down by itself */
    MBR_CANARY_NEWEST_VERSION,      /* a rule's newest version counts, whatever is in force */
    MBR_CANARY_HOLD_NOT_KEPT,       /* what is held can be spent all the same */
    MBR_CANARY_SHARE_NOT_ASKED,     /* points may pay any share of an order */
    MBR_CANARY_REVERSED_TWICE,      /* a reversal takes twice its points off the day */
    MBR_CANARY_REFUND_DOWN,         /* what a return undoes is rounded down instead of half up */
    MBR_CANARY_EXPIRED_CLAWED,      /* points that expired are taken back once more */
    MBR_CANARY_PARKED_FORGOTTEN,    /* a refund that came before its sale is not applied */
    MBR_CANARY_SWEEP_LEAVES_DEBT,   /* a sweep looks only at members of whom something dies */
    MBR_CANARY_SWEEP_BY_THE_CLOCK,  /* a sweep as of the past posts with the present time */
    MBR_CANARY_MERGE_LEAVES_DEBT,   /* a merged member's debt is forgotten */
    MBR_CANARY_MERGE_LEAVES_SPENDS  /* orders that points have paid do not follow a merge */
};

#ifndef MBR_CANARY_ON
#define MBR_CANARY_ON MBR_CANARY_NONE
#endif

#define MBR_CANARY(name) (MBR_CANARY_ON == MBR_CANARY_##name)

#endif
