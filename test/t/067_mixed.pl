# Eight clients call everything at random, on members that some of them merge and erase, while sweeps run and the server
# crashes in the middle. Every call that was answered is there once, as it was answered, and nothing else is; the points
# issued are those that members have and those that went, to the point. MIXED_SECONDS (10 or more) and MIXED_SEED vary the load.
use strict;
use warnings;

use Demo;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $seconds = $ENV{MIXED_SECONDS} // 60;
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
       line ->> 'sqlstate' AS sqlstate, (line ->> 'lost')::boolean AS lost,
       CASE WHEN line ->> 'function' IN ('correct_purchase', 'reassign_purchase') THEN line -> 'arguments' ->> 'order_ref' END AS mends
  FROM line;
ANALYZE $table;
SQL
	return;
}
load('told', 'work');
load('repeated', 'repeat');
note($node->safe_psql('postgres', q{SELECT function, coalesce(sqlstate, answer ->> 'status', 'done'), count(*) FROM told GROUP BY 1, 2 ORDER BY 1, 3 DESC}));

is($node->safe_psql('postgres', 'SELECT count(DISTINCT client) FROM told WHERE lost'), $clients, 'the crash cut off every client');
is($node->safe_psql('postgres', 'SELECT count(DISTINCT function) FROM told WHERE sqlstate IS NULL'), 18, 'every function was called with success');

# MB102 closed by erasure, MB107 the hold is over, MB110 the order has refunds, MB111 holds or reviews are open. 22023: a
# corrected line has no quantity, two numbers are one person's since they were merged, a grant is dead on arrival.
is($node->safe_psql('postgres', <<'SQL'), '', 'nothing was refused but for good reason');
SELECT function, sqlstate, count(*) FROM told
 WHERE sqlstate IS NOT NULL AND NOT CASE function
       WHEN 'accrue_points' THEN sqlstate IN ('MB009', 'MB101', 'MB102', 'MB109')
       WHEN 'redeem_points' THEN sqlstate IN ('MB101', 'MB102')
       WHEN 'authorize_points' THEN sqlstate IN ('MB101', 'MB102')
       WHEN 'capture_points' THEN sqlstate IN ('MB008', 'MB102', 'MB107')
       WHEN 'void_points' THEN sqlstate IN ('MB008', 'MB107')
       WHEN 'reverse_redemption' THEN sqlstate IN ('MB008', 'MB102')
       WHEN 'refund_order' THEN sqlstate IN ('22023', 'MB109')
       WHEN 'correct_purchase' THEN sqlstate IN ('MB102', 'MB110')
       WHEN 'reassign_purchase' THEN sqlstate IN ('MB102', 'MB110')
       WHEN 'transfer_points' THEN sqlstate IN ('22023', 'MB101', 'MB102')
       WHEN 'grant_points' THEN sqlstate IN ('22023', 'MB102')
       WHEN 'adjust_points' THEN sqlstate = 'MB102'
       WHEN 'review_accrual' THEN sqlstate = 'MB102'
       WHEN 'merge_members' THEN sqlstate IN ('MB102', 'MB111')
       ELSE false END
 GROUP BY function, sqlstate
SQL

# A call whose connection was lost may have been posted by its first try, and is then told of a duplicate. What changes
# nothing is one from the first: to void a hold that has timed out, to reassign to the same person.
is($node->safe_psql('postgres', <<'SQL'), '', 'every call had one effect, and all who made it were told of that one');
SELECT key FROM told WHERE answer IS NOT NULL AND key IS NOT NULL
 GROUP BY key, function
HAVING count(DISTINCT answer - 'duplicate') FILTER (WHERE answer ->> 'status' IS DISTINCT FROM 'parked') > 1
    OR count(*) FILTER (WHERE NOT (answer -> 'duplicate')::boolean) NOT BETWEEN (NOT bool_or(lost) AND function NOT IN ('void_points', 'reassign_purchase'))::integer AND 1
 LIMIT 10
SQL
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM told WHERE function = 'refund_order' AND (answer -> 'duplicate')::boolean}), '>', 10, 'of refunds fired twice, too');

