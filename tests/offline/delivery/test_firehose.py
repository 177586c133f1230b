"""Firehose takes records, keeps them for minutes, and writes them to S3 as the stream's role: at least once, and not always all."""

import gzip
import json
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from tests.offline.offline_world import make_role

BUCKET, STREAM = "logs-bucket", "logs"
PREFIXES = {
    "Prefix": "logs/!{partitionKeyFromQuery:model}/!{timestamp:yyyy/MM/dd/HH}/",
    "ErrorOutputPrefix": "undelivered/!{timestamp:yyyy/MM/dd}/!{firehose:error-output-type}/",
}
PROCESSORS = [
    ("MetadataExtraction", {"MetadataExtractionQuery": "{model:.model}", "JsonParsingEngine": "JQ-1.6"}),
    ("AppendDelimiterToRecord", {"Delimiter": "\\n"}),
]
MINUTES = timedelta(minutes=1)


@pytest.fixture
def firehose(account):
    """A bucket and a delivery stream that sorts records by their model."""
    account.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": account.region})
    make_stream(account, STREAM)
    return account.client("firehose")


def make_stream(account, name, *, source=None, buffer_mb=64, partitioned=True, trusted="firehose"):
    arn = make_role(account, f"{name}-role", ["s3:PutObject", "kinesis:GetRecords"], trusted)
    processors = [
        {"Type": kind, "Parameters": [{"ParameterName": n, "ParameterValue": v} for n, v in given.items()]}
        for kind, given in PROCESSORS
    ]
    destination = PREFIXES | {
        "RoleARN": arn,
        "BucketARN": f"arn:aws:s3:::{BUCKET}",
        "BufferingHints": {"SizeInMBs": buffer_mb, "IntervalInSeconds": 300},
        "CompressionFormat": "GZIP",
        "DynamicPartitioningConfiguration": {"Enabled": partitioned},
        "ProcessingConfiguration": {"Enabled": True, "Processors": processors},
    }
    reads = {"KinesisStreamSourceConfiguration": {"KinesisStreamARN": source, "RoleARN": arn}} if source else {}
    account.client("firehose").create_delivery_stream(
        DeliveryStreamName=name,
        DeliveryStreamType="KinesisStreamAsSource" if source else "DirectPut",
        ExtendedS3DestinationConfiguration=destination,
        **reads,
    )


def record(number, *, padding=0):
    return json.dumps({"model": "m", "id": str(number), "padding": "x" * padding}).encode()


def delivered(account, prefix="logs/"):
    """Each object's lines, by key."""
    s3 = account.client("s3")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]
    bodies = {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}
    return {key: [json.loads(line) for line in gzip.decompress(body).splitlines()] for key, body in bodies.items()}


def ids(account):
    return [line["id"] for lines in delivered(account).values() for line in lines]


def test_records_wait_for_the_buffers_time_and_lie_in_the_hour_of_the_first(account, firehose):
    start = account.clock.now
    firehose.put_record(DeliveryStreamName=STREAM, Record={"Data": record(1)})
    account.clock.advance_to(start + 4 * MINUTES)
    firehose.put_record(DeliveryStreamName=STREAM, Record={"Data": record(2)})
    assert delivered(account) == {}
    account.clock.advance_to(start + 5 * MINUTES)
    (key,) = delivered(account)
    assert key.startswith(f"logs/m/{start:%Y/%m/%d/%H}/{STREAM}-1-")
    assert {*ids(account)} == {"1", "2"}


def test_a_full_buffer_is_written_at_once(account, firehose):
    for number in range(68):
        firehose.put_record(DeliveryStreamName=STREAM, Record={"Data": record(number, padding=1_000_000)})
    assert len(ids(account)) >= 64


def test_an_unknown_stream_is_said(account, firehose):
    for put in (
        lambda: firehose.put_record(DeliveryStreamName="other", Record={"Data": record(1)}),
        lambda: firehose.put_record_batch(DeliveryStreamName="other", Records=[{"Data": record(1)}]),
    ):
        with pytest.raises(ClientError) as refused:
            put()
        assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_a_record_may_hold_1000_kib_and_no_byte_more(account, firehose):
    firehose.put_record(DeliveryStreamName=STREAM, Record={"Data": b"x" * 1_024_000})
    with pytest.raises(ClientError, match="1000 KB"):
        firehose.put_record(DeliveryStreamName=STREAM, Record={"Data": b"x" * 1_024_001})


