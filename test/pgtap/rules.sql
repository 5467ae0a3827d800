-- Earning rules: steps, stacking, exclusive, rates, bonuses, filters, growth, lots, funders, review, refused rules.
\set tests 178
\ir setup.psql
\ir rules.psql
SELECT open_mall() \gset
SELECT enrol('ann') \gset
SELECT enrol('sil') \gset
-- 5,000 makes a silver member: 1.2x from then on
SELECT is(ROW(points, tier)::text, '(5000,silver)', 'without rules 1 point per 1.00') FROM buy('sil', 5000, at => '2024-03-01 12:00+08');
SELECT enrol('rat') \gset
SELECT is(tier, 'silver', 'another silver member') FROM buy('rat', 5000, at => '2024-03-14 12:00+08');
UPDATE tier SET qualify_basis = NULL; -- tiers stay
SELECT ok(NOT explanation ? 'rules', 'and no word of rules') FROM buy('ann', 1);

-- steps of one group: 1.5x from 588, 2x from 888
INSERT INTO earn_rule (rule_id, code, name, status, stack_group, effect, value, condition)
VALUES (1, 'step_588', 'From 588', 'active', 'step', 'multiplier', 1.5, 'order_basis >= 588'),
       (2, 'step_888', 'From 888: double 满888双倍', 'active', 'step', 'multiplier', 2, 'order_basis >= 888');
SELECT is(ROW(points, base_points, bonus_points, met(explanation))::text, '(587,587,0,)', '587.99 meets no step') FROM buy('ann', 587.99);
-- 588 x 1.5
SELECT is(ROW(points, base_points, bonus_points, met(explanation))::text, '(882,588,294,"step_588 applied 294")', '588 earns 1.5x') FROM buy('ann', 588);
-- 887.99 x 1.5 = 1331.985: base 887.99, rule 443.995, the larger remainder takes the point left over: 887 + 443 = 1330, .99 < .995
SELECT is(ROW(points, base_points, met(explanation))::text, '(1331,887,"step_588 applied 444")', '887.99 earns 1.5x, rounded once') FROM buy('ann', 887.99);
SELECT is(ROW(points, base_points, met(explanation))::text, '(1776,888,"step_588 beaten by step_888, step_888 applied 888")', '888 earns 2x, not 2.5x') FROM buy('ann', 888);

-- 900.00, silver 1.2x, step 2x, category 2x: additive 1.2 + 1 + 1 = 3.2, multiply 1.2 x 2 x 2 = 4.8
UPDATE merchant SET category = 'tea', brand = 'Longjing' WHERE merchant_id = 1;
INSERT INTO earn_rule (rule_id, code, name, status, categories, effect, value) VALUES (3, 'tea', 'Double tea', 'active', '{tea}', 'multiplier', 2);
SELECT is(ROW(points, base_points, bonus_points, explanation ->> 'stacking', met(explanation))::text,
          '(2880,900,1980,additive,"step_588 beaten by step_888, step_888 applied 900, tea applied 900")', 'additive: 2,880') FROM buy('sil', 900);
UPDATE program SET stacking = 'multiply';
-- parts: 900 x 1.2 = 1,080; x 2 = 2,160; x 2 = 4,320
SELECT is(ROW(points, base_points, bonus_points, explanation ->> 'stacking', met(explanation))::text,
          '(4320,900,3420,multiply,"step_588 beaten by step_888, step_888 applied 1080, tea applied 2160")', 'multiply: 4,320') FROM buy('sil', 900);
-- 1.0001 x 1.0001 x 1.0001, each product with 12 decimals: 1.2 x 1.0001 = 1.20012; x 1.0001 = 1.200240012;
-- x 1.0001 = 1.2003600360012; half up 1.200360036001. 100,000,000.00 x that = 120,036,003.6001
SELECT set_aside() \gset
INSERT INTO earn_rule (rule_id, code, name, status, effect, value)
SELECT 9 + n, 'tiny_' || n, 'Tiny', 'active', 'multiplier', 1.0001 FROM generate_series(1, 3) n;
-- parts: 120,000,000; 12,000; 12,001.2; 12,002.4001
SELECT is(ROW(points, met(explanation))::text, '(120036003,"tiny_1 applied 12000, tiny_2 applied 12001, tiny_3 applied 12002")', 'a product has 12 decimals')
  FROM buy('sil', 100000000);
UPDATE program SET stacking = 'additive';
SELECT enrol('dee', '2024-01-01 10:00+08') \gset

-- one rounding: 1.50 x (1 + 0.5 + 0.5) = 3; each by itself would be 1 + 0 + 0
SELECT set_aside() \gset
INSERT INTO earn_rule (rule_id, code, name, status, effect, value)
VALUES (20, 'half_a', 'Half more', 'active', 'multiplier', 1.5), (21, 'half_b', 'Half more', 'active', 'multiplier', 1.5);
-- parts 1.5, 0.75, 0.75: 1 + 0 + 0, and the two points left go to .75 and .75
SELECT is(ROW(points, base_points, met(explanation))::text, '(3,1,"half_a applied 1, half_b applied 1")', 'the order is rounded once') FROM buy('ann', 1.50);
-- lines of 0.25: each 0.25 x 2 = 0.5; three are 1.5, so 1, which goes to the first line; its parts .25 .125 .125: to base
SELECT is(ROW(points, met(explanation), jsonb_path_query_array(explanation, '$.lines[*].points'))::text,
          '(1,"half_a applied 0, half_b applied 0","[1, 0, 0]")', 'a tie goes to the lower line, in it to the largest part')
  FROM buy('ann', 0.75, '[{"amount": 0.25}, {"amount": 0.25}, {"amount": 0.25}]');
UPDATE program SET award_rounding = 'ceiling';
-- 0.01 x 2 = 0.02 up to 1: parts .01 .005 .005
SELECT is(ROW(points, base_points, bonus_points, met(explanation))::text, '(1,1,0,"half_a applied 0, half_b applied 0")', 'ceiling') FROM buy('ann', 0.01);
UPDATE program SET award_rounding = 'floor';

-- a line rule and an order rule in one order: lines 100 (brand Acme) and 200, and 50 that earn nothing
SELECT set_aside() \gset
INSERT INTO earn_rule (rule_id, code, name, status, scope, stack_group, brands, effect, value, condition)
VALUES (30, 'acme', 'Acme triple', 'active', 'line', NULL, '{Acme}', 'multiplier', 3, NULL),
       (31, 'big', 'From 300', 'active', 'order', NULL, NULL, 'multiplier', 1.5, 'order_basis >= 300 AND order_amount = 350');
\set three '[{"line_no": 1, "amount": 100, "brand": "Acme"}, {"line_no": 2, "amount": 200}, {"line_no": 4, "amount": 50, "brand": "Acme", "eligible": false}]'
-- line 1: 100 x (1 + 2 + 0.5) = 350; line 2: 200 x 1.5 = 300
SELECT is(ROW(points, base_points, jsonb_path_query_array(explanation, '$.lines[*].points'))::text, '(650,300,"[350, 300, 0]")', 'each line is judged by itself')
  FROM buy('ann', 350, :'three');
