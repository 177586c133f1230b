"""`kedge check` on files whose rows are sorted: their order is no time, and hides no drift."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.signal import lfilter
from typer.testing import CliRunner

from cli.main import app

NAMES = ("x", "y", "z")


def rows(seed, size, *, shift=0.0, rho=0.0):
    """Three numbers of which two are correlated at 0.8, and a category; `shift` moves the second."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(size + 200, 3)) * np.sqrt(1 - rho**2)
    values = lfilter([1], [1, -rho], noise, axis=0)[200:]
    values[:, 1] = 0.8 * values[:, 0] + 0.6 * values[:, 1] + shift
    return pa.table(dict(zip(NAMES, values.T, strict=True)) | {"c": rng.choice(["a", "b", "c", "d", "e"], size)})


def sort(table, key):
    return table.sort_by([(key, "ascending")]) if key else table


@pytest.fixture
def check(tmp_path):
    """The command on these rows; its result and its report."""

    def run(baseline, window):
        sides = {"baseline": baseline, "window": window}
        for name, table in sides.items():
            pq.write_table(table, tmp_path / f"{name}.parquet")
        options = [part for name in sides for part in (f"--{name}", str(tmp_path / f"{name}.parquet"))]
        result = CliRunner().invoke(app, ["check", *options, "--json", str(tmp_path / "report.json")])
        return result, json.loads((tmp_path / "report.json").read_text())

    return run


@pytest.mark.parametrize("keys", [("x", None), ("y", None), ("c", None), (None, "y"), ("y", "y")], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_half_a_sigma_in_a_thousand_rows_is_found_though_rows_are_sorted(check, keys, seed):
    result, report = check(sort(rows(seed, 10_000), keys[0]), sort(rows(seed + 50, 1000, shift=0.5), keys[1]))
    found = {column["name"]: column["severity"] for column in report["columns"]}
    assert found == {"x": "OK", "y": "CRITICAL", "z": "OK", "c": "OK"}
    names = [f"{side}.parquet" for side, key in zip(("baseline", "window"), keys, strict=True) if key]
    notes = [note for note in report["notes"] if "its rows are sorted by" in note]
    assert len(notes) == len(names)
    for note, name, key in zip(notes, names, filter(None, keys), strict=True):
        assert f"{name}: its rows are sorted by {key!r}" in note
        assert note in result.output


def test_rows_in_the_order_of_time_are_not_called_sorted_and_do_not_alarm(check):
    for seed in range(10):
        result, report = check(rows(seed, 10_000, rho=0.9), rows(seed + 50, 1000, rho=0.9))
        assert result.exit_code == 0
        assert report["severity"] == "OK"
        assert "notes" not in report


def test_a_clock_among_rows_that_remember_each_other_lets_nothing_alarm(check):
    """Both files sorted by one column, as those in the order of time that hold a counter: neighbours still tell."""
    for seed in range(10):
        sides = [
            table.append_column("clock", pa.array(np.sort(np.random.default_rng(seed).uniform(size=table.num_rows))))
            for table in (rows(seed, 10_000, rho=0.9), rows(seed + 50, 1000, rho=0.9))
        ]
        _, report = check(*sides)
        assert report["severity"] == "OK"
        effects = {column["name"]: column["design_effect"] for column in report["columns"]}
        assert effects["clock"] == 1.0
        assert min(effects[name] for name in NAMES) > 6
