"""What an alarm's change of state means for a model's people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kedge.config.model import ModelConfig


@dataclass(frozen=True)
class AlarmNews:
    """An alarm of a model that rings, or has stopped."""

    model: str
    time: datetime
    detail: Mapping[str, Any]


def alarm_news(event: Mapping[str, Any], models: Mapping[str, ModelConfig]) -> AlarmNews | None:
    """Read the detail of CloudWatch's "Alarm State Change"; None where no model is meant, or where nothing rang before.

    Every alarm becomes OK for the first time soon after it was made: that is no news.
    """
    state, before = event["state"], event.get("previousState", {})
    if state["value"] not in ("ALARM", "OK") or (state["value"] == "OK" and before.get("value") != "ALARM"):
        return None
    model = _model_of(event.get("configuration", {}).get("metrics", ()), models)
    if model is None:
        return None
    # CloudWatch writes +0000, which not every reader of ISO 8601 takes.
    time = datetime.fromisoformat(state["timestamp"].replace("+0000", "+00:00")).replace(microsecond=0)
    detail = {
        "alarm": event["alarmName"],
        "says": event.get("configuration", {}).get("description", ""),
        "state": state["value"],
        "reason": state.get("reason", ""),
        "mailed": True,
    }
    return AlarmNews(model, time, detail)


def _model_of(metrics: Iterable[Mapping[str, Any]], models: Mapping[str, ModelConfig]) -> str | None:
    """The model whose endpoint's metric an alarm reads."""
    endpoints = {config.endpoint.name: name for name, config in models.items()}
    for metric in metrics:
        dimensions = metric.get("metricStat", {}).get("metric", {}).get("dimensions", {})
        if name := endpoints.get(dimensions.get("EndpointName", "")):
            return name
    return None
