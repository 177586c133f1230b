"""Label files, read at once or line by line, say the same."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.labels import records as label_records
from kedge.labels.records import parse_labels, records_schema

WORDS = st.none() | st.text(max_size=5)
RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "groundTruthData": st.fixed_dictionaries({"data": st.text(max_size=5)}, optional={"sex": WORDS}),
            "eventMetadata": st.fixed_dictionaries(
                {"eventId": st.text(min_size=1, max_size=5)}, optional={"inferenceTime": WORDS, "sex": WORDS}
            ),
        },
        optional={"sex": WORDS, "inferenceTime": WORDS, "eventVersion": st.just("0")},
    ),
    max_size=6,
)


@given(RECORDS)
def test_what_is_read_at_once_is_what_is_read_line_by_line(records):
    content = "\n".join(json.dumps(record) for record in records).encode()
    lines = [line for line in content.splitlines() if line.strip()]
    whole, single = parse_labels(content, ["sex"]), label_records._read_by_line(lines, ["sex"])
    assert whole.table.to_pylist() == single.table.to_pylist()
    assert (whole.broken, single.broken) == ({}, {})


@pytest.mark.parametrize(
    ("data", "label"),
    [("1", "1"), (" 1 ", "1"), (1, "1"), (1.5, "1.5"), (True, "True"), ("", ""), (None, None)],
    ids=repr,
)
def test_a_label_is_its_text_and_null_takes_it_back(data, label):
    record = {"groundTruthData": {"data": data}, "eventMetadata": {"eventId": 4711}}
    assert parse_labels(json.dumps(record).encode(), []).table.to_pylist() == [
        {"kedge_row_id": "4711", "label": label, "inference_time": None}
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"not json", b"[]", b"3", b"\xff", b'{"eventMetadata": {"eventId": "a"}}', b'{"groundTruthData": {"data": "1"}}',
        b'{"groundTruthData": {"data": "1"}, "eventMetadata": {"eventId": null}}',
        b'{"groundTruthData": {"data": "1"}, "eventMetadata": {"eventId": ""}}',
        b'{"groundTruthData": {}, "eventMetadata": {"eventId": "a"}}',
        b'{"groundTruthData": "1", "eventMetadata": {"eventId": "a"}}',
        b'{"groundTruthData": {"data": "1"}, "eventMetadata": {"eventId": "\\ud800"}}',
        b'{"groundTruthData": {"data": "1"}, "eventMetadata": {"eventId": "a"}}{}',
        b"[" * 100_000,
    ],
    ids=range(13),
)  # fmt: skip
def test_a_broken_line_costs_that_line_only(line):
    good = b'{"groundTruthData": {"data": "1"}, "eventMetadata": {"eventId": "b"}}'
    found = parse_labels(b"\n".join([good, line, b"  ", good]), [])
    assert found.table.column("kedge_row_id").to_pylist() == ["b", "b"]
    assert sum(found.broken.values()) == 1


def test_an_empty_file_holds_nothing():
    found = parse_labels(b"\n \n", ["refund"])
    assert (found.table.num_rows, found.table.schema, found.broken) == (0, records_schema(["refund"]), {})


def test_a_field_may_have_the_name_of_something_else_in_the_record():
    line = json.dumps(
        {"groundTruthData": {"data": "1"}, "eventMetadata": {"eventId": "a", "data": "2"}, "eventId": "b"}
    )
    (row,) = parse_labels(line.encode(), ["data", "eventId", "eventMetadata"]).table.to_pylist()
    assert (row["kedge_row_id"], row["kedge_field_data"], row["kedge_field_eventId"]) == ("a", "1", "b")
