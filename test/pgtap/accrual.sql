-- Purchases: award, rounding, lines, expiry, idempotency, review, pending, tiers, splits, preview.
\set tests 256
\ir setup.psql
SELECT open_mall() \gset

-- the award: 1 point per 1.00, floor
SELECT enrol('ann') \gset
SELECT is(ROW(journal_no, status, reason_code, points, points_wanted, base_points, bonus_points, balance, tier, tier_changed, duplicate)::text,
          '(2,posted,,199,199,199,0,199,regular,f,f)', '199.99 earns 199 points')
  FROM accrue_points(m('ann'), 1, 199.99, 'a1', at => '2024-03-01 12:00+08');
SELECT is(ROW(verb, occurred_at, posted_at, day, points, balance, merchant_id, order_ref, channel, amount, basis, status, points_wanted,
              base_points, base_rate, rounding, tier_id, tier_multiplier, tier_after, tier_changed, lines)::text,
          '(accrual,"2024-03-01 04:00:00+00","2024-03-01 04:00:00+00",2024-03-01,199,199,1,a1,pos,199.99,199.99,posted,199,199,1.000000,floor,1,1.0000,1,f,)',
          'the journal freezes what it was judged by')
  FROM journal WHERE member_id = m('ann') AND journal_no = 2;
-- valid 24 months: through 2026-03-01
SELECT is(ROW(available_at, expires_at)::text, '("2024-03-01 04:00:00+00","2026-03-01 16:00:00+00")', 'spendable at once, dead when 2026-03-02 begins in Shanghai')
  FROM accrue_points(m('ann'), 1, 199.99, 'a1', at => '2024-03-01 12:00+08');
SELECT is(ROW(lot_no, journal_no, granted, remaining, held, active_at, expires_at, origin)::text,
          '(1,2,199,199,0,"2024-03-01 04:00:00+00","2026-03-01 16:00:00+00",accrual)', 'one lot')
  FROM lot WHERE member_id = m('ann');
SELECT is(ROW(entry_no, journal_no, lot_no, points, balance_after)::text, '(1,2,1,199,199)', 'one entry') FROM ledger_entry WHERE member_id = m('ann');
SELECT is(ROW(day, purchases, basis, points_earned)::text, '(2024-03-01,1,199.99,199)', 'one day of activity') FROM activity_day WHERE member_id = m('ann');
SELECT is(explanation, '{"basis": 199.99, "base_rate": 1, "rounding": "floor", "tier": "regular", "tier_multiplier": 1}'::jsonb, 'the explanation')
  FROM accrue_points(m('ann'), 1, 199.99, 'a1', at => '2024-03-01 12:00+08');

-- 3 x 19.90 = 59.70 earns 59; each line 19.9: 19 + 19 + 19 = 57, and 2 left go to the first two of equal remainders
SELECT is(ROW(points, base_points)::text, '(59,59)', 'three lines of 19.90 earn 59 points together')
  FROM accrue_points(m('ann'), 1, 59.70, 'a2', at => '2024-03-02 12:00+08',
                     lines => '[{"amount": 19.90}, {"merchant_id": 2, "amount": 19.90}, {"merchant_id": 3, "amount": 19.90}]');
SELECT is(array_agg((l ->> 'line_no') || ':' || (l ->> 'merchant_id') || ':' || (l ->> 'points') ORDER BY l ->> 'line_no'), '{1:1:20,2:2:20,3:3:19}',
          'as 20, 20 and 19')
  FROM journal, jsonb_array_elements(lines) l WHERE member_id = m('ann') AND order_ref = 'a2';
SELECT is(count(*), 1::bigint, 'in one lot, as they live equally long') FROM lot WHERE member_id = m('ann') AND journal_no = 3;
SELECT is(jsonb_path_query_array(explanation, '$.lines[*].points'), '[20, 20, 19]', 'the explanation has the lines')
  FROM accrue_points(m('ann'), 1, 59.70, 'a2', at => '2024-03-02 12:00+08',
                     lines => '[{"amount": 19.90}, {"merchant_id": 2, "amount": 19.90}, {"merchant_id": 3, "amount": 19.90}]');
-- 0.50 + 0.50 = 1 point; the tie goes to the lower line_no, not to the first in the array
SELECT is(jsonb_path_query_array(explanation, '$.lines[*].points'), '[1, 0]', 'a tie goes to the lower line_no')
  FROM accrue_points(m('ann'), 1, 1, 'a3', at => '2024-03-02 12:00+08', lines => '[{"line_no": 7, "amount": 0.50}, {"line_no": 3, "amount": 0.50}]');
SELECT is(jsonb_path_query_array(explanation, '$.lines[*].line_no'), '[3, 7]', 'lines are kept in order of line_no')
  FROM accrue_points(m('ann'), 1, 1, 'a3', at => '2024-03-02 12:00+08', lines => '[{"line_no": 7, "amount": 0.50}, {"line_no": 3, "amount": 0.50}]');
-- 0.30 + 0.90 + 0.90 = 2.10 earns 2: remainders .3 .9 .9
SELECT is(jsonb_path_query_array(explanation, '$.lines[*].points'), '[0, 1, 1]', 'the largest remainders get what is left')
  FROM accrue_points(m('ann'), 1, 2.10, 'a4', at => '2024-03-02 12:00+08', lines => '[{"amount": 0.30}, {"amount": 0.90}, {"amount": 0.90}]');
SELECT is(ROW(points, balance)::text, '(100,361)', 'a line that is not eligible earns nothing')  -- 199 + 59 + 1 + 2 + 100
  FROM accrue_points(m('ann'), 1, 150, 'a5', at => '2024-03-02 12:00+08', lines => '[{"amount": 50, "eligible": false}, {"amount": 100, "sku": "tea", "quantity": 2}]');
SELECT is(ROW(amount, basis, (lines -> 0 ->> 'points'), (lines -> 0 ->> 'basis')::numeric, (lines -> 1 ->> 'points'))::text, '(150.00,100.00,0,0.00,100)', 'and is no basis')
  FROM journal WHERE member_id = m('ann') AND order_ref = 'a5';
SELECT is(ROW(lines -> 1 ->> 'sku', (lines -> 1 ->> 'quantity')::numeric)::text, '(tea,2)', 'what a line says is kept')
  FROM journal WHERE member_id = m('ann') AND order_ref = 'a5';
SELECT is(ROW(status, points, points_wanted, available_at, expires_at, balance)::text, '(posted,0,0,,,361)', 'amount 0 is a purchase that earns 0')
  FROM accrue_points(m('ann'), 1, 0, 'a6', at => '2024-03-03 12:00+08');
SELECT is(ROW(purchases, basis, points_earned)::text, '(1,0.00,0)', 'and counts as one') FROM activity_day WHERE member_id = m('ann') AND day = '2024-03-03';
SELECT is(ROW(points, duplicate)::text, '(0,t)', 'and its receipt is claimed') FROM accrue_points(m('ann'), 1, 0, 'a6', at => '2024-03-03 12:00+08');
SELECT is(points, 0::bigint, '0.99 earns 0') FROM accrue_points(m('ann'), 1, 0.99, 'a7', at => '2024-03-03 12:00+08');
SELECT is(points, 9999999999999::bigint, 'a very large purchase') FROM accrue_points(enrol('rich'), 1, 9999999999999.99, 'rich 1', at => '2024-03-03 12:00+08');

