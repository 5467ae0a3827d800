"""Refunds as doc/refunds.md describes them: what is returned, what that undoes, refunds before their sale."""
from collections import Counter
from copy import copy
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from context import remainder_contexts
from ledger import Refusal, earliest_expiry_first, require
from money import ROUNDINGS, spread, to_minor_unit
from rules import Award, Exchanged, Failure, match, meets, paying

half_up = ROUNDINGS['half_up']


def spread_by(total, weights):
    return spread(total, [Fraction(total * weight) / sum(weights) for weight in weights])


# --- what is left of a sale --------------------------------------------------------------------------------------

@dataclass
class LineState:
    line: object               # as sold
    granted: int               # what can be taken back of its award: less what rules of refund_mode `none` gave
    growth_granted: int
    amount: Fraction = Fraction(0)     # returned so far, as all that follows
    quantity: Decimal = Decimal(0)
    closed: bool = False
    money: Fraction = Fraction(0)      # worth of the points tendered
    points: int = 0            # points tendered
    taken: int = 0             # of the award
    growth: int = 0

    @property
    def left(self):
        return self.line.amount - self.amount

    @property
    def part(self):
        if self.closed:
            return Fraction(1)
        return self.amount / self.line.amount if self.line.amount else Fraction(0)

    @property
    def basis(self):
        return self.amount - self.money if self.line.eligible else Fraction(0)

    def remainder(self):
        """The line as if only what is left of it had been sold."""
        line, facts = self.line, dict(self.line.facts)
        if 'quantity' in facts:
            facts['quantity'] = facts['quantity'] - self.quantity or None
        return replace(line, amount=self.left, facts=facts, tendered=line.tendered - self.money,
                       points_tendered=line.points_tendered - self.points)


def stays(rule):
    return rule is not None and rule.refund_mode == 'none'


def can_be_taken(parts):
    return sum(points for rule, points in parts if not stays(rule))


