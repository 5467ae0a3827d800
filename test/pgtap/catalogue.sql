-- The rules that every object must keep, read from the system catalogues, so that a new table or function is held
-- to them too. Each test lists what breaks one rule.
\ir setup.psql
CREATE EXTENSION plpgsql_check SCHEMA public;
SELECT open_mall() \gset

CREATE TEMP VIEW relation AS
SELECT c.oid, c.relname AS name, c.relkind, c.relowner, c.reloptions, c.relacl,
       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'member_id') AS of_member,
       c.relname IN ('member_identity', 'receipt', 'receipt_ref', 'refund_claim') AS directory
  FROM pg_class c
 WHERE c.relnamespace = 'membership'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f');
CREATE TEMP VIEW routine AS
SELECT p.*, p.oid::regprocedure::text AS signature, l.lanname
  FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
 WHERE p.pronamespace = 'membership'::regnamespace AND p.proname NOT IN ('open_mall', 'enrol', 'm');
CREATE TEMP VIEW extension_object AS
SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
 WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'membership';

SELECT cmp_ok((SELECT count(*) FROM relation WHERE relkind = 'r'), '>=', 20::bigint, 'the tables are looked at');
SELECT cmp_ok((SELECT count(*) FROM routine), '>=', 30::bigint, 'the functions are looked at');

-- code is the extension's, data is the user's
SELECT is_empty($$SELECT r.name FROM relation r JOIN extension_object o ON o.classid = 'pg_class'::regclass AND o.objid = r.oid$$,
                'no table, view or sequence belongs to the extension');
SELECT is_empty($$SELECT signature FROM routine WHERE oid NOT IN (SELECT objid FROM extension_object WHERE classid = 'pg_proc'::regclass)$$,
                'every function does');
SELECT is_empty($$
    SELECT pg_describe_object(d.classid, d.objid, d.objsubid)
      FROM pg_depend d JOIN extension_object o ON (o.classid, o.objid) = (d.refclassid, d.refobjid)
     WHERE (d.classid, d.objid) NOT IN (SELECT classid, objid FROM extension_object)
       AND d.classid <> 'pg_trigger'::regclass
       AND d.deptype <> 'i'
    $$, 'nothing but triggers uses what the extension brings: no column, default, check, index, generated column or view');
SELECT is_empty($$SELECT name, relowner::regrole FROM relation WHERE relowner <> 'membership_owner'::regrole$$,
                'the owner role owns every table, view and sequence');
SELECT is_empty($$SELECT name FROM relation WHERE relkind NOT IN ('r', 'v', 'S')$$, 'there are only ordinary tables, views and sequences');

-- keys
SELECT is_empty($$SELECT name FROM relation r WHERE relkind = 'r'
                     AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = r.oid AND i.indisprimary)$$,
                'every table has a primary key');
SELECT is_empty($$
    SELECT r.name, format_type(a.atttypid, a.atttypmod), a.attnotnull
      FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attname = 'member_id'
     WHERE r.relkind = 'r' AND NOT (a.atttypid = 'bigint'::regtype AND a.attnotnull)
    $$, 'member_id is bigint NOT NULL everywhere');
SELECT is_empty($$
    SELECT r.name, pg_get_indexdef(i.indexrelid)
      FROM relation r JOIN pg_index i ON i.indrelid = r.oid
     WHERE r.of_member AND NOT r.directory AND (i.indisunique OR i.indisexclusion)
       AND pg_get_indexdef(i.indexrelid, 1, false) NOT IN
           ('member_id', 'int8range(member_id, member_id, ''[]''::text)')
    $$, 'member_id comes first in every key of a member''s table; directories are the exceptions');
SELECT is_empty($$
    SELECT r.name, a.attname
      FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attidentity <> ''
        OR pg_get_expr(d.adbin, d.adrelid) LIKE '%nextval%' AND (r.name, a.attname) <> ('program', 'config_version')
    $$, 'no identity or serial column');
SELECT is_empty($$
    SELECT r.name, pg_get_constraintdef(k.oid)
      FROM relation r JOIN pg_constraint k ON k.conrelid = r.oid AND k.contype = 'f'
      JOIN relation f ON f.oid = k.confrelid
     WHERE (r.of_member OR f.of_member)
       AND NOT EXISTS (SELECT FROM unnest(k.conkey, k.confkey) c (here, there)
                        JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = c.here AND a.attname = 'member_id'
                        JOIN pg_attribute b ON b.attrelid = f.oid AND b.attnum = c.there AND b.attname = 'member_id')
    $$, 'foreign keys stay within one member, or within configuration');

-- columns and indexes
SELECT is_empty($$
    SELECT r.name, a.attname, format_type(a.atttypid, a.atttypmod)
      FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0
     WHERE r.relkind = 'r' AND a.atttypid IN ('real'::regtype, 'double precision'::regtype, 'money'::regtype, 'timestamp'::regtype,
                                              'varchar'::regtype, 'bpchar'::regtype, 'json'::regtype)
    $$, 'no floats, no money type, no times without zone, no json');
SELECT is_empty($$
    SELECT name, reloptions FROM relation
     WHERE name IN ('account', 'activity_day', 'lot')
       AND NOT (reloptions @> '{fillfactor=80}' AND array_to_string(reloptions, ' ') ~ 'autovacuum_vacuum_scale_factor=0\.0[1-9]')
    $$, 'the tables that change with every purchase leave room on their pages and are vacuumed early');
