-- Rights: what each kind of role may do, in one list.

CREATE FUNCTION membership._access(kind text) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('%s ON %s membership.%s', a.privilege, a.class, a.name)
      FROM (VALUES
        ('EXECUTE', 'FUNCTION', '{application,operator}',
         '{enroll_member,find_member,add_identity,replace_identity,remove_identity,update_member,set_tags,accrue_points,accrue_batch,accrue_trigger,preview_accrual,grant_points,quote_redemption,redeem_points,reverse_redemption,authorize_points,capture_points,void_points,transfer_points,refund_order,attr_date}'),
        ('EXECUTE', 'PROCEDURE', '{application,operator}', '{accrue_from,refund_from}'),
        ('EXECUTE', 'PROCEDURE', '{operator}', '{expire_points,release_holds,announce_expiry,prune_context}'),
        ('EXECUTE', 'FUNCTION', '{application,operator,analyst}', '{statement,balance_at}'),
        ('EXECUTE', 'FUNCTION', '{operator}', '{set_member_status,merge_members,erase_member,set_tier,adjust_points,review_accrual,correct_purchase,reassign_purchase,close_refund_exception,retry_accrual_errors,try_condition,import_members,import_lots,import_purchases,import_tiers}'),
        ('EXECUTE', 'FUNCTION', '{operator,analyst}', '{verify}'),
        ('EXECUTE', 'FUNCTION', '{operator}', '{schedule_jobs,unschedule_jobs,doctor,_cron_setting,_in_cron_database,_sweep,_cron_nightly,_planned_jobs,_need_cron,_need_program,_table_version,_doctor_owner,_doctor_version,_doctor_setting,_doctor_job,_doctor_sweep,_doctor_backlog}'),
        ('SELECT', 'TABLE', '{operator}', '{_due}'),
        ('SELECT', 'TABLE', '{application,operator,analyst}',
         '{member_balance,member_holds,member_lots,expiring_soon,member_statement,member_tier_progress,member_alias}'),
        ('SELECT', 'TABLE', '{operator,analyst}', '{merchant_unsettled,tier_history,rule_version,rule_effect,rule_error,redemption_daily,point_liability,point_breakage,refund,refund_claim,refund_exception,clawback_loss}'),
        ('SELECT', 'TABLE', '{operator}', '{accrual_error}'),
        ('SELECT', 'TABLE', '{operator,analyst}', '{job_run}'),
        ('SELECT, UPDATE, DELETE', 'TABLE', '{application,operator}', '{event}'),
        ('SELECT', 'TABLE', '{operator,analyst}', '{program,party,mall,merchant,contract,tier,wallet,earn_rule,burn_rule}'),
        ('INSERT, UPDATE', 'TABLE', '{operator}', '{party,mall,merchant,contract,tier,earn_rule,burn_rule}'),
        ('UPDATE (name, phone_country, base_rate, award_rounding, expiry, min_life_days, extend_on_activity, pending_days, claim_days, max_future, allow_debt, tier_window_months, stacking, reinstatement_days, clawback, charge_cash, liability_price, transfers, transfer_minimum, transfer_daily_limit)',
         'TABLE', '{operator}', '{program}')
      ) l (privilege, class, kinds, names)
     CROSS JOIN LATERAL unnest(l.names::text[]) n (name)
     CROSS JOIN LATERAL (SELECT l.privilege, l.class, n.name) a
     WHERE _access.kind = ANY (l.kinds::text[])
       -- what upgrade_program() has yet to make
       AND (l.class <> 'TABLE' OR to_regclass('membership.' || n.name) IS NOT NULL)
$$;
COMMENT ON FUNCTION membership._access IS 'The rights of a kind of role, each as GRANT and REVOKE name it.';

CREATE FUNCTION membership._check_kind(kind text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF kind IS NULL OR kind NOT IN ('application', 'operator', 'analyst') THEN
        RAISE EXCEPTION 'kind of access "%" is not known', kind
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'Kinds are application, operator and analyst.',
                  HINT = 'See doc/security.md for what each may do.';
    END IF;
END
$$;
COMMENT ON FUNCTION membership._check_kind IS 'Refuses an unknown kind of access (22023).';

CREATE FUNCTION membership._apply_access() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    given record;
    piece text;
BEGIN
    FOR given IN SELECT g.role_name, g.kind FROM membership.access_grant g
                   JOIN pg_catalog.pg_roles r ON r.rolname = g.role_name
    LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA membership TO %I', given.role_name);
        FOR piece IN SELECT membership._access(given.kind) LOOP
            EXECUTE format('GRANT %s TO %I', piece, given.role_name);
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION membership._apply_access IS 'Gives every recorded right to the roles that exist.';

CREATE FUNCTION membership.grant_access(role regrole, kind text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM membership._need_program();
    PERFORM membership._check_role(role);
    PERFORM membership._check_kind(kind);
    INSERT INTO membership.access_grant (role_name, kind)
    SELECT r.rolname, grant_access.kind FROM pg_catalog.pg_roles r WHERE r.oid = role
    ON CONFLICT ON CONSTRAINT access_grant_pkey DO NOTHING;
    PERFORM membership._apply_access();
END
$$;
COMMENT ON FUNCTION membership.grant_access IS
'Lets a role use the programme as application (enrol, accrue, spend, refund, read), operator (every call, and INSERT and UPDATE of configuration) or analyst (views, verify). Recorded and given again by upgrade_program(). Run by a superuser. Errors: 22004, 22023 unknown kind, 42704 unknown role, MB001 no programme.';

CREATE FUNCTION membership.revoke_access(role regrole, kind text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    piece text;
BEGIN
    PERFORM membership._need_program();
    PERFORM membership._check_role(role);
    PERFORM membership._check_kind(kind);
    DELETE FROM membership.access_grant g
     USING pg_catalog.pg_roles r
     WHERE r.oid = role AND g.role_name = r.rolname AND g.kind = revoke_access.kind;
    FOR piece IN SELECT membership._access(revoke_access.kind) LOOP
        EXECUTE format('REVOKE %s FROM %s', piece, role);
    END LOOP;
    EXECUTE format('REVOKE USAGE ON SCHEMA membership FROM %s', role);
    -- what another kind of the same role still gives
    PERFORM membership._apply_access();
END
$$;
COMMENT ON FUNCTION membership.revoke_access IS
'Takes back what grant_access gave. Run by a superuser. Errors: 22004, 22023 unknown kind, 42704 unknown role, MB001 no programme.';
