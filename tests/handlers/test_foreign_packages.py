"""A package that Kedge did not make passes the gate before anything is released."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import boto3
import pytest

from lambdas.adapters.state import champions, windows
from lambdas.steps.release.foreign_packages import taken_note
from tests.handlers.aws_world import MODEL, TABLE
from tests.handlers.champions import promote
from tests.handlers.test_start_release import RETRAIN, decide, executions, hear, world  # noqa: F401


def gated() -> list[dict]:
    """The inputs of the retrain machine's executions, oldest first."""
    client = boto3.client("stepfunctions")
    found = client.list_executions(stateMachineArn=RETRAIN)["executions"]
    arns = [execution["executionArn"] for execution in sorted(found, key=lambda each: each["startDate"])]
    return [json.loads(client.describe_execution(executionArn=arn)["input"]) for arn in arns]


def stop(run: str) -> None:
    """End an execution of the retrain machine: its lease is free."""
    boto3.client("stepfunctions").stop_execution(executionArn=f"{RETRAIN.replace('stateMachine', 'execution')}:{run}")


def test_a_package_of_a_teams_own_is_judged_in_place_of_a_training(world):  # noqa: F811
    arn = world.register(status="PendingManualApproval", properties={})
    answered = hear(arn)
    assert answered["verdict"] == "GATES"
    (request,) = gated()
    assert (request["model"], request["run"]) == (MODEL, answered["run"])
    assert request["trigger"]["package_arn"] == arn
    assert world.item("lease")["holder"]["S"].endswith(answered["run"])
    (entry,) = world.timeline()
    assert entry["kind"] == "package_found"
    assert entry["detail"]["reasons"] == ["package version 1 was registered by somebody else than Kedge"]


def test_an_approval_before_the_gate_releases_nothing_and_says_so(world):  # noqa: F811
    arn = world.register(properties={})
    assert hear(arn)["verdict"] == "GATES"
    assert executions() == []
    (entry,) = world.timeline()
    assert (entry["kind"], entry["detail"]["status"]) == ("package_found", "Approved")
    assert "it is not released as it stands" in entry["detail"]["reasons"][0]


@pytest.mark.parametrize("status", ["PendingManualApproval", "Approved"])
def test_the_same_package_told_twice_is_judged_once(world, status):  # noqa: F811
    arn = world.register(status=status, properties={})
    first = hear(arn)["run"]
    assert hear(arn) == {"verdict": "GATED", "run": first}
    assert len(gated()) == 1
    assert len(world.timeline()) == 1


def test_its_approval_and_a_word_about_its_rows_have_it_judged_anew(world):  # noqa: F811
    arn = world.register(status="PendingManualApproval", properties={})
    runs = [hear(arn)["run"]]
    stop(runs[-1])
    decide(world, arn, "Approved")
    runs.append(hear(arn)["run"])
    stop(runs[-1])
    world.sagemaker.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        CustomerMetadataProperties={"kedge:training_end": "2016-02-01T00:00:00Z"},
    )
    runs.append(hear(arn)["run"])
    assert len({*runs}) == 3
    assert executions() == []


def test_while_somebody_works_on_the_model_it_waits_and_nothing_is_remembered(world):  # noqa: F811
    first, arn = (world.register(properties={}) for _ in range(2))
    run = hear(first)["run"]
    assert hear(arn)["verdict"] == "WAITING"
    assert (len(gated()), world.item("approval#2"), len(world.timeline())) == (1, None, 1)
    stop(run)
    assert hear(arn)["verdict"] == "GATES"


def test_a_run_that_failed_is_tried_again_and_given_up_in_the_end(world):  # noqa: F811
    arn = world.register(status="PendingManualApproval", properties={})
    for _ in range(world.config.retraining.attempts_maximum):
        answered = hear(arn)
        assert answered["verdict"] == "GATES"
        stop(answered["run"])
    assert hear(arn)["verdict"] == "GIVEN_UP"


def test_what_its_own_pipeline_registered_is_not_judged_twice(world):  # noqa: F811
    arn = world.register(properties={})
    windows.remember_told(world.dynamodb, TABLE, MODEL, taken_note(arn), now=datetime(2016, 2, 1, tzinfo=UTC))
    assert hear(arn)["verdict"] == "TAKEN"
    assert (gated(), executions()) == ([], [])


def test_what_serves_and_what_is_older_are_not_judged(world):  # noqa: F811
    older, serves = (world.register(status="PendingManualApproval", properties={}) for _ in range(2))
    champion = promote(world, package_arn=serves)
    champions.save(world.dynamodb, TABLE, MODEL, replace(champion, package_version="2"))
    assert hear(older)["verdict"] == "ALREADY_HEARD"
    assert hear(serves)["verdict"] == "ALREADY_HEARD"
    decide(world, older, "Approved")
    assert hear(older)["verdict"] == "GATES"


def test_a_rejection_is_heard_like_any_other(world):  # noqa: F811
    arn = world.register(status="Rejected", properties={})
    assert hear(arn)["verdict"] == "REJECTED"
    assert gated() == []
