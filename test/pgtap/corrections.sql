-- Corrections: receipts that were mis-rung, or credited to the wrong member; goods exchanged for others.
\set tests 115
\ir setup.psql
SELECT open_mall() \gset
\ir spending.psql
\ir refunds.psql

CREATE FUNCTION public.fix(ref text, amount numeric, correction text, lines jsonb DEFAULT NULL, merchant integer DEFAULT 1, at timestamptz DEFAULT '2024-02-10 12:00+08', reason text DEFAULT 'mis-rung')
RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', a.status, a.points, a.tier, CASE WHEN a.duplicate THEN 'again' END) FROM membership.correct_purchase(merchant, ref, amount, lines, correction, reason, at) a $$;
CREATE FUNCTION public.move(ref text, name text, merchant integer DEFAULT 1, at timestamptz DEFAULT '2024-02-10 12:00+08', reason text DEFAULT 'wrong card')
RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', a.status, a.points, a.tier, CASE WHEN a.duplicate THEN 'again' END) FROM membership.reassign_purchase(merchant, ref, public.m(name), reason, at) a $$;
-- an event a line: number verb points of what it refers to, and the other member
CREATE FUNCTION public.told(name text, since bigint DEFAULT 2) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', journal_no, verb, points, 'of ' || refers_to, 'with ' || (SELECT value FROM membership.member_identity i WHERE i.member_id = counterpart_id AND kind = 'card')), ', ' ORDER BY journal_no)
      FROM membership.journal WHERE member_id = public.m(name) AND journal_no >= since $$;

-- ------------------------------------------------------------------ mis-rung

-- 1,000.00 instead of 100.00, 8 % commission, 0.02 per point
SELECT is(sale('ann', 'A-1', 1000, merchant => 3), 'posted 1000', 'an order');
SELECT is(fix('A-1', 100, 'C-1', merchant => 3), 'posted 100 regular', 'corrected');
SELECT is(told('ann'), '2 accrual 1000, 3 correction -1000 of 2, 4 accrual 100 of 3', 'one story');
SELECT is(ROW(wallet('ann'), owed('ann'), day_of('ann'))::text, '("100 to 26-02-02 = 100","3 commission 8.00/, 3 points_issued 2.00/100","1 100.00 100 0")', 'as if rung rightly: points that live as long, splits, activity');
SELECT is(ROW(occurred_at, posted_at, day, amount, merchant_id, order_ref, channel)::text, ROW('2024-02-01 12:00+08'::timestamptz, '2024-02-10 12:00+08'::timestamptz, '2024-02-01'::date, 100.00, 3, 'A-1', 'pos')::text, 'the new row happened then')
  FROM journal WHERE member_id = m('ann') AND journal_no = 4;
SELECT is(string_agg(format('%s %s %s', verb, points, order_ref), ', ' ORDER BY journal_no, entry_no), 'accrual 1000 A-1, correction -1000 A-1, accrual 100 A-1', 'the statement tells it') FROM statement(m('ann')) WHERE journal_no > 1;
SELECT is(fix('A-1', 100.0, 'C-1', merchant => 3) || ', ' || wallet('ann'), 'posted 100 regular again, 100 to 26-02-02 = 100', 'again: the first result');
SELECT is(code($$SELECT fix('A-1', 101, 'C-1', merchant => 3)$$), 'MB201', 'with another amount it is another correction');
SELECT is(fix('A-1', 101, 'C-2', merchant => 3) || ', ' || told('ann', 5), 'posted 101 regular, 5 correction -100 of 4, 6 accrual 101 of 5', 'which goes on from there');
SELECT is(back('A-1', 'R-1', merchant => 3) || ', ' || coalesce(owed('ann'), 'nothing') || ', ' || day_of('ann'), '101.00 cash 101.00, clawed 101, nothing, 0 0.00 0 0', 'a refund is of the receipt as it stands');
SELECT is(code($$SELECT fix('A-1', 50, 'C-3', merchant => 3)$$), 'MB110', 'after it nothing is corrected');

