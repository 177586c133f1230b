"""`kedge check` on rows that are not what they should be: told with file, column and remedy, judged where that is possible."""

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.builders import make_window


@pytest.fixture
def check(tmp_path):
    """The command on a baseline and a window of these rows; its result, and the report where one was written."""

    def run(window, *options, baseline=None, ending="parquet"):
        for name, table in (
            ("baseline", make_window(rows=4000, seed=1) if baseline is None else baseline),
            ("window", window),
        ):
            write = pq.write_table if ending == "parquet" else pa.csv.write_csv
            write(table, tmp_path / f"{name}.{ending}")
        sides = ["--baseline", str(tmp_path / f"baseline.{ending}"), "--window", str(tmp_path / f"window.{ending}")]
        out = tmp_path / "report.json"
        result = CliRunner().invoke(app, ["check", *sides, "--json", str(out), *options])
        assert (result.exit_code == 2) == (not out.exists()), result.output
        return result, json.loads(out.read_text(), parse_constant=pytest.fail) if out.exists() else None

    return run


def with_column(table, name, values):
    place = table.column_names.index(name) if name in table.column_names else None
    return table.append_column(name, values) if place is None else table.set_column(place, name, values)


def severities(report):
    return {column["name"]: column["severity"] for column in report["columns"]}


YAML = """
model: parcels
endpoint: {name: parcels}
features:
  - {name: weight, kind: numeric}
  - {name: carrier, kind: categorical}
"""


@pytest.fixture
def config(tmp_path):
    """Options that name a YAML with two of the columns."""
    (tmp_path / "parcels.yaml").write_text(YAML)
    return "--config", str(tmp_path / "parcels.yaml")


def test_an_extra_column_is_refused_with_what_to_do_and_left_aside_where_a_yaml_names_the_columns(check, config):
    rows = with_column(make_window(rows=2000, seed=2), "colour", pa.array(["red"] * 2000))
    result, _ = check(rows)
    assert result.exit_code == 2
    assert "window.parquet: column 'colour' is not in" in result.stderr
    assert "take it out, renew the baseline with it, or name the columns to watch in a YAML" in result.stderr
    result, report = check(rows, *config)
    assert result.exit_code == 0
    assert "window.parquet: column 'colour' is not judged" in result.output
    assert set(severities(report)) == {"weight", "carrier", "prediction"}


def test_several_extra_columns_are_told_as_several(check, config):
    rows = make_window(rows=2000, seed=2)
    for name in ("size", "colour"):
        rows = with_column(rows, name, pa.array(["red"] * 2000))
    assert "window.parquet: columns 'colour', 'size' are not in" in check(rows)[0].stderr
    assert "window.parquet: columns 'colour', 'size' are not judged" in check(rows, *config)[0].output


def test_the_index_that_pandas_writes_is_no_column(check):
    result, report = check(with_column(make_window(rows=2000, seed=2), "__index_level_0__", pa.array(np.arange(2000))))
    assert result.exit_code == 0
    assert "__index_level_0__" not in severities(report)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_numbers_that_became_words_are_refused_and_named_with_the_file(check, ending):
    rows = with_column(make_window(rows=2000, seed=2), "weight", pa.array(["heavy"] * 2000))
    result, _ = check(rows, ending=ending)
    assert result.exit_code == 2
    # CSV says nothing of types, so what its words say is what counts.
    told = "holds text, but" if ending == "parquet" else "has no number in any row, as"
    assert f"window.{ending}: column 'weight' {told}" in result.stderr
    assert "renew the baseline" in result.stderr


def test_numbers_that_became_text_of_numbers_are_refused_unless_a_yaml_says_what_they_are(check, config):
    rows = make_window(rows=2000, seed=2)
    rows = with_column(rows, "weight", rows.column("weight").cast(pa.string()))
    result, _ = check(rows)
    assert result.exit_code == 2
    assert "window.parquet: column 'weight' holds text, but" in result.stderr
    result, report = check(rows, *config)
    assert "column 'weight' holds text, but" in result.output
    assert (result.exit_code, severities(report)["weight"]) == (0, "OK")


def test_words_that_became_numbers_are_refused_and_under_a_yaml_they_are_levels_never_seen(check, config):
    rows = with_column(make_window(rows=2000, seed=2), "carrier", pa.array(np.arange(2000) % 4))
    result, _ = check(rows)
    assert result.exit_code == 2
    assert "window.parquet: column 'carrier' holds numbers, but" in result.stderr
    result, report = check(rows, *config)
    assert (result.exit_code, severities(report)["carrier"]) == (1, "CRITICAL")
    assert "window.parquet: column 'carrier' has no level that the baseline knows" in result.output


def test_a_column_of_lists_cannot_be_judged_and_says_what_to_write(check):
    rows = make_window(rows=2000, seed=2)
    result, report = check(with_column(rows, "weight", pa.array([[1.0, 2.0]] * 2000)))
    assert report is None
    assert "window.parquet: column 'weight' holds values of type list" in result.stderr
    assert "write one number or text a row" in result.stderr


@pytest.mark.parametrize("name", ["weight", "carrier", "prediction"])
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_column_all_missing_in_the_window_is_refused_and_named_with_the_file(check, config, name, ending):
    rows = make_window(rows=2000, seed=2)
    rows = with_column(rows, name, pa.nulls(2000, rows.schema.field(name).type))
    for options in ((), config):
        result, _ = check(rows, *options, ending=ending)
        assert result.exit_code == 2
        assert f"window.{ending}: column {name!r} has no value in any row, where" in result.stderr
        assert "correct the program that writes the file" in result.stderr


