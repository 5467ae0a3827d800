# Twenty crashes under load: alternately the server is stopped at once and one backend is killed. A purchase, redemption,
# hold or capture whose commit a client has seen is there afterwards, every other one is there as a whole or not at all;
# posted again, it is there once.
use strict;
use warnings;

use Demo;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $rounds = 20;
my $clients = 8;
my $members = 20;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
# frequent checkpoints, so that recovery begins at various distances
$node->append_conf('postgresql.conf', "restart_after_crash = on\nlog_statement = none\nmax_wal_size = 32MB\ncheckpoint_timeout = 30s");
$node->start;
# preset empty: one tier, so 10.00 are always 10 points
$node->safe_psql('postgres', <<"SQL");
CREATE EXTENSION membership;
SELECT membership.create_program('Mall', 'Asia/Shanghai', preset => 'empty');
INSERT INTO membership.merchant (merchant_id, name) VALUES (1, 'Shop');
SELECT membership.enroll_member('card', 'C-' || n) FROM generate_series(1, $members) n;
-- a million points each that die first: what is spent leaves the purchases' lots alone
INSERT INTO membership.burn_rule (burn_rule_id, code, name, status, step, value) VALUES (1, 'pay', 'Pay', 'active', 10, 0.30);
SELECT membership.grant_points(n, 1000000, 'funds', 'funds', expires_at => now() + interval '1 day') FROM generate_series(1, $members) n;
SQL

