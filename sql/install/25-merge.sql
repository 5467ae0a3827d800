-- Merging and erasing members.

CREATE FUNCTION membership.merge_members(into_member_id bigint, from_member_id bigint, reason text)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_merge_members';
COMMENT ON FUNCTION membership.merge_members IS
'Merges a member into another (会员合并): points with their life, debt, the higher tier, activity and identities move; the old number means the survivor in every call from then on. Journalled with the reason. Repeating it changes nothing. Operators. Errors: 22004, 22023 the same number twice, MB002 unknown member, MB102 closed member, MB104 frozen member, MB111 open holds, purchases under review, or merged before, MB402 tables of version 1.';

CREATE FUNCTION membership.erase_member(member_id bigint, reason text)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_erase_member';
COMMENT ON FUNCTION membership.erase_member IS
'Removes what tells who a member is (注销): identities, birthday, source, referrer, attributes, consent, tags and the attributes of its purchases, and closes it for good. The ledger stays under its number; points expire as they would have. Journalled with the reason, which must not hold personal data. Repeating it changes nothing. Operators. Errors: 22004, 22023 bad argument, MB002 unknown member, MB402 tables of version 1.';
