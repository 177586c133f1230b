"""Endpoints come into service in simulated minutes, answer, measure, and refuse as SageMaker does."""

from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from offline.account import Account
from tests.offline.sagemaker_world import BROKEN, START, World


@pytest.fixture
def world(tmp_path):
    with Account(start=START, directory=tmp_path) as account:
        made = World(account)
        made.make_model("model-1", mean=1.0)
        made.make_config("config-1", "model-1")
        yield made


def metric(world, name, statistic="Sum", **dimensions):
    pairs = {"EndpointName": "bookings", "VariantName": "AllTraffic", **dimensions}
    answer = world.cloudwatch.get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in pairs.items()],
        StartTime=START,
        EndTime=world.account.clock.now + timedelta(minutes=1),
        Period=86_400,
        Statistics=[statistic],
    )
    return [point[statistic] for point in answer["Datapoints"]]


def code_and_message(raised):
    return raised.value.response["Error"]["Code"], raised.value.response["Error"]["Message"]


def test_an_endpoint_is_creating_for_minutes_and_then_serves(world):
    world.sagemaker.create_endpoint(EndpointName="bookings", EndpointConfigName="config-1")
    assert world.describe()["EndpointStatus"] == "Creating"
    with pytest.raises(ClientError, match="not found"):
        world.ask()
    world.pass_minutes(10)
    described = world.describe()
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "config-1")
    variant = described["ProductionVariants"][0]
    assert (variant["VariantName"], variant["CurrentInstanceCount"], variant["CurrentWeight"]) == ("AllTraffic", 2, 1.0)
    assert world.answer("41") == "42.0"
    assert world.ask()["InvokedProductionVariant"] == "AllTraffic"
    assert world.statuses("SageMaker Endpoint State Change", "EndpointStatus") == ["CREATING", "IN_SERVICE"]


def test_a_model_that_does_not_load_fails_the_endpoint(world):
    world.make_model("model-2", script="raise ImportError('xgboost')")
    world.make_config("config-2", "model-2")
    world.make_endpoint(config="config-2")
    described = world.describe()
    assert described["EndpointStatus"] == "Failed"
    assert "ping health check" in described["FailureReason"]


def test_each_request_is_measured_with_and_without_its_config(world):
    world.make_endpoint()
    for _ in range(3):
        world.ask()
    world.pass_minutes(2)
    assert metric(world, "Invocations") == [3.0]
    assert metric(world, "Invocations", EndpointConfigName="config-1") == [3.0]
    assert metric(world, "Invocation5XXErrors") == [0.0]
    assert 0 < metric(world, "ModelLatency", "Maximum")[0] < 60e6
    assert metric(world, "OverheadLatency", "Minimum")[0] >= 1000


def test_a_script_that_raises_is_a_model_error_counted_as_one(world):
    world.make_model("model-2", script=BROKEN)
    world.make_config("config-2", "model-2")
    world.make_endpoint(config="config-2")
    with pytest.raises(world.runtime.exceptions.ModelError, match="no such feature: meal") as raised:
        world.ask()
    assert raised.value.response["OriginalStatusCode"] == 500
    assert raised.value.response["OriginalMessage"] == "no such feature: meal"
    world.pass_minutes(2)
    assert metric(world, "Invocation5XXErrors", "Average") == [1.0]
    assert metric(world, "Invocation4XXErrors") == [0.0]


