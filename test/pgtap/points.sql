-- Points by hand, debt, expiry, and what the reading functions and views say, touched or not.
\set tests 156
\ir setup.psql
SELECT open_mall() \gset

-- grants
SELECT enrol('pat') \gset
SELECT is(ROW(journal_no, points, balance, duplicate)::text, '(2,100,100,f)', 'a grant')
  FROM grant_points(m('pat'), 100, 'welcome', 'g1', at => '2024-01-10 12:00+08');
SELECT is(ROW(verb, points, balance, reason, day, occurred_at, posted_at)::text, '(grant,100,100,welcome,2024-01-10,"2024-01-10 04:00:00+00","2024-01-10 04:00:00+00")', 'is an event')
  FROM journal WHERE member_id = m('pat') AND journal_no = 2;
-- 24 months: through 2026-01-10
SELECT is(ROW(granted, active_at, expires_at, origin)::text, '(100,"2024-01-10 04:00:00+00","2026-01-10 16:00:00+00",grant)', 'whose points live as long as any')
  FROM lot WHERE member_id = m('pat') AND lot_no = 1;
SELECT is(ROW(journal_no, points, balance)::text, '(3,5,105)', 'an adjustment upwards is one too') FROM adjust_points(m('pat'), 5, 'typo', 'g1', at => '2024-01-11 12:00+08');
SELECT is(ROW(origin, expires_at)::text, '(adjustment,"2026-01-11 16:00:00+00")', 'with a lot of its own') FROM lot WHERE member_id = m('pat') AND lot_no = 2;
SELECT is(ROW(journal_no, points, balance, duplicate)::text, '(2,100,100,t)', 'the grant again: its first result, balance as it was then')
  FROM grant_points(m('pat'), 100, 'welcome', 'g1', at => '2024-01-10 12:00+08');
SELECT is(ROW(journal_no, points, balance, duplicate)::text, '(3,5,105,t)', 'the adjustment of the same ref again: refs are per verb')
  FROM adjust_points(m('pat'), 5, 'typo', 'g1', at => '2024-01-11 12:00+08');
SELECT throws_ok(format('SELECT membership.grant_points(public.m(''pat''), %s)', args), code, NULL, format('%s: grant %s', code, args))
  FROM (VALUES ('101, ''welcome'', ''g1'', at => ''2024-01-10 12:00+08''', 'MB201'), ('100, ''hello'', ''g1'', at => ''2024-01-10 12:00+08''', 'MB201'),
               ('100, ''welcome'', ''g1''', 'MB201'), ('100, ''welcome'', ''g1'', expires_at => ''2026-01-11 00:00+08'', at => ''2024-01-10 12:00+08''', 'MB201'),
               ('0, ''x'', ''g9''', '22023'), ('-1, ''x'', ''g9''', '22023'), ('1000000000000001, ''x'', ''g9''', '22003'), ('NULL, ''x'', ''g9''', '22004'),
               ('1, NULL, ''g9''', '22004'), ('1, '''', ''g9''', '22023'), ('1, ''x'', NULL', '22004'), ('1, ''x'', ''''', '22023'), ('1, ''x'', repeat(''r'', 201)', '22023'),
               ('1, repeat(''r'', 1001), ''g9''', '22023'), ('1, ''x'', ''g9'', expires_at => ''infinity''', '22023'),
               ('1, ''x'', ''g9'', expires_at => ''2024-02-01 12:00+08'', at => ''2024-02-01 12:00+08''', '22023'),
               ('1, ''x'', ''g9'', expires_at => ''2024-01-31 12:00+08'', at => ''2024-02-01 12:00+08''', '22023')) a (args, code);
SELECT throws_ok(format('SELECT membership.adjust_points(public.m(''pat''), %s)', args), code, NULL, format('%s: adjust %s', code, args))
  FROM (VALUES ('0, ''x'', ''g9''', '22023'), ('1000000000000001, ''x'', ''g9''', '22003'), ('-1000000000000001, ''x'', ''g9''', '22003'), ('NULL, ''x'', ''g9''', '22004'),
               ('-5, ''typo'', ''g1'', at => ''2024-01-11 12:00+08''', 'MB201'), ('-106, ''x'', ''g9'', at => ''2024-01-11 12:00+08''', 'MB101')) a (args, code);
