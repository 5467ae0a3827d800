-- What the programme owes for the purchases in real.sale, worked out from the file alone: no table and no
-- function of the extension is read here. Rules: 1 point per 1.00; silver 1.2x from 5,000, gold 1.5x from
-- 20,000, diamond 2x from 50,000 of spend in rolling 12 months; the purchase that reaches a tier still earns
-- at the old one; tiers never fall; points die after the day 24 months later.

CREATE TABLE real.tier (rank integer, code text, multiplier numeric, from_spend numeric);
INSERT INTO real.tier VALUES (1, 'regular', 1.0, 0), (2, 'silver', 1.2, 5000), (3, 'gold', 1.5, 20000), (4, 'diamond', 2.0, 50000);

-- One row per sale. A tier once reached is kept, so the tier after a sale is the highest that any window of
-- spend ending with this or an earlier sale reached.
CREATE TABLE real.expected AS
WITH spend AS (
    SELECT s.*,
           (SELECT sum(p.amount) FROM real.sale p
             WHERE p.customer_id = s.customer_id AND p.seq <= s.seq
               AND p.day > (s.day - interval '12 months')::date) AS window_spend
      FROM real.sale s
), reached AS (
    SELECT s.*, (SELECT max(t.rank) FROM real.tier t WHERE s.window_spend >= t.from_spend) AS rank
      FROM spend s
), kept AS (
    SELECT r.*,
           coalesce(max(r.rank) OVER (PARTITION BY r.customer_id ORDER BY r.seq
                                      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 1) AS rank_before,
           max(r.rank) OVER (PARTITION BY r.customer_id ORDER BY r.seq) AS rank_after
      FROM reached r
)
SELECT k.seq, k.invoice, k.customer_id, k.at, k.day, k.amount,
       b.code AS tier_before, b.multiplier, a.code AS tier_after, k.rank_after > k.rank_before AS upgraded,
       floor(k.amount * b.multiplier)::bigint AS points, floor(k.amount)::bigint AS base_points,
       ((k.day + interval '24 months')::date + 1)::timestamp AT TIME ZONE 'Europe/London' AS dies
  FROM kept k
  JOIN real.tier b ON b.rank = k.rank_before
  JOIN real.tier a ON a.rank = k.rank_after;
CREATE UNIQUE INDEX ON real.expected (customer_id, seq);

-- The balance that each sale leaves: points of this and earlier sales that are not dead by then.
ALTER TABLE real.expected ADD balance bigint;
UPDATE real.expected e
   SET balance = (SELECT sum(p.points) FROM real.expected p
                   WHERE p.customer_id = e.customer_id AND p.seq <= e.seq AND p.dies > e.at);

-- Points that were dead by a later sale of the customer: posted by the first such sale, one row per moment of death.
CREATE TABLE real.expected_expiry AS
SELECT d.customer_id, d.dies, d.points, min(l.at) AS posted
  FROM (SELECT customer_id, dies, sum(points)::bigint AS points FROM real.expected GROUP BY customer_id, dies) d
  JOIN real.expected l ON l.customer_id = d.customer_id AND l.at >= d.dies
 WHERE d.points > 0
 GROUP BY d.customer_id, d.dies, d.points;

CREATE TABLE real.expected_customer AS
SELECT customer_id, count(*) AS sales, sum(points)::bigint AS points,
       (array_agg(balance ORDER BY seq DESC))[1] AS balance,
       (array_agg(tier_after ORDER BY seq DESC))[1] AS tier,
       min(at) AS first_sale, max(at) AS last_sale,
       max(at) FILTER (WHERE upgraded) AS upgraded_at
  FROM real.expected
 GROUP BY customer_id;

ANALYZE;
