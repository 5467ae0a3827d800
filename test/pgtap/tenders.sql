-- Points as tenders of orders: redeemed or held before, captured or redeemed in the call; lines, basis, splits, batches.
\set tests 136
\ir setup.psql
SELECT open_mall() \gset
\ir spending.psql
INSERT INTO party (party_id, name, kind) SELECT n, 'Shop ' || n, 'merchant' FROM generate_series(11, 13) n;
INSERT INTO merchant (merchant_id, name, party_id) SELECT n, 'Shop ' || n, n FROM generate_series(11, 13) n;
INSERT INTO contract (contract_id, merchant_id, collects, commission_rate, redemption_price)
VALUES (11, 11, 'mall', 0.10, 0.03), (12, 12, 'mall', 0.08, 0.03), (13, 13, 'mall', 0.05, 0.03);

-- what an order came to: points of basis; of each line basis/points, and what points paid of it; the splits; the events
CREATE FUNCTION public.came_to(name text, ref text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('%s of %s; %s; %s; %s', j.points, j.basis,
                  (SELECT string_agg(format('%s/%s%s', l ->> 'basis', l ->> 'points', ' ' || (l ->> 'tendered') || '/' || (l ->> 'points_tendered')), ', ' ORDER BY (l ->> 'line_no')::integer) FROM jsonb_array_elements(j.lines) l),
                  public.splits(name, j.journal_no), public.story(name, 3))
      FROM membership.journal j WHERE j.member_id = public.m(name) AND j.verb = 'accrual' AND j.order_ref = ref
$$;
-- an order of 588.00 over three shops that ann pays so, after that; undone
CREATE FUNCTION public.way(tenders text, before text DEFAULT 'SELECT 1') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    BEGIN
        EXECUTE before;
        PERFORM membership.accrue_points(public.m('ann'), 11, 588, 'A-1', tenders => tenders::jsonb, at => '2024-02-01 13:00+08',
            lines => '[{"amount": 300.00}, {"amount": 199.90, "merchant_id": 12}, {"amount": 88.10, "merchant_id": 13}]');
        result := public.came_to('ann', 'A-1');
        IF EXISTS (SELECT FROM membership.verify()) OR (SELECT held <> 0 FROM membership.account WHERE member_id = public.m('ann')) THEN
            result := 'unsound ' || (SELECT string_agg(v::text, ' ') FROM membership.verify() v);
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'TAP00';
    EXCEPTION
        WHEN SQLSTATE 'TAP00' THEN RETURN result;
        WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
    END;
END
$$;
CREATE FUNCTION public.redeem(points bigint, ref text, order_ref text DEFAULT 'A-1', amount numeric DEFAULT 588) RETURNS text LANGUAGE sql AS $$
    SELECT format('SELECT membership.redeem_points(%s, %s, %L, 11, %L, %s, at => ''2024-02-01 12:00+08'')', public.m('ann'), points, ref, order_ref, amount) $$;
CREATE FUNCTION public.hold(points bigint, ref text, order_ref text DEFAULT 'A-1', ttl text DEFAULT '1 day') RETURNS text LANGUAGE sql AS $$
    SELECT format('SELECT membership.authorize_points(%s, %s, %L, %L, %L, %L, 588, at => ''2024-02-01 12:00+08'')', public.m('ann'), points, ref, ttl, CASE WHEN order_ref <> '' THEN 11 END, nullif(order_ref, '')) $$;

-- ------------------------------------------------------------------ the example, in every way

-- 2,900 points = 87.00 over 300.00 / 199.90 / 88.10: x 87 / 588 = 44.387.. / 29.576.. / 13.035..: two units left, to .7 and .6;
-- x 2,900 / 588 = 1,479.59 / 985.90 / 434.51: two points left, to .90 and .59. Basis 255.61 / 170.32 / 75.07 = 501.00; the award of
-- 501 as 255.61 / 170.32 / 75.07: one point left, to .61. Commission 30.00 / 15.992 / 4.405. 2,900 x 0.03 = 87.00: nothing to contribute
SELECT fund('ann', 10000) \gset
\set order '501 of 501.00; 255.61/256 44.39/1480, 170.32/170 29.58/986, 75.07/75 13.03/434; sale 1>11 300.00, commission 11>1 30.00, sale 1>12 199.90, commission 12>1 15.99, sale 1>13 88.10, commission 13>1 4.41; '
SELECT is(way(tenders, before), :'order' || events, format('%s after %s', coalesce(tenders, 'no tenders'), what))
  FROM (VALUES
        ('[{"kind": "points", "points": 2900}]', 'SELECT 1', '3 redemption -2900, 4 accrual 501', 'nothing'),
        ('[{"kind": "points", "points": 2900, "ref": "t1", "amount": 87.00}, {"kind": "cash", "amount": 501}]', 'SELECT 1', '3 redemption -2900, 4 accrual 501', 'nothing'),
        ('[{"kind": "points", "points": 1000, "ref": "t1"}, {"kind": "points", "points": 1900, "ref": "t2"}]', 'SELECT 1', '3 redemption -1000, 4 redemption -1900, 5 accrual 501', 'nothing'),
        (NULL, redeem(2900, 'r1'), '3 redemption -2900, 4 accrual 501', 'a redemption'),
        ('[{"kind": "cash", "amount": 501}]', redeem(2900, 'r1'), '3 redemption -2900, 4 accrual 501', 'a redemption'),
        ('[{"kind": "points", "points": 2900}]', redeem(2900, 'r1'), '3 redemption -2900, 4 accrual 501', 'a redemption'),
        ('[{"kind": "points", "points": 2900, "amount": 87}]', redeem(1000, 'r1') || ';' || redeem(1900, 'r2'), '3 redemption -1000, 4 redemption -1900, 5 accrual 501', 'two redemptions'),
        ('[{"kind": "points", "points": 400}, {"kind": "points", "points": 2500}]', redeem(1000, 'r1') || ';' || redeem(1900, 'r2'), '3 redemption -1000, 4 redemption -1900, 5 accrual 501', 'two redemptions'),
        (NULL, hold(2900, 'h1'), '3 authorization 0, 4 capture -2900, 5 accrual 501', 'a hold of the order'),
        ('[{"kind": "points", "points": 2900}]', hold(2900, 'h1'), '3 authorization 0, 4 capture -2900, 5 accrual 501', 'a hold of the order'),
        ('[{"kind": "points", "hold_ref": "h1"}]', hold(2900, 'h1'), '3 authorization 0, 4 capture -2900, 5 accrual 501', 'a hold of the order'),
        ('[{"kind": "points", "hold_ref": "h1", "points": 2900, "amount": 87.00}]', hold(2900, 'h1', ''), '3 authorization 0, 4 capture -2900, 5 accrual 501', 'a hold of no order'),
        ('[{"kind": "points", "hold_ref": "h1"}, {"kind": "points", "points": 900}]', hold(2000, 'h1', ''), '3 authorization 0, 4 capture -2000, 5 redemption -900, 6 accrual 501', 'a hold of no order'),
        ('[{"kind": "points", "hold_ref": "h1"}]', hold(2000, 'h1', '') || ';' || redeem(900, 'r1'), '3 authorization 0, 4 redemption -900, 5 capture -2000, 6 accrual 501', 'a hold of no order and a redemption'),
        ('[{"kind": "points", "hold_ref": "h1"}, {"kind": "points", "points": 900}]', hold(2000, 'h1', '') || ';' || hold(900, 'h2'), '3 authorization 0, 4 authorization 0, 5 capture -2000, 6 capture -900, 7 accrual 501', 'a hold of no order and one of it'),
        (NULL, redeem(1000, 'r1') || ';' || hold(1900, 'h1'), '3 redemption -1000, 4 authorization 0, 5 capture -1900, 6 accrual 501', 'a redemption and a hold'),
        (NULL, hold(2900, 'h1') || ';' || $$SELECT membership.capture_points(m('ann'), 'h1', at => '2024-02-01 12:30+08')$$, '3 authorization 0, 4 capture -2900, 5 accrual 501', 'a captured hold'),
        -- what was given back, released or is of another order does not count
        (NULL, redeem(100, 'r0') || $$; SELECT membership.reverse_redemption(m('ann'), 'r0', 'x', at => '2024-02-01 12:00+08');$$ || redeem(2900, 'r1'), '3 redemption -100, 4 reversal 100, 5 redemption -2900, 6 accrual 501', 'a reversed redemption and another'),
        (NULL, hold(2900, 'h1') || $$; SELECT membership.capture_points(m('ann'), 'h1', 2800, at => '2024-02-01 12:30+08'); $$ || redeem(100, 'r1'), '3 authorization 0, 4 capture -2800, 5 redemption -100, 6 accrual 501', 'a hold captured in part and a redemption'),
        ('[{"kind": "points", "points": 2900}]', hold(100, 'h0') || $$; SELECT membership.void_points(m('ann'), 'h0', at => '2024-02-01 12:00+08')$$, '3 authorization 0, 4 void 0, 5 redemption -2900, 6 accrual 501', 'a void hold'),
        ('[{"kind": "points", "points": 2900}]', hold(100, 'h0', ttl => '59 minutes'), '3 authorization 0, 4 timeout 0 on 02-01 12:59, 5 redemption -2900, 6 accrual 501', 'a hold that timed out'),
        ('[{"kind": "points", "points": 1000}, {"kind": "points", "points": 1900}]', 'SELECT 1', '3 redemption -1000, 4 redemption -1900, 5 accrual 501', 'nothing'),
        ('[{"kind": "points", "points": 2900}]', redeem(100, 'r0', 'A-2'), '3 redemption -100, 4 redemption -2900, 5 accrual 501', 'a redemption of another order')) w (tenders, before, events, what);

-- and where it cannot be
SELECT is(way(tenders, before), replace(refusal, 'ann', m('ann')::text), format('%s after %s', coalesce(tenders, 'no tenders'), what))
  FROM (VALUES
        ('[{"kind": "points", "points": 2800}]', redeem(2900, 'r1'), 'MB103 tenders list 2800 points', 'a redemption of 2900'),
        ('[{"kind": "points", "points": 2900}]', hold(2800, 'h1'), 'MB103 tenders list 2900 points', 'a hold of 2800'),
        ('[{"kind": "points", "points": 100, "hold_ref": "h1"}]', hold(2900, 'h1'), 'MB103 hold "h1" has not 100 points', 'a hold of 2900'),
        ('[{"kind": "points", "hold_ref": "h1"}]', hold(2900, 'h1', 'A-2'), 'MB103 hold "h1" is for another order', 'a hold of another order'),
        ('[{"kind": "points", "hold_ref": "h1"}, {"kind": "points", "hold_ref": "h1", "amount": 1}]', hold(2900, 'h1'), 'MB103 hold "h1" comes twice', 'a hold'),
        ('[{"kind": "points", "hold_ref": "h2"}]', hold(2900, 'h1'), 'MB008 member ann has no open hold with ref "h2"', 'another hold'),
        ('[{"kind": "points", "hold_ref": "h1"}]', hold(2900, 'h1', ttl => '1 hour'), 'MB008 member ann has no open hold with ref "h1"', 'a hold of an hour, an hour later'),
        ('[{"kind": "points", "points": 3000}]', 'SELECT 1', 'MB103 the share of the order that points may pay is exceeded', 'nothing'),
        ('[{"kind": "points", "points": 1500, "ref": "a"}, {"kind": "points", "points": 1500, "ref": "b"}]', 'SELECT 1', 'MB103 the share of the order that points may pay is exceeded', 'nothing'),
        ('[{"kind": "points", "hold_ref": "h1"}, {"kind": "points", "points": 1000}]', hold(2000, 'h1', ''), 'MB103 the share of the order that points may pay is exceeded', 'a hold of 2000'),
        (NULL, redeem(3000, 'r1', amount => 600), 'MB103 points worth 90.00 are more than may pay for the order', 'a redemption for 600.00'),
        ('[{"kind": "points", "points": 2900, "amount": 87.01}]', 'SELECT 1', '22023 a tender of 2900 points has another amount than they are worth', 'nothing'),
        ('[{"kind": "points", "points": 2900, "amount": 86.99}]', redeem(2900, 'r1'), '22023 a tender of 2900 points has another amount than they are worth', 'a redemption'),
        ('[{"kind": "points", "hold_ref": "h1", "amount": 0}]', hold(2900, 'h1', ''), '22023 a tender of 2900 points has another amount than they are worth', 'a hold'),
        ('[{"kind": "points", "points": 2900}, {"kind": "cash", "amount": 501.01}]', 'SELECT 1', '22023 tenders add up to 588.01, more than the amount', 'nothing'),
        ('[{"kind": "points", "points": 50}]', 'SELECT 1', 'MB103 50 points are not whole steps', 'nothing'),
        ('[{"kind": "points", "points": 100, "merchant_id": 1}]', 'SELECT 1', 'MB103 points are worth more than is left of merchant 1''s lines', 'nothing'),
        ('[{"kind": "points", "points": 2900, "ref": "r0"}]', redeem(100, 'r0', 'A-2'), 'MB201 ref "r0" was used before with other content', 'another redemption with that ref'),
        ('[{"kind": "points", "points": 2900}]', 'UPDATE membership.burn_rule SET status = ''ended''', 'MB105 no burn rule is for purpose "payment" here', 'the end of the rule'),
        ('[{"kind": "points", "points": 2900}]', 'UPDATE membership.burn_rule SET daily_cap = 2899', 'MB103 the daily cap of points is exceeded', 'a cap'),
        ('[{"kind": "points", "points": 2900}]', 'UPDATE membership.burn_rule SET minimum = 3000', 'MB103 2900 points are below the minimum', 'a minimum'),
        ('[{"kind": "points", "points": 2900}]', $$SELECT membership.adjust_points(m('ann'), -7101, 'x', 'a', at => '2024-02-01 12:00+08')$$, 'MB101 member ann has not enough points', '2,899 are left'),
        ('[{"kind": "coupon", "amount": 5}]', 'SELECT 1', '22023 "kind" of a tender must be cash or points', 'nothing'), ('[{"kind": "stored_value", "amount": 5}]', 'SELECT 1', '22023 "kind" of a tender must be cash or points', 'nothing'),
        ('[{"points": 100}]', 'SELECT 1', '22023 "kind" of a tender must be cash or points', 'nothing'), ('[{"kind": "cash", "amount": 5, "points": 5}]', 'SELECT 1', '22023 "points" of a tender must be 1 to 10^15, of kind points only', 'nothing'),
        ('[{"kind": "points"}]', 'SELECT 1', '22023 "points" of a tender must be 1 to 10^15, of kind points only', 'nothing'), ('[{"kind": "points", "points": -100}]', 'SELECT 1', '22023 "points" of a tender must be 1 to 10^15, of kind points only', 'nothing'),
        ('[{"kind": "points", "points": 1e16}]', 'SELECT 1', '22003 points is out of range: 10000000000000000', 'nothing'), ('[{"kind": "cash", "amount": 5, "hold_ref": "h"}]', 'SELECT 1', '22023 "hold_ref" of a tender must be of kind points', 'nothing'),
        ('[{"kind": "points", "points": 100, "amount": -1}]', 'SELECT 1', '22023 "amount" of a tender must be 0 or more', 'nothing'), ('[{"kind": "points", "points": 100, "price": 1}]', 'SELECT 1', '22023 a tender has an unknown key "price"', 'nothing'),
        ('[{"kind": "points", "points": 100, "ref": ""}]', 'SELECT 1', '22023 ref must not be empty', 'nothing'), ('[{"kind": "points", "points": 100, "merchant_id": 0}]', 'SELECT 1', '22023 "merchant_id" of a tender must be a whole number from 1 to 2147483647', 'nothing'),
        (NULL, redeem(2900, 'r1') || $$; SELECT membership.set_member_status(m('ann'), 'closed', 'x')$$, 'MB102 member ann is closed', 'closing')) w (tenders, before, refusal, what);
SELECT is(take($$SELECT accrue_points(m('ann'), 11, 588, 'A-1', tenders => '[{"kind": "points", "points": 1.5}]')$$), '22023 points has too many decimals: 1.5', 'half a point');

-- ------------------------------------------------------------------ whose lines a tender pays for

-- 1,000 points = 30.00 for shop 12's 199.90 alone
SELECT is(way('[{"kind": "points", "points": 1000, "merchant_id": 12}]'),
          '558 of 558.00; 300.00/300, 169.90/170 30.00/1000, 88.10/88; sale 1>11 300.00, commission 11>1 30.00, sale 1>12 199.90, commission 12>1 15.99, sale 1>13 88.10, commission 13>1 4.41; 3 redemption -1000, 4 accrual 558', 'one shop''s');
-- then 500 = 15.00 for all, by what is left, 300.00 / 169.90 / 88.10 = 558.00: 8.0645 / 4.5672 / 2.3683, one unit left, to .83: 8.06 / 4.57 / 2.37;
-- points 268.82 / 152.24 / 78.94: two left: 269 / 152 / 79. Basis 291.94 / 165.33 / 85.73 = 543.00, points 292 / 165 / 86
\set two '543 of 543.00; 291.94/292 8.06/269, 165.33/165 34.57/1152, 85.73/86 2.37/79; sale 1>11 300.00, commission 11>1 30.00, sale 1>12 199.90, commission 12>1 15.99, sale 1>13 88.10, commission 13>1 4.41; '
SELECT is(way(tenders, before), :'two' || events, what)
  FROM (VALUES ('[{"kind": "points", "points": 500, "ref": "a"}, {"kind": "points", "points": 1000, "ref": "b", "merchant_id": 12}]', 'SELECT 1', '3 redemption -500, 4 redemption -1000, 5 accrual 543', 'one shop''s first, in any order of tenders'),
               ('[{"kind": "points", "points": 500}, {"kind": "points", "points": 1000, "merchant_id": 12}]', redeem(1500, 'r1'), '3 redemption -1500, 4 accrual 543', 'listed, of one redemption before'),
               ('[{"kind": "points", "hold_ref": "h1", "merchant_id": 12}]', redeem(500, 'r1') || ';' || hold(1000, 'h1', ''), '3 redemption -500, 4 authorization 0, 5 capture -1000, 6 accrual 543', 'a hold for one shop'),
               ('[{"kind": "points", "points": 500}, {"kind": "points", "hold_ref": "h1", "merchant_id": 12}]', redeem(500, 'r1') || ';' || hold(1000, 'h1', ''), '3 redemption -500, 4 authorization 0, 5 capture -1000, 6 accrual 543', 'beside what is listed of before'),
               ('[{"kind": "points", "points": 1000, "merchant_id": 12}, {"kind": "points", "hold_ref": "h1"}]', redeem(1000, 'r1') || ';' || hold(500, 'h1', ''), '3 redemption -1000, 4 authorization 0, 5 capture -500, 6 accrual 543', 'or the other way round')) w (tenders, before, events, what);
UPDATE burn_rule SET share = NULL;
SELECT is(way('[{"kind": "points", "points": 3000, "merchant_id": 13}]'), 'MB103 points are worth more than is left of merchant 13''s lines', '90.00 are more than 88.10');
SELECT is(way('[{"kind": "points", "points": 1600, "merchant_id": 13, "ref": "a"}, {"kind": "points", "points": 1600, "merchant_id": 13, "ref": "b"}]'), 'MB103 points are worth more than is left of merchant 13''s lines', 'so are 48.00 twice');

-- ------------------------------------------------------------------ splits of every kind of shop

UPDATE contract SET redemption_price = 0.02 WHERE merchant_id = 2;
UPDATE contract SET redemption_price = 0.025 WHERE merchant_id = 3;
SELECT fund('bo', 10000) \gset
-- 100.00 at 1 (no contract, collects), 200.00 at 2 (the mall collects, 5 %, 0.01, price 0.02), 300.00 at 3 (collects, 8 %, 0.02, price 0.025);
-- 2,000 points = 60.00: worth 10.00 / 20.00 / 30.00, points 333 / 667 / 1000 (333.3 / 666.7 / 1000), basis 90 / 180 / 270.
-- Price of the order's points at 2: 2,000 x 0.02 x 20 / 60 = 13.33, 6.67 to contribute; at 3: 2,000 x 0.025 x 30 / 60 = 25.00
SELECT accrue_points(m('bo'), 1, 600, 'B-1', lines => '[{"amount": 100}, {"amount": 200, "merchant_id": 2}, {"amount": 300, "merchant_id": 3}]', tenders => '[{"kind": "points", "points": 2000}]', at => '2024-02-01 12:00+08') \gset
SELECT is(came_to('bo', 'B-1'), '540 of 540.00; 90.00/90 10.00/333, 180.00/180 20.00/667, 270.00/270 30.00/1000; sale 1>3 200.00, commission 3>1 10.00, points_contribution 3>1 6.67/667, '
          'commission 4>1 24.00, points_redeemed 1>4 25.00/1000, points_issued 3>1 1.80/180, points_issued 4>1 5.40/270; 3 redemption -2000, 4 accrual 540', 'three kinds of shop');
-- cash 90.00 at 1 and 270.00 at 3; 200.00 + 360.00 + 10.00 + 30.00 = 600.00
SELECT is(ROW(merchant_collected, tenders)::text, '(360.00,"{""spent"": [3], ""value"": 60.00, ""points"": 2000, ""value_at_merchants"": 40.00}")', 'what shops collected is cash') FROM journal WHERE member_id = m('bo') AND journal_no = 4;
SELECT is(ROW(explanation -> 'tenders', explanation -> 'lines' -> 1)::text,
          '("{""spent"": [3], ""value"": 60.00, ""points"": 2000, ""value_at_merchants"": 40.00}","{""basis"": 180.00, ""amount"": 200.00, ""points"": 180, ""line_no"": 2, ""tendered"": 20.00, ""merchant_id"": 2, ""points_tendered"": 667}")', 'explained in the result')
  FROM accrue_points(m('bo'), 1, 600, 'B-1', lines => '[{"amount": 100}, {"amount": 200, "merchant_id": 2}, {"amount": 300, "merchant_id": 3}]', tenders => '[{"kind": "points", "points": 2000}]', at => '2024-02-01 12:00+08');
SELECT is(splits('bo', 3), NULL, 'the redemption itself pays nobody');
-- a price above the worth: 100 x 0.05 = 5.00 for 3.00; nothing is contributed, a shop that collects is paid 5.00
UPDATE contract SET redemption_price = 0.05 WHERE merchant_id IN (2, 3);
SELECT accrue_points(m('bo'), 2, 20, 'B-2', tenders => '[{"kind": "points", "points": 100}]', at => '2024-02-01 12:00+08') \gset
SELECT accrue_points(m('bo'), 3, 20, 'B-3', tenders => '[{"kind": "points", "points": 100}]', at => '2024-02-01 12:00+08') \gset
SELECT is(ROW(splits('bo', 6), splits('bo', 8))::text, '("sale 1>3 20.00, commission 3>1 1.00, points_issued 3>1 0.17/17","commission 4>1 1.60, points_redeemed 1>4 5.00/100, points_issued 4>1 0.34/17")', 'a price above the worth');
-- all of it: 20.40 = 680 points, no basis, no award
UPDATE burn_rule SET step = 20, value = 0.60, minimum = 20;
SELECT is(ROW(status, points, balance)::text, '(posted,0,7694)', 'an order paid with points alone earns nothing') FROM accrue_points(m('bo'), 3, 20.40, 'B-4', tenders => '[{"kind": "points", "points": 680}]', at => '2024-02-01 12:00+08');
SELECT is(splits('bo', 10), 'commission 4>1 1.63, points_redeemed 1>4 34.00/680', 'commission stays on the net');
SELECT is(ROW(basis, merchant_collected)::text, '(0.00,0.00)', 'nothing was collected') FROM journal WHERE member_id = m('bo') AND journal_no = 10;
-- 200 points = 6.00 on 100.00 and 100.00: 3.00 each, basis 97.00 of the one that earns
SELECT is(points, 97::bigint, 'a line that is not eligible bears its part') FROM accrue_points(m('bo'), 1, 200, 'B-5', lines => '[{"amount": 100}, {"amount": 100, "eligible": false}]', tenders => '[{"kind": "points", "points": 200}]', at => '2024-02-01 12:00+08');
-- 20 points = 0.60 on 0.30 / 0.30 / 0.01: 29.508 / 29.508 / 0.984 units, two left: to the last, then, of a tie, the first;
-- points 9.836 / 9.836 / 0.328, two left: to the first and the second
SELECT accrue_points(m('bo'), 1, 0.61, 'B-6', lines => '[{"amount": 0.30}, {"amount": 0.30}, {"amount": 0.01}]', tenders => '[{"kind": "points", "points": 20}]', at => '2024-02-01 12:00+08') \gset
SELECT is(lines, '[{"basis": 0.00, "amount": 0.30, "points": 0, "line_no": 1, "tendered": 0.30, "merchant_id": 1, "points_tendered": 10}, {"basis": 0.01, "amount": 0.30, "points": 0, "line_no": 2, "tendered": 0.29, "merchant_id": 1, "points_tendered": 10}, '
          '{"basis": 0.00, "amount": 0.01, "points": 0, "line_no": 3, "tendered": 0.01, "merchant_id": 1, "points_tendered": 0}]'::jsonb, 'worth and points are spread each by itself') FROM journal WHERE order_ref = 'B-6' AND verb = 'accrual';
UPDATE burn_rule SET step = 100, value = 3, minimum = 100, share = 0.15;

-- ------------------------------------------------------------------ previews, repeated calls, and afterwards

SELECT redeem_points(m('ann'), 1000, 'r1', 11, 'A-3', 588, at => '2024-02-01 12:00+08') \gset
SELECT authorize_points(m('ann'), 1000, 'h1', NULL, 11, 'A-3', 588, at => '2024-02-01 12:00+08') \gset
SELECT authorize_points(m('ann'), 900, 'h2', NULL, 12, at => '2024-02-01 12:00+08', order_amount => 6000) \gset
\set lines '[{"amount": 300.00}, {"amount": 199.90, "merchant_id": 12}, {"amount": 88.10, "merchant_id": 13}]'
\set tenders '[{"kind": "points", "points": 2000}, {"kind": "points", "hold_ref": "h2"}]'
CREATE TEMP TABLE foreseen AS
SELECT * FROM preview_accrual(m('ann'), 11, 588, 'A-3', lines => :'lines', tenders => :'tenders', at => '2024-02-01 13:00+08');
SELECT is(ROW(status, points, balance, explanation -> 'lines' -> 2)::text, '(posted,501,7601,"{""basis"": 75.07, ""amount"": 88.10, ""points"": 75, ""line_no"": 3, ""tendered"": 13.03, ""merchant_id"": 13, ""points_tendered"": 434}")', 'a preview with everything')
  FROM foreseen;
SELECT is(ROW(points, explanation -> 'tenders' -> 'points')::text, '(558,1000)', 'a preview without an order redeems as well') FROM preview_accrual(m('ann'), 11, 588, tenders => '[{"kind": "points", "points": 1000}]', at => '2024-02-01 13:00+08');
SELECT is(take($$SELECT preview_accrual(m('ann'), 11, 588, tenders => '[{"kind": "points", "points": 3000}]', at => '2024-02-01 13:00+08')$$), 'MB103 the share of the order that points may pay is exceeded', 'or refuses');
SELECT is(ROW(lots('ann'), story('ann'), (SELECT count(*) FROM order_spend), (SELECT order_spends FROM account WHERE member_id = m('ann')))::text,
          '(1:9000/1900,"1 enrolment 0, 2 grant 10000, 3 redemption -1000, 4 authorization 0, 5 authorization 0",1,2)', 'and leaves nothing');
SELECT is(a::text, (SELECT (f)::text FROM (SELECT 8::bigint AS journal_no, status, reason_code, points, points_wanted, base_points, bonus_points, available_at, expires_at, balance, tier, tier_changed, duplicate, explanation FROM foreseen) f),
          'the accrual is what was foreseen') FROM accrue_points(m('ann'), 11, 588, 'A-3', lines => :'lines', tenders => :'tenders', at => '2024-02-01 13:00+08') a;
SELECT is(ROW(a.journal_no, a.points, a.duplicate, a.explanation = f.explanation)::text, '(8,501,t,t)', 'again: the first result, though its holds are over')
  FROM foreseen f, accrue_points(m('ann'), 11, 588, 'A-3', lines => :'lines', tenders => :'tenders', at => '2024-02-01 13:00+08') a;
SELECT is(ROW(a.journal_no, a.points, a.duplicate, a.explanation = f.explanation)::text, '(8,501,t,t)', 'a preview of it too')
  FROM foreseen f, preview_accrual(m('ann'), 11, 588, 'A-3', lines => :'lines', tenders => :'tenders', at => '2024-02-01 13:00+08') a;
SELECT is(ROW(status, points, duplicate)::text, '(posted,501,t)', 'in a batch') FROM accrue_batch(ARRAY[ROW(m('ann'), 11, 588, 'A-3', NULL, NULL, :'lines', :'tenders', NULL, NULL, NULL, '2024-02-01 13:00+08')::purchase]);
SELECT is(take(format($$SELECT accrue_points(m('ann'), 11, 588, 'A-3', lines => %L, tenders => %L, at => '2024-02-01 13:00+08')$$, :'lines', t)), 'MB201 order_ref "A-3" was used before with other content', 'with ' || coalesce(t, 'no tenders'))
  FROM unnest(ARRAY['[{"kind": "points", "points": 2000}]', '[{"kind": "points", "points": 2000}, {"kind": "points", "hold_ref": "h3"}]', NULL]) t;
SELECT is(ROW(verb, purpose, merchant_id, order_ref, amount, refers_to, points)::text, '(capture,payment,11,A-3,27.00,5,-900)', 'the capture of a hold of no order belongs to the order that it paid for') FROM journal WHERE member_id = m('ann') AND journal_no = 6;
SELECT is(splits('ann', 6), NULL, 'with which its merchants are paid');
SELECT is(take(call), refusal, call)
  FROM (VALUES ($$SELECT redeem_points(m('ann'), 100, 'n', 11, 'A-3', 588, at => '2024-02-01 13:00+08')$$, 'MB106 order "A-3" of merchant 11 has been accrued'),
               ($$SELECT authorize_points(m('ann'), 100, 'n', '1 day', 11, 'A-3', 588, at => '2024-02-01 13:00+08')$$, 'MB106 order "A-3" of merchant 11 has been accrued'),
               ($$SELECT reverse_redemption(m('ann'), 'r1', 'x', at => '2024-02-01 13:00+08')$$, 'MB106 order "A-3" of merchant 11 has been accrued'),
               ($$SELECT reverse_redemption(m('ann'), 'h1', 'x', at => '2024-02-01 13:00+08')$$, 'MB106 order "A-3" of merchant 11 has been accrued'),
               ($$SELECT reverse_redemption(m('ann'), 'h2', 'x', at => '2024-02-01 13:00+08')$$, 'MB106 order "A-3" of merchant 11 has been accrued'),
               ($$SELECT capture_points(m('ann'), 'h1', at => '2024-02-01 13:00+08')$$, 'MB107 hold "h1" is over'), ($$SELECT void_points(m('ann'), 'h2', at => '2024-02-01 13:00+08')$$, 'MB107 hold "h2" is over'),
               ($$SELECT accrue_points(m('ann'), 11, 600, 'A-4', tenders => '[{"kind": "points", "hold_ref": "h2"}]', at => '2024-02-01 13:00+08')$$, format('MB008 member %s has no open hold with ref "h2"', m('ann')))) v (call, refusal);
SELECT is(r::text, '(3,1000,30.00,9000,t)', 'the redemption again: its first result') FROM redeem_points(m('ann'), 1000, 'r1', 11, 'A-3', 588, at => '2024-02-01 12:00+08') r;
SELECT is(r::text, '(5,0,9000,t)', 'the hold''s') FROM authorize_points(m('ann'), 900, 'h2', NULL, 12, at => '2024-02-01 12:00+08', order_amount => 6000) r;
-- what a redemption for an order leaves to be redeemed for it: 600.00 x 0.15 = 90.00, 3,000 points
SELECT redeem_points(m('ann'), 1000, 'r5', 11, 'A-5', 600, at => '2024-02-01 14:00+08') \gset
SELECT authorize_points(m('ann'), 500, 'h5', '1 hour', 11, 'A-5', 600, at => '2024-02-01 14:00+08') \gset
SELECT is(agree('ann', 600, 11, 'A-5', at => '2024-02-01 14:00+08'), '1500 = 45.00 by share; 1500 = 45.00; MB103 the share of the order that points may pay is exceeded', 'less what is redeemed and held for it');
SELECT is(agree('ann', 600, 11, 'A-5', at => '2024-02-01 15:00+08'), '2000 = 60.00 by share; 2000 = 60.00; MB103 the share of the order that points may pay is exceeded', 'what has timed out is free');
SELECT is(agree('ann', 600, 12, 'A-5', at => '2024-02-01 14:00+08'), '3000 = 90.00 by share; 3000 = 90.00; MB103 the share of the order that points may pay is exceeded', 'another shop''s order');
SELECT capture_points(m('ann'), 'h5', 200, at => '2024-02-01 14:30+08') \gset
SELECT is(agree('ann', 600, 11, 'A-5', at => '2024-02-01 14:30+08'), '1800 = 54.00 by share; 1800 = 54.00; MB103 the share of the order that points may pay is exceeded', 'captured in part, that part');
SELECT reverse_redemption(m('ann'), 'h5', 'x', at => '2024-02-01 15:00+08') \gset
SELECT reverse_redemption(m('ann'), 'r5', 'x', at => '2024-02-01 15:00+08') \gset
SELECT is(agree('ann', 600, 11, 'A-5', at => '2024-02-01 15:00+08'), '3000 = 90.00 by share; 3000 = 90.00; MB103 the share of the order that points may pay is exceeded', 'reversed, all is free again');
SELECT is(order_spends, 0, 'nothing waits for an order') FROM account WHERE member_id = m('ann');
SELECT is(ROW(points, explanation ? 'tenders')::text, '(600,f)', 'which pays with money alone') FROM accrue_points(m('ann'), 11, 600, 'A-5', at => '2024-02-01 15:00+08');

-- the share is that of purpose payment
INSERT INTO burn_rule (burn_rule_id, code, name, status, purpose, step, value) VALUES (2, 'item', 'Item', 'active', 'item', 100, 3);
CREATE FUNCTION public.item(points bigint, ref text) RETURNS text LANGUAGE sql AS $$
    SELECT format('SELECT membership.redeem_points(%s, %s, %L, 11, ''A-1'', 588, purpose => ''item'', at => ''2024-02-01 15:00+08'')', public.m('ann'), points, ref) $$;
-- 5,000 points = 150.00: 76.5306 / 50.9949 / 22.4745, one unit left, to .49 (in units); points 2,551.02 / 1,699.83 / 749.15, one left, to .83;
-- 438.00: 223.47 / 148.90 / 65.63, two points left, to .90 and .63
SELECT is(substring(way(NULL, item(5000, 'i1')) FROM '^[^;]*; [^;]*'), '438 of 438.00; 223.47/223 76.53/2551, 148.90/149 51.00/1700, 65.63/66 22.47/749', 'points of another purpose are not measured by it');
SELECT is(way('[{"kind": "points", "points": 100}]', item(5000, 'i1')), 'MB103 tenders list 100 points', 'they belong to what is listed all the same');

-- ------------------------------------------------------------------ rules, review, status

-- 2x from a basis of 588: 675.00 less 87.00 is 588.00, less 90.00 is not; 3x for lines of a basis above 300
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, condition) VALUES (1, 'step', 'From 588', 'active', 'multiplier', 2, 'order_basis >= 588');
SELECT fund('cleo', 20000) \gset
SELECT is(points, 1176::bigint, '2 x 588') FROM accrue_points(m('cleo'), 1, 675, 'C-1', tenders => '[{"kind": "points", "points": 2900}]', at => '2024-02-01 12:00+08');
SELECT is(points, 585::bigint, '585.00: points count in the step') FROM accrue_points(m('cleo'), 1, 675, 'C-2', tenders => '[{"kind": "points", "points": 3000}]', at => '2024-02-01 12:00+08');
UPDATE earn_rule SET condition = 'order_amount >= 675 AND order_amount - order_basis = 90', effective_from = '2000-01-01' WHERE rule_id = 1;
SELECT is(points, 1170::bigint, '2 x 585: the amount is that before points') FROM accrue_points(m('cleo'), 1, 675, 'C-3', tenders => '[{"kind": "points", "points": 3000}]', at => '2024-02-01 12:00+08');
UPDATE earn_rule SET status = 'ended', effective_from = '2000-01-02' WHERE rule_id = 1;
INSERT INTO earn_rule (rule_id, code, name, status, scope, effect, value, condition) VALUES (2, 'line', 'Lines', 'active', 'line', 'multiplier', 3, 'line_amount = 100 AND line_basis < 97');
-- 3,000 points = 90.00 on 100.00 and 500.00: 15.00 and 75.00; 3 x 85 + 425
SELECT is(points, 680::bigint, 'lines too') FROM accrue_points(m('cleo'), 1, 600, 'C-4', lines => '[{"amount": 100}, {"amount": 500}]', tenders => '[{"kind": "points", "points": 3000}]', at => '2024-02-01 12:00+08');
UPDATE earn_rule SET status = 'ended', effective_from = '2000-01-02' WHERE rule_id = 2;
-- the tier counts basis: 4,412.00, and
SELECT fund('tia', 20000) \gset
SELECT accrue_points(m('tia'), 1, 4412, 'T-1', at => '2024-02-01 12:00+08') \gset
-- 675.00 less 87.00 = 588.00 make 5,000.00; less 90.00, 4,997.00
SELECT is(take($$SELECT tier FROM accrue_points(m('tia'), 1, 675, 'T-2', tenders => '[{"kind": "points", "points": 3000}]', at => '2024-02-01 12:00+08')$$), 'regular', 'what points paid does not count for the tier');
SELECT is(take($$SELECT tier FROM accrue_points(m('tia'), 1, 675, 'T-2', tenders => '[{"kind": "points", "points": 2900}]', at => '2024-02-01 12:00+08')$$), 'silver', 'the rest does');