SELECT is(count(*), 0::bigint, 'what was refused has claimed no ref') FROM source_key WHERE ref = 'g9';
SELECT is(ROW(points, duplicate)::text, '(100,f)', 'another member''s ref is another ref') FROM grant_points(enrol('paul'), 100, 'welcome', 'g1', at => '2024-01-10 12:00+08');
SELECT is(ROW(points, balance)::text, '(1000000000000000,1000000000000000)', 'the largest grant') FROM grant_points(enrol('max'), 1000000000000000, 'max', 'g1');
SELECT throws_ok($$SELECT membership.grant_points(m('max'), 1, 'more', 'g2')$$, '22003', NULL, 'a balance beyond it is refused');
SELECT throws_ok($$SELECT membership.accrue_points(m('max'), 1, 1, 'max 1')$$, '22003', NULL, 'by a purchase too');

-- what is taken first: earliest expiry, then lot number; without end last
SELECT enrol('dee') \gset
SELECT grant_points(m('dee'), 100, 'a', 'a', expires_at => '2030-01-01 00:00+08', at => '2024-01-10 12:00+08') \gset
SELECT grant_points(m('dee'), 50, 'b', 'b', expires_at => '2029-01-01 00:00+08', at => '2024-01-10 12:00+08') \gset
UPDATE program SET expiry = 'never';
SELECT grant_points(m('dee'), 20, 'c', 'c', at => '2024-01-10 12:00+08') \gset
UPDATE program SET expiry = '24 months';
SELECT grant_points(m('dee'), 10, 'd', 'd', expires_at => '2029-01-01 00:00+08', at => '2024-01-10 12:00+08') \gset
SELECT is(array_agg(ROW(lot_no, remaining, expires_at)::text ORDER BY lot_no),
          '{"(1,100,\"2029-12-31 16:00:00+00\")","(2,50,\"2028-12-31 16:00:00+00\")","(3,20,)","(4,10,\"2028-12-31 16:00:00+00\")"}', 'four lots with ends of their own, or none')
  FROM lot WHERE member_id = m('dee');
SELECT is(ROW(journal_no, points, balance, duplicate)::text, '(6,-55,125,f)', 'an adjustment downwards')
  FROM adjust_points(m('dee'), -55, 'x', '1', at => '2024-02-01 12:00+08');
SELECT is(array_agg(ROW(lot_no, points, balance_after)::text ORDER BY entry_no), '{"(2,-50,130)","(4,-5,125)"}', 'takes the earliest expiry first, of two the lower number')
  FROM ledger_entry WHERE member_id = m('dee') AND journal_no = 6;
SELECT is(ROW(points, balance)::text, '(-110,15)', 'another') FROM adjust_points(m('dee'), -110, 'x', '2', at => '2024-02-01 12:00+08');
SELECT is(array_agg(ROW(lot_no, points, balance_after)::text ORDER BY entry_no), '{"(4,-5,120)","(1,-100,20)","(3,-5,15)"}', 'and what never expires last')
  FROM ledger_entry WHERE member_id = m('dee') AND journal_no = 7;
SELECT is(array_agg(ROW(lot_no, granted, remaining)::text), '{"(3,20,15)"}', 'lots leave when they are used up') FROM lot WHERE member_id = m('dee');
SELECT throws_ok($$SELECT membership.adjust_points(m('dee'), -16, 'x', '3', at => '2024-02-01 12:00+08')$$, 'MB101',
                 format('member %s has not enough points', m('dee')), 'more than there is cannot be taken');
SELECT is(ROW(points, balance, duplicate)::text, '(-15,0,f)', 'all there is can, with the ref that was refused') FROM adjust_points(m('dee'), -15, 'x', '3', at => '2024-02-01 12:00+08');
SELECT is(ROW(points, balance, duplicate)::text, '(-55,125,t)', 'the first again') FROM adjust_points(m('dee'), -55, 'x', '1', at => '2024-02-01 12:00+08');

