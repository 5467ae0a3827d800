-- Configuration: seen by the next call, kept from deletion and renumbering, and tables that a DBA has changed.
\set tests 105
\ir setup.psql

-- a programme that came in place of another is not served from the cache of the one before
SAVEPOINT first;
SELECT open_mall('Asia/Shanghai') \gset
SELECT enrol('first', '2024-01-31 20:00+00') \gset
SELECT is(day, '2024-02-01'::date, '20:00 UTC is the next day in Shanghai') FROM journal WHERE member_id = m('first');
ROLLBACK TO first;
SELECT open_mall('America/New_York', 'USD') \gset
SELECT enrol('second', '2024-01-31 20:00+00') \gset
SELECT is(day, '2024-01-31'::date, 'and the same day in a programme of New York made after that was undone') FROM journal WHERE member_id = m('second');
ROLLBACK TO first;

SELECT open_mall() \gset
SELECT enrol('cora') \gset

-- a change is seen by the next call, in the same transaction
SELECT is(points, 10::bigint, 'a purchase by the first rates') FROM accrue_points(m('cora'), 1, 10, 'r1', at => '2024-02-01 12:00+08');
UPDATE program SET base_rate = 2;
SELECT is(points, 20::bigint, 'base rate') FROM accrue_points(m('cora'), 1, 10, 'r2', at => '2024-02-01 12:00+08');
SELECT is(points, 20::bigint, 'base rate, previewed') FROM preview_accrual(m('cora'), 1, 10);
UPDATE tier SET multiplier = 1.5 WHERE code = 'regular';
SELECT is(ROW(points, base_points, bonus_points)::text, '(30,20,10)', 'multiplier') FROM accrue_points(m('cora'), 1, 10, 'r3', at => '2024-02-01 12:00+08');
UPDATE program SET base_rate = 1;
UPDATE tier SET multiplier = 1 WHERE code = 'regular';
SELECT is(ROW(points, duplicate, explanation ->> 'base_rate', explanation ->> 'tier_multiplier')::text, '(30,t,2,1.5)', 'a purchase keeps the rates that it was judged by')
  FROM accrue_points(m('cora'), 1, 10, 'r3', at => '2024-02-01 12:00+08');
INSERT INTO tier (tier_id, code, name, rank, multiplier, qualify_basis) VALUES (9, 'bronze', 'Bronze', 0, 1.1, NULL);
SELECT enrol('beate') \gset
SELECT is(tier_id, 9, 'a new lowest tier is that of new members') FROM member WHERE member_id = m('beate');
SELECT is(points, 11::bigint, 'with its multiplier') FROM accrue_points(m('beate'), 1, 10, 'r4', at => '2024-02-01 12:00+08');
SELECT is(points, 10::bigint, 'others keep theirs') FROM accrue_points(m('cora'), 1, 10, 'r5', at => '2024-02-01 12:00+08');
UPDATE tier SET qualify_basis = 100 WHERE code = 'silver';
SELECT is(ROW(tier, tier_changed)::text, '(silver,t)', 'what a tier needs') FROM accrue_points(m('cora'), 1, 60, 'r6', at => '2024-02-02 12:00+08');  -- 4 x 10 + 60
SELECT throws_ok($$SELECT membership.accrue_points(m('cora'), 8, 10, 'r7')$$, 'MB003', NULL, 'a shop that is not there');
INSERT INTO merchant (merchant_id, name) VALUES (8, 'Kiosk');
SELECT is(points, 12::bigint, 'and then is') FROM accrue_points(m('cora'), 8, 10, 'r7', at => '2024-02-03 12:00+08');
INSERT INTO contract (contract_id, merchant_id, collects, commission_rate) VALUES (8, 8, 'mall', 0.5);
SELECT accrue_points(m('cora'), 8, 10, 'r8', at => '2024-02-03 12:00+08') \gset
SELECT is(array_agg(ROW(kind, payer_party_id, payee_party_id, amount)::text ORDER BY split_no), '{"(sale,1,1,10.00)","(commission,1,1,5.00)"}', 'a new contract; the mall''s own shop owes itself')
  FROM merchant_split WHERE member_id = m('cora') AND merchant_id = 8;
