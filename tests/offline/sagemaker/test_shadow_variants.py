"""A shadow variant answers copies: nobody gets its answers, and it is captured and counted under its own name."""

import json
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from offline.account import Account
from tests.offline.sagemaker_world import BROKEN, BUCKET, START, World

CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": f"s3://{BUCKET}/capture/m/1",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
}


@pytest.fixture
def world(tmp_path):
    with Account(start=START, directory=tmp_path) as account:
        made = World(account)
        made.make_model("model-1", mean=0.0)
        made.make_model("model-2", mean=100.0)
        made.make_model("broken", script=BROKEN)
        made.make_config("config-1", "model-1", capture=CAPTURE)
        made.make_endpoint()
        yield made


def variant(name, model, **more):
    return {"VariantName": name, "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1} | more


def make_shadow(world, model="model-2", weight=1.0, **more):
    given = {
        "ProductionVariants": [variant("AllTraffic", "model-1")],
        "ShadowProductionVariants": [variant("Shadow", model, InitialVariantWeight=weight)],
    }
    world.sagemaker.create_endpoint_config(EndpointConfigName="shadowed", DataCaptureConfig=CAPTURE, **(given | more))


def update(world, config, **more):
    world.sagemaker.update_endpoint(EndpointName="bookings", EndpointConfigName=config, **more)
    world.pass_minutes(30)


def captured(world, name):
    """What was captured of a variant: each request's id and the answer to it."""
    keys = world.keys(f"capture/m/1/bookings/{name}/")
    lines = [json.loads(line) for key in keys for line in world.read(key).splitlines()]
    return {line["eventMetadata"].get("inferenceId"): line["captureData"]["endpointOutput"]["data"] for line in lines}


def requests_of(world, name, config="shadowed"):
    dimensions = {"EndpointName": "bookings", "VariantName": name, "EndpointConfigName": config}
    answer = world.cloudwatch.get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="Invocations",
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=START,
        EndTime=START + timedelta(days=1),
        Period=3600,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] for point in answer["Datapoints"])


def test_both_answer_and_only_the_production_variants_answer_comes_back(world):
    make_shadow(world)
    update(world, "shadowed")
    assert world.answer("1", InferenceId="a") == "1.0"
    world.pass_minutes(15)
    assert captured(world, "AllTraffic") == {"a": "1.0"}
    assert captured(world, "Shadow") == {"a": "101.0"}
    assert (requests_of(world, "AllTraffic"), requests_of(world, "Shadow")) == (1, 1)
    (described,) = world.describe()["ShadowProductionVariants"]
    assert (described["VariantName"], described["CurrentInstanceCount"]) == ("Shadow", 1)


def test_its_weight_by_the_production_variants_is_the_share_that_is_copied(world):
    make_shadow(world, weight=0.25)
    update(world, "shadowed")
    for number in range(400):
        world.ask("1", InferenceId=str(number))
    world.pass_minutes(2)
    assert requests_of(world, "AllTraffic") == 400
    assert 60 < requests_of(world, "Shadow") < 140


def test_a_shadow_that_fails_harms_nobody(world):
    make_shadow(world, model="broken")
    update(world, "shadowed")
    assert world.answer("1") == "1.0"
    world.pass_minutes(15)
    assert captured(world, "Shadow") == {}


def test_an_update_to_a_config_without_it_takes_it_away(world):
    make_shadow(world)
    update(world, "shadowed")
    update(world, "config-1", RetainAllVariantProperties=True)
    assert "ShadowProductionVariants" not in world.describe()
    world.ask("1")
    assert requests_of(world, "Shadow") == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ShadowProductionVariants": [variant("S", "model-2"), variant("T", "model-2")]}, "takes one variant"),
        (
            {
                "ProductionVariants": [variant("A", "model-1"), variant("B", "model-1")],
                "ShadowProductionVariants": [variant("S", "model-2")],
            },
            "takes one variant",
        ),
        ({"ShadowProductionVariants": [variant("AllTraffic", "model-2")]}, "must be unique"),
        ({"ShadowProductionVariants": [variant("S", "model-2", InstanceType="ml.inf1.xlarge")]}, "ml.inf1"),
    ],
)
def test_what_sagemaker_refuses_is_refused(world, given, said):
    with pytest.raises(ClientError, match=said):
        make_shadow(world, **given)


def test_guardrails_beside_a_shadow_are_refused_because_nothing_says_that_aws_takes_them(world):
    make_shadow(world)
    routing = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 60}
    deployment = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}}
    with pytest.raises(ClientError, match="beside a shadow variant"):
        update(world, "shadowed", DeploymentConfig=deployment)
    update(world, "shadowed")
    with pytest.raises(ClientError, match="beside a shadow variant"):
        update(world, "config-1", DeploymentConfig=deployment)
