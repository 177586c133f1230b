"""Days: a package's profile and manifest, one object a day, replaced with If-Match."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any

from kedge.day_profile import DayProfile, decode_day, decode_parts, encode_day
from lambdas.adapters import objects


def day_key(model: str, package_version: str, baseline: str, day: date) -> str:
    """Where a day is kept."""
    return f"profiles/{model}/{package_version}/{baseline}/{day:%Y-%m-%d}.npz"


def load_day(s3: Any, bucket: str, key: str) -> tuple[DayProfile, str | None]:
    """A day and its ETag; an empty one and None where it has not been counted yet."""
    found = objects.read(s3, bucket, key)
    return (decode_day(found[0]), found[1]) if found else (DayProfile(), None)


def save_day(s3: Any, bucket: str, key: str, day: DayProfile, *, etag: str | None) -> bool:
    """Replace a day if it still is what was read; False where another run was faster."""
    return objects.replace(s3, bucket, key, encode_day(day), etag=etag)


def packages_by_day(s3: Any, bucket: str, model: str, first: date, last: date) -> dict[date, list[str]]:
    """Versions of the packages that answered on each day from `first` to `last`, both included."""
    found: dict[date, list[str]] = {}
    for day, key in _counted(s3, bucket, model, first, last):
        found.setdefault(day, []).append(key.split("/")[-3])
    return found


def parts_by_day(s3: Any, bucket: str, model: str, first: date, last: date) -> dict[date, tuple[str, ...]]:
    """Parts of the predictions table of each day from `first` to `last`, both included, whichever package answered."""
    found: dict[date, tuple[str, ...]] = {}
    for day, key in _counted(s3, bucket, model, first, last):
        if (answer := objects.read(s3, bucket, key)) is not None:
            found[day] = (*found.get(day, ()), *decode_parts(answer[0]))
    return found


def counted_since(s3: Any, bucket: str, model: str, first: date) -> dict[date, list[str]]:
    """Keys of each day from `first` on that has been counted, one a package that answered on it."""
    found: dict[date, list[str]] = {}
    for package in objects.list_folders(s3, bucket, f"profiles/{model}/"):
        # Counted against another package's baseline, a day is only a copy.
        own = f"{package}{package.split('/')[-2]}/"
        before = f"{own}{first - timedelta(days=1):%Y-%m-%d}.npz"
        for key in objects.list_objects(s3, bucket, own, start_after=before):
            found.setdefault(date.fromisoformat(key.removeprefix(own).removesuffix(".npz")), []).append(key)
    return found


def parts_of(s3: Any, bucket: str, keys: Iterable[str]) -> list[str]:
    """Parts of the predictions table with the rows that some days have counted."""
    found = (objects.read(s3, bucket, key) for key in keys)
    return [part for answer in found if answer is not None for part in decode_parts(answer[0])]


def _counted(s3: Any, bucket: str, model: str, first: date, last: date) -> Iterator[tuple[date, str]]:
    for key in sorted(objects.list_objects(s3, bucket, f"profiles/{model}/")):
        version, baseline, name = key.split("/")[-3:]
        day = date.fromisoformat(name.removesuffix(".npz"))
        # Counted against another package's baseline, a day is only a copy.
        if version == baseline and first <= day <= last:
            yield day, key


def parts_of_package(
    s3: Any, bucket: str, *, model: str, package_version: str, baseline: str, first: date, last: date
) -> list[str]:
    """Parts of the predictions table with a package's rows, day by day from `first` to `last`, both included."""
    prefix = f"profiles/{model}/{package_version}/{baseline}/"
    there = objects.list_objects(s3, bucket, prefix, start_after=f"{prefix}{first - timedelta(days=1):%Y-%m-%d}.npz")
    return parts_of(s3, bucket, sorted(key for key in there if key <= f"{prefix}{last:%Y-%m-%d}.npz"))


def load_days(
    s3: Any, bucket: str, *, model: str, package_version: str, baseline: str, first: date, last: date
) -> dict[date, DayProfile]:
    """The days from `first` to `last`, both included, that have been counted."""
    prefix = f"profiles/{model}/{package_version}/{baseline}/"
    asked = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    wanted = {f"{prefix}{day:%Y-%m-%d}.npz": day for day in asked}
    before = f"{prefix}{first - timedelta(days=1):%Y-%m-%d}.npz"
    there = objects.list_objects(s3, bucket, prefix, start_after=before)
    return {day: load_day(s3, bucket, key)[0] for key, day in wanted.items() if key in there}


def captured_keys(s3: Any, bucket: str, model: str, *, first: date, last: date) -> list[str]:
    """Capture objects that were counted from `first` to `last`, both included, whichever package answered."""
    keys: dict[str, None] = {}
    for key in sorted(objects.list_objects(s3, bucket, f"profiles/{model}/")):
        if first.isoformat() <= key.rsplit("/", 1)[-1].removesuffix(".npz") <= last.isoformat():
            # A day counted against two baselines names the same objects twice.
            keys |= dict.fromkeys(load_day(s3, bucket, key)[0].manifest)
    return list(keys)
