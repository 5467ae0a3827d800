-- Expiry policies: through which local day points are valid, by every policy; what is refused; least lives; points that
-- are dead when posted; extension by activity; what dies soon.
\set tests 308
\ir setup.psql

-- One purchase by a new member: dead_at is written down by hand, in UTC, and compared with what PostgreSQL makes of the
-- day after the last valid one.
CREATE FUNCTION public.dies(zone text, bought_at timestamptz, policy text, last_on date, dead_at timestamptz) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    what text := format('%s, %s UTC, %s', zone, bought_at AT TIME ZONE 'UTC', policy);
    lot  record;
BEGIN
    UPDATE program SET expiry = policy;
    PERFORM accrue_points(enrol(what, '2009-01-01 00:00+00'), 1, 1, what, occurred_at => bought_at, at => bought_at);
    SELECT e.* INTO lot FROM ledger_entry e WHERE e.member_id = m(what) AND e.entry_no = e.lot_no;
    RETURN NEXT is(lot.expires_at, dead_at, what || ': dead');
    RETURN NEXT is(lot.expires_at, (last_on + 1)::timestamp AT TIME ZONE zone, what || ': dead by PostgreSQL');
END
$$;

SAVEPOINT zone;
SELECT open_mall('Asia/Shanghai') \gset
-- 8 hours ahead of UTC all year; bought at noon
SELECT dies('Asia/Shanghai', (bought_on + time '12:00') AT TIME ZONE 'Asia/Shanghai', policy, last_on, dead_at) FROM (VALUES
    (date '2024-02-29', '24 months', date '2026-02-28', timestamptz '2026-02-28 16:00+00'),
    ('2024-02-29', '48 months',      '2028-02-29', '2028-02-29 16:00+00'),
    ('2024-01-31', '1 months',       '2024-02-29', '2024-02-29 16:00+00'),
    ('2024-02-29', '1200 months',    '2124-02-29', '2124-02-29 16:00+00'),
    ('2024-02-28', '1 days',         '2024-02-29', '2024-02-29 16:00+00'),
    ('2023-02-28', '1 days',         '2023-03-01', '2023-03-01 16:00+00'),
    -- 31 January + 29 = 29 February, + 31 = 31 March, + 30 = 30 April
    ('2024-01-31', '90 days',        '2024-04-30', '2024-04-30 16:00+00'),
    ('2024-02-29', '365 days',       '2025-02-28', '2025-02-28 16:00+00'),
    -- 100 years with 24 leap days are 36,524 days; 31 + 29 + 16 more are 17 March of a leap year
    ('2024-01-01', '36600 days',     '2124-03-17', '2124-03-17 16:00+00'),
    ('2024-02-01', 'month end',      '2024-02-29', '2024-02-29 16:00+00'),
    ('2024-02-29', 'month end',      '2024-02-29', '2024-02-29 16:00+00'),
    ('2023-02-15', 'month end',      '2023-02-28', '2023-02-28 16:00+00'),
    ('2024-12-01', 'month end',      '2024-12-31', '2024-12-31 16:00+00'),
    ('2024-01-31', 'month end + 1',  '2024-02-29', '2024-02-29 16:00+00'),
    ('2023-11-30', 'month end + 3',  '2024-02-29', '2024-02-29 16:00+00'),
    ('2024-12-31', 'month end + 2',  '2025-02-28', '2025-02-28 16:00+00'),
    -- 8 years and 4 months
    ('2024-01-15', 'month end + 100', '2032-05-31', '2032-05-31 16:00+00'),
    ('2024-01-01', 'quarter end',    '2024-03-31', '2024-03-31 16:00+00'),
    ('2024-03-31', 'quarter end',    '2024-03-31', '2024-03-31 16:00+00'),
    ('2024-04-01', 'quarter end',    '2024-06-30', '2024-06-30 16:00+00'),
    ('2024-08-15', 'quarter end',    '2024-09-30', '2024-09-30 16:00+00'),
    ('2024-12-31', 'quarter end',    '2024-12-31', '2024-12-31 16:00+00'),
    ('2024-11-11', 'quarter end + 1', '2025-03-31', '2025-03-31 16:00+00'),
    ('2024-02-29', 'quarter end + 3', '2024-12-31', '2024-12-31 16:00+00'),
    -- 25 years
    ('2024-02-29', 'quarter end + 100', '2049-03-31', '2049-03-31 16:00+00'),
    ('2024-01-01', 'year end',       '2024-12-31', '2024-12-31 16:00+00'),
    ('2024-12-31', 'year end',       '2024-12-31', '2024-12-31 16:00+00'),
    ('2024-02-29', 'year end + 1',   '2025-12-31', '2025-12-31 16:00+00'),
    ('2024-06-18', 'year end + 100', '2124-12-31', '2124-12-31 16:00+00'),
    ('2024-06-18', '2024-06-18',     '2024-06-18', '2024-06-18 16:00+00'),
    ('2024-06-18', '2028-02-29',     '2028-02-29', '2028-02-29 16:00+00'),
    ('2024-06-18', '9999-12-31',     '9999-12-31', '9999-12-31 16:00+00'),
    ('2024-06-18', 'never',          NULL, NULL)) c (bought_on, policy, last_on, dead_at);
-- the year ends in Shanghai when it is 16:00 in UTC
SELECT dies('Asia/Shanghai', bought_at, policy, last_on, dead_at) FROM (VALUES
    (timestamptz '2024-12-31 15:59:59.999999+00', 'year end', date '2024-12-31', timestamptz '2024-12-31 16:00+00'),
    ('2024-12-31 16:00+00', 'year end',        '2025-12-31', '2025-12-31 16:00+00'),
    ('2024-12-31 15:59:59+00', 'quarter end',  '2024-12-31', '2024-12-31 16:00+00'),
    ('2024-12-31 16:00+00', 'month end',       '2025-01-31', '2025-01-31 16:00+00'),
    ('2024-12-31 16:00+00', '1 days',          '2025-01-02', '2025-01-02 16:00+00')) c (bought_at, policy, last_on, dead_at);
