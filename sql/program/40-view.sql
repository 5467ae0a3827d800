-- Reading views. Every one is exact at the moment of reading: a dead lot never counts, swept or not.

-- Holds that count now: one that has timed out does not, released yet or not.
CREATE OR REPLACE VIEW membership.member_holds AS
SELECT h.member_id, h.hold_no, h.ref, h.points, h.merchant_id, h.order_ref, j.purpose, j.amount AS cash_value,
       j.posted_at AS authorized_at, h.expires_at
  FROM membership.hold h
  JOIN membership.journal j ON j.member_id = h.member_id AND j.journal_no = h.hold_no
 WHERE coalesce(h.expires_at > statement_timestamp(), true);
COMMENT ON VIEW membership.member_holds IS 'Open holds (预占) of each member: points, what they are for, their worth then (currency), and when they time out.';

-- What each lot is worth now, and how much of it is held now. Where there is debt, unheld points of lots that became active
-- pay it first, in the order in which they did; what was held does so when its hold timed out, unless its lot had died by
-- then: the order in which the engine posts it at its next touch.
CREATE OR REPLACE VIEW membership._lot_now AS
SELECT l.member_id, l.wallet_id, l.lot_no, l.journal_no, l.granted, l.held - t.points AS held, l.active_at, l.expires_at, l.origin,
       l.remaining - p.pays AS remaining,
       p.pays,
       l.active_at > statement_timestamp() AS pending,
       coalesce(l.expires_at <= statement_timestamp(), false) AS dead
  FROM membership.lot l
  JOIN membership.account a ON a.member_id = l.member_id AND a.wallet_id = l.wallet_id
 CROSS JOIN LATERAL (
       SELECT coalesce(sum(p.points), 0)::bigint AS points
         FROM membership.hold h
         JOIN membership.hold_lot p USING (member_id, hold_no)
        WHERE l.held > 0 AND h.member_id = l.member_id AND p.lot_no = l.lot_no
          AND h.expires_at <= statement_timestamp()) t
 CROSS JOIN LATERAL (
       SELECT CASE WHEN a.debt > 0 THEN (
              SELECT coalesce(sum(r.pays), 0)::bigint
                FROM (SELECT q.lot_no, least(q.points, greatest(0, a.debt - (sum(q.points) OVER earlier - q.points))) AS pays
                        FROM (SELECT u.lot_no, u.active_at AS since, 0 AS hold_no, u.expires_at, u.remaining - u.held AS points
                                FROM membership.lot u
                               WHERE u.member_id = l.member_id AND u.wallet_id = l.wallet_id
                              UNION ALL
                              SELECT u.lot_no, greatest(u.active_at, h.expires_at),
                                     CASE WHEN h.expires_at < u.active_at THEN 0 ELSE h.hold_no END, u.expires_at, p.points
                                FROM membership.hold h
                                JOIN membership.hold_lot p USING (member_id, hold_no)
                                JOIN membership.lot u USING (member_id, lot_no)
                               WHERE h.member_id = l.member_id AND u.wallet_id = l.wallet_id
                                 AND h.expires_at <= statement_timestamp()) q
                       WHERE q.since <= statement_timestamp() AND q.since < coalesce(q.expires_at, 'infinity')
                      WINDOW earlier AS (ORDER BY q.since, q.hold_no, q.expires_at, q.lot_no ROWS UNBOUNDED PRECEDING)) r
               WHERE r.lot_no = l.lot_no)
              ELSE 0 END AS pays) p;

CREATE OR REPLACE VIEW membership.member_lots AS
SELECT member_id, wallet.code AS wallet, lot_no, journal_no, origin, granted,
       CASE WHEN dead THEN held ELSE remaining END AS remaining, held,
       CASE WHEN dead OR pending THEN 0 ELSE remaining - held END AS available,
       CASE WHEN dead THEN 'held' WHEN pending THEN 'pending' ELSE 'active' END AS state,
       active_at, expires_at
  FROM membership._lot_now
  JOIN membership.wallet USING (wallet_id)
 WHERE CASE WHEN dead THEN held ELSE remaining END > 0;