-- rounding rules; one rounding per order
UPDATE program SET award_rounding = 'half_up';
SELECT is(points, 11::bigint, 'half up: 10.50 earns 11') FROM accrue_points(m('ann'), 1, 10.50, 'h1', at => '2024-03-04 12:00+08');
SELECT is(points, 10::bigint, 'half up: 10.49 earns 10') FROM accrue_points(m('ann'), 1, 10.49, 'h2', at => '2024-03-04 12:00+08');
SELECT is(ROW(points, jsonb_path_query_array(explanation, '$.lines[*].points'))::text, '(2,"[1, 1, 0]")', 'half up: 3 x 0.50 = 1.50 earns 2, as 1, 1, 0')
  FROM accrue_points(m('ann'), 1, 1.50, 'h3', at => '2024-03-04 12:00+08', lines => '[{"amount": 0.50}, {"amount": 0.50}, {"amount": 0.50}]');
UPDATE program SET award_rounding = 'ceiling';
SELECT is(points, 11::bigint, 'ceiling: 10.01 earns 11') FROM accrue_points(m('ann'), 1, 10.01, 'c1', at => '2024-03-04 12:00+08');
SELECT is(points, 10::bigint, 'ceiling: 10.00 earns 10') FROM accrue_points(m('ann'), 1, 10.00, 'c2', at => '2024-03-04 12:00+08');
SELECT is(ROW(points, jsonb_path_query_array(explanation, '$.lines[*].points'))::text, '(1,"[1, 0, 0]")', 'ceiling: 3 x 0.10 earns 1, on the first line')
  FROM accrue_points(m('ann'), 1, 0.30, 'c3', at => '2024-03-04 12:00+08', lines => '[{"amount": 0.10}, {"amount": 0.10}, {"amount": 0.10}]');
UPDATE program SET award_rounding = 'floor', base_rate = 2.5;
SELECT is(points, 25::bigint, '10.10 x 2.5 = 25.25 earns 25') FROM accrue_points(m('ann'), 1, 10.10, 'r1', at => '2024-03-04 12:00+08');
UPDATE program SET base_rate = 0.000001;
SELECT is(points, 0::bigint, '999999.99 at 0.000001 is just below 1') FROM accrue_points(m('ann'), 2, 999999.99, 'r2', occurred_at => '2024-01-01 12:00+08', at => '2024-01-01 12:00+08');
UPDATE program SET base_rate = 10000;
SELECT throws_ok($$SELECT membership.accrue_points(m('ann'), 1, 100000000000.01, 'r4', at => '2024-03-04 12:00+08')$$, '22003', NULL, 'an award beyond 10^15 points is refused');
UPDATE program SET base_rate = 0;
SELECT is(ROW(status, points)::text, '(posted,0)', 'rate 0 earns 0') FROM accrue_points(enrol('zero'), 1, 100, 'r3', at => '2024-03-04 12:00+08');
UPDATE program SET base_rate = 1;

-- validity and days
SELECT enrol('leo') \gset
SELECT is(expires_at, '2026-03-01 00:00+08'::timestamptz, 'bought on 29 February 2024: valid through 28 February 2026')
  FROM accrue_points(m('leo'), 1, 100, 'leap', at => '2024-02-29 12:00+08');
SELECT is(ROW(points, expires_at)::text, '(10,"2026-05-31 16:00:00+00")', 'the last microsecond of 31 May: valid through 31 May 2026')
  FROM accrue_points(m('leo'), 1, 10, 'may', at => '2024-05-31 23:59:59.999999+08');
SELECT is(ROW(points, expires_at)::text, '(20,"2026-06-01 16:00:00+00")', 'the first second of 1 June, still 31 May in UTC: valid through 1 June 2026')
  FROM accrue_points(m('leo'), 1, 20, 'june', at => '2024-06-01 00:00:00+08');
SELECT is(array_agg(day ORDER BY journal_no), '{2024-02-29,2024-05-31,2024-06-01}', 'days of the journal are the programme''s')
  FROM journal WHERE member_id = m('leo') AND verb = 'accrual';
SELECT is(array_agg(ROW(day, points_earned)::text ORDER BY day), '{"(2024-02-29,100)","(2024-05-31,10)","(2024-06-01,20)"}', 'and of activity')
  FROM activity_day WHERE member_id = m('leo');
UPDATE program SET expiry = 'never';
SELECT is(expires_at, NULL, 'points can be without end') FROM accrue_points(m('leo'), 1, 1, 'never', at => '2024-06-02 12:00+08');
UPDATE program SET expiry = '24 months';

-- arguments refused
SELECT throws_ok(format('SELECT membership.accrue_points(public.m(''ann''), %s)', args), code, NULL, format('%s: %s', code, args))
  FROM (VALUES
    ('1, NULL, ''x''', '22004'), ('NULL, 1, ''x''', '22004'), ('1, 1, NULL', '22004'), ('1, 1, ''x'', channel => NULL', '22004'),
    ('1, -0.01, ''x''', '22023'), ('1, 1.001, ''x''', '22023'), ('1, ''NaN'', ''x''', '22023'), ('1, ''Infinity'', ''x''', '22023'),
    ('1, 1e14, ''x''', '22003'), ('1, 1, ''''', '22023'), ('1, 1, repeat(''x'', 201)', '22023'), ('1, 1, ''x'', channel => ''''', '22023'),
    ('99, 1, ''x''', 'MB003'), ('1, 1, ''x'', at => ''-infinity''', '22023'), ('1, 1, ''x'', occurred_at => ''infinity''', '22023'),
    ('1, 1, ''x'', lines => ''{}''', '22023'), ('1, 1, ''x'', lines => ''[]''', '22023'), ('1, 1, ''x'', lines => ''[1]''', '22023'),
    ('1, 1, ''x'', lines => ''[{}]''', '22023'), ('1, 1, ''x'', lines => ''[{"amount": "1"}]''', '22023'), ('1, 1, ''x'', lines => ''[[{"amount": 1}]]''', '22023'),
    ('1, 1, ''x'', lines => ''[{"amount": 1, "colour": "red"}]''', '22023'), ('1, 1, ''x'', lines => ''[{"amount": 0.99}]''', '22023'),
    ('1, 1, ''x'', lines => ''[{"amount": 0.50}, {"amount": 0.51}]''', '22023'), ('1, 1, ''x'', lines => ''[{"amount": 2}, {"amount": -1}]''', '22023'),
    ('1, 1, ''x'', lines => ''[{"amount": 0.5, "line_no": 1}, {"amount": 0.5, "line_no": 1}]''', '22023'),
    ('1, 1, ''x'', lines => ''[{"amount": 0.5, "line_no": 2}, {"amount": 0.5}]''', '22023'),
    ('1, 1, ''x'', lines => ''[{"amount": 1, "line_no": 0}]''', '22023'), ('1, 1, ''x'', lines => ''[{"amount": 1, "line_no": 1.5}]''', '22023'),
    ('1, 1, ''x'', lines => ''[{"amount": 1, "merchant_id": 99}]''', 'MB003'), ('1, 1, ''x'', lines => ''[{"amount": 1, "eligible": "no"}]''', '22023'),
    ('1, 1, ''x'', lines => ''[{"amount": 1, "quantity": 0}]''', '22023'), ('1, 1, ''x'', lines => ''[{"amount": 0.995}, {"amount": 0.005}]''', '22023'),
    ('1, 1, ''x'', tenders => ''[{"kind": "cash", "amount": 1.01}]''', '22023'), ('1, 1, ''x'', tenders => ''[{"kind": "gold", "amount": 1}]''', '22023'),
    ('1, 1, ''x'', tenders => ''[{"kind": "cash"}]''', '22023'), ('1, 1, ''x'', tenders => ''[{"kind": "cash", "amount": 1, "colour": "red"}]''', '22023'),
    ('1, 1, ''x'', attributes => ''[]''', '22023'), ('1, 1, ''x'', external_refs => ''[]''', '22023'), ('1, 1, ''x'', external_refs => ''{"wechat": 1}''', '22023'),
    ('1, 1, ''x'', external_refs => ''{"wechat": null}''', '22023'), ('1, 1, ''x'', external_refs => ''{"wechat": ""}''', '22023')) a (args, code);
