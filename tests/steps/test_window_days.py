"""A window whose hours are added one at a time is the same as that of all hours side by side."""

from datetime import UTC, date, datetime, timedelta

import pytest

from kedge.profile.counted_objects import CountedObjects
from kedge.profile.counting import count_rows
from kedge.profile.day import DayProfile, WindowDigest, decode_day, encode_day
from kedge.profile.design_effect import design_effects
from lambdas.steps.requests import Window
from lambdas.steps.window_days import summed
from tests.builders import make_baseline, make_config, make_window

BASELINE = make_baseline(make_config())
DAYS = [date(2026, 2, 27) + timedelta(days=n) for n in range(4)]
WINDOW = Window(start=datetime(2026, 2, 27, 5, tzinfo=UTC), end=datetime(2026, 3, 2, 12, tzinfo=UTC))


@pytest.fixture(scope="module")
def days():
    return {
        day: DayProfile(
            {hour: hour_of(day, hour) for hour in range(0, 24, 3)},
            CountedObjects.of({f"capture/{day}": "1"}),
            duplicates=2,
            requests={0: 7},
            left_out={0: 4, 1: 9},
        ).folded(
            DayProfile({3: hour_of(day, 99)}, CountedObjects.of({f"capture/{day}/b": "2"}), quarantined=1).of_variant(
                "b"
            )
        )
        for day in DAYS
    }


def hour_of(day, seed):
    return count_rows(BASELINE, make_window(rows=40 + seed, seed=day.day * 100 + seed, shift=2.0 * (day.day % 2)))


def test_hours_added_one_at_a_time_are_the_window(days):
    hours = [
        days[day].hours[hour]
        for day in DAYS
        for hour in sorted(days[day].hours)
        if WINDOW.start <= datetime(day.year, day.month, day.day, hour, tzinfo=UTC) < WINDOW.end
    ]
    found = summed(BASELINE, ((day, decode_day(encode_day(days[day]))) for day in DAYS), WINDOW, ["b"])
    assert found.total == sum(hours, start=BASELINE.empty())
    assert found.blocks.design_effects() == design_effects(BASELINE, hours)
    assert len(hours) > 8
    assert max(found.blocks.design_effects().values()) > 1
    assert found.rows == {day: {hour: p.rows for hour, p in days[day].hours.items()} for day in DAYS}
    assert found.rows_read == {day: {**hours, 0: hours[0] + 4, 1: 9} for day, hours in found.rows.items()}
    assert (found.quarantined, found.duplicates) == (4, 8)
    digest = WindowDigest()
    for day in DAYS:
        digest.add(day, CountedObjects.of({f"capture/{day}/b": "2", f"capture/{day}": "1"}))
    assert found.digest.name == digest.name
    # Of 27 February the hour of three lies before the window.
    assert found.variants["b"].total == sum((hour_of(day, 99) for day in DAYS[1:]), start=BASELINE.empty())


def test_a_packed_day_grows_as_one_that_is_held_does(days):
    held, more = days[DAYS[0]], days[DAYS[1]].folded(DayProfile({1: hour_of(DAYS[2], 5)}))
    packed = decode_day(encode_day(held))
    assert encode_day(packed.folded(more).folded(more)) == encode_day(held.folded(more).folded(more))
    assert packed.folded(more).rows == held.folded(more).rows