COMMENT ON VIEW membership.member_lots IS 'Lots that count now: remaining, held and available points of each, and when it becomes active and dies.';
COMMENT ON COLUMN membership.member_lots.state IS 'active, pending (not yet spendable), or held (expired, alive only for its hold).';

CREATE OR REPLACE VIEW membership.member_balance AS
SELECT a.member_id, w.code AS wallet,
       n.alive - (a.debt - n.pays) AS balance,
       n.alive - (a.debt - n.pays) - n.held - n.pending AS available,
       n.pending, n.held, a.debt - n.pays AS debt, n.next_expiry, n.expiring_30d
  FROM membership.account a
  JOIN membership.wallet w USING (wallet_id)
 CROSS JOIN LATERAL (
       SELECT coalesce(sum(CASE WHEN l.dead THEN l.held ELSE l.remaining END), 0)::bigint AS alive,
              coalesce(sum(l.pays), 0)::bigint AS pays,
              coalesce(sum(l.held), 0)::bigint AS held,
              coalesce(sum(l.remaining) FILTER (WHERE l.pending AND NOT l.dead), 0)::bigint AS pending,
              min(l.expires_at) FILTER (WHERE NOT l.dead AND l.remaining > 0) AS next_expiry,
              coalesce(sum(l.remaining - l.held) FILTER (WHERE NOT l.dead
                  AND l.expires_at <= statement_timestamp() + interval '30 days'), 0)::bigint AS expiring_30d
         FROM membership._lot_now l
        WHERE l.member_id = a.member_id AND l.wallet_id = a.wallet_id) n
 WHERE a.order_spends >= 0; -- a merged member has none of its own
COMMENT ON VIEW membership.member_balance IS 'Balances now, points. balance = alive lots - debt; available = balance - held - pending, nothing can be spent when it is not positive.';
COMMENT ON COLUMN membership.member_balance.next_expiry IS 'When the next points die; NULL = none will.';
COMMENT ON COLUMN membership.member_balance.expiring_30d IS 'Points that die within 30 days if not spent.';

-- next_expiry lies in the past only until the account is touched or swept, unless dead points are held: those wait for
-- their hold.
CREATE OR REPLACE VIEW membership._due AS
SELECT count(*) AS accounts, min(d.since) AS since
  FROM membership.account a
 CROSS JOIN LATERAL (
       SELECT min(e.expires_at) AS since
         FROM (SELECT l.expires_at FROM membership.lot l
                WHERE l.member_id = a.member_id AND l.wallet_id = a.wallet_id AND l.remaining > l.held
               UNION ALL
               SELECT h.expires_at FROM membership.hold h WHERE h.member_id = a.member_id) e) d
 WHERE a.next_expiry < statement_timestamp() - interval '1 day' AND d.since < statement_timestamp() - interval '1 day';

-- Where midnight is skipped or comes twice, one of the two readings is a day too late.
CREATE OR REPLACE VIEW membership.expiring_soon AS
SELECT l.member_id, d.expires_on, sum(l.remaining - l.held)::bigint AS points
  FROM membership._lot_now l
 CROSS JOIN membership.program p
 CROSS JOIN LATERAL (
       SELECT least(((l.expires_at - interval '1 microsecond') AT TIME ZONE p.time_zone)::date,
                    ((l.expires_at AT TIME ZONE p.time_zone) - interval '1 microsecond')::date) AS expires_on) d
 WHERE l.wallet_id = 1 AND NOT l.dead AND l.remaining > l.held
   AND d.expires_on <= (statement_timestamp() AT TIME ZONE p.time_zone)::date + 90
 GROUP BY l.member_id, d.expires_on;
COMMENT ON VIEW membership.expiring_soon IS 'Points that die within 90 days if not spent, by the last programme day on which they are valid (即将过期); held points are not counted.';
COMMENT ON COLUMN membership.expiring_soon.expires_on IS 'The last programme day on which they are valid.';

