"""Memory is held whatever has piled up: real handlers in a process of their own, each with a peak that it must not reach."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from kedge.capture.id_hashes import encode_hashes
from kedge.capture.records import BROKEN_MAX
from lambdas.adapters.bucket import days, layout
from lambdas.adapters.bucket.counted_ids import hashes_key
from tests.handlers.aws_world import ACCOUNT, REGION, set_endpoint
from tests.handlers.captured_rows import captured, put
from tests.handlers.many_labels import answered_day, labels_of_rows
from tests.handlers.memory_watch import endpoint, run_apart
from tests.handlers.monitor_world import BUCKET, MODEL, message, monitor_world
from tests.synthesised import functions

PACKAGE = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{MODEL}/1"
DAY = date(2016, 1, 3)
# Of the profiling, whatever its backlog.
PROFILE_MIB_MAX = 600
# Of 600,000 labels of a day; more than are looked for at once take as much as those of no row.
LABELS_MIB_MAX = 660
# Of a line of as many rows as a request can carry: each is a row of Python while it is read.
UNPACKED_MIB_MAX = 1024
# Of a file of labels that have no rows: 580 were measured of 1.2 million. However large: 910 of 4 million, 946 of 2.4 million.
UNKNOWN_LABELS_MIB_MAX, UNKNOWN_LABELS_OF_A_STEP_MIB_MAX = 800, 1100


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world, endpoint(monkeypatch):
        world.freeze()
        world.promote(datetime(2015, 12, 1, tzinfo=UTC))
        yield world


def rows_counted(world, day: date) -> int:
    found, _ = days.load_day(world.s3, BUCKET, layout.profile_day_key(MODEL, "1", "1", day))
    return sum(profile.rows for profile in found.hours.values())


def profile(now: date) -> dict:
    return run_apart("profile_logs", message({"model": MODEL, "time": f"{now}T00:30:00Z"}))


@pytest.mark.parametrize("rows", [60_000, pytest.param(350_000, marks=pytest.mark.slow)])
def test_a_backlog_of_three_days_is_counted_whole_in_little_memory(world, rows):
    backlog = [DAY - timedelta(days=back) for back in range(3)]
    for day in backlog:
        captured(world, day, rows)
    found = profile(DAY + timedelta(days=1))
    assert (found["error"], found["answer"]["RowsCaptured"]) == (None, 3 * rows)
    assert [rows_counted(world, day) for day in backlog] == [rows] * 3
    assert found["mib"] < PROFILE_MIB_MAX


@pytest.mark.parametrize("known", [300_000, pytest.param(50_000_000, marks=pytest.mark.slow)])
def test_ids_that_are_known_take_little_memory(world, known):
    captured(world, DAY, 20_000)
    assert profile(DAY)["error"] is None
    day, _ = days.load_day(world.s3, BUCKET, layout.profile_day_key(MODEL, "1", "1", DAY))
    parts = []
    hashes = np.random.default_rng(1)
    for start in range(0, known, 100_000):
        part = f"predictions/{MODEL}/package=1/date={DAY}/k{start}.parquet"
        put(hashes_key(part), encode_hashes(hashes.integers(2**64, size=100_000, dtype=np.uint64)))
        parts.append(part)
    put(layout.profile_day_key(MODEL, "1", "1", DAY), days.encode_day(replace(day, parts=(*day.parts, *parts))))
    captured(world, DAY, 100_000, name="b")
    found = profile(DAY)
    assert (found["error"], found["answer"]["RowsCaptured"]) == (None, 100_000)
    assert found["mib"] < PROFILE_MIB_MAX


@pytest.mark.parametrize("mib", [90, pytest.param(400, marks=pytest.mark.slow)])
def test_one_large_object_and_hostile_lines_are_read_in_little_memory(world, mib):
    captured(world, DAY, 20_000)
    (key,) = world.keys("capture/")
    content = world.read(key)
    nested, dense = b"[" * (6 << 20), b'{"captureData":' + b"[[]," * (1 << 20) + b"0]}"
    copies = max((mib << 20) // len(content), 1)
    put(key.replace(".jsonl", "-large.jsonl"), b"\n".join([nested, dense, b"x" * (20 << 20), *[content] * copies]))
    found = profile(DAY)
    assert (found["error"], found["answer"]["RowsCaptured"]) == (None, 20_000)
    assert found["answer"]["RecordsQuarantined"] == 3
    assert found["answer"]["RowsDuplicated"] == copies * 20_000
    assert found["mib"] < PROFILE_MIB_MAX


@pytest.mark.parametrize("mib", [33, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("line", "aside"), [(b"x\n", BROKEN_MAX + 2), (b"\n", 0), (b"\x00", 1)])
def test_an_object_that_holds_no_records_costs_no_other_one_its_count(world, line, aside, mib):
    captured(world, DAY, 20_000)
    (key,) = world.keys("capture/")
    put(key.replace("/a0", "/0a0"), line * ((mib << 20) // len(line)))
    found = profile(DAY)
    assert (found["error"], found["answer"]["RowsCaptured"]) == (None, 20_000)
    assert found["answer"]["RecordsQuarantined"] == aside
    assert found["mib"] < PROFILE_MIB_MAX


@pytest.mark.parametrize(("lines", "narrow_mib"), [(10, 1), pytest.param(60, 7, marks=pytest.mark.slow)])
def test_what_unpacks_to_hundreds_of_megabytes_is_read_in_little_memory(world, lines, narrow_mib):
    captured(world, DAY, 1)
    (key,) = world.keys("capture/")
    record = json.loads(world.read(key))
    side = record["captureData"]["endpointInput"]
    commas = side["data"].count(",")
    # Seven megabytes each: few rows of long values, and one line of as many rows as a request can carry, or of fewer.
    wide, narrow = (
        (b"x" * 100_000 + b"," * commas + b"\n") * 70,
        (b"," * commas + b"\n") * ((narrow_mib << 20) // (commas + 1)),
    )
    packed = []
    for n, rows in enumerate([wide] * (lines - 1) + [narrow]):
        data = base64.b64encode(gzip.compress(rows, 1)).decode()
        answers = ["0.5"] * rows.count(b"\n")
        record["captureData"]["endpointInput"] = side | {"data": data, "encoding": "BASE64"}
        record["captureData"]["endpointOutput"]["data"] = "\n".join(answers)
        record["eventMetadata"] |= {"eventId": f"zip-{n}", "inferenceId": f"zip-{n}"}
        packed.append(json.dumps(record))
    world.put(key.replace(".jsonl", "-zip.jsonl"), "\n".join(packed).encode())
    found = profile(DAY)
    assert (found["error"], found["answer"]["RecordsQuarantined"]) == (None, 0)
    assert found["answer"]["RowsCaptured"] == 1 + 70 * (lines - 1) + narrow.count(b"\n")
    assert found["mib"] < UNPACKED_MIB_MAX, found


@pytest.mark.parametrize(
    ("labels", "mib_max"),
    [
        (450_000, UNKNOWN_LABELS_MIB_MAX),
        pytest.param(1_200_000, UNKNOWN_LABELS_MIB_MAX, marks=pytest.mark.slow),
        pytest.param(2_000_000, UNKNOWN_LABELS_OF_A_STEP_MIB_MAX, marks=pytest.mark.slow),
    ],
)
def test_one_large_label_file_without_rows_is_folded_in_little_memory_and_given_up(world, labels, mib_max):
    record = '{"groundTruthData": {"data": "1", "encoding": "CSV"}, "eventMetadata": {"eventId": "%032d"}, "eventVersion": "0"}'
    put(f"labels/{MODEL}/2016/01/03/05/all.jsonl", "\n".join(record % n for n in range(labels)).encode())
    peaks = []
    for end in (date(2016, 1, 4), date(2016, 1, 9)):
        window = {"start": f"{end - timedelta(days=3)}T00:00:00Z", "end": f"{end}T00:00:00Z"}
        found = run_apart(
            "measure_performance", message({"model": MODEL, "time": f"{end}T02:00:00Z", "window": window})
        )
        assert found["error"] is None
        peaks.append(found["mib"])
    assert world.gauge("LabelsUnknown") == [0, labels]
    assert [len(world.received("drift"))] == [2]
    assert max(peaks) < mib_max, peaks
    print(peaks)


@pytest.mark.slow
def test_labels_of_a_day_with_any_number_of_them_are_folded_in_little_memory_and_written_once(world):
    labels = 600_000
    answered_day(DAY, labels)
    labels_of_rows(datetime(2016, 1, 8, 5, tzinfo=UTC), 0, labels)
    window = {"start": "2016-01-08T00:00:00Z", "end": "2016-01-09T00:00:00Z"}
    event = message({"model": MODEL, "time": "2016-01-09T02:00:00Z", "window": window})
    found = run_apart("measure_performance", event)
    assert (found["error"], world.gauge("LabelsFolded")) == (None, [labels])
    assert len(world.keys(f"labelled/{MODEL}/date=")) > 1
    stored = sum(len(world.read(key)) for key in world.keys("labelled/"))
    assert found["written_bytes"]["labelled"] < 2 * stored
    assert found["mib"] < LABELS_MIB_MAX, found


CANARY_MIB_MAX = functions()["KedgeRelease/watch_canary"]["Properties"]["MemorySize"]
BAKE = {
    "model": MODEL, "run": "release-1", "package_version": "2", "package_arn": PACKAGE, "endpoint_config": f"{MODEL}-v2-bbbb",
    "previous_config": f"{MODEL}-v1-aaaa", "time": "2016-01-03T23:59:00Z", "started": "2016-01-03T00:00:00Z",
}  # fmt: skip


@pytest.fixture
def baking(world):
    """An update that bakes since midnight: moto has none of its own."""
    world.serve()
    world.register()
    set_endpoint(endpoint_status="Updating")
    return world


@pytest.mark.parametrize("rows", [30_000, pytest.param(400_000, marks=pytest.mark.slow)])
def test_a_canary_of_any_traffic_is_watched_in_little_memory_and_no_wrong_answer_is_missed(baking, rows):
    captured(baking, DAY, rows, name="a")
    captured(baking, DAY, rows, name="b", version="2")
    fleet = {
        "EndpointName": baking.config.endpoint.name,
        "VariantName": "AllTraffic",
        "EndpointConfigName": BAKE["endpoint_config"],
    }
    count = {"MetricName": "Invocations", "Value": rows, "Timestamp": datetime(2016, 1, 3, 12, tzinfo=UTC)}
    dimensions = [{"Name": name, "Value": value} for name, value in fleet.items()]
    baking.cloudwatch.put_metric_data(Namespace="AWS/SageMaker", MetricData=[count | {"Dimensions": dimensions}])
    found = run_apart("watch_canary", BAKE)
    assert (found["error"], found["answer"]["watch"]["verdict"]) == (None, "HEALTHY")
    (reason,) = found["answer"]["watch"]["reasons"]
    assert f"these are an even sample; {rows:,} answers of the canary were read for errors" in reason
    peaks = [found["mib"]]
    # One answer of all, in an object that no look has seen.
    captured(baking, DAY, 1, name="c", version="2", score=float("nan"))
    found = run_apart("watch_canary", BAKE | {"time": "2016-01-03T23:59:30Z"})
    assert f"1 of the canary's {rows + 1:,} answers is not a number" in found["answer"]["watch"]["reasons"][0]
    peaks.append(found["mib"])
    assert max(peaks) < CANARY_MIB_MAX, peaks
    print(peaks, found["cpu_s"])
