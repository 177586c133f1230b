from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.columns.ages import ages_in_days, as_timestamps, newest_times
from kedge.columns.casting import Column
from kedge.profile.counting import count_rows, count_rows_by_hour
from kedge.profile.freezing import Fineness, freeze_baseline, freeze_baseline_streaming

BOUGHT = Column("bought", "feature", "timestamp", "float64")
NEWEST = datetime(2016, 3, 1, 12, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1))


def ages(values, times=None, **others):
    return ages_in_days(pa.table({"bought": values, **others}), BOUGHT, times)


@given(moment=MOMENTS, asked=MOMENTS)
def test_an_age_is_what_the_calendar_says_however_the_time_is_written(moment, asked):
    days = (asked - moment) / timedelta(days=1)
    known = {"bought": asked.replace(tzinfo=UTC)}
    spellings = [
        pa.array([moment], pa.timestamp("us")),
        pa.array([moment], pa.timestamp("us")).cast(pa.timestamp("ns")) if moment.year < 2200 else None,
        pa.array([moment.replace(tzinfo=UTC)], pa.timestamp("us", "Europe/Berlin")),
        [moment.isoformat()],
        [moment.isoformat(" ") + "Z"],
        [f" {moment.isoformat()}+00:00 "],
    ]
    for values in spellings:
        if values is not None:
            assert ages(values, known).values[0] == pytest.approx(days, abs=1e-9)


def test_dates_numbers_and_other_zones_are_times_too():
    known = {"bought": datetime(2016, 1, 2, tzinfo=UTC)}
    seconds = datetime(2016, 1, 1, tzinfo=UTC).timestamp()
    assert ages([date(2016, 1, 1)], known).values.tolist() == [1.0]
    assert ages([seconds, seconds * 1e3, seconds * 1e6, seconds * 1e9], known).values.tolist() == [1.0] * 4
    assert ages([f"{seconds:.0f}", f"{seconds * 1e3:.0f}"], known).values.tolist() == [1.0, 1.0]
    assert ages(["2016-01-01T02:00:00+02:00", "2015-12-31T19:00-05:00"], known).values.tolist() == [1.0, 1.0]
    assert ages(["2016-01-01T00:00:00.123456789"], known).values[0] == pytest.approx(1 - 0.123456 / 86400, abs=1e-12)


def test_what_is_no_time_is_missing_or_a_type_error():
    found = ages(["2016-01-01", "", None, "NaT", "yesterday", "2016-02-30", "2016"])
    assert found.missing.tolist() == [False, True, True, True, False, False, False]
    assert found.unparsable.tolist() == [False, False, False, False, True, True, True]
    assert ages(pa.array([None, None], pa.null())).missing.all()


def test_each_row_has_its_own_time_where_a_column_tells_it():
    rows = ages(["2016-01-01", "2016-01-01"], "time", time=["2016-01-02", None])
    assert rows.values[0] == 1.0
    assert rows.missing.tolist() == [False, True]


def test_the_newest_value_stands_for_the_rows_time_over_all_batches():
    batches = [pa.table({"bought": ["2016-01-01", None]}), pa.table({"bought": ["2016-01-31"]})]
    newest = newest_times((BOUGHT,), batches)
    assert newest == {"bought": datetime(2016, 1, 31, tzinfo=UTC)}
    assert newest_times((BOUGHT,), [pa.table({"bought": [""]})]) == {}
    table = pa.concat_tables(batches)
    baseline = freeze_baseline("m", "1", (BOUGHT,), table, table)
    parts = [count_rows(baseline, batch, times=newest) for batch in batches]
    assert parts[0] + parts[1] == baseline.profile == count_rows(baseline, table)


def test_a_side_without_any_time_counts_as_missing():
    table = pa.table({"bought": ["2016-01-01"]})
    baseline = freeze_baseline("m", "1", (BOUGHT,), table, table)
    void = count_rows(baseline, pa.table({"bought": ["", None]}), times={})
    assert baseline.column(void, "bought").missing == 2


def test_a_stream_of_times_freezes_as_the_whole_does():
    rng = np.random.default_rng(0)
    moments = [NEWEST - timedelta(days=float(d)) for d in rng.exponential(30, 900)]
    table = pa.table({"bought": pa.array(moments, pa.timestamp("us", "UTC")), "time": [NEWEST] * 900})
    batches = [table.slice(start, 100) for start in range(0, 900, 100)]
    whole = freeze_baseline("m", "1", (BOUGHT,), table, table)
    assert freeze_baseline_streaming("m", "1", (BOUGHT,), lambda: batches).profile == whole.profile
    by_time = freeze_baseline("m", "1", (BOUGHT,), table, table, times="time")
    found = freeze_baseline_streaming(
        "m", "1", (BOUGHT,), lambda: batches, fineness=Fineness(sample_rows=300), times="time"
    )
    assert found.column(found.profile, "bought").cells.sum() == 900
    hours = count_rows_by_hour(by_time, table, np.arange(900) % 5, times="time")
    assert sum(hours.values(), start=by_time.empty()) == by_time.profile


def test_timestamps_keep_their_microseconds():
    moments = [NEWEST + timedelta(microseconds=7), None]
    assert as_timestamps(pa.array(moments)).cast(pa.int64()).to_pylist() == [round(moments[0].timestamp() * 1e6), None]
