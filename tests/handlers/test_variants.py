"""Several production variants of a watched endpoint: counted apart and together, measured apart, and each in the report."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from lambdas.adapters.bucket import days
from lambdas.handlers import detect_drift, measure_performance, profile_logs, watch_captures, watch_monitor
from tests import deployed_models
from tests.handlers.aws_world import BUCKET, CONTEXT
from tests.handlers.bookings import load_bookings, publish_labels
from tests.handlers.monitor_world import MODEL, capture_line, load_event, message, monitor_world, scored
from tests.synthesised import ROOT

NOW = datetime(2016, 1, 4, 2, tzinfo=UTC)
VARIANTS = ("control", "challenger")
PREFIX = f"capture/{MODEL}/1/{MODEL}"


@pytest.fixture
def world(monkeypatch, tmp_path):
    text = (ROOT / "models" / f"{MODEL}.yaml").read_text()
    text = text.replace(f"  name: {MODEL}\n", f"  name: {MODEL}\n  variants: [{', '.join(VARIANTS)}]\n", 1)
    (tmp_path / f"{MODEL}.yaml").write_text(f"{text}mode: watch\n")
    deployed_models.choose(monkeypatch, tmp_path)
    with monitor_world(monkeypatch) as world:
        world.freeze()
        world.promote(datetime(2015, 10, 1, tzinfo=UTC))
        yield world


@pytest.fixture(scope="module")
def bookings():
    return load_bookings("2015-12-07", "2016-01-04")


def captured(world, rows: pa.Table, scores, variant: str, name: str = "a") -> None:
    """Write what one variant answered, an object an hour."""
    lines: dict[datetime, list[str]] = {}
    columns = [rows.column(name).to_pylist() for name in world.config.feature_names]
    ids, times = rows.column("id").to_pylist(), rows.column("kedge_time").to_pylist()
    for row_id, time, values, score in zip(ids, times, zip(*columns, strict=True), scores, strict=True):
        lines.setdefault(time, []).append(capture_line(str(row_id), time, values, score))
    for hour, found in lines.items():
        world.put(f"{PREFIX}/{variant}/{hour:%Y/%m/%d/%H}/{name}.jsonl", "\n".join(found).encode())


def answered(world, bookings, *, skills=(0.8, 0.8)) -> list[pa.Table]:
    """Let the variants answer each a half of the bookings."""
    halves = [bookings.take(pa.array(range(start, bookings.num_rows, 2))) for start in (0, 1)]
    for half, variant, skill in zip(halves, VARIANTS, skills, strict=True):
        captured(world, half, scored(half, skill=skill, seed=3)[0], variant)
    return halves


def profiled() -> dict:
    event = {"model": MODEL, "time": "2016-01-04T02:00:00Z", "since": "2015-12-07"}
    return profile_logs.handler(message(event), CONTEXT)


def judged(world) -> dict:
    body = measure_performance.handler(load_event("message_judge"), CONTEXT)
    found = detect_drift.handler(message(json.loads(json.dumps(body))), CONTEXT)
    return json.loads(world.read(found["report_key"]))


def test_each_variant_is_counted_apart_in_the_days_object_and_a_row_of_both_is_counted_once(world, bookings):
    halves = answered(world, bookings)
    # A client that tried again reached the other variant.
    captured(world, halves[0].slice(0, 3), [0.5] * 3, "challenger", name="b")
    profiled()
    found = dict(
        days.each_day(world.s3, BUCKET, f"profiles/{MODEL}/1/1/", first=datetime(2015, 12, 7).date(), last=NOW.date())
    )
    apart = {
        name: sum(profile.rows for day in found.values() for profile in day.variants[name].hours.values())
        for name in VARIANTS
    }
    assert apart == dict(zip(VARIANTS, (half.num_rows for half in halves), strict=True))
    assert sum(profile.rows for day in found.values() for profile in day.hours.values()) == bookings.num_rows
    assert sum(day.duplicates for day in found.values()) == 3


def test_the_variant_whose_answers_became_bad_is_measured_as_lost_and_the_other_is_not(world, bookings):
    answered(world, bookings, skills=(0.8, 0.1))
    publish_labels(world, bookings, until=NOW)
    profiled()
    report = judged(world)
    measured = report["performance"]["variants"]
    assert measured["challenger"]["severity"] == "CRITICAL", measured["challenger"]["reasons"]
    assert measured["control"]["severity"] != "CRITICAL", measured["control"]["reasons"]
    assert measured["control"]["ripe_rows"] + measured["challenger"]["ripe_rows"] == report["performance"]["ripe_rows"]
    (mail,) = [body for _, body in world.mails() if "VARIANTS" in body]
    assert "measured quality CRITICAL" in mail
    page = world.read(f"reports/{MODEL}/1/2016-01-04T00/drift-r1.html").decode()
    assert "Production variants" in page


def test_a_variant_whose_captures_cannot_be_read_is_told_though_the_other_can(world, bookings):
    hour = "2016/01/04/01"
    rows = bookings.slice(0, 1)
    values = [rows.column(name).to_pylist()[0] for name in world.config.feature_names]
    good, bad = (capture_line("1", NOW, given, 0.3) for given in (values, ["only one"]))
    for variant, line in zip(VARIANTS, (good, bad), strict=True):
        world.put(f"{PREFIX}/{variant}/{hour}/a.jsonl", line.encode())
    found = watch_captures.handler({"model": MODEL, "time": "2016-01-04T02:00:00Z"}, CONTEXT)
    assert found == {"records": 1, "unread": 1}
    assert world.mails()


def test_requests_to_the_variant_of_which_none_was_captured_are_counted(world, bookings):
    captured(world, bookings.slice(bookings.num_rows - 200), [0.3] * 200, "control")
    for variant in VARIANTS:
        world.cloudwatch.put_metric_data(
            Namespace="AWS/SageMaker",
            MetricData=[
                {
                    "MetricName": "Invocations",
                    "Dimensions": [
                        {"Name": "EndpointName", "Value": MODEL},
                        {"Name": "VariantName", "Value": variant},
                    ],
                    "Timestamp": datetime(2016, 1, 3, 20, tzinfo=UTC),
                    "Value": 7.0,
                }
            ],
        )
    gauges = watch_monitor.handler({"time": "2016-01-03T22:00:00Z"}, CONTEXT)
    assert gauges[MODEL]["InvocationsWithoutCapture"] == 7.0
