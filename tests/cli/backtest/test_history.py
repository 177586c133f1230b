from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.backtest.history import open_history
from cli.rows.files import UnreadableFileError, open_rows
from kedge.backtest.grid import WindowGrid

START = datetime(2016, 1, 1, tzinfo=UTC)
DAY = 86_400_000_000
GRID = WindowGrid(int(START.timestamp()) * 1_000_000, 7 * DAY)


def make_history(tmp_path, seconds, *, file_rows=10_000):
    """A folder of files, for each of them is at least one batch."""
    folder = tmp_path / "history"
    folder.mkdir()
    times = pa.array([START + timedelta(seconds=float(s)) for s in seconds], pa.timestamp("us"))
    table = pa.table({"time": times, "number": np.arange(len(seconds))})
    for number, start in enumerate(range(0, max(len(seconds), 1), file_rows)):
        pq.write_table(table.slice(start, file_rows), folder / f"{number:03}.parquet")
    return open_history(open_rows(folder), "time", GRID)


def read(history, open_at_once):
    """The row numbers of each window, and the largest number of windows that were open at once."""
    rows, opened, most, ended = {}, set(), 0, []
    for batch in history.batches(["number"], open_at_once=open_at_once):
        numbers = batch.table.column("number").to_pylist()
        assert len(batch.microseconds) == len(numbers) == batch.stretches[-1].rows.stop
        for stretch in batch.stretches:
            opened.add(stretch.code)
            most = max(most, len(opened))
            assert stretch.code not in ended
            found = numbers[stretch.rows]
            assert found
            assert (GRID.codes(batch.microseconds[stretch.rows]) == stretch.code).all()
            rows.setdefault(stretch.code, []).extend(found)
            if stretch.is_last:
                opened.remove(stretch.code)
                ended.append(stretch.code)
    assert not opened
    return rows, most, ended


@pytest.mark.parametrize("order", ["sorted", "reversed", "shuffled"])
@pytest.mark.parametrize("open_at_once", [1, 3, 100])
def test_every_row_comes_once_in_its_window_whatever_the_order(tmp_path, order, open_at_once):
    seconds = np.sort(np.random.default_rng(1).uniform(-20, 70, 2000)) * 86_400
    seconds = {"sorted": seconds, "reversed": seconds[::-1], "shuffled": np.random.default_rng(2).permutation(seconds)}[
        order
    ]
    history = make_history(tmp_path, seconds, file_rows=64)
    assert history.windows == 10
    rows, most, ended = read(history, open_at_once)
    codes = np.floor(seconds / (7 * 86_400))
    assert {code: sorted(found) for code, found in rows.items()} == {
        code: sorted(np.flatnonzero(codes == code).tolist()) for code in range(10)
    }
    assert most <= open_at_once
    if order == "sorted":
        assert ended == list(range(10))
    before = [row for table in history.before(["number"]) for row in table.column("number").to_pylist()]
    assert sorted(before) == sorted(np.flatnonzero(codes < 0).tolist())


def test_rows_in_the_order_of_time_are_read_once(tmp_path):
    seconds = np.arange(-10, 70) * 86_400
    history = make_history(tmp_path, seconds, file_rows=5)
    told = []
    counting = replace(history.files, told=lambda _name, values: told.append(values))
    read(replace(history, files=counting), 2)
    assert sum(told) == len(seconds) * 2  # two columns, once


def test_rows_after_the_last_complete_window_are_the_rest(tmp_path):
    history = make_history(tmp_path, np.arange(-10, 25) * 86_400)
    assert history.windows == 3  # 25 days reach into the fourth week
    assert history.rest_rows == 4


def test_a_row_without_a_time_is_counted_and_left_out(tmp_path):
    times = pa.array([START - timedelta(days=1), None, START, START + timedelta(days=7)], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"time": times, "number": range(4)}), tmp_path / "some.parquet")
    history = open_history(open_rows(tmp_path / "some.parquet"), "time", GRID)
    assert history.survey.undated == 1
    assert read(history, 1)[0] == {0: [2]}
    assert history.rest_rows == 1


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        ([], "it has no rows"), ([100.5, 9e5], "no row is older than --baseline-until 2016-01-01"),
        ([-5.5, 100.5], "no window is complete: the first ends at 2016-01-08"),
        ([-5.5, 86_400 * 7 * 3000.0], "that makes 3000 windows, at most 2000 are replayed"),
    ],
)  # fmt: skip
def test_a_history_without_two_sides_is_a_sentence(tmp_path, seconds, words):
    with pytest.raises(UnreadableFileError, match=words):
        make_history(tmp_path, seconds)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["2016-01-01", "yesterday"], "'yesterday', which is not a time"), (["31.12.2015"], "31.12.2015"), ([5, 6], "'5', '6'"),
        ([None, None], "none of its 2 rows has a time"), ([True, False], "type bool"),
    ],
)  # fmt: skip
def test_times_that_are_none_are_a_sentence_with_an_example(tmp_path, values, words):
    pq.write_table(pa.table({"time": values}), tmp_path / "odd.parquet")
    with pytest.raises(UnreadableFileError, match=r"odd\.parquet.*" + words):
        open_history(open_rows(tmp_path / "odd.parquet"), "time", GRID)
