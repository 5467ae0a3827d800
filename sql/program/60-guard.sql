-- Guards: history is append-only, configuration is never deleted or renumbered, and every change of
-- configuration gets a new version, before and after it. The functions are the extension's; dropping it takes the triggers
-- along, and upgrade_program() makes them again.

CREATE OR REPLACE TRIGGER journal_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON membership.journal
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_append_only();
CREATE OR REPLACE TRIGGER ledger_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON membership.ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_append_only();

CREATE OR REPLACE TRIGGER refund_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON membership.refund
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_append_only();

CREATE OR REPLACE TRIGGER program_keep BEFORE UPDATE OR DELETE ON membership.program
    FOR EACH ROW EXECUTE FUNCTION membership._guard_config('program_id', 'time_zone', 'currency', 'currency_digits');
CREATE OR REPLACE TRIGGER party_keep BEFORE UPDATE OR DELETE ON membership.party
    FOR EACH ROW EXECUTE FUNCTION membership._guard_config('party_id');
CREATE OR REPLACE TRIGGER mall_keep BEFORE UPDATE OR DELETE ON membership.mall
    FOR EACH ROW EXECUTE FUNCTION membership._guard_config('mall_id');
CREATE OR REPLACE TRIGGER merchant_keep BEFORE UPDATE OR DELETE ON membership.merchant
    FOR EACH ROW EXECUTE FUNCTION membership._guard_config('merchant_id');
CREATE OR REPLACE TRIGGER contract_keep BEFORE UPDATE OR DELETE ON membership.contract
    FOR EACH ROW EXECUTE FUNCTION membership._guard_config('contract_id', 'merchant_id');
CREATE OR REPLACE TRIGGER tier_keep BEFORE UPDATE OR DELETE ON membership.tier
    FOR EACH ROW EXECUTE FUNCTION membership._guard_config('tier_id', 'code');
CREATE OR REPLACE TRIGGER wallet_keep BEFORE UPDATE OR DELETE ON membership.wallet
    FOR EACH ROW EXECUTE FUNCTION membership._guard_config('wallet_id', 'code');

CREATE OR REPLACE TRIGGER program_no_truncate BEFORE TRUNCATE ON membership.program
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_config();
CREATE OR REPLACE TRIGGER party_no_truncate BEFORE TRUNCATE ON membership.party
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_config();
CREATE OR REPLACE TRIGGER mall_no_truncate BEFORE TRUNCATE ON membership.mall
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_config();
CREATE OR REPLACE TRIGGER merchant_no_truncate BEFORE TRUNCATE ON membership.merchant
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_config();
CREATE OR REPLACE TRIGGER contract_no_truncate BEFORE TRUNCATE ON membership.contract
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_config();
CREATE OR REPLACE TRIGGER tier_no_truncate BEFORE TRUNCATE ON membership.tier
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_config();
CREATE OR REPLACE TRIGGER wallet_no_truncate BEFORE TRUNCATE ON membership.wallet
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_config();

CREATE OR REPLACE TRIGGER program_version BEFORE UPDATE ON membership.program
    FOR EACH ROW EXECUTE FUNCTION membership._config_version();
CREATE OR REPLACE TRIGGER party_changed BEFORE INSERT OR UPDATE ON membership.party
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER party_written AFTER INSERT OR UPDATE ON membership.party
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER mall_changed BEFORE INSERT OR UPDATE ON membership.mall
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER mall_written AFTER INSERT OR UPDATE ON membership.mall
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER merchant_changed BEFORE INSERT OR UPDATE ON membership.merchant
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER merchant_written AFTER INSERT OR UPDATE ON membership.merchant
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER contract_changed BEFORE INSERT OR UPDATE ON membership.contract
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER contract_written AFTER INSERT OR UPDATE ON membership.contract
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER tier_changed BEFORE INSERT OR UPDATE ON membership.tier
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER tier_written AFTER INSERT OR UPDATE ON membership.tier
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER access_grant_changed BEFORE INSERT OR UPDATE OR DELETE ON membership.access_grant
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER access_grant_written AFTER INSERT OR UPDATE OR DELETE ON membership.access_grant
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();

CREATE OR REPLACE TRIGGER earn_rule_keep BEFORE UPDATE OR DELETE ON membership.earn_rule
    FOR EACH ROW EXECUTE FUNCTION membership._guard_config('rule_id', 'code');
CREATE OR REPLACE TRIGGER earn_rule_no_truncate BEFORE TRUNCATE ON membership.earn_rule
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_config();
CREATE OR REPLACE TRIGGER earn_rule_changed BEFORE INSERT OR UPDATE ON membership.earn_rule
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER earn_rule_written AFTER INSERT OR UPDATE ON membership.earn_rule
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER earn_rule_check BEFORE INSERT OR UPDATE ON membership.earn_rule
    FOR EACH ROW EXECUTE FUNCTION membership._check_rule();
CREATE OR REPLACE TRIGGER earn_rule_recorded AFTER INSERT OR UPDATE ON membership.earn_rule
    FOR EACH ROW EXECUTE FUNCTION membership._record_rule();
CREATE OR REPLACE TRIGGER rule_version_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON membership.rule_version
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_append_only();

CREATE OR REPLACE TRIGGER burn_rule_keep BEFORE UPDATE OR DELETE ON membership.burn_rule
    FOR EACH ROW EXECUTE FUNCTION membership._guard_config('burn_rule_id', 'code');
CREATE OR REPLACE TRIGGER burn_rule_no_truncate BEFORE TRUNCATE ON membership.burn_rule
    FOR EACH STATEMENT EXECUTE FUNCTION membership._guard_config();
CREATE OR REPLACE TRIGGER burn_rule_changed BEFORE INSERT OR UPDATE ON membership.burn_rule
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER burn_rule_written AFTER INSERT OR UPDATE ON membership.burn_rule
    FOR EACH STATEMENT EXECUTE FUNCTION membership._config_changed();
CREATE OR REPLACE TRIGGER burn_rule_check BEFORE INSERT OR UPDATE ON membership.burn_rule
    FOR EACH ROW EXECUTE FUNCTION membership._check_burn_rule();
