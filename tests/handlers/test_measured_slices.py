"""measure_performance says where quality is lost and whom it concerns, and keeps nobody's sensitive value."""

import io
import json
import re
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kedge.config.policies import PerformanceLimit, SegmentPolicy
from kedge.outcomes.counts import count_outcomes
from kedge.outcomes.outcomes import read_outcomes
from lambdas.adapters.state import champions
from lambdas.handlers import detect_drift
from lambdas.handlers.measure_performance import Settings, WindowToMeasure, measure, stretch_of
from lambdas.steps.requests import JudgeRequest
from tests.handlers.aws_world import CONTEXT
from tests.handlers.bookings import load_bookings, publish_labels
from tests.handlers.monitor_world import BUCKET, MODEL, TABLE, load_event, message, monitor_world, scored

NOW = datetime(2016, 1, 4, 2, tzinfo=UTC)
SECRETS = ("quokka", "wombat")


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world:
        rows = load_bookings("2015-07-01", "2015-10-01")
        world.freeze(rows=rows)
        holdout = rows.append_column(world.config.prediction.name, pa.array(scored(rows, skill=0.8)[0]))
        outcomes, _ = read_outcomes(holdout, world.config.prediction.name, "label", world.config)
        reference = {"counts": count_outcomes(outcomes, world.config).to_json()}
        world.put(f"baselines/{MODEL}/1/reference.json", json.dumps(reference).encode())
        world.freeze_slices()
        world.promote(datetime(2015, 10, 1, tzinfo=UTC), training_end=datetime(2015, 9, 30, tzinfo=UTC))
        yield world


@pytest.fixture(scope="module")
def bookings():
    return load_bookings("2015-12-07", "2016-01-04")


def with_fairness(config, *, attributes=(), fields=(), columns=()):
    return config.model_copy(
        update={
            "endpoint": config.endpoint.model_copy(update={"custom_attributes": attributes}),
            "labels": config.labels.model_copy(update={"fields": fields}),
            "metrics": "all",
            "fairness": config.fairness.model_copy(update={"columns": columns, "minimum_group_rows": 50}),
        }
    )


def measured(world, config):
    request, settings = JudgeRequest.from_event(load_event("message_judge")), Settings.from_environment()
    champion = champions.load(world.dynamodb, TABLE, MODEL)
    stretch = stretch_of(request, settings, config, champion, lambda: True)
    body = measure(WindowToMeasure(request, settings, config, champion, stretch), None)
    return json.loads(world.read(body["performance_key"]))


def broken_for(bookings, level):
    """Scores that rank well, but say nothing on one market segment."""
    scores = scored(bookings, skill=0.8, seed=1)[0]
    chosen = np.array(bookings.column("market_segment").to_pylist()) == level
    return np.where(chosen, np.random.default_rng(5).permutation(scores), scores)


def test_the_lost_segment_is_in_the_report_and_in_the_timeline(world, bookings):
    world.answer(bookings, broken_for(bookings, "Online TA"))
    publish_labels(world, bookings, until=NOW)
    report = measured(world, world.config)
    lost = next(segment for segment in report["segments"] if segment["group"] == "market_segment=Online TA")
    assert (lost["severity"], lost["metric"]) == ("CRITICAL", "auc")
    assert lost["value"] < lost["reference"] - 0.1
    assert lost in world.timeline()[0]["detail"]["segments"]


def test_what_moved_is_dated_by_the_window_before(world, bookings):
    world.answer(bookings, broken_for(bookings, "Online TA"))
    publish_labels(world, bookings, until=NOW)
    report = measured(world, world.config)
    first = report["concept_drift"]
    assert {shift["since"] for shift in first["shifts"]} == {"2015-12-07T00:00:00Z"}
    earlier = [{**shift, "since": "2015-11-30T00:00:00Z"} for shift in first["shifts"]]
    before = report | {"concept_drift": {**first, "shifts": earlier}}
    world.put(f"reports/{MODEL}/1/2015-12-28T00/performance.json", json.dumps(before).encode())
    again = measured(world, world.config)["concept_drift"]
    assert {shift["since"] for shift in again["shifts"]} == {"2015-11-30T00:00:00Z"}


def test_without_the_champions_slices_there_is_no_such_part(world, bookings):
    world.s3.delete_object(Bucket=BUCKET, Key=f"baselines/{MODEL}/1/slices.npz")
    world.answer(bookings, scored(bookings, skill=0.8, seed=1)[0])
    publish_labels(world, bookings, until=NOW)
    report = measured(world, world.config)
    assert not {"segments", "concept_drift", "fairness"} & report.keys()


def capture_attributes(world, bookings, values):
    """Leave captured requests with attributes, counted by the days that are there."""
    from kedge.profile.counted_objects import CountedObjects
    from kedge.profile.day import DayProfile, encode_day
    from lambdas.adapters.bucket import days

    lines = [
        json.dumps({"eventMetadata": {"eventId": "e", "inferenceId": str(row), "customAttributes": [f"group={value}"]}})
        for row, value in zip(bookings.column("id").to_pylist(), values, strict=True)
    ]
    world.put("capture/all.jsonl", "\n".join(lines).encode())
    key = world.keys(f"profiles/{MODEL}/1/1/")[0]
    known, _ = days.load_day(world.s3, BUCKET, key)
    world.put(
        key,
        encode_day(
            known.folded(DayProfile(counted=CountedObjects.of({"capture/all.jsonl": "e"}), folders=("capture/",)))
        ),
    )