SELECT throws_ok($$SELECT membership.accrue_points(m('ann'), 1, 1001, 'x', lines => (SELECT jsonb_agg('{"amount": 1}'::jsonb) FROM generate_series(1, 1001)))$$,
                 '22023', NULL, '1,001 lines are refused');
SELECT is(points, 1000::bigint, '1,000 are not')
  FROM accrue_points(m('leo'), 1, 1000, 'long', lines => (SELECT jsonb_agg('{"amount": 1}'::jsonb) FROM generate_series(1, 1000)), at => '2024-06-02 12:00+08');
SELECT is(count(*), 0::bigint, 'what was refused has claimed no receipt') FROM receipt WHERE order_ref = 'x';
SELECT is(ROW(points, count(*) OVER ())::text, '(1,1)', 'cash as tender, whole or in part')
  FROM accrue_points(m('leo'), 1, 1.50, 'cash', tenders => '[{"kind": "cash", "amount": 1.00, "ref": "till 1", "merchant_id": 1}]', at => '2024-06-02 12:00+08');

-- the same receipt again
SELECT enrol('dora') \gset
SELECT enrol('dick') \gset
SELECT is(ROW(journal_no, points, balance, duplicate)::text, '(2,10,10,f)', 'a purchase')
  FROM accrue_points(m('dora'), 1, 10.0, 'd1', at => '2024-03-01 12:00+08', attributes => '{"till": 1.0, "by": "Li"}');
SELECT is(ROW(journal_no, points, balance)::text, '(3,20,30)', 'another') FROM accrue_points(m('dora'), 1, 20, 'd2', at => '2024-03-01 13:00+08');
SELECT is(ROW(journal_no, status, points, points_wanted, base_points, bonus_points, available_at, expires_at, balance, tier, tier_changed, duplicate)::text,
          '(2,posted,10,10,10,0,"2024-03-01 04:00:00+00","2026-03-01 16:00:00+00",10,regular,f,t)',
          'the first again, written 10.00 and its attributes in another order: the first result, balance as it was then')
  FROM accrue_points(m('dora'), 1, 10.00, 'd1', at => '2024-03-01 12:00+08', attributes => '{"by": "Li", "till": 1}');
SELECT is(ROW(count(*), max(journal_no), (SELECT balance FROM account WHERE member_id = m('dora')))::text, '(3,3,30)', 'and nothing was posted')
  FROM journal WHERE member_id = m('dora');
SELECT is(duplicate, true, 'attributes {} and NULL are the same')
  FROM accrue_points(m('dora'), 1, 20, 'd2', at => '2024-03-01 13:00+08', attributes => NULL);
SELECT is(duplicate, true, 'the same moment in another zone is the same')
  FROM accrue_points(m('dora'), 1, 20, 'd2', at => '2024-03-01 05:00+00');
SELECT throws_ok(format('SELECT membership.accrue_points(public.m(''dora''), 1, %s)', args), 'MB201', NULL, 'other content: ' || args)
  FROM (VALUES ('20.01, ''d2'', at => ''2024-03-01 13:00+08'''), ('20, ''d2'', at => ''2024-03-01 13:00:01+08'''), ('20, ''d2'''),
               ('20, ''d2'', at => ''2024-03-01 13:00+08'', channel => ''app'''), ('20, ''d2'', at => ''2024-03-01 13:00+08'', attributes => ''{"a": 1}'''),
               ('20, ''d2'', at => ''2024-03-01 13:00+08'', occurred_at => ''2024-03-01 13:00+08'''),
               ('20, ''d2'', at => ''2024-03-01 13:00+08'', lines => ''[{"amount": 20}]'''),
               ('20, ''d2'', at => ''2024-03-01 13:00+08'', tenders => ''[{"kind": "cash", "amount": 20}]'''),
               ('20, ''d2'', at => ''2024-03-01 13:00+08'', external_refs => ''{"wechat": "W0"}''')) a (args);
SELECT throws_ok($$SELECT membership.accrue_points(m('dick'), 1, 20, 'd2', at => '2024-03-01 13:00+08')$$, 'MB202',
                 'receipt "d2" has been credited to another member', 'the receipt of another member, who is not named');
SELECT throws_ok($$SELECT membership.accrue_points(m('dick'), 1, 77, 'd2')$$, 'MB202', NULL, 'also with other content');
SELECT is(ROW(points, duplicate)::text, '(20,f)', 'another shop''s receipt of that number is another receipt')
  FROM accrue_points(m('dick'), 2, 20, 'd2', at => '2024-03-01 13:00+08');
SELECT is(duplicate, true, 'lines written differently are the same')
  FROM (SELECT accrue_points(m('dick'), 1, 3, 'dick 1', at => '2024-03-01 14:00+08', lines => '[{"amount": 1.0, "sku": "a"}, {"amount": 2}]')) first,
       accrue_points(m('dick'), 1, 3, 'dick 1', at => '2024-03-01 14:00+08', lines => '[{"sku": "a", "amount": 1.00}, {"amount": 2.0}]');
SELECT is(attributes, '{"by": "Li", "till": 1.0}', 'attributes are kept apart from the journal') FROM journal_context WHERE member_id = m('dora');

-- other names of a receipt
SELECT is(ROW(journal_no, points, duplicate)::text, '(4,50,f)', 'a purchase with two other names')
  FROM accrue_points(m('dora'), 1, 50, 'w1', external_refs => '{"wechat": "W1", "einvoice": "E1"}', at => '2024-03-02 12:00+08');
SELECT is(ROW(journal_no, duplicate)::text, '(4,t)', 'repeated with its names')
  FROM accrue_points(m('dora'), 1, 50, 'w1', external_refs => '{"einvoice": "E1", "wechat": "W1"}', at => '2024-03-02 12:00+08');
SELECT is(ROW(journal_no, points, balance, duplicate)::text, '(4,50,80,t)', 'another order_ref with a known name: the same receipt')
  FROM accrue_points(m('dora'), 1, 50, 'w2', external_refs => '{"wechat": "W1"}', at => '2024-03-02 13:00+08');
SELECT is(ROW(journal_no, duplicate)::text, '(4,t)', 'also with a further name that is not known')
  FROM accrue_points(m('dora'), 1, 50, 'w3', external_refs => '{"a": "A1", "einvoice": "E1"}', at => '2024-03-02 13:00+08');
SELECT is(count(*), 1::bigint, 'and no receipt was claimed for it') FROM receipt WHERE order_ref LIKE 'w_';
SELECT throws_ok($$SELECT membership.accrue_points(m('dora'), 1, 51, 'w4', external_refs => '{"wechat": "W1"}')$$, 'MB201', NULL, 'a known name with another amount');
SELECT throws_ok($$SELECT membership.accrue_points(m('dora'), 2, 50, 'w5', external_refs => '{"wechat": "W1"}')$$, 'MB201', NULL, 'or another shop');
SELECT throws_ok($$SELECT membership.accrue_points(m('dick'), 1, 50, 'w6', external_refs => '{"wechat": "W1"}')$$, 'MB202', NULL, 'or of another member');
SELECT throws_ok($$SELECT membership.accrue_points(m('dora'), 1, 50, 'w1', external_refs => '{"wechat": "W1"}', at => '2024-03-02 12:00+08')$$, 'MB201', NULL,
                 'the same order_ref with fewer names is other content');
SELECT throws_ok($$SELECT membership.accrue_points(m('dora'), 1, 20, 'd2', external_refs => '{"wechat": "W1"}', at => '2024-03-01 13:00+08')$$, 'MB201', NULL,
                 'and so is an order_ref repeated with the name of another receipt');
