"""The registry numbers, keeps, validates and tells."""

from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from offline.account import Account
from offline.roles import acting_as
from tests.offline.sagemaker_world import START, World

EVENT = "SageMaker Model Package State Change"
METRICS = {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://data-bucket/s.json"}}}
BASELINES = {
    "ModelDataQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://data-bucket/s.json"}}
}


@pytest.fixture
def world(tmp_path):
    with Account(start=START, directory=tmp_path) as account:
        made = World(account)
        made.make_model("model-1", mean=1.0)
        made.sagemaker.create_model_package_group(ModelPackageGroupName="hotels")
        yield made


def register(world, group="hotels", **more):
    container = {"Image": "image", "ModelDataUrl": "s3://data-bucket/models/model-1.tar.gz"}
    request = {
        "ModelPackageGroupName": group,
        "InferenceSpecification": {"Containers": [container], "SupportedContentTypes": ["text/csv"]},
        "ModelApprovalStatus": "PendingManualApproval",
        "ModelMetrics": METRICS,
        "DriftCheckBaselines": BASELINES,
        "MetadataProperties": {"CommitId": "abc", "GeneratedBy": "kedge"},
        "CustomerMetadataProperties": {"kedge:run": "run-1"},
    } | more
    return world.sagemaker.create_model_package(**request)["ModelPackageArn"]


def describe(world, package):
    return world.sagemaker.describe_model_package(ModelPackageName=package)


def test_versions_count_up_and_keep_what_they_were_given(world):
    first, second = register(world), register(world)
    assert first.endswith(":model-package/hotels/1")
    assert second.endswith("/2")
    package = describe(world, second)
    assert package["ModelPackageVersion"] == 2
    assert package["ModelPackageStatus"] == "Completed"
    assert package["ModelMetrics"] == METRICS
    assert package["DriftCheckBaselines"] == BASELINES
    assert package["MetadataProperties"]["CommitId"] == "abc"


def test_an_update_keeps_what_it_does_not_mention(world):
    package = register(world)
    world.sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    world.sagemaker.update_model_package(ModelPackageArn=package, CustomerMetadataProperties={"kedge:seen": "yes"})
    described = describe(world, package)
    assert described["ModelApprovalStatus"] == "Approved"
    assert described["CustomerMetadataProperties"] == {"kedge:run": "run-1", "kedge:seen": "yes"}
    world.sagemaker.update_model_package(ModelPackageArn=package, CustomerMetadataPropertiesToRemove=["kedge:run"])
    assert describe(world, package)["CustomerMetadataProperties"] == {"kedge:seen": "yes"}


def test_any_update_is_told_once_or_twice_with_the_package_as_it_is(world):
    package = register(world)
    world.pass_minutes(1)
    world.events.clear()
    world.sagemaker.update_model_package(
        ModelPackageArn=package, ModelApprovalStatus="Approved", ApprovalDescription="read the report"
    )
    world.pass_minutes(1)
    told = [event for event in world.events if event[0] == EVENT]
    assert 1 <= len(told) <= 2
    _, detail, resources = told[0]
    assert resources == [package]
    assert detail["ModelPackageArn"] == package
    assert (detail["ModelApprovalStatus"], detail["ModelPackageVersion"]) == ("Approved", 1)
    assert detail["UpdatedModelPackageFields"] == ["ApprovalDescription", "ModelApprovalStatus"]
    assert detail["CreationTime"] == int(START.timestamp() * 1000)
    world.events.clear()
    world.sagemaker.update_model_package(ModelPackageArn=package, CustomerMetadataProperties={"kedge:seen": "yes"})
    world.pass_minutes(1)
    assert next(event[1]["ModelApprovalStatus"] for event in world.events if event[0] == EVENT) == "Approved"


def test_a_stage_is_listed_told_and_hides_who_changed_the_package_before(world):
    package = register(world, ModelLifeCycle={"Stage": "Staging", "StageStatus": "Waiting"})
    with acting_as("arn:aws:iam::123456789012:role/Approver"):
        world.sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    world.pass_minutes(5)
    world.events.clear()
    before, shown = describe(world, package), {"Stage": "Production", "StageStatus": "Serving"}
    world.sagemaker.update_model_package(ModelPackageArn=package, ModelLifeCycle=shown)
    after = describe(world, package)
    assert (before["ModelLifeCycle"]["Stage"], after["ModelLifeCycle"]) == ("Staging", shown)
    assert [found["LastModifiedBy"]["IamIdentity"]["Arn"].split("/")[1] for found in (before, after)] == [
        "Approver",
        "Administrator",
    ]
    assert after["LastModifiedTime"] > before["LastModifiedTime"]
    (listed,) = world.sagemaker.list_model_packages(ModelPackageGroupName="hotels")["ModelPackageSummaryList"]
    assert listed["ModelLifeCycle"] == shown
    world.pass_minutes(1)
    detail = next(event[1] for event in world.events if event[0] == EVENT)
    assert (detail["UpdatedModelPackageFields"], detail["ModelLifeCycle"]) == (["ModelLifeCycle"], shown)
    assert detail["ModelApprovalStatus"] == "Approved"


