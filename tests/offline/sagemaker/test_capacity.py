"""The account has quotas and AWS has limits: what is too much is refused, and what cannot be had fails later."""

import pytest
from botocore.exceptions import ClientError

from offline.account import Account
from tests.offline.sagemaker_world import START, World


@pytest.fixture
def world(tmp_path):
    with Account(start=START, directory=tmp_path) as account:
        world = World(account)
        world.make_model("model-1")
        world.make_config("config-1", "model-1")
        yield world


def transform(world, name="job", instance_type="ml.m5.large"):
    world.put("rows/rows.csv", b"1\n2")
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://data-bucket/rows/"}
    world.sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName="model-1",
        TransformInput={"DataSource": {"S3DataSource": source}, "ContentType": "text/csv", "SplitType": "Line"},
        TransformOutput={"S3OutputPath": f"s3://data-bucket/out/{name}", "Accept": "text/csv"},
        TransformResources={"InstanceType": instance_type, "InstanceCount": 1},
    )


def test_a_new_account_has_no_accelerators(world):
    with pytest.raises(ClientError, match=r"'ml\.g5\.xlarge for transform job usage' is 0 Instances") as raised:
        transform(world, instance_type="ml.g5.xlarge")
    assert raised.value.response["Error"]["Code"] == "ResourceLimitExceeded"
    world.account.quotas["sagemaker", "ml.g5.xlarge for transform job usage"] = 1
    transform(world, instance_type="ml.g5.xlarge")


def test_a_quota_counts_what_runs_now(world):
    world.account.quotas["sagemaker", "ml.m5.large for transform job usage"] = 1
    transform(world, "one")
    with pytest.raises(ClientError, match="current utilization of 1 Instances and a request delta of 1"):
        transform(world, "two")
    world.pass_minutes(30)
    transform(world, "two")


def test_a_new_fleet_counts_beside_the_one_that_it_shall_replace(world):
    world.account.quotas["sagemaker", "ml.m5.large for endpoint usage"] = 3
    world.make_endpoint()
    world.make_config("config-2", "model-1")
    with pytest.raises(ClientError, match="for endpoint usage' is 3 Instances, with current utilization of 2"):
        world.sagemaker.update_endpoint(EndpointName="bookings", EndpointConfigName="config-2")
    world.account.quotas["sagemaker", "ml.m5.large for endpoint usage"] = 4
    world.sagemaker.update_endpoint(EndpointName="bookings", EndpointConfigName="config-2")


def test_a_job_that_finds_no_instance_fails_minutes_later_and_the_next_may_find_one(world):
    world.account.capacity.run_short()
    transform(world, "one")
    world.pass_minutes(30)
    described = world.sagemaker.describe_transform_job(TransformJobName="one")
    assert (described["TransformJobStatus"], described["FailureReason"][:14]) == ("Failed", "CapacityError:")
    transform(world, "two")
    world.pass_minutes(30)
    assert world.sagemaker.describe_transform_job(TransformJobName="two")["TransformJobStatus"] == "Completed"


def test_an_endpoint_that_finds_no_instance_fails_and_an_update_goes_back(world):
    world.account.capacity.run_short()
    world.make_endpoint("first")
    described = world.describe("first")
    assert described["EndpointStatus"] == "Failed"
    assert "InsufficientInstanceCapacity" in described["FailureReason"]
    world.make_endpoint()
    world.make_config("config-2", "model-1")
    world.account.capacity.run_short()
    world.sagemaker.update_endpoint(EndpointName="bookings", EndpointConfigName="config-2")
    world.pass_minutes(30)
    described = world.describe()
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "config-1")
    assert world.answer("41") == "42.0"


def test_shortages_by_chance_follow_from_the_seed(world):
    world.account.capacity.shortage_fraction = 0.5
    found = [world.account.capacity.found(f"job-{number}") for number in range(200)]
    assert found == [world.account.capacity.found(f"job-{number}") for number in range(200)]
    assert 60 < sum(found) < 140


def test_beyond_the_quota_no_alarm_is_made_and_a_changed_one_is_no_new_one(world):
    def put(name):
        world.cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="N",
            MetricName="M",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )

    assert world.account.alarms.quota == 5_000
    world.account.alarms.quota = 2
    for name in ("a", "b", "a"):
        put(name)
    with pytest.raises(ClientError) as raised:
        put("c")
    assert raised.value.response["Error"]["Code"] == "LimitExceeded"


def test_a_quota_that_others_use_up_after_the_call_is_the_updates_failure(world):
    world.make_endpoint()
    world.make_config("config-2", "model-1")
    world.account.capacity.run_short(quota="ml.m5.large for endpoint usage")
    world.sagemaker.update_endpoint(EndpointName="bookings", EndpointConfigName="config-2")
    world.pass_minutes(30)
    described = world.describe()
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "config-1")
    assert "service limit 'ml.m5.large for endpoint usage'" in described["FailureReason"]
