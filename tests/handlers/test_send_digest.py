"""On Monday each team hears once what its models did, from the history alone and the registry."""

import json
from datetime import UTC, datetime, timedelta

import boto3
import pytest
import time_machine

from kedge.retraining.state import RetrainingStart
from lambdas.adapters import clients
from lambdas.adapters.bucket import history
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.state import windows
from lambdas.handlers.send_digest import handler
from tests import deployed_models
from tests.adapters.bucket.test_history import report
from tests.handlers.aws_world import ACCOUNT, BUCKET, CONTEXT, MODEL, REGION, TABLE, aws_world, moto_backend
from tests.synthesised import example_models

MONDAY = datetime(2016, 1, 11, 6, tzinfo=UTC)
OTHERS = """
owner: {team: %s}
alerts: {digest: %s}
"""
TEAMS = "teams: {risk: {email: [risk@example.com]}, fraud: {email: [fraud@example.com]}}\n"


@pytest.fixture
def world(monkeypatch, tmp_path):
    folder, yaml = tmp_path / "models", (example_models() / "hotel-cancellations.yaml").read_text()
    folder.mkdir()
    (tmp_path / "teams.yaml").write_text(TEAMS)
    for name, team, wanted in (
        (MODEL, "risk", "true"),
        ("second", "risk", "true"),
        ("third", "fraud", "true"),
        ("mum", "fraud", "false"),
    ):
        (folder / f"{name}.yaml").write_text(yaml.replace(MODEL, name) + OTHERS % (team, wanted))
    deployed_models.choose(monkeypatch, folder)
    with time_machine.travel(MONDAY, tick=False), aws_world(monkeypatch) as world:
        sns = boto3.client("sns")
        for variable, name in (("ALERT_TOPIC_ARN", "people"), ("EVENT_TOPIC_ARN", "programs")):
            monkeypatch.setenv(variable, sns.create_topic(Name=name)["TopicArn"])
        yield world


def tick(after=timedelta()):
    return handler({"time": (MONDAY + after).isoformat()}, CONTEXT)


def mails():
    topic = moto_backend("sns").topics[f"arn:aws:sns:{REGION}:{ACCOUNT}:people"]
    return [(subject, message) for _, message, subject, *_ in topic.sent_notifications]


def judged(model, severity, end):
    found = report(severity=severity) | {"model": model}
    found["window"] = found["window"] | {"end": end, "start": "2016-01-03T00:00:00Z"}
    history.save_window(clients.s3(), BUCKET, found, f"reports/{model}/3/x/drift-r1.json")


def did(kind, when, **detail):
    body = Entry(MODEL, kind, when, detail).to_json()
    history.save_decision(clients.s3(), BUCKET, body, f"audit/{MODEL}/{when:%Y/%m/%d}/{kind}.json")


def started(model, when, run, usd=None):
    start = RetrainingStart(when, "drift", "e")
    windows.save_start(clients.dynamodb(), TABLE, model, run, start)
    if usd is not None:
        assert windows.save_cost(clients.dynamodb(), TABLE, model, run, usd)


def test_each_team_gets_one_mail_about_its_models(world):
    judged(MODEL, "CRITICAL", "2016-01-10T00:00:00Z")
    judged("second", "OK", "2016-01-10T00:00:00Z")
    world.register(status="PendingManualApproval")
    did("failed", MONDAY - timedelta(days=2), error="E")
    did("failed", MONDAY - timedelta(days=9), error="E")
    started(MODEL, MONDAY - timedelta(days=1), "r3")
    started(MODEL, MONDAY - timedelta(days=4), "r2", usd=1.25)
    started("second", MONDAY - timedelta(days=9), "r1", usd=99.0)
    assert tick() == {"digests": 2}
    (fraud_subject, fraud), (risk_subject, risk) = sorted(mails())
    assert fraud_subject == "[Kedge] fraud: weekly digest, nothing needs you (1 model)"
    assert risk_subject == "[Kedge] risk: weekly digest, 1 of 2 models needs you"
    assert f"- {MODEL} is CRITICAL" in risk
    assert f"- {MODEL}: version 1 has waited 0 days for a decision" in risk
    assert "Failures: 1." in risk
    assert "- 2 retrainings: 1.25 USD of instances by list prices, without 1 whose cost is not known" in risk
    assert "WHAT IT COSTS" not in fraud
    assert "No quality was measured in this week, so a loss would not be seen here." in fraud
    assert "Healthy (1): second." in risk
    assert "No loss of quality in 28 days." in risk
    assert "Not judged (1): third." in fraud
    assert "prefix=reports/index.html" in risk
    # About ten lines beside their titles, the date and the links.
    assert len([line for line in risk.splitlines() if line.strip()]) <= 24


def test_a_tick_that_comes_again_sends_nothing_and_the_next_week_does(world):
    for after, number in ((timedelta(), 2), (timedelta(), 2), (timedelta(days=7), 4)):
        tick(after)
        assert len(mails()) == number


def test_a_digest_of_several_models_is_not_held_by_the_mute_of_one(world):
    from kedge.alerts.holding import Mute
    from lambdas.adapters.state import mutes
    from tests.handlers.aws_world import TABLE

    mutes.save(world.dynamodb, TABLE, MODEL, Mute(MONDAY + timedelta(days=3), "known", "ann"))
    tick()
    assert len(mails()) == 2


def test_the_mean_times_are_of_the_losses_of_four_weeks(world):
    for day, severity in ((1, "OK"), (2, "CRITICAL"), (3, "OK")):
        span = {"start": f"2016-01-0{day}T00:00:00Z", "end": f"2016-01-0{day + 1}T00:00:00Z"}
        when = datetime(2016, 1, day + 1, 2, tzinfo=UTC)
        entry = {"window": span, "performance": {"severity": severity}, "package_version": "1", "severity": severity}
        did("window_judged", when, **entry)
        if severity == "CRITICAL":
            did("alert_sent", when, **entry)
    tick()
    (risk,) = [body for subject, body in mails() if "risk" in subject]
    assert (
        "1 loss of quality in 28 days: told after 26 hours (MTTD), it was not repaired by a better model (MTTR)."
        in risk
    )
    event = json.loads(moto_backend("sns").topics[f"arn:aws:sns:{REGION}:{ACCOUNT}:programs"].sent_notifications[-1][1])
    assert event["kind"] == "digest"
