"""The history that two deployed models write, a binary one and a regression: it is what their reports say, and every query reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from demo.replay import Replay
from tests.end_to_end.hotel import DAY, Hotel
from tests.end_to_end.other_problems import watch
from tests.history_files import Warehouse, check_against_reports, moment

pytestmark = pytest.mark.slow

LEARNT_FROM, FROM, END = (datetime(*day, tzinfo=UTC) for day in ((2015, 11, 1), (2016, 3, 4), (2016, 3, 15)))


@pytest.fixture(scope="module", params=["hotel-cancellations", "hotel-prices"])
def hotel(request: pytest.FixtureRequest, frame: Any, opened: Any, tmp_path_factory: Any) -> Iterator[Hotel]:
    """Eleven days of one model's guests, one account after the other."""
    if request.param == "hotel-prices":
        directory = tmp_path_factory.mktemp("prices")
        with watch(request.param, frame, "adr", directory, since=LEARNT_FROM, until=FROM, end=END) as watched:
            yield watched.hotel
        return
    with opened(since=LEARNT_FROM, until=FROM) as hotel:
        replay = Replay(hotel.account, endpoint=hotel.endpoint, model=hotel.model, bucket=hotel.bucket)
        replay.run(hotel.bookings(FROM, END), END, lambda _day: None)
        assert replay.failures == 0
        yield hotel


def warehouse(hotel: Hotel) -> tuple[Warehouse, dict[str, bytes]]:
    objects = hotel.objects("")
    return Warehouse(objects, [hotel.config], today=hotel.now), objects


def test_every_row_is_what_the_reports_say(hotel: Hotel) -> None:
    assert check_against_reports(*warehouse(hotel)) >= 2


def test_every_entry_of_the_timeline_is_a_row(hotel: Hotel) -> None:
    found, objects = warehouse(hotel)
    entries = {key: json.loads(body) for key, body in objects.items() if key.startswith("audit/")}
    rows = found.ask("SELECT * FROM decisions")
    assert {f"audit/{row['model']}/{row['entry']}": (row["time"], row["kind"]) for row in rows} == {
        key: (moment(entry["time"]), entry["kind"]) for key, entry in entries.items()
    }


def test_predictions_are_all_answered_rows_with_their_labels(hotel: Hotel) -> None:
    found, _ = warehouse(hotel)
    (told,) = found.ask(
        "SELECT count(*) AS answers, count(DISTINCT row_id) AS ids, count(label) AS labelled FROM predictions"
    )
    assert told["answers"] == told["ids"] > 1000
    assert 0 < told["labelled"] <= told["answers"]
    assert {row["package"] for row in found.ask("SELECT DISTINCT package FROM predictions")} == {"1"}


def test_every_query_answers(hotel: Hotel) -> None:
    found, _ = warehouse(hotel)
    answered = {name for name, rows in found.answers().items() if rows}
    # Where no window has enough ripe labels yet, nothing was measured, and these two have nothing to say.
    of_labels = {"kedge-quality-over-time", "kedge-estimates-against-labels"}
    if not found.ask("SELECT 1 FROM metrics WHERE kind = 'measured'"):
        answered |= of_labels
    assert (
        of_labels
        | {
            "kedge-models-by-urgency",
            "kedge-columns-that-drift",
            "kedge-releases",
            "kedge-answers-by-day",
        }
        <= answered
    )


def test_the_nights_left_one_object_for_each_month_and_lost_nothing(hotel: Hotel) -> None:
    found, objects = warehouse(hotel)
    windows = "SELECT * FROM windows ORDER BY window_start, window_end, model, revision"
    before = found.ask(windows)
    hotel.wait(3 * DAY)
    again, later = warehouse(hotel)
    march = [key for key in later if key.startswith("history/windows/month=2016-03/")]
    assert len(march) < len([row for row in before if row["window_end"].month == 3]) + 2
    assert [row for row in again.ask(windows) if row in before] == before
    assert check_against_reports(again, later) >= check_against_reports(found, objects)
