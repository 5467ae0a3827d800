# Idempotency storms: many clients post the same few things over and over at every isolation level, retrying what
# PostgreSQL asks to retry (40001, 40P01). Each thing happens once, and every call is told of that one.
use strict;
use warnings;

use Demo;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $keys = 50;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "max_connections = 50\ndeadlock_timeout = 20ms\nlog_statement = none\nlog_min_error_statement = panic");
$node->start;

# Receipt k is of 100 + k: with one tier and 1 point per 1.00 it earns 100 + k points. It belongs to member
# 1 + k % 10; where two members compete for it, the other one is 11 + k % 10.
# outcome has what every call was told, written in the call's own transaction.
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION membership;
SELECT membership.create_program('Mall', 'Asia/Shanghai', preset => 'empty');
INSERT INTO membership.merchant (merchant_id, name) VALUES (1, 'Shop');
SELECT membership.enroll_member('card', 'C-' || n) FROM generate_series(1, 20) n;

CREATE TABLE outcome (storm text, key integer, member_id bigint, journal_no bigint, points bigint, duplicate boolean, sqlstate text);

-- accrue_points, of which a receipt of another member is an outcome and not an error
CREATE FUNCTION compete(storm text, key integer, member_id bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    result membership.accrual;
BEGIN
    result := membership.accrue_points(member_id, 1, 100 + key, storm || key);
    INSERT INTO outcome VALUES (storm, key, member_id, result.journal_no, result.points, result.duplicate);
EXCEPTION WHEN SQLSTATE 'MB202' THEN
    INSERT INTO outcome VALUES (storm, key, member_id, NULL, NULL, NULL, SQLSTATE);
END
$$;

-- 20 receipts of the 50 in any order, some twice, for either member
CREATE FUNCTION batch(storm text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    keys    integer[] := ARRAY(SELECT (1 + 50 * random())::integer % 50 + 1 FROM generate_series(1, 20));
    members bigint[] := ARRAY(SELECT 1 + k % 10 + (random() < 0.2)::integer * 10 FROM unnest(keys) WITH ORDINALITY u (k, n) ORDER BY n);
BEGIN
    INSERT INTO outcome
    SELECT storm, keys[b.row_no], members[b.row_no], b.journal_no, b.points, b.duplicate, b.sqlstate
      FROM membership.accrue_batch(ARRAY(
           SELECT ROW(members[n], 1, 100 + keys[n], storm || keys[n], NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::membership.purchase
             FROM generate_series(1, 20) n)) b;
END
$$;
SQL

# at_level LEVEL, CLIENTS, CALLS PER CLIENT, SCRIPT: 40001 and 40P01 are tried again
sub at_level
{
	my ($level, $clients, $calls, $script) = @_;
	local $ENV{PGOPTIONS} = '-c default_transaction_isolation=' . $level =~ s/ /\\ /r;
	return storm($node, $clients, $calls, $script, $level, '-M', 'prepared', '--max-tries', 10000, '--random-seed', 1);
}

# One effect of each receipt of a storm, which all its calls were told: the winner's calls have its event, one of them
# as the first, and the other member's calls have MB202.
sub same_effect
{
	my ($storm, $calls, $name) = @_;
	is($node->safe_psql('postgres', "SELECT count(*) FROM outcome WHERE storm = '$storm'"), $calls, "$name: every call ended");
	is($node->safe_psql('postgres', <<"SQL"), $keys, "$name: each receipt has one effect, and every call was told of it");
WITH winner AS (
    SELECT r.member_id, r.journal_no, j.points, substring(r.order_ref FROM '\\d+\$')::integer AS key
      FROM membership.receipt r
      JOIN membership.journal j USING (member_id, journal_no)
     WHERE r.order_ref LIKE '$storm%' AND j.order_ref = r.order_ref
)
SELECT count(*)
  FROM (SELECT o.key
          FROM outcome o
          JOIN winner w ON o.key = w.key
         WHERE o.storm = '$storm'
         GROUP BY o.key
        HAVING bool_and(CASE WHEN o.member_id = w.member_id
                             THEN o.sqlstate IS NULL AND o.journal_no = w.journal_no AND o.points = 100 + o.key
                             ELSE o.sqlstate = 'MB202' END)
           AND count(*) FILTER (WHERE NOT o.duplicate) = 1) x
SQL
	is($node->safe_psql('postgres', "SELECT count(*) FROM membership.journal WHERE order_ref LIKE '$storm%'"), $keys, "$name: $keys events");
	return;
}

for my $case ([ 'read committed', 'RC' ], [ 'repeatable read', 'RR' ], [ 'serializable', 'S' ])
{
	my ($level, $tag) = @$case;

	# 32 x 313 = 10,016
	at_level($level, 32, 313, <<"SQL");
\\set key random(1, $keys)
INSERT INTO outcome SELECT '$tag-order-', :key, 1 + :key % 10, journal_no, points, duplicate, NULL
  FROM membership.accrue_points(1 + :key % 10, 1, 100 + :key, '$tag-order-' || :key)
SQL
	same_effect("$tag-order-", 10016, "$level, purchases");

	# 32 x 40 = 1,280
	at_level($level, 32, 40, <<"SQL");
\\set key random(1, $keys)
\\set rival 10 * random(0, 1)
SELECT compete('$tag-rival-', :key, 1 + :key % 10 + :rival)
SQL
	same_effect("$tag-rival-", 1280, "$level, two members for a receipt");
	is($node->safe_psql('postgres', "SELECT count(*) > 0 FROM outcome WHERE storm = '$tag-rival-' AND sqlstate = 'MB202'"), 't', '... some were refused');

	# 8 x 25 batches of 20 = 4,000
	at_level($level, 8, 25, "SELECT batch('$tag-batch-')");
	same_effect("$tag-batch-", 4000, "$level, batches");

	# 32 x 20 = 640
	at_level($level, 32, 20, <<"SQL");
INSERT INTO outcome SELECT '$tag-grant', 0, 1, journal_no, points, duplicate, NULL
  FROM membership.grant_points(1, 7, 'gift', '$tag-grant')
SQL
	is($node->safe_psql('postgres', <<"SQL"), '640|1|1|7', "$level, a grant: one effect, and every call was told of it");
SELECT count(*), count(*) FILTER (WHERE NOT duplicate), count(DISTINCT journal_no), max(points) FROM outcome WHERE storm = '$tag-grant'
SQL
}

# three levels, three storms of receipts: 9 x (50 x 100 + 50 x 51 / 2); three grants of 7
is($node->safe_psql('postgres', 'SELECT sum(balance) FROM membership.member_balance'), 9 * 6275 + 21, 'balances are what happened once');
is($node->safe_psql('postgres', 'SELECT * FROM membership.verify() LIMIT 10'), '', 'the ledger is sound');

$node->stop;
done_testing();
