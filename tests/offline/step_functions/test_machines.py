import json
from datetime import timedelta
from functools import partial

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.offline.machine_runner import MINUTE, Runner, invoke, task, wait
from tests.offline.offline_world import NotingFunction, make_queue

EVERYTHING = "States.ALL"


@pytest.fixture
def runner(account):
    return Runner(account)


def test_an_execution_does_nothing_until_the_clock_is_moved(account, runner):
    execution = runner.start(runner.make({"Now": {"Type": "Succeed"}}))
    assert runner.ending(execution)["status"] == "RUNNING"
    account.clock.advance_to(account.clock.now)
    assert runner.ending(execution)["status"] == "SUCCEEDED"


def test_a_wait_parks_on_the_clock(account, runner):
    start, execution = account.clock.now, runner.start(runner.make({"Wait": wait(3600)}))
    account.clock.advance_to(start + 59 * MINUTE)
    assert runner.ending(execution)["status"] == "RUNNING"
    account.clock.advance_to(start + 3 * 60 * MINUTE)
    ending = runner.ending(execution)
    assert (ending["status"], ending["stopDate"]) == ("SUCCEEDED", start + 60 * MINUTE)


def test_the_context_object_tells_the_time_as_aws_does(runner):
    output = runner.run(
        {
            "Wait": wait(90, Next="Tell"),
            "Tell": {
                "Type": "Pass",
                "Parameters": {"started.$": "$$.Execution.StartTime", "entered.$": "$$.State.EnteredTime"},
                "End": True,
            },
        }
    )["output"]
    assert output == {"started": "2016-01-01T00:00:00.000Z", "entered": "2016-01-01T00:01:30.000Z"}


def test_retries_wait_on_the_clock_and_longer_each_time(account, runner):
    function = NotingFunction(account, "broken", "raise KeyError(event)")
    retry = [{"ErrorEquals": ["KeyError"], "IntervalSeconds": 60, "MaxAttempts": 3, "BackoffRate": 2}]
    start, execution = account.clock.now, runner.start(runner.make({"Try": invoke(function, Retry=retry)}))
    for minute, attempts in ((0, 1), (1, 2), (2.9, 2), (3, 3), (7, 4), (60, 4)):
        account.clock.advance_to(start + minute * MINUTE)
        assert len(function.events()) == attempts
    assert runner.ending(execution)["error"] == "KeyError"


def test_a_machine_that_runs_out_of_time_has_timed_out(account, runner):
    start, machine = account.clock.now, runner.make({"Wait": wait(3600)}, TimeoutSeconds=600)
    execution = runner.start(machine)
    account.clock.advance_to(start + 60 * MINUTE)
    assert runner.ending(execution)["status"] == "TIMED_OUT"
    assert runner.history(execution)[-1]["type"] == "ExecutionTimedOut"


def test_a_stopped_execution_ends_at_once(account, runner):
    start, execution = account.clock.now, runner.start(runner.make({"Wait": wait(3600)}))
    account.clock.advance_to(start + MINUTE)
    runner.states.stop_execution(executionArn=execution)
    account.clock.advance_to(start + 2 * MINUTE)
    ending = runner.ending(execution)
    assert (ending["status"], ending["stopDate"]) == ("ABORTED", start + MINUTE)


def test_an_execution_can_be_stopped_before_it_began(account, runner):
    execution = runner.start(runner.make({"Wait": wait(3600)}))
    runner.states.stop_execution(executionArn=execution)
    account.clock.advance_to(account.clock.now + MINUTE)
    assert runner.ending(execution)["status"] == "ABORTED"


def stops_itself(**more):
    """A state whose call takes effect while somebody stops its execution."""
    datum = {"Namespace": "N", "MetricData": [{"MetricName": "m", "Value": 1}]}
    call = {"Resource": "arn:aws:states:::aws-sdk:cloudwatch:putMetricData", "Parameters": datum}
    return {"Type": "Task"} | call | more


