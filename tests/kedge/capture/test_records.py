import base64
import gzip
import io
import json
import random
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kedge.capture.payloads import record_rows
from kedge.capture.records import parse_capture, parse_capture_files
from kedge.capture.typed_rows import typed_predictions
from kedge.config.reading import parse_model_config
from kedge.errors import UnreadableRecordError
from tests.builders import capture_record, json_lines, make_config

CONFIG = make_config()
KEY = "capture/parcels/1/parcels/AllTraffic/2016/01/04/02/a.jsonl"
REAL = Path(__file__).parents[2] / "data" / "churn_csv.jsonl"


def rows_of(*records, key=KEY, config=CONFIG):
    batch = parse_capture(json_lines(*records), config, key)
    assert batch.quarantined == ()
    return batch.table.to_pylist()


def reason_of(record):
    line = record if isinstance(record, bytes) else json_lines(record)
    batch = parse_capture(line, CONFIG, KEY)
    assert batch.table.num_rows == 0
    (broken,) = batch.quarantined
    assert (broken.key, broken.line) == (KEY, 1)
    return broken.reason


def payload(data, *, encoding="CSV", content_type="text/csv", side="endpointInput", answer="0.5", **metadata):
    record = capture_record("1.5,2,sea", answer, **metadata)
    record["captureData"][side] |= {"data": data, "encoding": encoding, "observedContentType": content_type}
    return record


def in_base64(content, content_type, *, side="endpointOutput"):
    """A record of which one side stands in BASE64: what no content type of the capture's config names."""
    content = content.encode() if isinstance(content, str) else content
    return payload(base64.b64encode(content).decode(), encoding="BASE64", content_type=content_type, side=side)


def test_real_records_are_read():
    columns = "".join(f"  - {{name: c{i}, kind: numeric}}\n" for i in range(69))
    config = parse_model_config(f"model: churn\nendpoint: {{name: churn}}\nfeatures:\n{columns}", source="churn.yaml")
    batch = parse_capture(REAL.read_bytes(), config, "c/2022/04/18/00/x.jsonl")
    assert batch.quarantined == ()
    first = batch.table.to_pylist()[0]
    assert batch.table.num_rows == 4
    assert first["kedge_row_id"] == first["kedge_event_id"] == "f04a8538-696c-4648-8064-8b680b2e3318"
    assert first["kedge_time"] == datetime(2022, 4, 18, 0, 21, 48, tzinfo=UTC)
    assert (first["kedge_hour"], first["c0"], first["c2"], first["prediction"]) == (
        0,
        "132",
        "182.9",
        "0.036397725343704224",
    )


def test_one_row_with_an_inference_id_is_called_by_it():
    (row,) = rows_of(capture_record("1.5,2,sea", "0.25", inferenceId="booking-7"))
    assert row == {
        "kedge_row_id": "booking-7",
        "kedge_event_id": "e1",
        "kedge_time": datetime(2016, 1, 4, 2, 3, 4, tzinfo=UTC),
        "kedge_hour": 2,
        "weight": "1.5",
        "items": "2",
        "carrier": "sea",
        "prediction": "0.25",
    }


