"""`kedge doctor` holds a watched endpoint against its YAML, and never advises to change the endpoint."""

from datetime import UTC, datetime

import pytest

from cli.doctor.checks import endpoints
from cli.doctor.findings import Verdict
from kedge.config.reading import parse_model_config
from lambdas.adapters.state.champions import Champion

YAML = """
model: payments
mode: watch
endpoint: {name: payments, variant: main}
capture: {uri: "s3://theirs/logs", sampling_percentage: 20}
features: [{name: amount, kind: numeric}]
"""
CONFIG = parse_model_config(YAML, source="payments.yaml")
SINCE = datetime(2026, 3, 20, tzinfo=UTC)
CHAMPION = Champion("arn:e/adopted-1", "adopted-1", "adopted-1", SINCE, None, "theirs-1", "theirs-1")
CAPTURE = {
    "EnableCapture": True,
    "CaptureStatus": "Started",
    "CurrentSamplingPercentage": 20,
    "DestinationS3Uri": "s3://theirs/logs",
}


def found(**changed):
    described = {
        "EndpointName": "payments",
        "EndpointArn": "arn:e",
        "EndpointStatus": "InService",
        "EndpointConfigName": "theirs-1",
        "ProductionVariants": [{"VariantName": "main"}],
        "DataCaptureConfig": CAPTURE,
        **changed,
    }
    return list(endpoints.state(CONFIG, CHAMPION, described, bucket="ours"))


def test_a_watched_endpoint_as_the_yaml_says_is_in_order():
    assert [finding.verdict for finding in found()] == [Verdict.OK, Verdict.OK]


def test_another_config_of_its_owners_is_no_fault():
    assert [finding.verdict for finding in found(EndpointConfigName="theirs-2")] == [Verdict.OK, Verdict.OK]


@pytest.mark.parametrize(
    ("changed", "remedy"),
    [
        ({"DataCaptureConfig": CAPTURE | {"CurrentSamplingPercentage": 50}}, "set capture.sampling_percentage"),
        ({"DataCaptureConfig": CAPTURE | {"DestinationS3Uri": "s3://theirs/other"}}, "set capture.uri"),
        ({"DataCaptureConfig": CAPTURE | {"CaptureStatus": "Stopped"}}, "let its owners switch Data Capture on"),
        ({"EndpointStatus": "Failed"}, "its owners must look"),
    ],
)
def test_a_fault_comes_with_a_remedy_that_leaves_the_endpoint_alone(changed, remedy):
    last = found(**changed)[-1]
    assert last.verdict is Verdict.FAILED
    assert remedy in last.remedy
    assert "update-endpoint" not in last.remedy
    assert "rollback" not in last.remedy


def test_an_endpoint_that_is_gone_is_not_to_be_made_again():
    (finding,) = endpoints.state(CONFIG, CHAMPION, None, bucket="ours")
    assert "create-endpoint" not in finding.remedy
