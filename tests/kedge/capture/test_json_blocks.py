"""Many records of JSON at once are read as each by itself, value by value."""

import base64
import gzip
import itertools
import json
import random

import pytest

from kedge.capture.blocks import block_rows
from kedge.capture.payloads import record_rows
from kedge.capture.records import parse_capture
from kedge.config.reading import parse_model_config
from kedge.errors import UnreadableRecordError
from tests.builders import capture_record

KEY = "capture/parcels/1/parcels/AllTraffic/2016/01/04/02/a.jsonl"


def config_of(extra="", endpoint=""):
    return parse_model_config(
        f"""
model: parcels
endpoint: {{name: parcels{endpoint}}}
features:
  - {{name: weight, kind: numeric}}
  - {{name: items, kind: numeric}}
  - {{name: carrier, kind: categorical}}
{extra}
""",
        source="parcels.yaml",
    )


CONFIGS = {
    "a score": config_of(),
    "context": config_of("context: [region]"),
    "a field's name": config_of("prediction: {field: score}"),
    "a path": config_of(endpoint=", inference_attribute: 'predictions[0].score'"),
    "rows below a path": config_of(endpoint=", features_attribute: 'instances[0]'"),
    "classes": config_of(
        "problem: multiclass_classification\nlabels: {classes: ['0', '1', late]}\n"
        "prediction: {name: state, probabilities: [p_0, p_1, p_late]}"
    ),
    "a number": config_of("problem: regression\nprediction: {name: predictions}"),
    "classes of numbers": config_of("labels: {classes: ['0.75', '12']}"),
}
# What a value of JSON may look like, in the writing that must stay; and what is none.
VALUES = [
    "1", "1.0", "1e5", "1E-05", "-0", "-0.0", "12345678901234567890", "9" * 400, "1e999", "NaN", "-Infinity", "true", "false", "null",
    '"sea"', '"a \\"b\\", c"', '"\\u00e5\\n"', '"\\ud83d\\ude00"', '"\\ud800"', '"[1]"', '"{"', '"1.5"', '""', '"\\u0000"', "[2]", "[[2]]",
    "[1, 2]", "{}", '{"a": 1}', "[]", "01", "+1", ".5", "tru", '"se"a', "'x'",
]  # fmt: skip
NUMBERS = [
    "0",
    "1",
    "0.5",
    "0.75",
    "12",
    "0.50",
    "1e-3",
    "-0",
    "-3",
    "7",
    "1.0",
    "007",
    "5e",
    "1e999",
    "true",
    '"0.5"',
    '"late"',
    "null",
]
ANSWERS = [
    "N", "N\n", " N", "N ", "\ufeffN", "[N]", "[[N]]", "[N", "[N}", "[N]]", "[ N ]\r\n", '{"predictions": [N]}', '{"predictions": [[N]]}',
    '{"predictions": N}', '{"predictions": {"score": N}}', '{"prediction": N}', '{"state": N}', '{"score": N}', '{"probability": N}',
    '{"predicted_label": N}', '{"predictions": [{"score": N}]}', '{"outputs": [{"name": "score", "data": [N]}]}', '{"detail": N}',
    '{"label": {"score": N}}', '{"label": "0", "score": N}', '{"predicted_label": 0, "probability": N}', '{"label": N, "score": true}',
    '{"prediction": N, "probability": "high"}', '{"prediction": N, "prediction": 3}', "[N, 0.1]", "N,0.1", "0.25,N", '[0.2, 0.3, N]',
    '{"probabilities": [0.2, 0.3, N]}', '{"state": 1, "probabilities": [[0.25, 0.25, N]]}', '"[N]"', "+N", "<p>N</p>", "N\nN", "",
]  # fmt: skip
REQUESTS = [
    '{"weight": A, "items": B, "carrier": C}', ' {"carrier": C, "more": [1], "items": B, "weight": A}\n', '{"weight": A, "items": B}',
    '{"weight": A, "weight": B, "items": A, "carrier": C}', '{"features": {"weight": A, "items": B, "carrier": C}}',
    '{"features": [A, B, C]}', '{"instances": [[A, B, C]]}',
    '{"instances": [[A, B, C], [B, A, C]]}', '{"instances": [{"features": [A, B, C]}]}',
    '{"instances": [{"weight": A, "items": B, "carrier": C}]}', "[A, B, C]", '[{"weight": A, "items": B, "carrier": C}]',
    '{"weight": [A, B], "items": [A, B], "carrier": [C, C]}', '{"weight": {"0": A}, "items": {"0": B}, "carrier": {"0": C}}',
    '{"weight": A, "items": B, "carrier": C}\n{"weight": B, "items": A, "carrier": C}', '{"weight": A, "items": B, "carrier": C}]',
    '{"weight": A, "items": B, "carrier": C}, {"weight": A}', '{"weight": A, "items": B, "carrier": C', "A,B,C", '"A",B,"C"', "A;B;C",
    "A,B,C\nB,A,C", "weight,items,carrier\nA,B,C", '\ufeff{"weight": A, "items": B, "carrier": C}',
]  # fmt: skip
JSON, CSV, ZIPPED = ("JSON", "application/json"), ("CSV", "text/csv"), ("GZIP", "application/json")
HEADERS = [
    JSON, ZIPPED, ("JSON", "text/csv"), CSV, ("CSV", "application/json"), ("CSV", ""), ("BASE64", "application/json"),
    ("BASE64", "text/html"), ("BASE64", None), (None, "application/json"), ("PROTOBUF", "application/json"),
]  # fmt: skip
METADATA = [
    {"inferenceId": "i"},
    {"inferenceId": ""},
    {"eventId": ""},
    {"customAttributes": ["region=north"]},
    {"inferenceId": None},
]
REQUEST, ANSWER = '{"weight": 1.50, "items": 2, "carrier": "sea"}', '{"predictions": [{"score": 0.50}]}'


