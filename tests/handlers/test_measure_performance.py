"""measure_performance joins late labels to answers, and lets only ripe rows judge."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import numpy as np
import pytest
from botocore.exceptions import ClientError

from kedge.config.policies import PerformanceLimit, PerformancePolicy
from kedge.errors import LabelsUnfoldedError
from kedge.outcomes.multiclass import count_classes
from kedge.performance.window import LabelledOutcomes, judge_performance
from kedge.quality.window import WindowQuality
from kedge.retraining.state import WindowVerdict
from kedge.severity import Severity
from lambdas.adapters import clients, metrics
from lambdas.adapters.state import windows
from lambdas.adapters.state.windows import StoredWindow
from lambdas.handlers import measure_performance
from lambdas.handlers.measure_performance import gauges, handler
from lambdas.steps import label_batches
from lambdas.steps.requests import JudgeRequest
from tests.handlers.aws_world import CONTEXT
from tests.handlers.bookings import load_bookings, publish_labels
from tests.handlers.labels import record, upload
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


def test_a_limit_that_is_kept_is_ok_and_a_metric(world, bookings):
    answered(world, bookings, skill=0.9)
    run()
    report = report_of(world)
    # These made-up answers keep the order and lose the level: the limit of auc is kept, and other metrics are worse.
    assert report["severity"] == "WARNING", report["reasons"]
    auc = next(metric for metric in report["metrics"] if metric["name"] == "auc")
    assert auc["limit"] < auc["value"]
    assert auc["severity"] == "OK"
    assert world.gauge("Performance/auc") == [auc["value"]]


def test_only_rows_older_than_the_horizon_judge(world, bookings):
    answered(world, bookings, skill=0.8)
    run()
    report, horizon = report_of(world), windows.load_horizon(world.dynamodb, TABLE, MODEL)
    assert horizon is not None
    old = [t for t in bookings.column("kedge_time").to_pylist() if (NOW - t).total_seconds() / 86400 >= horizon]
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
    after = [t for t in bookings.column("kedge_time").to_pylist() if t >= datetime(2015, 12, 14, tzinfo=UTC)]
    assert 0 < whole < len(after)


def test_only_the_days_and_parts_of_the_window_are_read_and_no_label_file_twice(world, bookings):
    answered(world, load_bookings("2015-10-05", "2015-12-07"), skill=0.8)
    answered(world, bookings, skill=0.8)
    run()
    read = []
    world.s3.meta.events.register(
        "before-call.s3.GetObject", lambda params, **_: read.append(unquote(params["url_path"]))
    )
    run()
    dates = {key.split("date=")[1][:10] for key in read if "date=" in key}
    assert (min(dates), max(dates)) == ("2015-12-07", "2016-01-03")
    assert not [key for key in read if "/labels/" in key]


def test_a_rerun_overwrites_itself(world, bookings):
    answered(world, bookings, skill=0.1)
    run()
    before = sorted(world.keys("reports/") + world.keys("audit/"))
    run()
    assert sorted(world.keys("reports/") + world.keys("audit/")) == before


def test_a_classs_own_recall_is_put_to_cloudwatch_only_where_it_is_judged():
    right = np.tile([0, 1], 300)
    counts = count_classes(np.where(np.arange(600) < 300, right, 1 - right), right, ("cat", "dog"))
    policy = PerformancePolicy(limits=(PerformanceLimit(metric="recall_dog", at_least=0.4),))
    report = judge_performance(LabelledOutcomes(counts, 0, ""), counts, policy)
    told = gauges(WindowQuality(report))
    assert (told["Performance/accuracy"], told["Performance/recall_dog"]) == (0.5, 0.5)
    assert "recall_cat" in report.metrics
    assert "Performance/recall_cat" not in told


def test_the_report_says_what_the_join_took_and_the_timeline_does_not(world, bookings):
    answered(world, bookings, skill=0.8)
    run()
    first = report_of(world)["join"]
    assert first["labels_new"] == first["labels_matched"] == first["labelled_rows"] > 500
    assert (first["rows"], first["labels_waiting"], first["labels_unknown"]) == (bookings.num_rows, 0, 0)
    assert 0 < first["days_opened"] <= 28 < first["objects_opened"]
    assert 1 <= first["label_delay_days"]["median"] <= first["label_delay_days"]["longest"] < 28
    run()
    again = report_of(world)["join"]
    assert (again["label_files"], again["labels_new"], again["days_opened"]) == (0, 0, 0)
    assert again["labelled_rows"] == first["labelled_rows"]
    assert "join" not in world.timeline()[0]["detail"]
    assert world.gauge("LabelsFolded") == [first["labels_matched"], 0]


def test_a_label_that_was_corrected_shows_in_the_next_measurement(world, bookings):
    answered(world, bookings, skill=0.8)
    run()
    before = report_of(world)["classes"]
    early = bookings.slice(0, 50)
    upload(world, NOW - timedelta(hours=1), *(record(str(row_id), "1") for row_id in early.column("id").to_pylist()))
    run()
    after = report_of(world)["classes"]
    assert early.column("label").to_pylist().count(0) > 10
    assert after["positive"] >= before["positive"] + early.column("label").to_pylist().count(0)
    # It is one measurement, and the later one stands.
    (entry,) = world.timeline()
    assert entry["detail"]["classes"] == after


def test_labels_that_nobody_can_use_are_said_in_the_report(world, bookings):
    answered(world, bookings, skill=0.8)
    first, second = (str(row_id) for row_id in bookings.slice(0, 2).column("id").to_pylist())
    upload(world, NOW - timedelta(hours=1), record(first, "perhaps"), record(second, "7"))
    broken = [record("nobody", "1"), "not json", "{}", record("no one", "0")]
    upload(world, datetime(2015, 12, 20, tzinfo=UTC), *broken)
    world.answer(bookings.slice(2, 1), [0.99], name="again")
    run()
    notes = " ".join(report_of(world)["notes"])
    for sentence in (
        "2 labels not known to the model: counted as missing",
        "1 answer contradicted by a later one to the same id",
        "2 labels collected lately match no answered row",
        "2 label records of the last 30 days cannot be read (1 JSONDecodeError in a label record, 1 KeyError in a label record)",
    ):
        assert sentence in notes


def redelivered(event: dict, times: int) -> dict:
    event["Records"][0].setdefault("attributes", {})["ApproximateReceiveCount"] = str(times)
    return event


def test_drift_is_judged_at_once_where_folding_fails_and_again_when_it_is_measured(world, bookings, monkeypatch):
    answered(world, bookings, skill=0.1)
    monkeypatch.setattr(measure_performance, "fold_labels", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run()
    (body,) = world.received("drift")
    assert body["not_measured"] == (
        "it could not be measured (ZeroDivisionError); Kedge tries again, and after attempt 3 its message lies in the "
        "dead-letter queue dead-letters"
    )
    assert "performance_key" not in body
    with pytest.raises(ZeroDivisionError):
        handler(redelivered(load_event("message_judge"), 3), CONTEXT)
    killed, failed = world.received("drift")
    assert "did not end" in killed["not_measured"]
    assert "(ZeroDivisionError); that was the last of 3 attempts" in failed["not_measured"]


def test_after_an_attempt_that_was_killed_drift_is_judged_before_anything_else(world, bookings):
    answered(world, bookings, skill=0.1)
    handler(redelivered(load_event("message_judge"), 2), CONTEXT)
    first, second = world.received("drift")
    assert "did not end" in first["not_measured"]
    assert "not_measured" not in second
    assert second["performance_key"].endswith("performance.json")


def test_an_attempt_that_has_told_its_reason_is_not_taken_for_one_that_was_killed(world, bookings):
    answered(world, bookings, skill=0.1)
    request = JudgeRequest.from_event(load_event("message_judge"))
    verdict = WindowVerdict(request.window.start, request.window.end, Severity.OK, None)
    windows.save_window(world.dynamodb, TABLE, MODEL, StoredWindow(verdict, "1", "", 0, 0))
    handler(redelivered(load_event("message_judge"), 2), CONTEXT)
    (measured,) = world.received("drift")
    assert "not_measured" not in measured


def test_labels_that_one_run_cannot_fold_keep_drift_waiting_no_longer(world, bookings, monkeypatch):
    answered(world, bookings, skill=0.1)
    monkeypatch.setattr(label_batches, "BATCH_BYTES", 1)
    monkeypatch.setattr(CONTEXT, "get_remaining_time_in_millis", lambda: 0)
    with pytest.raises(LabelsUnfoldedError):
        run()
    (body,) = world.received("drift")
    assert "more than one run can fold" in body["not_measured"]
    assert JudgeRequest.model_validate(body).not_measured


def test_metrics_of_long_ago_are_left_out_and_the_message_goes_on(world, bookings, monkeypatch):
    answered(world, bookings, skill=0.1)
    late = "The parameter MetricData.member.1.Timestamp must specify a time within the past two weeks."

    def refuse(**_):
        raise ClientError({"Error": {"Code": code, "Message": message}}, "PutMetricData")

    monkeypatch.setattr(clients.cloudwatch(), "put_metric_data", refuse)
    code, message = "InvalidParameterValue", late
    run()
    assert len(world.received("drift")) == 1
    message = "The value NaN for parameter MetricData.member.1.Value is invalid."
    with pytest.raises(ClientError):
        metrics.put(clients.cloudwatch(), model=MODEL, values={"a": 1}, time=NOW)
