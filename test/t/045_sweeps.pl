# Sweeps whose batches commit: cancelled, failed, killed and run again; several at once; beside locked members; in three zones
# over five years, in time, twice, late and seldom; and the outbox.
use strict;
use warnings;

use Demo;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nrestart_after_crash = on");
$node->start;

my $sound = 'SELECT * FROM membership.verify()';
my $as_of = '2024-06-01 00:00+08';

# 300 members with 10 points each that died on 2 February 2024 at midnight. Where table stall names a member, its lot is
# not deleted before advisory lock 1 can be had.
my $setup = <<'SQL';
CREATE EXTENSION membership;
SELECT membership.create_program('Mall', 'Asia/Shanghai', preset => 'empty');
INSERT INTO membership.merchant (merchant_id, name) VALUES (1, 'Shop');
UPDATE membership.program SET expiry = '1 months';
SELECT count(membership.enroll_member('card', 'C' || i, at => '2024-01-01 09:00+08')) FROM generate_series(1, 300) i;
SELECT count(membership.accrue_points(i, 1, 10, 'o' || i, at => '2024-01-01 10:00+08', attributes => '{"till": 1}')) FROM generate_series(1, 300) i;
CREATE TABLE public.stall (member_id bigint, raises boolean);
GRANT SELECT ON public.stall TO membership_owner;
CREATE FUNCTION public.stall() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM public.stall s WHERE s.member_id = OLD.member_id AND raises) THEN
        RAISE EXCEPTION 'not member %', OLD.member_id;
    ELSIF EXISTS (SELECT FROM public.stall s WHERE s.member_id = OLD.member_id) THEN
        PERFORM pg_advisory_xact_lock(1);
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER stall AFTER DELETE ON membership.lot FOR EACH ROW EXECUTE FUNCTION public.stall();
SQL
$node->safe_psql('postgres', 'CREATE ROLE sweeper LOGIN');
$node->safe_psql('postgres', "CREATE DATABASE start");
$node->safe_psql('start', $setup);

my $last = 0;
sub copy
{
	my ($template) = @_;
	my $name = 'copy' . ++$last;
	$node->safe_psql('postgres', "CREATE DATABASE $name TEMPLATE $template");
	return $name;
}

# A psql that stays: send a line, and see what came.
sub session
{
	my ($database) = @_;
	my %self = (in => '', out => '', err => '');
	$self{run} = IPC::Run::start([ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr($database) ],
		'<', \$self{in}, '>', \$self{out}, '2>', \$self{err}, IPC::Run::timeout(180));
	return \%self;
}
sub send_line
{
	my ($self, $sql) = @_;
	$self->{out} = $self->{err} = '';
	$self->{in} = "$sql\n";
	$self->{run}->pump_nb;
	return;
}
sub answer    # everything up to the end of what was sent
{
	my ($self, $sql) = @_;
	send_line($self, "$sql\n\\echo done") if defined $sql;
	$self->{run}->pump until $self->{out} =~ /^done$/m;
	return $self->{out} =~ s/^done\n//mr;
}
sub quit
{
	my ($self) = @_;
	$self->{in} = "\\q\n";
	$self->{run}->finish;
	return;
}
sub wait_for
{
	my ($database, $condition) = @_;
	$node->poll_query_until($database, "SELECT EXISTS (SELECT FROM $condition)") or die "waited in vain for $condition";
	return;
}
my $expired = q(SELECT count(*) FROM membership.journal WHERE verb = 'expiry');
my $runs = q(SELECT concat_ws(' ', batches, rows, last_key, finished_at IS NOT NULL, error) FROM membership.job_run ORDER BY started_at);
my $activity = q(pg_stat_activity WHERE query LIKE 'CALL membership.expire_points%' AND pid <> pg_backend_pid());

# ------------------------------------------------------------------ batches that commit