-- late: 600.00 at the Bookshop, 1,000 points = 30.00, for which the price is 50.00
SELECT redeem_points(m('cleo'), 1000, 'late', 2, 'C-5', 600, at => '2024-02-10 12:00+08') \gset
SELECT is(ROW(status, points, points_wanted)::text, '(review,0,570)', 'a late purchase is held for review, its points are spent') FROM accrue_points(m('cleo'), 2, 600, 'C-5', occurred_at => '2024-01-01 12:00+08',
          tenders => '[{"kind": "points", "points": 1000}]', at => '2024-02-10 12:00+08');
SELECT is(splits('cleo', 12), 'sale 1>3 600.00, commission 3>1 30.00', 'and it is split');
SELECT review_accrual(m('cleo'), 12, 'approve', 'ok') \gset
SELECT is(ROW(verb, points, splits('cleo', journal_no))::text, '(review,570,"points_issued 3>1 5.70/570")', 'approved, it earns on the basis') FROM journal WHERE member_id = m('cleo') AND refers_to = 12;
-- frozen: what was redeemed before pays; nothing is captured or redeemed
SELECT fund('fred', 5000, at => now()) \gset
SELECT redeem_points(m('fred'), 1000, 'f1', 1, 'F-1', 600) \gset
SELECT authorize_points(m('fred'), 1000, 'h2', NULL, 1, 'F-2', 600) \gset
SELECT set_member_status(m('fred'), 'frozen', 'x') \gset
SELECT is(ROW(status, points, points_wanted, explanation -> 'basis')::text, '(rejected,0,570,570.00)', 'a frozen member''s order, paid before') FROM accrue_points(m('fred'), 1, 600, 'F-1');
SELECT is(take(format('SELECT accrue_points(m(''fred''), 1, 600, %L, tenders => %L)', ref, tenders)), format('MB104 member %s is frozen', m('fred')), format('%s with %s', ref, coalesce(tenders, 'a hold')))
  FROM (VALUES ('F-2', NULL), ('F-3', '[{"kind": "points", "points": 100}]')) v (ref, tenders);
