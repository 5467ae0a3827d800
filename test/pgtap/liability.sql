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
INSERT INTO refund (member_id, purchase_no, refund_no, posted_id, journal_no, refund_ref, amount, cash_amount, points_clawed, points_restored, points_forfeited,
                    points_expired, loss, debt, cash_shortfall, complete, lines)
SELECT member_id, 1, row_number() OVER (), member_id, journal_no, 'x', 0, 0, 3, 10, 0, 0, 0, 0, 0, false, '[]' FROM journal WHERE verb IN ('refund', 'correction', 'reassignment');
SELECT results_eq($$SELECT verb, movement FROM belongs ORDER BY verb$$,
    $$SELECT m.verb, (SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(to_jsonb(m))
                       WHERE key IN ('issued', 'imported', 'redeemed', 'expired', 'clawed', 'adjusted', 'transferred') AND value <> '0')
        FROM _movement m WHERE m.journal_no > 100 ORDER BY m.verb$$, 'each belongs to its column');
SELECT set_eq($$SELECT expected FROM verify() WHERE invariant = 'liability_has_every_point'$$,
    $$SELECT format('journal %s: %s, 7 points', journal_no, verb) FROM journal JOIN belongs USING (verb) WHERE movement = '{}' AND journal_no > 100$$,
    'verify() names those that must move none');
SELECT * FROM finish();
ROLLBACK;
