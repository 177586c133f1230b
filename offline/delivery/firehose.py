"""Firehose: takes records, keeps them for minutes, and writes them to S3 in the name of the stream's role.

The real service buffers by time and size, for each partition; a folder is named after its first record's arrival. It takes a batch in
parts, and delivers at least once. Imitated: PutRecord(Batch) with their limits, a batch of which some records fail
(`FailedPutCount`) and a record that is delivered twice, both by the account's seed; a Kinesis stream as the source; the prefix's
expressions, one `{name:.field}` of jq, delimiters, gzip; records without a partition below the error prefix; deliveries that are tried
again every five minutes; the metric DeliveryToS3.DataFreshness. Not imitated, and an error: other destinations, processors
and expressions.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from moto.firehose.exceptions import InvalidArgumentException
from moto.firehose.models import FirehoseBackend
from moto.kinesis.models import KinesisBackend
from moto.moto_api._internal import mock_random

from offline.iam.guard import Guard
from offline.metrics.cloudwatch import Metrics
from offline.region import Region

RECORD_BYTES_MAX, BATCH_BYTES_MAX, BATCH_RECORDS_MAX = 1000 * 1024, 4 * 1024**2, 500
# Of a batch's records so many fail, and of the delivered ones so many come twice.
FAILED_SHARE, DOUBLED_SHARE = 0.01, 0.005
RETRY = timedelta(minutes=5)
PRINCIPAL = "firehose.amazonaws.com"
_EXPRESSION = re.compile(r"!\{([^}]*)\}")
_QUERY = re.compile(r"\{\s*(\w+)\s*:\s*\.(\w+)\s*\}")
# Java's letters for the parts of a time.
_LETTERS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M"}


def install(region: Region, guard: Guard, metrics: Metrics) -> None:
    """Have moto's Firehose deliver what it takes."""
    deliveries = Deliveries(region, guard, metrics)
    create, put_to_kinesis, put_many_to_kinesis = (
        FirehoseBackend.create_delivery_stream,
        KinesisBackend.put_record,
        KinesisBackend.put_records,
    )

    def create_delivery_stream(backend: FirehoseBackend, *args: Any, **named: Any) -> str:
        arn = create(backend, *args, **named)
        stream = next(each for each in backend.delivery_streams.values() if each.delivery_stream_arn == arn)
        try:
            deliveries.check(stream)
        except Exception:
            del backend.delivery_streams[stream.delivery_stream_name]
            raise
        return arn

    def put_record_batch(backend: FirehoseBackend, delivery_stream_name: str, records: list[dict[str, bytes]]) -> Any:
        answers = deliveries.take(_stream(backend, delivery_stream_name), [record["Data"] for record in records])
        failed = sum("ErrorCode" in answer for answer in answers)
        return {"FailedPutCount": failed, "Encrypted": True, "RequestResponses": answers}

    def put_record(backend: FirehoseBackend, delivery_stream_name: str, record: dict[str, bytes]) -> Any:
        (answer,) = deliveries.take(_stream(backend, delivery_stream_name), [record["Data"]], whole=True)
        return {"RecordId": answer["RecordId"], "Encrypted": True}

    def kinesis_record(backend: KinesisBackend, stream_arn: str, stream_name: str, *args: Any, **named: Any) -> Any:
        answer = put_to_kinesis(backend, stream_arn, stream_name, *args, **named)
        arn = backend.describe_stream(stream_arn=stream_arn, stream_name=stream_name).arn
        deliveries.pass_on(arn, [named.get("data") or args[-1]])
        return answer

    def kinesis_records(backend: KinesisBackend, stream_arn: str, stream_name: str, records: list[Any]) -> Any:
        answer = put_many_to_kinesis(backend, stream_arn, stream_name, records)
        arn = backend.describe_stream(stream_arn=stream_arn, stream_name=stream_name).arn
        deliveries.pass_on(arn, [record["Data"] for record in records])
        return answer

    region.patch(FirehoseBackend, "create_delivery_stream", create_delivery_stream)
    region.patch(FirehoseBackend, "put_record_batch", put_record_batch)
    region.patch(FirehoseBackend, "put_record", put_record)
    region.patch(KinesisBackend, "put_record", kinesis_record)
    region.patch(KinesisBackend, "put_records", kinesis_records)


@dataclass
class Buffer:
    """What waits for one place: since when, and the records with their delimiters."""

    since: datetime
    records: list[bytes] = field(default_factory=list)
    size: int = 0


