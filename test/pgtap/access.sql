-- Rights: what each kind of role may do, and that no caller, whatever surrounds the call, gets the owner's rights or a
-- wrong number.
\ir setup.psql
SELECT open_mall() \gset

CREATE ROLE t_till;
CREATE ROLE t_operator;
CREATE ROLE t_analyst;
CREATE ROLE t_clerk IN ROLE t_operator;
CREATE ROLE t_auditor NOINHERIT IN ROLE t_operator;
CREATE ROLE t_nobody;
GRANT t_analyst TO t_till;
SELECT grant_access('t_till', 'application') \gset
SELECT grant_access('t_operator', 'operator') \gset
SELECT grant_access('t_analyst', 'analyst') \gset

-- What a statement of a login role returns (first column of the first row), or its SQLSTATE. Whatever happens, the caller
-- and their search_path must be the same afterwards.
CREATE FUNCTION public.attempt(who text, call text, path text DEFAULT 'public') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    result text;
    before text := current_setting('search_path');
BEGIN
    EXECUTE format('SET LOCAL SESSION AUTHORIZATION %I', who);
    PERFORM set_config('search_path', path, true);
    BEGIN
        IF call ~* '^\s*(select|with)|returning' THEN
            EXECUTE call INTO result;
        ELSE
            EXECUTE call;
        END IF;
    EXCEPTION
        WHEN query_canceled THEN result := SQLSTATE;
        WHEN raise_exception THEN result := SQLERRM;
        WHEN OTHERS THEN result := SQLSTATE;
    END;
    IF current_user OPERATOR(pg_catalog.<>) who::pg_catalog.name
       OR pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) path THEN
        result := pg_catalog.format('became %s, search_path %s', current_user, pg_catalog.current_setting('search_path'));
    END IF;
    SET LOCAL SESSION AUTHORIZATION DEFAULT;
    PERFORM pg_catalog.set_config('search_path', before, true);
    RETURN result;
END
$$;

-- ------------------------------------------------------------------ a hostile search_path

-- The till's own schema, with whatever the engine might reach for. All of it raises when it is reached.
CREATE SCHEMA evil AUTHORIZATION t_till;
GRANT USAGE ON SCHEMA evil TO t_operator;
SET LOCAL ROLE t_till;
DO $evil$
DECLARE
    item record;
BEGIN
    FOR item IN SELECT * FROM (VALUES
        ('=', 'text', 'text', 'boolean'), ('<>', 'text', 'text', 'boolean'), ('||', 'text', 'text', 'text'),
        ('=', 'bigint', 'bigint', 'boolean'), ('<>', 'bigint', 'bigint', 'boolean'), ('<', 'bigint', 'bigint', 'boolean'),
        ('+', 'bigint', 'bigint', 'bigint'), ('-', 'bigint', 'bigint', 'bigint'), ('=', 'bigint', 'integer', 'boolean'),
        ('+', 'bigint', 'integer', 'bigint'), ('-', 'bigint', 'integer', 'bigint'), ('=', 'integer', 'integer', 'boolean'),
        ('>', 'integer', 'integer', 'boolean'), ('=', 'smallint', 'integer', 'boolean'), ('=', 'smallint', 'smallint', 'boolean'),
        ('+', 'numeric', 'numeric', 'numeric'), ('*', 'numeric', 'integer', 'numeric'), ('*', 'numeric', 'numeric', 'numeric'),
        ('<', 'timestamptz', 'timestamptz', 'boolean'), ('<=', 'timestamptz', 'timestamptz', 'boolean'),
        ('>', 'date', 'date', 'boolean'), ('<=', 'date', 'date', 'boolean'), ('->>', 'jsonb', 'text', 'text'),
        ('@>', 'tstzrange', 'timestamptz', 'boolean')) o (name, l, r, result)
    LOOP
        EXECUTE format($f$CREATE FUNCTION evil.trap(%s, %s) RETURNS %s LANGUAGE plpgsql AS
            'BEGIN RAISE EXCEPTION ''operator %s (%s, %s) reached''; END'$f$, item.l, item.r, item.result, item.name, item.l, item.r);
        EXECUTE format('CREATE OPERATOR evil.%s (FUNCTION = evil.trap, LEFTARG = %s, RIGHTARG = %s)', item.name, item.l, item.r);
        EXECUTE format('ALTER FUNCTION evil.trap(%s, %s) RENAME TO trap_%s', item.l, item.r, md5(item::text));
    END LOOP;
    FOR item IN SELECT * FROM (VALUES
        ('now()', 'timestamptz'), ('statement_timestamp()', 'timestamptz'), ('nextval(regclass)', 'bigint'), ('lower(daterange)', 'date'),
        ('upper(daterange)', 'date'), ('lower(tstzrange)', 'timestamptz'), ('upper_inf(tstzrange)', 'boolean'),
        ('isempty(tstzrange)', 'boolean'), ('tstzrange(timestamptz, timestamptz)', 'tstzrange'), ('unnest(text[])', 'SETOF text'),
        ('jsonb_array_elements(jsonb)', 'SETOF jsonb'), ('format(text)', 'text'), ('numeric(text)', 'numeric'),
        ('int8(numeric)', 'bigint'), ('scale(numeric)', 'integer'), ('sum(bigint)', 'numeric'), ('max(bigint)', 'bigint')) f (name, result)
    LOOP
        EXECUTE format($f$CREATE FUNCTION evil.%s RETURNS %s LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''function %s reached''; END'$f$,
                       item.name, item.result, item.name);
    END LOOP;
    -- tables of the engine's names, in the schema and temporary
    FOR item IN SELECT unnest('{program,member,account,journal,ledger_entry,lot,receipt,receipt_ref,source_key,activity_day,merchant,tier,
                               member_identity,tier_history,contract,party,mall,wallet,access_grant,refund,refund_claim,exchange,journal_context,merchant_split,known,dead,page,bound,d,l}'::text[]) AS name
    LOOP
        EXECUTE format('CREATE TABLE evil.%I (member_id bigint, balance bigint)', item.name);
        EXECUTE format('CREATE TEMPORARY TABLE %I (member_id bigint, balance bigint)', item.name);
    END LOOP;
    CREATE TEMPORARY VIEW _violation AS SELECT 1 AS member_id;
    CREATE FUNCTION pg_temp.now() RETURNS timestamptz LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''pg_temp.now() reached''; END';
    CREATE FUNCTION pg_temp.nextval(text) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''pg_temp.nextval() reached''; END';
    CREATE TYPE evil.accrual AS (points bigint);
    CREATE DOMAIN evil.numeric AS pg_catalog.int4;
    CREATE DOMAIN evil.date AS pg_catalog.int4;