def test_several_rows_of_a_request_are_numbered_from_zero():
    rows = rows_of(
        capture_record("1,2,sea\n3,4,air\n", "0.1\n0.2\n", inferenceId="b"), capture_record("5,6,sea", "0.3")
    )
    assert [(r["kedge_row_id"], r["weight"], r["prediction"]) for r in rows] == [
        ("b/0", "1", "0.1"),
        ("b/1", "3", "0.2"),
        ("e1", "5", "0.3"),
    ]


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ('[1.5, 2, "sea"]', "JSON"), ('[[1.5, 2, "sea"]]', "JSON"), ('{"instances": [[1.5, 2, "sea"]]}', "JSON"),
        ('{"instances": [{"features": [1.5, 2, "sea"]}]}', "JSON"),
        ('{"carrier": "sea", "weight": 1.5, "items": 2, "more": 1}', "JSON"), ('"1.5",2,"sea"', "CSV"), ("1.5,2,sea\r\n", "CSV"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("in_base64", [False, True])
def test_every_shape_of_the_same_row_gives_the_same_row(data, encoding, in_base64):
    content_type = "application/json" if encoding == "JSON" else "text/csv; charset=utf-8"
    if in_base64:
        data, encoding = base64.b64encode(data.encode()).decode(), "BASE64"
    (row,) = rows_of(payload(data, encoding=encoding, content_type=content_type))
    assert (row["weight"], row["items"], row["carrier"], row["prediction"]) == ("1.5", "2", "sea", "0.5")


TYPES = ["text/html; charset=utf-8", "text/plain", "application/octet-stream", "image/png", "", None]
READABLE = [
    ("0.93", "0.93"), ("0.930\n", "0.930"), ("[0.93]", "0.93"), ('{"predictions": [0.93]}', "0.93"), ("[[0.93]]", "0.93"),
    ('{"prediction": 0.93}\n', "0.93"), ("\ufeff0.93", "0.93"), ("0.93,0.5", "0.93"),
    ("0.07,0.93", "0.93"), ('"0.93"', "0.93"), ("1e-05", "1e-05"), ("NaN", "NaN"),
]  # fmt: skip


@pytest.mark.parametrize("count", [1, 300])
@pytest.mark.parametrize("content_type", TYPES)
def test_an_answer_in_base64_is_read_by_its_content_whatever_its_type(content_type, count):
    for content, expected in READABLE:
        rows = rows_of(*[in_base64(content, content_type)] * count)
        assert {row["prediction"] for row in rows} == {expected}, content


@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize(
    "content", ["1.5,2,sea", '1.5,2,"sea"\n', '[1.5, 2, "sea"]', '{"instances": [[1.5, 2, "sea"]]}', "\ufeff1.5,2,sea"]
)
def test_a_request_in_base64_is_read_by_its_content_whatever_its_type(content, content_type):
    packed = gzip.compress(content.encode())
    for record in (in_base64(sent, content_type, side="endpointInput") for sent in (content, packed)):
        (row,) = rows_of(record)
        assert (row["weight"], row["items"], row["carrier"]) == ("1.5", "2", "sea")


def test_json_lines_in_base64_are_several_rows():
    record = in_base64('[1, 2, "sea"]\n[3, 4, "air"]\n', "application/octet-stream", side="endpointInput")
    record["captureData"]["endpointOutput"]["data"] = "0.1\n0.2"
    assert [(row["items"], row["prediction"]) for row in rows_of(record)] == [("2", "0.1"), ("4", "0.2")]


@pytest.mark.parametrize("count", [1, 300])
@pytest.mark.parametrize(
    ("data", "encoding", "content_type"),
    [
        ('[1.5, 2, "sea"]', "CSV", "text/csv"), ('{"weight": 1.5, "items": 2, "carrier": "sea"}', "CSV", "text/csv"),
        ("1.5,2,sea", "JSON", "application/json"), ('"1.5",2,sea', "JSON", "application/json"), ("1.5,2,sea", "CSV", "text/plain"),
        ('[1.5, 2, "sea"]', "CSV", "text/plain"), ("1.5,2,sea", "JSON", "text/csv"),
    ],
)  # fmt: skip
def test_what_can_only_be_the_other_format_is_read_as_that(data, encoding, content_type, count):
    record = payload(data, encoding=encoding, content_type=content_type)
    assert {(r["weight"], r["items"], r["carrier"]) for r in rows_of(*[record] * count)} == {("1.5", "2", "sea")}


ARRAY = io.BytesIO()
np.save(ARRAY, np.array([0.5]))


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "text/plain", "", "text/csv", "application/json"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (ARRAY.getvalue(), "a NumPy array"), (b"\n#\xd7\xce\x10\x00\x00\x00", "RecordIO protobuf"), (b"PK\x03\x04\xff", "a zip archive"),
        (b"\x80\x04\x95", "a pickle"), ("é".encode("latin-1"), "no UTF-8"), ("0.5".encode("utf-16"), "no UTF-8"),
        (b"\x1f\x8bnot gzip", "gzip that is damaged"), (gzip.compress(b"0.5", mtime=0)[:-9], "gzip that is damaged"),
        ("<html><body>Bad gateway</body></html>", "a page of HTML"), ("<!DOCTYPE HTML>\n<title>500</title>", "a page of HTML"),
        (" \n<h1>Not found</h1>", "a page of HTML"), ("<?xml version='1.0'?><Error/>", "a page of HTML"),
        ("", "holds no row"), ("\n", "holds no row"),
    ],
)  # fmt: skip
def test_what_is_neither_csv_nor_json_is_never_an_answer_and_says_what_it_is(content, reason, content_type):
    assert reason in reason_of(in_base64(content, content_type))


