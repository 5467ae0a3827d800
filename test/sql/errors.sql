-- Every refusal that a caller can meet, with SQLSTATE, message, detail and hint as the caller sees them.
SET client_min_messages = warning;
\set VERBOSITY default
\set SHOW_CONTEXT never
\set QUIET on
\pset format unaligned
\pset tuples_only on

-- Texts that hold the present time are shown without it.
CREATE FUNCTION refusal(call text) RETURNS TABLE (line text) LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text;
BEGIN
    EXECUTE call;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    detail := regexp_replace(detail, '\d{4}-\d\d-\d\d [\d:.]+[-+]\d\d', '(time)', 'g');
    RETURN QUERY VALUES ('ERROR:  ' || message), ('DETAIL:  ' || detail), ('HINT:  ' || hint), (state);
END
$$;

-- ------------------------------------------------------------------ set-up

-- a schema that somebody else prepared: MB406
CREATE ROLE regress_mallory;
CREATE SCHEMA membership AUTHORIZATION regress_mallory;
CREATE EXTENSION membership;
\echo :SQLSTATE
ALTER SCHEMA membership OWNER TO CURRENT_USER;
GRANT CREATE ON SCHEMA membership TO regress_mallory;
CREATE EXTENSION membership;
\echo :SQLSTATE
REVOKE CREATE ON SCHEMA membership FROM regress_mallory;
CREATE EXTENSION membership;
DROP ROLE regress_mallory;

-- nothing works before there is a programme: MB001
SELECT membership.find_member('phone', '13800000001');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A');
\echo :SQLSTATE
SELECT membership.verify();
\echo :SQLSTATE
SELECT membership.grant_access(CURRENT_USER::regrole, 'operator');
\echo :SQLSTATE
SELECT membership.upgrade_program();
\echo :SQLSTATE

SELECT membership.create_program(NULL, 'Asia/Shanghai');
\echo :SQLSTATE
SELECT membership.create_program('Mall', NULL);
\echo :SQLSTATE
SELECT membership.create_program('', 'Asia/Shanghai');
\echo :SQLSTATE
SELECT membership.create_program('Mall', 'Shanghai');
\echo :SQLSTATE
SELECT membership.create_program('Mall', 'Asia/Shanghai', currency => 'RMB');
\echo :SQLSTATE
SELECT membership.create_program('Mall', 'Asia/Shanghai', preset => 'hotel');
\echo :SQLSTATE
CREATE ROLE regress_super SUPERUSER;
SELECT membership.create_program('Mall', 'Asia/Shanghai', owner => 'regress_super');
\echo :SQLSTATE
SELECT membership.create_program('Mall', 'Asia/Shanghai', owner => 'regress_nobody');
\echo :SQLSTATE
-- a role of the name that the owner would get, but fit for no owner
BEGIN;
DO $$ BEGIN CREATE ROLE membership_owner; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE membership_owner LOGIN;
SELECT membership.create_program('Mall', 'Asia/Shanghai');
\echo :SQLSTATE
ROLLBACK;

SELECT membership.create_program('Mall', 'Asia/Shanghai');
SELECT membership.create_program('Mall', 'Asia/Shanghai');
\echo :SQLSTATE
SELECT membership.set_owner(NULL);
\echo :SQLSTATE
SELECT membership.set_owner('regress_super');
\echo :SQLSTATE
CREATE ROLE regress_app;
SELECT membership.grant_access(NULL, 'application');
\echo :SQLSTATE
SELECT membership.grant_access('regress_app', 'admin');
\echo :SQLSTATE
SELECT membership.grant_access('regress_app', NULL);
\echo :SQLSTATE
SELECT membership.revoke_access(NULL, 'application');
\echo :SQLSTATE
SELECT membership.revoke_access('regress_app', 'admin');
\echo :SQLSTATE
SELECT membership.grant_access('regress_app', 'application');

-- the tables' owner became a superuser, as after a restore without the role
BEGIN;
ALTER TABLE membership.program OWNER TO regress_super;
SELECT membership.find_member('phone', '13800000001');
\echo :SQLSTATE
ROLLBACK;
-- tables of a later version than the library, and of one that it no longer serves
BEGIN;
UPDATE membership.program SET table_version = 99;
SAVEPOINT later;
SELECT membership.find_member('phone', '13800000001');
\echo :SQLSTATE
ROLLBACK TO later;
SELECT membership.upgrade_program();
\echo :SQLSTATE
ROLLBACK;
BEGIN;
UPDATE membership.program SET table_version = 0;
SELECT membership.find_member('phone', '13800000001');
\echo :SQLSTATE
ROLLBACK;

