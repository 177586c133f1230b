"""What an execution of a pipeline has made: one package of the group, or else its last training job."""

from datetime import UTC, datetime

import boto3
import pytest
from botocore.stub import Stubber
from botocore.validate import ParamValidator

from kedge.config.reading import parse_model_config
from kedge.errors import UnfinishedPipelineError
from lambdas.adapters.training import pipelines

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/hotel/execution/0123456789ab"
ACCOUNT = "arn:aws:sagemaker:eu-west-1:123456789012:"
NOW = datetime(2016, 1, 1, tzinfo=UTC)


def training(name):
    return {"StepName": name, "Metadata": {"TrainingJob": {"Arn": f"{ACCOUNT}training-job/{name}"}}}


def registered(group, version=1):
    return {"StepName": "Register", "Metadata": {"RegisterModel": {"Arn": f"{ACCOUNT}model-package/{group}/{version}"}}}


def made(*steps, status="Succeeded", **more):
    sagemaker = boto3.client("sagemaker", region_name="eu-west-1")
    with Stubber(sagemaker) as stub:
        stub.add_response("describe_pipeline_execution", {"PipelineExecutionStatus": status, **more})
        stub.add_response("list_pipeline_execution_steps", {"PipelineExecutionSteps": list(steps)})
        return pipelines.made_by(sagemaker, ARN, group="Hotel")


def test_the_package_that_it_registered_in_the_group_goes_before_its_training_job():
    assert made(training("fit"), registered("hotel", 7)) == (f"{ACCOUNT}model-package/hotel/7", None)


def test_without_one_its_last_training_job_has_the_model():
    assert made(training("first"), training("last"), registered("somebody-elses")) == (None, "last")


@pytest.mark.parametrize(
    "steps", [[], [registered("hotel", 1), registered("hotel", 2)]], ids=["nothing", "two packages"]
)
def test_nothing_or_two_packages_are_refused(steps):
    with pytest.raises(UnfinishedPipelineError, match=r"registered (0|2) packages in Hotel"):
        made(*steps)


@pytest.mark.parametrize("status", ["Failed", "Stopped", "CompletedWithFailures"])
def test_an_end_that_is_no_success_says_which_steps_failed(status):
    failed = training("fit") | {"StepStatus": "Failed", "FailureReason": "no such column: adr"}
    with pytest.raises(UnfinishedPipelineError, match=rf"ended as {status}: step fit: no such column: adr"):
        made(failed, status=status)


def test_the_request_names_what_the_yaml_names_and_sagemaker_takes_it():
    text = "{model: m, endpoint: {name: e}, features: [{name: x, kind: numeric}], training: {pipeline: mine, hyperparameters: {Depth: 4}}}"
    config = parse_model_config(text, source="m.yaml")
    facts = dict.fromkeys(("train_uri", "manifest_uri", "output_uri", "training_end", "run"), "s3://b/t")
    request = pipelines.start_request(config, run="m-drift-1-0a1b2c3d", facts=facts, now=NOW)
    assert request.pop("deadline") == "2016-01-01T01:00:00Z"
    assert request["PipelineParameters"] == [{"Name": "Depth", "Value": "4"}, {"Name": "TrainUri", "Value": "s3://b/t"}]
    shape = boto3.client("sagemaker", region_name="eu-west-1").meta.service_model.operation_model(
        "StartPipelineExecution"
    )
    request["ClientRequestToken"] = "0" * 64
    assert ParamValidator().validate(request, shape.input_shape).generate_report() == ""


def test_only_the_runs_own_execution_that_still_runs_is_stopped():
    sagemaker = boto3.client("sagemaker", region_name="eu-west-1")
    found = [
        {
            "PipelineExecutionArn": f"{ARN[:-1]}{number}",
            "PipelineExecutionStatus": status,
            "PipelineExecutionDisplayName": run,
        }
        for number, (run, status) in enumerate([("mine", "Executing"), ("mine", "Succeeded"), ("another", "Executing")])
    ]
    with Stubber(sagemaker) as stub:
        stub.add_response("list_pipeline_executions", {"PipelineExecutionSummaries": found})
        stub.add_response("stop_pipeline_execution", {"PipelineExecutionArn": found[0]["PipelineExecutionArn"]})
        assert pipelines.stop(sagemaker, "hotel", "mine") == [found[0]["PipelineExecutionArn"]]
