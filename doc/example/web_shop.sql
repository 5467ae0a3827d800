-- A web shop whose sales earn points by a trigger, from nothing. Run it as a superuser in an empty database:
--   psql -d DATABASE -f doc/example/web_shop.sql
-- doc/web-shop.md explains it.
\set ON_ERROR_STOP on

-- ------------------------------------------------------------------ the programme

CREATE EXTENSION membership;
SELECT membership.create_program('Riverside Mall Club', 'Asia/Shanghai');
INSERT INTO membership.party (party_id, name, kind) VALUES (2, 'Riverside Books Ltd', 'merchant');
INSERT INTO membership.merchant (merchant_id, name, party_id) VALUES (1, 'Riverside Books online', 2);

-- the shop's application logs in as this role
CREATE ROLE web_shop_app LOGIN;
SELECT membership.grant_access('web_shop_app', 'application');

-- ------------------------------------------------------------------ the shop's own tables

CREATE SCHEMA web_shop;
GRANT USAGE ON SCHEMA web_shop TO web_shop_app;

CREATE TABLE web_shop.customer (
    customer_id integer PRIMARY KEY,
    email       text    NOT NULL UNIQUE,
    member_id   bigint               -- NULL until they join the club
);
CREATE TABLE web_shop.orders (
    order_no    text    PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES web_shop.customer
);
-- One row when the money of an order has arrived.
CREATE TABLE web_shop.payment (
    order_no  text           PRIMARY KEY REFERENCES web_shop.orders,
    branch    integer        NOT NULL DEFAULT 1,
    total     numeric(10, 2) NOT NULL,
    paid_at   timestamp      NOT NULL, -- the shop's local time
    member_id bigint
);
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA web_shop TO web_shop_app;

-- A payment notes whose it is.
CREATE FUNCTION web_shop.note_member() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.member_id := (SELECT c.member_id FROM web_shop.orders o JOIN web_shop.customer c USING (customer_id)
                       WHERE o.order_no = NEW.order_no);
    RETURN NEW;
END
$$;
CREATE TRIGGER note_member BEFORE INSERT ON web_shop.payment
    FOR EACH ROW EXECUTE FUNCTION web_shop.note_member();

-- Every payment of a member earns.
CREATE TRIGGER earn_points AFTER INSERT ON web_shop.payment
    REFERENCING NEW TABLE AS paid FOR EACH STATEMENT
    EXECUTE FUNCTION membership.accrue_trigger(
        'member_id=member_id', 'merchant_id=branch', 'amount=total', 'order_ref=order_no',
        'occurred_at=paid_at', 'on_error=log');

-- ------------------------------------------------------------------ a day in the shop

SET ROLE web_shop_app;

-- Ann joins the club; Bob does not.
INSERT INTO web_shop.customer (customer_id, email) VALUES (1, 'ann@example.com'), (2, 'bob@example.com');
UPDATE web_shop.customer
   SET member_id = (SELECT e.member_id FROM membership.enroll_member('email', 'ann@example.com', channel => 'web') e)
 WHERE customer_id = 1;

INSERT INTO web_shop.orders (order_no, customer_id) VALUES ('W-1', 1), ('W-2', 2), ('W-3', 1), ('W-4', 1), ('W-5', 1);

-- Ann's 199.90 earn 199 points, Bob's order nobody's.
INSERT INTO web_shop.payment (order_no, total, paid_at)
VALUES ('W-1', 199.90, now() AT TIME ZONE 'Asia/Shanghai'),
       ('W-2', 80.00, now() AT TIME ZONE 'Asia/Shanghai');

-- A payment that is rolled back earns nothing.
BEGIN;
INSERT INTO web_shop.payment (order_no, total, paid_at) VALUES ('W-3', 500, now() AT TIME ZONE 'Asia/Shanghai');
ROLLBACK;

-- Branch 7 is not known to the club yet: the sale is kept, its points wait.
INSERT INTO web_shop.payment (order_no, branch, total, paid_at)
VALUES ('W-4', 1, 20.50, now() AT TIME ZONE 'Asia/Shanghai'),
       ('W-5', 7, 60.00, now() AT TIME ZONE 'Asia/Shanghai');

-- 199 + 20
SELECT balance FROM membership.member_balance WHERE member_id = membership.find_member('email', 'ann@example.com');

-- ------------------------------------------------------------------ what was left over

RESET ROLE;
SELECT source, purchase ->> 'order_ref' AS order_ref, sqlstate, message FROM membership.accrual_error;
INSERT INTO membership.merchant (merchant_id, name, party_id) VALUES (7, 'Riverside Books, branch 7', 2);
SELECT posted, failed FROM membership.retry_accrual_errors();

-- 199 + 20 + 60
SELECT order_ref, points, balance_after
  FROM membership.member_statement
 WHERE member_id = membership.find_member('email', 'ann@example.com') AND verb = 'accrual'
 ORDER BY journal_no;