# Of five statements of a client one posts a purchase of 10.00, one redeems 10 points, one holds 10, the next captures
# them, and the fifth posts a batch of ten purchases. Members follow each other in a ring, so that batches of several
# clients overlap.
sub statement
{
	my ($client, $n) = @_;
	my $member = ($client * 3 + $n) % $members;
	my $ref = "$client-$n";
	return "SELECT points FROM membership.accrue_points($member + 1, 1, 10, '$ref');\n" if $n % 5 == 1;
	return "SELECT points FROM membership.redeem_points($member + 1, 10, '$ref');\n" if $n % 5 == 2;
	return "SELECT points FROM membership.authorize_points($member + 1, 10, '$ref', NULL);\n" if $n % 5 == 3;
	return statement($client, $n - 1) =~ s/authorize_points(.*), 10, (.*), NULL/capture_points$1, $2/r if $n % 5 == 4;
	# count(sqlstate) is 0; otherwise the division ends the client
	return <<"SQL";
SELECT 1 / (count(sqlstate) = 0)::int
  FROM membership.accrue_batch(ARRAY(
       SELECT ROW(($member + k) % $members + 1, 1, 10, '$client-$n-' || k, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::membership.purchase
         FROM generate_series(0, 9) k));
SQL
}

# Every client is a psql that runs one statement after the other and writes down the number of each whose commit it
# has seen. It ends when its connection does, and goes on in the next round with the statement that was cut off.
my $dir = PostgreSQL::Test::Utils::tempdir;
my @done = (0) x ($clients + 1);

sub start_client
{
	my ($client) = @_;
	open my $script, '>', "$dir/$client.sql" or die "$dir/$client.sql: $!";
	print $script map { statement($client, $_) . "\\echo $_\n" } $done[$client] + 1 .. $done[$client] + 3000;
	close $script;
	return IPC::Run::start(
		[ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-d', $node->connstr('postgres'), '-f', "$dir/$client.sql" ],
		'>', "$dir/$client.out", '2>', "$dir/$client.err", IPC::Run::timeout(60));
}

my @idle;
for my $round (1 .. $rounds)
{
	my @running = map { start_client($_) } 1 .. $clients;
	usleep(700_000);
	if ($round % 2)
	{
		$node->stop('immediate');
		$node->start;
	}
	else
	{
		my $victim = $node->safe_psql('postgres',
			"SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() LIMIT 1");
		kill 'KILL', $victim;
		$node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $victim)");
	}
	for my $client (1 .. $clients)
	{
		$running[ $client - 1 ]->finish;
		my @seen = slurp_file("$dir/$client.out") =~ /(\d+)\n/g;
		push @idle, "client $client in round $round: " . slurp_file("$dir/$client.err") if !@seen;
		$done[$client] = $seen[-1] if @seen;
	}
}
is(join("\n", @idle), '', 'every client had purchases committed before every crash');
my $log = slurp_file($node->logfile);
is(scalar(() = $log =~ /was terminated by signal 9/g), $rounds / 2, 'half of the crashes were a backend that was killed');

my $acknowledged = join ',', map { "($_, $done[$_])" } 1 .. $clients;
$node->safe_psql('postgres', <<"SQL");
CREATE VIEW expected AS
SELECT client || '-' || n || CASE WHEN n % 5 = 0 THEN '-' || k ELSE '' END AS order_ref
  FROM (VALUES $acknowledged) c (client, done), generate_series(1, done) n, generate_series(0, CASE WHEN n % 5 = 0 THEN 9 ELSE 0 END) k
 WHERE n % 5 < 2;
CREATE VIEW expected_spending AS
SELECT (ARRAY['redemption', 'authorization', 'capture'])[n % 5 - 1] AS verb, client || '-' || n - (n % 5 = 4)::int AS ref
  FROM (VALUES $acknowledged) c (client, done), generate_series(1, done) n WHERE n % 5 > 1;
CREATE VIEW found_spending AS
SELECT k.verb, k.ref, j.points, count(e.entry_no) AS entries
  FROM membership.source_key k
  FULL JOIN (SELECT * FROM membership.journal WHERE verb IN ('redemption', 'authorization', 'capture')) j USING (member_id, journal_no)
  LEFT JOIN membership.ledger_entry e USING (member_id, journal_no)
 WHERE k.verb IS NULL OR k.verb <> 'grant'
 GROUP BY k.verb, k.ref, j.journal_no, j.verb, j.points;
CREATE VIEW found AS
SELECT r.order_ref, j.points, count(e.entry_no) AS entries, count(l.lot_no) AS lots
  FROM membership.receipt r
  FULL JOIN (SELECT * FROM membership.journal WHERE verb = 'accrual') j USING (member_id, journal_no)
  LEFT JOIN membership.ledger_entry e USING (member_id, journal_no)
  LEFT JOIN membership.lot l ON l.member_id = e.member_id AND l.lot_no = e.entry_no AND l.remaining = 10
 GROUP BY r.order_ref, j.order_ref, j.points;
SQL
note($node->safe_psql('postgres', 'SELECT count(*) FROM expected') . " purchases were acknowledged in $rounds rounds");
is($node->safe_psql('postgres', 'SELECT order_ref FROM expected EXCEPT SELECT order_ref FROM found LIMIT 10'), '',
	'every acknowledged purchase is there');
is($node->safe_psql('postgres', 'SELECT * FROM found WHERE order_ref IS NULL OR points <> 10 OR entries <> 1 OR lots <> 1 LIMIT 10'), '',
	'every purchase that is there is whole: receipt, event, one entry of 10 points, its lot');
# ten orders of a batch share the first two parts of their names
is($node->safe_psql('postgres', <<'SQL'), '', 'and so is every batch');
SELECT substring(order_ref FROM '^\d+-\d+') AS batch, count(*) FROM found WHERE order_ref ~ '^\d+-\d+-' GROUP BY batch HAVING count(*) <> 10 LIMIT 10
SQL
is($node->safe_psql('postgres', 'SELECT verb, ref FROM expected_spending EXCEPT SELECT verb, ref FROM found_spending LIMIT 10'), '',
	'every acknowledged redemption, hold and capture is there');
is($node->safe_psql('postgres', <<'SQL'), '', 'and whole: its event, 10 points and one entry but for holds');
SELECT * FROM found_spending WHERE ref IS NULL OR points IS NULL OR (points, entries) <> (CASE verb WHEN 'authorization' THEN 0 ELSE -10 END, (verb <> 'authorization')::int) LIMIT 10
SQL
is($node->safe_psql('postgres', <<'SQL'), 't', 'open holds are those that were not captured');
SELECT (SELECT sum(points) FROM membership.hold) IS NOT DISTINCT FROM
       nullif(10 * sum(CASE verb WHEN 'authorization' THEN 1 WHEN 'capture' THEN -1 ELSE 0 END), 0) FROM found_spending
SQL
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM (SELECT verb, ref FROM found_spending EXCEPT SELECT verb, ref FROM expected_spending) x'),
	'<=', $clients, 'nothing else was spent');
# what was cut off in the last round may have been committed
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM (SELECT order_ref FROM found EXCEPT SELECT order_ref FROM expected) x'),
	'<=', 10 * $clients, 'nothing else is there');
is($node->safe_psql('postgres', <<"SQL"), 't', 'balances are those purchases, less what was spent');
SELECT sum(balance) = $members * 1000000 + 10 * (SELECT count(*) FROM found) + (SELECT sum(points) FROM found_spending) FROM membership.member_balance
SQL
is($node->safe_psql('postgres', 'SELECT * FROM membership.verify() LIMIT 10'), '', 'the ledger is sound');

$node->stop;
done_testing();