-- pending points cannot be taken
SELECT enrol('pen') \gset
UPDATE program SET pending_days = 7;
SELECT is(status, 'pending', 'a purchase of 1 July, pending until 8 July begins') FROM accrue_points(m('pen'), 1, 100, 'pen 1', at => '2024-07-01 12:00+08');
UPDATE program SET pending_days = 0;
SELECT throws_ok($$SELECT membership.adjust_points(m('pen'), -1, 'x', '1', at => '2024-07-07 23:59:59.999999+08')$$, 'MB101', NULL, 'is not there a microsecond before');
SELECT is(ROW(points, balance)::text, '(-1,99)', 'but is when it begins') FROM adjust_points(m('pen'), -1, 'x', '1', at => '2024-07-08 00:00+08');

-- expiry, half-open: a lot that expires at an instant is dead at that instant
SELECT enrol('exp') \gset
SELECT grant_points(m('exp'), 100, 'x', '1', expires_at => '2024-02-01 00:00+08', at => '2024-01-10 12:00+08') \gset
SELECT is(ROW(points, balance)::text, '(-1,99)', 'alive until the last microsecond') FROM adjust_points(m('exp'), -1, 'x', '1', at => '2024-01-31 23:59:59.999999+08');
SELECT throws_ok($$SELECT membership.adjust_points(m('exp'), -1, 'x', '2', at => '2024-02-01 00:00+08')$$, 'MB101', NULL, 'dead when it ends');
SELECT is(count(*), 3::bigint, 'the refusal left nothing, no expiry either') FROM journal WHERE member_id = m('exp');
SELECT is(ROW(journal_no, points, balance)::text, '(5,5,5)', 'the next posting expires it first') FROM grant_points(m('exp'), 5, 'x', '3', at => '2024-02-01 00:00+08');
SELECT is(ROW(verb, points, balance, occurred_at, posted_at, day)::text, '(expiry,-99,0,"2024-01-31 16:00:00+00","2024-01-31 16:00:00+00",2024-02-01)', 'as an event of the time when it died')
  FROM journal WHERE member_id = m('exp') AND journal_no = 4;
SELECT is(ROW(points, duplicate)::text, '(100,t)', 'a grant repeated after its points'' death is still the first result')
  FROM grant_points(m('exp'), 100, 'x', '1', expires_at => '2024-02-01 00:00+08', at => '2024-01-10 12:00+08');
SELECT enrol('eve') \gset
SELECT grant_points(m('eve'), points, 'x', ref, expires_at => expires_at::timestamptz, at => '2024-01-10 12:00+08')
  FROM (VALUES (30, 'a', '2024-03-01 00:00+08'), (10, 'b', '2024-02-01 00:00+08'), (20, 'c', '2024-02-01 00:00+08'), (40, 'd', '2030-01-01 00:00+08')) g (points, ref, expires_at) \g /dev/null
SELECT is(status, 'posted', 'a purchase after two ends') FROM accrue_points(m('eve'), 1, 0, 'eve 1', at => '2024-04-01 12:00+08');
SELECT is(array_agg(ROW(verb, points, balance, occurred_at)::text ORDER BY journal_no),
          '{"(expiry,-30,70,\"2024-01-31 16:00:00+00\")","(expiry,-30,40,\"2024-02-29 16:00:00+00\")","(accrual,0,40,\"2024-04-01 04:00:00+00\")"}', 'one expiry event for each end, in order of time')
  FROM journal WHERE member_id = m('eve') AND journal_no > 5;
SELECT is(array_agg(ROW(journal_no, lot_no, points)::text ORDER BY entry_no), '{"(6,2,-10)","(6,3,-20)","(7,1,-30)"}', 'with an entry for each lot')
  FROM ledger_entry WHERE member_id = m('eve') AND points < 0;
SELECT is(next_expiry, '2030-01-01 00:00+08'::timestamptz, 'the account knows the next end') FROM account WHERE member_id = m('eve');

