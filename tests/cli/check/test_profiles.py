"""Both sides counted from files: exact where that is promised, whatever the files' layout, and in bounded memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from cli.check.profiles import EXACT_ROWS, count_sides
from cli.check.stretches import STRETCHED_ROWS, FileStretches, coarse_ruler
from cli.rows.files import open_rows
from kedge.columns.casting import Column
from kedge.profile.design_effect import BLOCKS
from kedge.profile.freezing import freeze_baseline
from kedge.statistics.kolmogorov_smirnov import ks_statistic

ROOT = Path(__file__).parents[3]
COLUMNS = (Column("x", "feature", "numeric", "float64"), Column("k", "feature", "categorical", "string"))


def rows(count, *, seed, dependence=0.0):
    """A number and a category; each row repeats the one before it with this probability."""
    rng = np.random.default_rng(seed)
    new = rng.random(count) >= dependence
    new[0] = True
    source = np.maximum.accumulate(np.where(new, np.arange(count), 0))
    return pa.table({"x": rng.normal(size=count)[source], "k": rng.choice(["a", "b", "c"], count)[source]})


def sides(folder, before, now, **layout):
    for name, table in (("before", before), ("now", now)):
        pq.write_table(table, folder / f"{name}.parquet", **layout)
    return open_rows(folder / "before.parquet"), open_rows(folder / "now.parquet")


def statistic(counted, name):
    found = [counted.baseline.column(p, name).cells for p in (counted.baseline.profile, counted.window)]
    return ks_statistic(*found)


def test_the_ks_statistic_is_scipys_up_to_the_promised_rows_and_close_beyond(tmp_path):
    now = rows(30_000, seed=2)
    for count, tolerance in ((EXACT_ROWS, 1e-12), (2 * EXACT_ROWS, 1e-4)):
        before = rows(count, seed=1)
        counted = count_sides("m", COLUMNS, *sides(tmp_path, before, now))
        expected = stats.ks_2samp(before.column("x").to_numpy(), now.column("x").to_numpy()).statistic
        assert statistic(counted, "x") == pytest.approx(expected, abs=tolerance)


def test_the_layout_of_the_files_changes_nothing(tmp_path):
    before, now = rows(9_000, seed=1), rows(7_000, seed=2, dependence=0.5)
    whole = count_sides("m", COLUMNS, *sides(tmp_path, before, now))
    pieces = count_sides("m", COLUMNS, *sides(tmp_path, before, now, row_group_size=777))
    assert pieces.window == whole.window
    assert pieces.baseline.profile == whole.baseline.profile
    assert pieces.design_effects == whole.design_effects
    assert pieces.baseline.design_effects == whole.baseline.design_effects


def test_rows_that_repeat_each_other_are_worth_fewer(tmp_path):
    # A run of equal rows is 1 / (1 - 0.9) long on average, and a mean's variance grows by (1 + 0.9) / (1 - 0.9).
    counted = count_sides("m", COLUMNS, *sides(tmp_path, rows(20_000, seed=1), rows(20_000, seed=2, dependence=0.9)))
    assert counted.baseline.design_effects == {"x": 1.0, "k": 1.0}
    assert 10 < counted.design_effects["x"] < 40
    assert 10 < counted.design_effects["k"] < 40


def test_every_row_of_a_short_file_and_some_of_a_long_one_are_in_its_stretches():
    table = rows(20_000, seed=1)
    frozen = freeze_baseline("m", "1", COLUMNS, table, table)
    for total in (table.num_rows, 4 * STRETCHED_ROWS):
        stretches = FileStretches(coarse_ruler(frozen), total_rows=total)
        for batch in table.to_batches(max_chunksize=999):
            stretches.add(batch)
        expected = table.num_rows if total == table.num_rows else table.num_rows // 4
        assert sum(profile.rows for profile in stretches.profiles) == expected
        assert BLOCKS <= len(stretches.profiles) <= 2 * BLOCKS


def test_the_excess_of_every_fourth_row_counts_fourfold():
    table = rows(80_000, seed=1, dependence=0.99)
    frozen = freeze_baseline("m", "1", COLUMNS, table, table)
    found = []
    for total in (table.num_rows // 2, 4 * STRETCHED_ROWS):
        stretches = FileStretches(coarse_ruler(frozen), total_rows=total)
        for batch in table.to_batches():
            stretches.add(batch)
        found.append(stretches.repetition(stretches.profiles).design_effects["x"])
    assert found[1] == pytest.approx(found[0], rel=0.1)


def test_tables_by_which_numbers_found_their_cells_are_not_kept(tmp_path):
    before, now = sides(tmp_path, rows(10_000, seed=1), rows(10_000, seed=2))
    (bins,) = (count_sides("m", COLUMNS[:1], before, now).baseline.bins).values()
    assert "index" not in vars(bins)
    again = freeze_baseline("m", "1", COLUMNS[:1], rows(10_000, seed=1), pa.table({}))
    assert "index" in vars(again.bins["x"])


def test_memory_does_not_grow_with_the_files(tmp_path):
    part = rows(100_000, seed=0)
    for name, parts in (("short", 1), ("long", 50)):
        with pq.ParquetWriter(tmp_path / f"{name}.parquet", part.schema) as writer:
            for _ in range(parts):
                writer.write_table(part)
    program = (
        "import resource, sys\nfrom tests.cli.check.test_profiles import COLUMNS, count_sides, open_rows\n"
        "count_sides('m', COLUMNS, open_rows(sys.argv[1]), open_rows(sys.argv[1]))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    peaks = {}
    for name in ("short", "long"):
        command = [sys.executable, "-c", program, str(tmp_path / f"{name}.parquet")]
        peaks[name] = int(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    # The numbers alone of the long file take 40 MB a side, its texts as much; a sample of the baseline's rows is kept.
    assert peaks["long"] < peaks["short"] + 60
