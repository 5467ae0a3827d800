-- Conditions of rules: what may be written and what it means, that nothing of the caller's gets in, limits.
\ir setup.psql
SELECT open_mall() \gset

-- What became of a condition: t, f, null, or SQLSTATE and message.
CREATE FUNCTION public.outcome(condition text, context jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN coalesce(left(membership.try_condition(condition, context)::text, 1), 'null');
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;

-- A purchase with a value in every column: Double Eleven, 20:15 on Wednesday 11 November 2026.
CREATE FUNCTION public.purchase() RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$ SELECT '{
    "order_amount": 900.00, "order_basis": 888.50, "line_amount": 300, "line_basis": 299.90, "quantity": 2.5, "sku": "A-17",
    "merchant_id": 3, "mall_id": 1, "brand": "Green Tea 绿茶", "category": "baby", "channel": "app",
    "occurred_at": "2026-11-11 20:15:30", "occurred_on": "2026-11-11", "time_of_day": "20:15:30",
    "hour": 20, "weekday": 3, "day": 11, "month": 11,
    "birthday": "1990-11-20", "birthday_month": true, "birthday_day": false, "age": 35, "member_days": 400, "merchant_days": 12,
    "tier": "silver", "tier_rank": 2, "tags": ["mother", "vip"], "source": "mini_program",
    "member_attributes": {"city": "杭州", "children": 2},
    "order_attributes": {"wedding": "2026-11-11", "gift": true, "size": "42", "items": [{"sku": "x"}, {"sku": "y"}]},
    "first_purchase": false, "first_at_merchant": true, "first_in_category": true, "days_since_purchase": 95,
    "orders_today": 1, "basis_today": 10.5, "orders_month": 3, "basis_month": 120, "orders_12m": 30, "basis_12m": 4999.99}'::jsonb $$;

-- ------------------------------------------------------------------ columns

\set rules `cat doc/rules.md`
SELECT set_config('test.rules', :'rules', true) \gset
-- name and type of each: a row of the table lists several names, and one type or as many
CREATE TEMP VIEW documented AS
SELECT n.name[1], coalesce((string_to_array(replace(r.cells[2], '`', ''), ', '))[n.no], split_part(r.cells[2], ', ', 1)) AS type, r.row, n.no
  FROM regexp_matches(split_part(split_part(current_setting('test.rules'), '## What a condition can use', 2), E'\n## ', 1),
                      '^\| (`[^|]+) \| ([a-z[\], ]+) \|', 'gn') WITH ORDINALITY r (cells, row),
       regexp_matches(r.cells[1], '`(\w+)`', 'g') WITH ORDINALITY n (name, no);
SELECT is((SELECT count(*) FROM documented), 40::bigint, 'doc/rules.md has 40 columns');
SELECT is((SELECT array_agg(name ORDER BY name) FROM documented), (SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(purchase()) k),
          'the purchase of this test has each of them');
SELECT is(outcome(format('%s IS NOT NULL', name), purchase()), 't', 'column ' || name) FROM documented;
SELECT is(outcome(format('%s IS NULL', name)), CASE WHEN type = 'jsonb' THEN 'f' ELSE 't' END, 'without a value: ' || name) FROM documented;
-- an array of another type would not compare: numeric = ANY (integer[]) does, so whole numbers are told apart by division
SELECT is(outcome(format('%s = ANY (ARRAY[]::%s[])', name, type), purchase()), 'f', format('%s is of type %s', name, type))
  FROM documented WHERE type <> 'text[]';
SELECT is(outcome(format('%s = ARRAY[]::text[]', name), purchase()), 'f', format('%s is of type %s', name, type)) FROM documented WHERE type = 'text[]';
SELECT is(outcome(format('%s / 1000000 = 0', name), purchase()), CASE type WHEN 'integer' THEN 't' ELSE 'f' END, format('%s is %s', name, type))
  FROM documented WHERE type IN ('integer', 'numeric');

-- ------------------------------------------------------------------ what may be written

