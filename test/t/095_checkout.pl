# The till of doc/checkout.md runs as shown, and its programs sell once whatever happens to their connection.
use strict;
use warnings;

use Demo;
use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

$ENV{NODE_PATH} //= '/usr/share/nodejs';
my %programs = (python => [ '/usr/bin/python3', 'doc/example/checkout.py' ], node => [ 'node', 'doc/example/checkout.js' ]);

my $node = PostgreSQL::Test::Cluster->new('till');
$node->init;
$node->start;

# ------------------------------------------------------------------ the page

my ($stdout, $stderr) = run_command([ 'psql', '-XAtq', '-f', 'doc/example/checkout.sql', '-d', $node->connstr('postgres') ]);
is($stderr, '', 'the example runs');
is($stdout =~ s/^\n+//r, join("\n",
	'10000',
	'1000|50.00', '38|9038',                  # the bag; 10,000 - 1,000 + 38
	'9038', '9038|8038', '-600|8438',         # parking: held 1,000; captured 600
	'600|18.00|share', '8438', '102|7940',    # 15 % of 120.00 is 18.00; 8,438 - 600 + 102
	'7940', '0|7940',
	'item|1|1000|50.00', 'parking|1|600|30.00', 'payment|1|600|18.00',
	'points_redeemed|40.00|1600'), 'with these results');

my %examples = (sql => slurp_file('doc/example/checkout.sql'), python => slurp_file('doc/example/checkout.py'));
my $shown = 0;
my $page = slurp_file('doc/checkout.md');
while ($page =~ /^```(sql|python)\n(.*?)^```$/msg)
{
	$shown++;
	ok(index($examples{$1}, $2) >= 0, "passage $shown of the page is that of the example");
}
is($shown, 10, 'all of them');

# ------------------------------------------------------------------ help for what goes wrong

# while_rival_waits: before the till writes its row it waits until the rival waits for it, if there is one. Who waits
# last finds the deadlock, and the rival never looks for one.
$node->safe_psql('postgres', <<'SQL');
ALTER ROLE till_app SET deadlock_timeout = '10ms';
CREATE FUNCTION somebody_waits() RETURNS boolean LANGUAGE sql AS $$ SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted) $$;
CREATE FUNCTION lock_is_taken(key bigint) RETURNS boolean LANGUAGE sql AS $$
    SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = key)
$$;
CREATE PROCEDURE wait_until(condition text) LANGUAGE plpgsql AS $$
DECLARE
    met boolean;
BEGIN
    FOR i IN 1 .. 18000 LOOP
        EXECUTE 'SELECT ' || condition INTO met;
        EXIT WHEN met;
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;
CREATE FUNCTION while_rival_waits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF lock_is_taken(1) AND current_user = 'till_app' THEN
        PERFORM pg_advisory_xact_lock(2);
        CALL wait_until('somebody_waits()');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER while_rival_waits BEFORE INSERT ON till.sale FOR EACH ROW EXECUTE FUNCTION while_rival_waits();
SQL

# A member of 3,000 points.
sub new_member
{
	my ($name) = @_;
	my $member = $node->safe_psql('postgres', "SELECT member_id FROM membership.enroll_member('card', '$name')");
	$node->safe_psql('postgres', "SELECT membership.grant_points($member, 3000, 'welcome', 'welcome')");
	return $member;
}

# Sells for 588.00 with all points possible; returns what the program says and what it complains of.
sub sell
{
	my ($language, $member, $order, $host, $port) = @_;
	local %ENV = (%ENV, PGHOST => $host // $node->host, PGPORT => $port // $node->port, PGUSER => 'till_app', PGDATABASE => 'postgres');
	return run_command([ @{ $programs{$language} }, $member, $order, '588.00', 3000 ]);
}

sub events
{
	my ($member) = @_;
	return $node->safe_psql('postgres', <<"SQL");
SELECT string_agg(verb || ' ' || points, ', ' ORDER BY journal_no)
  FROM membership.journal WHERE member_id = $member AND verb NOT IN ('enrolment', 'grant')
SQL
}

# start_rival SQL: another session that takes advisory lock 1 on its way.
sub start_rival
{
	my ($sql) = @_;
	my $rival = IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c', $sql ],
		'>', \my $out, '2>&1', IPC::Run::timeout(180));
	$node->poll_query_until('postgres', 'SELECT lock_is_taken(1)') or die 'the rival does not come';
	return $rival;
}

