"""AWS::CloudFormation::WaitConditionHandle."""

from __future__ import annotations

from typing import Any

from offline.cloudformation.resource_type import Made, Making, ResourceType, nothing_to_delete


def wait_condition_handle(making: Making, _properties: dict[str, Any]) -> Made:
    """Name the address that a signal would be sent to; nobody waits for one."""
    region = making.region.name
    return Made(f"https://cloudformation-waitcondition-{region}.s3.{region}.amazonaws.com/{making.name()}")


TYPES = (ResourceType("AWS::CloudFormation::WaitConditionHandle", "", wait_condition_handle, nothing_to_delete),)
