-- Sweeps, one batch at a time, as inside any transaction: what they post, announce and prune, in what order, and what is
-- refused. Batches that commit are in test/t/045_sweeps.pl.
\set tests 77
\ir setup.psql
SELECT open_mall() \gset
\ir spending.psql
UPDATE program SET expiry = '1 months', allow_debt = true;
UPDATE burn_rule SET share = NULL;

-- "members counted more" of a sweep's batch
CREATE FUNCTION public.expire(as_of timestamptz DEFAULT NULL, size integer DEFAULT 5000) RETURNS text LANGUAGE plpgsql AS $$
DECLARE a bigint; b bigint; c boolean;
BEGIN
    CALL membership.expire_points(as_of, size, a, b, c);
    RETURN concat_ws(' ', a, b, c);
END
$$;
CREATE FUNCTION public.release(as_of timestamptz DEFAULT NULL, size integer DEFAULT 5000) RETURNS text LANGUAGE plpgsql AS $$
DECLARE a bigint; b bigint; c boolean;
BEGIN
    CALL membership.release_holds(as_of, size, a, b, c);
    RETURN concat_ws(' ', a, b, c);
END
$$;
CREATE FUNCTION public.announce(lead interval, as_of timestamptz DEFAULT NULL, size integer DEFAULT 5000) RETURNS text LANGUAGE plpgsql AS $$
DECLARE a bigint; b bigint; c boolean;
BEGIN
    CALL membership.announce_expiry(lead, as_of, size, a, b, c);
    RETURN concat_ws(' ', a, b, c);
END
$$;
CREATE FUNCTION public.prune(older_than interval, size integer DEFAULT 5000) RETURNS text LANGUAGE plpgsql AS $$
DECLARE a bigint; b bigint; c boolean;
BEGIN
    CALL membership.prune_context(older_than, size, a, b, c);
    RETURN concat_ws(' ', a, b, c);
END
$$;
CREATE FUNCTION public.buy(name text, amount numeric, at timestamptz) RETURNS bigint LANGUAGE sql AS $$
    SELECT journal_no FROM membership.accrue_points(public.m(name), 1, amount, gen_random_uuid()::text, at => at) $$;
