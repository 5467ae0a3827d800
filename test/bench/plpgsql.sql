-- The same work in PL/pgSQL: the same checks, the same rows into tables with the same columns, constraints and
-- indexes, run with the owner's rights and a safe search_path. Of the extension's abilities it has what a
-- purchase of one line without lines, tenders, attributes or contract needs; it reads its configuration by SQL,
-- where the engine keeps it in memory, and its hash of the payload is a cheaper one.
CREATE SCHEMA bench;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['program', 'merchant', 'contract', 'tier', 'access_grant', 'member', 'tier_history', 'account',
                                'receipt', 'journal', 'ledger_entry', 'lot', 'activity_day'] LOOP
        EXECUTE format('CREATE TABLE bench.%I (LIKE membership.%1$I INCLUDING ALL)', name);
        IF name IN ('account', 'lot', 'activity_day') THEN
            EXECUTE format('ALTER TABLE bench.%I SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02)', name);
        END IF;
        EXECUTE format('INSERT INTO bench.%I SELECT * FROM membership.%1$I', name);
    END LOOP;
END
$$;
ALTER TABLE bench.account ADD FOREIGN KEY (member_id) REFERENCES bench.member;

CREATE FUNCTION bench.accrue_points(
    p_member_id bigint, p_merchant_id integer, p_amount numeric, p_order_ref text,
    p_occurred_at timestamptz DEFAULT NULL, p_channel text DEFAULT 'pos', p_at timestamptz DEFAULT NULL)
RETURNS membership.accrual
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    clock   timestamptz;
    hash    bigint;
    was     record;
    terms   record;
    judged  bench.tier;
    reached bench.tier;
    first   bench.journal;
    base    bigint;
    points  bigint;
    status  text := 'posted';
    reason  text;
    active  timestamptz;
    dies    timestamptz;
    explanation jsonb;
