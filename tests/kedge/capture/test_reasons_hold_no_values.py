"""Why a record cannot be read is logged, mailed and kept: it never quotes what the record holds."""

import json

import pytest

from kedge.capture.records import parse_capture
from tests.builders import capture_record, make_config

CONFIG = make_config()
KEY = "capture/parcels/1/parcels/AllTraffic/2016/01/04/02/a.jsonl"
SECRETS = ("Hildegard", "98765.4321", "0.123454321", "4711-0815")
IN_CSV = capture_record("98765.4321,2,Hildegard", "0.123454321", eventId="4711-0815")
IN_JSON = capture_record("98765.4321,2,Hildegard", "0.123454321", eventId="4711-0815")
IN_JSON["captureData"]["endpointInput"] |= {
    "data": json.dumps({"instances": [["98765.4321", 2, "Hildegard"]]}),
    "encoding": "JSON",
    "observedContentType": "application/json",
}
PUT_IN = (b'"', b"\\", b"\\u", b"\\ud800", b"{", b"[", b",", b"\x00", b"\xff", b"\n", b"9" * 5000)


def damaged(line: bytes) -> list[bytes]:
    """The line cut short at each place, and with something put in at each place."""
    places = range(len(line))
    return [line[:at] for at in places] + [line[:at] + more + line[at:] for at in places for more in PUT_IN]


@pytest.mark.parametrize("record", [IN_CSV, IN_JSON], ids=["CSV", "JSON"])
def test_the_reason_of_a_damaged_record_quotes_none_of_its_values(record):
    reasons = set()
    for line in damaged(json.dumps(record).encode()):
        reasons |= {broken.reason for broken in parse_capture(line, CONFIG, KEY).quarantined}
    assert len(reasons) > 20
    assert [reason for reason in reasons if any(secret in reason for secret in SECRETS)] == []
    assert [reason for reason in reasons if "Traceback" in reason or len(reason) > 300] == []