def side_of(text, header):
    """One side of a record, its text below a header; what is in BASE64 may be zipped."""
    encoding, kind = header
    if encoding in ("BASE64", "GZIP"):
        content = gzip.compress(text.encode(), mtime=0) if encoding == "GZIP" else text.encode()
        text, encoding = base64.b64encode(content).decode(), "BASE64"
    side = {"data": text, "observedContentType": kind, "encoding": encoding}
    return {name: value for name, value in side.items() if value is not None}


def line_of(request, answer, of_request=JSON, of_answer=JSON, **metadata):
    record = capture_record("", "", **metadata)
    record["captureData"] = {
        "endpointInput": side_of(request, of_request),
        "endpointOutput": side_of(answer, of_answer),
    }
    return json.dumps(record).encode()


def filled(request, a="1.50", b="2", c='"sea"'):
    return request.replace("A", a).replace("B", b).replace("C", c)


def every_line():
    """Each shape with each value on either side, beside a plain other side, and each header; in no order."""
    answers = [answer.replace("N", number) for answer in ANSWERS for number in NUMBERS]
    some = [line_of(REQUEST, answer, of_answer=header) for answer in answers for header in (JSON, CSV)]
    some += [line_of("1.50,2,sea", answer, CSV) for answer in answers]
    for request in REQUESTS:
        texts = sorted({filled(request, **{place: value}) for value in VALUES for place in "ac"})
        others = itertools.cycle(itertools.product((JSON, CSV), ("0.5", ANSWER, "[0.5, 0.6]")))
        some += [line_of(text, answer, header) for text, (header, answer) in zip(texts, others, strict=False)]
        some += [line_of(filled(request), ANSWER, of_request, JSON) for of_request in HEADERS if of_request != ZIPPED]
        some += [line_of(filled(request), ANSWER, JSON, of_answer) for of_answer in HEADERS if of_answer != ZIPPED]
    some += [line_of(REQUEST, ANSWER, ZIPPED), line_of(REQUEST, ANSWER, JSON, ZIPPED)]
    some += [line_of(REQUEST, ANSWER, **metadata) for metadata in METADATA] + [b"{broken"]
    random.Random(7).shuffle(some)  # noqa: S311
    return some


LINES = every_line()


@pytest.mark.parametrize("name", CONFIGS)
def test_many_records_of_json_are_read_as_each_by_itself(name):
    some = LINES if name == "a score" else LINES[::4]
    batch = parse_capture(b"\n".join(some), CONFIGS[name], KEY)
    rows, broken = [], []
    for number, line in enumerate(some, start=1):
        try:
            rows += [[*row[:3], 2, *row[3:]] for row in record_rows(line, CONFIGS[name])]
        except UnreadableRecordError as error:
            broken.append((number, error.reason))
    assert [list(row.values()) for row in batch.table.to_pylist()] == rows
    assert [(each.line, each.reason) for each in batch.quarantined] == broken


@pytest.mark.parametrize(
    "answer", ["0.5", "[0.5]", '{"predictions": [[0.5]]}', '{"score": 0.5}', ANSWER, '{"label": "0", "score": 0.9}']
)
@pytest.mark.parametrize("request_text", [REQUEST, filled(REQUESTS[0], a="null"), filled(REQUESTS[1])])
def test_what_most_callers_send_is_read_at_once(request_text, answer):
    read, _ = block_rows([line_of(request_text, answer)], CONFIGS["a score"])
    assert len(read) == 1
