/*
 * error.h - the domain's SQLSTATEs (class MB); doc/errors.md is their table.
 *
 * MB0 not found or not set up, MB1 balance, limits and status, MB2 replay, MB3 configuration, MB4 life cycle,
 * MB5 broken invariant.
 */
#ifndef MBR_UTIL_ERROR_H
#define MBR_UTIL_ERROR_H

#define MBR_ERRCODE(d, e) MAKE_SQLSTATE('M', 'B', '0' + (d), '0' + (e) / 10, '0' + (e) % 10)

#define MBR_ERR_NO_PROGRAM MBR_ERRCODE(0, 1)       /* MB001 */
#define MBR_ERR_NO_MEMBER MBR_ERRCODE(0, 2)        /* MB002 */
#define MBR_ERR_NO_MERCHANT MBR_ERRCODE(0, 3)      /* MB003 */
#define MBR_ERR_NO_TIER MBR_ERRCODE(0, 4)          /* MB004 */
#define MBR_ERR_NO_REVIEW MBR_ERRCODE(0, 5)        /* MB005 */
#define MBR_ERR_NO_REFERRAL MBR_ERRCODE(0, 6)      /* MB006 */
#define MBR_ERR_NO_IDENTITY MBR_ERRCODE(0, 7)      /* MB007 */
#define MBR_ERR_NO_SPEND MBR_ERRCODE(0, 8)         /* MB008 */
#define MBR_ERR_NO_ORDER MBR_ERRCODE(0, 9)         /* MB009 */
#define MBR_ERR_INSUFFICIENT MBR_ERRCODE(1, 1)     /* MB101 */
#define MBR_ERR_MEMBER_CLOSED MBR_ERRCODE(1, 2)    /* MB102 */
#define MBR_ERR_LIMIT MBR_ERRCODE(1, 3)            /* MB103 */
#define MBR_ERR_MEMBER_FROZEN MBR_ERRCODE(1, 4)    /* MB104 */
#define MBR_ERR_NO_BURN_RULE MBR_ERRCODE(1, 5)     /* MB105 */
#define MBR_ERR_ORDER_POSTED MBR_ERRCODE(1, 6)     /* MB106 */
#define MBR_ERR_HOLD_OVER MBR_ERRCODE(1, 7)        /* MB107 */
#define MBR_ERR_TRANSFERS_OFF MBR_ERRCODE(1, 8)    /* MB108 */
#define MBR_ERR_NOTHING_LEFT MBR_ERRCODE(1, 9)     /* MB109 */
#define MBR_ERR_NOT_CORRECTABLE MBR_ERRCODE(1, 10) /* MB110 */
#define MBR_ERR_NOT_MERGED MBR_ERRCODE(1, 11)      /* MB111 */
#define MBR_ERR_OTHER_CONTENT MBR_ERRCODE(2, 1)    /* MB201 */
#define MBR_ERR_OTHER_MEMBER MBR_ERRCODE(2, 2)     /* MB202 */
#define MBR_ERR_IDENTITY_TAKEN MBR_ERRCODE(2, 3)   /* MB203 */
#define MBR_ERR_CONFIG_KEPT MBR_ERRCODE(3, 1)      /* MB301 */
#define MBR_ERR_CONDITION MBR_ERRCODE(3, 2)        /* MB302 */
#define MBR_ERR_RULE_UNFIT MBR_ERRCODE(3, 3)       /* MB303 */
#define MBR_ERR_OWNER_SUPERUSER MBR_ERRCODE(4, 1)  /* MB401 */
#define MBR_ERR_TABLE_VERSION MBR_ERRCODE(4, 2)    /* MB402 */
#define MBR_ERR_INTERNAL MBR_ERRCODE(5, 1)         /* MB501 */
#define MBR_ERR_APPEND_ONLY MBR_ERRCODE(5, 2)      /* MB502 */

#endif
