"""Rows counted once, against a profile of each block."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from kedge.columns.casting import Column
from kedge.errors import ColumnAbsentError
from kedge.profile.blocked_rows import BlockedRows, PlacedRows
from kedge.profile.counting import count_rows, count_rows_by_hour
from kedge.profile.design_effect import CellGroups, block_codes, design_effects
from kedge.profile.freezing import freeze_baseline

COLUMNS = (
    Column("number", "feature", "numeric", "float64"),
    Column("single", "feature", "numeric", "float32"),
    Column("few", "feature", "numeric", "int64"),
    Column("level", "feature", "categorical", "string"),
    Column("flag", "feature", "boolean", "string"),
    Column("bought", "feature", "timestamp", "float64"),
)
START = datetime(2016, 1, 1, tzinfo=UTC)


def made(rows, *, seed, levels=40):
    """Rows in whose order a number comes and goes, with everything that has no cell."""
    rng = np.random.default_rng(seed)
    number = 3 * np.sin(np.arange(rows) / 300) + rng.normal(size=rows)
    number[rng.random(rows) < 0.01] = np.inf
    text = [["1.5", "", "x", "-inf", "7"][i] for i in rng.integers(0, 5, rows)]
    bought = [
        None if i % 9 == 0 else START - timedelta(hours=float(h)) for i, h in enumerate(rng.exponential(50, rows))
    ]
    return pa.table(
        {
            "number": pa.array(number, mask=rng.random(rows) < 0.1),
            "single": rng.normal(size=rows).round(1),
            "few": text,
            "level": pa.array([f"l{i}" for i in rng.zipf(1.6, rows) % levels]).dictionary_encode(),
            "flag": [[True, False, None][i] for i in rng.integers(0, 3, rows)],
            "bought": pa.array(bought, pa.timestamp("us", "UTC")),
            "at": pa.array([START + timedelta(minutes=i) for i in range(rows)], pa.timestamp("us", "UTC")),
        }
    )


@pytest.fixture(scope="module")
def ruler():
    rows = made(3_000, seed=1)
    return freeze_baseline("m", "1", COLUMNS, rows, rows.select([]), times="at")


@pytest.mark.parametrize("rows", [1, 700, 9_000])
def test_the_profile_and_the_design_effects_are_those_of_a_profile_a_block(ruler, rows):
    table, blocks = made(rows, seed=2, levels=60), block_codes(rows)
    groups = CellGroups.of(ruler)
    counted, placed = BlockedRows(ruler, groups), PlacedRows.of(ruler, groups, table, times="at")
    for start in range(0, rows, 4_500):
        part = slice(start, start + 4_500)
        counted.add(placed.part(part), blocks[part])
    apart = count_rows_by_hour(ruler, table, blocks, times="at")
    assert counted.profile == count_rows(ruler, table, times="at")
    assert counted.design_effects() == design_effects(ruler, [apart[block] for block in sorted(apart)])


def test_rows_that_repeat_each_other_have_an_effect(ruler):
    groups = CellGroups.of(ruler)
    counted = BlockedRows(ruler, groups)
    counted.add(PlacedRows.of(ruler, groups, made(9_000, seed=3), times="at"), block_codes(9_000))
    assert counted.design_effects()["number"] > 2


def test_no_rows_are_a_profile_of_none(ruler):
    counted = BlockedRows(ruler, CellGroups.of(ruler))
    assert counted.profile == ruler.empty()
    assert set(counted.design_effects().values()) == {1.0}


def test_a_table_without_a_column_is_refused(ruler):
    with pytest.raises(ColumnAbsentError, match="few"):
        PlacedRows.of(ruler, CellGroups.of(ruler), made(5, seed=4).drop_columns(["few"]), times="at")
