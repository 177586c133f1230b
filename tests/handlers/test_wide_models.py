"""Windows of many days and columns are judged in little memory: the real handler, in a process of its own."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from kedge.columns.casting import columns_of
from kedge.config.reading import parse_model_config
from kedge.profile.counting import count_rows_by_hour
from kedge.profile.day import DayProfile, encode_day
from kedge.profile.encoding import encode_baseline
from kedge.profile.freezing import freeze_baseline
from lambdas.adapters.state import champions
from lambdas.adapters.state.champions import Champion
from tests.handlers.captured_rows import put
from tests.handlers.memory_watch import endpoint, run_apart
from tests.handlers.monitor_world import TABLE, message, monitor_world

END = date(2026, 3, 1)
ROWS_AN_HOUR = 60
WIDE_MIB_MAX = 1024


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world, endpoint(monkeypatch):
        yield world


def judged(world, columns: int, days: int) -> dict:
    """A window of so many equal days of a model with so many numbers, one of which has moved, judged apart."""
    features = [{"name": f"x{n}", "kind": "numeric"} for n in range(columns)]
    text = f"{{model: wide, mode: watch, endpoint: {{name: wide}}, features: {features}, prediction: {{name: score}}}}"
    config = parse_model_config(text, source="wide.yaml")
    put("models/wide.yaml", text.encode())
    random = np.random.default_rng(1)

    def rows(count: int, moved: float = 0.0) -> tuple[pa.Table, pa.Table]:
        values = random.normal(size=(columns, count))
        values[0] += moved
        table = {f"x{n}": values[n] for n in range(columns)}
        return pa.table(table), pa.table({"score": random.uniform(size=count)})

    baseline = freeze_baseline("wide", "1", columns_of(config), *rows(3_000))
    put("baselines/wide/1.npz", encode_baseline(baseline))
    champion = Champion("arn:1", "1", "1", datetime(2025, 1, 1, tzinfo=UTC), None, "wide-v1", "wide-v1")
    champions.save(world.dynamodb, TABLE, "wide", champion)
    found, answers = rows(24 * ROWS_AN_HOUR, moved=1.0)
    hours = np.repeat(np.arange(24), ROWS_AN_HOUR)
    profiles = count_rows_by_hour(baseline, found.append_column("score", answers.column("score")), hours)
    body = encode_day(DayProfile(profiles))
    for back in range(1, days + 1):
        put(f"profiles/wide/1/1/{END - timedelta(days=back)}.npz", body)
    window = {"start": f"{END - timedelta(days=days)}T00:00:00Z", "end": f"{END}T00:00:00Z"}
    answer = run_apart("detect_drift", message({"model": "wide", "time": f"{END}T02:00:00Z", "window": window}))
    print({name: answer[name] for name in ("mib", "cpu_s", "read_bytes", "answer", "error")})
    return answer


@pytest.mark.parametrize(
    ("columns", "days"),
    [(40, 3), pytest.param(2_000, 90, marks=pytest.mark.slow)],
)
def test_a_window_of_many_columns_and_days_is_judged_in_little_memory(world, columns, days):
    found = judged(world, columns, days)
    assert (found["error"], found["answer"]["severity"]) == (None, "CRITICAL")
    report = json.loads(world.read(found["answer"]["report_key"]))
    assert report["window"]["rows"] == days * 24 * ROWS_AN_HOUR
    assert "x0" in report["reasons"][0]
    assert found["mib"] < WIDE_MIB_MAX
