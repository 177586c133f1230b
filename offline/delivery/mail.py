"""SNS: a topic's messages reach its subscriptions; those by e-mail become .eml files that a mail program opens.

The real service asks an e-mail subscriber to confirm first (here everyone does at once, but for addresses that end in
`.invalid`: no mail reaches them, so their subscription stays PendingConfirmation and gets nothing), signs what it sends to machines (here
the signature is a word), and retries HTTP endpoints (here a message to one is only recorded). Imitated: e-mail,
e-mail-JSON, SQS with or without raw delivery, Lambda; filter policies; the limits on subject and message. SMS and
mobile push are refused. The queue's policy must let the topic send.
"""

from __future__ import annotations

import json
import re
from datetime import UTC
from email.message import EmailMessage
from email.policy import default
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from moto.sns.exceptions import SNSInvalidParameter
from moto.sns.models import SNSBackend, Subscription

from offline.delivery.targets import Caller, TargetError, Targets
from offline.metrics.cloudwatch import Metrics
from offline.region import Region

PRINCIPAL = "sns.amazonaws.com"
SUBJECT_LENGTH_MAX = 100
MESSAGE_BYTES_MAX = 262_144
PROTOCOLS = ("email", "email-json", "sqs", "lambda", "http", "https")
SLUG_LENGTH_MAX = 60
# RFC 2606 keeps this domain free: nobody has it.
UNREACHABLE = ".invalid"


def install(region: Region, post: Post) -> None:
    """Have moto's topics deliver."""
    publish, subscribe = SNSBackend.publish, SNSBackend.subscribe

    def checked_publish(backend: Any, message: str, *args: Any, subject: str | None = None, **kwargs: Any) -> Any:
        _check(message, subject)
        return publish(backend, message, *args, subject=subject, **kwargs)

    def checked_subscribe(backend: Any, topic_arn: str, endpoint: str, protocol: str) -> Any:
        if protocol not in PROTOCOLS:
            raise SNSInvalidParameter(f"Invalid parameter: subscriptions by {protocol} are not imitated")
        subscription = subscribe(backend, topic_arn, endpoint, protocol)
        if endpoint.endswith(UNREACHABLE):
            # Filed under its ARN still, as AWS keeps it; listed without one.
            subscription.arn = "PendingConfirmation"
        return subscription

    def deliver(subscription: Any, message: str, message_id: str, **kwargs: Any) -> None:
        post.deliver(subscription, message, message_id, **kwargs)

    region.patch(SNSBackend, "publish", checked_publish)
    region.patch(SNSBackend, "subscribe", checked_subscribe)
    region.patch(Subscription, "publish", deliver)


