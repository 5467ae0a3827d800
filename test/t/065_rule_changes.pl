# Fifty changes of rules beside eight clients that accrue: every purchase is explained by a set of rules that was in
# force when it was posted, and changes of one transaction are seen together.
use strict;
use warnings;

use Demo;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $changes = 50;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "log_statement = none\nlog_min_error_statement = panic");
$node->start;

# Rules 1 and 2 are always changed together and with effect on any purchase, rule 3 as from the clock, rule 4 is paused
# and taken up again. change has when a version's commit was sent and when it had returned, call when a purchase's call
# began and ended.
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION membership;
SELECT membership.create_program('Mall', 'Asia/Shanghai', preset => 'empty');
INSERT INTO membership.merchant (merchant_id, name) VALUES (1, 'Shop');
SELECT membership.enroll_member('card', 'C-' || n) FROM generate_series(1, 20) n;
INSERT INTO membership.earn_rule (rule_id, code, name, status, effect, value, condition)
VALUES (1, 'one', 'One', 'active', 'bonus_points', 1, NULL), (2, 'two', 'Two', 'active', 'bonus_points', 1, 'order_amount > 5'),
       (3, 'three', 'Three', 'active', 'bonus_points', 1, 'orders_today >= 0'), (4, 'four', 'Four', 'active', 'bonus_points', 1, NULL);

CREATE TABLE change (rule_id integer, version integer, sent timestamptz, returned timestamptz);
INSERT INTO change SELECT rule_id, 1, '-infinity', '-infinity' FROM membership.earn_rule;
CREATE TABLE call (order_ref text, began timestamptz, ended timestamptz);
CREATE SEQUENCE order_no;

CREATE PROCEDURE change_rules(n integer) LANGUAGE plpgsql AS $$
BEGIN
    UPDATE membership.earn_rule SET value = n + 1, effective_from = '2020-01-01'::timestamptz + n * interval '1 day' WHERE rule_id IN (1, 2);
    UPDATE membership.earn_rule SET value = n + 1 WHERE rule_id = 3 AND n % 2 = 0;
    UPDATE membership.earn_rule SET status = CASE status WHEN 'active' THEN 'paused' ELSE 'active' END WHERE rule_id = 4 AND n % 5 = 0;
    INSERT INTO change SELECT r.rule_id, r.version, clock_timestamp() FROM membership.earn_rule r
     WHERE NOT EXISTS (SELECT FROM change c WHERE (c.rule_id, c.version) = (r.rule_id, r.version));
    COMMIT;
    UPDATE change SET returned = clock_timestamp() WHERE returned IS NULL;
    COMMIT;
    PERFORM pg_sleep(0.05);
END
$$;

CREATE FUNCTION buy(member_id bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz := clock_timestamp();
    ref   text := 'order ' || nextval('order_no');
BEGIN
    IF random() < 0.7 THEN
        PERFORM membership.accrue_points(member_id, 1, 10, ref);
    ELSE
        PERFORM b.points FROM membership.accrue_batch(ARRAY[ROW(member_id, 1, 10, ref, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::membership.purchase]) b;
    END IF;
    INSERT INTO call VALUES (ref, began, clock_timestamp());
END
$$;
SQL

my $script = PostgreSQL::Test::Utils::tempdir . '/buy.pgbench';
PostgreSQL::Test::Utils::append_to_file($script, "\\set member random(1, 20)\nSELECT buy(:member)\n");
my ($stdout, $stderr);
{
	local %ENV = ($node->_get_env());
	my $clients = IPC::Run::start([ 'pgbench', '-n', '-M', 'prepared', '-c', 8, '-j', 2, '-T', 5, '-R', 500, '-f', $script, 'postgres' ], '>', \$stdout, '2>', \$stderr);
	$node->safe_psql('postgres', join("\n", map { "CALL change_rules($_);" } 1 .. $changes));
	ok($clients->finish, 'no client saw an error') or diag($stderr);
}

# Which version of each rule each purchase was explained by; NULL = none.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE seen AS
SELECT c.*, j.occurred_at, j.points, r.rule_id, x.version
  FROM call c
  JOIN membership.journal j USING (order_ref)
 CROSS JOIN membership.earn_rule r
  LEFT JOIN LATERAL (SELECT e.version FROM jsonb_to_recordset(j.rules -> 'rules') e (rule_id integer, version integer, outcome text)
                      WHERE e.rule_id = r.rule_id AND e.outcome = 'applied') x ON true;
CREATE TABLE history AS SELECT v.*, v.definition ->> 'status' AS status, c.sent, c.returned FROM membership.rule_version v JOIN change c USING (rule_id, version);
SQL
is($node->safe_psql('postgres', 'SELECT count(DISTINCT version) FROM membership.rule_version WHERE rule_id = 1'), $changes + 1, "$changes changes");
is($node->safe_psql('postgres', 'SELECT count(*) FROM call') > 500 ? 'many' : 'few', 'many', 'beside many purchases');
is($node->safe_psql('postgres', 'SELECT count(DISTINCT version) > 25 FROM seen WHERE rule_id = 1'), 't', 'most versions were met');
is($node->safe_psql('postgres', <<'SQL'), '', 'every version that a purchase was judged by was in force');
-- committed before the call ended, and no later one had been committed when it began
SELECT s.* FROM seen s
 WHERE NOT EXISTS (SELECT FROM history v
                    WHERE v.rule_id = s.rule_id AND v.effective_from <= s.occurred_at AND v.sent <= s.ended
                      AND CASE WHEN s.version IS NULL THEN v.status = 'paused' ELSE v.version = s.version AND v.status = 'active' END
                      AND NOT EXISTS (SELECT FROM history n
                                       WHERE n.rule_id = v.rule_id AND n.version > v.version AND n.effective_from <= s.occurred_at AND n.returned < s.began))
 LIMIT 10
SQL
is($node->safe_psql('postgres', 'SELECT order_ref FROM seen WHERE rule_id IN (1, 2) GROUP BY order_ref HAVING count(DISTINCT version) <> 1 OR count(version) <> 2 LIMIT 10'), '',
	'changes of one transaction are seen together');
is($node->safe_psql('postgres', <<'SQL'), '', 'and paid by');
SELECT s.order_ref FROM seen s LEFT JOIN membership.rule_version v USING (rule_id, version)
 GROUP BY s.order_ref, s.points HAVING s.points <> 10 + sum(coalesce((v.definition ->> 'value')::numeric, 0)) LIMIT 10
SQL
is($node->safe_psql('postgres', 'SELECT * FROM membership.verify() LIMIT 10'), '', 'the ledger is sound');

$node->stop;
done_testing();
