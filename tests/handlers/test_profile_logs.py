"""profile_logs folds what was captured, each row once, whatever arrives when."""

import io
import itertools
import json
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import boto3
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from kedge.capture import id_hashes
from kedge.capture import lines as capture_lines
from kedge.errors import DayContendedError, EncodingError, ObjectsRefusedError
from kedge.package_schema import encode_schema
from kedge.profile import counted_objects
from kedge.profile.day import DayProfile, encode_day
from lambdas.adapters import clients
from lambdas.adapters.bucket import baselines, days, row_objects
from lambdas.adapters.release import trials
from lambdas.adapters.release.trials import AbTrial
from lambdas.adapters.state import served
from lambdas.handlers.profile_logs import ROUNDS_MAX, handler
from lambdas.steps.counting import day_folding, waiting_rows
from lambdas.steps.counting.counting_place import CountingPlace
from lambdas.steps.counting.day_folding import fold_day
from tests.conditional_writes import CONFLICT, FINE, LOST, faults
from tests.handlers.aws_world import CONTEXT
from tests.handlers.bookings import load_bookings
from tests.handlers.interleaving import interleave
from tests.handlers.monitor_world import BUCKET, MODEL, TABLE, load_event, message, monitor_world, scored

DAY = date(2016, 1, 3)
KEY = f"profiles/{MODEL}/1/1/2016-01-03.npz"


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world:
        world.freeze()
        world.promote(datetime(2015, 10, 1, tzinfo=UTC))
        yield world


@pytest.fixture(scope="module")
def bookings():
    return load_bookings("2016-01-03", "2016-01-04")


def run() -> dict:
    return json.loads(json.dumps(handler(load_event("message_profile"), CONTEXT)))


def day_of(world, key: str = KEY):
    return days.load_day(world.s3, BUCKET, key)[0]


def rows_counted(world, key: str = KEY) -> int:
    return sum(profile.rows for profile in day_of(world, key).hours.values())


def table_of(world, key: str = KEY) -> pa.Table:
    parts = [pq.read_table(io.BytesIO(world.read(part))) for part in day_of(world, key).parts]
    return pa.concat_tables(parts)


def capture(world, bookings, **names) -> list[str]:
    return world.capture(bookings, scored(bookings, skill=0.8)[0], **names)


def test_a_package_is_read_by_the_schema_that_it_was_released_with_whatever_the_yaml_says_now(world, bookings):
    names = world.config.feature_names
    world.config = world.config.model_copy(update={"features": world.config.features[:-2]})
    world.put(f"baselines/{MODEL}/1/schema.json", encode_schema(world.config))
    world.freeze()
    capture(world, bookings)
    totals = run()
    assert (totals["RowsCaptured"], totals["RecordsQuarantined"]) == (bookings.num_rows, 0)
    assert table_of(world).column_names[3:-1] == [*names[:-2]]


def test_every_captured_row_is_counted_and_kept(world, bookings):
    capture(world, bookings)
    assert run()["RowsCaptured"] == bookings.num_rows
    assert rows_counted(world) == bookings.num_rows
    table = table_of(world)
    assert sorted(table.column("kedge_row_id").to_pylist()) == sorted(map(str, bookings.column("id").to_pylist()))
    assert table.column_names == [
        "kedge_row_id",
        "kedge_event_id",
        "kedge_time",
        *world.config.feature_names,
        "prediction",
    ]
    assert table.schema.field("adr").type == pa.float32()


def test_hours_are_those_of_the_capture_keys(world, bookings):
    capture(world, bookings)
    run()
    hours = {time.hour for time in bookings.column("kedge_time").to_pylist()}
    assert set(day_of(world).hours) == hours


