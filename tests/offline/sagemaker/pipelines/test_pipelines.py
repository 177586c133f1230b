"""Pipelines train and register for real, as their role; they fail, are stopped and refuse parameters as SageMaker's do."""

import json

import pytest
from botocore.exceptions import ClientError

from offline.account import Account
from tests.offline.sagemaker.test_jobs import training_request
from tests.offline.sagemaker_world import BUCKET, OWN, START, World

MAY = {"Effect": "Allow", "Action": ["sagemaker:CreateTrainingJob", "iam:PassRole"], "Resource": "*"}
GET = "Steps.Fit.ModelArtifacts.S3ModelArtifacts"


@pytest.fixture
def world(tmp_path):
    with Account(start=START, directory=tmp_path) as account:
        made = World(account)
        made.put("rows/train.csv", b"1,2\n3,4\n")
        made.sagemaker.create_model_package_group(ModelPackageGroupName="group")
        yield made


def make(world, *, policy=None, script=None):
    request = training_request(world, "fit", **({"script": script} if script else {}))
    request.pop("TrainingJobName")
    request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = {"Get": "Parameters.TrainUri"}
    container = {"Image": "image", "ModelDataUrl": {"Get": GET}}
    specification = {
        "Containers": [container],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    steps = [
        {"Name": "Fit", "Type": "Training", "Arguments": request},
        {
            "Name": "Register",
            "Type": "RegisterModel",
            "Arguments": {"ModelPackageGroupName": "group", "InferenceSpecification": specification},
        },
    ]
    definition = {"Version": "2020-12-01", "Parameters": [{"Name": "TrainUri", "Type": "String"}], "Steps": steps}
    role = world.make_role("pipeline", policy or {**OWN, "Statement": [MAY]})
    world.sagemaker.create_pipeline(
        PipelineName="Mine", ClientRequestToken="0" * 32, PipelineDefinition=json.dumps(definition), RoleArn=role
    )


def start(world, token="1" * 32, **parameters):
    given = parameters or {"TrainUri": f"s3://{BUCKET}/rows"}
    answer = world.sagemaker.start_pipeline_execution(
        PipelineName="Mine",
        ClientRequestToken=token,
        PipelineExecutionDisplayName="run-1",
        PipelineParameters=[{"Name": name, "Value": value} for name, value in given.items()],
    )
    return answer["PipelineExecutionArn"]


def status(world, arn):
    return world.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]


def steps(world, arn):
    return world.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, SortOrder="Ascending")[
        "PipelineExecutionSteps"
    ]


def test_it_trains_and_registers_what_it_has_trained(world):
    make(world)
    arn = start(world)
    assert status(world, arn) == "Executing"
    world.pass_minutes(15)
    assert status(world, arn) == "Succeeded"
    fit, register = steps(world, arn)
    job = world.sagemaker.describe_training_job(
        TrainingJobName=fit["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    )
    package = world.sagemaker.describe_model_package(ModelPackageName=register["Metadata"]["RegisterModel"]["Arn"])
    artefact = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    assert artefact == job["ModelArtifacts"]["S3ModelArtifacts"]
    assert world.read(artefact.removeprefix(f"s3://{BUCKET}/"))
    assert package["MetadataProperties"]["GeneratedBy"] == arn
    listed = world.sagemaker.list_pipeline_executions(PipelineName="Mine")["PipelineExecutionSummaries"]
    assert [each["PipelineExecutionDisplayName"] for each in listed] == ["run-1"]


def test_a_token_finds_the_first_execution(world):
    make(world)
    assert start(world) == start(world)
    assert start(world, token="2" * 32) != start(world)


def test_a_script_that_fails_fails_the_execution_with_the_steps_reason(world):
    make(world, script="raise SystemExit('no such column: adr')")
    arn = start(world)
    world.pass_minutes(15)
    assert status(world, arn) == "Failed"
    (fit,) = steps(world, arn)
    assert (fit["StepStatus"], "no such column" in fit["FailureReason"]) == ("Failed", True)


def test_a_role_that_may_not_train_fails_the_step(world):
    make(world, policy=OWN)
    arn = start(world)
    world.pass_minutes(5)
    assert "not authorized to perform sagemaker:CreateTrainingJob" in steps(world, arn)[0]["FailureReason"]


def test_stopping_it_stops_its_job(world):
    make(world)
    arn = start(world)
    world.pass_minutes(1)
    world.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken="3" * 32)
    assert status(world, arn) == "Stopping"
    world.pass_minutes(5)
    assert status(world, arn) == "Stopped"
    job = steps(world, arn)[0]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    assert world.sagemaker.describe_training_job(TrainingJobName=job)["TrainingJobStatus"] == "Stopped"
    with pytest.raises(ClientError, match="'Executing' status"):
        world.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken="4" * 32)


@pytest.mark.parametrize(
    ("given", "words"), [({"Rows": "x"}, "Unknown parameters"), ({"TrainUri": "x", "Rows": "y"}, "Unknown")]
)
def test_a_parameter_that_it_does_not_have_is_refused(world, given, words):
    make(world)
    with pytest.raises(ClientError, match=words):
        start(world, **given)
