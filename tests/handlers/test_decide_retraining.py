"""decide_retraining starts a retraining once for each cause, or says why it is held."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from kedge.errors import RetrainEventError
from kedge.instants import to_text
from kedge.retraining.decision import run_name
from kedge.retraining.state import WindowVerdict
from kedge.severity import Severity
from lambdas.adapters import executions
from lambdas.adapters.state import windows, wishes
from lambdas.adapters.state.windows import StoredWindow
from lambdas.adapters.state.wishes import HeldRetraining
from lambdas.handlers.decide_retraining import handler
from lambdas.steps.deciding import outside_event
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


def wish(detail: dict, *, arrived: datetime = NOW, said: datetime = NOW, identity: str = "e-1") -> dict:
    event = {"version": "0", "id": identity, "source": "pricing", "account": "1", "region": "r", "resources": []}
    found = message(event | {"detail-type": "kedge.retrain", "time": to_text(said), "detail": detail})
    found["Records"][0]["attributes"]["SentTimestamp"] = str(int(arrived.timestamp() * 1000))
    return found


def good(**facts) -> dict:
    return wish({"model": MODEL, "reason": "a new catalogue"}, **facts)


def test_an_event_of_another_program_starts_a_retraining_and_is_named(world):
    judged(world, Severity.OK)
    answer = handler(good(), CONTEXT)
    assert (answer["action"], answer["trigger"]) == ("START", "event")
    ((subject, body),) = world.mails()
    assert subject.endswith("retraining started: another program requested it")
    assert "pricing requested it at 2016-01-04 02:00 UTC: a new catalogue" in body
    assert handler(good(), CONTEXT) == answer
    assert len(world.runs()) == 1


def test_two_triggers_at_once_are_one_retraining_that_names_both(world):
    lost(world)
    answer = handler(good(), CONTEXT)
    assert (answer["trigger"], answer["triggers"]) == ("performance", ["performance", "event"])
    assert world.mails()[0][0].endswith("retraining started: quality is lost; another program requested it")


def test_an_event_that_is_held_is_kept_and_starts_once_nothing_holds_it(world):
    judged(world, Severity.OK, new_rows=10)
    held = handler(good(), CONTEXT)
    assert (held["hold"], held["lifts"]) == (
        "no_new_labels",
        ["490 more labelled rows (retraining.min_new_labelled_rows)"],
    )
    ((_, body),) = world.mails()
    assert "WHAT WOULD LIFT IT" in body
    assert "490 more labelled rows" in body
    assert world.item("held")["hold"]["S"] == "no_new_labels"
    later = NOW + timedelta(days=1)
    judged(world, Severity.OK, end=later)
    assert run(later)["action"] == "START"
    assert world.item("held") is None


@pytest.mark.parametrize("refused", ["unknown", "paused", "watched", "switched off", "not deployed"])
def test_an_event_is_refused_with_a_told_reason_and_not_kept(world, monkeypatch, refused):
    judged(world, Severity.OK)
    model = "hotel-cancelations" if refused == "unknown" else MODEL
    words = {
        "unknown": "no model is named hotel-cancelations; deployed models are: ",
        "paused": "retraining is paused: the hotels are closed. End the pause, then send the event again",
        "watched": f"{MODEL} is watched, not managed",
        "switched off": "retraining.on_event is false",
        "not deployed": "start the first training with `kedge retrain",
    }[refused]
    if refused == "paused":
        key = {"model": {"S": MODEL}, "item": {"S": "pause"}}
        world.dynamodb.put_item(TableName=TABLE, Item=key | {"reason": {"S": "the hotels are closed"}})
    if refused == "not deployed":
        world.dynamodb.delete_item(TableName=TABLE, Key={"model": {"S": MODEL}, "item": {"S": "champion"}})
    config = world.config
    if refused == "watched":
        config = config.model_copy(update={"mode": "watch"})
    if refused == "switched off":
        config = config.model_copy(update={"retraining": config.retraining.model_copy(update={"on_event": False})})
    monkeypatch.setattr(outside_event, "find_model", lambda name, _: config if name == MODEL else None)
    for _ in range(2):
        assert handler(wish({"model": model, "reason": "now"}), CONTEXT) == {"action": "REFUSED"}
    ((subject, body),) = world.mails()
    assert subject == f"[Kedge] {model}: an event kedge.retrain was refused"
    assert words in body
    assert (world.runs(), world.item("requested")) == ([], None)


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        ({"reason": "now"}, "detail.model: Field required"),
        ({"model": MODEL}, "detail.reason: Field required"),
        ({"model": MODEL, "reason": ""}, "detail.reason: String should have at least 1 character"),
        ({"model": "../secrets", "reason": "now"}, "detail.model: String should match pattern"),
        ({"model": MODEL, "reason": "now", "force": True}, "detail.force: Extra inputs are not permitted"),
    ],
)
def test_an_event_that_names_no_model_or_no_reason_is_an_error_for_the_dead_letters(world, detail, words):
    with pytest.raises(RetrainEventError) as refused:
        handler(wish(detail), CONTEXT)
    assert words in str(refused.value)
    assert world.runs() == world.mails() == []


def test_with_one_place_the_model_that_loses_most_goes_first(world, monkeypatch):
    monkeypatch.setenv("RETRAININGS_AT_ONCE", "1")
    lost(world)
    world.put("deployed/other.yaml", b"of which only the name is read")
    wishes.save_held(world.dynamodb, TABLE, "other", HeldRetraining("line", 10.0))
    held = run()
    assert (held["hold"], held["action"]) == ("line", "HOLD")
    assert (
        "1 of 1 places for a retraining are free, and 1 model that loses more waits for them: other" in held["reasons"]
    )
    wishes.save_held(world.dynamodb, TABLE, "other", HeldRetraining("cooldown", 10.0))
    assert run()["action"] == "START"


def test_a_place_is_free_again_once_its_execution_has_ended(world, monkeypatch):
    monkeypatch.setenv("RETRAININGS_AT_ONCE", "1")
    lost(world)
    first = run()
    later = NOW + timedelta(days=21)
    (machine,) = world.stepfunctions.list_state_machines()["stateMachines"]
    holder = executions.execution_arn(machine["stateMachineArn"], first["run"])
    assert world.item("lease", model="retraining place 1")["holder"]["S"] == holder
    world.dynamodb.delete_item(TableName=TABLE, Key={"model": {"S": MODEL}, "item": {"S": "lease"}})
    lost(world, end=later)
    assert run(later)["hold"] == "line"
    world.end_run("SUCCEEDED")
    assert run(later)["action"] == "START"


def test_a_place_is_given_back_if_another_execution_works_on_the_model(world, monkeypatch):
    monkeypatch.setenv("RETRAININGS_AT_ONCE", "2")
    lost(world)
    item = {"holder": "arn:aws:states:eu-west-1:123456789012:execution:kedge-release:r", "purpose": "release"}
    item |= {"taken_at": to_text(datetime.now(UTC))}
    key = {"model": {"S": MODEL}, "item": {"S": "lease"}}
    world.dynamodb.put_item(TableName=TABLE, Item=key | {name: {"S": value} for name, value in item.items()})
    assert run()["hold"] == "lease"
    assert world.item("lease", model="retraining place 1") is None


@pytest.mark.parametrize("said", [NOW - timedelta(days=900), NOW + timedelta(days=900)])
def test_an_event_that_lies_about_its_time_is_held_as_any_other(world, said):
    lost(world)
    run()
    world.end_run("SUCCEEDED")
    later = NOW + timedelta(days=3)
    judged(world, Severity.OK, end=later)
    answer = handler(good(arrived=later, said=said), CONTEXT)
    assert (answer["action"], answer["hold"]) == ("HOLD", "cooldown")


def test_an_event_that_is_delivered_twice_is_one_wish(world):
    judged(world, Severity.OK)
    assert handler(good(), CONTEXT)["action"] == "START"
    world.end_run("SUCCEEDED")
    later = NOW + timedelta(minutes=5)
    assert handler(good(arrived=later), CONTEXT)["action"] == "NONE"
    assert handler(good(arrived=later, identity="e-2"), CONTEXT)["hold"] == "cooldown"