-- ------------------------------------------------------------------ configuration and history

INSERT INTO membership.merchant (merchant_id, name, opened_on, ended_on)
VALUES (1, 'Shop', NULL, NULL), (2, 'Not yet', '2999-01-01', NULL), (3, 'No more', NULL, '2020-01-01'), (4, 'Shop', NULL, NULL);
INSERT INTO membership.contract (contract_id, merchant_id, valid_during) VALUES (1, 1, '[2024-01-01,2025-01-01)');
DELETE FROM membership.merchant WHERE merchant_id = 4;
\echo :SQLSTATE
UPDATE membership.merchant SET merchant_id = 5 WHERE merchant_id = 4;
\echo :SQLSTATE
UPDATE membership.program SET currency = 'JPY';
\echo :SQLSTATE
UPDATE membership.program SET time_zone = 'UTC';
\echo :SQLSTATE
UPDATE membership.tier SET code = 'bronze' WHERE code = 'regular';
\echo :SQLSTATE
-- what PostgreSQL refuses by the tables' own constraints
\set VERBOSITY terse
INSERT INTO membership.contract (contract_id, merchant_id, valid_during) VALUES (2, 1, '[2024-12-31,)');
\echo :SQLSTATE
UPDATE membership.program SET base_rate = -1;
\echo :SQLSTATE
UPDATE membership.program SET base_rate = 'NaN';
\echo :SQLSTATE
UPDATE membership.program SET award_rounding = 'up';
\echo :SQLSTATE
INSERT INTO membership.tier (tier_id, code, name, rank) VALUES (5, 'Titan', 'Titan', 5);
\echo :SQLSTATE
UPDATE membership.tier SET qualify_basis = 0 WHERE code = 'gold';
\echo :SQLSTATE
INSERT INTO membership.merchant (merchant_id, name, mall_id) VALUES (6, 'Elsewhere', 9);
\echo :SQLSTATE
\set VERBOSITY default

SELECT member_id, created FROM membership.enroll_member('phone', '13800000001');
SELECT member_id, created FROM membership.enroll_member('phone', '13800000002');
SELECT member_id, created FROM membership.enroll_member('phone', '13800000003');
SELECT membership.set_member_status(3, 'closed', 'left');
UPDATE membership.journal SET reason = 'other';
\echo :SQLSTATE
DELETE FROM membership.ledger_entry;
\echo :SQLSTATE
TRUNCATE membership.journal;
\echo :SQLSTATE
-- trigger functions called by hand
SELECT membership._guard_append_only();
\echo :SQLSTATE
SELECT membership._config_version();
\echo :SQLSTATE

-- ------------------------------------------------------------------ members

SELECT membership.enroll_member(NULL, '13800000004');
\echo :SQLSTATE
SELECT membership.enroll_member('phone', NULL);
\echo :SQLSTATE
SELECT membership.enroll_member('phone', '');
\echo :SQLSTATE
SELECT membership.enroll_member('card', '   ');
\echo :SQLSTATE
SELECT membership.enroll_member('card', repeat('x', 201));
\echo :SQLSTATE
SELECT membership.enroll_member('Phone', '13800000004');
\echo :SQLSTATE
SELECT membership.enroll_member('a' || repeat('卡', 30), '13800000004');
\echo :SQLSTATE
SELECT membership.enroll_member('phone', 'call me');
\echo :SQLSTATE
SELECT membership.enroll_member('phone', '1234');
\echo :SQLSTATE
SELECT membership.enroll_member('phone', '+0123456789');
\echo :SQLSTATE
BEGIN;
UPDATE membership.program SET phone_country = NULL;
SELECT membership.enroll_member('phone', '13800000004');
\echo :SQLSTATE
ROLLBACK;
SELECT membership.enroll_member('referral', 'J0EQSXSV');
\echo :SQLSTATE
SELECT membership.enroll_member('phone', '13800000004', referral_code => 'nosuch');
\echo :SQLSTATE
SELECT membership.enroll_member('phone', '13800000004', birthday => '1899-12-31');
\echo :SQLSTATE
SELECT membership.enroll_member('phone', '13800000004', birthday => 'infinity');
\echo :SQLSTATE
SELECT membership.enroll_member('phone', '13800000004', source => '');
\echo :SQLSTATE
SELECT membership.enroll_member('phone', '13800000004', channel => repeat('x', 61));
\echo :SQLSTATE
SELECT membership.enroll_member('phone', '13800000004', attributes => '[]');
\echo :SQLSTATE
SELECT membership.enroll_member('phone', '13800000004', attributes => jsonb_build_object('a', repeat('x', 70000)));
\echo :SQLSTATE
SELECT membership.enroll_member('phone', '13800000004', at => 'infinity');
\echo :SQLSTATE
SELECT * FROM refusal($$ SELECT membership.enroll_member('phone', '13800000004', at => now() + interval '1 day') $$);
SELECT membership.find_member(NULL, 'x');
\echo :SQLSTATE
SELECT membership.find_member('card', '');
\echo :SQLSTATE

