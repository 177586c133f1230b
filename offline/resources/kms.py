"""AWS::KMS::Key and AWS::KMS::Alias."""

from __future__ import annotations

from typing import Any

from offline.resources.model import Made, Making, flag, resource_type, text


def key(making: Making, properties: dict[str, Any]) -> Made:
    """Make a key; rotation is recorded, the deletion window concerns deletion only."""
    kms = making.client("kms")
    made = kms.create_key(
        Policy=text(properties["KeyPolicy"]),
        Description=properties.get("Description", ""),
        KeyUsage=properties.get("KeyUsage", "ENCRYPT_DECRYPT"),
        KeySpec=properties.get("KeySpec", "SYMMETRIC_DEFAULT"),
        MultiRegion=flag(properties.get("MultiRegion", False)),
    )["KeyMetadata"]
    if flag(properties.get("EnableKeyRotation", False)):
        kms.enable_key_rotation(KeyId=made["KeyId"])
    if not flag(properties.get("Enabled", True)):
        kms.disable_key(KeyId=made["KeyId"])
    return Made(made["KeyId"], {"Arn": made["Arn"], "KeyId": made["KeyId"]})


def alias(making: Making, properties: dict[str, Any]) -> Made:
    """Make an alias of a key."""
    making.client("kms").create_alias(AliasName=properties["AliasName"], TargetKeyId=properties["TargetKeyId"])
    return Made(properties["AliasName"])


TYPES = (
    resource_type(
        "AWS::KMS::Key",
        "KeyPolicy.* Description EnableKeyRotation Enabled KeySpec KeyUsage MultiRegion PendingWindowInDays"
        " RotationPeriodInDays Tags.*",
        key,
    ),
    resource_type("AWS::KMS::Alias", "AliasName TargetKeyId", alias),
)
