"""Corrections as doc/refunds.md describes them: a purchase taken back as a whole and posted anew."""
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from context import contexts
from ledger import earliest_expiry_first, require
from money import to_minor_unit
from refunds import NOTHING, Claim, stays
from rules import Award, Exchanged, Terms, explain, match, paying
from spending import Request


EXCHANGES_LOOKED_THROUGH = 10


@dataclass
class Replaced:
    """What was taken back to make way for a purchase."""
    debt: int                  # what the member owed before
    expired: int               # points of its award that had expired

    def expires_again(self, member, award):
        """How much of the new award, once what is owed is paid."""
        return min(self.expired, max(award - (member.debt - self.debt), 0))


class Corrections:
    def correct(self, merchant_id, order_ref, amount, lines, correction_ref, reason, at):
        require(None not in (merchant_id, order_ref, amount, correction_ref, reason), '22004')
        require(correction_ref and self._is_money(amount), '22023')
        key, payload = (merchant_id, order_ref), ('correction', Fraction(amount), repr(lines), reason, at)
        order = self._read_lines(lines, merchant_id, Fraction(amount))
        require(sum(line.amount for line in order) == amount, '22023')
        require(merchant_id in self.merchants and all(line.merchant_id in self.merchants for line in order), 'MB003')
        require(key in self.receipts, 'MB009')
        first = self.claims.get(key, {}).get(correction_ref)
        if first:
            require(first.payload == payload, 'MB201')
            member = self.members[first.member_id]
            taken = first.result['journal_no']
            # later: an accrual that came by reassignment refers to a number of another member's journal
            posted = next(event for event in member.journal if event['refers_to'] == taken < event['journal_no'])
            return self._accrual_result(member, posted, duplicate=True)
        member = self.member(self.receipts[key][0]).copy()
        purchase = self._correctable(member, key)
        self._require_open(purchase, order)
        require(member.status != 'closed', 'MB102')
        tenders = purchase['tenders']
        require(not tenders or tenders['value'] <= amount, 'MB103')
        now = max(at, member.last_posted_at)
        undoing, sale = self._undo(member, purchase, 'correction', now, reason, correction_ref)
        if tenders:
            self._tender_lines(order, [(None, tenders['points'], tenders['value'])])
        status = ('posted', None)
        if not self.is_collected(member, purchase):
            status = ('rejected', 'rejected' if purchase['status'] == 'review' else purchase['reason_code'])
        undone = member.refunds[-1]
        event = self._post_anew(member, purchase, sale, order, amount, lines is not None, now, undoing,
                                self.tiers[purchase['tier_id']], sale.award.terms, status,
                                Replaced(member.debt - undone['debt'], undone['points_expired']))
        self.members[member.member_id] = member
        self.receipts[key] = (member.member_id, event['journal_no'], self.receipts[key][2])
        self.claims.setdefault(key, {})[correction_ref] = Claim(
            payload, None, member.member_id, result={'journal_no': undoing['journal_no']})
        return self._accrual_result(member, event, duplicate=False, journal_no=event['journal_no'])

    def reassign(self, merchant_id, order_ref, to_member_id, reason, at):
        require(None not in (merchant_id, order_ref, to_member_id, reason), '22004')
        key = (merchant_id, order_ref)
        require(key in self.receipts, 'MB009')
        receiver = self.member(to_member_id).copy()
        if self.receipts[key][0] == to_member_id:
            return self._accrual_result(receiver, receiver.event(self.receipts[key][1]), duplicate=True)
        member = self.member(self.receipts[key][0]).copy()
        purchase = self._correctable(member, key)
        require(not purchase['tenders'], 'MB110')
        require(purchase['status'] != 'review' or self.is_collected(member, purchase), 'MB110')
        require(receiver.status != 'closed', 'MB102')
        self._require_open(purchase)
        now = max(at, member.last_posted_at, receiver.last_posted_at)
        undoing, sale = self._undo(member, purchase, 'reassignment', now, reason, counterpart_id=to_member_id)
        self._settle(receiver, now)
        status = ('posted', None)
        if receiver.status == 'frozen':
            status = ('rejected', 'member_frozen')
        tier = self.tiers[receiver.tier_at(purchase['occurred_at'])]
        order = [replace(state.line) for state in sale.lines]
        event = self._post_anew(receiver, purchase, sale, order, purchase['amount'], purchase['lines'] is not None, now,
                                undoing, tier, replace(sale.award.terms, tier_multiplier=tier.multiplier), status,
                                Replaced(receiver.debt, 0), member.contexts, counterpart_id=member.member_id)
        self.members[member.member_id], self.members[to_member_id] = member, receiver
        self.receipts[key] = (to_member_id, event['journal_no'], self.receipts[key][2])
        return self._accrual_result(receiver, event, duplicate=False, journal_no=event['journal_no'])

    # --- exchanges

    def _exchange_of(self, member, merchant_id, order_ref, amount):
        """The order whose goods were returned, as far as they were not exchanged; for nothing there is no exchange."""
        known = self.receipts.get((merchant_id, order_ref))
        require(known and known[0] == member.member_id, 'MB009')
        sale = member.sales[known[1]] = member.sales[known[1]].copy()
        require(sale.returned > sale.exchanged, 'MB109')
        return sale if amount else None

    def _exchange(self, member, order, purchase, attributes, terms, old, explicit_lines):
        """Up to what was returned as if bought with what the goods were bought with, the rest as of now."""
        amount = min(old.returned - old.exchanged, purchase.amount)
        before = self._bought_with(member, old.journal_no, old.exchanged)
        old.exchanged += amount
        bought = self._bought_with(member, old.journal_no, old.exchanged)
        judged = [(*self._terms_of(member, number), net - before.get(number, 0)) for number, net in bought.items()
                  if net > before.get(number, 0)]
        rest = purchase.amount - sum(net for *_, net in judged)
        as_then = len(judged)
        if rest:
            judged.append((purchase.occurred_at, self.tiers[member.tier_at(purchase.occurred_at)], terms, rest))
        left, awards, told = order, [], []
        for number, (occurred_at, tier, terms_then, net) in enumerate(judged):
            lines, left = self._divide(left, net)
            places = contexts(self, member, order, purchase.merchant_id, occurred_at, purchase.channel, attributes, tier)
            matched = match(self.rules.in_force(occurred_at), places, self.evaluate)
            awards.append(Award(lines, paying(matched), terms_then, order))
            if number < as_then:
                awards[-1].give_nothing(stays)
            failed = {before['rule_id'] for before in told if before['outcome'] == 'failed'}
            told += [now for now in explain(matched, places, awards[-1], explicit_lines, tell_all=False)
                     if now['outcome'] != 'failed' or now['rule_id'] not in failed]
        return Exchanged(order, awards, amount, terms), told

    def _bought_with(self, member, number, net, depth=0):
        """So much of a purchase's returns, the first to be exchanged, by the purchases it was bought with, the oldest first."""
        if not self.is_collected(member, member.event(number)):
            return {}
        row = next((row for row in member.exchanges if row['journal_no'] == number), None)
        if not row or depth == EXCHANGES_LOOKED_THROUGH:
            return {number: net}
        older = to_minor_unit(row['amount'] * net / member.event(number)['amount'], self.config.digits)
        others = sum(other['amount'] for other in member.exchanges
                     if other['purchase_no'] == row['purchase_no'] and other['journal_no'] < number)
        before, bought = (self._bought_with(member, row['purchase_no'], end, depth + 1) for end in (others, others + older))
        return {origin: bought[origin] - before.get(origin, 0) for origin in bought} | {number: net - older}

    def _terms_of(self, member, number):
        then = member.event(number)
        stacking = then['rules']['stacking'] if then['rules'] else 'additive'
        return then['occurred_at'], self.tiers[then['tier_id']], Terms(
            then['base_rate'], then['tier_multiplier'], then['rounding'], stacking)

    def _divide(self, order, amount):
        """A part of the lines, pro rata, a line's basis with it, and what is left of them."""
        part, left = [], []
        for line, cut in zip(order, self._spread_money(amount, [line.amount for line in order])):
            basis = to_minor_unit(line.basis * cut / line.amount, self.config.digits) if cut else Fraction(0)
            rest = line.amount - cut
            part.append(replace(line, amount=cut, tendered=cut - basis))
            left.append(replace(line, amount=rest, tendered=rest - (line.basis - basis)))
        return part, left

    # --- what both do

    def _correctable(self, member, key):
        purchase = member.event(self.receipts[key][1])
        decided = ('review', str(purchase['journal_no'])) in member.keys
        require(purchase['status'] != 'imported' and (purchase['status'] != 'review' or decided), 'MB110')
        require(not member.sales[purchase['journal_no']].is_exchange, 'MB110')
        require(not any(row['purchase_no'] == purchase['journal_no'] for row in member.refunds), 'MB110')
        return purchase

    def _require_open(self, purchase, order=()):
        shops = {purchase['merchant_id'], *(line.merchant_id for line in order)}
        require(all(self.merchants[number].open_on(purchase['day']) for number in shops), 'MB003')

    def _undo(self, member, purchase, verb, now, reason, ref=None, **columns):
        """Takes a purchase back as a whole; the points that paid for it stay spent."""
        sale = member.sales[purchase['journal_no']] = member.sales[purchase['journal_no']].copy()
        self._settle(member, now)
        event = self._post(member, verb, now, now, reason=reason, refers_to=purchase['journal_no'],
                           merchant_id=purchase['merchant_id'], order_ref=purchase['order_ref'],
                           amount=purchase['amount'], basis=purchase['basis'], **columns)
        award = growth = 0
        if self.is_collected(member, purchase):
            award, growth = sale.posted.total, sale.posted.total_growth
        value = sum(state.line.tendered for state in sale.lines)
        row = NOTHING | {'amount': purchase['amount'], 'cash_amount': purchase['amount'] - value}
        if verb == 'correction':
            self._owe(member, event, sale, award, row)
        else:
            self._claw_back(member, event, sale, award, row, 'unlimited')
        event['growth'] = -growth or None
        self._record_activity(member, purchase['day'], purchases=-1, basis=-purchase['basis'], earned=-award, growth=-growth)
        for number in dict.fromkeys((sale.journal_no, sale.posted_by)):
            self._split_back(member, event, member.event(number))
        for state in sale.lines:
            line = state.line
            state.amount, state.closed, state.money, state.points = line.amount, True, line.tendered, line.points_tendered
            state.quantity = Decimal(line.facts.get('quantity', 0))
            if sale.award:
                state.taken = sale.award.line_points(line.line_no)
                state.growth = sum(value for _, value in sale.award.growth[line.line_no])
        self._record_refund(member, row | {
            'purchase_no': purchase['journal_no'], 'journal_no': event['journal_no'], 'refund_ref': ref, 'complete': True,
            'lines': self._states(sale, self.is_collected(member, purchase))})
        if verb != 'correction':
            self._settle(member, now)
        return event, sale

    def _owe(self, member, event, sale, award, row):
        """Takes what the old award's lots hold; the rest is had from the new one."""
        own, now = self._own_lots(member, sale), event['posted_at']
        row['points_expired'] = self._count_expired(member, own, sale, award)
        missing = award - row['points_expired']
        lots = [lot for lot in member.lots if lot.lot_no in own and lot.free and not lot.dead_at(now)]
        for lot in sorted(lots, key=lambda lot: (lot.active_at <= now, earliest_expiry_first(lot))):
            taken = min(missing, lot.free)
            self._take(member, event, lot, taken)
            missing -= taken
        if missing:
            member.debt += missing
            self._move(member, event, 0, -missing)
        row.update(points_clawed=award - row['points_expired'], debt=missing)

    def _post_anew(self, member, purchase, sale, order, amount, explicit_lines, now, undoing, tier, terms, status,
                   replaced, contexts=None, **columns):
        request = Request(purchase['merchant_id'], purchase['order_ref'], Fraction(amount), purchase['channel'], 'payment',
                          purchase['occurred_at'])
        tenders = purchase['tenders'] and {name: purchase['tenders'][name] for name in ('points', 'value', 'spent')}
        attributes = (member.contexts if contexts is None else contexts).get(purchase['journal_no'])
        return self._ring_up(member, order, request, now, tier, terms, status, tenders, attributes, explicit_lines,
                             replaced=replaced, refers_to=undoing['journal_no'], **columns)