SELECT is_empty('SELECT * FROM membership.verify()', 'Shanghai: the ledger is sound');
ROLLBACK TO zone;

SELECT open_mall('America/New_York', 'USD') \gset
-- clocks go to UTC-4 on 10 March 2024 and back to UTC-5 on 3 November, both at 2:00
SELECT dies('America/New_York', bought_at, policy, last_on, dead_at) FROM (VALUES
    (timestamptz '2024-03-08 17:00+00', '1 days', date '2024-03-09', timestamptz '2024-03-10 05:00+00'),
    ('2024-03-09 17:00+00', '1 days',           '2024-03-10', '2024-03-11 04:00+00'),
    ('2024-03-05 17:00+00', 'month end',        '2024-03-31', '2024-04-01 04:00+00'),
    ('2024-03-05 17:00+00', 'month end + 8',    '2024-11-30', '2024-12-01 05:00+00'),
    ('2024-10-04 17:00+00', '30 days',          '2024-11-03', '2024-11-04 05:00+00'),
    ('2024-10-03 12:00+00', '1 months',         '2024-11-03', '2024-11-04 05:00+00'),
    ('2024-10-03 12:00+00', '2024-11-02',       '2024-11-02', '2024-11-03 04:00+00'),
    ('2024-10-03 12:00+00', '2024-11-03',       '2024-11-03', '2024-11-04 05:00+00'),
    -- 1:30 in the morning of 3 November, the first and the second time
    ('2024-11-03 05:30+00', 'quarter end',      '2024-12-31', '2025-01-01 05:00+00'),
    ('2024-11-03 06:30+00', '1 days',           '2024-11-04', '2024-11-05 05:00+00'),
    -- the last second of the year, and of the second quarter
    ('2025-01-01 04:59:59+00', 'year end',      '2024-12-31', '2025-01-01 05:00+00'),
    ('2024-07-01 03:59:59+00', 'quarter end',   '2024-06-30', '2024-07-01 04:00+00')) c (bought_at, policy, last_on, dead_at);
ROLLBACK TO zone;

SELECT open_mall('Europe/Berlin', 'EUR') \gset
-- clocks go to UTC+2 on 31 March 2024 at 2:00 and back to UTC+1 on 27 October at 3:00
SELECT dies('Europe/Berlin', bought_at, policy, last_on, dead_at) FROM (VALUES
    (timestamptz '2024-03-31 00:30+00', 'month end', date '2024-03-31', timestamptz '2024-03-31 22:00+00'),
    ('2024-02-29 23:30+00', 'month end',        '2024-03-31', '2024-03-31 22:00+00'),
    ('2024-02-29 22:30+00', 'month end',        '2024-02-29', '2024-02-29 23:00+00'),
    ('2024-08-15 10:00+00', 'quarter end + 1',  '2024-12-31', '2024-12-31 23:00+00'),
    ('2024-09-27 10:00+00', '30 days',          '2024-10-27', '2024-10-27 23:00+00'),
    ('2024-10-01 10:00+00', '2024-10-26',       '2024-10-26', '2024-10-26 22:00+00'),
    ('2024-10-01 10:00+00', '2024-10-27',       '2024-10-27', '2024-10-27 23:00+00'),
    ('2023-12-31 23:30+00', 'year end',         '2024-12-31', '2024-12-31 23:00+00')) c (bought_at, policy, last_on, dead_at);
ROLLBACK TO zone;

SELECT open_mall('Pacific/Apia', 'WST') \gset
-- UTC-10, and no 30 December 2011: the 31st began at 10:00 UTC of the 30th, at UTC+14
SELECT dies('Pacific/Apia', bought_at, policy, last_on, dead_at) FROM (VALUES
    (timestamptz '2011-12-28 20:00+00', '1 days', date '2011-12-29', timestamptz '2011-12-30 10:00+00'),
    ('2011-12-29 20:00+00', '1 days',           '2011-12-30', '2011-12-30 10:00+00'),
    ('2011-12-29 20:00+00', '2 days',           '2011-12-31', '2011-12-31 10:00+00'),
    ('2011-11-30 20:00+00', '1 months',         '2011-12-30', '2011-12-30 10:00+00'),
    ('2011-12-15 20:00+00', 'month end',        '2011-12-31', '2011-12-31 10:00+00'),
    ('2011-12-15 20:00+00', '2011-12-29',       '2011-12-29', '2011-12-30 10:00+00'),
    ('2011-12-15 20:00+00', '2011-12-30',       '2011-12-30', '2011-12-30 10:00+00'),
    ('2011-12-30 09:59:59+00', 'quarter end',   '2011-12-31', '2011-12-31 10:00+00'),
    ('2011-12-30 10:00:00+00', 'year end',      '2011-12-31', '2011-12-31 10:00+00')) c (bought_at, policy, last_on, dead_at);
ROLLBACK TO zone;

-- ------------------------------------------------------------------ what is refused

SELECT open_mall('Asia/Shanghai') \gset
SELECT throws_ok(format('UPDATE membership.program SET expiry = %L', policy), '23514',
                 'new row for relation "program" violates check constraint "program_expiry_format"', format('no policy: %L', replace(policy, E'\n', '\n')))
  FROM unnest(ARRAY['', ' ', '24', 'months', '24 month', '24  months', ' 24 months', '24 months ', E'24 months\n', '24 Months', '0 months', '024 months', '1201 months',
                    '12000 months', '-1 months', '1.5 months', '24 months + 1', '0 days', '36601 days', '40000 days', '100000 days', '2 weeks', '1 years', 'end',
                    'week end', 'half end', 'Month end', 'month  end', 'month end + 0', 'month end + 01', 'month end + 101', 'month end+1', 'month end +1',
                    'year end + ', 'year end - 1', 'year end + 1 ', 'NEVER', 'never ', 'infinity', 'today', '2027-3-31', '27-03-31', '2027/03/31', '20270331',
                    '2027-03-31 ', '2027-03-31 12:00', '-2027-03-31', '10000-01-01']) policy;
