"""The programme as the documents describe it: one class of state per member, one method per verb.

A verb works on a copy of the member and puts it back when it went through, so a refusal leaves nothing. Journal
rows, entries and splits are dicts with the columns of their tables; times are datetimes in UTC, money and rates
Fractions.
"""
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction
from operator import itemgetter

from context import contexts
from corrections import Corrections
from days import Days, add_months
from ledger import ACTIVITY, Ledger, Member, require
from merges import Merges
from refunds import Refunds, Sale
from rules import Award, RuleBook, Terms, explain, match, paying
from spending import MAX_POINTS, Request, Spending
from splits import Splits

THIRTY_DAYS = timedelta(days=30)
MONEY = ('basis', 'refunded_of_day', 'refunded_on_day')


# --- configuration -----------------------------------------------------------------------------------------------

@dataclass
class Tier:
    tier_id: int
    code: str
    rank: int
    multiplier: Fraction
    qualify_basis: Fraction | None
    validity_months: int | None


@dataclass
class Merchant:
    merchant_id: int
    party_id: int
    mall_party_id: int
    mall_id: int = 1
    brand: str | None = None
    category: str | None = None
    pending_days: int | None = None
    opened_on: object = None   # first day with purchases
    ended_on: object = None    # first day without
    contracts: list = field(default_factory=list)

    def open_on(self, day):
        return (self.opened_on is None or self.opened_on <= day) and (self.ended_on is None or day < self.ended_on)


@dataclass
class Configuration:
    digits: int
    phone_country: str | None
    base_rate: Fraction = Fraction(1)
    award_rounding: str = 'floor'
    expiry: str = '24 months'
    min_life_days: int = 0
    extend_on_activity: bool = False
    pending_days: int = 0
    claim_days: int = 30
    max_future: timedelta = timedelta(minutes=10)
    allow_debt: bool = False
    tier_window_months: int = 12
    stacking: str = 'additive'
    reinstatement_days: int = 0
    transfers: bool = False
    transfer_minimum: int = 1
    transfer_daily_limit: int | None = None
    clawback: str = 'unlimited'
    charge_cash: bool = False
    liability_price: Fraction = Fraction(0)


# --- the programme -----------------------------------------------------------------------------------------------

@dataclass
class Line:
    line_no: int
    merchant_id: int
    amount: Fraction
    eligible: bool
    facts: dict                # category, brand, sku, quantity
    tendered: Fraction = Fraction(0)
    points_tendered: int = 0

    @property
    def basis(self):
        return self.amount - self.tendered if self.eligible else Fraction(0)


