-- Redemptions: quotes that keep their word, burn rules, limits, reversals; transfers between members.
\set tests 214
\ir setup.psql
SELECT open_mall() \gset
\ir spending.psql

-- ------------------------------------------------------------------ quotes and what they promise

-- 100 points are worth 3.00, 15 % of the order, at least 100
SELECT fund('ann', 10000) \gset
-- 588.00 x 0.15 = 88.20, 29 steps of 3.00 = 87.00
SELECT is(agree('ann', 588), '2900 = 87.00 by share; 2900 = 87.00; MB103 the share of the order that points may pay is exceeded', 'share');
-- 2,000.00 x 0.15 = 300.00, all 10,000
SELECT is(agree('ann', 2000), format('10000 = 300.00 by balance; 10000 = 300.00; MB101 member %s has not enough points', m('ann')), 'balance, which comes first where the share is the same');
SELECT is(agree('ann', 1999.99), '9900 = 297.00 by share; 9900 = 297.00; MB103 the share of the order that points may pay is exceeded', '0.01 less, a step less');
SELECT is(agree('ann', 20000), format('10000 = 300.00 by balance; 10000 = 300.00; MB101 member %s has not enough points', m('ann')), 'balance');
-- 19.99 x 0.15 = 2.9985
SELECT is(agree('ann', 19.99), '0 = 0.00 by share; none; MB103 the share of the order that points may pay is exceeded', 'nothing of 19.99');
SELECT is(agree('ann', 20), '100 = 3.00 by share; 100 = 3.00; MB103 the share of the order that points may pay is exceeded', '100 of 20.00');
SELECT is(agree('ann', 0), '0 = 0.00 by share; none; MB103 the share of the order that points may pay is exceeded', 'nothing of nothing');
SELECT is(agree('ann', 588, lines => '[{"amount": 300}, {"amount": 199.90, "merchant_id": 2}, {"amount": 88.10}]'),
          '2900 = 87.00 by share; 2900 = 87.00; MB103 the share of the order that points may pay is exceeded', 'with lines');
SELECT is(agree('ann', lines => '[{"amount": 300}, {"amount": 288}]'),
          '2900 = 87.00 by share; 2900 = 87.00; MB103 the share of the order that points may pay is exceeded', 'lines alone add up to the amount');
SELECT is(q::text, '(10000,300.00,balance)', 'without an amount the quote knows no share') FROM quote_redemption(m('ann'), at => '2024-02-01 12:00+08') q;
SELECT is(take('SELECT redeem_points(m(''ann''), 100, ''r'')'), '22004 order_amount must not be null here', 'the redemption asks for it');
UPDATE burn_rule SET share = NULL;
SELECT is(agree('ann'), format('10000 = 300.00 by balance; 10000 = 300.00; MB101 member %s has not enough points', m('ann')), 'where the rule has no share, nobody asks');
SELECT is(agree('ann', 88.10), '2900 = 87.00 by share; 2900 = 87.00; MB103 the share of the order that points may pay is exceeded', 'but points never pay more than the order');
SELECT is(agree('ann', 87), '2900 = 87.00 by share; 2900 = 87.00; MB103 the share of the order that points may pay is exceeded', 'all of it they may');
UPDATE burn_rule SET share = 0.15;
SELECT is(take('SELECT redeem_points(m(''ann''), 150, ''r'', order_amount => 588)'), 'MB103 150 points are not whole steps', 'a broken step');
UPDATE burn_rule SET minimum = 300;
-- 50.00 x 0.15 = 7.50: 200 points
SELECT is(agree('ann', 50), '0 = 0.00 by minimum; none; MB103 100 points are below the minimum', 'minimum');
SELECT is(agree('ann', 60), '300 = 9.00 by share; 300 = 9.00; MB103 the share of the order that points may pay is exceeded', 'the minimum itself');
SELECT is(agree('ann', 19), '0 = 0.00 by share; none; MB103 the share of the order that points may pay is exceeded', 'where not even a step is left, the minimum is not to blame');
UPDATE burn_rule SET minimum = 100, daily_cap = 2950;
SELECT is(agree('ann', 588), '2900 = 87.00 by share; 2900 = 87.00; MB103 the share of the order that points may pay is exceeded', 'share, where the cap leaves as many steps');
SELECT is(agree('ann', 608), '2900 = 87.00 by daily_cap; 2900 = 87.00; MB103 the daily cap of points is exceeded', 'cap: 608.00 x 0.15 = 91.20, 3,000 points');
UPDATE burn_rule SET daily_cap = NULL;
SELECT is(agree('ann', 588, purpose => 'item'), '0 = 0.00 by no_rule; none; MB105 no burn rule is for purpose "item" here', 'no rule');
SELECT accrue_points(m('ann'), 1, 100, 'a-posted', at => '2024-02-01 11:00+08') \gset
SELECT is(agree('ann', 588, 1, 'a-posted'), '0 = 0.00 by order_posted; none; MB106 order "a-posted" of merchant 1 has been accrued', 'an order that was accrued');
SELECT is(agree('ann', 588, 3, 'a-posted'), '2900 = 87.00 by share; 2900 = 87.00; MB103 the share of the order that points may pay is exceeded', 'another merchant''s of the same name');
SELECT is(agree('ann', 588, 1, 'a-posted', 'item'), '0 = 0.00 by no_rule; none; MB105 no burn rule is for purpose "item" here', 'no rule comes first');
SELECT fund('fred', 1000) \gset
SELECT set_member_status(m('fred'), 'frozen', 'x') \gset
SELECT is(agree('fred', 588, purpose => 'item', at => NULL), format('0 = 0.00 by member_status; none; MB104 member %s is frozen', m('fred')), 'a frozen member, before all');
SELECT set_member_status(m('fred'), 'closed', 'x') \gset
SELECT is(agree('fred', 588, at => NULL), format('0 = 0.00 by member_status; none; MB102 member %s is closed', m('fred')), 'a closed one');
SELECT enrol('nil') \gset
SELECT is(agree('nil', 588), format('0 = 0.00 by balance; none; MB101 member %s has not enough points', m('nil')), 'a member without points');