-- as of then: rules in force then, base rate, rounding, stacking and tier of the sale
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, condition) VALUES (1, 'triple', 'Triple from 50', 'active', 'multiplier', 3, 'order_basis >= 50'), (2, 'grow', 'Growth', 'active', 'growth', 2, NULL);
UPDATE program SET award_rounding = 'ceiling';
SELECT born('sil', 'silver') \gset
-- 40.10 x 1.2 = 48.12, up; growth 80.2
SELECT is(sale('sil', 'A-2', 40.10) || ', ' || day_of('sil'), 'posted 49, 1 40.10 49 81', 'an order');
UPDATE earn_rule SET status = 'ended', effective_from = '2024-02-05';
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, effective_from) VALUES (3, 'ten', 'Tenfold, since', 'active', 'multiplier', 10, '2024-02-05');
UPDATE program SET award_rounding = 'floor', base_rate = 5, stacking = 'multiply';
UPDATE tier SET qualify_basis = 1 WHERE code = 'diamond';
SELECT sale('sil', 'A-0', 1, at => '2024-02-06 12:00+08') \gset
UPDATE tier SET qualify_basis = 50000 WHERE code = 'diamond';
-- 60.10 x (1.2 + 2) = 192.32, up; growth 120.2, up
SELECT is(fix('A-2', 60.10, 'C-1') || ', ' || day_of('sil'), 'posted 193 diamond, 1 60.10 193 121', 'judged as of then');
UPDATE earn_rule SET status = 'ended', effective_from = '2023-01-05'; -- none from here on
UPDATE program SET base_rate = 1, stacking = 'additive';

-- the stacking of then, of an order that no rule met, too: 100.00 x (1 + 1 + 2), and x 2 x 3
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, condition) VALUES (8, 'two', 'Double from 50', 'active', 'multiplier', 2, 'order_basis >= 50'), (9, 'three', 'Triple from 50', 'active', 'multiplier', 3, 'order_basis >= 50');
SELECT is(sale('sta', 'A-13', 10), 'posted 10', 'an order that no rule met');
UPDATE program SET stacking = 'multiply';
SELECT is(sale('sta', 'A-14', 10), 'posted 10', 'another');
SELECT is(fix('A-13', 100, 'C-1'), 'posted 400 regular', 'added up as then');
UPDATE program SET stacking = 'additive';
SELECT is(fix('A-14', 100, 'C-1'), 'posted 600 regular', 'multiplied as then');
SELECT is(fix('A-14', 200, 'C-2') || ', ' || fix('A-14', 100, 'C-3'), 'posted 1200 regular, posted 600 regular', 'corrected more than once');
SELECT is(ROW(purchases, points)::text, '(2,600)', 'rule_effect counts each once: 200 and 400') FROM rule_effect WHERE code = 'three';
UPDATE earn_rule SET status = 'ended', effective_from = '2023-01-05' WHERE status = 'active';

