-- What sweeps write besides the ledger: their runs, and what they tell applications.

CREATE TABLE membership.job_run (
    run_id      uuid        NOT NULL DEFAULT gen_random_uuid(),
    job         text        NOT NULL,
    as_of       timestamptz NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    batches     integer     NOT NULL DEFAULT 0,
    rows        bigint      NOT NULL DEFAULT 0,
    last_key    bigint,
    error       text,
    CONSTRAINT job_run_pkey PRIMARY KEY (run_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE membership.job_run IS 'One row per run of a sweep, written with each of its batches: a run that was killed shows how far it came.';
COMMENT ON COLUMN membership.job_run.as_of IS 'What was due by then is done.';
COMMENT ON COLUMN membership.job_run.finished_at IS 'When it was complete, or failed; NULL = it runs, was killed, or was one batch of several inside a transaction.';
COMMENT ON COLUMN membership.job_run.rows IS 'Members for whom something was done.';
COMMENT ON COLUMN membership.job_run.last_key IS 'The last member_id looked at.';
COMMENT ON COLUMN membership.job_run.error IS 'What it failed with; the batches before stay.';

CREATE TABLE membership.event (
    member_id   bigint      NOT NULL,
    event_id    uuid        NOT NULL DEFAULT gen_random_uuid(),
    kind        text        NOT NULL,
    payload     jsonb       NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT event_pkey PRIMARY KEY (member_id, event_id)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE membership.event IS 'Outbox: what applications are to tell members. They delete what they have dealt with; doc/operations.md has the statement.';
COMMENT ON COLUMN membership.event.kind IS 'points_expiring: {"points", "expires_on" (last valid programme day), "lead" (ISO 8601)}.';

CREATE TABLE membership.expiry_notice (
    member_id    bigint      NOT NULL,
    expires_on   date        NOT NULL,
    lead         interval    NOT NULL,
    announced_at timestamptz NOT NULL,
    CONSTRAINT expiry_notice_pkey PRIMARY KEY (member_id, expires_on, lead)
);
COMMENT ON TABLE membership.expiry_notice IS 'Which last valid days of a member''s points were announced, each once per lead time.';
