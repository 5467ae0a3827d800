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
    posted_at     timestamptz
);
COMMENT ON TYPE membership.statement_line IS 'One line of a member''s points statement.';

CREATE TYPE membership.violation AS (
    member_id bigint,
    invariant text,
    expected  text,
    found     text
);
COMMENT ON TYPE membership.violation IS 'A broken invariant: whose, which, what it should be and what it is.';
