-- Transfers: points move with their ends, the receiver's debt is paid first; limits, status, both statements.
\set tests 58
\ir setup.psql
SELECT open_mall() \gset
\ir spending.psql
-- a transfer at a time of February 2024
CREATE FUNCTION public.send(sender text, receiver text, points bigint, ref text, at timestamptz DEFAULT '2024-02-01 12:00+08') RETURNS text LANGUAGE sql AS $$
    SELECT t::text FROM membership.transfer_points(public.m(sender), public.m(receiver), points, ref, at) t $$;

SELECT fund('ann', 300, '2026-05-01 00:00+08') \gset
SELECT fund('ann', 200, '2025-05-01 00:00+08') \gset
UPDATE program SET expiry = 'never';
SELECT fund('ann', 500) \gset
UPDATE program SET expiry = '24 months';
SELECT enrol('bob') \gset
SELECT is(take($$SELECT send('ann', 'bob', 100, 't')$$), 'MB108 transfers of points are off', 'off, unless the programme says otherwise');
UPDATE program SET transfers = true;
SELECT is(send('ann', 'bob', 600, 't1'), '(5,-600,400,f)', 'the sender''s result');
SELECT is(ROW(moved('ann', 5), lots('ann'))::text, '("2:-200 1:-300 3:-100",3:400)', 'earliest expiry first');
SELECT is(ROW(story('bob', 2), moved('bob', 2), lots('bob'))::text, '("2 transfer_in 600","1:200 2:300 3:100","1:200 2:300 3:100")', 'each lot taken opens one at the receiver');
SELECT is(array_agg(ROW(b.granted, b.origin, b.expires_at, b.active_at = a.active_at)::text ORDER BY b.lot_no), '{"(200,transfer_in,\"2025-04-30 16:00:00+00\",t)","(300,transfer_in,\"2026-04-30 16:00:00+00\",t)","(100,transfer_in,,t)"}', 'of the same life')
  FROM lot b JOIN ledger_entry a ON a.member_id = m('ann') AND a.entry_no = CASE b.lot_no WHEN 1 THEN 2 WHEN 2 THEN 1 ELSE 3 END WHERE b.member_id = m('bob');
SELECT is(array_agg(ROW(verb, points, balance, counterpart_id = m(other), occurred_at, posted_at, purpose, amount)::text ORDER BY journal.member_id),
          '{"(transfer_out,-600,400,t,\"2024-02-01 04:00:00+00\",\"2024-02-01 04:00:00+00\",,)","(transfer_in,600,600,t,\"2024-02-01 04:00:00+00\",\"2024-02-01 04:00:00+00\",,)"}', 'two events of one moment')
  FROM journal JOIN (VALUES ('ann', 'bob'), ('bob', 'ann')) v (name, other) ON member_id = m(name) WHERE verb ~ '^transfer';
SELECT is(array_agg(ROW(verb, points, balance_after, counterpart_id = m(other))::text ORDER BY s.member_id, entry_no),
          '{"(transfer_out,-200,800,t)","(transfer_out,-300,500,t)","(transfer_out,-100,400,t)","(transfer_in,200,200,t)","(transfer_in,300,500,t)","(transfer_in,100,600,t)"}', 'and both statements name the other')
  FROM member_statement s JOIN (VALUES ('ann', 'bob'), ('bob', 'ann')) v (name, other) ON member_id = m(name) WHERE verb ~ '^transfer';
SELECT is(count(*), 0::bigint, 'no day counts it as redeemed or earned') FROM activity_day WHERE member_id IN (m('ann'), m('bob'));
SELECT is(send('ann', 'bob', 600, 't1'), '(5,-600,400,t)', 'again: the first result');
SELECT is(lots('bob'), '1:200 2:300 3:100', 'and nothing moves');
SELECT is(take(call), 'MB201 ref "t1" was used before with other content', call)
  FROM unnest(ARRAY[$$SELECT send('ann', 'bob', 100, 't1')$$, $$SELECT send('ann', 'cy', 600, 't1') FROM enrol('cy')$$, $$SELECT send('ann', 'bob', 600, 't1', '2024-02-01 12:01+08')$$]) call;
