-- Holds: authorized, captured, voided, timed out; points that die or owe while they are held; what is read meanwhile.
\set tests 115
\ir setup.psql
SELECT open_mall() \gset
\ir spending.psql
UPDATE burn_rule SET share = NULL;
-- a hold's call at a time of February 2024
CREATE FUNCTION public.hold(name text, points bigint, ref text, ttl interval DEFAULT NULL, at timestamptz DEFAULT '2024-02-01 12:00+08') RETURNS text LANGUAGE sql AS $$
    SELECT h::text FROM membership.authorize_points(public.m(name), points, ref, ttl, at => at) h $$;
CREATE FUNCTION public.capture(name text, ref text, points bigint DEFAULT NULL, at timestamptz DEFAULT '2024-02-01 13:00+08') RETURNS text LANGUAGE sql AS $$
    SELECT h::text FROM membership.capture_points(public.m(name), ref, points, at) h $$;
CREATE FUNCTION public.void(name text, ref text, at timestamptz DEFAULT '2024-02-01 13:00+08') RETURNS text LANGUAGE sql AS $$
    SELECT h::text FROM membership.void_points(public.m(name), ref, at) h $$;
CREATE FUNCTION public.wallet(name text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('balance %s held %s debt %s', balance, held, debt) FROM membership.account WHERE member_id = public.m(name) $$;
-- a posting that moves no points but settles what is due
CREATE FUNCTION public.touch(name text, at timestamptz DEFAULT NULL) RETURNS bigint LANGUAGE sql AS $$
    SELECT points FROM membership.accrue_points(public.m(name), 1, 0, gen_random_uuid()::text, at => at) $$;

-- ------------------------------------------------------------------ authorize

SELECT fund('zoe', 100) \gset
SELECT hold('zoe', 100, 'h') \gset
SELECT is(lots('zoe'), '1:100/100', 'points set aside in their lot');
SELECT fund('ann', 300, '2024-06-01 00:00+08') \gset
SELECT fund('ann', 200, '2024-05-01 00:00+08') \gset
SELECT is(h::text, '(4,0,500,f)', 'a hold moves no points') FROM authorize_points(m('ann'), 300, 'h1', '2 hours', 3, 'ann-1', 588, channel => 'app', at => '2024-02-01 12:00+08') h;
SELECT is(ROW(wallet('ann'), lots('ann'))::text, '("balance 500 held 300 debt 0","1:300/100 2:200/200")', 'but sets them aside, earliest expiry first');
SELECT is(ROW(verb, points, balance, purpose, merchant_id, order_ref, channel, amount, rules)::text,
          '(authorization,0,500,payment,3,ann-1,app,9.00,"{""burn_rule"": {""code"": ""payment"", ""step"": 100, ""value"": 3.00, ""burn_rule_id"": 1}}")', 'is an event that keeps what they are worth')
  FROM journal WHERE member_id = m('ann') AND journal_no = 4;
SELECT is(ROW(hold_no, ref, points, expires_at, merchant_id, order_ref)::text, '(4,h1,300,"2024-02-01 06:00:00+00",3,ann-1)', 'and a row while it is open') FROM hold WHERE member_id = m('ann');
SELECT is(count(*), 0::bigint, 'no day counts it yet') FROM activity_day WHERE member_id = m('ann');
SELECT is(agree('ann'), format('200 = 6.00 by balance; 200 = 6.00; MB101 member %s has not enough points', m('ann')), 'what is held cannot be redeemed');
SELECT is(take($$SELECT authorize_points(m('ann'), 300, 'h2', at => '2024-02-01 12:00+08')$$), format('MB101 member %s has not enough points', m('ann')), 'nor held again');
SELECT is(take($$SELECT adjust_points(m('ann'), -201, 'x', 'a', at => '2024-02-01 12:00+08')$$), format('MB101 member %s has not enough points', m('ann')), 'nor taken');
SELECT is(h::text, '(4,0,500,t)', 'again: the first result') FROM authorize_points(m('ann'), 300, 'h1', '120 minutes', 3, 'ann-1', 588.00, channel => 'app', at => '2024-02-01 12:00+08') h;
SELECT is(take(format('SELECT authorize_points(m(''ann''), %s)', args)), 'MB201 ref "h1" was used before with other content', 'with other content: ' || args)
  FROM unnest(ARRAY['200, ''h1'', ''2 hours'', 3, ''ann-1'', 588, channel => ''app'', at => ''2024-02-01 12:00+08''', '300, ''h1'', ''3 hours'', 3, ''ann-1'', 588, channel => ''app'', at => ''2024-02-01 12:00+08''',
                    '300, ''h1'', NULL, 3, ''ann-1'', 588, channel => ''app'', at => ''2024-02-01 12:00+08''', '300, ''h1'', ''2 hours'', 2, ''ann-1'', 588, channel => ''app'', at => ''2024-02-01 12:00+08''',
                    '300, ''h1'', ''2 hours'', 3, ''ann-2'', 588, channel => ''app'', at => ''2024-02-01 12:00+08''', '300, ''h1'', ''2 hours'', 3, ''ann-1'', 587, channel => ''app'', at => ''2024-02-01 12:00+08''',
                    '300, ''h1'', ''2 hours'', 3, ''ann-1'', 588, at => ''2024-02-01 12:00+08''', '300, ''h1'', ''2 hours'', 3, ''ann-1'', 588, channel => ''app'', purpose => ''item'', at => ''2024-02-01 12:00+08''']) args;
SELECT is(left(take(format('SELECT authorize_points(m(''ann''), 100, ''t'', %L, at => ''2024-02-01 12:00+08'')', ttl)), 25), '22023 ttl is out of range', 'ttl ' || ttl)
  FROM unnest('{0,-1 second,3660 days 1 microsecond,101 years,1 day -24 hours,1000000000 hours,-2000000000 days,178000000 years}'::text[]) ttl;
SAVEPOINT ttl;
SELECT fund('ann', 100) \gset
SELECT hold('ann', 100, 'a', '1 microsecond'), hold('ann', 100, 'b', '1 month'), hold('ann', 100, 'c', '3660 days') \g /dev/null
-- a month is 30 days
SELECT is(array_agg(ref || ' ' || (expires_at - '2024-02-01 12:00+08') ORDER BY ref), '{"a 00:00:00.000001","b 30 days","c 3660 days"}', 'how long a hold may last') FROM hold WHERE member_id = m('ann') AND ref < 'h';
SELECT authorize_points(fund('now', 100, at => now()), 100, 'd') \gset
SELECT is(hold.expires_at - j.posted_at, interval '15 minutes', 'a quarter of an hour unless told') FROM hold JOIN journal j ON (j.member_id, j.journal_no) = (hold.member_id, hold.hold_no) WHERE ref = 'd';
ROLLBACK TO ttl;

-- ------------------------------------------------------------------ capture

SELECT fund('bo', 300, '2024-06-01 00:00+08') \gset
SELECT fund('bo', 200, '2024-05-01 00:00+08') \gset
SELECT hold('bo', 300, 'all'), hold('bo', 200, 'part') \gset
SELECT is(capture('bo', 'all'), '(6,-300,200,f)', 'captured in full');
SELECT is(ROW(moved('bo', 6), wallet('bo'), lots('bo'))::text, '("2:-200 1:-100","balance 200 held 200 debt 0",1:200/200)', 'what was held is gone, of the lots that held it');
SELECT is(ROW(verb, purpose, amount, refers_to, day)::text, '(capture,payment,9.00,4,2024-02-01)', 'an event of its own') FROM journal WHERE member_id = m('bo') AND journal_no = 6;
SELECT is(points_redeemed, 300::bigint, 'that counts for its day') FROM activity_day WHERE member_id = m('bo');
SELECT is(capture('bo', 'all'), '(6,-300,200,t)', 'again: the first result');
SELECT is(take(call), refusal, call)
  FROM (VALUES ($$SELECT capture('bo', 'all', 300)$$, 'MB201 ref "all" was used before with other content'), ($$SELECT capture('bo', 'all', at => '2024-02-01 14:00+08')$$, 'MB201 ref "all" was used before with other content'),
               ($$SELECT void('bo', 'all')$$, 'MB107 hold "all" is over'), ($$SELECT capture('bo', 'none')$$, format('MB008 member %s has no hold with ref "none"', m('bo'))), ($$SELECT void('bo', 'none')$$, format('MB008 member %s has no hold with ref "none"', m('bo'))),
               ($$SELECT capture('bo', 'part', 300)$$, 'MB103 300 points are more than hold "part" has'), ($$SELECT capture('bo', 'part', 150)$$, 'MB103 150 points are not whole steps'),
               ($$SELECT capture('bo', 'part', 0)$$, '22023 points must not be 0'), ($$SELECT capture('bo', 'part', -100)$$, '22023 points must not be -100'), ($$SELECT capture('bo', NULL)$$, '22004 ref must not be null'),
               ($$SELECT capture('bo', '')$$, '22023 ref must not be empty'), ($$SELECT void('bo', NULL)$$, '22004 ref must not be null')) v (call, refusal);
-- the rule may change meanwhile: a hold keeps its step and worth
UPDATE burn_rule SET step = 30, value = 0.10;
SELECT is(capture('bo', 'part', 100), '(7,-100,100,f)', 'captured in part, by the steps of its authorization');
SELECT is(ROW(amount, wallet('bo'), lots('bo'))::text, '(3.00,"balance 100 held 0 debt 0",1:100)', 'at the worth it had; the rest is free') FROM journal WHERE member_id = m('bo') AND journal_no = 7;
UPDATE burn_rule SET step = 100, value = 3;
SELECT is(take($$SELECT capture('bo', 'part')$$), 'MB201 ref "part" was used before with other content', 'a hold is captured once');
SELECT is_empty($$SELECT * FROM membership.hold WHERE member_id = m('bo') UNION ALL SELECT member_id, hold_no, NULL, points, NULL, NULL, NULL FROM membership.hold_lot WHERE member_id = m('bo')$$, 'no rows are left of it');
-- at a merchant, without an order: paid when it is captured, for what is captured
UPDATE contract SET redemption_price = 0.02;
SELECT fund('mer', 1000) \gset
SELECT authorize_points(m('mer'), 500, 'h1', NULL, 3, at => '2024-02-01 12:00+08'), authorize_points(m('mer'), 500, 'h2', NULL, 2, at => '2024-02-01 12:00+08') \gset
SELECT is(splits('mer', 3), NULL, 'a hold pays nobody');
SELECT capture('mer', 'h1', 200), capture('mer', 'h2') \gset
-- 200 x 0.02; 500 points = 15.00, 10.00 of the price
SELECT is(ROW(splits('mer', 5), splits('mer', 6))::text, '("points_redeemed 1>4 4.00/200","sale 1>3 15.00, points_contribution 3>1 5.00/500")', 'its capture does');

-- ------------------------------------------------------------------ void

SELECT fund('cy', 500) \gset
SELECT hold('cy', 300, 'v'), hold('cy', 200, 'w', '1 hour') \gset
SELECT is(void('cy', 'v', '2024-02-01 12:30+08'), '(5,0,500,f)', 'a void releases all');
SELECT is(ROW(wallet('cy'), lots('cy'), story('cy', 5))::text, '("balance 500 held 200 debt 0",1:500/200,"5 void 0")', 'and is an event');
SELECT is(refers_to, 3::bigint, 'of its authorization') FROM journal WHERE member_id = m('cy') AND journal_no = 5;
SELECT is(void('cy', 'v', '2024-02-01 12:30+08') || void('cy', 'v', '2024-02-01 12:40+08'), '(5,0,500,t)(5,0,500,t)', 'again: nothing');
SELECT is(take($$SELECT capture('cy', 'v')$$), 'MB107 hold "v" is over', 'it cannot be captured any more');
SELECT is(hold('cy', 300, 'v'), '(3,0,500,t)', 'authorized again: the first result, though it is over');
SELECT is(wallet('cy'), 'balance 500 held 200 debt 0', 'and nothing is held anew');
SELECT is(void('cy', 'w', '2024-02-01 13:00+08'), '(6,0,500,t)', 'a void that comes when the hold has timed out finds it over');
SELECT is(story('cy', 6), '6 timeout 0', 'and posts that');
SELECT is(void('cy', 'w', '2024-02-01 13:00+08') || story('cy', 6), '(6,0,500,t)6 timeout 0', 'once');

-- ------------------------------------------------------------------ time-outs

SELECT fund('tim', 1000) \gset
SELECT hold('tim', 100, 'h' || n, make_interval(mins => 10 * n)) FROM generate_series(1, 5) n \g /dev/null
SAVEPOINT tim;
SELECT touch('tim', '2024-02-01 12:09:59.999999+08') \gset
SELECT is(story('tim', 8), '8 accrual 0', 'a microsecond before it is open');
SELECT touch('tim', '2024-02-01 12:10+08') \gset
SELECT is(story('tim', 9), '9 timeout 0, 10 accrual 0', 'then it is over');
SELECT is(take($$SELECT capture('tim', 'h1', at => '2024-02-01 12:10+08')$$), 'MB107 hold "h1" is over', 'and cannot be captured');
ROLLBACK TO tim;
SELECT is(take($$SELECT capture('tim', 'h1', at => '2024-02-01 12:10+08')$$), 'MB107 hold "h1" is over', 'by the call that would find it over neither');
SELECT is(capture('tim', 'h2', at => '2024-02-01 12:19:59.999999+08'), '(9,-100,900,f)', 'the next, a microsecond before');
SELECT is(story('tim', 8), '8 timeout 0 on 02-01 12:10, 9 capture -100', 'dated when it happened');
SELECT touch('tim', '2024-02-02 12:00+08') \gset
SELECT is(story('tim', 10), '10 timeout 0 on 02-01 12:30, 11 timeout 0 on 02-01 12:40, 12 timeout 0 on 02-01 12:50, 13 accrual 0', 'the rest in order, when the member is met');
SELECT is(ROW(wallet('tim'), (SELECT next_expiry FROM account WHERE member_id = m('tim')))::text, '("balance 900 held 0 debt 0","2026-02-01 16:00:00+00")', 'all is free');
-- whoever meets the member: what each event begins with
SELECT fund('any', 1000, at => now() - interval '1 day') \gset
UPDATE program SET transfers = true;
SELECT authorize_points(m('any'), 100, 'h', '1 hour', at => now() - interval '1 day') \gset
SELECT enrol('other') \gset
CREATE FUNCTION public.met(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    BEGIN
        EXECUTE call;
        SELECT string_agg(verb, ' ' ORDER BY journal_no) INTO result FROM membership.journal WHERE member_id = public.m('any') AND journal_no > 3;
        RAISE EXCEPTION USING ERRCODE = 'TAP00';
    EXCEPTION WHEN SQLSTATE 'TAP00' THEN
        RETURN result;
    END;
END
$$;
SELECT is(met(call), 'timeout ' || verbs, call)
  FROM (VALUES ($$SELECT accrue_points(m('any'), 1, 10, 'any-1')$$, 'accrual'), ($$SELECT accrue_batch(ARRAY[ROW(m('any'), 1, 10, 'any-1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::purchase])$$, 'accrual'),
               ($$SELECT grant_points(m('any'), 10, 'x', 'g')$$, 'grant'), ($$SELECT adjust_points(m('any'), 10, 'x', 'a')$$, 'adjustment'), ($$SELECT adjust_points(m('any'), -10, 'x', 'a')$$, 'adjustment'),
               ($$SELECT redeem_points(m('any'), 1000, 'r')$$, 'redemption'), ($$SELECT authorize_points(m('any'), 1000, 'r')$$, 'authorization'), ($$SELECT transfer_points(m('any'), m('other'), 1000, 't')$$, 'transfer_out'),
               ($$SELECT set_tier(m('any'), 'gold', NULL, 'x')$$, 'tier_change'), ($$SELECT set_member_status(m('any'), 'frozen', 'x')$$, 'status_change'), ($$SELECT set_member_status(m('any'), 'closed', 'x')$$, 'status_change'),
               ($$SELECT transfer_points(m('other'), m('any'), 10, 't') FROM grant_points(m('other'), 10, 'x', 'g')$$, 'transfer_in')) v (call, verbs);

-- ------------------------------------------------------------------ points that die while they are held

-- 500 points die on 3 February; 300 of them are held
CREATE FUNCTION public.dying(name text, ttl interval DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.fund(name, 500, '2024-02-03 00:00+08');
    PERFORM public.hold(name, 300, 'h', ttl);
END
$$;
SELECT dying('d1'), dying('d2'), dying('d3'), dying('d4', '3 days'), dying('d5', '1 day') \gset
SELECT touch(d, '2024-02-03 12:00+08') FROM unnest('{d1,d2,d3}'::text[]) d \g /dev/null
SELECT is(ROW(story('d1', 4), wallet('d1'), lots('d1'))::text, '("4 expiry -200 on 02-03 00:00, 5 accrual 0","balance 300 held 300 debt 0",1:300/300)', 'what is not held expires');
SELECT is(capture('d1', 'h', at => '2024-02-10 12:00+08'), '(6,-300,0,f)', 'what is held can be captured');
SELECT is(ROW(story('d1', 6), wallet('d1'), lots('d1'))::text, '("6 capture -300","balance 0 held 0 debt 0",)', 'to the last');
SELECT is(capture('d2', 'h', 100, '2024-02-10 12:00+08'), '(6,-100,200,f)', 'captured in part');
SELECT is(ROW(story('d2', 6), wallet('d2'))::text, '("6 capture -100, 7 expiry -200","balance 0 held 0 debt 0")', 'the rest expires when it is released');
SELECT is(void('d3', 'h', '2024-02-10 12:00+08'), '(6,0,300,f)', 'a void');
SELECT is(ROW(story('d3', 6), wallet('d3'))::text, '("6 void 0, 7 expiry -300","balance 0 held 0 debt 0")', 'lets all expire');
SELECT is(void('d3', 'h', '2024-02-11 12:00+08'), '(6,0,300,t)', 'again: as it was then');
SELECT touch('d4', '2024-02-10 12:00+08'), touch('d5', '2024-02-10 12:00+08') \g /dev/null
SELECT is(story('d4', 4), '4 expiry -200 on 02-03 00:00, 5 timeout 0 on 02-04 12:00, 6 expiry -300 on 02-04 12:00, 7 accrual 0', 'a time-out too, each at its own time');
SELECT is(story('d5', 4), '4 timeout 0 on 02-02 12:00, 5 expiry -500 on 02-03 00:00, 6 accrual 0', 'one that comes before: all die together');
-- a captured hold whose lots have died, reversed: they expire, or live on
SELECT reverse_redemption(m('d1'), 'h', 'x', at => '2024-02-11 12:00+08') \gset
SELECT is(ROW(story('d1', 7), wallet('d1'))::text, '("7 reversal 300, 8 expiry -300","balance 0 held 0 debt 0")', 'given back dead');
-- 30 holds of a lot that died, each over at a time of its own
SELECT fund('many', 3000, '2024-02-01 13:00+08') \gset
SELECT hold('many', 100, 'h' || n, make_interval(hours => n)) FROM generate_series(1, 30) n \g /dev/null
SELECT touch('many', '2024-03-01 12:00+08') \gset
SELECT is(ROW(count(*) FILTER (WHERE verb = 'timeout'), count(*) FILTER (WHERE verb = 'expiry'), min(occurred_at) FILTER (WHERE verb = 'expiry'), max(occurred_at), sum(points))::text,
          '(30,30,"2024-02-01 05:00:00+00","2024-03-01 04:00:00+00",0)', 'expire one after the other') FROM journal WHERE member_id = m('many');

-- ------------------------------------------------------------------ holds and debt

UPDATE program SET allow_debt = true;
-- 500 held until 4 February noon and 6 February noon (300, 200); 400 taken: debt 400
SELECT fund('deb', 500) \gset
SELECT hold('deb', 300, 'h1', '3 days'), hold('deb', 200, 'h2', '5 days') \gset
SELECT adjust_points(m('deb'), -400, 'x', 'a', at => '2024-02-01 12:00+08') \gset
SELECT is(wallet('deb'), 'balance 100 held 500 debt 400', 'held points pay no debt');
SELECT touch('deb', '2024-02-05 12:00+08') \gset
SELECT is(ROW(story('deb', 6), wallet('deb'), lots('deb'))::text, '("6 timeout 0 on 02-04 12:00, 7 debt_payment 0 on 02-04 12:00, 8 accrual 0","balance 100 held 200 debt 100",1:200/200)', 'released, they do at that moment');
SELECT is(void('deb', 'h2', '2024-02-05 13:00+08'), '(9,0,100,f)', 'voided');
SELECT is(ROW(story('deb', 9), wallet('deb'))::text, '("9 void 0, 10 debt_payment 0","balance 100 held 0 debt 0")', 'so does what a void releases');
-- one time, three things: at noon of 4 February a lot of 100 becomes active, another dies, and a hold of it is over
SELECT fund('all', 400, '2024-02-04 12:00+08') \gset
SELECT hold('all', 200, 'h', '3 days') \gset
SELECT adjust_points(m('all'), -350, 'x', 'a', at => '2024-02-01 12:00+08') \gset
SELECT is(wallet('all'), 'balance 50 held 200 debt 150', '200 taken, 150 owed');
UPDATE program SET pending_days = 3;
SELECT accrue_points(m('all'), 1, 100, 'all-1', at => '2024-02-01 12:00+08') \gset
UPDATE program SET pending_days = 0;
SELECT touch('all', '2024-02-10 12:00+08') \gset
-- the purchase's points are there from midnight of the 4th; at noon the 200 are released and dead, without having paid
SELECT is(ROW(story('all', 6), wallet('all'))::text, '("6 debt_payment 0 on 02-04 00:00, 7 timeout 0 on 02-04 12:00, 8 expiry -200 on 02-04 12:00, 9 accrual 0","balance -50 held 0 debt 50")', 'points released when they die have paid nothing');

-- ------------------------------------------------------------------ status

SELECT fund('fro', 1000, at => now()) \gset
SELECT authorize_points(m('fro'), 100, h, NULL, order_amount => 100) FROM unnest('{h1,h2,h3}'::text[]) h \g /dev/null
SELECT authorize_points(m('fro'), 100, 'h4', '1 microsecond', order_amount => 100) \gset
SELECT set_member_status(m('fro'), 'frozen', 'x') \gset
SELECT is(take(call), format('MB104 member %s is frozen', m('fro')), call) FROM unnest(ARRAY[$$SELECT capture_points(m('fro'), 'h1')$$, $$SELECT authorize_points(m('fro'), 100, 'h5')$$]) call;
SELECT is(take($$SELECT duplicate FROM void_points(m('fro'), 'h1')$$), 'false', 'a frozen member''s hold can be voided');
SELECT set_member_status(m('fro'), 'closed', 'x') \gset
SELECT is(take(call), format('MB102 member %s is closed', m('fro')), call) FROM unnest(ARRAY[$$SELECT capture_points(m('fro'), 'h1')$$, $$SELECT authorize_points(m('fro'), 100, 'h5')$$]) call;
SELECT is((SELECT duplicate FROM void_points(m('fro'), 'h1')), false, 'a closed one''s too');
SELECT is(wallet('fro'), 'balance 1000 held 200 debt 0', 'the one that was over is released');

-- ------------------------------------------------------------------ what is read, touched or not

UPDATE program SET pending_days = 0;
CREATE FUNCTION public.ago(days numeric) RETURNS timestamptz LANGUAGE sql AS $$ SELECT now() - days * interval '1 day' $$;
-- r1 an open hold; r2 one that is over; r3 over, its lot dead before, r4 after; r5 held and dead; r6 some of everything on two lots
SELECT fund('r' || n, 1000, at => ago(10)) FROM generate_series(1, 2) n \g /dev/null
SELECT fund('r' || n, 1000, CASE n WHEN 3 THEN ago(5) WHEN 4 THEN ago(1) ELSE ago(2) END, ago(10)) FROM generate_series(3, 5) n \g /dev/null
SELECT hold('r' || n, 300, 'h', CASE WHEN n IN (2, 3, 4) THEN interval '7 days' END, ago(10)) FROM generate_series(1, 5) n \g /dev/null
SELECT fund('r6', 400, ago(1), at => ago(10)) \gset
SELECT fund('r6', 400, at => ago(10)) \gset
SELECT hold('r6', 100, 'open', NULL, ago(10)), hold('r6', 100, 'over', '2 days', ago(10)), hold('r6', 500, 'both', '9.5 days', ago(10)) \g /dev/null
-- r7 in debt: 1,000 held for 3 days, 300 owed; a day later 500 become active and pay. r8: as r7, its hold over before that. r9: 400 of debt, two holds over
UPDATE program SET pending_days = 2;
SELECT fund('r' || n, 1000, at => ago(10)) FROM generate_series(7, 9) n \g /dev/null
SELECT hold('r7', 1000, 'h', '3 days', ago(10)), hold('r8', 1000, 'h', '1 hour', ago(10)), hold('r9', 600, 'h1', '6 days', ago(10)), hold('r9', 400, 'h2', '6 days', ago(10)) \g /dev/null
SELECT adjust_points(m('r' || n), -300, 'x', 'a', at => ago(10)) FROM generate_series(7, 9) n \g /dev/null
SELECT accrue_points(m('r' || n), 1, CASE n WHEN 9 THEN 100 ELSE 500 END, 'r' || n, at => ago(10)) FROM generate_series(7, 9) n \g /dev/null
-- r10: pending points
SELECT fund('r10', 1000, at => ago(10)) \gset
SELECT hold('r10', 100, 'h', NULL, ago(9.5)), accrue_points(m('r10'), 1, 700, 'r10', at => now()) \g /dev/null
SELECT is(string_agg(format('r%s %s %s %s %s %s', n, balance, available, pending, held, debt), ', ' ORDER BY n),
          'r1 1000 700 0 300 0, r2 1000 1000 0 0 0, r3 0 0 0 0 0, r4 0 0 0 0 0, r5 300 0 0 300 0, r6 500 400 0 100 0, r7 1200 1200 0 0 0, r8 1200 1200 0 0 0, r9 800 800 0 0 0, r10 1700 900 700 100 0', 'balances, untouched')
  FROM generate_series(1, 10) n JOIN member_balance ON member_id = m('r' || n);
CREATE TEMP TABLE balances AS SELECT * FROM member_balance;
CREATE TEMP TABLE seen AS SELECT member_id, lot_no, remaining, held, available, state FROM member_lots;
SELECT is(string_agg(format('r%s %s:%s', n, ref, h.points), ', ' ORDER BY n, ref), 'r1 h:300, r5 h:300, r6 open:100, r10 h:100', 'member_holds has those that are open')
  FROM generate_series(1, 10) n JOIN member_holds h ON h.member_id = m('r' || n);
SELECT is(ROW(ref, points, purpose, cash_value, authorized_at, expires_at, merchant_id, order_ref)::text, ROW('h', 300, 'payment', 9.00, ago(10), NULL::timestamptz, NULL, NULL)::text, 'and what they are for') FROM member_holds WHERE member_id = m('r1');
SELECT touch('r' || n) FROM generate_series(1, 10) n \g /dev/null
SELECT is_empty($$SELECT b, m FROM balances b FULL JOIN membership.member_balance m USING (member_id, wallet) WHERE member_id >= m('r1')
                   AND (b.balance, b.available, b.pending, b.held, b.debt, b.next_expiry) IS DISTINCT FROM (m.balance, m.available, m.pending, m.held, m.debt, m.next_expiry)$$, 'touched, the balances are as they were read');
SELECT is_empty($$SELECT s, l FROM seen s FULL JOIN membership.member_lots l USING (member_id, lot_no) WHERE member_id >= m('r1')
                   AND (s.remaining, s.held, s.available, s.state) IS DISTINCT FROM (l.remaining, l.held, l.available, l.state)$$, 'and the lots');
SELECT is_empty($$SELECT b.*, a.* FROM membership.member_balance b JOIN membership.account a USING (member_id) WHERE b.member_id >= m('r1') AND (b.balance, b.held, b.debt) <> (a.balance, a.held, a.debt)$$, 'as the accounts have it');
SELECT is_empty($$SELECT * FROM membership.member_balance WHERE available <> balance - held - pending$$, 'available = balance - held - pending');
SELECT is_empty($$SELECT q, b FROM generate_series(1, 10) n JOIN membership.member_balance b ON b.member_id = m('r' || n), membership.quote_redemption(b.member_id) q
                   WHERE q.max_points <> b.available / 100 * 100$$, 'which a quote agrees with');

SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
SELECT * FROM finish();
ROLLBACK;
