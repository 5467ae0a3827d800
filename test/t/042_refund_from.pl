# CALL refund_from: the results of single calls, a query that is the caller's, chunks that stay, refunds that wait for their
# sale, and locks that are taken in one order.
use strict;
use warnings;

use Demo;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', 'fsync = off');
$node->start;

# A hundred members with 300 orders of 100.00, every other one in two lines, every third one paid with 500 points; and a query
# of returns: returns(FROM, TO). Of fifty, one has an unknown merchant, one a negative amount, one is of an order that is not
# there, and one is of more than was bought; five in a hundred repeat the one before. The others return 1.00 to 7.00, at most
# nine times of an order.
my $setup = <<'SQL';
SELECT membership.create_program('Mall', 'Asia/Shanghai');
INSERT INTO membership.party VALUES (2, 'Shop Ltd', 'merchant');
INSERT INTO membership.merchant (merchant_id, name, party_id) VALUES (1, 'Shop', 2), (2, 'Stall', 2);
INSERT INTO membership.contract (contract_id, merchant_id, collects, commission_rate, issue_price) VALUES (1, 1, 'mall', 0.05, 0.01);
SELECT count(membership.enroll_member('card', 'C' || i, at => '2024-01-01 09:00+08')) FROM generate_series(1, 100) i;
SELECT count(membership.grant_points(i, 2000, 'welcome', 'w', at => '2024-01-01 10:00+08')) FROM generate_series(1, 100) i;
SELECT count(membership.accrue_points(1 + n * 37 % 100, 1 + n % 2, 100, 'o' || n, at => '2024-01-02 09:00+08',
             lines => CASE WHEN n % 2 = 0 THEN '[{"amount": 60, "quantity": 3}, {"amount": 40}]'::jsonb END,
             tenders => CASE WHEN n % 3 = 0 THEN '[{"kind": "cash", "amount": 85}, {"kind": "points", "points": 500}]'::jsonb END))
  FROM generate_series(1, 300) n;
CREATE FUNCTION public.returns(first integer, last integer,
    OUT merchant_id integer, OUT order_ref text, OUT refund_ref text, OUT amount numeric, OUT at timestamptz)
RETURNS SETOF record LANGUAGE sql AS $$
    SELECT CASE WHEN n % 50 = 12 THEN 9 ELSE 1 + (1 + n % 300) % 2 END,
           CASE WHEN n % 50 = 20 THEN 'u' || n ELSE 'o' || 1 + n % 300 END, 'r' || n,
           CASE n % 50 WHEN 13 THEN -1 WHEN 33 THEN 1000 ELSE 1 + n % 7 END, timestamptz '2024-02-01 09:00+08' + n * interval '1 minute'
      FROM (SELECT CASE WHEN i % 20 = 7 THEN i - 1 ELSE i END AS n FROM generate_series(first, last) i) x
$$;
CREATE TABLE public.result (LIKE membership.refund_result);
SQL

my $calls = "pg_stat_activity WHERE query LIKE 'CALL membership.refund_from%'";
my $posted = q(SELECT count(*) FROM membership.journal WHERE verb = 'refund');
my $sound = 'SELECT * FROM membership.verify()';
my ($out, $err);
# rows, but for when a refund began to wait
sub without_clock { return rows($node, $_[0]) =~ s/^(refund_claim\|(?:[^,]*,){6})"[^"]*"/$1/mgr }

# ------------------------------------------------------------------ the same as single calls

new_database($node, 'single', $setup);
new_database($node, 'bulk', $setup);
my $single = $node->safe_psql('single', <<'SQL');
CREATE FUNCTION pg_temp.post() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    o record;
    r membership.refunding;
    duplicates integer := 0;
    parked integer := 0;
    failed integer := 0;
BEGIN
    FOR o IN SELECT * FROM returns(1, 2500) LOOP
        BEGIN
            r := membership.refund_order(o.merchant_id, o.order_ref, o.refund_ref, o.amount, at => o.at);
            duplicates := duplicates + r.duplicate::integer;
            parked := parked + (r.status = 'parked')::integer;
        EXCEPTION WHEN OTHERS THEN
            failed := failed + 1;
        END;
    END LOOP;
    RETURN concat_ws('|', 2500, duplicates, parked, failed);
END
$$;
SELECT pg_temp.post();
SQL
# 125 repeat another, of which none is one that fails or is parked; 50 are parked; three in fifty fail
is($single, '2500|125|50|150', 'single calls: counts');
my $call = q(CALL membership.refund_from('SELECT * FROM returns(1, 2500)', 'result'));
is($node->safe_psql('bulk', $call), '2500|125|50|150', 'refund_from counts the same');
same(without_clock('bulk'), without_clock('single'), 'and leaves the same rows');
# all but the 150 that failed and the 50 that were parked
is($node->safe_psql('bulk', 'SELECT count(*), count(DISTINCT row_no), min(row_no), max(row_no), count(journal_no), count(*) FILTER (WHERE duplicate) FROM result'),
	'2500|2500|1|2500|2300|125', 'the result table has a row for each');
