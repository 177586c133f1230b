"""AWS::SNS::Topic, TopicPolicy and Subscription, and the channel configurations of AWS::Chatbot, which subscribe themselves to topics.

Not imitated: that an administrator must let Amazon Q Developer (AWS Chatbot) into the workspace or the team first, in the
console. What is typed in the room, the guardrail and the log have no effect.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from offline.cloudformation.resource_type import Made, Making, ResourceType, tags, text
from offline.delivery.chat import endpoint_of

TOPIC_ATTRIBUTES = ("DisplayName", "KmsMasterKeyId", "SignatureVersion", "TracingConfig")
SUBSCRIPTION_ATTRIBUTES = ("FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy")
CHAT_CONFIGURATION = (
    "ConfigurationName IamRoleArn GuardrailPolicies CustomizationResourceArns SnsTopicArns LoggingLevel "
    "UserRoleRequired Tags.*"
)


def topic(making: Making, properties: dict[str, Any]) -> Made:
    """Make a topic."""
    name = properties.get("TopicName") or making.name(255)
    attributes = {key: str(properties[key]) for key in TOPIC_ATTRIBUTES if key in properties}
    arn = making.client("sns").create_topic(Name=name, Attributes=attributes, Tags=tags(properties))["TopicArn"]
    return Made(arn, {"TopicArn": arn, "TopicName": name})


def update_topic(making: Making, made: Made, old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Change a topic's attributes; its subscriptions stay."""
    for key in TOPIC_ATTRIBUTES:
        if new.get(key) != old.get(key):
            making.client("sns").set_topic_attributes(
                TopicArn=made.reference, AttributeName=key, AttributeValue=str(new.get(key, ""))
            )
    return made


def delete_topic(making: Making, made: Made, _properties: dict[str, Any]) -> None:
    """Delete a topic with its subscriptions."""
    making.client("sns").delete_topic(TopicArn=made.reference)


def topic_exists(making: Making, name: str) -> bool:
    """Tell whether a topic has the name: CreateTopic would return it."""
    topics = making.client("sns").get_paginator("list_topics").paginate()
    return any(topic["TopicArn"].endswith(f":{name}") for page in topics for topic in page["Topics"])