SELECT is(ROW(journal_no, duplicate)::text, '(5,f)', 'a purchase of the same amount')
  FROM accrue_points(m('dora'), 1, 50, 'w8', at => '2024-03-02 13:00+08');
SELECT throws_ok($$SELECT membership.accrue_points(m('dora'), 1, 50, 'w8', external_refs => '{"wechat": "W1"}', at => '2024-03-02 13:00+08')$$, 'MB201', NULL,
                 'repeated with a name of the other one: other content, not the other receipt''s result');
SELECT is(ROW(points, duplicate)::text, '(50,f)', 'the same value of another kind is another name')
  FROM accrue_points(m('dora'), 1, 50, 'w7', external_refs => '{"alipay": "W1"}', at => '2024-03-02 13:00+08');

-- frozen members
SELECT enrol('fay') \gset
SELECT set_member_status(m('fay'), 'frozen', 'fraud?') \gset
SELECT is(ROW(journal_no, status, reason_code, points, points_wanted, available_at, balance, duplicate)::text, '(3,rejected,member_frozen,0,100,,0,f)',
          'a purchase of a frozen member is recorded with 0 points')
  FROM accrue_points(m('fay'), 2, 100, 'f1', occurred_at => clock_timestamp());
SELECT is(ROW(purchases, basis, points_earned)::text, '(1,100.00,0)', 'with its activity') FROM activity_day WHERE member_id = m('fay');
SELECT is(array_agg(ROW(kind, amount)::text ORDER BY kind), '{"(commission,5.00)","(sale,100.00)"}', 'with what the shop and the mall owe, but no points issued')
  FROM merchant_split WHERE member_id = m('fay');
SELECT is(count(*), 0::bigint, 'without a lot') FROM lot WHERE member_id = m('fay');
SELECT is(ROW(status, tier_changed)::text, '(rejected,f)', 'spend of a frozen member upgrades nobody') FROM accrue_points(m('fay'), 1, 4900, 'f2');
SELECT set_member_status(m('fay'), 'active', 'cleared') \gset
SELECT is(ROW(status, points, tier, tier_changed)::text, '(posted,0,silver,t)', 'but counts: 100 + 4900 + 0.01 reach 5,000')
  FROM accrue_points(m('fay'), 1, 0.01, 'f3');

-- late claims: more than 30 days after the purchase
SELECT enrol('lea') \gset
SELECT is(ROW(status, points)::text, '(posted,100)', '30 days late is in time')
  FROM accrue_points(m('lea'), 2, 100, 'l1', occurred_at => '2024-05-01 00:00+08', at => '2024-05-31 23:59:59+08');
SELECT is(ROW(status, reason_code, points, points_wanted, balance, available_at)::text, '(review,late_claim,0,100,100,)', '31 days late is held for review')
  FROM accrue_points(m('lea'), 2, 100, 'l2', occurred_at => '2024-05-01 23:59:59+08', at => '2024-06-01 00:00+08');
SELECT is(ROW(purchases, basis, points_earned)::text, '(2,200.00,100)', 'its activity is posted') FROM activity_day WHERE member_id = m('lea') AND day = '2024-05-01';
SELECT is(array_agg(ROW(kind, amount)::text ORDER BY kind), '{"(commission,5.00)","(sale,100.00)"}', 'and its splits, but for points') FROM merchant_split WHERE member_id = m('lea') AND journal_no = 3;
SELECT throws_ok(format('SELECT membership.review_accrual(public.m(''lea''), %s)', args), code, NULL, format('%s: review %s', code, args))
  FROM (VALUES ('3, ''maybe'', ''x''', '22023'), ('3, NULL, ''x''', '22004'), ('3, ''approve'', NULL', '22004'), ('3, ''approve'', ''''', '22023'),
               ('2, ''approve'', ''x''', 'MB005'), ('1, ''approve'', ''x''', 'MB005'), ('99, ''reject'', ''x''', 'MB005'), ('NULL, ''reject'', ''x''', '22004')) a (args, code);
SELECT throws_ok($$SELECT membership.review_accrual(999, 3, 'approve', 'x')$$, 'MB002', NULL, 'nobody has no purchase under review');
SELECT lives_ok($$SELECT membership.review_accrual(m('lea'), 3, 'reject', 'no receipt shown')$$, 'a review is rejected');
SELECT is(ROW(verb, refers_to, points, reason, reason_code, day, occurred_at)::text, '(review,3,0,"no receipt shown",rejected,2024-05-01,"2024-05-01 15:59:59+00")',
          'with an event of 0 points') FROM journal WHERE member_id = m('lea') AND verb = 'review';
SELECT lives_ok($$SELECT membership.review_accrual(m('lea'), 3, 'reject', 'no receipt shown')$$, 'rejecting again');
SELECT is(count(*), 1::bigint, 'posts nothing') FROM journal WHERE member_id = m('lea') AND verb = 'review';
SELECT throws_ok($$SELECT membership.review_accrual(m('lea'), 3, 'approve', 'changed my mind')$$, 'MB201', NULL, 'a rejected one cannot be approved');
SELECT is(ROW(status, points, duplicate)::text, '(review,0,t)', 'the purchase repeated is the first result')
  FROM accrue_points(m('lea'), 2, 100, 'l2', occurred_at => '2024-05-01 23:59:59+08', at => '2024-06-01 00:00+08');

-- approval: as if awarded on the day of purchase, 40 days ago; spendable from the approval on
SELECT enrol('lena') \gset
CREATE TEMP TABLE late AS SELECT date_trunc('day', now(), 'Asia/Shanghai') - interval '40 days' + interval '12 hours' AS bought_at;
SELECT is(ROW(journal_no, status, points, points_wanted, tier_changed)::text, '(2,review,0,6000,f)', 'a late purchase of 6,000 does not upgrade')
  FROM late, accrue_points(m('lena'), 2, 6000, 'lena 1', occurred_at => bought_at);
SELECT lives_ok($$SELECT membership.review_accrual(m('lena'), 2, 'approve', 'receipt shown')$$, 'a review is approved');
SELECT is(ROW(j.verb, j.refers_to, j.points, j.balance, j.reason, j.reason_code, j.occurred_at = bought_at)::text,
          '(review,2,6000,6000,"receipt shown",approved,t)', 'with an event that has the points')
  FROM late, journal j WHERE member_id = m('lena') AND journal_no = 3;
SELECT is(ROW(l.granted, l.active_at = j.posted_at, l.expires_at)::text,
          ROW(6000, true, (((bought_at AT TIME ZONE 'Asia/Shanghai')::date + interval '24 months')::date + 1)::timestamp AT TIME ZONE 'Asia/Shanghai')::text,
          'and a lot that lives from the approval to 24 months after the purchase')
  FROM late, lot l JOIN journal j USING (member_id, journal_no) WHERE l.member_id = m('lena');
SELECT is(ROW(a.day, purchases, a.basis, points_earned)::text, ROW((bought_at AT TIME ZONE 'Asia/Shanghai')::date, 1, 6000.00, 6000)::text,
          'activity of the purchase''s day has the points') FROM late, activity_day a WHERE member_id = m('lena');
-- 6000 points x 0.01
SELECT is(array_agg(ROW(journal_no, kind, payer_party_id, payee_party_id, amount, points)::text ORDER BY journal_no, split_no),
          '{"(2,sale,1,3,6000.00,)","(2,commission,3,1,300.00,)","(3,points_issued,3,1,60.00,6000)"}', 'points issued are owed with the approval')
  FROM merchant_split WHERE member_id = m('lena');
