-- Writes api.md from the catalogue's comments: psql -X -q -A -t -f doc/api.sql in a database with a programme.
\pset format unaligned
\pset tuples_only on
SELECT '# SQL API' || E'\n\n'
    || 'Written by `make doc` from the objects'' comments; a test checks that it is current. All names are in schema `membership`.';

SELECT E'\n## Functions\n';
SELECT '### ' || p.proname || E'\n`' || p.proname || '('
    || pg_get_function_arguments(p.oid) || ')'
    || CASE p.prokind WHEN 'p' THEN '' ELSE ' -> ' || pg_get_function_result(p.oid) END || E'`\n\n'
    || obj_description(p.oid, 'pg_proc') || E'\n'
  FROM pg_proc p
 WHERE p.pronamespace = 'membership'::regnamespace AND p.proname NOT LIKE '\_%'
 ORDER BY p.proname;

SELECT E'## Row types\n';
SELECT '### ' || c.relname || E'\n' || obj_description(t.oid, 'pg_type') || E'\n\n'
    || (SELECT string_agg('`' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || '`', ', ' ORDER BY a.attnum)
          FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) || E'\n'
  FROM pg_class c
  JOIN pg_type t ON t.typrelid = c.oid
 WHERE c.relnamespace = 'membership'::regnamespace AND c.relkind = 'c'
 ORDER BY c.relname;

SELECT E'## ' || k.title || E'\n\n' || (
    SELECT string_agg('### ' || c.relname || E'\n' || obj_description(c.oid, 'pg_class') || E'\n\n'
        || (SELECT string_agg('- `' || a.attname || '` ' || format_type(a.atttypid, a.atttypmod)
                   || coalesce(': ' || col_description(c.oid, a.attnum), ''), E'\n' ORDER BY a.attnum)
              FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
        E'\n\n' ORDER BY c.relname)
      FROM pg_class c
     WHERE c.relnamespace = 'membership'::regnamespace AND c.relkind = k.kind AND c.relname NOT LIKE '\_%') || E'\n'
  FROM (VALUES (1, 'Views', 'v'::"char"), (2, 'Tables', 'r')) k (n, title, kind)
 ORDER BY k.n;
