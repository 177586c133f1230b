"""What a container answers is read by its content; where it cannot be read, a mail says so within the hour."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from demo.bookings import REPLAY_FROM
from tests.end_to_end.hotel import DAY, HOUR, MINUTE, Hotel
from tests.end_to_end.test_release_faults import Released

pytestmark = pytest.mark.slow

# The commonest mistake there is: no content type. Whoever accepts plain text gets the server's own page.
BARE = """

typed_output_fn = output_fn


def output_fn(prediction, accept):
    return "<html>no answer today</html>" if accept == "text/plain" else typed_output_fn(prediction, accept)[0]
"""


def test_bare_text_is_released_and_counted_and_a_page_is_told_within_the_hour(hotel: Hotel) -> None:
    bookings = hotel.bookings(REPLAY_FROM, REPLAY_FROM + 7 * DAY)
    released = Released(hotel, hotel.register(str(hotel.item("champion")["package_arn"]), BARE), bookings)
    (told,) = released.entries()
    assert told["kind"] == "canary_promoted", told["detail"]["reasons"]
    version = released.version
    records = [
        json.loads(line)["captureData"]["endpointOutput"]
        for body in hotel.objects(f"capture/{hotel.model}/{version}/").values()
        for line in body.splitlines()
    ]
    assert Counter((r["observedContentType"], r["encoding"]) for r in records).keys() == {
        ("text/html; charset=utf-8", "BASE64")
    }
    answered = hotel.now
    hotel.wait(DAY)
    counted = hotel.day(answered, version)
    assert sum(counted["rows_by_hour"].values()) >= 100
    assert counted["quarantined"] == 0
    assert hotel.mails_saying("cannot be read") == []

    for booking in bookings[:30]:
        hotel.runtime.invoke_endpoint(
            EndpointName=hotel.endpoint, ContentType="text/csv", Accept="text/plain", Body=booking.payload
        )
        hotel.wait(MINUTE)
    hotel.wait(HOUR)
    (mail,) = hotel.mails_saying(f"the captures of package version {version} cannot be read")
    for words in ("text/html", "BASE64", "a page of HTML", "return (body, accept)"):
        assert words in mail.body
    assert "today" not in mail.body
