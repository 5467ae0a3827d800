# Jobs by pg_cron: scheduled, really run, caught up after the server was down, in another database, taken away again.
use strict;
use warnings;

use Demo;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($libraries) = run_command([ 'pg_config', '--pkglibdir' ]);
plan skip_all => 'pg_cron is not installed (package postgresql-N-cron)' if !-e "$libraries/pg_cron.so";

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', 'fsync = off');
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE mall; CREATE ROLE keeper LOGIN; CREATE ROLE nobody LOGIN; CREATE ROLE group_of_keepers NOLOGIN');

# Points of three members, valid through the 30th day after the purchase: those of two purchases, 60 and 32 days old, died
# some 29 nights and one night ago, those of the third live on for 20 days.
my $programme = <<'SQL';
CREATE EXTENSION membership;
SELECT membership.create_program('Mall', 'Asia/Shanghai');
SELECT membership.grant_access('keeper', 'operator'), membership.grant_access('group_of_keepers', 'operator');
UPDATE membership.program SET expiry = '30 days';
INSERT INTO membership.merchant (merchant_id, name) VALUES (1, 'Tea');
SET ROLE keeper;
SELECT membership.enroll_member('card', 'C' || n, at => now() - interval '90 days') FROM generate_series(1, 3) n;
SELECT membership.accrue_points(member_id, 1, 100, 'O' || member_id, at => now() - days * interval '1 day')
  FROM (VALUES (1, 60), (2, 32), (3, 10)) p (member_id, days);
SQL
$node->safe_psql($_, $programme) for 'postgres', 'mall';

