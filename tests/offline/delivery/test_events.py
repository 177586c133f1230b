"""Rules hand events to their targets: filtered, transformed, late, sometimes twice, and aside when they cannot."""

import json
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from offline.delivery.event_inputs import fill
from tests.offline.offline_world import NotingFunction, make_queue, make_role, messages


def _rule(account, pattern, *targets, name="rule"):
    events = account.client("events")
    arn = events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
    listed = [{"Id": str(number)} | target for number, target in enumerate(targets)]
    assert events.put_targets(Rule=name, Targets=listed)["FailedEntryCount"] == 0
    return arn


def _pass(account, **span):
    account.clock.advance_to(account.clock.now + timedelta(**(span or {"minutes": 10})))


def test_event_that_matches_reaches_the_queue_as_eventbridge_writes_it(account):
    url, arn = make_queue(account, "inbox", open_to="events.amazonaws.com")
    _rule(account, {"source": ["aws.sagemaker"]}, {"Arn": arn})
    account.publish_event("aws.sagemaker", "SageMaker Model Package State Change", {"a": 1}, ["arn:x"])
    account.publish_event("aws.s3", "Object Created", {"a": 1})
    _pass(account)
    bodies = {message["Body"] for message in messages(account, url)}
    assert len(bodies) == 1
    event = json.loads(bodies.pop())
    assert event["detail-type"] == "SageMaker Model Package State Change"
    assert event["time"] == "2016-01-01T00:00:00Z"
    assert event["resources"] == ["arn:x"]
    assert event["detail"] == {"a": 1}
    assert set(event) == {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"}


@pytest.mark.parametrize(
    ("filters", "matching"),
    [
        ([{"prefix": "ab"}], {"abc"}),
        ([{"anything-but": ["abc"]}], {"xyz", 5, 50}),
        ([{"numeric": [">", 10]}], {50}),
        ([{"numeric": [">=", 5, "<", 50]}], {5}),
        (["xyz", 5], {"xyz", 5}),
    ],
)
def test_pattern_filters_on_detail(account, filters, matching):
    url, arn = make_queue(account, "inbox", open_to="events.amazonaws.com")
    _rule(account, {"detail": {"value": filters}}, {"Arn": arn})
    for value in ("abc", "xyz", 5, 50):
        account.publish_event("aws.test", "Test", {"value": value})
    _pass(account)
    assert {json.loads(message["Body"])["detail"]["value"] for message in messages(account, url)} == matching


def test_pattern_tells_whether_a_field_exists(account):
    url, arn = make_queue(account, "inbox", open_to="events.amazonaws.com")
    _rule(account, {"source": ["aws.test"], "detail": {"reason": [{"exists": False}]}}, {"Arn": arn})
    account.publish_event("aws.test", "Test", {"reason": "because"})
    account.publish_event("aws.test", "Test", {"other": "thing"})
    _pass(account)
    assert {json.loads(message["Body"])["detail"].get("other") for message in messages(account, url)} == {"thing"}


def test_function_gets_what_the_transformer_makes_of_the_event(account):
    function = NotingFunction(account, "release").allow(account, "events.amazonaws.com")
    transformer = {
        "InputPathsMap": {"arn": "$.detail.arns[0]", "gone": "$.detail.gone", "count": "$.detail.count"},
        "InputTemplate": '{"arn": <arn>, "text": "<count> of <arn>", "gone": <gone>, "by": "<aws.events.rule-name>"}',
    }
    _rule(account, {"source": ["aws.test"]}, {"Arn": function.arn, "InputTransformer": transformer})
    account.publish_event("aws.test", "Test", {"arns": ["arn:one"], "count": 3})
    _pass(account)
    assert function.events()[0] == {"arn": "arn:one", "text": "3 of arn:one", "by": "rule"}


def test_template_that_is_no_json_stays_text():
    assert fill("<who> did <what>", {"who": "Ann", "what": {"a": 1}}) == 'Ann did {"a": 1}'


def test_target_gets_a_part_of_the_event_or_a_constant(account):
    url, arn = make_queue(account, "inbox", open_to="events.amazonaws.com")
    _rule(account, {"source": ["aws.test"]}, {"Arn": arn, "InputPath": "$.detail"}, {"Arn": arn, "Input": '{"c": 1}'})
    account.publish_event("aws.test", "Test", {"a": 1})
    _pass(account)
    assert {message["Body"] for message in messages(account, url)} == {'{"a": 1}', '{"c": 1}'}


def test_about_one_delivery_in_twenty_comes_twice_and_order_is_lost(account):
    url, arn = make_queue(account, "inbox", open_to="events.amazonaws.com")
    _rule(account, {"source": ["aws.test"]}, {"Arn": arn})
    for number in range(120):
        account.publish_event("aws.test", "Test", {"number": number})
    _pass(account)
    numbers = [json.loads(message["Body"])["detail"]["number"] for message in messages(account, url)]
    assert set(numbers) == set(range(120))
    assert 1 <= len(numbers) - 120 <= 30
    assert numbers != sorted(numbers)


def test_queue_that_does_not_let_the_rule_in_sends_the_event_to_the_dead_letters(account):
    _, closed = make_queue(account, "closed")
    dead_url, dead = make_queue(account, "dead", open_to="events.amazonaws.com")
    rule = _rule(account, {"source": ["aws.test"]}, {"Arn": closed, "DeadLetterConfig": {"Arn": dead}})
    account.publish_event("aws.test", "Test", {"a": 1})
    _pass(account)
    letter = messages(account, dead_url)[0]
    assert json.loads(letter["Body"])["detail"] == {"a": 1}
    facts = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert facts["RULE_ARN"] == rule
    assert facts["TARGET_ARN"] == closed
    assert "AccessDenied" in facts["ERROR_CODE"]


def test_function_that_keeps_failing_is_tried_three_times(account):
    function = NotingFunction(account, "fails", 'raise ValueError("no")').allow(account, "events.amazonaws.com")
    _rule(account, {"source": ["aws.test"]}, {"Arn": function.arn})
    account.publish_event("aws.test", "Test", {"a": 1})
    _pass(account, hours=1)
    assert len(function.events()) in (3, 6)


def test_put_events_puts_a_custom_event_on_the_bus(account):
    url, arn = make_queue(account, "inbox", open_to="events.amazonaws.com")
    _rule(account, {"source": ["kedge"]}, {"Arn": arn})
    account.client("events").put_events(Entries=[{"Source": "kedge", "DetailType": "Drift", "Detail": '{"m": "x"}'}])
    _pass(account)
    assert json.loads(messages(account, url)[0]["Body"])["detail-type"] == "Drift"


def test_disabled_rule_delivers_nothing(account):
    url, arn = make_queue(account, "inbox", open_to="events.amazonaws.com")
    _rule(account, {"source": ["aws.test"]}, {"Arn": arn})
    account.client("events").disable_rule(Name="rule")
    account.publish_event("aws.test", "Test", {"a": 1})
    _pass(account)
    assert messages(account, url) == []


def test_state_machine_is_started_as_the_rules_role(account):
    role = make_role(account, "starter", ["states:StartExecution"], "events")
    states = account.client("stepfunctions")
    definition = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    machine = states.create_state_machine(name="m", definition=json.dumps(definition), roleArn=role)["stateMachineArn"]
    _rule(account, {"source": ["aws.test"]}, {"Arn": machine, "RoleArn": role, "InputPath": "$.detail"})
    account.publish_event("aws.test", "Test", {"a": 1})
    _pass(account)
    executions = states.list_executions(stateMachineArn=machine)["executions"]
    assert executions
    described = states.describe_execution(executionArn=executions[0]["executionArn"])
    assert json.loads(described["input"]) == {"a": 1}
    assert role in {call.role_arn for call in account.calls}


def test_unknown_kinds_of_target_and_scheduled_rules_are_refused(account):
    events = account.client("events")
    events.put_rule(Name="rule", EventPattern='{"source": ["a"]}')
    with pytest.raises(ClientError, match="not imitated"):
        events.put_targets(Rule="rule", Targets=[{"Id": "1", "Arn": "arn:aws:kinesis:eu-west-1:123456789012:stream/s"}])
    with pytest.raises(ClientError, match="not imitated"):
        events.put_rule(Name="often", ScheduleExpression="rate(1 hour)")
