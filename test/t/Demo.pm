package Demo;

# A small programme with every kind of row, and pictures of it to compare: what is defined, what is stored and
# what is read. And many clients at once.
use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils;
use Test::More;
our @EXPORT = qw(make_programme new_database definitions parsed_again rows readings same refused rules_go_on storm start_call);

# PostgreSQL::Test::Utils keeps what a script dies of to its log
$SIG{__DIE__} = sub { diag(@_) if !$^S };

# Two merchants with contracts, two without; two members at three of them; a lot that has expired, one that is
# pending, debt that was paid, a purchase under review, a receipt with a second name, a tier by hand, and rules that give
# growth but no points, one of which has failed.
my $programme = <<'SQL';
CREATE ROLE demo_application LOGIN;
CREATE ROLE demo_operator LOGIN;
SELECT membership.create_program('Demo mall', 'Asia/Shanghai');
SELECT membership.grant_access('demo_application', 'application'), membership.grant_access('demo_operator', 'operator');
UPDATE membership.program SET allow_debt = true, expiry = '12 months';
INSERT INTO membership.party (party_id, name, kind) VALUES (2, 'Books Ltd', 'merchant'), (3, 'Tea Ltd', 'merchant');
INSERT INTO membership.merchant (merchant_id, name, code, party_id, pending_days)
VALUES (1, 'Books', 'B1', 2, NULL), (2, 'Tea', 'T1', 3, NULL), (3, 'Jewels', NULL, 1, 30);
INSERT INTO membership.contract (contract_id, merchant_id, valid_during, collects, commission_rate, issue_price)
VALUES (1, 1, '[2020-01-01,)', 'mall', 0.08, 0.01), (2, 2, '[2020-01-01,)', 'merchant', 0.05, 0.01);
SET ROLE demo_operator;
INSERT INTO membership.earn_rule (rule_id, code, name, status, scope, effect, value, valid_during, merchant_ids, tiers, condition, expiry, funder_party_id)
VALUES (1, 'growth', 'Growth 成长值', 'active', 'order', 'growth', 0.5, '(,)', NULL, NULL, 'order_basis > 100 AND NOT first_purchase', NULL, NULL),
       (2, 'trial', 'On trial', 'shadow', 'line', 'multiplier', 2.5, '[2022-01-01, 2040-01-01)', '{1,2}', '{silver,gold}', NULL, 'year end + 1', 2),
       (3, 'fails', 'Fails of 80.00', 'active', 'order', 'growth', 1, '(,)', NULL, NULL, '1 / (order_amount - 80) < 0', NULL, NULL),
       (4, 'gone', 'Gone', 'ended', 'order', 'bonus_points', 5, '(,)', NULL, NULL, NULL, NULL, NULL);
UPDATE membership.earn_rule SET value = 0.75, effective_from = '2023-01-01 00:00+08' WHERE code = 'growth';
SELECT membership.enroll_member('phone', '138 0013 8000', birthday => '1990-02-28', source => 'web', attributes => '{"size": "M"}',
                                at => '2022-01-31 09:00+08');
SELECT membership.enroll_member('card', 'C-2', at => '2022-02-01 09:00+08');
SELECT membership.accrue_points(1, 1, 600, 'A1', at => '2022-01-31 10:00+08', external_refs => '{"wechat": "w1"}');
SELECT membership.accrue_points(1, 1, 5000.55, 'A2', at => '2022-06-01 10:00+08', attributes => '{"till": 4}');
SELECT membership.accrue_points(1, 2, 300.10, 'A3', at => '2023-03-01 10:00+08',
    lines => '[{"line_no": 1, "amount": 100.10}, {"line_no": 2, "merchant_id": 1, "amount": 200}]');
SELECT membership.accrue_points(2, 2, 80, 'A4', occurred_at => '2022-02-01 12:00+08', at => '2022-05-01 12:00+08');
SELECT membership.adjust_points(2, -50, 'mistake', 'adjust-1', at => '2022-05-02 12:00+08');
SELECT membership.grant_points(2, 70, 'sorry', 'grant-1', at => '2022-05-03 12:00+08');
SELECT membership.accrue_points(2, 3, 40, 'A5', at => clock_timestamp());
SELECT membership.set_tier(2, 'gold', '2040-01-01 00:00+08', 'guest of honour');
SQL

# make_programme NODE, DATABASE [, VERSION]: by an older version of the extension, if one is named
sub make_programme
{
	my ($node, $database, $version) = @_;
	$node->safe_psql($database, 'CREATE EXTENSION membership' . (defined $version ? " VERSION '$version'" : ''));
	$node->safe_psql($database, $programme);
	return;
}

