"""The release machine with a version that is tried beside the champion: every way to its end takes it away again, told."""

import json

import pytest

from kedge.errors import EndpointBusyError
from kedge.release.plan import ServingFleet, plan_release
from lambdas.adapters.release import releases
from lambdas.steps.release.planned_experiment import LOOK_SECONDS
from tests.state_machines.function_answers import KEY, PACKAGE, ROLE, RUN, hotel, plan, settled
from tests.state_machines.machine_world import DEFINITIONS, FakeFunctions, FakeSageMaker, Machine

BUSY = EndpointBusyError(endpoint="hotel", status="Updating")
IN_PROGRESS = 'Cannot update in-progress endpoint "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/hotel".'


def begun(verdict="EXPERIMENT", strategy="shadow"):
    """Answer as plan_release does of a version that is tried."""
    made = plan_release(
        hotel(),
        package_version="3",
        package_arn=PACKAGE,
        run=f"{RUN}-experiment",
        serving=ServingFleet("AllTraffic", 2),
    )
    serving = releases.endpoint_config_request(made, bucket="bucket", kms_key_id=KEY)
    captures = serving["DataCaptureConfig"]["DestinationS3Uri"]
    release = hotel().release.model_validate({"strategy": strategy})
    request = releases.trial_config_request(made, serving, instances=2, release=release, captures=captures)
    return {
        "verdict": verdict,
        "strategy": strategy,
        "look_seconds": LOOK_SECONDS[strategy],
        "package_version": "3",
        "planned_at": "2016-01-01T00:00:00Z",
        "create_model": releases.create_model_request(made, role_arn=ROLE),
        "endpoint_config": request,
        "previous_config": "hotel-v2",
        "traffic": strategy,
        "update": releases.plain_update_request("hotel", made.endpoint_config, keep_instances=False),
        "end": releases.plain_update_request("hotel", "hotel-v2", keep_instances=True),
    }


@pytest.fixture
def functions(account):
    look = {"verdict": "GOING_ON", "reasons": []}
    return FakeFunctions(
        account,
        PlanRelease=[begun(), plan()],
        WatchExperiment=[look, look, {"verdict": "PROVED", "reasons": ["r"]}],
        WatchCanary={"verdict": "SETTLED"},
        Settle=[BUSY, settled("EXPERIMENT_PROVED"), settled("PROMOTED")],
        Tell={"kind": "told"},
    )


@pytest.fixture
def sagemaker(account):
    return FakeSageMaker(account)


@pytest.fixture
def machine(account, functions, sagemaker):
    return Machine(account, "release", functions, sagemaker)


def run(machine, **more):
    return machine.run(package_arn=PACKAGE, **more)


def updates(sagemaker):
    return [request["EndpointConfigName"] for request in sagemaker.named("UpdateEndpoint")]


def test_what_is_proved_is_taken_away_and_then_released_as_planned(machine, functions, sagemaker):
    ending = run(machine)
    assert ending["status"] == "SUCCEEDED", ending.get("cause")
    tried, released = begun(), plan()
    assert sagemaker.calls == [
        ("CreateModel", tried["create_model"]),
        ("CreateEndpointConfig", tried["endpoint_config"]),
        ("UpdateEndpoint", tried["update"]),
        ("UpdateEndpoint", tried["end"]),
        ("CreateModel", released["create_model"]),
        ("CreateEndpointConfig", released["endpoint_config"]),
        ("UpdateEndpoint", released["update"]),
    ]
    assert functions.told() == ["experiment_started", "canary_started"]
    assert machine.lease() is None


def test_it_is_looked_at_every_hour(machine, functions):
    run(machine)
    times = [event["time"] for event in functions.named("WatchExperiment")]
    assert [time[:16] for time in times] == ["2016-01-01T01:00", "2016-01-01T02:00", "2016-01-01T03:00"]


def test_what_is_withdrawn_is_taken_away_and_nothing_is_released(machine, functions, sagemaker):
    functions.set(WatchExperiment={"verdict": "WITHDRAWN", "reasons": []}, Settle=[BUSY, settled("WITHDRAWN")])
    assert run(machine)["status"] == "SUCCEEDED"
    assert updates(sagemaker) == [begun()["update"]["EndpointConfigName"], "hotel-v2"]
    assert (len(functions.named("PlanRelease")), machine.lease()) == (1, None)


def test_what_another_has_ended_is_only_settled(machine, functions, sagemaker):
    functions.set(WatchExperiment={"verdict": "GONE", "reasons": []}, Settle=settled("OVERTAKEN"))
    assert run(machine)["status"] == "SUCCEEDED"
    assert updates(sagemaker) == [begun()["update"]["EndpointConfigName"]]
    assert machine.lease() is None


@pytest.mark.parametrize("look", [RuntimeError("no access"), {"verdict": "?"}])
def test_what_cannot_be_watched_is_taken_away_and_the_run_fails(machine, functions, sagemaker, look):
    functions.set(WatchExperiment=look, Settle=settled("WITHDRAWN"))
    ending = run(machine)
    assert ending["status"] == "FAILED"
    assert updates(sagemaker)[-1] == "hotel-v2"
    assert machine.lease() is None


@pytest.mark.parametrize("operation", ["CreateEndpointConfig", "UpdateEndpoint"])
def test_a_beginning_that_is_refused_for_good_ends_the_run_told(machine, functions, sagemaker, operation):
    functions.set(Settle=settled("UNCHANGED"))
    sagemaker.fail(operation, "ValidationException", times=99)
    assert run(machine)["status"] == "FAILED"
    state = {"CreateEndpointConfig": "CreateShadowConfig", "UpdateEndpoint": "BeginExperiment"}[operation]
    assert functions.named("Tell")[-1]["detail"]["state"] == state
    assert machine.lease() is None


