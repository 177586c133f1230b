import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kedge.profile.cell_index import CellIndex
from kedge.profile.column_counting import few_values
from kedge.profile.freezing import numeric_edges

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def around(edges):
    """Every edge and its neighbours, and what lies far outside."""
    with np.errstate(over="ignore"):
        beside = [np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf)]
    return np.concatenate([edges, *beside, [0.0, -0.0, 1e308, -1e308, np.inf, -np.inf, 5e-324]])


def agrees_with_searching(edges, values):
    sought = np.concatenate([values, around(edges)])
    assert (CellIndex(edges).cells_of(sought) == np.searchsorted(edges, sought, side="left")).all()


@given(values=st.lists(FLOATS, min_size=1, max_size=50), maximum=st.sampled_from([3, 10, 1000]))
def test_any_floats_find_the_cell_that_searching_finds(values, maximum):
    array = np.array(values)
    agrees_with_searching(numeric_edges(array, maximum=maximum, column="x"), array)


@given(
    seed=st.integers(0, 2**32 - 1), shape=st.sampled_from(["normal", "lognormal", "cauchy", "whole", "zeros", "wide"])
)
def test_every_shape_of_column_finds_the_cells_that_searching_finds(seed, shape):
    rng = np.random.default_rng(seed)
    values = {
        "normal": lambda: rng.normal(1e9, 1, 3000),
        "lognormal": lambda: rng.lognormal(0, 4, 3000),
        "cauchy": lambda: rng.standard_cauchy(3000) * 1e-300,
        "whole": lambda: rng.integers(-5, 600, 3000).astype(float),
        "zeros": lambda: np.where(rng.random(3000) < 0.6, 0.0, rng.gamma(2, 3, 3000)),
        "wide": lambda: np.exp(rng.uniform(-700, 700, 3000)) * rng.choice([-1, 1], 3000),
    }[shape]()
    agrees_with_searching(numeric_edges(values, maximum=int(rng.choice([50, 10_000])), column="x"), values)


def test_dense_stretches_have_tables_of_their_own_and_still_agree():
    values = np.random.default_rng(0).lognormal(0, 2, 60_000)
    edges = numeric_edges(values, maximum=120_000, column="x")
    assert CellIndex(edges)._inner is not None
    agrees_with_searching(edges, values)


@given(
    values=st.lists(st.one_of(FLOATS, st.decimals(-99, 99, places=2).map(float)), max_size=40),
    decimals=st.integers(0, 4),
    shift=st.sampled_from([0.0, 1e6, -3e15, 1e300]),
)
def test_few_values_stand_for_their_rows_bit_for_bit(values, decimals, shift):
    array = np.round(np.array(values, float), decimals) + shift
    array = np.tile(array[np.isfinite(array)], 50)
    found = few_values(array)
    if found is not None:
        distinct, rows = np.unique(array, return_counts=True)
        assert (found[0] == distinct).all()
        assert (found[1] == rows).all()


def test_prices_and_counts_are_few_values_and_measurements_are_not():
    rng = np.random.default_rng(0)
    assert few_values(rng.gamma(2, 5, 10_000).round(2)) is not None
    assert few_values(rng.integers(0, 500, 10_000).astype(float)) is not None
    assert few_values(rng.normal(size=10_000)) is None
    assert few_values(np.append(rng.integers(0, 9, 10_000), 0.5)) is None
    assert few_values(np.append(rng.integers(0, 9, 10_000), 1e12)) is None
    assert few_values(np.empty(0)) is None
