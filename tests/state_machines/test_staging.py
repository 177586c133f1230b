"""The retrain machine tries what the gate passed: an endpoint comes and goes, whatever fails."""

import pytest

from tests.state_machines.function_answers import RUN, gate, pinned, ready, registration
from tests.state_machines.machine_world import FakeFunctions, FakeSageMaker, Machine

NAME = f"{RUN}-staging-0"
WAIT, GO_ON, DONE = ({"verdict": verdict} for verdict in ("WAIT", "GO_ON", "DONE"))
REFUSED = {**gate("REFUSE"), "reasons": ["too slow"], "cost": "9 USD"}


@pytest.fixture
def functions(account):
    return FakeFunctions(
        account,
        SnapshotData=ready(staging=True),
        PinArtefact=pinned(),
        CompareModels=gate("PASS"),
        ReplayStaging=[WAIT, WAIT, GO_ON, DONE],
        JudgeStaging=gate("PASS"),
        BuildBaseline=registration(),
        Tell={"kind": "told"},
    )


@pytest.fixture
def sagemaker(account):
    return FakeSageMaker(account)


@pytest.fixture
def machine(account, functions, sagemaker):
    return Machine(account, "retrain", functions)


def run(machine):
    return machine.run(trigger={"kind": "drift"})


def calls_about_trials(sagemaker):
    """What was asked about endpoints and configs, in order, without what was asked again."""
    return list(dict.fromkeys(called for called, _ in sagemaker.calls if "Endpoint" in called))


EVERY_CALL = ["CreateEndpointConfig", "CreateEndpoint", "DeleteEndpoint", "DeleteEndpointConfig"]


def test_an_endpoint_is_made_waited_for_replayed_to_and_deleted_before_the_trial_is_judged(
    machine, functions, sagemaker
):
    assert run(machine)["status"] == "SUCCEEDED"
    assert calls_about_trials(sagemaker) == EVERY_CALL
    assert len(functions.named("ReplayStaging")) == 4
    (config,), (endpoint,) = sagemaker.named("CreateEndpointConfig"), sagemaker.named("CreateEndpoint")
    (variant,) = config["ProductionVariants"]
    assert variant == {
        "VariantName": "AllTraffic",
        "ModelName": f"{RUN}-0",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1.0,
    }
    assert "DataCaptureConfig" not in config
    assert (endpoint["EndpointName"], endpoint["EndpointConfigName"]) == (NAME, NAME)
    assert {tag["Key"] for tag in endpoint["Tags"]} == {tag["Key"] for tag in config["Tags"]} == {"kedge:model"}
    assert [request["EndpointName"] for request in sagemaker.named("DeleteEndpoint")] == [NAME]
    assert functions.told() == ["training_completed", "package_registered"]
    states = machine.visited()
    assert states.index("DeleteStagingConfig") < states.index("JudgeStaging") < states.index("BuildBaseline")


def test_the_approver_reads_the_table_with_the_rows_of_the_trial(machine, functions):
    whole = {**gate("PASS"), "rows": [{"gate": "staging_p95_ms", "verdict": "PASS", "reason": "fast"}]}
    functions.set(JudgeStaging=whole)
    run(machine)
    assert functions.named("BuildBaseline")[0]["gate"]["rows"] == whole["rows"]
    assert functions.named("Tell")[-1]["detail"]["rows"] == whole["rows"]


@pytest.mark.parametrize("champion", [True, False])
def test_a_challenger_that_does_not_stand_its_trial_is_refused_and_told_like_any_other(
    machine, functions, sagemaker, champion
):
    functions.set(SnapshotData=ready(champion=champion, staging=True), JudgeStaging=REFUSED)
    assert run(machine)["status"] == "SUCCEEDED"
    assert functions.told() == ["training_completed", "gate_failed"]
    told, judged = functions.named("Tell")[-1], functions.named("JudgeStaging")[0]
    assert (told["time"], told["detail"]["reasons"], told["detail"]["cost"]) == (judged["time"], ["too slow"], "9 USD")
    assert sagemaker.named("CreateModelPackage") == []
    assert calls_about_trials(sagemaker) == EVERY_CALL


def test_what_the_gate_refuses_is_not_tried(machine, functions, sagemaker):
    functions.set(CompareModels=gate("REFUSE"))
    run(machine)
    assert calls_about_trials(sagemaker) == []


