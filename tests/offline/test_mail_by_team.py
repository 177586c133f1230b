"""Three models of two teams and of none: each mail arrives where it should, alarms' mails too."""

import email
import json
from datetime import UTC, datetime, timedelta
from email.policy import default

import pytest
from typer.testing import CliRunner

from app import build_app
from cli.doctor.checks.installation import Installation
from cli.doctor.checks.subscriptions import PENDING, check, subscribed
from cli.doctor.findings import Verdict
from cli.main import app as cli
from cli.operator.deployment import Deployment
from demo.first_champion import function_name
from kedge.errors import ModelConfigError
from lambdas.adapters.state import champions
from lambdas.adapters.state.champions import Champion
from offline.account import Account
from stacks.parts.mail import Mail
from tests.builders import make_config
from tests.synthesised import EXAMPLE, ROOT

TEAMS = """
teams:
  risk: {email: [risk@example.com, shared@example.com]}
  fraud: {email: [Shared@example.com], slack: {channel: C024BE91L, secret: kedge/slack}}
"""
OWNERS = {
    "of-risk": "owner: {team: risk}",
    "of-fraud": "owner: {team: fraud}\nalerts: {routes: [{to: [email]}, {severity: [CRITICAL], to: [slack]}]}",
    "own": "owner: {team: risk, email: [own@example.com]}",
    "of-nobody": "",
}
EVERYONE = {
    "of-risk": {"risk@example.com", "shared@example.com"},
    "of-fraud": {"shared@example.com"},
    "own": {"own@example.com"},
    "of-nobody": {"on-call@example.com"},
}


@pytest.fixture(scope="module")
def assembly(tmp_path_factory):
    place = tmp_path_factory.mktemp("teams")
    (place / "models").mkdir()
    (place / "teams.yaml").write_text(TEAMS)
    text = (ROOT / "models" / EXAMPLE).read_text() + "\nhealth: {server_error_fraction: 0.05}"
    for name, owner in OWNERS.items():
        (place / "models" / f"{name}.yaml").write_text(text.replace("hotel-cancellations", name) + f"\n{owner}\n")
    build_app(place / "cdk.out", place / "models").synth()
    return place / "cdk.out"


@pytest.fixture(scope="module")
def account(assembly, tmp_path_factory):
    with Account(start=datetime(2016, 1, 4, tzinfo=UTC), directory=tmp_path_factory.mktemp("account")) as account:
        account.deploy(assembly)
        yield account


def mails(account):
    """Whom each mail went to, by subject."""
    found = [email.message_from_bytes(f.read_bytes(), policy=default) for f in sorted(account.mail_directory.glob("*"))]
    return [(mail["Subject"], str(mail["To"]).lower()) for mail in found]


@pytest.mark.parametrize("model", OWNERS)
def test_a_message_reaches_the_models_people_once_and_nobody_else(account, model):
    event = {"model": model, "kind": "endpoint_changed", "time": "2016-01-04T03:10:00Z", "detail": {"reasons": ["x"]}}
    account.invoke_function(function_name(account, "tell"), event)
    got = [address for subject, address in mails(account) if subject.startswith(f"[Kedge] {model}:")]
    assert (sorted(got), len(got)) == (sorted(EVERYONE[model]), len(EVERYONE[model]))


def ring(account, model, state):
    """Set the alarm of the model's endpoint, and return its name."""
    cloudwatch = account.client("cloudwatch")
    (name,) = [
        alarm["AlarmName"]
        for page in cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix="KedgeModels-1")
        for alarm in page["MetricAlarms"]
        if {"Name": "EndpointName", "Value": model} in alarm["Dimensions"]
    ]
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="requests fail")
    return name


@pytest.mark.parametrize("model", OWNERS)
def test_an_alarm_reaches_the_models_people_with_no_function_between(account, model):
    invoked = [call for call in account.calls if call.service == "lambda"]
    name = ring(account, model, "ALARM")
    got = [address for subject, address in mails(account) if f'ALARM: "{name}"' in subject]
    assert sorted(got) == sorted(EVERYONE[model])
    assert [call for call in account.calls if call.service == "lambda"] == invoked


@pytest.mark.parametrize(
    ("mail_list", "model"),
    [("team-risk", "of-risk"), ("team-fraud", "of-fraud"), ("model-own", "own"), ("", "of-nobody")],
)
def test_each_list_has_one_alarm_whose_mail_reaches_all_of_it(account, mail_list, model):
    found = account.client("cloudwatch").describe_alarms()["MetricAlarms"]
    wanted = [{"Name": "Model", "Value": f"models/{mail_list}"}]
    (name,) = [a["AlarmName"] for a in found if a["MetricName"] == "ModelsInAlarm" and a["Dimensions"] == wanted]
    account.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="one rings")
    got = [address for subject, address in mails(account) if f'ALARM: "{name}"' in subject]
    assert sorted(got) == sorted(EVERYONE[model])


