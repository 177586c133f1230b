from datetime import timedelta

import pytest

from kedge.errors import EndpointBusyError, EndpointFailedError
from tests.state_machines.function_answers import PACKAGE, RUN, plan, proof
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
        VerifyRelease=proof("PROMOTED"),
        SwitchBaseline={"package_version": "3", "baseline": "3", "baseline_key": "baselines/hotel/3.npz"},
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


def test_a_proved_canary_becomes_the_champion(machine, functions):
    ending = run(machine)
    assert ending["status"] == "SUCCEEDED", ending.get("cause")
    assert functions.told() == ["canary_started", "canary_promoted"]
    (switched,) = functions.named("SwitchBaseline")
    config = plan()["endpoint_config"]["EndpointConfigName"]
    assert (switched["package_arn"], switched["endpoint_config"], switched["previous_config"]) == (
        PACKAGE,
        config,
        "hotel-v2",
    )
    assert machine.lease() is None


def test_sagemaker_is_asked_for_exactly_what_was_planned(machine, sagemaker):
    run(machine)
    planned = plan()
    assert sagemaker.calls == [
        ("CreateModel", planned["create_model"]),
        ("CreateEndpointConfig", planned["endpoint_config"]),
        ("UpdateEndpoint", planned["update"]),
    ]


def test_the_alarms_are_armed_before_the_update_and_gone_at_the_end(machine, functions, armed):
    seen = []
    functions.set(WatchCanary=lambda _event: seen.append(armed()) or {"verdict": "SETTLED"})
    run(machine)
    assert [sorted(names) for names in seen] == [sorted(ALARMS)]
    assert armed() == []


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
    assert times == ["2016-01-01T00:02:00.000Z", "2016-01-01T00:04:00.000Z", "2016-01-01T00:06:00.000Z"]
    assert {event["started"] for event in functions.named("WatchCanary")} == {"2016-01-01T00:00:00.000Z"}


def test_the_promotion_is_told_with_the_time_and_words_of_the_entry_in_the_timeline(machine, functions):
    run(machine)
    (switched,), told = functions.named("SwitchBaseline"), functions.named("Tell")[-1]
    assert told["time"] == switched["time"]
    # switch_baseline.py: detail = {"package_version", "run", "endpoint_config"}
    config = plan()["endpoint_config"]["EndpointConfigName"]
    assert told["detail"] == {"package_version": "3", "run": RUN, "endpoint_config": config}


@pytest.mark.parametrize(("verdict", "kind"), [("ROLLED_BACK", "canary_rolled_back"), ("UNPROVEN", "release_unproven")])
def test_a_release_that_is_not_proved_is_told_and_switches_nothing(machine, functions, armed, verdict, kind):
    functions.set(VerifyRelease=proof(verdict))
    assert run(machine)["status"] == "SUCCEEDED"
    assert functions.told() == ["canary_started", kind]
    assert functions.named("Tell")[-1]["detail"]["reasons"] == [f"it was {verdict}"]
    assert functions.named("SwitchBaseline") == []
    assert (armed(), machine.lease()) == ([], None)


ASTRAY = {"capture": {"verdict": "ASTRAY", "reasons": ["the endpoint captures to /2"]}}


@pytest.mark.parametrize(
    ("serving", "told"), [(True, ["canary_started", "capture_astray", "canary_promoted"]), (False, ["capture_astray"])]
)
def test_a_champion_whose_captures_go_astray_is_switched_to_and_told(machine, functions, serving, told):
    functions.set(PlanRelease=plan(serving=serving), VerifyRelease=proof("PROMOTED") | ASTRAY)
    assert run(machine)["status"] == "SUCCEEDED"
    assert functions.told() == told
    assert len(functions.named("SwitchBaseline")) == 1
    (event,) = [event for event in functions.named("Tell") if event["kind"] == "capture_astray"]
    assert event["detail"]["reasons"] == ["the endpoint captures to /2"]
    assert machine.lease() is None


def test_a_teller_that_fails_of_captures_fails_the_run_and_disarms_it(machine, functions, armed):
    functions.set(VerifyRelease=proof("PROMOTED") | ASTRAY, Tell=[{}, RuntimeError("no mail today"), {}])
    assert run(machine)["status"] == "FAILED"
    assert functions.named("Tell")[-1]["detail"]["state"] == "TellCaptureAstray"
    assert (armed(), machine.lease()) == ([], None)


def test_the_share_of_the_traffic_is_told_when_the_canary_starts(machine, functions):
    run(machine)
    assert functions.named("Tell")[0]["detail"]["traffic"] == plan()["traffic"]
    assert "1 of 2 instances: about 50 % of the traffic" in plan()["traffic"]


def test_nothing_is_ever_deleted_but_alarms(machine, functions, sagemaker):
    functions.set(VerifyRelease=proof("ROLLED_BACK"))
    run(machine)
    assert [called for called, _ in sagemaker.calls if called.startswith("Delete")] == []