SELECT is(outcome(condition, purchase()), result, condition)
  FROM (VALUES
    -- comparisons
    ('order_basis >= 888', 't'), ('order_basis >= 888.51', 'f'), ('order_amount = 900', 't'), ('merchant_id <> 3', 'f'),
    ('merchant_id != 4', 't'), ('hour < 21 AND hour > 19', 't'), ('channel = ''app''', 't'), ('birthday_month', 't'),
    ('NOT birthday_day', 't'), ('first_at_merchant AND NOT first_purchase', 't'), ('tier_rank <= 1 OR tier = ''silver''', 't'),
    ('birthday_month IS TRUE', 't'), ('birthday_day IS NOT FALSE', 'f'), ('first_purchase IS UNKNOWN', 'f'), ('true', 't'), ('NOT true', 'f'),
    ('weekday IN (6, 7)', 'f'), ('weekday NOT IN (6, 7)', 't'), ('channel IN (''app'', ''web'')', 't'),
    ('merchant_id IN (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)', 't'), ('merchant_id NOT IN (1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12)', 't'),
    ('hour BETWEEN 20 AND 22', 't'), ('hour NOT BETWEEN 20 AND 22', 'f'), ('hour BETWEEN SYMMETRIC 22 AND 20', 't'),
    ('occurred_on BETWEEN ''2026-11-01'' AND ''2026-11-11''', 't'), ('occurred_on > date ''2026-11-10''', 't'),
    ('time_of_day >= ''20:00'' AND time_of_day < ''20:15:30.5''', 't'), ('time_of_day < time ''20:15''', 'f'),
    ('occurred_at >= ''2026-11-11 20:15''', 't'), ('occurred_at < ''2026-11-11T20:15:30''', 'f'), ('occurred_at > ''2026-11-11''', 't'),
    -- NULL
    ('sku IS NULL', 'f'), ('sku IS NOT NULL', 't'), ('brand IS DISTINCT FROM NULL', 't'), ('brand IS NOT DISTINCT FROM ''x''', 'f'),
    ('coalesce(days_since_purchase, 999) >= 90', 't'), ('nullif(hour, 20) IS NULL', 't'), ('greatest(order_basis, 900) = 900', 't'),
    ('least(hour, day, month) = 11', 't'), ('''x'' IS NULL', 'f'),
    -- texts
    ('brand LIKE ''Green%''', 't'), ('brand NOT LIKE ''%绿_''', 'f'), ('brand ILIKE ''%TEA%''', 't'), ('brand NOT ILIKE ''green%''', 'f'),
    ('sku LIKE ''A#-%'' ESCAPE ''#''', 't'), ('sku LIKE ANY (ARRAY[''B%'', ''A%''])', 't'), ('sku || ''!'' = ''A-17!''', 't'),
    ('lower(brand) = ''green tea 绿茶''', 't'), ('upper(sku) = ''A-17''', 't'), ('initcap(category) = ''Baby''', 't'),
    ('length(brand) = 12', 't'), ('char_length(brand) = 12', 't'), ('left(sku, 1) = ''A''', 't'), ('right(sku, 2)::int = 17', 't'),
    ('substr(sku, 3) = ''17''', 't'), ('substring(sku, 1, 1) = ''A''', 't'), ('substring(sku FROM 3 FOR 1) = ''1''', 't'),
    ('trim(''  x '') = ''x''', 't'), ('trim(LEADING ''A'' FROM sku) = ''-17''', 't'), ('btrim(sku, ''A7'') = ''-1''', 't'),
    ('ltrim(sku, ''A'') = ''-17''', 't'), ('rtrim(sku, ''7'') = ''A-1''', 't'), ('split_part(sku, ''-'', 2) = ''17''', 't'),
    ('strpos(sku, ''-'') = 2', 't'), ('position(''绿'' IN brand) = 11', 't'), ('starts_with(sku, ''A'')', 't'), ('sku ^@ ''A''', 't'),
    ('E''a\tb'' = ''a'' || E''\t'' || ''b''', 't'), ('''it''''s'' = $$it''s$$', 't'), ('sku < ''B''', 't'),
    -- numbers
    ('order_basis + 11.50 = 900', 't'), ('order_amount - order_basis = 11.5', 't'), ('order_basis * 2 = 1777', 't'), ('order_amount / 4 = 225', 't'),
    ('hour / 7 = 2', 't'), ('hour % 7 = 6', 't'), ('-hour = - 20', 't'), ('abs(-1.5) = 1.5', 't'), ('ceil(order_basis) = 889', 't'),
    ('ceiling(order_basis) = 889', 't'), ('floor(order_basis) = 888', 't'), ('round(order_basis) = 889', 't'), ('round(line_basis / 7, 2) = 42.84', 't'),
    ('trunc(order_basis) = 888', 't'), ('mod(merchant_id, 2) = 1', 't'), ('div(order_basis, 100) = 8', 't'), ('sign(order_basis) = 1', 't'),
    ('sqrt(order_amount) = 30', 't'), ('order_basis::int = 889', 't'), ('order_basis::numeric(6, 1) = 888.5', 't'),
    ('order_basis::float8 > 888.4', 't'), ('hour::text = ''20''', 't'), ('''12''::int = 12', 't'), ('CAST(sku AS varchar) = ''A-17''', 't'),
    ('hour::smallint < 21::bigint', 't'), ('order_basis > 1e2', 't'), ('quantity = 2.5', 't'),
    -- CASE
    ('CASE WHEN hour >= 20 THEN order_basis > 500 ELSE order_basis > 1000 END', 't'), ('CASE tier WHEN ''gold'' THEN 3 WHEN ''silver'' THEN 2 END = 2', 't'),
    ('CASE WHEN merchant_id = 0 THEN 1 / (hour - 20) > 1 ELSE true END', 't'),
    -- days and times
    ('extract(year FROM occurred_at) = 2026', 't'), ('extract(quarter FROM occurred_on) = 4', 't'), ('extract(isodow FROM birthday) = 2', 't'),
    ('extract(minute FROM time_of_day) = 15', 't'), ('extract(week FROM occurred_on) = 46', 't'), ('date_part(''day'', occurred_on) = day', 't'),
    ('date_part(''hour'', occurred_at) = hour', 't'), ('date_trunc(''month'', occurred_at) = ''2026-11-01''', 't'),
    ('date_trunc(''month'', occurred_on::timestamp) = ''2026-11-01''', 't'), ('occurred_on - birthday > 13000', 't'), ('occurred_on + 7 = ''2026-11-18''', 't'),
    ('occurred_at + interval ''1 month 2 days'' = ''2026-12-13 20:15:30''', 't'), ('occurred_at - ''90 minutes''::interval > occurred_on', 't'),
    ('age(occurred_at, birthday::timestamp) >= ''35 years''', 't'), ('age(occurred_at, birthday::timestamp) >= interval ''36 years''', 'f'),
    ('occurred_at - birthday::timestamp > interval ''13000 days''', 't'), ('time_of_day::text = ''20:15:30''', 't'),
    ('make_date(2026, month, day) = occurred_on', 't'), ('occurred_on + make_time(20, 15, 30) = occurred_at', 't'),
    ('make_timestamp(2026, 11, 11, 20, 15, 30) = occurred_at', 't'), ('occurred_at::date = occurred_on AND occurred_at::time = time_of_day', 't'),
    ('attr_date(order_attributes, ''wedding'') = occurred_on', 't'), ('attr_date(order_attributes, ''size'') IS NULL', 't'),
    ('attr_date(order_attributes, ''gift'') IS NULL AND attr_date(order_attributes, ''no'') IS NULL', 't'),
    ('occurred_on IN (''2026-11-10'', ''2026-11-11'')', 't'), ('occurred_on = ANY (''{2026-11-10, NULL, "2026-11-11"}'')', 't'),
    ('occurred_on = ANY (ARRAY[''2026-11-10'', ''2026-11-11'']::date[])', 't'), ('coalesce(birthday, ''2000-01-01'') < ''1991-01-01''', 't'),
    -- arrays
    ('tags && ARRAY[''mother'', ''baby'']', 't'), ('tags @> ''{vip,staff}''', 'f'), ('''{vip}'' <@ tags', 't'), ('''vip'' = ANY (tags)', 't'),
    ('''staff'' <> ALL (tags)', 't'), ('NOT ''vip'' = ANY (tags)', 'f'), ('tags[1] = ''mother''', 't'), ('tags[1:1] = ARRAY[''mother'']', 't'),
    ('cardinality(tags) = 2', 't'), ('array_length(tags, 1) = 2', 't'), ('array_position(tags, ''vip'') = 2', 't'), ('tags || ARRAY[''x''] @> ARRAY[''x'']', 't'),
    ('''web'' = ANY (string_to_array(''app,web'', '',''))', 't'), ('hour = ANY (''{19,20}''::int[])', 't'), ('merchant_id = ANY (ARRAY[1, 2])', 'f'),
    -- jsonb
    ('order_attributes ->> ''size'' = ''42''', 't'), ('(order_attributes ->> ''size'')::int > 40', 't'), ('(order_attributes -> ''gift'')::boolean', 't'),
    ('(order_attributes ->> ''gift'')::boolean', 't'), ('member_attributes @> ''{"city": "杭州"}''', 't'), ('(member_attributes -> ''children'')::int = 2', 't'),
    ('order_attributes @> ''{"items": [{"sku": "y"}]}''', 't'), ('order_attributes ? ''gift''', 't'), ('order_attributes ?| ARRAY[''a'', ''gift'']', 't'),
    ('order_attributes ?& ARRAY[''a'', ''gift'']', 'f'), ('order_attributes #>> ''{items,1,sku}'' = ''y''', 't'), ('order_attributes #> ''{items,0}'' = ''{"sku": "x"}''', 't'),
    ('jsonb_array_length(order_attributes -> ''items'') = 2', 't'), ('jsonb_typeof(order_attributes -> ''gift'') = ''boolean''', 't'),
    ('order_attributes[''size''] = ''"42"''', 't'), ('order_attributes -> ''items'' -> 0 ->> ''sku'' = ''x''', 't'), ('order_attributes = ''{}''', 'f'),
    ('''{"gift": true}'' <@ order_attributes', 't'), ('member_attributes || order_attributes ? ''city''', 't'), ('member_attributes - ''city'' = ''{"children": 2}''', 't'),
    -- writing
    ('pg_catalog.length(sku) OPERATOR(pg_catalog.=) 4::pg_catalog.int4', 't'), ('"hour" = 20', 't'), ('HOUR = 20', 't'), ('((hour)) = (20)', 't'),
    ('hour = 20 -- the evening', 't'), (E'hour /* the\n evening */ =\n\t20', 't'), ('birthday_month = ''yes''', 't'), ('''t''', 't')
    ) c (condition, result);

-- ------------------------------------------------------------------ and what else PostgreSQL has is refused

-- Every function and operator over every combination of its types, every type: what is accepted is what is documented.
CREATE TEMP TABLE sample (type regtype PRIMARY KEY, value text);
INSERT INTO sample VALUES
    ('boolean', 'first_purchase'), ('smallint', 'hour::smallint'), ('integer', 'hour'), ('bigint', 'hour::bigint'), ('numeric', 'order_basis'), ('float8', 'order_basis::float8'),
    ('text', 'brand'), ('date', 'occurred_on'), ('time', 'time_of_day'), ('timestamp', 'occurred_at'), ('interval', 'interval ''1 day'''), ('jsonb', 'order_attributes'), ('text[]', 'tags'),
    ('integer[]', 'ARRAY[1]'), ('anyarray', 'tags'), ('anycompatiblearray', 'tags'), ('anyelement', 'brand'), ('anynonarray', 'brand'), ('anycompatible', 'brand'), ('anycompatiblenonarray', 'brand'), ('"any"', 'brand'),
    ('timestamptz', '''2026-01-01'''), ('cstring', '''x'''), ('name', '''x'''), ('regclass', '''pg_class'''), ('jsonpath', '''$'''), ('bytea', '''x'''), ('oid', '''1'''), ('regconfig', '''simple''');
CREATE TEMP TABLE call AS
SELECT p.proname, format('%I(%s) IS NULL', p.proname, string_agg(s.value, ', ' ORDER BY a.n)) AS condition
  FROM pg_proc p LEFT JOIN LATERAL unnest(p.proargtypes::oid[]) WITH ORDINALITY a (type, n) ON true LEFT JOIN sample s ON s.type = a.type
 WHERE p.pronamespace = 'pg_catalog'::regnamespace
 GROUP BY p.oid HAVING count(*) FILTER (WHERE a.type IS NOT NULL AND s.type IS NULL) = 0;
SELECT cmp_ok((SELECT count(*) FROM call), '>', 1500::bigint, 'there are many functions');
SELECT set_eq($$SELECT proname FROM call WHERE outcome(condition) !~ '^MB302' AND proname <> 'like_escape'$$, -- which LIKE ... ESCAPE is turned into
              $$SELECT m[1] FROM regexp_matches(substring(current_setting('test.rules') FROM '\| functions of .*?\n\n'), '`(\w+)`', 'g') m$$,
              'the functions of doc/rules.md are accepted, and no other');
SELECT is_empty($$SELECT condition, outcome(condition) FROM call WHERE outcome(condition) !~ '^(MB302|[tf]$|22)'$$, '... by MB302 alone');
CREATE TEMP TABLE operation AS
SELECT o.oprname, format('(%s OPERATOR(pg_catalog.%s) %s) IS NULL', l.value, o.oprname, r.value) AS condition
  FROM pg_operator o LEFT JOIN sample l ON l.type = o.oprleft JOIN sample r ON r.type = o.oprright
 WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND (l.type IS NOT NULL OR o.oprleft = 0);
SELECT set_eq($$SELECT oprname::text FROM operation WHERE outcome(condition) !~ '^MB302'$$,
              $$SELECT unnest('{=,<>,<,<=,>,>=,+,-,*,/,%,||,&&,@>,<@,->,->>,#>,#>>,?,?|,?&,^@,~~,!~~,~~*,!~~*}'::text[])$$, 'operators');
SELECT set_eq($$SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND outcome(format('NULL::pg_catalog.%I IS NULL', typname)) !~ '^MB302'$$,
              $$SELECT typname FROM pg_type
                 WHERE oid IN (SELECT m[1]::regtype FROM regexp_matches(substring(current_setting('test.rules') FROM 'Types of casts: .*? arrays'), '`([a-z ]+)`', 'g') m)$$, 'types');

-- ------------------------------------------------------------------ NULL counts neither way

SELECT is(outcome(condition), result, condition || ' without a value')
  FROM (VALUES
    ('hour = 1', 'null'), ('NOT hour = 1', 'null'), ('hour = 1 OR true', 't'), ('hour = 1 AND false', 'f'), ('hour = 1 AND true', 'null'), ('hour <> 1', 'null'),
    ('hour IN (1, 2)', 'null'), ('hour NOT IN (1, 2)', 'null'), ('hour IN (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)', 'null'), ('1 IN (1, NULL)', 't'), ('1 IN (2, NULL)', 'null'),
    ('1 NOT IN (2, NULL)', 'null'), ('hour BETWEEN 1 AND 2', 'null'), ('brand LIKE ''%''', 'null'), ('tags && ''{a}''', 'null'), ('''a'' = ANY (tags)', 'null'),
    ('NULL', 'null'), ('NULL IS NULL', 't'), ('hour = NULL', 'null'), ('hour IS DISTINCT FROM 1', 't'), ('hour IS NOT DISTINCT FROM NULL', 't'), ('first_purchase', 'null'),
    ('NOT first_purchase', 'null'), ('first_purchase IS NOT TRUE', 't'), ('first_purchase IS FALSE', 'f'), ('coalesce(first_purchase, false)', 'f'),
    ('CASE WHEN first_purchase THEN true ELSE false END', 'f'), ('CASE WHEN first_purchase THEN true END', 'null'), ('hour / 0 = 1', 'null'),
    ('order_attributes ->> ''x'' = ''1''', 'null'), ('order_attributes @> ''{"x": 1}''', 'f'), ('attr_date(order_attributes, ''d'') = occurred_on', 'null'),
    ('age >= 18', 'null'), ('greatest(hour, 1) = 1', 't')
    ) c (condition, result);
SELECT is(outcome('1 NOT IN (NULL, 2, 3, 4, 5, 6, 7, 8, 9, 10, hour)'), 'null', 'a NULL in a long list');
SELECT is(outcome('hour NOT IN (NULL, 2, 3, 4, 5, 6, 7, 8, 9, 10)', '{"hour": 1}'), 'null', 'a NULL in a long list of constants');
SELECT is(outcome('''a'' = ANY (tags) AND tags[1] IS NULL', '{"tags": [null, "a"]}'), 't', 'a NULL in tags');
SELECT is(outcome('member_attributes IS NULL', '{"member_attributes": null}'), 't', 'a null of the context is NULL');

-- ------------------------------------------------------------------ errors on values are the values' own

SELECT is(outcome(condition, context::jsonb), result, condition || ' with ' || context)
  FROM (VALUES
    ('100 / hour > 1', '{"hour": 0}', '22012 division by zero'), ('order_basis / (order_amount - 1) > 1', '{"order_basis": 1, "order_amount": 1}', '22012 division by zero'),
    ('sku::int = 1', '{"sku": "many"}', '22P02 invalid input syntax for type integer: "many"'), ('(order_attributes -> ''n'')::int = 1', '{"order_attributes": {"n": "x"}}', '22023 cannot cast jsonb string to type integer'),
    ('make_date(2026, month, 30) = occurred_on', '{"month": 2}', '22008 date field value out of range: 2026-02-30'), ('hour + 2147483647 > 1', '{"hour": 1}', '22003 integer out of range'),
    ('date_part(sku, occurred_at) = 1', '{"sku": "timezone", "occurred_at": "2026-01-01"}', '0A000 unit "timezone" not supported for type timestamp without time zone'),
    ('brand LIKE sku', '{"brand": "ab", "sku": "a\\"}', '22025 LIKE pattern must not end with escape character')
    ) c (condition, context, result);
SELECT is(outcome('CASE WHEN hour <> 0 THEN 100 / hour > 1 END', '{"hour": 0}'), 'null', 'a guarded division does not fail');

-- ------------------------------------------------------------------ dates of attributes

SELECT is(attr_date(jsonb_build_object('d', v.value), 'd'), v.result, 'attr_date of ' || v.value::text)
  FROM (VALUES ('"2024-02-29"'::jsonb, '2024-02-29'::date), ('"2023-02-29"', NULL), ('"0001-01-01"', '0001-01-01'), ('"0000-01-01"', NULL), ('"9999-12-31"', '9999-12-31'),
               ('"2026-1-1"', NULL), ('"2026-01-01 "', NULL), ('"20260101"', NULL), ('"2026-00-10"', NULL), ('"2026-13-01"', NULL), ('"2026-04-31"', NULL), ('"today"', NULL),
               ('"2026/01/01"', NULL), ('"-026-01-01"', NULL), ('"infinity"', NULL), ('20260101', NULL), ('null', NULL), ('["2026-01-01"]', NULL), ('"２026-01-0"', NULL)) v (value, result);
SELECT is(attr_date('["d"]', 'd'), NULL, 'attr_date of an array');
SELECT is(attr_date('"d"', 'd'), NULL, 'attr_date of a text');

-- ------------------------------------------------------------------ limits

SELECT is(outcome(repeat(' ', 8188) || 'true'), 't', '8,192 bytes');
SELECT is(outcome(repeat(' ', 8189) || 'true'), 'MB302 the condition is longer than 8192 bytes', '8,193 bytes');
-- n times NOT, and true
SELECT is(outcome(repeat('NOT ', 1999) || 'true'), 'f', '2,000 parts');
SELECT is(outcome(repeat('NOT ', 2000) || 'true'), 'MB302 the condition has more than 2000 parts', '2,001 parts');
SELECT is(outcome('0' || repeat('+1', 999) || '= 999'), 'MB302 the condition has more than 2000 parts', '999 sums: 1,000 numbers, 999 + 1 operators, 999');
SELECT is(outcome('0' || repeat('+1', 998) || '= 998'), 't', '998 sums');
SELECT is(outcome(repeat('(', 4000) || 'true' || repeat(')', 4000)), 't', 'parentheses are no parts');
SELECT is(outcome('order_basis < ' || repeat('9', 40), purchase()), 't', '40 digits');
SELECT is(outcome('order_basis < ' || repeat('9', 41)), 'MB302 a number has more than 40 digits', '41 digits');
SELECT is(outcome('order_basis < 0.' || repeat('1', 39)), 'MB302 a number has more than 40 digits', '39 decimals');
SELECT is(outcome('1 < ANY (ARRAY[1e999]) OR 1e-999 < 1'), 'MB302 a number has more than 40 digits', 'exponents');
SELECT is(left(outcome('occurred_at - occurred_at < ''infinity''::interval'), 5), 'MB302', 'an endless interval');

-- ------------------------------------------------------------------ whatever else the caller has set

CREATE FUNCTION public.outcome_with(setting text, value text, condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    before text := current_setting(setting);
    result text;
BEGIN
    PERFORM set_config(setting, value, true);
    result := public.outcome(condition, public.purchase());
    IF current_setting(setting) <> value THEN
        result := setting || ' became ' || current_setting(setting);
    END IF;
    PERFORM set_config(setting, before, true);
    RETURN result;
END
$$;
SELECT is(outcome_with(setting, value, condition), 't', format('%s with %s = %s', condition, setting, value))
  FROM (VALUES ($$length('a\b') = 3$$), ($$(brand = NULL) IS NULL$$), ($$extract(month FROM date '2026-02-03') = 2$$), ($$extract(day FROM timestamp '2026-02-03') = 3$$),
               ($$interval '-1 day 2 hours' = interval '-22 hours'$$), ($$(0.1::float8 + 0.2::float8)::text = '0.30000000000000004'$$),
               ($$array_position('{a,NULL}'::text[], NULL) = 2$$), ($$hour = 20 AND sku = 'A-17'$$), ($$E'it\'s' = 'it''s'$$),
               ($$attr_date(order_attributes, 'wedding') = '2026-11-11'$$)) c (condition),
       (VALUES ('standard_conforming_strings', 'off'), ('transform_null_equals', 'on'), ('datestyle', 'SQL, DMY'), ('intervalstyle', 'iso_8601'), ('intervalstyle', 'sql_standard'),
               ('timezone', 'Pacific/Apia'), ('extra_float_digits', '-15'), ('array_nulls', 'off'), ('backslash_quote', 'off'), ('search_path', 'public'), ('search_path', 'pg_temp'),
               ('quote_all_identifiers', 'on'), ('plan_cache_mode', 'force_generic_plan')) s (setting, value);

-- ------------------------------------------------------------------ whatever the caller has made

CREATE TABLE public.reached (what text);
CREATE SCHEMA evil;
CREATE ROLE t_operator;
SELECT grant_access('t_operator', 'operator') \gset
GRANT INSERT ON public.reached TO PUBLIC;
GRANT ALL ON SCHEMA evil TO t_operator;
SET LOCAL ROLE t_operator;
DO $make$
DECLARE
    item record;
BEGIN
    FOR item IN SELECT * FROM (VALUES ('=', 'integer', 'integer'), ('=', 'text', 'text'), ('>=', 'numeric', 'integer'), ('>=', 'numeric', 'numeric'), ('&&', 'text[]', 'text[]')) o (name, l, r)
    LOOP
        EXECUTE format($f$CREATE FUNCTION evil.%I(%s, %s) RETURNS boolean LANGUAGE plpgsql AS
            'BEGIN INSERT INTO public.reached VALUES (''operator''); RETURN false; END'$f$, item.name, item.l, item.r);
        EXECUTE format('CREATE OPERATOR evil.%s (FUNCTION = evil.%I, LEFTARG = %s, RIGHTARG = %s)', item.name, item.name, item.l, item.r);
    END LOOP;
    FOR item IN SELECT * FROM unnest('{evil,pg_temp}'::text[]) place, unnest('{"length(text)","lower(text)","round(numeric)","attr_date(jsonb, text)"}'::text[]) signature
    LOOP
        EXECUTE format($f$CREATE FUNCTION %s.%s RETURNS integer LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER AS
            'BEGIN INSERT INTO public.reached VALUES (''function''); RETURN 0; END'$f$, item.place, item.signature);
    END LOOP;
    CREATE FUNCTION evil.check(integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN INSERT INTO public.reached VALUES (''domain''); RETURN true; END';
    CREATE DOMAIN evil.int4 AS pg_catalog.int4 CHECK (evil.check(VALUE));
    CREATE DOMAIN pg_temp.numeric AS pg_catalog.int4 CHECK (evil.check(VALUE));
    CREATE DOMAIN pg_temp.date AS pg_catalog.int4 CHECK (evil.check(VALUE));
    CREATE DOMAIN evil.mine AS pg_catalog.int4 CHECK (evil.check(VALUE));
    CREATE TEMPORARY TABLE purchase (hour integer);
END
$make$;
RESET ROLE;
-- a caller's own query does run into it
SET LOCAL search_path = evil, pg_temp, pg_catalog;
SELECT 20 = 20 AS mine, 888.5 >= 888 AS mine_too \gset
SET LOCAL search_path = membership, public;
SELECT is(:'mine' || :'mine_too' || (SELECT count(*) FROM public.reached), 'ff2', 'a caller''s own query meets the caller''s operators');
TRUNCATE public.reached;
SELECT is(outcome_with('search_path', path, condition), 't', condition || ' with search_path = ' || path)
  FROM unnest('{"evil, pg_temp, pg_catalog","pg_temp, evil","evil"}'::text[]) path,
       unnest(ARRAY[$$hour = 20$$, $$sku = 'A-17'$$, $$order_basis >= 888$$, $$order_basis >= 888.5$$, $$tags && ARRAY['vip']$$, $$length(sku) = 4$$, $$lower(sku) = 'a-17'$$, $$round(order_basis) = 889$$,
                    $$'20'::int4 = hour AND '888.5'::numeric = order_basis AND date '2026-11-11' = occurred_on$$, $$attr_date(order_attributes, 'wedding') = occurred_on$$]) condition;
SELECT is(outcome(condition, purchase()), result, condition)
  FROM (VALUES ('evil.length(sku) = 0', 'MB302 function length is not allowed in a condition'), ('pg_temp.length(sku) = 0', 'MB302 function length is not allowed in a condition'),
               ('hour OPERATOR(evil.=) 20', 'MB302 operator = is not allowed in a condition'), ('hour::evil.mine = 20', 'MB302 type mine is not allowed in a condition'),
               ('hour::mine = 20', 'MB302 type mine is not allowed in a condition'), ('''20''::evil.mine = 20', 'MB302 type mine is not allowed in a condition'),
               ('purchase.hour = 20', 'MB302 only columns of the purchase are allowed in a condition')) c (condition, result);
-- what a superuser put among PostgreSQL's own is not PostgreSQL's own
SET LOCAL allow_system_table_mods = on;
CREATE FUNCTION pg_catalog.length(jsonb) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE FUNCTION pg_catalog.evil_plus(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE OPERATOR pg_catalog.+ (FUNCTION = pg_catalog.evil_plus, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR pg_catalog.- (FUNCTION = pg_catalog.textcat, LEFTARG = text, RIGHTARG = text);
RESET allow_system_table_mods;
SELECT is(outcome('length(order_attributes) = 1'), 'MB302 function length is not allowed in a condition', 'a function added to pg_catalog');
SELECT is(outcome('sku + brand = sku'), 'MB302 an operator is not allowed on values of these types in a condition', 'an operator added to pg_catalog');
SELECT is(outcome('sku - brand = sku'), 'MB302 an operator is not allowed on values of these types in a condition', 'an operator added over a function of PostgreSQL''s');
CREATE FUNCTION public.text_to_time(text) RETURNS time LANGUAGE plpgsql IMMUTABLE AS 'BEGIN INSERT INTO public.reached VALUES (''cast''); RETURN ''00:00''; END';
CREATE CAST (text AS time) WITH FUNCTION public.text_to_time(text);
SELECT is(outcome('sku::time = time_of_day'), 'MB302 function text_to_time is not allowed in a condition', 'a cast added to PostgreSQL''s types');
SELECT is_empty('SELECT * FROM public.reached', 'none of it was ever reached');

-- ------------------------------------------------------------------ who

CREATE FUNCTION public.outcome_as(who text, call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    BEGIN
        EXECUTE 'SELECT ' || call INTO result;
    EXCEPTION WHEN OTHERS THEN
        result := SQLSTATE;
    END;
    IF current_user <> who THEN
        result := 'became ' || current_user;
    END IF;
    RESET ROLE;
    RETURN result;
END
$$;
CREATE ROLE t_till;
CREATE ROLE t_analyst;
SELECT grant_access('t_till', 'application'), grant_access('t_analyst', 'analyst') \gset
SELECT is(outcome_as(who, call), result, who || ': ' || call)
  FROM (VALUES
    ('t_operator', 'membership.try_condition(''hour = 1'', ''{"hour": 1}'')', 'true'),
    ('t_operator', 'membership.try_condition(''attr_date(order_attributes, ''''d'''') = ''''2026-01-01'''''', ''{"order_attributes": {"d": "2026-01-01"}}'')', 'true'),
    ('t_operator', 'membership.try_condition(''hour ='')', 'MB302'), ('t_operator', 'membership.try_condition(''1 / hour = 1'', ''{"hour": 0}'')', '22012'),
    ('t_till', 'membership.try_condition(''true'')', '42501'), ('t_analyst', 'membership.try_condition(''true'')', '42501'),
    ('t_till', 'membership.attr_date(''{"d": "2026-01-01"}'', ''d'')', '2026-01-01'), ('t_analyst', 'membership.attr_date(''{}'', ''d'')', '42501')) c (who, call, result);
-- the owner evaluates: a new one may call attr_date too
CREATE ROLE t_owner;
SELECT set_owner('t_owner') \gset
SELECT is(outcome_as('t_operator', 'membership.try_condition(''attr_date(order_attributes, ''''d'''') IS NULL'')'), 'true', 'after a change of owner');

-- ------------------------------------------------------------------ nothing is left

CREATE TEMP TABLE memory AS SELECT 0::bigint AS used;
SELECT is((SELECT count(try_condition('hour IN (1, 2, 3, 4, 5, 6, 7, 8, 9, 10) AND brand LIKE ''%a%''', jsonb_build_object('hour', g % 20, 'brand', 'tea'))) FROM generate_series(1, 1000) g), 1000::bigint, 'a first thousand');
UPDATE memory SET used = (SELECT sum(total_bytes) FROM pg_backend_memory_contexts);
SELECT is((SELECT count(try_condition('hour IN (1, 2, 3, 4, 5, 6, 7, 8, 9, 10) AND brand LIKE ''%a%''', jsonb_build_object('hour', g % 20, 'brand', 'tea'))) FROM generate_series(1, 5000) g), 5000::bigint, 'five thousand more');
SELECT cmp_ok((SELECT sum(total_bytes) FROM pg_backend_memory_contexts) - used, '<', 500000::numeric, 'leave no memory') FROM memory;
DO $$ BEGIN FOR i IN 1..500 LOOP PERFORM public.outcome('1 / hour = 1', '{"hour": 0}'), public.outcome('hour ='); END LOOP; END $$;
UPDATE memory SET used = (SELECT sum(total_bytes) FROM pg_backend_memory_contexts);
DO $$ BEGIN FOR i IN 1..2000 LOOP PERFORM public.outcome('1 / hour = 1', '{"hour": 0}'), public.outcome('hour ='); END LOOP; END $$;
SELECT cmp_ok((SELECT sum(total_bytes) FROM pg_backend_memory_contexts) - used, '<', 500000::numeric, 'nor do those that fail') FROM memory;

SELECT * FROM finish();
ROLLBACK;
