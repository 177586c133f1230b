"""Captured requests arrive as AWS writes them: late, shuffled, split, by the hour of the invocation."""

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from offline.account import Account
from offline.sagemaker.capture_writer import CaptureSettings, CaptureWriter
from offline.sagemaker.storage import Storage
from tests.offline.sagemaker_world import BROKEN, BUCKET, INFERENCE, OWN, START, World

REAL = Path(__file__).parents[2] / "data" / "churn_csv.jsonl"
CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": f"s3://{BUCKET}/capture/hotels/1",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
}


@pytest.fixture
def world(tmp_path):
    with Account(start=START, directory=tmp_path) as account:
        yield World(account)


def writer(world, role=None, duplicate_fraction=0.0, **changes):
    return CaptureWriter(
        Storage(world.account, world.account.iam, role or world.role),
        CaptureSettings.of(CAPTURE | changes),
        endpoint="bookings",
        variant="AllTraffic",
        duplicate_fraction=duplicate_fraction,
    )


def records(world):
    return [json.loads(line) for key in world.keys("capture/") for line in world.read(key).splitlines()]


def shape(value):
    """The keys and types of a record, in their order."""
    if isinstance(value, dict):
        return [(key, shape(item)) for key, item in value.items()]
    return type(value).__name__


def test_records_look_like_real_ones(world):
    made = writer(world)
    made.capture(("text/csv", b"1,2"), ("text/csv; charset=utf-8", b"0.5"))
    world.pass_minutes(15)
    (record,) = records(world)
    real = json.loads(REAL.read_text().splitlines()[0])
    assert shape(record) == shape(real)
    assert record["captureData"]["endpointInput"] == {
        "observedContentType": "text/csv",
        "mode": "INPUT",
        "data": "1,2",
        "encoding": "CSV",
    }
    assert record["captureData"]["endpointOutput"]["encoding"] == "CSV"
    assert record["eventMetadata"]["inferenceTime"] == "2016-01-01T00:00:00Z"


def test_files_stand_under_the_hour_of_the_invocation(world):
    made = writer(world)
    world.account.clock.advance_to(START + timedelta(minutes=59))
    made.capture(("text/csv", b"1"), ("text/csv", b"2"))
    world.pass_minutes(30)
    (key,) = world.keys("capture/")
    pattern = r"capture/hotels/1/bookings/AllTraffic/2016/01/01/00/\d\d-\d\d-\d{3}-[0-9a-f-]{36}\.jsonl"
    assert re.fullmatch(pattern, key)


def test_every_record_arrives_once_and_1_to_10_minutes_late(world):
    made, sent = writer(world), {}
    for number in range(300):
        sent[f"id-{number}"] = world.account.clock.now
        made.capture(("text/csv", b"1"), ("text/csv", b"2"), f"id-{number}")
        world.account.clock.advance_to(world.account.clock.now + timedelta(seconds=20))
    world.pass_minutes(15)
    arrived, order = {}, []
    for entry in world.s3.list_objects_v2(Bucket=BUCKET, Prefix="capture/")["Contents"]:
        for line in world.read(entry["Key"]).splitlines():
            name = json.loads(line)["eventMetadata"]["inferenceId"]
            assert name not in arrived
            arrived[name] = entry["LastModified"]
            order.append(int(name.removeprefix("id-")))
    assert set(arrived) == set(sent)
    late = [(arrived[name] - sent[name]).total_seconds() for name in sent]
    assert min(late) >= 59
    assert max(late) <= 601
    assert order != sorted(order)
    assert len(world.keys("capture/")) > 300 * 20 / 240


def test_encodings_follow_the_listed_content_types(world):
    made = writer(world)
    made.capture(("application/json", b'{"a": 1}'), ("application/octet-stream", b"\x00\xff"))
    made.capture(("text/csv", b"\xff"), ("text/csv", b"1"))
    world.pass_minutes(15)
    blocks = [record["captureData"] for record in records(world)]
    first = next(block for block in blocks if block["endpointInput"]["encoding"] == "JSON")
    assert first["endpointOutput"] == {
        "observedContentType": "application/octet-stream",
        "mode": "OUTPUT",
        "data": base64.b64encode(b"\x00\xff").decode(),
        "encoding": "BASE64",
    }
    assert {block["endpointInput"]["encoding"] for block in blocks} == {"JSON", "BASE64"}


