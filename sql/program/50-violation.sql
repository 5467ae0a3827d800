-- The invariants, each a query that finds what breaks it; verify() reads them all in one snapshot.
-- Every branch groups or partitions by member_id, so that a filter on one member reaches the tables.

CREATE OR REPLACE VIEW membership._violation AS
-- lots against the entries that made them
SELECT coalesce(l.member_id, e.member_id) AS member_id, 'lot_remaining_is_sum_of_entries' AS invariant,
       format('wallet %s lot %s: %s', e.wallet_id, e.lot_no, coalesce(e.points, 0)) AS expected,
       format('wallet %s lot %s: %s', l.wallet_id, l.lot_no, coalesce(l.remaining, 0)) AS found
  FROM (SELECT member_id, wallet_id, lot_no, sum(points) AS points
          FROM membership.ledger_entry WHERE lot_no <> 0
         GROUP BY member_id, wallet_id, lot_no) e
  FULL JOIN membership.lot l ON l.member_id = e.member_id AND l.wallet_id = e.wallet_id AND l.lot_no = e.lot_no
 WHERE coalesce(e.points, 0) <> coalesce(l.remaining, 0)
UNION ALL
SELECT l.member_id, 'lot_equals_opening_entry',
       format('lot %s: granted %s, journal_no %s, active_at %s, expires_at %s, origin %s', e.lot_no, e.points, e.journal_no, e.active_at, e.expires_at, e.origin),
       format('lot %s: granted %s, journal_no %s, active_at %s, expires_at %s, origin %s', l.lot_no, l.granted, l.journal_no, l.active_at, l.expires_at, l.origin)
  FROM membership.lot l
  LEFT JOIN membership.ledger_entry e
         ON e.member_id = l.member_id AND e.wallet_id = l.wallet_id AND e.entry_no = l.lot_no
 WHERE (l.lot_no, l.granted, l.journal_no, l.active_at, l.expires_at, l.origin)
       IS DISTINCT FROM (e.lot_no, e.points, e.journal_no, e.active_at, e.expires_at, e.origin)
UNION ALL
SELECT l.member_id, 'lot_bounds', '0 <= held <= remaining <= granted, remaining > 0',
       format('lot %s: held %s, remaining %s, granted %s', l.lot_no, l.held, l.remaining, l.granted)
  FROM membership.lot l
 WHERE NOT (0 <= l.held AND l.held <= l.remaining AND l.remaining <= l.granted AND l.remaining > 0)
UNION ALL
SELECT e.member_id, 'entry_is_whole', 'points not 0; an opening entry, and only it, has active_at and origin',
       format('entry %s: %s points, active_at %s, origin %s', e.entry_no, e.points, e.active_at, e.origin)
  FROM membership.ledger_entry e
 WHERE e.points = 0 OR (e.lot_no = e.entry_no) <> (e.active_at IS NOT NULL AND e.origin IS NOT NULL)
UNION ALL
SELECT e.member_id, 'nothing_expired_was_spent',
       format('entry %s on lot %s before %s', e.entry_no, e.lot_no, o.expires_at), format('posted at %s', j.posted_at)
  FROM membership.ledger_entry e
  JOIN membership.journal j ON j.member_id = e.member_id AND j.journal_no = e.journal_no
  JOIN membership.ledger_entry o ON o.member_id = e.member_id AND o.wallet_id = e.wallet_id AND o.entry_no = e.lot_no
 WHERE e.points < 0 AND e.lot_no <> e.entry_no
   AND CASE j.verb WHEN 'expiry' THEN j.posted_at < o.expires_at OR o.expires_at IS NULL
                   -- a lot pays debt at the moment it becomes active, however late that is noticed
                   WHEN 'debt_payment' THEN j.occurred_at >= o.expires_at
                   -- what was held while it lived can be captured
                   WHEN 'capture' THEN EXISTS (SELECT FROM membership.journal h WHERE h.member_id = j.member_id
                                                  AND h.journal_no = j.refers_to AND h.posted_at >= o.expires_at)
                   -- a correction's award pays first what the old one had given in time
                   WHEN 'accrual' THEN j.posted_at >= o.expires_at AND o.journal_no <> j.journal_no
                   ELSE j.posted_at >= o.expires_at END
UNION ALL
SELECT e.member_id, 'extension_moves_points_to_a_later_end',
       format('journal %s entry %s: %s points of a lot active at %s that dies before %s', e.journal_no, e.entry_no, e.points, e.active_at, e.expires_at),
       format('lot %s: %s points, active at %s, dies at %s', t.lot_no, -t.points, o.active_at, o.expires_at)
  FROM membership.journal j
  JOIN membership.ledger_entry e ON e.member_id = j.member_id AND e.journal_no = j.journal_no AND e.lot_no = e.entry_no
  LEFT JOIN membership.ledger_entry t
         ON t.member_id = e.member_id AND t.wallet_id = e.wallet_id AND t.entry_no = e.entry_no - 1 AND t.journal_no = e.journal_no
  LEFT JOIN membership.ledger_entry o ON o.member_id = t.member_id AND o.wallet_id = t.wallet_id AND o.entry_no = t.lot_no
 WHERE j.verb = 'extension'
   AND ((t.points, o.active_at, o.origin) IS DISTINCT FROM (-e.points, e.active_at, e.origin) OR j.points <> 0
        OR e.moved_from IS DISTINCT FROM t.lot_no
        OR NOT coalesce(o.expires_at < e.expires_at, false))

-- accounts against lots and entries
UNION ALL
SELECT a.member_id, 'balance_is_sum_of_entries', format('wallet %s: %s', a.wallet_id, coalesce(e.points, 0)),
       format('wallet %s: %s', a.wallet_id, a.balance)
  FROM membership.account a
  LEFT JOIN (SELECT member_id, wallet_id, sum(points) AS points FROM membership.ledger_entry GROUP BY member_id, wallet_id) e
         ON e.member_id = a.member_id AND e.wallet_id = a.wallet_id
 WHERE a.balance <> coalesce(e.points, 0)
