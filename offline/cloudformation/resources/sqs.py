"""AWS::SQS::Queue and AWS::SQS::QueuePolicy."""

from __future__ import annotations

from typing import Any

from offline.cloudformation.resource_type import Made, Making, ResourceType, refuse, tags, text

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


def update_queue(making: Making, made: Made, old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Change a queue's attributes; its messages stay."""
    refuse(making, {}, {key: old[key] for key in old if key not in new}, *ATTRIBUTES)
    attributes = {key: _attribute(new[key]) for key in ATTRIBUTES if key in new}
    attributes |= {key: text(new.get(key, "")) for key in DOCUMENTS if key in new or key in old}
    making.client("sqs").set_queue_attributes(QueueUrl=made.reference, Attributes=attributes)
    return made


def delete_queue(making: Making, made: Made, _properties: dict[str, Any]) -> None:
    """Delete a queue with its messages."""
    making.client("sqs").delete_queue(QueueUrl=made.reference)


def queue_exists(making: Making, name: str) -> bool:
    """Tell whether a queue has the name: CreateQueue would return it."""
    urls = making.client("sqs").list_queues(QueueNamePrefix=name).get("QueueUrls", [])
    return any(url.endswith(f"/{name}") for url in urls)


def _attribute(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def queue_policy(making: Making, properties: dict[str, Any]) -> Made:
    """Give each queue named its policy."""
    for url in properties["Queues"]:
        making.client("sqs").set_queue_attributes(
            QueueUrl=url, Attributes={"Policy": text(properties["PolicyDocument"])}
        )
    return Made(making.name())


def update_queue_policy(making: Making, made: Made, old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Put a policy anew, and take it from the queues that are named no more."""
    _without_policy(making, set(old["Queues"]) - set(new["Queues"]))
    queue_policy(making, new)
    return made


def delete_queue_policy(making: Making, _made: Made, properties: dict[str, Any]) -> None:
    """Take the policy of each queue away."""
    _without_policy(making, set(properties["Queues"]))


def _without_policy(making: Making, urls: set[str]) -> None:
    for url in sorted(urls):
        making.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})


TYPES = (
    ResourceType(
        "AWS::SQS::Queue",
        "QueueName RedrivePolicy.deadLetterTargetArn RedrivePolicy.maxReceiveCount"
        " RedriveAllowPolicy.redrivePermission RedriveAllowPolicy.sourceQueueArns Tags.* " + " ".join(ATTRIBUTES),
        queue,
        delete_queue,
        update=update_queue,
        replaced_by="FifoQueue",
        named_by="QueueName",
        exists=queue_exists,
    ),
    ResourceType(
        "AWS::SQS::QueuePolicy",
        "PolicyDocument.* Queues",
        queue_policy,
        delete_queue_policy,
        update=update_queue_policy,
    ),
)