-- debt
UPDATE program SET allow_debt = true;
SELECT enrol('deb') \gset
SELECT grant_points(m('deb'), 30, 'x', 'g1', at => '2024-02-01 12:00+08') \gset
SELECT is(ROW(points, balance)::text, '(-80,-50)', 'with allow_debt an adjustment can exceed what is there') FROM adjust_points(m('deb'), -80, 'x', 'a1', at => '2024-02-02 12:00+08');
SELECT is(array_agg(ROW(lot_no, points, balance_after)::text ORDER BY entry_no), '{"(1,-30,0)","(0,-50,-50)"}', 'the rest is debt, on lot 0')
  FROM ledger_entry WHERE member_id = m('deb') AND journal_no = 3;
SELECT is(ROW(balance, debt)::text, '(-50,50)', 'in the account') FROM account WHERE member_id = m('deb');
SELECT is(ROW(balance, available, pending, held, debt)::text, '(-50,-50,0,0,50)', 'and in the balances') FROM member_balance WHERE member_id = m('deb');
SELECT is(ROW(points, balance)::text, '(20,-30)', 'a credit pays debt first') FROM grant_points(m('deb'), 20, 'x', 'g2', at => '2024-02-03 12:00+08');
SELECT is(array_agg(ROW(lot_no, points, balance_after)::text ORDER BY entry_no), '{"(4,20,-30)","(4,-20,-50)","(0,20,-30)"}', 'by two further entries')
  FROM ledger_entry WHERE member_id = m('deb') AND journal_no = 4;
SELECT is(ROW(points, balance)::text, '(70,40)', 'a larger one leaves a lot') FROM grant_points(m('deb'), 70, 'x', 'g3', at => '2024-02-04 12:00+08');
SELECT is(array_agg(ROW(lot_no, points, balance_after)::text ORDER BY entry_no), '{"(7,70,40)","(7,-30,10)","(0,30,40)"}', 'of what the debt did not take')
  FROM ledger_entry WHERE member_id = m('deb') AND journal_no = 5;
SELECT is(ROW(l.granted, l.remaining, a.balance, a.debt)::text, '(70,40,40,0)', 'and no debt') FROM lot l JOIN account a USING (member_id, wallet_id) WHERE l.member_id = m('deb');
SELECT is(ROW(points, balance)::text, '(-40,0)', 'what is left can be taken') FROM adjust_points(m('deb'), -40, 'x', 'a2', at => '2024-02-05 12:00+08');
SELECT is(ROW(points, balance)::text, '(-60,-60)', 'debt out of nothing') FROM adjust_points(m('deb'), -60, 'x', 'a3', at => '2024-02-05 12:00+08');
SELECT is(ROW(status, points, balance)::text, '(posted,99,39)', 'a purchase pays debt too') FROM accrue_points(m('deb'), 1, 99.90, 'deb 1', at => '2024-02-06 12:00+08');
UPDATE program SET allow_debt = false;
SELECT throws_ok($$SELECT membership.adjust_points(m('deb'), -40, 'x', 'a4', at => '2024-02-07 12:00+08')$$, 'MB101', NULL, 'without allow_debt it is refused');
UPDATE program SET allow_debt = true;

-- pending lots pay debt only once active, in the order in which they became active
UPDATE merchant SET pending_days = 30 WHERE merchant_id = 1;
UPDATE merchant SET pending_days = 10 WHERE merchant_id = 2;
SELECT enrol('ord') \gset
SELECT accrue_points(m('ord'), 1, 40, 'ord 1', at => '2024-06-10 12:00+08') \gset
SELECT accrue_points(m('ord'), 2, 40, 'ord 2', at => '2024-06-20 12:00+08') \gset
SELECT is(ROW(points, balance)::text, '(-50,30)', 'pending points stay when debt is made') FROM adjust_points(m('ord'), -50, 'x', 'a1', at => '2024-06-25 12:00+08');
SELECT is(array_agg(ROW(lot_no, points)::text), '{"(0,-50)"}', 'all of it') FROM ledger_entry WHERE member_id = m('ord') AND journal_no = 4;
SELECT is(points, 0::bigint, 'a purchase before either is active') FROM accrue_points(m('ord'), 1, 0, 'ord 3', at => '2024-06-29 23:59:59.999999+08');
SELECT is(debt, 50::bigint, 'pays nothing') FROM account WHERE member_id = m('ord');
SELECT is(balance, 30::bigint, 'a purchase after both are active') FROM accrue_points(m('ord'), 1, 0, 'ord 4', at => '2024-07-20 12:00+08');
-- bought on 20 June + 10 = 30 June; on 10 June + 30 = 10 July
SELECT is(array_agg(ROW(verb, points, balance, occurred_at, posted_at)::text ORDER BY journal_no),
          '{"(debt_payment,0,30,\"2024-06-29 16:00:00+00\",\"2024-07-20 04:00:00+00\")","(debt_payment,0,30,\"2024-07-09 16:00:00+00\",\"2024-07-20 04:00:00+00\")"}',
          'finds two payments, each of the time when its lot became active') FROM journal WHERE member_id = m('ord') AND verb = 'debt_payment';
