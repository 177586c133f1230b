"""Captures expire with the last day that counts them, and only where every day has."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.capture.source import SOURCES, expiring, last_expired, source_of
from tests.builders import make_config
from tests.logs import log_config

DAY = date(2026, 3, 10)
HOURS = st.datetimes(datetime(2026, 2, 25), datetime(2026, 3, 5)).map(lambda time: time.replace(minute=0))
CONFIGS = {"endpoint": make_config(), "log": log_config()}


@given(st.sampled_from([*CONFIGS]), HOURS)
def test_an_hour_is_counted_on_the_days_whose_folders_hold_it(source, hour):
    config = CONFIGS[source]
    (root,) = source_of(config).roots(config).values()
    days = [hour.date() + timedelta(days=n) for n in range(-9, 10)]
    key = f"{root}{hour:%Y/%m/%d/%H}/a"
    holds = [day for day in days if any(key.startswith(folder) for folder in source_of(config).folders(config, day))]
    assert source_of(config).counted_on(hour) == holds


@pytest.mark.parametrize(
    ("hour", "days"),
    [("2026/03/10/22", (8, 9, 10)), ("2026/03/09/23", (7, 8, 9, 10)), ("2026/03/10/23", ()), ("2026/03/11/00", ())],
)
def test_an_object_of_a_log_is_as_young_as_the_last_day_that_counts_it(hour, days):
    key = f"logs/parcels/{hour}/a.gz"
    expected = {tuple(date(2026, 3, day) for day in days): [key]} if days else {}
    assert expiring(SOURCES["log"], [key, "logs/parcels/a.gz"], DAY) == expected


def test_a_day_expires_once_it_is_over_for_as_long_as_the_yaml_says():
    assert last_expired(date(2026, 3, 31), 35) == date(2026, 2, 23)
    over = datetime(2026, 2, 24)
    assert datetime(2026, 3, 31) - over == timedelta(days=35)