SELECT is(tier_id, 2, 'approval upgrades') FROM member WHERE member_id = m('lena');
SELECT is(ROW(tier_id, cause, journal_no)::text, '(2,upgrade,3)', 'by its own event') FROM tier_history WHERE member_id = m('lena') AND history_no = 2;
SELECT lives_ok($$SELECT membership.review_accrual(m('lena'), 2, 'approve', 'receipt shown')$$, 'approving again');
SELECT is(ROW(count(*), (SELECT balance FROM account WHERE member_id = m('lena')))::text, '(1,6000)', 'posts nothing') FROM journal WHERE member_id = m('lena') AND verb = 'review';
SELECT throws_ok($$SELECT membership.review_accrual(m('lena'), 2, 'reject', 'x')$$, 'MB201', NULL, 'an approved one cannot be rejected');

-- posted when its points are dead: they expire in the same call. 2020-05-01 + 24 months = 2022-05-01
UPDATE program SET claim_days = 3660;
SELECT enrol('lee', '2020-01-01 10:00+08') \gset
CREATE TEMP TABLE dead AS
SELECT * FROM accrue_points(m('lee'), 1, 40, 'lee 1', occurred_at => '2020-05-01 12:00+08', at => '2024-02-01 12:00+08');
SELECT is(ROW(status, points, duplicate)::text, '(posted,40,f)', 'a purchase posted after its points'' life is awarded') FROM dead;
SELECT is(ROW(a.status, a.points, a.available_at, a.expires_at, a.balance, a.duplicate)::text, ROW(d.status, d.points, d.available_at, d.expires_at, d.balance, true)::text,
          'repeated, it has the same numbers, balance included')
  FROM dead d, accrue_points(m('lee'), 1, 40, 'lee 1', occurred_at => '2020-05-01 12:00+08', at => '2024-02-01 12:00+08') a;
SELECT is(array_agg(ROW(verb, points, balance)::text ORDER BY journal_no), '{"(enrolment,0,0)","(accrual,40,40)","(expiry,-40,0)"}', 'award and expiry are two events')
  FROM journal WHERE member_id = m('lee');
UPDATE program SET claim_days = 30;

-- approved when its points would be dead: opened and expired in the same call. 2020-05-01 + 24 months = 2022-05-01
SELECT enrol('lou', '2020-01-01 10:00+08') \gset
SELECT is(status, 'review', 'a very late purchase with lines of two shops')
  FROM accrue_points(m('lou'), 1, 3, 'lou 1', occurred_at => '2020-05-01 12:00+08', at => '2020-07-01 12:00+08', lines => '[{"amount": 1}, {"merchant_id": 2, "amount": 2}]');
SELECT lives_ok($$SELECT membership.review_accrual(m('lou'), 2, 'approve', 'ok')$$, 'is approved after its points'' life');
SELECT is(array_agg(ROW(verb, points, balance)::text ORDER BY journal_no), '{"(enrolment,0,0)","(accrual,0,0)","(review,3,3)","(expiry,-3,0)"}', 'points come and go')
  FROM journal WHERE member_id = m('lou');
SELECT is(count(*), 0::bigint, 'and leave no lot') FROM lot WHERE member_id = m('lou');
-- 2 points of the Bookshop x 0.01
SELECT is(ROW(kind, amount, points)::text, '(points_issued,0.02,2)', 'the shop''s points are owed all the same') FROM merchant_split WHERE member_id = m('lou') AND journal_no = 3;

-- pending points
UPDATE program SET pending_days = 7;
UPDATE merchant SET pending_days = 3 WHERE merchant_id = 2;
UPDATE merchant SET pending_days = 0 WHERE merchant_id = 3;
SELECT enrol('pia') \gset
SELECT is(ROW(status, points, available_at, expires_at)::text, '(pending,10,"2024-07-07 16:00:00+00","2026-07-01 16:00:00+00")',
          'bought on 1 July, pending 7 days: spendable when 8 July begins')
  FROM accrue_points(m('pia'), 1, 10, 'p1', at => '2024-07-01 12:00+08');
SELECT is(ROW(status, available_at)::text, '(pending,"2024-07-03 16:00:00+00")', 'a shop''s own pending days go first')
  FROM accrue_points(m('pia'), 2, 10, 'p2', at => '2024-07-01 12:00+08');
SELECT is(ROW(status, available_at)::text, '(posted,"2024-07-01 04:00:00+00")', 'even when they are 0')
  FROM accrue_points(m('pia'), 3, 10, 'p3', at => '2024-07-01 12:00+08');
SELECT is(ROW(status, points, available_at)::text, '(pending,25,"2024-07-03 16:00:00+00")', 'an order of several shops is available with its first lot')
  FROM accrue_points(m('pia'), 1, 25, 'p4', at => '2024-07-01 12:00+08', lines => '[{"amount": 1}, {"merchant_id": 2, "amount": 7}, {"amount": 17}]');
SELECT is(array_agg(ROW(granted, active_at)::text ORDER BY lot_no), '{"(18,\"2024-07-07 16:00:00+00\")","(7,\"2024-07-03 16:00:00+00\")"}',
          'lines that become active together share a lot') FROM lot WHERE member_id = m('pia') AND journal_no = 5;
SELECT is(ROW(status, available_at)::text, '(posted,"2024-07-01 04:00:00+00")', 'with one line that is spendable at once the order is posted')
  FROM accrue_points(m('pia'), 1, 2, 'p5', at => '2024-07-01 12:00+08', lines => '[{"amount": 1}, {"merchant_id": 3, "amount": 1}]');
SELECT is(ROW(status, available_at)::text, '(posted,"2024-07-07 16:00:00+00")', 'posted after the pending days, points are active at once')
  FROM accrue_points(m('pia'), 1, 2, 'p6', occurred_at => '2024-07-01 12:00+08', at => '2024-07-08 00:00+08');
UPDATE program SET expiry = '1 months', pending_days = 40;
SELECT is(ROW(available_at, expires_at)::text, '("2024-08-17 16:00:00+00","2024-08-17 16:00:00+00")',
          'points that would die on 9 August before they live on 18 August die as they live')  -- 9 July + 40 days = 18 August
  FROM accrue_points(m('pia'), 1, 2, 'p7', at => '2024-07-09 12:00+08');
UPDATE program SET pending_days = 0, expiry = '24 months';
UPDATE merchant SET pending_days = NULL;

-- tiers: silver 1.2x from 5,000, gold 1.5x from 20,000, diamond 2x from 50,000 within 12 months
SELECT enrol('tom') \gset
SELECT is(ROW(points, tier, tier_changed)::text, '(4999,regular,f)', '4,999.99 is not 5,000') FROM accrue_points(m('tom'), 1, 4999.99, 't1', at => '2024-06-10 12:00+08');
SELECT is(ROW(points, tier, tier_changed, balance)::text, '(0,silver,t,4999)', '0.01 more is') FROM accrue_points(m('tom'), 1, 0.01, 't2', at => '2024-06-11 12:00+08');
-- silver is valid for 12 months after 11 June 2024
SELECT is(ROW(tier_id, tier_since, tier_expires_at)::text, '(2,"2024-06-11 04:00:00+00","2025-06-11 16:00:00+00")', 'from that purchase on, for a year')
  FROM member WHERE member_id = m('tom');
SELECT is(array_agg(ROW(tier_id, during, cause, journal_no)::text ORDER BY history_no),
          '{"(1,\"[\"\"2024-01-01 02:00:00+00\"\",\"\"2024-06-11 04:00:00+00\"\")\",enrolment,1)","(2,\"[\"\"2024-06-11 04:00:00+00\"\",)\",upgrade,3)"}', 'the history says so')
  FROM tier_history WHERE member_id = m('tom');
-- 99.99: base 99, award 99.99 x 1.2 = 119.988
SELECT is(ROW(points, base_points, bonus_points, tier, tier_changed)::text, '(119,99,20,silver,f)', 'silver earns 1.2 times')
  FROM accrue_points(m('tom'), 1, 99.99, 't3', at => '2024-06-12 12:00+08');