CREATE OR REPLACE VIEW membership.member_statement AS
SELECT j.member_id, j.journal_no, e.entry_no, j.verb, coalesce(e.points, 0) AS points,
       coalesce(e.balance_after, j.balance) AS balance_after,
       j.merchant_id, m.name AS merchant, j.order_ref, j.amount,
       coalesce(j.reason, j.reason_code, j.purpose) AS reason, j.occurred_at, j.posted_at, j.last_entry_no, j.counterpart_id,
       j.refers_to
  FROM membership.journal j
  LEFT JOIN membership.ledger_entry e
         ON e.member_id = j.member_id AND e.journal_no = j.journal_no AND e.wallet_id = 1
  LEFT JOIN membership.merchant m ON m.merchant_id = j.merchant_id;
COMMENT ON VIEW membership.member_statement IS 'Points statement (积分明细): every entry, and every event that moved no points.';
COMMENT ON COLUMN membership.member_statement.counterpart_id IS 'Of a transfer or merge: the other member. With refers_to: whose event that is.';
COMMENT ON COLUMN membership.member_statement.refers_to IS 'journal_no of the event that this one is about: of a refund, its sale.';
COMMENT ON COLUMN membership.member_statement.last_entry_no IS 'The member''s last entry after the event; places events without entries between those with.';

CREATE OR REPLACE VIEW membership.member_tier_progress AS
SELECT m.member_id, t.code AS tier, m.tier_since, m.tier_expires_at, m.tier_locked_until,
       s.basis AS window_basis, n.code AS next_tier,
       CASE WHEN n.code IS NOT NULL THEN greatest(n.qualify_basis - s.basis, 0) END AS basis_missing
  FROM membership.member m
  JOIN membership.tier t USING (tier_id)
 CROSS JOIN membership.program p
 CROSS JOIN LATERAL (
       SELECT coalesce(sum(d.basis), 0)::numeric(18, @digits@) AS basis
         FROM membership.activity_day d,
              LATERAL (SELECT (statement_timestamp() AT TIME ZONE p.time_zone)::date AS today) c
        WHERE d.member_id = m.member_id
          AND d.day > (c.today - make_interval(months => p.tier_window_months))::date
          AND d.day <= c.today) s
  LEFT JOIN LATERAL (
       SELECT x.code, x.qualify_basis
         FROM membership.tier x
        WHERE x.rank > t.rank AND x.qualify_basis IS NOT NULL
        ORDER BY x.rank
        LIMIT 1) n ON true
 WHERE m.status <> 'merged';
COMMENT ON VIEW membership.member_tier_progress IS 'Tier of each member, basis spend (currency) in the tier window up to today, and what is missing to the next tier.';

CREATE OR REPLACE VIEW membership.merchant_unsettled AS
SELECT s.merchant_id, m.name AS merchant, s.kind, s.payer_party_id, s.payee_party_id,
       count(*) AS splits, sum(s.amount) AS amount, coalesce(sum(s.points), 0)::bigint AS points
  FROM membership.merchant_split s
  JOIN membership.merchant m USING (merchant_id)
 GROUP BY s.merchant_id, m.name, s.kind, s.payer_party_id, s.payee_party_id;
COMMENT ON VIEW membership.merchant_unsettled IS 'What is owed per merchant, kind, payer and payee and has not been settled: currency, and points issued or redeemed.';

