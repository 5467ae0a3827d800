-- Jobs: who calls the sweeps, and whether all is well. These functions act with the caller's own rights.

CREATE TYPE membership.scheduled_job AS (job text, schedule text, command text, statement text, note text);
COMMENT ON TYPE membership.scheduled_job IS
'A job of pg_cron: name, schedule in pg_cron''s time zone, what it calls. statement: what is still to be run in pg_cron''s database, by a superuser; NULL = nothing is. note: which local time the schedule means.';

CREATE TYPE membership.finding AS (what text, state text, detail text, hint text);
COMMENT ON TYPE membership.finding IS 'What doctor() looked at: state is ok, warning or problem; hint: what to do about it, NULL when ok.';

CREATE FUNCTION membership._cron_setting(name text) RETURNS text
LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'membership_cron_setting';
COMMENT ON FUNCTION membership._cron_setting IS 'A setting of pg_cron by its name without "cron."; NULL when pg_cron is not loaded, or too old to have it.';

CREATE FUNCTION membership._in_cron_database() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_extension e
                    WHERE e.extname = 'pg_cron' AND membership._cron_setting('database_name') = current_database())
$$;
COMMENT ON FUNCTION membership._in_cron_database IS 'Whether pg_cron keeps its jobs in this database.';

CREATE FUNCTION membership._sweep(OUT sweep text, OUT schedule text, OUT late_after interval) RETURNS SETOF record
LANGUAGE sql IMMUTABLE AS $$
    VALUES ('expire_points', NULL, interval '26 hours'), ('release_holds', '*/5 * * * *', interval '1 hour')
$$;
COMMENT ON FUNCTION membership._sweep IS 'The procedures that must run on and on, when (NULL = nightly), and after how long without a run something is wrong.';

CREATE FUNCTION membership._cron_nightly(nightly time, zone text, cron_zone text, today date, OUT schedule text, OUT note text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    -- when the job runs by pg_cron's clock, and what the programme's clocks say then over a year of their changes
    WITH job AS (SELECT ((today + nightly) AT TIME ZONE zone AT TIME ZONE cron_zone)::time AS at),
         seen AS (SELECT min(s.at) AS first, max(s.at) AS last
                    FROM job, generate_series(0, 11) m,
                         LATERAL (SELECT (((today + make_interval(months => m))::date + job.at) AT TIME ZONE cron_zone AT TIME ZONE zone)::time AS at) s)
    SELECT format('%s %s * * *', extract(minute FROM job.at), extract(hour FROM job.at)),
           CASE WHEN zone = cron_zone THEN format('%s %s', to_char(nightly, 'HH24:MI'), zone)
                ELSE format('%s %s is %s %s', to_char(job.at, 'HH24:MI'), cron_zone, to_char(nightly, 'HH24:MI'), zone)
           END
           || CASE WHEN seen.first <> seen.last
                   THEN format(' now; when clocks change it is %s', to_char(CASE nightly + interval '0' WHEN seen.first THEN seen.last ELSE seen.first END, 'HH24:MI'))
                   ELSE '' END
      FROM job, seen
$$;
COMMENT ON FUNCTION membership._cron_nightly IS 'A time of day in the programme''s zone as pg_cron''s schedule, and a note on what it means there.';

CREATE FUNCTION membership._planned_jobs(nightly time) RETURNS SETOF membership.scheduled_job
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    -- pg_cron tells a role's jobs apart by name only, whatever their databases
    SELECT j.job, j.schedule, j.command,
           CASE WHEN NOT here THEN format('SELECT cron.schedule_in_database(%L, %L, %L, %L, %L);',
                                          j.job, j.schedule, j.command, current_database(), current_user) END,
           j.note
      FROM membership._in_cron_database() here
     CROSS JOIN membership.program p
     CROSS JOIN LATERAL membership._cron_nightly(nightly, p.time_zone, coalesce(membership._cron_setting('timezone'), 'GMT'),
                                                 (statement_timestamp() AT TIME ZONE p.time_zone)::date) n
     CROSS JOIN LATERAL (
           SELECT format(CASE WHEN here THEN 'membership_%s' ELSE 'membership_%s@%s' END, s.sweep, current_database()) AS job,
                  coalesce(s.schedule, n.schedule) AS schedule, format('CALL membership.%s()', s.sweep) AS command,
                  CASE WHEN s.schedule IS NULL THEN n.note END AS note
             FROM membership._sweep() s) j
$$;
COMMENT ON FUNCTION membership._planned_jobs IS 'The jobs that schedule_jobs() makes.';

CREATE FUNCTION membership._need_cron() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    otherwise constant text := 'Without pg_cron call the sweeps from cron or systemd: doc/operations.md.';
BEGIN
    IF membership._cron_setting('database_name') IS NULL
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_available_extensions e WHERE e.name = 'pg_cron') THEN
        RAISE EXCEPTION 'pg_cron is not installed on this server'
            USING ERRCODE = 'MB405', DETAIL = 'Jobs are scheduled with the extension pg_cron.',
                  HINT = 'Install its package, such as postgresql-15-cron of Debian. ' || otherwise;
    ELSIF membership._cron_setting('database_name') IS NULL THEN
        RAISE EXCEPTION 'pg_cron is not loaded'
            USING ERRCODE = 'MB405', DETAIL = 'It is installed, but the server was started without it.',
                  HINT = 'Add pg_cron to shared_preload_libraries, set cron.database_name and restart. ' || otherwise;
    ELSIF membership._cron_setting('database_name') = current_database() AND NOT membership._in_cron_database() THEN
        RAISE EXCEPTION 'extension pg_cron does not exist in database "%"', current_database()
            USING ERRCODE = 'MB405', DETAIL = 'It is loaded, and cron.database_name names this database.',
                  HINT = 'A superuser runs CREATE EXTENSION pg_cron.';
    ELSIF membership._in_cron_database() AND NOT has_schema_privilege('cron', 'USAGE') THEN
        RAISE EXCEPTION 'role % may not use pg_cron', quote_ident(current_user)
            USING ERRCODE = 'insufficient_privilege', DETAIL = 'It has no USAGE on schema cron.',
                  HINT = format('A superuser runs GRANT USAGE ON SCHEMA cron TO %I.', current_user);
    END IF;
