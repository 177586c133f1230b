"""Model Monitor's schedules are described as SageMaker does, with a definition inside them or by name."""

import pytest
from botocore.exceptions import ClientError

from tests.offline.sagemaker_world import START

JOB = {
    "JobResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 20}},
    "RoleArn": "arn:aws:iam::123456789012:role/monitor",
}
OUTPUTS = {"MonitoringOutputs": [{"S3Output": {"S3Uri": "s3://out/x", "LocalPath": "/opt/out"}}]}
INPUT = {"EndpointInput": {"EndpointName": "payments", "LocalPath": "/opt/in", "ProbabilityThresholdAttribute": 0.3}}
APPLICATION = {"ImageUri": "1.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-model-monitor-analyzer"}


def define(sagemaker, name="quality"):
    sagemaker.create_data_quality_job_definition(
        JobDefinitionName=name,
        DataQualityAppSpecification=APPLICATION,
        DataQualityJobInput=INPUT,
        DataQualityJobOutputConfig=OUTPUTS,
        **JOB,
    )


def schedule(sagemaker, **config):
    config = {"ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"}, **config}
    sagemaker.create_monitoring_schedule(MonitoringScheduleName="hourly", MonitoringScheduleConfig=config)
    return sagemaker.describe_monitoring_schedule(MonitoringScheduleName="hourly")


@pytest.fixture
def sagemaker(account):
    return account.client("sagemaker")


def test_a_schedule_names_its_definition_and_its_endpoint(sagemaker):
    define(sagemaker)
    found = schedule(sagemaker, MonitoringJobDefinitionName="quality", MonitoringType="DataQuality")
    assert (found["EndpointName"], found["MonitoringType"], found["CreationTime"]) == ("payments", "DataQuality", START)
    assert "MonitoringJobDefinition" not in found["MonitoringScheduleConfig"]
    job = sagemaker.describe_data_quality_job_definition(JobDefinitionName="quality")
    assert job["DataQualityJobInput"] == INPUT


def test_an_old_schedule_holds_its_definition(sagemaker):
    inside = {
        "MonitoringInputs": [INPUT],
        "MonitoringOutputConfig": OUTPUTS,
        "MonitoringResources": JOB["JobResources"],
        "MonitoringAppSpecification": APPLICATION,
        "RoleArn": JOB["RoleArn"],
    }
    found = schedule(sagemaker, MonitoringJobDefinition=inside)
    assert found["MonitoringScheduleConfig"]["MonitoringJobDefinition"]["MonitoringInputs"] == [INPUT]


def test_what_is_absent_or_said_twice_is_refused(sagemaker):
    for call, name in (
        (sagemaker.describe_monitoring_schedule, "MonitoringScheduleName"),
        (sagemaker.describe_data_quality_job_definition, "JobDefinitionName"),
        (sagemaker.describe_model_quality_job_definition, "JobDefinitionName"),
    ):
        with pytest.raises(ClientError) as refused:
            call(**{name: "none"})
        assert refused.value.response["Error"]["Code"] == "ResourceNotFound"
    with pytest.raises(ClientError, match="Could not find"):
        schedule(sagemaker, MonitoringJobDefinitionName="none", MonitoringType="DataQuality")
    with pytest.raises(ClientError, match="Exactly one"):
        schedule(sagemaker)
