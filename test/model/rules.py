"""Earning rules as doc/rules.md describes them: versions, who matches, who is beaten, parts, growth, outcomes.

A place is a line's number, or ORDER: what order rules match, and where an order's bonus is won.
"""
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from itertools import chain
from math import floor
from operator import attrgetter

from money import ROUNDINGS, spread

ORDER = None
BEGINNING = datetime.min.replace(tzinfo=UTC)
FILTERS = {'mall_ids': 'mall_id', 'merchant_ids': 'merchant_id', 'brands': 'brand', 'categories': 'category',
           'channels': 'channel', 'tiers': 'tier'}


@dataclass(frozen=True, eq=False)
class Rule:
    rule_id: int
    code: str
    name: str
    effect: str
    value: Fraction
    status: str = 'draft'
    scope: str = 'order'
    stack_group: str | None = None
    priority: int = 0
    exclusive: bool = False
    valid_during: tuple = (None, None)   # local times, the first one without end; None = open
    mall_ids: list | None = None
    merchant_ids: list | None = None
    brands: list | None = None
    categories: list | None = None
    channels: list | None = None
    tiers: list | None = None
    condition: str | None = None
    refund_mode: str = 'proportional'
    expiry: str | None = None
    pending_days: int | None = None
    funder_party_id: int | None = None
    version: int = 1
    effective_from: datetime = BEGINNING

    @property
    def group(self):
        """Rates of all groups compete as if they were one."""
        return ('rate',) if self.effect == 'rate' else self.stack_group or self.rule_id

    @property
    def unit(self):
        return 'growth' if self.effect == 'growth' else 'points'


def admits(rule, context):
    """By window and filters, of earning and of burn rules."""
    start, end = rule.valid_during
    return ((start is None or start <= context['occurred_at']) and (end is None or context['occurred_at'] < end)
            and all(getattr(rule, name, None) is None or context[column] in getattr(rule, name)
                    for name, column in FILTERS.items()))


class RuleBook:
    """Every version of every rule."""

    def __init__(self):
        self.versions = {}

    def insert(self, **columns):
        rule = Rule(**columns)
        self.versions[rule.rule_id] = [rule]

    def update(self, rule_id, effective_from, **columns):
        newest = self.versions[rule_id][-1]
        self.versions[rule_id].append(replace(newest, **columns, version=newest.version + 1,
                                              effective_from=effective_from))

    def in_force(self, instant):
        """Of each rule the highest version that had begun, if it is one to look at."""
        for _, versions in sorted(self.versions.items()):
            begun = [rule for rule in versions if rule.effective_from <= instant]
            if begun and begun[-1].status in ('active', 'shadow'):
                yield begun[-1]


# --- who matches -------------------------------------------------------------------------------------------------

@dataclass
class Failure:
    sqlstate: str
    message: str


def match(rules, contexts, evaluate):
    """The places where each rule matches, or how its condition failed at the first place where it did.

    contexts: place -> what a condition can use there; evaluate answers a list of conditions in one context.
    """
    matched = {rule: [] for rule in rules}
    for place, context in contexts.items():
        asked = [rule for rule in matched if (rule.scope == 'order') == (place is ORDER) and admits(rule, context)]
        answers = evaluate([rule.condition or 'true' for rule in asked], context) if asked else ()
        for rule, answer in zip(asked, answers):
            if isinstance(matched[rule], Failure):
                continue
            if isinstance(answer, Failure):
                matched[rule] = answer
            elif answer:
                matched[rule].append(place)
    return matched


# --- who counts --------------------------------------------------------------------------------------------------

def by_priority(rule):
    return -rule.priority, rule.rule_id


def by_value(rule):
    return -rule.value, *by_priority(rule)


def contest(rules):
    """Who counts of the rules that meet at one place, by number; and who else is beaten by whom."""
    winner_of = {}

    def best(rivals, key):
        first = min(rivals, key=key)
        winner_of.update((rule, first) for rule in rivals if rule is not first)
        return first

    exclusive = [rule for rule in rules if rule.exclusive]
    if exclusive:
        alone = min(exclusive, key=by_priority)
        winner_of.update((rule, alone) for rule in rules if rule is not alone)
        rules = [alone]
    groups = {}
    for rule in rules:
        groups.setdefault(rule.group, []).append(rule)
    counting = [best(rivals, by_value) for rivals in groups.values()]
    return sorted(counting, key=lambda rule: rule.rule_id), winner_of


