"""Answers and labels of any type, read as the numbers and codes that quality is measured from."""

import numpy as np
import pyarrow as pa
import pytest

from kedge.config.reading import parse_model_config
from kedge.errors import EncodingError, OutcomeMismatchError
from kedge.outcomes.binary import BinaryCounts
from kedge.outcomes.counts import add_counts, count_outcomes, decode_counts, no_outcomes
from kedge.outcomes.outcomes import infer_classes, infer_problem, read_outcomes


def make_config(problem="binary_classification", extra=""):
    features = "features: [{name: amount, kind: numeric}]"
    return parse_model_config(f"model: m\nproblem: {problem}\nendpoint: {{name: m}}\n{features}\n{extra}", source="m")


def read(answers, labels, config=None, **columns):
    table = pa.table({"answer": answers, "label": labels, **columns})
    return read_outcomes(table, "answer", "label", config or make_config())


@pytest.mark.parametrize(
    "labels",
    [pa.array([1, 0, 1]), pa.array([1.0, 0.0, 1.0]), pa.array(["1", "0", "1"]), pa.array(["1.0", "0.0", " 1"]),
     pa.array([True, False, True]), pa.array(["True", "false", "TRUE"]), pa.array(["1", "0", "1"]).dictionary_encode()],
)  # fmt: skip
def test_a_class_is_one_class_however_it_is_written(labels):
    outcomes, faults = read(pa.array([0.9, 0.2, 0.4]), labels)
    assert outcomes.labels.tolist() == [1, 0, 1]
    assert faults.sentences() == ()


def test_what_cannot_be_read_is_left_out_counted_and_said():
    outcomes, faults = read(
        pa.array(["0.9", "?", "0.4", "0.3", "7", None]), pa.array(["1", "1", "perhaps", None, "0", "0"])
    )
    assert (outcomes.answers.tolist(), outcomes.labels.tolist()) == ([0.9], [1])
    assert faults.kept.tolist() == [True] + [False] * 5
    assert (faults.unlabelled, faults.unanswered) == (2, 3)
    assert [sentence.split(",")[0] for sentence in faults.sentences()] == [
        "1 label not known to the model",
        "1 answer cannot be read",
        "1 answer outside 0 to 1",
    ]


def test_labels_of_a_regression_that_are_no_numbers_are_said():
    outcomes, faults = read(pa.array([1.0, 2.0, 3.0]), pa.array(["1", "n/a", "many"]), make_config("regression"))
    assert outcomes.labels.tolist() == [1.0]
    assert (faults.unlabelled, faults.strange_labels, faults.label_examples) == (2, 1, ("many",))


def test_the_answers_of_two_classes_may_be_classes_themselves():
    config = make_config(extra="labels: {classes: ['no', 'yes']}")
    outcomes, faults = read(pa.array(["yes", "no", "maybe"]), pa.array(["yes", "yes", "no"]), config)
    assert outcomes.answers.tolist() == [1.0, 0.0]
    assert faults.answer_examples == ("maybe",)
    assert count_outcomes(outcomes, config).decisions_only


def test_several_classes_are_read_with_their_probabilities_and_costs():
    extra = (
        "labels: {classes: ['1', '2', '3']}\nprediction: {probabilities: [p1, p2, p3]}\n"
        "performance: {cost_column: amount}"
    )
    config = make_config("multiclass_classification", extra)
    outcomes, _ = read(
        pa.array([1, 2, 3]),
        pa.array(["1.0", "3", "9"]),
        config,
        p1=[0.8, 0.1, 0.1],
        p2=[0.1, 0.7, 0.1],
        p3=[0.1, 0.2, 0.8],
        amount=[5.0, None, 1.0],
    )
    assert (outcomes.answers.tolist(), outcomes.labels.tolist()) == ([0, 1], [0, 2])
    assert outcomes.probabilities.tolist() == [[0.8, 0.1, 0.1], [0.1, 0.7, 0.2]]
    assert outcomes.costs.tolist() == [5.0, 0.0]
    assert count_outcomes(outcomes, config).metrics()["log_loss"].value == pytest.approx(-np.log([0.8, 0.2]).mean())


def test_faults_of_parts_add_up_to_the_faults_of_the_whole():
    answers, labels = ["0.5", "x", "0.2", "y"], ["1", "0", "u", None]
    whole = read(pa.array(answers), pa.array(labels))[1]
    one, two = (read(pa.array(answers[rows]), pa.array(labels[rows]))[1] for rows in (slice(0, 2), slice(2, 4)))
    assert (one + two).sentences() == whole.sentences()
    assert (one + two).kept.tolist() == whole.kept.tolist()


