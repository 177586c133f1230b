"""How long losses of quality last: until people were told (MTTD), and until a better model served (MTTR).

For each loss, in hindsight:

- it *began* at the end of the last measured window that kept its limits, but no earlier than the first lost window's start: rows
  that only the lost window holds are the first that can have been worse. Labels decide, as they are known now, so that a loss
  which was seen late still began early;
- it was *told* with the first CRITICAL alert of a window that holds rows from after its beginning, whatever the alert was about: from
  then on a person could look;
- it was *repaired* when the package came into service that kept its limits in the first measured window after the loss. Where the
  same package kept them again, the loss went away by itself: it counts for MTTD alone.

A time to detect is from the beginning until it was told, a time to repair from the beginning until it was repaired. The means are
over the losses that have such a time; those without one are counted beside them, for a mean would hide them. A loss that begins
while an episode of alarms lasts, and that no new alert told, counts as untold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kedge.instants import from_text
from kedge.severity import Severity

# A package comes into service with this kind; the canary's own kinds say how.
_PROMOTED, _TOLD, _JUDGED = "baseline_switched", "alert_sent", "window_judged"
KINDS = (_JUDGED, _TOLD, _PROMOTED)


@dataclass(frozen=True)
class MeasuredWindow:
    """A window whose answers labels have judged."""

    start: datetime
    end: datetime
    package: str
    lost: bool


@dataclass(frozen=True)
class Told:
    """A CRITICAL alert: when it was sent, and the end of the window that it was about."""

    at: datetime
    window_end: datetime


@dataclass(frozen=True)
class Loss:
    """A loss of quality; `ended` is the end of the first measured window that kept its limits again."""

    began: datetime
    told: datetime | None = None
    repaired: datetime | None = None
    ended: datetime | None = None

    @property
    def time_to_detect(self) -> timedelta | None:
        """From its beginning until people were told."""
        return None if self.told is None else self.told - self.began

    @property
    def time_to_repair(self) -> timedelta | None:
        """From its beginning until a better model served."""
        return None if self.repaired is None else self.repaired - self.began


@dataclass(frozen=True)
class ResponseTimes:
    """The losses of a model, or of all models together."""

    losses: tuple[Loss, ...]

    @property
    def mean_time_to_detect(self) -> timedelta | None:
        """MTTD: None where no loss was told."""
        return _mean(loss.time_to_detect for loss in self.losses)

    @property
    def mean_time_to_repair(self) -> timedelta | None:
        """MTTR: None where no loss was repaired."""
        return _mean(loss.time_to_repair for loss in self.losses)

    @property
    def untold(self) -> int:
        """Losses that nobody was told of."""
        return sum(loss.told is None for loss in self.losses)

    @property
    def lasting(self) -> int:
        """Losses that are not over."""
        return sum(loss.ended is None for loss in self.losses)


def find_losses(
    windows: Iterable[MeasuredWindow], told: Sequence[Told], promotions: Sequence[tuple[datetime, str]]
) -> ResponseTimes:
    """Every loss among measured windows, with when it was told and repaired.

    >>> from datetime import UTC
    >>> week, first = timedelta(days=7), datetime(2016, 1, 4, tzinfo=UTC)
    >>> found = [("1", False), ("1", True), ("1", True), ("2", False)]
    >>> windows = [MeasuredWindow(first + n * week, first + (n + 1) * week, *one) for n, one in enumerate(found)]
    >>> times = find_losses(windows, [Told(first + 2 * week, first + 2 * week)], [(first + 3 * week, "2")])
    >>> times.mean_time_to_detect.days, times.mean_time_to_repair.days
    (7, 14)
    """
    losses: list[Loss] = []
    good: MeasuredWindow | None = None
    began: datetime | None = None
    for window in sorted(windows, key=lambda one: one.end):
        if window.lost:
            if began is None:
                began = max(good.end, window.start) if good else window.start
        else:
            if began is not None:
                losses.append(_loss(began, window, told, promotions))
            good, began = window, None
    if began is not None:
        losses.append(Loss(began, _first(told, began, None)))
    return ResponseTimes(tuple(losses))


def _loss(
    began: datetime, good: MeasuredWindow, told: Sequence[Told], promotions: Sequence[tuple[datetime, str]]
) -> Loss:
    better = [at for at, package in promotions if package == good.package and began < at <= good.end]
    repaired = max(better, default=None)
    return Loss(began, _first(told, began, repaired or good.end), repaired, good.end)


def _first(told: Sequence[Told], since: datetime, until: datetime | None) -> datetime | None:
    return min(
        (each.at for each in told if each.window_end > since and (until is None or each.at <= until)), default=None
    )


def _mean(found: Iterable[timedelta | None]) -> timedelta | None:
    known = [one for one in found if one is not None]
    return sum(known, timedelta()) / len(known) if known else None


def of_timeline(entries: Iterable[Mapping[str, Any]]) -> ResponseTimes:
    """The losses that a model's timeline tells of; a window that was judged again counts as it was judged last."""
    windows: dict[str, MeasuredWindow] = {}
    told, promotions = list[Told](), list[tuple[datetime, str]]()
    for entry in sorted(entries, key=lambda one: str(one["time"])):
        detail, time = entry["detail"], from_text(entry["time"])
        if entry["kind"] == _JUDGED and (window := _measured(detail)) is not None:
            windows[detail["window"]["end"]] = window
        elif entry["kind"] == _TOLD and detail.get("severity") == Severity.CRITICAL:
            about = detail.get("window", {}).get("end")
            told.append(Told(time, from_text(about) if about else time))
        elif entry["kind"] == _PROMOTED:
            promotions.append((time, str(detail["package_version"])))
    return find_losses(windows.values(), told, promotions)


def _measured(detail: Mapping[str, Any]) -> MeasuredWindow | None:
    severity = (detail.get("performance") or {}).get("severity", Severity.INSUFFICIENT_DATA)
    if severity == Severity.INSUFFICIENT_DATA:
        return None
    span = detail["window"]
    start, end = from_text(span["start"]), from_text(span["end"])
    return MeasuredWindow(start, end, str(detail["package_version"]), severity == Severity.CRITICAL)


def together(found: Iterable[ResponseTimes]) -> ResponseTimes:
    """The losses of several models: each loss counts once."""
    return ResponseTimes(tuple(loss for times in found for loss in times.losses))