SELECT membership.add_identity(9, 'card', 'C1');
\echo :SQLSTATE
SELECT membership.add_identity(1, 'phone', '+86 138 0000 0002');
\echo :SQLSTATE
SELECT membership.add_identity(3, 'card', 'C1');
\echo :SQLSTATE
SELECT membership.add_identity(1, 'referral', 'MINE');
\echo :SQLSTATE
SELECT membership.replace_identity(1, 'card', 'C1', 'C2', 'lost');
\echo :SQLSTATE
SELECT membership.replace_identity(1, 'phone', '13800000001', '13800000002', 'new number');
\echo :SQLSTATE
SELECT membership.replace_identity(1, 'phone', '13800000001', '13800000009', NULL);
\echo :SQLSTATE
SELECT membership.remove_identity(1, 'phone', '13800000002', 'wrong');
\echo :SQLSTATE
SELECT membership.remove_identity(1, 'referral', 'J0EQSXSV', 'wrong');
\echo :SQLSTATE
SELECT membership.update_member(1, attributes => '"text"');
\echo :SQLSTATE
SELECT membership.update_member(NULL);
\echo :SQLSTATE
SELECT membership.update_member(9);
\echo :SQLSTATE
SELECT membership.set_tags(1, NULL);
\echo :SQLSTATE
SELECT membership.set_tags(1, '{vip,NULL}');
\echo :SQLSTATE
SELECT membership.set_tags(1, '{""}');
\echo :SQLSTATE
SELECT membership.set_tags(1, ARRAY[repeat('x', 61)]);
\echo :SQLSTATE
SELECT membership.set_tags(1, (SELECT array_agg('t' || i) FROM generate_series(1, 101) i));
\echo :SQLSTATE
SELECT membership.set_member_status(1, 'asleep', 'why not');
\echo :SQLSTATE
SELECT membership.set_member_status(1, 'frozen', repeat('x', 1001));
\echo :SQLSTATE
SELECT membership.set_member_status(3, 'active', 'back');
\echo :SQLSTATE
SELECT membership.set_tier(1, 'platinum', NULL, 'guest');
\echo :SQLSTATE
SELECT membership.set_tier(1, 'gold', '-infinity', 'guest');
\echo :SQLSTATE

-- ------------------------------------------------------------------ purchases

SELECT membership.accrue_points(NULL, 1, 10, 'A');
\echo :SQLSTATE
SELECT membership.accrue_points(1, NULL, 10, 'A');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, NULL, 'A');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, NULL);
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', channel => NULL);
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, '');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, repeat('x', 201));
\echo :SQLSTATE
SELECT membership.accrue_points(9, 1, 10, 'A');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 9, 10, 'A');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 2, 10, 'A');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 3, 10, 'A');
\echo :SQLSTATE
SELECT membership.accrue_points(3, 1, 10, 'A');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, -10, 'A');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10.001, 'A');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 100000000000000, 'A');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 'NaN', 'A');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, '-Infinity', 'A');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', occurred_at => '-infinity');
\echo :SQLSTATE
SELECT * FROM refusal($$ SELECT membership.accrue_points(1, 1, 10, 'A', occurred_at => now() + interval '1 hour') $$);
SELECT * FROM refusal($$ SELECT membership.accrue_points(1, 1, 10, 'A', at => now() + interval '1 hour') $$);
SET ROLE regress_app;
SELECT membership.accrue_points(1, 1, 10, 'A', at => now() - interval '1 hour');
\echo :SQLSTATE
RESET ROLE;

