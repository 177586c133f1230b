"""Delete a model's captures, a day at a time, once each day that counts them has counted them and they are old enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from kedge.capture.source import days_beside, expired_captures, source_of
from kedge.config.capture_place import capture_place, log_prefix
from kedge.config.model import ModelConfig
from lambdas.adapters.bucket import days, layout, objects
from lambdas.adapters.state import progress

# Before any day that was counted.
_EARLIEST = date(2000, 1, 1)
# The days that count one object of a log, and those of the day before.
_DAYS_KEPT = 8


@dataclass(frozen=True)
class Expired:
    """How many days' captures have expired, how many objects were deleted of them, and how many stay because they were replaced since.

    `is_whole` says whether the time was enough for all days that are old enough.
    """

    days: int = 0
    deleted: int = 0
    replaced: int = 0
    is_whole: bool = True


@dataclass(frozen=True)
class ExpiryPlace:
    """A model, the bucket of its captures, and the table that remembers how far they were deleted."""

    s3: Any
    dynamodb: Any
    bucket: str
    table: str
    config: ModelConfig

    def is_ours(self, day_key: str) -> bool:
        """Whether what a package answered was captured into the data bucket: nothing is deleted in others."""
        return not capture_place(self.config, day_key.split("/")[-2], data_bucket=self.bucket).foreign

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Below which captures are deleted."""
        return layout.captures_prefix(self.config.model), f"{log_prefix(self.config.model)}/"


def expire_captures(place: ExpiryPlace, last: date, has_time: Callable[[], bool]) -> Expired:
    """Delete what has expired since the last night, up to a day, the oldest day first, as far as the time reaches."""
    model, found = place.config.model, Expired()
    done = progress.load_expired(place.dynamodb, place.table, model)
    first = done + timedelta(days=1) if done else _EARLIEST
    if not has_time():
        return replace(found, is_whole=False)
    for day, keys, etags in _expired_days(place, first, last):
        if not has_time():
            return replace(found, is_whole=False)
        for key in keys:
            days.mark_expired(place.s3, place.bucket, key)
        kept = objects.delete_unchanged(place.s3, place.bucket, etags)
        progress.save_expired(place.dynamodb, place.table, model, day)
        found = Expired(found.days + 1, found.deleted + len(etags) - len(kept), found.replaced + len(kept))
    return found


def _expired_days(place: ExpiryPlace, first: date, last: date) -> Iterator[tuple[date, list[str], dict[str, str]]]:
    """Each counted day, its day objects, and the captures that expire with it."""
    s3, source = place.s3, source_of(place.config)
    beside = min(days_beside(source, first))
    counted = days.counted_days(s3, place.bucket, place.config.model, first=beside, last=last)
    ours = {day: [key for key in keys if place.is_ours(key)] for day, keys in counted.items()}

    @lru_cache(maxsize=_DAYS_KEPT)
    def counted_on(day: date) -> dict[str, str]:
        return days.counted_objects(s3, place.bucket, ours.get(day, []))

    for day in (day for day in ours if day >= first):
        etags = expired_captures(source, day, {each: counted_on(each) for each in days_beside(source, day)})
        yield day, ours[day], {key: etag for key, etag in etags.items() if key.startswith(place.prefixes)}
