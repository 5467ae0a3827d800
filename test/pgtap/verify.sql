-- verify(): every invariant, broken on purpose past the guards, is named, and no other.
\set tests 162
\ir setup.psql
SELECT open_mall() \gset

-- A sound ledger. The journal of vera (entries and their lots in brackets):
--   1 enrolment   2 accrual 100.00 at the Bookshop, with lines, names and attributes (1 on 1: +100)
--   3 grant 50, dead on 1 March (2 on 2: +50)   4 adjustment -20 (3 on 2: -20)   5 expiry (4 on 2: -30)
--   6 accrual 10.00 at the Tea house (5 on 5: +10)   7 adjustment -105 (6 on 1: -100, 7 on 5: -5)
SELECT enrol('vera') \gset
SELECT accrue_points(m('vera'), 2, 100, 'v1', at => '2024-02-01 12:00+08', lines => '[{"amount": 60}, {"amount": 40}]', external_refs => '{"wechat": "W1"}', attributes => '{"till": 1}') \gset
SELECT grant_points(m('vera'), 50, 'x', 'g1', expires_at => '2024-03-01 00:00+08', at => '2024-02-02 12:00+08') \gset
SELECT adjust_points(m('vera'), -20, 'x', 'a1', at => '2024-02-03 12:00+08') \gset
SELECT accrue_points(m('vera'), 1, 10, 'v2', at => '2024-03-02 12:00+08') \gset
SELECT adjust_points(m('vera'), -105, 'x', 'a2', at => '2024-03-03 12:00+08') \gset
SELECT is(array_agg(ROW(entry_no, journal_no, lot_no, points, balance_after)::text ORDER BY entry_no),
          '{"(1,2,1,100,100)","(2,3,2,50,150)","(3,4,2,-20,130)","(4,5,2,-30,100)","(5,6,5,10,110)","(6,7,1,-100,10)","(7,7,5,-5,5)"}', 'the ledger of vera is as written above')
  FROM ledger_entry WHERE member_id = m('vera');
