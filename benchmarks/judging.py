"""What judging costs once everything is counted, and what a long window costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import reduce
from itertools import pairwise
from operator import add
from pathlib import Path

import numpy as np

from benchmarks import data
from benchmarks.results import Figure, Section
from benchmarks.scale import Scale
from kedge.columns.casting import Column
from kedge.config.model import ModelConfig
from kedge.config.sections import Endpoint, Feature, Prediction
from kedge.drift.report import judge_drift
from kedge.profile.baseline import Baseline
from kedge.profile.counting import count_rows
from kedge.profile.freezing import freeze_baseline

COMMAND = "python -m benchmarks judging"
JUDGING_MS_MAX = 20.0
DAYS = 30
# Thirty sums, and no more: the rest of the tolerance is the clock's.
SUMS_RATIO_MAX = 1.2
_REPEATS = 20
_TIME = datetime(2026, 1, 1, tzinfo=UTC)


def section(work: Path, scale: Scale) -> Section:
    """Judge a window of all columns from two profiles; add up thirty days."""
    del work  # nothing is kept: the rows are made and counted in this process
    config, baseline = model(), frozen(scale)
    rng = np.random.default_rng(2)
    days = [count_rows(baseline, data.make(max(scale.rows // DAYS, 1), rng)) for _ in range(DAYS)]
    window = reduce(add, days)
    judged = milliseconds(lambda: judge_drift(baseline, window, config, start=_TIME, end=_TIME))
    # Each day once, as in the window: two days over and over would stay in the processor's cache.
    one = milliseconds(lambda: [before + after for before, after in pairwise(days)]) / (DAYS - 1)
    thirty = milliseconds(lambda: reduce(add, days, baseline.empty()))
    return Section(
        "Judging",
        [
            Figure(
                f"all statistics of {len(data.COLUMNS)} columns from two profiles",
                judged,
                "CPU ms",
                COMMAND,
                JUDGING_MS_MAX,
            ),
            Figure("adding two days", one, "CPU ms", COMMAND),
            Figure(f"a window of {DAYS} days, added up", thirty, "CPU ms", COMMAND),
            Figure(
                f"the window of {DAYS} days against {DAYS} sums",
                thirty / (DAYS * one),
                "times",
                COMMAND,
                SUMS_RATIO_MAX,
            ),
        ],
    )


def model() -> ModelConfig:
    """The benchmark's columns as a model's YAML would name them."""
    features = [Feature(name=name, kind="numeric") for name in data.NUMERIC]
    features += [Feature(name=name, kind="categorical") for name in data.CATEGORICAL]
    return ModelConfig(
        model="bench",
        endpoint=Endpoint(name="bench"),
        features=tuple(features),
        prediction=Prediction(name=data.PREDICTION),
    )


def columns() -> tuple[Column, ...]:
    """The same as they are counted."""
    found = [Column(name, "feature", "numeric", "float64") for name in data.NUMERIC]
    found += [Column(name, "feature", "categorical", "string") for name in data.CATEGORICAL]
    return (*found, Column(data.PREDICTION, "prediction", "numeric", "float64"))


def frozen(scale: Scale) -> Baseline:
    """The baseline of the reference rows, with the cells that the functions use."""
    rows = data.make(scale.reference_rows, np.random.default_rng(1))
    return freeze_baseline("bench", "1", columns(), rows, rows)


def milliseconds(work: Callable[[], object], *, repeats: int = _REPEATS) -> float:
    """CPU milliseconds of one call, the best of some: whatever else the machine does only adds."""
    work()
    spent = []
    for _ in range(repeats):
        started = time.process_time()
        for _ in range(_CALLS):
            work()
        spent.append((time.process_time() - started) / _CALLS)
    return min(spent) * 1000


# Calls between two looks at the clock, whose ticks are coarse on some systems.
_CALLS = 5