is($node->safe_psql('bulk', q(SELECT sqlstate, message, count(*) FROM result WHERE sqlstate IS NOT NULL GROUP BY 1, 2 ORDER BY 1)),
	"22023|amount must not be negative|50\nMB003|merchant 9 does not exist|50\nMB109|1000.00 is more than is left of the order|50", 'or why not');
is($node->safe_psql('bulk', q(SELECT status, count(*), count(journal_no) FROM result WHERE sqlstate IS NULL GROUP BY 1 ORDER BY 1)),
	"parked|50|0\nposted|2300|2300", 'or that it waits');
is($node->safe_psql('bulk', q(SELECT count(*) FROM result r JOIN returns(1, 2500) WITH ORDINALITY o ON o.ordinality = r.row_no
	JOIN membership.refund_claim c USING (merchant_id, order_ref, refund_ref) JOIN membership.refund f ON (f.member_id, f.journal_no) = (c.member_id, c.journal_no)
	WHERE (f.journal_no, f.amount, f.points_clawed, f.points_restored) = (r.journal_no, r.amount, r.points_clawed, r.points_restored) AND r.amount = o.amount)),
	2300, 'row_no is the row of the query');
# what was posted and what was parked: 2500 - 150
is($node->safe_psql('bulk', q(CALL membership.refund_from('SELECT * FROM returns(1, 2500)', batch_size => 77))), '2500|2350|0|150', 'run again, all are duplicates');
same(without_clock('bulk'), without_clock('single'), 'and nothing changes');
is($node->safe_psql('bulk', q(CALL membership.refund_from('SELECT * FROM returns(1, 0)'))), '0|0|0|0', 'no rows');
for my $database ('single', 'bulk')
{
	# sales of 4.00 for the parked returns of 1.00 to 7.00
	is($node->safe_psql($database, q(SELECT count(membership.accrue_points(1, 2, 4, 'u' || n, at => '2024-03-01 09:00+08')) FROM generate_series(20, 2500, 50) n)),
		50, "$database: the sales of what waits");
	# the amounts of n = 20, 70, ...: 1 + n % 7 is 7, 1, 2, ... 6, 7, ...; 50 of them begin 8 weeks, all of 7: 5, 6 and 7 are too much
	is($node->safe_psql($database, 'SELECT status, count(*), sum(excess) FROM membership.refund_exception GROUP BY 1'),
		'exceeds_sale|22|' . (8 * 3 + 7 * 2 + 7 * 1) . '.00', '... take it, and say what was too much');
}
same(without_clock('bulk'), without_clock('single'), '... with the same rows');
is($node->safe_psql('bulk', $sound), '', 'and they are sound');

# columns in another order, of other types, and not all of them; a timestamp without zone is programme time; each row sees
# those before it
is($node->safe_psql('bulk', <<'SQL'), "3|0|0|1\n1|posted|20.00|\n2||20.00|MB109\n3|posted|10.00|\n2024-03-03|20\n2024-03-04|10");
SET timezone = 'UTC';
SELECT FROM membership.accrue_points(1, 2, 30, 'typed', at => '2024-03-02 00:30+08', lines => '[{"line_no": 7, "amount": 30, "quantity": 3}]');
TRUNCATE result;
CALL membership.refund_from($$
    SELECT n::smallint AS refund_ref, 'typed'::name AS order_ref, 2::bigint AS merchant_id, 1::smallint AS member_id,
           format('[{"line_no": 7, "quantity": %s}]', q)::json AS lines, timestamp '2024-03-03 00:30' + n * interval '12 hours' AS at
      FROM (VALUES (0, 2), (1, 2), (2, 1)) v (n, q)$$, 'result');
SELECT row_no, status, coalesce(amount, 20.00), sqlstate FROM result ORDER BY row_no;
SELECT day, sum(refund.amount)::integer FROM membership.refund JOIN membership.journal USING (member_id, journal_no) WHERE journal.order_ref = 'typed' GROUP BY 1 ORDER BY 1;
SQL

# ------------------------------------------------------------------ chunks stay, and the rest is made up for

