\echo Use "CREATE EXTENSION membership" to load this file. \quit
SET LOCAL search_path TO pg_catalog, pg_temp;
-- Whoever owns the schema, or may create in it, can put objects where the engine looks for its own.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_namespace n
                WHERE n.nspname = 'membership'
                  AND (NOT (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.oid = n.nspowner)
                       OR EXISTS (SELECT FROM pg_catalog.aclexplode(n.nspacl) a
                                   WHERE a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner))) THEN
        RAISE EXCEPTION 'schema "membership" is not safe to install into'
            USING ERRCODE = 'MB406',
                  DETAIL = 'It is owned by a role that is no superuser, or others may create objects in it.',
                  HINT = 'Look at what is in the schema, then drop it, or ALTER SCHEMA membership OWNER TO a superuser and REVOKE CREATE ON it.';
    END IF;
END
$$;
-- Row types of results.

CREATE TYPE membership.accrual AS (
    journal_no    bigint,
    status        text,
    reason_code   text,
    points        bigint,
    points_wanted bigint,
    base_points   bigint,
    bonus_points  bigint,
    available_at  timestamptz,
    expires_at    timestamptz,
    balance       bigint,
    tier          text,
    tier_changed  boolean,
    duplicate     boolean,
    explanation   jsonb
);
COMMENT ON TYPE membership.accrual IS 'What a purchase earned. status: posted, pending (nothing spendable before available_at), review (posted with 0 points until review_accrual), rejected (recorded with 0 points; reason_code says why). points_wanted = base_points + bonus_points is the award as computed. available_at and expires_at are the earliest of the order''s lots, NULL without lots or end. balance: points after the event. tier: the member''s tier after it. duplicate: the receipt was posted before and this is that result.';

CREATE TYPE membership.redemption AS (
    journal_no bigint,
    points     bigint,
    cash_value numeric,
    balance    bigint,
    duplicate  boolean
);
COMMENT ON TYPE membership.redemption IS 'Points redeemed, their worth (currency), and the balance after the event. duplicate: it was posted before and this is that result.';

CREATE TYPE membership.quote AS (
    max_points bigint,
    cash_value numeric,
    limited_by text
);
COMMENT ON TYPE membership.quote IS 'Points that can be redeemed now (0 = none), their worth (currency), and what limits them: member_status, no_rule, order_posted, balance, share, daily_cap or minimum.';

CREATE TYPE membership.refunding AS (
    journal_no       bigint,
    status           text,
    amount           numeric,
    cash_amount      numeric,
    tenders          jsonb,
    points_clawed    bigint,
    points_restored  bigint,
    points_forfeited bigint,
    loss             bigint,
    debt             bigint,
    cash_shortfall   numeric,
    balance          bigint,
    duplicate        boolean,
    points_expired   bigint
);
COMMENT ON TYPE membership.refunding IS 'What a refund did: status posted or parked; amount, cash_amount and cash_shortfall in currency; tenders: what to give back; points taken back, given back, forfeited, lost, made debt, and expired before. balance: points after the refund.';

CREATE TYPE membership.purchase AS (
    member_id     bigint,
    merchant_id   integer,
    amount        numeric,
    order_ref     text,
    occurred_at   timestamptz,
    channel       text,
    lines         jsonb,
    tenders       jsonb,
    attributes    jsonb,
    external_refs jsonb,
    exchange_of   text,
    at            timestamptz
);
COMMENT ON TYPE membership.purchase IS 'The arguments of accrue_points, by name; a column left null takes the default.';

CREATE TYPE membership.batch_result AS (
    row_no        bigint,
    journal_no    bigint,
    status        text,
    reason_code   text,
    points        bigint,
    points_wanted bigint,
    base_points   bigint,
    bonus_points  bigint,
    available_at  timestamptz,
    expires_at    timestamptz,
    balance       bigint,
    tier          text,
    tier_changed  boolean,
    duplicate     boolean,
    explanation   jsonb,
    sqlstate      text,
    message       text
);
COMMENT ON TYPE membership.batch_result IS 'The outcome of one purchase of a batch: the columns of accrual, or the SQLSTATE and message that accrue_points would have raised. row_no counts from 1 in the order given.';

CREATE TYPE membership.refund_result AS (
    row_no           bigint,
    journal_no       bigint,
    status           text,
    amount           numeric,
    cash_amount      numeric,
    tenders          jsonb,
    points_clawed    bigint,
    points_restored  bigint,
    points_forfeited bigint,
    loss             bigint,
    debt             bigint,
    cash_shortfall   numeric,
    balance          bigint,
    duplicate        boolean,
    points_expired   bigint,
    sqlstate         text,
    message          text
);
COMMENT ON TYPE membership.refund_result IS 'The outcome of one row of refund_from: the columns of refunding, or the SQLSTATE and message that refund_order would have raised. row_no counts from 1 in the order of the query.';

CREATE TYPE membership.member_import AS (
    identity_kind  text,
    identity_value text,
    enrolled_at    timestamptz,
    birthday       date,
    source         text,
    channel        text,
    attributes     jsonb
);
COMMENT ON TYPE membership.member_import IS 'A member of another system. channel null = import, enrolled_at null = now.';

CREATE TYPE membership.lot_import AS (
    member_id  bigint,
    points     bigint,
    ref        text,
    reason     text,
    earned_at  timestamptz,
    expires_at timestamptz
);
COMMENT ON TYPE membership.lot_import IS 'Points that a member still has in another system, 1 to 10^15. ref: what makes the row importable once. expires_at null = by the programme''s rule from earned_at, infinity = never; earned_at null = now. reason null = import.';

CREATE TYPE membership.purchase_import AS (
    member_id   bigint,
    merchant_id integer,
    amount      numeric,
    order_ref   text,
    occurred_at timestamptz,
    channel     text,
    points      bigint
);
COMMENT ON TYPE membership.purchase_import IS 'A purchase that another system posted, with the points (0 or more) it awarded then. channel null = import.';

CREATE TYPE membership.tier_import AS (
    member_id  bigint,
    tier       text,
    since      timestamptz,
    lock_until timestamptz
);
COMMENT ON TYPE membership.tier_import IS 'The tier that a member has in another system, since when (null = now), and until when it is not to be taken away (null = no lock).';

CREATE TYPE membership.import_result AS (
    row_no     bigint,
    member_id  bigint,
    journal_no bigint,
    duplicate  boolean,
    sqlstate   text,
    message    text
);
COMMENT ON TYPE membership.import_result IS 'The outcome of one imported row: its event, or why it was refused. duplicate: it had been imported before. row_no counts from 1.';

CREATE TYPE membership.posting AS (
    journal_no bigint,
    points     bigint,
    balance    bigint,
    duplicate  boolean
);
COMMENT ON TYPE membership.posting IS 'One posted event: change of points and the balance after it. duplicate: the ref was posted before and this is that result.';

CREATE TYPE membership.enrolment AS (
    member_id     bigint,
    created       boolean,
    referral_code text,
    referrer_id   bigint
);
COMMENT ON TYPE membership.enrolment IS 'A member found or made. created is false when the identity was known.';

CREATE TYPE membership.statement_line AS (
    journal_no    bigint,
    entry_no      bigint,
    verb          text,
    points        bigint,
    balance_after bigint,
    merchant_id   integer,
    merchant      text,
    order_ref     text,
    amount        numeric,
    reason        text,
    occurred_at   timestamptz,
    posted_at     timestamptz,
    counterpart_id bigint
);
COMMENT ON TYPE membership.statement_line IS 'One line of a member''s points statement. counterpart_id: of a transfer, the other member.';

CREATE TYPE membership.violation AS (
    member_id bigint,
    invariant text,
    expected  text,
    found     text
);
COMMENT ON TYPE membership.violation IS 'A broken invariant: whose, which, what it should be and what it is.';
-- Members.

CREATE FUNCTION membership.enroll_member(
    identity_kind text, identity_value text, birthday date DEFAULT NULL, source text DEFAULT NULL,
    channel text DEFAULT 'pos', referral_code text DEFAULT NULL, attributes jsonb DEFAULT '{}',
    at timestamptz DEFAULT NULL)
RETURNS membership.enrolment
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_enroll_member';
COMMENT ON FUNCTION membership.enroll_member IS
'Enrols a member (入会), or finds the one who has this identity. The identity is normalised: a phone to E.164 with program.phone_country, an e-mail to lower case, others trimmed. A new member starts in the tier of lowest rank and gets a referral code. referral_code names who invited. Errors: 22004, 22023 bad argument, MB006 unknown referral code.';

CREATE FUNCTION membership.find_member(identity_kind text, identity_value text)
RETURNS bigint
LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_find_member';
COMMENT ON FUNCTION membership.find_member IS
'The member with this identity (normalised as at enrolment), or NULL. Errors: 22004, 22023 bad argument.';

CREATE FUNCTION membership.add_identity(member_id bigint, identity_kind text, identity_value text)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_add_identity';
COMMENT ON FUNCTION membership.add_identity IS
'Gives a member one more identity. Repeating it changes nothing. Errors: MB002 unknown member, MB102 closed member, MB203 identity of another member.';

CREATE FUNCTION membership.replace_identity(
    member_id bigint, identity_kind text, old_value text, new_value text, reason text)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_replace_identity';
COMMENT ON FUNCTION membership.replace_identity IS
'Replaces one identity of a member, such as a lost card, by a new one of the same kind; journalled with the reason. Repeating it changes nothing. Errors: MB002 unknown member, MB007 no such identity, MB102 closed member, MB203 identity of another member.';

CREATE FUNCTION membership.remove_identity(member_id bigint, identity_kind text, identity_value text, reason text)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_remove_identity';
COMMENT ON FUNCTION membership.remove_identity IS
'Takes an identity from a member; journalled with the reason. Repeating it changes nothing. Errors: MB002 unknown member, MB102 closed member, MB203 identity of another member.';

