-- :rules active rules, of which :matching are for merchant 1 and the others for 99 other merchants.
\set ON_ERROR_STOP on
INSERT INTO membership.merchant (merchant_id, name) SELECT n, 'Shop ' || n FROM generate_series(2, 100) n ON CONFLICT DO NOTHING;
UPDATE membership.member SET tags = ARRAY['mother'] WHERE member_id % 5 = 0;
UPDATE membership.member SET birthday = date '1990-01-01' + member_id::integer % 365;

INSERT INTO membership.earn_rule (rule_id, code, name, status, stack_group, merchant_ids, effect, value, condition)
SELECT n + 1, 'rule_' || n + 1, 'Rule ' || n + 1, 'active', stack_group, ARRAY[CASE WHEN n < :matching THEN 1 ELSE 2 + n % 99 END],
       effect, value, format(condition, k, k % 7 + 1)
  FROM generate_series(0, :rules - 1) n
 CROSS JOIN LATERAL (SELECT n / 10 AS k) x
  JOIN (VALUES
    (0, 'step',   'multiplier',   1.5,  'order_basis >= 88 + 20 * %s'),
    (1, 'day',    'multiplier',   2,    'weekday = %2$s AND hour BETWEEN 10 AND 21'),
    (2, NULL,     'bonus_points', 100,  'birthday_month AND day > %s'),
    (3, 'family', 'multiplier',   1.2,  'tags && ARRAY[''mother'', ''baby''] AND order_basis >= %s'),
    (4, 'often',  'bonus_points', 50,   'orders_month >= 3 + %s'),
    (5, NULL,     'bonus_points', 200,  'days_since_purchase > 90 + %s'),
    (6, 'app',    'multiplier',   1.1,  'channel = ''app'' AND order_basis >= 50 + %s'),
    (7, 'tier',   'multiplier',   1.25, 'tier_rank >= 2 AND month = 1 + %s %% 12'),
    (8, NULL,     'bonus_points', 20,   'member_days < %s'),
    (9, 'growth', 'growth',       1,    'order_basis >= 10 * %s')) kind (kind, stack_group, effect, value, condition)
    ON kind.kind = n % 10
 ORDER BY n;
VACUUM ANALYZE;
