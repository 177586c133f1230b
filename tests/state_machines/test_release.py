import json
from datetime import timedelta

import pytest

from kedge.errors import EndpointBusyError, EndpointFailedError
from tests.state_machines.function_answers import PACKAGE, RUN, in_vpc, plan, settled
from tests.state_machines.machine_world import FakeFunctions, FakeSageMaker, Machine, throttled

ALARMS = plan()["alarm_names"]
BUSY = EndpointBusyError(endpoint="hotel", status="Updating")
BROKEN = EndpointFailedError(endpoint="hotel", status="Failed", reason="no capacity")


@pytest.fixture
def functions(account):
    return FakeFunctions(
        account,
        PlanRelease=plan(),
        WatchCanary=[{"verdict": "BAKING", "watch": {}}, {"verdict": "BAKING", "watch": {}}, {"verdict": "SETTLED"}],
        Settle=settled("PROMOTED"),
        Tell={"kind": "told"},
    )


@pytest.fixture
def sagemaker(account):
    return FakeSageMaker(account)


@pytest.fixture
def machine(account, functions, sagemaker):
    return Machine(account, "release", functions)


@pytest.fixture
def armed(account):
    """Return the names of the alarms that exist when one asks."""
    return lambda: [a["AlarmName"] for a in account.client("cloudwatch").describe_alarms()["MetricAlarms"]]


def run(machine, **more):
    return machine.run(package_arn=PACKAGE, **more)


def test_sagemaker_is_asked_for_exactly_what_was_planned(machine, sagemaker):
    run(machine)
    planned = plan()
    assert sagemaker.calls == [
        ("CreateModel", planned["create_model"]),
        ("CreateEndpointConfig", planned["endpoint_config"]),
        ("UpdateEndpoint", planned["update"]),
    ]


def test_a_model_in_a_vpc_is_the_one_that_was_planned(machine, functions, sagemaker):
    planned = in_vpc(plan())
    functions.set(PlanRelease=planned)
    assert run(machine)["status"] == "SUCCEEDED"
    assert sagemaker.named("CreateModel") == [planned["create_model"]]


def test_alarms_are_put_as_planned(account, machine, functions):
    found = []
    functions.set(
        WatchCanary=lambda _event: (
            found.extend(account.client("cloudwatch").describe_alarms()["MetricAlarms"]) or {"verdict": "SETTLED"}
        )
    )
    run(machine)
    for planned in plan()["alarms"]:
        (alarm,) = [alarm for alarm in found if alarm["AlarmName"] == planned["AlarmName"]]
        assert {key: alarm.get(key) for key in planned} == planned


def test_the_canary_is_watched_every_two_minutes_until_it_has_settled(machine, functions):
    run(machine)
    times = [event["time"] for event in functions.named("WatchCanary")]
    assert times == ["2016-01-01T00:04:00.000Z", "2016-01-01T00:06:00.000Z", "2016-01-01T00:08:00.000Z"]
    assert {event["started"] for event in functions.named("WatchCanary")} == {"2016-01-01T00:00:00Z"}


def test_the_share_of_the_traffic_is_told_when_the_canary_starts(machine, functions):
    run(machine)
    assert functions.named("Tell")[0]["detail"]["traffic"] == plan()["traffic"]
    assert "1 of 2 instances: about 50 % of the traffic" in plan()["traffic"]


def test_a_package_that_serves_already_changes_nothing_and_is_told(machine, functions, sagemaker):
    functions.set(PlanRelease={"verdict": "ALREADY_SERVING", "package_version": "3", "previous_config": "hotel-v3"})
    assert run(machine)["status"] == "SUCCEEDED"
    assert sagemaker.calls == []
    assert functions.named("Tell")[0]["detail"]["verdict"] == "ALREADY_SERVING"
    assert machine.lease() is None


