-- Making a programme, and what only a DBA can do wrong: a role whose name needs quotes, another programme in the
-- same session, the extension's trigger functions on other tables, configuration beyond the engine's range.
SET client_min_messages = warning;
\set VERBOSITY sqlstate
\set QUIET on
\pset format unaligned
\pset tuples_only on

CREATE PROCEDURE raise_version(target bigint) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..50 LOOP
        UPDATE membership.program SET name = 'Mall ' || i WHERE config_version < target;
    END LOOP;
END
$$;

-- set up by a superuser whose name needs quotes, for an owner whose name does
CREATE ROLE "Regress DBA" SUPERUSER;
CREATE ROLE "Regress owner, Ltd.";
CREATE ROLE "Regress till 1";
SET SESSION AUTHORIZATION "Regress DBA";
CREATE EXTENSION membership;
SELECT membership.create_program('Mall', 'Asia/Shanghai', owner => '"Regress owner, Ltd."');
SELECT membership.grant_access('"Regress till 1"', 'application');
SELECT membership.upgrade_program();
RESET SESSION AUTHORIZATION;
SELECT DISTINCT relowner::regrole FROM pg_class WHERE relnamespace = 'membership'::regnamespace AND relkind IN ('r', 'v', 'S');
INSERT INTO membership.merchant (merchant_id, name) VALUES (1, 'Shop');
SELECT member_id FROM membership.enroll_member('phone', '13800000001');
SET ROLE "Regress till 1";
SELECT points, balance FROM membership.accrue_points(1, 1, 100.50, 'A');
RESET ROLE;
SELECT actor FROM membership.journal WHERE order_ref = 'A';
SELECT membership.revoke_access('"Regress till 1"', 'application');

-- roles that do not exist are refused, not ignored
SELECT membership.grant_access(4294967295::regrole, 'application');
SELECT membership.revoke_access(4294967295::regrole, 'application');
SELECT membership.set_owner(4294967295::regrole);

-- a trigger function where it does not belong is refused, and the server lives
CREATE TABLE other (a integer, config_version bigint);
INSERT INTO other VALUES (1, 1);
CREATE TRIGGER misplaced BEFORE INSERT ON other FOR EACH ROW EXECUTE FUNCTION membership._guard_config('a');
INSERT INTO other VALUES (2, 2);
DROP TRIGGER misplaced ON other;
CREATE TRIGGER misplaced BEFORE INSERT ON other FOR EACH ROW EXECUTE FUNCTION membership._config_version();
INSERT INTO other VALUES (2, 2);
DROP TRIGGER misplaced ON other;
CREATE TRIGGER misplaced BEFORE DELETE ON other FOR EACH ROW EXECUTE FUNCTION membership._config_version();
DELETE FROM other;
DROP TRIGGER misplaced ON other;
CREATE TRIGGER misplaced AFTER UPDATE ON other FOR EACH ROW EXECUTE FUNCTION membership._guard_append_only();
UPDATE other SET a = 3;
DROP TRIGGER misplaced ON other;
CREATE TRIGGER misplaced BEFORE UPDATE ON other FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_config('a');
UPDATE other SET a = 3;
DROP TABLE other;

-- a threshold that the engine cannot count is refused when it is written, or else counts: nobody is locked out
INSERT INTO membership.tier (tier_id, code, name, rank, qualify_basis) VALUES (9, 'sky', 'Sky', 9, 9999999999999999.00);
SELECT points FROM membership.accrue_points(1, 1, 10, 'B');

-- Another programme in the same session owes nothing to the first, not even where their config_version is the same:
-- in yen 100.50 is no amount, and a phone is Japanese.
SELECT config_version AS last_version FROM membership.program \gset
SELECT points FROM membership.preview_accrual(1, 1, 10);
DROP EXTENSION membership CASCADE;
DROP SCHEMA membership CASCADE;
CREATE EXTENSION membership;
SELECT membership.create_program('Mall', 'UTC', 'JPY', owner => '"Regress owner, Ltd."');
INSERT INTO membership.merchant (merchant_id, name) VALUES (1, 'Shop');
CALL raise_version(:last_version);
SELECT member_id FROM membership.enroll_member('phone', '09012345678');
SELECT value FROM membership.member_identity WHERE kind = 'phone';
SELECT points FROM membership.accrue_points(1, 1, 100.50, 'A');
SELECT points FROM membership.accrue_points(1, 1, 100, 'A');
SELECT * FROM membership.verify();
DROP EXTENSION membership CASCADE;
DROP SCHEMA membership CASCADE;
DROP PROCEDURE raise_version;
DROP ROLE "Regress DBA", "Regress owner, Ltd.", "Regress till 1";
