"""`kedge check --importance`: what drifted and matters comes first."""

import json

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.builders import make_window


@pytest.fixture
def check(tmp_path):
    """The command on a window in which the carriers moved more than the weight, with an importance of this text."""
    pq.write_table(make_window(rows=4000, seed=1), tmp_path / "baseline.parquet")
    pq.write_table(make_window(rows=3000, seed=2, shift=0.5, air=0.5), tmp_path / "window.parquet")

    def run(importance):
        (tmp_path / "importance.json").write_text(importance)
        files = ("--baseline", "baseline.parquet", "--window", "window.parquet", "--importance", "importance.json")
        named = [option if option.startswith("--") else str(tmp_path / option) for option in files]
        return CliRunner().invoke(app, ["check", *named, "--json", str(tmp_path / "report.json")]), tmp_path

    return run


def test_the_reasons_and_the_table_lead_with_what_matters(check):
    result, folder = check('{"weight": 9, "carrier": 1, "made_up": 5}')
    report = json.loads((folder / "report.json").read_text())
    assert {c["name"]: c["importance"] for c in report["columns"] if c["importance"]} == {"weight": 0.9, "carrier": 0.1}
    assert report["reasons"][0].startswith("weight: ")
    assert "importance" in result.output
    # The worst stands last, above the prompt.
    assert result.output.index("\ncarrier ") < result.output.index("\nweight ")
    assert "90%" in result.output


@pytest.mark.parametrize("text", ["{", "[]", '{"weight": "heavy"}', '{"other": 1}', '{"weight": -1}'])
def test_a_file_that_is_no_importance_is_named_and_nothing_is_written(check, text):
    result, folder = check(text)
    assert result.exit_code == 2
    assert "importance.json" in result.output
    assert not (folder / "report.json").exists()