# What the client was told is what it is told again, but for refunds that waited for their sale, and for purchases that were
# corrected (the receipt now stands for the correction) or reassigned (it belongs to another person).
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION person(bigint) RETURNS bigint LANGUAGE sql AS $$ SELECT coalesce((SELECT survivor_id FROM membership.member_alias WHERE member_id = $1), $1) $$;
CREATE VIEW comparison AS
SELECT t.key, t.answer ->> 'status' AS status, r.sqlstate, r.answer, r.answer - 'duplicate' IS NOT DISTINCT FROM coalesce(c.answer, t.answer) - 'duplicate' AS same,
       c.function = 'reassign_purchase' AND person((c.arguments ->> 'to_member_id')::bigint) <> person(((t.arguments ->> 'purchase')::jsonb -> 'member_id')::bigint) AS elsewhere
  FROM (SELECT DISTINCT ON (key) * FROM told WHERE sqlstate IS NULL AND key IS NOT NULL ORDER BY key, answer ->> 'status' = 'parked', n) t
  LEFT JOIN told c ON c.mends = t.key AND c.sqlstate IS NULL
  LEFT JOIN repeated r ON r.key = t.key;
SQL
is($node->safe_psql('postgres', <<'SQL'), '', 'repeated, it has the same numbers and duplicate = true');
SELECT * FROM comparison
 WHERE NOT coalesce(CASE WHEN elsewhere THEN sqlstate = 'MB202'
                         WHEN sqlstate = 'MB109' THEN status = 'parked' AND key IN (SELECT order_ref || ' ' || refund_ref FROM membership.refund_exception WHERE status = 'exceeds_sale' AND journal_no IS NULL)
                         WHEN answer IS NULL THEN same AND sqlstate IS NULL
                         WHEN status = 'parked' THEN (answer -> 'duplicate')::boolean
                         ELSE same AND (answer -> 'duplicate')::boolean END, false)
 LIMIT 10
SQL

# ------------------------------------------------------------------ what is there

# Every key of the database and every key that was answered, with the points of both. The award of a purchase that was corrected
# or reassigned is that of its new event; a refund that is parked, or nothing of which could be applied, has none.
$node->safe_psql('postgres', <<'SQL');
CREATE VIEW found AS
SELECT k.order_ref AS key, j.points FROM membership.receipt k JOIN membership.journal j USING (member_id, journal_no)
UNION ALL
SELECT CASE k.verb WHEN 'capture' THEN 'capture of ' WHEN 'reversal' THEN 'reversal of ' ELSE '' END || k.ref, j.points
  FROM membership.source_key k JOIN membership.journal j USING (member_id, journal_no)
 WHERE k.verb NOT IN ('review', 'erasure') AND k.ref NOT IN ('funds', 'first', 'second', 'idle')
UNION ALL
SELECT k.order_ref || ' ' || k.refund_ref, j.points
  FROM membership.refund_claim k LEFT JOIN membership.journal j USING (member_id, journal_no)
 WHERE k.refund_ref <> 'C' AND (k.journal_no IS NOT NULL OR k.excess IS NULL);
CREATE VIEW answered AS
SELECT DISTINCT ON (t.key) t.key,
       CASE WHEN t.function = 'refund_order' AND r.answer ->> 'status' = 'posted'
            THEN (r.answer -> 'points_restored')::bigint + (r.answer -> 'points_forfeited')::bigint - (r.answer -> 'points_clawed')::bigint
            WHEN t.function = 'redeem_points' THEN -(t.answer -> 'points')::bigint
            ELSE (coalesce(c.answer, r.answer, t.answer) -> 'points')::bigint END AS points
  FROM told t
  LEFT JOIN told c ON c.mends = t.key AND c.sqlstate IS NULL
  LEFT JOIN repeated r ON r.key = t.key
 WHERE t.sqlstate IS NULL AND t.function NOT IN ('void_points', 'correct_purchase', 'reassign_purchase', 'review_accrual', 'merge_members', 'erase_member')
   AND t.key IS NOT NULL AND r.sqlstate IS DISTINCT FROM 'MB109';
SQL
is($node->safe_psql('postgres', '(SELECT * FROM answered EXCEPT SELECT * FROM found) LIMIT 10'), '', 'everything that was answered is there');
is($node->safe_psql('postgres', '(SELECT * FROM found EXCEPT SELECT * FROM answered) LIMIT 10'), '', 'nothing else is there');
is($node->safe_psql('postgres', 'SELECT key FROM found GROUP BY key HAVING count(*) > 1 LIMIT 10'), '', 'nothing is there twice');
is($node->safe_psql('postgres', <<'SQL'), '', 'every refund that is there has one effect');
SELECT j.merchant_id, j.order_ref, r.refund_ref, count(*)
  FROM membership.refund r JOIN membership.journal j ON j.member_id = r.posted_id AND j.journal_no = r.journal_no
 WHERE r.refund_ref IS NOT NULL GROUP BY 1, 2, 3 HAVING count(*) > 1 LIMIT 10
