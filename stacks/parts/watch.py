"""How often the monitor itself is watched: as its fastest cadence needs."""

from __future__ import annotations

from collections.abc import Sequence

from kedge.config.model import ModelConfig


def watch_hours(models: Sequence[ModelConfig]) -> int:
    """Every hour where a model is counted or judged hourly, else twice a day."""
    hourly = any("hourly" in (model.cadence.profile, model.cadence.judge) for model in models)
    return 1 if hourly else 12
