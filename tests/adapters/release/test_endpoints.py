"""An endpoint is described by the one variant that serves, or refused."""

import pytest

from kedge.errors import EndpointVariantsError
from lambdas.adapters.release.endpoints import describe_endpoint, describe_served_model
from tests.adapters.aws import moto_client


def make_endpoint(sagemaker, *variants: str) -> None:
    container = {"Image": "i", "ModelDataUrl": "s3://b/m.tar.gz"}
    sagemaker.create_model(
        ModelName="m-1", PrimaryContainer=container, ExecutionRoleArn="arn:aws:iam::123456789012:role/r"
    )
    production = [
        {
            "VariantName": name,
            "ModelName": "m-1",
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
            "InitialVariantWeight": 1.0,
        }
        for name in variants
    ]
    sagemaker.create_endpoint_config(
        EndpointConfigName="c-1",
        ProductionVariants=production,
        DataCaptureConfig={
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": "s3://bucket/capture/m/1",
            "CaptureOptions": [{"CaptureMode": "Input"}],
        },
    )
    sagemaker.create_endpoint(EndpointName="live", EndpointConfigName="c-1")


def test_an_endpoint_that_does_not_exist_is_none():
    with moto_client("sagemaker") as sagemaker:
        assert describe_endpoint(sagemaker, "live") is None


def test_the_endpoints_config_names_model_and_capture():
    with moto_client("sagemaker") as sagemaker:
        make_endpoint(sagemaker, "Live")
        endpoint = describe_endpoint(sagemaker, "live")
        served = describe_served_model(sagemaker, "c-1")
    assert (endpoint.endpoint_config, endpoint.variant, endpoint.settled) == ("c-1", "Live", True)
    assert (served.model_name, served.capture_uri) == ("m-1", "s3://bucket/capture/m/1")


def test_several_variants_have_no_champion():
    with moto_client("sagemaker") as sagemaker:
        make_endpoint(sagemaker, "A", "B")
        with pytest.raises(EndpointVariantsError, match="A, B"):
            describe_endpoint(sagemaker, "live")


@pytest.mark.parametrize("names", [("A", "kedge-challenger-v3"), ("kedge-challenger-v3", "A")])
def test_a_version_that_kedge_tries_is_not_what_serves(names):
    with moto_client("sagemaker") as sagemaker:
        make_endpoint(sagemaker, *names)
        endpoint = describe_endpoint(sagemaker, "live")
    assert (endpoint.variant, endpoint.is_tried_on) == ("A", True)