def test_a_first_endpoint_is_created_and_awaited(machine, functions, sagemaker, armed):
    functions.set(PlanRelease=plan(serving=False), VerifyRelease=[BUSY, BUSY, proof("PROMOTED")])
    assert run(machine)["status"] == "SUCCEEDED"
    assert [called for called, _ in sagemaker.calls] == ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"]
    assert sagemaker.named("CreateEndpoint") == [plan(serving=False)["create"]]
    assert [event["time"][11:16] for event in functions.named("VerifyRelease")] == ["00:10"] * 3
    assert functions.named("SwitchBaseline")[0]["previous_config"] is None
    assert (functions.told(), armed(), machine.lease()) == ([], [], None)


def test_a_package_that_serves_already_changes_nothing_and_is_told(machine, functions, sagemaker):
    functions.set(PlanRelease={"verdict": "ALREADY_SERVING", "package_version": "3", "previous_config": "hotel-v3"})
    assert run(machine)["status"] == "SUCCEEDED"
    assert sagemaker.calls == []
    assert functions.named("Tell")[0]["detail"]["verdict"] == "ALREADY_SERVING"
    assert machine.lease() is None


def test_a_busy_endpoint_is_waited_for(machine, functions):
    functions.set(PlanRelease=[BUSY, BUSY, plan()])
    assert run(machine)["status"] == "SUCCEEDED"


@pytest.mark.parametrize("function", ["PlanRelease", "WatchCanary", "VerifyRelease", "SwitchBaseline"])
def test_a_function_that_fails_is_told_by_its_state_and_leaves_no_alarm_and_no_lease(
    machine, functions, armed, function
):
    functions.set(**{function: BROKEN})
    ending = run(machine)
    assert (ending["status"], ending["error"]) == ("FAILED", "EndpointFailedError")
    told = functions.named("Tell")[-1]
    assert (told["kind"], told["detail"]["state"]) == ("failed", function)
    assert (armed(), machine.lease()) == ([], None)


def test_the_alarms_guard_a_canary_that_is_no_longer_watched_until_it_has_settled(account, machine, functions, armed):
    functions.set(WatchCanary=BROKEN, VerifyRelease=[*[BUSY] * 40, proof("ROLLED_BACK")])
    machine.start(package_arn=PACKAGE)
    account.clock.advance_to(account.clock.now + timedelta(minutes=30))
    assert functions.told() == ["canary_started", "failed"]
    assert sorted(armed()) == sorted(ALARMS)
    account.clock.advance_to(account.clock.now + timedelta(minutes=30))
    assert (armed(), machine.lease()) == ([], None)


@pytest.mark.parametrize("operation", ["CreateModel", "CreateEndpointConfig", "UpdateEndpoint"])
def test_a_call_that_is_refused_for_good_ends_the_run_told(machine, functions, sagemaker, armed, operation):
    sagemaker.fail(operation, "ValidationException", times=99)
    ending = run(machine)
    assert (ending["status"], ending["error"]) == ("FAILED", "SageMaker.SageMakerException")
    assert functions.named("Tell")[-1]["detail"]["state"] == operation
    assert (armed(), machine.lease()) == ([], None)


def test_a_first_endpoint_that_cannot_be_created_ends_the_run_told(machine, functions, sagemaker):
    functions.set(PlanRelease=plan(serving=False))
    sagemaker.fail("CreateEndpoint", "ResourceLimitExceeded", times=99)
    assert run(machine)["error"] == "SageMaker.ResourceLimitExceededException"
    assert (functions.told(), machine.lease()) == (["failed"], None)


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


@pytest.mark.parametrize("verdict", [{"PlanRelease": {"verdict": "X"}}, {"WatchCanary": {"verdict": "X"}}])
def test_an_unknown_verdict_is_told_rather_than_guessed(machine, functions, armed, verdict):
    functions.set(**verdict)
    assert run(machine)["error"] == "UnknownVerdict"
    assert (functions.told()[-1], armed(), machine.lease()) == ("failed", [], None)


def test_the_lease_is_given_back_even_if_nobody_can_be_told(machine, functions, armed):
    functions.set(Tell=RuntimeError("no mail today"))
    ending = run(machine)
    assert (ending["status"], ending["error"]) == ("FAILED", "RuntimeError")
    assert (armed(), machine.lease()) == ([], None)


@pytest.mark.parametrize("verdict", ["PROMOTED", "ROLLED_BACK", "UNPROVEN"])
def test_a_teller_that_fails_at_the_end_fails_the_run_and_disarms_it(machine, functions, armed, verdict):
    functions.set(VerifyRelease=proof(verdict), Tell=[{}, RuntimeError("no mail today"), {}])
    assert run(machine)["status"] == "FAILED"
    assert (armed(), machine.lease()) == ([], None)


def test_a_teller_that_fails_on_what_serves_already_fails_the_run(machine, functions):
    functions.set(PlanRelease={"verdict": "ALREADY_SERVING"}, Tell=[RuntimeError("no mail today"), {}])
    assert run(machine)["status"] == "FAILED"
    assert machine.lease() is None


def test_a_canary_that_never_settles_ends_with_the_machine(account, machine, functions):
    functions.set(WatchCanary={"verdict": "BAKING", "watch": {}})
    assert run(machine, hours=13)["status"] == "TIMED_OUT"
    # The lease's holder runs no more, so that the next one may take it: lambdas/adapters/leases.py.
    (holder,) = {machine.lease()}
    assert machine.ending(holder)["status"] != "RUNNING"
