-- Series of returns: whatever is returned in whatever parts and order, when all is back a member stands as a twin who never bought.
\set tests 77
\ir setup.psql
SELECT open_mall() \gset
\ir spending.psql
\ir refunds.psql
UPDATE contract SET redemption_price = 0.02 WHERE contract_id = 2;
UPDATE contract SET redemption_price = 0.025 WHERE contract_id = 3;
INSERT INTO earn_rule (rule_id, code, name, status, scope, stack_group, effect, value, condition, refund_mode)
VALUES (1, 'half_more', 'Half more', 'draft', 'order', NULL, 'multiplier', 1.5, NULL, 'proportional'), (2, 'bonus', 'Bonus', 'draft', 'order', NULL, 'bonus_points', 37, NULL, 'proportional'),
       (3, 'line_bonus', 'Line bonus', 'draft', 'line', NULL, 'bonus_points', 11, 'line_amount > 80', 'proportional'), (4, 'grow', 'Growth', 'draft', 'order', NULL, 'growth', 1.3, NULL, 'proportional'),
       (5, 'step_400', 'From 400', 'draft', 'order', 'step', 'multiplier', 1.5, 'order_basis >= 400', 'reevaluate'), (6, 'step_500', 'From 500', 'draft', 'order', 'step', 'multiplier', 2, 'order_basis >= 500', 'reevaluate'),
       (7, 'later', 'Later', 'draft', 'order', NULL, 'rate', 1.7, NULL, 'reevaluate');
UPDATE earn_rule SET pending_days = 60 WHERE rule_id = 7;

-- where a member stands: lots with their lives, account, days on which anything is left, what anyone owes, events that wait
CREATE FUNCTION public.standing(name text) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws('; ',
        (SELECT string_agg(format('%s/%s %s to %s', n, held, active_at, expires_at), ', ' ORDER BY expires_at, active_at)
           FROM (SELECT sum(remaining) AS n, sum(l.held) AS held, active_at, expires_at FROM membership.lot l WHERE member_id = public.m(name) GROUP BY active_at, expires_at) l),
        (SELECT format('balance %s held %s debt %s spends %s', balance, held, debt, order_spends) FROM membership.account WHERE member_id = public.m(name)),
        (SELECT string_agg(format('%s: %s %s %s %s %s', day, purchases, basis, points_earned, growth, points_redeemed), ', ' ORDER BY day) FROM membership.activity_day
          WHERE member_id = public.m(name) AND (purchases <> 0 OR basis <> 0 OR points_earned <> 0 OR growth <> 0 OR points_redeemed <> 0)),
        public.owed(name), (SELECT string_agg(v::text, ' ') FROM membership.verify(public.m(name)) v)) $$;
