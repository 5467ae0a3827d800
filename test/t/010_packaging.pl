# CREATE EXTENSION, create_program and their refusals; DROP EXTENSION CASCADE, CREATE EXTENSION and
# upgrade_program() lose nothing.
use strict;
use warnings;

use Demo;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE ROLE root_like SUPERUSER; CREATE ROLE somebody LOGIN; CREATE DATABASE bare; CREATE DATABASE unsafe');

sub left_behind
{
	return $node->safe_psql('bare', <<'SQL');
SELECT relname FROM pg_class WHERE relnamespace = 'membership'::regnamespace AND relkind IN ('r', 'v', 'S')
UNION ALL SELECT rolname FROM pg_roles WHERE rolname = 'membership_owner'
SQL
}

sub create_program_refuses
{
	my ($arguments, $name, $error) = @_;
	like(refused($node, 'bare', "SELECT membership.create_program($arguments)"), $error, "create_program refuses $name");
	is(left_behind(), '', '... and leaves nothing behind');
	return;
}

# a fresh database
my $mall = "'Mall', 'Asia/Shanghai'";
like(refused($node, 'bare', 'SET ROLE somebody; CREATE EXTENSION membership'), qr/42501/, 'a user without superuser rights cannot install');
$node->safe_psql('bare', 'CREATE EXTENSION membership');
is($node->safe_psql('bare', "SELECT extversion FROM pg_extension WHERE extname = 'membership'"), '0.2', 'the extension is there');
is(left_behind(), '', 'CREATE EXTENSION makes no table and no role');
like(refused($node, 'bare', "SELECT membership.enroll_member('card', '1')"),
	qr/MB001: no programme has been set up.*DETAIL: .*HINT: .*create_program/s, 'a call without a programme is told what to do');
like(refused($node, 'bare', "SET ROLE somebody; SELECT membership.create_program($mall)"), qr/42501: permission denied/,
	'a user without rights cannot set up a programme');

create_program_refuses("'Mall', 'Mars/Olympus'", 'an unknown zone', qr/22023: time zone "Mars\/Olympus" is not known.*DETAIL: .*HINT: /s);
create_program_refuses("$mall, currency => 'XXL'", 'an unknown currency', qr/22023: currency "XXL" is not known.*DETAIL: .*HINT: /s);
create_program_refuses("$mall, preset => 'airport'", 'an unknown preset', qr/22023: preset "airport" is not known.*DETAIL: .*HINT: /s);
create_program_refuses("'', 'Asia/Shanghai'", 'an empty name', qr/22023: name must not be empty.*HINT: /s);
create_program_refuses("'Mall', NULL", 'no zone', qr/22004: .*time_zone.* must not be null.*HINT: /s);
create_program_refuses("$mall, owner => 'nobody'", 'an unknown owner', qr/42704: role "nobody" does not exist/);
create_program_refuses("$mall, owner => 'root_like'", 'an owner that is a superuser',
	qr/MB404: role root_like cannot own the programme.*DETAIL: .*HINT: /s);
like(refused($node, 'bare', "BEGIN; SELECT membership.create_program($mall); SELECT 1 / 0; COMMIT"), qr/22012/,
	'what fails later in the transaction of create_program');
is(left_behind(), '', '... takes tables and role along');

# membership_owner is adopted only if nobody can be it
for my $case ([ 'can log in', 'LOGIN' ], [ 'is a superuser', 'SUPERUSER' ], [ 'has members', 'ROLE somebody' ])
{
	my ($what, $option) = @$case;
	$node->safe_psql('bare', "CREATE ROLE membership_owner $option");
	like(refused($node, 'bare', "SELECT membership.create_program($mall)"),
		qr/MB404: role membership_owner exists and cannot be adopted.*DETAIL: .*HINT: .*owner/s, "a role membership_owner that $what is not adopted");
	$node->safe_psql('bare', 'DROP ROLE membership_owner');
	is(left_behind(), '', '... and nothing is left behind');
}

