-- 30-comment.sql: what columns of version 1 tell since version 2

COMMENT ON COLUMN membership.journal.rules IS 'Earning rules that matched or failed: {"stacking", "rules": [{rule_id, version, code, outcome, effect, value, points or growth, lines}]}, with rule_version (and, of an exchange, the purchases exchanged for it) all that the award was computed by; NULL = additive, none.';
COMMENT ON TABLE membership.exchange IS 'Which part of what was returned of a purchase was exchanged for another (换货): that part earned as the goods did when they were bought.';
COMMENT ON COLUMN membership.refund_claim.request IS 'Of a parked one: amount, lines and at as called; closed: by whom, when and why it was taken off refund_exception.';
COMMENT ON COLUMN membership.refund_claim.excess IS 'Part of a parked one that the sale could not take, currency, as far as it is known; NULL = the sale has not come. 0 of one that was closed before.';
COMMENT ON COLUMN membership.refund_claim.clipped IS 'Whether a part of it could not be applied, and nobody has closed it.';