-- what is not available: pending, dead, owed
SELECT fund('pen', 500) \gset
UPDATE program SET pending_days = 3, allow_debt = true;
SELECT accrue_points(m('pen'), 1, 700, 'p1', at => '2024-02-01 11:00+08') \gset
SELECT fund('pen', 300, '2024-02-02 00:00+08') \gset
UPDATE program SET pending_days = 0;
-- 500 + 300 now, 500 tomorrow, 500 + 700 from the 4th
SELECT is(agree('pen', 5000, at => at), format('%s by balance; %1$s; MB101 member %s has not enough points', points, m('pen')), format('available on %s: %s', at, points))
  FROM (VALUES (timestamptz '2024-02-01 12:00+08', '800 = 24.00'), ('2024-02-01 23:59:59.999999+08', '800 = 24.00'), ('2024-02-02 00:00+08', '500 = 15.00'),
               ('2024-02-03 23:59:59.999999+08', '500 = 15.00'), ('2024-02-04 00:00+08', '1200 = 36.00')) v (at, points);
SELECT fund('deb', 500) \gset
SELECT authorize_points(m('deb'), 300, 'h', NULL, order_amount => 5000, at => '2024-02-01 10:00+08') \gset
SELECT adjust_points(m('deb'), -450, 'x', 'a', at => '2024-02-01 10:00+08') \gset
SELECT is(ROW(balance, held, debt)::text, '(50,300,250)', '500 points of which 300 are held, 450 taken: 250 of debt') FROM account WHERE member_id = m('deb');
SELECT is(agree('deb', 5000), format('0 = 0.00 by balance; none; MB101 member %s has not enough points', m('deb')), 'in debt nothing can be spent');
SELECT fund('deb', 260) \gset
SELECT is(agree('deb', 5000), format('0 = 0.00 by balance; none; MB101 member %s has not enough points', m('deb')), '260 more pay it, 10 are no step');
SELECT fund('deb', 190) \gset
SELECT is(agree('deb', 5000), format('200 = 6.00 by balance; 200 = 6.00; MB101 member %s has not enough points', m('deb')), 'what is above it can be');

-- ------------------------------------------------------------------ a redemption

SELECT fund('bo', 250, '2026-01-01 00:00+08') \gset
SELECT fund('bo', 150, '2025-01-01 00:00+08') \gset
UPDATE program SET expiry = 'never';
SELECT fund('bo', 400) \gset
UPDATE program SET expiry = '24 months';
SELECT fund('bo', 100, '2025-01-01 00:00+08') \gset
SELECT is(r::text, '(6,300,9.00,600,f)', 'a redemption') FROM redeem_points(m('bo'), 300, 'r1', 3, NULL, 588, channel => 'app', at => '2024-02-01 12:00+08') r;
SELECT is(moved('bo', 6), '2:-150 4:-100 1:-50', 'takes the earliest expiry first, of two the lower number');
SELECT is(ROW(verb, points, balance, day, purpose, merchant_id, order_ref, channel, amount, rules, reason, refers_to, status, lines)::text,
          '(redemption,-300,600,2024-02-01,payment,3,,app,9.00,"{""burn_rule"": {""code"": ""payment"", ""step"": 100, ""value"": 3.00, ""burn_rule_id"": 1}}",,,,)', 'is an event that keeps what a point was worth')
  FROM journal WHERE member_id = m('bo') AND journal_no = 6;
SELECT is(ROW(verb, points, balance_after, merchant, amount, reason)::text, '(redemption,-150,750,"Noodle bar",9.00,payment)', 'and a line of the statement')
  FROM statement(m('bo')) WHERE journal_no = 6 AND entry_no = 5;
