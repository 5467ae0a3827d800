"""Exact arithmetic: money, rates and points are Fractions and ints; Decimals only cross the border."""
from decimal import Decimal, localcontext
from fractions import Fraction
from math import ceil, floor

ROUNDINGS = {
    'floor': floor,
    'ceiling': ceil,
    'half_up': lambda value: floor(value + Fraction(1, 2)),
}


def to_minor_unit(amount, digits):
    """Money is rounded half up to the currency's minor unit."""
    return Fraction(ROUNDINGS['half_up'](amount * 10**digits), 10**digits)


def to_decimal(value):
    """A Fraction of finite decimals, as the database shows it."""
    with localcontext() as context:
        context.prec = 60
        return Decimal(value.numerator) / Decimal(value.denominator)


def spread(total, exact):
    """Whole points of each line: its exact value cut off, the rest by largest remainder, ties to the earlier one."""
    shares = [floor(value) for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: (shares[i] - exact[i], i))
    for i in by_remainder[:total - sum(shares)]:
        shares[i] += 1
    return shares
