"""What sales and refunds do to a customer's points, worked out from doc/refunds.md alone, for a programme of the default
settings but for the expiry: 1 point per 1.00, tiers by the spend of rolling 12 months that never fall, points that die after
the day 6 months later, clawback without limit. Amounts are pence."""
from bisect import insort
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta

MONTHS = 6    # that points live

# multiplier in tenths, from that spend in pence
TIERS = [(10, 0), (12, 500_000), (15, 2_000_000), (20, 5_000_000)]


def half_up(numerator, denominator):
    return (2 * numerator + denominator) // (2 * denominator)


def award(nets, tenths):
    """Whole points of each line: the order's sum is rounded down once; each line's exact value is cut off, and what that lacks
    goes to the largest remainders, ties to the lower line."""
    exact = [net * tenths for net in nets]    # in thousandths of a point
    points = [value // 1000 for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: (-(exact[i] % 1000), i))
    for i in by_remainder[:sum(exact) // 1000 - sum(points)]:
        points[i] += 1
    return points


def months(day, n):
    """n months later or earlier; a day that the month does not have is its last."""
    year, month = divmod(day.year * 12 + day.month - 1 + n, 12)
    for last in range(day.day, 27, -1):
        try:
            return date(year, month + 1, last)
        except ValueError:
            pass
    return date(year, month + 1, day.day)


@dataclass
class Order:
    day: date
    quantities: list
    nets: list
    awards: list      # points of each line
    returned: list    # pence of each line
    units: list       # quantity returned of each line
    lot: list         # the lot of its award
    counted: int = 0  # of its points that expired, those that refunds have counted off


@dataclass
class Outcome:
    amount: int
    clawed: int
    expired: int
    debt: int
    balance: int


class Customer:
    def __init__(self):
        self.orders = {}
        self.lots = []        # [dies, number, points left, expired], by expiry
        self.debt = 0
        self.tier = 0
        self.spend = defaultdict(int)    # pence of each day

    @property
    def balance(self):
        return sum(lot[2] for lot in self.lots) - self.debt

    def settle(self, at):
        for lot in self.lots:
            if lot[0] <= at:
                lot[3], lot[2] = lot[3] + lot[2], 0

    def sell(self, sale):
        """The points of a sale."""
        self.settle(sale.at)
        day = sale.at.date()
        awards = award(sale.nets, TIERS[self.tier][0])
        points = sum(awards)
        paid = min(points, self.debt)
        lot = [datetime.combine(months(day, MONTHS) + timedelta(days=1), datetime.min.time()), len(self.orders), points - paid, 0]
        insort(self.lots, lot)
        self.debt -= paid
        self.spend[day] += sale.amount
        window = sum(amount for when, amount in self.spend.items() if when > months(day, -12))
        self.tier = max(self.tier, max(i for i, (_, least) in enumerate(TIERS) if window >= least))
        nothing = [0] * len(sale.nets)
        self.orders[sale.order_ref] = Order(day, sale.quantities, sale.nets, awards, nothing.copy(), nothing.copy(), lot)
        return points

    def spend_hundreds(self, at):
        """The points that buy vouchers: all whole hundreds there are."""
        alive = sum(lot[2] for lot in self.lots if lot[0] > at)
        points = max(alive - self.debt, 0) // 100 * 100
        if points == 0:
            return 0
        self.settle(at)
        left = points
        for lot in self.lots:
            part = min(left, lot[2])
            lot[2] -= part
            left -= part
        return points

    def give_back(self, refund):
        self.settle(refund.at)
        order = self.orders[refund.order_ref]
        amount = points = 0
        for no, quantity in refund.goods.items():
            i = no - 1
            before = order.returned[i]
            order.units[i] += quantity
            order.returned[i] = half_up(order.nets[i] * order.units[i], order.quantities[i])
            amount += order.returned[i] - before
            if order.nets[i] > 0:
                points += half_up(order.awards[i] * order.returned[i], order.nets[i]) - half_up(order.awards[i] * before, order.nets[i])
        self.spend[order.day] -= amount
        expired = min(points, order.lot[3] - order.counted)
        order.counted += expired
        debt = self.take(points - expired, order.lot)
        return Outcome(amount, points - expired, expired, debt, self.balance)

    def take(self, points, first):
        """From a lot, then from the others by expiry; what is left is debt, and returned."""
        for lot in [first] + self.lots:
            part = min(points, lot[2])
            lot[2] -= part
            points -= part
        self.debt += points
        return points
