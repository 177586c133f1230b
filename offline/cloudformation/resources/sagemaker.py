"""AWS::SageMaker::ModelPackageGroup: the shelf on which a model's versions stand."""

from __future__ import annotations

from typing import Any

from offline.cloudformation.resource_type import Made, Making, ResourceType, only, tags, text


def model_package_group(making: Making, properties: dict[str, Any]) -> Made:
    """Make a model package group."""
    arn = making.client("sagemaker").create_model_package_group(
        **only(properties, "ModelPackageGroupName", "ModelPackageGroupDescription"), Tags=tags(properties)
    )["ModelPackageGroupArn"]
    _put_policy(making, properties)
    return Made(arn, {"ModelPackageGroupArn": arn, "ModelPackageGroupStatus": "Completed"})


def update_model_package_group(making: Making, made: Made, _old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Give a group its new policy."""
    _put_policy(making, new)
    return made


def _put_policy(making: Making, properties: dict[str, Any]) -> None:
    # moto's groups have no policies: `offline.iam.resources` reads it here.
    group = making.region.backend("sagemaker").model_package_groups[properties["ModelPackageGroupName"]]
    policy = properties.get("ModelPackageGroupPolicy")
    group.resource_policy = text(policy) if policy else None


def delete_model_package_group(making: Making, _made: Made, properties: dict[str, Any]) -> None:
    """Delete a model package group, which must be empty."""
    making.client("sagemaker").delete_model_package_group(ModelPackageGroupName=properties["ModelPackageGroupName"])


TYPES = (
    ResourceType(
        "AWS::SageMaker::ModelPackageGroup",
        "ModelPackageGroupName ModelPackageGroupDescription ModelPackageGroupPolicy.* Tags.*",
        model_package_group,
        delete_model_package_group,
        update=update_model_package_group,
        replaced_by="ModelPackageGroupDescription Tags",
        named_by="ModelPackageGroupName",
    ),
)
