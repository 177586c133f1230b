"""A baseline of many training rows takes no more memory than one of few: build_baseline in a process of its own."""

from __future__ import annotations

import io

import numpy as np
import pyarrow.parquet as pq
import pytest

from kedge.profile.encoding import decode_baseline
from kedge.retraining.rows import BATCH_ROWS, typed_rows
from tests.handlers.aws_world import BUCKET, IMAGES, aws_world, moto_backend
from tests.handlers.holdouts import PREFIX, make_rows, write_holdout
from tests.handlers.memory_watch import endpoint, run_apart
from tests.handlers.test_build_baseline import EVENT, create_trained_job

# Of the first all rows are kept while edges are found, of the second a sample, which has room for half as many again.
FEW, MANY = 200_000, 2_000_000
ROOM_MIB = 80


@pytest.fixture
def world(monkeypatch):
    with (
        aws_world(monkeypatch, page_items=None, TRAINING_IMAGES=IMAGES, SOURCE_COMMIT="c0ffee") as world,
        endpoint(monkeypatch),
    ):
        create_trained_job(world)
        write_holdout(world)
        yield world


def write_training_rows(world, rows: int) -> None:
    """As many rows as are wanted, the same ones over and over, as snapshot_data writes them."""
    rng, sink = np.random.default_rng(5), io.BytesIO()
    some = typed_rows(make_rows(world, rng, rng.integers(0, 2, BATCH_ROWS)), world.config)
    with pq.ParquetWriter(sink, some.schema, compression="zstd") as writer:
        for start in range(0, rows, BATCH_ROWS):
            writer.write_table(some.slice(0, rows - start))
    moto_backend("s3").put_object(BUCKET, f"{PREFIX}/training.parquet", sink.getvalue())


@pytest.mark.slow
def test_ten_times_the_training_rows_take_no_more_memory(world):
    peaks = []
    for rows in (FEW, MANY):
        write_training_rows(world, rows)
        found = run_apart("build_baseline", EVENT)
        assert found["error"] is None, found["error"]
        baseline = decode_baseline(world.read(f"{found['answer']['staged_prefix']}/baseline.npz"))
        assert baseline.column(baseline.profile, "adr").rows == rows
        print(rows, found["mib"], found["cpu_s"], found["calls"], found["read_bytes"])
        peaks.append(found["mib"])
    assert peaks[1] < peaks[0] + ROOM_MIB, peaks