-- the first purchase stays the first: what is taken back was never there
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, condition)
VALUES (5, 'first_ever', 'First', 'active', 'bonus_points', 100, 'first_purchase'), (6, 'first_here', 'First here', 'active', 'bonus_points', 10, 'first_at_merchant AND days_since_purchase IS NULL AND orders_today = 0');
SELECT is(sale('fir', 'A-7', 100) || ', ' || fix('A-7', 50, 'C-1') || ', ' || sale('fir', 'A-8', 10, at => '2024-02-11 12:00+08'), 'posted 210, posted 160 regular, posted 10', 'a mis-rung first purchase stays the first');
SELECT enrol('fir3') \gset
SELECT is(sale('fir2', 'A-9', 100) || ', ' || move('A-9', 'fir3') || ', ' || sale('fir2', 'A-10', 10, at => '2024-02-11 12:00+08') || ', ' || sale('fir3', 'A-12', 10, at => '2024-02-11 12:00+08'), 'posted 210, posted 210 regular, posted 120, posted 10', 'moved, it is the other''s first, and the next one''s own');
UPDATE earn_rule SET status = 'ended', effective_from = '2023-01-05' WHERE status = 'active';
-- what expired expires again, beside the points of a rule with a life of its own: 100 of 150 expire again, the other 50 at once, 100 of the rule pay for what was spent
UPDATE program SET expiry = '1 months';
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, expiry) VALUES (10, 'lives', 'Lives longer', 'active', 'bonus_points', 100, '24 months');
SELECT is(sale('dead', 'A-15', 100) || ', ' || wallet('dead'), 'posted 200, 100 to 24-03-02 + 100 to 26-02-02 = 200', 'an order');
SELECT points FROM redeem_points(m('dead'), 100, 'D-1', order_amount => 100, at => '2024-03-19 12:00+08') \gset
SELECT is(wallet('dead') || ', ' || fix('A-15', 150, 'C-1', at => '2024-03-20 12:00+08') || ', ' || wallet('dead'), 'none = 0, posted 250 regular, none = 0', 'corrected when most of it had expired and the rest was spent, none of that comes back to life');
UPDATE program SET expiry = '24 months';
UPDATE earn_rule SET status = 'ended', effective_from = '2023-01-05' WHERE status = 'active';
-- pending points stay pending, until the same day
UPDATE program SET pending_days = 20;
SELECT is(sale('pen', 'A-11', 100) || ', ' || fix('A-11', 60, 'C-1') || ', ' || lots('pen'), 'pending 100, pending 60 regular, 3:60', 'pending points stay pending');
SELECT is(active_at, '2024-02-21 00:00+08', 'as long as the first ones would have') FROM lot WHERE member_id = m('pen');
UPDATE program SET pending_days = 0;

-- other lines at other shops
\set lines '[{"amount": 300.00}, {"amount": 199.90, "merchant_id": 12}, {"amount": 88.10, "merchant_id": 13}]'
SELECT fund('pay', 10000) \gset
SELECT is(sale('pay', 'A-3', 588, :'lines', 2900, 11), 'posted 501', 'an order paid with points');
SELECT is(code($$SELECT fix('A-3', 86.99, 'C-0', merchant => 11)$$), 'MB103', 'the points that paid must be worth no more than it');
-- 87.00 over 300.00 / 200.00: 52.20 / 34.80; 2,900: 1,740 / 1,160; basis 247.80 + 165.20
SELECT is(fix('A-3', 500, 'C-1', '[{"amount": 300}, {"amount": 200, "merchant_id": 12}]', 11), 'posted 413 regular', 'the points stay spent');
SELECT is(ROW(wallet('pay'), owed('pay'), days('pay') LIKE '02-01: 1 413.00 413 0, 2900 %')::text, '("7513 to 26-02-02 = 7513","11 commission 30.00/, 11 sale -300.00/, 12 commission 16.00/, 12 sale -200.00/",t)', 'spread over the new lines');
SELECT is(back('A-3', 'R-1', lines => '[{"line_no": 2, "amount": 200}]', merchant => 11) || '; ' || back('A-3', 'R-2', merchant => 11) || '; ' || wallet('pay'),
          '200.00 cash 165.20, restored 1160, clawed 165; 300.00 cash 247.80, restored 1740, clawed 248; 10000 to 26-02-02 = 10000', 'and go back by them');
SELECT is(owed('pay'), NULL, 'nobody owes anything');

-- more makes a tier, what was spent is owed, debt is paid by what comes anew
SELECT is(sale('rich', 'A-4', 50) || ', ' || fix('A-4', 5000, 'C-1'), 'posted 50, posted 5000 silver', 'a correction may reach a tier');
SELECT is(sale('owe', 'A-5', 1000), 'posted 1000', 'an order');
SELECT adjust_points(m('owe'), -1000, 'spent', 'A', '2024-02-05 12:00+08') \gset
SELECT is(fix('A-5', 100, 'C-1') || ', ' || wallet('owe'), 'posted 100 regular, none = -900 debt 900', 'points that are spent are owed');
SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');

