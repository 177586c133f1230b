"""Inference logs by Firehose: whoever serves a model puts records, and they arrive below the model's `logs/` in the data bucket."""

from __future__ import annotations

import re

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_logs as logs
from constructs import Construct

from kedge.errors import ModelConfigError
from stacks.parts.access import OBJECTS, acknowledge, allow, may_use_key, objects_below, service_role
from stacks.parts.alarms import add_alarm
from stacks.parts.log_groups import add_log_group
from stacks.parts.naming import stage_of
from stacks.storage import Storage

NAME = "kedge-logs"
# What cannot be assigned to a model is written here, with its reason.
FAILED_PREFIX = "undelivered"
# With dynamic partitioning 64 MB are the least; five minutes are what a window never misses.
BUFFER_MB, BUFFER_SECONDS = 64, 300
WAITING_SECONDS_MAX = 3600
_STREAM = re.compile(r"arn:aws[a-z-]*:kinesis:[a-z0-9-]+:\d{12}:stream/[a-zA-Z0-9_.-]+")


def stream_of_context(given: object) -> str | None:
    """The ARN of the Kinesis stream that the context of `cdk.json` names as a source of records; None where it names none.

    Raises
    ------
    ModelConfigError
    """
    if given in (None, ""):
        return None
    if not isinstance(given, str) or not _STREAM.fullmatch(given):
        raise ModelConfigError(
            source="cdk.json", problems=[f"firehose_stream is {given!r}: the ARN of a Kinesis stream is needed"]
        )
    return given


