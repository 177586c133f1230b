"""The function `tell`, which both machines use: an audit entry, and where a person should know, an alert."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from kedge.config.model import ModelConfig
from stacks.parts.access import (
    DEFINITIONS,
    NO_RESOURCE_TYPE,
    TIMELINE,
    allow,
    may_read,
    may_tell,
    may_use_key,
    may_use_state,
    may_write,
)
from stacks.parts.functions import add_function, bury_failures, role_of
from stacks.parts.naming import RUNS, own_arns, stage_of
from stacks.parts.packages import Packages
from stacks.storage import Storage

MODEL_STACKS = "KedgeModels-"


def add_teller(scope: Construct, *, packages: Packages, storage: Storage) -> lambda_.Function:
    """Make one stack's own `tell`."""
    function = add_function(
        scope,
        "tell",
        does="an audit entry, and an alert where a person should know",
        packages=packages,
        key=storage.key,
        # For an alarm of a model's endpoint every definition is read: of ten thousand, half of it.
        memory_mib=1024,
        environment={
            "DATA_BUCKET": storage.data.bucket_name,
            "STATE_TABLE": storage.state.table_name,
            "ALERT_TOPIC_ARN": storage.alerts.topic_arn,
            "EVENT_TOPIC_ARN": storage.events.topic_arn,
        },
    )
    role = role_of(function)
    # Whose model it is, and by which channels its team is told.
    may_read(role, storage.data, *DEFINITIONS)
    may_write(role, storage.data, *TIMELINE)
    may_use_state(role, storage.state, "GetItem", "PutItem", "DeleteItem")
    may_tell(role, storage.alerts, storage.events)
    may_use_key(role, storage.key)
    # A retraining that failed is told with what its jobs cost.
    lists = ["sagemaker:ListTrainingJobs", "sagemaker:ListTransformJobs"]
    allow(role, "ListJobs", lists, ["*"], wildcard=NO_RESOURCE_TYPE)
    looks, jobs = ["sagemaker:DescribeTrainingJob", "sagemaker:DescribeTransformJob"], ("training-job", "transform-job")
    allow(role, "SeeWhatJobsCost", looks, own_arns(cdk.Stack.of(scope), *jobs), wildcard=RUNS)
    return function


def tell_alarms(
    scope: Construct, teller: lambda_.Function, models: Sequence[ModelConfig], undelivered: sqs.Queue
) -> None:
    """Have `tell` send what a model's alarms say to chat and pagers, if a route leads there; mails need no function."""
    if not any({*route.to} - {"email"} for model in models for route in model.alerts.routes or ()):
        return
    rule = events.Rule(
        scope,
        "Alarms",
        description="Kedge: an alarm of a model rings, or has stopped",
        event_pattern=events.EventPattern(
            source=["aws.cloudwatch"],
            detail_type=["CloudWatch Alarm State Change"],
            # CloudFormation begins an alarm's name with that of its stack.
            detail={
                "alarmName": events.Match.prefix(stage_of(scope).named(MODEL_STACKS)),
                "state": {"value": ["ALARM", "OK"]},
            },
        ),
    )
    rule.add_target(targets.LambdaFunction(teller, dead_letter_queue=undelivered, retry_attempts=10))
    bury_failures(teller, undelivered)
