-- Refunds: doc/refunds.md line by line. What a return comes to, what it undoes, and what it refuses.
\set tests 277
\ir setup.psql
SELECT open_mall() \gset
\ir spending.psql
\ir refunds.psql

-- ------------------------------------------------------------------ the examples of the page

-- 300.00 / 199.90 / 88.10, 2,900 points = 87.00 as 44.39 / 29.58 / 13.03 and 1,480 / 986 / 434, award 501 as 256 / 170 / 75 (tenders.sql)
SELECT fund('ann', 10000) \gset
\set lines '[{"amount": 300.00}, {"amount": 199.90, "merchant_id": 12}, {"amount": 88.10, "merchant_id": 13}]'
SELECT is(sale('ann', 'A-1', 588, :'lines', 2900, 11), 'posted 501', 'the order of the page');
SELECT is(returned('ann'), '11 commission 11>1 30.00, 11 sale 1>11 300.00, 12 commission 12>1 15.99, 12 sale 1>12 199.90, 13 commission 13>1 4.41, 13 sale 1>13 88.10', 'its splits');
SELECT is(back('A-1', 'R-1', lines => '[{"line_no": 2, "amount": 199.90}]', merchant => 11), '199.90 cash 170.32, restored 986, clawed 170', 'line 2');
SELECT is(returned('ann'), '12 commission 1>12 15.99, 12 sale 12>1 199.90', 'its money and commission go back');
-- half of line 3: 13.03 / 2 = 6.515; 434 / 2; 75 / 2 = 37.5; 4.41 / 2 = 2.205
SELECT is(back('A-1', 'R-2', lines => '[{"line_no": 3, "amount": 44.05}]', merchant => 11), '44.05 cash 37.53, restored 217, clawed 38', '44.05 of line 3');
SELECT is(returned('ann'), '13 commission 1>13 2.21, 13 sale 13>1 44.05', 'half of the commission, half up');
SELECT is(back('A-1', 'R-3', lines => '[{"line_no": 3, "amount": 44.05}]', merchant => 11), '44.05 cash 37.54, restored 217, clawed 37', 'the rest of line 3');
SELECT is(returned('ann'), '13 commission 1>13 2.20, 13 sale 13>1 44.05', 'takes the remainder');
-- 10,000 - 2,900 + 986 + 217 + 217 and 256 of line 1
SELECT is(wallet('ann'), '8776 to 26-02-02 = 8776', 'the points so far');
-- basis 501.00 - 170.32 - 37.53 - 37.54, points 256; redeemed 2,900 - 986 - 434; returned 199.90 + 88.10
SELECT is(days('ann'), '02-01: 1 255.61 256 0, 1480 288.00 0.00; 02-10: 0 0.00 0 0, 0 0.00 288.00', 'the day of the sale and that of the returns');
SELECT is(back('A-1', 'R-4', merchant => 11), '300.00 cash 255.61, restored 1480, clawed 256', 'the rest of the order');
SELECT is(returned('ann'), '11 commission 1>11 30.00, 11 sale 11>1 300.00', 'line 1''s splits');
SELECT is(ROW(owed('ann'), wallet('ann'))::text, '(,"10000 to 26-02-02 = 10000")', 'nobody owes anything, and the points are there');
SELECT is(days('ann'), '02-01: 0 0.00 0 0, 0 588.00 0.00; 02-10: 0 0.00 0 0, 0 0.00 588.00', 'as if it had never been');
-- 986 - 170, 217 - 38, 217 - 37, 1,480 - 256
SELECT is(string_agg(format('%s %s of %s: %s %s %s', verb, points, refers_to, merchant_id, order_ref, amount), ', ' ORDER BY journal_no),
          'refund 816 of 4: 11 A-1 199.90, refund 179 of 4: 11 A-1 44.05, refund 180 of 4: 11 A-1 44.05, refund 1224 of 4: 11 A-1 300.00', 'each return is one event that refers to its sale')
  FROM journal WHERE member_id = m('ann') AND journal_no > 4;
SELECT is(code($$SELECT back('A-1', 'R-5', merchant => 11)$$), 'MB109', 'of an order where nothing is left nothing is returned');
SELECT is(ROW(r.tenders, r.duplicate, r.status, r.balance, r.journal_no)::text, '("[{""kind"": ""cash"", ""amount"": 170.32}, {""kind"": ""points"", ""amount"": 29.58, ""points"": 986}]",t,posted,8417,5)',
          'the first return again: its first result, with the balance of then and what the till gives back')   -- 7,601 + 986 - 170
  FROM refund_order(11, 'A-1', 'R-1', lines => '[{"line_no": 2, "amount": 199.90}]', at => '2024-02-10 12:00+08') r;

-- 500.00 with 2,500 points (75.00), award 425: 33.33 / 500 of each: 4.9995, 166.65, 28.33
SELECT fund('two', 2500) \gset
SELECT is(sale('two', 'A-2', 500, points => 2500), 'posted 425', '500.00 with 2,500 points');
SELECT is(back('A-2', 'R-1', 33.33), '33.33 cash 28.33, restored 167, clawed 28', '33.33 of it');
-- 66.66 / 500: 9.999, 333.3, 56.661: 10.00 - 5.00, 333 - 167, 57 - 28
SELECT is(back('A-2', 'R-2', 33.33), '33.33 cash 28.33, restored 166, clawed 29', 'again 33.33');
-- 75.00 - 10.00; 2,500 - 333; 425 - 57
SELECT is(back('A-2', 'R-3'), '433.34 cash 368.34, restored 2167, clawed 368', 'and the rest');
SELECT is(wallet('two'), '2500 to 26-02-02 = 2500', 'all points are back');

-- steps, 1.5x from 588, 2x from 888: 900 x 2 = 1,800; 650 x 1.5 = 975; 588 x 1.5 = 882; 587 x 1
INSERT INTO earn_rule (rule_id, code, name, status, stack_group, effect, value, condition, refund_mode)
VALUES (1, 'step_588', 'From 588', 'active', 'step', 'multiplier', 1.5, 'order_basis >= 588', 'reevaluate'),
       (2, 'step_888', 'From 888', 'active', 'step', 'multiplier', 2, 'order_basis >= 888', 'reevaluate');
