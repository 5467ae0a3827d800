# Sixteen clients spend a few members' last points, every way at once: exactly the balance is spent, no point twice. Then
# they send points to and fro: nobody waits for whom waits for them, and no point is lost.
use strict;
use warnings;

use Demo;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "max_connections = 30\ndeadlock_timeout = 20ms\nlog_statement = none\nlog_min_error_statement = panic");
$node->start;

# Members 1 to 3 have 20 lots of 300 points, 18,000 in all; 4 receives what is sent.
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION membership;
SELECT membership.create_program('Mall', 'Asia/Shanghai');
UPDATE membership.program SET transfers = true;
UPDATE membership.burn_rule SET share = NULL, step = 10, value = 0.30, minimum = 10;
INSERT INTO membership.merchant (merchant_id, name) VALUES (1, 'Shop');
SELECT membership.enroll_member('card', 'C-' || n) FROM generate_series(1, 4) n;
SELECT membership.grant_points(m, 300, 'gift', 'G-' || n, expires_at => now() + n * interval '1 day') FROM generate_series(1, 3) m, generate_series(1, 20) n;

CREATE SEQUENCE call;
CREATE TABLE spent (member_id bigint, how text, points bigint);

CREATE FUNCTION attempt(member bigint, how text, wanted bigint, ref text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    kept bigint := 10 * (1 + random() * (wanted / 10 - 1))::bigint;
BEGIN
    CASE how
        WHEN 'redeem' THEN
            RETURN (SELECT points FROM membership.redeem_points(member, wanted, ref));
        WHEN 'capture' THEN  -- all of it or a part
            PERFORM membership.authorize_points(member, wanted, ref);
            RETURN (SELECT -points FROM membership.capture_points(member, ref, kept));
        WHEN 'void' THEN
            PERFORM membership.authorize_points(member, wanted, ref);
            PERFORM membership.void_points(member, ref);
            RETURN 0;
        WHEN 'tender' THEN   -- 0.30 a step, paid with points alone: nothing is earned
            PERFORM membership.accrue_points(member, 1, wanted * 0.03, ref, tenders => format('[{"kind": "points", "points": %s}]', wanted)::jsonb);
            RETURN wanted;
        WHEN 'reverse' THEN
            PERFORM membership.redeem_points(member, wanted, ref);
            PERFORM membership.reverse_redemption(member, ref, 'wrong');
            RETURN 0;
        WHEN 'adjust' THEN
            RETURN (SELECT -points FROM membership.adjust_points(member, -wanted, 'fix', ref));
        ELSE
            RETURN (SELECT -points FROM membership.transfer_points(member, 4, wanted, ref));
    END CASE;
END
$$;
-- one way of spending 10 to 90 points; the last ones go by tens
CREATE FUNCTION spend() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    member bigint := 1 + floor(random() * 3);
    how    text := (ARRAY['redeem', 'capture', 'void', 'tender', 'reverse', 'adjust', 'transfer'])[1 + floor(random() * 7)];
    ref    text := 'call-' || nextval('call');
BEGIN
    INSERT INTO spent SELECT member, how, attempt(member, how, 10 * (1 + floor(random() * 9)::bigint), ref);
EXCEPTION WHEN SQLSTATE 'MB101' THEN
    BEGIN
        INSERT INTO spent SELECT member, how, attempt(member, how, 10, ref);
    EXCEPTION WHEN SQLSTATE 'MB101' THEN
        INSERT INTO spent VALUES (member, 'nothing', 0);
    END;
END
$$;
SQL

# 16 x 100 calls of 50 points on the average, five of seven of which spend: more than twice the 18,000
storm($node, 16, 100, "SELECT spend();\n", 'spending the last points');
is($node->safe_psql('postgres', 'SELECT count(*) FROM spent'), 1600, 'every call ended');
is($node->safe_psql('postgres', 'SELECT count(DISTINCT how) FROM spent'), 8, 'in every way, the last with nothing left');
is($node->safe_psql('postgres', 'SELECT sum(points) FROM spent'), 18000, 'exactly the balance was spent');
is($node->safe_psql('postgres', 'SELECT member_id, sum(points) FROM spent GROUP BY member_id ORDER BY 1'), "1|6000\n2|6000\n3|6000", 'of each member');
is($node->safe_psql('postgres', 'SELECT member_id, balance, held, available FROM membership.member_balance WHERE member_id < 4 ORDER BY 1'),
	"1|0|0|0\n2|0|0|0\n3|0|0|0", 'nothing is left, nothing is held');
is($node->safe_psql('postgres', "SELECT balance = (SELECT sum(points) FROM spent WHERE how = 'transfer') FROM membership.member_balance WHERE member_id = 4"),
	't', 'what was sent has arrived');
is($node->safe_psql('postgres', 'SELECT * FROM membership.verify() LIMIT 10'), '', 'the ledger is sound');

# opposite transfers: in rings and to and fro, 16 x 100
$node->safe_psql('postgres', q{SELECT membership.grant_points(m, 100000, 'gift', 'more') FROM generate_series(1, 4) m});
my $sum = $node->safe_psql('postgres', 'SELECT sum(balance) FROM membership.member_balance');
storm($node, 16, 100, <<'SQL', 'opposite transfers');
\set sender random(1, 4)
\set step random(1, 3)
\set points random(1, 9)
SELECT membership.transfer_points(:sender, 1 + (:sender + :step - 1) % 4, :points, 'ring-' || nextval('call'));
SQL
is($node->safe_psql('postgres', q{SELECT count(*) FROM membership.journal WHERE verb = 'transfer_in' AND posted_at > (SELECT max(posted_at) FROM membership.journal WHERE verb = 'grant')}),
	1600, 'each has arrived');
is($node->safe_psql('postgres', 'SELECT sum(balance) FROM membership.member_balance'), $sum, 'no point is lost');
is($node->safe_psql('postgres', 'SELECT * FROM membership.verify() LIMIT 10'), '', 'the ledger is sound');

# orders of an application's table, some paid with points before, some with points in a column
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE sale (member_id bigint, order_ref text, amount numeric, tenders jsonb);
INSERT INTO sale
SELECT 1 + n % 4, 'sale-' || n, 10, CASE WHEN n % 3 = 1 THEN '[{"kind": "points", "points": 20}]'::jsonb WHEN n % 30 = 2 THEN '[{"kind": "points", "points": 1000}]'::jsonb END
  FROM generate_series(0, 299) n;
SELECT membership.redeem_points(1 + n % 4, 10, 'before-' || n, 1, 'sale-' || n, 10) FROM generate_series(0, 299, 3) n;
SQL
# 100 orders of 10.00 less 0.30, 100 less 0.60, which earn 9 each; 10 of the others have too many points, 90 earn 10
is($node->safe_psql('postgres', <<'SQL'), "300|0|10\n100|9\n100|9\n90|10", 'accrue_from with tenders');
CALL membership.accrue_from('SELECT member_id, 1 AS merchant_id, amount, order_ref, tenders FROM sale', batch_size => 50);
SELECT count(*), max(points) FROM membership.journal WHERE order_ref LIKE 'sale-%' AND verb = 'accrual' GROUP BY (tenders ->> 'points') ORDER BY tenders ->> 'points';
SQL
is($node->safe_psql('postgres', <<'SQL'), '300|290|10', 'and again');
CALL membership.accrue_from('SELECT member_id, 1 AS merchant_id, amount, order_ref, tenders FROM sale');
SQL
is($node->safe_psql('postgres', 'SELECT * FROM membership.verify() LIMIT 10'), '', 'the ledger is sound');

$node->stop;
done_testing();
