"""`kedge check --label`: quality of every kind of problem, and what cannot be measured said in a sentence."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from sklearn import metrics as sk
from typer.testing import CliRunner

from cli.main import app

ROWS = 1_500


def outcome(kind, seed, skill):
    """Answers and labels of a kind of problem, the better the higher `skill`."""
    rng = np.random.default_rng(seed)
    if kind == "regression":
        labels = 50 + 10 * rng.normal(size=ROWS)
        return labels + (1.5 - skill) * 8 * rng.normal(size=ROWS), labels
    if kind == "multiclass":
        labels = rng.choice(["ant", "bee", "cat"], ROWS, p=[0.5, 0.3, 0.2])
        return np.where(rng.random(ROWS) < skill, labels, rng.permutation(labels)), labels
    truth = 1 / (1 + np.exp(-(2 * skill * rng.normal(size=ROWS) - 1)))
    labels = (rng.random(ROWS) < truth).astype(int)
    return (truth >= 0.5).astype(int) if kind == "decisions" else truth, labels


def write(path, answers, labels):
    rng = np.random.default_rng(0)
    table = pa.table({"feature": rng.normal(size=len(labels)), "answer": answers, "label": labels})
    pyarrow.csv.write_csv(table, path) if path.suffix == ".csv" else pq.write_table(table, path)
    return path


def check(folder, *options, baseline="before.parquet", window="now.parquet"):
    found = folder / "report.json"
    run = CliRunner().invoke(
        app,
        [
            "check",
            "--baseline",
            str(folder / baseline),
            "--window",
            str(folder / window),
            "--prediction",
            "answer",
            "--label",
            "label",
            "--json",
            str(found),
            *options,
        ],
    )
    return run, json.loads(found.read_text()).get("performance") if found.exists() else None


@pytest.mark.parametrize(
    ("kind", "problem", "metric", "measure"),
    [
        ("binary", "binary_classification", "auc", lambda y, p: sk.roc_auc_score(y, p)),
        ("decisions", "binary_classification", "balanced_accuracy", lambda y, p: sk.balanced_accuracy_score(y, p)),
        ("multiclass", "multiclass_classification", "accuracy", lambda y, p: sk.accuracy_score(y, p)),
        ("regression", "regression", "mae", lambda y, p: sk.mean_absolute_error(y, p)),
    ],
)
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_each_kind_of_problem_is_recognised_measured_and_judged(tmp_path, kind, problem, metric, measure, ending):
    write(tmp_path / f"before.{ending}", *outcome(kind, 1, 0.9))
    for name, skill, verdict in (("same", 0.9, "OK"), ("worse", 0.45, "CRITICAL")):
        answers, labels = outcome(kind, 2, skill)
        write(tmp_path / f"{name}.{ending}", answers, labels)
        run, found = check(tmp_path, baseline=f"before.{ending}", window=f"{name}.{ending}")
        assert (found["problem"], found["severity"]) == (problem, verdict), run.output
        judged = {row["name"]: row for row in found["metrics"]}[metric]
        assert judged["value"] == pytest.approx(measure(labels, answers), rel=1e-9)
        assert judged["severity"] == verdict


def test_labels_that_went_through_a_float_are_the_same_classes(tmp_path):
    answers, labels = outcome("binary", 3, 0.9)
    write(tmp_path / "before.parquet", answers, labels)
    write(tmp_path / "now.parquet", answers, labels.astype(float).astype(str))
    assert check(tmp_path)[1]["severity"] == "OK"


def test_the_kind_of_problem_may_be_said(tmp_path):
    rng = np.random.default_rng(4)
    labels = rng.integers(1, 6, ROWS)
    write(tmp_path / "before.parquet", labels, labels)
    write(tmp_path / "now.parquet", np.where(rng.random(ROWS) < 0.5, 6 - labels, labels), labels)
    assert check(tmp_path)[1]["problem"] == "multiclass_classification"
    found = check(tmp_path, "--problem", "regression")[1]
    assert "mae" in {row["name"] for row in found["metrics"]}


def test_a_class_that_only_the_window_has_is_answered_wrongly_not_passed_over(tmp_path):
    answers, labels = outcome("multiclass", 5, 0.95)
    write(tmp_path / "before.parquet", answers, labels)
    write(tmp_path / "now.parquet", answers, np.where(labels == "cat", "dog", labels))
    found = check(tmp_path)[1]
    assert (found["severity"], found["ripe_rows"]) == ("CRITICAL", ROWS)
    assert found["classes"]["dog"] == (labels == "cat").sum()


def test_labels_all_of_one_class_are_said_and_give_no_auc(tmp_path):
    answers, labels = outcome("binary", 6, 0.9)
    write(tmp_path / "before.parquet", answers, labels)
    write(tmp_path / "now.parquet", answers, np.zeros(ROWS, int))
    run, found = check(tmp_path)
    assert found["severity"] == "INSUFFICIENT_DATA"
    assert "auc" not in {row["name"] for row in found["metrics"]}
    assert "every label is of one class, negative" in found["notes"][0]
    assert "0 positive" in run.output


@pytest.mark.parametrize("odd", [("now",), ("before", "now")])
def test_a_few_strange_labels_and_answers_lose_no_other_row(tmp_path, odd):
    answers, labels = outcome("binary", 7, 0.9)
    odd_labels, odd_answers = labels.astype(str), answers.copy()
    odd_labels[:3], odd_labels[3:5], odd_answers[5] = "?", None, 1.5
    odd_labels = pa.array([None if n in (3, 4) else w for n, w in enumerate(odd_labels)])
    write(tmp_path / "before.parquet", answers, labels)
    for name in odd:
        write(tmp_path / f"{name}.parquet", odd_answers, odd_labels)
    found = check(tmp_path)[1]
    assert (found["problem"], found["ripe_rows"]) == ("binary_classification", ROWS - 6)
    assert [note.split(",")[0] for note in found["notes"]] == [
        "3 labels not known to the model",
        "1 answer outside 0 to 1",
    ]


def test_answers_that_are_no_probabilities_are_bad_input(tmp_path):
    answers, labels = outcome("binary", 8, 0.9)
    for name in ("before", "now"):
        write(tmp_path / f"{name}.parquet", 10 * answers - 5, labels)
    run, found = check(tmp_path)
    assert (run.exit_code, found) == (2, None)
    assert "'answer' has values outside 0 to 1" in run.stderr
    assert "--problem" in run.stderr


@pytest.mark.parametrize("words", [("<=50K", ">50K"), (">50K", "<=50K"), (1, 2), (2, 1), (-1, 1)])
@pytest.mark.parametrize("kind", ["binary", "decisions"])
def test_two_classes_of_any_name_are_measured_like_0_and_1(tmp_path, words, kind):
    sides = {"before": outcome(kind, 9, 0.9), "now": outcome(kind, 10, 0.2)}
    for name, (answers, labels) in sides.items():
        named = np.array(words)[answers] if kind == "decisions" else answers
        write(tmp_path / f"{name}.parquet", named, np.array(words)[labels])
    run, found = check(tmp_path)
    assert "is taken as the positive class" in run.output
    answers, labels = sides["now"]
    measure = sk.roc_auc_score if kind == "binary" else sk.balanced_accuracy_score
    measured = {row["name"]: row for row in found["metrics"]}["auc" if kind == "binary" else "balanced_accuracy"]
    assert measured["value"] == pytest.approx(measure(labels, answers), abs=1e-12)
    assert found["severity"] == "CRITICAL"
    if kind == "decisions":
        assert found["concept_drift"]["severity"] == "INSUFFICIENT_DATA"


def test_two_words_are_asked_for_where_neither_they_nor_the_answers_say_which_is_positive(tmp_path):
    _, labels = outcome("binary", 9, 0.9)
    for name in ("before", "now"):
        noise = np.random.default_rng(2).random(ROWS)
        write(tmp_path / f"{name}.parquet", noise, np.where(labels == 1, "stays", "leaves"))
    run, found = check(tmp_path)
    assert found is None
    assert "labels.classes in a YAML" in run.output


def test_answers_for_the_other_class_are_said(tmp_path):
    answers, labels = outcome("binary", 9, 0.9)
    for name in ("before", "now"):
        write(tmp_path / f"{name}.parquet", 1 - answers, labels)
    assert "its answers point to the other class" in check(tmp_path)[0].output


@pytest.mark.parametrize("classes", [("no", "yes"), ("no", "yes", "Yes")])
@pytest.mark.parametrize("spelt", ["{:.1%}", "{:.3f}€"])
def test_answers_that_are_none_of_the_classes_are_bad_input_and_not_all_wrong(tmp_path, classes, spelt):
    answers, _ = outcome("binary", 9, 0.9)
    for name in ("before", "now"):
        labels = np.random.default_rng(2).choice(classes, ROWS)
        write(tmp_path / f"{name}.parquet", [spelt.format(answer) for answer in answers], labels)
    run, found = check(tmp_path)
    assert (run.exit_code, found) == (2, None)
    assert f"is one of the {len(classes)} classes of 'label' ('" in run.stderr
    yaml = tmp_path / "model.yaml"
    yaml.write_text(
        "model: m\nendpoint: {name: m}\nfeatures: [{name: feature, kind: numeric}]\nprediction: {name: answer}\n"
        "labels: {classes: ['no', 'yes']}\n"
    )
    run, found = check(tmp_path, "--config", str(yaml))
    assert (run.exit_code, found) == (2, None)
    assert "which is not an answer to a binary classification" in run.stderr


def test_costs_and_limits_come_from_the_yaml(tmp_path):
    answers, labels = outcome("binary", 10, 0.9)
    write(tmp_path / "before.parquet", answers, labels)
    write(tmp_path / "now.parquet", answers, labels)
    yaml = tmp_path / "model.yaml"
    yaml.write_text(
        "model: m\nendpoint: {name: m}\nfeatures: [{name: feature, kind: numeric}]\nprediction: {name: answer}\n"
        "performance:\n  limits: [{metric: recall, at_least: 0.99}, {metric: cost_per_thousand, ratio: 1.2}]\n"
        "  cost_matrix: [[0, 1], [50, 0]]\n"
    )
    found = check(tmp_path, "--config", str(yaml))[1]
    rows = {row["name"]: row for row in found["metrics"]}
    assert (rows["recall"]["severity"], rows["cost_per_thousand"]["severity"]) == ("CRITICAL", "OK")
    wrong = (answers >= 0.5) != (labels == 1)
    assert rows["cost_per_thousand"]["value"] == pytest.approx(1000 * np.where(labels == 1, 50, 1)[wrong].sum() / ROWS)