# --- what they give ----------------------------------------------------------------------------------------------

@dataclass
class Terms:
    base_rate: Fraction
    tier_multiplier: Fraction
    award_rounding: str
    stacking: str


def twelve_decimals(value):
    return Fraction(ROUNDINGS['half_up'](value * 10**12), 10**12)


class Earned:
    """Points and growth of each line, in parts."""

    def line_points(self, line_no):
        return sum(points for _, points in self.points[line_no])

    @property
    def total(self):
        return sum(map(self.line_points, self.points))

    @property
    def total_growth(self):
        return sum(value for parts in self.growth.values() for _, value in parts)


class Exchanged(Earned):
    """Parts of an order, each awarded by itself: as bought before, and as bought now."""

    def __init__(self, lines, parts, amount, terms):
        self.lines = lines
        self.amount = amount       # as bought before
        self.terms = terms         # of what was bought now
        self.points, self.growth = ({line.line_no: self._joined(unit(award)[line.line_no] for award in parts)
                                     for line in lines} for unit in (attrgetter('points'), attrgetter('growth')))
        self.base_points = sum(award.base_points for award in parts)

    @staticmethod
    def _joined(parts):
        """Base and tier first."""
        return sorted(chain(*parts), key=lambda part: part[0] is not None)


class Award(Earned):
    """What an order, or a part of it, earns when these rules match: rule -> places."""

    def __init__(self, lines, matched, terms, whole=None):
        self.lines = lines
        self.terms = terms
        self.whole = whole         # the order that this is a part of
        self.eligible = [line for line in lines if line.eligible]
        self.points = {line.line_no: [] for line in lines}     # line_no -> [(rule, points)], rule None = base and tier
        self.growth = {line.line_no: [] for line in lines}
        self.exact_base = Fraction(0)
        self.exact = Counter()                                 # rule -> what it is worth before rounding
        self.winners = {}                                      # place -> {beaten rule: winner}
        self.growth_winners = {}
        earning = {rule: places for rule, places in matched.items() if rule.effect != 'growth'}
        growing = {rule: places for rule, places in matched.items() if rule.effect == 'growth'}
        counting = self._contests(earning, self.winners)
        self._share(self.points, {line.line_no: self._exact_parts(line, counting[line.line_no])
                                  for line in self.eligible})
        self._give_bonuses(counting)
        counting = self._contests(growing, self.growth_winners)
        self._share(self.growth, {line.line_no: [(rule, line.basis * rule.value) for rule in counting[line.line_no]]
                                  for line in self.eligible})

    def _part(self):
        """By basis; of an order without, by net."""
        weight = attrgetter('basis' if any(line.basis for line in self.whole) else 'amount')
        return Fraction(sum(map(weight, self.lines)), sum(map(weight, self.whole)))

    def _contests(self, matched, winners):
        """Order rules meet line rules on every eligible line, and each other for the order."""
        counting = {}
        for place in [ORDER] + [line.line_no for line in self.eligible]:
            counting[place], winners[place] = contest(
                [rule for rule, places in matched.items() if ORDER in places or place in places])
        return counting

    def _exact_parts(self, line, rules):
        terms, basis = self.terms, line.basis
        rate = next((rule.value for rule in rules if rule.effect == 'rate'), terms.base_rate)
        self.exact_base += basis * min(rate, terms.base_rate)
        parts = [(None, basis * min(rate, terms.base_rate) * terms.tier_multiplier)]
        product = terms.tier_multiplier
        for rule in rules:
            if rule.effect == 'rate':
                parts.append((rule, basis * max(rate - terms.base_rate, 0) * terms.tier_multiplier))
            elif rule.effect == 'multiplier':
                more = rule.value - 1
                if terms.stacking == 'multiply':
                    more = twelve_decimals(product * rule.value) - product
                    product += more
                parts.append((rule, basis * rate * more))
        return parts

    def _share(self, whole, exact):
        """One rounding; then by largest remainder over the lines, and in each line over its parts."""
        values = [sum(value for _, value in parts) for parts in exact.values()]
        total = ROUNDINGS[self.terms.award_rounding](sum(values))
        for rule, value in chain(*exact.values()):
            self.exact[rule] += value
        for (line_no, parts), share in zip(exact.items(), spread(total, values)):
            shares = spread(share, [value for _, value in parts])
            whole[line_no] += [(rule, points) for (rule, _), points in zip(parts, shares)]

    def _give_bonuses(self, counting):
        for place, rules in counting.items():
            for rule in rules:
                if rule.effect != 'bonus_points' or (place is ORDER) != (rule.scope == 'order'):
                    continue
                self.exact[rule] += self.value(rule)
                value = self.value(rule)
                shares = self._spread_bonus(value) if place is ORDER else [(place, value)]
                for line_no, points in shares:
                    self.points[line_no].append((rule, points))
        for parts in self.points.values():
            parts.sort(key=lambda part: part[0].rule_id if part[0] else 0)

    def _spread_bonus(self, value):
        basis = sum(line.basis for line in self.eligible)
        if not basis:
            return [(line.line_no, value if line is self.eligible[0] else 0) for line in self.eligible]
        shares = spread(value, [value * line.basis / basis for line in self.eligible])
        return [(line.line_no, share) for line, share in zip(self.eligible, shares)]

    def give_nothing(self, who):
        """What such rules gave is not given."""
        for parts in chain(self.points.values(), self.growth.values()):
            parts[:] = [(rule, 0 if who(rule) else value) for rule, value in parts]

    # what is asked of it

    @property
    def base_points(self):
        return ROUNDINGS[self.terms.award_rounding](self.exact_base)

    def value(self, rule):
        """A part of an order has a bonus's part by its basis, rounded down."""
        if rule.effect != 'bonus_points':
            return rule.value
        return floor(rule.value * (self._part() if self.whole else 1))

    def given(self, rule):
        """line_no -> what the rule gave there."""
        return {line_no: value for line_no, parts in getattr(self, rule.unit).items()
                for part_rule, value in parts if part_rule is rule}

    def beaten(self, rule, places):
        """place -> who won, where the rule matched and could have counted."""
        winners = self.growth_winners if rule.effect == 'growth' else self.winners
        if ORDER in places and rule.effect != 'bonus_points':
            places = [line.line_no for line in self.eligible]
        return {place: winners[place].get(rule) for place in places}


