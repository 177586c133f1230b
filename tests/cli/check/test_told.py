"""What `kedge check` prints is one story: reasons, notes and the last line agree with each other and with the exit code."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cli.check.table import told_aside
from cli.main import app
from kedge.quality.window import WindowQuality
from kedge.severity import Severity
from kedge.slices.judgement import SliceFindings


def check(folder, before, now, *options):
    for name, rows in (("before", before), ("now", now)):
        pq.write_table(pa.table(rows), folder / f"{name}.parquet")
    sides = ["--baseline", str(folder / "before.parquet"), "--window", str(folder / "now.parquet")]
    return CliRunner().invoke(app, ["check", *sides, *options])


def scored(seed, rows=4000):
    rng = np.random.default_rng(seed)
    scores = rng.random(rows)
    return {"x": rng.normal(size=rows), "c": rng.choice(["a", "b"], rows), "p": scores, "y": rng.random(rows) < scores}


LABELLED = ("--prediction", "p", "--label", "y")


@pytest.mark.parametrize(("shift", "words"), [(1e4, "to above 99"), (-1e4, "to below 0")])
def test_a_median_beyond_the_baseline_is_only_said_to_be_beyond(tmp_path, shift, words):
    values = np.arange(4000) % 100.0
    told = check(tmp_path, {"v": values}, {"v": values + shift}).output
    assert f"the median moved from 49 {words}" in told


@pytest.mark.parametrize("year", [2014, 2016])
def test_a_constant_that_changes_has_a_stability_index(tmp_path, year):
    rng = np.random.default_rng(1)
    sides = ({"x": rng.normal(size=4000), "year": np.full(4000, value)} for value in (2015, year))
    told = check(tmp_path, *sides).output
    (line,) = [line for line in told.splitlines() if line.startswith("year ")]
    assert float(line.split()[5]) > 5
    assert f"the median moved from 2015 to {'above' if year > 2015 else 'below'} 2015" in told


def test_the_last_line_is_as_bad_as_the_exit_code(tmp_path):
    (tmp_path / "m.yaml").write_text(
        "model: m\nendpoint: {name: m}\nprediction: {name: p}\nfeatures: [{name: x, kind: numeric}, {name: c, kind: categorical}]\n"
        "fairness: {columns: [c]}\n"
    )
    unfair = scored(2)
    unfair["c"] = np.where(unfair["p"] > 0.5, "a", "b")
    rest = np.random.default_rng(3).random(4000) < 0.5
    unfair["c"][rest] = scored(2)["c"][rest]
    result = check(tmp_path, scored(1), unfair, *LABELLED, "--config", str(tmp_path / "m.yaml"))
    assert "CRITICAL fairness: c: disparate impact" in result.output
    assert (result.exit_code, result.output.splitlines()[-1].split()[0]) == (1, "CRITICAL")


def test_classes_in_place_of_probabilities_are_named_and_not_compared_with_those(tmp_path):
    now = scored(2)
    now["p"] = (now["p"] > 0.5).astype(float)
    told = check(tmp_path, scored(1), now, *LABELLED).output
    assert "- the answers are classes, not probabilities: only decisions are measured" in told
    assert "the answers are classes, but the reference's are probabilities" in told
    assert "segment:" not in told
    assert "auc was estimated" not in told


def test_clear_concept_drift_is_part_of_the_verdict(tmp_path):
    now = scored(2)
    now["y"] = np.ones(4000, bool)
    result = check(tmp_path, scored(1), now, *LABELLED)
    assert result.exit_code == 1
    assert "CRITICAL concept drift" in result.output
    assert result.output.splitlines()[-1].startswith("CRITICAL")


def test_segments_that_decide_nothing_are_said_to_decide_nothing():
    segment = SimpleNamespace(severity=Severity.CRITICAL)
    quality = WindowQuality(slices=SliceFindings((segment,), None))
    assert "segments are told, and decide nothing" in told_aside(quality, Severity.OK)
    assert told_aside(quality, Severity.CRITICAL) == ""
