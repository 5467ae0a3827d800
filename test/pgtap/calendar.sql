-- Days of the programme's zone: month ends, days without or with two midnights, a day that never was. Every
-- instant is checked against PostgreSQL's timestamp AT TIME ZONE and against one written down by hand in UTC.
\set tests 288
\ir setup.psql

-- Points of one purchase: pending for some days, valid for some months. active_on and expires_on are the local
-- days that begin when the points become active and when they die.
CREATE FUNCTION public.lives(zone text, bought_at timestamptz, pending integer, months integer, bought_on date,
                             active_on date, active_at timestamptz, expires_on date, expires_at timestamptz) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    what text := format('%s, bought %s UTC', zone, bought_at AT TIME ZONE 'UTC');
    lot  record;
    day  date;
BEGIN
    UPDATE program SET pending_days = pending, expiry = months || ' months';
    PERFORM accrue_points(m('cal'), 1, 1, bought_at::text, occurred_at => bought_at, at => bought_at);
    SELECT j.day INTO day FROM journal j WHERE j.member_id = m('cal') ORDER BY j.journal_no DESC LIMIT 1;
    SELECT * INTO lot FROM membership.lot l WHERE l.member_id = m('cal') ORDER BY l.lot_no DESC LIMIT 1;
    RETURN NEXT is(day, bought_on, what || ': its day');
    RETURN NEXT is(day, (bought_at AT TIME ZONE zone)::date, what || ': its day by PostgreSQL');
    RETURN NEXT is(lot.active_at, active_at, what || ': active');
    RETURN NEXT is(lot.active_at, CASE pending WHEN 0 THEN bought_at ELSE active_on::timestamp AT TIME ZONE zone END, what || ': active by PostgreSQL');
    RETURN NEXT is(lot.expires_at, expires_at, what || ': dead');
    RETURN NEXT is(lot.expires_at, expires_on::timestamp AT TIME ZONE zone, what || ': dead by PostgreSQL');
    RETURN NEXT is(lot.expires_at, ((bought_on + make_interval(months => months))::date + 1)::timestamp AT TIME ZONE zone, what || ': dead by date arithmetic');
END
$$;

SAVEPOINT zone;
SELECT open_mall('Asia/Shanghai') \gset
SELECT enrol('cal', '2020-01-01 10:00+08') \gset
SELECT lives('Asia/Shanghai', b, p, m, d, ad, a, ed, e) FROM (VALUES
    -- the last second of 2024 in Shanghai is 15:59:59 UTC; 24 months on, through 31 December 2026
    (timestamptz '2024-12-31 15:59:59+00', 1, 24, date '2024-12-31', date '2025-01-01', timestamptz '2024-12-31 16:00+00', date '2027-01-01', timestamptz '2026-12-31 16:00+00'),
    ('2024-12-31 16:00:00+00', 1, 24, '2025-01-01', '2025-01-02', '2025-01-01 16:00+00', '2027-01-02', '2027-01-01 16:00+00')) c (b, p, m, d, ad, a, ed, e);
ROLLBACK TO zone;

SELECT open_mall('UTC', 'EUR') \gset
SELECT enrol('cal', '2020-01-01 10:00+00') \gset
-- month ends: the same day, or the last one of a shorter month; dead on the day after
SELECT lives('UTC', b, p, m, d, ad, a, ed, e) FROM (VALUES
    (timestamptz '2022-08-31 12:00+00', 0, 6,    date '2022-08-31', NULL::date, timestamptz '2022-08-31 12:00+00', date '2023-03-01', timestamptz '2023-03-01 00:00+00'),
    ('2022-12-31 12:00+00', 0, 2,    '2022-12-31', NULL, '2022-12-31 12:00+00', '2023-03-01', '2023-03-01 00:00+00'),
    ('2023-01-31 12:00+00', 0, 1,    '2023-01-31', NULL, '2023-01-31 12:00+00', '2023-03-01', '2023-03-01 00:00+00'),
    ('2023-02-28 12:00+00', 0, 12,   '2023-02-28', NULL, '2023-02-28 12:00+00', '2024-02-29', '2024-02-29 00:00+00'),
    ('2023-03-31 12:00+00', 0, 1,    '2023-03-31', NULL, '2023-03-31 12:00+00', '2023-05-01', '2023-05-01 00:00+00'),
    ('2023-04-30 12:00+00', 0, 1,    '2023-04-30', NULL, '2023-04-30 12:00+00', '2023-05-31', '2023-05-31 00:00+00'),
    ('2023-08-31 12:00+00', 0, 6,    '2023-08-31', NULL, '2023-08-31 12:00+00', '2024-03-01', '2024-03-01 00:00+00'),
    ('2023-11-30 12:00+00', 0, 3,    '2023-11-30', NULL, '2023-11-30 12:00+00', '2024-03-01', '2024-03-01 00:00+00'),
    ('2024-01-29 12:00+00', 0, 1,    '2024-01-29', NULL, '2024-01-29 12:00+00', '2024-03-01', '2024-03-01 00:00+00'),
    ('2024-01-30 12:00+00', 0, 1,    '2024-01-30', NULL, '2024-01-30 12:00+00', '2024-03-01', '2024-03-01 00:00+00'),
    ('2024-02-28 23:59:59.999999+00', 1, 1, '2024-02-28', '2024-02-29', '2024-02-29 00:00+00', '2024-03-29', '2024-03-29 00:00+00'),
    ('2024-02-29 00:00+00', 1, 12,   '2024-02-29', '2024-03-01', '2024-03-01 00:00+00', '2025-03-01', '2025-03-01 00:00+00'),
    ('2024-02-29 12:00+00', 0, 48,   '2024-02-29', NULL, '2024-02-29 12:00+00', '2028-03-01', '2028-03-01 00:00+00'),
    ('2024-12-31 23:59:59+00', 1, 1200, '2024-12-31', '2025-01-01', '2025-01-01 00:00+00', '2125-01-01', '2125-01-01 00:00+00')) c (b, p, m, d, ad, a, ed, e);
