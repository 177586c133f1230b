"""AWS::Glue::Database and AWS::Glue::Table."""

from __future__ import annotations

from typing import Any

from offline.cloudformation.resource_type import Made, Making, ResourceType


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


def table(making: Making, properties: dict[str, Any]) -> Made:
    """Make a table or a view of a database."""
    given = _typed(properties["TableInput"])
    making.client("glue").create_table(
        CatalogId=properties["CatalogId"], DatabaseName=properties["DatabaseName"], TableInput=given
    )
    return Made(given["Name"])


def update_table(making: Making, made: Made, _old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Change what a table says: its columns, its partitions, a view's SQL."""
    making.client("glue").update_table(
        CatalogId=new["CatalogId"], DatabaseName=new["DatabaseName"], TableInput=_typed(new["TableInput"])
    )
    return made


def delete_table(making: Making, made: Made, properties: dict[str, Any]) -> None:
    """Delete a table; the objects that it describes stay."""
    making.client("glue").delete_table(
        CatalogId=properties["CatalogId"], DatabaseName=properties["DatabaseName"], Name=made.reference
    )


def _typed(given: dict[str, Any]) -> dict[str, Any]:
    """Glue's own limits, which moto does not check: names in lower case, and no column twice."""
    columns = [*given.get("PartitionKeys", []), *given["StorageDescriptor"]["Columns"]]
    names = [column["Name"] for column in columns]
    if [name.lower() for name in [given["Name"], *names]] != [given["Name"], *names] or len(set(names)) < len(names):
        raise ValueError(f"Glue refuses table {given['Name']}: names must be in lower case, and each column stand once")
    return given


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
    ResourceType(
        "AWS::Glue::Table",
        """
        CatalogId DatabaseName TableInput.Name TableInput.Description TableInput.TableType
        TableInput.ViewOriginalText TableInput.ViewExpandedText
        TableInput.PartitionKeys.Name TableInput.PartitionKeys.Type TableInput.Parameters.*
        TableInput.StorageDescriptor.Columns.Name TableInput.StorageDescriptor.Columns.Type
        TableInput.StorageDescriptor.Location TableInput.StorageDescriptor.InputFormat
        TableInput.StorageDescriptor.OutputFormat TableInput.StorageDescriptor.SerdeInfo.SerializationLibrary
        """,
        table,
        delete_table,
        update=update_table,
        replaced_by="CatalogId DatabaseName",
        named_by="TableInput.Name",
    ),
)