def test_a_package_that_was_changed_after_its_gate_is_told_and_nothing_is_made(machine, functions, sagemaker):
    reasons = ["the artefact at s3://b/k is not the one that passed the gate"]
    functions.set(PlanRelease={"verdict": "REFUSED", "package_version": "3", "reasons": reasons})
    assert run(machine)["status"] == "SUCCEEDED"
    assert sagemaker.calls == []
    (told,) = functions.named("Tell")
    assert (told["kind"], told["detail"]["package_version"], told["detail"]["reasons"]) == (
        "release_refused",
        "3",
        reasons,
    )
    assert machine.lease() is None


def test_a_busy_endpoint_is_waited_for(machine, functions):
    functions.set(PlanRelease=[BUSY, BUSY, plan()])
    assert run(machine)["status"] == "SUCCEEDED"


@pytest.mark.parametrize("operation", ["CreateModel", "CreateEndpointConfig", "UpdateEndpoint"])
def test_a_call_that_is_refused_for_good_ends_the_run_told(machine, functions, sagemaker, operation):
    sagemaker.fail(operation, "ValidationException", times=99)
    ending = run(machine)
    assert (ending["status"], ending["error"]) == ("FAILED", "SageMaker.SageMakerException")
    assert functions.named("Tell")[-1]["detail"]["state"] == operation
    assert (len(functions.named("Settle")), machine.lease()) == (1, None)


def test_a_first_endpoint_that_cannot_be_created_ends_the_run_told(machine, functions, sagemaker):
    functions.set(PlanRelease=plan(serving=False))
    sagemaker.fail("CreateEndpoint", "ValidationException", times=99)
    assert run(machine)["error"] == "SageMaker.SageMakerException"
    assert (functions.told(), machine.lease()) == (["failed"], None)


def test_a_creation_whose_answer_was_lost_is_awaited_and_nobody_is_told_that_it_failed(machine, functions, sagemaker):
    functions.set(PlanRelease=plan(serving=False), Settle=[BUSY, settled("PROMOTED")])
    there = 'Cannot create already existing endpoint "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/m".'
    sagemaker.fail("CreateEndpoint", "ValidationException", times=6, saying=there)
    assert run(machine)["status"] == "SUCCEEDED"
    assert (functions.told(), machine.lease()) == ([], None)


@pytest.mark.parametrize(("operation", "serving"), [("CreateEndpoint", False), ("UpdateEndpoint", True)])
def test_a_quota_is_waited_for_told_once_and_the_release_planned_anew(
    machine, functions, sagemaker, operation, serving
):
    functions.set(PlanRelease=plan(serving=serving))
    sagemaker.fail(operation, "ResourceLimitExceeded", times=5)
    ending = run(machine)
    assert ending["status"] == "SUCCEEDED", ending.get("cause")
    assert [event["mark"] for event in functions.named("PlanRelease")] == ["", "1", "2", "3", "4", "5"]
    assert functions.told()[0] == "capacity_awaited"
    assert functions.told().count("capacity_awaited") == 1
    assert machine.lease() is None


@pytest.mark.parametrize(("operation", "serving"), [("CreateEndpoint", False), ("UpdateEndpoint", True)])
def test_a_quota_that_stays_is_given_up_after_a_day_told_and_settled(machine, functions, sagemaker, operation, serving):
    functions.set(PlanRelease=plan(serving=serving))
    sagemaker.fail(operation, "ResourceLimitExceeded", times=99)
    ending = run(machine, hours=27)
    assert (ending["status"], ending["error"]) == ("FAILED", "SageMaker.ResourceLimitExceededException")
    assert functions.told() == ["capacity_awaited", "failed"]
    assert functions.named("Tell")[-1]["detail"]["state"] == operation
    assert (len(functions.named("Settle")), machine.lease()) == (1, None)


TOO_LARGE = "CanarySize of 1 must be at most 50 percent of the instance count, which is 1."


SHORT = settled("SHORT") | {"shortage": "the endpoint serves hotel-v2: InsufficientInstanceCapacity"}


