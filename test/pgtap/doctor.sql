-- doctor(), what each of its rows says of a programme in which one thing is wrong, and the times of jobs in zones.
\ir setup.psql
SELECT open_mall() \gset
SET LOCAL allow_system_table_mods = on;
CREATE ROLE t_operator;
CREATE ROLE t_other NOLOGIN;
SELECT grant_access('t_operator', 'operator') \gset

-- state and hint of a row after a change that is taken back
CREATE FUNCTION public.after(change text, subject text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    EXECUTE change;
    SELECT format('%s: %s %s', d.state, d.detail, d.hint) INTO said FROM membership.doctor() d WHERE d.what = subject;
    RAISE EXCEPTION USING ERRCODE = 'P0999', MESSAGE = coalesce(said, 'no such row');
EXCEPTION WHEN SQLSTATE 'P0999' THEN
    RETURN SQLERRM;
END
$$;
-- a run of a sweep: started so long ago, took a minute
CREATE FUNCTION public.ran(sweep text, ago interval, error text DEFAULT 'NULL') RETURNS text LANGUAGE sql AS $$
    SELECT format('INSERT INTO membership.job_run (job, as_of, started_at, finished_at, batches, rows, error)
                   VALUES (%L, now() - %L::interval, now() - %L::interval, now() - %L::interval + interval ''1 minute'', 1, 10, %s);',
                  sweep, ago, ago, ago, CASE error WHEN 'NULL' THEN error ELSE quote_literal(error) END)
$$;
-- 1,000 points that died so many hours ago; some of them, 61 hours ago, were held for so long, NULL = for ever
CREATE FUNCTION public.dies(hours integer, held interval DEFAULT NULL, points bigint DEFAULT 0) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    late bigint := public.enrol('late', now() - interval '62 hours');
BEGIN
    UPDATE membership.burn_rule SET share = NULL;
    PERFORM membership.grant_points(late, 1000, 'x', 'g', now() - hours * interval '1 hour', now() - interval '61 hours');
    PERFORM membership.authorize_points(late, points, 'h', held, at => now() - interval '61 hours') WHERE points > 0;
END
$$;

-- ------------------------------------------------------------------ a healthy programme

SELECT results_eq('SELECT what, state FROM membership.doctor()', $$VALUES
    ('owner', 'ok'), ('extension version', 'ok'), ('table version', 'ok'), ('phone_country', 'ok'), ('base_rate', 'ok'), ('liability_price', 'ok'), ('merchants', 'ok'),
    ('jobs', 'ok'), ('sweep expire_points', 'problem'), ('sweep release_holds', 'problem'), ('due points', 'ok'), ('parked refunds', 'ok'), ('accrual errors', 'ok'), ('rules', 'ok')$$,
    'a new programme lacks nothing but sweeps');
SELECT matches(after(ran('expire_points', '1 hour'), 'sweep expire_points'), '^ok: It last finished at ', 'which are all right once they have run');
SELECT is_empty($$SELECT what FROM membership.doctor() WHERE (state = 'ok') <> (hint IS NULL) OR detail IS NULL OR state NOT IN ('ok', 'warning', 'problem')$$,
                'whatever is wrong has a hint');
SET LOCAL ROLE t_operator;
SELECT is(count(*), 14::bigint, 'an operator may ask') FROM membership.doctor();
SET LOCAL ROLE t_other;
SELECT throws_ok('SELECT * FROM membership.doctor()', '42501', NULL, 'others may not');
RESET ROLE;

-- ------------------------------------------------------------------ one thing wrong at a time

SELECT matches(after(change, subject), '^' || expected, expected)
  FROM (VALUES
    (1, format('ALTER TABLE membership.program OWNER TO %I', session_user), 'owner', 'problem: Role \w+ owns the tables and is a superuser.*set_owner'),
    (2, 'REVOKE USAGE ON SCHEMA membership FROM membership_owner', 'owner', 'problem: Role membership_owner .*no USAGE on schema.*set_owner'),
    (3, 'ALTER TABLE membership.activity_day OWNER TO t_other', 'owner', 'problem: Not every table.* role membership_owner.* OWNER TO'),
    (4, 'ALTER ROLE membership_owner LOGIN', 'owner', 'warning: Role membership_owner .*can log in.* NOLOGIN'),
    (5, 'UPDATE pg_extension SET extversion = ''0.0'' WHERE extname = ''membership''', 'extension version', 'warning: The extension has version 0.0, the files on the server .*ALTER EXTENSION'),
    (6, 'UPDATE membership.program SET table_version = table_version - 1', 'table version', 'warning: The tables have version .*upgrade_program'),
    (23, 'DROP VIEW membership._due; DROP TABLE membership.job_run; UPDATE membership.program SET table_version = 1', 'table version', 'warning: The tables have version 1.*upgrade_program'),
    (7, 'UPDATE membership.program SET table_version = table_version + 1', 'table version', 'problem: The tables have version .*newer extension'),
    (8, 'UPDATE membership.program SET phone_country = NULL', 'phone_country', 'warning: Phone numbers without a country code are refused'),
    (9, 'UPDATE membership.program SET base_rate = 0', 'base_rate', 'warning: Purchases earn nothing'),
    (10, 'ALTER TABLE membership.merchant DISABLE TRIGGER ALL; ALTER TABLE membership.contract DISABLE TRIGGER ALL; DELETE FROM membership.contract; DELETE FROM membership.merchant', 'merchants', 'warning: There are 0'),
    (20, 'UPDATE membership.program SET liability_price = 0', 'liability_price', 'warning: Liability is reckoned in points only'),
    (21, 'SELECT membership.refund_order(1, ''not there'', ''r'', 10); UPDATE membership.refund_claim SET parked_at = now() - interval ''169 hours''', 'parked refunds', 'warning: 1 refunds .*refund_exception'),
    (22, 'SELECT membership.refund_order(1, ''not there'', ''r'', 10); UPDATE membership.refund_claim SET parked_at = now() - interval ''167 hours''', 'parked refunds', 'ok: 0 refunds'),
    -- nightly: 26 hours; every five minutes: one
    (11, ran('expire_points', '25 hours 50 minutes'), 'sweep expire_points', 'ok: It last finished'),
    (12, ran('expire_points', '26 hours 2 minutes'), 'sweep expire_points', 'problem: It last finished .*CALL membership.expire_points\(\)'),
    (13, ran('release_holds', '50 minutes'), 'sweep release_holds', 'ok: It last finished'),
    (14, ran('release_holds', '62 minutes'), 'sweep release_holds', 'problem: It last finished .*CALL membership.release_holds\(\)'),
    (15, ran('expire_points', '2 hours') || ran('expire_points', '1 hour', 'disk full'), 'sweep expire_points', 'problem: The run of .* failed: disk full'),
    (16, ran('expire_points', '2 hours', 'disk full') || ran('expire_points', '1 hour'), 'sweep expire_points', 'ok: It last finished'),
    (17, 'SELECT public.dies(25)', 'due points', 'problem: 1 accounts wait'),
    (18, 'SELECT public.dies(23)', 'due points', 'ok: No account'),
    -- held points outlive their end, and no sweep can mend that before the hold's: 61 - 35 = 26 and 61 - 38 = 23 hours ago
    (24, 'SELECT public.dies(25, NULL, 1000)', 'due points', 'ok: No account'),
    (25, 'SELECT public.dies(40, ''35 hours'', 1000)', 'due points', 'problem: 1 accounts wait'),
    (26, 'SELECT public.dies(40, ''38 hours'', 1000)', 'due points', 'ok: No account'),
    -- 600 of 1,000 are held
    (27, 'SELECT public.dies(25, NULL, 600)', 'due points', 'problem: 1 accounts wait'),
    (19, 'INSERT INTO membership.accrual_error (source, purchase, sqlstate, message) VALUES (''orders'', ''{}'', ''MB002'', ''x'')', 'accrual errors', 'warning: 1 purchases .*retry_accrual_errors')
  ) c (n, change, subject, expected)
 ORDER BY n;

-- a rule that divides by zero at a purchase of 80
INSERT INTO membership.earn_rule (rule_id, code, name, status, scope, effect, value, condition)
VALUES (1, 'fails', 'Fails of 80.00', 'active', 'order', 'growth', 1, '1 / (order_amount - 80) < 0');
SELECT enrol('buyer') AS buyer \gset
SELECT points FROM accrue_points(:buyer, 1, 80, 'old', at => now() - interval '8 days') \gset
SELECT is(state, 'ok', 'a rule that failed eight days ago is past') FROM doctor() WHERE what = 'rules';
SELECT points FROM accrue_points(:buyer, 1, 80, 'new', at => now() - interval '6 days') \gset
SELECT is(state || ': ' || detail, 'warning: Conditions failed on purchases of the last seven days: fails.', 'one that failed six days ago is not')
  FROM doctor() WHERE what = 'rules';

-- a database without programme
CREATE FUNCTION public.without_programme() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    ALTER TABLE membership.program RENAME TO gone;
    RAISE EXCEPTION USING ERRCODE = 'P0999', MESSAGE = (SELECT string_agg(concat_ws(' ', d.what, d.state, d.hint), '; ') FROM membership.doctor() d);
EXCEPTION WHEN SQLSTATE 'P0999' THEN
    RETURN SQLERRM;
END
$$;
SELECT is(without_programme(), 'programme problem Run SELECT membership.create_program(name, time_zone).', 'without a programme that is all there is to say');

-- ------------------------------------------------------------------ jobs without pg_cron

-- what somebody sets by hand is not the library's
SET LOCAL cron.database_name = 'anything';
SELECT is(_cron_setting('database_name'), NULL, 'pg_cron is not loaded in this cluster');
SELECT throws_ok('SELECT * FROM membership.schedule_jobs()', 'MB405', 'pg_cron is not loaded', 'so there is no scheduling');
SELECT throws_ok('SELECT * FROM membership.unschedule_jobs()', 'MB405', 'pg_cron is not loaded', 'nor unscheduling');
SELECT throws_ok('SELECT * FROM membership.schedule_jobs(NULL)', '22004', 'nightly must not be null', 'a time is needed');
SELECT throws_ok($$SELECT * FROM membership.schedule_jobs('02:00:30')$$, '22023', 'nightly must not be 02:00:30', 'in whole minutes');

-- ------------------------------------------------------------------ local times as pg_cron's

SELECT is(format('%s, %s', n.schedule, n.note), expected, format('%s in %s by a clock of %s', nightly, zone, cron_zone))
  FROM (VALUES
    -- UTC+8, +5:30, +5:45, no change of clocks
    ('02:00', 'Asia/Shanghai', 'GMT', '2026-01-15', '0 18 * * *, 18:00 GMT is 02:00 Asia/Shanghai'),
    ('00:00', 'Asia/Kolkata', 'GMT', '2026-01-15', '30 18 * * *, 18:30 GMT is 00:00 Asia/Kolkata'),
    ('05:45', 'Asia/Kathmandu', 'GMT', '2026-01-15', '0 0 * * *, 00:00 GMT is 05:45 Asia/Kathmandu'),
    ('24:00', 'Asia/Tokyo', 'GMT', '2026-01-15', '0 15 * * *, 15:00 GMT is 24:00 Asia/Tokyo'),
    -- UTC-5 in winter, -4 in summer: 23:30 is 04:30 or 03:30 of the next day
    ('23:30', 'America/New_York', 'GMT', '2026-01-15', '30 4 * * *, 04:30 GMT is 23:30 America/New_York now; when clocks change it is 00:30'),
    ('23:30', 'America/New_York', 'GMT', '2026-07-15', '30 3 * * *, 03:30 GMT is 23:30 America/New_York now; when clocks change it is 22:30'),
    -- half an hour: +11 in January, +10:30 in July
    ('02:00', 'Australia/Lord_Howe', 'GMT', '2026-01-15', '0 15 * * *, 15:00 GMT is 02:00 Australia/Lord_Howe now; when clocks change it is 01:30'),
    -- the clock of a newer pg_cron: the programme's own, one that changes with it, another
    ('02:00', 'Europe/Berlin', 'Europe/Berlin', '2026-07-15', '0 2 * * *, 02:00 Europe/Berlin'),
    ('02:00', 'Europe/London', 'Europe/Berlin', '2026-07-15', '0 3 * * *, 03:00 Europe/Berlin is 02:00 Europe/London'),
    ('02:00', 'Asia/Shanghai', 'Europe/Berlin', '2026-07-15', '0 20 * * *, 20:00 Europe/Berlin is 02:00 Asia/Shanghai now; when clocks change it is 03:00')
  ) c (nightly, zone, cron_zone, today, expected)
 CROSS JOIN LATERAL _cron_nightly(nightly::time, zone, cron_zone, today::date) n;

SELECT * FROM finish();
ROLLBACK;
