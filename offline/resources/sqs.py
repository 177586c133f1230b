"""AWS::SQS::Queue and AWS::SQS::QueuePolicy."""

from __future__ import annotations

from typing import Any

from offline.resources.model import Made, Making, resource_type, tags, text

ATTRIBUTES = (
    "ContentBasedDeduplication",
    "DelaySeconds",
    "FifoQueue",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
)
DOCUMENTS = ("RedrivePolicy", "RedriveAllowPolicy")


def queue(making: Making, properties: dict[str, Any]) -> Made:
    """Make a queue; its attributes travel as text."""
    sqs = making.client("sqs")
    name = properties.get("QueueName") or making.name(75) + (".fifo" if properties.get("FifoQueue") else "")
    attributes = {key: _attribute(properties[key]) for key in ATTRIBUTES if key in properties}
    attributes |= {key: text(properties[key]) for key in DOCUMENTS if key in properties}
    url = sqs.create_queue(
        QueueName=name, Attributes=attributes, tags={tag["Key"]: tag["Value"] for tag in tags(properties)}
    )["QueueUrl"]
    return Made(url, {"Arn": making.arn("sqs", name), "QueueName": name, "QueueUrl": url})


def _attribute(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def queue_policy(making: Making, properties: dict[str, Any]) -> Made:
    """Give each queue named its policy."""
    for url in properties["Queues"]:
        making.client("sqs").set_queue_attributes(
            QueueUrl=url, Attributes={"Policy": text(properties["PolicyDocument"])}
        )
    return Made(making.name())


TYPES = (
    resource_type(
        "AWS::SQS::Queue",
        "QueueName RedrivePolicy.deadLetterTargetArn RedrivePolicy.maxReceiveCount"
        " RedriveAllowPolicy.redrivePermission RedriveAllowPolicy.sourceQueueArns Tags.* " + " ".join(ATTRIBUTES),
        queue,
    ),
    resource_type("AWS::SQS::QueuePolicy", "PolicyDocument.* Queues", queue_policy),
)
