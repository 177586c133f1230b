"""AWS::Glue::Database."""

from __future__ import annotations

from typing import Any

from offline.resources.model import Made, Making, resource_type


def database(making: Making, properties: dict[str, Any]) -> Made:
    """Make a database of the account's own catalogue."""
    given = properties["DatabaseInput"]
    name = given.get("Name") or making.name(255, lower=True)
    making.client("glue").create_database(CatalogId=properties["CatalogId"], DatabaseInput={**given, "Name": name})
    return Made(name)


TYPES = (
    resource_type(
        "AWS::Glue::Database",
        "CatalogId DatabaseInput.Name DatabaseInput.Description",
        database,
    ),
)
