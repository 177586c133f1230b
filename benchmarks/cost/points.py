"""Real handlers at two sizes of each thing that their cost grows with, each in an account of its own."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pyarrow as pa
import pytest

from benchmarks.cost.joined_windows import athena, scanned, write_window
from kedge.capture.id_hashes import encode_hashes, hash_ids
from kedge.cost.runs import searches
from kedge.profile.day import encode_day
from lambdas.adapters.bucket import days, layout
from lambdas.adapters.bucket.counted_ids import hashes_key
from lambdas.adapters.state import progress
from tests.handlers.aws_world import BUCKET, TABLE, moto_backend
from tests.handlers.bookings import load_bookings
from tests.handlers.captured_rows import captured, put
from tests.handlers.fleet import fleet
from tests.handlers.large_history import write_history
from tests.handlers.many_labels import answered_day, labels_of_rows
from tests.handlers.memory_watch import endpoint, run_apart
from tests.handlers.monitor_world import MODEL, Monitor, message, monitor_world, scored
from tests.synthesised import EXAMPLE, example_models

END = datetime(2016, 1, 4, tzinfo=UTC)
DAY = date(2016, 1, 3)
LABEL = '{"groundTruthData": {"data": "1", "encoding": "CSV"}, "eventMetadata": {"eventId": "row-%024d"}, "eventVersion": "0"}'
KNOWN_PARTS = 12
# The tick that judges comes when the captures are in.
TIME = "2016-01-04T02:00:00Z"


@dataclass(frozen=True)
class Point:
    """One run of a function: what it had to do, by what its cost grows with, and how the account is made ready for it.

    Behind the function's name may stand which of its ticks it is.
    """

    function: str
    drivers: Mapping[str, float]
    arrange: Callable[[Monitor], None]
    event: Mapping[str, Any]
    # How often the function runs before it is measured: what it keeps for its next run is there then.
    before: int = 0


@contextmanager
def account() -> Iterator[Monitor]:
    """A model that serves since a month, in an account behind HTTP."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with (
        pytest.MonkeyPatch.context() as patch,
        monitor_world(patch, page_items=None) as world,
        athena(patch, END),
        endpoint(patch),
    ):
        world.freeze()
        world.promote(datetime(2015, 12, 1, tzinfo=UTC))
        progress.save_profiled(world.dynamodb, TABLE, MODEL, END - timedelta(days=1))
        yield world


def run(point: Point) -> dict[str, Any]:
    """Run it in an account of its own; the answer also says what the model's objects weigh, by their first folder, and what Athena scanned."""
    handler, _, _ = point.function.partition(" ")
    with account() as world:
        point.arrange(world)
        for _ in range(point.before):
            run_apart(handler, dict(point.event))
        found = run_apart(handler, dict(point.event))
        found["scanned"] = scanned()
        found["bytes"] = {
            folder: bytes_below(folder)
            for folder in ("capture", "predictions", "profiles", "labels", "labelled", "reports", "history")
        }
    if found["error"] is not None:
        raise RuntimeError(f"{point.function}: {found['error']}")
    return found


def bytes_below(folder: str) -> int:
    """What the objects below a folder of the data bucket weigh."""
    objects = moto_backend("s3").buckets[BUCKET].keys.items()
    return sum(found.contentsize for key, found in objects if key.startswith(f"{folder}/"))