def test_nothing_new_means_nothing_written(world, bookings):
    capture(world, bookings)
    run()
    before = world.s3.head_object(Bucket=BUCKET, Key=KEY)["ETag"]
    assert run() == {"RowsCaptured": 0, "RecordsQuarantined": 0, "RowsDuplicated": 0}
    assert world.s3.head_object(Bucket=BUCKET, Key=KEY)["ETag"] == before
    assert len(world.keys("predictions/")) == 1


def test_late_files_join_the_day_they_belong_to(world, bookings):
    capture(world, bookings.slice(0, 30))
    run()
    capture(world, bookings.slice(30), name="late")
    assert run()["RowsCaptured"] == bookings.num_rows - 30
    assert rows_counted(world) == bookings.num_rows == table_of(world).num_rows


def test_a_row_that_was_captured_twice_is_counted_once(world, bookings):
    capture(world, bookings)
    run()
    capture(world, bookings.slice(0, 10), name="again")
    added = run()
    assert (added["RowsCaptured"], added["RowsDuplicated"]) == (0, 10)
    assert rows_counted(world) == bookings.num_rows == table_of(world).num_rows


def test_a_row_that_is_twice_in_one_batch_is_counted_once(world, bookings):
    capture(world, bookings)
    capture(world, bookings.slice(0, 10), name="again")
    assert run()["RowsDuplicated"] == 10
    assert rows_counted(world) == bookings.num_rows


def test_a_changed_object_has_its_day_counted_again(world, bookings):
    keys = capture(world, bookings)
    run()
    fewer = world.read(keys[0]).splitlines()[:1]
    removed = len(world.read(keys[0]).splitlines()) - 1
    world.put(keys[0], b"\n".join(fewer))
    run()
    assert rows_counted(world) == bookings.num_rows - removed == table_of(world).num_rows


def test_a_vanished_object_takes_its_rows_along(world, bookings):
    keys = capture(world, bookings)
    run()
    gone = len(world.read(keys[0]).splitlines())
    world.s3.delete_object(Bucket=BUCKET, Key=keys[0])
    run()
    assert rows_counted(world) == bookings.num_rows - gone == table_of(world).num_rows
    assert day_of(world).counted.count == len(keys) - 1


def test_a_row_whose_first_copy_vanished_is_counted_from_its_second(world, bookings):
    """The second file's part must not keep the name that it had while the first file's rows were left out of it."""
    first = capture(world, bookings.slice(0, 10))
    run()
    capture(world, bookings, name="second")
    run()
    for key in first:
        world.s3.delete_object(Bucket=BUCKET, Key=key)
    run()
    assert rows_counted(world) == bookings.num_rows == table_of(world).num_rows
    assert len(world.keys("predictions/")) == 3


def test_broken_lines_are_kept_aside_with_their_reason(world, bookings):
    keys = capture(world, bookings)
    whole = world.read(keys[0])
    world.put(keys[0], whole + b'\n{"captureData": \nnot a record')
    added = run()
    assert (added["RowsCaptured"], added["RecordsQuarantined"]) == (bookings.num_rows, 2)
    (key,) = world.keys(f"quarantine/{MODEL}/1/2016-01-03/")
    aside = [json.loads(line) for line in world.read(key).splitlines()]
    first_broken = len(whole.splitlines()) + 1
    assert [(entry["key"], entry["line"]) for entry in aside] == [(keys[0], first_broken), (keys[0], first_broken + 1)]
    assert all(entry["reason"].startswith("not JSON") for entry in aside)
    assert aside[1]["record"] == "not a record"


def test_a_canary_is_counted_apart_on_its_own_baseline(world, bookings):
    world.freeze("2")
    served.save(world.dynamodb, TABLE, MODEL, "2", since=datetime(2016, 1, 3, tzinfo=UTC))
    capture(world, bookings.slice(0, 40))
    capture(world, bookings.slice(40), version="2")
    run()
    assert rows_counted(world) == 40
    assert rows_counted(world, f"profiles/{MODEL}/2/2/2016-01-03.npz") == bookings.num_rows - 40