-- what is not corrected
SELECT is(sale('no', 'N-1', 100) || ', ' || back('N-1', 'R-1', 1) || ', ' || sale('no', 'N-2', 100, at => '2023-12-01 12:00+08', posted => '2024-02-11 12:00+08') || ', ' || back('N-4', 'R-1', 1), 'posted 100, 1.00 cash 1.00, clawed 1, review 0, parked', 'orders');
SELECT is(i.sqlstate, NULL, 'an import') FROM import_purchases(ARRAY[ROW(m('no'), 1, 50, 'N-3', '2023-06-01 12:00+08', NULL, 10)::purchase_import]) i;
SELECT is(code('SELECT correct_purchase(' || arguments || ')'), code, code || ' ' || arguments)
  FROM (VALUES ('1, ''N-1'', 50, NULL, ''C'', ''x''', 'MB110'), ('1, ''N-2'', 50, NULL, ''C'', ''x''', 'MB110'), ('1, ''N-3'', 50, NULL, ''C'', ''x''', 'MB110'), ('1, ''N-4'', 50, NULL, ''C'', ''x''', 'MB009'), ('1, ''N-5'', 50, NULL, ''C'', ''x''', 'MB009'),
               ('99, ''N-1'', 50, NULL, ''C'', ''x''', 'MB003'), ('1, ''A-4'', -1, NULL, ''C'', ''x''', '22023'), ('1, ''A-4'', 50, ''[{"amount": 49}]'', ''C'', ''x''', '22023'), ('1, ''A-4'', 50, NULL, '''', ''x''', '22023'), ('1, ''A-4'', 50.001, NULL, ''C'', ''x''', '22023'),
               ('1, ''A-4'', NULL, NULL, ''C'', ''x''', '22004'), ('1, ''A-4'', 50, NULL, NULL, ''x''', '22004'), ('1, ''A-4'', 50, NULL, ''C'', NULL', '22004'), ('1, NULL, 50, NULL, ''C'', ''x''', '22004'), ('NULL, ''A-4'', 50, NULL, ''C'', ''x''', '22004')) v (arguments, code);
SELECT review_accrual(m('no'), (SELECT journal_no FROM journal WHERE member_id = m('no') AND order_ref = 'N-2'), 'approve', 'slip seen') \gset
SELECT is(fix('N-2', 50, 'C', at => NULL) || ', ' || day_of('no', '2023-12-01'), 'posted 50 regular, 1 50.00 50 0', 'once decided it is');

-- ------------------------------------------------------------------ credited to the wrong member

-- silver from the beginning: 1.2x
SELECT born('right', 'silver') \gset
SELECT is(sale('wrong', 'M-1', 100, merchant => 3), 'posted 100', 'to the wrong member');
SELECT is(move('M-1', 'right', 3), 'posted 120 silver', 'to the right one, by that one''s tier');
SELECT is(told('wrong'), '2 accrual 100, 3 reassignment -100 of 2 with right', 'the one is told where it went');
SELECT ok(told('right') LIKE '2 accrual 120%with wrong', 'the other where it came from');
SELECT is(string_agg(format('%s %s', verb, counterpart_id = m('right')), ', ' ORDER BY journal_no), 'accrual , reassignment t', 'in the statement, too') FROM statement(m('wrong')) WHERE journal_no > 1;
SELECT is(ROW(wallet('wrong'), owed('wrong'), day_of('wrong'))::text, '("none = 0",,"0 0.00 0 0")', 'the wrong one stands as before');
SELECT is(ROW(wallet('right'), owed('right'), day_of('right'))::text, '("120 to 26-02-02 = 120","3 commission 8.00/, 3 points_issued 2.40/120","1 100.00 120 0")', 'the right one as if it had been hers');
SELECT is(move('M-1', 'right', 3) || ', ' || wallet('right'), 'posted 120 silver again, 120 to 26-02-02 = 120', 'again: nothing changes');
SELECT is(back('M-1', 'R-1', 50, merchant => 3, member => m('right')) || ', ' || wallet('right'), '50.00 cash 50.00, clawed 60, 60 to 26-02-02 = 60', 'a refund finds her');
SELECT is(code($$SELECT back('M-1', 'R-2', 50, merchant => 3, member => m('wrong'))$$), 'MB202', 'no more the wrong one');
-- and on, and back
SELECT is(sale('wrong', 'M-2', 100, at => '2024-02-02 12:00+08') || ', ' || move('M-2', 'right') || ', ' || move('M-2', 'ann') || ', ' || move('M-2', 'wrong'), 'posted 100, posted 120 silver, posted 100 regular, posted 100 regular', 'on to others, and back');
SELECT is(day_of('wrong', '2024-02-02') || ', ' || day_of('right', '2024-02-02') || ', ' || day_of('ann', '2024-02-02'), '1 100.00 100 0, 0 0.00 0 0, 0 0.00 0 0', 'it is counted once');
SELECT is(fix('M-2', 10, 'C-1') || ', ' || back('M-2', 'R-1'), 'posted 10 regular, 10.00 cash 10.00, clawed 10', 'a correction after it');

