"""Captures expire with the last day that counts them, and only where every day has."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.capture.source import SOURCES, days_beside, expired_captures, last_expired, source_of
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


@given(st.sampled_from([*CONFIGS]), HOURS)
def test_what_a_day_needs_to_know_is_every_day_that_counts_what_expires_with_it(source, hour):
    found = SOURCES[source].counted_on(hour)
    assert {*found} <= {*days_beside(SOURCES[source], found[-1])}


def log(*arrived):
    return {f"logs/parcels/{hour}/a.gz": "1" for hour in arrived}


@pytest.mark.parametrize(
    ("counted", "expires"),
    [
        # Arrived at noon: of the day itself and of two before it.
        ({0: log("2026/03/10/12"), -1: log("2026/03/10/12"), -2: log("2026/03/10/12")}, True),
        ({0: log("2026/03/10/12"), -1: log("2026/03/10/12")}, False),
        ({0: log("2026/03/10/12"), -1: log("2026/03/10/12"), -2: {"logs/parcels/2026/03/10/12/a.gz": "2"}}, False),
        # In the last hour of a day: of the next day too, with which it expires.
        ({n: log("2026/03/09/23") for n in (0, -1, -2, -3)}, True),
        ({n: log("2026/03/10/23") for n in (0, -1, -2)}, False),
        # A name that tells no hour.
        ({n: {"logs/parcels/a.gz": "1"} for n in (0, -1, -2, -3)}, False),
    ],
)
def test_a_log_expires_once_each_of_its_days_has_counted_it(counted, expires):
    days = {DAY + timedelta(days=n): found for n, found in counted.items()}
    assert expired_captures(SOURCES["log"], DAY, days) == (counted[0] if expires else {})


def test_a_day_expires_once_it_is_over_for_as_long_as_the_yaml_says():
    assert last_expired(date(2026, 3, 31), 35) == date(2026, 2, 23)
    over = datetime(2026, 2, 24)
    assert datetime(2026, 3, 31) - over == timedelta(days=35)
