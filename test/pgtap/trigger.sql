-- accrue_trigger on somebody else's order table, and retry_accrual_errors.
\set tests 61
\ir setup.psql
SELECT open_mall() \gset
SELECT enrol('ann', '2024-01-01 10:00+08'), enrol('bob', '2024-01-01 10:00+08') \gset
CREATE ROLE t_shop;
CREATE ROLE t_stranger;
SELECT grant_access('t_shop', 'application') \gset
CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO t_shop, t_stranger;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO t_shop, t_stranger;

-- the columns have the types that applications have
CREATE TABLE shop.orders (
    id       integer,
    note     text,
    buyer_id integer,
    shop     smallint NOT NULL DEFAULT 1,
    total    numeric(10, 2),
    bought   timestamp,
    items    json,
    gone     text
);
ALTER TABLE shop.orders DROP COLUMN gone;
GRANT INSERT, SELECT, UPDATE, DELETE ON shop.orders TO t_shop, t_stranger;

-- (order_ref, points) of a member's purchases, in order
CREATE FUNCTION public.purchases_of(name text) RETURNS text[]
LANGUAGE sql AS $$
    SELECT coalesce(array_agg(format('%s:%s', order_ref, points) ORDER BY journal_no), '{}')
      FROM membership.journal WHERE member_id = m(name) AND verb = 'accrual'
$$;

-- ------------------------------------------------------------------ for each row

CREATE TRIGGER earn AFTER INSERT ON shop.orders FOR EACH ROW
    EXECUTE FUNCTION membership.accrue_trigger('member_id=buyer_id', 'merchant_id=shop', 'amount=total', 'order_ref=id', 'occurred_at=bought', 'lines=items');
SET LOCAL ROLE t_shop;
INSERT INTO shop.orders (id, buyer_id, total) VALUES (1, m('ann'), 100.99), (2, NULL, 50), (3, m('bob'), 20);
RESET ROLE;
SELECT is(purchases_of('ann') || purchases_of('bob'), '{1:100,3:20}', 'purchases are posted, a guest is skipped');
SELECT is(ROW(actor, channel, merchant_id, amount)::text, '(t_shop,pos,1,100.99)', 'by the role that inserts') FROM journal WHERE member_id = m('ann') AND verb = 'accrual';
INSERT INTO shop.orders (id, buyer_id, shop, total, items)
VALUES (4, m('ann'), 2, 30, '[{"amount": 10, "merchant_id": 2}, {"amount": 20, "merchant_id": 3}]');
SELECT is(array_agg(ROW(merchant_id, kind, amount)::text ORDER BY split_no),
          -- the mall collects for 2 at 5 % commission: 0.50; 3 collects itself, 8 % of 20: 1.60; points 10 x 0.01 and 20 x 0.02
          '{"(2,sale,10.00)","(2,commission,0.50)","(3,commission,1.60)","(2,points_issued,0.10)","(3,points_issued,0.40)"}', 'lines are read from json')
  FROM merchant_split WHERE member_id = m('ann') AND journal_no = 3;
-- 2024-03-01 00:30 in Shanghai is 16:30 of the day before in UTC
INSERT INTO shop.orders (id, buyer_id, total, bought) VALUES (5, m('ann'), 7, '2024-03-01 00:30');
SELECT is(ROW(occurred_at, day)::text, '("2024-02-29 16:30:00+00",2024-03-01)', 'a timestamp without zone is programme time') FROM journal WHERE member_id = m('ann') AND order_ref = '5';
INSERT INTO shop.orders (id, buyer_id, total) VALUES (1, m('ann'), 100.99);
SELECT is(purchases_of('ann'), '{1:100,4:30,5:0}', 'the same order delivered again is harmless');  -- 5 came late and is under review
SELECT is(count(*), 2::bigint, 'for the application too') FROM shop.orders WHERE id = 1;
SELECT throws_ok(format('INSERT INTO shop.orders (id, buyer_id, total) VALUES (1, %s, 99)', m('ann')), 'MB201', NULL, 'but not with another amount');
SELECT throws_ok(format('INSERT INTO shop.orders (id, buyer_id, total) VALUES (1, %s, 100.99)', m('bob')), 'MB202', NULL, 'nor for another member');
SELECT throws_ok(format('INSERT INTO shop.orders (id, buyer_id, total) VALUES (6, %s, 10), (7, %s, -1), (8, %s, 10)', m('ann'), m('ann'), m('ann')), '22023', NULL,
                 'one purchase that cannot be posted fails the statement');
