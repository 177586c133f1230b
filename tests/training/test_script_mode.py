"""The script-mode example trains the same model twice, and serves what it trained."""

import csv
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kedge.drift.importance import parse_importance

TRAINING = Path(__file__).parents[2] / "training"
FEATURES = [
    {"name": "adr", "kind": "numeric", "dtype": "float64"},
    {"name": "meal", "kind": "categorical", "dtype": "string"},
]
COLUMNS = {
    "time": "time",
    "label": "label",
    "problem": "binary_classification",
    "classes": ["0", "1"],
    "features": FEATURES,
}
ROWS = 600


def write_channel(directory: Path, columns: dict = COLUMNS, truth=int) -> Path:
    """600 rows over 25 days in which a high rate at half board is mostly cancelled; `truth` words the label."""
    random = np.random.default_rng(5)
    directory.mkdir(parents=True)
    (directory / "columns.json").write_text(json.dumps(columns))
    with open(directory / "train.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row_id", "time", "adr", "meal", "label"])
        for index in range(ROWS):
            rate, meal = round(random.normal(100, 30), 2), ("BB", "HB")[int(random.integers(2))]
            risk = 0.9 if rate > 100 and meal == "HB" else 0.1
            moment = f"2016-01-{1 + index // 24:02d}T{index % 24:02d}:00:00Z"
            writer.writerow([f"r{index}", moment, "" if index % 50 == 0 else rate, meal, truth(random.random() < risk)])
    return directory


