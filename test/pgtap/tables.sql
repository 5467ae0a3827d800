-- What a DBA may do to the tables that the engine writes without SQL: every change behaves as with SQL, or is refused by
-- name. Each change is tried with the same postings and undone.
\set tests 372
\ir setup.psql
SELECT open_mall() \gset
UPDATE program SET expiry = '12 months';
SELECT enrol('ann'), enrol('bob') \gset
-- the mall pays and is paid
SELECT accrue_points(m('bob'), 2, 100, 'before', at => '2024-01-02 12:00+08') \gset

-- One of everything that is written: rows inserted into all seven tables, account, lot and activity_day updated, lots deleted.
CREATE FUNCTION public.postings() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM membership.accrue_points(m('ann'), 2, 100, 'o1', at => '2024-03-01 12:00+08');
    PERFORM membership.accrue_points(m('ann'), 2, 20, 'o2', at => '2024-03-01 13:00+08');
    PERFORM membership.adjust_points(m('ann'), -30, 'test', 'a1', at => '2024-03-02 12:00+08');
    PERFORM membership.accrue_points(m('ann'), 2, 7, 'o3', at => '2025-04-01 12:00+08');
END
$$;
-- Of those postings: receipts o1, o2, o3; journal 2 to 6 (o1, o2, a1, expiry, o3); entries +100, +20, -30, -70, -20, +7; lots 1, 2 and 6, of which the last
-- stays; splits sale, commission and points_issued of three purchases.
CREATE TEMPORARY TABLE written (name text, keys text, inserted integer, updated integer, deleted integer, column_set text);
INSERT INTO written VALUES
    ('account',        'member_id, wallet_id',             0, 4, 0, 'balance'),
    ('receipt',        'merchant_id, order_ref',           3, 0, 0, NULL),
    ('journal',        'member_id, journal_no',            5, 0, 0, NULL),
    ('ledger_entry',   'member_id, wallet_id, entry_no',   6, 0, 0, NULL),
    ('lot',            'member_id, wallet_id, lot_no',     3, 1, 2, 'remaining'),
    ('activity_day',   'member_id, day',                   2, 1, 0, 'purchases'),
    ('merchant_split', 'member_id, journal_no, split_no',  9, 0, 0, NULL);

-- Makes a change, posts, and says what a query then finds ('sound' when it finds nothing and verify() neither) or the
-- error; everything is undone.
CREATE FUNCTION public.with_change(change text, look text DEFAULT 'SELECT NULL', acting text DEFAULT 'SELECT postings()') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    seen text;
    violations text;
BEGIN
    EXECUTE change;
    EXECUTE acting;
    SET CONSTRAINTS ALL IMMEDIATE;
    EXECUTE look INTO seen;
    SELECT string_agg(DISTINCT invariant, ' ') INTO violations FROM membership.verify();
    RAISE EXCEPTION USING ERRCODE = 'ZZ999';
EXCEPTION
    WHEN SQLSTATE 'ZZ999' THEN
        RETURN coalesce(seen, violations, 'sound');
    WHEN OTHERS THEN
        RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;

SELECT is(with_change('SELECT 1'), 'sound', 'no change');
SELECT is(with_change('SELECT 1', $$SELECT string_agg(name || ' ' || n, ', ' ORDER BY name) FROM (
    SELECT 'journal' AS name, count(*) AS n FROM journal WHERE member_id = m('ann') UNION ALL SELECT 'ledger_entry', count(*) FROM ledger_entry WHERE member_id = m('ann')
    UNION ALL SELECT 'lot', count(*) FROM lot WHERE member_id = m('ann') UNION ALL SELECT 'activity_day', count(*) FROM activity_day WHERE member_id = m('ann')
    UNION ALL SELECT 'merchant_split', count(*) FROM merchant_split WHERE member_id = m('ann')) x$$),
    'activity_day 2, journal 6, ledger_entry 6, lot 1, merchant_split 9', 'the postings are those expected');

-- ------------------------------------------------------------------ constraints

SELECT is(with_change(format('ALTER TABLE %I ADD CONSTRAINT dba CHECK (member_id > 0)', name)), 'sound', name || ': a CHECK that holds') FROM written;
SELECT is(with_change(format('ALTER TABLE %I ADD CONSTRAINT dba CHECK (member_id < 0) NOT VALID', name)),
          format('23514 new row for relation "%s" violates check constraint "dba"', name), name || ': a CHECK that fails') FROM written;