SELECT is(ROW(purchases, points_earned, points_redeemed)::text, '(0,0,300)', 'counted for its day') FROM activity_day WHERE member_id = m('bo') AND day = '2024-02-01';
SELECT is(r::text, '(6,300,9.00,600,t)', 'again: the first result') FROM redeem_points(m('bo'), 300, 'r1', 3, NULL, 588.0, channel => 'app', at => '2024-02-01 12:00+08') r;
SELECT is(r::text, '(7,500,15.00,100,f)', 'what never expires goes last') FROM redeem_points(m('bo'), 500, 'r2', order_amount => 5000, at => '2024-02-01 12:00+08') r;
SELECT is(lots('bo'), '3:100', '200 of the first, 300 of the endless 400');
SELECT is(r::text, '(6,300,9.00,600,t)', 'the first again: its balance, not today''s') FROM redeem_points(m('bo'), 300, 'r1', 3, NULL, 588, channel => 'app', at => '2024-02-01 12:00+08') r;
SELECT is(take(format('SELECT membership.redeem_points(public.m(''bo''), %s)', args)), 'MB201 ref "r1" was used before with other content', 'the ref with other content: ' || args)
  FROM unnest(ARRAY['200, ''r1'', 3, NULL, 588, channel => ''app'', at => ''2024-02-01 12:00+08''', '300, ''r1'', 2, NULL, 588, channel => ''app'', at => ''2024-02-01 12:00+08''',
                    '300, ''r1'', NULL, NULL, 588, channel => ''app'', at => ''2024-02-01 12:00+08''', '300, ''r1'', 3, ''o'', 588, channel => ''app'', at => ''2024-02-01 12:00+08''',
                    '300, ''r1'', 3, NULL, 589, channel => ''app'', at => ''2024-02-01 12:00+08''', '300, ''r1'', 3, NULL, NULL, channel => ''app'', at => ''2024-02-01 12:00+08''',
                    '300, ''r1'', 3, NULL, 588, ''[{"amount": 588}]'', ''app'', at => ''2024-02-01 12:00+08''', '300, ''r1'', 3, NULL, 588, at => ''2024-02-01 12:00+08''',
                    '300, ''r1'', 3, NULL, 588, channel => ''app'', purpose => ''item'', at => ''2024-02-01 12:00+08''', '300, ''r1'', 3, NULL, 588, channel => ''app'', at => ''2024-02-01 12:01+08''',
                    '300, ''r1'', 3, NULL, 588, channel => ''app''']) args;
SELECT is(take(format('SELECT redeem_points(%s, 300, ''r1'', order_amount => 588)', m('nil'))), format('MB101 member %s has not enough points', m('nil')), 'another member''s ref is another ref');
SELECT set_member_status(m('bo'), 'frozen', 'x') \gset
SELECT is(r::text, '(6,300,9.00,600,t)', 'a frozen member is told the first result') FROM redeem_points(m('bo'), 300, 'r1', 3, NULL, 588, channel => 'app', at => '2024-02-01 12:00+08') r;

