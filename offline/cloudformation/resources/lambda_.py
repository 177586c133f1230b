"""AWS::Lambda::Function, LayerVersion, Permission, EventSourceMapping and EventInvokeConfig."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from offline.cloudformation.resource_type import Made, Making, ResourceType, by_creating, flag, only, refuse, tags
from offline.iam.actions import Need

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
    "VpcConfig",
)
# Lambda tries them as the role before it takes a function into a VPC.
INTERFACES = ("CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface")
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
    making.guard.require_trust(properties["Role"], "lambda.amazonaws.com")
    _check_size(making, properties)
    _check_interfaces(making, properties)
    client = making.client("lambda")
    name = properties.get("FunctionName") or making.name(64)
    request = only(properties, *FUNCTION)
    request |= {key: int(properties[key]) for key in ("Timeout", "MemorySize") if key in properties}
    request["Tags"] = {tag["Key"]: tag["Value"] for tag in tags(properties)}
    made = client.create_function(FunctionName=name, PackageType="Zip", **request)
    _reserve(making, name, properties)
    _register(making, name, properties)
    return Made(name, {"Arn": made["FunctionArn"]})


def update_function(making: Making, made: Made, old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Give a function its new code and configuration; the next invocation is a cold start."""
    making.guard.require_trust(new["Role"], "lambda.amazonaws.com")
    _check_size(making, new)
    _check_interfaces(making, new)
    client, name = making.client("lambda"), made.reference
    refuse(making, old, new, "Architectures")
    if new["Code"] != old["Code"]:
        client.update_function_code(FunctionName=name, **only(new["Code"], "S3Bucket", "S3Key"))
    empty = {"Description": "", "Environment": {"Variables": {}}, "Layers": [], "MemorySize": 128, "Timeout": 3}
    empty |= {"VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}} if "VpcConfig" in old else {}
    request = empty | only(new, *(key for key in FUNCTION if key not in ("Architectures", "Code")))
    request |= {key: int(request[key]) for key in ("Timeout", "MemorySize")}
    client.update_function_configuration(FunctionName=name, **request)
    if "ReservedConcurrentExecutions" in old:
        client.delete_function_concurrency(FunctionName=name)
    _reserve(making, name, new)
    _register(making, name, new)
    return made


def delete_function(making: Making, made: Made, _properties: dict[str, Any]) -> None:
    """Delete a function."""
    making.client("lambda").delete_function(FunctionName=made.reference)


def _reserve(making: Making, name: str, properties: dict[str, Any]) -> None:
    if "ReservedConcurrentExecutions" in properties:
        making.client("lambda").put_function_concurrency(
            FunctionName=name, ReservedConcurrentExecutions=int(properties["ReservedConcurrentExecutions"])
        )


def _register(making: Making, name: str, properties: dict[str, Any]) -> None:
    making.functions.register(name, properties, _asset(making, properties["Code"]))


def _asset(making: Making, content: dict[str, Any]) -> Path | None:
    return making.assets.get((content.get("S3Bucket", ""), content.get("S3Key", "")))


def _check_size(making: Making, properties: dict[str, Any]) -> None:
    if (code := _asset(making, properties["Code"])) is not None:
        making.functions.layers.check(code, properties.get("Layers", ()))


def _check_interfaces(making: Making, properties: dict[str, Any]) -> None:
    if not properties.get("VpcConfig", {}).get("SubnetIds"):
        return
    for action in INTERFACES:
        if making.guard.reason_to_deny(properties["Role"], Need(f"ec2:{action}", "*")) is not None:
            raise ValueError(f"The provided execution role does not have permissions to call {action} on EC2")


def layer_version(making: Making, properties: dict[str, Any]) -> Made:
    """Publish a layer from its staged asset."""
    asset = _asset(making, properties["Content"])
    if asset is not None:
        making.functions.layers.check_alone(asset)
    made = making.client("lambda").publish_layer_version(
        LayerName=properties.get("LayerName") or making.name(64),
        **only(properties, "Content", "Description", "CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo"),
    )
    if asset is not None:
        making.functions.layers.register(made["LayerVersionArn"], asset)
    return Made(made["LayerVersionArn"], {"LayerVersionArn": made["LayerVersionArn"]})


def delete_layer_version(making: Making, made: Made, _properties: dict[str, Any]) -> None:
    """Delete a layer's version; functions that have it keep it."""
    layer, _, version = made.reference.rpartition(":")
    making.client("lambda").delete_layer_version(LayerName=layer.rpartition(":")[2], VersionNumber=int(version))


def permission(making: Making, properties: dict[str, Any]) -> Made:
    """Let a service invoke a function."""
    statement = making.name(100)
    making.client("lambda").add_permission(
        StatementId=statement, **only(properties, "FunctionName", "Action", "Principal", "SourceArn", "SourceAccount")
    )
    return Made(statement, {"Id": statement})


def delete_permission(making: Making, made: Made, properties: dict[str, Any]) -> None:
    """Let a service invoke a function no more."""
    making.client("lambda").remove_permission(FunctionName=properties["FunctionName"], StatementId=made.reference)


def event_source_mapping(making: Making, properties: dict[str, Any]) -> Made:
    """Connect a queue to a function."""
    made = making.client("lambda").create_event_source_mapping(
        Enabled=flag(properties.get("Enabled", True)), **only(properties, *MAPPING)
    )
    return Made(made["UUID"], {"Id": made["UUID"]})


def update_event_source_mapping(making: Making, made: Made, old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Change how a queue is read."""
    refuse(making, old, new, "FunctionName", "ScalingConfig")
    request = {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0, "FunctionResponseTypes": []}
    request |= only(new, *(key for key in MAPPING if key not in ("EventSourceArn", "FunctionName", "ScalingConfig")))
    request["Enabled"] = flag(new.get("Enabled", True))
    making.client("lambda").update_event_source_mapping(UUID=made.reference, **request)
    return made


def delete_event_source_mapping(making: Making, made: Made, _properties: dict[str, Any]) -> None:
    """Read a queue no more."""
    making.client("lambda").delete_event_source_mapping(UUID=made.reference)


def delete_event_invoke_config(making: Making, _made: Made, properties: dict[str, Any]) -> None:
    """Go back to what holds for every function."""
    making.client("lambda").delete_function_event_invoke_config(FunctionName=properties["FunctionName"])


def event_invoke_config(making: Making, properties: dict[str, Any]) -> Made:
    """Say how often an asynchronous event is tried again, and where it goes when that was in vain."""
    request = only(properties, "FunctionName", "DestinationConfig")
    for key in ("MaximumEventAgeInSeconds", "MaximumRetryAttempts"):
        if key in properties:
            request[key] = int(properties[key])
    making.client("lambda").put_function_event_invoke_config(**request)
    return Made(making.name())


TYPES = (
    ResourceType(
        "AWS::Lambda::Function",
        "FunctionName Architectures Code.S3Bucket Code.S3Key Code.S3ObjectVersion DeadLetterConfig.TargetArn"
        " Description Environment.Variables.* EphemeralStorage.Size Handler Layers LoggingConfig.LogGroup"
        " LoggingConfig.LogFormat LoggingConfig.ApplicationLogLevel LoggingConfig.SystemLogLevel MemorySize"
        " ReservedConcurrentExecutions Role Runtime Tags.* Timeout TracingConfig.Mode"
        " VpcConfig.SubnetIds VpcConfig.SecurityGroupIds",
        function,
        delete_function,
        update=update_function,
        named_by="FunctionName",
    ),
    ResourceType(
        "AWS::Lambda::LayerVersion",
        "LayerName Content.S3Bucket Content.S3Key Description CompatibleRuntimes CompatibleArchitectures LicenseInfo",
        layer_version,
        delete_layer_version,
    ),
    ResourceType(
        "AWS::Lambda::Permission",
        "FunctionName Action Principal SourceArn SourceAccount",
        permission,
        delete_permission,
    ),
    ResourceType(
        "AWS::Lambda::EventSourceMapping",
        "BatchSize Enabled EventSourceArn FilterCriteria.Filters.Pattern FunctionName FunctionResponseTypes"
        " MaximumBatchingWindowInSeconds ScalingConfig.MaximumConcurrency Tags.*",
        event_source_mapping,
        delete_event_source_mapping,
        update=update_event_source_mapping,
        replaced_by="EventSourceArn",
    ),
    ResourceType(
        "AWS::Lambda::EventInvokeConfig",
        "FunctionName Qualifier MaximumEventAgeInSeconds MaximumRetryAttempts"
        " DestinationConfig.OnFailure.Destination DestinationConfig.OnSuccess.Destination",
        event_invoke_config,
        delete_event_invoke_config,
        update=by_creating(event_invoke_config),
        replaced_by="FunctionName Qualifier",
    ),
)