UPDATE contract SET commission_rate = 0.25 WHERE contract_id = 8;
UPDATE merchant SET party_id = 4 WHERE merchant_id = 8;
INSERT INTO party (party_id, name, kind) VALUES (7, 'North mall', 'mall');
UPDATE mall SET party_id = 7 WHERE mall_id = 1;
SELECT accrue_points(m('cora'), 8, 10, 'r9', at => '2024-02-03 12:00+08') \gset
SELECT is(array_agg(ROW(kind, payer_party_id, payee_party_id, s.amount)::text ORDER BY split_no), '{"(sale,7,4,10.00)","(commission,4,7,2.50)"}', 'a changed one, and changed parties')
  FROM merchant_split s JOIN journal j USING (member_id, journal_no) WHERE j.order_ref = 'r9';
UPDATE mall SET party_id = 1 WHERE mall_id = 1;

SAVEPOINT change;
UPDATE program SET base_rate = 100;
SELECT is(points, 1200::bigint, 'a change in a savepoint') FROM preview_accrual(m('cora'), 1, 10);
ROLLBACK TO change;
SELECT is(points, 12::bigint, 'is gone with it') FROM preview_accrual(m('cora'), 1, 10);
SAVEPOINT change;
UPDATE program SET base_rate = 10;
ROLLBACK TO change;
UPDATE program SET base_rate = 5;
SELECT is(points, 60::bigint, 'another change after one undone') FROM preview_accrual(m('cora'), 1, 10);
UPDATE program SET base_rate = 1;

