"""AWS::SSM::Parameter."""

from __future__ import annotations

from typing import Any

from offline.cloudformation.resource_type import Made, Making, ResourceType, by_creating, only


def parameter(making: Making, properties: dict[str, Any]) -> Made:
    """Store a parameter."""
    name = properties.get("Name") or making.name(1011)
    making.client("ssm").put_parameter(
        Name=name, Overwrite=True, **only(properties, "Value", "Type", "Description", "Tier")
    )
    return Made(name, {"Type": properties["Type"], "Value": properties["Value"]})


def delete_parameter(making: Making, made: Made, _properties: dict[str, Any]) -> None:
    """Delete a parameter."""
    making.client("ssm").delete_parameter(Name=made.reference)


def parameter_exists(making: Making, name: str) -> bool:
    """Tell whether a parameter has the name: PutParameter would overwrite it."""
    return bool(making.client("ssm").get_parameters(Names=[name])["Parameters"])


TYPES = (
    ResourceType(
        "AWS::SSM::Parameter",
        "Name Type Value Description Tier",
        parameter,
        delete_parameter,
        update=by_creating(parameter),
        named_by="Name",
        exists=parameter_exists,
    ),
)
