"""Ids found among others, whatever their lengths and however alike they are."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.labels import join as id_places
from kedge.labels.join import all_different, last_answers, places_of

OF_ONE_LENGTH = st.lists(st.text("ab", min_size=9, max_size=9), max_size=30)
OF_ANY_LENGTH = st.lists(st.text("abé", max_size=12), max_size=30)


@given(OF_ONE_LENGTH | OF_ANY_LENGTH)
def test_ids_are_all_different_where_a_set_of_them_is_as_large(ids):
    assert all_different(pa.array(ids, pa.string())) == (len(set(ids)) == len(ids))


@given(OF_ONE_LENGTH | OF_ANY_LENGTH, OF_ONE_LENGTH | OF_ANY_LENGTH)
def test_places_are_those_that_a_dictionary_gives(ids, known):
    known = list(dict.fromkeys(known))
    expected = [known.index(each) if each in known else -1 for each in ids]
    chunked = pa.chunked_array([pa.array(ids[:3], pa.string()), pa.array(ids[3:], pa.string())])
    assert places_of(chunked, pa.array(known, pa.string())).tolist() == expected


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_ids_whose_sums_are_alike_are_still_told_apart(monkeypatch, lost):
    # As unlucky as can be: every sum is one of `lost + 1`.
    monkeypatch.setattr(id_places, "_sums", lambda words: words[0] % np.uint64(lost + 1))
    ids = [f"{n:036d}" for n in range(50)]
    assert places_of(pa.array(ids), pa.array(ids[::-2])).tolist() == [(49 - n) // 2 if n % 2 else -1 for n in range(50)]
    assert all_different(pa.array(ids))
    assert not all_different(pa.array([*ids, ids[7]]))


def test_ids_of_a_slice_are_found_too():
    ids = pa.array([f"{n:036d}" for n in range(40)])
    assert places_of(ids.slice(5, 10), ids.slice(10, 20)).tolist() == [-1] * 5 + [0, 1, 2, 3, 4]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.sampled_from([0.1, 0.5])), max_size=20))
def test_last_answers_are_those_that_a_dictionary_keeps(said):
    latest, ordered = {}, sorted(range(len(said)), key=lambda place: said[place][1])
    for place in ordered:
        latest[said[place][0]] = place
    ids, times, answers = ([row[part] for row in said] for part in range(3))
    places, conflicting = last_answers(
        pa.array(ids, pa.string()), np.array(times, float), pa.array(answers, pa.float64())
    )
    assert places.tolist() == sorted(latest.values())
    assert conflicting == sum(answers[n] != answers[latest[ids[n]]] for n in range(len(said)))