SELECT void_points(m('fred'), 'h2') \gset
SELECT is(ROW(status, explanation -> 'basis')::text, '(rejected,600.00)', 'its hold void, it is recorded') FROM accrue_points(m('fred'), 1, 600, 'F-2');
-- an order that another member's receipt took
SELECT fund('dora', 1000) \gset
SELECT redeem_points(m('dora'), 100, 'd1', 1, 'D-1', 600, at => '2024-02-01 12:00+08') \gset
SELECT accrue_points(m('cleo'), 1, 600, 'D-1', at => '2024-02-11 12:00+08') \gset
SELECT is(left(take($$SELECT accrue_points(m('dora'), 1, 600, 'D-1')$$), 5), 'MB202', 'a receipt credited to another member');
SELECT is(points, 100::bigint, 'gives the points back') FROM reverse_redemption(m('dora'), 'd1', 'x', at => '2024-02-12 12:00+08');

-- ------------------------------------------------------------------ bulk

-- one after the other: E-1 finds its redemption, E-2 its hold, E-3 redeems, E-4 cannot, E-5 is E-3 again, E-6 earns on all
CREATE FUNCTION public.prepare_bulk(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.fund(name, 5000);
    PERFORM membership.redeem_points(public.m(name), 1000, 'e1', 1, name || '-1', 600, at => '2024-02-01 12:00+08');
    PERFORM membership.authorize_points(public.m(name), 1000, 'e2', NULL, 1, name || '-2', 600, at => '2024-02-01 12:00+08');
END
$$;
CREATE FUNCTION public.bulk(name text) RETURNS SETOF membership.purchase LANGUAGE sql AS $$
    SELECT public.m(name), 1, 600, name || '-' || ref, NULL::timestamptz, 'pos', NULL::jsonb, tenders::jsonb, NULL::jsonb, NULL::jsonb, NULL::text, timestamptz '2024-02-01 13:00+08'
      FROM (VALUES (1, 1, NULL), (2, 2, NULL), (3, 3, '[{"kind": "points", "points": 900}]'), (4, 4, '[{"kind": "points", "points": 3100}]'), (5, 3, '[{"kind": "points", "points": 900}]'), (6, 6, NULL)) v (n, ref, tenders) ORDER BY n
$$;
SELECT prepare_bulk('eve'), prepare_bulk('one') \gset
SELECT is(array_agg(ROW(row_no, journal_no, points, balance, duplicate, sqlstate, message)::text ORDER BY row_no),
          '{"(1,5,570,4570,f,,)","(2,7,570,4140,f,,)","(3,9,573,3813,f,,)","(4,,,,,MB103,\"the share of the order that points may pay is exceeded\")","(5,9,573,3813,t,,)","(6,10,600,4413,f,,)"}', 'a batch')
  FROM accrue_batch((SELECT array_agg(p) FROM bulk('eve') p));
CREATE FUNCTION public.singly(name text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    p membership.purchase;
BEGIN
    FOR p IN SELECT * FROM public.bulk(name) LOOP
        BEGIN
            RETURN QUERY SELECT ROW(journal_no, points, balance, duplicate, NULL, NULL)::text FROM membership.accrue_points(p.member_id, p.merchant_id, p.amount, p.order_ref, tenders => p.tenders, at => p.at);
        EXCEPTION WHEN OTHERS THEN
            RETURN QUERY SELECT ROW(NULL, NULL, NULL, NULL, SQLSTATE, SQLERRM)::text;
        END;
    END LOOP;
END
$$;
SELECT is(ARRAY(SELECT singly('one')), '{"(5,570,4570,f,,)","(7,570,4140,f,,)","(9,573,3813,f,,)","(,,,,MB103,\"the share of the order that points may pay is exceeded\")","(9,573,3813,t,,)","(10,600,4413,f,,)"}', 'is what single calls are');
SELECT is(story('eve', 3), '3 redemption -1000, 4 authorization 0, 5 accrual 570, 6 capture -1000, 7 accrual 570, 8 redemption -900, 9 accrual 573, 10 accrual 600', 'the events of the batch');
-- a row that fails takes back what had timed out and expired in it: 1,000 points die on 3 February, 500 of them held until the 4th
SELECT fund('tim', 1000, '2024-02-03 00:00+08') \gset
SELECT authorize_points(m('tim'), 500, 'h', '3 days', order_amount => 5000, at => '2024-02-01 12:00+08') \gset
SELECT is(array_agg(ROW(row_no, points, balance, sqlstate)::text ORDER BY row_no), '{"(1,,,22023)","(2,,,MB003)","(3,10,10,)"}', 'rows that fail before a good one')
  FROM accrue_batch(ARRAY[ROW(m('tim'), 1, 10, 'tim-1', NULL, NULL, '[{"amount": 5}]', NULL, NULL, NULL, NULL, '2024-02-05 12:00+08'), ROW(m('tim'), 1, 10, 'tim-2', NULL, NULL, '[{"amount": 10, "merchant_id": 99}]', NULL, NULL, NULL, NULL, '2024-02-05 12:00+08'),
                          ROW(m('tim'), 1, 10, 'tim-3', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2024-02-05 12:00+08')]::purchase[]);
SELECT is(story('tim', 3), '3 authorization 0, 4 expiry -500 on 02-03 00:00, 5 timeout 0 on 02-04 12:00, 6 expiry -500 on 02-04 12:00, 7 accrual 10', 'leave what was due to it');
-- rows that make room for many rules and lots, then fail, and good ones after them
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, expiry) SELECT 100 + i, 'gift_' || i, 'Gift', 'active', 'bonus_points', 1, i || ' months' FROM generate_series(1, 50) i;
SELECT fund('big', 999999999999000) \gset
-- each good one earns 10 and 50 times 1; a basis of 1,000 makes more than 10^15
SELECT is(array_agg(ROW(points, balance, sqlstate)::text ORDER BY row_no), '{"(60,999999999999060,)","(,,22003)","(60,999999999999120,)","(,,22003)","(60,999999999999180,)"}', 'memory that moved')
  FROM accrue_batch((SELECT array_agg(ROW(m('big'), 1, amount, 'big-' || n, NULL, NULL, lines, NULL, NULL, NULL, NULL, '2024-02-05 12:00+08')::purchase ORDER BY n)
       FROM (VALUES (1, 10, NULL::jsonb), (2, 2000, (SELECT jsonb_agg('{"amount": 2}'::jsonb) FROM generate_series(1, 1000))), (3, 10, NULL),
                    (4, 2000, (SELECT jsonb_agg('{"amount": 2}'::jsonb) FROM generate_series(1, 1000))), (5, 10, NULL)) v (n, amount, lines)));
UPDATE earn_rule SET status = 'ended', effective_from = '2000-01-03';
-- many tenders and many holds on one lot
SELECT fund('many', 10000) \gset
SELECT is(points, 2910::bigint, '30 tenders') FROM accrue_points(m('many'), 1, 3000, 'M-1', at => '2024-02-01 12:00+08',
          tenders => (SELECT jsonb_agg(jsonb_build_object('kind', 'points', 'points', 100, 'ref', 'm' || i)) FROM generate_series(1, 30) i));
SELECT authorize_points(m('many'), 100, 'h' || i, NULL, 1, 'M-2', 3000, at => '2024-02-01 12:00+08') FROM generate_series(1, 30) i \g /dev/null
SELECT is(points, 2910::bigint, '30 holds') FROM accrue_points(m('many'), 1, 3000, 'M-2', at => '2024-02-01 12:00+08');
-- an order table of one's own, with a column of tenders
CREATE SCHEMA shop;
CREATE TABLE shop.orders (id text, buyer bigint, shop integer DEFAULT 1, total numeric, paid jsonb);
CREATE TRIGGER earn AFTER INSERT ON shop.orders FOR EACH ROW
    EXECUTE FUNCTION membership.accrue_trigger('member_id=buyer', 'merchant_id=shop', 'amount=total', 'order_ref=id', 'tenders=paid');
SELECT fund('tri', 5000, at => now()) \gset
SELECT redeem_points(m('tri'), 1000, 'r1', 1, 'tri-1', 600) \gset
INSERT INTO shop.orders (id, buyer, total, paid) VALUES ('tri-1', m('tri'), 600, NULL), ('tri-2', m('tri'), 600, '[{"kind": "points", "points": 3000}]');
SELECT is(story('tri', 3), '3 redemption -1000, 4 accrual 570, 5 redemption -3000, 6 accrual 510', 'by a trigger');
SELECT throws_ok($$INSERT INTO shop.orders (id, buyer, total, paid) VALUES ('tri-3', m('tri'), 600, '[{"kind": "points", "points": 3100}]')$$, 'MB101', NULL, 'an order that cannot be paid so is none');
SELECT is(count(*), 2::bigint, 'nor is there a row') FROM shop.orders;

SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
SELECT * FROM finish();
ROLLBACK;
