-- Earning rules: campaigns as rows, and every version of them.

CREATE TABLE membership.earn_rule (
    rule_id         integer     NOT NULL,
    code            text        NOT NULL,
    name            text        NOT NULL,
    status          text        NOT NULL DEFAULT 'draft',
    scope           text        NOT NULL DEFAULT 'order',
    stack_group     text,
    priority        integer     NOT NULL DEFAULT 0,
    exclusive       boolean     NOT NULL DEFAULT false,
    valid_during    tsrange     NOT NULL DEFAULT '(,)',
    mall_ids        integer[],
    merchant_ids    integer[],
    brands          text[],
    categories      text[],
    channels        text[],
    tiers           text[],
    condition       text,
    effect          text        NOT NULL,
    value           numeric     NOT NULL,
    refund_mode     text        NOT NULL DEFAULT 'proportional',
    expiry          text,
    pending_days    integer,
    funder_party_id integer,
    version         integer     NOT NULL DEFAULT 1,
    effective_from  timestamptz NOT NULL DEFAULT '-infinity',
    CONSTRAINT earn_rule_pkey PRIMARY KEY (rule_id),
    CONSTRAINT earn_rule_code_key UNIQUE (code),
    CONSTRAINT earn_rule_code_format CHECK (code ~ '^[a-z][a-z0-9_]{0,62}$'),
    CONSTRAINT earn_rule_name_not_empty CHECK (name <> ''),
    CONSTRAINT earn_rule_status_known CHECK (status IN ('draft', 'active', 'paused', 'shadow', 'ended')),
    CONSTRAINT earn_rule_scope_known CHECK (scope IN ('order', 'line')),
    CONSTRAINT earn_rule_stack_group_not_empty CHECK (stack_group <> ''),
    CONSTRAINT earn_rule_valid_during_not_empty CHECK (NOT isempty(valid_during)),
    CONSTRAINT earn_rule_filters_not_empty CHECK (cardinality(mall_ids) > 0 AND cardinality(merchant_ids) > 0
        AND cardinality(brands) > 0 AND cardinality(categories) > 0 AND cardinality(channels) > 0 AND cardinality(tiers) > 0),
    CONSTRAINT earn_rule_filters_without_null CHECK (array_position(mall_ids, NULL) IS NULL
        AND array_position(merchant_ids, NULL) IS NULL AND array_position(brands, NULL) IS NULL
        AND array_position(categories, NULL) IS NULL AND array_position(channels, NULL) IS NULL
        AND array_position(tiers, NULL) IS NULL),
    CONSTRAINT earn_rule_effect_known CHECK (effect IN ('multiplier', 'bonus_points', 'rate', 'growth')),
    CONSTRAINT earn_rule_value_range CHECK (CASE effect
        WHEN 'multiplier' THEN value BETWEEN 1 AND 100 AND scale(value) <= 4
        WHEN 'bonus_points' THEN value BETWEEN 1 AND 1000000000 AND value = trunc(value)
        ELSE value BETWEEN 0 AND 10000 AND scale(value) <= 6 END),
    CONSTRAINT earn_rule_refund_mode_known CHECK (refund_mode IN ('proportional', 'reevaluate', 'none')),
    CONSTRAINT earn_rule_pending_days_range CHECK (pending_days BETWEEN 0 AND 366),
    CONSTRAINT earn_rule_funder_fkey FOREIGN KEY (funder_party_id) REFERENCES membership.party
);
COMMENT ON TABLE membership.earn_rule IS 'A campaign (积分规则): which purchases it is for, and what they earn more. See doc/rules.md.';
COMMENT ON COLUMN membership.earn_rule.code IS 'What explanations call the rule; fixed.';
COMMENT ON COLUMN membership.earn_rule.status IS 'draft, active, paused, shadow (evaluated and explained, never pays) or ended.';
COMMENT ON COLUMN membership.earn_rule.scope IS 'order: matched once per order; line: for each eligible line by itself.';
COMMENT ON COLUMN membership.earn_rule.stack_group IS 'Of the rules of a group that match, the best one counts; NULL = a group of its own.';
COMMENT ON COLUMN membership.earn_rule.priority IS 'Breaks ties, higher first.';
COMMENT ON COLUMN membership.earn_rule.exclusive IS 'No other rule counts beside it.';
COMMENT ON COLUMN membership.earn_rule.valid_during IS 'Programme time of the purchases it is for.';
COMMENT ON COLUMN membership.earn_rule.condition IS 'A boolean SQL expression over the columns of doc/rules.md; NULL = always.';
COMMENT ON COLUMN membership.earn_rule.effect IS 'multiplier, bonus_points, rate or growth.';
COMMENT ON COLUMN membership.earn_rule.value IS 'multiplier: 1 to 100, at most 4 decimals; bonus_points: whole points, 1 to 10^9; rate: points, growth: growth value, per currency unit of basis, 0 to 10000, at most 6 decimals.';
COMMENT ON COLUMN membership.earn_rule.refund_mode IS 'What a return does with what the rule gave: proportional, reevaluate or none.';
COMMENT ON COLUMN membership.earn_rule.expiry IS 'Expiry policy of the rule''s points; NULL = program.expiry.';
COMMENT ON COLUMN membership.earn_rule.pending_days IS 'Days after the purchase day until the rule''s points can be spent; NULL = as the line''s other points.';
COMMENT ON COLUMN membership.earn_rule.funder_party_id IS 'Who pays for the rule''s points; NULL = the mall of the selling merchant.';
COMMENT ON COLUMN membership.earn_rule.version IS 'Counts the changes of the rule; set by its trigger.';
COMMENT ON COLUMN membership.earn_rule.effective_from IS 'From when this version is in force, by occurred_at; an UPDATE that does not set it takes the clock.';

CREATE TABLE membership.rule_version (
    rule_id        integer     NOT NULL,
    version        integer     NOT NULL,
    effective_from timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    recorded_by    text        NOT NULL,
    definition     jsonb       NOT NULL,
    CONSTRAINT rule_version_pkey PRIMARY KEY (rule_id, version)
);
COMMENT ON TABLE membership.rule_version IS 'Every version of every earning rule, append-only. In force at a time: the highest version with effective_from not after it.';
COMMENT ON COLUMN membership.rule_version.definition IS 'The row of earn_rule, as JSON.';