-- a sale of 900.00 under the member's name as its ref, returned in these parts
CREATE FUNCTION public.step_down(name text, VARIADIC amounts numeric[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text := public.sale(name, name, 900);
BEGIN
    FOR n IN 1 .. cardinality(amounts) LOOP
        said := said || '; ' || public.back(name, 'R-' || n, amounts[n]);
    END LOOP;
    RETURN said;
END
$$;
\set steps 'posted 1800; 250.00 cash 250.00, clawed 825; 62.00 cash 62.00, clawed 93; 1.00 cash 1.00, clawed 295; 587.00 cash 587.00, clawed 587'
SELECT is(step_down('steps', 250, 62, 1, 587), :'steps', 'steps are asked again');
SELECT is(ROW(wallet('steps'), days('steps'))::text, '("none = 0","02-01: 0 0.00 0 0, 0 900.00 0.00; 02-10: 0 0.00 0 0, 0 0.00 900.00")', 'nothing is left of them');
-- 350.00 returned: 550.00 left, no step
SELECT is(step_down('fewer', 350, 550), 'posted 1800; 350.00 cash 350.00, clawed 1250; 550.00 cash 550.00, clawed 550', 'below every step');
-- the same by other words: 1.5x of a range, that did not match at the sale
UPDATE earn_rule SET condition = 'order_basis >= 588 AND order_basis < 888', effective_from = '2024-01-02' WHERE rule_id = 1;
SELECT is(step_down('range', 250, 62, 1, 587), :'steps', 'steps written as ranges');
UPDATE earn_rule SET condition = 'order_amount BETWEEN 588 AND 887.99', effective_from = '2024-01-03' WHERE rule_id = 1;
UPDATE earn_rule SET condition = 'order_amount >= 888', effective_from = '2024-01-03' WHERE rule_id = 2;
SELECT is(step_down('amount', 250, 62, 1, 587), :'steps', 'of the amount');
UPDATE earn_rule SET condition = 'order_basis >= 588', effective_from = '2024-01-04' WHERE rule_id = 1;
UPDATE earn_rule SET condition = 'order_basis >= 888', effective_from = '2024-01-04' WHERE rule_id = 2;

-- a rule in shadow gave nothing, so nothing is asked again: 5.60 of 10.50, 5.33 of 10 points; what is left would earn 4
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, refund_mode) VALUES (30, 'shadow', 'To be tried', 'shadow', 'multiplier', 5, 'reevaluate');
SELECT is(sale('shadow', 'S-0', 10.50) || '; ' || back('S-0', 'R-1', 5.60), 'posted 10; 5.60 cash 5.60, clawed 5', 'a rule in shadow changes nothing');
UPDATE earn_rule SET status = 'ended', effective_from = '2023-01-05' WHERE rule_id = 30;
-- with points: 1,000.00 with 2,500 points = 75.00: 925 x 2 = 1,850. 100.00 back: 7.50, 250 points; 832.50 x 1.5 = 1,248.75
SELECT fund('paid', 2500) \gset
SELECT is(sale('paid', 'S-1', 1000, points => 2500) || '; ' || back('S-1', 'R-1', 100), 'posted 1850; 100.00 cash 92.50, restored 250, clawed 602', 'steps of what is left to pay in cash');
-- the rest: 1,248 taken back, 2,250 restored
SELECT is(back('S-1', 'R-2'), '900.00 cash 832.50, restored 2250, clawed 1248', 'and the rest');
-- two shops, the points issued at 0.01 and 0.02, the step at the mall's cost: 500 + 400 = 900: 1,000 and 800, base 500 and 400.
-- 400.00 of the second back: 500 x 1 is kept. Taken back: of the first 500 of 1,000, of its row 250 of 500 points; of the second all 800, 400 of 400
SELECT is(sale('shops', 'S-2', 900, '[{"amount": 500, "merchant_id": 2}, {"amount": 400, "merchant_id": 3}]'), 'posted 1800', 'steps of two shops');
SELECT is(returned('shops'), '2 commission 3>1 25.00, 2 points_issued 3>1 5.00/500, 2 sale 1>3 500.00, 3 commission 4>1 32.00, 3 points_issued 4>1 8.00/400', 'the mall pays for its step itself');
SELECT is(back('S-2', 'R-1', lines => '[{"line_no": 2, "amount": 400}]'), '400.00 cash 400.00, clawed 1300', 'the second goes back, and with it the first one''s step');
SELECT is(returned('shops'), '2 points_issued 1>3 2.50/250, 3 commission 1>4 32.00, 3 points_issued 1>4 8.00/400', 'each shop by what was taken back of its lines');
SELECT is(back('S-2', 'R-2'), '500.00 cash 500.00, clawed 500', 'then the first');
SELECT is(owed('shops'), NULL, 'nobody owes anything');

-- a rule for small orders would give more on what is left: 900 kept, not 550 x 2
UPDATE earn_rule SET status = 'ended', effective_from = '2023-01-05';
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, condition, refund_mode)
VALUES (3, 'small', 'Small orders', 'active', 'multiplier', 2, 'order_basis < 600', 'reevaluate'),
       (4, 'twice', 'A bonus asked again', 'active', 'bonus_points', 10, 'order_basis > 10', 'reevaluate');
-- 550 x 2 + 10 = 1,110, 910 kept; 5 x 2 = 10, no bonus
SELECT is(step_down('small', 350, 545, 5), 'posted 910; 350.00 cash 350.00; 545.00 cash 545.00, clawed 900; 5.00 cash 5.00, clawed 10', 'never is more kept than was kept before');
UPDATE earn_rule SET status = 'ended', effective_from = '2023-01-05' WHERE status = 'active';
-- none left of a line that cost more: its quantity is not known, the condition fails nowhere, and the rule stays with the other line
INSERT INTO earn_rule (rule_id, code, name, status, scope, effect, value, condition, refund_mode) VALUES (31, 'dear', 'Dear ones', 'active', 'line', 'multiplier', 2, 'line_amount / quantity > 5', 'reevaluate');
SELECT is(sale('none', 'S-3', 100, '[{"amount": 40, "quantity": 2}, {"amount": 60, "quantity": 3}]') || '; ' || back('S-3', 'R-1', lines => '[{"line_no": 2, "quantity": 3, "amount": 50}]'),
          'posted 200; 50.00 cash 50.00, clawed 110', '80 and 10 are left');
UPDATE earn_rule SET status = 'ended', effective_from = '2023-01-05' WHERE status = 'active';

-- ------------------------------------------------------------------ what members were and rules said then

-- double for mothers from 888: what counts is who the member was
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, condition, refund_mode)
VALUES (5, 'mothers', 'Mothers, from 888', 'active', 'multiplier', 2, 'tags && ARRAY[''mother''] AND order_basis >= 888', 'reevaluate');
SELECT set_tags(enrol(name), tags) FROM (VALUES ('was', '{mother}'::text[]), ('is', '{}')) v (name, tags) \g /dev/null
SELECT is(sale('was', 'M-1', 900) || ', ' || sale('is', 'M-2', 900), 'posted 1800, posted 900', 'one has the tag');
SELECT set_tags(m(name), tags) FROM (VALUES ('was', '{}'::text[]), ('is', '{mother}')) v (name, tags) \g /dev/null
SELECT is(back('M-1', 'R-1', 10), '10.00 cash 10.00, clawed 20', '890 left: double still, though the tag is gone');
SELECT is(back('M-2', 'R-1', 10), '10.00 cash 10.00, clawed 10', 'simple still, though the tag has come');
SELECT is(back('M-1', 'R-2', 3), '3.00 cash 3.00, clawed 893', '887 left: 1,780 - 887');
-- ranges with facts: 1.5x below that did not match at the sale, for members born in February
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, condition, refund_mode)
VALUES (6, 'birth_high', 'Birthday month, from 888', 'active', 'multiplier', 3, 'birthday_month AND order_basis >= 888', 'reevaluate'),
       (7, 'birth_low', 'Birthday month, from 588', 'active', 'multiplier', 1.5, 'birthday_month AND order_basis BETWEEN 588 AND 887.99', 'reevaluate');
SELECT update_member(enrol('feb'), '1990-02-15') \gset
SELECT is(sale('feb', 'M-3', 900), 'posted 2700', 'a birthday month');
SELECT update_member(m('feb'), '1990-03-15') \gset
-- 650 x 1.5 = 975
SELECT is(back('M-3', 'R-1', 250), '250.00 cash 250.00, clawed 1725', 'stays one, for the rule that did not match then too');
-- the first purchase of a member stays the first, the attributes of an order those of the order
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, condition, refund_mode)
VALUES (8, 'first', 'First purchase', 'active', 'bonus_points', 100, 'first_purchase AND order_amount >= 50', 'reevaluate'),
       (9, 'club', 'Club evening', 'active', 'bonus_points', 30, '(order_attributes ->> ''club'') = ''tea'' AND order_amount >= 20', 'reevaluate');
SELECT is(sale('new', 'F-1', 100, attributes => '{"club": "tea"}') || ', ' || sale('new', 'F-2', 100, at => '2024-02-03 12:00+08'), 'posted 230, posted 100', 'the first purchase, the second');
SELECT is(back('F-1', 'R-1', 50), '50.00 cash 50.00, clawed 50', '50 left of the first: still first, still the club''s');
SELECT is(back('F-1', 'R-2', 1), '1.00 cash 1.00, clawed 101', 'below 50 the bonus goes');
SELECT is(back('F-1', 'R-3', 30), '30.00 cash 30.00, clawed 60', 'below 20 the club''s, too');
SELECT is(back('F-1', 'R-4'), '19.00 cash 19.00, clawed 19', 'and the rest');
-- what members were then may be erased: a rule that asks for it holds as it held
SELECT set_tags(enrol('oblivion'), '{mother}') \gset
UPDATE earn_rule SET status = 'ended', effective_from = '2023-01-05' WHERE rule_id > 5 AND status = 'active';
SELECT is(sale('oblivion', 'M-4', 900), 'posted 1800', 'a mother');
UPDATE journal_context SET facts = NULL WHERE member_id = m('oblivion');
-- 887 left: less than 888, but nobody knows any more who she was; 1,800 - 1,774
SELECT is(back('M-4', 'R-1', 13), '13.00 cash 13.00, clawed 26', 'what was frozen of her is erased: double it stays');
SELECT is(back('M-4', 'R-2'), '887.00 cash 887.00, clawed 1774', 'until all is returned');
UPDATE earn_rule SET status = 'ended', effective_from = '2023-01-05' WHERE status = 'active';
-- quantities: three for 20 more; a line's quantity is what is left of it
INSERT INTO earn_rule (rule_id, code, name, status, scope, effect, value, condition, refund_mode)
VALUES (10, 'three', 'Three of a kind', 'active', 'line', 'bonus_points', 20, 'quantity >= 3', 'reevaluate');
SELECT is(sale('qty', 'T-1', 80, '[{"quantity": 4, "amount": 40}, {"quantity": 1, "amount": 40}]'), 'posted 100', 'four pieces');
SELECT is(back('T-1', 'R-1', lines => '[{"line_no": 1, "quantity": 1}]'), '10.00 cash 10.00, clawed 10', 'three left');
SELECT is(back('T-1', 'R-2', lines => '[{"line_no": 1, "quantity": 1}]'), '10.00 cash 10.00, clawed 30', 'two left');
UPDATE earn_rule SET status = 'ended', effective_from = '2023-01-05' WHERE status = 'active';