-- what is refused, in one list for the three that judge alike
SELECT is(left(take(format(call, m('ann'))), 5), code, format(call, 'ann'))
  FROM (VALUES
        ('SELECT redeem_points(%s, NULL, ''x'')', '22004'), ('SELECT redeem_points(%s, 0, ''x'')', '22023'),
        ('SELECT redeem_points(%s, -100, ''x'')', '22023'), ('SELECT redeem_points(%s, 1000000000000001, ''x'')', '22003'),
        ('SELECT redeem_points(%s, 100, NULL)', '22004'), ('SELECT redeem_points(%s, 100, '''')', '22023'),
        ('SELECT redeem_points(%s, 100, ''x'', NULL, ''o'', 588)', '22023'), ('SELECT authorize_points(%s, 100, ''x'', order_ref => ''o'', order_amount => 588)', '22023'),
        ('SELECT quote_redemption(%s, 588, order_ref => ''o'')', '22023'),
        ('SELECT redeem_points(%s, 100, ''x'', 99, order_amount => 588)', 'MB003'), ('SELECT quote_redemption(%s, 588, 99)', 'MB003'),
        ('SELECT authorize_points(%s, 100, ''x'', merchant_id => 99, order_amount => 588)', 'MB003'),
        ('SELECT redeem_points(%s, 100, ''x'', order_amount => -0.01)', '22023'), ('SELECT quote_redemption(%s, -0.01)', '22023'),
        ('SELECT quote_redemption(%s, lines => ''[{"amount": -0.01}]'')', '22023'),
        ('SELECT redeem_points(%s, 100, ''x'', lines => ''[{"amount": 600}, {"amount": -12}]'')', '22023'),
        ('SELECT redeem_points(%s, 100, ''x'', order_amount => 588.001)', '22023'), ('SELECT quote_redemption(%s, ''NaN'')', '22023'),
        ('SELECT quote_redemption(%s, 1e17)', '22003'),
        ('SELECT redeem_points(%s, 100, ''x'', order_amount => 588, lines => ''[{"amount": 587}]'')', '22023'),
        ('SELECT quote_redemption(%s, lines => ''[]'')', '22023'), ('SELECT quote_redemption(%s, lines => ''[{"amount": 1, "price": 2}]'')', '22023'),
        ('SELECT redeem_points(%s, 100, ''x'', order_amount => 588, channel => NULL)', '22004'), ('SELECT redeem_points(%s, 100, ''x'', order_amount => 588, purpose => NULL)', '22004'),
        ('SELECT quote_redemption(%s, 588, purpose => '''')', '22023'),
        ('SELECT redeem_points(%s, 100, ''x'', order_amount => 588, at => now() + interval ''1 hour'')', '22023'),
        ('SELECT reverse_redemption(%s, ''x'', ''y'')', 'MB008'), ('SELECT reverse_redemption(%s, NULL, ''y'')', '22004'),
        ('SELECT reverse_redemption(%s, ''x'', NULL)', '22004'), ('SELECT reverse_redemption(%s, ''x'', '''')', '22023')) v (call, code);
SELECT is(take(format(call, 99)), 'MB002 member 99 does not exist', format(call, 99))
  FROM unnest(ARRAY['SELECT quote_redemption(%s)', 'SELECT redeem_points(%s, 100, ''x'')', 'SELECT authorize_points(%s, 100, ''x'')', 'SELECT capture_points(%s, ''x'')',
                    'SELECT void_points(%s, ''x'')', 'SELECT reverse_redemption(%s, ''x'', ''y'')']) call;
SELECT is(count(*), 0::bigint, 'what was refused has claimed no ref') FROM source_key WHERE ref = 'x';

-- ------------------------------------------------------------------ burn rules

INSERT INTO burn_rule (burn_rule_id, code, name, status, purpose, step, value, minimum)
VALUES (10, 'gift', 'Gift', 'active', 'item', 1, 0.05, 1), (11, 'gift_b', 'Same', 'active', 'item', 1, 0.06, 1), (12, 'gift_draft', 'Draft', 'draft', 'item', 1, 9, 1);
-- 10,100 points of ann: 10,000 and what the order of 100.00 earned
SELECT is(q::text, '(10100,505.00,balance)', 'of two rules of one priority the lower number counts; drafts do not') FROM quote_redemption(m('ann'), purpose => 'item', at => '2024-02-01 12:00+08') q;
UPDATE burn_rule SET priority = 1 WHERE burn_rule_id = 11;
SELECT is(q::text, '(10100,606.00,balance)', 'else the higher priority') FROM quote_redemption(m('ann'), purpose => 'item', at => '2024-02-01 12:00+08') q;
SELECT is(cash_value, 0.42, '7 points are worth 0.42') FROM redeem_points(m('ann'), 7, 'i1', purpose => 'item', at => '2024-02-01 12:00+08');
UPDATE burn_rule SET value = 0.08 WHERE burn_rule_id = 11;
SELECT is(r::text, '(4,7,0.42,10093,t)', 'what was redeemed keeps its worth') FROM redeem_points(m('ann'), 7, 'i1', purpose => 'item', at => '2024-02-01 12:00+08') r;
-- what one point of purpose item is worth, in 1/100, or which limit binds
CREATE FUNCTION public.worth(merchant_id integer DEFAULT NULL, channel text DEFAULT 'pos', order_amount numeric DEFAULT NULL,
                             at timestamptz DEFAULT '2024-02-01 12:00+08', name text DEFAULT 'ann') RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN q.max_points > 0 THEN round(100 * q.cash_value / q.max_points)::text ELSE q.limited_by END
      FROM membership.quote_redemption(public.m(name), order_amount, merchant_id, NULL, NULL, channel, 'item', at) q $$;
UPDATE burn_rule SET status = 'ended' WHERE burn_rule_id IN (11, 12);
INSERT INTO mall (mall_id, name) VALUES (2, 'West');
UPDATE merchant SET mall_id = 2 WHERE merchant_id = 3;
INSERT INTO burn_rule (burn_rule_id, code, name, status, purpose, priority, merchant_ids, mall_ids, channels, tiers, valid_during, condition, step, value)
VALUES (20, 'at_2', 'At 2', 'active', 'item', 20, '{2,1}', NULL, NULL, NULL, '(,)', NULL, 1, 0.20), (21, 'at_west', 'West', 'active', 'item', 21, NULL, '{2}', NULL, NULL, '(,)', NULL, 1, 0.21),
       (22, 'app', 'App', 'active', 'item', 22, NULL, NULL, '{app,mini}', NULL, '(,)', NULL, 1, 0.22), (23, 'silver', 'Silver', 'active', 'item', 23, NULL, NULL, NULL, '{silver,gold}', '(,)', NULL, 1, 0.23),
       (24, 'march', 'March', 'active', 'item', 24, NULL, NULL, NULL, NULL, '[2024-03-01, 2024-04-01)', NULL, 1, 0.24), (25, 'paused', 'Paused', 'paused', 'item', 25, NULL, NULL, NULL, NULL, '(,)', NULL, 1, 0.25),
       (26, 'big', 'Big', 'active', 'item', 26, NULL, NULL, NULL, NULL, '(,)', 'order_amount >= 1000 AND order_basis = order_amount AND line_amount IS NULL', 1, 0.26),
       (27, 'noodles', 'Noodles at night', 'active', 'item', 27, NULL, NULL, NULL, NULL, '(,)', 'merchant_id = 3 AND hour >= 22 AND first_at_merchant', 1, 0.27),
       (28, 'fails', 'Fails', 'active', 'item', 28, NULL, NULL, NULL, NULL, '(,)', '100 / (order_amount - 500) > 0', 1, 0.28);
SELECT fund('sil', 100) \gset
SELECT accrue_points(m('sil'), 1, 5000, 'sil 1', at => '2024-02-01 10:00+08') \gset
SELECT is(got, expected, what)
  FROM (VALUES (worth(), '5', 'the rule for all'), (worth(1), '20', 'a merchant'), (worth(2), '20', 'another'), (worth(3), '21', 'a merchant''s mall'), (worth(3, 'app'), '22', 'a channel'),
               (worth(NULL, 'mini'), '22', 'without merchant too'), (worth(name => 'sil'), '23', 'a tier'), (worth(3, 'app', name => 'sil'), '23', 'a tier before the others'),
               (worth(at => '2024-02-29 23:59:59.999999+08'), '5', 'before its time'), (worth(at => '2024-03-01 00:00+08'), '24', 'programme time begins'),
               (worth(at => '2024-03-31 23:59:59.999999+08'), '24', 'to its last'), (worth(at => '2024-04-01 00:00+08'), '5', 'it is over'),
               (worth(order_amount => 999.99), '28', 'a condition, of 999.99'), (worth(order_amount => 499.99), '5', 'that is false'), (worth(order_amount => 500), '5', 'that fails, and does not match'),
               (worth(3, at => '2024-02-01 21:59+08'), '21', 'a time of day'), (worth(3, at => '2024-02-01 22:00+08'), '27', 'has come')) v (got, expected, what);
UPDATE burn_rule SET status = 'ended' WHERE burn_rule_id = 28;
SELECT is(worth(order_amount => 1000), '26', 'order_amount and order_basis are what was given, of lines nothing is known');
SELECT is(worth(order_amount => 999), '5', 'else the next');
UPDATE burn_rule SET condition = 'order_amount IS NULL AND merchant_id IS NULL AND mall_id IS NULL AND brand IS NULL AND category IS NULL AND merchant_days IS NULL AND first_at_merchant IS NULL '
    'AND first_in_category IS NULL AND line_basis IS NULL AND sku IS NULL AND quantity IS NULL AND channel = ''pos'' AND tier = ''regular'' AND orders_today = 1 AND NOT first_purchase' WHERE burn_rule_id = 26;
SELECT is(worth(), '26', 'without order and merchant their columns are null, those of the member are there');
UPDATE burn_rule SET condition = NULL, merchant_ids = '{2}' WHERE burn_rule_id = 26;
SELECT is(worth(2) || ' ' || worth(1), '26 20', 'a change counts at once');
UPDATE burn_rule SET status = 'ended' WHERE purpose = 'item' AND burn_rule_id <> 10;

SELECT throws_ok(format('INSERT INTO membership.burn_rule (burn_rule_id, code, name, step, value, %s) VALUES (50, ''fifty'', ''Fifty'', 1, 1, %s)', col, val), code, NULL, format('%s: %s = %s', code, col, val))
  FROM (VALUES ('status', '''shadow''', '23514'), ('status', '''gone''', '23514'), ('purpose', '''''', '23514'), ('purpose', '''Payment''', '23514'), ('purpose', '''a b''', '23514'), ('valid_during', '''empty''', '23514'),
               ('mall_ids', '''{}''', '23514'), ('merchant_ids', '''{}''', '23514'), ('channels', '''{}''', '23514'), ('tiers', '''{}''', '23514'), ('mall_ids', '''{1,NULL}''', '23514'), ('merchant_ids', '''{NULL}''', '23514'),
               ('channels', '''{NULL}''', '23514'), ('tiers', '''{NULL}''', '23514'), ('share', '0', '23514'), ('share', '1.000001', '23514'), ('share', '-0.1', '23514'), ('share', '0.1234567', '23514'), ('share', '''NaN''', '23514'),
               ('minimum', '0', '23514'), ('minimum', '1000000000000001', '23514'), ('minimum', 'NULL', '23502'), ('daily_cap', '0', '23514'), ('daily_cap', '1000000000000001', '23514'), ('priority', 'NULL', '23502'),
               ('merchant_ids', '''{1,99}''', 'MB303'), ('mall_ids', '''{99}''', 'MB303'), ('tiers', '''{platinum}''', 'MB303'), ('condition', '''order_amount >''', 'MB302'), ('condition', '''points > 5''', 'MB302'),
               ('condition', '''pg_sleep(1) IS NULL''', 'MB302'), ('condition', '''1''', 'MB302')) v (col, val, code);
SELECT throws_ok(format('INSERT INTO membership.burn_rule (burn_rule_id, code, name, step, value) VALUES (%s)', val), code, NULL, format('%s: %s', code, val))
  FROM (VALUES ('50, ''Fifty'', ''x'', 1, 1', '23514'), ('50, ''fifty'', '''', 1, 1', '23514'), ('50, ''fifty'', ''x'', 0, 1', '23514'), ('50, ''fifty'', ''x'', -1, 1', '23514'), ('50, ''fifty'', ''x'', 1000000001, 1', '23514'),
               ('50, ''fifty'', ''x'', 1, 0', '23514'), ('50, ''fifty'', ''x'', 1, -1', '23514'), ('50, ''fifty'', ''x'', 1, ''NaN''', '23514'), ('50, ''fifty'', ''x'', 1, 1000000000.01', '23514'), ('50, ''fifty'', ''x'', NULL, 1', '23502'),
               ('50, ''fifty'', ''x'', 1, NULL', '23502'), ('50, ''payment'', ''x'', 1, 1', '23505'), ('1, ''fifty'', ''x'', 1, 1', '23505')) v (val, code);
