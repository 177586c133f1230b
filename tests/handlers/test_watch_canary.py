"""watch_canary compares what both fleets answered, puts the gauge, and remembers what it saw."""

import base64
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from kedge.instants import from_text, to_text
from kedge.release.proof import CaptureFound
from lambdas.adapters import clients
from lambdas.adapters.captures import captured_answers
from lambdas.adapters.release.endpoints import EndpointState
from lambdas.handlers import watch_canary
from tests import deployed_models
from tests.handlers.aws_world import ACCOUNT, BUCKET, CONTEXT, MODEL, REGION, aws_world, moto_backend
from tests.handlers.champions import promote

PACKAGE = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{MODEL}/1"
OLD, NEW = f"{MODEL}-v1-aaaa", f"{MODEL}-v2-bbbb"
STARTED = from_text("2016-02-11T12:50:00Z")


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        world.serve(OLD)
        world.register()
        yield world


@pytest.fixture
def updating(monkeypatch):
    # moto has no UpdateEndpoint, so no endpoint of its own is ever on its way.
    state = EndpointState(MODEL, "Updating", OLD, "AllTraffic", 2, "", (("Baking", STARTED),), None, STARTED)
    monkeypatch.setattr(watch_canary.endpoints, "describe_endpoint", lambda *_: state)


def capture(
    world, version: str, scores: Iterable[object], *, content_type: str = "text/csv", start: datetime = STARTED
) -> None:
    """Capture an answer every ten seconds under a package's prefix; only CSV's own type is not in BASE64."""
    payload = ",".join("1" for _ in world.config.features)
    for hour in (start.hour, start.hour + 1):
        lines = []
        for minute, score in enumerate(scores):
            time = start + timedelta(seconds=int(10 * minute))
            if time.hour == hour:
                sides = {"endpointInput": payload, "endpointOutput": str(score)}
                data = {
                    side: {"observedContentType": "text/csv", "mode": "X", "data": text, "encoding": "CSV"}
                    for side, text in sides.items()
                }
                if content_type != "text/csv":
                    packed = base64.b64encode(str(score).encode()).decode()
                    came = {"observedContentType": content_type, "data": packed, "encoding": "BASE64"}
                    data["endpointOutput"] |= came
                meta = {"eventId": f"{version}-{minute}", "inferenceTime": to_text(time)}
                lines.append(json.dumps({"captureData": data, "eventMetadata": meta, "eventVersion": "0"}))
        key = f"capture/{MODEL}/{version}/{MODEL}/AllTraffic/{start:%Y/%m/%d}/{hour:02d}/f.jsonl"
        world.put(key, "\n".join(lines).encode())


def look(minutes: int, *, context=CONTEXT) -> dict:
    event = {
        "model": MODEL,
        "run": "release-1",
        "package_arn": PACKAGE,
        "time": to_text(STARTED + timedelta(minutes=minutes)),
        "package_version": "2",
        "endpoint_config": NEW,
        "previous_config": OLD,
        "started": to_text(STARTED),
    }
    return watch_canary.handler(event, context)


def put(metric: str) -> list[float]:
    """What was put of a metric of this canary, in order."""
    dimensions = {"Model": MODEL, "EndpointConfigName": NEW}
    return [
        datum.value
        for datum in moto_backend("cloudwatch").metric_data
        if datum.name == metric and {d.name: d.value for d in datum.dimensions} == dimensions
    ]


def gauges() -> list[float]:
    return put("CanaryMisbehaviour")


def test_a_settled_endpoint_is_not_watched(world):
    assert look(5) == {"verdict": "SETTLED", "watch": {}}
    assert gauges() == put("CanaryLooks") == []


@pytest.mark.usefixtures("updating")
def test_like_answers_are_healthy(world):
    random = np.random.default_rng(1)
    for version in "12":
        capture(world, version, random.uniform(0.1, 0.9, 100))
    answered = look(20)
    assert (answered["verdict"], answered["watch"]["verdict"]) == ("BAKING", "HEALTHY")
    assert "sample" not in answered["watch"]["reasons"][0]
    assert gauges() == [0.0]
    assert put("CanaryLooks") == [1.0]


@pytest.mark.usefixtures("updating")
def test_a_look_reads_captures_that_are_new_or_were_replaced_and_no_other(world):
    for version in "12":
        capture(world, version, np.full(100, 0.3))
    asked, events = list[str](), clients.s3().meta.events

    def note(params, **_):
        asked.append(params["url_path"])

    events.register("before-call.s3.GetObject", note)
    read = []
    for minutes, scores in ((18, None), (19, None), (20, np.full(100, 0.9))):
        if scores is not None:
            capture(world, "2", scores)
        asked.clear()
        verdict = look(minutes)["watch"]["verdict"]
        read.append((len([path for path in asked if "/AllTraffic/" in path]) > 0, verdict))
    events.unregister("before-call.s3.GetObject", note)
    assert read == [(True, "HEALTHY"), (False, "HEALTHY"), (True, "MISBEHAVING")]


