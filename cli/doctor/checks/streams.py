"""Whether Firehose takes the records of inference logs, and writes them where Kedge reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from cli.doctor.checks.installation import Installation
from cli.doctor.findings import Finding, failed, ok, warning
from cli.doctor.refused import absent
from cli.doctor.remedies import restore
from cli.operator.deployment import MONITORING
from lambdas.adapters.captures import inference_logs
from lambdas.stage import current

STREAM = "AWS::KinesisFirehose::DeliveryStream"


def check(installation: Installation) -> Iterator[Finding]:
    """Look at each stream, then at what could not be delivered."""
    streams, asking = installation.resources(STREAM), [m for m, c in installation.models.items() if c.firehose]
    if asking and installation.stacks and not streams:
        yield failed(
            current().named(MONITORING),
            f"{', '.join(asking)} asks for Firehose, and there is no delivery stream",
            "make deploy",
        )
    for stream in streams:
        try:
            described = installation.client("firehose").describe_delivery_stream(DeliveryStreamName=stream.physical_id)
        except ClientError as error:
            if not absent(error):
                raise
            yield failed(stream.physical_id, "the delivery stream is gone", restore(stream.stack))
            continue
        yield state(described["DeliveryStreamDescription"], bucket=installation.deployment.bucket)
    if streams:
        yield from undelivered(installation)


def state(stream: Mapping[str, Any], *, bucket: str) -> Finding:
    """Whether a stream is active, and writes below `logs/` of the data bucket, a folder for each model."""
    arn, status = stream["DeliveryStreamARN"], stream["DeliveryStreamStatus"]
    (destination,) = (each["ExtendedS3DestinationDescription"] for each in stream["Destinations"])
    if status in ("CREATING", "DELETING"):
        return warning(arn, f"the delivery stream is {status}", "look again in some minutes")
    if status != "ACTIVE":
        why = stream.get("FailureDescription", {}).get("Details", "no reason was given")
        return failed(arn, f"the delivery stream is {status}: {why}", restore(current().named(MONITORING)))
    into, prefix = destination["BucketARN"].rpartition(":")[2], destination.get("Prefix", "")
    if into != bucket or not prefix.startswith("logs/!{partitionKeyFromQuery:model}/"):
        return failed(
            arn,
            f"it writes to s3://{into}/{prefix}, and Kedge reads below s3://{bucket}/logs/",
            restore(current().named(MONITORING)),
        )
    return ok(arn, f"writes below s3://{into}/logs/")


def undelivered(installation: Installation) -> Iterator[Finding]:
    """What Firehose wrote aside today and yesterday."""
    bucket = installation.deployment.bucket
    if count := inference_logs.count_failed(installation.client("s3"), bucket, installation.now):
        remedy = f"aws s3 ls --recursive s3://{bucket}/undelivered/: each line has errorMessage and, in BASE64, the record; put it again"
        yield warning(bucket, f"{count} objects hold records that Firehose could not assign to a model", remedy)