def update_topic_policy(making: Making, made: Made, old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Put a policy anew, and give topics that are named no more the default one."""
    _to_default_policy(making, set(old["Topics"]) - set(new["Topics"]))
    topic_policy(making, new)
    return made


def delete_topic_policy(making: Making, _made: Made, properties: dict[str, Any]) -> None:
    """Give topics the policy of every new topic again."""
    _to_default_policy(making, set(properties["Topics"]))


def _to_default_policy(making: Making, arns: set[str]) -> None:
    # No API call takes a policy away; a new topic's admits its own account alone.
    for arn in sorted(arns):
        owner = {"StringEquals": {"AWS:SourceOwner": making.region.account_id}}
        allowed = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "SNS:Publish", "Resource": arn}
        document = {"Version": "2008-10-17", "Statement": [{**allowed, "Condition": owner}]}
        making.client("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=text(document))


def update_subscription(making: Making, made: Made, old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Change what a subscription lets through."""
    wanted, before = _subscription_attributes(new), _subscription_attributes(old)
    for key in SUBSCRIPTION_ATTRIBUTES:
        if wanted.get(key) != before.get(key):
            making.client("sns").set_subscription_attributes(
                SubscriptionArn=made.reference, AttributeName=key, AttributeValue=wanted.get(key, "{}")
            )
    return made


def delete_subscription(making: Making, made: Made, _properties: dict[str, Any]) -> None:
    """Send to an endpoint no more."""
    making.client("sns").unsubscribe(SubscriptionArn=made.reference)


def _subscription_attributes(properties: dict[str, Any]) -> dict[str, str]:
    attributes = {}
    for key in SUBSCRIPTION_ATTRIBUTES:
        if key in properties:
            value = properties[key]
            attributes[key] = str(value).lower() if isinstance(value, bool) else text(value)
    return attributes


def topic_policy(making: Making, properties: dict[str, Any]) -> Made:
    """Give each topic named its policy."""
    for arn in properties["Topics"]:
        making.client("sns").set_topic_attributes(
            TopicArn=arn, AttributeName="Policy", AttributeValue=text(properties["PolicyDocument"])
        )
    return Made(making.name())


def subscription(making: Making, properties: dict[str, Any]) -> Made:
    """Subscribe an endpoint to a topic; an e-mail address counts as confirmed."""
    arn = making.client("sns").subscribe(
        TopicArn=properties["TopicArn"],
        Protocol=properties["Protocol"],
        Endpoint=properties["Endpoint"],
        Attributes=_subscription_attributes(properties),
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    return Made(arn, {"Arn": arn})


def chat_configuration(making: Making, properties: dict[str, Any], *, kind: str, channel: str) -> Made:
    """Subscribe the room to its topics, without a filter, as the service does."""
    name = properties["ConfigurationName"]
    role = properties["IamRoleArn"].rpartition("/")[2]
    trusted = making.client("iam").get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    if "chatbot.amazonaws.com" not in str(trusted):
        raise ValueError(f"Amazon Q Developer cannot assume the role {role}")
    for topic in properties.get("SnsTopicArns", ()):
        making.client("sns").subscribe(
            TopicArn=topic, Protocol="https", Endpoint=endpoint_of(properties[channel]), ReturnSubscriptionArn=True
        )
    return Made(f"arn:aws:chatbot::{making.region.account_id}:chat-configuration/{kind}/{name}")


def delete_chat_configuration(making: Making, _made: Made, properties: dict[str, Any], *, channel: str) -> None:
    """Take the subscriptions away; a topic that is gone has none."""
    sns = making.client("sns")
    for page in sns.get_paginator("list_subscriptions").paginate():
        for each in page["Subscriptions"]:
            mine = each["TopicArn"] in properties.get("SnsTopicArns", ())
            if mine and each["Endpoint"] == endpoint_of(properties[channel]):
                sns.unsubscribe(SubscriptionArn=each["SubscriptionArn"])


TYPES = (
    ResourceType(
        "AWS::SNS::Topic",
        "TopicName Tags.* " + " ".join(TOPIC_ATTRIBUTES),
        topic,
        delete_topic,
        update=update_topic,
        named_by="TopicName",
        exists=topic_exists,
    ),
    ResourceType(
        "AWS::SNS::TopicPolicy",
        "PolicyDocument.* Topics",
        topic_policy,
        delete_topic_policy,
        update=update_topic_policy,
    ),
    ResourceType(
        "AWS::SNS::Subscription",
        "TopicArn Protocol Endpoint FilterPolicy.* FilterPolicyScope RawMessageDelivery RedrivePolicy.*",
        subscription,
        delete_subscription,
        update=update_subscription,
        replaced_by="TopicArn Protocol Endpoint",
    ),
    ResourceType(
        "AWS::Chatbot::SlackChannelConfiguration",
        f"{CHAT_CONFIGURATION} SlackChannelId SlackWorkspaceId",
        partial(chat_configuration, kind="slack-channel", channel="SlackChannelId"),
        partial(delete_chat_configuration, channel="SlackChannelId"),
        named_by="ConfigurationName",
    ),
    ResourceType(
        "AWS::Chatbot::MicrosoftTeamsChannelConfiguration",
        f"{CHAT_CONFIGURATION} TeamId TeamsTenantId TeamsChannelId TeamsChannelName",
        partial(chat_configuration, kind="microsoft-teams-channel", channel="TeamsChannelId"),
        partial(delete_chat_configuration, channel="TeamsChannelId"),
        named_by="ConfigurationName",
    ),
)
