# CALL accrue_from: chunks that stay, a query that is the caller's at every fetch, and no more memory for more rows;
# and what else of the bulk road needs transactions or sessions of its own.
use strict;
use warnings;

use Demo;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', 'fsync = off');
$node->start;

# A hundred members and a query of purchases: orders(FROM, TO). Two in a hundred have an unknown merchant or amount, five
# in a hundred repeat the order before.
my $setup = <<'SQL';
SELECT membership.create_program('Mall', 'Asia/Shanghai');
INSERT INTO membership.party VALUES (2, 'Shop Ltd', 'merchant');
INSERT INTO membership.merchant (merchant_id, name, party_id) VALUES (1, 'Shop', 2), (2, 'Stall', 2);
INSERT INTO membership.contract (contract_id, merchant_id, collects, commission_rate, issue_price) VALUES (1, 1, 'mall', 0.05, 0.01);
SELECT count(membership.enroll_member('card', 'C' || i, at => '2024-01-01 09:00+08')) FROM generate_series(1, 100) i;
CREATE FUNCTION public.orders(first integer, last integer,
    OUT member_id bigint, OUT merchant_id integer, OUT amount numeric, OUT order_ref text, OUT at timestamptz)
RETURNS SETOF record LANGUAGE sql AS $$
    SELECT 1 + n * 37 % 100, CASE WHEN n % 100 = 40 THEN 9 ELSE 1 + n % 2 END, CASE WHEN n % 100 = 60 THEN -1 ELSE n % 300 + 0.99 END,
           'o' || n, timestamptz '2024-02-01 09:00+08' + n * interval '1 minute'
      FROM (SELECT CASE WHEN i % 20 = 7 THEN i - 1 ELSE i END AS n FROM generate_series(first, last) i) x
$$;
CREATE TABLE public.result (LIKE membership.batch_result);
SQL

my $calls = "pg_stat_activity WHERE query LIKE 'CALL membership.accrue_from%'";
my $posted = q(SELECT count(*) FROM membership.journal WHERE verb = 'accrual');
my $sound = 'SELECT * FROM membership.verify()';
my ($out, $err);

# ------------------------------------------------------------------ the same as single calls

new_database($node, 'single', $setup);
new_database($node, 'bulk', $setup);
my $single = $node->safe_psql('single', <<'SQL');
CREATE FUNCTION pg_temp.post() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    o record;
    a membership.accrual;
    duplicates integer := 0;
    failed integer := 0;
BEGIN
    FOR o IN SELECT * FROM orders(1, 2500) LOOP
        BEGIN
            a := membership.accrue_points(o.member_id, o.merchant_id, o.amount, o.order_ref, at => o.at);
            duplicates := duplicates + a.duplicate::integer;
        EXCEPTION WHEN OTHERS THEN
            failed := failed + 1;
        END;
    END LOOP;
    RETURN concat_ws('|', 2500, duplicates, failed);
END
$$;
SELECT pg_temp.post();
SQL
# 125 orders repeat another, of which none is one that fails; 25 have an unknown merchant, 25 a negative amount
is($single, '2500|125|50', 'single calls: counts');
my $call = q(CALL membership.accrue_from('SELECT * FROM orders(1, 2500)', 'result'));
is($node->safe_psql('bulk', $call), '2500|125|50', 'accrue_from counts the same');
same(rows($node, 'bulk'), rows($node, 'single'), 'and leaves the same rows');
is($node->safe_psql('bulk', 'SELECT count(*), count(DISTINCT row_no), min(row_no), max(row_no), count(journal_no), count(*) FILTER (WHERE duplicate) FROM result'),
	'2500|2500|1|2500|2450|125', 'the result table has a row for each');
is($node->safe_psql('bulk', 'SELECT sqlstate, message, count(*) FROM result WHERE sqlstate IS NOT NULL GROUP BY 1, 2 ORDER BY 1'),
	"22023|amount must not be negative|25\nMB003|merchant 9 does not exist|25", 'or why not');
is($node->safe_psql('bulk', q(SELECT count(*) FROM result r JOIN membership.journal j ON j.journal_no = r.journal_no AND j.points = r.points
                              JOIN orders(1, 2500) WITH ORDINALITY o ON o.ordinality = r.row_no AND (o.member_id, o.order_ref) = (j.member_id, j.order_ref))),
	2450, 'row_no is the row of the query');
