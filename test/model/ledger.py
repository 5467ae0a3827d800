"""A member's ledger: lots, holds, debt, and what falls due; see `Programme` for the verbs."""
import copy
from dataclasses import dataclass, replace

JOURNAL_COLUMNS = (
    'journal_no verb occurred_at posted_at day points balance last_entry_no reason refers_to merchant_id order_ref'
    ' channel amount basis merchant_collected status reason_code points_wanted base_points available_at expires_at'
    ' base_rate rounding tier_id tier_multiplier tier_after tier_changed lines rules growth purpose counterpart_id'
    ' tenders').split()

ACTIVITY = ('purchases', 'basis', 'points_earned', 'growth', 'points_redeemed', 'refunded_of_day', 'refunded_on_day')


class Refusal(Exception):
    def __init__(self, sqlstate):
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


def require(condition, sqlstate):
    if not condition:
        raise Refusal(sqlstate)


# --- a member ----------------------------------------------------------------------------------------------------

@dataclass
class Lot:
    lot_no: int
    journal_no: int
    granted: int
    remaining: int
    active_at: object
    expires_at: object         # None = never
    origin: str
    born_dead: bool            # it never lived: posts both entries and pays no debt
    held: int = 0
    released_at: object = None # when held points of it were released last, or points given back

    @property
    def free(self):
        return self.remaining - self.held

    def dead_at(self, instant):
        return self.expires_at is not None and self.expires_at <= instant

    def spendable_at(self, instant):
        return self.active_at <= instant and not self.dead_at(instant)

    def not_before_release(self, moment):
        """What was held when its lot became active or died pays or dies when it is released."""
        return max(moment, self.released_at or moment)


def earliest_expiry_first(lot):
    return (lot.expires_at is None, lot.expires_at, lot.lot_no) if lot.expires_at else (True, lot.lot_no)


@dataclass
class Hold:
    hold_no: int
    ref: str
    points: int
    expires_at: object         # None = without end
    merchant_id: int | None
    order_ref: str | None
    lots: dict                 # lot_no -> points, in the order in which they are taken


class Member:
    def __init__(self, member_id, enrolled_at, tier_id):
        self.member_id = member_id
        self.status = 'active'
        self.enrolled_at = enrolled_at
        self.last_posted_at = enrolled_at
        self.tier_id = tier_id
        self.tier_since = enrolled_at
        self.tier_expires_at = None
        self.tier_locked_until = None
        self.debt = 0
        self.lots = []
        self.holds = []
        self.order_spends = []     # (merchant_id, order_ref, journal_no) of redemptions and captures
        self.journal = []
        self.entries = []
        self.splits = []
        self.refunds = []          # rows of refund
        self.exchanges = []        # rows of exchange
        self.contexts = {}
        self.sales = {}            # journal_no of a purchase -> its Sale
        self.failures = []         # rows of rule_failure
        self.activity = {}         # day -> its columns, see ACTIVITY
        self.history = []          # [tier_id, from, to, cause, journal_no]
        self.keys = {}             # (verb, ref) -> (journal_no, payload)

    def copy(self):
        twin = copy.copy(self)
        twin.lots = [replace(lot) for lot in self.lots]
        twin.activity = {day: list(row) for day, row in self.activity.items()}
        twin.history = [list(row) for row in self.history]
        for name in ('journal', 'entries', 'splits', 'refunds', 'exchanges', 'failures', 'holds', 'order_spends'):
            setattr(twin, name, list(getattr(self, name)))
        for name in ('keys', 'contexts', 'sales'):
            setattr(twin, name, dict(getattr(self, name)))
        return twin

    @property
    def balance(self):
        return sum(lot.remaining for lot in self.lots) - self.debt

    @property
    def held(self):
        return sum(lot.held for lot in self.lots)

    def available_at(self, instant):
        return sum(lot.free for lot in self.lots if lot.spendable_at(instant)) - self.debt

    def event(self, journal_no):
        return self.journal[journal_no - 1] if 1 <= journal_no <= len(self.journal) else None

    def entries_of(self, event):
        return [entry for entry in self.entries if entry['journal_no'] == event['journal_no']]

    def tier_at(self, instant):
        """By history, whose times are posting times; before enrolment the tier of enrolment."""
        for tier_id, start, end, _, _ in self.history:
            if start <= instant and (end is None or instant < end):
                return tier_id
        return self.history[0][0]

    def statement_lines(self):
        """Every entry, and every event without one, oldest first."""
        by_event = {}
        for entry in self.entries:
            by_event.setdefault(entry['journal_no'], []).append(entry)
        return [(event, entry) for event in self.journal
                for entry in by_event.get(event['journal_no'], [None])]

    def statement_page(self, before, max_rows):
        """Newest first: so many entries below a number, with the events without entries right above each; the
        page of the first entry also has what came before it."""
        top = len(self.entries) + 1
        if before is not None:
            top = min(top, before)
        if before == 1:
            return []
        lowest = max(top - max_rows, 1)
        return [(event, entry) for event, entry in reversed(self.statement_lines())
                if lowest <= (entry['entry_no'] if entry else event['last_entry_no'] or 1) < max(top, 2)]