class Deliveries:
    """The buffers of one account's streams."""

    def __init__(self, region: Region, guard: Guard, metrics: Metrics) -> None:
        self.region, self.guard, self.metrics = region, guard, metrics
        self._buffers: dict[tuple[str, str], Buffer] = {}
        self._random = region.seeded("firehose")

    def check(self, stream: Any) -> None:
        """Refuse a new stream whose role Firehose cannot take, or whose settings it would refuse."""
        config = _config_of(stream)
        self.guard.require_trust(config["RoleARN"], PRINCIPAL)
        hints, partitioned = config.get("BufferingHints", {}), _is_partitioned(config)
        if partitioned and int(hints.get("SizeInMBs", 5)) < 64:
            raise InvalidArgumentException(
                "BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled."
            )
        if "!{" in config.get("Prefix", "") and "!{firehose:error-output-type}" not in config.get(
            "ErrorOutputPrefix", ""
        ):
            raise InvalidArgumentException(
                "ErrorOutputPrefix must contain !{firehose:error-output-type} when Prefix has expressions."
            )
        if "partitionKeyFromQuery" in config.get("Prefix", "") and not partitioned:
            raise InvalidArgumentException("Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic "
                                           "Partitioning is enabled.")  # fmt: skip
        self._query(config)

    def take(self, stream: Any, records: list[bytes], *, whole: bool = False) -> list[dict[str, str]]:
        """Take records that were put, `whole` or not at all; answer each."""
        if stream.delivery_stream_type != "DirectPut":
            raise InvalidArgumentException(
                "This operation is not permitted on KinesisStreamAsSource delivery stream type."
            )
        if len(records) > BATCH_RECORDS_MAX or sum(map(len, records)) > BATCH_BYTES_MAX:
            raise InvalidArgumentException(
                "Records size exceeds 4 MB limit" if len(records) <= BATCH_RECORDS_MAX else "too many records"
            )
        if any(len(record) > RECORD_BYTES_MAX for record in records):
            raise InvalidArgumentException("1 validation error detected: record exceeds 1000 KB")
        answers = []
        for record in records:
            if not whole and self._random.random() < FAILED_SHARE:
                answers.append({"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."})
                continue
            answers.append({"RecordId": mock_random.get_random_hex(64)})
            self._keep(stream, record)
        return answers

    def pass_on(self, kinesis_arn: str, data: list[bytes | str]) -> None:
        """Give what a Kinesis stream was given to the delivery streams that read it, if their roles may."""
        for stream in self.region.backend("firehose").delivery_streams.values():
            if (stream.source or {}).get("KinesisStreamARN") == kinesis_arn:
                self.guard.require(stream.source["RoleARN"], "kinesis:GetRecords", kinesis_arn)
                for record in data:
                    # moto's Kinesis keeps what it is given as text.
                    self._keep(stream, base64.b64decode(record) if isinstance(record, str) else record)

    def _keep(self, stream: Any, record: bytes) -> None:
        config = _config_of(stream)
        try:
            keys, prefix = self._keys(config, record), "Prefix"
        except ValueError as error:
            keys, prefix = {"error-output-type": "processing-failed"}, "ErrorOutputPrefix"
            record = self._failed(record, str(error)) + b"\n"
        else:
            record += _delimiter(config)
        now = self.region.clock.now
        place = (stream.delivery_stream_name, f"{prefix}{json.dumps(keys)}")
        buffer = self._buffers.get(place)
        if buffer is None:
            buffer = self._buffers[place] = Buffer(now)
            seconds = int(config.get("BufferingHints", {}).get("IntervalInSeconds", 300))
            when = now + timedelta(seconds=seconds)
            self.region.clock.call_at(
                when, lambda: self._flush(stream, place, buffer, config[prefix], keys), "firehose"
            )
        for _ in range(2 if self._random.random() < DOUBLED_SHARE else 1):
            buffer.records.append(record)
            buffer.size += len(record)
        if buffer.size >= int(config.get("BufferingHints", {}).get("SizeInMBs", 5)) * 1024**2:
            self._flush(stream, place, buffer, config[prefix], keys)

    def _flush(self, stream: Any, place: tuple[str, str], buffer: Buffer, prefix: str, keys: Mapping[str, str]) -> None:
        if self._buffers.get(place) is buffer:
            del self._buffers[place]
        elif not buffer.records:
            return
        config, now = _config_of(stream), self.region.clock.now
        name = (
            f"{stream.delivery_stream_name}-{stream.version_id}-{buffer.since:%Y-%m-%d-%H-%M-%S}-{mock_random.uuid4()}"
        )
        zipped = config.get("CompressionFormat") == "GZIP"
        body = b"".join(buffer.records)
        key = _evaluated(prefix, buffer.since, keys) + name + config.get("FileExtension", ".gz" if zipped else "")
        try:
            with self.region.as_role(config["RoleARN"]):
                self.region.plain_client("s3").put_object(
                    Bucket=config["BucketARN"].rpartition(":")[2], Key=key, Body=gzip.compress(body) if zipped else body
                )
        except ClientError:
            self.region.clock.call_at(now + RETRY, lambda: self._flush(stream, place, buffer, prefix, keys), "firehose")
        else:
            buffer.records = []
        age = (now - buffer.since).total_seconds()
        dimensions = {"DeliveryStreamName": stream.delivery_stream_name}
        self.metrics.put("AWS/Firehose", "DeliveryToS3.DataFreshness", age, dimensions, "Seconds")

    def _keys(self, config: Mapping[str, Any], record: bytes) -> dict[str, str]:
        """The partition of a record; ValueError where it has none."""
        query = self._query(config)
        if query is None:
            return {}
        try:
            found = json.loads(record)
        except ValueError as error:
            raise ValueError(f"Non JSON record provided: {error}") from error
        value = found.get(query[2]) if isinstance(found, dict) else None
        if value is None or isinstance(value, dict | list) or value == "":
            raise ValueError("partitionKeys values must not be null or empty")
        return {query[1]: str(value)}

    def _query(self, config: Mapping[str, Any]) -> re.Match[str] | None:
        for kind, parameters in _processors(config):
            if kind == "MetadataExtraction":
                found = _QUERY.fullmatch(parameters["MetadataExtractionQuery"])
                if found is None:
                    raise NotImplementedError(f"of jq only {{name:.field}} is imitated, not {parameters}")
                return found
            if kind != "AppendDelimiterToRecord":
                raise NotImplementedError(f"the processor {kind} is not imitated")
        return None

    def _failed(self, record: bytes, message: str) -> bytes:
        told = {
            "attemptsMade": 1,
            "arrivalTimestamp": int(self.region.clock.now.timestamp() * 1000),
            "errorCode": "DynamicPartitioning.MetadataExtractionFailed",
            "errorMessage": message,
            "attemptEndingTimestamp": int(self.region.clock.now.timestamp() * 1000),
            "rawData": base64.b64encode(record).decode(),
        }
        return json.dumps(told).encode()