# as ROLE, STATEMENT: what it returns in database postgres, or mall
sub as { my ($role, $statement, $database) = @_; return $node->safe_psql($database // 'postgres', "SET ROLE $role; $statement") }
sub refuses { my ($role, $statement) = @_; return refused($node, 'postgres', "SET ROLE $role; $statement") }
# what doctor() says of WHAT: its state
sub state_of { my ($what, $database) = @_; return as('keeper', "SELECT state FROM membership.doctor() WHERE what = '$what'", $database) }
my $schedule = 'SELECT * FROM membership.schedule_jobs()';
my $jobs = 'SELECT jobid, jobname, schedule, command, database, username FROM cron.job ORDER BY jobid';

# ------------------------------------------------------------------ pg_cron is missing

like(refuses('keeper', $schedule), qr/MB405: pg_cron is not loaded.*DETAIL: .*HINT: .*shared_preload_libraries.*operations\.md/s, 'not loaded: it says what to do');
$node->append_conf('postgresql.conf', <<'CONF');
shared_preload_libraries = 'pg_cron'
cron.database_name = 'postgres'
cron.use_background_workers = on
cron.timezone = 'Asia/Shanghai'
CONF
$node->restart;
like(refuses('keeper', $schedule), qr/MB405: extension pg_cron does not exist in database "postgres".*HINT: .*CREATE EXTENSION pg_cron/s, 'not created: likewise');
$node->safe_psql('postgres', 'CREATE EXTENSION pg_cron');
like(refuses('keeper', $schedule), qr/42501: role keeper may not use pg_cron.*HINT: .*GRANT USAGE ON SCHEMA cron TO keeper/s, 'no right to use it: likewise');
like(as('keeper', q(SELECT * FROM membership.doctor() WHERE what = 'jobs')), qr/^jobs\|warning\|.*GRANT USAGE ON SCHEMA cron TO keeper/, '... which doctor() says, too');
$node->safe_psql('postgres', 'GRANT USAGE ON SCHEMA cron TO keeper, nobody, group_of_keepers');
like(refuses('group_of_keepers', $schedule), qr/MB405: jobs cannot run as role group_of_keepers.*log in/s, 'a role that cannot log in');
like(refuses('nobody', $schedule), qr/42501/, 'a role that is no operator');

is(state_of($_), 'problem', "doctor(): $_ before any run") for 'sweep expire_points', 'sweep release_holds', 'due points';

# ------------------------------------------------------------------ scheduling

# pg_cron before 1.5 goes by GMT, whatever postgresql.conf says of cron.timezone
my $own_zone = $node->safe_psql('postgres', q(SELECT string_to_array(split_part(extversion, '-', 1), '.')::integer[] >= '{1,5}' FROM pg_extension WHERE extname = 'pg_cron')) eq 't';
my ($two, $half_past_three) = $own_zone ? ('0 2', '30 3') : ('0 18', '30 19');
my $note = $own_zone ? '02:00 Asia/Shanghai' : '18:00 GMT is 02:00 Asia/Shanghai';
like(as('keeper', q(SELECT * FROM membership.doctor() WHERE what LIKE 'job %')), qr/^job expire_points\|warning\|.*schedule_jobs\(\)\.\njob release_holds\|warning\|/, 'doctor() misses the jobs');
is(as('keeper', $schedule), <<"ROWS" =~ s/\n$//r, 'jobs are scheduled');
membership_expire_points|$two * * *|CALL membership.expire_points()||$note
membership_release_holds|*/5 * * * *|CALL membership.release_holds()||
ROWS
my $made = $node->safe_psql('postgres', $jobs);
is($made, <<"ROWS" =~ s/\n$//r, 'pg_cron has them, with one CALL each, as the role that scheduled them');
1|membership_expire_points|$two * * *|CALL membership.expire_points()|postgres|keeper
2|membership_release_holds|*/5 * * * *|CALL membership.release_holds()|postgres|keeper
ROWS
as('keeper', $schedule);
is($node->safe_psql('postgres', $jobs), $made, 'scheduled again they are the same jobs');
as('keeper', q(SELECT * FROM membership.schedule_jobs('03:30')));
is($node->safe_psql('postgres', $jobs), $made =~ s/\Q$two * * *\E/$half_past_three * * */r, 'at another time the same jobs at another time');

# another database: what is to be run here
my $elsewhere = as('keeper', 'SELECT statement FROM membership.schedule_jobs()', 'mall');
is($elsewhere, <<"SQL" =~ s/\n$//r, 'in another database statements are returned');
SELECT cron.schedule_in_database('membership_expire_points\@mall', '$two * * *', 'CALL membership.expire_points()', 'mall', 'keeper');
SELECT cron.schedule_in_database('membership_release_holds\@mall', '*/5 * * * *', 'CALL membership.release_holds()', 'mall', 'keeper');
SQL
$node->safe_psql('postgres', "$elsewhere$elsewhere");
is($node->safe_psql('postgres', q(SELECT jobname, database, username FROM cron.job WHERE database = 'mall' ORDER BY jobname)),
	"membership_expire_points\@mall|mall|keeper\nmembership_release_holds\@mall|mall|keeper", '... that make jobs of their own, once');

# ------------------------------------------------------------------ running

# points that die while the server is down; then a job of a DBA's that fails, and all of them every minute
$node->safe_psql('postgres', q(SELECT membership.grant_points(3, 70, 'short life', 'G', expires_at => now() + interval '1 second')));
$node->stop;
sleep 2;
$node->start;
$node->safe_psql('postgres', <<'SQL');
SELECT cron.schedule('by hand', '* * * * *', 'CALL membership.expire_points(batch_size => -1)');
SELECT cron.alter_job(jobid, schedule => '* * * * *') FROM cron.job;
SQL
for my $database ('postgres', 'mall')
{
	ok($node->poll_query_until($database, q(SELECT count(DISTINCT job) = 2 FROM membership.job_run WHERE finished_at IS NOT NULL AND error IS NULL)), "both sweeps have run in $database");
}
ok($node->poll_query_until('postgres', q(SELECT count(*) = 5 FROM (SELECT jobid FROM cron.job_run_details WHERE status IN ('succeeded', 'failed') GROUP BY jobid) j)), '... and every run is on record');
# 100 points of two members, 70 of the third, whose 100 are left; as the role that scheduled
my $expired = q(SELECT member_id, sum(points), string_agg(DISTINCT actor || ' ' || login, ',') FROM membership.journal WHERE verb = 'expiry' GROUP BY member_id ORDER BY member_id);
is($node->safe_psql('postgres', $expired), "1|-100|keeper keeper\n2|-100|keeper keeper\n3|-70|keeper keeper", 'all that fell due in missed nights has expired');
is($node->safe_psql('mall', $expired), "1|-100|keeper keeper\n2|-100|keeper keeper", 'in the other database as well');
is($node->safe_psql('postgres', 'SELECT member_id, balance FROM membership.account ORDER BY member_id'), "1|0\n2|0\n3|100", 'and nothing else');
is($node->safe_psql($_, 'SELECT * FROM membership.verify()'), '', "$_ is sound") for 'postgres', 'mall';
is($node->safe_psql('postgres', q(SELECT DISTINCT ON (database, command) database, username, command, status FROM cron.job_run_details
	WHERE username = 'keeper' AND status IN ('succeeded', 'failed') ORDER BY database, command, runid DESC)), <<'ROWS' =~ s/\n$//r, 'pg_cron says that they succeeded');
mall|keeper|CALL membership.expire_points()|succeeded
mall|keeper|CALL membership.release_holds()|succeeded
postgres|keeper|CALL membership.expire_points()|succeeded
postgres|keeper|CALL membership.release_holds()|succeeded
ROWS
for my $database ('postgres', 'mall')
{
	is(state_of($_, $database), 'ok', "doctor() in $database: $_") for 'sweep expire_points', 'sweep release_holds', 'due points';
}
is(state_of("job $_"), 'ok', "doctor(): job $_") for 'expire_points', 'release_holds';
like($node->safe_psql('postgres', q(SELECT * FROM membership.doctor() WHERE what = 'job expire_points' ORDER BY state)),
	qr/^job expire_points\|ok\|.*keeper.*\njob expire_points\|problem\|The last run of job \d+ failed at .*batch_size/, 'a superuser is told of the job that fails');

# ------------------------------------------------------------------ what doctor() says of jobs

# nothing runs any more, except on 29 February
$node->safe_psql('postgres', q(SELECT cron.unschedule('by hand'); SELECT cron.alter_job(jobid, schedule => '0 0 29 2 *') FROM cron.job));
my @wrong = (
	[ q(SELECT cron.alter_job(1, active => false)), q(SELECT cron.alter_job(1, active => true)), qr/^job expire_points\|warning\|Job 1 is switched off/ ],
	[ 'ALTER ROLE keeper NOLOGIN', 'ALTER ROLE keeper LOGIN', qr/^job expire_points\|problem\|Job 1 runs as role keeper, which cannot log in/ ],
	[ q(SELECT membership.revoke_access('keeper', 'operator')), q(SELECT membership.grant_access('keeper', 'operator')), qr/^job expire_points\|problem\|Job 1 runs as role keeper, which may not call it/ ]);
for (@wrong)
{
	my ($break, $mend, $said) = @$_;
	$node->safe_psql('postgres', $break);
	like($node->safe_psql('postgres', q(SELECT * FROM membership.doctor() WHERE what = 'job expire_points')), $said, "doctor() after $break");
	$node->safe_psql('postgres', $mend);
}
is(state_of('job expire_points'), 'ok', 'all mended');

# ------------------------------------------------------------------ unscheduling

$elsewhere = as('keeper', 'SELECT statement FROM membership.unschedule_jobs()', 'mall');
$node->safe_psql('postgres', $elsewhere);
is($node->safe_psql('postgres', 'SELECT database, count(*) FROM cron.job GROUP BY database'), 'postgres|2', 'the other database\'s jobs are gone');
is(as('nobody', 'SELECT count(*) FROM cron.job'), 0, 'a role sees its own jobs only');
as('keeper', $schedule);
$node->safe_psql('postgres', $schedule);
is(as('keeper', 'SELECT job, note FROM membership.unschedule_jobs()'),
	"membership_expire_points|It ran as role keeper.\nmembership_release_holds|It ran as role keeper.", 'a role takes away its own jobs');
is($node->safe_psql('postgres', 'SELECT count(*), count(*) FILTER (WHERE username <> \'keeper\') FROM cron.job'), '2|2', '... and nobody else\'s');
as('keeper', $schedule);
is($node->safe_psql('postgres', 'SELECT count(*) FROM membership.unschedule_jobs(); SELECT count(*) FROM cron.job'), "4\n0", 'a superuser everybody\'s');
is(as('keeper', 'SELECT count(*) FROM membership.unschedule_jobs()'), 0, 'again there is nothing left to take away');
is(state_of('job expire_points'), 'warning', 'which doctor() notices');

$node->stop;
done_testing();
