"""Whether messages are handled: dead letters, messages that wait too long, functions that no longer read their queue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from cli.doctor.checks.installation import Installation, Resource
from cli.doctor.findings import Finding, failed, ok, warning
from cli.doctor.refused import absent
from cli.doctor.remedies import restore

QUEUE, MAPPING = "AWS::SQS::Queue", "AWS::Lambda::EventSourceMapping"
# An approval may wait a day for a retraining to end; after four days SQS drops a message.
WAITING_HOURS_MAX = 25


def check(installation: Installation) -> Iterator[Finding]:
    """Look at each queue, then at what connects the queues with the functions."""
    sqs = installation.client("sqs")
    for queue in installation.resources(QUEUE):
        try:
            attributes = sqs.get_queue_attributes(QueueUrl=queue.physical_id, AttributeNames=["All"])["Attributes"]
        except ClientError as error:
            if not absent(error):
                raise
            yield failed(queue.physical_id, f"the queue {queue.logical_id} is gone", restore(queue.stack))
            continue
        hours = 0.0 if _is_for_the_dead(attributes) else _oldest_hours(installation, attributes["QueueArn"])
        yield state(queue, attributes, oldest_hours=hours)
    for mapping in installation.resources(MAPPING):
        yield _connected(installation.client("lambda"), mapping)


def state(queue: Resource, attributes: Mapping[str, str], *, oldest_hours: float) -> Finding:
    """The state of the queue's messages."""
    arn, messages = attributes["QueueArn"], int(attributes["ApproximateNumberOfMessages"])
    if _is_for_the_dead(attributes) and messages:
        if queue.logical_id.startswith("Undelivered"):
            remedy = f"read them with aws sqs receive-message --queue-url {queue.physical_id}, then docs/operations.md#redrive-dead-letters"
            return failed(arn, f"{messages} never reached a function: {queue.logical_id} is not empty", remedy)
        if queue.logical_id.startswith("To"):
            remedy = "the attribute Reason of each message says why; then docs/operations.md#pagers-and-webhooks"
            return failed(arn, f"{messages} were refused or failed to the end: {queue.logical_id} is not empty", remedy)
        remedy = f"correct what its function's log says, then aws sqs start-message-move-task --source-arn {arn}"
        return failed(arn, f"{messages} failed to the end: {queue.logical_id} is not empty", remedy)
    if oldest_hours > WAITING_HOURS_MAX:
        remedy = "look at the log of the function that reads it; SQS drops a message after four days"
        return failed(arn, f"the oldest message of {queue.logical_id} has waited for {oldest_hours:.0f} hours", remedy)
    return ok(arn, "empty" if not messages else f"{messages} messages wait for their function")


def connected(mapping: Mapping[str, Any]) -> Finding:
    """Whether Lambda hands the queue's messages to the function."""
    state, uuid = mapping.get("State", "Enabled"), mapping["UUID"]
    function = mapping["FunctionArn"].rpartition(":")[2]
    if state == "Enabled":
        return ok(uuid, f"{function} reads its queue")
    if state in ("Creating", "Enabling", "Updating"):
        return warning(uuid, f"the reading of {function} is being changed: {state}", "look again in a minute")
    remedy = f"aws lambda update-event-source-mapping --uuid {uuid} --enabled"
    return failed(uuid, f"{function} does not read its queue: its event source mapping is {state}", remedy)


def _connected(client: Any, mapping: Resource) -> Finding:
    try:
        return connected(client.get_event_source_mapping(UUID=mapping.physical_id))
    except ClientError as error:
        if not absent(error):
            raise
        reason = f"nothing hands messages to the function: {mapping.logical_id} is gone"
        return failed(mapping.physical_id, reason, restore(mapping.stack))


def _is_for_the_dead(attributes: Mapping[str, str]) -> bool:
    # Each queue that a function reads has dead letters of its own.
    return "RedrivePolicy" not in attributes


def _oldest_hours(installation: Installation, arn: str) -> float:
    now = installation.now
    answer = installation.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        StartTime=now - timedelta(hours=1),
        EndTime=now,
        Dimensions=[{"Name": "QueueName", "Value": arn.rpartition(":")[2]}],
        Period=3600,
        Statistics=["Minimum"],
    )
    return max((point["Minimum"] for point in answer["Datapoints"]), default=0.0) / 3600
