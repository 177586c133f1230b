"""A log's records are counted in the hours of their own time, once, whenever and in whatever object they arrive."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest

from lambdas.adapters.bucket import days
from lambdas.steps.counting.counting_place import CountingPlace
from lambdas.steps.counting.day_folding import fold_day, uncounted
from tests.builders import make_baseline
from tests.handlers.aws_world import BUCKET, aws_world
from tests.logs import as_gzip, as_json_lines, as_parquet, log_config, log_record

CONFIG = log_config()
TIME = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
DAY = TIME.date()


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        yield world


def write(world, arrived, records, form=as_json_lines, name="a"):
    world.s3.put_object(Bucket=BUCKET, Key=f"logs/parcels/{arrived:%Y/%m/%d/%H}/{name}", Body=form(records))


def fold(world, day: date = DAY):
    place = CountingPlace(BUCKET, CONFIG, "1", make_baseline(CONFIG), day)
    fold_day(place)
    found, _ = days.load_day(world.s3, BUCKET, place.key)
    return found


def counted(found):
    return {hour: profile.rows for hour, profile in found.hours.items()}


def test_records_are_counted_by_their_time_wherever_they_arrived(world):
    write(world, TIME, [log_record("a", TIME)])
    write(
        world, TIME + timedelta(hours=20), [log_record("b", TIME), log_record("c", TIME + timedelta(hours=20))], as_gzip
    )
    write(world, TIME + timedelta(days=2), [log_record("d", TIME - timedelta(hours=2))], as_parquet)
    assert counted(fold(world)) == {9: 2, 7: 1}
    assert counted(fold(world, DAY + timedelta(days=1))) == {5: 1}
    assert counted(fold(world, DAY + timedelta(days=2))) == {}


def test_a_doubled_record_is_counted_once_also_where_it_arrives_days_later(world):
    write(world, TIME, [log_record("a", TIME), log_record("a", TIME)])
    fold(world)
    write(world, TIME + timedelta(days=1), [log_record("a", TIME), log_record("b", TIME)])
    found = fold(world)
    assert (counted(found), found.duplicates) == ({9: 2}, 2)
    assert uncounted(CountingPlace(BUCKET, CONFIG, "1", make_baseline(CONFIG), DAY)) == 0


def test_what_cannot_be_read_or_came_too_late_is_kept_aside_once_on_the_day_of_its_arrival(world):
    late = log_record("late", TIME - timedelta(days=3))
    write(world, TIME, [log_record("a", TIME), log_record("", TIME), late])
    asides = {day: fold(world, day).quarantined for day in (DAY - timedelta(days=d) for d in range(-1, 3))}
    assert asides == {DAY + timedelta(days=1): 0, DAY: 2, DAY - timedelta(days=1): 0, DAY - timedelta(days=2): 0}
    (key,) = world.keys("quarantine/")
    kept = world.read(key).decode()
    assert "it arrived 3 days after its time" in kept
    assert "id is neither" in kept


def test_a_broken_object_keeps_no_other_from_being_counted(world):
    write(
        world, TIME, [log_record(str(n), TIME, noise="x" * n) for n in range(200)], lambda r: as_parquet(r)[:-300], "a"
    )
    write(world, TIME, [log_record("b", TIME)], name="b")
    found = fold(world)
    assert (counted(found), found.quarantined) == ({9: 1}, 1)


class KilledError(BaseException):
    """The function's time is over, whatever it does."""


@pytest.mark.parametrize("knows_its_time", [True, False])
def test_a_run_of_many_slow_objects_is_saved_each_minute_and_further_runs_count_the_rest(world, knows_its_time):
    for number in range(400):
        write(world, TIME, [log_record(str(number), TIME)], name=f"{number:03}")
    place = CountingPlace(BUCKET, CONFIG, "1", make_baseline(CONFIG), DAY)
    reads, ends, saved = [], [], []

    def clock():
        return 2.0 * len(reads)

    def take_two_seconds(params, **_):
        if "/logs/parcels/" in params["url"]:
            reads.append(params["url"])
            if clock() > ends[-1]:
                raise KilledError

    world.s3.meta.events.register("before-call.s3.GetObject", take_two_seconds)
    whole = False
    while not whole and len(ends) < 5:
        ends.append(clock() + 600)
        with suppress(KilledError):
            whole = fold_day(place, lambda _: not knows_its_time or clock() < ends[-1] - 120, clock).is_whole
        found, _ = days.load_day(world.s3, BUCKET, place.key)
        saved.append(sum(counted(found).values()))
    assert (len(saved), counted(found), found.duplicates) == (2, {9: 400}, 0)
    assert saved[0] >= 240
    assert (len(reads) == 400) == knows_its_time


def test_records_of_the_minutes_around_midnight_are_counted_in_their_own_day(world):
    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    around = [
        log_record("before", midnight - timedelta(minutes=1)),
        log_record("after", midnight + timedelta(minutes=1)),
    ]
    write(world, midnight - timedelta(minutes=10), around)
    assert counted(fold(world, DAY)) == {23: 1}
    assert counted(fold(world, DAY + timedelta(days=1))) == {0: 1}
