"""Context stands beside the features: read from attributes and log records, kept as text, and never a feature."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from kedge.capture.attributes import CONTEXT_CHARACTERS_MAX
from kedge.capture.log.records import log_rows
from kedge.capture.records import parse_capture
from kedge.capture.typed_rows import typed_predictions
from kedge.errors import ModelConfigError
from kedge.own_columns import ROW_ID
from tests.builders import capture_record, json_lines, make_config
from tests.logs import log_config, log_record

CONTEXT = "context: [segment, region]\n"
KEY = "capture/parcels/1/parcels/AllTraffic/2016/01/04/09/a.jsonl"


def captured(attributes, number=0):
    metadata = {} if attributes is None else {"customAttributes": [attributes]}
    return capture_record("9.5,3,sea", "0.25", eventId=f"e{number}", **metadata)


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        ("segment=gold,region=north", ("gold", "north")),
        ('{"region": "north", "age": 3}', (None, "north")),
        ("trace-7", (None, None)),
        ("{broken", (None, None)),
        (None, (None, None)),
        (f"segment={'x' * (CONTEXT_CHARACTERS_MAX + 1)},region=r", (None, "r")),
    ],
)
@pytest.mark.parametrize("records", [1, 300])
def test_custom_attributes_are_kept_beside_each_row_however_many_are_read_at_once(attributes, found, records):
    lines = [captured(attributes, number) for number in range(records)] + [captured("region=last", "z")]
    batch = parse_capture(json_lines(*lines), make_config(CONTEXT), KEY)
    assert not batch.quarantined
    rows = batch.table.select(["segment", "region"]).to_pylist()
    assert rows == [dict(zip(("segment", "region"), found, strict=True))] * records + [
        {"segment": None, "region": "last"}
    ]


def test_a_log_record_has_its_context_and_its_version():
    config = log_config("context: [region, version]\n")
    record = log_record("a", datetime(2026, 3, 1, tzinfo=UTC), version=7, context={"region": "north", "more": [1]})
    assert log_rows(json.dumps(record).encode(), config)[0][-2:] == ["north", "7"]
    record["context"] = "north"
    assert log_rows(json.dumps(record).encode(), config)[0][-2:] == [None, "7"]


def test_the_predictions_table_holds_it_as_text_behind_the_answer():
    config = make_config(CONTEXT)
    table = parse_capture(json_lines(captured("segment=1,region=north")), config, KEY).table
    typed = typed_predictions(table, config, (ROW_ID,))
    assert typed.column_names[-3:] == ["prediction", "segment", "region"]
    assert typed.schema.field("segment").type == pa.string()


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("context: [weight]", "context has 'weight', which is a feature"),
        ("context: [prediction]", "which is a feature or the answer"),
        ("context: [region, region]", "each name may stand there once"),
        ("context: [label]", "context has 'label'"),
        ("segments: {columns: [regio]}\ncontext: [region]", "did you mean region"),
    ],
)
def test_a_name_that_is_taken_or_unknown_is_refused(extra, said):
    with pytest.raises(ModelConfigError, match=said):
        make_config(extra)


def test_slices_and_groups_may_be_cut_by_it():
    config = make_config(f"{CONTEXT}segments: {{columns: [weight, region]}}\nfairness: {{columns: [segment]}}\n")
    assert config.context == ("segment", "region")
