"""AWS::Logs::LogGroup and AWS::Logs::LogStream."""

from __future__ import annotations

from typing import Any

from offline.cloudformation.resource_type import Made, Making, ResourceType, only, refuse, tags


def log_group(making: Making, properties: dict[str, Any]) -> Made:
    """Make a log group with its retention and its key."""
    logs = making.client("logs")
    name = properties.get("LogGroupName") or making.name(512)
    key = {"kmsKeyId": properties["KmsKeyId"]} if "KmsKeyId" in properties else {}
    if key:
        # CloudWatch Logs tries the key when it is given one, and says for which group.
        group = {"kms:encryptioncontext:aws:logs:arn": making.arn("logs", f"log-group:{name}")}
        service = f"logs.{making.region.name}.amazonaws.com"
        for action in ("Encrypt", "GenerateDataKey", "Decrypt"):
            making.guard.require_service(service, f"kms:{action}", key["kmsKeyId"], context=group)
    named = {tag["Key"]: tag["Value"] for tag in tags(properties)}
    logs.create_log_group(logGroupName=name, **key, **({"tags": named} if named else {}))
    if days := only(properties, "RetentionInDays"):
        logs.put_retention_policy(logGroupName=name, retentionInDays=int(days["RetentionInDays"]))
    return Made(name, {"Arn": making.arn("logs", f"log-group:{name}:*")})


def update_log_group(making: Making, made: Made, old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Change a log group's retention; its lines stay."""
    logs, name = making.client("logs"), made.reference
    refuse(making, old, new, "LogGroupClass", "KmsKeyId")
    if "RetentionInDays" in new:
        logs.put_retention_policy(logGroupName=name, retentionInDays=int(new["RetentionInDays"]))
    else:
        logs.delete_retention_policy(logGroupName=name)
    return made


def delete_log_group(making: Making, made: Made, _properties: dict[str, Any]) -> None:
    """Delete a log group with its lines."""
    making.client("logs").delete_log_group(logGroupName=made.reference)


def log_stream(making: Making, properties: dict[str, Any]) -> Made:
    """Make a log stream in its group."""
    group, name = properties["LogGroupName"], properties.get("LogStreamName") or making.name(512)
    making.client("logs").create_log_stream(logGroupName=group, logStreamName=name)
    return Made(name)


def delete_log_stream(making: Making, made: Made, properties: dict[str, Any]) -> None:
    """Delete a log stream with its lines."""
    making.client("logs").delete_log_stream(logGroupName=properties["LogGroupName"], logStreamName=made.reference)


TYPES = (
    ResourceType(
        "AWS::Logs::LogStream",
        "LogGroupName LogStreamName",
        log_stream,
        delete_log_stream,
        replaced_by="LogGroupName",
        named_by="LogStreamName",
    ),
    ResourceType(
        "AWS::Logs::LogGroup",
        "LogGroupName RetentionInDays KmsKeyId LogGroupClass Tags.*",
        log_group,
        delete_log_group,
        update=update_log_group,
        named_by="LogGroupName",
    ),
)
