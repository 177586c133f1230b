"""A log's record becomes a row, whatever the object is; what is none, or came too late, says why."""

import io
import json
from datetime import UTC, date, datetime, timedelta

import pytest

from kedge.capture.lines import blocks
from kedge.capture.log.objects import as_lines
from kedge.capture.log.records import log_rows
from kedge.capture.records import parse_capture_files
from kedge.capture.source import SOURCES, source_of
from kedge.config.reading import parse_model_config
from kedge.errors import ModelConfigError, UnreadableRecordError
from tests.builders import make_config
from tests.logs import FORMS, YAML, as_gzip, as_json_lines, as_parquet, log_config, log_record

CONFIG, TIME = log_config(), datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def row(**fields):
    (found,) = log_rows(json.dumps(log_record("a", TIME, **fields)).encode(), CONFIG)
    return found


def read(content, name="logs/parcels/2026/03/01/09/x", config=CONFIG):
    """Rows and what is kept aside of one object, as the functions read it."""
    opened = as_lines(iter([content[:100], content[100:]]), lambda: io.BytesIO(content))
    found = [*blocks([(name, opened)], 1 << 20)]
    pieces = [(piece.key, piece.content) for block in found for piece in block.pieces]
    return parse_capture_files(pieces, config), [line for block in found for line in block.long]


def test_a_record_is_a_row_of_its_id_its_time_the_features_and_the_answer():
    assert row() == ["a", "a", TIME, "9.5", "3", "sea", "0.25"]


def test_features_may_be_a_list_or_stand_beside_the_answer_and_may_be_absent_one_by_one():
    assert row(features=[9.5, 3, "sea"]) == row()
    assert row(features=None, weight=9.5, items=3, carrier="sea") == row()
    assert row(features={"weight": None, "items": 3, "carrier": "sea"})[3] is None


def test_a_score_beside_the_class_is_the_prediction_of_two_classes():
    assert row(prediction="1", score=0.75)[-1] == "0.75"


def test_probabilities_beside_the_class_are_kept_where_the_yaml_names_them():
    config = log_config(
        "problem: multiclass_classification\nlabels: {classes: [a, b, c]}\nprediction: {probabilities: [pa, pb, pc]}"
    )
    record = log_record("x", TIME, prediction="b", probabilities={"c": 0.2, "a": 0.1, "b": 0.7})
    assert log_rows(json.dumps(record).encode(), config)[0][-4:] == ["b", "0.1", "0.7", "0.2"]


@pytest.mark.parametrize("given", ["2026-03-01T10:30:00+01:00", "2026-03-01T09:30:00", 1772357400, 1772357400000])
def test_times_have_a_zone_or_are_in_utc_or_count_since_1970(given):
    assert row(time=given)[2] == TIME


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"id": None}, "id is neither"),
        ({"id": ""}, "id is neither"),
        ({"time": "yesterday"}, "time is not a time"),
        ({"time": None}, "time is not a time"),
        ({"time": 1e300}, "time is not a time"),
        ({"features": None}, "no features"),
        ({"features": {"weight": 1}}, "no items, carrier in the input"),
        ({"features": [[1, 2, "a"], [1, 2, "a"]]}, "2 rows"),
        ({"prediction": [0.1, 0.2, 0.3]}, "where one value belongs"),
        ({"v": 2}, "v is not 1"),
        ({"model": "others"}, "another model"),
    ],
)
def test_what_cannot_be_read_says_why(fields, reason):
    with pytest.raises(UnreadableRecordError, match=reason):
        row(**fields)


@pytest.mark.parametrize("line", [b"", b"[1]", b"{", b'"text"', b"\xff", b"[" * 100_000, b'{"id": "\\ud800"}'])
def test_a_line_that_is_no_record_is_refused_and_nothing_else_is_raised(line):
    with pytest.raises(UnreadableRecordError):
        log_rows(line, CONFIG)


@pytest.mark.parametrize("form", FORMS)
def test_the_same_records_are_the_same_rows_in_every_form(form):
    records = [log_record(f"r{n}", TIME + timedelta(minutes=n), prediction=n / 20) for n in range(20)]
    found, aside = read(FORMS[form](records))
    assert not aside
    assert not found.quarantined
    assert found.table.to_pylist() == read(as_json_lines(records))[0].table.to_pylist()
    assert found.table.num_rows == 20


@pytest.mark.parametrize(("form", "reason"), [(as_gzip, "gzip"), (as_parquet, "Parquet")])
def test_an_object_that_was_cut_off_is_kept_aside_with_its_reason(form, reason):
    records = [log_record(f"r{n}", TIME, noise=str(n * 7919)) for n in range(500)]
    _, aside = read(form(records)[:-200])
    assert [line.reason.startswith(reason) for line in aside] == [True]


def test_hours_are_those_of_the_records_and_not_of_their_folder():
    found, _ = read(as_json_lines([log_record("a", TIME)]), name="logs/parcels/2026/03/02/23/x")
    assert found.table.column("kedge_hour").to_pylist() == [9]


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("2026/03/01/09", None),
        ("2026/03/03/23", None),
        ("2026/03/04/00", "3 days after"),
        ("2026/02/28/23", None),
        ("2026/02/28/22", "after the day of its arrival"),
        ("2026/02/20/23", "after the day of its arrival"),
    ],
)
def test_a_record_is_counted_in_exactly_the_days_that_read_its_folder(folder, reason):
    found, _ = read(as_json_lines([log_record("a", TIME)]), name=f"logs/parcels/{folder}/x")
    assert found.table.num_rows == (reason is None)
    assert [reason in record.reason for record in found.quarantined] == ([] if reason is None else [True])
    looked = source_of(CONFIG).folders(CONFIG, date(2026, 3, 1))
    assert any(f"{folder}/".startswith(one) for one in looked) == (reason is None)


def test_an_endpoint_is_read_as_before():
    source = source_of(make_config())
    assert source is SOURCES["endpoint"]
    assert source.folders(make_config(), date(2026, 3, 1)) == ["parcels/AllTraffic/2026/03/01/"]


def test_an_endpoint_with_several_variants_has_a_folder_of_each():
    one = make_config("mode: watch")
    several = one.model_copy(
        update={"endpoint": one.endpoint.model_copy(update={"variants": ("control", "challenger")})}
    )
    assert source_of(several).folders(several, date(2026, 3, 1)) == [
        "parcels/control/2026/03/01/",
        "parcels/challenger/2026/03/01/",
    ]


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("mode: manage", "mode is manage"),
        ("endpoint: {name: parcels}", "endpoint is there"),
    ],
)
def test_a_log_is_watched_and_has_no_endpoint(extra, said):
    text = YAML.replace("mode: watch", extra) if extra.startswith("mode") else f"{YAML}{extra}"
    with pytest.raises(ModelConfigError, match=said):
        parse_model_config(text, source="parcels.yaml")


def test_firehose_is_for_logs_and_an_endpoint_needs_its_name():
    with pytest.raises(ModelConfigError, match="firehose is true"):
        make_config("firehose: true")
    with pytest.raises(ModelConfigError, match=r"endpoint\.name is required"):
        parse_model_config(YAML.replace("source: log", ""), source="parcels.yaml")
