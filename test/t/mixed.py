#!/usr/bin/python3 -B
"""One of several clients of 067_mixed.pl: for a while it calls everything at random, and writes down what it was told.

    mixed.py work CLIENT CLIENTS SEED SECONDS START     a line of JSON per answer on stdout
    mixed.py repeat LOG                                 the answered calls of a log again, likewise

A call goes on until it is answered: after 40001, 40P01 and a lost connection it is made again. What an order, a redemption
or a hold is follows from seed, client and number alone, so a neighbour can refund, reverse, capture or void it, too, at
about the same time, before it is there or after. The server is found by the libpq environment variables.
"""
import json
import random
import sys
import time
from datetime import datetime, timedelta

import psycopg

MEMBERS = 60
PAIRS = 30                  # members 1 and 31 to 30 and 60 are the same person, and may get merged
ERASABLE = (30, 59, 60)
RETRIED = ('40001', '40P01', '57P01', '57P02', '57P03')
PATIENCE = 120              # seconds without an answer after which a client gives up
BATCH = 6
PARTS = {'R-1': {'refund_ref': 'R-1', 'amount': 1}, 'R-2': {'refund_ref': 'R-2', 'lines': '[{"line_no": 1, "quantity": 1}]'},
         'R-3': {'refund_ref': 'R-3'}}

ACCRUE = """SELECT to_jsonb(r) FROM jsonb_populate_record(NULL::membership.purchase, %(purchase)s) p,
    membership.accrue_points(p.member_id, p.merchant_id, p.amount, p.order_ref, p.occurred_at, 'pos', p.lines, p.tenders,
                             coalesce(p.attributes, '{}'), NULL, p.exchange_of) r"""
ACCRUE_BATCH = """SELECT jsonb_agg(to_jsonb(r) ORDER BY row_no) FROM membership.accrue_batch(ARRAY(
    SELECT jsonb_populate_recordset(NULL::membership.purchase, %(purchases)s))) r"""
RECEIPT = 'SELECT to_jsonb(r) FROM membership.receipt r WHERE merchant_id = %(merchant_id)s AND order_ref = %(order_ref)s'
TEXTS = {'accrue_points': ACCRUE, 'accrue_batch': ACCRUE_BATCH, 'receipt': RECEIPT}
# whose result is void, or a procedure's
UNTOLD = ('review_accrual', 'merge_members', 'erase_member')
PROCEDURES = ('announce_expiry', 'prune_context')


def statement(function, arguments):
    """SQL of a call; its answer is one value."""
    if function in TEXTS:
        return TEXTS[function]
    call = f'membership.{function}({", ".join(f"{name} => %({name})s" for name in arguments)})'
    if function in PROCEDURES:
        return f'CALL {call}'
    return f"SELECT {'NULL' if function in UNTOLD else 'to_jsonb(r)'} FROM {call} r"


class Connection:
    """Calls that come back answered, or refused."""

    def __init__(self):
        self.session = None

    def call(self, function, arguments):
        """The answer or SQLSTATE, and whether a connection was lost meanwhile."""
        text, lost, patience = statement(function, arguments), False, time.monotonic() + PATIENCE
        while True:
            try:
                if self.session is None:
                    self.session = psycopg.connect(autocommit=True)
                return self.session.execute(text, arguments).fetchone()[0], None, lost
            except psycopg.Error as error:
                gone = self.session is None or self.session.closed
                if not gone and error.sqlstate not in RETRIED:
                    return None, error.sqlstate, lost
                if time.monotonic() > patience:
                    raise
                if gone:
                    lost, self.session = lost or self.session is not None, None
                    time.sleep(0.05)


def write(key, function, arguments, answer, sqlstate, lost):
    print(json.dumps({'key': key, 'function': function, 'arguments': arguments, 'answer': answer, 'sqlstate': sqlstate,
                      'lost': lost}), flush=True)