END
$evil$;
RESET ROLE;
SELECT is(attempt('t_till', $$ SELECT ''::text = ''::text $$, 'evil, pg_temp, pg_catalog'), 'operator = (text, text) reached',
          'a caller''s own query runs into the traps');

-- 30.00 + 12.50 = 42.50 earns 42 points; plans made under one path serve the calls under the others
DISCARD PLANS;
SELECT is(attempt('t_till', $$ SELECT member_id FROM membership.enroll_member('phone', '13800000001') $$, 'evil, pg_temp, pg_catalog'), '1',
          'enrolment under a hostile path');
SELECT is(array_agg(attempt('t_till', format($$ SELECT points FROM membership.accrue_points(1, 1, 42.50, 'o%s', external_refs => '{"w": "%s"}',
                                                lines => '[{"amount": 30}, {"amount": 12.5}]') $$, n, n), path) ORDER BY n), '{42,42,42,42}',
          'purchases under four hostile paths')
  FROM unnest('{"evil, pg_temp, pg_catalog","pg_temp, evil","","evil, membership"}'::text[]) WITH ORDINALITY p (path, n);
DISCARD PLANS;
-- 4 x 42 = 168, and the grant of 10 makes 178
SELECT is(array_agg(attempt('t_till', call, 'evil, pg_temp, pg_catalog') ORDER BY n), '{1,true,42,10,178,178,168,178}',
          'whatever else a till does under a hostile path')
  FROM (VALUES
        (1, $$ SELECT membership.find_member('phone', '+86 138 0000 0001') $$),
        (2, $$ SELECT duplicate FROM membership.accrue_points(1, 1, 42.50, 'o1', external_refs => '{"w": "1"}',
                                                              lines => '[{"amount": 30}, {"amount": 12.5}]') $$),
        (3, $$ SELECT points FROM membership.preview_accrual(1, 1, 42.50) $$),
        (4, $$ SELECT points FROM membership.grant_points(1, 10, 'gift', 'G') $$),
        (5, $$ SELECT balance_after FROM membership.statement(1, max_rows => 1) $$),
        (6, $$ SELECT membership.balance_at(1, pg_catalog.clock_timestamp()) $$),
        (7, $$ SELECT pg_catalog.sum(remaining) FROM membership.member_lots WHERE origin OPERATOR(pg_catalog.=) 'accrual' $$),
        (8, $$ SELECT balance FROM membership.member_balance WHERE member_id OPERATOR(pg_catalog.=) 1::bigint $$)) c (n, call);
