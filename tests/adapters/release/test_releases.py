"""A release's requests say what the plan decided, in words that AWS accepts."""

import re

import boto3
import pytest
from botocore.validate import ParamValidator

from kedge.config.policies import CanaryPolicy, ReleasePolicy
from kedge.config.reading import parse_model_config
from kedge.config.sections import Vpc
from kedge.release.plan import ServingFleet, plan_release
from kedge.release.traffic import STRATEGIES, rollout
from lambdas.adapters.release.releases import (
    alarm_request,
    create_endpoint_request,
    create_model_request,
    endpoint_config_request,
    update_endpoint_request,
)

CONFIG = parse_model_config("{model: m, endpoint: {name: e}, features: [{name: x, kind: numeric}]}", source="m.yaml")
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/m/2"
PLAN = plan_release(CONFIG, package_version="2", package_arn=ARN, run="r", serving=ServingFleet("AllTraffic", 5))


def problems(service: str, action: str, request: dict) -> str:
    model = boto3.client(service, region_name="eu-west-1").meta.service_model.operation_model(action)
    return ParamValidator().validate(request, model.input_shape).generate_report()


def test_aws_accepts_every_request():
    requests = {
        "CreateModel": create_model_request(PLAN, role_arn="arn:aws:iam::123456789012:role/jobs"),
        "CreateEndpointConfig": endpoint_config_request(PLAN, bucket="b", kms_key_id="key"),
        "UpdateEndpoint": update_endpoint_request(PLAN, PLAN.rollout),
        "CreateEndpoint": create_endpoint_request(PLAN),
    }
    assert [problems("sagemaker", action, request) for action, request in requests.items()] == ["", "", "", ""]
    assert {problems("cloudwatch", "PutMetricAlarm", alarm_request(alarm)) for alarm in PLAN.alarms} == {""}


def test_the_model_is_put_into_the_endpoints_vpc_or_else_the_deployments():
    everybodys = Vpc(subnets=("subnet-0c0c0c0c",), security_groups=("sg-0c0c0c0c",))
    vpc = "{subnets: [subnet-0a0a0a0a], security_groups: [sg-0a0a0a0a]}"
    text = f"{{model: m, endpoint: {{name: e, network_isolation: false, vpc: {vpc}}}, features: [{{name: x, kind: numeric}}]}}"
    own = plan_release(
        parse_model_config(text, source="m"), package_version="2", package_arn=ARN, run="r", serving=None
    )
    role = "arn:aws:iam::123456789012:role/jobs"
    named, given, none = (
        create_model_request(own, role_arn=role, vpc=everybodys),
        create_model_request(PLAN, role_arn=role, vpc=everybodys),
        create_model_request(PLAN, role_arn=role),
    )
    assert [problems("sagemaker", "CreateModel", request) for request in (named, given, none)] == ["", "", ""]
    assert (named["VpcConfig"]["Subnets"], named["EnableNetworkIsolation"]) == (["subnet-0a0a0a0a"], False)
    assert (given["VpcConfig"]["Subnets"], given["EnableNetworkIsolation"]) == (["subnet-0c0c0c0c"], True)
    assert "VpcConfig" not in none


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("instances", [1, 5])
def test_aws_accepts_the_update_of_each_strategy(strategy, instances):
    how = rollout(CanaryPolicy(), ReleasePolicy(strategy=strategy), instances=instances)
    assert problems("sagemaker", "UpdateEndpoint", update_endpoint_request(PLAN, how)) == ""


def test_the_update_is_a_canary_that_its_alarms_roll_back():
    request = update_endpoint_request(PLAN, PLAN.rollout)
    traffic = request["DeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert traffic == {
        "Type": "CANARY",
        "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1},
        "WaitIntervalInSeconds": 2700,
    }
    alarms = request["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]
    assert [alarm["AlarmName"] for alarm in alarms] == [alarm.name for alarm in PLAN.alarms]


def test_the_new_fleet_has_the_running_count_by_its_config_and_retains_nothing():
    request = update_endpoint_request(PLAN, PLAN.rollout)
    assert request["RetainAllVariantProperties"] is False
    (variant,) = endpoint_config_request(PLAN, bucket="b", kms_key_id=None)["ProductionVariants"]
    assert (variant["InitialInstanceCount"], CONFIG.endpoint.instance_count) == (5, 2)


def test_everything_is_captured_in_and_out_under_the_packages_own_prefix():
    capture = endpoint_config_request(PLAN, bucket="b", kms_key_id=None)["DataCaptureConfig"]
    assert capture["DestinationS3Uri"] == "s3://b/capture/m/2"
    assert capture["InitialSamplingPercentage"] == 100
    assert [option["CaptureMode"] for option in capture["CaptureOptions"]] == ["Input", "Output"]


def test_every_captured_content_type_has_the_form_that_aws_demands_and_stands_in_one_list():
    model = boto3.client("sagemaker", region_name="eu-west-1").meta.service_model
    header = endpoint_config_request(PLAN, bucket="b", kms_key_id=None)["DataCaptureConfig"]["CaptureContentTypeHeader"]
    for name, listed in header.items():
        shape = model.shape_for(name)
        assert shape.metadata["min"] <= len(listed) <= shape.metadata["max"]
        # botocore knows the pattern and leaves it to the service.
        assert [kind for kind in listed if not re.fullmatch(shape.member.metadata["pattern"], kind)] == []
    together = [kind for listed in header.values() for kind in listed]
    assert len(together) == len(set(together))


def test_a_percentile_is_an_extended_statistic():
    latency = next(alarm_request(alarm) for alarm in PLAN.alarms if alarm.metric == "ModelLatency")
    assert latency["ExtendedStatistic"] == "p90"
    assert "Statistic" not in latency
    assert latency["TreatMissingData"] == "notBreaching"