class Shop:
    """What things are, by client and number."""

    def __init__(self, seed, start):
        self.seed = seed
        self.start = start

    def draw(self, what, client, number):
        return random.Random(f'{self.seed} {what} {client} {number}')

    def order(self, client, number):
        """A purchase of two lines; some of last month, some paid with points."""
        draw = self.draw('order', client, number)
        food, rest = draw.randint(0, 60), draw.randint(1, 60)
        order = {'member_id': draw.randint(1, MEMBERS), 'merchant_id': draw.randint(1, 2), 'amount': food + rest,
                 'order_ref': f'O-{client}-{number}',
                 'lines': [{'line_no': 1, 'amount': food, 'quantity': 2, 'category': 'food'}, {'line_no': 2, 'amount': rest, 'merchant_id': 2}]}
        chance = draw.random()
        if chance < 0.08:
            order['occurred_at'] = str(self.start - timedelta(days=40))
        elif chance < 0.18:
            order['tenders'] = [{'kind': 'points', 'points': 10}]
        if draw.random() < 0.3:
            order['attributes'] = {'till': number % 9}
        return order

    def redemption(self, client, number):
        draw = self.draw('redemption', client, number)
        return {'member_id': draw.randint(1, MEMBERS), 'points': 10 * draw.randint(1, 5), 'ref': f'S-{client}-{number}'}

    def hold(self, client, number):
        draw = self.draw('hold', client, number)
        return {'member_id': draw.randint(1, MEMBERS), 'points': 10 * draw.randint(1, 5), 'ref': f'H-{client}-{number}',
                'ttl': draw.choice(('2 seconds', '2 seconds', '15 minutes', None))}