UNION ALL
SELECT a.member_id, 'debt_is_sum_of_entries_on_lot_0', coalesce(-e.points, 0)::text, a.debt::text
  FROM membership.account a
  LEFT JOIN (SELECT member_id, wallet_id, sum(points) AS points FROM membership.ledger_entry WHERE lot_no = 0
              GROUP BY member_id, wallet_id) e
         ON e.member_id = a.member_id AND e.wallet_id = a.wallet_id
 WHERE a.debt <> coalesce(-e.points, 0)
UNION ALL
SELECT a.member_id, 'account_held_is_sum_of_lots', coalesce(l.held, 0)::text, a.held::text
  FROM membership.account a
  LEFT JOIN (SELECT member_id, wallet_id, sum(held) AS held FROM membership.lot GROUP BY member_id, wallet_id) l
         ON l.member_id = a.member_id AND l.wallet_id = a.wallet_id
 WHERE a.held <> coalesce(l.held, 0)
UNION ALL
SELECT a.member_id, 'held_and_debt_not_negative', '0 or more', format('held %s, debt %s', a.held, a.debt)
  FROM membership.account a
 WHERE a.held < 0 OR a.debt < 0
UNION ALL
SELECT l.member_id, 'lot_held_is_sum_of_holds', format('lot %s: %s', l.lot_no, coalesce(p.points, 0)), format('lot %s: %s', l.lot_no, l.held)
  FROM membership.lot l
  LEFT JOIN (SELECT member_id, lot_no, sum(points) AS points FROM membership.hold_lot GROUP BY member_id, lot_no) p
         ON p.member_id = l.member_id AND p.lot_no = l.lot_no
 WHERE l.held <> coalesce(p.points, 0)
UNION ALL
SELECT h.member_id, 'hold_is_sum_of_its_lots', format('hold %s: %s points of an authorization', h.hold_no, h.points),
       format('%s points, %s', coalesce(p.points, 0), coalesce(j.verb, 'no journal row'))
  FROM membership.hold h
  LEFT JOIN (SELECT member_id, hold_no, sum(points) AS points FROM membership.hold_lot GROUP BY member_id, hold_no) p
         ON p.member_id = h.member_id AND p.hold_no = h.hold_no
  LEFT JOIN membership.journal j ON j.member_id = h.member_id AND j.journal_no = h.hold_no
 WHERE h.points <> coalesce(p.points, 0) OR j.verb IS DISTINCT FROM 'authorization'
UNION ALL
SELECT a.member_id, 'order_spends_are_counted', coalesce(s.n, 0)::text, a.order_spends::text
  FROM membership.account a
  LEFT JOIN (SELECT member_id, count(*) AS n
               FROM (SELECT member_id FROM membership.order_spend
                     UNION ALL SELECT member_id FROM membership.hold WHERE order_ref IS NOT NULL) x
              GROUP BY member_id) s ON s.member_id = a.member_id
 WHERE a.order_spends <> CASE a.wallet_id WHEN 1 THEN coalesce(s.n, 0) ELSE 0 END AND (a.order_spends <> -1 OR s.n > 0)
UNION ALL
SELECT s.member_id, 'order_spend_has_its_redemption', format('journal %s: a redemption or capture for the order', s.journal_no),
       coalesce(j.verb, 'no journal row')
  FROM membership.order_spend s
  LEFT JOIN membership.journal j ON j.member_id = s.member_id AND j.journal_no = s.journal_no
 WHERE j.verb IS NULL OR NOT (j.verb IN ('redemption', 'capture') OR (j.verb = 'merge_in' AND j.refers_to IS NOT NULL))
    OR (j.merchant_id, j.order_ref) IS DISTINCT FROM (s.merchant_id, s.order_ref)
UNION ALL
SELECT a.member_id, 'next_expiry_not_after_any_lot', l.expires_at::text, coalesce(a.next_expiry::text, 'never')
  FROM membership.account a
  JOIN (SELECT member_id, wallet_id, min(expires_at) AS expires_at
          FROM (SELECT member_id, wallet_id, expires_at FROM membership.lot
                UNION ALL SELECT member_id, 1::smallint, expires_at FROM membership.hold) x
         GROUP BY member_id, wallet_id) l
         ON l.member_id = a.member_id AND l.wallet_id = a.wallet_id
 WHERE coalesce(a.next_expiry, 'infinity') > l.expires_at

-- numbering and chains
UNION ALL
SELECT a.member_id, 'entry_numbers_are_gapless', format('wallet %s: 1 to %s', a.wallet_id, a.next_entry_no - 1),
       format('%s entries from %s to %s', coalesce(e.n, 0), e.first, e.last)
  FROM membership.account a
  LEFT JOIN (SELECT member_id, wallet_id, count(*) AS n, min(entry_no) AS first, max(entry_no) AS last
               FROM membership.ledger_entry GROUP BY member_id, wallet_id) e
         ON e.member_id = a.member_id AND e.wallet_id = a.wallet_id
 WHERE coalesce(e.n, 0) <> a.next_entry_no - 1 OR e.first <> 1 OR e.last <> a.next_entry_no - 1
UNION ALL
SELECT a.member_id, 'journal_numbers_are_gapless', format('1 to %s', a.next_journal_no - 1),
       format('%s rows from %s to %s', coalesce(j.n, 0), j.first, j.last)
  FROM membership.account a
  LEFT JOIN (SELECT member_id, count(*) AS n, min(journal_no) AS first, max(journal_no) AS last
               FROM membership.journal GROUP BY member_id) j ON j.member_id = a.member_id
 WHERE a.wallet_id = 1
   AND (coalesce(j.n, 0) <> a.next_journal_no - 1 OR j.first <> 1 OR j.last <> a.next_journal_no - 1)
UNION ALL
SELECT member_id, 'balance_after_chains', format('wallet %s entry %s: %s', wallet_id, entry_no, before + points),
       format('wallet %s entry %s: %s', wallet_id, entry_no, balance_after)
  FROM (SELECT member_id, wallet_id, entry_no, points, balance_after,
               lag(balance_after, 1, 0::bigint) OVER (PARTITION BY member_id, wallet_id ORDER BY entry_no) AS before
          FROM membership.ledger_entry) c
 WHERE balance_after <> before + points
