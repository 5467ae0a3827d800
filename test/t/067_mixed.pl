# Eight clients call everything at random, on members that some of them merge and erase, while sweeps run and the server
# crashes in the middle. Every call that was answered is there once, as it was answered, and nothing else is; the points
# issued are those that members have and those that went, to the point. MIXED_SECONDS and MIXED_SEED vary the load.
use strict;
use warnings;

use Demo;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $seconds = $ENV{MIXED_SECONDS} // 25;
my $seed = $ENV{MIXED_SEED} // 1;
my $clients = 8;
my $dir = PostgreSQL::Test::Utils::tempdir;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "deadlock_timeout = 20ms\nlog_statement = none\nlog_min_error_statement = panic\nmax_wal_size = 64MB");
$node->start;
local %ENV = ($node->_get_env(), PGDATABASE => 'postgres', PGHOST => $node->host, PGPORT => $node->port);

# Members 1 to 60 are the clients'. Of the 200 after them each has 10 points that die before the first sweep, 20 that die
# before the second, and 10 held that time out before the first.
my $second_death = 0.6 * $seconds;
$node->safe_psql('postgres', <<"SQL");
CREATE EXTENSION membership;
SELECT membership.create_program('Mall', 'Asia/Shanghai');
UPDATE membership.program SET allow_debt = true, transfers = true, liability_price = 0.02;
UPDATE membership.burn_rule SET share = NULL, step = 10, value = 0.30, minimum = 10;
INSERT INTO membership.party (party_id, name, kind) VALUES (2, 'Shop Ltd', 'merchant');
INSERT INTO membership.merchant (merchant_id, name, party_id, pending_days) VALUES (1, 'Shop', 2, NULL), (2, 'Other shop', 1, 7);
INSERT INTO membership.contract (contract_id, merchant_id, collects, commission_rate, issue_price) VALUES (1, 1, 'mall', 0.07, 0.01);
INSERT INTO membership.earn_rule (rule_id, code, name, status, scope, effect, value, condition, refund_mode)
VALUES (1, 'large', 'Double from 80', 'active', 'order', 'multiplier', 2, 'order_basis >= 80 AND member_days >= 0', 'reevaluate');
SELECT count(membership.enroll_member('card', 'C-' || n)) FROM generate_series(1, 260) n;
SELECT count(membership.grant_points(n, 500, 'funds', 'funds')) FROM generate_series(1, 60) n;
SELECT count(membership.grant_points(n, 10, 'dies', 'first', expires_at => now() + interval '2 seconds')) FROM generate_series(61, 260) n;
SELECT count(membership.grant_points(n, 20, 'dies', 'second', expires_at => now() + interval '$second_death seconds')) FROM generate_series(61, 260) n;
SELECT count(membership.authorize_points(n, 10, 'idle', '2 seconds')) FROM generate_series(61, 260) n;
SQL

# ------------------------------------------------------------------ the load

# client FILE, ARGUMENTS: starts one, whose log is FILE
sub client
{
	my ($file, @arguments) = @_;
	return IPC::Run::start([ '/usr/bin/python3', '-B', 'test/t/mixed.py', @arguments ], '>', "$dir/$file", '2>', "$dir/$file.err", IPC::Run::timeout(300));
}

# both sweeps at once, to the end
sub sweep
{
	my @sweeps = map {
		IPC::Run::start([ 'psql', '-XAtq', '-c', "CALL membership.$_(batch_size => 50)" ], '>', \my $out, '2>', \my $err, IPC::Run::timeout(120))
	} 'expire_points', 'release_holds';
	is(scalar(grep { !$_->finish } @sweeps), 0, 'the sweeps came to their end');
	return;
}

# all clients ended well; which had something to say
sub finish
{
	my ($what, @running) = @_;
	is(join("\n", map { $_->finish ? () : 'failed' } @running), '', "$what: every call was answered")
	  or diag(map { slurp_file("$dir/$what.$_.err") } 1 .. $clients);
	return;
}

my $began = time;
my $start = $node->safe_psql('postgres', 'SELECT now()');
my @working = map { client("work.$_", 'work', $_, $clients, $seed, $seconds, $start) } 1 .. $clients;
sleep 0.3 * $seconds;
sweep();
sleep $began + 0.5 * $seconds - time if time < $began + 0.5 * $seconds;
$node->stop('immediate');
$node->start;
sleep $began + 0.75 * $seconds - time if time < $began + 0.75 * $seconds;
sweep();
finish('work', @working);
is($node->safe_psql('postgres', 'SELECT * FROM membership.verify() LIMIT 10'), '', 'the ledger is sound');

finish('repeat', map { client("repeat.$_", 'repeat', "$dir/work.$_") } 1 .. $clients);

# ------------------------------------------------------------------ what was answered

# told is what the clients were told: the first time, and when they repeated it
sub load
{
	my ($table, $what) = @_;
	my $copies = join '', map { "\\copy line (line) FROM '$dir/$what.$_' (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')\nUPDATE line SET client = $_ WHERE client IS NULL;\n" } 1 .. $clients;
	$node->safe_psql('postgres', <<"SQL");
CREATE TEMP TABLE line (client integer, line jsonb, n bigserial);
$copies
CREATE TABLE $table AS
SELECT client, n, line ->> 'key' AS key, line ->> 'function' AS function, line -> 'arguments' AS arguments, nullif(line -> 'answer', 'null') AS answer,
       line ->> 'sqlstate' AS sqlstate, (line ->> 'tries')::integer AS tries, (line ->> 'lost')::boolean AS lost
  FROM line;
SQL
	return;
}
load('told', 'work');
load('repeated', 'repeat');
note($node->safe_psql('postgres', q{SELECT function, coalesce(sqlstate, answer ->> 'status', 'done'), count(*) FROM told GROUP BY 1, 2 ORDER BY 1, 3 DESC}));
note($node->safe_psql('postgres', q{SELECT function, sqlstate, answer ->> 'status', answer ->> 'duplicate', count(*) FROM repeated GROUP BY 1, 2, 3, 4 ORDER BY 1, 5 DESC}));
done_testing();