SELECT membership.accrue_points(1, 1, 10, 'A', lines => '{"amount": 10}');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', lines => '[]');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', lines => (SELECT jsonb_agg(jsonb_build_object('amount', 0)) FROM generate_series(1, 1001)));
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', lines => '[10]');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', lines => '[{"sku": "x"}]');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', lines => '[{"amount": "10"}]');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', lines => '[{"amount": -10}, {"amount": 20}]');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', lines => '[{"amount": 10, "price": 10}]');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', lines => jsonb_build_array(jsonb_build_object('a' || repeat('好', 40), 10)));
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', lines => '[{"amount": 10, "line_no": 1.5}]');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', lines => '[{"amount": 10, "line_no": 0}]');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', lines => '[{"amount": 5, "line_no": 2}, {"amount": 5}]');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', lines => '[{"amount": 10, "merchant_id": 9}]');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', lines => '[{"amount": 10, "sku": ""}]');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', lines => '[{"amount": 10, "brand": 7}]');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', lines => '[{"amount": 10, "quantity": 0}]');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', lines => '[{"amount": 10, "eligible": "no"}]');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', lines => '[{"amount": 9.99}]');
\echo :SQLSTATE
-- 1000 x 99999999999999.99 = 99999999999999990.00, more than 64 bits of cents
SELECT membership.accrue_points(1, 1, 10, 'A', lines => (SELECT jsonb_agg(jsonb_build_object('amount', 99999999999999.99)) FROM generate_series(1, 1000)));
\echo :SQLSTATE

SELECT membership.accrue_points(1, 1, 10, 'A', tenders => '"cash"');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', tenders => '[{"amount": 10}]');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', tenders => '[{"kind": "cash"}]');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', tenders => '[{"kind": "gold", "amount": 10}]');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', tenders => '[{"kind": "cash", "amount": 10, "tip": 1}]');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', tenders => '[{"kind": "cash", "amount": 10}, {"kind": "cash", "amount": 0.01}]');
\echo :SQLSTATE
SELECT points FROM membership.accrue_points(1, 1, 10, 'A', tenders => '[{"kind": "cash", "amount": -5}, {"kind": "cash", "amount": 10}]');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', attributes => '"x"');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', external_refs => '["W"]');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', external_refs => '{"wechat": 1}');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'A', external_refs => '{"": "W"}');
\echo :SQLSTATE

-- nothing of all this was posted: no receipt is claimed
SELECT count(*) FROM membership.receipt;
SELECT points, balance FROM membership.accrue_points(1, 1, 10, 'A', external_refs => '{"wechat": "W"}');
SELECT membership.accrue_points(1, 1, 11, 'A', external_refs => '{"wechat": "W"}');
\echo :SQLSTATE
SELECT membership.accrue_points(2, 1, 10, 'A');
\echo :SQLSTATE
SELECT membership.accrue_points(2, 1, 10, 'B', external_refs => '{"wechat": "W"}');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 11, 'B', external_refs => '{"wechat": "W"}');
\echo :SQLSTATE
SELECT membership.preview_accrual(9, 1, 10);
\echo :SQLSTATE
SELECT membership.preview_accrual(1, 9, 10);
\echo :SQLSTATE
SELECT membership.preview_accrual(2, 1, 10, 'A');
\echo :SQLSTATE
SELECT membership.preview_accrual(3, 1, 10);
\echo :SQLSTATE

-- ------------------------------------------------------------------ grants, adjustments, reviews

SELECT membership.grant_points(1, 0, 'gift', 'G');
\echo :SQLSTATE
SELECT membership.grant_points(1, -5, 'gift', 'G');
\echo :SQLSTATE
SELECT membership.grant_points(1, 1000000000000001, 'gift', 'G');
\echo :SQLSTATE
SELECT membership.grant_points(1, NULL, 'gift', 'G');
\echo :SQLSTATE
SELECT membership.grant_points(1, 5, NULL, 'G');
\echo :SQLSTATE
SELECT membership.grant_points(1, 5, 'gift', '');
\echo :SQLSTATE
SELECT * FROM refusal($$ SELECT membership.grant_points(1, 5, 'gift', 'G', expires_at => now() - interval '1 second') $$);
SELECT membership.grant_points(9, 5, 'gift', 'G');
\echo :SQLSTATE
SELECT membership.grant_points(3, 5, 'gift', 'G');
\echo :SQLSTATE
-- 10 points are there already
SELECT membership.grant_points(1, 1000000000000000, 'gift', 'G');
\echo :SQLSTATE
SELECT points, balance FROM membership.grant_points(1, 5, 'gift', 'G');
SELECT membership.grant_points(1, 6, 'gift', 'G');
\echo :SQLSTATE
SELECT membership.adjust_points(1, 0, 'fix', 'F');
\echo :SQLSTATE
SELECT membership.adjust_points(1, -1000000000000001, 'fix', 'F');
\echo :SQLSTATE
-- 10 + 5 = 15
SELECT membership.adjust_points(1, -16, 'fix', 'F');
\echo :SQLSTATE

