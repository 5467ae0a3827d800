-- Members: enrolment, identities and their normal forms, status, tags, tier by hand.
\set tests 191
\ir setup.psql
SELECT open_mall() \gset

-- enrolment
SELECT is(ROW(member_id, created, referrer_id)::text, '(1,t,)', 'the first member is number 1, new, invited by nobody')
  FROM enroll_member('phone', '13800138000', birthday => '1990-02-28', source => 'poster', channel => 'app',
                     attributes => '{"size": "M"}', at => '2024-03-10 23:30+08');
SELECT is(ROW(status, tier_id, tier_since, tier_expires_at, enrolled_at, birthday, source, channel, attributes, tags)::text,
          '(active,1,"2024-03-10 15:30:00+00",,"2024-03-10 15:30:00+00",1990-02-28,poster,app,"{""size"": ""M""}",{})',
          'a new member is active, in the lowest tier, with what was given')
  FROM member WHERE member_id = 1;
-- 23:30 in Shanghai is 15:30 UTC of the same day
SELECT is(ROW(journal_no, verb, day, points, balance, last_entry_no, actor, login)::text,
          format('(1,enrolment,2024-03-10,0,0,0,%s,%s)', current_user, session_user), 'enrolment is the first event of the journal')
  FROM journal WHERE member_id = 1;
SELECT is(ROW(balance, debt, held, next_journal_no, next_entry_no, next_expiry, last_posted_at)::text,
          '(0,0,0,2,1,,"2024-03-10 15:30:00+00")', 'a new points account is empty')
  FROM account WHERE member_id = 1 AND wallet_id = 1;
SELECT is(ROW(history_no, tier_id, during, cause, journal_no)::text,
          '(1,1,"[""2024-03-10 15:30:00+00"",)",enrolment,1)', 'the tier''s history begins at enrolment')
  FROM tier_history WHERE member_id = 1;
SELECT is(ROW(balance, available, pending, held, debt, next_expiry, expiring_30d)::text, '(0,0,0,0,0,,0)', 'balances of a new member')
  FROM member_balance WHERE member_id = 1 AND wallet = 'points';
SELECT is(ROW(tier, window_basis, next_tier, basis_missing)::text, '(regular,0.00,silver,5000.00)', 'a new member misses 5,000 to silver')
  FROM member_tier_progress WHERE member_id = 1;
SELECT is(ROW(member_id, created)::text, '(1,f)', 'the same phone enrolled again finds the same member')
  FROM enroll_member('phone', '13800138000', birthday => '2000-01-01');
SELECT is(birthday, '1990-02-28'::date, 'and changes nothing') FROM member WHERE member_id = 1;
SELECT is(ROW(created, member_id)::text, '(t,2)', 'another phone is another member')
  FROM enroll_member('phone', '13900139000', at => '2024-03-11 00:00+08');
SELECT is(day, '2024-03-11'::date, 'midnight in Shanghai is a new programme day, though 16:00 UTC of the day before')
  FROM journal WHERE member_id = 2;

-- normal forms
SELECT is(value, '+8613800138000', 'a phone is kept in E.164') FROM member_identity WHERE member_id = 1 AND kind = 'phone';
SELECT is(find_member('phone', form), 1::bigint, format('phone "%s" finds the member', form))
  FROM (VALUES ('13800138000'), ('+8613800138000'), ('+86 138 0013 8000'), ('0086 138-0013-8000'), ('138 0013 8000'),
               ('(138) 0013.8000'), ('  13800138000  '), ('013800138000')) f (form);
SELECT is(ROW(member_id, created)::text, '(1,f)', 'enrolment knows the normal form too') FROM enroll_member('phone', '0086 138 0013 8000');
SELECT is(find_member('phone', '+1 380 013 8000'), NULL, 'the same digits of another country are somebody else');
SELECT is(find_member('phone', '13700137000'), NULL, 'an unknown phone finds nobody');
SELECT throws_ok(format('SELECT membership.enroll_member(%L, %L)', 'phone', form), '22023', NULL, format('phone "%s" is refused', form))
  FROM (VALUES ('abc'), ('+86 138x0013'), ('1234'), ('+86 1234567890123456'), ('+0 138 0013 8000'), ('+')) f (form);