SELECT is(array_agg(ROW(lot_no, e.points)::text ORDER BY entry_no), '{"(2,-40)","(0,40)","(1,-10)","(0,10)"}', 'the later lot became active first')
  FROM ledger_entry e JOIN journal j USING (member_id, journal_no) WHERE member_id = m('ord') AND j.verb = 'debt_payment';
UPDATE merchant SET pending_days = NULL;

-- payments and expiries in order of time: each lot lives for one day, 5 and 10 July
UPDATE program SET pending_days = 30, expiry = '1 months';
CREATE TEMP TABLE twin (name) AS VALUES ('touched'), ('untouched'), ('halfway');
SELECT enrol(name) FROM twin \g /dev/null
SELECT accrue_points(m(name), 1, 40, name || ' 1', at => '2024-06-05 12:00+08') FROM twin \g /dev/null
SELECT accrue_points(m(name), 1, 40, name || ' 2', at => '2024-06-10 12:00+08') FROM twin \g /dev/null
SELECT is(balance, 20::bigint, format('%s: two purchases of 40 points and debt of 60', name)) FROM twin, adjust_points(m(name), -60, 'x', 'a1', at => '2024-06-20 12:00+08');
UPDATE program SET pending_days = 0, expiry = '24 months';
SELECT is(array_agg(ROW(active_at, expires_at)::text ORDER BY lot_no), '{"(\"2024-07-04 16:00:00+00\",\"2024-07-05 16:00:00+00\")","(\"2024-07-09 16:00:00+00\",\"2024-07-10 16:00:00+00\")"}', 'lots of a day')
  FROM lot WHERE member_id = m('touched');
SELECT is(points, 0::bigint, 'one member is touched between the two') FROM accrue_points(m('halfway'), 1, 0, 'halfway 3', at => '2024-07-05 12:00+08');
SELECT is(ROW(points, balance)::text, '(1,1)', format('%s: 40 + 20 points pay the debt, 20 expire, 1 is new', name))
  FROM (VALUES ('touched'), ('halfway')) n (name), grant_points(m(n.name), 1, 'x', 'g1', expires_at => '2024-08-01 00:00+08', at => '2024-07-20 12:00+08');
SELECT is(array_agg(ROW(verb, points, balance, occurred_at)::text ORDER BY journal_no),
          '{"(debt_payment,0,20,\"2024-07-04 16:00:00+00\")","(debt_payment,0,20,\"2024-07-09 16:00:00+00\")","(expiry,-20,0,\"2024-07-10 16:00:00+00\")"}', format('%s: the same events', n.name))
  FROM (VALUES ('touched'), ('halfway')) n (name) JOIN journal ON member_id = m(n.name) WHERE verb IN ('debt_payment', 'expiry') GROUP BY n.name ORDER BY n.name DESC;
