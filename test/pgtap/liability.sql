-- Every verb belongs to one column of the liability, or moves no points; a refund to two, by what it did.
\set tests 4
\ir setup.psql
SELECT open_mall() \gset
SELECT enrol('anna') \gset

CREATE TEMP TABLE belongs (verb text, movement jsonb);
INSERT INTO belongs
SELECT verb, CASE WHEN name IS NULL THEN '{}' ELSE jsonb_build_object(name, 7) END
  FROM (VALUES ('issued', '{accrual,review,grant}'), ('imported', '{opening}'), ('redeemed', '{redemption,capture,reversal}'), ('expired', '{expiry}'),
               ('adjusted', '{adjustment}'), ('transferred', '{transfer_out,transfer_in,merge_out,merge_in,extension}'),
               (NULL, '{enrolment,debt_payment,tier_change,status_change,identity_change,authorization,void,timeout,erasure}')) c (name, verbs),
       unnest(verbs::text[]) verb;
-- 10 given back, 3 taken back
INSERT INTO belongs VALUES ('refund', '{"redeemed": 10, "clawed": -3}'), ('correction', '{"redeemed": 10, "clawed": -3}'), ('reassignment', '{"redeemed": 10, "clawed": -3}');
CREATE TEMP TABLE known AS
SELECT (regexp_matches(substring(pg_get_viewdef('_violation'::regclass) FROM 'verb <> ALL \(ARRAY\[(''enrolment''[^]]*)\]'), '''(\w+)''', 'g'))[1] AS verb;
SELECT cmp_ok(count(*), '>=', 20::bigint, 'the verbs that verify() knows') FROM known;
SELECT is_empty('SELECT verb FROM known EXCEPT SELECT verb FROM belongs', '... all belong somewhere');

-- an event of 7 points of each verb, as the engine would never post it
INSERT INTO journal (member_id, journal_no, verb, occurred_at, posted_at, day, actor, login, points, balance, last_entry_no, refers_to)
SELECT m('anna'), 100 + row_number() OVER (), verb, now(), now(), current_date, 'x', 'x', 7, 0, 0, 1 FROM belongs;
INSERT INTO refund SELECT (jsonb_populate_record(NULL::refund, jsonb_object_agg(a.attname, CASE format_type(a.atttypid, NULL) WHEN 'text' THEN '"x"' WHEN 'jsonb' THEN '[]' WHEN 'boolean' THEN 'false' ELSE '0' END::jsonb)
                           || jsonb_build_object('member_id', j.member_id, 'purchase_no', 1, 'journal_no', j.journal_no, 'points_clawed', 3))).*
  FROM journal j, pg_attribute a
 WHERE j.verb IN ('refund', 'correction', 'reassignment') AND a.attrelid = 'refund'::regclass AND a.attnum > 0 AND NOT a.attisdropped
 GROUP BY j.member_id, j.journal_no;
SELECT results_eq($$SELECT verb, movement FROM belongs ORDER BY verb$$,
    $$SELECT m.verb, (SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(to_jsonb(m))
                       WHERE key IN ('issued', 'imported', 'redeemed', 'expired', 'clawed', 'adjusted', 'transferred') AND value <> '0')
        FROM _movement m WHERE m.journal_no > 100 ORDER BY m.verb$$, 'each belongs to its column');
SELECT set_eq($$SELECT expected FROM verify() WHERE invariant = 'liability_has_every_point'$$,
    $$SELECT format('journal %s: %s, 7 points', journal_no, verb) FROM journal JOIN belongs USING (verb) WHERE movement = '{}' AND journal_no > 100$$,
    'verify() names those that must move none');
SELECT * FROM finish();
ROLLBACK;
