"""Earning rules of a plan: inserts from templates with drawn parameters, updates, and rows to be refused."""
from datetime import timedelta
from decimal import Decimal

CATEGORIES = ('food', 'baby', 'sport')
BRANDS = ('B', 'C')
PARTIES = (1, 2, 3, 4, 5)
GROUPS = {'multiplier': ('step', 'theme'), 'rate': ('price',), 'bonus_points': ('gift', 'welcome'), 'growth': ('grow',)}
MOST_RULES = 25
WITNESSES = ('birthday_day', 'age % 2 = 0', 'orders_12m % 2 = 0', 'orders_month % 2 = 0', 'orders_today % 2 = 0',
             'days_since_purchase % 2 = 0', 'first_purchase', 'first_at_merchant', 'first_in_category',
             'member_days % 2 = 0', 'merchant_days % 2 = 0', 'hour % 2 = 0', 'weekday % 2 = 0', 'tier_rank > 1')

# what marketers ask for, by what they look at
CONDITIONS = (
    ('order_basis >= {step}', 'order_basis >= {step}', 'order_basis >= {steps}', 'order_amount BETWEEN {step} AND {steps}',
     'order_basis < {step}'),
    ('day = {few}', 'day = {some}', 'day IN (8, 18, 28)', 'extract(day FROM occurred_on) % 2 = 0'),
    ('birthday_month', 'birthday_day', 'NOT birthday_day', 'age >= {some}', 'age % 2 = 0', 'birthday IS NULL',
     'NOT birthday_month', 'extract(month FROM birthday) = month'),
    ("category = 'food'", "category IN ('baby', 'sport')", "category IS DISTINCT FROM 'food'", "brand = 'B'",
     "brand LIKE 'B%'", 'merchant_id = ANY (ARRAY[1, 3, 5])', 'mall_id = 2'),
    ("channel = 'app'", "channel <> 'pos'", "channel ILIKE 'W%'"),
    ('weekday >= 6', 'weekday = {few}', 'hour BETWEEN {few} AND 18', "time_of_day < '12:00'", 'month = {few}',
     "date_trunc('month', occurred_at) = occurred_on"),
    ('first_purchase', 'NOT first_purchase', 'first_at_merchant', 'first_in_category', 'NOT first_in_category',
     'first_at_merchant AND order_basis > 5'),
    ('days_since_purchase >= {few}', 'days_since_purchase IS NULL', 'coalesce(days_since_purchase, 999) > 3',
     'member_days < {many}', 'member_days % 2 = 0', 'merchant_days <= {many}'),
    ('orders_month >= {few}', 'orders_today = 0', 'orders_12m % 3 = 0', 'basis_12m >= {steps}',
     'basis_month + order_basis >= {steps}', 'basis_today < {step}'),
    ("tags && ARRAY['sport', 'kids']", "'vip' = ANY (tags)", "tags @> ARRAY['food']", "source = 'gate 3'",
     'source IS NULL', "tags = '{{}}'"),
    ("member_attributes ? 'a'", "member_attributes @> '{{\"b\": [2]}}'", "order_attributes ->> 'table' = '7'",
     "order_attributes ? 'wedding'", "attr_date(order_attributes, 'wedding') <= occurred_on",
     "occurred_on - attr_date(order_attributes, 'wedding') BETWEEN 0 AND 3650"),
    # these fail on some data
    ('order_basis / (day - {some}) > 0', '100 / orders_month > 30', "(order_attributes ->> 'table')::integer > 5",
     "10 / (weekday - 3) >= 0 OR channel = 'app'", "(order_attributes ->> 'table')::numeric * order_amount > 100"),
    ("tier = 'regular'", 'tier_rank >= 2', "tier IN ('silver', 'gold')"),
    ("CASE WHEN weekday > 5 THEN order_basis > 10 ELSE channel = 'app' END", 'greatest(order_basis, basis_today) > 20',
     "nullif(channel, 'pos') IS NOT NULL", "occurred_at >= '2019-01-01 12:00'::timestamp + interval '1 month'"))