-- points spent, and given back: of 178 points at 5.00 a hundred, 100 pay half of 10.00
INSERT INTO membership.burn_rule (burn_rule_id, code, name, status, purpose, condition, step, value, share)
VALUES (90, 'trap', 'Trap', 'active', 'trap', 'order_amount > 5 AND tier = ''regular''', 100, 5, 0.5);
SELECT enrol('other') AS other \gset
DISCARD PLANS;
SELECT is(array_agg(attempt('t_till', call, 'evil, pg_temp, pg_catalog') ORDER BY n), '{100,0,0,0,-100,100,100,0,178,MB108}',
          'spending under a hostile path')
  FROM (VALUES
        (1, $$ SELECT max_points FROM membership.quote_redemption(1, 10, 1, 's1', purpose => 'trap') $$),
        (2, $$ SELECT points FROM membership.authorize_points(1, 100, 'H0', '1 hour', 1, 's0', 10, purpose => 'trap') $$),
        (3, $$ SELECT points FROM membership.void_points(1, 'H0') $$),
        (4, $$ SELECT points FROM membership.authorize_points(1, 100, 'H1', '1 hour', 1, 's0', 10, purpose => 'trap') $$),
        (5, $$ SELECT points FROM membership.capture_points(1, 'H1') $$),
        (6, $$ SELECT points FROM membership.reverse_redemption(1, 'H1', 'back') $$),
        (7, $$ SELECT points FROM membership.redeem_points(1, 100, 'R1', 1, 's1', 10, purpose => 'trap') $$),
        (9, $$ SELECT pg_catalog.count(*) FROM membership.member_holds $$),
        (10, $$ SELECT balance FROM membership.reverse_redemption(1, 'R1', 'back') $$),
        (11, $$ SELECT membership.transfer_points(1, 2, 10, 'T1') $$)) c (n, call);
-- an operator: also configuration, whose triggers and foreign keys run; 42.50 x 2 = 85 at the new rate
SELECT is(array_agg(attempt('t_operator', call, 'evil, pg_temp, pg_catalog') ORDER BY n), '{-8,review,"","","","",0,2,85}',
          'an operator under a hostile path')
  FROM (VALUES
        (1, $$ SELECT points FROM membership.adjust_points(1, -8, 'fix', 'A') $$),
        (2, $$ SELECT status FROM membership.accrue_points(1, 1, 5, 'late',
                   occurred_at => pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) pg_catalog.make_interval(days => 40)) $$),
        (3, $$ SELECT membership.review_accrual(1, 15, 'approve', 'ok') $$),
        (4, $$ SELECT membership.set_tags(1, '{b,a,b}') $$),
        (5, $$ SELECT membership.set_tier(1, 'gold', NULL, 'guest') $$),
        (6, $$ SELECT membership.replace_identity(1, 'phone', '13800000001', '13800000002', 'new') $$),
        (7, $$ SELECT pg_catalog.count(*) FROM membership.verify() $$),
        (8, $$ UPDATE membership.program SET base_rate = 2 RETURNING base_rate $$),
        (9, $$ SELECT base_points FROM membership.preview_accrual(1, 1, 42.50) $$)) c (n, call);
UPDATE membership.program SET base_rate = 1;
SELECT set_tier(1, 'regular', NULL, 'for round numbers') \gset
-- goods given back, before their sale and after, exchanged and corrected, by rules that are asked again: 100.00 x 2 = 200, of which 40.00 or 90.00 are left, 40 and 180;
-- 60.00 exchanged, 120; 100.00 corrected to 30.00, 30
INSERT INTO membership.earn_rule (rule_id, code, name, status, effect, value, condition, refund_mode)
VALUES (91, 'trap', 'Trap', 'active', 'multiplier', 2, 'order_basis >= 50 AND NOT tags && ARRAY[''x''] AND tier = ''regular''', 'reevaluate');
SELECT enrol('returner') AS returner \gset
DISCARD PLANS;
SELECT is(array_agg(attempt(who, format(call, :returner), 'evil, pg_temp, pg_catalog') ORDER BY n), '{parked,200,160,MB109,200,posted,140,120,200,30,30}', 'refunds and corrections under a hostile path')
  FROM (VALUES
        (1, 't_till', $$ SELECT status FROM membership.refund_order(1, 'k2', 'F', lines => '[{"line_no": 1, "quantity": 1, "amount": 10}]') $$),
        (2, 't_till', $$ SELECT points FROM membership.accrue_points(%s, 1, 100, 'k1') $$),
        (3, 't_till', $$ SELECT points_clawed FROM membership.refund_order(1, 'k1', 'F', 60) $$),
        (4, 't_till', $$ SELECT points_clawed FROM membership.refund_order(1, 'k1', 'G', 60) $$),
        (5, 't_till', $$ SELECT points FROM membership.accrue_points(%s, 1, 100, 'k2', lines => '[{"quantity": 2, "amount": 100}]') $$),
        (6, 't_till', $$ SELECT status FROM membership.refund_order(1, 'k2', 'F', lines => '[{"line_no": 1, "quantity": 1, "amount": 10}]') $$),
        (7, 't_till', $$ SELECT points_clawed FROM membership.refund_order(1, 'k2', 'G', 50, member_id => %s) $$),
        (8, 't_till', $$ SELECT points FROM membership.accrue_points(%s, 1, 60, 'k3', exchange_of => 'k1') $$),
        (9, 't_till', $$ SELECT points FROM membership.accrue_points(%s, 1, 100, 'k4') $$),
        (10, 't_operator', $$ SELECT points FROM membership.correct_purchase(1, 'k4', 30, NULL, 'C', 'mis-rung') $$),
        (11, 't_operator', $$ SELECT points FROM membership.reassign_purchase(1, 'k4', 2, 'wrong card') $$)) c (n, who, call);