LEADS_ON = {"Stop": stops_itself(Next="Wait"), "Wait": wait(60)}
ENDS = {"Stop": stops_itself(End=True)}
FAILS = {"Stop": stops_itself(ResultSelector={"absent.$": "$.Nothing"}, End=True)}
IS_CAUGHT = {
    "Stop": FAILS["Stop"] | {"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Wait"}]},
    "Wait": wait(60),
}
IN_A_BRANCH = {"Both": {"Type": "Parallel", "End": True, "Branches": [
    {"StartAt": "Stop", "States": LEADS_ON}, {"StartAt": "Wait", "States": {"Wait": wait(60)}},
]}}  # fmt: skip


@pytest.mark.parametrize(
    "states", [LEADS_ON, ENDS, FAILS, IS_CAUGHT, IN_A_BRANCH], ids=["leads on", "ends", "fails", "caught", "branch"]
)
def test_an_execution_that_is_stopped_in_the_middle_of_a_state_is_aborted(account, runner, states):
    execution = runner.start(runner.make(states))
    stop = partial(runner.states.stop_execution, executionArn=execution)
    boto3._get_default_session().events.register("before-call.cloudwatch", lambda **_: stop() and None)
    account.clock.advance_to(account.clock.now + 60 * MINUTE)
    assert runner.ending(execution)["status"] == "ABORTED"
    assert runner.history(execution)[-1]["type"] == "ExecutionAborted"


@pytest.mark.parametrize("name", ["x" * 81, "with space", "with/slash", "with:colon"])
def test_a_name_out_of_the_rules_is_refused(runner, name):
    machine = runner.make({"Now": {"Type": "Succeed"}})
    with pytest.raises(ClientError) as raised:
        runner.start(machine, name)
    assert raised.value.response["Error"]["Code"] in ("InvalidName", "ValidationException")


def test_an_input_that_is_too_long_is_refused(runner):
    machine = runner.make({"Now": {"Type": "Succeed"}})
    runner.start(machine, "fits", text="x" * 262_000)
    with pytest.raises(ClientError, match="262144"):
        runner.start(machine, "long", text="x" * 262_144)


def test_an_execution_without_a_name_is_given_one(account, runner):
    machine = runner.make({"Now": {"Type": "Succeed"}})
    arns = {runner.states.start_execution(stateMachineArn=machine)["executionArn"] for _ in range(2)}
    assert len(arns) == 2


def test_an_input_that_is_no_json_is_refused(runner):
    machine = runner.make({"Now": {"Type": "Succeed"}})
    with pytest.raises(ClientError, match="InvalidExecutionInput"):
        runner.states.start_execution(stateMachineArn=machine, input="{")


def test_a_state_that_answers_too_much_ends_the_execution_uncaught(account, runner):
    function = NotingFunction(account, "talkative", "return 'x' * 262144")
    catch = [{"ErrorEquals": [EVERYTHING], "Next": "Caught"}]
    ending = runner.run({"Try": invoke(function, Catch=catch), "Caught": {"Type": "Succeed"}})
    assert (ending["status"], ending["error"]) == ("FAILED", "States.DataLimitExceeded")


def test_the_same_start_twice_is_one_execution_while_it_runs(account, runner):
    machine = runner.make({"Wait": wait(60)})
    assert runner.start(machine, a=1) == runner.start(machine, a=1)
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        runner.start(machine, a=2)


def test_a_name_is_taken_for_ninety_days_after_the_end(account, runner):
    machine = runner.make({"Now": {"Type": "Fail", "Error": "Boom"}})
    runner.start(machine)
    account.clock.advance_to(account.clock.now + timedelta(days=90))
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        runner.start(machine)
    account.clock.advance_to(account.clock.now + timedelta(days=1))
    runner.start(machine)


def send(account):
    url, _ = make_queue(account, "queue")
    return {"Call": task("aws-sdk:sqs:sendMessage", {"QueueUrl": url, "MessageBody": "hello"})}


def test_a_machine_calls_as_its_role(account, runner):
    runner.run(send(account))
    assert {call.role_arn for call in account.calls if call.action == "sqs:SendMessage"} == {runner.role}


def test_a_machine_may_do_only_what_its_role_may(account):
    ending = Runner(account, "sqs:ReceiveMessage").run(send(account))
    assert (ending["status"], ending["error"]) == ("FAILED", "Sqs.SqsException")
    assert [call.allowed for call in account.calls if call.action == "sqs:SendMessage"] == [False]