SELECT throws_ok(call, 'MB301', NULL, call) FROM unnest('{DELETE FROM membership.burn_rule,TRUNCATE membership.burn_rule,UPDATE membership.burn_rule SET burn_rule_id = 60 WHERE burn_rule_id = 1,UPDATE membership.burn_rule SET code = ''x'' WHERE burn_rule_id = 1}'::text[]) call;

-- a cap over all rules and the programme's day: 500 a day
SELECT fund('cap', 5000) \gset
UPDATE burn_rule SET daily_cap = 500 WHERE burn_rule_id = 1;
SELECT redeem_points(m('cap'), 250, 'c1', purpose => 'item', at => '2024-02-01 23:00+08') \gset
SELECT authorize_points(m('cap'), 100, 'c2', NULL, order_amount => 1000, at => '2024-02-01 23:30+08') \gset
-- 250 redeemed, 100 held: 150 left, one step
SELECT is(agree('cap', 5000, at => '2024-02-01 23:59:59.999999+08'), '100 = 3.00 by daily_cap; 100 = 3.00; MB103 the daily cap of points is exceeded', 'what was redeemed by another rule, and what is held, counts');
SELECT is(agree('cap', 5000, at => '2024-02-02 00:00+08'), '500 = 15.00 by daily_cap; 500 = 15.00; MB103 the daily cap of points is exceeded', 'until midnight of the programme');
SELECT capture_points(m('cap'), 'c2', at => '2024-02-02 00:00+08') \gset
SELECT is(agree('cap', 5000, at => '2024-02-02 00:00+08'), '400 = 12.00 by daily_cap; 400 = 12.00; MB103 the daily cap of points is exceeded', 'a capture counts for its own day');
SELECT reverse_redemption(m('cap'), 'c2', 'back', at => '2024-02-02 00:00+08') \gset
SELECT is(agree('cap', 5000, at => '2024-02-02 00:00+08'), '500 = 15.00 by daily_cap; 500 = 15.00; MB103 the daily cap of points is exceeded', 'reversed, no more');
SELECT authorize_points(m('cap'), 300, 'c3', '1 minute', order_amount => 5000, at => '2024-02-02 00:00+08') \gset
SELECT is(agree('cap', 5000, at => '2024-02-02 00:00:59+08'), '200 = 6.00 by daily_cap; 200 = 6.00; MB103 the daily cap of points is exceeded', 'a hold');
SELECT is(agree('cap', 5000, at => '2024-02-02 00:01+08'), '500 = 15.00 by daily_cap; 500 = 15.00; MB103 the daily cap of points is exceeded', 'that has timed out');
SELECT redeem_points(m('cap'), 500, 'c4', order_amount => 5000, at => '2024-02-02 00:01+08') \gset
SELECT is(agree('cap', 5000, at => '2024-02-02 12:00+08'), '0 = 0.00 by daily_cap; none; MB103 the daily cap of points is exceeded', 'nothing is left');
UPDATE burn_rule SET daily_cap = NULL;