class Programme(Corrections, Merges, Refunds, Spending, Splits, Ledger):
    def __init__(self, zone, digits, phone_country, evaluate=None):
        """evaluate(conditions, context) answers True, False, None or a Failure for each: plain SQL's business."""
        self.days = Days(zone)
        self.evaluate = evaluate
        self.rules = RuleBook()
        self.burn_rules = {}
        self.config = Configuration(digits, phone_country)
        self.tiers = {}
        self.merchants = {}
        self.members = {}
        self.aliases = {}          # merged member_id -> survivor's
        self.identities = {}       # (kind, value) -> member_id
        self.referral_codes = {}   # member_id -> code
        self.profiles = {}         # member_id -> columns of member that no posting touches
        self.receipts = {}         # (merchant_id, order_ref) -> (member_id, journal_no, payload)
        self.claims = {}           # (merchant_id, order_ref) -> {refund_ref: Claim}
        self.receipt_refs = {}     # (kind, value) -> (merchant_id, order_ref)

    def member(self, member_id):
        require(member_id in self.members, 'MB002')
        return self.members[member_id]

    # identities

    def normal_identity(self, kind, value):
        value = value.strip()
        require(value, '22023')
        if kind == 'phone':
            digits = re.sub(r'[^0-9+]', '', value)
            if digits.startswith('+'):
                return digits
            if digits.startswith('00'):
                return '+' + digits[2:]
            require(self.config.phone_country, '22023')
            if digits.startswith('0') and self.config.phone_country != '39':
                digits = digits[1:]
            return '+' + self.config.phone_country + digits
        return {'email': value.lower(), 'referral': value.upper()}.get(kind, value)

    def find_member(self, kind, value):
        return self.identities.get((kind, self.normal_identity(kind, value)))

    def enroll(self, kind, value, at, new_id, new_code, referral_code=None, birthday=None, source=None,
               channel='pos', attributes=None):
        """new_id and new_code are the database's choice for a member who is new."""
        require(kind != 'referral', '22023')
        key = (kind, self.normal_identity(kind, value))
        known = self.identities.get(key)
        if known:
            return known, False, self.referral_codes[known], self.profiles[known]['referrer_id']
        referrer = None
        if referral_code is not None:
            referrer = self.find_member('referral', referral_code)
            require(referrer, 'MB006')
        first = min(self.tiers.values(), key=lambda tier: tier.rank)
        member = Member(new_id, at, first.tier_id)
        event = self._post(member, 'enrolment', at, at)
        member.history.append([first.tier_id, at, None, 'enrolment', event['journal_no']])
        self.members[new_id] = member
        self.identities[key] = new_id
        self.identities['referral', new_code] = new_id
        self.referral_codes[new_id] = new_code
        self.profiles[new_id] = {'birthday': birthday, 'source': source, 'channel': channel, 'referrer_id': referrer,
                                 'tags': [], 'attributes': attributes or {}, 'consent': {}}
        return new_id, True, new_code, referrer

    def _identity_key(self, kind, value):
        require(kind != 'referral', '22023')
        return kind, self.normal_identity(kind, value)

    def _has_identity(self, member, key):
        owner = self.identities.get(key)
        require(owner in (None, member.member_id), 'MB203')
        return owner is not None

    def add_identity(self, member_id, kind, value):
        member = self.member(member_id)
        require(member.status != 'closed', 'MB102')
        key = self._identity_key(kind, value)
        self._has_identity(member, key)
        self.identities[key] = member_id

    def replace_identity(self, member_id, kind, old, new, reason, at):
        member = self.member(member_id).copy()
        require(member.status != 'closed', 'MB102')
        old_key, new_key = self._identity_key(kind, old), self._identity_key(kind, new)
        if self.identities.get(new_key) == member_id and (self.identities.get(old_key) != member_id or old_key == new_key):
            return
        has_old, _ = self._has_identity(member, old_key), self._has_identity(member, new_key)
        require(has_old, 'MB007')
        del self.identities[old_key]
        self.identities[new_key] = member_id
        self._note(member, 'identity_change', reason, at)

    def remove_identity(self, member_id, kind, value, reason, at):
        member = self.member(member_id).copy()
        require(member.status != 'closed', 'MB102')
        key = self._identity_key(kind, value)
        if self._has_identity(member, key):
            del self.identities[key]
            self._note(member, 'identity_change', reason, at)

    # what a member is

    def update_member(self, member_id, **values):
        require(self.member(member_id).status != 'closed', 'MB102')
        self.profiles[member_id].update((name, value) for name, value in values.items() if value is not None)

    def set_tags(self, member_id, tags):
        require(self.member(member_id).status != 'closed', 'MB102')
        self.profiles[member_id]['tags'] = sorted(set(tags))

    def set_status(self, member_id, status, reason, at):
        member = self.member(member_id).copy()
        if member.status == status:
            return
        require(member.status != 'closed', 'MB102')
        member.status = status
        self._note(member, 'status_change', reason, at)

    def set_tier(self, member_id, code, lock_until, reason, at):
        member = self.member(member_id).copy()
        require(member.status != 'closed', 'MB102')
        tier = next((tier for tier in self.tiers.values() if tier.code == code), None)
        require(tier, 'MB004')
        if (member.tier_id, member.tier_locked_until) == (tier.tier_id, lock_until):
            return
        event = self._note(member, 'tier_change', reason, at)
        self._change_tier(member, tier, 'manual', event)
        member.tier_locked_until = lock_until

    def _note(self, member, verb, reason, at):
        """An event that moves no points: it settles what is due, as every posting."""
        posted_at = max(at, member.last_posted_at)
        self._settle(member, posted_at)
        event = self._post(member, verb, posted_at, posted_at, reason=reason)
        self.members[member.member_id] = member
        return event

    def _change_tier(self, member, tier, cause, event):
        posted_at = event['posted_at']
        member.history[-1][2] = posted_at
        member.history.append([tier.tier_id, posted_at, None, cause, event['journal_no']])
        member.tier_id = tier.tier_id
        member.tier_since = posted_at
        member.tier_expires_at = self.days.valid_through(self.days.day_of(posted_at), tier.validity_months)

    # grants and adjustments

    def grant(self, member_id, points, reason, ref, at, expires_at=None):
        require(1 <= points <= MAX_POINTS, '22023')
        return self._keyed(member_id, 'grant', points, reason, ref, at, expires_at)

    def adjust(self, member_id, points, reason, ref, at):
        require(points != 0 and abs(points) <= MAX_POINTS, '22023')
        return self._keyed(member_id, 'adjustment', points, reason, ref, at)

    def _keyed(self, member_id, verb, points, reason, ref, at, expires_at=None):
        member = self.member(member_id).copy()
        payload = (points, reason, expires_at, at)
        first = member.keys.get((verb, ref))
        if first:
            require(first[1] == payload, 'MB201')
            event = member.event(first[0])
            return event['journal_no'], event['points'], event['balance'], True
        posted_at = max(at, member.last_posted_at)
        require(expires_at is None or expires_at > posted_at, '22023')
        require(member.status != 'closed', 'MB102')
        self._settle(member, posted_at)
        event = self._post(member, verb, posted_at, posted_at, reason=reason)
        if points > 0:
            self._credit(member, event, points, posted_at,
                         expires_at or self._points_end(self.days.day_of(posted_at), posted_at))
        else:
            self._debit(member, event, -points)
        self._settle(member, posted_at)
        member.keys[verb, ref] = (event['journal_no'], payload)
        self.members[member_id] = member
        return event['journal_no'], event['points'], event['balance'], False

    # purchases

    def preview(self, **purchase):
        return self._accrual(keep=False, **purchase)

    def accrue(self, **purchase):
        return self._accrual(keep=True, **purchase)

    def _accrual(self, keep, member_id, merchant_id, amount, order_ref, at, occurred_at=None, channel='pos',
                 lines=None, tenders=None, attributes=None, external_refs=None, exchange_of=None):
        """A preview knows no external refs and compares no payload: of a receipt posted it is the first result."""
        require(amount is not None, '22004')
        amount = Fraction(amount)
        require(amount >= 0, '22023')
        member = self.member(member_id).copy()
        require((amount * 10**self.config.digits).denominator == 1, '22023')
        order = self._read_lines(lines, merchant_id, amount)
        require(sum(Fraction(tender.get('amount', 0)) for tender in tenders or []) <= amount, '22023')
        posted_at = max(at, member.last_posted_at)
        payload = (amount, channel, repr(lines), repr(tenders), attributes or {}, external_refs or {}, exchange_of,
                   occurred_at, at)
        require(occurred_at is None or occurred_at <= posted_at + self.config.max_future, '22023')
        require(all(line.merchant_id in self.merchants for line in order) and merchant_id in self.merchants, 'MB003')
        first = self._first_result(member, merchant_id, order_ref, amount, payload, external_refs, keep)
        if first:
            return self._accrual_result(member, first, duplicate=True)
        occurred_at = occurred_at or posted_at
        purchase = Request(merchant_id, order_ref, amount, channel, 'payment', occurred_at)
        self._settle(member, posted_at)
        found = self._find_tenders(member, tenders, purchase)
        exchanged = exchange_of and self._exchange_of(member, merchant_id, exchange_of, amount)
        day = self.days.day_of(occurred_at)
        require(all(self.merchants[number].open_on(day)
                    for number in [merchant_id] + [line.merchant_id for line in order]), 'MB003')
        require(sum(line.amount for line in order) == amount, '22023')
        tendered = self._pay_with_points(member, order, found, purchase, posted_at, keep)
        require(member.status != 'closed', 'MB102')
        tier = self.tiers[member.tier_at(occurred_at)]
        event = self._ring_up(
            member, order, purchase, posted_at, tier, self._terms(tier),
            self._judgement(member, occurred_at, posted_at), tendered, attributes, lines is not None, keep, exchanged)
        if keep:
            self.members[member_id] = member
            self.receipts[merchant_id, order_ref] = (member_id, event['journal_no'], payload)
            for ref in (external_refs or {}).items():
                self.receipt_refs[ref] = (merchant_id, order_ref)
            self.apply_parked((merchant_id, order_ref), posted_at)
        return self._accrual_result(member, event, duplicate=False, journal_no=event['journal_no'] if keep else None)

    def _ring_up(self, member, order, purchase, posted_at, tier, terms, judgement, tendered, attributes, explicit_lines,
                 keep=True, exchanged=None, replaced=None, **columns):
        """Posts a purchase: what it earns by these terms, and what becomes of that."""
        occurred_at = purchase.occurred_at
        places = contexts(self, member, order, purchase.merchant_id, occurred_at, purchase.channel, attributes, tier)
        if exchanged:
            matched = {}
            award, outcomes = self._exchange(member, order, purchase, attributes, terms, exchanged, explicit_lines)
        else:
            matched = match(self.rules.in_force(occurred_at), places, self.evaluate)
            award = Award(order, paying(matched), terms)
            outcomes = explain(matched, places, award, explicit_lines, tell_all=not keep)
        event = self._post(
            member, 'accrual', occurred_at, posted_at, merchant_id=purchase.merchant_id, order_ref=purchase.order_ref,
            channel=purchase.channel, amount=purchase.amount, basis=sum(line.basis for line in order),
            status=judgement[0], reason_code=judgement[1], points_wanted=award.total, base_points=award.base_points,
            base_rate=terms.base_rate, rounding=terms.award_rounding, tier_id=tier.tier_id,
            tier_multiplier=terms.tier_multiplier, **columns)
        if explicit_lines:
            event['lines'] = [self._line_facts(line, award) for line in order]
        if outcomes or terms.stacking != 'additive':
            event['rules'] = {'stacking': terms.stacking,
                              'rules': [self._without_message(told) for told in outcomes] if keep else outcomes}
        self._record_activity(member, event['day'], purchases=1, basis=event['basis'])
        worth_there = self._split_sale(member, event, order)
        if tendered:
            event['tenders'] = tendered | {'value_at_merchants': worth_there}
        if event['status'] == 'posted':
            self._award(member, event, event, award, replaced)
            self._upgrade(member, event, event['day'])
        event.update(tier_after=member.tier_id, tier_changed=member.history[-1][4] == event['journal_no'])
        self._settle(member, posted_at)
        if event['status'] in ('posted', 'pending') and not replaced:
            self._extend(member, event)
        if keep:
            if attributes:
                member.contexts[event['journal_no']] = attributes
            member.sales[event['journal_no']] = Sale(event['journal_no'], order, award, matched, places)
            self._record_failures(member, event, outcomes)
        if exchanged:
            event['refers_to'] = exchanged.journal_no
            member.exchanges.append({'purchase_no': exchanged.journal_no, 'journal_no': event['journal_no'],
                                     'amount': award.amount})
        return event

    def _read_lines(self, lines, merchant_id, amount):
        if lines is None:
            return [Line(1, merchant_id, amount, True, {})]
        order = [Line(line.get('line_no', number), line.get('merchant_id', merchant_id), Fraction(line['amount']),
                      line.get('eligible', True),
                      {key: line[key] for key in ('category', 'brand', 'sku', 'quantity') if key in line})
                 for number, line in enumerate(lines, 1)]
        return sorted(order, key=lambda line: line.line_no)

    def _first_result(self, member, merchant_id, order_ref, amount, payload, external_refs, keep):
        """The event that this receipt, or one with a known external ref, was posted as."""
        known = self.receipts.get((merchant_id, order_ref))
        if known:
            require(known[0] == member.member_id, 'MB202')
            require(known[2] == payload or not keep, 'MB201')
            return member.event(known[1])
        for ref in sorted((external_refs or {}).items()):
            if ref in self.receipt_refs:
                key = self.receipt_refs[ref]
                owner, journal_no, _ = self.receipts[key]
                require(owner == member.member_id, 'MB202')
                event = member.event(journal_no)
                require((key[0], event['amount']) == (merchant_id, amount), 'MB201')
                return event
        return None

    def _terms(self, tier):
        return Terms(self.config.base_rate, tier.multiplier, self.config.award_rounding, self.config.stacking)

    def _judgement(self, member, occurred_at, posted_at):
        """Status and reason: what becomes of an award."""
        if member.status == 'frozen':
            return 'rejected', 'member_frozen'
        if (self.days.day_of(posted_at) - self.days.day_of(occurred_at)).days > self.config.claim_days:
            return 'review', 'late_claim'
        return 'posted', None

    @staticmethod
    def _without_message(told):
        """What the journal keeps: a failure's message may quote the order's data."""
        return {name: value for name, value in told.items() if name != 'message'}

    @staticmethod
    def _record_failures(member, event, outcomes):
        member.failures += sorted(({'journal_no': event['journal_no'], **{
            name: told[name] for name in ('rule_id', 'version', 'sqlstate', 'message')}}
            for told in outcomes if told['outcome'] == 'failed'), key=itemgetter('rule_id'))

    def _award(self, member, purchase, event, award, replaced=None):
        """Opens the lots of a purchase; event is the purchase itself or the review that approved it."""
        shares = {}
        for line in award.lines:
            for rule, points in award.points[line.line_no]:
                if points:
                    life = self._life(purchase, event, line, rule)
                    shares[life] = shares.get(life, 0) + points
        dead = replaced.expires_again(member, sum(shares.values())) if replaced else 0
        for (active_at, expires_at), points in shares.items():
            alive = max(points - dead, 0)
            dead -= points - alive
            if alive:
                self._credit(member, event, alive, active_at, expires_at)
            if points > alive:
                self._credit(member, event, points - alive, event['posted_at'], event['posted_at'])
        if replaced:
            self._pay_owed(member, event, replaced.debt)
        event['growth'] = award.total_growth or None
        self._record_activity(member, purchase['day'], earned=sum(shares.values()), growth=award.total_growth)
        self._split_points(member, purchase, event, award)
        if shares and event is purchase:
            event['available_at'] = min(active_at for active_at, _ in shares)
            event['expires_at'] = min((end for _, end in shares if end is not None), default=None)
            if event['available_at'] > event['posted_at']:
                event['status'] = 'pending'

    def _life(self, purchase, event, line, rule):
        """From when points of a line can be spent, and from when they are dead."""
        pending = rule and rule.pending_days
        for default in (self.merchants[line.merchant_id].pending_days, self.config.pending_days):
            pending = default if pending is None else pending
        active_at = event['posted_at']
        if pending:
            active_at = self.days.start_of(purchase['day'] + timedelta(days=pending))
        return active_at, self._points_end(purchase['day'], max(active_at, purchase['occurred_at']),
                                           rule and rule.expiry)

    def _record_activity(self, member, day, purchases=0, basis=Fraction(0), earned=0, growth=0, redeemed=0,
                         refunded_of=Fraction(0), refunded_on=Fraction(0)):
        row = member.activity.setdefault(day, [Fraction(0) if name in MONEY else 0 for name in ACTIVITY])
        row[:] = [old + new for old, new in zip(row, (purchases, basis, earned, growth, redeemed, refunded_of, refunded_on))]

    def _upgrade(self, member, event, purchase_day):
        """To the highest tier reached by the spend of the window that ends with the purchase or its posting."""
        end = max(self.days.day_of(event['posted_at']), purchase_day)
        start = add_months(end, -self.config.tier_window_months)
        spend = sum(row[1] for day, row in member.activity.items() if start < day <= end)
        rank = self.tiers[member.tier_id].rank
        reached = [tier for tier in self.tiers.values()
                   if tier.rank > rank and tier.qualify_basis is not None and tier.qualify_basis <= spend]
        if reached:
            self._change_tier(member, max(reached, key=lambda tier: tier.rank), 'upgrade', event)

    def review(self, member_id, journal_no, decision, reason, at):
        require(decision in ('approve', 'reject'), '22023')
        member = self.member(member_id).copy()
        purchase = member.event(journal_no)
        require(purchase and purchase['status'] == 'review', 'MB005')
        first = member.keys.get(('review', str(journal_no)))
        if first:
            require(first[1] == decision, 'MB201')
            return
        require(member.status != 'closed', 'MB102')
        posted_at = max(at, member.last_posted_at)
        self._settle(member, posted_at)
        event = self._post(member, 'review', purchase['occurred_at'], posted_at, reason=reason, refers_to=journal_no,
                           reason_code='approved' if decision == 'approve' else 'rejected')
        if decision == 'approve':
            sale = member.sales[journal_no] = member.sales[journal_no].copy()
            self._award(member, purchase, event, sale.approve(event['journal_no']))
            self._upgrade(member, event, purchase['day'])
            self._settle(member, posted_at)
        member.keys['review', str(journal_no)] = (event['journal_no'], decision)
        self.members[member_id] = member

    def import_purchase(self, member_id, merchant_id, amount, order_ref, occurred_at, points, at, *refunded_at):
        """Of another system, with what it awarded: facts, no lots."""
        member, payload = self.member(member_id).copy(), ('import', amount, occurred_at, points)
        known = self.receipts.get((merchant_id, order_ref))
        if known:
            require(known[0] == member_id, 'MB202')
            require(known[2] == payload, 'MB201')
            return {'journal_no': known[1], 'duplicate': True}
        require(self.merchants[merchant_id].open_on(self.days.day_of(occurred_at)), 'MB003')
        require(member.status != 'closed', 'MB102')
        posted_at, amount = max(at, member.last_posted_at), Fraction(amount)
        self._settle(member, posted_at)
        tier = self.tiers[member.tier_at(occurred_at)]
        event = self._post(
            member, 'accrual', occurred_at, posted_at, merchant_id=merchant_id, order_ref=order_ref, channel='import',
            amount=amount, basis=amount, merchant_collected=amount, status='imported', points_wanted=points,
            base_points=points, base_rate=self.config.base_rate, rounding=self.config.award_rounding,
            tier_id=tier.tier_id, tier_multiplier=tier.multiplier, tier_after=member.tier_id, tier_changed=False)
        if self.config.stacking != 'additive':
            event['rules'] = {'stacking': self.config.stacking, 'rules': []}
        self._record_activity(member, event['day'], purchases=1, basis=amount, earned=points)
        member.sales[event['journal_no']] = Sale(event['journal_no'], [Line(1, merchant_id, amount, True, {})], imported=points)
        self.members[member_id] = member
        self.receipts[merchant_id, order_ref] = (member_id, event['journal_no'], payload)
        self.apply_parked((merchant_id, order_ref), *refunded_at)
        return {'journal_no': event['journal_no'], 'duplicate': False}

    # sweeps

    def expire_points(self, as_of):
        return self._sweep(as_of, lambda member: True, lambda event: -event['points'] if event['verb'] == 'expiry' else 0)

    def release_holds(self, as_of):
        """The same for members with a hold whose time is over."""
        return self._sweep(
            as_of, lambda member: any(hold.expires_at is not None and hold.expires_at <= as_of for hold in member.holds),
            lambda event: event['verb'] == 'timeout')

    def _sweep(self, as_of, wanted, counted):
        """Settles members as their next call at that moment would: how many had something due, and what is counted."""
        members = count = 0
        for member_id in filter(lambda member_id: wanted(self.members[member_id]), self.members):
            member = self.settled(member_id, as_of)
            posted = member.journal[len(self.members[member_id].journal):]
            members += bool(posted)
            count += sum(map(counted, posted))
            member.last_posted_at = posted[-1]['posted_at'] if posted else member.last_posted_at
            self.members[member_id] = member
        return members, count, False

    # results

    @staticmethod
    def _line_facts(line, award):
        tendered = {'tendered': line.tendered, 'points_tendered': line.points_tendered} \
            if line.tendered or line.points_tendered else {}
        return {'line_no': line.line_no, 'merchant_id': line.merchant_id, 'amount': line.amount, 'basis': line.basis,
                'points': award.line_points(line.line_no), **line.facts, **tendered,
                **({} if line.eligible else {'eligible': False})}

    def _accrual_result(self, member, event, duplicate, journal_no=None):
        explanation = {'tier': self.tiers[event['tier_id']].code, 'tier_multiplier': event['tier_multiplier'],
                       'base_rate': event['base_rate'], 'rounding': event['rounding'], 'basis': event['basis']}
        if event['lines'] is not None:
            explanation['lines'] = event['lines']
        if event['rules']:
            explanation.update(event['rules'])
        if event['tenders']:
            explanation['tenders'] = event['tenders']
        return {
            'journal_no': event['journal_no'] if duplicate else journal_no, 'status': event['status'],
            'reason_code': event['reason_code'], 'points': event['points'], 'points_wanted': event['points_wanted'],
            'base_points': event['base_points'], 'bonus_points': event['points_wanted'] - event['base_points'],
            'available_at': event['available_at'], 'expires_at': event['expires_at'], 'balance': event['balance'],
            'tier': self.tiers[event['tier_after']].code, 'tier_changed': event['tier_changed'],
            'duplicate': duplicate, 'explanation': explanation}

    # reading views

    def settled(self, member_id, now):
        """The member as if touched now: what every reading view shows."""
        member = self.members[member_id].copy()
        self._settle(member, max(now, member.last_posted_at))
        return member

    def balance_at(self, member_id, at, known_at):
        """By two clocks: what the events known then left, settled up to that moment."""
        member = self.member(member_id)
        known = {event['journal_no'] for event in member.journal
                 if event['occurred_at'] <= at and (known_at is None or event['posted_at'] <= known_at)}
        left = Counter()
        for entry in member.entries:
            if entry['journal_no'] in known:
                left[entry['lot_no']] += entry['points']
        past = Member(member_id, member.enrolled_at, member.tier_id)
        past.debt = -left.pop(0, 0)
        for lot_no, remaining in left.items():
            opening = member.entries[lot_no - 1]
            if remaining:
                past.lots.append(self._new_lot(opening, member.event(opening['journal_no']), remaining))
        self._settle(past, at)
        return past.balance

    def balance_row(self, member_id, now):
        member = self.settled(member_id, now)
        pending = sum(lot.remaining for lot in member.lots if lot.active_at > now)
        dying = [lot for lot in member.lots if lot.expires_at is not None and lot.expires_at > now]
        return {'balance': member.balance, 'available': member.balance - member.held - pending, 'pending': pending,
                'held': member.held, 'debt': member.debt,
                'next_expiry': min((lot.expires_at for lot in dying), default=None),
                'expiring_30d': sum(lot.free for lot in dying if lot.expires_at <= now + THIRTY_DAYS)}

    def lot_rows(self, member_id, now):
        rows = []
        for lot in self.settled(member_id, now).lots:
            state = 'held' if lot.dead_at(now) else 'pending' if lot.active_at > now else 'active'
            rows.append({'lot_no': lot.lot_no, 'journal_no': lot.journal_no, 'origin': lot.origin,
                         'granted': lot.granted, 'remaining': lot.remaining, 'held': lot.held,
                         'available': lot.free if state == 'active' else 0, 'state': state, 'active_at': lot.active_at, 'expires_at': lot.expires_at})
        return rows

    def expiring_rows(self, member_id, now):
        """What dies when within 90 days, by the last day on which it is valid."""
        soon = Counter()
        for lot in self.settled(member_id, now).lots:
            if lot.free and lot.expires_at is not None:
                soon[self.days.last_day_before(lot.expires_at)] += lot.free
        limit = self.days.day_of(now) + timedelta(days=90)
        return [{'expires_on': day, 'points': points} for day, points in sorted(soon.items()) if day <= limit]

    def hold_rows(self, member_id, now):
        member = self.settled(member_id, now)
        for hold in member.holds:
            event = member.event(hold.hold_no)
            yield {'hold_no': hold.hold_no, 'ref': hold.ref, 'points': hold.points, 'merchant_id': hold.merchant_id,
                   'order_ref': hold.order_ref, 'purpose': event['purpose'], 'cash_value': event['amount'],
                   'authorized_at': event['posted_at'], 'expires_at': hold.expires_at}

    def progress_row(self, member_id, now):
        member = self.members[member_id]
        tier = self.tiers[member.tier_id]
        today = self.days.day_of(now)
        start = add_months(today, -self.config.tier_window_months)
        spend = sum((row[1] for day, row in member.activity.items() if start < day <= today), Fraction(0))
        above = [t for t in self.tiers.values() if t.rank > tier.rank and t.qualify_basis is not None]
        after = min(above, key=lambda t: t.rank, default=None)
        return {'tier': tier.code, 'tier_since': member.tier_since, 'tier_expires_at': member.tier_expires_at,
                'tier_locked_until': member.tier_locked_until, 'window_basis': spend,
                'next_tier': after and after.code,
                'basis_missing': max(after.qualify_basis - spend, Fraction(0)) if after else None}