SELECT is(count(*), 0::bigint, 'and all its sales') FROM shop.orders WHERE id IN (6, 7, 8);
SELECT is(purchases_of('ann'), '{1:100,4:30,5:0}', 'and their points');
SELECT throws_ok('INSERT INTO shop.orders (id, buyer_id, total) VALUES (6, 999999999, 10)', 'MB002', NULL, 'an unknown member');
SELECT throws_ok(format('INSERT INTO shop.orders (id, buyer_id, total) VALUES (NULL, %s, 10)', m('ann')), '22004', NULL, 'an order without number');
SAVEPOINT sale;
INSERT INTO shop.orders (id, buyer_id, total) VALUES (9, m('ann'), 10);
ROLLBACK TO sale;
SELECT is(purchases_of('ann'), '{1:100,4:30,5:0}', 'a sale rolled back leaves nothing');
SELECT lives_ok('INSERT INTO shop.orders SELECT FROM generate_series(1, 0)', 'no rows');

-- rights are those of the role that inserts, when it does
SET LOCAL ROLE t_stranger;
SELECT throws_ok('INSERT INTO shop.orders (id, buyer_id, total) VALUES (10, 1, 10)', '42501', 'role "t_stranger" may not accrue points', 'a role without right cannot earn by inserting');
RESET ROLE;
SELECT grant_access('t_stranger', 'application') \gset
SET LOCAL ROLE t_stranger;
SELECT lives_ok('INSERT INTO shop.orders (id, buyer_id, total) VALUES (10, 1, 10)', 'once granted it can');
RESET ROLE;
SELECT revoke_access('t_stranger', 'application') \gset
SET LOCAL ROLE t_stranger;
SELECT throws_ok('INSERT INTO shop.orders (id, buyer_id, total) VALUES (11, 1, 10)', '42501', NULL, 'once revoked it cannot');
RESET ROLE;
-- a function of somebody with the right lends it, as for everything else
CREATE FUNCTION shop.sell(id integer, buyer bigint, total numeric) RETURNS void LANGUAGE sql SECURITY DEFINER
    AS 'INSERT INTO shop.orders (id, buyer_id, total) VALUES ($1, $2, $3)';
ALTER FUNCTION shop.sell OWNER TO t_shop;
SET LOCAL ROLE t_stranger;
SELECT shop.sell(11, m, 3) FROM (SELECT 1 AS m) x \gset
RESET ROLE;
SELECT is(actor, 't_shop', 'a SECURITY DEFINER function inserts as its owner') FROM journal WHERE order_ref = '11';

-- ------------------------------------------------------------------ on_error=log

DROP TRIGGER earn ON shop.orders;
CREATE TRIGGER earn AFTER INSERT ON shop.orders FOR EACH ROW
    EXECUTE FUNCTION membership.accrue_trigger('member_id=buyer_id', 'merchant_id=shop', 'amount=total', 'order_ref=id', 'on_error=log');
SET LOCAL ROLE t_shop;
INSERT INTO shop.orders (id, buyer_id, shop, total) VALUES (20, m('bob'), 1, 10), (21, m('bob'), 9, 11), (22, m('bob'), 1, 12), (1, m('ann'), 1, 99);
RESET ROLE;
SELECT is(count(*), 4::bigint, 'on_error=log keeps every sale') FROM shop.orders WHERE id IN (20, 21, 22) OR total = 99;
SELECT is(purchases_of('bob'), '{3:20,20:10,22:12}', 'posts what it can');
SELECT is(array_agg(ROW(source, purchase ->> 'order_ref', sqlstate, message, attempts)::text ORDER BY recorded_at),
          '{"(orders,21,MB003,\"merchant 9 does not exist\",1)","(orders,1,MB201,\"order_ref \"\"1\"\" was used before with other content\",1)"}', 'and records the rest')
  FROM accrual_error;
SET LOCAL ROLE t_stranger;
SELECT throws_ok('INSERT INTO shop.orders (id, buyer_id, total) VALUES (10, 1, 10)', '42501', NULL, 'a role without right is refused all the same');
RESET ROLE;

-- retry
SELECT is(ROW(posted, failed)::text, '(0,2)', 'retried too early, both fail again') FROM retry_accrual_errors();
SELECT is(array_agg(attempts), '{2,2}', 'which is counted') FROM accrual_error;
INSERT INTO merchant (merchant_id, name) VALUES (9, 'New shop');
SELECT is(ROW(posted, failed)::text, '(1,1)', 'once the shop is known one is posted') FROM retry_accrual_errors();
SELECT is(purchases_of('bob'), '{3:20,20:10,22:12,21:11}', 'to its member');
SELECT is(array_agg(ROW(purchase ->> 'order_ref', sqlstate, attempts)::text), '{"(1,MB201,3)"}', 'the other stays') FROM accrual_error;
SET LOCAL ROLE t_shop;
SELECT throws_ok('SELECT membership.retry_accrual_errors()', '42501', NULL, 'retrying is for operators');
RESET ROLE;
DELETE FROM accrual_error;
SELECT is(ROW(posted, failed)::text, '(0,0)', 'nothing to retry') FROM retry_accrual_errors();

