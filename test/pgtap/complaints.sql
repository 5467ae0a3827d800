-- What users of other systems complain of, a test each, called by the complaint. Coupons, limits of campaigns and settlement
-- have their tests where they are built.
\set tests 46
\ir setup.psql
SELECT open_mall() \gset
\ir spending.psql
\ir refunds.psql

-- a sale, its returns in the amounts given, and what is left of the points
CREATE FUNCTION public.after(name text, amount numeric, returns numeric[], points bigint DEFAULT NULL, merchant integer DEFAULT 1) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.sale(name, name, amount, points => after.points, merchant => after.merchant);
    FOR n IN 1 .. cardinality(returns) LOOP
        PERFORM membership.refund_order(after.merchant, name, 'R-' || n, returns[n], at => '2024-02-10 12:00+08');
    END LOOP;
    RETURN public.wallet(name);
END
$$;

-- ---- refunds that leave points or take them twice
SELECT is(after('leave', 199.90, '{199.90}'), 'none = 0', 'refunds that leave points: 199 earned, 199 taken');
-- 199.90 / 3: each floor of a third would leave points
SELECT is(after('parts', 199.90, '{66.63,66.63,66.64}'), 'none = 0', 'refunds that leave points: in three parts');
SELECT is(after('twice', 100, '{40}'), '60 to 26-02-02 = 60', 'refunds that take points twice: 40 of 100');
SELECT is(back('twice', 'R-1', 40) || ', ' || wallet('twice'), '40.00 cash 40.00, clawed 40, again, 60 to 26-02-02 = 60', 'refunds that take points twice: the call again');
SELECT is(code($$SELECT back('twice', 'R-2', 60.01)$$), 'MB109', 'refunds that take points twice: more than is left');
SELECT is(back('twice', 'R-2') || ', ' || code($$SELECT back('twice', 'R-3')$$) || ', ' || wallet('twice'), '60.00 cash 60.00, clawed 60, MB109, none = 0', 'refunds that take points twice: after the rest nothing is left');
-- earned points that have expired are not owed
UPDATE program SET expiry = '5 days';
SELECT is(after('expired', 100, '{100}'), 'none = 0', 'refunds that take points twice: those that expired unspent');
UPDATE program SET expiry = '24 months';
SELECT fund('paid', 1000) \gset
SELECT is(after('paid', 500, '{100,200,200}', 1000), '1000 to 26-02-02 = 1000', 'refunds that leave points: those that paid come back, those that were earned go');

-- ---- limits that concurrent orders pass
-- beside each other: test/specs/spending.spec (redeem1 redeem2: what two spend of a balance), refund.spec; here one after the other
UPDATE burn_rule SET daily_cap = 500;
SELECT fund('cap', 1000) \gset
SELECT redeem_points(m('cap'), 300, 'r1', 1, 'P-1', 1000, at => '2024-02-03 12:00+08') \gset
SELECT is(take($$SELECT redeem_points(m('cap'), 300, 'r2', 1, 'P-2', 1000, at => '2024-02-03 12:00+08')$$), 'MB103 the daily cap of points is exceeded', 'limits that orders pass: a second order of the day is limited by the first');
SELECT redeem_points(m('cap'), 200, 'r2', 1, 'P-2', 1000, at => '2024-02-03 12:00+08') \gset
SELECT is(sale('cap', 'P-1', 1000, at => '2024-02-03 12:00+08') || ', ' || back('P-1', 'R-1', at => '2024-02-03 13:00+08'), 'posted 991, 1000.00 cash 991.00, restored 300, clawed 991', 'limits that orders pass: what was returned on the day');
SELECT is((quote_redemption(m('cap'), 10000, at => '2024-02-03 14:00+08')).max_points, 300::bigint, 'limits that orders pass: counts no more');
UPDATE burn_rule SET daily_cap = NULL;
-- the share of an order, in parts
SELECT is(take($$SELECT accrue_points(m('cap'), 1, 100, 'P-3', tenders => '[{"kind": "points", "points": 500}, {"kind": "points", "points": 100, "ref": "x"}]', at => '2024-02-04 12:00+08')$$), 'MB103 the share of the order that points may pay is exceeded', 'limits that orders pass: the share in two tenders');

