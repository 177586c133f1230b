"""Design effects against rows whose dependence is known."""

import numpy as np
import pyarrow as pa
import pytest
from scipy.signal import lfilter

from kedge.columns.casting import Column
from kedge.columns.row_batches import COLUMNS_AT_ONCE, RowBatches
from kedge.profile.counting import count_rows, count_rows_by_hour
from kedge.profile.design_effect import BLOCKS, block_codes, combined, design_effects, with_design_effects
from kedge.profile.freezing import freeze_baseline

COLUMNS = (Column("x", "feature", "numeric", "float64"), Column("c", "feature", "categorical", "string"))


def walk(rng, rows, rho):
    """Rows of a normal feature that each remember the one before."""
    noise = rng.normal(size=rows + 200) * np.sqrt(1 - rho**2)
    return lfilter([1], [1, -rho], noise)[200:]


def stays(rng, rows, rho, levels):
    """Levels of rows that each repeat the one before with probability rho."""
    drawn = np.maximum.accumulate(np.where(rng.random(rows) < rho, 0, np.arange(rows)))
    return rng.integers(0, levels, rows)[drawn].astype(str)


def table(rng, rows, rho, levels=12):
    return pa.table({"x": walk(rng, rows, rho), "c": stays(rng, rows, rho, levels)})


def effects(rows, codes=None, ruler=None):
    ruler = ruler or freeze_baseline("m", "1", COLUMNS, rows, rows)
    blocks = count_rows_by_hour(ruler, rows, block_codes(rows.num_rows) if codes is None else codes)
    return design_effects(ruler, [blocks[code] for code in sorted(blocks)])


@pytest.mark.parametrize("rows", [1000, 20_000])
@pytest.mark.parametrize("levels", [2, 12, 300])
def test_independent_rows_are_worth_what_they_are(rows, levels):
    rng = np.random.default_rng(1)
    found = [effects(table(rng, rows, 0.0, levels)) for _ in range(60)]
    for name in ("x", "c"):
        values = np.array([one[name] for one in found])
        assert values.min() >= 1.0
        # Beyond chance at two standard errors: a few in a hundred, at two scales; and these by little.
        assert (values > 1).mean() <= 0.15
        assert values.mean() < 1.06


@pytest.mark.parametrize("rho", [0.5, 0.8, 0.9])
def test_the_variance_of_a_share_is_what_the_design_effect_says(rho):
    rng = np.random.default_rng(2)
    rows = 20_000
    shares = np.array([(walk(rng, rows, rho) < 0).mean() for _ in range(300)])
    levels = np.array([(stays(rng, rows, rho, 4) == "0").mean() for _ in range(300)])
    wanted = {"x": shares.var() * rows / 0.25, "c": levels.var() * rows / (0.25 * 0.75)}
    found = [effects(table(rng, rows, rho, 4)) for _ in range(20)]
    for name, expected in wanted.items():
        mean = np.mean([one[name] for one in found])
        assert 0.8 * expected <= mean <= 1.5 * expected


def test_hours_of_different_sizes_count_by_their_rows():
    rng = np.random.default_rng(3)
    rows = table(rng, 30_000, 0.0)
    sizes = rng.dirichlet(np.tile([0.2, 2.0, 8.0], 56))
    hours = np.searchsorted(np.cumsum(sizes), np.arange(30_000) / 30_000)
    assert max(effects(rows, hours).values()) < 1.35
    assert effects(table(rng, 30_000, 0.9), hours)["x"] > 7


def test_one_slow_direction_among_many_levels_is_not_averaged_away():
    rng = np.random.default_rng(4)
    slow = np.floor((np.arctan(walk(rng, 50_000, 0.9)) / np.pi + 0.5) * 30).astype(int).astype(str)
    rows = pa.table({"x": np.zeros(50_000), "c": slow})
    assert effects(rows)["c"] > 3


def test_what_never_varies_or_was_never_seen_has_none():
    rows = pa.table({"x": np.full(2000, 3.0), "c": pa.array(["a"] * 2000)})
    assert effects(rows) == {"x": 1.0, "c": 1.0}
    empty = freeze_baseline("m", "1", COLUMNS, rows, rows)
    assert design_effects(empty, []) == {"x": 1.0, "c": 1.0}
    assert design_effects(empty, [empty.empty()] * 100) == {"x": 1.0, "c": 1.0}


def test_a_handful_of_blocks_says_nothing():
    rng = np.random.default_rng(5)
    rows = table(rng, 700, 0.9)
    ruler = freeze_baseline("m", "1", COLUMNS, rows, rows)
    assert design_effects(ruler, [count_rows(ruler, rows.slice(100 * i, 100)) for i in range(7)]) == {
        "x": 1.0,
        "c": 1.0,
    }


@pytest.mark.parametrize(("rows", "least"), [(300, 0.4), (1000, 0.75)])
@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_memory_that_outlasts_short_blocks_is_extrapolated(rho, rows, least):
    rng = np.random.default_rng(7)
    ruler = freeze_baseline("m", "1", COLUMNS, *[table(rng, 20_000, 0.0)] * 2)
    wanted = {"x": {0.5: 2.4, 0.9: 12.5}[rho], "c": (1 + rho) / (1 - rho)}
    found = [effects(table(rng, rows, rho), ruler=ruler) for _ in range(60)]
    for name, expected in wanted.items():
        assert np.quantile([one[name] for one in found], 0.25) >= least * expected
        assert np.median([one[name] for one in found]) <= 1.6 * expected