SELECT throws_ok(format('UPDATE membership.program SET expiry = %L', policy), '22008', 'date field value out of range: ' || told, format('no date: %L', policy))
  FROM (VALUES ('2023-02-29', '2023-02-29'), ('2100-02-29', '2100-02-29'), ('2027-04-31', '2027-04-31'), ('2027-13-01', '2027-13-01'), ('2027-00-01', '2027-00-01'),
               ('2027-01-00', '2027-01-00'), ('0000-01-01', '0-01-01')) c (policy, told);
SELECT throws_ok(format('UPDATE membership.program SET min_life_days = %s', days), '23514', NULL, format('no least life: %s', days)) FROM unnest('{-1,3661}'::integer[]) days;
SELECT is(expiry, '24 months', 'points of a new programme are valid for 24 months') FROM program;

-- ------------------------------------------------------------------ a change of policy

SELECT enrol('ada') \gset
SELECT accrue_points(m('ada'), 1, 10, 'ada 1', at => '2024-02-01 12:00+08') \gset
UPDATE program SET expiry = 'month end';
SELECT accrue_points(m('ada'), 1, 20, 'ada 2', at => '2024-02-02 12:00+08') \gset
UPDATE program SET expiry = 'never', min_life_days = 3660;
SELECT accrue_points(m('ada'), 1, 30, 'ada 3', at => '2024-02-03 12:00+08') \gset
UPDATE program SET expiry = '24 months', min_life_days = 0;
SELECT is(array_agg(ROW(granted, expires_at)::text ORDER BY lot_no), '{"(10,\"2026-02-01 16:00:00+00\")","(20,\"2024-02-29 16:00:00+00\")","(30,)"}', 'touches new lots only')
  FROM lot WHERE member_id = m('ada');
SELECT is(ROW(expires_at, duplicate)::text, '("2024-02-29 16:00:00+00",t)', 'nor does a repeated call take the policy of today')
  FROM accrue_points(m('ada'), 1, 20, 'ada 2', at => '2024-02-02 12:00+08');

-- ------------------------------------------------------------------ least lives

-- days from the local day on which the points become active, to its midnight
SELECT enrol('leo', '2024-01-01 10:00+08') \gset
CREATE FUNCTION public.lives(bought_on date, pending integer, policy text, least_days integer) RETURNS timestamptz
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE program SET pending_days = pending, expiry = policy, min_life_days = least_days;
    RETURN (SELECT expires_at FROM accrue_points(m('leo'), 1, 1, format('%s %s %s %s', bought_on, pending, policy, least_days),
                                                 occurred_at => (bought_on + time '12:00') AT TIME ZONE 'Asia/Shanghai', at => '2024-07-09 13:00+08'));
END
$$;
UPDATE program SET claim_days = 100;
SELECT is(lives(bought_on, pending, policy, least_days), expires_on::timestamp AT TIME ZONE 'Asia/Shanghai', format('bought on %s, pending %s, %s, at least %s days', bought_on, pending, policy, least_days))
  FROM (VALUES
    -- active when posted, on 9 July; + 10 = 19 July
    (date '2024-06-25', 0, 'month end', 10, date '2024-07-19'),
    (date '2024-06-25', 0, 'month end + 1', 10, '2024-08-01'),
    -- active on 27 June + 14 = 11 July, + 18 = 15 July; the month's end is longer
    ('2024-06-27', 14, 'month end', 4, '2024-07-15'),
    ('2024-07-09', 7, 'month end', 16, '2024-08-01'),
    ('2024-07-09', 7, 'month end', 17, '2024-08-02'),
    -- active on 9 July + 40 = 18 August, when a month is over
    ('2024-07-09', 40, '1 months', 0, '2024-08-18'),
    ('2024-07-09', 40, '1 months', 1, '2024-08-19'),
    ('2024-07-09', 1, '2024-07-01', 30, '2024-08-09'),
    ('2024-07-09', 0, '2 days', 2, '2024-07-12'),
    ('2024-07-09', 0, '2 days', 4, '2024-07-13'),
    -- 10 years of which 2028 and 2032 have a leap day are 3,652 days; 8 more
    ('2024-07-09', 0, '1 days', 3660, '2034-07-17'),
    ('2024-07-09', 0, 'never', 30, NULL)) c (bought_on, pending, policy, least_days, expires_on);
UPDATE program SET pending_days = 0, expiry = 'month end', min_life_days = 30;
SELECT is(expires_at, '2024-07-10 12:00+08'::timestamptz, 'an end given by the caller stands as it is')
  FROM grant_points(m('leo'), 1, 'gift', 'leo g1', expires_at => '2024-07-10 12:00+08', at => '2024-07-09 13:00+08') g
  JOIN lot USING (journal_no) WHERE member_id = m('leo');
SELECT is(expires_at, '2024-08-08 00:00+08'::timestamptz, 'one by the policy lives for 30 days')
  FROM grant_points(m('leo'), 1, 'gift', 'leo g2', at => '2024-07-09 13:00+08') g JOIN lot USING (journal_no) WHERE member_id = m('leo');
-- a late claim dies as if awarded at once, but not before it lived
UPDATE program SET expiry = '2024-12-31', min_life_days = 5, claim_days = 0;
SELECT accrue_points(m('leo'), 1, 9, 'leo late', occurred_at => '2024-07-08 12:00+08', at => '2024-07-09 13:00+08') AS late \gset
SELECT review_accrual(m('leo'), (SELECT journal_no FROM journal WHERE member_id = m('leo') AND order_ref = 'leo late'), 'approve', 'seen') \gset
SELECT is(l.expires_at, ((j.posted_at AT TIME ZONE 'Asia/Shanghai')::date + 5)::timestamp AT TIME ZONE 'Asia/Shanghai', 'approved later, counted from the approval')
  FROM journal j JOIN lot l USING (member_id, journal_no) WHERE j.member_id = m('leo') AND j.verb = 'review';