def _stream(backend: FirehoseBackend, name: str) -> Any:
    # Describing says that it is not there.
    return backend.delivery_streams.get(name) or backend.describe_delivery_stream(name)


def _config_of(stream: Any) -> dict[str, Any]:
    config: dict[str, Any] | None = stream.destinations[0].get("ExtendedS3")
    if config is None:
        raise NotImplementedError("only Firehose to S3 is imitated, with ExtendedS3DestinationConfiguration")
    return config


def _is_partitioned(config: Mapping[str, Any]) -> bool:
    return str(config.get("DynamicPartitioningConfiguration", {}).get("Enabled", False)).lower() == "true"


def _processors(config: Mapping[str, Any]) -> list[tuple[str, dict[str, str]]]:
    processing = config.get("ProcessingConfiguration", {})
    if str(processing.get("Enabled", False)).lower() != "true":
        return []
    return [
        (each["Type"], {one["ParameterName"]: one["ParameterValue"] for one in each.get("Parameters", [])})
        for each in processing.get("Processors", [])
    ]


def _delimiter(config: Mapping[str, Any]) -> bytes:
    given = next((parameters for kind, parameters in _processors(config) if kind == "AppendDelimiterToRecord"), None)
    return b"" if given is None else given["Delimiter"].encode().decode("unicode_escape").encode()


def _evaluated(prefix: str, since: datetime, keys: Mapping[str, str]) -> str:
    """A prefix with its expressions worked out; without a time, Firehose puts one behind it."""

    def value(found: re.Match[str]) -> str:
        kind, _, what = found[1].partition(":")
        if kind == "timestamp":
            pattern = what
            for letters, part in _LETTERS.items():
                pattern = pattern.replace(letters, part)
            return since.strftime(pattern)
        if kind in ("partitionKeyFromQuery", "firehose") and what in keys:
            return keys[what]
        raise NotImplementedError(f"the expression {found[0]} is not imitated")

    whole = _EXPRESSION.sub(value, prefix)
    return whole if "!{timestamp:" in prefix else f"{whole}{since:%Y/%m/%d/%H}/"