@pytest.mark.parametrize(
    "content", ["Internal Server Error", "OK", "[0.1 0.9]", "(0.5,)", '"no', "{'prediction': 0.5}", "0 1:0.5 2:0.7"]
)
@pytest.mark.parametrize(
    ("content_type", "encoding"), [("text/html; charset=utf-8", "BASE64"), ("", "BASE64"), ("text/plain", "CSV")]
)
def test_a_sentence_that_no_header_calls_csv_is_no_answer(content, content_type, encoding):
    data = base64.b64encode(content.encode()).decode() if encoding == "BASE64" else content
    assert reason_of(payload(data, encoding=encoding, content_type=content_type, side="endpointOutput"))


HEADERS = [
    ("text/csv", "CSV"), ("", "CSV"), ("text/html", "CSV"), ("application/json", "CSV"), ("application/json", "JSON"),
    ("text/csv", "JSON"), ("text/html", "BASE64"), ("text/csv", "BASE64"), ("application/json", "BASE64"),
]  # fmt: skip


def under(header, data, side="endpointOutput"):
    """A record of which one side's text stands under this content type and encoding."""
    content_type, encoding = header
    data = base64.b64encode(data.encode()).decode() if encoding == "BASE64" else data
    return payload(data, encoding=encoding, content_type=content_type, side=side)


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("count", [1, 200])
@pytest.mark.parametrize(
    "content",
    ["[0.3 0.7]", "[0.3, 0.7", "<h1>Error", "<br>", '{"prediction": [1, 2]}', '{"prediction": {"a": 1}}', '["[0.3 0.7]"]',
     '{"prediction": "<html>"}', '[0.5, "\\ud800"]', "[" * 9999],
)  # fmt: skip
def test_what_has_the_wrong_shape_is_no_answer_whatever_the_header_says(content, header, count):
    batch = parse_capture(json_lines(*[under(header, content)] * count), CONFIG, KEY)
    assert (batch.table.num_rows, len(batch.quarantined)) == (0, count)


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("content", ['{"prediction": [0.5]}', "[[[0.5]]]", '{"predictions": [[0.5]]}', "[5e-1]"])
def test_a_list_of_one_is_its_value_and_a_number_stays_as_it_was_written(content, header):
    (row,) = rows_of(under(header, content))
    assert row["prediction"] == ("5e-1" if "e-" in content else "0.5")


@pytest.mark.parametrize("header", [("application/json", "JSON"), ("text/html", "BASE64"), ("text/html", "CSV")])
@pytest.mark.parametrize("content", [[0.7, 0.3], [[0.3]], {"prediction": 0.3}, {"predictions": [[0.3]]}])
def test_an_answer_written_as_json_twice_is_read(content, header):
    (row,) = rows_of(under(header, json.dumps(json.dumps(content))))
    assert row["prediction"] == "0.3"