-- ---- one event paid twice
SELECT is(sale('once', 'E-1', 100) || ', ' || sale('once', 'E-1', 100) || ', ' || wallet('once'), 'posted 100, posted 100, 100 to 26-02-02 = 100', 'one event paid twice: a receipt twice');
SELECT is(code($$SELECT sale('other', 'E-1', 100)$$), 'MB202', 'one event paid twice: a receipt by two members');
SELECT accrue_points(m('once'), 1, 100, 'E-2', external_refs => '{"wechat": "w-1"}', at => '2024-02-02 12:00+08') \gset
SELECT is(duplicate, true, 'one event paid twice: a receipt by another name') FROM accrue_points(m('once'), 1, 100, 'w-1', external_refs => '{"wechat": "w-1"}', at => '2024-02-02 12:00+08');
SELECT grant_points(m('once'), 50, 'task', 'G', at => '2024-02-03 12:00+08') \gset
SELECT is(duplicate, true, 'one event paid twice: a grant') FROM grant_points(m('once'), 50, 'task', 'G', at => '2024-02-03 12:00+08');
-- a bonus for the first purchase, returned and bought again
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, condition, valid_during) VALUES (1, 'welcome', 'Welcome', 'active', 'bonus_points', 100, 'first_purchase', '[2024-04-01,2024-05-01)');
SELECT is(sale('again', 'E-3', 10, at => '2024-04-01 12:00+08') || ', ' || back('E-3', 'R-1', at => '2024-04-01 13:00+08') || ', ' || sale('again', 'E-4', 10, at => '2024-04-01 14:00+08') || ', ' || wallet('again'),
          'posted 110, 10.00 cash 10.00, clawed 110, posted 110, 110 to 26-04-02 = 110', 'one event paid twice: bought, returned, bought again');

-- ---- points earned on the part paid with points
SELECT fund('part', 2500) \gset
SELECT is(sale('part', 'S-1', 500, points => 2500), 'posted 425', 'points earned on the part paid with points: 75.00 of 500.00 are');
SELECT is(ROW(basis, points_earned)::text, '(425.00,425)', 'points earned on the part paid with points: nor do they count for tiers') FROM activity_day WHERE member_id = m('part') AND day = '2024-02-01';

-- ---- floats
SELECT is(count(*), 0::bigint, 'floats: no column has one')
  FROM information_schema.columns WHERE table_schema = 'membership' AND data_type IN ('real', 'double precision');
SELECT is(sale('flo', 'F-1', 0.3, '[{"amount": 0.1}, {"amount": 0.2}]'), 'posted 0', 'floats: 0.1 + 0.2 is 0.3');
SELECT is(sale('flo', 'F-2', 100, (SELECT jsonb_agg(jsonb_build_object('amount', 0.01)) FROM generate_series(1, 999)) || '[{"amount": 90.01}]'), 'posted 100', 'floats: 999 times 0.01');
SELECT is(sale('flo', 'F-3', 9999999999999.99) || ', ' || back('F-3', 'R-1', 0.01) || ', ' || back('F-3', 'R-2', 9999999999999.97), 'posted 9999999999999, 0.01 cash 0.01, 9999999999999.97 cash 9999999999999.97, clawed 9999999999999', 'floats: of ten million million nothing is rounded off');

-- ---- a merged member's second card dead
UPDATE program SET expiry = 'never';
SELECT is(sale('first', 'V-1', 100) || ', ' || sale('second', 'V-2', 50), 'posted 100, posted 50', 'a merged member''s second card dead: two cards');
SELECT m('second') AS second \gset
SELECT merge_members(m('first'), :second, 'two cards of one person') \gset
SELECT is(balance, 160::bigint, 'a merged member''s second card dead: its number earns') FROM accrue_points(:second, 1, 10, 'V-3');
SELECT is(balance, 60::bigint, 'a merged member''s second card dead: and spends') FROM redeem_points(find_member('card', 'second'), 100, 'V-4', 1, 'V-5', 1000);
SELECT is(concat_ws(' ', points_clawed, balance), '50 10', 'a merged member''s second card dead: what it bought is returned') FROM refund_order(1, 'V-2', 'R-1', member_id => :second);
UPDATE program SET expiry = '24 months';

-- ---- tiers measured on the balance instead of what was earned
SELECT is(sale('tier', 'T-1', 4000), 'posted 4000', 'tiers measured on the balance: 4,000');
SELECT adjust_points(m('tier'), -4000, 'spent', 'A', '2024-02-02 12:00+08') \gset
SELECT is(tier, 'silver', 'tiers measured on the balance: though they are spent, 1,000 more make silver') FROM accrue_points(m('tier'), 1, 1000, 'T-2', at => '2024-02-03 12:00+08');
SELECT fund('gift', 100000) \gset
SELECT is(tier, 'regular', 'tiers measured on the balance: points that were given make none') FROM accrue_points(m('gift'), 1, 1, 'T-3', at => '2024-02-03 12:00+08');