BEGIN
    IF num_nulls(p_member_id, p_merchant_id, p_amount, p_order_ref, p_channel) > 0 THEN
        RAISE EXCEPTION 'an argument is null' USING ERRCODE = 'null_value_not_allowed';
    ELSIF p_order_ref = '' OR octet_length(p_order_ref) > 200 OR p_channel = '' OR octet_length(p_channel) > 60 THEN
        RAISE EXCEPTION 'a text is empty or too long' USING ERRCODE = 'invalid_parameter_value';
    ELSIF p_amount < 0 OR p_amount > 1e15 OR p_amount = 'NaN' THEN
        RAISE EXCEPTION 'amount is out of range' USING ERRCODE = 'invalid_parameter_value';
    ELSIF NOT isfinite(p_occurred_at) OR NOT isfinite(p_at) THEN
        RAISE EXCEPTION 'a time is out of range' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    hash := hashtextextended(format('%L %L %L %L', trim_scale(p_amount), p_channel, p_occurred_at, p_at), 0);

    -- lock, then load with a fresh snapshot
    PERFORM FROM bench.account WHERE member_id = p_member_id AND wallet_id = 1 FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'member % does not exist', p_member_id USING ERRCODE = 'MB002';
    END IF;
    clock := clock_timestamp();
    SELECT a.balance, a.debt, a.next_journal_no, a.next_entry_no, a.next_expiry, m.status, m.tier_id,
           p.time_zone, p.currency_digits, p.base_rate, p.award_rounding, p.expiry, p.claim_days, p.max_future,
           t.posted, t.occurred, t.day, t.posted_day,
           CASE WHEN t.occurred >= m.tier_since THEN m.tier_id
                ELSE (SELECT h.tier_id FROM bench.tier_history h WHERE h.member_id = p_member_id
                         AND (h.during @> t.occurred OR h.history_no = 1) ORDER BY h.history_no DESC LIMIT 1) END AS tier_then,
           (SELECT coalesce(sum(d.basis), 0) FROM bench.activity_day d
             WHERE d.member_id = p_member_id AND d.day <= t.until
               AND d.day > (t.until - make_interval(months => p.tier_window_months))::date) AS spent
      INTO was
      FROM bench.account a
      JOIN bench.member m USING (member_id)
     CROSS JOIN bench.program p
     CROSS JOIN LATERAL (SELECT greatest(coalesce(p_at, clock), a.last_posted_at) AS posted) x
     CROSS JOIN LATERAL (SELECT x.posted, coalesce(p_occurred_at, x.posted) AS occurred,
                                (x.posted AT TIME ZONE p.time_zone)::date AS posted_day,
                                (coalesce(p_occurred_at, x.posted) AT TIME ZONE p.time_zone)::date AS day,
                                (greatest(p_occurred_at, x.posted) AT TIME ZONE p.time_zone)::date AS until) t
     WHERE a.member_id = p_member_id AND a.wallet_id = 1;
    IF p_at < clock AND NOT EXISTS (SELECT FROM bench.access_grant g
                                     WHERE g.kind = 'operator' AND pg_has_role(session_user, g.role_name, 'USAGE')) THEN
        RAISE EXCEPTION 'at lies in the past' USING ERRCODE = 'invalid_parameter_value';
    ELSIF p_at > clock + was.max_future OR p_occurred_at > clock + was.max_future OR p_occurred_at > was.posted + was.max_future THEN
        RAISE EXCEPTION 'a time lies in the future' USING ERRCODE = 'invalid_parameter_value';
    ELSIF was.status = 'closed' THEN
        RAISE EXCEPTION 'member % is closed', p_member_id USING ERRCODE = 'MB102';
    ELSIF scale(trim_scale(p_amount)) > was.currency_digits THEN
        RAISE EXCEPTION 'amount has too many decimals' USING ERRCODE = 'invalid_parameter_value';
    ELSIF was.next_expiry <= was.posted OR was.debt > 0 THEN
        RAISE EXCEPTION 'the bench has no points to expire and no debt';
    END IF;

    -- claim
    INSERT INTO bench.receipt (merchant_id, order_ref, member_id, journal_no, payload_hash)
    VALUES (p_merchant_id, p_order_ref, p_member_id, was.next_journal_no, hash)
    ON CONFLICT (merchant_id, order_ref) DO NOTHING;
    IF NOT FOUND THEN
        SELECT j.* INTO first FROM bench.receipt r JOIN bench.journal j USING (member_id, journal_no)
         WHERE r.merchant_id = p_merchant_id AND r.order_ref = p_order_ref AND r.member_id = p_member_id AND r.payload_hash = hash;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'receipt "%" was posted with other content', p_order_ref USING ERRCODE = 'MB201';
        END IF;
        RETURN (SELECT ROW(first.journal_no, first.status, first.reason_code, first.points, first.points_wanted, first.base_points,
                           first.points_wanted - first.base_points, first.available_at, first.expires_at, first.balance,
                           after.code, first.tier_changed, true,
                           jsonb_build_object('tier', at_sale.code, 'basis', first.basis, 'rounding', first.rounding,
                                              'base_rate', first.base_rate, 'tier_multiplier', first.tier_multiplier))
                  FROM bench.tier at_sale, bench.tier after
                 WHERE at_sale.tier_id = first.tier_id AND after.tier_id = first.tier_after);
    END IF;

    -- decide
    SELECT m.pending_days, coalesce(c.collects, 'merchant') AS collects, coalesce(c.commission_rate, 0) AS commission_rate,
           coalesce(c.issue_price, 0) AS issue_price
      INTO terms
      FROM bench.merchant m
      LEFT JOIN bench.contract c ON c.merchant_id = m.merchant_id AND c.valid_during @> was.day
     WHERE m.merchant_id = p_merchant_id AND coalesce(m.opened_on <= was.day, true) AND coalesce(m.ended_on > was.day, true);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'merchant % does not exist or is not open', p_merchant_id USING ERRCODE = 'MB003';
    ELSIF terms.collects <> 'merchant' OR terms.commission_rate <> 0 OR terms.issue_price <> 0 OR terms.pending_days > 0 THEN
        RAISE EXCEPTION 'the bench has no splits and no pending points';
    END IF;
    SELECT t.* INTO judged FROM bench.tier t WHERE t.tier_id = was.tier_then;
    base := CASE was.award_rounding WHEN 'floor' THEN floor(p_amount * was.base_rate)
                                    WHEN 'ceiling' THEN ceil(p_amount * was.base_rate)
                                    ELSE round(p_amount * was.base_rate) END;
    points := CASE was.award_rounding WHEN 'floor' THEN floor(p_amount * was.base_rate * judged.multiplier)
                                      WHEN 'ceiling' THEN ceil(p_amount * was.base_rate * judged.multiplier)
                                      ELSE round(p_amount * was.base_rate * judged.multiplier) END;
    -- here the rules
    IF points > 1000000000000000 OR points = 0 THEN
        RAISE EXCEPTION 'the bench has purchases of 1 point to 10^15';
    ELSIF was.status = 'frozen' OR was.posted_day - was.day > was.claim_days THEN
        RAISE EXCEPTION 'the bench has no frozen members and no late claims';
    END IF;
    active := was.posted;
    dies := ((was.day + was.expiry::interval)::date + 1)::timestamp AT TIME ZONE was.time_zone;
    SELECT t.* INTO reached FROM bench.tier t
     WHERE t.qualify_basis <= was.spent + p_amount
       AND t.rank > (SELECT x.rank FROM bench.tier x WHERE x.tier_id = was.tier_id)
     ORDER BY t.rank DESC LIMIT 1;

    -- apply
    INSERT INTO bench.journal (member_id, journal_no, verb, occurred_at, posted_at, day, actor, login, points, balance,
           last_entry_no, merchant_id, order_ref, channel, amount, basis, merchant_collected, status, reason_code,
           points_wanted, base_points, available_at, expires_at, base_rate, rounding, tier_id, tier_multiplier,
           tier_after, tier_changed)
    VALUES (p_member_id, was.next_journal_no, 'accrual', was.occurred, was.posted, was.day, session_user, session_user,
            points, was.balance + points, was.next_entry_no, p_merchant_id, p_order_ref, p_channel, p_amount, p_amount, p_amount,
            status, reason, points, base, active, dies, was.base_rate, was.award_rounding, judged.tier_id, judged.multiplier,
            coalesce(reached.tier_id, was.tier_id), reached.tier_id IS NOT NULL);
    INSERT INTO bench.activity_day AS d (member_id, day, purchases, basis, points_earned)
    VALUES (p_member_id, was.day, 1, p_amount, points)
    ON CONFLICT (member_id, day) DO UPDATE
       SET purchases = d.purchases + EXCLUDED.purchases, basis = d.basis + EXCLUDED.basis,
           points_earned = d.points_earned + EXCLUDED.points_earned;
    INSERT INTO bench.ledger_entry (member_id, wallet_id, entry_no, journal_no, lot_no, points, balance_after, active_at, expires_at, origin)
    VALUES (p_member_id, 1, was.next_entry_no, was.next_journal_no, was.next_entry_no, points, was.balance + points, active, dies, 'accrual');
    INSERT INTO bench.lot (member_id, wallet_id, lot_no, journal_no, granted, remaining, active_at, expires_at, origin)
    VALUES (p_member_id, 1, was.next_entry_no, was.next_journal_no, points, points, active, dies, 'accrual');
    IF reached.tier_id IS NOT NULL THEN
        UPDATE bench.member
           SET tier_id = reached.tier_id, tier_since = was.posted,
               tier_expires_at = ((was.posted_day + make_interval(months => reached.validity_months))::date + 1)::timestamp
                                 AT TIME ZONE was.time_zone
         WHERE member_id = p_member_id;
        UPDATE bench.tier_history SET during = tstzrange(lower(during), was.posted)
         WHERE member_id = p_member_id AND upper_inf(during) AND NOT isempty(during);
        INSERT INTO bench.tier_history (member_id, history_no, tier_id, during, cause, journal_no)
        SELECT p_member_id, max(history_no) + 1, reached.tier_id, tstzrange(was.posted, NULL), 'upgrade', was.next_journal_no
          FROM bench.tier_history WHERE member_id = p_member_id;
    END IF;
    UPDATE bench.account
       SET balance = was.balance + points, next_journal_no = was.next_journal_no + 1, next_entry_no = was.next_entry_no + 1,
           next_expiry = least(next_expiry, dies), last_posted_at = was.posted
     WHERE member_id = p_member_id AND wallet_id = 1;

    explanation := jsonb_build_object('tier', judged.code, 'basis', p_amount, 'rounding', was.award_rounding,
                                      'base_rate', was.base_rate, 'tier_multiplier', judged.multiplier);
    IF reached.tier_id IS NULL THEN
        SELECT t.* INTO reached FROM bench.tier t WHERE t.tier_id = was.tier_id;
    END IF;
    RETURN ROW(was.next_journal_no, status, reason, points, points, base, points - base, active, dies, was.balance + points,
               reached.code, reached.tier_id <> was.tier_id, false, explanation)::membership.accrual;
END
$$;
