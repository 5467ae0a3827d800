-- Set-up, run by a DBA: makes the programme's objects and hands them to its owner.

-- Not the library's: a newer one serves the functions of an older version, which make tables of an older version.
CREATE FUNCTION membership._table_version() RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 2 $$;
COMMENT ON FUNCTION membership._table_version IS 'The table version that create_program() makes and upgrade_program() brings a programme to.';

CREATE FUNCTION membership._currency_digits(currency text) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN currency = ANY (pg_catalog.string_to_array('BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF', ' ')) THEN 0
        WHEN currency = ANY (pg_catalog.string_to_array('BHD IQD JOD KWD LYD OMR TND', ' ')) THEN 3
        WHEN currency = ANY (pg_catalog.string_to_array('CLF UYW', ' ')) THEN 4
        WHEN currency = ANY (pg_catalog.string_to_array(
            'AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP '
            'CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR '
            'JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN '
            'NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP '
            'SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG', ' ')) THEN 2
    END
$$;
COMMENT ON FUNCTION membership._currency_digits IS 'Decimals of a currency by ISO 4217, or NULL for an unknown code.';

CREATE FUNCTION membership._phone_country(currency text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE currency
        WHEN 'CNY' THEN '86'  WHEN 'HKD' THEN '852' WHEN 'MOP' THEN '853' WHEN 'TWD' THEN '886' WHEN 'SGD' THEN '65'
        WHEN 'MYR' THEN '60'  WHEN 'JPY' THEN '81'  WHEN 'KRW' THEN '82'  WHEN 'THB' THEN '66'  WHEN 'VND' THEN '84'
        WHEN 'PHP' THEN '63'  WHEN 'IDR' THEN '62'  WHEN 'INR' THEN '91'  WHEN 'AED' THEN '971' WHEN 'GBP' THEN '44'
        WHEN 'CHF' THEN '41'  WHEN 'SEK' THEN '46'  WHEN 'NOK' THEN '47'  WHEN 'DKK' THEN '45'  WHEN 'PLN' THEN '48'
        WHEN 'USD' THEN '1'   WHEN 'CAD' THEN '1'   WHEN 'AUD' THEN '61'  WHEN 'NZD' THEN '64'  WHEN 'BRL' THEN '55'
    END
$$;
COMMENT ON FUNCTION membership._phone_country IS 'The calling code of a currency that one country uses: the first value of program.phone_country.';

CREATE FUNCTION membership._check_role(role regrole) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF role IS NULL THEN
        RAISE EXCEPTION 'role must not be null'
            USING ERRCODE = 'null_value_not_allowed', DETAIL = 'The call needs a role.', HINT = 'Name a role.';
    ELSIF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = role) THEN
        RAISE EXCEPTION 'role % does not exist', role
            USING ERRCODE = 'undefined_object', DETAIL = 'No role has this name or number.', HINT = 'Name an existing role.';
    END IF;
END
$$;
COMMENT ON FUNCTION membership._check_role IS 'Refuses a null or unknown role (22004, 42704).';

CREATE FUNCTION membership._check_owner(owner regrole) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM membership._check_role(owner);
    IF (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.oid = owner) THEN
        RAISE EXCEPTION 'role % cannot own the programme', owner
            USING ERRCODE = 'MB404', DETAIL = 'It is a superuser, and the engine acts with its owner''s rights.',
                  HINT = 'Name a role without superuser rights, best NOLOGIN.';
    END IF;
END
$$;
COMMENT ON FUNCTION membership._check_owner IS 'Refuses a role that must not own a programme (MB404).';

CREATE FUNCTION membership._default_owner() RETURNS regrole
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    candidate pg_catalog.pg_roles;
BEGIN
    SELECT * INTO candidate FROM pg_catalog.pg_roles WHERE rolname = 'membership_owner';
    IF NOT FOUND THEN
        CREATE ROLE membership_owner NOLOGIN;
    ELSIF candidate.rolcanlogin OR candidate.rolsuper
          OR EXISTS (SELECT FROM pg_catalog.pg_auth_members WHERE roleid = candidate.oid) THEN
        RAISE EXCEPTION 'role membership_owner exists and cannot be adopted'
            USING ERRCODE = 'MB404', DETAIL = 'It can log in, is a superuser, or has members.',
                  HINT = 'Name another role with the argument owner.';
    END IF;
    RETURN 'membership_owner'::regrole;
