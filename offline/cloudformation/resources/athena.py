"""AWS::Athena::NamedQuery and AWS::Athena::WorkGroup; a workgroup's metrics and its limit of bytes have no effect."""

from __future__ import annotations

from typing import Any

from offline.cloudformation.resource_type import Made, Making, ResourceType, flag, tags


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


def named_query(making: Making, properties: dict[str, Any]) -> Made:
    """Keep a query by name."""
    answer = making.client("athena").create_named_query(
        Name=properties["Name"],
        Database=properties["Database"],
        QueryString=properties["QueryString"],
        Description=properties.get("Description", ""),
        WorkGroup=properties.get("WorkGroup", "primary"),
    )
    return Made(answer["NamedQueryId"])


def delete_named_query(making: Making, made: Made, _properties: dict[str, Any]) -> None:
    """Forget a query; moto has no DeleteNamedQuery."""
    making.region.backend("athena").named_queries.pop(made.reference)


TYPES = (
    ResourceType(
        "AWS::Athena::NamedQuery",
        "Name Description Database QueryString WorkGroup",
        named_query,
        delete_named_query,
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
