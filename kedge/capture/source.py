"""The seam between where records are from and all else: in which folders a day's objects lie, and how one record becomes rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from kedge.capture.blocks import block_rows
from kedge.capture.log.records import log_rows
from kedge.capture.payloads import record_rows
from kedge.config.model import ModelConfig
from kedge.config.sections import Source as SourceName
from kedge.profile.look_back import LATE_DAYS

_FOLDER = re.compile(r"(?:^|/)(\d{4})/(\d{2})/(\d{2})/(\d{2})/[^/]*$")
# What arrives in a day's last hour may be of the next day: a folder is named after the first record that arrived.
_LAST_HOUR = 23


def _roots_of_endpoint(config: ModelConfig) -> dict[str, str]:
    return {variant: f"{config.endpoint.name}/{variant}/" for variant in config.endpoint.served_variants}


def _roots_of_jobs(_config: ModelConfig) -> dict[str, str]:
    return {"": "output/"}


def _roots_of_log(_config: ModelConfig) -> dict[str, str]:
    return {"": ""}


@dataclass(frozen=True)
class Source:
    """One kind of records.

    Attributes
    ----------
    roots : callable
        Below the place of the records, the folders that hold the days' own: one of each production variant, by its name. What has no
        variants has one, named "".
    rows : callable
        One line as rows, each `[row_id, event_id, time, features..., prediction, probabilities..., context...]`.
    block : callable or None
        Reads the sound ones among many lines at once, where that is known to be worth it.
    extension : str
        What the names of its objects end in; what they hold is told by their content.
    arrival_days : int or None
        Where folders tell when records *arrived*: a record is counted up to this many days after its own. None where they tell
        the hour of the record itself.
    by_manifest : bool
        Whether its objects are the manifests of transform jobs, whose files become records first.
    """

    roots: Callable[[ModelConfig], Mapping[str, str]]
    rows: Callable[[bytes, ModelConfig], list[list[Any]]]
    block: Callable[[Sequence[bytes], ModelConfig], Any] | None = None
    extension: str = ""
    arrival_days: int | None = None
    by_manifest: bool = False

    @property
    def late_days(self) -> int:
        """How long a day can still gain after it is over: what arrives on the last day may be written a day later."""
        return LATE_DAYS if self.arrival_days is None else self.arrival_days + 1

    def folders(self, config: ModelConfig, day: date) -> list[str]:
        """The folders in which records of a day may lie."""
        return [folder for root in self.roots(config).values() for folder in self._folders_below(root, day)]

    def _folders_below(self, root: str, day: date) -> list[str]:
        if self.arrival_days is None:
            return [day_folder(root, day)]
        before = f"{day_folder(root, day - timedelta(days=1))}{_LAST_HOUR}/"
        return [before, *(day_folder(root, day + timedelta(days=late)) for late in range(self.arrival_days + 1))]

    def counted_on(self, arrived: datetime) -> list[date]:
        """The days that count what lies in the folder of an hour, the last one at the end: those whose `folders` name it.

        >>> [str(day) for day in SOURCES["log"].counted_on(datetime(2026, 3, 3, 23))]
        ['2026-03-01', '2026-03-02', '2026-03-03', '2026-03-04']
        >>> [str(day) for day in SOURCES["endpoint"].counted_on(datetime(2026, 3, 3, 23))]
        ['2026-03-03']
        """
        if self.arrival_days is None:
            return [arrived.date()]
        ahead = int(arrived.hour == _LAST_HOUR)
        return [arrived.date() + timedelta(days=n) for n in range(-self.arrival_days, ahead + 1)]

    def misplaced(self, time: datetime, arrived: datetime | None) -> str | None:
        """Why no day counts a record of this time that arrived in that hour; None where one does."""
        if self.arrival_days is None or arrived is None:
            return None
        days = (arrived.date() - time.date()).days
        if days > self.arrival_days:
            return f"it arrived {days} days after its time: up to {self.arrival_days} are waited for"
        if days < -1 or (days == -1 and arrived.hour != _LAST_HOUR):
            return "its time is after the day of its arrival: is the clock right, and the time in UTC?"
        return None


SOURCES: Mapping[SourceName, Source] = {
    "endpoint": Source(_roots_of_endpoint, record_rows, block_rows, extension=".jsonl"),
    "batch_transform": Source(_roots_of_jobs, record_rows, block_rows, by_manifest=True),
    "log": Source(_roots_of_log, log_rows, arrival_days=2),
}


def day_folder(root: str, day: date) -> str:
    """A day's folder below a root."""
    return f"{root}{day:%Y/%m/%d}/"


def source_of(config: ModelConfig) -> Source:
    """How a model's records are found and read."""
    return SOURCES[config.source]


def hour_of_key(key: str) -> datetime | None:
    """The hour that the folders of a key name, without a zone; None where they name none.

    >>> hour_of_key("logs/m/2026/03/01/23/a.gz"), hour_of_key("a.jsonl")
    (datetime.datetime(2026, 3, 1, 23, 0), None)
    """
    found = _FOLDER.search(key)
    try:
        return datetime(*map(int, found.groups())) if found else None  # type: ignore[arg-type]  # four numbers
    except ValueError:
        return None


def last_expired(today: date, expire_days: int) -> date:
    """The newest day whose captures have expired: it ended `expire_days` ago.

    >>> str(last_expired(date(2026, 3, 31), 30))
    '2026-02-28'
    """
    return today - timedelta(days=expire_days + 1)


def day_of_folder(prefix: str) -> date | None:
    """The day that the last folders of a prefix name; None where they name none.

    >>> day_of_folder("capture/m/1/e/AllTraffic/2026/03/01/"), day_of_folder("capture/m/2026/03/")
    (datetime.date(2026, 3, 1), None)
    """
    hour = hour_of_key(f"{prefix}00/")
    return hour.date() if hour else None


def expiring(source: Source, keys: Iterable[str], last: date) -> dict[tuple[date, ...], list[str]]:
    """The captures that are old enough to expire, by the days that count them: each of these is over for so long, up to `last`.

    >>> log, noon, night = SOURCES["log"], "logs/m/2026/03/03/12/a.gz", "logs/m/2026/03/03/23/a.gz"
    >>> [(len(days), keys) for days, keys in expiring(log, [noon, night, "logs/m/a.gz"], date(2026, 3, 3)).items()]
    [(3, ['logs/m/2026/03/03/12/a.gz'])]
    """
    found = dict[tuple[date, ...], list[str]]()
    for key in keys:
        hour = hour_of_key(key)
        days = tuple(source.counted_on(hour)) if hour is not None else ()
        if days and days[-1] <= last:
            found.setdefault(days, []).append(key)
    return found
