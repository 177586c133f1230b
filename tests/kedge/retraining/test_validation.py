"""Rows are rejected before a training is paid for, with the column, the figure and the limit; sound rows are not."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from kedge.columns.casting import columns_of
from kedge.config.reading import parse_model_config
from kedge.errors import ModelConfigError
from kedge.profile.freezing import freeze_baseline
from kedge.retraining.labelled_history import RowsOfSchema, labelled_history
from kedge.retraining.snapshot import Split
from kedge.retraining.validation import faults_of, training_drift

NOW = datetime(2016, 3, 1, tzinfo=UTC)
YAML = """
model: hotel
endpoint: {name: hotel}
problem: %s
features:
  - {name: adr, kind: numeric}
  - {name: adults, kind: numeric, dtype: int64}
  - {name: meal, kind: categorical}
training: {minimum_rows: 1, validation: {%s}}
"""
BINARY, CLASSES, REGRESSION = (
    "binary_classification", "multiclass_classification\nlabels: {classes: [a, b, c]}", "regression\nprediction: {name: amount}"
)  # fmt: skip


def config(validation="", problem=BINARY):
    return parse_model_config(YAML % (problem, validation), source="hotel.yaml")


def rows(count=1000, *, start=0, seed=0, **columns):
    """Bookings an hour apart, of which no column knows the label; some values are missing, many tie."""
    rng = np.random.default_rng(seed)
    adr = np.round(rng.gamma(4, 25, count))
    made = {
        "kedge_row_id": [f"r{start + n}" for n in range(count)],
        "kedge_time": pa.array([NOW + timedelta(hours=start + n) for n in range(count)], pa.timestamp("us", "UTC")),
        "adr": pa.array(adr, mask=rng.random(count) < 0.1),
        "adults": pa.array(rng.integers(1, 4, count)),
        "meal": rng.choice(["BB", "HB", "SC"], count).tolist(),
        "label": rng.choice(["0", "1"], count, p=[0.7, 0.3]).tolist(),
    }
    return pa.table(made | columns)


def faults(training, validation="", *, problem=BINARY, holdout=None, **known):
    split = Split(training, rows(100, start=10_000) if holdout is None else holdout)
    return faults_of(split, config(validation, problem), unparsable=known.pop("unparsable", {}), **known)


def labels_of(training):
    return np.array(training.column("label").to_pylist())


def hits_of(training):
    return (labels_of(training) == "1").astype(float)


@pytest.mark.parametrize("count", [0, 1, 3, 49, 50, 1000])
def test_sound_rows_have_no_fault_however_few(count):
    assert faults(rows(count)) == ()
    everything = "missing_fraction_max: 1.0, duplicate_fraction_max: 0.9, columns: {adr: {at_least: 0}, meal: {levels: [BB, HB, SC]}}"
    assert faults(rows(count), everything) == ()


@pytest.mark.parametrize(
    ("validation", "changed", "words"),
    [
        (
            "missing_fraction_max: 0.5",
            {"adr": pa.nulls(1000, pa.float64())},
            "feature adr is missing in 1,000 of 1,000 rows (100%); training.validation.missing_fraction_max is 50%",
        ),
        (
            "columns: {meal: {missing_fraction_max: 0.1}}",
            {"meal": [None, "BB"] * 500},
            "feature meal is missing in 500 of 1,000 rows (50%); training.validation.columns.meal.missing_fraction_max is 10%",
        ),
        (
            "columns: {adr: {at_least: 0, at_most: 900}}",
            {"adr": [-1.0, 5000.0, *[100.0] * 998]},
            "feature adr is beyond at_least 0 and at_most 900 of training.validation.columns.adr in 2 of 1,000 rows (0.2%); "
            "training.validation.out_of_range_fraction_max is 0%",
        ),
        (
            "columns: {meal: {levels: [BB]}}",
            {"meal": [*["BB"] * 990, *["FB"] * 9, None]},
            "feature meal is none of the 1 levels of training.validation.columns.meal in 9 of 1,000 rows (0.9%); "
            "training.validation.out_of_range_fraction_max is 0%",
        ),
        (
            "class_fraction_min: 0.05",
            {"label": ["0"] * 990 + ["1"] * 10},
            "class 1 is the label of 10 of 1,000 rows (1%); training.validation.class_fraction_min is 5%",
        ),
        (
            "duplicate_fraction_max: 0.5",
            {"adr": [1.0] * 1000, "adults": [2] * 1000, "meal": ["BB"] * 1000},
            "998 of 1,000 rows (99.8%) repeat another row, label included; training.validation.duplicate_fraction_max is 50%",
        ),
    ],
)
def test_a_fault_names_the_column_the_figure_and_the_limit(validation, changed, words):
    assert faults(rows(**changed), validation) == (words,)
    assert faults(rows(**changed)) == ()


def test_a_share_at_its_limit_is_no_fault():
    assert faults(rows(meal=[None, "BB"] * 500), "missing_fraction_max: 0.5") == ()


def test_a_feature_that_older_schemas_lack_may_be_missing():
    assert faults(rows(adr=pa.nulls(1000, pa.float64())), "missing_fraction_max: 0.5", lacking=["adr"]) == ()


def test_values_that_cannot_be_read_are_counted_over_both_sides():
    (fault,) = faults(rows(), unparsable={"adr": 110})
    assert fault == (
        "feature adr: 110 of 1,100 rows (10%) cannot be read as numeric; training.validation.unparsable_fraction_max is 5%"
    )
    assert faults(rows(), unparsable={"adr": 55}) == ()


def test_too_few_labels_are_a_fault_where_a_limit_says_so():
    assert faults(rows(), labelled_fraction=0.4) == ()
    (fault,) = faults(rows(), "labelled_fraction_min: 0.6", labelled_fraction=0.4)
    assert fault.startswith("40% of the answered rows that are old enough have a label")


def test_an_id_on_both_sides_and_a_holdout_that_is_not_newer_are_leaks():
    training = rows(200)
    found = faults(training, holdout=rows(100, start=150))
    assert found[0] == "leakage: 50 ids stand among the training rows and in the holdout; none may"
    assert found[1].startswith("leakage: the oldest holdout row, of ")


def leaking_number(training):
    return pa.array(hits_of(training) * 10 + np.arange(training.num_rows) % 7)


def leaking_presence(training):
    return pa.array(np.arange(training.num_rows) % 5 * 1.0, mask=hits_of(training) == 0)


@pytest.mark.parametrize("leak", [leaking_number, leaking_presence])
def test_a_number_that_gives_the_label_away_by_its_value_or_by_being_there_is_a_leak(leak):
    training = rows()
    training = training.set_column(2, "adr", leak(training))
    (fault,) = faults(training)
    assert fault.startswith(
        "leakage: feature adr alone predicts the label with an AUC of 1.0000; training.validation.single_feature_max"
    )
    assert faults(training, "columns: {adr: {may_predict_alone: true}}") == ()
    assert faults(training, "single_feature_max: 1.0") == ()


def test_a_category_that_gives_the_label_away_is_a_leak_and_one_of_ids_is_not():
    training = rows()
    given_away = np.where(labels_of(training) == "1", "refunded", "paid").tolist()
    (fault,) = faults(rows(meal=given_away, label=training.column("label")))
    assert "feature meal alone predicts the label" in fault
    # A level for each row would predict its own label perfectly.
    assert faults(rows(meal=[f"id-{n}" for n in range(1000)])) == ()


@pytest.mark.parametrize("problem", [CLASSES, REGRESSION])
def test_leaks_of_other_problems_are_found_and_their_sound_rows_are_not(problem):
    rng = np.random.default_rng(1)
    amount = np.round(rng.normal(50, 9, 1000), 3)
    label = [str(value) for value in amount] if problem == REGRESSION else rng.choice(["a", "b", "c"], 1000).tolist()
    sound = rows(label=label)
    leaked = amount * 3 if problem == REGRESSION else np.array([name == "b" for name in label]) * 1.0
    holdout = rows(100, start=10_000, label=label[:100])
    assert faults(sound, problem=problem, holdout=holdout) == ()
    (fault,) = faults(sound.set_column(2, "adr", pa.array(leaked)), problem=problem, holdout=holdout)
    assert "feature adr alone predicts the label" in fault


def test_drift_of_the_training_rows_warns_with_the_largest_first_and_stops_nothing():
    before, after = rows(4000), rows(4000, seed=1)
    baseline = freeze_baseline(
        "hotel", "1", columns_of(config()), before, pa.table({"prediction": np.linspace(0, 1, 4000)})
    )
    assert training_drift(after, baseline, config()).sentences == ()
    assert training_drift(after, None, config()) is training_drift(after.slice(0, 0), baseline, config()) is None
    moved = after.set_column(2, "adr", pa.array(np.random.default_rng(2).gamma(9, 25, 4000)))
    moved = moved.set_column(4, "meal", pa.array(["SC"] * 4000))
    found = training_drift(moved, baseline, config())
    first, second = found.sentences
    assert found.worst > found.limit == 0.25
    assert first.startswith("training rows drifted: meal has a PSI of ")
    assert second.startswith("training rows drifted: adr has a PSI of ")
    assert second.endswith("training.validation.drift_psi_warning is 0.25")


def test_unreadable_values_and_labels_are_counted_in_the_rows_that_are_used():
    table = rows(100).rename_columns(["kedge_row_id", "kedge_time", "adr", "adults", "meal", "label"])
    text = ["lots", "", "?", *["100"] * 97]
    answered = table.set_column(2, "adr", pa.array(text)).append_column("kedge_collected", table.column("kedge_time"))
    labels = pa.array([None if n >= 80 else "1" for n in range(100)])
    answered = answered.set_column(5, "label", labels)
    now = NOW + timedelta(days=30)
    found = labelled_history(
        [RowsOfSchema(answered)], None, parse_model_config(YAML % (BINARY, "") + "labels: {label_horizon_days: 1}", source="h.yaml"),
        now=now, known_horizon_days=None,
    )  # fmt: skip
    assert found.unparsable["adr"] == 1
    assert (found.rows.num_rows, found.labelled_fraction) == (80, 0.8)


@pytest.mark.parametrize(
    ("validation", "words"),
    [
        (
            "columns: {adrr: {at_least: 0}}",
            "training.validation.columns.adrr: there is no such feature; did you mean adr?",
        ),
        ("columns: {meal: {at_least: 0}}", "at_least and at_most are for numbers, and levels for categories"),
        ("columns: {adr: {levels: [a]}}", "at_least and at_most are for numbers, and levels for categories"),
        ("columns: {adr: {at_least: 5, at_most: 1}}", "no value is within both"),
        ("columns: {adr: {at_least: 5, levels: [a]}}", "keep one of them"),
    ],
)
def test_rules_that_no_row_could_keep_are_refused(validation, words):
    with pytest.raises(ModelConfigError) as refused:
        config(validation)
    assert words in str(refused.value)
