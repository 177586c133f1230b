"""Where everything is kept: the data bucket, the state table, the key, and the topics for messages."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from kedge.config.owners import CHANNELS
from kedge.config.prices import PAST_VERSION_DAYS, TIERED_AFTER_DAYS, TIERED_BYTES_MIN
from stacks.budget import add_budget
from stacks.parts.access import WAITING_INDEX, acknowledge, source_account
from stacks.parts.capture_buckets import CaptureBuckets
from stacks.parts.log_groups import logs_may_use_key
from stacks.parts.mail import Mail
from stacks.parts.naming import stage_of, synthesizer
from stacks.parts.topics import add_topic
from stacks.promotion import PackageTaker, let_takers_read
from stacks.surroundings import NOTHING, Surroundings

# Data outlives its stack, but not a deployment that failed to make it: nothing is in it yet, the next deployment makes its
# own, and the alias of a key that stayed would be taken.
DATA_BUCKET = "DataBucket"
KEEP = cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE


class Storage(cdk.Stack):
    """Nodes that outlive every deployment."""

    def __init__(  # noqa: PLR0913  # facts of the deployment, each by itself
        self,
        scope: Construct,
        name: str,
        *,
        env: cdk.Environment,
        mail: Mail,
        captures: CaptureBuckets | None = None,
        around: Surroundings = NOTHING,
        takers: Sequence[PackageTaker] = (),
        budget_usd: float | None = None,
    ) -> None:
        super().__init__(scope, name, env=env, synthesizer=synthesizer(), description="Kedge: data, state and topics")
        # Not made here, and only ever read.
        self.captures = captures or CaptureBuckets()
        self.takers = tuple(takers)
        self.key = self._key(
            around.key, chat=any(model.owner.room(channel) for model in mail.models for channel in CHANNELS)
        )
        self.data = self._data_bucket(around.bucket)
        let_takers_read(self.data, self.key, self.takers)
        self.state = _state_table(self, key=self.key)
        self.alerts = add_topic(self, "Alerts", display_name="Kedge", key=self.key)
        self.events = add_topic(self, "Events", display_name="Kedge events", key=self.key)

        if budget_usd is not None:
            add_budget(self, budget_usd, topic=self.alerts, key=self.key)

        self.mail = mail
        mail.subscribe(self.alerts)
        mail.add_alarm_topics(self, self.key)
        if not mail.alert_email:
            cdk.Annotations.of(self.alerts).add_warning_v2(
                "kedge:nobody",
                "nobody gets a mail of the deployment's own, nor of a budget: write alert_email into the context of cdk.json",
            )

    def _key(self, arn: str | None, *, chat: bool) -> kms.IKey:
        # The policy of a key that was there already is its owners' (docs/stages.md says what it must let in).
        if arn is not None:
            return kms.Key.from_key_arn(self, "Key", arn)
        key = _key(self)
        if chat:
            _chat_may_read(key, self)
        return key

    def _data_bucket(self, name: str | None) -> s3.IBucket:
        if name is None:
            return _data_bucket(self, key=self.key, access_logs=_access_log_bucket(self))
        # `kedge` finds the bucket here: it is no resource of the stack.
        cdk.CfnOutput(self, DATA_BUCKET, value=name, description="Kedge: the data bucket, which was there already")
        return s3.Bucket.from_bucket_attributes(self, "Data", bucket_name=name, encryption_key=self.key)


def _key(scope: Construct) -> kms.Key:
    key = kms.Key(
        scope,
        "Key",
        alias=stage_of(scope).named("kedge"),
        enable_key_rotation=True,
        removal_policy=KEEP,
        description="Kedge",
    )
    # CloudWatch alarms publish to encrypted topics with a permission of the key, not of a role.
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="AlarmsPublishEncrypted",
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            resources=["*"],
            conditions=source_account(scope),
        )
    )
    logs_may_use_key(key)
    return key


def _chat_may_read(key: kms.Key, scope: Construct) -> None:
    # AWS contradicts itself on whether Amazon Q Developer reads an encrypted topic by itself, or SNS reads it for it.
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="ChatReadsEncrypted",
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            principals=[iam.ServicePrincipal("chatbot.amazonaws.com")],
            resources=["*"],
            conditions=source_account(scope),
        )
    )


def _access_log_bucket(scope: Construct) -> s3.Bucket:
    bucket = s3.Bucket(
        scope,
        "AccessLogs",
        # S3 delivers access logs only to buckets encrypted with its own keys.
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
        encryption=s3.BucketEncryption.S3_MANAGED,
        enforce_ssl=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(90))],
        removal_policy=KEEP,
    )
    acknowledge(bucket, "AwsSolutions-S1", "it is the log bucket: logging its own deliveries would never end")
    return bucket


def _data_bucket(scope: Construct, *, key: kms.IKey, access_logs: s3.Bucket) -> s3.Bucket:
    bucket = s3.Bucket(
        scope,
        "Data",
        encryption=s3.BucketEncryption.KMS,
        encryption_key=key,
        bucket_key_enabled=True,
        enforce_ssl=True,
        versioned=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        server_access_logs_bucket=access_logs,
        server_access_logs_prefix="data/",
        lifecycle_rules=[
            # Day objects are replaced with every fold: their past versions are for accidents, not for ever. The mark of a
            # deletion goes with the last version behind it.
            s3.LifecycleRule(
                noncurrent_version_expiration=cdk.Duration.days(PAST_VERSION_DAYS), expired_object_delete_marker=True
            ),
            s3.LifecycleRule(abort_incomplete_multipart_upload_after=cdk.Duration.days(7)),
            # What Athena joined is measured at once. A message that asks for it may lie in its queue for 4 days, and then with
            # the dead letters for 14.
            s3.LifecycleRule(prefix="athena/", expiration=cdk.Duration.days(21)),
            # What a shadow answered is judged after 30 days at the latest; the verdict's table is in the timeline.
            s3.LifecycleRule(prefix="experiments/", expiration=cdk.Duration.days(90)),
            # A copy of the artefact is kept below artefacts/ before anything is judged by it.
            s3.LifecycleRule(prefix="trained/", expiration=cdk.Duration.days(30)),
            # Most of what lies here is old, and read again by a retraining at most. Reading moves it back, and costs nothing more.
            s3.LifecycleRule(
                object_size_greater_than=TIERED_BYTES_MIN,
                transitions=[
                    s3.Transition(
                        storage_class=s3.StorageClass.INTELLIGENT_TIERING,
                        transition_after=cdk.Duration.days(TIERED_AFTER_DAYS),
                    )
                ],
            ),
        ],
        removal_policy=KEEP,
    )
    acknowledge(
        bucket, "CloudFormation-Validate::W9003", "CDK writes the rule's size as a number; CloudFormation makes it text"
    )
    return bucket


def _state_table(scope: Construct, *, key: kms.IKey) -> dynamodb.Table:
    table = dynamodb.Table(
        scope,
        "State",
        partition_key=dynamodb.Attribute(name="model", type=dynamodb.AttributeType.STRING),
        sort_key=dynamodb.Attribute(name="item", type=dynamodb.AttributeType.STRING),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
        encryption_key=key,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        time_to_live_attribute="expires_at",
        removal_policy=KEEP,
    )
    # Over what somebody must come back to: items without the field `waits` are not in it, and cost it nothing.
    table.add_global_secondary_index(
        index_name=WAITING_INDEX,
        partition_key=dynamodb.Attribute(name="waits", type=dynamodb.AttributeType.STRING),
        sort_key=dynamodb.Attribute(name="model", type=dynamodb.AttributeType.STRING),
        projection_type=dynamodb.ProjectionType.KEYS_ONLY,
    )
    return table