LINE_CONDITIONS = (
    ('line_basis >= {step} / 3',), ('quantity >= 2', "sku LIKE 'S %'", 'line_basis * 2 > order_basis'),
    ('line_amount / quantity > 5', 'order_amount / line_amount > 2'))


class Campaigns:
    def __init__(self, plan):
        self.plan = plan
        self.rules = {}            # rule_id -> columns as last written
        self.last_change = {}
        self.edges = []            # moments from which on rules are others

    # --- operations

    def operation(self):
        plan = self.plan
        if self.rules and plan.chance(0.06):
            return self._refused()
        if len(self.rules) < MOST_RULES and plan.chance(0.5) or not self.rules:
            return self.insert()
        return self._update()

    def first(self):
        """Some shadow rules that tell of a part of the context at every purchase, and some that pay."""
        pick = self.plan.random
        return [self._insert({'effect': 'growth', 'value': Decimal(1), 'status': 'shadow', 'stack_group': None,
                              'scope': pick.choice(('order', 'line')), 'condition': condition})
                for condition in pick.sample(WITNESSES, 4)] + [self.insert() for _ in range(pick.randint(2, 6))]

    def insert(self):
        columns = self._template()
        return self._insert(columns | self._extras(columns))

    def _insert(self, columns):
        rule_id = len(self.rules) + 1
        columns = {'rule_id': rule_id, 'code': f'rule_{rule_id}', 'name': f'Rule {rule_id}', **columns}
        self.rules[rule_id] = columns
        return {'do': 'rule', 'columns': dict(columns)}

    def _update(self):
        plan = self.plan
        rule = self.rules[plan.pick(sorted(self.rules))]
        changes = {'status': plan.pick(('active', 'active', 'paused', 'shadow', 'ended', 'draft')),
                   'value': self._value(rule['effect']), 'priority': plan.random.randint(-1, 2),
                   'exclusive': plan.chance(0.2), 'stack_group': self._group(rule),
                   'condition': self._condition(rule['scope']), 'valid_during': self.window(),
                   'channels': plan.pick((None, ['app', 'wechat'])), 'pending_days': plan.pick((None, 0, 2, 30)),
                   'expiry': plan.pick((None, plan.policy())), 'funder_party_id': plan.pick((None, *PARTIES)),
                   'merchant_ids': plan.pick((None, [1, 2, 3])), 'refund_mode': plan.pick(('proportional', 'reevaluate', 'none'))}
        changes = {name: changes[name] for name in plan.random.sample(sorted(changes), plan.random.randint(1, 2))}
        rule.update(changes)
        return {'do': 'rule_update', 'rule_id': rule['rule_id'], 'changes': changes,
                'effective_from': self._effective_from(rule['rule_id'])}

    def _effective_from(self, rule_id):
        """None: the engine takes the clock, years behind the plan's."""
        plan = self.plan
        if plan.chance(0.08):
            return None
        moment = plan.now + timedelta(days=plan.pick((0, 0, 0, -1, -7, -40, 1, 5)))
        if plan.chance(0.3):
            moment = plan.days.start_of(plan.days.day_of(moment))
        if moment == self.last_change.get(rule_id):
            moment += timedelta(microseconds=1)    # the same again would be none given
        self.last_change[rule_id] = moment
        self.edges.append(moment)
        return moment

    def _refused(self):
        """A row with one thing wrong."""
        plan = self.plan
        wrong = [('MB302', {'condition': condition}) for condition in (
            'order_amount >', 'now() > occurred_at', 'amount > 5', "occurred_on = 'today'", 'order_amount',
            'pg_sleep(1) IS NULL', '(SELECT true)', 'random() > 0.5')]
        wrong += [('23514', {'value': Decimal('0.5')}), ('23505', {'code': 'rule_1'}),
                  ('23503', {'funder_party_id': 77})]
        wrong += [('MB303', {'stack_group': rule['stack_group']}) for rule in self.rules.values()
                  if rule['effect'] != 'multiplier' and rule['stack_group'] and rule['status'] == 'active']
        sqlstate, columns = plan.pick(wrong)
        return {'do': 'refused_rule', 'sqlstate': sqlstate, 'columns': {
            'rule_id': 1000, 'code': 'refused', 'name': 'Refused', 'status': 'active', 'effect': 'multiplier',
            'value': Decimal(2), **columns}}

    # --- columns

    def _template(self):
        plan = self.plan
        scope = plan.pick(('order', 'line'))
        effect = plan.random.choices(tuple(GROUPS), (8, 3, 4, 3))[0]
        columns = {'scope': scope, 'effect': effect, 'value': self._value(effect), 'condition': self._condition(scope)}
        if plan.chance(0.3):
            columns['condition'] = None
            columns.update(plan.pick((
                {'categories': ['food', 'baby']}, {'brands': ['B']}, {'channels': ['app']}, {'tiers': ['regular']},
                {'tiers': ['silver', 'gold', 'diamond']}, {'merchant_ids': [plan.pick((1, 3))]}, {'mall_ids': [1]},
                {'valid_during': self.window()}, {})))
        return columns

    def _extras(self, columns):
        plan = self.plan
        extras = {'status': plan.random.choices(('active', 'shadow', 'draft', 'paused'), (80, 12, 4, 4))[0],
                  'stack_group': self._group(columns)}
        for chance, name, value in (
                (0.1, 'exclusive', True), (0.4, 'priority', plan.random.randint(-1, 2)),
                (0.25, 'expiry', plan.policy()), (0.25, 'pending_days', plan.pick((0, 1, 2, 30))),
                (0.5, 'funder_party_id', plan.pick(PARTIES)), (0.5, 'refund_mode', plan.pick(('reevaluate', 'reevaluate', 'none'))),
                (0.1, 'effective_from', plan.now - timedelta(days=plan.random.randint(-3, 30)))):
            if plan.chance(chance):
                extras[name] = value
        return extras

    def _value(self, effect):
        plan = self.plan
        return {'multiplier': plan.pick((Decimal(1), Decimal('1.5'), Decimal(2), Decimal(2), Decimal(3),
                                         plan.rate(10_000, 50_000, 4))),
                'bonus_points': Decimal(plan.pick((1, 10, 100, plan.random.randint(1, 999)))),
                'rate': plan.pick((Decimal('0.1'), Decimal(0), Decimal(2), plan.rate(0, 3_000_000, 6))),
                'growth': plan.pick((Decimal(1), Decimal('0.1'), plan.rate(0, 2_000_000, 6)))}[effect]

    def _group(self, columns):
        """None or a group whose rules all have this effect, of bonus and growth also this scope."""
        if self.plan.chance(0.5):
            return None
        group, effect = self.plan.pick(GROUPS[columns['effect']]), columns['effect']
        return f'{group}_{columns["scope"]}' if effect in ('bonus_points', 'growth') else group

    def window(self):
        """Local times, some without an end."""
        plan = self.plan
        start = plan.days.local(plan.now).replace(hour=0, minute=0, second=0, microsecond=0)
        start += timedelta(days=plan.random.randint(-20, 5))
        end = start + timedelta(days=plan.pick((1, 7, 60)), hours=plan.pick((0, 0, 12)))
        self.edges += [plan.days.start_of(start.date()), plan.days.start_of(end.date())]
        return plan.pick(((start, end), (start, end), (start, None), (None, end), (None, None)))

    def _condition(self, scope):
        plan = self.plan
        condition = self.simple_condition(scope)
        if plan.chance(0.15):
            condition = f'({condition}) {plan.pick(("AND", "OR", "AND NOT"))} ({self.simple_condition(scope)})'
        return condition

    def simple_condition(self, scope):
        plan = self.plan
        step = plan.money(plan.random.randint(1, 300 * 10**plan.digits))
        families = CONDITIONS + LINE_CONDITIONS if scope == 'line' else CONDITIONS
        return plan.pick(plan.pick(families)).format(
            step=step, steps=2 * step, few=plan.random.randint(1, 7), some=plan.random.randint(10, 28),
            many=plan.random.randint(20, 200))
