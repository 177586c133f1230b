"""detect_drift judges a window, keeps its report, and tells people once."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from kedge.errors import EpisodeContendedError
from kedge.profile.day import DayProfile, encode_day
from kedge.release.promise import Promise
from kedge.retraining.state import WindowVerdict
from kedge.severity import Severity
from lambdas.adapters.bucket import days
from lambdas.adapters.state import alert_episodes, champions, promises, served, windows
from lambdas.adapters.state.windows import StoredWindow
from lambdas.handlers import detect_drift, settle
from lambdas.handlers.detect_drift import handler
from tests import deployed_models
from tests.builders import judged_auc
from tests.handlers.aws_world import BUCKET, CONTEXT
from tests.handlers.bookings import load_bookings
from tests.handlers.monitor_world import MODEL, TABLE, load_event, message, monitor_world, scored

END = datetime(2016, 1, 4, tzinfo=UTC)
KEY = f"reports/{MODEL}/1/2016-01-04T00/drift-r1.json"
LOST = {
    **judged_auc(0.69, 0.66, 0.72),
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
        # Long enough ago for its first windows to be over.
        hold(world, "2015-10-29", "2015-11-05", "2015-11-12")
        yield world


def hold(world, *windows_held) -> None:
    """Let these windows of the champion have been held against the gate's promise."""
    config = champions.load(world.dynamodb, TABLE, MODEL).endpoint_config
    promises.save(world.dynamodb, TABLE, MODEL, Promise(config, windows_held))


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


def told(world):
    """What the episode's mails say: news, since when, and what is new."""
    entries = [e["detail"]["alarm_episode"] for e in world.timeline() if e["kind"] == "alert_sent"]
    return [(entry["news"], entry["since"][:10], list(entry["new"])) for entry in entries]


def week(world, number, **changes):
    """Judge the window of four weeks that ends so many weeks after the first."""
    ends = END + timedelta(days=7 * number)
    window = {"start": f"{ends - timedelta(days=28):%Y-%m-%dT00:00:00Z}", "end": f"{ends:%Y-%m-%dT00:00:00Z}"}
    return run(time=f"{ends:%Y-%m-%dT02:00:00Z}", window=window, **changes)


def test_drift_that_stays_is_mailed_once_and_again_after_four_weeks(world):
    rows = load_bookings("2015-12-07", "2016-02-08")
    drifted(world, rows)
    answers = [week(world, number)["severity"] for number in range(5)]
    assert answers == ["CRITICAL"] * 5
    assert world.kinds().count("window_judged") == 5
    news = told(world)
    assert (news[0][0], {since for _, since, _ in news}) == ("begins", {"2016-01-04"})
    assert "column adr" in news[0][2]
    # Between the first and the last are only columns that had not alarmed, each once.
    fresh = [name for _, _, names in news for name in names]
    assert len(fresh) == len(set(fresh))
    assert {kind for kind, _, _ in news[1:]} <= {"worse", "lasts"}
    assert len(world.mails()) == len(news) < 5


def judged_after(world, drift: Severity) -> None:
    verdict = WindowVerdict(END - timedelta(days=21), END + timedelta(days=7), drift, None)
    windows.save_window(world.dynamodb, TABLE, MODEL, StoredWindow(verdict, "1", "d", 1, 0))


def test_a_window_that_is_judged_after_a_newer_one_is_kept_but_decides_and_begins_nothing(world, bookings):
    drifted(world, bookings)
    judged_after(world, Severity.OK)
    run()
    assert world.kinds() == ["window_judged"]
    assert windows.load_window(world.dynamodb, TABLE, MODEL, END).verdict.drift is Severity.CRITICAL
    assert (world.mails(), world.received("decision")) == ([], [])


def test_a_newer_window_that_showed_nothing_hides_no_alarm(world, bookings):
    drifted(world, bookings)
    judged_after(world, Severity.INSUFFICIENT_DATA)
    run()
    assert len(world.mails()) == 1


