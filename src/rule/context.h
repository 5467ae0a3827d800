/* context.h - what a condition can use: the columns of doc/rules.md, in its order. */
#ifndef MBR_RULE_CONTEXT_H
#define MBR_RULE_CONTEXT_H

#include "postgres.h"

typedef enum MbrContextColumn {
    MBR_CTX_ORDER_AMOUNT,
    MBR_CTX_ORDER_BASIS,
    MBR_CTX_LINE_AMOUNT,
    MBR_CTX_LINE_BASIS,
    MBR_CTX_QUANTITY,
    MBR_CTX_SKU,
    MBR_CTX_MERCHANT_ID,
    MBR_CTX_MALL_ID,
    MBR_CTX_BRAND,
    MBR_CTX_CATEGORY,
    MBR_CTX_CHANNEL,
    MBR_CTX_OCCURRED_AT,
    MBR_CTX_OCCURRED_ON,
    MBR_CTX_TIME_OF_DAY,
    MBR_CTX_HOUR,
    MBR_CTX_WEEKDAY,
    MBR_CTX_DAY,
    MBR_CTX_MONTH,
    MBR_CTX_BIRTHDAY,
    MBR_CTX_BIRTHDAY_MONTH,
    MBR_CTX_BIRTHDAY_DAY,
    MBR_CTX_AGE,
    MBR_CTX_MEMBER_DAYS,
    MBR_CTX_MERCHANT_DAYS,
    MBR_CTX_TIER,
    MBR_CTX_TIER_RANK,
    MBR_CTX_TAGS,
    MBR_CTX_SOURCE,
    MBR_CTX_MEMBER_ATTRIBUTES,
    MBR_CTX_ORDER_ATTRIBUTES,
    MBR_CTX_FIRST_PURCHASE,
    MBR_CTX_FIRST_AT_MERCHANT,
    MBR_CTX_FIRST_IN_CATEGORY,
    MBR_CTX_DAYS_SINCE_PURCHASE,
    MBR_CTX_ORDERS_TODAY,
    MBR_CTX_BASIS_TODAY,
    MBR_CTX_ORDERS_MONTH,
    MBR_CTX_BASIS_MONTH,
    MBR_CTX_ORDERS_12M,
    MBR_CTX_BASIS_12M,
    MBR_CTX_COUNT /* at most 64: sets of columns are bit masks */
} MbrContextColumn;

/* The values of one order or line; none of them toasted. */
typedef struct MbrContext {
    Datum values[MBR_CTX_COUNT];
    bool isnull[MBR_CTX_COUNT];
} MbrContext;

extern const char *mbr_context_name(MbrContextColumn column);
extern Oid mbr_context_type(MbrContextColumn column);
/* The column of a name, or MBR_CTX_COUNT. */
extern MbrContextColumn mbr_context_find(const char *name);

#endif
