"""The real sales and returns, line by line, and which sale each return takes its goods from.

The file does not say what a returned article was bought with. The rule: a return line takes from the latest earlier purchase
of the same customer with the same stock code that has quantity left (in it, from the last such line), then from the one
before, and so on. Goods come back at the price they were sold for. What is left of the quantity then was never bought, as
far as the file knows: its value at the return line's own price is refunded on an order that does not exist.
"""
import csv
import gzip
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

PENCE = Decimal('0.01')


def pence(amount):
    """Pounds as pence, rounded half up."""
    return int((amount.quantize(PENCE, ROUND_HALF_UP) * 100).to_integral_exact())


def pounds(amount):
    return f'{amount // 100}.{amount % 100:02}'


def array(elements):
    return f'[{", ".join(elements)}]'


@dataclass
class Invoice:
    number: str
    customer: str
    country: str
    at: datetime    # London wall clock; the earliest of its lines
    is_return: bool
    lines: list = field(default_factory=list)    # (stock code, quantity, unit price)


@dataclass
class Sale:
    customer: str
    order_ref: str
    channel: str
    at: datetime
    quantities: list
    nets: list    # pence

    @property
    def amount(self):
        return sum(self.nets)

    @property
    def lines(self):
        return array(f'{{"line_no": {no}, "quantity": {quantity}, "amount": {pounds(net)}}}'
                     for no, (quantity, net) in enumerate(zip(self.quantities, self.nets), 1))


@dataclass
class Refund:
    customer: str
    order_ref: str
    refund_ref: str    # the return's invoice
    at: datetime
    goods: dict        # line_no -> quantity; empty = of no known sale
    amount: int = None    # pence, where there are no goods

    @property
    def lines(self):
        if not self.goods:
            return None
        return array(f'{{"line_no": {no}, "quantity": {quantity}}}' for no, quantity in sorted(self.goods.items()))


@dataclass
class Spending:
    customer: str
    ref: str
    at: datetime
    points: int


def read_invoices(path, wanted):
    """In the order of time; those of one minute in the order of their numbers."""
    invoices = {}
    with gzip.open(path, 'rt', encoding='utf-8', newline='') as file:
        for row in csv.DictReader(file):
            if not wanted(row['customer_id']):
                continue
            at = datetime.fromisoformat(row['occurred_at'])
            invoice = invoices.setdefault(row['invoice'], Invoice(
                row['invoice'], row['customer_id'], row['country'], at, row['is_return'] == '1'))
            invoice.at = min(invoice.at, at)
            invoice.lines.append((row['stock_code'], abs(int(row['quantity'])), Decimal(row['unit_price'])))
    return sorted(invoices.values(), key=lambda invoice: (invoice.at, invoice.number))


def match(invoices):
    """Sales and refunds in the order of time."""
    stocks = defaultdict(list)    # (customer, stock code) -> [order_ref, line_no, quantity left], the latest last
    events = []
    for invoice in invoices:
        if invoice.is_return:
            events.extend(refunds_of(invoice, stocks))
        else:
            events.append(sale_of(invoice))
            for no, (code, quantity, _) in enumerate(invoice.lines, 1):
                stocks[invoice.customer, code].append([invoice.number, no, quantity])
    return events


def sale_of(invoice):
    return Sale(invoice.customer, invoice.number, invoice.country, invoice.at,
                [quantity for _, quantity, _ in invoice.lines],
                [pence(quantity * price) for _, quantity, price in invoice.lines])


def refunds_of(invoice, stocks):
    """A refund for each sale that it takes from, and one for what it takes from none."""
    orders = {}
    unknown = 0
    for code, quantity, price in invoice.lines:
        stock = stocks[invoice.customer, code]
        while quantity > 0 and stock:
            order_ref, no, left = stock[-1]
            taken = min(quantity, left)
            goods = orders.setdefault(order_ref, {})
            goods[no] = goods.get(no, 0) + taken
            stock[-1][2] -= taken
            if stock[-1][2] == 0:
                stock.pop()
            quantity -= taken
        unknown += pence(quantity * price)
    refunds = [Refund(invoice.customer, order_ref, invoice.number, invoice.at, goods) for order_ref, goods in orders.items()]
    if unknown > 0:
        refunds.append(Refund(invoice.customer, f'unknown {invoice.number}', invoice.number, invoice.at, {}, unknown))
    return refunds