SELECT is(find_member('phone', '0755-8888 1234'), NULL, 'a landline is in normal form without its trunk 0');
SELECT lives_ok($$SELECT membership.add_identity(1, 'phone', '0755-8888 1234')$$, 'a landline can be added');
SELECT is(find_member('phone', '+86 755 8888 1234'), 1::bigint, 'and is found with its country code');

SELECT lives_ok($$SELECT membership.add_identity(1, 'email', ' Ann@Example.COM ')$$, 'an e-mail can be added');
SELECT is(value, 'ann@example.com', 'an e-mail is kept trimmed and in lower case') FROM member_identity WHERE kind = 'email';
SELECT is(find_member('email', 'ANN@example.com'), 1::bigint, 'and found in any case');
SELECT lives_ok($$SELECT membership.add_identity(1, 'card', '  C-100 ')$$, 'a card can be added');
SELECT is(find_member('card', 'C-100'), 1::bigint, 'a card is trimmed');
SELECT is(find_member('card', 'c-100'), NULL, 'but its case matters');
SELECT is(find_member('wechat', 'C-100'), NULL, 'a value belongs to its kind');
SELECT throws_ok(format('SELECT membership.find_member(%L, %L)', kind, 'x'), '22023', NULL, format('kind "%s" is refused', kind))
  FROM (VALUES (''), ('Card'), ('1card'), ('card no'), (repeat('k', 31))) k (kind);
SELECT throws_ok($$SELECT membership.find_member('card', '   ')$$, '22023', NULL, 'a blank value is refused');
SELECT throws_ok($$SELECT membership.find_member('card', repeat('9', 201))$$, '22023', NULL, 'a value of 201 bytes is refused');
SELECT throws_ok(sql, '22004', NULL, 'null is refused: ' || sql)
  FROM (VALUES ($$SELECT membership.find_member(NULL, 'x')$$), ($$SELECT membership.find_member('card', NULL)$$),
               ($$SELECT membership.enroll_member(NULL, 'x')$$), ($$SELECT membership.enroll_member('card', NULL)$$),
               ($$SELECT membership.enroll_member('card', 'x', channel => NULL)$$),
               ($$SELECT membership.add_identity(NULL, 'card', 'x')$$), ($$SELECT membership.add_identity(1, NULL, 'x')$$),
               ($$SELECT membership.replace_identity(1, 'card', 'C-100', NULL, 'lost')$$),
               ($$SELECT membership.replace_identity(1, 'card', 'C-100', 'C-101', NULL)$$),
               ($$SELECT membership.remove_identity(1, 'card', 'C-100', NULL)$$), ($$SELECT membership.update_member(NULL)$$),
               ($$SELECT membership.set_tags(1, NULL)$$), ($$SELECT membership.set_member_status(1, NULL, 'why')$$),
               ($$SELECT membership.set_member_status(1, 'frozen', NULL)$$), ($$SELECT membership.set_tier(1, NULL, NULL, 'why')$$),
               ($$SELECT membership.set_tier(1, 'gold', NULL, NULL)$$)) s (sql);

-- other countries: the same rule by program.phone_country
UPDATE program SET phone_country = '44';
SELECT is(created, true, 'a British national number enrols') FROM enroll_member('phone', '07700 900123');
SELECT is(member_id, find_member('phone', '07700 900123'), 'and loses its 0') FROM member_identity WHERE kind = 'phone' AND value = '+447700900123';
SELECT is(find_member('phone', '+44 7700 900123'), find_member('phone', '07700-900-123'), 'and is the one with +44');
SELECT is(find_member('phone', '13800138000'), NULL, 'a number without country now is a British one');
UPDATE program SET phone_country = '39';
SELECT is(created, true, 'an Italian number enrols') FROM enroll_member('phone', '06 1234 5678');
SELECT is(member_id, find_member('phone', '06 1234 5678'), 'and keeps its 0') FROM member_identity WHERE kind = 'phone' AND value = '+390612345678';
UPDATE program SET phone_country = NULL;
SELECT throws_ok($$SELECT membership.find_member('phone', '13800138000')$$, '22023', NULL, 'without phone_country a national number is refused');
SELECT is(find_member('phone', '008613800138000'), 1::bigint, 'an international one is not');
UPDATE program SET phone_country = '86';

-- referral codes
SELECT ok(bool_and(referral_code ~ '^[0-9A-HJKMNP-TV-Z]{8}$'), 'a referral code is 8 letters and digits without I, L, O, U')
  FROM generate_series(1, 20) i, enroll_member('card', 'code ' || i);
