"""The model that the smoke works with, and rows with a signal that it can learn."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from kedge.config.model import ModelConfig
from kedge.config.reading import parse_model_config
from lambdas.stage import current

DEFINITION = Path(__file__).with_name("kedge-smoke.yaml")
MODEL = DEFINITION.stem
TRAINING_ROWS, TRAINING_DAYS = 3000, 60
PLANTS = ("north", "south", "east")
DEFECT_BY_PLANT = (-0.5, 0.0, 0.8)


@dataclass(frozen=True)
class Row:
    """One request's row, and the truth."""

    temperature: float
    pressure: float
    age_days: int
    plant: str
    label: int

    @property
    def payload(self) -> str:
        """The row as the endpoint is asked, in the order of the YAML."""
        return f"{self.temperature},{self.pressure},{self.age_days},{self.plant}"


def load_definition() -> ModelConfig:
    """The bundled YAML, in its stage."""
    return parse_model_config(DEFINITION.read_text(encoding="utf-8"), source=str(DEFINITION)).in_stage(current())


def draw_rows(count: int, random: np.random.Generator) -> list[Row]:
    """Rows of one population: hot, old or eastern things are defective more often."""
    temperature, pressure = random.normal(60, 10, count), random.gamma(4, 2, count)
    age, plant = random.integers(1, 400, count), random.integers(len(PLANTS), size=count)
    signal = (temperature - 60) / 10 * 1.5 + (age - 200) / 120 + np.take(DEFECT_BY_PLANT, plant)
    label = random.random(count) < 1 / (1 + np.exp(-signal))
    return [
        Row(round(float(t), 3), round(float(p), 3), int(a), PLANTS[n], int(truth))
        for t, p, a, n, truth in zip(temperature, pressure, age, plant, label, strict=True)
    ]


def training_parquet(rows: list[Row], *, until: datetime) -> bytes:
    """The rows as a user hands over the first ones, spread evenly over the days before `until`."""
    import pyarrow as pa

    from lambdas.adapters.training.training_data import table_bytes

    step = timedelta(days=TRAINING_DAYS) / len(rows)
    times = [until - step * (len(rows) - place) for place in range(len(rows))]
    columns = {
        "id": [f"training-{place}" for place in range(len(rows))],
        "timestamp": pa.array(times, pa.timestamp("us", "UTC")),
        **{name: [getattr(row, name) for row in rows] for name in load_definition().feature_names},
        "label": [row.label for row in rows],
    }
    return table_bytes(pa.table(columns))


def label_lines(labels: dict[str, int]) -> bytes:
    """Labels by inference id, in Model Monitor's ground-truth format."""
    records = (
        {
            "groundTruthData": {"data": str(label), "encoding": "CSV"},
            "eventMetadata": {"eventId": inference_id},
            "eventVersion": "0",
        }
        for inference_id, label in labels.items()
    )
    return "\n".join(json.dumps(record) for record in records).encode()
