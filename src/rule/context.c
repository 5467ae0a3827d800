/* context.c - names and types of the columns. */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "rule/context.h"

static const struct {
    const char *name;
    Oid type;
} columns[] = {
    [MBR_CTX_ORDER_AMOUNT] = {"order_amount", NUMERICOID},
    [MBR_CTX_ORDER_BASIS] = {"order_basis", NUMERICOID},
    [MBR_CTX_LINE_AMOUNT] = {"line_amount", NUMERICOID},
    [MBR_CTX_LINE_BASIS] = {"line_basis", NUMERICOID},
    [MBR_CTX_QUANTITY] = {"quantity", NUMERICOID},
    [MBR_CTX_SKU] = {"sku", TEXTOID},
    [MBR_CTX_MERCHANT_ID] = {"merchant_id", INT4OID},
    [MBR_CTX_MALL_ID] = {"mall_id", INT4OID},
    [MBR_CTX_BRAND] = {"brand", TEXTOID},
    [MBR_CTX_CATEGORY] = {"category", TEXTOID},
    [MBR_CTX_CHANNEL] = {"channel", TEXTOID},
    [MBR_CTX_OCCURRED_AT] = {"occurred_at", TIMESTAMPOID},
    [MBR_CTX_OCCURRED_ON] = {"occurred_on", DATEOID},
    [MBR_CTX_TIME_OF_DAY] = {"time_of_day", TIMEOID},
    [MBR_CTX_HOUR] = {"hour", INT4OID},
    [MBR_CTX_WEEKDAY] = {"weekday", INT4OID},
    [MBR_CTX_DAY] = {"day", INT4OID},
    [MBR_CTX_MONTH] = {"month", INT4OID},
    [MBR_CTX_BIRTHDAY] = {"birthday", DATEOID},
    [MBR_CTX_BIRTHDAY_MONTH] = {"birthday_month", BOOLOID},
    [MBR_CTX_BIRTHDAY_DAY] = {"birthday_day", BOOLOID},
    [MBR_CTX_AGE] = {"age", INT4OID},
    [MBR_CTX_MEMBER_DAYS] = {"member_days", INT4OID},
    [MBR_CTX_MERCHANT_DAYS] = {"merchant_days", INT4OID},
    [MBR_CTX_TIER] = {"tier", TEXTOID},
    [MBR_CTX_TIER_RANK] = {"tier_rank", INT4OID},
    [MBR_CTX_TAGS] = {"tags", TEXTARRAYOID},
    [MBR_CTX_SOURCE] = {"source", TEXTOID},
    [MBR_CTX_MEMBER_ATTRIBUTES] = {"member_attributes", JSONBOID},
    [MBR_CTX_ORDER_ATTRIBUTES] = {"order_attributes", JSONBOID},
    [MBR_CTX_FIRST_PURCHASE] = {"first_purchase", BOOLOID},
    [MBR_CTX_FIRST_AT_MERCHANT] = {"first_at_merchant", BOOLOID},
    [MBR_CTX_FIRST_IN_CATEGORY] = {"first_in_category", BOOLOID},
    [MBR_CTX_DAYS_SINCE_PURCHASE] = {"days_since_purchase", INT4OID},
    [MBR_CTX_ORDERS_TODAY] = {"orders_today", INT4OID},
    [MBR_CTX_BASIS_TODAY] = {"basis_today", NUMERICOID},
    [MBR_CTX_ORDERS_MONTH] = {"orders_month", INT4OID},
    [MBR_CTX_BASIS_MONTH] = {"basis_month", NUMERICOID},
    [MBR_CTX_ORDERS_12M] = {"orders_12m", INT4OID},
    [MBR_CTX_BASIS_12M] = {"basis_12m", NUMERICOID},
};

StaticAssertDecl(lengthof(columns) == MBR_CTX_COUNT && MBR_CTX_COUNT <= 64,
                 "a column for each bit of a mask");

const char *
mbr_context_name(MbrContextColumn column)
{
    return columns[column].name;
}

Oid
mbr_context_type(MbrContextColumn column)
{
    return columns[column].type;
}

MbrContextColumn
mbr_context_find(const char *name)
{
    int column = 0;

    while (column < MBR_CTX_COUNT && strcmp(columns[column].name, name) != 0)
        column++;
    return (MbrContextColumn)column;
}
