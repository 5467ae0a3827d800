-- Every refusal of a condition as its author sees it: cause, place, what to write instead.
SET client_min_messages = warning;
\set VERBOSITY default
\set QUIET on
\pset format unaligned
\pset tuples_only on

CREATE EXTENSION membership;
SELECT membership.try_condition('true');
SELECT membership.create_program('Mall', 'Asia/Shanghai');
SET search_path = membership;

-- ------------------------------------------------------------------ not one expression
SELECT try_condition('');
\echo :SQLSTATE
SELECT try_condition(' -- nothing');
SELECT try_condition('order_basis >');
SELECT try_condition('(order_basis > 1');
SELECT try_condition('order_basis > 1) OR (true');
SELECT try_condition('true; SELECT 1');
SELECT try_condition('ALL true');
SELECT try_condition('true AS x');
SELECT try_condition('true AND');
SELECT try_condition('true AND -- more');
SELECT try_condition('true x');
SELECT try_condition('true, false');
SELECT try_condition('*');
SELECT try_condition('DISTINCT true');
SELECT try_condition('true FROM pg_class');
SELECT try_condition('true WHERE false');
SELECT try_condition('true GROUP BY hour');
SELECT try_condition('true ORDER BY hour');
SELECT try_condition('true LIMIT 1');
SELECT try_condition('true UNION SELECT false');
SELECT try_condition('true INTO x');
SELECT try_condition('brand = ''open');
SELECT try_condition('true /* open');
SELECT try_condition('order_basis');
SELECT try_condition('hour = ''noon''');
SELECT try_condition('order_attributes @> ''{"gift"''');
SELECT try_condition('order_basis + brand > 1');

