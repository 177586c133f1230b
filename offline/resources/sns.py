"""AWS::SNS::Topic, AWS::SNS::TopicPolicy and AWS::SNS::Subscription."""

from __future__ import annotations

from typing import Any

from offline.resources.model import Made, Making, resource_type, tags, text

TOPIC_ATTRIBUTES = ("DisplayName", "KmsMasterKeyId", "SignatureVersion", "TracingConfig")
SUBSCRIPTION_ATTRIBUTES = ("FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy")


def topic(making: Making, properties: dict[str, Any]) -> Made:
    """Make a topic."""
    name = properties.get("TopicName") or making.name(255)
    attributes = {key: str(properties[key]) for key in TOPIC_ATTRIBUTES if key in properties}
    arn = making.client("sns").create_topic(Name=name, Attributes=attributes, Tags=tags(properties))["TopicArn"]
    return Made(arn, {"TopicArn": arn, "TopicName": name})


def topic_policy(making: Making, properties: dict[str, Any]) -> Made:
    """Give each topic named its policy."""
    for arn in properties["Topics"]:
        making.client("sns").set_topic_attributes(
            TopicArn=arn, AttributeName="Policy", AttributeValue=text(properties["PolicyDocument"])
        )
    return Made(making.name())


def subscription(making: Making, properties: dict[str, Any]) -> Made:
    """Subscribe an endpoint to a topic; an e-mail address counts as confirmed."""
    attributes = {}
    for key in SUBSCRIPTION_ATTRIBUTES:
        if key in properties:
            value = properties[key]
            attributes[key] = str(value).lower() if isinstance(value, bool) else text(value)
    arn = making.client("sns").subscribe(
        TopicArn=properties["TopicArn"],
        Protocol=properties["Protocol"],
        Endpoint=properties["Endpoint"],
        Attributes=attributes,
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    return Made(arn, {"Arn": arn})


TYPES = (
    resource_type("AWS::SNS::Topic", "TopicName Tags.* " + " ".join(TOPIC_ATTRIBUTES), topic),
    resource_type("AWS::SNS::TopicPolicy", "PolicyDocument.* Topics", topic_policy),
    resource_type(
        "AWS::SNS::Subscription",
        "TopicArn Protocol Endpoint FilterPolicy.* FilterPolicyScope RawMessageDelivery RedrivePolicy.*",
        subscription,
    ),
)
