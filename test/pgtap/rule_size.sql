-- Large orders, many rules and long batches: what they cost grows with what there is, not with its square.
\set tests 5
\ir setup.psql
\ir rules.psql
SELECT open_mall() \gset
SELECT enrol('ann') \gset
SELECT enrol('ben') \gset

-- a hundred line rules, each with an end of its own, on one line each of a thousand: at 1.5x rule n gives half of n;
-- the limit is a hundred times what it takes, and a fraction of what comparing each part with each would
INSERT INTO earn_rule (rule_id, code, name, status, scope, effect, value, pending_days, condition)
SELECT n, 'r' || n, 'Rule ' || n, 'active', 'line', 'multiplier', 1.5, n, 'line_amount = ' || n FROM generate_series(1, 100) n;
SELECT jsonb_agg(jsonb_build_object('amount', n)) AS thousand FROM generate_series(1, 1000) n \gset
SELECT clock_timestamp() AS start \gset
-- 1 + ... + 1000 = 500,500, and half of 1 + ... + 100 = 5,050 on top
SELECT is(points, 503025::bigint, 'a thousand lines under a hundred rules') FROM buy('ann', 500500, :'thousand');
SELECT ok(clock_timestamp() < :'start'::timestamptz + interval '10 s', 'are no matter of minutes');
-- base and tier in one lot, and one a rule
SELECT is(count(*), 101::bigint, 'and open a lot an end') FROM lot WHERE member_id = m('ann');

-- first purchases in 2,000 categories, asked of a batch that holds them all
SELECT set_aside() \gset
INSERT INTO earn_rule (rule_id, code, name, status, scope, effect, value, condition)
VALUES (1000, 'first', 'First', 'active', 'line', 'bonus_points', 1, 'first_in_category');
SELECT clock_timestamp() AS start \gset
-- 2,000 purchases of 10, every second one in a category of its own, the others in the first one's: 1,000 first ones;
-- 500 reach silver, so 500 x 10 + 1,500 x 12 + 1,000
SELECT is(sum(points), 24000::numeric, 'a long batch that asks for first purchases')
  FROM accrue_batch(ARRAY(
    SELECT ROW(m('ben'), 1, 10, 'ben ' || n, NULL, 'pos', jsonb_build_array(jsonb_build_object('amount', 10, 'category', CASE WHEN n % 2 = 1 THEN 'c' || n ELSE 'c1' END)),
               NULL, '{}', NULL, NULL, '2024-03-15 12:00+08')::purchase
      FROM generate_series(1, 2000) n ORDER BY n));
SELECT ok(clock_timestamp() < :'start'::timestamptz + interval '10 s', 'is no matter of minutes, either');

SELECT * FROM finish();
ROLLBACK;
