"""measure_performance says what the answers let expect, keeps the estimator's record, and counts for the business."""

import json
from datetime import UTC, datetime

import pytest

from kedge.config.policies import BusinessFigure
from kedge.performance.business import FigureSums, encode_figures
from lambdas.adapters.state import track_records
from lambdas.handlers import measure_performance
from lambdas.handlers.measure_performance import handler
from tests.handlers.aws_world import CONTEXT
from tests.handlers.bookings import load_bookings, publish_labels
from tests.handlers.monitor_world import MODEL, TABLE, load_event, monitor_world, scored

NOW = datetime(2016, 1, 4, 2, tzinfo=UTC)
FIGURES = (
    BusinessFigure(name="revenue", column="adr", unit="EUR"),
    BusinessFigure(name="saved", column="adr", over="true_positive"),
)


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world:
        world.freeze()
        world.promote(datetime(2015, 10, 1, tzinfo=UTC), training_end=datetime(2015, 9, 30, tzinfo=UTC))
        yield world


@pytest.fixture(scope="module")
def bookings():
    return load_bookings("2015-12-07", "2016-01-04")


def measured(world, bookings, *, skill=0.8, labelled=True):
    world.answer(bookings, scored(bookings, skill=skill, seed=1)[0])
    if labelled:
        publish_labels(world, bookings, until=NOW)
    handler(load_event("message_judge"), CONTEXT)
    return json.loads(world.read(f"reports/{MODEL}/1/2016-01-04T00/performance.json"))


def test_without_labels_the_report_holds_an_estimate_with_a_verdict(world, bookings):
    report = measured(world, bookings, labelled=False)
    estimate = report["estimate"]
    assert report["severity"] == "INSUFFICIENT_DATA"
    assert estimate["severity"] in ("OK", "WARNING")
    assert estimate["rows"] == bookings.num_rows
    auc = next(metric for metric in estimate["metrics"] if metric["name"] == "auc")
    assert auc["low"] < auc["value"] < auc["high"]
    assert world.gauge("Estimate/auc") == [auc["value"]]
    assert track_records.load(world.dynamodb, TABLE, MODEL).comparisons == ()


def test_with_labels_the_estimate_has_no_verdict_and_its_record_is_kept(world, bookings):
    report = measured(world, bookings)
    estimate = report["estimate"]
    assert "severity" not in estimate
    (known,) = [one for one in estimate["record"] if one["metric"] == "auc"]
    truth = next(metric["value"] for metric in report["metrics"] if metric["name"] == "auc")
    assert known["truth"] == truth
    kept = track_records.load(world.dynamodb, TABLE, MODEL).comparisons
    assert [(one.metric, one.truth) for one in kept] == [("auc", truth)]
    handler(load_event("message_judge"), CONTEXT)
    assert track_records.load(world.dynamodb, TABLE, MODEL).comparisons == kept


def test_a_model_that_has_lost_its_meaning_costs_the_estimator_its_weight(world, bookings):
    """The answers look as ever and mean nothing: an estimate cannot see that, and its record says so."""
    report = measured(world, bookings, skill=0.0)
    assert report["severity"] == "CRITICAL"
    auc = next(metric for metric in report["estimate"]["metrics"] if metric["name"] == "auc")
    assert auc["weight"] < 0.5


def test_a_reference_without_an_estimator_leaves_the_report_without_an_estimate(world, bookings):
    key = f"baselines/{MODEL}/1/reference.json"
    reference = json.loads(world.read(key))
    del reference["estimator"]
    world.put(key, json.dumps(reference).encode())
    assert "estimate" not in measured(world, bookings)


def test_business_figures_stand_beside_the_metrics(world, bookings, monkeypatch):
    config = world.config.model_copy(update={"business": FIGURES, "metrics": "all"})
    monkeypatch.setattr(measure_performance, "load_model", lambda *_: config)
    key = f"baselines/{MODEL}/1/reference.json"
    before = {"revenue": FigureSums(2, 200.0, 20_000.0)}
    world.put(key, json.dumps(json.loads(world.read(key)) | {"business": encode_figures(before)}).encode())
    revenue, saved = measured(world, bookings)["business"]
    adr = bookings.column("adr").to_numpy()
    assert revenue["value"] == pytest.approx(adr.mean(), rel=1e-6)
    assert (revenue["unit"], revenue["reference"], revenue["rows"]) == ("EUR", 100.0, bookings.num_rows)
    assert 0 < saved["total"] < revenue["total"]
    assert saved["rows"] < revenue["rows"]
    assert world.gauge("Business/saved") == [saved["value"]]