END
$$;
COMMENT ON FUNCTION membership._default_owner IS 'Makes or adopts the role membership_owner.';

CREATE FUNCTION membership._hand_over(from_owner regrole, to_owner regrole) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    object record;
BEGIN
    FOR object IN
        SELECT c.relname, CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS class
          FROM pg_catalog.pg_class c
         WHERE c.relnamespace = 'membership'::regnamespace AND c.relowner = from_owner
           AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
    LOOP
        EXECUTE format('ALTER %s membership.%I OWNER TO %s', object.class, object.relname, to_owner);
    END LOOP;
    EXECUTE format('GRANT USAGE ON SCHEMA membership TO %s', to_owner);
    -- the engine evaluates conditions as the owner
    EXECUTE format('GRANT EXECUTE ON FUNCTION membership.attr_date(jsonb, text) TO %s', to_owner);
END
$$;
COMMENT ON FUNCTION membership._hand_over IS 'Gives the relations of the schema that belong to one role to another.';

CREATE FUNCTION membership._need_program() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_catalog.to_regclass('membership.program') IS NULL THEN
        RAISE EXCEPTION 'no programme has been set up in this database'
            USING ERRCODE = 'MB001', DETAIL = 'Table membership.program does not exist.',
                  HINT = 'Run SELECT membership.create_program(name, time_zone).';
    END IF;
END
$$;
COMMENT ON FUNCTION membership._need_program IS 'Refuses to go on without a programme (MB001).';