-- proportional, the default: whatever has become of rule, base rate, rounding, tier, contract
INSERT INTO earn_rule (rule_id, code, name, status, effect, value) VALUES (11, 'triple', 'Triple', 'active', 'multiplier', 3), (12, 'growth', 'Growth', 'active', 'growth', 2);
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, refund_mode) VALUES (13, 'gift', 'A gift', 'active', 'bonus_points', 40, 'none');
SELECT born('sil', 'silver') \gset
-- 100 x (1.2 + 2) + 40 = 360, growth 200
SELECT is(sale('sil', 'C-1', 100, merchant => 3), 'posted 360', 'silver, triple and a gift');
-- base and tier 120 at the shop's cost, 0.02 each
SELECT is(returned('sil'), '3 commission 4>1 8.00, 3 points_issued 4>1 2.40/120', 'what the shop pays');
SELECT is(days('sil'), '02-01: 1 100.00 360 200, 0 0.00 0.00', 'the day');
SAVEPOINT before;
UPDATE earn_rule SET value = 5, effective_from = '2024-01-20' WHERE rule_id = 11;
UPDATE earn_rule SET status = 'ended' WHERE rule_id IN (12, 13);
UPDATE program SET base_rate = 7, award_rounding = 'ceiling', stacking = 'multiply', expiry = '1 months', pending_days = 5, claim_days = 0, tier_window_months = 1;
UPDATE tier SET multiplier = 4 WHERE code = 'silver';
UPDATE contract SET valid_during = '(,2024-02-02)' WHERE contract_id = 3;
INSERT INTO contract (contract_id, merchant_id, valid_during, collects, commission_rate, issue_price) VALUES (33, 3, '[2024-02-02,)', 'mall', 0.5, 1);
UPDATE tier SET qualify_basis = 1 WHERE code = 'diamond';
SELECT is(tier, 'diamond', 'another tier') FROM accrue_points(m('sil'), 1, 1, 'C-0', at => '2024-02-05 12:00+08');
-- a quarter of 320 = 80; of 200 growth 50; commission 2.00; of the row's 120 points x 80 / 320 = 30, 0.60
SELECT is(back('C-1', 'R-1', 25, merchant => 3), '25.00 cash 25.00, clawed 80', 'a return asks nothing of today');
SELECT is(ROW(returned('sil'), day_of('sil'))::text, '("3 commission 1>4 2.00, 3 points_issued 1>4 0.60/30","1 75.00 280 150")', 'nor for splits and growth');
SELECT is(back('C-1', 'R-2', merchant => 3), '75.00 cash 75.00, clawed 240', 'the gift stays');
SELECT is(ROW(owed('sil'), day_of('sil'))::text, '(,"0 0.00 40 0")', 'all but the gift');
SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
ROLLBACK TO before;
SELECT is(back('C-1', 'R-1', 25, merchant => 3), '25.00 cash 25.00, clawed 80', 'and it would be the same had nothing been changed');
UPDATE earn_rule SET status = 'ended', effective_from = '2023-01-05' WHERE status = 'active';

-- modes side by side: a step asked again, a proportional bonus of 30, a gift of 40: 900 x 2 + 70 = 1,870
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, condition, refund_mode)
VALUES (14, 'again', 'From 888', 'active', 'multiplier', 2, 'order_basis >= 888', 'reevaluate'),
       (15, 'bonus', 'A bonus', 'active', 'bonus_points', 30, NULL, 'proportional'), (16, 'present', 'A present', 'active', 'bonus_points', 40, NULL, 'none');
-- 550 left: 550 + 30 kept; the bonus holds while anything of its line is left
SELECT is(step_down('modes', 350, 550), 'posted 1870; 350.00 cash 350.00, clawed 1250; 550.00 cash 550.00, clawed 580', 'all three modes in one order');
SELECT is(wallet('modes'), '40 to 26-02-02 = 40', 'the present is kept');
UPDATE earn_rule SET status = 'ended', effective_from = '2023-01-05' WHERE status = 'active';
-- who pays for what is kept: the base at the shop's cost, a gift of 100 at a sponsor's
INSERT INTO party (party_id, name, kind) VALUES (20, 'Sponsor', 'sponsor');
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, refund_mode, funder_party_id)
VALUES (17, 'sponsored', 'A gift', 'active', 'bonus_points', 100, 'none', 20), (18, 'half', 'A bonus', 'active', 'bonus_points', 50, 'proportional', 20);
SELECT is(sale('spo', 'P-1', 200, merchant => 3), 'posted 350', 'with two bonuses of a sponsor');
SELECT is(returned('spo'), '3 commission 4>1 16.00, 3 points_issued 4>1 4.00/200, 3 points_issued 20>1 3.00/150', 'who pays');
-- half: (350 - 100) / 2 = 125; rows: 200 x 125 / 250, 50 x 125 / 250, the gift's 100 cannot be taken back
SELECT is(back('P-1', 'R-1', 100, merchant => 3), '100.00 cash 100.00, clawed 125', 'half of what can be taken back');
SELECT is(returned('spo'), '3 commission 1>4 8.00, 3 points_issued 1>4 2.00/100, 3 points_issued 1>20 0.50/25', 'each payer his part');
SELECT is(back('P-1', 'R-2', merchant => 3), '100.00 cash 100.00, clawed 125', 'the other half');
SELECT is(owed('spo'), '3 points_issued 2.00/100', 'the sponsor has paid for his gift');
UPDATE earn_rule SET status = 'ended', effective_from = '2023-01-05' WHERE status = 'active';

-- ------------------------------------------------------------------ what is returned

