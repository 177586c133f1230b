"""Schedules as EventBridge Scheduler writes them, `cron(minutes hours day-of-month month day-of-week year)`, in UTC."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
# Sunday is 1.
_DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)}
_SATURDAY = 5


@dataclass(frozen=True)
class CronSchedule:
    """When a schedule fires."""

    minutes: frozenset[int]
    hours: frozenset[int]
    is_day: Callable[[date], bool]

    def newest_tick(self, since: datetime, until: datetime) -> datetime | None:
        """The last time after `since`, and not after `until`, at which it fires; None where it does not.

        >>> first_of_month = parse_cron("cron(30 4 1 * ? *)")
        >>> since, until = (datetime(2016, month, 15, tzinfo=UTC) for month in (1, 3))
        >>> first_of_month.newest_tick(since, until).isoformat()
        '2016-03-01T04:30:00+00:00'
        """
        day = until.date()
        while day >= since.date():
            if self.is_day(day):
                midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
                for hour in sorted(self.hours, reverse=True):
                    for minute in sorted(self.minutes, reverse=True):
                        tick = midnight + timedelta(hours=hour, minutes=minute)
                        if since < tick <= until:
                            return tick
            day -= timedelta(days=1)
        return None


def parse_cron(expression: str) -> CronSchedule:
    """Read the expression.

    Raises
    ------
    ValueError
        It is no cron expression of EventBridge Scheduler; the text says which field is wrong.
    """
    found = re.fullmatch(r"cron\((.+)\)", expression.strip())
    fields = found[1].split() if found else []
    if len(fields) != 6:
        raise ValueError(
            f"{expression!r} is no schedule: write cron(minutes hours day-of-month month day-of-week year), in UTC, such as "
            "cron(0 4 1 * ? *)"
        )
    minutes, hours, of_month, month, of_week, year = fields
    if (of_month == "?") == (of_week == "?"):
        raise ValueError(f"{expression!r}: exactly one of day-of-month and day-of-week must be ?")
    months = _values("month", month, 1, 12, _MONTHS)
    years = _values("year", year, 1970, 2199)
    in_month = _days_of_month(of_month) if of_week == "?" else _days_of_week(of_week)

    def is_day(day: date) -> bool:
        return day.month in months and day.year in years and in_month(day)

    return CronSchedule(_values("minutes", minutes, 0, 59), _values("hours", hours, 0, 23), is_day)


def _days_of_month(field: str) -> Callable[[date], bool]:
    if field == "L":
        return lambda day: day.day == _last(day)
    if nearest := re.fullmatch(r"(\d{1,2}|L)W", field):
        number = None if nearest[1] == "L" else min(_values("day-of-month", nearest[1], 1, 31))
        return lambda day: day.day == _nearest_weekday(day, _last(day) if number is None else number)
    days = _values("day-of-month", field, 1, 31)
    return lambda day: day.day in days


def _days_of_week(field: str) -> Callable[[date], bool]:
    if numbered := re.fullmatch(r"(\w+)#([1-5])", field):
        of_week = _values("day-of-week", numbered[1], 1, 7, _DAYS)
        return lambda day: _day_of_week(day) in of_week and (day.day - 1) // 7 + 1 == int(numbered[2])
    if last := re.fullmatch(r"(\w+)L", field):
        of_week = _values("day-of-week", last[1], 1, 7, _DAYS)
        return lambda day: _day_of_week(day) in of_week and day.day + 7 > _last(day)
    of_week = frozenset({7}) if field == "L" else _values("day-of-week", field, 1, 7, _DAYS)
    return lambda day: _day_of_week(day) in of_week


def _values(name: str, field: str, least: int, most: int, words: dict[str, int] | None = None) -> frozenset[int]:
    """Every value that a field names."""
    found: set[int] = set()
    for part in field.split(","):
        stretch, _, step = part.partition("/")
        first, _, last = stretch.partition("-")
        try:
            start = least if first == "*" else (words or {}).get(first.upper()) or int(first)
            end = ((words or {}).get(last.upper()) or int(last)) if last else most if step or first == "*" else start
            every = int(step) if step else 1
        except ValueError:
            start, end, every = 0, -1, 0
        if not (least <= start <= end <= most and every > 0) or (first == "*" and last):
            raise ValueError(f"the field {name} of the schedule is {field!r}: it takes {least} to {most}")
        found.update(range(start, end + 1, every))
    return frozenset(found)


def _day_of_week(day: date) -> int:
    return day.isoweekday() % 7 + 1


def _last(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _nearest_weekday(day: date, wanted: int) -> int | None:
    """The weekday nearest to a day of this month, within the month; None where the month has no such day."""
    if wanted > _last(day):
        return None
    beyond_friday = date(day.year, day.month, wanted).weekday() - _SATURDAY
    if beyond_friday < 0:
        return wanted
    if beyond_friday == 0:
        return wanted - 1 if wanted > 1 else wanted + 2
    return wanted + 1 if wanted < _last(day) else wanted - 2
