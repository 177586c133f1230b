"""AWS::Lambda::Function, LayerVersion, Permission, EventSourceMapping and EventInvokeConfig."""

from __future__ import annotations

from typing import Any

from offline.resources.model import Made, Making, flag, only, resource_type, tags

FUNCTION = (
    "Architectures",
    "Code",
    "DeadLetterConfig",
    "Description",
    "Environment",
    "EphemeralStorage",
    "Handler",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "Role",
    "Runtime",
    "Timeout",
    "TracingConfig",
)
MAPPING = (
    "BatchSize",
    "EventSourceArn",
    "FilterCriteria",
    "FunctionName",
    "FunctionResponseTypes",
    "MaximumBatchingWindowInSeconds",
    "ScalingConfig",
)


def function(making: Making, properties: dict[str, Any]) -> Made:
    """Make a function from its staged asset."""
    making.account.iam.require_trust(properties["Role"], "lambda.amazonaws.com")
    client = making.client("lambda")
    name = properties.get("FunctionName") or making.name(64)
    request = only(properties, *FUNCTION)
    request |= {key: int(properties[key]) for key in ("Timeout", "MemorySize") if key in properties}
    request["Tags"] = {tag["Key"]: tag["Value"] for tag in tags(properties)}
    made = client.create_function(FunctionName=name, PackageType="Zip", **request)
    if "ReservedConcurrentExecutions" in properties:
        client.put_function_concurrency(
            FunctionName=name, ReservedConcurrentExecutions=int(properties["ReservedConcurrentExecutions"])
        )
    making.account.functions.register(
        name, properties, making.assets.get((properties["Code"].get("S3Bucket"), properties["Code"].get("S3Key")))
    )
    return Made(name, {"Arn": made["FunctionArn"]})


def layer_version(making: Making, properties: dict[str, Any]) -> Made:
    """Publish a layer; functions run against this process's own packages, so its content is not unpacked."""
    made = making.client("lambda").publish_layer_version(
        LayerName=properties.get("LayerName") or making.name(64),
        **only(properties, "Content", "Description", "CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo"),
    )
    return Made(made["LayerVersionArn"], {"LayerVersionArn": made["LayerVersionArn"]})


def permission(making: Making, properties: dict[str, Any]) -> Made:
    """Let a service invoke a function."""
    statement = making.name(100)
    making.client("lambda").add_permission(
        StatementId=statement, **only(properties, "FunctionName", "Action", "Principal", "SourceArn", "SourceAccount")
    )
    return Made(statement, {"Id": statement})


def event_source_mapping(making: Making, properties: dict[str, Any]) -> Made:
    """Connect a queue to a function."""
    made = making.client("lambda").create_event_source_mapping(
        Enabled=flag(properties.get("Enabled", True)), **only(properties, *MAPPING)
    )
    return Made(made["UUID"], {"Id": made["UUID"]})


def event_invoke_config(making: Making, properties: dict[str, Any]) -> Made:
    """Say how often an asynchronous event is tried again, and where it goes when that was in vain."""
    request = only(properties, "FunctionName", "DestinationConfig")
    for key in ("MaximumEventAgeInSeconds", "MaximumRetryAttempts"):
        if key in properties:
            request[key] = int(properties[key])
    making.client("lambda").put_function_event_invoke_config(**request)
    return Made(making.name())


TYPES = (
    resource_type(
        "AWS::Lambda::Function",
        "FunctionName Architectures Code.S3Bucket Code.S3Key Code.S3ObjectVersion DeadLetterConfig.TargetArn"
        " Description Environment.Variables.* EphemeralStorage.Size Handler Layers LoggingConfig.LogGroup"
        " LoggingConfig.LogFormat LoggingConfig.ApplicationLogLevel LoggingConfig.SystemLogLevel MemorySize"
        " ReservedConcurrentExecutions Role Runtime Tags.* Timeout TracingConfig.Mode",
        function,
    ),
    resource_type(
        "AWS::Lambda::LayerVersion",
        "LayerName Content.S3Bucket Content.S3Key Description CompatibleRuntimes CompatibleArchitectures LicenseInfo",
        layer_version,
    ),
    resource_type("AWS::Lambda::Permission", "FunctionName Action Principal SourceArn SourceAccount", permission),
    resource_type(
        "AWS::Lambda::EventSourceMapping",
        "BatchSize Enabled EventSourceArn FilterCriteria.Filters.Pattern FunctionName FunctionResponseTypes"
        " MaximumBatchingWindowInSeconds ScalingConfig.MaximumConcurrency Tags.*",
        event_source_mapping,
    ),
    resource_type(
        "AWS::Lambda::EventInvokeConfig",
        "FunctionName Qualifier MaximumEventAgeInSeconds MaximumRetryAttempts"
        " DestinationConfig.OnFailure.Destination DestinationConfig.OnSuccess.Destination",
        event_invoke_config,
    ),
)
