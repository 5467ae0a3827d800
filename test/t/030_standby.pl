# Reading on a streaming standby gives what the primary gives; writing is refused and harms nothing.
use strict;
use warnings;

use Demo;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->start;
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

make_programme($primary, 'postgres');
$primary->wait_for_catchup($standby);
same(readings($standby, 'postgres'), readings($primary, 'postgres'), 'views, statement, balance_at, preview_accrual and verify() read the same');

my $condition = "SELECT membership.try_condition('hour IN (1, 2, 3, 4, 5, 6, 7, 8, 9, 20) AND 100 / day > 10', '{\"hour\": 20, \"day\": %d}')";
is($standby->safe_psql('postgres', sprintf($condition, 5)), 't', 'a standby compiles and evaluates conditions');
like(refused($standby, 'postgres', sprintf($condition, 0)), qr/22012: /, '... and contains what fails in them');
is($primary->safe_psql('postgres', 'BEGIN READ ONLY; ' . sprintf($condition, 20)), 'f', '... as does a read-only transaction');

my @writes = (
	"membership.accrue_points(1, 1, 100, 'A9')",
	"membership.grant_points(1, 5, 'gift', 'g')",
	"membership.enroll_member('card', 'C-9')",
	"membership.set_tags(1, '{vip}')");
for my $write (@writes)
{
	like(refused($standby, 'postgres', "SELECT $write"), qr/25006: cannot execute .* (?:in a read-only transaction|during recovery)/,
		"the standby refuses $write");
	like(refused($primary, 'postgres', "BEGIN READ ONLY; SELECT $write"), qr/25006: /, '... as does a read-only transaction');
}
# member 1 is silver: 100 x 1.2
is(($standby->psql('postgres', <<'SQL', on_error_stop => 0))[1], "demo_application\n120", 'a session goes on after it');
SET ROLE demo_application;
SELECT membership.accrue_points(1, 1, 100, 'A9');
SELECT current_user;
SELECT points FROM membership.preview_accrual(1, 1, 100);
SQL

# what the primary changes, configuration included, is seen by a session of the standby that has read before
my ($in, $out) = ('', '');
my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $standby->connstr('postgres') ], '<', \$in, '>', \$out, IPC::Run::timeout(60));
sub ask
{
	my ($query) = @_;
	($in, $out) = ("$query;\n\\echo done\n", '');
	$session->pump until $out =~ /done/;
	return $out =~ s/\s*done\s*$//r;
}
is(ask('SELECT points FROM membership.preview_accrual(1, 1, 100)'), '120', 'a session of the standby reads');
$primary->safe_psql('postgres', "UPDATE membership.program SET base_rate = 2; SELECT membership.accrue_points(1, 1, 100, 'A9')");
$primary->wait_for_catchup($standby);
# 100 x 2 x 1.2
is(ask('SELECT points FROM membership.preview_accrual(1, 1, 100)'), '240', 'and sees a change of the rate');
is(ask('SELECT points, duplicate FROM membership.preview_accrual(1, 1, 100, order_ref => $$A9$$)'), '240|t', 'and a new receipt');
$session->finish;

$standby->promote;
is($standby->safe_psql('postgres', "SELECT points FROM membership.accrue_points(1, 1, 50, 'A10')"), '120', 'promoted, it accrues');
is($standby->safe_psql('postgres', 'SELECT * FROM membership.verify()'), '', 'and is sound');

$standby->stop;
$primary->stop;
done_testing();
