-- A bookshop's till and a car park where points pay, from nothing. Run it as a superuser in an empty database:
--   psql -d DATABASE -f doc/example/checkout.sql
-- doc/checkout.md explains it; checkout.py and checkout.js sell at this till.
\set ON_ERROR_STOP on

-- ------------------------------------------------------------------ the programme

CREATE EXTENSION membership;
SELECT membership.create_program('Riverside Mall Club', 'Asia/Shanghai');
INSERT INTO membership.party (party_id, name, kind) VALUES (2, 'Riverside Books Ltd', 'merchant');
INSERT INTO membership.merchant (merchant_id, name, party_id) VALUES (1, 'Riverside Books', 2), (2, 'Car park', 1);
-- the bookshop takes its money itself; the mall pays it 0.025 for each point it accepts
INSERT INTO membership.contract (contract_id, merchant_id, collects, commission_rate, redemption_price)
VALUES (1, 1, 'merchant', 0.08, 0.025);

-- the preset lets 100 points pay 3.00, up to 15 % of an order; besides:
INSERT INTO membership.burn_rule (burn_rule_id, code, name, status, purpose, merchant_ids, step, value, minimum)
VALUES (2, 'tote_bag', 'Tote bag 帆布袋', 'active', 'item', '{1}', 1000, 50, 1000);
INSERT INTO membership.burn_rule (burn_rule_id, code, name, status, purpose, merchant_ids, step, value, daily_cap)
VALUES (3, 'parking', 'An hour of parking 停车', 'active', 'parking', '{2}', 200, 10, 6000);

-- the till's application logs in as this role
CREATE ROLE till_app LOGIN;
SELECT membership.grant_access('till_app', 'application');

-- ------------------------------------------------------------------ the shop's own table

CREATE SCHEMA till;
GRANT USAGE ON SCHEMA till TO till_app;
CREATE TABLE till.sale (
    order_no  text           PRIMARY KEY,
    member_id bigint         NOT NULL,
    total     numeric(10, 2) NOT NULL,
    points    bigint         NOT NULL, -- that paid for it
    cash      numeric(10, 2) NOT NULL  -- the rest
);
GRANT SELECT, INSERT ON till.sale TO till_app;

-- Ann has 10,000 points.
SELECT e.member_id AS ann FROM membership.enroll_member('email', 'ann@example.com') e \gset
SELECT balance FROM membership.grant_points(:ann, 10000, 'welcome', 'welcome-1');

SET ROLE till_app;

-- ------------------------------------------------------------------ points and cash for an item

-- A tote bag costs 88.00, or 1,000 points and 38.00; the 38.00 earn.
BEGIN;
SELECT points, cash_value FROM membership.redeem_points(:ann, 1000, 'bag-1', merchant_id => 1, order_ref => 'bag-1',
                                                             order_amount => 88.00, purpose => 'item');
INSERT INTO till.sale VALUES ('bag-1', :ann, 88.00, 1000, 38.00);
SELECT points, balance FROM membership.accrue_points(:ann, 1, 88.00, 'bag-1');
COMMIT;

-- ------------------------------------------------------------------ points for a parking fee

-- The barrier opens: at most five hours will be paid with points.
SELECT balance FROM membership.authorize_points(:ann, 1000, 'ticket-1', ttl => '24 hours', merchant_id => 2, purpose => 'parking');
SELECT balance, available FROM membership.member_balance WHERE member_id = :ann;

-- It was three hours, 30.00.
SELECT points, balance FROM membership.capture_points(:ann, 'ticket-1', 600);

-- ------------------------------------------------------------------ the rest is paid by card

-- While the card is being asked nobody else can spend the points.
SELECT max_points, cash_value, limited_by FROM membership.quote_redemption(:ann, 120.00, merchant_id => 1, order_ref => 'card-1');
SELECT balance FROM membership.authorize_points(:ann, 600, 'card-1', merchant_id => 1, order_ref => 'card-1', order_amount => 120.00);

-- The card pays 102.00. The accrual captures the hold.
BEGIN;
INSERT INTO till.sale VALUES ('card-1', :ann, 120.00, 600, 102.00);
SELECT points, balance FROM membership.accrue_points(:ann, 1, 120.00, 'card-1', tenders => '[{"kind": "points", "hold_ref": "card-1"}]');
COMMIT;

-- Another card pays nothing: the points are free again.
SELECT balance FROM membership.authorize_points(:ann, 600, 'card-2', merchant_id => 1, order_ref => 'card-2', order_amount => 120.00);
SELECT points, balance FROM membership.void_points(:ann, 'card-2');

-- ------------------------------------------------------------------ what it comes to

RESET ROLE;
SELECT purpose, redemptions, points, cash_value FROM membership.redemption_daily ORDER BY purpose;
-- the mall owes the bookshop 1,000 + 600 points of 0.025
SELECT kind, amount, points FROM membership.merchant_unsettled WHERE merchant_id = 1 AND kind = 'points_redeemed';