SELECT is_empty($$
    SELECT pg_get_indexdef(i.indexrelid) FROM relation r JOIN pg_index i ON i.indrelid = r.oid
     WHERE r.name IN ('account', 'activity_day', 'lot') AND NOT i.indisprimary
    $$, '... and have no index that would hinder heap-only updates');
\set architecture `cat doc/architecture.md`
SELECT set_config('test.architecture', :'architecture', true) \gset
SELECT is_empty($$
    SELECT x.relname FROM relation r JOIN pg_index i ON i.indrelid = r.oid JOIN pg_class x ON x.oid = i.indexrelid
     WHERE strpos(current_setting('test.architecture'), '`' || x.relname || '`') = 0
    $$, 'doc/architecture.md lists every index');
SELECT is_empty($$
    SELECT m[1] FROM regexp_matches(split_part(current_setting('test.architecture'), '## Indexes', 2), '`(\w+_(?:pkey|idx|key|no_overlap))`', 'g') m
     WHERE to_regclass('membership.' || m[1]) IS NULL
    $$, '... and no other');

-- names and comments
SELECT is_empty($$
    SELECT r.name, k.conname FROM relation r JOIN pg_constraint k ON k.conrelid = r.oid
     WHERE k.contype <> 'n' AND (k.conname !~ ('^' || r.name || '_') OR k.conname ~ '(_check|_excl|\d)$')
    $$, 'every constraint was given a name, beginning with its table''s');
SELECT is_empty($$
    SELECT signature FROM routine
     WHERE proname !~ '^(_[a-z]|(accrue|add|adjust|announce|authorize|capture|close|correct|create|enroll|erase|expire|find|grant|import|merge|preview|prune|quote|reassign|redeem|refund|release|remove|replace|retry|reverse|review|revoke|schedule|set|transfer|try|unschedule|update|upgrade|void)_[a-z])'
       AND proname NOT IN ('attr_date', 'balance_at', 'doctor', 'statement', 'verify')
    $$, 'functions are named verb_noun; private ones begin with _');
SELECT is_empty($$
    SELECT format('%s %s', relkind, name) FROM relation WHERE name !~ '^_' AND coalesce(obj_description(oid, 'pg_class'), '') = ''
    UNION ALL
    SELECT signature FROM routine WHERE coalesce(obj_description(oid, 'pg_proc'), '') = ''
    UNION ALL
    SELECT typname FROM pg_type t JOIN extension_object o ON o.classid = 'pg_type'::regclass AND o.objid = t.oid
     WHERE t.typelem = 0 AND coalesce(obj_description(t.oid, 'pg_type'), '') = ''
    UNION ALL
    SELECT extname FROM pg_extension WHERE extname = 'membership' AND coalesce(obj_description(oid, 'pg_extension'), '') = ''
    $$, 'tables, views, sequences, functions, types and the extension have comments');
-- the public functions say which errors of their own they raise
SELECT is_empty($$
    SELECT signature FROM routine
     WHERE proname !~ '^_' AND proname NOT IN ('verify')
       AND obj_description(oid, 'pg_proc') !~ 'Errors(:| as|,)'
    $$, 'the comment of a public function names its errors');

-- rights
SELECT is_empty($$
    SELECT signature FROM routine WHERE has_function_privilege('public', oid, 'EXECUTE')
    UNION ALL
    SELECT r.name FROM relation r, aclexplode(r.relacl) a WHERE a.grantee = 0
    UNION ALL
    SELECT n.nspname FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = 'membership' AND a.grantee = 0
    $$, 'PUBLIC has no right');
SELECT is(has_schema_privilege('membership_owner', 'membership', 'USAGE')::text || has_schema_privilege('membership_owner', 'membership', 'CREATE'),
          'truefalse', 'the owner may use the schema but not create in it');
SELECT is_empty($$SELECT signature FROM routine WHERE prosecdef$$, 'no function is SECURITY DEFINER');
SELECT is_empty($$SELECT signature, proconfig FROM routine WHERE lanname = 'c' AND proconfig IS NOT NULL$$, 'no C function has a SET clause');
SELECT is_empty($$
    SELECT signature FROM routine
     WHERE lanname = 'plpgsql' AND coalesce(proconfig[1], '') <> 'search_path=pg_catalog, pg_temp'
    $$, 'every PL/pgSQL function pins its search_path');

-- what the planner is told, and what PL/pgSQL only finds out when it runs
SELECT is_empty($$
    SELECT p.signature FROM routine p
     WHERE p.provolatile = 'i' AND p.proname <> 'attr_date' -- reads a day as it is written
       AND (p.lanname <> 'sql' OR p.prorettype = ANY (array['date', 'timestamp', 'timestamptz']::regtype[])
            OR p.proargtypes::oid[] && array['date', 'timestamp', 'timestamptz', 'time', 'timetz']::regtype[]::oid[])
    $$, 'no IMMUTABLE function deals in times, which hang on a zone');
SELECT is_empty($$
    SELECT signature, c.functionid::regprocedure, c.lineno, c.message
      FROM routine, plpgsql_check_function_tb(routine.oid, fatal_errors => false) c
     WHERE lanname = 'plpgsql' AND c.level = 'error'
       AND c.message !~ '\mcron\M' -- pg_cron is not in this database
    $$, 'plpgsql_check finds no error');

SELECT * FROM finish();
ROLLBACK;
