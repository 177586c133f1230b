"""What each API operation asks of IAM: which action, on which resource, under which condition keys.

From the Service Authorization Reference (https://docs.aws.amazon.com/service-authorization/latest/reference/).
An operation that is not listed fails loudly when a role calls it, so that this map stays honest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """The account and region in which a call is made."""

    account_id: str
    region: str

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource there."""
        return f"arn:aws:{service}:{self.region}:{self.account_id}:{resource}"


@dataclass(frozen=True)
class Need:
    """One permission that a call needs."""

    action: str
    resource: str
    facts: Mapping[str, Any] = field(default_factory=dict)


Needs = Callable[[Params, Place], list[Need]]


def on(action: str, service: str, template: str, **keys: str) -> Needs:
    """Need an action on one resource, named by a template over the call's parameters."""

    def needs(params: Params, place: Place) -> list[Need]:
        return [Need(action, _arn(service, template, params, place), facts(keys, params))]

    return needs


def anywhere(action: str, **keys: str) -> Needs:
    """Need an action that knows no resource."""
    return lambda params, _place: [Need(action, "*", facts(keys, params))]


def both(*parts: Needs) -> Needs:
    """Need all of several."""
    return lambda params, place: [need for part in parts for need in part(params, place)]


def passing(parameter: str, service: str) -> Needs:
    """Need to pass the role that a parameter names (dots lead into structures), if it names one."""

    def needs(params: Params, _place: Place) -> list[Need]:
        role = at(params, parameter)
        return [Need("iam:PassRole", role, {"iam:passedtoservice": service})] if role else []

    return needs


def when(parameter: str, then: Needs) -> Needs:
    """Need something only if the call carries a parameter."""
    return lambda params, place: then(params, place) if at(params, parameter) else []


def nothing(_params: Params, _place: Place) -> list[Need]:
    """Need no permission at all."""
    return []


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


def _arn(service: str, template: str, params: Params, place: Place) -> str:
    resource = template.format_map(_Empty(params))
    given = resource.rsplit("/", 1)[-1] if not resource.startswith("arn:") else resource
    if "arn:" in resource:
        # The parameter held the whole ARN already.
        return resource[resource.index("arn:") :]
    return place.arn(service, resource) if given else "*"


class _Empty(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return ""


def _dynamodb(action: str) -> Needs:
    def needs(params: Params, place: Place) -> list[Need]:
        table = _arn("dynamodb", "table/{TableName}", params, place)
        index = params.get("IndexName")
        return [Need(f"dynamodb:{action}", f"{table}/index/{index}" if index else table)]

    return needs


def _dynamodb_items(params: Params, place: Place) -> list[Need]:
    actions = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "Get": "GetItem"}
    found = []
    for item in params["TransactItems"]:
        ((kind, request),) = item.items()
        found.append(Need(f"dynamodb:{actions.get(kind, 'ConditionCheckItem')}", _table(request["TableName"], place)))
    return found


def _dynamodb_batch(action: str) -> Needs:
    return lambda params, place: [Need(f"dynamodb:{action}", _table(name, place)) for name in params["RequestItems"]]


def _table(name: str, place: Place) -> str:
    return name if name.startswith("arn:") else place.arn("dynamodb", f"table/{name}")


def _queue(action: str) -> Needs:
    return lambda params, place: [
        Need(f"sqs:{action}", place.arn("sqs", str(params.get("QueueUrl", params.get("QueueName"))).rsplit("/", 1)[-1]))
    ]


def _alarms(action: str) -> Needs:
    def needs(params: Params, place: Place) -> list[Need]:
        names = params.get("AlarmNames") or ["*"]
        return [Need(f"cloudwatch:{action}", place.arn("cloudwatch", f"alarm:{name}")) for name in names]

    return needs


def _put_events(params: Params, place: Place) -> list[Need]:
    found = []
    for entry in params["Entries"]:
        bus = entry.get("EventBusName", "default").rsplit("/", 1)[-1]
        facts = {"events:source": entry.get("Source"), "events:detail-type": entry.get("DetailType")}
        found.append(Need("events:PutEvents", place.arn("events", f"event-bus/{bus}"), facts))
    return found


def _function(params: Params, place: Place) -> list[Need]:
    name = str(params["FunctionName"])
    return [Need("lambda:InvokeFunction", name if name.startswith("arn:") else place.arn("lambda", f"function:{name}"))]


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
    "ssm": {
        name: lambda params, place, name=name: [  # type: ignore[misc]
            Need(f"ssm:{name}", place.arn("ssm", f"parameter/{str(params['Name']).lstrip('/')}"))
        ]
        for name in ("GetParameter", "PutParameter")
    },
    "sts": {"GetCallerIdentity": nothing, "AssumeRole": on("sts:AssumeRole", "sts", "{RoleArn}")},
}
