"""How much one instance on trial gets, and what people are told of it."""

from datetime import UTC, datetime

import pytest

from kedge.config.staging import Staging
from kedge.staging.load import BusyHour, load_of
from kedge.staging.requests import ReplayRequest

HOUR = datetime(2026, 3, 2, 14, tzinfo=UTC)


def in_minutes(*minutes):
    return [ReplayRequest(b"", "text/csv", "", minute) for minute in minutes]


def load(hour=None, requests=(), instances=1, **policy):
    return load_of(Staging(minutes=5, **policy), hour, requests, instances=instances)


def test_the_pace_is_that_of_the_busiest_minute_for_one_of_the_instances():
    # 600 of the hour's 1,200 requests came in one minute: 10 a second, 5 for each of two instances.
    found = load(BusyHour(HOUR, "3", 1200), in_minutes(*[1] * 600, *[2] * 20), instances=2)
    assert (found.per_second, found.requests) == (5.0, 1500)
    assert found.sentence == (
        "1,500 requests as captured at 2026-03-02 14:00 UTC, the busiest hour of the last 7 days, were sent to one instance at 5 a "
        "second, as each of the 2 instances had them in the busiest minute"
    )


def test_requests_that_were_not_read_count_by_the_hours_mean():
    assert load(BusyHour(HOUR, "3", 36_000), in_minutes(1, 1)).per_second == 10.0


def test_a_sample_of_captures_stands_for_all_requests():
    assert load(BusyHour(HOUR, "3", 3600, sampled=0.1), []).per_second == 10.0


def test_a_peak_above_the_cap_is_replayed_at_the_cap_and_said():
    found = load(BusyHour(HOUR, "3", 360_000), [], requests_per_second_max=20)
    assert (found.per_second, found.requests) == (20.0, 6000)
    assert "had 100 in the busiest minute, and staging.requests_per_second_max is lower" in found.sentence


def test_few_requests_are_sent_more_often_and_that_is_said():
    found = load(BusyHour(HOUR, "3", 36), [], minimum_requests=150)
    assert (found.per_second, found.requests) == (0.5, 150)
    assert "had 0.01 in the busiest minute, and staging.minimum_requests asks for more" in found.sentence


def test_without_captures_rows_of_the_holdout_are_sent():
    found = load(from_days=1)
    assert (found.requests, found.per_second) == (200, pytest.approx(200 / 300))
    assert found.sentence.startswith(
        "no request was captured in the last 1 day that this model can read, so 200 requests"
    )
