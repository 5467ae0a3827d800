-- What conditions can use: every column, by single calls, in a batch and in a preview.
\set tests 51
\ir setup.psql
\ir rules.psql
SELECT open_mall() \gset

-- ask(conditions): rules of one bonus point each, and unmet(explanation): the conditions of those that did not apply.
CREATE TABLE public.question (rule_id serial, condition text);
CREATE FUNCTION public.ask(conditions text[], scope text DEFAULT 'order') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.set_aside();
    WITH asked AS (INSERT INTO public.question (condition) SELECT unnest(conditions) RETURNING *)
    INSERT INTO membership.earn_rule (rule_id, code, name, status, scope, effect, value, condition)
    SELECT a.rule_id, 'q_' || a.rule_id, 'Question', 'active', ask.scope, 'bonus_points', 1, a.condition FROM asked a;
END
$$;
CREATE FUNCTION public.unmet(explanation jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(r.condition, '; ' ORDER BY r.rule_id) FROM membership.earn_rule r
     WHERE r.status = 'active'
       AND NOT EXISTS (SELECT FROM jsonb_to_recordset(explanation -> 'rules') e (code text, outcome text) WHERE e.code = r.code AND e.outcome = 'applied')
$$;
CREATE FUNCTION public.line_points(explanation jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(':', l ->> 'line_no', l ->> 'points'), ' ') FROM jsonb_array_elements(explanation -> 'lines') l
$$;

-- the order, the shop, the clock; 15 March 2024 was a Friday, and 16:30:15.25 UTC is 00:30:15.25 of the 16th, a Saturday
UPDATE merchant SET brand = 'Longjing', category = 'tea', opened_on = '2024-02-25' WHERE merchant_id = 1;
SELECT enroll_member('card', 'ann', birthday => '1990-03-20', source => 'web', attributes => '{"size": "M", "n": 7}', at => '2024-03-01 10:00+08') \gset
SELECT set_tags(m('ann'), '{vip,mother}') \gset
SELECT ask(ARRAY[
    'order_amount = 150.50', 'order_basis = 100.25', 'order_basis::text = ''100.25''', 'line_amount IS NULL', 'line_basis IS NULL', 'quantity IS NULL', 'sku IS NULL',
    'merchant_id = 1', 'mall_id = 1', 'brand = ''Longjing''', 'category = ''tea''', 'channel = ''app''',
    'occurred_at = timestamp ''2024-03-16 00:30:15.25''', 'occurred_on = date ''2024-03-16''', 'time_of_day = time ''00:30:15.25''', 'hour = 0', 'weekday = 6', 'day = 16', 'month = 3',
    'birthday = date ''1990-03-20''', 'birthday_month', 'NOT birthday_day', 'age = 33', 'member_days = 15', 'merchant_days = 20',
    'tier = ''regular''', 'tier_rank = 1', 'tags = ARRAY[''mother'', ''vip'']', 'source = ''web''', 'member_attributes ->> ''size'' = ''M''', '(member_attributes ->> ''n'')::integer = 7',
    'order_attributes = ''{"gift": true}''', 'attr_date(order_attributes, ''wedding'') IS NULL',
    'first_purchase', 'first_at_merchant', 'first_in_category', 'days_since_purchase IS NULL', 'orders_today = 0', 'basis_today = 0', 'orders_month = 0', 'basis_month = 0', 'orders_12m = 0', 'basis_12m = 0']) \gset
\set lines '[{"line_no": 2, "amount": 100.25, "brand": "Acme", "category": "books", "sku": "s1", "quantity": 2.5}, {"line_no": 5, "amount": 50.25, "merchant_id": 2, "eligible": false}]'
SELECT is(unmet(explanation), NULL, 'every column of an order, previewed')
  FROM preview_accrual(m('ann'), 1, 150.50, occurred_at => '2024-03-15 16:30:15.25+00', channel => 'app', attributes => '{"gift": true}', lines => :'lines');
SELECT is(unmet(explanation), NULL, 'every column of an order') FROM buy('ann', 150.50, :'lines', at => '2024-03-15 16:30:15.25+00', channel => 'app', attributes => '{"gift": true}');
SET LOCAL TimeZone = 'America/New_York';
SET LOCAL DateStyle = 'SQL, DMY';
SET LOCAL IntervalStyle = 'iso_8601';
-- the same again, a minute later; a second order
SELECT ask(ARRAY['NOT first_purchase', 'NOT first_at_merchant', 'first_in_category = (category = ''tea'')', 'days_since_purchase = 0', 'orders_today = 1', 'basis_today = 100.25',
    'orders_month = 1', 'basis_month = 100.25', 'orders_12m = 1', 'basis_12m = 100.25', 'order_attributes = ''{}''', 'channel = ''pos''', 'hour = 0', 'day = 16']) \gset
SELECT is(unmet(explanation), NULL, 'the second order, whatever the caller''s settings; categories of lines count, not those of the shop') FROM buy('ann', 10, at => '2024-03-15 16:31:00+00');
RESET TimeZone;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL IntervalStyle = 'postgres';
SELECT ask(ARRAY['quantity = 2.5', 'sku = ''s1''', 'brand = ''Acme''', 'category = ''books''', 'merchant_id = 1', 'line_amount = 100.25', 'line_basis = 100.25', 'order_amount = 120.25', 'order_basis = 110.25',
                 'NOT first_in_category', 'NOT first_at_merchant', 'merchant_days = 20']::text[], 'line') \gset
-- line 2 meets all 12; line 3, at shop 2, only order_amount, order_basis and NOT first_at_merchant; line 4 does not earn
SELECT is(ROW(unmet(explanation), line_points(explanation))::text, '(,"2:112 3:13 4:0")', 'every column of a line')
  FROM buy('ann', 120.25, '[{"line_no": 2, "amount": 100.25, "brand": "Acme", "category": "books", "sku": "s1", "quantity": 2.5}, {"line_no": 3, "amount": 10, "merchant_id": 2}, {"line_no": 4, "amount": 10, "eligible": false}]',
           at => '2024-03-15 16:32:00+00');
SELECT ask(ARRAY['brand = ''Longjing''', 'category = ''tea''', 'quantity IS NULL', 'sku IS NULL', 'NOT first_in_category']::text[], 'line') \gset
SELECT is(unmet(explanation), NULL, 'a line without a brand and a category has those of its shop; the first order at the shop without lines was of its category') FROM buy('ann', 10, '[{"amount": 10}]', at => '2024-03-15 16:33:00+00');
SELECT ask(ARRAY['brand IS NULL', 'category IS NULL', 'first_in_category IS NULL', 'merchant_days IS NULL', 'NOT first_at_merchant', 'NOT first_purchase']) \gset
SELECT is(unmet(explanation), NULL, 'a shop without brand, category and opening; a line at it counts, also one that did not earn') FROM buy('ann', 10, merchant => 2, at => '2024-03-15 16:34:00+00');
SELECT ask(ARRAY['first_at_merchant']) \gset
SELECT is(unmet(explanation), NULL, 'a shop never visited') FROM buy('ann', 10, merchant => 3, at => '2024-03-15 16:35:00+00');

-- a member of whom little is known
SELECT enrol('bob', '2024-03-20 10:00+08') \gset
SELECT ask(ARRAY['birthday IS NULL', 'birthday_month IS NULL', 'birthday_day IS NULL', 'age IS NULL', 'tags = ''{}''', 'source IS NULL', 'member_attributes = ''{}''', 'member_days = -5']) \gset
SELECT is(unmet(explanation), NULL, 'NULL where nothing is known; days before enrolment are negative') FROM buy('bob', 10);

UPDATE merchant SET opened_on = NULL WHERE merchant_id = 1;
-- windows: today, this month, 12 months, up to the day of the purchase
SELECT enrol('win', '2022-01-01 10:00+08') \gset
SELECT set_aside() \gset
SELECT buy('win', amount, at => at::timestamptz, posted => at::timestamptz)
  FROM (VALUES (1, '2023-03-14 12:00+08'), (2, '2023-03-15 12:00+08'), (4, '2023-03-16 12:00+08'), (8, '2024-02-29 23:59:59+08'), (16, '2024-03-01 00:00+08'),
               (32, '2024-03-14 12:00+08'), (64, '2024-03-15 08:00+08'), (128, '2024-03-15 23:00+08'), (256, '2024-03-16 00:00+08')) v (amount, at) \g /dev/null
-- on 15 March, posted on the 16th: today 64 + 128; March 16 + 32 + 192; 12 months: after 15 March 2023: 4 + 8 + 240; the 16th is not before
\set windows 'orders_today = 2,basis_today = 192,orders_month = 4,basis_month = 240,orders_12m = 6,basis_12m = 252,days_since_purchase = 0,NOT first_purchase'
SELECT ask(string_to_array(:'windows', ',')) \gset
SELECT is(unmet(explanation), NULL, 'windows are by day') FROM preview_accrual(m('win'), 1, 10, occurred_at => '2024-03-15 07:00+08', at => '2024-03-16 12:00+08');
SELECT is(unmet(explanation), NULL, 'whichever hour') FROM buy('win', 512, at => '2024-03-15 07:00+08', posted => '2024-03-16 12:00+08');
-- 29 February 2024: 12 months before is 28 February 2023, so all but those later than the day: 1 + 2 + 4 + 8, with 8 today
SELECT ask(ARRAY['orders_today = 1', 'basis_today = 8', 'orders_month = 1', 'basis_month = 8', 'orders_12m = 4', 'basis_12m = 15', 'NOT first_purchase']) \gset
SELECT is(unmet(explanation), NULL, 'a purchase of the past does not see what is later') FROM preview_accrual(m('win'), 1, 10, occurred_at => '2024-02-29 12:00+08', at => '2024-03-16 12:00+08');
SELECT ask(ARRAY['first_purchase', 'first_at_merchant', 'first_in_category', 'days_since_purchase IS NULL', 'orders_12m = 0']) \gset
SELECT is(unmet(explanation), NULL, 'before the first one it is the first') FROM preview_accrual(m('win'), 1, 10, occurred_at => '2023-03-13 12:00+08', at => '2024-03-16 12:00+08');
-- lapsed: 1 May 2026 after 16 March 2024: 776 days; nothing in 12 months
SELECT ask(ARRAY['days_since_purchase = 776', 'days_since_purchase > 365', 'orders_12m = 0', 'basis_12m = 0', 'orders_month = 0', 'NOT first_purchase', 'NOT first_at_merchant', 'NOT first_in_category']) \gset
SELECT is(unmet(explanation), NULL, 'a lapsed member') FROM buy('win', 10, at => '2026-05-01 12:00+08');

-- birthdays; 29 February is the 28th in other years, and a year older on 1 March
SELECT enroll_member('card', 'leap', birthday => '2000-02-29', at => '2022-01-01 10:00+08') \gset
SELECT enroll_member('card', 'june', birthday => '1990-06-30', at => '2022-01-01 10:00+08') \gset
SELECT ask(ARRAY['birthday_month', 'birthday_day', 'age = 22', 'age = 23', 'age = 24']) \gset
SELECT is(met(explanation), expected, format('%s on %s', member, at))
  FROM (SELECT min(rule_id) AS q FROM earn_rule WHERE status = 'active') r,
       (VALUES ('leap', '2023-02-27', 'month 22'), ('leap', '2023-02-28', 'month day 22'), ('leap', '2023-03-01', '23'), ('leap', '2024-02-28', 'month 23'), ('leap', '2024-02-29', 'month day 24'),
               ('leap', '2024-03-01', '24'), ('leap', '2023-01-31', '22'), ('june', '2023-06-30', 'month day'), ('june', '2023-07-01', NULL), ('june', '2023-06-01', 'month')) v (member, at, told),
       LATERAL (SELECT string_agg(format('q_%s applied 1', q + n - 1), ', ' ORDER BY n) FROM unnest('{month,day,22,23,24}'::text[]) WITH ORDINALITY w (word, n)
                 WHERE word = ANY (string_to_array(told, ' '))) e (expected),
       LATERAL buy(member, 10, at => (at || ' 12:00+08')::timestamptz);

-- campaigns of a mall
SELECT set_aside() \gset
SELECT enrol('cam', '2024-01-01 10:00+08') \gset
INSERT INTO merchant (merchant_id, name, opened_on) VALUES (9, 'New shop', '2024-11-01');
INSERT INTO earn_rule (rule_id, code, name, status, scope, effect, value, valid_during, condition)
VALUES (1001, 'member_day', 'Member day 会员日', 'active', 'order', 'bonus_points', 1, '(,)', 'day = 8'),
       (1002, 'double_week', 'Double week', 'active', 'order', 'bonus_points', 2, '[2024-11-04, 2024-11-11)', NULL),
       (1003, 'new_shop', 'New shop', 'active', 'line', 'bonus_points', 4, '(,)', 'merchant_days < 30'),
       (1004, 'mother_baby', 'Mother and baby', 'active', 'order', 'bonus_points', 8, '(,)', 'tags && ARRAY[''mother'', ''baby'']'),
       (1005, 'welcome', 'First purchase', 'active', 'order', 'bonus_points', 16, '(,)', 'first_purchase'),
       (1006, 'through', 'Through the 10th', 'active', 'order', 'bonus_points', 32, '(2024-11-04 00:00:00, 2024-11-10 23:59:59.999999]', NULL),
       (1007, 'night', 'Night', 'active', 'order', 'bonus_points', 64, '(,)', 'hour >= 22 OR time_of_day < ''02:00'''),
       (1008, 'come_back', 'Come back', 'active', 'order', 'bonus_points', 128, '(,)', 'days_since_purchase >= 180');
SELECT is(bonus_points, expected::bigint, format('%s at shop %s', at, shop))
  FROM (VALUES (1, '2024-11-03 12:00', 9, 16 + 4), (2, '2024-11-03 23:59:59.999999', 1, 64), (3, '2024-11-04 00:00', 1, 64 + 2), (4, '2024-11-04 12:00', 1, 2 + 32), (5, '2024-11-08 12:00', 1, 1 + 2 + 32),
               (6, '2024-11-10 21:59:59', 1, 2 + 32), (7, '2024-11-10 23:59:59.999999', 1, 2 + 32 + 64), (8, '2024-11-11 00:00', 1, 64), (9, '2024-11-30 12:00', 9, 4), (10, '2024-12-01 12:00', 9, 0),
               (11, '2025-05-29 12:00', 1, 0), (12, '2025-12-08 12:00', 1, 1 + 128)) v (n, at, shop, expected),
       LATERAL buy('cam', 10, merchant => shop, at => (at || '+08')::timestamptz) ORDER BY n;
SELECT set_tags(m('cam'), '{baby,gold}') \gset
SELECT is(bonus_points, 8::bigint, 'a segment by tag') FROM buy('cam', 10, at => '2025-12-09 12:00+08');

-- in a batch later rows see earlier ones, as single calls do
SELECT set_aside() \gset
SELECT enrol('one', '2022-01-01 10:00+08') \gset
SELECT enrol('two', '2022-01-01 10:00+08') \gset
SELECT buy(name, 7, at => '2022-03-01 12:00+08') FROM (VALUES ('one'), ('two')) v (name) \g /dev/null
CREATE TEMP TABLE purchases (n integer, merchant_id integer, amount numeric, at timestamptz, occurred_at timestamptz, lines jsonb);
INSERT INTO purchases VALUES
    (1, 1, 64, '2024-03-15 12:00+08', '2021-01-01 12:00+08', NULL),
    (2, 2, 1, '2024-03-15 12:00+08', '2024-03-15 12:00+08', NULL),
    (3, 2, 2, '2024-03-15 12:01+08', '2024-03-15 12:01+08', NULL),
    (4, 1, 4, '2024-03-15 12:02+08', '2024-03-15 12:02+08', '[{"amount": 3, "category": "books"}, {"amount": 1, "merchant_id": 3}]'),
    (5, 1, 8, '2024-03-15 12:03+08', '2024-03-14 12:03+08', '[{"amount": 8, "category": "books"}]'),
    (6, 3, 16, '2024-03-16 12:00+08', '2024-03-16 12:00+08', NULL),
    (7, 1, 32, '2024-04-01 12:00+08', '2024-04-01 12:00+08', '[{"amount": 32, "category": "books"}]'),
    (8, 1, 128, '2026-06-01 12:00+08', '2026-06-01 12:00+08', NULL);
SELECT ask(ARRAY['first_purchase', 'first_at_merchant', 'first_in_category', 'orders_today = 1', 'orders_today = 2', 'basis_today = 3', 'orders_month = 2', 'orders_month = 4', 'basis_month = 15', 'orders_12m = 5', 'basis_12m = 31',
                 'days_since_purchase = 0', 'days_since_purchase = 1', 'days_since_purchase = 16', 'days_since_purchase = 744', 'days_since_purchase = 745', 'days_since_purchase = 791', 'orders_12m = 0']) \gset
CREATE TEMP TABLE single AS SELECT n, x.* FROM (SELECT * FROM purchases ORDER BY n) p, LATERAL accrue_points(m('one'), merchant_id, amount, 'one ' || n, occurred_at => occurred_at, lines => lines, at => at) x;
CREATE TEMP TABLE batch AS
SELECT * FROM accrue_batch(ARRAY(SELECT ROW(m('two'), merchant_id, amount, 'two ' || n, occurred_at, 'pos', lines, NULL, '{}', NULL, NULL, at)::purchase FROM purchases ORDER BY n));
SELECT is((SELECT array_agg(ROW(row_no, points, explanation)::text ORDER BY row_no) FROM batch), (SELECT array_agg(ROW(n, points, explanation)::text ORDER BY n) FROM single), 'a batch judges as single calls do');
CREATE FUNCTION public.said(explanation jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(q.condition, ', ' ORDER BY q.rule_id) FROM jsonb_to_recordset(explanation -> 'rules') e (rule_id integer, outcome text) JOIN public.question q USING (rule_id) WHERE e.outcome = 'applied'
$$;
SELECT is(said(explanation), expected, format('purchase %s of a batch', row_no))
  FROM (VALUES
    (1, 'first_purchase, first_at_merchant, first_in_category, orders_12m = 0'),
    (2, 'first_at_merchant, days_since_purchase = 745, orders_12m = 0'), -- 1 March 2022 to 15 March 2024
    (3, 'orders_today = 1, days_since_purchase = 0'),
    (4, 'orders_today = 2, basis_today = 3, orders_month = 2, days_since_purchase = 0'),
    (5, 'days_since_purchase = 744, orders_12m = 0'), -- those of the 15th are not before the 14th
    (6, 'orders_month = 4, basis_month = 15, days_since_purchase = 1'), -- shop 3 was on a line of purchase 4
    (7, 'orders_12m = 5, basis_12m = 31, days_since_purchase = 16'),
    (8, 'days_since_purchase = 791, orders_12m = 0')) v (n, expected) JOIN batch ON row_no = n;

-- lines of a batch: a category and a shop that an earlier row's line was of are no first
SELECT enrol('three', '2022-01-01 10:00+08') \gset
SELECT enrol('four', '2022-01-01 10:00+08') \gset
SELECT ask(ARRAY['first_at_merchant', 'first_in_category'], 'line') \gset
SELECT is(array_agg(line_points(explanation) ORDER BY row_no), '{1:3 2:3 3:3,1:1 2:2 3:2}', 'lines see the lines of earlier orders, and not each other')
  FROM accrue_batch(ARRAY[
    ROW(m('three'), 1, 3, 'three 1', NULL, 'pos', '[{"amount": 1}, {"amount": 1, "category": "books"}, {"amount": 1, "category": "books"}]', NULL, '{}', NULL, NULL, '2024-03-15 12:00+08')::purchase,
    ROW(m('three'), 1, 3, 'three 2', NULL, 'pos', '[{"amount": 1, "category": "books"}, {"amount": 1, "category": "toys"}, {"amount": 1, "merchant_id": 2}]', NULL, '{}', NULL, NULL, '2024-03-15 12:00+08')::purchase]);
-- a purchase under review and one of a frozen member count; a failed row of a batch does not
SELECT ask(ARRAY['orders_12m = 1', 'NOT first_purchase', 'NOT first_at_merchant']) \gset
SELECT is(ROW(array_agg(sqlstate ORDER BY row_no), array_agg(unmet(explanation) ORDER BY row_no))::text,
          '("{NULL,22023,NULL}","{""orders_12m = 1; NOT first_purchase; NOT first_at_merchant"",""orders_12m = 1; NOT first_purchase; NOT first_at_merchant"",NULL}")',
          'purchases under review count, refused ones do not')
  FROM accrue_batch(ARRAY[
    ROW(m('four'), 1, 10, 'four 1', '2024-01-15 12:00+08', 'pos', NULL, NULL, '{}', NULL, NULL, '2024-03-15 12:00+08')::purchase,
    ROW(m('four'), 1, 10, 'four 2', NULL, 'pos', '[{"amount": 9}]', NULL, '{}', NULL, NULL, '2024-03-15 12:00+08')::purchase,
    ROW(m('four'), 1, 10, 'four 3', NULL, 'pos', NULL, NULL, '{}', NULL, NULL, '2024-03-15 12:00+08')::purchase]);
SELECT set_member_status(m('bob'), 'frozen', 'test') \gset
SELECT buy('bob', 10, at => '2024-03-17 12:00+08') \g /dev/null
SELECT set_member_status(m('bob'), 'active', 'test') \gset
SELECT ask(ARRAY['orders_12m = 2', 'days_since_purchase = 1', 'orders_month = 2']) \gset
SELECT is(unmet(explanation), NULL, 'purchases of a frozen member count') FROM buy('bob', 10, at => '2024-03-18 12:00+08');
-- a row of a batch that is refused after its rules were matched leaves no trace in those after it
SELECT enrol('bat') \gset
SELECT ask(ARRAY['order_basis >= 0', 'order_basis > 1', 'order_basis > 2', 'order_basis > 3']) \gset
-- at 10,000 points per 1.00 rows 2 and 4 are beyond 10^15 points
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, condition) VALUES (5001, 'too_much', 'Too much', 'active', 'rate', 10000, 'order_basis > 1000000');
SELECT is(array_agg(coalesce(points::text, sqlstate) ORDER BY row_no), '{14,22003,24,22003,34}', 'a refused row of a batch has no part in the others')
  FROM accrue_batch(ARRAY(
    SELECT ROW(m('bat'), 1, CASE n % 2 WHEN 0 THEN 99999999999990 ELSE 5 * n + 5 END, 'bat ' || n, NULL, 'pos', CASE WHEN n % 2 = 0 THEN
               (SELECT jsonb_agg(jsonb_build_object('amount', 99999999999990 / 30)) FROM generate_series(1, 30 + 0 * n)) END, NULL, '{}', NULL, NULL, '2024-03-15 12:00+08')::purchase
      FROM generate_series(1, 5) n));
-- imported purchases are purchases, too
SELECT enrol('imp', '2022-01-01 10:00+08') \gset
SELECT count(*) AS imported FROM import_purchases(ARRAY[ROW(m('imp'), 3, 99, 'old', '2024-03-10 12:00+08', NULL, 5)::purchase_import]) \gset
SELECT ask(ARRAY['orders_month = 1', 'basis_month = 99', 'NOT first_at_merchant', 'days_since_purchase = 5', 'NOT first_purchase']) \gset
SELECT is(unmet(explanation), NULL, 'imported purchases count') FROM buy('imp', 10, merchant => 3);

SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
SELECT * FROM finish();
ROLLBACK;
