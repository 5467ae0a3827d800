/*
 * statement.c - the one place for SQL.
 *
 * Constant texts with every table qualified; the search_path in force holds pg_catalog and pg_temp only. No
 * backslashes and no settings-dependent literals: the caller's settings must not change what a text means.
 */
#include "postgres.h"

#include "store/statement.h"

/* clang-format off */
/* versions v of rules, their definitions d */
#define RULE_VERSIONS \
        "SELECT d.rule_id, d.version, d.code, d.effect, d.value, d.scope = 'line', d.exclusive, " \
        "d.status = 'shadow', CASE WHEN d.stack_group IS NULL THEN -1 " \
        "ELSE dense_rank() OVER (ORDER BY d.stack_group) END::integer, d.priority, d.funder_party_id, " \
        "lower(d.valid_during) + make_interval(secs => CASE WHEN lower_inc(d.valid_during) " \
        "OR lower(d.valid_during) > '294276-01-01' THEN 0 ELSE 0.000001 END), " \
        "upper(d.valid_during) + make_interval(secs => CASE WHEN upper_inc(d.valid_during) " \
        "AND upper(d.valid_during) < '294276-01-01' THEN 0.000001 ELSE 0 END), " \
        "v.effective_from, v.superseded_at, d.merchant_ids, d.brands, d.categories, d.mall_ids, d.tiers, " \
        "d.channels, d.condition, d.expiry, d.pending_days, d.refund_mode "

