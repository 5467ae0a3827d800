-- Members and what finds them.

CREATE SEQUENCE membership.member_id_seq;
COMMENT ON SEQUENCE membership.member_id_seq IS 'Numbers members; set its start and increment per shard.';

CREATE TABLE membership.member (
    member_id         bigint      NOT NULL,
    status            text        NOT NULL DEFAULT 'active',
    tier_id           integer     NOT NULL,
    tier_since        timestamptz NOT NULL,
    tier_expires_at   timestamptz,
    tier_locked_until timestamptz,
    enrolled_at       timestamptz NOT NULL,
    birthday          date,
    source            text,
    channel           text        NOT NULL,
    referrer_id       bigint,
    tags              text[]      NOT NULL DEFAULT '{}',
    attributes        jsonb       NOT NULL DEFAULT '{}',
    consent           jsonb       NOT NULL DEFAULT '{}',
    CONSTRAINT member_pkey PRIMARY KEY (member_id),
    CONSTRAINT member_status_known CHECK (status IN ('active', 'frozen', 'closed')),
    CONSTRAINT member_attributes_object CHECK (jsonb_typeof(attributes) = 'object'),
    CONSTRAINT member_consent_object CHECK (jsonb_typeof(consent) = 'object')
);
COMMENT ON TABLE membership.member IS 'A member (会员). Written under the lock of the member''s points account.';
COMMENT ON COLUMN membership.member.tier_expires_at IS 'First instant after the tier''s validity; NULL = without end.';
COMMENT ON COLUMN membership.member.tier_locked_until IS 'Until then a tier given by set_tier is not taken away.';
COMMENT ON COLUMN membership.member.referrer_id IS 'The member whose referral code was given at enrolment.';

CREATE TABLE membership.member_identity (
    kind      text   NOT NULL,
    value     text   NOT NULL,
    member_id bigint NOT NULL,
    CONSTRAINT member_identity_pkey PRIMARY KEY (kind, value)
);
CREATE INDEX member_identity_member_id_idx ON membership.member_identity (member_id);
COMMENT ON TABLE membership.member_identity IS 'Directory: phone, card, app id or referral code, in normal form, to member.';

CREATE TABLE membership.tier_history (
    member_id  bigint    NOT NULL,
    history_no bigint    NOT NULL,
    tier_id    integer   NOT NULL,
    during     tstzrange NOT NULL,
    cause      text      NOT NULL,
    journal_no bigint    NOT NULL,
    CONSTRAINT tier_history_pkey PRIMARY KEY (member_id, history_no),
    CONSTRAINT tier_history_cause_known CHECK (cause IN ('enrolment', 'upgrade', 'manual')),
    CONSTRAINT tier_history_no_overlap EXCLUDE USING gist
        (int8range(member_id, member_id, '[]') WITH &&, during WITH &&)
);
COMMENT ON TABLE membership.tier_history IS 'Which tier a member had when, by posting time, without gap or overlap.';
COMMENT ON COLUMN membership.tier_history.journal_no IS 'The event that changed the tier.';
