"""Days: a package's profile and what was counted in it, one object a day, replaced with If-Match."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any

from kedge.arrays import Hashes
from kedge.errors import DayContendedError
from kedge.profile import counted_objects as hashes
from kedge.profile.counted_objects import CountedObjects, KnownObjects, decode_objects, encode_objects
from kedge.profile.day import DayProfile, decode_day, decode_origin, encode_day
from kedge.stored import DAY
from lambdas.adapters.bucket import layout, objects, row_objects

_NAME_DIGITS = 32

_ATTEMPTS = 5


def load_day(s3: Any, bucket: str, key: str) -> tuple[DayProfile, str | None]:
    """A day and its ETag; an empty one and None where it has not been counted yet."""
    decode = partial(decode_day, place=f"s3://{bucket}/{key}")
    return objects.decoded(s3, bucket, key, decode) or (DayProfile(), None)


def save_day(s3: Any, bucket: str, key: str, day: DayProfile, *, etag: str | None) -> bool:
    """Replace a day if it still is what was read; False where another run was faster."""
    day = replace(day, counted=_settled(s3, bucket, key, day.counted))
    return objects.replace(s3, bucket, key, encode_day(day), etag=etag)


def load_counted(s3: Any, bucket: str, counted: CountedObjects) -> KnownObjects:
    """The objects that a day has counted."""
    return KnownObjects(_each(s3, bucket, counted))


def _each(s3: Any, bucket: str, counted: CountedObjects) -> Iterator[Hashes]:
    yield counted.held
    for key, found in row_objects.open_ahead(s3, bucket, counted.files):
        if found is None:
            raise DAY.incomplete().at(f"s3://{bucket}/{key}")
        yield decode_objects(b"".join(found.content))


def _settled(s3: Any, bucket: str, day_key: str, counted: CountedObjects) -> CountedObjects:
    """The same objects; where a day would hold many hashes, they are in a file. Like a part's, it counts only where a day names it."""
    if len(counted.held) <= hashes.HELD_MAX:
        return counted
    content = encode_objects(counted.held)
    key = layout.counted_objects_key(day_key, sha256(content).hexdigest()[:_NAME_DIGITS])
    s3.put_object(Bucket=bucket, Key=key, Body=content)
    return counted.moved_to(key)


def counted_days(s3: Any, bucket: str, model: str, *, first: date, last: date = date.max) -> dict[date, list[str]]:
    """Keys of each day from `first` to `last`, both included, that has been counted, one a package that answered on it."""
    found: dict[date, list[str]] = {}
    for package in objects.list_folders(s3, bucket, layout.profiles_prefix(model)):
        # Counted against another package's baseline, a day is only a copy.
        own = f"{package}{package.split('/')[-2]}/"
        before = f"{own}{first - timedelta(days=1):%Y-%m-%d}.npz"
        for key in objects.list_objects(s3, bucket, own, start_after=before):
            day = date.fromisoformat(key.removeprefix(own).removesuffix(".npz"))
            if day <= last:
                found.setdefault(day, []).append(key)
    return dict(sorted(found.items()))


def packages_by_day(s3: Any, bucket: str, model: str, first: date, last: date) -> dict[date, list[str]]:
    """Versions of the packages that answered on each day from `first` to `last`, both included."""
    counted = counted_days(s3, bucket, model, first=first, last=last)
    return {day: [key.split("/")[-2] for key in keys] for day, keys in counted.items()}


def parts_of(s3: Any, bucket: str, keys: Iterable[str]) -> list[str]:
    """Parts of the predictions table with the rows that some days have counted."""
    return [part for day in origins(s3, bucket, keys) for part in day.parts]


def requests_by_hour(s3: Any, bucket: str, keys: Iterable[str]) -> dict[datetime, int]:
    """Captured requests of each hour of some days, whose keys end in the day."""
    found: dict[datetime, int] = {}
    for key in keys:
        midnight = datetime.strptime(key.rpartition("/")[2], "%Y-%m-%d.npz").replace(tzinfo=UTC)
        for day in origins(s3, bucket, [key]):
            for hour, requests in day.requests.items():
                found[midnight + timedelta(hours=hour)] = requests
    return found


def captured_folders(s3: Any, bucket: str, model: str, *, first: date, last: date) -> dict[str, list[str]]:
    """Prefixes of what was counted from `first` to `last`, both included, each once, by the version of the package that answered."""
    found: dict[str, dict[str, None]] = {}
    for keys in counted_days(s3, bucket, model, first=first, last=last).values():
        for key in keys:
            folders = (name for day in origins(s3, bucket, [key]) for name in day.folders)
            found.setdefault(key.split("/")[-2], {}).update(dict.fromkeys(folders))
    return {version: [*folders] for version, folders in found.items()}


def expiring_objects(s3: Any, bucket: str, key: str) -> KnownObjects:
    """The objects that a day has counted, once it notes that its captures expire: from then on what vanishes stays counted.

    Raises
    ------
    DayContendedError
    """
    for _ in range(_ATTEMPTS):
        day, etag = load_day(s3, bucket, key)
        if day.expired or save_day(s3, bucket, key, replace(day, expired=True), etag=etag):
            return load_counted(s3, bucket, day.counted)
    raise DayContendedError(key=key, attempts=_ATTEMPTS)


def origins(s3: Any, bucket: str, keys: Iterable[str]) -> Iterator[DayProfile]:
    """Some days without their hours' counts."""
    found = (objects.decoded(s3, bucket, key, decode_origin) for key in keys)
    return (answer[0] for answer in found if answer is not None)


def parts_of_package(s3: Any, bucket: str, prefix: str, *, first: date, last: date) -> list[str]:
    """Parts of the predictions table with the rows of a package's days below a prefix, from `first` to `last`, both included."""
    there = objects.list_objects(s3, bucket, prefix, start_after=f"{prefix}{first - timedelta(days=1):%Y-%m-%d}.npz")
    return parts_of(s3, bucket, sorted(key for key in there if key <= f"{prefix}{last:%Y-%m-%d}.npz"))


def each_day(s3: Any, bucket: str, prefix: str, *, first: date, last: date) -> Iterator[tuple[date, DayProfile]]:
    """A package's days below a prefix, from `first` to `last`, both included, that have been counted; each is read when it is needed."""
    before = f"{prefix}{first - timedelta(days=1):%Y-%m-%d}.npz"
    there = objects.list_objects(s3, bucket, prefix, start_after=before)
    for day in (first + timedelta(days=n) for n in range((last - first).days + 1)):
        if (key := f"{prefix}{day:%Y-%m-%d}.npz") in there:
            yield day, load_day(s3, bucket, key)[0]