def test_the_end_is_told_and_the_mail_says_how_long_it_lasted(world, bookings):
    steady(world, bookings)
    world.put("reports/p.json", json.dumps(LOST).encode())
    week(world, -1, performance_key="reports/p.json")
    world.mails()
    held = LOST | judged_auc(0.84, 0.81, 0.87)
    world.put("reports/q.json", json.dumps(held).encode())
    run(performance_key="reports/q.json")
    ((subject, body),) = world.mails()
    assert subject == f"[Kedge] {MODEL}: is back to normal"
    assert "It began with the window that ended on 2015-12-28, 7 days ago, and is over." in body
    assert told(world) == [("begins", "2015-12-28", ["measured quality"]), ("ends", "2015-12-28", [])]


def test_an_alert_that_could_not_be_sent_is_kept_and_sent_later(world, bookings, monkeypatch):
    drifted(world, bookings)
    arn = os.environ["ALERT_TOPIC_ARN"]
    monkeypatch.setenv("ALERT_TOPIC_ARN", f"{arn}-gone")
    run()
    run()
    assert world.mails() == []
    monkeypatch.setenv("ALERT_TOPIC_ARN", arn)
    later = datetime(2030, 1, 1, tzinfo=UTC)
    assert settle.handler({"model": MODEL, "time": later.isoformat()}, CONTEXT)["told_again"] == 1
    # The other mail is about the endpoint, which this account lacks.
    assert ["You may have received this message before" in body for _, body in world.mails()].count(True) == 1
    assert [kind for kind, _, _ in told(world)] == ["begins"]


def test_two_runs_at_once_keep_one_episode(world, bookings, monkeypatch):
    drifted(world, bookings)
    load, runs = alert_episodes.load, []

    def load_then_another_writes(*args):
        found = load(*args)
        if not runs:
            runs.append("the other")
            run()
        return found

    monkeypatch.setattr(alert_episodes, "load", load_then_another_writes)
    run()
    assert runs
    assert [kind for kind, _, _ in told(world)] == ["begins"]
    assert len(world.mails()) == 1


def test_an_episode_that_others_write_all_the_time_is_tried_again_later(world, bookings, monkeypatch):
    drifted(world, bookings)
    monkeypatch.setattr(alert_episodes, "save", lambda *_, **__: False)
    with pytest.raises(EpisodeContendedError):
        run()
    assert world.mails() == []


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
    assert "quality is lost (auc 0.83 -> 0.69, limit 0.81); no column drifted" in subject
    assert f"Yes: {LOST['reasons'][0]}" in body
    judged = windows.load_window(world.dynamodb, TABLE, MODEL, END)
    assert (judged.verdict.drift, judged.verdict.performance) == (Severity.OK, Severity.CRITICAL)
    assert judged.new_labelled_rows == 1400
    assert json.loads(world.read(KEY))["performance"] == LOST


def test_a_first_window_that_is_worse_than_the_gate_saw_breaks_the_promise_once(world, bookings):
    hold(world)
    steady(world, bookings)
    world.put("reports/p.json", json.dumps(LOST | {"severity": "OK"}).encode())
    for _ in range(2):
        run(performance_key="reports/p.json")
    (entry,) = [entry for entry in world.timeline() if entry["kind"] == "promise_broken"]
    assert entry["detail"]["reasons"] == [
        "auc is 0.69 (0.66 to 0.72) in the window; the gate saw 0.83 (0.82 to 0.84) on the holdout"
    ]
    assert [subject for subject, _ in world.mails() if "does not keep what the gate promised" in subject]


def test_a_window_with_too_few_labels_breaks_no_promise(world, bookings):
    hold(world)
    steady(world, bookings)
    world.put("reports/p.json", json.dumps(LOST | {"severity": "INSUFFICIENT_DATA"}).encode())
    run(performance_key="reports/p.json")
    assert "promise_broken" not in world.kinds()