SELECT is(ROW(balance, available, pending, debt, next_expiry)::text, '(0,0,0,0,)', 'one that was not touched has the same balances to read') FROM member_balance WHERE member_id = m('untouched');
SELECT is(balance, 20::bigint, 'though its account is as last posted') FROM account WHERE member_id = m('untouched');
SELECT is(count(*), 0::bigint, 'and no lots') FROM member_lots WHERE member_id = m('untouched');
SELECT is(balance_at(m('untouched'), '2024-07-15 12:00+08'), balance_at(m('touched'), '2024-07-15 12:00+08'), 'balance_at of a past moment does not hang on later touches');
SELECT is(balance_at(m('untouched'), now()), 0::bigint, 'balance_at of now is the balance that member_balance reads');
-- pending 40 days and valid for 1 month: dead when it would become active
UPDATE program SET pending_days = 40, expiry = '1 months';
SELECT enrol('born') \gset
SELECT adjust_points(m('born'), -10, 'x', 'a1', at => '2024-06-01 12:00+08') \gset
SELECT accrue_points(m('born'), 1, 10, 'born 1', at => '2024-06-01 12:00+08') \gset
UPDATE program SET pending_days = 0, expiry = '24 months';
SELECT is(balance, -10::bigint, 'a lot born expired pays no debt') FROM accrue_points(m('born'), 1, 0, 'born 2', at => '2024-08-01 12:00+08');
SELECT is(array_agg(verb ORDER BY journal_no), '{enrolment,adjustment,accrual,expiry,accrual}', 'it expires') FROM journal WHERE member_id = m('born');

-- the Bookshop's points wait for 3 days; bought in May 2020 they lived until 2 May 2022
UPDATE program SET claim_days = 3660;
UPDATE merchant SET pending_days = 3 WHERE merchant_id = 2;
SELECT enrol('dead', '2020-01-01 10:00+08') \gset
SELECT adjust_points(m('dead'), -10, 'x', 'a1', at => '2024-01-02 12:00+08') \gset
SELECT accrue_points(m('dead'), 2, 40, 'dead 1', occurred_at => '2020-05-01 12:00+08', at => '2024-02-01 12:00+08') \gset
SELECT is(ROW(balance, debt)::text, '(-10,10)', 'points that were dead when they were posted pay no debt') FROM account WHERE member_id = m('dead');
SELECT is_empty($$SELECT * FROM membership.verify(m('dead'))$$, 'nor break an invariant');
UPDATE program SET claim_days = 30;
UPDATE merchant SET pending_days = NULL WHERE merchant_id = 2;

-- views at the moment of reading
SELECT enrol('vic') \gset
SELECT grant_points(m('vic'), 100, 'x', '1', expires_at => '2024-02-01 00:00+08', at => '2024-01-10 12:00+08') \gset
SELECT is(ROW(balance, available, pending, held, debt, next_expiry, expiring_30d)::text, '(0,0,0,0,0,,0)', 'a lot that died long ago does not count, though not swept') FROM member_balance WHERE member_id = m('vic');
SELECT is(ROW(balance, (SELECT count(*) FROM lot WHERE member_id = m('vic')))::text, '(100,1)', 'and it is not swept') FROM account WHERE member_id = m('vic');
SELECT is(count(*), 0::bigint, 'nor shown') FROM member_lots WHERE member_id = m('vic');
-- the like of which 30 are held until voided
INSERT INTO burn_rule (burn_rule_id, code, name, status, purpose, step, value) VALUES (2, 'item', 'Item', 'active', 'item', 10, 0.30);
SELECT enrol('vik') \gset
SELECT grant_points(m('vik'), 100, 'x', '1', expires_at => '2024-02-01 00:00+08', at => '2024-01-10 12:00+08') \gset
SELECT authorize_points(m('vik'), 30, 'h', ttl => NULL, purpose => 'item', at => '2024-01-11 12:00+08') \gset
SELECT is(ROW(balance, available, pending, held, debt)::text, '(30,0,0,30,0)', 'held points count though dead') FROM member_balance WHERE member_id = m('vik');
SELECT is(ROW(remaining, held, available, state)::text, '(30,30,0,held)', 'as held') FROM member_lots WHERE member_id = m('vik');
SELECT is(ROW(points, balance)::text, '(5,35)', 'the next posting expires what is not held') FROM grant_points(m('vik'), 5, 'x', '2', at => '2024-02-10 12:00+08');
UPDATE program SET allow_debt = false;
SELECT throws_ok($$SELECT membership.adjust_points(m('vik'), -6, 'x', '3', at => '2024-02-10 12:00+08')$$, 'MB101', NULL, 'and held points cannot be taken');

SELECT enrol('soon') \gset
SELECT grant_points(m('soon'), points, 'x', ref, expires_at => clock_timestamp() + life::interval)
  FROM (VALUES (10, 'a', '29 days'), (20, 'b', '31 days'), (5, 'c', '100 years')) g (points, ref, life) \g /dev/null