my $db = copy('start');
# 300 members in six batches of 50, and one that finds no more
is($node->safe_psql($db, "CALL membership.expire_points('$as_of', 50)"), '300|3000|f', 'all members, in batches');
is($node->safe_psql($db, $runs), '7 300 300 t', 'on record');
is($node->safe_psql($db, "SELECT count(DISTINCT xmin::text), count(*) FROM membership.journal WHERE verb = 'expiry'"), '6|300', 'each batch was a transaction of its own');
is($node->safe_psql($db, "CALL membership.expire_points('$as_of')"), '0|0|f', 'once');
is($node->safe_psql($db, "CALL membership.prune_context('1 year', 100); SELECT count(*) FROM membership.journal_context"), "300|300|f\n0", 'attributes pruned in batches');
is($node->safe_psql($db, $sound), '', 'sound');

# a transaction block, a function, a procedure with SET: one batch; a plain procedure or DO: all
$db = copy('start');
$node->safe_psql($db, <<"SQL");
CREATE PROCEDURE plain(INOUT members bigint, INOUT points bigint, INOUT more boolean) LANGUAGE plpgsql
    AS 'BEGIN CALL membership.expire_points(''$as_of'', 40, members, points, more); END';
CREATE PROCEDURE with_set(INOUT members bigint, INOUT points bigint, INOUT more boolean) LANGUAGE plpgsql SET work_mem = '4MB'
    AS 'BEGIN CALL membership.expire_points(''$as_of'', 40, members, points, more); END';
SQL
is($node->safe_psql($db, "BEGIN; CALL membership.expire_points('$as_of', 40); ROLLBACK; $expired"), "40|400|t\n0", 'inside a transaction block it is one batch, and not committed');
is($node->safe_psql($db, "SELECT count(*) FROM membership.job_run"), 0, 'nor is its record');
is($node->safe_psql($db, "CALL with_set(0, 0, false); $expired"), "40|400|t\n40", 'in a procedure with SET, too');
is($node->safe_psql($db, <<"SQL"), 80, 'in a block that catches errors, too');
DO \$\$
DECLARE
    a bigint; b bigint; c boolean;
BEGIN
    BEGIN
        CALL membership.expire_points('$as_of', 40, a, b, c);
    EXCEPTION WHEN division_by_zero THEN
    END;
END
\$\$;
$expired
SQL
is($node->safe_psql($db, "CALL plain(0, 0, false); $expired"), "220|2200|f\n300", 'in another procedure it is all');

# ------------------------------------------------------------------ cancelled, failed, killed

# The batch with member 120 is the third: 100 members stay.
for my $how ('cancel', 'raise', 'kill')
{
	$db = copy('start');
	$node->safe_psql($db, "GRANT USAGE ON SCHEMA membership TO sweeper; GRANT EXECUTE ON PROCEDURE membership.expire_points TO sweeper");
	$node->safe_psql($db, 'INSERT INTO stall VALUES (120, ' . ($how eq 'raise' ? 'true' : 'false') . ')');
	my $gate = session($db);
	answer($gate, 'SELECT pg_advisory_lock(1);');
	my $run = session($db);
	answer($run, q(SET ROLE sweeper; SET search_path = public, pg_catalog;));
	send_line($run, "CALL membership.expire_points('$as_of', 50);\n\\echo done");
	if ($how ne 'raise')
	{
		wait_for($db, "$activity AND wait_event = 'advisory'");
		is($node->safe_psql($db, "SELECT query FROM $activity"), 'CALL membership.expire_points: 100 members, 1000 points, last looked at 100', "progress is shown before $how");
		is($node->safe_psql($db, "$expired; $runs"), "100\n2 100 100 f", '... what is committed stays');
		my $pid = $node->safe_psql($db, "SELECT pid FROM $activity");
		$how eq 'cancel' ? $node->safe_psql($db, "SELECT pg_cancel_backend($pid)") : kill('KILL', $pid);
	}
	if ($how eq 'kill')
	{
		$run->{run}->finish;
		$gate->{run}->finish;
		$node->poll_query_until($db, 'SELECT true');
		is($node->safe_psql($db, "$expired; $runs"), "100\n2 100 100 f", 'killed: the record shows where it stood');
	}
	else
	{
		answer($run);
		my $error = $how eq 'cancel' ? '57014: canceling statement due to user request' : 'P0001: not member 120';
		like($run->{err}, qr/\Q$error\E/, "$how: the error reaches the caller");
		is(answer($run, q(SELECT current_user, session_user <> current_user, current_setting('search_path');)), "sweeper|t|public, pg_catalog\n", '... who is who it was');
		like(answer($run, 'SELECT * FROM membership.account;') . $run->{err}, qr/42501: permission denied/, '... without rights of the owner');
		is($node->safe_psql($db, "$expired; $runs"), "100\n2 100 100 t $error", '... what was committed stays, and the error is on record');
		quit($run);
		quit($gate);
	}
	$node->safe_psql($db, 'TRUNCATE stall');
	is($node->safe_psql($db, "CALL membership.expire_points('$as_of', 50); $expired"), "200|2000|f\n300", '... run again, it does the rest');
	is($node->safe_psql($db, $sound), '', '... sound');
}

