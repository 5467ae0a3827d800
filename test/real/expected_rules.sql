-- What each sale earns by the campaigns of rules.sql, worked out from the file and the tiers of expected.sql: no table and
-- no function of the extension is read here.
CREATE TABLE real.expected_rules AS
WITH facts AS (
    SELECT e.seq, e.customer_id, e.day, e.amount, e.multiplier, s.country, s.at AT TIME ZONE 'Europe/London' AS local,
           lag(e.day) OVER customer AS last_day,
           count(*) OVER (PARTITION BY e.customer_id, date_trunc('month', e.day) ORDER BY e.seq) AS nth_of_month,
           (SELECT coalesce(sum(p.amount), 0) FROM real.sale p
             WHERE p.customer_id = e.customer_id AND p.seq < e.seq AND p.day > (e.day - interval '12 months')::date) AS basis_12m
      FROM real.expected e JOIN real.sale s USING (seq)
    WINDOW customer AS (PARTITION BY e.customer_id ORDER BY e.seq)
)
SELECT f.seq, f.customer_id, f.day,
       floor(amount * CASE WHEN basis_12m >= 2000 THEN 1.2 ELSE 1 END
             * (multiplier + CASE WHEN amount >= 600 THEN 1 WHEN amount >= 200 THEN 0.5 ELSE 0 END
                           + CASE WHEN extract(month FROM day) IN (7, 8) THEN 0.2 ELSE 0 END
                           + CASE WHEN extract(isodow FROM day) = 4 AND extract(hour FROM local) < 12 THEN 0.25 ELSE 0 END
                           + CASE WHEN country IN ('Germany', 'France') THEN 0.3 ELSE 0 END
                           + CASE WHEN day >= '2010-11-28' AND day < '2010-12-24' THEN 0.75 ELSE 0 END))::bigint
       + CASE WHEN last_day IS NULL THEN 100 ELSE 0 END + CASE WHEN day - last_day >= 90 THEN 50 ELSE 0 END
       + CASE WHEN nth_of_month % 5 = 0 THEN 25 ELSE 0 END + CASE WHEN country = 'EIRE' THEN 10 ELSE 0 END AS points,
       floor(amount * CASE WHEN local::time >= '15:00' THEN 0.75 ELSE 0.5 END)::bigint AS growth
  FROM facts f;
