-- Refunds that come before their sale: parked, applied when it comes by any road, and what of them it could not take.
\set tests 87
\ir setup.psql
SELECT open_mall() \gset
\ir spending.psql
\ir refunds.psql

-- what waits, and what had an excess
CREATE FUNCTION public.exceptions(ref text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s %s of %s', refund_ref, status, coalesce(amount::text, 'all')) || coalesce(' excess ' || excess, ''), ', ' ORDER BY refund_ref) FROM membership.refund_exception WHERE order_ref = ref $$;

-- what came back of an order
CREATE FUNCTION public.returned_of(ref text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(r.refund_ref || ' ' || r.amount, ', ' ORDER BY r.journal_no) FROM membership.refund r JOIN membership.journal j ON (j.member_id, j.journal_no) = (r.posted_id, r.journal_no) WHERE j.order_ref = ref $$;

-- ------------------------------------------------------------------ one refund, then its sale

SELECT is(back('A-1', 'R-1', 30), 'parked', 'a refund without sale is parked');
SELECT is(back('A-1', 'R-1', 30.00), 'parked, again', 'once');
SELECT is(code($$SELECT back('A-1', 'R-1', 31)$$), 'MB201', 'with other content it is another');
SELECT is(exceptions('A-1'), 'R-1 parked of 30.00', 'it waits');
SELECT is(ROW(r.status, r.journal_no, r.points_clawed, r.points_restored, r.points_forfeited, r.loss, r.debt, r.duplicate)::text, '(parked,,0,0,0,0,0,t)', 'and did nothing yet') FROM refund_order(1, 'A-1', 'R-1', 30, at => '2024-02-10 12:00+08') r;
SELECT enrol('ann') \gset
-- its sale has not been there: nothing else meets the place it keeps
SELECT is(code(call), code, call)
  FROM (VALUES ($$SELECT correct_purchase(1, 'A-1', 50, NULL, 'C', 'x')$$, 'MB009'), ($$SELECT reassign_purchase(1, 'A-1', m('ann'), 'x')$$, 'MB009'),
               ($$SELECT accrue_points(m('ann'), 1, 10, 'A-9', exchange_of => 'A-1')$$, 'MB009')) v (call, code);
SELECT is(p.points, 100::bigint, 'a preview is that of the sale') FROM preview_accrual(m('ann'), 1, 100, 'A-1', at => '2024-02-10 13:00+08') p;
SAVEPOINT sale;
-- the sale's result is its own, then 30 are taken back
SELECT is(ROW(status, points, balance, duplicate)::text, '(posted,100,100,f)', 'the sale comes') FROM accrue_points(m('ann'), 1, 100, 'A-1', at => '2024-02-10 13:00+08');
SELECT is(ROW(wallet('ann'), story('ann'))::text, '("70 to 26-02-11 = 70","1 enrolment 0, 2 accrual 100, 3 refund -30")', 'and its refund after it');
SELECT is(back('A-1', 'R-1', 30), '30.00 cash 30.00, clawed 30, again', 'the refund again: what it came to');
SELECT is(ROW(status, points, balance, duplicate)::text, '(posted,100,100,t)', 'the sale again: as it was') FROM accrue_points(m('ann'), 1, 100, 'A-1', at => '2024-02-10 13:00+08');
SELECT is(ROW(wallet('ann'), exceptions('A-1'), days('ann'))::text, '("70 to 26-02-11 = 70",,"02-10: 1 70.00 70 0, 0 30.00 30.00")', 'once each, and nothing waits');
SELECT is(back('A-1', 'R-2'), '70.00 cash 70.00, clawed 70', 'the next finds its sale');
SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
ROLLBACK TO sale;
-- a sale that does not come to pass leaves it parked
SELECT is(take($$SELECT wallet('ann') FROM accrue_points(m('ann'), 1, 100, 'A-1', at => '2024-02-10 13:00+08')$$), '70 to 26-02-11 = 70', 'a sale that is rolled back');
SELECT is(ROW(exceptions('A-1'), back('A-1', 'R-1', 30), wallet('ann'))::text, '("R-1 parked of 30.00","parked, again","none = 0")', 'leaves it parked');

-- several: 60 + 30 + lines, in the order in which they came; 20.00 too much in the third, all of the fourth
SELECT is(back('A-2', ref, amount), 'parked', 'parked ' || ref) FROM (VALUES (1, 'R-3', 60), (2, 'R-1', 30), (3, 'R-2', 30), (4, 'R-4', 5)) v (n, ref, amount) ORDER BY n;
SELECT is(exceptions('A-2'), 'R-1 parked of 30.00, R-2 parked of 30.00, R-3 parked of 60.00, R-4 parked of 5.00', 'four wait');
SELECT is(sale('ann', 'A-2', 100, at => '2024-02-11 12:00+08'), 'posted 100', 'their sale');
SELECT is(exceptions('A-2'), 'R-2 exceeds_sale of 30.00 excess 20.00, R-4 exceeds_sale of 5.00 excess 5.00', 'was less');
SELECT is(back('A-2', 'R-3', 60) || '; ' || back('A-2', 'R-1', 30) || '; ' || back('A-2', 'R-2', 30), '60.00 cash 60.00, clawed 60, again; 30.00 cash 30.00, clawed 30, again; 10.00 cash 10.00, clawed 10, again', 'first come, first served');
SELECT is(wallet('ann') || ', ' || days('ann'), 'none = 0, 02-11: 0 0.00 0 0, 0 100.00 100.00', 'all is returned');

-- by lines, by pieces and whole; with points, spent before or in the call
SELECT is(back('A-3', 'R-1', lines => '[{"line_no": 1, "quantity": 1}, {"line_no": 2, "amount": 5}]') || ', ' || back('A-3', 'R-2', lines => '[{"line_no": 1, "quantity": 5}, {"line_no": 7, "amount": 5}]') || ', ' || back('A-4', 'R-1', merchant => 11),
          'parked, parked, parked', 'by lines, more than there will be, and whole');
-- 100.00 / 3; then two pieces are left of five: 66.67, line 7 is not there
SELECT is(sale('ann', 'A-3', 110, '[{"quantity": 3, "amount": 100}, {"amount": 10}]', at => '2024-02-12 12:00+08'), 'posted 110', 'its sale');
SELECT is(back('A-3', 'R-1', lines => '[{"line_no": 1, "quantity": 1}, {"line_no": 2, "amount": 5}]'), '38.33 cash 38.33, clawed 38, again', 'a piece and 5.00');
SELECT ok(exceptions('A-3') LIKE 'R-2 exceeds_sale of all excess %', 'what the sale has not is an excess');
SELECT fund('paul', 10000) \gset
SELECT redeem_points(m('paul'), 1000, 'r1', 11, 'A-4', 588, at => '2024-02-10 12:00+08') \gset
SELECT is(sale('paul', 'A-4', 588, '[{"amount": 300.00}, {"amount": 199.90, "merchant_id": 12}, {"amount": 88.10, "merchant_id": 13}]', 1000, 11, '2024-02-11 12:00+08'), 'posted 558', 'an order paid with points');
SELECT is(ROW(wallet('paul'), owed('paul'), days('paul'))::text, '("10000 to 26-02-02 = 10000",,"02-10: 0 0.00 0 0, 0 0.00 0.00; 02-11: 0 0.00 0 0, 0 588.00 588.00")', 'goes back with its points');
SELECT is(back('A-4', 'R-1', merchant => 11), '588.00 cash 558.00, restored 1000, clawed 558, again', 'as the refund says');

-- of another member than the one given: nothing
SELECT enrol('bo') \gset
SELECT is(back('A-5', 'R-1', 10, member => m('bo')) || ', ' || back('A-5', 'R-2', 10, member => m('ann')), 'parked, parked', 'for two members');
SELECT is(sale('ann', 'A-5', 100, at => '2024-02-13 12:00+08') || ', ' || exceptions('A-5'), 'posted 100, R-1 exceeds_sale of 10.00 excess 10.00', 'the sale is one''s, the other''s refund an excess');
SELECT is(back('A-5', 'R-2', 10, member => m('ann')), '10.00 cash 10.00, clawed 10, again', 'the one''s is applied');

-- repeated for another member while it waits, or when it was not applied
SELECT is(back('A-7', 'R-1', 10, member => m('bo')) || ', ' || back('A-7', 'R-1', 10) || ', ' || take($$SELECT back('A-7', 'R-1', 10, member => m('ann'))$$), 'parked, parked, again, MB202 refund "R-1" waits for a sale of another member', 'who is named first is meant');
SELECT is(sale('ann', 'A-7', 100, at => '2024-02-13 12:00+08') || ', ' || take($$SELECT back('A-7', 'R-1', 10)$$) || ', ' || take($$SELECT back('A-7', 'R-1', 10, member => m('bo'))$$), 'posted 100, MB109 refund "R-1" was not applied, MB109 refund "R-1" was not applied', 'and that it was not applied is said');
-- amount and lines: a piece of 25.00 with 50.00, with 20.00, and what there is not
SELECT is(back('A-8', 'R-1', 50, '[{"line_no": 1, "quantity": 1}]') || ', ' || back('A-8', 'R-2', 20, '[{"line_no": 1, "quantity": 1}]') || ', ' || back('A-8', 'R-3', 100, '[{"line_no": 1, "quantity": 4}]'), 'parked, parked, parked', 'amounts that nobody can check yet');
SELECT is(sale('ann', 'A-8', 100, '[{"amount": 100, "quantity": 4}]', at => '2024-02-13 12:00+08') || '; ' || exceptions('A-8'), 'posted 100; R-1 exceeds_sale of 50.00 excess 25.00, R-2 exceeds_sale of 20.00 excess 20.00, R-3 exceeds_sale of 100.00 excess 25.00', 'what they name beyond the goods is an excess, too little is refused');
-- pieces that are not there come to nothing, and to their part of an amount: 3 of 4 are there for R-2, none for the others
SELECT is(string_agg(back('A-9', ref, amount, lines::jsonb), ' ' ORDER BY ref), 'parked parked parked parked', 'more pieces than were sold')
  FROM (VALUES ('R-1', NULL, '[{"line_no": 1, "quantity": 1, "amount": 10}]'), ('R-2', NULL, '[{"line_no": 1, "quantity": 4, "amount": 40}]'), ('R-3', NULL, '[{"line_no": 1, "quantity": 1}]'), ('R-4', 30, '[{"line_no": 1, "quantity": 1, "amount": 30}]')) v (ref, amount, lines);
SELECT is(sale('ann', 'A-9', 100, '[{"amount": 100, "quantity": 4}]', at => '2024-02-13 12:00+08') || '; ' || returned_of('A-9') || '; ' || exceptions('A-9'), 'posted 100; R-1 10.00, R-2 30.00; R-2 exceeds_sale of all excess 10.00, R-3 exceeds_sale of all excess 0.00, R-4 exceeds_sale of 30.00 excess 30.00', 'are not returned');
-- of another member than the one given, by pieces: what they are worth is not known
SELECT is(back('A-10', 'R-1', lines => '[{"line_no": 1, "quantity": 1}]', member => m('bo')) || ', ' || back('A-10', 'R-2', lines => '[{"line_no": 1, "quantity": 1}, {"line_no": 2, "amount": 5}]', member => m('bo')) || ', ' || back('A-10', 'R-3', member => m('bo')), 'parked, parked, parked', 'pieces, named by another');
SELECT is(sale('ann', 'A-10', 110, '[{"amount": 100, "quantity": 4}, {"amount": 10}]', at => '2024-02-13 12:00+08') || '; ' || exceptions('A-10'), 'posted 110; R-1 exceeds_sale of all excess 0.00, R-2 exceeds_sale of all excess 5.00, R-3 exceeds_sale of all excess 110.00', 'an excess as far as it is known');

-- bad ones are refused before they wait
SELECT is(code('SELECT membership.refund_order(' || arguments || ')'), code, code || ' ' || arguments)
  FROM (VALUES ('99, ''A-6'', ''R''', 'MB003'), ('1, ''A-6'', ''R'', -1', '22023'), ('1, ''A-6'', ''R'', 5, ''[{"line_no": 1, "amount": 6}]''', '22023'), ('1, ''A-6'', ''R'', lines => ''[]''', '22023'), ('1, ''A-6'', ''''', '22023'), ('1, ''A-6'', NULL', '22004')) v (arguments, code);
SELECT is(count(*), 0::bigint, 'none waits') FROM refund_exception WHERE order_ref = 'A-6';

-- ------------------------------------------------------------------ settled by other means

CREATE FUNCTION public.closed(ref text, refund text, merchant integer DEFAULT 1, reason text DEFAULT 'wrong number') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN membership.close_refund_exception(merchant, ref, refund, reason);
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT is(back('W-1', 'R-1', 80) || ', ' || back('W-1', 'R-2', 5) || ', ' || closed('W-1', 'R-1') || ', ' || closed('W-1', 'R-1') || ', ' || exceptions('W-1'), 'parked, parked, parked, parked, R-2 parked of 5.00', 'a typed-in refund is closed before a sale comes');
SELECT is(take($$SELECT back('W-1', 'R-1', 80)$$), 'MB109 refund "R-1" was not applied', 'its refund_ref stays used');
SELECT is(sale('ann', 'W-1', 100, at => '2024-02-13 12:00+08') || ', ' || returned_of('W-1'), 'posted 100, R-2 5.00', 'the sale knows nothing of it');
SELECT is(closed('W-1', 'R-2'), 'MB009 refund "R-2" of order "W-1" at merchant 1 is no refund exception', 'what was applied is none');
SELECT is(closed('A-8', 'R-1') || ', ' || exceptions('A-8') || ', ' || back('A-8', 'R-1', 50, '[{"line_no": 1, "quantity": 1}]'), 'exceeds_sale, R-2 exceeds_sale of 20.00 excess 20.00, R-3 exceeds_sale of 100.00 excess 25.00, 25.00 cash 25.00, clawed 25, again', 'one of which a part was applied stays as it was');
SELECT is(concat_ws(' ', closed('A-8', 'R-2'), closed('A-8', 'R-3'), exceptions('A-8')), 'exceeds_sale exceeds_sale', 'the list can be worked off');
SELECT is(back('W-2', 'R-1') || ', ' || closed('W-2', 'R-1') || ', ' || coalesce(exceptions('W-2'), 'none'), 'parked, parked, none', 'the only one of an order');
SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
SELECT is(sale('ann', 'W-2', 100, at => '2024-02-13 12:00+08') || ', ' || coalesce(returned_of('W-2'), 'none'), 'posted 100, none', 'whose sale may come yet');
SELECT is(request -> 'closed' ->> 'reason', 'wrong number', 'by whom, when and why') FROM refund_claim WHERE order_ref = 'W-1' AND refund_ref = 'R-1' AND request -> 'closed' ->> 'by' = session_user AND (request -> 'closed' ->> 'at')::timestamptz <= clock_timestamp();
SELECT is(left(closed(ref, refund, merchant, reason), 5), code, code || ': ' || concat_ws(' ', merchant, ref, refund, reason))
  FROM (VALUES (99, 'W-1', 'R-1', 'x', 'MB003'), (1, 'W-3', 'R-1', 'x', 'MB009'), (1, 'W-1', 'R-3', 'x', 'MB009'), (2, 'W-1', 'R-1', 'x', 'MB009'), (NULL, 'W-1', 'R-1', 'x', '22004'), (1, NULL, 'R-1', 'x', '22004'), (1, 'W-1', NULL, 'x', '22004'), (1, 'W-1', 'R-1', NULL, '22004'), (1, 'W-1', 'R-1', '', '22023'), (1, '', 'R-1', 'x', '22023')) v (merchant, ref, refund, reason, code);

-- ------------------------------------------------------------------ by every road

-- in batches: other rows before and after it, the same receipt twice, one by one when a row is bad
SELECT is(back('B-' || n, 'R-1', 10 * n) || ', ' || back('B-' || n, 'R-2', 200), 'parked, parked', 'parked for B-' || n) FROM generate_series(1, 3) n;
SELECT enrol(name) FROM unnest('{cat,dan}'::text[]) name \g /dev/null
SELECT is(string_agg(concat_ws(' ', row_no, status, points, balance, duplicate, sqlstate), ', ' ORDER BY row_no), '1 posted 50 50 f, 2 posted 100 150 f, 3 posted 100 100 f, 4 posted 100 100 t, 5 posted 30 30 f, 6 MB002', 'a batch')
  FROM accrue_batch(ARRAY[ROW(m('cat'), 1, 50, 'B-0', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2024-02-14 12:00+08')::purchase, ROW(m('cat'), 1, 100, 'B-1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2024-02-14 12:00+08')::purchase,
                          ROW(m('dan'), 1, 100, 'B-2', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2024-02-14 12:00+08')::purchase, ROW(m('dan'), 1, 100, 'B-2', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2024-02-14 12:00+08')::purchase,
                          ROW(m('dan'), 1, 30, 'B-4', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2024-02-14 12:00+08')::purchase, ROW(99999, 1, 100, 'B-3', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2024-02-14 12:00+08')::purchase]);
-- 10.00 and 90.00 of 200.00; 20.00 and 80.00
SELECT is(ROW(wallet('cat'), wallet('dan'), exceptions('B-1'), exceptions('B-2'), exceptions('B-3'))::text,
          '("50 to 26-02-15 = 50","30 to 26-02-15 = 30","R-2 exceeds_sale of 200.00 excess 110.00","R-2 exceeds_sale of 200.00 excess 120.00","R-1 parked of 30.00, R-2 parked of 200.00")', 'its refunds');
-- imported: its 80 points are taken from what is there
SELECT is(back('C-1', 'R-1', 50) || ', ' || back('C-2', 'R-1'), 'parked, parked', 'of purchases of the old system');
SELECT fund('eve', 100, at => now()) \gset
SELECT is(string_agg(concat_ws(' ', row_no, sqlstate), ', '), '1, 2', 'imports') FROM import_purchases(ARRAY[ROW(m('eve'), 1, 200, 'C-1', '2023-05-01 12:00+08', NULL, 80)::purchase_import, ROW(m('eve'), 1, 30, 'C-2', '2023-05-02 12:00+08', NULL, 3)::purchase_import]);
-- a quarter of 80, all of 3
SELECT is(ROW(balance, exceptions('C-1'))::text, '(77,)', 'take their refunds') FROM account WHERE member_id = m('eve');
-- by a trigger on a shop's own table
CREATE TABLE public.sales (member_id bigint, merchant_id integer, amount numeric, order_ref text);
CREATE TRIGGER earn AFTER INSERT ON public.sales FOR EACH ROW EXECUTE FUNCTION membership.accrue_trigger('member_id=member_id', 'merchant_id=merchant_id', 'amount=amount', 'order_ref=order_ref');
SELECT is(back('D-1', 'R-1', 40), 'parked', 'of a shop''s table');
INSERT INTO public.sales VALUES (enrol('fay'), 1, 100, 'D-1');
SELECT is(balance, 60::bigint, 'the sale is inserted') FROM account WHERE member_id = m('fay');
-- under review: 40.00 of 100.00 are not approved any more
SELECT is(back('E-1', 'R-1', 40) || ', ' || sale('gil', 'E-1', 100, at => now() - interval '60 days', posted => now()), 'parked, review 0', 'of a late claim');
SELECT review_accrual(m('gil'), 2, 'approve', 'slip seen') \gset
SELECT is((SELECT balance FROM account WHERE member_id = m('gil')), 60::bigint, 'the rest is approved');
-- frozen: recorded, refunded, no points
SELECT set_member_status(enrol('hal'), 'frozen', 'x') \gset
SELECT is(back('E-2', 'R-1', 40) || ', ' || sale('hal', 'E-2', 100, at => now()) || ', ' || wallet('hal'), 'parked, rejected 0, none = 0', 'of a frozen member');
SELECT is(refunded_of_day, 40.00, 'goods went back') FROM activity_day WHERE member_id = m('hal');
SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');

SELECT * FROM finish();
ROLLBACK;