def test_rows_that_repeat_each_other_within_an_hour_count_for_fewer(world, bookings):
    hours = pc.hour(bookings.column("kedge_time")).to_numpy() + 24 * pc.day(bookings.column("kedge_time")).to_numpy()
    bursts = np.random.default_rng(2).normal(90, 30, hours.max() + 1)[hours]
    place = bookings.column_names.index("adr")
    burst = bookings.set_column(place, "adr", pa.array(bursts, pa.float32()))
    place, order = bookings.column_names.index("adults"), pa.array(np.random.default_rng(4).permutation(len(hours)))
    burst = burst.set_column(place, "adults", bookings.column("adults").take(order))
    # The model learnt from the same values in no order: nothing but the window's hours can know.
    world.freeze(rows=burst.take(pa.array(np.random.default_rng(3).permutation(burst.num_rows))))
    world.answer(burst, scored(burst, skill=0.8)[0])
    run()
    effects = {column["name"]: column["design_effect"] for column in json.loads(world.read(KEY))["columns"]}
    assert effects["adr"] > 2
    assert 1 <= effects["adults"] < 1.5


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
    assert report["window"]["rows"] == pc.sum(pc.greater_equal(bookings.column("kedge_time"), since)).as_py()


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


def test_a_window_that_still_grows_after_a_release_is_not_blind(world):
    world.freeze()
    for number, day in enumerate((28, 29, 30)):
        window = {"start": "2015-12-27T10:00:00Z", "end": f"2015-12-{day}T00:00:00Z"}
        assert run(time=f"2015-12-{day}T02:00:00Z", window=window)["severity"] == "INSUFFICIENT_DATA", number
    assert world.mails() == []
    judged = [entry["detail"]["reasons"] for entry in world.timeline() if entry["kind"] == "window_judged"]
    assert judged == [["0 rows so far; 200 are needed to judge drift"]] * 3


def test_a_window_whose_message_comes_again_with_more_labels_is_one_entry(world, bookings):
    steady(world, bookings)
    world.put("reports/p.json", json.dumps(LOST | {"severity": "OK"}).encode())
    run()
    run(performance_key="reports/p.json")
    (entry,) = [entry for entry in world.timeline() if entry["kind"] == "window_judged"]
    assert entry["detail"]["performance"]["severity"] == "OK"


def test_labels_that_match_nothing_are_told_once_for_a_package(world, bookings):
    steady(world, bookings)
    join = {"labelled_rows": 3, "labels_unmatched": 1200, "labels_strange": 0}
    world.put("reports/p.json", json.dumps(LOST | {"severity": "OK", "join": join}).encode())
    run(performance_key="reports/p.json")
    ((subject, body),) = world.mails()
    assert subject == f"[Kedge] {MODEL}: labels arrive that cannot be used"
    assert (
        "- 1,200 labels that came lately match no request; 3 rows of the window have a label: a label's eventId" in body
    )
    run(performance_key="reports/p.json")
    assert world.mails() == []


def test_another_loss_of_labels_is_told_without_the_one_that_was_told(world, bookings):
    steady(world, bookings)
    unmatched = {"labelled_rows": 3, "labels_unmatched": 1200, "labels_strange": 0}
    for join in (
        unmatched,
        unmatched | {"labels_strange": 300},
        unmatched | {"labels_unmatched": 0, "labels_strange": 300},
    ):
        world.put("reports/p.json", json.dumps(LOST | {"severity": "OK", "join": join}).encode())
        run(performance_key="reports/p.json")
    (_, first), (_, second) = world.mails()
    assert "1,200 labels that came lately match no request" in first
    assert "300 labels of the window's rows are none of the classes" in second
    assert "match no request" not in second