-- what is refused
SELECT throws_ok(statement, code, NULL, format('%s: %s', code, statement))
  FROM (VALUES
    ('DELETE FROM membership.program', 'MB301'), ('DELETE FROM membership.party WHERE party_id = 4', 'MB301'), ('DELETE FROM membership.mall', 'MB301'),
    ('DELETE FROM membership.merchant WHERE merchant_id = 1', 'MB301'), ('DELETE FROM membership.contract WHERE contract_id = 2', 'MB301'),
    ('DELETE FROM membership.tier WHERE tier_id = 4', 'MB301'), ('DELETE FROM membership.wallet', 'MB301'),
    ('UPDATE membership.party SET party_id = 40 WHERE party_id = 4', 'MB301'), ('UPDATE membership.mall SET mall_id = 10', 'MB301'),
    ('UPDATE membership.merchant SET merchant_id = 10 WHERE merchant_id = 1', 'MB301'), ('UPDATE membership.contract SET contract_id = 20 WHERE contract_id = 2', 'MB301'),
    ('UPDATE membership.contract SET merchant_id = 1 WHERE contract_id = 2', 'MB301'), ('UPDATE membership.tier SET tier_id = 40 WHERE tier_id = 4', 'MB301'),
    ('UPDATE membership.tier SET code = ''gilded'' WHERE tier_id = 4', 'MB301'), ('UPDATE membership.wallet SET wallet_id = 3', 'MB301'), ('UPDATE membership.wallet SET code = ''coins''', 'MB301'),
    ('UPDATE membership.program SET time_zone = ''UTC''', 'MB301'), ('UPDATE membership.program SET currency = ''EUR''', 'MB301'), ('UPDATE membership.program SET currency_digits = 3', 'MB301'),
    ('INSERT INTO membership.program (program_id, name, time_zone, currency, currency_digits, table_version) VALUES (2, ''x'', ''UTC'', ''EUR'', 2, 1)', '23514'),
    ('UPDATE membership.journal SET points = 0', 'MB502'), ('DELETE FROM membership.journal', 'MB502'), ('TRUNCATE membership.journal', 'MB502'),
    ('UPDATE membership.journal SET points = 0 WHERE false', 'MB502'), ('UPDATE membership.ledger_entry SET points = 1', 'MB502'), ('DELETE FROM membership.ledger_entry', 'MB502'),
    ('TRUNCATE membership.ledger_entry', 'MB502'), ('INSERT INTO membership.journal SELECT * FROM membership.journal ON CONFLICT (member_id, journal_no) DO UPDATE SET points = 0', 'MB502'),
    ('INSERT INTO membership.contract (contract_id, merchant_id, valid_during) VALUES (9, 8, ''[2030-01-01,2031-01-01)'')', '23P01'),
    ('INSERT INTO membership.contract (contract_id, merchant_id, valid_during) VALUES (9, 1, ''empty'')', '23514'),
    ('INSERT INTO membership.contract (contract_id, merchant_id) VALUES (9, 99)', '23503'), ('INSERT INTO membership.merchant (merchant_id, name, mall_id) VALUES (9, ''x'', 9)', '23503'),
    ('INSERT INTO membership.merchant (merchant_id, name, party_id) VALUES (9, ''x'', 99)', '23503'), ('INSERT INTO membership.merchant (merchant_id, name) VALUES (9, '''')', '23514'),
    ('INSERT INTO membership.merchant (merchant_id, name, opened_on, ended_on) VALUES (9, ''x'', ''2024-02-02'', ''2024-02-01'')', '23514'),
    ('UPDATE membership.merchant SET pending_days = 367', '23514'), ('UPDATE membership.contract SET commission_rate = 1.01', '23514'), ('UPDATE membership.contract SET commission_rate = ''NaN''', '23514'),
    ('UPDATE membership.contract SET commission_rate = 0.0000001', '23514'), ('UPDATE membership.contract SET issue_price = -0.01', '23514'), ('UPDATE membership.contract SET collects = ''nobody''', '23514'),
    ('UPDATE membership.program SET base_rate = -1', '23514'), ('UPDATE membership.program SET base_rate = ''NaN''', '23514'), ('UPDATE membership.program SET base_rate = 0.0000001', '23514'),
    ('UPDATE membership.program SET award_rounding = ''up''', '23514'), ('UPDATE membership.program SET min_life_days = -1', '23514'), ('UPDATE membership.program SET expiry = NULL', '23502'), ('UPDATE membership.program SET pending_days = -1', '23514'),
    ('UPDATE membership.program SET claim_days = NULL', '23502'), ('UPDATE membership.program SET max_future = ''-1 second''', '23514'), ('UPDATE membership.program SET max_future = ''2 days''', '23514'),
    ('UPDATE membership.program SET phone_country = ''+86''', '23514'), ('UPDATE membership.program SET tier_window_months = 0', '23514'), ('UPDATE membership.tier SET multiplier = ''NaN''', '23514'),
    ('UPDATE membership.tier SET multiplier = 1.00001', '23514'), ('UPDATE membership.tier SET qualify_basis = 0', '23514'), ('UPDATE membership.tier SET qualify_basis = ''NaN''', '23514'),
    ('UPDATE membership.tier SET rank = 1 WHERE tier_id = 4', '23505'), ('INSERT INTO membership.tier (tier_id, code, name, rank) VALUES (10, ''Ruby'', ''Ruby'', 10)', '23514'),
    ('UPDATE membership.party SET kind = ''bank'' WHERE party_id = 1', '23514')) r (statement, code);
SAVEPOINT emptied;
SELECT throws_ok('TRUNCATE membership.' || name, 'MB301', NULL, 'MB301: TRUNCATE ' || name) FROM (VALUES ('contract'), ('tier'), ('wallet'), ('program')) t (name);
ROLLBACK TO emptied;
SELECT lives_ok($$UPDATE membership.merchant SET merchant_id = merchant_id, name = 'Tea palace', ended_on = '2099-01-01' WHERE merchant_id = 1$$, 'a shop can be renamed and ended');
SELECT lives_ok($$INSERT INTO membership.contract (contract_id, merchant_id, valid_during) VALUES (91, 1, '[2024-01-01,2024-07-01)'), (92, 1, '[2024-07-01,)')$$, 'contracts of neighbouring periods do not overlap');

SELECT throws_ok($$SELECT membership.create_program('Second', 'UTC')$$, 'MB403', NULL, 'there is one programme');

-- tables that a DBA has changed: further columns, indexes and triggers
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT relname FROM pg_class WHERE relnamespace = 'membership'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('ALTER TABLE membership.%I ADD COLUMN dba_note text NOT NULL DEFAULT ''none'', ADD COLUMN dba_count bigint DEFAULT 7', name);
    END LOOP;