CREATE FUNCTION membership._need_tables(version integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_version integer;
BEGIN
    PERFORM membership._need_program();
    SELECT p.table_version INTO found_version FROM membership.program p;
    IF found_version < version THEN
        RAISE EXCEPTION 'this call needs the programme''s tables in version %', version
            USING ERRCODE = 'MB402', DETAIL = format('They have version %s.', found_version), HINT = 'Run SELECT membership.upgrade_program().';
    END IF;
END
$$;
COMMENT ON FUNCTION membership._need_tables IS 'Refuses what the programme''s tables are too old for (MB402).';

CREATE FUNCTION membership._install_preset(preset text, name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO membership.party (party_id, name, kind) VALUES (1, name, 'mall');
    INSERT INTO membership.mall (mall_id, name, party_id) VALUES (1, name, 1);
    INSERT INTO membership.wallet (wallet_id, code, name) VALUES (1, 'points', 'Points 积分');
    INSERT INTO membership.tier (tier_id, code, name, rank, multiplier, qualify_basis, validity_months)
    SELECT * FROM (VALUES (1, 'regular', 'Regular 普通', 1, 1.0, NULL::numeric, NULL::integer),
                          (2, 'silver',  'Silver 银卡',  2, 1.2, 5000, 12),
                          (3, 'gold',    'Gold 金卡',    3, 1.5, 20000, 12),
                          (4, 'diamond', 'Diamond 钻石', 4, 2.0, 50000, 12)) t (tier_id)
     WHERE preset = 'mall' OR t.tier_id = 1;
    INSERT INTO membership.burn_rule (burn_rule_id, code, name, status, step, value, share, minimum)
    SELECT 1, 'payment', 'Points pay 积分抵现', 'active', 100, 3, 0.15, 100 WHERE preset = 'mall';
    UPDATE membership.program SET liability_price = 0.03 WHERE preset = 'mall';
END
$$;
COMMENT ON FUNCTION membership._install_preset IS 'Writes the rows that a new programme starts with.';

CREATE FUNCTION membership.create_program(
    name text, time_zone text, currency text DEFAULT 'CNY', preset text DEFAULT 'mall', owner regrole DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    digits integer := membership._currency_digits(currency);
BEGIN
    IF name IS NULL OR time_zone IS NULL OR currency IS NULL OR preset IS NULL THEN
        RAISE EXCEPTION 'name, time_zone, currency and preset must not be null'
            USING ERRCODE = 'null_value_not_allowed', DETAIL = 'A programme has all four.', HINT = 'Give each a value, such as create_program(''Demo mall'', ''Asia/Shanghai'').';
    ELSIF name = '' THEN
        RAISE EXCEPTION 'name must not be empty'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'The name is what reports call the programme.', HINT = 'Give the programme a name.';
    ELSIF NOT EXISTS (SELECT FROM pg_catalog.pg_timezone_names z WHERE z.name = time_zone) THEN
        RAISE EXCEPTION 'time zone "%" is not known', time_zone
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'A programme''s days are those of a named zone.',
                  HINT = 'Use a name of pg_timezone_names, such as Asia/Shanghai.';
    ELSIF digits IS NULL THEN
        RAISE EXCEPTION 'currency "%" is not known', currency
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'Currencies are named by their ISO 4217 codes.',
                  HINT = 'Use a code such as CNY, EUR or JPY, in capitals.';
    ELSIF preset NOT IN ('mall', 'empty') THEN
        RAISE EXCEPTION 'preset "%" is not known', preset
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'Presets are mall and empty.', HINT = 'Use preset => ''mall'' or preset => ''empty''.';
    END IF;
    -- a second one waits here for the first and then finds its tables
    PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('membership.create_program', 0));
    IF pg_catalog.to_regclass('membership.program') IS NOT NULL THEN
        RAISE EXCEPTION 'this database already has a programme'
            USING ERRCODE = 'MB403', DETAIL = 'Table membership.program exists; there is one programme per database.',
                  HINT = 'Use another database, or upgrade_program() after an update of the extension.';
    END IF;
    owner := coalesce(owner, membership._default_owner());
    PERFORM membership._check_owner(owner);
    EXECUTE membership._program_ddl(0, digits);
    PERFORM membership._hand_over(quote_ident(current_user)::regrole, owner);
    INSERT INTO membership.program (name, time_zone, currency, currency_digits, phone_country, table_version)
    VALUES (name, time_zone, currency, digits, membership._phone_country(currency), membership._table_version());
    PERFORM membership._install_preset(preset, name);
END
$$;
COMMENT ON FUNCTION membership.create_program IS
'Creates the one programme of this database: tables, views and guards, handed to owner (default: role membership_owner, made if need be). time_zone: a name of pg_timezone_names, fixed for life, as is currency (ISO 4217). preset mall: tiers regular, silver 1.2x from 5,000, gold 1.5x from 20,000, diamond 2x from 50,000 of basis in 12 months, 1 point per 1.00, valid 24 months, 100 points = 3.00 for at most 15 % of an order; empty: one tier. Run by a superuser. Errors: 22004, 22023 bad argument, 42704 unknown role, MB403 there is one already, MB404 unfit owner.';

CREATE FUNCTION membership.upgrade_program() RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    from_version integer;
    digits       integer;
    owner        regrole;
BEGIN
    PERFORM membership._need_program();
    SELECT c.relowner INTO owner FROM pg_catalog.pg_class c WHERE c.oid = 'membership.program'::regclass;
    SELECT p.table_version, p.currency_digits INTO from_version, digits FROM membership.program p;
    IF from_version NOT BETWEEN 1 AND membership._table_version() THEN
        RAISE EXCEPTION 'the programme''s tables have version %', from_version
            USING ERRCODE = 'MB402', DETAIL = format('This upgrade_program() brings versions 1 to %s to version %1$s.', membership._table_version()),
                  HINT = 'Run ALTER EXTENSION membership UPDATE, or install a newer extension.';
    END IF;
    EXECUTE membership._program_ddl(from_version, digits);
    PERFORM membership._hand_over(quote_ident(current_user)::regrole, owner) WHERE owner <> quote_ident(current_user)::regrole;
    PERFORM membership._apply_access();
    UPDATE membership.program SET table_version = membership._table_version();
    RETURN format('table version %s, was %s', membership._table_version(), from_version);
END
$$;
COMMENT ON FUNCTION membership.upgrade_program IS
'Brings the programme''s tables, views and guards to the installed version and gives the recorded rights again; run after ALTER EXTENSION membership UPDATE, and after DROP EXTENSION CASCADE and CREATE EXTENSION. Changes nothing when all is current. Run by a superuser. Returns what it did. Errors: MB001 no programme, MB402 tables of a newer version.';

CREATE FUNCTION membership.set_owner(role regrole) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_owner regrole;
BEGIN
    PERFORM membership._need_program();
    PERFORM membership._check_owner(role);
    SELECT c.relowner INTO old_owner FROM pg_catalog.pg_class c WHERE c.oid = 'membership.program'::regclass;
    PERFORM membership._hand_over(old_owner, role);
    PERFORM membership._apply_access();
END
$$;
COMMENT ON FUNCTION membership.set_owner IS
'Hands the programme''s objects to another role and gives the recorded rights again: after a restore into a cluster without the old owner. Run by a superuser. Errors: 22004, MB001 no programme, MB404 unfit role.';
