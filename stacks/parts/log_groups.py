"""The one way we make a log group: encrypted with our key, kept for three months."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

LOG_RETENTION = logs.RetentionDays.THREE_MONTHS


def add_log_group(scope: Construct, name: str, *, key: kms.IKey, log_group_name: str | None = None) -> logs.LogGroup:
    """Make a log group that the key encrypts; the key's policy lets the region's CloudWatch Logs use it."""
    return logs.LogGroup(
        scope,
        name,
        log_group_name=log_group_name,
        encryption_key=key,
        retention=LOG_RETENTION,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )


def logs_may_use_key(key: kms.Key) -> None:
    """Let CloudWatch Logs encrypt this account's log groups: it names the group in the encryption context.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    """
    stack = cdk.Stack.of(key)
    groups = stack.format_arn(
        service="logs", resource="log-group", resource_name="*", arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME
    )
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="LogsEncrypted",
            actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
            principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
            resources=["*"],
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        )
    )
