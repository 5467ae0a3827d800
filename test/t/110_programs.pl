# The test programs in other languages, each on a cluster of its own: exit status 0 is a pass.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my @programs = (
	[ 'argument fuzz, 10,000 calls', 'test/fuzz/run', '10000' ],
	[ 'conditions against plain SQL, and 10,000 bad ones', 'test/rule/run', '10000' ],
	[ 'engine fuzz, 30,000 series of postings', 'test/fuzz/engine', '-runs=30000', '-seed=1' ],
	[ 'random operations against the model', 'test/model/run' ],
	[ 'concurrent histories', 'test/model/histories' ],
	[ 'real purchases', 'test/real/run' ],
	[ 'real returns', 'test/real/returns' ]);

for (@programs)
{
	my ($name, @command) = @$_;
  SKIP:
	{
		skip "$name: $command[0] is not there", 1 unless -x $command[0];
		my $node = PostgreSQL::Test::Cluster->new($command[0] =~ s{/}{_}gr);
		$node->init;
		# a crash is the program's to report, and a million logged statements help nobody
		$node->append_conf('postgresql.conf', "restart_after_crash = on\nlog_statement = none\nlog_min_error_statement = panic");
		$node->start;
		local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGUSER => 'postgres', PGDATABASE => 'postgres', FUZZ_SEED => 1);
		my $output = '';
		my $passed = IPC::Run::run(\@command, '>', \$output, '2>&1');
		$node->stop('fast', fail_ok => 1);
		skip "$name: $1", 1 if $passed && $output =~ /^skipped: (.*)/m;
		ok($passed, $name) or diag($output);
	}
}
done_testing();
