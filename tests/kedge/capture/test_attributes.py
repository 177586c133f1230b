"""Custom attributes of captured requests, in each of the ways in which callers write them."""

import pytest

from kedge.capture.attributes import attributes_by_request, parse_attributes, values_of_rows
from tests.builders import capture_record, json_lines

REQUESTS = {"e1", "e", "booking-7"}


@pytest.mark.parametrize(
    "said", [["sex=f,age=30"], "sex=f, age=30", ['{"sex": "f", "age": 30}'], ["sex=f", "age=30"], "sex=f;age=30"]
)
def test_pairs_and_json_are_read_alike(said):
    assert parse_attributes(said) == {"sex": "f", "age": "30"}


def test_what_is_not_asked_for_does_not_leave_the_record():
    content = json_lines(capture_record("1", "0.5", customAttributes=["sex=f,token=s3cret"]))
    assert attributes_by_request([content], ["sex"], REQUESTS) == {"e1": ("f",)}


def test_what_requests_of_other_rows_said_is_not_kept():
    content = json_lines(capture_record("1", "0.5", customAttributes=["sex=f"]))
    assert attributes_by_request([content], ["sex"], {"e2"}) == {}


def test_the_callers_inference_id_names_the_request():
    content = json_lines(capture_record("1", "0.5", inferenceId="booking-7", customAttributes=["sex=f"]))
    assert attributes_by_request([content], ["sex"], REQUESTS) == {"booking-7": ("f",)}


@pytest.mark.parametrize("line", [
    b'{"eventMetadata": {"customAttributes": ["sex=f"]}}', b'{"customAttributes": 3', b'["customAttributes"]',
    b'{"eventMetadata": {"eventId": "e", "customAttributes": ["{broken"]}}', b'\xff"customAttributes"',
])  # fmt: skip
def test_a_line_that_cannot_be_read_says_nothing(line):
    assert attributes_by_request([line], ["sex"], REQUESTS) == {}


def test_all_rows_of_a_request_have_its_attributes_and_others_none():
    requests = {"a": ("f",), "b/1": ("m",)}
    assert values_of_rows(["a/0", "a/1", "b/1", "c"], requests, ["sex"])["sex"].to_pylist() == ["f", "f", "m", None]