SELECT is(explanation -> 'rules', '[{"rule_id": 30, "version": 1, "code": "acme", "outcome": "applied", "effect": "multiplier", "value": 3, "points": 200, "lines": [{"line_no": 1, "points": 200}]},
  {"rule_id": 31, "version": 1, "code": "big", "outcome": "applied", "effect": "multiplier", "value": 1.5, "points": 150, "lines": [{"line_no": 1, "points": 50}, {"line_no": 2, "points": 100}]}]'::jsonb,
  'and the explanation tells what each rule gave to each') FROM buy('ann', 350, :'three');
-- in one group: line 1: 3x, line 2: 1.5x
UPDATE earn_rule SET stack_group = 'g', effective_from = '2001-01-01' WHERE rule_id IN (30, 31);
SELECT is(ROW(points, met(explanation), jsonb_path_query_array(explanation, '$.rules[*].lines'))::text,
          ROW(600, 'acme applied 200, big applied 100', '[[{"line_no": 1, "points": 200}], [{"line_no": 1, "beaten_by": "acme"}, {"line_no": 2, "points": 100}]]'::jsonb)::text,
          'in one group they meet line by line') FROM buy('ann', 350, :'three');
SELECT is(ROW(points, met(explanation))::text, '(1050,"acme applied 700, big beaten by acme")', 'a rule beaten on every line is beaten') -- 350 x 3
  FROM buy('ann', 350, '[{"amount": 100, "brand": "Acme"}, {"amount": 250, "brand": "Acme"}]');
SELECT is(ROW(points, met(explanation))::text, '(0,)', 'an order without an eligible line meets no rule')
  FROM buy('ann', 350, '[{"amount": 350, "brand": "Acme", "eligible": false}]');

-- best in group: value, then priority, then number
SELECT set_aside() \gset
INSERT INTO earn_rule (rule_id, code, name, status, stack_group, priority, effect, value)
VALUES (40, 'a', 'A', 'active', 'g', 0, 'multiplier', 2), (41, 'b', 'B', 'active', 'g', 5, 'multiplier', 2),
       (42, 'c', 'C', 'active', 'g', 5, 'multiplier', 2), (43, 'd', 'D', 'active', 'g', 9, 'multiplier', 1.9);
SELECT is(ROW(points, met(explanation))::text, '(200,"a beaten by b, b applied 100, c beaten by b, d beaten by b")',
          'the best value, then the higher priority, then the lower number') FROM buy('ann', 100);
UPDATE earn_rule SET priority = 5, effective_from = '2001-01-01' WHERE code = 'a';
SELECT is(met(explanation), 'a applied 100, b beaten by a, c beaten by a, d beaten by a', 'of equal priority the lower number') FROM buy('ann', 100);
UPDATE earn_rule SET stack_group = NULL, effective_from = '2001-01-02' WHERE code IN ('a', 'd');
-- 1 + 1 (a) + 1 (b, before c) + 0.9 (d)
SELECT is(ROW(points, met(explanation))::text, '(390,"a applied 100, b applied 100, c beaten by b, d applied 90")', 'without a group a rule competes with none') FROM buy('ann', 100);

-- rates: the highest of all groups; rate 3 at silver: 100 x 3 x 1.2
SELECT set_aside() \gset
INSERT INTO earn_rule (rule_id, code, name, status, stack_group, effect, value, condition)
VALUES (50, 'three', 'Three', 'active', 'x', 'rate', 3, 'order_basis >= 100'), (51, 'two', 'Two', 'active', 'y', 'rate', 2, 'order_basis >= 50'),
       (52, 'tenth', 'A tenth', 'active', NULL, 'rate', 0.1, NULL);
SELECT is(ROW(points, base_points, bonus_points, met(explanation))::text, '(300,100,200,"three applied 200, two beaten by three, tenth beaten by three")',
          'of the rates of all groups the highest is the line''s') FROM buy('ann', 100);
SELECT is(ROW(points, base_points, met(explanation))::text, '(100,50,"two applied 50, tenth beaten by two")', 'of those that match') FROM buy('ann', 50);
-- 49.90 x 0.1 = 4.99: less than the base rate, so all of it is base and tier
SELECT is(ROW(points, base_points, bonus_points, met(explanation))::text, '(4,4,0,"tenth applied 0")', 'a rate below the base rate lowers the base') FROM buy('ann', 49.90);
-- 49.90 x 0.1 x 1.2 = 5.988
SELECT is(ROW(points, base_points, met(explanation))::text, '(4,4,"tenth applied 0")', 'whatever the line''s number') FROM buy('ann', 49.90, '[{"line_no": 9, "amount": 49.90}]');
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, condition) VALUES (53, 'twice', 'Twice', 'active', 'multiplier', 2, 'order_basis >= 100');
-- 100 x 3 x (1.2 + 1) = 660: base and tier 120, rate 100 x 2 x 1.2 = 240, multiplier 100 x 3 x 1 = 300
SELECT is(ROW(points, base_points, bonus_points, met(explanation))::text,
          '(660,100,560,"three applied 240, two beaten by three, tenth beaten by three, twice applied 300")', 'a multiplier counts on the rate') FROM buy('rat', 100);
UPDATE program SET stacking = 'multiply';
-- 100 x 3 x 1.2 x 2 = 720: 120, 240, 360
SELECT is(ROW(points, met(explanation))::text, '(720,"three applied 240, two beaten by three, tenth beaten by three, twice applied 360")', 'multiplied, too') FROM buy('rat', 100);
UPDATE program SET stacking = 'additive';
-- a line of its own rate: 100 at 3 and 100 at 0.1 (tobacco): 300 + 10
UPDATE earn_rule SET scope = 'line', categories = '{tobacco}', exclusive = true, effective_from = '2001-01-01' WHERE code = 'tenth';
UPDATE earn_rule SET status = 'ended', effective_from = '2001-01-01' WHERE code = 'twice';
SELECT is(ROW(points, base_points, jsonb_path_query_array(explanation, '$.lines[*].points'), met(explanation))::text,
          '(310,110,"[300, 10]","three applied 200, two beaten by three, tenth applied 0")', 'a rate of a line')
  FROM buy('ann', 200, '[{"amount": 100}, {"amount": 100, "category": "tobacco"}]');

-- bonus points: of an order rule once, spread by basis; of a line rule for each line
SELECT set_aside() \gset
INSERT INTO earn_rule (rule_id, code, name, status, scope, stack_group, effect, value, condition)
VALUES (60, 'ten', 'Ten more', 'active', 'order', 'o', 'bonus_points', 10, NULL), (61, 'eight', 'Eight more', 'active', 'order', 'o', 'bonus_points', 8, NULL),
       (62, 'each', 'Five a line', 'active', 'line', 'l', 'bonus_points', 5, 'line_amount >= 100'), (63, 'less', 'One a line', 'active', 'line', 'l', 'bonus_points', 1, 'line_amount >= 0');
SELECT is(ROW(points, base_points, bonus_points, met(explanation))::text, '(115,100,15,"ten applied 10, eight beaten by ten, each applied 5, less beaten by each")',
          'an order of one line') FROM buy('ann', 100);
-- 10 over 100 and 200: 3.33 and 6.67; five on two lines; nothing on the line that does not earn
SELECT is(ROW(points, base_points, jsonb_path_query_array(explanation, '$.lines[*].points'), jsonb_path_query_array(explanation, '$.rules[*].lines[*].points'))::text,
          '(320,300,"[108, 212, 0]","[3, 7, 5, 5]")', 'spread over the eligible lines') FROM buy('ann', 350, :'three');