@pytest.mark.parametrize(
    "wrong", [{"Stage": "in production"}, {"StageStatus": "-"}, {"Stage": "x" * 64}, {"StageDescription": "x" * 1025}]
)
def test_a_stage_whose_name_sagemaker_does_not_take_is_refused(world, wrong):
    package = register(world)
    with pytest.raises(ClientError, match="ValidationException"):
        world.sagemaker.update_model_package(
            ModelPackageArn=package, ModelLifeCycle={"Stage": "Staging", "StageStatus": "Waiting", **wrong}
        )
    assert "ModelLifeCycle" not in describe(world, package)


def test_some_updates_are_told_twice(world):
    package = register(world)
    world.pass_minutes(1)
    world.events.clear()
    for number in range(30):
        world.sagemaker.update_model_package(ModelPackageArn=package, CustomerMetadataProperties={"n": str(number)})
        world.pass_minutes(1)
    assert 33 <= len([event for event in world.events if event[0] == EVENT]) <= 50


def test_a_repeated_token_answers_with_the_first_package(world):
    first = register(world, ClientToken="token-1")
    assert register(world, ClientToken="token-1") == first
    assert register(world, ClientToken="token-2") != first
    with pytest.raises(ClientError, match="other parameters"):
        register(world, ClientToken="token-1", ModelPackageDescription="another")


@pytest.mark.parametrize(
    "properties",
    [
        {f"key-{number}": "value" for number in range(51)},
        {"reason": '{"auc": 0.8}'},
        {"reason": "lost, and found"},
        {"k" * 129: "value"},
        {"reason": "v" * 257},
    ],
)
def test_customer_metadata_is_validated(world, properties):
    with pytest.raises(ClientError) as raised:
        register(world, CustomerMetadataProperties=properties)
    assert raised.value.response["Error"]["Code"] == "ValidationException"
    package = register(world, CustomerMetadataProperties={})
    with pytest.raises(ClientError):
        world.sagemaker.update_model_package(ModelPackageArn=package, CustomerMetadataProperties=properties)


def test_packages_are_listed_by_status_and_in_order(world):
    packages = []
    for _ in range(3):
        packages.append(register(world))
        world.pass_minutes(1)
    world.sagemaker.update_model_package(ModelPackageArn=packages[1], ModelApprovalStatus="Approved")

    def listed(**request):
        answer = world.sagemaker.list_model_packages(ModelPackageGroupName="hotels", **request)
        return [each["ModelPackageArn"] for each in answer["ModelPackageSummaryList"]]

    assert listed() == packages
    assert listed(SortBy="CreationTime", SortOrder="Descending") == packages[::-1]
    assert listed(ModelApprovalStatus="Approved") == [packages[1]]
    pages = world.sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName="hotels", PaginationConfig={"PageSize": 2}
    )
    assert [len(page["ModelPackageSummaryList"]) for page in pages] == [2, 1]


def test_a_deleted_package_is_gone_and_its_number_is_not_given_again(world):
    package = register(world)
    world.sagemaker.delete_model_package(ModelPackageName=package)
    with pytest.raises(ClientError, match="does not exist") as raised:
        describe(world, package)
    assert raised.value.response["Error"]["Code"] == "ValidationException"
    assert register(world).endswith("/2")


def test_unknown_groups_and_packages_are_refused(world):
    with pytest.raises(ClientError, match="does not exist"):
        register(world, group="nobody")
    with pytest.raises(ClientError, match="does not exist"):
        world.sagemaker.update_model_package(ModelPackageArn="arn:nobody", ModelApprovalStatus="Approved")
    with pytest.raises(ClientError, match="already exists"):
        world.sagemaker.create_model_package_group(ModelPackageGroupName="hotels")
    with pytest.raises(ClientError, match="enum value set"):
        register(world, ModelApprovalStatus="Perhaps")


def test_only_an_approved_package_becomes_a_model(world):
    package = register(world)
    request = {
        "ModelName": "released",
        "ExecutionRoleArn": world.role,
        "PrimaryContainer": {"ModelPackageName": package},
    }
    with pytest.raises(ClientError, match="PendingManualApproval"):
        world.sagemaker.create_model(**request)
    world.sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    world.sagemaker.create_model(**request)
    world.make_config("config-1", "released")
    world.make_endpoint()
    assert world.answer("1") == "2.0"


def test_a_read_that_is_behind_answers_what_was_before_the_update(world):
    package = register(world)
    world.account.model_registry.read_lag = timedelta(minutes=2)
    world.sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    before = describe(world, package)
    assert (before["ModelApprovalStatus"], before["LastModifiedTime"]) == ("PendingManualApproval", START)
    world.pass_minutes(3)
    assert describe(world, package)["ModelApprovalStatus"] == "Approved"


def test_a_package_takes_its_groups_tags_and_none_of_its_own(world):
    with pytest.raises(ClientError, match="Tags cannot be given"):
        register(world, Tags=[{"Key": "k", "Value": "v"}])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "not valid JSON"),
        ('{"model_package_details": {}}', "model_package_details"),
        ('{"model_overview": {"model_owner": "me"}}', "model_overview.model_owner"),
        ('{"training_details": {"training_observations": "%s"}}' % ("x" * 2097), "too long"),
    ],
)
def test_a_model_card_that_a_package_cannot_have_is_refused(world, content, problem):
    with pytest.raises(ClientError, match=problem):
        register(world, ModelCard={"ModelCardContent": content, "ModelCardStatus": "Draft"})
