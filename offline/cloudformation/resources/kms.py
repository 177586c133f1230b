"""AWS::KMS::Key and AWS::KMS::Alias."""

from __future__ import annotations

from typing import Any

from offline.cloudformation.resource_type import Made, Making, ResourceType, flag, refuse, text


def key(making: Making, properties: dict[str, Any]) -> Made:
    """Make a key; rotation is recorded."""
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


def update_key(making: Making, made: Made, old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Change a key's policy, description, rotation or state; what it is cannot change."""
    kms, key_id = making.client("kms"), made.reference
    refuse(making, old, new, "KeySpec", "KeyUsage", "MultiRegion")
    kms.put_key_policy(KeyId=key_id, PolicyName="default", Policy=text(new["KeyPolicy"]))
    kms.update_key_description(KeyId=key_id, Description=new.get("Description", ""))
    rotation = flag(new.get("EnableKeyRotation", False))
    (kms.enable_key_rotation if rotation else kms.disable_key_rotation)(KeyId=key_id)
    enabled = flag(new.get("Enabled", True))
    (kms.enable_key if enabled else kms.disable_key)(KeyId=key_id)
    return made


def delete_key(making: Making, made: Made, properties: dict[str, Any]) -> None:
    """Plan a key's end; until then it cannot be used."""
    making.client("kms").schedule_key_deletion(
        KeyId=made.reference, PendingWindowInDays=int(properties.get("PendingWindowInDays", 30))
    )


def update_alias(making: Making, made: Made, _old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Let an alias stand for another key."""
    making.client("kms").update_alias(AliasName=made.reference, TargetKeyId=new["TargetKeyId"])
    return made


def delete_alias(making: Making, made: Made, _properties: dict[str, Any]) -> None:
    """Delete an alias; its key stays."""
    making.client("kms").delete_alias(AliasName=made.reference)


def alias(making: Making, properties: dict[str, Any]) -> Made:
    """Make an alias of a key."""
    making.client("kms").create_alias(AliasName=properties["AliasName"], TargetKeyId=properties["TargetKeyId"])
    return Made(properties["AliasName"])


TYPES = (
    ResourceType(
        "AWS::KMS::Key",
        "KeyPolicy.* Description EnableKeyRotation Enabled KeySpec KeyUsage MultiRegion PendingWindowInDays"
        " RotationPeriodInDays Tags.*",
        key,
        delete_key,
        update=update_key,
    ),
    ResourceType(
        "AWS::KMS::Alias", "AliasName TargetKeyId", alias, delete_alias, update=update_alias, named_by="AliasName"
    ),
)