new_database($node, 'killed', $setup);
my ($in, $held) = ('', '');
my $holder = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('killed') ], '<', \$in, '>', \$held, IPC::Run::timeout(300));
sub hold
{
	my ($statement) = @_;
	($in, $held) = ("BEGIN; $statement; \\echo held\n", '');
	$holder->pump until $held =~ /held/;
}
sub release
{
	($in, $held) = ("ROLLBACK; \\echo released\n", '');
	$holder->pump until $held =~ /released/;
}
my $waits = "SELECT EXISTS (SELECT FROM $calls AND wait_event_type = 'Lock')";
# somebody holds the member of an order that is in the third chunk alone
my $query = q(SELECT merchant_id, CASE WHEN n = 2001 THEN 'held' ELSE order_ref END AS order_ref, refund_ref, amount, at
              FROM returns(1, 2500) WITH ORDINALITY o (merchant_id, order_ref, refund_ref, amount, at, n));
$node->safe_psql('killed', q(SELECT membership.enroll_member('card', 'slow', at => '2024-01-01 09:00+08'), membership.accrue_points(101, 1, 50, 'held', at => '2024-01-01 10:00+08')));
hold('SELECT FROM membership.account WHERE member_id = 101 FOR UPDATE');
my $running = start_call($node, 'killed', "CALL membership.refund_from(\$q\$$query\$q\$)", \$out, \$err);
$node->poll_query_until('killed', $waits);
# of 2,000, 100 repeat, 40 are parked, and 120 fail
is($node->safe_psql('killed', "SELECT query FROM $calls"), 'CALL membership.refund_from: 2000 refunds processed, 100 duplicates, 40 parked, 120 failed', 'progress is shown');
is($node->safe_psql('killed', "$posted; SELECT count(*) FROM membership.refund_exception WHERE status = 'parked'"), "1740\n40", '... of what is committed');
is($node->safe_psql('killed', "SELECT pg_terminate_backend(pid) FROM $calls"), 't', '... terminate');
$running->finish;
like($err, qr/57P01: terminating connection/, '... is answered');
release();
is($node->safe_psql('killed', "CALL membership.refund_from(\$q\$$query\$q\$)"), '2500|' . (1740 + 100 + 40 + 25) . '|10|150', 'run again, it does the rest');
is($node->safe_psql('killed', "$posted; SELECT count(*) FROM membership.refund_claim WHERE journal_no IS NOT NULL"), "2175\n2175", 'each is there once');
is($node->safe_psql('killed', $sound), '', 'and sound');

# ------------------------------------------------------------------ locks of a chunk

