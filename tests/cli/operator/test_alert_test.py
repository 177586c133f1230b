"""`kedge test-alert` reads what the channels answered from the history."""

from types import SimpleNamespace

import pytest

from cli.operator import alert_test_command
from lambdas.adapters import clients
from lambdas.adapters.bucket import history
from tests.handlers.aws_world import BUCKET, MODEL, aws_world

EVENT = {"model": MODEL, "time": "2016-01-04T03:00:00Z", "id": "ab12", "kind": "test_alert", "severity": "CRITICAL"}
ANSWER = {
    "channels": ["email", "pagerduty", "slack"],
    "mail": [],
    "answers": {"people": "accepted", "programs": "accepted"},
    "event": EVENT,
}


@pytest.fixture
def deployment(monkeypatch):
    with aws_world(monkeypatch):
        yield SimpleNamespace(client=lambda _: clients.s3(), bucket=BUCKET)


def delivered(channel, status, answer):
    facts = {"channel": channel, "status": status, "answer": answer, "attempts": 1, "answer_seconds": 0.4}
    event = {**EVENT, "team": "risk", "episode": "e", "resolved": False}
    history.save_delivery(clients.s3(), BUCKET, event, history.delivery_name("ab12", channel), facts)


def said(deployment, wait=0):
    found = alert_test_command.answers(deployment, ANSWER, ["pagerduty", "slack"], wait)
    return {name: alert_test_command._said(name, ANSWER, found, wait, deployment) for name in ("pagerduty", "slack")}


def test_each_channels_answer_is_said_and_one_that_has_not_answered_is_named(deployment):
    delivered("slack", "refused", "channel_not_found")
    lines = said(deployment)
    assert lines["slack"] == "slack: refused: channel_not_found, in 0.4 s"
    assert "not answered within 0 seconds" in lines["pagerduty"]


def test_an_answer_is_waited_for_and_one_that_is_tried_again_is_not_the_last(deployment, monkeypatch):
    delivered("slack", "failed", "status 429")
    assert said(deployment)["slack"].endswith("(it is tried again)")
    monkeypatch.setattr(
        alert_test_command.time,
        "sleep",
        lambda _: [delivered("slack", "delivered", "ok"), delivered("pagerduty", "delivered", "status 202")],
    )
    lines = said(deployment, wait=60)
    assert (lines["slack"], lines["pagerduty"]) == (
        "slack: delivered: ok, in 0.4 s",
        "pagerduty: delivered: status 202, in 0.4 s",
    )
