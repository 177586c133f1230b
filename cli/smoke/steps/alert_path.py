"""Step 3: whether Kedge's messages reach somebody."""

from __future__ import annotations

from cli.operator.deployment import STORAGE
from cli.smoke.model import MODEL
from cli.smoke.proof import NotProvedError, Proof
from cli.smoke.world import Smoke

TOPICS = ("Alerts", "Events")
PENDING = "PendingConfirmation"


def topics_of(smoke: Smoke) -> dict[str, str]:
    """The ARN of each topic, by name."""
    return {name: smoke.deployment.find(STORAGE, "AWS::SNS::Topic", name) for name in TOPICS}


def listen(smoke: Smoke) -> dict[str, str]:
    """Have the listener hear all topics; their ARNs."""
    topics = topics_of(smoke)
    smoke.listener.open(topics, smoke.waiting)
    return topics


def prove(smoke: Smoke) -> Proof:
    """Publish to both topics, receive the messages through a queue, and look whether every subscription is confirmed."""
    subscribed = {name: _subscribers(smoke, arn) for name, arn in topics_of(smoke).items()}
    topics = listen(smoke)
    for name, arn in topics.items():
        said = f"A test of `kedge smoke`: nothing is wrong, and nothing is to be done ({smoke.now:%Y-%m-%dT%H:%M:%SZ})."
        smoke.client("sns").publish(TopicArn=arn, Subject=f"{MODEL}: a test of the alert path", Message=said)
        if smoke.listener.hears(arn, said, waiting=smoke.waiting) is None:
            raise NotProvedError(
                f"a message to {name} was accepted, but never came to a subscribed queue",
                arn=arn,
                remedy="look at the key's policy: SNS must decrypt with it; `kedge doctor` looks at both",
            )
    told = [f"{count} of {name}" for name, count in subscribed.items() if count]
    if not told:
        raise NotProvedError(
            "both topics work, but nobody is subscribed to either",
            arn=topics["Alerts"],
            remedy="put `alert_email` into the context of cdk.json and deploy, or subscribe a pager to Events",
        )
    return Proof(
        topics["Alerts"],
        f"both topics deliver to a queue, and the subscriptions are confirmed ({', '.join(told)}); "
        "check that the test mail has come",
    )


def _subscribers(smoke: Smoke, topic: str) -> int:
    pages = smoke.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    found = [s for page in pages for s in page["Subscriptions"] if not smoke.listener.is_own(s["Endpoint"])]
    for subscription in found:
        if subscription["SubscriptionArn"] == PENDING:
            raise NotProvedError(
                f"the subscription of {subscription['Endpoint']} is not confirmed: it gets no message",
                arn=topic,
                remedy="click the link in the mail *AWS Notification - Subscription Confirmation*; after three days "
                "it has expired, then subscribe again",
            )
    return len(found)
