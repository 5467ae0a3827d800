-- What expire_points writes when every lot of fill.sql is due, to be written by plain statements.
\set ON_ERROR_STOP on
SET synchronous_commit = off;
CREATE SCHEMA final;
CREATE TABLE final.as_of AS SELECT date_trunc('second', now()) AS at;
CREATE TABLE final.ledger_entry AS
SELECT l.member_id, l.wallet_id, a.next_entry_no - 1 + row_number() OVER m AS entry_no,
       a.next_journal_no - 1 + dense_rank() OVER (PARTITION BY l.member_id ORDER BY l.expires_at) AS journal_no, l.lot_no,
       -l.remaining AS points, (a.balance - sum(l.remaining) OVER m)::bigint AS balance_after, l.expires_at AS died_at
  FROM membership.lot l JOIN membership.account a USING (member_id, wallet_id)
WINDOW m AS (PARTITION BY l.member_id ORDER BY l.expires_at, l.lot_no ROWS UNBOUNDED PRECEDING)
 ORDER BY 1, 2, 3;
CREATE TABLE final.journal AS
SELECT member_id, journal_no, 'expiry'::text AS verb, died_at AS occurred_at, (SELECT at FROM final.as_of) AS posted_at,
       (died_at AT TIME ZONE 'Asia/Shanghai')::date AS day, current_user::text AS actor, session_user::text AS login,
       sum(points)::bigint AS points, min(balance_after) AS balance, max(entry_no) AS last_entry_no
  FROM final.ledger_entry GROUP BY member_id, journal_no, died_at ORDER BY 1, 2;
CREATE TABLE final.account AS
SELECT member_id, max(journal_no) + 1 AS next_journal_no, max(last_entry_no) + 1 AS next_entry_no FROM final.journal GROUP BY member_id;

CREATE PROCEDURE final.write() LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM membership.lot WHERE expires_at <= (SELECT at FROM final.as_of);
    INSERT INTO membership.journal (member_id, journal_no, verb, occurred_at, posted_at, day, actor, login, points, balance, last_entry_no)
    SELECT * FROM final.journal;
    INSERT INTO membership.ledger_entry (member_id, wallet_id, entry_no, journal_no, lot_no, points, balance_after)
    SELECT member_id, wallet_id, entry_no, journal_no, lot_no, points, balance_after FROM final.ledger_entry;
    UPDATE membership.account a
       SET balance = 0, next_journal_no = f.next_journal_no, next_entry_no = f.next_entry_no, next_expiry = NULL,
           last_posted_at = (SELECT at FROM final.as_of)
      FROM final.account f WHERE f.member_id = a.member_id AND a.wallet_id = 1;
END
$$;
VACUUM ANALYZE;
