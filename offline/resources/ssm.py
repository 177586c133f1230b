"""AWS::SSM::Parameter."""

from __future__ import annotations

from typing import Any

from offline.resources.model import Made, Making, only, resource_type


def parameter(making: Making, properties: dict[str, Any]) -> Made:
    """Store a parameter."""
    name = properties.get("Name") or making.name(1011)
    making.client("ssm").put_parameter(
        Name=name, Overwrite=True, **only(properties, "Value", "Type", "Description", "Tier")
    )
    return Made(name, {"Type": properties["Type"], "Value": properties["Value"]})


TYPES = (resource_type("AWS::SSM::Parameter", "Name Type Value Description Tier", parameter),)