# ------------------------------------------------------------------ two at once

$db = copy('start');
$node->safe_psql($db, 'INSERT INTO stall VALUES (120, false)');
my $gate = session($db);
answer($gate, 'SELECT pg_advisory_lock(1);');
my ($first, $second) = (session($db), session($db));
send_line($first, "CALL membership.expire_points('$as_of', 50);\n\\echo done");
wait_for($db, "$activity AND wait_event = 'advisory'");
send_line($second, "CALL membership.expire_points('$as_of', 50);\n\\echo done");
# the first has done 1 to 100 and holds 101 to 150; the second does all others, and waits
wait_for($db, "$activity AND wait_event = 'transactionid'");
is($node->safe_psql($db, "$expired; SELECT min(member_id), max(member_id), count(*) FROM membership.journal WHERE verb = 'expiry' AND member_id > 100"),
	"250\n151|300|150", 'the second does what the first has not in hand');
is($node->safe_psql($db, "SELECT query FROM $activity AND wait_event = 'transactionid'"),
	'CALL membership.expire_points: 150 members, 1500 points, last looked at 300', '... and then waits for that');
answer($gate, 'SELECT pg_advisory_unlock(1);');
is(answer($first), "150|1500|f\n", 'the first goes on');
is(answer($second), "150|1500|f\n", 'and the second finds it done');
is($node->safe_psql($db, "$expired; $sound"), 300, 'each once');
quit($_) for $first, $second, $gate;

# four at once, without anything in their way
$db = copy('start');
my @several = map { session($db) } 1 .. 4;
send_line($_, "CALL membership.expire_points('$as_of', 3);\n\\echo done") for @several;
my $done = 0;
$done += (split /\|/, answer($_))[0] for @several;
is($done, 300, 'four share the work');
is($node->safe_psql($db, "$expired; $sound"), 300, 'each once');
quit($_) for @several;

# ------------------------------------------------------------------ locked members