def test_a_model_that_is_not_deployed_is_not_judged(world):
    world.dynamodb.delete_item(TableName=TABLE, Key={"model": {"S": MODEL}, "item": {"S": "champion"}})
    assert run()["severity"] is None
    assert world.received("decision") == []


def test_pandas_is_not_needed():
    # Where pandas is installed, pyarrow imports it by itself: what counts is that nothing needs it.
    subprocess.run([sys.executable, "-c", WITHOUT_PANDAS], check=True)


# Data quality of the window, and Model Monitor's files


def quality_of(world, key=KEY):
    return {check["check"]: check for check in json.loads(world.read(key))["quality"] if "column" not in check}


def invoked(world, count: int, *, hours_before_end: int = 5) -> None:
    endpoint = world.config.endpoint
    dimensions = [{"Name": "EndpointName", "Value": endpoint.name}, {"Name": "VariantName", "Value": endpoint.variant}]
    world.cloudwatch.put_metric_data(
        Namespace="AWS/SageMaker",
        MetricData=[
            {
                "MetricName": "Invocations",
                "Dimensions": dimensions,
                "Value": float(count),
                "Timestamp": END - timedelta(hours=hours_before_end),
            }
        ],
    )


def counted_requests(world, day: str, requests: dict[int, int], *, version: str = "1", **facts) -> None:
    """Say how many records a day's hours held."""
    key = f"profiles/{MODEL}/{version}/{version}/{day}.npz"
    known, _ = days.load_day(world.s3, BUCKET, key)
    world.put(key, encode_day(replace(known, requests=requests, **facts)))


def test_requests_that_were_not_captured_are_critical_and_start_no_retraining(world, bookings):
    steady(world, bookings)
    invoked(world, 5000)
    assert run()["severity"] == "CRITICAL"
    check = quality_of(world)["captured"]
    assert (check["severity"], check["value"]) == ("CRITICAL", 0.0)
    ((subject, body),) = world.mails()
    assert "data quality is out of bounds" in subject
    assert "0 of 5,000 requests of the last week were captured (0%)" in body
    judged = windows.load_window(world.dynamodb, TABLE, MODEL, END)
    assert judged.verdict.drift is Severity.OK


def test_what_a_canary_answered_was_captured_too(world, bookings):
    steady(world, bookings)
    counted_requests(world, "2016-01-02", {3: 600})
    world.put(f"profiles/{MODEL}/2/2/2016-01-02.npz", encode_day(DayProfile(requests={4: 400, 5: 1})))
    served.save(world.dynamodb, TABLE, MODEL, "2", since=datetime(2016, 1, 2, tzinfo=UTC))
    invoked(world, 1001)
    run()
    assert (quality_of(world)["captured"]["severity"], quality_of(world)["captured"]["value"]) == ("OK", 1.0)


def test_duplicates_and_broken_records_are_told(world, bookings):
    steady(world, bookings)
    counted_requests(world, "2016-01-02", {3: 100}, duplicates=900, quarantined=40)
    run()
    found = quality_of(world)
    assert found["duplicates"]["severity"] == "WARNING"
    assert found["unreadable"]["severity"] == "CRITICAL"
    assert world.gauge("QualityChecksFailed") == [2.0]


def test_the_weeks_volume_is_compared_with_those_that_were_judged_before(world, bookings):
    steady(world, bookings)
    for weeks_ago in (1, 2, 3):
        end = END - timedelta(days=7 * weeks_ago)
        verdict = WindowVerdict(end - timedelta(days=28), end, Severity.OK, None)
        # Another package answered then: its rows are rows.
        judged = StoredWindow(verdict, "0", "d", 1, 0, tuple([40 + weeks_ago] * 168))
        windows.save_window(world.dynamodb, TABLE, MODEL, judged)
    run()
    found = quality_of(world)["volume"]
    rows = pc.sum(pc.greater_equal(bookings.column("kedge_time"), END - timedelta(days=7))).as_py()
    assert found["severity"] == "WARNING"
    assert found["reason"].startswith(
        f"{rows} rows in the last week; the same hours of 3 earlier weeks had 6,888 to 7,224"
    )
    kept = windows.load_window(world.dynamodb, TABLE, MODEL, END).rows_by_hour
    assert (len(kept), sum(kept)) == (168, rows)


