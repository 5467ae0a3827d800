# test/sql by pg_regress and test/specs by pg_isolation_regress, each on a cluster of its own.
use strict;
use warnings;

use File::Basename qw(basename dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

sub run_suite
{
	my ($driver, @files) = @_;
	my @names = map { basename($_) =~ s/\.\w+$//r } @files;
	my $node = PostgreSQL::Test::Cluster->new(basename($driver));
	$node->init;
	# a crash fails the test that it happens in, not those after it
	$node->append_conf('postgresql.conf', 'restart_after_crash = on');
	$node->start;
	my @command = (
		$driver, '--inputdir=test', '--outputdir=.', '--bindir=',
		'--host=' . $node->host, '--port=' . $node->port, '--dbname=membership_regress', @names);
	my $output = '';
	my $passed = IPC::Run::run(\@command, '>', \$output, '2>&1');
	# "test x ... ok 12 ms" up to 15, "ok 1 - x 12 ms" from 16 on
	for my $name (@names)
	{
		ok($output =~ /^test \Q$name\E\s+\.\.\. ok\b/m || $output =~ /^ok \d+\s+[-+] \Q$name\E\s/m,
			basename($driver) . ": $name");
	}
	ok($passed, basename($driver) . ' is content') or diag($output, -e 'regression.diffs' ? slurp_file('regression.diffs') : '');
	$node->stop('fast', fail_ok => 1);
	return;
}

my $isolation = dirname($ENV{PG_REGRESS}) . '/../isolation/pg_isolation_regress';
my @sql = sort glob 'test/sql/*.sql';
my @specs = sort glob 'test/specs/*.spec';

plan skip_all => 'no files in test/sql and test/specs' if !@sql && !@specs;
run_suite($ENV{PG_REGRESS}, @sql) if @sql;
run_suite($isolation, @specs) if @specs;
done_testing();
