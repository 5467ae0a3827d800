# A programme of 0.1 comes to the present version: the library serves it before ALTER EXTENSION UPDATE, between that and
# upgrade_program(), and after; what comes out is what a fresh install makes.
use strict;
use warnings;

use Demo;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $fresh = PostgreSQL::Test::Cluster->new('fresh');
$fresh->init;
$fresh->start;
make_programme($fresh, 'postgres');
my $definitions = parsed_again(definitions($fresh, 'postgres'));
$fresh->stop;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
make_programme($node, 'postgres', '0.1');

# What Demo leaves out: spending, an open hold, a transfer, refunds, a correction, points of another system, more identities,
# another status. 1 sent to 2; 2 pays, takes one payment back, and has 100 held without end.
$node->safe_psql('postgres', <<'SQL');
UPDATE membership.program SET transfers = true;
SELECT membership.grant_points(1, 5000, 'welcome', 'w1'), membership.grant_points(2, 5000, 'welcome', 'w2');
SELECT membership.transfer_points(1, 2, 700, 't1');
SELECT membership.redeem_points(2, 300, 'r1', 1, 'B1', 100), membership.redeem_points(2, 200, 'r2', order_amount => 100);
SELECT membership.reverse_redemption(2, 'r2', 'cancelled');
SELECT membership.accrue_points(2, 1, 100, 'B1');
SELECT membership.authorize_points(2, 100, 'h1', NULL, order_amount => 100);
SELECT membership.accrue_points(2, 1, 100, 'B2', at => clock_timestamp(), lines => '[{"line_no": 1, "amount": 60}, {"line_no": 2, "amount": 40}]');
SELECT membership.refund_order(1, 'B2', 'R1', 30), membership.refund_order(1, 'B9', 'R1', 10);
SELECT membership.accrue_points(2, 1, 70, 'B3'), membership.correct_purchase(1, 'B3', 60, NULL, 'K1', 'mis-rung');
SELECT membership.accrue_points(2, 1, 10, 'B4', exchange_of => 'B2');
SELECT membership.enroll_member('card', 'C-3'), membership.set_tags(3, '{vip}'), membership.add_identity(3, 'email', 'C@x.org');
SELECT count(*) FROM membership.import_lots(ARRAY[(3, 900, 'old-1', NULL, clock_timestamp() - interval '1 day', NULL)::membership.lot_import]);
SELECT membership.set_member_status(3, 'frozen', 'lost its way');
SQL

# works DATABASE, VERSION, TABLES, SUFFIX: the application goes on; SUFFIX keeps keys apart
sub works
{
	my ($database, $version, $tables, $suffix) = @_;
	is($node->safe_psql($database, "SELECT extversion, table_version FROM pg_extension, membership.program WHERE extname = 'membership'"),
		"$version|$tables", "$database: version $version of the extension, $tables of the tables");
	# 100 x 1.5 (gold); of B1 300 points paid 9.00: 91 x 1.5 = 136.5; 30.00 of the 100 returned: 150 x 30 / 100
	is($node->safe_psql($database, <<"SQL"), "150|f\n136|t\n100|f\n-60|f\n0|f\n5|f\n45|f", '... the application goes on');
SET ROLE demo_application;
SELECT points, duplicate FROM membership.accrue_points(2, 1, 100, 'C$suffix');
SELECT points, duplicate FROM membership.accrue_points(2, 1, 100, 'B1');
SELECT points, duplicate FROM membership.redeem_points(2, 100, 'c$suffix', order_amount => 100);
SELECT points, duplicate FROM membership.transfer_points(1, 2, 60, 'c$suffix');
SELECT points, duplicate FROM membership.authorize_points(2, 100, 'h$suffix', order_amount => 100);
SELECT points, duplicate FROM membership.grant_points(2, 5, 'thanks', 'c$suffix');
SELECT points_clawed, duplicate FROM membership.refund_order(1, 'C$suffix', 'R1', 30);
SQL
	is($node->safe_psql($database, 'SELECT * FROM membership.verify()'), '', '... and verify() finds nothing');
	return;
}

# restored DATABASE, FROM: a dump of FROM, restored with the roles there
sub restored
{
	my ($database, $from) = @_;
	my $dump = PostgreSQL::Test::Utils::tempdir . "/$database.dump";
	$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $from ], "$database: pg_dump of $from");
	$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0");
	$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $database, $dump ], '... and pg_restore');
	return;
}

sub upgraded
{
	my ($database) = @_;
	my @except = ('program', 'config_version_seq');    # the table version, and that configuration changed
	my $rows = rows($node, $database, @except);
	is($node->safe_psql($database, 'SELECT membership.upgrade_program()'), 'table version 2, was 1', "$database: upgrade_program()");
	same(parsed_again(definitions($node, $database)), $definitions, '... makes what a fresh install has');
	same(rows($node, $database, @except), $rows, '... and leaves every row');
	return;
}

works('postgres', '0.1', 1, 'first');
restored('dumped', 'postgres');
works('dumped', '0.2', 1, 'between');