UNION ALL
SELECT member_id, CASE WHEN balance <> balance_before + points THEN 'journal_balance_chains' ELSE 'posted_at_never_goes_back' END,
       format('journal %s: balance %s, posted at or after %s', journal_no, balance_before + points, posted_before),
       format('balance %s, posted at %s', balance, posted_at)
  FROM (SELECT member_id, journal_no, posted_at, points, balance,
               lag(posted_at) OVER history AS posted_before, lag(balance, 1, 0::bigint) OVER history AS balance_before
          FROM membership.journal
        WINDOW history AS (PARTITION BY member_id ORDER BY journal_no)) c
 WHERE balance <> balance_before + points OR posted_at < posted_before
UNION ALL
SELECT a.member_id, 'last_posted_at_is_that_of_the_journal', j.posted_at::text, a.last_posted_at::text
  FROM membership.account a
  JOIN (SELECT member_id, max(posted_at) AS posted_at FROM membership.journal GROUP BY member_id) j
         ON j.member_id = a.member_id
 WHERE a.wallet_id = 1 AND a.last_posted_at <> j.posted_at

-- the journal against its entries
UNION ALL
SELECT coalesce(j.member_id, e.member_id), 'journal_points_are_sum_of_entries',
       format('journal %s: %s points, last entry %s', coalesce(j.journal_no, e.journal_no), coalesce(e.points, 0),
              coalesce(e.last_entry_no, j.last_entry_no)),
       CASE WHEN j.journal_no IS NULL THEN 'no journal row'
            ELSE format('journal %s: %s points, last entry %s', j.journal_no, j.points, j.last_entry_no) END
  FROM membership.journal j
  FULL JOIN (SELECT member_id, journal_no, sum(points) AS points, max(entry_no) AS last_entry_no
               FROM membership.ledger_entry WHERE wallet_id = 1
              GROUP BY member_id, journal_no) e ON j.member_id = e.member_id AND j.journal_no = e.journal_no
 WHERE j.journal_no IS NULL OR j.points <> coalesce(e.points, 0) OR j.last_entry_no <> e.last_entry_no
UNION ALL
SELECT j.member_id, 'journal_row_is_whole', 'a known verb and status, and every fact of an accrual',
       format('journal %s: %s, %s', j.journal_no, j.verb, j.status)
  FROM membership.journal j
 WHERE j.verb NOT IN ('enrolment', 'accrual', 'review', 'grant', 'opening', 'adjustment', 'expiry', 'debt_payment', 'extension',
                      'tier_change', 'status_change', 'identity_change', 'redemption', 'authorization', 'capture', 'void', 'timeout', 'reversal',
                      'transfer_out', 'transfer_in', 'refund', 'correction', 'reassignment', 'merge_out', 'merge_in', 'erasure')
    OR j.status NOT IN ('posted', 'pending', 'review', 'rejected', 'imported')
    OR (j.verb = 'accrual' AND num_nulls(j.merchant_id, j.order_ref, j.channel, j.amount, j.basis, j.merchant_collected,
        j.status, j.points_wanted, j.base_points, j.base_rate, j.rounding, j.tier_id, j.tier_multiplier, j.tier_after,
        j.tier_changed) > 0)
UNION ALL
SELECT j.member_id, 'line_points_are_points_wanted', format('journal %s: %s', j.journal_no, j.points_wanted), l.points::text
  FROM membership.journal j
 CROSS JOIN LATERAL (SELECT sum((x.value ->> 'points')::bigint) AS points, sum((x.value ->> 'amount')::numeric) AS amount,
                            sum((x.value ->> 'basis')::numeric) AS basis
                       FROM jsonb_array_elements(j.lines) x) l
 WHERE j.verb = 'accrual' AND j.lines IS NOT NULL
   AND (l.points, l.amount, l.basis) IS DISTINCT FROM (j.points_wanted, j.amount, j.basis)
UNION ALL
SELECT j.member_id, 'rules_explain_the_award',
       format('journal %s: at most %s points, growth %s, by known versions', j.journal_no, j.points_wanted, coalesce(j.growth, 0)),
       format('%s points, growth %s, %s unknown versions', o.points, o.growth, o.unknown)
  FROM membership.journal j
 CROSS JOIN LATERAL (SELECT coalesce(sum(x.points), 0) AS points, coalesce(sum(x.growth), 0) AS growth,
                            count(*) FILTER (WHERE v.rule_id IS NULL) AS unknown
                       FROM jsonb_to_recordset(j.rules -> 'rules')
                            x (rule_id integer, version integer, outcome text, points bigint, growth bigint)
                       LEFT JOIN membership.rule_version v ON v.rule_id = x.rule_id AND v.version = x.version
                      WHERE x.outcome = 'applied') o
 WHERE j.rules IS NOT NULL
   AND (o.points > j.points_wanted OR o.unknown > 0
        OR (j.status IN ('posted', 'pending') AND o.growth <> coalesce(j.growth, 0)))
UNION ALL
SELECT f.member_id, 'rule_failure_has_its_purchase', format('journal %s: an accrual', f.journal_no), coalesce(j.verb, 'no journal row')
  FROM membership.rule_failure f
  LEFT JOIN membership.journal j ON j.member_id = f.member_id AND j.journal_no = f.journal_no
 WHERE j.verb IS DISTINCT FROM 'accrual'
UNION ALL
SELECT m.member_id, 'liability_has_every_point', format('journal %s: %s, %s points', m.journal_no, m.verb, m.points),
       format('%s points', m.issued + m.imported + m.redeemed + m.expired + m.clawed + m.adjusted + m.transferred)
  FROM membership._movement m
 WHERE m.points <> m.issued + m.imported + m.redeemed + m.expired + m.clawed + m.adjusted + m.transferred

