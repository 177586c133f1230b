"""detect_drift lets an estimate add to a window's verdict where no label judges it."""

import json
from datetime import UTC, datetime

import pytest

from kedge.severity import Severity
from lambdas.adapters.state import windows
from lambdas.handlers.detect_drift import handler
from tests.handlers.aws_world import CONTEXT
from tests.handlers.bookings import load_bookings
from tests.handlers.monitor_world import MODEL, TABLE, load_event, monitor_world, scored

END = datetime(2016, 1, 4, tzinfo=UTC)
KEY = f"reports/{MODEL}/1/2016-01-04T00/performance.json"
UNKNOWN = {
    "severity": "INSUFFICIENT_DATA",
    "reasons": ["0 ripe labelled rows; 100 are needed"],
    "metrics": [],
    "reference": {},
    "coverage_fraction": 0.0,
    "ripe_rows": 0,
    "provisional_rows": 0,
    "label_horizon": "no labels yet",
}
REASON = "estimated while labels are out: quality is lost: auc 0.83 -> 0.7 (worse), interval 0.68 to 0.72; limit: at least 0.81"


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world:
        world.promote(datetime(2015, 10, 1, tzinfo=UTC))
        rows = load_bookings("2015-12-07", "2016-01-04")
        world.freeze(rows=rows)
        world.answer(rows, scored(rows, skill=0.8)[0])
        yield world


def judged(world, severity, measured=UNKNOWN):
    auc = {"name": "auc", "value": 0.7, "low": 0.68, "high": 0.72, "weight": 1.0, "limit": 0.81, "severity": severity}
    estimate = {"method": "confidence_based", "rows": 900, "severity": severity, "reasons": [REASON], "metrics": [auc]}
    world.put(KEY, json.dumps(measured | {"estimate": estimate}).encode())
    event = load_event("message_judge")
    body = json.loads(event["Records"][0]["body"]) | {"performance_key": KEY}
    event["Records"][0]["body"] = json.dumps(body)
    handler(event, CONTEXT)
    return windows.load_window(world.dynamodb, TABLE, MODEL, END).verdict


def test_an_estimated_loss_is_told_and_left_for_the_decision(world):
    verdict = judged(world, "CRITICAL")
    assert (verdict.performance, verdict.estimate) == (Severity.INSUFFICIENT_DATA, Severity.CRITICAL)
    ((subject, text),) = world.mails()
    assert "quality is estimated as lost" in subject
    assert "Estimated while labels are out: quality is lost: auc 0.83 -> 0.7 (worse)" in text
    assert len(text.split("DOES QUALITY SUFFER?")[1].split("\n\n")[0].strip().splitlines()) == 2


def test_an_estimate_that_sees_nothing_is_told_to_nobody(world):
    assert judged(world, "OK").estimate is Severity.OK
    assert world.mails() == []


def test_an_estimate_that_sees_nothing_silences_no_measured_loss(world):
    lost = {
        **UNKNOWN,
        "severity": "CRITICAL",
        "reasons": ["quality is lost: auc 0.83 -> 0.7 (worse), interval 0.68 to 0.72"],
        "ripe_rows": 900,
    }
    assert judged(world, "OK", lost).performance is Severity.CRITICAL
    ((subject, _),) = world.mails()
    assert "quality is lost" in subject


def test_confidence_is_left_for_the_decision_too(world):
    assert judged(world, "OK").confidence is Severity.OK