ROLLBACK TO zone;

SELECT open_mall('America/New_York', 'USD') \gset
SELECT enrol('cal', '2020-01-01 10:00-05') \gset
-- clocks go to UTC-4 on 10 March 2024 at 2:00 and back to UTC-5 on 3 November at 2:00
SELECT lives('America/New_York', b, p, m, d, ad, a, ed, e) FROM (VALUES
    (timestamptz '2024-02-10 04:59:59+00', 28, 1, date '2024-02-09', date '2024-03-08', timestamptz '2024-03-08 05:00+00', date '2024-03-10', timestamptz '2024-03-10 05:00+00'),
    ('2024-02-10 05:00:00+00', 28, 1, '2024-02-10', '2024-03-09', '2024-03-09 05:00+00', '2024-03-11', '2024-03-11 04:00+00'),
    ('2024-03-09 17:00:00+00', 1, 8,  '2024-03-09', '2024-03-10', '2024-03-10 05:00+00', '2024-11-10', '2024-11-10 05:00+00'),
    ('2024-03-10 17:00:00+00', 1, 1,  '2024-03-10', '2024-03-11', '2024-03-11 04:00+00', '2024-04-11', '2024-04-11 04:00+00'),
    -- the last second of 4 July in New York is 5 July in UTC
    ('2024-07-05 03:59:59+00', 1, 1,  '2024-07-04', '2024-07-05', '2024-07-05 04:00+00', '2024-08-05', '2024-08-05 04:00+00'),
    ('2024-10-02 12:00:00+00', 1, 1,  '2024-10-02', '2024-10-03', '2024-10-03 04:00+00', '2024-11-03', '2024-11-03 04:00+00'),
    -- 1:30 in the morning comes twice
    ('2024-11-03 05:30:00+00', 1, 1,  '2024-11-03', '2024-11-04', '2024-11-04 05:00+00', '2024-12-04', '2024-12-04 05:00+00'),
    ('2024-11-03 06:30:00+00', 1, 1,  '2024-11-03', '2024-11-04', '2024-11-04 05:00+00', '2024-12-04', '2024-12-04 05:00+00')) c (b, p, m, d, ad, a, ed, e);
ROLLBACK TO zone;

SELECT open_mall('Pacific/Apia', 'WST') \gset
SELECT enrol('cal', '2009-01-01 10:00-11') \gset
-- Samoa went from UTC-10 to UTC+14 and had no 30 December 2011: the 31st began when the 29th ended, at 10:00 UTC
SELECT lives('Pacific/Apia', b, p, m, d, ad, a, ed, e) FROM (VALUES
    (timestamptz '2010-12-29 20:00+00', 0, 12, date '2010-12-29', NULL::date, timestamptz '2010-12-29 20:00+00', date '2011-12-30', timestamptz '2011-12-30 10:00+00'),
    ('2010-12-30 20:00+00', 0, 12, '2010-12-30', NULL, '2010-12-30 20:00+00', '2011-12-31', '2011-12-30 10:00+00'),
    ('2010-12-31 20:00+00', 0, 12, '2010-12-31', NULL, '2010-12-31 20:00+00', '2012-01-01', '2011-12-31 10:00+00'),
    ('2011-12-30 09:59:59+00', 1, 1, '2011-12-29', '2011-12-30', '2011-12-30 10:00+00', '2012-01-30', '2012-01-29 10:00+00'),
    ('2011-12-30 10:00:00+00', 1, 1, '2011-12-31', '2012-01-01', '2011-12-31 10:00+00', '2012-02-01', '2012-01-31 10:00+00')) c (b, p, m, d, ad, a, ed, e);
ROLLBACK TO zone;

