"""From a function that tells to the five services: the deployed topic, filters, queues, roles and alarms."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.adapters.bucket.history import load_history
from offline.account import Account
from offline.delivery import chat
from tests.handlers.deliver.services import SECRETS, serving
from tests.synthesised import assembly_in_rooms, assembly_with_channels

MODEL = "hotel-cancellations"
START = datetime(2016, 2, 1, 12, tzinfo=UTC)


@pytest.fixture
def deployed(tmp_path, monkeypatch):
    templates = assembly_with_channels()  # before the account's clock starts
    with (
        serving(tmp_path, monkeypatch) as services,
        Account(start=START, directory=tmp_path / "account") as account,
    ):
        account.deploy(templates)
        for channel, text in SECRETS.items():
            account.client("secretsmanager").create_secret(Name=f"kedge/{channel}", SecretString=text)
        yield account, services


def tell(account, run):
    """Have the machine's function tell of a failure, and let an hour pass."""
    (name,) = [
        each["FunctionName"]
        for each in account.client("lambda").list_functions()["Functions"]
        if each["Handler"] == "lambdas.handlers.tell.handler" and "Retraining" in each["FunctionName"]
    ]
    time = f"{account.clock.now:%Y-%m-%dT%H:%M:%SZ}"
    detail = {"run": run, "machine": "retrain", "state": "Train", "error": "E", "cause": ""}
    event = {"model": MODEL, "kind": "failed", "time": time, "detail": detail}
    answer = account.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    assert "FunctionError" not in answer, answer["Payload"].read()
    account.clock.advance_to(account.clock.now + timedelta(hours=1))


@pytest.mark.slow
def test_what_a_function_tells_reaches_every_channel_once_and_what_is_refused_rings(deployed):
    account, services = deployed
    tell(account, "m-r1")
    assert {channel: len(found) for channel, found in services.shown.items()} == dict.fromkeys(SECRETS, 1)

    services.fail("slack", (429, {"Retry-After": "600"}, b""))
    services.fail("webhook", (404, {}, b""))
    tell(account, "m-r2")
    expected = {**dict.fromkeys(SECRETS, 2), "webhook": 1}
    assert {channel: len(found) for channel, found in services.shown.items()} == expected
    alarms = account.client("cloudwatch").describe_alarms(StateValue="ALARM")["MetricAlarms"]
    assert [alarm["AlarmName"] for alarm in alarms if "ToWebhookDead" in alarm["AlarmName"]]
    assert [call for call in account.calls if not call.allowed] == []
    bucket = next(b["Name"] for b in account.client("s3").list_buckets()["Buckets"] if "-data" in b["Name"])
    rows = load_history(account.client("s3"), bucket, MODEL, "deliveries", since=START).to_pylist()
    assert {(row["channel"], row["status"]) for row in rows if row["episode"].endswith("m-r2")} == {
        *((channel, "delivered") for channel in SECRETS if channel != "webhook"),
        ("webhook", "refused"),
    }
    assert max(row["attempts"] for row in rows if row["channel"] == "slack") == 2


@pytest.mark.slow
def test_what_a_function_tells_is_shown_by_the_rooms_of_amazon_q(tmp_path, monkeypatch):
    templates = assembly_in_rooms()
    with (
        serving(tmp_path, monkeypatch),
        Account(start=START, directory=tmp_path / "account") as account,
    ):
        account.deploy(templates)
        tell(account, "m-r1")
        rooms = ("C024BE91L", "19%3a0a1b2c3d4e5f60718293a4b5c6d7e8f9%40thread.tacv2")
        for room in rooms:
            (shown,) = chat.shown(account.post.recorded, room)
            # A digest of the deployment's bucket stands before it.
            assert shown["metadata"]["threadId"].partition("/")[2] == f"{MODEL}/run/m-r1"
        assert [call for call in account.calls if not call.allowed] == []
