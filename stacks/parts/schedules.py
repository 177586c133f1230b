"""The one way we make schedules: each starts a function, and keeps what it could not deliver."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.parts.access import allow, service_role

# Scheduler fills this in with the time that the schedule stands for, however late it fires.
LOGICAL_TIME = "<aws.scheduler.scheduled-time>"


class Schedules:
    """The schedules of a stack, with the role that starts these functions and buries what it could not deliver."""

    def __init__(self, scope: Construct, *, functions: list[lambda_.Function], dead_letters: sqs.Queue) -> None:
        self._scope, self._dead_letters = scope, dead_letters
        self._role = service_role(
            scope,
            "SchedulerRole",
            service="scheduler.amazonaws.com",
            description="Kedge: starts the scheduled functions",
        )
        allow(self._role, "Invoke", ["lambda:InvokeFunction"], [function.function_arn for function in functions])
        allow(self._role, "Bury", ["sqs:SendMessage"], [dead_letters.queue_arn])

    def every(
        self, name: str, cron: str, *, function: lambda_.Function, payload: Mapping[str, str] | None = None
    ) -> None:
        """Start the function at the cron's UTC times, with its logical time in the payload."""
        scheduler.CfnSchedule(
            self._scope,
            name,
            schedule_expression=f"cron({cron})",
            schedule_expression_timezone="UTC",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=function.function_arn,
                role_arn=self._role.role_arn,
                input=json.dumps({**(payload or {}), "time": LOGICAL_TIME}),
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=self._dead_letters.queue_arn),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_retry_attempts=10, maximum_event_age_in_seconds=3600
                ),
            ),
        )
