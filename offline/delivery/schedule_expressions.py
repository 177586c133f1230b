"""When a schedule is due: EventBridge Scheduler's cron, rate and at expressions.

Imitated: six-field cron with lists, ranges, steps and names; rate in minutes, hours and days; at. Not imitated, and
refused: the cron letters L, W and #.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
WEEKDAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
HORIZON_YEARS = 12


class ScheduleExpressionError(ValueError):
    """An expression that Scheduler, or this imitation of it, does not know."""


@dataclass(frozen=True)
class Cron:
    """A cron expression's values, field by field, in a time zone."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    years: frozenset[int]
    zone: ZoneInfo

    def after(self, when: datetime) -> datetime | None:
        """Return the first time due after `when`, or None if there is none in the years ahead."""
        local = when.astimezone(self.zone)
        for day in self._days(local.date()):
            for hour in self.hours:
                for minute in self.minutes:
                    due = datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone).astimezone(UTC)
                    if due > when:
                        return due
        return None

    def _days(self, first: date) -> Iterator[date]:
        for offset in range(366 * HORIZON_YEARS):
            day = first + timedelta(days=offset)
            in_month = day.year in self.years and day.month in self.months and day.day in self.days
            if in_month and day.isoweekday() % 7 + 1 in self.weekdays:
                yield day


@dataclass(frozen=True)
class Rate:
    """Every so often, counted from the schedule's start."""

    every: timedelta
    start: datetime

    def after(self, when: datetime) -> datetime:
        """Return the first time due after `when`."""
        if when < self.start:
            return self.start
        return self.start + ((when - self.start) // self.every + 1) * self.every


@dataclass(frozen=True)
class At:
    """Once."""

    time: datetime

    def after(self, when: datetime) -> datetime | None:
        """Return the time if it is still to come."""
        return self.time if self.time > when else None


def parse(expression: str, zone: str, start: datetime) -> Cron | Rate | At:
    """Read an expression; `start` is where a rate counts from."""
    match = re.fullmatch(r"(cron|rate|at)\((.+)\)", expression.strip())
    if not match:
        raise ScheduleExpressionError(f"{expression!r} is not cron(...), rate(...) or at(...)")
    kind, body = match.groups()
    if kind == "cron":
        return _cron(body, ZoneInfo(zone))
    if kind == "at":
        return At(datetime.fromisoformat(body).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC))
    rate = re.fullmatch(r"([1-9]\d*) (minute|hour|day)s?", body.strip())
    if not rate:
        raise ScheduleExpressionError(f"{expression!r} is no rate of minutes, hours or days")
    return Rate(timedelta(**{f"{rate[2]}s": int(rate[1])}), start)


def _cron(body: str, zone: ZoneInfo) -> Cron:
    fields = body.split()
    if len(fields) != 6 or (fields[2] == "?") == (fields[4] == "?"):
        raise ScheduleExpressionError(f"cron({body}) needs six fields, and ? in day of month or in day of week")
    return Cron(
        tuple(sorted(_values(fields[0], 0, 59))),
        tuple(sorted(_values(fields[1], 0, 23))),
        frozenset(_values(fields[2], 1, 31)),
        frozenset(_values(fields[3], 1, 12, MONTHS)),
        frozenset(_values(fields[4], 1, 7, WEEKDAYS)),
        frozenset(_values(fields[5], 1970, 2199)),
        zone,
    )


def _values(text: str, low: int, high: int, names: dict[str, int] | None = None) -> set[int]:
    """Return the values that one cron field allows."""
    values: set[int] = set()
    for part in text.upper().split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if span in ("*", "?"):
            begin, end = low, high
        else:
            begin = _number(first, names)
            end = _number(last, names) if last else (high if step else begin)
        if not low <= begin <= end <= high:
            raise ScheduleExpressionError(f"{part!r} is outside {low} to {high}")
        values |= set(range(begin, end + 1, int(step or 1)))
    return values


def _number(text: str, names: dict[str, int] | None) -> int:
    if names and text in names:
        return names[text]
    if not text.isdigit():
        raise ScheduleExpressionError(f"{text!r} is not imitated in a cron field")
    return int(text)