UPDATE program SET expiry = '24 months', min_life_days = 0, claim_days = 30;
SELECT is_empty('SELECT * FROM membership.verify()', 'least lives: the ledger is sound');

-- ------------------------------------------------------------------ dead when posted

-- valid through 31 March: bought in its last microsecond they live for that, bought after it for none
SELECT enrol('dan'), enrol('dora') \gset
UPDATE program SET expiry = '2024-03-31', allow_debt = true;
SELECT adjust_points(m('dan'), -50, 'owes', 'a', at => '2024-03-31 23:59:59+08') \gset
SELECT is(ROW(status, points, available_at, expires_at, balance)::text, '(posted,80,"2024-03-31 15:59:59.999999+00","2024-03-31 16:00:00+00",30)', 'a last microsecond')
  FROM accrue_points(m('dan'), 2, 80, 'dan 1', at => '2024-03-31 23:59:59.999999+08');
SELECT is(ROW(balance, debt, next_expiry)::text, '(30,0,"2024-03-31 16:00:00+00")', 'pays debt') FROM account WHERE member_id = m('dan');
SELECT adjust_points(m('dora'), -50, 'owes', 'a', at => '2024-03-31 23:59:59+08') \gset
CREATE TEMP TABLE first AS SELECT * FROM preview_accrual(m('dora'), 2, 80, at => '2024-04-01 00:00+08');
SELECT is(ROW(status, points, available_at, expires_at, balance)::text, '(posted,80,"2024-03-31 16:00:00+00","2024-03-31 16:00:00+00",30)',
          'after it the result tells the award, and the balance before it dies') FROM first;
SELECT results_eq($$SELECT status, points, available_at, expires_at, balance, duplicate FROM accrue_points(m('dora'), 2, 80, 'dora 1', at => '2024-04-01 00:00+08')$$,
                  $$SELECT status, points, available_at, expires_at, balance, false FROM first$$, 'as the preview told');
SELECT results_eq($$SELECT status, points, available_at, expires_at, balance, duplicate FROM accrue_points(m('dora'), 2, 80, 'dora 1', at => '2024-04-01 00:00+08')$$,
                  $$SELECT status, points, available_at, expires_at, balance, true FROM first$$, 'and as the call again tells');
SELECT is(array_agg(ROW(verb, points, balance, occurred_at, posted_at)::text ORDER BY journal_no),
          '{"(accrual,80,30,\"2024-03-31 16:00:00+00\",\"2024-03-31 16:00:00+00\")","(expiry,-80,-50,\"2024-03-31 16:00:00+00\",\"2024-03-31 16:00:00+00\")"}',
          'the lot is opened and expires in one call') FROM journal WHERE member_id = m('dora') AND journal_no > 2;
SELECT is(array_agg(ROW(entry_no, lot_no, points, balance_after)::text ORDER BY entry_no), '{"(1,0,-50,-50)","(2,2,80,30)","(3,2,-80,-50)"}', 'by two entries')
  FROM ledger_entry WHERE member_id = m('dora');
SELECT is(ROW(balance, debt, next_expiry)::text, '(-50,50,)', 'it pays no debt') FROM account WHERE member_id = m('dora');
SELECT is_empty($$SELECT * FROM membership.lot WHERE member_id = m('dora')$$, 'and is gone');
SELECT is(ROW(balance, available, pending, debt)::text, '(-50,-50,0,50)', 'for the views too') FROM member_balance WHERE member_id = m('dora');
SELECT is(ROW(amount, points)::text, '(0.80,80)', 'the funder pays for what was issued') FROM merchant_split WHERE member_id = m('dora') AND kind = 'points_issued';
SELECT is(points_earned, 80::bigint, 'and the day has earned it') FROM activity_day WHERE member_id = m('dora');
SELECT is(balance_at(m('dora'), at), points::bigint, 'balance at ' || at)
  FROM (VALUES (timestamptz '2024-03-31 23:59:59.999999+08', -50), ('2024-04-01 00:00+08', -50), ('2024-05-01 00:00+08', -50)) c (at, points);
