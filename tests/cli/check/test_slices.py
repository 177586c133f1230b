"""`kedge check` on labelled files says where the model fails, and whom it treats unlike."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.kedge.sliced_rows import make_classes, make_rows

YAML = """
model: parcels
endpoint: {name: parcels}
prediction: {name: score}
features: [{name: weight, kind: numeric}, {name: items, kind: numeric}, {name: carrier, kind: categorical}]
"""


@pytest.fixture
def files(tmp_path):
    """Two files of rows; in the window the model knows nothing of carrier `road`."""
    for name, seed, blind in (("before", 1, ""), ("now", 2, "road")):
        table, outcomes = make_rows(seed, 9000, blind=blind)
        shares = ["f" if place % 2 else "m" for place in range(9000)]
        table = table.append_column("label", pa.array(outcomes.labels)).append_column("sex", pa.array(shares))
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=2500)
    return tmp_path


def check(files, *options):
    sides = ["--baseline", str(files / "before.parquet"), "--window", str(files / "now.parquet")]
    columns = ["--prediction", "score", "--label", "label", "--json", str(files / "out.json")]
    result = CliRunner().invoke(app, ["check", *sides, *columns, *options])
    return result, json.loads((files / "out.json").read_text())["performance"]


def test_the_worst_segment_is_printed_and_in_the_json(files):
    result, performance = check(files)
    worst = performance["segments"][0]
    assert (worst["group"], worst["severity"]) == ("carrier=road", "CRITICAL")
    assert f"segment: {worst['reason']}" in result.output
    moved = {shift["group"]: shift["shift"] for shift in performance["concept_drift"]["shifts"]}
    assert moved["carrier=road with high answers"] < -0.1
    assert "concept drift: P(y given x) moved on" in result.output
    assert "fairness" not in performance


def test_groups_of_the_yamls_columns_are_compared_and_break_the_exit_code(files):
    config = files / "parcels.yaml"
    config.write_text(YAML + "labels: {fields: [sex]}\nfairness: {columns: [sex, weight], bands: {weight: [0]}}\n")
    result, performance = check(files, "--config", str(config))
    by_column = {column["column"]: column for column in performance["fairness"]["columns"]}
    assert by_column["sex"]["severity"] == "OK"
    assert by_column["weight"]["severity"] == "CRITICAL"
    assert "fairness: weight: disparate impact is" in result.output
    assert result.exit_code == 1


def test_a_sensitive_column_that_the_window_lacks_is_a_note(files):
    config = files / "parcels.yaml"
    config.write_text(YAML + "labels: {fields: [age]}\nfairness: {columns: [age]}\n")
    result, performance = check(files, "--config", str(config))
    assert "fairness" not in performance
    assert "fairness is not judged for age" in result.output


def test_models_validate_refuses_a_sensitive_column_that_is_nowhere(tmp_path):
    (tmp_path / "parcels.yaml").write_text(YAML + "fairness: {columns: [gender]}\n")
    result = CliRunner().invoke(app, ["models", "validate", str(tmp_path)])
    assert result.exit_code == 2
    assert "'gender'" in result.output
    assert "endpoint.custom_attributes" in result.output


CLASSES = """
model: parcels
problem: multiclass_classification
endpoint: {name: parcels}
prediction: {name: score, probabilities: [p_a, p_b, p_c, p_d]}
labels: {classes: [a, b, c, d]}
features: [{name: weight, kind: numeric}, {name: items, kind: numeric}, {name: carrier, kind: categorical}]
"""


@pytest.mark.parametrize("scored", [True, False])
def test_classes_are_held_against_their_probabilities_where_the_file_has_them(tmp_path, scored):
    for name, seed, mislabelled in (("before", 1, ""), ("now", 2, "rail")):
        table, outcomes = make_classes(seed, 6000, shift=0.3 * (name == "now"), mislabelled=mislabelled)
        table = table.rename_columns(["weight", "items", "carrier", "score"])
        table = table.append_column("label", pa.array(np.array(outcomes.classes)[outcomes.labels]))
        for place, name_of in enumerate(outcomes.classes if scored else ()):
            table = table.append_column(f"p_{name_of}", pa.array(outcomes.probabilities[:, place]))
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=2500)
    (tmp_path / "parcels.yaml").write_text(CLASSES)
    result, performance = check(tmp_path, "--config", str(tmp_path / "parcels.yaml"))
    concept = performance["concept_drift"]
    assert f"concept drift: {concept['reason']}" in result.output
    confidence = json.loads((tmp_path / "out.json").read_text()).get("confidence", {})
    assert ("mean_margin" in confidence) is scored
    if scored:
        assert {"carrier=rail"} <= {s["group"] for s in concept["shifts"]}
        assert not [s for s in concept["shifts"] if "sea" in s["group"] or "road" in s["group"]]
    else:
        assert (concept["severity"], concept["shifts"]) == ("INSUFFICIENT_DATA", [])