def test_an_accepted_update_that_finds_no_instances_is_waited_for_and_told_once(machine, functions, sagemaker):
    functions.set(WatchCanary={"verdict": "SETTLED"}, Settle=[SHORT, SHORT, SHORT, settled("PROMOTED")])
    ending = run(machine)
    assert ending["status"] == "SUCCEEDED", ending.get("cause")
    assert [event["mark"] for event in functions.named("PlanRelease")] == ["", "1", "2", "3"]
    assert functions.told() == ["canary_started", "capacity_awaited"]
    told = functions.named("Tell")[1]["detail"]
    assert (told["state"], told["cause"]) == ("the endpoint", SHORT["shortage"])
    assert (len(sagemaker.named("UpdateEndpoint")), sagemaker.named("DeleteEndpoint")) == (4, [])
    assert machine.lease() is None


def test_a_wait_that_nobody_could_be_told_of_is_told_at_its_next_pause(machine, functions):
    refused = [RuntimeError("the topic is gone")] * 3  # with its two retries
    functions.set(
        WatchCanary={"verdict": "SETTLED"},
        Settle=[SHORT, SHORT, SHORT, settled("PROMOTED")],
        Tell=[{}, *refused, {}],
    )
    assert run(machine)["status"] == "SUCCEEDED"
    assert functions.told() == ["canary_started", *["capacity_awaited"] * 4]


def test_a_first_endpoint_that_found_no_instances_is_deleted_before_it_is_made_again(machine, functions, sagemaker):
    short = SHORT | {"failed_endpoint": "hotel"}
    functions.set(PlanRelease=plan(serving=False), Settle=[short, settled("PROMOTED")])
    sagemaker.fail("DeleteEndpoint", "InternalFailure")
    assert run(machine)["status"] == "SUCCEEDED"
    made = [name for name, _ in sagemaker.calls if name in ("CreateEndpoint", "DeleteEndpoint")]
    assert made == ["CreateEndpoint", "DeleteEndpoint", "DeleteEndpoint", "CreateEndpoint"]
    assert sagemaker.named("DeleteEndpoint")[0] == {"EndpointName": "hotel"}


def test_an_endpoint_that_cannot_be_deleted_is_left_to_the_next_plan(machine, functions, sagemaker):
    functions.set(PlanRelease=[plan(serving=False), BROKEN], Settle=SHORT | {"failed_endpoint": "hotel"})
    sagemaker.fail("DeleteEndpoint", "ValidationException", times=99)
    assert run(machine)["status"] == "FAILED"
    assert functions.told() == ["capacity_awaited", "failed"]
    assert machine.lease() is None


def test_instances_that_never_come_are_given_up_after_a_day_and_told(machine, functions, sagemaker):
    functions.set(WatchCanary={"verdict": "SETTLED"}, Settle=SHORT)
    ending = run(machine, hours=48)
    assert (ending["status"], ending["error"]) == ("FAILED", "InsufficientCapacity")
    assert functions.told() == ["canary_started", "capacity_awaited", "failed"]
    assert "InsufficientInstanceCapacity" in functions.named("Tell")[-1]["detail"]["cause"]
    assert len(sagemaker.named("UpdateEndpoint")) == len(functions.named("PlanRelease")) > 24
    assert machine.lease() is None


def test_a_release_that_was_rejected_while_it_waited_ends_told_and_is_not_tried_for_ever(machine, functions):
    """What the try before has left is still short of instances when the plan fails."""
    functions.set(WatchCanary={"verdict": "SETTLED"}, PlanRelease=[plan(), BROKEN], Settle=SHORT)
    assert run(machine)["status"] == "FAILED"
    assert functions.told() == ["canary_started", "capacity_awaited", "failed"]
    assert functions.named("Tell")[-1]["detail"]["state"] == "PlanRelease"


def test_an_update_whose_answer_was_lost_and_that_found_no_instances_is_tried_again(machine, functions, sagemaker):
    sagemaker.fail("UpdateEndpoint", "InternalFailure", times=99)
    functions.set(WatchCanary={"verdict": "SETTLED"}, Settle=lambda _event: _mended(sagemaker))
    ending = run(machine)
    assert ending["status"] == "SUCCEEDED", ending.get("cause")
    assert functions.told() == ["failed", "capacity_awaited"]


