"""Spending as doc/spending.md describes it: burn rules, quotes, redemptions, holds, tenders, reversals, transfers."""
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction

from context import order_context
from ledger import ACTIVITY, Hold, earliest_expiry_first, require
from money import spread
from rules import Failure, admits

MAX_POINTS = 10**15
FIFTEEN_MINUTES = timedelta(minutes=15)
LONGEST_HOLD = timedelta(days=3653)


@dataclass(frozen=True, eq=False)
class BurnRule:
    burn_rule_id: int
    code: str
    name: str
    step: int
    value: Fraction
    status: str = 'draft'
    purpose: str = 'payment'
    priority: int = 0
    valid_during: tuple = (None, None)
    mall_ids: list | None = None
    merchant_ids: list | None = None
    channels: list | None = None
    tiers: list | None = None
    condition: str | None = None
    share: Fraction | None = None
    minimum: int = 1
    daily_cap: int | None = None

    def worth(self, points):
        return points * self.value / self.step


@dataclass
class Request:
    """What points are asked for."""
    merchant_id: int | None
    order_ref: str | None
    amount: Fraction | None
    channel: str
    purpose: str
    occurred_at: object = None # of a purchase whose tender it is; None = when it is posted

    @property
    def order(self):
        return (self.merchant_id, self.order_ref) if self.order_ref is not None else None