def tried(world, version: str, *, ago_days: int = 0) -> None:
    """A version answers beside the champion since the day before, or has until some days ago."""
    begin = datetime(2016, 1, 2, tzinfo=UTC) - timedelta(days=ago_days)
    trials.begin(world.dynamodb, TABLE, MODEL, AbTrial(version, "1", begin, begin + timedelta(days=3)))


def test_what_a_version_answers_in_an_ab_test_is_counted_as_its_own_and_the_champions_as_the_champions(world, bookings):
    world.freeze("2")
    tried(world, "2")
    capture(world, bookings.slice(0, 40))
    capture(world, bookings.slice(40), variant="kedge-challenger-v2")
    run()
    assert (rows_counted(world), rows_counted(world, KEY.replace("/1/1/", "/2/2/"))) == (40, bookings.num_rows - 40)
    # Promoted on the same day it is captured in its own place; and nothing is counted twice.
    capture(world, load_bookings("2016-01-04", "2016-01-05").slice(0, 5), version="2", name="later")
    served.save(world.dynamodb, TABLE, MODEL, "2", since=datetime(2016, 1, 3, tzinfo=UTC))
    trials.end(world.dynamodb, TABLE, MODEL, "2", now=datetime(2016, 1, 3, 12, tzinfo=UTC))
    assert run()["RowsDuplicated"] == 0
    assert rows_counted(world, KEY.replace("/1/1/", "/2/2/")) == bookings.num_rows - 40


def test_a_shadows_captures_and_those_of_another_version_are_nobodys(world, bookings):
    world.freeze("2")
    tried(world, "2")
    capture(world, bookings.slice(0, 40), variant="kedge-challenger")
    capture(world, bookings.slice(40), variant="kedge-challenger-v3")
    assert run()["RowsCaptured"] == 0


def test_a_version_that_was_tried_long_ago_is_counted_again_only_when_somebody_asks(world, bookings):
    world.freeze("2")
    run()
    tried(world, "2", ago_days=20)
    early = load_bookings("2015-12-14", "2015-12-15")
    capture(world, early, variant="kedge-challenger-v2")
    assert run()["RowsCaptured"] == 0
    asked = at("2016-01-04", since="2015-12-14", until="2015-12-14", package="2")
    assert handler(asked, CONTEXT)["RowsCaptured"] == early.num_rows


def test_days_before_the_last_two_are_left_alone_once_a_run_has_counted_everything(world):
    run()
    capture(world, load_bookings("2016-01-01", "2016-01-02"))
    assert run()["RowsCaptured"] == 0


def test_a_quiet_run_lists_and_reads_each_day_once(world, bookings):
    capture(world, bookings)
    run()
    calls = []

    def note(model, params, **_):
        if "ContinuationToken" not in params:  # the next page of a listing is no further listing
            calls.append(model.name)

    world.s3.meta.events.register("provide-client-params.s3", note)
    run()
    # The definition, the baseline and its schema once, and for each of three days its object and one listing.
    assert sorted(calls) == ["GetObject"] * 6 + ["ListObjectsV2"] * 3


def test_two_folds_interleaved_at_every_step_lose_and_double_nothing(world, bookings):
    early, late = hours_of(bookings, 0), hours_of(bookings, 1)
    baseline = baselines.load_baseline(world.s3, BUCKET, MODEL, "1")
    place = CountingPlace(BUCKET, world.config, "1", baseline, DAY)

    def arrange():
        for prefix in ("profiles/", "predictions/", "capture/"):
            for key in world.keys(prefix):
                world.s3.delete_object(Bucket=BUCKET, Key=key)
        capture(world, early)

    def fold():
        fold_day(place)

    arrange()
    steps = interleave(world.s3, fold, fold, 1000, 0)
    # Every third step of the other run, from step to step of this one a different third.
    for first, second in ((one, other) for one in range(steps + 1) for other in range(one % 3, steps + 1, 3)):
        arrange()
        # A file arrives while the first run is under way: the second sees more than the first.
        interleave(world.s3, fold, fold, first, second, between=lambda: capture(world, late, name="late"))
        fold()
        answered = table_of(world).column("kedge_row_id").to_pylist()
        assert rows_counted(world) == len(set(answered)) == len(answered) == early.num_rows + late.num_rows, (
            first,
            second,
        )