UPDATE membership.earn_rule SET status = 'ended' WHERE rule_id = 91;
SELECT is(attempt(who, $$ SELECT points_clawed FROM membership.refund_order(1, 'k1', 'H', 1, at => now() - interval '1 day') $$), expected, who || ': a refund in the past')
  FROM (VALUES ('t_till', '22023'), ('t_operator', '1'), ('t_analyst', '42501')) c (who, expected);
SELECT is(attempt('t_till', call), '42501', 'a till does not: ' || call) FROM unnest(ARRAY[$$ SELECT membership.correct_purchase(1, 'k1', 30, NULL, 'C', 'x') $$, $$ SELECT membership.reassign_purchase(1, 'k1', 2, 'x') $$]) call;
SELECT is(tags, '{a,b}', 'tags are sorted by the true order') FROM membership.member WHERE member_id = 1;
SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');

-- ------------------------------------------------------------------ rights as the catalogue has them

SELECT is_empty($$ SELECT p.oid::regprocedure FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                    WHERE p.pronamespace = 'membership'::regnamespace AND a.grantee = 0 $$, 'no function is for PUBLIC');
SELECT is_empty($$ SELECT c.relname FROM pg_class c, aclexplode(c.relacl) a
                    WHERE c.relnamespace = 'membership'::regnamespace AND a.grantee = 0 $$, 'no table is for PUBLIC');
SELECT ok(NOT has_schema_privilege('t_nobody', 'membership', 'USAGE, CREATE'), 'nor is the schema');
SELECT is_empty($$ SELECT rolname FROM pg_roles WHERE rolname IN ('membership_owner', 't_till', 't_operator', 't_analyst')
                    AND has_schema_privilege(rolname, 'membership', 'CREATE') $$, 'nobody creates objects in the schema, the owner included');
SELECT is(ROW(rolsuper, rolcanlogin, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication)::text, '(f,f,f,f,f,f)', 'the owner is a bare role')
  FROM pg_roles WHERE oid = (SELECT relowner FROM pg_class WHERE oid = 'membership.program'::regclass);

