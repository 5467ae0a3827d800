-- Personal data goes, a pseudonymous ledger stays.
\ir setup.psql
SELECT open_mall() \gset
\ir spending.psql
UPDATE program SET expiry = '2093-12-31';
UPDATE burn_rule SET share = NULL;
INSERT INTO earn_rule (rule_id, code, name, status, condition, effect, value)
VALUES (1, 'spoilt', 'Fails on words', 'active', '(order_attributes ->> ''age'')::integer > 18', 'bonus_points', 5);

SELECT member_id AS ann, referral_code AS ann_code FROM enroll_member('phone', '13800138000', '1985-03-08', 'fair', attributes => '{"name": "Ann"}') \gset
SELECT member_id AS bob FROM enroll_member('phone', '13800138001', '1985-03-08', 'fair', attributes => '{"name": "Ann"}', referral_code => :'ann_code') \gset
SELECT add_identity(:ann, 'wechat', 'ann-w'), update_member(:ann, consent => '{"sms": true}'), set_tags(:ann, '{vip}') \gset
SELECT grant_points(:ann, 100, 'x', 'g', '2090-01-01'), grant_points(:bob, 60, 'x', 'g', '2090-01-01') \gset
SELECT accrue_points(:ann, 1, 10, 'e1', attributes => '{"age": "Ann is thirty"}', external_refs => '{"wechat": "W1"}'),
       accrue_points(:bob, 1, 20, 'e2', attributes => '{"note": "for Ann"}') \gset
SELECT is(message, 'invalid input syntax for type integer: "Ann is thirty"', 'a failed rule tells the value') FROM rule_failure WHERE member_id = :ann;
SELECT is(rules -> 'rules' @> '[{"code": "spoilt", "outcome": "failed", "sqlstate": "22P02"}]' AND rules::text !~ 'Ann', true, 'but not the journal, which nothing clears') FROM journal WHERE member_id = :ann AND order_ref = 'e1';
INSERT INTO accrual_error (source, purchase, sqlstate, message)
SELECT 'orders', to_jsonb((m, 1, 5, 'late' || m, NULL, 'pos', NULL, NULL, '{"note": "Ann"}', NULL, NULL, NULL)::purchase), '23514', 'x' FROM unnest(ARRAY[:ann, :bob]::bigint[]) m;
SELECT enrol('cat') AS cat \gset
INSERT INTO accrual_error (source, purchase, sqlstate, message)
SELECT 'orders', to_jsonb((:cat, 1, 5, 'late', NULL, 'pos', NULL, NULL, NULL, NULL, NULL, NULL)::purchase), '23514', 'x';
SELECT merge_members(:ann, :bob, 'same person') \gset
SELECT authorize_points(:ann, 100, 'h', '1 hour') \gset
-- 100 + 60 + 10 + 20
SELECT is(balance, 190::bigint, 'points before') FROM member_balance WHERE member_id = :ann;
SELECT next_journal_no AS next_no FROM account WHERE member_id = :ann \gset

SELECT erase_member(:bob, 'request 17') \gset

SELECT is(array_agg(find_member(kind, value)), '{NULL,NULL,NULL}', 'nothing finds the member')
  FROM (VALUES ('phone', '13800138000'), ('phone', '13800138001'), ('wechat', 'ann-w')) v (kind, value);
SELECT is_empty(format('SELECT * FROM member_identity WHERE member_id IN (%s, %s)', :ann, :bob), 'not even a referral code');
SELECT is(array_agg(format('%s %s %s %s %s %s %s', status, birthday, source, referrer_id, tags, attributes, consent) ORDER BY member_id),
          '{"closed    {} {} {}","merged    {} {} {}"}', 'the person is gone, under both numbers') FROM member WHERE member_id IN (:ann, :bob);
