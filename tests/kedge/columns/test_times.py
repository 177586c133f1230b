from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.columns.times import at, moment, row_times

NOON = datetime(2016, 1, 31, 12, 0, tzinfo=UTC)
SECONDS = int(NOON.timestamp())


def read(values):
    found = row_times(values)
    assert found.known.all(), found.examples
    return [at(int(one)) for one in found.microseconds]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Lisbon"])
def test_a_timestamp_of_any_unit_and_zone_is_its_instant(unit, zone):
    values = pa.array([SECONDS * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]], pa.timestamp(unit, zone))
    assert read(values) == [NOON]


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64()])
def test_a_date_is_its_midnight(kind):
    assert read(pa.array([date(2016, 1, 31)], kind)) == [NOON.replace(hour=0)]


@pytest.mark.parametrize(
    "text",
    [
        "2016-01-31 12:00", "2016-01-31T12:00:00", "2016-01-31T12:00:00Z", "2016-01-31T13:00:00+01:00", "2016/01/31 12:00:00",
        "2016-01-31 12:00:00.000", "2016-01-31 12:00:00.000000000", " 2016-01-31 12:00 ", str(SECONDS), f"{SECONDS}.0",
        f"{SECONDS}000", f"{SECONDS}000000", f"{SECONDS}000000000", "1.4542416e9",
    ],
)  # fmt: skip
def test_text_is_read_however_it_is_written(text):
    assert read(pa.array([text])) == [NOON]
    assert read(pa.array([text]).dictionary_encode()) == [NOON]
    assert moment(text) == NOON


def test_one_column_may_write_its_times_differently():
    texts = ["2016-01-31", "2016-01-31T01:00:00+01:00", "20160131", "2016-01-31 00:00:00.0"]
    assert read(pa.array(texts)) == [NOON.replace(hour=0)] * 4
    assert read(pa.array(["2016-02"])) == [datetime(2016, 2, 1, tzinfo=UTC)]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([SECONDS], pa.int64()), pa.array([SECONDS * 1000], pa.int64()), pa.array([SECONDS * 10**6], pa.uint64()),
        pa.array([SECONDS * 10**9], pa.int64()), pa.array([float(SECONDS)]), pa.array([Decimal(SECONDS)]),
    ],
)  # fmt: skip
def test_an_epoch_number_tells_its_unit_by_its_size(values):
    assert read(values) == [NOON]


@given(st.datetimes(datetime(1974, 1, 1), datetime(2199, 1, 1)), st.sampled_from([10**0, 10**3, 10**6]))
def test_seconds_to_microseconds_never_change_places(time, factor):
    instant = time.replace(tzinfo=UTC, microsecond=0)
    assert read(pa.array([int(instant.timestamp()) * factor])) == [instant]


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_iso_text_comes_back_to_the_microsecond(time, minutes):
    instant = time.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert read(pa.array([instant.isoformat()])) == [instant]


@pytest.mark.parametrize(
    ("values", "example"),
    [
        (pa.array(["2016-01-31", "soon"]), "soon"), (pa.array(["31.01.2016", "2016-01-31"]), "31.01.2016"),
        (pa.array([7, SECONDS]), "7"), (pa.array([float("inf"), 1.4e9]), "inf"), (pa.array(["2016-13-01"]), "2016-13-01"),
        (pa.array([20169931]), "20169931"), (pa.array([True, False]), "values of type bool"),
        (pa.array([[1], [2]]), "values of type list<item: int64>"), (pa.array([timedelta(1)]), "values of type duration[us]"),
        (pa.array([10**18], pa.timestamp("us")), "<value out of range: 1000000000000000000>"),
    ],
)  # fmt: skip
def test_what_is_no_time_is_strange_and_shown(values, example):
    found = row_times(values)
    assert found.strange.any()
    assert example in found.examples
    assert not (found.known & found.strange).any()


@pytest.mark.parametrize(
    "values", [pa.array([None, "", "NaN", "null"]), pa.array([np.nan]), pa.nulls(3), pa.nulls(2, pa.date32())]
)
def test_nothing_there_is_neither_known_nor_strange(values):
    found = row_times(values)
    assert not found.known.any()
    assert not found.strange.any()


def test_a_moment_that_is_none_is_none():
    assert [moment(text) for text in ("", "yesterday", "7", "2016-02-30")] == [None] * 4