SELECT is(ROW(points, tier)::text, '(100,silver)', 'a receipt of before the upgrade earns at the tier of then')
  FROM accrue_points(m('tom'), 1, 100, 't4', occurred_at => '2024-06-11 11:59:59+08', at => '2024-06-12 12:00+08');
SELECT is(ROW(points, explanation ->> 'tier')::text, '(120,silver)', 'one of the instant of the upgrade at the new one')
  FROM accrue_points(m('tom'), 1, 100, 't5', occurred_at => '2024-06-11 12:00+08', at => '2024-06-12 12:00+08');
SELECT is(ROW(points_wanted, explanation ->> 'tier')::text, '(100,regular)', 'and one of before enrolment at that of enrolment')
  FROM accrue_points(m('tom'), 1, 100, 't6', occurred_at => '2023-12-31 12:00+08', at => '2024-01-02 12:00+08');
SELECT is(posted_at, '2024-06-12 12:00+08'::timestamptz, 'a posting time before the last posting is raised to it') FROM journal WHERE member_id = m('tom') AND order_ref = 't6';
SELECT enrol('tim') \gset
SELECT is(ROW(points, tier, tier_changed)::text, '(20000,gold,t)', 'the highest tier reached is taken; the purchase itself earned as regular')
  FROM accrue_points(m('tim'), 1, 20000, 'ti1', at => '2024-06-11 12:00+08');
-- 33.33 x 1.5 = 49.995
SELECT is(ROW(points, base_points, bonus_points)::text, '(49,33,16)', 'gold earns 1.5 times') FROM accrue_points(m('tim'), 1, 33.33, 'ti2', at => '2024-06-12 12:00+08');
SELECT is(ROW(tier, tier_changed)::text, '(diamond,t)', '20,000 + 33.33 + 29,966.67 = 50,000') FROM accrue_points(m('tim'), 1, 29966.67, 'ti3', at => '2024-06-13 12:00+08');
SELECT is(ROW(points, tier, tier_changed)::text, '(2,diamond,f)', 'diamond earns twice') FROM accrue_points(m('tim'), 1, 1, 'ti4', at => '2024-06-14 12:00+08');
SELECT enrol('ted') \gset
SELECT is(ROW(points, tier)::text, '(4999,regular)', 'lines that are not eligible do not count for the tier')
  FROM accrue_points(m('ted'), 1, 5999, 'te1', at => '2024-06-14 12:00+08', lines => '[{"amount": 4999}, {"amount": 1000, "eligible": false}]');
SELECT is(ROW(tier, tier_changed)::text, '(silver,t)', '4,999 + 1 is enough') FROM accrue_points(m('ted'), 1, 1, 'te2', at => '2024-06-14 12:00+08');

-- the window: the 12 months up to the later of posting day and purchase day
SELECT is(ROW(w.last_tier)::text, format('(%s)', w.tier), w.what)
  FROM (VALUES
    -- 12 months up to 2025-03-15 begin on 2024-03-16
    ('w1', '2024-03-15 12:00+08', '2025-03-15 12:00+08', 'regular', 'spend of 15 March 2024 is out of the window on 15 March 2025'),
    ('w2', '2024-03-16 00:00+08', '2025-03-15 23:59+08', 'silver', 'spend of 16 March 2024 is in it'),
    -- 2025-02-28 less 12 months = 2024-02-28
    ('w3', '2024-02-28 12:00+08', '2025-02-28 12:00+08', 'regular', 'spend of 28 February 2024 is out on 28 February 2025'),
    ('w4', '2024-02-29 12:00+08', '2025-02-28 12:00+08', 'silver', 'spend of 29 February 2024 is in'),
    -- 2024-02-29 less 12 months, clamped = 2023-02-28
    ('w5', '2023-02-28 12:00+08', '2024-02-29 12:00+08', 'regular', 'spend of 28 February 2023 is out on 29 February 2024'),
    ('w6', '2023-03-01 12:00+08', '2024-02-29 12:00+08', 'silver', 'spend of 1 March 2023 is in')) v (name, first, second, tier, what)
 CROSS JOIN LATERAL (SELECT enrol(v.name, '2023-01-01 10:00+08') AS id) e
 CROSS JOIN LATERAL (SELECT tier AS first_tier FROM accrue_points(e.id, 1, 4000, v.name || ' 1', at => v.first::timestamptz)) a
 CROSS JOIN LATERAL (SELECT a.first_tier, v.tier, v.what, b.tier AS last_tier FROM accrue_points(e.id, 1, 1000, v.name || ' 2', at => v.second::timestamptz) b) w;
UPDATE program SET claim_days = 3660;
SELECT is(ROW(status, tier_changed)::text, '(posted,f)', 'a purchase that is itself older than the window does not upgrade')
  FROM accrue_points(enrol('old', '2023-01-01 10:00+08'), 1, 6000, 'old 1', occurred_at => '2023-01-02 12:00+08', at => '2024-06-01 12:00+08');
UPDATE program SET claim_days = 30, tier_window_months = 1;
-- 31 March less 1 month, clamped = 29 February
SELECT enrol('wim') \gset
SELECT is(tier, 'regular', 'the window''s length is a setting') FROM accrue_points(m('wim'), 1, 4000, 'wim 1', at => '2024-02-29 12:00+08');
SELECT is(tier, 'regular', 'a month up to 31 March is without 29 February') FROM accrue_points(m('wim'), 1, 4000, 'wim 2', at => '2024-03-31 12:00+08');
SELECT is(tier, 'silver', 'but with 1 March') FROM accrue_points(m('wim'), 1, 1000, 'wim 3', occurred_at => '2024-03-01 12:00+08', at => '2024-03-31 12:00+08');
UPDATE program SET tier_window_months = 12;
SELECT enrol('lock') \gset
SELECT set_tier(m('lock'), 'diamond', NULL, 'gift') \gset
SELECT is(ROW(tier, tier_changed)::text, '(diamond,f)', 'a higher tier given by hand is not replaced by a lower one reached') FROM accrue_points(m('lock'), 1, 6000, 'lock 1');

-- splits
SELECT enrol('spl') \gset
SELECT accrue_points(m('spl'), 1, 88.10, 's1', at => '2024-06-01 12:00+08') \gset
SELECT is(count(*), 0::bigint, 'without a contract nobody owes anything') FROM merchant_split WHERE member_id = m('spl');
SELECT is(merchant_collected, 88.10, 'and the shop took the money') FROM journal WHERE member_id = m('spl') AND order_ref = 's1';
SELECT accrue_points(m('spl'), 2, 88.10, 's2', at => '2024-06-01 12:00+08') \gset
-- 88.10 x 5 % = 4.405 -> 4.41; 88 points x 0.01 = 0.88
SELECT is(array_agg(ROW(split_no, merchant_id, kind, payer_party_id, payee_party_id, amount, points)::text ORDER BY split_no),
          '{"(1,2,sale,1,3,88.10,)","(2,2,commission,3,1,4.41,)","(3,2,points_issued,3,1,0.88,88)"}', 'the mall collects: it owes the sale, the shop commission and points')
  FROM merchant_split WHERE member_id = m('spl') AND journal_no = 3;
SELECT is(merchant_collected, 0.00, 'the shop took nothing') FROM journal WHERE member_id = m('spl') AND order_ref = 's2';
SELECT accrue_points(m('spl'), 3, 199.90, 's3', at => '2024-06-01 12:00+08') \gset
-- 199.90 x 8 % = 15.992 -> 15.99; 199 points x 0.02 = 3.98
SELECT is(array_agg(ROW(split_no, merchant_id, kind, payer_party_id, payee_party_id, amount, points)::text ORDER BY split_no),
          '{"(1,3,commission,4,1,15.99,)","(2,3,points_issued,4,1,3.98,199)"}', 'the shop collects: it owes commission and points')
  FROM merchant_split WHERE member_id = m('spl') AND journal_no = 4;
