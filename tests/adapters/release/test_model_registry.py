"""The registry's packages are read as facts; a registration fits SageMaker's limits."""

import re

import boto3
import pytest
from botocore.validate import ParamValidator

from kedge.config.reading import parse_model_config
from kedge.errors import UnknownPackageError
from lambdas.adapters.release.model_registry import (
    Registration,
    StagedFile,
    describe_package,
    metadata_properties,
    registration_request,
)
from tests.adapters.aws import moto_client

CONFIG = parse_model_config(
    "{model: hotel, endpoint: {name: e}, features: [{name: x, kind: numeric}]}", source="m.yaml"
)
FILE = StagedFile("s3://bucket/statistics.json", "0" * 64)


def make_registration(**changes) -> Registration:
    facts = {
        "run": "hotel-run-1",
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/xgboost:1.7-1",
        "artefact_uri": "s3://bucket/model.tar.gz",
        "environment": {"SAGEMAKER_PROGRAM": "inference.py"},
        "description": "better",
        "properties": {"kedge:run": "hotel-run-1"},
        "statistics": FILE,
        "constraints": FILE,
        "quality": FILE,
        "quality_limits": FILE,
    }
    return Registration(**(facts | changes))


def test_sagemaker_accepts_the_registration():
    model = boto3.client("sagemaker", region_name="eu-west-1").meta.service_model.operation_model("CreateModelPackage")
    assert (
        ParamValidator()
        .validate(registration_request(CONFIG, make_registration()), model.input_shape)
        .generate_report()
        == ""
    )


def test_a_registration_waits_for_a_person_and_carries_evidence_with_its_digest():
    request = registration_request(CONFIG, make_registration())
    assert request["ModelApprovalStatus"] == "PendingManualApproval"
    for part in ("ModelMetrics", "DriftCheckBaselines"):
        for files in request[part].values():
            for source in files.values():
                assert source == {
                    "ContentType": "application/json",
                    "S3Uri": FILE.uri,
                    "ContentDigest": "sha256:" + "0" * 64,
                }


def test_one_run_has_one_client_token():
    first, again = (registration_request(CONFIG, make_registration()) for _ in range(2))
    other = registration_request(CONFIG, make_registration(run="hotel-run-2"))
    assert first["ClientToken"] == again["ClientToken"] != other["ClientToken"]
    assert re.fullmatch(r"[a-zA-Z0-9-]{1,36}", first["ClientToken"])


def test_properties_keep_within_the_registrys_limits():
    wild = {f"key {i}": 'AUC {"a": 1, "b"}; 100% ' + "x" * 300 for i in range(60)} | {"empty": ""}
    fitted = metadata_properties(wild)
    # Five of the registry's fifty are left for what is noted when a stage is shown.
    assert len(fitted) == 45
    for key, value in fitted.items():
        assert re.fullmatch(r"[\w .:/=+\-@]{1,128}", key, re.ASCII)
        assert re.fullmatch(r"[\w .:/=+\-@]{1,256}", value, re.ASCII)


def test_a_package_is_read_with_its_status_and_properties():
    with moto_client("sagemaker") as sagemaker:
        sagemaker.create_model_package_group(ModelPackageGroupName="hotel")
        arn = sagemaker.create_model_package(**registration_request(CONFIG, make_registration()))["ModelPackageArn"]
        package = describe_package(sagemaker, arn)
    assert (package.arn, package.group, package.version) == (arn, "hotel", "1")
    assert package.approval_status == "PendingManualApproval"
    assert package.properties["kedge:run"] == "hotel-run-1"


def test_an_unknown_package_is_named():
    arn = "arn:aws:sagemaker:us-east-1:123456789012:model-package/hotel/9"
    with moto_client("sagemaker") as sagemaker, pytest.raises(UnknownPackageError, match="hotel/9"):
        describe_package(sagemaker, arn)


def test_a_registration_has_no_tags_and_pins_no_instance_type():
    request = registration_request(CONFIG, make_registration())
    assert "Tags" not in request
    assert not [key for key in request["InferenceSpecification"] if key.endswith("InstanceTypes")]
