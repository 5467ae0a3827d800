-- Earning.

CREATE FUNCTION membership.accrue_points(
    member_id bigint, merchant_id integer, amount numeric, order_ref text,
    occurred_at timestamptz DEFAULT NULL, channel text DEFAULT 'pos', lines jsonb DEFAULT NULL,
    tenders jsonb DEFAULT NULL, attributes jsonb DEFAULT '{}', external_refs jsonb DEFAULT NULL,
    exchange_of text DEFAULT NULL, at timestamptz DEFAULT NULL)
RETURNS membership.accrual
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_accrue_points';
COMMENT ON FUNCTION membership.accrue_points IS
'Posts a purchase: points, lots, activity, tier upgrade and merchant splits, once per (merchant_id, order_ref). amount: payable after discounts, currency, 0 or more, equal to the sum of line amounts. lines: array of {line_no, merchant_id, category, brand, sku, quantity, amount, eligible}. occurred_at chooses tier, rates and expiry; at, the posting time, may lie in the past for operators only. tenders: points that pay for it, array of {kind, points, amount, ref, hold_ref, merchant_id}, see doc/spending.md. external_refs: other names of the receipt, {"kind": "value"}. exchange_of: order_ref of goods returned for these; up to their net this order earns as they did when they were bought. Errors: 22004, 22003, 22023 bad argument, MB002 unknown member, MB003 unknown merchant, MB009 unknown exchange_of, MB102 closed member, MB109 nothing returned to exchange, MB201 same receipt with other content, MB202 receipt of another member; with points as tenders those of redeem_points, too, MB008 no such hold.';

CREATE FUNCTION membership.accrue_batch(purchases membership.purchase[])
RETURNS SETOF membership.batch_result
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_accrue_batch';
COMMENT ON FUNCTION membership.accrue_batch IS
'Posts up to 10,000 purchases in one transaction, with the results of as many accrue_points calls in that order. A purchase that would have raised an error has its sqlstate and message; the others are posted. Errors: 22004 null, 54000 too many.';

CREATE PROCEDURE membership.accrue_from(
    query text, result_table regclass DEFAULT NULL, batch_size integer DEFAULT 1000,
    INOUT processed bigint DEFAULT NULL, INOUT duplicates bigint DEFAULT NULL, INOUT failed bigint DEFAULT NULL)
LANGUAGE c AS 'MODULE_PATHNAME', 'membership_accrue_from';
COMMENT ON PROCEDURE membership.accrue_from IS
'Posts the purchases that a query returns, with the results of as many accrue_points calls in that order; run again, what was posted counts as duplicates. query: one SELECT, run as the caller, whose columns have the names of accrue_points'' arguments; missing ones take the defaults, a timestamp without zone is programme time. Commits every batch_size rows (1 to 10,000), unless inside a transaction block. result_table: the caller''s own table with the columns of type batch_result, gets a row per purchase. Counts are returned, and shown in pg_stat_activity while it runs. Errors: 22004, 22023, 42P01 no such result_table, 42701, 42703, 42804 unfit query.';

CREATE FUNCTION membership.accrue_trigger() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'membership_accrue_trigger';
COMMENT ON FUNCTION membership.accrue_trigger IS
'Trigger function for an application''s own order table, AFTER INSERT, for each row, or for each statement with REFERENCING NEW TABLE. Arguments are pairs argument_of_accrue_points=column, as ''member_id=buyer_id''; member_id, merchant_id, amount and order_ref are needed. A row without member is skipped. on_error=raise (default) makes the INSERT fail with a purchase that cannot be posted, on_error=log keeps the sale and records it in accrual_error. Errors, of the INSERT: 42501 the role that inserts is no application or operator, 39P01 unfit trigger, 42703, 42804 unfit column, and with on_error=raise those of accrue_points.';

CREATE FUNCTION membership.retry_accrual_errors(OUT posted bigint, OUT failed bigint)
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_retry_accrual_errors';
COMMENT ON FUNCTION membership.retry_accrual_errors IS
'Tries the purchases of accrual_error again, at most 10,000, oldest first, leaving out those another retry has locked. Posted ones are removed, the others keep their newest error. Operators. Errors: MB001 no programme.';

CREATE FUNCTION membership.preview_accrual(
    member_id bigint, merchant_id integer, amount numeric, order_ref text DEFAULT NULL,
    occurred_at timestamptz DEFAULT NULL, channel text DEFAULT 'pos', lines jsonb DEFAULT NULL,
    tenders jsonb DEFAULT NULL, attributes jsonb DEFAULT '{}', at timestamptz DEFAULT NULL)
RETURNS membership.accrual
LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_preview_accrual';
COMMENT ON FUNCTION membership.preview_accrual IS
'What accrue_points would return, without lock or write; works in read-only transactions and on a standby. journal_no is NULL; of a receipt already posted it is the first result. Errors as accrue_points.';

CREATE FUNCTION membership.grant_points(
    member_id bigint, points bigint, reason text, ref text, expires_at timestamptz DEFAULT NULL,
    at timestamptz DEFAULT NULL)
RETURNS membership.posting
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_grant_points';
COMMENT ON FUNCTION membership.grant_points IS
'Gives a member points (1 to 10^15), once per ref; debt is paid first. expires_at: first instant at which they are dead, NULL = as the programme''s points. Errors: 22004, 22023 bad argument, MB002 unknown member, MB102 closed member, MB201 same ref with other content.';

CREATE FUNCTION membership.adjust_points(
    member_id bigint, points bigint, reason text, ref text, at timestamptz DEFAULT NULL)
RETURNS membership.posting
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_adjust_points';
COMMENT ON FUNCTION membership.adjust_points IS
'Corrects a balance by a signed number of points, once per ref. A negative one takes the earliest expiry first; what exceeds the available points becomes debt if program.allow_debt, else MB101. Operators. Errors: 22004, 22023 bad argument, MB002 unknown member, MB101 insufficient points, MB102 closed member, MB201 same ref with other content.';

CREATE FUNCTION membership.review_accrual(member_id bigint, journal_no bigint, decision text, reason text)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_review_accrual';
COMMENT ON FUNCTION membership.review_accrual IS
'Decides a purchase held for review: approve posts the award frozen at the purchase, reject posts nothing. Repeating a decision changes nothing. Operators. Errors: 22023 unknown decision, MB002 unknown member, MB005 no purchase under review has this number, MB102 closed member, MB201 decided otherwise before.';

CREATE FUNCTION membership.attr_date(attributes jsonb, name text) RETURNS date
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'membership_attr_date';
COMMENT ON FUNCTION membership.attr_date IS
'The date of an attribute: its text as YYYY-MM-DD, years 1 to 9999, whatever the session''s DateStyle; NULL for anything else. In conditions written without schema. Errors: none.';

CREATE FUNCTION membership.try_condition(condition text, context jsonb DEFAULT '{}') RETURNS boolean
LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_try_condition';
COMMENT ON FUNCTION membership.try_condition IS
'Compiles a condition as saving a rule would and evaluates it over made-up values: true, false or NULL. context: values by name of column, {"order_basis": 900, "tags": ["mother"]}; those left out are NULL, attributes {}. No column is worked out from another. Operators. Errors: MB302 refused condition, 22004, 22023 unknown column or unfit value, MB001 no programme; an error of the condition on the values, such as 22012, as it is.';