$db = copy('start');
my ($one, $two) = (session($db), session($db));
answer($one, 'BEGIN; SELECT FROM membership.account WHERE member_id = 7 FOR UPDATE;');
answer($two, 'BEGIN; SELECT FROM membership.account WHERE member_id IN (8, 9) FOR UPDATE;');
my $run = session($db);
send_line($run, "CALL membership.expire_points('$as_of', 100);\n\\echo done");
wait_for($db, "$activity AND wait_event = 'transactionid'");
is($node->safe_psql($db, $expired), 297, 'locked members come last');
is($node->safe_psql($db, $runs), '4 297 300 f', '... until then the run is not complete');
# 8 is free again and waits for nobody, though the run waits for 7
answer($two, 'ROLLBACK;');
is($node->safe_psql($db, "SET lock_timeout = '10s'; SELECT points FROM membership.accrue_points(8, 1, 5, 'met', at => '$as_of')"), 5, '... which keeps nobody else waiting');
answer($one, 'ROLLBACK;');
is(answer($run), "299|2990|f\n", 'what is due still is done: 7 and 9, for 8 was met');
is($node->safe_psql($db, "$expired; $sound"), 300, 'each once');
# a transaction block gets through as well: the batch passes by, then there is nothing else to do and it waits
$db = copy('start');
quit($_) for $one, $two, $run;
($one, $run) = (session($db), session($db));
answer($one, 'BEGIN; SELECT FROM membership.account WHERE member_id = 7 FOR UPDATE;');
is(answer($run, "BEGIN; CALL membership.expire_points('$as_of', 1000); COMMIT;"), "299|2990|t\n", 'one batch passes a locked member by, and says there is more');
send_line($run, "BEGIN; CALL membership.expire_points('$as_of', 1000); COMMIT;\n\\echo done");
wait_for($db, "$activity AND wait_event = 'transactionid'");
answer($one, 'COMMIT;');
is(answer($run), "1|10|f\n", 'when nothing else is left, it waits');
quit($_) for $one, $run;
$db = copy('start');
is($node->safe_psql($db, "SET default_transaction_isolation = 'serializable'; CALL membership.expire_points('$as_of', 70)"), '300|3000|f', 'above READ COMMITTED, too');

# ------------------------------------------------------------------ rights

