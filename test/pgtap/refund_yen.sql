-- Refunds in a currency without decimals, and what a half of its unit does.
\set tests 9
\ir setup.psql
SELECT open_mall('Asia/Tokyo', 'JPY') \gset
\ir spending.psql
\ir refunds.psql
UPDATE burn_rule SET step = 100, value = 3, share = NULL;

-- 3 pieces for 1,000 yen: 333.33, 666.67, 1,000
SELECT is(sale('ann', 'Y-1', 1000, '[{"quantity": 3, "amount": 1000}]'), 'posted 1000', 'three pieces');
SELECT is(back('Y-1', 'R-1', lines => '[{"line_no": 1, "quantity": 1}]') || '; ' || back('Y-1', 'R-2', lines => '[{"line_no": 1, "quantity": 1}]') || '; ' || back('Y-1', 'R-3', lines => '[{"line_no": 1, "quantity": 1}]'),
          '333 cash 333, clawed 333; 334 cash 334, clawed 334; 333 cash 333, clawed 333', 'piece by piece');
-- 100 points = 3 yen of 101 yen, award 98, commission 5 % = 5.05; half of them: 50.5 is no amount; 51: 1.51, 50.495, 49.485; 2.52
SELECT fund('bo', 100) \gset
SELECT is(sale('bo', 'Y-2', 101, points => 100, merchant => 2), 'posted 98', 'paid with points');
SELECT is(returned('bo'), '2 commission 3>1 5, 2 points_contribution 3>1 3/100, 2 points_issued 3>1 1/98, 2 sale 1>3 101', 'splits in whole yen');
SELECT is(code($$SELECT back('Y-2', 'R-1', 50.5, merchant => 2)$$), '22023', 'half a yen is no amount');
SELECT is(back('Y-2', 'R-1', 51, merchant => 2), '51 cash 49, restored 50, clawed 49', 'about half');
-- of 5: 2.52, half up 3; points' money 2 of 3: 2.0, 66.67; issued 49 of 98: 0.5, half up 1
SELECT is(returned('bo'), '2 commission 1>3 3, 2 points_contribution 1>3 2/67, 2 points_issued 1>3 1/49, 2 sale 3>1 51', 'rounded half up');
SELECT is(back('Y-2', 'R-2', merchant => 2) || ', ' || coalesce(owed('bo'), 'nothing') || ', ' || wallet('bo'), '50 cash 49, restored 50, clawed 49, nothing, 100 to 26-02-01 = 100', 'and the rest');
SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');

SELECT * FROM finish();
ROLLBACK;