SELECT open_mall('America/Havana', 'CUP') \gset
SELECT enrol('cal', '2020-01-01 10:00-05') \gset
-- on 10 March 2024 midnight is skipped (0:00 UTC-5 becomes 1:00 UTC-4); on 3 November it comes twice, at 4:00 and
-- 5:00 UTC, and the later one begins the day
SELECT lives('America/Havana', b, p, m, d, ad, a, ed, e) FROM (VALUES
    (timestamptz '2024-02-09 17:00+00', 0, 1, date '2024-02-09', NULL::date, timestamptz '2024-02-09 17:00+00', date '2024-03-10', timestamptz '2024-03-10 05:00+00'),
    ('2024-03-10 04:59:59+00', 1, 1, '2024-03-09', '2024-03-10', '2024-03-10 05:00+00', '2024-04-10', '2024-04-10 04:00+00'),
    ('2024-03-10 05:00:00+00', 1, 1, '2024-03-10', '2024-03-11', '2024-03-11 04:00+00', '2024-04-11', '2024-04-11 04:00+00'),
    ('2024-10-02 17:00:00+00', 1, 1, '2024-10-02', '2024-10-03', '2024-10-03 04:00+00', '2024-11-03', '2024-11-03 05:00+00'),
    ('2024-11-03 03:59:59+00', 1, 1, '2024-11-02', '2024-11-03', '2024-11-03 05:00+00', '2024-12-03', '2024-12-03 05:00+00'),
    ('2024-11-03 04:30:00+00', 1, 1, '2024-11-03', '2024-11-04', '2024-11-04 05:00+00', '2024-12-04', '2024-12-04 05:00+00')) c (b, p, m, d, ad, a, ed, e);
ROLLBACK TO zone;

SELECT open_mall('America/Asuncion', 'PYG') \gset
SELECT enrol('cal', '2020-01-01 10:00-04') \gset
-- on 24 March 2024 at 0:00 clocks went back to 23:00 of the 23rd: the last hour of that day came twice, and the
-- 24th began at 0:00 UTC-4; on 1 October 2023 0:00 UTC-4 became 1:00 UTC-3
SELECT lives('America/Asuncion', b, p, m, d, ad, a, ed, e) FROM (VALUES
    (timestamptz '2023-09-30 17:00+00', 1, 1, date '2023-09-30', date '2023-10-01', timestamptz '2023-10-01 04:00+00', date '2023-10-31', timestamptz '2023-10-31 03:00+00'),
    ('2024-03-24 02:30:00+00', 1, 1, '2024-03-23', '2024-03-24', '2024-03-24 04:00+00', '2024-04-24', '2024-04-24 04:00+00'),
    ('2024-03-24 03:30:00+00', 1, 1, '2024-03-23', '2024-03-24', '2024-03-24 04:00+00', '2024-04-24', '2024-04-24 04:00+00'),
    ('2024-03-24 04:00:00+00', 1, 1, '2024-03-24', '2024-03-25', '2024-03-25 04:00+00', '2024-04-25', '2024-04-25 04:00+00')) c (b, p, m, d, ad, a, ed, e);
-- no decimals in guaranies
SELECT is(points, 150000::bigint, 'a currency without decimals') FROM accrue_points(m('cal'), 1, 150000, 'pyg');
SELECT throws_ok($$SELECT membership.accrue_points(m('cal'), 1, 1.5, 'pyg 2')$$, '22023', NULL, 'has none');
ROLLBACK TO zone;

SELECT open_mall('Asia/Kathmandu', 'BHD') \gset
SELECT enrol('cal', '2020-01-01 10:00+05:45') \gset
-- 5 hours 45 minutes ahead of UTC
SELECT lives('Asia/Kathmandu', b, p, m, d, ad, a, ed, e) FROM (VALUES
    (timestamptz '2024-05-31 18:14:59.999999+00', 1, 1, date '2024-05-31', date '2024-06-01', timestamptz '2024-05-31 18:15+00', date '2024-07-01', timestamptz '2024-06-30 18:15+00')) c (b, p, m, d, ad, a, ed, e);
SELECT is(points, 1::bigint, 'a currency with three decimals') FROM accrue_points(m('cal'), 1, 1.234, 'bhd', at => '2024-06-01 12:00+00');
SELECT is(basis, 1.234, 'keeps them') FROM journal WHERE member_id = m('cal') AND order_ref = 'bhd';
ROLLBACK TO zone;

-- a tier's validity and window are days of the zone too
SELECT open_mall('America/New_York', 'USD') \gset
SELECT enrol('cal', '2023-01-01 10:00-05') \gset
SELECT is(tier, 'silver', 'reached on 2 November 2023, 23:30 in New York') FROM accrue_points(m('cal'), 1, 5000, 'tier', at => '2023-11-03 03:30+00');
SELECT is(tier_expires_at, '2024-11-03 04:00+00'::timestamptz, 'valid through 2 November 2024, which ends when 3 November begins, still in summer time') FROM member WHERE member_id = m('cal');
SELECT is(tier_expires_at, '2024-11-03'::timestamp AT TIME ZONE 'America/New_York', 'as PostgreSQL reads it') FROM member WHERE member_id = m('cal');
ROLLBACK TO zone;
SELECT is(to_regclass('membership.program')::text, NULL, 'a programme that was rolled back is gone');

SELECT * FROM finish();
ROLLBACK;
