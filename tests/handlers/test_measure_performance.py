"""measure_performance joins late labels to answers, and lets only ripe rows judge."""

import json
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest

from lambdas.adapters import windows
from lambdas.handlers.measure_performance import handler
from tests.handlers.aws_world import CONTEXT
from tests.handlers.bookings import load_bookings, publish_labels
from tests.handlers.monitor_world import MODEL, TABLE, load_event, monitor_world, scored

NOW = datetime(2016, 1, 4, 2, tzinfo=UTC)
WINDOW = {"start": "2015-12-07T00:00:00Z", "end": "2016-01-04T00:00:00Z"}
TRAINED_UNTIL = datetime(2015, 9, 30, tzinfo=UTC)


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world:
        world.freeze()
        world.promote(datetime(2015, 10, 1, tzinfo=UTC), training_end=TRAINED_UNTIL)
        yield world


@pytest.fixture(scope="module")
def bookings():
    return load_bookings("2015-12-07", "2016-01-04")


def answered(world, bookings, *, skill: float, labelled: bool = True) -> None:
    world.answer(bookings, scored(bookings, skill=skill, seed=1)[0])
    if labelled:
        publish_labels(world, bookings, until=NOW)


def run() -> dict:
    return json.loads(json.dumps(handler(load_event("message_judge"), CONTEXT)))


def report_of(world) -> dict:
    return json.loads(world.read(f"reports/{MODEL}/1/2016-01-04T00/performance.json"))


def test_lost_quality_is_measured_told_to_the_timeline_and_passed_on(world, bookings):
    answered(world, bookings, skill=0.1)
    body = run()
    report = report_of(world)
    assert (report["severity"], report["reasons"][0][:16]) == ("CRITICAL", "quality is lost:")
    assert world.received("drift") == [body]
    assert body["performance_key"] == f"reports/{MODEL}/1/2016-01-04T00/performance.json"
    assert (body["model"], body["window"]) == (MODEL, WINDOW)
    (entry,) = world.timeline()
    assert (entry["kind"], entry["time"]) == ("performance_measured", "2016-01-04T02:00:00Z")
    assert entry["detail"]["package_version"] == "1"
    assert entry["detail"]["window"] == WINDOW


def test_quality_that_holds_is_ok_and_a_metric(world, bookings):
    answered(world, bookings, skill=0.9)
    run()
    report = report_of(world)
    assert report["severity"] == "OK", report["reasons"]
    auc = next(metric for metric in report["metrics"] if metric["name"] == "auc")
    assert auc["limit"] < auc["value"]
    assert world.gauge("Performance/auc") == [auc["value"]]


def test_only_rows_older_than_the_horizon_judge(world, bookings):
    answered(world, bookings, skill=0.8)
    run()
    report, horizon = report_of(world), windows.load_horizon(world.dynamodb, TABLE, MODEL)
    assert horizon is not None
    old = [t for t in bookings.column("time").to_pylist() if (NOW - t).total_seconds() / 86400 >= horizon]
    assert 0 < report["ripe_rows"] <= len(old) < bookings.num_rows
    assert report["provisional_rows"] > 0
    assert report["ripe_rows"] / len(old) == pytest.approx(report["coverage_fraction"])


def test_new_rows_to_learn_from_are_the_ripe_ones_after_the_last_training(world, bookings):
    answered(world, bookings, skill=0.8)
    assert run()["new_labelled_rows"] == report_of(world)["ripe_rows"]
    world.promote(datetime(2015, 10, 1, tzinfo=UTC), training_end=datetime(2015, 12, 20, tzinfo=UTC))
    assert 0 < run()["new_labelled_rows"] < report_of(world)["ripe_rows"]


def test_without_labels_nothing_is_judged_and_the_window_goes_on(world, bookings):
    answered(world, bookings, skill=0.8, labelled=False)
    body = run()
    assert report_of(world)["severity"] == "INSUFFICIENT_DATA"
    assert body["new_labelled_rows"] == 0
    assert world.received("drift") == [body]


def test_without_answers_the_window_goes_on_without_a_report(world):
    assert "performance_key" not in run()
    assert world.keys("reports/") == []
    assert len(world.received("drift")) == 1


def test_a_horizon_learnt_earlier_serves_a_champion_with_few_labels(world, bookings):
    windows.save_horizon(world.dynamodb, TABLE, MODEL, 5.0)
    answered(world, bookings, skill=0.8, labelled=False)
    publish_labels(world, bookings.slice(0, 20), until=NOW)
    run()
    assert report_of(world)["label_horizon"].startswith("5.0 days were learnt earlier")
    assert windows.load_horizon(world.dynamodb, TABLE, MODEL) == 5.0


def test_answers_before_the_promotion_are_another_packages(world, bookings):
    answered(world, bookings, skill=0.8)
    world.promote(datetime(2015, 12, 14, tzinfo=UTC), training_end=TRAINED_UNTIL)
    whole = run()["new_labelled_rows"]
    after = [t for t in bookings.column("time").to_pylist() if t >= datetime(2015, 12, 14, tzinfo=UTC)]
    assert 0 < whole < len(after)


def test_only_the_days_and_parts_of_the_window_are_read(world, bookings):
    answered(world, load_bookings("2015-10-05", "2015-12-07"), skill=0.8)
    answered(world, bookings, skill=0.8)
    read = []
    world.s3.meta.events.register(
        "before-call.s3.GetObject", lambda params, **_: read.append(unquote(params["url_path"]))
    )
    run()
    dates = {key.split("date=")[1][:10] for key in read if "predictions/" in key}
    assert min(dates) >= "2015-12-07"
    assert not [key for key in read if "labels/" in key and key.split(f"{MODEL}/")[1][:10] < "2015/12/07"]


def test_a_rerun_overwrites_itself(world, bookings):
    answered(world, bookings, skill=0.1)
    run()
    before = sorted(world.keys("reports/") + world.keys("audit/"))
    run()
    assert sorted(world.keys("reports/") + world.keys("audit/")) == before