CREATE FUNCTION membership.update_member(
    member_id bigint, birthday date DEFAULT NULL, attributes jsonb DEFAULT NULL, consent jsonb DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_update_member';
COMMENT ON FUNCTION membership.update_member IS
'Sets a member''s birthday, attributes or consent; NULL leaves a value as it is. Errors: 22023 bad argument, MB002 unknown member, MB102 closed member.';

CREATE FUNCTION membership.set_tags(member_id bigint, tags text[])
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_set_tags';
COMMENT ON FUNCTION membership.set_tags IS
'Replaces a member''s tags (标签); kept sorted, each once, at most 100 of at most 60 characters. Errors: 22004, 22023 bad argument, MB002 unknown member, MB102 closed member.';

CREATE FUNCTION membership.set_member_status(member_id bigint, status text, reason text)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_set_member_status';
COMMENT ON FUNCTION membership.set_member_status IS
'Makes a member active, frozen (purchases earn nothing, nothing can be spent) or closed (for good); journalled with the reason. Repeating it changes nothing. Operators. Errors: 22023 unknown status, MB002 unknown member, MB102 closed member.';

CREATE FUNCTION membership.set_tier(member_id bigint, tier text, lock_until timestamptz, reason text)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_set_tier';
COMMENT ON FUNCTION membership.set_tier IS
'Gives a member a tier by hand, not to be taken away before lock_until (NULL = no lock); journalled with the reason. Repeating it changes nothing. Operators. Errors: 22023 bad argument, MB002 unknown member, MB004 unknown tier, MB102 closed member.';
-- Earning.

CREATE FUNCTION membership.accrue_points(
    member_id bigint, merchant_id integer, amount numeric, order_ref text,
    occurred_at timestamptz DEFAULT NULL, channel text DEFAULT 'pos', lines jsonb DEFAULT NULL,
    tenders jsonb DEFAULT NULL, attributes jsonb DEFAULT '{}', external_refs jsonb DEFAULT NULL,
    exchange_of text DEFAULT NULL, at timestamptz DEFAULT NULL)
RETURNS membership.accrual
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_accrue_points';
COMMENT ON FUNCTION membership.accrue_points IS
'Posts a purchase: points, lots, activity, tier upgrade and merchant splits, once per (merchant_id, order_ref). amount: payable after discounts, currency, 0 or more, equal to the sum of line amounts. lines: array of {line_no, merchant_id, category, brand, sku, quantity, amount, eligible}. occurred_at chooses tier, rates and expiry; at, the posting time, may lie in the past for operators only. external_refs: other names of the receipt, {"kind": "value"}. exchange_of: order_ref of goods returned for these; up to their net this order earns as that one did. Errors: 22004, 22003, 22023 bad argument, MB002 unknown member, MB003 unknown merchant, MB009 unknown exchange_of, MB102 closed member, MB109 nothing returned to exchange, MB201 same receipt with other content, MB202 receipt of another member.';

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
'Posts the purchases that a query returns, with the results of as many accrue_points calls in that order; run again, what was posted counts as duplicates. query: one SELECT, run as the caller, whose columns have the names of accrue_points'' arguments; missing ones take the defaults, a timestamp without zone is programme time. Commits every batch_size rows (1 to 10,000), unless inside a transaction block. result_table: the caller''s own table with the columns of type batch_result, gets a row per purchase. Counts are returned, and shown in pg_stat_activity while it runs. Errors: 22004, 22023, 42701, 42703, 42804 unfit query.';

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
-- Spending.

CREATE FUNCTION membership.quote_redemption(
    member_id bigint, order_amount numeric DEFAULT NULL, merchant_id integer DEFAULT NULL, order_ref text DEFAULT NULL,
    lines jsonb DEFAULT NULL, channel text DEFAULT 'pos', purpose text DEFAULT 'payment', at timestamptz DEFAULT NULL)
RETURNS membership.quote
LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_quote_redemption';
COMMENT ON FUNCTION membership.quote_redemption IS
'How many points could be redeemed now, what they are worth (currency) and what limits them: redeem_points of max_points succeeds in the same transaction. Writes nothing. order_amount: net of the order, currency; the sum of lines when they are given. Errors: 22004, 22003, 22023 bad argument, MB002 unknown member, MB003 unknown merchant.';

CREATE FUNCTION membership.redeem_points(
    member_id bigint, points bigint, ref text, merchant_id integer DEFAULT NULL, order_ref text DEFAULT NULL,
    order_amount numeric DEFAULT NULL, lines jsonb DEFAULT NULL, channel text DEFAULT 'pos',
    purpose text DEFAULT 'payment', at timestamptz DEFAULT NULL)
RETURNS membership.redemption
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_redeem_points';
COMMENT ON FUNCTION membership.redeem_points IS
'Takes points, earliest expiry first, once per ref, by the burn rule of the purpose. points: whole steps, 1 to 10^15. order_ref (with merchant_id): the accrual of that order makes them its tender. order_amount: net of the order, currency, needed where the rule has a share. Errors: 22004, 22003, 22023 bad argument, MB002, MB003 unknown member or merchant, MB101 balance, MB102 closed, MB103 a limit of the rule, MB104 frozen, MB105 no rule, MB106 the order was accrued, MB201 ref used with other content.';

CREATE FUNCTION membership.reverse_redemption(member_id bigint, ref text, reason text, at timestamptz DEFAULT NULL)
RETURNS membership.posting
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_reverse_redemption';
COMMENT ON FUNCTION membership.reverse_redemption IS
'Gives the points of a redemption or captured hold back to their lots, with their expiry; those of dead lots live program.reinstatement_days more days. ref: that of redeem_points or authorize_points. Errors: 22004, 22023 bad argument, MB002 unknown member, MB008 no such redemption, MB102 closed, MB106 its order was accrued, MB201 reversed before with another reason or at.';

CREATE FUNCTION membership.authorize_points(
    member_id bigint, points bigint, ref text, ttl interval DEFAULT '15 minutes', merchant_id integer DEFAULT NULL,
    order_ref text DEFAULT NULL, order_amount numeric DEFAULT NULL, lines jsonb DEFAULT NULL, channel text DEFAULT 'pos',
    purpose text DEFAULT 'payment', at timestamptz DEFAULT NULL)
RETURNS membership.posting
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_authorize_points';
COMMENT ON FUNCTION membership.authorize_points IS
'Reserves points (预占), once per ref, within the limits of redeem_points, until they are captured, voided, or ttl has passed (NULL = without end, at most 10 years). posting.points is 0: the balance stays, available points fall. Errors: those of redeem_points.';

CREATE FUNCTION membership.capture_points(member_id bigint, ref text, points bigint DEFAULT NULL, at timestamptz DEFAULT NULL)
RETURNS membership.posting
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_capture_points';
COMMENT ON FUNCTION membership.capture_points IS
'Takes the points of a hold for good, once: all, or fewer whole steps, and releases the rest. ref: that of authorize_points. Errors: 22004, 22023 bad argument, MB002 unknown member, MB008 no such hold, MB102 closed, MB103 more than is held or a broken step, MB104 frozen, MB107 the hold is over, MB201 captured before with other content.';

CREATE FUNCTION membership.void_points(member_id bigint, ref text, at timestamptz DEFAULT NULL)
RETURNS membership.posting
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_void_points';
COMMENT ON FUNCTION membership.void_points IS
'Releases the points of a hold; points that died meanwhile expire then. Repeated, or of a hold that has timed out, it changes nothing. Errors: 22004, 22023 bad argument, MB002 unknown member, MB008 no such hold, MB107 the hold was captured.';

CREATE FUNCTION membership.transfer_points(
    from_member_id bigint, to_member_id bigint, points bigint, ref text, at timestamptz DEFAULT NULL)
RETURNS membership.posting
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_transfer_points';
COMMENT ON FUNCTION membership.transfer_points IS
'Moves points to another member, once per sender and ref; they keep their expiry. The result is the sender''s. Errors: 22004, 22023 bad argument, MB002 unknown member, MB101 balance, MB102 closed, MB103 below the minimum or beyond the daily limit, MB104 frozen, MB108 transfers are off, MB201 ref used with other content.';
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
'Posts the refunds that a query returns, with the results of as many refund_order calls in that order; run again, what was posted or parked counts as duplicates. query: one SELECT, run as the caller, whose columns have the names of refund_order''s arguments; merchant_id, order_ref and refund_ref are needed, a timestamp without zone is programme time. Commits every batch_size rows (1 to 10,000), unless inside a transaction block. result_table: the caller''s own table with the columns of type refund_result, gets a row per refund. Counts are returned, and shown in pg_stat_activity while it runs. Errors: 22004, 22023, 42701, 42703, 42804 unfit query.';

CREATE FUNCTION membership.correct_purchase(
    merchant_id integer, order_ref text, amount numeric, lines jsonb, correction_ref text, reason text,
    at timestamptz DEFAULT NULL)
RETURNS membership.accrual
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_correct_purchase';
COMMENT ON FUNCTION membership.correct_purchase IS
'Takes a mis-rung purchase back and posts it with the right amount (currency) and lines (NULL = one line), as of the time it was made; once per (merchant_id, order_ref, correction_ref). Operators. Errors: 22004, 22003, 22023 bad argument, MB003 unknown merchant, MB009 no such order, MB102 closed member, MB103 points are worth more than the amount, MB110 the order has refunds, is under review or imported, MB201 correction_ref used with other content.';

CREATE FUNCTION membership.reassign_purchase(
    merchant_id integer, order_ref text, to_member_id bigint, reason text, at timestamptz DEFAULT NULL)
RETURNS membership.accrual
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_reassign_purchase';
COMMENT ON FUNCTION membership.reassign_purchase IS
'Takes a purchase back from the member it was wrongly credited to, and posts it for another. Repeated, it changes nothing. Operators. Errors: 22004, 22023 bad argument, MB002 unknown member, MB003 unknown merchant, MB009 no such order, MB102 closed member, MB110 the order has refunds, was paid with points, is under review or imported.';
-- Opening data, when moving from another system. Every function takes at most 10,000 rows, reports each, and can be
-- run again: what was imported comes back as duplicate.

CREATE FUNCTION membership.import_members(members membership.member_import[])
RETURNS SETOF membership.import_result
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_import_members';
COMMENT ON FUNCTION membership.import_members IS
'Enrols members of another system, as enroll_member with the enrolled_at given. Operators. Errors: 22004, 54000 too many rows; per row those of enroll_member.';

CREATE FUNCTION membership.import_lots(lots membership.lot_import[])
RETURNS SETOF membership.import_result
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_import_lots';
COMMENT ON FUNCTION membership.import_lots IS
'Opens lots for points that members still have in another system, once per member and ref, as events of verb opening. Operators. Errors: 22004, 54000 too many rows; per row 22003, 22004, 22023 bad value, MB002 unknown member, MB102 closed member, MB201 same ref with other content.';

CREATE FUNCTION membership.import_purchases(purchases membership.purchase_import[])
RETURNS SETOF membership.import_result
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_import_purchases';
COMMENT ON FUNCTION membership.import_purchases IS
'Records purchases of another system with the points awarded then: facts for tiers, reports and later refunds. Opens no lot, splits nothing and changes no tier; the receipt cannot be accrued again. Operators. Errors: 22004, 54000 too many rows; per row 22004, 22023 bad value, MB002 unknown member, MB003 unknown merchant, MB102 closed member, MB201, MB202 receipt known otherwise.';

CREATE FUNCTION membership.import_tiers(tiers membership.tier_import[])
RETURNS SETOF membership.import_result
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_import_tiers';
COMMENT ON FUNCTION membership.import_tiers IS
'Gives members the tier they have in another system from a past moment on, not before their present tier began. Operators. Errors: 22004, 54000 too many rows; per row 22004, 22023 bad value, MB002 unknown member, MB004 unknown tier, MB102 closed member.';
-- Reading.

CREATE FUNCTION membership.statement(
    member_id bigint, before_entry_no bigint DEFAULT NULL, max_rows integer DEFAULT 100)
RETURNS SETOF membership.statement_line
LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_statement';
COMMENT ON FUNCTION membership.statement IS
'A page of a member''s points statement, newest first: at most max_rows (1 to 10000) entries with numbers below before_entry_no (NULL = from the newest), and the events that moved no points between them, which are not counted. Next page: before_entry_no = the smallest entry_no shown. An unknown member has no lines. Errors: 22004, 22023 bad argument.';

CREATE FUNCTION membership.balance_at(member_id bigint, at timestamptz, known_at timestamptz DEFAULT 'infinity')
RETURNS bigint
LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_balance_at';
COMMENT ON FUNCTION membership.balance_at IS
'Points balance at a moment, by two clocks: entries of events with occurred_at <= at and posted_at <= known_at, less what remained then of lots dead at that moment. Errors: 22004, 22023 bad argument, MB002 unknown member.';

CREATE FUNCTION membership.verify(only_member_id bigint DEFAULT NULL)
RETURNS SETOF membership.violation
LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_verify';
COMMENT ON FUNCTION membership.verify IS
'Checks every invariant of the ledger, for all members or for one, in one snapshot. No rows = sound.';
-- Trigger functions of the programme's tables.

CREATE FUNCTION membership._guard_append_only() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'membership_guard_append_only';
COMMENT ON FUNCTION membership._guard_append_only IS 'Refuses UPDATE, DELETE and TRUNCATE of history (MB502).';

CREATE FUNCTION membership._guard_config() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'membership_guard_config';
COMMENT ON FUNCTION membership._guard_config IS 'Refuses DELETE and TRUNCATE of configuration and changes of the columns named as arguments (MB301).';

CREATE FUNCTION membership._config_version() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'membership_config_version';
COMMENT ON FUNCTION membership._config_version IS 'Gives the programme row a new config_version.';

CREATE FUNCTION membership._config_changed() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'membership_config_changed';
COMMENT ON FUNCTION membership._config_changed IS 'Touches the programme row when another table of configuration changes.';

CREATE FUNCTION membership._check_rule() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'membership_check_rule';
COMMENT ON FUNCTION membership._check_rule IS 'Refuses an earning rule whose condition (MB302) or columns (MB303) cannot work, and numbers its version.';

CREATE FUNCTION membership._record_rule() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'membership_record_rule';
COMMENT ON FUNCTION membership._record_rule IS 'Keeps the version of an earning rule in rule_version; refuses one that does not fit into its stack group (MB303).';

CREATE FUNCTION membership._check_burn_rule() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'membership_check_burn_rule';
COMMENT ON FUNCTION membership._check_burn_rule IS 'Refuses a burn rule whose condition (MB302) or filters (MB303) cannot work.';
-- Set-up, run by a DBA: makes the programme's objects and hands them to its owner.

-- Not the library's: a newer one serves the functions of an older version, which make tables of an older version.
CREATE FUNCTION membership._table_version() RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 1 $$;
COMMENT ON FUNCTION membership._table_version IS 'The table version that create_program() makes and upgrade_program() brings a programme to.';

CREATE FUNCTION membership._currency_digits(currency text) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN currency = ANY (pg_catalog.string_to_array('BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF', ' ')) THEN 0
        WHEN currency = ANY (pg_catalog.string_to_array('BHD IQD JOD KWD LYD OMR TND', ' ')) THEN 3
        WHEN currency = ANY (pg_catalog.string_to_array('CLF UYW', ' ')) THEN 4
        WHEN currency = ANY (pg_catalog.string_to_array(
            'AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP '
            'CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR '
            'JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN '
            'NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP '
            'SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG', ' ')) THEN 2
    END
$$;
COMMENT ON FUNCTION membership._currency_digits IS 'Decimals of a currency by ISO 4217, or NULL for an unknown code.';

CREATE FUNCTION membership._phone_country(currency text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE currency
        WHEN 'CNY' THEN '86'  WHEN 'HKD' THEN '852' WHEN 'MOP' THEN '853' WHEN 'TWD' THEN '886' WHEN 'SGD' THEN '65'
        WHEN 'MYR' THEN '60'  WHEN 'JPY' THEN '81'  WHEN 'KRW' THEN '82'  WHEN 'THB' THEN '66'  WHEN 'VND' THEN '84'
        WHEN 'PHP' THEN '63'  WHEN 'IDR' THEN '62'  WHEN 'INR' THEN '91'  WHEN 'AED' THEN '971' WHEN 'GBP' THEN '44'
        WHEN 'CHF' THEN '41'  WHEN 'SEK' THEN '46'  WHEN 'NOK' THEN '47'  WHEN 'DKK' THEN '45'  WHEN 'PLN' THEN '48'
        WHEN 'USD' THEN '1'   WHEN 'CAD' THEN '1'   WHEN 'AUD' THEN '61'  WHEN 'NZD' THEN '64'  WHEN 'BRL' THEN '55'
    END
$$;
COMMENT ON FUNCTION membership._phone_country IS 'The calling code of a currency that one country uses: the first value of program.phone_country.';

CREATE FUNCTION membership._check_role(role regrole) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF role IS NULL THEN
        RAISE EXCEPTION 'role must not be null'
            USING ERRCODE = 'null_value_not_allowed', DETAIL = 'The call needs a role.', HINT = 'Name a role.';
    ELSIF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = role) THEN
        RAISE EXCEPTION 'role % does not exist', role
            USING ERRCODE = 'undefined_object', DETAIL = 'No role has this name or number.', HINT = 'Name an existing role.';
    END IF;
END
$$;
COMMENT ON FUNCTION membership._check_role IS 'Refuses a null or unknown role (22004, 42704).';

CREATE FUNCTION membership._check_owner(owner regrole) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM membership._check_role(owner);
    IF (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.oid = owner) THEN
        RAISE EXCEPTION 'role % cannot own the programme', owner
            USING ERRCODE = 'MB404', DETAIL = 'It is a superuser, and the engine acts with its owner''s rights.',
                  HINT = 'Name a role without superuser rights, best NOLOGIN.';
    END IF;
END
$$;
COMMENT ON FUNCTION membership._check_owner IS 'Refuses a role that must not own a programme (MB404).';

CREATE FUNCTION membership._default_owner() RETURNS regrole
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    candidate pg_catalog.pg_roles;
BEGIN
    SELECT * INTO candidate FROM pg_catalog.pg_roles WHERE rolname = 'membership_owner';
    IF NOT FOUND THEN
        CREATE ROLE membership_owner NOLOGIN;
    ELSIF candidate.rolcanlogin OR candidate.rolsuper
          OR EXISTS (SELECT FROM pg_catalog.pg_auth_members WHERE roleid = candidate.oid) THEN
        RAISE EXCEPTION 'role membership_owner exists and cannot be adopted'
            USING ERRCODE = 'MB404', DETAIL = 'It can log in, is a superuser, or has members.',
                  HINT = 'Name another role with the argument owner.';
    END IF;
    RETURN 'membership_owner'::regrole;
END
$$;
COMMENT ON FUNCTION membership._default_owner IS 'Makes or adopts the role membership_owner.';

CREATE FUNCTION membership._hand_over(from_owner regrole, to_owner regrole) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    object record;
BEGIN
    FOR object IN
        SELECT c.relname, CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS class
          FROM pg_catalog.pg_class c
         WHERE c.relnamespace = 'membership'::regnamespace AND c.relowner = from_owner
           AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
    LOOP
        EXECUTE format('ALTER %s membership.%I OWNER TO %s', object.class, object.relname, to_owner);
    END LOOP;
    EXECUTE format('GRANT USAGE ON SCHEMA membership TO %s', to_owner);
    -- the engine evaluates conditions as the owner
    EXECUTE format('GRANT EXECUTE ON FUNCTION membership.attr_date(jsonb, text) TO %s', to_owner);
END
$$;
COMMENT ON FUNCTION membership._hand_over IS 'Gives the relations of the schema that belong to one role to another.';

CREATE FUNCTION membership._need_program() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_catalog.to_regclass('membership.program') IS NULL THEN
        RAISE EXCEPTION 'no programme has been set up in this database'
            USING ERRCODE = 'MB001', DETAIL = 'Table membership.program does not exist.',
                  HINT = 'Run SELECT membership.create_program(name, time_zone).';
    END IF;
END
$$;
COMMENT ON FUNCTION membership._need_program IS 'Refuses to go on without a programme (MB001).';

CREATE FUNCTION membership._install_preset(preset text, name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO membership.party (party_id, name, kind) VALUES (1, name, 'mall');
    INSERT INTO membership.mall (mall_id, name, party_id) VALUES (1, name, 1);
    INSERT INTO membership.wallet (wallet_id, code, name) VALUES (1, 'points', 'Points 积分');
    INSERT INTO membership.tier (tier_id, code, name, rank, multiplier, qualify_basis, validity_months)
    SELECT * FROM (VALUES (1, 'regular', 'Regular 普通', 1, 1.0, NULL::numeric, NULL::integer),
                          (2, 'silver',  'Silver 银卡',  2, 1.2, 5000, 12),
                          (3, 'gold',    'Gold 金卡',    3, 1.5, 20000, 12),
                          (4, 'diamond', 'Diamond 钻石', 4, 2.0, 50000, 12)) t (tier_id)
     WHERE preset = 'mall' OR t.tier_id = 1;
    INSERT INTO membership.burn_rule (burn_rule_id, code, name, status, step, value, share, minimum)
    SELECT 1, 'payment', 'Points pay 积分抵现', 'active', 100, 3, 0.15, 100 WHERE preset = 'mall';
    UPDATE membership.program SET liability_price = 0.03 WHERE preset = 'mall';
END
$$;
COMMENT ON FUNCTION membership._install_preset IS 'Writes the rows that a new programme starts with.';

CREATE FUNCTION membership.create_program(
    name text, time_zone text, currency text DEFAULT 'CNY', preset text DEFAULT 'mall', owner regrole DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    digits integer := membership._currency_digits(currency);
BEGIN
    IF name IS NULL OR time_zone IS NULL OR currency IS NULL OR preset IS NULL THEN
        RAISE EXCEPTION 'name, time_zone, currency and preset must not be null'
            USING ERRCODE = 'null_value_not_allowed', DETAIL = 'A programme has all four.', HINT = 'Give each a value, such as create_program(''Demo mall'', ''Asia/Shanghai'').';
    ELSIF name = '' THEN
        RAISE EXCEPTION 'name must not be empty'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'The name is what reports call the programme.', HINT = 'Give the programme a name.';
    ELSIF NOT EXISTS (SELECT FROM pg_catalog.pg_timezone_names z WHERE z.name = time_zone) THEN
        RAISE EXCEPTION 'time zone "%" is not known', time_zone
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'A programme''s days are those of a named zone.',
                  HINT = 'Use a name of pg_timezone_names, such as Asia/Shanghai.';
    ELSIF digits IS NULL THEN
        RAISE EXCEPTION 'currency "%" is not known', currency
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'Currencies are named by their ISO 4217 codes.',
                  HINT = 'Use a code such as CNY, EUR or JPY, in capitals.';
    ELSIF preset NOT IN ('mall', 'empty') THEN
        RAISE EXCEPTION 'preset "%" is not known', preset
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'Presets are mall and empty.', HINT = 'Use preset => ''mall'' or preset => ''empty''.';
    END IF;
    -- a second one waits here for the first and then finds its tables
    PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('membership.create_program', 0));
    IF pg_catalog.to_regclass('membership.program') IS NOT NULL THEN
        RAISE EXCEPTION 'this database already has a programme'
            USING ERRCODE = 'MB403', DETAIL = 'Table membership.program exists; there is one programme per database.',
                  HINT = 'Use another database, or upgrade_program() after an update of the extension.';
    END IF;
    owner := coalesce(owner, membership._default_owner());
    PERFORM membership._check_owner(owner);
    EXECUTE membership._program_ddl(0, digits);
    PERFORM membership._hand_over(quote_ident(current_user)::regrole, owner);
    INSERT INTO membership.program (name, time_zone, currency, currency_digits, phone_country, table_version)
    VALUES (name, time_zone, currency, digits, membership._phone_country(currency), membership._table_version());
    PERFORM membership._install_preset(preset, name);
END
$$;
COMMENT ON FUNCTION membership.create_program IS
'Creates the one programme of this database: tables, views and guards, handed to owner (default: role membership_owner, made if need be). time_zone: a name of pg_timezone_names, fixed for life, as is currency (ISO 4217). preset mall: tiers regular, silver 1.2x from 5,000, gold 1.5x from 20,000, diamond 2x from 50,000 of basis in 12 months, 1 point per 1.00, valid 24 months, 100 points = 3.00 for at most 15 % of an order; empty: one tier. Run by a superuser. Errors: 22004, 22023 bad argument, 42704 unknown role, MB403 there is one already, MB404 unfit owner.';

CREATE FUNCTION membership.upgrade_program() RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    from_version integer;
    digits       integer;
    owner        regrole;
BEGIN
    PERFORM membership._need_program();
    SELECT c.relowner INTO owner FROM pg_catalog.pg_class c WHERE c.oid = 'membership.program'::regclass;
    SELECT p.table_version, p.currency_digits INTO from_version, digits FROM membership.program p;
    IF from_version NOT BETWEEN 1 AND membership._table_version() THEN
        RAISE EXCEPTION 'the programme''s tables have version %', from_version
            USING ERRCODE = 'MB402', DETAIL = format('This upgrade_program() brings versions 1 to %s to version %1$s.', membership._table_version()),
                  HINT = 'Run ALTER EXTENSION membership UPDATE, or install a newer extension.';
    END IF;
    EXECUTE membership._program_ddl(from_version, digits);
    PERFORM membership._hand_over(quote_ident(current_user)::regrole, owner) WHERE owner <> quote_ident(current_user)::regrole;
    PERFORM membership._apply_access();
    UPDATE membership.program SET table_version = membership._table_version();
    RETURN format('table version %s, was %s', membership._table_version(), from_version);
END
$$;
COMMENT ON FUNCTION membership.upgrade_program IS
'Brings the programme''s tables, views and guards to the installed version and gives the recorded rights again; run after ALTER EXTENSION membership UPDATE, and after DROP EXTENSION CASCADE and CREATE EXTENSION. Changes nothing when all is current. Run by a superuser. Returns what it did. Errors: MB001 no programme, MB402 tables of a newer version.';

CREATE FUNCTION membership.set_owner(role regrole) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_owner regrole;
BEGIN
    PERFORM membership._need_program();
    PERFORM membership._check_owner(role);
    SELECT c.relowner INTO old_owner FROM pg_catalog.pg_class c WHERE c.oid = 'membership.program'::regclass;
    PERFORM membership._hand_over(old_owner, role);
    PERFORM membership._apply_access();
END
$$;
COMMENT ON FUNCTION membership.set_owner IS
'Hands the programme''s objects to another role and gives the recorded rights again: after a restore into a cluster without the old owner. Run by a superuser. Errors: 22004, MB001 no programme, MB404 unfit role.';
-- Rights: what each kind of role may do, in one list.

CREATE FUNCTION membership._access(kind text) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('%s ON %s membership.%s', a.privilege, a.class, a.name)
      FROM (VALUES
        ('EXECUTE', 'FUNCTION', '{application,operator}',
         '{enroll_member,find_member,add_identity,replace_identity,remove_identity,update_member,set_tags,accrue_points,accrue_batch,accrue_trigger,preview_accrual,grant_points,quote_redemption,redeem_points,reverse_redemption,authorize_points,capture_points,void_points,transfer_points,refund_order,attr_date}'),
        ('EXECUTE', 'PROCEDURE', '{application,operator}', '{accrue_from,refund_from}'),
        ('EXECUTE', 'FUNCTION', '{application,operator,analyst}', '{statement,balance_at}'),
        ('EXECUTE', 'FUNCTION', '{operator}', '{set_member_status,set_tier,adjust_points,review_accrual,correct_purchase,reassign_purchase,retry_accrual_errors,try_condition,import_members,import_lots,import_purchases,import_tiers}'),
        ('EXECUTE', 'FUNCTION', '{operator,analyst}', '{verify}'),
        ('SELECT', 'TABLE', '{application,operator,analyst}',
         '{member_balance,member_holds,member_lots,expiring_soon,member_statement,member_tier_progress}'),
        ('SELECT', 'TABLE', '{operator,analyst}', '{merchant_unsettled,tier_history,rule_version,rule_effect,rule_error,redemption_daily,refund,refund_exception,clawback_loss}'),
        ('SELECT', 'TABLE', '{operator}', '{accrual_error}'),
        ('SELECT', 'TABLE', '{operator,analyst}', '{program,party,mall,merchant,contract,tier,wallet,earn_rule,burn_rule}'),
        ('INSERT, UPDATE', 'TABLE', '{operator}', '{party,mall,merchant,contract,tier,earn_rule,burn_rule}'),
        ('UPDATE (name, phone_country, base_rate, award_rounding, expiry, min_life_days, extend_on_activity, pending_days, claim_days, max_future, allow_debt, tier_window_months, stacking, reinstatement_days, clawback, charge_cash, liability_price, transfers, transfer_minimum, transfer_daily_limit)',
         'TABLE', '{operator}', '{program}')
      ) l (privilege, class, kinds, names)
     CROSS JOIN LATERAL unnest(l.names::text[]) n (name)
     CROSS JOIN LATERAL (SELECT l.privilege, l.class, n.name) a
     WHERE _access.kind = ANY (l.kinds::text[])
$$;
COMMENT ON FUNCTION membership._access IS 'The rights of a kind of role, each as GRANT and REVOKE name it.';

CREATE FUNCTION membership._check_kind(kind text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF kind IS NULL OR kind NOT IN ('application', 'operator', 'analyst') THEN
        RAISE EXCEPTION 'kind of access "%" is not known', kind
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'Kinds are application, operator and analyst.',
                  HINT = 'See doc/security.md for what each may do.';
    END IF;
END
$$;
COMMENT ON FUNCTION membership._check_kind IS 'Refuses an unknown kind of access (22023).';

CREATE FUNCTION membership._apply_access() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    given record;
    piece text;
BEGIN
    FOR given IN SELECT g.role_name, g.kind FROM membership.access_grant g
                   JOIN pg_catalog.pg_roles r ON r.rolname = g.role_name
    LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA membership TO %I', given.role_name);
        FOR piece IN SELECT membership._access(given.kind) LOOP
            EXECUTE format('GRANT %s TO %I', piece, given.role_name);
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION membership._apply_access IS 'Gives every recorded right to the roles that exist.';

CREATE FUNCTION membership.grant_access(role regrole, kind text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM membership._need_program();
    PERFORM membership._check_role(role);
    PERFORM membership._check_kind(kind);
    INSERT INTO membership.access_grant (role_name, kind)
    SELECT r.rolname, grant_access.kind FROM pg_catalog.pg_roles r WHERE r.oid = role
    ON CONFLICT ON CONSTRAINT access_grant_pkey DO NOTHING;
    PERFORM membership._apply_access();
END
$$;
COMMENT ON FUNCTION membership.grant_access IS
'Lets a role use the programme as application (enrol, accrue, read), operator (every call, and INSERT and UPDATE of configuration) or analyst (views, verify). Recorded and given again by upgrade_program(). Run by a superuser. Errors: 22004, 22023 unknown kind, 42704 unknown role, MB001 no programme.';

CREATE FUNCTION membership.revoke_access(role regrole, kind text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    piece text;
BEGIN
    PERFORM membership._need_program();
    PERFORM membership._check_role(role);
    PERFORM membership._check_kind(kind);
    DELETE FROM membership.access_grant g
     USING pg_catalog.pg_roles r
     WHERE r.oid = role AND g.role_name = r.rolname AND g.kind = revoke_access.kind;
    FOR piece IN SELECT membership._access(revoke_access.kind) LOOP
        EXECUTE format('REVOKE %s FROM %s', piece, role);
    END LOOP;
    EXECUTE format('REVOKE USAGE ON SCHEMA membership FROM %s', role);
    -- what another kind of the same role still gives
    PERFORM membership._apply_access();
END
$$;
COMMENT ON FUNCTION membership.revoke_access IS
'Takes back what grant_access gave. Run by a superuser. Errors: 22004, 22023 unknown kind, 42704 unknown role, MB001 no programme.';
CREATE FUNCTION membership._program_ddl(version integer, digits integer) RETURNS text
LANGUAGE sql IMMUTABLE AS $body$ SELECT pg_catalog.replace(CASE WHEN version < 1 THEN $tables$
-- Configuration: read through a cache in every backend, written by operators, never per purchase.

CREATE SEQUENCE membership.config_version_seq;
COMMENT ON SEQUENCE membership.config_version_seq IS
    'Numbers every change of configuration. A sequence never goes back, so a version seen in a rolled-back transaction is never used again.';

CREATE TABLE membership.program (
    program_id         smallint NOT NULL DEFAULT 1,
    name               text     NOT NULL,
    time_zone          text     NOT NULL,
    currency           text     NOT NULL,
    currency_digits    smallint NOT NULL,
    phone_country      text,
    base_rate          numeric  NOT NULL DEFAULT 1,
    award_rounding     text     NOT NULL DEFAULT 'floor',
    expiry             text     NOT NULL DEFAULT '24 months',
    min_life_days      integer  NOT NULL DEFAULT 0,
    extend_on_activity boolean  NOT NULL DEFAULT false,
    pending_days       integer  NOT NULL DEFAULT 0,
    claim_days         integer  NOT NULL DEFAULT 30,
    max_future         interval NOT NULL DEFAULT '10 minutes',
    allow_debt         boolean  NOT NULL DEFAULT false,
    tier_window_months integer  NOT NULL DEFAULT 12,
    stacking           text     NOT NULL DEFAULT 'additive',
    reinstatement_days integer  NOT NULL DEFAULT 0,
    clawback           text     NOT NULL DEFAULT 'unlimited',
    charge_cash        boolean  NOT NULL DEFAULT false,
    liability_price    numeric  NOT NULL DEFAULT 0,
    transfers          boolean  NOT NULL DEFAULT false,
    transfer_minimum   bigint   NOT NULL DEFAULT 1,
    transfer_daily_limit bigint,
    table_version      integer  NOT NULL,
    config_version     bigint   NOT NULL DEFAULT nextval('membership.config_version_seq'),
    CONSTRAINT program_pkey PRIMARY KEY (program_id),
    CONSTRAINT program_one_row CHECK (program_id = 1),
    CONSTRAINT program_name_not_empty CHECK (name <> ''),
    CONSTRAINT program_currency_digits_range CHECK (currency_digits BETWEEN 0 AND 4),
    CONSTRAINT program_phone_country_format CHECK (phone_country ~ '^[1-9][0-9]{0,2}$'),
    CONSTRAINT program_base_rate_range CHECK (base_rate BETWEEN 0 AND 10000 AND scale(base_rate) <= 6),
    CONSTRAINT program_award_rounding_known CHECK (award_rounding IN ('floor', 'half_up', 'ceiling')),
    -- 1 to 1200 months, 1 to 36600 days, 1 to 100 periods later
    CONSTRAINT program_expiry_format CHECK (expiry ~ ('^(never|([1-9][0-9]{0,2}|1[01][0-9]{2}|1200) months'
        '|([1-9][0-9]{0,3}|[12][0-9]{4}|3[0-5][0-9]{3}|36[0-5][0-9]{2}|36600) days'
        '|(month|quarter|year) end( [+] ([1-9][0-9]?|100))?|[0-9]{4}-[0-9]{2}-[0-9]{2})$')),
    -- make_date refuses a day that no calendar has
    CONSTRAINT program_expiry_date_exists CHECK (CASE WHEN expiry ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'
        THEN make_date(left(expiry, 4)::integer, substr(expiry, 6, 2)::integer, right(expiry, 2)::integer) IS NOT NULL END),
    CONSTRAINT program_min_life_days_range CHECK (min_life_days BETWEEN 0 AND 3660),
    CONSTRAINT program_pending_days_range CHECK (pending_days BETWEEN 0 AND 366),
    CONSTRAINT program_claim_days_range CHECK (claim_days BETWEEN 0 AND 3660),
    CONSTRAINT program_max_future_range CHECK (max_future BETWEEN '0' AND '1 day'),
    CONSTRAINT program_tier_window_months_range CHECK (tier_window_months BETWEEN 1 AND 120),
    CONSTRAINT program_reinstatement_days_range CHECK (reinstatement_days BETWEEN 0 AND 3660),
    CONSTRAINT program_clawback_known CHECK (clawback IN ('only_pending', 'within_balance', 'unlimited')),
    CONSTRAINT program_liability_price_range CHECK (liability_price BETWEEN 0 AND 10000 AND scale(liability_price) <= 6),
    CONSTRAINT program_transfer_minimum_positive CHECK (transfer_minimum > 0),
    CONSTRAINT program_transfer_daily_limit_positive CHECK (transfer_daily_limit > 0),
    CONSTRAINT program_stacking_known CHECK (stacking IN ('additive', 'multiply'))
);
COMMENT ON TABLE membership.program IS 'The programme: one row with its settings (项目设置). time_zone, currency and currency_digits are fixed for life.';
COMMENT ON COLUMN membership.program.time_zone IS 'Zone name of pg_timezone_names; days, months and birthdays are those of this zone.';
COMMENT ON COLUMN membership.program.currency IS 'ISO 4217 code of every amount.';
COMMENT ON COLUMN membership.program.currency_digits IS 'Decimals of the currency (ISO 4217 minor unit).';
COMMENT ON COLUMN membership.program.phone_country IS 'Country calling code that a phone number without + or 00 belongs to, such as 86; NULL = such numbers are refused.';
COMMENT ON COLUMN membership.program.base_rate IS 'Points per currency unit of basis, 0 to 10000, at most 6 decimals.';
COMMENT ON COLUMN membership.program.award_rounding IS 'How an order''s award becomes whole points, once per order: floor, half_up or ceiling.';
COMMENT ON COLUMN membership.program.expiry IS 'Through which local day points are valid (有效期): 24 months or 90 days after the purchase, month end, quarter end or year end (+ 1 to 100 later ones), a date such as 2027-03-31, or never.';
COMMENT ON COLUMN membership.program.min_life_days IS 'Points never die before this many days after the local day on which they became active, 0 to 3660.';
COMMENT ON COLUMN membership.program.extend_on_activity IS 'Whether a posted purchase lets the member''s points that would die earlier live as long as points earned by it; not with a date or never as expiry.';
COMMENT ON COLUMN membership.program.pending_days IS 'Days after the purchase day until points can be spent, 0 = at once; merchant.pending_days overrides it.';
COMMENT ON COLUMN membership.program.claim_days IS 'A purchase posted later than this many days after it happened is held for review.';
COMMENT ON COLUMN membership.program.max_future IS 'How far ahead of the server''s clock a time given by a caller may lie.';
COMMENT ON COLUMN membership.program.allow_debt IS 'Whether a negative adjustment may take a member below zero.';
COMMENT ON COLUMN membership.program.tier_window_months IS 'Length of the rolling window of basis spend that tiers qualify by, months.';
COMMENT ON COLUMN membership.program.stacking IS 'How multipliers of different groups add up: additive 1 + sum (m - 1), or multiply.';
COMMENT ON COLUMN membership.program.reinstatement_days IS 'Points given back whose lot has died live this many days more; 0 = they expire at once.';
COMMENT ON COLUMN membership.program.clawback IS 'How far a refund takes back what the goods earned: only_pending (the order''s pending points), within_balance (what is available), unlimited (the rest becomes debt).';
COMMENT ON COLUMN membership.program.charge_cash IS 'Whether a refund reports what could not be taken back as cash that the till may keep (cash_shortfall).';
COMMENT ON COLUMN membership.program.liability_price IS 'What an open point is reckoned at, currency, 0 to 10000, at most 6 decimals.';
COMMENT ON COLUMN membership.program.transfers IS 'Whether members may transfer points to each other.';
COMMENT ON COLUMN membership.program.transfer_minimum IS 'The least number of points of a transfer.';
COMMENT ON COLUMN membership.program.transfer_daily_limit IS 'The most points a member sends on a programme day; NULL = no limit.';
COMMENT ON COLUMN membership.program.table_version IS 'Version of these tables; the library serves its own and the one before.';
COMMENT ON COLUMN membership.program.config_version IS 'Changes with every change of configuration; backends reload their cache when it differs.';

CREATE TABLE membership.party (
    party_id integer NOT NULL,
    name     text    NOT NULL,
    kind     text    NOT NULL,
    CONSTRAINT party_pkey PRIMARY KEY (party_id),
    CONSTRAINT party_name_not_empty CHECK (name <> ''),
    CONSTRAINT party_kind_known CHECK (kind IN ('mall', 'merchant', 'sponsor', 'channel'))
);
COMMENT ON TABLE membership.party IS 'A legal entity that can owe or be owed money (结算主体). Party 1 is the programme''s first.';

CREATE TABLE membership.mall (
    mall_id  integer NOT NULL,
    name     text    NOT NULL,
    party_id integer NOT NULL DEFAULT 1,
    CONSTRAINT mall_pkey PRIMARY KEY (mall_id),
    CONSTRAINT mall_name_not_empty CHECK (name <> ''),
    CONSTRAINT mall_party_fkey FOREIGN KEY (party_id) REFERENCES membership.party
);
COMMENT ON TABLE membership.mall IS 'A mall (商场); commissions and prices of points are paid to its party.';

CREATE TABLE membership.merchant (
    merchant_id  integer NOT NULL,
    name         text    NOT NULL,
    code         text,
    mall_id      integer NOT NULL DEFAULT 1,
    party_id     integer NOT NULL DEFAULT 1,
    brand        text,
    category     text,
    pending_days integer,
    opened_on    date,
    ended_on     date,
    CONSTRAINT merchant_pkey PRIMARY KEY (merchant_id),
    CONSTRAINT merchant_code_key UNIQUE (code),
    CONSTRAINT merchant_name_not_empty CHECK (name <> ''),
    CONSTRAINT merchant_mall_fkey FOREIGN KEY (mall_id) REFERENCES membership.mall,
    CONSTRAINT merchant_party_fkey FOREIGN KEY (party_id) REFERENCES membership.party,
    CONSTRAINT merchant_pending_days_range CHECK (pending_days BETWEEN 0 AND 366),
    CONSTRAINT merchant_opened_before_ended CHECK (opened_on <= ended_on)
);
COMMENT ON TABLE membership.merchant IS 'A shop that sells (商户). Needs at least merchant_id and name.';
COMMENT ON COLUMN membership.merchant.pending_days IS 'Overrides program.pending_days for what is bought here; NULL = the programme''s.';
COMMENT ON COLUMN membership.merchant.opened_on IS 'First programme day with purchases; NULL = always.';
COMMENT ON COLUMN membership.merchant.ended_on IS 'First programme day without purchases; NULL = open-ended. Merchants are ended, never deleted.';

CREATE TABLE membership.contract (
    contract_id     integer   NOT NULL,
    merchant_id     integer   NOT NULL,
    valid_during    daterange NOT NULL DEFAULT '(,)',
    collects        text      NOT NULL DEFAULT 'merchant',
    commission_rate numeric   NOT NULL DEFAULT 0,
    issue_price     numeric   NOT NULL DEFAULT 0,
    redemption_price numeric  NOT NULL DEFAULT 0,
    commission_refunded boolean NOT NULL DEFAULT true,
    CONSTRAINT contract_pkey PRIMARY KEY (contract_id),
    CONSTRAINT contract_merchant_fkey FOREIGN KEY (merchant_id) REFERENCES membership.merchant,
    CONSTRAINT contract_valid_during_not_empty CHECK (NOT isempty(valid_during)),
    CONSTRAINT contract_collects_known CHECK (collects IN ('merchant', 'mall')),
    CONSTRAINT contract_commission_rate_range CHECK (commission_rate BETWEEN 0 AND 1 AND scale(commission_rate) <= 6),
    CONSTRAINT contract_issue_price_range CHECK (issue_price BETWEEN 0 AND 10000 AND scale(issue_price) <= 6),
    CONSTRAINT contract_redemption_price_range CHECK (redemption_price BETWEEN 0 AND 10000 AND scale(redemption_price) <= 6),
    -- one-element ranges stand for the merchant's number, so that no further extension is needed
    CONSTRAINT contract_no_overlap EXCLUDE USING gist
        (int4range(merchant_id, merchant_id, '[]') WITH &&, valid_during WITH &&)
);
COMMENT ON TABLE membership.contract IS 'What a merchant agreed with its mall for a period of programme days (合同). Without one the merchant collects and commission and prices are 0.';
COMMENT ON COLUMN membership.contract.valid_during IS 'Programme days on which a purchase falls under this contract; periods of one merchant never overlap.';
COMMENT ON COLUMN membership.contract.collects IS 'Who takes the customer''s money: merchant or mall.';
COMMENT ON COLUMN membership.contract.commission_rate IS 'Share of the net amount that the merchant owes the mall, 0 to 1, at most 6 decimals.';
COMMENT ON COLUMN membership.contract.issue_price IS 'Currency per point issued that the funder owes the mall, 0 to 10000, at most 6 decimals.';

COMMENT ON COLUMN membership.contract.commission_refunded IS 'Whether the commission of goods that are returned is given back.';
COMMENT ON COLUMN membership.contract.redemption_price IS 'Currency per point redeemed that the mall reimburses, 0 to 10000, at most 6 decimals.';

CREATE TABLE membership.tier (
    tier_id         integer NOT NULL,
    code            text    NOT NULL,
    name            text    NOT NULL,
    rank            integer NOT NULL,
    multiplier      numeric NOT NULL DEFAULT 1,
    qualify_basis   numeric(18, @digits@),
    validity_months integer,
    CONSTRAINT tier_pkey PRIMARY KEY (tier_id),
    CONSTRAINT tier_code_key UNIQUE (code),
    CONSTRAINT tier_rank_key UNIQUE (rank),
    CONSTRAINT tier_code_format CHECK (code ~ '^[a-z][a-z0-9_]{0,30}$'),
    CONSTRAINT tier_name_not_empty CHECK (name <> ''),
    CONSTRAINT tier_multiplier_range CHECK (multiplier BETWEEN 0 AND 100 AND scale(multiplier) <= 4),
    CONSTRAINT tier_qualify_basis_positive CHECK (qualify_basis > 0 AND qualify_basis < 'NaN'),
    CONSTRAINT tier_validity_months_range CHECK (validity_months BETWEEN 1 AND 1200)
);
COMMENT ON TABLE membership.tier IS 'A tier (等级). A new member gets the one of lowest rank.';
COMMENT ON COLUMN membership.tier.rank IS 'Order of the tiers, higher is better.';
COMMENT ON COLUMN membership.tier.multiplier IS 'Multiplies the base award, 0 to 100, at most 4 decimals.';
COMMENT ON COLUMN membership.tier.qualify_basis IS 'Basis spend (currency) within program.tier_window_months that upgrades a member to this tier; NULL = by set_tier only.';
COMMENT ON COLUMN membership.tier.validity_months IS 'The tier is valid through the local date this many months after it was reached; NULL = without end.';

CREATE TABLE membership.wallet (
    wallet_id smallint NOT NULL,
    code      text     NOT NULL,
    name      text     NOT NULL,
    CONSTRAINT wallet_pkey PRIMARY KEY (wallet_id),
    CONSTRAINT wallet_code_key UNIQUE (code)
);
COMMENT ON TABLE membership.wallet IS 'Kinds of value a member can hold; 1 = points (积分).';

CREATE TABLE membership.access_grant (
    role_name text NOT NULL,
    kind      text NOT NULL,
    CONSTRAINT access_grant_pkey PRIMARY KEY (role_name, kind),
    CONSTRAINT access_grant_kind_known CHECK (kind IN ('application', 'operator', 'analyst'))
);
COMMENT ON TABLE membership.access_grant IS 'Rights given by grant_access(); upgrade_program() and set_owner() give them again.';
-- Earning rules: campaigns as rows, and every version of them. Burn rules: what points are worth.

CREATE TABLE membership.earn_rule (
    rule_id         integer     NOT NULL,
    code            text        NOT NULL,
    name            text        NOT NULL,
    status          text        NOT NULL DEFAULT 'draft',
    scope           text        NOT NULL DEFAULT 'order',
    stack_group     text,
    priority        integer     NOT NULL DEFAULT 0,
    exclusive       boolean     NOT NULL DEFAULT false,
    valid_during    tsrange     NOT NULL DEFAULT '(,)',
    mall_ids        integer[],
    merchant_ids    integer[],
    brands          text[],
    categories      text[],
    channels        text[],
    tiers           text[],
    condition       text,
    effect          text        NOT NULL,
    value           numeric     NOT NULL,
    refund_mode     text        NOT NULL DEFAULT 'proportional',
    expiry          text,
    pending_days    integer,
    funder_party_id integer,
    version         integer     NOT NULL DEFAULT 1,
    effective_from  timestamptz NOT NULL DEFAULT '-infinity',
    CONSTRAINT earn_rule_pkey PRIMARY KEY (rule_id),
    CONSTRAINT earn_rule_code_key UNIQUE (code),
    CONSTRAINT earn_rule_code_format CHECK (code ~ '^[a-z][a-z0-9_]{0,62}$'),
    CONSTRAINT earn_rule_name_not_empty CHECK (name <> ''),
    CONSTRAINT earn_rule_status_known CHECK (status IN ('draft', 'active', 'paused', 'shadow', 'ended')),
    CONSTRAINT earn_rule_scope_known CHECK (scope IN ('order', 'line')),
    CONSTRAINT earn_rule_stack_group_not_empty CHECK (stack_group <> ''),
    CONSTRAINT earn_rule_valid_during_not_empty CHECK (NOT isempty(valid_during)),
    CONSTRAINT earn_rule_filters_not_empty CHECK (cardinality(mall_ids) > 0 AND cardinality(merchant_ids) > 0
        AND cardinality(brands) > 0 AND cardinality(categories) > 0 AND cardinality(channels) > 0 AND cardinality(tiers) > 0),
    CONSTRAINT earn_rule_filters_without_null CHECK (array_position(mall_ids, NULL) IS NULL
        AND array_position(merchant_ids, NULL) IS NULL AND array_position(brands, NULL) IS NULL
        AND array_position(categories, NULL) IS NULL AND array_position(channels, NULL) IS NULL
        AND array_position(tiers, NULL) IS NULL),
    CONSTRAINT earn_rule_effect_known CHECK (effect IN ('multiplier', 'bonus_points', 'rate', 'growth')),
    CONSTRAINT earn_rule_value_range CHECK (CASE effect
        WHEN 'multiplier' THEN value BETWEEN 1 AND 100 AND scale(value) <= 4
        WHEN 'bonus_points' THEN value BETWEEN 1 AND 1000000000 AND value = trunc(value)
        ELSE value BETWEEN 0 AND 10000 AND scale(value) <= 6 END),
    CONSTRAINT earn_rule_refund_mode_known CHECK (refund_mode IN ('proportional', 'reevaluate', 'none')),
    CONSTRAINT earn_rule_pending_days_range CHECK (pending_days BETWEEN 0 AND 366),
    CONSTRAINT earn_rule_funder_fkey FOREIGN KEY (funder_party_id) REFERENCES membership.party
);
COMMENT ON TABLE membership.earn_rule IS 'A campaign (积分规则): which purchases it is for, and what they earn more. See doc/rules.md.';
COMMENT ON COLUMN membership.earn_rule.code IS 'What explanations call the rule; fixed.';
COMMENT ON COLUMN membership.earn_rule.status IS 'draft, active, paused, shadow (evaluated and explained, never pays) or ended.';
COMMENT ON COLUMN membership.earn_rule.scope IS 'order: matched once per order; line: for each eligible line by itself.';
COMMENT ON COLUMN membership.earn_rule.stack_group IS 'Of the rules of a group that match, the best one counts; NULL = a group of its own.';
COMMENT ON COLUMN membership.earn_rule.priority IS 'Breaks ties, higher first.';
COMMENT ON COLUMN membership.earn_rule.exclusive IS 'No other rule counts beside it.';
COMMENT ON COLUMN membership.earn_rule.valid_during IS 'Programme time of the purchases it is for.';
COMMENT ON COLUMN membership.earn_rule.condition IS 'A boolean SQL expression over the columns of doc/rules.md; NULL = always.';
COMMENT ON COLUMN membership.earn_rule.effect IS 'multiplier, bonus_points, rate or growth.';
COMMENT ON COLUMN membership.earn_rule.value IS 'multiplier: 1 to 100, at most 4 decimals; bonus_points: whole points, 1 to 10^9; rate: points, growth: growth value, per currency unit of basis, 0 to 10000, at most 6 decimals.';
COMMENT ON COLUMN membership.earn_rule.refund_mode IS 'What a return does with what the rule gave: proportional, reevaluate or none.';
COMMENT ON COLUMN membership.earn_rule.expiry IS 'Expiry policy of the rule''s points; NULL = program.expiry.';
COMMENT ON COLUMN membership.earn_rule.pending_days IS 'Days after the purchase day until the rule''s points can be spent; NULL = as the line''s other points.';
COMMENT ON COLUMN membership.earn_rule.funder_party_id IS 'Who pays for the rule''s points; NULL = the mall of the selling merchant.';
COMMENT ON COLUMN membership.earn_rule.version IS 'Counts the changes of the rule; set by its trigger.';
COMMENT ON COLUMN membership.earn_rule.effective_from IS 'From when this version is in force, by occurred_at; an UPDATE that does not set it takes the clock.';

CREATE TABLE membership.rule_version (
    rule_id        integer     NOT NULL,
    version        integer     NOT NULL,
    effective_from timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    recorded_by    text        NOT NULL,
    definition     jsonb       NOT NULL,
    CONSTRAINT rule_version_pkey PRIMARY KEY (rule_id, version)
);
COMMENT ON TABLE membership.rule_version IS 'Every version of every earning rule, append-only. In force at a time: the highest version with effective_from not after it.';
COMMENT ON COLUMN membership.rule_version.definition IS 'The row of earn_rule, as JSON.';

CREATE TABLE membership.burn_rule (
    burn_rule_id integer  NOT NULL,
    code         text     NOT NULL,
    name         text     NOT NULL,
    status       text     NOT NULL DEFAULT 'draft',
    purpose      text     NOT NULL DEFAULT 'payment',
    priority     integer  NOT NULL DEFAULT 0,
    valid_during tsrange  NOT NULL DEFAULT '(,)',
    mall_ids     integer[],
    merchant_ids integer[],
    channels     text[],
    tiers        text[],
    condition    text,
    step         bigint   NOT NULL,
    value        numeric(18, @digits@) NOT NULL,
    share        numeric,
    minimum      bigint   NOT NULL DEFAULT 1,
    daily_cap    bigint,
    CONSTRAINT burn_rule_pkey PRIMARY KEY (burn_rule_id),
    CONSTRAINT burn_rule_code_key UNIQUE (code),
    CONSTRAINT burn_rule_code_format CHECK (code ~ '^[a-z][a-z0-9_]{0,62}$'),
    CONSTRAINT burn_rule_name_not_empty CHECK (name <> ''),
    CONSTRAINT burn_rule_status_known CHECK (status IN ('draft', 'active', 'paused', 'ended')),
    CONSTRAINT burn_rule_purpose_format CHECK (purpose ~ '^[a-z][a-z0-9_]{0,30}$'),
    CONSTRAINT burn_rule_valid_during_not_empty CHECK (NOT isempty(valid_during)),
    CONSTRAINT burn_rule_filters_not_empty CHECK (cardinality(mall_ids) > 0 AND cardinality(merchant_ids) > 0
        AND cardinality(channels) > 0 AND cardinality(tiers) > 0),
    CONSTRAINT burn_rule_filters_without_null CHECK (array_position(mall_ids, NULL) IS NULL
        AND array_position(merchant_ids, NULL) IS NULL AND array_position(channels, NULL) IS NULL
        AND array_position(tiers, NULL) IS NULL),
    CONSTRAINT burn_rule_step_range CHECK (step BETWEEN 1 AND 1000000000),
    CONSTRAINT burn_rule_value_range CHECK (value > 0 AND value <= 1000000000),
    CONSTRAINT burn_rule_share_range CHECK (share > 0 AND share <= 1 AND scale(share) <= 6),
    CONSTRAINT burn_rule_minimum_range CHECK (minimum BETWEEN 1 AND 1000000000000000),
    CONSTRAINT burn_rule_daily_cap_range CHECK (daily_cap BETWEEN 1 AND 1000000000000000)
);
COMMENT ON TABLE membership.burn_rule IS 'What points are worth for a purpose, and how many may be spent (抵扣规则). See doc/spending.md.';
COMMENT ON COLUMN membership.burn_rule.purpose IS 'payment, or a word of your own, such as item or parking.';
COMMENT ON COLUMN membership.burn_rule.priority IS 'Of the rules that match, the highest counts, then the lowest burn_rule_id.';
COMMENT ON COLUMN membership.burn_rule.step IS 'Points are redeemed in whole steps of this many.';
COMMENT ON COLUMN membership.burn_rule.value IS 'Worth of a step, currency.';
COMMENT ON COLUMN membership.burn_rule.share IS 'Share of the order''s net amount that may be paid with points, above 0 to 1, at most 6 decimals; NULL = all of it.';
COMMENT ON COLUMN membership.burn_rule.minimum IS 'The least number of points of a redemption.';
COMMENT ON COLUMN membership.burn_rule.daily_cap IS 'The most points a member redeems or holds on a programme day; NULL = no cap.';
-- Members and what finds them.

CREATE SEQUENCE membership.member_id_seq;
COMMENT ON SEQUENCE membership.member_id_seq IS 'Numbers members; set its start and increment per shard.';

CREATE TABLE membership.member (
    member_id         bigint      NOT NULL,
    status            text        NOT NULL DEFAULT 'active',
    tier_id           integer     NOT NULL,
    tier_since        timestamptz NOT NULL,
    tier_expires_at   timestamptz,
    tier_locked_until timestamptz,
    enrolled_at       timestamptz NOT NULL,
    birthday          date,
    source            text,
    channel           text        NOT NULL,
    referrer_id       bigint,
    tags              text[]      NOT NULL DEFAULT '{}',
    attributes        jsonb       NOT NULL DEFAULT '{}',
    consent           jsonb       NOT NULL DEFAULT '{}',
    CONSTRAINT member_pkey PRIMARY KEY (member_id),
    CONSTRAINT member_status_known CHECK (status IN ('active', 'frozen', 'closed')),
    CONSTRAINT member_attributes_object CHECK (jsonb_typeof(attributes) = 'object'),
    CONSTRAINT member_consent_object CHECK (jsonb_typeof(consent) = 'object')
);
COMMENT ON TABLE membership.member IS 'A member (会员). Written under the lock of the member''s points account.';
COMMENT ON COLUMN membership.member.tier_expires_at IS 'First instant after the tier''s validity; NULL = without end.';
COMMENT ON COLUMN membership.member.tier_locked_until IS 'Until then a tier given by set_tier is not taken away.';
COMMENT ON COLUMN membership.member.referrer_id IS 'The member whose referral code was given at enrolment.';

CREATE TABLE membership.member_identity (
    kind      text   NOT NULL,
    value     text   NOT NULL,
    member_id bigint NOT NULL,
    CONSTRAINT member_identity_pkey PRIMARY KEY (kind, value)
);
CREATE INDEX member_identity_member_id_idx ON membership.member_identity (member_id);
COMMENT ON TABLE membership.member_identity IS 'Directory: phone, card, app id or referral code, in normal form, to member.';

CREATE TABLE membership.tier_history (
    member_id  bigint    NOT NULL,
    history_no bigint    NOT NULL,
    tier_id    integer   NOT NULL,
    during     tstzrange NOT NULL,
    cause      text      NOT NULL,
    journal_no bigint    NOT NULL,
    CONSTRAINT tier_history_pkey PRIMARY KEY (member_id, history_no),
    CONSTRAINT tier_history_cause_known CHECK (cause IN ('enrolment', 'upgrade', 'manual')),
    CONSTRAINT tier_history_no_overlap EXCLUDE USING gist
        (int8range(member_id, member_id, '[]') WITH &&, during WITH &&)
);
COMMENT ON TABLE membership.tier_history IS 'Which tier a member had when, by posting time, without gap or overlap.';
COMMENT ON COLUMN membership.tier_history.journal_no IS 'The event that changed the tier.';
-- The ledger. Rows of one member are numbered without gaps under the lock of its points account.
--
-- The engine is the only writer, and nobody else may be one: what a CHECK would say of these rows is said by
-- verify() instead, because PostgreSQL parses every CHECK of a table anew for every statement that writes it
-- (a sixth of the time of an accrual).

CREATE TABLE membership.account (
    member_id       bigint   NOT NULL,
    wallet_id       smallint NOT NULL,
    balance         bigint   NOT NULL DEFAULT 0,
    held            bigint   NOT NULL DEFAULT 0,
    debt            bigint   NOT NULL DEFAULT 0,
    next_journal_no bigint   NOT NULL DEFAULT 1,
    next_entry_no   bigint   NOT NULL DEFAULT 1,
    next_expiry     timestamptz,
    order_spends    integer  NOT NULL DEFAULT 0,
    last_posted_at  timestamptz NOT NULL,
    CONSTRAINT account_pkey PRIMARY KEY (member_id, wallet_id),
    CONSTRAINT account_member_fkey FOREIGN KEY (member_id) REFERENCES membership.member
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE membership.account IS 'A member''s wallet as last posted. The row of wallet 1 is the member''s lock and holds its counters.';
COMMENT ON COLUMN membership.account.balance IS 'Remaining of all open lots, less debt, points.';
COMMENT ON COLUMN membership.account.held IS 'Points reserved in lots, points.';
COMMENT ON COLUMN membership.account.debt IS 'Points owed to the programme; later credits pay it first.';
COMMENT ON COLUMN membership.account.next_expiry IS 'No open lot dies and no hold times out before this; NULL = none ever does.';
COMMENT ON COLUMN membership.account.order_spends IS 'Redemptions and open holds of orders that have not been accrued.';
COMMENT ON COLUMN membership.account.last_posted_at IS 'posted_at of the last journal row; it never goes back.';

CREATE TABLE membership.receipt (
    merchant_id  integer NOT NULL,
    order_ref    text    NOT NULL,
    member_id    bigint  NOT NULL,
    journal_no   bigint  NOT NULL,
    payload_hash bigint  NOT NULL,
    CONSTRAINT receipt_pkey PRIMARY KEY (merchant_id, order_ref)
);
COMMENT ON TABLE membership.receipt IS 'Directory: a purchase''s claim. One receipt is credited once, to one member; member 0 keeps the place of a sale whose refund came first.';

CREATE TABLE membership.receipt_ref (
    kind        text    NOT NULL,
    value       text    NOT NULL,
    merchant_id integer NOT NULL,
    order_ref   text    NOT NULL,
    CONSTRAINT receipt_ref_pkey PRIMARY KEY (kind, value)
);
COMMENT ON TABLE membership.receipt_ref IS 'Directory: other names of a receipt (external_refs), unique in the programme.';

CREATE TABLE membership.source_key (
    member_id    bigint NOT NULL,
    verb         text   NOT NULL,
    ref          text   NOT NULL,
    journal_no   bigint NOT NULL,
    payload_hash bigint NOT NULL,
    CONSTRAINT source_key_pkey PRIMARY KEY (member_id, verb, ref)
);
COMMENT ON TABLE membership.source_key IS 'Idempotency of every verb but accrual: this ref was posted as that journal row.';

CREATE TABLE membership.journal (
    member_id          bigint      NOT NULL,
    journal_no         bigint      NOT NULL,
    verb               text        NOT NULL,
    occurred_at        timestamptz NOT NULL,
    posted_at          timestamptz NOT NULL,
    day                date        NOT NULL,
    actor              text        NOT NULL,
    login              text        NOT NULL,
    points             bigint      NOT NULL,
    balance            bigint      NOT NULL,
    last_entry_no      bigint      NOT NULL,
    reason             text,
    refers_to          bigint,
    merchant_id        integer,
    order_ref          text,
    channel            text,
    amount             numeric(18, @digits@),
    basis              numeric(18, @digits@),
    merchant_collected numeric(18, @digits@),
    status             text,
    reason_code        text,
    points_wanted      bigint,
    base_points        bigint,
    available_at       timestamptz,
    expires_at         timestamptz,
    base_rate          numeric,
    rounding           text,
    tier_id            integer,
    tier_multiplier    numeric,
    tier_after         integer,
    tier_changed       boolean,
    lines              jsonb,
    rules              jsonb,
    growth             bigint,
    purpose            text,
    counterpart_id     bigint,
    tenders            jsonb,
    CONSTRAINT journal_pkey PRIMARY KEY (member_id, journal_no)
);
COMMENT ON TABLE membership.journal IS 'One row per business event of a member, append-only, without personal data: amounts and the rates, tier and rounding they were judged by.';
COMMENT ON COLUMN membership.journal.occurred_at IS 'When it happened: chooses rates, tier and expiry.';
COMMENT ON COLUMN membership.journal.posted_at IS 'When it was posted: never earlier than the row before.';
COMMENT ON COLUMN membership.journal.day IS 'Programme day of occurred_at.';
COMMENT ON COLUMN membership.journal.actor IS 'Role that made the call.';
COMMENT ON COLUMN membership.journal.login IS 'Role that logged in.';
COMMENT ON COLUMN membership.journal.points IS 'Change of the points balance by this event.';
COMMENT ON COLUMN membership.journal.balance IS 'Points balance after the event.';
COMMENT ON COLUMN membership.journal.last_entry_no IS 'The member''s last points entry after the event.';
COMMENT ON COLUMN membership.journal.refers_to IS 'journal_no of the event that this one is about.';
COMMENT ON COLUMN membership.journal.basis IS 'What points were computed on, currency.';
COMMENT ON COLUMN membership.journal.merchant_collected IS 'Part of amount that merchants collected themselves, currency.';
COMMENT ON COLUMN membership.journal.points_wanted IS 'The award before review or rejection.';
COMMENT ON COLUMN membership.journal.base_points IS 'Part of points_wanted that the base rate alone gives.';
COMMENT ON COLUMN membership.journal.tier_id IS 'Tier the purchase was judged by.';
COMMENT ON COLUMN membership.journal.tier_after IS 'Tier of the member after the event.';
COMMENT ON COLUMN membership.journal.rules IS 'Earning rules that matched or failed: {"stacking", "rules": [{rule_id, version, code, outcome, effect, value, points or growth, lines}]}, with rule_version all that the award was computed by; NULL = none.';
COMMENT ON COLUMN membership.journal.purpose IS 'Of a redemption, authorization or capture: what the points were for. amount is their worth then, currency.';
COMMENT ON COLUMN membership.journal.counterpart_id IS 'Of a transfer: the other member.';
COMMENT ON COLUMN membership.journal.tenders IS 'Points that paid for the order: {"points", "value" (currency), "value_at_merchants" (the part at merchants that collect themselves), "spent": journal numbers}.';
COMMENT ON COLUMN membership.journal.growth IS 'Growth value gained by this event; NULL = none.';
COMMENT ON COLUMN membership.journal.lines IS 'Lines of the order with the points of each; NULL = one line, the whole order.';

CREATE TABLE membership.journal_context (
    member_id  bigint NOT NULL,
    journal_no bigint NOT NULL,
    attributes jsonb  NOT NULL DEFAULT '{}',
    facts      jsonb,
    CONSTRAINT journal_context_pkey PRIMARY KEY (member_id, journal_no)
);
COMMENT ON TABLE membership.journal_context IS 'Free attributes of an event, and what it was judged by besides the journal''s facts: written only when there is some; may be erased.';
COMMENT ON COLUMN membership.journal_context.facts IS 'What conditions of rules that a return asks again saw of member and moment: by line_no (0 = the order), by column.';

CREATE TABLE membership.ledger_entry (
    member_id     bigint   NOT NULL,
    wallet_id     smallint NOT NULL,
    entry_no      bigint   NOT NULL,
    journal_no    bigint   NOT NULL,
    lot_no        bigint   NOT NULL,
    points        bigint   NOT NULL,
    balance_after bigint   NOT NULL,
    active_at     timestamptz,
    expires_at    timestamptz,
    origin        text,
    moved_from    bigint,
    CONSTRAINT ledger_entry_pkey PRIMARY KEY (member_id, wallet_id, entry_no)
);
COMMENT ON TABLE membership.ledger_entry IS 'One signed movement of points on one lot, append-only (分录). Lot 0 is debt.';
COMMENT ON COLUMN membership.ledger_entry.lot_no IS 'The lot moved: its opening entry''s number, or 0 for debt.';
COMMENT ON COLUMN membership.ledger_entry.balance_after IS 'Balance of the wallet after this entry, points.';
COMMENT ON COLUMN membership.ledger_entry.active_at IS 'Of an opening entry: from when the lot can be spent.';
COMMENT ON COLUMN membership.ledger_entry.expires_at IS 'Of an opening entry: first instant at which the lot is dead; NULL = never.';
COMMENT ON COLUMN membership.ledger_entry.origin IS 'Of an opening entry: the verb that opened the lot.';
COMMENT ON COLUMN membership.ledger_entry.moved_from IS 'Of an opening entry: the lot whose points go on in this one; NULL = new points.';

CREATE TABLE membership.lot (
    member_id  bigint   NOT NULL,
    wallet_id  smallint NOT NULL,
    lot_no     bigint   NOT NULL,
    journal_no bigint   NOT NULL,
    granted    bigint   NOT NULL,
    remaining  bigint   NOT NULL,
    held       bigint   NOT NULL DEFAULT 0,
    active_at  timestamptz NOT NULL,
    expires_at timestamptz,
    origin     text     NOT NULL,
    CONSTRAINT lot_pkey PRIMARY KEY (member_id, wallet_id, lot_no)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE membership.lot IS 'Points still open (批次): a projection that ledger_entry can rebuild; a row leaves when it is used up.';

CREATE TABLE membership.activity_day (
    member_id     bigint  NOT NULL,
    day           date    NOT NULL,
    purchases     integer NOT NULL DEFAULT 0,
    basis         numeric(18, @digits@) NOT NULL DEFAULT 0,
    points_earned bigint  NOT NULL DEFAULT 0,
    growth        bigint  NOT NULL DEFAULT 0,
    points_redeemed bigint NOT NULL DEFAULT 0,
    refunded_of_day numeric(18, @digits@) NOT NULL DEFAULT 0,
    refunded_on_day numeric(18, @digits@) NOT NULL DEFAULT 0,
    CONSTRAINT activity_day_pkey PRIMARY KEY (member_id, day)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE membership.activity_day IS 'What a member did on one programme day, by the day of purchase and less what was returned: tiers and reports read it.';
COMMENT ON COLUMN membership.activity_day.points_earned IS 'Points awarded for the purchases of this day.';
COMMENT ON COLUMN membership.activity_day.points_redeemed IS 'Points redeemed and captured on this day, less those given back.';
COMMENT ON COLUMN membership.activity_day.refunded_of_day IS 'Net value of goods of this day''s purchases that were returned, on whatever day, currency.';
COMMENT ON COLUMN membership.activity_day.refunded_on_day IS 'Net value of goods returned on this day, of whatever purchase, currency.';
COMMENT ON COLUMN membership.activity_day.growth IS 'Growth value (成长值) gained by the purchases of this day.';

CREATE TABLE membership.merchant_split (
    member_id      bigint  NOT NULL,
    journal_no     bigint  NOT NULL,
    split_no       integer NOT NULL,
    merchant_id    integer NOT NULL,
    kind           text    NOT NULL,
    payer_party_id integer NOT NULL,
    payee_party_id integer NOT NULL,
    amount         numeric(18, @digits@) NOT NULL,
    points         bigint,
    CONSTRAINT merchant_split_pkey PRIMARY KEY (member_id, journal_no, split_no)
);
COMMENT ON TABLE membership.merchant_split IS 'Who owes whom after an event (分账): payer party, payee party, amount in currency. sale: collector to merchant; commission: merchant to mall; points_issued: funder to mall; points_redeemed: mall to a merchant that collects; points_contribution: merchant to a mall that collects.';
COMMENT ON COLUMN membership.merchant_split.points IS 'Points that a points_issued, points_redeemed or points_contribution row is about.';

CREATE TABLE membership.accrual_error (
    error_id    uuid        NOT NULL DEFAULT gen_random_uuid(),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    source      text        NOT NULL,
    purchase    jsonb       NOT NULL,
    sqlstate    text        NOT NULL,
    message     text        NOT NULL,
    attempts    integer     NOT NULL DEFAULT 1,
    CONSTRAINT accrual_error_pkey PRIMARY KEY (error_id)
);
COMMENT ON TABLE membership.accrual_error IS 'Purchases that an accrue_trigger with on_error=log could not post; retry_accrual_errors() tries them again and removes those it posts.';
COMMENT ON COLUMN membership.accrual_error.source IS 'Table whose trigger met the error.';
COMMENT ON COLUMN membership.accrual_error.purchase IS 'The arguments of accrue_points, as JSON.';

CREATE TABLE membership.rule_failure (
    member_id  bigint  NOT NULL,
    journal_no bigint  NOT NULL,
    rule_id    integer NOT NULL,
    version    integer NOT NULL,
    sqlstate   text    NOT NULL,
    message    text    NOT NULL,
    CONSTRAINT rule_failure_pkey PRIMARY KEY (member_id, journal_no, rule_id)
);
COMMENT ON TABLE membership.rule_failure IS 'A rule whose condition failed on the data of a purchase, which was posted without it.';

CREATE TABLE membership.hold (
    member_id   bigint NOT NULL,
    hold_no     bigint NOT NULL,
    ref         text   NOT NULL,
    points      bigint NOT NULL,
    expires_at  timestamptz,
    merchant_id integer,
    order_ref   text,
    CONSTRAINT hold_pkey PRIMARY KEY (member_id, hold_no)
);
COMMENT ON TABLE membership.hold IS 'Points reserved (预占): a row while the hold is open. hold_no is the journal_no of its authorization.';
COMMENT ON COLUMN membership.hold.expires_at IS 'When it times out; NULL = never.';

CREATE TABLE membership.hold_lot (
    member_id bigint NOT NULL,
    hold_no   bigint NOT NULL,
    lot_no    bigint NOT NULL,
    points    bigint NOT NULL,
    CONSTRAINT hold_lot_pkey PRIMARY KEY (member_id, hold_no, lot_no),
    CONSTRAINT hold_lot_hold_fkey FOREIGN KEY (member_id, hold_no) REFERENCES membership.hold
);
COMMENT ON TABLE membership.hold_lot IS 'Which lots an open hold reserves points of.';

CREATE TABLE membership.order_spend (
    member_id   bigint  NOT NULL,
    merchant_id integer NOT NULL,
    order_ref   text    NOT NULL,
    journal_no  bigint  NOT NULL,
    CONSTRAINT order_spend_pkey PRIMARY KEY (member_id, merchant_id, order_ref, journal_no)
);
COMMENT ON TABLE membership.order_spend IS 'Redemptions and captures of orders that have not been accrued; the accrual makes them its tenders.';

CREATE TABLE membership.refund (
    member_id        bigint  NOT NULL,
    purchase_no      bigint  NOT NULL,
    refund_no        integer NOT NULL,
    posted_id        bigint  NOT NULL,
    journal_no       bigint  NOT NULL,
    refund_ref       text,
    amount           numeric(18, @digits@) NOT NULL,
    cash_amount      numeric(18, @digits@) NOT NULL,
    points_clawed    bigint  NOT NULL,
    points_restored  bigint  NOT NULL,
    points_forfeited bigint  NOT NULL,
    points_expired   bigint  NOT NULL,
    loss             bigint  NOT NULL,
    debt             bigint  NOT NULL,
    cash_shortfall   numeric(18, @digits@) NOT NULL,
    complete         boolean NOT NULL,
    lines            jsonb   NOT NULL,
    CONSTRAINT refund_pkey PRIMARY KEY (member_id, purchase_no, refund_no)
);
COMMENT ON TABLE membership.refund IS 'What each refund, correction or reassignment took back of a purchase (退货), append-only. See doc/refunds.md.';
COMMENT ON COLUMN membership.refund.purchase_no IS 'journal_no of the purchase.';
COMMENT ON COLUMN membership.refund.refund_no IS 'Counts the refunds of the purchase.';
COMMENT ON COLUMN membership.refund.posted_id IS 'Whose journal has the refund: the member''s, or that of the one it was merged into.';
COMMENT ON COLUMN membership.refund.journal_no IS 'journal_no of the refund.';
COMMENT ON COLUMN membership.refund.refund_ref IS 'refund_ref or correction_ref of the call; NULL of a reassignment.';
COMMENT ON COLUMN membership.refund.amount IS 'Net value of the goods returned, currency.';
COMMENT ON COLUMN membership.refund.cash_amount IS 'Part of it that was not paid with points, currency.';
COMMENT ON COLUMN membership.refund.points_clawed IS 'Points taken back: from lots, and as debt.';
COMMENT ON COLUMN membership.refund.points_restored IS 'Points spent on the order that were given back alive.';
COMMENT ON COLUMN membership.refund.points_forfeited IS 'Points spent on the order whose lots had died: given back, and expired at once.';
COMMENT ON COLUMN membership.refund.points_expired IS 'Part of the award that had expired unspent, and was not taken again.';
COMMENT ON COLUMN membership.refund.loss IS 'Part of the award that program.clawback left with the member.';
COMMENT ON COLUMN membership.refund.debt IS 'Part of points_clawed that became debt.';
COMMENT ON COLUMN membership.refund.cash_shortfall IS 'Worth of the loss that the till may keep, currency.';
COMMENT ON COLUMN membership.refund.complete IS 'Whether nothing was left of the purchase.';
COMMENT ON COLUMN membership.refund.lines IS 'What has been returned of each line so far: {line_no, amount, quantity, closed, value (points'' money), restored, clawed, withheld (of it before an approval), growth, growth_withheld}.';

CREATE TABLE membership.refund_claim (
    merchant_id  integer NOT NULL,
    order_ref    text    NOT NULL,
    refund_ref   text    NOT NULL,
    payload_hash bigint  NOT NULL,
    member_id    bigint  NOT NULL DEFAULT 0,
    journal_no   bigint,
    parked_at    timestamptz,
    request      jsonb,
    excess       numeric(18, @digits@),
    clipped      boolean NOT NULL DEFAULT false,
    CONSTRAINT refund_claim_pkey PRIMARY KEY (merchant_id, order_ref, refund_ref)
);
COMMENT ON TABLE membership.refund_claim IS 'Directory: a refund''s or correction''s key. Refunds whose sale has not come yet are parked here.';
COMMENT ON COLUMN membership.refund_claim.member_id IS 'Whose the sale is; of a parked one the member_id of the call, 0 = not given.';
COMMENT ON COLUMN membership.refund_claim.journal_no IS 'What it was posted as; NULL = parked, or nothing could be applied.';
COMMENT ON COLUMN membership.refund_claim.parked_at IS 'When it came before its sale; NULL = it did not.';
COMMENT ON COLUMN membership.refund_claim.request IS 'Of a parked one: amount, lines and at as called.';
COMMENT ON COLUMN membership.refund_claim.excess IS 'Part of a parked one that the sale could not take, currency, as far as it is known; NULL = the sale has not come.';
COMMENT ON COLUMN membership.refund_claim.clipped IS 'Whether a part of it could not be applied.';

CREATE TABLE membership.exchange (
    member_id   bigint NOT NULL,
    purchase_no bigint NOT NULL,
    journal_no  bigint NOT NULL,
    amount      numeric(18, @digits@) NOT NULL,
    CONSTRAINT exchange_pkey PRIMARY KEY (member_id, purchase_no, journal_no)
);
COMMENT ON TABLE membership.exchange IS 'Which part of what was returned of a purchase was exchanged for another (换货): that part earned as the old one did.';
COMMENT ON COLUMN membership.exchange.purchase_no IS 'journal_no of the purchase that was returned.';
COMMENT ON COLUMN membership.exchange.journal_no IS 'journal_no of the new purchase.';
$tables$ ELSE $none$$none$ END || CASE WHEN version < 2 THEN $tables$
$tables$ ELSE $none$$none$ END || $always$
-- Reading views. Every one is exact at the moment of reading: a dead lot never counts, swept or not.

-- Holds that count now: one that has timed out does not, released yet or not.
CREATE OR REPLACE VIEW membership.member_holds AS
SELECT h.member_id, h.hold_no, h.ref, h.points, h.merchant_id, h.order_ref, j.purpose, j.amount AS cash_value,
       j.posted_at AS authorized_at, h.expires_at
  FROM membership.hold h
  JOIN membership.journal j ON j.member_id = h.member_id AND j.journal_no = h.hold_no
 WHERE coalesce(h.expires_at > statement_timestamp(), true);
COMMENT ON VIEW membership.member_holds IS 'Open holds (预占) of each member: points, what they are for, their worth then (currency), and when they time out.';

-- What each lot is worth now, and how much of it is held now. Where there is debt, unheld points of lots that became active
-- pay it first, in the order in which they did; what was held does so when its hold timed out, unless its lot had died by
-- then: the order in which the engine posts it at its next touch.
CREATE OR REPLACE VIEW membership._lot_now AS
SELECT l.member_id, l.wallet_id, l.lot_no, l.journal_no, l.granted, l.held - t.points AS held, l.active_at, l.expires_at, l.origin,
       l.remaining - p.pays AS remaining,
       p.pays,
       l.active_at > statement_timestamp() AS pending,
       coalesce(l.expires_at <= statement_timestamp(), false) AS dead
  FROM membership.lot l
  JOIN membership.account a ON a.member_id = l.member_id AND a.wallet_id = l.wallet_id
 CROSS JOIN LATERAL (
       SELECT coalesce(sum(p.points), 0)::bigint AS points
         FROM membership.hold h
         JOIN membership.hold_lot p USING (member_id, hold_no)
        WHERE l.held > 0 AND h.member_id = l.member_id AND p.lot_no = l.lot_no
          AND h.expires_at <= statement_timestamp()) t
 CROSS JOIN LATERAL (
       SELECT CASE WHEN a.debt > 0 THEN (
              SELECT coalesce(sum(r.pays), 0)::bigint
                FROM (SELECT q.lot_no, least(q.points, greatest(0, a.debt - (sum(q.points) OVER earlier - q.points))) AS pays
                        FROM (SELECT u.lot_no, u.active_at AS since, 0 AS hold_no, u.expires_at, u.remaining - u.held AS points
                                FROM membership.lot u
                               WHERE u.member_id = l.member_id AND u.wallet_id = l.wallet_id
                              UNION ALL
                              SELECT u.lot_no, greatest(u.active_at, h.expires_at),
                                     CASE WHEN h.expires_at < u.active_at THEN 0 ELSE h.hold_no END, u.expires_at, p.points
                                FROM membership.hold h
                                JOIN membership.hold_lot p USING (member_id, hold_no)
                                JOIN membership.lot u USING (member_id, lot_no)
                               WHERE h.member_id = l.member_id AND u.wallet_id = l.wallet_id
                                 AND h.expires_at <= statement_timestamp()) q
                       WHERE q.since <= statement_timestamp() AND q.since < coalesce(q.expires_at, 'infinity')
                      WINDOW earlier AS (ORDER BY q.since, q.hold_no, q.expires_at, q.lot_no ROWS UNBOUNDED PRECEDING)) r
               WHERE r.lot_no = l.lot_no)
              ELSE 0 END AS pays) p;

CREATE OR REPLACE VIEW membership.member_lots AS
SELECT member_id, wallet.code AS wallet, lot_no, journal_no, origin, granted,
       CASE WHEN dead THEN held ELSE remaining END AS remaining, held,
       CASE WHEN dead OR pending THEN 0 ELSE remaining - held END AS available,
       CASE WHEN dead THEN 'held' WHEN pending THEN 'pending' ELSE 'active' END AS state,
       active_at, expires_at
  FROM membership._lot_now
  JOIN membership.wallet USING (wallet_id)
 WHERE CASE WHEN dead THEN held ELSE remaining END > 0;
COMMENT ON VIEW membership.member_lots IS 'Lots that count now: remaining, held and available points of each, and when it becomes active and dies.';
COMMENT ON COLUMN membership.member_lots.state IS 'active, pending (not yet spendable), or held (expired, alive only for its hold).';

CREATE OR REPLACE VIEW membership.member_balance AS
SELECT a.member_id, w.code AS wallet,
       n.alive - (a.debt - n.pays) AS balance,
       n.alive - (a.debt - n.pays) - n.held - n.pending AS available,
       n.pending, n.held, a.debt - n.pays AS debt, n.next_expiry, n.expiring_30d
  FROM membership.account a
  JOIN membership.wallet w USING (wallet_id)
 CROSS JOIN LATERAL (
       SELECT coalesce(sum(CASE WHEN l.dead THEN l.held ELSE l.remaining END), 0)::bigint AS alive,
              coalesce(sum(l.pays), 0)::bigint AS pays,
              coalesce(sum(l.held), 0)::bigint AS held,
              coalesce(sum(l.remaining) FILTER (WHERE l.pending AND NOT l.dead), 0)::bigint AS pending,
              min(l.expires_at) FILTER (WHERE NOT l.dead AND l.remaining > 0) AS next_expiry,
              coalesce(sum(l.remaining - l.held) FILTER (WHERE NOT l.dead
                  AND l.expires_at <= statement_timestamp() + interval '30 days'), 0)::bigint AS expiring_30d
         FROM membership._lot_now l
        WHERE l.member_id = a.member_id AND l.wallet_id = a.wallet_id) n;
COMMENT ON VIEW membership.member_balance IS 'Balances now, points. balance = alive lots - debt; available = balance - held - pending, nothing can be spent when it is not positive.';
COMMENT ON COLUMN membership.member_balance.next_expiry IS 'When the next points die; NULL = none will.';
COMMENT ON COLUMN membership.member_balance.expiring_30d IS 'Points that die within 30 days if not spent.';

-- Where midnight is skipped or comes twice, one of the two readings is a day too late.
CREATE OR REPLACE VIEW membership.expiring_soon AS
SELECT l.member_id, d.expires_on, sum(l.remaining - l.held)::bigint AS points
  FROM membership._lot_now l
 CROSS JOIN membership.program p
 CROSS JOIN LATERAL (
       SELECT least(((l.expires_at - interval '1 microsecond') AT TIME ZONE p.time_zone)::date,
                    ((l.expires_at AT TIME ZONE p.time_zone) - interval '1 microsecond')::date) AS expires_on) d
 WHERE l.wallet_id = 1 AND NOT l.dead AND l.remaining > l.held
   AND d.expires_on <= (statement_timestamp() AT TIME ZONE p.time_zone)::date + 90
 GROUP BY l.member_id, d.expires_on;
COMMENT ON VIEW membership.expiring_soon IS 'Points that die within 90 days if not spent, by the last programme day on which they are valid (即将过期); held points are not counted.';
COMMENT ON COLUMN membership.expiring_soon.expires_on IS 'The last programme day on which they are valid.';

CREATE OR REPLACE VIEW membership.member_statement AS
SELECT j.member_id, j.journal_no, e.entry_no, j.verb, coalesce(e.points, 0) AS points,
       coalesce(e.balance_after, j.balance) AS balance_after,
       j.merchant_id, m.name AS merchant, j.order_ref, j.amount,
       coalesce(j.reason, j.reason_code, j.purpose) AS reason, j.occurred_at, j.posted_at, j.last_entry_no, j.counterpart_id,
       j.refers_to
  FROM membership.journal j
  LEFT JOIN membership.ledger_entry e
         ON e.member_id = j.member_id AND e.journal_no = j.journal_no AND e.wallet_id = 1
  LEFT JOIN membership.merchant m ON m.merchant_id = j.merchant_id;
COMMENT ON VIEW membership.member_statement IS 'Points statement (积分明细): every entry, and every event that moved no points.';
COMMENT ON COLUMN membership.member_statement.counterpart_id IS 'Of a transfer: the other member.';
COMMENT ON COLUMN membership.member_statement.refers_to IS 'journal_no of the event that this one is about: of a refund, its sale.';
COMMENT ON COLUMN membership.member_statement.last_entry_no IS 'The member''s last entry after the event; places events without entries between those with.';

CREATE OR REPLACE VIEW membership.member_tier_progress AS
SELECT m.member_id, t.code AS tier, m.tier_since, m.tier_expires_at, m.tier_locked_until,
       s.basis AS window_basis, n.code AS next_tier,
       CASE WHEN n.code IS NOT NULL THEN greatest(n.qualify_basis - s.basis, 0) END AS basis_missing
  FROM membership.member m
  JOIN membership.tier t USING (tier_id)
 CROSS JOIN membership.program p
 CROSS JOIN LATERAL (
       SELECT coalesce(sum(d.basis), 0)::numeric(18, @digits@) AS basis
         FROM membership.activity_day d,
              LATERAL (SELECT (statement_timestamp() AT TIME ZONE p.time_zone)::date AS today) c
        WHERE d.member_id = m.member_id
          AND d.day > (c.today - make_interval(months => p.tier_window_months))::date
          AND d.day <= c.today) s
  LEFT JOIN LATERAL (
       SELECT x.code, x.qualify_basis
         FROM membership.tier x
        WHERE x.rank > t.rank AND x.qualify_basis IS NOT NULL
        ORDER BY x.rank
        LIMIT 1) n ON true;
COMMENT ON VIEW membership.member_tier_progress IS 'Tier of each member, basis spend (currency) in the tier window up to today, and what is missing to the next tier.';

CREATE OR REPLACE VIEW membership.merchant_unsettled AS
SELECT s.merchant_id, m.name AS merchant, s.kind, s.payer_party_id, s.payee_party_id,
       count(*) AS splits, sum(s.amount) AS amount, coalesce(sum(s.points), 0)::bigint AS points
  FROM membership.merchant_split s
  JOIN membership.merchant m USING (merchant_id)
 GROUP BY s.merchant_id, m.name, s.kind, s.payer_party_id, s.payee_party_id;
COMMENT ON VIEW membership.merchant_unsettled IS 'What is owed per merchant, kind, payer and payee and has not been settled: currency, and points issued or redeemed.';

-- Every rule met by a posted or approved purchase, with what it gave.
CREATE OR REPLACE VIEW membership.rule_effect AS
SELECT r.rule_id, r.code, r.name, r.status, count(DISTINCT (u.member_id, u.journal_no)) FILTER (WHERE u.journal_no IS NOT NULL) AS purchases, count(DISTINCT u.member_id) AS members,
       coalesce(sum(u.points), 0)::bigint AS points, coalesce(sum(u.growth), 0)::bigint AS growth,
       min(u.day) AS first_day, max(u.day) AS last_day
  FROM membership.earn_rule r
  LEFT JOIN (SELECT j.member_id, j.journal_no, j.day, o.rule_id, o.points, o.growth
               FROM membership.journal j
              CROSS JOIN LATERAL jsonb_to_recordset(j.rules -> 'rules')
                    o (rule_id integer, outcome text, points bigint, growth bigint)
              WHERE j.rules IS NOT NULL AND o.outcome = 'applied'
                AND (j.status IN ('posted', 'pending')
                     OR EXISTS (SELECT FROM membership.journal a
                                 WHERE a.member_id = j.member_id AND a.refers_to = j.journal_no
                                   AND a.verb = 'review' AND a.reason_code = 'approved'))) u USING (rule_id)
 GROUP BY r.rule_id;
COMMENT ON VIEW membership.rule_effect IS 'What each earning rule has given: purchases, members, points and growth value, over all of its versions.';

CREATE OR REPLACE VIEW membership.rule_error AS
SELECT f.rule_id, r.code, f.version, f.sqlstate, f.message, count(*) AS failures, max(j.posted_at) AS last_at
  FROM membership.rule_failure f
  JOIN membership.earn_rule r USING (rule_id)
  JOIN membership.journal j USING (member_id, journal_no)
 GROUP BY f.rule_id, r.code, f.version, f.sqlstate, f.message;
COMMENT ON VIEW membership.rule_error IS 'How often the condition of a rule failed on the data of a purchase, by version and error, and when last.';

-- A reversal takes back on the day of what it reverses.
CREATE OR REPLACE VIEW membership.redemption_daily AS
SELECT r.day, r.purpose, r.merchant_id, (count(*) - count(b.journal_no))::bigint AS redemptions,
       coalesce(sum(-r.points) FILTER (WHERE b.journal_no IS NULL), 0)::bigint AS points,
       coalesce(sum(r.amount) FILTER (WHERE b.journal_no IS NULL), 0)::numeric(18, @digits@) AS cash_value
  FROM membership.journal r
  LEFT JOIN membership.journal b ON b.member_id = r.member_id AND b.refers_to = r.journal_no AND b.verb = 'reversal'
 WHERE r.verb IN ('redemption', 'capture')
 GROUP BY r.day, r.purpose, r.merchant_id;
COMMENT ON VIEW membership.redemption_daily IS 'Redemptions and captured holds by day, purpose and merchant, less those reversed: number, points, worth (currency).';

CREATE OR REPLACE VIEW membership.refund_exception AS
SELECT c.merchant_id, c.order_ref, c.refund_ref,
       CASE WHEN c.excess IS NULL THEN 'parked' ELSE 'exceeds_sale' END AS status,
       (c.request ->> 'amount')::numeric(18, @digits@) AS amount, c.excess, c.parked_at, nullif(c.member_id, 0) AS member_id, c.journal_no
  FROM membership.refund_claim c
 WHERE c.parked_at IS NOT NULL AND (c.excess IS NULL OR c.clipped);
COMMENT ON VIEW membership.refund_exception IS 'Refunds that somebody should look at: parked ones wait for their sale; of those that exceed it, excess (currency) could not be applied. amount: as called, NULL = by lines, or all.';

CREATE OR REPLACE VIEW membership.clawback_loss AS
SELECT r.member_id, r.journal_no, j.merchant_id, j.order_ref, j.posted_at, r.loss AS points, r.cash_shortfall
  FROM membership.refund r
  JOIN membership.journal j ON j.member_id = r.member_id AND j.journal_no = r.journal_no
 WHERE r.loss > 0;
COMMENT ON VIEW membership.clawback_loss IS 'Points of returned goods that program.clawback left with the member, and what the till was told to keep for them (currency).';
-- The invariants, each a query that finds what breaks it; verify() reads them all in one snapshot.
-- Every branch groups or partitions by member_id, so that a filter on one member reaches the tables.

CREATE OR REPLACE VIEW membership._violation AS
-- lots against the entries that made them
SELECT coalesce(l.member_id, e.member_id) AS member_id, 'lot_remaining_is_sum_of_entries' AS invariant,
       format('wallet %s lot %s: %s', e.wallet_id, e.lot_no, coalesce(e.points, 0)) AS expected,
       format('wallet %s lot %s: %s', l.wallet_id, l.lot_no, coalesce(l.remaining, 0)) AS found
  FROM (SELECT member_id, wallet_id, lot_no, sum(points) AS points
          FROM membership.ledger_entry WHERE lot_no <> 0
         GROUP BY member_id, wallet_id, lot_no) e
  FULL JOIN membership.lot l ON l.member_id = e.member_id AND l.wallet_id = e.wallet_id AND l.lot_no = e.lot_no
 WHERE coalesce(e.points, 0) <> coalesce(l.remaining, 0)
UNION ALL
SELECT l.member_id, 'lot_equals_opening_entry',
       format('lot %s: granted %s, journal_no %s, active_at %s, expires_at %s, origin %s', e.lot_no, e.points, e.journal_no, e.active_at, e.expires_at, e.origin),
       format('lot %s: granted %s, journal_no %s, active_at %s, expires_at %s, origin %s', l.lot_no, l.granted, l.journal_no, l.active_at, l.expires_at, l.origin)
  FROM membership.lot l
  LEFT JOIN membership.ledger_entry e
         ON e.member_id = l.member_id AND e.wallet_id = l.wallet_id AND e.entry_no = l.lot_no
 WHERE (l.lot_no, l.granted, l.journal_no, l.active_at, l.expires_at, l.origin)
       IS DISTINCT FROM (e.lot_no, e.points, e.journal_no, e.active_at, e.expires_at, e.origin)
UNION ALL
SELECT l.member_id, 'lot_bounds', '0 <= held <= remaining <= granted, remaining > 0',
       format('lot %s: held %s, remaining %s, granted %s', l.lot_no, l.held, l.remaining, l.granted)
  FROM membership.lot l
 WHERE NOT (0 <= l.held AND l.held <= l.remaining AND l.remaining <= l.granted AND l.remaining > 0)
UNION ALL
SELECT e.member_id, 'entry_is_whole', 'points not 0; an opening entry, and only it, has active_at and origin',
       format('entry %s: %s points, active_at %s, origin %s', e.entry_no, e.points, e.active_at, e.origin)
  FROM membership.ledger_entry e
 WHERE e.points = 0 OR (e.lot_no = e.entry_no) <> (e.active_at IS NOT NULL AND e.origin IS NOT NULL)
UNION ALL
SELECT e.member_id, 'nothing_expired_was_spent',
       format('entry %s on lot %s before %s', e.entry_no, e.lot_no, o.expires_at), format('posted at %s', j.posted_at)
  FROM membership.ledger_entry e
  JOIN membership.journal j ON j.member_id = e.member_id AND j.journal_no = e.journal_no
  JOIN membership.ledger_entry o ON o.member_id = e.member_id AND o.wallet_id = e.wallet_id AND o.entry_no = e.lot_no
 WHERE e.points < 0 AND e.lot_no <> e.entry_no
   AND CASE j.verb WHEN 'expiry' THEN j.posted_at < o.expires_at OR o.expires_at IS NULL
                   -- a lot pays debt at the moment it becomes active, however late that is noticed
                   WHEN 'debt_payment' THEN j.occurred_at >= o.expires_at
                   -- what was held while it lived can be captured
                   WHEN 'capture' THEN EXISTS (SELECT FROM membership.journal h WHERE h.member_id = j.member_id
                                                  AND h.journal_no = j.refers_to AND h.posted_at >= o.expires_at)
                   -- a correction's award pays first what the old one had given in time
                   WHEN 'accrual' THEN j.posted_at >= o.expires_at AND o.journal_no <> j.journal_no
                   ELSE j.posted_at >= o.expires_at END
UNION ALL
SELECT e.member_id, 'extension_moves_points_to_a_later_end',
       format('journal %s entry %s: %s points of a lot active at %s that dies before %s', e.journal_no, e.entry_no, e.points, e.active_at, e.expires_at),
       format('lot %s: %s points, active at %s, dies at %s', t.lot_no, -t.points, o.active_at, o.expires_at)
  FROM membership.journal j
  JOIN membership.ledger_entry e ON e.member_id = j.member_id AND e.journal_no = j.journal_no AND e.lot_no = e.entry_no
  LEFT JOIN membership.ledger_entry t
         ON t.member_id = e.member_id AND t.wallet_id = e.wallet_id AND t.entry_no = e.entry_no - 1 AND t.journal_no = e.journal_no
  LEFT JOIN membership.ledger_entry o ON o.member_id = t.member_id AND o.wallet_id = t.wallet_id AND o.entry_no = t.lot_no
 WHERE j.verb = 'extension'
   AND ((t.points, o.active_at, o.origin) IS DISTINCT FROM (-e.points, e.active_at, e.origin) OR j.points <> 0
        OR e.moved_from IS DISTINCT FROM t.lot_no
        OR NOT coalesce(o.expires_at < e.expires_at, false))

-- accounts against lots and entries
UNION ALL
SELECT a.member_id, 'balance_is_sum_of_entries', format('wallet %s: %s', a.wallet_id, coalesce(e.points, 0)),
       format('wallet %s: %s', a.wallet_id, a.balance)
  FROM membership.account a
  LEFT JOIN (SELECT member_id, wallet_id, sum(points) AS points FROM membership.ledger_entry GROUP BY member_id, wallet_id) e
         ON e.member_id = a.member_id AND e.wallet_id = a.wallet_id
 WHERE a.balance <> coalesce(e.points, 0)
UNION ALL
SELECT a.member_id, 'debt_is_sum_of_entries_on_lot_0', coalesce(-e.points, 0)::text, a.debt::text
  FROM membership.account a
  LEFT JOIN (SELECT member_id, wallet_id, sum(points) AS points FROM membership.ledger_entry WHERE lot_no = 0
              GROUP BY member_id, wallet_id) e
         ON e.member_id = a.member_id AND e.wallet_id = a.wallet_id
 WHERE a.debt <> coalesce(-e.points, 0)
UNION ALL
SELECT a.member_id, 'account_held_is_sum_of_lots', coalesce(l.held, 0)::text, a.held::text
  FROM membership.account a
  LEFT JOIN (SELECT member_id, wallet_id, sum(held) AS held FROM membership.lot GROUP BY member_id, wallet_id) l
         ON l.member_id = a.member_id AND l.wallet_id = a.wallet_id
 WHERE a.held <> coalesce(l.held, 0)
UNION ALL
SELECT a.member_id, 'held_and_debt_not_negative', '0 or more', format('held %s, debt %s', a.held, a.debt)
  FROM membership.account a
 WHERE a.held < 0 OR a.debt < 0
UNION ALL
SELECT l.member_id, 'lot_held_is_sum_of_holds', format('lot %s: %s', l.lot_no, coalesce(p.points, 0)), format('lot %s: %s', l.lot_no, l.held)
  FROM membership.lot l
  LEFT JOIN (SELECT member_id, lot_no, sum(points) AS points FROM membership.hold_lot GROUP BY member_id, lot_no) p
         ON p.member_id = l.member_id AND p.lot_no = l.lot_no
 WHERE l.held <> coalesce(p.points, 0)
UNION ALL
SELECT h.member_id, 'hold_is_sum_of_its_lots', format('hold %s: %s points of an authorization', h.hold_no, h.points),
       format('%s points, %s', coalesce(p.points, 0), coalesce(j.verb, 'no journal row'))
  FROM membership.hold h
  LEFT JOIN (SELECT member_id, hold_no, sum(points) AS points FROM membership.hold_lot GROUP BY member_id, hold_no) p
         ON p.member_id = h.member_id AND p.hold_no = h.hold_no
  LEFT JOIN membership.journal j ON j.member_id = h.member_id AND j.journal_no = h.hold_no
 WHERE h.points <> coalesce(p.points, 0) OR j.verb IS DISTINCT FROM 'authorization'
UNION ALL
SELECT a.member_id, 'order_spends_are_counted', coalesce(s.n, 0)::text, a.order_spends::text
  FROM membership.account a
  LEFT JOIN (SELECT member_id, count(*) AS n
               FROM (SELECT member_id FROM membership.order_spend
                     UNION ALL SELECT member_id FROM membership.hold WHERE order_ref IS NOT NULL) x
              GROUP BY member_id) s ON s.member_id = a.member_id
 WHERE a.order_spends <> CASE a.wallet_id WHEN 1 THEN coalesce(s.n, 0) ELSE 0 END
UNION ALL
SELECT s.member_id, 'order_spend_has_its_redemption', format('journal %s: a redemption or capture for the order', s.journal_no),
       coalesce(j.verb, 'no journal row')
  FROM membership.order_spend s
  LEFT JOIN membership.journal j ON j.member_id = s.member_id AND j.journal_no = s.journal_no
 WHERE j.verb IS NULL OR j.verb NOT IN ('redemption', 'capture') OR (j.merchant_id, j.order_ref) IS DISTINCT FROM (s.merchant_id, s.order_ref)
UNION ALL
SELECT a.member_id, 'next_expiry_not_after_any_lot', l.expires_at::text, coalesce(a.next_expiry::text, 'never')
  FROM membership.account a
  JOIN (SELECT member_id, wallet_id, min(expires_at) AS expires_at
          FROM (SELECT member_id, wallet_id, expires_at FROM membership.lot
                UNION ALL SELECT member_id, 1::smallint, expires_at FROM membership.hold) x
         GROUP BY member_id, wallet_id) l
         ON l.member_id = a.member_id AND l.wallet_id = a.wallet_id
 WHERE coalesce(a.next_expiry, 'infinity') > l.expires_at

-- numbering and chains
UNION ALL
SELECT a.member_id, 'entry_numbers_are_gapless', format('wallet %s: 1 to %s', a.wallet_id, a.next_entry_no - 1),
       format('%s entries from %s to %s', coalesce(e.n, 0), e.first, e.last)
  FROM membership.account a
  LEFT JOIN (SELECT member_id, wallet_id, count(*) AS n, min(entry_no) AS first, max(entry_no) AS last
               FROM membership.ledger_entry GROUP BY member_id, wallet_id) e
         ON e.member_id = a.member_id AND e.wallet_id = a.wallet_id
 WHERE coalesce(e.n, 0) <> a.next_entry_no - 1 OR e.first <> 1 OR e.last <> a.next_entry_no - 1
UNION ALL
SELECT a.member_id, 'journal_numbers_are_gapless', format('1 to %s', a.next_journal_no - 1),
       format('%s rows from %s to %s', coalesce(j.n, 0), j.first, j.last)
  FROM membership.account a
  LEFT JOIN (SELECT member_id, count(*) AS n, min(journal_no) AS first, max(journal_no) AS last
               FROM membership.journal GROUP BY member_id) j ON j.member_id = a.member_id
 WHERE a.wallet_id = 1
   AND (coalesce(j.n, 0) <> a.next_journal_no - 1 OR j.first <> 1 OR j.last <> a.next_journal_no - 1)
UNION ALL
SELECT member_id, 'balance_after_chains', format('wallet %s entry %s: %s', wallet_id, entry_no, before + points),
       format('wallet %s entry %s: %s', wallet_id, entry_no, balance_after)
  FROM (SELECT member_id, wallet_id, entry_no, points, balance_after,
               lag(balance_after, 1, 0::bigint) OVER (PARTITION BY member_id, wallet_id ORDER BY entry_no) AS before
          FROM membership.ledger_entry) c
 WHERE balance_after <> before + points
UNION ALL
SELECT member_id, CASE WHEN balance <> balance_before + points THEN 'journal_balance_chains' ELSE 'posted_at_never_goes_back' END,
       format('journal %s: balance %s, posted at or after %s', journal_no, balance_before + points, posted_before),
       format('balance %s, posted at %s', balance, posted_at)
  FROM (SELECT member_id, journal_no, posted_at, points, balance,
               lag(posted_at) OVER history AS posted_before, lag(balance, 1, 0::bigint) OVER history AS balance_before
          FROM membership.journal
        WINDOW history AS (PARTITION BY member_id ORDER BY journal_no)) c
 WHERE balance <> balance_before + points OR posted_at < posted_before
UNION ALL
SELECT a.member_id, 'last_posted_at_is_that_of_the_journal', j.posted_at::text, a.last_posted_at::text
  FROM membership.account a
  JOIN (SELECT member_id, max(posted_at) AS posted_at FROM membership.journal GROUP BY member_id) j
         ON j.member_id = a.member_id
 WHERE a.wallet_id = 1 AND a.last_posted_at <> j.posted_at

-- the journal against its entries
UNION ALL
SELECT coalesce(j.member_id, e.member_id), 'journal_points_are_sum_of_entries',
       format('journal %s: %s points, last entry %s', coalesce(j.journal_no, e.journal_no), coalesce(e.points, 0),
              coalesce(e.last_entry_no, j.last_entry_no)),
       CASE WHEN j.journal_no IS NULL THEN 'no journal row'
            ELSE format('journal %s: %s points, last entry %s', j.journal_no, j.points, j.last_entry_no) END
  FROM membership.journal j
  FULL JOIN (SELECT member_id, journal_no, sum(points) AS points, max(entry_no) AS last_entry_no
               FROM membership.ledger_entry WHERE wallet_id = 1
              GROUP BY member_id, journal_no) e ON j.member_id = e.member_id AND j.journal_no = e.journal_no
 WHERE j.journal_no IS NULL OR j.points <> coalesce(e.points, 0) OR j.last_entry_no <> e.last_entry_no
UNION ALL
SELECT j.member_id, 'journal_row_is_whole', 'a known verb and status, and every fact of an accrual',
       format('journal %s: %s, %s', j.journal_no, j.verb, j.status)
  FROM membership.journal j
 WHERE j.verb NOT IN ('enrolment', 'accrual', 'review', 'grant', 'opening', 'adjustment', 'expiry', 'debt_payment', 'extension',
                      'tier_change', 'status_change', 'identity_change', 'redemption', 'authorization', 'capture', 'void', 'timeout', 'reversal',
                      'transfer_out', 'transfer_in', 'refund', 'correction', 'reassignment')
    OR j.status NOT IN ('posted', 'pending', 'review', 'rejected', 'imported')
    OR (j.verb = 'accrual' AND num_nulls(j.merchant_id, j.order_ref, j.channel, j.amount, j.basis, j.merchant_collected,
        j.status, j.points_wanted, j.base_points, j.base_rate, j.rounding, j.tier_id, j.tier_multiplier, j.tier_after,
        j.tier_changed) > 0)
UNION ALL
SELECT j.member_id, 'line_points_are_points_wanted', format('journal %s: %s', j.journal_no, j.points_wanted), l.points::text
  FROM membership.journal j
 CROSS JOIN LATERAL (SELECT sum((x.value ->> 'points')::bigint) AS points, sum((x.value ->> 'amount')::numeric) AS amount,
                            sum((x.value ->> 'basis')::numeric) AS basis
                       FROM jsonb_array_elements(j.lines) x) l
 WHERE j.verb = 'accrual' AND j.lines IS NOT NULL
   AND (l.points, l.amount, l.basis) IS DISTINCT FROM (j.points_wanted, j.amount, j.basis)
UNION ALL
SELECT j.member_id, 'rules_explain_the_award',
       format('journal %s: at most %s points, growth %s, by known versions', j.journal_no, j.points_wanted, coalesce(j.growth, 0)),
       format('%s points, growth %s, %s unknown versions', o.points, o.growth, o.unknown)
  FROM membership.journal j
 CROSS JOIN LATERAL (SELECT coalesce(sum(x.points), 0) AS points, coalesce(sum(x.growth), 0) AS growth,
                            count(*) FILTER (WHERE v.rule_id IS NULL) AS unknown
                       FROM jsonb_to_recordset(j.rules -> 'rules')
                            x (rule_id integer, version integer, outcome text, points bigint, growth bigint)
                       LEFT JOIN membership.rule_version v ON v.rule_id = x.rule_id AND v.version = x.version
                      WHERE x.outcome = 'applied') o
 WHERE j.rules IS NOT NULL
   AND (o.points > j.points_wanted OR o.unknown > 0
        OR (j.status IN ('posted', 'pending') AND o.growth <> coalesce(j.growth, 0)))
UNION ALL
SELECT f.member_id, 'rule_failure_has_its_purchase', format('journal %s: an accrual', f.journal_no), coalesce(j.verb, 'no journal row')
  FROM membership.rule_failure f
  LEFT JOIN membership.journal j ON j.member_id = f.member_id AND j.journal_no = f.journal_no
 WHERE j.verb IS DISTINCT FROM 'accrual'

-- keys and the rows they stand for
UNION ALL
SELECT coalesce(r.member_id, j.member_id), 'receipt_and_purchase_belong_together',
       format('merchant %s order %s: journal %s', coalesce(r.merchant_id, j.merchant_id), coalesce(r.order_ref, j.order_ref), r.journal_no),
       format('merchant %s order %s: journal %s', j.merchant_id, j.order_ref, j.journal_no)
  FROM (SELECT * FROM membership.receipt WHERE member_id > 0) r
  FULL JOIN (SELECT a.member_id, a.journal_no, a.merchant_id, a.order_ref FROM membership.journal a
              WHERE a.verb = 'accrual'
                -- one that was corrected or reassigned has handed its receipt on
                AND NOT EXISTS (SELECT FROM membership.refund t
                                  JOIN membership.journal e ON e.member_id = t.member_id AND e.journal_no = t.journal_no
                                 WHERE t.member_id = a.member_id AND t.purchase_no = a.journal_no AND e.verb <> 'refund')) j
         ON r.member_id = j.member_id AND r.journal_no = j.journal_no
 WHERE r.member_id IS NULL OR j.member_id IS NULL OR (r.merchant_id, r.order_ref) IS DISTINCT FROM (j.merchant_id, j.order_ref)
UNION ALL
SELECT r.member_id, 'place_of_a_sale_has_its_refund', format('merchant %s order %s: a parked refund', r.merchant_id, r.order_ref), 'none'
  FROM membership.receipt r
 WHERE r.member_id = 0
   AND NOT EXISTS (SELECT FROM membership.refund_claim c WHERE c.merchant_id = r.merchant_id AND c.order_ref = r.order_ref
                                                           AND c.parked_at IS NOT NULL AND c.excess IS NULL)
UNION ALL
SELECT r.member_id, 'nothing_is_parked_after_the_sale', format('merchant %s order %s refund %s: applied', r.merchant_id, r.order_ref, c.refund_ref), 'parked'
  FROM membership.refund_claim c
  JOIN membership.receipt r USING (merchant_id, order_ref)
 WHERE r.member_id > 0 AND c.journal_no IS NULL AND c.excess IS NULL
UNION ALL
SELECT r.member_id, 'receipt_ref_has_its_receipt', format('merchant %s order %s', f.merchant_id, f.order_ref), 'no receipt'
  FROM membership.receipt_ref f
  LEFT JOIN membership.receipt r ON r.merchant_id = f.merchant_id AND r.order_ref = f.order_ref
 WHERE r.member_id IS NULL
UNION ALL
SELECT k.member_id, 'source_key_has_its_journal_row', format('%s %s: journal %s', k.verb, k.ref, k.journal_no),
       coalesce(j.verb, 'no journal row')
  FROM membership.source_key k
  LEFT JOIN membership.journal j ON j.member_id = k.member_id AND j.journal_no = k.journal_no
 WHERE j.verb IS DISTINCT FROM k.verb

-- purchases against activity and splits
UNION ALL
SELECT coalesce(a.member_id, j.member_id), 'activity_is_sum_of_journal',
       format('%s: %s purchases, basis %s, %s points, growth %s', coalesce(a.day, j.day), coalesce(j.purchases, 0), coalesce(j.basis, 0), coalesce(j.points, 0), coalesce(j.growth, 0)),
       format('%s: %s purchases, basis %s, %s points, growth %s', coalesce(a.day, j.day), coalesce(a.purchases, 0), coalesce(a.basis, 0), coalesce(a.points_earned, 0), coalesce(a.growth, 0))
  FROM membership.activity_day a
  FULL JOIN (SELECT x.member_id, x.day, sum(x.purchases) AS purchases, sum(x.basis) AS basis, sum(x.points) AS points,
                    sum(x.growth) AS growth
               FROM (SELECT p.member_id, p.day, (p.verb = 'accrual')::integer AS purchases,
                            CASE p.verb WHEN 'accrual' THEN p.basis ELSE 0 END AS basis,
                            CASE p.status WHEN 'imported' THEN p.points_wanted ELSE p.points END AS points,
                            coalesce(p.growth, 0) AS growth
                       FROM membership.journal p
                      WHERE p.verb IN ('accrual', 'review')
                     UNION ALL
                     SELECT p.member_id, p.day, -r.complete::integer, -e.basis, -(r.points_clawed + r.loss + r.points_expired),
                            coalesce(e.growth, 0)
                       FROM membership.refund r
                       JOIN membership.journal e ON e.member_id = r.member_id AND e.journal_no = r.journal_no
                       JOIN membership.journal p ON p.member_id = r.member_id AND p.journal_no = r.purchase_no) x
              GROUP BY x.member_id, x.day) j ON a.member_id = j.member_id AND a.day = j.day
 WHERE (coalesce(a.purchases, 0), coalesce(a.basis, 0), coalesce(a.points_earned, 0), coalesce(a.growth, 0))
       IS DISTINCT FROM (coalesce(j.purchases, 0), coalesce(j.basis, 0), coalesce(j.points, 0), coalesce(j.growth, 0))
UNION ALL
SELECT j.member_id, 'splits_balance_to_the_purchase',
       format('journal %s: net %s', j.journal_no, j.amount),
       format('journal %s: sale %s, collected by merchants %s, points there worth %s', j.journal_no, coalesce(s.amount, 0),
              j.merchant_collected, coalesce(j.tenders ->> 'value_at_merchants', '0'))
  FROM membership.journal j
  LEFT JOIN (SELECT member_id, journal_no, sum(amount) AS amount FROM membership.merchant_split
              WHERE kind = 'sale' GROUP BY member_id, journal_no) s
         ON s.member_id = j.member_id AND s.journal_no = j.journal_no
 WHERE j.verb = 'accrual'
   AND j.amount <> coalesce(s.amount, 0) + j.merchant_collected + coalesce((j.tenders ->> 'value_at_merchants')::numeric, 0)
UNION ALL
SELECT s.member_id, 'split_has_its_purchase', format('a known kind, of an accrual, review, redemption, capture, reversal or refund, journal %s', s.journal_no),
       format('%s of %s', s.kind, coalesce(j.verb, 'no journal row'))
  FROM membership.merchant_split s
  LEFT JOIN membership.journal j ON j.member_id = s.member_id AND j.journal_no = s.journal_no
 WHERE j.verb IS NULL OR j.verb NOT IN ('accrual', 'review', 'redemption', 'capture', 'reversal', 'refund', 'correction', 'reassignment')
    OR s.kind NOT IN ('sale', 'commission', 'points_issued', 'points_redeemed', 'points_contribution')
UNION ALL
SELECT s.member_id, 'split_numbers_are_gapless', format('journal %s: 1 to %s', s.journal_no, s.n),
       format('from %s to %s', s.first, s.last)
  FROM (SELECT member_id, journal_no, count(*) AS n, min(split_no) AS first, max(split_no) AS last
          FROM membership.merchant_split GROUP BY member_id, journal_no) s
 WHERE s.first <> 1 OR s.last <> s.n
UNION ALL
SELECT s.member_id, 'points_issued_not_more_than_awarded', format('journal %s: at most %s', s.journal_no, j.points), s.points::text
  FROM (SELECT member_id, journal_no, sum(points) AS points FROM membership.merchant_split
         WHERE kind = 'points_issued' GROUP BY member_id, journal_no) s
  JOIN membership.journal j ON j.member_id = s.member_id AND j.journal_no = s.journal_no
 WHERE s.points > j.points AND j.verb IN ('accrual', 'review')
UNION ALL
SELECT j.member_id, 'tenders_are_what_was_redeemed', format('journal %s: %s points worth %s', j.journal_no, t.points, t.value),
       format('%s points worth %s', j.tenders ->> 'points', j.tenders ->> 'value')
  FROM membership.journal j
 CROSS JOIN LATERAL (SELECT coalesce(sum(-r.points), 0) AS points, coalesce(sum(r.amount), 0) AS value
                       FROM jsonb_array_elements_text(j.tenders -> 'spent') n
                       JOIN membership.journal r ON r.member_id = j.member_id AND r.journal_no = n::bigint
                        AND r.verb IN ('redemption', 'capture')) t
 WHERE j.tenders IS NOT NULL
   AND ((j.tenders ->> 'points')::numeric, (j.tenders ->> 'value')::numeric) IS DISTINCT FROM (t.points, t.value)
UNION ALL
SELECT coalesce(a.member_id, j.member_id), 'points_redeemed_of_a_day', format('%s: %s', coalesce(a.day, j.day), coalesce(j.points, 0)),
       format('%s: %s', coalesce(a.day, j.day), coalesce(a.points_redeemed, 0))
  FROM membership.activity_day a
  FULL JOIN (SELECT member_id, day, sum(points) AS points
               FROM (SELECT r.member_id, r.day, -r.points AS points FROM membership.journal r WHERE r.verb IN ('redemption', 'capture')
                     UNION ALL
                     SELECT r.member_id, r.day, r.points FROM membership.journal b
                       JOIN membership.journal r ON r.member_id = b.member_id AND r.journal_no = b.refers_to
                      WHERE b.verb = 'reversal'
                     UNION ALL
                     -- refunds give the last taken back first
                     SELECT w.member_id, w.day, -least(w.points, greatest(0, w.given_back - (w.so_far - w.points)))
                       FROM (SELECT p.member_id, r.day, -r.points AS points, g.points AS given_back,
                                    sum(-r.points) OVER (PARTITION BY p.member_id, p.journal_no ORDER BY r.journal_no DESC) AS so_far
                               FROM membership.journal p
                               JOIN (SELECT member_id, purchase_no, sum(points_restored + points_forfeited) AS points
                                       FROM membership.refund GROUP BY member_id, purchase_no) g
                                      ON g.member_id = p.member_id AND g.purchase_no = p.journal_no
                              CROSS JOIN jsonb_array_elements_text(p.tenders -> 'spent') n
                               JOIN membership.journal r ON r.member_id = p.member_id AND r.journal_no = n::bigint) w) x
              GROUP BY member_id, day) j ON j.member_id = a.member_id AND j.day = a.day
 WHERE coalesce(a.points_redeemed, 0) <> coalesce(j.points, 0)
UNION ALL
SELECT j.member_id, 'transfer_has_its_counterpart', format('journal %s: %s points at member %s', j.journal_no, -j.points, j.counterpart_id), 'none'
  FROM membership.journal j
 WHERE j.verb IN ('transfer_out', 'transfer_in')
   AND NOT EXISTS (SELECT FROM membership.journal c
                    WHERE c.member_id = j.counterpart_id AND c.counterpart_id = j.member_id AND c.points = -j.points
                      AND c.posted_at = j.posted_at AND c.verb = CASE j.verb WHEN 'transfer_in' THEN 'transfer_out' ELSE 'transfer_in' END)

-- refunds against their sales
UNION ALL
SELECT r.member_id, 'refund_is_whole',
       format('journal %s: a refund of journal %s, amount %s, %s points', r.journal_no, r.purchase_no, r.amount,
              r.points_restored + r.points_forfeited - r.points_clawed),
       format('%s of journal %s, amount %s, %s points', coalesce(e.verb, 'no journal row'), e.refers_to, e.amount, e.points)
  FROM membership.refund r
  LEFT JOIN membership.journal e ON e.member_id = r.member_id AND e.journal_no = r.journal_no
 WHERE (e.refers_to, e.amount, e.points)
       IS DISTINCT FROM (r.purchase_no, r.amount, r.points_restored + r.points_forfeited - r.points_clawed)
    OR e.verb NOT IN ('refund', 'correction', 'reassignment') OR r.cash_amount > r.amount OR r.cash_shortfall > r.cash_amount
    OR r.debt > r.points_clawed OR least(r.amount, r.cash_amount, r.points_clawed, r.points_restored, r.points_forfeited,
                                         r.points_expired, r.loss, r.debt, r.cash_shortfall) < 0
UNION ALL
SELECT e.member_id, 'refund_has_its_row', format('journal %s: a row of refund', e.journal_no), 'none'
  FROM membership.journal e
 WHERE e.verb IN ('refund', 'correction', 'reassignment')
   AND NOT EXISTS (SELECT FROM membership.refund r
                    WHERE r.member_id = e.member_id AND r.purchase_no = e.refers_to AND r.journal_no = e.journal_no)
UNION ALL
SELECT p.member_id, 'refunds_not_more_than_the_sale',
       format('journal %s: at most %s, %s points given back, %s taken back', p.journal_no, p.amount,
              coalesce(p.tenders ->> 'points', '0'), g.points),
       format('%s, %s points given back, %s taken back', r.amount, r.given_back, r.taken)
  FROM (SELECT member_id, purchase_no, sum(amount) AS amount, sum(points_restored + points_forfeited) AS given_back,
               sum(points_clawed + loss + points_expired) AS taken, bool_or(complete) AS complete,
               count(*) FILTER (WHERE complete) AS ends
          FROM membership.refund GROUP BY member_id, purchase_no) r
  JOIN membership.journal p ON p.member_id = r.member_id AND p.journal_no = r.purchase_no
 CROSS JOIN LATERAL (SELECT CASE p.status WHEN 'imported' THEN p.points_wanted ELSE p.points END
                            + coalesce((SELECT v.points FROM membership.source_key k
                                          JOIN membership.journal v USING (member_id, journal_no)
                                         WHERE k.member_id = p.member_id AND k.verb = 'review' AND k.ref = p.journal_no::text), 0) AS points) g
 WHERE r.amount > p.amount OR r.given_back > coalesce((p.tenders ->> 'points')::bigint, 0) OR r.taken > g.points
    OR r.ends > 1 OR (r.complete AND r.amount <> p.amount)
UNION ALL
SELECT r.member_id, 'refund_lines_add_up',
       format('journal %s: %s, %s points taken back', r.purchase_no, r.amount, r.taken), format('%s, %s points', l.amount, l.taken)
  FROM (SELECT member_id, purchase_no, sum(amount) AS amount, sum(points_clawed + loss + points_expired) AS taken,
               max(refund_no) AS last, count(*) AS n FROM membership.refund GROUP BY member_id, purchase_no) r
  JOIN membership.refund f ON f.member_id = r.member_id AND f.purchase_no = r.purchase_no AND f.refund_no = r.last
 CROSS JOIN LATERAL (SELECT sum((x.value ->> 'amount')::numeric) AS amount,
                            sum((x.value ->> 'clawed')::bigint - (x.value ->> 'withheld')::bigint) AS taken
                       FROM jsonb_array_elements(f.lines) x) l
 WHERE (r.amount, r.taken) IS DISTINCT FROM (l.amount, l.taken) OR r.last <> r.n
UNION ALL
SELECT s.member_id, 'splits_are_not_reversed_twice',
       format('journal %s merchant %s %s: 0 to %s', s.purchase_no, s.merchant_id, s.kind, s.owed), s.reversed::text
  FROM (SELECT x.member_id, x.purchase_no, x.merchant_id, x.kind, sum(x.owed) AS owed, sum(x.reversed) AS reversed,
               bool_or(x.complete) AS complete
          FROM (SELECT r.member_id, r.purchase_no, t.merchant_id, t.kind, 0::numeric AS owed,
                       -- a re-evaluation may make a funder owe more: a row the way of the sale's
                       CASE WHEN EXISTS (SELECT FROM membership.merchant_split o
                                          WHERE o.member_id = t.member_id AND o.merchant_id = t.merchant_id AND o.kind = t.kind
                                            AND o.journal_no = r.purchase_no AND o.payer_party_id = t.payer_party_id
                                            AND o.payee_party_id = t.payee_party_id AND t.payer_party_id <> t.payee_party_id)
                            THEN -t.amount ELSE t.amount END AS reversed, r.complete
                  FROM membership.refund r
                  JOIN membership.merchant_split t ON t.member_id = r.member_id AND t.journal_no = r.journal_no
                UNION ALL
                SELECT r.member_id, r.purchase_no, t.merchant_id, t.kind, t.amount, 0, r.complete
                  FROM (SELECT member_id, purchase_no, bool_or(complete) AS complete FROM membership.refund
                         GROUP BY member_id, purchase_no) r
                  JOIN membership.merchant_split t
                         ON t.member_id = r.member_id
                        AND (t.journal_no = r.purchase_no
                             OR t.journal_no = (SELECT k.journal_no FROM membership.source_key k
                                                 WHERE k.member_id = r.member_id AND k.verb = 'review'
                                                   AND k.ref = r.purchase_no::text))) x
         GROUP BY x.member_id, x.purchase_no, x.merchant_id, x.kind) s
 WHERE s.reversed NOT BETWEEN 0 AND s.owed OR (s.complete AND s.kind = 'sale' AND s.reversed <> s.owed)
UNION ALL
SELECT coalesce(a.member_id, r.member_id), 'refunded_of_and_on_a_day',
       format('%s: %s of it, %s on it', coalesce(a.day, r.day), coalesce(r.of_day, 0), coalesce(r.on_day, 0)),
       format('%s: %s of it, %s on it', coalesce(a.day, r.day), coalesce(a.refunded_of_day, 0), coalesce(a.refunded_on_day, 0))
  FROM membership.activity_day a
  FULL JOIN (SELECT x.member_id, x.day, sum(x.of_day) AS of_day, sum(x.on_day) AS on_day
               FROM (SELECT e.member_id, p.day, e.amount AS of_day, 0 AS on_day FROM membership.journal e
                       JOIN membership.journal p ON p.member_id = e.member_id AND p.journal_no = e.refers_to
                      WHERE e.verb = 'refund'
                     UNION ALL
                     SELECT e.member_id, e.day, 0, e.amount FROM membership.journal e WHERE e.verb = 'refund') x
              GROUP BY x.member_id, x.day) r ON r.member_id = a.member_id AND r.day = a.day
 WHERE (coalesce(a.refunded_of_day, 0), coalesce(a.refunded_on_day, 0)) IS DISTINCT FROM (coalesce(r.of_day, 0), coalesce(r.on_day, 0))
UNION ALL
SELECT c.member_id, 'refund_claim_has_its_refund', format('merchant %s order %s refund %s: journal %s', c.merchant_id, c.order_ref, c.refund_ref, c.journal_no),
       'no such refund'
  FROM membership.refund_claim c
 WHERE c.journal_no IS NOT NULL
   AND NOT EXISTS (SELECT FROM membership.journal e
                     JOIN membership.refund r ON r.member_id = e.member_id AND r.purchase_no = e.refers_to AND r.journal_no = e.journal_no
                    WHERE e.member_id = c.member_id AND e.journal_no = c.journal_no AND r.refund_ref = c.refund_ref)
UNION ALL
SELECT r.member_id, 'refund_has_its_claim', format('journal %s: refund %s claimed', r.journal_no, r.refund_ref), 'no claim'
  FROM membership.refund r
  JOIN membership.journal e ON e.member_id = r.member_id AND e.journal_no = r.journal_no
 WHERE r.refund_ref IS NOT NULL
   AND NOT EXISTS (SELECT FROM membership.refund_claim c
                    WHERE c.merchant_id = e.merchant_id AND c.order_ref = e.order_ref AND c.refund_ref = r.refund_ref
                      AND c.member_id = r.member_id AND c.journal_no = r.journal_no)
UNION ALL
SELECT x.member_id, 'exchanges_not_more_than_returned', format('journal %s: at most %s', x.purchase_no, coalesce(r.amount, 0)), x.amount::text
  FROM (SELECT member_id, purchase_no, sum(amount) AS amount FROM membership.exchange GROUP BY member_id, purchase_no) x
  LEFT JOIN (SELECT member_id, purchase_no, sum(amount) AS amount FROM membership.refund GROUP BY member_id, purchase_no) r
         ON r.member_id = x.member_id AND r.purchase_no = x.purchase_no
 WHERE x.amount > coalesce(r.amount, 0)

-- members, tiers and configuration
UNION ALL
SELECT coalesce(m.member_id, a.member_id), 'member_and_points_account_belong_together',
       'one of each', CASE WHEN m.member_id IS NULL THEN 'no member' ELSE 'no account' END
  FROM membership.member m
  FULL JOIN (SELECT member_id FROM membership.account WHERE wallet_id = 1) a ON m.member_id = a.member_id
 WHERE m.member_id IS NULL OR a.member_id IS NULL
UNION ALL
SELECT x.member_id, 'rows_belong_to_a_member', 'a member', x.what
  FROM (SELECT member_id, 'member_identity' AS what FROM membership.member_identity
        UNION SELECT member_id, 'tier_history' FROM membership.tier_history
        UNION SELECT member_id, 'journal' FROM membership.journal
        UNION SELECT member_id, 'activity_day' FROM membership.activity_day) x
 WHERE NOT EXISTS (SELECT FROM membership.member m WHERE m.member_id = x.member_id)
UNION ALL
SELECT c.member_id, 'context_has_its_journal_row', format('journal %s', c.journal_no), 'no journal row'
  FROM membership.journal_context c
 WHERE NOT EXISTS (SELECT FROM membership.journal j WHERE j.member_id = c.member_id AND j.journal_no = c.journal_no)
UNION ALL
SELECT m.member_id, 'tier_is_that_of_history', coalesce(h.tier_id::text, 'no open history row'), format('%s since %s', m.tier_id, m.tier_since)
  FROM membership.member m
  LEFT JOIN membership.tier_history h ON h.member_id = m.member_id AND upper_inf(h.during) AND NOT isempty(h.during)
 WHERE (m.tier_id, m.tier_since) IS DISTINCT FROM (h.tier_id, lower(h.during))
UNION ALL
SELECT member_id, 'tier_history_has_no_gap', format('from %s', before), format('from %s', lower(during))
  FROM (SELECT member_id, history_no, during,
               lag(upper(during)) OVER (PARTITION BY member_id ORDER BY history_no) AS before,
               lag(history_no, 1, 0::bigint) OVER (PARTITION BY member_id ORDER BY history_no) AS before_no
          FROM membership.tier_history WHERE NOT isempty(during)) c
 WHERE before IS DISTINCT FROM lower(during) AND before_no > 0
UNION ALL
SELECT x.member_id, 'configuration_row_exists', format('%s %s', x.what, x.id), 'none'
  FROM (SELECT DISTINCT member_id, 'merchant' AS what, merchant_id AS id FROM membership.merchant_split
        UNION SELECT member_id, 'merchant', merchant_id FROM membership.journal WHERE merchant_id IS NOT NULL
        UNION SELECT member_id, 'party', payer_party_id FROM membership.merchant_split
        UNION SELECT member_id, 'party', payee_party_id FROM membership.merchant_split
        UNION SELECT member_id, 'tier', tier_id FROM membership.member
        UNION SELECT member_id, 'tier', tier_id FROM membership.tier_history
        UNION SELECT member_id, 'tier', tier_id FROM membership.journal WHERE tier_id IS NOT NULL
        UNION SELECT member_id, 'wallet', wallet_id FROM membership.account) x
 WHERE NOT EXISTS (SELECT FROM membership.merchant WHERE x.what = 'merchant' AND merchant_id = x.id)
   AND NOT EXISTS (SELECT FROM membership.party WHERE x.what = 'party' AND party_id = x.id)
   AND NOT EXISTS (SELECT FROM membership.tier WHERE x.what = 'tier' AND tier_id = x.id)
   AND NOT EXISTS (SELECT FROM membership.wallet WHERE x.what = 'wallet' AND wallet_id = x.id);
-- Guards: history is append-only, configuration is never deleted or renumbered, and every change of
-- configuration gets a new version, before and after it. The functions are the extension's; dropping it takes the triggers
-- along, and upgrade_program() makes them again.

CREATE OR REPLACE TRIGGER journal_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON membership.journal
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_append_only();
CREATE OR REPLACE TRIGGER ledger_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON membership.ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_append_only();

CREATE OR REPLACE TRIGGER refund_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON membership.refund
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_append_only();

CREATE OR REPLACE TRIGGER program_keep BEFORE UPDATE OR DELETE ON membership.program
    FOR EACH ROW EXECUTE FUNCTION membership._guard_config('program_id', 'time_zone', 'currency', 'currency_digits');
CREATE OR REPLACE TRIGGER party_keep BEFORE UPDATE OR DELETE ON membership.party
    FOR EACH ROW EXECUTE FUNCTION membership._guard_config('party_id');
CREATE OR REPLACE TRIGGER mall_keep BEFORE UPDATE OR DELETE ON membership.mall
    FOR EACH ROW EXECUTE FUNCTION membership._guard_config('mall_id');
CREATE OR REPLACE TRIGGER merchant_keep BEFORE UPDATE OR DELETE ON membership.merchant
    FOR EACH ROW EXECUTE FUNCTION membership._guard_config('merchant_id');
CREATE OR REPLACE TRIGGER contract_keep BEFORE UPDATE OR DELETE ON membership.contract
    FOR EACH ROW EXECUTE FUNCTION membership._guard_config('contract_id', 'merchant_id');
CREATE OR REPLACE TRIGGER tier_keep BEFORE UPDATE OR DELETE ON membership.tier
    FOR EACH ROW EXECUTE FUNCTION membership._guard_config('tier_id', 'code');
CREATE OR REPLACE TRIGGER wallet_keep BEFORE UPDATE OR DELETE ON membership.wallet
    FOR EACH ROW EXECUTE FUNCTION membership._guard_config('wallet_id', 'code');

CREATE OR REPLACE TRIGGER program_no_truncate BEFORE TRUNCATE ON membership.program
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_config();
CREATE OR REPLACE TRIGGER party_no_truncate BEFORE TRUNCATE ON membership.party
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_config();
CREATE OR REPLACE TRIGGER mall_no_truncate BEFORE TRUNCATE ON membership.mall
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_config();
CREATE OR REPLACE TRIGGER merchant_no_truncate BEFORE TRUNCATE ON membership.merchant
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_config();
CREATE OR REPLACE TRIGGER contract_no_truncate BEFORE TRUNCATE ON membership.contract
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_config();
CREATE OR REPLACE TRIGGER tier_no_truncate BEFORE TRUNCATE ON membership.tier
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_config();
CREATE OR REPLACE TRIGGER wallet_no_truncate BEFORE TRUNCATE ON membership.wallet
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_config();

CREATE OR REPLACE TRIGGER program_version BEFORE UPDATE ON membership.program
    FOR EACH ROW EXECUTE FUNCTION membership._config_version();
CREATE OR REPLACE TRIGGER party_changed BEFORE INSERT OR UPDATE ON membership.party
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER party_written AFTER INSERT OR UPDATE ON membership.party
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER mall_changed BEFORE INSERT OR UPDATE ON membership.mall
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER mall_written AFTER INSERT OR UPDATE ON membership.mall
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER merchant_changed BEFORE INSERT OR UPDATE ON membership.merchant
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER merchant_written AFTER INSERT OR UPDATE ON membership.merchant
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER contract_changed BEFORE INSERT OR UPDATE ON membership.contract
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER contract_written AFTER INSERT OR UPDATE ON membership.contract
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER tier_changed BEFORE INSERT OR UPDATE ON membership.tier
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER tier_written AFTER INSERT OR UPDATE ON membership.tier
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER access_grant_changed BEFORE INSERT OR UPDATE OR DELETE ON membership.access_grant
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER access_grant_written AFTER INSERT OR UPDATE OR DELETE ON membership.access_grant
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();

CREATE OR REPLACE TRIGGER earn_rule_keep BEFORE UPDATE OR DELETE ON membership.earn_rule
    FOR EACH ROW EXECUTE FUNCTION membership._guard_config('rule_id', 'code');
CREATE OR REPLACE TRIGGER earn_rule_no_truncate BEFORE TRUNCATE ON membership.earn_rule
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_config();
CREATE OR REPLACE TRIGGER earn_rule_changed BEFORE INSERT OR UPDATE ON membership.earn_rule
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER earn_rule_written AFTER INSERT OR UPDATE ON membership.earn_rule
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER earn_rule_check BEFORE INSERT OR UPDATE ON membership.earn_rule
    FOR EACH ROW EXECUTE FUNCTION membership._check_rule();
CREATE OR REPLACE TRIGGER earn_rule_recorded AFTER INSERT OR UPDATE ON membership.earn_rule
    FOR EACH ROW EXECUTE FUNCTION membership._record_rule();
CREATE OR REPLACE TRIGGER rule_version_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON membership.rule_version
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_append_only();

CREATE OR REPLACE TRIGGER burn_rule_keep BEFORE UPDATE OR DELETE ON membership.burn_rule
    FOR EACH ROW EXECUTE FUNCTION membership._guard_config('burn_rule_id', 'code');
CREATE OR REPLACE TRIGGER burn_rule_no_truncate BEFORE TRUNCATE ON membership.burn_rule
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_config();
CREATE OR REPLACE TRIGGER burn_rule_changed BEFORE INSERT OR UPDATE ON membership.burn_rule
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER burn_rule_written AFTER INSERT OR UPDATE ON membership.burn_rule
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER burn_rule_check BEFORE INSERT OR UPDATE ON membership.burn_rule
    FOR EACH ROW EXECUTE FUNCTION membership._check_burn_rule();
$always$, $mark$@digits@$mark$, digits::text) $body$;
COMMENT ON FUNCTION membership._program_ddl IS 'The statements that bring a programme''s objects from a table version (0 = nothing there) to the present one.';
-- Nothing is for everybody; grant_access() says who may call what.
REVOKE ALL ON ALL ROUTINES IN SCHEMA membership FROM PUBLIC;
