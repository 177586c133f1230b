"""A snapshot splits in time, never lets a model be judged on what it learnt, and says why rows are refused."""

import hashlib
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kedge.config.reading import parse_model_config
from kedge.errors import TrainingColumnMissingError
from kedge.retraining.rows import champion_rows, column_description, scoring_payload, training_csv, typed_rows
from kedge.retraining.snapshot import (
    Origin,
    Split,
    file_entry,
    join_history,
    refusal_reasons,
    select_labelled,
    snapshot_manifest,
    snapshot_slice,
    split_in_time,
    without_unscorable,
)

YAML = """
model: hotel
endpoint: {name: hotel, content_type: %s}
features: [{name: adr, kind: numeric}, {name: adults, kind: numeric, dtype: int64}, {name: meal, kind: categorical}]
training: {minimum_rows: 6}
gate: {minimum_holdout_rows: 2}
"""
CONFIG = parse_model_config(YAML % "text/csv", source="hotel.yaml")
JSON_CONFIG = parse_model_config(YAML % "application/json", source="hotel.yaml")
START = datetime(2016, 1, 1, tzinfo=UTC)


def make_rows(count: int, *, start: datetime = START, prefix: str = "r", **columns) -> pa.Table:
    """Rows an hour apart, with labels that alternate."""
    moments = [start + timedelta(hours=hour) for hour in range(count)]
    data = {
        "kedge_row_id": [f"{prefix}{i}" for i in range(count)],
        "kedge_time": pa.array(moments, pa.timestamp("us", "UTC")),
        "adr": [float(i) for i in range(count)],
        "adults": [2] * count,
        "meal": ["BB"] * count,
        "label": [str(i % 2) for i in range(count)],
    }
    return typed_rows(pa.table(data | columns), CONFIG)


@settings(deadline=None)
@given(count=st.integers(0, 60), fraction=st.floats(0.05, 0.45), champion_hours=st.none() | st.integers(-5, 70))
def test_every_holdout_row_is_newer_than_all_that_either_model_learnt(count, fraction, champion_hours):
    champion_end = None if champion_hours is None else START + timedelta(hours=champion_hours)
    split = split_in_time(make_rows(count), holdout_fraction=fraction, learnt_until=champion_end)
    assert split.training.num_rows + split.holdout.num_rows == count
    for moment in split.holdout.column("kedge_time").to_pylist():
        assert split.training_end is None or moment > split.training_end
        assert champion_end is None or moment > champion_end


def test_rows_that_share_the_boundarys_time_are_all_trained_on():
    same = pa.array([START] * 8 + [START + timedelta(days=1)] * 2, pa.timestamp("us", "UTC"))
    split = split_in_time(make_rows(10, kedge_time=same), holdout_fraction=0.4, learnt_until=None)
    assert (split.training.num_rows, split.holdout.num_rows) == (8, 2)


def test_only_labelled_rows_older_than_the_label_horizon_are_used():
    labels = pa.array(["1", None, "0", "1", "0", "1"])
    usable = snapshot_slice(START + timedelta(hours=28), start=START - timedelta(hours=20), label_horizon_days=1.0)
    assert select_labelled(make_rows(6, label=labels), usable).column("kedge_row_id").to_pylist() == ["r0", "r2", "r3"]


def test_initial_rows_fill_only_the_time_before_anything_was_predicted():
    predicted = make_rows(3, start=START + timedelta(hours=5))
    history = join_history(predicted, make_rows(10, prefix="i"))
    assert history.column("kedge_row_id").to_pylist() == ["i0", "i1", "i2", "i3", "i4", "r0", "r1", "r2"]


def test_a_row_that_two_parts_hold_counts_once():
    assert join_history(pa.concat_tables([make_rows(3), make_rows(3)]), None).num_rows == 3


def test_good_rows_are_not_refused():
    assert refusal_reasons(split_in_time(make_rows(12), holdout_fraction=0.25, learnt_until=None), CONFIG) == ()


def test_too_few_rows_are_refused_with_both_numbers():
    reasons = refusal_reasons(Split(make_rows(4), make_rows(1)), CONFIG)
    assert "4 labelled training rows; 6 are needed" in reasons
    assert "1 labelled holdout row; 2 are needed" in reasons


def test_a_single_class_is_refused():
    reasons = refusal_reasons(Split(make_rows(8), make_rows(4, label=["1"] * 4)), CONFIG)
    assert reasons == ("all holdout rows have the label 1",)


@pytest.mark.parametrize(
    ("fraction", "reason"),
    [(0.25, "all validation rows have the label 1"), (0.01, "0 labelled validation rows; 1 are needed")],
)
def test_rows_kept_apart_that_can_tell_nothing_are_refused(fraction, reason):
    training = CONFIG.training.model_copy(update={"validation_fraction": fraction})
    split = Split(make_rows(8, label=["0", "1", "0", "1", "0", "1", "1", "1"]), make_rows(4))
    assert reason in refusal_reasons(split, CONFIG.model_copy(update={"training": training}))


