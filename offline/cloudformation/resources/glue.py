"""AWS::Glue::Database."""

from __future__ import annotations

from typing import Any

from offline.cloudformation.resources.model import Made, Making, ResourceType


def database(making: Making, properties: dict[str, Any]) -> Made:
    """Make a database of the account's own catalogue."""
    given = properties["DatabaseInput"]
    name = given.get("Name") or making.name(255, lower=True)
    making.client("glue").create_database(CatalogId=properties["CatalogId"], DatabaseInput={**given, "Name": name})
    return Made(name)


def update_database(making: Making, made: Made, _old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Change what a database says of itself."""
    given = {**new["DatabaseInput"], "Name": made.reference}
    making.client("glue").update_database(CatalogId=new["CatalogId"], Name=made.reference, DatabaseInput=given)
    return made


def delete_database(making: Making, made: Made, properties: dict[str, Any]) -> None:
    """Delete a database."""
    making.client("glue").delete_database(CatalogId=properties["CatalogId"], Name=made.reference)


TYPES = (
    ResourceType(
        "AWS::Glue::Database",
        "CatalogId DatabaseInput.Name DatabaseInput.Description",
        database,
        delete_database,
        update=update_database,
        replaced_by="CatalogId",
        named_by="DatabaseInput.Name",
    ),
)
