"""A message of a queue as Lambda hands it to a function.

After "Using Lambda with Amazon SQS": the system attributes are strings, times are milliseconds since 1970.
"""

from __future__ import annotations

from typing import Any


def record_of(queue: Any, message: Any) -> dict[str, Any]:
    """Return one of an event's records."""
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": _system_attributes(message),
        "messageAttributes": {key: _attribute(value) for key, value in message.message_attributes.items()},
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.queue_arn,
        "awsRegion": queue.region,
    }


def _system_attributes(message: Any) -> dict[str, str]:
    first_received = message.approximate_first_receive_timestamp
    always = {
        "ApproximateReceiveCount": str(message.approximate_receive_count),
        "SentTimestamp": str(message.sent_timestamp),
        "SenderId": message.sender_id,
        "ApproximateFirstReceiveTimestamp": str(first_received),
    }
    of_fifo_queues = {
        "MessageGroupId": message.group_id,
        "MessageDeduplicationId": message.deduplication_id,
        "SequenceNumber": message.sequence_number,
    }
    return always | {name: value for name, value in of_fifo_queues.items() if value is not None}


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    """Return a message attribute as Lambda writes it."""
    named: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    return named | {f"{key[0].lower()}{key[1:]}": value[key] for key in ("StringValue", "BinaryValue") if key in value}
