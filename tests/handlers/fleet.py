"""Many models that serve, and the calls that a tick makes for all of them."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.client import BaseClient

from kedge.config.model import ModelConfig
from kedge.release.serving import Agreement
from kedge.retraining.state import WindowVerdict
from kedge.severity import Severity
from lambdas.adapters.catalogue import Catalogue
from lambdas.adapters.definitions import Definitions
from lambdas.adapters.state import agreements, capture_states, champions, windows
from lambdas.adapters.state.capture_states import CaptureState
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.state.windows import StoredWindow
from lambdas.handlers import fan_out, watch_monitor
from tests.handlers.aws_world import CONTEXT, MODEL, TABLE, moto_backend
from tests.handlers.monitor_world import Monitor

# A Monday, when every cadence of the example has its tick.
NOW = datetime(2016, 1, 4, 12, 5, tzinfo=UTC)
MIDNIGHT = NOW.replace(hour=0, minute=0)


def fleet(world: Monitor, models: int) -> dict[str, ModelConfig]:
    """Let so many models serve, of which nothing waits and each window but the newest was judged."""
    world.serve(f"{MODEL}-v1")
    endpoints = moto_backend("sagemaker").endpoints
    known, modified_at = endpoints[MODEL], world.sagemaker.describe_endpoint(EndpointName=MODEL)["LastModifiedTime"]
    put_item, puts = world.dynamodb.put_item, list[dict[str, Any]]()
    configs = {f"m-{number}": _named(world.config, f"m-{number}") for number in range(models)}
    world.dynamodb.put_item = lambda TableName, Item: puts.append({"PutRequest": {"Item": Item}})  # noqa: N803
    for model in configs:
        endpoints[model] = copy.copy(known)
        endpoints[model].endpoint_name, endpoints[model].arn = model, f"{known.arn}-{model}"
        champion = Champion("arn", "1", "1", NOW - timedelta(days=90), None, f"{model}-v1", f"{model}-v1")
        champions.save(world.dynamodb, TABLE, model, champion)
        agreement = Agreement(f"{model}-v1", modified_at, NOW, 1)
        agreements.save(world.dynamodb, TABLE, model, agreement)
        state = CaptureState("1", True, NOW, NOW - timedelta(hours=2))
        capture_states.save(world.dynamodb, TABLE, model, state)
        for weeks in (1, 2, 3):
            end = MIDNIGHT - timedelta(weeks=weeks)
            verdict = WindowVerdict(end - timedelta(days=28), end, Severity.OK, None)
            windows.save_window(world.dynamodb, TABLE, model, StoredWindow(verdict, "1", "d", 1, 0))
    world.dynamodb.put_item = put_item
    for start in range(0, len(puts), 25):
        world.dynamodb.batch_write_item(RequestItems={TABLE: puts[start : start + 25]})
    return configs


def _named(config: ModelConfig, name: str) -> ModelConfig:
    endpoint = config.endpoint.model_copy(update={"name": name})
    return config.model_copy(update={"model": name, "endpoint": endpoint})


TICKS = {
    "a quiet hour": {"step": "hour", "cadence": "hourly"},
    "profiling": {"step": "profile", "cadence": "daily"},
    "judging": {"step": "judge", "cadence": "weekly"},
    "the night's settlement": {"step": "hour", "cadence": "hourly", "time": MIDNIGHT.replace(hour=3).isoformat()},
}
WATCH = "the monitor's watch"


def calls_of(tick: str, configs: dict[str, ModelConfig]) -> Counter[str]:
    """The AWS calls of one tick for these models, whose definitions are read already."""
    with pytest.MonkeyPatch.context() as patch, counted() as calls:
        for handler in (fan_out, watch_monitor):
            patch.setattr(handler, "load_catalogue", lambda _: Catalogue(Definitions(configs), Definitions()))
        if tick == WATCH:
            watch_monitor.handler({"time": NOW.isoformat()}, CONTEXT)
        else:
            fan_out.handler({"time": NOW.isoformat(), **TICKS[tick]}, CONTEXT)
    return calls


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count the calls by service and operation."""
    calls, make = Counter[str](), BaseClient._make_api_call

    def counting(client: Any, operation: str, params: Any) -> Any:
        calls[f"{client.meta.service_model.service_name} {operation}"] += 1
        answer = make(client, operation, params)
        if operation == "SendMessageBatch":
            # Somebody takes them: moto looks at every message of a queue for each that comes.
            moto_backend("sqs").queues[params["QueueUrl"].rpartition("/")[2]]._messages.clear()
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", counting)
        yield calls
