"""AWS::Events::Rule."""

from __future__ import annotations

from typing import Any

from offline.cloudformation.resource_type import Made, Making, ResourceType, only, tags, text

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


def update_rule(making: Making, made: Made, old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Put a rule and its targets anew, and take away the targets that it has no more."""
    kept = {target["Id"] for target in new.get("Targets", [])}
    _remove_targets(making, made, [target for target in old.get("Targets", []) if target["Id"] not in kept], new)
    return rule(making, new)


def delete_rule(making: Making, made: Made, properties: dict[str, Any]) -> None:
    """Delete a rule, its targets first."""
    _remove_targets(making, made, properties.get("Targets", []), properties)
    making.client("events").delete_rule(Name=made.reference, **only(properties, "EventBusName"))


def _remove_targets(making: Making, made: Made, targets: list[dict[str, Any]], properties: dict[str, Any]) -> None:
    if ids := [target["Id"] for target in targets]:
        making.client("events").remove_targets(Rule=made.reference, Ids=ids, **only(properties, "EventBusName"))


def rule_exists(making: Making, name: str) -> bool:
    """Tell whether a rule has the name: PutRule would change it."""
    return any(item["Name"] == name for item in making.client("events").list_rules(NamePrefix=name)["Rules"])


TYPES = (
    ResourceType(
        "AWS::Events::Rule",
        "Name Description EventBusName EventPattern.* RoleArn ScheduleExpression State Tags.* Targets.Arn Targets.Id"
        " Targets.Input Targets.InputPath Targets.InputTransformer.InputPathsMap.*"
        " Targets.InputTransformer.InputTemplate Targets.RoleArn Targets.DeadLetterConfig.Arn"
        " Targets.RetryPolicy.MaximumEventAgeInSeconds Targets.RetryPolicy.MaximumRetryAttempts"
        " Targets.SqsParameters.MessageGroupId",
        rule,
        delete_rule,
        update=update_rule,
        replaced_by="EventBusName",
        named_by="Name",
        exists=rule_exists,
    ),
)