END
$$;
COMMENT ON FUNCTION membership._need_cron IS 'Refuses to go on where jobs cannot be scheduled (MB405, 42501).';

CREATE FUNCTION membership.schedule_jobs(nightly time DEFAULT '02:00') RETURNS SETOF membership.scheduled_job
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    planned membership.scheduled_job;
BEGIN
    IF nightly IS NULL THEN
        RAISE EXCEPTION 'nightly must not be null'
            USING ERRCODE = 'null_value_not_allowed', DETAIL = 'It is a time of day.', HINT = 'Leave it out for 02:00.';
    ELSIF extract(second FROM nightly) <> 0 THEN
        RAISE EXCEPTION 'nightly must not be %', nightly
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'pg_cron knows whole minutes.', HINT = 'Leave out the seconds.';
    END IF;
    PERFORM membership._need_program();
    PERFORM membership._need_cron();
    IF NOT (SELECT r.rolcanlogin FROM pg_catalog.pg_roles r WHERE r.rolname = current_user) THEN
        RAISE EXCEPTION 'jobs cannot run as role %', quote_ident(current_user)
            USING ERRCODE = 'MB405', DETAIL = 'pg_cron logs in as the role that schedules, and this one cannot log in.',
                  HINT = 'Schedule as an operator''s role that can log in.';
    END IF;
    FOR planned IN SELECT * FROM membership._planned_jobs(nightly) LOOP
        IF planned.statement IS NULL THEN
            EXECUTE 'SELECT cron.schedule($1, $2, $3)' USING planned.job, planned.schedule, planned.command;
        END IF;
        RETURN NEXT planned;
    END LOOP;
END
$$;
COMMENT ON FUNCTION membership.schedule_jobs IS
'Lets pg_cron call the sweeps, as the role that schedules them, which must be able to log in: expire_points() every night, release_holds() every five minutes. nightly: a time of day in the programme''s zone; pg_cron before 1.5 knows GMT only, so that in a zone whose clocks change the local hour does, too: see note. Called again it changes the jobs'' times. In another database than pg_cron''s it schedules nothing and returns the statements to be run there. Operators with USAGE on schema cron. Errors: 22004, 22023 nightly with seconds, 42501 no right to use pg_cron, MB001 no programme, MB405 no pg_cron, or the role cannot log in.';

CREATE FUNCTION membership.unschedule_jobs() RETURNS SETOF membership.scheduled_job
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    planned membership.scheduled_job;
    found   record;