SELECT is(count(DISTINCT value), count(DISTINCT member_id), 'every member has a code of its own') FROM member_identity WHERE kind = 'referral';
SELECT is(find_member('referral', lower(referral_code)), 1::bigint, 'a referral code finds its member in any case')
  FROM enroll_member('phone', '13800138000');
SELECT is((SELECT referrer_id FROM enroll_member('card', 'invited', referral_code => ' ' || lower(value) || ' ')), 1::bigint,
          'who invited is remembered')
  FROM member_identity WHERE kind = 'referral' AND member_id = 1;
SELECT is(referrer_id, 1::bigint, 'and returned when the same one is enrolled again') FROM enroll_member('card', 'invited');
SELECT is(referrer_id, 1::bigint, 'in the member''s row') FROM member WHERE member_id = m('invited');
SELECT throws_ok($$SELECT membership.enroll_member('card', 'n1', referral_code => '00000000')$$, 'MB006', NULL, 'an unknown code is refused');
SELECT is(m('n1'), NULL, 'and enrols nobody');
SELECT throws_ok($$SELECT membership.enroll_member('referral', 'ABCDEFGH')$$, '22023', NULL, 'nobody is enrolled by a code');
SELECT throws_ok(format('SELECT membership.%s', call), '22023', NULL, 'a code is not changed: ' || call)
  FROM (VALUES ($$add_identity(1, 'referral', 'ABCDEFGH')$$), ($$replace_identity(1, 'referral', 'ABCDEFGH', 'ABCDEFGJ', 'why')$$),
               ($$remove_identity(1, 'referral', 'ABCDEFGH', 'why')$$)) c (call);

-- times of enrolment
SELECT throws_ok($$SELECT membership.enroll_member('card', 't1', at => clock_timestamp() + interval '11 minutes')$$, '22023', NULL,
                 'enrolment 11 minutes ahead is refused');
SELECT lives_ok($$SELECT membership.enroll_member('card', 't2', at => clock_timestamp() + interval '9 minutes')$$, 'enrolment 9 minutes ahead is not');
SELECT throws_ok($$SELECT membership.enroll_member('card', 't3', at => 'infinity')$$, '22023', NULL, 'infinity is no time');

-- birthdays and attributes
SELECT throws_ok($$SELECT membership.enroll_member('card', 'b1', birthday => '1899-12-31')$$, '22023', NULL, 'nobody was born before 1900');
SELECT throws_ok($$SELECT membership.enroll_member('card', 'b1', birthday => (now() AT TIME ZONE 'UTC')::date + 2)$$, '22023', NULL,
                 'nobody will have been born the day after tomorrow');
SELECT throws_ok($$SELECT membership.update_member(1, birthday => 'infinity')$$, '22023', NULL, 'infinity is no birthday');
SELECT lives_ok($$SELECT membership.enroll_member('card', 'b2', birthday => '1900-01-01')$$, 'the oldest birthday');
SELECT throws_ok($$SELECT membership.enroll_member('card', 'b3', attributes => '[1]')$$, '22023', NULL, 'attributes are an object');
SELECT lives_ok($$SELECT membership.update_member(1, birthday => '1991-01-01', consent => '{"sms": true}')$$, 'a member can be updated');
SELECT is(ROW(birthday, attributes, consent)::text, '(1991-01-01,"{""size"": ""M""}","{""sms"": true}")', 'and what is not given stays')
  FROM member WHERE member_id = 1;
SELECT lives_ok($$SELECT membership.update_member(1, attributes => '{}')$$, 'attributes can be emptied');
SELECT is(ROW(birthday, attributes)::text, '(1991-01-01,{})', 'alone') FROM member WHERE member_id = 1;

-- identities
SELECT throws_ok($$SELECT membership.add_identity(2, 'card', 'C-100')$$, 'MB203', NULL, 'a card of another member cannot be added');
SELECT throws_ok($$SELECT membership.replace_identity(2, 'card', 'C-100', 'C-200', 'lost')$$, 'MB203', NULL, 'nor replaced');
SELECT throws_ok($$SELECT membership.remove_identity(2, 'card', 'C-100', 'lost')$$, 'MB203', NULL, 'nor removed');
SELECT throws_ok($$SELECT membership.replace_identity(1, 'phone', '13800138000', '+86 139 0013 9000', 'new number')$$, 'MB203', NULL,
                 'a phone cannot become that of another member');
