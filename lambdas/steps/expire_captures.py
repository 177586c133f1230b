"""Delete what lies there of a model's old captures, as far as each day that counts them has counted them, or no day ever will."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from itertools import compress
from typing import Any

import numpy as np

from kedge.arrays import Bools
from kedge.capture.source import expiring, source_of
from kedge.config.capture_place import capture_place, log_prefix
from kedge.config.model import ModelConfig
from kedge.config.policies import challenger_variant, is_challenger
from kedge.profile.counted_objects import KnownObjects
from lambdas.adapters.bucket import days, layout, objects
from lambdas.adapters.captures import inference_logs
from lambdas.adapters.release import trials

# An object of a log is counted on up to four days.
_DAYS_KEPT = 4


@dataclass(frozen=True)
class Expired:
    """How many captures were deleted, and how many stay because they were replaced meanwhile.

    `is_whole` says whether the time was enough for all that are old enough.
    """

    deleted: int = 0
    replaced: int = 0
    is_whole: bool = True


@dataclass(frozen=True)
class ExpiryPlace:
    """A model, the bucket of its captures, and the table that knows which versions were tried."""

    s3: Any
    dynamodb: Any
    bucket: str
    table: str
    config: ModelConfig

    def is_ours(self, day_key: str) -> bool:
        """Whether what a package answered was captured into the data bucket: nothing is deleted in others."""
        return not capture_place(self.config, day_key.split("/")[-2], data_bucket=self.bucket).foreign

    @property
    def prefix(self) -> str:
        """Below which captures are deleted."""
        model = self.config.model
        return f"{log_prefix(model)}/" if self.config.source == "log" else layout.captures_prefix(model)


def expire_captures(place: ExpiryPlace, last: date, has_time: Callable[[], bool]) -> Expired:
    """Delete what has expired up to a day, the oldest first, a page of a listing at a time, as far as the time reaches.

    Nothing remembers what was deleted: what still lies there is looked at each night, so what is counted late goes too.
    """
    found = Expired()
    if not has_time():
        return replace(found, is_whole=False)
    listed = inference_logs.list_days(place.s3, place.bucket, place.prefix)
    folders = sorted((day, folder) for day, folder in listed if day <= last)
    if not folders:
        return found
    counted = _Counted(place, folders[0][0], last)
    for day, folder in folders:
        is_nobodys = counted.is_nobodys(day, folder)
        for page in inference_logs.list_pages(place.s3, place.bucket, folder, extension=""):
            if not has_time():
                return replace(found, is_whole=False)
            etags = {key: each.etag for key, each in page.found.items()}
            gone = etags if is_nobodys else counted.expired(etags)
            kept = objects.delete_unchanged(place.s3, place.bucket, gone)
            found = replace(found, deleted=found.deleted + len(gone) - len(kept), replaced=found.replaced + len(kept))
    return found


class _Counted:
    """What the days have counted that count a model's old captures."""

    def __init__(self, place: ExpiryPlace, first: date, last: date) -> None:
        self._place, self._last, self._source = place, last, source_of(place.config)
        # What arrived on a day may be of a few days before.
        first -= timedelta(days=self._source.arrival_days or 0)
        self._keys = days.counted_days(place.s3, place.bucket, place.config.model, first=first, last=last)
        self._trials = trials.load(place.dynamodb, place.table, place.config.model)
        self._of_day = lru_cache(maxsize=_DAYS_KEPT)(self._load)

    def expired(self, etags: Mapping[str, str]) -> dict[str, str]:
        """Those that are old enough, and that each day counts which looks at them, with the content that they have."""
        found = dict[str, str]()
        for counting, keys in expiring(self._source, etags, self._last).items():
            asked = {key: etags[key] for key in keys}
            are_counted = np.logical_and.reduce([self._has(day, asked) for day in counting])
            found |= compress(asked.items(), are_counted)
        return found

    def is_nobodys(self, day: date, folder: str) -> bool:
        """Whether it holds what a version answered that was tried, and that no day counts: a shadow's, or no A/B test's that is known."""
        # capture/{model}/{version}/{endpoint}/{variant}/yyyy/mm/dd/
        parts = folder.split("/")
        if not self._place.config.has_endpoint or not is_challenger(parts[-5]):
            return False
        tried = ((trial.champion_version, challenger_variant(trial.package_version), trial) for trial in self._trials)
        return not any(
            (version, variant) == (parts[2], parts[-5]) and trial.has(day) for version, variant, trial in tried
        )

    def _has(self, day: date, etags: Mapping[str, str]) -> Bools:
        """Which objects some package has counted on a day."""
        found = np.zeros(len(etags), bool)
        for known in self._of_day(day):
            found |= known.look_up(etags)[1]
        return found

    def _load(self, day: date) -> list[KnownObjects]:
        place = self._place
        ours = (key for key in self._keys.get(day, ()) if place.is_ours(key))
        return [days.expiring_objects(place.s3, place.bucket, key) for key in ours]
