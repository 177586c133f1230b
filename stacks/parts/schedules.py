"""The one way we make a schedule: it starts a function, and keeps what it could not deliver."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.parts.access import allow, service_role

# Scheduler fills this in with the time that the schedule stands for, however late it fires.
LOGICAL_TIME = "<aws.scheduler.scheduled-time>"


def scheduler_role(scope: Construct, *, functions: list[lambda_.Function], dead_letters: sqs.Queue) -> iam.Role:
    """A role that starts these functions and buries what it could not deliver."""
    role = service_role(
        scope, "SchedulerRole", service="scheduler.amazonaws.com", description="Kedge: starts the scheduled functions"
    )
    allow(role, "Invoke", ["lambda:InvokeFunction"], [function.function_arn for function in functions])
    allow(role, "Bury", ["sqs:SendMessage"], [dead_letters.queue_arn])
    return role


def every(
    scope: Construct,
    name: str,
    cron: str,
    *,
    function: lambda_.Function,
    role: iam.Role,
    dead_letters: sqs.Queue,
    payload: Mapping[str, str] | None = None,
) -> None:
    """Start the function at the cron's UTC times, with its logical time in the payload."""
    scheduler.CfnSchedule(
        scope,
        name,
        schedule_expression=f"cron({cron})",
        schedule_expression_timezone="UTC",
        flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
        target=scheduler.CfnSchedule.TargetProperty(
            arn=function.function_arn,
            role_arn=role.role_arn,
            input=json.dumps({**(payload or {}), "time": LOGICAL_TIME}),
            dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=dead_letters.queue_arn),
            retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                maximum_retry_attempts=10, maximum_event_age_in_seconds=3600
            ),
        ),
    )
