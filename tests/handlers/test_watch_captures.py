"""watch_captures tells within the hour, once, that what a container captures cannot be read, and how to mend it."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.adapters.state import capture_states
from lambdas.adapters.state.capture_states import CaptureState
from lambdas.handlers import watch_captures
from tests.builders import json_lines
from tests.handlers.aws_world import CONTEXT
from tests.handlers.monitor_world import MODEL, message, monitor_world

NOW = datetime(2016, 1, 4, 2, 45, tzinfo=UTC)
SECRET = "Lisbon"


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world:
        world.promote(datetime(2015, 10, 1, tzinfo=UTC))
        yield world


def look(at: datetime = NOW) -> dict:
    return watch_captures.handler(message({"model": MODEL, "time": at.isoformat()}), CONTEXT)


def capture(
    world, answer, *, content_type="text/html; charset=utf-8", payload=None, time=NOW, version="1", sides=2, records=20
):
    """Capture requests in CSV and what came back in BASE64, as of a type that no config lists."""
    payload = ",".join([SECRET, *["1"] * (len(world.config.features) - 1)]) if payload is None else payload
    packed = base64.b64encode(answer if isinstance(answer, bytes) else answer.encode()).decode()
    both = {
        "endpointInput": {"observedContentType": "text/csv", "mode": "INPUT", "data": payload, "encoding": "CSV"},
        "endpointOutput": {"observedContentType": content_type, "mode": "OUTPUT", "data": packed, "encoding": "BASE64"},
    }
    data = dict(list(both.items())[:sides])
    lines = [
        {
            "captureData": data,
            "eventMetadata": {"eventId": f"e{i}", "inferenceTime": time.isoformat()},
            "eventVersion": "0",
        }
        for i in range(records)
    ]
    prefix = f"capture/{MODEL}/{version}/{MODEL}/AllTraffic"
    world.put(f"{prefix}/{time - timedelta(minutes=20):%Y/%m/%d/%H}/{time:%H%M}.jsonl", json_lines(*lines))


def test_what_can_be_read_is_told_to_nobody_and_looked_at_twice_a_day(world):
    capture(world, "[0.5]")
    assert look() == {"records": 20, "unread": 0}
    assert look(NOW + timedelta(hours=1)) == {}
    later = NOW + timedelta(hours=13)
    capture(world, "0.5", time=later)
    assert look(later) == {"records": 20, "unread": 0}
    assert world.mails() == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"answer": "<html>Lisbon</html>"}, ["The answers cannot be read", "a page of HTML", "text/html", "return (body, accept)"]),
        ({"answer": "no Lisbon 70707070"}, ["The answers cannot be read", "looks like a a 9", "return (body, accept)"]),
        ({"answer": b"\x93NUMPY\x01\xff", "content_type": "application/x-npy"}, ["a NumPy array", "application/x-npy"]),
        ({"answer": "0.5", "payload": "Lisbon,7"}, ["The requests cannot be read", "looks like a,9", "features in the model's YAML"]),
        ({"answer": "0.5", "payload": '{"Lisbon": [7]}'}, ["The requests cannot be read", 'looks like {"a": [9]}']),
        ({"answer": "0.5", "sides": 1}, ["requests without their answers", '{"CaptureMode": "Output"}']),
        ({"answer": "", "payload": ""}, ["The requests cannot be read"]),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_a_mail_with_what_came_and_the_remedy_and_without_a_value(world, changes, expected):
    capture(world, **changes)
    assert look() == {"records": 20, "unread": 20}
    ((subject, body),) = world.mails()
    assert "package version 1 cannot be read" in subject
    assert "looked at 20 captured records and cannot read any of them" in body
    for words in expected:
        assert words in body
    (entry,) = world.timeline()
    assert (entry["kind"], entry["detail"]["unread"]) == ("alert_sent", 20)
    for told in (body, json.dumps(entry), json.dumps(world.received("programs"))):
        assert SECRET not in told
        assert "70707070" not in told


def test_lines_that_are_no_records_are_told_too(world):
    world.put(f"capture/{MODEL}/1/{MODEL}/AllTraffic/2016/01/04/02/a.jsonl", b"Lisbon\n{}\n[1]\n")
    look()
    ((_, body),) = world.mails()
    assert "records themselves" in body
    assert SECRET not in body


def test_it_is_told_once_per_package_while_it_lasts_and_again_when_it_comes_back(world):
    hour = timedelta(hours=1)
    capture(world, "<html></html>")
    look()
    capture(world, "<html></html>", time=NOW + hour)
    look(NOW + hour)
    assert len(world.mails()) == 1
    capture(world, "0.5", time=NOW + 6 * hour)
    look(NOW + 6 * hour)
    capture(world, "<html></html>", time=NOW + 19 * hour)
    look(NOW + 19 * hour)
    assert len(world.mails()) == 1
    world.promote(NOW + 19 * hour, version="2")
    capture(world, "<html></html>", time=NOW + 20 * hour, version="2")
    look(NOW + 20 * hour)
    ((subject, _),) = world.mails()
    assert "package version 2" in subject


def test_a_few_broken_requests_among_good_ones_are_no_mail(world):
    capture(world, "0.5", records=20)
    capture(world, "<html></html>", records=5, time=NOW - timedelta(minutes=1))
    assert look() == {"records": 25, "unread": 5}
    assert world.mails() == []


def test_where_nothing_was_captured_yet_there_is_nothing_to_say_and_the_next_hour_looks_again(world):
    assert look() == {}
    assert world.item("captures") is None


def test_where_nothing_comes_any_more_the_next_look_is_half_a_day_later(world):
    capture(world, "0.5")
    look()
    later = NOW + timedelta(hours=12)
    assert look(later) == {}
    assert capture_states.read(world.item("captures")) == CaptureState("1", True, later)


def test_what_came_between_two_looks_is_seen_though_nothing_came_in_the_last_hours(world):
    capture(world, "0.5")
    look()
    capture(world, "<html></html>", time=NOW + timedelta(hours=5))
    assert look(NOW + timedelta(hours=12)) == {"records": 20, "unread": 20}
    assert len(world.mails()) == 1


def test_a_long_object_is_read_only_at_its_beginning(world, monkeypatch):
    monkeypatch.setattr(watch_captures.inference_logs, "_SAMPLED_BYTES", 1000)
    monkeypatch.setattr(watch_captures.inference_logs.row_objects, "READ_AHEAD_BYTES", 2000)
    capture(world, "0.5", records=500)
    found = look()
    assert 0 < found["records"] < 10
    assert found["unread"] == 0


def test_captures_of_just_before_midnight_are_found_after_it(world):
    midnight = datetime(2016, 1, 4, 0, 10, tzinfo=UTC)
    capture(world, "<html></html>", time=midnight)
    look(midnight)
    assert len(world.mails()) == 1