# new_database NODE, NAME, SET-UP: with the extension; its name
sub new_database
{
	my ($node, $name, $setup) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql($name, "CREATE EXTENSION membership; $setup");
	return $name;
}

# One line per defined thing of the schema and what there is to say of it.
my $definitions = <<'SQL';
WITH relation AS (
    SELECT c.*, c.oid::regclass::text AS name FROM pg_class c
     WHERE c.relnamespace = 'membership'::regnamespace AND c.relkind IN ('r', 'v', 'S')
)
SELECT format('%s %s owner %s options %s: %s', relkind, name, relowner::regrole, reloptions, obj_description(oid, 'pg_class'))
  FROM relation
UNION ALL
SELECT format('column %s.%s %s not null %s default %s: %s', r.name, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
              pg_get_expr(d.adbin, d.adrelid), col_description(r.oid, a.attnum))
  FROM relation r
  JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
UNION ALL
SELECT format('constraint %s.%s %s', r.name, k.conname, pg_get_constraintdef(k.oid))
  FROM relation r JOIN pg_constraint k ON k.conrelid = r.oid
UNION ALL
SELECT pg_get_indexdef(i.indexrelid) FROM relation r JOIN pg_index i ON i.indrelid = r.oid
UNION ALL
SELECT format('%s, enabled %s', pg_get_triggerdef(t.oid), t.tgenabled)
  FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
UNION ALL
SELECT format('view %s %s', name, pg_get_viewdef(oid)) FROM relation WHERE relkind = 'v'
UNION ALL
SELECT format('%s: %s', pg_get_functiondef(p.oid), obj_description(p.oid, 'pg_proc'))
  FROM pg_proc p WHERE p.pronamespace = 'membership'::regnamespace
UNION ALL
SELECT format('type %s (%s): %s', t.oid::regtype, string_agg(format('%s %s', a.attname, a.atttypid::regtype), ', ' ORDER BY a.attnum),
              obj_description(t.oid, 'pg_type'))
  FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c' JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE t.typnamespace = 'membership'::regnamespace GROUP BY t.oid
UNION ALL
SELECT format('of the extension: %s, rights it came with %s', pg_describe_object(d.classid, d.objid, 0), i.initprivs)
  FROM pg_extension e JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
  LEFT JOIN pg_init_privs i ON i.classoid = d.classid AND i.objoid = d.objid
 WHERE e.extname = 'membership'
UNION ALL
SELECT format('right %s to %s on %s', a.privilege_type, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, o.name)
  FROM (SELECT name, relacl FROM relation
        UNION ALL
        SELECT format('%s.%s', r.name, c.attname), c.attacl FROM relation r JOIN pg_attribute c ON c.attrelid = r.oid
        UNION ALL
        SELECT p.oid::regprocedure::text, p.proacl FROM pg_proc p WHERE p.pronamespace = 'membership'::regnamespace
        UNION ALL
        SELECT 'schema', nspacl FROM pg_namespace WHERE nspname = 'membership') o (name, acl)
 CROSS JOIN aclexplode(o.acl) a
ORDER BY 1
SQL

sub definitions
{
	my ($node, $database) = @_;
	return $node->safe_psql($database, $definitions);
}

# PostgreSQL reads (a AND b) AND c, when it wrote that itself, as a AND b AND c, and names what it has cast.
sub parsed_again
{
	my ($definitions) = @_;
	return $definitions =~ s/[()]//gr =~ s/::text\K AS text\b//gr =~ s/^ +//gmr;
}

# Every row of every table and every sequence, except those named.
sub rows
{
	my ($node, $database, @except) = @_;
	my $except = join ',', map { "'$_'" } '', @except;
	return $node->safe_psql($database, <<"SQL");
SELECT format('SELECT %1\$L, x::text FROM membership.%1\$I x ORDER BY x::text COLLATE "C"', relname)
  FROM pg_class
 WHERE relnamespace = 'membership'::regnamespace AND relkind = 'r' AND relname NOT IN ($except)
 ORDER BY relname
\\gexec
SELECT format('SELECT %1\$L, last_value, is_called FROM membership.%1\$I', relname)
  FROM pg_class
 WHERE relnamespace = 'membership'::regnamespace AND relkind = 'S' AND relname NOT IN ($except)
 ORDER BY relname
\\gexec
SQL
}

