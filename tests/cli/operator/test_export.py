"""`kedge export` and `kedge history --rebuild` against a bucket with two models' reports."""

import csv
import json

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cli.main import app
from lambdas.adapters.bucket import history
from tests.adapters.bucket.test_history import report
from tests.handlers.aws_world import BUCKET, MODEL, aws_world


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        for model in (MODEL, "prices"):
            document = report(model=model, reasons=["=HYPERLINK(1)"])
            world.put(f"reports/{model}/3/2016-01-04T00/drift-r1.json", json.dumps(document).encode())
            entry = {"model": model, "kind": "paused", "time": "2016-01-05T00:00:00Z", "detail": {"reason": "@later"}}
            world.put(f"audit/{model}/2016/01/05/000000-paused-abc.json", json.dumps(entry).encode())
        yield world


def types(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments), "--bucket", BUCKET, "--region", "eu-west-1"])


def test_a_history_is_built_from_the_reports_and_exported_as_it_is_stored(world, tmp_path):
    typed = types("history", "--rebuild")
    assert typed.stdout == (
        "written into the history: 2 windows, 2 entries of the timeline, 0 days of answers; the rest was there\n"
    )
    typed = types("export", "--all", "--to", tmp_path / "out")
    assert typed.exit_code == 0, typed.output
    assert f"{tmp_path / 'out' / 'windows.parquet'}: 2 rows" in typed.stdout
    for name, table in history.TABLES.items():
        assert pq.read_schema(tmp_path / "out" / f"{name}.parquet").equals(history.schema_of(table))


def test_a_rebuild_of_one_model_leaves_the_other_and_a_second_finds_nothing_to_do(world):
    assert "1 windows" in types("history", MODEL, "--rebuild").stdout
    assert "0 windows, 0 entries" in types("history", MODEL, "--rebuild").stdout
    assert not [key for key in world.keys("history/") if "prices" in key]


def test_no_text_of_a_csv_is_a_formula_and_numbers_stay_numbers(world, tmp_path):
    document = report(
        performance={**report()["performance"], "metrics": [{"name": "bias", "value": -2.5, "low": -3.0, "high": -2.0}]}
    )
    history.save_window(world.s3, BUCKET, {**document, "reasons": ["-1+cmd"]}, "k")
    assert types("export", MODEL, "--to", tmp_path, "--format", "csv").exit_code == 0
    (window,) = csv.DictReader((tmp_path / "windows.csv").open())
    (metric,) = csv.DictReader((tmp_path / "metrics.csv").open())
    assert window["reason"] == "'-1+cmd"
    assert float(metric["value"]) == -2.5


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@a", "\tx", "\rx"])
def test_what_a_spreadsheet_would_run_begins_with_an_apostrophe(cell):
    import pyarrow as pa

    from cli.operator.export import without_formulas

    assert without_formulas(pa.table({"a": [cell, "plain", None, ""]})).column("a").to_pylist() == [
        f"'{cell}",
        "plain",
        None,
        "",
    ]


def test_since_leaves_out_what_is_older(world, tmp_path):
    types("history", "--rebuild")
    refused = types("export", MODEL, "--to", tmp_path, "--since", "2016-02-01")
    assert refused.exit_code == 2
    assert "there is no history of hotel-cancellations since 2016-02-01" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export", "--to", "x"], "name either a model or --all"),
        (["export", "m", "--all", "--to", "x"], "name either a model or --all"),
        (["export", "m", "--to", "x", "--since", "May"], "a day looks like 2026-01-31"),
        (["history"], "name a model: kedge history MODEL"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(world, arguments, said):
    typed = types(*arguments)
    assert typed.exit_code == 2
    assert said in typed.stderr