-- 99 + 1: 99 has one point, 201 five; ten: 3.3 and 6.7
SELECT is(ROW(points, jsonb_path_query_array(explanation, '$.lines[*].points'), jsonb_path_query_array(explanation, '$.rules[*].lines'))::text,
          ROW(316, '[103, 213]'::jsonb, '[[{"line_no": 1, "points": 3}, {"line_no": 2, "points": 7}], [{"line_no": 1, "beaten_by": "ten"}, {"line_no": 2, "beaten_by": "ten"}], [{"line_no": 2, "points": 5}], [{"line_no": 1, "points": 1}, {"line_no": 2, "beaten_by": "each"}]]'::jsonb)::text,
          'the best of a group of line bonuses, line by line') FROM buy('ann', 300, '[{"amount": 99}, {"amount": 201}]');
SELECT is(ROW(points, jsonb_path_query_array(explanation, '$.lines[*].points'))::text, '(12,"[0, 11, 1]")', 'the first eligible line has it all when no line has a basis') -- 10 + 1 + 1
  FROM buy('ann', 0, '[{"amount": 0, "eligible": false}, {"amount": 0}, {"amount": 0}]');
SELECT is(ROW(points, base_points, available_at)::text, '(11,0,"2024-03-15 04:00:00+00")', 'an amount of 0 can earn a bonus') FROM buy('ann', 0);
SELECT is(lots, 1::bigint, 'all in one lot')
  FROM (SELECT count(*) AS lots FROM lot WHERE member_id = m('ann') AND journal_no = (SELECT max(journal_no) FROM journal WHERE member_id = m('ann'))) l;

-- exclusive, of an order: no other multiplier, rate or bonus; growth and tier are not touched
SELECT set_aside() \gset
INSERT INTO earn_rule (rule_id, code, name, status, scope, exclusive, priority, effect, value, brands)
VALUES (70, 'alone', 'Stands alone', 'active', 'order', true, 0, 'multiplier', 3, NULL), (71, 'x2', 'Double', 'active', 'order', false, 9, 'multiplier', 20, NULL),
       (72, 'bonus', 'Bonus', 'active', 'order', false, 9, 'bonus_points', 50, NULL), (73, 'rate', 'Rate', 'active', 'order', false, 9, 'rate', 7, NULL),
       (74, 'line', 'A line''s', 'active', 'line', false, 9, 'bonus_points', 5, NULL), (75, 'grow', 'Growth', 'active', 'order', false, 0, 'growth', 1, NULL);
-- 100 x (1.2 + 2)
SELECT is(ROW(points, met(explanation))::text, '(320,"alone applied 200, x2 beaten by alone, bonus beaten by alone, rate beaten by alone, line beaten by alone, grow applied 100 growth")',
          'an exclusive order rule stands alone beside the tier') FROM buy('rat', 100);
UPDATE earn_rule SET effect = 'bonus_points', value = 500, effective_from = '2001-01-01' WHERE code = 'alone';
-- 100 x 1.2 + 500
SELECT is(ROW(points, met(explanation))::text, '(620,"alone applied 500, x2 beaten by alone, bonus beaten by alone, rate beaten by alone, line beaten by alone, grow applied 100 growth")',
          'so does an exclusive bonus') FROM buy('rat', 100);
UPDATE earn_rule SET effect = 'rate', value = 2, effective_from = '2001-01-02' WHERE code = 'alone';
SELECT is(ROW(points, met(explanation))::text, '(240,"alone applied 120, x2 beaten by alone, bonus beaten by alone, rate beaten by alone, line beaten by alone, grow applied 100 growth")',
          'and an exclusive rate') FROM buy('rat', 100); -- 100 x 2 x 1.2
UPDATE earn_rule SET status = 'shadow', effective_from = '2001-01-03' WHERE code = 'alone';
SELECT is(met(explanation), 'alone shadow 100, x2 applied 13300, bonus applied 50, rate applied 600, line applied 5, grow applied 100 growth', 'on trial it excludes nobody') -- 100 x 7 x 19; 100 x 6
  FROM buy('ann', 100);
-- exclusive, of a line
UPDATE earn_rule SET status = 'active', scope = 'line', brands = '{Acme}', effect = 'multiplier', value = 2, effective_from = '2001-01-04' WHERE code = 'alone';
UPDATE earn_rule SET value = 3, effective_from = '2001-01-04' WHERE code = 'x2';
UPDATE earn_rule SET status = 'ended', effective_from = '2001-01-04' WHERE code = 'rate';
\set two '[{"amount": 100, "brand": "Acme"}, {"amount": 100}]'
-- line 1: 200 and its half of the order's bonus; line 2: 300 + 25 + 5
SELECT is(ROW(points, jsonb_path_query_array(explanation, '$.lines[*].points'), met(explanation))::text,
          '(555,"[225, 330]","alone applied 100, x2 applied 200, bonus applied 50, line applied 5, grow applied 200 growth")', 'an exclusive line rule stands alone on its line')
  FROM buy('ann', 200, :'two');
-- both: the line's exclusive rule against the order's
UPDATE earn_rule SET exclusive = true, effective_from = '2001-01-05' WHERE code = 'x2';
-- x2 has priority 9, alone 0: 3x on every line; the order's bonus is beaten, too
SELECT is(ROW(points, met(explanation))::text, '(600,"alone beaten by x2, x2 applied 400, bonus beaten by x2, line beaten by x2, grow applied 200 growth")', 'the higher priority decides')
  FROM buy('ann', 200, :'two');
UPDATE earn_rule SET priority = 9, effective_from = '2001-01-06' WHERE code = 'alone';
SELECT is(ROW(points, jsonb_path_query_array(explanation, '$.lines[*].points'), met(explanation))::text,
          '(500,"[200, 300]","alone applied 100, x2 applied 200, bonus beaten by x2, line beaten by alone, grow applied 200 growth")', 'then the lower number, line by line')
  FROM buy('ann', 200, :'two');
-- exclusive bonus of a line: line 1: 100 + 7; line 2: 3x
UPDATE earn_rule SET effect = 'bonus_points', value = 7, priority = 10, effective_from = '2001-01-07' WHERE code = 'alone';
SELECT is(ROW(points, jsonb_path_query_array(explanation, '$.lines[*].points'))::text, '(407,"[107, 300]")', 'an exclusive bonus of a line') FROM buy('ann', 200, :'two');
-- exclusive growth
INSERT INTO earn_rule (rule_id, code, name, status, exclusive, effect, value) VALUES (76, 'grow_alone', 'Growth alone', 'active', true, 'growth', 0.5);
SELECT is(ROW(points, met(explanation))::text, '(300,"x2 applied 200, bonus beaten by x2, line beaten by x2, grow beaten by grow_alone, grow_alone applied 50 growth")',
          'exclusive growth stands alone among growth') FROM buy('ann', 100);
UPDATE earn_rule SET exclusive = false, effective_from = '2001-01-08' WHERE code = 'x2';
SELECT is(met(explanation), 'x2 applied 200, bonus applied 50, line applied 5, grow beaten by grow_alone, grow_alone applied 50 growth', '... and touches no points') FROM buy('ann', 100);

