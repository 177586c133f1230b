"""A day of one package: its hours' profiles, and which objects were folded into them."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from kedge.profile.baseline import Baseline, Profile
from kedge.profile.counted_objects import CountedObjects, decode_objects, encode_objects
from kedge.profile.encoding import decode_header, decode_profiles, encode_profiles
from kedge.profile.packed_profiles import added, rows_of
from kedge.stored import DAY

# The member of a day's file with a variant's own day begins with this.
_VARIANT = "variant_"
# The member with the hashes of the objects that are counted.
_OBJECTS = "objects"
_DAY_FOLDER = re.compile(r".*\d{4}/\d{2}/\d{2}/")


@dataclass(frozen=True)
class DayProfile:
    """Counts and their origin, one object in storage, so that neither can be ahead of the other.

    Attributes
    ----------
    hours : mapping of int to Profile
        UTC hours that have rows.
    counted : CountedObjects
        The capture objects that are counted here.
    parts : tuple of str
        Keys of the predictions table's parts that hold the same rows.
    quarantined, duplicates : int
        Broken records kept aside, and rows whose id had been counted before.
    requests : mapping of int to int
        Captured records of each UTC hour, the broken ones among them: a request may hold several rows.
    left_out : mapping of int to int
        Rows of each UTC hour that were read and not counted, because a sample is. Of these a row that came twice is two.
    folders : tuple of str
        Below which prefixes these objects lie.
    variants : mapping of str to DayProfile
        Of an endpoint with several production variants, what each of them answered; it is counted above too.
    expired : bool
        Whether its objects were old enough to be deleted: what has vanished stays counted.
    """

    hours: Mapping[int, Profile] = field(default_factory=dict)
    counted: CountedObjects = field(default_factory=CountedObjects)
    parts: tuple[str, ...] = ()
    quarantined: int = 0
    duplicates: int = 0
    requests: Mapping[int, int] = field(default_factory=dict)
    left_out: Mapping[int, int] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    variants: Mapping[str, DayProfile] = field(default_factory=dict)
    expired: bool = False

    @property
    def rows(self) -> dict[int, int]:
        """Rows of each hour."""
        return rows_of(self.hours)

    @property
    def rows_read(self) -> dict[int, int]:
        """Rows of each hour, counted or left out."""
        return dict(Counter(self.rows) + Counter(self.left_out))

    def total(self, baseline: Baseline) -> Profile:
        """The day's sum."""
        return sum(self.hours.values(), start=baseline.empty())

    def folded(self, other: DayProfile) -> DayProfile:
        """The day with more objects counted."""
        return replace(
            self,
            hours=added(self.hours, other.hours),
            counted=self.counted.plus(other.counted),
            parts=(*self.parts, *other.parts),
            quarantined=self.quarantined + other.quarantined,
            duplicates=self.duplicates + other.duplicates,
            requests=dict(Counter(self.requests) + Counter(other.requests)),
            left_out=dict(Counter(self.left_out) + Counter(other.left_out)),
            folders=tuple(dict.fromkeys((*self.folders, *other.folders))),
            variants={
                name: self.variants.get(name, DayProfile()).folded(other.variants.get(name, DayProfile()))
                for name in sorted({*self.variants, *other.variants})
            },
        )

    def of_variant(self, name: str) -> DayProfile:
        """The same counts, as those of one production variant too."""
        return replace(self, variants={name: replace(self, parts=())})


def batches_of(sizes: Iterable[tuple[str, int]], limit: int, objects_max: int) -> Iterator[list[str]]:
    """Objects in batches that are each no larger than the limit, or of one object.

    Parameters
    ----------
    sizes : iterable of (str, int)
        Key and bytes of each object, in the order of reading.
    objects_max : int
        How many a batch has at most, however small they are.

    >>> [*batches_of([("a", 3), ("b", 4), ("c", 9), ("d", 1), ("e", 0), ("f", 0)], 7, 2)]
    [['a', 'b'], ['c'], ['d', 'e'], ['f']]
    """
    batch, total = list[str](), 0
    for key, size in sizes:
        if batch and (total + size > limit or len(batch) == objects_max):
            yield batch
            batch, total = [], 0
        batch.append(key)
        total += size
    if batch:
        yield batch


class WindowDigest:
    """Name of everything that some days have counted: the same for the same objects."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, day: date, counted: CountedObjects) -> None:
        """Take a day; days come in the order of time."""
        self._digest.update(f"{day} {counted.count} {counted.fingerprint}\n".encode())

    @property
    def name(self) -> str:
        """16 hexadecimal digits."""
        return self._digest.hexdigest()[:16]


def encode_day(day: DayProfile) -> bytes:
    """Write a day; the same day gives the same bytes."""
    header = {
        "counted": {
            "count": day.counted.count,
            "fingerprint": day.counted.fingerprint,
            "files": list(day.counted.files),
        },
        "folders": list(day.folders),
        "parts": list(day.parts),
        "quarantined": day.quarantined,
        "duplicates": day.duplicates,
        "requests": {str(hour): count for hour, count in sorted(day.requests.items())},
    } | ({"expired": True} if day.expired else {})
    if day.left_out:
        header["left_out"] = {str(hour): count for hour, count in sorted(day.left_out.items())}
    inside = {_OBJECTS: encode_objects(day.counted.held)}
    inside |= {f"{_VARIANT}{name}": encode_day(variant) for name, variant in day.variants.items()}
    return encode_profiles("day", header, day.hours, inside)


def decode_day(data: bytes, place: str = "") -> DayProfile:
    """Read a day; the error of an hour that cannot be unpacked later names the place where it is stored."""
    header, hours, inside = decode_profiles("day", data, place)
    held = inside.pop(_OBJECTS, b"")
    variants = {name.removeprefix(_VARIANT): decode_day(each, place) for name, each in inside.items()}
    return replace(DAY.read(header, lambda found: _day(found, hours, held)), variants=variants)


def decode_origin(data: bytes) -> DayProfile:
    """Read a day without its hours' counts: what was counted and where its rows are, at a fraction of the cost."""
    return decode_header("day", data, lambda header, inside: _day(header, {}, inside), _OBJECTS)


def _day(header: Mapping[str, Any], hours: Mapping[int, Profile], held: bytes) -> DayProfile:
    counted, folders = _counted(header, held)
    return DayProfile(
        hours,
        counted,
        tuple(header["parts"]),
        header["quarantined"],
        header["duplicates"],
        requests={int(hour): count for hour, count in header["requests"].items()},
        left_out={int(hour): count for hour, count in header.get("left_out", {}).items()},
        folders=folders,
        expired=header.get("expired", False),
    )


def _counted(header: Mapping[str, Any], held: bytes) -> tuple[CountedObjects, tuple[str, ...]]:
    if "counted" not in header:
        # Versions 2 and 3 kept each object's key and ETag.
        names = header["manifest"]
        return CountedObjects.of(names), tuple(dict.fromkeys(map(_folder_of, names)))
    facts = header["counted"]
    counted = CountedObjects(facts["count"], facts["fingerprint"], decode_objects(held), tuple(facts["files"]))
    return counted, tuple(header["folders"])


def _folder_of(key: str) -> str:
    found = _DAY_FOLDER.match(key)
    return found[0] if found else key[: key.rfind("/") + 1]
