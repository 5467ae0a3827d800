-- Configuration: read through a cache in every backend, written by operators, never per purchase.

CREATE SEQUENCE membership.config_version_seq;
COMMENT ON SEQUENCE membership.config_version_seq IS
    'Numbers every change of configuration. A sequence never goes back, so a version seen in a rolled-back transaction is never used again.';

CREATE TABLE membership.program (
    program_id         smallint NOT NULL DEFAULT 1,
    name               text     NOT NULL,
    time_zone          text     NOT NULL,
    currency           text     NOT NULL,
    currency_digits    smallint NOT NULL,
    phone_country      text,
    base_rate          numeric  NOT NULL DEFAULT 1,
    award_rounding     text     NOT NULL DEFAULT 'floor',
    expiry             text     NOT NULL DEFAULT '24 months',
    min_life_days      integer  NOT NULL DEFAULT 0,
    extend_on_activity boolean  NOT NULL DEFAULT false,
    pending_days       integer  NOT NULL DEFAULT 0,
    claim_days         integer  NOT NULL DEFAULT 30,
    max_future         interval NOT NULL DEFAULT '10 minutes',
    allow_debt         boolean  NOT NULL DEFAULT false,
    tier_window_months integer  NOT NULL DEFAULT 12,
    stacking           text     NOT NULL DEFAULT 'additive',
    reinstatement_days integer  NOT NULL DEFAULT 0,
    clawback           text     NOT NULL DEFAULT 'unlimited',
    charge_cash        boolean  NOT NULL DEFAULT false,
    liability_price    numeric  NOT NULL DEFAULT 0,
    transfers          boolean  NOT NULL DEFAULT false,
    transfer_minimum   bigint   NOT NULL DEFAULT 1,
    transfer_daily_limit bigint,
    table_version      integer  NOT NULL,
    config_version     bigint   NOT NULL DEFAULT nextval('membership.config_version_seq'),
    CONSTRAINT program_pkey PRIMARY KEY (program_id),
    CONSTRAINT program_one_row CHECK (program_id = 1),
    CONSTRAINT program_name_not_empty CHECK (name <> ''),
    CONSTRAINT program_currency_digits_range CHECK (currency_digits BETWEEN 0 AND 4),
    CONSTRAINT program_phone_country_format CHECK (phone_country ~ '^[1-9][0-9]{0,2}$'),
    CONSTRAINT program_base_rate_range CHECK (base_rate BETWEEN 0 AND 10000 AND scale(base_rate) <= 6),
    CONSTRAINT program_award_rounding_known CHECK (award_rounding IN ('floor', 'half_up', 'ceiling')),
    -- 1 to 1200 months, 1 to 36600 days, 1 to 100 periods later
    CONSTRAINT program_expiry_format CHECK (expiry ~ ('^(never|([1-9][0-9]{0,2}|1[01][0-9]{2}|1200) months'
        '|([1-9][0-9]{0,3}|[12][0-9]{4}|3[0-5][0-9]{3}|36[0-5][0-9]{2}|36600) days'
        '|(month|quarter|year) end( [+] ([1-9][0-9]?|100))?|[0-9]{4}-[0-9]{2}-[0-9]{2})$')),
    -- make_date refuses a day that no calendar has
    CONSTRAINT program_expiry_date_exists CHECK (CASE WHEN expiry ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'
        THEN make_date(left(expiry, 4)::integer, substr(expiry, 6, 2)::integer, right(expiry, 2)::integer) IS NOT NULL END),
    CONSTRAINT program_min_life_days_range CHECK (min_life_days BETWEEN 0 AND 3660),
    CONSTRAINT program_pending_days_range CHECK (pending_days BETWEEN 0 AND 366),
    CONSTRAINT program_claim_days_range CHECK (claim_days BETWEEN 0 AND 3660),
    CONSTRAINT program_max_future_range CHECK (max_future BETWEEN '0' AND '1 day'),
    CONSTRAINT program_tier_window_months_range CHECK (tier_window_months BETWEEN 1 AND 120),
    CONSTRAINT program_reinstatement_days_range CHECK (reinstatement_days BETWEEN 0 AND 3660),
    CONSTRAINT program_clawback_known CHECK (clawback IN ('only_pending', 'within_balance', 'unlimited')),
    CONSTRAINT program_liability_price_range CHECK (liability_price BETWEEN 0 AND 10000 AND scale(liability_price) <= 6),
    CONSTRAINT program_transfer_minimum_positive CHECK (transfer_minimum > 0),
    CONSTRAINT program_transfer_daily_limit_positive CHECK (transfer_daily_limit > 0),
    CONSTRAINT program_stacking_known CHECK (stacking IN ('additive', 'multiply'))
);
COMMENT ON TABLE membership.program IS 'The programme: one row with its settings (项目设置). time_zone, currency and currency_digits are fixed for life.';
COMMENT ON COLUMN membership.program.time_zone IS 'Zone name of pg_timezone_names; days, months and birthdays are those of this zone.';
COMMENT ON COLUMN membership.program.currency IS 'ISO 4217 code of every amount.';
COMMENT ON COLUMN membership.program.currency_digits IS 'Decimals of the currency (ISO 4217 minor unit).';
COMMENT ON COLUMN membership.program.phone_country IS 'Country calling code that a phone number without + or 00 belongs to, such as 86; NULL = such numbers are refused.';
COMMENT ON COLUMN membership.program.base_rate IS 'Points per currency unit of basis, 0 to 10000, at most 6 decimals.';
COMMENT ON COLUMN membership.program.award_rounding IS 'How an order''s award becomes whole points, once per order: floor, half_up or ceiling.';
COMMENT ON COLUMN membership.program.expiry IS 'Through which local day points are valid (有效期): 24 months or 90 days after the purchase, month end, quarter end or year end (+ 1 to 100 later ones), a date such as 2027-03-31, or never.';
COMMENT ON COLUMN membership.program.min_life_days IS 'Points never die before this many days after the local day on which they became active, 0 to 3660.';
COMMENT ON COLUMN membership.program.extend_on_activity IS 'Whether a posted purchase lets the member''s points that would die earlier live as long as points earned by it; not with a date or never as expiry.';
COMMENT ON COLUMN membership.program.pending_days IS 'Days after the purchase day until points can be spent, 0 = at once; merchant.pending_days overrides it.';
COMMENT ON COLUMN membership.program.claim_days IS 'A purchase posted later than this many days after it happened is held for review.';
COMMENT ON COLUMN membership.program.max_future IS 'How far ahead of the server''s clock a time given by a caller may lie.';
COMMENT ON COLUMN membership.program.allow_debt IS 'Whether a negative adjustment may take a member below zero.';
COMMENT ON COLUMN membership.program.tier_window_months IS 'Length of the rolling window of basis spend that tiers qualify by, months.';
COMMENT ON COLUMN membership.program.stacking IS 'How multipliers of different groups add up: additive 1 + sum (m - 1), or multiply.';
COMMENT ON COLUMN membership.program.reinstatement_days IS 'Points given back whose lot has died live this many days more; 0 = they expire at once.';
COMMENT ON COLUMN membership.program.clawback IS 'How far a refund takes back what the goods earned: only_pending (the order''s pending points), within_balance (what is available), unlimited (the rest becomes debt).';
COMMENT ON COLUMN membership.program.charge_cash IS 'Whether a refund reports what could not be taken back as cash that the till may keep (cash_shortfall).';
COMMENT ON COLUMN membership.program.liability_price IS 'What an open point is reckoned at, currency, 0 to 10000, at most 6 decimals.';
COMMENT ON COLUMN membership.program.transfers IS 'Whether members may transfer points to each other.';
COMMENT ON COLUMN membership.program.transfer_minimum IS 'The least number of points of a transfer.';
COMMENT ON COLUMN membership.program.transfer_daily_limit IS 'The most points a member sends on a programme day; NULL = no limit.';
COMMENT ON COLUMN membership.program.table_version IS 'Version of these tables; the library serves its own and the one before.';
COMMENT ON COLUMN membership.program.config_version IS 'Changes with every change of configuration; backends reload their cache when it differs.';