# Refunds given in the wrong order wait before they hold anything that comes later.
$node->safe_psql('killed', q(SELECT count(membership.accrue_points(i, 1, 50, 'x' || i, at => '2024-04-01 09:00+08')) FROM generate_series(1, 3) i));
my $impatient = q(SET lock_timeout = '5s'; SELECT status FROM membership.refund_order);
for (
	[ 'the member with the lower number', 'SELECT FROM membership.account WHERE member_id = 2 FOR UPDATE',
		q(VALUES (1, 'x3', 'a', 5), (1, 'x2', 'a', 5)), q((1, 'x3', 'b', 5)), 'posted', '2|0|0|0' ],
	[ 'a member, before unknown orders', 'SELECT FROM membership.account WHERE member_id = 2 FOR UPDATE',
		q(VALUES (1, 'y1', 'a', 5), (1, 'x2', 'c', 5)), q((1, 'y1', 'b', 5)), 'parked', '2|0|1|0' ],
	[ 'unknown orders by name', q(SELECT FROM membership.refund_order(1, 'z1', 'b', 5)),
		q(VALUES (1, 'z2', 'a', 5), (1, 'z1', 'a', 5)), q((1, 'z2', 'b', 5)), 'parked', '2|0|2|0' ])
{
	my ($name, $blocks, $values, $other, $status, $counts) = @$_;
	hold($blocks);
	$running = start_call($node, 'killed', "CALL membership.refund_from('SELECT * FROM (" . ($values =~ s/'/''/gr) . ") v (merchant_id, order_ref, refund_ref, amount)')", \$out, \$err);
	$node->poll_query_until('killed', $waits);
	is($node->safe_psql('killed', $impatient . $other), $status, "waits for $name");
	release();
	$running->finish;
	is("$out$err", "$counts\n", '... and goes on');
}
$in = "\\q\n";
$holder->finish;
is($node->safe_psql('killed', $sound), '', 'all of it is sound');

# ------------------------------------------------------------------ whose query it is

new_database($node, 'rights', $setup);
$node->safe_psql('rights', <<'SQL');
CREATE ROLE till LOGIN;
CREATE ROLE stranger LOGIN;
CREATE ROLE auditor LOGIN;
SELECT membership.grant_access('till', 'application'), membership.grant_access('auditor', 'analyst');
CREATE TABLE seen (who name, path text);
GRANT INSERT, SELECT ON seen, result TO till;
CREATE FUNCTION note(i bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO seen VALUES (current_user, current_setting('search_path'));
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
my ($stdout, $stderr) = as_till(q(CALL membership.refund_from('SELECT 2 AS merchant_id, ''o1'' AS order_ref, note(n) AS refund_ref, 0.02 AS amount FROM generate_series(1, 1500) n', 'result');));
is($stdout, "1500|0|0|0\n$caller", 'the query may do what the caller may, and the caller is the caller again');
is($node->safe_psql('rights', 'SELECT who, path, count(*) FROM seen GROUP BY 1, 2'), 'till|public, pg_catalog|1500', 'the caller at every fetch');
is($node->safe_psql('rights', q(SELECT DISTINCT actor FROM membership.journal WHERE verb = 'refund')), 'till', 'as whom it is posted');
is($node->safe_psql('rights', 'SELECT count(*), sum(amount) FROM result'), '1500|30.00', 'the result table is written');
my $one = q(SELECT 2 AS merchant_id, 'o1' AS order_ref, 'one' AS refund_ref, 1 AS amount);
like((as_till(q(CALL membership.refund_from('SELECT merchant_id, order_ref, reason AS refund_ref FROM membership.journal');)))[1], qr/42501: permission denied/, 'not of the owner');
like((as_till("CALL membership.refund_from(\$\$$one\$\$, 'membership.journal');"))[1], qr/(?:42501|42703): /, 'nor may it write as the owner');
like(refused($node, 'rights', "SET ROLE $_; CALL membership.refund_from(\$\$$one\$\$)"), qr/42501: permission denied for (?:schema|procedure)/, "a role that is $_ may not")
  for ('stranger', 'auditor');
like((as_till("SET default_transaction_read_only = on; CALL membership.refund_from(\$\$$one\$\$);"))[1], qr/25006: /, 'nor may a read-only transaction');
is($node->safe_psql('rights', q(SELECT count(*) FROM membership.refund WHERE refund_ref = 'one')), 0, 'nothing was posted');
$posted = q(SELECT count(*) FROM membership.refund WHERE refund_ref LIKE 'r%');
is($node->safe_psql('rights', "BEGIN; CALL membership.refund_from('SELECT * FROM returns(1, 2000)'); ROLLBACK; $posted"), "2000|100|40|120\n0", 'inside a transaction block it commits nothing');
is($node->safe_psql('rights', "BEGIN; CALL membership.refund_from('SELECT * FROM returns(1, 2000)'); COMMIT; $posted"), "2000|100|40|120\n1740", 'the block does');

# ------------------------------------------------------------------ queries that cannot be

my $needed = q(1 AS merchant_id, 'o1' AS order_ref, 'x' AS refund_ref);
my @wrong = (
	[ "SELECT $needed, 1 AS tenders", '42703: column "tenders" is no argument of refund_order' ],
	[ "SELECT $needed, 'now' AS at", '42804: column "at" has type text and cannot be at' ],
	[ "SELECT $needed, 1::float8 AS amount", '42804: column "amount" has type double precision and cannot be amount' ],
	[ "SELECT $needed, 'y' AS refund_ref", '42701: column "refund_ref" comes twice' ],
	[ q(SELECT 1 AS merchant_id, 'o1' AS order_ref), '22023: query has no column for refund_ref' ],
	[ "DELETE FROM result RETURNING $needed", '22023: query is not one SELECT' ]);
for (@wrong)
{
	my ($wrong, $message) = @$_;
	like(refused($node, 'rights', "CALL membership.refund_from(\$q\$$wrong\$q\$)"), qr/ERROR:  \Q$message\E/, "refused: $wrong");
}
like(refused($node, 'rights', q(CALL membership.refund_from('SELECT 1 AS merchant_id'))), qr/DETAIL:  merchant_id, order_ref and refund_ref are needed\./, 'and told what is needed');
like(refused($node, 'rights', "CALL membership.refund_from(\$\$$one\$\$, batch_size => 10001)"), qr/22023: batch_size must not be 10001/, 'refused: too large a chunk');
$node->safe_psql('rights', 'CREATE TABLE other (LIKE membership.batch_result)');
like(refused($node, 'rights', "CALL membership.refund_from(\$\$$one\$\$, 'other')"), qr/42703: result_table has no column "amount"/, 'refused: the result table of accrue_from');
is($node->safe_psql('rights', q(SELECT count(*) FROM membership.refund WHERE refund_ref IN ('x', 'one'))), 0, 'nothing was posted');
is($node->safe_psql('rights', $sound), '', 'and what is there is sound');

$node->stop;
done_testing();
