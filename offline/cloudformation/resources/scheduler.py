"""AWS::Scheduler::Schedule and AWS::Scheduler::ScheduleGroup."""

from __future__ import annotations

from typing import Any

from offline.cloudformation.resource_type import Made, Making, ResourceType, only, refuse, tags

SCHEDULE = (
    "Description",
    "EndDate",
    "FlexibleTimeWindow",
    "GroupName",
    "KmsKeyArn",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "StartDate",
    "State",
    "Target",
)


def schedule(making: Making, properties: dict[str, Any]) -> Made:
    """Make a schedule; the API takes the very same structure."""
    making.guard.require_trust(properties["Target"]["RoleArn"], "scheduler.amazonaws.com")
    name = properties.get("Name") or making.name()
    arn = making.client("scheduler").create_schedule(Name=name, **only(properties, *SCHEDULE))["ScheduleArn"]
    return Made(name, {"Arn": arn})


def update_schedule(making: Making, made: Made, old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Change a schedule; the API takes the whole of it again."""
    making.guard.require_trust(new["Target"]["RoleArn"], "scheduler.amazonaws.com")
    refuse(making, old, new, "GroupName")
    making.client("scheduler").update_schedule(Name=made.reference, **only(new, *SCHEDULE))
    return made


def delete_schedule(making: Making, made: Made, properties: dict[str, Any]) -> None:
    """Delete a schedule."""
    making.client("scheduler").delete_schedule(Name=made.reference, **only(properties, "GroupName"))


def delete_schedule_group(making: Making, made: Made, _properties: dict[str, Any]) -> None:
    """Delete a group with the schedules in it."""
    making.client("scheduler").delete_schedule_group(Name=made.reference)


def schedule_group(making: Making, properties: dict[str, Any]) -> Made:
    """Make a schedule group."""
    name = properties.get("Name") or making.name()
    arn = making.client("scheduler").create_schedule_group(Name=name, Tags=tags(properties))["ScheduleGroupArn"]
    return Made(name, {"Arn": arn, "State": "ACTIVE"})


TYPES = (
    ResourceType(
        "AWS::Scheduler::Schedule",
        "Name Description EndDate GroupName KmsKeyArn ScheduleExpression ScheduleExpressionTimezone StartDate State"
        " FlexibleTimeWindow.Mode FlexibleTimeWindow.MaximumWindowInMinutes Target.Arn Target.RoleArn Target.Input"
        " Target.DeadLetterConfig.Arn Target.RetryPolicy.MaximumEventAgeInSeconds"
        " Target.RetryPolicy.MaximumRetryAttempts Target.SqsParameters.MessageGroupId",
        schedule,
        delete_schedule,
        update=update_schedule,
        named_by="Name",
    ),
    ResourceType(
        "AWS::Scheduler::ScheduleGroup", "Name Tags.*", schedule_group, delete_schedule_group, named_by="Name"
    ),
)
