-- The least that keeps a balance: an account row and a ledger row, written by one statement (cte.pgbench).
CREATE SCHEMA cte;
CREATE TABLE cte.account (
    member_id bigint PRIMARY KEY,
    balance   bigint NOT NULL,
    next_no   bigint NOT NULL
) WITH (fillfactor = 80);
CREATE TABLE cte.entry (
    member_id     bigint NOT NULL,
    entry_no      bigint NOT NULL,
    points        bigint NOT NULL,
    balance_after bigint NOT NULL,
    order_ref     text   NOT NULL,
    posted_at     timestamptz NOT NULL,
    PRIMARY KEY (member_id, entry_no)
);
INSERT INTO cte.account SELECT member_id, balance, next_entry_no FROM membership.account;
INSERT INTO cte.entry
SELECT e.member_id, e.entry_no, e.points, e.balance_after, j.order_ref, j.posted_at
  FROM membership.ledger_entry e JOIN membership.journal j USING (member_id, journal_no);