SELECT set_member_status(enrol('gone'), 'closed', 'x') \gset
SELECT is(code('SELECT reassign_purchase(' || arguments || ')'), code, code || ' ' || arguments)
  FROM (VALUES ('1, ''N-1'', m(''ann''), ''x''', 'MB110'), ('1, ''N-3'', m(''ann''), ''x''', 'MB110'), ('11, ''A-3'', m(''ann''), ''x''', 'MB110'), ('1, ''N-4'', m(''ann''), ''x''', 'MB009'), ('1, ''A-4'', 987654321, ''x''', 'MB002'), ('1, ''A-4'', m(''gone''), ''x''', 'MB102'),
               ('99, ''A-4'', m(''ann''), ''x''', 'MB003'), ('1, ''A-4'', NULL, ''x''', '22004'), ('1, ''A-4'', m(''ann''), NULL', '22004'), ('1, NULL, m(''ann''), ''x''', '22004'), ('NULL, ''A-4'', m(''ann''), ''x''', '22004'), ('1, '''', m(''ann''), ''x''', '22023')) v (arguments, code);
SELECT fund('buyer', 1000) \gset
SELECT is(sale('buyer', 'M-3', 100, points => 500) || ', ' || code($$SELECT move('M-3', 'ann')$$), 'posted 85, MB110', 'paid with points of the one it is not the other''s');
SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');

-- ------------------------------------------------------------------ exchanged

CREATE FUNCTION public.swap(name text, ref text, amount numeric, of text, at timestamptz DEFAULT '2024-03-10 12:00+08', lines jsonb DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s %s', status, points) FROM membership.accrue_points(public.m(name), 1, amount, ref, at, lines => lines, at => at, exchange_of => of) $$;
-- double in February
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, valid_during) VALUES (4, 'february', 'Double in February', 'active', 'multiplier', 2, '[2024-02-01,2024-03-01)');
SELECT is(sale('ex', 'X-1', 100) || ', ' || code($$SELECT swap('ex', 'X-2', 150, 'X-1')$$), 'posted 200, MB109', 'what was not returned is not exchanged');
SELECT is(back('X-1', 'R-1', at => '2024-03-10 11:00+08'), '100.00 cash 100.00, clawed 200', 'returned');
SAVEPOINT exchange;
-- 100.00 at 2x, 50.00 at 1x
SELECT is(swap('ex', 'X-2', 150, 'X-1') || ', ' || wallet('ex'), 'posted 250, 250 to 26-03-11 = 250', 'up to the old net it earns as then, the rest as now');
SELECT is(swap('ex', 'X-2', 150, 'X-1') || ', ' || code($$SELECT swap('ex', 'X-3', 10, 'X-1')$$), 'posted 250, MB109', 'once');
SELECT is(back('X-2', 'R-1', 75, at => '2024-03-11 12:00+08') || '; ' || back('X-2', 'R-2', at => '2024-03-11 12:00+08'), '75.00 cash 75.00, clawed 125; 75.00 cash 75.00, clawed 125', 'a refund of it is proportional');
SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
ROLLBACK TO exchange;
-- 40.00 x 2; then 60.00 x 2 and 30.00
SELECT is(swap('ex', 'X-2', 40, 'X-1') || ', ' || swap('ex', 'X-3', 90, 'X-1'), 'posted 80, posted 150', 'in parts');
ROLLBACK TO exchange;
-- exchanged again and again, at other base rates. X-2 is 100.00 x 2 and 50.00. Of the first 60.00, 40.00 are old; X-4 is 60.00 x 2, 30.00 and 10.00 x 3;
-- X-5 is the same; of the first 10.00 of its 50.00, 6.00 x 2, 3.00 and 1.00 x 3, then 24.00 x 2, 12.00 and 4.00 x 3
SELECT is(swap('ex', 'X-2', 150, 'X-1') || '; ' || back('X-2', 'R-1', at => '2024-04-02 11:00+08'), 'posted 250; 150.00 cash 150.00, clawed 250', 'an exchange, returned');
UPDATE program SET base_rate = 3;
SELECT is(swap('ex', 'X-3', 60, 'X-2', '2024-04-02 12:00+08') || ', ' || swap('ex', 'X-4', 100, 'X-2', '2024-04-02 12:00+08'), 'posted 100, posted 180', 'exchanged for others they earn as they were bought first');
SELECT is(back('X-4', 'R-1', at => '2024-05-02 11:00+08') || ', ' || swap('ex', 'X-5', 100, 'X-4', '2024-05-02 12:00+08'), '100.00 cash 100.00, clawed 180, posted 180', 'and again');
SELECT is(back('X-5', 'R-1', 50, at => '2024-06-02 11:00+08') || ', ' || swap('ex', 'X-6', 10, 'X-5', '2024-06-02 12:00+08') || ', ' || swap('ex', 'X-7', 40, 'X-5', '2024-06-02 12:00+08', '[{"amount": 30}, {"amount": 10}]'),
          '50.00 cash 50.00, clawed 90, posted 18, posted 72', 'in parts');
SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
ROLLBACK TO exchange;
-- 60.00 of 150.00 back are 100 points, 40.00 x 2 and 20.00
SELECT is(swap('ex', 'X-2', 150, 'X-1') || '; ' || back('X-2', 'R-1', 60, at => '2024-04-02 11:00+08'), 'posted 250; 60.00 cash 60.00, clawed 100', 'a part of an exchange, returned');
UPDATE program SET base_rate = 3;
SELECT is(swap('ex', 'X-3', 60, 'X-2', '2024-04-02 12:00+08') || ', ' || wallet('ex'), 'posted 100, 150 to 26-03-11 + 100 to 26-04-03 = 250', 'a change of size makes and loses no points');
ROLLBACK TO exchange;
-- ten exchanges are looked through: the eleventh earns as the first of them was judged, at 1 point a unit
SELECT is(string_agg(swap('ex', 'Y-' || n, 100, CASE n WHEN 1 THEN 'X-1' ELSE 'Y-' || n - 1 END) || ' ' || back('Y-' || n, 'R-1', at => '2024-03-10 12:00+08'), ', ' ORDER BY n), repeat('posted 200 100.00 cash 100.00, clawed 200, ', 10) || 'posted 200 100.00 cash 100.00, clawed 200', 'eleven times')
  FROM generate_series(1, 11) n;
SELECT is(swap('ex', 'Y-12', 100, 'Y-11'), 'posted 100', 'and the twelfth');
ROLLBACK TO exchange;
-- 100.00 as then x 2 and 500 that were kept: 700, of which 200 were taken back
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, valid_during, refund_mode) VALUES (13, 'kept', 'A gift to keep', 'active', 'bonus_points', 500, '[2024-02-01,2024-03-01)', 'none'), (14, 'grown', 'Growth to keep', 'active', 'growth', 1, '[2024-02-01,2024-03-01)', 'none');
SELECT is(sale('keep', 'K-1', 100) || '; ' || back('K-1', 'R-1', at => '2024-03-10 11:00+08') || '; ' || swap('keep', 'K-2', 100, 'K-1') || ', ' || wallet('keep') || ', ' || days('keep'),
          'posted 700; 100.00 cash 100.00, clawed 200; posted 200, 500 to 26-02-02 + 200 to 26-03-11 = 700, 02-01: 0 0.00 500 100, 0 100.00 0.00; 03-10: 1 100.00 200 0, 0 0.00 100.00', 'what was kept is not given again');
