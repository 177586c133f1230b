"""The scikit-learn example keeps its model as JSON, and answers as the estimator that was fitted."""

import csv
import importlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from kedge.drift.importance import parse_importance
from tests.training.test_script_mode import COLUMNS, TRAINING, write_channel

SEVERAL = COLUMNS | {"problem": "multiclass_classification", "classes": ["came", "left, early", "never"]}


def run_training(channel, root, *arguments):
    """Run train_sklearn.py as the container does; the model's directory and what was printed."""
    (root / "model").mkdir(parents=True)
    places = {"SM_CHANNEL_TRAIN": channel, "SM_MODEL_DIR": root / "model", "SM_OUTPUT_DATA_DIR": root / "output"}
    environment = os.environ | {name: str(place) for name, place in places.items()}
    command = [sys.executable, "train_sklearn.py", *arguments]
    done = subprocess.run(command, cwd=TRAINING, env=environment, check=True, capture_output=True, text=True)
    return root / "model", done.stdout


@pytest.fixture(scope="module")
def serving():
    """inference_sklearn.py, imported as the container imports it."""
    sys.path.insert(0, str(TRAINING))
    try:
        yield importlib.import_module("inference_sklearn")
    finally:
        sys.path.remove(str(TRAINING))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("opt_ml")
    return run_training(write_channel(root / "train"), root)


def ask(serving, model_dir, rows):
    return serving.predict_fn(rows, serving.model_fn(str(model_dir)))


def test_nothing_in_the_artefact_is_pickled(trained):
    files = sorted(str(path.relative_to(trained[0])) for path in trained[0].rglob("*") if path.is_file())
    assert files == ["code/inference.py", "code/rows.py", "encoder.json", "model.json"]
    json.loads((trained[0] / "model.json").read_text())


def test_the_same_rows_give_the_same_model(trained, tmp_path):
    again, _ = run_training(write_channel(tmp_path / "train"), tmp_path)
    assert (again / "model.json").read_bytes() == (trained[0] / "model.json").read_bytes()


@pytest.mark.parametrize("classes", [2, 3])
def test_what_is_read_back_answers_as_what_was_fitted(serving, classes):
    random = np.random.default_rng(1)
    design = random.normal(size=(300, 4))
    labels = (design[:, 0] + random.normal(size=300) > 0).astype(int) + (classes == 3) * (design[:, 1] > 1)
    fitted = LogisticRegression().fit(design, labels)
    back = serving.restored(json.loads(json.dumps(serving.fitted(fitted))))
    assert (back.predict_proba(design) == fitted.predict_proba(design)).all()


def test_an_unseen_level_and_a_missing_number_are_answered(trained, serving):
    answers = ask(serving, trained[0], [["120", "HB"], ["", "HB"], ["120", "FULL"], ["x", ""], [None, None]])
    assert len(answers) == 5
    assert all(0 < answer < 1 for answer in answers)
    assert len({round(answer, 6) for answer in answers[:3]}) == 3
    assert answers[3] == answers[4]


def test_a_level_of_few_rows_is_to_the_model_as_none(serving, tmp_path):
    model_dir, _ = run_training(write_channel(tmp_path / "train"), tmp_path, "--level_rows", "100000")
    known, unseen = ask(serving, model_dir, [["120", "HB"], ["120", "FULL"]])
    assert known == unseen


def test_a_class_that_no_row_belongs_to_keeps_its_place_with_probability_zero(serving, tmp_path):
    channel = write_channel(tmp_path / "train", SEVERAL, lambda risky: "left, early" if risky else "came")
    model_dir, printed = run_training(channel, tmp_path)
    assert "train-mlogloss=" in printed
    risky, safe = ask(serving, model_dir, [["120", "HB"], ["80", "BB"]])
    assert (risky[0], safe[0]) == ("left, early", "came")
    assert risky[3] == safe[3] == 0
    text, kind = serving.output_fn([risky], "text/csv")
    assert kind == "text/csv"
    assert next(csv.reader([text]))[0] == "left, early"


def test_importances_and_metrics_are_written_where_kedge_reads_them(trained):
    found = parse_importance((trained[0].parent / "output" / "importance.json").read_bytes(), ["adr", "meal"])
    assert sum(found.values()) == pytest.approx(1)
    assert min(found.values()) > 0.1
    assert "rows=600; " in trained[1]
    assert "train-auc=0.8" in trained[1]


def test_a_column_that_is_always_missing_or_never_varies_is_no_trouble(serving, tmp_path):
    channel = write_channel(tmp_path / "train")
    with open(channel / "train.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for column, value in (("adr", "7"), ("adr", "")):
        with open(channel / "train.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(row | {column: value} for row in rows)
        model_dir, _ = run_training(channel, tmp_path / f"with-{value}")
        assert all(0 < answer < 1 for answer in ask(serving, model_dir, [["7", "HB"], ["", "BB"]]))
