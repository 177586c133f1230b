"""A retraining whose transform jobs have ended: its snapshot's files and both models' answers."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kedge.retraining.rows import typed_rows
from tests.handlers.aws_world import MODEL, World

RUN = "run-1"
PREFIX, SCORED = f"retraining/{MODEL}/{RUN}", f"scored/{MODEL}/{RUN}"
START = datetime(2016, 1, 1, tzinfo=UTC)
HOLDOUT_ROWS = 600


def write_holdout(world: World, *, champion_noise: float = 1.2, challenger_noise: float = 0.4) -> np.ndarray:
    """Training rows, a holdout, and answers whose noise says how good each model is; return the challenger's."""
    random = np.random.default_rng(3)
    for name, count in (("training.parquet", 900), ("holdout/truth.parquet", HOLDOUT_ROWS)):
        labels = random.integers(0, 2, count)
        world.put(f"{PREFIX}/{name}", parquet(typed_rows(make_rows(world, random, labels), world.config)))
    answers = {}
    for name, noise in (("challenger", challenger_noise), ("champion", champion_noise)):
        answers[name] = 1 / (1 + np.exp(-(labels - 0.5 + random.normal(0, noise, HOLDOUT_ROWS))))
        lines = [f"r{index},{answer}\n" for index, answer in enumerate(answers[name])]
        # Batch Transform does not promise an order across its files.
        world.put(f"{SCORED}/{name}/input.csv.out", "".join(reversed(lines)).encode())
    world.put(f"{PREFIX}/manifest.json", json.dumps({"digest": "d" * 64}).encode())
    return answers["challenger"]


def make_rows(world: World, random: np.random.Generator, labels: np.ndarray) -> pa.Table:
    """Rows of the model's features, an hour apart."""
    count = len(labels)
    columns: dict[str, object] = {
        "kedge_row_id": [f"r{index}" for index in range(count)],
        "kedge_time": pa.array([START + timedelta(hours=n) for n in range(count)], pa.timestamp("us", "UTC")),
    }
    for feature in world.config.features:
        numeric = feature.kind == "numeric"
        columns[feature.name] = random.normal(100, 20, count) if numeric else random.choice(["a", "b"], count)
    return pa.table({**columns, "label": labels.astype(str)})


def parquet(table: pa.Table) -> bytes:
    """A table as Parquet."""
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()