-- keys and the rows they stand for
UNION ALL
SELECT coalesce(r.member_id, j.member_id), 'receipt_and_purchase_belong_together',
       format('merchant %s order %s: journal %s', coalesce(r.merchant_id, j.merchant_id), coalesce(r.order_ref, j.order_ref), r.journal_no),
       format('merchant %s order %s: journal %s', j.merchant_id, j.order_ref, j.journal_no)
  FROM (SELECT * FROM membership.receipt WHERE member_id > 0) r
  FULL JOIN (SELECT a.member_id, a.journal_no, a.merchant_id, a.order_ref FROM membership.journal a
              WHERE a.verb = 'accrual'
                -- one that was corrected or reassigned has handed its receipt on
                AND NOT EXISTS (SELECT FROM membership.refund t
                                  JOIN membership.journal e ON e.member_id = t.posted_id AND e.journal_no = t.journal_no
                                 WHERE t.member_id = a.member_id AND t.purchase_no = a.journal_no AND e.verb <> 'refund')) j
         ON r.member_id = j.member_id AND r.journal_no = j.journal_no
 WHERE r.member_id IS NULL OR j.member_id IS NULL OR (r.merchant_id, r.order_ref) IS DISTINCT FROM (j.merchant_id, j.order_ref)
UNION ALL
SELECT r.member_id, 'place_of_a_sale_has_its_refund', format('merchant %s order %s: a parked refund', r.merchant_id, r.order_ref), 'none'
  FROM membership.receipt r
 WHERE r.member_id = 0
   AND NOT EXISTS (SELECT FROM membership.refund_claim c WHERE c.merchant_id = r.merchant_id AND c.order_ref = r.order_ref
                                                           AND c.parked_at IS NOT NULL AND (c.excess IS NULL OR c.request ? 'closed'))
UNION ALL
SELECT r.member_id, 'nothing_is_parked_after_the_sale', format('merchant %s order %s refund %s: applied', r.merchant_id, r.order_ref, c.refund_ref), 'parked'
  FROM membership.refund_claim c
  JOIN membership.receipt r USING (merchant_id, order_ref)
 WHERE r.member_id > 0 AND c.journal_no IS NULL AND c.excess IS NULL
UNION ALL
SELECT r.member_id, 'receipt_ref_has_its_receipt', format('merchant %s order %s', f.merchant_id, f.order_ref), 'no receipt'
  FROM membership.receipt_ref f
  LEFT JOIN membership.receipt r ON r.merchant_id = f.merchant_id AND r.order_ref = f.order_ref
 WHERE r.member_id IS NULL
UNION ALL
SELECT k.member_id, 'source_key_has_its_journal_row', format('%s %s: journal %s', k.verb, k.ref, k.journal_no),
       coalesce(j.verb, 'no journal row')
  FROM membership.source_key k
  LEFT JOIN membership.journal j ON j.member_id = k.member_id AND j.journal_no = k.journal_no
 WHERE j.verb IS DISTINCT FROM k.verb

-- purchases against activity and splits
UNION ALL
SELECT coalesce(a.member_id, j.member_id), 'activity_is_sum_of_journal',
       format('%s: %s purchases, basis %s, %s points, growth %s', coalesce(a.day, j.day), coalesce(j.purchases, 0), coalesce(j.basis, 0), coalesce(j.points, 0), coalesce(j.growth, 0)),
       format('%s: %s purchases, basis %s, %s points, growth %s', coalesce(a.day, j.day), coalesce(a.purchases, 0), coalesce(a.basis, 0), coalesce(a.points_earned, 0), coalesce(a.growth, 0))
  FROM membership.activity_day a
  FULL JOIN (SELECT x.member_id, x.day, sum(x.purchases) AS purchases, sum(x.basis) AS basis, sum(x.points) AS points,
                    sum(x.growth) AS growth
               FROM (SELECT p.member_id, p.day, (p.verb = 'accrual')::integer AS purchases,
                            CASE p.verb WHEN 'accrual' THEN p.basis ELSE 0 END AS basis,
                            CASE p.status WHEN 'imported' THEN p.points_wanted ELSE p.points END AS points,
                            coalesce(p.growth, 0) AS growth
                       FROM membership.journal p
                      WHERE p.verb IN ('accrual', 'review')
                     UNION ALL
                     SELECT e.member_id, p.day, -r.complete::integer, -e.basis, -(r.points_clawed + r.loss + r.points_expired),
                            coalesce(e.growth, 0)
                       FROM membership.journal e
                       JOIN membership.refund r ON r.member_id = CASE e.verb WHEN 'refund' THEN coalesce(e.counterpart_id, e.member_id) ELSE e.member_id END
                        AND r.purchase_no = e.refers_to AND r.posted_id = e.member_id AND r.journal_no = e.journal_no
                       JOIN membership.journal p ON p.member_id = r.member_id AND p.journal_no = r.purchase_no
                      WHERE e.verb IN ('refund', 'correction', 'reassignment')
                     UNION ALL
                     SELECT member_id, day, purchases, basis, points_earned, growth FROM membership.activity_move) x
              GROUP BY x.member_id, x.day) j ON a.member_id = j.member_id AND a.day = j.day
 WHERE (coalesce(a.purchases, 0), coalesce(a.basis, 0), coalesce(a.points_earned, 0), coalesce(a.growth, 0))
       IS DISTINCT FROM (coalesce(j.purchases, 0), coalesce(j.basis, 0), coalesce(j.points, 0), coalesce(j.growth, 0))
UNION ALL
SELECT j.member_id, 'splits_balance_to_the_purchase',
       format('journal %s: net %s', j.journal_no, j.amount),
       format('journal %s: sale %s, collected by merchants %s, points there worth %s', j.journal_no, coalesce(s.amount, 0),
              j.merchant_collected, coalesce(j.tenders ->> 'value_at_merchants', '0'))
  FROM membership.journal j
  LEFT JOIN (SELECT member_id, journal_no, sum(amount) AS amount FROM membership.merchant_split
              WHERE kind = 'sale' GROUP BY member_id, journal_no) s
         ON s.member_id = j.member_id AND s.journal_no = j.journal_no
 WHERE j.verb = 'accrual'
   AND j.amount <> coalesce(s.amount, 0) + j.merchant_collected + coalesce((j.tenders ->> 'value_at_merchants')::numeric, 0)
