import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from kedge.drift.column_quality import BASELINE_DOUBT, measure_quality, rate_p_value
from kedge.profile.baseline import ColumnCounts
from kedge.profile.counting import count_rows
from kedge.profile.freezing import Fineness
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
        ("type", "weight", "heavy", "are not of the column"), ("type", "weight", "inf", "are not of the column"),
        ("unseen", "carrier", "balloon", "have a level never seen before"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("rows", [40, 1000])
def test_broken_values_are_critical_at_any_window_size(check, column, value, words, rows):
    report = judged(spoilt(rows, column, [value] * (rows // 2)))
    found = check_of(report, check, column)
    assert found.severity is Severity.CRITICAL
    assert found.value == 0.5
    assert f"{column}: {rows // 2} of {rows:,} rows (50%) {words}" in found.reason
    assert report.severity is Severity.CRITICAL
    assert found.reason in report.reasons
    assert next(c for c in report.columns if c.column.name == column).severity is Severity.CRITICAL


@pytest.mark.parametrize(("column", "value"), [("weight", "heavy"), ("carrier", "balloon")])
def test_one_strange_row_in_a_small_window_is_no_certainty(column, value):
    assert judged(spoilt(3, column, [value])).severity is not Severity.CRITICAL


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
    crowded = make_baseline(make_config(), spoilt(5000, "carrier", rare), fineness=Fineness(maximum_levels=10))
    shuffled = spoilt(5000, "carrier", rare).take(pa.array(np.random.default_rng(1).permutation(5000)[:600]))
    assert check_of(judged(shuffled, baseline=crowded), "unseen", "carrier").severity is Severity.OK


def test_an_undrifted_window_passes_every_check():
    report = judged(make_window(rows=3000, seed=2))
    assert {q.severity for q in report.quality} == {Severity.OK}
    assert {(q.check, q.column) for q in report.quality} >= {
        ("missing", "carrier"),
        ("type", "weight"),
        ("out_of_range", "items"),
        ("unseen", "carrier"),
    }


def test_an_empty_window_has_nothing_to_check():
    assert judged(make_window(rows=1).slice(1)).quality == ()


def test_a_rates_p_value_is_the_binomial_tail_at_the_largest_rate_that_the_baseline_leaves_possible():
    highest = stats.beta.ppf(1 - BASELINE_DOUBT, 41, 960)
    wanted = stats.binom.sf(119, 1000, highest + 0.01)
    assert rate_p_value(40, 1000, 120, 1000, allowance=0.01) == pytest.approx(wanted + BASELINE_DOUBT, rel=1e-6)
    assert rate_p_value(40, 1000, 0, 1000) == 1.0


def test_a_small_baseline_is_not_trusted_with_its_rate():
    rng = np.random.default_rng(4)
    alarms = [
        rate_p_value(int(rng.binomial(100, 0.2)), 100, int(rng.binomial(20_000, 0.2)), 20_000, allowance=0.01) < 0.01
        for _ in range(400)
    ]
    assert sum(alarms) <= 4


@pytest.mark.parametrize("rows", [300, 5000])
def test_levels_that_a_crowded_column_has_not_shown_yet_are_expected(rows):
    rng = np.random.default_rng(5)

    def crowded(count):
        table = make_window(rows=count)
        names = np.char.add("shop ", (rng.pareto(1.0, count) * 100).astype(int).astype(str))
        return table.set_column(table.column_names.index("carrier"), "carrier", pa.array(names.tolist()))

    baseline = make_baseline(make_config(), crowded(5000))
    found = check_of(judged(crowded(rows), baseline=baseline), "unseen", "carrier")
    assert found.value > 0.02
    assert found.severity is Severity.OK


def test_a_column_that_stands_still_is_a_warning_and_one_that_hardly_varied_is_none():
    report = judged(spoilt(300, "items", ["3"] * 300))
    found = check_of(report, "constant", "items")
    assert found.severity is Severity.WARNING
    assert "items: all 300 rows share one value; in the baseline at most" in found.reason
    steady = make_baseline(make_config(), spoilt(5000, "carrier", ["sea"] * 4900))
    quiet = judged(spoilt(3000, "carrier", ["sea"] * 3000), baseline=steady)
    assert check_of(quiet, "constant", "carrier").severity is Severity.OK
    still = make_baseline(make_config(), spoilt(500, "carrier", ["sea"] * 500))
    assert not [
        q for q in judged(make_window(), baseline=still).quality if (q.check, q.column) == ("constant", "carrier")
    ]


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("weight", [1e6 + n for n in range(300)], "lie above all values of the baseline, and so in one cell"),
        ("weight", [-1e6 - n for n in range(300)], "lie below all values of the baseline, and so in one cell"),
        ("carrier", [f"balloon {n}" for n in range(300)], "have levels that the baseline does not know"),
        ("carrier", ["air"] * 300, "share one value"),
    ],
    ids=["above", "below", "unseen", "level"],
)
def test_rows_of_a_cell_without_an_end_are_not_said_to_share_a_value(column, values, words):
    rows = make_window(rows=300)
    rows = rows.set_column(rows.column_names.index(column), column, pa.array(values))
    found = check_of(judged(rows), "constant", column)
    assert found.reason.startswith(f"{column}: all 300 rows {words}; in the baseline at most ")


def test_rare_levels_are_not_said_to_be_one():
    counts = ColumnCounts(np.array([0, 0, 300]), 0, 0, 0, 0, 0)
    before = ColumnCounts(np.array([500, 400, 100]), 0, 0, 0, 0, 0)
    column = next(c for c in make_baseline(make_config()).columns if c.name == "carrier")
    tests = measure_quality(column, before, counts, make_config().drift, rare_levels=50)
    (found,) = (test for test in tests if test.check == "constant")
    assert (
        found.reason
        == "carrier: all 300 rows have levels that are rare in the baseline; in the baseline at most 50% do"
    )


def test_rows_that_repeat_each_other_count_for_fewer():
    config, window = make_config(), spoilt(200, "carrier", [None] * 24)
    baseline = make_baseline(config)
    sides = [baseline.column(p, "carrier") for p in (baseline.profile, count_rows(baseline, window))]
    column = next(c for c in baseline.columns if c.name == "carrier")
    alone, clustered = (
        next(t for t in measure_quality(column, *sides, config.drift, design_effect=effect) if t.check == "missing")
        for effect in (1.0, 10.0)
    )
    assert alone.p_value < 0.001 < 0.05 < clustered.p_value
