"""What a captured record, or a row of the holdout, is sent as."""

import base64
import json

import pyarrow as pa
import pytest

from kedge.retraining.rows import scoring_payload
from kedge.staging.requests import ReplayRequest, captured_request, holdout_requests
from tests.builders import make_config, make_window


def line(**given):
    sent = {"data": "1,a", "encoding": "CSV", "observedContentType": "text/csv"} | given
    metadata = {"inferenceTime": "2026-03-02T14:03:59Z", "customAttributes": ["tenant=7"]}
    return json.dumps({"captureData": {"endpointInput": sent}, "eventMetadata": metadata}).encode()


def test_a_request_is_sent_as_it_came_with_its_type_and_its_attributes():
    found = captured_request(line(), content_type="application/json")
    assert found == ReplayRequest(b"1,a", "text/csv", "tenant=7", 1772460180 // 60)


def test_what_was_captured_in_base64_is_sent_as_its_bytes():
    body = bytes(range(256))
    found = captured_request(
        line(data=base64.b64encode(body).decode(), encoding="BASE64", observedContentType="x/y"), content_type=""
    )
    assert (found.body, found.content_type) == (body, "x/y")


def test_a_request_without_a_type_has_the_models():
    assert captured_request(line(observedContentType=None), content_type="text/csv").content_type == "text/csv"


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"captureData": {}}',
        b'{"captureData": {"endpointInput": "x"}}',
        line(data="no base64!", encoding="BASE64"),
        b"[" * 100_000,
    ],
)
def test_a_line_that_is_no_request_is_none(broken):
    assert captured_request(broken, content_type="text/csv") is None


@pytest.mark.parametrize("kind", ["text/csv", "application/json"])
def test_the_rows_that_a_transform_job_scored_are_sent_without_their_ids(kind):
    config = make_config()
    config = config.model_copy(update={"endpoint": config.endpoint.model_copy(update={"content_type": kind})})
    rows = make_window(rows=3).append_column("kedge_row_id", pa.array(["a", "b,c", '"d']))
    found = holdout_requests(b"".join(scoring_payload(rows, config)), config)
    assert [*found] == rows.column("kedge_row_id").to_pylist()
    assert {request.content_type for request in found.values()} == {kind}
    first = next(iter(found.values())).body.decode()
    assert "kedge" not in first
    assert "\n" not in first