UNION ALL
SELECT s.member_id, 'split_has_its_purchase', format('a known kind, of an accrual, review, redemption, capture, reversal or refund, journal %s', s.journal_no),
       format('%s of %s', s.kind, coalesce(j.verb, 'no journal row'))
  FROM membership.merchant_split s
  LEFT JOIN membership.journal j ON j.member_id = s.member_id AND j.journal_no = s.journal_no
 WHERE j.verb IS NULL OR j.verb NOT IN ('accrual', 'review', 'redemption', 'capture', 'reversal', 'refund', 'correction', 'reassignment')
    OR s.kind NOT IN ('sale', 'commission', 'points_issued', 'points_redeemed', 'points_contribution')
UNION ALL
SELECT s.member_id, 'split_numbers_are_gapless', format('journal %s: 1 to %s', s.journal_no, s.n),
       format('from %s to %s', s.first, s.last)
  FROM (SELECT member_id, journal_no, count(*) AS n, min(split_no) AS first, max(split_no) AS last
          FROM membership.merchant_split GROUP BY member_id, journal_no) s
 WHERE s.first <> 1 OR s.last <> s.n
UNION ALL
SELECT s.member_id, 'points_issued_not_more_than_awarded', format('journal %s: at most %s', s.journal_no, j.points), s.points::text
  FROM (SELECT member_id, journal_no, sum(points) AS points FROM membership.merchant_split
         WHERE kind = 'points_issued' GROUP BY member_id, journal_no) s
  JOIN membership.journal j ON j.member_id = s.member_id AND j.journal_no = s.journal_no
 WHERE s.points > j.points AND j.verb IN ('accrual', 'review')
UNION ALL
SELECT j.member_id, 'tenders_are_what_was_redeemed', format('journal %s: %s points worth %s', j.journal_no, t.points, t.value),
       format('%s points worth %s', j.tenders ->> 'points', j.tenders ->> 'value')
  FROM membership.journal j
 CROSS JOIN LATERAL (SELECT coalesce(sum(-r.points), 0) AS points, coalesce(sum(r.amount), 0) AS value
                       FROM jsonb_array_elements_text(j.tenders -> 'spent') n
                       JOIN membership.journal s ON s.member_id = j.member_id AND s.journal_no = n::bigint
                       -- what came by a merge stands for an event of the merged member
                       JOIN membership.journal r ON r.member_id = CASE s.verb WHEN 'merge_in' THEN s.counterpart_id ELSE s.member_id END
                        AND r.journal_no = CASE s.verb WHEN 'merge_in' THEN s.refers_to ELSE s.journal_no END
                        AND r.verb IN ('redemption', 'capture')) t
 WHERE j.tenders IS NOT NULL
   AND ((j.tenders ->> 'points')::numeric, (j.tenders ->> 'value')::numeric) IS DISTINCT FROM (t.points, t.value)
UNION ALL
SELECT coalesce(a.member_id, j.member_id), 'points_redeemed_of_a_day', format('%s: %s', coalesce(a.day, j.day), coalesce(j.points, 0)),
       format('%s: %s', coalesce(a.day, j.day), coalesce(a.points_redeemed, 0))
  FROM membership.activity_day a
  FULL JOIN (SELECT member_id, day, sum(points) AS points
               FROM (SELECT r.member_id, r.day, -r.points AS points FROM membership.journal r WHERE r.verb IN ('redemption', 'capture')
                     UNION ALL
                     SELECT b.member_id, r.day, r.points FROM membership.journal b
                       JOIN membership.journal r ON r.member_id = coalesce(b.counterpart_id, b.member_id) AND r.journal_no = b.refers_to
                      WHERE b.verb = 'reversal'
                     UNION ALL
                     SELECT member_id, day, points_redeemed FROM membership.activity_move
                     UNION ALL
                     -- refunds give the last taken back first, each from where the ones before ended
                     SELECT e.member_id, w.day, -greatest(0, least(c.so_far, w.upto)
                                                             - greatest(c.so_far - r.points_restored - r.points_forfeited, w.upto - w.points))
                       FROM membership.journal e
                       JOIN membership.refund r ON r.member_id = coalesce(e.counterpart_id, e.member_id)
                        AND r.purchase_no = e.refers_to AND r.posted_id = e.member_id AND r.journal_no = e.journal_no
                      CROSS JOIN LATERAL (SELECT sum((x.value ->> 'restored')::bigint) AS so_far FROM jsonb_array_elements(r.lines) x) c
                      CROSS JOIN LATERAL (SELECT t.day, -t.points AS points, sum(-t.points) OVER (ORDER BY s.journal_no DESC) AS upto
                                            FROM membership.journal p
                                           CROSS JOIN jsonb_array_elements_text(p.tenders -> 'spent') n
                                            JOIN membership.journal s ON s.member_id = p.member_id AND s.journal_no = n::bigint
                                            JOIN membership.journal t ON t.member_id = CASE s.verb WHEN 'merge_in' THEN s.counterpart_id ELSE s.member_id END
                                             AND t.journal_no = CASE s.verb WHEN 'merge_in' THEN s.refers_to ELSE s.journal_no END
                                           WHERE p.member_id = r.member_id AND p.journal_no = r.purchase_no) w
                      WHERE e.verb = 'refund') x
              GROUP BY member_id, day) j ON j.member_id = a.member_id AND j.day = a.day
 WHERE coalesce(a.points_redeemed, 0) <> coalesce(j.points, 0)
UNION ALL
SELECT j.member_id, 'transfer_has_its_counterpart', format('journal %s: %s points at member %s', j.journal_no, -j.points, j.counterpart_id), 'none'
  FROM membership.journal j
 WHERE (j.verb IN ('transfer_out', 'transfer_in', 'merge_out') OR (j.verb = 'merge_in' AND j.refers_to IS NULL))
   AND NOT EXISTS (SELECT FROM membership.journal c
                    WHERE c.member_id = j.counterpart_id AND c.counterpart_id = j.member_id AND c.points = -j.points
                      AND c.posted_at = j.posted_at AND c.refers_to IS NULL
                      AND c.verb = CASE j.verb WHEN 'transfer_in' THEN 'transfer_out' WHEN 'transfer_out' THEN 'transfer_in'
                                               WHEN 'merge_in' THEN 'merge_out' ELSE 'merge_in' END)

