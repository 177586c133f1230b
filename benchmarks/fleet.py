"""What a tick costs for ten thousand models: its AWS calls counted, and the time that they take by a model of latencies."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.measure import run as measured
from benchmarks.results import Figure, Section
from benchmarks.scale import Scale
from lambdas.adapters import models as deployed
from tests.folder_bucket import STACK, FolderBucket, texts_of
from tests.handlers.fleet import TICKS, WATCH, calls_of, fleet
from tests.handlers.monitor_world import monitor_world

COMMAND = "python -m benchmarks fleet"
TICK_SECONDS_MAX = 60.0
# Milliseconds of a call, one after the other, as seen from a function in the same region.
LATENCY = {"s3": 20, "dynamodb": 5, "sqs": 10, "cloudwatch": 30, "sagemaker": 30}
# `fan_out` and `watch_monitor` have 1,024 MiB: the items of all models come on top. `define_models` has as much, and nothing comes on top.
MEMORY_MIB_MAX, CHANGED_MIB_MAX = 512, 1024
_READ = """
from tests.folder_bucket import STACK, FolderBucket, texts_of
from lambdas.adapters import definitions, models
from lambdas.handlers import watch_monitor
s3, texts = FolderBucket({folder!r}), texts_of({count})
{read}
"""
_CHANGED = "one changed YAML of all, deployed,"
_CHANGE = "texts['m-7'] += '# changed'; assert len(models.bring(s3, '', texts, owner='KedgeModels-1').written) == 1"
_READS = {
    "nothing": "",
    "one definition, by its name,": "assert definitions.load(s3, '', models.DEPLOYED, 'm-7')",
    "all definitions": "assert len(definitions.load_all(s3, '', models.DEPLOYED).models) == len(texts)",
    # Last of all: what it has written is read by no other.
    _CHANGED: _CHANGE,
}


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
    figures += _read_figures(work, scale.models)
    latencies = ", ".join(f"{service} {milliseconds} ms" for service, milliseconds in LATENCY.items())
    note = f"The time is the counted calls, one after the other, at {latencies}; no AWS account took part."
    return Section(f"A tick of {scale.models:,} models", figures, "\n".join([note, "", *lines]))


def waited_seconds(calls: Counter[str]) -> float:
    """The time of these calls, one after the other."""
    return sum(count * LATENCY[call.partition(" ")[0]] for call, count in calls.items()) / 1000


def _memory_limit(name: str) -> float:
    return CHANGED_MIB_MAX if name == _CHANGED else MEMORY_MIB_MAX


def _read_figures(work: Path, models: int) -> list[Figure]:
    """What a process that begins spends on definitions: on one, read by its name, and on all of them."""
    folder = work / f"definitions-{models}"
    deployed.bring(FolderBucket(str(folder)), "", texts_of(models), owner=STACK)
    programs = {name: _READ.format(folder=str(folder), count=models, read=read) for name, read in _READS.items()}
    spent = {name: measured([sys.executable, "-c", program]) for name, program in programs.items()}
    if failed := next((each.output for each in spent.values() if each.exit_code), None):
        raise RuntimeError(failed)
    nothing = spent.pop("nothing")
    return [
        figure
        for name, each in spent.items()
        for figure in (
            Figure(f"{name} of {models:,}: CPU", max(0.0, each.cpu_seconds - nothing.cpu_seconds), "s", COMMAND),
            Figure(
                f"{name} of {models:,}: memory of the process", each.peak_mib, "MiB", COMMAND, limit=_memory_limit(name)
            ),
        )
    ]
