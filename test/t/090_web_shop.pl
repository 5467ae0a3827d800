# The web shop of doc/web-shop.md runs as shown, and ends with the numbers it announces.
use strict;
use warnings;

use Demo;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('shop');
$node->init;
$node->start;

my ($stdout, $stderr) = run_command([ 'psql', '-XAtq', '-f', 'doc/example/web_shop.sql', '-d', $node->connstr('postgres') ]);
is($stderr, '', 'the example runs');
is($stdout =~ s/^\n+//r, join("\n", '219', 'payment|W-5|MB003|merchant 7 does not exist', '1|0', 'W-1|199|199', 'W-4|20|219', 'W-5|60|279'), 'with these results');

my $example = slurp_file('doc/example/web_shop.sql');
my $shown = 0;
my $page = slurp_file('doc/web-shop.md');
while ($page =~ /^```sql\n(.*?)^```$/msg)
{
	$shown++;
	ok(index($example, $1) >= 0, "statement $shown of the page is that of the example");
}
is($shown, 4, 'all of them');

# the shop goes on: an order that was lost and is delivered again, at last with a mistake
for my $total (30, 30, 31)
{
	$node->safe_psql('postgres', <<"SQL");
DELETE FROM web_shop.payment WHERE order_no = 'W-6';
DELETE FROM web_shop.orders WHERE order_no = 'W-6';
SET ROLE web_shop_app;
INSERT INTO web_shop.orders VALUES ('W-6', 1);
INSERT INTO web_shop.payment (order_no, total, paid_at) VALUES ('W-6', $total, '2024-01-05 10:00');
SQL
}
is($node->safe_psql('postgres', q(SELECT count(*) FROM membership.journal WHERE order_ref = 'W-6')), 1, 'a sale delivered three times is posted once');
is($node->safe_psql('postgres', q(SELECT purchase ->> 'order_ref', sqlstate FROM membership.accrual_error)), 'W-6|MB201', 'and the one with another amount is recorded');
is($node->safe_psql('postgres', 'SELECT * FROM membership.verify()'), '', 'all of it is sound');

$node->stop;
done_testing();
