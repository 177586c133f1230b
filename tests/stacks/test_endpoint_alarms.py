"""Alarms on the endpoints themselves."""

import aws_cdk as cdk
import pytest
from aws_cdk import assertions
from aws_cdk import aws_sns as sns

from kedge.errors import ModelConfigError
from stacks.parts.endpoint_alarms import add_endpoint_alarms, alarms_of
from tests.builders import make_config

ALL = """
health:
  p95_milliseconds: 200
  p99_milliseconds: 500.5
  client_error_fraction: 0.1
  no_invocations_hours: 6
  disk_fraction: 0.8
"""


def made(extra, **endpoint):
    """The alarms of the model with this YAML, and with these fields of its endpoint."""
    stack = cdk.Stack(cdk.App(), "Alarms")
    topics = [sns.Topic(stack, "People"), sns.Topic(stack, "Programs")]
    config = make_config(extra)
    config = config.model_copy(update={"endpoint": config.endpoint.model_copy(update=endpoint)})
    add_endpoint_alarms(stack, config, topics=topics)
    found = assertions.Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm")
    return [alarm["Properties"] for alarm in found.values()]


def of(alarms, metric, statistic=None):
    (found,) = [
        alarm
        for alarm in alarms
        if alarm["MetricName"] == metric and statistic in (None, alarm.get("ExtendedStatistic", alarm.get("Statistic")))
    ]
    return found


def test_by_default_there_is_none_and_failing_requests_ring_if_that_is_wanted_with_what_to_do():
    assert made("") == []
    (alarm,) = made("health: {server_error_fraction: 0.05}")
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == (
        "AWS/SageMaker",
        "Invocation5XXErrors",
        "Average",
    )
    assert {d["Name"]: d["Value"] for d in alarm["Dimensions"]} == {
        "EndpointName": "parcels",
        "VariantName": "AllTraffic",
    }
    assert (alarm["Threshold"], alarm["Period"], alarm["EvaluationPeriods"]) == (0.05, 300, 3)
    assert alarm["TreatMissingData"] == "notBreaching"
    assert alarm["AlarmDescription"] == (
        "Kedge: parcels: endpoint parcels (AllTraffic) fails: more than 0.05 of its requests end in 5xx for 15 minutes. Please "
        "read its log group /aws/sagemaker/Endpoints/parcels. If it began with a release: kedge rollback parcels --reason WHY"
    )


def test_latency_is_written_in_milliseconds_and_compared_in_microseconds():
    alarms = made(ALL)
    assert of(alarms, "ModelLatency", "p95")["Threshold"] == 200_000
    assert of(alarms, "ModelLatency", "p99")["Threshold"] == 500_500
    assert of(alarms, "ModelLatency", "p99")["EvaluateLowSampleCountPercentile"] == "ignore"


def test_the_disk_is_a_percentage_of_the_instances_metrics():
    disk = of(made(ALL), "DiskUtilization")
    assert (disk["Namespace"], disk["Threshold"], disk["Statistic"]) == ("/aws/sagemaker/Endpoints", 80, "Maximum")


def test_silence_is_told_when_the_data_runs_out_and_not_before_there_was_any():
    silent = of(made(ALL), "Invocations")
    assert (silent["Period"], silent["Threshold"]) == (6 * 3600, 0)
    assert silent["ComparisonOperator"] == "LessThanOrEqualToThreshold"
    # A new alarm begins without data: that is no change of state, so it tells nobody.
    assert silent["TreatMissingData"] == "missing"
    assert len(silent["InsufficientDataActions"]) == 2


@pytest.mark.parametrize(
    ("extra", "served", "variants"),
    [
        ("health: {server_error_fraction: 0.05, variants: [Shadow, AllTraffic]}", {}, ["AllTraffic", "Shadow"]),
        (
            "mode: watch\nhealth: {server_error_fraction: 0.05}",
            {"variants": ("control", "challenger")},
            ["challenger", "control"],
        ),
    ],
)
def test_every_named_variant_has_its_own_alarms(extra, served, variants):
    alarms = made(extra, **served)
    assert sorted(d["Value"] for alarm in alarms for d in alarm["Dimensions"] if d["Name"] == "VariantName") == variants


def test_a_watched_endpoint_has_them_too_and_its_owners_decide():
    (alarm,) = made("mode: watch\nhealth: {server_error_fraction: 0.05}")
    assert alarm["AlarmDescription"].endswith("Kedge only watches it: its owners decide")


@pytest.mark.parametrize(
    "health", ["health: {enabled: false, p95_milliseconds: 5}", "health: {p95_milliseconds: null}"]
)
def test_they_can_be_switched_off(health):
    assert made(health) == []


def test_a_model_without_an_endpoint_has_none_and_its_yaml_may_not_ask_for_any():
    yaml = "source: batch_transform\nmode: watch\ncapture: {uri: s3://their-bucket/capture}\nendpoint: {name: ''}\n"
    rest = "model: parcels\nfeatures: [{name: weight, kind: numeric}]\n"
    from kedge.config.reading import parse_model_config

    assert alarms_of(parse_model_config(rest + yaml, source="parcels.yaml")) == []
    with pytest.raises(ModelConfigError, match="health: there is no endpoint"):
        parse_model_config(rest + yaml + "health: {p95_milliseconds: 5}", source="parcels.yaml")