END
$$;
CREATE INDEX ON journal (order_ref);
CREATE INDEX ON ledger_entry (points, dba_note);
CREATE INDEX ON account (balance);
CREATE UNIQUE INDEX ON lot (member_id, lot_no, dba_count);
SELECT enrol('dan') \gset
SELECT is(ROW(status, points, balance)::text, '(posted,11,11)', 'further columns and indexes: a purchase')  -- bronze 1.1
  FROM accrue_points(m('dan'), 2, 10, 'd1', at => '2024-03-01 12:00+08', external_refs => '{"wechat": "D1"}', attributes => '{"a": 1}');
SELECT is(ROW(duplicate, balance)::text, '(t,11)', 'the same again')
  FROM accrue_points(m('dan'), 2, 10, 'd1', at => '2024-03-01 12:00+08', external_refs => '{"wechat": "D1"}', attributes => '{"a": 1}');
SELECT is(balance, 8::bigint, 'an adjustment') FROM adjust_points(m('dan'), -3, 'x', 'a1', at => '2024-03-02 12:00+08');
SELECT is(ROW(l.remaining, l.dba_note, l.dba_count)::text, '(8,none,7)', 'the columns have their defaults') FROM lot l WHERE member_id = m('dan');

CREATE TABLE public.dba_log (relation name, operation text);
CREATE FUNCTION public.dba_audit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.dba_log VALUES (TG_RELNAME, TG_OP);
    RETURN NULL;
END
$$;
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT relname FROM pg_class WHERE relnamespace = 'membership'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('CREATE TRIGGER dba_audit AFTER INSERT OR UPDATE OR DELETE ON membership.%I FOR EACH ROW EXECUTE FUNCTION public.dba_audit()', name);
    END LOOP;
END
$$;
SELECT is(ROW(status, points, balance)::text, '(posted,110,118)', 'further triggers: a purchase')
  FROM accrue_points(m('dan'), 2, 100, 'd2', at => '2024-03-03 12:00+08', external_refs => '{"wechat": "D2"}');
-- the window: 10 + 100 reach what silver now needs
SELECT set_eq('SELECT relation::text, operation, count(*)::int FROM public.dba_log GROUP BY relation, operation',
              $$VALUES ('journal', 'INSERT', 1), ('ledger_entry', 'INSERT', 1), ('lot', 'INSERT', 1), ('receipt', 'INSERT', 1), ('receipt_ref', 'INSERT', 1), ('activity_day', 'INSERT', 1),
                       ('merchant_split', 'INSERT', 3), ('member', 'UPDATE', 1), ('tier_history', 'UPDATE', 1), ('tier_history', 'INSERT', 1), ('account', 'UPDATE', 1)$$, 'which saw every row once');
SELECT is(balance, 0::bigint, 'further triggers: an adjustment') FROM adjust_points(m('dan'), -118, 'x', 'a2', at => '2024-03-04 12:00+08');

-- a trigger that calls the engine while the engine is at work, and changes configuration
CREATE TABLE public.dba_preview (journal_no bigint, points bigint, tier text);
CREATE FUNCTION public.dba_preview() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE membership.tier SET name = name || '.';
    INSERT INTO public.dba_preview SELECT NEW.journal_no, p.points, p.tier FROM membership.preview_accrual(NEW.member_id, 1, 50) p;
    RETURN NULL;
END
$$;
CREATE TRIGGER dba_preview AFTER INSERT ON journal FOR EACH ROW EXECUTE FUNCTION public.dba_preview();
SELECT enrol('eli') \gset
SELECT is(ROW(status, points, tier, tier_changed, balance, explanation ->> 'tier')::text, '(posted,132,silver,t,132,bronze)', 'a trigger previews and changes configuration: the purchase around it')
  FROM accrue_points(m('eli'), 2, 120, 'e1', at => '2024-03-03 12:00+08', lines => '[{"amount": 20, "sku": "a"}, {"amount": 100, "merchant_id": 3, "sku": "b"}]');
-- 120 x 1.1 = 132: 22 of the Bookshop, 110 of the Noodle bar
SELECT is(array_agg(ROW(merchant_id, kind, amount, points)::text ORDER BY split_no), '{"(2,sale,20.00,)","(2,commission,1.00,)","(3,commission,8.00,)","(2,points_issued,0.22,22)","(3,points_issued,2.20,110)"}', 'and its splits')
  FROM merchant_split WHERE member_id = m('eli');
