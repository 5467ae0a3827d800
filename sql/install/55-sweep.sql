-- Sweeps: what is done to all members when its time has come. Each batch is a transaction of its own where the call allows that.

CREATE PROCEDURE membership.expire_points(
    as_of timestamptz DEFAULT NULL, batch_size integer DEFAULT 5000,
    INOUT members bigint DEFAULT NULL, INOUT points bigint DEFAULT NULL, INOUT more boolean DEFAULT NULL)
LANGUAGE c AS 'MODULE_PATHNAME', 'membership_expire_points';
COMMENT ON PROCEDURE membership.expire_points IS
'Posts what is due by as_of (NULL = now): points that died expire, and before them, in the order of their times, holds time out and debt is paid, just as the member''s next call would post it. Any past as_of is a posting time, as for missed nights. Commits every batch_size members (1 to 10,000); inside a transaction block, a procedure with SET or a block that catches errors, it does one batch, and more says whether there is more. Members that are locked come last. Safe to stop, repeat and run several at once. Returns members and points expired; job_run has a row per run. Operators. Errors: 22004, 22023 as_of in the future or bad batch_size, MB402 tables not upgraded.';

CREATE PROCEDURE membership.release_holds(
    as_of timestamptz DEFAULT NULL, batch_size integer DEFAULT 5000,
    INOUT members bigint DEFAULT NULL, INOUT holds bigint DEFAULT NULL, INOUT more boolean DEFAULT NULL)
LANGUAGE c AS 'MODULE_PATHNAME', 'membership_release_holds';
COMMENT ON PROCEDURE membership.release_holds IS
'The same as expire_points for the members with a hold (预占) that has timed out by as_of; it looks at holds only, so it can run often. Returns members and holds released. Operators. Errors: as expire_points.';

CREATE PROCEDURE membership.announce_expiry(
    lead interval, as_of timestamptz DEFAULT NULL, batch_size integer DEFAULT 5000,
    INOUT members bigint DEFAULT NULL, INOUT events bigint DEFAULT NULL, INOUT more boolean DEFAULT NULL)
LANGUAGE c AS 'MODULE_PATHNAME', 'membership_announce_expiry';
COMMENT ON PROCEDURE membership.announce_expiry IS
'Writes an event points_expiring to the outbox (table event) for each member and each last valid day of points that is today, as of as_of (NULL = now), or at most lead ahead, once per day and lead. lead: above 0, at most 100 years. Points that are held, or will have paid debt, are not announced. Commits, and more, as expire_points. Returns members and events. Operators. Errors: 22004, 22023 bad argument, MB402 tables not upgraded.';

CREATE PROCEDURE membership.prune_context(
    older_than interval, batch_size integer DEFAULT 5000,
    INOUT members bigint DEFAULT NULL, INOUT contexts bigint DEFAULT NULL, INOUT more boolean DEFAULT NULL)
LANGUAGE c AS 'MODULE_PATHNAME', 'membership_prune_context';
COMMENT ON PROCEDURE membership.prune_context IS
'Deletes the free attributes (journal_context) of events posted longer ago than older_than (above 0, at most 100 years); the events stay. Commits, and more, as expire_points. Returns members and attributes deleted. Operators. Errors: 22004, 22023 bad argument, MB402 tables not upgraded.';
