"""UpdateEndpoint bakes a second fleet, watches alarms, and goes back without a word."""

import contextlib
import json
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from offline.account import Account
from tests.offline.sagemaker_world import BROKEN, START, World

CANARY = {"Type": "CANARY", "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50}, "WaitIntervalInSeconds": 1800}


@pytest.fixture
def world(tmp_path):
    with Account(start=START, directory=tmp_path) as account:
        made = World(account)
        made.make_model("model-1", mean=0.0)
        made.make_config("config-1", "model-1")
        made.make_endpoint()
        made.make_model("model-2", mean=100.0)
        made.make_config("config-2", "model-2")
        yield made


def make_alarm(world, name="errors", config="config-2"):
    dimensions = {"EndpointName": "bookings", "VariantName": "AllTraffic", "EndpointConfigName": config}
    world.cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0.5,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )


def update(world, config="config-2", routing=CANARY, termination=600, alarms=("errors",), **more):
    deployment = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": routing,
            "TerminationWaitInSeconds": termination,
            "MaximumExecutionTimeoutInSeconds": 7200,
        }
    }
    if alarms:
        deployment["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": name} for name in alarms]}
    request = {"EndpointName": "bookings", "EndpointConfigName": config, "DeploymentConfig": deployment} | more
    world.sagemaker.update_endpoint(**request)


def green_answers(world, number=100):
    return sum(world.answer("1") == "101.0" for _ in range(number))


def state(world):
    described = world.describe()
    return described["EndpointStatus"], described["EndpointConfigName"]


def test_a_healthy_canary_takes_over_step_by_step(world):
    make_alarm(world)
    update(world)
    assert state(world) == ("Updating", "config-1")
    assert green_answers(world) == 0
    world.pass_minutes(10)
    pending = world.describe()["PendingDeploymentSummary"]
    assert pending["EndpointConfigName"] == "config-2"
    assert pending["ProductionVariants"][0]["VariantStatus"][0]["Status"] == "Baking"
    assert 25 < green_answers(world) < 75
    world.pass_minutes(28)
    assert state(world) == ("Updating", "config-1")
    assert green_answers(world) == 100
    world.pass_minutes(12)
    assert state(world) == ("InService", "config-2")
    assert "PendingDeploymentSummary" not in world.describe()
    assert green_answers(world) == 100
    statuses = world.statuses("SageMaker Endpoint State Change", "EndpointStatus")
    assert statuses[-2:] == ["UPDATING", "IN_SERVICE"]


def test_an_alarm_during_the_bake_rolls_back_silently(world):
    world.make_model("model-3", script=BROKEN)
    world.make_config("config-3", "model-3")
    make_alarm(world, config="config-3")
    update(world, config="config-3")
    world.pass_minutes(10)
    for _ in range(20):
        with contextlib.suppress(world.runtime.exceptions.ModelError):
            world.ask()
    world.pass_minutes(3)
    assert world.answer("1") == "1.0"  # the champion answers everything at once
    world.pass_minutes(5)
    described = world.describe()
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "config-1")
    assert not described.get("FailureReason")
    assert {world.answer("1") for _ in range(30)} == {"1.0"}


def test_alarms_are_watched_until_the_old_fleet_is_gone(world):
    make_alarm(world)
    update(world)
    world.pass_minutes(38)
    assert green_answers(world) == 100
    world.cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="test")
    assert green_answers(world) == 0
    world.pass_minutes(5)
    assert state(world) == ("InService", "config-1")


def test_an_alarm_after_the_end_changes_nothing(world):
    make_alarm(world)
    update(world)
    world.pass_minutes(60)
    world.cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="test")
    world.pass_minutes(10)
    assert state(world) == ("InService", "config-2")


def test_no_update_starts_while_an_alarm_rings_or_is_missing(world):
    with pytest.raises(ClientError, match="Could not find CloudWatch alarm"):
        update(world)
    make_alarm(world)
    world.cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="test")
    with pytest.raises(ClientError, match="in ALARM state") as raised:
        update(world)
    assert raised.value.response["Error"]["Code"] == "ValidationException"
    assert state(world) == ("InService", "config-1")