def run_training(channel: Path, model_dir: Path, *arguments: str) -> str:
    """Run train.py as the container does: SM_* variables and hyperparameters as arguments."""
    model_dir.mkdir(parents=True)
    environment = os.environ | {"SM_CHANNEL_TRAIN": str(channel), "SM_MODEL_DIR": str(model_dir)}
    environment["SM_OUTPUT_DATA_DIR"] = str(model_dir.parent / "output")
    command = [sys.executable, "train.py", "--trees", "30", *arguments]
    return subprocess.run(command, cwd=TRAINING, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A trained model's directory, and what training printed."""
    root = tmp_path_factory.mktemp("opt_ml")
    printed = run_training(write_channel(root / "train"), root / "model")
    return root / "model", printed


@pytest.fixture(scope="module")
def serving():
    """inference.py, imported as the container imports it."""
    sys.path.insert(0, str(TRAINING))
    try:
        import inference

        yield inference
    finally:
        sys.path.remove(str(TRAINING))


@pytest.fixture(scope="module")
def rows(serving):
    """rows.py, which inference.py has imported."""
    return sys.modules["rows"]


def answer(serving, model, body, content_type, accept="text/csv"):
    """One request through the four functions that the container calls; the answer's text."""
    text, kind = serving.output_fn(serving.predict_fn(serving.input_fn(body, content_type), model), accept)
    assert kind == accept
    return text


def test_the_same_rows_and_seed_give_the_same_model(trained, tmp_path):
    again = tmp_path / "model"
    run_training(write_channel(tmp_path / "train"), again)
    assert (again / "model.json").read_bytes() == (trained[0] / "model.json").read_bytes()
    assert (again / "encoder.json").read_bytes() == (trained[0] / "encoder.json").read_bytes()


def test_the_artefact_carries_the_inference_script(trained):
    assert (trained[0] / "code" / "inference.py").read_bytes() == (TRAINING / "inference.py").read_bytes()


def test_importances_of_all_features_are_written_where_the_job_packs_its_output(trained):
    found = parse_importance((trained[0].parent / "output" / "importance.json").read_bytes(), ["adr", "meal"])
    assert sum(found.values()) == pytest.approx(1)
    assert min(found.values()) > 0.1


def test_metrics_are_printed_so_that_a_regular_expression_finds_them(trained):
    found = re.search(r"train-auc=([0-9.]+);", trained[1])
    assert found is not None
    assert float(found[1]) > 0.75
    assert re.search(r"rows=600;", trained[1])


def test_the_number_of_trees_is_the_one_asked_for(trained):
    trees = int(re.search(r"trees=(\d+);", trained[1])[1])
    model = json.loads((trained[0] / "model.json").read_text())
    assert int(model["learner"]["gradient_booster"]["model"]["gbtree_model_param"]["num_trees"]) == trees == 30


def test_of_several_classes_the_likeliest_leads_and_every_probability_follows(serving, tmp_path):
    columns = COLUMNS | {"problem": "multiclass_classification", "classes": ["came", "left, early", "never"]}
    channel = write_channel(tmp_path / "train", columns, lambda risky: "left, early" if risky else "came")
    run_training(channel, tmp_path / "model")
    model = serving.model_fn(str(tmp_path / "model"))
    rows = list(csv.reader(answer(serving, model, b"120,HB\n80,BB\n", "text/csv").splitlines()))
    assert [row[0] for row in rows] == ["left, early", "came"]
    assert [sum(map(float, row[1:])) for row in rows] == pytest.approx([1, 1])
    body = json.dumps({"instances": [[120, "HB"], [80, "BB"]]})
    found = json.loads(answer(serving, model, body, "application/json", "application/json"))["predictions"]
    assert [row[0] for row in found] == ["left, early", "came"]


def test_a_regression_answers_numbers(serving, tmp_path):
    columns = COLUMNS | {"problem": "regression"}
    channel = write_channel(tmp_path / "train", columns, lambda risky: 90.5 if risky else 10.5)
    run_training(channel, tmp_path / "model")
    model = serving.model_fn(str(tmp_path / "model"))
    high, low = map(float, answer(serving, model, b"120,HB\n80,BB\n", "text/csv").splitlines())
    assert high > 60
    assert low < 40


def test_csv_and_json_rows_get_the_same_answers(trained, serving):
    model = serving.model_fn(str(trained[0]))
    from_csv = [float(line) for line in answer(serving, model, b"120,HB\n80,BB\n", "text/csv").splitlines()]
    document = json.dumps({"instances": [{"adr": 120, "meal": "HB"}, [80, "BB"]]})
    from_json = json.loads(answer(serving, model, document, "application/json", "application/json"))["predictions"]
    assert from_json == from_csv
    assert from_csv[0] > 0.6
    assert from_csv[1] < 0.4


def test_a_single_json_object_is_one_row(trained, serving):
    model = serving.model_fn(str(trained[0]))
    one = answer(serving, model, json.dumps({"adr": 120, "meal": "HB"}), "application/json", "application/json")
    wrapped = answer(serving, model, json.dumps({"features": [120, "HB"]}), "application/json", "application/json")
    assert one == wrapped
    assert len(json.loads(one)["predictions"]) == 1


def test_json_lines_answer_line_by_line(trained, serving):
    model = serving.model_fn(str(trained[0]))
    body = '{"features": [120, "HB"]}\n{"features": [80, "BB"]}\n'
    lines = answer(serving, model, body, "application/jsonlines", "application/jsonlines").splitlines()
    assert [len(json.loads(line)["predictions"]) for line in lines] == [1, 1]


def test_an_unseen_level_an_empty_field_and_a_broken_number_are_missing(trained, serving):
    _, encoder = serving.model_fn(str(trained[0]))
    matrix = encoder.encode([["x", "FULL"], ["", ""], ["inf", "HB"]])
    assert np.isnan(matrix[:2]).all()
    assert math.isnan(matrix[2, 0])
    assert matrix[2, 1] == 1.0


def test_booleans_become_0_and_1_and_times_become_days(rows):
    features = [{"name": "paid", "kind": "boolean"}, {"name": "bought", "kind": "timestamp"}]
    found = rows.Encoder(features).encode([["True", "1970-01-02T12:00:00Z"], [False, "1970-01-03"], ["?", "soon"]])
    assert found[:2].tolist() == [[1.0, 1.5], [0.0, 2.0]]
    assert np.isnan(found[2]).all()


def test_a_row_of_the_wrong_width_is_refused(trained, serving, rows):
    model = serving.model_fn(str(trained[0]))
    with pytest.raises(rows.RowShapeError, match="1 values"):
        answer(serving, model, "120\n", "text/csv")


def test_another_content_type_is_refused(serving, rows):
    with pytest.raises(rows.UnsupportedContentError, match="image/png"):
        serving.input_fn(b"", "image/png")
    with pytest.raises(rows.UnsupportedContentError, match="image/png"):
        serving.output_fn([0.5], "image/png")


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/csv; charset=utf-8", ("0.5", "text/csv")),
        ("*/*", ("0.5", "text/csv")),
        ("", ("0.5", "text/csv")),
        (None, ("0.5", "text/csv")),
        ("Application/JSON;charset=utf-8", ('{"predictions": [0.5]}', "application/json")),
        ("application/json, */*;q=0.5", ('{"predictions": [0.5]}', "application/json")),
        ("application/jsonlines", ('{"predictions": [0.5]}', "application/jsonlines")),
    ],
)
def test_answers_say_what_they_are(serving, accept, expected):
    assert serving.output_fn([0.5], accept) == expected


@pytest.mark.parametrize(
    "text",
    [
        "1970-01-02T12:00:00Z",
        "1970-01-02T12:00:00+00:00",
        "1970-01-02 12:00",
        "1970-01-02T12",
        "1970-01-02T12:00:00.0Z",
        "1970-01-02T12:00:00.000000000Z",
        "19700102T120000Z",
        "1970-01-02T13:00:00+01",
        "1970-01-02T06:30:00-0530",
        " 1970-01-02t12:00:00z ",
    ],
)
def test_a_time_is_read_alike_by_every_python(rows, text):
    assert rows.Encoder([{"name": "bought", "kind": "timestamp"}]).encode([[text]])[0, 0] == 1.5


@pytest.mark.parametrize("text", ["1970-13-01", "1970-01-02T25:00", "12:00", "1970-01-02T12:00:00Zulu", 5, None])
def test_what_is_no_time_is_missing(rows, text):
    assert np.isnan(rows.Encoder([{"name": "bought", "kind": "timestamp"}]).encode([[text]])).all()
