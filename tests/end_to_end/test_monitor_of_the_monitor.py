"""The monitor is watched too: when it goes blind, a mail says so."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from demo.bookings import REPLAY_FROM
from tests.end_to_end.hotel import DAY, HOUR, Hotel

pytestmark = pytest.mark.slow


def alarm_mails(hotel: Hotel, *words: str) -> list[Any]:
    return [mail for mail in hotel.mails_saying(*words) if mail.subject.startswith("ALARM")]


@contextmanager
def disabled(hotel: Hotel, step: str) -> Iterator[None]:
    """Disable the schedules of a step for a while, and forget to tell anyone."""
    client = hotel.account.client("scheduler")
    found = [
        client.get_schedule(Name=summary["Name"], GroupName=summary["GroupName"])
        for summary in client.list_schedules()["Schedules"]
    ]
    chosen = [each for each in found if json.loads(each["Target"].get("Input", "{}")).get("step") == step]
    assert chosen
    kept = ("Name", "GroupName", "ScheduleExpression", "Target", "FlexibleTimeWindow")
    for state in ("DISABLED", "ENABLED"):
        for schedule in chosen:
            client.update_schedule(**{name: schedule[name] for name in kept}, State=state)
        if state == "DISABLED":
            yield


def calls_of_an_hour(hotel: Hotel) -> Counter[str]:
    before = len(hotel.account.calls)
    hotel.wait(HOUR)
    return Counter(f"{call.service} {call.operation}" for call in hotel.account.calls[before:])


def quietest_hour(hotel: Hotel) -> Counter[str]:
    # AWS hands some ticks and messages over twice, so the quietest of a few hours counts.
    made = min((calls_of_an_hour(hotel) for _ in range(3)), key=Counter.total)
    for call, times in sorted(made.items()):
        print(f"{times} {call}")
    return made


def test_a_quiet_hour_costs_few_calls_and_none_for_a_model_alone(hotel):
    # In the afternoon nothing is due that is due once or twice a day.
    hotel.account.clock.advance_to(REPLAY_FROM + timedelta(hours=11, minutes=30))
    of_all = {
        "lambda InvokeFunction": 3,  # the ticks, whatever the number of models
        "s3 ListObjectsV2": 6,  # the definitions in the bucket, deployed and adopted, once a tick
        "dynamodb Query": 2,  # what waits to be settled, and what to be decided
        "dynamodb BatchGetItem": 1,  # for thirty models
        "sagemaker ListEndpoints": 1,  # for a hundred endpoints
    }
    # Until its first records are captured, the model is looked at each hour.
    assert quietest_hour(hotel) == Counter(of_all) + Counter(
        {
            "sqs SendMessageBatch": 1,
            "sqs ReceiveMessage": 1,
            "dynamodb BatchGetItem": 1,
            "s3 GetObject": 2,
            "s3 ListObjectsV2": 1,
            "sqs DeleteMessage": 1,
        }
    )
    hotel.send_for(HOUR, hotel.bookings(REPLAY_FROM, REPLAY_FROM + DAY), every=HOUR, each=3)
    hotel.wait(HOUR)
    assert quietest_hour(hotel) == of_all


TEAM = "a model is not judged, is not captured"


def test_nothing_judged_for_two_cadences_is_a_mail_with_the_models_name_and_an_alarm(hotel):
    silent = f"{hotel.model}: not judged for 2 cadences"
    windows = [entry["detail"]["window"]["end"] for entry in hotel.timeline("window_judged")]
    judged = datetime.fromisoformat(max([hotel.item("champion")["promoted_at"], *windows]))
    with disabled(hotel, "judge"):
        hotel.account.clock.advance_to(judged + timedelta(days=13, hours=18))
        assert hotel.mails_saying(silent) == alarm_mails(hotel, TEAM) == []
        hotel.account.clock.advance_to(judged + timedelta(days=15))
    assert len(hotel.mails_saying(silent)) == len(alarm_mails(hotel, TEAM)) == 1


def test_an_endpoint_that_is_invoked_but_captures_nothing_is_a_mail(hotel):
    bookings = hotel.bookings(REPLAY_FROM, REPLAY_FROM + DAY)
    blind = f"{hotel.model}: invoked, but nothing is captured"
    hotel.send_for(DAY, bookings, every=HOUR, each=3)
    assert hotel.mails_saying(blind) == []

    endpoint = hotel.registry.describe_endpoint(EndpointName=hotel.endpoint)
    config = hotel.registry.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    model = hotel.registry.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    with hotel.forbidden(model["ExecutionRoleArn"], "s3:PutObject"):
        failed = hotel.send_for(2 * DAY, bookings, every=HOUR, each=3)
    assert failed == 0, "the endpoint itself answers as ever"
    assert len(hotel.mails_saying(blind)) == len(alarm_mails(hotel, TEAM)) == 1


def test_a_message_that_keeps_failing_waits_among_the_dead_and_is_a_mail(hotel):
    sqs, url = hotel.account.client("sqs"), hotel.queue_url("profile_logs")
    body = json.dumps({"model": "a-model-that-nobody-knows", "time": f"{hotel.now:%Y-%m-%dT%H:%M:%SZ}"})
    sqs.send_message(QueueUrl=url, MessageBody=body)
    hotel.wait(HOUR)
    dead = "it waits in the dead-letter queue"
    assert alarm_mails(hotel, dead) == [], "it is tried again first"

    hotel.wait(5 * HOUR)
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
    target = json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"].split(":")[-1]
    dead_url = sqs.get_queue_url(QueueName=target)["QueueUrl"]
    (kept,) = sqs.receive_message(QueueUrl=dead_url, VisibilityTimeout=0)["Messages"]
    assert kept["Body"] == body, "a person can look at it and send it again"
    assert len(alarm_mails(hotel, dead)) == 1