-- grants and adjustments by the policy
SELECT is(ROW(points, balance, duplicate)::text, '(7,-43,f)', 'a grant') FROM grant_points(m('dora'), 7, 'gift', 'g', at => '2024-04-02 12:00+08');
SELECT is(ROW(points, balance, duplicate)::text, '(7,-43,t)', 'again') FROM grant_points(m('dora'), 7, 'gift', 'g', at => '2024-04-02 12:00+08');
SELECT is(ROW(points, balance, duplicate)::text, '(9,-41,f)', 'an adjustment') FROM adjust_points(m('dora'), 9, 'found', 'b', at => '2024-04-03 12:00+08');
SELECT is(balance, -50::bigint, 'are dead too') FROM member_balance WHERE member_id = m('dora');
-- in a batch, each row sees that the one before it is gone
SELECT is(array_agg(ROW(points, balance)::text ORDER BY row_no), '{"(10,-40)","(20,-30)"}', 'two purchases in a batch')
  FROM accrue_batch(ARRAY[(m('dora'), 1, 10, 'dora 2', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2024-04-04 12:00+08'),
                          (m('dora'), 1, 20, 'dora 3', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2024-04-04 12:00+08')]::purchase[]);
SELECT is(balance, -50::bigint, 'leave nothing') FROM account WHERE member_id = m('dora');
-- pending points die at the moment they become active: 5 April + 3 = 8 April
UPDATE program SET pending_days = 3;
SELECT is(ROW(status, available_at, expires_at)::text, '(pending,"2024-04-07 16:00:00+00","2024-04-07 16:00:00+00")', 'pending points die as they become active')
  FROM accrue_points(m('dora'), 1, 30, 'dora 4', at => '2024-04-05 12:00+08');
SELECT is(ROW(balance, next_expiry)::text, '(-20,"2024-04-07 16:00:00+00")', 'until then they are there') FROM account WHERE member_id = m('dora');
SELECT is(ROW(balance, pending, debt)::text, '(-50,0,50)', 'then not') FROM member_balance WHERE member_id = m('dora');
UPDATE program SET pending_days = 0;
SELECT is(balance, -50::bigint, 'posted or not') FROM accrue_points(m('dora'), 1, 0, 'dora 5', at => '2024-04-09 12:00+08');
-- five minutes ahead of its posting, a purchase of the next day: it does not die before it happens
SELECT enrol('fay') \gset
UPDATE program SET expiry = '2024-06-10';
SELECT is(ROW(points, available_at, expires_at)::text, '(5,"2024-06-10 15:58:00+00","2024-06-10 16:03:00+00")', 'a purchase dated ahead')
  FROM accrue_points(m('fay'), 1, 5, 'fay 1', occurred_at => '2024-06-11 00:03+08', at => '2024-06-10 23:58+08');
SELECT is(points, 0::bigint, 'touched later') FROM accrue_points(m('fay'), 1, 0, 'fay 2', at => '2024-06-12 12:00+08');
SELECT is(balance_at(m('fay'), at), 0::bigint, 'nothing is missing at ' || at) FROM unnest('{2024-06-10 23:59+08,2024-06-11 00:02+08,2024-06-11 00:03+08}'::timestamptz[]) at;
-- opening data of another system: earned in 2023, valid through 31 March 2024; earned after that
UPDATE program SET expiry = '2024-03-31';
SELECT enrol('ivy', '2023-01-01 10:00+08') \gset
SELECT is(array_agg(sqlstate), '{NULL,NULL}', 'imported')
  FROM import_lots(ARRAY[(m('ivy'), 60, 'old 1', NULL, '2023-06-01 12:00+08', NULL), (m('ivy'), 70, 'old 2', NULL, '2024-05-01 12:00+08', NULL)]::lot_import[]);
SELECT is(array_agg(ROW(verb, points, occurred_at)::text ORDER BY journal_no),
          '{"(opening,60,\"2023-06-01 04:00:00+00\")","(expiry,-60,\"2024-03-31 16:00:00+00\")","(opening,70,\"2024-05-01 04:00:00+00\")","(expiry,-70,\"2024-05-01 04:00:00+00\")"}',
          'each dies at its end, or when it was earned') FROM journal WHERE member_id = m('ivy') AND journal_no > 1;
UPDATE program SET expiry = '24 months', allow_debt = false;
SELECT is_empty('SELECT * FROM membership.verify()', 'dead when posted: the ledger is sound');
ROLLBACK TO zone;

-- ------------------------------------------------------------------ extension by activity

SELECT open_mall('Asia/Shanghai') \gset
UPDATE program SET expiry = '12 months', extend_on_activity = true, allow_debt = true;
CREATE FUNCTION public.lots(name text) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT string_agg(format('%s:%s to %s', lot_no, remaining, coalesce(to_char(expires_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI'), 'ever')), ', ' ORDER BY lot_no)
     FROM membership.lot WHERE member_id = m(lots.name) $$;
-- 100 by the policy through 10 January 2025, 50 until June, 20 without end; a purchase of 1 March lives through 1 March 2025
SELECT enrol('eva') \gset
SELECT grant_points(m('eva'), 100, 'x', 'a', at => '2024-01-10 12:00+08') \gset
SELECT grant_points(m('eva'), 50, 'x', 'b', expires_at => '2024-06-01 00:00+08', at => '2024-01-11 12:00+08') \gset
UPDATE program SET expiry = 'never';
SELECT grant_points(m('eva'), 20, 'x', 'c', at => '2024-01-12 12:00+08') \gset
UPDATE program SET expiry = '12 months';
SELECT is(lots('eva'), '1:100 to 2025-01-11 00:00, 2:50 to 2024-06-01 00:00, 3:20 to ever', 'grants extend nothing');
SELECT is(ROW(points, balance)::text, '(10,180)', 'a preview') FROM preview_accrual(m('eva'), 1, 10, at => '2024-03-01 12:00+08');
SELECT is(lots('eva'), '1:100 to 2025-01-11 00:00, 2:50 to 2024-06-01 00:00, 3:20 to ever', 'extends nothing');
SELECT is(ROW(journal_no, points, balance, expires_at)::text, '(5,10,180,"2025-03-01 16:00:00+00")', 'a purchase')
  FROM accrue_points(m('eva'), 1, 10, 'eva 1', at => '2024-03-01 12:00+08');
SELECT is(lots('eva'), '3:20 to ever, 4:10 to 2025-03-02 00:00, 6:100 to 2025-03-02 00:00, 8:50 to 2025-03-02 00:00', 'lets older points live as long as its own');
SELECT is(array_agg(ROW(entry_no, lot_no, points, balance_after)::text ORDER BY entry_no), '{"(5,1,-100,80)","(6,6,100,180)","(7,2,-50,130)","(8,8,50,180)"}', 'by two entries a lot')
  FROM ledger_entry WHERE member_id = m('eva') AND journal_no = 6;
SELECT is(ROW(verb, occurred_at, posted_at, points, balance, refers_to)::text, '(extension,"2024-03-01 04:00:00+00","2024-03-01 04:00:00+00",0,180,5)', 'in an event that refers to the purchase')
  FROM journal WHERE member_id = m('eva') AND journal_no = 6;
SELECT is(array_agg(ROW(lot_no, granted, active_at, origin)::text ORDER BY lot_no), '{"(6,100,\"2024-01-10 04:00:00+00\",grant)","(8,50,\"2024-01-11 04:00:00+00\",grant)"}', 'which keeps when they became active and where they come from')
  FROM lot WHERE member_id = m('eva') AND journal_no = 6;
SELECT is(next_expiry, '2025-03-02 00:00+08'::timestamptz, 'the next to die') FROM account WHERE member_id = m('eva');
SELECT is(array_agg(ROW(verb, points, balance_after)::text), '{"(extension,50,180)","(extension,-50,130)","(extension,100,180)","(extension,-100,80)"}', 'as the statement shows it') FROM statement(m('eva'), max_rows => 4);
SELECT is(duplicate, true, 'the same call again') FROM accrue_points(m('eva'), 1, 10, 'eva 1', at => '2024-03-01 12:00+08');
SELECT is(points, 5::bigint, 'and another purchase of that day') FROM accrue_points(m('eva'), 1, 5, 'eva 2', at => '2024-03-01 18:00+08');
SELECT is(max(journal_no), 7::bigint, 'extend nothing more') FROM journal WHERE member_id = m('eva');
SELECT is(points, 0::bigint, 'a purchase of any amount') FROM accrue_points(m('eva'), 1, 0, 'eva 3', at => '2024-03-02 12:00+08');
SELECT is(lots('eva'), '3:20 to ever, 11:10 to 2025-03-03 00:00, 13:100 to 2025-03-03 00:00, 15:50 to 2025-03-03 00:00, 17:5 to 2025-03-03 00:00', 'extends');
SELECT is(balance_at(m('eva'), at), points::bigint, 'balance at ' || at)
  FROM (VALUES (timestamptz '2024-03-01 11:59+08', 170), ('2024-03-01 12:00+08', 180), ('2024-06-01 12:00+08', 185), ('2025-03-02 23:59+08', 185), ('2025-03-03 00:00+08', 20)) c (at, points);
-- a purchase of the past extends from its day: through 15 January 2025, which only the 40 points do not reach
SELECT enrol('ben') \gset
SELECT grant_points(m('ben'), 40, 'x', 'a', at => '2024-01-10 12:00+08'), grant_points(m('ben'), 60, 'x', 'b', at => '2024-01-20 12:00+08') \gset
SELECT accrue_points(m('ben'), 1, 7, 'ben 1', occurred_at => '2024-01-15 12:00+08', at => '2024-01-25 12:00+08') \gset
SELECT is(lots('ben'), '2:60 to 2025-01-21 00:00, 3:7 to 2025-01-16 00:00, 5:40 to 2025-01-16 00:00', 'a late purchase extends what dies before points of its day');
-- under review, approved, rejected, imported: the purchases that extend nothing
SELECT enrol('ned') \gset
UPDATE program SET expiry = '1 months', claim_days = 0;
SELECT grant_points(m('ned'), 40, 'x', 'a', expires_at => now() + interval '1 hour', at => now() - interval '3 days') \gset
SELECT is(status, 'review', 'a purchase to be reviewed') FROM accrue_points(m('ned'), 1, 7, 'ned 1', occurred_at => now() - interval '2 days');
SELECT review_accrual(m('ned'), 3, 'approve', 'seen') \gset
SELECT set_member_status(m('ned'), 'frozen', 'x') \gset
SELECT is(status, 'rejected', 'a frozen member''s') FROM accrue_points(m('ned'), 1, 7, 'ned 2');
SELECT set_member_status(m('ned'), 'active', 'x') \gset
SELECT is(sqlstate, NULL, 'an imported one') FROM import_purchases(ARRAY[(m('ned'), 1, 10, 'ned 3', now(), 'pos', 10)]::purchase_import[]);
SELECT is(count(*), 0::bigint, 'extend nothing') FROM journal WHERE member_id = m('ned') AND verb = 'extension';
UPDATE program SET claim_days = 30;
-- a policy without a length extends nothing
SELECT enrol('dot') \gset
SELECT grant_points(m('dot'), 40, 'x', 'a', expires_at => '2024-06-01 00:00+08', at => '2024-02-01 12:00+08') \gset
UPDATE program SET expiry = 'never';
SELECT accrue_points(m('dot'), 1, 0, 'dot 1', at => '2024-03-01 12:00+08') \gset
UPDATE program SET expiry = '2024-12-31';
SELECT accrue_points(m('dot'), 1, 0, 'dot 2', at => '2024-03-01 12:00+08') \gset
UPDATE program SET expiry = '10 days';
SELECT accrue_points(m('dot'), 1, 0, 'dot 3', at => '2024-03-01 12:00+08') \gset
SELECT is(lots('dot'), '1:40 to 2024-06-01 00:00', 'never, a date, or one that ends before');
UPDATE program SET expiry = 'quarter end';
SELECT accrue_points(m('dot'), 1, 0, 'dot 4', at => '2024-03-31 12:00+08') \gset
SELECT is(lots('dot'), '1:40 to 2024-06-01 00:00', 'the end of March');
SELECT accrue_points(m('dot'), 1, 0, 'dot 5', at => '2024-04-01 12:00+08') \gset
SELECT is(lots('dot'), '3:40 to 2024-07-01 00:00', 'the end of June');
UPDATE program SET min_life_days = 100;
SELECT accrue_points(m('dot'), 1, 0, 'dot 6', at => '2024-04-01 13:00+08') \gset
-- 1 April + 100 days = 10 July
SELECT is(lots('dot'), '5:40 to 2024-07-10 00:00', 'the least life of new points is theirs too');
UPDATE program SET expiry = '12 months', min_life_days = 0, extend_on_activity = false;
SELECT accrue_points(m('dot'), 1, 0, 'dot 7', at => '2024-05-01 12:00+08') \gset
SELECT is(lots('dot'), '5:40 to 2024-07-10 00:00', 'and without the setting none is extended');
UPDATE program SET extend_on_activity = true;
-- the last microsecond, and none left
SELECT enrol('max'), enrol('mia') \gset
SELECT grant_points(m(name), 40, 'x', 'a', expires_at => '2024-06-01 00:00+08', at => '2024-02-01 12:00+08') FROM (VALUES ('max'), ('mia')) n (name) \g /dev/null
SELECT accrue_points(m('max'), 1, 0, 'max 1', at => '2024-05-31 23:59:59.999999+08'), accrue_points(m('mia'), 1, 0, 'mia 1', at => '2024-06-01 00:00+08') \gset
SELECT is(lots('max'), '3:40 to 2025-06-01 00:00', 'a microsecond before they die');
SELECT is(lots('mia'), NULL, 'the dead are not raised');
SELECT is(array_agg(verb ORDER BY journal_no), '{enrolment,grant,expiry,accrual}', 'they expire') FROM journal WHERE member_id = m('mia');
-- pending points, held points, debt
SELECT enrol('pam') \gset
UPDATE program SET expiry = '1 months', pending_days = 20;
SELECT accrue_points(m('pam'), 1, 30, 'pam 1', at => '2024-03-01 12:00+08') \gset
SELECT adjust_points(m('pam'), -12, 'owes', 'a', at => '2024-03-02 12:00+08') \gset
SELECT is(lots('pam'), '1:30 to 2024-04-02 00:00', '30 points pending until 21 March; a debt of 12');
SELECT accrue_points(m('pam'), 1, 8, 'pam 2', at => '2024-03-10 12:00+08') \gset
SELECT is(lots('pam'), '3:8 to 2024-04-11 00:00, 5:30 to 2024-04-11 00:00', 'are extended');
SELECT is(ROW(active_at, origin)::text, '("2024-03-20 16:00:00+00",accrual)', 'and stay pending') FROM lot WHERE member_id = m('pam') AND lot_no = 5;
SELECT is(ROW(balance, debt)::text, '(26,12)', 'the debt waits for them') FROM account WHERE member_id = m('pam');
UPDATE program SET expiry = '12 months', pending_days = 0;
UPDATE lot SET held = 6 WHERE member_id = m('pam') AND lot_no = 5;
UPDATE account SET held = 6 WHERE member_id = m('pam');
-- on 21 March 12 of the 24 unheld points pay; 12 go on, 6 stay with their hold; of the other lot all 8, still pending
SELECT accrue_points(m('pam'), 1, 0, 'pam 3', at => '2024-03-22 12:00+08') \gset
SELECT is(lots('pam'), '5:6 to 2024-04-11 00:00, 9:8 to 2025-03-23 00:00, 11:12 to 2025-03-23 00:00', 'what pays debt or is held does not move');
UPDATE lot SET held = 0 WHERE member_id = m('pam');
UPDATE account SET held = 0 WHERE member_id = m('pam');
-- a rule's 30 points of a shorter life are not extended by the purchase that earned them, but by the next
INSERT INTO earn_rule (rule_id, code, name, status, merchant_ids, condition, effect, value, expiry)
VALUES (1, 'week', 'Week', 'active', '{3}', 'order_basis > 0', 'bonus_points', 30, '7 days');
SELECT enrol('rob') \gset
SELECT accrue_points(m('rob'), 3, 10, 'rob 1', at => '2024-03-01 12:00+08') \gset
SELECT is(lots('rob'), '1:10 to 2025-03-02 00:00, 2:30 to 2024-03-09 00:00', 'a rule''s shorter life holds');
SELECT accrue_points(m('rob'), 3, 0, 'rob 2', at => '2024-03-05 12:00+08') \gset
SELECT is(lots('rob'), '4:10 to 2025-03-06 00:00, 6:30 to 2025-03-06 00:00', 'until the member comes again');
-- in a batch each purchase sees what the one before it extended
SELECT enrol('bat'), enrol('one') \gset
SELECT grant_points(m(name), 40, 'x', 'a', expires_at => '2024-06-01 00:00+08', at => '2024-02-01 12:00+08') FROM (VALUES ('bat'), ('one')) n (name) \g /dev/null
CREATE TEMP TABLE bought (n, amount, at) AS VALUES (1, 3, timestamptz '2024-05-20 12:00+08'), (2, 0, '2024-05-20 13:00+08'), (3, 4, '2024-05-21 12:00+08'), (4, 0, '2025-05-22 00:00+08');
SELECT is(count(*) FILTER (WHERE sqlstate IS NULL), 4::bigint, 'a batch of four')
  FROM accrue_batch((SELECT array_agg((m('bat'), 1, amount, 'bat ' || n, NULL, NULL, NULL, NULL, NULL, NULL, NULL, at)::purchase ORDER BY n) FROM bought));
SELECT is(count(accrue_points(m('one'), 1, amount, 'one ' || n, at => at)), 4::bigint, 'four calls') FROM (SELECT * FROM bought ORDER BY n) b;
SELECT results_eq($$SELECT journal_no, entry_no, lot_no, points, balance_after, active_at, expires_at, origin FROM membership.ledger_entry WHERE member_id = m('bat') ORDER BY entry_no$$,
                  $$SELECT journal_no, entry_no, lot_no, points, balance_after, active_at, expires_at, origin FROM membership.ledger_entry WHERE member_id = m('one') ORDER BY entry_no$$, 'leave the same entries');
-- 20 May: 40 go on; 21 May: 40 and 3 do; all that was left dies when 22 May 2025 begins
SELECT is(array_agg(verb || ' ' || points ORDER BY journal_no), ARRAY['enrolment 0', 'grant 40', 'accrual 3', 'extension 0', 'accrual 0', 'accrual 4', 'extension 0', 'expiry -47', 'accrual 0'], 'the events of either')
  FROM journal WHERE member_id = m('bat');
SELECT is_empty('SELECT * FROM membership.verify()', 'extension: the ledger is sound');
ROLLBACK TO zone;

-- ------------------------------------------------------------------ what dies soon

-- by the last valid day, over 90 days from today; in a zone where it is now about noon, so that the day does not change
SELECT open_mall(CASE WHEN hour < 12 THEN format('Etc/GMT-%s', 12 - hour) ELSE format('Etc/GMT+%s', hour - 12) END)
  FROM (SELECT extract(hour FROM now())::integer AS hour) n \gset
SELECT (now() AT TIME ZONE time_zone)::date AS today, time_zone AS zone FROM program \gset
CREATE FUNCTION public.day(days integer) RETURNS timestamptz LANGUAGE sql STABLE AS
$$ SELECT ((now() AT TIME ZONE time_zone)::date + days)::timestamp AT TIME ZONE time_zone FROM membership.program $$;
CREATE FUNCTION public.soon(name text) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT string_agg(format('%s:%s', expires_on - (now() AT TIME ZONE time_zone)::date, points), ' ' ORDER BY expires_on)
     FROM membership.expiring_soon, membership.program WHERE member_id = m(soon.name) $$;
SELECT enrol('ann', public.day(-100)), enrol('bob', public.day(-100)) \gset
SELECT is(soon('ann'), NULL, 'a member without points');
SELECT grant_points(m('ann'), points, 'x', ref, expires_at => expires_at, at => public.day(-50)) FROM (VALUES
    (1, 'died yesterday', public.day(0)), (2, 'through today', public.day(1)), (4, 'through today, to 20:00', public.day(0) + interval '20 hours'),
    (8, 'day 5, to 18:00', public.day(5) + interval '18 hours'), (16, 'through day 5', public.day(6)),
    (32, 'through day 90', public.day(91)), (64, 'into day 90', public.day(90) + interval '1 microsecond'),
    (128, 'through day 91', public.day(92)), (256, 'into day 91', public.day(91) + interval '1 microsecond')) g (points, ref, expires_at) \g /dev/null
UPDATE program SET expiry = 'never';
SELECT grant_points(m('ann'), 512, 'x', 'never', at => public.day(-40)) \gset
-- 2 + 4; 8 + 16; 32 + 64
SELECT is(soon('ann'), '0:6 5:24 90:96', 'what dies on which day, though the lot that died yesterday is not swept');
SELECT adjust_points(m('ann'), -10, 'spent', 'a', at => public.day(-30)) \gset
-- by then the lot of 1 lives still: 1 of it, 4 that die first of all today, then 2, then 3 of the 8
SELECT is(soon('ann'), '5:21 90:96', 'what was spent went first');
SELECT adjust_points(m('ann'), -1, 'spent', 'b') \gset
SELECT is(soon('ann'), '5:20 90:96', 'another, after which all is swept');
UPDATE lot SET held = 15 WHERE member_id = m('ann') AND granted = 16;
SELECT is(soon('ann'), '5:5 90:96', 'held points are not counted');
-- 50 of debt; 80 points pending until 10 days ago pay it when they are touched, and are read as if they were
UPDATE program SET expiry = '40 days', pending_days = 10, allow_debt = true;
SELECT adjust_points(m('bob'), -50, 'owes', 'a', at => public.day(-30)) \gset
SELECT accrue_points(m('bob'), 1, 80, 'bob 1', at => public.day(-20)) \gset
SELECT accrue_points(m('bob'), 1, 5, 'bob 2', at => public.day(-5)) \gset
SELECT debt AS debt FROM account WHERE member_id = m('bob') \gset
SELECT is(:debt, 0, 'the second purchase found the debt to be paid');
SELECT is(soon('bob'), '20:30 35:5', '80 - 50 points through day -20 + 40, and 5 pending ones through day -5 + 40');
UPDATE program SET pending_days = 1;
SELECT adjust_points(m('bob'), -40, 'owes', 'b', at => public.day(-4)) \gset
SELECT is(soon('bob'), '35:5', '30 were taken; 10 of debt are left');
SELECT accrue_points(m('bob'), 1, 25, 'bob 3', at => public.day(-3)) \gset
SELECT is(debt, 10::bigint, 'which the next points will pay') FROM account WHERE member_id = m('bob');
-- pending until day -2: 25 - 10 = 15 through day 37
SELECT is(soon('bob'), '35:5 37:15', 'active since, they have paid it as the view has it');
SELECT accrue_points(m('bob'), 1, 0, 'bob 4') \gset
SELECT is(ROW(soon('bob'), debt)::text, '("35:5 37:15",0)', 'and when it is posted') FROM account WHERE member_id = m('bob');
UPDATE lot SET held = 0 WHERE member_id = m('ann');
SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
ROLLBACK TO zone;

-- the last valid day where a day's beginning is not midnight once: Havana skips it on 10 March 2024, and has it twice on
-- 3 November; Apia has no 30 December 2011. The view's clause over given instants.
CREATE FUNCTION public.expires_on(zone text, expires_at timestamptz) RETURNS date LANGUAGE plpgsql AS $$
DECLARE
    clause text := substring(pg_get_viewdef('membership.expiring_soon'::regclass) FROM 'SELECT (LEAST\(.*\)) AS expires_on');
    answer date;
BEGIN
    EXECUTE format('SELECT %s FROM (SELECT $1::timestamptz AS expires_at) l, (SELECT $2::text AS time_zone) p', clause) INTO answer USING expires_at, zone;
    RETURN answer;
END
$$;
SELECT open_mall() \gset
SELECT is(public.expires_on(zone, expires_at), expires_on, format('%s, dead at %s UTC', zone, expires_at)) FROM (VALUES
    ('America/Havana', timestamptz '2024-03-10 05:00+00', date '2024-03-09'), ('America/Havana', '2024-03-10 05:00:00.000001+00', '2024-03-10'),
    ('America/Havana', '2024-11-03 05:00+00', '2024-11-02'), ('America/Havana', '2024-11-03 05:00:00.000001+00', '2024-11-03'),
    ('America/Havana', '2024-11-04 05:00+00', '2024-11-03'),
    ('Pacific/Apia', '2011-12-30 10:00+00', '2011-12-29'), ('Pacific/Apia', '2011-12-31 10:00+00', '2011-12-31'),
    ('Asia/Shanghai', '2024-12-31 16:00+00', '2024-12-31'), ('Asia/Shanghai', '2024-12-31 15:59:59+00', '2024-12-31')) c (zone, expires_at, expires_on);

SELECT * FROM finish();
ROLLBACK;