@pytest.mark.parametrize("header", HEADERS)
def test_a_feature_is_one_value_however_long_and_never_a_list(header):
    digits = "9" * 5000
    (row,) = rows_of(under(header, f'{{"weight": {digits}, "items": [2], "carrier": ["sea"]}}', "endpointInput"))
    assert (row["weight"], row["items"], row["carrier"]) == (digits, "2", "sea")
    for items in ("[1, 2]", '{"a": 1}', "[]"):
        reason = reason_of(under(header, f'{{"weight": 1, "items": {items}, "carrier": "sea"}}', "endpointInput"))
        assert reason == "endpointInput has a list or an object where one value belongs"


@pytest.mark.parametrize("answer", ["0.1,0.2", "0.1\n0.2", "[0.1, 0.2]", "[[0.1], [0.2]]"])
@pytest.mark.parametrize("data", ["[5, 6]", "5\n6", "[[5], [6]]", '{"instances": [5, 6]}', '[{"x": 5}, {"x": 6}]'])
def test_the_rows_of_one_feature_may_be_bare_values(data, answer):
    source = "model: m\nendpoint: {name: m}\nfeatures: [{name: x, kind: numeric}]\n"
    record = payload(data, encoding="JSON", content_type="application/json", answer=answer)
    rows = rows_of(record, config=parse_model_config(source, source="m.yaml"))
    assert [(row["x"], row["prediction"]) for row in rows] == [("5", "0.1"), ("6", "0.2")]


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("side", ["endpointInput", "endpointOutput"])
@pytest.mark.parametrize("data", ["null", "5e-1", "0.5,[x", "Error", '"0.5"', "1.5,2,sea", "1.5,2,null", " 0.5"])
def test_one_text_is_read_alike_by_itself_and_among_many(data, side, header):
    record = under(header, data, side)
    one, many = (parse_capture(json_lines(*[record] * count), CONFIG, KEY) for count in (1, 200))
    assert many.table.to_pylist() == one.table.to_pylist() * 200
    assert [each.reason for each in many.quarantined] == [each.reason for each in one.quarantined] * 200


def test_a_gzip_that_unpacks_without_end_is_given_up():
    assert "more than 8,388,608 bytes" in reason_of(
        in_base64(gzip.compress(b"1" * 9_000_000, 1, mtime=0), "", side="endpointInput")
    )


def test_libsvm_says_that_it_is_libsvm():
    assert "libsvm" in reason_of(in_base64("0 1:0.5 2:0.7", "text/libsvm", side="endpointInput"))


def test_a_class_may_be_answered_as_text_of_any_type():
    for content in ("fine,0.1,0.2,0.7", "fine", '"fine"', '[["fine", 0.1, 0.2, 0.7]]'):
        (row,) = rows_of(in_base64(content, "text/html; charset=utf-8"), config=SEVERAL)
        assert row["prediction"] == "fine"


def test_json_lines_are_several_rows():
    rows = rows_of(payload('[1, 2, "sea"]\n[3, null, "air"]', encoding="JSON", answer="0.1\n0.2"))
    assert [(r["kedge_row_id"], r["items"], r["prediction"]) for r in rows] == [
        ("e1/0", "2", "0.1"),
        ("e1/1", None, "0.2"),
    ]


@pytest.mark.parametrize(
    ("answer", "content_type"),
    [
        ("0.1,0.2", "text/csv"), ("0.1\n0.2", "text/csv"), ("[0.1, 0.2]", "application/json"),
        ('{"predictions": [{"prediction": 0.1}, {"prediction": 0.2}]}', "application/json"),
        ("[[0.9, 0.1], [0.8, 0.2]]", "application/json"),
    ],
)  # fmt: skip
def test_answers_to_several_rows_come_in_many_shapes(answer, content_type):
    record = capture_record("1,2,sea\n3,4,air", answer)
    encoding = "JSON" if "json" in content_type else "CSV"
    record["captureData"]["endpointOutput"] |= {"encoding": encoding, "observedContentType": content_type}
    assert [row["prediction"] for row in rows_of(record)] == ["0.1", "0.2"]