const MbrStatement mbr_statements[MBR_PLAN_COUNT] = {
    /* configuration */
    [MBR_PLAN_PROGRAM] = {
        "SELECT config_version, table_version, time_zone, currency_digits, phone_country, base_rate, "
        "award_rounding, expiry, pending_days, claim_days, (EXTRACT(epoch "
        "FROM max_future) * 1000000)::bigint, allow_debt, tier_window_months, min_life_days, "
        "stacking, extend_on_activity, reinstatement_days, transfers, transfer_minimum, transfer_daily_limit, "
        "clawback, charge_cash, liability_price "
        "FROM membership.program",
        ""},
    [MBR_PLAN_TIERS] = {
        "SELECT tier_id, rank, multiplier, qualify_basis, validity_months, code FROM membership.tier "
        "ORDER BY rank",
        ""},
    [MBR_PLAN_MERCHANTS] = {
        "SELECT m.merchant_id, m.party_id, l.party_id, m.pending_days, m.opened_on, m.ended_on, m.mall_id, "
        "m.brand, m.category "
        "FROM membership.merchant m JOIN membership.mall l USING (mall_id)",
        ""},
    [MBR_PLAN_CONTRACTS] = {
        "SELECT merchant_id, lower(valid_during), upper(valid_during), collects = 'mall', "
        "commission_rate, issue_price, redemption_price, commission_refunded FROM membership.contract ORDER BY merchant_id, contract_id",
        ""},
    [MBR_PLAN_FUNCTIONS] = {
        "SELECT (SELECT oid FROM pg_proc WHERE pronamespace = n.oid AND proname = 'adjust_points'), "
        "(SELECT oid FROM pg_proc WHERE pronamespace = n.oid AND proname = 'accrue_points') "
        "FROM pg_namespace n WHERE nspname = 'membership'",
        ""},
    /* the row's own trigger numbers the version */
    [MBR_PLAN_TOUCH_PROGRAM] = {
        "UPDATE membership.program SET config_version = 0 WHERE program_id = 1",
        ""},
    [MBR_PLAN_CONFIG_VERSION] = {
        "SELECT config_version FROM membership.program WHERE program_id = 1",
        ""},
    [MBR_PLAN_NEXT_CONFIG_VERSION] = {
        "SELECT nextval('membership.config_version_seq')",
        ""},
    /* the rules' versions that pay or are on trial, and were not superseded before $1; bounds of windows made half-open,
     * but for those in the last year that PostgreSQL knows */
    [MBR_PLAN_RULES] = {
        RULE_VERSIONS
        "FROM (SELECT *, coalesce(min(effective_from) OVER (PARTITION BY rule_id ORDER BY version "
        "ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING), 'infinity') AS superseded_at "
        "FROM membership.rule_version) v, jsonb_populate_record(NULL::membership.earn_rule, v.definition) d "
        "WHERE d.status IN ('active', 'shadow') AND v.effective_from < v.superseded_at AND v.superseded_at > $1 "
        "ORDER BY d.rule_id, d.version",
        "Z"},
    [MBR_PLAN_BURN_RULES] = {
        "SELECT burn_rule_id, code, purpose, lower(valid_during) + make_interval(secs => CASE "
        "WHEN lower_inc(valid_during) OR lower(valid_during) > '294276-01-01' THEN 0 ELSE 0.000001 END), "
        "upper(valid_during) + make_interval(secs => CASE WHEN upper_inc(valid_during) "
        "AND upper(valid_during) < '294276-01-01' THEN 0.000001 ELSE 0 END), merchant_ids, mall_ids, tiers, channels, condition, "
        "step, value, share, minimum, daily_cap FROM membership.burn_rule WHERE status = 'active' "
        "ORDER BY priority DESC, burn_rule_id",
        ""},
    [MBR_PLAN_RECORD_RULE] = {
        "INSERT INTO membership.rule_version (rule_id, version, effective_from, recorded_at, recorded_by, "
        "definition) SELECT rule_id, version, effective_from, clock_timestamp(), $2, to_jsonb(r) "
        "FROM membership.earn_rule r WHERE rule_id = $1",
        "IT"},
    [MBR_PLAN_RULE_UNKNOWN] = {
        "SELECT * FROM (SELECT 'mall_ids', v::text FROM unnest($1) v "
        "WHERE v IS NOT NULL AND NOT EXISTS (SELECT FROM membership.mall WHERE mall_id = v) "
        "UNION ALL SELECT 'merchant_ids', v::text FROM unnest($2) v "
        "WHERE v IS NOT NULL AND NOT EXISTS (SELECT FROM membership.merchant WHERE merchant_id = v) "
        "UNION ALL SELECT 'tiers', v FROM unnest($3) v "
        "WHERE v IS NOT NULL AND NOT EXISTS (SELECT FROM membership.tier WHERE code = v)) u LIMIT 1",
        "iiA"},
    [MBR_PLAN_RULE_RIVAL] = {
        "SELECT code, effect, scope FROM membership.earn_rule WHERE stack_group = $1 AND rule_id <> $2 "
        "AND status <> 'ended' AND (effect <> $3 OR (effect IN ('bonus_points', 'growth') AND scope <> $4)) "
        "ORDER BY rule_id LIMIT 1",
        "TITT"},
    /* load */
    [MBR_PLAN_BOUGHT_AT] = {
        "SELECT FROM membership.journal j WHERE member_id = ANY ($1) AND verb = 'accrual' AND day <= $2 "
        "AND NOT (j.journal_no = $4 AND j.member_id = ($1)[1]) "
        "AND NOT EXISTS (SELECT FROM membership.refund r WHERE r.member_id = j.member_id AND r.purchase_no = j.journal_no "
        "AND r.complete) AND CASE WHEN lines IS NULL THEN merchant_id = $3 "
        "ELSE lines @> jsonb_build_array(jsonb_build_object('merchant_id', $3)) END LIMIT 1",
        "lDIL"},
    [MBR_PLAN_BOUGHT_CATEGORY] = {
        "SELECT FROM membership.journal j LEFT JOIN jsonb_array_elements(j.lines) l ON true "
        "LEFT JOIN membership.merchant m ON m.merchant_id = coalesce((l ->> 'merchant_id')::integer, j.merchant_id) "
        "WHERE j.member_id = ANY ($1) AND j.verb = 'accrual' AND j.day <= $2 "
        "AND NOT (j.journal_no = $4 AND j.member_id = ($1)[1]) "
        "AND coalesce(l ->> 'category', m.category) = $3 "
        "AND NOT EXISTS (SELECT FROM membership.refund r WHERE r.member_id = j.member_id AND r.purchase_no = j.journal_no "
        "AND r.complete) LIMIT 1",
        "lDTL"},
    /* before enrolment it is the tier of enrolment */
    [MBR_PLAN_PAST_TIER] = {
        "SELECT tier_id FROM membership.tier_history "
        "WHERE member_id = $1 AND CASE WHEN $3 THEN history_no = 1 ELSE during @> $2 END",
        "LZB"},
    [MBR_PLAN_FIND_PAST_TIER] = {
        "SELECT FROM membership.tier_history WHERE member_id = $1 AND tier_id = $2 AND lower(during) = $3",
        "LIZ"},
    /* claims */
    [MBR_PLAN_FIND_RECEIPT] = {
        "SELECT member_id, journal_no, payload_hash FROM membership.receipt "
        "WHERE merchant_id = $1 AND order_ref = $2 AND member_id > 0",
        "IT"},
    [MBR_PLAN_FIND_RECEIPTS] = {
        "SELECT k.n, r.member_id, r.journal_no, r.payload_hash "
        "FROM unnest($1, $2) WITH ORDINALITY k (merchant_id, order_ref, n) "
        "JOIN membership.receipt r ON r.merchant_id = k.merchant_id AND r.order_ref = k.order_ref",
        "iA"},
    [MBR_PLAN_CLAIM_RECEIPT_REF] = {
        "INSERT INTO membership.receipt_ref (kind, value, merchant_id, order_ref) "
        "VALUES ($1, $2, $3, $4) ON CONFLICT (kind, value) DO NOTHING",
        "TTIT"},
    [MBR_PLAN_FIND_RECEIPT_REF] = {
        "SELECT f.merchant_id, f.order_ref, r.member_id, r.journal_no FROM membership.receipt_ref f "
        "JOIN membership.receipt r USING (merchant_id, order_ref) WHERE f.kind = $1 AND f.value = $2",
        "TT"},
    [MBR_PLAN_CLAIM_KEY] = {
        "INSERT INTO membership.source_key (member_id, verb, ref, journal_no, payload_hash) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (member_id, verb, ref) DO NOTHING",
        "LTTLL"},
    [MBR_PLAN_FIND_KEY] = {
        "SELECT journal_no, payload_hash FROM membership.source_key "
        "WHERE member_id = $1 AND verb = $2 AND ref = $3",
        "LTT"},
    /* of several members, who are one person now: by content, then by the number called with */
    [MBR_PLAN_FIND_KEY_AMONG] = {
        "SELECT member_id, journal_no, payload_hash FROM membership.source_key "
        "WHERE member_id = ANY ($1) AND verb = $2 AND ref = $3 "
        "ORDER BY payload_hash = $5 DESC, member_id = $4 DESC, array_position($1, member_id) LIMIT 1",
        "lTTLL"},
    [MBR_PLAN_LOAD_JOURNAL] = {
        "SELECT verb, points, balance, status, reason_code, points_wanted, base_points, available_at, "
        "expires_at, amount, basis, base_rate, rounding, tier_id, tier_multiplier, tier_after, "
        "tier_changed, lines, merchant_id, occurred_at, order_ref, channel, rules, growth, tenders, reason, "
        "refers_to, day, rules ->> 'stacking', counterpart_id FROM membership.journal "
        "WHERE member_id = $1 AND journal_no = $2",
        "LL"},
    [MBR_PLAN_LOAD_LINES] = {
        "SELECT (l ->> 'line_no')::integer, (l ->> 'merchant_id')::integer, (l ->> 'amount')::numeric, "
        "(l ->> 'basis')::numeric, (l ->> 'points')::bigint, coalesce((l ->> 'eligible')::boolean, true), "
        "(l ->> 'tendered')::numeric, (l ->> 'points_tendered')::bigint, l ->> 'category', l ->> 'brand', l ->> 'sku', "
        "l ->> 'quantity' FROM membership.journal, jsonb_array_elements(lines) l "
        "WHERE member_id = $1 AND journal_no = $2 "
        "UNION ALL SELECT 1, merchant_id, amount, basis, points_wanted, true, (tenders ->> 'value')::numeric, "
        "(tenders ->> 'points')::bigint, NULL, NULL, NULL, NULL FROM membership.journal "
        "WHERE member_id = $1 AND journal_no = $2 AND lines IS NULL ORDER BY 1",
        "LL"},
    [MBR_PLAN_SALE_RULES] = {
        RULE_VERSIONS
        "FROM (SELECT r.*, 'infinity'::timestamptz AS superseded_at FROM membership.rule_version r "
        "WHERE (r.rule_id, r.version) IN (SELECT o.rule_id, o.version FROM membership.journal j, "
        "jsonb_to_recordset(j.rules -> 'rules') o (rule_id integer, version integer) "
        "WHERE j.member_id = $1 AND j.journal_no = $2)) v, "
        "jsonb_populate_record(NULL::membership.earn_rule, v.definition) d ORDER BY d.rule_id, d.version",
        "LL"},
    /* the rules in the order of their list, each with the lines it matched; NULL = all eligible ones */
    [MBR_PLAN_SALE_CELLS] = {
        "SELECT o.n::integer, o.rule_id, o.version, o.outcome, l.line_no, coalesce(l.points, l.growth, o.points, o.growth, 0) "
        "FROM membership.journal j CROSS JOIN LATERAL ROWS FROM (jsonb_to_recordset(j.rules -> 'rules') AS (rule_id integer, "
        "version integer, outcome text, points bigint, growth bigint, lines jsonb)) "
        "WITH ORDINALITY o (rule_id, version, outcome, points, growth, lines, n) "
        "LEFT JOIN LATERAL (SELECT x.line_no, CASE WHEN x.beaten_by IS NULL THEN x.points ELSE 0 END AS points, x.growth "
        "FROM jsonb_to_recordset(o.lines) x (line_no integer, points bigint, growth bigint, beaten_by text)) l ON true "
        "WHERE j.member_id = $1 AND j.journal_no = $2 AND o.outcome IN ('applied', 'beaten', 'not_matched') "
        "ORDER BY o.n, l.line_no",
        "LL"},
    [MBR_PLAN_SALE_SPENT] = {
        "SELECT n::bigint FROM membership.journal, jsonb_array_elements_text(tenders -> 'spent') WITH ORDINALITY e (n, i) "
        "WHERE member_id = $1 AND journal_no = $2 ORDER BY i",
        "LL"},
    [MBR_PLAN_REVIEW_DECISION] = {
        "SELECT j.journal_no, j.reason_code FROM membership.source_key k "
        "JOIN membership.journal j USING (member_id, journal_no) "
        "WHERE k.member_id = $1 AND k.verb = 'review' AND k.ref = $2::text",
        "LL"},
    [MBR_PLAN_LOAD_FACTS] = {
        "SELECT attributes, facts FROM membership.journal_context WHERE member_id = $1 AND journal_no = $2",
        "LL"},
    [MBR_PLAN_CORRECTED_AS] = {
        "SELECT journal_no FROM membership.journal WHERE member_id = $1 AND journal_no > $2 AND refers_to = $2 "
        "AND verb = 'accrual' ORDER BY journal_no LIMIT 1",
        "LL"},
    /* refunds */
    [MBR_PLAN_FIND_REFUND_CLAIM] = {
        "SELECT payload_hash, member_id, journal_no, excess, coalesce(request ? 'closed', false) FROM membership.refund_claim "
        "WHERE merchant_id = $1 AND order_ref = $2 AND refund_ref = $3",
        "ITT"},
    [MBR_PLAN_ADD_REFUND_CLAIM] = {
        "INSERT INTO membership.refund_claim (merchant_id, order_ref, refund_ref, payload_hash, member_id, journal_no) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        "ITTLLL"},
    [MBR_PLAN_PLACE_RECEIPT] = {
        "INSERT INTO membership.receipt (merchant_id, order_ref, member_id, journal_no, payload_hash) "
        "VALUES ($1, $2, 0, 0, 0) ON CONFLICT (merchant_id, order_ref) DO NOTHING",
        "IT"},
    [MBR_PLAN_KEEP_PLACE] = {
        "UPDATE membership.receipt SET payload_hash = 0 WHERE merchant_id = $1 AND order_ref = $2 AND member_id = 0",
        "IT"},
    [MBR_PLAN_TAKE_PLACE] = {
        "UPDATE membership.receipt SET member_id = $3, journal_no = $4, payload_hash = $5 "
        "WHERE merchant_id = $1 AND order_ref = $2 AND member_id = 0",
        "ITLLL"},
    [MBR_PLAN_MOVE_RECEIPT] = {
        "UPDATE membership.receipt SET member_id = $3, journal_no = $4 WHERE merchant_id = $1 AND order_ref = $2",
        "ITLL"},
    [MBR_PLAN_PARK_REFUND] = {
        "INSERT INTO membership.refund_claim (merchant_id, order_ref, refund_ref, payload_hash, member_id, parked_at, request) "
        "VALUES ($1, $2, $3, $4, $5, clock_timestamp(), jsonb_strip_nulls(jsonb_build_object('amount', $6, 'lines', $7, 'at', $8))) "
        "ON CONFLICT (merchant_id, order_ref, refund_ref) DO NOTHING",
        "ITTLLNJZ"},
    [MBR_PLAN_PARKED_REFUNDS] = {
        "SELECT refund_ref, member_id, (request ->> 'amount')::numeric, request -> 'lines', (request ->> 'at')::timestamptz "
        "FROM membership.refund_claim WHERE merchant_id = $1 AND order_ref = $2 AND parked_at IS NOT NULL "
        "AND journal_no IS NULL AND excess IS NULL ORDER BY parked_at, refund_ref",
        "IT"},
    [MBR_PLAN_END_PARKED] = {
        "UPDATE membership.refund_claim SET member_id = $4, journal_no = $5, excess = $6, clipped = $7 "
        "WHERE merchant_id = $1 AND order_ref = $2 AND refund_ref = $3",
        "ITTLLNB"},
    [MBR_PLAN_CLOSE_REFUND] = {
        "UPDATE membership.refund_claim SET excess = coalesce(excess, 0), clipped = false, request = request || "
        "jsonb_build_object('closed', jsonb_build_object('by', session_user, 'at', clock_timestamp(), 'reason', $4, "
        "'status', CASE WHEN excess IS NULL THEN 'parked' ELSE 'exceeds_sale' END)) "
        "WHERE merchant_id = $1 AND order_ref = $2 AND refund_ref = $3 AND parked_at IS NOT NULL "
        "AND (excess IS NULL OR clipped) RETURNING request #>> '{closed,status}'",
        "ITTT"},
    [MBR_PLAN_FIND_CLOSED_REFUND] = {
        "SELECT request #>> '{closed,status}' FROM membership.refund_claim "
        "WHERE merchant_id = $1 AND order_ref = $2 AND refund_ref = $3 AND parked_at IS NOT NULL AND request ? 'closed'",
        "ITT"},
    [MBR_PLAN_LAST_REFUND] = {
        "SELECT l.line_no, l.amount, l.quantity, l.closed, l.value, l.restored, l.clawed, l.withheld, l.growth, l.growth_withheld "
        "FROM (SELECT lines FROM membership.refund WHERE member_id = $1 AND purchase_no = $2 "
        "ORDER BY refund_no DESC LIMIT 1) r, jsonb_to_recordset(r.lines) l (line_no integer, amount numeric, quantity numeric, "
        "closed boolean, value numeric, restored bigint, clawed bigint, withheld bigint, growth bigint, growth_withheld bigint)",
        "LL"},
    [MBR_PLAN_SUM_REFUNDS] = {
        "SELECT count(*), coalesce(sum(amount), 0), coalesce(sum(points_expired), 0)::bigint FROM membership.refund "
        "WHERE member_id = $1 AND purchase_no = $2",
        "LL"},
    [MBR_PLAN_INSERT_REFUND] = {
        "INSERT INTO membership.refund (member_id, purchase_no, refund_no, posted_id, journal_no, refund_ref, amount, cash_amount, "
        "points_clawed, points_restored, points_forfeited, points_expired, loss, debt, cash_shortfall, complete, lines) "
        "SELECT $1, $2, coalesce(max(refund_no), 0) + 1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16 "
        "FROM membership.refund WHERE member_id = $1 AND purchase_no = $2",
        "LLLLTNNLLLLLLNBJ"},
    [MBR_PLAN_LOAD_REFUND] = {
        "SELECT r.amount, r.cash_amount, r.points_clawed, r.points_restored, r.points_forfeited, r.loss, r.debt, "
        "r.cash_shortfall, r.points_expired, j.balance FROM membership.journal j "
        "JOIN membership.refund r ON r.member_id = CASE j.verb WHEN 'refund' THEN coalesce(j.counterpart_id, j.member_id) "
        "ELSE j.member_id END AND r.purchase_no = j.refers_to AND r.posted_id = j.member_id AND r.journal_no = j.journal_no "
        "WHERE j.member_id = $1 AND j.journal_no = $2",
        "LL"},
    /* the last taken first */
    [MBR_PLAN_SPENT_PARTS] = {
        "SELECT -e.points, o.entry_no, o.journal_no, o.points, o.active_at, o.expires_at, o.origin, r.day, o.member_id "
        "FROM membership.journal p CROSS JOIN jsonb_array_elements_text(p.tenders -> 'spent') n "
        "JOIN membership.journal j ON j.member_id = p.member_id AND j.journal_no = n::bigint "
        "JOIN membership.journal r ON r.member_id = CASE j.verb WHEN 'merge_in' THEN j.counterpart_id ELSE j.member_id END "
        "AND r.journal_no = CASE j.verb WHEN 'merge_in' THEN j.refers_to ELSE j.journal_no END "
        "JOIN membership.ledger_entry e ON e.member_id = r.member_id AND e.wallet_id = 1 AND e.journal_no = r.journal_no "
        "JOIN membership.ledger_entry o ON o.member_id = e.member_id AND o.wallet_id = 1 AND o.entry_no = e.lot_no "
        "WHERE p.member_id = $1 AND p.journal_no = $2 AND e.points < 0 ORDER BY j.journal_no DESC, e.entry_no DESC",
        "LL"},
    /* lots that an award opened */
    [MBR_PLAN_AWARD_LOTS] = {
        "SELECT entry_no FROM membership.ledger_entry WHERE member_id = $1 AND wallet_id = 1 AND lot_no = entry_no "
        "AND journal_no IN ($2, $3) ORDER BY entry_no",
        "LLL"},
    /* lots from $2 on that continue others; of a merge, and of what gives back what a merged member spent, moved_from
     * is that member's, which only a member of several numbers ($3) can have */
    [MBR_PLAN_MOVED_LOTS] = {
        "SELECT e.member_id, e.entry_no, CASE WHEN $3 THEN (SELECT CASE WHEN j.verb IN ('merge_in', 'reversal', 'refund') "
        "THEN coalesce(j.counterpart_id, j.member_id) ELSE j.member_id END FROM membership.journal j "
        "WHERE j.member_id = e.member_id AND j.journal_no = e.journal_no) ELSE e.member_id END, e.moved_from "
        "FROM membership.ledger_entry e WHERE e.member_id = ANY ($1) AND e.wallet_id = 1 AND e.entry_no >= $2 "
        "AND e.moved_from IS NOT NULL ORDER BY e.member_id, e.entry_no",
        "lLB"},
    /* what of lots of a member expired; the journal is asked of their entries only */
    [MBR_PLAN_EXPIRED_OF_LOTS] = {
        "SELECT coalesce(-sum(e.points), 0)::bigint FROM membership.ledger_entry e WHERE e.member_id = $1 AND e.wallet_id = 1 "
        "AND e.points < 0 AND e.lot_no = ANY ($2) AND (SELECT j.verb FROM membership.journal j "
        "WHERE j.member_id = e.member_id AND j.journal_no = e.journal_no) = 'expiry'",
        "Ll"},
    [MBR_PLAN_SUM_EXCHANGES] = {
        "SELECT coalesce(sum(amount), 0) FROM membership.exchange WHERE member_id = $1 AND purchase_no = $2",
        "LL"},
    [MBR_PLAN_FIND_EXCHANGE] = {
        "SELECT x.amount, (SELECT coalesce(sum(e.amount), 0) FROM membership.exchange e WHERE e.member_id = $1 "
        "AND e.purchase_no = $3 AND e.journal_no < $2) "
        "FROM membership.exchange x WHERE x.member_id = $1 AND x.purchase_no = $3 AND x.journal_no = $2",
        "LLL"},
    [MBR_PLAN_INSERT_EXCHANGE] = {
        "INSERT INTO membership.exchange (member_id, purchase_no, journal_no, amount) VALUES ($1, $2, $3, $4)",
        "LLLN"},
    /* apply */
    [MBR_PLAN_INSERT_RULE_FAILURE] = {
        "INSERT INTO membership.rule_failure (member_id, journal_no, rule_id, version, sqlstate, message) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        "LLIITT"},
    [MBR_PLAN_INSERT_CONTEXT] = {
        "INSERT INTO membership.journal_context (member_id, journal_no, attributes, facts) "
        "VALUES ($1, $2, coalesce($3, '{}'), $4)",
        "LLJJ"},
    [MBR_PLAN_UPDATE_TIER] = {
        "UPDATE membership.member SET tier_id = $2, tier_since = $3, tier_expires_at = $4, "
        "tier_locked_until = $5 WHERE member_id = $1",
        "LIZZZ"},
    [MBR_PLAN_CLOSE_TIER_HISTORY] = {
        "UPDATE membership.tier_history SET during = tstzrange(lower(during), $2) "
        "WHERE member_id = $1 AND upper_inf(during) AND NOT isempty(during)",
        "LZ"},
    [MBR_PLAN_OPEN_TIER_HISTORY] = {
        "INSERT INTO membership.tier_history (member_id, history_no, tier_id, during, cause, "
        "journal_no) SELECT $1, coalesce(max(history_no), 0) + 1, $2, tstzrange($3, NULL), $4, $5 "
        "FROM membership.tier_history WHERE member_id = $1",
        "LIZTL"},
    /* spending */
    [MBR_PLAN_LOAD_HOLDS] = {
        "SELECT h.hold_no, h.ref, h.points, h.expires_at, h.merchant_id, h.order_ref, j.posted_at, p.lot_no, p.points, "
        "j.amount "
        "FROM membership.hold h JOIN membership.hold_lot p USING (member_id, hold_no) "
        "JOIN membership.journal j ON j.member_id = h.member_id AND j.journal_no = h.hold_no "
        "JOIN membership.lot l ON l.member_id = p.member_id AND l.wallet_id = 1 AND l.lot_no = p.lot_no "
        "WHERE h.member_id = $1 ORDER BY h.hold_no, l.expires_at, p.lot_no",
        "L"},
    [MBR_PLAN_HOLD_FACTS] = {
        "SELECT purpose, merchant_id, order_ref, channel, rules::text, (rules -> 'burn_rule' ->> 'step')::bigint, "
        "(rules -> 'burn_rule' ->> 'value')::numeric FROM membership.journal WHERE member_id = $1 AND journal_no = $2",
        "LL"},
    [MBR_PLAN_FIND_HOLD_END] = {
        "SELECT journal_no, verb FROM membership.journal WHERE member_id = $1 AND refers_to = $2 "
        "AND verb IN ('capture', 'void', 'timeout')",
        "LL"},
    [MBR_PLAN_INSERT_HOLD] = {
        "INSERT INTO membership.hold (member_id, hold_no, ref, points, expires_at, merchant_id, order_ref) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        "LLTLZIT"},
    [MBR_PLAN_INSERT_HOLD_LOT] = {
        "INSERT INTO membership.hold_lot (member_id, hold_no, lot_no, points) VALUES ($1, $2, $3, $4)",
        "LLLL"},
    [MBR_PLAN_DELETE_HOLD] = {
        "WITH parts AS (DELETE FROM membership.hold_lot WHERE member_id = $1 AND hold_no = $2) "
        "DELETE FROM membership.hold WHERE member_id = $1 AND hold_no = $2",
        "LL"},
    /* what came by a merge stands for an event of the merged member */
    [MBR_PLAN_FIND_ORDER_SPENDS] = {
        "SELECT j.journal_no, coalesce(r.points, j.points), j.amount, j.purpose, coalesce(r.member_id, j.member_id), "
        "coalesce(r.journal_no, j.journal_no) FROM membership.order_spend o "
        "JOIN membership.journal j USING (member_id, journal_no) "
        "LEFT JOIN membership.journal r ON j.verb = 'merge_in' AND r.member_id = j.counterpart_id "
        "AND r.journal_no = j.refers_to "
        "WHERE o.member_id = $1 AND o.merchant_id = $2 AND o.order_ref = $3 ORDER BY j.journal_no",
        "LIT"},
    [MBR_PLAN_INSERT_ORDER_SPEND] = {
        "INSERT INTO membership.order_spend (member_id, merchant_id, order_ref, journal_no) VALUES ($1, $2, $3, $4)",
        "LITL"},
    [MBR_PLAN_DELETE_ORDER_SPEND] = {
        "DELETE FROM membership.order_spend WHERE member_id = $1 AND merchant_id = $2 AND order_ref = $3 "
        "AND (journal_no = $4 OR $4 = 0)",
        "LITL"},
    [MBR_PLAN_TAKEN_BY] = {
        "SELECT -e.points, o.entry_no, o.journal_no, o.points, o.active_at, o.expires_at, o.origin "
        "FROM membership.ledger_entry e JOIN membership.ledger_entry o ON o.member_id = e.member_id "
        "AND o.wallet_id = 1 AND o.entry_no = e.lot_no "
        "WHERE e.member_id = $1 AND e.wallet_id = 1 AND e.journal_no = $2 AND e.points < 0 ORDER BY e.entry_no",
        "LL"},
    [MBR_PLAN_LOAD_SPLITS] = {
        "SELECT merchant_id, kind, payer_party_id, payee_party_id, amount, points FROM membership.merchant_split "
        "WHERE member_id = $1 AND journal_no = $2 ORDER BY split_no",
        "LL"},
    [MBR_PLAN_SENT_ON] = {
        "SELECT coalesce(-sum(points), 0)::bigint FROM membership.journal "
        "WHERE member_id = ANY ($1) AND verb = 'transfer_out' AND day = $2",
        "lD"},
    /* members */
    [MBR_PLAN_FIND_IDENTITY] = {
        "SELECT member_id FROM membership.member_identity WHERE kind = $1 AND value = $2",
        "TT"},
    [MBR_PLAN_CLAIM_IDENTITY] = {
        "INSERT INTO membership.member_identity (kind, value, member_id) VALUES ($1, $2, $3) "
        "ON CONFLICT (kind, value) DO NOTHING",
        "TTL"},
    [MBR_PLAN_DELETE_IDENTITY] = {
        "DELETE FROM membership.member_identity WHERE kind = $1 AND value = $2 AND member_id = $3",
        "TTL"},
    [MBR_PLAN_NEXT_MEMBER_ID] = {
        "SELECT nextval('membership.member_id_seq')",
        ""},
    [MBR_PLAN_INSERT_MEMBER] = {
        "INSERT INTO membership.member (member_id, tier_id, tier_since, enrolled_at, birthday, "
        "source, channel, referrer_id, attributes) VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8)",
        "LIZDTTLJ"},
    [MBR_PLAN_INSERT_ACCOUNT] = {
        "INSERT INTO membership.account (member_id, wallet_id, last_posted_at) VALUES ($1, 1, $2)",
        "LZ"},
    [MBR_PLAN_FIND_ENROLMENT] = {
        "SELECT i.value, m.referrer_id FROM membership.member m LEFT "
        "JOIN membership.member_identity i ON i.member_id = m.member_id AND i.kind = 'referral' AND i.value = $2 "
        "WHERE m.member_id = $1",
        "LT"},
    [MBR_PLAN_UPDATE_MEMBER] = {
        "UPDATE membership.member SET birthday = coalesce($2, birthday), attributes = coalesce($3, "
        "attributes), consent = coalesce($4, consent) WHERE member_id = $1",
        "LDJJ"},
    [MBR_PLAN_UPDATE_STATUS] = {
        "UPDATE membership.member SET status = $2 WHERE member_id = $1",
        "LT"},
    [MBR_PLAN_UPDATE_TAGS] = {
        "UPDATE membership.member SET tags = ARRAY(SELECT DISTINCT t FROM unnest($2) t ORDER BY t) "
        "WHERE member_id = $1",
        "LA"},
    /* merged members */
    [MBR_PLAN_ANY_ALIAS] = {
        "SELECT FROM membership.member_alias LIMIT 1",
        ""},
    [MBR_PLAN_FIND_SURVIVOR] = {
        "SELECT survivor_id FROM membership.member_alias WHERE member_id = $1",
        "L"},
    [MBR_PLAN_FIND_SURVIVORS] = {
        "SELECT k.n, a.survivor_id FROM unnest($1) WITH ORDINALITY k (member_id, n) "
        "JOIN membership.member_alias a ON a.member_id = k.member_id",
        "l"},
    [MBR_PLAN_FIND_ALIASES] = {
        "SELECT member_id FROM membership.member_alias WHERE survivor_id = $1 ORDER BY member_id",
        "L"},
    [MBR_PLAN_ANY_REVIEW] = {
        "SELECT FROM membership.journal j WHERE j.member_id = $1 AND j.status = 'review' "
        "AND NOT EXISTS (SELECT FROM membership.source_key k WHERE k.member_id = j.member_id AND k.verb = 'review' "
        "AND k.ref = j.journal_no::text) LIMIT 1",
        "L"},
    [MBR_PLAN_LOAD_ORDER_SPENDS] = {
        "SELECT o.merchant_id, o.order_ref, CASE j.verb WHEN 'merge_in' THEN j.counterpart_id ELSE j.member_id END, "
        "CASE j.verb WHEN 'merge_in' THEN j.refers_to ELSE j.journal_no END, j.purpose, j.channel, j.amount "
        "FROM membership.order_spend o JOIN membership.journal j USING (member_id, journal_no) "
        "WHERE o.member_id = $1 ORDER BY o.journal_no",
        "L"},
    [MBR_PLAN_CLEAR_ORDER_SPENDS] = {
        "DELETE FROM membership.order_spend WHERE member_id = $1",
        "L"},
    [MBR_PLAN_MOVE_ACTIVITY] = {
        "INSERT INTO membership.activity_move (member_id, journal_no, day, purchases, basis, points_earned, growth, "
        "points_redeemed, refunded_of_day, refunded_on_day) SELECT m.member_id, m.journal_no, d.day, m.sign * d.purchases, m.sign * d.basis, "
        "m.sign * d.points_earned, m.sign * d.growth, m.sign * d.points_redeemed, "
        "m.sign * d.refunded_of_day, m.sign * d.refunded_on_day FROM membership.activity_day d, "
        "(VALUES ($1, $2, -1), ($3, $4, 1)) m (member_id, journal_no, sign) WHERE d.member_id = $1",
        "LLLL"},
    [MBR_PLAN_CLEAR_ACTIVITY] = {
        "DELETE FROM membership.activity_day WHERE member_id = $1",
        "L"},
    [MBR_PLAN_ADD_ACTIVITY] = {
        "INSERT INTO membership.activity_day AS a (member_id, day, purchases, basis, points_earned, growth, "
        "points_redeemed, refunded_of_day, refunded_on_day) "
        "SELECT member_id, day, purchases, basis, points_earned, growth, points_redeemed, refunded_of_day, refunded_on_day "
        "FROM membership.activity_move WHERE member_id = $1 AND journal_no = $2 ON CONFLICT (member_id, day) DO UPDATE "
        "SET purchases = a.purchases + excluded.purchases, basis = a.basis + excluded.basis, "
        "points_earned = a.points_earned + excluded.points_earned, growth = a.growth + excluded.growth, "
        "points_redeemed = a.points_redeemed + excluded.points_redeemed, "
        "refunded_of_day = a.refunded_of_day + excluded.refunded_of_day, "
        "refunded_on_day = a.refunded_on_day + excluded.refunded_on_day",
        "LL"},
    [MBR_PLAN_MOVE_IDENTITIES] = {
        "UPDATE membership.member_identity SET member_id = $1 WHERE member_id = $2",
        "LL"},
    [MBR_PLAN_MERGE_PERSON] = {
        "WITH self AS (SELECT ARRAY(SELECT member_id FROM membership.member_alias WHERE survivor_id = $1) || $1 AS numbers) "
        "UPDATE membership.member s SET birthday = coalesce(s.birthday, f.birthday), source = coalesce(s.source, f.source), "
        "referrer_id = CASE WHEN s.referrer_id <> ALL (self.numbers) THEN s.referrer_id "
        "WHEN f.referrer_id <> ALL (self.numbers) THEN f.referrer_id END, "
        "tags = ARRAY(SELECT DISTINCT t FROM unnest(s.tags || f.tags) t ORDER BY t), "
        "attributes = f.attributes || s.attributes, consent = f.consent || s.consent "
        "FROM membership.member f, self WHERE s.member_id = $1 AND f.member_id = $2",
        "LL"},
    [MBR_PLAN_TAKE_TIER] = {
        "UPDATE membership.member s SET tier_id = f.tier_id, tier_since = $3, tier_expires_at = f.tier_expires_at, "
        "tier_locked_until = f.tier_locked_until FROM membership.member f, membership.tier st, membership.tier ft "
        "WHERE s.member_id = $1 AND f.member_id = $2 AND st.tier_id = s.tier_id AND ft.tier_id = f.tier_id "
        "AND ft.rank > st.rank RETURNING s.tier_id",
        "LLZ"},
    [MBR_PLAN_PROLONG_TIER] = {
        "UPDATE membership.member s SET tier_expires_at = nullif(greatest(coalesce(s.tier_expires_at, 'infinity'), "
        "coalesce(f.tier_expires_at, 'infinity')), 'infinity'), "
        "tier_locked_until = greatest(s.tier_locked_until, f.tier_locked_until) "
        "FROM membership.member f WHERE s.member_id = $1 AND f.member_id = $2 AND f.tier_id = s.tier_id",
        "LL"},
    [MBR_PLAN_MOVE_ALIASES] = {
        "UPDATE membership.member_alias SET survivor_id = $1 WHERE survivor_id = $2",
        "LL"},
    [MBR_PLAN_INSERT_ALIAS] = {
        "INSERT INTO membership.member_alias (survivor_id, member_id) VALUES ($1, $2)",
        "LL"},
    /* erased members */
    [MBR_PLAN_ERASE_IDENTITIES] = {
        "DELETE FROM membership.member_identity WHERE member_id = ANY ($1)",
        "l"},
    [MBR_PLAN_ERASE_PERSON] = {
        "UPDATE membership.member SET status = CASE status WHEN 'merged' THEN status ELSE 'closed' END, birthday = NULL, "
        "source = NULL, referrer_id = NULL, tags = '{}', attributes = '{}', consent = '{}' WHERE member_id = ANY ($1)",
        "l"},
    [MBR_PLAN_ERASE_CONTEXT] = {
        "DELETE FROM membership.journal_context WHERE member_id = ANY ($1)",
        "l"},
    [MBR_PLAN_ERASE_FAILURES] = {
        "UPDATE membership.rule_failure SET message = 'erased' WHERE member_id = ANY ($1)",
        "l"},
    [MBR_PLAN_ERASE_ACCRUAL_ERRORS] = {
        "DELETE FROM membership.accrual_error WHERE (purchase ->> 'member_id')::bigint = ANY ($1)",
        "l"},
    /* accrual errors */
    [MBR_PLAN_INSERT_ACCRUAL_ERROR] = {
        "INSERT INTO membership.accrual_error (source, purchase, sqlstate, message) "
        "VALUES ($1, $2::jsonb, $3, $4)",
        "TTTT"},
    [MBR_PLAN_LOCK_ACCRUAL_ERRORS] = {
        "SELECT e.error_id, p.* FROM (SELECT * FROM membership.accrual_error "
        "ORDER BY recorded_at, error_id LIMIT 10000 FOR UPDATE SKIP LOCKED) e, "
        "jsonb_populate_record(NULL::membership.purchase, e.purchase) p",
        ""},
    [MBR_PLAN_DELETE_ACCRUAL_ERROR] = {
        "DELETE FROM membership.accrual_error WHERE error_id = $1",
        "U"},
    [MBR_PLAN_UPDATE_ACCRUAL_ERROR] = {
        "UPDATE membership.accrual_error SET sqlstate = $2, message = $3, attempts = attempts + 1 "
        "WHERE error_id = $1",
        "UTT"},
    /* reading */
    /* a page holds $3 entries and the events after each of them; with entry 1 come the events before it */
    [MBR_PLAN_STATEMENT] = {
        "WITH page AS (SELECT entry_no FROM membership.ledger_entry "
        "WHERE member_id = $1 AND wallet_id = 1 AND entry_no < $2 ORDER BY entry_no DESC LIMIT $3), "
        "bound AS (SELECT CASE WHEN min(entry_no) > 1 THEN min(entry_no) "
        "WHEN min(entry_no) = 1 OR $2 = 9223372036854775807 THEN 0 END AS lowest FROM page) "
        "SELECT journal_no, entry_no, verb, points, balance_after, merchant_id, merchant, order_ref, "
        "amount, reason, occurred_at, posted_at, counterpart_id FROM membership.member_statement s, bound "
        "WHERE s.member_id = $1 AND coalesce(s.entry_no, s.last_entry_no) BETWEEN bound.lowest AND $2 - 1 "
        "ORDER BY s.journal_no DESC, s.entry_no DESC",
        "LLI"},
    /* what a dead lot paid of a debt before it died counts, posted or not: as the reading views have it */
    [MBR_PLAN_BALANCE_AT] = {
        "WITH known AS (SELECT e.lot_no, e.points FROM membership.ledger_entry e "
        "JOIN membership.journal j USING (member_id, journal_no) "
        "WHERE e.member_id = $1 AND e.wallet_id = 1 AND j.occurred_at <= $2 AND j.posted_at <= $3), "
        "lot AS (SELECT k.lot_no, greatest(sum(k.points), 0) AS remaining, o.active_at, "
        "coalesce(o.expires_at, 'infinity') AS expires_at FROM known k "
        "JOIN membership.ledger_entry o ON o.member_id = $1 AND o.wallet_id = 1 AND o.entry_no = k.lot_no "
        "GROUP BY k.lot_no, o.active_at, o.expires_at), "
        "debt AS (SELECT greatest(-coalesce(sum(points), 0), 0) AS points FROM known WHERE lot_no = 0), "
        "payer AS (SELECT lot_no, least(remaining, greatest(0, debt.points - (sum(remaining) "
        "OVER (ORDER BY active_at, expires_at, lot_no) - remaining))) AS pays FROM lot, debt "
        "WHERE active_at <= $2 AND active_at < expires_at) "
        "SELECT (coalesce((SELECT sum(points) FROM known), 0) - coalesce((SELECT sum(remaining - coalesce(pays, 0)) "
        "FROM lot LEFT JOIN payer USING (lot_no) WHERE expires_at <= $2), 0))::bigint "
        "FROM membership.account WHERE member_id = $1 AND wallet_id = 1",
        "LZZ"},
    [MBR_PLAN_VERIFY_ALL] = {
        "SELECT member_id, invariant, expected, found FROM membership._violation",
        ""},
    [MBR_PLAN_VERIFY_ONE] = {
        "SELECT member_id, invariant, expected, found FROM membership._violation WHERE member_id = $1",
        "L"},
    /* sweeps */
    [MBR_PLAN_START_RUN] = {
        "INSERT INTO membership.job_run (job, as_of) VALUES ($1, $2) RETURNING run_id",
        "TZ"},
    [MBR_PLAN_NOTE_RUN] = {
        "UPDATE membership.job_run SET batches = $2, rows = $3, last_key = nullif($4, 0), "
        "finished_at = CASE WHEN $5 THEN clock_timestamp() END WHERE run_id = $1",
        "UILLB"},
    [MBR_PLAN_FAIL_RUN] = {
        "UPDATE membership.job_run SET finished_at = clock_timestamp(), error = $2 WHERE run_id = $1",
        "UT"},
    /* what a page of $3 rows after a key has, each member's rows in one page */
    [MBR_PLAN_DUE_HOLDS] = {
        "SELECT member_id, coalesce(bool_or(expires_at <= $2), false) "
        "FROM (SELECT member_id, expires_at FROM membership.hold WHERE member_id > $1 "
        "ORDER BY member_id FETCH FIRST ($3) ROWS WITH TIES) h GROUP BY member_id ORDER BY member_id",
        "LZL"},
    [MBR_PLAN_OLD_CONTEXTS] = {
        "SELECT c.member_id, bool_or(j.posted_at < $2) "
        "FROM (SELECT member_id, journal_no FROM membership.journal_context WHERE member_id > $1 "
        "ORDER BY member_id FETCH FIRST ($3) ROWS WITH TIES) c "
        "JOIN membership.journal j USING (member_id, journal_no) GROUP BY c.member_id ORDER BY c.member_id",
        "LZL"},
    /* the end of the last day to be announced */
    [MBR_PLAN_ANNOUNCE_UNTIL] = {
        "SELECT ((($1 AT TIME ZONE time_zone) + $2)::date + 1)::timestamp AT TIME ZONE time_zone "
        "FROM membership.program",
        "ZV"},
    /* the last valid day as expiring_soon has it */
    [MBR_PLAN_ANNOUNCE] = {
        "WITH due AS (SELECT l.member_id, d.expires_on, sum(l.points)::bigint AS points "
        "FROM unnest($1, $2, $3) l (member_id, expires_at, points) CROSS JOIN membership.program p "
        "CROSS JOIN LATERAL (SELECT least(((l.expires_at - interval '1 microsecond') AT TIME ZONE p.time_zone)::date, "
        "((l.expires_at AT TIME ZONE p.time_zone) - interval '1 microsecond')::date) AS expires_on) d "
        "GROUP BY l.member_id, d.expires_on), "
        "noted AS (INSERT INTO membership.expiry_notice (member_id, expires_on, lead, announced_at) "
        "SELECT member_id, expires_on, $4, clock_timestamp() FROM due ORDER BY member_id, expires_on "
        "ON CONFLICT (member_id, expires_on, lead) DO NOTHING RETURNING member_id, expires_on), "
        "written AS (INSERT INTO membership.event (member_id, kind, payload) "
        "SELECT member_id, 'points_expiring', jsonb_build_object('points', points, 'expires_on', expires_on, 'lead', $4) "
        "FROM due JOIN noted USING (member_id, expires_on) RETURNING member_id) "
        "SELECT count(DISTINCT member_id), count(*) FROM written",
        "lzlV"},
    [MBR_PLAN_PRUNE_BEFORE] = {
        "SELECT (($1 AT TIME ZONE time_zone) - $2) AT TIME ZONE time_zone FROM membership.program",
        "ZV"},
    [MBR_PLAN_PRUNE_CONTEXTS] = {
        "WITH gone AS (DELETE FROM membership.journal_context c USING unnest($1) u (member_id), membership.journal j "
        "WHERE c.member_id = u.member_id AND j.member_id = c.member_id AND j.journal_no = c.journal_no "
        "AND j.posted_at < $2 RETURNING c.member_id) "
        "SELECT count(DISTINCT member_id), count(*) FROM gone",
        "lZ"},
};
/* clang-format on */