def test_an_endpoint_is_updated_once_at_a_time(world):
    update(world, alarms=())
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        update(world, alarms=())
    with pytest.raises(ClientError, match="Cannot delete in-progress endpoint"):
        world.sagemaker.delete_endpoint(EndpointName="bookings")


def test_another_variant_name_goes_over_at_once_without_baking(world):
    make_alarm(world)
    world.make_config("config-4", "model-2", variant="Other")
    update(world, config="config-4")
    world.pass_minutes(7)
    assert state(world) == ("InService", "config-4")


def scale(world, instances):
    """Do what autoscaling does."""
    world.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="bookings",
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": instances}],
    )


def counts(world):
    (variant,) = world.describe()["ProductionVariants"]
    return variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]


def test_a_scaled_fleet_is_updating_until_it_has_what_is_desired_and_serves_meanwhile(world):
    scale(world, 5)
    assert (world.describe()["EndpointStatus"], counts(world)) == ("Updating", (2, 5))
    assert world.answer("1") == "1.0"
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        update(world, alarms=())
    world.pass_minutes(6)
    assert (world.describe()["EndpointStatus"], counts(world)) == ("InService", (5, 5))
    assert world.describe()["EndpointConfigName"] == "config-1"


def test_only_a_variant_that_is_there_can_be_scaled(world):
    with pytest.raises(ClientError, match="Could not find variant"):
        world.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="bookings", DesiredWeightsAndCapacities=[{"VariantName": "Other", "DesiredInstanceCount": 3}]
        )


def test_an_update_that_retains_nothing_falls_back_to_the_configs_count(world):
    scale(world, 5)
    world.pass_minutes(6)
    update(world, alarms=())
    world.pass_minutes(60)
    assert counts(world) == (2, 2)


@pytest.mark.parametrize("retained", [False, True])
def test_a_fleet_of_one_instance_has_no_canary(world, retained):
    """Whether the config says one, or the fleet was scaled in to one."""
    if retained:
        scale(world, 1)
        world.pass_minutes(6)
    else:
        world.make_config("config-5", "model-2", instances=1)
    with pytest.raises(ClientError, match="at most 50 percent of the instance count, which is 1"):
        update(world, config="config-2" if retained else "config-5", alarms=(), RetainAllVariantProperties=retained)
    assert state(world) == ("InService", "config-1")


@pytest.mark.parametrize(
    ("size", "share"),
    [
        ({"Type": "INSTANCE_COUNT", "Value": 1}, 0.2),
        ({"Type": "INSTANCE_COUNT", "Value": 2}, 0.4),
        ({"Type": "CAPACITY_PERCENT", "Value": 50}, 0.4),
        ({"Type": "CAPACITY_PERCENT", "Value": 1}, 0.2),
    ],
)
def test_the_canary_has_the_share_of_its_whole_instances(world, size, share):
    scale(world, 5)
    world.pass_minutes(6)
    update(world, routing={**CANARY, "CanarySize": size}, alarms=(), RetainAllVariantProperties=True)
    world.pass_minutes(8)
    assert world.account.endpoints.get("bookings").green_share == share