@pytest.mark.parametrize("count", [1, 300])
def test_the_answers_field_may_be_another_than_the_first(count):
    config = make_config("prediction: {field: 1}\n")
    rows = rows_of(*[capture_record("1,2,sea", "0.9,0.1")] * count, config=config)
    assert {row["prediction"] for row in rows} == {"0.1"}


def test_a_named_field_is_found_in_json():
    config = make_config("prediction: {field: score}\n")
    record = payload('{"predictions": [{"score": 0.7}]}', encoding="JSON", side="endpointOutput")
    (row,) = rows_of(record, config=config)
    assert row["prediction"] == "0.7"


def test_the_hour_is_that_of_the_key_though_the_record_is_late():
    (row,) = rows_of(capture_record("1,2,sea", "0", inferenceTime="2016-01-04T05:00:00Z"))
    assert row["kedge_hour"] == 2


@pytest.mark.parametrize("count", [1, 300])
@pytest.mark.parametrize("key", ["a.jsonl", "2016/01/04/xx/a.jsonl", "2016/01/04/77/a.jsonl"])
def test_a_key_without_an_hour_leaves_it_to_the_records_time(count, key):
    rows = rows_of(*[capture_record("1,2,sea", "0", inferenceTime="2016-01-04T05:00:00Z")] * count, key=key)
    assert {row["kedge_hour"] for row in rows} == {5}


@pytest.mark.parametrize(
    "time", ["1451883784000", 1451883784000, "2016-01-04T06:03:04+02:00", "2016-01-04T05:03:04+01:00"]
)
def test_times_come_as_text_in_any_zone_and_as_milliseconds(time):
    (row,) = rows_of(capture_record("1,2,sea", "0", inferenceTime=time))
    assert row["kedge_time"].minute == 3
    assert row["kedge_time"].utcoffset().total_seconds() == 0


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"{", "not JSON"), (b"\xff\xfe", "not JSON"), (b"[1]", "no captureData"), (b"null", "no captureData"),
        (b"[" * 50_000, "not JSON"), (b'{"captureData": {}}', "no eventMetadata"),
        ({"captureData": {}, "eventMetadata": {"eventId": "e", "inferenceTime": "2016-01-04T02:03:04Z"}}, "no endpointInput"),
        (payload(None), "no endpointInput"), (payload(None, side="endpointOutput"), "no endpointOutput"),
        (capture_record("1,2", "0"), "2 values came in, the YAML names 3"), (capture_record("1,2,sea", ""), "holds no row"),
        (capture_record("1,2,sea\n3,4,air", "0.1\n0.2\n0.3"), "2 rows went in and 3 came out"),
        (capture_record("1,2,sea", "0", eventId=7), "eventId is not a text"), (capture_record("1,2,sea", "0", eventId=""), "eventId"),
        (capture_record("1,2,sea", "0", inferenceId={"a": 1}), "inferenceId"),
        (capture_record("1,2,sea", "0", inferenceTime="soon"), "inferenceTime is not a time"),
        (capture_record("1,2,sea", "0", inferenceTime=1e300), "is not a time"),
        (capture_record("1,2,sea", "0", inferenceTime="9999-12-31T23:59:59-12:00"), "is not a time"),
        (payload("?", encoding="BASE64"), "not text in BASE64"), (payload("/////w==", encoding="BASE64"), "not text in BASE64"),
        (payload("1,2,sea", encoding="PROTOBUF"), "neither CSV nor JSON"),
        (payload("{", encoding="JSON"), "not JSON"), (payload("[" * 50_000, encoding="JSON"), "not JSON"),
        (payload('{"weight": 1}', encoding="JSON"), "no items, carrier"), (payload("[]", encoding="JSON"), "holds no row"),
        (payload('[1, 2, "\\ud800"]', encoding="JSON"), "not JSON"),
        (b'{"captureData": {}, "eventMetadata": {"eventId": "\\ud800"}}', "not JSON"),
        (payload('"' + "x" * 200_000 + '",2,sea'), "not CSV"),
        (payload('{"other": 1}', encoding="JSON", side="endpointOutput"), "no prediction in the answer"),
    ],
)  # fmt: skip
def test_a_broken_record_is_kept_aside_with_its_reason(record, reason):
    assert reason in reason_of(record)


