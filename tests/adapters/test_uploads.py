"""An object that is written from front to back is S3's own, whole, and never whole in memory."""

import hashlib
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lambdas.adapters.bucket.uploads import PART_BYTES, Upload
from lambdas.adapters.training.training_data import write_table
from tests.handlers.aws_world import BUCKET, aws_world

KEY = "retraining/m/run-1/train/train.csv"


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        yield world


@pytest.mark.parametrize("size", [0, 10, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 7])
def test_what_is_written_in_stretches_is_one_object_of_its_type(world, size):
    content = np.random.default_rng(size).bytes(size)
    upload = Upload(world.s3, BUCKET, KEY, content_type="text/csv")
    upload.writelines(content[start : start + 1_000_003] for start in range(0, size, 1_000_003))
    upload.finish()
    assert (world.read(KEY), upload.tell(), upload.sha256) == (content, size, hashlib.sha256(content).hexdigest())
    assert world.s3.head_object(Bucket=BUCKET, Key=KEY)["ContentType"] == "text/csv"


def test_what_is_not_finished_is_no_object(world):
    Upload(world.s3, BUCKET, KEY, content_type="text/csv").write(bytes(PART_BYTES + 1))
    assert world.keys("retraining/") == []


def test_parquet_is_written_a_row_group_after_the_other(world):
    table = pa.table({"x": np.random.default_rng(0).random(200_000)})
    upload = Upload(world.s3, BUCKET, KEY, content_type="application/vnd.apache.parquet")
    write_table(table, upload)
    upload.finish()
    file = pq.ParquetFile(io.BytesIO(world.read(KEY)))
    assert file.read().equals(table)
    assert file.num_row_groups > 1
