# pg_dump and restore into a fresh cluster, without and with the roles there.
use strict;
use warnings;

use Demo;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $source = PostgreSQL::Test::Cluster->new('source');
$source->init;
$source->start;
make_programme($source, 'postgres');
my $definitions = parsed_again(definitions($source, 'postgres'));
my $rows = rows($source, 'postgres');
my $readings = readings($source, 'postgres');

my $plain = PostgreSQL::Test::Utils::tempdir . '/demo.sql';
my $custom = PostgreSQL::Test::Utils::tempdir . '/demo.dump';
$source->command_ok([ 'pg_dump', '-f', $plain, 'postgres' ], 'pg_dump as SQL');
$source->command_ok([ 'pg_dump', '-Fc', '-f', $custom, 'postgres' ], 'pg_dump -Fc');
$source->stop;

my $target = PostgreSQL::Test::Cluster->new('target');
$target->init;
$target->start;

# restore FORMAT, DATABASE: what restoring complained of
sub restore
{
	my ($format, $database) = @_;
	my @command = $format eq 'SQL' ? ('psql', '-qX', '-d', $database, '-f', $plain) : ('pg_restore', '-d', $database, $custom);
	my ($stdout, $stderr) = ('', '');
	local %ENV = $target->_get_env();
	$target->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0");
	IPC::Run::run(\@command, '>', \$stdout, '2>', \$stderr);
	return $stderr;
}

# member 1's events: 1 enrolment, 2 A1, 3 A2, 4 expiry of A1 (noticed by A3), 5 A3; the purchase notices 6 expiry of A2 and
# 7 expiry of A3, and is itself 8, 100 x 1.2 points
sub goes_on
{
	my ($database, $order_ref) = @_;
	is($target->safe_psql($database, <<"SQL"), "8|120\n1|1|8|8", 'numbering goes on without a gap');
SET ROLE demo_application;
SELECT journal_no, points FROM membership.accrue_points(1, 1, 100, '$order_ref');
RESET ROLE;
SELECT member_id, min(journal_no), max(journal_no), count(*) FROM membership.journal WHERE member_id = 1 GROUP BY member_id;
SQL
	rules_go_on($target, $database);
	is($target->safe_psql($database, "SELECT member_id, created FROM membership.enroll_member('card', 'C-3')"), '3|t', 'so do the members');
	is($target->safe_psql($database, 'SELECT * FROM membership.verify()'), '', 'and verify() finds nothing');
	return;
}

# without the roles
for my $format ('SQL', 'archive')
{
	my $database = lc "without_$format";
	like(restore($format, $database), qr/role "membership_owner" does not exist/, "$format: restoring without the owner's role complains");
	same(rows($target, $database), $rows, '... and restores every row and sequence');
	like(refused($target, $database, "SELECT membership.accrue_points(1, 1, 100, 'A9')"),
		qr/MB401: the programme's tables are owned by a superuser.*DETAIL: .*HINT: .*set_owner/s, 'calls refuse and name set_owner');
	like(refused($target, $database, 'SELECT * FROM membership.verify()'), qr/MB401: /, '... reading ones too');
}
$target->safe_psql('postgres', 'CREATE ROLE membership_owner NOLOGIN; CREATE ROLE demo_application LOGIN; CREATE ROLE demo_operator LOGIN');
like(refused($target, 'without_sql', "SELECT membership.set_owner('postgres')"), qr/MB404: /, 'set_owner refuses a superuser');
for my $format ('SQL', 'archive')
{
	my $database = lc "without_$format";
	$target->safe_psql($database, "SELECT membership.set_owner('membership_owner')");
	same(readings($target, $database), $readings, "$format: after set_owner everything is read as before, and verify() finds nothing");
	same(parsed_again(definitions($target, $database)), $definitions, '... and defined as before, rights included');
	goes_on($database, 'A9');
}

# with the roles
for my $format ('SQL', 'archive')
{
	my $database = lc "with_$format";
	is(restore($format, $database), '', "$format: restoring with the roles there is silent");
	same(rows($target, $database), $rows, '... and restores every row and sequence');
	same(parsed_again(definitions($target, $database)), $definitions, '... every definition and right');
	same(readings($target, $database), $readings, '... and verify() finds nothing');
	goes_on($database, 'A9');
}

$target->stop;
done_testing();
