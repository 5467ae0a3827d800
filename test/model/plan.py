"""The operations of one seed, drawn up front: nothing here depends on how an operation ends.

An operation is a dict: `do` names it, members are labels of enrolments (so that a shortened list still makes
sense), times are absolute. The clock only goes forward and stays in the past, so every call can pass `at`.
"""
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from campaigns import BRANDS, CATEGORIES, Campaigns
from checkout import Checkout
from days import Days, add_months, last_day
from returns import Returns

PLACES = [
    # zone, currency, its digits, calling code of plain numbers, where the clock starts
    ('Asia/Shanghai', 'CNY', 2, '86', '2018-12-20 10:00'),
    ('America/New_York', 'USD', 2, '1', '2018-10-25 15:00'),
    ('Europe/London', 'GBP', 2, '44', '2019-03-20 09:00'),
    ('Asia/Tokyo', 'JPY', 0, '81', '2019-01-25 03:00'),
    ('Asia/Kuwait', 'KWD', 3, None, '2018-02-20 12:00'),
    ('Pacific/Apia', 'USD', 2, '1', '2011-12-20 20:00'),
    ('America/Havana', 'USD', 2, '1', '2017-03-01 18:00'),
]
END_OF_TIME = datetime(2024, 6, 1, tzinfo=UTC)
MERCHANTS = (1, 2, 3, 4, 5)
TIERS = ('regular', 'silver', 'gold', 'diamond')
CHANNELS = ('pos', 'app', 'wechat')
MERGES = 6                     # at the end: the model knows no calls with a merged number
NOBODY = -1                    # label of a member who does not exist