SELECT is(string_agg(concat_ws(' ', code, outcome, e.points, e.growth), ', ' ORDER BY rule_id), 'february applied 100, kept applied 0, grown applied 0', 'and it is said')
  FROM journal, jsonb_to_recordset(rules -> 'rules') e (rule_id integer, code text, outcome text, points bigint, growth bigint) WHERE order_ref = 'K-2' AND verb = 'accrual';
ROLLBACK TO exchange;
-- an order whose award was not posted has nothing to keep: 100.00 as of now
SELECT is(sale('late', 'L-1', 100, posted => '2024-03-10 10:00+08') || '; ' || back('L-1', 'R-1', at => '2024-03-10 11:00+08') || '; ' || swap('late', 'L-2', 100, 'L-1') || ', ' || back('L-2', 'R-1', at => '2024-03-10 13:00+08') || '; ' || swap('late', 'L-3', 100, 'L-2'),
          'review 0; 100.00 cash 100.00; posted 100, 100.00 cash 100.00, clawed 100; posted 100', 'goods of a purchase under review earn as of now');
ROLLBACK TO exchange;
-- an imported one as of then, whatever the stacking is now: 100.00 x (1 + 1 + 2)
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, valid_during) VALUES (15, 'thrice', 'Triple in February', 'active', 'multiplier', 3, '[2024-02-01,2024-03-01)');
SELECT import_purchases(ARRAY[ROW(m('ex'), 1, 100, 'I-1', '2024-02-01 12:00+08', NULL, 0)]::purchase_import[]) \gset
UPDATE program SET stacking = 'multiply';
SELECT is(back('I-1', 'R-1', at => now()) || '; ' || swap('ex', 'I-2', 100, 'I-1', now()) || '; ' || back('I-2', 'R-1', at => now()) || '; ' || swap('ex', 'I-3', 100, 'I-2', now()),
          '100.00 cash 100.00; posted 400; 100.00 cash 100.00, clawed 400; posted 400', 'goods of an imported purchase');
UPDATE program SET stacking = 'additive';
ROLLBACK TO exchange;
-- of two parts each may be awarded, and both not: 6 x 10^14 points, twice
UPDATE program SET base_rate = 100;
SELECT is(sale('much', 'B-1', 3000000000000) || '; ' || back('B-1', 'R-1', at => '2024-03-10 11:00+08'), 'posted 600000000000000; 3000000000000.00 cash 3000000000000.00, clawed 600000000000000', 'a very large order');
UPDATE program SET base_rate = 200;
SELECT is(code($$SELECT swap('much', 'B-2', 6000000000000, 'B-1')$$) || ', ' || code($$SELECT accrue_points(m('much'), 1, 6000000000000, 'B-2', '2024-03-10 12:00+08', exchange_of => 'B-1', at => '2024-05-10 12:00+08')$$), '22003, 22003', 'more points than an award may have, be it under review');
ROLLBACK TO exchange;
-- lines in that proportion: 100 / 150 of 90.00 / 60.00 = 60.00 / 40.00; (60.00 + 40.00) x 2 + 30.00 + 20.00
SELECT is(swap('ex', 'X-2', 150, 'X-1', lines => '[{"amount": 90}, {"amount": 60}]'), 'posted 250', 'lines are divided alike');
ROLLBACK TO exchange;
SELECT is(code(call), code, call)
  FROM (VALUES ($$SELECT swap('ex', 'X-2', 150, 'X-9')$$, 'MB009'), ($$SELECT swap('ann', 'X-2', 150, 'X-1')$$, 'MB009'), ($$SELECT swap('ex', 'X-2', 150, '')$$, '22023')) v (call, code);
SELECT is(a.points, 250::bigint, 'a batch exchanges, too')
  FROM accrue_batch(ARRAY[ROW(m('ex'), 1, 150, 'X-2', '2024-03-10 12:00+08', NULL, NULL, NULL, NULL, NULL, 'X-1', '2024-03-10 12:00+08')::purchase]) a;