def test_a_column_all_missing_in_the_baseline_is_refused_and_named_with_that_file(check):
    rows = make_window(rows=2000, seed=2)
    result, _ = check(rows, baseline=with_column(rows, "carrier", pa.nulls(2000, pa.string())))
    assert result.exit_code == 2
    assert "baseline.parquet: column 'carrier' has no value in any row; take it out" in result.stderr


def test_a_column_without_a_value_on_either_side_is_passed_over_with_no_advice_that_cannot_help(check):
    rows = with_column(make_window(rows=2000, seed=2), "carrier", pa.nulls(2000, pa.string()))
    result, report = check(rows, baseline=rows)
    assert result.exit_code == 0
    assert "carrier" not in severities(report)
    assert "baseline.parquet: carrier is not judged: it has no value in any row\n" in result.output


def test_a_column_that_seldom_has_a_value_may_have_none(check):
    seldom = pa.array([1.0, 2.0] + [None] * 3998)
    baseline = with_column(make_window(rows=4000, seed=1), "weight", seldom)
    window = with_column(make_window(rows=300, seed=2), "weight", pa.nulls(300, pa.float64()))
    result, report = check(window, baseline=baseline)
    assert result.exit_code == 0
    assert severities(report)["weight"] == "INSUFFICIENT_DATA"


def test_a_missing_column_says_where_and_what_to_do(check):
    result, _ = check(make_window(rows=2000, seed=2).drop(["carrier"]))
    assert result.exit_code == 2
    assert "window.parquet: column 'carrier' is not there" in result.stderr
    assert "write it there" in result.stderr


def test_infinities_do_not_break_the_digits_of_the_report(check):
    values = make_window(rows=2000, seed=2).column("weight").to_numpy().copy()
    values[:1000] = math.inf
    both = with_column(make_window(rows=2000, seed=3), "weight", pa.array(values))
    result, report = check(both)
    assert (result.exit_code, severities(report)["weight"]) == (1, "CRITICAL")
    _, report = check(both, baseline=both)
    assert severities(report)["items"] == "OK"


@pytest.mark.parametrize("huge", [1e308, -1e308])
@pytest.mark.parametrize("ending", ["parquet", "csv"])
@pytest.mark.parametrize("rows", [1, 2000])
def test_numbers_that_cannot_be_added_up_are_refused_and_counted(check, huge, ending, rows):
    good, bad = make_window(rows=2000, seed=3), make_window(rows=2000, seed=2)
    values = bad.column("weight").to_numpy().copy()
    values[:rows] = huge
    bad = with_column(bad, "weight", pa.array(values))
    for baseline, window, side in ((good, bad, "window"), (bad, good, "baseline"), (bad, bad, "baseline")):
        result, _ = check(window, baseline=baseline, ending=ending)
        assert result.exit_code == 2
        assert f"{side}.{ending}: column 'weight' holds {rows:,} numbers of 1e+300 and beyond" in result.stderr
        assert "leave such a value empty" in result.stderr


def test_numbers_far_beyond_the_range_that_can_be_added_up_are_judged(check):
    values = make_window(rows=2000, seed=2).column("weight").to_numpy().copy()
    values[:1000] = 1e200
    result, report = check(with_column(make_window(rows=2000, seed=2), "weight", pa.array(values)))
    assert (result.exit_code, severities(report)["weight"]) == (1, "CRITICAL")


def test_more_levels_than_can_be_compared_are_refused_with_what_to_write(check):
    # Every other row is of one level, so that it does not look like an identifier.
    number = np.arange(1_010_000)
    codes = pa.array(np.where(number % 2, number, -1)).cast(pa.string())
    rows = pa.table({"code": pa.compute.binary_join_element_wise("u", codes, ""), "x": number % 7})
    result, _ = check(rows, baseline=rows)
    assert result.exit_code == 2
    assert "baseline.parquet: column 'code' has 505,001 different levels, too many to be compared" in result.stderr
    assert "write what they have in common" in result.stderr


def test_a_million_levels_are_counted_in_bounded_memory(check):
    rng = np.random.default_rng(0)
    rows = 200_000

    def levels(seed):
        # Drawn from a million: nearly every value stands once, and half the rows share a few.
        many = np.random.default_rng(seed).integers(0, 1_000_000, rows)
        return np.where(rng.random(rows) < 0.5, many % 5, many).astype(str)

    sides = [pa.table({"code": levels(seed), "x": rng.normal(size=rows)}) for seed in (1, 2)]
    result, report = check(sides[1], baseline=sides[0])
    assert result.exit_code in (0, 1)
    assert set(severities(report)) == {"code", "x"}
    assert severities(report)["x"] == "OK"


def test_an_identifier_with_a_million_values_is_left_out_and_told(check):
    rows = pa.table(
        {"code": pa.array(np.arange(1_000_000)).cast(pa.string()), "x": np.random.default_rng(0).normal(size=1_000_000)}
    )
    result, report = check(rows, baseline=rows)
    assert result.exit_code == 0
    assert "baseline.parquet: code is not judged" in result.output
    assert "to have it judged, name it in a YAML" in result.output
    assert set(severities(report)) == {"x"}


def test_a_column_that_begins_without_values_is_known_by_its_later_ones(check):
    late = pa.concat_arrays([pa.nulls(120_000, pa.string()), pa.array(["sea", "road"] * 20_000)])
    rows = pa.table({"late": late, "x": np.random.default_rng(0).normal(size=160_000)})
    _, report = check(rows, baseline=rows)
    assert {c["name"]: c["kind"] for c in report["columns"]} == {"late": "categorical", "x": "numeric"}