def test_a_minutes_metrics_come_a_minute_after_it_and_alarms_see_them_then(world):
    world.make_endpoint()
    world.cloudwatch.put_metric_alarm(
        AlarmName="busy",
        Namespace="AWS/SageMaker",
        MetricName="Invocations",
        Dimensions=[{"Name": "EndpointName", "Value": "bookings"}, {"Name": "VariantName", "Value": "AllTraffic"}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
    )
    world.pass_minutes(1)
    assert world.account.clock.now.second == 0
    world.ask()
    seen = []
    for _ in range(3):
        state = world.cloudwatch.describe_alarms(AlarmNames=["busy"])["MetricAlarms"][0]["StateValue"]
        seen.append((metric(world, "Invocations"), state))
        world.pass_minutes(1)
    assert seen == [([], "OK"), ([], "OK"), ([1.0], "ALARM")]


def test_traffic_follows_the_weights_of_the_variants(world):
    world.make_model("model-2", mean=100.0)
    variants = [
        {"VariantName": name, "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1, **weight}
        for name, model, weight in (
            ("mine", "model-1", {"InitialVariantWeight": 3.0}),
            ("yours", "model-2", {"InitialVariantWeight": 1.0}),
        )
    ]
    world.sagemaker.create_endpoint_config(EndpointConfigName="config-2", ProductionVariants=variants)
    world.make_endpoint(config="config-2")
    answers = [world.answer("0") for _ in range(200)]
    assert 120 < answers.count("1.0") < 180
    assert answers.count("1.0") + answers.count("100.0") == 200
    assert world.answer("0", TargetVariant="yours") == "100.0"


def test_the_same_seed_routes_the_same_way(world, tmp_path):
    world.make_endpoint()
    drawn = [world.account.endpoints.get("bookings").draw.random() for _ in range(3)]
    again = Account(start=START, directory=tmp_path / "again", seed=world.account.seed)
    other = again.seeded("traffic", "bookings")
    other.uniform(0, 1)  # the time that creating it took
    assert drawn == [other.random() for _ in range(3)]


def test_unknown_and_doubled_names_are_refused(world):
    world.make_endpoint()
    known = {
        "describe_endpoint": ({"EndpointName": "nobody"}, "Could not find endpoint"),
        "describe_endpoint_config": ({"EndpointConfigName": "nobody"}, "Could not find endpoint configuration"),
        "create_endpoint": ({"EndpointName": "other", "EndpointConfigName": "nobody"}, "Could not find endpoint conf"),
        "delete_model": ({"ModelName": "nobody"}, "Could not find model"),
        "delete_endpoint": ({"EndpointName": "nobody"}, "Could not find endpoint"),
    }
    for operation, (request, message) in known.items():
        with pytest.raises(ClientError, match=message) as raised:
            getattr(world.sagemaker, operation)(**request)
        assert code_and_message(raised)[0] == "ValidationException"
    with pytest.raises(ClientError, match="already existing endpoint"):
        world.sagemaker.create_endpoint(EndpointName="bookings", EndpointConfigName="config-1")
    with pytest.raises(ClientError, match="already existing endpoint configuration"):
        world.make_config("config-1", "model-1")
    with pytest.raises(ClientError, match="already existing model"):
        world.make_model("model-1")
    with pytest.raises(ClientError, match="Could not find model"):
        world.make_config("config-2", "nobody")
    with pytest.raises(ClientError) as raised:
        world.ask(name="nobody")
    assert code_and_message(raised)[0] == "ValidationError"


def test_a_model_needs_a_role_an_image_and_an_artefact(world):
    image = {"Image": "image", "ModelDataUrl": "s3://data-bucket/models/model-1.tar.gz"}

    def create(**changes):
        request = {"ModelName": "model-2", "ExecutionRoleArn": world.role, "PrimaryContainer": image} | changes
        world.sagemaker.create_model(**request)

    for message, changes in (
        ("Could not assume role", {"ExecutionRoleArn": "arn:aws:iam::123456789012:role/nobody"}),
        ("Could not find model data", {"PrimaryContainer": {**image, "ModelDataUrl": "s3://data-bucket/nothing"}}),
        ("Requires either Image or ModelPackageName", {"PrimaryContainer": {"ModelDataUrl": image["ModelDataUrl"]}}),
    ):
        with pytest.raises(ClientError, match=message):
            create(**changes)
    create()
    assert world.sagemaker.describe_model(ModelName="model-2")["PrimaryContainer"] == image


def test_a_config_in_use_may_be_deleted_and_the_endpoint_serves_on(world):
    world.make_endpoint()
    world.sagemaker.delete_endpoint_config(EndpointConfigName="config-1")
    world.sagemaker.delete_model(ModelName="model-1")
    assert world.answer("1") == "2.0"


def test_a_deleted_endpoint_is_gone_after_a_while(world):
    world.make_endpoint()
    world.sagemaker.delete_endpoint(EndpointName="bookings")
    assert world.describe()["EndpointStatus"] == "Deleting"
    world.pass_minutes(2)
    with pytest.raises(ClientError, match="Could not find endpoint"):
        world.describe()


def test_endpoints_and_configs_are_listed_and_tagged(world):
    world.make_endpoint()
    assert [each["EndpointName"] for each in world.sagemaker.list_endpoints()["Endpoints"]] == ["bookings"]
    assert world.sagemaker.list_endpoint_configs()["EndpointConfigs"][0]["EndpointConfigName"] == "config-1"
    assert world.sagemaker.list_models()["Models"][0]["ModelName"] == "model-1"
    world.sagemaker.add_tags(ResourceArn=world.describe()["EndpointArn"], Tags=[{"Key": "team", "Value": "hotels"}])
    assert world.sagemaker.list_tags(ResourceArn=world.describe()["EndpointArn"])["Tags"][0]["Value"] == "hotels"
