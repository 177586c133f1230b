"""approve_package approves in place of a person: only where the YAML says so, and only what the gate passed."""

import json

import pytest

from kedge.config.gate import ApprovalPolicy
from kedge.errors import ApprovalRefusedError
from lambdas.handlers import approve_package
from lambdas.handlers.approve_package import handler
from tests.handlers.aws_world import CONTEXT, MODEL, aws_world

RUN = "run-1"


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        automatic = world.config.model_copy(update={"approval": ApprovalPolicy(mode="automatic")})
        monkeypatch.setattr(approve_package, "load_managed_model", lambda *_: automatic)
        yield world


def run(world, *, verdict="PASS", status="PendingManualApproval", of_run=RUN):
    arn = world.register(status=status, properties={"kedge:run": of_run})
    gate = {"verdict": verdict, "reasons": ["auc is 0.03 higher"], "rows": []}
    world.put(f"retraining/{MODEL}/{RUN}/gate.json", json.dumps(gate).encode())
    answered = handler({"model": MODEL, "run": RUN, "package_arn": arn}, CONTEXT)
    return answered, world.sagemaker.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"]


def test_what_the_gate_passed_is_approved_with_its_reason(world):
    answered, status = run(world)
    assert (answered["package_version"], status) == ("1", "Approved")
    assert "the gate passed it: auc is 0.03 higher" in answered["reasons"][0]


def test_a_second_attempt_changes_nothing(world):
    assert run(world, status="Approved")[1] == "Approved"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"verdict": "REFUSE"}, "its gate says REFUSE"),
        ({"status": "Rejected"}, "it is Rejected already"),
        ({"of_run": "another"}, "it is of another run"),
    ],
)
def test_anything_else_is_refused_and_stays_as_it_is(world, changed, why):
    with pytest.raises(ApprovalRefusedError, match=why):
        run(world, **changed)
    (package,) = world.sagemaker.list_model_packages(ModelPackageGroupName=MODEL)["ModelPackageSummaryList"]
    assert package["ModelApprovalStatus"] == changed.get("status", "PendingManualApproval")


def test_a_model_whose_yaml_does_not_say_so_is_never_approved(world, monkeypatch):
    monkeypatch.setattr(approve_package, "load_managed_model", lambda *_: world.config)
    with pytest.raises(ApprovalRefusedError, match="does not say approval: automatic"):
        run(world)
