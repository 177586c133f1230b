"""`kedge approve` gives one person's approval in their own name, and says what follows."""

from types import SimpleNamespace

import pytest

from cli.operator.approving import approve
from cli.refusals import BadInputError
from lambdas.adapters import clients
from tests import deployed_models
from tests.handlers.aws_world import BUCKET, MODEL, aws_world
from tests.synthesised import example_models


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        yield world


@pytest.fixture
def deployment(world):
    services = {"s3": clients.s3, "sagemaker": clients.sagemaker}
    return SimpleNamespace(client=lambda name: services[name](), bucket=BUCKET, caller=SimpleNamespace(name="ann"))


def test_a_version_is_approved_in_the_persons_name(world, deployment):
    arn = world.register(status="PendingManualApproval")
    said = approve(deployment, MODEL, "1", "looks right")
    found = world.sagemaker.describe_model_package(ModelPackageName=arn)
    assert (found["ModelApprovalStatus"], found["ApprovalDescription"]) == ("Approved", "ann: looks right")
    assert said.startswith(f"version 1 of {MODEL} is approved in your name; its release starts.")


def test_where_two_must_approve_it_says_what_is_still_missing(world, deployment, monkeypatch, tmp_path):
    yaml = (example_models() / f"{MODEL}.yaml").read_text(encoding="utf-8")
    (tmp_path / f"{MODEL}.yaml").write_text(f"{yaml}\napproval: {{approvers: 2}}\n", encoding="utf-8")
    deployed_models.choose(monkeypatch, tmp_path)
    deployed_models.put_all(world.s3, BUCKET)
    world.register(status="Approved")
    assert "released once two people have approved it" in approve(deployment, MODEL, "1", "me too")


@pytest.mark.parametrize(
    ("model", "version", "words"),
    [
        (MODEL, "2", f"no version 2 of {MODEL} can be approved; there are: 1"),
        (MODEL, "newest", f"no version newest of {MODEL} can be approved; there are: 1"),
        ("nobody", "1", "no deployed YAML describes 'nobody'"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(world, deployment, model, version, words):
    world.register(status="PendingManualApproval")
    world.register(status="Rejected")
    with pytest.raises(BadInputError, match=words):
        approve(deployment, model, version, "looks right")