SELECT journal_no, status, points FROM membership.accrue_points(1, 1, 20, 'LATE', occurred_at => now() - interval '40 days');
SELECT membership.review_accrual(1, 4, 'maybe', 'hm');
\echo :SQLSTATE
SELECT membership.review_accrual(1, 3, 'approve', 'ok');
\echo :SQLSTATE
SELECT membership.review_accrual(9, 4, 'approve', 'ok');
\echo :SQLSTATE
SELECT membership.review_accrual(1, 4, 'reject', 'no slip');
SELECT membership.review_accrual(1, 4, 'approve', 'ok');
\echo :SQLSTATE

-- ------------------------------------------------------------------ spending

-- members 4 and 5, 1,000 points each of the like that are worth 3.00 a hundred, up to 15 % of an order; 3 is closed
SELECT (membership.enroll_member('card', 'spender')).member_id AS spender, (membership.enroll_member('card', 'frozen')).member_id AS frozen \gset
SELECT points, balance FROM membership.grant_points(:spender, 1000, 'gift', 'S');
SELECT points, balance FROM membership.grant_points(:frozen, 1000, 'gift', 'S');
SELECT membership.set_member_status(:frozen, 'frozen', 'fraud');
SELECT membership.redeem_points(:spender, 0, 'R');
\echo :SQLSTATE
SELECT membership.redeem_points(:spender, 100, 'R');
\echo :SQLSTATE
SELECT membership.redeem_points(:spender, 100, 'R', order_ref => 'O', order_amount => 100);
\echo :SQLSTATE
SELECT membership.redeem_points(:spender, 100, 'R', order_amount => -1);
\echo :SQLSTATE
SELECT membership.redeem_points(:spender, 100, 'R', order_amount => 100, lines => '[{"amount": 99}]');
\echo :SQLSTATE
SELECT membership.redeem_points(9, 100, 'R');
\echo :SQLSTATE
SELECT membership.redeem_points(:spender, 100, 'R', 9, order_amount => 100);
\echo :SQLSTATE
SELECT membership.redeem_points(:spender, 1100, 'R', order_amount => 10000);
\echo :SQLSTATE
SELECT membership.redeem_points(3, 100, 'R', order_amount => 100);
\echo :SQLSTATE
SELECT membership.redeem_points(:frozen, 100, 'R', order_amount => 100);
\echo :SQLSTATE
SELECT membership.redeem_points(:spender, 150, 'R', order_amount => 100);
\echo :SQLSTATE
-- 100.00 x 0.15 = 15.00: 500 points
SELECT membership.redeem_points(:spender, 600, 'R', order_amount => 100);
\echo :SQLSTATE
UPDATE membership.burn_rule SET minimum = 200, daily_cap = 300;
SELECT membership.redeem_points(:spender, 100, 'R', order_amount => 100);
\echo :SQLSTATE
SELECT membership.redeem_points(:spender, 400, 'R', order_amount => 100);
\echo :SQLSTATE
UPDATE membership.burn_rule SET minimum = 100, daily_cap = NULL;
SELECT membership.redeem_points(:spender, 100, 'R', order_amount => 100, purpose => 'parking');
\echo :SQLSTATE
SELECT points FROM membership.accrue_points(:spender, 1, 100, 'SPENT', tenders => '[{"kind": "points", "points": 100, "ref": "T"}]');
SELECT membership.redeem_points(:spender, 100, 'R', 1, 'SPENT', 100);
\echo :SQLSTATE
SELECT membership.reverse_redemption(:spender, 'T', 'wrong');
\echo :SQLSTATE
SELECT membership.reverse_redemption(:spender, 'R', 'wrong');
\echo :SQLSTATE
SELECT points FROM membership.redeem_points(:spender, 100, 'R', order_amount => 100);
SELECT membership.redeem_points(:spender, 200, 'R', order_amount => 100);
\echo :SQLSTATE
SELECT points FROM membership.reverse_redemption(:spender, 'R', 'wrong');
SELECT membership.reverse_redemption(:spender, 'R', 'otherwise');
\echo :SQLSTATE
SELECT membership.authorize_points(:spender, 100, 'H', '0');
\echo :SQLSTATE
SELECT points FROM membership.authorize_points(:spender, 200, 'H', order_amount => 100);
SELECT membership.capture_points(:spender, 'X');
\echo :SQLSTATE
SELECT membership.void_points(:spender, 'X');
\echo :SQLSTATE
SELECT membership.capture_points(:spender, 'H', 300);
\echo :SQLSTATE
SELECT membership.capture_points(:spender, 'H', 150);
\echo :SQLSTATE
SELECT points FROM membership.capture_points(:spender, 'H', 100);
SELECT membership.capture_points(:spender, 'H');
\echo :SQLSTATE
SELECT membership.void_points(:spender, 'H');
\echo :SQLSTATE
SELECT points FROM membership.authorize_points(:spender, 100, 'V', order_amount => 100);
SELECT points FROM membership.void_points(:spender, 'V');
SELECT membership.capture_points(:spender, 'V');
\echo :SQLSTATE
SELECT points FROM membership.authorize_points(:spender, 100, 'OTHER', NULL, 1, 'ANOTHER', 100);
SELECT membership.accrue_points(:spender, 1, 100, 'NEXT', tenders => '[{"kind": "points", "hold_ref": "OTHER"}]');
\echo :SQLSTATE
SELECT membership.accrue_points(:spender, 1, 100, 'NEXT', tenders => '[{"kind": "points", "hold_ref": "V"}]');
\echo :SQLSTATE
SELECT membership.accrue_points(:spender, 1, 100, 'ANOTHER', tenders => '[{"kind": "points", "points": 200}]');
\echo :SQLSTATE
SELECT membership.accrue_points(:spender, 1, 100, 'ANOTHER', tenders => '[{"kind": "points", "points": 200, "hold_ref": "OTHER"}]');
\echo :SQLSTATE
SELECT membership.accrue_points(:spender, 1, 10, 'ANOTHER');
\echo :SQLSTATE
SELECT membership.accrue_points(:spender, 1, 100, 'NEXT', tenders => '[{"kind": "points", "points": 100, "amount": 2.99}]');
\echo :SQLSTATE
SELECT membership.accrue_points(:spender, 1, 100, 'NEXT', tenders => '[{"kind": "points", "points": 100, "merchant_id": 2}]');
\echo :SQLSTATE
SELECT membership.accrue_points(:spender, 1, 100, 'NEXT', tenders => '[{"kind": "points"}]');
\echo :SQLSTATE
SELECT membership.transfer_points(:spender, :frozen, 100, 'T');
\echo :SQLSTATE
UPDATE membership.program SET transfers = true, transfer_minimum = 10, transfer_daily_limit = 50;
SELECT membership.transfer_points(:spender, :spender, 100, 'T');
\echo :SQLSTATE
SELECT membership.transfer_points(:spender, :frozen, 10, 'T');
\echo :SQLSTATE
SELECT membership.transfer_points(:spender, 3, 10, 'T');
\echo :SQLSTATE
SELECT membership.transfer_points(:spender, 2, 9, 'T');
\echo :SQLSTATE
SELECT membership.transfer_points(:spender, 2, 51, 'T');
\echo :SQLSTATE
SELECT membership.transfer_points(:spender, 2, 10000, 'T');
\echo :SQLSTATE
INSERT INTO membership.burn_rule (burn_rule_id, code, name, step, value, condition) VALUES (2, 'bad', 'Bad', 1, 1, 'order_amount > 5 points');
\echo :SQLSTATE
INSERT INTO membership.burn_rule (burn_rule_id, code, name, step, value, merchant_ids) VALUES (2, 'bad', 'Bad', 1, 1, '{99}');
\echo :SQLSTATE