@pytest.mark.usefixtures("updating")
def test_shifted_answers_raise_the_gauge_and_are_remembered(world):
    random = np.random.default_rng(1)
    capture(world, "1", random.uniform(0.1, 0.5, 100))
    capture(world, "2", random.uniform(0.5, 0.9, 100))
    assert look(20)["watch"]["verdict"] == "MISBEHAVING"
    assert gauges() == [1.0]
    assert world.item("canary")["verdict"]["S"] == "MISBEHAVING"


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (STARTED - timedelta(minutes=30), "in the hour before"),
        (STARTED - timedelta(minutes=30, days=1) + timedelta(hours=1), "in the day before"),
    ],
)
@pytest.mark.usefixtures("updating")
def test_where_all_traffic_moved_at_once_the_champions_answers_of_before_are_compared(world, start, said):
    random = np.random.default_rng(1)
    capture(world, "1", random.uniform(0.1, 0.9, 100), start=start)
    capture(world, "2", random.uniform(0.1, 0.9, 100))
    watch = look(20)["watch"]
    assert watch["verdict"] == "HEALTHY"
    assert said in watch["reasons"][0]
    capture(world, "2", random.uniform(0.9, 1.0, 100))
    watch = look(20)["watch"]
    assert watch["verdict"] == "MISBEHAVING"
    assert said in watch["reasons"][0]


@pytest.mark.usefixtures("updating")
def test_only_the_last_look_holds_missing_requests_against_the_canary(world):
    capture(world, "1", np.full(50, 0.5))
    capture(world, "2", np.full(5, 0.5))
    assert look(20)["watch"]["verdict"] == "HEALTHY"
    last = world.config.canary.bake_minutes - 4
    assert look(last)["watch"]["verdict"] == "UNPROVEN"
    assert sorted(gauges()) == [0.0, 1.0]


@pytest.mark.usefixtures("updating")
def test_a_canary_whose_answers_cannot_be_read_is_unproven_and_says_what_came(world, monkeypatch):
    monkeypatch.setattr(watch_canary.canary_traffic, "count_requests", lambda *_, **__: 500)
    capture(world, "1", np.full(50, 0.5))
    capture(world, "2", ["<html>Bad gateway</html>"] * 50, content_type="text/html; charset=utf-8")
    assert look(20)["watch"]["verdict"] == "UNDECIDED"
    watch = look(world.config.canary.bake_minutes - 4)["watch"]
    assert watch["verdict"] == "UNPROVEN"
    assert "none of the 50 captured requests of the canary could be read" in watch["reasons"][0]
    assert "a page of HTML" in watch["reasons"][0]
    assert sorted(gauges()) == [0.0, 1.0]
    assert world.item("canary")["judged"] == {"N": "0"}


@pytest.mark.usefixtures("updating")
def test_answers_that_came_as_html_are_compared_by_their_content(world):
    random = np.random.default_rng(1)
    capture(world, "1", random.uniform(0.1, 0.9, 100))
    capture(world, "2", random.uniform(0.1, 0.9, 100), content_type="text/html; charset=utf-8")
    assert look(20)["watch"]["verdict"] == "HEALTHY"
    assert world.item("canary")["judged"] == {"N": "100"}


def test_while_the_fleet_is_being_made_nothing_is_compared_but_it_is_watched(world, monkeypatch):
    state = EndpointState(MODEL, "Updating", OLD, "AllTraffic", 2, "", (("Creating", STARTED),), None, STARTED)
    monkeypatch.setattr(watch_canary.endpoints, "describe_endpoint", lambda *_: state)
    assert look(58) == {"verdict": "BAKING", "watch": {}}
    assert gauges() == []
    assert put("CanaryLooks") == [1.0]