SELECT is(with_change(format('CREATE TABLE public.dba (key bigint PRIMARY KEY); INSERT INTO dba VALUES (m(''ann'')), (m(''bob''));
                              ALTER TABLE %I ADD CONSTRAINT dba FOREIGN KEY (member_id) REFERENCES dba; GRANT SELECT ON dba TO membership_owner', name)),
          'sound', name || ': a foreign key that holds') FROM written;
-- (an update that leaves the key is checked too when, as here, the transaction made the row)
SELECT is(with_change(format('CREATE TABLE public.dba (key bigint PRIMARY KEY); ALTER TABLE %I ADD CONSTRAINT dba FOREIGN KEY (member_id) REFERENCES dba NOT VALID', name)),
          format('23503 insert or update on table "%s" violates foreign key constraint "dba"', name),
          name || ': a foreign key that fails') FROM written;
SELECT is(with_change(format('CREATE TABLE public.dba (key bigint PRIMARY KEY); ALTER TABLE %I ADD CONSTRAINT dba FOREIGN KEY (member_id) REFERENCES dba DEFERRABLE INITIALLY DEFERRED NOT VALID', name),
                      'SELECT ''late''', 'DO $$BEGIN PERFORM postings(); RAISE NOTICE ''posted''; END$$'),
          format('23503 insert or update on table "%s" violates foreign key constraint "dba"', name), name || ': a deferred foreign key that fails')
  FROM written WHERE inserted > 0;
SELECT is(with_change(format('CREATE TABLE public.dba AS SELECT %s FROM %I; ALTER TABLE dba ADD FOREIGN KEY (%1$s) REFERENCES %2$I', keys, name)),
          'sound', name || ': a foreign key to it') FROM written;
-- lots 1 and 2 are used up at the end
SELECT is(with_change('CREATE TABLE public.dba (member_id bigint, wallet_id smallint, lot_no bigint, FOREIGN KEY (member_id, wallet_id, lot_no) REFERENCES lot)', 'SELECT NULL',
                      'DO $$BEGIN PERFORM accrue_points(m(''ann''), 1, 5, ''x'', at => ''2024-02-01 12:00+08''); INSERT INTO dba VALUES (m(''ann''), 1, 1); PERFORM postings(); END$$'),
          '23503 update or delete on table "lot" violates foreign key constraint "dba_member_id_wallet_id_lot_no_fkey" on table "dba"', 'a lot that is referred to cannot leave');
SELECT is(with_change('CREATE TABLE public.dba (member_id bigint, wallet_id smallint, lot_no bigint, FOREIGN KEY (member_id, wallet_id, lot_no) REFERENCES lot ON DELETE CASCADE)',
                      'SELECT count(*) || '' left'' FROM dba',
                      'DO $$BEGIN PERFORM accrue_points(m(''ann''), 1, 5, ''x'', at => ''2024-02-01 12:00+08''); INSERT INTO dba VALUES (m(''ann''), 1, 1); PERFORM postings(); END$$'),
          '0 left', 'or takes along what refers to it ON DELETE CASCADE');

-- ------------------------------------------------------------------ row triggers

CREATE TABLE public.audit (number integer GENERATED ALWAYS AS IDENTITY, "table" text, operation text, row_level text, old jsonb, new jsonb, seen bigint, who name);
GRANT INSERT, SELECT ON audit TO PUBLIC;
CREATE FUNCTION public.audit_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    seen bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM membership.%I', TG_TABLE_NAME) INTO seen;
    INSERT INTO public.audit ("table", operation, row_level, old, new, seen, who) VALUES (TG_TABLE_NAME, TG_OP, TG_WHEN,
        CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END, CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END, seen, current_user);
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END
$$;
SELECT is(with_change(format('CREATE TRIGGER dba %s INSERT OR UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION audit_row()', moment, name),
                      'SELECT format(''%s %s %s %s'', count(*) FILTER (WHERE operation = ''INSERT''), count(*) FILTER (WHERE operation = ''UPDATE''),
                              count(*) FILTER (WHERE operation = ''DELETE''), string_agg(DISTINCT who, '' '')) FROM audit'),
          format('%s %s %s membership_owner', inserted, updated, deleted), format('%s: a trigger %s each row sees what happens', name, lower(moment)))
  FROM written, (VALUES ('BEFORE'), ('AFTER')) v (moment);
-- +100, +20, -30, -70 and -20 at once, +7
SELECT is(with_change('CREATE TRIGGER dba AFTER UPDATE ON account FOR EACH ROW EXECUTE FUNCTION audit_row()',
                      'SELECT string_agg(format(''%s>%s'', old -> ''balance'', new -> ''balance''), '' '' ORDER BY number) FROM audit'),
          '0>100 100>120 120>90 90>7', 'with the rows before and after');
SELECT is(with_change('CREATE TRIGGER dba AFTER UPDATE OF balance ON account FOR EACH ROW WHEN (NEW.balance < OLD.balance) EXECUTE FUNCTION audit_row()',
                      'SELECT string_agg(format(''%s>%s'', old -> ''balance'', new -> ''balance''), '' '' ORDER BY number) FROM audit'),
          '120>90 90>7', 'by its WHEN and UPDATE OF');
SELECT is(with_change('CREATE TRIGGER dba AFTER UPDATE OF member_id ON account FOR EACH ROW EXECUTE FUNCTION audit_row()', 'SELECT count(*) || '' fired'' FROM audit'),
          '0 fired', 'UPDATE OF a column that is not set');
-- bob's lot and the member's new one
SELECT is(with_change('CREATE TRIGGER dba AFTER INSERT ON lot FOR EACH ROW EXECUTE FUNCTION audit_row()', 'SELECT seen || '' seen'' FROM audit ORDER BY number LIMIT 1'),
          '2 seen', 'a trigger after sees the row in the table');
SELECT is(with_change('CREATE TRIGGER dba BEFORE INSERT ON lot FOR EACH ROW EXECUTE FUNCTION audit_row()', 'SELECT seen || '' seen'' FROM audit ORDER BY number LIMIT 1'),
          '1 seen', 'a trigger before does not yet');
SELECT is(with_change(format('CREATE FUNCTION public.dba() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RAISE EXCEPTION ''''not in %%'''', TG_TABLE_NAME; END'';
                              CREATE TRIGGER dba %s INSERT OR UPDATE ON %I FOR EACH ROW EXECUTE FUNCTION dba()', moment, name)),
          'P0001 not in ' || name, format('%s: a trigger %s each row can refuse', name, lower(moment)))
  FROM written, (VALUES ('BEFORE'), ('AFTER')) v (moment);
SELECT is(with_change(format('ALTER TABLE %I ADD COLUMN dba text; CREATE FUNCTION public.dba() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN NEW.dba := NEW.member_id || TG_OP; RETURN NEW; END'';
                              CREATE TRIGGER dba BEFORE INSERT OR UPDATE ON %1$I FOR EACH ROW EXECUTE FUNCTION dba()', name),
                      format('SELECT string_agg(DISTINCT dba, '' '' ORDER BY dba) FROM %I WHERE member_id = m(''ann'')', name)),
          -- lot 1 was updated and is gone; the other lots were never updated
          (SELECT string_agg(m('ann') || o, ' ' ORDER BY o) FROM (VALUES ('INSERT', inserted > 0), ('UPDATE', updated > 0 AND name <> 'lot')) v (o, stays) WHERE stays),
          name || ': a trigger fills a DBA''s column') FROM written;
SELECT is(with_change('CREATE FUNCTION public.dba() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN NEW.reason := upper(NEW.reason); RETURN NEW; END'';
                       CREATE TRIGGER dba BEFORE INSERT ON journal FOR EACH ROW EXECUTE FUNCTION dba()', 'SELECT reason FROM journal WHERE verb = ''adjustment'''),
          'TEST', 'or changes one of the engine''s');
-- a trigger that posts: ten points to bob for every purchase of ann's
SELECT is(with_change('CREATE FUNCTION public.dba() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
                           ''BEGIN PERFORM membership.grant_points(public.m(''''bob''''), 10, ''''friend'''', NEW.order_ref, at => NEW.posted_at); RETURN NULL; END'';
                       CREATE TRIGGER dba AFTER INSERT ON journal FOR EACH ROW WHEN (NEW.verb = ''accrual'') EXECUTE FUNCTION dba()',
                      -- bob's own 100 of January 2024 are dead in April 2025; so is what he got in 2024
                      'SELECT string_agg(points::text, '' '' ORDER BY journal_no) FROM journal WHERE member_id = m(''bob'') AND verb = ''grant'''),
          '10 10 10', 'a trigger may post for another member');
SELECT is(with_change(format('CREATE TRIGGER dba BEFORE INSERT ON %I FOR EACH ROW EXECUTE FUNCTION audit_row(); ALTER TABLE %1$I DISABLE TRIGGER dba', name), 'SELECT count(*) || '' fired'' FROM audit'),
          '0 fired', name || ': a disabled trigger does not fire') FROM written WHERE name = 'journal';

-- A trigger that swallows a row takes effect, as with SQL; then a later posting fails, or verify() finds it.
SELECT is(with_change(format('CREATE FUNCTION public.dba() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN NULL; END'';
                              CREATE TRIGGER dba BEFORE %s ON %I FOR EACH ROW EXECUTE FUNCTION dba()', event, name)), found, format('%s %s swallowed', event, name))
  FROM (VALUES
    ('INSERT', 'journal', 'activity_is_sum_of_journal journal_numbers_are_gapless journal_points_are_sum_of_entries last_posted_at_is_that_of_the_journal '
                          'receipt_and_purchase_belong_together source_key_has_its_journal_row split_has_its_purchase'),
    ('INSERT', 'receipt', '40001 the receipt was claimed and released by another transaction'),
    ('INSERT', 'ledger_entry', 'balance_is_sum_of_entries entry_numbers_are_gapless journal_points_are_sum_of_entries lot_equals_opening_entry lot_remaining_is_sum_of_entries'),
    ('INSERT', 'lot', 'MB101 member ' || m('ann') || ' has not enough points'),
    ('INSERT', 'activity_day', 'activity_is_sum_of_journal'),
    ('INSERT', 'merchant_split', 'splits_balance_to_the_purchase'),
    ('UPDATE', 'account', '23505 duplicate key value violates unique constraint "journal_pkey"'),
    ('UPDATE', 'lot', 'lot_remaining_is_sum_of_entries'),
    ('UPDATE', 'activity_day', 'activity_is_sum_of_journal'),
    ('DELETE', 'lot', 'lot_remaining_is_sum_of_entries next_expiry_not_after_any_lot')) v (event, name, found);

-- ------------------------------------------------------------------ columns

SELECT is(with_change(format('ALTER TABLE %I ADD COLUMN dba text GENERATED ALWAYS AS (''of '' || member_id::text) STORED', name),
                      format('SELECT string_agg(DISTINCT dba, '' '') FROM %I WHERE member_id = m(''ann'')', name)), 'of ' || m('ann'), name || ': a generated column')
  FROM written;
-- 100 - 100 - 20 + 7 and so on: what follows an updated column is computed again
SELECT is(with_change('ALTER TABLE account ADD COLUMN dba bigint GENERATED ALWAYS AS (balance * 2) STORED', 'SELECT dba::text FROM account WHERE member_id = m(''ann'')'), '14',
          'a generated column follows an update');
SELECT is(with_change('ALTER TABLE lot ADD COLUMN dba bigint GENERATED ALWAYS AS (granted - remaining) STORED', 'SELECT string_agg(dba::text, '' '' ORDER BY lot_no) FROM lot WHERE member_id = m(''ann'')',
                      'DO $$BEGIN PERFORM accrue_points(m(''ann''), 2, 100, ''o1'', at => ''2024-03-01 12:00+08''), adjust_points(m(''ann''), -30, ''test'', ''a1'', at => ''2024-03-02 12:00+08''); END$$'),
          '30', 'of a lot too');
-- bob's row was there before
SELECT is(with_change(format('ALTER TABLE %I ADD COLUMN dba integer DEFAULT 7', name), format('SELECT string_agg(DISTINCT dba::text, '' '') FROM %I', name)), '7',
          name || ': a column with a default') FROM written;
SELECT is(with_change(format('CREATE SEQUENCE public.dba START 100; GRANT USAGE ON dba TO membership_owner; ALTER TABLE %I ADD COLUMN dba bigint DEFAULT nextval(''public.dba'')', name),
                      format('SELECT (count(DISTINCT dba) = count(*) AND count(dba) = count(*) AND min(dba) = 100)::text FROM %I', name)), 'true',
          name || ': a column with a default that differs by row') FROM written;
SELECT is(with_change(format('ALTER TABLE %I ADD COLUMN dba text NOT NULL DEFAULT current_user', name), format('SELECT min(dba) FROM %I WHERE member_id = m(''ann'')', name)),
          CASE WHEN inserted > 0 THEN 'membership_owner' ELSE 'postgres' END, name || ': a default is computed as the owner') FROM written;
SELECT is(with_change(format('ALTER TABLE %I ADD COLUMN dba integer; ALTER TABLE %1$I ALTER dba SET NOT NULL', name)),
          format('23502 column "dba" of relation "%s" contains null values', name), name || ': NOT NULL without default cannot be') FROM written;
SELECT is(with_change(format('ALTER TABLE %I ADD COLUMN dba integer DEFAULT 1 NOT NULL; ALTER TABLE %1$I ALTER dba DROP DEFAULT', name)),
          CASE WHEN inserted > 0 THEN format('23502 null value in column "dba" of relation "%s" violates not-null constraint', name) ELSE 'sound' END,
          name || ': NOT NULL whose default was dropped') FROM written;
SELECT is(with_change(format('ALTER TABLE %I ADD COLUMN dba integer DEFAULT 7; SELECT membership.accrue_points(m(''bob''), 2, 1, ''between'', at => ''2024-02-02 12:00+08''); ALTER TABLE %1$I DROP COLUMN dba', name)),
          'sound', name || ': a column that came and went') FROM written;
SELECT is(with_change('CREATE DOMAIN public.dba AS integer DEFAULT 3 CHECK (VALUE < 5); ALTER TABLE journal ADD COLUMN dba public.dba', 'SELECT string_agg(DISTINCT dba::text, '' '') FROM journal WHERE member_id = m(''ann'') AND verb <> ''enrolment'''),
          '3', 'a column of a domain with a default');
SELECT is(with_change('ALTER TABLE ledger_entry ADD COLUMN dba bigint GENERATED ALWAYS AS IDENTITY', 'SELECT count(DISTINCT dba) || '' of '' || count(*) FROM ledger_entry'), '7 of 7', 'an identity column');
SELECT is(with_change('ALTER TABLE journal DROP COLUMN reason CASCADE'), '42703 column "reason" of "membership.journal" does not exist', 'an engine''s column that is missing');

-- ------------------------------------------------------------------ indexes

SELECT is(with_change(format('CREATE INDEX dba ON %I ((member_id %% 7), member_id DESC) WHERE member_id > 0', name),
                      format('SELECT n || '' found'' FROM (SELECT count(*) FROM %I WHERE member_id %% 7 = m(''ann'') %% 7 AND member_id > 0) x (n)', name),
                      'DO $$BEGIN PERFORM postings(); SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; END$$'),
          (SELECT x.n || ' found' FROM (VALUES ('account', 1), ('receipt', 3), ('journal', 6), ('ledger_entry', 6), ('lot', 1), ('activity_day', 2), ('merchant_split', 9)) x (t, n) WHERE t = name),
          name || ': an expression index with a WHERE') FROM written;
SELECT is(with_change(format('CREATE UNIQUE INDEX dba ON %I ((''x''::text), %s)', name, keys)), 'sound', name || ': a unique index that holds') FROM written;
SELECT is(with_change(change), format('23505 duplicate key value violates unique constraint "dba"'), change)
  FROM (VALUES ('CREATE UNIQUE INDEX dba ON receipt (member_id)'), ('CREATE UNIQUE INDEX dba ON journal (member_id, verb)'), ('CREATE UNIQUE INDEX dba ON ledger_entry (member_id, sign(points))'),
               ('CREATE UNIQUE INDEX dba ON lot (member_id, origin)'), ('CREATE UNIQUE INDEX dba ON activity_day (member_id)'),
               ('CREATE UNIQUE INDEX dba ON merchant_split (member_id, kind) WHERE kind = ''sale'''),
               ('ALTER TABLE journal ADD CONSTRAINT dba UNIQUE (merchant_id, channel)')) v (change);
-- 7 at the end, but 100 on the way
SELECT is(with_change('CREATE UNIQUE INDEX dba ON account (balance)'), '23505 duplicate key value violates unique constraint "dba"', 'a unique index that an update breaks');
SELECT is(with_change('ALTER TABLE merchant_split ADD CONSTRAINT dba EXCLUDE USING gist (int8range(member_id, member_id, ''[]'') WITH &&, int4range(split_no, split_no, ''[]'') WITH &&)'),
          '23P01 conflicting key value violates exclusion constraint "dba"', 'an exclusion constraint');
SELECT is(with_change('ALTER TABLE journal ADD CONSTRAINT dba UNIQUE (member_id, channel) DEFERRABLE INITIALLY DEFERRED', acting => 'DO $$BEGIN PERFORM postings(); RAISE NOTICE ''posted''; END$$'),
          '23505 duplicate key value violates unique constraint "dba"', 'a deferred unique constraint');

-- ------------------------------------------------------------------ row level security

CREATE ROLE t_till;
CREATE ROLE t_auditor;
SELECT grant_access('t_till', 'application'), grant_access('t_auditor', 'analyst') \gset
SELECT is(with_change(format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY; CREATE POLICY dba ON %1$I TO t_auditor USING (member_id = %s)', name, m('bob'))), 'sound', name || ': row level security')
  FROM written;
SELECT is(with_change('ALTER TABLE ledger_entry ENABLE ROW LEVEL SECURITY; CREATE POLICY dba ON ledger_entry TO t_auditor USING (member_id = m(''bob''))',
                      'SELECT count(DISTINCT member_id) || '' members'' FROM ledger_entry', 'DO $$BEGIN SET LOCAL ROLE t_till; PERFORM accrue_points(1, 2, 5, ''by till''); RESET ROLE; END$$'),
          '2 members', 'hides nothing from a caller''s posting');

-- ------------------------------------------------------------------ batches

-- Rows of a batch are written many at a time, unless a change of the table asks for each by itself.
SELECT enrol('cat') \gset
SELECT accrue_points(m('cat'), 2, 5, 'early', at => '2025-04-01 11:00+08') \gset
CREATE FUNCTION public.row_of(name text, amount numeric, order_ref text) RETURNS membership.purchase LANGUAGE sql STABLE AS
$$ SELECT ROW(m(name), 2, amount, order_ref, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2025-04-01 12:00+08')::membership.purchase $$;
-- Four purchases of three members: the results, or the SQLSTATE, in the order of rows.
CREATE FUNCTION public.batch() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(coalesce(sqlstate, points::text), ' ' ORDER BY row_no)
      FROM membership.accrue_batch(ARRAY[row_of('ann', 100, 'b1'), row_of('bob', 40, 'b2'), row_of('ann', 20, 'b3'), row_of('cat', 7, 'b4')])
$$;
-- Bob's 100 points of January 2024 have died: their lot leaves, by a journal row and an entry more. Cat had a purchase on that day.
CREATE TEMPORARY TABLE batch_written (name text, inserted integer, updated integer, deleted integer);
INSERT INTO batch_written VALUES ('account', 0, 3, 0), ('receipt', 4, 0, 0), ('journal', 5, 0, 0), ('ledger_entry', 5, 0, 0), ('lot', 4, 0, 1),
    ('activity_day', 2, 1, 0), ('merchant_split', 12, 0, 0);
CREATE TEMPORARY TABLE outcome (results text);
GRANT INSERT, SELECT ON outcome TO PUBLIC;
-- As with_change, for the batch: its results, what a query finds afterwards, and what verify() finds.
CREATE FUNCTION public.batch_with(change text, look text DEFAULT 'SELECT NULL') RETURNS text LANGUAGE sql AS
$$ SELECT with_change(change, format('SELECT concat_ws('': '', (SELECT results FROM outcome), (%s), (SELECT string_agg(DISTINCT invariant, '' '') FROM membership.verify()))', look),
                      'INSERT INTO outcome SELECT batch()') $$;

SELECT is(batch_with('SELECT 1'), '100 40 20 7', 'a batch without any change');
SELECT is(batch_with(format('ALTER TABLE %I ADD CONSTRAINT dba CHECK (member_id > 0)', name)), '100 40 20 7', name || ': a batch and a CHECK that holds') FROM batch_written;
-- each row that fails fails alone: those of one member here
SELECT is(batch_with(format('ALTER TABLE %I ADD CONSTRAINT dba CHECK (member_id <> %s) NOT VALID', name, m('ann'))), '23514 40 23514 7', name || ': a batch and a CHECK that fails')
  FROM batch_written;
SELECT is(batch_with(format('CREATE TABLE public.dba (key bigint PRIMARY KEY); INSERT INTO dba VALUES (m(''ann'')), (m(''bob'')), (m(''cat'')); GRANT SELECT ON dba TO membership_owner;
                             ALTER TABLE %I ADD CONSTRAINT dba FOREIGN KEY (member_id) REFERENCES dba', name)), '100 40 20 7', name || ': a batch and a foreign key that holds')
  FROM batch_written;
SELECT is(batch_with(format('CREATE TABLE public.dba (key bigint PRIMARY KEY); INSERT INTO dba VALUES (m(''bob'')), (m(''cat'')); GRANT SELECT ON dba TO membership_owner;
                             ALTER TABLE %I ADD CONSTRAINT dba FOREIGN KEY (member_id) REFERENCES dba NOT VALID', name)), '23503 40 23503 7', name || ': a batch and a foreign key that fails')
  FROM batch_written;
SELECT is(batch_with(format('CREATE TRIGGER dba %s INSERT OR UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION audit_row()', moment, name),
                     'SELECT format(''%s %s %s %s'', count(*) FILTER (WHERE operation = ''INSERT''), count(*) FILTER (WHERE operation = ''UPDATE''),
                             count(*) FILTER (WHERE operation = ''DELETE''), string_agg(DISTINCT who, '' '')) FROM audit'),
          format('100 40 20 7: %s %s %s membership_owner', inserted, updated, deleted), format('%s: a trigger %s each row of a batch', name, lower(moment)))
  FROM batch_written, (VALUES ('BEFORE'), ('AFTER')) v (moment);
-- lots before: bob's dead one and cat's. A trigger before each row sees those written before it (ann's first sees 2, her second 3, bob's
-- 4 - 1, cat's 4); a trigger after each row sees them all, 2 - 1 + 4
SELECT is(batch_with(format('CREATE TRIGGER dba %s INSERT ON lot FOR EACH ROW EXECUTE FUNCTION audit_row()', moment), 'SELECT string_agg(seen::text, '' '' ORDER BY number) FROM audit'),
          '100 40 20 7: ' || seen, format('a trigger %s each row sees the rows of a batch', lower(moment)))
  FROM (VALUES ('BEFORE', '2 3 3 4'), ('AFTER', '5 5 5 5')) v (moment, seen);
SELECT is(batch_with('CREATE TRIGGER dba AFTER INSERT ON lot FOR EACH ROW WHEN (NEW.granted >= 40) EXECUTE FUNCTION audit_row()',
                     'SELECT string_agg(new ->> ''granted'', '' '' ORDER BY number) FROM audit'), '100 40 20 7: 100 40', 'a trigger after rows that its WHEN names');
SELECT is(batch_with('CREATE FUNCTION public.dba() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN NEW.channel := NEW.channel || NEW.points; RETURN NEW; END'';
                      CREATE TRIGGER dba BEFORE INSERT ON journal FOR EACH ROW EXECUTE FUNCTION dba()',
                     'SELECT string_agg(channel, '' '' ORDER BY order_ref) FROM journal WHERE order_ref LIKE ''b_'''), '100 40 20 7: pos100 pos40 pos20 pos7', 'a trigger changes rows of a batch');
-- 4 entries with a new lot, of which bob's is swallowed
SELECT is(batch_with('CREATE FUNCTION public.dba() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN IF NEW.granted <> 40 THEN RETURN NEW; END IF; RETURN NULL; END'';
                      CREATE TRIGGER dba BEFORE INSERT ON lot FOR EACH ROW EXECUTE FUNCTION dba()',
                     'SELECT string_agg(granted::text, '' '' ORDER BY granted) FROM lot WHERE expires_at > ''2026-01-01'''),
          '100 40 20 7: 5 7 20 100: lot_remaining_is_sum_of_entries', 'or swallows one');
SELECT is(batch_with('CREATE FUNCTION public.dba() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN NULL; END'';
                      CREATE TRIGGER dba BEFORE INSERT ON receipt FOR EACH ROW WHEN (NEW.order_ref = ''b2'') EXECUTE FUNCTION dba()'),
          '40001 the receipt was claimed and released by another transaction', 'but no receipt');
SELECT is(batch_with(format('CREATE FUNCTION public.dba() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN IF NEW.member_id = %s THEN RAISE EXCEPTION ''''no''''; END IF; RETURN NEW; END'';
                             CREATE TRIGGER dba %s INSERT OR UPDATE ON %I FOR EACH ROW EXECUTE FUNCTION dba()', m('bob'), moment, name)),
          '100 P0001 20 7', format('%s: a trigger %s each row refuses one of a batch', name, lower(moment)))
  FROM batch_written, (VALUES ('BEFORE'), ('AFTER')) v (moment);
-- the account is changed under the batch's feet, after it was read: the change is noticed, never overwritten
SELECT is(left(batch_with('CREATE FUNCTION public.dba() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
                          ''BEGIN UPDATE membership.account SET last_posted_at = last_posted_at WHERE member_id = NEW.member_id; RETURN NEW; END'';
                      CREATE TRIGGER dba BEFORE INSERT ON journal FOR EACH ROW WHEN (NEW.order_ref = ''b2'') EXECUTE FUNCTION dba()'), 5),
          '55000', 'a trigger that writes what the batch is about to write');

SELECT is(batch_with(format('ALTER TABLE %I ADD COLUMN dba text GENERATED ALWAYS AS (''of '' || member_id::text) STORED', name),
                     format('SELECT bool_and(dba IS NOT DISTINCT FROM ''of '' || member_id)::text FROM %I', name)), '100 40 20 7: true', name || ': a generated column in a batch') FROM batch_written;
SELECT is(batch_with(format('ALTER TABLE %I ADD COLUMN dba integer DEFAULT 7', name), format('SELECT string_agg(DISTINCT dba::text, '' '') FROM %I', name)),
          '100 40 20 7: 7', name || ': a default in a batch') FROM batch_written;
SELECT is(batch_with(format('CREATE SEQUENCE public.dba START 100; GRANT USAGE ON dba TO membership_owner; ALTER TABLE %I ADD COLUMN dba text; ALTER TABLE %1$I ALTER dba SET DEFAULT ''n'' || nextval(''public.dba'')', name),
                     format('SELECT count(DISTINCT dba) || '' '' || coalesce(min(dba), '''') FROM %I', name)),
          format('100 40 20 7: %s %s', inserted, CASE WHEN inserted > 0 THEN 'n100' ELSE '' END), name || ': a default that differs by row of a batch') FROM batch_written;
-- a volatile default sees the rows before its own: 2 lots, 3, 4 - 1, 4
SELECT is(batch_with('CREATE FUNCTION public.dba() RETURNS bigint LANGUAGE plpgsql VOLATILE AS ''BEGIN RETURN (SELECT count(*) FROM membership.lot); END'';
                      ALTER TABLE lot ADD COLUMN dba bigint; ALTER TABLE lot ALTER dba SET DEFAULT public.dba()',
                     'SELECT string_agg(dba::text, '' '' ORDER BY member_id, lot_no) FROM lot WHERE dba IS NOT NULL'), '100 40 20 7: 2 3 3 4', 'a default that reads the table');
SELECT is(batch_with(format('ALTER TABLE %I ADD COLUMN dba integer DEFAULT 1 NOT NULL; ALTER TABLE %1$I ALTER dba DROP DEFAULT', name)),
          CASE WHEN inserted = 0 THEN '100 40 20 7' WHEN name = 'activity_day' THEN '23502 23502 23502 7' ELSE '23502 23502 23502 23502' END,
          name || ': NOT NULL without default in a batch') FROM batch_written;
SELECT is(batch_with(format('ALTER TABLE %I ADD COLUMN dba integer DEFAULT 7; SELECT membership.accrue_points(m(''cat''), 2, 1, ''between'', at => ''2025-04-01 11:30+08''); ALTER TABLE %1$I DROP COLUMN dba', name)),
          '100 40 20 7', name || ': a column that came and went before a batch') FROM batch_written;

SELECT is(batch_with(format('CREATE INDEX dba ON %I ((member_id %% 7), member_id DESC) WHERE member_id > 0', name),
                     format('SELECT count(*) FROM %I WHERE member_id %% 7 = m(''ann'') %% 7 AND member_id > 0', name)),
          format('100 40 20 7: %s', CASE name WHEN 'account' THEN 1 WHEN 'journal' THEN 3 WHEN 'activity_day' THEN 1 WHEN 'merchant_split' THEN 6 ELSE 2 END),
          name || ': an expression index and a batch') FROM batch_written;
SELECT is(batch_with(format('CREATE UNIQUE INDEX dba ON %I ((''x''::text), %s)', name, keys)), '100 40 20 7', name || ': a unique index that holds in a batch') FROM written;
-- the second row of a member is the one too many, bob and cat having one from before where the index looks that far back
SELECT is(batch_with('CREATE UNIQUE INDEX dba ON ' || index), results, 'a batch and a unique index on ' || index)
  FROM (VALUES ('receipt (member_id) WHERE order_ref LIKE ''b_''', '100 40 23505 7'), ('journal (member_id, channel) WHERE order_ref LIKE ''b_''', '100 40 23505 7'),
               ('ledger_entry (member_id, sign(points))', '100 23505 23505 23505'), ('lot (member_id, origin) WHERE expires_at > ''2026-04-01''', '100 40 23505 23505'),
               ('activity_day (member_id)', '100 23505 20 7'), ('merchant_split (member_id, kind) WHERE kind = ''sale'' AND amount <> 100', '100 40 20 23505')) v (index, results);

-- ------------------------------------------------------------------ what is refused

SELECT is(with_change(format(change, name)), format('0A000 table "%s" cannot be used: it has %s', name, what), format('%s: %s', name, what || coalesce(', ' || event, '')))
  FROM written,
       (VALUES ('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', 'forced row level security', NULL),
               ('CREATE RULE dba AS ON INSERT TO %I DO ALSO NOTHING', 'rules', NULL),
               ('CREATE TRIGGER dba AFTER INSERT ON %I EXECUTE FUNCTION audit_row()', 'statement level triggers', 'AFTER INSERT'),
               ('CREATE TRIGGER dba BEFORE INSERT ON %I EXECUTE FUNCTION audit_row()', 'statement level triggers', 'BEFORE INSERT'),
               ('CREATE TRIGGER dba AFTER INSERT ON %I REFERENCING NEW TABLE AS n FOR EACH ROW EXECUTE FUNCTION audit_row()', 'statement level triggers', 'a transition table')) v (change, what, event);
SELECT is(with_change(format('CREATE TRIGGER dba AFTER %s ON %I EXECUTE FUNCTION audit_row()', event, name)),
          -- the guards of history refuse these anyway
          CASE WHEN name IN ('account', 'lot', 'activity_day') THEN format('0A000 table "%s" cannot be used: it has statement level triggers', name) ELSE 'sound' END,
          format('%s: AFTER %s FOR EACH STATEMENT', name, event))
  FROM written, (VALUES ('UPDATE'), ('DELETE')) v (event);
CREATE FUNCTION public.partition(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %I RENAME TO unpartitioned', name);
    EXECUTE format('CREATE TABLE %I (LIKE unpartitioned INCLUDING DEFAULTS, PRIMARY KEY (%s)) PARTITION BY HASH (%s)', name, (SELECT keys FROM written w WHERE w.name = partition.name),
                   (SELECT split_part(keys, ',', 1) FROM written w WHERE w.name = partition.name));
    EXECUTE format('CREATE TABLE partition_0 PARTITION OF %I FOR VALUES WITH (MODULUS 1, REMAINDER 0)', name);
    EXECUTE format('ALTER TABLE %I OWNER TO membership_owner; ALTER TABLE partition_0 OWNER TO membership_owner; INSERT INTO %1$I SELECT * FROM unpartitioned', name);
END
$$;
SELECT is(with_change(format('SELECT public.partition(%L)', name)), format('0A000 table "%s" cannot be used: it has another kind than an ordinary table', name), name || ': partitioned')
  FROM written;
-- member and program are read so, but written by SQL
SELECT is(with_change(format(change, name)), 'sound', format('%s: %s', name, what))
  FROM (VALUES ('member'), ('program')) t (name),
       (VALUES ('CREATE TRIGGER dba AFTER UPDATE ON %I EXECUTE FUNCTION audit_row()', 'a statement level trigger'),
               ('CREATE RULE dba AS ON UPDATE TO %I DO ALSO NOTHING', 'a rule')) v (change, what);
SELECT is(with_change('ALTER TABLE journal DROP CONSTRAINT journal_pkey'), '0A000 table "journal" cannot be used: it has no primary key', 'without primary key');
SELECT is(with_change('ALTER TABLE lot RENAME TO lots'), '42P01 table "membership.lot" does not exist', 'a table renamed');
CREATE TRIGGER dba AFTER INSERT ON ledger_entry EXECUTE FUNCTION audit_row();
SELECT throws_ok('SELECT postings()', '0A000', 'table "ledger_entry" cannot be used: it has statement level triggers', 'once there it is refused');
DO $$
DECLARE
    hint text;
BEGIN
    PERFORM postings();
EXCEPTION WHEN feature_not_supported THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    PERFORM set_config('test.hint', hint, true);
END
$$;
SELECT is(current_setting('test.hint'), 'Undo that change of the table.', 'with a hint');
-- no row of a batch is to blame, so the whole of it is refused
SELECT throws_ok($$SELECT * FROM accrue_batch(ARRAY[ROW(m('ann'), 2, 5, 'batch', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)]::purchase[])$$,
                 '0A000', 'table "ledger_entry" cannot be used: it has statement level triggers', 'in a batch too');
SELECT is(count(*), 2::bigint, 'reading goes on') FROM member_statement WHERE member_id = m('bob');
DROP TRIGGER dba ON ledger_entry;
SELECT lives_ok('SELECT postings()', 'and once it is gone all goes on');
SELECT is(ARRAY(SELECT v::text FROM verify() v), '{}', 'all of it is sound');
SELECT * FROM finish();
ROLLBACK;