@pytest.mark.parametrize(
    ("answers", "labels", "problem"),
    [
        ([0.1, 0.9, 0.4], [0, 1, 1], "binary_classification"),
        (["0.1", "0.9"], ["no", "yes"], "binary_classification"),
        ([0, 1, 1], [0, 1, 0], "binary_classification"),
        (["a", "b"], ["b", "a"], "binary_classification"),
        ([12.5, 80.0], ["no", "yes"], "binary_classification"),
        ([0.1, 0.9, 0.4], ["0", "1", "?"], "binary_classification"),
        ([0.1, 0.9, 0.4], ["0", "1", "2"], "regression"),
        (["0", "1", "?"], ["0", "1", "?"], "multiclass_classification"),
        ([-3.2, 4.1], [0, 1], "binary_classification"),
        ([True, False], [True, True], "binary_classification"),
        ([0, 1, 2], [2, 1, 0], "multiclass_classification"),
        ([1.0, 2.0, 3.0], [3, 2, 2], "multiclass_classification"),
        (["a", "b", "c"], ["b", "a", "c"], "multiclass_classification"),
        ([0.3, 0.8, 0.1], [0.2, 0.9, 0.4], "regression"),
        ([12.5, 3.25, 9.0], [12, 3, 9], "regression"),
        (list(range(100)), list(range(100)), "regression"),
    ],
)
def test_the_kind_of_problem_follows_from_the_columns(answers, labels, problem):
    assert infer_problem(pa.array(answers), pa.array(labels)) == problem


@pytest.mark.parametrize(
    ("labels", "classes"),
    [([0, 1], ("0", "1")), ([1, 1], ("0", "1")), ([True, False], ("0", "1")), (["good", "bad"], ("good", "bad")),
     ([1, 2], ("1", "2")), (["cat", "dog"], None), (["0", "1", "?"], ("0", "1"))],
)  # fmt: skip
def test_where_answers_say_nothing_the_positive_class_is_known_or_not_guessed(labels, classes):
    assert infer_classes("binary_classification", pa.array([0.5, 0.5]), pa.array(labels)) == classes


@pytest.mark.parametrize("pair", [("cat", "dog"), (">50K", "<=50K"), ("bad", "good"), ("good", "bad"), ("2", "1")])
def test_the_positive_class_is_the_one_whose_rows_are_answered_higher(pair):
    rng = np.random.default_rng(3)
    score = rng.random(400)
    labels = np.array(pair)[(rng.random(400) < score).astype(int)]
    assert infer_classes("binary_classification", pa.array(score), pa.array(labels)) == pair


def test_labels_0_and_1_are_not_turned_round():
    assert infer_classes("binary_classification", pa.array([0.9, 0.1] * 50), pa.array([0, 1] * 50)) == ("0", "1")


@pytest.mark.parametrize("pair", [(1, 2), (-1, 1), (1.0, 2.0), (7, 3)])
def test_answers_may_be_classes_that_are_numbers(pair):
    answers, labels = pa.array([pair[0], pair[1], pair[1]]), pa.array([pair[0], pair[0], pair[1]])
    config = make_config(extra=f"labels: {{classes: ['{pair[0]:g}', '{pair[1]:g}']}}")
    outcomes, faults = read(answers, labels, config)
    assert (outcomes.answers.tolist(), outcomes.labels.tolist()) == ([0.0, 1.0, 1.0], [0, 0, 1])
    assert faults.sentences() == ()
    alone, _ = read(answers.slice(0, 1), labels.slice(0, 1), config)
    assert alone.answers.tolist() == [0.0]


def test_probabilities_of_classes_that_are_numbers_stay_probabilities():
    config = make_config(extra="labels: {classes: ['1', '2']}")
    outcomes, _ = read(pa.array([0.25, 1.0, 0.5]), pa.array([1, 2, 2]), config)
    assert outcomes.answers.tolist() == [0.25, 1.0, 0.5]


def test_counts_of_any_kind_begin_with_nothing_and_survive_json():
    for problem in ("binary_classification", "multiclass_classification", "regression"):
        config = make_config(problem)
        outcomes, _ = read(pa.array([1, 0, 1]), pa.array([1, 1, 0]), config)
        counts = add_counts(no_outcomes(config), count_outcomes(outcomes, config))
        assert decode_counts(counts.to_json()).metrics() == counts.metrics() != {}


def test_counts_of_another_kind_are_refused():
    with pytest.raises(OutcomeMismatchError, match="regression cannot be combined with those of binary"):
        add_counts(BinaryCounts(), no_outcomes(make_config("regression")))
    with pytest.raises(EncodingError, match="the reference must be rebuilt"):
        decode_counts({"positive": []})