@pytest.mark.parametrize("given", list(itertools.product([CONFLICT, LOST, FINE], repeat=2)))
def test_a_day_whose_writes_are_refused_without_a_race_loses_and_doubles_nothing(world, bookings, given):
    early, late = hours_of(bookings, 0), hours_of(bookings, 1)
    capture(world, early)
    with faults(world.s3, *given) as left:
        first = run()
        capture(world, late, name="late")
        assert first["RowsCaptured"] + run()["RowsCaptured"] == early.num_rows + late.num_rows
    answered = table_of(world).column("kedge_row_id").to_pylist()
    assert (left, rows_counted(world), len(set(answered))) == ([], len(answered), early.num_rows + late.num_rows)


def test_a_day_that_is_always_replaced_by_others_is_tried_again_later(world, bookings):
    capture(world, hours_of(bookings, 0))
    place = CountingPlace(BUCKET, world.config, "1", baselines.load_baseline(world.s3, BUCKET, MODEL, "1"), DAY)

    def meddle(params, **_):
        if {"If-Match", "If-None-Match"} & set(params["headers"]):
            other.put_object(Bucket=BUCKET, Key=KEY, Body=encode_day(DayProfile(quarantined=next(counter))))

    other, counter = boto3.client("s3"), itertools.count()
    world.s3.meta.events.register("before-call.s3.PutObject", meddle, unique_id="meddle")
    with pytest.raises(DayContendedError):
        fold_day(place)


def hours_of(bookings: pa.Table, hour: int) -> pa.Table:
    return bookings.filter(pc.equal(pc.hour(bookings.column("kedge_time")), hour))


def test_a_day_knows_how_many_records_each_hour_captured(world, bookings):
    capture(world, bookings)
    run()
    hours = pc.value_counts(pc.hour(bookings.column("kedge_time"))).to_pylist()
    assert day_of(world).requests == {entry["values"]: entry["counts"] for entry in hours}


def content_of(world, key: str = KEY) -> tuple:
    """All that a day says and all that stands beside it, whatever batches it was counted in."""
    day, found = day_of(world, key), table_of(world, key)
    aside = [
        json.loads(line) for name in world.keys(f"quarantine/{MODEL}/1/") for line in world.read(name).splitlines()
    ]
    hours = {hour: (profile.rows, profile.counts.tolist()) for hour, profile in day.hours.items()}
    rows = found.sort_by("kedge_row_id").to_pylist()
    broken = sorted((entry["key"], entry["line"], entry["reason"], entry["record"]) for entry in aside)
    return hours, day.counted, day.quarantined, day.duplicates, rows, broken


