"""replay_staging takes a trial forward, one step with each call, and keeps what came of it."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from kedge.config.staging import Staging
from kedge.profile.counted_objects import CountedObjects
from kedge.profile.day import DayProfile, encode_day
from kedge.retraining.rows import scoring_payload
from lambdas.adapters.training.staging_endpoints import StagingAnswer, StagingClient, StagingState
from lambdas.handlers.replay_staging import handler
from lambdas.steps.staging import sending, trial
from tests.builders import capture_record, json_lines
from tests.handlers.aws_world import CONTEXT, MODEL, aws_world
from tests.handlers.holdouts import HOLDOUT_ROWS, PREFIX, RUN, make_rows, write_holdout

NAME = f"{RUN}-staging-0"
NOON = datetime(2016, 2, 10, 12, tzinfo=UTC)
MADE_AT = datetime.now(UTC)


class Fleet:
    """The endpoint on trial: how it stands, what it answers, and what it was asked."""

    def __init__(self, monkeypatch, answers):
        self.state, self.answers, self.asked = StagingState("InService", "", MADE_AT), answers, []
        monkeypatch.setattr(trial.staging_endpoints, "state_of", lambda *_: self.state)
        monkeypatch.setattr(StagingClient, "send", lambda _client, request: self.send(request))
        monkeypatch.setattr(sending.time, "sleep", lambda _seconds: None)

    def send(self, request):
        self.asked.append(request)
        return self.answers(request)


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        world.scored = write_holdout(world)
        rows = make_rows(world, np.random.default_rng(1), np.zeros(HOLDOUT_ROWS, int))
        world.put(f"{PREFIX}/holdout/input/rows.csv", b"".join(scoring_payload(rows, world.config)))
        world.lines = [line.partition(b",")[2] for line in b"".join(scoring_payload(rows, world.config)).splitlines()]
        yield world


@pytest.fixture
def fleet(world, monkeypatch):
    """It answers each row of the holdout as the transform job did, and anything else with 0.5."""
    known = {bytes(line): answer for line, answer in zip(world.lines, world.scored, strict=True)}
    return Fleet(monkeypatch, lambda request: StagingAnswer(f"{known.get(request.body, 0.5)}\n".encode(), "text/csv"))


def step(*, champion=None, **policy):
    given = {"minutes": 1, "minimum_requests": 20} | policy
    staging = {
        "name": NAME,
        "policy": Staging(**given).model_dump(mode="json"),
        "instances": 2,
        "variant": {"InstanceType": "ml.m5.large"},
    }
    event = {"model": MODEL, "run": RUN, "time": "2016-02-11T02:00:00Z", "staging": staging}
    event |= {"snapshot": {"holdout_rows": HOLDOUT_ROWS}, "champion": {"package_version": champion}}
    return handler(event, CONTEXT)["verdict"]


def record(world):
    return json.loads(world.read(f"{PREFIX}/staging.json"))


def capture(world, requests, *, hour=NOON):
    """An hour in which version 1 was asked so often in its first minute, as it was counted."""
    key = f"capture/{MODEL}/1/{MODEL}/AllTraffic/{hour:%Y/%m/%d/%H}/a.jsonl"
    lines = [
        capture_record(f"row {n}", "0.5", inferenceTime=f"{hour:%Y-%m-%dT%H}:00:30Z", eventId=f"e{n}")
        for n in range(requests)
    ]
    world.put(key, json_lines(*lines))
    folder = key.removesuffix(f"{hour:%H}/a.jsonl")
    day = DayProfile(counted=CountedObjects.of({key: "etag"}), requests={hour.hour: requests}, folders=(folder,))
    world.put(f"profiles/{MODEL}/1/1/{hour:%Y-%m-%d}.npz", encode_day(day))


def test_while_sagemaker_makes_the_endpoint_nothing_is_sent(world, fleet):
    fleet.state = StagingState("Creating", "", MADE_AT)
    assert step() == "WAIT"
    assert fleet.asked == []


def test_an_endpoint_that_is_never_made_ends_the_trial(world, fleet):
    fleet.state = StagingState("Creating", "", MADE_AT - timedelta(hours=1))
    assert step() == "DONE"
    assert record(world)["unfinished"] == "SageMaker had not made the endpoint after 45 minutes"


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("The primary container did not pass the ping health check.", "refused"),
        ("Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error.", "unfinished"),
    ],
)
def test_a_container_that_fails_is_the_models_fault_and_a_lack_of_instances_nobodys(world, fleet, reason, kind):
    fleet.state = StagingState("Failed", reason, MADE_AT)
    assert step() == "DONE"
    assert record(world)[kind] == reason


def test_an_endpoint_that_somebody_deleted_ends_the_trial(world, fleet):
    fleet.state = None
    assert step() == "DONE"
    assert record(world)["unfinished"] == "the endpoint is not there any more"


def test_answers_are_compared_with_the_transform_jobs_row_by_row(world, fleet):
    assert step() == "GO_ON"
    found = record(world)
    assert (found["compared"], found["different"], len(fleet.asked)) == (300, 0, 300)


@pytest.mark.parametrize(
    "answer",
    [StagingAnswer(b"0.123456", "text/csv"), StagingAnswer(failure="HTTP 500"), StagingAnswer(b"<html>", "text/html")],
    ids=["another number", "no answer", "a page"],
)
def test_another_answer_or_none_is_a_difference(world, fleet, answer):
    fleet.answers = lambda _request: answer
    step()
    assert record(world)["different"] == 300


def test_without_captures_rows_of_the_holdout_are_replayed_until_they_are_enough(world, fleet):
    assert [step() for _ in range(3)] == ["GO_ON", "DONE", "DONE"]
    found = record(world)
    assert (found["wanted"], len(found["milliseconds"]), found["hour"]) == (20, 20, "")
    assert len(fleet.asked) == 300 + 20
    assert found["load"].startswith("no request was captured in the last 7 days")


def test_the_busiest_hour_of_the_champion_is_replayed_as_it_was_captured(world, fleet):
    capture(world, 30, hour=NOON - timedelta(days=1))
    capture(world, 240)
    capture(world, 900, hour=NOON - timedelta(days=20))  # too long ago
    assert [step(champion="1") for _ in range(2)] == ["GO_ON", "DONE"]
    found = record(world)
    # 240 requests in one minute, for two instances: 2 a second, for one minute.
    assert (found["hour"], found["per_second"], found["wanted"]) == ("2016-02-10T12:00:00Z", 2.0, 120)
    assert [request.body for request in fleet.asked[300:]] == [f"row {n}".encode() for n in range(120)]


def test_hours_that_may_still_gain_requests_and_other_versions_are_left_out(world, fleet):
    capture(world, 240, hour=datetime(2016, 2, 11, 1, tzinfo=UTC))
    step(champion="1")
    assert record(world)["hour"] == ""


def test_a_long_replay_goes_on_where_the_last_call_ended(world, fleet):
    capture(world, 30)
    verdicts = [step(champion="1", minutes=20, minimum_requests=600) for _ in range(6)]
    # 0.5 a second: 120 requests in each call's four minutes.
    assert verdicts == [*["GO_ON"] * 5, "DONE"]
    assert len(record(world)["milliseconds"]) == 600
    assert [request.body for request in fleet.asked[300:]] == [f"row {n % 30}".encode() for n in range(600)]


def test_failures_are_counted_by_what_was_said(world, fleet):
    step()
    fleet.answers = lambda _request: StagingAnswer(failure="HTTP 500")
    assert step() == "DONE"
    assert record(world)["failures"] == {"HTTP 500": 20}


def test_captures_that_were_deleted_meanwhile_end_the_trial(world, fleet):
    capture(world, 240)
    step(champion="1")
    for key in world.keys(f"capture/{MODEL}/"):
        world.s3.delete_object(Bucket="kedge-data", Key=key)
    assert step(champion="1") == "DONE"
    assert record(world)["unfinished"] == "the captured requests are not there any more"