$db = copy('start');
$node->safe_psql($db, 'CREATE ROLE till LOGIN; CREATE ROLE night LOGIN; CREATE ROLE boss LOGIN; CREATE ROLE bi LOGIN;');
$node->safe_psql($db, "SELECT membership.grant_access('till', 'application'), membership.grant_access('boss', 'operator'), membership.grant_access('bi', 'analyst');
	GRANT USAGE ON SCHEMA membership TO night; GRANT EXECUTE ON PROCEDURE membership.expire_points TO night");
for my $call ("expire_points('$as_of')", 'release_holds()', "announce_expiry('1 day')", "prune_context('1 day')")
{
	for my $who ('till', 'bi', 'night')
	{
		next if $who eq 'night' && $call =~ /^expire/;
		like(refused($node, $db, "SET ROLE $who; CALL membership.$call"), qr/42501: permission denied for procedure/, "$who may not call $call");
	}
}
is($node->safe_psql($db, "SET ROLE night; CALL membership.expire_points('2024-03-01 00:00+08', 200)"), '300|3000|f', 'who may only call it, may at any past moment');
is($node->safe_psql($db, "SET ROLE bi; SELECT job, rows FROM membership.job_run"), 'expire_points|300', 'analysts read the runs');
is($node->safe_psql($db, "SELECT DISTINCT actor FROM membership.journal WHERE verb = 'expiry'"), 'night', 'the journal says who called');
is($node->safe_psql($db, "SET ROLE boss; CALL membership.prune_context('1 year')"), '300|300|f', 'operators call all of them');
like(refused($node, $db, 'SET default_transaction_read_only = on; CALL membership.expire_points()'), qr/25006: /, 'nothing is swept in a read-only transaction');

# ------------------------------------------------------------------ the outbox

$db = copy('start');
$node->safe_psql($db, "SELECT membership.grant_access('till', 'application')");
my $ahead = '2024-01-20 12:00+08';
@several = map { session($db) } 1 .. 3;
send_line($_, "CALL membership.announce_expiry('20 days', '$ahead', 7);\n\\echo done") for @several;
$done = 0;
$done += (split /\|/, answer($_))[1] for @several;
is($done, 300, 'three announce at once, each day of each member once');
is($node->safe_psql($db, 'SELECT count(*), count(DISTINCT member_id) FROM membership.event'), '300|300', 'an event each');
my ($take) = slurp_file('doc/operations.md') =~ /<!-- outbox -->\n```sql\n(.*?)```/s;
answer($_, 'SET ROLE till; BEGIN;') for @several;
my @taken = map { scalar(() = answer($_, $take) =~ /points_expiring/g) } @several;
is("@taken", '100 100 100', 'three applications take a hundred each, at once');
answer($several[0], 'ROLLBACK;');
answer($_, 'COMMIT;') for @several[ 1, 2 ];
is(scalar(() = answer($several[1], "$take") =~ /points_expiring/g), 100, 'one that crashes leaves its hundred to the next');
is($node->safe_psql($db, 'SELECT count(*) FROM membership.event'), 0, 'then all are delivered');
quit($_) for @several;
is($node->safe_psql($db, "CALL membership.announce_expiry('20 days', '$ahead')"), '0|0|f', 'and none is announced again');

# ------------------------------------------------------------------ five years of nights

# What 12 members do from 2019 to 2023, drawn from a hash: purchases whose points die after a month, some pending for a week;
# holds of an hour to 60 days, captured or voided or forgotten; points spent, and taken into debt. A call that is refused
# is refused whatever sweeps there were.
my $years = <<'SQL';
CREATE EXTENSION membership;
SELECT membership.create_program('Mall', ':zone', preset => 'empty');
INSERT INTO membership.merchant (merchant_id, name, pending_days) VALUES (1, 'Shop', 0), (2, 'Slow', 7);
INSERT INTO membership.burn_rule (burn_rule_id, code, name, status, step, value) VALUES (1, 'pay', 'Pay', 'active', 10, 1);
UPDATE membership.program SET expiry = '1 months', allow_debt = true;
SELECT count(membership.enroll_member('card', 'C' || i, at => '2018-12-31 12:00+00')) FROM generate_series(1, 12) i;
CREATE FUNCTION draw(i integer, what integer, below integer) RETURNS integer LANGUAGE sql AS
    'SELECT ((hashint8extended(i, what) & 2147483647) % below)::integer';
CREATE TABLE plan AS
SELECT i, at, CASE kind WHEN 0 THEN format('SELECT membership.redeem_points(%s, %s, %L, at => %L)', member, 10 * (1 + draw(i, 4, 4)), 'r' || i, at)
                        WHEN 1 THEN format('SELECT membership.authorize_points(%s, %s, %L, %L, at => %L)', member, 10 * (1 + draw(i, 4, 6)), 'h' || i, make_interval(hours => 1 + draw(i, 5, 1440)), at)
                        WHEN 2 THEN format('SELECT membership.capture_points(%s, %L, at => %L)', member, 'h' || i - 12 * (1 + draw(i, 5, 4)), at)
                        WHEN 3 THEN format('SELECT membership.void_points(%s, %L, at => %L)', member, 'h' || i - 12 * (1 + draw(i, 5, 4)), at)
                        WHEN 4 THEN format('SELECT membership.adjust_points(%s, %s, %L, %L, at => %L)', member, -10 * (1 + draw(i, 4, 9)), 'x', 'a' || i, at)
                        ELSE format('SELECT membership.accrue_points(%s, %s, %s, %L, at => %L)', member, 1 + draw(i, 6, 2), 1 + draw(i, 4, 100), 'o' || i, at) END AS call
  FROM (SELECT i, 1 + i % 12 AS member, draw(i, 3, 10) AS kind,
               timestamptz '2019-01-01 00:00+00' + i * interval '26 hours' + draw(i, 2, 86400) * interval '1 second' AS at
          FROM generate_series(1, 1600) i) x;
CREATE TABLE outcome (i integer, state text);
CREATE TABLE night (at timestamptz);
CREATE PROCEDURE live() LANGUAGE plpgsql AS $$
DECLARE
    e record;
    state text;
    members bigint;
    points bigint;
    more boolean;
BEGIN
    FOR e IN SELECT at, i, call FROM plan UNION ALL SELECT at, NULL, NULL FROM night ORDER BY at, i NULLS FIRST LOOP
        IF e.call IS NULL THEN
            CALL membership.expire_points(e.at, 5, members, points, more);
            CONTINUE;
        END IF;
        BEGIN
            state := 'ok';
            EXECUTE e.call;
        EXCEPTION WHEN OTHERS THEN
            state := SQLSTATE;
        END;
        INSERT INTO outcome VALUES (e.i, state);
    END LOOP;
    COMMIT;
    CALL membership.expire_points('2024-06-01 00:00+00', 5, members, points, more);
END
$$;
SQL
my $end = <<'SQL';
SELECT 'outcome', * FROM outcome ORDER BY i;
SELECT 'account', member_id, balance, held, debt, next_journal_no, next_entry_no, next_expiry, order_spends FROM membership.account ORDER BY 2;
SELECT 'lot', l.* FROM membership.lot l ORDER BY member_id, lot_no;
SELECT 'hold', h.* FROM membership.hold h ORDER BY member_id, hold_no;
SELECT 'entry', e.* FROM membership.ledger_entry e ORDER BY member_id, entry_no;
SELECT 'event', to_jsonb(j) - 'posted_at' FROM membership.journal j ORDER BY member_id, journal_no;
SELECT 'day', d.* FROM membership.activity_day d ORDER BY member_id, day;
SQL
my $night = sub { my ($zone, $at, $step) = @_; "SELECT (d + time '$at') AT TIME ZONE '$zone' FROM generate_series(timestamp '2019-01-01', '2023-12-31', '$step') d" };
for my $zone ('Asia/Shanghai', 'Europe/London', 'America/Havana')
{
	my $start = lc($zone) =~ s/\W/_/gr;
	$node->safe_psql('postgres', "CREATE DATABASE $start");
	$node->safe_psql($start, $years =~ s/:zone/$zone/r);
	my %how = (
		'in time' => $night->($zone, '00:05', '1 day'),
		'at midnight sharp' => $night->($zone, '00:00', '1 day'),
		'twice' => $night->($zone, '02:30', '1 day') . ' UNION ALL ' . $night->($zone, '02:30', '1 day'),
		'late' => "SELECT n + draw(extract(epoch FROM n)::integer / 86400, 1, 5000) * interval '1 minute' FROM (" . $night->($zone, '00:05', '1 day') . ') x (n)',
		'seldom' => $night->($zone, '03:00', '37 days'),
		'at the end only' => 'SELECT now() WHERE false');
	my $expected;
	for my $when ('in time', sort grep { $_ ne 'in time' } keys %how)
	{
		$db = copy($start);
		$node->safe_psql($db, "INSERT INTO night $how{$when}; CALL live()");
		my $state = $node->safe_psql($db, $end);
		is($node->safe_psql($db, $sound), '', "$zone, sweeps $when: sound");
		if (defined $expected)
		{
			same($state, $expected, '... the same end as by sweeps in time');
		}
		else
		{
			$expected = $state;
			# every kind of event that settling makes is met, and every kind of call works now and then
			my $kinds = $node->safe_psql($db, "SELECT string_agg(DISTINCT verb, ' ' ORDER BY verb) FROM membership.journal");
			is($kinds, 'accrual adjustment authorization capture debt_payment enrolment expiry redemption timeout void', '... of every kind of event');
			my ($n) = $node->safe_psql($db, "SELECT count(*) FILTER (WHERE state = 'ok') FROM outcome");
			cmp_ok($n, '>', 1000, "... $n calls were not refused");
		}
		$node->safe_psql('postgres', "DROP DATABASE $db");
	}
}

$node->stop;
done_testing();
