"""Runs a plan against the database and the model and compares everything after every operation."""
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import zip_longest

from database import instant, parse_instant
from ledger import ACTIVITY, Refusal
from model import Merchant, Programme, Tier
from money import to_decimal
from plan import MERCHANTS, NOBODY, Plan
from rules import BEGINNING
from spending import BurnRule
from splits import Contract

EVERYONE_EVERY = 50
TYPED = {'amount': 'numeric', 'lines': 'jsonb', 'tenders': 'jsonb', 'attributes': 'jsonb', 'external_refs': 'jsonb',
         'consent': 'jsonb', 'occurred_at': 'timestamptz', 'at': 'timestamptz', 'expires_at': 'timestamptz',
         'lock_until': 'timestamptz', 'order_amount': 'numeric', 'known_at': 'timestamptz',
         'birthday': 'date', 'tags': 'text[]', 'ttl': 'interval', 'points': 'bigint'}


class Difference(Exception):
    """The database and the model disagree, after operation `number`."""

    number = 0


def shown(value):
    """A model's value as the database's JSON shows it."""
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Fraction):
        return to_decimal(value)
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(item) for item in value]
    return value


def same(what, found, expected):
    if found == expected:
        return
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in expected.keys() | found.keys():
            same(f'{what}.{key}', found.get(key), expected.get(key))
    elif isinstance(found, list) and isinstance(expected, list):
        for number, (left, right) in enumerate(zip_longest(found, expected)):
            same(f'{what}[{number}]', left, right)
    else:
        raise Difference(f'{what}: database {found!r}, model {expected!r}')


def in_fractions(columns):
    return {name: Fraction(value) if isinstance(value, Decimal) else value for name, value in columns.items()}


def placed(names):
    """Placeholders of columns of earn_rule."""
    types = {'valid_during': 'tsrange', 'mall_ids': 'integer[]', 'merchant_ids': 'integer[]',
             'effective_from': 'timestamptz'}
    return ', '.join(f'%({name})s::{types[name]}' if name in types else f'%({name})s' for name in names)


def ranged(columns):
    return columns | ({'valid_during': range_text(*columns['valid_during'])} if 'valid_during' in columns else {})


def range_text(start, end):
    """Local times as PostgreSQL writes a tsrange of them."""
    return (f'["{start}"' if start else '(') + ',' + (f'"{end}")' if end else ')')


