"""Whether somebody gets the alarms: subscriptions are confirmed, deliveries arrive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from cli.doctor.checks.installation import Installation, Resource
from cli.doctor.findings import Finding, failed, ok, warning

TOPIC, SUBSCRIPTION = "AWS::SNS::Topic", "AWS::SNS::Subscription"
# How the logical IDs of topics for people begin (stacks/storage.py, stacks/parts/mail.py).
ALERTS, TEAMS = "Alerts", "AlarmsOf"
PENDING = "PendingConfirmation"
UNDELIVERED_DAYS = 7


def check(installation: Installation) -> Iterator[Finding]:
    """Look at the subscriptions of both topics, and at what SNS could not deliver in the last week."""
    pages = installation.client("sns").get_paginator("list_subscriptions_by_topic")
    topics = installation.resources(TOPIC)
    # With teams each address gets what no other gets: one that has not confirmed is a team that hears nothing.
    each_counts = any(topic.logical_id.startswith(TEAMS) for topic in topics)
    for topic in topics:
        arn, people = topic.physical_id, topic.logical_id.startswith((ALERTS, TEAMS))
        found = [each for page in pages.paginate(TopicArn=arn) for each in page["Subscriptions"]]
        yield from subscribed(arn, found, people=people, each_counts=each_counts)
        if each_counts:
            yield from unsubscribed(arn, _wanted(installation, topic), found)
        yield from undelivered(arn, _undelivered(installation, arn))


def unsubscribed(topic: str, wanted: frozenset[str], subscriptions: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """The addresses that the topic does not know any more: somebody, or a scanner of links, unsubscribed them."""
    for address in sorted(wanted - {str(each["Endpoint"]) for each in subscriptions}):
        yield failed(
            topic,
            f"{address} is not subscribed any more, and gets no message",
            f"aws sns subscribe --topic-arn {topic} --protocol email --notification-endpoint {address}, with the filter policy "
            "that the template gives it; then click the link in AWS's mail",
        )


def subscribed(
    topic: str, subscriptions: Sequence[Mapping[str, Any]], *, people: bool, each_counts: bool = False
) -> Iterator[Finding]:
    """The subscribers of a topic; people must have one, programs need not."""
    confirmed = [each for each in subscriptions if each["SubscriptionArn"].startswith("arn:")]
    for each in subscriptions:
        if each["SubscriptionArn"] == PENDING:
            report = failed if people and (each_counts or not confirmed) else warning
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


def _wanted(installation: Installation, topic: Resource) -> frozenset[str]:
    """The addresses that the topic's template subscribes."""
    found = [
        each["Properties"]
        for each in installation.template(topic.stack)["Resources"].values()
        if each["Type"] == SUBSCRIPTION
    ]
    own = [each for each in found if each["TopicArn"] == {"Ref": topic.logical_id} and each["Protocol"] == "email"]
    return frozenset(str(each["Endpoint"]) for each in own)


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