-- growth: best in group, the sum across groups, rounded once
SELECT set_aside() \gset
SELECT enrol('gro') \gset
INSERT INTO earn_rule (rule_id, code, name, status, scope, stack_group, effect, value, brands)
VALUES (80, 'g1', 'G1', 'active', 'order', 'g', 'growth', 1, NULL), (81, 'g2', 'G2', 'active', 'order', 'g', 'growth', 1.5, NULL),
       (82, 'g3', 'G3', 'active', 'line', NULL, 'growth', 0.3, '{Acme}');
-- (0.99 + 0.51) x 1.5 = 2.25, 0.99 x 0.3 = 0.297: 2.547, down to 2. Line 1: 1.485 + .297 = 1.782, line 2: .765: 1 and 1. Line 1's
-- parts 1.485, .297: 1, 0
SELECT is(ROW(points, points_wanted, met(explanation))::text, '(100,100,"g1 beaten by g2, g2 applied 150 growth, g3 applied 30 growth")', 'growth beside points')
  FROM buy('gro', 100, '[{"amount": 100, "brand": "Acme"}]');
SELECT is(ROW(growth, points)::text, '(180,100)', 'is frozen in the journal') FROM journal WHERE member_id = m('gro') AND verb = 'accrual';
SELECT is(ROW(growth, points_earned)::text, '(180,100)', 'and gained on its day') FROM activity_day WHERE member_id = m('gro');
-- 0.33 x 1.5 = 0.495 and 0.495: together 0.99
SELECT is(met(explanation), 'g1 beaten by g2, g2 applied 0 growth', 'down to 0') FROM buy('gro', 0.66, '[{"amount": 0.33}, {"amount": 0.33}]');
UPDATE program SET award_rounding = 'half_up';
SELECT is(met(explanation), 'g1 beaten by g2, g2 applied 1 growth', 'half up to 1') FROM buy('gro', 0.66, '[{"amount": 0.33}, {"amount": 0.33}]');
UPDATE program SET award_rounding = 'floor';
SELECT is(growth, 181::bigint, 'a day sums up') FROM activity_day WHERE member_id = m('gro');

-- on trial, in draft, paused, ended
SELECT set_aside() \gset
INSERT INTO earn_rule (rule_id, code, name, status, effect, value)
VALUES (90, 'trial', 'Trial', 'shadow', 'multiplier', 3), (91, 'trial_rate', 'Trial', 'shadow', 'rate', 1.5), (92, 'trial_bonus', 'Trial', 'shadow', 'bonus_points', 7),
       (93, 'trial_growth', 'Trial', 'shadow', 'growth', 2), (94, 'draft', 'Draft', 'draft', 'multiplier', 9), (95, 'paused', 'Paused', 'paused', 'multiplier', 9),
       (96, 'ended', 'Ended', 'ended', 'multiplier', 9), (97, 'paid', 'Paid', 'active', 'multiplier', 1.5);
-- alone each would give 10.50 x 2 = 21, 10.50 x 0.5 = 5.25, 7 and 21 growth; paid is 10.50 x 0.5: 15.75 = 10 + 5, .75 to no one
SELECT is(ROW(points, met(explanation))::text, '(15,"trial shadow 21, trial_rate shadow 5, trial_bonus shadow 7, trial_growth shadow 21 growth, paid applied 5")',
          'a rule on trial pays nothing and tells what it would give alone') FROM buy('ann', 10.50);
SELECT is(ROW(growth, points)::text, '(,15)', 'nor growth') FROM journal WHERE member_id = m('ann') ORDER BY journal_no DESC LIMIT 1;
SELECT is(met(explanation), 'trial shadow 21, trial_rate shadow 5, trial_bonus shadow 7, trial_growth shadow 21 growth, paid applied 5', 'drafts, paused and ended rules are not spoken of')
  FROM preview_accrual(m('ann'), 1, 10.50, occurred_at => '2024-03-15 12:00+08');

-- filters: 1, 2, 4 .. tell which rules matched
SELECT set_aside() \gset
INSERT INTO mall (mall_id, name) VALUES (2, 'North');
INSERT INTO merchant (merchant_id, name, mall_id, brand, category) VALUES (4, 'Northern tea', 2, 'Longjing', 'tea');
INSERT INTO earn_rule (rule_id, code, name, status, scope, effect, value, mall_ids, merchant_ids, brands, categories, channels, tiers)
VALUES (100, 'mall', 'F', 'active', 'order', 'bonus_points', 1, '{1}', NULL, NULL, NULL, NULL, NULL), (101, 'shop', 'F', 'active', 'order', 'bonus_points', 2, NULL, '{2,3}', NULL, NULL, NULL, NULL),
       (102, 'brand', 'F', 'active', 'order', 'bonus_points', 4, NULL, NULL, '{Longjing,Acme}', NULL, NULL, NULL), (103, 'category', 'F', 'active', 'order', 'bonus_points', 8, NULL, NULL, NULL, '{tea}', NULL, NULL),
       (104, 'channel', 'F', 'active', 'order', 'bonus_points', 16, NULL, NULL, NULL, NULL, '{app,web}', NULL), (105, 'tier', 'F', 'active', 'order', 'bonus_points', 32, NULL, NULL, NULL, NULL, NULL, '{silver,gold}'),
       (106, 'both', 'F', 'active', 'order', 'bonus_points', 64, NULL, '{1,2}', NULL, NULL, '{app}', NULL);
SELECT is(bonus_points, 13::bigint, 'shop 1 at the till: mall, brand, category') FROM buy('ann', 100);
SELECT is(bonus_points, 83::bigint, 'shop 2 by app: mall, shop, channel, both; it has no brand and no category') FROM buy('ann', 100, merchant => 2, channel => 'app');
SELECT is(bonus_points, 65::bigint, 'a silver member: mall, brand, category, tier, and 20 of the tier') FROM buy('rat', 100);
SELECT is(bonus_points, 28::bigint, 'shop 4 by web: brand, category, channel') FROM buy('ann', 100, merchant => 4, channel => 'web');
SELECT is(bonus_points, 13::bigint, 'an order rule asks the order''s merchant, not its lines')
  FROM buy('ann', 100, '[{"amount": 100, "merchant_id": 2, "brand": "Other", "category": "other"}]');
SELECT is(met(explanation), 'mall not_matched (mall 2 is not in mall_ids), shop not_matched (merchant 4 is not in merchant_ids), brand applied 4, category applied 8, '
          'channel not_matched (channel pos is not in channels), tier not_matched (tier regular is not in tiers), both not_matched (merchant 4 is not in merchant_ids)',
          'a preview says which filter') FROM preview_accrual(m('ann'), 4, 100, occurred_at => '2024-03-15 12:00+08');
SELECT is(met(explanation), 'mall applied 1, shop applied 2, brand not_matched (no brand is known, and brands asks for one), category not_matched (no category is known, and categories asks for one), '
          'channel not_matched (channel pos is not in channels), tier not_matched (tier regular is not in tiers), both not_matched (channel pos is not in channels)',
          'also where there is nothing to compare') FROM preview_accrual(m('ann'), 2, 100, occurred_at => '2024-03-15 12:00+08');