-- merged members
UNION ALL
SELECT m.member_id, 'merged_member_has_its_survivor', 'status merged, a mark on the account and a survivor that was not merged; or none of these',
       format('status %s, order_spends %s, survivor %s of status %s', m.status, a.order_spends, coalesce(x.survivor_id::text, 'none'), coalesce(s.status, 'none'))
  FROM membership.member m
  LEFT JOIN membership.account a ON a.member_id = m.member_id AND a.wallet_id = 1
  LEFT JOIN membership.member_alias x ON x.member_id = m.member_id
  LEFT JOIN membership.member s ON s.member_id = x.survivor_id
 WHERE (m.status = 'merged', coalesce(a.order_spends = -1, x.member_id IS NOT NULL), coalesce(s.status <> 'merged', false))
       IS DISTINCT FROM (x.member_id IS NOT NULL, x.member_id IS NOT NULL, x.member_id IS NOT NULL)
UNION ALL
SELECT x.member_id, 'merged_member_has_nothing', 'no points, no debt, no activity, no identity, nothing spent on orders to come',
       format('balance %s, debt %s', a.balance, a.debt)
  FROM membership.member_alias x
  LEFT JOIN membership.account a ON a.member_id = x.member_id
 WHERE a.balance <> 0 OR a.debt <> 0
    OR EXISTS (SELECT FROM membership.lot y WHERE y.member_id = x.member_id)
    OR EXISTS (SELECT FROM membership.activity_day y WHERE y.member_id = x.member_id)
    OR EXISTS (SELECT FROM membership.member_identity y WHERE y.member_id = x.member_id)
    OR EXISTS (SELECT FROM membership.order_spend y WHERE y.member_id = x.member_id)
UNION ALL
SELECT o.member_id, 'merged_lots_live_on_unchanged', format('journal %s: lots %s', o.journal_no, o.lots), coalesce(i.lots, 'none')
  FROM (SELECT j.member_id, j.journal_no, j.counterpart_id, j.posted_at,
               string_agg(format('%s %s %s %s', -e.points, l.active_at, l.expires_at, l.origin), ', ' ORDER BY e.entry_no) AS lots
          FROM membership.journal j
          JOIN membership.ledger_entry e ON e.member_id = j.member_id AND e.journal_no = j.journal_no AND e.wallet_id = 1 AND e.lot_no <> 0
          JOIN membership.ledger_entry l ON l.member_id = e.member_id AND l.wallet_id = 1 AND l.entry_no = e.lot_no
         WHERE j.verb = 'merge_out'
         GROUP BY j.member_id, j.journal_no, j.counterpart_id, j.posted_at) o
 CROSS JOIN LATERAL (SELECT string_agg(format('%s %s %s %s', e.points, e.active_at, e.expires_at, e.origin), ', ' ORDER BY e.entry_no) AS lots
                       FROM membership.journal j
                       JOIN membership.ledger_entry e ON e.member_id = j.member_id AND e.journal_no = j.journal_no AND e.wallet_id = 1
                                                     AND e.lot_no = e.entry_no
                      WHERE j.member_id = o.counterpart_id AND j.verb = 'merge_in' AND j.counterpart_id = o.member_id
                        AND j.refers_to IS NULL AND j.posted_at = o.posted_at) i
 WHERE i.lots IS DISTINCT FROM o.lots
UNION ALL
SELECT v.member_id, 'activity_moves_add_up', format('journal %s, %s: the opposite at member %s', v.journal_no, v.day, j.counterpart_id), coalesce(j.verb, 'no journal row')
  FROM membership.activity_move v
  LEFT JOIN membership.journal j ON j.member_id = v.member_id AND j.journal_no = v.journal_no
 WHERE NOT EXISTS (SELECT FROM membership.activity_move w
                     JOIN membership.journal c ON c.member_id = w.member_id AND c.journal_no = w.journal_no
                    WHERE w.member_id = j.counterpart_id AND c.counterpart_id = v.member_id AND w.day = v.day
                      AND j.verb IN ('merge_out', 'merge_in') AND c.verb IN ('merge_out', 'merge_in') AND c.verb <> j.verb
                      AND (w.purchases, w.basis, w.points_earned, w.growth, w.points_redeemed, w.refunded_of_day, w.refunded_on_day)
                          = (-v.purchases, -v.basis, -v.points_earned, -v.growth, -v.points_redeemed, -v.refunded_of_day, -v.refunded_on_day))

-- refunds against their sales
UNION ALL
SELECT r.member_id, 'refund_is_whole',
       format('journal %s: a refund of journal %s, amount %s, %s points', r.journal_no, r.purchase_no, r.amount,
              r.points_restored + r.points_forfeited - r.points_clawed),
       format('%s of journal %s, amount %s, %s points', coalesce(e.verb, 'no journal row'), e.refers_to, e.amount, e.points)
  FROM membership.refund r
  LEFT JOIN membership.journal e ON e.member_id = r.posted_id AND e.journal_no = r.journal_no
 WHERE (e.refers_to, e.amount, e.points)
       IS DISTINCT FROM (r.purchase_no, r.amount, r.points_restored + r.points_forfeited - r.points_clawed)
    OR e.verb NOT IN ('refund', 'correction', 'reassignment') OR r.cash_amount > r.amount OR r.cash_shortfall > r.cash_amount
    OR r.debt > r.points_clawed OR least(r.amount, r.cash_amount, r.points_clawed, r.points_restored, r.points_forfeited,
                                         r.points_expired, r.loss, r.debt, r.cash_shortfall) < 0
UNION ALL
SELECT e.member_id, 'refund_has_its_row', format('journal %s: a row of refund', e.journal_no), 'none'
  FROM membership.journal e
 WHERE e.verb IN ('refund', 'correction', 'reassignment')
   AND NOT EXISTS (SELECT FROM membership.refund r
                    WHERE r.member_id = CASE e.verb WHEN 'refund' THEN coalesce(e.counterpart_id, e.member_id) ELSE e.member_id END
                      AND r.purchase_no = e.refers_to AND r.posted_id = e.member_id AND r.journal_no = e.journal_no)