class Spending:
    # --- what can be spent

    def _request(self, order_amount=None, merchant_id=None, order_ref=None, lines=None, channel='pos', purpose='payment'):
        require(order_ref is None or merchant_id is not None, '22023')
        amount = None if order_amount is None else Fraction(order_amount)
        if lines is not None:
            total = sum(Fraction(line['amount']) for line in lines)
            require(amount in (None, total), '22023')
            amount = total
        require(amount is None or amount >= 0 and (amount * 10**self.config.digits).denominator == 1, '22023')
        require(merchant_id is None or merchant_id in self.merchants, 'MB003')
        return Request(merchant_id, order_ref, amount, channel, purpose)

    def _burn_rule(self, member, request, occurred_at):
        """Of the active rules of the purpose that match, the one of the highest priority, then the lowest number."""
        context = order_context(self, member, request.merchant_id, occurred_at, request.channel, {}, request.amount,
                                request.amount, self.tiers[member.tier_at(occurred_at)])
        asked = [rule for rule in self.burn_rules.values()
                 if rule.status == 'active' and rule.purpose == request.purpose and admits(rule, context)]
        answers = self.evaluate([rule.condition or 'true' for rule in asked], context) if asked else ()
        matching = [rule for rule, answer in zip(asked, answers) if answer and not isinstance(answer, Failure)]
        return min(matching, key=lambda rule: (-rule.priority, rule.burn_rule_id), default=None)

    def _limits(self, member, request, rule, now):
        """(name, SQLSTATE, most points) in the order in which they are told."""
        if member.status != 'active':
            yield 'member_status', 'MB102' if member.status == 'closed' else 'MB104', 0
        if rule is None:
            yield 'no_rule', 'MB105', 0
            return
        if request.order in self.receipts:
            yield 'order_posted', 'MB106', 0
        yield 'balance', 'MB101', member.available_at(now)
        if request.amount is not None:
            most = request.amount * (1 if rule.share is None else rule.share) - self._spent_worth(member, request.order)
            yield 'share', 'MB103', most / rule.value * rule.step
        if rule.daily_cap is not None:
            yield 'daily_cap', 'MB103', rule.daily_cap - self._spent_on(member, self.days.day_of(now))

    @staticmethod
    def _spent_worth(member, order):
        """Worth of what is redeemed or held for an order that has not been accrued."""
        numbers = [number for *key, number in member.order_spends if tuple(key) == order]
        numbers += [hold.hold_no for hold in member.holds if (hold.merchant_id, hold.order_ref) == order]
        return sum(member.event(number)['amount'] for number in numbers)

    @staticmethod
    def _spent_on(member, day):
        """Points redeemed on a day, and held since that day."""
        held = sum(hold.points for hold in member.holds if member.event(hold.hold_no)['day'] == day)
        return held + member.activity.get(day, [0] * len(ACTIVITY))[4]

    def allowance(self, member_id, at, **asked):
        """The most points, the burn rule, and which limit binds: the one that is told when a step more is asked for."""
        request = self._request(**asked)
        member = self.member(member_id).copy()
        now = max(at, member.last_posted_at)
        self._settle(member, now)
        rule = self._burn_rule(member, request, now)
        limits = list(self._limits(member, request, rule, now))
        step = rule.step if rule else 1
        most = max(min(limit for *_, limit in limits), 0) // step * step
        if rule and most < rule.minimum:
            most = 0
        return most, rule, next((name for name, _, limit in limits if limit < most + step), 'minimum')

    def quote(self, member_id, at, **asked):
        most, rule, limited_by = self.allowance(member_id, at, **asked)
        return {'max_points': most, 'cash_value': rule.worth(most) if rule else Fraction(0), 'limited_by': limited_by}

    def spent_for(self, member_id, order, at):
        """Points redeemed and held for an order."""
        member = self.settled(member_id, at)
        return (sum(hold.points for hold in member.holds if (hold.merchant_id, hold.order_ref) == order)
                - sum(member.event(number)['points'] for *key, number in member.order_spends if tuple(key) == order))

    def _require_within(self, member, points, request, now):
        rule = self._burn_rule(member, request, request.occurred_at or now)
        require(rule is None or rule.share is None or request.amount is not None, '22004')
        for name, sqlstate, most in self._limits(member, request, rule, now):
            if name == 'balance':
                require(points % rule.step == 0, 'MB103')
            require(points <= most, sqlstate)
        require(points >= rule.minimum, 'MB103')
        return rule

    # --- redemptions

    def redeem(self, member_id, points, ref, at, **asked):
        require(points is not None and ref is not None, '22004')
        require(points <= MAX_POINTS, '22003')
        require(points >= 1, '22023')
        require(ref, '22023')
        request = self._request(**asked)
        member = self.member(member_id).copy()
        payload = (points, repr(asked), at)
        first = self._first(member, 'redemption', ref, payload)
        if first:
            return self._redeemed(first, True)
        now = max(at, member.last_posted_at)
        self._settle(member, now)
        event = self._redeem(member, points, ref, payload, request, now)
        self.members[member_id] = member
        return self._redeemed(event, False)

    @staticmethod
    def _first(member, verb, ref, payload):
        """The event that this key was posted as."""
        known = member.keys.get((verb, ref))
        if known is None:
            return None
        require(known[1] == payload, 'MB201')
        return member.event(known[0])

    @staticmethod
    def _redeemed(event, duplicate):
        return {'journal_no': event['journal_no'], 'points': -event['points'], 'cash_value': event['amount'],
                'balance': event['balance'], 'duplicate': duplicate}

    @staticmethod
    def _posting(event, duplicate=False):
        return {'journal_no': event['journal_no'], 'points': event['points'], 'balance': event['balance'],
                'duplicate': duplicate}

    def _redeem(self, member, points, ref, payload, request, now):
        rule = self._require_within(member, points, request, now)
        event = self._post_spending(member, 'redemption', rule, points, request, now)
        self._spend(member, event, points)
        self._record_spending(member, event)
        if ref is not None:
            member.keys['redemption', ref] = (event['journal_no'], payload)
        return event

    def _post_spending(self, member, verb, rule, points, request, now):
        frozen = {'burn_rule_id': rule.burn_rule_id, 'code': rule.code, 'step': rule.step, 'value': rule.value}
        return self._post(member, verb, now, now, purpose=request.purpose, merchant_id=request.merchant_id,
                          order_ref=request.order_ref, channel=request.channel, amount=rule.worth(points),
                          rules={'burn_rule': frozen})

    def _record_spending(self, member, event):
        """An order's accrual makes them its tenders; without order they are settled at once."""
        self._record_activity(member, event['day'], redeemed=-event['points'])
        if event['order_ref'] is not None:
            member.order_spends.append((event['merchant_id'], event['order_ref'], event['journal_no']))
        elif event['merchant_id'] is not None:
            self._split_spending(member, event)

    def reverse(self, member_id, ref, reason, at):
        require(ref is not None and reason is not None, '22004')
        member = self.member(member_id).copy()
        payload = (reason, at)
        first = self._first(member, 'reversal', ref, payload)
        if first:
            return self._posting(first, True)
        undone = self._spending_of(member, ref)
        require(member.status != 'closed', 'MB102')
        require(undone, 'MB008')
        key = (undone['merchant_id'], undone['order_ref'], undone['journal_no'])
        require(undone['order_ref'] is None or key in member.order_spends, 'MB106')
        now = max(at, member.last_posted_at)
        self._settle(member, now)
        event = self._post(member, 'reversal', now, now, reason=reason, refers_to=undone['journal_no'])
        for entry in member.entries_of(undone):
            self._reinstate(member, event, member.entries[entry['lot_no'] - 1], -entry['points'])
        self._record_activity(member, undone['day'], redeemed=undone['points'])
        self._split_back(member, event, undone)
        member.order_spends = [spend for spend in member.order_spends if spend != key]
        member.keys['reversal', ref] = (event['journal_no'], payload)
        self._settle(member, now)
        self.members[member_id] = member
        return self._posting(event)

    @staticmethod
    def _spending_of(member, ref):
        """The redemption, or the capture of the hold, of that ref."""
        if ('redemption', ref) in member.keys:
            return member.event(member.keys['redemption', ref][0])
        if ('authorization', ref) in member.keys:
            hold_no = member.keys['authorization', ref][0]
            return next((event for event in member.journal
                         if (event['verb'], event['refers_to']) == ('capture', hold_no)), None)
        return None

    def _reinstate(self, member, event, opening, points):
        """Back to the lot; what has died lives some days more, as a lot of its own."""
        now, days = event['posted_at'], self.config.reinstatement_days
        if opening['expires_at'] is not None and opening['expires_at'] <= now and days:
            end = self.days.start_of(self.days.day_of(now) + timedelta(days=days + 1))
            self._credit(member, event, points, now, end)
        else:
            self._give_back(member, event, opening['lot_no'], points)

    # --- holds

    def authorize(self, member_id, points, ref, at, ttl=FIFTEEN_MINUTES, **asked):
        require(points is not None and ref is not None, '22004')
        require(points <= MAX_POINTS, '22003')
        require(points >= 1, '22023')
        require(ref and (ttl is None or timedelta(0) < ttl <= LONGEST_HOLD), '22023')
        request = self._request(**asked)
        member = self.member(member_id).copy()
        payload = (points, ttl, repr(asked), at)
        first = self._first(member, 'authorization', ref, payload)
        if first:
            return self._posting(first, True)
        now = max(at, member.last_posted_at)
        self._settle(member, now)
        rule = self._require_within(member, points, request, now)
        event = self._post_spending(member, 'authorization', rule, points, request, now)
        hold = Hold(event['journal_no'], ref, points, ttl and now + ttl, request.merchant_id, request.order_ref, {})
        for lot in self._free_lots(member, now):
            taken = min(points, lot.free)
            if taken:
                lot.held += taken
                points -= taken
                hold.lots[lot.lot_no] = taken
        member.holds.append(hold)
        member.keys['authorization', ref] = (event['journal_no'], payload)
        self.members[member_id] = member
        return self._posting(event)

    def capture(self, member_id, ref, at, points=None):
        require(ref is not None, '22004')
        require(points is None or points >= 1, '22023')
        member = self.member(member_id).copy()
        require(('authorization', ref) in member.keys, 'MB008')
        payload = (points, at)
        first = self._first(member, 'capture', ref, payload)
        if first:
            return self._posting(first, True)
        now = max(at, member.last_posted_at)
        self._settle(member, now)
        hold = next((hold for hold in member.holds if hold.ref == ref), None)
        require(hold, 'MB107')
        require(member.status != 'closed', 'MB102')
        require(member.status != 'frozen', 'MB104')
        event = self._capture(member, hold, hold.points if points is None else points, now)
        member.keys['capture', ref] = (event['journal_no'], payload)
        self._settle(member, now)
        self.members[member_id] = member
        return self._posting(event)

    def _capture(self, member, hold, points, now, order=None):
        """Of its lots in the order in which they were taken; the rest is released."""
        authorization = member.event(hold.hold_no)
        merchant_id, order_ref = order or (hold.merchant_id, hold.order_ref)
        burn_rule = authorization['rules']['burn_rule']
        require(points <= hold.points and points % burn_rule['step'] == 0, 'MB103')
        event = self._post(member, 'capture', now, now, refers_to=hold.hold_no, rules=authorization['rules'],
                           amount=points * burn_rule['value'] / burn_rule['step'],
                           purpose=authorization['purpose'], merchant_id=merchant_id, order_ref=order_ref,
                           channel=authorization['channel'])
        held = dict(hold.lots)
        self._release(member, hold, now)
        for lot in sorted((lot for lot in member.lots if lot.lot_no in held), key=earliest_expiry_first):
            taken = min(points, held[lot.lot_no])
            if taken:
                self._take(member, event, lot, taken)
                points -= taken
        self._record_spending(member, event)
        return event

    def void(self, member_id, ref, at):
        require(ref is not None, '22004')
        member = self.member(member_id).copy()
        require(('authorization', ref) in member.keys, 'MB008')
        hold_no = member.keys['authorization', ref][0]
        now = max(at, member.last_posted_at)
        before = len(member.journal)
        self._settle(member, now)
        ended = next((event for event in member.journal if event['refers_to'] == hold_no
                      and event['verb'] in ('capture', 'void', 'timeout')), None)
        require(ended is None or ended['verb'] != 'capture', 'MB107')
        if len(member.journal) > before or not ended:
            self.members[member_id] = member
        if ended:
            return self._posting(ended, True)
        event = self._post(member, 'void', now, now, refers_to=hold_no)
        self._release(member, next(hold for hold in member.holds if hold.hold_no == hold_no), now)
        self._settle(member, now)
        return self._posting(event)

    # --- points as tenders of an order

    def _find_tenders(self, member, tenders, purchase):
        """What was redeemed or held for the order, the holds that are named, and what else is listed.

        purchase: the order as a request for the purpose `payment`.
        """
        listed = [tender for tender in tenders or [] if tender['kind'] == 'points']
        naming = [tender for tender in listed if 'hold_ref' in tender]
        listed = [tender for tender in listed if 'hold_ref' not in tender]
        named = [self._named_hold(member, tender, purchase.order) for tender in naming]
        before = [hold for hold in member.holds
                  if (hold.merchant_id, hold.order_ref) == purchase.order and hold not in named]
        spent = [member.event(number) for *key, number in member.order_spends if tuple(key) == purchase.order]
        total = sum(hold.points for hold in before) - sum(event['points'] for event in spent)
        require(not listed or not total or sum(tender['points'] for tender in listed) == total, 'MB103')
        return spent, before, total, naming, named, listed

    def _pay_with_points(self, member, order, found, purchase, now, keep):
        """What was spent before pays, and the holds that are named; if nothing was, what is listed is redeemed now."""
        spent, before, total, naming, named, listed = found
        parts = []                 # (merchant or None, points, worth)
        captured = [self._capture_for(member, hold, purchase, now) for hold in named]
        parts += [self._part(tender, event) for tender, event in zip(naming, captured)]
        earlier = spent + [self._capture_for(member, hold, purchase, now) for hold in before]
        redeemed = []
        if total:
            parts += self._parts_of_earlier(listed, total, sum(event['amount'] for event in earlier))
        else:
            for tender in listed:
                redeemed.append(self._redeem_tender(member, tender, purchase, now, keep))
                parts.append(self._part(tender, redeemed[-1]))
        if not parts:
            return None
        self._require_worth(member, earlier + captured + redeemed, purchase)
        self._tender_lines(order, parts)
        member.order_spends = [spend for spend in member.order_spends if tuple(spend[:2]) != purchase.order]
        return {'points': sum(points for _, points, _ in parts), 'value': sum(worth for *_, worth in parts),
                'spent': [event['journal_no'] for event in spent + captured + earlier[len(spent):] + redeemed]}

    def _named_hold(self, member, tender, order):
        hold = next((hold for hold in member.holds if hold.ref == tender['hold_ref']), None)
        require(hold, 'MB008')
        require(hold.order_ref is None or (hold.merchant_id, hold.order_ref) == order, 'MB103')
        require(tender.get('points', hold.points) == hold.points, 'MB103')
        return hold

    def _capture_for(self, member, hold, purchase, now):
        require(member.status != 'closed', 'MB102')
        require(member.status != 'frozen', 'MB104')
        return self._capture(member, hold, hold.points, now, purchase.order)

    def _redeem_tender(self, member, tender, purchase, now, keep):
        """A preview looks at no keys."""
        ref = tender.get('ref')
        require(not keep or ref is None or ('redemption', ref) not in member.keys, 'MB201')
        return self._redeem(member, tender['points'], ref, ('tender',), purchase, now)

    @staticmethod
    def _part(tender, event):
        require('amount' not in tender or Fraction(tender['amount']) == event['amount'], '22023')
        return tender.get('merchant_id'), -event['points'], event['amount']

    def _parts_of_earlier(self, listed, points, worth):
        """The worth follows the points."""
        if not listed:
            return [(None, points, worth)]
        shares = self._spread_money(worth, [tender['points'] for tender in listed])
        return [self._part(tender, {'points': -tender['points'], 'amount': share})
                for tender, share in zip(listed, shares)]

    def _require_worth(self, member, events, purchase):
        """All within the net, those of purpose payment within their rule's share of it."""
        rule = self._burn_rule(member, purchase, purchase.occurred_at)
        share = 1 if rule is None or rule.share is None else rule.share
        payment = sum(event['amount'] for event in events if event['purpose'] == 'payment')
        require(sum(event['amount'] for event in events) <= purchase.amount, 'MB103')
        require(payment <= purchase.amount * share, 'MB103')

    def _tender_lines(self, order, parts):
        """Those of a merchant over its lines, then the others over what is left of all, pro rata."""
        pots = {}
        for merchant_id, points, worth in parts:
            pot = pots.setdefault(merchant_id, [0, Fraction(0)])
            pot[0] += points
            pot[1] += worth
        for merchant_id in sorted(pots, key=lambda merchant_id: merchant_id is None):
            points, worth = pots[merchant_id]
            lines = [line for line in order if merchant_id in (None, line.merchant_id)]
            left = [line.amount - line.tendered for line in lines]
            require(0 < worth <= sum(left), 'MB103')
            for line, money, number in zip(lines, self._spread_money(worth, left), spread(
                    points, [points * weight / sum(left) for weight in left])):
                line.tendered += money
                line.points_tendered += number

    def _spread_money(self, amount, weights):
        units = int(amount * 10**self.config.digits)
        shares = spread(units, [Fraction(units * weight) / sum(weights) for weight in weights])
        return [Fraction(share, 10**self.config.digits) for share in shares]

    # --- transfers

    def transfer(self, from_member_id, to_member_id, points, ref, at):
        require(points is not None and ref is not None, '22004')
        require(points >= 1 and from_member_id != to_member_id, '22023')
        sender, receiver = self.member(from_member_id).copy(), self.member(to_member_id).copy()
        payload = (to_member_id, points, at)
        first = self._first(sender, 'transfer_out', ref, payload)
        if first:
            return self._posting(first, True)
        config = self.config
        require(config.transfers, 'MB108')
        now = self._meet(at, sender, receiver)
        require(points <= sender.available_at(now), 'MB101')
        require(points >= config.transfer_minimum, 'MB103')
        day = self.days.day_of(now)
        sent = -sum(event['points'] for event in sender.journal
                    if (event['verb'], event['day']) == ('transfer_out', day))
        require(config.transfer_daily_limit is None or sent + points <= config.transfer_daily_limit, 'MB103')
        out = self._post(sender, 'transfer_out', now, now, counterpart_id=to_member_id)
        into = self._post(receiver, 'transfer_in', now, now, counterpart_id=from_member_id)
        self._spend(sender, out, points)
        for entry in sender.entries_of(out):
            opening = sender.entries[entry['lot_no'] - 1]
            self._credit(receiver, into, -entry['points'], opening['active_at'], opening['expires_at'])
        sender.keys['transfer_out', ref] = (out['journal_no'], payload)
        self.members[from_member_id], self.members[to_member_id] = sender, receiver
        return self._posting(out)
