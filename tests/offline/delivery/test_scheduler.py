"""Schedules fire on the account's clock, as their role, with the scheduled time in their input."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from offline.delivery.schedule_expressions import ScheduleExpressionError, parse
from tests.offline.offline_world import NotingFunction, make_queue, make_role, messages

START = datetime(2016, 1, 1, tzinfo=UTC)


def _schedule(account, expression, arn, role=None, *, text="{}", name="s", **more):
    target = {"Arn": arn, "RoleArn": role or make_role(account, f"{name}-role", ["*"], "scheduler"), "Input": text}
    target |= more.pop("target", {})
    return account.client("scheduler").create_schedule(
        Name=name, ScheduleExpression=expression, Target=target, FlexibleTimeWindow={"Mode": "OFF"}, **more
    )["ScheduleArn"]


@pytest.mark.parametrize(
    ("expression", "after", "due"),
    [
        ("cron(20 * * * ? *)", START, START + timedelta(minutes=20)),
        ("cron(0 2 ? * MON *)", START, datetime(2016, 1, 4, 2, tzinfo=UTC)),
        ("cron(0 2 ? * 2 *)", START, datetime(2016, 1, 4, 2, tzinfo=UTC)),
        ("cron(30 0 * * ? *)", datetime(2016, 1, 1, 0, 30, tzinfo=UTC), datetime(2016, 1, 2, 0, 30, tzinfo=UTC)),
        ("cron(0/15 8-9 1 FEB,MAR ? 2016)", START, datetime(2016, 2, 1, 8, tzinfo=UTC)),
        ("cron(0 0 29 2 ? *)", datetime(2016, 3, 1, tzinfo=UTC), datetime(2020, 2, 29, tzinfo=UTC)),
        ("rate(5 minutes)", START + timedelta(minutes=7), START + timedelta(minutes=10)),
        ("at(2016-05-01T10:00:00)", START, datetime(2016, 5, 1, 10, tzinfo=UTC)),
        ("at(2015-05-01T10:00:00)", START, None),
        ("cron(0 0 1 1 ? 2015)", START, None),
    ],
)
def test_expression_is_next_due(expression, after, due):
    assert parse(expression, "UTC", START).after(after) == due


def test_cron_follows_its_time_zone_through_summer_time():
    cron = parse("cron(0 9 * * ? *)", "Europe/Dublin", START)
    assert cron.after(datetime(2016, 1, 1, tzinfo=UTC)).hour == 9
    assert cron.after(datetime(2016, 7, 1, tzinfo=UTC)).hour == 8


@pytest.mark.parametrize(
    "expression", ["cron(0 0 L * ? *)", "cron(0 0 * * * *)", "rate(0 hours)", "often", "cron(61 * * * ? *)"]
)
def test_expression_that_is_not_known_is_refused(expression):
    with pytest.raises(ScheduleExpressionError):
        parse(expression, "UTC", START)


def test_schedule_fires_with_the_scheduled_time_and_an_execution_id(account):
    function = NotingFunction(account, "fan-out")
    text = '{"time": "<aws.scheduler.scheduled-time>", "id": "<aws.scheduler.execution-id>"}'
    _schedule(account, "cron(20 * * * ? *)", function.arn, text=text)
    account.clock.advance_to(START + timedelta(hours=3))
    events = function.events()
    assert {event["time"] for event in events} == {f"2016-01-01T0{hour}:20:00Z" for hour in range(3)}
    assert all(len(event["id"]) == 36 for event in events)


def test_about_one_firing_in_twenty_happens_twice_with_the_same_execution_id(account):
    url, arn = make_queue(account, "inbox")
    _schedule(account, "rate(1 hour)", arn, text='{"id": "<aws.scheduler.execution-id>"}')
    account.clock.advance_to(START + timedelta(hours=90, minutes=1))  # a message lives for 96
    bodies = [message["Body"] for message in messages(account, url)]
    assert len(set(bodies)) == 90
    assert 1 <= len(bodies) - 90 <= 15


def test_target_is_reached_as_the_schedules_role(account):
    _, arn = make_queue(account, "inbox")
    role = make_role(account, "schedule-role", ["sqs:SendMessage"], "scheduler")
    _schedule(account, "rate(1 hour)", arn, role)
    account.clock.advance_to(START + timedelta(hours=1))
    assert any(call.role_arn == role and call.action == "sqs:SendMessage" and call.allowed for call in account.calls)


def test_role_that_may_not_leads_to_the_dead_letters(account):
    _, arn = make_queue(account, "inbox")
    dead_url, dead = make_queue(account, "dead")
    role = make_role(account, "schedule-role", ["sqs:SendMessage"], "scheduler")
    account.client("iam").put_role_policy(
        RoleName="schedule-role",
        PolicyName="may",
        PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": dead}]}
        ),
    )
    _schedule(account, "rate(1 hour)", arn, role, text='{"a": 1}', target={"DeadLetterConfig": {"Arn": dead}})
    account.clock.advance_to(START + timedelta(hours=1, minutes=5))
    letter = messages(account, dead_url)[0]
    assert letter["Body"] == '{"a": 1}'
    assert "AccessDenied" in letter["MessageAttributes"]["ERROR_CODE"]["StringValue"]


def test_disabled_updated_and_deleted_schedules(account):
    function = NotingFunction(account, "f")
    scheduler = account.client("scheduler")
    role = make_role(account, "role", ["lambda:InvokeFunction"], "scheduler")
    _schedule(account, "rate(1 hour)", function.arn, role, State="DISABLED")
    account.clock.advance_to(START + timedelta(hours=2, minutes=30))
    assert function.events() == []
    target = {"Arn": function.arn, "RoleArn": role, "Input": "{}"}
    scheduler.update_schedule(
        Name="s", ScheduleExpression="cron(0 4 * * ? *)", Target=target, FlexibleTimeWindow={"Mode": "OFF"}
    )
    account.clock.advance_to(START + timedelta(hours=5))
    assert 1 <= len(function.events()) <= 2
    scheduler.delete_schedule(Name="s")
    before = len(function.events())
    account.clock.advance_to(START + timedelta(days=3))
    assert len(function.events()) == before


def test_one_time_schedule_can_delete_itself(account):
    function = NotingFunction(account, "f")
    _schedule(account, "at(2016-01-02T00:00:00)", function.arn, ActionAfterCompletion="DELETE")
    account.clock.advance_to(START + timedelta(days=3))
    assert 1 <= len(function.events()) <= 2
    assert account.client("scheduler").list_schedules()["Schedules"] == []


def test_schedules_that_are_not_imitated_are_refused(account):
    function = NotingFunction(account, "f")
    with pytest.raises(ClientError, match="not imitated"):
        _schedule(account, "rate(1 hour)", "arn:aws:scheduler:::aws-sdk:sqs:purgeQueue")
    target = {"Arn": function.arn, "RoleArn": make_role(account, "r", ["*"], "scheduler")}
    with pytest.raises(ClientError, match="not imitated"):
        account.client("scheduler").create_schedule(
            Name="flexible",
            ScheduleExpression="rate(1 hour)",
            Target=target,
            FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
        )
