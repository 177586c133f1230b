"""AWS::DynamoDB::Table."""

from __future__ import annotations

from typing import Any

from offline.resources.model import Made, Making, flag, only, resource_type, tags


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


def _encryption(given: dict[str, Any]) -> dict[str, Any]:
    # CloudFormation says SSEEnabled where the API says Enabled.
    return {"Enabled": flag(given["SSEEnabled"]), **only(given, "SSEType", "KMSMasterKeyId")}


TYPES = (
    resource_type(
        "AWS::DynamoDB::Table",
        "TableName KeySchema.AttributeName KeySchema.KeyType AttributeDefinitions.AttributeName"
        " AttributeDefinitions.AttributeType BillingMode ProvisionedThroughput.ReadCapacityUnits"
        " ProvisionedThroughput.WriteCapacityUnits SSESpecification.SSEEnabled SSESpecification.SSEType"
        " SSESpecification.KMSMasterKeyId TimeToLiveSpecification.AttributeName TimeToLiveSpecification.Enabled"
        " PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled"
        " PointInTimeRecoverySpecification.RecoveryPeriodInDays DeletionProtectionEnabled TableClass"
        " StreamSpecification.StreamViewType GlobalSecondaryIndexes.* Tags.*",
        table,
    ),
)
