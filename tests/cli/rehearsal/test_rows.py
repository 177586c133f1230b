"""`kedge models validate --data` says of the first rows what a retraining would find, and what it would not say."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.builders import YAML, make_window

NOW = datetime(2016, 3, 1, tzinfo=UTC)
SMALL = "\ntraining: {minimum_rows: 100}\ngate: {minimum_holdout_rows: 20}\n"


@pytest.fixture
def yaml(tmp_path):
    path = tmp_path / "parcels.yaml"
    path.write_text(YAML + SMALL)
    return path


def first_rows(rows=500, **columns):
    """A file's table: a row an hour, until a day before NOW."""
    table = make_window(rows=rows).drop_columns(["prediction"])
    hours = [NOW - timedelta(hours=24 + rows - place) for place in range(rows)]
    rng = np.random.default_rng(1)
    own = {"id": [f"p{place}" for place in range(rows)], "timestamp": pa.array(hours, pa.timestamp("us", "UTC"))}
    every = {
        **dict(zip(table.column_names, table.columns, strict=True)),
        **own,
        "label": rng.integers(0, 2, rows),
        **columns,
    }
    return pa.table({name: values for name, values in every.items() if values is not None})


@pytest.fixture
def told(tmp_path, yaml):
    def validate(table, *more):
        pq.write_table(table, tmp_path / "first.parquet")
        arguments = [str(yaml), "--data", str(tmp_path / "first.parquet"), "--at", "2016-03-01", *more]
        return CliRunner().invoke(app, ["models", "validate", *arguments])

    return validate


def test_good_rows_are_split_as_a_retraining_would_split_them(told):
    result = told(first_rows())
    assert result.exit_code == 0
    assert "ok  500 rows, 2016-02-08 04:00 to 2016-02-28 23:00; 500 labelled rows can be used" in result.output
    assert "ok  to learn from: 400 rows, 2016-02-08 04:00 to 2016-02-24 19:00; labels: " in result.output
    assert "ok  to judge on: 100 rows, 2016-02-24 20:00 to 2016-02-28 23:00; labels: " in result.output
    assert "note" not in result.output


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"weight": None}, "has no column weight"),
        ({"label": None}, "has no column label"),
        ({"id": None}, "has no column id"),
        ({"timestamp": ["yesterday"] * 500}, "holds in its column timestamp what is no time with a zone"),
        ({"id": [None, *map(str, range(499))]}, "has 1 row without id"),
        ({"label": ["maybe", *["0", "1"] * 249, "0"]}, "1 value that is none of the classes (0, 1)"),
        ({"label": [0] * 500}, "all training rows have the label 0"),
        ({"label": [None] * 450 + [0, 1] * 25}, "labelled training rows; 100 are needed"),
        ({"weight": [None] * 500}, "feature weight is missing in every training row"),
        ({"timestamp": pa.array([NOW - timedelta(days=800)] * 500, pa.timestamp("us", "UTC"))}, "500 labelled rows are older"),
    ],
)  # fmt: skip
def test_rows_that_a_retraining_would_reject_are_told_with_the_reason(told, columns, words):
    result = told(first_rows(**columns))
    assert result.exit_code == 2
    assert words in result.output + result.stderr


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"colour": ["red"] * 500}, "note not in the YAML, so not used: colour"),
        ({"id": ["p0"] * 2 + [f"p{place}" for place in range(2, 500)]}, "1 row with an id that an older row has: left out"),
        ({"weight": ["heavy"] * 3 + ["1", "2"] * 248 + ["3"]}, "weight: 3 values of 500 cannot be read as a number"),
        ({"weight": [7.0] * 500}, "weight: the same number in every row that has one"),
        ({"weight": pa.array(np.arange(500) / 7, pa.float32())}, "weight: the file holds float32: declare dtype float32"),
        ({"items": [0.5] * 10 + [1.0, 2.0] * 245}, "items: declared int64, with a fraction in 10 of 500 rows"),
        ({"carrier": [None] * 50 + ["sea"] * 450}, "carrier: missing in 50 of 500 rows (10.0%)"),
    ],
)  # fmt: skip
def test_what_is_odd_is_a_note_and_no_fault(told, columns, words):
    result = told(first_rows(**columns))
    assert result.exit_code == 0
    assert words in result.output


def test_a_category_of_ids_is_asked_about(told):
    result = told(first_rows(1500, carrier=[f"c{place}" for place in range(1500)]))
    assert "carrier: categorical, and has 1,500 different values; is it a number, a time or an id?" in result.output


def test_what_is_no_parquet_file_is_refused_in_a_sentence(tmp_path, yaml):
    for name, words in (
        ("none.parquet", "No such file"),
        ("parcels.yaml", "must be a Parquet file"),
        (".", "is a folder"),
    ):
        result = CliRunner().invoke(app, ["models", "validate", str(yaml), "--data", str(tmp_path / name)])
        assert result.exit_code == 2
        assert words in result.stderr


def test_the_data_is_that_of_one_model(tmp_path, yaml):
    (tmp_path / "other.yaml").write_text(YAML.replace("parcels", "other"))
    result = CliRunner().invoke(app, ["models", "validate", str(tmp_path), "--data", "first.parquet"])
    assert result.exit_code == 2
    assert "--data is about one model: name its YAML" in result.stderr


def test_options_of_the_data_need_the_data(yaml):
    assert "go with --data" in CliRunner().invoke(app, ["models", "validate", str(yaml), "--script"]).stderr
