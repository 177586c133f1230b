"""What the champion answered to the holdout's rows, found among everything that it answered meanwhile."""

import io
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kedge.profile.day import DayProfile, encode_day
from lambdas.steps.gate.facts import PARTS_MAX, served_answers
from tests.handlers.aws_world import BUCKET, MODEL, aws_world

DAY = date(2016, 1, 3)
TRUTH = pa.table(
    {
        "kedge_row_id": ["a", "b", "c", "d"],
        "kedge_time": pa.array(
            [datetime(2016, 1, 3, hour, tzinfo=UTC) for hour in range(4)], pa.timestamp("us", "UTC")
        ),
    }
)


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        yield world


def part(number: int, version: str = "1") -> str:
    return f"predictions/{MODEL}/package={version}/date={DAY}/{number:04d}.parquet"


def answer(world, key: str, **scores: float) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"kedge_row_id": [*scores], "prediction": [*scores.values()]}), sink)
    world.put(key, sink.getvalue())


def count_day(world, parts: list[str], version: str = "1") -> None:
    world.put(f"profiles/{MODEL}/{version}/{version}/{DAY}.npz", encode_day(DayProfile(parts=tuple(parts))))


def served(world):
    return served_answers(world.s3, BUCKET, world.config, world.config, "1", TRUTH)


def test_rows_of_the_holdout_have_what_this_version_answered_and_others_nothing(world):
    answer(world, part(0), stranger=0.9, b=0.25)
    answer(world, part(1), a=0.5)
    answer(world, part(0, "2"), c=0.75)
    count_day(world, [part(0), part(1)])
    count_day(world, [part(0, "2")], "2")
    assert np.array_equal(served(world), [0.5, 0.25, np.nan, np.nan], equal_nan=True)


def test_where_it_answered_none_of_them_nothing_is_known(world):
    assert served(world) is None
    answer(world, part(0), stranger=0.9)
    count_day(world, [part(0)])
    assert served(world) is None


def test_of_very_many_parts_an_even_part_is_looked_through(world):
    parts = [part(number) for number in range(2 * PARTS_MAX + 1)]
    answer(world, parts[0], a=0.5)
    answer(world, parts[1], b=0.5)
    answer(world, parts[-2], c=0.5)
    count_day(world, parts)
    read = []
    world.s3.meta.events.register("before-call.s3.GetObject", lambda params, **_: read.append(params["url_path"]))
    assert np.isfinite(served(world)).tolist() == [True, False, True, False]
    assert sum(".parquet" in path for path in read) == 134
