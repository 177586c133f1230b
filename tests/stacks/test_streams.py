"""Firehose is made where a model asks for it, writes where Kedge reads, and may do nothing else."""

import json

import pytest

from app import build_app
from kedge.errors import ModelConfigError
from stacks.streams import stream_of_context
from tests.logs import YAML
from tests.synthesised import assembly

KINESIS = "arn:aws:kinesis:eu-west-1:123456789012:stream/answers"


@pytest.fixture(scope="module")
def resources(tmp_path_factory):
    directory = tmp_path_factory.mktemp("streams")
    (directory / "models").mkdir()
    (directory / "models" / "parcels.yaml").write_text(YAML + "firehose: true\n")
    build_app(directory / "out", directory / "models", nag=True, firehose_stream=KINESIS).synth()
    return json.loads((directory / "out" / "KedgeMonitoring.template.json").read_text())["Resources"]


def of_type(resources, kind):
    return {name: each["Properties"] for name, each in resources.items() if each["Type"] == kind}


def test_both_streams_write_zipped_lines_below_the_folder_of_the_records_model(resources):
    streams = of_type(resources, "AWS::KinesisFirehose::DeliveryStream")
    assert {s["DeliveryStreamName"] for s in streams.values()} == {"kedge-logs", "kedge-logs-from-kinesis"}
    for stream in streams.values():
        found = stream["ExtendedS3DestinationConfiguration"]
        assert found["Prefix"] == "logs/!{partitionKeyFromQuery:model}/!{timestamp:yyyy/MM/dd/HH}/"
        assert "!{firehose:error-output-type}" in found["ErrorOutputPrefix"]
        assert found["BufferingHints"]["SizeInMBs"] >= 64
        assert found["CompressionFormat"] == "GZIP"
        assert "KMSEncryptionConfig" in found["EncryptionConfiguration"]


def test_the_role_writes_below_two_prefixes_and_reads_the_named_stream_alone(resources):
    (policy,) = (p for name, p in of_type(resources, "AWS::IAM::Policy").items() if name.startswith("StreamsRole"))
    statements = {each.get("Sid"): each for each in policy["PolicyDocument"]["Statement"]}
    written = json.dumps(statements["WriteLogs"]["Resource"])
    assert "/logs/*" in written
    assert "/undelivered/*" in written
    assert statements["ReadStream"]["Resource"] == KINESIS
    assert not any(each["Resource"] == "*" for each in statements.values() if each["Effect"] == "Allow")


def test_records_that_fail_or_wait_are_told(resources):
    metrics = {each.get("MetricName") for each in of_type(resources, "AWS::CloudWatch::Alarm").values()}
    assert {"LogObjectsFailed", "DeliveryToS3.DataFreshness"} <= metrics


def test_no_stream_is_made_where_no_model_asks_for_it():
    assert "AWS::KinesisFirehose::DeliveryStream" not in (assembly() / "KedgeMonitoring.template.json").read_text()


def test_a_stream_that_is_no_stream_is_refused():
    assert stream_of_context("") is None
    with pytest.raises(ModelConfigError, match="firehose_stream"):
        stream_of_context("arn:aws:sqs:eu-west-1:123456789012:answers")
