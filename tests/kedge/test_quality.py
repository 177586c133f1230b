import numpy as np
import pyarrow as pa
import pytest

from kedge.severity import Severity
from tests.builders import judged, make_baseline, make_config, make_window


def spoilt(rows, column, values):
    """The window with some of a column's values replaced."""
    table = make_window(rows=rows)
    told = table.column(column).cast(pa.string()).to_pylist()
    told[: len(values)] = values
    place = table.column_names.index(column)
    return table.set_column(place, column, pa.array(told, pa.string()))


def check_of(report, check, column):
    (found,) = [q for q in report.quality if (q.check, q.column) == (check, column)]
    return found


@pytest.mark.parametrize(
    ("check", "column", "value", "words"),
    [
        ("missing", "carrier", None, "have no value"), ("missing", "weight", "", "have no value"),
        ("type", "weight", "heavy", "are not finite numbers"), ("type", "weight", "inf", "are not finite numbers"),
        ("unseen", "carrier", "balloon", "have a level never seen before"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("rows", [40, 1000])
def test_broken_values_are_critical_at_any_window_size(check, column, value, words, rows):
    report = judged(spoilt(rows, column, [value] * (rows // 2)))
    found = check_of(report, check, column)
    assert found.severity is Severity.CRITICAL
    assert found.value == 0.5
    assert f"{column}: {rows // 2} of {rows} rows (50.0%) {words}" in found.reason
    assert report.severity is Severity.CRITICAL
    assert found.reason in report.reasons
    assert next(c for c in report.columns if c.column.name == column).severity is Severity.CRITICAL


@pytest.mark.parametrize(("column", "value"), [("weight", "heavy"), ("carrier", "balloon")])
def test_one_strange_row_in_a_small_window_is_a_warning_at_most(column, value):
    assert judged(spoilt(3, column, [value])).severity is Severity.WARNING


def test_one_strange_row_in_a_large_window_is_none():
    report = judged(spoilt(5000, "weight", ["heavy"]))
    assert check_of(report, "type", "weight").severity is Severity.OK


def test_values_beyond_the_baselines_range_are_a_warning_whatever_the_size():
    report = judged(spoilt(30, "weight", ["1000"] * 15))
    assert check_of(report, "out_of_range", "weight").severity is Severity.WARNING
    assert check_of(report, "out_of_range", "weight").value == 0.5


def test_what_the_baseline_lacks_too_is_no_fault_of_the_window():
    gaps = spoilt(5000, "carrier", [None] * 2500)
    rare = [f"level {i}" for i in range(1500)]
    baseline = make_baseline(make_config(), gaps)
    assert judged(spoilt(400, "carrier", [None] * 200), baseline=baseline).severity is Severity.OK
    crowded = make_baseline(make_config(), spoilt(5000, "carrier", rare), maximum_levels=10)
    shuffled = spoilt(5000, "carrier", rare).take(pa.array(np.random.default_rng(1).permutation(5000)[:600]))
    assert check_of(judged(shuffled, baseline=crowded), "unseen", "carrier").severity is Severity.OK


def test_an_undrifted_window_passes_every_check():
    report = judged(make_window(rows=3000, seed=2))
    assert {q.severity for q in report.quality} == {Severity.OK}
    assert {(q.check, q.column) for q in report.quality} >= {
        ("missing", "carrier"), ("type", "weight"), ("out_of_range", "items"), ("unseen", "carrier"),
    }  # fmt: skip


def test_an_empty_window_has_nothing_to_check():
    assert judged(make_window(rows=1).slice(1)).quality == ()
