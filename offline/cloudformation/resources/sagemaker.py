"""AWS::SageMaker::ModelPackageGroup: the shelf on which a model's versions stand."""

from __future__ import annotations

from typing import Any

from offline.cloudformation.resource_type import Made, Making, ResourceType, only, tags


def model_package_group(making: Making, properties: dict[str, Any]) -> Made:
    """Make a model package group."""
    arn = making.client("sagemaker").create_model_package_group(
        **only(properties, "ModelPackageGroupName", "ModelPackageGroupDescription"), Tags=tags(properties)
    )["ModelPackageGroupArn"]
    return Made(arn, {"ModelPackageGroupArn": arn, "ModelPackageGroupStatus": "Completed"})


def delete_model_package_group(making: Making, _made: Made, properties: dict[str, Any]) -> None:
    """Delete a model package group, which must be empty."""
    making.client("sagemaker").delete_model_package_group(ModelPackageGroupName=properties["ModelPackageGroupName"])


TYPES = (
    ResourceType(
        "AWS::SageMaker::ModelPackageGroup",
        "ModelPackageGroupName ModelPackageGroupDescription Tags.*",
        model_package_group,
        delete_model_package_group,
        named_by="ModelPackageGroupName",
    ),
)