@pytest.mark.usefixtures("updating")
def test_a_look_whose_gauge_cannot_be_put_is_no_look(world, monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("CloudWatch is throttled")

    monkeypatch.setattr(watch_canary.canary_traffic, "put_gauge", refuse)
    with pytest.raises(RuntimeError):
        look(20)
    assert put("CanaryLooks") == []


@pytest.mark.parametrize("status", ["Rejected", "PendingManualApproval"])
def test_a_canary_whose_approval_was_taken_back_goes_back(world, updating, status):
    scores = np.linspace(0.1, 0.9, 120)
    capture(world, "1", scores)
    capture(world, "2", scores)
    world.sagemaker.update_model_package(ModelPackageArn=PACKAGE, ModelApprovalStatus=status)
    watch = look(20)["watch"]
    assert (watch["verdict"], watch["gauge"]) == ("MISBEHAVING", 1)
    assert f"is {status} in the registry" in watch["reasons"][0]


@pytest.mark.usefixtures("world", "updating")
def test_a_canary_whose_package_was_deleted_goes_back(monkeypatch):
    monkeypatch.setattr("tests.handlers.test_watch_canary.PACKAGE", PACKAGE.replace("/1", "/99"))
    watch = look(20)["watch"]
    assert (watch["verdict"], watch["gauge"]) == ("MISBEHAVING", 1)
    assert "was deleted in the registry" in watch["reasons"][0]


@pytest.mark.parametrize("destination", ["elsewhere", None])
def test_where_what_serves_is_not_captured_the_last_champions_answers_are_compared(
    world, updating, monkeypatch, destination
):
    found = CaptureFound(f"s3://{BUCKET}/{destination}", True) if destination else None
    monkeypatch.setattr(
        watch_canary.endpoints, "describe_served_model", lambda *_: watch_canary.endpoints.ServedModel("alien", found)
    )
    promote(world)
    capture(world, "1", np.linspace(0.1, 0.9, 100), start=STARTED - timedelta(minutes=30))
    capture(world, "2", np.linspace(0.1, 0.9, 100))
    watch = look(20)["watch"]
    assert (watch["verdict"], "in the hour before" in watch["reasons"][0]) == ("HEALTHY", True)


def test_the_gauge_is_put_even_if_nothing_can_be_remembered(world, updating, monkeypatch):
    def refuse(*_):
        raise RuntimeError("the table is throttled")

    monkeypatch.setattr(watch_canary.canary_watch, "save", refuse)
    with pytest.raises(RuntimeError):
        look(20)
    assert gauges() == [0.0]


@pytest.mark.usefixtures("updating")
def test_a_look_whose_time_is_over_says_what_is_left_and_the_next_reads_on_and_counts_nothing_twice(world, monkeypatch):
    scores = np.linspace(0.1, 0.9, 120)
    for version in "12":
        capture(world, version, scores)
    # A few lines at a time, so that an object is left half read.
    monkeypatch.setattr(captured_answers.row_objects, "READ_AHEAD_BYTES", 9_000)
    monkeypatch.setattr(captured_answers, "_BLOCK_BYTES", 1)
    hurried = SimpleNamespace(**vars(CONTEXT) | {"get_remaining_time_in_millis": lambda: 0})
    reasons, read = [], []
    for _ in range(12):
        reasons.append(look(20, context=hurried)["watch"]["reasons"][0])
        read.append(int(world.item("canary")["rows"]["N"]))
    assert "captures are not read for errors yet" in reasons[0]
    assert 0 < read[0] < 60 < read[5]
    assert (read[-1], "not read" in reasons[-1]) == (120, False)
    # What came late is all that the next look reads.
    world.put(f"capture/{MODEL}/2/{MODEL}/AllTraffic/{STARTED:%Y/%m/%d}/13/late.jsonl", late_answer("nan").encode())
    assert "1 of the canary's 121 answers is not a number" in look(22)["watch"]["reasons"][0]
    assert gauges()[-1] == 1.0


@pytest.mark.usefixtures("updating")
def test_a_wrong_answer_that_is_in_no_sample_sends_the_canary_back(world, monkeypatch):
    monkeypatch.setattr(captured_answers, "SAMPLE_BYTES", 4_000)
    monkeypatch.setattr(captured_answers, "STRETCH_BYTES", 1_000)
    scores = np.linspace(0.1, 0.9, 120)
    capture(world, "1", scores)
    capture(world, "2", scores)
    watch = look(20)["watch"]
    assert (watch["verdict"], "these are an even sample; 120 answers of the canary" in watch["reasons"][0]) == (
        "HEALTHY",
        True,
    )
    for wrong in range(0, 120, 30):
        capture(world, "2", [*scores[:wrong], "nan", *scores[wrong:]])
        assert look(20)["watch"]["verdict"] == "MISBEHAVING", wrong


def late_answer(score: str) -> str:
    """One record of the canary, as Data Capture writes it."""
    sides = {"endpointInput": "1,2", "endpointOutput": score}
    data = {
        side: {"observedContentType": "text/csv", "mode": "X", "data": text, "encoding": "CSV"}
        for side, text in sides.items()
    }
    data["endpointInput"]["data"] = ",".join("1" for _ in deployed_models.config_of(MODEL).features)
    meta = {"eventId": "late", "inferenceTime": to_text(STARTED + timedelta(minutes=19))}
    return json.dumps({"captureData": data, "eventMetadata": meta, "eventVersion": "0"})