-- dina: debt 50 of 2 January, paid on 4 March when pending points become active
SELECT enrol('dina') \gset
UPDATE program SET allow_debt = true, pending_days = 3;
SELECT adjust_points(m('dina'), -50, 'x', 'a1', at => '2024-01-02 12:00+08') \gset
SELECT accrue_points(m('dina'), 1, 70, 'd1', at => '2024-03-01 12:00+08') \gset
UPDATE program SET pending_days = 0;
SELECT grant_points(m('dina'), 1, 'x', 'g1', at => '2024-03-05 12:00+08') \gset
-- ella: 40 points dead on 1 June (1 on 1: +40), which a purchase of 1 March lets live (2 on 1: -40, 3 on 3: +40)
SELECT enrol('ella') \gset
UPDATE program SET extend_on_activity = true;
SELECT grant_points(m('ella'), 40, 'x', 'g1', expires_at => '2024-06-01 00:00+08', at => '2024-02-01 12:00+08') \gset
SELECT accrue_points(m('ella'), 1, 0, 'e1', at => '2024-03-01 12:00+08') \gset
UPDATE program SET extend_on_activity = false;
-- ursula: an upgrade, so two rows of tier history; rita: a review, approved; bea: nothing but enrolment
SELECT enrol('ursula') \gset
SELECT accrue_points(m('ursula'), 1, 5000, 'u1', at => '2024-03-01 12:00+08') \gset
SELECT enrol('rita') \gset
SELECT accrue_points(m('rita'), 2, 100, 'r1', occurred_at => now() - interval '40 days') \gset
SELECT review_accrual(m('rita'), 2, 'approve', 'ok') \gset
SELECT enrol('bea') \gset
-- hugo: 1,000 points (2); of these 100 redeemed for order h1 (3) that was then accrued (4), 100 redeemed (5) and 100 held (6)
-- for order h2, 100 held (7) and captured (8), 100 sent to bob (9), whose second row that is
SELECT enrol('hugo') \gset
SELECT enrol('bob') \gset
UPDATE program SET transfers = true;
SELECT grant_points(m('hugo'), 1000, 'x', 'g1', at => '2024-02-01 12:00+08') \gset
SELECT redeem_points(m('hugo'), 100, 'r1', 1, 'h1', 100, at => '2024-02-02 12:00+08') \gset
SELECT accrue_points(m('hugo'), 1, 100, 'h1', at => '2024-02-02 12:00+08') \gset
SELECT redeem_points(m('hugo'), 100, 'r2', 1, 'h2', 100, at => '2024-02-03 12:00+08') \gset
SELECT authorize_points(m('hugo'), 100, 'a1', NULL, 1, 'h2', 100, at => '2024-02-03 12:00+08') \gset
SELECT authorize_points(m('hugo'), 100, 'a2', '1 day', order_amount => 100, at => '2024-02-04 12:00+08') \gset
SELECT capture_points(m('hugo'), 'a2', at => '2024-02-05 11:00+08') \gset
SELECT transfer_points(m('hugo'), m('bob'), 100, 't1', at => '2024-02-06 12:00+08') \gset
-- hana: 100 points dead on 10 February, held on the 4th and captured on the 11th
SELECT enrol('hana') \gset
SELECT grant_points(m('hana'), 100, 'x', 'g1', expires_at => '2024-02-10 00:00+08', at => '2024-02-01 12:00+08') \gset
SELECT authorize_points(m('hana'), 100, 'a1', NULL, order_amount => 100, at => '2024-02-04 12:00+08') \gset
SELECT capture_points(m('hana'), 'a1', at => '2024-02-11 12:00+08') \gset
-- mona: 100 points (2), a purchase (3), 100 points spent on an order to come (4); merged (5) into mike, whose events 2 and 3 are the merge
SELECT enrol('mike', now()) AS mike, enrol('mona', now()) AS mona \gset
SELECT grant_points(:mona, 150, 'x', 'g1', '2090-01-01'), accrue_points(:mona, 1, 10, 'm1'), redeem_points(:mona, 100, 'r1', 1, 'm2', 100) \gset
SELECT merge_members(:mike, :mona, 'x') \gset
-- rosa: 1,000 points (2), all of which (3) paid 30.00 of order o1 (4), 100.00 of whose first line came back (5: 200 given back, 94 taken); o2 (6) came
-- back whole (7), 60.00 of it were exchanged for o3 (8); o4 (9) was corrected (10, 11). A refund of o5 waits for its sale
SELECT enrol('rosa') \gset
SELECT grant_points(m('rosa'), 1000, 'x', 'g1', at => '2024-02-01 12:00+08') \gset
SELECT accrue_points(m('rosa'), 2, 500, 'o1', lines => '[{"amount": 300}, {"amount": 200}]', tenders => '[{"kind": "points", "points": 1000}]', at => '2024-02-01 12:00+08') \gset
SELECT refund_order(2, 'o1', 'f1', lines => '[{"line_no": 1, "amount": 100}]', at => '2024-02-02 12:00+08') \gset
SELECT accrue_points(m('rosa'), 2, 100, 'o2', at => '2024-02-03 12:00+08') \gset
SELECT refund_order(2, 'o2', 'f2', at => '2024-02-04 12:00+08') \gset
SELECT accrue_points(m('rosa'), 2, 60, 'o3', exchange_of => 'o2', at => '2024-02-05 12:00+08') \gset
SELECT accrue_points(m('rosa'), 2, 50, 'o4', at => '2024-02-06 12:00+08') \gset
SELECT correct_purchase(2, 'o4', 40, NULL, 'c1', 'mis-rung', at => '2024-02-07 12:00+08') \gset
SELECT refund_order(2, 'o5', 'f5', 10, at => '2024-02-08 12:00+08') \gset
SELECT is(array_agg(concat_ws(' ', journal_no, verb, points) ORDER BY journal_no), '{"1 enrolment 0","2 grant 1000","3 redemption -1000","4 accrual 470","5 refund 106","6 accrual 100","7 refund -100","8 accrual 60","9 accrual 50","10 correction -50","11 accrual 40"}',
          'the journal of rosa is as written above') FROM journal WHERE member_id = m('rosa');
SELECT is_empty('SELECT * FROM membership.verify()', 'a ledger made by the engine is sound');

