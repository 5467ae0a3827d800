-- Row types of results.

CREATE TYPE membership.accrual AS (
    journal_no    bigint,
    status        text,
    reason_code   text,
    points        bigint,
    points_wanted bigint,
    base_points   bigint,
    bonus_points  bigint,
    available_at  timestamptz,
    expires_at    timestamptz,
    balance       bigint,
    tier          text,
    tier_changed  boolean,
    duplicate     boolean,
    explanation   jsonb
);
COMMENT ON TYPE membership.accrual IS 'What a purchase earned. status: posted, pending (nothing spendable before available_at), review (posted with 0 points until review_accrual), rejected (recorded with 0 points; reason_code says why). points_wanted = base_points + bonus_points is the award as computed. available_at and expires_at are the earliest of the order''s lots, NULL without lots or end. balance: points after the event. tier: the member''s tier after it. duplicate: the receipt was posted before and this is that result.';

CREATE TYPE membership.redemption AS (
    journal_no bigint,
    points     bigint,
    cash_value numeric,
    balance    bigint,
    duplicate  boolean
);
COMMENT ON TYPE membership.redemption IS 'Points redeemed, their worth (currency), and the balance after the event. duplicate: it was posted before and this is that result.';

CREATE TYPE membership.quote AS (
    max_points bigint,
    cash_value numeric,
    limited_by text
);
COMMENT ON TYPE membership.quote IS 'Points that can be redeemed now (0 = none), their worth (currency), and what limits them: member_status, no_rule, order_posted, balance, share, daily_cap or minimum.';

CREATE TYPE membership.refunding AS (
    journal_no       bigint,
    status           text,
    amount           numeric,
    cash_amount      numeric,
    tenders          jsonb,
    points_clawed    bigint,
    points_restored  bigint,
    points_forfeited bigint,
    loss             bigint,
    debt             bigint,
    cash_shortfall   numeric,
    balance          bigint,
    duplicate        boolean,
    points_expired   bigint
);
COMMENT ON TYPE membership.refunding IS 'What a refund did: status posted or parked; amount, cash_amount and cash_shortfall in currency; tenders: what to give back; points taken back, given back, forfeited, lost, made debt, and expired before. balance: points after the refund.';

CREATE TYPE membership.purchase AS (
    member_id     bigint,
    merchant_id   integer,
    amount        numeric,
    order_ref     text,
    occurred_at   timestamptz,
    channel       text,
    lines         jsonb,
    tenders       jsonb,
    attributes    jsonb,
    external_refs jsonb,
    exchange_of   text,
    at            timestamptz
);
COMMENT ON TYPE membership.purchase IS 'The arguments of accrue_points, by name; a column left null takes the default.';

CREATE TYPE membership.batch_result AS (
    row_no        bigint,
    journal_no    bigint,
    status        text,
    reason_code   text,
    points        bigint,
    points_wanted bigint,
    base_points   bigint,
    bonus_points  bigint,
    available_at  timestamptz,
    expires_at    timestamptz,
    balance       bigint,
    tier          text,
    tier_changed  boolean,
    duplicate     boolean,
    explanation   jsonb,
    sqlstate      text,
    message       text
);
COMMENT ON TYPE membership.batch_result IS 'The outcome of one purchase of a batch: the columns of accrual, or the SQLSTATE and message that accrue_points would have raised. row_no counts from 1 in the order given.';

CREATE TYPE membership.refund_result AS (
    row_no           bigint,
    journal_no       bigint,
    status           text,
    amount           numeric,
    cash_amount      numeric,
    tenders          jsonb,
    points_clawed    bigint,
    points_restored  bigint,
    points_forfeited bigint,
    loss             bigint,
    debt             bigint,
    cash_shortfall   numeric,
    balance          bigint,
    duplicate        boolean,
    points_expired   bigint,
    sqlstate         text,
    message          text
);
COMMENT ON TYPE membership.refund_result IS 'The outcome of one row of refund_from: the columns of refunding, or the SQLSTATE and message that refund_order would have raised. row_no counts from 1 in the order of the query.';

CREATE TYPE membership.member_import AS (
    identity_kind  text,
    identity_value text,
    enrolled_at    timestamptz,
    birthday       date,
    source         text,
    channel        text,
    attributes     jsonb
);
COMMENT ON TYPE membership.member_import IS 'A member of another system. channel null = import, enrolled_at null = now.';

CREATE TYPE membership.lot_import AS (
    member_id  bigint,
    points     bigint,
    ref        text,
    reason     text,
    earned_at  timestamptz,
    expires_at timestamptz
);
COMMENT ON TYPE membership.lot_import IS 'Points that a member still has in another system, 1 to 10^15. ref: what makes the row importable once. expires_at null = by the programme''s rule from earned_at, infinity = never; earned_at null = now. reason null = import.';

CREATE TYPE membership.purchase_import AS (
    member_id   bigint,
    merchant_id integer,
    amount      numeric,
    order_ref   text,
    occurred_at timestamptz,
    channel     text,
    points      bigint
);
COMMENT ON TYPE membership.purchase_import IS 'A purchase that another system posted, with the points (0 or more) it awarded then. channel null = import.';

CREATE TYPE membership.tier_import AS (
    member_id  bigint,
    tier       text,
    since      timestamptz,
    lock_until timestamptz
);
COMMENT ON TYPE membership.tier_import IS 'The tier that a member has in another system, since when (null = now), and until when it is not to be taken away (null = no lock).';

CREATE TYPE membership.import_result AS (
    row_no     bigint,
    member_id  bigint,
    journal_no bigint,
    duplicate  boolean,
    sqlstate   text,
    message    text
);
COMMENT ON TYPE membership.import_result IS 'The outcome of one imported row: its event, or why it was refused. duplicate: it had been imported before. row_no counts from 1.';

CREATE TYPE membership.posting AS (
    journal_no bigint,
    points     bigint,
    balance    bigint,
    duplicate  boolean
);
COMMENT ON TYPE membership.posting IS 'One posted event: change of points and the balance after it. duplicate: the ref was posted before and this is that result.';

CREATE TYPE membership.enrolment AS (
    member_id     bigint,
    created       boolean,
    referral_code text,
    referrer_id   bigint
);
COMMENT ON TYPE membership.enrolment IS 'A member found or made. created is false when the identity was known.';

CREATE TYPE membership.statement_line AS (
    journal_no    bigint,
    entry_no      bigint,
    verb          text,
    points        bigint,
    balance_after bigint,
    merchant_id   integer,
    merchant      text,
    order_ref     text,
    amount        numeric,
    reason        text,
    occurred_at   timestamptz,
    posted_at     timestamptz,
    counterpart_id bigint
);
COMMENT ON TYPE membership.statement_line IS 'One line of a member''s points statement. counterpart_id: of a transfer, the other member.';

CREATE TYPE membership.violation AS (
    member_id bigint,
    invariant text,
    expected  text,
    found     text
);
COMMENT ON TYPE membership.violation IS 'A broken invariant: whose, which, what it should be and what it is.';
