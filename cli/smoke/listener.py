"""A queue that receives Kedge's messages while the smoke runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cli.smoke.model import MODEL
from cli.smoke.waiting import SmokeWaiting
from lambdas.stage import current


def queue_name() -> str:
    """The name of the queue, in its stage."""
    return current().named(f"{MODEL}-listener")


class Listener:
    """The messages of some topics, in the order in which they came."""

    def __init__(self, sqs: Any, sns: Any) -> None:
        self._sqs, self._sns = sqs, sns
        self._heard: list[tuple[str, Mapping[str, Any]]] = []
        self.url = ""

    def open(self, topics: Mapping[str, str], waiting: SmokeWaiting) -> None:
        """Make the queue and subscribe it to topics, by name their ARN; a second call changes nothing."""
        if self.url:
            return
        url = str(self._sqs.create_queue(QueueName=queue_name())["QueueUrl"])
        asked = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        arn = asked["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": list(topics.values())}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        for topic in topics.values():
            self._sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
        self.url = url
        # SQS takes up to a minute to apply a new policy, and SNS does not retry a forbidden delivery.
        waiting.pause(60)

    def is_own(self, endpoint: str) -> bool:
        """Whether a subscription's endpoint is this queue, perhaps an earlier run's."""
        return endpoint.endswith(f":{queue_name()}")

    def heard(self, topic: str) -> list[str]:
        """The messages of a topic so far."""
        while messages := self._sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                notice = json.loads(message["Body"])
                self._heard.append((notice["TopicArn"], notice))
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return [str(notice["Message"]) for arn, notice in self._heard if arn == topic]

    def hears(self, topic: str, *words: str, waiting: SmokeWaiting, minutes: float = 5) -> str | None:
        """The first message of a topic with all these words; None if none comes in time."""

        def found() -> str | None:
            return next((text for text in self.heard(topic) if all(word in text for word in words)), None)

        return waiting.until(found, minutes=minutes)