-- ------------------------------------------------------------------ for each statement

DROP TRIGGER earn ON shop.orders;
CREATE TRIGGER earn AFTER INSERT ON shop.orders REFERENCING NEW TABLE AS sold FOR EACH STATEMENT
    EXECUTE FUNCTION membership.accrue_trigger('member_id=buyer_id', 'merchant_id=shop', 'amount=total', 'order_ref=id', 'occurred_at=bought');
-- others read the same rows, before and after
CREATE TABLE shop.turnover (who text, orders bigint, total numeric);
CREATE FUNCTION shop.note_turnover() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO shop.turnover SELECT TG_NAME, count(*), sum(total) FROM inserted;
    RETURN NULL;
END
$$;
CREATE TRIGGER a_before_earn AFTER INSERT ON shop.orders REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION shop.note_turnover();
CREATE TRIGGER z_after_earn AFTER INSERT ON shop.orders REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION shop.note_turnover();
SET LOCAL ROLE t_shop;
INSERT INTO shop.orders (id, buyer_id, total) VALUES (30, m('bob'), 1), (31, NULL, 2), (32, m('ann'), 3), (33, m('bob'), 4), (30, m('bob'), 1);
RESET ROLE;
SELECT is(purchases_of('bob'), '{3:20,20:10,22:12,21:11,30:1,33:4}', 'a statement''s purchases are posted together, a repeated one once');
SELECT is(array_agg(ROW(who, orders, total)::text ORDER BY who), '{"(a_before_earn,5,11.00)","(z_after_earn,5,11.00)"}', 'other triggers read the same transition table')
  FROM shop.turnover;
INSERT INTO shop.orders (id, buyer_id, total) SELECT i, m('bob'), 1 FROM generate_series(1001, 3500) i;
SELECT is(ROW(count(*), sum(points), max(journal_no) - min(journal_no) + 1)::text, '(2500,2500,2500)', 'more than one chunk of 1,000') FROM journal WHERE order_ref ~ '^[0-9]{4}$';
SELECT is(orders, 2500::bigint, 'and still all of it for the others') FROM shop.turnover WHERE who = 'z_after_earn' AND total > 11;
SELECT throws_ok(format('INSERT INTO shop.orders (id, buyer_id, total) VALUES (40, %s, 1), (41, %s, -1)', m('bob'), m('bob')), '22023', NULL, 'one purchase that cannot be posted fails the statement');
SELECT is(count(*), 0::bigint, 'and all its sales and points') FROM (SELECT FROM shop.orders WHERE id IN (40, 41) UNION ALL SELECT FROM journal WHERE order_ref IN ('40', '41')) x;
SELECT lives_ok('INSERT INTO shop.orders SELECT FROM generate_series(1, 0)', 'no rows');
INSERT INTO shop.orders (id, buyer_id, total, bought) VALUES (42, m('ann'), 7, '2024-03-01 00:30');
SELECT is(day, '2024-03-01'::date, 'a timestamp without zone is programme time') FROM journal WHERE order_ref = '42';
SET LOCAL ROLE t_stranger;
SELECT throws_ok('INSERT INTO shop.orders (id, buyer_id, total) VALUES (43, 1, 10)', '42501', NULL, 'a role without right is refused');
RESET ROLE;
DROP TRIGGER earn ON shop.orders;
CREATE TRIGGER earn AFTER INSERT ON shop.orders REFERENCING NEW TABLE AS sold FOR EACH STATEMENT
    EXECUTE FUNCTION membership.accrue_trigger('on_error=log', 'order_ref=id', 'amount=total', 'merchant_id=shop', 'member_id=buyer_id');
INSERT INTO shop.orders (id, buyer_id, shop, total) VALUES (50, m('bob'), 1, 5), (51, m('bob'), 8, 6), (52, m('ann'), 1, 7);
SELECT is(count(*), 3::bigint, 'on_error=log keeps the sales') FROM shop.orders WHERE id IN (50, 51, 52);
SELECT is(array_agg(points ORDER BY order_ref), '{5,7}', 'posts what it can') FROM journal WHERE order_ref IN ('50', '51', '52');
SELECT is(array_agg(ROW(purchase ->> 'order_ref', sqlstate)::text), '{"(51,MB003)"}', 'and records the rest') FROM accrual_error;

-- ------------------------------------------------------------------ triggers that cannot be

CREATE TABLE shop.misfit (id uuid, buyer bigint, shop integer, total numeric, at text, paid boolean, doc jsonb);
CREATE VIEW shop.misfit_view AS SELECT * FROM shop.misfit;
-- What an INSERT of one row says when the trigger is made so; the row has no member.
CREATE FUNCTION public.with_trigger(kind text, arguments text, statement text DEFAULT 'INSERT INTO shop.misfit (total) VALUES (1)', relation text DEFAULT 'shop.misfit') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    state text;
    message text;