-- ------------------------------------------------------------------ reading

SELECT membership.statement(NULL);
\echo :SQLSTATE
SELECT membership.statement(1, max_rows => 0);
\echo :SQLSTATE
SELECT membership.statement(1, max_rows => 10001);
\echo :SQLSTATE
SELECT membership.balance_at(1, NULL);
\echo :SQLSTATE
SELECT membership.balance_at(1, 'infinity');
\echo :SQLSTATE
SELECT membership.balance_at(1, now(), '-infinity');
\echo :SQLSTATE
SELECT membership.balance_at(9, now());
\echo :SQLSTATE

-- earning rules
INSERT INTO membership.earn_rule (rule_id, code, name, effect, value, condition) VALUES (1, 'x', 'X', 'multiplier', 2, '满 = 1 AND occurred_at > now()');
\echo :SQLSTATE
INSERT INTO membership.earn_rule (rule_id, code, name, effect, value, condition) VALUES (1, 'x', 'X', 'multiplier', 2, 'brand = ''满'' AND occurred_at > now()');
\echo :SQLSTATE
INSERT INTO membership.earn_rule (rule_id, code, name, effect, value, merchant_ids) VALUES (1, 'x', 'X', 'multiplier', 2, '{1,99}');
\echo :SQLSTATE
INSERT INTO membership.earn_rule (rule_id, code, name, effect, value, expiry) VALUES (1, 'x', 'X', 'multiplier', 2, 'soon');
\echo :SQLSTATE
INSERT INTO membership.earn_rule (rule_id, code, name, effect, value, stack_group) VALUES (1, 'x', 'X', 'multiplier', 2, 'g'), (2, 'y', 'Y', 'rate', 2, 'g');
\echo :SQLSTATE