BEGIN
    PERFORM membership._need_program();
    PERFORM membership._need_cron();
    FOR planned IN SELECT * FROM membership._planned_jobs('02:00') LOOP
        IF planned.statement IS NOT NULL THEN
            planned.statement := format('SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname = %L AND database = %L;',
                                        planned.job, current_database());
            planned.schedule := NULL;
            planned.note := NULL;
            RETURN NEXT planned;
            CONTINUE;
        END IF;
        -- a role sees its own jobs, a superuser everybody's
        FOR found IN EXECUTE 'SELECT jobid, schedule, username FROM cron.job WHERE jobname = $1 AND database = current_database()'
                       USING planned.job
        LOOP
            EXECUTE 'SELECT cron.unschedule($1)' USING found.jobid;
            planned.schedule := found.schedule;
            planned.note := format('It ran as role %s.', found.username);
            RETURN NEXT planned;
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION membership.unschedule_jobs IS
'Takes the jobs of schedule_jobs() away again, the caller''s own, or everybody''s when a superuser calls, and returns them. In another database than pg_cron''s it returns the statements to be run there. Errors: 42501 no right to use pg_cron, MB001 no programme, MB405 no pg_cron.';

-- doctor() and its rooms: each row one thing looked at.

CREATE FUNCTION membership._doctor_owner() RETURNS SETOF membership.finding
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'owner', coalesce(wrong.state, 'ok'), coalesce(wrong.detail, format('Role %s owns the tables.', r.rolname)), wrong.hint
      FROM pg_class c
      JOIN pg_roles r ON r.oid = c.relowner
      LEFT JOIN LATERAL (
           SELECT w.state, w.detail, w.hint
             FROM (VALUES
               (r.rolsuper, 'problem', format('Role %s owns the tables and is a superuser: every call refuses.', r.rolname),
                'Run SELECT membership.set_owner(role) with a role that is no superuser.'),
               (NOT has_schema_privilege(r.oid, 'membership', 'USAGE'), 'problem', format('Role %s owns the tables and has no USAGE on schema membership.', r.rolname),
                'Run SELECT membership.set_owner(role) with the same role.'),
               (EXISTS (SELECT FROM pg_class o WHERE o.relnamespace = c.relnamespace AND o.relkind IN ('r', 'p', 'v', 'm', 'S') AND o.relowner <> r.oid),
                'problem', format('Not every table, view and sequence of the schema belongs to role %s.', r.rolname),
                'Give them to that role with ALTER ... OWNER TO, or keep tables of your own in another schema.'),
               (r.rolcanlogin, 'warning', format('Role %s owns the tables and can log in.', r.rolname),
                format('Run ALTER ROLE %I NOLOGIN, or set_owner(role) with another.', r.rolname))
             ) w (applies, state, detail, hint)
            WHERE w.applies
            LIMIT 1) wrong ON true
     WHERE c.oid = to_regclass('membership.program')
$$;
COMMENT ON FUNCTION membership._doctor_owner IS 'Whether the owner of the tables can be one.';

CREATE FUNCTION membership._doctor_version() RETURNS SETOF membership.finding
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'extension version', CASE WHEN e.extversion = a.default_version THEN 'ok' ELSE 'warning' END,
           format('The extension has version %s, the files on the server %s.', e.extversion, a.default_version),
           CASE WHEN e.extversion <> a.default_version
                THEN 'Run ALTER EXTENSION membership UPDATE, then SELECT membership.upgrade_program(), and reconnect the applications.' END
      FROM pg_extension e
      JOIN pg_available_extensions a ON a.name = e.extname
     WHERE e.extname = 'membership'
    UNION ALL
    SELECT 'table version', CASE WHEN p.table_version = e.version THEN 'ok' WHEN p.table_version < e.version THEN 'warning' ELSE 'problem' END,
           format('The tables have version %s, the extension makes %s.', p.table_version, e.version),
           CASE WHEN p.table_version < e.version THEN 'Run SELECT membership.upgrade_program().'
                WHEN p.table_version > e.version THEN 'Install the newer extension again.' END
      FROM membership.program p, membership._table_version() e (version)
$$;
COMMENT ON FUNCTION membership._doctor_version IS 'Whether files, extension, library and tables are of one version.';

