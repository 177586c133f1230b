"""Schedules in EventBridge Scheduler's syntax: when they fired last, and what is refused."""

from datetime import UTC, datetime, timedelta

import pytest

from kedge.config.cron import parse_cron

# A Wednesday of a leap year.
NOW = datetime(2016, 2, 10, 12, tzinfo=UTC)


def newest(expression, now=NOW, days=400):
    return parse_cron(expression).newest_tick(now - timedelta(days=days), now)


@pytest.mark.parametrize(
    ("expression", "tick"),
    [
        ("cron(30 4 * * ? *)", (2, 10, 4, 30)),
        ("cron(0 4 ? * MON *)", (2, 8, 4, 0)),
        ("cron(0 4 ? * 2 *)", (2, 8, 4, 0)),
        ("cron(0/15 8-10 * * ? *)", (2, 10, 10, 45)),
        ("cron(0 4 L * ? *)", (1, 31, 4, 0)),
        ("cron(0 4 ? * 6L *)", (1, 29, 4, 0)),
        ("cron(0 4 ? * MON#2 *)", (2, 8, 4, 0)),
        ("cron(0 4 ? * L *)", (2, 6, 4, 0)),
        ("cron(0 0 31W * ? *)", (1, 29, 0, 0)),
        ("cron(0 0 LW * ? *)", (1, 29, 0, 0)),
        ("cron(0 0 7W * ? *)", (2, 8, 0, 0)),
        ("cron(0 0 6W * ? *)", (2, 5, 0, 0)),
        ("cron(0 0 1 1,JUL ? 2015-2016)", (1, 1, 0, 0)),
    ],
)
def test_the_newest_tick_is_found(expression, tick):
    assert newest(expression) == datetime(2016, *tick, tzinfo=UTC)


def test_a_tick_counts_once_it_has_come_and_until_it_was_acted_on():
    schedule = parse_cron("cron(0 12 10 * ? *)")
    assert schedule.newest_tick(NOW - timedelta(days=2), NOW) == NOW
    assert schedule.newest_tick(NOW, NOW + timedelta(days=2)) is None
    assert schedule.newest_tick(NOW - timedelta(days=2), NOW - timedelta(minutes=1)) is None


@pytest.mark.parametrize("expression", ["cron(0 0 1 1 ? 2014)", "cron(0 0 31 2 ? *)", "cron(0 0 30W 2 ? *)"])
def test_a_schedule_that_has_no_tick_in_the_stretch_has_none(expression):
    assert newest(expression) is None


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("rate(1 day)", "is no schedule: write cron(minutes hours"),
        ("cron(0 4 * * ?)", "is no schedule: write cron(minutes hours"),
        ("cron(0 4 * * * *)", "exactly one of day-of-month and day-of-week must be ?"),
        ("cron(0 4 ? * ? *)", "exactly one of day-of-month and day-of-week must be ?"),
        ("cron(61 4 * * ? *)", "the field minutes of the schedule is '61': it takes 0 to 59"),
        ("cron(0 9-8 * * ? *)", "the field hours of the schedule is '9-8': it takes 0 to 23"),
        ("cron(0 0/0 * * ? *)", "the field hours of the schedule is '0/0'"),
        ("cron(0 4 0 * ? *)", "the field day-of-month of the schedule is '0': it takes 1 to 31"),
        ("cron(0 4 ? * MONDAY *)", "the field day-of-week of the schedule is 'MONDAY'"),
        ("cron(0 4 * FOO ? *)", "the field month of the schedule is 'FOO'"),
    ],
)
def test_what_scheduler_would_refuse_is_refused_with_its_field(expression, words):
    with pytest.raises(ValueError, match=r"schedule|must be") as refused:
        parse_cron(expression)
    assert words in str(refused.value)
