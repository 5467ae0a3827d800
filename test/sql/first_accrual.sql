-- The README's first accrual, statement by statement; test/lint compares the two.
SET client_min_messages = warning;
-- README begins
CREATE EXTENSION membership;
SELECT membership.create_program('Demo mall', 'Asia/Shanghai');
INSERT INTO membership.merchant (merchant_id, name) VALUES (101, 'Café'), (102, 'Book shop');
SELECT member_id, created FROM membership.enroll_member('phone', '138 0013 8000');
SELECT points, balance, tier FROM membership.accrue_points(1, 101, 199.99, 'R-0001');
SELECT points, balance, duplicate FROM membership.accrue_points(1, 101, 199.99, 'R-0001');
SELECT points, tier, tier_changed FROM membership.accrue_points(1, 102, 5000.00, 'R-0002');
SELECT points, base_points, bonus_points FROM membership.accrue_points(1, 101, 100.00, 'R-0003');
SELECT balance, available, pending, debt FROM membership.member_balance WHERE member_id = 1;
SELECT * FROM membership.verify();
-- README ends
DROP EXTENSION membership CASCADE;
DROP SCHEMA membership CASCADE;