-- two members with the same past: points that die in April, and others; purchases before and after the order's day
CREATE FUNCTION public.past(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.fund(name, 700, '2024-04-01 00:00+08', '2024-01-05 10:00+08');
    PERFORM public.fund(name, 9000, NULL, '2024-01-05 10:00+08');
    PERFORM public.sale(name, name || '-1', 250, merchant => 2, at => '2024-01-10 12:00+08');
END
$$;
CREATE FUNCTION public.later(name text) RETURNS void LANGUAGE sql AS $$ SELECT public.sale(name, name || '-2', 130, merchant => 3, at => '2024-02-05 12:00+08') $$;
SELECT past(name) FROM unnest('{ann,twin}'::text[]) name \g /dev/null
SELECT later('twin') \gset

-- orders that ann makes on 1 February
CREATE TABLE public.shape (shape integer, what text, amount numeric, lines jsonb, points bigint, rules integer[]);
INSERT INTO public.shape VALUES
    (1, 'three shops, points', 588, '[{"amount": 300.00, "merchant_id": 11}, {"amount": 199.90, "merchant_id": 12}, {"amount": 88.10, "merchant_id": 13}]', 2900, '{}'),
    (2, 'three kinds of shop, points', 600, '[{"amount": 100}, {"amount": 200, "merchant_id": 2}, {"amount": 300, "merchant_id": 3}]', 2000, '{}'),
    (3, 'rules of all effects', 588, '[{"amount": 300.00, "merchant_id": 2}, {"amount": 199.90, "merchant_id": 3}, {"amount": 88.10, "eligible": false}]', NULL, '{1,2,3,4}'),
    (4, 'steps and points', 588, '[{"amount": 300.00, "merchant_id": 2}, {"amount": 199.90, "merchant_id": 3}, {"amount": 88.10}]', 500, '{4,5,6}'),
    (5, 'some of it pending', 588, '[{"amount": 300.00, "merchant_id": 2}, {"amount": 199.90, "merchant_id": 3}, {"amount": 88.10}]', 1000, '{2,4,5,7}');
-- buys it, spends so many points, takes it back in these parts (a number: an amount, an array: lines, null: the rest), is given a point
-- or not, and tells what it got and where it stands; undone
CREATE FUNCTION public.series(shape integer, parts jsonb, at timestamptz DEFAULT '2024-02-10 12:00+08',
                              spend bigint DEFAULT 0, touch boolean DEFAULT false)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    o      public.shape;
    part   jsonb;
    r      record;
    n      integer := 0;
    cash   numeric := 0;
    given  bigint := 0;
    taken  bigint := 0;
    said   text;
BEGIN
    SELECT * INTO STRICT o FROM public.shape s WHERE s.shape = series.shape;
    BEGIN
        UPDATE membership.earn_rule SET status = 'active', effective_from = '2024-01-20' WHERE rule_id = ANY (o.rules);
        said := public.sale('ann', 'S', o.amount, o.lines, o.points);
        UPDATE membership.earn_rule SET status = 'ended', effective_from = '2024-02-02' WHERE rule_id = ANY (o.rules);
        PERFORM public.later('ann');
        IF spend > 0 THEN
            PERFORM membership.adjust_points(public.m('ann'), -spend, 'spent', 'A', '2024-02-06 12:00+08');
        END IF;
        FOR part IN SELECT * FROM jsonb_array_elements(parts) LOOP
            n := n + 1;
            SELECT * INTO STRICT r FROM membership.refund_order(1, 'S', 'R-' || n, CASE jsonb_typeof(part) WHEN 'number' THEN part::numeric END,
                                                               CASE jsonb_typeof(part) WHEN 'array' THEN part END, at => series.at);
            cash := cash + r.cash_amount;
            given := given + r.points_restored;
            taken := taken + r.points_clawed;
            IF r.points_forfeited + r.loss + r.debt + r.points_expired + r.cash_shortfall <> 0 THEN
                said := said || ' ' || r::text;
            END IF;
        END LOOP;
        IF touch THEN
            PERFORM public.fund('ann', 1, '2030-01-01', series.at);
        END IF;
        said := format('%s; cash %s restored %s clawed %s; %s', said, cash, given, taken, public.standing('ann'));
        RAISE EXCEPTION USING ERRCODE = 'TAP00';
    EXCEPTION
        WHEN SQLSTATE 'TAP00' THEN RETURN said;
        WHEN OTHERS THEN RETURN concat(said, ' ', SQLSTATE, ' ', SQLERRM);
    END;
END
$$;
-- What each earns. 1 and 2: tenders.sql. 3: basis 499.90 x 1.5 = 749.85, + 37 + 11 + 11. 4: 500 points = 15.00, basis 573.00 x 2.
-- 5: 1,000 points = 30.00, basis 558.00 x 1.7 x 1.5 = 1,422.9, + 37
CREATE TABLE public.came (shape integer, came text);
INSERT INTO public.came VALUES
    (1, 'posted 501; cash 501.00 restored 2900 clawed 501; '), (2, 'posted 540; cash 540.00 restored 2000 clawed 540; '), (3, 'posted 808; cash 588.00 restored 0 clawed 808; '),
    (4, 'posted 1146; cash 573.00 restored 500 clawed 1146; '), (5, 'posted 1459; cash 558.00 restored 1000 clawed 1459; ');

-- all orders of three returns
CREATE FUNCTION public.permuted(a jsonb, b jsonb, c jsonb) RETURNS SETOF jsonb LANGUAGE sql AS $$
    VALUES (jsonb_build_array(a, b, c)), (jsonb_build_array(a, c, b)), (jsonb_build_array(b, a, c)), (jsonb_build_array(b, c, a)), (jsonb_build_array(c, a, b)), (jsonb_build_array(c, b, a)) $$;
SELECT is(series(shape, '[null]'), came || standing('twin'), what || ' at once') FROM shape JOIN came USING (shape);
SELECT is(series(shape, p), came || standing('twin'), format('%s: %s', what, p)) FROM shape JOIN came USING (shape), permuted('33.33', '0.01', to_jsonb(amount - 33.34)) p;
-- lines and an amount, then the rest
SELECT is(series(shape, p || '[null]'), came || standing('twin'), format('%s: %s', what, p)) FROM shape JOIN came USING (shape),
       permuted('[{"line_no": 2, "amount": 99.95}]', '[{"line_no": 1, "amount": 50}, {"line_no": 3, "amount": 44.05}]', '20.02') p;

-- every cent by itself, at the first and the last
INSERT INTO public.shape VALUES (6, 'an order of 0.25', 0.25, '[{"amount": 0.11, "merchant_id": 2}, {"amount": 0.14}]', NULL, '{2,4,5,7}');
-- 0.25 x 1.7 = 0.425: 0, and 37
SELECT is(series(6, (SELECT jsonb_agg(0.01) FROM generate_series(1, 25))), 'posted 37; cash 0.25 restored 0 clawed 37; ' || standing('twin'), 'cent by cent');

-- many orders in many parts: amounts from 50.07 on, points worth up to 15 %, up to nine parts of what is left
CREATE FUNCTION public.parts(k integer, amount numeric) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    result jsonb := '[]';
    part   numeric;
BEGIN
    FOR i IN 1 .. k % 9 LOOP
        part := greatest(round(amount * ((k * 31 + i * 17) % 97) / 97, 2), 0.01);
        EXIT WHEN part >= amount;
        result := result || to_jsonb(part);
        amount := amount - part;
    END LOOP;
    RETURN result || '[null]';
END
$$;
INSERT INTO public.shape
SELECT 100 + k, 'order ' || k, a, jsonb_build_array(jsonb_build_object('amount', a - b - c, 'merchant_id', 2), jsonb_build_object('amount', b, 'merchant_id', 3), jsonb_build_object('amount', c, 'merchant_id', 11 + k % 3, 'eligible', k % 5 <> 0)),
       CASE WHEN k % 4 > 0 THEN nullif(floor(a * 0.15 / 3 / (k % 4)), 0) * 100 END, ARRAY[1, 2, 3, 4, 5, 6, 7]
  FROM generate_series(1, 80) k, LATERAL (SELECT 50.07 + k * 11.39) x (a), LATERAL (SELECT round(a * (k % 7) / 11, 2), round(a * (k % 3) / 9, 2)) y (b, c);
SELECT is(left(string_agg(format('%s: %s', what, s), E'\n'), 1000), NULL, 'eighty orders in up to nine parts')
  FROM shape, LATERAL (SELECT series(shape, parts(shape - 100, amount))) y (s)
 WHERE shape > 100 AND s NOT LIKE '%; ' || standing('twin');
SELECT is(left(string_agg(format('%s: %s', what, s), E'\n'), 1000), NULL, 'and back in forty days, pending points and all') FROM shape, LATERAL (SELECT series(shape, parts(shape - 100, amount), '2024-03-12 12:00+08')) y (s)
 WHERE shape > 100 AND s NOT LIKE '%; ' || standing('twin');

-- when a member is touched again only after points have died, those that were earned, those that paid, and others: a point for both
SAVEPOINT dying;
SELECT past('old') \gset
UPDATE program SET expiry = '30 days';
SELECT later('old') \gset
SELECT fund('old', 1, '2030-01-01', '2024-04-10 12:00+08') \gset
SELECT is(left(string_agg(format('%s: %s', what, s), E'\n'), 1000), NULL, 'after they have died') FROM shape, LATERAL (SELECT series(shape, parts(shape, amount), '2024-04-10 12:00+08', touch => true)) y (s)
 WHERE s NOT LIKE '%; ' || standing('old');
SELECT is(left(string_agg(format('%s: %s', what, s), E'\n'), 1000), NULL, 'of eighty orders') FROM shape, LATERAL (SELECT series(shape, parts(shape - 100, amount), '2024-04-10 12:00+08', touch => true)) y (s)
 WHERE shape > 100 AND s NOT LIKE '%; ' || standing('old');
ROLLBACK TO dying;

-- what was really spent stays spent, of whatever lots: 7,000 points on 6 February, when there were 9,950 - tendered + earned + 130
SELECT is(substring(series(shape, '[100, null]', spend => 7000) FROM 'balance -?\d+'), 'balance ' || balance - 7000, what || ', 7,000 points spent')
  FROM shape, account WHERE shape BETWEEN 1 AND 5 AND shape <> 5 AND member_id = m('twin');
-- all of them, the order's too: the twin has 10,080. 300.00 earn 300, 10,380 are spent: 300 are owed
INSERT INTO public.shape VALUES (7, 'no points', 300, NULL, NULL, '{}');
SELECT is(substring(series(7, '[100, null]', spend => 10380) FROM 'balance -?\d+ held \d+ debt \d+'), 'balance -300 held 0 debt 300', 'even what was earned with the order');
UPDATE program SET clawback = 'within_balance';
SELECT is(substring(series(7, '[100, null]', spend => 10380) FROM 'balance -?\d+ held \d+ debt \d+'), 'balance 0 held 0 debt 0', 'or lost');
SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');

SELECT * FROM finish();
ROLLBACK;