CREATE TABLE membership.party (
    party_id integer NOT NULL,
    name     text    NOT NULL,
    kind     text    NOT NULL,
    CONSTRAINT party_pkey PRIMARY KEY (party_id),
    CONSTRAINT party_name_not_empty CHECK (name <> ''),
    CONSTRAINT party_kind_known CHECK (kind IN ('mall', 'merchant', 'sponsor', 'channel'))
);
COMMENT ON TABLE membership.party IS 'A legal entity that can owe or be owed money (结算主体). Party 1 is the programme''s first.';

CREATE TABLE membership.mall (
    mall_id  integer NOT NULL,
    name     text    NOT NULL,
    party_id integer NOT NULL DEFAULT 1,
    CONSTRAINT mall_pkey PRIMARY KEY (mall_id),
    CONSTRAINT mall_name_not_empty CHECK (name <> ''),
    CONSTRAINT mall_party_fkey FOREIGN KEY (party_id) REFERENCES membership.party
);
COMMENT ON TABLE membership.mall IS 'A mall (商场); commissions and prices of points are paid to its party.';

CREATE TABLE membership.merchant (
    merchant_id  integer NOT NULL,
    name         text    NOT NULL,
    code         text,
    mall_id      integer NOT NULL DEFAULT 1,
    party_id     integer NOT NULL DEFAULT 1,
    brand        text,
    category     text,
    pending_days integer,
    opened_on    date,
    ended_on     date,
    CONSTRAINT merchant_pkey PRIMARY KEY (merchant_id),
    CONSTRAINT merchant_code_key UNIQUE (code),
    CONSTRAINT merchant_name_not_empty CHECK (name <> ''),
    CONSTRAINT merchant_mall_fkey FOREIGN KEY (mall_id) REFERENCES membership.mall,
    CONSTRAINT merchant_party_fkey FOREIGN KEY (party_id) REFERENCES membership.party,
    CONSTRAINT merchant_pending_days_range CHECK (pending_days BETWEEN 0 AND 366),
    CONSTRAINT merchant_opened_before_ended CHECK (opened_on <= ended_on)
);
COMMENT ON TABLE membership.merchant IS 'A shop that sells (商户). Needs at least merchant_id and name.';
COMMENT ON COLUMN membership.merchant.pending_days IS 'Overrides program.pending_days for what is bought here; NULL = the programme''s.';
COMMENT ON COLUMN membership.merchant.opened_on IS 'First programme day with purchases; NULL = always.';
COMMENT ON COLUMN membership.merchant.ended_on IS 'First programme day without purchases; NULL = open-ended. Merchants are ended, never deleted.';

