-- Conditions are compiled once per backend: what is kept serves later purchases, and what fails leaves it whole.
\set tests 8
\ir setup.psql
\ir rules.psql
SELECT open_mall() \gset
SELECT enrol('cora') \gset

-- an IN of more than eight constants becomes a hash table, kept with the condition; the two rules around the one
-- that divides by (amount - 100) are asked in the same subtransaction
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, condition)
VALUES (1, 'digits', 'Many', 'active', 'bonus_points', 1, 'order_amount IN (10, 20, 30, 40, 50, 60, 70, 80, 90, 100)'),
       (2, 'divides', 'Divides', 'active', 'bonus_points', 10, '1000 / (order_amount - 100) > 0'),
       (3, 'large', 'Large', 'active', 'bonus_points', 100, 'order_amount >= 50');
SELECT is(met((buy('cora', 20)).explanation), 'digits applied 1', '20 is one of ten; 1000 / -80 is below 0');
SELECT is(met((buy('cora', 100)).explanation), 'digits applied 1, divides failed 22012, large applied 100', 'one fails, the others count');
SELECT is(met((buy('cora', 110)).explanation), 'divides applied 10, large applied 100', 'the failed one is asked again: 1000 / 10');
SELECT is(met((buy('cora', 100)).explanation), 'digits applied 1, divides failed 22012, large applied 100', 'and fails again');
SELECT is(met((buy('cora', 30)).explanation), 'digits applied 1', 'the table of constants is whole');

-- accepted once, and refused by what compiles it now (as after a change of PostgreSQL): it fails, the purchase does not
SET LOCAL session_replication_role = replica;
UPDATE rule_version SET definition = definition || '{"condition": "order_amount < now()"}' WHERE rule_id = 3;
SET LOCAL session_replication_role = origin;
UPDATE program SET name = name;
SELECT is(met((buy('cora', 60)).explanation), 'digits applied 1, large failed MB302', 'a condition that is refused now fails its rule only');
SELECT is(string_agg(concat_ws(' ', code, sqlstate, failures), ', ' ORDER BY code), 'divides 22012 2, large MB302 1', 'and is counted') FROM rule_error;

SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
SELECT * FROM finish();
ROLLBACK;
