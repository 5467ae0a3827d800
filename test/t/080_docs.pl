# doc/api.md says what the objects' comments say.
use strict;
use warnings;

use Demo;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('docs');
$node->init;
$node->start;
make_programme($node, 'postgres');

my $written = slurp_file('doc/api.md');
my ($made) = run_command(
	[ 'psql', '-X', '-q', '-A', '-t', '-f', 'doc/api.sql', '-d', $node->connstr('postgres') ]);
chomp $written;
same($made, $written, 'doc/api.md is current (make doc writes it anew)');

$node->stop;
done_testing();