UPDATE earn_rule SET scope = 'line', effective_from = '2001-01-01' WHERE rule_id BETWEEN 100 AND 106;
-- shop 1: mall, brand, category = 13; shop 2 with a brand and a category of the line: 1 + 2 + 4 + 8; shop 2 without: 1 + 2
SELECT is(jsonb_path_query_array(explanation, '$.lines[*].points'), '[113, 115, 103]', 'a line rule asks each line')
  FROM buy('ann', 300, '[{"amount": 100}, {"amount": 100, "merchant_id": 2, "brand": "Acme", "category": "tea"}, {"amount": 100, "merchant_id": 2}]');
SELECT is(jsonb_path_query_array(explanation, '$.lines[*].points'), '[101, 109]', 'the line''s own brand and category come before its merchant''s')
  FROM buy('ann', 200, '[{"amount": 100, "brand": "Other", "category": "other"}, {"amount": 100, "brand": "Other"}]');
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, brands) VALUES (107, 'long', 'F', 'active', 'bonus_points', 128, ARRAY[repeat('长', 200)]);
SELECT is(bonus_points, 13::bigint, 'a very long brand is another') FROM buy('ann', 100);
UPDATE merchant SET brand = repeat('长', 199) || '短' WHERE merchant_id = 3;
SELECT is(bonus_points, 3::bigint, 'from one that begins like it') FROM buy('ann', 100, merchant => 3);
UPDATE merchant SET brand = repeat('长', 200) WHERE merchant_id = 3;
SELECT is(bonus_points, 131::bigint, 'and itself') FROM buy('ann', 100, merchant => 3);

-- lots: one order opens one for every life
SELECT set_aside() \gset
SELECT enrol('lot') \gset
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, expiry, pending_days)
VALUES (110, 'eternal', 'L', 'active', 'bonus_points', 10, 'never', NULL), (111, 'd90', 'L', 'active', 'bonus_points', 20, '90 days', NULL),
       (112, 'fixed', 'L', 'active', 'bonus_points', 30, '2024-12-31', NULL), (113, 'later', 'L', 'active', 'bonus_points', 40, NULL, 7),
       (114, 'past', 'L', 'active', 'bonus_points', 5, '2024-01-31', NULL), (115, 'same', 'L', 'active', 'bonus_points', 3, '24 months', 0),
       (116, 'too', 'L', 'active', 'bonus_points', 1, 'never', NULL);
SELECT is(ROW(status, points, balance, available_at, expires_at)::text, '(posted,209,209,"2024-03-15 04:00:00+00","2024-03-15 04:00:00+00")', 'points of many lives') FROM buy('lot', 100);
-- 24 months: through 15 March 2026; 90 days: through 13 June; 7 days pending: from 22 March
SELECT is(array_agg(ROW(lot_no, granted, active_at, expires_at)::text ORDER BY lot_no),
          '{"(1,103,\"2024-03-15 04:00:00+00\",\"2026-03-15 16:00:00+00\")","(2,11,\"2024-03-15 04:00:00+00\",)","(3,20,\"2024-03-15 04:00:00+00\",\"2024-06-13 16:00:00+00\")",'
          '"(4,30,\"2024-03-15 04:00:00+00\",\"2024-12-31 16:00:00+00\")","(5,40,\"2024-03-21 16:00:00+00\",\"2026-03-15 16:00:00+00\")"}', 'a lot for each')
  FROM lot WHERE member_id = m('lot');
SELECT is(array_agg(ROW(verb, points, balance)::text ORDER BY journal_no), '{"(accrual,209,209)","(expiry,-5,204)"}', 'points that are dead when posted expire in the same call')
  FROM journal WHERE member_id = m('lot') AND journal_no > 1;
UPDATE earn_rule SET expiry = NULL, pending_days = 7, effective_from = '2001-01-01' WHERE rule_id BETWEEN 110 AND 116;
SELECT is(ROW(status, points, available_at)::text, '(posted,209,"2024-03-15 04:00:00+00")', 'pending is an order none of whose points can be spent') FROM buy('lot', 100);
UPDATE program SET pending_days = 3;
UPDATE earn_rule SET pending_days = CASE rule_id WHEN 110 THEN NULL WHEN 111 THEN 0 ELSE 7 END, effective_from = '2001-01-02' WHERE rule_id BETWEEN 110 AND 116;
SELECT is(ROW(status, points, available_at)::text, '(posted,209,"2024-03-15 04:00:00+00")', 'a rule can give at once what else is pending') FROM buy('lot', 100);
UPDATE program SET pending_days = 0;
SELECT is(array_agg(ROW(granted, active_at)::text ORDER BY active_at), '{"(20,\"2024-03-15 04:00:00+00\")","(110,\"2024-03-17 16:00:00+00\")","(79,\"2024-03-21 16:00:00+00\")"}', 'or later')
  FROM lot WHERE member_id = m('lot') AND journal_no = (SELECT max(journal_no) FROM journal WHERE member_id = m('lot'));
-- a line's own pending days: 5 at shop 3
UPDATE merchant SET pending_days = 5 WHERE merchant_id = 3;
UPDATE earn_rule SET status = 'ended', effective_from = '2001-01-03' WHERE rule_id BETWEEN 111 AND 116;
SELECT is(jsonb_path_query_array(explanation, '$.rules[*].lines[*].points'), '[5, 5]', 'a bonus over two shops') FROM buy('lot', 200, '[{"amount": 100}, {"amount": 100, "merchant_id": 3}]');
SELECT is(array_agg(ROW(granted, active_at)::text ORDER BY active_at), '{"(105,\"2024-03-15 04:00:00+00\")","(105,\"2024-03-19 16:00:00+00\")"}', 'lives as the other points of each')
  FROM lot WHERE member_id = m('lot') AND journal_no = (SELECT max(journal_no) FROM journal WHERE member_id = m('lot'));
UPDATE merchant SET pending_days = NULL WHERE merchant_id = 3;

-- funders
SELECT set_aside() \gset
INSERT INTO party (party_id, name, kind) VALUES (5, 'Brand Ltd', 'sponsor'), (6, 'Bank', 'sponsor');
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, funder_party_id)
VALUES (120, 'bank_x2', 'F', 'active', 'multiplier', 2, 6), (121, 'x1_5', 'F', 'active', 'multiplier', 1.5, NULL), (122, 'own', 'F', 'active', 'bonus_points', 30, 3),
       (123, 'brand_gift', 'F', 'active', 'bonus_points', 9, 5), (124, 'mall_gift', 'F', 'active', 'bonus_points', 4, 1), (125, 'bank_gift', 'F', 'active', 'bonus_points', 2, 6),
       (126, 'brand_growth', 'F', 'active', 'growth', 5, 5), (127, 'brand_trial', 'F', 'shadow', 'bonus_points', 9, 5);
-- 100 + 100 + 50 + 30 + 9 + 4 + 2. The bookshop pays for 100 + 30, Brand for 9, the bank for 100 + 2, at 0.01; the mall pays nobody
SELECT is(points, 295::bigint, 'points of many funders') FROM buy('ann', 100, merchant => 2);
SELECT is(array_agg(ROW(split_no, merchant_id, kind, payer_party_id, payee_party_id, amount, points)::text ORDER BY split_no),
          '{"(1,2,sale,1,3,100.00,)","(2,2,commission,3,1,5.00,)","(3,2,points_issued,3,1,1.30,130)","(4,2,points_issued,5,1,0.09,9)","(5,2,points_issued,6,1,1.02,102)"}', 'each pays for its own')
  FROM merchant_split WHERE member_id = m('ann') AND journal_no = (SELECT max(journal_no) FROM journal WHERE member_id = m('ann'));
