"""Slice counts, against plain loops over the rows, and as bytes."""

import numpy as np
import pyarrow as pa
import pytest

from kedge.errors import BaselineMismatchError
from kedge.outcomes.outcomes import Outcomes
from kedge.slices.counts import PROBABILITY_UNIT, SliceCounter, count_reference, count_singles, row_groups
from kedge.slices.encoding import decode_slices, encode_slices
from kedge.slices.ruler import SliceRuler, freeze_ruler
from tests.builders import make_baseline, make_config, make_window
from tests.kedge.sliced_rows import batches, make_rows, ruler_of

TABLE, OUTCOMES = make_rows(1, 3000)
RULER = ruler_of(TABLE)


def test_every_row_is_in_one_group_of_every_column():
    counted = count_singles(RULER, batches(TABLE, OUTCOMES))
    assert {table.rows.sum() for table in counted.tables.values()} == {3000}
    assert counted.total.counts[0, :, 1].sum() == OUTCOMES.labels.sum()


def test_a_groups_counts_are_those_of_a_loop():
    counted = count_singles(RULER, batches(TABLE, OUTCOMES))
    carriers = TABLE.column("carrier").to_pylist()
    table = counted.tables[("carrier",)]
    for place, (name,) in enumerate(table.names):
        chosen = np.array([carrier == name for carrier in carriers])
        assert table.counts[place, :, 1].sum() == (chosen & (OUTCOMES.labels == 1)).sum()
        assert table.counts[place, :, 0].sum() == (chosen & (OUTCOMES.labels == 0)).sum()
        said = OUTCOMES.answers[chosen].sum()
        assert table.sums[place].sum() * PROBABILITY_UNIT == pytest.approx(said, abs=chosen.sum() * PROBABILITY_UNIT)


def test_a_pairs_counts_are_those_of_a_loop():
    groups = row_groups(RULER, {name: TABLE.column(name) for name in ("items", "carrier")})
    table = SliceCounter(RULER, groups, OUTCOMES).pair("items", "carrier")
    items, carriers = TABLE.column("items").to_pylist(), TABLE.column("carrier").to_pylist()
    names = {"at most 0": 0, "0 to 1": 1, "1 to 2": 2, "above 2": 3}
    for place, (item, carrier) in enumerate(table.names):
        rows = sum(names.get(item) == i and carrier == c for i, c in zip(items, carriers, strict=True))
        assert table.rows[place] == rows


def test_parts_of_the_rows_add_up_to_the_same_counts_in_any_order():
    whole = count_reference(RULER, batches(TABLE, OUTCOMES))
    parts = [
        count_reference(
            RULER, batches(TABLE.slice(start, 1000), OUTCOMES.take(np.arange(3000) // 1000 == start // 1000))
        )
        for start in (2000, 0, 1000)
    ]
    total = parts[0] + parts[1] + parts[2]
    assert (
        encode_slices(total)
        == encode_slices(whole)
        == encode_slices(count_reference(RULER, batches(TABLE, OUTCOMES, size=700)))
    )


def test_counts_of_another_ruler_are_refused():
    other = make_rows(2, 3000)
    with pytest.raises(BaselineMismatchError, match="slices cut by"):
        count_singles(RULER, batches(TABLE, OUTCOMES)) + count_singles(ruler_of(other[0]), batches(*other))


def test_counts_survive_their_bytes():
    counted = count_reference(RULER, batches(TABLE, OUTCOMES))
    read = decode_slices(encode_slices(counted))
    assert read.ruler == RULER
    assert read.tables.keys() == counted.tables.keys()
    for name, table in counted.tables.items():
        assert table.names == read.tables[name].names
        np.testing.assert_array_equal(table.counts, read.tables[name].counts)
        np.testing.assert_array_equal(table.sums, read.tables[name].sums)


def test_the_answers_bands_are_made_of_whole_cells():
    bands = RULER.groupings[-1]
    assert set(bands.edges) <= set(RULER.edges)
    by_cell = RULER.bands[np.searchsorted(RULER.edges, OUTCOMES.answers)]
    assert by_cell.tolist() == bands.codes(TABLE.column("score")).tolist()


def test_answers_that_are_decisions_are_counted_as_classes():
    rows = make_window(rows=600).set_column(3, "prediction", pa.array(np.arange(600) % 2 * 1.0))
    ruler = freeze_ruler(make_baseline(make_config(), rows), "binary_classification", classes=("0", "1"))
    assert (ruler.problem, ruler.classes, ruler.edges) == ("multiclass_classification", 2, ())
    labels = np.zeros(600, np.int64)
    outcomes = Outcomes("binary_classification", np.arange(600) % 2 * 1.0, labels, ("0", "1"))
    counted = count_singles(ruler, batches(rows, outcomes))
    assert counted.total.counts.tolist() == [[[0, 300], [300, 0]]]


def test_regression_errors_are_summed_per_group():
    rng = np.random.default_rng(4)
    rows = make_window(rows=900)
    labels = rows.column("prediction").to_numpy() + rng.normal(0, 1, 900)
    ruler = freeze_ruler(make_baseline(make_config(), rows), "regression")
    counted = count_singles(ruler, batches(rows, Outcomes("regression", rows.column("prediction").to_numpy(), labels)))
    table, error = counted.tables[("carrier",)], rows.column("prediction").to_numpy() - labels
    for place, (name,) in enumerate(table.names):
        chosen = np.array([c == name for c in rows.column("carrier").to_pylist()])
        expected = [error[chosen].sum(), np.abs(error[chosen]).sum(), (error[chosen] ** 2).sum()]
        assert table.sums[place].sum(axis=0) == pytest.approx(expected)


def test_only_the_named_columns_are_sliced():
    ruler: SliceRuler = freeze_ruler(
        make_baseline(make_config()), "binary_classification", classes=("0", "1"), columns=["carrier"]
    )
    assert [grouping.column for grouping in ruler.groupings] == ["carrier", "prediction"]