def test_rows_that_a_sample_leaves_out_are_no_fall_in_volume_and_are_told(world, bookings):
    steady(world, bookings)
    rows = pc.sum(pc.greater_equal(bookings.column("kedge_time"), END - timedelta(days=7))).as_py()
    for weeks_ago in (1, 2, 3):
        end = END - timedelta(days=7 * weeks_ago)
        verdict = WindowVerdict(end - timedelta(days=28), end, Severity.OK, None)
        judged = StoredWindow(verdict, "1", "d", 1, 0, tuple([40 + weeks_ago] * 168))
        windows.save_window(world.dynamodb, TABLE, MODEL, judged)
    # As many as are missing to those weeks' 7,056.
    for day in range(28, 35):
        key = f"profiles/{MODEL}/1/1/{datetime(2015, 12, 1) + timedelta(days=day - 1):%Y-%m-%d}.npz"
        known, _ = days.load_day(world.s3, BUCKET, key)
        left_out = {12: (7056 - rows) // 7}
        world.put(key, encode_day(known.folded(DayProfile(left_out=left_out))))
    run()
    report = json.loads(world.read(KEY))
    assert quality_of(world)["volume"]["severity"] == "OK"
    assert report["window"]["rows"] == bookings.num_rows
    captured = bookings.num_rows + 7 * ((7056 - rows) // 7)
    assert f"{bookings.num_rows:,} of the {captured:,} captured rows are counted" in report["notes"][-1]
    assert report["window"]["rows_estimated"] == captured


def test_a_stretch_that_the_package_answered_only_in_part_is_not_compared(world, bookings):
    steady(world, bookings)
    invoked(world, 5000)
    key = run(window={"start": "2016-01-01T00:00:00Z", "end": "2016-01-04T00:00:00Z"})["report_key"]
    assert quality_of(world, key).keys() == {"freshness", "duplicates"}
    assert windows.load_window(world.dynamodb, TABLE, MODEL, END).rows_by_hour == ()


def test_model_monitors_files_lie_beside_the_report(world, bookings):
    drifted(world, bookings)
    constraints = {"version": 0, "features": []}
    world.put(f"baselines/{MODEL}/1/constraints.json", json.dumps(constraints).encode())
    run()
    folder = KEY.rpartition("/")[0]
    statistics, violations, kept = (
        json.loads(world.read(f"{folder}/{name}.json"))
        for name in ("statistics", "constraint_violations", "constraints")
    )
    assert kept == constraints
    assert statistics["dataset"]["item_count"] == bookings.num_rows
    (rate,) = (f["numerical_statistics"] for f in statistics["features"] if f["name"] == "adr")
    assert rate["mean"] == pytest.approx(pc.mean(bookings.column("adr")).as_py(), rel=1e-3)
    told = {(v["feature_name"], v["constraint_check_type"]) for v in violations["violations"]}
    assert ("adr", "baseline_drift_check") in told


def test_a_loss_is_told_once_it_has_lasted_as_long_as_the_yaml_asks(world, bookings, monkeypatch):
    config = deployed_models.config_of(MODEL)
    patient = config.performance.model_copy(update={"breaches": 2, "of_windows": 2})
    monkeypatch.setattr(detect_drift, "load_model", lambda *_: config.model_copy(update={"performance": patient}))
    steady(world, bookings)
    world.put("reports/p.json", json.dumps(LOST).encode())
    run(performance_key="reports/p.json")
    assert world.mails() == []
    before = WindowVerdict(
        datetime(2015, 11, 9, tzinfo=UTC), datetime(2015, 12, 7, tzinfo=UTC), Severity.OK, Severity.CRITICAL
    )
    windows.save_window(world.dynamodb, TABLE, MODEL, windows.StoredWindow(before, "1", "d", 1, 0))
    run(performance_key="reports/p.json")
    assert len(world.mails()) == 1


def test_drift_is_told_once_it_has_lasted_as_long_as_the_yaml_asks(world, bookings, monkeypatch):
    config = deployed_models.config_of(MODEL)
    patient = config.drift.model_copy(update={"breaches": 2, "of_windows": 2})
    monkeypatch.setattr(detect_drift, "load_model", lambda *_: config.model_copy(update={"drift": patient}))
    drifted(world, bookings)
    run()
    assert world.mails() == []
    assert json.loads(world.read(KEY))["severity"] == "CRITICAL"
    before = WindowVerdict(
        datetime(2015, 11, 9, tzinfo=UTC), datetime(2015, 12, 7, tzinfo=UTC), Severity.CRITICAL, None
    )
    windows.save_window(world.dynamodb, TABLE, MODEL, windows.StoredWindow(before, "1", "d", 1, 0))
    run()
    assert len(world.mails()) == 1


# What drift is judged against


@pytest.fixture
def seasonal(monkeypatch):
    """The model judged against the days before the window."""
    config = deployed_models.config_of(MODEL)
    judged = config.model_copy(update={"drift": config.drift.model_copy(update={"baseline": "trailing"})})
    monkeypatch.setattr(detect_drift, "load_model", lambda *_: judged)


def test_the_season_is_no_drift_where_the_days_before_are_the_baseline(world, bookings, seasonal):
    drifted(world, bookings)
    before = load_bookings("2015-11-09", "2015-12-07")
    world.answer(before, scored(before, skill=0.8, seed=2)[0])
    run()
    report = json.loads(world.read(KEY))
    assert {c["against"] for c in report["columns"]} == {"trailing"}
    rate = next(c for c in report["columns"] if c["name"] == "adr")
    assert rate["severity"] == "OK"


def test_hours_of_the_package_before_are_recounted_once_but_for_its_answers(world, bookings, seasonal):
    drifted(world, bookings)
    world.freeze("0", rows=bookings)
    before = load_bookings("2015-11-09", "2015-12-07")
    world.answer(before, scored(before, skill=0.8, seed=2)[0], version="0")
    run()
    report = json.loads(world.read(KEY))
    against = {c["name"]: c.get("against") for c in report["columns"]}
    assert against.pop("prediction") is None
    assert set(against.values()) == {"trailing"}
    assert report["notes"] == [
        "prediction is compared with the training data: the days before the window hold 0 rows with a value; 200 are needed"
    ]
    copies = world.keys(f"profiles/{MODEL}/0/1/")
    assert len(copies) == 28
    copied, _ = days.load_day(world.s3, BUCKET, copies[0])
    original, _ = days.load_day(world.s3, BUCKET, copies[0].replace("/0/1/", "/0/0/"))
    assert copied.parts == ()
    assert copied.counted == original.counted
    etags = [world.s3.head_object(Bucket=BUCKET, Key=key)["LastModified"] for key in copies]
    run()
    assert [world.s3.head_object(Bucket=BUCKET, Key=key)["LastModified"] for key in copies] == etags
    assert json.loads(world.read(KEY)) == report


def test_a_window_that_was_not_measured_is_judged_and_says_why(world, bookings):
    drifted(world, bookings)
    assert run(not_measured="its labels could not be folded")["severity"] == "CRITICAL"
    performance = json.loads(world.read(KEY))["performance"]
    assert performance["severity"] == "INSUFFICIENT_DATA"
    assert performance["reasons"] == ["performance was not measured: its labels could not be folded"]
    assert b"performance was not measured" in world.read(KEY.replace(".json", ".html"))
    ((_, body),) = world.mails()
    assert "performance was not measured: its labels could not be folded" in body