CREATE FUNCTION public.callable(who text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc
     WHERE pronamespace = 'membership'::regnamespace AND proname !~ '^_' AND has_function_privilege(who, oid, 'EXECUTE') $$;
CREATE FUNCTION public.usable(who text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(relname || ' ' || rights, ', ' ORDER BY relname)
      FROM pg_class, LATERAL (
           SELECT string_agg(left(p, 1), '' ORDER BY p) AS rights
             FROM unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES}'::text[]) p WHERE has_table_privilege(who, pg_class.oid, p)) r
     WHERE relnamespace = 'membership'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') AND rights IS NOT NULL $$;
CREATE ROLE t_shop;
SELECT grant_access('t_shop', 'application') \gset
\set till_functions '''accrue_batch accrue_from accrue_points accrue_trigger add_identity attr_date authorize_points balance_at capture_points enroll_member find_member grant_points preview_accrual quote_redemption redeem_points refund_from refund_order remove_identity replace_identity reverse_redemption set_tags statement transfer_points update_member void_points'''
\set till_tables '''event DSU, expiring_soon S, member_alias S, member_balance S, member_holds S, member_lots S, member_statement S, member_tier_progress S'''
SELECT is(callable('t_shop'), :till_functions, 'functions of an application');
SELECT is(usable('t_shop'), :till_tables, 'tables of an application');
SELECT is(callable('t_operator'), 'accrue_batch accrue_from accrue_points accrue_trigger add_identity adjust_points announce_expiry attr_date authorize_points balance_at '
          'capture_points close_refund_exception correct_purchase doctor enroll_member erase_member expire_points find_member grant_points import_lots import_members import_purchases '
          'import_tiers merge_members preview_accrual prune_context quote_redemption reassign_purchase redeem_points refund_from refund_order release_holds remove_identity '
          'replace_identity retry_accrual_errors reverse_redemption review_accrual schedule_jobs set_member_status set_tags set_tier statement '
          'transfer_points try_condition unschedule_jobs update_member verify void_points', 'functions of an operator');
-- what doctor() and schedule_jobs(), which have no rights of their own, are made of
SELECT is(string_agg(r || ' ' || p.proname, ', ' ORDER BY r || ' ' || p.proname),
          't_operator _cron_nightly, t_operator _cron_setting, t_operator _doctor_backlog, t_operator _doctor_job, t_operator _doctor_owner, t_operator _doctor_setting, '
          't_operator _doctor_sweep, t_operator _doctor_version, t_operator _in_cron_database, t_operator _need_cron, t_operator _need_program, '
          't_operator _planned_jobs, t_operator _sweep, t_operator _table_version', 'private functions that anybody may call')
  FROM pg_proc p, unnest('{t_shop,t_operator,t_analyst}'::text[]) r
 WHERE p.pronamespace = 'membership'::regnamespace AND p.proname ~ '^_' AND has_function_privilege(r, p.oid, 'EXECUTE');
SELECT is(usable('t_operator'), '_due S, accrual_error S, burn_rule ISU, clawback_loss S, contract ISU, earn_rule ISU, event DSU, expiring_soon S, job_run S, mall ISU, '
          'member_alias S, member_balance S, member_holds S, member_lots S, member_statement S, member_tier_progress S, merchant ISU, merchant_unsettled S, party ISU, '
          'point_breakage S, point_liability S, program S, redemption_daily S, refund S, refund_claim S, refund_exception S, rule_effect S, rule_error S, rule_version S, tier ISU, tier_history S, wallet S', 'tables of an operator');
SELECT is(string_agg(attname, ' ' ORDER BY attname), 'allow_debt award_rounding base_rate charge_cash claim_days clawback expiry extend_on_activity liability_price max_future min_life_days name '
          'pending_days phone_country reinstatement_days stacking tier_window_months transfer_daily_limit transfer_minimum transfers', 'settings that an operator may change')
  FROM pg_attribute WHERE attrelid = 'membership.program'::regclass AND attnum > 0 AND has_column_privilege('t_operator', attrelid, attnum, 'UPDATE');
SELECT is(callable('t_analyst'), 'balance_at statement verify', 'functions of an analyst');
SELECT is(usable('t_analyst'), 'burn_rule S, clawback_loss S, contract S, earn_rule S, expiring_soon S, job_run S, mall S, member_alias S, member_balance S, member_holds S, member_lots S, '
          'member_statement S, member_tier_progress S, merchant S, merchant_unsettled S, party S, point_breakage S, point_liability S, program S, redemption_daily S, refund S, refund_claim S, '
          'refund_exception S, rule_effect S, rule_error S, rule_version S, tier S, tier_history S, wallet S', 'tables of an analyst');
SELECT is(callable('t_nobody'), NULL, 'functions of anybody else');
SELECT is(usable('t_nobody'), NULL, 'tables of anybody else');

-- ------------------------------------------------------------------ what is refused

SELECT is(attempt(who, call), '42501', who || ' is refused: ' || call)
  FROM (VALUES
        ('t_shop', $$SELECT membership.adjust_points(1, 5, 'x', 'x')$$), ('t_shop', $$SELECT membership.set_member_status(1, 'closed', 'x')$$),
        ('t_shop', $$SELECT membership.set_tier(1, 'gold', NULL, 'x')$$), ('t_shop', $$SELECT membership.merge_members(1, 2, 'x')$$), ('t_shop', $$SELECT membership.erase_member(1, 'x')$$), ('t_shop', $$SELECT membership.review_accrual(1, 8, 'approve', 'x')$$),
        ('t_shop', $$SELECT membership.verify()$$), ('t_shop', $$SELECT membership._apply_access()$$),
        ('t_shop', $$SELECT membership._program_ddl(0, 2)$$), ('t_shop', $$INSERT INTO membership.merchant (merchant_id, name) VALUES (51, 'x')$$),
        ('t_operator', $$SELECT membership.grant_access('t_operator', 'application')$$),
        ('t_operator', $$SELECT membership.set_owner('t_operator')$$), ('t_operator', $$SELECT membership.upgrade_program()$$),
        ('t_operator', $$SELECT membership.create_program('x', 'UTC')$$), ('t_analyst', $$SELECT membership.accrue_points(1, 1, 10, 'x')$$),
        ('t_analyst', $$SELECT membership.find_member('phone', '13800000002')$$), ('t_nobody', $$SELECT membership.verify()$$),
        ('membership_owner', $$SELECT membership.adjust_points(1, 5, 'x', 'x')$$)) c (who, call);
-- writing what only the engine writes
SELECT is(attempt(who, call), '42501', who || ' is refused: ' || call)
  FROM unnest('{t_shop,t_operator,t_analyst}'::text[]) who,
       (VALUES ('account', 'balance'), ('ledger_entry', 'points'), ('lot', 'remaining'), ('journal', 'points'), ('receipt', 'member_id'),
               ('receipt_ref', 'value'), ('source_key', 'ref'), ('member_identity', 'value'), ('member', 'status'), ('activity_day', 'basis'),
               ('merchant_split', 'amount'), ('hold', 'points'), ('hold_lot', 'points'), ('order_spend', 'journal_no'), ('refund', 'amount'), ('refund_claim', 'journal_no'), ('exchange', 'amount'), ('tier_history', 'tier_id'), ('journal_context', 'attributes'), ('access_grant', 'kind')) t (name, field),
       LATERAL (VALUES (format('INSERT INTO membership.%s DEFAULT VALUES', name)), (format('UPDATE membership.%s SET %s = NULL', name, field)),
                       (format('DELETE FROM membership.%s', name)), (format('TRUNCATE membership.%s', name)),
                       (format('LOCK membership.%s IN ROW EXCLUSIVE MODE', name))) c (call);
SELECT is(attempt(who, call), '42501', who || ' is refused: ' || call)
  FROM unnest('{t_shop,t_operator,t_analyst}'::text[]) who,
       unnest(ARRAY['SELECT value FROM membership.member_identity', 'SELECT birthday FROM membership.member', 'SELECT attributes FROM membership.journal_context',
                    $$SELECT nextval('membership.member_id_seq')$$, $$SELECT setval('membership.config_version_seq', 1)$$,
                    'DELETE FROM membership.merchant', 'UPDATE membership.program SET config_version = 1',
                    'UPDATE membership.program SET table_version = 2', $$UPDATE membership.program SET currency = 'JPY'$$,
                    'CREATE TABLE membership.t (a int)', 'CREATE FUNCTION membership.now() RETURNS int LANGUAGE sql AS $f$SELECT 1$f$',
                    'ALTER TABLE membership.lot ADD COLUMN x int', 'ALTER TABLE membership.journal DISABLE TRIGGER ALL',
                    'DROP VIEW membership.member_balance', 'CREATE RULE r AS ON INSERT TO membership.journal DO NOTHING',
                    'CREATE TRIGGER t AFTER INSERT ON membership.journal FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
                    'CREATE POLICY p ON membership.member', 'SET ROLE membership_owner', $$COMMENT ON TABLE membership.lot IS 'x'$$]) call;
-- the extension's trigger functions on a table of one's own
CREATE TABLE evil.mine (member_id bigint, config_version bigint);
ALTER TABLE evil.mine OWNER TO t_till;
SELECT is(attempt('t_till', format('CREATE TRIGGER t BEFORE UPDATE ON evil.mine FOR EACH ROW EXECUTE FUNCTION membership.%s()', f)), '42501',
          f || ' is not for a till''s tables')
  FROM unnest('{_guard_append_only,_guard_config,_config_version,_config_changed}'::text[]) f;
-- configuration is the operators'
SELECT is(attempt('t_operator', $$INSERT INTO membership.merchant (merchant_id, name) VALUES (50, 'New') RETURNING merchant_id$$), '50', 'an operator adds a merchant');
SELECT is(attempt('t_operator', $$UPDATE membership.tier SET multiplier = 1.3 WHERE code = 'silver' RETURNING code$$), 'silver', 'and changes a tier');

-- ------------------------------------------------------------------ granting and revoking

SELECT grant_access('t_shop', 'operator') \gset
SELECT grant_access('t_shop', 'operator') \gset
SELECT is(callable('t_shop'), callable('t_operator'), 'an application that is an operator too may what an operator may');
SELECT revoke_access('t_shop', 'operator') \gset
SELECT is(callable('t_shop'), :till_functions, 'the operator taken away, what an application needs stays');
SELECT is(usable('t_shop'), :till_tables, 'of the tables too');
SELECT is_empty($$ SELECT attname FROM pg_attribute WHERE attrelid = 'membership.program'::regclass AND attnum > 0
                    AND has_column_privilege('t_shop', attrelid, attnum, 'UPDATE') $$, 'no setting is left to change');
SELECT is(attempt('t_shop', $$SELECT points FROM membership.accrue_points(1, 1, 1, 'r1')$$), '1', 'it still works');
SELECT is(attempt('t_shop', $$SELECT points FROM membership.accrue_points(1, 1, 1, 'r2', at => now() - interval '1 day')$$), '22023',
          'but posts into the past no more');
SELECT revoke_access('t_shop', 'application') \gset
SELECT revoke_access('t_shop', 'application') \gset
SELECT is(callable('t_shop'), NULL, 'both taken away, no function is left');
SELECT is(usable('t_shop'), NULL, 'no table');
SELECT ok(NOT has_schema_privilege('t_shop', 'membership', 'USAGE'), 'nor the schema');
SELECT is_empty($$ SELECT * FROM membership.access_grant WHERE role_name = 't_shop' $$, 'nothing is on record');

SELECT enrol('past') AS past \gset
SELECT is(attempt(who, format($$SELECT points FROM membership.accrue_points(%s, 1, 10, %L, at => now() - interval '1 day')$$, :past, who)), expected, what)
  FROM (VALUES ('t_till', '22023', 'a till does not post into the past'), ('t_operator', '10', 'an operator does'),
               ('t_clerk', '10', 'so does a member of an operator role'),
               ('t_auditor', '42501', 'one who does not inherit its rights may not even call')) c (who, expected, what);

-- ------------------------------------------------------------------ whose rights a call has

-- a SECURITY DEFINER wrapper acts for its owner
CREATE FUNCTION public.wrapped(member bigint, ref text, at timestamptz DEFAULT NULL) RETURNS bigint LANGUAGE sql SECURITY DEFINER
    AS $$ SELECT points FROM membership.accrue_points(member, 1, 10, ref, at => at) $$;
ALTER FUNCTION public.wrapped OWNER TO t_till;
SELECT is(attempt('t_nobody', format('SELECT wrapped(%s, %L)', :past, 'w1')), '10', 'a till''s wrapper serves anybody');
SELECT is(ROW(actor, login)::text, '(t_till,t_nobody)', 'the journal names its owner, and who logged in') FROM membership.journal WHERE order_ref = 'w1';
SELECT is(attempt('t_operator', format('SELECT wrapped(%s, %L, now() - interval ''1 day'')', :past, 'w2')), '22023', 'an operator who calls it is a till');
ALTER FUNCTION public.wrapped OWNER TO t_operator;
SELECT is(attempt('t_nobody', format('SELECT wrapped(%s, %L, now() - interval ''1 day'')', :past, 'w2')), '10', 'an operator''s wrapper is an operator');
SELECT is(attempt('t_nobody', $$SELECT membership.accrue_points(1, 1, 10, 'w3')$$), '42501', 'without a wrapper nobody gets in');

-- a query that changes role before the call: it acts for, and stays, the new role, and never reaches the owner
CREATE FUNCTION public.turn(role text) RETURNS text LANGUAGE sql AS $$ SELECT set_config('role', role, true); SELECT 'turned' $$;
SELECT is(attempt('t_till', $$SELECT points FROM membership.accrue_points(1, 1, 7, turn('t_analyst'))$$), 'became t_analyst, search_path public',
          'the query goes on as whom it turned to');
SELECT is(actor, 't_analyst', 'as does the journal') FROM membership.journal WHERE order_ref = 'turned';
SELECT is(attempt('t_till', $$SELECT points FROM membership.accrue_points(1, 1, 7, turn('membership_owner'))$$), '42501', 'who is never the owner');

-- calls in odd places have the rights of whoever runs the statement
SET LOCAL ROLE t_till;
CREATE TABLE evil.checked (id int, CHECK ((membership.accrue_points(1, 1, 3, 'check-' || id)).points = 3));
CREATE TABLE evil.defaulted (id int, points bigint DEFAULT (membership.accrue_points(1, 1, 4, 'default')).points);
CREATE TABLE evil.guarded (id int);
INSERT INTO evil.guarded VALUES (1), (2);
ALTER TABLE evil.guarded ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON evil.guarded USING ((membership.accrue_points(1, 1, 5, 'policy-' || id)).points = 5);
CREATE VIEW evil.viewed AS SELECT (membership.accrue_points(1, 1, 6, 'view-' || id)).points FROM generate_series(1, 2) id;
CREATE FUNCTION evil.on_sale() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM membership.accrue_points(1, 1, 8, TG_NAME || '-' || NEW.id); RETURN NULL; END $$;
CREATE TABLE evil.sale (id int);
CREATE TRIGGER trigger AFTER INSERT ON evil.sale FOR EACH ROW EXECUTE FUNCTION evil.on_sale();
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON evil.sale DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION evil.on_sale();
GRANT USAGE ON SCHEMA evil TO t_nobody;
GRANT SELECT, INSERT ON evil.checked, evil.defaulted, evil.guarded, evil.sale TO t_nobody;
RESET ROLE;
SELECT is(attempt('t_nobody', call), '42501', 'nobody is refused: ' || call)
  FROM unnest('{INSERT INTO evil.checked VALUES (9),INSERT INTO evil.defaulted (id) VALUES (9),INSERT INTO evil.sale VALUES (9),SELECT id FROM evil.guarded}'::text[]) call;
SELECT is(attempt('t_till', call), expected, 'a till is served: ' || call)
  FROM (VALUES ('INSERT INTO evil.checked VALUES (1), (2) RETURNING id', '1'), ('INSERT INTO evil.defaulted (id) VALUES (1) RETURNING points', '4'),
               ('SELECT sum(id) FROM evil.guarded', '3'), ('SELECT sum(points) FROM evil.viewed', '12'),
               ('INSERT INTO evil.sale VALUES (1), (2) RETURNING id', '1'), ('SET CONSTRAINTS ALL IMMEDIATE', NULL),
               ('CREATE MATERIALIZED VIEW evil.stored AS SELECT (membership.accrue_points(1, 1, 9, ''stored'')).points', NULL),
               ('SELECT g FROM generate_series(1, 2) g ORDER BY (membership.accrue_points(1, 1, g, ''order-'' || g)).points DESC', '2'),
               ('SELECT count(*) FILTER (WHERE duplicate) FROM generate_series(1, 3), membership.accrue_points(1, 1, 10, ''lateral'')', '0'),
               ('SELECT count(*) FILTER (WHERE (a).duplicate) FROM (SELECT membership.accrue_points(1, 1, 11, ''many'') AS a FROM generate_series(1, 3) OFFSET 0) s', '2'))
       c (call, expected);
-- check 2 x 3, default 4, policy 2 x 5, view 2 x 6, trigger and deferred 2 x 2 x 8, stored 9, order 1 + 2, lateral 10, many 11
SELECT is(ROW(sum(points), string_agg(DISTINCT actor, ' '))::text, '(97,t_till)', 'and each purchase is posted once')
  FROM membership.journal WHERE order_ref ~ '^(check|default|policy|view|trigger|deferred|stored|order|lateral|many)';

-- ------------------------------------------------------------------ errors and cancels in the middle

-- A DBA's trigger that fails, or is cancelled, while a purchase writes a table, acting as the owner: the caller is who
-- they were, nothing is left, and the same call then works.
CREATE FUNCTION public.cancel_me() RETURNS boolean LANGUAGE sql SECURITY DEFINER AS $$ SELECT pg_cancel_backend(pg_backend_pid()) $$;
CREATE FUNCTION public.fail_writing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_ARGV[0] = 'cancel' THEN
        PERFORM public.cancel_me();
        PERFORM pg_sleep(10);
    END IF;
    RAISE EXCEPTION 'failed as %', current_user;
END
$$;
CREATE FUNCTION public.fail_on(relation text, how text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    call text := format($q$SELECT points FROM membership.accrue_points(1, 2, 10, '%s-%s', attributes => '{"a": 1}', external_refs => '{"f": "%s-%s"}')$q$,
                        relation, how, relation, how);
    result text;
    state text := md5((SELECT string_agg(j::text, '' ORDER BY j.member_id, j.journal_no) FROM membership.journal j));
BEGIN
    EXECUTE format('CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON membership.%I FOR EACH ROW EXECUTE FUNCTION public.fail_writing(%L)', relation, how);
    result := attempt('t_till', call);
    EXECUTE format('DROP TRIGGER fail ON membership.%I', relation);
    IF state <> md5((SELECT string_agg(j::text, '' ORDER BY j.member_id, j.journal_no) FROM membership.journal j)) THEN
        RETURN 'something is left';
    END IF;
    RETURN result || ', then ' || attempt('t_till', call);
END
$$;
SELECT is(fail_on(relation, how), outcome || ', then 10', how || ' while writing ' || relation)
  FROM unnest('{receipt,receipt_ref,journal,journal_context,ledger_entry,lot,activity_day,merchant_split,account}'::text[]) relation,
       (VALUES ('error', 'failed as membership_owner'), ('cancel', '57014')) h (how, outcome);
SELECT is(ROW(current_user, current_setting('search_path'))::text, ROW(session_user, 'membership, public')::text, 'the session is who it was');

-- a DBA's trigger that posts for the member whose purchase is being written is refused, and with it the purchase
CREATE FUNCTION public.again() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF NEW.order_ref = 'outer' THEN
        PERFORM membership.grant_points(NEW.member_id, 1, 'again', 'again');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER again BEFORE INSERT ON membership.journal FOR EACH ROW EXECUTE FUNCTION public.again();
SELECT is(attempt('t_till', $$SELECT points FROM membership.accrue_points(1, 1, 10, 'outer')$$), '23505', 'a call within a call for the same member');
DROP TRIGGER again ON membership.journal;
SELECT is_empty($$SELECT * FROM membership.journal WHERE order_ref = 'outer' OR reason = 'again'$$, 'leaves nothing');

-- row security that a DBA added does not stop the engine, whatever the caller sets
ALTER TABLE membership.member ENABLE ROW LEVEL SECURITY;
SELECT is(attempt('t_till', $$WITH s AS MATERIALIZED (SELECT set_config('row_security', 'off', true))
                              SELECT points FROM s, membership.accrue_points(1, 1, 10, 'row-security')$$), '10', 'row_security = off');
-- a transaction that turned read-only on the way writes nothing
SELECT is(attempt('t_till', $$WITH s AS MATERIALIZED (SELECT set_config('transaction_read_only', 'on', true) AS x)
                              SELECT p.points FROM s, LATERAL membership.accrue_points(1, 1, 10, 'read-only-' || s.x) p$$), '25006', 'a transaction turned read-only');

SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound to the end');
SELECT * FROM finish();
ROLLBACK;
