"""AWS::Athena::WorkGroup; its metrics and its limit of scanned bytes are recorded and otherwise without effect."""

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


TYPES = (
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