UPDATE program SET pending_days = 2;
SELECT is(ROW(status, points)::text, '(pending,7)', 'a purchase, pending') FROM accrue_points(m('soon'), 1, 7, 'soon 1');
UPDATE program SET pending_days = 0;
SELECT is(ROW(balance, available, pending, held, debt, expiring_30d)::text, '(42,35,7,0,0,10)', 'balances: 10 + 20 + 5 available, 7 pending, 10 of them to die within 30 days')
  FROM member_balance WHERE member_id = m('soon');
SELECT is(b.next_expiry, l.expires_at, 'the first of them is the next to die') FROM member_balance b JOIN lot l USING (member_id) WHERE member_id = m('soon') AND l.lot_no = 1;
SELECT is(array_agg(ROW(lot_no, remaining, available, state)::text ORDER BY lot_no), '{"(1,10,10,active)","(2,20,20,active)","(3,5,5,active)","(4,7,0,pending)"}', 'lots') FROM member_lots WHERE member_id = m('soon');

-- balance_at: what was so, and what was known
SELECT enrol('bal') \gset
SELECT accrue_points(m('bal'), 1, 100, 'bal 1', occurred_at => '2024-01-10 12:00+08', at => '2024-01-20 12:00+08') \gset
SELECT adjust_points(m('bal'), -30, 'x', 'a1', at => '2024-05-01 12:00+08') \gset
-- 24 months after 10 January 2024: through 10 January 2026
CREATE TEMP TABLE moment (at, known_at, points, what) AS VALUES
    (timestamptz '2020-01-01', timestamptz 'infinity', 0, 'before enrolment'),
    ('2024-01-10 11:59:59.999999+08', 'infinity', 0, 'before the purchase'),
    ('2024-01-10 12:00+08', 'infinity', 100, 'at the purchase'),
    ('2024-01-15 12:00+08', '2024-01-20 11:59:59.999999+08', 0, 'as known before it was posted'),
    ('2024-01-15 12:00+08', '2024-01-20 12:00+08', 100, 'as known when it was posted'),
    ('2024-05-01 12:00+08', 'infinity', 70, 'after the adjustment'),
    ('2024-06-01 12:00+08', '2024-04-30 12:00+08', 100, 'as known before the adjustment'),
    ('2026-01-10 23:59:59.999999+08', 'infinity', 70, 'a microsecond before they expire'),
    ('2026-01-11 00:00+08', 'infinity', 0, 'when they expire'),
    ('2026-01-11 00:00+08', '2024-04-30 12:00+08', 0, 'when they expire, as known before the adjustment'),
    ('2026-01-15 12:00+08', 'infinity', 0, 'after that');
SELECT is(balance_at(m('bal'), at, known_at), points::bigint, 'balance_at ' || what) FROM moment;
SELECT grant_points(m('bal'), 1, 'x', 'g1', at => '2026-01-20 12:00+08') \gset
SELECT is(balance_at(m('bal'), at, known_at), points::bigint, 'and once expiry is posted: ' || what) FROM moment;
SELECT is(balance_at(m('bal'), '2026-01-20 12:00+08'), 1::bigint, 'balance_at after a new grant');
SELECT is(balance_at(m('soon'), clock_timestamp()), 42::bigint, 'balance_at counts pending points');
SELECT throws_ok(format('SELECT membership.balance_at(public.m(''bal''), %s)', args), code, NULL, format('%s: balance_at %s', code, args))
  FROM (VALUES ('NULL', '22004'), ('now(), NULL', '22004'), ('''infinity''', '22023'), ('now(), ''-infinity''', '22023')) a (args, code);
SELECT is_empty($$SELECT b.member_id, b.balance, membership.balance_at(b.member_id, clock_timestamp()) FROM membership.member_balance b
                   WHERE b.held = 0 AND b.member_id NOT IN (m('untouched'), m('max')) AND b.balance <> membership.balance_at(b.member_id, clock_timestamp())$$,
                'member_balance and balance_at agree');