def test_without_the_section_nothing_is_tried(machine, functions, sagemaker):
    functions.set(SnapshotData=ready())
    run(machine)
    assert calls_about_trials(sagemaker) == []
    assert functions.named("JudgeStaging") == []


@pytest.mark.parametrize(
    ("operation", "asked"),
    [
        ("CreateEndpointConfig", ["CreateEndpointConfig", "DeleteEndpointConfig"]),
        ("CreateEndpoint", EVERY_CALL),
    ],
)
@pytest.mark.parametrize("code", ["ValidationException", "AccessDeniedException", "ResourceLimitExceeded"])
def test_a_trial_that_cannot_begin_is_judged_as_not_measured(machine, functions, sagemaker, operation, asked, code):
    sagemaker.fail(operation, code, times=99)
    assert run(machine)["status"] == "SUCCEEDED"
    assert calls_about_trials(sagemaker) == asked
    (judged,) = functions.named("JudgeStaging")
    said = {"CreateEndpointConfig": "CreateStagingConfig", "CreateEndpoint": "CreateStaging"}[operation]
    assert judged["failure"]["state"] == said
    assert f"{operation} was refused" in judged["failure"]["Cause"]
    assert functions.told() == ["training_completed", "package_registered"]


@pytest.mark.parametrize(
    ("operation", "saying"),
    [
        ("CreateEndpointConfig", 'Cannot create already existing endpoint configuration "arn".'),
        ("CreateEndpoint", 'Cannot create already existing endpoint "arn".'),
    ],
)
def test_a_creation_whose_answer_was_lost_goes_on(machine, functions, sagemaker, operation, saying):
    sagemaker.fail(operation, "ValidationException", times=99, saying=saying)
    assert run(machine)["status"] == "SUCCEEDED"
    assert len(functions.named("ReplayStaging")) == 4
    assert functions.named("JudgeStaging")[0]["failure"] == {"state": "", "Error": "", "Cause": ""}


def test_a_replay_that_fails_deletes_the_endpoint_and_is_judged_as_not_measured(machine, functions, sagemaker):
    functions.set(ReplayStaging=RuntimeError("no answer"))
    assert run(machine)["status"] == "SUCCEEDED"
    assert calls_about_trials(sagemaker) == EVERY_CALL
    failure = functions.named("JudgeStaging")[0]["failure"]
    assert (failure["state"], "no answer" in failure["Cause"]) == ("ReplayStaging", True)


@pytest.mark.parametrize("answer", [{}, {"verdict": "NOBODY_KNOWS"}, {"verdict": 7}])
def test_whatever_the_replay_answers_the_endpoint_goes_and_what_was_kept_is_judged(
    machine, functions, sagemaker, answer
):
    functions.set(ReplayStaging=answer)
    assert run(machine)["status"] == "SUCCEEDED"
    assert calls_about_trials(sagemaker) == EVERY_CALL
    assert len(functions.named("JudgeStaging")) == 1


def test_an_endpoint_that_sagemaker_still_makes_is_deleted_once_it_is_made(machine, functions, sagemaker):
    functions.set(ReplayStaging=RuntimeError("no answer"))
    sagemaker.fail(
        "DeleteEndpoint", "ValidationException", times=25, saying='Cannot update in-progress endpoint "arn".'
    )
    assert run(machine)["status"] == "SUCCEEDED"
    assert machine.visited().count("WaitToDelete") == 4  # six attempts each
    assert len(sagemaker.named("DeleteEndpoint")) == 26


def test_an_endpoint_that_cannot_be_deleted_does_not_hold_the_run_up(machine, functions, sagemaker):
    sagemaker.fail("DeleteEndpoint", "AccessDeniedException", times=99)
    sagemaker.fail("DeleteEndpointConfig", "AccessDeniedException", times=99)
    assert run(machine)["status"] == "SUCCEEDED"
    assert functions.told() == ["training_completed", "package_registered"]


def test_a_judgement_that_fails_is_told_and_nothing_is_registered(machine, functions, sagemaker):
    functions.set(JudgeStaging=RuntimeError("broken"))
    assert run(machine)["status"] == "FAILED"
    assert functions.named("Tell")[-1]["detail"]["state"] == "JudgeStaging"
    assert calls_about_trials(sagemaker) == EVERY_CALL
    assert sagemaker.named("CreateModelPackage") == []
    assert machine.lease() is None