def test_a_broken_line_costs_that_line_only_and_keeps_its_number():
    records = [capture_record("1,2,sea", "0", eventId=f"e{i}") for i in range(600)]
    lines = json_lines(*records).split(b"\n")
    lines[300] = b"{broken"
    lines.insert(100, b"   ")
    batch = parse_capture(b"\n".join(lines), CONFIG, KEY)
    assert [(q.line, q.record) for q in batch.quarantined] == [(302, "{broken")]
    assert batch.table.column("kedge_row_id").to_pylist() == [f"e{i}" for i in range(600) if i != 300]


ODD = [
    capture_record("1,2,sea\n3,4,air", "0.1\n0.2"), capture_record('1,2,"s,ea"', "0.1"), capture_record("1,2", "0.1"),
    capture_record("1,2,sea\n", "0.1\n"), capture_record("1,,", "0.1", inferenceId=None), capture_record("1,2,sea", "0.1,7"),
    payload('[1, 2, "sea"]', encoding="JSON"), payload(base64.b64encode(b"1,2,sea").decode(), encoding="BASE64"),
    capture_record("1,2,sea", "0.1", inferenceTime=1451883784000), {"no": "record"}, capture_record("1,2,sea", "0", eventId=3),
    capture_record("1,2,sea", "0", inferenceId=""), in_base64("0.5", "text/html; charset=utf-8"), in_base64("Bad gateway", "text/plain"),
    in_base64("[0.5]", ""), in_base64("0.5,0.2", "text/html"), in_base64("MS", "text/csv"), in_base64("<html>no</html>", "text/csv"),
    in_base64("1,2,sea", "", side="endpointInput"), in_base64("\ufeff1,2,sea", "text/csv", side="endpointInput"),
    payload("[0.5]", side="endpointOutput"), payload("<html>no</html>", side="endpointOutput"),
    payload("0.5", content_type="text/plain", side="endpointOutput"),
    payload("late", content_type="text/plain", side="endpointOutput"), payload('[1, 2, "sea"]'), payload("1,2,sea", encoding="JSON"),
    capture_record(" 1 ,2,š", "0", customAttributes="x"), capture_record("", ""),
]  # fmt: skip


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), odd=st.integers(0, 40))
def test_many_records_at_once_are_read_as_each_by_itself(seed, odd):
    draw = random.Random(seed)  # noqa: S311
    plain = [capture_record(f"{i},2,sea", str(i), eventId=f"e{i}", inferenceId=f"i{i}") for i in range(260)]
    records = plain + [draw.choice(ODD) for _ in range(odd)]
    draw.shuffle(records)
    batch = parse_capture(json_lines(*records), CONFIG, KEY)
    expected, broken = [], []
    for number, record in enumerate(records, start=1):
        try:
            found = record_rows(json.dumps(record).encode(), CONFIG)
            expected += [[*row[:3], 2, *row[3:]] for row in found]
        except UnreadableRecordError as error:
            broken.append((number, error.reason))
    assert [list(row.values()) for row in batch.table.to_pylist()] == expected
    assert [(q.line, q.reason) for q in batch.quarantined] == broken


@settings(max_examples=60)
@given(lines=st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([json_lines(r) for r in ODD])), max_size=300))
def test_nothing_is_raised_or_lost_whatever_the_bytes(lines):
    batch = parse_capture(b"\n".join(lines), CONFIG, KEY)
    given_lines = [line for line in b"\n".join(lines).split(b"\n") if line.strip()]
    several = sum(row.endswith(("/0",)) for row in batch.table.column("kedge_row_id").to_pylist())
    numbered = sum("/" in row for row in batch.table.column("kedge_row_id").to_pylist())
    assert batch.table.num_rows - numbered + several + len(batch.quarantined) == len(given_lines)


