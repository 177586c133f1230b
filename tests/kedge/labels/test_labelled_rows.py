"""Answers joined with late labels by id."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from kedge.config.reading import parse_model_config
from kedge.labels.join import join_labels
from kedge.labels.labelled_rows import labelled_rows

DAY = 86_400
MOMENTS = pa.timestamp("us", "UTC")


def at(seconds):
    return pa.array([None if s is None else datetime.fromtimestamp(s, UTC) for s in seconds], MOMENTS)


def make_config(problem="binary_classification", extra=""):
    text = f"{{model: m, problem: {problem}, endpoint: {{name: m}}, features: [{{name: x, kind: numeric}}]{extra}}}"
    return parse_model_config(text, source="m")


def label_day(labels, **fields):
    """A day of labels: of each id its label and when it was collected."""
    columns = {
        "kedge_row_id": pa.array(list(labels), pa.string()),
        "label": pa.array([label for label, _ in labels.values()], pa.string()),
        "kedge_collected": at([collected for _, collected in labels.values()]),
        "kedge_source": pa.array(["k"] * len(labels), pa.string()),
    }
    return pa.table(columns | {f"kedge_field_{name}": pa.array(values, pa.string()) for name, values in fields.items()})


def joined(ids, answers, labels, *, times=None, config=None, now=10 * DAY, **fields):
    config = config or make_config()
    answered = pa.table(
        {"kedge_row_id": pa.array(ids, pa.string()), "kedge_time": at(times or [0] * len(ids)), "prediction": answers}
    )
    table = join_labels(answered, [label_day(labels, **fields)], config.labels.fields)
    return labelled_rows(table, config, now=float(now), unmatched=0)


def test_labels_meet_their_answers_whatever_their_order():
    rows = joined(["a", "b", "c"], [0.1, 0.2, 0.3], {"c": ("1", 3 * DAY), "a": ("0.0", 2 * DAY)})
    assert rows.classes.tolist() == [0, -1, 1]
    assert rows.delays_days.tolist()[::2] == [2.0, 3.0]
    assert rows.table.column("label").to_pylist() == ["0.0", None, "1"]


def test_labels_of_unknown_classes_count_as_not_come_and_those_of_other_ids_not_at_all():
    rows = joined(["a", "b"], [0.1, 0.2], {"a": ("maybe", DAY), "z": ("1", DAY)})
    assert (rows.faults.strange, rows.rows) == (1, 2)
    assert not rows.labelled.any()


def test_labels_of_a_class_that_the_yaml_names_by_now_are_told_apart_from_strange_ones():
    config = make_config("multiclass_classification", ", labels: {classes: [low, high]}")
    answered = pa.table(
        {"kedge_row_id": ["a", "b", "c"], "kedge_time": at([0, 0, 0]), "prediction": ["low", "low", "high"]}
    )
    day = label_day({"a": ("middle", DAY), "b": ("mdidle", DAY), "c": ("high", DAY)})
    table = join_labels(answered, [day], ())
    rows = labelled_rows(table, config, now=10.0 * DAY, unmatched=0, classes=("low", "middle", "high"))
    assert (rows.faults.newer, rows.faults.strange, rows.labelled.sum()) == (1, 1, 1)
    assert rows.facts().coverage()["labels_newer"] == 1
    assert rows.faults.sentences() == (
        "1 label of classes that the YAML names now and this package does not know: quality is measured without them, and "
        "the next package learns from them",
    )


def test_labels_that_name_no_row_are_said():
    config = make_config()
    table = join_labels(pa.table({"kedge_row_id": ["a"], "kedge_time": at([0]), "prediction": [0.1]}), [], ())
    rows = labelled_rows(table, config, now=0.0, unmatched=3)
    assert rows.faults.unmatched == 3
    assert rows.faults.sentences()[0].startswith("3 labels collected lately match no answered row")
    assert rows.facts().coverage() == {"rows": 1, "labelled_rows": 0, "labels_strange": 0, "labels_unmatched": 3}


def test_a_regressions_labels_are_of_one_class_and_must_be_numbers():
    rows = joined(["a", "b"], [3.5, 4.5], {"a": ("3.1", DAY), "b": ("much", DAY)}, config=make_config("regression"))
    assert rows.classes.tolist() == [0, -1]
    assert rows.faults.strange == 1


def test_of_two_answers_to_one_id_the_last_counts_and_a_contradiction_is_said():
    rows = joined(["a", "b", "a"], [0.1, 0.2, 0.9], {"a": ("1", 5 * DAY)}, times=[0, 0, DAY])
    assert rows.table.column("prediction").to_pylist() == [0.2, 0.9]
    assert (rows.faults.repeated, rows.faults.conflicting) == (1, 1)
    assert rows.delays_days.tolist()[1] == 4.0
    assert "1 answer contradicted by a later one" in rows.faults.sentences()[0]


def test_an_answer_given_twice_alike_is_no_contradiction():
    rows = joined(["a", "a"], [0.1, 0.1], {}, times=[0, DAY])
    assert (rows.rows, rows.faults.repeated, rows.faults.sentences()) == (1, 1, ())


def test_of_an_ids_labels_in_two_days_the_last_collected_counts_and_of_equals_the_later_days():
    answered = pa.table({"kedge_row_id": ["a", "b"], "kedge_time": at([0, 0])})
    days = [label_day({"a": ("1", 5), "b": ("1", 3)}), label_day({"a": ("0", 4), "b": ("0", 3)})]
    found = join_labels(answered, days, ())
    assert found.column("label").to_pylist() == ["1", "0"]
    assert found.column_names == ["kedge_row_id", "kedge_time", "label", "kedge_collected"]


def test_every_answer_keeps_its_row_in_the_join_ids_that_repeat_included():
    answered = pa.table({"kedge_row_id": ["a", "b", "a"], "kedge_time": at([0, 1, 2])})
    assert join_labels(answered, [label_day({"a": ("1", 5)})], ()).column("label").to_pylist() == ["1", None, "1"]


def test_a_run_for_an_earlier_time_knows_no_later_labels():
    config = make_config(extra=", labels: {fields: [refund]}")
    labels = {"a": ("1", 5 * DAY), "b": ("1", 7 * DAY)}
    rows = joined(["a", "b"], [0.1, 0.2], labels, config=config, now=7 * DAY, refund=["3", "4"])
    assert rows.classes.tolist() == [1, -1]
    assert rows.table.column("refund").to_pylist() == ["3", None]


def test_fields_stand_under_their_own_names_but_for_those_that_the_requests_have():
    config = make_config(extra=", labels: {fields: [refund, prediction]}")
    rows = joined(["a", "b"], [0.1, 0.2], {"b": ("1", DAY)}, config=config, refund=["12.5"], prediction=["9"])
    assert rows.table.column_names == ["kedge_row_id", "prediction", "label", "refund"]
    assert rows.table.column("refund").to_pylist() == [None, "12.5"]
    assert rows.table.column("prediction").to_pylist() == [0.1, 0.2]


def test_coverage_tells_how_late_labels_come_and_how_old_the_newest_is():
    rows = joined(["a", "b", "c"], [0.1, 0.2, 0.3], {"a": ("1", 2 * DAY), "b": ("0", 6 * DAY)}, times=[0, DAY, DAY])
    assert rows.facts().coverage() == {
        "rows": 3,
        "labelled_rows": 2,
        "label_delay_days": {"median": 3.5, "longest": 5.0},
        "newest_label_days": 4.0,
        "labels_strange": 0,
        "labels_unmatched": 0,
    }


def test_a_label_that_seems_to_come_before_its_answer_took_no_time():
    assert joined(["a"], [0.1], {"a": ("1", 0)}, times=[3600]).delays_days.tolist() == [0.0]


def test_nothing_is_ripe_while_the_horizon_is_not_known():
    rows = joined(["a"], [0.1], {})
    assert rows.ripe(None).tolist() == [False]
    assert rows.ripe(10.0).tolist() == [True]


@pytest.mark.parametrize("problem", ["binary_classification", "multiclass_classification", "regression"])
def test_no_answers_join_to_nothing(problem):
    rows = joined([], pa.array([], pa.string()), {}, config=make_config(problem))
    assert (rows.rows, len(rows.classes), np.isnan(rows.delays_days).sum()) == (0, 0, 0)