def test_a_label_outside_the_classes_is_refused():
    reasons = refusal_reasons(Split(make_rows(8, label=["0", "1", "2", "1"] * 2), make_rows(4)), CONFIG)
    (reason,) = reasons
    assert reason.startswith("the training labels hold 1 value that is none of the classes (0, 1): send these labels")


def test_a_feature_that_is_always_missing_is_refused():
    reasons = refusal_reasons(Split(make_rows(8, meal=pa.nulls(8)), make_rows(4)), CONFIG)
    assert reasons == ("feature meal is missing in every training row",)


def test_an_absent_column_is_named():
    with pytest.raises(TrainingColumnMissingError, match="meal"):
        typed_rows(make_rows(2).drop_columns(["meal"]), CONFIG)


def test_types_are_the_declared_ones_and_what_cannot_be_read_is_missing():
    rows = make_rows(3, adr=["1.5", "", "many"], adults=["1", "2", None], meal=["BB", "", "HB"], label=[1.0, 0.0, 1.0])
    assert rows.column("adr").to_pylist() == [1.5, None, None]
    assert rows.schema.field("adults").type == pa.int64()
    assert rows.column("meal").to_pylist() == ["BB", None, "HB"]
    assert rows.column("label").to_pylist() == ["1", "0", "1"]


def test_the_training_file_names_its_columns_and_leaves_the_missing_empty():
    text = b"".join(training_csv(make_rows(1, meal=pa.nulls(1)))).decode()
    assert text == "kedge_row_id,kedge_time,adr,adults,meal,label\nr0,2016-01-01T00:00:00Z,0.0,2,,0\n"
    assert [feature["kind"] for feature in column_description(CONFIG)["features"]] == [
        "numeric",
        "numeric",
        "categorical",
    ]


def test_the_holdout_has_the_id_first_and_neither_header_nor_label():
    assert b"".join(scoring_payload(make_rows(2), CONFIG)) == b"r0,0.0,2,BB\nr1,1.0,2,BB\n"
    assert (
        b"".join(scoring_payload(make_rows(1), JSON_CONFIG))
        == b'{"id": "r0", "payload": {"features": [0.0, 2, "BB"]}}\n'
    )


def test_the_manifests_digest_follows_the_content_alone():
    rows, usable = make_rows(2), snapshot_slice(START, start=START - timedelta(days=2), label_horizon_days=1.0)

    def digest(content: bytes, sources: list[str]) -> str:
        entry = file_entry(rows, sha256=hashlib.sha256(content).hexdigest(), size=len(content))
        origin = Origin(usable, 1.0, tuple(sources))
        made = snapshot_manifest(model="hotel", run="r", origin=origin, files={"train.csv": entry})
        return made["digest"]

    assert digest(b"a", ["p", "q"]) == digest(b"a", ["q", "p"]) != digest(b"b", ["p", "q"])
    assert file_entry(rows, sha256="", size=1)["first"] == "2016-01-01T00:00:00Z"


@pytest.mark.parametrize("mark", ["\n", "\r", "\r\n", "\x0b", "\x1e", "\x85", "\u2028", "\x00"])
def test_a_value_with_a_line_break_keeps_its_row_out_of_a_holdout_in_csv_and_is_counted(mark):
    yaml = "{{model: m, endpoint: {{name: e, content_type: {kind}}}, features: [{{name: c, kind: categorical}}]}}"
    rows = pa.table({"kedge_row_id": ["a", f"b{mark}", "c"], "c": [f'x"{mark}y', "z", "ok"]})
    found = {}
    for kind in ("text/csv", "application/json"):
        config = parse_model_config(yaml.format(kind=kind), source="m.yaml")
        split = without_unscorable(Split(rows, rows), config)
        found[kind] = split.training.num_rows, split.holdout.num_rows, split.unscorable
        payload = b"".join(scoring_payload(split.holdout, config)).decode()
        assert len(payload.splitlines()) == split.holdout.num_rows
    assert found == {"text/csv": (3, 1, 2), "application/json": (3, 3, 0)}


@pytest.mark.parametrize(("content_type", "left"), [("text/csv", 1), ("application/json", 2)])
def test_a_line_break_that_only_the_champion_reads_keeps_its_row_out_too(content_type, left):
    yaml = "{{model: m, endpoint: {{name: e, content_type: {kind}}}, features: [{{name: {name}, kind: categorical}}]}}"
    config = parse_model_config(yaml.format(kind="application/json", name="new"), source="m.yaml")
    champion = parse_model_config(yaml.format(kind=content_type, name="old"), source="m.yaml")
    rows = pa.table({"kedge_row_id": ["a", "b"], "new": ["x", "y"], "kedge_champion_old": ["x\ny", "z"]})
    split = without_unscorable(Split(rows, rows), config, champion)
    assert (split.holdout.num_rows, split.unscorable) == (left, 2 - left)
    payload = b"".join(scoring_payload(champion_rows(split.holdout, champion), champion)).decode()
    assert len(payload.splitlines()) == left
