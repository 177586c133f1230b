"""Messages between the stages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from kedge.errors import MessagesUndeliveredError

_BATCH = 10


def send(sqs: Any, queue_url: str, body: Mapping[str, Any]) -> None:
    """Send one message."""
    sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps(body))


def bury(sqs: Any, queue_url: str, body: str, *, why: str) -> None:
    """Put a message that is not to be tried again among the dead letters, with the reason beside it."""
    reason = {"Reason": {"DataType": "String", "StringValue": why}}
    sqs.send_message(QueueUrl=queue_url, MessageBody=body, MessageAttributes=reason)


def put_off(sqs: Any, queue_url: str, receipt_handle: str, *, seconds: int) -> None:
    """Hide a message that was received until then."""
    sqs.change_message_visibility(QueueUrl=queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds)


def try_to_send(sqs: Any, queue_url: str, body: Mapping[str, Any]) -> bool:
    """Send one message that nothing depends on; tell whether SQS took it."""
    try:
        send(sqs, queue_url, body)
    except (BotoCoreError, ClientError):
        return False
    return True


def send_all(sqs: Any, queue_url: str, bodies: Sequence[Mapping[str, Any]]) -> None:
    """Send many, ten at a time; those that SQS did not take are sent once more, then raised."""
    pending = list(bodies)
    for _ in range(2):
        batches = [pending[start : start + _BATCH] for start in range(0, len(pending), _BATCH)]
        pending = [body for batch in batches for body in _refused(sqs, queue_url, batch)]
        if not pending:
            return
    raise MessagesUndeliveredError(queue_url=queue_url, messages=len(pending))


def _refused(sqs: Any, queue_url: str, bodies: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    entries = [{"Id": str(i), "MessageBody": json.dumps(body)} for i, body in enumerate(bodies)]
    answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
    return [bodies[int(failure["Id"])] for failure in answer.get("Failed", [])]
