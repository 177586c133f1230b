"""The one way we make a topic: encrypted with our key, over TLS only, and open to CloudWatch's alarms."""

from __future__ import annotations

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from stacks.parts.access import source_account
from stacks.parts.naming import stage_of


def add_topic(
    scope: Construct, name: str, *, display_name: str, key: kms.IKey, topic_name: str | None = None
) -> sns.Topic:
    """Make a topic that alarms of this account may publish to."""
    topic = sns.Topic(
        scope,
        name,
        topic_name=topic_name,
        display_name=f"{display_name} {stage_of(scope).name}".rstrip(),
        master_key=key,
        enforce_ssl=True,
    )
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            sid="AlarmsPublish",
            actions=["sns:Publish"],
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            resources=[topic.topic_arn],
            conditions=source_account(scope),
        )
    )
    return topic