SELECT is(find_member('phone', '13800138000'), 1::bigint, 'and the old one stays then');
SELECT throws_ok($$SELECT membership.replace_identity(1, 'card', 'C-998', 'C-999', 'lost')$$, 'MB007', NULL, 'a card that is not there cannot be replaced');
SELECT is(find_member('card', 'C-999'), NULL, 'and the new one is not given');

SELECT lives_ok($$SELECT membership.replace_identity(1, 'card', 'C-100', 'C-101', 'card lost')$$, 'a lost card is replaced');
SELECT is(ROW(find_member('card', 'C-100'), find_member('card', 'C-101'))::text, '(,1)', 'the new one finds the member, the old one nobody');
SELECT is(ROW(verb, reason, points)::text, '(identity_change,"card lost",0)', 'the change is journalled')
  FROM journal WHERE member_id = 1 ORDER BY journal_no DESC LIMIT 1;
SELECT count(*) AS events FROM journal WHERE member_id = 1 \gset
SELECT lives_ok($$SELECT membership.replace_identity(1, 'card', 'C-100', 'C-101', 'card lost')$$, 'replacing it again');
SELECT lives_ok($$SELECT membership.replace_identity(1, 'card', 'C-101', ' C-101 ', 'same')$$, 'replacing it by itself');
SELECT lives_ok($$SELECT membership.add_identity(1, 'card', 'C-101')$$, 'adding it again');
SELECT is((SELECT count(*) FROM journal WHERE member_id = 1), :events::bigint, 'changes nothing');
SELECT lives_ok($$SELECT membership.remove_identity(1, 'card', ' C-101 ', 'returned')$$, 'a card is removed');
SELECT is(find_member('card', 'C-101'), NULL, 'and finds nobody any more');
SELECT lives_ok($$SELECT membership.remove_identity(1, 'card', 'C-101', 'returned')$$, 'removing it again');
SELECT is((SELECT count(*) FROM journal WHERE member_id = 1), :events + 1::bigint, 'is journalled once');
SELECT lives_ok($$SELECT membership.add_identity(2, 'card', 'C-101')$$, 'a card that is free can be given to another');
SELECT is(find_member('card', 'C-101'), 2::bigint, 'who is found by it');

-- tags
SELECT lives_ok($$SELECT membership.set_tags(1, '{vip,app,coffee,app}')$$, 'tags are set');
SELECT is(tags, '{app,coffee,vip}', 'sorted, each once') FROM member WHERE member_id = 1;
SELECT lives_ok($$SELECT membership.set_tags(1, '{}')$$, 'tags are cleared');
SELECT is(tags, '{}', 'to none') FROM member WHERE member_id = 1;
SELECT throws_ok($$SELECT membership.set_tags(1, '{vip,NULL}')$$, '22004', NULL, 'a null tag is refused');
SELECT throws_ok($$SELECT membership.set_tags(1, '{vip,""}')$$, '22023', NULL, 'an empty tag is refused');
SELECT throws_ok($$SELECT membership.set_tags(1, ARRAY[repeat('t', 61)])$$, '22023', NULL, 'a tag of 61 bytes is refused');
SELECT throws_ok($$SELECT membership.set_tags(1, ARRAY(SELECT 'tag' || i FROM generate_series(1, 101) i))$$, '22023', NULL, '101 tags are refused');
SELECT lives_ok($$SELECT membership.set_tags(1, ARRAY(SELECT 'tag' || i FROM generate_series(1, 100) i))$$, '100 are not');

-- tier by hand
SELECT enrol('tia') \gset
SELECT throws_ok($$SELECT membership.set_tier(m('tia'), 'platinum', NULL, 'why')$$, 'MB004', NULL, 'an unknown tier is refused');
SELECT throws_ok($$SELECT membership.set_tier(m('tia'), 'gold', 'infinity', 'why')$$, '22023', NULL, 'infinity is no lock');
SELECT lives_ok($$SELECT membership.set_tier(m('tia'), 'gold', '2099-01-01 00:00+08', 'birthday gift')$$, 'a tier is given');
-- gold is valid for 12 months: through the same local date of the next year
SELECT is(ROW(member.tier_id, tier_since, tier_expires_at, tier_locked_until)::text,
          ROW(3, j.posted_at, (((j.posted_at AT TIME ZONE 'Asia/Shanghai')::date + interval '12 months')::date + 1)::timestamp AT TIME ZONE 'Asia/Shanghai',
              timestamptz '2099-01-01 00:00+08')::text, 'with its end and its lock')
  FROM member JOIN journal j USING (member_id) WHERE member_id = m('tia') AND j.verb = 'tier_change';