CREATE TABLE membership.contract (
    contract_id     integer   NOT NULL,
    merchant_id     integer   NOT NULL,
    valid_during    daterange NOT NULL DEFAULT '(,)',
    collects        text      NOT NULL DEFAULT 'merchant',
    commission_rate numeric   NOT NULL DEFAULT 0,
    issue_price     numeric   NOT NULL DEFAULT 0,
    redemption_price numeric  NOT NULL DEFAULT 0,
    commission_refunded boolean NOT NULL DEFAULT true,
    CONSTRAINT contract_pkey PRIMARY KEY (contract_id),
    CONSTRAINT contract_merchant_fkey FOREIGN KEY (merchant_id) REFERENCES membership.merchant,
    CONSTRAINT contract_valid_during_not_empty CHECK (NOT isempty(valid_during)),
    CONSTRAINT contract_collects_known CHECK (collects IN ('merchant', 'mall')),
    CONSTRAINT contract_commission_rate_range CHECK (commission_rate BETWEEN 0 AND 1 AND scale(commission_rate) <= 6),
    CONSTRAINT contract_issue_price_range CHECK (issue_price BETWEEN 0 AND 10000 AND scale(issue_price) <= 6),
    CONSTRAINT contract_redemption_price_range CHECK (redemption_price BETWEEN 0 AND 10000 AND scale(redemption_price) <= 6),
    -- one-element ranges stand for the merchant's number, so that no further extension is needed
    CONSTRAINT contract_no_overlap EXCLUDE USING gist
        (int4range(merchant_id, merchant_id, '[]') WITH &&, valid_during WITH &&)
);
COMMENT ON TABLE membership.contract IS 'What a merchant agreed with its mall for a period of programme days (合同). Without one the merchant collects and commission and prices are 0.';
COMMENT ON COLUMN membership.contract.valid_during IS 'Programme days on which a purchase falls under this contract; periods of one merchant never overlap.';
COMMENT ON COLUMN membership.contract.collects IS 'Who takes the customer''s money: merchant or mall.';
COMMENT ON COLUMN membership.contract.commission_rate IS 'Share of the net amount that the merchant owes the mall, 0 to 1, at most 6 decimals.';
COMMENT ON COLUMN membership.contract.issue_price IS 'Currency per point issued that the funder owes the mall, 0 to 10000, at most 6 decimals.';

