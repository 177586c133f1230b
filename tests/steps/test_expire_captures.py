"""An object of a log holds records of several days: it goes with the last one, if all of them have counted it."""

from datetime import date, timedelta

import pytest

from lambdas.adapters.bucket import days
from lambdas.steps.counting.counting_place import CountingPlace
from lambdas.steps.counting.day_folding import fold_day
from lambdas.steps.expire_captures import ExpiryPlace, expire_captures
from tests.builders import make_baseline
from tests.handlers.aws_world import BUCKET, TABLE, aws_world
from tests.logs import log_config, log_record
from tests.steps.test_folded_logs import TIME, write

CONFIG = log_config("capture: {expire_days: 40}\n")
DAY = TIME.date()
NIGHT = DAY + timedelta(days=1)


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        write(world, TIME, [log_record("a", TIME)])
        write(world, TIME.replace(hour=23), [log_record("b", TIME.replace(hour=23))])
        yield world


def place_of(day: date):
    baseline = make_baseline(CONFIG)
    return CountingPlace(BUCKET, CONFIG, baseline.baseline, baseline, day)


def count(*, but=()):
    for n in (-2, -1, 0, 1):
        if n not in but:
            fold_day(place_of(DAY + timedelta(days=n)))


def expire(world, last):
    place = ExpiryPlace(world.s3, world.dynamodb, BUCKET, TABLE, CONFIG)
    return expire_captures(place, last, lambda: True).deleted


def test_it_goes_with_the_last_day_that_counts_it(world):
    count()
    assert expire(world, DAY - timedelta(days=1)) == 0
    # The object of the last hour is looked at with the next day too.
    assert expire(world, DAY) == 1
    assert expire(world, NIGHT) == 1
    assert world.keys("logs/") == []


@pytest.mark.parametrize("missed", [-2, -1])
def test_it_stays_where_a_day_did_not_count_it(world, missed):
    count(but=[missed])
    assert expire(world, NIGHT + timedelta(days=9)) == 0
    assert len(world.keys("logs/")) == 2


def test_each_of_its_days_knows_before_it_goes(world):
    count()
    expire(world, DAY)
    known = {
        n: days.load_day(world.s3, BUCKET, place_of(DAY + timedelta(days=n)).key)[0].expired for n in (-2, -1, 0, 1)
    }
    assert known == {-2: True, -1: True, 0: True, 1: False}