class Simulation:
    def __init__(self, database, seed, count, every=1):
        self.database = database
        self.every = every         # compare a member's rows after every so many operations; results after each
        self.plan = Plan(seed, count)
        self.outcomes = Counter()

    def run(self, operations):
        """Raises Difference at the first operation after which the two disagree."""
        self._start()
        for operation in self.plan.setup:
            self.step(operation)
        for number, operation in enumerate(operations, 1):
            try:
                self.step(operation, number % self.every == 0)
                if number % (EVERYONE_EVERY * self.every) == 0 or number == len(operations):
                    self.compare_everyone()
            except Difference as difference:
                difference.number = number
                raise

    def _start(self):
        plan, run = self.plan, self.database.run
        self.database.start_programme(plan.zone, plan.currency)
        self.model = Programme(plan.zone, plan.digits, plan.phone_country, self.evaluate)
        self.ids = {NOBODY: 10**9}
        self.numbers = {}          # words for points and what they stood for
        row = self.database.rows('SELECT * FROM membership.burn_rule')[0]
        self.model.burn_rules = {row['burn_rule_id']: BurnRule(**in_fractions(row | {'valid_during': (None, None)}))}
        rows = self.database.rows('SELECT * FROM membership.tier')
        self.model.tiers = {
            row['tier_id']: Tier(row['tier_id'], row['code'], row['rank'], Fraction(row['multiplier']),
                                 None if row['qualify_basis'] is None else Fraction(row['qualify_basis']),
                                 row['validity_months']) for row in rows}
        run("INSERT INTO membership.party VALUES (2, 'Shop', 'merchant'), (3, 'Chain', 'merchant'),"
            " (4, 'Annex', 'mall'), (5, 'Bank', 'sponsor')")
        run("INSERT INTO membership.mall VALUES (2, 'Annex', 4)")
        for merchant_id in MERCHANTS:
            party, mall = {3: (2, 1), 4: (3, 1), 5: (3, 2)}.get(merchant_id, (1, 1))
            brand, category = {1: (None, 'food'), 2: ('B', 'baby'), 4: ('C', None)}.get(merchant_id, (None, None))
            run('INSERT INTO membership.merchant (merchant_id, name, party_id, mall_id, brand, category)'
                ' VALUES (%s, %s, %s, %s, %s, %s)', (merchant_id, f'shop {merchant_id}', party, mall, brand, category))
            self.model.merchants[merchant_id] = Merchant(merchant_id, party, {1: 1, 2: 4}[mall], mall, brand, category)

    def step(self, operation, compare=True):
        arguments = {key: value for key, value in operation.items() if key != 'do'}
        if 'label' in arguments and operation['do'] != 'enroll':
            label = arguments.pop('label')
            if label not in self.ids:
                return             # its enrolment was left out of a shortened list
            arguments['member_id'] = self.ids[label]
        if operation['do'] in ('capture', 'void'):
            self.find_hold(arguments)
        if 'to_label' in arguments:
            arguments['to_member_id'] = self.ids.get(arguments.pop('to_label'), 10**9)
        getattr(self, 'do_' + operation['do'])(**arguments)
        for name in ('member_id', 'to_member_id'):
            if compare and arguments.get(name) in self.model.members:
                self.compare_member(arguments[name])

    def evaluate(self, conditions, context):
        """Money has the currency's decimals, or a quotient would have others."""
        unit = Decimal(1).scaleb(-self.plan.digits)
        return self.database.evaluate(conditions, {
            name: to_decimal(value).quantize(unit) if isinstance(value, Fraction) else value
            for name, value in context.items()})

    # --- the two sides of a call

    def ask(self, function, **arguments):
        return self.database.call(function, **{
            name: (value, TYPED[name]) if name in TYPED else value for name, value in arguments.items()})

    def expect(self, what, answer, verb, *arguments, **named):
        """The model's result of the same call, compared with the database's row or SQLSTATE."""
        row, sqlstate = answer
        try:
            result, refused = verb(*arguments, **named), None
        except Refusal as refusal:
            result, refused = None, refusal.sqlstate
        if sqlstate != refused:
            raise Difference(f"{what}: database {f'{sqlstate} {self.database.message}' if sqlstate else 'accepted'},"
                             f" model {refused or 'accepted'}")
        self.outcomes[what, sqlstate or (row.get('status') or 'done') + ' again' * bool(row.get('duplicate'))] += 1
        if row is not None and isinstance(result, (dict, tuple)):
            found = {name: instant(value) if isinstance(value, datetime) else value for name, value in row.items()}
            explanation = found.get('explanation') or {}
            self.outcomes.update(('rules', told['outcome']) for told in explanation.get('rules', ()))
            self.drop_reasons(explanation, what)
            same(what, found, shown(result if isinstance(result, dict) else dict(zip(row, result))))
        return result

    @staticmethod
    def drop_reasons(explanation, what):
        """Why a rule did not match is for people to read."""
        for told in explanation.get('rules', ()):
            if told['outcome'] == 'not_matched' and not told.pop('reason', None):
                raise Difference(f'{what}: no reason why {told["code"]} did not match')

    def real_clock(self, member_id, function, verb, *arguments, **named):
        """A call without `at`: the model takes the time that the database read."""
        member = self.model.members.get(member_id)
        before, rows = self.database.clock(), member and len(member.journal)
        answer = self.ask(function, member_id=member_id, **named)
        posted_at = before
        if member:
            journal = self.database.state(member_id)['journal']
            if len(journal) > rows:
                posted_at = parse_instant(journal[-1]['posted_at'])
                if not (before <= posted_at <= self.database.clock() or posted_at == member.last_posted_at):
                    raise Difference(f'{function}: posted_at {posted_at} is not the time of the call')
        self.expect(function, answer, verb, member_id, *arguments, at=posted_at)

    # --- operations

    def do_enroll(self, label, kind, value, at, invited_by, **profile):
        code = None
        if invited_by is not None:
            code = ' ' + self.model.referral_codes.get(self.ids.get(invited_by), 'NOBODY00').lower()
        answer = self.ask('enroll_member', identity_kind=kind, identity_value=value, at=at, referral_code=code,
                          **profile)
        row = answer[0] or {}
        self.expect('enroll_member', answer, self.model.enroll, kind, value, at, row.get('member_id'),
                    row.get('referral_code'), referral_code=code, **profile)
        if row:
            self.ids[label] = row['member_id']
            self.compare_member(row['member_id'])

    def do_accrue(self, preview, **purchase):
        if purchase['tenders'] and purchase['amount'] is not None:
            purchase['tenders'] = self.listed(**{name: purchase[name] for name in (
                'member_id', 'merchant_id', 'order_ref', 'tenders', 'amount', 'lines', 'channel', 'at')})
        if preview and 'exchange_of' not in purchase:
            shown_before = {name: value for name, value in purchase.items() if name != 'external_refs'}
            answer = self.ask('preview_accrual', **shown_before)
            self.expect('preview_accrual', answer, self.model.preview, **shown_before)
        answer = self.ask('accrue_points', **purchase)
        self.expect('accrue_points', answer, self.model.accrue, **purchase)

    def do_grant(self, **arguments):
        self.expect('grant_points', self.ask('grant_points', **arguments), self.model.grant, **arguments)

    def do_adjust(self, **arguments):
        self.expect('adjust_points', self.ask('adjust_points', **arguments), self.model.adjust, **arguments)

    # --- spending

    def do_quote(self, **asked):
        self.quote(asked)

    def quote(self, asked):
        return self.expect('quote_redemption', self.ask('quote_redemption', **asked), self.model.quote, **asked)

    def drawn(self, points, key, most):
        """The number that a word for points stands for; a repeated call asks for the same."""
        if isinstance(points, (str, tuple)):
            if key not in self.numbers:
                quoted, step = most()
                share = 100 if points in ('max', 'rest') else points[1]
                self.numbers[key] = max(quoted * share // 100 // step * step, step)
            points = self.numbers[key]
        return points

    def most_of(self, verb, arguments, asked):
        """What a quote says; the limit is a limit, so a step more is refused."""
        quote = self.quote(asked)
        if quote is None or asked['member_id'] not in self.model.members:
            return 1, 1
        most, rule, _ = self.model.allowance(**asked)
        if rule is None or not most:
            return most, 1
        more = dict(arguments, points=most + rule.step)
        sqlstate = self.ask(f'{verb}_points', **more)[1]
        self.expect(f'{verb}_points', (None, sqlstate), getattr(self.model, verb), **more)
        if sqlstate is None:
            raise Difference(f'{verb}_points: a step more than the quote says was accepted')
        return most, rule.step

    def spend(self, verb, points, **arguments):
        asked = {name: value for name, value in arguments.items() if name not in ('ref', 'ttl')}
        arguments['points'] = self.drawn(points, (verb, arguments['ref']), lambda: self.most_of(verb, arguments, asked))
        self.expect(f'{verb}_points', self.ask(f'{verb}_points', **arguments), getattr(self.model, verb), **arguments)

    def do_redeem(self, **arguments):
        self.spend('redeem', **arguments)

    def do_authorize(self, **arguments):
        self.spend('authorize', **arguments)

    def do_capture(self, member_id, ref, points, at):
        points = self.drawn(points, ('capture', ref), lambda: self.held(member_id, ref))
        arguments = {'member_id': member_id, 'ref': ref, 'points': points, 'at': at}
        self.expect('capture_points', self.ask('capture_points', **arguments), self.model.capture, **arguments)

    def find_hold(self, arguments):
        """With a pick it is another hold that is open, when this one is not; a repeated call means the same one."""
        pick, key = arguments.pop('pick'), (arguments['member_id'], arguments['ref'])
        holds = [(member.member_id, hold.ref) for member in self.model.members.values() for hold in member.holds]
        if pick is not None and key not in self.numbers and key not in holds:
            self.numbers[key] = holds[pick % len(holds)] if holds else key
        arguments['member_id'], arguments['ref'] = self.numbers.get(key, key)

    def held(self, member_id, ref):
        member = self.model.members.get(member_id)
        for hold in member.holds if member else ():
            if hold.ref == ref:
                return hold.points, member.event(hold.hold_no)['rules']['burn_rule']['step']
        return 1, 1

    def do_void(self, **arguments):
        self.expect('void_points', self.ask('void_points', **arguments), self.model.void, **arguments)

    def do_reverse(self, pick, **arguments):
        """Mostly what was spent and not given back; a repeated call means the same."""
        member = self.model.members.get(arguments['member_id'])
        if pick is not None and member:
            refs = [ref for verb, ref in member.keys
                    if verb in ('redemption', 'capture') and ('reversal', ref) not in member.keys]
            arguments['ref'] = refs[-1 - pick % min(len(refs), 3 + pick % 20)] if refs else arguments['ref']
        self.expect('reverse_redemption', self.ask('reverse_redemption', **arguments), self.model.reverse, **arguments)

    def do_transfer(self, member_id, **arguments):
        arguments['from_member_id'] = member_id
        self.expect('transfer_points', self.ask('transfer_points', **arguments), self.model.transfer, **arguments)

    def listed(self, member_id, merchant_id, order_ref, tenders, amount, lines, channel, at):
        """Tenders with numbers."""
        def most():
            if member_id not in self.model.members:
                return 1, 1
            spent = self.model.spent_for(member_id, (merchant_id, order_ref), at)
            if spent:
                return spent, 1
            if tender.get('hold_ref'):
                return self.held(member_id, tender['hold_ref'])
            asked = {'member_id': member_id, 'merchant_id': merchant_id, 'order_ref': order_ref, 'order_amount': amount,
                     'channel': channel, 'at': at}
            self.quote(asked)
            quoted, rule, _ = self.model.allowance(**asked)
            return quoted, rule.step if rule else 1

        numbered = []
        for number, tender in enumerate(tenders):
            if tender['kind'] == 'points':
                member = self.model.members.get(member_id)
                if 'hold_ref' in tender and member and member.holds:
                    ref = self.numbers.setdefault(('hold', tender['hold_ref']), member.holds[0].ref)
                    tender = dict(tender, hold_ref=ref)
                key = ('tender', merchant_id, order_ref, number)
                tender = dict(tender, points=self.drawn(tender['points'], key, most))
            numbered.append(tender)
        return numbered

    # --- refunds

    def do_refund(self, member_id, merchant_id, order_ref, named, **arguments):
        if named is not None:
            arguments['member_id'] = self.ids.get(named, 10**9)
        arguments.update(merchant_id=merchant_id, order_ref=order_ref)
        self.expect('refund_order', self.ask('refund_order', **arguments), self.model.refund, **arguments)
        self.compare_others(member_id, self.owner(merchant_id, order_ref))

    def do_close_exception(self, member_id, **arguments):
        self.expect('close_refund_exception', self.database.row(
            'SELECT membership.close_refund_exception(%(merchant_id)s, %(order_ref)s, %(refund_ref)s, %(reason)s)', arguments),
                    self.model.close_refund_exception, **arguments)

    def do_correct(self, member_id, merchant_id, order_ref, **arguments):
        arguments.update(merchant_id=merchant_id, order_ref=order_ref)
        self.expect('correct_purchase', self.ask('correct_purchase', **arguments), self.model.correct, **arguments)
        self.compare_others(member_id, self.owner(merchant_id, order_ref))

    def do_reassign(self, member_id, merchant_id, order_ref, **arguments):
        owner = self.owner(merchant_id, order_ref)
        arguments.update(merchant_id=merchant_id, order_ref=order_ref)
        self.expect('reassign_purchase', self.ask('reassign_purchase', **arguments), self.model.reassign, **arguments)
        self.compare_others(member_id, owner)

    def do_import(self, member_id, merchant_id, amount, order_ref, occurred_at, points):
        def ask():
            row, sqlstate = self.database.row(
                'SELECT journal_no, duplicate, sqlstate, message FROM membership.import_purchases(ARRAY['
                '(%s, %s, %s, %s, %s, NULL, %s)::membership.purchase_import])',
                (member_id, merchant_id, amount, order_ref, occurred_at, points))
            self.database.message = row.pop('message')
            refused = row.pop('sqlstate')
            return (None, refused) if refused else (row, sqlstate)

        member = self.model.members.get(member_id)
        rows = member and len(member.journal)
        answer, times = ask(), [self.database.clock()]
        if member and answer[0]:
            times = [parse_instant(event['posted_at']) for event in self.database.state(member_id)['journal'][rows:]
                     if event['verb'] in ('accrual', 'refund')]
        self.expect('import_purchases', answer, self.model.import_purchase, member_id, merchant_id, amount, order_ref,
                    occurred_at, points, times[0], *times[1:] or times)

    def owner(self, merchant_id, order_ref):
        return self.model.receipts.get((merchant_id, order_ref), (None,))[0]

    def compare_others(self, compared, *member_ids):
        for member_id in set(member_ids) - {compared, None}:
            self.compare_member(member_id)

    # --- burn rules

    def do_burn_rule(self, columns):
        names = ', '.join(columns)
        self.database.run(f'INSERT INTO membership.burn_rule ({names}) VALUES ({placed(columns)})', ranged(columns))
        self.model.burn_rules[columns['burn_rule_id']] = BurnRule(**in_fractions(columns))

    def do_burn_rule_update(self, burn_rule_id, changes):
        if burn_rule_id not in self.model.burn_rules:
            return                 # its insert was left out of a shortened list
        assigned = ', '.join(f'{name} = {placed([name])}' for name in changes)
        self.database.run(f'UPDATE membership.burn_rule SET {assigned} WHERE burn_rule_id = {burn_rule_id}',
                          ranged(changes))
        self.model.burn_rules[burn_rule_id] = replace(self.model.burn_rules[burn_rule_id], **in_fractions(changes))

    def do_review(self, member_id, pick, decision, reason):
        """One of the member's purchases under review, decided or not; without any, a number that is none."""
        member = self.model.members.get(member_id)
        waiting = [event['journal_no'] for event in member.journal if event['status'] == 'review'] if member else []
        journal_no = waiting[pick % len(waiting)] if waiting else pick
        self.real_clock(member_id, 'review_accrual', self.model.review, journal_no, decision, reason,
                        journal_no=journal_no, decision=decision, reason=reason)

    def do_status(self, member_id, status, reason):
        self.real_clock(member_id, 'set_member_status', self.model.set_status, status, reason,
                        status=status, reason=reason)

    def do_set_tier(self, member_id, code, lock_until, reason):
        self.real_clock(member_id, 'set_tier', self.model.set_tier, code, lock_until, reason,
                        tier=code, lock_until=lock_until, reason=reason)

    def do_replace_identity(self, member_id, kind, value, new_value, reason):
        self.real_clock(member_id, 'replace_identity', self.model.replace_identity, kind, value, new_value, reason,
                        identity_kind=kind, old_value=value, new_value=new_value, reason=reason)

    def do_remove_identity(self, member_id, kind, value, reason):
        self.real_clock(member_id, 'remove_identity', self.model.remove_identity, kind, value, reason,
                        identity_kind=kind, identity_value=value, reason=reason)

    def do_add_identity(self, member_id, kind, value):
        answer = self.ask('add_identity', member_id=member_id, identity_kind=kind, identity_value=value)
        self.expect('add_identity', answer, self.model.add_identity, member_id, kind, value)

    def do_set_tags(self, member_id, tags):
        self.expect('set_tags', self.ask('set_tags', member_id=member_id, tags=tags),
                    self.model.set_tags, member_id, tags)

    def do_update_member(self, member_id, changes):
        self.expect('update_member', self.ask('update_member', member_id=member_id, **changes),
                    self.model.update_member, member_id, **changes)

    def do_find_member(self, kind, value):
        self.expect('find_member', self.ask('find_member', identity_kind=kind, identity_value=value),
                    lambda: (self.model.find_member(kind, value),))

    def do_balance_at(self, member_id, at, known_at):
        answer = self.ask('balance_at', member_id=member_id, at=at, known_at=known_at or 'infinity')
        self.expect('balance_at', answer, lambda: (self.model.balance_at(member_id, at, known_at),))

    def do_statement(self, member_id, max_rows):
        """All pages; together they are the statement, each line once."""
        member = self.model.members.get(member_id)
        before, lines = None, []
        while True:
            page = self.database.rows('SELECT * FROM membership.statement(%s, %s, %s)', (member_id, before, max_rows))
            expected = member.statement_page(before, max_rows) if member else []
            same('statement', page, [self.statement_line(*line) for line in expected])
            lines += page
            numbers = [line['entry_no'] for line in page if line['entry_no'] is not None]
            if not numbers:
                break
            before = min(numbers)
        if member:
            same('statement pages', lines, [self.statement_line(*line) for line in reversed(member.statement_lines())])

    # --- merges

    def do_merge(self, member_id, to_member_id, reason):
        """Takes the real clock."""
        before = len(self.model.members[member_id].journal)
        answer = self.ask('merge_members', into_member_id=to_member_id, from_member_id=member_id, reason=reason)
        posted = self.database.state(member_id)['journal'][before:]
        at = parse_instant(posted[-1]['posted_at']) if posted else self.database.clock()
        self.expect('merge_members', answer, self.model.merge, to_member_id, member_id, reason, at)
        self.compare_others(None, *(self.model.aliases.get(number) for number in (member_id, to_member_id)))

    # --- sweeps

    def do_sweep(self, procedure, as_of):
        rows = {member_id: len(member.journal) for member_id, member in self.model.members.items()}
        answer = self.database.row(f'CALL membership.{procedure}(as_of => %s)', (as_of,))
        self.expect(procedure, answer, getattr(self.model, procedure), as_of)
        for member_id, member in self.model.members.items():
            if len(member.journal) > rows[member_id]:
                self.compare_member(member_id)

    # --- configuration

    def do_program(self, name, value):
        self.database.run(f'UPDATE membership.program SET {name} = %s', (value,))
        setattr(self.model.config, name, Fraction(value) if isinstance(value, Decimal) else value)

    def do_merchant(self, merchant_id, changes):
        assigned = ', '.join(f'{name} = %({name})s' for name in changes)
        self.database.run(f'UPDATE membership.merchant SET {assigned} WHERE merchant_id = %(merchant_id)s',
                          dict(changes, merchant_id=merchant_id))
        vars(self.model.merchants[merchant_id]).update(changes)

    def do_tier(self, code, changes):
        tier = next(tier for tier in self.model.tiers.values() if tier.code == code)
        for name, value in changes.items():
            self.database.run(f'UPDATE membership.tier SET {name} = %s WHERE code = %s', (value, code))
            setattr(tier, name, Fraction(value) if isinstance(value, Decimal) else value)

    def do_contract(self, merchant_id, day, collects, commission_rate, issue_price, redemption_price=Decimal(0),
                    commission_refunded=True):
        """From that day on; a contract that starts later or on that day gets the new terms instead."""
        contracts = self.model.merchants[merchant_id].contracts
        last = contracts[-1] if contracts else None
        terms = (collects, commission_rate, issue_price, redemption_price, commission_refunded)
        if last and (day is None or last.valid_from is not None and last.valid_from >= day):
            self.database.run('UPDATE membership.contract SET collects = %s, commission_rate = %s, issue_price = %s,'
                              ' redemption_price = %s, commission_refunded = %s WHERE contract_id = %s',
                              (*terms, last.contract_id))
            last.collects = collects
            last.commission_rate, last.issue_price, last.redemption_price = map(Fraction, terms[1:4])
            last.commission_refunded = commission_refunded
            return
        if last:
            self.database.run('UPDATE membership.contract SET valid_during = daterange(%s, %s) WHERE contract_id = %s',
                              (last.valid_from, day, last.contract_id))
            last.valid_to = day
        contract_id = sum(len(merchant.contracts) for merchant in self.model.merchants.values()) + 1
        self.database.run('INSERT INTO membership.contract VALUES (%s, %s, daterange(%s, NULL), %s, %s, %s, %s, %s)',
                          (contract_id, merchant_id, day, *terms))
        contracts.append(Contract(contract_id, day, None, collects, *map(Fraction, terms[1:4]), commission_refunded))

    # --- earning rules

    def do_rule(self, columns):
        names = ', '.join(columns)
        self.database.run(f'INSERT INTO membership.earn_rule ({names}) VALUES ({placed(columns)})', ranged(columns))
        self.model.rules.insert(**in_fractions(columns))
        self.compare_versions()

    def do_rule_update(self, rule_id, changes, effective_from):
        if rule_id not in self.model.rules.versions:
            return                 # its insert was left out of a shortened list
        given = dict(changes, effective_from=effective_from) if effective_from else changes
        assigned = ', '.join(f'{name} = {placed([name])}' for name in given)
        before = self.database.clock()
        row = self.database.run(f'UPDATE membership.earn_rule SET {assigned} WHERE rule_id = {rule_id}'
                                ' RETURNING effective_from', ranged(given)).fetchone()
        if effective_from is None and not before <= row[0] <= self.database.clock():
            raise Difference(f'effective_from {row[0]} is not the time of the update')
        self.model.rules.update(rule_id, row[0].astimezone(UTC), **in_fractions(changes))
        self.compare_versions()

    def do_refused_rule(self, sqlstate, columns):
        collides = {'MB303': 'stack_group', '23505': 'code'}.get(sqlstate)
        if collides and columns[collides] not in [getattr(versions[-1], collides)
                                                  for versions in self.model.rules.versions.values()]:
            return                 # what it collides with was left out of a shortened list
        names = ', '.join(columns)
        _, refused = self.database.row(
            f'INSERT INTO membership.earn_rule ({names}) VALUES ({placed(columns)}) RETURNING rule_id', columns)
        same(f'rule {columns}', refused, sqlstate)
        self.outcomes['earn_rule', refused] += 1

    def compare_versions(self):
        found = self.database.rows('SELECT rule_id, version, effective_from, definition FROM membership.rule_version'
                                   ' ORDER BY rule_id, version')
        expected = []
        for _, versions in sorted(self.model.rules.versions.items()):
            for rule in versions:
                definition = shown(dict(vars(rule), valid_during=range_text(*rule.valid_during)))
                if rule.effective_from == BEGINNING:
                    definition['effective_from'] = '-infinity'
                expected.append({name: definition[name] for name in ('rule_id', 'version', 'effective_from')}
                                | {'definition': definition})
        same('rule_version', found, expected)

    # --- comparison

    def statement_line(self, event, entry):
        merchant_id = event['merchant_id']
        return shown({
            'journal_no': event['journal_no'], 'entry_no': entry and entry['entry_no'], 'verb': event['verb'],
            'points': entry['points'] if entry else 0,
            'balance_after': entry['balance_after'] if entry else event['balance'],
            'merchant_id': merchant_id, 'merchant': f'shop {merchant_id}' if merchant_id else None,
            'order_ref': event['order_ref'], 'amount': event['amount'],
            'reason': event['reason'] or event['reason_code'] or event['purpose'],
            'counterpart_id': event['counterpart_id'],
            'occurred_at': event['occurred_at'], 'posted_at': event['posted_at']})

    def member_rows(self, member_id, now):
        """What every table and view should show of a member."""
        model, member = self.model, self.model.members[member_id]
        own = {'member_id': member_id}
        wallet = dict(own, wallet_id=1)
        points = dict(own, wallet='points')
        rows = {
            'journal': [dict(event, **own, actor=self.actor, login=self.actor) for event in member.journal],
            'ledger_entry': [dict(entry, **wallet) for entry in member.entries],
            'lot': [dict({name: value for name, value in vars(lot).items() if name not in ('born_dead', 'released_at')},
                         **wallet) for lot in member.lots],
            'hold': [dict({name: value for name, value in vars(hold).items() if name != 'lots'}, **own)
                     for hold in member.holds],
            'hold_lot': [dict(own, hold_no=hold.hold_no, lot_no=lot_no, points=points)
                         for hold in member.holds for lot_no, points in sorted(hold.lots.items())],
            'order_spend': [dict(zip(('merchant_id', 'order_ref', 'journal_no'), spend), **own)
                            for spend in member.order_spends],
            'merchant_split': [dict(split, **own) for split in member.splits],
            'exchange': [dict(row, **own) for row in member.exchanges],
            'refund': [dict(row, **own) for row in member.refunds],
            'rule_failure': [dict(failure, **own) for failure in member.failures],
            'activity_day': [dict(zip(ACTIVITY, row), **own, day=day)
                             for day, row in sorted(member.activity.items())],
            'journal_context': [dict(own, journal_no=number, attributes=attributes)
                                for number, attributes in sorted(member.contexts.items())],
            'source_key': [{'verb': verb, 'ref': ref, 'journal_no': number}
                           for (verb, ref), (number, _) in member.keys.items()],
            'receipt': [{'merchant_id': merchant_id, 'order_ref': ref, 'journal_no': number}
                        for (merchant_id, ref), (owner, number, _) in sorted(
                            model.receipts.items(), key=lambda item: item[1][1]) if owner == member_id],
            'member_identity': [{'kind': kind, 'value': value}
                                for (kind, value), owner in sorted(model.identities.items()) if owner == member_id],
            'tier_history': [dict(zip(('history_no', 'tier_id', 'starts', 'ends', 'cause', 'journal_no'), row))
                             for row in self.history_rows(member)],
            'account': [dict(wallet, balance=member.balance, held=member.held, debt=member.debt,
                             order_spends=-1 if member.status == 'merged' else len(member.order_spends) + sum(
                                 bool(hold.order_ref) for hold in member.holds),
                             next_journal_no=len(member.journal) + 1, next_entry_no=len(member.entries) + 1,
                             last_posted_at=member.last_posted_at)],
            'member': [dict(own, **model.profiles[member_id], **{name: getattr(member, name) for name in (
                'status', 'tier_id', 'tier_since', 'tier_expires_at', 'tier_locked_until', 'enrolled_at')})],
            'member_balance': [dict(points, **model.balance_row(member_id, now))],
            'member_lots': [dict(points, **row) for row in model.lot_rows(member_id, now)],
            'member_holds': [dict(own, **row) for row in model.hold_rows(member_id, now)],
            'expiring_soon': [dict(own, **row) for row in model.expiring_rows(member_id, now)],
            'member_tier_progress': [dict(own, **model.progress_row(member_id, now))],
        }
        if member.status == 'merged':
            rows |= {'member_balance': [], 'member_tier_progress': []}
        rows = shown(rows)
        rows['member_statement'] = [
            dict(self.statement_line(event, entry), member_id=member_id, last_entry_no=event['last_entry_no'],
                 refers_to=event['refers_to'])
            for event, entry in member.statement_lines()]
        return rows

    @staticmethod
    def history_rows(member):
        """A tier held for no time at all is an empty range."""
        for number, (tier_id, start, end, cause, journal_no) in enumerate(member.history, 1):
            yield (number, tier_id, *((None, None) if start == end else (start, end)), cause, journal_no)

    def compare_member(self, member_id):
        state = self.database.state(member_id)
        account = state['account'][0]
        next_expiry = account.pop('next_expiry')
        expected = self.member_rows(member_id, state.pop('now').astimezone(UTC))
        for event in state['journal']:
            self.drop_reasons(event['rules'] or {}, f'member {member_id}, journal {event["journal_no"]}')
        state['journal_context'] = [row for row in state['journal_context'] if row['attributes']]    # others have facts alone
        for table in expected:
            same(f'member {member_id}, {table}', state[table], expected[table])
        ends = [lot.expires_at for lot in self.model.members[member_id].lots if lot.expires_at is not None]
        if ends and (next_expiry is None or parse_instant(next_expiry) > min(ends)):
            raise Difference(f'member {member_id}: next_expiry {next_expiry} is later than {min(ends)}')

    def compare_everyone(self):
        for member_id in self.model.members:
            self.compare_member(member_id)
        refs = [{'kind': kind, 'value': value, 'merchant_id': receipt[0], 'order_ref': receipt[1]}
                for (kind, value), receipt in sorted(self.model.receipt_refs.items())]
        self.compare_rules()
        same('receipt_ref', self.database.rows(
            'SELECT * FROM membership.receipt_ref ORDER BY kind COLLATE "C", value COLLATE "C"'), refs)
        self.compare_unsettled()
        self.compare_redemptions()
        self.compare_claims()
        for name in ('member', 'receipt', 'member_identity'):
            same(f'count of {name}', self.database.run(f'SELECT count(*) FROM membership.{name}').fetchone()[0],
                 len({'member': self.model.members, 'receipt': [*self.model.receipts, *self.model.parked()],
                      'member_identity': self.model.identities}[name]))
        same('verify()', self.database.rows('SELECT * FROM membership.verify()'), [])

    def compare_rules(self):
        """What each rule gave, and how often its condition failed, over all members."""
        given, failed = {}, {}
        for member in self.model.members.values():
            approved = {event['refers_to'] for event in member.journal if event['reason_code'] == 'approved'}
            mended = {event['refers_to'] for event in member.journal if event['verb'] in ('correction', 'reassignment')}
            for event in member.journal:
                if event['journal_no'] not in mended and (
                        event['status'] in ('posted', 'pending') or event['journal_no'] in approved):
                    for told in (event['rules'] or {'rules': ()})['rules']:
                        if told['outcome'] == 'applied':
                            given.setdefault(told['rule_id'], []).append(
                                (member.member_id, event['journal_no'], event['day'], told))
            for failure in member.failures:
                key = tuple(failure[name] for name in ('rule_id', 'version', 'sqlstate', 'message'))
                failed.setdefault(key, []).append(member.event(failure['journal_no'])['posted_at'])
        same('rule_effect', self.database.rows('SELECT * FROM membership.rule_effect ORDER BY rule_id'),
             [shown(self.effect_row(versions[-1], given.get(rule_id, [])))
              for rule_id, versions in sorted(self.model.rules.versions.items())])
        same('rule_error', self.database.rows('SELECT * FROM membership.rule_error'
                                              ' ORDER BY rule_id, version, sqlstate, message COLLATE "C"'),
             [shown({'rule_id': rule_id, 'code': self.model.rules.versions[rule_id][-1].code, 'version': version,
                     'sqlstate': sqlstate, 'message': message, 'failures': len(times), 'last_at': max(times)})
              for (rule_id, version, sqlstate, message), times in sorted(failed.items())])

    @staticmethod
    def effect_row(rule, given):
        days = [told_on for *_, told_on, _ in given]
        return {'rule_id': rule.rule_id, 'code': rule.code, 'name': rule.name, 'status': rule.status,
                'purchases': len({(member_id, number) for member_id, number, *_ in given}), 'members': len({member_id for member_id, *_ in given}),
                'points': sum(told.get('points', 0) for *_, told in given),
                'growth': sum(told.get('growth', 0) for *_, told in given),
                'first_day': min(days, default=None), 'last_day': max(days, default=None)}

    def compare_unsettled(self):
        owed = {}
        for member in self.model.members.values():
            for split in member.splits:
                key = (split['merchant_id'], split['kind'], split['payer_party_id'], split['payee_party_id'])
                row = owed.setdefault(key, {'splits': 0, 'amount': Fraction(0), 'points': 0})
                row['splits'] += 1
                row['amount'] += split['amount']
                row['points'] += split['points'] or 0
        names = ('merchant_id', 'kind', 'payer_party_id', 'payee_party_id')
        same('merchant_unsettled',
             self.database.rows('SELECT * FROM membership.merchant_unsettled ORDER BY merchant_id, kind,'
                                ' payer_party_id, payee_party_id'),
             [shown(dict(zip(names, key), merchant=f'shop {key[0]}', **row)) for key, row in sorted(owed.items())])

    def compare_redemptions(self):
        """By the day of the redemption; what was given back counts as never redeemed."""
        days = {}
        for member in self.model.members.values():
            undone = {event['refers_to'] for event in member.journal if event['verb'] == 'reversal'}
            for event in member.journal:
                if event['verb'] in ('redemption', 'capture'):
                    key = (event['day'], event['purpose'], event['merchant_id'] or 0)
                    row = days.setdefault(key, [0, 0, Fraction(0)])
                    if event['journal_no'] not in undone:
                        row[:] = [row[0] + 1, row[1] - event['points'], row[2] + event['amount']]
        same('redemption_daily', self.database.rows(
            'SELECT * FROM membership.redemption_daily ORDER BY day, purpose COLLATE "C", coalesce(merchant_id, 0)'),
             [shown(dict(zip(('day', 'purpose', 'merchant_id', 'redemptions', 'points', 'cash_value'),
                             (day, purpose, merchant_id or None, *row))))
              for (day, purpose, merchant_id), row in sorted(days.items())])

    def compare_claims(self):
        """Every refund_ref that was used, and what the views make of these and of losses."""
        claims = [(dict(zip(('merchant_id', 'order_ref', 'refund_ref'), (*key, ref))), claim)
                  for key, refs in sorted(self.model.claims.items()) for ref, claim in sorted(refs.items())]
        same('refund_claim', self.database.rows(
            'SELECT merchant_id, order_ref, refund_ref, member_id, journal_no, parked_at IS NOT NULL AS parked_at, excess, clipped'
            ' FROM membership.refund_claim'
            ' ORDER BY merchant_id, order_ref COLLATE "C", refund_ref COLLATE "C"'), shown([
                dict(key, member_id=claim.member_id or 0, journal_no=claim.result and claim.result['journal_no'],
                     parked_at=claim.parked_at is not None, excess=claim.excess, clipped=claim.clipped) for key, claim in claims]))
        same('refund_exception', self.database.rows(
            'SELECT merchant_id, order_ref, refund_ref, status, amount, excess, member_id, journal_no FROM membership.refund_exception'
            ' ORDER BY merchant_id, order_ref COLLATE "C", refund_ref COLLATE "C"'), shown([
                dict(key, status='parked' if claim.excess is None else 'exceeds_sale', member_id=claim.member_id,
                     amount=claim.request['amount'], excess=claim.excess,
                     journal_no=claim.result and claim.result['journal_no'])
                for key, claim in claims if claim.parked_at and (claim.excess is None or claim.clipped)]))
        same('clawback_loss', self.database.rows(
            'SELECT * FROM membership.clawback_loss ORDER BY member_id, journal_no'), shown([
                {'member_id': member_id, 'points': row['loss'], 'cash_shortfall': row['cash_shortfall'], **{
                    name: member.event(row['journal_no'])[name] for name in (
                        'journal_no', 'merchant_id', 'order_ref', 'posted_at')}}
                for member_id, member in sorted(self.model.members.items()) for row in member.refunds if row['loss']]))

    @property
    def actor(self):
        return self.database.connection.info.user