def test_a_beginning_whose_answer_was_lost_is_watched(machine, functions, sagemaker):
    sagemaker.fail("UpdateEndpoint", "ValidationException", times=4, saying=IN_PROGRESS, about="-v3-")
    assert run(machine)["status"] == "SUCCEEDED"
    assert functions.named("WatchExperiment")


def test_an_end_whose_answer_was_lost_is_settled(machine, functions, sagemaker):
    sagemaker.fail("UpdateEndpoint", "ValidationException", times=4, saying=IN_PROGRESS, about='"hotel-v2"')
    assert run(machine)["status"] == "SUCCEEDED"
    assert functions.told() == ["experiment_started", "canary_started"]


def test_an_end_that_is_refused_is_told_and_left_to_settle(machine, functions, sagemaker):
    functions.set(Settle=settled("WITHDRAWN"))
    sagemaker.fail("UpdateEndpoint", "ValidationException", times=99, about='"hotel-v2"')
    assert run(machine)["status"] == "FAILED"
    assert functions.named("Tell")[-1]["detail"]["state"] == "EndExperiment"
    assert machine.lease() is None


@pytest.mark.parametrize("about", ["-v3-", '"hotel-v2"'], ids=["beginning", "end"])
def test_a_quota_is_waited_for_and_told_once(machine, functions, sagemaker, about):
    again = begun() if about == "-v3-" else begun("END_EXPERIMENT")
    functions.set(PlanRelease=[begun(), again, again, plan()])
    sagemaker.fail("UpdateEndpoint", "ResourceLimitExceeded", times=2, about=about)
    ending = run(machine)
    assert ending["status"] == "SUCCEEDED", ending.get("cause")
    assert functions.told().count("capacity_awaited") == 1
    assert machine.lease() is None


def test_a_shadow_that_found_no_instances_is_tried_again_and_its_start_told_once(machine, functions):
    short = {"verdict": "SHORT", "reasons": [], "shortage": "InsufficientInstanceCapacity"}
    gone, proved = {"verdict": "GONE", "reasons": []}, {"verdict": "PROVED", "reasons": []}
    functions.set(
        PlanRelease=[begun(), begun(), plan()],
        WatchExperiment=[gone, proved],
        Settle=[short, settled("EXPERIMENT_PROVED"), settled("PROMOTED")],
    )
    assert run(machine)["status"] == "SUCCEEDED"
    assert functions.told() == ["experiment_started", "capacity_awaited", "canary_started"]


def test_a_release_that_cannot_be_planned_after_its_proof_ends_told_once(machine, functions):
    functions.set(PlanRelease=[begun(), RuntimeError("no baseline")], Settle=settled("EXPERIMENT_PROVED"))
    assert run(machine)["status"] == "FAILED"
    assert functions.told() == ["experiment_started", "failed"]
    assert machine.lease() is None


def test_a_way_back_takes_a_shadow_away_without_guardrails(machine, functions, sagemaker):
    end = releases.plain_update_request("hotel", "hotel-v1", keep_instances=False)
    back = {
        "verdict": "GO_BACK",
        "package_version": "1",
        "planned_at": "2016-01-01T00:00:00Z",
        "previous_config": begun()["update"]["EndpointConfigName"],
        "endpoint_config": {"EndpointConfigName": "hotel-v1"},
        "update": {"EndpointName": "hotel"},
        "traffic": "all at once",
        "end": end,
    }
    functions.set(PlanRelease=back, Settle=settled("PROMOTED"))
    rollback = {"from": "2", "to": "1", "by": "ann", "reason": "why", "now": "true"}
    assert run(machine, rollback=rollback)["status"] == "SUCCEEDED"
    assert sagemaker.calls == [("UpdateEndpoint", end)]
    assert functions.told() == ["canary_started"]


def test_a_run_that_comes_again_goes_on_where_it_was(machine, functions, sagemaker):
    functions.set(PlanRelease=[begun("EXPERIMENT_RUNS"), plan()])
    assert run(machine)["status"] == "SUCCEEDED"
    assert updates(sagemaker)[0] == "hotel-v2"


@pytest.mark.parametrize("strategy", LOOK_SECONDS)
def test_thirty_days_of_looks_fit_into_a_history_and_into_the_machines_time(strategy):
    text = json.loads((DEFINITIONS / "release.asl.json").read_text())
    looks = 30 * 24 * 3600 / LOOK_SECONDS[strategy]
    # Nine events a look, and some for what is tried again.
    assert looks * 10 < 25_000 * 0.6
    assert text["TimeoutSeconds"] > 32 * 24 * 3600


def test_an_ab_test_is_a_config_of_two_production_variants_looked_at_every_half_hour(machine, functions, sagemaker):
    tried = begun(strategy="ab")
    functions.set(PlanRelease=[tried, plan()])
    ending = run(machine)
    assert ending["status"] == "SUCCEEDED", ending.get("cause")
    assert sagemaker.calls[:4] == [
        ("CreateModel", tried["create_model"]),
        ("CreateEndpointConfig", tried["endpoint_config"]),
        ("UpdateEndpoint", tried["update"]),
        ("UpdateEndpoint", tried["end"]),
    ]
    assert [variant["InitialVariantWeight"] for variant in sagemaker.calls[1][1]["ProductionVariants"]] == [0.9, 0.1]
    times = [event["time"][11:16] for event in functions.named("WatchExperiment")]
    assert times == ["00:30", "01:00", "01:30"]
    started = functions.named("Tell")[0]
    assert (started["kind"], started["detail"]["strategy"]) == ("experiment_started", "ab")
