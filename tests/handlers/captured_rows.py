"""Captured rows in any number, cheaply made: real bookings over and over, under new ids."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

from tests.handlers.aws_world import BUCKET, moto_backend
from tests.handlers.bookings import load_bookings
from tests.handlers.monitor_world import MODEL, Monitor, capture_line

OBJECT_ROWS = 20_000


def put(key: str, body: bytes) -> None:
    """Lay an object into the bucket: botocore reads a body of which it sends a checksum in a time that grows by its square."""
    moto_backend("s3").put_object(BUCKET, key, body)


def captured(  # each is a fact of the captures
    world: Monitor,
    day: date,
    rows: int,
    *,
    name: str = "a",
    version: str = "1",
    score: float = 0.5,
    object_rows: int = OBJECT_ROWS,
) -> None:
    """A day of so many captured rows, spread over its hours in objects of so many."""
    endpoint, stem = world.config.endpoint, f"{name}{day:%m%d}"
    prefix = f"capture/{MODEL}/{version}/{endpoint.name}/{endpoint.variant}/{day:%Y/%m/%d}"
    templates = _templates(world, day, score)
    for number, start in enumerate(range(0, rows, object_rows)):
        lines = (
            f"{stem}-{n:026d}".join(templates[n % len(templates)]) for n in range(start, min(start + object_rows, rows))
        )
        put(f"{prefix}/{number % 24:02d}/{name}{start:09d}.jsonl", "\n".join(lines).encode())


def _templates(world: Monitor, day: date, score: float) -> list[list[str]]:
    return [
        line.split("{id}") for line in lines_of(world, datetime(day.year, day.month, day.day, 12, tzinfo=UTC), score)
    ]


def lines_of(world: Monitor, time: datetime, score: float) -> Iterator[str]:
    """Captured records of some bookings, with `{id}` for their id."""
    bookings = load_bookings("2016-01-03", "2016-02-03").slice(0, 2_000)
    columns = (bookings.column(feature).to_pylist() for feature in world.config.feature_names)
    return (capture_line("{id}", time, values, score) for values in zip(*columns, strict=True))