SELECT accrue_points(m('spl'), 1, 60, 's4', at => '2024-06-01 12:00+08',
    lines => '[{"merchant_id": 3, "amount": 10.50}, {"merchant_id": 2, "amount": 20}, {"merchant_id": 3, "amount": 9.50}, {"amount": 20}]') \gset
-- Noodle bar 20.00: 8 % = 1.60, Bookshop 20.00: 5 % = 1.00; 60 points: 10.5, 20, 9.5, 20 -> 11 (tie to the lower line), 20, 9, 20
SELECT is(array_agg(ROW(merchant_id, kind, amount, points)::text ORDER BY split_no),
          '{"(3,commission,1.60,)","(2,sale,20.00,)","(2,commission,1.00,)","(3,points_issued,0.40,20)","(2,points_issued,0.20,20)"}', 'lines of one shop are added up before rounding')
  FROM merchant_split WHERE member_id = m('spl') AND journal_no = 5;
SELECT is(merchant_collected, 40.00, 'the shops that collect took theirs') FROM journal WHERE member_id = m('spl') AND order_ref = 's4';
SELECT accrue_points(m('spl'), 2, 0.09, 's5', at => '2024-06-01 12:00+08') \gset
-- 0.09 x 5 % = 0.0045 -> 0.00; 0 points
SELECT is(array_agg(ROW(kind, amount)::text ORDER BY split_no), '{"(sale,0.09)"}', 'amounts of 0 are left out') FROM merchant_split WHERE member_id = m('spl') AND journal_no = 6;
SELECT accrue_points(m('spl'), 2, 0.10, 's6', at => '2024-06-01 12:00+08') \gset
SELECT is(array_agg(ROW(kind, amount)::text ORDER BY split_no), '{"(sale,0.10)","(commission,0.01)"}', '0.10 x 5 % = 0.005 rounds up') FROM merchant_split WHERE member_id = m('spl') AND journal_no = 7;
-- 0.88 + 0.20
SELECT is(sum(amount), 1.08, 'what the Bookshop owes for points') FROM merchant_split WHERE member_id = m('spl') AND merchant_id = 2 AND kind = 'points_issued';
SELECT is(ROW(u.splits, u.amount, u.points)::text, ROW(count(*), sum(s.amount), sum(s.points))::text, 'the view of unsettled amounts adds up the splits')
  FROM merchant_unsettled u JOIN merchant_split s USING (merchant_id, kind)
 WHERE merchant_id = 2 AND kind = 'points_issued' GROUP BY u.splits, u.amount, u.points;

-- terms are those of the day of the purchase
UPDATE contract SET valid_during = '(,2024-07-01)' WHERE contract_id = 2;
INSERT INTO contract (contract_id, merchant_id, valid_during, collects, commission_rate, issue_price) VALUES (20, 2, '[2024-07-01,2024-08-01)', 'merchant', 0.10, 0.0045);
SELECT accrue_points(m('spl'), 2, 100, 's7', occurred_at => '2024-06-30 23:59:59+08', at => '2024-07-05 12:00+08') \gset
SELECT is(array_agg(ROW(kind, amount)::text ORDER BY split_no), '{"(sale,100.00)","(commission,5.00)","(points_issued,1.00)"}', 'bought on 30 June, posted in July: the old contract')
  FROM merchant_split WHERE member_id = m('spl') AND journal_no = 8;
SELECT accrue_points(m('spl'), 2, 1, 's8', occurred_at => '2024-07-01 00:00+08', at => '2024-07-05 12:00+08') \gset
-- 1 point x 0.0045 = 0.0045 -> 0.00
SELECT is(array_agg(ROW(kind, amount, points)::text ORDER BY split_no), '{"(commission,0.10,)","(points_issued,0.00,1)"}', 'bought on 1 July: the new one; points are counted though worth less than a cent')
  FROM merchant_split WHERE member_id = m('spl') AND journal_no = 9;
SELECT accrue_points(m('spl'), 2, 100, 's9', occurred_at => '2024-08-01 00:00+08', at => '2024-08-01 12:00+08') \gset
SELECT is(count(*), 0::bigint, 'bought on 1 August: no contract any more') FROM merchant_split WHERE member_id = m('spl') AND journal_no = 10;

-- shops open and close
UPDATE merchant SET opened_on = '2024-08-02', ended_on = '2024-08-04' WHERE merchant_id = 1;
SELECT throws_ok($$SELECT membership.accrue_points(m('spl'), 1, 10, 'o1', at => '2024-08-01 23:59:59.999999+08')$$, 'MB003', NULL, 'the day before opening');
SELECT is(points, 10::bigint, 'the first instant of the first day') FROM accrue_points(m('spl'), 1, 10, 'o2', at => '2024-08-02 00:00+08');
SELECT is(points, 10::bigint, 'the last instant of the last day') FROM accrue_points(m('spl'), 1, 10, 'o3', at => '2024-08-03 23:59:59.999999+08');
SELECT throws_ok($$SELECT membership.accrue_points(m('spl'), 1, 10, 'o4', at => '2024-08-04 00:00+08')$$, 'MB003', NULL, 'the day after closing');
SELECT throws_ok($$SELECT membership.accrue_points(m('spl'), 2, 10, 'o5', at => '2024-08-04 00:00+08', lines => '[{"amount": 10, "merchant_id": 1}]')$$, 'MB003', NULL, 'also on a line');
SELECT is(points, 10::bigint, 'a purchase of before can be posted later') FROM accrue_points(m('spl'), 1, 10, 'o6', occurred_at => '2024-08-03 12:00+08', at => '2024-08-10 12:00+08');
UPDATE merchant SET opened_on = NULL, ended_on = NULL WHERE merchant_id = 1;

-- two clocks
CREATE ROLE tap_till;
CREATE ROLE tap_office;
SELECT grant_access('tap_till', 'application') \gset
SELECT grant_access('tap_office', 'operator') \gset
SELECT enrol('cleo') \gset
SET LOCAL ROLE tap_till;
SELECT throws_ok($$SELECT membership.accrue_points(m('cleo'), 1, 10, 'x1', at => clock_timestamp() - interval '1 second')$$, '22023', NULL, 'a till cannot post with an earlier time');
SELECT throws_ok($$SELECT membership.grant_points(m('cleo'), 1, 'x', 'x1', at => '2024-02-01')$$, '22023', NULL, 'nor grant');
SELECT throws_ok($$SELECT membership.preview_accrual(m('cleo'), 1, 10, at => '2024-02-01')$$, '22023', NULL, 'nor preview');
SELECT throws_ok($$SELECT membership.enroll_member('card', 'x1', at => '2024-02-01')$$, '22023', NULL, 'nor enrol');
SELECT is(status, 'posted', 'but say that a purchase was earlier') FROM accrue_points(m('cleo'), 1, 10, 'x1', occurred_at => clock_timestamp() - interval '3 days');
SELECT is(status, 'posted', 'and post 9 minutes ahead of the clock') FROM accrue_points(m('cleo'), 1, 10, 'x2', at => clock_timestamp() + interval '9 minutes');
SELECT throws_ok($$SELECT membership.accrue_points(m('cleo'), 1, 10, 'x3', at => clock_timestamp() + interval '11 minutes')$$, '22023', NULL, 'not 11 minutes');
SELECT throws_ok($$SELECT membership.accrue_points(m('cleo'), 1, 10, 'x3', occurred_at => clock_timestamp() + interval '11 minutes')$$, '22023', NULL, 'nor a purchase');
SET LOCAL ROLE tap_office;
SELECT is(ROW(status, points)::text, '(posted,10)', 'an operator can post with an earlier time') FROM accrue_points(enrol('olga', '2024-02-01'), 1, 10, 'x4', at => '2024-02-01 12:00+08');
RESET ROLE;
SELECT throws_ok($$SELECT membership.accrue_points(m('olga'), 1, 10, 'x5', at => '2024-03-01 12:00+08', occurred_at => '2024-03-01 12:11+08')$$, '22023', NULL,
                 'a purchase 11 minutes after its posting is refused');
