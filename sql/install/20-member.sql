-- Members.

CREATE FUNCTION membership.enroll_member(
    identity_kind text, identity_value text, birthday date DEFAULT NULL, source text DEFAULT NULL,
    channel text DEFAULT 'pos', referral_code text DEFAULT NULL, attributes jsonb DEFAULT '{}',
    at timestamptz DEFAULT NULL)
RETURNS membership.enrolment
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_enroll_member';
COMMENT ON FUNCTION membership.enroll_member IS
'Enrols a member (入会), or finds the one who has this identity. The identity is normalised: a phone to E.164 with program.phone_country, an e-mail to lower case, others trimmed. A new member starts in the tier of lowest rank and gets a referral code. referral_code names who invited. Errors: 22004, 22023 bad argument, MB006 unknown referral code.';

CREATE FUNCTION membership.find_member(identity_kind text, identity_value text)
RETURNS bigint
LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_find_member';
COMMENT ON FUNCTION membership.find_member IS
'The member with this identity (normalised as at enrolment), or NULL. Errors: 22004, 22023 bad argument.';

CREATE FUNCTION membership.add_identity(member_id bigint, identity_kind text, identity_value text)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_add_identity';
COMMENT ON FUNCTION membership.add_identity IS
'Gives a member one more identity. Repeating it changes nothing. Errors: 22004, 22023 bad argument, MB002 unknown member, MB102 closed member, MB203 identity of another member.';

CREATE FUNCTION membership.replace_identity(
    member_id bigint, identity_kind text, old_value text, new_value text, reason text)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_replace_identity';
COMMENT ON FUNCTION membership.replace_identity IS
'Replaces one identity of a member, such as a lost card, by a new one of the same kind; journalled with the reason. Repeating it changes nothing. Errors: 22004, 22023 bad argument, MB002 unknown member, MB007 no such identity, MB102 closed member, MB203 identity of another member.';

CREATE FUNCTION membership.remove_identity(member_id bigint, identity_kind text, identity_value text, reason text)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_remove_identity';
COMMENT ON FUNCTION membership.remove_identity IS
'Takes an identity from a member; journalled with the reason. Repeating it changes nothing. Errors: 22004, 22023 bad argument, MB002 unknown member, MB102 closed member, MB203 identity of another member.';

CREATE FUNCTION membership.update_member(
    member_id bigint, birthday date DEFAULT NULL, attributes jsonb DEFAULT NULL, consent jsonb DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_update_member';
COMMENT ON FUNCTION membership.update_member IS
'Sets a member''s birthday, attributes or consent; NULL leaves a value as it is. Errors: 22023 bad argument, MB002 unknown member, MB102 closed member.';

CREATE FUNCTION membership.set_tags(member_id bigint, tags text[])
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_set_tags';
COMMENT ON FUNCTION membership.set_tags IS
'Replaces a member''s tags (标签); kept sorted, each once, at most 100 of at most 60 characters. Errors: 22004, 22023 bad argument, MB002 unknown member, MB102 closed member.';

CREATE FUNCTION membership.set_member_status(member_id bigint, status text, reason text)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_set_member_status';
COMMENT ON FUNCTION membership.set_member_status IS
'Makes a member active, frozen (purchases earn nothing, nothing can be spent) or closed (for good); journalled with the reason. Repeating it changes nothing. Operators. Errors: 22023 unknown status, MB002 unknown member, MB102 closed member.';

CREATE FUNCTION membership.set_tier(member_id bigint, tier text, lock_until timestamptz, reason text)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_set_tier';
COMMENT ON FUNCTION membership.set_tier IS
'Gives a member a tier by hand, not to be taken away before lock_until (NULL = no lock); journalled with the reason. Repeating it changes nothing. Operators. Errors: 22023 bad argument, MB002 unknown member, MB004 unknown tier, MB102 closed member.';
