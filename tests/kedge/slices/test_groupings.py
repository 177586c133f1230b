"""Groups of a column, against numpy and plain loops."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.slices.groupings import Grouping, coarse_codes, freeze_grouping


@given(st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=1, max_size=200), st.integers(2, 10))
def test_bands_cover_every_number_and_hold_it_between_their_edges(values, bands):
    grouping = freeze_grouping("x", "numeric", pa.array(values), bands=bands)
    codes = grouping.codes(pa.array(values))
    assert grouping.groups <= bands + 1
    edges = [-np.inf, *grouping.edges, np.inf]
    assert all(edges[code] < value <= edges[code + 1] for value, code in zip(values, codes, strict=True))


def test_bands_of_many_numbers_hold_equal_rows():
    values = pa.array(np.random.default_rng(1).normal(size=10_000))
    codes = freeze_grouping("x", "numeric", values, bands=10).codes(values)
    assert np.bincount(codes).tolist() == [1000] * 10


def test_few_distinct_numbers_are_a_group_each():
    grouping = freeze_grouping("items", "numeric", pa.array([3, 1, 1, 2, 3]))
    assert grouping.codes(pa.array([1, 2, 3])).tolist() == [0, 1, 2]


def test_what_is_missing_stands_apart_and_a_rare_level_is_pooled():
    grouping = freeze_grouping("carrier", "categorical", pa.array(["sea", "sea", "air", "rail"]), levels=2)
    assert grouping.levels == ("sea", "air")
    assert grouping.codes(pa.array(["air", "rail", None, "", "moon"])).tolist() == [1, 2, 3, 3, 2]
    assert freeze_grouping("x", "numeric", pa.array([1.0, 2.0])).codes(pa.array([None, "x"])).tolist() == [2, 2]


@pytest.mark.parametrize("values", [[True, False], ["true", "false"], ["True", "False"]])
def test_booleans_are_the_same_groups_however_they_are_written(values):
    assert Grouping("b", "categorical", levels=("true", "false")).codes(pa.array(values)).tolist() == [0, 1]


def test_a_whole_number_is_the_same_level_as_text_integer_and_float():
    grouping = Grouping("code", "categorical", levels=("3", "4"))
    assert [grouping.codes(pa.array(v)).tolist() for v in (["3"], [3], [3.0])] == [[0], [0], [0]]


def test_dictionaries_give_the_codes_of_plain_text():
    grouping = Grouping("carrier", "categorical", levels=("sea", "air"))
    plain = pa.chunked_array([["sea", None, "moon"], ["air", "sea"]])
    assert grouping.codes(plain.dictionary_encode()).tolist() == grouping.codes(plain).tolist()


@pytest.mark.parametrize("grouping", [
    Grouping("x", "numeric", edges=tuple(float(i) for i in range(9))),
    Grouping("x", "numeric", edges=(1.0,)),
    Grouping("x", "categorical", levels=tuple("abcdefgh")),
    Grouping("x", "categorical"),
])  # fmt: skip
def test_coarse_groups_are_made_of_whole_groups_in_order(grouping):
    codes, names = coarse_codes(grouping, groups=5)
    assert len(codes) == grouping.groups
    assert (np.diff(codes) >= 0).all()
    assert sorted(set(codes.tolist())) == list(range(len(names)))
    assert len(names) <= 6


@pytest.mark.parametrize("edges", [0, 1, 9, 200])
def test_a_numbers_band_is_the_number_of_edges_below_it_however_many_there_are(edges):
    grouping = Grouping("x", "numeric", edges=tuple(float(edge) for edge in range(edges)))
    numbers = np.array([-np.inf, -1.0, 0.0, 0.5, 8.0, 150.0, 1e300, np.inf])
    wanted = [sum(number > edge for edge in grouping.edges) for number in numbers]
    assert grouping.codes(pa.array([*numbers, None])).tolist() == [*wanted, edges + 1]
