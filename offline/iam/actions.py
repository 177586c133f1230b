"""What each API operation asks of IAM: which action, on which resource, under which condition keys.

From the Service Authorization Reference (https://docs.aws.amazon.com/service-authorization/latest/reference/).
An operation that is not listed fails loudly when a role calls it, so that this map stays honest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from offline.region import Region

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Need:
    """One permission that a call needs."""

    action: str
    resource: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Needs:
    """What an operation needs: `actions` on every call, and `of` a call's parameters each with its resource."""

    actions: tuple[str, ...]
    of: Callable[[Params, Region], list[Need]]


def needing(*actions: str) -> Callable[[Callable[[Params, Region], list[Need]]], Needs]:
    """Make a function over a call's parameters the needs of an operation that always asks for these actions."""
    return lambda of: Needs(actions, of)


def on(action: str, service: str, template: str, **keys: str) -> Needs:
    """Need an action on one resource, named by a template over the call's parameters."""

    @needing(action)
    def needs(params: Params, region: Region) -> list[Need]:
        return [Need(action, _arn(service, template, params, region), facts(keys, params))]

    return needs


def anywhere(action: str, **keys: str) -> Needs:
    """Need an action that knows no resource."""
    return Needs((action,), lambda params, _region: [Need(action, "*", facts(keys, params))])


def both(*parts: Needs) -> Needs:
    """Need all of several."""
    always = tuple(dict.fromkeys(action for part in parts for action in part.actions))
    return Needs(always, lambda params, region: [need for part in parts for need in part.of(params, region)])


def passing(parameter: str, service: str) -> Needs:
    """Need to pass the role that a parameter names (dots lead into structures), if it names one."""

    @needing()
    def needs(params: Params, _region: Region) -> list[Need]:
        role = at(params, parameter)
        return [Need("iam:PassRole", role, {"iam:passedtoservice": service})] if role else []

    return needs


def when(parameter: str, then: Needs) -> Needs:
    """Need something only if the call carries a parameter."""
    return Needs((), lambda params, region: then.of(params, region) if at(params, parameter) else [])


NOTHING = Needs((), lambda _params, _region: [])


def at(params: Params, path: str) -> Any:
    """Return the parameter that a path leads to, or None."""
    value: Any = params
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def facts(paths: Mapping[str, str], params: Params) -> dict[str, Any]:
    """Return the condition keys (`__` for a colon) that a call's parameters give a value to."""
    named = {key.replace("__", ":").lower(): at(params, path) for key, path in paths.items()}
    return {key: value for key, value in named.items() if value is not None}


def _arn(service: str, template: str, params: Params, region: Region) -> str:
    resource = template.format_map(_Empty(params))
    given = resource.rsplit("/", 1)[-1] if not resource.startswith("arn:") else resource
    if "arn:" in resource:
        # The parameter held the whole ARN already.
        return resource[resource.index("arn:") :]
    return region.arn(service, resource) if given else "*"


class _Empty(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return ""


def _dynamodb(action: str) -> Needs:
    @needing(f"dynamodb:{action}")
    def needs(params: Params, region: Region) -> list[Need]:
        table = _arn("dynamodb", "table/{TableName}", params, region)
        index = params.get("IndexName")
        return [Need(f"dynamodb:{action}", f"{table}/index/{index}" if index else table)]

    return needs


@needing()
def _dynamodb_items(params: Params, region: Region) -> list[Need]:
    actions = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "Get": "GetItem"}
    found = []
    for item in params["TransactItems"]:
        ((kind, request),) = item.items()
        found.append(Need(f"dynamodb:{actions.get(kind, 'ConditionCheckItem')}", _table(request["TableName"], region)))
    return found


def _dynamodb_batch(action: str) -> Needs:
    @needing(f"dynamodb:{action}")
    def needs(params: Params, region: Region) -> list[Need]:
        return [Need(f"dynamodb:{action}", _table(name, region)) for name in params["RequestItems"]]

    return needs


def _table(name: str, region: Region) -> str:
    return name if name.startswith("arn:") else region.arn("dynamodb", f"table/{name}")


def _queue(action: str) -> Needs:
    @needing(f"sqs:{action}")
    def needs(params: Params, region: Region) -> list[Need]:
        name = str(params.get("QueueUrl", params.get("QueueName"))).rsplit("/", 1)[-1]
        return [Need(f"sqs:{action}", region.arn("sqs", name))]

    return needs


def _alarms(action: str) -> Needs:
    @needing(f"cloudwatch:{action}")
    def needs(params: Params, region: Region) -> list[Need]:
        names = params.get("AlarmNames") or ["*"]
        return [Need(f"cloudwatch:{action}", region.arn("cloudwatch", f"alarm:{name}")) for name in names]

    return needs


@needing("events:PutEvents")
def _put_events(params: Params, region: Region) -> list[Need]:
    found = []
    for entry in params["Entries"]:
        bus = entry.get("EventBusName", "default").rsplit("/", 1)[-1]
        facts = {"events:source": entry.get("Source"), "events:detail-type": entry.get("DetailType")}
        found.append(Need("events:PutEvents", region.arn("events", f"event-bus/{bus}"), facts))
    return found