def test_groups_of_custom_attributes_are_counted_and_nobodys_value_is_kept(world, bookings):
    values = np.random.default_rng(1).choice(SECRETS, bookings.num_rows)
    scores = scored(bookings, skill=0.8, seed=1)[0]
    scores = np.where(values == SECRETS[0], scores * 0.6, scores)
    world.answer(bookings, scores)
    publish_labels(world, bookings, until=NOW)
    capture_attributes(world, bookings, values)
    config = with_fairness(world.config, attributes=("group",), columns=("group",))
    fairness = measured(world, config)["fairness"]
    (column,) = fairness["columns"]
    rates = {group["group"]: group["selection_rate"]["value"] for group in column["groups"]}
    assert rates == {name: pytest.approx((scores[values == name] >= 0.5).mean()) for name in SECRETS}
    assert fairness["severity"] == "CRITICAL"
    impact = next(metric for metric in column["metrics"] if metric["name"] == "disparate_impact")
    assert world.gauge("Fairness/group/disparate_impact") == [impact["value"]]
    kept = [
        key for key in world.keys("") if key.split("/")[0] not in ("capture", "labels", "reports", "audit", "history")
    ]
    assert not [key for key in kept if any(secret.encode() in world.read(key) for secret in SECRETS)]
    told = world.read(world.keys(f"reports/{MODEL}/1/2016-01-04T00/performance.json")[0]).decode()
    assert len([i for i in range(len(told)) if told.startswith(SECRETS[0], i)]) < 10


def test_groups_of_label_fields_are_counted_where_the_label_came(world, bookings):
    world.answer(bookings, scored(bookings, skill=0.8, seed=1)[0])
    publish_labels(world, bookings, until=NOW)
    for place, key in enumerate(world.keys(f"labels/{MODEL}/")):
        records = [json.loads(line) for line in world.read(key).splitlines()]
        said = [json.dumps({**record, "gender": SECRETS[place % 2]}) for record in records]
        world.put(key, "\n".join(said).encode())
    config = with_fairness(world.config, fields=("gender",), columns=("gender",))
    (column,) = measured(world, config)["fairness"]["columns"]
    rows = {group["group"]: group["rows"] for group in column["groups"]}
    assert rows.keys() == {*SECRETS, "missing"}
    assert sum(rows.values()) == bookings.num_rows


def test_a_sensitive_feature_needs_no_second_reading(world, bookings):
    world.answer(bookings, scored(bookings, skill=0.8, seed=1)[0])
    publish_labels(world, bookings, until=NOW)
    config = with_fairness(world.config, columns=("hotel",))
    (column,) = measured(world, config)["fairness"]["columns"]
    assert {group["group"] for group in column["groups"]} == set(bookings.column("hotel").to_pylist())


def judged_with(world, config, monkeypatch):
    """The window measured and judged as the functions do it."""
    monkeypatch.setattr(detect_drift, "load_model", lambda *_: config)
    key = f"reports/{MODEL}/1/2016-01-04T00/performance.json"
    measured(world, config)
    body = json.loads(load_event("message_judge")["Records"][0]["body"]) | {"performance_key": key}
    detect_drift.handler(message(body), CONTEXT)
    return world.mails()


def test_a_lost_segment_is_told_by_name_where_the_yaml_lets_segments_alarm(world, bookings, monkeypatch):
    world.answer(bookings, broken_for(bookings, "Online TA"))
    publish_labels(world, bookings, until=NOW)
    held = world.config.performance.model_copy(update={"limits": (PerformanceLimit(metric="auc", at_least=0.5),)})
    silent = world.config.model_copy(update={"performance": held})
    loud = silent.model_copy(update={"segments": SegmentPolicy(alert="CRITICAL")})
    assert "is worse for" not in judged_with(world, silent, monkeypatch)[0][0]
    ((subject, body),) = judged_with(world, loud, monkeypatch)
    assert subject.startswith(f"[Kedge] {MODEL}: worse: P(y given x) moved on all rows, auc is worse for")
    assert "for market_segment=Online TA" in body.split("WHERE IT IS LOST")[1].split("WHAT MOVED")[0]
    assert "New: segments (CRITICAL)." in body
    page = world.read(f"reports/{MODEL}/1/2016-01-04T00/drift-r1.html").decode()
    assert ">alarms</span>" in page


def test_no_group_of_a_column_that_the_yaml_calls_sensitive_is_named_anywhere(world, bookings, monkeypatch):
    world.answer(bookings, scored(bookings, skill=0.8, seed=1)[0])
    publish_labels(world, bookings, until=NOW)
    for place, key in enumerate(world.keys(f"labels/{MODEL}/")):
        records = [json.loads(line) for line in world.read(key).splitlines()]
        said = [json.dumps({**record, "gender": SECRETS[place % 2]}) for record in records]
        world.put(key, "\n".join(said).encode())
    config = with_fairness(world.config, fields=("gender",), columns=("gender",))
    judged_with(world, config, monkeypatch)
    assert SECRETS[0] in written(world)["history"]  # without the mark the groups are named, also in the history
    world.s3.delete_objects(
        Bucket=BUCKET,
        Delete={
            "Objects": [{"Key": key} for key in world.keys("") if key.split("/")[0] in ("reports", "audit", "history")]
        },
    )
    judged_with(world, config.model_copy(update={"sensitive": ("gender",)}), monkeypatch)
    found = written(world)
    assert len(set(re.findall(r"level [0-9a-f]{8}", found["history"]))) == 2
    assert {(place, secret) for place, text in found.items() for secret in SECRETS if secret in text} == set()


def written(world):
    """What reports, timeline and history hold, as text."""
    places = {"reports": "", "audit": "", "history": ""}
    for key in world.keys(""):
        if (place := key.split("/")[0]) in places:
            content = world.read(key)
            places[place] += (
                str(pq.read_table(io.BytesIO(content)).to_pylist()) if key.endswith(".parquet") else content.decode()
            )
    return places
