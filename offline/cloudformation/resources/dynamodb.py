"""AWS::DynamoDB::Table."""

from __future__ import annotations

from typing import Any

from offline.cloudformation.resource_type import Made, Making, ResourceType, flag, only, refuse, tags


def table(making: Making, properties: dict[str, Any]) -> Made:
    """Make a table with its time to live and its backups."""
    dynamodb = making.client("dynamodb")
    name = properties.get("TableName") or making.name(255)
    request = only(
        properties,
        "KeySchema",
        "AttributeDefinitions",
        "BillingMode",
        "ProvisionedThroughput",
        "GlobalSecondaryIndexes",
        "StreamSpecification",
        "TableClass",
    )
    if encryption := properties.get("SSESpecification"):
        request["SSESpecification"] = _encryption(encryption)
    if flag(properties.get("DeletionProtectionEnabled", False)):
        request["DeletionProtectionEnabled"] = True
    made = dynamodb.create_table(TableName=name, Tags=tags(properties), **request)["TableDescription"]
    if lifetime := properties.get("TimeToLiveSpecification"):
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=lifetime)
    if recovery := properties.get("PointInTimeRecoverySpecification"):
        dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=recovery)
    attributes = {"Arn": made["TableArn"]}
    if "LatestStreamArn" in made:
        attributes["StreamArn"] = made["LatestStreamArn"]
    return Made(name, attributes)


def update_table(making: Making, made: Made, old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Change a table where it stands; its items stay."""
    dynamodb, name = making.client("dynamodb"), made.reference
    request = _changed(new, old, "BillingMode", "ProvisionedThroughput", "StreamSpecification", "TableClass")
    if _changed(new, old, "SSESpecification"):
        request["SSESpecification"] = _encryption(new["SSESpecification"])
    if _changed(new, old, "DeletionProtectionEnabled"):
        request["DeletionProtectionEnabled"] = flag(new["DeletionProtectionEnabled"])
    if request:
        dynamodb.update_table(TableName=name, **request)
    if _changed(new, old, "TimeToLiveSpecification"):
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=new["TimeToLiveSpecification"])
    if recovery := _changed(new, old, "PointInTimeRecoverySpecification"):
        dynamodb.update_continuous_backups(TableName=name, **recovery)
    refuse(making, old, new, "AttributeDefinitions", "GlobalSecondaryIndexes")
    return made


def _changed(new: dict[str, Any], old: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: new[name] for name in names if name in new and new[name] != old.get(name)}


def delete_table(making: Making, made: Made, _properties: dict[str, Any]) -> None:
    """Delete a table with all that it holds."""
    making.client("dynamodb").delete_table(TableName=made.reference)


def _encryption(given: dict[str, Any]) -> dict[str, Any]:
    # CloudFormation says SSEEnabled where the API says Enabled.
    return {"Enabled": flag(given["SSEEnabled"]), **only(given, "SSEType", "KMSMasterKeyId")}


TYPES = (
    ResourceType(
        "AWS::DynamoDB::Table",
        "TableName KeySchema.AttributeName KeySchema.KeyType AttributeDefinitions.AttributeName"
        " AttributeDefinitions.AttributeType BillingMode ProvisionedThroughput.ReadCapacityUnits"
        " ProvisionedThroughput.WriteCapacityUnits SSESpecification.SSEEnabled SSESpecification.SSEType"
        " SSESpecification.KMSMasterKeyId TimeToLiveSpecification.AttributeName TimeToLiveSpecification.Enabled"
        " PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled"
        " PointInTimeRecoverySpecification.RecoveryPeriodInDays DeletionProtectionEnabled TableClass"
        " StreamSpecification.StreamViewType GlobalSecondaryIndexes.* Tags.*",
        table,
        delete_table,
        update=update_table,
        replaced_by="KeySchema",
        named_by="TableName",
    ),
)
