-- The bulk road: accrue_batch against as many single calls, and what import_* brings from another system.
\set tests 100
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
                               p.lines, p.tenders, coalesce(p.attributes, '{}'), p.external_refs, p.at) a;
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

SELECT enrol(name, '2023-06-01 10:00+08') FROM unnest(string_to_array('frozen,closed', ',')) name \gset
SELECT count(enrol('batch ' || i, '2023-06-01 10:00+08')) FROM generate_series(1, 12) i \gset
SELECT set_member_status(m('frozen'), 'frozen', 'test'), set_member_status(m('closed'), 'closed', 'test') \gset
-- points die after three months, so that many do on the way; two members begin in debt, two with points
UPDATE program SET points_valid_months = 3, allow_debt = true;
SELECT adjust_points(m('batch ' || i), -700, 'test', 'debt', at => '2023-06-02 10:00+08') FROM generate_series(1, 2) i \gset
SELECT grant_points(m('batch ' || i), 300, 'test', 'gift', at => '2023-12-01 10:00+08') FROM generate_series(3, 4) i \gset
CREATE TEMPORARY TABLE generated AS SELECT purchases(600) AS purchases;

