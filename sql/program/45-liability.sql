-- What the programme owes its members, by what was posted when: a point that has died counts until its expiry is posted.

-- Which column of the liability an event belongs to, by its verb. Verbs that are not named move no points.
CREATE OR REPLACE VIEW membership._movement AS
SELECT j.member_id, j.journal_no, j.verb, j.points, coalesce(r.loss, 0) AS lost,
       date_trunc('month', j.posted_at AT TIME ZONE p.time_zone)::date AS month,
       CASE WHEN j.verb IN ('accrual', 'review', 'grant') THEN j.points ELSE 0 END AS issued,
       CASE WHEN j.verb = 'opening' THEN j.points ELSE 0 END AS imported,
       CASE WHEN j.verb IN ('redemption', 'capture', 'reversal') THEN j.points
            WHEN j.verb IN ('refund', 'correction', 'reassignment') THEN j.points + coalesce(r.points_clawed, 0)
            ELSE 0 END AS redeemed,
       CASE WHEN j.verb = 'expiry' THEN j.points ELSE 0 END AS expired,
       CASE WHEN j.verb IN ('refund', 'correction', 'reassignment') THEN -coalesce(r.points_clawed, 0) ELSE 0 END AS clawed,
       CASE WHEN j.verb = 'adjustment' THEN j.points ELSE 0 END AS adjusted,
       CASE WHEN j.verb IN ('transfer_out', 'transfer_in', 'merge_out', 'merge_in', 'extension') THEN j.points ELSE 0 END AS transferred
  FROM membership.journal j
 CROSS JOIN membership.program p
  LEFT JOIN membership.refund r ON r.posted_id = j.member_id AND r.journal_no = j.journal_no;

CREATE OR REPLACE VIEW membership.point_liability AS
WITH moved AS (
    SELECT month, sum(points) AS points, sum(issued) AS issued, sum(imported) AS imported, sum(redeemed) AS redeemed, sum(expired) AS expired,
           sum(clawed) AS clawed, sum(adjusted) AS adjusted, sum(transferred) AS transferred, sum(lost) AS lost
      FROM membership._movement
     GROUP BY month
), monthly AS (
    SELECT c.month::date AS month, (sum(m.points) OVER earlier)::bigint AS closing, coalesce(m.points, 0)::bigint AS points,
           coalesce(m.issued, 0)::bigint AS issued, coalesce(m.imported, 0)::bigint AS imported, coalesce(m.redeemed, 0)::bigint AS redeemed,
           coalesce(m.expired, 0)::bigint AS expired, coalesce(m.clawed, 0)::bigint AS clawed, coalesce(m.adjusted, 0)::bigint AS adjusted,
           coalesce(m.transferred, 0)::bigint AS transferred, coalesce(m.lost, 0)::bigint AS lost
      FROM membership.program p
     CROSS JOIN LATERAL generate_series((SELECT min(month) FROM moved)::timestamp,
                greatest((SELECT max(month) FROM moved)::timestamp, statement_timestamp() AT TIME ZONE p.time_zone), interval '1 month') c (month)
      LEFT JOIN moved m ON m.month = c.month
    WINDOW earlier AS (ORDER BY c.month)
)
SELECT m.month, m.closing - m.points AS opening, m.issued, m.imported, m.redeemed, m.expired, m.clawed, m.adjusted, m.transferred,
       m.closing, m.lost,
       (m.closing - m.points) * p.liability_price AS opening_value, m.issued * p.liability_price AS issued_value,
       m.imported * p.liability_price AS imported_value, m.redeemed * p.liability_price AS redeemed_value,
       m.expired * p.liability_price AS expired_value, m.clawed * p.liability_price AS clawed_value,
       m.adjusted * p.liability_price AS adjusted_value, m.transferred * p.liability_price AS transferred_value,
       m.closing * p.liability_price AS closing_value, m.lost * p.liability_price AS lost_value
  FROM monthly m
 CROSS JOIN membership.program p;