is($node->safe_psql('bulk', q(CALL membership.accrue_from('SELECT * FROM orders(1, 2500)', batch_size => 77))), '2500|2450|50', 'run again, all are duplicates');
same(rows($node, 'bulk'), rows($node, 'single'), 'and nothing changes');
is($node->safe_psql('bulk', q(CALL membership.accrue_from('SELECT * FROM orders(1, 0)'))), '0|0|0', 'no rows');
is($node->safe_psql('bulk', q(CALL membership.accrue_from('SELECT * FROM orders(3001, 4000)'))), '1000|50|20', 'exactly one chunk');

# columns in another order, of other types, and not all of them; a timestamp without zone is programme time
is($node->safe_psql('bulk', <<'SQL'), "1|0|0\n2024-02-29 16:30:00+00|2024-03-01|app|t|10");
SET timezone = 'UTC';
SELECT FROM membership.enroll_member('card', 'typed', at => '2024-01-01 09:00+08');
CALL membership.accrue_from($$SELECT 10::smallint AS amount, 'app'::varchar AS channel, 'typed'::name AS order_ref, timestamp '2024-03-01 00:30' AS occurred_at,
    '[{"amount": 10}]'::json AS lines, 2::bigint AS merchant_id, 101::smallint AS member_id, timestamp '2024-03-02 00:30' AS at$$);
SELECT occurred_at, day, channel, lines IS NOT NULL, points FROM membership.journal WHERE order_ref = 'typed';
SQL

# ------------------------------------------------------------------ chunks stay, and the rest is made up for

new_database($node, 'killed', $setup);
# Somebody holds a member whose purchases begin in the third chunk.
$node->safe_psql('killed', q(SELECT membership.enroll_member('card', 'slow', at => '2024-01-01 09:00+08')));
my $query = q(SELECT CASE WHEN n > 2100 THEN 101 ELSE member_id END AS member_id, merchant_id, amount, order_ref, at
              FROM orders(1, 5000) WITH ORDINALITY o (member_id, merchant_id, amount, order_ref, at, n));
my ($in, $held) = ('', '');
my $holder = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('killed') ], '<', \$in, '>', \$held, IPC::Run::timeout(300));
sub hold
{
	$in = "BEGIN; SELECT 'held' FROM membership.account WHERE member_id = 101 FOR UPDATE;\n";
	$held = '';
	$holder->pump until $held =~ /held/;
}
sub release
{
	$in = "ROLLBACK; SELECT 'released';\n";
	$holder->pump until $held =~ /released/;
}
for my $how ('terminate', 'cancel')
{
	my $which = $how eq 'terminate' ? 2000 : 2001; # the second time the first two chunks are duplicates
	hold();
	my $running = start_call($node, 'killed', "CALL membership.accrue_from(\$q\$$query\$q\$)", \$out, \$err);
	$node->poll_query_until('killed', "SELECT EXISTS (SELECT FROM $calls AND wait_event_type = 'Lock')");
	# n = 40, 60, 140, ...: two in a hundred fail; of twenty one is a duplicate
	is($node->safe_psql('killed', "SELECT query FROM $calls"),
		'CALL membership.accrue_from: 2000 purchases processed, ' . ($how eq 'terminate' ? 100 : 1960) . ' duplicates, 40 failed', "progress is shown before $how");
	is($node->safe_psql('killed', $posted), 2000 - 100 - 40, '... of what is committed');
	my $began = time;
	is($node->safe_psql('killed', "SELECT pg_${how}_backend(pid) FROM $calls"), 't', "... $how");
	$running->finish;
	cmp_ok(time - $began, '<', 1, '... is answered within a second');
	like($err, $how eq 'terminate' ? qr/57P01: terminating connection/ : qr/57014: canceling statement/, '... by its error');
	is($node->safe_psql('killed', $posted), 2000 - 100 - 40, '... and the chunks before stay');
	release();
}
$in .= "\\q\n";
$holder->finish;
# of 5,000, 100 fail; 4,650 are different purchases, of which 1,860 were there; 1,860 + 250 repeated
is($node->safe_psql('killed', "CALL membership.accrue_from(\$q\$$query\$q\$)"), '5000|' . (1860 + 250) . '|100', 'run again, it does the rest');
is($node->safe_psql('killed', "$posted; SELECT count(DISTINCT (merchant_id, order_ref)) FROM membership.receipt"), "4650\n4650", 'each is there once');
is($node->safe_psql('killed', $sound), '', 'and sound');

