"""decide_retraining starts a retraining once for each cause, or says why it is held."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from kedge.instants import to_text
from kedge.retraining.decision import run_name
from kedge.retraining.state import WindowVerdict
from kedge.severity import Severity
from lambdas.adapters import executions
from lambdas.adapters.state import windows
from lambdas.adapters.state.windows import StoredWindow
from lambdas.handlers.decide_retraining import handler
from tests.handlers.aws_world import CONTEXT
from tests.handlers.monitor_world import MODEL, TABLE, load_event, message, monitor_world

NOW = datetime(2016, 1, 4, 2, tzinfo=UTC)
FIRST_LOST = "performance-2016-01-04T00:00:00Z"


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world:
        world.promote(datetime(2015, 10, 1, tzinfo=UTC))
        yield world


def judged(world, performance: Severity, *, end: datetime = NOW, new_rows: int = 2000, version: str = "1") -> None:
    end = end.replace(hour=0)
    verdict = WindowVerdict(end - timedelta(days=28), end, Severity.OK, performance)
    windows.save_window(world.dynamodb, TABLE, MODEL, StoredWindow(verdict, version, "d", 1, new_rows))


def lost(world, **facts) -> None:
    judged(world, Severity.CRITICAL, **facts)


def run(time: datetime = NOW) -> dict:
    return json.loads(json.dumps(handler(message({"model": MODEL, "time": to_text(time)}), CONTEXT)))


def test_lost_quality_starts_a_retraining_with_the_lease_taken(world):
    lost(world)
    answer = run()
    assert answer["action"] == "START"
    assert world.runs() == [answer["run"]] == [run_name(MODEL, "performance", FIRST_LOST, 1)]
    assert world.item("lease")["holder"]["S"].endswith(f":execution:kedge-retrain:{answer['run']}")
    (entry,) = world.timeline()
    assert (entry["kind"], entry["detail"]["trigger"], entry["detail"]["run"]) == (
        "retraining_started",
        "performance",
        answer["run"],
    )


def test_the_execution_gets_what_it_needs(world):
    lost(world)
    run()
    (machine,) = world.stepfunctions.list_state_machines()["stateMachines"]
    (execution,) = world.stepfunctions.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]
    given = json.loads(world.stepfunctions.describe_execution(executionArn=execution["executionArn"])["input"])
    assert given.keys() == {"model", "run", "time", "trigger"}
    assert given["time"] == "2016-01-04T02:00:00Z"
    assert given["trigger"]["kind"] == "performance"


def test_the_start_is_mailed_with_its_reason(world):
    lost(world)
    run()
    ((subject, body),) = world.mails()
    assert subject == f"[Kedge] {MODEL}: retraining started: quality is lost"
    assert "quality has been lost since the window to 2016-01-04" in body


def test_the_same_message_again_starts_and_tells_nothing(world):
    lost(world)
    first = run()
    world.mails()
    assert run() == first
    assert len(world.runs()) == 1
    assert world.mails() == []
    assert world.kinds() == ["retraining_started"]


def test_a_crash_after_the_start_is_made_good(world):
    lost(world)
    name = run_name(MODEL, "performance", FIRST_LOST, 1)
    (machine,) = world.stepfunctions.list_state_machines()["stateMachines"]
    executions.start(world.stepfunctions, machine["stateMachineArn"], name=name, request={})
    assert run()["run"] == name
    assert world.runs() == [name]
    assert world.kinds() == ["retraining_started"]
    assert list(windows.load_starts(world.dynamodb, TABLE, MODEL)) == [name]


def test_a_start_is_followed_by_a_cooldown_that_is_told_once(world):
    lost(world)
    run()
    world.end_run("SUCCEEDED")
    for week in (1, 2):
        later = NOW + timedelta(days=7 * week) - timedelta(hours=1)
        lost(world, end=later)
        assert run(later)["hold"] == "cooldown"
    assert len(world.runs()) == 1
    assert world.kinds() == ["retraining_started", "retraining_held"]


def test_a_failed_retraining_takes_its_next_attempt_with_the_next_window(world):
    lost(world)
    run()
    world.end_run("FAILED")
    later = NOW + timedelta(days=7)
    lost(world, end=later)
    answer = run(later)
    assert (answer["action"], answer["attempt"]) == ("START", 2)
    assert world.runs() == [run_name(MODEL, "performance", FIRST_LOST, attempt) for attempt in (1, 2)]
    assert world.item("lease")["holder"]["S"].endswith(answer["run"])


def test_a_failed_execution_that_nobody_noted_takes_the_next_attempt(world):
    lost(world)
    (machine,) = world.stepfunctions.list_state_machines()["stateMachines"]
    name = run_name(MODEL, "performance", FIRST_LOST, 1)
    executions.start(world.stepfunctions, machine["stateMachineArn"], name=name, request={})
    world.end_run("TIMED_OUT")
    assert run()["attempt"] == 2


def test_after_the_last_attempt_a_person_is_told_once(world):
    for week in range(5):
        later = NOW + timedelta(days=7 * week)
        lost(world, end=later)
        run(later)
        world.end_run("ABORTED")
    assert len(world.runs()) == world.config.retraining.attempts_maximum
    assert world.kinds() == ["retraining_started"] * 3 + ["retraining_held"]
    assert "earlier attempts did not help" in world.mails()[-1][0]


def test_a_model_under_release_is_left_alone(world):
    lost(world)
    holder = "arn:aws:states:eu-west-1:123456789012:execution:kedge-release:r"
    # The lease is taken by the wall clock, whatever logical time the decision has.
    item = {"holder": holder, "purpose": "release", "taken_at": to_text(datetime.now(UTC))}
    key = {"model": {"S": MODEL}, "item": {"S": "lease"}}
    world.dynamodb.put_item(TableName=TABLE, Item=key | {name: {"S": value} for name, value in item.items()})
    answer = run()
    assert (answer["action"], answer["hold"]) == ("HOLD", "lease")
    assert world.runs() == []
    assert world.kinds() == ["retraining_held"]


@pytest.mark.parametrize(("new_rows", "paused", "hold"), [(2000, True, "paused"), (10, False, "no_new_labels")])
def test_a_wanted_retraining_is_held_with_its_reason(world, new_rows, paused, hold):
    lost(world, new_rows=new_rows)
    if paused:
        key = {"model": {"S": MODEL}, "item": {"S": "pause"}}
        world.dynamodb.put_item(TableName=TABLE, Item=key | {"reason": {"S": "the hotels are closed"}})
    assert run()["hold"] == hold
    ((_, body),) = world.mails()
    assert ("the hotels are closed" if paused else "10 ripe labelled rows") in body


def test_a_person_starts_one_whatever_the_machine_would_say(world):
    key = {"model": {"S": MODEL}, "item": {"S": "pause"}}
    world.dynamodb.put_item(TableName=TABLE, Item=key | {"reason": {"S": "closed"}})
    answer = handler(load_event("retrain_by_hand"), CONTEXT)
    assert (answer["action"], answer["trigger"]) == ("START", "manual")
    assert "a new feature was added" in world.mails()[0][1]


def test_good_quality_starts_and_tells_nothing(world):
    judged(world, Severity.OK)
    assert run()["action"] == "NONE"
    assert world.runs() == world.mails() == world.kinds() == []


def test_windows_of_the_package_before_do_not_count(world):
    lost(world, version="0")
    assert run()["action"] == "NONE"


def test_a_model_that_is_not_deployed_is_not_retrained_by_itself(world):
    world.dynamodb.delete_item(TableName=TABLE, Key={"model": {"S": MODEL}, "item": {"S": "champion"}})
    assert run()["action"] == "NONE"