-- ------------------------------------------------------------------ reversals

SELECT fund('rev', 300, '2024-03-01 00:00+08') \gset
SELECT fund('rev', 200, '2024-02-11 00:00+08') \gset
SELECT fund('rev', 500) \gset
SELECT redeem_points(m('rev'), 400, 'r1', 3, order_amount => 5000, at => '2024-02-01 12:00+08') \gset
SELECT is(moved('rev', 5) || ', ' || lots('rev'), '2:-200 1:-200, 1:100 3:500', '400 redeemed of two lots; one is used up and gone');
SELECT is(r::text, '(6,400,1000,f)', 'a reversal') FROM reverse_redemption(m('rev'), 'r1', 'wrong till', at => '2024-02-05 12:00+08') r;
SELECT is(ROW(verb, points, balance, reason, refers_to, purpose, day)::text, '(reversal,400,1000,"wrong till",5,,2024-02-05)', 'is an event') FROM journal WHERE member_id = m('rev') AND journal_no = 6;
SELECT is(moved('rev', 6) || ', ' || lots('rev'), '2:200 1:200, 1:300 2:200 3:500', 'that gives back to the lots they came from, with their ends');
SELECT is(array_agg(ROW(lot_no, granted, journal_no, active_at = (SELECT active_at FROM ledger_entry e WHERE e.member_id = l.member_id AND e.entry_no = l.lot_no), expires_at)::text ORDER BY lot_no),
          '{"(1,300,2,t,\"2024-02-29 16:00:00+00\")","(2,200,3,t,\"2024-02-10 16:00:00+00\")","(3,500,4,t,\"2026-02-01 16:00:00+00\")"}', 'as they were') FROM lot l WHERE member_id = m('rev');
