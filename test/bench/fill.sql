-- A programme with :members members of :purchases purchases each, one a day up to the day before :ago days ago, written
-- set-wise as enroll_member and accrue_points would have written it; verify() says whether it is.
\set ON_ERROR_STOP on
SET synchronous_commit = off;
-- 10 purchases of 128.50 stay below every tier, so all members are regular
CREATE TEMP TABLE given AS
SELECT 128.50 AS amount, 128::bigint AS points,
       (now() AT TIME ZONE 'Asia/Shanghai')::date - :purchases - :ago AS first_day;

CREATE EXTENSION membership;
SELECT membership.create_program('Bench', 'Asia/Shanghai');
INSERT INTO membership.merchant (merchant_id, name) VALUES (1, 'Shop');

BEGIN;
CREATE TEMP TABLE enrolled AS
SELECT m AS member_id, first_day::timestamp AT TIME ZONE 'Asia/Shanghai' AS at FROM given, generate_series(1, :members) m;
CREATE TEMP TABLE purchase AS
SELECT m AS member_id, n, n + 1 AS journal_no, d.day, amount, points, n * points AS balance,
       (d.day + time '12:00') AT TIME ZONE 'Asia/Shanghai' AS at,
       ((d.day + interval '24 months')::date + 1)::timestamp AT TIME ZONE 'Asia/Shanghai' AS dies
  FROM given
 -- member by member within a day, as purchases come
 CROSS JOIN generate_series(1::bigint, :purchases) n
 CROSS JOIN LATERAL (SELECT first_day + n::integer - 1 AS day) d
 CROSS JOIN generate_series(1::bigint, :members) m;

INSERT INTO membership.member (member_id, tier_id, tier_since, enrolled_at, channel)
SELECT member_id, 1, at, at, 'pos' FROM enrolled;
INSERT INTO membership.member_identity (kind, value, member_id)
SELECT 'phone', '+86138' || lpad(member_id::text, 8, '0'), member_id FROM enrolled
UNION ALL SELECT 'referral', 'B' || member_id, member_id FROM enrolled;
INSERT INTO membership.tier_history (member_id, history_no, tier_id, during, cause, journal_no)
SELECT member_id, 1, 1, tstzrange(at, NULL), 'enrolment', 1 FROM enrolled;
INSERT INTO membership.account (member_id, wallet_id, balance, next_journal_no, next_entry_no, next_expiry, last_posted_at)
SELECT member_id, 1, max(balance), max(journal_no) + 1, max(n) + 1, min(dies), max(at) FROM purchase GROUP BY member_id;
INSERT INTO membership.journal (member_id, journal_no, verb, occurred_at, posted_at, day, actor, login, points, balance, last_entry_no)
SELECT member_id, 1, 'enrolment', at, at, (at AT TIME ZONE 'Asia/Shanghai')::date, current_user, session_user, 0, 0, 0 FROM enrolled;
INSERT INTO membership.journal (member_id, journal_no, verb, occurred_at, posted_at, day, actor, login, points, balance,
       last_entry_no, merchant_id, order_ref, channel, amount, basis, merchant_collected, status, points_wanted, base_points,
       available_at, expires_at, base_rate, rounding, tier_id, tier_multiplier, tier_after, tier_changed)
SELECT member_id, journal_no, 'accrual', at, at, day, current_user, session_user, points, balance,
       n, 1, 'f' || n || '-' || member_id, 'pos', amount, amount, amount, 'posted', points, points,
       at, dies, 1.000000, 'floor', 1, 1.0000, 1, false
  FROM purchase;
INSERT INTO membership.receipt (merchant_id, order_ref, member_id, journal_no, payload_hash)
SELECT 1, 'f' || n || '-' || member_id, member_id, journal_no, hashint8extended(member_id, n) FROM purchase;
INSERT INTO membership.ledger_entry (member_id, wallet_id, entry_no, journal_no, lot_no, points, balance_after, active_at, expires_at, origin)
SELECT member_id, 1, n, journal_no, n, points, balance, at, dies, 'accrual' FROM purchase;
INSERT INTO membership.lot (member_id, wallet_id, lot_no, journal_no, granted, remaining, active_at, expires_at, origin)
SELECT member_id, 1, n, journal_no, points, points, at, dies, 'accrual' FROM purchase;
INSERT INTO membership.activity_day (member_id, day, purchases, basis, points_earned)
SELECT member_id, day, 1, amount, points FROM purchase;
SELECT setval('membership.member_id_seq', :members);
COMMIT;
DROP TABLE enrolled, purchase;
VACUUM ANALYZE;