my $readings = readings($node, 'postgres');
$node->safe_psql('postgres', 'ALTER EXTENSION membership UPDATE');
same(readings($node, 'postgres'), $readings, 'after ALTER EXTENSION UPDATE everything is read as before');
works('postgres', '0.2', 1, 'between');
for my $statement ('SELECT membership._need_tables(2)', "SELECT membership.merge_members(1, 2, 'x')", "SELECT membership.erase_member(2, 'x')", "SELECT membership.close_refund_exception(1, 'x', 'x', 'x')",
	'CALL membership.expire_points()', 'CALL membership.release_holds()', "CALL membership.announce_expiry('30 days')",
	"CALL membership.prune_context('5 years')")
{
	like(refused($node, 'postgres', $statement), qr/MB402: .*DETAIL: .*HINT: .*upgrade_program/s,
		"needs tables of version 2, and says so: $statement");
}
$node->safe_psql('postgres', "CREATE ROLE demo_analyst; SELECT membership.grant_access('demo_analyst', 'analyst')");
is($node->safe_psql('postgres', 'SET ROLE demo_analyst; SELECT count(*) FROM membership.merchant'), '3', 'rights can be given meanwhile');
$node->safe_psql('postgres', "SELECT membership.revoke_access('demo_analyst', 'analyst')");
restored('between', 'postgres');
works('between', '0.2', 1, 'dumped');

for my $database ('postgres', 'dumped', 'between')
{
	upgraded($database);
	works($database, '0.2', 2, 'last');
}

# a session that was there all the time
$node->safe_psql('postgres', 'CREATE DATABASE session TEMPLATE template0');
$node->safe_psql('session', <<'SQL');
CREATE EXTENSION membership VERSION '0.1';
SELECT membership.create_program('Demo mall', 'Asia/Shanghai');
INSERT INTO membership.merchant (merchant_id, name) VALUES (1, 'Books');
SELECT membership.enroll_member('card', 'C-1');
SQL
is($node->safe_psql('session', <<'SQL'), "10|10\n10|20\n10|30\n10|40", 'a session lives through it');
SELECT points, balance FROM membership.accrue_points(1, 1, 10, 'A1');
\! psql -qX -d session -c 'ALTER EXTENSION membership UPDATE'
SELECT points, balance FROM membership.accrue_points(1, 1, 10, 'A2');
\! psql -qX -d session -c 'SELECT membership.upgrade_program()' -o /dev/null
SELECT points, balance FROM membership.accrue_points(1, 1, 10, 'A3');
SELECT points, balance FROM membership.accrue_points(1, 1, 10, 'A4');
SQL

# four clients that go on all the while: each call succeeds
$node->safe_psql('postgres', 'CREATE DATABASE busy TEMPLATE template0');
$node->safe_psql('busy', <<'SQL');
CREATE EXTENSION membership VERSION '0.1';
SELECT membership.create_program('Demo mall', 'Asia/Shanghai');
INSERT INTO membership.merchant (merchant_id, name) VALUES (1, 'Books');
SELECT membership.enroll_member('card', n::text) FROM generate_series(1, 10) n;
CREATE SEQUENCE public.receipt;
SQL
my $script = PostgreSQL::Test::Utils::tempdir . '/accrue.pgbench';
append_to_file($script, <<'SQL');
\set member random(1, 10)
BEGIN;
SELECT membership.accrue_points(:member, 1, 10, nextval('receipt')::text);
SELECT membership.refund_order(1, currval('receipt')::text, 'R1', 4);
SELECT membership.grant_points(:member, 1, 'x', nextval('receipt')::text);
END;
SQL
{
	local %ENV = (%ENV, $node->_get_env());
	my ($output, $enough) = ('', 0);
	my $clients = IPC::Run::start([ 'pgbench', '-n', '-c', '4', '-T', '4', '-f', $script, 'busy' ], '>', \$output, '2>&1');
	for my $statement ('ALTER EXTENSION membership UPDATE', 'SELECT membership.upgrade_program()')
	{
		$enough += 100;
		$node->poll_query_until('busy', "SELECT last_value >= $enough FROM public.receipt");
		$node->safe_psql('busy', $statement);
	}
	ok(IPC::Run::finish($clients), 'clients go on all the while') or diag($output);
	unlike($output, qr/ERROR/, '... without an error');
	like($output, qr/number of failed transactions: 0 /, '... and every transaction was posted');
}
is($node->safe_psql('busy', 'SELECT * FROM membership.verify()'), '', '... soundly');

# tables that are too old, or too new
for my $version (0, 3)
{
	$node->safe_psql('session', "UPDATE membership.program SET table_version = $version");
	for my $statement ("SELECT membership.accrue_points(1, 1, 10, 'A5')", 'SELECT membership.upgrade_program()')
	{
		like(refused($node, 'session', $statement), qr/MB402: the programme's tables have version $version.*DETAIL: .*versions 1 to 2.*HINT: /s,
			"tables of version $version are refused: $statement");
	}
}

$node->stop;
done_testing();
