"""Two production variants share the requests by their weights: each request is captured and counted below the one that answered it."""

import json
from datetime import timedelta

import pytest

from offline.account import Account
from tests.offline.sagemaker_world import BROKEN, BUCKET, START, World

CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": f"s3://{BUCKET}/capture/m/1",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
}
NAMES = ("AllTraffic", "kedge-challenger-v2")


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


def divide(world, *, model="model-2"):
    variants = [
        {"VariantName": name, "ModelName": which, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        | {"InitialVariantWeight": weight}
        for name, which, weight in zip(NAMES, ("model-1", model), (0.8, 0.2), strict=True)
    ]
    world.sagemaker.create_endpoint_config(
        EndpointConfigName="divided", ProductionVariants=variants, DataCaptureConfig=CAPTURE
    )
    update(world, "divided")


def update(world, config, **more):
    world.sagemaker.update_endpoint(EndpointName="bookings", EndpointConfigName=config, **more)
    world.pass_minutes(30)


def captured(world, name):
    keys = world.keys(f"capture/m/1/bookings/{name}/")
    lines = [json.loads(line) for key in keys for line in world.read(key).splitlines()]
    return {line["eventMetadata"]["inferenceId"]: line["captureData"]["endpointOutput"]["data"] for line in lines}


def total(world, metric, name):
    answer = world.cloudwatch.get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName=metric,
        Dimensions=[{"Name": "EndpointName", "Value": "bookings"}, {"Name": "VariantName", "Value": name}],
        StartTime=START,
        EndTime=START + timedelta(days=1),
        Period=3600,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] for point in answer["Datapoints"])


def test_each_request_is_captured_once_below_the_variant_that_answered_it(world):
    divide(world)
    answers = {str(number): world.answer("1", InferenceId=str(number)) for number in range(300)}
    world.pass_minutes(15)
    mine, theirs = (captured(world, name) for name in NAMES)
    assert mine.keys().isdisjoint(theirs)
    assert mine | theirs == answers
    assert ({*mine.values()}, {*theirs.values()}) == ({"1.0"}, {"101.0"})
    assert 35 < len(theirs) < 90
    assert [total(world, "Invocations", name) for name in NAMES] == [len(mine), len(theirs)]


def test_a_variant_that_fails_its_requests_fails_them_for_the_clients_and_is_counted_by_its_name(world):
    divide(world, model="broken")
    errors, failed = world.runtime.exceptions.ModelError, 0
    for number in range(100):
        try:
            world.ask("1", InferenceId=str(number))
        except errors:
            failed += 1
    world.pass_minutes(15)
    assert failed == total(world, "Invocation5XXErrors", NAMES[1]) > 5
    assert total(world, "Invocation5XXErrors", NAMES[0]) == 0
    assert (len(captured(world, NAMES[0])), captured(world, NAMES[1])) == (100 - failed, {})


def test_the_config_without_it_gives_all_requests_back_and_keeps_the_instances_that_run(world):
    divide(world)
    wanted = [{"VariantName": NAMES[0], "DesiredInstanceCount": 3}]
    world.sagemaker.update_endpoint_weights_and_capacities(EndpointName="bookings", DesiredWeightsAndCapacities=wanted)
    world.pass_minutes(10)
    update(world, "config-1", RetainAllVariantProperties=True)
    (variant,) = world.describe()["ProductionVariants"]
    assert (variant["VariantName"], variant["CurrentInstanceCount"]) == (NAMES[0], 3)
    assert {world.answer("1") for _ in range(30)} == {"1.0"}