SELECT is(points, 10::bigint, '9 minutes are not') FROM accrue_points(m('olga'), 1, 10, 'x6', at => '2024-03-01 12:00+08', occurred_at => '2024-03-01 12:09+08');
SELECT is(array_agg(ROW(actor, login)::text ORDER BY journal_no), ARRAY[format('(tap_office,%s)', session_user), format('(tap_office,%s)', session_user), format('(%s,%s)', current_user, session_user)],
          'the journal knows who called and who logged in') FROM journal WHERE member_id = m('olga');
UPDATE program SET max_future = '0';
SELECT throws_ok($$SELECT membership.accrue_points(m('olga'), 1, 10, 'x7', at => clock_timestamp() + interval '1 minute')$$, '22023', NULL, 'how far ahead is a setting');
UPDATE program SET max_future = '10 minutes';

-- a preview is the purchase without its event
CREATE FUNCTION public.previewed(member_id bigint, merchant_id integer, amount numeric, order_ref text, occurred_at timestamptz, channel text, lines jsonb,
                                 tenders jsonb, at timestamptz) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    preview membership.accrual := preview_accrual(member_id, merchant_id, amount, order_ref, occurred_at, channel, lines, tenders, at => at);
    result  membership.accrual;
BEGIN
    IF preview.journal_no IS NOT NULL THEN
        RETURN 'the preview has an event';
    END IF;
    result := accrue_points(member_id, merchant_id, amount, order_ref, occurred_at, channel, lines, tenders, at => at);
    preview.journal_no := result.journal_no;
    RETURN CASE WHEN preview = result THEN result.status ELSE format('preview %s, result %s', preview, result) END;
END
$$;
SELECT enrol('pre') \gset
SELECT enrol('prefrozen') \gset
SELECT set_member_status(m('prefrozen'), 'frozen', 'why') \gset
UPDATE merchant SET pending_days = 5 WHERE merchant_id = 3;
UPDATE program SET allow_debt = true;
SELECT adjust_points(m('pre'), -150, 'debt', 'debt', at => '2024-01-02 12:00+08') \gset
SELECT is(previewed(m(coalesce(who, 'pre')), shop, amount, 'pv ' || n, bought::timestamptz, 'pos', lines, tenders, posted::timestamptz), status, format('preview %s: %s', n, what))
  FROM (VALUES
    (1,  NULL, 1, 99.99,   NULL, NULL::jsonb, NULL::jsonb, '2024-02-01 12:00+08', 'posted', 'pays debt'),
    (2,  NULL, 1, 99.99,   NULL, NULL, NULL, '2024-02-01 12:00+08', 'posted', 'pays the rest of it'),
    (3,  NULL, 2, 0,       NULL, NULL, NULL, '2024-02-01 12:00+08', 'posted', 'amount 0'),
    (4,  NULL, 3, 100,     NULL, NULL, NULL, '2024-02-01 12:00+08', 'pending', 'pending'),
    (5,  NULL, 1, 59.70,   NULL, '[{"amount": 19.90}, {"merchant_id": 2, "amount": 19.90}, {"merchant_id": 3, "amount": 19.90}]', NULL, '2024-02-02 12:00+08', 'posted', 'lines of three shops'),
    (6,  NULL, 1, 10,      '2024-01-15 12:00+08', NULL, NULL, '2024-02-02 12:00+08', 'posted', 'an older purchase'),
    (7,  NULL, 1, 10,      '2024-01-01 12:00+08', NULL, NULL, '2024-02-03 12:00+08', 'review', 'a late purchase'),
    (8,  NULL, 1, 10,      '2023-12-25 12:00+08', NULL, NULL, '2024-01-05 12:00+08', 'review', 'posted with a time before the last posting'),
    (9,  NULL, 1, 5000,    NULL, NULL, '[{"kind": "cash", "amount": 5000}]', '2024-02-04 12:00+08', 'posted', 'an upgrade'),
    (10, NULL, 1, 99.99,   NULL, NULL, NULL, '2024-02-05 12:00+08', 'posted', 'silver'),
    (11, NULL, 1, 100,     '2024-02-03 12:00+08', NULL, NULL, '2024-02-05 12:00+08', 'posted', 'of before the upgrade'),
    (12, NULL, 1, 50000,   NULL, '[{"amount": 49999}, {"amount": 1, "eligible": false}]', NULL, '2024-02-06 12:00+08', 'posted', 'two tiers up'),
    (13, NULL, 1, 100,     NULL, NULL, NULL, '2026-02-02 00:00+08', 'posted', 'after points expired'),
    (14, NULL, 3, 100,     NULL, NULL, NULL, '2026-02-07 00:00+08', 'pending', 'after more expired'),
    (15, 'prefrozen', 2, 100, NULL, NULL, NULL, NULL, 'rejected', 'frozen')) c (n, who, shop, amount, bought, lines, tenders, posted, status, what);
SELECT is(ROW(p.journal_no, p.duplicate, p.balance, p.points)::text, (SELECT ROW(j.journal_no, true, j.balance, j.points)::text FROM journal j WHERE order_ref = 'pv 5'),
          'of a receipt already posted it is the first result')
  FROM preview_accrual(m('pre'), 1, 59.70, 'pv 5', lines => '[{"amount": 19.90}, {"merchant_id": 2, "amount": 19.90}, {"merchant_id": 3, "amount": 19.90}]', at => '2024-02-02 12:00+08') p;
SELECT throws_ok(format('SELECT membership.preview_accrual(public.m(''pre''), %s)', args), code, NULL, format('preview %s: %s', code, args))
  FROM (VALUES ('99, 10', 'MB003'), ('1, -1', '22023'), ('1, 1, lines => ''[{"amount": 2}]''', '22023'), ('1, NULL', '22004'), ('1, 1, tenders => ''[{"kind": "cash", "amount": 2}]''', '22023')) a (args, code);
SELECT throws_ok($$SELECT membership.preview_accrual(m('ann'), 1, 10, 'pv 1')$$, 'MB202', NULL, 'preview of another member''s receipt');
SELECT is(ROW(status, points, journal_no)::text, '(posted,20,)', 'without order_ref it tells what a purchase would earn') FROM preview_accrual(m('pre'), 1, 10);
SAVEPOINT read_only;
SET LOCAL transaction_read_only = on;
SELECT is(ROW(points, tier)::text, '(20,diamond)', 'a preview works where nothing may be written') FROM preview_accrual(m('pre'), 1, 10, 'ro');
SELECT throws_ok($$SELECT membership.accrue_points(m('pre'), 1, 10, 'ro')$$, '25006', NULL, 'a purchase does not');
ROLLBACK TO read_only;
SELECT count(*) AS journal_rows, (SELECT sum(balance + next_entry_no) FROM account) AS accounts, (SELECT count(*) FROM receipt) AS receipts FROM journal \gset
SELECT is(points, 20::bigint, 'a preview') FROM preview_accrual(m('pre'), 1, 10, 'trace');
SELECT is(ROW(count(*), (SELECT sum(balance + next_entry_no) FROM account), (SELECT count(*) FROM receipt))::text,
          format('(%s,%s,%s)', :journal_rows, :accounts, :receipts), 'leaves no trace') FROM journal;

SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
SELECT * FROM finish();
ROLLBACK;
