"""How often the monitor itself is watched: as its fastest cadence needs."""

from __future__ import annotations

from collections.abc import Sequence

from kedge.config.model import ModelConfig


def watch_hours(models: Sequence[ModelConfig]) -> int:
    """Every hour where a model is counted or judged hourly, else twice a day."""
    return 1 if any(model.cadence.is_hourly for model in models) else 12