CREATE FUNCTION public.wallet(name text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('balance %s held %s debt %s', balance, held, debt) FROM membership.account WHERE member_id = public.m(name) $$;

-- ------------------------------------------------------------------ when points expire

-- bought on 2 January, valid through 2 February; bo's through the 3rd, cy's through the 4th
SELECT enrol(name) FROM unnest('{ann,bo,cy}'::text[]) name \g /dev/null
SELECT buy('ann', 100, '2024-01-02 10:00+08'), buy('bo', 200, '2024-01-03 10:00+08'), buy('cy', 300, '2024-01-04 10:00+08') \gset
SAVEPOINT bought;
SELECT is(expire('2024-02-03 00:00+08'::timestamptz - interval '1 microsecond'), '0 0 f', 'nothing dies a microsecond before its time');
SELECT is(expire('2024-02-03 00:00+08'), '1 100 f', 'what is dead expires');
SELECT is(ROW(verb, points, balance, occurred_at, posted_at, day, actor)::text,
          format('(expiry,-100,0,"2024-02-02 16:00:00+00","2024-02-02 16:00:00+00",2024-02-03,%s)', current_user), 'by an event of its time, posted as of then')
  FROM journal WHERE member_id = m('ann') AND journal_no = 3;
SELECT is(lots('ann') IS NULL AND wallet('ann') = 'balance 0 held 0 debt 0', true, 'and its lot is gone');
SELECT is((SELECT next_expiry FROM account WHERE member_id = m('ann')), NULL, 'nothing more of her dies');
SELECT is(expire('2024-02-03 00:00+08'), '0 0 f', 'once');
SELECT is(expire('2024-02-03 12:34+08'), '0 0 f', 'the others live');
SELECT is(expire(), '2 500 f', 'now they are dead long since');
SELECT is(array_agg(posted_at > now() - interval '1 minute' AND occurred_at < '2024-02-06'), '{t,t}', 'posted now, dated when they died')
  FROM journal WHERE verb = 'expiry' AND member_id <> m('ann');
ROLLBACK TO bought;
-- a member's history does not go back: posted on 10 March, when all was settled; 1 + 1 months are valid through 10 April
SELECT buy('ann', 1, '2024-03-10 10:00+08') \gset
SELECT is(expire('2024-02-20 00:00+08'), '2 500 f', 'an earlier sweep finds nothing to do for who was met since');
SELECT is(story('ann', 3), '3 expiry -100 on 02-03 00:00, 4 accrual 1', 'and leaves what was posted then');
SELECT is(expire('2024-04-10 23:59:59+08'), '0 0 f', 'the last second of the last valid day');
SELECT is(expire('2024-04-11 00:00+08'), '1 1 f', 'and the first after it');
ROLLBACK TO bought;
-- set_member_status() itself would be a touch
UPDATE member SET status = CASE member_id WHEN m('ann') THEN 'frozen' ELSE 'closed' END WHERE member_id IN (m('ann'), m('bo'));
SELECT is(expire(), '3 600 f', 'points of frozen and closed members die as well');
ROLLBACK TO bought;

-- ------------------------------------------------------------------ one batch and the next

SELECT is(expire('2024-03-01 00:00+08', 2), '2 300 t', 'one batch, by number of member, of which there are more');
SELECT is(ROW(job, as_of, batches, rows, last_key = m('bo'), finished_at, error)::text, '(expire_points,"2024-02-29 16:00:00+00",1,2,t,,)', 'on record, not as finished') FROM job_run;
SELECT is(expire('2024-03-01 00:00+08', 2), '1 300 f', 'the next, and there is no more');
SELECT is(expire('2024-03-01 00:00+08', 2), '0 0 f', 'and another');
SELECT is(array_agg(ROW(batches, rows, last_key = m('cy'), finished_at >= started_at)::text ORDER BY started_at), '{"(1,2,f,)","(1,1,t,t)","(1,0,t,t)"}', 'a row each') FROM job_run;
ROLLBACK TO bought;
SELECT is(expire('2024-03-01 00:00+08', 3), '3 600 f', 'a batch that is just full was all');
ROLLBACK TO bought;
-- ann's dead points are held, so there is never anything to be done for her
SELECT authorize_points(m('ann'), 100, 'h', NULL, at => '2024-01-05 12:00+08') \gset
SELECT is(expire('2024-03-01 00:00+08', 1), '1 200 t', 'a member for whom nothing can be done is no batch');
SELECT is(expire('2024-03-01 00:00+08', 1), '1 300 f', '... nor the next time');
SELECT is(expire('2024-03-01 00:00+08', 1), '0 0 f', '... nor for ever');
SELECT is(wallet('ann') || ' ' || lots('ann'), 'balance 100 held 100 debt 0 1:100/100', 'held points stay, dead or not');
ROLLBACK TO bought;

-- ------------------------------------------------------------------ as at a touch: debts, holds and deaths in order

-- 100 points die on 3 February, but are held until 10 February; 50 of debt is left when 30 points, pending for 7 days from
-- 1 February, become active and pay. Twins: one is swept, the other met.
CREATE FUNCTION public.twin(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.enrol(name), public.buy(name, 100, '2024-01-02 10:00+08');
    PERFORM membership.authorize_points(public.m(name), 100, 'h', interval '20 days', at => '2024-01-21 12:00+08');
    UPDATE membership.program SET pending_days = 7;
    PERFORM public.buy(name, 30, '2024-02-01 10:00+08');
    PERFORM membership.adjust_points(public.m(name), -50, 'owes', 'a', at => '2024-02-02 12:00+08');
END
$$;
SELECT twin('met'), twin('swept') \gset
UPDATE burn_rule SET step = 100;
SAVEPOINT twins;
SELECT buy('met', 0, '2024-03-20 12:00+08') \gset
SELECT is(expire('2024-03-20 12:00+08'), '4 700 f', 'three as above and 100 that were held');
SELECT is(story('met'), '1 enrolment 0, 2 accrual 100, 3 authorization 0, 4 accrual 30, 5 adjustment -50, 6 debt_payment 0 on 02-08 00:00, '
          '7 timeout 0 on 02-10 12:00, 8 expiry -100 on 02-10 12:00, 9 accrual 0', 'who is met: what is due, each at its time, then the purchase');
SELECT is(story('met', 1), story('swept', 1) || ', 9 accrual 0', 'who is swept: the same');
SELECT is((SELECT array_agg(ROW(entry_no, journal_no, lot_no, points, balance_after)::text ORDER BY entry_no) FROM ledger_entry WHERE member_id = m('met')),
          (SELECT array_agg(ROW(entry_no, journal_no, lot_no, points, balance_after)::text ORDER BY entry_no) FROM ledger_entry WHERE member_id = m('swept')), 'entry by entry');
SELECT is(wallet('swept'), 'balance -20 held 0 debt 20', '30 of 50 are paid');
ROLLBACK TO twins;
-- a sweep every day, in time or not, comes to the same
SELECT expire(d) FROM generate_series(timestamptz '2024-02-02 13:00+08', '2024-03-21 13:00+08', '1 day') d \g /dev/null
SELECT is(regexp_replace(story('swept'), ' on [-0-9]+ [:0-9]+', '', 'g'),
          '1 enrolment 0, 2 accrual 100, 3 authorization 0, 4 accrual 30, 5 adjustment -50, 6 debt_payment 0, 7 timeout 0, 8 expiry -100', 'swept every day: the same');
SELECT is(array_agg(posted_at::date::text ORDER BY journal_no), '{2024-02-08,2024-02-10,2024-02-10}', '... but each as of the first sweep after it')
  FROM journal WHERE member_id = m('swept') AND journal_no > 5;
ROLLBACK TO twins;

-- ------------------------------------------------------------------ holds

SELECT is(release('2024-02-10 11:59:59+08'), '0 0 f', 'no hold is over');
SELECT is(release('2024-02-10 12:00+08', 1), '1 1 t', 'one of two');
SELECT is(release('2024-02-10 12:00+08', 1), '1 1 f', 'the other');
SELECT is(release(), '0 0 f', 'both once');
SELECT is(story('met', 6), '6 debt_payment 0 on 02-08 00:00, 7 timeout 0, 8 expiry -100', 'with all that is due of that member');
SELECT is(story('ann', 3), NULL, 'but of no other');
SELECT is(array_agg(job || ' ' || rows ORDER BY started_at), '{"release_holds 0","release_holds 1","release_holds 1","release_holds 0"}', 'on record') FROM job_run;
SELECT fund('eve', 500, at => '2024-02-01 10:00+08') \gset
SELECT authorize_points(m('eve'), 100, 'h' || n, make_interval(hours => n), at => '2024-02-01 12:00+08') FROM generate_series(1, 3) n \g /dev/null
SELECT is(release('2024-02-01 14:00+08'), '1 2 f', 'two holds of three of one member');
SELECT is(wallet('eve'), 'balance 500 held 100 debt 0', 'the third stays');
SELECT authorize_points(m('eve'), 100, 'for ever', NULL, at => '2024-02-01 14:00+08') \gset
SELECT is(release('2024-02-01 15:00+08'), '1 1 f', 'one that never ends is not released');
ROLLBACK TO bought;

-- ------------------------------------------------------------------ debts

-- a debt is paid when points become active, 7 days after 1 February, though nothing dies then
SELECT enrol('dee') \gset
UPDATE program SET pending_days = 7;
SELECT buy('dee', 30, '2024-02-01 10:00+08') \gset
SELECT adjust_points(m('dee'), -50, 'owes', 'a', at => '2024-02-02 12:00+08') \gset
SELECT is(expire('2024-02-08 00:00+08'::timestamptz - interval '1 microsecond'), '3 600 f', 'not yet');
SELECT is(expire('2024-02-08 00:00+08'), '1 0 f', 'a member without dead points is swept');
SELECT is(ROW(wallet('dee'), story('dee', 4), lots('dee'))::text, '("balance -20 held 0 debt 20","4 debt_payment 0",)', 'for the debt: 30 of 50 are paid');
SELECT is(expire('2024-02-09 00:00+08'), '0 0 f', 'once');
ROLLBACK TO bought;

-- ------------------------------------------------------------------ announcements

-- through 2, 3 and 4 February; 3 days before the 2nd is 30 January
SELECT is(announce('3 days', '2024-01-29 23:59:59+08'), '0 0 f', 'too early');
SELECT is(announce('3 days', '2024-01-30 00:00+08'), '1 1 f', 'the first is announced three days ahead');
SELECT is(ROW(member_id = m('ann'), kind, payload)::text, '(t,points_expiring,"{""lead"": ""P3D"", ""points"": 100, ""expires_on"": ""2024-02-02""}")', 'so') FROM event;
SELECT is(announce('3 days', '2024-01-30 12:00+08'), '0 0 f', 'once');
SELECT is(announce('3 days', '2024-02-01 00:00+08', 1), '1 1 t', 'the next day');
SELECT is(announce('3 days', '2024-02-01 00:00+08', 1), '1 1 f', '... and who was not in the batch');
SELECT is(announce('1 day', '2024-02-01 00:00+08'), '1 1 f', 'again with another lead');
SELECT is(announce('1 month', '2024-02-01 00:00+08'), '3 3 f', 'and another');
SELECT is(array_agg(ROW(expires_on, lead)::text ORDER BY expires_on, lead), '{"(2024-02-02,\"1 day\")","(2024-02-02,\"3 days\")","(2024-02-02,\"1 mon\")"}', 'marks of one member')
  FROM expiry_notice WHERE member_id = m('ann');
SELECT is(announce('1 month', '2024-02-10 00:00+08'), '0 0 f', 'what is dead is not announced');
ROLLBACK TO bought;
SELECT buy('ann', 7, '2024-01-02 11:00+08') \gset
SELECT grant_points(m('ann'), 20, 'x', 'evening', '2024-02-02 20:00+08', '2024-01-02 12:00+08'), grant_points(m('ann'), 9, 'x', 'other day', '2024-02-03 20:00+08', '2024-01-02 12:00+08') \gset
SELECT is(announce('2 days', '2024-02-01 09:00+08'), '2 3 f', 'two days of one member, one of another');
-- 100 + 7 + 20 on the 2nd, 9 on the 3rd
SELECT is(array_agg((payload ->> 'expires_on') || ' ' || (payload ->> 'points') ORDER BY payload ->> 'expires_on'), '{"2024-02-02 127","2024-02-03 9"}', 'a day''s points together')
  FROM event WHERE member_id = m('ann');
ROLLBACK TO bought;
SELECT authorize_points(m('bo'), 200, 'open', NULL, at => '2024-01-05 12:00+08'), authorize_points(m('cy'), 100, 'over', '1 day', at => '2024-01-05 12:00+08') \gset
SELECT adjust_points(m('ann'), -120, 'owes', 'a', at => '2024-01-06 12:00+08') \gset
UPDATE program SET pending_days = 1;
SELECT buy('ann', 50, '2024-01-07 12:00+08') \gset
SELECT is(announce('60 days', '2024-01-10 12:00+08'), '2 2 f', 'held points are not announced');
-- 50 points, active on 8 January, pay 20 of debt
SELECT is(array_agg((payload ->> 'expires_on') || ' ' || (payload ->> 'points') ORDER BY member_id), '{"2024-02-07 30","2024-02-04 300"}',
          'what pays debt is not, what was held is') FROM event;
SELECT is(story('ann', 5), NULL, 'and nothing is posted');
ROLLBACK TO bought;

-- ------------------------------------------------------------------ pruning

SELECT accrue_points(m(name), 1, 1, name || at, attributes => '{"ip": "::1"}', at => at) FROM (VALUES
    ('ann', now() - interval '40 days'), ('ann', now() - interval '20 days'), ('bo', now() - interval '50 days'), ('cy', now() - interval '10 days')) v (name, at) \g /dev/null
SELECT is(prune('60 days'), '0 0 f', 'nothing is so old');
SELECT is(prune('30 days', 1), '1 1 t', 'one member of two');
SELECT is(prune('30 days', 1), '1 1 f', 'and the other');
SELECT is(array_agg(member_id = m('ann') ORDER BY member_id), '{t,f}', 'the rest stays') FROM journal_context;
SELECT is(count(*), 7::bigint, 'as do the events') FROM journal WHERE verb = 'accrual';
SELECT is(ROW(duplicate, points)::text, '(t,1)', 'a receipt is known without its attributes')
  FROM (SELECT order_ref, posted_at FROM journal WHERE member_id = m('bo') AND amount = 1) j, accrue_points(m('bo'), 1, 1, order_ref, attributes => '{"ip": "::1"}', at => posted_at);
ROLLBACK TO bought;

-- ------------------------------------------------------------------ what is refused

SELECT is(take(call), refusal, call) FROM (VALUES
    ($$SELECT expire(now() + interval '1 hour')$$, '22023 as_of lies in the future'), ($$SELECT expire('infinity')$$, '22023 as_of is out of range'),
    ($$SELECT expire(NULL, 0)$$, '22023 batch_size must not be 0'), ($$SELECT release(NULL, 10001)$$, '22023 batch_size must not be 10001'),
    ($$SELECT expire(NULL, NULL)$$, '22004 batch_size must not be null'), ($$SELECT announce(NULL)$$, '22004 lead must not be null'),
    ($$SELECT announce('0')$$, '22023 lead is out of range'), ($$SELECT prune('-1 day')$$, '22023 older_than is out of range'),
    ($$SELECT prune('101 years')$$, '22023 older_than is out of range')) v (call, refusal);
-- tables of the version before
UPDATE program SET table_version = 1;
SELECT is(take('SELECT expire()'), 'MB402 this call needs the programme''s tables in version 2', 'tables that upgrade_program() has not brought up');
UPDATE program SET table_version = 2;
SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
SELECT * FROM finish();
ROLLBACK;