@pytest.mark.parametrize(
    ("size", "waiting"), [(1, 1), (1, 1 << 30), (700, 40_000), (2_500, 1 << 30), (9_000, 1), (9_000, 40_000)]
)
def test_whatever_the_batches_the_same_rows_are_counted_dropped_and_kept_aside(
    world, bookings, monkeypatch, size, waiting
):
    def arrange():
        keys = capture(world, bookings)
        capture(world, bookings.slice(5, 20), name="again")
        world.put(keys[2], b"broken\n" + world.read(keys[2]) + b"\n\n" + b"x" * 700 + b"\n{}")
        world.put(keys[3], b"\n".join([world.read(keys[3])] * 3))

    arrange()
    run()
    expected = content_of(world)
    for prefix in ("profiles/", "predictions/", "quarantine/"):
        for key in world.keys(prefix):
            world.s3.delete_object(Bucket=BUCKET, Key=key)
    monkeypatch.setattr(day_folding, "BATCH_BYTES", size)
    monkeypatch.setattr(waiting_rows, "PACKED_BYTES", waiting)
    monkeypatch.setattr(row_objects, "READ_AHEAD_BYTES", max(size // 3, 300))
    run()
    assert content_of(world) == expected
    assert (expected[2], sum(rows for rows, _ in expected[0].values())) == (3, bookings.num_rows)
    assert expected[3] > 20


def test_a_run_stops_before_its_time_is_over_and_asks_for_itself_until_all_is_counted(world, bookings, monkeypatch):
    monkeypatch.setattr(day_folding, "BATCH_BYTES", 1)
    capture(world, bookings)
    reads = []

    def note(params, **_):
        reads.extend([1] if "capture/" in params["url_path"] else [])

    world.s3.meta.events.register("before-call.s3.GetObject", note)
    # Enough for two objects a run.
    monkeypatch.setattr(CONTEXT, "get_remaining_time_in_millis", lambda: 0 if len(reads) >= 2 else 600_000)
    counted, rounds, event = [], [], load_event("message_profile")
    while event:
        reads.clear()
        handler(event, CONTEXT)
        counted.append(rows_counted(world))
        event = next(map(message, world.received("profile")), None)
        rounds += [json.loads(event["Records"][0]["body"])["round"]] if event else []
    assert counted == sorted(set(counted))
    assert rounds == list(range(1, ROUNDS_MAX + 1))
    # A chain of runs ends, and the next tick goes on.
    while world.item("profiled") is None:
        reads.clear()
        run()
    assert rows_counted(world) == bookings.num_rows == table_of(world).num_rows


def test_a_listing_that_outlasts_the_time_is_gone_on_with_where_it_stopped(world, bookings, monkeypatch):
    last = max(time.hour for time in bookings.column("kedge_time").to_pylist())
    late = hours_of(bookings, last)
    capture(world, bookings)
    run()
    capture(
        world, late.set_column(0, "id", pa.array([f"late {row}" for row in late.column("id").to_pylist()])), name="late"
    )
    # The time is enough for one page of each listing.
    with monkeypatch.context() as patch:
        patch.setattr(CONTEXT, "get_remaining_time_in_millis", lambda: 0)
        run()
        stops = []
        while (bodies := world.received("profile")) and len(stops) < 2:
            stops.append(bodies[0]["stopped"]["after"])
            handler(message(bodies[0]), CONTEXT)
    assert stops == sorted({*stops, f"capture/{MODEL}/1/"})[1:]
    assert rows_counted(world) == bookings.num_rows
    assert handler(message(bodies[0]), CONTEXT)["RowsCaptured"] == late.num_rows
    assert rows_counted(world) == bookings.num_rows + late.num_rows
    assert world.item("profiled") is not None


def test_objects_beyond_those_that_a_day_holds_are_known_from_files_beside_it(world, bookings, monkeypatch):
    monkeypatch.setattr(counted_objects, "HELD_MAX", 3)
    keys = capture(world, bookings)
    assert len(keys) > 3
    run()
    capture(world, bookings.slice(0, 5), name="again")
    run()
    counted = day_of(world).counted
    assert counted.files == tuple(world.keys(f"profiles/{MODEL}/1/objects/2016-01-03/")) or len(counted.files) == 2
    assert len(counted.held) <= 3
    assert run() == {"RowsCaptured": 0, "RecordsQuarantined": 0, "RowsDuplicated": 0}
    removed = len(world.read(keys[0]).splitlines()) - 1
    world.put(keys[0], world.read(keys[0]).splitlines()[0])
    run()
    assert rows_counted(world) >= bookings.num_rows - removed
    world.s3.delete_object(Bucket=BUCKET, Key=day_of(world).counted.files[0])
    with pytest.raises(EncodingError, match=r"objects/2016-01-03/.*\.hashes is no complete file .* delete it"):
        run()


def test_a_run_without_progress_asks_for_nothing(world, bookings, monkeypatch):
    capture(world, bookings)
    monkeypatch.setattr(CONTEXT, "get_remaining_time_in_millis", lambda: 0)
    run()
    # The newest day was seen to hold nothing new: the next run begins behind it, and gets no further.
    (body,) = world.received("profile")
    assert json.loads(json.dumps(body))["stopped"] == {"day": "2016-01-03", "package": "1", "after": ""}
    handler(message(body), CONTEXT)
    assert (world.received("profile"), world.item("profiled")) == ([], None)


def test_a_run_begins_no_batch_whose_search_for_known_ids_outlasts_its_time(world, bookings, monkeypatch):
    capture(world, bookings.slice(0, 30))
    run()
    day, etag = days.load_day(world.s3, BUCKET, KEY)
    known = tuple(f"predictions/{MODEL}/package=1/date=2016-01-03/{n}.parquet" for n in range(100))
    days.save_day(world.s3, BUCKET, KEY, replace(day, parts=(*day.parts, *known)), etag=etag)
    capture(world, bookings.slice(30), name="late")
    # A second and a half of search behind two minutes of reading and counting.
    monkeypatch.setattr(CONTEXT, "get_remaining_time_in_millis", lambda: 121_000)
    assert run()["RowsCaptured"] == 0
    monkeypatch.setattr(CONTEXT, "get_remaining_time_in_millis", lambda: 122_000)
    assert run()["RowsCaptured"] == bookings.num_rows - 30


@contextmanager
def refused(world, key: str, code: str, *, but: int = 0):
    """S3 refuses an object, but for its first so many reads."""
    reads = itertools.count()

    def refuse(params, **_):
        if params["url_path"].endswith(key) and next(reads) >= but:
            error = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
            return SimpleNamespace(status_code=403, headers={}), error
        return None

    world.s3.meta.events.register("before-call.s3.GetObject", refuse, unique_id="refuse")
    try:
        yield
    finally:
        world.s3.meta.events.unregister("before-call.s3.GetObject", refuse, unique_id="refuse")


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidObjectState"])
def test_an_object_that_is_refused_keeps_no_other_waiting_and_is_counted_once_it_is_given(world, bookings, code):
    keys = capture(world, bookings)
    lost = len(world.read(keys[1]).splitlines())
    for _ in range(2):
        with (
            refused(world, keys[1], code),
            pytest.raises(ObjectsRefusedError, match=f"s3://{BUCKET}/.*{code}.*each run tries again"),
        ):
            run()
        assert rows_counted(world) == bookings.num_rows - lost
        assert world.item("profiled") is None
    assert run()["RowsCaptured"] == lost
    assert (rows_counted(world), day_of(world).duplicates) == (bookings.num_rows, 0)


@pytest.mark.parametrize(("batch", "others"), [(1 << 20, True), (400, False)])
def test_of_an_object_that_is_refused_in_its_midst_no_row_is_counted(world, bookings, monkeypatch, batch, others):
    monkeypatch.setattr(row_objects, "READ_AHEAD_BYTES", 500)
    monkeypatch.setattr(day_folding, "BATCH_BYTES", batch)
    key = max(capture(world, bookings), key=lambda key: len(world.read(key)))
    lost = len(world.read(key).splitlines())
    # Whether its first rows were read in one go with those of other objects, or wait already.
    with refused(world, key, "PreconditionFailed", but=1), pytest.raises((ObjectsRefusedError, ClientError)):
        run()
    assert rows_counted(world) == (bookings.num_rows - lost if others else 0)
    run()
    assert (rows_counted(world), day_of(world).duplicates) == (bookings.num_rows, 0)


def at(day: str, **more) -> dict:
    return message({"model": MODEL, "time": f"{day}T00:30:00Z", **more})


def test_the_newest_day_is_counted_first_and_one_that_fails_keeps_no_other_waiting(world, bookings):
    capture(world, bookings)
    capture(world, load_bookings("2016-01-02", "2016-01-03"))
    capture(world, load_bookings("2016-01-01", "2016-01-02"))
    world.put(f"profiles/{MODEL}/1/1/2016-01-02.npz", b"no day")
    read = []
    world.s3.meta.events.register(
        "before-call.s3.PutObject", lambda params, **_: read.append(params["url_path"]), unique_id="puts"
    )
    with pytest.raises(EncodingError):
        run()
    written = [path.rpartition("/")[2] for path in read if path.endswith(".npz")]
    assert written == ["2016-01-03.npz", "2016-01-01.npz"]
    assert world.item("profiled") is None


def test_what_an_outage_left_behind_is_counted_when_runs_come_again(world, bookings):
    run()
    capture(world, bookings)
    capture(world, load_bookings("2016-01-10", "2016-01-11"))
    handler(at("2016-01-20"), CONTEXT)
    assert rows_counted(world) == bookings.num_rows
    assert world.kinds() == []
    # From then on the usual days are looked at.
    capture(world, bookings.slice(0, 3), name="later")
    handler(at("2016-01-21"), CONTEXT)
    assert day_of(world).counted.count == len({t.hour for t in bookings.column("kedge_time").to_pylist()})


def test_a_package_that_was_replaced_during_the_outage_is_counted_too(world, bookings):
    run()
    capture(world, bookings)
    world.freeze("2")
    world.promote(datetime(2016, 1, 5, tzinfo=UTC), version="2")
    world.put(f"capture/{MODEL}/9/stray.jsonl", b"")
    handler(at("2016-01-20"), CONTEXT)
    assert rows_counted(world) == bookings.num_rows


def test_an_old_day_only_gains(world, bookings):
    keys = capture(world, bookings)
    run()
    world.s3.delete_object(Bucket=BUCKET, Key=keys[0])
    extra = load_bookings("2016-01-04", "2016-01-05")
    then = pa.array([bookings.column("kedge_time")[0].as_py()] * extra.num_rows, pa.timestamp("us", "UTC"))
    capture(world, extra.set_column(extra.schema.get_field_index("kedge_time"), "kedge_time", then), name="late")
    handler(at("2016-01-20"), CONTEXT)
    assert rows_counted(world) == bookings.num_rows + extra.num_rows


def test_days_that_leave_the_look_back_uncounted_are_told_once_and_counted_on_demand(world, bookings):
    run()
    capture(world, bookings)
    hours = len({time.hour for time in bookings.column("kedge_time").to_pylist()})
    for _ in range(2):
        handler(at("2016-02-06"), CONTEXT)
    assert world.kinds() == ["rows_uncounted"]
    assert world.timeline()[0]["detail"] == {"days": {"2016-01-03": hours}, "since": "2016-01-03"}
    ((subject, text),) = world.mails()
    assert subject == f"[Kedge] {MODEL}: captured rows of 1 day are not counted"
    assert f"2016-01-03: {hours} capture objects" in text
    assert world.keys("predictions/") == []
    handler(at("2016-02-06", since="2016-01-03"), CONTEXT)
    assert rows_counted(world) == bookings.num_rows


def test_days_that_leave_the_look_back_are_told_behind_the_counting_as_far_as_the_time_reaches(
    world, bookings, monkeypatch
):
    run()
    fresh = load_bookings("2016-02-05", "2016-02-06")
    for rows in (bookings, load_bookings("2016-01-05", "2016-01-06"), fresh):
        capture(world, rows)
    listed = []
    world.s3.meta.events.register(
        "provide-client-params.s3.ListObjectsV2", lambda params, **_: listed.append(params["Prefix"])
    )

    def left():
        return 0 if any("/2016/01/03/" in prefix for prefix in listed) else 600_000

    with monkeypatch.context() as patch:
        patch.setattr(CONTEXT, "get_remaining_time_in_millis", left)
        assert handler(at("2016-02-06"), CONTEXT)["RowsCaptured"] == fresh.num_rows
    told = [[*entry["detail"]["days"]] for entry in world.timeline()]
    assert told == [["2016-01-03"]]
    handler(at("2016-02-07"), CONTEXT)
    assert [[*entry["detail"]["days"]] for entry in world.timeline()] == [*told, ["2016-01-05"]]


def test_a_topic_that_refuses_keeps_the_message_and_lets_the_counting_go_on(world, bookings, monkeypatch):
    run()
    capture(world, bookings)
    refusal = ClientError({"Error": {"Code": "InternalError", "Message": "again later"}}, "Publish")

    def refuse(**_):
        raise refusal

    monkeypatch.setattr(clients.sns(), "publish", refuse)
    fresh = load_bookings("2016-02-05", "2016-02-06")
    capture(world, fresh)
    handler(at("2016-02-06"), CONTEXT)
    items = world.dynamodb.get_paginator("scan").paginate(TableName=TABLE)
    kept = [item["item"]["S"] for page in items for item in page["Items"] if item["item"]["S"].startswith("untold#")]
    assert len(kept) == 2
    assert rows_counted(world, KEY.replace("2016-01-03", "2016-02-05")) == fresh.num_rows


def test_runs_that_die_before_they_end_leave_the_backlog_in_view(world, bookings, monkeypatch):
    run()
    capture(world, bookings)

    class DiedError(BaseException):
        pass

    def die(**_):
        raise DiedError

    world.s3.meta.events.register("before-call.s3.PutObject", die, unique_id="die")
    for day in ("2016-01-08", "2016-01-15"):
        with pytest.raises(DiedError):
            handler(at(day), CONTEXT)
    world.s3.meta.events.unregister("before-call.s3.PutObject", die, unique_id="die")
    handler(at("2016-01-22"), CONTEXT)
    assert rows_counted(world) == bookings.num_rows


def test_a_line_that_is_too_long_is_kept_aside_and_costs_nothing_else(world, bookings, monkeypatch):
    monkeypatch.setattr(capture_lines, "LINE_BYTES_MAX", 2_000)
    monkeypatch.setattr(row_objects, "READ_AHEAD_BYTES", 1_500)
    keys = capture(world, bookings)
    first = world.read(keys[0]).splitlines()
    world.put(keys[0], b"\n".join([first[0], b"[" * 9_000, *first[1:]]))
    added = run()
    assert (added["RowsCaptured"], added["RecordsQuarantined"]) == (bookings.num_rows, 1)
    (key,) = world.keys(f"quarantine/{MODEL}/1/2016-01-03/")
    (entry,) = [json.loads(line) for line in world.read(key).splitlines()]
    assert (entry["line"], entry["reason"]) == (2, "a line of 9,000 bytes: 2,000 are read at most")
    assert entry["record"] == "[" * 1024
    assert sum(day_of(world).requests.values()) == bookings.num_rows + 1


def test_ids_of_equal_hashes_are_told_apart_and_parts_of_an_earlier_version_are_known(world, bookings, monkeypatch):
    capture(world, bookings.slice(0, 30))
    run()
    for key in world.keys(f"profiles/{MODEL}/1/ids/"):
        world.s3.delete_object(Bucket=BUCKET, Key=key)
    monkeypatch.setattr(id_hashes, "blake2b", lambda *_, **__: SimpleNamespace(digest=lambda: b"the same"))
    capture(world, bookings.slice(20), name="more")
    assert run()["RowsDuplicated"] == 10
    assert rows_counted(world) == bookings.num_rows == table_of(world).num_rows
