import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from cli.check import profiles
from cli.check.question import CheckOptions, ask
from cli.rows import files as row_files
from cli.rows.files import open_rows

ROWS = 3_000


@pytest.fixture(params=["parquet", "csv"])
def files(tmp_path, request):
    write = pq.write_table if request.param == "parquet" else csv.write_csv
    for name, seed in (("before", 1), ("now", 2)):
        rng = np.random.default_rng(seed)
        table = {
            f"x{i}": rng.normal(i, 1, ROWS).cumsum() if i % 3 else np.sort(rng.normal(i, 1, ROWS)) for i in range(7)
        }
        table |= {"level": [f"v{n % 5}" for n in range(ROWS)], "void": pa.nulls(ROWS, pa.float64())}
        write(pa.table(table), tmp_path / f"{name}.{request.param}")
    return [tmp_path / f"{name}.{request.param}" for name in ("before", "now")]


def counted(files):
    before, now = files
    asked = ask(CheckOptions(str(before), str(now)), open_rows(before), open_rows(now))
    return profiles.count_sides(asked.config.model, asked.columns, asked.baseline, asked.window)


@pytest.mark.parametrize("at_once", [1, 3])
def test_however_many_columns_are_read_at_once_the_counts_are_the_same(files, monkeypatch, at_once):
    whole = counted(files)
    for limit in ("COLUMNS_AT_ONCE", "TEXT_COLUMNS_AT_ONCE"):
        monkeypatch.setattr(row_files, limit, at_once)
    found = counted(files)
    assert found.baseline.columns == whole.baseline.columns
    assert found.baseline.profile == whole.baseline.profile
    assert found.window == whole.window
    assert found.baseline.design_effects == whole.baseline.design_effects
    assert found.design_effects == whole.design_effects
    assert (found.baseline_sorted_by, found.window_sorted_by) == (whole.baseline_sorted_by, whole.window_sorted_by)
    assert whole.baseline_sorted_by