COMMENT ON COLUMN membership.contract.commission_refunded IS 'Whether the commission of goods that are returned is given back.';
COMMENT ON COLUMN membership.contract.redemption_price IS 'Currency per point redeemed that the mall reimburses, 0 to 10000, at most 6 decimals.';

CREATE TABLE membership.tier (
    tier_id         integer NOT NULL,
    code            text    NOT NULL,
    name            text    NOT NULL,
    rank            integer NOT NULL,
    multiplier      numeric NOT NULL DEFAULT 1,
    qualify_basis   numeric(18, @digits@),
    validity_months integer,
    CONSTRAINT tier_pkey PRIMARY KEY (tier_id),
    CONSTRAINT tier_code_key UNIQUE (code),
    CONSTRAINT tier_rank_key UNIQUE (rank),
    CONSTRAINT tier_code_format CHECK (code ~ '^[a-z][a-z0-9_]{0,30}$'),
    CONSTRAINT tier_name_not_empty CHECK (name <> ''),
    CONSTRAINT tier_multiplier_range CHECK (multiplier BETWEEN 0 AND 100 AND scale(multiplier) <= 4),
    CONSTRAINT tier_qualify_basis_positive CHECK (qualify_basis > 0 AND qualify_basis < 'NaN'),
    CONSTRAINT tier_validity_months_range CHECK (validity_months BETWEEN 1 AND 1200)
);
COMMENT ON TABLE membership.tier IS 'A tier (等级). A new member gets the one of lowest rank.';
COMMENT ON COLUMN membership.tier.rank IS 'Order of the tiers, higher is better.';
COMMENT ON COLUMN membership.tier.multiplier IS 'Multiplies the base award, 0 to 100, at most 4 decimals.';
COMMENT ON COLUMN membership.tier.qualify_basis IS 'Basis spend (currency) within program.tier_window_months that upgrades a member to this tier; NULL = by set_tier only.';
COMMENT ON COLUMN membership.tier.validity_months IS 'The tier is valid through the local date this many months after it was reached; NULL = without end.';

CREATE TABLE membership.wallet (
    wallet_id smallint NOT NULL,
    code      text     NOT NULL,
    name      text     NOT NULL,
    CONSTRAINT wallet_pkey PRIMARY KEY (wallet_id),
    CONSTRAINT wallet_code_key UNIQUE (code)
);
COMMENT ON TABLE membership.wallet IS 'Kinds of value a member can hold; 1 = points (积分).';

CREATE TABLE membership.access_grant (
    role_name text NOT NULL,
    kind      text NOT NULL,
    CONSTRAINT access_grant_pkey PRIMARY KEY (role_name, kind),
    CONSTRAINT access_grant_kind_known CHECK (kind IN ('application', 'operator', 'analyst'))
);
COMMENT ON TABLE membership.access_grant IS 'Rights given by grant_access(); upgrade_program() and set_owner() give them again.';
