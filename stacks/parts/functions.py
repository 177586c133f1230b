"""The one way we make a function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from kedge.config.stage import VARIABLE
from stacks.parts.access import NO_RESOURCE_TYPE, acknowledge, allow, service_role
from stacks.parts.log_groups import add_log_group
from stacks.parts.naming import stage_of
from stacks.parts.packages import Packages
from stacks.surroundings import place_in

# The functions of all models together share the account's concurrency, 1,000 by default, with whatever else runs in it: ten queues
# take no more than half of it, and ten thousand models of five seconds are through in a quarter of an hour.
AT_ONCE = 50
# With so much a function has a whole core, and with more a part of a second one, which counting cannot use.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
MIB_A_CORE = 1769


def add_function(  # noqa: PLR0913  # all but three have the same value for most functions
    scope: Construct,
    name: str,
    *,
    does: str,
    packages: Packages,
    key: kms.IKey,
    layers: Sequence[str] = (),
    memory_mib: int = 512,
    timeout_seconds: int = 60,
    environment: Mapping[str, str] | None = None,
    approves: bool = False,
    fixed_name: str | None = None,
) -> lambda_.Function:
    """Make the function whose handler is `lambdas/handlers/<name>.py`, with a role that may only log and trace.

    Of all functions one `approves`.
    """
    title = name.title().replace("_", "")
    log_group = add_log_group(scope, f"{title}Logs", key=key)
    role = service_role(
        scope, f"{title}Role", service="lambda.amazonaws.com", description=f"Kedge: {does}", approves=approves
    )
    allow(role, "Log", ["logs:CreateLogStream", "logs:PutLogEvents"], [log_group.log_group_arn])
    # CDK adds the statement for X-Ray itself, on every resource.
    acknowledge(role, "AwsSolutions-IAM5[Resource::*]", f"X-Ray: {NO_RESOURCE_TYPE}")
    function = lambda_.Function(
        scope,
        title,
        function_name=fixed_name,
        description=f"Kedge: {does}",
        runtime=lambda_.Runtime.PYTHON_3_14,
        architecture=lambda_.Architecture.ARM_64,
        handler=f"lambdas.handlers.{name}.handler",
        code=packages.code,
        layers=[packages.layer(cdk.Stack.of(scope), each) for each in ("counting", *layers)],
        memory_size=memory_mib,
        timeout=cdk.Duration.seconds(timeout_seconds),
        environment={**(environment or {}), **({VARIABLE: stage} if (stage := stage_of(scope).name) else {})},
        log_group=log_group,
        role=role,
        tracing=lambda_.Tracing.ACTIVE,
    )
    if packages.vpc is not None:
        place_in(packages.vpc, function, role)
    return function


def role_of(function: lambda_.Function) -> iam.Role:
    """The role that `add_function` made."""
    return cast(iam.Role, function.role)


def consume(function: lambda_.Function, queue: sqs.Queue) -> None:
    """Hand each message of the queue to the function, one at a time, to at most `AT_ONCE` of its environments."""
    function.add_event_source(event_sources.SqsEventSource(queue, batch_size=1, max_concurrency=AT_ONCE))


def consume_together(function: lambda_.Function, queue: sqs.Queue, *, batch: int, wait: cdk.Duration) -> None:
    """Hand over what comes in while the function waits for more; it names the messages that it did not manage."""
    source = event_sources.SqsEventSource(
        queue,
        batch_size=batch,
        max_batching_window=wait,
        report_batch_item_failures=True,
        max_concurrency=AT_ONCE,
    )
    function.add_event_source(source)


def bury_failures(function: lambda_.Function, dead_letters: sqs.Queue) -> None:
    """Keep the events of asynchronous invocations that failed to the end."""
    function.configure_async_invoke(on_failure=destinations.SqsDestination(dead_letters), retry_attempts=2)