SELECT is_empty(format('SELECT * FROM journal_context WHERE member_id IN (%s, %s)', :ann, :bob), 'what purchases told, too');
SELECT is(message, 'erased', 'and what a failed rule told') FROM rule_failure WHERE member_id = :ann;
SELECT is(array_agg((purchase ->> 'member_id')::bigint), ARRAY[:cat]::bigint[], 'purchases that could not be posted: others'' stay') FROM accrual_error;
SELECT is(format('%s %s %s', verb, points, reason), 'erasure 0 request 17', 'the journal tells that it was done') FROM journal WHERE member_id = :ann AND journal_no = :next_no;
SELECT is(balance, 190::bigint, 'points stay until they expire') FROM member_balance WHERE member_id = :ann;
SELECT is(count(*), 2::bigint, 'receipts stay') FROM receipt WHERE member_id IN (:ann, :bob);
SELECT is(count(*), 1::bigint, 'with their other names') FROM receipt_ref;
SELECT erase_member(:ann, 'again'), erase_member(:bob, 'again') \gset
SELECT is(next_journal_no, :next_no + 1::bigint, 'repeated, nothing changes') FROM account WHERE member_id = :ann;

SELECT is(take(call), format('MB102 member %s is closed', :ann), call) FROM unnest(ARRAY[
    format('SELECT accrue_points(%s, 1, 10, ''e3'')', :ann), format('SELECT accrue_points(%s, 1, 10, ''e3'')', :bob),
    format('SELECT redeem_points(%s, 10, ''r'')', :ann), format('SELECT capture_points(%s, ''h'')', :ann), format('SELECT grant_points(%s, 10, ''x'', ''g2'')', :ann),
    format('SELECT add_identity(%s, ''phone'', ''13800138000'')', :ann), format('SELECT update_member(%s, ''1985-03-08'')', :ann), format('SELECT set_tags(%s, ''{x}'')', :ann),
    format('SELECT set_member_status(%s, ''active'', ''x'')', :ann), format('SELECT merge_members(%s, %s, ''x'')', :cat, :ann), format('SELECT merge_members(%s, %s, ''x'')', :ann, :cat)]) call;
SELECT is(take(format('SELECT duplicate FROM accrue_points(%s, 1, 10, ''e1'', attributes => ''{"age": "Ann is thirty"}'', external_refs => ''{"wechat": "W1"}'')', :ann)), 'true', 'a repeated call returns its first result');
SELECT is(take(format('SELECT enroll_member(''card'', ''new'', referral_code => %L)', :'ann_code')), format('MB006 referral code "%s" is not known', :'ann_code'), 'nobody is invited by it');
SELECT isnt(member_id, :ann::bigint, 'the same phone enrols as a new member') FROM enroll_member('phone', '13800138000');
SELECT is(created, false, 'who is found from then on') FROM enroll_member('phone', '13800138000');

-- points that died and were not looked at since: their expiry comes first
SELECT fund('old', 10, now() - interval '1 hour', now() - interval '1 day') AS old \gset
SELECT erase_member(:old, 'x'), erase_member(:old, 'x') \gset
SELECT is(string_agg(format('%s %s', j.verb, k.ref), ', ' ORDER BY j.journal_no), 'enrolment , grant , expiry , erasure erased', 'what is due is done before')
  FROM journal j LEFT JOIN (SELECT member_id, journal_no, ref FROM source_key WHERE ref = 'erased') k USING (member_id, journal_no) WHERE j.member_id = :old;

-- a member that was closed or frozen before
SELECT fund('dan', 10, '2090-01-01', now()) AS dan, enrol('eve') AS eve \gset
SELECT set_member_status(:dan, 'closed', 'left'), erase_member(:dan, 'x'), set_member_status(:eve, 'frozen', 'x'), erase_member(:eve, 'x') \gset
SELECT is(array_agg(format('%s %s', status, m(name)) ORDER BY name), '{"closed ","closed "}', 'closed or frozen ones are erased, too')
  FROM (VALUES ('dan', :dan), ('eve', :eve)) v (name, id) JOIN member ON member_id = id;
SELECT is(take(call), result, call) FROM (VALUES
    ('SELECT erase_member(999999, ''x'')', 'MB002 member 999999 does not exist'), ('SELECT erase_member(NULL, ''x'')', '22004 member_id must not be null'),
    ('SELECT erase_member(1, NULL)', '22004 reason must not be null'), ('SELECT erase_member(1, '''')', '22023 reason must not be empty')) c (call, result);

SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
SELECT * FROM finish();
ROLLBACK;
