import itertools
from datetime import date

import numpy as np

from kedge.profile.counted_objects import CountedObjects
from kedge.profile.counting import count_rows, count_rows_by_hour
from kedge.profile.day import DayProfile, WindowDigest, decode_day, decode_origin, encode_day
from tests.builders import make_baseline, make_config, make_window

BASELINE = make_baseline(make_config())


def day_of(name, *, seed, rows=40):
    table = make_window(rows=rows, seed=seed)
    hours = np.random.default_rng(seed).integers(0, 24, rows)
    counted = CountedObjects.of({f"x/2016/01/04/05/{name}": f"etag-{seed}"})
    return DayProfile(
        count_rows_by_hour(BASELINE, table, hours), counted, (f"part-{name}",), 1, 2, folders=("x/2016/01/04/",)
    )


def test_a_day_comes_back_as_it_was_and_as_the_same_bytes():
    day = day_of("a", seed=1).folded(day_of("b", seed=2))
    assert decode_day(encode_day(day)) == day
    assert encode_day(decode_day(encode_day(day))) == encode_day(day)


def test_a_day_without_its_hours_still_says_all_that_was_counted():
    day = day_of("a", seed=1).folded(day_of("b", seed=2))
    origin = decode_origin(encode_day(day))
    assert (origin.hours, origin.counted, origin.parts, origin.folders) == ({}, day.counted, day.parts, day.folders)
    assert sorted(origin.counted.held.tolist()) == sorted(day.counted.held.tolist())


def test_folding_adds_rows_objects_parts_and_what_was_set_aside():
    day = day_of("a", seed=1).folded(day_of("b", seed=2))
    assert day.total(BASELINE).rows == 80
    assert day.counted == CountedObjects.of({"x/2016/01/04/05/b": "etag-2", "x/2016/01/04/05/a": "etag-1"})
    assert day.folders == ("x/2016/01/04/",)
    assert (day.parts, day.quarantined, day.duplicates) == (("part-a", "part-b"), 2, 4)


def test_rows_that_are_left_out_are_remembered_and_a_day_without_them_is_written_as_ever():
    day = day_of("a", seed=1)
    sampled = day.folded(DayProfile(left_out={3: 5})).folded(DayProfile(left_out={3: 1, 23: 2}))
    assert decode_day(encode_day(sampled)) == sampled
    assert sampled.left_out == {3: 6, 23: 2}
    assert sum(sampled.rows_read.values()) == 48
    assert b"left_out" not in encode_day(day)


def test_objects_folded_in_any_order_give_the_same_hours():
    days = [day_of(name, seed=seed) for seed, name in enumerate("abc")]
    totals = []
    for order in itertools.permutations(days):
        folded = DayProfile()
        for day in order:
            folded = folded.folded(day)
        totals.append(folded.hours)
    assert all(hours == totals[0] for hours in totals)


def test_the_total_is_the_count_of_all_rows():
    day = day_of("a", seed=5)
    assert day.total(BASELINE) == count_rows(BASELINE, make_window(rows=40, seed=5))


def digest_of(*days):
    digest = WindowDigest()
    for day, etags in days:
        digest.add(day, CountedObjects.of(etags))
    return digest.name


def test_the_digest_names_what_was_counted_whatever_the_order():
    days = [date(2016, 1, 4), date(2016, 1, 5)]
    one = digest_of((days[0], {"a": "1", "b": "2"}), (days[1], {"c": "3"}))
    assert one == digest_of((days[0], {"b": "2", "a": "1"}), (days[1], {"c": "3"}))
    assert len(one) == 16
    others = [
        digest_of((days[0], {"a": "1", "b": "2"}), (days[1], {"c": "4"})),
        digest_of((days[0], {"a": "2", "b": "1"}), (days[1], {"c": "3"})),
        digest_of((days[0], {"a": "1", "b": "2"})),
        digest_of((days[0], {"a": "1"}), (days[1], {"b": "2", "c": "3"})),
    ]
    assert len({one, *others}) == 5


def test_requests_add_hour_by_hour_and_survive_the_encoding():
    day = DayProfile(requests={2: 5, 3: 1}).folded(DayProfile(requests={3: 4, 23: 1}))
    assert decode_day(encode_day(day)).requests == day.requests == {2: 5, 3: 5, 23: 1}
