"""Answers joined with late labels by id."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.labelled_rows import join_labels, last_answers
from kedge.model_config import parse_model_config

DAY = 86_400.0


def make_config(problem="binary_classification"):
    text = f"{{model: m, problem: {problem}, endpoint: {{name: m}}, features: [{{name: x, kind: numeric}}]}}"
    return parse_model_config(text, source="m")


def joined(ids, answers, labels, *, times=None, problem="binary_classification"):
    times = np.zeros(len(ids)) if times is None else np.array(times)
    return join_labels(pa.table({"prediction": answers}), ids, times, labels, make_config(problem), now=10 * DAY)


def test_labels_meet_their_answers_whatever_their_order():
    rows = joined(["a", "b", "c"], [0.1, 0.2, 0.3], {"c": ("1", 3 * DAY), "a": ("0.0", 2 * DAY)})
    assert rows.classes.tolist() == [0, -1, 1]
    assert rows.delays_days.tolist()[::2] == [2.0, 3.0]
    assert rows.table.column("label").to_pylist() == ["0.0", None, "1"]


def test_labels_of_unknown_ids_and_of_unknown_classes_are_counted():
    rows = joined(["a", "b"], [0.1, 0.2], {"a": ("maybe", DAY), "z": ("1", DAY)})
    assert (rows.strange, rows.unmatched) == (1, 1)
    assert not rows.labelled.any()


def test_a_regressions_labels_are_of_one_class_and_must_be_numbers():
    rows = joined(["a", "b"], [3.5, 4.5], {"a": ("3.1", DAY), "b": ("much", DAY)}, problem="regression")
    assert rows.classes.tolist() == [0, -1]
    assert rows.strange == 1


def test_of_two_answers_to_one_id_the_last_counts_and_a_contradiction_is_said():
    rows = joined(["a", "b", "a"], [0.1, 0.2, 0.9], {"a": ("1", 5 * DAY)}, times=[0.0, 0.0, DAY])
    assert rows.table.column("prediction").to_pylist() == [0.2, 0.9]
    assert (rows.repeated, rows.conflicting) == (1, 1)
    assert rows.delays_days.tolist()[1] == 4.0
    assert "1 answers contradict a later one" in rows.sentences()[0]


def test_an_answer_given_twice_alike_is_no_contradiction():
    rows = joined(["a", "a"], [0.1, 0.1], {}, times=[0.0, DAY])
    assert (rows.rows, rows.repeated, rows.sentences()) == (1, 1, ())


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.sampled_from([0.1, 0.5])), max_size=20))
def test_last_answers_are_those_that_a_dictionary_keeps(said):
    latest, ordered = {}, sorted(range(len(said)), key=lambda place: said[place][1])
    for place in ordered:
        latest[said[place][0]] = place
    ids, times, answers = ([row[part] for row in said] for part in range(3))
    places, conflicting = last_answers(ids, np.array(times, float), pa.array(answers, pa.float64()))
    assert places.tolist() == sorted(latest.values())
    assert conflicting == sum(answers[n] != answers[latest[ids[n]]] for n in range(len(said)))


def test_nothing_is_ripe_while_the_horizon_is_not_known():
    rows = joined(["a"], [0.1], {})
    assert rows.ripe(None).tolist() == [False]
    assert rows.ripe(10.0).tolist() == [True]


@pytest.mark.parametrize("problem", ["binary_classification", "multiclass_classification", "regression"])
def test_no_answers_join_to_nothing(problem):
    assert joined([], pa.array([], pa.string()), {}, problem=problem).rows == 0