CREATE FUNCTION membership._doctor_setting() RETURNS SETOF membership.finding
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.setting, CASE WHEN s.missing THEN 'warning' ELSE 'ok' END, CASE WHEN s.missing THEN s.detail ELSE format('It is %s.', s.value) END,
           CASE WHEN s.missing THEN s.hint END
      FROM membership.program p
     CROSS JOIN LATERAL (VALUES
           ('phone_country', p.phone_country IS NULL, p.phone_country, 'Phone numbers without a country code are refused.',
            'UPDATE membership.program SET phone_country = the calling code, such as 86.'),
           ('base_rate', p.base_rate = 0, p.base_rate::text, 'Purchases earn nothing but what rules give.',
            'UPDATE membership.program SET base_rate = points per currency unit.'),
           ('liability_price', p.liability_price = 0, p.liability_price::text, 'Liability is reckoned in points only.',
            'UPDATE membership.program SET liability_price = what an open point is worth in the books.')
           ) s (setting, missing, value, detail, hint)
    UNION ALL
    SELECT 'merchants', CASE WHEN m.number = 0 THEN 'warning' ELSE 'ok' END, format('There are %s.', m.number),
           CASE WHEN m.number = 0 THEN 'INSERT INTO membership.merchant: a purchase needs one.' END
      FROM (SELECT count(*) AS number FROM membership.merchant) m
$$;
COMMENT ON FUNCTION membership._doctor_setting IS 'Settings without which something does not work.';

CREATE FUNCTION membership._doctor_job() RETURNS SETOF membership.finding
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    cron_database constant text := membership._cron_setting('database_name');
BEGIN
    IF NOT membership._in_cron_database() THEN
        RETURN QUERY SELECT 'jobs', 'ok',
            coalesce('They cannot be seen from here: pg_cron keeps its jobs in database ' || nullif(cron_database, current_database()) || '.',
                     'There is no pg_cron here, the sweeps are another scheduler''s.'), NULL;
    ELSIF NOT has_schema_privilege('cron', 'USAGE') THEN
        RETURN QUERY SELECT 'jobs', 'warning', format('Role %s may not look at pg_cron''s jobs.', current_user),
                            format('GRANT USAGE ON SCHEMA cron TO %I, or ask as a superuser.', current_user);
    ELSE
        RETURN QUERY EXECUTE $q$
            SELECT 'job ' || s.sweep, coalesce(wrong.state, 'ok'),
                   coalesce(wrong.detail, format('Role %s runs it at %s.', j.username, j.schedule)), wrong.hint
              FROM membership._sweep() s
              LEFT JOIN cron.job j ON j.database = current_database() AND strpos(j.command, format('membership.%s(', s.sweep)) > 0
              LEFT JOIN pg_roles r ON r.rolname = j.username
              LEFT JOIN LATERAL (SELECT d.status, d.return_message, d.start_time FROM cron.job_run_details d
                                  WHERE d.jobid = j.jobid AND d.status IN ('succeeded', 'failed') ORDER BY d.runid DESC LIMIT 1) d ON true
              LEFT JOIN LATERAL (
                   SELECT w.state, w.detail, w.hint
                     FROM (VALUES
                       (j.jobid IS NULL, 'warning', format('No job that role %s can see calls it.', current_user), 'Run SELECT * FROM membership.schedule_jobs().'),
                       (NOT j.active, 'warning', format('Job %s is switched off.', j.jobid), format('SELECT cron.alter_job(%s, active => true).', j.jobid)),
                       (r.oid IS NULL OR NOT r.rolcanlogin, 'problem', format('Job %s runs as role %s, which cannot log in.', j.jobid, j.username),
                        'Let a role schedule it that can.'),
                       (NOT (SELECT bool_and(has_function_privilege(r.oid, p.oid, 'EXECUTE')) FROM pg_proc p
                              WHERE p.pronamespace = 'membership'::regnamespace AND p.proname = s.sweep),
                        'problem', format('Job %s runs as role %s, which may not call it.', j.jobid, j.username), 'Let an operator schedule it.'),
                       (d.status = 'failed', 'problem', format('The last run of job %s failed%s: %s', j.jobid, ' at ' || d.start_time, split_part(d.return_message, E'\n', 1)),
                        'See cron.job_run_details and the server''s log, and doc/operations.md when it could not connect.')
                     ) w (applies, state, detail, hint)
                    WHERE w.applies
                    LIMIT 1) wrong ON true
             ORDER BY s.sweep, j.jobid$q$;
    END IF;
END
$$;
COMMENT ON FUNCTION membership._doctor_job IS 'The jobs of pg_cron that the caller can see, and how each ended last.';