-- refunds and corrections: R-1 of two lines, of which 10.00 were returned, R-2 as it was sold, R-0 not sold yet
SELECT points FROM membership.accrue_points(1, 1, 100, 'R-1', lines => '[{"amount": 60, "quantity": 2}, {"amount": 40}]');
SELECT points_clawed FROM membership.refund_order(1, 'R-1', 'f', 10);
SELECT points FROM membership.accrue_points(1, 1, 20, 'R-2');
SELECT status FROM membership.refund_order(1, 'R-0', 'g', 10);
SELECT membership.refund_order(NULL, 'R-1', 'x');
\echo :SQLSTATE
SELECT membership.refund_order(9, 'R-1', 'x');
\echo :SQLSTATE
SELECT membership.refund_order(1, '', 'x');
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', NULL);
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'x', -1);
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'x', 0.001);
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'x', 0);
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'x', 100.01);
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'x', lines => '{}');
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'x', lines => '[]');
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'x', lines => '[1]');
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'x', lines => '[{"amount": 1}]');
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'x', lines => '[{"line_no": 1}]');
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'x', lines => '[{"line_no": 0, "amount": 1}]');
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'x', lines => '[{"line_no": 1, "amount": "1"}]');
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'x', lines => '[{"line_no": 1, "quantity": 0}]');
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'x', lines => '[{"line_no": 1, "price": 1}]');
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'x', lines => '[{"line_no": 1, "amount": 1}, {"line_no": 1, "amount": 1}]');
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'x', 3, '[{"line_no": 1, "amount": 1}]');
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'x', lines => '[{"line_no": 3, "amount": 1}]');
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'x', lines => '[{"line_no": 2, "quantity": 1}]');
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'x', lines => '[{"line_no": 1, "quantity": 3}]');
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'x', lines => '[{"line_no": 1, "amount": 60.01}]');
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'x', lines => (SELECT jsonb_agg(jsonb_build_object('line_no', n, 'amount', 1)) FROM generate_series(1, 1001) n));
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'x', 10, member_id => 2);
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'f', 11);
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-1', 'f', 10, member_id => 2);
\echo :SQLSTATE
SELECT membership.refund_order(1, 'R-0', 'g', 11);
\echo :SQLSTATE
SELECT status FROM membership.refund_order(1, 'R-0', 'h', 10, member_id => 1);
SELECT membership.refund_order(1, 'R-0', 'h', 10, member_id => 2);
\echo :SQLSTATE
SELECT membership.close_refund_exception(1, 'R-1', 'f', 'x');
\echo :SQLSTATE
SELECT membership.close_refund_exception(1, 'R-0', 'x', 'x');
\echo :SQLSTATE
SELECT membership.close_refund_exception(9, 'R-0', 'g', 'x');
\echo :SQLSTATE
SELECT membership.close_refund_exception(1, 'R-0', 'g', NULL);
\echo :SQLSTATE
SELECT membership.close_refund_exception(1, 'R-0', 'h', 'wrong number');
SELECT membership.refund_order(1, 'R-0', 'h', 10);
\echo :SQLSTATE
CREATE TABLE public.unfit (row_no bigint);
CALL membership.refund_from('SELECT 1 AS merchant_id, ''R-0'' AS order_ref, ''i'' AS refund_ref', 'public.unfit');
\echo :SQLSTATE
DROP TABLE public.unfit;
SELECT membership.accrue_points(1, 1, 10, 'R-3', exchange_of => 'R-9');
\echo :SQLSTATE
SELECT membership.accrue_points(2, 1, 10, 'R-3', exchange_of => 'R-1');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'R-3', exchange_of => 'R-2');
\echo :SQLSTATE
SELECT membership.accrue_points(1, 1, 10, 'R-3', exchange_of => '');
\echo :SQLSTATE
SELECT membership.correct_purchase(1, 'R-9', 10, NULL, 'c', 'x');
\echo :SQLSTATE
SELECT membership.correct_purchase(1, 'R-0', 10, NULL, 'c', 'x');
\echo :SQLSTATE
SELECT membership.correct_purchase(1, 'R-1', 10, NULL, 'c', 'x');
\echo :SQLSTATE
SELECT membership.correct_purchase(1, 'R-2', NULL, NULL, 'c', 'x');
\echo :SQLSTATE
SELECT membership.correct_purchase(1, 'R-2', -1, NULL, 'c', 'x');
\echo :SQLSTATE
SELECT membership.correct_purchase(1, 'R-2', 10, '[{"amount": 9}]', 'c', 'x');
\echo :SQLSTATE
SELECT membership.correct_purchase(1, 'R-2', 10, NULL, NULL, 'x');
\echo :SQLSTATE
SELECT membership.correct_purchase(1, 'R-2', 10, NULL, 'c', NULL);
\echo :SQLSTATE
SELECT membership.reassign_purchase(1, 'R-9', 2, 'x');
\echo :SQLSTATE
SELECT membership.reassign_purchase(1, 'R-1', 2, 'x');
\echo :SQLSTATE
SELECT membership.reassign_purchase(1, 'R-2', NULL, 'x');
\echo :SQLSTATE
SELECT membership.reassign_purchase(1, 'R-2', 99, 'x');
\echo :SQLSTATE
SELECT membership.reassign_purchase(1, 'R-2', 2, '');
\echo :SQLSTATE
SELECT * FROM refusal($$ SELECT membership.refund_order(1, 'R-1', 'x', at => now() + interval '1 day') $$);