class Client:
    """Draws what to do next; `at` counts what it has posted of each kind."""

    def __init__(self, client, clients, seed, start):
        self.client, self.neighbour = client, client % clients + 1
        self.random = random.Random(f'{seed} client {client}')
        self.shop = Shop(seed, start)
        self.at = dict.fromkeys(('order', 'redemption', 'hold', 'other'), 0)
        self.reviews, self.clean = [], []
        self.connection = Connection()

    def work(self, seconds):
        verbs = {self.sell: 16, self.sell_batch: 3, self.prepay: 4, self.redeem: 10, self.authorize: 10, self.settle_hold: 12,
                 self.reverse: 5, self.refund: 16, self.exchange: 2, self.correct: 2, self.reassign: 2, self.transfer: 5,
                 self.grant: 6, self.adjust: 3, self.review: 3, self.merge: 1, self.erase: 0.3, self.announce: 0.4, self.prune: 0.3}
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.random.choices(list(verbs), verbs.values())[0]()

    def call(self, key, function, arguments):
        answer, sqlstate, lost = self.connection.call(function, arguments)
        write(key, function, arguments, answer, sqlstate, lost)
        return answer

    def next(self, what):
        self.at[what] += 1
        return self.client, self.at[what]

    def somewhere(self, what):
        """Whose and which: the client's own or its neighbour's, done lately or to come soon."""
        return self.random.choice((self.client, self.neighbour)), max(1, self.at[what] - self.random.randint(-2, 12))

    def ref(self, letter):
        client, number = self.next('other')
        return f'{letter}-{client}-{number}'

    # --- orders

    def sell(self):
        self.post(self.shop.order(*self.next('order')))

    def post(self, order):
        self.sold(order, self.call(order['order_ref'], 'accrue_points', {'purchase': json.dumps(order)}))

    def sold(self, order, answer):
        if answer is not None and answer['status'] == 'review':
            self.reviews.append(order)
        elif answer is not None:
            self.clean.append(order)

    def sell_batch(self):
        """Every row is written down as a call of its own, so that it is repeated by itself."""
        orders = [self.shop.order(*self.next('order')) for _ in range(BATCH)]
        answers, sqlstate, lost = self.connection.call('accrue_batch', {'purchases': json.dumps(orders)})
        for n, order in enumerate(orders):
            answer = answers[n] if answers else {'sqlstate': sqlstate}
            state = answer.pop('sqlstate')
            answer = None if state else {name: answer[name] for name in answer if name not in ('row_no', 'message')}
            write(order['order_ref'], 'accrue_points', {'purchase': json.dumps(order)}, answer, state, lost)
            self.sold(order, answer)

    def prepay(self):
        """Points redeemed for an order, then the order, which makes them its tender."""
        order = self.shop.order(*self.next('order'))
        ref = f"P-{order['order_ref']}"
        self.call(ref, 'redeem_points', {'member_id': order['member_id'], 'points': 10, 'ref': ref, 'merchant_id': order['merchant_id'],
                                         'order_ref': order['order_ref'], 'order_amount': order['amount']})
        self.post(order)

    def refund(self):
        """A part of an order, often twice at once."""
        order = self.shop.order(*self.somewhere('order'))
        ref = self.random.choice(list(PARTS))
        for _ in range(self.random.choice((1, 2))):
            self.call(f"{order['order_ref']} {ref}", 'refund_order', {
                'merchant_id': order['merchant_id'], 'order_ref': order['order_ref'], **PARTS[ref]})

    def exchange(self):
        """The first line of an order comes back, the next one of the shop is had for it."""
        new = self.shop.order(*self.next('order'))
        for old in [old for old in self.clean[-10:] if old['merchant_id'] == new['merchant_id']][-1:]:
            self.call(f"{old['order_ref']} R-2", 'refund_order', {
                'merchant_id': old['merchant_id'], 'order_ref': old['order_ref'], **PARTS['R-2']})
            new = {**new, 'member_id': old['member_id'], 'exchange_of': old['order_ref']}
        self.post(new)

    def correct(self):
        if self.clean:
            order = self.clean.pop()
            self.call(f"C-{order['order_ref']}", 'correct_purchase', {
                'merchant_id': order['merchant_id'], 'order_ref': order['order_ref'], 'amount': order['amount'] + 1, 'lines': None,
                'correction_ref': 'C', 'reason': 'mis-rung'})

    def reassign(self):
        if self.clean:
            order = self.clean.pop()
            self.call(f"M-{order['order_ref']}", 'reassign_purchase', {
                'merchant_id': order['merchant_id'], 'order_ref': order['order_ref'], 'to_member_id': self.random.randint(1, MEMBERS),
                'reason': 'wrong card'})

    def review(self):
        """By the numbers of the receipt: since a merge the purchase may be in another journal than the order's member's."""
        if self.reviews:
            order = self.reviews.pop(0)
            receipt = self.call(None, 'receipt', {'merchant_id': order['merchant_id'], 'order_ref': order['order_ref']})
            self.call(f"V-{order['order_ref']}", 'review_accrual', {
                'member_id': receipt['member_id'], 'journal_no': receipt['journal_no'],
                'decision': self.random.choice(('approve', 'reject')), 'reason': 'checked'})

    # --- spending

    def redeem(self):
        arguments = self.shop.redemption(*self.next('redemption'))
        self.call(arguments['ref'], 'redeem_points', arguments)

    def reverse(self):
        redemption = self.shop.redemption(*self.somewhere('redemption'))
        self.call(f"reversal of {redemption['ref']}", 'reverse_redemption', {
            'member_id': redemption['member_id'], 'ref': redemption['ref'], 'reason': 'wrong'})

    def authorize(self):
        arguments = self.shop.hold(*self.next('hold'))
        self.call(arguments['ref'], 'authorize_points', arguments)

    def settle_hold(self):
        hold = self.shop.hold(*self.somewhere('hold'))
        arguments = {'member_id': hold['member_id'], 'ref': hold['ref']}
        if self.random.random() < 0.3:
            self.call(f"void of {hold['ref']}", 'void_points', arguments)
        else:
            self.call(f"capture of {hold['ref']}", 'capture_points', {**arguments, 'points': 10})

    def transfer(self):
        sender, receiver = self.random.sample(range(1, MEMBERS + 1), 2)
        ref = self.ref('T')
        self.call(ref, 'transfer_points', {'from_member_id': sender, 'to_member_id': receiver, 'points': self.random.randint(1, 50), 'ref': ref})

    # --- operators

    def grant(self):
        """Some die soon."""
        life = self.random.choice((4, 8, None))
        ref = self.ref('G')
        self.call(ref, 'grant_points', {
            'member_id': self.random.randint(1, MEMBERS), 'points': self.random.randint(1, 200), 'reason': 'gift', 'ref': ref,
            'expires_at': life and str(datetime.now().astimezone() + timedelta(seconds=life))})

    def adjust(self):
        ref = self.ref('A')
        self.call(ref, 'adjust_points', {'member_id': self.random.randint(1, MEMBERS), 'points': self.random.choice((-30, 20)), 'reason': 'mistake', 'ref': ref})

    def merge(self):
        member = self.random.randint(1, PAIRS)
        self.call(f'merge {member + PAIRS}', 'merge_members', {'into_member_id': member, 'from_member_id': member + PAIRS, 'reason': 'two cards'})

    def erase(self):
        member = self.random.choice(ERASABLE)
        self.call(f'erase {member}', 'erase_member', {'member_id': member, 'reason': 'asked for it'})

    def announce(self):
        self.call(None, 'announce_expiry', {'lead': '30 days', 'batch_size': 20})

    def prune(self):
        self.call(None, 'prune_context', {'older_than': '1 second', 'batch_size': 20})


def repeat(log):
    """Every call that was answered, again; the sweeps are no such calls."""
    connection = Connection()
    with open(log, encoding='utf-8') as lines:
        for record in map(json.loads, lines):
            if record['sqlstate'] is None and record['key'] is not None:
                write(record['key'], record['function'], record['arguments'], *connection.call(record['function'], record['arguments']))


def main(task, *arguments):
    if task == 'repeat':
        return repeat(arguments[0])
    client, clients, seed, seconds, start = arguments
    return Client(int(client), int(clients), seed, datetime.fromisoformat(start)).work(float(seconds))


if __name__ == '__main__':
    main(*sys.argv[1:])
