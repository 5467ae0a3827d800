-- Merged and erased members. An alias is a number that means another member since.

ALTER TABLE membership.member DROP CONSTRAINT member_status_known;
ALTER TABLE membership.member ADD CONSTRAINT member_status_known CHECK (status IN ('active', 'frozen', 'closed', 'merged'));
ALTER TABLE membership.tier_history DROP CONSTRAINT tier_history_cause_known;
ALTER TABLE membership.tier_history
    ADD CONSTRAINT tier_history_cause_known CHECK (cause IN ('enrolment', 'upgrade', 'manual', 'merge'));

COMMENT ON COLUMN membership.account.order_spends IS
    'Redemptions and open holds of orders that have not been accrued; -1 = the member was merged, and member_alias says into whom.';
COMMENT ON COLUMN membership.journal.refers_to IS
    'journal_no of the event that this one is about: the member''s own, or that of counterpart_id when it was merged into this one.';
COMMENT ON COLUMN membership.journal.counterpart_id IS 'Of a transfer or merge: the other member. With refers_to: whose event that is.';

CREATE TABLE membership.member_alias (
    member_id   bigint NOT NULL,
    survivor_id bigint NOT NULL,
    CONSTRAINT member_alias_pkey PRIMARY KEY (member_id),
    CONSTRAINT member_alias_other CHECK (survivor_id <> member_id)
);
CREATE INDEX member_alias_survivor_id_idx ON membership.member_alias (survivor_id);
COMMENT ON TABLE membership.member_alias IS 'Numbers of members that were merged into others (会员合并). A survivor is never an alias itself.';
COMMENT ON COLUMN membership.member_alias.survivor_id IS 'The member that it is now.';

CREATE TABLE membership.activity_move (
    member_id       bigint  NOT NULL,
    journal_no      bigint  NOT NULL,
    day             date    NOT NULL,
    purchases       integer NOT NULL,
    basis           numeric(18, @digits@) NOT NULL,
    points_earned   bigint  NOT NULL,
    growth          bigint  NOT NULL,
    points_redeemed bigint  NOT NULL,
    refunded_of_day numeric(18, @digits@) NOT NULL,
    refunded_on_day numeric(18, @digits@) NOT NULL,
    CONSTRAINT activity_move_pkey PRIMARY KEY (member_id, journal_no, day)
);
COMMENT ON TABLE membership.activity_move IS 'What a merge took from (negative) or added to a member''s activity_day.';
COMMENT ON COLUMN membership.activity_move.journal_no IS 'The merge_out or merge_in.';