-- pieces: 100.00 / 3 = 33.33, 66.67, 100.00
\set goods '[{"quantity": 3, "amount": 100}, {"quantity": 0.5, "amount": 10}, {"amount": 50}]'
SELECT is(sale('gus', 'G-' || n, 160, :'goods'), 'posted 160', 'pieces, weight and neither') FROM generate_series(1, 4) n;
CREATE FUNCTION public.pieces(order_ref text, VARIADIC lines jsonb[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    FOR n IN 1 .. cardinality(lines) LOOP
        said := concat_ws('; ', said, public.back(order_ref, 'R-' || n, lines => lines[n]));
    END LOOP;
    RETURN said;
END
$$;
SELECT is(pieces('G-1', '[{"line_no": 1, "quantity": 1}]', '[{"line_no": 1, "quantity": 1}]', '[{"line_no": 1, "quantity": 1}]', '[{"line_no": 2, "quantity": 0.25}]'),
          '33.33 cash 33.33, clawed 33; 33.34 cash 33.34, clawed 34; 33.33 cash 33.33, clawed 33; 5.00 cash 5.00, clawed 5', 'one after the other, and half of half a kilo');
SELECT is(pieces('G-2', '[{"line_no": 1, "quantity": 2}, {"line_no": 3, "amount": 25}]', '[{"line_no": 1, "quantity": 1}]'), '91.67 cash 91.67, clawed 92; 33.33 cash 33.33, clawed 33', 'two at once, beside an amount');
-- 40.00 first: one piece is worth 33.33, which it has had; two are 66.67 - 40.00
SELECT is(pieces('G-3', '[{"line_no": 1, "amount": 40}]', '[{"line_no": 1, "quantity": 1}]', '[{"line_no": 1, "quantity": 1}]', '[{"line_no": 1, "quantity": 1}]'),
          '40.00 cash 40.00, clawed 40; 0.00 cash 0.00; 26.67 cash 26.67, clawed 27; 33.33 cash 33.33, clawed 33', 'pieces after an amount');
-- 30.00 for a damaged piece; two are 66.67 - 30.00
SELECT is(pieces('G-4', '[{"line_no": 1, "quantity": 1, "amount": 30}]', '[{"line_no": 1, "quantity": 1}]'), '30.00 cash 30.00, clawed 30; 36.67 cash 36.67, clawed 37', 'a piece at a price of its own');
SELECT is(code(format('SELECT back(%L, ''N'', %s, %L)', ref, coalesce(quote_literal(amount), 'NULL'), lines)), code, format('%s: %s %s of %s', code, amount, lines, ref))
  FROM (VALUES ('G-1', NULL, '[{"line_no": 1, "amount": 0.01}]', 'MB109'), ('G-1', NULL, '[{"line_no": 1, "quantity": 1}]', 'MB109'), ('G-1', NULL, '[{"line_no": 2, "quantity": 0.26}]', 'MB109'),
               ('G-1', NULL, '[{"line_no": 2, "quantity": 0.25, "amount": 5.01}]', 'MB109'), ('G-1', 55.01, NULL, 'MB109'), ('G-2', NULL, '[{"line_no": 3, "amount": 25.01}]', 'MB109'),
               ('G-4', NULL, '[{"line_no": 1, "quantity": 2}]', 'MB109'), ('G-4', NULL, '[{"line_no": 1, "amount": 33.34}]', 'MB109'),
               ('G-1', NULL, '[{"line_no": 3, "quantity": 1}]', '22023'), ('G-1', 5, '[{"line_no": 3, "amount": 5.01}]', '22023'), ('G-1', 10, '[{"line_no": 2, "quantity": 0.25}]', '22023'),
               ('G-1', NULL, '[{"line_no": 3, "amount": 1}, {"line_no": 3, "amount": 1}]', '22023'), ('G-1', NULL, '[{"line_no": 3}]', '22023'), ('G-1', NULL, '[{"amount": 3}]', '22023'),
               ('G-1', NULL, '[{"line_no": 3, "amount": -1}]', '22023'), ('G-1', NULL, '[{"line_no": 3, "amount": "x"}]', '22023'), ('G-1', NULL, '[{"line_no": 2, "quantity": 0}]', '22023'),
               ('G-1', NULL, '[{"line_no": 2, "quantity": -0.1}]', '22023'), ('G-1', NULL, '[{"line_no": 0, "amount": 1}]', '22023'), ('G-1', NULL, '[{"line_no": 1.5, "amount": 1}]', '22023'),
               ('G-1', NULL, '[{"line_no": 3, "amount": 1.001}]', '22023'), ('G-1', NULL, '[]', '22023'), ('G-1', NULL, '{}', '22023'), ('G-1', NULL, '[1]', '22023'), ('G-1', NULL, 'null', '22023'),
               ('G-1', -1, NULL, '22023'), ('G-1', 1.001, NULL, '22023'), ('G-1', 'NaN', NULL, '22023')) v (ref, amount, lines, code);
SELECT is(back('G-1', 'R-9', 5, '[{"line_no": 2, "quantity": 0.25}]'), '5.00 cash 5.00, clawed 5', 'amount and lines that agree');
SELECT is(back('G-1', 'R-10'), '50.00 cash 50.00, clawed 50', 'the rest');

-- an amount over lines: 100 / 588 of 300.00 / 199.90 / 88.10 = 51.020 / 33.996 / 14.982: a unit left, to .6: 51.02 / 34.00 / 14.98
SELECT is(sale('sue', 'U-1', 588, :'lines', merchant => 11) || ', ' || back('U-1', 'R-1', 100, merchant => 11), 'posted 588, 100.00 cash 100.00, clawed 100', 'an amount');
SELECT is(returned('sue'), '11 commission 1>11 5.10, 11 sale 11>1 51.02, 12 commission 1>12 2.72, 12 sale 12>1 34.00, 13 commission 1>13 0.75, 13 sale 13>1 14.98', 'is spread over the lines by what is left of each');
-- 100 / 488 of 248.98 / 165.90 / 73.12 = 51.0204 / 33.9959 / 14.9836: 51.02 / 34.00 / 14.98
SELECT is(back('U-1', 'R-2', 100, merchant => 11) || '; ' || returned('sue'), '100.00 cash 100.00, clawed 100; 11 commission 1>11 5.10, 11 sale 11>1 51.02, 12 commission 1>12 2.72, 12 sale 12>1 34.00, 13 commission 1>13 0.75, 13 sale 13>1 14.98', 'again');
-- ties go to the lower line: 0.01 of 50.00 / 50.00, then of 49.99 / 50.00
SELECT is(sale('sue', 'U-2', 100, '[{"amount": 50, "merchant_id": 11}, {"amount": 50, "merchant_id": 12}]', merchant => 11), 'posted 100', 'two lines');
SELECT is(back('U-2', 'R-' || n, 0.01, merchant => 11) || '; ' || returned('sue'), expected, 'a unit ' || n)
  FROM (VALUES (1, '0.01 cash 0.01; 11 sale 11>1 0.01'), (2, '0.01 cash 0.01; 12 sale 12>1 0.01'), (3, '0.01 cash 0.01; 11 sale 11>1 0.01')) v (n, expected);
-- a line of nothing
SELECT is(sale('sue', 'U-3', 100, '[{"amount": 100}, {"amount": 0}]', at => '2024-02-02 12:00+08') || ', ' || back('U-3', 'R-1', lines => '[{"line_no": 2, "amount": 0}]'), 'posted 100, 0.00 cash 0.00', 'a gift of 0 goes back when it is named');
SELECT is(code($$SELECT back('U-3', 'R-2', lines => '[{"line_no": 2, "amount": 0}]')$$), '22023', 'once: nothing would be returned');
SELECT is(purchases, 1, 'the order is still there') FROM activity_day WHERE member_id = m('sue') AND day = '2024-02-02';
SELECT is(back('U-3', 'R-3', 100), '100.00 cash 100.00, clawed 100', 'then the rest');
SELECT is(purchases, 0, 'and the order is complete') FROM activity_day WHERE member_id = m('sue') AND day = '2024-02-02';
SELECT is(code($$SELECT back('U-3', 'R-4')$$), 'MB109', 'and has nothing left');
SELECT is(sale('sue', 'U-4', 100, '[{"amount": 100}, {"amount": 0}]', at => '2024-02-03 12:00+08') || ', ' || back('U-4', 'R-1'), 'posted 100, 100.00 cash 100.00, clawed 100', 'all that is left');
SELECT is(purchases, 0, 'takes it along') FROM activity_day WHERE member_id = m('sue') AND day = '2024-02-03';
SELECT is(sale('sue', 'U-5', 0, at => '2024-02-04 12:00+08') || ', ' || back('U-5', 'R-1'), 'posted 0, 0.00 cash 0.00', 'an order of 0');
SELECT is(purchases, 0, 'is gone') FROM activity_day WHERE member_id = m('sue') AND day = '2024-02-04';
SELECT is(code($$SELECT back('U-5', 'R-2')$$), 'MB109', 'once');
-- a line that does not earn: 200 points = 6.00, 3.00 each; award 97
SELECT fund('ine', 200) \gset
SELECT is(sale('ine', 'I-1', 200, '[{"amount": 100}, {"amount": 100, "eligible": false}]', 200), 'posted 97', 'one line does not earn');
SELECT is(back('I-1', 'R-1', lines => '[{"line_no": 2, "amount": 100}]'), '100.00 cash 97.00, restored 100', 'it goes back with its points');
SELECT is(days('ine'), '02-01: 1 97.00 97 0, 100 100.00 0.00; 02-10: 0 0.00 0 0, 0 0.00 100.00', 'basis and award stay');
SELECT is(back('I-1', 'R-2'), '100.00 cash 97.00, restored 100, clawed 97', 'then the other');

-- ------------------------------------------------------------------ how far the award is taken back

-- 500.00 earns 500, 400 of them are gone
CREATE FUNCTION public.spent(name text, policy text, charge boolean DEFAULT false, price numeric DEFAULT 0.03, points bigint DEFAULT 400, amount numeric DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    UPDATE membership.program SET clawback = policy, charge_cash = charge, liability_price = price;
    PERFORM public.sale(name, name, 500);
    PERFORM membership.adjust_points(public.m(name), -points, 'spent', 'A', '2024-02-05 12:00+08');
    RETURN public.back(name, 'R-1', amount) || '; ' || public.wallet(name);
END
$$;
SELECT is(spent('c1', 'unlimited'), '500.00 cash 500.00, clawed 500, debt 400; none = -400 debt 400', 'unlimited: the rest is owed');
SELECT is(spent('c2', 'within_balance'), '500.00 cash 500.00, clawed 100, loss 400; none = 0', 'within_balance: the rest is lost');
SELECT is(spent('c3', 'only_pending'), '500.00 cash 500.00, loss 500; 100 to 26-02-02 = 100', 'only_pending: nothing was');
-- 400 x 0.03; 500 x 0.03; 400 x 2 = 800, no more than 500.00; 400 x 0.001235 = 0.494, half up 0.49; 333 x 0.015 = 4.995
SELECT is(spent('c4', 'within_balance', true), '500.00 cash 500.00, clawed 100, loss 400, short 12.00; none = 0', 'the till may keep the worth of what is lost');
SELECT is(spent('c5', 'only_pending', true), '500.00 cash 500.00, loss 500, short 15.00; 100 to 26-02-02 = 100', 'of all of it');
SELECT is(spent('c6', 'within_balance', true, 2), '500.00 cash 500.00, clawed 100, loss 400, short 500.00; none = 0', 'but no more than it gives back');
SELECT is(spent('c7', 'within_balance', true, 0.001235), '500.00 cash 500.00, clawed 100, loss 400, short 0.49; none = 0', 'half up, down');
SELECT is(spent('c8', 'within_balance', true, 0.015, 500, 333), '333.00 cash 333.00, loss 333, short 5.00; none = 0', 'half up, up');
SELECT is(spent('c9', 'unlimited', true), '500.00 cash 500.00, clawed 500, debt 400; none = -400 debt 400', 'what is owed is not lost');
SELECT is(spent('c10', 'within_balance', true, 0.03, 400, 50), '50.00 cash 50.00, clawed 50; 50 to 26-02-02 = 50', 'where there is enough nothing is');
SELECT is(string_agg(format('%s %s %s %s %s', order_ref, merchant_id, points, cash_shortfall, journal_no = (SELECT max(journal_no) FROM journal j WHERE j.member_id = l.member_id)), ', ' ORDER BY order_ref),
          'c2 1 400 0.00 t, c3 1 500 0.00 t, c4 1 400 12.00 t, c5 1 500 15.00 t, c6 1 400 500.00 t, c7 1 400 0.49 t, c8 1 333 5.00 t', 'clawback_loss has them all') FROM clawback_loss l;
SELECT is(posted_at, '2024-02-10 12:00+08', 'with their time') FROM clawback_loss WHERE member_id = m('c2');
-- what is lost is lost, what is owed is owed
SELECT fund('c1', 1000, at => '2024-02-11 10:00+08') \gset
SELECT fund('c2', 1000, at => '2024-02-11 10:00+08') \gset
SELECT is(ROW(wallet('c1'), wallet('c2'))::text, '("600 to 26-02-12 = 600","1000 to 26-02-12 = 1000")', 'later points pay a debt, not a loss');
-- in parts: 300 of 500 lost or owed, whoever comes first
SELECT is(spent('c11', 'within_balance', amount => 80), '80.00 cash 80.00, clawed 80; 20 to 26-02-02 = 20', 'a part while there is enough');
SELECT is(back('c11', 'R-2', 80), '80.00 cash 80.00, clawed 20, loss 60', 'a part while there is some');
SELECT fund('c11', 1000, at => '2024-02-11 10:00+08') \gset
SELECT is(back('c11', 'R-3', at => '2024-02-12 12:00+08') || '; ' || wallet('c11'), '340.00 cash 340.00, clawed 340; 660 to 26-02-12 = 660', 'the last takes its own part, not what was lost before');
UPDATE program SET clawback = 'unlimited', charge_cash = false;

-- whose points: first the order's own, then others by their end: 200 of the order, 150 of them spent, 100 until March, 300 until 2025
UPDATE program SET expiry = '10 days';
SELECT is(sale('own', 'O-1', 200), 'posted 200', 'the order''s, until 12 February');
SELECT adjust_points(m('own'), -50, 'spent', 'A', '2024-02-03 12:00+08') \gset
SELECT fund('own', 100, '2024-02-11 00:00+08') \gset
SELECT fund('own', 300, '2025-01-01 00:00+08') \gset
SELECT is(lots('own'), '1:150 3:100 4:300', 'the lots');
SELECT is(back('O-1', 'R-1', 170) || ', ' || lots('own'), '170.00 cash 170.00, clawed 170, 3:80 4:300', 'all of its own, 20 of the next');
SELECT is(back('O-1', 'R-2', 30) || ', ' || lots('own'), '30.00 cash 30.00, clawed 30, 3:50 4:300', 'by their end');
SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
-- its own before those that die sooner
SELECT fund('sooner', 100, '2024-02-11 00:00+08') \gset
SELECT is(sale('sooner', 'O-2', 200) || ', ' || back('O-2', 'R-1', 150) || ', ' || lots('sooner'), 'posted 200, 150.00 cash 150.00, clawed 150, 1:100 2:50', 'its own before those that die sooner');
UPDATE program SET expiry = '24 months';

-- pending points: 100 at once, a bonus of 100 seven days later
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, pending_days) VALUES (20, 'later', 'A bonus later', 'active', 'bonus_points', 100, 7);
SELECT is(sale('pen', 'N-' || n, 100, at => '2024-02-08 12:00+08'), 'posted 200', 'half of it pending') FROM generate_series(1, 3) n;
SELECT is(lots('pen'), '1:100 2:100 3:100 4:100 5:100 6:100', 'three orders');
SELECT is(back('N-1', 'R-1', 40) || ', ' || lots('pen'), '40.00 cash 40.00, clawed 80, 1:100 2:20 3:100 4:100 5:100 6:100', 'what is pending goes first');
SELECT is(back('N-1', 'R-2') || ', ' || lots('pen'), '60.00 cash 60.00, clawed 120, 3:100 4:100 5:100 6:100', 'then the rest of its own');
SELECT adjust_points(m('pen'), -200, 'spent', 'A', '2024-02-10 12:00+08') \gset
SELECT is(back('N-2', 'R-1') || ', ' || lots('pen') || ', ' || wallet('pen'), '100.00 cash 100.00, clawed 200, debt 100, 6:100, 100 to 26-02-09 = 0 debt 100', 'never what is pending of other orders');
UPDATE program SET clawback = 'only_pending';
SELECT is(sale('po', 'N-4', 100, at => '2024-02-08 12:00+08') || ', ' || back('N-4', 'R-1') || ', ' || lots('po'), 'posted 200, 100.00 cash 100.00, clawed 100, loss 100, 1:100', 'only_pending takes what is pending');
SELECT is(sale('po', 'N-5', 100, at => '2024-02-10 12:00+08') || ', ' || back('N-5', 'R-1', at => '2024-02-17 00:00+08') || ', ' || lots('po'), 'posted 200, 100.00 cash 100.00, loss 200, 1:100 4:100 5:100', 'and nothing once it is active');
UPDATE program SET clawback = 'unlimited';
UPDATE earn_rule SET status = 'ended', effective_from = '2023-01-05' WHERE status = 'active';
UPDATE program SET pending_days = 5;
SELECT is(sale('pend', 'N-6', 100, at => '2024-02-08 12:00+08') || ', ' || back('N-6', 'R-1', 30) || ', ' || lots('pend'), 'pending 100, 30.00 cash 30.00, clawed 30, 1:70', 'a purchase whose points are pending');
SELECT is(back('N-6', 'R-2', at => '2024-02-20 12:00+08') || ', ' || wallet('pend'), '70.00 cash 70.00, clawed 70, none = 0', 'and once they are not');
UPDATE program SET pending_days = 0;

-- held points stay held: 500 earned, 300 of them held
SELECT is(sale('hel', 'H-1', 500), 'posted 500', 'an order');
SELECT authorize_points(m('hel'), 300, 'h', NULL, order_amount => 5000, at => '2024-02-02 12:00+08') \gset
SAVEPOINT held;
SELECT is(back('H-1', 'R-1') || ', ' || lots('hel') || ', ' || wallet('hel'), '500.00 cash 500.00, clawed 500, debt 300, 1:300/300, 300 to 26-02-02 = 0 debt 300', 'what is held is not taken');
SELECT is(c::text, '(5,-300,-300,f)', 'but captured') FROM capture_points(m('hel'), 'h', at => '2024-02-11 12:00+08') c;
ROLLBACK TO held;
UPDATE program SET clawback = 'within_balance';
SELECT is(back('H-1', 'R-1') || ', ' || lots('hel'), '500.00 cash 500.00, clawed 200, loss 300, 1:300/300', 'nor within_balance');
UPDATE program SET clawback = 'unlimited';

-- points of the order that have expired unspent: 500 until 3 March, 100 spent
UPDATE program SET expiry = '30 days';
CREATE FUNCTION public.unspent(name text, VARIADIC amounts numeric[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text := public.sale(name, name, 500);
BEGIN
    PERFORM membership.adjust_points(public.m(name), -100, 'spent', 'A', '2024-02-05 12:00+08');
    FOR n IN 1 .. cardinality(amounts) LOOP
        said := said || '; ' || public.back(name, 'R-' || n, amounts[n], at => '2024-03-10 12:00+08');
    END LOOP;
    RETURN said || '; ' || public.wallet(name);
END
$$;
SELECT is(unspent('e1', 500), 'posted 500; 500.00 cash 500.00, clawed 100, debt 100, expired 400; none = -100 debt 100', 'only what was spent is owed');
SELECT is(unspent('e2', 250, 250), 'posted 500; 250.00 cash 250.00, expired 250; 250.00 cash 250.00, clawed 100, debt 100, expired 150; none = -100 debt 100', 'what has expired is counted off first, once');
UPDATE program SET clawback = 'within_balance';
SELECT is(unspent('e3', 450, 50), 'posted 500; 450.00 cash 450.00, loss 50, expired 400; 50.00 cash 50.00, loss 50; none = 0', 'nor is it lost');
UPDATE program SET clawback = 'unlimited', expiry = '24 months';

-- points of the order that live on in another lot: 100 until 3 March, then, by a purchase of the 20th, until 22 March with its own 50
UPDATE program SET expiry = '30 days', extend_on_activity = true;
SELECT is(sale('ext', 'L-1', 100) || ', ' || sale('ext', 'L-2', 50, at => '2024-02-20 12:00+08') || ', ' || lots('ext'), 'posted 100, posted 50, 2:50 4:100', 'an award that was extended');
SELECT is(back('L-1', 'R-1', 30, at => '2024-03-10 12:00+08') || ', ' || lots('ext'), '30.00 cash 30.00, clawed 30, 2:50 4:70', 'is the order''s still');
SELECT is(back('L-1', 'R-2', at => '2024-03-25 12:00+08') || ', ' || wallet('ext'), '70.00 cash 70.00, expired 70, none = 0', 'even when it expires');
-- 500 of 600 points until 25 February pay 15.00; the purchase lets the other 100 live until 3 March
SELECT fund('exp', 600, '2024-02-25 00:00+08') \gset
SELECT is(sale('exp', 'L-3', 500, points => 500) || ', ' || back('L-3', 'R-1') || ', ' || wallet('exp'), 'posted 485, 500.00 cash 485.00, restored 500, clawed 485, 500 to 24-02-25 + 100 to 24-03-03 = 600', 'points that paid come back with the end they had');
UPDATE program SET expiry = '24 months', extend_on_activity = false;
-- sent to a friend, they are owed
UPDATE program SET transfers = true, allow_debt = true;
SELECT is(sale('sender', 'L-4', 100), 'posted 100', 'an order');
SELECT transfer_points(m('sender'), enrol('friend'), 80, 'T', at => '2024-02-05 12:00+08') \gset
SELECT is(back('L-4', 'R-1') || ', ' || wallet('sender') || ', ' || wallet('friend'), '100.00 cash 100.00, clawed 100, debt 80, none = -80 debt 80, 80 to 26-02-02 = 80', 'what was sent to a friend is owed by who earned it');
-- they paid a debt of 60 when they became active
SELECT adjust_points(enrol('debtor'), -60, 'x', 'A', '2024-02-01 10:00+08') \gset
UPDATE program SET pending_days = 5;
SELECT is(sale('debtor', 'L-5', 100) || ', ' || back('L-5', 'R-1') || ', ' || wallet('debtor'), 'pending 100, 100.00 cash 100.00, clawed 100, debt 60, none = -60 debt 60', 'what paid a debt is owed again');
UPDATE program SET pending_days = 0, transfers = false, allow_debt = false;

-- ------------------------------------------------------------------ the points that paid

-- 1,000 points = 30.00 of 500.00, award 470; the points die on 5 February
SELECT fund('dead', 1000, '2024-02-05 00:00+08') \gset
SELECT is(sale('dead', 'D-1', 500, points => 1000), 'posted 470', 'paid with points that die');
SAVEPOINT dead;
SELECT is(back('D-1', 'R-1', at => '2024-02-04 23:59:59.999999+08') || ', ' || wallet('dead'), '500.00 cash 470.00, restored 1000, clawed 470, 1000 to 24-02-05 = 1000', 'while they live they live again');
ROLLBACK TO dead;
SELECT is(back('D-1', 'R-1', 250) || ', ' || wallet('dead'), '250.00 cash 235.00, forfeited 500, clawed 235, 235 to 26-02-02 = 235', 'once dead they are forfeited');
-- 500 - 235
SELECT is(ROW(story('dead', 5), moved('dead', 5), moved('dead', 6))::text, '("5 refund 265, 6 expiry -500","1:500 3:-235",1:-500)', 'given back, and expired at once by an event of their own');
SELECT is(ROW(balance, points_forfeited, duplicate)::text, '(735,500,t)', 'the result''s balance is before that') FROM refund_order(1, 'D-1', 'R-1', 250, at => '2024-02-10 12:00+08');
SELECT is(points_redeemed, 500::bigint, 'the day of the redemption loses them') FROM activity_day WHERE member_id = m('dead') AND day = '2024-02-01';
ROLLBACK TO dead;
UPDATE program SET reinstatement_days = 30;
-- 10 February + 30 = 11 March
SELECT is(back('D-1', 'R-1', 250) || ', ' || wallet('dead'), '250.00 cash 235.00, restored 500, clawed 235, 500 to 24-03-12 + 235 to 26-02-02 = 735', 'with 30 days of reinstatement they live through 11 March');
SELECT is(back('D-1', 'R-2', at => '2024-02-20 12:00+08') || ', ' || wallet('dead'), '250.00 cash 235.00, restored 500, clawed 235, 500 to 24-03-12 + 500 to 24-03-22 = 1000', 'each from its own return on');
SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
UPDATE program SET reinstatement_days = 0;
-- two lots, 300 that die and 700: the last taken come back first
SELECT fund('mix', 300, '2024-02-05 00:00+08') \gset
SELECT fund('mix', 700) \gset
SELECT is(sale('mix', 'D-2', 500, points => 1000) || ', ' || back('D-2', 'R-1', 250) || ', ' || wallet('mix'), 'posted 470, 250.00 cash 235.00, restored 500, clawed 235, 735 to 26-02-02 = 735', 'the last taken first');
SELECT is(back('D-2', 'R-2') || ', ' || wallet('mix'), '250.00 cash 235.00, restored 200, forfeited 300, clawed 235, 700 to 26-02-02 = 700', 'then those that are dead');
SELECT is(ROW(owed('mix'), days('mix'))::text, '(,"02-01: 0 0.00 0 0, 0 500.00 0.00; 02-10: 0 0.00 0 0, 0 0.00 500.00")', 'as if it had never been');

-- what comes back pays debt, and what is taken may be what came back: award 470 spent, and 100 more
UPDATE program SET allow_debt = true;
SELECT fund('owe', 1000) \gset
SELECT is(sale('owe', 'D-3', 500, points => 1000), 'posted 470', 'an order');
SELECT adjust_points(m('owe'), -570, 'spent', 'A', '2024-02-05 12:00+08') \gset
SELECT is(back('D-3', 'R-1') || ', ' || wallet('owe'), '500.00 cash 470.00, restored 1000, clawed 470, 430 to 26-02-02 = 430', '1,000 - 100 - 470');
UPDATE program SET allow_debt = false, clawback = 'within_balance';
SELECT fund('within', 1000) \gset
SELECT is(sale('within', 'D-4', 500, points => 1000), 'posted 470', 'an order');
SELECT adjust_points(m('within'), -470, 'spent', 'A', '2024-02-05 12:00+08') \gset
SELECT is(back('D-4', 'R-1') || ', ' || wallet('within'), '500.00 cash 470.00, restored 1000, clawed 470, 530 to 26-02-02 = 530', 'nor is that a loss');
UPDATE program SET clawback = 'unlimited';

-- redeemed before the sale on two days, and held: 500 + 500 + 500 points = 45.00 of 500.00, award 455
SELECT fund('pre', 2000, at => '2024-01-20 10:00+08') \gset
SELECT redeem_points(m('pre'), 500, 'r1', 1, 'B-1', 500, at => '2024-01-30 12:00+08') \gset
SELECT redeem_points(m('pre'), 500, 'r2', 1, 'B-1', 500, at => '2024-01-31 12:00+08') \gset
SELECT authorize_points(m('pre'), 500, 'h1', NULL, 1, 'B-1', 500, at => '2024-01-31 12:00+08') \gset
SELECT is(sale('pre', 'B-1', 500), 'posted 455', 'paid before');
-- 300 / 500 of 45.00, 1,500, 455
SELECT is(back('B-1', 'R-1', 300), '300.00 cash 273.00, restored 900, clawed 273', '300.00 of it');
-- 500 of the capture on the day of the sale, 400 of the 31st
SELECT is(days('pre'), '01-30: 0 0.00 0 0, 500 0.00 0.00; 01-31: 0 0.00 0 0, 100 0.00 0.00; 02-01: 1 182.00 182 0, 0 300.00 0.00; 02-10: 0 0.00 0 0, 0 0.00 300.00', 'the days of the redemptions lose them, the last first');
SELECT is(back('B-1', 'R-2') || ', ' || wallet('pre'), '200.00 cash 182.00, restored 600, clawed 182, 2000 to 26-01-21 = 2000', 'and the rest');
SELECT is(take(format('SELECT reverse_redemption(%s, %L, ''x'')', m('pre'), ref)), 'MB106 order "B-1" of merchant 1 has been accrued', 'its redemptions are not given back twice') FROM unnest('{r1,r2,h1}'::text[]) ref;
SELECT is(take(format('SELECT redeem_points(%s, 100, ''r9'', 1, ''B-1'', 500)', m('pre'))), 'MB106 order "B-1" of merchant 1 has been accrued', 'nor is anything redeemed for it');

-- ------------------------------------------------------------------ several shops

-- no contract; the mall collects, 5 %, issued at 0.01, redeemed at 0.02; collects itself, 8 %, 0.02, 0.025.
-- 100 / 200 / 300, 2,000 points = 60.00 as 10 / 20 / 30 and 333 / 667 / 1,000; basis 90 / 180 / 270 (tenders.sql)
UPDATE contract SET redemption_price = 0.02 WHERE contract_id = 2;
UPDATE contract SET redemption_price = 0.025 WHERE contract_id = 3;
SELECT fund('bo', 2000) \gset
SELECT is(sale('bo', 'K-1', 600, '[{"amount": 100}, {"amount": 200, "merchant_id": 2}, {"amount": 300, "merchant_id": 3}]', 2000), 'posted 540', 'three kinds of shop');
SELECT is(returned('bo'), '2 commission 3>1 10.00, 2 points_contribution 3>1 6.67/667, 2 points_issued 3>1 1.80/180, 2 sale 1>3 200.00, 3 commission 4>1 24.00, 3 points_issued 4>1 5.40/270, 3 points_redeemed 1>4 25.00/1000', 'their splits');
-- half of line 2: 10.00, 333.5, 90; 5.00; 3.335, 333.5; 0.90
SELECT is(back('K-1', 'R-1', lines => '[{"line_no": 2, "amount": 100}]'), '100.00 cash 90.00, restored 334, clawed 90', 'half of line 2');
SELECT is(returned('bo'), '2 commission 1>3 5.00, 2 points_contribution 1>3 3.34/334, 2 points_issued 1>3 0.90/90, 2 sale 3>1 100.00', 'half of its splits');
-- a third of line 3: 10.00, 333.33, 90; 8.00; 8.333, 333.33; 1.80
SELECT is(back('K-1', 'R-2', lines => '[{"line_no": 3, "amount": 100}]'), '100.00 cash 90.00, restored 333, clawed 90', 'a third of line 3');
SELECT is(returned('bo'), '3 commission 1>4 8.00, 3 points_issued 1>4 1.80/90, 3 points_redeemed 4>1 8.33/333', 'a third of its splits');
SELECT is(back('K-1', 'R-3'), '400.00 cash 360.00, restored 1333, clawed 360', 'the rest');
SELECT is(returned('bo'), '2 commission 1>3 5.00, 2 points_contribution 1>3 3.33/333, 2 points_issued 1>3 0.90/90, 2 sale 3>1 100.00, 3 commission 1>4 16.00, 3 points_issued 1>4 3.60/180, 3 points_redeemed 4>1 16.67/667', 'with the remainders');
SELECT is(ROW(owed('bo'), wallet('bo'))::text, '(,"2000 to 26-02-02 = 2000")', 'nobody owes anything');
-- a contract that keeps its commission, as that of the day of sale says
UPDATE contract SET commission_refunded = false, valid_during = '(,2024-02-05)' WHERE contract_id = 12;
INSERT INTO contract (contract_id, merchant_id, valid_during, collects, commission_rate) VALUES (112, 12, '[2024-02-05,)', 'mall', 0.08);
SELECT is(sale('keep', 'K-2', 200, '[{"amount": 100, "merchant_id": 11}, {"amount": 100, "merchant_id": 12}]', merchant => 11) || ', ' || back('K-2', 'R-1', merchant => 11), 'posted 200, 200.00 cash 200.00, clawed 200', 'an order of two shops');
SELECT is(ROW(returned('keep'), owed('keep'))::text, '("11 commission 1>11 10.00, 11 sale 11>1 100.00, 12 sale 12>1 100.00","12 commission 8.00/")', 'the one whose contract says so has its commission kept');

-- ------------------------------------------------------------------ purchases without points

-- claimed 60 days late: under review, 500.00 at the mall's shop; 200.00 returned before it is decided
CREATE FUNCTION public.late(name text, amount numeric DEFAULT 500, lines jsonb DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT public.sale(name, name, amount, lines, merchant => 2, at => now() - interval '60 days', posted => now()) $$;
SELECT is(late('r1') || ', ' || back('r1', 'R-1', 200, at => NULL, merchant => 2), 'review 0, 200.00 cash 200.00', 'nothing is there to be taken back');
SELECT is(returned('r1'), '2 commission 1>3 10.00, 2 sale 3>1 200.00', 'but goods and commission');
SELECT review_accrual(m('r1'), 2, 'approve', 'slip seen') \gset
SELECT is((SELECT points FROM journal WHERE member_id = m('r1') AND verb = 'review'), 300::bigint, 'approved is what is left');
SELECT is(returned('r1'), '2 points_issued 3>1 3.00/300', 'issued, too');
SELECT is(sum(points_earned), 300::numeric, 'earned, too') FROM activity_day WHERE member_id = m('r1');
SELECT is(back('r1', 'R-2', 100, at => NULL, merchant => 2), '100.00 cash 100.00, clawed 100', 'what is returned after is taken back');
SELECT is(returned('r1'), '2 commission 1>3 5.00, 2 points_issued 1>3 1.00/100, 2 sale 3>1 100.00', 'with what was issued by the approval');
SELECT is(back('r1', 'R-3', at => NULL, merchant => 2) || coalesce(owed('r1'), ''), '200.00 cash 200.00, clawed 200', 'and the rest');
SELECT is(late('r2') || ', ' || back('r2', 'R-1', at => NULL, merchant => 2), 'review 0, 500.00 cash 500.00', 'all of it');
SELECT review_accrual(m('r2'), 2, 'approve', 'slip seen') \gset
SELECT is(ROW((SELECT sum(points) FROM journal WHERE member_id = m('r2')), wallet('r2'), owed('r2'))::text, '(0,"none = 0",)', 'leaves nothing to approve');
SELECT is(late('r3') || ', ' || back('r3', 'R-1', 200, at => NULL, merchant => 2), 'review 0, 200.00 cash 200.00', 'a part');
SELECT review_accrual(m('r3'), 2, 'reject', 'no slip') \gset
SELECT is(back('r3', 'R-2', at => NULL, merchant => 2) || coalesce(owed('r3'), '') || ', ' || wallet('r3'), '300.00 cash 300.00, none = 0', 'of a rejected review goods and splits alone');
-- lines 300 and 200, of which the second is returned: line by line
SELECT is(late('r4', lines => '[{"amount": 300}, {"amount": 200, "merchant_id": 3}]') || ', ' || back('r4', 'R-1', lines => '[{"line_no": 2, "amount": 200}]', at => NULL, merchant => 2), 'review 0, 200.00 cash 200.00', 'the other shop''s line');
SELECT review_accrual(m('r4'), 2, 'approve', 'slip seen') \gset
SELECT is(returned('r4'), '2 points_issued 3>1 3.00/300', 'of which nothing is issued');

-- frozen when it was bought
SELECT set_member_status(enrol('ice'), 'frozen', 'x') \gset
SELECT is(sale('ice', 'E-1', 100, merchant => 2) || ', ' || back('E-1', 'R-1', 40, merchant => 2), 'rejected 0, 40.00 cash 40.00', 'a rejected purchase goes back without points');
SELECT is(ROW(returned('ice'), sum(purchases), sum(basis), sum(points_earned), sum(refunded_of_day), sum(refunded_on_day))::text, '("2 commission 1>3 2.00, 2 sale 3>1 40.00",1,60.00,0,40.00,40.00)', 'with splits and activity') FROM activity_day WHERE member_id = m('ice');
-- imported: its 100 points are taken from what is there
SELECT enrol('imp') \gset
SELECT is(i.sqlstate, NULL, 'a purchase of the old system') FROM import_purchases(ARRAY[ROW(m('imp'), 2, 500, 'E-2', '2023-06-01 12:00+08', NULL, 100)::purchase_import]) i;
SELECT grant_points(m('imp'), 60, 'left', 'L') \gset
SELECT is(back('E-2', 'R-1', 250, at => NULL, merchant => 2) || ', ' || back('E-2', 'R-2', at => NULL, merchant => 2), '250.00 cash 250.00, clawed 50, 250.00 cash 250.00, clawed 50, debt 40', 'its points of then');
SELECT is(ROW(returned('imp'), (SELECT balance FROM account WHERE member_id = m('imp')))::text, '(,-40)', 'and no splits');
SELECT is(ROW(purchases, basis, points_earned, refunded_of_day)::text, '(0,0.00,0,500.00)', 'its day') FROM activity_day WHERE member_id = m('imp') AND day = '2023-06-01';

-- ------------------------------------------------------------------ members

SELECT is(sale('fro', 'W-1', 100, at => now()) || ', ' || sale('clo', 'W-2', 100, at => now()), 'posted 100, posted 100', 'two members');
SELECT set_member_status(m('fro'), 'frozen', 'x'), set_member_status(m('clo'), 'closed', 'x') \gset
SELECT is(back('W-1', 'R-1', 30, at => NULL) || ', ' || back('W-2', 'R-1', 30, at => NULL), '30.00 cash 30.00, clawed 30, 30.00 cash 30.00, clawed 30', 'a frozen member''s order is refunded, and a closed one''s');
SELECT is(back('W-2', 'R-1', 30, at => NULL), '30.00 cash 30.00, clawed 30, again', 'once');
-- a purchase that was returned is none: the next is the first
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, condition) VALUES (21, 'first_time', 'Welcome', 'active', 'bonus_points', 100, 'first_purchase');
SELECT is(sale('fir', 'W-3', 100) || ', ' || back('W-3', 'R-1') || ', ' || sale('fir', 'W-4', 100, at => '2024-02-11 12:00+08') || ', ' || wallet('fir'), 'posted 200, 100.00 cash 100.00, clawed 200, posted 200, 200 to 26-02-12 = 200', 'after a return of all the next purchase is the first');
SELECT is(back('W-4', 'R-1', 99.99, at => '2024-02-12 12:00+08') || ', ' || sale('fir', 'W-5', 100, at => '2024-02-13 12:00+08'), '99.99 cash 99.99, clawed 200, posted 100', 'while something is left it is not');
UPDATE earn_rule SET status = 'ended', effective_from = '2023-01-05' WHERE status = 'active';
-- a tier stays until it ends; what counts for the next is what is left
SELECT is(sale('up', 'W-6', 5000, at => '2024-02-02 12:00+08') || ' ' || tier_of('up'), 'posted 5000 silver', '5,000 make silver');
SELECT is(back('W-6', 'R-1', 1000) || ' ' || tier_of('up'), '1000.00 cash 1000.00, clawed 1000 silver', 'silver stays');
-- 4,000 + 15,999.99 is a cent short of gold; 1.2 x 15,999.99 = 19,199.988
SELECT is(sale('up', 'W-7', 15999.99, at => '2024-02-12 12:00+08') || ' ' || tier_of('up'), 'posted 19199 silver', 'returned spend does not count for gold');
SELECT is(sale('up', 'W-8', 0.01, at => '2024-02-12 12:00+08') || ' ' || tier_of('up'), 'posted 0 gold', 'what is left does');

-- ------------------------------------------------------------------ the same call again, and refusals

SELECT is(sale('dup', 'Y-1', 100, '[{"quantity": 4, "amount": 40}, {"amount": 60}]') || ', ' || back('Y-1', 'R-2', lines => '[{"line_no": 1, "quantity": 1}]') || ', ' || back('Y-1', 'R-1', 33.3),
          'posted 100, 10.00 cash 10.00, clawed 10, 33.30 cash 33.30, clawed 33', 'two returns');   -- then 30.00 / 60.00 are left: 11.10 / 22.20
SELECT is(back('Y-1', 'R-1', 33.30), '33.30 cash 33.30, clawed 33, again', 'again');
SELECT is(back('Y-1', 'R-2', lines => '[{"quantity": 1.0, "line_no": 1}]'), '10.00 cash 10.00, clawed 10, again', 'numbers are numbers');
SELECT is(code(call), 'MB201', call)
  FROM unnest(ARRAY[$$SELECT back('Y-1', 'R-1', 33.31)$$, $$SELECT back('Y-1', 'R-1')$$, $$SELECT back('Y-1', 'R-1', lines => '[{"line_no": 2, "amount": 33.3}]')$$,
                    $$SELECT back('Y-1', 'R-2', lines => '[{"line_no": 1, "quantity": 2}]')$$, $$SELECT back('Y-1', 'R-2', lines => '[{"line_no": 1, "amount": 10}]')$$]) call;
SELECT is(balance, 57::bigint, 'nothing was taken twice') FROM account WHERE member_id = m('dup');
SELECT is(back('Y-1', 'R-3', 1, member => m('dup')), '1.00 cash 1.00, clawed 1', 'the member may be given');
SELECT is(code(format($$SELECT back('Y-1', %L, 1, member => %s)$$, ref, m('ann'))), 'MB202', 'but rightly, ' || ref) FROM unnest('{R-3,R-4}'::text[]) ref;
-- the same refund_ref of another order, and another shop's order of the same ref
SELECT is(sale('dup', 'Y-2', 100) || ', ' || sale('dup', 'Y-1', 70, merchant => 3) || ', ' || back('Y-2', 'R-1', 5) || ', ' || back('Y-1', 'R-1', 5, merchant => 3), 'posted 100, posted 70, 5.00 cash 5.00, clawed 5, 5.00 cash 5.00, clawed 5', 'keys are of their order');
CREATE FUNCTION public.told(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
    hint text;
BEGIN
    EXECUTE call;
    RETURN 'nothing';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' ', SQLSTATE, CASE WHEN detail <> '' THEN 'detail' END, CASE WHEN hint <> '' THEN 'hint' END);
END
$$;
SELECT is(told('SELECT membership.refund_order(' || arguments || ')'), code || ' detail hint', code || ' ' || arguments)
  FROM (VALUES ('NULL, ''Y-1'', ''N''', '22004'), ('1, NULL, ''N''', '22004'), ('1, ''Y-1'', NULL', '22004'), ('1, '''', ''N''', '22023'), ('1, ''Y-1'', ''''', '22023'), ('99, ''Y-1'', ''N''', 'MB003'), ('1, repeat(''x'', 1000), ''N''', '22023'),
               ('1, ''Y-1'', repeat(''x'', 1000)', '22023'), ('1, ''Y-1'', ''N'', -1', '22023'), ('1, ''Y-1'', ''N'', 1.001', '22023'), ('1, ''Y-1'', ''N'', 1e20', '22003'), ('1, ''Y-1'', ''N'', 100000', 'MB109'), ('1, ''Y-1'', ''R-1'', 1', 'MB201'),
               ('1, ''Y-1'', ''N'', 1, member_id => 987654321', 'MB202'), ('1, ''Y-1'', ''N'', 5, ''[{"line_no": 2, "amount": 5.01}]''', '22023'), ('1, ''Y-1'', ''N'', at => ''infinity''', '22023'), ('1, ''Y-1'', ''N'', at => now() + interval ''1 day''', '22023')) v (arguments, code);
SELECT is(balance, 216::bigint, 'and nothing was done') FROM account WHERE member_id = m('dup');   -- 56 + 100 - 5 + 70 - 5

-- ------------------------------------------------------------------ reading

SELECT is(string_agg(format('%s %s %s %s %s %s', verb, points, merchant, order_ref, amount, refers_to), ', ' ORDER BY journal_no, entry_no), 'accrual 425 Tea house A-2 500.00 , refund 167 Tea house A-2 33.33 4, refund -28 Tea house A-2 33.33 4', 'a statement shows a refund with its sale')
  FROM member_statement WHERE member_id = m('two') AND journal_no BETWEEN 4 AND 5;
SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');

SELECT * FROM finish();
ROLLBACK;
