"""AWS::SageMaker::ModelPackageGroup: the shelf on which a model's versions stand."""

from __future__ import annotations

from typing import Any

from offline.resources.model import Made, Making, only, resource_type, tags


def model_package_group(making: Making, properties: dict[str, Any]) -> Made:
    """Make a model package group."""
    arn = making.client("sagemaker").create_model_package_group(
        **only(properties, "ModelPackageGroupName", "ModelPackageGroupDescription"), Tags=tags(properties)
    )["ModelPackageGroupArn"]
    return Made(arn, {"ModelPackageGroupArn": arn, "ModelPackageGroupStatus": "Completed"})


TYPES = (
    resource_type(
        "AWS::SageMaker::ModelPackageGroup",
        "ModelPackageGroupName ModelPackageGroupDescription Tags.*",
        model_package_group,
    ),
)
