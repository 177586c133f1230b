from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.backtest.grid import BEFORE, WindowGrid, window_length

DAY = 86_400_000_000
grids = st.builds(WindowGrid, st.integers(-(10**16), 10**16), st.integers(60_000_000, 4000 * DAY))
times = st.lists(st.integers(-(10**16), 10**16), min_size=1, max_size=50).map(lambda found: np.array(found, np.int64))


@given(grids, times)
def test_each_time_lies_in_its_window_and_its_block(grid, found):
    for time, code in zip(found.tolist(), grid.codes(found).tolist(), strict=True):
        if time < grid.start:
            assert code == BEFORE
        else:
            assert 0 <= time - grid.start - code * grid.length < grid.length
    blocks = grid.blocks(found, 50)
    assert blocks.min() >= 0
    assert blocks.max() < 50


@given(grids, st.integers(0, 50))
def test_windows_follow_each_other_without_overlap(grid, code):
    assert grid.bounds(code)[1] == grid.bounds(code + 1)[0]


def test_blocks_are_equal_stretches_of_time():
    grid = WindowGrid(0, 28 * DAY)
    hours = np.arange(28 * 24) * (DAY // 24)
    counts = np.bincount(grid.blocks(hours, 28))
    assert counts.tolist() == [24] * 28


@pytest.mark.parametrize(
    ("newest", "resolution", "complete"),
    [
        (28 * DAY - 1, 1, 1), (27 * DAY, DAY, 1), (27 * DAY, 1, 1), (26 * DAY, 1, 0), (26 * DAY, DAY, 1), (25 * DAY, DAY, 0),
        (0, DAY, 0), (-5 * DAY, DAY, 0), (56 * DAY - 1, 1, 2), (55 * DAY, 1, 2),
    ],
)  # fmt: skip
def test_the_last_window_counts_once_it_is_covered(newest, resolution, complete):
    assert WindowGrid(0, 28 * DAY).complete(newest, resolution) == complete


def test_a_coarse_resolution_does_not_make_more_windows_than_there_are_rows_for():
    assert WindowGrid(0, DAY).complete(0, 365 * DAY) == 1


def test_bounds_are_utc():
    assert WindowGrid(0, DAY).bounds(2) == (datetime(1970, 1, 3, tzinfo=UTC), datetime(1970, 1, 4, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("28d", timedelta(days=28)), ("12h", timedelta(hours=12)), ("1w", timedelta(weeks=1)), ("30min", timedelta(minutes=30)),
        (" 2 D ", timedelta(days=2)), ("0.5d", timedelta(hours=12)), ("28", None), ("d", None), ("-1d", None), ("0d", None),
        ("1m", None), ("1e9d", None), ("9999999999999d", None), ("", None),
    ],
)  # fmt: skip
def test_a_length_is_a_number_with_its_unit(text, length):
    assert window_length(text) == length
