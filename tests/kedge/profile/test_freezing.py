import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kedge.columns.casting import Column
from kedge.columns.row_batches import COLUMNS_AT_ONCE, RowBatches
from kedge.errors import ColumnAbsentError, EmptySampleError, UncountableColumnError
from kedge.profile.counting import count_batches, count_rows
from kedge.profile.freezing import Fineness, freeze_baseline, freeze_baseline_streaming, freeze_sides
from kedge.profile.levels import LevelCounts, level_hashes
from kedge.profile.row_sample import RowSample
from tests.builders import make_baseline, make_config, make_window

CONFIG = make_config()
COLUMNS = make_baseline(CONFIG).columns
LEVEL = (Column("x", "feature", "categorical", "string"),)
BOOLEAN = (Column("x", "feature", "boolean", "string"),)


def streamed(table, columns=COLUMNS, size=97, **options):
    return freeze_baseline_streaming(
        "m", "1", columns, lambda: [table.slice(start, size) for start in range(0, table.num_rows, size)], **options
    )


def same(one, other):
    assert one.profile == other.profile
    for name, bins in one.bins.items():
        assert bins.levels == other.bins[name].levels
        assert (bins.edges == other.bins[name].edges).all()
        assert (bins.rare == other.bins[name].rare).all()


@settings(max_examples=20)
@given(size=st.integers(1, 900), maximum=st.sampled_from([2, 10_000]))
def test_a_stream_that_fits_freezes_as_the_whole_table_does(size, maximum):
    table = make_window(rows=800, seed=1)
    whole = freeze_baseline("m", "1", COLUMNS, table, table, fineness=Fineness(maximum_levels=maximum))
    same(streamed(table, size=size, fineness=Fineness(maximum_levels=maximum)), whole)


def test_a_longer_stream_counts_every_row_between_sampled_edges():
    table = make_window(rows=30_000, seed=2)
    found = streamed(table, size=1000, fineness=Fineness(sample_rows=5000))
    assert found.profile == count_rows(found, table)
    cells = found.column(found.profile, "weight").cells
    assert cells.sum() == 30_000
    assert cells.max() < 30_000 / 1000 * 4
    same(found, streamed(table, size=1000, fineness=Fineness(sample_rows=5000)))


def test_features_some_columns_at_a_time_beside_answers_to_other_rows_freeze_as_two_tables_do():
    rng, rows = np.random.default_rng(4), 700
    numbers = [Column(f"x{n}", "feature", "numeric", "float64") for n in range(2 * COLUMNS_AT_ONCE)]
    answer = Column("prediction", "prediction", "numeric", "float64")
    columns = (*numbers, Column("bought", "feature", "timestamp", "float64"), *LEVEL, answer)
    times = pa.array(np.arange(rows) * 3_600_000_000, pa.timestamp("us", "UTC"))
    features = pa.table(
        {column.name: rng.normal(size=rows) for column in numbers}
        | {"bought": times.take(pa.array(rng.permutation(rows))), "x": rng.choice(["a", "b"], rows), "time": times}
    )
    answers = pa.table({"prediction": rng.random(90), "time": times.slice(0, 90)})
    edges = {"x3": np.array([-1.0, 0.0, 1.0])}
    for clock in ("time", None):
        options = {"times": clock, "fineness": Fineness(edges=edges)}
        whole = freeze_baseline("m", "1", columns, features, answers, **options)
        found = freeze_sides("m", "1", columns, RowBatches.of(features), answers, **options)
        same(found, whole)
        assert (found.columns, found.bins["x3"].edges.tolist()) == (whole.columns, [-1.0, 0.0, 1.0])


def test_a_sample_takes_every_row_with_the_same_probability():
    hits = np.zeros(1000)
    sample = RowSample(250, ["row"])
    for start in range(0, 1000, 50):
        sample.add(pa.table({"row": np.arange(start, start + 50), "text": ["a"] * 50}))
    hits[sample.table.column("row").to_numpy()] = 1
    assert (sample.rows, sample.is_whole, sample.table.num_rows) == (1000, False, 250)
    assert sample.table.column("row").to_pylist() == sorted(sample.table.column("row").to_pylist())
    # A quarter of each half: 125 expected, standard deviation below 10.
    assert 95 < hits[:500].sum() < 155


def test_batches_are_counted_as_their_whole():
    table = make_window(rows=500)
    baseline = make_baseline(CONFIG)
    assert count_batches(baseline, table.to_batches(max_chunksize=60)) == count_rows(baseline, table)


def test_a_stream_without_rows_or_without_a_column_is_refused_by_name():
    table = make_window(rows=10)
    with pytest.raises(EmptySampleError):
        freeze_baseline_streaming("m", "1", COLUMNS, list)
    with pytest.raises(ColumnAbsentError, match="carrier"):
        streamed(table.drop(["carrier"]))
    with pytest.raises(EmptySampleError, match="weight"):
        streamed(table.set_column(0, "weight", pa.array([None] * 10, pa.float64())))