def test_what_a_script_answers_without_a_type_is_captured_in_base64(world):
    bare = INFERENCE.replace("for each in predictions), accept", "for each in predictions)")
    for name, script in (("typed", INFERENCE), ("bare", bare)):
        world.make_model(name, script=script)
        world.make_config(f"{name}-config", name, capture=CAPTURE)
        world.make_endpoint(name, f"{name}-config")
        world.ask("7", name=name)
    world.pass_minutes(15)
    found = {record["captureData"]["endpointOutput"]["observedContentType"]: record for record in records(world)}
    sides = {kind: record["captureData"]["endpointOutput"]["encoding"] for kind, record in found.items()}
    assert sides == {"text/csv; charset=utf-8": "CSV", "text/html; charset=utf-8": "BASE64"}


def test_a_sample_and_a_single_mode_are_possible(world):
    made = writer(world, InitialSamplingPercentage=30, CaptureOptions=[{"CaptureMode": "Output"}])
    for _ in range(200):
        made.capture(("text/csv", b"1"), ("text/csv", b"2"))
    world.pass_minutes(15)
    found = records(world)
    assert 35 < len(found) < 90
    assert all(list(record["captureData"]) == ["endpointOutput"] for record in found)


def test_doubled_records_can_be_asked_for(world):
    made = writer(world, duplicate_fraction=0.5)
    for number in range(100):
        made.capture(("text/csv", b"1"), ("text/csv", b"2"), str(number))
    world.pass_minutes(15)
    assert 125 < len(records(world)) < 175


def test_the_same_seed_writes_the_same_files(world, tmp_path):
    def written(of):
        made = writer(of)
        for number in range(50):
            made.capture(("text/csv", b"1"), ("text/csv", b"2"), str(number))
        of.pass_minutes(15)
        return {key: of.read(key) for key in of.keys("capture/")}

    first = written(world)
    world.account.__exit__(None, None, None)
    with Account(start=START, directory=tmp_path / "again") as account:
        assert written(World(account)) == first


def test_without_permission_nothing_is_captured_and_nothing_is_said(world):
    elsewhere = {**OWN, "Statement": [{**OWN["Statement"][0], "Resource": "arn:aws:s3:::elsewhere/*"}]}
    made = writer(world, role=world.make_role("shut", elsewhere))
    for _ in range(3):
        made.capture(("text/csv", b"1"), ("text/csv", b"2"))
        world.pass_minutes(15)
    assert world.keys("capture/") == []


def test_an_endpoint_captures_what_it_answers_and_not_its_failures(world):
    flaky = BROKEN.replace("    raise RuntimeError", "    if rows[0] > 0:\n        return rows\n    raise RuntimeError")
    world.make_model("model-1", script=flaky)
    world.make_config("config-1", "model-1", capture=CAPTURE)
    world.make_endpoint()
    capture = world.describe()["DataCaptureConfig"]
    assert (capture["CaptureStatus"], capture["CurrentSamplingPercentage"]) == ("Started", 100)
    world.ask("7", InferenceId="booking-7", CustomAttributes="channel=web")
    with pytest.raises(world.runtime.exceptions.ModelError):
        world.ask("-7", InferenceId="booking-8")
    world.pass_minutes(15)
    (record,) = records(world)
    assert record["eventMetadata"]["inferenceId"] == "booking-7"
    assert record["eventMetadata"]["customAttributes"] == ["channel=web"]
    assert record["captureData"]["endpointOutput"]["data"] == "7.0"
    assert datetime.fromisoformat(record["eventMetadata"]["inferenceTime"]) < datetime.now(UTC)