def _mended(sagemaker):
    """The first try is short of instances; after it SageMaker answers again."""
    first = len(sagemaker.named("CreateModel")) == 1
    sagemaker._refusals.clear()
    return SHORT if first else settled("PROMOTED")


def test_every_message_and_the_plan_hear_of_the_rollback_that_the_execution_is(machine, functions):
    back = {"from": "3", "to": "2", "by": "ann", "reason": "complaints"}
    run(machine, rollback=back)
    for name in ("PlanRelease", "Tell"):
        assert {json.dumps(event["request"]["rollback"]) for event in functions.named(name)} == {json.dumps(back)}


def test_a_fleet_that_became_smaller_after_the_plan_is_planned_anew(machine, functions, sagemaker):
    functions.set(PlanRelease=[plan(), plan(instances=1, mark="0-1")])
    # The request and its retries; the next one has the new plan.
    sagemaker.fail("UpdateEndpoint", "ValidationException", times=4, saying=TOO_LARGE)
    ending = run(machine)
    assert ending["status"] == "SUCCEEDED", ending.get("cause")
    assert [event["mark"] for event in functions.named("PlanRelease")] == ["", "0-1"]
    assert sagemaker.named("UpdateEndpoint")[-1] == plan(instances=1, mark="0-1")["update"]
    assert functions.told() == ["canary_started"]


def test_a_fleet_that_never_fits_its_plan_is_told_after_three_plans_more(machine, functions, sagemaker):
    sagemaker.fail("UpdateEndpoint", "ValidationException", times=99, saying=TOO_LARGE)
    ending = run(machine)
    assert (ending["status"], ending["error"]) == ("FAILED", "SageMaker.SageMakerException")
    assert [event["mark"] for event in functions.named("PlanRelease")] == ["", "0-1", "0-2", "0-3"]
    (told,) = functions.named("Tell")
    assert (told["kind"], told["detail"]["state"]) == ("failed", "UpdateEndpoint")
    assert TOO_LARGE in told["detail"]["cause"]
    assert machine.lease() is None


def test_alarms_that_cannot_be_armed_stop_the_release_before_it_touches_the_endpoint(machine, functions, sagemaker):
    broken = plan()
    broken["alarms"][2]["ComparisonOperator"] = "Sometimes"
    functions.set(PlanRelease=broken)
    ending = run(machine)
    assert ending["status"] == "FAILED"
    assert sagemaker.named("UpdateEndpoint") == []


def test_an_update_that_comes_too_early_is_asked_for_again(machine, sagemaker):
    sagemaker.fail("UpdateEndpoint", "ValidationException", times=2)
    assert run(machine)["status"] == "SUCCEEDED"


def test_a_busy_lambda_is_asked_again(machine, functions):
    functions.set(WatchCanary=[throttled(), throttled(), {"verdict": "SETTLED"}])
    assert run(machine)["status"] == "SUCCEEDED"


def test_the_lease_is_given_back_even_if_nobody_can_be_told_of_a_failure(machine, functions):
    functions.set(PlanRelease=BROKEN, Tell=RuntimeError("no mail today"))
    ending = run(machine)
    assert (ending["status"], ending["error"]) == ("FAILED", "EndpointFailedError")
    assert machine.lease() is None


def test_a_teller_that_fails_on_what_serves_already_fails_the_run(machine, functions):
    functions.set(PlanRelease={"verdict": "ALREADY_SERVING"}, Tell=RuntimeError("no mail today"))
    assert run(machine)["status"] == "FAILED"
    assert machine.lease() is None


