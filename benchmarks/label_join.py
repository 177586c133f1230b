"""Joining late labels: a million at once against reading their files, and a day's labels on a long and on a short history."""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.label_history import DAY_LABELS, LabelHistory, fake_aws
from benchmarks.measure import Spent, run
from benchmarks.results import Figure, Section
from benchmarks.scale import Scale
from cli.lean_start import prefer_what_is_fast
from kedge.config.model import ModelConfig
from kedge.config.sections import Endpoint, Feature
from kedge.intervals import Estimate
from kedge.labels.join import join_labels
from kedge.labels.labelled_rows import TRUTH, labelled_rows
from kedge.outcomes.counts import count_outcomes, measure
from kedge.outcomes.outcomes import read_outcomes
from lambdas.adapters import clients
from lambdas.adapters.bucket.label_days import encode_labels

COMMAND = "python -m benchmarks label_join"
RATIO_MAX, PEAK_MIB_MAX, INCREMENT_RATIO_MAX = 3.0, 1024.0, 1.1
HISTORIES = 7, 90
_ROUNDS, _FOLDS = 5, 10
_FIRST = 1_767_225_600  # 2026-01-01
_DAY = 86_400


def section(work: Path, scale: Scale) -> Section:
    """Join files of answers and labels; fold a day's labels, with hints of their rows' days and without."""
    # The children inherit what makes their sorts fast on this processor.
    prefer_what_is_fast()
    place = work / "label_join"
    place.mkdir(parents=True, exist_ok=True)
    rows = scale.rows
    answers, labels = write_files(place, rows)
    found, spent = child("join", str(answers), str(labels))
    reading, joining = found["reading"], found["joining"]
    figures = [
        Figure(f"pyarrow reads {rows:,} answers and their {rows:,} labels", reading, "CPU s", COMMAND),
        Figure("the same joined, and every binary metric with its interval", joining, "CPU s", COMMAND),
        Figure("joined and measured against read", joining / reading, "times", COMMAND, RATIO_MAX),
        Figure("peak memory of both", spent.peak_mib, "MiB", COMMAND, PEAK_MIB_MAX),
    ]
    per_day = min(DAY_LABELS, rows // 10)
    histories, rounds = (HISTORIES, _FOLDS) if scale.repeats >= Scale.repeats else ((7, 8), 1)
    for hints in (True, False):
        how = "with hints" if hints else "without hints"
        costs, _ = child("fold", *map(str, (per_day, int(hints), *histories, rounds)))
        short, long = (costs[str(days)] for days in histories)
        what = f"a day's {per_day:,} labels folded {how} ({costs['objects']:.0f} objects opened)"
        figures += [Figure(f"{what}, {days} days of history", costs[str(days)], "CPU s", COMMAND) for days in histories]
        for days in histories:
            requests, size = costs[f"{days} requests"], costs[f"{days} bytes"]
            figures.append(
                Figure(f"the same, {days} days: S3 answers {size / 1e6:.2f} MB", requests, "requests", COMMAND)
            )
        ratio, limit = long / short, INCREMENT_RATIO_MAX if hints else None
        figures.append(Figure(f"{how}: {histories[1]} days against {histories[0]}", ratio, "times", COMMAND, limit))
    return Section("Late labels", figures, _NOTES)


def write_files(place: Path, rows: int) -> tuple[Path, Path]:
    """A file of answers as `profile_logs` writes it, and one of their labels, in another order, as the fold does."""
    rng = np.random.default_rng(7)
    ids = made_ids(rows, rng)
    times = _FIRST * 10**6 + np.sort(rng.integers(0, _DAY * 10**6, rows))
    scores = rng.beta(2, 5, rows)
    order = rng.permutation(rows)
    collected = (times // 3_600_000_000 + rng.integers(1, 240, rows)) * 3_600_000_000
    moments = pa.timestamp("us", "UTC")
    answers = pa.table({"kedge_row_id": ids, "kedge_time": pa.array(times, moments), "score": scores})
    labels = pa.table(
        {
            "kedge_row_id": ids,
            "label": (rng.random(rows) < scores).astype(np.int8).astype(str),
            "kedge_collected": pa.array(collected, moments),
            "kedge_source": [
                f"labels/bench/hour-{hour}/labels.jsonl" for hour in ((collected - times[0]) // 3_600_000_000).tolist()
            ],
        }
    ).take(pa.array(order))
    paths = place / f"answers_{rows}.parquet", place / f"labels_{rows}.parquet"
    pq.write_table(answers, paths[0], compression="snappy")
    paths[1].write_bytes(encode_labels(labels))
    return paths


def made_ids(rows: int, rng: np.random.Generator) -> list[str]:
    """Ids of 36 letters, as SageMaker and its callers make them."""
    random = rng.bytes(16 * rows)
    return [str(uuid.UUID(bytes=random[16 * row : 16 * row + 16], version=4)) for row in range(rows)]


def model() -> ModelConfig:
    """A model of two classes."""
    features = (Feature(name="x", kind="numeric"),)
    return ModelConfig.model_validate(
        {"model": "bench", "endpoint": Endpoint(name="bench"), "features": features, "prediction": {"name": "score"}}
    )


def read(answers: Path, labels: Path) -> tuple[pa.Table, pa.Table]:
    """Both files, on one thread."""
    return pq.read_table(answers, use_threads=False), pq.read_table(labels, use_threads=False)


def measured(answers: Path, labels: Path, config: ModelConfig) -> dict[str, Estimate]:
    """Every metric of the joined files."""
    answered, known = read(answers, labels)
    rows = labelled_rows(join_labels(answered, [known], ()), config, now=float(_FIRST + 20 * _DAY), unmatched=0)
    outcomes, _ = read_outcomes(rows.table, "score", TRUTH, config)
    return measure(count_outcomes(outcomes, config), config.performance)


def join_costs(answers: Path, labels: Path) -> dict[str, float]:
    """CPU seconds of reading the files and of measuring what they hold, the best of some rounds in turn."""
    pa.set_cpu_count(1)
    config = model()
    spent = [
        (seconds(lambda: read(answers, labels)), seconds(lambda: measured(answers, labels, config)))
        for _ in range(_ROUNDS)
    ]
    reading, joining = zip(*spent, strict=True)
    return {"reading": min(reading), "joining": min(joining)}


def fold_costs(labels: int, histories: Sequence[int], *, hints: bool, rounds: int) -> dict[str, float]:
    """CPU seconds of folding one day's labels on each history, the best of some rounds in turn, and the objects opened for it."""
    costs: dict[str, float] = {}
    with fake_aws():
        made = {str(days): LabelHistory(days, labels) for days in histories}
        # What the fake S3 holds is no garbage: looked through again and again, it would be charged to whoever runs.
        gc.collect()
        gc.freeze()
        spent: dict[str, list[float]] = defaultdict(list)
        asked = counted_requests()
        for number in range(rounds):
            # Neither is always the first, who finds the caches cold.
            for name, history in sorted(made.items(), reverse=bool(number % 2)):
                history.arrange(hints=hints)
                asked.clear()
                spent[name].append(seconds(history.fold))
                costs |= {f"{name} {what}": float(count) for what, count in asked.items()}
        objects = {history.folded.objects_opened for history in made.values()}
        if {history.folded.matched for history in made.values()} != {labels}:
            raise RuntimeError(f"not all of {labels} labels found their row")
    return costs | {name: min(found) for name, found in spent.items()} | {"objects": max(objects)}


def counted_requests() -> Counter[str]:
    """What is asked of S3 from now on: its requests, and the bytes that it answers with."""
    asked: Counter[str] = Counter()

    def count(parsed: dict[str, Any], **_: Any) -> None:
        asked.update({"requests": 1, "bytes": parsed.get("ContentLength", 0)})

    clients.s3().meta.events.register("after-call.s3", count)
    return asked


def seconds(work: Callable[[], Any]) -> float:
    """CPU seconds that something takes."""
    started = time.process_time()
    work()
    return time.process_time() - started


def child(*arguments: str) -> tuple[dict[str, float], Spent]:
    """What a process of its own measured, and what it took."""
    spent = run([sys.executable, "-m", "benchmarks.label_join", *arguments], environment=dict(os.environ))
    if spent.exit_code:
        raise RuntimeError(f"label_join {' '.join(arguments)} failed: {spent.output}")
    found: dict[str, float] = json.loads(spent.output.splitlines()[-1])
    return found, spent


_NOTES = (
    "Ids have 36 letters. A day's labels come in 24 files, about rows of five earlier days; the predictions table has 24 parts a day. "
    "The increment is a run of the fold, with S3 played by moto in the same process, whose listings take longer the more objects a bucket "
    "holds: requests and bytes are what the fold itself asks for. Without hints days are opened newest first until "
    "every label has found its row. One run a week lists 30 days of label files instead of 7, which the increment does not hold."
)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, given in (("join", ("answers", "labels")), ("fold", ("labels", "hints", "short", "long", "rounds"))):
        one = commands.add_parser(name)
        for argument in given:
            one.add_argument(argument, type=Path if name == "join" else int)
    asked = parser.parse_args()
    if asked.command == "join":
        print(json.dumps(join_costs(asked.answers, asked.labels)))
    else:
        days = (asked.short, asked.long)
        print(json.dumps(fold_costs(asked.labels, days, hints=bool(asked.hints), rounds=asked.rounds)))