-- line 1, bookshop, 50.50: base 50.5, x2 50.5, x1.5 25.25 = 126.25; line 2, noodle bar at 0.02: 49.50: 49.5 + 49.5 + 24.75 = 123.75; line 3, tea house, free: 0.
-- Together 250: 126 and 124 (.75 before .25). Line 1: 50 + 50 + 25, one left: .5 .5 .25: base: 51 50 25. Line 2: 49 49 24 and two left of .5 .5 .75: 50 49 25.
-- Bonuses by basis: own 30: 15.15, 14.85: 15, 15; brand 9: 4.545, 4.455: 5, 4; bank 2: 1.01, .99: 1, 1. At the noodle bar party 3 is a funder like others:
-- bookshop: 3: 51 + 15 = 66, .66; 5: 5, .05; 6: 51, .51. Noodle bar: 4: 50, 1.00; 3: 15, .30; 5: 4, .08; 6: 50, 1.00
SELECT is(jsonb_path_query_array(explanation, '$.rules[*].lines[*].points'), '[50, 49, 0, 25, 25, 0, 15, 15, 0, 5, 4, 0, 2, 2, 0, 1, 1, 0]', 'an order at three shops')
  FROM buy('ann', 100, '[{"amount": 50.50, "merchant_id": 2}, {"amount": 49.50, "merchant_id": 3}, {"amount": 0}]', merchant => 1);
SELECT is(array_agg(ROW(merchant_id, payer_party_id, amount, points)::text ORDER BY split_no),
          '{"(2,3,0.66,66)","(2,5,0.05,5)","(2,6,0.51,51)","(3,4,1.00,50)","(3,3,0.30,15)","(3,5,0.08,4)","(3,6,1.00,50)"}', 'the merchant''s own row first, then the funders''')
  FROM merchant_split WHERE member_id = m('ann') AND journal_no = (SELECT max(journal_no) FROM journal WHERE member_id = m('ann')) AND kind = 'points_issued';

-- conditions that fail on data: only their rule
SELECT set_aside() \gset
SELECT enrol('fay') \gset
INSERT INTO earn_rule (rule_id, code, name, status, scope, effect, value, condition)
VALUES (130, 'zero', 'Z', 'active', 'order', 'bonus_points', 1, '100 / (order_attributes ->> ''n'')::integer > 1'), (131, 'good', 'G', 'active', 'order', 'bonus_points', 2, NULL),
       (132, 'lines', 'L', 'active', 'line', 'bonus_points', 4, '100 / (line_amount - 10) > 0');
SELECT is(met(explanation), 'zero applied 1, good applied 2, lines applied 4', 'conditions on good data') FROM buy('fay', 100, attributes => '{"n": 5}');
SELECT is(met(explanation), 'zero failed 22012, good applied 2, lines applied 4', 'a division by zero') FROM buy('fay', 100, attributes => '{"n": 0}');
SELECT is(met(explanation), 'zero failed 22P02, good applied 2, lines failed 22012', 'a text that is no number; a failure on one line fails the rule on all')
  FROM buy('fay', 100, '[{"amount": 50}, {"amount": 10}, {"amount": 40}]', attributes => '{"n": "many"}');
SELECT is(ROW(points, met(explanation))::text, '(102,"good applied 2, lines failed 22012")', 'in the first line too; a condition that is null does not match')
  FROM buy('fay', 100, '[{"amount": 10}, {"amount": 90}]');
SELECT is(jsonb_path_query_first(explanation, '$.rules[0].message'), NULL, 'what is kept for ever has no message, which may quote data') FROM buy('fay', 100, attributes => '{"n": 0}');
SELECT is(array_agg(ROW(code, version, sqlstate, message, failures)::text ORDER BY code, sqlstate),
          '{"(lines,1,22012,\"division by zero\",2)","(zero,1,22012,\"division by zero\",2)","(zero,1,22P02,\"invalid input syntax for type integer: \"\"many\"\"\",1)"}', 'rule_error counts them')
  FROM rule_error;
SELECT is(met(explanation) || ': ' || jsonb_path_query_first(explanation, '$.rules[0].message'), 'zero failed 22012, good applied 2, lines applied 4: "division by zero"', 'a preview shows a failure with its message') FROM preview_accrual(m('fay'), 1, 100, attributes => '{"n": 0}', occurred_at => '2024-03-15 12:00+08');
SELECT is(sum(failures), 5::numeric, '... and counts none') FROM rule_error;

-- a frozen member: recorded and explained, not paid
SELECT set_aside() \gset
SELECT enrol('fred') \gset
INSERT INTO earn_rule (rule_id, code, name, status, effect, value) VALUES (140, 'frozen_x2', 'X', 'active', 'multiplier', 2), (141, 'frozen_growth', 'G', 'active', 'growth', 1);
SELECT set_member_status(m('fred'), 'frozen', 'test') \gset
SELECT is(ROW(status, points, points_wanted, met(explanation))::text, '(rejected,0,200,"frozen_x2 applied 100, frozen_growth applied 100 growth")', 'a frozen member earns nothing') FROM buy('fred', 100);
SELECT is(ROW(purchases, a.basis, points_earned, a.growth, j.growth)::text, '(1,100.00,0,0,)', 'and grows nothing') FROM activity_day a JOIN journal j USING (member_id, day) WHERE member_id = m('fred') AND verb = 'accrual';
SELECT is(ROW(purchases, points, growth)::text, '(0,0,0)', 'rule_effect does not count it') FROM rule_effect WHERE code = 'frozen_x2';

-- review: what the rules said then is what an approval posts, whatever they say by then
SELECT set_aside() \gset
SELECT enrol('rev') \gset
UPDATE program SET expiry = 'never';
INSERT INTO earn_rule (rule_id, code, name, status, stack_group, effect, value, expiry, pending_days, funder_party_id)
VALUES (150, 'late_x2', 'R', 'active', 'late', 'multiplier', 2, NULL, NULL, 6), (151, 'gift', 'R', 'active', NULL, 'bonus_points', 30, 'never', 7, 5),
       (152, 'short', 'R', 'active', NULL, 'bonus_points', 6, '90 days', NULL, NULL), (153, 'late_growth', 'R', 'active', NULL, 'growth', 0.5, NULL, NULL, NULL),
       (154, 'late_x1_5', 'R', 'active', 'late', 'multiplier', 1.5, NULL, NULL, NULL);
-- lines 3: 200 at shop 1, 7: 100 at shop 2. 300 x 2 + 30 + 6; growth 300 x 0.5. Line 3: 400 + 20 + 4, line 7: 200 + 10 + 2
SELECT is(ROW(journal_no, status, points, points_wanted, base_points, jsonb_path_query_array(explanation, '$.lines[*].points'), met(explanation))::text,
          '(2,review,0,636,300,"[424, 212]","late_x2 applied 300, gift applied 30, short applied 6, late_growth applied 150 growth, late_x1_5 beaten by late_x2")', 'a late purchase is held for review')
  FROM buy('rev', 300, '[{"line_no": 7, "amount": 100}, {"line_no": 3, "amount": 200, "merchant_id": 1}]', merchant => 2, posted => '2024-05-01 12:00+08');
