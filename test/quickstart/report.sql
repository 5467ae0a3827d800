-- What a visitor of the demo mall sees first, in the mall's own time.
SET TimeZone = 'Asia/Shanghai';
\pset title 'Member 1: the latest lines of the statement'
SELECT journal_no, verb, points, balance_after, merchant, order_ref, amount, reason, posted_at::timestamp(0) AS posted
  FROM membership.statement(1, max_rows => 12);

\pset title 'Balances of every eighth member'
SELECT b.member_id, t.tier, b.balance, b.available, b.pending, b.debt, b.next_expiry::date, b.expiring_30d,
       t.window_basis, t.next_tier, t.basis_missing
  FROM membership.member_balance b
  JOIN membership.member_tier_progress t USING (member_id)
 WHERE b.wallet = 'points' AND b.member_id % 8 = 1
 ORDER BY b.member_id;

\pset title 'Merchants: what is owed and has not been settled (party 1 is the mall)'
SELECT merchant, kind, payer_party_id AS payer, payee_party_id AS payee, splits, amount, points
  FROM membership.merchant_unsettled
 ORDER BY merchant_id, kind DESC;

\pset title 'A purchase of 300 at the cinema by member 1, as preview_accrual sees it'
SELECT points, base_points, bonus_points, tier, expires_at::date, explanation FROM membership.preview_accrual(1, 7, 300);

\pset title 'Purchases'
SELECT count(*) AS purchases, count(DISTINCT member_id) AS members, sum(amount) AS amount, sum(points) AS points
  FROM membership.journal WHERE verb = 'accrual';

\pset title 'verify(): broken invariants, none expected'
SELECT * FROM membership.verify();