SELECT is(reason, 'birthday gift', 'journalled with the reason') FROM journal WHERE member_id = m('tia') AND verb = 'tier_change';
SELECT lives_ok($$SELECT membership.set_tier(m('tia'), 'gold', '2099-01-01 00:00+08', 'birthday gift')$$, 'giving it again');
SELECT is(count(*), 1::bigint, 'changes nothing') FROM journal WHERE member_id = m('tia') AND verb = 'tier_change';
SELECT lives_ok($$SELECT membership.set_tier(m('tia'), 'gold', NULL, 'no lock')$$, 'a lock is taken off');
SELECT is(ROW(tier_id, tier_locked_until)::text, '(3,)', 'and the tier stays') FROM member WHERE member_id = m('tia');
SELECT lives_ok($$SELECT membership.set_tier(m('tia'), 'regular', NULL, 'mistake')$$, 'a tier is taken away');
SELECT is(ROW(tier_id, tier_expires_at)::text, '(1,)', 'regular has no end') FROM member WHERE member_id = m('tia');
-- a posting ahead of the clock makes the next two changes fall on one instant
SELECT lives_ok($$SELECT membership.grant_points(m('tia'), 1, 'ahead', 'ahead', at => clock_timestamp() + interval '5 minutes')$$, 'a posting ahead of the clock');
SELECT lives_ok($$SELECT membership.set_tier(m('tia'), 'silver', NULL, 'first')$$, 'one change of tier');
SELECT lives_ok($$SELECT membership.set_tier(m('tia'), 'diamond', NULL, 'second')$$, 'and another at the same instant');
SELECT is(tier_id, 4, 'the later one holds') FROM member WHERE member_id = m('tia');
SELECT is(ROW(min(history_no), max(history_no), count(*) FILTER (WHERE upper_inf(during) AND NOT isempty(during)))::text,
          format('(1,%s,1)', count(*)), 'the history is numbered without gaps and ends with one open range')
  FROM tier_history WHERE member_id = m('tia');
SELECT is_empty($$SELECT * FROM (SELECT during, lag(during) OVER (ORDER BY history_no) AS before FROM membership.tier_history
                                  WHERE member_id = m('tia') AND NOT isempty(during)) h
                   WHERE before IS NOT NULL AND upper(before) <> lower(during)$$, 'each range begins where the one before ends');
SELECT is(ROW(h.tier_id, h.cause, j.reason)::text, '(4,manual,second)', 'the open range names its event')
  FROM tier_history h JOIN journal j USING (member_id, journal_no) WHERE member_id = m('tia') AND upper_inf(during) AND NOT isempty(during);

-- status
SELECT enrol('sam') \gset
SELECT ok((SELECT points = 100 AND NOT duplicate FROM accrue_points(m('sam'), 1, 100, 'sam 1', at => '2024-02-01 12:00+08')), 'a purchase');
SELECT ok((SELECT points = 7 FROM grant_points(m('sam'), 7, 'gift', 'sam gift', at => '2024-02-01 12:00+08')), 'a grant');
SELECT is(status, 'review', 'a purchase under review') FROM accrue_points(m('sam'), 1, 10, 'sam 2', occurred_at => '2024-01-01 12:00+08', at => '2024-02-02 12:00+08');
SELECT throws_ok($$SELECT membership.set_member_status(m('sam'), 'asleep', 'why')$$, '22023', NULL, 'an unknown status is refused');
SELECT lives_ok($$SELECT membership.set_member_status(m('sam'), 'frozen', 'fraud?')$$, 'a member is frozen');
SELECT is(ROW(member.status, j.verb, j.reason)::text, '(frozen,status_change,fraud?)', 'and it is journalled')
  FROM member CROSS JOIN LATERAL (SELECT * FROM journal j WHERE j.member_id = member.member_id ORDER BY journal_no DESC LIMIT 1) j
 WHERE member.member_id = m('sam');