-- sweeps
CALL membership.expire_points(NULL, 0);
\echo :SQLSTATE
CALL membership.expire_points(NULL, NULL);
\echo :SQLSTATE
CALL membership.release_holds('infinity');
\echo :SQLSTATE
SELECT * FROM refusal($$ CALL membership.expire_points(now() + interval '1 day') $$);
CALL membership.announce_expiry(NULL);
\echo :SQLSTATE
CALL membership.announce_expiry('-1 day');
\echo :SQLSTATE
CALL membership.prune_context('0');
\echo :SQLSTATE
CALL membership.prune_context('100 years 1 day');
\echo :SQLSTATE
BEGIN;
UPDATE membership.program SET table_version = 1;
CALL membership.expire_points();
\echo :SQLSTATE
ROLLBACK;

-- merging: a member with a hold, one with a purchase under review, one that was merged
SELECT (membership.enroll_member('card', 'merge a')).member_id AS a, (membership.enroll_member('card', 'merge b')).member_id AS b,
       (membership.enroll_member('card', 'merge c')).member_id AS c \gset
SELECT points, balance FROM membership.grant_points(:a, 100, 'gift', 'M');
SELECT points FROM membership.authorize_points(:a, 100, 'M', NULL, order_amount => 100);
SELECT status FROM membership.accrue_points(:b, 1, 20, 'MERGE', occurred_at => now() - interval '40 days');
SELECT membership.merge_members(:b, :b, 'twice');
\echo :SQLSTATE
SELECT membership.merge_members(:b, :a, 'second card');
\echo :SQLSTATE
SELECT membership.merge_members(:a, :b, 'second card');
\echo :SQLSTATE
SELECT membership.merge_members(:a, :c, 'second card');
SELECT membership.merge_members(:c, :a, 'the other way');
\echo :SQLSTATE
SELECT membership.merge_members(:b, :c, 'another');
\echo :SQLSTATE
SELECT membership.transfer_points(:a, :c, 10, 'M');
\echo :SQLSTATE
SELECT membership.erase_member(999999, 'request');
\echo :SQLSTATE

-- a transaction that must not write
BEGIN READ ONLY;
SELECT membership.accrue_points(1, 1, 10, 'RO');
\echo :SQLSTATE
ROLLBACK;
BEGIN READ ONLY;
SELECT membership.enroll_member('phone', '13800000004');
\echo :SQLSTATE
ROLLBACK;

SELECT member_id, balance FROM membership.member_balance ORDER BY member_id;
SELECT * FROM membership.verify();
DROP EXTENSION membership CASCADE;
DROP SCHEMA membership CASCADE;
DROP FUNCTION refusal;
DROP ROLE regress_app, regress_super;
