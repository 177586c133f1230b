"""Which label files have been folded into the label days, and their faults."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from kedge.stored import LEDGER, build

# However many labels wait, all are looked for this often, if there is time.
LOOK_HOURS_MAX = 24
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class FoldedFiles:
    """What one step of a fold adds to the ledger.

    Attributes
    ----------
    files : mapping of str to str
        ETag of each file that was read, by key.
    broken : mapping of str to mapping
        For files with broken records: their number by reason.
    unknown : mapping of str to int
        Labels given up, because no answered row has their id, by their file.
    partial : mapping of str to str
        For a file that was read in part: its ETag and the last byte read, by key.
    continued : frozenset of str
        Files that an earlier step has read in part: their faults add up.
    slot, waiting : int
        The object in which the step's labels wait for their row, and how many are left in it.
    objects : mapping of str to int
        Days (ISO 8601) to which the step has added labels, and the number of the object that holds them, from 0.
    looked : str or None
        When all of these were looked for (ISO 8601); empty if the days that can still gain rows were left out, None if some lack
        their first search, or if none are left.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    broken: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)
    partial: Mapping[str, str] = field(default_factory=dict)
    continued: frozenset[str] = frozenset()
    slot: int = 0
    waiting: int = 0
    objects: Mapping[str, int] = field(default_factory=dict)
    looked: str | None = None