@pytest.mark.parametrize("status", ["InService", "Failed", "UpdateRollbackFailed", "OutOfService"])
def test_an_endpoint_that_has_settled_ends_the_looks_whatever_the_watcher_says(machine, functions, sagemaker, status):
    def look(_event):
        if len(functions.named("WatchCanary")) == 3:
            sagemaker.endpoint_status = status
        return {"verdict": "BAKING", "watch": {}}

    functions.set(WatchCanary=look)
    assert run(machine)["status"] == "SUCCEEDED"
    assert (len(functions.named("WatchCanary")), len(functions.named("Settle"))) == (3, 1)
    assert machine.lease() is None


def test_an_endpoint_that_cannot_be_looked_at_is_left_to_the_function_that_settles(machine, functions, sagemaker):
    functions.set(WatchCanary={"verdict": "BAKING", "watch": {}}, Settle=[BUSY, settled("UNCHANGED")])
    sagemaker.fail("DescribeEndpoint", "ValidationException", times=1000, saying="Could not find endpoint")
    run(machine)
    assert (len(functions.named("WatchCanary")), len(functions.named("Settle"))) == (2, 2)
    assert machine.lease() is None


def test_a_canary_that_never_settles_ends_with_the_machine(machine, functions, monkeypatch):
    functions.set(WatchCanary={"verdict": "BAKING", "watch": {}})
    # The largest number of events in a history, after three hours; the real one comes after three days.
    monkeypatch.setattr("offline.step_functions.machines.HISTORY_EVENTS_MAX", 1_000)
    assert run(machine, hours=3)["status"] == "FAILED"
    # The lease's holder runs no more, so that the next one may take it: lambdas/adapters/state/leases.py.
    (holder,) = {machine.lease()}
    assert machine.ending(holder)["status"] != "RUNNING"


def test_every_release_ends_with_what_the_endpoint_says(machine, functions):
    ending = run(machine)
    assert ending["status"] == "SUCCEEDED", ending.get("cause")
    assert functions.told() == ["canary_started"]
    (asked,) = functions.named("Settle")
    assert (asked["model"], asked["run"]) == ("hotel", RUN)
    assert machine.lease() is None


def test_the_alarms_are_armed_before_the_update(machine, functions, armed):
    seen = []
    functions.set(WatchCanary=lambda _event: seen.append(armed()) or {"verdict": "SETTLED"})
    run(machine)
    assert [sorted(names) for names in seen] == [sorted(ALARMS)]


def test_a_first_endpoint_is_created_and_awaited(machine, functions, sagemaker, armed):
    functions.set(PlanRelease=plan(serving=False), Settle=[BUSY, BUSY, settled("PROMOTED")])
    assert run(machine)["status"] == "SUCCEEDED"
    assert [called for called, _ in sagemaker.calls] == ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"]
    assert sagemaker.named("CreateEndpoint") == [plan(serving=False)["create"]]
    assert [event["time"][11:16] for event in functions.named("Settle")] == ["00:10"] * 3
    assert (functions.told(), armed(), machine.lease()) == ([], [], None)


@pytest.mark.parametrize("error", [RuntimeError("no reason"), BROKEN, BUSY])
def test_a_look_that_fails_is_tried_again_and_the_canary_is_watched_on(machine, functions, error):
    functions.set(WatchCanary=[error, error, {"verdict": "BAKING", "watch": {}}, {"verdict": "SETTLED"}])
    assert run(machine)["status"] == "SUCCEEDED"
    assert functions.told() == ["canary_started"]


def gauge(account):
    """Values of the gauge that the behaviour alarm reads."""
    found = account.client("cloudwatch").get_metric_statistics(
        Namespace="Kedge",
        MetricName="CanaryMisbehaviour",
        Dimensions=[
            {"Name": "Model", "Value": "hotel"},
            {"Name": "EndpointConfigName", "Value": plan()["endpoint_config"]["EndpointConfigName"]},
        ],
        StartTime=account.clock.now - timedelta(days=2),
        EndTime=account.clock.now,
        Period=60,
        Statistics=["Maximum"],
    )
    return [point["Maximum"] for point in found["Datapoints"]]


