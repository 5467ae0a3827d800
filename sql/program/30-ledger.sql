-- The ledger. Rows of one member are numbered without gaps under the lock of its points account.
--
-- The engine is the only writer, and nobody else may be one: what a CHECK would say of these rows is said by
-- verify() instead, because PostgreSQL parses every CHECK of a table anew for every statement that writes it
-- (a sixth of the time of an accrual).

CREATE TABLE membership.account (
    member_id       bigint   NOT NULL,
    wallet_id       smallint NOT NULL,
    balance         bigint   NOT NULL DEFAULT 0,
    held            bigint   NOT NULL DEFAULT 0,
    debt            bigint   NOT NULL DEFAULT 0,
    next_journal_no bigint   NOT NULL DEFAULT 1,
    next_entry_no   bigint   NOT NULL DEFAULT 1,
    next_expiry     timestamptz,
    order_spends    integer  NOT NULL DEFAULT 0,
    last_posted_at  timestamptz NOT NULL,
    CONSTRAINT account_pkey PRIMARY KEY (member_id, wallet_id),
    CONSTRAINT account_member_fkey FOREIGN KEY (member_id) REFERENCES membership.member
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE membership.account IS 'A member''s wallet as last posted. The row of wallet 1 is the member''s lock and holds its counters.';
COMMENT ON COLUMN membership.account.balance IS 'Remaining of all open lots, less debt, points.';
COMMENT ON COLUMN membership.account.held IS 'Points reserved in lots, points.';
COMMENT ON COLUMN membership.account.debt IS 'Points owed to the programme; later credits pay it first.';
COMMENT ON COLUMN membership.account.next_expiry IS 'No open lot dies and no hold times out before this; NULL = none ever does.';
COMMENT ON COLUMN membership.account.order_spends IS 'Redemptions and open holds of orders that have not been accrued.';
COMMENT ON COLUMN membership.account.last_posted_at IS 'posted_at of the last journal row; it never goes back.';

CREATE TABLE membership.receipt (
    merchant_id  integer NOT NULL,
    order_ref    text    NOT NULL,
    member_id    bigint  NOT NULL,
    journal_no   bigint  NOT NULL,
    payload_hash bigint  NOT NULL,
    CONSTRAINT receipt_pkey PRIMARY KEY (merchant_id, order_ref)
);
COMMENT ON TABLE membership.receipt IS 'Directory: a purchase''s claim. One receipt is credited once, to one member; member 0 keeps the place of a sale whose refund came first.';

CREATE TABLE membership.receipt_ref (
    kind        text    NOT NULL,
    value       text    NOT NULL,
    merchant_id integer NOT NULL,
    order_ref   text    NOT NULL,
    CONSTRAINT receipt_ref_pkey PRIMARY KEY (kind, value)
);
COMMENT ON TABLE membership.receipt_ref IS 'Directory: other names of a receipt (external_refs), unique in the programme.';

CREATE TABLE membership.source_key (
    member_id    bigint NOT NULL,
    verb         text   NOT NULL,
    ref          text   NOT NULL,
    journal_no   bigint NOT NULL,
    payload_hash bigint NOT NULL,
    CONSTRAINT source_key_pkey PRIMARY KEY (member_id, verb, ref)
);
COMMENT ON TABLE membership.source_key IS 'Idempotency of every verb but accrual: this ref was posted as that journal row.';

CREATE TABLE membership.journal (
    member_id          bigint      NOT NULL,
    journal_no         bigint      NOT NULL,
    verb               text        NOT NULL,
    occurred_at        timestamptz NOT NULL,
    posted_at          timestamptz NOT NULL,
    day                date        NOT NULL,
    actor              text        NOT NULL,
    login              text        NOT NULL,
    points             bigint      NOT NULL,
    balance            bigint      NOT NULL,
    last_entry_no      bigint      NOT NULL,
    reason             text,
    refers_to          bigint,
    merchant_id        integer,
    order_ref          text,
    channel            text,
    amount             numeric(18, @digits@),
    basis              numeric(18, @digits@),
    merchant_collected numeric(18, @digits@),
    status             text,
    reason_code        text,
    points_wanted      bigint,
    base_points        bigint,
    available_at       timestamptz,
    expires_at         timestamptz,
    base_rate          numeric,
    rounding           text,
    tier_id            integer,
    tier_multiplier    numeric,
    tier_after         integer,
    tier_changed       boolean,
    lines              jsonb,
    rules              jsonb,
    growth             bigint,
    purpose            text,
    counterpart_id     bigint,
    tenders            jsonb,
    CONSTRAINT journal_pkey PRIMARY KEY (member_id, journal_no)
);
COMMENT ON TABLE membership.journal IS 'One row per business event of a member, append-only, without personal data: amounts and the rates, tier and rounding they were judged by.';
COMMENT ON COLUMN membership.journal.occurred_at IS 'When it happened: chooses rates, tier and expiry.';
COMMENT ON COLUMN membership.journal.posted_at IS 'When it was posted: never earlier than the row before.';
COMMENT ON COLUMN membership.journal.day IS 'Programme day of occurred_at.';
COMMENT ON COLUMN membership.journal.actor IS 'Role that made the call.';
COMMENT ON COLUMN membership.journal.login IS 'Role that logged in.';
COMMENT ON COLUMN membership.journal.points IS 'Change of the points balance by this event.';
COMMENT ON COLUMN membership.journal.balance IS 'Points balance after the event.';
COMMENT ON COLUMN membership.journal.last_entry_no IS 'The member''s last points entry after the event.';
COMMENT ON COLUMN membership.journal.refers_to IS 'journal_no of the event that this one is about.';
COMMENT ON COLUMN membership.journal.basis IS 'What points were computed on, currency.';
COMMENT ON COLUMN membership.journal.merchant_collected IS 'Part of amount that merchants collected themselves, currency.';
COMMENT ON COLUMN membership.journal.points_wanted IS 'The award before review or rejection.';
COMMENT ON COLUMN membership.journal.base_points IS 'Part of points_wanted that the base rate alone gives.';
COMMENT ON COLUMN membership.journal.tier_id IS 'Tier the purchase was judged by.';
COMMENT ON COLUMN membership.journal.tier_after IS 'Tier of the member after the event.';
COMMENT ON COLUMN membership.journal.rules IS 'Earning rules that matched or failed: {"stacking", "rules": [{rule_id, version, code, outcome, effect, value, points or growth, lines}]}, with rule_version all that the award was computed by; NULL = none.';
COMMENT ON COLUMN membership.journal.purpose IS 'Of a redemption, authorization or capture: what the points were for. amount is their worth then, currency.';
COMMENT ON COLUMN membership.journal.counterpart_id IS 'Of a transfer: the other member.';
COMMENT ON COLUMN membership.journal.tenders IS 'Points that paid for the order: {"points", "value" (currency), "value_at_merchants" (the part at merchants that collect themselves), "spent": journal numbers}.';
COMMENT ON COLUMN membership.journal.growth IS 'Growth value gained by this event; NULL = none.';
COMMENT ON COLUMN membership.journal.lines IS 'Lines of the order with the points of each; NULL = one line, the whole order.';

CREATE TABLE membership.journal_context (
    member_id  bigint NOT NULL,
    journal_no bigint NOT NULL,
    attributes jsonb  NOT NULL DEFAULT '{}',
    facts      jsonb,
    CONSTRAINT journal_context_pkey PRIMARY KEY (member_id, journal_no)
);
COMMENT ON TABLE membership.journal_context IS 'Free attributes of an event, and what it was judged by besides the journal''s facts: written only when there is some; may be erased.';
COMMENT ON COLUMN membership.journal_context.facts IS 'What conditions of rules that a return asks again saw of member and moment: by line_no (0 = the order), by column.';

CREATE TABLE membership.ledger_entry (
    member_id     bigint   NOT NULL,
    wallet_id     smallint NOT NULL,
    entry_no      bigint   NOT NULL,
    journal_no    bigint   NOT NULL,
    lot_no        bigint   NOT NULL,
    points        bigint   NOT NULL,
    balance_after bigint   NOT NULL,
    active_at     timestamptz,
    expires_at    timestamptz,
    origin        text,
    moved_from    bigint,
    CONSTRAINT ledger_entry_pkey PRIMARY KEY (member_id, wallet_id, entry_no)
);
COMMENT ON TABLE membership.ledger_entry IS 'One signed movement of points on one lot, append-only (分录). Lot 0 is debt.';
COMMENT ON COLUMN membership.ledger_entry.lot_no IS 'The lot moved: its opening entry''s number, or 0 for debt.';
COMMENT ON COLUMN membership.ledger_entry.balance_after IS 'Balance of the wallet after this entry, points.';
COMMENT ON COLUMN membership.ledger_entry.active_at IS 'Of an opening entry: from when the lot can be spent.';
COMMENT ON COLUMN membership.ledger_entry.expires_at IS 'Of an opening entry: first instant at which the lot is dead; NULL = never.';
COMMENT ON COLUMN membership.ledger_entry.origin IS 'Of an opening entry: the verb that opened the lot.';
COMMENT ON COLUMN membership.ledger_entry.moved_from IS 'Of an opening entry: the lot whose points go on in this one; NULL = new points.';

CREATE TABLE membership.lot (
    member_id  bigint   NOT NULL,
    wallet_id  smallint NOT NULL,
    lot_no     bigint   NOT NULL,
    journal_no bigint   NOT NULL,
    granted    bigint   NOT NULL,
    remaining  bigint   NOT NULL,
    held       bigint   NOT NULL DEFAULT 0,
    active_at  timestamptz NOT NULL,
    expires_at timestamptz,
    origin     text     NOT NULL,
    CONSTRAINT lot_pkey PRIMARY KEY (member_id, wallet_id, lot_no)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE membership.lot IS 'Points still open (批次): a projection that ledger_entry can rebuild; a row leaves when it is used up.';

CREATE TABLE membership.activity_day (
    member_id     bigint  NOT NULL,
    day           date    NOT NULL,
    purchases     integer NOT NULL DEFAULT 0,
    basis         numeric(18, @digits@) NOT NULL DEFAULT 0,
    points_earned bigint  NOT NULL DEFAULT 0,
    growth        bigint  NOT NULL DEFAULT 0,
    points_redeemed bigint NOT NULL DEFAULT 0,
    refunded_of_day numeric(18, @digits@) NOT NULL DEFAULT 0,
    refunded_on_day numeric(18, @digits@) NOT NULL DEFAULT 0,
    CONSTRAINT activity_day_pkey PRIMARY KEY (member_id, day)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE membership.activity_day IS 'What a member did on one programme day, by the day of purchase and less what was returned: tiers and reports read it.';
COMMENT ON COLUMN membership.activity_day.points_earned IS 'Points awarded for the purchases of this day.';
COMMENT ON COLUMN membership.activity_day.points_redeemed IS 'Points redeemed and captured on this day, less those given back.';
COMMENT ON COLUMN membership.activity_day.refunded_of_day IS 'Net value of goods of this day''s purchases that were returned, on whatever day, currency.';
COMMENT ON COLUMN membership.activity_day.refunded_on_day IS 'Net value of goods returned on this day, of whatever purchase, currency.';
COMMENT ON COLUMN membership.activity_day.growth IS 'Growth value (成长值) gained by the purchases of this day.';

CREATE TABLE membership.merchant_split (
    member_id      bigint  NOT NULL,
    journal_no     bigint  NOT NULL,
    split_no       integer NOT NULL,
    merchant_id    integer NOT NULL,
    kind           text    NOT NULL,
    payer_party_id integer NOT NULL,
    payee_party_id integer NOT NULL,
    amount         numeric(18, @digits@) NOT NULL,
    points         bigint,
    CONSTRAINT merchant_split_pkey PRIMARY KEY (member_id, journal_no, split_no)
);
COMMENT ON TABLE membership.merchant_split IS 'Who owes whom after an event (分账): payer party, payee party, amount in currency. sale: collector to merchant; commission: merchant to mall; points_issued: funder to mall; points_redeemed: mall to a merchant that collects; points_contribution: merchant to a mall that collects.';
COMMENT ON COLUMN membership.merchant_split.points IS 'Points that a points_issued, points_redeemed or points_contribution row is about.';

CREATE TABLE membership.accrual_error (
    error_id    uuid        NOT NULL DEFAULT gen_random_uuid(),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    source      text        NOT NULL,
    purchase    jsonb       NOT NULL,
    sqlstate    text        NOT NULL,
    message     text        NOT NULL,
    attempts    integer     NOT NULL DEFAULT 1,
    CONSTRAINT accrual_error_pkey PRIMARY KEY (error_id)
);
COMMENT ON TABLE membership.accrual_error IS 'Purchases that an accrue_trigger with on_error=log could not post; retry_accrual_errors() tries them again and removes those it posts.';
COMMENT ON COLUMN membership.accrual_error.source IS 'Table whose trigger met the error.';
COMMENT ON COLUMN membership.accrual_error.purchase IS 'The arguments of accrue_points, as JSON.';

CREATE TABLE membership.rule_failure (
    member_id  bigint  NOT NULL,
    journal_no bigint  NOT NULL,
    rule_id    integer NOT NULL,
    version    integer NOT NULL,
    sqlstate   text    NOT NULL,
    message    text    NOT NULL,
    CONSTRAINT rule_failure_pkey PRIMARY KEY (member_id, journal_no, rule_id)
);
COMMENT ON TABLE membership.rule_failure IS 'A rule whose condition failed on the data of a purchase, which was posted without it.';

CREATE TABLE membership.hold (
    member_id   bigint NOT NULL,
    hold_no     bigint NOT NULL,
    ref         text   NOT NULL,
    points      bigint NOT NULL,
    expires_at  timestamptz,
    merchant_id integer,
    order_ref   text,
    CONSTRAINT hold_pkey PRIMARY KEY (member_id, hold_no)
);
COMMENT ON TABLE membership.hold IS 'Points reserved (预占): a row while the hold is open. hold_no is the journal_no of its authorization.';
COMMENT ON COLUMN membership.hold.expires_at IS 'When it times out; NULL = never.';

CREATE TABLE membership.hold_lot (
    member_id bigint NOT NULL,
    hold_no   bigint NOT NULL,
    lot_no    bigint NOT NULL,
    points    bigint NOT NULL,
    CONSTRAINT hold_lot_pkey PRIMARY KEY (member_id, hold_no, lot_no),
    CONSTRAINT hold_lot_hold_fkey FOREIGN KEY (member_id, hold_no) REFERENCES membership.hold
);
COMMENT ON TABLE membership.hold_lot IS 'Which lots an open hold reserves points of.';

CREATE TABLE membership.order_spend (
    member_id   bigint  NOT NULL,
    merchant_id integer NOT NULL,
    order_ref   text    NOT NULL,
    journal_no  bigint  NOT NULL,
    CONSTRAINT order_spend_pkey PRIMARY KEY (member_id, merchant_id, order_ref, journal_no)
);
COMMENT ON TABLE membership.order_spend IS 'Redemptions and captures of orders that have not been accrued; the accrual makes them its tenders.';

CREATE TABLE membership.refund (
    member_id        bigint  NOT NULL,
    purchase_no      bigint  NOT NULL,
    refund_no        integer NOT NULL,
    posted_id        bigint  NOT NULL,
    journal_no       bigint  NOT NULL,
    refund_ref       text,
    amount           numeric(18, @digits@) NOT NULL,
    cash_amount      numeric(18, @digits@) NOT NULL,
    points_clawed    bigint  NOT NULL,
    points_restored  bigint  NOT NULL,
    points_forfeited bigint  NOT NULL,
    points_expired   bigint  NOT NULL,
    loss             bigint  NOT NULL,
    debt             bigint  NOT NULL,
    cash_shortfall   numeric(18, @digits@) NOT NULL,
    complete         boolean NOT NULL,
    lines            jsonb   NOT NULL,
    CONSTRAINT refund_pkey PRIMARY KEY (member_id, purchase_no, refund_no)
);
COMMENT ON TABLE membership.refund IS 'What each refund, correction or reassignment took back of a purchase (退货), append-only. See doc/refunds.md.';
COMMENT ON COLUMN membership.refund.purchase_no IS 'journal_no of the purchase.';
COMMENT ON COLUMN membership.refund.refund_no IS 'Counts the refunds of the purchase.';
COMMENT ON COLUMN membership.refund.posted_id IS 'Whose journal has the refund: the member''s, or that of the one it was merged into.';
COMMENT ON COLUMN membership.refund.journal_no IS 'journal_no of the refund.';
COMMENT ON COLUMN membership.refund.refund_ref IS 'refund_ref or correction_ref of the call; NULL of a reassignment.';
COMMENT ON COLUMN membership.refund.amount IS 'Net value of the goods returned, currency.';
COMMENT ON COLUMN membership.refund.cash_amount IS 'Part of it that was not paid with points, currency.';
COMMENT ON COLUMN membership.refund.points_clawed IS 'Points taken back: from lots, and as debt.';
COMMENT ON COLUMN membership.refund.points_restored IS 'Points spent on the order that were given back alive.';
COMMENT ON COLUMN membership.refund.points_forfeited IS 'Points spent on the order whose lots had died: given back, and expired at once.';
COMMENT ON COLUMN membership.refund.points_expired IS 'Part of the award that had expired unspent, and was not taken again.';
COMMENT ON COLUMN membership.refund.loss IS 'Part of the award that program.clawback left with the member.';
COMMENT ON COLUMN membership.refund.debt IS 'Part of points_clawed that became debt.';
COMMENT ON COLUMN membership.refund.cash_shortfall IS 'Worth of the loss that the till may keep, currency.';
COMMENT ON COLUMN membership.refund.complete IS 'Whether nothing was left of the purchase.';
COMMENT ON COLUMN membership.refund.lines IS 'What has been returned of each line so far: {line_no, amount, quantity, closed, value (points'' money), restored, clawed, withheld (of it before an approval), growth, growth_withheld}.';

CREATE TABLE membership.refund_claim (
    merchant_id  integer NOT NULL,
    order_ref    text    NOT NULL,
    refund_ref   text    NOT NULL,
    payload_hash bigint  NOT NULL,
    member_id    bigint  NOT NULL DEFAULT 0,
    journal_no   bigint,
    parked_at    timestamptz,
    request      jsonb,
    excess       numeric(18, @digits@),
    clipped      boolean NOT NULL DEFAULT false,
    CONSTRAINT refund_claim_pkey PRIMARY KEY (merchant_id, order_ref, refund_ref)
);
COMMENT ON TABLE membership.refund_claim IS 'Directory: a refund''s or correction''s key. Refunds whose sale has not come yet are parked here.';
COMMENT ON COLUMN membership.refund_claim.member_id IS 'Whose the sale is; of a parked one the member_id of the call, 0 = not given.';
COMMENT ON COLUMN membership.refund_claim.journal_no IS 'What it was posted as; NULL = parked, or nothing could be applied.';
COMMENT ON COLUMN membership.refund_claim.parked_at IS 'When it came before its sale; NULL = it did not.';
COMMENT ON COLUMN membership.refund_claim.request IS 'Of a parked one: amount, lines and at as called.';
COMMENT ON COLUMN membership.refund_claim.excess IS 'Part of a parked one that the sale could not take, currency, as far as it is known; NULL = the sale has not come.';
COMMENT ON COLUMN membership.refund_claim.clipped IS 'Whether a part of it could not be applied.';

CREATE TABLE membership.exchange (
    member_id   bigint NOT NULL,
    purchase_no bigint NOT NULL,
    journal_no  bigint NOT NULL,
    amount      numeric(18, @digits@) NOT NULL,
    CONSTRAINT exchange_pkey PRIMARY KEY (member_id, purchase_no, journal_no)
);
COMMENT ON TABLE membership.exchange IS 'Which part of what was returned of a purchase was exchanged for another (换货): that part earned as the old one did.';
COMMENT ON COLUMN membership.exchange.purchase_no IS 'journal_no of the purchase that was returned.';
COMMENT ON COLUMN membership.exchange.journal_no IS 'journal_no of the new purchase.';