UNION ALL
SELECT p.member_id, 'refunds_not_more_than_the_sale',
       format('journal %s: at most %s, %s points given back, %s taken back', p.journal_no, p.amount,
              coalesce(p.tenders ->> 'points', '0'), g.points),
       format('%s, %s points given back, %s taken back', r.amount, r.given_back, r.taken)
  FROM (SELECT member_id, purchase_no, sum(amount) AS amount, sum(points_restored + points_forfeited) AS given_back,
               sum(points_clawed + loss + points_expired) AS taken, bool_or(complete) AS complete,
               count(*) FILTER (WHERE complete) AS ends
          FROM membership.refund GROUP BY member_id, purchase_no) r
  JOIN membership.journal p ON p.member_id = r.member_id AND p.journal_no = r.purchase_no
 CROSS JOIN LATERAL (SELECT CASE p.status WHEN 'imported' THEN p.points_wanted ELSE p.points END
                            + coalesce((SELECT v.points FROM membership.source_key k
                                          JOIN membership.journal v USING (member_id, journal_no)
                                         WHERE k.member_id = p.member_id AND k.verb = 'review' AND k.ref = p.journal_no::text), 0) AS points) g
 WHERE r.amount > p.amount OR r.given_back > coalesce((p.tenders ->> 'points')::bigint, 0) OR r.taken > g.points
    OR r.ends > 1 OR (r.complete AND r.amount <> p.amount)
UNION ALL
SELECT r.member_id, 'refund_lines_add_up',
       format('journal %s: %s, %s points taken back', r.purchase_no, r.amount, r.taken), format('%s, %s points', l.amount, l.taken)
  FROM (SELECT member_id, purchase_no, sum(amount) AS amount, sum(points_clawed + loss + points_expired) AS taken,
               max(refund_no) AS last, count(*) AS n FROM membership.refund GROUP BY member_id, purchase_no) r
  JOIN membership.refund f ON f.member_id = r.member_id AND f.purchase_no = r.purchase_no AND f.refund_no = r.last
 CROSS JOIN LATERAL (SELECT sum((x.value ->> 'amount')::numeric) AS amount,
                            sum((x.value ->> 'clawed')::bigint - (x.value ->> 'withheld')::bigint) AS taken
                       FROM jsonb_array_elements(f.lines) x) l
 WHERE (r.amount, r.taken) IS DISTINCT FROM (l.amount, l.taken) OR r.last <> r.n
UNION ALL
SELECT s.member_id, 'splits_are_not_reversed_twice',
       format('journal %s merchant %s %s: 0 to %s', s.purchase_no, s.merchant_id, s.kind, s.owed), s.reversed::text
  FROM (SELECT x.member_id, x.purchase_no, x.merchant_id, x.kind, sum(x.owed) AS owed, sum(x.reversed) AS reversed,
               bool_or(x.complete) AS complete
          FROM (SELECT r.member_id, r.purchase_no, t.merchant_id, t.kind, 0::numeric AS owed,
                       -- a re-evaluation may make a funder owe more: a row the way of the sale's, or of its approval's
                       CASE WHEN EXISTS (SELECT FROM membership.merchant_split o
                                          WHERE o.member_id = r.member_id AND o.merchant_id = t.merchant_id AND o.kind = t.kind
                                            AND (o.journal_no = r.purchase_no
                                                 OR o.journal_no = (SELECT k.journal_no FROM membership.source_key k
                                                                     WHERE k.member_id = r.member_id AND k.verb = 'review'
                                                                       AND k.ref = r.purchase_no::text))
                                            AND o.payer_party_id = t.payer_party_id AND o.payee_party_id = t.payee_party_id)
                            THEN -t.amount ELSE t.amount END AS reversed, r.complete
                  FROM membership.refund r
                  -- what a party owes itself goes neither way
                  JOIN membership.merchant_split t ON t.member_id = r.posted_id AND t.journal_no = r.journal_no
                   AND t.payer_party_id <> t.payee_party_id
                UNION ALL
                SELECT r.member_id, r.purchase_no, t.merchant_id, t.kind, t.amount, 0, r.complete
                  FROM (SELECT member_id, purchase_no, bool_or(complete) AS complete FROM membership.refund
                         GROUP BY member_id, purchase_no) r
                  JOIN membership.merchant_split t
                         ON t.member_id = r.member_id AND t.payer_party_id <> t.payee_party_id
                        AND (t.journal_no = r.purchase_no
                             OR t.journal_no = (SELECT k.journal_no FROM membership.source_key k
                                                 WHERE k.member_id = r.member_id AND k.verb = 'review'
                                                   AND k.ref = r.purchase_no::text))) x
         GROUP BY x.member_id, x.purchase_no, x.merchant_id, x.kind) s
 WHERE s.reversed NOT BETWEEN 0 AND s.owed OR (s.complete AND s.kind = 'sale' AND s.reversed <> s.owed)
UNION ALL
SELECT coalesce(a.member_id, r.member_id), 'refunded_of_and_on_a_day',
       format('%s: %s of it, %s on it', coalesce(a.day, r.day), coalesce(r.of_day, 0), coalesce(r.on_day, 0)),
       format('%s: %s of it, %s on it', coalesce(a.day, r.day), coalesce(a.refunded_of_day, 0), coalesce(a.refunded_on_day, 0))
  FROM membership.activity_day a
  FULL JOIN (SELECT x.member_id, x.day, sum(x.of_day) AS of_day, sum(x.on_day) AS on_day
               FROM (SELECT e.member_id, p.day, e.amount AS of_day, 0 AS on_day FROM membership.journal e
                       JOIN membership.journal p ON p.member_id = coalesce(e.counterpart_id, e.member_id) AND p.journal_no = e.refers_to
                      WHERE e.verb = 'refund'
                     UNION ALL
                     SELECT member_id, day, refunded_of_day, refunded_on_day FROM membership.activity_move
                     UNION ALL
                     SELECT e.member_id, e.day, 0, e.amount FROM membership.journal e WHERE e.verb = 'refund') x
              GROUP BY x.member_id, x.day) r ON r.member_id = a.member_id AND r.day = a.day
 WHERE (coalesce(a.refunded_of_day, 0), coalesce(a.refunded_on_day, 0)) IS DISTINCT FROM (coalesce(r.of_day, 0), coalesce(r.on_day, 0))