@pytest.mark.parametrize("rows", [1000, 20_000])
def test_drift_that_comes_within_the_window_leaves_enough_to_be_found(rows):
    rng = np.random.default_rng(6)
    ruler = freeze_baseline("m", "1", COLUMNS, *[table(rng, 20_000, 0.0)] * 2)
    for place in (0.1, 0.25, 0.5):
        stepped = table(rng, rows, 0.0)
        moved = stepped.column("x").to_numpy() + (np.arange(rows) >= place * rows)
        found = effects(stepped.set_column(0, "x", pa.array(moved)), ruler=ruler)["x"]
        # A share that moved by 0.38 in a part of the rows: z is its mean over the root of found / (4 rows).
        assert 0.38 * (1 - place) / np.sqrt(found / (4 * rows)) > 4.5


def test_blocks_are_consecutive_and_equal():
    codes = block_codes(10_000)
    assert (np.diff(codes) >= 0).all()
    assert np.ptp(np.bincount(codes, minlength=BLOCKS)) <= 1
    assert len(np.unique(block_codes(5))) == 5


def test_a_baseline_learns_it_from_its_own_rows_in_their_order():
    columns = (*COLUMNS, Column("prediction", "prediction", "numeric", "float64"))
    rng = np.random.default_rng(8)
    features, answers = table(rng, 20_000, 0.9), pa.table({"prediction": walk(rng, 3000, 0.5)})
    baseline = freeze_baseline("m", "1", columns, features, answers)
    found = with_design_effects(baseline, RowBatches.of(features), RowBatches.of(answers))
    assert found.profile == baseline.profile
    assert 9 < found.design_effects["x"] < 18
    assert 13 < found.design_effects["c"] < 26
    assert 1.7 < found.design_effects["prediction"] < 4
    shuffled = features.take(pa.array(rng.permutation(20_000)))
    found = with_design_effects(baseline, RowBatches.of(shuffled), RowBatches.of(answers)).design_effects
    assert max(found["x"], found["c"]) < 1.7


@pytest.mark.parametrize("size", [37, 5000])
def test_wherever_batches_end_the_blocks_are_those_of_the_whole(size):
    rng, rows = np.random.default_rng(13), 400
    columns = tuple(Column(f"x{i}", "feature", "numeric", "float64") for i in range(COLUMNS_AT_ONCE + 5))
    features = pa.table({column.name: walk(rng, rows, 0.9 * (i % 2)) for i, column in enumerate(columns)})
    baseline = freeze_baseline("m", "1", columns, features, features)
    cut = lambda names: (features.select(names).slice(start, size) for start in range(0, rows, size))  # noqa: E731
    answers = RowBatches.of(features.slice(0, 0))
    found = with_design_effects(baseline, RowBatches(tuple(features.column_names), rows, cut), answers)
    assert found.design_effects == effects(features, ruler=baseline)


def test_the_larger_of_two_estimates_counts_and_never_less_than_one():
    assert combined({"x": 0.5, "c": 3.0}, {"c": 2.0}, None) == {"x": 1.0, "c": 3.0}


def test_neighbours_say_what_memory_there_is_where_the_blocks_follow_a_trend():
    """Rows sorted by a column that pulls another along, and rows in the order of time with a clock among them."""
    rng = np.random.default_rng(9)
    x = np.sort(rng.normal(size=20_000))
    pulled = table(rng, 20_000, 0.0).set_column(0, "x", pa.array(0.5 * x + rng.normal(size=20_000)))
    ruler = freeze_baseline("m", "1", COLUMNS, pulled, pulled)
    profiles = count_rows_by_hour(ruler, pulled, block_codes(20_000))
    blocks = [profiles[code] for code in sorted(profiles)]
    assert design_effects(ruler, blocks)["x"] > 10
    assert design_effects(ruler, blocks, trending=True)["x"] < 1.6
    for rho, wanted in ((0.5, 2.4), (0.9, 12.5)):
        walked = table(rng, 20_000, rho)
        ruler = freeze_baseline("m", "1", COLUMNS, walked, walked)
        profiles = count_rows_by_hour(ruler, walked, block_codes(20_000))
        found = design_effects(ruler, [profiles[code] for code in sorted(profiles)], trending=True)
        assert 0.75 * wanted < found["x"] < 1.6 * wanted
        assert 0.7 * (1 + rho) / (1 - rho) < found["c"] < 1.6 * (1 + rho) / (1 - rho)


def test_of_independent_rows_neighbours_say_that_they_are():
    rng = np.random.default_rng(10)
    found = []
    for _ in range(40):
        rows = table(rng, 5000, 0.0)
        ruler = freeze_baseline("m", "1", COLUMNS, rows, rows)
        blocks = count_rows_by_hour(ruler, rows, block_codes(5000))
        found += design_effects(ruler, [blocks[code] for code in sorted(blocks)], trending=True).values()
    assert np.mean(np.array(found) > 1) <= 0.2
    assert np.mean(found) < 1.08


def of_many(rng, rows):
    """Six columns that remember, and one that does not, with their ruler."""
    columns = tuple(Column(f"x{i}", "feature", "numeric", "float64") for i in range(7))
    values = {column.name: walk(rng, rows, 0.9 * (i > 0)) for i, column in enumerate(columns)}
    rows = pa.table(values)
    return rows, freeze_baseline("m", "1", columns, rows, rows)


def test_in_few_rows_no_column_is_believed_to_be_freer_than_most_others():
    rng = np.random.default_rng(11)
    _, ruler = of_many(rng, 20_000)
    for _ in range(20):
        found = effects(of_many(rng, 200)[0], ruler=ruler)
        assert min(found.values()) == np.median(list(found.values())) > 3


def test_in_many_rows_each_column_speaks_for_itself():
    rows, ruler = of_many(np.random.default_rng(12), 20_000)
    found = effects(rows, ruler=ruler)
    assert found.pop("x0") < 1.2
    assert min(found.values()) > 10