CREATE FUNCTION membership._doctor_sweep() RETURNS SETOF membership.finding
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'sweep ' || s.sweep, CASE WHEN wrong.detail IS NULL THEN 'ok' ELSE 'problem' END,
           coalesce(wrong.detail, format('It last finished at %s.', done.at)),
           CASE WHEN wrong.detail IS NOT NULL
                THEN format('Run CALL membership.%s(), which catches up, and see what should call it: schedule_jobs(), or another scheduler.', s.sweep) END
      FROM membership._sweep() s
      LEFT JOIN LATERAL (SELECT r.started_at, r.error FROM membership.job_run r
                          WHERE r.job = s.sweep AND r.finished_at IS NOT NULL ORDER BY r.started_at DESC LIMIT 1) last ON true
     CROSS JOIN LATERAL (SELECT max(r.finished_at) AS at FROM membership.job_run r WHERE r.job = s.sweep AND r.error IS NULL) done
     CROSS JOIN LATERAL (
           SELECT CASE WHEN last.error IS NOT NULL THEN format('The run of %s failed: %s', last.started_at, last.error)
                       WHEN done.at IS NULL THEN 'It has never finished.'
                       WHEN done.at < statement_timestamp() - s.late_after THEN format('It last finished at %s.', done.at)
                  END AS detail) wrong
    UNION ALL
    SELECT 'due points', CASE WHEN d.accounts = 0 THEN 'ok' ELSE 'problem' END,
           CASE WHEN d.accounts = 0 THEN 'No account has waited longer than a day for its sweep.'
                ELSE format('%s accounts wait for their sweep, the longest since %s.', d.accounts, d.since) END,
           CASE WHEN d.accounts > 0 THEN 'Run CALL membership.expire_points(). Balances are right all the same, liability reports are not.' END
      FROM membership._due d
$$;
COMMENT ON FUNCTION membership._doctor_sweep IS 'Whether the sweeps have run in time, whoever calls them.';

CREATE FUNCTION membership._doctor_backlog() RETURNS SETOF membership.finding
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'parked refunds', CASE WHEN r.number = 0 THEN 'ok' ELSE 'warning' END, format('%s refunds have waited for their sale for more than a week.', r.number),
           CASE WHEN r.number > 0 THEN 'See membership.refund_exception, find out what became of the sales, and close those that will not come: membership.close_refund_exception().' END
      FROM (SELECT count(*) AS number FROM membership.refund_exception e
             WHERE e.status = 'parked' AND e.parked_at < statement_timestamp() - interval '7 days') r
    UNION ALL
    SELECT 'accrual errors', CASE WHEN e.number = 0 THEN 'ok' ELSE 'warning' END, format('%s purchases of accrue_trigger could not be posted.', e.number),
           CASE WHEN e.number > 0 THEN 'See membership.accrual_error, then run SELECT * FROM membership.retry_accrual_errors().' END
      FROM (SELECT count(*) AS number FROM membership.accrual_error) e
    UNION ALL
    SELECT 'rules', CASE WHEN f.codes IS NULL THEN 'ok' ELSE 'warning' END,
           coalesce('Conditions failed on purchases of the last seven days: ' || f.codes || '.', 'No condition has failed in the last seven days.'),
           CASE WHEN f.codes IS NOT NULL THEN 'See membership.rule_error, and correct the rules.' END
      FROM (SELECT string_agg(DISTINCT r.code, ', ' ORDER BY r.code) AS codes FROM membership.rule_error r
             WHERE r.last_at > statement_timestamp() - interval '7 days') f
$$;
COMMENT ON FUNCTION membership._doctor_backlog IS 'What waits for somebody.';

CREATE FUNCTION membership.doctor() RETURNS SETOF membership.finding
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regclass('membership.program') IS NULL THEN
        RETURN QUERY SELECT 'programme', 'problem', 'No programme has been set up in this database.', 'Run SELECT membership.create_program(name, time_zone).';
        RETURN;
    END IF;
    RETURN QUERY SELECT * FROM membership._doctor_owner();
    RETURN QUERY SELECT * FROM membership._doctor_version();
    RETURN QUERY SELECT * FROM membership._doctor_setting();
    RETURN QUERY SELECT * FROM membership._doctor_job();
    -- older tables have no record of runs
    IF to_regclass('membership.job_run') IS NOT NULL THEN
        RETURN QUERY SELECT * FROM membership._doctor_sweep();
    END IF;
    RETURN QUERY SELECT * FROM membership._doctor_backlog();
END
$$;
COMMENT ON FUNCTION membership.doctor IS
'Looks at owner, versions, settings, jobs, sweeps and what waits for somebody, a row each; SELECT * FROM doctor() WHERE state <> ''ok'' is for monitoring. Reads every account. Of pg_cron''s jobs a role sees its own, a superuser all. Operators. Errors: none.';
