-- Two members turn out to be one person. What happens now is dated by the clock, so lots live until fixed days far ahead.
\ir setup.psql
SELECT open_mall() \gset
\ir spending.psql
UPDATE program SET transfers = true;
UPDATE burn_rule SET share = NULL;

-- life(member): lots that are open, as remaining@last year of life, with p when pending, earliest expiry first
CREATE FUNCTION public.life(member bigint) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT string_agg(format('%s@%s%s', remaining, to_char(expires_at, 'YYYY'), CASE WHEN active_at > clock_timestamp() THEN 'p' END), ' ' ORDER BY expires_at, lot_no)
      FROM membership.lot WHERE member_id = member
$$;
-- told(member, since): the journal from a row on, as verb points>balance, with what it is about
CREATE FUNCTION public.told(member bigint, since bigint DEFAULT 1) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT string_agg(format('%s %s>%s%s%s', verb, points, balance, ' of ' || counterpart_id, ' no ' || refers_to), ', ' ORDER BY journal_no)
      FROM membership.journal WHERE member_id = member AND journal_no >= since
$$;
CREATE FUNCTION public.next_no(member bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT next_journal_no FROM membership.account WHERE member_id = member
$$;

-- ------------------------------------------------------------------ points, pending, debt

SELECT fund('ann', 300, '2090-01-01') AS ann, enrol('bob') AS bob \gset
SELECT fund('ann', 200, '2092-01-01') \gset
SELECT fund('bob', 100, '2089-01-01'), fund('bob', 70, '2091-01-01') \gset
UPDATE merchant SET pending_days = 30 WHERE merchant_id = 1;
UPDATE program SET expiry = '2093-12-31';
SELECT * FROM accrue_points(:bob, 1, 50, 'b1') \gset b1_
UPDATE merchant SET pending_days = NULL WHERE merchant_id = 1;
SELECT is(:'b1_status'::text, 'pending', 'a purchase of 50 is pending');
SELECT merge_members(:ann, :bob, 'second card') \gset
SELECT is(life(:ann), '100@2089 300@2090 70@2091 200@2092 50@2093p', 'the survivor has all lots, with the life they had');
SELECT is(life(:bob), NULL, 'the merged member has none');
SELECT is(format('%s %s %s', balance, available, pending), '720 670 50', '300 + 200 + 100 + 70 = 670, and 50 to come') FROM member_balance WHERE member_id = :ann;
SELECT is_empty(format('SELECT * FROM member_balance WHERE member_id = %s', :bob), 'the old number has no balance');
SELECT is(told(:bob), format('enrolment 0>0, grant 100>100, grant 70>170, accrual 50>220, merge_out -220>0 of %s', :ann), 'its story ends');
SELECT is(told(:ann), format('enrolment 0>0, grant 300>300, grant 200>500, merge_in 220>720 of %s', :bob), 'the survivor''s goes on');
SELECT is(array_agg(reason ORDER BY member_id), '{"second card","second card"}', 'both tell why') FROM journal WHERE verb ~ '^merge';
SELECT is(array_agg(origin ORDER BY lot_no), '{grant,grant,grant,grant,accrual}', 'lots keep their origin') FROM lot WHERE member_id = :ann;
SELECT is(survivor_id, :ann::bigint, 'the alias') FROM member_alias WHERE member_id = :bob;
SELECT is(status, 'merged', 'the status') FROM member WHERE member_id = :bob;
SELECT is(m('bob'), :ann::bigint, 'the identity finds the survivor');
SELECT is(format('%s %s', e.member_id, e.created), format('%s f', :ann), 'who enrols with it is the survivor') FROM enroll_member('card', 'bob') e;
SELECT is(referral_code, (SELECT referral_code FROM enroll_member('card', 'ann')), 'who has one referral code of its own') FROM enroll_member('card', 'bob');
SELECT is(referrer_id, :ann::bigint, 'the old referral code finds the survivor')
  FROM enroll_member('card', 'guest', referral_code => (SELECT value FROM member_identity WHERE kind = 'referral' AND member_id = :ann ORDER BY value <> (SELECT referral_code FROM enroll_member('card', 'ann')) DESC LIMIT 1));

-- debt of either side: the survivor owes 120, of the 100 that come 100 pay; 20 remain, with 50 pending
UPDATE program SET allow_debt = true;
SELECT enrol('dan') AS dan, fund('eve', 100, '2089-01-01') AS eve \gset
SELECT adjust_points(:dan, -120, 'x', 'd') \gset
UPDATE merchant SET pending_days = 30 WHERE merchant_id = 1;
SELECT accrue_points(:eve, 1, 50, 'e1') \gset
UPDATE merchant SET pending_days = NULL WHERE merchant_id = 1;
SELECT merge_members(:dan, :eve, 'x') \gset
SELECT is(format('%s %s %s %s', balance, available, pending, debt), '30 -20 50 20', 'debt is paid by what comes') FROM member_balance WHERE member_id = :dan;
SELECT is(told(:dan, 3), format('merge_in 150>30 of %s', :eve), 'in the same event');
SELECT is(moved('dan', 3), '2:100 3:50 2:-100 0:100', 'by visible entries') ;
-- the merged one owes 400: the survivor's 300 until 2088 pay first, then 100 of those until 2095
SELECT fund('fay', 300, '2095-01-01') AS fay, enrol('gus') AS gus \gset
SELECT fund('fay', 300, '2088-01-01') \gset
SELECT adjust_points(:gus, -400, 'x', 'd') \gset
SELECT merge_members(:fay, :gus, 'x') \gset
SELECT is(life(:fay), '200@2095', 'the survivor pays, earliest expiry first');
SELECT is(told(:gus, 3) || '; ' || told(:fay, 4), format('merge_out 400>0 of %s; merge_in -400>200 of %s', :fay, :gus), 'the debt moves');
SELECT is(moved('fay', 4), '0:-400 2:-300 0:300 1:-100 0:100', 'and is paid at once');
UPDATE program SET allow_debt = false;

-- what is due falls due before: 80 points that died, a hold that timed out
SELECT fund('hal', 80, clock_timestamp() + interval '1 second', now()) AS hal, enrol('ivy') AS ivy \gset
SELECT fund('hal', 200, '2090-01-01', now()) \gset
SELECT authorize_points(:hal, 100, 'h', '1 second') \gset
SELECT pg_sleep(1.1) \gset
SELECT merge_members(:ivy, :hal, 'x') \gset
SELECT is(told(:hal, 4), format('authorization 0>280, timeout 0>280 no 4, expiry -80>200, merge_out -200>0 of %s', :ivy), 'a hold that timed out is no hindrance, dead points do not move');

-- ------------------------------------------------------------------ refused

SELECT fund('kim', 500, '2090-01-01', now()) AS kim, enrol('leo') AS leo \gset
SELECT authorize_points(:kim, 100, 'k', NULL) \gset
SELECT is(take(call), result, call) FROM (VALUES
    ('SELECT merge_members(m(''leo''), m(''kim''), ''x'')', format('MB111 member %s has open holds', :kim)),
    ('SELECT merge_members(m(''kim''), m(''kim''), ''x'')', format('22023 member %s cannot be merged into itself', :kim)),
    ('SELECT merge_members(m(''kim''), 999999, ''x'')', 'MB002 member 999999 does not exist'),
    ('SELECT merge_members(999999, m(''leo''), ''x'')', 'MB002 member 999999 does not exist'),
    ('SELECT merge_members(NULL, m(''leo''), ''x'')', '22004 into_member_id must not be null'),
    ('SELECT merge_members(m(''kim''), m(''leo''), NULL)', '22004 reason must not be null')) c (call, result);
SELECT is(take(format('SELECT merge_members(%s, %s, ''x'')', :kim, :leo)), '', 'the survivor may have holds');
SELECT void_points(:kim, 'k') \gset
SELECT accrue_points(:kim, 1, 10, 'k-late', occurred_at => now() - interval '40 days') \gset
SELECT is(take(format('SELECT merge_members(%s, %s, ''x'')', :leo, :kim)), format('MB111 member %s has purchases under review', :kim), 'an undecided purchase');
SELECT review_accrual(:kim, next_no(:kim) - 1, 'approve', 'seen') \gset
SELECT set_member_status(:leo, 'frozen', 'x') \gset
SELECT is(take(format('SELECT merge_members(%s, %s, ''x'')', a, b)), format('MB104 member %s is frozen', :leo), 'frozen, either') FROM (VALUES (:kim, :leo), (:leo, :kim)) v (a, b);
SELECT set_member_status(:leo, 'closed', 'x') \gset
SELECT is(take(format('SELECT merge_members(%s, %s, ''x'')', a, b)), format('MB102 member %s is closed', :leo), 'closed, either') FROM (VALUES (:kim, :leo), (:leo, :kim)) v (a, b);

SELECT next_no(:ann) AS ann_no \gset
SELECT merge_members(:ann, :bob, 'again') \gset
SELECT is(next_no(:ann), :ann_no::bigint, 'repeated, nothing changes');
SELECT is(take(format('SELECT merge_members(%s, %s, ''x'')', :bob, :ann)), format('MB111 member %s cannot be merged into itself', :ann), 'nor is it turned round');
SELECT is(take(format('SELECT merge_members(%s, %s, ''x'')', :kim, :bob)), format('MB111 member %s was merged before', :bob), 'a merged member is not merged into another');
SELECT is(next_no(:ann), :ann_no::bigint, 'nothing of it stays');

-- ------------------------------------------------------------------ keys and receipts, by either number

SELECT fund('mia', 1000, '2090-01-01', now()) AS mia, fund('ned', 1000, '2089-01-01', now()) AS ned, fund('oda', 100, '2090-01-01', now()) AS oda \gset
SELECT accrue_points(:ned, 1, 20, 'n1', external_refs => '{"wechat": "W1"}') \gset
SELECT redeem_points(:ned, 200, 'r1') \gset
SELECT redeem_points(:ned, 100, 'r2', purpose => 'payment') \gset
SELECT redeem_points(:mia, 300, 'r2') \gset
SELECT grant_points(:ned, 5, 'birthday', 'g1') \gset
SELECT authorize_points(:ned, 100, 'a1'), capture_points(:ned, 'a1') \gset
SELECT authorize_points(:ned, 100, 'a2'), void_points(:ned, 'a2') \gset
SELECT transfer_points(:ned, :oda, 10, 't1'), transfer_points(:ned, :mia, 10, 't2'), transfer_points(:oda, :ned, 7, 't3') \gset
SELECT accrue_points(:ned, 1, 10, 'n-late', occurred_at => now() - interval '40 days'), review_accrual(:ned, next_no(:ned), 'reject', 'no') \gset
SELECT next_no(:ned) - 2 AS late \gset
SELECT merge_members(:mia, :ned, 'x') \gset
SELECT next_no(:mia) AS mia_no \gset
CREATE FUNCTION public.again(call text, member bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN EXECUTE format('SELECT r.duplicate FROM membership.' || call || ' r', member) INTO result; RETURN result; END $$;
SELECT is(again(call, v.member), 'true', replace(call, '%s', v.name)) FROM (VALUES (:mia, 'new'), (:ned, 'old')) v (member, name), unnest(ARRAY[
    'accrue_points(%s, 1, 20, ''n1'', external_refs => ''{"wechat": "W1"}'')', 'accrue_points(%s, 1, 20, ''n1-other'', external_refs => ''{"wechat": "W1"}'')',
    'redeem_points(%s, 200, ''r1'')', 'redeem_points(%s, 100, ''r2'')', 'redeem_points(%s, 300, ''r2'')', 'grant_points(%s, 5, ''birthday'', ''g1'')',
    'authorize_points(%s, 100, ''a1'')', 'capture_points(%s, ''a1'')', 'void_points(%s, ''a2'')',
    'transfer_points(%s, m(''oda''), 10, ''t1'')', 'transfer_points(m(''oda''), %s, 7, ''t3'')']) call;
SELECT is(format('%s %s', r.points, r.duplicate), '-10 t', 'a transfer between the two') FROM transfer_points(:ned, :mia, 10, 't2') r;
SELECT is(take(call), result, call) FROM (VALUES
    ('SELECT transfer_points(m(''mia''), m(''ned''), 10, ''t9'')', format('22023 member %s cannot transfer points to itself', :mia)),
    (format('SELECT transfer_points(m(''mia''), %s, 10, ''t9'')', :ned), format('22023 member %s cannot transfer points to itself', :mia)),
    (format('SELECT redeem_points(%s, 400, ''r1'')', :ned), 'MB201 ref "r1" was used before with other content'),
    ('SELECT redeem_points(m(''mia''), 400, ''r1'')', 'MB201 ref "r1" was used before with other content'),
    (format('SELECT accrue_points(%s, 1, 21, ''n1'')', :ned), 'MB201 order_ref "n1" was used before with other content'),
    ('SELECT accrue_points(m(''oda''), 1, 20, ''n1'', external_refs => ''{"wechat": "W1"}'')', 'MB202 receipt "n1" has been credited to another member'),
    (format('SELECT review_accrual(%s, %s, ''approve'', ''x'')', :ned, :late), format('MB201 review of journal_no "%s" was used before with other content', :late))) c (call, result);
SELECT review_accrual(:ned, :late, 'reject', 'no') \gset
SELECT is(next_no(:mia), :mia_no::bigint, 'nothing was posted by any of it');
SELECT is(b.duplicate, true, 'in a batch') FROM accrue_batch(ARRAY[(:ned, 1, 20, 'n1', NULL, 'pos', NULL, NULL, NULL, '{"wechat": "W1"}', NULL, NULL)::purchase]) b;
SELECT is(array_agg(format('%s %s %s', row_no, duplicate, coalesce(sqlstate, balance::text)) ORDER BY row_no),
          -- 1000 - 300 + 10 of her own; 1000 + 20 - 200 - 100 + 5 - 100 - 10 - 10 + 7 = 612 came: 1322
          '{"1 f 1332","2 f 1342","3 t 1332","4  MB201"}'::text[], 'one member, by both numbers, in one batch')
  FROM accrue_batch(ARRAY[(:ned, 1, 10, 'n2', NULL, 'pos', NULL, NULL, NULL, NULL, NULL, NULL)::purchase, (:mia, 1, 10, 'n3', NULL, 'pos', NULL, NULL, NULL, NULL, NULL, NULL)::purchase,
                          (:mia, 1, 10, 'n2', NULL, 'pos', NULL, NULL, NULL, NULL, NULL, NULL)::purchase, (:ned, 1, 11, 'n3', NULL, 'pos', NULL, NULL, NULL, NULL, NULL, NULL)::purchase]) b;
SELECT is(format('%s %s', p.status, p.duplicate), 'posted t', 'a preview by the old number shows the first result') FROM preview_accrual(:ned, 1, 20, 'n1') p;
SELECT is(max_points, 1300::bigint, 'a quote is that of the survivor') FROM quote_redemption(:ned);

-- both used r2: the number called with tells which is meant, and one of them is reversed under it
SELECT is(r.points, 100::bigint, 'that of the merged member') FROM reverse_redemption(:ned, 'r2', 'x') r;
SELECT is(r.duplicate, true, 'once') FROM reverse_redemption(:ned, 'r2', 'x') r;
SELECT is(take(format('SELECT reverse_redemption(%s, ''r2'', ''x'')', :mia)), 'MB201 ref "r2" was used before with other content', 'the other is not taken for it');

-- ------------------------------------------------------------------ every verb by the old number acts on the survivor

SELECT fund('pam', 1000, '2090-01-01', now()) AS pam, enrol('qi') AS qi \gset
SELECT merge_members(:pam, :qi, 'x') \gset
SELECT is(array_agg(result), ARRAY[true, true, true, true, true, true, true, true, true], 'accrue, grant, adjust, redeem, reverse, hold, capture, void, transfer') FROM (
    SELECT r.balance = 1010 AS result FROM accrue_points(:qi, 1, 10, 'q1') r UNION ALL
    SELECT r.balance = 1020 FROM grant_points(:qi, 10, 'x', 'q1') r UNION ALL
    SELECT r.balance = 1000 FROM adjust_points(:qi, -20, 'x', 'q1') r UNION ALL
    SELECT r.balance = 900 FROM redeem_points(:qi, 100, 'q1') r UNION ALL
    SELECT r.balance = 1000 FROM reverse_redemption(:qi, 'q1', 'x') r UNION ALL
    SELECT r.balance = 1000 FROM authorize_points(:qi, 200, 'h1') r UNION ALL
    SELECT r.balance = 900 FROM capture_points(:qi, 'h1', 100) r UNION ALL
    SELECT r.balance = 900 FROM authorize_points(:qi, 200, 'h2') h, void_points(:qi, 'h2') r UNION ALL
    SELECT r.balance = 890 FROM transfer_points(:qi, :oda, 10, 'q1') r) x;
SELECT add_identity(:qi, 'phone', '13800138000'), update_member(:qi, '1990-05-17', '{"a": 1}'), set_tags(:qi, '{vip}'), set_tier(:qi, 'gold', NULL, 'guest'),
       set_member_status(:qi, 'frozen', 'x') \gset
SELECT is(format('%s %s %s %s %s', birthday, attributes, tags, status, tier_id), '1990-05-17 {"a": 1} {vip} frozen 3', 'profile, tags, tier, status') FROM member WHERE member_id = :pam;
SELECT is(find_member('phone', '13800138000'), :pam::bigint, 'identities');
SELECT replace_identity(:qi, 'phone', '13800138000', '13800138001', 'x') \gset
SELECT is(find_member('phone', '13800138001'), :pam::bigint, 'replaced');
SELECT remove_identity(:qi, 'phone', '13800138001', 'x') \gset
SELECT is(find_member('phone', '13800138001'), NULL, 'removed');
SELECT set_member_status(:qi, 'active', 'x') \gset
SELECT is(format('%s %s', i.member_id, i.duplicate), format('%s f', :pam), 'imports') FROM import_lots(ARRAY[(:qi, 5, 'i1', NULL, NULL, NULL)::lot_import]) i;
SELECT is((SELECT array_agg(s::text) FROM statement(:qi) s), (SELECT array_agg(s::text) FROM statement(:pam) s), 'statement()');
SELECT is(balance_at(:qi, now()), balance_at(:pam, now()), 'balance_at()');
SELECT is((SELECT count(*) FROM journal WHERE member_id = :qi), 2::bigint, 'under the old number nothing was posted since');
SELECT is(count(*), 2::bigint, 'the view has its history') FROM member_statement WHERE member_id = :qi;

-- ------------------------------------------------------------------ reversals of what was before

-- 600 are taken of a lot until 2089: 100 then 500
SELECT fund('ray', 600, '2089-01-01', now()) AS ray, fund('sue', 100, '2090-01-01', now()) AS sue \gset
SELECT redemptions AS day_redemptions, points AS day_points FROM redemption_daily WHERE merchant_id IS NULL \gset
SELECT redeem_points(:ray, 100, 'x1'), redeem_points(:ray, 500, 'x2') \gset
SELECT merge_members(:sue, :ray, 'x') \gset
SELECT is(r.balance, 600::bigint, 'a redemption of the merged member is reversed') FROM reverse_redemption(:ray, 'x2', 'returned') r;
SELECT is(life(:sue), '500@2089 100@2090', 'the points live as long as before');
SELECT is(told(:sue, 4), format('reversal 500>600 of %s no 4', :ray), 'the event names the other journal');
SELECT is(r.duplicate, true, 'once, by either number') FROM reverse_redemption(:sue, 'x2', 'returned') r;
SELECT is(r.balance, 700::bigint, 'also by the new number') FROM reverse_redemption(:sue, 'x1', 'returned') r;
SELECT is(points_redeemed, 0::bigint, 'the day is as if it had not been') FROM activity_day WHERE member_id = :sue;
SELECT is(format('%s %s', redemptions, points), format('%s %s', :day_redemptions, :day_points), 'for reports, too') FROM redemption_daily WHERE merchant_id IS NULL;
-- of a lot that has died since
SELECT fund('tom', 100, clock_timestamp() + interval '1 second', now()) AS tom, enrol('una') AS una \gset
SELECT redeem_points(:tom, 100, 'x') \gset
SELECT merge_members(:una, :tom, 'x'), pg_sleep(1.1) \gset
SELECT is(r.balance, 100::bigint, 'points whose lot has died come back') FROM reverse_redemption(:tom, 'x', 'returned') r;
SELECT is(told(:una, 3), format('reversal 100>100 of %s no 3, expiry -100>0', :tom), 'and expire at once');

-- ------------------------------------------------------------------ caps are not reopened

UPDATE burn_rule SET daily_cap = 500;
UPDATE program SET transfer_daily_limit = 100;
SELECT fund('vic', 1000, '2090-01-01', now()) AS vic, fund('wim', 1000, '2090-01-01', now()) AS wim \gset
SELECT redeem_points(:vic, 300, 'c1'), redeem_points(:wim, 100, 'c1') \gset
SELECT transfer_points(:wim, :oda, 60, 'c1'), transfer_points(:vic, :oda, 30, 'c1') \gset
SELECT merge_members(:vic, :wim, 'x') \gset
SELECT is(format('%s %s', max_points, limited_by), '100 daily_cap', '500 - 300 - 100 may be redeemed today') FROM quote_redemption(:vic);
SELECT is(take(format('SELECT transfer_points(%s, %s, 11, ''c2'')', :vic, :oda)), 'MB103 the daily limit of transfers is exceeded', '90 were sent');
SELECT is(r.points, -10::bigint, 'ten more are the limit') FROM transfer_points(:vic, :oda, 10, 'c2') r;
UPDATE burn_rule SET daily_cap = NULL;
UPDATE program SET transfer_daily_limit = NULL;

-- ------------------------------------------------------------------ points spent on an order to come

UPDATE burn_rule SET share = 0.15;
SELECT fund('xen', 2000, '2090-01-01', now()) AS xen, enrol('yui') AS yui, enrol('zoe') AS zoe \gset
SELECT redeem_points(:xen, 500, 'o1', 2, 'late-order', 200) \gset
SELECT redeem_points(:xen, 100, 'o2', 2, 'late-order', 200) \gset
SELECT redeem_points(:xen, 200, 'o3', 2, 'no-order', 200) \gset
SELECT merge_members(:yui, :xen, 'x') \gset
SELECT is(told(:yui, 2), format('merge_in 1200>1200 of %s, merge_in 0>1200 of %s no 3, merge_in 0>1200 of %s no 4, merge_in 0>1200 of %s no 5', :xen, :xen, :xen, :xen), 'each is carried by an event');
SELECT is(order_spends, 3, 'three wait') FROM account WHERE member_id = :yui AND wallet_id = 1;
SELECT merge_members(:zoe, :yui, 'x') \gset
SELECT is(told(:zoe, 2), format('merge_in 1200>1200 of %s, merge_in 0>1200 of %s no 3, merge_in 0>1200 of %s no 4, merge_in 0>1200 of %s no 5', :yui, :xen, :xen, :xen), 'and on, with the first number');
SELECT is(take(format('SELECT redeem_points(%s, 500, ''o9'', 2, ''late-order'', 200)', :xen)), 'MB103 the share of the order that points may pay is exceeded', '15 % of 200.00 = 30.00, 18.00 are spent');
SELECT is(r.balance, 1300::bigint, 'one is reversed') FROM reverse_redemption(:xen, 'o2', 'x') r;
-- 500 points pay 15.00: the basis is 185.00
SELECT is(format('%s %s %s', a.points, a.balance, a.explanation -> 'tenders'), '185 1485 {"spent": [3], "value": 15.00, "points": 500, "value_at_merchants": 0.00}', 'they pay for the order')
  FROM accrue_points(:yui, 2, 200, 'late-order') a;
SELECT is(take(format('SELECT reverse_redemption(%s, ''o1'', ''x'')', :xen)), 'MB106 order "late-order" of merchant 2 has been accrued', 'and are consumed');
SELECT is(order_spends, 1, 'one waits') FROM account WHERE member_id = :zoe AND wallet_id = 1;

-- ------------------------------------------------------------------ chains

SELECT set_eq(format('SELECT member_id FROM member_alias WHERE survivor_id = %s', :zoe), ARRAY[:xen, :yui]::bigint[], 'a survivor that is merged takes its aliases along');
SELECT is(m('xen'), :zoe::bigint, 'identities too');
SELECT is(r.balance, 1495::bigint, 'the first number acts on the last') FROM grant_points(:xen, 10, 'x', 'chain') r;
SELECT merge_members(:zoe, :xen, 'again') \gset
SELECT merge_members(:yui, :xen, 'again') \gset
SELECT is(next_no(:zoe), 9::bigint, 'repeated merges change nothing: enrolment, merge_in, 3 carried, reversal, accrual, grant');

-- ------------------------------------------------------------------ refunds of what was bought before

-- tia buys f2 for 100.00, 15.00 of it with 500 points: 85 points; f1 for 100.00: 100 points, of which 30.00 come back; f6 for 90.00, of which 30.00 come
-- back; f4 for 10.00. ros has points that die sooner: what a refund takes back is still the order's own
SELECT fund('ros', 500, '2088-01-01', now()) AS ros, fund('tia', 1000, '2089-01-01', now()) AS tia, enrol('uma', now()) AS uma \gset
SELECT redeem_points(:tia, 500, 'f2', 2, 'f2', 100), accrue_points(:tia, 2, 100, 'f2'), accrue_points(:tia, 2, 100, 'f1'), accrue_points(:tia, 2, 90, 'f6'),
       accrue_points(:tia, 2, 10, 'f4') \gset
SELECT is(format('%s %s', a.points_clawed, b.points_clawed), '30 30', 'before') FROM refund_order(2, 'f1', 'R1', 30) a, refund_order(2, 'f6', 'R1', 30) b;
SELECT merge_members(:ros, :tia, 'x') \gset
SELECT is(life(:ros), '500@2088 500@2089 85@2093 70@2093 60@2093 10@2093', 'all that is left');
SELECT next_no(:ros) AS ros_no \gset
SELECT is(format('%s %s %s', r.points_clawed, r.cash_amount, r.balance), '20 20.00 1205', 'a piece more') FROM refund_order(2, 'f1', 'R2', 20, member_id => :tia) r;
SELECT is(life(:ros), '500@2088 500@2089 85@2093 50@2093 60@2093 10@2093', 'of its own points');
SELECT is(told(:ros, :ros_no), format('refund -20>1205 of %s no 5', :tia), 'the event names the other journal');
SELECT is(splits('ros', :ros_no), 'sale 3>1 20.00, commission 1>3 1.00, points_issued 1>3 0.20/20', 'splits are the survivor''s');
SELECT is(format('%s %s %s', r.duplicate, r.points_clawed, r.balance), 't 20 1205', 'once') FROM refund_order(2, 'f1', 'R2', 20, member_id => :ros) r;
SELECT is(format('%s %s %s', r.duplicate, r.points_clawed, r.balance), 't 30 755', 'as is what was refunded before') FROM refund_order(2, 'f1', 'R1', 30, member_id => :ros) r;
SELECT is(take(format('SELECT refund_order(2, ''f1'', ''R9'', 20, member_id => %s)', :uma)), 'MB202 receipt "f1" has been credited to another member', 'others are not asked');
SELECT is(format('%s %s', r.points_clawed, r.amount), '50 50.00', 'the rest') FROM refund_order(2, 'f1', 'R3') r;
SELECT is(left(take($$SELECT refund_order(2, 'f1', 'R4', 1)$$), 5), 'MB109', 'and no more');
SELECT is(format('%s %s %s %s', r.cash_amount, r.points_restored, r.points_clawed, r.balance), '85.00 500 85 1570', 'an order that points paid for') FROM refund_order(2, 'f2', 'R1') r;
SELECT is(life(:ros), '500@2088 500@2089 500@2089 60@2093 10@2093', 'they come back with the life they had');
SELECT is(format('%s %s %s %s %s %s', purchases, basis, points_earned, points_redeemed, refunded_of_day, refunded_on_day),
          -- f6 and f4 are left: 90.00 - 30.00 + 10.00; 30 + 30 + 20 + 50 + 100 came back
          '2 70.00 70 0 230.00 230.00', 'activity') FROM activity_day WHERE member_id = :ros;
SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
-- and on: the award of f6 moves a second time, into uma
SELECT is(r.points_clawed, 30::bigint, 'f6, by ros') FROM refund_order(2, 'f6', 'R2', 30) r;
SELECT merge_members(:uma, :ros, 'x') \gset
SELECT is(format('%s %s %s', r.points_clawed, r.amount, r.balance), '30 30.00 1510', 'f6, by uma') FROM refund_order(2, 'f6', 'R3', member_id => :ros) r;
SELECT is(life(:uma), '500@2088 500@2089 500@2089 10@2093', 'its own points, over two merges');
SELECT is(count(*) FILTER (WHERE r.duplicate), 3::bigint, 'three refunds of one order in three journals') FROM unnest('{R1,R2,R3}'::text[]) ref, refund_order(2, 'f6', ref, CASE WHEN ref <> 'R3' THEN 30 END) r;
-- a parked refund that named the old number
SELECT refund_order(2, 'f5', 'P1', 10, member_id => :tia) \gset
SELECT is(a.points, 40::bigint, 'meets its sale by the new one') FROM accrue_points(:uma, 2, 40, 'f5') a;
SELECT is(balance, 1540::bigint, '10 of the 40 are taken back at once') FROM member_balance WHERE member_id = :uma;
-- not corrected, moved or exchanged
SELECT is(take(call), result, call) FROM (VALUES
    ('SELECT correct_purchase(2, ''f4'', 11, NULL, ''C1'', ''x'')', 'MB110 order "f4" cannot be corrected'), ('SELECT reassign_purchase(2, ''f4'', m(''oda''), ''x'')', 'MB110 order "f4" cannot be reassigned'),
    ('SELECT accrue_points(m(''uma''), 2, 5, ''f7'', exchange_of => ''f2'')', format('MB009 member %s has no order "f2" at merchant 2', :uma))) c (call, result);
SELECT is(format('%s %s', a.points, a.duplicate), '10 t', 'to whom it belongs already') FROM reassign_purchase(2, 'f4', :tia, 'x') a;
SELECT accrue_points(m('oda'), 2, 7, 'f8') \gset
SELECT is(a.balance, 1547::bigint, 'another''s order is moved to the survivor, by the old number') FROM reassign_purchase(2, 'f8', :tia, 'x') a;
SELECT is(member_id, :uma::bigint, 'it is') FROM receipt WHERE order_ref = 'f8';

-- ------------------------------------------------------------------ activity, tier, person

SELECT enrol('ada', now()) AS ada, enrol('ben', now()) AS ben \gset
SELECT accrue_points(:ada, 1, 3000, 't1'), accrue_points(:ben, 1, 1500, 't2') \gset
SELECT merge_members(:ada, :ben, 'x') \gset
SELECT is(format('%s %s %s', purchases, basis, points_earned), '2 4500.00 4500', 'activity is added') FROM activity_day WHERE member_id = :ada;
SELECT is_empty(format('SELECT * FROM activity_day WHERE member_id = %s', :ben), 'and taken away');
SELECT is(format('%s %s %s', tier, window_basis, basis_missing), 'regular 4500.00 500.00', 'the window') FROM member_tier_progress WHERE member_id = :ada;
SELECT is(format('%s %s', a.tier, a.points), 'silver 500', '4500 + 500 make silver') FROM accrue_points(:ben, 1, 500, 't3') a;
SELECT enrol('cat', now()) AS cat \gset
SELECT set_tier(:cat, 'gold', '2099-01-01', 'guest') \gset
SELECT tier_expires_at AS cat_end FROM member WHERE member_id = :cat \gset
SELECT merge_members(:ada, :cat, 'x') \gset
SELECT is(format('%s %s %s', tier_id, tier_expires_at = :'cat_end', tier_locked_until), '3 t 2099-01-01 00:00:00+00', 'the higher tier is kept, with its end and its lock') FROM member WHERE member_id = :ada;
SELECT is(array_agg(cause ORDER BY history_no), '{enrolment,upgrade,merge}', 'history') FROM tier_history WHERE member_id = :ada;
SELECT enrol('dee', now()) AS dee \gset
SELECT set_tier(:dee, 'silver', NULL, 'guest') \gset
SELECT merge_members(:ada, :dee, 'x') \gset
SELECT is(tier_id, 3, 'a lower one does not matter') FROM member WHERE member_id = :ada;
SELECT enrol('eli', now()) AS eli \gset
SELECT set_tier(:eli, 'gold', '2099-06-01', 'guest') \gset
UPDATE member SET tier_expires_at = '2099-12-01' WHERE member_id = :eli;
SELECT merge_members(:ada, :eli, 'x') \gset
SELECT is(format('%s %s', tier_expires_at, tier_locked_until), '2099-12-01 00:00:00+00 2099-06-01 00:00:00+00', 'of equal ones the later end and lock') FROM member WHERE member_id = :ada;
SELECT is_empty(format('SELECT * FROM member_tier_progress WHERE member_id IN (%s, %s, %s, %s)', :ben, :cat, :dee, :eli), 'old numbers have no tier');

SELECT member_id AS fox, referral_code AS fox_code FROM enroll_member('card', 'fox', birthday => NULL, source => NULL, attributes => '{"size": "M"}') \gset
SELECT member_id AS gil FROM enroll_member('card', 'gil', birthday => '1985-03-08', source => 'fair', attributes => '{"size": "L", "shoe": 43}', referral_code => :'fox_code') \gset
SELECT update_member(:fox, consent => '{"sms": false}'), update_member(:gil, consent => '{"sms": true, "mail": true}'), set_tags(:fox, '{b}'), set_tags(:gil, '{a,b}') \gset
SELECT merge_members(:fox, :gil, 'x') \gset
SELECT is(format('%s %s %s %s %s %s', birthday, source, attributes, consent, tags, coalesce(referrer_id, 0)),
          '1985-03-08 fair {"shoe": 43, "size": "M"} {"sms": false, "mail": true} {a,b} 0', 'the person: what the survivor lacks; nobody invites himself') FROM member WHERE member_id = :fox;

-- conditions of rules know what was bought under either number
INSERT INTO earn_rule (rule_id, code, name, status, condition, effect, value) VALUES
    (1, 'first', 'First purchase', 'active', 'first_purchase', 'bonus_points', 1000),
    (2, 'first_here', 'First at a shop', 'active', 'first_at_merchant', 'bonus_points', 100);
SELECT enrol('hua', now()) AS hua, enrol('ina', now()) AS ina \gset
SELECT accrue_points(:ina, 1, 10, 'w1') \gset
SELECT merge_members(:hua, :ina, 'x') \gset
SELECT is(a.points, 10::bigint, 'neither the first purchase nor the first there') FROM accrue_points(:hua, 1, 10, 'w2') a;
SELECT is(a.points, 110::bigint, 'the first at another shop') FROM accrue_points(:ina, 2, 10, 'w3') a;

-- on tables of version 1 nobody is merged or erased
UPDATE program SET table_version = 1;
SELECT is(take(call), 'MB402 this call needs the programme''s tables in version 2', call) FROM unnest('{"SELECT merge_members(1, 2, ''x'')","SELECT erase_member(1, ''x'')"}'::text[]) call;
SELECT is(a.status, 'posted', 'purchases go on') FROM accrue_points(m('oda'), 3, 10, 'w4') a;
UPDATE program SET table_version = 2;

SELECT is_empty('SELECT * FROM membership.verify()', 'the ledger is sound');
SELECT is_empty(format('SELECT * FROM membership.verify(%s)', v), 'for one') FROM unnest(ARRAY[:ann, :bob, :zoe, :xen]) v;
SELECT * FROM finish();
ROLLBACK;
