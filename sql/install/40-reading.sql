-- Reading.

CREATE FUNCTION membership.statement(
    member_id bigint, before_entry_no bigint DEFAULT NULL, max_rows integer DEFAULT 100)
RETURNS SETOF membership.statement_line
LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_statement';
COMMENT ON FUNCTION membership.statement IS
'A page of a member''s points statement, newest first: at most max_rows (1 to 10000) entries with numbers below before_entry_no (NULL = from the newest), and the events that moved no points between them, which are not counted. Next page: before_entry_no = the smallest entry_no shown. An unknown member has no lines. Errors: 22004, 22023 bad argument.';

CREATE FUNCTION membership.balance_at(member_id bigint, at timestamptz, known_at timestamptz DEFAULT 'infinity')
RETURNS bigint
LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_balance_at';
COMMENT ON FUNCTION membership.balance_at IS
'Points balance at a moment, by two clocks: entries of events with occurred_at <= at and posted_at <= known_at, less what remained then of lots dead at that moment. Errors: 22004, 22023 bad argument, MB002 unknown member.';

CREATE FUNCTION membership.verify(only_member_id bigint DEFAULT NULL)
RETURNS SETOF membership.violation
LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_verify';
COMMENT ON FUNCTION membership.verify IS
'Checks every invariant of the ledger, for all members or for one, in one snapshot. No rows = sound.';