-- ------------------------------------------------------------------ the place, after text of more than a byte a character
SELECT try_condition('brand = ''茶馆'' AND category = ''茶'' AND nextval(''s'') > 0');
SELECT try_condition('brand = ''茶馆'' AND 会员 = 1');
SELECT try_condition('brand = ''茶馆''
   AND channel = "app"');
SELECT try_condition('brand = ''茶馆'' AND');
SELECT try_condition('brand = ''茶馆'' AND occurred_on = ''昨天''');

-- ------------------------------------------------------------------ names
SELECT try_condition('amount > 1');
SELECT try_condition('channel = "app"');
SELECT try_condition('purchase.hour = 1');
SELECT try_condition('(tags).length = 1');
SELECT try_condition('(tags).*');
SELECT try_condition('ctid IS NULL');
SELECT try_condition('hour = $1');
SELECT try_condition('foo(brand)');
SELECT try_condition('public.length(brand) = 1');
SELECT try_condition('membership.attr_date(order_attributes, ''d'') = occurred_on');
SELECT try_condition('hour OPERATOR(public.=) 1');
SELECT try_condition('hour = 1::public.integer');
SELECT try_condition('attr_date(order_attributes) = occurred_on');
SELECT try_condition('round(brand) = 1');

-- ------------------------------------------------------------------ other tables, other rows
SELECT try_condition('EXISTS (SELECT FROM membership.member)');
SELECT try_condition('merchant_id IN (SELECT merchant_id FROM membership.merchant)');
SELECT try_condition('tags = ARRAY(SELECT ''a''::text)');
SELECT try_condition('count(*) > 1');
SELECT try_condition('sum(order_basis) > 1');
SELECT try_condition('row_number() OVER () = 1');
SELECT try_condition('length(brand) FILTER (WHERE true) = 1');
SELECT try_condition('unnest(tags) = ''a''');
SELECT try_condition('(hour, day) = (1, 2)');
SELECT try_condition('ROW(hour) = ROW(1)');
SELECT try_condition('round(VARIADIC tags)');
SELECT try_condition('split_part(brand, delimiter => ''-'', n => 1) = ''a''');

-- ------------------------------------------------------------------ the clock and the session
SELECT try_condition('occurred_at > now()');
SELECT try_condition('occurred_on = current_date');
SELECT try_condition('current_user = ''root''');
SELECT try_condition('occurred_on = ''today''');
SELECT try_condition('occurred_on > date ''yesterday''');
SELECT try_condition('occurred_at > ''now''');
SELECT try_condition('occurred_on < ''infinity''');
SELECT try_condition('occurred_at > ''-infinity''::timestamp');
SELECT try_condition('occurred_at > ''epoch''');
SELECT try_condition('occurred_at > ''2026-01-01 00:00+08''');
SELECT try_condition('time_of_day > ''allballs''');
SELECT try_condition('occurred_on IN (''2026-01-01'', ''tomorrow'')');
SELECT try_condition('occurred_on = ANY (''{2026-01-01,tomorrow}'')');
SELECT try_condition('occurred_on = ANY (ARRAY[''2026-01-01'', ''tomorrow'']::date[])');
SELECT try_condition('occurred_on > ''11/10/2026''');
SELECT try_condition('occurred_on = ''2026-02-30''');
SELECT try_condition('age(birthday) > interval ''18 years''');
SELECT try_condition('age(occurred_on, birthday) > interval ''18 years''');
SELECT try_condition('date_trunc(''month'', occurred_on) = occurred_on');
SELECT try_condition('occurred_at::timestamptz > occurred_at');
SELECT try_condition('occurred_at > timestamptz ''2026-01-01''');
SELECT try_condition('occurred_at AT TIME ZONE ''UTC'' > occurred_at');
SELECT try_condition('to_char(occurred_at, ''HH24'') = ''10''');

-- ------------------------------------------------------------------ what hangs on settings
SELECT try_condition('(order_attributes ->> ''d'')::date = occurred_on');
SELECT try_condition('occurred_on::text LIKE ''%-11-%''');
SELECT try_condition('occurred_at::text LIKE ''%-11-%''');
SELECT try_condition('tags::text = ''{a}''');
SELECT try_condition('brand || hour = ''a1''');
SELECT try_condition('concat(brand, sku) = ''a''');
SELECT try_condition('format(''%s'', brand) = ''a''');
SELECT try_condition('to_number(sku, ''9'') = 1');

-- ------------------------------------------------------------------ what costs too much, or is no matter of a condition
SELECT try_condition('brand ~ ''^a''');
SELECT try_condition('brand !~* ''^a''');
SELECT try_condition('brand SIMILAR TO ''a%''');
SELECT try_condition('regexp_replace(brand, ''a'', ''b'') = ''b''');
SELECT try_condition('substring(brand, ''^a'') = ''a''');
SELECT try_condition('substring(brand FROM ''a'' FOR ''#'') = ''a''');
SELECT try_condition('replace(brand, ''a'', replace(brand, ''a'', brand)) = ''a''');
SELECT try_condition('repeat(brand, 1000000) = ''a''');
SELECT try_condition('power(order_basis, 2) > 1');
SELECT try_condition('order_basis ^ 2 > 1');
SELECT try_condition('order_attributes @? ''$.a''');
SELECT try_condition('brand COLLATE "C" < ''b''');
SELECT try_condition('brand = B''1''');
SELECT try_condition('hour::oid = 1');
SELECT try_condition('sku::"char" = ''a''');
SELECT try_condition('''pg_class''::regclass IS NOT NULL');
SELECT try_condition('xmlparse(CONTENT brand) IS DOCUMENT');
SELECT try_condition('pg_sleep(1) IS NULL');
SELECT try_condition('setval(''membership.member_id_seq'', 1) > 0');
SELECT try_condition('query_to_xml(''SELECT 1'', true, true, '''') IS NULL');

-- ------------------------------------------------------------------ what would fail at every purchase
SELECT try_condition('hour = 1 / 0');
SELECT try_condition('extract(hour FROM occurred_on) > 20');
SELECT try_condition('extract(fortnight FROM occurred_at) = 1');
SELECT try_condition('date_trunc(''day'', occurred_at, ''UTC'') = occurred_at');
SELECT try_condition('order_basis > ''much''');

-- ------------------------------------------------------------------ numbers of more than 40 digits
SELECT try_condition('order_basis < 1234567890123456789012345678901234567890');
SELECT try_condition('order_basis < 12345678901234567890123456789012345678901');
SELECT try_condition('sqrt(1e100000 * order_basis) > 1');
SELECT try_condition('order_basis < ''1e41''');
SELECT try_condition('order_basis < ANY (''{1,1e41}'')');

-- ------------------------------------------------------------------ try_condition itself
SELECT try_condition(NULL);
\echo :SQLSTATE
SELECT try_condition('true', NULL);
\echo :SQLSTATE
SELECT try_condition('true', '[]');
\echo :SQLSTATE
SELECT try_condition('true', '{"amount": 1}');
\echo :SQLSTATE
SELECT try_condition('true', '{"hour": []}');
\echo :SQLSTATE
SELECT try_condition('true', '{"hour": "noon"}');
\echo :SQLSTATE
SELECT try_condition('true', '{"tags": "vip"}');
\echo :SQLSTATE
SELECT try_condition('100 / hour > 1', '{"hour": 0}');
\echo :SQLSTATE
SELECT try_condition('(order_attributes ->> ''n'')::numeric > 1', '{"order_attributes": {"n": "many"}}');
\echo :SQLSTATE

RESET search_path;
DROP EXTENSION membership CASCADE;
DROP SCHEMA membership CASCADE;
