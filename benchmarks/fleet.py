"""What a tick costs for ten thousand models: its AWS calls counted, and the time that they take by a model of latencies."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.results import Figure, Section
from benchmarks.scale import Scale
from kedge.config.reading import from_json, parse_model_config, to_json
from tests.handlers.fleet import TICKS, WATCH, calls_of, fleet
from tests.handlers.monitor_world import monitor_world
from tests.synthesised import EXAMPLE, example_models

COMMAND = "python -m benchmarks fleet"
TICK_SECONDS_MAX = 60.0
# Milliseconds of a call, one after the other, as seen from a function in the same region.
LATENCY = {"s3": 20, "dynamodb": 5, "sqs": 10, "cloudwatch": 30, "sagemaker": 30}


def section(work: Path, scale: Scale) -> Section:
    """Count the calls of each tick, and time how the definitions are read."""
    figures, lines = list[Figure](), list[str]()
    with pytest.MonkeyPatch.context() as patch, monitor_world(patch, page_items=None) as world:
        configs = fleet(world, scale.models)
        for tick in (*TICKS, WATCH):
            calls = calls_of(tick, configs)
            what = f"{tick}, {scale.models:,} models"
            figures += [
                Figure(f"{what}: calls", calls.total(), "calls", COMMAND),
                Figure(f"{what}: time of the calls", waited_seconds(calls), "s", COMMAND, limit=TICK_SECONDS_MAX),
            ]
            told = ", ".join(f"{count:,} {call}" for call, count in sorted(calls.items()))
            lines.append(f"- {tick}: {told}")
    text = (example_models() / EXAMPLE).read_text(encoding="utf-8")
    parsed = to_json(parse_model_config(text, source=EXAMPLE))
    of_yaml = _seconds(lambda: parse_model_config(text, source=EXAMPLE), scale.repeats)
    of_json = _seconds(lambda: from_json(parsed), scale.repeats)
    figures += [
        Figure(f"definitions of {scale.models:,} models read as YAML, CPU", of_yaml * scale.models, "s", COMMAND),
        Figure("the same as a package keeps them, CPU", of_json * scale.models, "s", COMMAND),
    ]
    latencies = ", ".join(f"{service} {milliseconds} ms" for service, milliseconds in LATENCY.items())
    note = f"The time is the counted calls, one after the other, at {latencies}; no AWS account took part."
    return Section(f"A tick of {scale.models:,} models", figures, "\n".join([note, "", *lines]))


def waited_seconds(calls: Counter[str]) -> float:
    """The time of these calls, one after the other."""
    return sum(count * LATENCY[call.partition(" ")[0]] for call, count in calls.items()) / 1000


def _seconds(read: Callable[[], object], repeats: int) -> float:
    began = time.process_time()
    for _ in range(repeats):
        read()
    return (time.process_time() - began) / repeats
