-- Opening data, when moving from another system. Every function takes at most 10,000 rows, reports each, and can be
-- run again: what was imported comes back as duplicate.

CREATE FUNCTION membership.import_members(members membership.member_import[])
RETURNS SETOF membership.import_result
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_import_members';
COMMENT ON FUNCTION membership.import_members IS
'Enrols members of another system, as enroll_member with the enrolled_at given. Operators. Errors: 22004, 54000 too many rows; per row those of enroll_member.';

CREATE FUNCTION membership.import_lots(lots membership.lot_import[])
RETURNS SETOF membership.import_result
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_import_lots';
COMMENT ON FUNCTION membership.import_lots IS
'Opens lots for points that members still have in another system, once per member and ref, as events of verb opening. Operators. Errors: 22004, 54000 too many rows; per row 22003, 22004, 22023 bad value, MB002 unknown member, MB102 closed member, MB201 same ref with other content.';

CREATE FUNCTION membership.import_purchases(purchases membership.purchase_import[])
RETURNS SETOF membership.import_result
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_import_purchases';
COMMENT ON FUNCTION membership.import_purchases IS
'Records purchases of another system with the points awarded then: facts for tiers, reports and later refunds. Opens no lot, splits nothing and changes no tier; the receipt cannot be accrued again. Operators. Errors: 22004, 54000 too many rows; per row 22004, 22023 bad value, MB002 unknown member, MB003 unknown merchant, MB102 closed member, MB201, MB202 receipt known otherwise.';

CREATE FUNCTION membership.import_tiers(tiers membership.tier_import[])
RETURNS SETOF membership.import_result
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_import_tiers';
COMMENT ON FUNCTION membership.import_tiers IS
'Gives members the tier they have in another system from a past moment on, not before their present tier began. Operators. Errors: 22004, 54000 too many rows; per row 22004, 22023 bad value, MB002 unknown member, MB004 unknown tier, MB102 closed member.';
