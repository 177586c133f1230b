"""Whether somebody gets the alarms: subscriptions are confirmed, deliveries arrive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from cli.doctor.checks.installation import Installation
from cli.doctor.findings import Finding, failed, ok, warning

TOPIC = "AWS::SNS::Topic"
PENDING = "PendingConfirmation"
UNDELIVERED_DAYS = 7


def check(installation: Installation) -> Iterator[Finding]:
    """Look at the subscriptions of both topics, and at what SNS could not deliver in the last week."""
    pages = installation.client("sns").get_paginator("list_subscriptions_by_topic")
    for topic in installation.resources(TOPIC):
        arn = topic.physical_id
        found = [each for page in pages.paginate(TopicArn=arn) for each in page["Subscriptions"]]
        yield from subscribed(arn, found, people=topic.logical_id.startswith("Alerts"))
        yield from undelivered(arn, _undelivered(installation, arn))


def subscribed(topic: str, subscriptions: Sequence[Mapping[str, Any]], *, people: bool) -> Iterator[Finding]:
    """The subscribers of a topic; people must have one, programs need not."""
    confirmed = [each for each in subscriptions if each["SubscriptionArn"].startswith("arn:")]
    for each in subscriptions:
        if each["SubscriptionArn"] == PENDING:
            report = failed if people and not confirmed else warning
            yield report(
                topic,
                f"{each['Endpoint']} has not confirmed its subscription, and gets no message",
                "click the link in AWS's mail (look into the spam folder); to have it sent again: aws sns subscribe "
                f"--topic-arn {topic} --protocol {each['Protocol']} --notification-endpoint {each['Endpoint']}",
            )
    if confirmed:
        yield ok(topic, f"{len(confirmed)} confirmed: {', '.join(each['Endpoint'] for each in confirmed)}")
    elif people and not subscriptions:
        remedy = f"aws sns subscribe --topic-arn {topic} --protocol email --notification-endpoint YOU@EXAMPLE.COM"
        yield failed(topic, "nobody has subscribed, so nobody gets alerts", f"{remedy}; or set alert_email in cdk.json")
    elif not people:
        yield ok(topic, "no program listens, and none has to")


def undelivered(topic: str, messages: int) -> Iterator[Finding]:
    """Deliveries that SNS gave up on: an address that bounces, an endpoint that is gone."""
    if messages:
        yield warning(
            topic,
            f"SNS could not deliver {messages} messages within {UNDELIVERED_DAYS} days; does an address bounce?",
            f"aws sns list-subscriptions-by-topic --topic-arn {topic}, then replace the subscription that does not answer",
        )


def _undelivered(installation: Installation, topic: str) -> int:
    now, days = installation.now, timedelta(days=UNDELIVERED_DAYS)
    answer = installation.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SNS",
        MetricName="NumberOfNotificationsFailed",
        StartTime=now - days,
        EndTime=now,
        Dimensions=[{"Name": "TopicName", "Value": topic.rpartition(":")[2]}],
        Period=86400,
        Statistics=["Sum"],
    )
    return int(sum(point["Sum"] for point in answer["Datapoints"]))
