-- Many lots are taken in the order of their ends, then of their numbers, whoever takes them.
\set tests 9
\ir setup.psql
SELECT open_mall();
UPDATE program SET transfers = true;
UPDATE burn_rule SET share = NULL, step = 1, value = 0.03, minimum = 1;
SELECT enrol('ann'), enrol('bob');

-- 100 lots of 10 points: 37 n mod 50 puts every end twice, the ends not in the order of the numbers; the last never ends
SELECT is(count(i.sqlstate), 0::bigint, 'a hundred lots')
  FROM (SELECT array_agg(ROW (m('ann'), 10, 'lot ' || n, NULL, NULL,
               CASE WHEN n < 100 THEN now() + (10 + n * 37 % 50) * interval '1 day' ELSE 'infinity' END)::lot_import ORDER BY n) AS lots
          FROM generate_series(1, 100) n) x
 CROSS JOIN LATERAL import_lots(x.lots) i;

-- the order as plain SQL has it
CREATE TEMP TABLE queue AS
SELECT lot_no, row_number() OVER (ORDER BY expires_at NULLS LAST, lot_no) AS place FROM lot WHERE member_id = m('ann');
SELECT isnt((SELECT array_agg(lot_no ORDER BY place) FROM queue), (SELECT array_agg(lot_no ORDER BY lot_no) FROM queue), 'are not in order');

CREATE FUNCTION taken(journal bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s:%s', place, -points), ' ' ORDER BY entry_no)
      FROM ledger_entry JOIN queue USING (lot_no) WHERE member_id = m('ann') AND journal_no = journal
$$;
-- places FIRST to LAST in full
CREATE FUNCTION full_lots(first integer, last integer) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(n || ':10', ' ' ORDER BY n) FROM generate_series(first, last) n
$$;

-- 205 points: 20 lots and half of the 21st
SELECT is(taken(r.journal_no), full_lots(1, 20) || ' 21:5', 'a redemption takes them in order')
  FROM redeem_points(m('ann'), 205, 'r1') r;
-- 200 more are held: the other half, 19 lots and half of the 41st
SELECT lives_ok($$ SELECT authorize_points(m('ann'), 200, 'h1') $$, 'a hold');
SELECT is((SELECT string_agg(format('%s:%s', place, points), ' ' ORDER BY place) FROM hold_lot JOIN queue USING (lot_no)),
          '21:5 ' || full_lots(22, 40) || ' 41:5', '... takes aside the next');
-- 205: what is not held of the 41st, and 20 lots
SELECT is(taken(t.journal_no), '41:5 ' || full_lots(42, 61), 'a transfer goes on behind it')
  FROM transfer_points(m('ann'), m('bob'), 205, 't1') t;
SELECT is(taken(c.journal_no), '21:5 ' || full_lots(22, 40) || ' 41:5', 'the capture takes what was held')
  FROM capture_points(m('ann'), 'h1') c;
-- 1,000 - 205 - 205 - 200
SELECT is(taken(a.journal_no), full_lots(62, 100), 'an adjustment takes the rest, what never ends last')
  FROM adjust_points(m('ann'), -390, 'all', 'a1') a;
SELECT is_empty('SELECT * FROM verify()', 'the ledger is sound');

SELECT * FROM finish();
ROLLBACK;