# --- postings ----------------------------------------------------------------------------------------------------

class Ledger:
    def _post(self, member, verb, occurred_at, posted_at, **columns):
        event = dict.fromkeys(JOURNAL_COLUMNS)
        event.update(columns, journal_no=len(member.journal) + 1, verb=verb, occurred_at=occurred_at,
                     posted_at=posted_at, day=self.days.day_of(occurred_at), points=0, balance=member.balance,
                     last_entry_no=len(member.entries))
        member.journal.append(event)
        member.last_posted_at = posted_at
        return event

    def _move(self, member, event, lot_no, points, opens=(None, None, None), moved_from=None):
        """One entry; without a lot number it opens a lot that bears its own."""
        entry_no = len(member.entries) + 1
        event['points'] += points
        event['balance'] += points
        event['last_entry_no'] = entry_no
        entry = dict(zip(('active_at', 'expires_at', 'origin'), opens), entry_no=entry_no,
                     journal_no=event['journal_no'], lot_no=entry_no if lot_no is None else lot_no, points=points,
                     balance_after=event['balance'], moved_from=moved_from)
        member.entries.append(entry)
        return entry

    def _take(self, member, event, lot, points):
        lot.remaining -= points
        self._move(member, event, lot.lot_no, -points)
        if lot.remaining == 0:
            member.lots.remove(lot)

    def _pay_debt(self, member, event, lot, most=None):
        paid = min(lot.free, member.debt if most is None else most)
        self._take(member, event, lot, paid)
        member.debt -= paid
        self._move(member, event, 0, paid)

    def _credit(self, member, event, points, active_at, expires_at):
        opening = self._move(member, event, None, points, (active_at, expires_at, event['verb']))
        lot = self._new_lot(opening, event, points)
        member.lots.append(lot)
        if member.debt and lot.free and lot.spendable_at(event['posted_at']):
            self._pay_debt(member, event, lot)

    def _pay_owed(self, member, event, debt):
        """What is owed beyond that: from the event's own lots first, however they live, then from available ones."""
        own = [lot for lot in member.lots if lot.journal_no == event['journal_no'] and lot.free]
        for lot in own + self._free_lots(member, event['posted_at']):
            if lot.free and member.debt > debt:
                self._pay_debt(member, event, lot, member.debt - debt)

    def _give_back(self, member, event, lot_no, points):
        """To a lot that may be used up or dead; alive it pays debt at once, dead it waits for settling."""
        lot = next((lot for lot in member.lots if lot.lot_no == lot_no), None)
        if lot is None:
            opening = member.entries[lot_no - 1]
            lot = self._new_lot(opening, member.event(opening['journal_no']), 0)
            member.lots.append(lot)
            member.lots.sort(key=lambda lot: lot.lot_no)
        lot.remaining += points
        lot.released_at = event['posted_at']
        self._move(member, event, lot_no, points)
        if member.debt and lot.spendable_at(event['posted_at']):
            self._pay_debt(member, event, lot)

    @staticmethod
    def _new_lot(opening, event, remaining):
        active_at, expires_at = opening['active_at'], opening['expires_at']
        return Lot(opening['lot_no'], event['journal_no'], opening['points'], remaining, active_at, expires_at,
                   opening['origin'], expires_at is not None and expires_at <= max(active_at, event['posted_at']))

    @staticmethod
    def _free_lots(member, instant):
        """Lots that can be spent from, in the order in which they are."""
        return sorted((lot for lot in member.lots if lot.free and lot.spendable_at(instant)), key=earliest_expiry_first)

    def _spend(self, member, event, points):
        """Takes points off the lots; what is left over is returned."""
        for lot in self._free_lots(member, event['posted_at']):
            taken = min(points, lot.free)
            if taken:
                self._take(member, event, lot, taken)
                points -= taken
        return points

    def _debit(self, member, event, points):
        require(self.config.allow_debt or points <= member.available_at(event['posted_at']), 'MB101')
        owed = self._spend(member, event, points)
        if owed:
            member.debt += owed
            self._move(member, event, 0, -owed)

    def _release(self, member, hold, released_at):
        for lot in member.lots:
            if hold.lots.get(lot.lot_no):
                lot.held -= hold.lots[lot.lot_no]
                lot.released_at = released_at
        member.holds.remove(hold)

    # --- what falls due

    def _meet(self, at, *members):
        """Members that may spend, brought up to one moment."""
        for member in members:
            require(member.status != 'closed', 'MB102')
            require(member.status != 'frozen', 'MB104')
        now = max(at, *(member.last_posted_at for member in members))
        for member in members:
            self._settle(member, now)
        return now

    def _settle(self, member, until):
        """Debt payments, time-outs of holds and deaths of lots in the order of their times, at one time in this order."""
        while True:
            due = list(self._due(member, until))
            if not due:
                return
            (moment, *_), verb, what = min(due, key=lambda item: item[0])
            if verb == 'debt_payment':
                self._pay_debt(member, self._post(member, verb, moment, until), what)
            elif verb == 'timeout':
                self._post(member, verb, moment, until, refers_to=what.hold_no)
                self._release(member, what, moment)
            else:
                event = self._post(member, verb, moment, until)
                dead = [lot for lot in member.lots if self._dies_at(lot) == moment]
                for lot in sorted(dead, key=earliest_expiry_first):
                    self._take(member, event, lot, lot.free)

    def _due(self, member, until):
        for lot in member.lots:
            pays_at = lot.not_before_release(lot.active_at)
            if member.debt and lot.free and pays_at <= until and not lot.born_dead and not lot.dead_at(pays_at):
                yield (pays_at, 0, *earliest_expiry_first(lot)), 'debt_payment', lot
            dies_at = self._dies_at(lot)
            if dies_at is not None and dies_at <= until:
                yield (dies_at, 2), 'expiry', None
        for hold in member.holds:
            if hold.expires_at is not None and hold.expires_at <= until:
                yield (hold.expires_at, 1, hold.hold_no), 'timeout', hold

    @staticmethod
    def _dies_at(lot):
        return lot.not_before_release(lot.expires_at) if lot.free and lot.expires_at is not None else None

    def _points_end(self, day, alive_at, policy=None):
        """When points of that day die, by their own policy or the programme's: alive until a moment at least."""
        return self.days.points_end(policy or self.config.expiry, self.config.min_life_days, day, alive_at)

    def _extend(self, member, purchase):
        """A purchase lets older points live as long as points by the policy that are active at once."""
        if not self.config.extend_on_activity or self.config.expiry == 'never' or '-' in self.config.expiry:
            return
        now = purchase['posted_at']
        end = self._points_end(purchase['day'], max(now, purchase['occurred_at']))
        moved = [lot for lot in member.lots if lot.free and lot.expires_at is not None and now < lot.expires_at < end
                 and lot.journal_no != purchase['journal_no']]
        if not moved:
            return
        event = self._post(member, 'extension', now, now, refers_to=purchase['journal_no'])
        for lot in sorted(moved, key=lambda lot: lot.lot_no):
            points = lot.free
            self._take(member, event, lot, points)
            opening = self._move(member, event, None, points, (lot.active_at, end, lot.origin), lot.lot_no)
            member.lots.append(self._new_lot(opening, event, points))
