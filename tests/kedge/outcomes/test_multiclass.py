"""Metrics of several classes from counts, against scikit-learn on the rows themselves."""

import json

import numpy as np
import pytest
from sklearn import metrics as sk

from kedge.errors import OutcomeMismatchError
from kedge.outcomes.multiclass import ClassCounts, count_classes

CLASSES = ("ant", "bee", "cat")


def answered(seed, rows, skill=0.7):
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, rows, p=[0.6, 0.3, 0.1])
    probabilities = rng.dirichlet([1, 1, 1], rows) * (1 - skill) + skill * np.eye(3)[labels] * rng.random((rows, 1))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return probabilities.argmax(axis=1), labels, probabilities


def test_metrics_equal_scikit_learns():
    answers, labels, probabilities = answered(1, 3_000)
    found = count_classes(answers, labels, CLASSES, probabilities=probabilities).metrics()
    recalls = sk.recall_score(labels, answers, average=None)
    expected = {
        "accuracy": sk.accuracy_score(labels, answers),
        "macro_f1": sk.f1_score(labels, answers, average="macro"),
        "weighted_f1": sk.f1_score(labels, answers, average="weighted"),
        "log_loss": sk.log_loss(labels, probabilities),
        **{f"recall_{name}": recall for name, recall in zip(CLASSES, recalls, strict=True)},
    }
    assert {name: e.value for name, e in found.items()} == pytest.approx(expected, rel=1e-12)


def test_a_class_that_nobody_saw_is_not_averaged_as_in_scikit_learn():
    answers, labels, _ = answered(2, 500)
    found = count_classes(answers, labels, (*CLASSES, "dog")).metrics()
    assert found["macro_f1"].value == pytest.approx(sk.f1_score(labels, answers, average="macro"), rel=1e-12)
    assert "recall_dog" not in found
    assert "log_loss" not in found


def test_errors_are_the_bootstraps():
    answers, labels, _ = answered(3, 600)
    rng, draws = np.random.default_rng(0), []
    for _ in range(500):
        rows = rng.integers(0, 600, 600)
        draws.append([sk.f1_score(labels[rows], answers[rows], average=a) for a in ("macro", "weighted")])
    found = count_classes(answers, labels, CLASSES).metrics()
    for name, error in zip(("macro_f1", "weighted_f1"), np.std(draws, axis=0), strict=True):
        assert found[name].standard_error == pytest.approx(error, rel=0.12), name


def test_intervals_cover_the_truth_as_often_as_they_promise():
    truth = count_classes(*answered(100, 1_000_000)[:2], CLASSES).metrics()
    covered = dict.fromkeys(truth, 0)
    for seed in range(400):
        found = count_classes(*answered(seed, 700)[:2], CLASSES).metrics()
        for name in truth:
            covered[name] += found[name].low <= truth[name].value <= found[name].high
    assert {name: hits for name, hits in covered.items() if not 362 <= hits <= 396} == {}


def test_parts_add_up_and_survive_json():
    answers, labels, probabilities = answered(4, 400)
    costs = np.arange(400.0)
    whole = count_classes(answers, labels, CLASSES, probabilities=probabilities, costs=costs)
    one, two = (
        count_classes(answers[rows], labels[rows], CLASSES, probabilities=probabilities[rows], costs=costs[rows])
        for rows in (slice(None, 130), slice(130, None))
    )
    added = ClassCounts.from_json(json.loads(json.dumps((two + one).to_json())))
    assert (added.confusion == whole.confusion).all()
    assert added.metrics()["log_loss"].value == pytest.approx(whole.metrics()["log_loss"].value, rel=1e-12)
    assert added.costs.lost == pytest.approx(whole.costs.lost)


def test_counts_of_other_classes_are_refused():
    one = count_classes(np.array([0]), np.array([0]), ("a", "b"))
    other = count_classes(np.array([0]), np.array([0]), ("a", "c"))
    with pytest.raises(OutcomeMismatchError, match="a, c cannot be combined with those of a, b"):
        one + other


def test_probabilities_that_are_none_are_left_out_of_the_log_loss():
    counts = count_classes(
        np.array([0, 1]), np.array([0, 1]), ("a", "b"), probabilities=np.array([[0.5, 0.5], [np.nan, 2.0]])
    )
    assert counts.scored_rows == 1
    assert counts.metrics()["log_loss"].value == pytest.approx(np.log(2))