SELECT is(points_redeemed, 0::bigint, 'the day of the redemption forgets it') FROM activity_day WHERE member_id = m('rev') AND day = '2024-02-01';
SELECT is(count(*), 0::bigint, 'the day of the reversal has nothing') FROM activity_day WHERE member_id = m('rev') AND day = '2024-02-05';
SELECT is(r::text, '(6,400,1000,t)', 'again: the first result') FROM reverse_redemption(m('rev'), 'r1', 'wrong till', at => '2024-02-05 12:00+08') r;
SELECT is(take($$SELECT reverse_redemption(m('rev'), 'r1', 'other reason', at => '2024-02-05 12:00+08')$$), 'MB201 ref "r1" was used before with other content', 'with another reason');
SELECT is(r::text, '(5,400,12.00,600,t)', 'the redemption again: still its first result') FROM redeem_points(m('rev'), 400, 'r1', 3, order_amount => 5000, at => '2024-02-01 12:00+08') r;
-- one lot dies between redemption and reversal
SELECT redeem_points(m('rev'), 300, 'r2', order_amount => 5000, at => '2024-02-06 12:00+08') \gset
SELECT is(moved('rev', 7), '2:-200 1:-100', '300 redeemed, 200 of them to die on the 11th');
SAVEPOINT zero;
SELECT is(r::text, '(8,300,1000,f)', 'reversed on the 11th') FROM reverse_redemption(m('rev'), 'r2', 'x', at => '2024-02-11 00:00+08') r;
SELECT is(story('rev', 8), '8 reversal 300, 9 expiry -200', 'those whose lot has died expire at once, by an event');
SELECT is(ROW(moved('rev', 8), moved('rev', 9), lots('rev'))::text, '("2:200 1:100",2:-200,"1:300 3:500")', 'of their lot');
SELECT is(r::text, '(8,300,1000,t)', 'again') FROM reverse_redemption(m('rev'), 'r2', 'x', at => '2024-02-11 00:00+08') r;
SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
ROLLBACK TO zero;
SELECT is(take($$SELECT balance FROM reverse_redemption(m('rev'), 'r2', 'x', at => '2024-02-10 23:59:59.999999+08')$$), '1000', 'a microsecond before, it lives');
UPDATE program SET reinstatement_days = 30;
-- reversed on 12 February at noon: 30 days more, through 13 March
SELECT reverse_redemption(m('rev'), 'r2', 'x', at => '2024-02-12 12:00+08') \gset
SELECT is(ROW(story('rev', 8), moved('rev', 8), lots('rev'))::text, '("8 reversal 300","10:200 1:100","1:300 3:500 10:200")', 'with 30 days of reinstatement they get a new lot');
SELECT is(ROW(active_at, expires_at, origin, granted)::text, '("2024-02-12 04:00:00+00","2024-03-13 16:00:00+00",reversal,200)', 'that lives through the 30th day after') FROM lot WHERE member_id = m('rev') AND lot_no = 10;
UPDATE program SET reinstatement_days = 0;
-- a captured hold; its part only
SELECT authorize_points(m('rev'), 400, 'h1', NULL, order_amount => 5000, at => '2024-02-13 12:00+08') \gset
SELECT is(take($$SELECT reverse_redemption(m('rev'), 'h1', 'x', at => '2024-02-13 12:00+08')$$), format('MB008 member %s has no redemption with ref "h1"', m('rev')), 'a hold is no redemption');
SELECT capture_points(m('rev'), 'h1', 100, at => '2024-02-13 13:00+08') \gset
SELECT is(r::text, '(11,100,1000,f)', 'once captured it is, of what was captured') FROM reverse_redemption(m('rev'), 'h1', 'x', at => '2024-02-14 12:00+08') r;
SELECT is(ROW(story('rev', 9), lots('rev'))::text, '("9 authorization 0, 10 capture -100, 11 reversal 100","1:300 3:500 10:200")', 'back in its lot');
-- into debt: 1,000 redeemed, 100 taken that are not there, 1,000 given back
SELECT redeem_points(m('rev'), 1000, 'r3', order_amount => 50000, at => '2024-02-15 12:00+08') \gset
SELECT adjust_points(m('rev'), -100, 'x', 'a1', at => '2024-02-15 12:00+08') \gset
SELECT reverse_redemption(m('rev'), 'r3', 'x', at => '2024-02-16 12:00+08') \gset
SELECT is(ROW(story('rev', 12), lots('rev'))::text, '("12 redemption -1000, 13 adjustment -100, 14 reversal 1000","1:200 3:500 10:200")', 'what is given back pays debt first');
SELECT is(ROW(balance, debt)::text, '(900,0)', 'all of it') FROM account WHERE member_id = m('rev');
-- who may
SELECT redeem_points(m('rev'), 100, 'r4', order_amount => 5000, at => '2024-02-17 12:00+08') \gset
SELECT set_member_status(m('rev'), 'frozen', 'x') \gset
SELECT is(take($$SELECT points FROM reverse_redemption(m('rev'), 'r4', 'x')$$), '100', 'of a frozen member too');
SELECT set_member_status(m('rev'), 'closed', 'x') \gset
SELECT is(take($$SELECT points FROM reverse_redemption(m('rev'), 'r4', 'x')$$), format('MB102 member %s is closed', m('rev')), 'of a closed one no more');
SELECT is(r::text, '(6,400,1000,t)', 'but the first result stays') FROM reverse_redemption(m('rev'), 'r1', 'wrong till', at => '2024-02-05 12:00+08') r;
-- at the limit of what a member can have
SELECT fund('max', 1000) \gset
SELECT redeem_points(m('max'), 1000, 'r1', order_amount => 50000, at => '2024-02-01 12:00+08') \gset
SELECT fund('max', 999999999999001) \gset
SELECT is(left(take($$SELECT reverse_redemption(m('max'), 'r1', 'x', at => '2024-02-02 12:00+08')$$), 5), '22003', 'a balance beyond 10^15 is refused');