ROLLBACK TO exchange;
-- a bonus of 50 in its part: 50 x 100.00 / 150.00 = 33.3; in a batch, 60.00 and then 40.00 of 100.00: 60 x 2 + 50, 40 x 2 + 60 + 50 x 0.4, then nothing is left
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, valid_during) VALUES (7, 'valentine', 'Bonus in February', 'active', 'bonus_points', 50, '[2024-02-01,2024-03-01)');
SELECT is(swap('ex', 'X-2', 150, 'X-1'), 'posted 283', 'a bonus of then in proportion, rounded down');
ROLLBACK TO exchange;
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, valid_during) VALUES (7, 'valentine', 'Bonus in February', 'active', 'bonus_points', 50, '[2024-02-01,2024-03-01)');
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, valid_during, stack_group) VALUES (11, 'small', 'A small gift', 'active', 'bonus_points', 1, '[2024-02-01,2024-03-01)', 'gift'), (12, 'big', 'A big gift', 'active', 'bonus_points', 9, '[2024-02-01,2024-03-01)', 'gift');
SAVEPOINT gift;
-- 100.00 of 1,500.00: 50, 1 and 9 x 1 / 15 = 3, 0, 0
SELECT is(string_agg(concat_ws(' ', code, outcome, e.points, by), ', ' ORDER BY rule_id), 'february applied 100, valentine applied 3, small beaten big, big applied 0', 'bonuses meet with their whole value')
  FROM accrue_points(m('ex'), 1, 1500, 'X-2', '2024-03-10 12:00+08', exchange_of => 'X-1', at => '2024-03-10 12:00+08') a, jsonb_to_recordset(a.explanation -> 'rules') e (rule_id integer, code text, outcome text, points bigint, by text);
ROLLBACK TO gift;
UPDATE earn_rule SET status = 'ended', effective_from = '2023-01-05' WHERE rule_id > 10;
SELECT is(string_agg(concat_ws(' ', points, sqlstate), ', ' ORDER BY row_no), '170, 160, MB109', 'one batch does not exchange twice')
  FROM accrue_batch(ARRAY(SELECT ROW(m('ex'), 1, a, 'X-' || a, '2024-03-10 12:00+08', NULL, NULL, NULL, NULL, NULL, 'X-1', '2024-03-10 12:00+08')::purchase FROM unnest('{60,100,10}'::integer[]) a));
ROLLBACK TO exchange;
-- with points: 200 = 6.00 over 90.00 / 50.00 / 10.00, which earns nothing: basis 86.40 / 48.00. 100.00 of it are 60.00 / 33.33 / 6.67, basis 57.60 / 32.00:
-- 89.60 x 2 = 179.2, the rest 44.8
SELECT fund('ex', 200, at => '2024-03-10 11:30+08') \gset
SELECT is(ROW(points, points_wanted)::text, '(223,223)', 'an exchange paid with points earns on what was not')
  FROM accrue_points(m('ex'), 1, 150, 'X-2', lines => '[{"amount": 90}, {"amount": 50}, {"amount": 10, "eligible": false}]', tenders => '[{"kind": "points", "points": 200}]', at => '2024-03-10 12:00+08', exchange_of => 'X-1');
SELECT is(back('X-2', 'R-1', at => '2024-03-11 12:00+08') || ', ' || wallet('ex'), '150.00 cash 144.00, restored 200, clawed 223, 200 to 26-03-11 = 200', 'and goes back whole');
ROLLBACK TO exchange;
-- the tier and the base rate of then: silver 1.2, 1.2 + 1 = 2.2; now 3 points a unit at diamond 2x: 6
SELECT born('tex', 'silver') \gset
SELECT is(sale('tex', 'X-5', 100) || ', ' || back('X-5', 'R-1', at => '2024-03-10 11:00+08'), 'posted 220, 100.00 cash 100.00, clawed 220', 'an order, returned');
UPDATE tier SET qualify_basis = 1 WHERE code = 'diamond';
SELECT sale('tex', 'X-0', 1, at => '2024-03-10 11:30+08') \gset
UPDATE tier SET qualify_basis = 50000 WHERE code = 'diamond';
UPDATE program SET base_rate = 3;
SELECT is(swap('tex', 'X-6', 150, 'X-5'), 'posted 520', '220 as then, 300 as now');
UPDATE program SET base_rate = 1;
SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');

SELECT * FROM finish();
ROLLBACK;