def points(rows: int) -> list[Point]:
    """Every function, small and then larger by each of its drivers; `rows` is the larger number of rows a day."""
    return [
        *_profiling(rows),
        *_measuring(rows),
        *_joining(rows),
        *_judging(rows),
        *_afterwards(),
        *_ticks(max(rows // 2000, 2)),
    ]


def _profiling(rows: int) -> list[Point]:
    small, event = 1200, message({"model": MODEL, "time": "2016-01-04T00:30:00Z"})

    def known(count: int, world: Monitor) -> None:
        captured(world, DAY, 24, name="k", object_rows=1)
        run_apart("profile_logs", event)
        key, parts = layout.profile_day_key(MODEL, "1", "1", DAY), []
        for number in range(KNOWN_PARTS):
            part = f"predictions/{MODEL}/package=1/date={DAY}/k{number}.parquet"
            ids = pa.array([f"known-{n:026d}" for n in range(number * count, (number + 1) * count)])
            put(hashes_key(part), encode_hashes(hash_ids(ids)))
            parts.append(part)
        day, _ = days.load_day(world.s3, BUCKET, key)
        put(key, encode_day(replace(day, parts=(*day.parts, *parts))))
        captured(world, DAY, small, object_rows=small // 24)

    def listed(objects: int, world: Monitor) -> None:
        captured(world, DAY, objects, name="k", object_rows=1)
        run_apart("profile_logs", event)
        captured(world, DAY, small, object_rows=small // 24)

    def new(count: int, objects: int, world: Monitor) -> None:
        captured(world, DAY, count, object_rows=count // objects)

    def in_json(count: int, world: Monitor) -> None:
        new(count, 24, world)
        for key in world.keys("capture/"):
            lines = world.read(key).splitlines()
            put(key, b"\n".join(json.dumps(_as_json(json.loads(line), world)).encode() for line in lines))

    point = partial(Point, "profile_logs", event=event)
    base = {"rows": small, "objects": 24, "listed": 0, "known_parts": 0, "known_rows": 0, "json_rows": 0}
    many, seen = min(rows // 50, 2400), min(rows // 20, 4800)
    return [
        point(base, partial(new, small, 24)),
        point(base | {"rows": rows}, partial(new, rows, 24)),
        point(base | {"objects": many, "rows": many}, partial(new, many, many)),
        point(base | {"rows": rows // 10, "json_rows": rows // 10}, partial(in_json, rows // 10)),
        point(base | {"listed": seen, "known_parts": 1, "known_rows": seen}, partial(listed, seen)),
        *(
            point(
                base | {"listed": 24, "known_parts": KNOWN_PARTS + 1, "known_rows": KNOWN_PARTS * count + 24},
                partial(known, count),
            )
            for count in (100, rows // 2)
        ),
    ]


def _as_json(record: dict[str, Any], world: Monitor) -> dict[str, Any]:
    """A captured record whose request is a JSON object, as one without `content_type: text/csv` sends it."""
    request = record["captureData"]["endpointInput"]
    row = dict(zip(world.config.feature_names, request["data"].split(","), strict=True))
    request |= {"data": json.dumps(row), "observedContentType": "application/json", "encoding": "JSON"}
    return record


def _measuring(rows: int) -> list[Point]:
    def history(rows_a_day: int, labels: int, files: int, world: Monitor) -> None:
        write_history(put, world.config, first=DAY - timedelta(days=6), days=7, rows_a_day=rows_a_day)
        for number in range(files):
            ids = range(number * labels // files, (number + 1) * labels // files)
            hour = END - timedelta(hours=1 + number % 24)
            put(f"labels/{MODEL}/{hour:%Y/%m/%d/%H}/{number}.jsonl", "\n".join(LABEL % n for n in ids).encode())

    def point(rows_a_day: int, labels: int, files: int) -> Point:
        window = 7 * rows_a_day
        drivers = {"window_rows": window, "labels": labels, "label_files": files, "searched_rows": window}
        return Point("measure_performance", drivers, partial(history, rows_a_day, labels, files), judgement(7))

    def searched(labels: int, answers: int, world: Monitor) -> None:
        answered_day(DAY, answers)
        labels_of_rows(END + timedelta(days=4, hours=5), 0, labels)

    def search(labels: int, answers: int) -> Point:
        drivers = {
            "window_rows": 0,
            "labels": labels,
            "label_files": 1,
            "searched_rows": searches(labels, size) * answers,
        }
        return Point("measure_performance", drivers, partial(searched, labels, answers), event)

    large, size = max(rows // 10, 1000), len(f"{LABEL % 0}\n")
    # Many labels in no order, of a day of as many rows and of a large one; the window that is judged is a later one.
    start, end = (f"{END + timedelta(days=days):%Y-%m-%d}" for days in (4, 5))
    later = {"start": f"{start}T00:00:00Z", "end": f"{end}T00:00:00Z"}
    event = message({"model": MODEL, "time": f"{end}T02:00:00Z", "window": later})
    return [
        point(200, 240, 24), point(large, 240, 24), point(200, 480, 240), search(5 * rows, 5 * rows),
        search(5 * rows, 50 * rows),
    ]  # fmt: skip


def _joining(rows: int) -> list[Point]:
    def window(rows_a_day: int, world: Monitor) -> None:
        write_window(world, end=END.date(), days=7, rows_a_day=rows_a_day)

    event = judgement(7)
    body = json.loads(event["Records"][0]["body"])
    event = message(body | {"start": body["window"]["start"]})
    return [
        Point("join_labels", {"window_rows": 7 * a_day}, partial(window, a_day), event)
        for a_day in (rows // 20, rows // 4)
    ]


def judgement(window_days: int) -> dict[str, Any]:
    """The message that has a window judged."""
    window = {"start": f"{END - timedelta(days=window_days):%Y-%m-%d}T00:00:00Z", "end": f"{END:%Y-%m-%d}T00:00:00Z"}
    return message({"model": MODEL, "time": TIME, "window": window})


def answered(times: int, world: Monitor) -> None:
    """Four weeks of bookings, each repeated."""
    rows = load_bookings("2015-12-07", "2016-01-04")
    rows = pa.concat_tables([rows] * times)
    world.answer(rows, scored(rows, skill=0.8)[0])


def _judging(rows: int) -> list[Point]:
    a_day = load_bookings("2015-12-07", "2016-01-04").num_rows / 28
    times = max(int(rows // (a_day * 7)), 2)
    return [
        Point("detect_drift", {"window_days": length, "window_rows": length * a_day * many}, partial(answered, many), judgement(length))
        for length, many in ((7, 1), (28, 1), (7, times))
    ]  # fmt: skip


def _afterwards() -> list[Point]:
    def judged(world: Monitor) -> None:
        answered(1, world)
        world.serve(f"{MODEL}-v1-aaaa")
        world.register()
        captured(world, DAY, 240, object_rows=10)
        run_apart("detect_drift", judgement(28))

    of_model, tick = message({"model": MODEL, "time": TIME}), {"time": TIME}
    page = json.loads(json.dumps(of_model))
    page["Records"][0]["messageId"] = "1"
    events = {
        "decide_retraining": of_model,
        "write_pages": page,
        "settle": message({"model": MODEL, "time": TIME, "hourly": True}),
        "watch_captures": of_model,
        "keep_history": tick,
        "expire_captures": tick,
        "send_digest": tick,
    }
    # A page is renewed from what the one before it kept; only a model's first one reads the whole history.
    return [
        Point(function, {}, judged, event, before=int(function == "write_pages")) for function, event in events.items()
    ]


def _ticks(many: int) -> list[Point]:
    def defined(models: int, world: Monitor) -> None:
        text = (
            (example_models() / EXAMPLE).read_text(encoding="utf-8").replace("endpoint:\n", "mode: watch\nendpoint:\n")
        )
        for model in fleet(world, models):
            put(f"models/{model}.yaml", text.replace(MODEL, model).encode())

    ticks = {
        "fan_out hour": {"step": "hour", "cadence": "hourly"},
        "fan_out profile": {"step": "profile", "cadence": "daily"},
        "fan_out judge": {"step": "judge", "cadence": "weekly"},
        "watch_monitor": {},
    }
    return [
        Point(name, {"models": models}, partial(defined, models), {"time": f"{END:%Y-%m-%d}T12:05:00Z", **event}, before=1)
        for name, event in ticks.items()
        for models in (1, many)
    ]  # fmt: skip