@needing("lambda:InvokeFunction")
def _function(params: Params, region: Region) -> list[Need]:
    name = str(params["FunctionName"])
    return [
        Need("lambda:InvokeFunction", name if name.startswith("arn:") else region.arn("lambda", f"function:{name}"))
    ]


def _parameter(action: str) -> Needs:
    @needing(f"ssm:{action}")
    def needs(params: Params, region: Region) -> list[Need]:
        return [Need(f"ssm:{action}", region.arn("ssm", f"parameter/{str(params['Name']).lstrip('/')}"))]

    return needs


_EXECUTION = "{executionArn}"
STEP_FUNCTIONS: dict[str, Needs] = {
    "StartExecution": on("states:StartExecution", "states", "{stateMachineArn}"),
    "DescribeStateMachine": on("states:DescribeStateMachine", "states", "{stateMachineArn}"),
    "ListExecutions": on("states:ListExecutions", "states", "{stateMachineArn}"),
    **{
        name: on(f"states:{name}", "states", _EXECUTION)
        for name in ("DescribeExecution", "StopExecution", "GetExecutionHistory", "DescribeStateMachineForExecution")
    },
    **{name: anywhere(f"states:{name}") for name in ("SendTaskSuccess", "SendTaskFailure", "SendTaskHeartbeat")},
}

ACTIONS: dict[str, dict[str, Needs]] = {
    "dynamodb": {
        **{
            name: _dynamodb(name)
            for name in ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "DescribeTable")
        },
        "TransactWriteItems": _dynamodb_items,
        "TransactGetItems": _dynamodb_items,
        "BatchGetItem": _dynamodb_batch("BatchGetItem"),
        "BatchWriteItem": _dynamodb_batch("BatchWriteItem"),
    },
    "sqs": {
        **{
            name: _queue(name.removesuffix("Batch"))
            for name in (
                "SendMessage",
                "SendMessageBatch",
                "ReceiveMessage",
                "DeleteMessage",
                "DeleteMessageBatch",
                "ChangeMessageVisibility",
                "GetQueueAttributes",
                "GetQueueUrl",
                "PurgeQueue",
            )
        },
    },
    "sns": {
        "Publish": on("sns:Publish", "sns", "{TopicArn}"),
        "PublishBatch": on("sns:Publish", "sns", "{TopicArn}"),
        "GetTopicAttributes": on("sns:GetTopicAttributes", "sns", "{TopicArn}"),
    },
    # The ARN of a secret ends in six letters that Secrets Manager chooses.
    "secretsmanager": {
        "GetSecretValue": on("secretsmanager:GetSecretValue", "secretsmanager", "secret:{SecretId}-??????")
    },
    "lambda": {"Invoke": _function, "InvokeAsync": _function},
    "stepfunctions": STEP_FUNCTIONS,
    "cloudwatch": {
        "PutMetricData": anywhere("cloudwatch:PutMetricData", cloudwatch__namespace="Namespace"),
        "GetMetricData": anywhere("cloudwatch:GetMetricData"),
        "GetMetricStatistics": anywhere("cloudwatch:GetMetricStatistics"),
        "ListMetrics": anywhere("cloudwatch:ListMetrics"),
        "PutMetricAlarm": on("cloudwatch:PutMetricAlarm", "cloudwatch", "alarm:{AlarmName}"),
        "DescribeAlarms": _alarms("DescribeAlarms"),
        "DeleteAlarms": _alarms("DeleteAlarms"),
        "SetAlarmState": on("cloudwatch:SetAlarmState", "cloudwatch", "alarm:{AlarmName}"),
        "DescribeAlarmHistory": on("cloudwatch:DescribeAlarmHistory", "cloudwatch", "alarm:{AlarmName}"),
    },
    "events": {
        "PutEvents": _put_events,
        "PutRule": on("events:PutRule", "events", "rule/{Name}"),
        "DescribeRule": on("events:DescribeRule", "events", "rule/{Name}"),
        "DeleteRule": on("events:DeleteRule", "events", "rule/{Name}"),
        "PutTargets": on("events:PutTargets", "events", "rule/{Rule}"),
        "RemoveTargets": on("events:RemoveTargets", "events", "rule/{Rule}"),
    },
    "firehose": {
        name: on(f"firehose:{name}", "firehose", "deliverystream/{DeliveryStreamName}")
        for name in ("PutRecord", "PutRecordBatch", "DescribeDeliveryStream")
    },
    "logs": {
        name: on(f"logs:{name}", "logs", "log-group:{logGroupName}:*")
        for name in ("CreateLogGroup", "CreateLogStream", "PutLogEvents", "GetLogEvents", "FilterLogEvents")
    },
    "cloudtrail": {"LookupEvents": anywhere("cloudtrail:LookupEvents")},
    "kms": {
        **{
            name: on(f"kms:{name}", "kms", "key/{KeyId}")
            for name in ("Decrypt", "Encrypt", "GenerateDataKey", "DescribeKey", "CreateGrant")
        },
    },
    "ssm": {name: _parameter(name) for name in ("GetParameter", "PutParameter")},
    "sts": {"GetCallerIdentity": NOTHING, "AssumeRole": on("sts:AssumeRole", "sts", "{RoleArn}")},
}