COMMENT ON VIEW membership.point_liability IS 'What is owed to members in points (积分负债), by month of posting in programme time, from the first month with an event to the present one: opening + issued + imported + redeemed + expired + clawed + adjusted + transferred = closing; what takes points away is negative. The columns _value are points x program.liability_price, currency, not rounded, so that they add up likewise. Points that have died count until their expiry is posted.';
COMMENT ON COLUMN membership.point_liability.opening IS 'Balance of all members when the month began, less their debt.';
COMMENT ON COLUMN membership.point_liability.issued IS 'Purchases, approved reviews and grants.';
COMMENT ON COLUMN membership.point_liability.imported IS 'Points brought from another system.';
COMMENT ON COLUMN membership.point_liability.redeemed IS 'Redemptions and captured holds, less what reversals and refunds gave back.';
COMMENT ON COLUMN membership.point_liability.expired IS 'Expiries, forfeited points included.';
COMMENT ON COLUMN membership.point_liability.clawed IS 'What refunds and corrections took back.';
COMMENT ON COLUMN membership.point_liability.adjusted IS 'Corrections of balances, either way.';
COMMENT ON COLUMN membership.point_liability.transferred IS 'Points that changed members or lots: 0, what one sends another receives.';
COMMENT ON COLUMN membership.point_liability.lost IS 'What refunds could not take back; it left with redemptions, so it is no part of the sum.';

-- Points keep the month they were earned in when they move on to another lot. An extension keeps origin and active_at, so a
-- member's points of one origin and moment are one batch, of the earliest month if there are several; of transfers and merges
-- between two members, what one's n-th entry took the other's n-th lot got.
CREATE OR REPLACE VIEW membership.point_breakage AS
WITH RECURSIVE entry AS (
    SELECT e.member_id, e.entry_no, e.points, o.origin, o.active_at, e.lot_no = e.entry_no AS opens, j.verb, j.day, j.counterpart_id
      FROM membership.ledger_entry e
      JOIN membership.journal j ON j.member_id = e.member_id AND j.journal_no = e.journal_no
      JOIN membership.ledger_entry o ON o.member_id = e.member_id AND o.wallet_id = e.wallet_id AND o.entry_no = e.lot_no
     WHERE e.wallet_id = 1
), leg AS (
    SELECT member_id, counterpart_id, origin, active_at, opens, left(verb, 5) AS kind,
           row_number() OVER (PARTITION BY member_id, counterpart_id, verb ORDER BY entry_no) AS n
      FROM entry
     WHERE (verb IN ('transfer_out', 'merge_out') AND NOT opens) OR (verb IN ('transfer_in', 'merge_in') AND opens)
), batch AS (
    SELECT member_id, origin, active_at, date_trunc('month', day::timestamp)::date AS month
      FROM entry
     WHERE opens AND verb NOT IN ('extension', 'transfer_in', 'merge_in')
    UNION
    SELECT i.member_id, i.origin, i.active_at, b.month
      FROM batch b
      JOIN leg o ON o.member_id = b.member_id AND o.origin = b.origin AND o.active_at = b.active_at
      JOIN leg i ON i.member_id = o.counterpart_id AND i.counterpart_id = o.member_id AND i.kind = o.kind AND i.n = o.n
     WHERE i.opens AND NOT o.opens
), cohort AS (
    SELECT b.month, coalesce(sum(e.points) FILTER (WHERE e.opens AND e.verb NOT IN ('extension', 'transfer_in', 'merge_in')), 0)::bigint AS granted,
           coalesce(-sum(e.points) FILTER (WHERE e.verb IN ('redemption', 'capture')
                                              OR e.verb IN ('reversal', 'refund') AND e.points > 0 AND NOT e.opens), 0)::bigint AS redeemed,
           coalesce(-sum(e.points) FILTER (WHERE e.verb = 'expiry'), 0)::bigint AS expired, sum(e.points)::bigint AS open
      FROM (SELECT member_id, origin, active_at, min(month) AS month FROM batch GROUP BY member_id, origin, active_at) b
      JOIN entry e USING (member_id, origin, active_at)
     GROUP BY b.month
)
SELECT month, granted, redeemed, expired, granted - redeemed - expired - open AS withdrawn, open, round(expired / granted::numeric, 4) AS rate
  FROM cohort;
COMMENT ON VIEW membership.point_breakage IS 'What became of the points earned in a month (programme time, by occurred_at): granted = redeemed + expired + withdrawn + open. Points that were moved to other members or lots stay with the month they were earned in; those that a reversal or refund brought back from the dead count anew.';
COMMENT ON COLUMN membership.point_breakage.redeemed IS 'Redeemed and captured, less what was given back.';
COMMENT ON COLUMN membership.point_breakage.withdrawn IS 'Taken back by refunds, corrections and adjustments, and what paid debt.';
COMMENT ON COLUMN membership.point_breakage.open IS 'Not gone yet by what has been posted.';
COMMENT ON COLUMN membership.point_breakage.rate IS 'Breakage rate: expired / granted, four decimals.';