def test_files_are_read_in_their_order_with_their_own_keys_and_hours():
    files = [
        ("c/2016/01/04/03/b.jsonl", json_lines(capture_record("1,2,sea", "0", eventId="first"))),
        (
            "c/2016/01/04/01/a.jsonl",
            b"{" + b"\n" + json_lines(capture_record("1,2,sea", "0", eventId="second")) + b"\n",
        ),
        ("c/2016/01/04/00/empty.jsonl", b""),
    ]
    batch = parse_capture_files(files, CONFIG)
    assert [(r["kedge_row_id"], r["kedge_hour"]) for r in batch.table.to_pylist()] == [("first", 3), ("second", 1)]
    assert [(q.key, q.line) for q in batch.quarantined] == [("c/2016/01/04/01/a.jsonl", 1)]


def test_no_files_give_a_table_of_the_same_columns():
    assert (
        parse_capture_files([], CONFIG).table.schema
        == parse_capture_files([(KEY, ODD and json_lines(ODD[3]))], CONFIG).table.schema
    )


def test_requests_are_counted_by_the_hour_however_many_rows_they_hold_and_broken_ones_too():
    several = capture_record("1,2,sea\n3,4,road", "0.5\n0.6", eventId="several")
    content = json_lines(several, capture_record("5,6,rail", "0.7", eventId="one")) + b"\n{broken"
    later = json_lines(capture_record("7,8,air", "0.8", eventId="later"))
    batch = parse_capture_files(
        [("c/2016/01/04/02/a.jsonl", content), ("c/2016/01/04/03/b.jsonl", later)], make_config()
    )
    assert batch.table.num_rows == 4
    assert batch.requests_by_hour() == {2: 3, 3: 1}
    assert parse_capture(b"", make_config(), "c/2016/01/04/02/a.jsonl").requests_by_hour() == {}


SEVERAL = make_config(
    "problem: multiclass_classification\nlabels: {classes: [late, lost, fine]}\n"
    "prediction: {name: prediction, probabilities: [p_late, p_lost, p_fine]}\n"
)


def test_probabilities_are_read_behind_the_class_that_was_answered():
    (row,) = rows_of(capture_record("1,2,sea", "fine,0.1,0.2,0.7"), config=SEVERAL)
    assert [row[name] for name in SEVERAL.answer_columns] == ["fine", "0.1", "0.2", "0.7"]


def test_probabilities_of_a_json_answer_are_read_by_their_names():
    named = '{"p_fine": 0.7, "prediction": "fine", "p_late": 0.1, "p_lost": 0.2}'
    (row,) = rows_of(payload(named, encoding="JSON", side="endpointOutput"), config=SEVERAL)
    assert [row[name] for name in SEVERAL.answer_columns] == ["fine", "0.1", "0.2", "0.7"]


def test_an_answer_without_its_probabilities_is_kept_whether_it_is_read_among_many_or_by_itself():
    answers = ["fine,0.1,0.2,0.7", "lost", "late,0.6", '"fine",0,0,1', "fine,0.1,0.2,0.7,more"] * 60
    records = [capture_record("1,2,sea", answer, eventId=f"e{i}") for i, answer in enumerate(answers)]
    batch = parse_capture(json_lines(*records), SEVERAL, KEY)
    assert batch.quarantined == ()
    each = [record_rows(json.dumps(record).encode(), SEVERAL)[0] for record in records]
    assert [list(row.values()) for row in batch.table.to_pylist()] == [[*row[:3], 2, *row[3:]] for row in each]
    assert each[1][-4:] == ["lost", None, None, None]
    assert each[2][-4:] == ["late", "0.6", None, None]


def test_probabilities_are_numbers_in_the_predictions_table():
    batch = parse_capture(json_lines(capture_record("1,2,sea", "fine,0.1,?,0.7")), SEVERAL, KEY)
    (row,) = typed_predictions(batch.table, SEVERAL, ("kedge_row_id",)).to_pylist()
    assert [row[name] for name in SEVERAL.answer_columns] == ["fine", 0.1, None, 0.7]
