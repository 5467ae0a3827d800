"""Refunds of a plan: of old and new orders, whole and in parts, before their sale, again, and with things wrong."""
from decimal import Decimal

SETTINGS = (('clawback', ('unlimited', 'unlimited', 'within_balance', 'only_pending')),
            ('charge_cash', (False, True)),
            ('liability_price', (Decimal('0.03'), Decimal(0), Decimal('0.5'), Decimal('0.012345'))))


class Returns:
    def __init__(self, plan):
        self.plan = plan
        self.sold = []             # purchases as they were or will be rung up
        self.begun = []            # of these, what came back before

    def setup(self):
        return [self.setting(*setting) for setting in SETTINGS]

    def setting(self, name=None, values=None):
        if name is None:
            name, values = self.plan.pick(SETTINGS)
        return {'do': 'program', 'name': name, 'value': self.plan.pick(values)}

    # --- operations

    def operation(self):
        plan = self.plan
        if plan.chance(0.07) or not self.sold:
            return self._before_its_sale()
        order = self._order()
        if plan.chance(0.15) and self.begun:
            return self._exchange()
        if plan.chance(0.05):
            return self._spoiled(self._refund(order))
        if plan.chance(0.04):
            return self._close(self._refund(order))
        return self._refund(order)

    def _order(self):
        """Mostly a recent one, or one of which something came back."""
        plan = self.plan
        mine = [order for order in self.sold[-60:] if order['label'] == plan.focus]
        return plan.pick(mine or plan.random.choices((self.sold[-6:], self.sold[-40:], self.begun[-6:] or self.sold,
                                                      self.sold), (6, 3, 2, 2))[0])

    def _before_its_sale(self):
        """The till's sale comes later, or never."""
        plan = self.plan
        sale = plan.accrue()
        if not self.sold or self.sold[-1] is not sale:
            return sale            # a spoiled one
        self.sold.pop()
        for _ in range(plan.pick((0, 0, 1, 2))):
            plan.checkout.todo.append(lambda: self._refund(sale))
        refund = self._refund(sale)
        if plan.chance(0.15):
            plan.checkout.todo.append(lambda: self._close(refund))
        if plan.chance(0.9):
            plan.checkout.todo.append(lambda: self._rung_up(sale))
        return refund

    def _close(self, refund):
        """That one, mostly, or one that was asked for lately."""
        if self.plan.chance(0.5):
            refund = self.plan.pick([asked for asked in self.plan.keyed[-40:] if asked['do'] == 'refund'] or [refund])
        return {'do': 'close_exception', 'label': refund['label'], 'merchant_id': refund['merchant_id'],
                'order_ref': refund['order_ref'], 'refund_ref': refund['refund_ref'], 'reason': 'settled in cash'}

    def _rung_up(self, sale):
        self.sold.append(sale)
        return dict(sale, at=self.plan.posting_time())

    def _refund(self, order):
        plan = self.plan
        operation = {'do': 'refund', 'label': order['label'], 'merchant_id': order['merchant_id'],
                     'order_ref': order['order_ref'], 'refund_ref': plan.new_ref(), 'amount': None, 'lines': None,
                     'named': None, 'at': plan.posting_time()}
        if plan.chance(0.3):
            operation['named'] = order['label'] if plan.chance(0.9) else plan.someone()
        form = plan.random.choices(('all', 'amount', 'lines'), (2, 5, 6))[0]
        if form == 'amount':
            operation['amount'] = self._part_of(order['amount'])
        if form == 'lines':
            operation['lines'] = self._lines(order)
            amounts = [line.get('amount') for line in operation['lines']]
            if None not in amounts and plan.chance(0.3):
                operation['amount'] = sum(amounts)
            elif plan.chance(0.1):
                operation['amount'] = self._part_of(order['amount'])
        self.begun.append(order)
        plan.keyed.append(operation)
        return operation

    def _exchange(self):
        """Other goods for what came back."""
        plan = self.plan
        order, operation = plan.pick(self.begun[-8:]), plan.accrue()
        if self.sold[-1] is operation:
            operation.update(label=order['label'], merchant_id=order['merchant_id'], exchange_of=order['order_ref'],
                             at=plan.posting_time())
            if plan.chance(0.05):
                operation['exchange_of'] = plan.new_ref()
        return operation

    def _part_of(self, amount):
        """Some minor units, half, all, or more than that."""
        plan = self.plan
        units = int(amount.scaleb(plan.digits))
        drawn = plan.pick((units, units // 2, units // 3, plan.random.randint(0, units), plan.random.randint(0, units // 2),
                           plan.random.randint(0, units // 4), plan.random.randint(1, 300), units + plan.random.randint(0, 50)))
        return plan.money(drawn or 1)

    def _lines(self, order):
        plan = self.plan
        sold = order['lines'] or [{'amount': order['amount']}]
        numbered = [(line.get('line_no', number), line) for number, line in enumerate(sold, 1)]
        chosen = plan.random.sample(numbered, plan.random.randint(1, min(3, len(numbered))))
        return [self._line(line_no, line) for line_no, line in chosen]

    def _line(self, line_no, sold):
        plan = self.plan
        returned = {'line_no': line_no}
        if 'quantity' in sold and plan.chance(0.7):
            returned['quantity'] = plan.pick((sold['quantity'], 1, Decimal('0.5'), Decimal('0.125'), Decimal('0.25')))
        if 'quantity' not in returned or plan.chance(0.2):
            returned['amount'] = plan.pick((sold['amount'], sold['amount'], self._part_of(sold['amount'])))
        return returned

    def correction(self):
        if not self.sold:
            return self.operation()
        return self.plan.pick((self._correct, self._reassign))()

    def _corrected(self, kind, order):
        return {'do': kind, 'label': order['label'], 'merchant_id': order['merchant_id'],
                'order_ref': order['order_ref'] if self.plan.chance(0.97) else 'none', 'reason': 'wrong',
                'at': self.plan.posting_time()}

    def _correct(self):
        """Repeated calls are those of a few correction_refs."""
        plan, order = self.plan, self._order()
        operation = self._corrected('correct', order)
        units = plan.pick((plan.random.randint(0, 400 * 10**plan.digits), plan.random.randint(1, 300)))
        operation |= {'amount': plan.money(units), 'lines': plan.lines(units) if plan.chance(0.5) else None,
                      'correction_ref': f'c{plan.random.randint(1, 9)}'}
        self._again(order, operation, {'amount': plan.money(1), 'lines': None})
        return operation

    def _reassign(self):
        order = self._order()
        operation = self._corrected('reassign', order) | {'to_label': self.plan.someone()}
        self._again(order, operation, {'to_label': self.plan.someone()})
        return operation

    def _again(self, order, operation, other):
        """Some follow: the same call, or with other content; a refund of what was corrected."""
        plan = self.plan
        if plan.chance(0.4):
            plan.checkout.todo.append(lambda: operation | plan.pick(({}, other)))
        if plan.chance(0.4):
            plan.checkout.todo.append(lambda: self._refund(order))

    def imported(self):
        """Takes the real clock, so it turns its member's clock to the present for good."""
        plan = self.plan
        sale = {'label': plan.someone(), 'merchant_id': plan.pick((1, 2, 3, 4, 5)), 'order_ref': plan.new_ref(),
                'amount': plan.money(plan.random.randint(0, 400 * 10**plan.digits)), 'lines': None}
        refund = None
        if plan.chance(0.3):
            refund = self._refund(sale)
        self.sold.append(sale)
        imported = {'do': 'import', **{name: sale[name] for name in ('label', 'merchant_id', 'order_ref', 'amount')},
                    'occurred_at': plan.now, 'points': plan.random.randint(0, 500)}
        if refund:
            plan.checkout.todo.append(lambda: imported)
        plan.checkout.todo += [lambda: self._refund(sale)] * plan.pick((1, 2))
        return refund or imported

    def _spoiled(self, operation):
        """One thing wrong and no more."""
        amount = operation['amount'] or self.plan.money(100)
        return operation | {'named': None} | self.plan.pick((
            {'amount': -amount, 'lines': None}, {'amount': Decimal('0.12345'), 'lines': None},
            {'lines': [{'line_no': 77, 'amount': amount}], 'amount': None}, {'lines': [{'line_no': 1}], 'amount': None},
            {'lines': [{'line_no': 1, 'amount': amount}] * 2, 'amount': None},
            {'lines': [{'line_no': 1, 'quantity': -1}], 'amount': None},
            {'lines': [{'line_no': 1, 'amount': amount}], 'amount': amount + 1},
            {'refund_ref': None}, {'refund_ref': ''}, {'merchant_id': 99, 'amount': None, 'lines': None}))