@given(words=st.lists(st.text(max_size=6), max_size=60), cut=st.integers(0, 60))
def test_levels_are_counted_the_same_in_any_batches(words, cut):
    counts = LevelCounts()
    counts.add(pa.array(words[:cut], pa.string()))
    counts.add(pa.chunked_array([pa.array(words[cut:], pa.string()).dictionary_encode()]))
    whole = LevelCounts()
    whole.add(pa.array(words, pa.string()))
    assert counts.ranked(3)[0] == whole.ranked(3)[0]
    assert counts.ranked(3)[1].tolist() == whole.ranked(3)[1].tolist()


def test_very_many_levels_keep_the_frequent_ones_and_the_hashes_of_the_others(monkeypatch):
    monkeypatch.setattr("kedge.profile.levels.KEPT_LEVELS", 1000)
    monkeypatch.setattr("kedge.profile.levels._PENDING_ROWS", 300)
    names = [f"user-{i:05d}" for i in range(5000)]
    table = pa.table({"x": names + ["often"] * 3000 + ["twice"] * 2})
    baseline = streamed(table, LEVEL, size=500, fineness=Fineness(maximum_levels=5))
    bins = baseline.bins["x"]
    assert bins.levels[0] == "often"
    assert len(bins.levels) == 5
    counts = baseline.column(baseline.profile, "x")
    assert (counts.cells[0], counts.unseen, counts.rows) == (3000, 0, 8002)
    window = baseline.column(count_rows(baseline, pa.table({"x": [*names[::7], "stranger", None]})), "x")
    assert (window.cells.sum(), window.unseen, window.missing) == (len(names[::7]), 1, 1)
    assert bins.cell_name(5) == "other rare levels"


def test_a_rare_level_is_rare_in_another_spelling_too():
    baseline = freeze_baseline(
        "m", "1", LEVEL, pa.table({"x": ["1", "1", "2", "3"]}), pa.table({}), fineness=Fineness(maximum_levels=1)
    )
    found = baseline.column(count_rows(baseline, pa.table({"x": [1.0, 2.0, 3.0, 4.0, None]})), "x")
    assert (found.cells.tolist(), found.unseen, found.missing) == ([1, 2], 1, 1)
    text = baseline.column(count_rows(baseline, pa.table({"x": ["1.0", "2.0", "3", "4.0", ""]})), "x")
    assert (text.cells.tolist(), text.unseen, text.missing) == ([1, 2], 1, 1)


def test_hashes_depend_on_the_text_alone_and_differ():
    words = [hashlib.sha256(str(i).encode()).hexdigest()[: i % 60] + str(i) for i in range(30_000)] + [
        "",
        "é",
        "ab",
        "ba",
    ]
    whole = level_hashes(pa.array(words))
    assert len(np.unique(whole)) == len(words)
    assert level_hashes(pa.array(words).slice(17, 40)).tolist() == whole[17:57].tolist()
    long = ["x" * 3_000_000, "y", "x" * 3_000_000]
    first, _, again = level_hashes(pa.array(long)).tolist()
    assert first == again
    assert level_hashes(pa.array(["y"])).tolist()[0] == level_hashes(pa.array(long)).tolist()[1]


@pytest.mark.parametrize(
    "values",
    [
        [True, False, True, None],
        ["True", "false", "TRUE", ""],
        [1, 0, 1, None],
        ["1.0", "0", "1", "nan"],
        [1.0, 0.0, 1.0, None],
    ],
)
def test_booleans_are_two_levels_in_any_spelling(values):
    table = pa.table({"x": values})
    baseline = freeze_baseline("m", "1", BOOLEAN, table, table)
    found = baseline.column(baseline.profile, "x")
    assert baseline.bins["x"].levels == ("false", "true")
    assert (found.cells.tolist(), found.missing, found.unparsable) == ([1, 2], 1, 0)


def test_what_is_no_boolean_is_a_type_error_and_one_value_leaves_room_for_the_other():
    table = pa.table({"x": [True, True]})
    baseline = freeze_baseline("m", "1", BOOLEAN, table, table)
    found = baseline.column(count_rows(baseline, pa.table({"x": ["false", "maybe", "2"]})), "x")
    assert (found.cells.tolist(), found.unparsable, found.unseen) == ([1, 0], 2, 0)


def test_bytes_that_are_no_text_and_nested_values_are_refused_by_their_column():
    for values in (pa.array([b"\xff\xfe"]), pa.array([[1], [2]])):
        table = pa.table({"x": values})
        with pytest.raises(UncountableColumnError, match="'x'"):
            freeze_baseline("m", "1", LEVEL, table, table)
        good = pa.table({"x": ["a"]})
        with pytest.raises(UncountableColumnError, match="'x'"):
            count_rows(freeze_baseline("m", "1", LEVEL, good, good), table)
