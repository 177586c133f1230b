from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from kedge.config.reading import parse_model_config
from kedge.errors import TrainingColumnMissingError
from kedge.retraining.labelled_history import RowsOfSchema, labelled_history
from kedge.retraining.rows import champion_rows, training_csv

NOW = datetime(2026, 3, 20, tzinfo=UTC)
FEATURES = {"temp": [1.5, 2.5], "noise": [0.1, 0.2]}


def config(features, classes="[low, mid]"):
    text = f"model: m\nproblem: multiclass_classification\nendpoint: {{name: m}}\nfeatures: {features}\n"
    return parse_model_config(text + f"labels: {{classes: {classes}, label_horizon_days: 1}}", source="m.yaml")


THEN = config("[{name: temp, kind: numeric}, {name: noise, kind: numeric}]")
ADDED = "{name: pressure, kind: numeric}"


def rows(ids, *, start, labels=("low", "mid"), **features):
    times = [start + timedelta(hours=n) for n in range(len(ids))]
    table = pa.table({"kedge_row_id": ids, "kedge_time": pa.array(times, pa.timestamp("us", "UTC")), **features})
    collected = pa.array([start + timedelta(days=1)] * len(ids), pa.timestamp("us", "UTC"))
    return table.append_column("label", pa.array(labels)).append_column("kedge_collected", collected)


def history(now, *predicted, initial=None, champion=THEN):
    return labelled_history(predicted, initial, now, now=NOW, known_horizon_days=None, champion=champion)


def old(**more):
    return RowsOfSchema(rows(["a", "b"], start=NOW - timedelta(days=10), **FEATURES, **more), THEN)


def test_a_feature_that_older_rows_do_not_have_is_missing_in_them_and_counted():
    now = config(f"[{{name: temp, kind: numeric}}, {ADDED}]")
    new = RowsOfSchema(rows(["c", "d"], start=NOW - timedelta(days=5), temp=[3.5, 4.5], pressure=[1.0, 2.0]), now)
    found = history(now, old(), new)
    assert found.rows.column("pressure").to_pylist() == [None, None, 1.0, 2.0]
    assert found.of_schemas == ("pressure is missing in 2 of 4 labelled rows: these rows have no such column",)


def test_a_renamed_feature_is_found_under_its_former_name():
    now = config("[{name: temperature, kind: numeric, renamed_from: temp}, {name: noise, kind: numeric}]")
    found = history(now, old())
    assert found.rows.column("temperature").to_pylist() == FEATURES["temp"]
    assert found.of_schemas == ()


def test_the_champion_keeps_its_features_beside_those_that_are_learnt():
    now = config("[{name: temperature, kind: numeric, renamed_from: temp}]")
    new = RowsOfSchema(rows(["c", "d"], start=NOW - timedelta(days=5), temperature=[3.5, 4.5]), now)
    found = champion_rows(history(now, old(), new).rows, THEN)
    assert found.column_names == ["kedge_row_id", "temp", "noise"]
    assert found.column("temp").to_pylist() == [1.5, 2.5, 3.5, 4.5]
    assert found.column("noise").to_pylist() == [0.1, 0.2, None, None]


def test_what_only_the_champion_reads_is_not_trained_on():
    now = config("[{name: temp, kind: numeric}]")
    assert b"".join(training_csv(history(now, old()).rows)).splitlines()[0] == b"kedge_row_id,kedge_time,temp,label"


def test_a_feature_of_another_kind_is_read_as_the_new_one():
    now = config("[{name: temp, kind: categorical}, {name: noise, kind: numeric}]")
    new = RowsOfSchema(rows(["c", "d"], start=NOW - timedelta(days=5), temp=["hot", None], noise=[1, 2]), now)
    assert history(now, old(), new).rows.column("temp").to_pylist() == ["1.5", "2.5", "hot", None]


def test_labels_of_a_class_that_is_gone_are_left_out_and_counted():
    now = config("[{name: temp, kind: numeric}, {name: noise, kind: numeric}]", classes="[low, high]")
    found = history(now, old())
    assert found.rows.column("label").to_pylist() == ["low"]
    assert found.of_schemas == ("1 labelled rows are left out: their class mid is not in labels.classes any more",)


def test_first_rows_that_have_the_new_feature_count_in_place_of_answers_that_lack_it():
    now = config(f"[{{name: temp, kind: numeric}}, {ADDED}]")
    handed = rows(
        ["x", "y", "z"],
        start=NOW - timedelta(days=10),
        labels=["low", "mid", "low"],
        temp=[1, 2, 3],
        pressure=[7, 8, 9],
    )
    found = history(now, old(), initial=RowsOfSchema(handed.drop_columns(["kedge_collected"])))
    assert found.rows.column("kedge_row_id").to_pylist() == ["x", "y", "z"]


def test_a_feature_that_rows_should_have_is_asked_for():
    with pytest.raises(TrainingColumnMissingError, match="noise"):
        history(
            THEN, RowsOfSchema(rows(["a", "b"], start=NOW - timedelta(days=10), temp=[1.0, 2.0]), THEN), champion=None
        )
