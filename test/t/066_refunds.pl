# Sixteen clients return the same orders at once, every refund fired twice, before and after its sale, beside spending: each has one
# effect, everyone is told of it, and nobody is left with points or money of goods that are back.
use strict;
use warnings;

use Demo;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "max_connections = 40\ndeadlock_timeout = 20ms\nlog_statement = none\nlog_min_error_statement = panic");
$node->start;

# 200 orders of ten members, 100.00 each at two shops of which the mall collects for one. An order comes back in four parts: 10.00, 20.00, 30.00
# and the rest, 40.00 of it (refs 1 to 4; the rest is asked for as 40.00, since parts come in any order).
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION membership;
SELECT membership.create_program('Mall', 'Asia/Shanghai', preset => 'empty');
INSERT INTO membership.party (party_id, name, kind) VALUES (2, 'Shop Ltd', 'merchant');
INSERT INTO membership.merchant (merchant_id, name, party_id) VALUES (1, 'Shop', 1), (2, 'Other shop', 2);
INSERT INTO membership.contract (contract_id, merchant_id, collects, commission_rate, issue_price) VALUES (2, 2, 'mall', 0.07, 0.01);
SELECT membership.enroll_member('card', 'C-' || n) FROM generate_series(1, 10) n;
CREATE TABLE told (order_no integer, part integer, status text, journal_no bigint, points bigint, duplicate boolean);
CREATE SEQUENCE spent;

CREATE FUNCTION sell(n integer) RETURNS void LANGUAGE sql AS $$
    SELECT membership.accrue_points(1 + n % 10, 1, 100, 'O-' || n, lines => '[{"amount": 60}, {"amount": 40, "merchant_id": 2}]') $$;
CREATE FUNCTION give_back(n integer, part integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO told SELECT n, part, status, journal_no, points_clawed + loss, duplicate FROM membership.refund_order(1, 'O-' || n, 'R-' || part, 10 * part) $$;
SQL

# every refund of every order twice, whatever became of the storm
sub fire_twice
{
	my ($first, $last) = @_;
	my $calls = join "\n", map { my $n = $_; map { "SELECT give_back($n, $_); SELECT give_back($n, $_);" } 1 .. 4 } $first .. $last;
	$node->safe_psql('postgres', $calls);
	return;
}

# what is left of orders FIRST to LAST: each part of each was applied once, by one event, of which all were told
sub is_undone
{
	my ($first, $last, $name) = @_;
	my $orders = $last - $first + 1;
	is($node->safe_psql('postgres', <<"SQL"), $orders * 4 . '|1|1', "$name: each refund had one effect, of which all were told");
SELECT count(*), max(events), max(firsts) FROM (
	SELECT count(DISTINCT journal_no) FILTER (WHERE status = 'posted') AS events, count(*) FILTER (WHERE NOT duplicate) AS firsts
	  FROM told WHERE order_no BETWEEN $first AND $last GROUP BY order_no, part) t
SQL
	is($node->safe_psql('postgres', <<"SQL"), $orders . '|100.00|100', "$name: every order is back, once");
SELECT count(*), max(amount), max(points) FROM (
	SELECT j.order_ref, sum(r.amount) AS amount, sum(r.points_clawed) AS points FROM membership.refund r JOIN membership.journal j USING (member_id, journal_no)
	 WHERE substr(j.order_ref, 3)::integer BETWEEN $first AND $last GROUP BY j.order_ref HAVING sum(r.amount) = 100 AND bool_or(r.complete)) o
SQL
	is($node->safe_psql('postgres', <<'SQL'), '0|0.00|0', "$name: no purchase, basis or points are left");
SELECT sum(purchases), sum(basis), sum(points_earned) FROM membership.activity_day
SQL
	is($node->safe_psql('postgres', q{SELECT kind FROM membership.merchant_split GROUP BY kind HAVING sum(amount * CASE payer_party_id WHEN 1 THEN 1 ELSE -1 END) <> 0}), '', "$name: nobody owes anything");
	is($node->safe_psql('postgres', 'SELECT * FROM membership.verify() LIMIT 10'), '', "$name: the ledger is sound");
	return;
}

# after their sales: 16 x 100 calls of the 400 refunds of 100 orders, so each about four times, at once
$node->safe_psql('postgres', 'SELECT sell(n) FROM generate_series(1, 100) n');
storm($node, 16, 100, <<'SQL', 'refunds', '--max-tries=100');
\set n random(1, 100)
\set part random(1, 4)
SELECT give_back(:n, :part);
SQL
fire_twice(1, 100);
is_undone(1, 100, 'refunds');
is($node->safe_psql('postgres', 'SELECT sum(balance) FROM membership.member_balance'), 0, 'no point is left');

# beside their sales: some come before, some after, some while
storm($node, 16, 150, <<'SQL', 'refunds beside sales', '--max-tries=100');
\set n random(101, 150)
\set part random(0, 4)
\if :part = 0
	SELECT sell(:n);
\else
	SELECT give_back(:n, :part);
\endif
SQL
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM told WHERE status = 'parked'}), '>', 10, 'some were parked');
$node->safe_psql('postgres', 'SELECT sell(n) FROM generate_series(101, 150) n');
fire_twice(101, 150);
is_undone(101, 150, 'refunds beside sales');
is($node->safe_psql('postgres', 'SELECT count(*) FROM membership.refund_exception'), 0, 'nothing waits');

# beside spending: points come and go as the others spend them; what cannot be taken is owed
$node->safe_psql('postgres', 'SELECT sell(n) FROM generate_series(151, 200) n');
storm($node, 16, 100, <<'SQL', 'refunds beside spending', '--max-tries=100');
\set n random(151, 200)
\set part random(0, 4)
\if :part = 0
	DO $$ BEGIN PERFORM membership.adjust_points(1 + floor(random() * 10)::bigint, -7, 'spent', 'S-' || nextval('spent')); EXCEPTION WHEN SQLSTATE 'MB101' THEN NULL; END $$;
\else
	SELECT give_back(:n, :part);
\endif
SQL
fire_twice(151, 200);
is_undone(151, 200, 'refunds beside spending');
is($node->safe_psql('postgres', <<'SQL'), 't', 'members owe what they spent, no more');
SELECT -sum(balance) = (SELECT -sum(points) FROM membership.journal WHERE verb = 'adjustment') FROM membership.member_balance
SQL

$node->stop;
done_testing();