-- ---- points expiring a day early by UTC
UPDATE program SET expiry = '30 days';
-- bought at 00:30 of 2 February in Shanghai, 1 February in UTC: valid through 3 March, there
SELECT is(sale('utc', 'U-1', 100, at => '2024-02-02 00:30+08'), 'posted 100', 'points expiring a day early: bought after midnight');
SELECT is(expires_at, '2024-03-04 00:00+08', 'points expiring a day early: valid until the end of 3 March') FROM lot WHERE member_id = m('utc');
SELECT is(take($$SELECT adjust_points(m('utc'), -100, 'x', 'A', '2024-03-03 23:59:59.999999+08')$$), format('(3,-100,0,f)'), 'points expiring a day early: spent in the last second');
SELECT is(code($$SELECT adjust_points(m('utc'), -100, 'x', 'A', '2024-03-04 00:00+08')$$), 'MB101', 'points expiring a day early: dead at midnight');
-- given back by a return in the last second
UPDATE program SET expiry = '24 months';
SELECT fund('uback', 500, '2024-03-04 00:00+08') \gset
SELECT is(sale('uback', 'U-2', 500, points => 500) || ', ' || back('U-2', 'R-1', 250, at => '2024-03-03 23:59:59.999999+08') || ', ' || back('U-2', 'R-2', at => '2024-03-04 00:00+08'),
          'posted 485, 250.00 cash 242.50, restored 250, clawed 243, 250.00 cash 242.50, forfeited 250, clawed 242', 'points expiring a day early: given back while they live, to the microsecond');

-- ---- refunds computed with today's rules
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, valid_during) VALUES (2, 'double', 'Double week', 'active', 'multiplier', 2, '[2024-06-01,2024-06-08)');
SELECT is(sale('rules', 'Q-1', 100, at => '2024-06-02 12:00+08') || ', ' || sale('rules', 'Q-2', 100, at => '2024-05-30 12:00+08', posted => '2024-06-02 12:00+08'), 'posted 200, posted 100', 'refunds computed with today''s rules: bought in the double week and before');
SELECT is(back('Q-2', 'R-1', at => '2024-06-03 12:00+08') || ', ' || back('Q-1', 'R-1', at => '2024-06-20 12:00+08') || ', ' || wallet('rules'),
          '100.00 cash 100.00, clawed 100, 100.00 cash 100.00, clawed 200, none = 0', 'refunds computed with today''s rules: returned in it and after');

-- ---- only one partial refund per order
-- 0.50 a hundred and ninety-nine times leaves 0.50: 99.5 of 100 points taken, half up
SELECT is(after('many', 100, (SELECT array_agg(0.50) FROM generate_series(1, 199))), 'none = 0', 'only one partial refund per order: 199 of them');
SELECT is(back('many', 'R-200') || ', ' || days('many'), '0.50 cash 0.50, 02-01: 0 0.00 0 0, 0 100.00 0.00; 02-10: 0 0.00 0 0, 0 0.00 100.00', 'only one partial refund per order: and the last');

-- ---- merchants paid twice after a refund
SELECT fund('mer', 5000) \gset
UPDATE contract SET redemption_price = 0.02 WHERE contract_id = 2;
SELECT is(sale('mer', 'X-1', 500, points => 2500, merchant => 2), 'posted 425', 'merchants paid twice: the mall owes the shop 500.00');
SELECT is(owed('mer'), '2 commission 25.00/, 2 points_contribution 25.00/2500, 2 points_issued 4.25/425, 2 sale -500.00/', 'merchants paid twice: and the shop commission, its part of the points, and those issued');
SELECT is(back('X-1', 'R-1', 200, merchant => 2) || ', ' || owed('mer'), '200.00 cash 170.00, restored 1000, clawed 170, 2 commission 15.00/, 2 points_contribution 15.00/1500, 2 points_issued 2.55/255, 2 sale -300.00/',
          'merchants paid twice: after 200.00 were returned, that of 300.00');
SELECT is(back('X-1', 'R-2', merchant => 2) || coalesce(owed('mer'), ', nothing'), '300.00 cash 255.00, restored 1500, clawed 255, nothing', 'merchants paid twice: after the rest, nothing');
SELECT is(sum(amount * CASE WHEN payer_party_id = 1 THEN 1 ELSE -1 END), 0.00, 'merchants paid twice: merchant_unsettled says so') FROM merchant_unsettled WHERE merchant_id = 2 AND kind = 'sale';
SELECT is(sale('mer', 'X-2', 500, merchant => 2, at => '2024-02-12 12:00+08') || ', ' || owed('mer'), 'posted 500, 2 commission 25.00/, 2 points_issued 5.00/500, 2 sale -500.00/', 'merchants paid twice: sold again, paid once');
SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');

SELECT * FROM finish();
ROLLBACK;