# --- explanation -------------------------------------------------------------------------------------------------

def paying(matched):
    return {rule: places for rule, places in matched.items()
            if rule.status == 'active' and not isinstance(places, Failure)}


def meets(matched, mode):
    """Whether a rule that pays met the order, applied or beaten, and a return is to do this with it."""
    return any(places and rule.refund_mode == mode for rule, places in paying(matched).items())


def explain(matched, contexts, award, explicit_lines, tell_all):
    """An object for each rule that matched or failed, for those that a return will ask again, or for every one."""
    asked_again = meets(matched, 'reevaluate')

    def told(rule, places):
        return places or tell_all or asked_again and (rule.status, rule.refund_mode) == ('active', 'reevaluate') and any(
            (rule.scope == 'order') == (place is ORDER) and admits(rule, context) for place, context in contexts.items())

    return [{'rule_id': rule.rule_id, 'version': rule.version, 'code': rule.code, 'effect': rule.effect,
             'value': award.value(rule), **outcome(rule, places, award, explicit_lines)}
            for rule, places in matched.items() if told(rule, places)]


def outcome(rule, places, award, explicit_lines):
    if isinstance(places, Failure):
        return {'outcome': 'failed', **vars(places)}
    if not places:
        return {'outcome': 'not_matched'}
    if rule.status == 'shadow':
        alone = Award(award.lines, {rule: places}, award.terms, award.whole)
        return {'outcome': 'shadow', rule.unit: floor(alone.exact[rule])}
    winners, given = award.beaten(rule, places), award.given(rule)
    if all(winners.values()):
        told = {'outcome': 'beaten', 'by': next(iter(winners.values())).code}
    else:
        told = {'outcome': 'applied', rule.unit: sum(given.values())}
    if explicit_lines:
        lines = {line_no: {'line_no': line_no, rule.unit: value} for line_no, value in given.items()}
        if winners.get(ORDER):     # a bonus of the order is beaten on all of it
            winners = dict.fromkeys((line.line_no for line in award.eligible), winners[ORDER])
        lines |= {place: {'line_no': place, 'beaten_by': winner.code} for place, winner in winners.items() if winner}
        told['lines'] = [line for _, line in sorted(lines.items())]
    return told