SQL
is($node->safe_psql('postgres', <<'SQL'), '', 'reviews, corrections, merges and erasures, too');
SELECT * FROM (VALUES ('review_accrual', 'review'), ('correct_purchase', 'correction'), ('merge_members', 'merge_out'), ('erase_member', 'erasure')) v (function, verb)
  WHERE (SELECT count(DISTINCT key) FROM told t WHERE t.function = v.function AND sqlstate IS NULL)
     <> (SELECT count(*) FROM membership.journal j WHERE j.verb = v.verb)
SQL

# ------------------------------------------------------------------ to the point

# Points by verb, from the journal alone; what a refund has of both is told apart by its row. Members 61 and up were idle:
# 200 x (10 + 20) points have died.
$node->safe_psql('postgres', <<'SQL');
CREATE VIEW gone AS
SELECT sum(points) FILTER (WHERE verb IN ('accrual', 'review', 'grant')) AS issued,
       sum(points) FILTER (WHERE verb IN ('redemption', 'capture')) AS redeemed,
       sum(points) FILTER (WHERE verb = 'reversal') AS reversed,
       sum(points) FILTER (WHERE verb = 'expiry') AS expired,
       sum(points + clawed) FILTER (WHERE verb = 'refund') AS restored,
       -sum(clawed) FILTER (WHERE verb IN ('refund', 'correction', 'reassignment')) AS clawed,
       sum(points) FILTER (WHERE verb = 'adjustment') AS adjusted,
       sum(points) FILTER (WHERE verb IN ('transfer_out', 'transfer_in', 'merge_out', 'merge_in')) AS moved,
       coalesce(sum(points) FILTER (WHERE verb NOT IN ('accrual', 'review', 'grant', 'redemption', 'capture', 'reversal', 'expiry', 'refund', 'correction',
                'reassignment', 'adjustment', 'transfer_out', 'transfer_in', 'merge_out', 'merge_in')), 0) AS other
  FROM (SELECT j.verb, j.points, r.points_clawed AS clawed
          FROM membership.journal j LEFT JOIN membership.refund r ON r.posted_id = j.member_id AND r.journal_no = j.journal_no) j;
SQL
note('issued|redeemed|reversed|expired|restored|clawed|adjusted: ' . $node->safe_psql('postgres', 'SELECT * FROM gone'));
is($node->safe_psql('postgres', <<'SQL'), 't', 'points issued are those that members have and those that went');
SELECT issued = (SELECT sum(balance) FROM membership.account) - redeemed - reversed - expired - restored - clawed - adjusted FROM gone
SQL
is($node->safe_psql('postgres', 'SELECT moved, other FROM gone'), '0|0', 'what moved is at the other member, nothing else moves points');
my $by_column = $node->safe_psql('postgres', <<'SQL');
SELECT issued, 0, redeemed + reversed + restored, expired, clawed, adjusted, moved, (SELECT sum(balance) FROM membership.account) FROM gone
SQL
is($node->safe_psql('postgres', <<'SQL'), $by_column, 'and so says point_liability');
SELECT sum(issued), sum(imported), sum(redeemed), sum(expired), sum(clawed), sum(adjusted), sum(transferred),
       (SELECT closing FROM membership.point_liability ORDER BY month DESC LIMIT 1)
  FROM membership.point_liability
SQL
is($node->safe_psql('postgres', <<'SQL'), '200|-6000|200', 'the sweeps have found all whom no client touched');
SELECT count(DISTINCT member_id), sum(points), count(*) FILTER (WHERE verb = 'timeout')
  FROM membership.journal WHERE member_id > 60 AND verb IN ('expiry', 'timeout')
SQL
# whichever of the two meets a member first does all that is due
is($node->safe_psql('postgres', <<'SQL'), '4|4|t', 'in two runs of both, which ended');
SELECT count(*), count(finished_at), sum(rows) >= 400 FROM membership.job_run WHERE job IN ('expire_points', 'release_holds') AND error IS NULL
SQL
is($node->safe_psql('postgres', 'SELECT * FROM membership.verify() LIMIT 10'), '', 'the ledger is sound');

$node->stop;
done_testing();