class Streams(Construct):
    """PutRecord, and perhaps a Kinesis stream, -> Firehose -> logs/{model}/yyyy/mm/dd/hh/."""

    def __init__(
        self, scope: Construct, name: str, *, storage: Storage, stream_arn: str | None, watch_hours: int
    ) -> None:
        super().__init__(scope, name)
        self._storage = storage
        self._log_group = add_log_group(self, "Log", key=storage.key)
        self._role = self._writing_role(stream_arn)
        self._add(NAME, stage_of(self).named(NAME), None)
        if stream_arn is not None:
            # A stream that reads Kinesis takes no PutRecord.
            self._add(f"{NAME}-from-kinesis", stage_of(self).named(f"{NAME}-from-kinesis"), stream_arn)
        metric = cloudwatch.Metric(
            namespace=stage_of(self).namespace,
            metric_name="LogObjectsFailed",
            period=cdk.Duration.hours(watch_hours),
            statistic="Maximum",
        )
        says = f"Kedge: records of an inference log could not be delivered; they lie below {FAILED_PREFIX}/ with their reason"
        topics = [storage.alerts, storage.events]
        add_alarm(self, "LogObjectsFailed", metric, at_least=1, says=says, topics=topics)

    def _writing_role(self, stream_arn: str | None) -> iam.Role:
        role = service_role(
            self, "Role", service="firehose.amazonaws.com", description="Kedge: Firehose writes inference logs"
        )
        data = self._storage.data
        # https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3
        allow(role, "FindBucket", ["s3:GetBucketLocation", "s3:ListBucketMultipartUploads"], [data.bucket_arn])
        starts = {"StringLike": {"s3:prefix": ["logs/*", f"{FAILED_PREFIX}/*"]}}
        allow(role, "ListPrefixes", ["s3:ListBucket"], [data.bucket_arn], conditions=starts)
        writing = ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"]
        allow(role, "WriteLogs", writing, objects_below(data, "logs", FAILED_PREFIX), wildcard=OBJECTS)
        may_use_key(role, self._storage.key)
        streams = f"{self._log_group.log_group_arn.removesuffix(':*')}:log-stream:*"
        allow(role, "TellErrors", ["logs:PutLogEvents"], [streams], wildcard="Firehose names the log streams")
        if stream_arn is not None:
            reading = ["DescribeStream", "GetShardIterator", "GetRecords", "ListShards"]
            allow(role, "ReadStream", [f"kinesis:{action}" for action in reading], [stream_arn])
        return role

    def _add(self, node: str, name: str, stream_arn: str | None) -> None:
        config, key = firehose.CfnDeliveryStream, self._storage.key
        log_stream = logs.CfnLogStream(
            self, f"{node}-Errors", log_group_name=self._log_group.log_group_name, log_stream_name=name
        )
        stream = firehose.CfnDeliveryStream(
            self,
            node,
            delivery_stream_name=name,
            delivery_stream_type="DirectPut" if stream_arn is None else "KinesisStreamAsSource",
            # A stream that reads Kinesis keeps nothing of its own.
            delivery_stream_encryption_configuration_input=config.DeliveryStreamEncryptionConfigurationInputProperty(
                key_type="CUSTOMER_MANAGED_CMK", key_arn=key.key_arn
            )
            if stream_arn is None
            else None,
            kinesis_stream_source_configuration=config.KinesisStreamSourceConfigurationProperty(
                kinesis_stream_arn=stream_arn, role_arn=self._role.role_arn
            )
            if stream_arn is not None
            else None,
            extended_s3_destination_configuration=self._destination(log_stream),
        )
        if stream_arn is not None:
            acknowledge(
                stream,
                "AwsSolutions-KDF1",
                "it reads Kinesis, where the stream's owner encrypts, and Firehose keeps nothing",
            )
        # Firehose tries the role when the stream is made.
        stream.node.add_dependency(self._role)
        waiting = cloudwatch.Metric(
            namespace="AWS/Firehose",
            metric_name="DeliveryToS3.DataFreshness",
            dimensions_map={"DeliveryStreamName": name},
            period=cdk.Duration.minutes(5),
            statistic="Maximum",
        )
        says = f"Kedge: records wait in {name} for an hour; may Firehose still write to the data bucket?"
        topics = [self._storage.alerts, self._storage.events]
        add_alarm(self, f"{node}-Waiting", waiting, at_least=WAITING_SECONDS_MAX, says=says, topics=topics)

    def _destination(
        self, log_stream: logs.CfnLogStream
    ) -> firehose.CfnDeliveryStream.ExtendedS3DestinationConfigurationProperty:
        config = firehose.CfnDeliveryStream
        return config.ExtendedS3DestinationConfigurationProperty(
            bucket_arn=self._storage.data.bucket_arn,
            role_arn=self._role.role_arn,
            # The time is that of the arrival, in UTC.
            prefix="logs/!{partitionKeyFromQuery:model}/!{timestamp:yyyy/MM/dd/HH}/",
            error_output_prefix=f"{FAILED_PREFIX}/!{{timestamp:yyyy/MM/dd}}/!{{firehose:error-output-type}}/",
            buffering_hints=config.BufferingHintsProperty(interval_in_seconds=BUFFER_SECONDS, size_in_m_bs=BUFFER_MB),
            compression_format="GZIP",
            file_extension=".jsonl.gz",
            encryption_configuration=config.EncryptionConfigurationProperty(
                kms_encryption_config=config.KMSEncryptionConfigProperty(awskms_key_arn=self._storage.key.key_arn)
            ),
            dynamic_partitioning_configuration=config.DynamicPartitioningConfigurationProperty(
                enabled=True, retry_options=config.RetryOptionsProperty(duration_in_seconds=BUFFER_SECONDS)
            ),
            processing_configuration=config.ProcessingConfigurationProperty(
                enabled=True,
                processors=[
                    _processor(
                        "MetadataExtraction", MetadataExtractionQuery="{model:.model}", JsonParsingEngine="JQ-1.6"
                    ),
                    # Firehose puts nothing between two records.
                    _processor("AppendDelimiterToRecord", Delimiter="\\n"),
                ],
            ),
            cloud_watch_logging_options=config.CloudWatchLoggingOptionsProperty(
                enabled=True,
                log_group_name=self._log_group.log_group_name,
                log_stream_name=log_stream.log_stream_name,
            ),
        )


def _processor(kind: str, **parameters: str) -> firehose.CfnDeliveryStream.ProcessorProperty:
    given = [
        firehose.CfnDeliveryStream.ProcessorParameterProperty(parameter_name=name, parameter_value=value)
        for name, value in parameters.items()
    ]
    return firehose.CfnDeliveryStream.ProcessorProperty(type=kind, parameters=given)
