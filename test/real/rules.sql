-- The campaigns of the second run: what expected_rules.sql works out from the file alone.
INSERT INTO membership.earn_rule (rule_id, code, name, status, stack_group, effect, value, valid_during, channels, condition)
VALUES (1, 'step_200', 'From 200', 'active', 'step', 'multiplier', 1.5, '(,)', NULL, 'order_basis >= 200'),
       (2, 'step_600', 'From 600', 'active', 'step', 'multiplier', 2, '(,)', NULL, 'order_amount >= 600'),
       (3, 'summer', 'July and August', 'active', NULL, 'multiplier', 1.2, '(,)', NULL, 'month IN (7, 8)'),
       (4, 'thursday', 'Thursday morning', 'active', NULL, 'multiplier', 1.25, '(,)', NULL, 'weekday = 4 AND hour < 12'),
       (5, 'welcome', 'First purchase', 'active', NULL, 'bonus_points', 100, '(,)', NULL, 'first_purchase'),
       (6, 'come_back', 'After 90 days', 'active', NULL, 'bonus_points', 50, '(,)', NULL, 'days_since_purchase >= 90'),
       (7, 'fifth', 'Every fifth of a month', 'active', NULL, 'bonus_points', 25, '(,)', NULL, '(orders_month + 1) % 5 = 0'),
       (8, 'loyal', '2,000 in twelve months', 'active', NULL, 'rate', 1.2, '(,)', NULL, 'basis_12m >= 2000'),
       (9, 'channel', 'Germany and France', 'active', NULL, 'multiplier', 1.3, '(,)', '{Germany,France}', NULL),
       (10, 'ireland', 'Ireland', 'active', NULL, 'bonus_points', 10, '(,)', NULL, 'order_attributes ->> ''country'' = ''EIRE'''),
       (11, 'advent', 'Advent', 'active', NULL, 'multiplier', 1.75, '[2010-11-28, 2010-12-24)', NULL, NULL),
       (12, 'growth', 'Growth', 'active', NULL, 'growth', 0.5, '(,)', NULL, NULL),
       (13, 'growth_late', 'Growth from 15:00', 'active', NULL, 'growth', 0.25, '(,)', NULL, 'time_of_day >= ''15:00''');