BEGIN
    EXECUTE format('CREATE TRIGGER misfit %s EXECUTE FUNCTION membership.accrue_trigger(%s)', replace(kind, 'ON TABLE', 'ON ' || relation), arguments);
    EXECUTE statement;
    RAISE EXCEPTION 'nothing';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
\set good '''member_id=buyer'', ''merchant_id=shop'', ''amount=total'', ''order_ref=id'''
SELECT is(with_trigger('AFTER INSERT ON TABLE FOR EACH ROW', format('%s', a)), message, message)
  FROM (VALUES
    ($$'member_id=buyer', 'merchant_id=shop', 'amount=totl', 'order_ref=id'$$, '42703 column "totl" of "misfit" does not exist'),
    ($$'member_id=buyer', 'merchant_id=shop', 'amount', 'order_ref=id'$$, '42703 column "" of "misfit" does not exist'),
    ($$'member_id=buyer', 'merchant_id=shop', 'amount=ctid', 'order_ref=id'$$, '42703 column "ctid" of "misfit" does not exist'),
    ($$'member_id=buyer', 'merchant_id=shop', 'amount=paid', 'order_ref=id'$$, '42804 column "paid" has type boolean and cannot be amount'),
    ($$'member_id=buyer', 'merchant_id=shop', 'amount=total', 'order_ref=id', 'occurred_at=at'$$, '42804 column "at" has type text and cannot be occurred_at'),
    ($$'member_id=buyer', 'merchant_id=shop', 'order_ref=id'$$, '22023 trigger has no column for amount'),
    ($$$$, '22023 trigger has no column for member_id'),
    ($$'member_id=buyer', 'merchant_id=shop', 'amount=total', 'order_ref=id', 'colour=red'$$, '22023 trigger argument "colour=red" is not known'),
    ($$'member_id=buyer', 'merchant_id=shop', 'amount=total', 'order_ref=id', 'on_error=ignore'$$, '22023 trigger argument "on_error=ignore" is not known'),
    ($$'member_id=buyer', 'merchant_id=shop', 'amount=total', 'order_ref=id', 'attributes=doc'$$, 'P0001 nothing')) v (a, message);
SELECT is(with_trigger(kind, :'good', statement, relation), message, coalesce(label, message))
  FROM (VALUES
    ('BEFORE INSERT ON TABLE FOR EACH ROW', 'INSERT INTO shop.misfit (total) VALUES (1)', 'shop.misfit', '39P01 accrue_trigger serves AFTER INSERT only', 'BEFORE INSERT'),
    ('AFTER UPDATE ON TABLE FOR EACH ROW', 'INSERT INTO shop.misfit (total) VALUES (1); UPDATE shop.misfit SET total = 2', 'shop.misfit', '39P01 accrue_trigger serves AFTER INSERT only', 'AFTER UPDATE'),
    ('AFTER DELETE ON TABLE FOR EACH ROW', 'INSERT INTO shop.misfit (total) VALUES (1); DELETE FROM shop.misfit', 'shop.misfit', '39P01 accrue_trigger serves AFTER INSERT only', 'AFTER DELETE'),
    ('AFTER INSERT OR UPDATE ON TABLE FOR EACH ROW', 'INSERT INTO shop.misfit (total) VALUES (1); UPDATE shop.misfit SET total = 2', 'shop.misfit', '39P01 accrue_trigger serves AFTER INSERT only', 'AFTER INSERT OR UPDATE, at the UPDATE'),
    ('AFTER TRUNCATE ON TABLE FOR EACH STATEMENT', 'TRUNCATE shop.misfit', 'shop.misfit', '39P01 accrue_trigger serves AFTER INSERT only', 'AFTER TRUNCATE'),
    ('AFTER UPDATE ON TABLE REFERENCING NEW TABLE AS n FOR EACH STATEMENT', 'UPDATE shop.misfit SET total = 2', 'shop.misfit', '39P01 accrue_trigger serves AFTER INSERT only', 'AFTER UPDATE FOR EACH STATEMENT'),
    ('INSTEAD OF INSERT ON TABLE FOR EACH ROW', 'INSERT INTO shop.misfit_view (total) VALUES (1)', 'shop.misfit_view', '39P01 accrue_trigger serves AFTER INSERT only', 'INSTEAD OF INSERT'),
    ('AFTER INSERT ON TABLE FOR EACH STATEMENT', 'INSERT INTO shop.misfit (total) VALUES (1)', 'shop.misfit', '39P01 accrue_trigger for each statement needs a transition table', NULL))
    v (kind, statement, relation, message, label);

SELECT is(ARRAY(SELECT v::text FROM verify() v), '{}', 'all of it is sound');
SELECT * FROM finish();
ROLLBACK;