# What a user reads of the members.
sub readings
{
	my ($node, $database) = @_;
	return $node->safe_psql($database, <<'SQL');
SELECT 'balance', * FROM membership.member_balance ORDER BY member_id;
SELECT 'lot', * FROM membership.member_lots ORDER BY member_id, lot_no;
SELECT 'line', m, s.* FROM generate_series(1, 2) m, membership.statement(m) s;
SELECT 'tier', * FROM membership.member_tier_progress ORDER BY member_id;
SELECT 'rule', * FROM membership.rule_effect ORDER BY rule_id;
SELECT 'failure', * FROM membership.rule_error ORDER BY rule_id;
SELECT 'owed', * FROM membership.merchant_unsettled ORDER BY merchant_id, kind;
SELECT 'balance at', m, t, membership.balance_at(m, t)
  FROM generate_series(1, 2) m, generate_series('2022-02-02 00:00+08'::timestamptz, '2023-04-02', '1 month') t;
SELECT 'preview', m, p.status, p.points, p.points_wanted, p.balance, p.tier, p.explanation
  FROM generate_series(1, 2) m, membership.preview_accrual(m, 1, 100) p;
SELECT 'violation', * FROM membership.verify();
SQL
}

# same GOT, EXPECTED, NAME: is(), but of many lines it shows only those that differ.
sub same
{
	my ($got, $expected, $name) = @_;
	return 1 if ok($got eq $expected, $name);
	my %seen;
	$seen{$_}++ for split /\n/, $got;
	$seen{$_}-- for split /\n/, $expected;
	diag(map { $seen{$_} > 0 ? "got:      $_\n" : "expected: $_\n" } grep { $seen{$_} } sort keys %seen);
	return 0;
}

# Rules are still checked, counted and guarded, and pay: one of 7 points in force from now on.
sub rules_go_on
{
	my ($node, $database) = @_;
	is($node->safe_psql($database, <<"SQL"), '1|2|demo_operator|7', 'a changed rule has a new version');
SET ROLE demo_operator;
UPDATE membership.earn_rule SET status = 'active', value = 7 WHERE code = 'gone';
SELECT min(version), max(version), max(recorded_by) FILTER (WHERE version = 2), max(definition ->> 'value') FROM membership.rule_version WHERE rule_id = 4;
SQL
	is($node->safe_psql($database, 'SELECT bonus_points FROM membership.preview_accrual(2, 1, 10)'),
		'12', '... and pays');    # 10 x 0.5 of gold, and 7
	like(refused($node, $database, "UPDATE membership.earn_rule SET condition = 'now() > occurred_at' WHERE rule_id = 4"), qr/MB302: /, 'a bad condition is refused');
	like(refused($node, $database, 'DELETE FROM membership.rule_version'), qr/MB502: /, 'versions are guarded');
	return;
}

# What psql says when a statement is refused: "SQLSTATE message", then DETAIL and HINT.
sub refused
{
	my ($node, $database, $statement) = @_;
	my ($status, $stdout, $stderr) = $node->psql($database, "\\set VERBOSITY verbose\n$statement", on_error_stop => 1);
	return 'not refused' if $status == 0;
	$stderr =~ s/^psql:<stdin>:\d+: //mg;
	$stderr =~ s/^LOCATION:.*\n?//mg;
	return $stderr;
}

# storm NODE, CLIENTS, CALLS PER CLIENT, SCRIPT, NAME, MORE: no call of pgbench's clients may fail, but where MORE says how often to try again
sub storm
{
	my ($node, $clients, $calls, $script, $name, @more) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir . '/storm.pgbench';
	open my $out, '>', $file or die "$file: $!";
	print $out $script;
	close $out;
	local %ENV = (%ENV, $node->_get_env());
	my ($stdout, $stderr);
	my $passed = IPC::Run::run([ 'pgbench', '-n', '-c', $clients, '-j', 2, '-t', $calls, @more, '-f', $file, 'postgres' ], '>', \$stdout, '2>', \$stderr);
	ok($passed && $stdout =~ /^number of failed transactions: 0 /m, "$name: no client saw an error") or diag($stdout . $stderr);
	my ($retries) = $stdout =~ /^total number of retries: (\d+)/m;
	note("$name: $retries retries") if defined $retries;
	return;
}

# A psql that goes on working while the test looks on.
sub start_call
{
	my ($node, $database, $sql, $out, $err) = @_;
	return IPC::Run::start([ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr($database), '-c', $sql ], '>', $out, '2>', $err,
		IPC::Run::timeout(300));
}

1;
