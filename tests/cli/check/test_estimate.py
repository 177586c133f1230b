"""`kedge check` where labels are out: the window is estimated from its answers, and nothing is claimed to be measured."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import accuracy_score, mean_absolute_error, roc_auc_score
from typer.testing import CliRunner

from cli.main import app


def answered(rows, seed, *, sharpness=2.0):
    rng = np.random.default_rng(seed)
    chance = 1 / (1 + np.exp(-sharpness * rng.normal(size=rows)))
    labels = (rng.random(rows) < chance).astype(int)
    return pa.table({"x": rng.normal(size=rows), "score": chance**2, "label": labels})


@pytest.fixture
def files(tmp_path):
    pq.write_table(answered(6000, 1), tmp_path / "baseline.parquet", row_group_size=1000)
    pq.write_table(answered(3000, 2, sharpness=0.6), tmp_path / "harder.parquet", row_group_size=1000)
    pq.write_table(answered(3000, 2, sharpness=0.6).drop_columns("label"), tmp_path / "unlabelled.parquet")
    return tmp_path


def check(files, window, *options, label="label"):
    out = files / "report.json"
    sides = ["--baseline", str(files / "baseline.parquet"), "--window", str(files / f"{window}.parquet")]
    result = CliRunner().invoke(
        app, ["check", *sides, "--prediction", "score", "--label", label, "--json", str(out), *options]
    )
    return result, json.loads(out.read_text()) if out.exists() else None


def value_of(section, name):
    return next(metric for metric in section["metrics"] if metric["name"] == name)


def test_a_window_without_the_labels_column_is_estimated(files):
    result, report = check(files, "unlabelled")
    truth = pq.read_table(files / "harder.parquet")
    scores, labels = truth["score"].to_numpy(), truth["label"].to_numpy()
    performance = report["performance"]
    assert (performance["severity"], performance["metrics"]) == ("INSUFFICIENT_DATA", [])
    auc, accuracy = (value_of(performance["estimate"], name) for name in ("auc", "accuracy"))
    assert auc["value"] == pytest.approx(roc_auc_score(labels, scores), abs=0.03)
    assert accuracy["value"] == pytest.approx(accuracy_score(labels, scores >= 0.5), abs=0.03)
    assert performance["estimate"]["severity"] == "WARNING"
    assert "has no column 'label': quality is only estimated" in result.output
    assert "estimate: WARNING estimated while labels are out: quality may be lost: auc" in result.output


def test_labels_that_are_there_speak_for_themselves_beside_the_estimate(files):
    result, report = check(files, "harder")
    performance = report["performance"]
    assert performance["severity"] == "CRITICAL"
    assert "severity" not in performance["estimate"]
    measured, estimated = value_of(performance, "auc"), value_of(performance["estimate"], "auc")
    assert estimated["value"] == pytest.approx(measured["value"], abs=0.03)
    assert "estimate: auc was estimated as" in result.output


def test_a_label_that_even_the_baseline_lacks_is_bad_input(files):
    result, _ = check(files, "unlabelled", label="outcome")
    assert result.exit_code == 2
    assert "'outcome' is not there" in result.output


def test_a_regressions_loss_is_estimated(tmp_path):
    rng = np.random.default_rng(3)

    def rows(count, centre):
        answers = rng.normal(centre, 2, count)
        truth = answers + rng.normal(0, 0.2 + 0.1 * np.abs(answers))
        return pa.table({"x": rng.normal(size=count), "score": answers, "label": truth})

    window = rows(3000, 14)
    pq.write_table(rows(6000, 10), tmp_path / "baseline.parquet")
    pq.write_table(window.drop_columns("label"), tmp_path / "unlabelled.parquet")
    _, report = check(tmp_path, "unlabelled")
    mae = value_of(report["performance"]["estimate"], "mae")
    assert mae["value"] == pytest.approx(mean_absolute_error(window["label"], window["score"]), rel=0.15)
    assert report["performance"]["estimate"]["severity"] == "WARNING"


def test_classes_in_place_of_probabilities_are_not_estimated(files):
    table = pq.read_table(files / "baseline.parquet")
    decided = pa.array((table["score"].to_numpy() > 0.5).astype(int))
    table = table.set_column(1, "score", decided)
    pq.write_table(table, files / "baseline.parquet")
    pq.write_table(table.drop_columns("label"), files / "decided.parquet")
    _, report = check(files, "decided")
    assert "estimate" not in report["performance"]