class Sale:
    """What an order froze, and what was undone of it."""

    def __init__(self, journal_no, order, award=None, matched=None, contexts=None, imported=0):
        self.journal_no = journal_no
        self.award = award         # as judged; None = of an imported purchase
        self.posted = award        # as posted: an approval leaves out what was returned before it
        self.posted_by = journal_no
        self.matched = matched or {}
        self.contexts = contexts or {}
        self.lines = [LineState(line, can_be_taken(award.points[line.line_no]), can_be_taken(award.growth[line.line_no]))
                      if award else LineState(line, imported, 0) for line in order]
        self.withheld = Counter()  # line_no -> points returned before the approval
        self.growth_withheld = Counter()
        self.kept = sum(state.granted for state in self.lines)
        self.growth_kept = sum(state.growth_granted for state in self.lines)
        self.expired = 0           # of its own lots, counted off
        self.given_back = Counter()    # entry_no of a taking -> points
        self.exchanged = Fraction(0)
        self.is_exchange = isinstance(award, Exchanged)

    def copy(self):
        twin = copy(self)
        twin.lines = [replace(state) for state in self.lines]
        twin.withheld, twin.given_back = self.withheld.copy(), self.given_back.copy()
        return twin

    @property
    def complete(self):
        return all(state.closed for state in self.lines)

    @property
    def amount(self):
        return sum(state.line.amount for state in self.lines)

    @property
    def returned(self):
        return sum(state.amount for state in self.lines)

    @property
    def reevaluates(self):
        """Whether a rule of refund_mode `reevaluate` met the order."""
        return not self.is_exchange and meets(self.matched, 'reevaluate')

    def line(self, line_no):
        return next((state for state in self.lines if state.line.line_no == line_no), None)

    # what goes with the goods

    def undo(self, digits, evaluate):
        """Raises every line to its targets."""
        for state in self.lines:
            state.money = to_minor_unit(state.line.tendered * state.part, digits)
            state.points = half_up(state.line.points_tendered * state.part)
        if self.reevaluates:
            self._reevaluate(evaluate)
        else:
            for state in self.lines:
                state.taken = half_up(state.granted * state.part)
                state.growth = half_up(state.growth_granted * state.part)

    def _reevaluate(self, evaluate):
        formula = self._formula(evaluate) if not self.complete else None
        self.kept, parts = self._keep(self.kept, formula and formula.points)
        self.growth_kept, growth = self._keep(self.growth_kept, formula and formula.growth)
        for state in self.lines:
            state.taken = state.granted - parts[state.line.line_no]
            state.growth = state.growth_granted - growth[state.line.line_no]

    @staticmethod
    def _keep(before, parts):
        """The number kept, and how much of it is each line's."""
        given = {line_no: can_be_taken(line_parts) for line_no, line_parts in (parts or {}).items()}
        kept = min(before, sum(given.values()))
        if kept < sum(given.values()):
            given = dict(zip(given, spread_by(kept, list(given.values()))))
        return kept, Counter(given)

    def _formula(self, evaluate):
        """What is left of the order, judged as then."""
        left = [state.remainder() for state in self.lines if not state.closed]
        contexts = remainder_contexts(self.contexts, left)
        before = paying(self.matched)
        again = match([rule for rule in before if rule.refund_mode == 'reevaluate'], contexts, evaluate)
        matched = {}
        for rule, places in before.items():
            places = again.get(rule, places)
            matched[rule] = [] if isinstance(places, Failure) else [place for place in places if place in contexts]
        return Award(left, matched, self.award.terms)

    # approval

    def approve(self, journal_no):
        """The award line by line, less what was returned before."""
        posted = copy(self.award)
        posted.points = {state.line.line_no: self._reduced(self.award.points[state.line.line_no], state.taken)
                         for state in self.lines}
        posted.growth = {state.line.line_no: self._reduced(self.award.growth[state.line.line_no], state.growth)
                         for state in self.lines}
        self.withheld = Counter({state.line.line_no: state.taken for state in self.lines})
        self.growth_withheld = Counter({state.line.line_no: state.growth for state in self.lines})
        self.posted, self.posted_by = posted, journal_no
        return posted

    @staticmethod
    def _reduced(parts, withheld):
        before = can_be_taken(parts)
        if not withheld:
            return parts
        if not before:
            return [*parts, (None, -withheld)]
        left = iter(spread_by(before - withheld, [0 if stays(rule) else points for rule, points in parts]))
        return [(rule, points if stays(rule) else share) for (rule, points), share in zip(parts, left)]


# --- the verbs ---------------------------------------------------------------------------------------------------

@dataclass
class Claim:
    """One refund_ref of an order."""
    payload: tuple
    request: dict
    member_id: int | None
    parked_at: object = None
    result: dict | None = None
    excess: Fraction | None = None     # of a parked one, when its sale has come
    clipped: bool = False      # whether a part of it could not be applied
    closed: str | None = None  # settled by other means: the status it had


NOTHING = {'amount': Fraction(0), 'cash_amount': Fraction(0), 'points_clawed': 0, 'points_restored': 0,
           'points_forfeited': 0, 'loss': 0, 'debt': 0, 'cash_shortfall': Fraction(0), 'points_expired': 0}