# start_cutter ARRIVES: hands connections on to the server, and cuts the first one at its COMMIT, when that has been
# answered, or before it arrives. Returns its process and where it listens.
sub start_cutter
{
	my ($arrives) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir_short;
	my $listener = IO::Socket::UNIX->new(Local => "$folder/.s.PGSQL.5432", Listen => 5) or die "$folder: $!";
	my $process = fork // die "fork: $!";
	return ($process, $folder) if $process;

	my $cut = 0;
	while (my $client = $listener->accept)
	{
		my $server = IO::Socket::UNIX->new(Peer => $node->host . '/.s.PGSQL.' . $node->port) or POSIX::_exit(1);
		my $both = IO::Select->new($client, $server);
	  relay: while (1)
		{
			for my $from ($both->can_read)
			{
				my $to = $from == $client ? $server : $client;
				sysread($from, my $data, 65536) or last relay;
				my $last = !$cut && $from == $client && $data =~ /COMMIT/;
				syswrite($to, $data) if !$last || $arrives;
				next if !$last;
				sysread($server, $data, 65536) if $arrives;
				$cut = 1;
				last relay;
			}
		}
		close $client;
		close $server;
	}
	POSIX::_exit(0);
}

# ------------------------------------------------------------------ the programs

for my $language ('python', 'node')
{
  SKIP:
	{
		skip "there is no module pg for node", 1 if $language eq 'node' && system("node -e 'require(\"pg\")' 2> /dev/null") != 0;

		# 15 % of 588.00 is 88.20: 29 steps of 3.00; 3,000 - 2,900 + 501 = 601
		my $sold = 'redemption -2900, accrual 501';
		my $says = '2900 points pay 87.00, 501 earned, balance 601';

		my $member = new_member("$language plain");
		is_deeply([ sell($language, $member, "$language-1") ], [ "$language-1: $says", '' ], "$language sells");
		is_deeply([ sell($language, $member, "$language-1") ], [ "$language-1: $says", '' ], '... says the same when asked again');
		is(events($member), $sold, '... and has sold once');
		is($node->safe_psql('postgres', "SELECT points, cash FROM till.sale WHERE order_no = '$language-1'"), '2900|501.00', '... also in its own table');

		for my $arrives (1, 0)
		{
			my $order = "$language-commit-$arrives";
			$member = new_member($order);
			my ($process, $folder) = start_cutter($arrives);
			is_deeply([ sell($language, $member, $order, $folder, 5432) ], [ "$order: $says", 'again: connection lost' ],
				"$language loses the connection " . ($arrives ? 'after' : 'before') . ' COMMIT and tries again');
			kill 'KILL', $process;
			waitpid $process, 0;
			is(events($member), $sold, '... and has sold once');
		}

		# quoted 2,900, but then there are 2,400: 588.00 - 72.00 = 516.00
		$member = new_member("$language late");
		my $rival = start_rival(<<"SQL");
BEGIN;
SELECT membership.redeem_points($member, 600, 'rival', order_amount => 588);
SELECT pg_advisory_xact_lock(1);
CALL wait_until('somebody_waits()');
COMMIT;
SQL
		is_deeply([ sell($language, $member, "$language-2") ],
			[ "$language-2: 2400 points pay 72.00, 516 earned, balance 516", 'again: 40001' ],
			"$language is late, and asks for a new quote");
		ok($rival->finish, '... the rival was first');
		is(events($member), 'redemption -600, redemption -2400, accrual 516', '... each has spent what was there');

		# the rival has the till's row and wants the member; the till has the member and wants its row
		$member = new_member("$language locked");
		$rival = start_rival(<<"SQL");
SET deadlock_timeout = '1h';
BEGIN;
INSERT INTO till.sale VALUES ('$language-3', $member, 1, 0, 1);
SELECT pg_advisory_xact_lock(1);
CALL wait_until('lock_is_taken(2)');
SELECT membership.adjust_points($member, 1, 'mistake', 'rival');
ROLLBACK;
SQL
		my ($said, $complained) = sell($language, $member, "$language-3");
		is($said, "$language-3: $says", "$language gets out of a deadlock");
		like($complained, qr/^(again: 40P01\n?)+$/, '... by trying again');
		ok($rival->finish, '... and lets the rival go on');
		is(events($member), $sold, '... and has sold once');

		# what is not to be repeated is not
		$node->safe_psql('postgres', "SELECT membership.set_member_status($member, 'closed', 'moved away')");
		($said, $complained) = sell($language, $member, "$language-4");
		like($complained, qr/is closed/, "$language takes a refusal for an answer");
		unlike($complained, qr/again/, '... at once');
		is($node->safe_psql('postgres', "SELECT count(*) FROM till.sale WHERE order_no = '$language-4'"), 0, '... and has not sold');
	}
}

is($node->safe_psql('postgres', 'SELECT * FROM membership.verify()'), '', 'all of it is sound');

$node->stop;
done_testing();