def test_a_canary_of_more_than_half_the_instances_is_refused(world):
    with pytest.raises(ClientError, match="CanarySize of 2 must be at most 50 percent"):
        update(world, routing={**CANARY, "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 2}}, alarms=())


@pytest.mark.parametrize(
    ("rule", "retain", "destination"),
    [
        ("exclusion ignored", True, "1"),
        ("exclusion honoured", True, "2"),
        ("exclusion ignored", False, "2"),
        ("always kept", False, "1"),
    ],
)
def test_what_becomes_of_the_capture_destination_is_by_the_accounts_rule(world, rule, retain, destination):
    for number in "12":
        capture = {
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": f"s3://data-bucket/capture/{number}",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        }
        world.make_config(f"capturing-{number}", f"model-{number}", capture=capture)
    world.make_endpoint("captured", "capturing-1")
    world.account.endpoints.capture_rule = rule
    excluded = {"ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DataCaptureConfig"}]} if retain else {}
    update(
        world, EndpointName="captured", config="capturing-2", alarms=(), RetainAllVariantProperties=retain, **excluded
    )
    world.pass_minutes(60)
    described = world.describe("captured")
    assert described["EndpointConfigName"] == "capturing-2"
    assert described["DataCaptureConfig"]["DestinationS3Uri"] == f"s3://data-bucket/capture/{destination}"


def test_retained_counts_keep_the_canary_that_the_new_config_would_lose(world):
    world.make_config("config-5", "model-2", instances=1)
    update(world, config="config-5", alarms=(), RetainAllVariantProperties=True)
    world.pass_minutes(8)
    assert 25 < green_answers(world) < 75
    world.pass_minutes(60)
    assert world.describe()["ProductionVariants"][0]["CurrentInstanceCount"] == 2


def test_linear_routing_grows_in_equal_steps(world):
    scale(world, 10)
    world.pass_minutes(6)
    linear = {
        "Type": "LINEAR",
        "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 30},
        "WaitIntervalInSeconds": 600,
    }
    update(world, routing=linear, alarms=(), RetainAllVariantProperties=True)
    endpoint, seen = world.account.endpoints.get("bookings"), []
    until = world.account.clock.now + timedelta(hours=1)
    while world.account.clock.now < until:
        share = round(endpoint.green_share, 2)
        if endpoint.green is not None and share not in seen:
            seen.append(share)
        world.pass_minutes(1)
    assert seen == [0.3, 0.6, 0.9, 1.0]
    assert state(world) == ("InService", "config-2")


def roll(world, batch, wait=600, alarms=("errors",), **more):
    policy = {"MaximumBatchSize": batch, "WaitIntervalInSeconds": wait, "MaximumExecutionTimeoutInSeconds": 28_800}
    deployment = {"RollingUpdatePolicy": policy | more}
    if alarms:
        deployment["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": name} for name in alarms]}
    world.sagemaker.update_endpoint(
        EndpointName="bookings",
        EndpointConfigName="config-2",
        RetainAllVariantProperties=True,
        DeploymentConfig=deployment,
    )


def test_a_rolling_update_makes_a_batch_lets_it_bake_and_needs_no_second_fleet(world):
    scale(world, 4)
    world.pass_minutes(6)
    world.account.quotas[("sagemaker", "ml.m5.large for endpoint usage")] = 5
    make_alarm(world)
    roll(world, {"Type": "INSTANCE_COUNT", "Value": 1})
    endpoint, seen = world.account.endpoints.get("bookings"), []
    while state(world)[0] == "Updating":
        phase = world.describe()["PendingDeploymentSummary"]["ProductionVariants"][0]["VariantStatus"][0]["Status"]
        if not seen or seen[-1] != (phase, endpoint.green_share):
            seen.append((phase, endpoint.green_share))
        world.pass_minutes(1)
    assert [share for phase, share in seen if phase == "Baking"] == [0.25, 0.5, 0.75, 1.0]
    assert [phase for phase, _ in seen] == ["Creating", "Baking"] * 4
    assert state(world) == ("InService", "config-2")


def test_an_alarm_in_the_middle_of_a_rolling_update_sends_all_of_it_back(world):
    scale(world, 4)
    world.pass_minutes(6)
    make_alarm(world)
    roll(world, {"Type": "INSTANCE_COUNT", "Value": 2})
    world.pass_minutes(20)
    world.cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="test")
    world.pass_minutes(5)
    assert state(world) == ("InService", "config-1")
    assert green_answers(world) == 0