SELECT enrol('cy') \gset
SELECT is(take($$SELECT send('ann', 'cy', 600, 't1')$$), 'MB201 ref "t1" was used before with other content', 'another receiver');
SELECT is(send('bob', 'ann', 100, 't1'), '(3,-100,500,f)', 'the ref is the sender''s');
SELECT is(send('bob', 'ann', 500, 't2'), '(4,-500,0,f)', 'all can be sent back');
SELECT is(lots('bob'), NULL, 'nothing is left');

-- what is refused
SELECT is(replace(take(format('SELECT transfer_points(%s)', args)), 'member ' || m('ann'), 'member ann'), refusal, args)
  FROM (VALUES ('m(''ann''), m(''ann''), 100, ''x''', '22023 member ann cannot transfer points to itself'), ('m(''ann''), 9999, 100, ''x''', 'MB002 member 9999 does not exist'), ('9999, m(''ann''), 100, ''x''', 'MB002 member 9999 does not exist'),
               ('m(''ann''), m(''bob''), 0, ''x''', '22023 points must not be 0'), ('m(''ann''), m(''bob''), -1, ''x''', '22023 points must not be -1'), ('m(''ann''), m(''bob''), NULL, ''x''', '22004 points must not be null'),
               ('m(''ann''), m(''bob''), 1, NULL', '22004 ref must not be null'), ('m(''ann''), m(''bob''), 1, ''''', '22023 ref must not be empty'), ('NULL, m(''bob''), 1, ''x''', '22004 from_member_id must not be null'),
               ('m(''ann''), NULL, 1, ''x''', '22004 to_member_id must not be null'), ('m(''ann''), m(''bob''), 1, ''x'', now() + interval ''1 hour''', '22023 at lies in the future')) v (args, refusal);
SELECT is(take($$SELECT send('ann', 'bob', 1001, 'x')$$), format('MB101 member %s has not enough points', m('ann')), 'more than there is');
SELECT is(take($$SELECT send('bob', 'ann', 1, 'x')$$), format('MB101 member %s has not enough points', m('bob')), 'anything of nothing');

-- only what is available: not what is held, pending or owed
UPDATE program SET pending_days = 3, allow_debt = true;
SELECT fund('pat', 500) \gset
SELECT accrue_points(m('pat'), 1, 100, 'pat', at => '2024-02-01 10:00+08') \gset
UPDATE program SET pending_days = 0;
SELECT authorize_points(m('pat'), 200, 'h', NULL, order_amount => 5000, at => '2024-02-01 11:00+08') \gset
SELECT is(take($$SELECT send('pat', 'bob', 301, 'x')$$), format('MB101 member %s has not enough points', m('pat')), '500 and 100 pending, 200 held: not 301');
SELECT is(send('pat', 'bob', 300, 'x'), '(5,-300,300,f)', 'but 300');
SELECT adjust_points(m('pat'), -50, 'x', 'a', at => '2024-02-01 12:00+08') \gset
SELECT is(take($$SELECT send('pat', 'bob', 1, 'y')$$), format('MB101 member %s has not enough points', m('pat')), 'in debt nothing');
SELECT is(take($$SELECT send('pat', 'bob', 51, 'y', '2024-02-04 00:00+08')$$), format('MB101 member %s has not enough points', m('pat')), 'active since, the 100 pay the 50 owed');
SELECT is(send('pat', 'bob', 50, 'y', '2024-02-04 00:00+08'), '(8,-50,200,f)', 'the rest can be sent');
SELECT is(story('pat', 6), '6 adjustment -50, 7 debt_payment 0, 8 transfer_out -50', 'what was due is posted before');

