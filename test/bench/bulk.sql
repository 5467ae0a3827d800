-- :purchases purchases of the last year in the order of time, for the members of fill.sql at random; what a batch of
-- them writes, to be written by INSERT ... SELECT; and an application's order table with and without accrue_trigger.
\set ON_ERROR_STOP on
SET synchronous_commit = off;
INSERT INTO membership.contract (contract_id, merchant_id, commission_rate, issue_price) VALUES (1, 1, 0.05, 0.01);

CREATE SCHEMA bulk;
-- up to 150.00 each: too little for any tier
CREATE TABLE bulk.purchase AS
SELECT n, 1 + (hashint8extended(n, 1) & 2147483647) % :members AS member_id, 1 AS merchant_id,
       round((100 + (hashint8extended(n, 2) & 2147483647) % 14901) / 100.0, 2) AS amount, 'b' || n AS order_ref,
       date_trunc('second', now()) - interval '365 days' + n * (interval '365 days' / :purchases) AS at
  FROM generate_series(1::bigint, :purchases) n;
CREATE UNIQUE INDEX ON bulk.purchase (n);

CREATE TABLE bulk.plain_order (
    order_no text PRIMARY KEY, buyer bigint, shop integer NOT NULL, total numeric(18,2) NOT NULL, sold_at timestamptz NOT NULL);
CREATE TABLE bulk.earning_order (LIKE bulk.plain_order INCLUDING ALL);
CREATE TRIGGER earn AFTER INSERT ON bulk.earning_order REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT
    EXECUTE FUNCTION membership.accrue_trigger('member_id=buyer', 'merchant_id=shop', 'amount=total', 'order_ref=order_no', 'at=sold_at');

CREATE SCHEMA start;
CREATE SCHEMA final;
CREATE TABLE start.account AS TABLE membership.account;
CREATE TABLE start.receipt AS TABLE membership.receipt;
CREATE TABLE start.journal AS TABLE membership.journal;
CREATE TABLE start.ledger_entry AS TABLE membership.ledger_entry;
CREATE TABLE start.lot AS TABLE membership.lot;
CREATE TABLE start.activity_day AS TABLE membership.activity_day;

-- The programme as it was before the purchases, in new files.
CREATE PROCEDURE bulk.begin_again() LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL session_replication_role = replica;
    TRUNCATE membership.account, membership.receipt, membership.journal, membership.ledger_entry, membership.lot,
             membership.activity_day, membership.merchant_split, bulk.plain_order, bulk.earning_order;
    INSERT INTO membership.account SELECT * FROM start.account;
    INSERT INTO membership.receipt SELECT * FROM start.receipt;
    INSERT INTO membership.journal SELECT * FROM start.journal;
    INSERT INTO membership.ledger_entry SELECT * FROM start.ledger_entry;
    INSERT INTO membership.lot SELECT * FROM start.lot;
    INSERT INTO membership.activity_day SELECT * FROM start.activity_day;
END
$$;

-- What the purchases left, in the order in which it was written.
CREATE PROCEDURE bulk.keep_final() LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL synchronize_seqscans = off;
    SET LOCAL max_parallel_workers_per_gather = 0;
    CREATE TABLE final.receipt AS SELECT * FROM membership.receipt WHERE journal_no > 2;
    CREATE TABLE final.journal AS SELECT * FROM membership.journal WHERE journal_no > 2;
    CREATE TABLE final.ledger_entry AS SELECT * FROM membership.ledger_entry WHERE journal_no > 2;
    CREATE TABLE final.lot AS SELECT * FROM membership.lot WHERE journal_no > 2;
    CREATE TABLE final.activity_day AS SELECT * FROM membership.activity_day WHERE day > (SELECT max(day) FROM start.activity_day);
    CREATE TABLE final.merchant_split AS SELECT * FROM membership.merchant_split;
    CREATE TABLE final.account AS SELECT * FROM membership.account WHERE next_journal_no > 3;
END
$$;

-- A statement per table.
CREATE PROCEDURE bulk.insert_select() LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO membership.receipt SELECT * FROM final.receipt;
    INSERT INTO membership.journal SELECT * FROM final.journal;
    INSERT INTO membership.activity_day SELECT * FROM final.activity_day;
    INSERT INTO membership.ledger_entry SELECT * FROM final.ledger_entry;
    INSERT INTO membership.lot SELECT * FROM final.lot;
    INSERT INTO membership.merchant_split SELECT * FROM final.merchant_split;
    UPDATE membership.account a
       SET balance = f.balance, next_journal_no = f.next_journal_no, next_entry_no = f.next_entry_no,
           next_expiry = f.next_expiry, last_posted_at = f.last_posted_at
      FROM final.account f WHERE f.member_id = a.member_id AND f.wallet_id = a.wallet_id;
END
$$;
VACUUM ANALYZE;
