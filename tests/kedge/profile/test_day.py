import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kedge.profile.counting import count_rows, count_rows_by_hour
from kedge.profile.day import DayProfile, decode_day, encode_day, manifest_digest, plan_fold
from tests.builders import make_baseline, make_config, make_window

BASELINE = make_baseline(make_config())
listings = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("123"))


def day_of(name, *, seed, rows=40):
    table = make_window(rows=rows, seed=seed)
    hours = np.random.default_rng(seed).integers(0, 24, rows)
    return DayProfile(count_rows_by_hour(BASELINE, table, hours), {name: f"etag-{seed}"}, (f"part-{name}",), 1, 2)


def test_a_day_comes_back_as_it_was_and_as_the_same_bytes():
    day = day_of("a", seed=1).folded(day_of("b", seed=2))
    assert decode_day(encode_day(day)) == day
    assert encode_day(decode_day(encode_day(day))) == encode_day(day)


def test_folding_adds_rows_manifest_parts_and_what_was_set_aside():
    day = day_of("a", seed=1).folded(day_of("b", seed=2))
    assert day.total(BASELINE).rows == 80
    assert day.manifest == {"a": "etag-1", "b": "etag-2"}
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


@given(manifest=listings, listing=listings)
def test_a_plan_names_what_is_missing_or_the_whole_day_where_counts_cannot_be_taken_back(manifest, listing):
    plan = plan_fold(manifest, listing)
    assert plan.rebuild == any(listing.get(key) != etag for key, etag in manifest.items())
    folded = {} if plan.rebuild else dict(manifest)
    folded |= {key: listing[key] for key in plan.keys}
    assert folded == listing
    assert plan.is_empty == (manifest == listing)


def test_a_vanished_last_object_empties_the_day():
    plan = plan_fold({"a": "1"}, {})
    assert plan.rebuild
    assert plan.keys == ()
    assert not plan.is_empty


def test_the_digest_names_what_was_counted_whatever_the_order():
    one = {"2016-01-04": {"a": "1", "b": "2"}, "2016-01-05": {"c": "3"}}
    other = {"2016-01-05": {"c": "3"}, "2016-01-04": {"b": "2", "a": "1"}}
    assert manifest_digest(one) == manifest_digest(other)
    assert manifest_digest(one) != manifest_digest({**one, "2016-01-05": {"c": "4"}})


def test_requests_add_hour_by_hour_and_survive_the_encoding():
    day = DayProfile(requests={2: 5, 3: 1}).folded(DayProfile(requests={3: 4, 23: 1}))
    assert decode_day(encode_day(day)).requests == day.requests == {2: 5, 3: 5, 23: 1}
