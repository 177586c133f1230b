"""take_trained takes on what a pipeline has trained, and notes the package so that it is not judged once more."""

import pytest

from lambdas.handlers import take_trained
from lambdas.handlers.take_trained import handler
from lambdas.steps.release.foreign_packages import taken_note
from tests.handlers.aws_world import BUCKET, CONTEXT, MODEL, aws_world

EXECUTION = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/hotel-training/execution/0123456789ab"
CHALLENGER = {"ExecutionRoleArn": "role", "PrimaryContainer": {"Image": "aws:1", "Environment": {"A": "1"}}}
EVENT = {
    "model": MODEL,
    "run": "run-1",
    "time": "2016-02-11T02:00:00Z",
    "execution_arn": EXECUTION,
    "challenger_model": CHALLENGER,
}


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        yield world


def test_a_registered_package_is_scored_in_its_own_container_and_noted(world, monkeypatch):
    arn = world.register(properties={})
    monkeypatch.setattr(take_trained.pipelines, "made_by", lambda *_, group: (arn, None))
    answered = handler(EVENT, CONTEXT)
    assert answered["training"]["package_arn"] == arn
    assert answered["training"]["artefact_uri"] == f"s3://{BUCKET}/model.tar.gz"
    assert answered["training"]["job"] == "run-1-v1"
    assert answered["challenger_model"] == CHALLENGER | {"PrimaryContainer": {"Image": "i", "Environment": {}}}
    assert world.item(f"told#{taken_note(arn)}") is not None


def test_a_training_jobs_model_is_scored_in_the_yamls_container(world, monkeypatch):
    monkeypatch.setattr(take_trained.pipelines, "made_by", lambda *_, group: (None, "fit"))
    monkeypatch.setattr(take_trained.pipelines, "artefact_of", lambda _, job: f"s3://{BUCKET}/{job}/model.tar.gz")
    answered = handler(EVENT, CONTEXT)
    training = answered["training"]
    assert (training["job"], training["artefact_uri"]) == ("fit", f"s3://{BUCKET}/fit/model.tar.gz")
    assert (training["run"], "package_arn" in training) == ("run-1", False)
    assert answered["challenger_model"] == CHALLENGER
