"""AWS::KinesisFirehose::DeliveryStream to S3; its own error log is recorded and otherwise without effect."""

from __future__ import annotations

from typing import Any

from offline.cloudformation.resource_type import Made, Making, ResourceType, only


def delivery_stream(making: Making, properties: dict[str, Any]) -> Made:
    """Make a delivery stream; the template says some words in another case than the API."""
    name = properties.get("DeliveryStreamName") or making.name(64)
    given = only(properties, "DeliveryStreamType", "DeliveryStreamEncryptionConfigurationInput")
    source = properties.get("KinesisStreamSourceConfiguration")
    if source is not None:
        given["KinesisStreamSourceConfiguration"] = source
    arn = making.client("firehose").create_delivery_stream(
        DeliveryStreamName=name,
        ExtendedS3DestinationConfiguration=_typed(properties["ExtendedS3DestinationConfiguration"]),
        **given,
    )["DeliveryStreamARN"]
    return Made(name, {"Arn": arn})


def delete_delivery_stream(making: Making, made: Made, _properties: dict[str, Any]) -> None:
    """Delete a delivery stream; what it holds is still delivered."""
    making.client("firehose").delete_delivery_stream(DeliveryStreamName=made.reference)


def _typed(destination: dict[str, Any]) -> dict[str, Any]:
    """The destination with numbers as numbers: templates may have them as text."""
    found = dict(destination)
    if "BufferingHints" in found:
        found["BufferingHints"] = {name: int(value) for name, value in found["BufferingHints"].items()}
    return found


TYPES = (
    ResourceType(
        "AWS::KinesisFirehose::DeliveryStream",
        """
        DeliveryStreamName DeliveryStreamType
        DeliveryStreamEncryptionConfigurationInput.KeyType DeliveryStreamEncryptionConfigurationInput.KeyARN
        KinesisStreamSourceConfiguration.KinesisStreamARN KinesisStreamSourceConfiguration.RoleARN
        ExtendedS3DestinationConfiguration.BucketARN ExtendedS3DestinationConfiguration.RoleARN
        ExtendedS3DestinationConfiguration.Prefix ExtendedS3DestinationConfiguration.ErrorOutputPrefix
        ExtendedS3DestinationConfiguration.BufferingHints.IntervalInSeconds
        ExtendedS3DestinationConfiguration.BufferingHints.SizeInMBs
        ExtendedS3DestinationConfiguration.CompressionFormat ExtendedS3DestinationConfiguration.FileExtension
        ExtendedS3DestinationConfiguration.EncryptionConfiguration.KMSEncryptionConfig.AWSKMSKeyARN
        ExtendedS3DestinationConfiguration.DynamicPartitioningConfiguration.Enabled
        ExtendedS3DestinationConfiguration.DynamicPartitioningConfiguration.RetryOptions.DurationInSeconds
        ExtendedS3DestinationConfiguration.ProcessingConfiguration.Enabled
        ExtendedS3DestinationConfiguration.ProcessingConfiguration.Processors.Type
        ExtendedS3DestinationConfiguration.ProcessingConfiguration.Processors.Parameters.ParameterName
        ExtendedS3DestinationConfiguration.ProcessingConfiguration.Processors.Parameters.ParameterValue
        ExtendedS3DestinationConfiguration.CloudWatchLoggingOptions.Enabled
        ExtendedS3DestinationConfiguration.CloudWatchLoggingOptions.LogGroupName
        ExtendedS3DestinationConfiguration.CloudWatchLoggingOptions.LogStreamName
        """,
        delivery_stream,
        delete_delivery_stream,
        named_by="DeliveryStreamName",
    ),
)
