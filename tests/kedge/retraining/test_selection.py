"""Which training rows are used: balanced classes, the newest of too many, and some of the user's first rows."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from kedge.config.reading import parse_model_config
from kedge.errors import ModelConfigError
from kedge.retraining.learning import apart
from kedge.retraining.population import population_of
from kedge.retraining.selection import selected
from kedge.retraining.snapshot import Split

START = datetime(2016, 1, 1, tzinfo=UTC)
YAML = """
model: m
endpoint: {name: m}
problem: %s
features: [{name: x, kind: numeric}]
training: {minimum_rows: 1, %s}
"""


def config(training, problem="binary_classification"):
    return parse_model_config(YAML % (problem, training), source="m.yaml")


def rows(labels, *, start=0):
    places = range(start, start + len(labels))
    times = pa.array([START + timedelta(hours=place) for place in places], pa.timestamp("us", "UTC"))
    return pa.table(
        {
            "kedge_row_id": [f"r{place}" for place in places],
            "kedge_time": times,
            "label": pa.array([*labels], pa.string()),
        }
    )


def select(labels, training, *, problem="binary_classification", older=None):
    holdout = rows("01", start=5000)
    split, wanted = Split(rows(labels), holdout), config(training, problem)
    split, notes = selected(split, wanted, population_of(split, wanted), older)
    assert split.holdout.equals(holdout)
    assert split.training.column("kedge_time").to_pylist() == sorted(split.training.column("kedge_time").to_pylist())
    return split.training, notes


def classes(table):
    return dict(Counter(table.column("label").to_pylist()))


def test_of_a_class_that_was_thinned_as_many_are_kept_apart_as_of_the_other():
    training, _ = select("0" * 4000 + "1" * 400, "class_ratio_max: 1")
    assert classes(training) == {"0": 400, "1": 400}
    kept = apart(training, config("validation_fraction: 0.25, validation_rows: random"))[1]
    assert classes(kept) == {"0": pytest.approx(100, abs=35), "1": pytest.approx(100, abs=35)}


@pytest.mark.parametrize("labels", ["", "0", "011", "0" * 50])
def test_without_wishes_every_row_is_used(labels):
    training, notes = select(labels, "window_days: 30")
    assert (training.num_rows, notes) == (len(labels), ())


def test_the_newest_rows_are_used_each_class_with_its_share():
    training, (note,) = select("0001" * 100, "maximum_rows: 100")
    assert classes(training) == {"0": 75, "1": 25}
    assert training.column("kedge_row_id").to_pylist()[0] == "r300"
    assert note == "the newest 100 of 400 training rows are used (training.maximum_rows)"


def test_a_rare_class_keeps_a_row_though_none_is_among_the_newest():
    training, _ = select("1" + "0" * 999, "maximum_rows: 10")
    assert training.num_rows <= 11
    assert classes(training)["1"] == 1


def test_a_class_of_one_row_is_not_given_a_second_one():
    training, _ = select(
        "1" + "02" * 5000,
        "maximum_rows: 10000",
        problem="multiclass_classification\nlabels: {classes: ['0', '1', '2']}",
    )
    assert training.num_rows == 10_000
    assert classes(training)["1"] == 1


def test_of_numbers_the_newest_are_used():
    training, _ = select([str(n) for n in range(50)], "maximum_rows: 3", problem="regression\nprediction: {name: y}")
    assert training.column("label").to_pylist() == ["47", "48", "49"]


def test_larger_classes_are_thinned_evenly_over_time():
    training, (note,) = select("0000000001" * 100, "class_ratio_max: 2")
    assert classes(training) == {"0": 200, "1": 100}
    names = training.filter(pc.equal(training.column("label"), "0")).column("kedge_row_id").to_pylist()
    thirds = Counter(int(name[1:]) * 3 // 1000 for name in names)
    assert min(thirds.values()) > 45
    assert note.startswith("700 training rows of larger classes are left out")


@pytest.mark.parametrize("labels", ["", "000", "0101", "001"])
def test_classes_that_are_balanced_enough_stay(labels):
    training, notes = select(labels, "class_ratio_max: 2")
    assert (training.num_rows, notes) == (len(labels), ())


def test_first_rows_from_before_the_window_are_mixed_in_up_to_their_share():
    older = rows("01" * 500, start=-2000)
    training, (note,) = select("01" * 400, "initial_fraction: 0.2", older=older)
    assert training.num_rows == 1000
    assert training.column("kedge_row_id").to_pylist()[:2] == ["r-2000", "r-1995"]
    assert note == "200 first rows from before the window are mixed in (training.initial_fraction)"
    assert select("01" * 400, "initial_fraction: 0.2", older=older.slice(0, 3))[0].num_rows == 803
    assert select("01" * 400, "initial_fraction: 0.2", older=older.slice(0, 0))[1] == ()
    assert select("01" * 400, "initial_fraction: 0.0", older=older)[0].num_rows == 800


def test_an_expanding_window_begins_before_any_row():
    now = START + timedelta(days=9)
    assert config("window: expanding").training.reaches_to(now).year == 1970
    assert config("window_days: 9").training.reaches_to(now) == START


def test_wishes_that_contradict_each_other_are_refused():
    with pytest.raises(ModelConfigError, match="raise the first or lower the second"):
        parse_model_config(
            YAML.replace("minimum_rows: 1", "minimum_rows: 10") % ("regression", "maximum_rows: 5"), source="m.yaml"
        )
    with pytest.raises(ModelConfigError, match="no holdout can have both; raise the first or lower the second"):
        config("maximum_holdout_rows: 199")
    with pytest.raises(ModelConfigError, match="a regression has none"):
        config("class_ratio_max: 2", "regression")