-- the statement
SELECT enrol('stm') \gset
SELECT accrue_points(m('stm'), 2, 12.50, 'stm 1', at => '2024-02-01 12:00+08') \gset
SELECT is(ROW(journal_no, entry_no, verb, points, balance_after, merchant_id, merchant, order_ref, amount, reason, occurred_at, posted_at, counterpart_id)::text,
          '(2,1,accrual,12,12,2,Bookshop,"stm 1",12.50,,"2024-02-01 04:00:00+00","2024-02-01 04:00:00+00",)', 'a line of a purchase') FROM statement(m('stm'), max_rows => 1) WHERE entry_no = 1;
SELECT accrue_points(m('stm'), 1, 0, 'stm 2', at => '2024-02-02 12:00+08') \gset
SELECT grant_points(m('stm'), 10, 'gift', 'g' || i, at => '2024-02-03 12:00+08') FROM generate_series(1, 3) i \g /dev/null
SELECT accrue_points(m('stm'), 1, 0, 'stm 3', at => '2024-02-04 12:00+08'), accrue_points(m('stm'), 1, 0, 'stm 4', at => '2024-02-04 12:00+08') \g /dev/null
SELECT adjust_points(m('stm'), -40, 'gone', 'a1', at => '2024-02-05 12:00+08') \gset
SELECT accrue_points(m('stm'), 1, 0, 'stm 5', at => '2024-02-06 12:00+08') \gset
-- newest first: -40 took 12 + 10 + 10 + 8, entries 5 to 8
SELECT is(array_agg(ROW(journal_no, entry_no, points, balance_after, reason)::text ORDER BY n),
          ARRAY['(10,,0,2,)', '(9,8,-8,2,gone)', '(9,7,-10,10,gone)', '(9,6,-10,20,gone)', '(9,5,-12,30,gone)', '(8,,0,42,)', '(7,,0,42,)',
                '(6,4,10,42,gift)', '(5,3,10,32,gift)', '(4,2,10,22,gift)', '(3,,0,12,)', '(2,1,12,12,)', '(1,,0,0,)'], 'a whole statement, with events that moved no points')
  FROM (SELECT *, row_number() OVER () AS n FROM statement(m('stm'))) s;
-- as documented: the next page begins before the smallest entry_no shown
CREATE FUNCTION public.paged(member_id bigint, max_rows integer) RETURNS SETOF membership.statement_line
LANGUAGE plpgsql AS $$
DECLARE
    before bigint;
    line   membership.statement_line;
    next   bigint;
BEGIN
    LOOP
        next := NULL;
        FOR line IN SELECT * FROM statement(member_id, before, max_rows) LOOP
            next := coalesce(line.entry_no, next);
            RETURN NEXT line;
        END LOOP;
        EXIT WHEN next IS NULL;
        before := next;
    END LOOP;
END
$$;
SELECT results_eq(format($$SELECT * FROM public.paged(public.m('stm'), %s)$$, n), $$SELECT * FROM membership.statement(public.m('stm'))$$, format('pages of %s: nothing lost, nothing twice', n))
  FROM generate_series(1, 9) n;
SELECT is(count(entry_no), 3::bigint, 'a page has as many entries as asked for') FROM statement(m('stm'), max_rows => 3);
SELECT is(array_agg(entry_no), '{4,3}', 'the page before entry 5') FROM statement(m('stm'), 5, 2) WHERE entry_no IS NOT NULL;
SELECT is(count(*), 0::bigint, 'what lies before the first entry came with its page') FROM statement(m('stm'), 1);
SELECT enrol('blank') \gset
SELECT is(array_agg(verb), '{enrolment}', 'a member without entries has a statement too') FROM statement(m('blank'));
SELECT throws_ok(format('SELECT * FROM membership.statement(%s)', args), code, NULL, format('%s: statement %s', code, args))
  FROM (VALUES ('NULL', '22004'), ('1, max_rows => 0', '22023'), ('1, max_rows => 10001', '22023'), ('1, max_rows => NULL', '22004')) a (args, code);
SELECT is(sum(points), (SELECT balance::numeric FROM account WHERE member_id = m('stm')), 'the view''s points add up to the balance') FROM member_statement WHERE member_id = m('stm');

SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
SELECT * FROM finish();
ROLLBACK;
