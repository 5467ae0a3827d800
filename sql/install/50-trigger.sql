-- Trigger functions of the programme's tables.

CREATE FUNCTION membership._guard_append_only() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'membership_guard_append_only';
COMMENT ON FUNCTION membership._guard_append_only IS 'Refuses UPDATE, DELETE and TRUNCATE of history (MB502).';

CREATE FUNCTION membership._guard_config() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'membership_guard_config';
COMMENT ON FUNCTION membership._guard_config IS 'Refuses DELETE and TRUNCATE of configuration and changes of the columns named as arguments (MB301).';

CREATE FUNCTION membership._config_version() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'membership_config_version';
COMMENT ON FUNCTION membership._config_version IS 'Gives the programme row a new config_version.';

CREATE FUNCTION membership._config_changed() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'membership_config_changed';
COMMENT ON FUNCTION membership._config_changed IS 'Touches the programme row when another table of configuration changes.';

CREATE FUNCTION membership._check_rule() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'membership_check_rule';
COMMENT ON FUNCTION membership._check_rule IS 'Refuses an earning rule whose condition (MB302) or columns (MB303) cannot work, and numbers its version.';

CREATE FUNCTION membership._record_rule() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'membership_record_rule';
COMMENT ON FUNCTION membership._record_rule IS 'Keeps the version of an earning rule in rule_version; refuses one that does not fit into its stack group (MB303).';
