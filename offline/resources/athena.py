"""AWS::Athena::WorkGroup; its metrics and its limit of scanned bytes are recorded and otherwise without effect."""

from __future__ import annotations

from typing import Any

from offline.resources.model import Made, Making, resource_type, tags


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


TYPES = (
    resource_type(
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
    ),
)