# a schema that somebody prepared
$node->safe_psql('unsafe', 'CREATE SCHEMA membership AUTHORIZATION somebody');
like(refused($node, 'unsafe', 'CREATE EXTENSION membership'), qr/MB406: schema "membership" is not safe.*DETAIL: .*HINT: /s,
	'a schema of another owner is not installed into');
$node->safe_psql('unsafe', 'ALTER SCHEMA membership OWNER TO postgres; GRANT CREATE ON SCHEMA membership TO PUBLIC');
like(refused($node, 'unsafe', 'CREATE EXTENSION membership'), qr/MB406: /, 'nor one that everybody may create in');
$node->safe_psql('unsafe', 'REVOKE CREATE ON SCHEMA membership FROM PUBLIC; CREATE EXTENSION membership');
pass('one that is safe is');

# a programme
make_programme($node, 'postgres');
is($node->safe_psql('postgres', 'SELECT * FROM membership.verify()'), '', 'the programme is sound');
# upgrade_program() counts as a change of configuration
my @versions = ('program', 'config_version_seq');
my $definitions = definitions($node, 'postgres');
my $rows = rows($node, 'postgres', @versions);
my $readings = readings($node, 'postgres');
like(refused($node, 'postgres', "SELECT membership.create_program($mall)"),
	qr/MB403: this database already has a programme.*DETAIL: .*HINT: .*upgrade_program/s, 'a second programme is refused');
same(definitions($node, 'postgres'), $definitions, '... and changes no definition');
same(rows($node, 'postgres', @versions), $rows, '... and no row');
$node->safe_psql('bare', "SELECT membership.create_program($mall, preset => 'empty')");
is($node->safe_psql('bare', 'SELECT count(*) FROM membership.tier'), '1', 'another database of the cluster has its own, with the same owner');
is($node->safe_psql('bare', "SELECT table_version > 0, currency, currency_digits FROM membership.program"), 't|CNY|2', 'which knows its currency');

# dropping the extension
like(refused($node, 'postgres', 'DROP EXTENSION membership'), qr/2BP01: cannot drop extension membership/, 'DROP EXTENSION refuses while there is a programme');
$node->safe_psql('postgres', 'DROP EXTENSION membership CASCADE');
same(rows($node, 'postgres', @versions), $rows, 'DROP EXTENSION CASCADE leaves every row');
like(refused($node, 'postgres', "SELECT membership.find_member('card', 'C-2')"), qr/42883: /, '... and no function');
$node->safe_psql('postgres', 'CREATE EXTENSION membership');
like($node->safe_psql('postgres', 'SELECT membership.upgrade_program()'), qr/^table version (\d+), was \1$/, 'upgrade_program() after CREATE EXTENSION');
same(definitions($node, 'postgres'), $definitions, 'every definition, right and comment is as before');
same(rows($node, 'postgres', @versions), $rows, 'so is every row');
same(readings($node, 'postgres'), $readings, 'so is what is read, and verify() finds nothing');

# 100 x 1.2 (silver since A2, never lost)
is($node->safe_psql('postgres', "SET ROLE demo_application; SELECT points, status FROM membership.accrue_points(1, 1, 100, 'A9')"),
	'120|posted', 'the application goes on, with its rights');
is($node->safe_psql('postgres', <<'SQL'), '600|t', '... and an old receipt is still known');
SET ROLE demo_operator;
SELECT points, duplicate
  FROM membership.accrue_points(1, 1, 600, 'A1', at => '2022-01-31 10:00+08', external_refs => '{"wechat": "w1"}');
SQL
rules_go_on($node, 'postgres');
like(refused($node, 'postgres', 'DELETE FROM membership.journal'), qr/MB502: /, 'the journal is guarded again');
like($node->safe_psql('postgres', 'SELECT membership.upgrade_program()'), qr/^table version/, 'upgrade_program() can be repeated');
same(definitions($node, 'postgres'), $definitions, '... and changes nothing');
is($node->safe_psql('postgres', 'SELECT * FROM membership.verify()'), '', 'the programme is still sound');

$node->stop;
done_testing();
