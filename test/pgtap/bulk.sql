-- The bulk road: accrue_batch against as many single calls, and what import_* brings from another system.
\set tests 94
\ir setup.psql
SELECT open_mall() \gset
INSERT INTO merchant (merchant_id, name, party_id, pending_days) VALUES (4, 'Jeweller', 2, 5);

-- ------------------------------------------------------------------ accrue_batch is as many single calls

-- Every row that a member has, as text.
CREATE FUNCTION public.picture() RETURNS text[]
LANGUAGE sql VOLATILE AS $$
    SELECT array_agg(line ORDER BY line COLLATE "C")
      FROM (SELECT 'member ' || x::text FROM membership.member x
            UNION ALL SELECT 'account ' || x::text FROM membership.account x
            UNION ALL SELECT 'receipt ' || x::text FROM membership.receipt x
            UNION ALL SELECT 'receipt_ref ' || x::text FROM membership.receipt_ref x
            UNION ALL SELECT 'journal ' || x::text FROM membership.journal x
            UNION ALL SELECT 'journal_context ' || x::text FROM membership.journal_context x
            UNION ALL SELECT 'ledger_entry ' || x::text FROM membership.ledger_entry x
            UNION ALL SELECT 'lot ' || x::text FROM membership.lot x
            UNION ALL SELECT 'activity_day ' || x::text FROM membership.activity_day x
            UNION ALL SELECT 'merchant_split ' || x::text FROM membership.merchant_split x
            UNION ALL SELECT 'tier_history ' || x::text FROM membership.tier_history x) t (line)
$$;

-- Posts purchases, in batches of a size or (NULL) one by one, notes results and all rows, and undoes it.
CREATE FUNCTION public.outcome(purchases membership.purchase[], size integer, OUT results text[], OUT picture text[], OUT violations text[])
LANGUAGE plpgsql AS $$
DECLARE
    p record;
    result membership.batch_result;
BEGIN
    BEGIN
        IF size IS NOT NULL THEN
            FOR i IN 0 .. (cardinality(purchases) - 1) / size LOOP
                FOR result IN SELECT * FROM membership.accrue_batch(purchases[i * size + 1 : (i + 1) * size]) LOOP
                    result.row_no := i * size + result.row_no;
                    results := results || result::text;
                END LOOP;
            END LOOP;
        ELSE
            FOR p IN SELECT * FROM unnest(purchases) WITH ORDINALITY LOOP
                BEGIN
                    SELECT p.ordinality, a.*, NULL, NULL INTO STRICT result
                      FROM membership.accrue_points(p.member_id, p.merchant_id, p.amount, p.order_ref, p.occurred_at, coalesce(p.channel, 'pos'),
                               p.lines, p.tenders, coalesce(p.attributes, '{}'), p.external_refs, p.exchange_of, p.at) a;
                EXCEPTION WHEN OTHERS THEN
                    result := NULL;
                    result.row_no := p.ordinality;
                    result.sqlstate := SQLSTATE;
                    result.message := SQLERRM;
                END;
                results := results || result::text;
            END LOOP;
        END IF;
        picture := public.picture();
        violations := (SELECT array_agg(v::text) FROM membership.verify() v);
        RAISE EXCEPTION USING ERRCODE = 'ZZ999';
    EXCEPTION WHEN SQLSTATE 'ZZ999' THEN
        NULL;
    END;
END
$$;

-- Lines of one picture that the other has not.
CREATE FUNCTION public.differences(a text[], b text[]) RETURNS text[]
LANGUAGE sql AS $$
    SELECT coalesce(array_agg(line), '{}')
      FROM ((SELECT '- ' || x FROM (SELECT unnest(a) EXCEPT ALL SELECT unnest(b)) t (x) LIMIT 5)
            UNION ALL (SELECT '+ ' || x FROM (SELECT unnest(b) EXCEPT ALL SELECT unnest(a)) t (x) LIMIT 5)) d (line)
$$;

