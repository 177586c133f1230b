"""What Athena has counted is judged in memory that does not depend on the window's rows."""

import io
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kedge.own_columns import COLLECTED, LABEL, ROW_ID, TIME
from kedge.window_sql.joined import REPEATED
from lambdas.adapters import athena_joins
from lambdas.adapters.state import champions
from lambdas.steps.measuring.join_window import plan_of, question
from lambdas.steps.requests import JudgeRequest
from tests.athena_sql import count_plan
from tests.handlers.bookings import load_bookings
from tests.handlers.memory_watch import endpoint, run_apart
from tests.handlers.monitor_world import BUCKET, MODEL, TABLE, message, monitor_world

NOW = datetime(2016, 1, 4, 2, tzinfo=UTC)
WINDOW = {"start": "2015-12-07T00:00:00Z", "end": "2016-01-04T00:00:00Z"}
# The template's is 2,048.
MIB_MAX = 600
DAY_MS = 86_400_000


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world, endpoint(monkeypatch):
        world.freeze()
        world.promote(datetime(2015, 10, 1, tzinfo=UTC), training_end=datetime(2015, 9, 30, tzinfo=UTC))
        world.freeze_slices()
        yield world


def joined(world, plan, rows, digits):
    """Joined rows, as many as wanted: bookings over and over, each with a score and a label of its own."""
    rng, bookings = np.random.default_rng(1), load_bookings("2015-12-07", "2016-01-04")
    taken = pa.array(rng.integers(0, bookings.num_rows, rows))
    start = int(plan.start.timestamp() * 1000)
    times = start + rng.integers(0, 28 * DAY_MS, rows)
    score = rng.beta(2, 3, rows).round(digits)
    columns = {
        ROW_ID: pa.array(["id"] * rows),
        TIME: pa.array(times, pa.timestamp("ms")),
        world.config.prediction.name: pa.array(score),
        LABEL: pa.array(np.where(rng.random(rows) < score, "1", "0").tolist(), pa.string()),
        COLLECTED: pa.array(
            np.minimum(times + rng.integers(0, 3 * DAY_MS, rows), int(NOW.timestamp() * 1000) - 1), pa.timestamp("ms")
        ),
        REPEATED: pa.array(np.zeros(rows, np.int64)),
    }
    found = {}
    for place, field in enumerate(plan.rows.schema):
        known = columns.get(field.name)
        value = bookings.column(field.name).take(taken) if known is None else known
        found[f"c{place}"] = value if pa.types.is_timestamp(value.type) else value.cast(field.type)
    return pa.table(found | {"kedge_run": pa.array(["r"] * rows), "$path": pa.array(["p"] * rows)})


def measured(world, rows, digits):
    """Have a window of so many rows counted, and measured by the real handler in a process of its own."""
    request = {"model": MODEL, "time": NOW.isoformat(), "window": WINDOW}
    champion = champions.load(world.dynamodb, TABLE, MODEL)
    plan = plan_of(
        JudgeRequest.model_validate(request), world.config, champion, bucket=BUCKET, run="r", database="kedge"
    )
    table, size = joined(world, plan, rows, digits), 0
    prefix = f"athena/{MODEL}/{question(BUCKET, world.config, champion)}-{rows}/"
    for name, found in count_plan(plan, table):
        sink = io.BytesIO()
        pq.write_table(found, sink)
        size += sink.tell()
        key = f"{prefix}counts/{name}/a/part"
        world.put(key, sink.getvalue())
        athena_joins.keep_list(world.s3, BUCKET, f"{prefix}counted/{name}/", [key])
    answer = run_apart("measure_performance", message({**request, "joined_prefix": prefix}))
    assert answer["error"] is None
    assert answer["answer"]["new_labelled_rows"] > rows / 2
    return answer["mib"], answer["cpu_s"], size, answer["calls"]["s3 GetObject"]


@pytest.mark.parametrize(("rows", "digits"), [(20_000, 3), pytest.param(400_000, 15, marks=pytest.mark.slow)])
def test_a_window_of_ten_times_the_rows_takes_no_more(world, rows, digits):
    small, large = (measured(world, many, digits) for many in (rows, 10 * rows))
    print(small, large)
    assert large[0] < 1.15 * small[0]
    assert max(small[0], large[0]) < MIB_MAX
    assert small[3] == large[3]