-- Every rule met by a posted or approved purchase, with what it gave.
CREATE OR REPLACE VIEW membership.rule_effect AS
SELECT r.rule_id, r.code, r.name, r.status, count(DISTINCT (u.member_id, u.journal_no)) FILTER (WHERE u.journal_no IS NOT NULL) AS purchases, count(DISTINCT u.member_id) AS members,
       coalesce(sum(u.points), 0)::bigint AS points, coalesce(sum(u.growth), 0)::bigint AS growth,
       min(u.day) AS first_day, max(u.day) AS last_day
  FROM membership.earn_rule r
  LEFT JOIN (SELECT j.member_id, j.journal_no, j.day, o.rule_id, o.points, o.growth
               FROM membership.journal j
              CROSS JOIN LATERAL jsonb_to_recordset(j.rules -> 'rules')
                    o (rule_id integer, outcome text, points bigint, growth bigint)
              WHERE j.rules IS NOT NULL AND o.outcome = 'applied'
                AND (j.status IN ('posted', 'pending')
                     OR EXISTS (SELECT FROM membership.journal a
                                 WHERE a.member_id = j.member_id AND a.refers_to = j.journal_no
                                   AND a.verb = 'review' AND a.reason_code = 'approved'))
                AND NOT EXISTS (SELECT FROM membership.journal c
                                 WHERE c.member_id = j.member_id AND c.refers_to = j.journal_no
                                   AND c.verb IN ('correction', 'reassignment'))) u USING (rule_id)
 GROUP BY r.rule_id;
COMMENT ON VIEW membership.rule_effect IS 'What each earning rule has given: purchases, members, points and growth value, over all of its versions. Corrected and reassigned purchases count once; what refunds took back is not counted off.';

CREATE OR REPLACE VIEW membership.rule_error AS
SELECT f.rule_id, r.code, f.version, f.sqlstate, f.message, count(*) AS failures, max(j.posted_at) AS last_at
  FROM membership.rule_failure f
  JOIN membership.earn_rule r USING (rule_id)
  JOIN membership.journal j USING (member_id, journal_no)
 GROUP BY f.rule_id, r.code, f.version, f.sqlstate, f.message;
COMMENT ON VIEW membership.rule_error IS 'How often the condition of a rule failed on the data of a purchase, by version and error, and when last.';

-- A reversal takes back on the day of what it reverses, also when the member was merged since.
CREATE OR REPLACE VIEW membership.redemption_daily AS
SELECT r.day, r.purpose, r.merchant_id, (count(*) - count(b.journal_no))::bigint AS redemptions,
       coalesce(sum(-r.points) FILTER (WHERE b.journal_no IS NULL), 0)::bigint AS points,
       coalesce(sum(r.amount) FILTER (WHERE b.journal_no IS NULL), 0)::numeric(18, @digits@) AS cash_value
  FROM membership.journal r
  LEFT JOIN membership.journal b
         ON coalesce(b.counterpart_id, b.member_id) = r.member_id AND b.refers_to = r.journal_no AND b.verb = 'reversal'
 WHERE r.verb IN ('redemption', 'capture')
 GROUP BY r.day, r.purpose, r.merchant_id;
COMMENT ON VIEW membership.redemption_daily IS 'Redemptions and captured holds by day, purpose and merchant, less those reversed: number, points, worth (currency).';

CREATE OR REPLACE VIEW membership.refund_exception AS
SELECT c.merchant_id, c.order_ref, c.refund_ref,
       CASE WHEN c.excess IS NULL THEN 'parked' ELSE 'exceeds_sale' END AS status,
       (c.request ->> 'amount')::numeric(18, @digits@) AS amount, c.excess, c.parked_at, nullif(c.member_id, 0) AS member_id, c.journal_no
  FROM membership.refund_claim c
 WHERE c.parked_at IS NOT NULL AND (c.excess IS NULL OR c.clipped);
COMMENT ON VIEW membership.refund_exception IS 'Refunds that somebody should look at: parked ones wait for their sale; of those that exceed it, excess (currency) could not be applied. amount: as called, NULL = by lines, or all. close_refund_exception() takes one off.';

CREATE OR REPLACE VIEW membership.clawback_loss AS
SELECT r.posted_id AS member_id, r.journal_no, j.merchant_id, j.order_ref, j.posted_at, r.loss AS points, r.cash_shortfall
  FROM membership.refund r
  JOIN membership.journal j ON j.member_id = r.posted_id AND j.journal_no = r.journal_no
 WHERE r.loss > 0;
COMMENT ON VIEW membership.clawback_loss IS 'Points of returned goods that program.clawback left with the member, and what the till was told to keep for them (currency).';
