"""Spending of a plan: burn rules, orders that are paid with points, holds, reversals, transfers.

Numbers of points that hang on what a member has are words: `max` is what a quote says, (`part`, p) p percent of it,
`rest` what was redeemed and held for the order; the simulator puts in the number when it gets there.
"""
from datetime import timedelta
from decimal import Decimal

PURPOSES = ('payment', 'item', 'parking')
MOST_RULES = 7


class Checkout:
    def __init__(self, plan):
        self.plan = plan
        self.rules = {1: {'purpose': 'payment', 'step': 100}}
        self.orders = []           # not accrued yet: label, merchant_id, order_ref, amount, lines
        self.spent = []            # (label, ref) of redemptions and holds
        self.holds = []            # (label, ref)
        self.todo = []             # what is to follow soon
        self.rich = []             # labels of members with points to spend

    # --- burn rules

    def setup(self):
        """Whole steps that members can mostly afford."""
        share = self.plan.pick((None, Decimal('0.15'), Decimal('0.5'), Decimal(1)))
        return [{'do': 'burn_rule_update', 'burn_rule_id': 1, 'changes': {**self._terms(), 'share': share, 'minimum': 1}},
                self.insert_rule('item'), self.insert_rule('parking'), self.insert_rule()]

    def rule_operation(self):
        if len(self.rules) < MOST_RULES and self.plan.chance(0.3):
            return self.insert_rule()
        return self._update_rule()

    def insert_rule(self, purpose=None):
        """One for a purpose is for everything there."""
        plan, number = self.plan, len(self.rules) + 1
        columns = {'burn_rule_id': number, 'code': f'burn_{number}', 'name': f'Burn {number}', 'status': 'active',
                   'purpose': purpose or plan.pick(PURPOSES), **self._terms(), **({} if purpose else self._extras(0.25))}
        self.rules[number] = columns
        return {'do': 'burn_rule', 'columns': dict(columns)}

    def _update_rule(self):
        plan = self.plan
        number = plan.pick(sorted(self.rules))
        status = plan.pick(('active', 'active', 'active', 'active', 'paused', 'ended', 'draft'))
        changes = self._extras(0.5) | self._terms() | {'status': status}
        changes = dict(plan.random.sample(sorted(changes.items(), key=lambda item: item[0]), plan.random.randint(1, 3)))
        self.rules[number].update(changes)
        return {'do': 'burn_rule_update', 'burn_rule_id': number, 'changes': changes}

    def _terms(self):
        plan = self.plan
        step = plan.pick((1, 1, 5, 10, 10, 25, 100))
        return {'step': step, 'value': plan.money(plan.pick((1, 3, step, 3 * step, plan.random.randint(1, 5 * step))))}

    def _extras(self, chance):
        plan = self.plan
        minimum = plan.pick((1, 1, 10, 100, plan.random.randint(1, 300)))
        draws = {'priority': plan.random.randint(-1, 2), 'valid_during': plan.campaigns.window(),
                 'mall_ids': plan.pick((None, [1], [1, 2])), 'merchant_ids': plan.pick((None, [1, 2, 3])),
                 'channels': plan.pick((None, ['app', 'wechat'])),
                 'tiers': plan.pick((None, ['regular'], ['silver', 'gold'])),
                 'condition': plan.pick((None, self._condition())),
                 'share': plan.pick((None, Decimal('0.15'), Decimal('0.5'), Decimal(1), plan.rate(1, 1_000_000, 6))),
                 'minimum': minimum,
                 'daily_cap': plan.pick((None, plan.random.randint(1, 2000), 500, minimum))}
        return {name: value for name, value in draws.items() if plan.chance(chance)}

    def _condition(self):
        return self.plan.pick((self.plan.campaigns.simple_condition('order'), 'order_amount IS NULL', 'order_basis > 20',
                               'line_amount IS NULL', "merchant_id <> 3", '100 / (merchant_id - 1) > 0'))

    # --- operations

    def operation(self):
        plan = self.plan
        kinds = {self._redeem: 0.34, self._authorize: 0.26, self._capture: 0.13, self._void: 0.07, self._reverse: 0.1,
                 self._transfer: 0.1}
        return plan.pick_weighted(kinds)()

    def quote(self):
        asked = self._request(self.plan.someone())
        return {'do': 'quote', 'at': self.plan.posting_time(), **asked}

    def _request(self, label):
        """For an order, new or begun; or for none, with or without a merchant."""
        plan = self.plan
        request = {'label': label, 'order_ref': None, 'channel': plan.pick(('pos', 'app', 'wechat')),
                   'purpose': plan.random.choices(PURPOSES, (6, 2, 2))[0]}
        draw = plan.random.random()
        if draw < 0.6:
            request |= self._order(label)
        elif draw < 0.85:
            request |= {'merchant_id': plan.pick((1, 2, 3, 4, 5)), 'order_amount': self._amount()}
        else:
            request |= {'order_amount': plan.pick((None, self._amount()))}
        return request

    def _amount(self):
        return self.plan.money(self.plan.random.randint(0, 3000 * 10**self.plan.digits))

    def _order(self, label):
        plan = self.plan
        begun = [order for order in self.orders[-30:] if order['label'] == label]
        if begun and plan.chance(0.6):
            order = plan.pick(begun)
        else:
            units = plan.random.randint(1, 3000 * 10**plan.digits)
            lines = plan.lines(units) if plan.chance(0.5) else None
            order = {'label': label, 'merchant_id': plan.pick((1, 2, 3, 4, 5)), 'order_ref': plan.new_ref(),
                     'amount': plan.money(units), 'lines': lines}
            self.orders.append(order)
        lines = order['lines'] if plan.chance(0.3) else None
        amount = order['amount'] if plan.chance(0.9) else plan.pick((None, self._amount()))
        return {'merchant_id': order['merchant_id'], 'order_ref': order['order_ref'], 'lines': lines,
                'order_amount': None if lines and plan.chance(0.5) else order['amount'] if lines else amount}

    def _points(self, purpose):
        plan = self.plan
        steps = [rule['step'] for rule in self.rules.values() if rule['purpose'] == purpose] or [1]
        return plan.pick(('max', *(('part', plan.random.randint(1, most)) for most in (60, 30, 10)),
                          plan.pick(steps) * plan.random.randint(1, 30)))

    def _redeem(self):
        return self._spend({'do': 'redeem'})

    def _authorize(self):
        plan = self.plan
        operation = {'do': 'authorize', 'ttl': plan.pick((
            None, None, timedelta(minutes=15), timedelta(seconds=plan.random.randint(1, 300)), timedelta(microseconds=1),
            timedelta(hours=plan.random.randint(1, 60)), timedelta(days=plan.random.randint(1, 60)),
            timedelta(days=plan.random.randint(10, 400)), timedelta(days=plan.random.randint(60, 400))))}
        return self._spend(operation)

    def _spend(self, operation, label=None):
        plan = self.plan
        if label is None:
            label = plan.pick(self.rich[:8]) if self.rich and plan.focus is None and plan.chance(0.6) else plan.someone()
        operation |= {'ref': plan.new_ref(), 'at': plan.posting_time(), **self._request(label)}
        operation['points'] = self._points(operation['purpose'])
        if plan.chance(0.02):
            return self._spoiled(operation)
        self.spent.append((label, operation['ref']))
        if operation['do'] == 'authorize':
            self.holds.append((label, operation['ref']))
            if operation['ttl']:
                plan.coming.append((operation['at'] + operation['ttl'], label))
        self._expect(operation)
        plan.keyed.append(operation)
        return operation

    def _expect(self, operation):
        """What mostly follows: a hold is captured or voided, an order is rung up, or not."""
        plan, label, ref = self.plan, operation['label'], operation['ref']
        if plan.chance(0.25):
            self.todo.append(lambda: plan.adjust(label, -plan.random.randint(1000, 90_000)))
        if operation['do'] == 'authorize' and plan.chance(0.6):
            self.todo.append(plan.pick((lambda: self._capture(label, ref), lambda: self._void(label, ref))))
        elif plan.chance(0.15):
            self.todo.append(plan.pick((lambda: self._reverse(label, ref), lambda: self._transfer(label))))
        if operation['order_ref'] and plan.chance(0.5):
            self.todo.append(plan.pick((plan.accrue, plan.accrue, lambda: self._spend({'do': 'redeem'}, label))))

    def _spoiled(self, operation):
        """One thing wrong and no more, for a known member."""
        plan = self.plan
        operation.update(label=plan.random.randrange(4), points=1, merchant_id=1, order_ref=None, lines=None,
                         order_amount=None, purpose='payment')
        wrong = [{'points': 0}, {'points': -5}, {'points': None}, {'points': 10**15 + 1}, {'merchant_id': 99},
                 {'merchant_id': None, 'order_ref': 'x'}, {'order_amount': Decimal(-1)},
                 {'order_amount': Decimal('0.12345')}, {'order_amount': Decimal(5), 'lines': [{'amount': Decimal(4)}]}, {'ref': None}, {'ref': ''},
                 {'purpose': 'nothing'}]
        if operation['do'] == 'authorize':
            wrong += [{'ttl': timedelta(0)}, {'ttl': timedelta(seconds=-1)}, {'ttl': timedelta(days=5000)}]
        return operation | plan.pick(wrong)

    def _one_of(self, keys):
        """A recent one, mostly of the member who is due."""
        plan = self.plan
        keys = keys[-40:]
        return plan.pick([key for key in keys if key[0] == plan.focus] or keys[-8:] or [(plan.someone(), 'none')])

    def _capture(self, label=None, ref=None):
        plan = self.plan
        if ref is None:
            label, ref = self._one_of(self.holds if plan.chance(0.95) else self.spent)
        operation = {'do': 'capture', 'label': label, 'ref': ref, 'pick': self._pick(), 'at': plan.posting_time(),
                     'points': plan.pick((None, None, ('part', plan.random.randint(1, 100)), ('part', 50),
                                          plan.random.randint(1, 200)))}
        plan.keyed.append(operation)
        return operation

    def _void(self, label=None, ref=None):
        if ref is None:
            label, ref = self._one_of(self.holds if self.plan.chance(0.9) else self.spent)
        return {'do': 'void', 'label': label, 'ref': ref, 'pick': self._pick(), 'at': self.plan.posting_time()}

    def _pick(self):
        return self.plan.pick((None, *(self.plan.random.randrange(1000) for _ in range(3))))

    def _reverse(self, label=None, ref=None):
        pick = None
        if ref is None:
            (label, ref), pick = self._one_of(self.spent), self._pick()
        return {'do': 'reverse', 'label': label, 'ref': ref, 'pick': pick,
                'reason': self.plan.pick(('returned', 'wrong')), 'at': self.plan.posting_time()}

    def _transfer(self, to_label=None, label=None):
        plan = self.plan
        if label is None:
            label = plan.pick(self.rich) if self.rich and plan.chance(0.5) else plan.someone()
            if plan.chance(0.3):
                self.todo.insert(0, lambda: self._transfer(label=label))
        if to_label is None:
            to_label = plan.random.randrange(max(plan.labels, 1))
        operation = {'do': 'transfer', 'label': label, 'to_label': to_label,
                     'points': plan.pick((plan.random.randint(1, 50), plan.random.randint(1, 500), 5)),
                     'ref': plan.new_ref(), 'at': plan.posting_time()}
        plan.keyed.append(operation)
        return operation

    # --- purchases

    def purchase(self):
        """An order that points were asked for, mostly the last time."""
        plan = self.plan
        order = plan.pick([order for order in self.orders[-12:] if order['label'] == plan.focus] or self.orders[-12:])
        if plan.chance(0.9):
            self.orders.remove(order)
        if plan.chance(0.05):
            order = dict(order, label=plan.someone())
        return dict(order, tenders=plan.pick((None, None, None, [{'kind': 'points', 'points': 'rest'}])))

    def tenders(self, label, amount, lines, merchant_id):
        """Points for a purchase of which nothing was said before."""
        plan = self.plan
        tender = {'kind': 'points', 'points': plan.pick(('max', ('part', 30), ('part', 60), plan.random.randint(1, 100)))}
        if plan.chance(0.6):
            tender['ref'] = plan.new_ref()
        if plan.chance(0.4):
            elsewhere = [line['merchant_id'] for line in lines or [] if 'merchant_id' in line]
            tender['merchant_id'] = plan.pick(elsewhere or [merchant_id])
        held = [ref for owner, ref in self.holds[-40:] if owner == label]
        if held and plan.chance(0.4):
            tender = {'kind': 'points', 'points': ('part', 100), 'hold_ref': plan.pick(held[-4:])}
        tenders = [tender]
        if plan.chance(0.4):
            tenders.append({'kind': 'points', 'points': ('part', plan.random.randint(1, 40)), 'ref': plan.new_ref()})
        return tenders