@pytest.mark.parametrize("answer", [RuntimeError("blind"), {"verdict": "X"}])
def test_a_canary_that_cannot_be_watched_is_sent_back_and_settled(account, machine, functions, answer):
    functions.set(WatchCanary=answer, Settle=[BUSY, BUSY, settled("ROLLED_BACK")])
    assert run(machine)["status"] == "SUCCEEDED"
    assert set(gauge(account)) == {1.0}
    # Put anew with each look that failed, until the endpoint has settled.
    assert len(gauge(account)) == len(functions.named("Settle")) == 3
    assert machine.lease() is None


def test_looks_that_hang_send_the_canary_back_before_the_shortest_bake_ends(account, machine, functions):
    timed_out = type("Sandbox.Timedout", (Exception,), {})
    functions.set(WatchCanary=timed_out("Task timed out after 120.00 seconds"), Settle=settled("ROLLED_BACK"))
    assert run(machine)["status"] == "SUCCEEDED"
    called = [name for name, _ in functions.events]
    # Two looks of two and a half minutes, after a pause of two: six tries would be a quarter of an hour.
    assert called[: called.index("Settle")].count("WatchCanary") == 2
    assert set(gauge(account)) == {1.0}


def test_an_update_whose_answer_was_lost_is_watched_like_any_other(machine, functions, sagemaker):
    sagemaker.fail("UpdateEndpoint", "ValidationException", times=99)
    functions.set(WatchCanary=[{"verdict": "BAKING", "watch": {}}, {"verdict": "SETTLED"}])
    run(machine)
    assert len(functions.named("WatchCanary")) == 2
    assert len(functions.named("Settle")) == 1


@pytest.mark.parametrize("code", ["ValidationException", "ThrottlingException"])
def test_the_looks_begin_before_a_fleet_whose_update_was_not_answered_can_bake(account, machine, sagemaker, code):
    sagemaker.fail("UpdateEndpoint", code, times=99)
    run(machine)
    arn = f"{machine.arn.replace(':stateMachine:', ':execution:')}:hotel-3f2a"
    events = machine.states.get_execution_history(executionArn=arn)["events"]
    entered = {
        e["stateEnteredEventDetails"]["name"]: e["timestamp"]
        for e in reversed(events)
        if "stateEnteredEventDetails" in e
    }
    assert entered["Bake"] - entered["UpdateEndpoint"] < timedelta(minutes=2)


def test_nobody_who_can_be_told_is_no_reason_to_end_a_release(machine, functions):
    functions.set(Tell=RuntimeError("no mail today"))
    assert run(machine)["status"] == "SUCCEEDED"
    assert len(functions.named("WatchCanary")) == 3


def test_a_release_that_cannot_be_planned_is_told_by_its_state_and_settled(machine, functions, armed):
    functions.set(PlanRelease=BROKEN)
    ending = run(machine)
    assert (ending["status"], ending["error"]) == ("FAILED", "EndpointFailedError")
    told = functions.named("Tell")[-1]
    assert (told["kind"], told["detail"]["state"]) == ("failed", "PlanRelease")
    assert (len(functions.named("Settle")), armed(), machine.lease()) == (1, [], None)


def test_an_unknown_verdict_is_told_rather_than_guessed(machine, functions):
    functions.set(PlanRelease={"verdict": "X"})
    assert run(machine)["error"] == "UnknownVerdict"
    assert (functions.told()[-1], machine.lease()) == ("failed", None)


def test_a_release_that_cannot_be_settled_gives_its_lease_back_for_the_hourly_round(machine, functions):
    functions.set(Settle=RuntimeError("not today"))
    run(machine)
    assert machine.lease() is None
    assert len(functions.named("Settle")) > 5


def test_the_endpoint_is_waited_for_as_long_as_a_deployment_may_take(account, machine, functions):
    functions.set(Settle=[*[BUSY] * 400, settled("PROMOTED")])
    assert run(machine)["status"] == "SUCCEEDED"