class Plan:
    def __init__(self, seed, count):
        self.random = random.Random(seed)
        self.zone, self.currency, self.digits, self.phone_country, start = PLACES[seed % len(PLACES)]
        self.days = Days(self.zone)
        self.now = datetime.fromisoformat(start).replace(tzinfo=UTC)
        self.labels = 0
        self.refs = 0
        self.keyed = []            # operations that can come again
        self.moments = [self.now]
        self.settings = {'expiry': '24 months', 'min_life_days': 0, 'pending_days': 0, 'tier_window_months': 12}
        self.coming = []           # (instant, label): something of that member is due then
        self.focus = None          # whom the next operation should touch
        self.campaigns = Campaigns(self)
        self.checkout = Checkout(self)
        self.returns = Returns(self)
        self.setup = self._setup()
        self.operations = self.campaigns.first()
        while len(self.operations) < count - MERGES:
            self._tick()
            progress = len(self.operations) / count
            self.operations.append(self._operation(progress))
            if self.operations[-1]['do'] == 'enroll' and self.chance(0.5):
                self.operations.append(self._endow(self.operations[-1]['label']))
        self.operations += self._merges()

    # --- small draws

    def chance(self, probability):
        return self.random.random() < probability

    def pick(self, options):
        return self.random.choice(options)

    def money(self, units):
        return Decimal(units).scaleb(-self.digits)

    def rate(self, low, high, decimals):
        return Decimal(self.random.randint(low, high)).scaleb(-decimals)

    def new_ref(self):
        self.refs += 1
        return f'r{self.refs}'

    def someone(self):
        """Mostly one of a few busy members, so that their stories get long."""
        if self.focus is not None:
            return self.focus
        if self.chance(0.005):
            return NOBODY
        busy = min(self.labels, 8)
        return self.random.randrange(busy if self.chance(0.7) else self.labels)

    # --- the clock

    def _tick(self):
        ahead = self._jump()
        if self.now < ahead < END_OF_TIME:
            self.now = ahead
        self.moments.append(self.now)

    def _jump(self):
        self.focus = None
        self.coming = [due for due in self.coming if due[0] > self.now]
        if self.coming and self.chance(0.1):
            moment, self.focus = self.pick(sorted(self.coming)[:3])
            return moment + timedelta(microseconds=self.pick((-1, 0, 0, 0, 1)))
        draw = self.random.random()
        today = self.days.day_of(self.now)
        nudge = timedelta(microseconds=self.pick((-1, 0, 0, 1, 1_000_000, -1_000_000)))
        if draw < 0.32:
            return self.now
        if draw < 0.54:
            return self.now + timedelta(seconds=self.random.randint(1, 5000))
        if draw < 0.74:
            return self.now + timedelta(hours=self.random.randint(1, 50), microseconds=self.random.randint(0, 999_999))
        if draw < 0.90:
            return self.days.start_of(today + timedelta(days=self.random.randint(1, 4))) + nudge
        if draw < 0.95:
            return self.days.start_of(add_months(today.replace(day=1), 1)) + nudge
        if draw < 0.96:
            return self._near_clock_change() + nudge
        if draw < 0.964:
            return self.days.start_of(today.replace(year=today.year + 1, month=1, day=1)) + nudge
        if draw < 0.97:
            end_of_february = self.days.start_of(today.replace(year=today.year + (today.month > 2), month=3, day=1))
            return end_of_february - timedelta(hours=self.random.randint(1, 30))
        return self.now + timedelta(days=self.random.randint(1, 45))

    def _near_clock_change(self):
        """A change of the clocks, or a day whose purchases become active or die on the day of one."""
        today, pending = self.days.day_of(self.now), self.settings['pending_days']
        lasts = max(last_day(self.settings['expiry'], today) or today, today) - today
        change = self.days.next_clock_change(self.now + self.pick((timedelta(0), lasts, timedelta(days=pending))))
        if change is None:
            return self.now + timedelta(days=20)
        day = self.days.day_of(change)
        return self.pick((change, self.days.start_of(day - timedelta(days=pending)),
                          self.days.start_of(day - timedelta(days=1) - lasts)))

    def _expect(self, label, *days):
        """Notes the starts of days on which something of a member falls due."""
        self.coming += [(self.days.start_of(day), label) for day in days]

    # --- set-up and configuration

    def _setup(self):
        """Merchants 1 and 2 belong to the mall's own party, 3 to 5 to others; 5 to another mall."""
        steps = []
        for merchant_id in self.random.sample(MERCHANTS, 3):
            steps.append(self._contract(merchant_id, None))
        steps += [self._tiers(tier) for tier in TIERS[1:]]
        steps += [self._configure() for _ in range(2)]
        steps += [{'do': 'program', 'name': 'transfers', 'value': True},
                  {'do': 'program', 'name': 'allow_debt', 'value': self.chance(0.6)},
                  {'do': 'program', 'name': 'transfer_daily_limit', 'value': self.pick((None, 500))},
                  {'do': 'program', 'name': 'reinstatement_days', 'value': self.pick((0, 1, 30))}]
        steps += self.checkout.setup() + self.returns.setup()
        steps.append({'do': 'merchant', 'merchant_id': 4, 'changes': {
            'opened_on': self.days.day_of(self.now) - timedelta(days=40)}})
        return steps

    def _contract(self, merchant_id, day):
        return {'do': 'contract', 'merchant_id': merchant_id, 'day': day, 'collects': self.pick(('merchant', 'mall')),
                'commission_rate': self.rate(0, 30, 2) if self.chance(0.7) else self.rate(0, 999_999, 6),
                'issue_price': self.rate(0, 100, 3) if self.chance(0.7) else self.rate(0, 99_999, 6),
                'redemption_price': self.pick((Decimal('0.03'), Decimal(0), self.rate(0, 2000, 3), self.rate(0, 99_999, 6))),
                'commission_refunded': self.chance(0.7)}

    def _tiers(self, code):
        rank = TIERS.index(code)
        unit = (rank or 1) * 10**self.digits
        threshold = self.pick((self.random.randint(1, 300 * unit), 500 * unit))
        changes = {'qualify_basis': self.pick((None, self.money(threshold), self.money(threshold))),
                   'multiplier': self.pick((Decimal(1), Decimal('1.2'), Decimal('1.5'), self.rate(0, 30_000, 4))),
                   'validity_months': self.pick((None, 1, 12, 24))}
        if rank == 0:
            del changes['qualify_basis']
        return {'do': 'tier', 'code': code, 'changes': dict(self.random.sample(sorted(changes.items()), 2))}

    def _configure(self):
        name, value = self.pick((
            ('base_rate', self.pick((Decimal(1), Decimal('0.1'), Decimal('1.5'), self.rate(0, 9_999_999, 6)))),
            ('award_rounding', self.pick(('floor', 'half_up', 'ceiling'))),
            ('expiry', self.policy()),
            ('expiry', self.policy()),
            ('min_life_days', self.pick((0, 0, 0, 1, 10, 45))),
            ('extend_on_activity', self.pick((True, False))),
            ('pending_days', self.pick((0, 0, 1, 7, 40))),
            ('claim_days', self.pick((0, 3, 30, 30, 90, 3660))),
            ('allow_debt', self.pick((True, True, False))),
            ('tier_window_months', self.pick((1, 6, 12, 120))),
            ('stacking', self.pick(('additive', 'multiply'))),
            ('reinstatement_days', self.pick((0, 0, 1, 30))),
            ('transfers', self.chance(0.8)),
            ('transfer_minimum', self.pick((1, 1, 10, 100))),
            ('transfer_daily_limit', self.pick((None, None, 50, 500)))))
        self.settings[name] = value
        return {'do': 'program', 'name': name, 'value': value}

    def policy(self):
        later = self.pick(('', '', ' + 1', f' + {self.random.randint(2, 10)}'))
        day = self.days.day_of(self.now) + timedelta(days=self.random.randint(-40, 200))
        return self.pick((
            'never', self.pick(('1 months', '3 months', '6 months', '24 months', '120 months')),
            self.pick(('1 days', '7 days', '90 days', '365 days')), 'month end' + later, 'quarter end' + later,
            'year end' + later, day.isoformat(), f'{self.random.randint(1, 12)} months'))

    def _configuration(self):
        draw = self.random.random()
        if draw < 0.15:
            return self.returns.setting()
        if draw < 0.5:
            return self._configure()
        day = self.days.day_of(self.now) + timedelta(days=self.random.randint(-20, 20))
        if draw < 0.65:
            return {'do': 'merchant', 'merchant_id': self.pick(MERCHANTS), 'changes': {
                'pending_days': self.pick((None, 0, 1, 3, 14, 60))}}
        if draw < 0.7:
            return {'do': 'merchant', 'merchant_id': 5, 'changes': self.pick((
                {'opened_on': day, 'ended_on': None}, {'opened_on': None, 'ended_on': day},
                {'opened_on': None, 'ended_on': None}))}
        if draw < 0.8:
            return self._tiers(self.pick(TIERS))
        return self._contract(self.pick(MERCHANTS), day)

    # --- operations

    def _operation(self, progress):
        if self.labels < 4 or (self.labels < 40 and self.chance(0.06)):
            return self._enroll()
        if self.checkout.todo and self.chance(0.4):
            return self.checkout.todo.pop(0)()
        late = 0.05 if progress > 0.5 else 0.01
        kinds = {
            self.accrue: 0.26, self.returns.operation: 0.15, self._again: 0.07, self._grant: 0.08, self.adjust: 0.07, self._configuration: 0.06,
            self.campaigns.operation: 0.05, self.checkout.operation: 0.22, self.checkout.quote: 0.03,
            self.checkout.rule_operation: 0.02, self._read: 0.08, self._identity: 0.02, self._profile: 0.02,
            self._review: late, self._status: late / 2, self._set_tier: late / 2, self._change_identity: late / 3,
            self._sweep: 0.02, self.returns.correction: 0.03, self.returns.imported: late / 4}
        return self.pick_weighted(kinds)()

    def pick_weighted(self, kinds):
        return self.random.choices(list(kinds), weights=list(kinds.values()))[0]

    def _identity_of(self, number):
        """One of the phones, mails and cards in play, in one of its spellings."""
        kind = ('phone', 'card', 'email')[number % 3]
        if kind == 'card':
            return kind, self.pick(('C-{}', ' C-{} ')).format(number)
        if kind == 'email':
            return kind, self.pick(('m{}@example.com', 'M{}@Example.COM ')).format(number)
        tail = f'{555_0000 + number}'
        country = self.phone_country or '965'
        spelling = self.pick(('+{c}20{t}', '00{c}20{t}', '+{c} 20-{t} ', '20{t}', '020 {t}'))
        return kind, spelling.format(c=country, t=tail)

    def _enroll(self):
        label = self.labels
        self.labels += 1
        number = label if self.chance(0.9) else self.random.randrange(40)
        kind, value = self._identity_of(number)
        birthday = self._birthday()
        if birthday:
            born, year = date.fromisoformat(birthday), self.days.day_of(self.now).year
            celebrated = [add_months(born, 12 * (year + later - born.year)) for later in (0, 1, 2)]
            self._expect(label, *celebrated, *(day + timedelta(days=1) for day in celebrated))
        return {'do': 'enroll', 'label': label, 'kind': kind, 'value': value, 'at': self.now,
                'invited_by': self.random.randrange(-1, label) if label and self.chance(0.3) else None,
                'birthday': birthday, 'channel': self.pick(CHANNELS),
                'source': self.pick((None, 'gate 3')), 'attributes': self.pick((None, {'a': 1}))}

    def _birthday(self):
        """Often one of these days."""
        near = self.days.day_of(self.now) + timedelta(days=self.random.randint(-3, 30))
        return self.pick((None, '2000-02-29', near.replace(year=1988).isoformat(),
                          f'19{self.random.randint(50, 99)}-06-15'))

    def _occurred_at(self):
        edges = [edge for edge in self.campaigns.edges[-8:] if edge <= self.now]
        if edges and self.chance(0.06):
            return self.pick(edges) - timedelta(microseconds=self.pick((0, 0, 1)))
        draw = self.random.random()
        if draw < 0.55:
            return None
        if draw < 0.65:
            return self.now + timedelta(seconds=self.pick((1, 300, 600)))
        if draw < 0.66:
            return self.now + timedelta(seconds=601)
        if draw < 0.80:
            return self.now - timedelta(seconds=self.random.randint(0, 90_000))
        if draw < 0.95:
            return self.now - timedelta(days=self.random.randint(1, 50), seconds=self.random.randint(0, 90_000))
        return self.now - timedelta(days=self.random.randint(50, 1200))

    def posting_time(self):
        """Mostly the clock; sometimes an `at` of the past, which the engine raises."""
        return self.now - timedelta(seconds=self.random.randint(1, 9_000_000)) if self.chance(0.05) else self.now

    def _units(self):
        draw = self.random.random()
        if draw < 0.05:
            return 0
        if draw < 0.30:
            return self.random.randint(1, 300)
        if draw < 0.95:
            return self.random.randint(1, 400 * 10**self.digits)
        return self.random.randint(1, 10**6 * 10**self.digits)

    def lines(self, units):
        count = self.random.randint(1, 6)
        cuts = sorted(self.random.randint(0, units) for _ in range(count - 1))
        parts = [high - low for low, high in zip([0] + cuts, cuts + [units])]
        numbers = self.random.sample(range(1, 20), count) if self.chance(0.3) else None
        lines = []
        for i, part in enumerate(parts):
            line = {'amount': self.money(part)}
            if numbers:
                line['line_no'] = numbers[i]
            if self.chance(0.6):
                line['merchant_id'] = self.pick(MERCHANTS)
            if self.chance(0.2):
                line['eligible'] = self.chance(0.3)
            for key, value in (('category', self.pick(CATEGORIES)), ('brand', self.pick(BRANDS)), ('sku', 'S 1'),
                               ('quantity', self.pick((1, 2, Decimal('0.375'))))):
                if self.chance(0.2):
                    line[key] = value
            lines.append(line)
        return lines

    def accrue(self):
        units = self._units()
        operation = {
            'do': 'accrue', 'label': self.someone(), 'merchant_id': self.pick(MERCHANTS),
            'amount': self.money(units), 'order_ref': self.new_ref(), 'occurred_at': self._occurred_at(),
            'channel': self.pick(CHANNELS), 'lines': self.lines(units) if self.chance(0.4) else None,
            'tenders': None, 'attributes': self._attributes(), 'external_refs': None,
            'at': self.posting_time(), 'preview': self.chance(0.3)}
        if self.checkout.orders and self.chance(0.35):
            operation |= self.checkout.purchase()
        elif self.chance(0.15):
            operation['tenders'] = self.checkout.tenders(*(operation[name] for name in (
                'label', 'amount', 'lines', 'merchant_id')))
        elif self.chance(0.15):
            operation['tenders'] = [{'kind': 'cash', 'amount': self.money(self.random.randint(0, units))}]
        if self.chance(0.15):
            kinds = self.random.sample(('wechat', 'alipay', 'pos'), 2)
            operation['external_refs'] = {kind: self.new_ref() for kind in kinds}
        if self.chance(0.03):
            return self._spoiled(operation)
        day = self.days.day_of(operation['occurred_at'] or self.now)
        settings = self.settings
        self._expect(operation['label'], day + timedelta(days=settings['pending_days']),
                     (last_day(settings['expiry'], day) or add_months(day, 24)) + timedelta(days=1),
                     day + timedelta(days=settings['pending_days'] + settings['min_life_days']),
                     add_months(day, settings['tier_window_months']), add_months(day, 12))
        self.keyed.append(operation)
        self.returns.sold.append(operation)
        return operation

    def _attributes(self):
        return self.pick((None, None, None, {'table': 7, 'x': [1, 2]}, {'table': 'bar'}, {'wedding': '2016-02-29'},
                          {'wedding': 'soon', 'table': '3'}))

    def _spoiled(self, operation):
        """One thing wrong and no more, as no document says which of two is told: a known member, an open merchant."""
        amount = operation['amount']
        operation.update(label=self.random.randrange(4), merchant_id=1, lines=None, tenders=None, occurred_at=None,
                         order_ref=self.new_ref())
        operation.update(self.pick((
            {'amount': None}, {'amount': Decimal(-1)}, {'amount': Decimal('0.12345')}, {'merchant_id': 99},
            {'tenders': [{'kind': 'cash', 'amount': amount + 1}]}, {'lines': [{'amount': amount + 1}]})))
        return operation

    def _grant(self):
        expires_at = None
        if self.chance(0.5):
            expires_at = self.now + timedelta(days=self.random.randint(0, 200), seconds=self.pick((-1, 0, 1, 3600)))
        label = self.someone()
        if expires_at:
            self.coming.append((expires_at, label))
        operation = {'do': 'grant', 'label': label, 'points': self._points(), 'reason': 'birthday',
                     'ref': self.new_ref(), 'expires_at': expires_at, 'at': self.posting_time()}
        self.keyed.append(operation)
        return operation

    def _endow(self, label):
        """Enough to spend for a while."""
        self.checkout.rich.append(label)
        return {'do': 'grant', 'label': label, 'points': self.random.randint(2000, 50_000), 'reason': 'moved here',
                'ref': self.new_ref(), 'at': self.now,
                'expires_at': self.pick((None, self.now + timedelta(days=self.random.randint(30, 1500))))}

    def adjust(self, label=None, points=None):
        sign = -1 if self.chance(0.75) else 1
        operation = {'do': 'adjust', 'label': self.someone() if label is None else label,
                     'points': points or sign * self._points(), 'reason': 'complaint', 'ref': self.new_ref(),
                     'at': self.posting_time()}
        self.keyed.append(operation)
        return operation

    def _points(self):
        return self.pick((1, self.random.randint(1, 50), self.random.randint(1, 900), self.random.randint(1, 20_000),
                          0 if self.chance(0.1) else 5))

    def _again(self):
        """An earlier call again: as it was, for another member, or with other content."""
        if not self.keyed:
            return self.accrue()
        first = self.pick(self.keyed[-60:])
        if self.chance(0.4):
            if first.get('amount') is not None and self.chance(0.5):
                return dict(first, amount=first['amount'].normalize())
            return dict(first)
        if self.chance(0.3):
            return dict(first, label=self.someone())
        if first['do'] == 'refund':
            return dict(first, **self.pick(({'amount': self.money(77), 'lines': None}, {'at': self.now},
                                            {'amount': None, 'lines': None})))
        if first['do'] in ('redeem', 'authorize', 'capture', 'transfer'):
            return dict(first, **self.pick(({'points': self.random.randint(1, 100)}, {'at': self.now})))
        if first['do'] != 'accrue':
            return dict(first, **self.pick(({'points': first['points'] + 1}, {'reason': 'other'}, {'at': self.now})))
        if first['external_refs'] and self.chance(0.6):
            return dict(first, order_ref=self.new_ref(), **self.pick((
                {}, {'channel': 'app'}, {'merchant_id': self.pick(MERCHANTS)}, {'label': self.someone()},
                {'amount': self.money(1), 'lines': None, 'tenders': None})))
        return dict(first, **self.pick((
            {'amount': self.money(1), 'lines': None, 'tenders': None}, {'channel': 'kiosk'}, {'attributes': {'y': 1}},
            {'occurred_at': self.now - timedelta(days=1)}, {'at': self.now},
            {'external_refs': {'wechat': self.new_ref()}})))

    def _read(self):
        draw = self.random.random()
        if draw < 0.4:
            known_at = None if self.chance(0.4) else self.pick(self.moments)
            at = self.pick(self.moments) + timedelta(days=self.pick((0, 0, 30, 365)))
            return {'do': 'balance_at', 'label': self.someone(), 'at': min(at, END_OF_TIME), 'known_at': known_at}
        if draw < 0.7:
            return {'do': 'statement', 'label': self.someone(), 'max_rows': self.pick((1, 2, 3, 5, 10, 100))}
        kind, value = self._identity_of(self.random.randrange(45))
        return {'do': 'find_member', 'kind': kind, 'value': value}

    def _identity(self):
        kind, value = self._identity_of(self.random.randrange(60))
        return {'do': 'add_identity', 'label': self.someone(), 'kind': kind, 'value': value}

    def _profile(self):
        if self.chance(0.5):
            return {'do': 'set_tags', 'label': self.someone(),
                    'tags': [self.pick(('sport', 'food', 'kids', 'vip')) for _ in range(self.random.randint(0, 4))]}
        return {'do': 'update_member', 'label': self.someone(),
                'changes': dict(self.random.sample((('birthday', '1999-12-31'), ('attributes', {'b': [2]}),
                                                    ('consent', {'sms': True})), self.random.randint(1, 3)))}

    def _sweep(self):
        """Of everybody; mostly by the clock, some for a night that was missed."""
        return {'do': 'sweep', 'procedure': self.pick(('expire_points', 'expire_points', 'release_holds')),
                'as_of': self.posting_time()}

    def _merges(self):
        """Any two, also merged ones; the last one again. A plan without operations knows nobody to merge."""
        if not self.labels:
            return []
        merges = [{'do': 'merge', 'label': self.random.randrange(self.labels), 'to_label': self.random.randrange(self.labels),
                   'reason': 'one person'} for _ in range(MERGES - 1)]
        return merges + merges[-1:]

    # These take the real clock, so they turn their member's clock to the present for good.

    def _review(self):
        return {'do': 'review', 'label': self.someone(), 'pick': self.random.randrange(10),
                'decision': 'approve' if self.chance(0.7) else 'reject', 'reason': self.pick(('seen', 'checked'))}

    def _status(self):
        return {'do': 'status', 'label': self.someone(), 'reason': 'desk',
                'status': self.random.choices(('frozen', 'active', 'closed'), (6, 5, 1))[0]}

    def _set_tier(self):
        return {'do': 'set_tier', 'label': self.someone(), 'code': self.pick(TIERS + ('bronze',)), 'reason': 'gift',
                'lock_until': self.pick((None, None, datetime(2031, 1, 1, tzinfo=UTC)))}

    def _change_identity(self):
        number = self.random.randrange(60)
        kind, value = self._identity_of(number)
        if self.chance(0.4):
            return {'do': 'remove_identity', 'label': self.someone(), 'kind': kind, 'value': value, 'reason': 'lost'}
        _, new_value = self._identity_of((number + 3 * self.random.randrange(20)) % 60)
        return {'do': 'replace_identity', 'label': self.someone(), 'kind': kind, 'value': value,
                'new_value': new_value, 'reason': 'lost'}