class Refunds:
    def refund(self, merchant_id, order_ref, refund_ref, at, amount=None, lines=None, member_id=None):
        require(None not in (merchant_id, order_ref, refund_ref), '22004')
        require(order_ref and refund_ref, '22023')
        request = {'amount': None if amount is None else Fraction(amount), 'lines': self._read_returned(lines),
                   'member_id': member_id}
        self._check_sum(request)
        require(merchant_id in self.merchants, 'MB003')
        payload = (request['amount'], repr(lines), at)
        key = (merchant_id, order_ref)
        claims = self.claims.setdefault(key, {})
        claim = claims.get(refund_ref)
        receipt = self.receipts.get(key)
        if claim is None or claim.result:
            require(receipt is None or member_id in (None, receipt[0]), 'MB202')
        elif claim.excess is None:
            require(None in (member_id, claim.member_id) or member_id == claim.member_id, 'MB202')
        if claim:
            require(claim.payload == payload, 'MB201')
            require(claim.result or claim.excess is None, 'MB109')
            return self._refund_result(claim, True)
        claim = Claim(payload, request, member_id)
        if receipt:
            self._refund(claim, receipt, refund_ref, at, strict=True)
        else:
            claim.parked_at = at
        claims[refund_ref] = claim
        return self._refund_result(claim, False)

    @staticmethod
    def _refund_result(claim, duplicate):
        if claim.result is None:
            return NOTHING | {'journal_no': None, 'status': 'parked', 'tenders': [], 'balance': None,
                              'duplicate': duplicate}
        return claim.result | {'duplicate': duplicate}

    def _read_returned(self, lines):
        if lines is None:
            return None
        read = [(line.get('line_no'), line.get('quantity'), line.get('amount')) for line in lines]
        for line_no, quantity, amount in read:
            require(line_no is not None and (quantity is not None or amount is not None), '22023')
            require(quantity is None or quantity > 0, '22023')
            require(amount is None or self._is_money(amount), '22023')
        require(len({line_no for line_no, *_ in read}) == len(read), '22023')
        return [(line_no, quantity, None if amount is None else Fraction(amount))
                for line_no, quantity, amount in read]

    def _is_money(self, amount):
        return amount >= 0 and (Fraction(amount) * 10**self.config.digits).denominator == 1

    def _check_sum(self, request):
        amount, lines = request['amount'], request['lines']
        require(amount is None or self._is_money(amount) and amount > 0, '22023')
        if amount is not None and lines is not None and all(part is not None for *_, part in lines):
            require(sum(part for *_, part in lines) == amount, '22023')

    def apply_parked(self, key, *times):
        """In the order in which they were parked, each as if it were called then."""
        times = list(times)
        for refund_ref, claim in self.claims.get(key, {}).items():
            if claim.closed:
                continue
            at = times.pop(0) if len(times) > 1 else times[0]
            member_id, purchase_no = self.receipts[key][:2]
            try:
                self._refund(claim, self.receipts[key], refund_ref, max(at, claim.parked_at), strict=False)
            except Refusal:
                sale = self.members[member_id].sales[purchase_no]
                claim.excess, claim.member_id, claim.clipped = self._worth_of(claim.request, sale), member_id, True

    def close_refund_exception(self, merchant_id, order_ref, refund_ref, reason):
        require(None not in (merchant_id, order_ref, refund_ref, reason), '22004')
        require(order_ref and refund_ref and reason, '22023')
        require(merchant_id in self.merchants, 'MB003')
        claim = self.claims.get((merchant_id, order_ref), {}).get(refund_ref)
        require(claim and claim.parked_at, 'MB009')
        require(claim.closed or claim.excess is None or claim.clipped, 'MB009')
        if not claim.closed:
            claim.closed = 'parked' if claim.excess is None else 'exceeds_sale'
        claim.excess, claim.clipped = claim.excess or Fraction(0), False
        return {'close_refund_exception': claim.closed}

    def parked(self):
        """Orders that only refunds know."""
        return [key for key, claims in self.claims.items() if claims and key not in self.receipts]

    # one refund

    def _refund(self, claim, receipt, refund_ref, at, strict):
        member_id, purchase_no = receipt[:2]
        member = self.member(member_id).copy()
        sale = member.sales[purchase_no] = member.sales[purchase_no].copy()
        sale.clipped = False
        purchase = member.event(purchase_no)
        before = sale.copy()
        wrong = claim.member_id not in (None, member_id)
        excess = self._worth_of(claim.request, sale) if wrong else self._return(sale, claim.request, strict)
        if sale.returned == sale.amount and not wrong:
            for state in sale.lines:
                state.closed = True
        nothing = wrong or before.complete or sale.lines == before.lines
        require(not strict or not nothing, '22023')
        if not strict:
            claim.excess, claim.member_id = excess, member_id
            claim.clipped = bool(nothing or excess or sale.clipped)
            if nothing:
                return
        sale.undo(self.config.digits, self.evaluate)
        now = max(at, member.last_posted_at)
        self._settle(member, now)
        amount = sale.returned - before.returned
        event = self._post(member, 'refund', now, now, refers_to=purchase_no, merchant_id=purchase['merchant_id'],
                           order_ref=purchase['order_ref'], amount=amount, basis=self._basis(sale) - self._basis(before))
        money = sum(state.money - old.money for state, old in zip(sale.lines, before.lines))
        row = NOTHING | {'amount': amount, 'cash_amount': amount - money}
        points = sum(state.points - old.points for state, old in zip(sale.lines, before.lines))
        self._restore(member, event, purchase, sale, points, row)
        self._take_back(member, event, purchase, sale, before, row)
        self._return_activity(member, event, purchase, sale, before)
        self._reverse_splits(member, event, purchase['day'], sale, before)
        tenders = [{'kind': 'cash', 'amount': row['cash_amount']}] if row['cash_amount'] else []
        if points or money:
            tenders.append({'kind': 'points', 'points': points, 'amount': money})
        claim.result = row | {'journal_no': event['journal_no'], 'status': 'posted', 'tenders': tenders,
                              'balance': event['balance']}
        claim.member_id = member_id
        self._record_refund(member, row | {
            'purchase_no': purchase_no, 'journal_no': event['journal_no'], 'refund_ref': refund_ref,
            'complete': sale.complete, 'lines': self._states(sale, self.is_collected(member, purchase))})
        self._settle(member, now)
        self.members[member_id] = member

    @staticmethod
    def _record_refund(member, row):
        number = sum(other['purchase_no'] == row['purchase_no'] for other in member.refunds) + 1
        member.refunds.append(row | {'refund_no': number, 'posted_id': member.member_id})

    @staticmethod
    def _basis(sale):
        return sum(state.basis for state in sale.lines)

    @staticmethod
    def _states(sale, collected):
        return [{'line_no': state.line.line_no, 'amount': state.amount, 'quantity': state.quantity,
                 'closed': state.closed, 'value': state.money, 'restored': state.points, 'clawed': state.taken,
                 'withheld': sale.withheld[state.line.line_no] if collected else state.taken, 'growth': state.growth,
                 'growth_withheld': sale.growth_withheld[state.line.line_no] if collected else state.growth}
                for state in sale.lines]

    # what is returned

    def _return(self, sale, request, strict):
        """Adds it to the lines; what cannot be returned is refused, or the excess."""
        amount, lines = request['amount'], request['lines']
        left = sum(state.left for state in sale.lines)
        require(not strict or not sale.complete, 'MB109')
        if lines is not None:
            return self._return_lines(sale, amount, lines, strict)
        excess = Fraction(0)
        if amount is not None:
            require(not strict or amount <= left, 'MB109')
            excess, amount = max(amount - left, 0), min(amount, left)
        if amount is None or amount == left:
            for state in sale.lines:
                state.amount = state.line.amount
                if amount is None and 'quantity' in state.line.facts:
                    state.quantity = Decimal(state.line.facts['quantity'])
            return excess
        for state, share in zip(sale.lines, self._spread_money(amount, [state.left for state in sale.lines])):
            state.amount += share
            state.closed = state.closed or state.left == 0 and state.line.amount > 0
        return excess

    def _return_lines(self, sale, amount, lines, strict):
        excess = total = Fraction(0)
        for line_no, quantity, part in lines:
            state = sale.line(line_no)
            if state is None:
                require(not strict, '22023')
                excess += part or 0
                total += part or 0
                sale.clipped = True
                continue
            asked = quantity
            worth, fitting, quantity = self._worth_of_line(state, quantity, part, strict)
            sale.clipped = sale.clipped or asked is not None and quantity < asked
            require(not strict or worth <= state.left, 'MB109')
            total += worth
            excess += worth - min(fitting, state.left)
            state.amount += min(fitting, state.left)
            state.quantity += quantity
            state.closed = state.closed or state.left == 0 and (
                state.line.amount > 0 or asked is None or state.quantity == state.line.facts.get('quantity', state.quantity))
        if amount is not None:
            require(amount == total if strict else amount >= total, '22023')
            excess += amount - total
            sale.clipped = sale.clipped or amount > total
        return excess

    def _worth_of_line(self, state, quantity, part, strict):
        """What is asked for, what of it the pieces that are there are worth, and their number."""
        sold, fitting = state.line.facts.get('quantity'), part
        if quantity is not None and sold is None:
            require(not strict or part is not None, '22023')
            return part or Fraction(0), part or Fraction(0), 0 if part is None else quantity
        if quantity is not None:
            left = sold - state.quantity
            require(not strict or quantity <= left, 'MB109')
            if quantity > left and part is not None:
                fitting = to_minor_unit(part * Fraction(left) / Fraction(quantity), self.config.digits)
            quantity = min(quantity, left)
            if part is None and not quantity:
                part = fitting = Fraction(0)
            elif part is None:
                worth = to_minor_unit(state.line.amount * Fraction(state.quantity + quantity) / Fraction(sold),
                                      self.config.digits)
                part = fitting = max(worth - state.amount, Fraction(0))
        return part, fitting, quantity or 0

    @staticmethod
    def _worth_of(request, sale):
        """Of a refund that is another member's."""
        if request['amount'] is not None:
            return request['amount']
        if request['lines'] is not None:
            return sum((part or Fraction(0) for *_, part in request['lines']), Fraction(0))
        return sum(state.left for state in sale.lines)

    # points that paid

    def _restore(self, member, event, purchase, sale, points, row):
        """The last taken first, to the lots they came from."""
        spent = (purchase['tenders'] or {'spent': ()})['spent']
        takings = [entry for entry in member.entries if entry['journal_no'] in spent and entry['points'] < 0]
        for taking in reversed(takings):
            part = min(points, -taking['points'] - sale.given_back[taking['entry_no']])
            if not part:
                continue
            opening = member.entries[taking['lot_no'] - 1]
            dead = opening['expires_at'] is not None and opening['expires_at'] <= event['posted_at']
            forfeited = dead and not self.config.reinstatement_days
            row['points_forfeited' if forfeited else 'points_restored'] += part
            self._reinstate(member, event, opening, part)
            self._record_activity(member, member.event(taking['journal_no'])['day'], redeemed=-part)
            sale.given_back[taking['entry_no']] += part
            points -= part

    # points that were earned

    @staticmethod
    def is_collected(member, purchase):
        """Whether the award of a purchase was posted."""
        return purchase['status'] in ('posted', 'pending', 'imported') or any(
            (event['refers_to'], event['reason_code']) == (purchase['journal_no'], 'approved')
            for event in member.journal)

    def _take_back(self, member, event, purchase, sale, before, row):
        if not self.is_collected(member, purchase):
            return
        award = sum(state.taken - old.taken for state, old in zip(sale.lines, before.lines))
        growth = sum(state.growth - old.growth for state, old in zip(sale.lines, before.lines))
        self._record_activity(member, purchase['day'], earned=-award, growth=-growth)
        event['growth'] = -growth or None
        self._claw_back(member, event, sale, award, row)

    def _claw_back(self, member, event, sale, award, row, policy=None):
        now, policy = event['posted_at'], policy or self.config.clawback
        own = self._own_lots(member, sale)
        row['points_expired'] = self._count_expired(member, own, sale, award)
        missing = award - row['points_expired']
        lots = sorted((lot for lot in member.lots if lot.free and not lot.dead_at(now)), key=earliest_expiry_first)
        groups = [[lot for lot in lots if lot.lot_no in own and lot.active_at > now]]
        if policy != 'only_pending':
            groups += [[lot for lot in lots if lot.lot_no in own and lot.active_at <= now],
                       [lot for lot in lots if lot.lot_no not in own and lot.active_at <= now]]
        for lot in sum(groups, []):
            taken = min(missing, lot.free)
            if taken:
                self._take(member, event, lot, taken)
                missing -= taken
        if policy == 'unlimited' and missing:
            row['debt'] = missing
            member.debt += missing
            self._move(member, event, 0, -missing)
            missing = 0
        row['loss'] = missing
        row['points_clawed'] = award - row['points_expired'] - missing
        if self.config.charge_cash:
            worth = to_minor_unit(row['loss'] * self.config.liability_price, self.config.digits)
            row['cash_shortfall'] = min(worth, row['cash_amount'])

    @staticmethod
    def _count_expired(member, own, sale, award):
        """Of an award that is taken back, the points that expired unspent and were not counted before."""
        died = -sum(entry['points'] for entry in member.entries
                    if entry['lot_no'] in own and member.event(entry['journal_no'])['verb'] == 'expiry')
        counted = min(award, died - sale.expired)
        sale.expired += counted
        return counted

    @staticmethod
    def _own_lots(member, sale):
        """What the sale or its approval opened, and what extensions made of it."""
        own = set()
        for entry in member.entries:
            if entry['lot_no'] == entry['entry_no'] and (
                    entry['journal_no'] in (sale.journal_no, sale.posted_by) or entry['moved_from'] in own):
                own.add(entry['lot_no'])
        return own

    def _return_activity(self, member, event, purchase, sale, before):
        amount = sale.returned - before.returned
        self._record_activity(
            member, purchase['day'], purchases=-1 if sale.complete and not before.complete else 0,
            basis=-event['basis'], refunded_of=amount)
        self._record_activity(member, event['day'], refunded_on=amount)

    # who owes whom

    def _reverse_splits(self, member, event, sale_day, sale, before):
        """Every row in the proportion of what was undone."""
        for split in [split for split in member.splits if split['journal_no'] in (sale.journal_no, sale.posted_by)]:
            if split['kind'] == 'commission' and not self._contract(split['merchant_id'], sale_day).commission_refunded:
                continue
            target, done = self._reversed(sale, split), self._reversed(before, split)
            amount, points = target[0] - done[0], target[1] - done[1]
            parties = split['payee_party_id'], split['payer_party_id']
            if amount < 0 or not amount and points < 0:
                parties, amount, points = parties[::-1], -amount, -points
            if amount or points:
                self._record_split(member, event, split['merchant_id'], split['kind'], *parties, amount, points)

    def _reversed(self, sale, split):
        """(amount, points) of a row that are undone in all."""
        lines = [state for state in sale.lines if state.line.merchant_id == split['merchant_id']]
        if split['kind'] == 'points_issued':
            return self._unissued(sale, split, lines)
        if split['kind'] in ('sale', 'commission'):
            whole, back = (sum(values) for values in zip(*((state.line.amount, state.amount) for state in lines)))
        else:
            whole, back = (sum(values) for values in zip(*((state.line.tendered, state.money) for state in lines)))
        return (to_minor_unit(split['amount'] * back / whole, self.config.digits),
                half_up((split['points'] or 0) * back / whole))

    def _unissued(self, sale, split, lines):
        """First in points."""
        could = sum(can_be_taken(sale.posted.points[state.line.line_no]) for state in lines)
        taken = max(sum(state.taken - sale.withheld[state.line.line_no] for state in lines), 0)
        if not could:
            return Fraction(0), 0
        of_row = self._issued(sale.posted, split['merchant_id'], stays)[split['payer_party_id']]
        points = half_up(Fraction(of_row * taken, could))
        return to_minor_unit(split['amount'] * points / split['points'], self.config.digits), points
