"""The one way we make an alarm: it tells people and pagers, and says in words what is wrong."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

FIVE_MINUTES = cdk.Duration.minutes(5)
# One failure is retried by its queue or its machine; three within an hour are somebody's business.
FUNCTION_ERRORS_PER_HOUR = 3


def add_alarm(  # noqa: PLR0913  # a fact each
    scope: Construct,
    name: str,
    metric: cloudwatch.Metric,
    *,
    at_least: float,
    says: str,
    topics: Sequence[sns.ITopic],
    silence: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
) -> cloudwatch.Alarm:
    """Alarm when the metric reaches the value; silence is no breach, unless it is said to be something else."""
    alarm = cloudwatch.Alarm(
        scope,
        name,
        metric=metric,
        threshold=at_least,
        evaluation_periods=1,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treat_missing_data=silence,
        alarm_description=says,
    )
    for topic in topics:
        alarm.add_alarm_action(actions.SnsAction(topic))
    # A pager closes its incident on OK; people need no mail that all is well, least of all one per alarm at the
    # first deploy.
    alarm.add_ok_action(actions.SnsAction(topics[-1]))
    return alarm


def alarm_on_dead_letters(scope: Construct, queue: sqs.Queue, *, topics: Sequence[sns.ITopic]) -> None:
    """Alarm while the dead letters of a queue, or a queue of dead letters, are not empty."""
    dead = queue.dead_letter_queue.queue if queue.dead_letter_queue else queue
    metric = dead.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, statistic="Maximum")
    says = f"Kedge: a message of {queue.node.id} failed to the end; it waits in the dead-letter queue"
    add_alarm(scope, f"{queue.node.id}Dead", metric, at_least=1, says=says, topics=topics)


def alarm_on_errors(scope: Construct, function: lambda_.Function, *, topics: Sequence[sns.ITopic]) -> None:
    """Alarm when a function keeps failing."""
    metric = function.metric_errors(period=cdk.Duration.hours(1), statistic="Sum")
    says = f"Kedge: {function.node.id} failed {FUNCTION_ERRORS_PER_HOUR} times within an hour"
    add_alarm(scope, f"{function.node.id}Errors", metric, at_least=FUNCTION_ERRORS_PER_HOUR, says=says, topics=topics)


def alarm_on_silence(scope: Construct, function: lambda_.Function, *, hours: int, topics: Sequence[sns.ITopic]) -> None:
    """Tell when a scheduled function has stopped running: nobody else would notice that its schedule is dead."""
    alarm = cloudwatch.Alarm(
        scope,
        f"{function.node.id}Silent",
        metric=function.metric_invocations(period=cdk.Duration.hours(hours), statistic="Sum"),
        threshold=1,
        evaluation_periods=1,
        comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        # Silence is no data. Were it breaching, each first deploy would alarm; so it is told when the data runs out.
        treat_missing_data=cloudwatch.TreatMissingData.MISSING,
        alarm_description=f"Kedge: {function.node.id} has not run for {hours} hours; is its schedule there?",
    )
    for topic in topics:
        alarm.add_alarm_action(actions.SnsAction(topic))
        alarm.add_insufficient_data_action(actions.SnsAction(topic))


def alarm_on_failed_executions(
    scope: Construct, machine: stepfunctions.StateMachine, *, topics: Sequence[sns.ITopic]
) -> None:
    """Alarm when an execution failed or ran out of time."""
    for kind, metric in (
        ("Failed", machine.metric_failed(period=FIVE_MINUTES, statistic="Sum")),
        ("TimedOut", machine.metric_timed_out(period=FIVE_MINUTES, statistic="Sum")),
    ):
        says = f"Kedge: an execution of {machine.node.id} ended as {kind}"
        add_alarm(scope, f"{machine.node.id}{kind}", metric, at_least=1, says=says, topics=topics)
