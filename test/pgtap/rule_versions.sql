-- Versions of rules, previews that explain them, and every award of a mixed history computed again from frozen facts.
\set tests 38
\ir setup.psql
\ir rules.psql
SELECT open_mall() \gset
SELECT enrol('ann') \gset

-- every change is a version, and a purchase is judged by the one in force when it happened
INSERT INTO earn_rule (rule_id, code, name, status, effect, value) VALUES (1, 'sale', 'Sale', 'active', 'multiplier', 2);
SELECT is(ROW(rule_id, version, effective_from, recorded_at <= clock_timestamp(), recorded_by = current_user)::text, '(1,1,-infinity,t,t)', 'a new rule has always been in force') FROM rule_version;
SELECT is(definition, (SELECT to_jsonb(r) FROM earn_rule r), 'its version is its row') FROM rule_version;
CREATE FUNCTION public.judged(explanation jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s v%s x%s', r ->> 'code', r ->> 'version', r ->> 'value'), ', ') FROM jsonb_array_elements(explanation -> 'rules') r
$$;
SELECT is(judged(explanation), 'sale v1 x2', 'the first version') FROM buy('ann', 10, at => '2024-03-10 12:00+08');
UPDATE earn_rule SET value = 3, effective_from = '2024-04-01 00:00+08' WHERE rule_id = 1;
SELECT is(ROW(version, effective_from)::text, '(2,"2024-03-31 16:00:00+00")', 'the second is in force from when it was said to be') FROM earn_rule;
SELECT is(judged(explanation), 'sale v1 x2', 'the microsecond before') FROM buy('ann', 10, at => '2024-03-31 23:59:59.999999+08');
SELECT is(ROW(points, judged(explanation))::text, '(30,"sale v2 x3")', 'and then') FROM buy('ann', 10, at => '2024-04-01 00:00+08');
SELECT is(ROW(status, points, judged(explanation))::text, '(posted,20,"sale v1 x2")', 'a late receipt is judged by the version of its time') FROM buy('ann', 10, at => '2024-03-30 12:00+08', posted => '2024-04-20 12:00+08');
SELECT is(ROW(status, points_wanted, judged(explanation))::text, '(review,20,"sale v1 x2")', 'a very late one too') FROM buy('ann', 10, at => '2024-02-01 12:00+08', posted => '2024-04-20 12:00+08');
-- corrected since 20 March: version 2 is never in force any more
UPDATE earn_rule SET value = 4, effective_from = '2024-03-20 00:00+08' WHERE rule_id = 1;
SELECT is(array_agg(judged(explanation) ORDER BY n), '{"sale v1 x2","sale v3 x4","sale v3 x4"}', 'a change set back counts for what is posted from now on')
  FROM (VALUES (1, '2024-03-19 23:59:59+08'), (2, '2024-03-20 00:00+08'), (3, '2024-04-10 12:00+08')) v (n, at), LATERAL buy('ann', 10, at => at::timestamptz, posted => '2024-04-20 12:00+08');
SELECT is(array_agg(points ORDER BY journal_no), '{20,20,30,20,0,0,0,40}', 'what is posted is never judged again') FROM journal WHERE verb = 'accrual';
SELECT is(array_agg(ROW(version, effective_from, definition -> 'value')::text ORDER BY version), '{"(1,-infinity,2)","(2,\"2024-03-31 16:00:00+00\",3)","(3,\"2024-03-19 16:00:00+00\",4)"}', 'all versions are kept') FROM rule_version;
-- paused for a while
UPDATE earn_rule SET status = 'paused', effective_from = '2024-05-01 00:00+08' WHERE rule_id = 1;
UPDATE earn_rule SET status = 'active', effective_from = '2024-05-03 00:00+08' WHERE rule_id = 1;
SELECT is(array_agg(judged(explanation) ORDER BY n), '{"sale v3 x4",NULL,NULL,"sale v5 x4"}', 'a rule that was paused for two days')
  FROM (VALUES (1, '2024-04-30 23:59+08'), (2, '2024-05-01 00:00+08'), (3, '2024-05-02 23:59+08'), (4, '2024-05-03 00:00+08')) v (n, at), LATERAL buy('ann', 10, at => at::timestamptz);
SELECT is(met(explanation), NULL, 'a preview of that time does not know it') FROM preview_accrual(m('ann'), 1, 10, occurred_at => '2024-05-02 12:00+08', at => '2024-05-04 12:00+08');
-- the clock, when nothing is said
SELECT clock_timestamp() AS before \gset
UPDATE earn_rule SET name = 'Sale 2' WHERE rule_id = 1;
SELECT ok(effective_from BETWEEN :'before' AND clock_timestamp(), 'without a word it is in force from now on') FROM earn_rule;
SELECT is(array_agg(judged(explanation) ORDER BY n), '{"sale v5 x4","sale v6 x4"}', 'not for what happened before')
  FROM (VALUES (1, :'before'::timestamptz), (2, clock_timestamp())) v (n, at), LATERAL buy('ann', 10, at => at, posted => clock_timestamp());
-- prepared for later
UPDATE program SET max_future = '1 day';
UPDATE earn_rule SET value = 7, effective_from = clock_timestamp() + interval '1 hour' WHERE rule_id = 1;
SELECT is(array_agg(judged(explanation) ORDER BY n), '{"sale v6 x4","sale v6 x4","sale v7 x7"}', 'a change prepared for in an hour')
  FROM (VALUES (1, 0), (2, 59), (3, 61)) v (n, minutes), LATERAL preview_accrual(m('ann'), 1, 10, occurred_at => clock_timestamp() + minutes * interval '1 minute');
UPDATE program SET max_future = '10 minutes';
SAVEPOINT correction;
UPDATE earn_rule SET name = 'Sale 3' WHERE rule_id = 1;
SELECT ok(version = 8 AND effective_from > clock_timestamp(), 'corrected, it stays prepared') FROM earn_rule;
UPDATE earn_rule SET status = 'paused' WHERE rule_id = 1;
SELECT ok(version = 9 AND effective_from <= clock_timestamp(), 'a pause is meant now') FROM earn_rule;
ROLLBACK TO correction;
-- a change that is rolled back leaves no version
SAVEPOINT change;
UPDATE earn_rule SET value = 100, effective_from = '2024-01-01' WHERE rule_id = 1;
SELECT is(judged(explanation), 'sale v8 x100', 'a change is seen by the next call') FROM preview_accrual(m('ann'), 1, 10);
ROLLBACK TO change;
SELECT is(judged(explanation), 'sale v6 x4', 'and gone with its savepoint') FROM preview_accrual(m('ann'), 1, 10);
-- older than receipts may be claimed: the present set is read without such versions, and then with them
INSERT INTO earn_rule (rule_id, code, name, status, effect, value) VALUES (2, 'old', 'Old', 'active', 'multiplier', 2);
UPDATE earn_rule SET status = 'ended', effective_from = clock_timestamp() - interval '60 days' WHERE rule_id = 1;
UPDATE earn_rule SET value = 3, effective_from = clock_timestamp() - interval '40 days' WHERE rule_id = 2;
SELECT enrol('bea') \gset
SELECT is(judged(explanation), 'old v2 x3', 'a purchase of today') FROM buy('bea', 10, at => clock_timestamp());
SELECT is(ROW(status, judged(explanation))::text, '(review,"old v1 x2")', 'one of fifty days ago') FROM buy('bea', 10, at => clock_timestamp() - interval '50 days', posted => clock_timestamp());
SELECT is(judged(explanation), 'old v2 x3', 'one of today again') FROM buy('bea', 10, at => clock_timestamp());
SELECT is(array_agg(judged(explanation) ORDER BY row_no), '{"old v2 x3","old v1 x2","old v2 x3"}', 'the same in one batch')
  FROM accrue_batch(ARRAY[ROW(m('bea'), 1, 1, 'b1', NULL, 'pos', NULL, NULL, '{}', NULL, NULL, NULL)::purchase,
                          ROW(m('bea'), 1, 1, 'b2', clock_timestamp() - interval '50 days', 'pos', NULL, NULL, '{}', NULL, NULL, NULL)::purchase,
                          ROW(m('bea'), 1, 1, 'b3', NULL, 'pos', NULL, NULL, '{}', NULL, NULL, NULL)::purchase]);
-- a window that was written in another notation of dates: February
SELECT set_aside() \gset
SET LOCAL DateStyle = 'SQL, DMY';
INSERT INTO earn_rule (rule_id, code, name, status, effect, value, valid_during) VALUES (3, 'february', 'February', 'active', 'multiplier', 2, '[01/02/2024, 01/03/2024)');
SET LOCAL DateStyle = 'ISO, YMD';
SELECT enrol('feb') \gset
SELECT is(array_agg(coalesce(judged(explanation), 'none') ORDER BY n), '{none,"february v1 x2",none}', 'a window is what was meant when it was written')
  FROM (VALUES (1, '2024-01-15 12:00+08'), (2, '2024-02-15 12:00+08'), (3, '2024-03-01 00:00+08')) v (n, at), LATERAL buy('feb', 10, at => at::timestamptz);

-- a preview explains every active rule
SELECT set_aside() \gset
INSERT INTO earn_rule (rule_id, code, name, status, scope, stack_group, effect, value, valid_during, merchant_ids, condition)
VALUES (20, 'counts', 'P', 'active', 'order', 'g', 'multiplier', 3, '(,)', NULL, 'order_basis >= 100'), (21, 'beaten', 'P', 'active', 'order', 'g', 'multiplier', 2, '(,)', NULL, NULL),
       (22, 'trial', 'P', 'shadow', 'order', NULL, 'multiplier', 2, '(,)', NULL, NULL), (23, 'fails', 'P', 'active', 'order', NULL, 'multiplier', 2, '(,)', NULL, '1 / (order_basis - order_basis) > 1'),
       (24, 'window', 'P', 'active', 'order', NULL, 'multiplier', 2, '[2024-11-11, 2024-11-12)', NULL, NULL), (25, 'shop', 'P', 'active', 'order', NULL, 'multiplier', 2, '(,)', '{2,3}', NULL),
       (26, 'false', 'P', 'active', 'order', NULL, 'multiplier', 2, '(,)', NULL, 'order_basis > 500'), (27, 'unknown', 'P', 'active', 'order', NULL, 'multiplier', 2, '(,)', NULL, 'birthday_month'),
       (28, 'no_line', 'P', 'active', 'line', NULL, 'multiplier', 2, '(,)', '{3}', NULL), (29, 'trial_no', 'P', 'shadow', 'line', NULL, 'multiplier', 2, '(,)', NULL, 'line_amount > 500'),
       (30, 'growth', 'P', 'active', 'line', NULL, 'growth', 1, '(,)', NULL, 'line_amount > 5'), (31, 'draft', 'P', 'draft', 'order', NULL, 'multiplier', 2, '(,)', NULL, NULL), (32, 'paused', 'P', 'paused', 'order', NULL, 'multiplier', 2, '(,)', NULL, NULL);
SELECT is(string_to_array(met(explanation), ', '), ARRAY['counts applied 200', 'beaten beaten by counts', 'trial shadow 100', 'fails failed 22012', 'window not_matched (outside valid_during)',
          'shop not_matched (merchant 1 is not in merchant_ids)', 'false not_matched (condition is false)', 'unknown not_matched (condition is null)', 'no_line not_matched (merchant 1 is not in merchant_ids)',
          'trial_no not_matched (condition is false)', 'growth applied 100 growth'], 'each active or shadow rule, with the reason') FROM preview_accrual(m('ann'), 1, 100, occurred_at => '2024-06-01 12:00+08', at => '2024-06-01 12:00+08');
SELECT is(met(explanation), 'counts applied 200, beaten beaten by counts, trial shadow 100, fails failed 22012, growth applied 100 growth', 'what is posted has those that matched or failed')
  FROM buy('ann', 100, at => '2024-06-01 12:00+08', posted => clock_timestamp());
SELECT is(ROW(count(*), count(*) FILTER (WHERE r ->> 'reason' = 'no line of the order earns points'), count(*) FILTER (WHERE r ->> 'reason' = 'outside valid_during'))::text, '(11,10,1)', 'an order that earns nothing')
  FROM preview_accrual(m('ann'), 1, 100, lines => '[{"amount": 100, "eligible": false}]', occurred_at => '2024-06-01 12:00+08', at => '2024-06-01 12:00+08') p, jsonb_array_elements(p.explanation -> 'rules') r;
SELECT is(ROW(r ->> 'outcome', r -> 'reason', r -> 'lines')::text, ROW('applied', NULL, '[{"growth": 95, "line_no": 1}]'::jsonb)::text, 'of a rule that counts on one line only that line is told')
  FROM preview_accrual(m('ann'), 1, 100, lines => '[{"amount": 95}, {"amount": 5}]', occurred_at => '2024-06-01 12:00+08', at => '2024-06-01 12:00+08') p, jsonb_array_elements(p.explanation -> 'rules') r WHERE r ->> 'code' = 'growth';
SELECT explanation AS judged FROM accrue_points(m('ann'), 1, 100, 'known', occurred_at => '2024-06-01 12:00+08') \gset
SELECT is(explanation, :'judged'::jsonb, 'a receipt that is posted is shown as it was judged') FROM preview_accrual(m('ann'), 1, 100, 'known');

-- Recomputation, written from doc/rules.md: nothing of the engine is called below, and of the explanation only is read
-- which version counted where. spread() is the method of largest remainders, ties to the earlier one.
CREATE FUNCTION public.spread(weights numeric[], total bigint) RETURNS bigint[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_agg(floor(w)::bigint + (place <= total - floors)::integer ORDER BY n)
      FROM (SELECT w, n, row_number() OVER (ORDER BY w - floor(w) DESC, n) AS place, sum(floor(w)) OVER () AS floors FROM unnest(weights) WITH ORDINALITY u (w, n)) x
$$;
CREATE FUNCTION public.rounded(value numeric, rounding text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE rounding WHEN 'floor' THEN floor(value) WHEN 'ceiling' THEN ceil(value) ELSE floor(value + 0.5) END::bigint
$$;
-- Lines of a purchase, and the versions that counted on each.
CREATE VIEW public.line AS
SELECT j.member_id, j.journal_no, l.line_no, l.basis, l.points
  FROM membership.journal j, LATERAL (SELECT * FROM jsonb_to_recordset(j.lines) x (line_no integer, basis numeric, points bigint) UNION ALL SELECT 1, j.basis, j.points_wanted WHERE j.lines IS NULL) l
 WHERE j.verb = 'accrual';
CREATE VIEW public.counted AS
SELECT j.member_id, j.journal_no, r.rule_id, r.points, r.growth, l.line_no, l.points AS line_points, l.growth AS line_growth, v.definition ->> 'effect' AS effect, v.definition ->> 'scope' AS scope, (v.definition ->> 'value')::numeric AS value
  FROM membership.journal j, jsonb_to_recordset(j.rules -> 'rules') r (rule_id integer, version integer, outcome text, points bigint, growth bigint, lines jsonb)
  JOIN membership.rule_version v USING (rule_id, version),
       LATERAL (SELECT * FROM jsonb_to_recordset(r.lines) x (line_no integer, points bigint, growth bigint, beaten_by text) WHERE beaten_by IS NULL UNION ALL SELECT 1, r.points, r.growth, NULL WHERE r.lines IS NULL) l
 WHERE r.outcome = 'applied';

CREATE FUNCTION public.computed_again(j membership.journal) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t           numeric := j.tier_multiplier;
    line        record;
    rule        record;
    rate        numeric;
    product     numeric;
    grown       numeric;
    parts       numeric[];
    points      bigint[];
    line_weight numeric[] := '{}';
    line_growth numeric[] := '{}';
    line_parts  text[] := '{}';
    weights     numeric := 0;
    base        numeric := 0;
    award       bigint;
    bonus       bigint := 0;
    result      text := '';
    i           integer := 0;
BEGIN
    FOR line IN SELECT * FROM public.line l WHERE (l.member_id, l.journal_no) = (j.member_id, j.journal_no) ORDER BY l.line_no LOOP
        rate := coalesce((SELECT c.value FROM public.counted c WHERE (c.member_id, c.journal_no, c.line_no) = (j.member_id, j.journal_no, line.line_no) AND c.effect = 'rate'), j.base_rate);
        parts := ARRAY[line.basis * least(rate, j.base_rate) * t];
        product := t;
        FOR rule IN SELECT * FROM public.counted c WHERE (c.member_id, c.journal_no, c.line_no) = (j.member_id, j.journal_no, line.line_no) AND c.effect IN ('rate', 'multiplier') ORDER BY c.rule_id LOOP
            IF rule.effect = 'rate' THEN
                parts := parts || line.basis * greatest(rate - j.base_rate, 0) * t;
            ELSIF j.rules ->> 'stacking' = 'additive' THEN
                parts := parts || line.basis * rate * (rule.value - 1);
            ELSE
                grown := round(product * rule.value, 12);
                parts := parts || line.basis * rate * (grown - product);
                product := grown;
            END IF;
        END LOOP;
        base := base + line.basis * least(rate, j.base_rate);
        line_weight := line_weight || (SELECT sum(p) FROM unnest(parts) p);
        line_parts := line_parts || parts::text;
    END LOOP;
    award := public.rounded((SELECT sum(w) FROM unnest(line_weight) w), j.rounding);
    -- shares of the lines, and in each of base and rules
    FOR line IN SELECT l.*, row_number() OVER (ORDER BY l.line_no) AS n FROM public.line l WHERE (l.member_id, l.journal_no) = (j.member_id, j.journal_no) ORDER BY l.line_no LOOP
        points := public.spread(line_parts[line.n]::numeric[], (public.spread(line_weight, award))[line.n]);
        i := 1;
        FOR rule IN SELECT * FROM public.counted c WHERE (c.member_id, c.journal_no, c.line_no) = (j.member_id, j.journal_no, line.line_no) AND c.effect IN ('rate', 'multiplier') ORDER BY c.rule_id LOOP
            i := i + 1;
            IF points[i] <> rule.line_points THEN
                result := result || format('line %s rule %s: %s not %s; ', line.line_no, rule.rule_id, points[i], rule.line_points);
            END IF;
        END LOOP;
        IF (public.spread(line_weight, award))[line.n] + (SELECT coalesce(sum(c.line_points), 0) FROM public.counted c
             WHERE (c.member_id, c.journal_no, c.line_no) = (j.member_id, j.journal_no, line.line_no) AND c.effect = 'bonus_points') <> line.points THEN
            result := result || format('line %s; ', line.line_no);
        END IF;
    END LOOP;
    -- bonuses: of a line whole, of an order by basis, or all on the first line that earns
    FOR rule IN SELECT c.rule_id, c.scope, c.value, array_agg(c.line_points ORDER BY c.line_no) AS given, array_agg(l.basis ORDER BY c.line_no) AS basis
                  FROM public.counted c JOIN public.line l USING (member_id, journal_no, line_no)
                 WHERE (c.member_id, c.journal_no) = (j.member_id, j.journal_no) AND c.effect = 'bonus_points' GROUP BY c.rule_id, c.scope, c.value LOOP
        points := CASE WHEN rule.scope = 'line' THEN array_fill(rule.value::bigint, ARRAY[cardinality(rule.given)])
                       WHEN j.basis = 0 THEN rule.value::bigint || array_fill(0::bigint, ARRAY[cardinality(rule.given) - 1])
                       ELSE public.spread(ARRAY(SELECT trunc(b * rule.value / j.basis, 40) FROM unnest(rule.basis) WITH ORDINALITY u (b, n) ORDER BY n), rule.value::bigint) END;
        bonus := bonus + (SELECT sum(p) FROM unnest(points) p);
        IF points <> rule.given THEN
            result := result || format('bonus of rule %s: %s not %s; ', rule.rule_id, points, rule.given);
        END IF;
    END LOOP;
    IF award + bonus <> j.points_wanted OR public.rounded(base, j.rounding) <> j.base_points THEN
        result := result || format('award %s, base %s; ', award + bonus, public.rounded(base, j.rounding));
    END IF;
    award := public.rounded((SELECT coalesce(sum(l.basis * c.value), 0) FROM public.counted c JOIN public.line l USING (member_id, journal_no, line_no)
                              WHERE (c.member_id, c.journal_no) = (j.member_id, j.journal_no) AND c.effect = 'growth'), j.rounding);
    IF award <> (SELECT coalesce(sum(c.line_growth), 0) FROM public.counted c WHERE (c.member_id, c.journal_no) = (j.member_id, j.journal_no)) OR j.status = 'posted' AND award <> coalesce(j.growth, 0) THEN
        result := result || format('growth %s; ', award);
    END IF;
    RETURN nullif(result, '');
END
$$;

-- 600 purchases of five members over 600 days; rules, rounding, stacking and base rate change meanwhile.
SELECT set_aside() \gset
INSERT INTO earn_rule (rule_id, code, name, status, scope, stack_group, exclusive, effect, value, brands, condition)
VALUES (101, 'h_step_1', 'H', 'active', 'order', 'step', false, 'multiplier', 1.5, NULL, 'order_basis >= 50'), (102, 'h_step_2', 'H', 'active', 'order', 'step', false, 'multiplier', 2.25, NULL, 'order_basis >= 150'),
       (103, 'h_friday', 'H', 'active', 'order', NULL, false, 'multiplier', 1.3333, NULL, 'weekday = 5'), (104, 'h_brand', 'H', 'active', 'line', 'brand', false, 'multiplier', 3, '{Acme}', NULL),
       (105, 'h_brand_b', 'H', 'active', 'line', 'brand', false, 'multiplier', 1.0001, NULL, 'line_amount > 20'), (106, 'h_rate', 'H', 'active', 'line', NULL, false, 'rate', 0.1, '{Bulk}', NULL),
       (107, 'h_rate_up', 'H', 'active', 'order', NULL, false, 'rate', 1.234567, NULL, 'day < 5'), (108, 'h_gift', 'H', 'active', 'order', 'gift', false, 'bonus_points', 7, NULL, 'order_basis > 10'),
       (109, 'h_gift_b', 'H', 'active', 'order', 'gift', false, 'bonus_points', 100, NULL, 'first_purchase'), (110, 'h_line_gift', 'H', 'active', 'line', NULL, false, 'bonus_points', 3, '{Acme,Bulk}', NULL),
       (111, 'h_alone', 'H', 'active', 'line', NULL, true, 'multiplier', 5, NULL, 'line_amount > 90'), (112, 'h_alone_too', 'H', 'active', 'order', NULL, true, 'rate', 2, NULL, 'month = 6 AND day = 18'),
       (113, 'h_growth', 'H', 'active', 'order', NULL, false, 'growth', 0.333333, NULL, NULL), (114, 'h_growth_line', 'H', 'active', 'line', NULL, false, 'growth', 2, '{Acme}', NULL), (115, 'h_trial', 'H', 'shadow', 'order', NULL, true, 'multiplier', 9, NULL, NULL);
SELECT enrol('h' || n, '2024-07-01 10:00+08') FROM generate_series(1, 5) n \g /dev/null
DO $$
DECLARE
    at     timestamptz;
    lines  jsonb;
    amount numeric;
BEGIN
    PERFORM setseed(0.42);
    FOR n IN 1 .. 600 LOOP
        at := timestamptz '2024-07-01 12:00+08' + n * interval '1 day';
        IF n % 7 = 0 THEN
            UPDATE membership.earn_rule SET value = CASE effect WHEN 'multiplier' THEN round(1 + random()::numeric * 3, 4) WHEN 'bonus_points' THEN 1 + floor(random() * 50)::numeric ELSE round(random()::numeric * 3, 6) END,
                   status = CASE WHEN random() < 0.15 THEN 'paused' WHEN random() < 0.1 THEN 'shadow' ELSE 'active' END, effective_from = at + (random() * 20 - 10) * interval '1 day'
             WHERE rule_id = 101 + floor(random() * 14)::integer;
        END IF;
        IF n % 50 = 0 THEN
            UPDATE membership.program SET stacking = (ARRAY['additive', 'multiply'])[1 + n / 50 % 2], base_rate = round(0.5 + random()::numeric, 6),
                   award_rounding = (ARRAY['floor', 'half_up', 'ceiling'])[1 + n / 50 % 3];
        END IF;
        SELECT jsonb_agg(l), sum((l ->> 'amount')::numeric) INTO lines, amount
          FROM (SELECT jsonb_build_object('line_no', 2 * g, 'amount', round(random()::numeric * 100 * floor(random() * 3)::numeric, 2) / 2 * 2, 'brand', (ARRAY['Acme', 'Bulk', 'Other'])[1 + floor(random() * 3)::integer], 'eligible', random() < 0.9) AS l
                  FROM generate_series(1, 1 + floor(random() * 4)::integer) g) x;
        PERFORM public.buy('h' || 1 + n % 5, amount, CASE WHEN random() < 0.8 THEN lines END, at => at, posted => at + floor(random() * 34) * interval '1 day');
    END LOOP;
END
$$;
CREATE TEMP TABLE history AS SELECT j.* FROM journal j WHERE verb = 'accrual' AND occurred_at > '2024-07-01' AND occurred_at < '2026-03-01';
SELECT is(count(*), 600::bigint, 'a history') FROM history;
SELECT ok(count(*) >= expected, format('in which %s of %s rules count', count(*), effect))
  FROM (VALUES ('multiplier', 200), ('rate', 30), ('bonus_points', 200), ('growth', 200)) v (effect, expected) LEFT JOIN counted USING (effect) GROUP BY effect, expected;
SELECT is(array_agg(DISTINCT rounding || ' ' || (rules ->> 'stacking') ORDER BY rounding || ' ' || (rules ->> 'stacking')) FILTER (WHERE rules IS NOT NULL), '{ceiling additive,ceiling multiply,floor additive,floor multiply,half_up additive,half_up multiply}', 'of every rounding and stacking') FROM history;
SELECT is(array_agg(format('%s %s %s', member_id, journal_no, again)), NULL, 'every award, part, bonus and growth, computed again from the journal and rule_version')
  FROM (SELECT member_id, journal_no, computed_again(j) AS again FROM membership.journal j WHERE verb = 'accrual') x WHERE again IS NOT NULL;
SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
SELECT * FROM finish();
ROLLBACK;
