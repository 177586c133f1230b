"""AWS::Events::Rule."""

from __future__ import annotations

from typing import Any

from offline.resources.model import Made, Making, only, resource_type, tags, text

BUS_RULE = ("Description", "EventBusName", "RoleArn", "ScheduleExpression", "State")


def rule(making: Making, properties: dict[str, Any]) -> Made:
    """Make a rule and its targets."""
    events = making.client("events")
    name = properties.get("Name") or making.name()
    request = only(properties, *BUS_RULE)
    if "EventPattern" in properties:
        request["EventPattern"] = text(properties["EventPattern"])
    arn = events.put_rule(Name=name, Tags=tags(properties), **request)["RuleArn"]
    if targets := properties.get("Targets"):
        answer = events.put_targets(Rule=name, Targets=targets, **only(properties, "EventBusName"))
        if answer["FailedEntryCount"]:
            raise ValueError(f"targets were refused: {answer['FailedEntries']}")
    return Made(name, {"Arn": arn})


TYPES = (
    resource_type(
        "AWS::Events::Rule",
        "Name Description EventBusName EventPattern.* RoleArn ScheduleExpression State Tags.* Targets.Arn Targets.Id"
        " Targets.Input Targets.InputPath Targets.InputTransformer.InputPathsMap.*"
        " Targets.InputTransformer.InputTemplate Targets.RoleArn Targets.DeadLetterConfig.Arn"
        " Targets.RetryPolicy.MaximumEventAgeInSeconds Targets.RetryPolicy.MaximumRetryAttempts"
        " Targets.SqsParameters.MessageGroupId",
        rule,
    ),
)