-- the receiver's debt comes first; what was due to the receiver too
SELECT enrol('deb') \gset
SELECT adjust_points(m('deb'), -120, 'x', 'a', at => '2024-02-01 12:00+08') \gset
SELECT is(send('ann', 'deb', 100, 'd1'), '(8,-100,900,f)', 'to a member in debt');
SELECT is(ROW(moved('deb', 3), lots('deb'))::text, '("2:100 2:-100 0:100",)', 'all of it pays, by visible entries');
-- 200 of 2025 first: 100 are left of them, then 300 of 2026
SELECT is(send('ann', 'deb', 150, 'd2'), '(9,-150,750,f)', 'and again');
SELECT is(ROW(moved('deb', 4), lots('deb'))::text, '("5:100 5:-20 0:20 8:50","5:80 8:50")', 'the rest is the receiver''s');
SELECT fund('old', 100, '2024-02-02 00:00+08') \gset
SELECT is(send('ann', 'old', 50, 'o1', '2024-02-03 12:00+08'), '(10,-50,700,f)', 'to a member whose points have died');
SELECT is(story('old', 3), '3 expiry -100 on 02-02 00:00, 4 transfer_in 50', 'which expire first');
-- one moment for both: never before the last posting of either
SELECT fund('late', 100, at => '2024-02-10 12:00+08') \gset
SELECT is(send('ann', 'late', 50, 'l1', '2024-02-05 12:00+08'), '(11,-50,650,f)', 'to a member who was met later');
SELECT is(array_agg(posted_at), '{2024-02-10 04:00:00+00,2024-02-10 04:00:00+00}', 'is posted then, for both') FROM journal WHERE verb ~ '^transfer' AND posted_at > '2024-02-05 12:00+08';

-- at least so many at a time, at most so many a programme day
UPDATE program SET transfer_minimum = 50, transfer_daily_limit = 120;
SELECT fund('lim', 1000) \gset
SELECT enrol('lea') \gset
SELECT is(take($$SELECT send('lim', 'lea', 49, 'x')$$), 'MB103 49 points are below the minimum of a transfer', 'the minimum');
SELECT is(take($$SELECT send('lim', 'lea', 121, 'x')$$), 'MB103 the daily limit of transfers is exceeded', 'the limit');
SELECT is(send('lim', 'lea', 50, 'l1', '2024-02-01 23:00+08') || send('lim', 'cy', 70, 'l2', '2024-02-01 23:59:59.999999+08'), '(3,-50,950,f)(4,-70,880,f)', 'to whomever, 120 are sent');
SELECT is(take($$SELECT send('lim', 'lea', 50, 'l3', '2024-02-01 23:59:59.999999+08')$$), 'MB103 the daily limit of transfers is exceeded', 'and no more that day');
SELECT is(send('lim', 'lea', 120, 'l3', '2024-02-02 00:00+08'), '(5,-120,760,f)', 'the next begins at midnight of the programme');
SELECT is(send('lea', 'lim', 120, 'b1', '2024-02-02 12:00+08'), '(4,-120,50,f)', 'what was received does not count');
UPDATE program SET transfer_minimum = 1, transfer_daily_limit = NULL;

-- status, of both
SELECT fund('fro', 100, at => now()) \gset
SELECT fund('ron', 100, at => now()) \gset
SELECT transfer_points(m('fro'), m('ron'), 10, 'first') \gset
SELECT set_member_status(m('fro'), 'frozen', 'x') \gset
SELECT is(take(call), format('MB104 member %s is frozen', m('fro')), call) FROM unnest(ARRAY[$$SELECT transfer_points(m('fro'), m('ron'), 1, 'x')$$, $$SELECT transfer_points(m('ron'), m('fro'), 1, 'x')$$]) call;
SELECT set_member_status(m('fro'), 'closed', 'x') \gset
SELECT is(take(call), format('MB102 member %s is closed', m('fro')), call) FROM unnest(ARRAY[$$SELECT transfer_points(m('fro'), m('ron'), 1, 'x')$$, $$SELECT transfer_points(m('ron'), m('fro'), 1, 'x')$$]) call;
SELECT is(t.duplicate, true, 'the first result stays') FROM transfer_points(m('fro'), m('ron'), 10, 'first') t;
UPDATE program SET transfers = false;
SELECT is(send('ann', 'bob', 600, 't1'), '(5,-600,400,t)', 'also when transfers have been turned off');
UPDATE program SET transfers = true;
-- a balance beyond 10^15
SELECT fund('max', 1000000000000000) \gset
SELECT is(left(take($$SELECT send('ann', 'max', 1, 'x', '2024-02-11 12:00+08')$$), 5), '22003', 'more than a member can have');

SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
SELECT * FROM finish();
ROLLBACK;