-- AFTER triggers fire when all of a call's rows are written: at enrolment (event 1) the member was bronze, 50 x 1.1;
-- after the purchase (event 2) silver, 50 x 1.2
SELECT is(array_agg(ROW(journal_no, points)::text ORDER BY journal_no), '{"(1,55)","(2,60)"}', 'and the previews') FROM public.dba_preview;
SELECT is(points, 60::bigint, 'after it all is as it was') FROM preview_accrual(m('eli'), 1, 50);
DROP TRIGGER dba_preview ON journal;

-- a trigger that posts: whoever invited gets 5 points for a first purchase
CREATE FUNCTION public.dba_bonus() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM membership.grant_points(m.referrer_id, 5, 'invitation', 'invited ' || NEW.member_id)
       FROM membership.member m WHERE m.member_id = NEW.member_id AND m.referrer_id IS NOT NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER dba_bonus AFTER INSERT ON journal FOR EACH ROW WHEN (NEW.verb = 'accrual') EXECUTE FUNCTION public.dba_bonus();
SELECT member_id AS guest FROM enroll_member('card', 'guest', referral_code => (SELECT value FROM member_identity WHERE kind = 'referral' AND member_id = m('eli')), at => '2024-03-04 12:00+08') \gset
SELECT is(ROW(points, balance)::text, '(11,11)', 'a trigger posts for another member: the purchase around it') FROM accrue_points(:guest, 1, 10, 'g1', at => '2024-03-05 12:00+08');
SELECT is(ROW(points, balance)::text, '(11,22)', 'a further one') FROM accrue_points(:guest, 1, 10, 'g2', at => '2024-03-05 12:00+08');
SELECT is(ROW(count(*), sum(points))::text, '(1,5)', 'and one bonus for who invited') FROM journal WHERE member_id = m('eli') AND verb = 'grant';

-- a statement that changes rules and posts while it runs: what it kept on the way is read again
SELECT enrol('hal') \gset
INSERT INTO earn_rule (rule_id, code, name, status, effect, value) VALUES (1, 'one', 'One', 'paused', 'bonus_points', 100);
WITH started AS (UPDATE earn_rule SET status = 'active', effective_from = '2024-01-01' RETURNING rule_id)
SELECT (accrue_points(m('hal'), 1, rule_id, 'h1', at => '2024-03-05 12:00+08')).points AS half_way FROM started \gset
SELECT is(points, 111::bigint, 'a rule counts after the statement that started it') FROM accrue_points(m('hal'), 1, 10, 'h2', at => '2024-03-05 12:00+08');
-- the last moment that PostgreSQL knows has none after it
UPDATE earn_rule SET valid_during = '[2024-01-01, 294276-12-31 23:59:59.999999]', effective_from = '2024-01-02';
SELECT is(points, 111::bigint, 'a rule that ends with time') FROM accrue_points(m('hal'), 1, 10, 'h3', at => '2024-03-05 12:00+08');
UPDATE earn_rule SET valid_during = '(294276-12-31 23:59:59.999999, infinity)', effective_from = '2024-01-03';
SELECT is(points, 11::bigint, 'and one that begins then') FROM accrue_points(m('hal'), 1, 10, 'h4', at => '2024-03-05 12:00+08');

-- the caller's settings change nothing
SET LOCAL DateStyle = 'SQL, DMY';
SET LOCAL TimeZone = 'Pacific/Apia';
SET LOCAL IntervalStyle = 'sql_standard';
SET LOCAL standard_conforming_strings = off;
SET LOCAL row_security = off;
SELECT is(ROW(points, balance, expires_at = '2026-02-28 16:00+00')::text, '(11,11,t)', 'DateStyle, TimeZone and such: a purchase') FROM accrue_points(enrol('zoe'), 1, 10, 'z1', at => '2024-02-29T12:00+08');
SELECT is(day, make_date(2024, 2, 29), 'its day') FROM journal WHERE member_id = m('zoe') AND verb = 'accrual';

SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
SELECT * FROM finish();
ROLLBACK;
