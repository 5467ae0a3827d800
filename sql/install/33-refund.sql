-- Refunds and corrections.

CREATE FUNCTION membership.refund_order(
    merchant_id integer, order_ref text, refund_ref text, amount numeric DEFAULT NULL, lines jsonb DEFAULT NULL,
    member_id bigint DEFAULT NULL, at timestamptz DEFAULT NULL)
RETURNS membership.refunding
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_refund_order';
COMMENT ON FUNCTION membership.refund_order IS
'Takes goods of an order back (退货), once per (merchant_id, order_ref, refund_ref): points spent on them are given back, points earned are taken back, splits and activity corrected. amount: net value of the goods, currency; lines: array of {line_no, quantity, amount}; neither = all that is left. member_id: checked if given. Before its sale it is parked, and applied when that comes. See doc/refunds.md. Errors: 22004, 22003, 22023 bad argument, MB003 unknown merchant, MB109 more than is left, MB201 refund_ref used with other content, MB202 receipt of another member.';

CREATE PROCEDURE membership.refund_from(
    query text, result_table regclass DEFAULT NULL, batch_size integer DEFAULT 1000,
    INOUT processed bigint DEFAULT NULL, INOUT duplicates bigint DEFAULT NULL, INOUT parked bigint DEFAULT NULL,
    INOUT failed bigint DEFAULT NULL)
LANGUAGE c AS 'MODULE_PATHNAME', 'membership_refund_from';
COMMENT ON PROCEDURE membership.refund_from IS
'Posts the refunds that a query returns, with the results of as many refund_order calls in that order; run again, what was posted or parked counts as duplicates. query: one SELECT, run as the caller, whose columns have the names of refund_order''s arguments; merchant_id, order_ref and refund_ref are needed, a timestamp without zone is programme time. Commits every batch_size rows (1 to 10,000), unless inside a transaction block. result_table: the caller''s own table with the columns of type refund_result, gets a row per refund. Counts are returned, and shown in pg_stat_activity while it runs. Errors: 22004, 22023, 42P01 no such result_table, 42701, 42703, 42804 unfit query.';

CREATE FUNCTION membership.close_refund_exception(merchant_id integer, order_ref text, refund_ref text, reason text)
RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_close_refund_exception';
COMMENT ON FUNCTION membership.close_refund_exception IS
'Takes a refund off refund_exception: one that waits for its sale will not be applied when that comes, one that exceeded its sale was settled by other means. Returns the status it had there: parked, or exceeds_sale when a sale came meanwhile. Its refund_ref stays used. Repeating it changes nothing. Operators. Errors: 22004, 22023 bad argument, MB003 unknown merchant, MB009 no such refund came before its sale, or all of it was applied, MB402 tables of version 1.';

CREATE FUNCTION membership.correct_purchase(
    merchant_id integer, order_ref text, amount numeric, lines jsonb, correction_ref text, reason text,
    at timestamptz DEFAULT NULL)
RETURNS membership.accrual
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_correct_purchase';
COMMENT ON FUNCTION membership.correct_purchase IS
'Takes a mis-rung purchase back and posts it with the right amount (currency) and lines (NULL = one line), as of the time it was made; once per (merchant_id, order_ref, correction_ref). Operators. Errors: 22004, 22003, 22023 bad argument, MB003 unknown merchant, MB009 no such order, MB102 closed member, MB103 points are worth more than the amount, MB110 the order has refunds, is under review, imported or an exchange, or its member was merged since, MB201 correction_ref used with other content.';

CREATE FUNCTION membership.reassign_purchase(
    merchant_id integer, order_ref text, to_member_id bigint, reason text, at timestamptz DEFAULT NULL)
RETURNS membership.accrual
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_reassign_purchase';
COMMENT ON FUNCTION membership.reassign_purchase IS
'Takes a purchase back from the member it was wrongly credited to, and posts it for another. Repeated, it changes nothing. Operators. Errors: 22004, 22023 bad argument, MB002 unknown member, MB003 unknown merchant, MB009 no such order, MB102 closed member, MB110 the order has refunds, was paid with points, is under review, imported or an exchange, its review was rejected, or its member was merged since.';
