"""Files of a snapshot that may be larger than the memory."""

import io

import numpy as np
import pyarrow as pa
import pytest

from lambdas.adapters.training.training_data import open_rows, write_table
from tests.handlers.aws_world import BUCKET, aws_world

ROWS = 400_000
TABLE = pa.table(
    {
        "row_id": pa.array(np.arange(ROWS)).cast(pa.string()),
        "time": pa.array(np.arange(ROWS), pa.timestamp("us", "UTC")),
        **{f"x{n}": np.random.default_rng(n).normal(size=ROWS) for n in range(3)},
    }
)


@pytest.fixture
def opened(monkeypatch):
    with aws_world(monkeypatch) as world:
        sink = io.BytesIO()
        write_table(TABLE, sink)
        world.put("rows.parquet", sink.getvalue())
        with open_rows(world.s3, BUCKET, "rows.parquet") as rows:
            yield rows


def test_rows_are_read_as_often_as_they_are_wanted_in_their_order_and_by_todays_names(opened):
    assert (opened.names, opened.rows) == (("kedge_row_id", "kedge_time", "x0", "x1", "x2"), ROWS)
    for names in (["x2", "kedge_row_id"], ["x1"]):
        found = pa.Table.from_batches(opened.read(names))
        assert found.column_names == names
        assert found.column(0).equals(TABLE.column({"x2": "x2", "x1": "x1"}[names[0]]))


def test_no_more_than_some_rows_of_the_wanted_columns_are_held(opened):
    before, held = pa.total_allocated_bytes(), []
    for batch in opened.read(["x0"]):
        held.append(pa.total_allocated_bytes() - before)
        del batch
    assert len(held) == 7
    # All of the column are 3.2 MB, and all of the file more than 20.
    assert max(held) < 2_500_000