-- Three assertions: batches of a size give what single calls give.
CREATE FUNCTION public.same_as_single_calls(purchases membership.purchase[], size integer, what text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    single record;
    batch record;
BEGIN
    SELECT * INTO single FROM public.outcome(purchases, NULL);
    SELECT * INTO batch FROM public.outcome(purchases, size);
    RETURN NEXT public.is(public.differences(single.results, batch.results), '{}', what || ': the same results');
    RETURN NEXT public.is(public.differences(single.picture, batch.picture), '{}', what || ': the same rows');
    RETURN NEXT public.is(batch.violations, NULL, what || ': and they are sound');
END
$$;

-- A number from 0 to n - 1 that looks like chance and is always the same.
CREATE FUNCTION public.dice(throw integer, what text, n integer) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$ SELECT ('x' || substr(md5(throw || what), 1, 7))::bit(28)::integer % n $$;

-- Purchases of twelve members in a year and a half, with all that can be wrong about them.
CREATE FUNCTION public.purchases(n integer) RETURNS membership.purchase[]
LANGUAGE plpgsql AS $$
DECLARE
    made membership.purchase[] := '{}';
    p membership.purchase;
    earlier membership.purchase;
    cents integer;
BEGIN
    FOR i IN 1 .. n LOOP
        p := NULL;
        cents := dice(i, 'cents', CASE WHEN dice(i, 'dear', 5) = 0 THEN 500000 ELSE 40000 END);
        p.member_id := m('batch ' || dice(i, 'member', 12) + 1);
        p.merchant_id := dice(i, 'merchant', 4) + 1;
        p.amount := cents / 100.0::numeric(18, 2);
        p.order_ref := 'order ' || i;
        -- forward by 20 hours a purchase, now and then back by up to 20 days
        p.at := timestamptz '2024-01-01 09:00+08' + i * interval '20 hours'
                - CASE WHEN dice(i, 'back', 6) = 0 THEN dice(i, 'by', 480) * interval '1 hour' ELSE '0' END;
        IF dice(i, 'channel', 4) = 0 THEN p.channel := 'app'; END IF;
        IF dice(i, 'occurred', 4) = 0 THEN p.occurred_at := p.at - dice(i, 'before', 600) * interval '1 hour'; END IF;
        IF dice(i, 'late', 20) = 0 THEN p.occurred_at := p.at - interval '45 days'; END IF;
        IF dice(i, 'ahead', 60) = 0 THEN p.occurred_at := p.at + interval '1 day'; END IF;
        IF dice(i, 'lines', 4) = 0 THEN
            p.lines := jsonb_build_array(jsonb_build_object('amount', (cents / 3) / 100.0::numeric(18, 2), 'sku', 'tea'),
                                         jsonb_build_object('amount', (cents - cents / 3) / 100.0::numeric(18, 2),
                                                            'merchant_id', dice(i, 'second', 4) + 1, 'eligible', dice(i, 'eligible', 3) > 0));
        END IF;
        IF dice(i, 'attributes', 6) = 0 THEN p.attributes := jsonb_build_object('till', i % 7); END IF;
        IF dice(i, 'refs', 5) = 0 THEN p.external_refs := jsonb_build_object('wechat', 'w' || i, 'alipay', 'a' || i); END IF;
        IF dice(i, 'tenders', 10) = 0 THEN p.tenders := jsonb_build_array(jsonb_build_object('kind', 'cash', 'amount', p.amount)); END IF;
        -- one in three has something to do with an earlier one
        earlier := made[1 + dice(i, 'earlier', greatest(i - 1, 1))];
        CASE dice(i, 'repeat', 24)
            WHEN 0, 1, 2 THEN p := earlier;
            WHEN 3 THEN p := earlier; p.amount := p.amount + 1; p.lines := NULL; p.tenders := NULL;
            WHEN 4 THEN p.order_ref := earlier.order_ref; p.merchant_id := earlier.merchant_id;
            WHEN 5, 6 THEN
                p.external_refs := earlier.external_refs; p.member_id := earlier.member_id; p.merchant_id := earlier.merchant_id;
                p.amount := earlier.amount; p.lines := NULL; p.tenders := NULL;
            WHEN 7 THEN p.external_refs := earlier.external_refs;
            ELSE
        END CASE;
        -- and one in ten is nonsense
        CASE dice(i, 'wrong', 120)
            WHEN 0 THEN p.member_id := 999999999;
            WHEN 1 THEN p.member_id := NULL;
            WHEN 2 THEN p.merchant_id := 99;
            WHEN 3 THEN p.amount := 'NaN';
            WHEN 4 THEN p.amount := -1;
            WHEN 5 THEN p.amount := 1.001;
            WHEN 6 THEN p.amount := 1e20;
            WHEN 7 THEN p.order_ref := '';
            WHEN 8 THEN p.lines := '[{"amount": 1, "colour": "red"}]';
            WHEN 9 THEN p.lines := '[]';
            WHEN 10 THEN p.at := now() + interval '1 day';
            WHEN 11 THEN p.external_refs := '[1]';
            ELSE
        END CASE;
        IF dice(i, 'wrong', 120) BETWEEN 100 AND 103 THEN p.member_id := m('frozen'); END IF;
        IF dice(i, 'wrong', 120) BETWEEN 104 AND 106 THEN p.member_id := m('closed'); END IF;
        made := made || p;
    END LOOP;
    RETURN made;
END
$$;

SELECT enrol('frozen', '2023-06-01 10:00+08'), enrol('closed', '2023-06-01 10:00+08') \gset
SELECT count(enrol('batch ' || i, '2023-06-01 10:00+08')) FROM generate_series(1, 12) i \gset
SELECT set_member_status(m('frozen'), 'frozen', 'test'), set_member_status(m('closed'), 'closed', 'test') \gset
-- points die after three months, so that many do on the way; two members begin in debt, two with points
UPDATE program SET expiry = '3 months', allow_debt = true;
SELECT count(adjust_points(m('batch ' || i), -700, 'test', 'debt', at => '2023-06-02 10:00+08')) FROM generate_series(1, 2) i \gset
SELECT count(grant_points(m('batch ' || i), 300, 'test', 'gift', at => '2023-12-01 10:00+08')) FROM generate_series(3, 4) i \gset
CREATE TEMPORARY TABLE generated AS SELECT purchases(600) AS purchases;

SELECT same_as_single_calls(purchases, 10000, '600 purchases in one batch') FROM generated;
SELECT same_as_single_calls(purchases, 37, 'in batches of 37') FROM generated;
SELECT same_as_single_calls(purchases[1:40], 1, 'in batches of 1') FROM generated;
-- the road taken covers what it is meant to
CREATE TEMPORARY TABLE result AS SELECT (x::batch_result).* FROM generated, outcome(purchases, 10000) o, unnest(o.results) x;
SELECT ok(count(r) >= least, format('%s of 600 are %s', count(r), code))
  FROM (VALUES ('posted', 300), ('pending', 40), ('review', 15), ('rejected', 10), ('22023', 30), ('22003', 5), ('22004', 3), ('MB002', 1), ('MB003', 1),
               ('MB102', 10), ('MB201', 20), ('MB202', 10)) code (code, least)
  LEFT JOIN result r ON code IN (r.status, r.sqlstate)
 GROUP BY code, least ORDER BY code;
SELECT ok(count(*) > 50, 'duplicates') FROM result WHERE duplicate;
SELECT ok(count(*) >= 10, 'upgrades') FROM result WHERE tier_changed;
SELECT ok(count(*) FILTER (WHERE x LIKE '%,expiry,%') > 100 AND count(*) FILTER (WHERE x LIKE '%,debt_payment,%') >= 2, 'lots that expire and pay debt')
  FROM generated, outcome(purchases, 10000) o, unnest(o.picture) x WHERE x LIKE 'journal (%';

-- rows without times are posted in their order, now; the second is silver by the first, which earned at regular
SELECT enrol('now') \gset
SELECT is(array_agg(ROW(row_no, journal_no, points, balance, tier, tier_changed, duplicate, sqlstate)::text ORDER BY row_no),
          -- 5,000 regular; 100 x 1.2; the first again; 10 x 1.2
          ARRAY['(1,2,5000,5000,silver,t,f,)', '(2,3,120,5120,silver,f,f,)', '(3,2,5000,5000,silver,t,t,)', '(4,,,,,,,MB003)', '(5,4,12,5132,silver,f,f,)'],
          'a later row sees the earlier ones')
  FROM accrue_batch(ARRAY[ROW(m('now'), 1, 5000, 'n1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), ROW(m('now'), 1, 100, 'n2', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
                          ROW(m('now'), 1, 5000, 'n1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), ROW(m('now'), 77, 1, 'n3', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
                          ROW(m('now'), 1, 10, 'n4', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)]::purchase[]);
SELECT is(array_agg(DISTINCT channel), '{pos}', 'the channel is pos when none is given') FROM journal WHERE member_id = m('now') AND verb = 'accrual';
SELECT is(array_agg(ROW(status, points, duplicate)::text), '{"(posted,120,t)"}', 'what a batch posted is a duplicate for a single call')
  FROM accrue_points(m('now'), 1, 100, 'n2');
SELECT is(array_agg(ROW(points, duplicate)::text), '{"(12,t)"}', 'and for the next batch')
  FROM accrue_batch(ARRAY[ROW(m('now'), 1, 10.00, 'n4', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)]::purchase[]);

-- a day's basis has 18 digits: of 101 purchases of 16 digits the last does not fit, 100 x 99,999,999,999,999.99 do
SELECT enrol('rich') \gset
SAVEPOINT rich;
UPDATE program SET base_rate = 0;
SELECT is(array_agg(row_no || ' ' || sqlstate) FILTER (WHERE sqlstate IS NOT NULL), '{"101 22003"}', 'a day of more than 18 digits in one batch')
  FROM accrue_batch((SELECT array_agg(ROW(m('rich'), 1, 99999999999999.99, 'rich ' || i, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::purchase ORDER BY i)
                       FROM generate_series(1, 101) i));
SELECT is(sum(basis), 9999999999999999.00, 'what fits is posted') FROM activity_day WHERE member_id = m('rich');
ROLLBACK TO rich;

-- a row that fails leaves nothing of what was settled for it
SELECT enrol('undo 1'), enrol('undo 2') \gset
SELECT grant_points(m('undo 1'), 100, 'gift', 'gift', expires_at => '2024-04-01', at => '2024-01-02'),
       grant_points(m('undo 2'), 100, 'gift', 'gift', expires_at => '2024-04-01', at => '2024-01-02'),
       grant_points(m('undo 2'), 999999999999000, 'gift', 'large', expires_at => '2034-04-01', at => '2024-01-02') \gset
SELECT same_as_single_calls(ARRAY[ROW(m('undo 1'), 99, 10, 'u1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2024-05-01'),
                                  ROW(m('undo 1'), 1, 10, 'u2', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2024-02-01')]::purchase[], 10, 'a lot due for an unknown merchant');
SELECT same_as_single_calls(ARRAY[ROW(m('undo 2'), 1, 20000, 'u3', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2024-02-01'),
                                  ROW(m('undo 2'), 1, 10, 'u4', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2024-05-01')]::purchase[], 10, 'a lot due after too many points');

-- a constraint or trigger that a DBA made fails one row, and only that
SAVEPOINT dba;
ALTER TABLE journal ADD CONSTRAINT small_only CHECK (amount < 4000) NOT VALID;
SELECT same_as_single_calls(purchases[1:200], 10000, 'a CHECK that fails') FROM generated;
SELECT is(array_agg(DISTINCT (x::batch_result).message), '{"new row for relation \"journal\" violates check constraint \"small_only\""}', 'is named')
  FROM generated, outcome(purchases[1:200], 10000) o, unnest(o.results) x WHERE (x::batch_result).sqlstate = '23514';
ROLLBACK TO dba;
CREATE FUNCTION public.no_refs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.points > 1000 THEN RAISE EXCEPTION 'too many points: %', NEW.points; END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER no_refs AFTER INSERT ON ledger_entry FOR EACH ROW EXECUTE FUNCTION no_refs();
SELECT same_as_single_calls(purchases[1:200], 10000, 'a trigger that raises') FROM generated;
SELECT ok(count(*) >= 10, 'says why') FROM generated, outcome(purchases[1:200], 10000) o, unnest(o.results) x
 WHERE (x::batch_result).sqlstate = 'P0001' AND (x::batch_result).message LIKE 'too many points: %';
ROLLBACK TO dba;

-- the array
SELECT is(count(*), 0::bigint, 'no purchases, no results') FROM accrue_batch('{}');
SELECT throws_ok('SELECT * FROM membership.accrue_batch(NULL)', '22004', NULL, 'NULL instead of an array');
SELECT is(array_agg(ROW(row_no, points, sqlstate)::text ORDER BY row_no), '{"(1,,22004)","(2,1,)"}', 'a NULL among them fails alone')
  FROM accrue_batch(ARRAY[NULL, ROW(m('now'), 3, 1, 'n5', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)]::purchase[]);
SELECT throws_ok('SELECT * FROM membership.accrue_batch((SELECT array_agg(NULL::membership.purchase) FROM generate_series(1, 10001)))', '54000', NULL, 'one more than 10,000');
SELECT is(count(*), 10000::bigint, '10,000 are taken')
  FROM accrue_batch((SELECT array_agg(ROW(NULL, 1, 1, 'x', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::purchase) FROM generate_series(1, 10000)));

-- ------------------------------------------------------------------ import_members

UPDATE program SET expiry = '24 months', phone_country = '86';
CREATE TEMPORARY TABLE members AS
SELECT ARRAY[ROW('card', 'old 1', '2020-05-01 10:00+08', '1990-02-28', 'old system', NULL, '{"size": "L"}'),
             ROW('phone', '138 0013 8000', NULL, NULL, NULL, 'app', NULL),
             ROW('card', 'old 1', NULL, NULL, NULL, NULL, NULL),
             ROW(NULL, 'x', NULL, NULL, NULL, NULL, NULL),
             ROW('card', 'old 2', now() + interval '1 day', NULL, NULL, NULL, NULL),
             ROW('card', 'old 3', NULL, '1990-02-28', NULL, NULL, '[]'),
             NULL,
             ROW('card', 'old 4', '2021-01-01 10:00+08', NULL, NULL, NULL, NULL)]::member_import[] AS rows;
SELECT is(array_agg(ROW(row_no, journal_no, duplicate, sqlstate)::text ORDER BY row_no),
          '{"(1,1,f,)","(2,1,f,)","(3,1,t,)","(4,,,22004)","(5,,,22023)","(6,,,22023)","(7,,,22004)","(8,1,f,)"}', 'import_members')
  FROM members, import_members(rows);
SELECT is(ROW(enrolled_at, tier_since, birthday, source, channel, attributes)::text,
          '("2020-05-01 02:00:00+00","2020-05-01 02:00:00+00",1990-02-28,"old system",import,"{""size"": ""L""}")', 'a member as in the old system')
  FROM member WHERE member_id = m('old 1');
SELECT is(channel, 'app', 'found by the phone''s normal form') FROM member WHERE member_id = find_member('phone', '+8613800138000');
SELECT is(find_member('card', 'old 3'), NULL, 'a refused member is not there');
SELECT is(array_agg(member_id ORDER BY row_no), ARRAY[m('old 1'), find_member('phone', '13800138000'), m('old 1'), NULL, NULL, NULL, NULL, m('old 4')], 'each row says who')
  FROM members, import_members(rows);
-- again: nothing new
CREATE TEMPORARY TABLE seen AS SELECT picture() AS rows;
SELECT is(count(*) FILTER (WHERE duplicate), 4::bigint, 'imported twice') FROM members, import_members(rows);
SELECT is(differences(rows, picture()), '{}', 'changes nothing') FROM seen;

-- ------------------------------------------------------------------ import_lots

-- The end by the programme's rule is worked out here: through the local date 24 months on.
CREATE TEMPORARY TABLE lots AS
SELECT ARRAY[ROW(m('old 1'), 500, 'L1', 'balance', '2023-01-10 12:00+08', '2100-01-01 00:00+08'),
             ROW(m('old 1'), 300, 'L2', NULL, '2023-01-10 12:00+08', 'infinity'),
             ROW(m('old 1'), 200, 'L3', NULL, date_trunc('day', now()) - interval '30 days', NULL),
             ROW(m('old 1'), 70, 'L4', NULL, '2020-06-01 12:00+08', NULL),
             ROW(m('old 4'), 40, 'L1', NULL, NULL, NULL),
             ROW(m('old 1'), 0, 'L5', NULL, NULL, NULL),
             ROW(m('old 1'), 1000000000000001, 'L5', NULL, NULL, NULL),
             ROW(999999999, 1, 'L5', NULL, NULL, NULL),
             ROW(m('old 1'), 1, NULL, NULL, NULL, NULL),
             ROW(m('old 1'), 1, 'L5', NULL, '2024-01-02', '2024-01-01'),
             ROW(m('old 1'), 501, 'L1', 'balance', '2023-01-10 12:00+08', '2100-01-01 00:00+08'),
             ROW(m('closed'), 1, 'L1', NULL, NULL, NULL),
             ROW(m('old 1'), 500, 'L1', 'balance', '2023-01-10 12:00+08', '2100-01-01 00:00+08'),
             ROW(m('old 1'), 1, 'L5', NULL, now() + interval '1 day', NULL),
             NULL]::lot_import[] AS rows;
SELECT is(array_agg(ROW(row_no, member_id = m('old 1'), journal_no, duplicate, sqlstate)::text ORDER BY row_no),
          -- journal 1 is the enrolment; L4 is opened in 5 and expires in 6
          '{"(1,t,2,f,)","(2,t,3,f,)","(3,t,4,f,)","(4,t,5,f,)","(5,f,2,f,)","(6,,,,22023)","(7,,,,22003)","(8,,,,MB002)","(9,,,,22004)","(10,,,,22023)","(11,,,,MB201)","(12,,,,MB102)","(13,t,2,t,)","(14,,,,22023)","(15,,,,22004)"}',
          'import_lots')
  FROM lots, import_lots(rows);
SELECT is(array_agg(ROW(granted, remaining, origin, active_at, expires_at IS NULL)::text ORDER BY lot_no),
          ARRAY[ROW(500, 500, 'opening', '2023-01-10 04:00:00+00'::timestamptz, false), ROW(300, 300, 'opening', '2023-01-10 04:00:00+00'::timestamptz, true),
                ROW(200, 200, 'opening', date_trunc('day', now()) - interval '30 days', false)]::text[], 'live lots, active since they were earned')
  FROM lot WHERE member_id = m('old 1');
SELECT is(expires_at, '2100-01-01 00:00+08'::timestamptz, 'an end that was given') FROM lot WHERE member_id = m('old 1') AND granted = 500;
SELECT is(expires_at, ((((date_trunc('day', now()) - interval '30 days') AT TIME ZONE 'Asia/Shanghai')::date + interval '24 months')::date + 1)::timestamp AT TIME ZONE 'Asia/Shanghai',
          'an end by the programme''s rule') FROM lot WHERE member_id = m('old 1') AND granted = 200;
SELECT is(array_agg(ROW(journal_no, verb, points, balance, reason)::text ORDER BY journal_no),
          '{"(1,enrolment,0,0,)","(2,opening,500,500,balance)","(3,opening,300,800,import)","(4,opening,200,1000,import)","(5,opening,70,1070,import)","(6,expiry,-70,1000,)"}',
          'a lot that is dead already is opened and expires')
  FROM journal WHERE member_id = m('old 1');
SELECT is(ROW(balance, available, pending)::text, '(1000,1000,0)', 'the balance of the old system') FROM member_balance WHERE member_id = m('old 1');
UPDATE seen SET rows = picture();
SELECT is(count(*) FILTER (WHERE duplicate), 6::bigint, 'imported twice') FROM lots, import_lots(rows);
SELECT is(differences(rows, picture()), '{}', 'changes nothing') FROM seen;

-- ------------------------------------------------------------------ import_purchases

-- 4,900.00 a month ago counts for the tier, 60,000.00 three years ago does not
CREATE TEMPORARY TABLE past AS
SELECT ARRAY[ROW(m('old 1'), 2, 4900, 'P1', date_trunc('day', now()) - interval '31 days', NULL, 4900),
             ROW(m('old 1'), 1, 60000.50, 'P2', '2021-03-01 12:00+08', 'app', 60000),
             ROW(m('old 4'), 1, 10, 'P3', '2021-03-01 12:00+08', NULL, 0),
             ROW(m('old 1'), 1, 10, 'P4', '2021-03-01 12:00+08', NULL, -1),
             ROW(m('old 1'), 1, 'NaN', 'P4', '2021-03-01 12:00+08', NULL, 1),
             ROW(m('old 1'), 1, 1.001, 'P4', '2021-03-01 12:00+08', NULL, 1),
             ROW(m('old 1'), 99, 1, 'P4', '2021-03-01 12:00+08', NULL, 1),
             ROW(m('old 1'), 1, 1, 'P4', now() + interval '1 day', NULL, 1),
             ROW(m('old 1'), 1, 1, 'P4', NULL, NULL, 1),
             ROW(m('old 1'), 1, 1, 'P4', '2021-03-01 12:00+08', NULL, NULL),
             ROW(m('old 1'), 1, NULL, 'P4', '2021-03-01 12:00+08', NULL, 1),
             ROW(999999999, 1, 1, 'P4', '2021-03-01 12:00+08', NULL, 1),
             ROW(m('closed'), 1, 1, 'P4', '2021-03-01 12:00+08', NULL, 1),
             ROW(m('old 1'), 2, 4900, 'P1', date_trunc('day', now()) - interval '31 days', NULL, 4901),
             ROW(m('old 4'), 2, 4900, 'P1', date_trunc('day', now()) - interval '31 days', NULL, 4900),
             ROW(m('old 1'), 2, 4900.00, 'P1', date_trunc('day', now()) - interval '31 days', NULL, 4900),
             NULL]::purchase_import[] AS rows;
SELECT is(array_agg(ROW(row_no, journal_no, duplicate, sqlstate)::text ORDER BY row_no),
          '{"(1,7,f,)","(2,8,f,)","(3,3,f,)","(4,,,22023)","(5,,,22023)","(6,,,22023)","(7,,,MB003)","(8,,,22023)","(9,,,22004)","(10,,,22004)","(11,,,22004)","(12,,,MB002)","(13,,,MB102)","(14,,,MB201)","(15,,,MB202)","(16,7,t,)","(17,,,22004)"}',
          'import_purchases')
  FROM past, import_purchases(rows);
SELECT is(ROW(verb, occurred_at, day, points, balance, merchant_id, order_ref, channel, amount, basis, merchant_collected, status, points_wanted, tier_after, tier_changed)::text,
          '(accrual,"2021-03-01 04:00:00+00",2021-03-01,0,1000,1,P2,app,60000.50,60000.50,60000.50,imported,60000,1,f)', 'a purchase is a fact and moves no points')
  FROM journal WHERE member_id = m('old 1') AND journal_no = 8;
SELECT is(array_agg(ROW(purchases, basis, points_earned)::text ORDER BY day), '{"(1,60000.50,60000)","(1,4900.00,4900)"}', 'it is activity of its day')
  FROM activity_day WHERE member_id = m('old 1');
SELECT is(count(*), 0::bigint, 'and owes nobody anything') FROM merchant_split WHERE member_id = m('old 1');
SELECT is(tier, 'regular', 'no tier is reached by importing') FROM member_tier_progress WHERE member_id = m('old 1');
UPDATE seen SET rows = picture();
SELECT is(count(*) FILTER (WHERE duplicate), 4::bigint, 'imported twice') FROM past, import_purchases(rows);
SELECT is(differences(rows, picture()), '{}', 'changes nothing') FROM seen;
-- 4,900 + 100 = 5,000: silver
SELECT is(ROW(points, balance, tier, tier_changed)::text, '(100,1100,silver,t)', 'the next purchase counts on what was imported') FROM accrue_points(m('old 1'), 1, 100, 'new 1');
SELECT throws_ok($$SELECT membership.accrue_points(m('old 1'), 2, 4900, 'P1')$$, 'MB201', NULL, 'an imported receipt cannot be accrued');
SELECT throws_ok($$SELECT membership.accrue_points(m('old 4'), 2, 4900, 'P1')$$, 'MB202', NULL, 'nor by another member');
SELECT is(array_agg((r).sqlstate), '{MB201}', 'nor in a batch')
  FROM accrue_batch(ARRAY[ROW(m('old 1'), 2, 4900, 'P1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)]::purchase[]) r;
SELECT is(array_agg((r).sqlstate), '{MB201}', 'and what was accrued cannot be imported')
  FROM import_purchases(ARRAY[ROW(m('old 1'), 1, 100, 'new 1', now(), NULL, 100)]::purchase_import[]) r;

-- ------------------------------------------------------------------ import_tiers

CREATE TEMPORARY TABLE tiers AS
SELECT ARRAY[ROW(m('old 4'), 'silver', '2024-01-01 00:00+08', NULL),
             ROW(m('old 4'), 'gold', '2025-01-01 00:00+08', '2050-01-01 00:00+08'),
             ROW(m('old 4'), 'diamond', '2024-06-01 00:00+08', NULL),
             ROW(m('old 4'), 'platinum', NULL, NULL),
             ROW(m('old 4'), NULL, NULL, NULL),
             ROW(m('old 4'), 'diamond', now() + interval '1 day', NULL),
             ROW(999999999, 'gold', NULL, NULL),
             ROW(m('closed'), 'gold', NULL, NULL),
             ROW(m('old 4'), 'gold', NULL, '2050-01-01 00:00+08'),
             NULL]::tier_import[] AS rows;
SELECT is(array_agg(ROW(row_no, journal_no, duplicate, sqlstate)::text ORDER BY row_no),
          '{"(1,4,f,)","(2,5,f,)","(3,,,22023)","(4,,,MB004)","(5,,,22004)","(6,,,22023)","(7,,,MB002)","(8,,,MB102)","(9,,t,)","(10,,,22004)"}', 'import_tiers')
  FROM tiers, import_tiers(rows);
SELECT is(array_agg(ROW(t.code, lower(during), upper(during), cause, journal_no)::text ORDER BY history_no),
          '{"(regular,\"2021-01-01 02:00:00+00\",\"2023-12-31 16:00:00+00\",enrolment,1)","(silver,\"2023-12-31 16:00:00+00\",\"2024-12-31 16:00:00+00\",manual,4)","(gold,\"2024-12-31 16:00:00+00\",,manual,5)"}',
          'the history of the old system')
  FROM tier_history h JOIN tier t USING (tier_id) WHERE member_id = m('old 4');
SELECT is(ROW(tier_since, tier_locked_until)::text, '("2024-12-31 16:00:00+00","2049-12-31 16:00:00+00")', 'with its lock') FROM member WHERE member_id = m('old 4');
UPDATE seen SET rows = picture();
SELECT is(array_agg(row_no ORDER BY row_no) FILTER (WHERE duplicate), '{1,2,9}', 'imported twice, past tiers too') FROM tiers, import_tiers(rows);
SELECT is(differences(rows, picture()), '{}', 'changes nothing') FROM seen;
-- a purchase of 2024 is judged by the silver of 2024 (and is too late not to be reviewed): 100 x 1.2; one of today by gold: 100 x 1.5
SELECT is(ROW(status, points_wanted)::text, '(review,120)', 'a purchase of then earns as then') FROM accrue_points(m('old 4'), 1, 100, 'new 2', occurred_at => '2024-06-01 12:00+08');
SELECT is(points, 150::bigint, 'one of now as now') FROM accrue_points(m('old 4'), 1, 100, 'new 3');

SELECT throws_ok(format('SELECT * FROM membership.%s(NULL)', f), '22004', NULL, f || ' of NULL') FROM unnest('{import_members,import_lots,import_purchases,import_tiers}'::text[]) f;
SELECT throws_ok(format('SELECT * FROM membership.%s((SELECT array_agg(NULL::membership.%s) FROM generate_series(1, 10001)))', f, t), '54000', NULL, f || ' of too many')
  FROM (VALUES ('import_members', 'member_import'), ('import_lots', 'lot_import'), ('import_purchases', 'purchase_import'), ('import_tiers', 'tier_import')) v (f, t);
SELECT is(count(*), 0::bigint, 'import_lots of none') FROM import_lots('{}');
-- a DBA's constraint costs only the row that breaks it
ALTER TABLE lot ADD CONSTRAINT not_13 CHECK (granted <> 13);
SELECT is(array_agg(ROW(row_no, journal_no, sqlstate)::text ORDER BY row_no), '{"(1,2,)","(2,,23514)","(3,3,)"}', 'a CHECK that fails')
  FROM (SELECT find_member('phone', '13800138000')) p (phone),
       import_lots(ARRAY[ROW(phone, 12, 'x1', NULL, NULL, NULL), ROW(phone, 13, 'x2', NULL, NULL, NULL), ROW(phone, 14, 'x3', NULL, NULL, NULL)]::lot_import[]);

SELECT is(ARRAY(SELECT v::text FROM verify() v), '{}', 'all of it is sound');
SELECT * FROM finish();
ROLLBACK;