-- what verify() says after some statements, which are undone
CREATE TEMP TABLE named (invariant text);
CREATE FUNCTION public.broken(statements text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    invariants text[];
BEGIN
    BEGIN
        SET LOCAL session_replication_role = replica;  -- past the guards and foreign keys, as a superuser can
        EXECUTE replace(replace(statements, ':vera', m('vera')::text), ':mona', (SELECT member_id FROM membership.member_alias)::text);
        SELECT array_agg(DISTINCT invariant ORDER BY invariant) INTO invariants FROM verify();
        RAISE EXCEPTION 'undo' USING ERRCODE = 'TAP00';
    EXCEPTION WHEN SQLSTATE 'TAP00' THEN
    END;
    INSERT INTO named SELECT unnest(invariants);
    RETURN array_to_string(invariants, ' ');
END
$$;

SELECT is(broken(statements), invariants, regexp_replace(statements, '\s+', ' ', 'g'))
  FROM (VALUES
    -- lots against the entries that made them
    ($$UPDATE membership.lot SET remaining = 4 WHERE member_id = :vera$$, 'lot_remaining_is_sum_of_entries'),
    ($$DELETE FROM membership.lot WHERE member_id = :vera$$, 'lot_remaining_is_sum_of_entries'),
    ($$INSERT INTO membership.lot VALUES (:vera, 1, 9, 7, 5, 5, 0, '2024-01-01', NULL, 'grant')$$, 'lot_equals_opening_entry lot_remaining_is_sum_of_entries'),
    ($$UPDATE membership.lot SET expires_at = expires_at + interval '1 day' WHERE member_id = :vera$$, 'lot_equals_opening_entry'),
    ($$UPDATE membership.lot SET active_at = active_at - interval '1 day' WHERE member_id = :vera$$, 'lot_equals_opening_entry'),
    ($$UPDATE membership.lot SET granted = 11 WHERE member_id = :vera$$, 'lot_equals_opening_entry'),
    ($$UPDATE membership.lot SET origin = 'grant' WHERE member_id = :vera$$, 'lot_equals_opening_entry'),
    ($$UPDATE membership.lot SET journal_no = 7 WHERE member_id = :vera$$, 'lot_equals_opening_entry'),
    ($$UPDATE membership.lot SET held = 6 WHERE member_id = :vera;
       UPDATE membership.account SET held = 6 WHERE member_id = :vera$$, 'lot_bounds lot_held_is_sum_of_holds'),
    ($$UPDATE membership.ledger_entry SET origin = NULL WHERE member_id = :vera AND entry_no = 2$$, 'entry_is_whole'),
    ($$UPDATE membership.account SET held = -1 WHERE member_id = :vera$$, 'account_held_is_sum_of_lots held_and_debt_not_negative'),
    ($$UPDATE membership.journal SET channel = NULL WHERE member_id = :vera AND journal_no = 2$$, 'journal_row_is_whole'),
    ($$UPDATE membership.journal SET verb = 'gift' WHERE member_id = public.m('bea')$$, 'journal_row_is_whole'),
    -- spent after death, expired before it, expired without an end, a debt paid by the dead
    ($$UPDATE membership.ledger_entry SET expires_at = '2024-02-03 12:00+08' WHERE member_id = :vera AND entry_no = 2$$, 'nothing_expired_was_spent'),
    ($$UPDATE membership.ledger_entry SET expires_at = '2024-03-02 12:00:01+08' WHERE member_id = :vera AND entry_no = 2$$, 'nothing_expired_was_spent'),
    ($$UPDATE membership.ledger_entry SET expires_at = NULL WHERE member_id = :vera AND entry_no = 2$$, 'nothing_expired_was_spent'),
    ($$UPDATE membership.ledger_entry SET expires_at = '2024-03-04 00:00+08' WHERE member_id = public.m('dina') AND entry_no = 2;
       UPDATE membership.lot SET expires_at = '2024-03-04 00:00+08' WHERE member_id = public.m('dina') AND lot_no = 2;
       UPDATE membership.account SET next_expiry = '2024-03-04 00:00+08' WHERE member_id = public.m('dina')$$, 'nothing_expired_was_spent'),
    -- another activity, another origin, an end that is none later, points that come from nowhere
    ($$UPDATE membership.ledger_entry SET active_at = active_at + interval '1 hour' WHERE member_id = public.m('ella') AND entry_no = 3;
       UPDATE membership.lot SET active_at = active_at + interval '1 hour' WHERE member_id = public.m('ella')$$, 'extension_moves_points_to_a_later_end'),
    ($$UPDATE membership.ledger_entry SET origin = 'opening' WHERE member_id = public.m('ella') AND entry_no = 1$$, 'extension_moves_points_to_a_later_end'),
    ($$UPDATE membership.ledger_entry SET expires_at = '2026-03-02 00:00+08' WHERE member_id = public.m('ella') AND entry_no = 1$$, 'extension_moves_points_to_a_later_end'),
    ($$UPDATE membership.ledger_entry SET expires_at = NULL WHERE member_id = public.m('ella') AND entry_no = 1$$, 'extension_moves_points_to_a_later_end'),
    ($$UPDATE membership.journal SET verb = 'extension' WHERE member_id = :vera AND journal_no = 3$$, 'extension_moves_points_to_a_later_end source_key_has_its_journal_row'),
    -- accounts against lots and entries
    ($$UPDATE membership.account SET balance = 6 WHERE member_id = :vera$$, 'balance_is_sum_of_entries'),
    ($$UPDATE membership.account SET debt = 1 WHERE member_id = :vera$$, 'debt_is_sum_of_entries_on_lot_0'),
    ($$UPDATE membership.account SET held = 1 WHERE member_id = :vera$$, 'account_held_is_sum_of_lots'),
    ($$UPDATE membership.lot SET held = 1 WHERE member_id = :vera$$, 'account_held_is_sum_of_lots lot_held_is_sum_of_holds'),
    -- holds: without their lots, of other lots, beyond them, of what is no authorization
    ($$DELETE FROM membership.hold_lot WHERE member_id = public.m('hugo')$$, 'hold_is_sum_of_its_lots lot_held_is_sum_of_holds'),
    ($$UPDATE membership.hold SET points = 200 WHERE member_id = public.m('hugo')$$, 'hold_is_sum_of_its_lots'),
    ($$UPDATE membership.hold SET hold_no = 5 WHERE member_id = public.m('hugo');
       UPDATE membership.hold_lot SET hold_no = 5 WHERE member_id = public.m('hugo')$$, 'hold_is_sum_of_its_lots'),
    ($$UPDATE membership.hold SET hold_no = 99 WHERE member_id = public.m('hugo');
       UPDATE membership.hold_lot SET hold_no = 99 WHERE member_id = public.m('hugo')$$, 'hold_is_sum_of_its_lots'),
    ($$UPDATE membership.hold SET expires_at = '2024-01-01' WHERE member_id = public.m('hugo')$$, 'next_expiry_not_after_any_lot'),
    -- a hold of what was dead when it was made
    ($$UPDATE membership.ledger_entry SET expires_at = '2024-02-04 12:00+08' WHERE member_id = public.m('hana') AND entry_no = 1$$, 'nothing_expired_was_spent'),
    -- what orders were paid with
    ($$UPDATE membership.account SET order_spends = 1 WHERE member_id = public.m('hugo')$$, 'order_spends_are_counted'),
    ($$DELETE FROM membership.order_spend WHERE member_id = public.m('hugo')$$, 'order_spends_are_counted'),
    ($$UPDATE membership.hold SET order_ref = NULL WHERE member_id = public.m('hugo')$$, 'order_spends_are_counted'),
    ($$UPDATE membership.order_spend SET order_ref = 'h3' WHERE member_id = public.m('hugo')$$, 'order_spend_has_its_redemption'),
    ($$UPDATE membership.order_spend SET journal_no = 4 WHERE member_id = public.m('hugo')$$, 'order_spend_has_its_redemption'),
    ($$UPDATE membership.order_spend SET journal_no = 99 WHERE member_id = public.m('hugo')$$, 'order_spend_has_its_redemption'),
    ($$UPDATE membership.journal SET tenders = jsonb_set(tenders, '{points}', '200') WHERE member_id = public.m('hugo') AND journal_no = 4$$, 'tenders_are_what_was_redeemed'),
    ($$UPDATE membership.journal SET tenders = jsonb_set(tenders, '{value}', '3.01') WHERE member_id = public.m('hugo') AND journal_no = 4$$, 'tenders_are_what_was_redeemed'),
    ($$UPDATE membership.journal SET tenders = jsonb_set(tenders, '{spent}', '[2]') WHERE member_id = public.m('hugo') AND journal_no = 4$$, 'tenders_are_what_was_redeemed'),
    ($$UPDATE membership.journal SET tenders = jsonb_set(tenders, '{value_at_merchants}', '0') WHERE member_id = public.m('hugo') AND journal_no = 4$$, 'splits_balance_to_the_purchase'),
    ($$UPDATE membership.activity_day SET points_redeemed = 99 WHERE member_id = public.m('hugo') AND day = '2024-02-03'$$, 'points_redeemed_of_a_day'),
    ($$DELETE FROM membership.activity_day WHERE member_id = public.m('hugo') AND day = '2024-02-05'$$, 'points_redeemed_of_a_day'),
    ($$UPDATE membership.journal SET counterpart_id = :vera WHERE member_id = public.m('hugo') AND verb = 'transfer_out'$$, 'transfer_has_its_counterpart'),
    ($$DELETE FROM membership.journal WHERE member_id = public.m('bob') AND verb = 'transfer_in'$$,
     'journal_numbers_are_gapless journal_points_are_sum_of_entries last_posted_at_is_that_of_the_journal transfer_has_its_counterpart'),
    ($$UPDATE membership.account SET next_expiry = next_expiry + interval '1 second' WHERE member_id = :vera$$, 'next_expiry_not_after_any_lot'),
    ($$UPDATE membership.account SET next_expiry = NULL WHERE member_id = :vera$$, 'next_expiry_not_after_any_lot'),
    -- a merge: who became whom, what is left behind, lots and activity that went along, what was spent
    ($$DELETE FROM membership.member_alias$$, 'merged_member_has_its_survivor'),
    ($$UPDATE membership.member_alias SET survivor_id = 999$$, 'merged_member_has_its_survivor'),
    ($$UPDATE membership.member SET status = 'active' WHERE member_id = :mona$$, 'merged_member_has_its_survivor'),
    ($$UPDATE membership.account SET order_spends = 0 WHERE member_id = :mona$$, 'merged_member_has_its_survivor'),
    ($$UPDATE membership.member SET status = 'merged' WHERE member_id = :vera$$, 'merged_member_has_its_survivor'),
    ($$UPDATE membership.account SET order_spends = -1 WHERE member_id = :vera$$, 'merged_member_has_its_survivor'),
    ($$INSERT INTO membership.member_alias VALUES (:vera, :mona)$$, 'merged_member_has_its_survivor merged_member_has_nothing'),
    ($$INSERT INTO membership.member_identity VALUES ('card', 'left', :mona)$$, 'merged_member_has_nothing'),
    ($$UPDATE membership.order_spend SET member_id = :mona WHERE member_id = public.m('mike')$$, 'merged_member_has_nothing order_spend_has_its_redemption order_spends_are_counted'),
    ($$UPDATE membership.account SET balance = 1 WHERE member_id = :mona$$, 'balance_is_sum_of_entries merged_member_has_nothing'),
    ($$UPDATE membership.ledger_entry SET expires_at = '2091-01-01' WHERE member_id = public.m('mike') AND entry_no = 1;
       UPDATE membership.lot SET expires_at = '2091-01-01' WHERE member_id = public.m('mike') AND lot_no = 1$$, 'merged_lots_live_on_unchanged'),
    ($$UPDATE membership.ledger_entry SET origin = 'opening' WHERE member_id = public.m('mike') AND entry_no = 1;
       UPDATE membership.lot SET origin = 'opening' WHERE member_id = public.m('mike') AND lot_no = 1$$, 'merged_lots_live_on_unchanged'),
    ($$UPDATE membership.activity_move SET basis = basis + 1 WHERE member_id = :mona$$, 'activity_is_sum_of_journal activity_moves_add_up'),
    ($$DELETE FROM membership.activity_move WHERE member_id = :mona$$, 'activity_is_sum_of_journal activity_moves_add_up points_redeemed_of_a_day'),
    ($$UPDATE membership.journal SET counterpart_id = :vera WHERE member_id = public.m('mike') AND journal_no = 2$$,
     'activity_moves_add_up merged_lots_live_on_unchanged transfer_has_its_counterpart'),
    ($$UPDATE membership.journal SET refers_to = NULL WHERE member_id = public.m('mike') AND journal_no = 3$$, 'order_spend_has_its_redemption transfer_has_its_counterpart'),
    -- numbering and chains
    ($$UPDATE membership.account SET next_entry_no = next_entry_no + 1 WHERE member_id = :vera$$, 'entry_numbers_are_gapless'),
    ($$UPDATE membership.account SET next_journal_no = next_journal_no + 1 WHERE member_id = :vera$$, 'journal_numbers_are_gapless'),
    ($$DELETE FROM membership.journal WHERE member_id = public.m('bea')$$, 'journal_numbers_are_gapless'),
    ($$UPDATE membership.ledger_entry SET balance_after = 11 WHERE member_id = :vera AND entry_no = 6$$, 'balance_after_chains'),
    ($$UPDATE membership.ledger_entry SET balance_after = 151 WHERE member_id = :vera AND entry_no = 2$$, 'balance_after_chains'),
    ($$DELETE FROM membership.ledger_entry WHERE member_id = :vera AND entry_no = 3$$,
     'balance_after_chains balance_is_sum_of_entries entry_numbers_are_gapless journal_points_are_sum_of_entries lot_remaining_is_sum_of_entries'),
    ($$UPDATE membership.journal SET posted_at = '2024-02-02 11:00+08' WHERE member_id = :vera AND journal_no = 4$$, 'posted_at_never_goes_back'),
    ($$UPDATE membership.account SET last_posted_at = last_posted_at + interval '1 second' WHERE member_id = :vera$$, 'last_posted_at_is_that_of_the_journal'),
    -- the journal against its entries and lines
    ($$UPDATE membership.journal SET points = 51 WHERE member_id = :vera AND journal_no = 3$$, 'journal_balance_chains journal_points_are_sum_of_entries'),
    ($$UPDATE membership.journal SET balance = 1 WHERE member_id = :vera AND journal_no = 3$$, 'journal_balance_chains'),
    ($$UPDATE membership.journal SET last_entry_no = 3 WHERE member_id = :vera AND journal_no = 3$$, 'journal_points_are_sum_of_entries'),
    ($$UPDATE membership.journal SET points = 1 WHERE member_id = public.m('bea')$$, 'journal_balance_chains journal_points_are_sum_of_entries liability_has_every_point'),
    ($$UPDATE membership.journal SET lines = jsonb_set(lines, '{0,points}', '61') WHERE member_id = :vera AND journal_no = 2$$, 'line_points_are_points_wanted'),
    ($$UPDATE membership.journal SET lines = jsonb_set(lines, '{0,amount}', '61') WHERE member_id = :vera AND journal_no = 2$$, 'line_points_are_points_wanted'),
    ($$UPDATE membership.journal SET lines = '[]' WHERE member_id = :vera AND journal_no = 2$$, 'line_points_are_points_wanted'),
    -- refunds, their sales, their claims; corrections; exchanges
    ($$UPDATE membership.refund SET amount = 99 WHERE member_id = public.m('rosa') AND journal_no = 5$$, 'refund_is_whole refund_lines_add_up'),
    ($$UPDATE membership.refund SET cash_amount = 101 WHERE member_id = public.m('rosa') AND journal_no = 5$$, 'refund_is_whole'),
    ($$UPDATE membership.refund SET points_clawed = 95 WHERE member_id = public.m('rosa') AND journal_no = 5$$, 'activity_is_sum_of_journal refund_is_whole refund_lines_add_up'),
    ($$UPDATE membership.refund SET loss = 1 WHERE member_id = public.m('rosa') AND journal_no = 5$$, 'activity_is_sum_of_journal refund_lines_add_up'),
    ($$UPDATE membership.refund SET points_restored = 1001, points_clawed = 895 WHERE member_id = public.m('rosa') AND journal_no = 5$$, 'activity_is_sum_of_journal refund_lines_add_up refunds_not_more_than_the_sale'),
    ($$UPDATE membership.refund SET debt = 95 WHERE member_id = public.m('rosa') AND journal_no = 5$$, 'refund_is_whole'),
    ($$UPDATE membership.refund SET complete = true WHERE member_id = public.m('rosa') AND journal_no = 5$$, 'activity_is_sum_of_journal refunds_not_more_than_the_sale splits_are_not_reversed_twice'),
    ($$UPDATE membership.refund SET purchase_no = 6, refund_no = 9 WHERE member_id = public.m('rosa') AND journal_no = 5$$, 'activity_is_sum_of_journal points_redeemed_of_a_day refund_claim_has_its_refund refund_has_its_row refund_is_whole refund_lines_add_up refunds_not_more_than_the_sale splits_are_not_reversed_twice'),
    ($$UPDATE membership.refund SET lines = jsonb_set(lines, '{0,clawed}', '95') WHERE member_id = public.m('rosa') AND journal_no = 5$$, 'refund_lines_add_up'),
    ($$UPDATE membership.refund SET lines = jsonb_set(lines, '{0,amount}', '0') WHERE member_id = public.m('rosa') AND journal_no = 5$$, 'refund_lines_add_up'),
    ($$DELETE FROM membership.refund WHERE member_id = public.m('rosa') AND journal_no = 5$$, 'activity_is_sum_of_journal points_redeemed_of_a_day refund_claim_has_its_refund refund_has_its_row'),
    ($$UPDATE membership.journal SET amount = 99 WHERE member_id = public.m('rosa') AND journal_no = 5$$, 'refund_is_whole refunded_of_and_on_a_day'),
    ($$UPDATE membership.journal SET refers_to = 6 WHERE member_id = public.m('rosa') AND journal_no = 5$$,
     'activity_is_sum_of_journal points_redeemed_of_a_day refund_claim_has_its_refund refund_has_its_row refund_is_whole refunded_of_and_on_a_day'),
    ($$UPDATE membership.journal SET verb = 'adjustment' WHERE member_id = public.m('rosa') AND journal_no = 5$$,
     'activity_is_sum_of_journal points_redeemed_of_a_day receipt_and_purchase_belong_together refund_is_whole refunded_of_and_on_a_day split_has_its_purchase'),
    ($$UPDATE membership.merchant_split SET amount = 100.01 WHERE member_id = public.m('rosa') AND journal_no = 7 AND kind = 'sale'$$, 'splits_are_not_reversed_twice'),
    ($$UPDATE membership.merchant_split SET amount = 5.01 WHERE member_id = public.m('rosa') AND journal_no = 7 AND kind = 'commission'$$, 'splits_are_not_reversed_twice'),
    ($$DELETE FROM membership.merchant_split WHERE member_id = public.m('rosa') AND journal_no = 7$$, 'splits_are_not_reversed_twice'),
    ($$UPDATE membership.activity_day SET refunded_of_day = 0 WHERE member_id = public.m('rosa') AND day = '2024-02-01'$$, 'refunded_of_and_on_a_day'),
    ($$UPDATE membership.activity_day SET refunded_on_day = 1 WHERE member_id = public.m('rosa') AND day = '2024-02-02'$$, 'refunded_of_and_on_a_day'),
    ($$DELETE FROM membership.activity_day WHERE member_id = public.m('rosa') AND day = '2024-02-04'$$, 'refunded_of_and_on_a_day'),
    ($$DELETE FROM membership.refund_claim WHERE refund_ref = 'f1'$$, 'refund_has_its_claim'),
    ($$DELETE FROM membership.refund_claim WHERE refund_ref = 'f5'$$, 'place_of_a_sale_has_its_refund'),
    ($$UPDATE membership.refund_claim SET excess = 10 WHERE refund_ref = 'f5'$$, 'place_of_a_sale_has_its_refund'),
    ($$INSERT INTO membership.refund_claim (merchant_id, order_ref, refund_ref, payload_hash, parked_at) SELECT merchant_id, order_ref, 'f6', 0, now() FROM membership.receipt WHERE member_id = public.m('rosa') LIMIT 1$$, 'nothing_is_parked_after_the_sale'),
    ($$UPDATE membership.refund_claim SET refund_ref = 'f3' WHERE refund_ref = 'f1'$$, 'refund_claim_has_its_refund refund_has_its_claim'),
    ($$UPDATE membership.refund_claim SET journal_no = 7 WHERE refund_ref = 'f1'$$, 'refund_claim_has_its_refund refund_has_its_claim'),
    ($$UPDATE membership.receipt SET journal_no = 9 WHERE order_ref = 'o4'$$, 'receipt_and_purchase_belong_together'),
    ($$DELETE FROM membership.receipt WHERE order_ref = 'o4'$$, 'receipt_and_purchase_belong_together'),
    ($$UPDATE membership.exchange SET amount = 100.01 WHERE member_id = public.m('rosa')$$, 'exchanges_not_more_than_returned'),
    ($$UPDATE membership.exchange SET purchase_no = 4, amount = 100.01 WHERE member_id = public.m('rosa')$$, 'exchanges_not_more_than_returned'),
    -- keys and the rows they stand for
    ($$DELETE FROM membership.receipt WHERE order_ref = 'v2'$$, 'receipt_and_purchase_belong_together'),
    ($$UPDATE membership.receipt SET journal_no = 3 WHERE order_ref = 'v2'$$, 'receipt_and_purchase_belong_together'),
    ($$UPDATE membership.receipt SET member_id = public.m('bea') WHERE order_ref = 'v2'$$, 'receipt_and_purchase_belong_together'),
    ($$INSERT INTO membership.receipt VALUES (1, 'v3', :vera, 9, 0)$$, 'receipt_and_purchase_belong_together'),
    ($$DELETE FROM membership.receipt WHERE order_ref = 'v1'$$, 'receipt_and_purchase_belong_together receipt_ref_has_its_receipt'),
    ($$INSERT INTO membership.receipt_ref VALUES ('wechat', 'W9', 1, 'v9')$$, 'receipt_ref_has_its_receipt'),
    ($$UPDATE membership.source_key SET journal_no = 9 WHERE member_id = :vera AND ref = 'g1'$$, 'source_key_has_its_journal_row'),
    ($$UPDATE membership.source_key SET journal_no = 4 WHERE member_id = :vera AND ref = 'g1'$$, 'source_key_has_its_journal_row'),
    -- purchases against activity and splits
    ($$UPDATE membership.activity_day SET basis = basis + 1 WHERE member_id = :vera AND day = '2024-02-01'$$, 'activity_is_sum_of_journal'),
    ($$UPDATE membership.activity_day SET purchases = 2 WHERE member_id = :vera AND day = '2024-02-01'$$, 'activity_is_sum_of_journal'),
    ($$UPDATE membership.activity_day SET points_earned = 0 WHERE member_id = public.m('rita')$$, 'activity_is_sum_of_journal'),
    ($$DELETE FROM membership.activity_day WHERE member_id = :vera AND day = '2024-02-01'$$, 'activity_is_sum_of_journal'),
    ($$INSERT INTO membership.activity_day VALUES (:vera, '2024-02-09', 1, 0, 0)$$, 'activity_is_sum_of_journal'),
    ($$UPDATE membership.journal SET merchant_collected = 9 WHERE member_id = :vera AND journal_no = 6$$, 'splits_balance_to_the_purchase'),
    ($$DELETE FROM membership.merchant_split WHERE member_id = :vera AND kind = 'sale'$$, 'split_numbers_are_gapless splits_balance_to_the_purchase'),
    ($$UPDATE membership.merchant_split SET split_no = 9 WHERE member_id = :vera AND kind = 'commission'$$, 'split_numbers_are_gapless'),
    ($$UPDATE membership.merchant_split SET journal_no = 3 WHERE member_id = :vera AND kind = 'commission'$$, 'split_has_its_purchase split_numbers_are_gapless'),
    ($$UPDATE membership.merchant_split SET journal_no = 9 WHERE member_id = :vera AND kind = 'commission'$$, 'split_has_its_purchase split_numbers_are_gapless'),
    ($$UPDATE membership.merchant_split SET points = 101 WHERE member_id = :vera AND kind = 'points_issued'$$, 'points_issued_not_more_than_awarded'),
    ($$UPDATE membership.merchant_split SET points = 101 WHERE member_id = public.m('rita') AND kind = 'points_issued'$$, 'points_issued_not_more_than_awarded'),
    -- what rules gave: of an unknown version, more than the award, another growth; a failure without its purchase
    ($$UPDATE membership.journal SET rules = '{"rules": [{"rule_id": 1, "version": 1, "outcome": "applied", "points": 10}]}' WHERE member_id = :vera AND journal_no = 6$$, 'rules_explain_the_award'),
    ($$INSERT INTO membership.rule_version VALUES (1, 1, '-infinity', now(), 'x', '{}');
       UPDATE membership.journal SET rules = '{"rules": [{"rule_id": 1, "version": 1, "outcome": "applied", "points": 11}]}' WHERE member_id = :vera AND journal_no = 6$$, 'rules_explain_the_award'),
    ($$INSERT INTO membership.rule_version VALUES (1, 1, '-infinity', now(), 'x', '{}');
       UPDATE membership.journal SET rules = '{"rules": [{"rule_id": 1, "version": 1, "outcome": "applied", "growth": 1}]}' WHERE member_id = :vera AND journal_no = 6$$, 'rules_explain_the_award'),
    ($$UPDATE membership.activity_day SET growth = 1 WHERE member_id = :vera AND day = '2024-02-01'$$, 'activity_is_sum_of_journal'),
    ($$INSERT INTO membership.rule_failure VALUES (:vera, 3, 1, 1, '22012', 'x')$$, 'rule_failure_has_its_purchase'),
    -- members, tiers and configuration
    ($$DELETE FROM membership.account WHERE member_id = public.m('bea')$$, 'member_and_points_account_belong_together'),
    ($$DELETE FROM membership.member WHERE member_id = public.m('bea')$$, 'member_and_points_account_belong_together rows_belong_to_a_member'),
    ($$INSERT INTO membership.member_identity VALUES ('card', 'ghost', 999)$$, 'rows_belong_to_a_member'),
    ($$INSERT INTO membership.journal_context VALUES (:vera, 9, '{}')$$, 'context_has_its_journal_row'),
    ($$INSERT INTO membership.tier_history VALUES (999, 1, 1, '[2024-01-01,)', 'enrolment', 1)$$, 'rows_belong_to_a_member'),
    ($$INSERT INTO membership.journal (member_id, journal_no, verb, occurred_at, posted_at, day, actor, login, points, balance, last_entry_no)
       VALUES (999, 2, 'tier_change', now(), now(), current_date, 'x', 'x', 0, 0, 0)$$, 'rows_belong_to_a_member'),
    ($$UPDATE membership.member SET tier_id = 2 WHERE member_id = :vera$$, 'tier_is_that_of_history'),
    ($$UPDATE membership.member SET tier_since = tier_since + interval '1 day' WHERE member_id = :vera$$, 'tier_is_that_of_history'),
    ($$UPDATE membership.tier_history SET during = tstzrange(lower(during), '2024-06-01') WHERE member_id = :vera$$, 'tier_is_that_of_history'),
    ($$DELETE FROM membership.tier_history WHERE member_id = :vera$$, 'tier_is_that_of_history'),
    ($$UPDATE membership.tier_history SET during = tstzrange(lower(during), upper(during) - interval '1 day') WHERE member_id = public.m('ursula') AND history_no = 1$$, 'tier_history_has_no_gap'),
    ($$UPDATE membership.journal SET merchant_id = 99 WHERE member_id = :vera AND journal_no = 3$$, 'configuration_row_exists'),
    ($$UPDATE membership.merchant_split SET payer_party_id = 99 WHERE member_id = :vera AND kind = 'commission'$$, 'configuration_row_exists'),
    ($$UPDATE membership.merchant_split SET payee_party_id = 99 WHERE member_id = :vera AND kind = 'commission'$$, 'configuration_row_exists'),
    ($$UPDATE membership.merchant_split SET merchant_id = 99 WHERE member_id = :vera AND kind = 'commission'$$, 'configuration_row_exists'),
    ($$UPDATE membership.journal SET tier_id = 9 WHERE member_id = :vera AND journal_no = 6$$, 'configuration_row_exists'),
    ($$UPDATE membership.tier_history SET tier_id = 9 WHERE member_id = public.m('ursula') AND history_no = 1$$, 'configuration_row_exists'),
    ($$INSERT INTO membership.account (member_id, wallet_id, last_posted_at) VALUES (:vera, 9, now())$$, 'configuration_row_exists')) b (statements, invariants);

-- none is left out: the names that the view's definition holds, but for words of the tables that it holds too
SELECT set_eq('SELECT DISTINCT invariant FROM named',
              $$SELECT DISTINCT name FROM (SELECT (regexp_matches(pg_get_viewdef('membership._violation'::regclass), '''([a-z]+(_[a-z0-9]+)+)''::text', 'g'))[1] AS name) n
                 WHERE name NOT IN ('member_identity', 'tier_history', 'activity_day', 'points_issued', 'debt_payment',
                                    'tier_change', 'status_change', 'identity_change', 'transfer_out', 'transfer_in', 'merge_out', 'merge_in', 'points_redeemed',
                                    'points_contribution', 'value_at_merchants')$$, 'every invariant has been broken');

SELECT is_empty('SELECT * FROM membership.verify()', 'and all was undone');
SAVEPOINT damage;
SET LOCAL session_replication_role = replica;
UPDATE account SET balance = balance + 1 WHERE member_id IN (m('vera'), m('bea'));
SET LOCAL session_replication_role = origin;
SELECT is(array_agg(v::text ORDER BY member_id), ARRAY[format('(%s,balance_is_sum_of_entries,"wallet 1: 5","wallet 1: 6")', m('vera')),
          format('(%s,balance_is_sum_of_entries,"wallet 1: 0","wallet 1: 1")', m('bea'))], 'a violation says whose, which, what it should be and what it is') FROM verify() v;
SELECT is(array_agg(member_id), ARRAY[m('bea')], 'verify(member) looks at one member') FROM verify(m('bea'));
SELECT is(count(*), 0::bigint, 'finds nothing for a sound one') FROM verify(m('dina'));
SELECT is(count(*), 0::bigint, 'nor for one who does not exist') FROM verify(999);
ROLLBACK TO damage;

SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
SELECT * FROM finish();
ROLLBACK;
