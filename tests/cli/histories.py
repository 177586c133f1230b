"""A history with drift and lost quality, and the command that replays it."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from typer.testing import CliRunner

from cli.main import app

BEGIN, UNTIL = datetime(2016, 1, 1, tzinfo=UTC), "2016-03-01"
WEEKS_LOST = (4, 5)
YAML = """
model: parcels
endpoint: {name: parcels}
features:
  - {name: weight, kind: numeric}
  - {name: carrier, kind: categorical}
prediction: {name: score}
"""


def make_rows(*, days=130, per_day=150, seed=0):
    """Sixty days of baseline and ten weeks: the weight moves from the third on, quality is lost in the fifth and sixth."""
    rng = np.random.default_rng(seed)
    rows = days * per_day
    day = np.repeat(np.arange(days), per_day)
    week = (day - 60) // 7
    lost = np.isin(week, WEEKS_LOST)
    signal = rng.normal(size=rows)
    labels = (signal + 0.5 * rng.normal(size=rows) > 0).astype(int)
    score = 1 / (1 + np.exp(-np.where(lost, rng.permutation(signal), signal)))
    times = [
        BEGIN + timedelta(days=int(d), seconds=int(s))
        for d, s in zip(day, np.sort(rng.integers(0, 86_400, rows)), strict=True)
    ]
    return pa.table(
        {
            "parcel_id": [f"p{i}" for i in range(rows)],
            "time": pa.array(times, pa.timestamp("us")),
            "weight": signal + np.where(week >= 2, 1.0, 0.0),
            "carrier": rng.choice(["sea", "road"], rows),
            "score": score,
            "label": labels,
        }
    )


def write_history(folder):
    """The history and its model's YAML."""
    pq.write_table(make_rows(), folder / "history.parquet")
    (folder / "parcels.yaml").write_text(YAML)
    return folder


def run(data, *options, **changed):
    asked = {"time": "time", "baseline-until": UNTIL, "window": "1w", "prediction": "score", "label": "label"} | changed
    arguments = ["backtest", "--data", str(data)]
    for name, value in asked.items():
        if value is not None:
            arguments += [f"--{name}", value]
    return CliRunner().invoke(app, [*arguments, *map(str, options)])
