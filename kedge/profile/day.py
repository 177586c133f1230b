"""A day of one package: its hours' profiles, and the manifest of the objects that were folded into them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kedge.profile.baseline import Baseline, Profile
from kedge.profile.encoding import decode_header, decode_profiles, encode_profiles
from kedge.profile.packed_profiles import added, rows_of
from kedge.stored import DAY

# The member of a day's file with a variant's own day begins with this.
_VARIANT = "variant_"


@dataclass(frozen=True)
class DayProfile:
    """Counts and their origin, one object in storage, so that neither can be ahead of the other.

    Attributes
    ----------
    hours : mapping of int to Profile
        UTC hours that have rows.
    manifest : mapping of str to str
        ETag of each capture object that is counted here, by key.
    parts : tuple of str
        Keys of the predictions table's parts that hold the same rows.
    quarantined, duplicates : int
        Broken records kept aside, and rows whose id had been counted before.
    requests : mapping of int to int
        Captured records of each UTC hour, the broken ones among them: a request may hold several rows.
    left_out : mapping of int to int
        Rows of each UTC hour that were read and not counted, because a sample is. Of these a row that came twice is two.
    variants : mapping of str to DayProfile
        Of an endpoint with several production variants, what each of them answered; it is counted above too.
    expired : bool
        Whether its objects were old enough to be deleted: what has vanished stays counted.
    """

    hours: Mapping[int, Profile] = field(default_factory=dict)
    manifest: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[str, ...] = ()
    quarantined: int = 0
    duplicates: int = 0
    requests: Mapping[int, int] = field(default_factory=dict)
    left_out: Mapping[int, int] = field(default_factory=dict)
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
            manifest={**self.manifest, **other.manifest},
            parts=(*self.parts, *other.parts),
            quarantined=self.quarantined + other.quarantined,
            duplicates=self.duplicates + other.duplicates,
            requests=dict(Counter(self.requests) + Counter(other.requests)),
            left_out=dict(Counter(self.left_out) + Counter(other.left_out)),
            variants={
                name: self.variants.get(name, DayProfile()).folded(other.variants.get(name, DayProfile()))
                for name in sorted({*self.variants, *other.variants})
            },
        )

    def of_variant(self, name: str) -> DayProfile:
        """The same counts, as those of one production variant too."""
        return replace(self, variants={name: replace(self, parts=())})


@dataclass(frozen=True)
class FoldPlan:
    """What a listing shows that a day does not hold yet.

    `rebuild` is set where an object changed or vanished: counts cannot be taken back, so the whole day is
    counted again; `keys` then names every object that is there.
    """

    keys: tuple[str, ...]
    rebuild: bool

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.keys and not self.rebuild


def plan_fold(manifest: Mapping[str, str], listing: Mapping[str, str], *, only_gains: bool = False) -> FoldPlan:
    """Compare what was folded with what is there, both ETags by key.

    Parameters
    ----------
    only_gains : bool
        Whether objects that changed or vanished are left as they were counted: an old day's may have been archived.

    >>> plan_fold({"a": "1"}, {"a": "1", "b": "2"})
    FoldPlan(keys=('b',), rebuild=False)
    >>> plan_fold({"a": "1"}, {"a": "9", "b": "2"})
    FoldPlan(keys=('a', 'b'), rebuild=True)
    """
    stale = not only_gains and any(listing.get(key) != etag for key, etag in manifest.items())
    keys = sorted(listing) if stale else sorted(listing.keys() - manifest.keys())
    return FoldPlan(tuple(keys), stale)


def batches_of(sizes: Mapping[str, int], limit: int) -> Iterator[list[str]]:
    """Objects in batches that are each no larger than the limit, or of one object.

    Parameters
    ----------
    sizes : mapping of str to int
        Bytes of each object, by key, in the order of reading.

    >>> [*batches_of({"a": 3, "b": 4, "c": 9, "d": 1}, 7)]
    [['a', 'b'], ['c'], ['d']]
    """
    batch, total = list[str](), 0
    for key, size in sizes.items():
        if batch and total + size > limit:
            yield batch
            batch, total = [], 0
        batch.append(key)
        total += size
    if batch:
        yield batch


def manifest_digest(manifests: Mapping[str, Mapping[str, str]]) -> str:
    """Name of everything that was counted: 16 hexadecimal digits, the same for the same objects.

    Parameters
    ----------
    manifests : mapping of str to mapping
        Each day's manifest, by day.
    """
    digest = hashlib.sha256()
    for day in sorted(manifests):
        for key in sorted(manifests[day]):
            digest.update(f"{key} {manifests[day][key]}\n".encode())
    return digest.hexdigest()[:16]


def encode_day(day: DayProfile) -> bytes:
    """Write a day; the same day gives the same bytes."""
    header = {
        "manifest": dict(sorted(day.manifest.items())),
        "parts": list(day.parts),
        "quarantined": day.quarantined,
        "duplicates": day.duplicates,
        "requests": {str(hour): count for hour, count in sorted(day.requests.items())},
    } | ({"expired": True} if day.expired else {})
    if day.left_out:
        header["left_out"] = {str(hour): count for hour, count in sorted(day.left_out.items())}
    inside = {f"{_VARIANT}{name}": encode_day(variant) for name, variant in day.variants.items()}
    return encode_profiles("day", header, day.hours, inside)


def decode_day(data: bytes) -> DayProfile:
    """Read a day."""
    header, hours, inside = decode_profiles("day", data)
    variants = {name.removeprefix(_VARIANT): decode_day(each) for name, each in inside.items()}
    return replace(DAY.read(header, lambda found: _day(found, hours)), variants=variants)


def decode_origin(data: bytes) -> DayProfile:
    """Read a day without its hours' counts: what was counted and where its rows are, at a fraction of the cost."""
    return decode_header("day", data, lambda header: _day(header, {}))


def _day(header: Mapping[str, Any], hours: Mapping[int, Profile]) -> DayProfile:
    return DayProfile(
        hours,
        header["manifest"],
        tuple(header["parts"]),
        header["quarantined"],
        header["duplicates"],
        requests={int(hour): count for hour, count in header["requests"].items()},
        left_out={int(hour): count for hour, count in header.get("left_out", {}).items()},
        expired=header.get("expired", False),
    )