SELECT is(ROW(points_earned, a.growth, j.growth)::text, '(0,0,)', 'and grows nothing yet') FROM activity_day a JOIN journal j USING (member_id, day) WHERE member_id = m('rev') AND verb = 'accrual';
UPDATE earn_rule SET value = 9, expiry = '1 days', pending_days = 1, funder_party_id = NULL WHERE rule_id = 150;
UPDATE earn_rule SET value = 900, expiry = '90 days', pending_days = 0, funder_party_id = 3 WHERE rule_id = 151;
SELECT set_aside() \gset
SELECT is(ROW(purchases, points, growth)::text, '(0,0,0)', 'rule_effect does not count it before it is approved') FROM rule_effect WHERE code = 'late_x2';
SELECT review_accrual(m('rev'), 2, 'approve', 'seen') \gset
SELECT is(array_agg(ROW(journal_no, verb, points, growth)::text ORDER BY journal_no), '{"(3,review,636,150)","(4,expiry,-6,)"}', 'an approval posts them; what has died meanwhile expires')
  FROM journal WHERE member_id = m('rev') AND journal_no > 2;
SELECT is(array_agg(ROW(granted, active_at > '2026-01-01', active_at = '2024-03-21 16:00+00', expires_at)::text ORDER BY lot_no), '{"(600,t,f,)","(30,f,t,)"}', 'lots live as the rules said then')
  FROM lot WHERE member_id = m('rev');
-- at shop 2, 0.01 a point: base 100, the bank's 100, the brand's 10; the mall's 2 are no row
SELECT is(array_agg(ROW(merchant_id, kind, payer_party_id, payee_party_id, amount, points)::text ORDER BY split_no),
          '{"(2,points_issued,3,1,1.00,100)","(2,points_issued,5,1,0.10,10)","(2,points_issued,6,1,1.00,100)"}', 'those who funded them then pay') FROM merchant_split WHERE member_id = m('rev') AND journal_no = 3;
SELECT is(ROW(purchases, basis, points_earned, growth)::text, '(1,300.00,636,150)', 'the day of the purchase gains points and growth') FROM activity_day WHERE member_id = m('rev') AND day = '2024-03-15';
SELECT is(ROW(purchases, members, points, growth, first_day, last_day)::text, '(1,1,300,0,2024-03-15,2024-03-15)', 'rule_effect counts it') FROM rule_effect WHERE code = 'late_x2';
SELECT is(ROW(purchases, points, growth)::text, '(1,0,150)', 'and growth') FROM rule_effect WHERE code = 'late_growth';
-- an order without lines, and one that is rejected
UPDATE earn_rule SET status = 'active', value = 2, expiry = NULL, pending_days = NULL, effective_from = '2024-06-01' WHERE rule_id = 150;
UPDATE earn_rule SET status = 'active', effective_from = '2024-06-01' WHERE rule_id = 153;
SELECT is(ROW(status, points_wanted)::text, '(review,200)', 'a purchase of one line') FROM buy('rev', 100, at => '2024-06-15 12:00+08', posted => clock_timestamp());
SELECT is(ROW(status, points_wanted)::text, '(review,80)', 'and another') FROM buy('rev', 40, at => '2024-06-15 12:00+08', posted => clock_timestamp());
SELECT review_accrual(m('rev'), 5, 'approve', 'seen') \gset
SELECT review_accrual(m('rev'), 6, 'reject', 'not believed') \gset
SELECT is(array_agg(ROW(verb, refers_to, reason_code, points, growth)::text ORDER BY journal_no), '{"(review,5,approved,200,50)","(review,6,rejected,0,)"}', 'one approved, one rejected')
  FROM journal WHERE member_id = m('rev') AND journal_no > 6;
SELECT is(ROW(purchases, basis, points_earned, growth)::text, '(2,140.00,200,50)', 'only what is approved is gained') FROM activity_day WHERE member_id = m('rev') AND day = '2024-06-15';
SELECT is(ROW(purchases, points)::text, '(2,400)', 'and counted') FROM rule_effect WHERE code = 'late_x2';
UPDATE program SET expiry = '24 months';

-- rules that are refused
SELECT set_aside() \gset
SELECT throws_ok($$INSERT INTO membership.earn_rule (rule_id, code, name, effect, value, condition) VALUES (200, 'x', 'X', 'multiplier', 2, 'occurred_at > now()')$$,
                 'MB302', NULL, 'a condition that is refused');
INSERT INTO earn_rule (rule_id, code, name, status, stack_group, scope, effect, value)
VALUES (201, 'm', 'M', 'active', 'm', 'order', 'multiplier', 2), (202, 'r', 'R', 'draft', 'r', 'order', 'rate', 2), (203, 'bon', 'B', 'paused', 'b', 'order', 'bonus_points', 2),
       (204, 'g', 'G', 'shadow', 'g', 'line', 'growth', 2), (205, 'e', 'E', 'ended', 'e', 'order', 'multiplier', 2), (206, 'free', 'F', 'active', NULL, 'order', 'multiplier', 2);
SELECT throws_ok(format('UPDATE membership.earn_rule SET %s WHERE rule_id = 206', change), 'MB303', message, 'MB303: ' || change)
  FROM (VALUES
    ('mall_ids = ''{1,9}''', 'rule "free" names "9" in mall_ids, which does not exist'),
    ('merchant_ids = ''{1,99}''', 'rule "free" names "99" in merchant_ids, which does not exist'),
    ('tiers = ''{platinum}''', 'rule "free" names "platinum" in tiers, which does not exist'),
    ('expiry = ''soon''', 'expiry policy "soon" is not known'),
    ('expiry = ''2024-02-30''', 'expiry policy "2024-02-30" is not known'),
    ('stack_group = ''r''', 'rule "free" does not fit into stack group "r"'),
    ('stack_group = ''m'', effect = ''rate''', 'rule "free" does not fit into stack group "m"'),
    ('stack_group = ''b'', effect = ''bonus_points'', scope = ''line''', 'rule "free" does not fit into stack group "b"'),
    ('stack_group = ''g'', effect = ''growth'', scope = ''order''', 'rule "free" does not fit into stack group "g"')) c (change, message);
SELECT lives_ok(format('UPDATE membership.earn_rule SET %s WHERE rule_id = 206', change), 'not refused: ' || change)
  FROM (VALUES ('stack_group = ''m'', scope = ''line'''), ('stack_group = ''r'', effect = ''rate'', scope = ''line'''), ('stack_group = ''e'', effect = ''rate'''),
               ('stack_group = ''b'', effect = ''bonus_points'', scope = ''order'''), ('stack_group = ''r'', status = ''ended'''),
               ('stack_group = NULL, status = ''active'', effect = ''multiplier'', mall_ids = ''{1,2}'', merchant_ids = ''{1}'', tiers = ''{gold}'', expiry = ''year end + 1''')) c (change);