class Post:
    """Carries a published message to one subscription."""

    def __init__(self, region: Region, targets: Targets, metrics: Metrics) -> None:
        self.region, self.targets, self.metrics = region, targets, metrics
        self.recorded: list[tuple[str, dict[str, Any]]] = []
        self._mails = 0

    @property
    def directory(self) -> Path:
        """Where the mails lie."""
        return self.region.directory / "mail"

    def deliver(
        self,
        subscription: Any,
        message: str,
        message_id: str,
        subject: str | None = None,
        message_attributes: dict[str, Any] | None = None,
        message_structure: str | None = None,
        **_fifo: Any,
    ) -> None:
        """Deliver a message to a subscription unless its filter policy keeps it out."""
        if subscription.endpoint.endswith(UNREACHABLE):
            return
        matcher = subscription._filter_policy_matcher
        if matcher is not None and not matcher.matches(message_attributes, message):
            return
        if message_structure == "json":
            bodies = json.loads(message)
            message = bodies.get(subscription.protocol, bodies["default"])
        notice = self._notice(subscription, message, message_id, subject, message_attributes)
        protocol = subscription.protocol
        if protocol == "email":
            self._mail(subscription, subject, message + _footer(subscription))
        elif protocol == "email-json":
            self._mail(subscription, subject, json.dumps(notice, indent=2) + "\n")
        elif protocol in ("http", "https"):
            self.recorded.append((subscription.endpoint, notice))
        else:
            self._hand(subscription, notice)

    def _mail(self, subscription: Any, subject: str | None, body: str) -> None:
        now = self.region.clock.now
        mail = EmailMessage(policy=default)
        mail["From"] = "AWS Notifications <no-reply@sns.amazonaws.com>"
        mail["To"] = subscription.endpoint
        mail["Subject"] = subject or "AWS Notification Message"
        mail["Date"] = format_datetime(now)
        self._mails += 1
        mail["Message-ID"] = f"<{self._mails:06d}.{now:%Y%m%d%H%M%S}@{self.region.name}.sns.amazonaws.com>"
        mail.set_content(body)
        slug = re.sub(r"[^a-z0-9]+", "-", (subject or "notification").lower()).strip("-")[:SLUG_LENGTH_MAX].strip("-")
        self.directory.mkdir(parents=True, exist_ok=True)
        name = f"{self._mails:05d}-{now:%Y-%m-%dT%H-%M-%SZ}-{slug}.eml"
        (self.directory / name).write_bytes(mail.as_bytes())

    def _hand(self, subscription: Any, notice: dict[str, Any]) -> None:
        """Hand a notice to a queue or a function."""
        raw = str(subscription.attributes.get("RawMessageDelivery", False)).lower() == "true"
        caller = Caller(PRINCIPAL, subscription.topic.arn)
        dimensions = {"TopicName": subscription.topic.name}
        if subscription.protocol == "lambda":
            payload = json.dumps({"Records": [_lambda_record(subscription, notice)]})
        else:
            payload = notice["Message"] if raw else json.dumps(notice)
        try:
            self.targets.deliver(subscription.endpoint, payload, caller)
            self.metrics.put("AWS/SNS", "NumberOfNotificationsDelivered", 1, dimensions, "Count")
        except TargetError as error:
            self.metrics.put("AWS/SNS", "NumberOfNotificationsFailed", 1, dimensions, "Count")
            self._bury(subscription, payload, error)

    def _bury(self, subscription: Any, payload: str, error: TargetError) -> None:
        policy = subscription.attributes.get("RedrivePolicy")
        if not policy:
            return
        queue = (json.loads(policy) if isinstance(policy, str) else policy)["deadLetterTargetArn"]
        attributes = {"ErrorMessage": {"DataType": "String", "StringValue": str(error)}}
        self.targets.bury(queue, payload, attributes, Caller(PRINCIPAL, subscription.topic.arn))

    def _notice(
        self, subscription: Any, message: str, message_id: str, subject: str | None, attributes: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Return the JSON that SNS sends to machines."""
        now = self.region.clock.now.astimezone(UTC)
        host = f"https://sns.{self.region.name}.amazonaws.com"
        notice: dict[str, Any] = {"Type": "Notification", "MessageId": message_id, "TopicArn": subscription.topic.arn}
        if subject:
            notice["Subject"] = subject
        notice |= {
            "Message": message,
            "Timestamp": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z",
            "SignatureVersion": "1",
            "Signature": "offline",
            "SigningCertURL": f"{host}/SimpleNotificationService-offline.pem",
            "UnsubscribeURL": f"{host}/?Action=Unsubscribe&SubscriptionArn={subscription.arn}",
        }
        if attributes:
            notice["MessageAttributes"] = attributes
        return notice


def _lambda_record(subscription: Any, notice: dict[str, Any]) -> dict[str, Any]:
    body = {"Subject": None, "MessageAttributes": {}} | notice
    body["SigningCertUrl"], body["UnsubscribeUrl"] = body.pop("SigningCertURL"), body.pop("UnsubscribeURL")
    return {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription.arn,
        "Sns": body,
    }


def _footer(subscription: Any) -> str:
    region = subscription.topic.arn.split(":")[3]
    return (
        "\n\n--\nIf you wish to stop receiving notifications from this topic, please click or visit the link below to "
        f"unsubscribe:\nhttps://sns.{region}.amazonaws.com/unsubscribe.html?SubscriptionArn={subscription.arn}"
        f"&Endpoint={subscription.endpoint}\n"
    )


def _check(message: str, subject: str | None) -> None:
    """Refuse what SNS refuses: an empty or oversized message, a subject that is no header."""
    if not message:
        raise SNSInvalidParameter("Invalid parameter: Empty message")
    if len(message.encode()) > MESSAGE_BYTES_MAX:
        raise SNSInvalidParameter("Invalid parameter: Message too long")
    if subject is not None:
        printable = re.fullmatch(r"[!-~][ -~]*", subject)
        if not printable or len(subject) > SUBJECT_LENGTH_MAX:
            raise SNSInvalidParameter("Invalid parameter: Subject")