@pytest.fixture
def told(account):
    told, publish = [], account.bus.publish

    def noted(source, detail_type, detail, resources):
        told.append({"source": source, "type": detail_type, "detail": detail, "resources": resources})
        publish(source, detail_type, detail, resources)

    account.patch(account.bus, "publish", noted)
    return told


def test_every_status_is_told_as_an_event(account, runner, told):
    ending = runner.run({"Fail": {"Type": "Fail", "Error": "Boom", "Cause": "it broke"}}, a=1)
    started, ended = told
    assert (started["source"], started["type"]) == ("aws.states", "Step Functions Execution Status Change")
    assert started["resources"] == [ending["executionArn"]]
    assert (started["detail"]["status"], started["detail"]["stopDate"]) == ("RUNNING", None)
    assert (ended["detail"]["status"], ended["detail"]["error"], ended["detail"]["cause"]) == (
        "FAILED",
        "Boom",
        "it broke",
    )
    assert json.loads(ended["detail"]["input"]) == {"a": 1}


def test_an_event_leaves_out_what_is_too_long_for_it(account, runner, told):
    runner.run({"Now": {"Type": "Succeed"}}, text="x" * 255_000)
    for event in told:
        assert (event["detail"]["input"], event["detail"]["inputDetails"]) == (None, {"included": False})


@pytest.mark.parametrize(
    ("states", "metric"),
    [
        ({"Now": {"Type": "Succeed"}}, "ExecutionsSucceeded"),
        ({"Now": {"Type": "Fail", "Error": "Boom"}}, "ExecutionsFailed"),
    ],
)
def test_every_ending_is_counted(account, runner, states, metric):
    runner.run(states)
    (machine,) = runner.states.list_state_machines()["stateMachines"]
    found = account.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/States",
        MetricName=metric,
        Dimensions=[{"Name": "StateMachineArn", "Value": machine["stateMachineArn"]}],
        StartTime=account.clock.now - timedelta(days=2),
        EndTime=account.clock.now,
        Period=172800,
        Statistics=["Sum"],
    )
    assert [point["Sum"] for point in found["Datapoints"]] == [1]


@pytest.fixture
def short_histories(monkeypatch):
    monkeypatch.setattr("offline.step_functions.machines.HISTORY_EVENTS_MAX", 40)


CATCH = [{"ErrorEquals": [EVERYTHING], "Next": "Caught"}]


def endless(**more):
    return {"Ask": wait(60, Next="Again"), "Again": {"Type": "Pass", "Next": "Ask"}} | more


def check_full(account, runner, states):
    execution = runner.start(runner.make(states))
    account.clock.advance_to(account.clock.now + 60 * MINUTE)
    ending, history = runner.ending(execution), runner.history(execution)
    assert ending["status"] == "FAILED"
    assert "maximum number of history events (40)" in ending["cause"]
    assert (len(history), history[-1]["type"]) == (40, "ExecutionFailed")


@pytest.mark.usefixtures("short_histories")
def test_an_endless_execution_fails_when_its_history_is_full(account, runner):
    check_full(account, runner, endless())


@pytest.mark.usefixtures("short_histories")
def test_nothing_catches_a_full_history(account, runner):
    branches = [{"StartAt": "Ask", "States": endless()}]
    both = {"Type": "Parallel", "Branches": branches, "Catch": CATCH, "End": True}
    check_full(account, runner, {"Both": both, "Caught": {"Type": "Succeed"}})


@pytest.mark.usefixtures("short_histories")
def test_a_long_execution_may_succeed_with_the_last_event(account, runner):
    # The start, two events for each state, and the end: forty.
    names = [f"State{number}" for number in range(19)]
    nexts = [*({"Next": name} for name in names[1:]), {"End": True}]
    states = {name: {"Type": "Pass"} | then for name, then in zip(names, nexts, strict=True)}
    execution = runner.start(runner.make(states))
    account.clock.advance_to(account.clock.now + MINUTE)
    assert runner.ending(execution)["status"] == "SUCCEEDED"
    assert len(runner.history(execution)) == 40
