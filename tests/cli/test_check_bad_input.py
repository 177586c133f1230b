"""`kedge check` on rows that are not what they should be: told with file, column and remedy, judged where that is possible."""

import json
import math

import numpy as np
import pyarrow as pa
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


def test_an_extra_column_is_told_with_what_to_do_and_the_others_are_judged(check):
    rows = make_window(rows=2000, seed=2)
    result, report = check(with_column(rows, "colour", pa.array(["red"] * 2000)))
    assert result.exit_code == 0
    assert "window.parquet: 'colour' is not judged" in result.output
    assert "renew the baseline" in result.output
    assert set(severities(report)) == {"weight", "items", "carrier", "prediction"}


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_numbers_that_became_words_are_critical_and_named_with_the_file(check, ending):
    rows = make_window(rows=2000, seed=2)
    result, report = check(with_column(rows, "weight", pa.array(["heavy"] * 2000)), ending=ending)
    assert result.exit_code == 1
    assert severities(report)["weight"] == "CRITICAL"
    assert f"window.{ending}: column 'weight' has no number in any row; write numbers" in result.output
    told = "column 'weight' holds text where" in result.output  # CSV says nothing of types
    assert told == (ending == "parquet")
    assert severities(report)["items"] == "OK"


def test_numbers_that_became_text_of_numbers_are_told_and_judged_as_numbers(check):
    rows = make_window(rows=2000, seed=2)
    result, report = check(with_column(rows, "weight", rows.column("weight").cast(pa.string())))
    assert "column 'weight' holds text where" in result.output
    assert result.exit_code == 0
    assert severities(report)["weight"] == "OK"


def test_words_that_became_numbers_are_levels_never_seen(check):
    rows = make_window(rows=2000, seed=2)
    result, report = check(with_column(rows, "carrier", pa.array(np.arange(2000) % 4)))
    assert result.exit_code == 1
    assert severities(report)["carrier"] == "CRITICAL"
    assert "window.parquet: column 'carrier' has no level that the baseline knows" in result.output


def test_a_column_of_lists_cannot_be_judged_and_says_what_to_write(check):
    rows = make_window(rows=2000, seed=2)
    result, report = check(with_column(rows, "weight", pa.array([[1.0, 2.0]] * 2000)))
    assert report is None
    assert "window.parquet: column 'weight' holds values of type list" in result.stderr
    assert "write one number or text a row" in result.stderr


def test_a_column_all_missing_in_the_window_is_named_with_the_file(check):
    rows = make_window(rows=2000, seed=2)
    result, _ = check(with_column(rows, "carrier", pa.nulls(2000, pa.string())))
    assert result.exit_code == 1
    assert "window.parquet: column 'carrier' has no value in any row; mend what writes the file" in result.output


def test_a_missing_column_says_where_and_what_to_do(check):
    result, _ = check(make_window(rows=2000, seed=2).drop(["carrier"]))
    assert result.exit_code == 2
    assert "window.parquet: column 'carrier' is not there" in result.stderr
    assert "write it there" in result.stderr


@pytest.mark.parametrize("huge", [1e308, -1e308, math.inf])
def test_the_largest_numbers_do_not_break_the_digits_of_the_report(check, huge):
    values = make_window(rows=2000, seed=2).column("weight").to_numpy().copy()
    values[:1000] = huge
    result, report = check(with_column(make_window(rows=2000, seed=2), "weight", pa.array(values)))
    assert result.exit_code == 1
    assert severities(report)["weight"] == "CRITICAL"
    both = make_window(rows=2000, seed=3)
    result, report = check(
        with_column(both, "weight", pa.array(values)), baseline=with_column(both, "weight", pa.array(values))
    )
    assert severities(report)["items"] == "OK"


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
    assert "code is not judged" in result.output
    assert set(severities(report)) == {"x"}


def test_a_column_that_begins_without_values_is_known_by_its_later_ones(check):
    late = pa.concat_arrays([pa.nulls(120_000, pa.string()), pa.array(["sea", "road"] * 20_000)])
    rows = pa.table({"late": late, "x": np.random.default_rng(0).normal(size=160_000)})
    _, report = check(rows, baseline=rows)
    assert {c["name"]: c["kind"] for c in report["columns"]} == {"late": "categorical", "x": "numeric"}
