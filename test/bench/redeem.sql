-- A programme with :members members of :lots open lots each, of so many points that none is ever used up, and in schema
-- least copies of the tables that redeem_cte.pgbench writes.
\set ON_ERROR_STOP on
SET synchronous_commit = off;
CREATE EXTENSION membership;
SELECT membership.create_program('Bench', 'Asia/Shanghai');
SELECT count(membership.enroll_member('card', m::text)) FROM generate_series(1, :members) m;
-- the lots of a member do not expire in the order in which they came
SELECT count(sqlstate) AS failed
  FROM (SELECT array_agg(ROW(m, 1000000000, 'lot-' || n, NULL, NULL,
                             now() + interval '1 year' + hashint8(m * 1000 + n) % 180 * interval '1 day')::membership.lot_import) AS lots
          FROM generate_series(1, :members) m, generate_series(1, :lots) n
         GROUP BY (m - 1) * :lots / 10000) part
 CROSS JOIN membership.import_lots(part.lots);

CREATE SCHEMA least;
CREATE TABLE least.account (LIKE membership.account INCLUDING ALL) WITH (fillfactor = 80);
CREATE TABLE least.lot (LIKE membership.lot INCLUDING ALL) WITH (fillfactor = 80);
CREATE TABLE least.journal (LIKE membership.journal INCLUDING ALL);
CREATE TABLE least.ledger_entry (LIKE membership.ledger_entry INCLUDING ALL);
INSERT INTO least.account SELECT * FROM membership.account;
INSERT INTO least.lot SELECT * FROM membership.lot;
INSERT INTO least.journal SELECT * FROM membership.journal;
INSERT INTO least.ledger_entry SELECT * FROM membership.ledger_entry;
VACUUM ANALYZE;
