-- Spending.

CREATE FUNCTION membership.quote_redemption(
    member_id bigint, order_amount numeric DEFAULT NULL, merchant_id integer DEFAULT NULL, order_ref text DEFAULT NULL,
    lines jsonb DEFAULT NULL, channel text DEFAULT 'pos', purpose text DEFAULT 'payment', at timestamptz DEFAULT NULL)
RETURNS membership.quote
LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_quote_redemption';
COMMENT ON FUNCTION membership.quote_redemption IS
'How many points could be redeemed now, what they are worth (currency) and what limits them: redeem_points of max_points succeeds in the same transaction. Writes nothing. order_amount: net of the order, currency; the sum of lines when they are given. Errors: 22004, 22003, 22023 bad argument, MB002 unknown member, MB003 unknown merchant.';

CREATE FUNCTION membership.redeem_points(
    member_id bigint, points bigint, ref text, merchant_id integer DEFAULT NULL, order_ref text DEFAULT NULL,
    order_amount numeric DEFAULT NULL, lines jsonb DEFAULT NULL, channel text DEFAULT 'pos',
    purpose text DEFAULT 'payment', at timestamptz DEFAULT NULL)
RETURNS membership.redemption
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_redeem_points';
COMMENT ON FUNCTION membership.redeem_points IS
'Takes points, earliest expiry first, once per ref, by the burn rule of the purpose. points: whole steps, 1 to 10^15. order_ref (with merchant_id): the accrual of that order makes them its tender. order_amount: net of the order, currency, needed where the rule has a share. Errors: 22004, 22003, 22023 bad argument, MB002, MB003 unknown member or merchant, MB101 balance, MB102 closed, MB103 a limit of the rule, MB104 frozen, MB105 no rule, MB106 the order was accrued, MB201 ref used with other content.';

CREATE FUNCTION membership.reverse_redemption(member_id bigint, ref text, reason text, at timestamptz DEFAULT NULL)
RETURNS membership.posting
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_reverse_redemption';
COMMENT ON FUNCTION membership.reverse_redemption IS
'Gives the points of a redemption or captured hold back to their lots, with their expiry; those of dead lots live program.reinstatement_days more days. ref: that of redeem_points or authorize_points. Errors: 22004, 22023 bad argument, MB002 unknown member, MB008 no such redemption, MB102 closed, MB106 its order was accrued, MB201 reversed before with another reason or at.';

CREATE FUNCTION membership.authorize_points(
    member_id bigint, points bigint, ref text, ttl interval DEFAULT '15 minutes', merchant_id integer DEFAULT NULL,
    order_ref text DEFAULT NULL, order_amount numeric DEFAULT NULL, lines jsonb DEFAULT NULL, channel text DEFAULT 'pos',
    purpose text DEFAULT 'payment', at timestamptz DEFAULT NULL)
RETURNS membership.posting
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_authorize_points';
COMMENT ON FUNCTION membership.authorize_points IS
'Reserves points (预占), once per ref, within the limits of redeem_points, until they are captured, voided, or ttl has passed (NULL = without end, at most 10 years). posting.points is 0: the balance stays, available points fall. Errors: those of redeem_points.';

CREATE FUNCTION membership.capture_points(member_id bigint, ref text, points bigint DEFAULT NULL, at timestamptz DEFAULT NULL)
RETURNS membership.posting
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_capture_points';
COMMENT ON FUNCTION membership.capture_points IS
'Takes the points of a hold for good, once: all, or fewer whole steps, and releases the rest. ref: that of authorize_points. Errors: 22004, 22023 bad argument, MB002 unknown member, MB008 no such hold, MB102 closed, MB103 more than is held or a broken step, MB104 frozen, MB107 the hold is over, MB201 captured before with other content.';

CREATE FUNCTION membership.void_points(member_id bigint, ref text, at timestamptz DEFAULT NULL)
RETURNS membership.posting
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_void_points';
COMMENT ON FUNCTION membership.void_points IS
'Releases the points of a hold; points that died meanwhile expire then. Repeated, or of a hold that has timed out, it changes nothing. Errors: 22004, 22023 bad argument, MB002 unknown member, MB008 no such hold, MB107 the hold was captured.';

CREATE FUNCTION membership.transfer_points(
    from_member_id bigint, to_member_id bigint, points bigint, ref text, at timestamptz DEFAULT NULL)
RETURNS membership.posting
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'membership_transfer_points';
COMMENT ON FUNCTION membership.transfer_points IS
'Moves points to another member, once per sender and ref; they keep their expiry. The result is the sender''s. Errors: 22004, 22023 bad argument, MB002 unknown member, MB101 balance, MB102 closed, MB103 below the minimum or beyond the daily limit, MB104 frozen, MB108 transfers are off, MB201 ref used with other content.';