@pytest.mark.parametrize("records", [501 * [b"x"], 5 * [b"x" * 900_000]], ids=["501 records", "more than 4 MiB"])
def test_a_batch_has_limits(account, firehose, records):
    with pytest.raises(ClientError):
        firehose.put_record_batch(DeliveryStreamName=STREAM, Records=[{"Data": each} for each in records])


def test_of_a_batch_some_records_fail_and_those_alone_are_not_delivered(account, firehose):
    answers = []
    for start in range(0, 2000, 500):
        batch = [{"Data": record(number)} for number in range(start, start + 500)]
        answer = firehose.put_record_batch(DeliveryStreamName=STREAM, Records=batch)
        said = answer["RequestResponses"]
        assert answer["FailedPutCount"] == sum("ErrorCode" in each for each in said)
        answers += said
    failed = {str(number) for number, each in enumerate(answers) if "ErrorCode" in each}
    account.clock.advance_to(account.clock.now + 5 * MINUTES)
    assert 0 < len(failed) < 100
    assert {*ids(account)} == {str(number) for number in range(2000)} - failed


def test_some_records_are_delivered_twice(account, firehose):
    for number in range(1000):
        firehose.put_record(DeliveryStreamName=STREAM, Record={"Data": record(number)})
    account.clock.advance_to(account.clock.now + 5 * MINUTES)
    assert len({*ids(account)}) == 1000 < len(ids(account))


def test_what_has_no_partition_is_kept_aside_with_its_reason(account, firehose):
    for body in (b"no json", b'{"id": "1"}'):
        firehose.put_record(DeliveryStreamName=STREAM, Record={"Data": body})
    account.clock.advance_to(account.clock.now + 5 * MINUTES)
    assert delivered(account) == {}
    (lines,) = delivered(account, "undelivered/").values()
    assert {line["errorCode"] for line in lines} == {"DynamicPartitioning.MetadataExtractionFailed"}


def test_a_delivery_that_the_role_may_not_make_is_tried_again(account, firehose):
    iam, start = account.client("iam"), account.clock.now
    firehose.put_record(DeliveryStreamName=STREAM, Record={"Data": record(1)})
    deny = {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    iam.put_role_policy(RoleName=f"{STREAM}-role", PolicyName="deny", PolicyDocument=document)
    account.clock.advance_to(start + 9 * MINUTES)
    assert delivered(account) == {}
    iam.delete_role_policy(RoleName=f"{STREAM}-role", PolicyName="deny")
    account.clock.advance_to(start + 10 * MINUTES)
    assert {*ids(account)} == {"1"}


def test_what_is_put_into_kinesis_is_delivered_by_the_stream_that_reads_it_and_that_takes_nothing_else(
    account, firehose
):
    kinesis = account.client("kinesis")
    kinesis.create_stream(StreamName="answers", ShardCount=1)
    arn = kinesis.describe_stream(StreamName="answers")["StreamDescription"]["StreamARN"]
    make_stream(account, "from-kinesis", source=arn)
    kinesis.put_record(StreamName="answers", Data=record(1), PartitionKey="k")
    kinesis.put_records(StreamName="answers", Records=[{"Data": record(2), "PartitionKey": "k"}])
    with pytest.raises(ClientError, match="KinesisStreamAsSource"):
        firehose.put_record(DeliveryStreamName="from-kinesis", Record={"Data": record(3)})
    account.clock.advance_to(account.clock.now + 5 * MINUTES)
    assert {*ids(account)} == {"1", "2"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"buffer_mb": 5}, "at least 64 when Dynamic Partitioning"),
        ({"partitioned": False}, "when Dynamic Partitioning is enabled"),
        ({"trusted": "lambda"}, "cannot be assumed by firehose"),
    ],
)
def test_a_stream_that_aws_refuses_is_not_made(account, firehose, given, words):
    with pytest.raises(ClientError, match=words):
        make_stream(account, "other", **given)
    assert firehose.list_delivery_streams()["DeliveryStreamNames"] == [STREAM]
