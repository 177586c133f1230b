"""AWS::Athena::WorkGroup and the AWS::Glue::Database that it reads; metrics and the limit of scanned bytes have no effect."""

from __future__ import annotations

from typing import Any

from offline.cloudformation.resources.model import Made, Making, ResourceType, flag, tags


def work_group(making: Making, properties: dict[str, Any]) -> Made:
    """Make a workgroup."""
    name = properties["Name"]
    configuration = dict(properties.get("WorkGroupConfiguration", {}))
    making.client("athena").create_work_group(
        Name=name,
        Configuration=configuration,
        Description=properties.get("Description", ""),
        Tags=tags(properties),
    )
    return Made(name)


def update_work_group(making: Making, made: Made, _old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Change a workgroup; moto has no UpdateWorkGroup."""
    group = making.region.backend("athena").work_groups[made.reference]
    group.configuration, group.description = dict(new.get("WorkGroupConfiguration", {})), new.get("Description", "")
    return made


def delete_work_group(making: Making, made: Made, properties: dict[str, Any]) -> None:
    """Delete a workgroup; with queries in its history only where the template says so."""
    making.client("athena").delete_work_group(
        WorkGroup=made.reference, RecursiveDeleteOption=flag(properties.get("RecursiveDeleteOption", False))
    )


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
    ResourceType(
        "AWS::Athena::WorkGroup",
        """
        Name Description RecursiveDeleteOption Tags.Key Tags.Value
        WorkGroupConfiguration.BytesScannedCutoffPerQuery
        WorkGroupConfiguration.EnforceWorkGroupConfiguration
        WorkGroupConfiguration.PublishCloudWatchMetricsEnabled
        WorkGroupConfiguration.ResultConfiguration.OutputLocation
        WorkGroupConfiguration.ResultConfiguration.EncryptionConfiguration.EncryptionOption
        WorkGroupConfiguration.ResultConfiguration.EncryptionConfiguration.KmsKey
        """,
        work_group,
        delete_work_group,
        update=update_work_group,
        named_by="Name",
    ),
)