-- ------------------------------------------------------------------ a redemption at a merchant, without an order

UPDATE contract SET redemption_price = 0.02 WHERE contract_id = 2;
UPDATE contract SET redemption_price = 0.025 WHERE contract_id = 3;
UPDATE merchant SET mall_id = 1 WHERE merchant_id = 3;
SELECT fund('mer', 5000) \gset
SELECT redeem_points(m('mer'), 1000, 'm1', 1, order_amount => 5000, at => '2024-02-01 12:00+08') \gset
SELECT is(splits('mer', 3), NULL, 'without a contract a merchant gets nothing for it');
SELECT redeem_points(m('mer'), 1100, 'm2', 2, order_amount => 5000, at => '2024-02-01 12:00+08') \gset
-- worth 33.00; 1,100 x 0.02 = 22.00
SELECT is(splits('mer', 4), 'sale 1>3 33.00, points_contribution 3>1 11.00/1100', 'where the mall collects it pays the worth, and the merchant contributes the rest');
SELECT redeem_points(m('mer'), 1100, 'm3', 3, order_amount => 5000, at => '2024-02-01 12:00+08') \gset
SELECT is(splits('mer', 5), 'points_redeemed 1>4 27.50/1100', 'where the merchant collects the mall pays the price');
SELECT redeem_points(m('mer'), 100, 'm4', order_amount => 5000, at => '2024-02-01 12:00+08') \gset
SELECT is(splits('mer', 6), NULL, 'at no merchant nobody is paid');
UPDATE contract SET redemption_price = 0.04;
SELECT redeem_points(m('mer'), 100, 'm5', 2, order_amount => 5000, at => '2024-02-01 12:00+08') \gset
SELECT is(splits('mer', 7), 'sale 1>3 3.00', 'a price above the worth: nothing to contribute');
SELECT reverse_redemption(m('mer'), ref, 'x', at => '2024-02-02 12:00+08') FROM unnest('{m2,m3,m5}'::text[]) ref \g /dev/null
SELECT is(ROW(splits('mer', 8), splits('mer', 9), splits('mer', 10))::text, '("sale 3>1 33.00, points_contribution 1>3 11.00/1100","points_redeemed 4>1 27.50/1100","sale 3>1 3.00")', 'reversed, each row is taken back as it was');
SELECT redeem_points(m('mer'), 20, 'm6', 3, purpose => 'item', at => '2024-02-02 12:00+08') \gset
-- 20 x 0.04; the price of bo's 300 was 0
SELECT is(splits('mer', 11), 'points_redeemed 1>4 0.80/20', 'any purpose is paid by the point');
SELECT is(string_agg(format('%s %s %s>%s %s %s/%s', merchant_id, kind, payer_party_id, payee_party_id, splits, amount, points), ', ' ORDER BY merchant_id, kind COLLATE "C", payer_party_id),
          '2 points_contribution 1>3 1 11.00/1100, 2 points_contribution 3>1 1 11.00/1100, 2 sale 1>3 2 36.00/0, 2 sale 3>1 2 36.00/0, 3 points_redeemed 1>4 2 28.30/1120, 3 points_redeemed 4>1 1 27.50/1100',
          'as merchant_unsettled has it') FROM merchant_unsettled WHERE kind IN ('sale', 'points_redeemed', 'points_contribution') AND merchant_id IN (2, 3);
-- of 1 February: ann 7 item, cap 250 at 0.05; bo 300 at 3 and 500; max 1,000; mer 1,000 at 1 and 100. Of the 2nd: cap 500, mer 20
SELECT results_eq('SELECT day, purpose, merchant_id, redemptions, points, cash_value FROM membership.redemption_daily WHERE redemptions > 0 ORDER BY day, purpose, merchant_id',
                  $$VALUES (date '2024-02-01', 'item', NULL::integer, 2::bigint, 257::bigint, 12.92), ('2024-02-01', 'payment', 1, 1, 1000, 30.00), ('2024-02-01', 'payment', 3, 1, 300, 9.00),
                           ('2024-02-01', 'payment', NULL, 3, 1600, 48.00), ('2024-02-02', 'item', 3, 1, 20, 1.00), ('2024-02-02', 'payment', NULL, 1, 500, 15.00), ('2024-02-17', 'payment', NULL, 1, 100, 3.00)$$,
                  'redemption_daily');
SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');

SELECT * FROM finish();
ROLLBACK;
