"""Programme days: the local calendar of one time zone.

Instants are datetimes in UTC, days are dates.
"""
import calendar
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)


class Days:
    def __init__(self, zone_name):
        self.zone = ZoneInfo(zone_name)

    def local(self, instant):
        return instant.astimezone(self.zone).replace(tzinfo=None)

    def day_of(self, instant):
        return self.local(instant).date()

    def start_of(self, day):
        """Local midnight: the end of a gap that swallows it, the later one where it comes twice.

        In a gap fold 0 reads the clock as before the change, which lands at or behind the gap's end; where
        the hour comes twice fold 1 is the second. Both are the later of the two readings.
        """
        midnight = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        return max(midnight.replace(fold=fold).astimezone(UTC) for fold in (0, 1))

    def points_end(self, policy, min_life_days, day, active_at):
        """When points of a day die by a policy: None = never, and never before they lived so many days."""
        last = last_day(policy, day)
        if last is None:
            return None
        end = max(self.start_of(last + ONE_DAY), active_at)
        if min_life_days:
            end = max(end, self.start_of(self.day_of(active_at) + min_life_days * ONE_DAY))
        return end

    def last_day_before(self, instant):
        """The last day with a moment before that one, a day that begins then not counted."""
        day = self.day_of(instant)
        ended = day - ONE_DAY if instant == self.start_of(day) else day
        return min(ended, self.day_of(instant - timedelta(microseconds=1)))

    def valid_through(self, day, months):
        """First instant after the day that lies so many months later; None = no end."""
        return None if months is None else self.start_of(add_months(day, months) + ONE_DAY)

    def next_clock_change(self, instant):
        """The next instant at which the zone's offset changes within two years, or None."""
        step = timedelta(days=7)
        low, limit = instant, instant + timedelta(days=731)
        while low < limit and self._offset(low) == self._offset(low + step):
            low += step
        if low >= limit:
            return None
        high = low + step
        while high - low > timedelta(seconds=1):
            middle = low + (high - low) // 2
            low, high = (middle, high) if self._offset(low) == self._offset(middle) else (low, middle)
        return high.replace(microsecond=0)

    def _offset(self, instant):
        return instant.astimezone(self.zone).utcoffset()


def last_day(policy, day):
    """The last day on which points of a day are valid; None = they always are."""
    if policy == 'never':
        return None
    if policy[4:5] == '-':
        return date.fromisoformat(policy)
    first, second, *later = policy.split()
    if second == 'days':
        return day + int(first) * ONE_DAY
    if second == 'months':
        return add_months(day, int(first))
    length = {'month': 1, 'quarter': 3, 'year': 12}[first]
    begins = date(day.year, (day.month - 1) // length * length + 1, 1)
    return add_months(begins, length * (1 + int(later[1] if later else 0))) - ONE_DAY


def add_months(day, months):
    """The same day of a later or earlier month, or that month's last."""
    month = day.year * 12 + day.month - 1 + months
    year, month = divmod(month, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