SELECT lives_ok($$SELECT membership.set_member_status(m('sam'), 'frozen', 'again')$$, 'freezing again');
SELECT is(count(*), 1::bigint, 'changes nothing') FROM journal WHERE member_id = m('sam') AND verb = 'status_change';
SELECT ok((SELECT points = 5 FROM grant_points(m('sam'), 5, 'sorry', 'sam sorry')), 'a frozen member can get points');
SELECT ok((SELECT points = -2 FROM adjust_points(m('sam'), -2, 'typo', 'sam typo')), 'and have them corrected');
SELECT lives_ok($$SELECT membership.set_member_status(m('sam'), 'active', 'cleared')$$, 'and becomes active again');
SELECT is(status, 'active', 'which it is') FROM member WHERE member_id = m('sam');
SELECT lives_ok($$SELECT membership.set_member_status(m('sam'), 'closed', 'asked for it')$$, 'a member is closed');
SELECT lives_ok($$SELECT membership.set_member_status(m('sam'), 'closed', 'asked for it')$$, 'closing again changes nothing');
SELECT is(count(*), 3::bigint, 'freezing, clearing and closing are journalled') FROM journal WHERE member_id = m('sam') AND verb = 'status_change';
SELECT throws_ok(format('SELECT membership.%s', call), 'MB102', NULL, 'closed: ' || call)
  FROM (VALUES ($$set_member_status(m('sam'), 'active', 'back')$$), ($$set_member_status(m('sam'), 'frozen', 'back')$$),
               ($$add_identity(m('sam'), 'phone', '13600136000')$$), ($$replace_identity(m('sam'), 'card', 'sam', 'sammy', 'lost')$$),
               ($$remove_identity(m('sam'), 'card', 'sam', 'lost')$$), ($$update_member(m('sam'), birthday => '1980-01-01')$$),
               ($$set_tags(m('sam'), '{vip}')$$), ($$set_tier(m('sam'), 'gold', NULL, 'gift')$$),
               ($$accrue_points(m('sam'), 1, 10, 'sam 9')$$), ($$preview_accrual(m('sam'), 1, 10)$$),
               ($$grant_points(m('sam'), 1, 'gift', 'sam 9')$$), ($$adjust_points(m('sam'), 1, 'gift', 'sam 9')$$),
               ($$adjust_points(m('sam'), -1, 'gift', 'sam 10')$$), ($$review_accrual(m('sam'), 4, 'approve', 'fine')$$),
               ($$review_accrual(m('sam'), 4, 'reject', 'late')$$)) c (call);
SELECT is(ROW(points, duplicate)::text, '(100,t)', 'closed: a repeated purchase still has its first result')
  FROM accrue_points(m('sam'), 1, 100, 'sam 1', at => '2024-02-01 12:00+08');
SELECT is(ROW(points, duplicate)::text, '(7,t)', 'closed: a repeated grant too') FROM grant_points(m('sam'), 7, 'gift', 'sam gift', at => '2024-02-01 12:00+08');
SELECT is(created, false, 'closed: the identity still finds the member') FROM enroll_member('card', 'sam');
SELECT is(count(*) > 0, true, 'closed: the statement can be read') FROM statement(m('sam'));

-- nobody there
SELECT throws_ok(format('SELECT membership.%s', call), 'MB002', NULL, 'unknown member: ' || call)
  FROM (VALUES ($$set_member_status(999, 'active', 'x')$$), ($$add_identity(999, 'card', 'x')$$), ($$replace_identity(999, 'card', 'x', 'y', 'x')$$),
               ($$remove_identity(999, 'card', 'x', 'x')$$), ($$update_member(999)$$), ($$set_tags(999, '{}')$$), ($$set_tier(999, 'gold', NULL, 'x')$$),
               ($$accrue_points(999, 1, 10, 'x')$$), ($$preview_accrual(999, 1, 10)$$), ($$grant_points(999, 1, 'x', 'x')$$),
               ($$adjust_points(999, 1, 'x', 'x')$$), ($$balance_at(999, now())$$), ($$add_identity(-1, 'card', 'x')$$)) c (call);
SELECT is(count(*), 0::bigint, 'an unknown member has no statement') FROM statement(999);
SELECT is(count(*), 0::bigint, 'and no row in member_identity was left') FROM member_identity WHERE member_id = 999;

SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
SELECT * FROM finish();
ROLLBACK;
