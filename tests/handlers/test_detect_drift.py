"""detect_drift judges a window, keeps its report, and tells people once."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pyarrow.compute as pc
import pytest

from kedge.severity import Severity
from lambdas.adapters import windows
from lambdas.handlers.detect_drift import handler
from tests.handlers.aws_world import CONTEXT
from tests.handlers.bookings import load_bookings
from tests.handlers.monitor_world import MODEL, TABLE, load_event, message, monitor_world, scored

END = datetime(2016, 1, 4, tzinfo=UTC)
KEY = f"reports/{MODEL}/1/2016-01-04T00/drift-r1.json"
LOST = {
    "severity": "CRITICAL",
    "reasons": ["quality is lost: auc 0.690 (0.660 to 0.720) against a reference of 0.830 less 0.02"],
    "metrics": [{"name": "auc", "value": 0.69, "low": 0.66, "high": 0.72, "limit": 0.81, "severity": "CRITICAL"}],
    "reference": {"auc": {"value": 0.83, "low": 0.82, "high": 0.84}},
    "coverage_fraction": 0.97,
    "ripe_rows": 1500,
    "provisional_rows": 700,
    "label_horizon": "95% of the labels of the slowest class (0) are in after 9.0 days",
}

WITHOUT_PANDAS = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in ("pandas", "awswrangler", "scipy.stats"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import lambdas.handlers.detect_drift
"""


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world:
        world.promote(datetime(2015, 10, 1, tzinfo=UTC))
        yield world


@pytest.fixture(scope="module")
def bookings():
    return load_bookings("2015-12-07", "2016-01-04")


def run(**changes) -> dict:
    body = json.loads(load_event("message_judge")["Records"][0]["body"]) | changes
    return json.loads(json.dumps(handler(message(body), CONTEXT)))


def drifted(world, bookings) -> None:
    """Winter's bookings against summer's."""
    world.freeze()
    world.answer(bookings, scored(bookings, skill=0.8, seed=1)[0])


def steady(world, bookings) -> None:
    """Bookings against themselves."""
    world.freeze(rows=bookings)
    world.answer(bookings, scored(bookings, skill=0.8)[0])


def test_a_drifted_window_is_reported_told_and_handed_to_the_decision(world, bookings):
    drifted(world, bookings)
    assert run() == {"severity": "CRITICAL", "report_key": KEY}
    report = json.loads(world.read(KEY))
    assert (report["severity"], report["window"]["rows"], report["revision"]) == ("CRITICAL", bookings.num_rows, 1)
    assert f"<h1>{MODEL}".encode() in world.read(KEY.replace(".json", ".html"))
    assert world.kinds() == ["alert_sent", "window_judged"]
    assert world.received("decision") == [{"model": MODEL, "time": "2016-01-04T02:00:00Z"}]
    assert world.gauge("DriftSeverity") == [3.0]


def test_the_mail_says_what_moved_and_that_quality_is_not_known(world, bookings):
    drifted(world, bookings)
    run()
    ((subject, body),) = world.mails()
    assert subject.startswith(f"[Kedge] {MODEL}: ")
    assert "quality is not known yet" in subject
    assert "WHAT MOVED\n- " in body
    assert KEY.replace(".json", ".html") in body
    (event,) = world.received("programs")
    assert json.loads(event["Message"])["kind"] == "window_judged"


def test_the_same_window_is_told_once(world, bookings):
    drifted(world, bookings)
    run()
    keys = sorted(world.keys("reports/") + world.keys("audit/"))
    world.mails()
    run()
    assert world.mails() == []
    assert sorted(world.keys("reports/") + world.keys("audit/")) == keys


def test_a_window_without_drift_is_kept_and_not_told(world, bookings):
    steady(world, bookings)
    assert run()["severity"] == "OK"
    assert world.kinds() == ["window_judged"]
    assert world.mails() == []
    assert len(world.received("decision")) == 1


def test_lost_quality_is_told_also_where_nothing_drifted(world, bookings):
    steady(world, bookings)
    world.put("reports/p.json", json.dumps(LOST).encode())
    run(performance_key="reports/p.json", new_labelled_rows=1400)
    ((subject, body),) = world.mails()
    assert "quality is lost (auc 0.69, limit 0.81); no column drifted" in subject
    assert "Yes: quality is lost: auc 0.690" in body
    judged = windows.load_window(world.dynamodb, TABLE, MODEL, END)
    assert (judged.verdict.drift, judged.verdict.performance) == (Severity.OK, Severity.CRITICAL)
    assert judged.new_labelled_rows == 1400
    assert json.loads(world.read(KEY))["performance"] == LOST


def test_late_files_make_a_new_revision(world, bookings):
    drifted(world, bookings.slice(0, 1500))
    run()
    world.answer(bookings.slice(1500), scored(bookings, skill=0.8)[0][1500:], name="late")
    assert run()["report_key"].endswith("drift-r2.json")
    assert run()["report_key"].endswith("drift-r2.json")
    assert len(world.mails()) == 1


def test_hours_outside_of_the_window_are_not_counted(world, bookings):
    drifted(world, bookings)
    answer = run(window={"start": "2015-12-20T10:00:00Z", "end": "2016-01-04T00:00:00Z"})
    report = json.loads(world.read(answer["report_key"]))
    since = datetime(2015, 12, 20, 10, tzinfo=UTC)
    assert report["window"]["rows"] == pc.sum(pc.greater_equal(bookings.column("time"), since)).as_py()


def test_the_second_window_in_a_row_with_nothing_to_judge_is_told(world):
    world.freeze()
    weeks = [
        ("2015-12-21T02:00:00Z", "2015-11-23T00:00:00Z", "2015-12-21T00:00:00Z"),
        ("2015-12-28T02:00:00Z", "2015-11-30T00:00:00Z", "2015-12-28T00:00:00Z"),
        ("2016-01-04T02:00:00Z", "2015-12-07T00:00:00Z", "2016-01-04T00:00:00Z"),
    ]
    told = []
    for time, start, end in weeks:
        assert run(time=time, window={"start": start, "end": end})["severity"] == "INSUFFICIENT_DATA"
        told.append([subject for subject, _ in world.mails()])
    assert [len(subjects) for subjects in told] == [0, 1, 0]
    assert "the monitor is blind" in told[1][0]


def test_a_model_that_is_not_deployed_is_not_judged(world):
    world.dynamodb.delete_item(TableName=TABLE, Key={"model": {"S": MODEL}, "item": {"S": "champion"}})
    assert run()["severity"] is None
    assert world.received("decision") == []


def test_pandas_is_not_needed():
    # Where pandas is installed, pyarrow imports it by itself: what counts is that nothing needs it.
    subprocess.run([sys.executable, "-c", WITHOUT_PANDAS], check=True)