UNION ALL
SELECT c.member_id, 'refund_claim_has_its_refund', format('merchant %s order %s refund %s: journal %s', c.merchant_id, c.order_ref, c.refund_ref, c.journal_no),
       'no such refund'
  FROM membership.refund_claim c
 WHERE c.journal_no IS NOT NULL
   AND NOT EXISTS (SELECT FROM membership.journal e
                     JOIN membership.refund r ON r.member_id = CASE e.verb WHEN 'refund' THEN coalesce(e.counterpart_id, e.member_id) ELSE e.member_id END
                      AND r.purchase_no = e.refers_to AND r.posted_id = e.member_id AND r.journal_no = e.journal_no
                    WHERE e.member_id = c.member_id AND e.journal_no = c.journal_no AND r.refund_ref = c.refund_ref)
UNION ALL
SELECT r.member_id, 'refund_has_its_claim', format('journal %s: refund %s claimed', r.journal_no, r.refund_ref), 'no claim'
  FROM membership.refund r
  JOIN membership.journal e ON e.member_id = r.posted_id AND e.journal_no = r.journal_no
 WHERE r.refund_ref IS NOT NULL
   AND NOT EXISTS (SELECT FROM membership.refund_claim c
                    WHERE c.merchant_id = e.merchant_id AND c.order_ref = e.order_ref AND c.refund_ref = r.refund_ref
                      AND c.member_id = r.posted_id AND c.journal_no = r.journal_no)
UNION ALL
SELECT x.member_id, 'exchanges_not_more_than_returned', format('journal %s: at most %s', x.purchase_no, coalesce(r.amount, 0)), x.amount::text
  FROM (SELECT member_id, purchase_no, sum(amount) AS amount FROM membership.exchange GROUP BY member_id, purchase_no) x
  LEFT JOIN (SELECT member_id, purchase_no, sum(amount) AS amount FROM membership.refund GROUP BY member_id, purchase_no) r
         ON r.member_id = x.member_id AND r.purchase_no = x.purchase_no
 WHERE x.amount > coalesce(r.amount, 0)

-- members, tiers and configuration
UNION ALL
SELECT coalesce(m.member_id, a.member_id), 'member_and_points_account_belong_together',
       'one of each', CASE WHEN m.member_id IS NULL THEN 'no member' ELSE 'no account' END
  FROM membership.member m
  FULL JOIN (SELECT member_id FROM membership.account WHERE wallet_id = 1) a ON m.member_id = a.member_id
 WHERE m.member_id IS NULL OR a.member_id IS NULL
UNION ALL
SELECT x.member_id, 'rows_belong_to_a_member', 'a member', x.what
  FROM (SELECT member_id, 'member_identity' AS what FROM membership.member_identity
        UNION SELECT member_id, 'tier_history' FROM membership.tier_history
        UNION SELECT member_id, 'journal' FROM membership.journal
        UNION SELECT member_id, 'activity_day' FROM membership.activity_day) x
 WHERE NOT EXISTS (SELECT FROM membership.member m WHERE m.member_id = x.member_id)
UNION ALL
SELECT c.member_id, 'context_has_its_journal_row', format('journal %s', c.journal_no), 'no journal row'
  FROM membership.journal_context c
 WHERE NOT EXISTS (SELECT FROM membership.journal j WHERE j.member_id = c.member_id AND j.journal_no = c.journal_no)
UNION ALL
SELECT m.member_id, 'tier_is_that_of_history', coalesce(h.tier_id::text, 'no open history row'), format('%s since %s', m.tier_id, m.tier_since)
  FROM membership.member m
  LEFT JOIN membership.tier_history h ON h.member_id = m.member_id AND upper_inf(h.during) AND NOT isempty(h.during)
 WHERE (m.tier_id, m.tier_since) IS DISTINCT FROM (h.tier_id, lower(h.during))
UNION ALL
SELECT member_id, 'tier_history_has_no_gap', format('from %s', before), format('from %s', lower(during))
  FROM (SELECT member_id, history_no, during,
               lag(upper(during)) OVER (PARTITION BY member_id ORDER BY history_no) AS before,
               lag(history_no, 1, 0::bigint) OVER (PARTITION BY member_id ORDER BY history_no) AS before_no
          FROM membership.tier_history WHERE NOT isempty(during)) c
 WHERE before IS DISTINCT FROM lower(during) AND before_no > 0
UNION ALL
SELECT x.member_id, 'configuration_row_exists', format('%s %s', x.what, x.id), 'none'
  FROM (SELECT DISTINCT member_id, 'merchant' AS what, merchant_id AS id FROM membership.merchant_split
        UNION SELECT member_id, 'merchant', merchant_id FROM membership.journal WHERE merchant_id IS NOT NULL
        UNION SELECT member_id, 'party', payer_party_id FROM membership.merchant_split
        UNION SELECT member_id, 'party', payee_party_id FROM membership.merchant_split
        UNION SELECT member_id, 'tier', tier_id FROM membership.member
        UNION SELECT member_id, 'tier', tier_id FROM membership.tier_history
        UNION SELECT member_id, 'tier', tier_id FROM membership.journal WHERE tier_id IS NOT NULL
        UNION SELECT member_id, 'wallet', wallet_id FROM membership.account) x
 WHERE NOT EXISTS (SELECT FROM membership.merchant WHERE x.what = 'merchant' AND merchant_id = x.id)
   AND NOT EXISTS (SELECT FROM membership.party WHERE x.what = 'party' AND party_id = x.id)
   AND NOT EXISTS (SELECT FROM membership.tier WHERE x.what = 'tier' AND tier_id = x.id)
   AND NOT EXISTS (SELECT FROM membership.wallet WHERE x.what = 'wallet' AND wallet_id = x.id);
