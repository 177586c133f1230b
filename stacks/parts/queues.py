"""The one way we make a queue: encrypted, over TLS only, and with a queue for its dead."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.parts.access import acknowledge

ATTEMPTS = 3
# AWS asks for six times the function's timeout, so that a throttled batch is not seen twice.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
VISIBILITY_PER_TIMEOUT = 6


def add_stage_queue(  # facts of one queue
    scope: Construct,
    name: str,
    *,
    consumer_timeout_seconds: int,
    attempts: int = ATTEMPTS,
    retry_after: cdk.Duration | None = None,
    delay: cdk.Duration | None = None,
) -> sqs.Queue:
    """Make a stage's queue; a message that failed `attempts` times goes to its dead-letter queue."""
    dead = add_dead_letters(scope, f"{name}DeadLetters")
    return sqs.Queue(
        scope,
        name,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        visibility_timeout=retry_after or cdk.Duration.seconds(VISIBILITY_PER_TIMEOUT * consumer_timeout_seconds),
        retention_period=cdk.Duration.days(4),
        delivery_delay=delay,
        dead_letter_queue=sqs.DeadLetterQueue(max_receive_count=attempts, queue=dead),
    )


def dead_letters_of(queue: sqs.Queue) -> sqs.IQueue:
    """Where a stage's messages lie that have failed to the end."""
    found = queue.dead_letter_queue
    if found is None:
        raise ValueError(f"{queue.node.path} has no dead-letter queue")
    return found.queue


def retried_environment(queue: sqs.Queue, *, attempts: int = ATTEMPTS) -> dict[str, str]:
    """What the queue's function tells people of a message that fails."""
    return {"ATTEMPTS": str(attempts), "DEAD_LETTERS_URL": dead_letters_of(queue).queue_url}


def add_dead_letters(scope: Construct, name: str) -> sqs.Queue:
    """Make a queue where messages wait two weeks for a person."""
    queue = sqs.Queue(
        scope,
        name,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=cdk.Duration.days(14),
    )
    acknowledge(queue, "AwsSolutions-SQS3", "it is itself where the dead wait for a person")
    return queue
