"""What is counted is known by two hashes an object: equal keys with another content are told from new ones."""

import tracemalloc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kedge.profile.counted_objects import (
    CountedObjects,
    KnownObjects,
    decode_objects,
    encode_objects,
    hash_objects,
)

etags = st.dictionaries(st.text("abc/", max_size=3), st.sampled_from("123"))


@given(counted=etags, listed=etags)
def test_new_and_changed_and_vanished_objects_are_told_apart(counted, listed):
    known = KnownObjects([hash_objects([item]) for item in counted.items()])
    is_there, is_same = known.look_up(listed)
    assert is_there.tolist() == [key in counted for key in listed]
    assert is_same.tolist() == [counted.get(key) == etag for key, etag in listed.items()]
    assert known.are_all_seen == (counted.keys() <= listed.keys())


@given(etags)
def test_the_same_objects_are_equal_and_the_same_bytes_in_any_order(counted):
    apart = CountedObjects()
    for key in sorted(counted, reverse=True):
        apart = apart.plus(CountedObjects.of({key: counted[key]}))
    assert apart == CountedObjects.of(counted)
    assert encode_objects(apart.held) == encode_objects(CountedObjects.of(counted).held)
    assert decode_objects(encode_objects(apart.held)).shape == (len(counted), 2)


def test_contents_that_changed_places_are_other_objects():
    assert CountedObjects.of({"a": "1", "b": "2"}) != CountedObjects.of({"a": "2", "b": "1"})


def test_hashes_that_are_in_a_file_are_held_no_more_and_still_the_same_objects():
    counted = CountedObjects.of({"a": "1"})
    moved = counted.moved_to("a-file")
    assert (moved, moved.held.shape, moved.files) == (counted, (0, 2), ("a-file",))
    both = moved.plus(CountedObjects.of({"b": "2"}))
    assert both == CountedObjects.of({"a": "1", "b": "2"})
    assert (both.files, both.held.tolist()) == (("a-file",), hash_objects([("b", "2")]).tolist())


def test_hashes_are_the_same_on_every_machine():
    assert hash_objects([("a", "1")]).dtype == np.uint64
    assert [f"{int(each):016x}" for each in hash_objects([("a", "1")])[0]] == ["2f42665b399ef840", "c933503c2f4f092a"]


def test_a_known_object_takes_seventeen_bytes_and_thirty_three_while_they_are_put_in_order():
    count = 200_000
    hashes = np.random.default_rng(1).integers(2**64, size=(count, 2), dtype=np.uint64)
    tracemalloc.start()
    try:
        known = KnownObjects(iter([hashes]))
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not known.are_all_seen
    assert held < 17.1 * count
    assert peak < 33.1 * count
