-- The rules of rules.sql in bench.accrue_points (plpgsql.sql): conditions as code, those of other merchants not looked at;
-- best in group, award, shares and explanation by one statement over a table of the rules' values. It has what the rules
-- of the bench need: orders of one line, additive stacking, rounding down, growth of one group.
\set ON_ERROR_STOP on
CREATE TABLE bench.earn_rule (
    rule_id integer PRIMARY KEY, code text NOT NULL, stack_group text NOT NULL, effect text NOT NULL, value numeric NOT NULL);
INSERT INTO bench.earn_rule
SELECT rule_id, code, coalesce(stack_group, rule_id::text), effect, value FROM membership.earn_rule;

DO $$
DECLARE
    source text := pg_get_functiondef('bench.accrue_points'::regproc);
    conditions text;
    declared text := $code$
    order_basis numeric := p_amount;
    channel text := p_channel;
    occurred_at timestamp;
    hour integer; weekday integer; day integer; month integer; tier_rank integer; member_days integer;
    tags text[]; birthday_month boolean; orders_month integer; days_since_purchase integer;
    met integer[] := '{}';
    growth bigint := 0;
    rules jsonb;
$code$;
    look_up text := $code$
    occurred_at := was.occurred AT TIME ZONE was.time_zone;
    hour := extract(hour FROM occurred_at);
    weekday := extract(isodow FROM occurred_at);
    day := extract(day FROM occurred_at);
    month := extract(month FROM occurred_at);
    tier_rank := judged.rank;
    SELECT m.tags, extract(month FROM m.birthday) = month, was.day - (m.enrolled_at AT TIME ZONE was.time_zone)::date,
           d.orders, was.day - d.last
      INTO tags, birthday_month, member_days, orders_month, days_since_purchase
      FROM bench.member m
     CROSS JOIN LATERAL (SELECT coalesce(sum(a.purchases) FILTER (WHERE a.day >= date_trunc('month', was.day)), 0) AS orders, max(a.day) AS last
                           FROM bench.activity_day a WHERE a.member_id = m.member_id AND a.day <= was.day) d
     WHERE m.member_id = p_member_id;
$code$;
    award text := $code$
    IF cardinality(met) > 0 THEN
    WITH contest AS (
        SELECT r.*, first_value(r.code) OVER (PARTITION BY r.effect, r.stack_group ORDER BY r.value DESC, r.rule_id) AS best
          FROM bench.earn_rule r WHERE r.rule_id = ANY (met)
    ), worth AS (
        SELECT 0 AS rule_id, p_amount * was.base_rate * judged.multiplier AS worth
        UNION ALL SELECT rule_id, p_amount * was.base_rate * (value - 1) FROM contest WHERE effect = 'multiplier' AND code = best
    ), share AS (
        SELECT rule_id, floor(worth) + (row_number() OVER (ORDER BY worth - floor(worth) DESC, rule_id)
                                        <= floor(sum(worth) OVER ()) - sum(floor(worth)) OVER ())::integer AS points
          FROM worth
    ), gain AS (
        SELECT c.*, CASE effect WHEN 'multiplier' THEN s.points WHEN 'bonus_points' THEN c.value ELSE floor(p_amount * c.value) END::bigint AS gained
          FROM contest c LEFT JOIN share s USING (rule_id)
    )
    SELECT jsonb_build_object('stacking', 'additive', 'rules', jsonb_agg(
               jsonb_build_object('rule_id', rule_id, 'version', 1, 'code', code, 'effect', effect, 'value', value)
               || CASE WHEN code <> best THEN jsonb_build_object('outcome', 'beaten', 'by', best)
                       WHEN effect = 'growth' THEN jsonb_build_object('outcome', 'applied', 'growth', gained)
                       ELSE jsonb_build_object('outcome', 'applied', 'points', gained) END ORDER BY rule_id)),
           coalesce(sum(gained) FILTER (WHERE code = best AND effect = 'growth'), 0),
           (SELECT sum(s.points) FROM share s) + coalesce(sum(gained) FILTER (WHERE code = best AND effect = 'bonus_points'), 0)
      INTO rules, growth, points
      FROM gain;
    END IF;
$code$;
BEGIN
    SELECT string_agg(format('WHEN %s THEN met := array_remove(ARRAY[%s], NULL);', merchant, asked), E'\n' ORDER BY merchant) INTO conditions
      FROM (SELECT r.merchant_ids[1] AS merchant, string_agg(format('CASE WHEN %s THEN %s END', r.condition, r.rule_id), E',\n' ORDER BY r.rule_id) AS asked
              FROM membership.earn_rule r GROUP BY 1) m;
    source := replace(source, E'\nDECLARE\n', E'\n#variable_conflict use_column\nDECLARE' || declared);
    source := replace(source, E'\n    -- here the rules\n',
                      look_up || 'CASE p_merchant_id' || E'\n' || conditions || E'\nELSE\nEND CASE;' || award);
    source := replace(source, 'tier_after, tier_changed)', 'tier_after, tier_changed, rules, growth)');
    source := replace(source, 'reached.tier_id IS NOT NULL);', 'reached.tier_id IS NOT NULL, rules, growth);');
    source := replace(source, 'basis, points_earned)', 'basis, points_earned, growth)');
    source := replace(source, '1, p_amount, points)', '1, p_amount, points, growth)');
    source := replace(source, 'points_earned = d.points_earned + EXCLUDED.points_earned', 'points_earned = d.points_earned + EXCLUDED.points_earned, growth = d.growth + EXCLUDED.growth');
    source := replace(source, '''tier_multiplier'', judged.multiplier);', '''tier_multiplier'', judged.multiplier) || coalesce(rules, ''{}'');');
    source := replace(source, '''tier_multiplier'', first.tier_multiplier))', '''tier_multiplier'', first.tier_multiplier) || coalesce(first.rules, ''{}''))');
    EXECUTE source;
END
$$;
