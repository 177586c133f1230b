"""The seeded 21 columns that Kedge and its peers read: 13 numbers, 7 categories and a probability."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

PREDICTION = "score"
CATEGORICAL = tuple(f"level_{i}" for i in range(7))
NUMERIC = (
    *(f"normal_{i}" for i in range(6)), *(f"skewed_{i}" for i in range(3)), *(f"count_{i}" for i in range(3)), "mostly_zero",
)  # fmt: skip
COLUMNS = (*NUMERIC, *CATEGORICAL, PREDICTION)
# What a writer of large files uses, and so few rows that 10 million of them are made in little memory.
ROW_GROUP = 131_072


def write(path: Path, *, rows: int, seed: int) -> Path:
    """Write this many rows as Parquet, unless they are there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        batches = _batches(rows, np.random.default_rng(seed))
        first = next(batches)
        with pq.ParquetWriter(part, first.schema) as writer:
            writer.write_table(first)
            for batch in batches:
                writer.write_table(batch)
        part.replace(path)
    return path


def make(rows: int, rng: np.random.Generator) -> pa.Table:
    """Rows without drift."""
    columns: dict[str, object] = {f"normal_{i}": rng.normal(i, 1 + i, rows) for i in range(6)}
    columns |= {f"skewed_{i}": rng.lognormal(0, 0.5 + i / 2, rows) for i in range(3)}
    columns |= {f"count_{i}": rng.poisson(2 + 3 * i, rows) for i in range(3)}
    columns["mostly_zero"] = np.where(rng.random(rows) < 0.8, 0.0, rng.exponential(10.0, rows))
    for i, name in enumerate(CATEGORICAL):
        columns[name] = _levels(3 + 7 * i, rows, rng)
    columns[PREDICTION] = rng.beta(2, 5, rows)
    return pa.table(columns)


def _levels(count: int, rows: int, rng: np.random.Generator) -> pa.Array:
    shares = 1 / np.arange(1, count + 1)
    codes = rng.choice(count, rows, p=shares / shares.sum()).astype(np.int32)
    return pa.DictionaryArray.from_arrays(codes, [f"value {i}" for i in range(count)]).cast(pa.string())


def _batches(rows: int, rng: np.random.Generator) -> Iterator[pa.Table]:
    for start in range(0, rows, ROW_GROUP):
        yield make(min(ROW_GROUP, rows - start), rng)
