"""A champion that somebody else made is copied with its containers, under the role that may score it."""

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from botocore.validate import ParamValidator

from kedge.config.reading import parse_model_config
from kedge.errors import UnscorableChampionError
from lambdas.adapters.training.served_models import copied_model_request
from lambdas.adapters.training.training_jobs import TrainingWorkshop

ROLE, OTHER = (f"arn:aws:iam::123456789012:role/{name}" for name in ("kedge", "somebody"))
SHOP = TrainingWorkshop("image:1", "s3://b/source.tar.gz", "training", ROLE, "key", (("kedge:model", "m"),))
CONFIG = parse_model_config("{model: m, endpoint: {name: e}, features: [{name: x, kind: numeric}]}", source="m.yaml")
PACKAGE = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/m/3"
PLAIN = {
    "Image": "image:7",
    "ModelDataUrl": "s3://theirs/model.tar.gz",
    "Environment": {"A": "1"},
    "Mode": "SingleModel",
}
BOTH = {"S3Uri": "s3://theirs/model.tar.gz", "S3DataType": "S3Object", "CompressionType": "Gzip"}
UNPACKED = {"S3Uri": "s3://theirs/model/", "S3DataType": "S3Prefix", "CompressionType": "None"}


def copy(*containers, package=None, pipeline=False, **more):
    """The request for a copy of a model with these containers, as SageMaker takes it."""
    sagemaker = boto3.client("sagemaker", region_name="eu-west-1")
    described = {"Containers": list(containers)} if pipeline else {"PrimaryContainer": containers[0]}
    facts = {
        "ModelName": "m-7",
        "ModelArn": "arn:aws:sagemaker:eu-west-1:123456789012:model/m-7",
        "ExecutionRoleArn": OTHER,
    }
    with Stubber(sagemaker) as stub:
        stub.add_response("describe_model", {**facts, **described, "CreationTime": 0, **more})
        if package:
            facts = {
                "ModelPackageName": "m",
                "ModelPackageArn": PACKAGE,
                "CreationTime": 0,
                "ModelPackageStatus": "Completed",
            }
            facts["ModelPackageStatusDetails"] = {"ValidationStatuses": []}
            stub.add_response("describe_model_package", {**facts, "InferenceSpecification": {"Containers": [package]}})
        request = copied_model_request(sagemaker, SHOP, CONFIG, model_name="m-7")
        stub.assert_no_pending_responses()
    shape = sagemaker.meta.service_model.operation_model("CreateModel").input_shape
    assert ParamValidator().validate({"ModelName": "run-champion-0", **request}, shape).generate_report() == ""
    return request


def test_a_copy_has_the_containers_of_the_model_and_the_role_and_isolation_of_kedge():
    vpc = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    assert copy(PLAIN, EnableNetworkIsolation=False, VpcConfig=vpc) == {
        "ExecutionRoleArn": ROLE,
        "Containers": [{key: PLAIN[key] for key in ("Image", "ModelDataUrl", "Environment")}],
        "EnableNetworkIsolation": True,
        "Tags": [{"Key": "kedge:model", "Value": "m"}],
    }


def test_every_container_of_a_pipeline_is_copied_in_order():
    second = {**PLAIN, "Image": "image:8", "ContainerHostname": "second"}
    found = copy(PLAIN, second, pipeline=True)["Containers"]
    assert [(each["Image"], each.get("ContainerHostname")) for each in found] == [
        ("image:7", None),
        ("image:8", "second"),
    ]


def test_a_model_of_a_package_is_copied_from_what_the_package_holds_whatever_became_of_its_approval():
    made_of = {"ModelPackageName": PACKAGE, "Environment": {"B": "2"}}
    (found,) = copy(made_of, package={key: PLAIN[key] for key in ("Image", "ModelDataUrl", "Environment")})[
        "Containers"
    ]
    assert found == {"Image": "image:7", "ModelDataUrl": PLAIN["ModelDataUrl"], "Environment": {"A": "1", "B": "2"}}


@pytest.mark.parametrize("container", [
    {**PLAIN, "ModelDataSource": {"S3DataSource": BOTH}},
    {"Image": "image:7", "ModelDataSource": {"S3DataSource": BOTH}},
])  # fmt: skip
def test_an_artefact_in_one_archive_is_given_once_as_batch_transform_takes_it(container):
    (found,) = copy(container)["Containers"]
    assert (found["ModelDataUrl"], "ModelDataSource" in found) == ("s3://theirs/model.tar.gz", False)


def test_an_image_that_holds_its_own_model_needs_no_artefact():
    assert copy({"Image": "image:7"})["Containers"] == [{"Image": "image:7"}]


@pytest.mark.parametrize(("container", "remedy"), [
    ({"Image": "i", "ModelDataSource": {"S3DataSource": UNPACKED}}, "pack it into one"),
    ({**PLAIN, "Mode": "MultiModel"}, "serve the one model by itself"),
])  # fmt: skip
def test_what_no_batch_transform_takes_is_refused_with_the_remedy(container, remedy):
    with pytest.raises(UnscorableChampionError, match=f"m-7 cannot be scored .*{remedy}"):
        copy(container)


def refused(code):
    sagemaker = boto3.client("sagemaker", region_name="eu-west-1")
    with Stubber(sagemaker) as stub:
        stub.add_client_error("describe_model", code)
        copied_model_request(sagemaker, SHOP, CONFIG, model_name="m-7")


def test_a_model_that_is_gone_is_told_and_any_other_refusal_raised():
    with pytest.raises(UnscorableChampionError, match="SageMaker knows it no longer"):
        refused("ValidationException")
    with pytest.raises(ClientError, match="AccessDenied"):
        refused("AccessDeniedException")


def test_a_model_that_went_with_its_endpoint_is_copied_from_its_package():
    sagemaker = boto3.client("sagemaker", region_name="eu-west-1")
    facts = {"ModelPackageName": "m", "ModelPackageArn": PACKAGE, "CreationTime": 0, "ModelPackageStatus": "Completed"}
    facts |= {"ModelPackageStatusDetails": {"ValidationStatuses": []}}
    container = {"Image": "image:7", "ModelDataUrl": "s3://ours/model.tar.gz", "Environment": {"A": "1"}}
    with Stubber(sagemaker) as stub:
        stub.add_response("describe_model_package", {**facts, "InferenceSpecification": {"Containers": [container]}})
        request = copied_model_request(sagemaker, SHOP, CONFIG, model_name="m-7", package_arn=PACKAGE)
    assert request["Containers"] == [container]


def test_a_package_that_is_gone_is_told_with_what_to_do():
    sagemaker = boto3.client("sagemaker", region_name="eu-west-1")
    with Stubber(sagemaker) as stub:
        stub.add_client_error("describe_model_package", "ValidationException")
        with pytest.raises(UnscorableChampionError, match="release a version of the group that exists"):
            copied_model_request(sagemaker, SHOP, CONFIG, model_name="m-7", package_arn=PACKAGE)
