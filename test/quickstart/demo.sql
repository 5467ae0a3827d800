-- A mall with eight merchants, sixty members and nine months of purchases, the same at every run but for the dates.
CREATE EXTENSION pg_cron;
CREATE EXTENSION membership;
SELECT membership.create_program('Demo mall', 'Asia/Shanghai') \g /dev/null
-- short, so that the demo shows points that expired
UPDATE membership.program SET expiry = '6 months';

INSERT INTO membership.party (party_id, name, kind)
VALUES (11, 'Blue Bird Coffee Ltd', 'merchant'),   (12, 'Lotus Noodles Ltd', 'merchant'), (13, 'Page One Books Ltd', 'merchant'),
       (14, 'Northwind Sports Ltd', 'merchant'),   (15, 'Silk Road Fashion Ltd', 'merchant'), (16, 'Jade & Gold Ltd', 'merchant'),
       (17, 'Galaxy Cinema Ltd', 'merchant'),      (18, 'Harvest Supermarket Ltd', 'merchant');
INSERT INTO membership.merchant (merchant_id, name, code, party_id, category, pending_days)
VALUES (1, 'Blue Bird Coffee', 'F1-01', 11, 'food', NULL),       (2, 'Lotus Noodles', 'F5-03', 12, 'food', NULL),
       (3, 'Page One Books', 'F3-07', 13, 'books', NULL),        (4, 'Northwind Sports', 'F2-11', 14, 'sports', 7),
       (5, 'Silk Road Fashion', 'F2-02', 15, 'fashion', 7),      (6, 'Jade & Gold', 'F1-08', 16, 'jewellery', 14),
       (7, 'Galaxy Cinema', 'F6-01', 17, 'entertainment', NULL), (8, 'Harvest Supermarket', 'B1-01', 18, 'groceries', NULL);
-- the mall's tills take the money of four; all pay commission and a price for each point issued
INSERT INTO membership.contract (contract_id, merchant_id, collects, commission_rate, issue_price)
VALUES (1, 1, 'mall', 0.10, 0.015), (2, 2, 'mall', 0.08, 0.015), (3, 3, 'mall', 0.07, 0.015), (4, 4, 'merchant', 0.06, 0.015),
       (5, 5, 'merchant', 0.08, 0.015), (6, 6, 'merchant', 0.05, 0.02), (7, 7, 'mall', 0.07, 0.015), (8, 8, 'merchant', 0.05, 0.01);

-- an operator may post with times that have passed
CREATE ROLE demo_operator;
CREATE ROLE demo_application;
SELECT membership.grant_access('demo_operator', 'operator'), membership.grant_access('demo_application', 'application') \g /dev/null
SET ROLE demo_operator;
SELECT date_trunc('day', now() AT TIME ZONE 'Asia/Shanghai') - interval '251 days' AS opening \gset

-- members by phone, before the mall's first opening hour
SELECT count(e.created)
  FROM (SELECT n, (timestamp :'opening' + n * interval '1 minute') AT TIME ZONE 'Asia/Shanghai' AS at
          FROM generate_series(1, 60) n ORDER BY n) m
 CROSS JOIN LATERAL membership.enroll_member('phone', (13800138000 + n)::text, birthday => date '1970-01-01' + n * 211,
                                             source => (array['web', 'pos', 'car park'])[n % 3 + 1], at => m.at) e \g /dev/null

-- 3,000 purchases, twelve a day from 10 to 22 o'clock, more by members of low number: up to 150 yuan in most shops,
-- up to 1,800 at the jeweller's
CREATE TEMP TABLE purchase AS
SELECT n, at, merchant_id,
       1 + (59 * power(abs(hashint4(n) % 1000) / 1000.0, 2))::bigint AS member_id,
       round((10 + abs(hashint4(n + 10000) % 14000) / 100.0) * CASE merchant_id WHEN 6 THEN 12 WHEN 5 THEN 3 ELSE 1 END, 2) AS amount
  FROM (SELECT n, 1 + abs(hashint4(n + 20000) % 8) AS merchant_id,
               (timestamp :'opening' + n / 12 * interval '1 day' + interval '10 hours' + n % 12 * interval '1 hour'
                + abs(hashint4(n + 30000) % 60) * interval '1 minute') AT TIME ZONE 'Asia/Shanghai' AS at
          FROM generate_series(1, 3000) n) s;
-- every tenth order is one till slip of two merchants
SELECT count(a.journal_no)
  FROM (SELECT * FROM purchase ORDER BY n) p
 CROSS JOIN LATERAL membership.accrue_points(
       p.member_id, p.merchant_id, p.amount, format('R-%s', to_char(n, 'FM0000')), at => p.at,
       lines => CASE WHEN n % 10 = 0 THEN jsonb_build_array(
           jsonb_build_object('line_no', 1, 'merchant_id', p.merchant_id, 'amount', p.amount - 5),
           jsonb_build_object('line_no', 2, 'merchant_id', p.merchant_id % 8 + 1, 'amount', 5)) END) a \g /dev/null
-- an apology
SELECT membership.grant_points(1, 500, 'escalator out of order', 'sorry-1', at => now()) \g /dev/null
-- a lunch that points help to pay for, and goods that come back
SELECT membership.redeem_points(1, 100, 'lunch-1', merchant_id => 2, order_amount => 30, at => now()) \g /dev/null
SELECT membership.refund_order(merchant_id, 'R-2994', 'back-1', at => now()) FROM purchase WHERE n = 2994 \g /dev/null
RESET ROLE;
ANALYZE;
