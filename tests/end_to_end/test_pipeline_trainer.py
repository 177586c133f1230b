"""A SageMaker pipeline as the trainer: started with the rows, its package gated, copied with a baseline, and never judged twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app import build_app
from kedge.config.reading import parse_model_config
from offline.account import Account
from stacks.parts.workshop import pack_training_source
from tests.end_to_end.hotel import DAY, Hotel
from tests.synthesised import EXAMPLE, brisk_models

pytestmark = pytest.mark.slow

LEARNT_FROM, FROM = datetime(2015, 9, 1, tzinfo=UTC), datetime(2016, 2, 1, tzinfo=UTC)
YAML = brisk_models() / EXAMPLE
PIPELINE, TEAMS = "Hotel-Training", "team-models"
TRAINING = f"""
training:
  pipeline: {PIPELINE}
  pipeline_parameters: {{Rows: train_uri}}
  hyperparameters: {{MaxDepth: "3"}}
  permuted_rows: 0
"""
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/theirs:1"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
MAY = ["s3:*", "kms:*", "sagemaker:CreateTrainingJob", "iam:PassRole"]


def make_pipeline(account: Account, group: str) -> None:
    """A team's own pipeline: it trains with Kedge's script in the team's job, and registers an approved package."""
    s3, iam = account.client("s3"), account.client("iam")
    s3.create_bucket(Bucket=TEAMS, CreateBucketConfiguration={"LocationConstraint": account.region})
    s3.put_object(Bucket=TEAMS, Key="source.tar.gz", Body=pack_training_source().read_bytes())
    role = iam.create_role(RoleName="team-pipeline", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": MAY, "Resource": "*"}]}
    iam.put_role_policy(RoleName="team-pipeline", PolicyName="may", PolicyDocument=json.dumps(policy))
    source = f"s3://{TEAMS}/source.tar.gz"
    rows = {"S3DataType": "S3Prefix", "S3Uri": {"Get": "Parameters.Rows"}}
    fit = {
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "RoleArn": role,
        "HyperParameters": {
            "sagemaker_program": '"train.py"',
            "sagemaker_submit_directory": json.dumps(source),
            "max_depth": {"Get": "Parameters.MaxDepth"},
        },
        "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": rows}}],
        "OutputDataConfig": {"S3OutputPath": f"s3://{TEAMS}/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
    environment = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    container = {
        "Image": IMAGE,
        "ModelDataUrl": {"Get": "Steps.Fit.ModelArtifacts.S3ModelArtifacts"},
        "Environment": environment | {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"},
    }
    types = {"SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
    register = {
        "ModelPackageGroupName": group,
        "ModelApprovalStatus": "Approved",
        "InferenceSpecification": {"Containers": [container], **types},
    }
    definition = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Rows", "Type": "String"}, {"Name": "MaxDepth", "Type": "String", "DefaultValue": "6"}],
        "Steps": [
            {"Name": "Fit", "Type": "Training", "Arguments": fit},
            {"Name": "Register", "Type": "RegisterModel", "Arguments": register},
        ],
    }
    account.client("sagemaker").create_pipeline(
        PipelineName=PIPELINE, ClientRequestToken="0" * 32, PipelineDefinition=json.dumps(definition), RoleArn=role
    )


@pytest.fixture(scope="module")
def hotel(frame: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotel]:
    directory = tmp_path_factory.mktemp("pipeline")
    text = YAML.read_text() + TRAINING
    (directory / "models").mkdir()
    (directory / "models" / YAML.name).write_text(text)
    build_app(directory / "assembly", directory / "models", package_buckets=[TEAMS]).synth()
    with Account(start=FROM - DAY / 2, directory=directory / "account") as account:
        account.deploy(directory / "assembly")
        config = parse_model_config(text, source=YAML.name)
        make_pipeline(account, config.package_group)
        hotel = Hotel(account, config, frame)
        hotel.release_first_champion(since=LEARNT_FROM, until=FROM)
        yield hotel


def test_the_pipeline_trained_on_the_snapshots_rows_and_kedge_started_no_job(hotel):
    (execution,) = hotel.registry.list_pipeline_executions(PipelineName=PIPELINE)["PipelineExecutionSummaries"]
    jobs = [job["TrainingJobName"] for job in hotel.registry.list_training_jobs()["TrainingJobSummaries"]]
    assert [name.partition("-")[0] for name in jobs] == ["pipelines"]
    job = hotel.registry.describe_training_job(TrainingJobName=jobs[0])
    run = execution["PipelineExecutionDisplayName"]
    rows = job["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"]
    assert rows == f"s3://{hotel.bucket}/retraining/{hotel.model}/{run}/train/"
    assert job["HyperParameters"]["max_depth"] == "3"


def test_its_package_went_through_the_gate_and_a_copy_of_it_serves(hotel):
    copy = hotel.registry.describe_model_package(ModelPackageName=hotel.item("champion")["package_arn"])
    properties = copy["CustomerMetadataProperties"]
    assert properties["kedge:source_package"].endswith(f"/{hotel.model}/1")
    (container,) = copy["InferenceSpecification"]["Containers"]
    assert container["Image"] == IMAGE
    assert container["ModelDataUrl"].startswith(f"s3://{hotel.bucket}/artefacts/")
    assert 0 < hotel.ask(hotel.bookings(FROM, FROM + DAY)[0].payload, "guest-1") < 1


def test_what_the_pipeline_registered_is_not_judged_a_second_time(hotel):
    hotel.wait(timedelta(days=1))
    assert [each["name"].split("-package-")[0] for each in hotel.executions("kedge-retrain")] == [
        each["name"] for each in hotel.executions("kedge-retrain")
    ]
    assert hotel.timeline("package_found") == []