def test_the_monitor_names_a_model_that_rings_to_its_people_and_sets_off_the_alarm_of_its_list(account):
    (table,) = account.client("dynamodb").list_tables()["TableNames"]
    champion = Champion("arn", "1", "1", datetime(2015, 11, 1, tzinfo=UTC), None, "of-risk-v1", "of-risk-v1")
    champions.save(account.client("dynamodb"), table, "of-risk", champion)
    account.invoke_function(function_name(account, "watch_monitor"), {"time": "2016-01-04T00:50:00Z"})
    got = [to for subject, to in mails(account) if subject == "[Kedge] of-risk: not judged for 2 cadences"]
    assert sorted(got) == ["risk@example.com", "shared@example.com"]
    metric = {"Namespace": "Kedge", "MetricName": "ModelsInAlarm", "Period": 43_200, "Statistics": ["Maximum"]}
    counts = {
        each: account.client("cloudwatch").get_metric_statistics(
            **metric,
            Dimensions=[{"Name": "Model", "Value": f"models/{each}"}],
            StartTime=datetime(2016, 1, 4, tzinfo=UTC),
            EndTime=datetime(2016, 1, 5, tzinfo=UTC),
        )["Datapoints"][0]["Maximum"]
        for each in ("team-risk", "team-fraud", "model-own", "")
    }
    assert counts == {"team-risk": 1, "team-fraud": 0, "model-own": 0, "": 0}
    # A dead monitor says no word of models, and they are not well again by that.
    scheduler = account.client("scheduler")
    for page in scheduler.get_paginator("list_schedules").paginate():
        for schedule in page["Schedules"]:
            scheduler.delete_schedule(Name=schedule["Name"], GroupName=schedule["GroupName"])
    for later in (timedelta(hours=13), timedelta(days=3)):
        account.clock.advance_to(account.clock.now + later)
        found = account.client("cloudwatch").describe_alarms(AlarmNamePrefix="KedgeMonitoring")["MetricAlarms"]
        states = {a["Dimensions"][0]["Value"]: a["StateValue"] for a in found if a["MetricName"] == "ModelsInAlarm"}
        assert states == {
            "models/team-risk": "ALARM",
            "models/team-fraud": "OK",
            "models/model-own": "OK",
            "models/": "OK",
        }


def test_an_alarm_reaches_chat_as_an_event_and_so_does_its_end(account):
    for model in ("of-risk", "of-fraud"):
        ring(account, model, "INSUFFICIENT_DATA")
    account.clock.advance_to(account.clock.now + timedelta(minutes=5))
    events = next(t["TopicArn"] for t in account.client("sns").list_topics()["Topics"] if "Events" in t["TopicArn"])
    filters = {"FilterPolicy": json.dumps({"channels": ["slack"]})}
    account.client("sns").subscribe(
        TopicArn=events, Protocol="https", Endpoint="https://chat.example.com", Attributes=filters
    )
    for state in ("ALARM", "OK"):
        for model in ("of-risk", "of-fraud"):
            ring(account, model, state)
        account.clock.advance_to(account.clock.now + timedelta(minutes=5))
    heard = [json.loads(notice["Message"]) for _, notice in account.posted]
    kept = [(each["model"], each["kind"], each["severity"], each["detail"]["state"]) for each in heard]
    assert kept == [("of-fraud", "alarm", "CRITICAL", "ALARM"), ("of-fraud", "alarm", "OK", "OK")]


def test_more_addresses_than_a_topic_has_filters_are_refused_before_anything_is_deployed():
    addresses = ", ".join(f"a{n}@example.com" for n in range(200))
    config = make_config(f"owner: {{email: [{addresses}]}}")
    with pytest.raises(ModelConfigError, match="200 addresses in 1 lists are more than one topic"):
        Mail("on-call@example.com", [config]).check()


def test_a_route_to_mail_without_any_address_is_refused():
    config = make_config("alerts: {routes: [{to: [email]}]}")
    Mail("on-call@example.com", [config]).check()
    with pytest.raises(ModelConfigError, match="a route leads to email, and nobody has an address"):
        Mail(None, [config]).check()


def test_the_doctor_names_each_address_that_hears_nothing(account):
    installation = Installation(Deployment(region="eu-west-1", endpoint_url=None), ROOT / "models")
    assert [found for found in check(installation) if found.verdict is Verdict.FAILED] == []
    sns = account.client("sns")
    alerts = next(t["TopicArn"] for t in sns.list_topics()["Topics"] if "Alerts" in t["TopicArn"])
    (gone,) = [
        each["SubscriptionArn"]
        for each in sns.list_subscriptions_by_topic(TopicArn=alerts)["Subscriptions"]
        if each["Endpoint"] == "own@example.com"
    ]
    sns.unsubscribe(SubscriptionArn=gone)
    (found,) = [found for found in check(installation) if found.verdict is Verdict.FAILED]
    assert "own@example.com is not subscribed any more" in found.reason


def test_one_of_a_teams_addresses_that_has_not_confirmed_is_a_failure_though_others_have():
    known = [
        {"SubscriptionArn": "arn:aws:sns:x", "Endpoint": "a@example.com", "Protocol": "email"},
        {"SubscriptionArn": PENDING, "Endpoint": "b@example.com", "Protocol": "email"},
    ]
    verdicts = [found.verdict for found in subscribed("topic", known, people=True, each_counts=True)]
    assert verdicts == [Verdict.FAILED, Verdict.OK]


def test_a_test_alert_says_where_it_went_and_which_address_gets_nothing(account):
    url = account.serve(0).url

    def types(*arguments):
        return CliRunner().invoke(cli, ["test-alert", *arguments, "--wait", "0", "--endpoint-url", url])

    done = types("of-risk")
    assert (done.exit_code, done.stdout) == (0, "email: accepted by SNS for risk@example.com, shared@example.com\n")
    got = sorted(to for subject, to in mails(account) if "of-risk: a test message, sent as CRITICAL" in subject)
    assert got == ["risk@example.com", "shared@example.com"]
    # The test before has unsubscribed it.
    assert "own@example.com (not subscribed: it gets nothing)" in types("own").stdout
    assert "slack: accepted by SNS on the topic Events" in types("of-fraud").stdout
    assert types("of-fraud", "--channel", "slack").stdout.count("accepted") == 1
    assert "the deployment's address" in types("of-nobody", "--severity", "OK").stdout
