"""A snapshot of many rows takes little more memory than the rows: snapshot_data in a process of its own."""

from __future__ import annotations

from datetime import date

import pytest

from tests.handlers.aws_world import BUCKET, MODEL, SNAPSHOT_ENVIRONMENT, aws_world, moto_backend
from tests.handlers.large_history import write_history
from tests.handlers.memory_watch import endpoint, run_apart

EVENT = {"model": MODEL, "run": "run-1", "time": "2016-02-05T00:00:00Z"}
DAYS = 30


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch, page_items=None, **SNAPSHOT_ENVIRONMENT) as world, endpoint(monkeypatch):
        yield world


def put(key: str, body: bytes) -> None:
    moto_backend("s3").put_object(BUCKET, key, body)


# As one text each, the files of 600,000 rows took 250 MiB more than the rows at their most.
@pytest.mark.parametrize(("rows", "mib_max"), [(300_000, 700), pytest.param(600_000, 1180, marks=pytest.mark.slow)])
def test_the_files_are_written_some_rows_at_a_time(world, rows, mib_max):
    write_history(put, world.config, first=date(2016, 1, 1), days=DAYS, rows_a_day=rows // DAYS)
    found = run_apart("snapshot_data", EVENT)
    assert (found["error"], found["answer"]["verdict"]) == (None, "READY")
    snapshot = found["answer"]["snapshot"]
    assert snapshot["train_rows"] + snapshot["holdout_rows"] == rows
    header, *lines = world.read(f"retraining/{MODEL}/run-1/train/train.csv").splitlines()
    assert (header.count(b","), len(lines)) == (len(world.config.features) + 2, snapshot["train_rows"])
    assert found["mib"] < mib_max, found["mib"]
    print(found["mib"])