@pytest.mark.parametrize(
    ("instances", "batch", "more", "said"),
    [
        (1, {"Type": "INSTANCE_COUNT", "Value": 1}, {}, "MaximumBatchSize must be between 5 and 50 percent"),
        (4, {"Type": "INSTANCE_COUNT", "Value": 3}, {}, "MaximumBatchSize must be between 5 and 50 percent"),
        (15, {"Type": "CAPACITY_PERCENT", "Value": 60}, {}, "MaximumBatchSize must be between 5 and 50 percent"),
        (
            4,
            {"Type": "INSTANCE_COUNT", "Value": 1},
            {"WaitIntervalInSeconds": 3601},
            "Waits must be between 0 and 3600",
        ),
        (
            4,
            {"Type": "INSTANCE_COUNT", "Value": 1},
            {"MaximumExecutionTimeoutInSeconds": 28_801},
            "MaximumExecutionTimeoutInSeconds must be between 600 and 28800",
        ),
    ],
)
def test_a_rolling_update_that_sagemaker_refuses_is_refused(world, instances, batch, more, said):
    scale(world, instances)
    world.pass_minutes(6)
    with pytest.raises(ClientError, match=said):
        roll(world, batch, alarms=(), **more)


def test_an_update_is_either_blue_green_or_rolling(world):
    deployment = {
        "RollingUpdatePolicy": {
            "MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 50},
            "WaitIntervalInSeconds": 60,
        },
        "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": CANARY},
    }
    with pytest.raises(ClientError, match="takes one of BlueGreenUpdatePolicy and RollingUpdatePolicy"):
        world.sagemaker.update_endpoint(
            EndpointName="bookings", EndpointConfigName="config-2", DeploymentConfig=deployment
        )


def test_without_a_deployment_config_there_is_no_baking(world):
    world.sagemaker.update_endpoint(EndpointName="bookings", EndpointConfigName="config-2")
    world.pass_minutes(7)
    assert state(world) == ("InService", "config-2")


def test_a_deployment_that_takes_too_long_goes_back_and_says_so(world):
    deployment = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {**CANARY, "WaitIntervalInSeconds": 300},
            "TerminationWaitInSeconds": 290,
            "MaximumExecutionTimeoutInSeconds": 600,
        }
    }
    world.sagemaker.update_endpoint(EndpointName="bookings", EndpointConfigName="config-2", DeploymentConfig=deployment)
    world.pass_minutes(15)
    assert state(world) == ("InService", "config-1")
    assert "maximum execution timeout" in world.describe()["FailureReason"]


def test_a_failed_endpoint_can_only_be_deleted(world):
    world.make_model("model-3", script="raise ImportError('xgboost')")
    world.make_config("config-3", "model-3")
    world.make_endpoint("other", "config-3")
    with pytest.raises(ClientError, match="in status Failed"):
        world.sagemaker.update_endpoint(EndpointName="other", EndpointConfigName="config-1")
    world.sagemaker.delete_endpoint(EndpointName="other")


def test_a_fleet_that_does_not_load_is_told_and_the_old_one_stays(world):
    world.make_model("model-3", script="raise ImportError('xgboost')")
    world.make_config("config-3", "model-3")
    update(world, config="config-3", alarms=())
    world.pass_minutes(15)
    assert state(world) == ("InService", "config-1")
    assert "ping health check" in world.describe()["FailureReason"]


@pytest.mark.parametrize(
    ("routing", "termination"),
    [
        ({**CANARY, "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 60}}, 0),
        ({**CANARY, "WaitIntervalInSeconds": 3600}, 3600),
        ({"Type": "CANARY", "WaitIntervalInSeconds": 60}, 0),
        (
            {"Type": "LINEAR", "WaitIntervalInSeconds": 60, "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 5}},
            0,
        ),
    ],
)
def test_policies_that_sagemaker_refuses_are_refused(world, routing, termination):
    with pytest.raises(ClientError) as raised:
        update(world, routing=routing, termination=termination, alarms=())
    assert raised.value.response["Error"]["Code"] == "ValidationException"


def test_an_execution_role_that_may_not_see_the_alarms_gives_the_update_up(world):
    own = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [own]})
    world.account.client("iam").put_role_policy(RoleName="workshop", PolicyName="own", PolicyDocument=policy)
    make_alarm(world)
    update(world)
    world.pass_minutes(15)
    assert state(world) == ("InService", "config-1")
    assert "cloudwatch:DescribeAlarms" in world.describe()["FailureReason"]