SELECT throws_ok($$UPDATE membership.earn_rule SET status = 'active', stack_group = 'b' WHERE rule_id = 205$$, 'MB303', NULL, 'a rule brought back must fit again');
SELECT throws_ok($$INSERT INTO membership.earn_rule (rule_id, code, name, stack_group, effect, value) VALUES (207, 'p', 'P', 'new', 'multiplier', 2), (208, 'q', 'Q', 'new', 'rate', 2)$$,
                 'MB303', NULL, 'rules of one statement must fit each other');
SELECT throws_ok(format('UPDATE membership.earn_rule SET %s WHERE rule_id = 206', change), '23514',
                 format('new row for relation "earn_rule" violates check constraint "earn_rule_%s"', name), format('%s: %s', name, change))
  FROM (VALUES
    ('name = ''''', 'name_not_empty'), ('status = ''on''', 'status_known'), ('scope = ''item''', 'scope_known'), ('stack_group = ''''', 'stack_group_not_empty'),
    ('valid_during = ''empty''', 'valid_during_not_empty'),
    ('mall_ids = ''{}''', 'filters_not_empty'), ('merchant_ids = ''{}''', 'filters_not_empty'), ('brands = ''{}''', 'filters_not_empty'),
    ('categories = ''{}''', 'filters_not_empty'), ('channels = ''{}''', 'filters_not_empty'), ('tiers = ''{}''', 'filters_not_empty'),
    ('mall_ids = ''{1,NULL}''', 'filters_without_null'), ('merchant_ids = ''{NULL}''', 'filters_without_null'), ('brands = ''{NULL}''', 'filters_without_null'),
    ('categories = ''{a,NULL}''', 'filters_without_null'), ('channels = ''{NULL}''', 'filters_without_null'), ('tiers = ''{NULL,gold}''', 'filters_without_null'),
    ('effect = ''gift''', 'effect_known'), ('refund_mode = ''half''', 'refund_mode_known'), ('pending_days = -1', 'pending_days_range'), ('pending_days = 367', 'pending_days_range'),
    ('value = 0.9999', 'value_range'), ('value = 100.0001', 'value_range'), ('value = 1.00001', 'value_range'), ('value = ''NaN''', 'value_range'), ('value = ''Infinity''', 'value_range'),
    ('effect = ''bonus_points'', value = 0', 'value_range'), ('effect = ''bonus_points'', value = 1.5', 'value_range'), ('effect = ''bonus_points'', value = 1000000001', 'value_range'),
    ('effect = ''rate'', value = -0.1', 'value_range'), ('effect = ''rate'', value = 10000.000001', 'value_range'), ('effect = ''rate'', value = 0.0000001', 'value_range'),
    ('effect = ''growth'', value = -1', 'value_range'), ('effect = ''growth'', value = 0.0000001', 'value_range'), ('effect = ''growth'', value = ''NaN''', 'value_range')) c (change, name);
SELECT throws_ok($$INSERT INTO membership.earn_rule (rule_id, code, name, effect, value) VALUES (209, 'Bad', 'X', 'multiplier', 2)$$, '23514', NULL, 'a code with capitals');
SELECT throws_ok($$INSERT INTO membership.earn_rule (rule_id, code, name, effect, value) VALUES (209, 'm', 'X', 'multiplier', 2)$$, '23505', NULL, 'a code that another rule has');
SELECT throws_ok($$UPDATE membership.earn_rule SET funder_party_id = 99 WHERE rule_id = 206$$, '23503', NULL, 'a funder that is no party');
SELECT throws_ok(format('UPDATE membership.earn_rule SET %s WHERE rule_id = 206', change), 'MB301', NULL, change || ' is refused') FROM (VALUES ('rule_id = 300'), ('code = ''other''')) c (change);
SELECT throws_ok('DELETE FROM membership.earn_rule WHERE rule_id = 206', 'MB301', NULL, 'rules are ended, not deleted');
SELECT throws_ok('TRUNCATE membership.earn_rule', 'MB301', NULL, 'nor emptied');
SELECT throws_ok(change, 'MB502', NULL, change)
  FROM (VALUES ('UPDATE membership.rule_version SET version = 9'), ('DELETE FROM membership.rule_version'), ('TRUNCATE membership.rule_version')) c (change);
SELECT is(count(*), 0::bigint, 'what was refused has left no version')
  FROM rule_version v WHERE rule_id >= 200 AND (rule_id NOT BETWEEN 201 AND 206 OR version > CASE rule_id WHEN 206 THEN 7 ELSE 1 END);

-- extremes: the largest values there may be, and what is too much
SELECT set_aside() \gset
SELECT enrol('max') \gset
INSERT INTO earn_rule (rule_id, code, name, status, effect, value) VALUES (210, 'most', 'M', 'active', 'multiplier', 100), (211, 'top_rate', 'R', 'active', 'rate', 10000);
-- 9,999,999.99 x 10,000 x 100 = 9,999,999,990,000
SELECT is(ROW(points, base_points, met(explanation))::text, '(9999999990000,9999999,"most applied 9899999990100, top_rate applied 99989999900")', 'large awards') FROM buy('max', 9999999.99);
SELECT throws_ok($$SELECT public.buy('max', 1000000000.01)$$, '22003', NULL, 'an award beyond 10^15 is refused');
UPDATE program SET stacking = 'multiply';
INSERT INTO earn_rule (rule_id, code, name, status, effect, value) SELECT 220 + n, 'huge_' || n, 'H', 'active', 'multiplier', 100 FROM generate_series(1, 20) n;
SELECT throws_ok($$SELECT public.buy('max', 100)$$, '22003', NULL, 'nor does a product overflow unseen');
UPDATE program SET stacking = 'additive';


-- who may write rules
CREATE ROLE t_rule_operator;
CREATE ROLE t_rule_application;
CREATE ROLE t_rule_analyst;
SELECT grant_access('t_rule_operator', 'operator'), grant_access('t_rule_application', 'application'), grant_access('t_rule_analyst', 'analyst') \gset
SET LOCAL ROLE t_rule_operator;
INSERT INTO earn_rule (rule_id, code, name, effect, value) VALUES (300, 'mine', 'Mine', 'multiplier', 2);
UPDATE earn_rule SET status = 'active' WHERE rule_id = 300;
RESET ROLE;
SELECT is(array_agg(ROW(version, recorded_by)::text ORDER BY version), '{"(1,t_rule_operator)","(2,t_rule_operator)"}', 'an operator does, and is remembered') FROM rule_version WHERE rule_id = 300;
SELECT throws_ok(format('SET LOCAL ROLE %s; %s', role, change), '42501', NULL, format('%s: %s', role, change))
  FROM (VALUES ('t_rule_application'), ('t_rule_analyst')) r (role),
       (VALUES ('INSERT INTO membership.earn_rule (rule_id, code, name, effect, value) VALUES (301, ''x'', ''X'', ''multiplier'', 2)'), ('UPDATE membership.earn_rule SET value = 9')) c (change);
SELECT throws_ok('SET LOCAL ROLE t_rule_operator; ' || change, '42501', NULL, 'an operator: ' || change)
  FROM (VALUES ('DELETE FROM membership.earn_rule'), ('INSERT INTO membership.rule_version VALUES (1, 9, now(), now(), ''x'', ''{}'')'), ('DELETE FROM membership.rule_failure')) c (change);

SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
SELECT * FROM finish();
ROLLBACK;