@dataclass(frozen=True)
class LabelLedger:
    """The label files that were folded, with the extra fields that were read from them.

    Attributes
    ----------
    fields : tuple of str
        The YAML's `labels.fields`; a ledger with other fields is not used.
    files, broken, unknown, partial : mapping
        As in `FoldedFiles`.
    swept : str
        The time (ISO 8601) of the last run that folded everything in the look-back. Without one everything is listed, and nothing is
        forgotten.
    slots : int
        The number of objects in which labels wait for their row.
    waiting, looked : mapping
        How many labels wait in each of them, and when they were last looked for; as in `FoldedFiles`, by its number.
    counted : mapping of str to int
        Which percentage of the rows was counted since when (`kedge.labels.sampled.with_percentage`).
    objects : mapping of str to int
        The number of the newest object of each day that has several.
    """

    fields: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    broken: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)
    swept: str = ""
    partial: Mapping[str, str] = field(default_factory=dict)
    slots: int = 1
    waiting: Mapping[str, int] = field(default_factory=dict)
    looked: Mapping[str, str] = field(default_factory=dict)
    counted: Mapping[str, int] = field(default_factory=dict)
    objects: Mapping[str, int] = field(default_factory=dict)

    def listed_since(self, now: datetime, *, every_run_days: int, look_back_days: int) -> datetime | None:
        """The collection time from which a run lists files; None for all.

        Most files come when they are collected, so the last days are listed with every run, and the whole look-back only once that
        many days have passed.

        >>> now = datetime(2016, 2, 1)
        >>> ledgers = LabelLedger(), LabelLedger(swept="2016-01-31T00:00:00"), LabelLedger(swept="2016-01-20T00:00:00")
        >>> [ledger.listed_since(now, every_run_days=7, look_back_days=30) for ledger in ledgers]
        [None, datetime.datetime(2016, 1, 25, 0, 0), datetime.datetime(2016, 1, 2, 0, 0)]
        """
        if not self.swept:
            return None
        recent = now - datetime.fromisoformat(self.swept) < timedelta(days=every_run_days)
        return now - timedelta(days=every_run_days if recent else look_back_days)

    def new_files(self, listing: Mapping[str, str]) -> list[str]:
        """Keys that have not been folded as they are, oldest first.

        >>> LabelLedger(files={"a": "1", "b": "1"}).new_files({"c": "1", "a": "1", "b": "2"})
        ['b', 'c']
        """
        return sorted(key for key, etag in listing.items() if self.files.get(key) != etag)

    def with_folded(self, folded: FoldedFiles, *, before: LabelLedger) -> LabelLedger:
        """The ledger after a step, whatever other runs have written since the step began.

        If two runs have read different contents of one file, it is unknown which was merged last. The file is then
        forgotten, so that the next run reads it again.

        Parameters
        ----------
        before : LabelLedger
            The ledger at the beginning of the step.

        >>> theirs = LabelLedger(files={"a": "2", "b": "1"})
        >>> sorted(theirs.with_folded(FoldedFiles({"a": "1", "b": "1", "c": "1"}), before=LabelLedger()).files)
        ['b', 'c']
        """
        agreed = {key for key, etag in folded.files.items() if self.files.get(key) in (before.files.get(key), etag)}
        files = {key: etag for key, etag in self.files.items() if key not in folded.files}
        # A file that is read again reports its broken and unknown labels again.
        again = (folded.files.keys() | folded.partial.keys()) - folded.continued
        broken = {key: found for key, found in self.broken.items() if key not in again}
        unknown = {key: count for key, count in self.unknown.items() if key not in again}
        more = {key: dict(Counter(broken.get(key, {})) + Counter(found)) for key, found in folded.broken.items()}
        partial = {key: read for key, read in self.partial.items() if key not in folded.files}
        slot, looked = str(folded.slot), dict(self.looked)
        before_that = looked.pop(slot, "")
        newest = {day: max(number, self.objects.get(day, 0)) for day, number in folded.objects.items() if number}
        return replace(
            self,
            files=files | {key: folded.files[key] for key in agreed},
            broken={**broken, **more},
            unknown=dict(Counter(unknown) + Counter(folded.unknown)),
            partial={**partial, **folded.partial},
            slots=max(self.slots, folded.slot + 1),
            waiting={**self.waiting, slot: folded.waiting} if folded.waiting else _without(self.waiting, slot),
            looked=looked if folded.looked is None else {**looked, slot: max(before_that, folded.looked)},
            objects={**self.objects, **newest},
        )

    @property
    def unsearched(self) -> list[int]:
        """Objects of waiting labels, some of whose labels may lack their first search.

        >>> LabelLedger(slots=3, looked={"1": ""}).unsearched
        [0, 2]
        """
        return [slot for slot in range(self.slots) if str(slot) not in self.looked]

    def due(self, now: datetime) -> list[int]:
        """The other such objects whose labels are to be looked for again, those that have waited longest first.

        A look takes as long whether few or many labels wait in an object. So of several each is due after as many hours as there are
        objects, and of many once a day.

        >>> ledger = LabelLedger(slots=3, looked={"0": "2016-02-01T06:00:00", "1": "2016-02-01T04:00:00", "2": ""})
        >>> ledger.due(datetime(2016, 2, 1, 8))
        [2, 1]
        """
        # Half an hour less: runs do not start to the second.
        latest = now - timedelta(hours=min(len(self.looked), LOOK_HOURS_MAX) - 0.5)
        found = [
            (time, int(slot))
            for slot, time in self.looked.items()
            if not time or datetime.fromisoformat(time) <= latest
        ]
        return [slot for _, slot in sorted(found)]

    def read_up_to(self, key: str, etag: str) -> int:
        """The byte from which a file must still be read.

        >>> ledger = LabelLedger(partial={"a": "1 700"})
        >>> ledger.read_up_to("a", "1"), ledger.read_up_to("a", "2"), ledger.read_up_to("b", "1")
        (700, 0, 0)
        """
        read, _, end = self.partial.get(key, "").rpartition(" ")
        return int(end) if read == etag else 0

    def since(self, first: str) -> LabelLedger:
        """The ledger without the files before this key.

        >>> LabelLedger(files={"2016/01": "1", "2016/02": "1"}).since("2016/02").files
        {'2016/02': '1'}
        """
        return replace(
            self,
            files=_since(self.files, first),
            broken=_since(self.broken, first),
            unknown=_since(self.unknown, first),
            partial=_since(self.partial, first),
        )

    @property
    def broken_by_reason(self) -> dict[str, int]:
        """Broken records of all the files."""
        total: Counter[str] = sum((Counter(found) for found in self.broken.values()), start=Counter())
        return dict(total)


def encode_ledger(ledger: LabelLedger) -> bytes:
    """Write a ledger; the same one gives the same bytes."""
    return json.dumps(LEDGER.marked(vars(ledger)), sort_keys=True).encode()


def decode_ledger(data: bytes) -> LabelLedger:
    """Read a ledger.

    >>> ledger = LabelLedger(("refund",), {"a": "1"})
    >>> decode_ledger(encode_ledger(ledger)) == ledger
    True
    """
    return LEDGER.read_json(data, lambda found: build(LabelLedger, {**found, "fields": tuple(found["fields"])}))


def _without(part: Mapping[str, _Value], key: str) -> dict[str, _Value]:
    return {each: value for each, value in part.items() if each != key}


def _since(part: Mapping[str, _Value], first: str) -> dict[str, _Value]:
    return {key: value for key, value in part.items() if key >= first}