# a cancel while it posts, not while it waits
$node->safe_psql('killed', 'CREATE TABLE before AS SELECT count(*) AS n FROM membership.journal');
my $running = start_call($node, 'killed', "CALL membership.accrue_from('SELECT * FROM orders(10001, 1000000)')", \$out, \$err);
$node->poll_query_until('killed', 'SELECT count(*) > (SELECT n + 2000 FROM before) FROM membership.journal');
my $began = time;
$node->safe_psql('killed', "SELECT pg_cancel_backend(pid) FROM $calls");
$running->finish;
cmp_ok(time - $began, '<', 1, 'a cancel of busy work is answered within a second');
like($err, qr/57014: canceling statement/, 'by its error');
# 930 of a thousand are new and good
is($node->safe_psql('killed', 'SELECT (count(*) - n) % 930 FROM membership.journal, before GROUP BY n'), 0, 'whole chunks stay');
is($node->safe_psql('killed', $sound), '', 'and sound');

# ------------------------------------------------------------------ whose query it is

new_database($node, 'rights', $setup);
$node->safe_psql('rights', <<'SQL');
CREATE ROLE till LOGIN;
CREATE ROLE stranger LOGIN;
CREATE ROLE auditor LOGIN;
SELECT membership.grant_access('till', 'application'), membership.grant_access('auditor', 'analyst');
CREATE TABLE seen (who name, path text, n bigint);
CREATE TABLE elsewhere (LIKE membership.batch_result);
GRANT INSERT, SELECT ON seen, result TO till;
-- at row n, helps itself
CREATE FUNCTION attack(i bigint, n bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    IF i = n THEN
        UPDATE membership.account SET balance = 1000000;
    END IF;
    RETURN 'r' || i;
END
$$;
CREATE FUNCTION note(i bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO seen VALUES (current_user, current_setting('search_path'), i);
    RETURN 'n' || i;
END
$$;
SQL
sub as_till
{
	my ($sql) = @_;
	my ($status, $stdout, $stderr) = $node->psql('rights', "\\set VERBOSITY verbose\nSET ROLE till; SET search_path = public, pg_catalog;\n$sql\n" .
		"SELECT current_user, session_user = current_user, current_setting('search_path')", on_error_stop => 0);
	return ($stdout, $stderr);
}
my $caller = 'till|f|public, pg_catalog';
for my $row (1, 999, 1500, 2999)
{
	my ($stdout, $stderr) = as_till("CALL membership.accrue_from('SELECT i AS member_id, 1 AS merchant_id, 1 AS amount, attack(n, $row) AS order_ref
		FROM (SELECT n, 1 + n % 100 AS i FROM generate_series(1, 3000) n) x');");
	like($stderr, qr/42501: permission denied for table account/, "a query that writes an account at row $row is refused");
	is($stdout, $caller, '... and the caller is the caller again');
	is($node->safe_psql('rights', 'SELECT max(balance) < 1000 FROM membership.account'), 't', '... and nothing was taken');
}
my ($stdout, $stderr) = as_till(q(CALL membership.accrue_from('SELECT 1 AS member_id, 1 AS merchant_id, 1 AS amount, note(n) AS order_ref FROM generate_series(1, 3000) n', 'result');));
is($stdout, "3000|0|0\n$caller", 'the query may do what the caller may');
is($node->safe_psql('rights', 'SELECT who, path, count(*), count(DISTINCT n) FROM seen GROUP BY 1, 2'), 'till|public, pg_catalog|3000|3000', 'and is the caller at every fetch');
is($node->safe_psql('rights', q(SELECT DISTINCT actor FROM membership.journal WHERE order_ref LIKE 'n%')), 'till', 'as whom it is posted');
is($node->safe_psql('rights', 'SELECT count(*) FROM result'), 3000, 'the result table is written');
my $one = q(SELECT 1 AS member_id, 1 AS merchant_id, 1 AS amount, 'one' AS order_ref);
like((as_till("CALL membership.accrue_from(\$\$$one\$\$, 'elsewhere');"))[1], qr/42501: permission denied for table elsewhere/, 'by the rights of the caller');
like((as_till("CALL membership.accrue_from(\$\$$one\$\$, 'membership.journal');"))[1], qr/(?:42501|42703): /, 'not of the owner');
like((as_till(q(CALL membership.accrue_from('SELECT member_id, 1 AS merchant_id, 1 AS amount, reason AS order_ref FROM membership.journal');)))[1], qr/42501: /, 'nor is the query');
for my $who ('stranger', 'auditor')
{
	like(refused($node, 'rights', "SET ROLE $who; CALL membership.accrue_from(\$\$$one\$\$)"), qr/42501: permission denied for (?:schema|procedure)/, "a role that is $who may not");
}
like((as_till("SET default_transaction_read_only = on; CALL membership.accrue_from(\$\$$one\$\$);"))[1], qr/25006: /, 'nor may a read-only transaction');
is($node->safe_psql('rights', q(SELECT count(*) FROM membership.receipt WHERE order_ref = 'one')), 0, 'nothing was posted');

# ------------------------------------------------------------------ transactions around it

$posted = q(SELECT count(*) FROM membership.receipt WHERE order_ref LIKE 'o%');
is($node->safe_psql('rights', "BEGIN; CALL membership.accrue_from('SELECT * FROM orders(1, 2000)'); ROLLBACK; $posted"), "2000|100|40\n0", 'inside a transaction block it commits nothing');
is($node->safe_psql('rights', "BEGIN; CALL membership.accrue_from('SELECT * FROM orders(1, 2000)'); COMMIT; $posted"), "2000|100|40\n1860", 'the block does');
is($node->safe_psql('rights', <<"SQL"), 2790, 'called by a procedure it commits, whatever comes after');
DO \$\$
DECLARE
    processed bigint;
    duplicates bigint;
    failed bigint;
BEGIN
    CALL membership.accrue_from('SELECT * FROM orders(2001, 3000)', NULL, 1000, processed, duplicates, failed);
    IF (processed, duplicates, failed) <> (1000, 50, 20) THEN
        RAISE 'counts: % % %', processed, duplicates, failed;
    END IF;
    ROLLBACK;
END
\$\$;
$posted
SQL
like(refused($node, 'rights', q(CALL membership.accrue_from('SELECT member_id, 1 AS merchant_id, 1 / (2500 - n) AS amount, ''d'' || n AS order_ref
	FROM generate_series(1, 5000) n, LATERAL (SELECT 1 + n % 100) x (member_id)'))), qr/22012: division by zero/, 'an error of the query ends it');
is($node->safe_psql('rights', $sound), '', 'and what is there is sound');

# ------------------------------------------------------------------ queries that cannot be

my $needed = q(1 AS member_id, 1 AS merchant_id, 1 AS amount, 'x' AS order_ref);
my @wrong = (
	[ "SELECT $needed, 1 AS colour", '42703: column "colour" is no argument of accrue_points' ],
	[ "SELECT $needed, now() AS \"AT\"", '42703: column "AT" is no argument of accrue_points' ],
	[ "SELECT $needed, 'now' AS at", '42804: column "at" has type text and cannot be at' ],
	[ q(SELECT 'ann' AS member_id, 1 AS merchant_id, 1 AS amount, 'x' AS order_ref), '42804: column "member_id" has type text and cannot be member_id' ],
	[ q(SELECT 1 AS member_id, 1 AS merchant_id, 1::float8 AS amount, 'x' AS order_ref), '42804: column "amount" has type double precision and cannot be amount' ],
	[ "SELECT $needed, 2 AS amount", '42701: column "amount" comes twice' ],
	[ q(SELECT 1 AS member_id, 1 AS merchant_id, 'x' AS order_ref), '22023: query has no column for amount' ],
	[ 'SELECT', '22023: query has no column for member_id' ],
	[ "SELECT $needed; SELECT $needed", '22023: query is not one SELECT' ],
	[ '', '22023: ' ],
	[ "INSERT INTO result (row_no) VALUES (1) RETURNING $needed", '22023: query is not one SELECT' ],
	[ "WITH new AS (INSERT INTO result (row_no) VALUES (1) RETURNING *) SELECT $needed FROM new", '22023: query is not one SELECT' ],
	[ 'DELETE FROM result', '22023: query is not one SELECT' ],
	[ 'TABLE no_such', '42P01: relation "no_such" does not exist' ],
	[ 'SELEC', '42601: syntax error at or near "SELEC"' ],
	[ 'COMMIT', '22023: query is not one SELECT' ],
	[ "SELECT $needed WHERE \$1", '42P02: there is no parameter $1' ]);
for (@wrong)
{
	my ($wrong, $message) = @$_;
	like(refused($node, 'rights', "CALL membership.accrue_from(\$q\$$wrong\$q\$)"), qr/ERROR:  \Q$message\E/, "refused: $wrong");
}
like(refused($node, 'rights', "CALL membership.accrue_from(NULL)"), qr/22004: /, 'refused: no query');
like(refused($node, 'rights', "CALL membership.accrue_from(\$\$$one\$\$, batch_size => $_)"), qr/22023: batch_size must not be $_/, "refused: chunks of $_") for (0, -1, 10001);
like(refused($node, 'rights', "CALL membership.accrue_from(\$\$$one\$\$, 'seen')"), qr/42703: result_table has no column "row_no"/, 'refused: a result table of another form');
like(refused($node, 'rights', "CALL membership.accrue_from(\$\$$one\$\$, 4294967295::oid::regclass)"), qr/42P01: result_table does not exist/, 'refused: a result table that is none');
is($node->safe_psql('rights', q(SELECT count(*) FROM membership.receipt WHERE order_ref = 'x')), 0, 'nothing was posted');
is($node->safe_psql('rights', 'SELECT count(*) FROM result'), 3000, 'nothing was inserted');
# forms of SELECT that are one
my @right = (
	q(SELECT * FROM (VALUES (1, 1, 1, 'v')) v (member_id, merchant_id, amount, order_ref)),
	q(WITH w AS (SELECT 1 AS member_id, 1 AS merchant_id, 1 AS amount, 'w' AS order_ref) SELECT * FROM w;),
	q(SELECT 1 AS member_id, 1 AS merchant_id, n AS amount, 'locked' AS order_ref FROM seen WHERE n = 7 FOR UPDATE));
is($node->safe_psql('rights', "CALL membership.accrue_from(\$q\$$_\$q\$)"), '1|0|0', "taken: $_") for @right;

# ------------------------------------------------------------------ memory

new_database($node, 'large', $setup);
sub private_memory
{
	my ($pid) = @_;
	open my $status, '<', "/proc/$pid/status" or return 0;
	my ($kilobytes) = map { /^RssAnon:\s+(\d+)/ ? $1 : () } <$status>;
	return $kilobytes;
}
$running = start_call($node, 'large', "CALL membership.accrue_from('SELECT * FROM orders(1, 300000)')", \$out, \$err);
$node->poll_query_until('large', "SELECT EXISTS (SELECT FROM $calls AND query ~ 'processed')");
my $pid = $node->safe_psql('large', "SELECT pid FROM $calls");
# the peak of the first 50,000 and that of the others; the first commit fetches the rest of the query, to disk
my ($early, $late) = (0, 0);
while ($running->pumpable)
{
	my ($done) = $node->safe_psql('large', "SELECT query FROM $calls") =~ /(\d+) purchases processed/;
	for (1 .. 20)
	{
		last if !$running->pumpable;
		$running->pump_nb;
		my $now = private_memory($pid);
		(defined $done && $done > 50_000 ? $late : $early) = $now if $now > (defined $done && $done > 50_000 ? $late : $early);
		sleep 0.02;
	}
}
$running->finish;
# two in a hundred fail, one in twenty is repeated
is($out, "300000|15000|6000\n", '300,000 purchases');
cmp_ok($early, '>', 0, 'looked at while the first were posted');
cmp_ok($late, '>', 0, 'and the last');
cmp_ok($late, '<', $early + 16 * 1024, "memory does not grow with them (at most $early kB before 50,000, $late kB after)");
is($node->safe_psql('large', $sound), '', 'and they are sound');

# ------------------------------------------------------------------ COPY into a table with accrue_trigger

new_database($node, 'copied', $setup);
$node->safe_psql('copied', <<'SQL');
CREATE TABLE sale (buyer bigint, shop integer, total numeric, id integer);
CREATE TRIGGER earn AFTER INSERT ON sale FOR EACH ROW
    EXECUTE FUNCTION membership.accrue_trigger('member_id=buyer', 'merchant_id=shop', 'amount=total', 'order_ref=id');
SQL
my $copy = "COPY sale FROM stdin;\n" . join('', map { join("\t", $_ % 10 == 0 ? '\N' : 1 + $_ % 100, 1, 10, $_) . "\n" } 1 .. 3000) . "\\.\n";
$posted = 'SELECT count(*), sum(points) FROM membership.journal WHERE order_ref IS NOT NULL';
$node->safe_psql('copied', $copy);
is($node->safe_psql('copied', "SELECT count(*) FROM sale; $posted"), "3000\n2700|27000", 'COPY with a trigger for each row: a guest in ten earns nothing');
$node->safe_psql('copied', <<'SQL');
DROP TRIGGER earn ON sale;
CREATE TRIGGER earn AFTER INSERT ON sale REFERENCING NEW TABLE AS sold FOR EACH STATEMENT
    EXECUTE FUNCTION membership.accrue_trigger('member_id=buyer', 'merchant_id=shop', 'amount=total', 'order_ref=id');
SQL
$node->safe_psql('copied', $copy);
is($node->safe_psql('copied', "SELECT count(*) FROM sale; $posted"), "6000\n2700|27000", 'COPY with one for the statement: delivered again, nothing is posted');
$node->safe_psql('copied', $copy =~ s/\t(\d+)\n/\t10000$1\n/gr);
is($node->safe_psql('copied', "SELECT count(*) FROM sale; $posted"), "9000\n5400|54000", '... and of new ones all');
like(refused($node, 'copied', "COPY sale FROM stdin;\n1\t1\t10\t70001\n1\t99\t10\t70002\n\\.\n"), qr/MB003: merchant 99 does not exist/, 'COPY with one that cannot be posted fails');
is($node->safe_psql('copied', "SELECT count(*) FROM sale; $posted"), "9000\n5400|54000", 'as a whole');
is($node->safe_psql('copied', $sound), '', 'and it is sound');

# ------------------------------------------------------------------ a table changed under a session that has used it

($in, $out) = ('', '');
my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('copied') ], '<', \$in, '>', \$out, '2>&1', IPC::Run::timeout(60));
sub ask
{
	my ($statement) = @_;
	($in, $out) = ("$statement;\n\\echo done\n", '');
	$session->pump until $out =~ /done/;
	return $out =~ s/\s*done\s*$//r;
}
my $number = 0;
sub accrue { return ask(sprintf "SELECT points FROM membership.accrue_points(1, 2, 5, 'session %d')", ++$number) }
is(accrue(), 5, 'a session has used the tables');
$node->safe_psql('copied', q(CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
	CREATE TRIGGER dba AFTER INSERT ON membership.ledger_entry EXECUTE FUNCTION nothing()));
like(accrue(), qr/table "ledger_entry" cannot be used: it has statement level triggers/, 'a statement trigger made by another is noticed');
$node->safe_psql('copied', 'DROP TRIGGER dba ON membership.ledger_entry; ALTER TABLE membership.lot FORCE ROW LEVEL SECURITY');
like(accrue(), qr/table "lot" cannot be used: it has forced row level security/, 'as is forced row level security');
$node->safe_psql('copied', q(ALTER TABLE membership.lot NO FORCE ROW LEVEL SECURITY; ALTER TABLE membership.journal ADD COLUMN store text DEFAULT 'main';
	CREATE INDEX ON membership.journal (store)));
is(accrue(), 5, 'as is their end');
is($node->safe_psql('copied', qq(SELECT store FROM membership.journal WHERE order_ref = 'session $number')), 'main', 'and a new column');
$node->safe_psql('copied', 'ALTER TABLE membership.journal DROP COLUMN store');
is(accrue(), 5, 'that goes again');
$in = "\\q\n";
$session->finish;
is($node->safe_psql('copied', $sound), '', 'all of it is sound');

$node->stop;
done_testing();
