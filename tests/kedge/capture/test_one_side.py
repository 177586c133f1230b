"""Records of an endpoint that captures only its requests, or only its answers."""

import pytest
from pydantic import ValidationError

from kedge.capture.check import check_captures
from kedge.capture.records import parse_capture_files
from kedge.columns.casting import columns_of
from kedge.config.model import ModelConfig
from kedge.config.sections import Capture, Endpoint, Feature
from kedge.package_schema import decode_schema, encode_schema, released_with
from tests.builders import capture_record, json_lines

FEATURES = (Feature(name="age", kind="numeric"), Feature(name="plan", kind="categorical"))
KEY = "captures/e/AllTraffic/2026/03/02/10/f.jsonl"


def config(side, **other):
    fields = {"model": "m", "mode": "watch", "endpoint": Endpoint(name="e")} | other
    features = () if side == "Output" else FEATURES
    return ModelConfig(**{"features": features, "capture": Capture(uri="s3://bucket/captures", mode=side)} | fields)


def captured(mode, payload="41,gold", answer="0.2"):
    record = capture_record(payload, answer)
    del record["captureData"]["endpointOutput" if mode == "Input" else "endpointInput"]
    return record


def rows(mode, record, **other):
    batch = parse_capture_files([(KEY, json_lines(record))], config(mode, **other))
    assert [each.reason for each in batch.quarantined] == []
    return batch.table


def test_a_request_without_its_answer_is_rows_without_answers():
    table = rows("Input", captured("Input", "41,gold\n22,basic"))
    assert table.column("age").to_pylist() == ["41", "22"]
    assert table.column("prediction").null_count == 2


def test_a_header_line_is_known_without_answers_to_count():
    table = rows("Input", captured("Input", "age_in_years,tariff\n22,basic"))
    assert table.column("plan").to_pylist() == ["basic"]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("0.2", ["0.2"]),
        ("0.2\n0.7", ["0.2", "0.7"]),
        ("0.2,0.7", ["0.2", "0.7"]),
        ("0.3,0.7", ["0.7"]),
        ("[0, 1]", ["0", "1"]),
        ("[0.2, 0.5]", ["0.2", "0.5"]),
        ("[0.3, 0.7]", ["0.7"]),
        ("[[0.3, 0.7], [0.9, 0.1]]", ["0.7", "0.1"]),
        ('{"predictions": [{"score": 0.2}, {"score": 0.7}]}', ["0.2", "0.7"]),
        ('{"predictions": [0.2, 0.7, 0.4]}', ["0.2", "0.7", "0.4"]),
        ('{"predicted_label": [0, 1], "probabilities": [[0.9, 0.1], [0.2, 0.8]]}', ["0.1", "0.8"]),
        ('{"outputs": [{"name": "score", "data": [0.2, 0.7]}]}', ["0.2", "0.7"]),
        ('{"predicted_label": 1, "probabilities": [0.2, 0.8]}', ["0.8"]),
        ('{"score": 0.2}\n{"score": 0.7}', ["0.2", "0.7"]),
        ('[{"label": "0", "score": 0.3}, {"label": "1", "score": 0.7}]', ["0.7"]),
    ],
)
def test_answers_without_their_request_are_a_row_each(answer, found):
    assert rows("Output", captured("Output", answer=answer)).column("prediction").to_pylist() == found


def test_a_path_says_where_the_answers_stand():
    described = Endpoint(name="e", probability_attribute="out[*].p")
    table = rows("Output", captured("Output", answer='{"out": [{"p": 0.2}, {"p": 0.7}]}'), endpoint=described)
    assert table.column("prediction").to_pylist() == ["0.2", "0.7"]


def test_many_records_of_one_side_are_read_like_few():
    batch = parse_capture_files([(KEY, json_lines(*[captured("Output")] * 300))], config("Output"))
    assert (batch.table.num_rows, batch.quarantined) == (300, ())


@pytest.mark.parametrize("mode", ["Input", "Output"])
def test_only_what_is_captured_is_watched(mode):
    roles = {column.role for column in columns_of(config(mode))}
    assert roles == {"feature" if mode == "Input" else "prediction"}


@pytest.mark.parametrize("mode", ["Input", "Output"])
def test_captures_of_the_side_that_is_expected_are_readable(mode):
    assert check_captures([json_lines(captured(mode))], config(mode)).unread == 0


def test_the_other_side_is_named_with_a_remedy_where_the_yaml_expects_both():
    found = check_captures([json_lines(captured("Input"))], config("InputAndOutput"))
    assert (found.fault, found.readable) == ("no answer", False)
    assert "capture.mode" in found.remedy


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"mode": "manage"}, "kedge adopt e --enable-capture --apply"),
        ({"features": FEATURES}, "write features: []"),
        ({"source": "log", "endpoint": Endpoint()}, "it is for endpoints"),
    ],
)
def test_what_one_side_cannot_do_is_refused_with_the_remedy(given, said):
    with pytest.raises(ValidationError, match=said.replace("[", r"\[")):
        config("Output", **given)


def test_no_feature_is_refused_where_requests_are_captured():
    with pytest.raises(ValidationError, match="features is empty"):
        config("Input", features=())


def test_a_package_that_was_captured_by_one_side_is_read_so_after_the_model_was_handed_over():
    kept = decode_schema(encode_schema(config("Output")))
    now = config("InputAndOutput", mode="manage")
    found = released_with(now, kept)
    assert (found.capture.mode, found.features, found.mode) == ("Output", (), "watch")
    assert released_with(now, decode_schema(encode_schema(now))) == now
