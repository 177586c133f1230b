"""AWS delivers late, twice, broken, or not at all: nothing is counted twice, done twice, or lost unheard."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from demo.bookings import REPLAY_FROM
from demo.replay import Replay
from tests.end_to_end.hotel import DAY, HOUR, MINUTE, WEEK, Hotel

pytestmark = pytest.mark.slow


def capture_key(hotel: Hotel, hour: datetime, name: str) -> str:
    variant = hotel.config.endpoint.variant
    return f"capture/{hotel.model}/1/{hotel.endpoint}/{variant}/{hour:%Y/%m/%d/%H}/{name}.jsonl"


def captured(hotel: Hotel, payload: str, row_id: str, time: datetime) -> str:
    """A capture record as SageMaker writes it."""
    sides = {
        "endpointInput": {"observedContentType": "text/csv", "mode": "INPUT", "data": payload, "encoding": "CSV"},
        "endpointOutput": {"observedContentType": "text/csv", "mode": "OUTPUT", "data": "0.25", "encoding": "CSV"},
    }
    metadata = {"eventId": f"event-{row_id}", "inferenceId": row_id, "inferenceTime": f"{time:%Y-%m-%dT%H:%M:%SZ}"}
    return json.dumps({"captureData": sides, "eventMetadata": metadata, "eventVersion": "0"})


def profile_again(hotel: Hotel) -> None:
    body = {"model": hotel.model, "time": f"{hotel.now:%Y-%m-%dT%H:%M:%SZ}"}
    hotel.account.client("sqs").send_message(QueueUrl=hotel.queue_url("profile_logs"), MessageBody=json.dumps(body))
    hotel.wait(5 * MINUTE)


def a_day_of_traffic(hotel: Hotel) -> tuple[datetime, int]:
    """Send requests until the night, around midnight too; return the day and how many were sent in it."""
    day = hotel.now.replace(hour=0, minute=0, second=0)
    bookings = hotel.bookings(REPLAY_FROM, REPLAY_FROM + DAY)
    hotel.account.clock.advance_to(day + 20 * HOUR)
    hotel.send_for(4 * HOUR - MINUTE, bookings, every=20 * MINUTE, each=5)
    return day, 12 * 5


def rows_of(hotel: Hotel, day: datetime) -> int:
    return sum(hotel.day(day)["rows_by_hour"].values())


def test_capture_files_that_come_late_change_a_days_counts_without_double_counting(hotel):
    day, sent = a_day_of_traffic(hotel)
    hotel.account.clock.advance_to(day + DAY + HOUR)
    before = hotel.day(day)
    assert rows_of(hotel, day) == sent

    # An hour's stragglers come the next morning, with some records that had been delivered already.
    hour = day + 21 * HOUR
    booking = hotel.bookings(REPLAY_FROM, REPLAY_FROM + DAY)[0]
    known = [
        line for key, body in hotel.objects(capture_key(hotel, hour, "")[:-6]).items() for line in body.splitlines()
    ]
    late = [captured(hotel, booking.payload, f"late-{n}", hour + n * MINUTE).encode() for n in range(7)]
    hotel.put(capture_key(hotel, hour, "late"), b"\n".join([*late, *known[:4]]) + b"\n")
    profile_again(hotel)
    after = hotel.day(day)
    assert rows_of(hotel, day) == sent + 7
    assert after["rows_by_hour"][21] == before["rows_by_hour"][21] + 7
    assert after["duplicates"] == before["duplicates"] + 4
    assert after["counted"]["count"] == before["counted"]["count"] + 1

    # The same files once more, and twice the same message: nothing moves.
    profile_again(hotel)
    profile_again(hotel)
    assert hotel.day(day) == after


def test_a_broken_capture_line_is_kept_aside_with_its_reason_and_counted(hotel):
    hotel.wait(DAY)
    day = hotel.now.replace(hour=0, minute=0, second=0)
    hour, booking = day + 5 * HOUR, hotel.bookings(REPLAY_FROM, REPLAY_FROM + DAY)[1]
    good = captured(hotel, booking.payload, "good-1", hour)
    broken = ['{"captureData": {"endpointInput"', captured(hotel, "only,three,values", "short-1", hour)]
    hotel.account.clock.advance_to(hour + 2 * HOUR)
    hotel.put(capture_key(hotel, hour, "partly-broken"), "\n".join([broken[0], good, broken[1]]).encode())
    profile_again(hotel)

    found = hotel.day(day)
    assert found["rows_by_hour"] == {5: 1}
    assert found["quarantined"] == 2
    aside = [
        json.loads(line)
        for body in hotel.objects(f"quarantine/{hotel.model}/1/{day:%Y-%m-%d}/").values()
        for line in body.splitlines()
    ]
    assert [entry["record"] for entry in aside] == broken
    assert [entry["line"] for entry in aside] == [1, 3]
    assert all(entry["reason"] for entry in aside)
    assert {entry["key"] for entry in aside} == {capture_key(hotel, hour, "partly-broken")}
    assert max(hotel.metric("Kedge", "RecordsQuarantined", "Maximum", Model=hotel.model)) == 2


def described(hotel: Hotel, execution: dict[str, Any]) -> dict[str, Any]:
    client = hotel.account.client("stepfunctions")
    found: dict[str, Any] = client.describe_execution(executionArn=execution["executionArn"])
    return found


def test_an_approval_that_is_delivered_twice_is_released_once(hotel):
    champion = hotel.item("champion")["package_arn"]
    package = hotel.register(champion, "")
    hotel.approve(package)
    hotel.wait(MINUTE)
    event = {
        "version": "0",
        "id": "5cf1b3c0-0b61-4f9e-9f0a-2b1c0f1d2e3f",
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Model Package State Change",
        "account": hotel.account.account_id,
        "region": hotel.account.region,
        "time": f"{hotel.now:%Y-%m-%dT%H:%M:%SZ}",
        "resources": [package],
        "detail": {"ModelPackageArn": package, "ModelApprovalStatus": "Approved"},
    }
    url = hotel.queue_url("start_release")
    for _ in range(3):
        hotel.account.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(event))
        hotel.wait(10 * MINUTE)
    releases = [
        e
        for e in hotel.executions("kedge-release")
        if json.loads(described(hotel, e)["input"])["package_arn"] == package
    ]
    assert len(releases) == 1
    approved = [entry for entry in hotel.timeline("approved") if entry["detail"]["package_arn"] == package]
    assert len(approved) == 1
    errors = hotel.metric("AWS/Lambda", "Errors", "Sum", FunctionName=hotel.function("start_release")["FunctionName"])
    assert sum(errors) == 0, "what has been heard before is no failure"
    assert len(hotel.timeline("canary_started")) == 1
    hotel.wait(6 * HOUR)  # nobody asks the canary anything, so it goes back
    assert hotel.item("champion")["package_arn"] == champion


def test_a_judgement_that_is_delivered_again_alerts_once_and_retrains_once(hotel):
    """Outcomes are told the wrong way round, so that quality is lost for certain."""
    begin = hotel.now.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
    until = begin + 3 * WEEK + (7 - begin.weekday()) % 7 * DAY  # a Monday
    replay = Replay(hotel.account, endpoint=hotel.endpoint, model=hotel.model, bucket=hotel.bucket)
    wrong = [replace(booking, label=1 - booking.label) for booking in hotel.bookings(begin, until)]
    replay.run(wrong, until, lambda _day: None)
    hotel.wait(3 * HOUR)
    last = hotel.timeline("window_judged")[-1]
    body = {
        "model": hotel.model,
        "time": last["time"],
        "window": {name: last["detail"]["window"][name] for name in ("start", "end")},
    }
    for _ in range(3):
        for consumer in ("measure_performance", "detect_drift"):
            url = hotel.queue_url(consumer)
            hotel.account.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(body))
        hotel.wait(10 * MINUTE)

    # The captures that an earlier test broke are told as well.
    alerts = [e["detail"]["window"]["end"] for e in hotel.timeline("alert_sent") if "window" in e["detail"]]
    assert last["detail"]["window"]["end"] in alerts
    assert len(alerts) == len(set(alerts)), "one alert a window"
    (start,) = [e for e in hotel.timeline("retraining_started") if e["detail"]["trigger"] == "performance"]
    assert start["time"] == last["time"], "it is the judgement that was delivered again that started it"
    runs = [e["name"] for e in hotel.executions("kedge-retrain") if "-performance-" in e["name"]]
    assert runs == [start["detail"]["run"]]
    assert len(hotel.mails_saying("retraining started", start["detail"]["reasons"][0])) == 1


def test_a_permission_that_was_taken_away_is_told(hotel):
    role = hotel.function("profile_logs")["Role"]
    with hotel.forbidden(role, "s3:ListBucket", "s3:GetObject"):
        hotel.wait(timedelta(hours=36))
    denied = [call for call in hotel.account.calls if not call.allowed]
    assert denied
    assert {call.role_arn for call in denied} == {role}
    told = [mail for mail in hotel.mails_saying("dead-letter queue") if mail.subject.startswith("ALARM")]
    assert told, "a stage that may not read does not fail in silence"
