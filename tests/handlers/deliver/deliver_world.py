"""A small account with a queue for each channel, and what SNS, SQS and Lambda do around the function."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3

from kedge.alerts.routing import severity_of
from lambdas.adapters import clients, secrets
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.channels import programs, sending
from lambdas.adapters.channels.channel import Alert, Topics
from lambdas.handlers import deliver
from offline.delivery import chat
from stacks.chat_rooms import ROOM
from tests import deployed_models
from tests.handlers.aws_world import CONTEXT, MODEL, REGION, aws_world, moto_backend
from tests.handlers.deliver.services import SECRETS, Services, serving
from tests.synthesised import reachable_models

MONDAY = datetime(2016, 1, 4, 3, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
CHANNELS = tuple(SECRETS)


@dataclass
class DeliverWorld:
    """The queues, the services, and the clock on the wall."""

    sqs: Any
    secretsmanager: Any
    dynamodb: Any
    services: Services
    places: Mapping[str, Mapping[str, str]]
    now: datetime = MONDAY
    waits: list[int] = field(default_factory=list)

    def rooms(self, channel: str) -> list[dict[str, Any]]:
        """What Amazon Q Developer shows of the topics of this channel's rooms, in order."""
        topics = moto_backend("sns").topics.items()
        sent = [each[1] for arn, topic in topics if f":{ROOM}{channel}-" in arn for each in topic.sent_notifications]
        found = [chat.read(message) for message in sent]
        return [each for each in found if each is not None]

    def publish(self, entry: Entry, *channels: str) -> None:
        """Put an event into the queues of these channels, as the topic does."""
        told: list[str] = []

        class Topic:
            def publish(self, Message: str, **_: Any) -> None:  # noqa: N803  (boto3's name)
                told.append(Message)

        severity = severity_of(entry.kind, entry.detail)
        programs.send(Topic(), Topics("people", "programs"), Alert(entry, severity, "risk", frozenset(channels)))
        for channel in channels or CHANNELS:
            self.sqs.send_message(QueueUrl=self.places[channel]["queue"], MessageBody=told[0])

    def turn(self, channel: str, *, doubled: bool = False) -> int:
        """Hand over the messages that can be seen; time passes as long as the function wanted to wait.

        A message may be `doubled`, as SQS says: the same copy comes again, whatever became of it.
        """
        url = self.places[channel]["queue"]
        received = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=2, AttributeNames=["All"])
        records = [
            {
                "messageId": each["MessageId"],
                "receiptHandle": each["ReceiptHandle"],
                "body": each["Body"],
                "attributes": each["Attributes"],
                "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:{url.rpartition('/')[2]}",
            }
            for each in received.get("Messages", [])
        ]
        if records:
            already = len(self.waits)
            try:
                answer = deliver.handler({"Records": records}, CONTEXT)
                if doubled:
                    deliver.handler({"Records": records}, CONTEXT)
            except BaseException:
                self.pass_time(360)
                for record in records:
                    self._show_again(url, record)
                raise
            self.pass_time(max(self.waits[already:], default=0))
            failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
            for record in records:
                if record["messageId"] not in failed:
                    self.sqs.delete_message(QueueUrl=url, ReceiptHandle=record["receiptHandle"])
        return len(records)

    def drain(self, *channels: str, turns: int = 30) -> None:
        """Turn until the queues are empty."""
        for channel in channels or CHANNELS:
            for _ in range(turns):
                if not self.turn(channel):
                    break

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def buried(self, channel: str) -> list[tuple[str, str]]:
        """The dead letters of a channel: why, and the body."""
        url = self.places[channel]["dead_letters"]
        found = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        return [
            (each.get("MessageAttributes", {}).get("Reason", {}).get("StringValue", ""), each["Body"])
            for each in found.get("Messages", [])
        ]

    def put_secret(self, channel: str, text: str) -> None:
        self.secretsmanager.put_secret_value(SecretId=f"kedge/{channel}", SecretString=text)

    def _show_again(self, url: str, record: Mapping[str, Any]) -> None:
        handle = record["receiptHandle"]
        self.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)


def window(news: str, *, weeks: int = 0, **more: Any) -> Entry:
    """What is told of a window of the one episode."""
    end = MONDAY + weeks * WEEK
    episode = {
        "news": news,
        "since": "2016-01-04T03:00:00Z",
        "opened": "2016-01-04T03:00:00Z",
        "new": {"column adr": "CRITICAL"},
        "reminder_days": 28,
    }
    detail = {
        "severity": "OK" if news == "ends" else "CRITICAL",
        "window": {"start": f"{end - WEEK:%Y-%m-%dT00:00:00Z}", "end": f"{end:%Y-%m-%dT03:00:00Z}", "rows": 1200},
        "package_version": "1",
        "reasons": ["adr: KS 0.37 (0.03 without drift; limit 0.1) & <rising>"],
        "columns": [{"name": "adr", "severity": "CRITICAL"}],
        "alarm_episode": episode,
        "on_drift": "when_labels_lag",
        "mode": "manage",
        "report": f"s3://data/reports/{MODEL}/1/{end:%Y-%m-%dT%H}/drift-r1.html",
    }
    return Entry(MODEL, "window_judged", end, detail | more)


def failed(**more: Any) -> Entry:
    """What is told of a retraining that failed."""
    facts = {"run": "m-r1", "machine": "retrain", "state": "Train", "error": "E", "cause": ""}
    return Entry(MODEL, "failed", MONDAY, facts | more)


@contextmanager
def deliver_world(
    monkeypatch: Any, folder: Path, directory: Callable[[], Path] = reachable_models
) -> Iterator[DeliverWorld]:
    """Everything, with the secrets in Secrets Manager and a second of patience."""
    deployed_models.choose(monkeypatch, directory())
    monkeypatch.setattr(sending, "SECONDS_MAX", 1)
    secrets.forget()
    with serving(folder, monkeypatch) as services, aws_world(monkeypatch):
        secretsmanager, sqs = boto3.client("secretsmanager"), clients.sqs()
        for channel, text in SECRETS.items():
            secretsmanager.create_secret(Name=f"kedge/{channel}", SecretString=text)
        places = {
            channel: {
                part: boto3.client("sqs").create_queue(QueueName=f"To-{channel}-{part}")["QueueUrl"]
                for part in ("queue", "dead_letters")
            }
            for channel in CHANNELS
        }
        monkeypatch.setenv("CHANNEL_QUEUES", json.dumps(places))
        monkeypatch.setenv("ROOMS_BEGIN", f"arn:aws:sns:{REGION}:123456789012:{ROOM}")
        world = DeliverWorld(boto3.client("sqs"), secretsmanager, clients.dynamodb(), services, places)
        monkeypatch.setattr(deliver, "wall_clock", lambda: world.now)

        def at_once(params: dict[str, Any], **_: Any) -> None:
            # The world's clock waits in its place.
            world.waits.append(params["VisibilityTimeout"])
            params["VisibilityTimeout"] = 0

        sqs.meta.events.register("provide-client-params.sqs.ChangeMessageVisibility", at_once)
        yield world
    secrets.forget()
