"""One small sample of each thing that Kedge stores, as the code of now writes it.

`tests/data/stored/` holds the same samples as an earlier version wrote them; `write` adds those of a new kind, and leaves
the others alone: what stands there is what deployed versions left behind.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kedge.alerts.episode import Alarm, AlertEpisode, News
from kedge.alerts.holding import Mute
from kedge.capture.id_hashes import encode_hashes
from kedge.config.model import ModelConfig
from kedge.estimation.track_record import Comparison, TrackRecord
from kedge.labels.fold import in_schema, label_schema, waiting_schema
from kedge.labels.ledger import LabelLedger, encode_ledger
from kedge.outcomes.counts import count_outcomes
from kedge.outcomes.outcomes import read_outcomes
from kedge.own_columns import LABEL
from kedge.package_schema import encode_schema
from kedge.profile.counted_objects import CountedObjects
from kedge.profile.counting import count_rows, count_rows_by_hour
from kedge.profile.day import DayProfile, encode_day
from kedge.profile.encoding import encode_baseline, encode_profile
from kedge.profile.freezing import Fineness
from kedge.release.canary_reading import AnswersRead, Reading
from kedge.release.look_table import LookRow
from kedge.release.promise import Promise
from kedge.release.proof import LastWatch
from kedge.release.serving import Agreement
from kedge.retraining.state import OutsideRequest, RetrainingStart, WindowVerdict
from kedge.severity import Severity
from kedge.slices.counts import slice_reference
from kedge.slices.encoding import encode_slices
from lambdas.adapters.bucket.label_days import encode_labels
from lambdas.adapters.release import experiments, trials
from lambdas.adapters.release.trials import AbTrial
from lambdas.adapters.state import (
    agreements,
    alert_episodes,
    approvals,
    canary_watch,
    capture_states,
    champions,
    deliveries,
    leases,
    mutes,
    pauses,
    progress,
    promises,
    served,
    track_records,
    under_way,
    windows,
    wishes,
)
from lambdas.adapters.state.wishes import HeldRetraining
from lambdas.steps.baseline_files import reference_document
from tests.builders import make_baseline, make_config, make_window

FOLDER = Path(__file__).parent / "data" / "stored"
NOW = datetime(2016, 1, 4, 2, tzinfo=UTC)
ROWS = 240
BUSINESS = "business: [{name: loss_avoided, column: weight, over: true_positive}]\n"
PROBLEMS = {
    "binary": BUSINESS,
    "multiclass": "problem: multiclass_classification\nlabels: {classes: [a, b, c]}\n"
    "prediction: {name: answer, probabilities: [p_a, p_b, p_c]}\n",
    "regression": "problem: regression\nprediction: {name: amount}\n",
}


def files() -> dict[str, bytes]:
    """Objects of the bucket, by name."""
    config = make_config()
    rows = make_window(rows=ROWS, seed=1)
    baseline = make_baseline(config, make_window(rows=ROWS, seed=2), fineness=Fineness(maximum_levels=2))
    hours = count_rows_by_hour(baseline, rows, np.arange(ROWS) % 3 + 10)
    counted = CountedObjects.of({"captures/a.jsonl": "1"})
    requests = {10: 80, 11: 80, 12: 80}
    day = DayProfile(hours, counted, ("predictions/m/a.parquet",), 2, 3, requests, folders=("captures/",))
    labels = pa.table({"kedge_row_id": ["1", "2"], "label": ["1", "0"], "kedge_collected": [NOW, NOW]})
    ledger = LabelLedger(
        ("refund",), {"a": "1"}, {"a": {"no id": 2}}, {"a": 3}, "2016-01-04T02:00:00+00:00", {"b": "1 7"}, 2
    )
    return {
        "baseline.npz": encode_baseline(baseline),
        "profile.npz": encode_profile(count_rows(baseline, rows)),
        "day.npz": encode_day(day),
        "slices.npz": encode_slices(slice_reference(baseline, _holdout("binary")[1], _holdout("binary")[0])),
        "schema.json": encode_schema(config),
        "ledger.json": encode_ledger(ledger),
        "labels.parquet": encode_labels(in_schema(labels, label_schema(["refund"]))),
        "waiting.parquet": encode_labels(in_schema(labels, waiting_schema(["refund"]))),
        "counted.ids": encode_hashes(np.arange(5, dtype=np.uint64)),
    } | {f"reference_{problem}.json": _reference(problem) for problem in PROBLEMS}


def write() -> None:
    """Add the samples that are not there yet."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    described = {f"{name}.item.json": _as_json(kind.written()) for name, kind in ITEMS.items()}
    for name, content in (files() | described).items():
        if not (FOLDER / name).exists():
            (FOLDER / name).write_bytes(content)


def stored_item(name: str) -> dict[str, Any]:
    """An item of the state table as it was stored."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.item.json").read_bytes())
    return {fact: {"B": base64.b64decode(value["B"])} if "B" in value else value for fact, value in found.items()}


def _as_json(item: Mapping[str, Any]) -> bytes:
    values = {n: {"B": base64.b64encode(v["B"]).decode()} if "B" in v else v for n, v in item.items()}
    return (json.dumps(values, indent=1) + "\n").encode()


def _holdout(problem: str) -> tuple[ModelConfig, pa.Table]:
    config, rng = make_config(PROBLEMS[problem]), np.random.default_rng(3)
    rows = make_window(rows=ROWS, seed=3)
    if problem == "binary":
        truth = (rng.random(ROWS) < rows.column("prediction").to_numpy()).astype(int)
        return config, rows.append_column(LABEL, pa.array(truth.astype(str)))
    if problem == "regression":
        amount = rng.normal(50, 9, ROWS)
        rows = rows.append_column("amount", pa.array(amount))
        return config, rows.append_column(LABEL, pa.array(amount + rng.normal(0, 2, ROWS)))
    chances = rng.dirichlet(np.ones(3), ROWS)
    for place, name in enumerate(config.prediction.probabilities):
        rows = rows.append_column(name, pa.array(chances[:, place]))
    truth = (chances.cumsum(axis=1) < rng.random((ROWS, 1))).sum(axis=1).clip(0, 2)
    classes = np.array(config.labels.classes)
    return config, rows.append_column("answer", pa.array(classes[chances.argmax(axis=1)])).append_column(
        LABEL, pa.array(classes[truth])
    )


def _reference(problem: str) -> bytes:
    config, holdout = _holdout(problem)
    outcomes, _ = read_outcomes(holdout, config.prediction.name, LABEL, config)
    document = reference_document(config, holdout, outcomes, count_outcomes(outcomes, config))
    return json.dumps(document, sort_keys=True).encode()


@dataclass(frozen=True)
class StoredItem:
    """A kind of item of the state table: what a sample of it means, and how it is written and read."""

    means: Any
    save: Callable[[Any, Any], object]
    load: Callable[[Any], Any]

    def written(self) -> dict[str, Any]:
        """The item as the code of now writes it."""
        paper = OneItem({})
        self.save(paper, self.means)
        return paper.item

    def read(self, item: Mapping[str, Any]) -> Any:
        """What the code of now reads from an item."""
        return self.load(OneItem(item))


class OneItem:
    """DynamoDB as far as one item is put into a table and read from it."""

    def __init__(self, item: Mapping[str, Any]) -> None:
        self.item = dict(item)

    def put_item(self, **request: Any) -> dict[str, Any]:
        self.item = request["Item"]
        return {}

    def get_item(self, **_request: Any) -> dict[str, Any]:
        return {"Item": self.item} if self.item else {}

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        return {"Responses": {table: [self.item] for table in request["RequestItems"]}}

    def get_paginator(self, _name: str) -> OneItem:
        return self

    def paginate(self, **_request: Any) -> list[dict[str, Any]]:
        return [{"Items": [self.item]}]


_WEEK_AGO = NOW - timedelta(days=7)
_VERDICT = WindowVerdict(_WEEK_AGO, NOW, Severity.OK, Severity.CRITICAL, Severity.INSUFFICIENT_DATA, Severity.WARNING)
_LIVE = {"name": "auc", "value": 0.7, "limit": 0.75, "severity": "CRITICAL"}
_NEWS = News("begins", ("measured quality",))
_ALARMS = {"measured quality": Alarm(Severity.CRITICAL, NOW)}
_READING = Reading(AnswersRead(12, 1), frozenset([b"12345678"]), b"mark", 7)
_LAST = LastWatch("OK", ("all is well",), 10)
_LOOK = LookRow("failed requests", "0 of 10", "0 of 10", "5 %", "OK")
_ROLLBACK = {"reason": "slow", "from": "4"}
_TRACK = TrackRecord((Comparison(_WEEK_AGO, NOW, "auc", 0.8, 0.01, 0.75),))

ITEMS: Mapping[str, StoredItem] = {
    "champion": StoredItem(
        champions.Champion("arn:2", "2", "2", NOW, _WEEK_AGO, "m-v2", "m-v2", "arn:1"),
        lambda db, one: champions.save(db, "t", "m", one),
        lambda db: champions.load(db, "t", "m"),
    ),
    "delivery": StoredItem(
        deliveries.Delivery(accepted=True, uncertain=True),
        lambda db, one: deliveries.save(db, "t", ("m", "slack", "ab12"), one, now=NOW),
        lambda db: deliveries.load(db, "t", ("m", "slack", "ab12")),
    ),
    "incident": StoredItem(
        (deliveries.Heard(NOW, True, "1.2", NOW), 1),
        lambda db, one: deliveries.save_incident(db, "t", ("m", "slack", "m/run/r"), one[0], revision=0, now=NOW),
        lambda db: deliveries.load_incident(db, "t", ("m", "slack", "m/run/r")),
    ),
    "estimates": StoredItem(
        _TRACK, lambda db, one: track_records.save(db, "t", "m", one), lambda db: track_records.load(db, "t", "m")
    ),
    "window": StoredItem(
        windows.StoredWindow(_VERDICT, "2", "ab12", 1, 70, (4, 5), (_LIVE,)),
        lambda db, one: windows.save_window(db, "t", "m", one),
        lambda db: windows.load_window(db, "t", "m", NOW),
    ),
    "start": StoredItem(
        {"r": RetrainingStart(NOW, "performance", "performance-1")},
        lambda db, one: windows.save_start(db, "t", "m", "r", one["r"]),
        lambda db: windows.load_starts(db, "t", "m"),
    ),
    "label_horizon": StoredItem(
        7.5, lambda db, one: windows.save_horizon(db, "t", "m", one), lambda db: windows.load_horizon(db, "t", "m")
    ),
    "mute": StoredItem(
        Mute(NOW, "a campaign", "arn:person"),
        lambda db, one: mutes.save(db, "t", "m", one),
        lambda db: mutes.load(db, "t", "m"),
    ),
    "held": StoredItem(
        HeldRetraining("line", 12.5),
        lambda db, one: wishes.save_held(db, "t", "m", one),
        lambda db: wishes.load_held(db, "t", ["m"])["m"],
    ),
    "requested": StoredItem(
        OutsideRequest(NOW, "pricing", "a new catalogue"),
        lambda db, one: wishes.save_request(db, "t", "m", one),
        lambda db: wishes.load_request(db, "t", "m"),
    ),
    "pause": StoredItem(
        "a strike",
        lambda db, one: pauses.save(db, "t", "m", reason=one, by="arn:person", now=NOW),
        lambda db: windows.pause_reason(db, "t", "m"),
    ),
    "alert_episode": StoredItem(
        (AlertEpisode(_WEEK_AGO, NOW, "2", _ALARMS, NOW, NOW, untold=_NEWS), 1),
        lambda db, one: alert_episodes.save(db, "t", "m", one[0], revision=0),
        lambda db: alert_episodes.load(db, "t", "m"),
    ),
    "approval": StoredItem(
        approvals.Approval("Approved", 1, NOW),
        lambda db, one: approvals.save(db, "t", "m", "3", one),
        lambda db: approvals.load(db, "t", "m", "3"),
    ),
    "waiting_release": StoredItem(
        approvals.Waiting("arn:3", "3", NOW),
        lambda db, one: approvals.wait(db, "t", "m", one),
        lambda db: approvals.load_waiting(db, "t", "m"),
    ),
    "lease": StoredItem(
        leases.Lease("arn:r", NOW, "release"),
        lambda db, one: leases.take(db, None, "t", "m", one),
        lambda db: leases.read(db.item),
    ),
    "canary": StoredItem(
        canary_watch.CanaryWatch("r", "3", "m-v3", 12, "2016-01-04T02:00:00Z", _LAST, _READING),
        lambda db, one: canary_watch.save(db, "t", "m", one),
        lambda db: canary_watch.load(db, "t", "m"),
    ),
    "promise": StoredItem(
        Promise("m-v2", ("2026-03-02T00:00:00Z",), ("auc is 0.7",)),
        lambda db, one: promises.save(db, "t", "m", one),
        lambda db: promises.load(db, "t", "m"),
    ),
    "release": StoredItem(
        under_way.ReleaseUnderWay("r", "arn:3", "3", "m-v3", "m-v2", ("alarm",), NOW, _ROLLBACK, "2"),
        lambda db, one: under_way.save(db, "t", "m", one),
        lambda db: under_way.load(db, "t", "m"),
    ),
    "experiment": StoredItem(
        experiments.Experiment(
            *("r", "arn:3", "3", "2", "m-v3-s", "m-v2", NOW, NOW, NOW, "PROVED"), ("equal answers",), (_LOOK,)
        ),
        lambda db, one: experiments.save(db, "t", "m", one),
        lambda db: experiments.load(db, "t", "m", "r"),
    ),
    "trials": StoredItem(
        (AbTrial("3", "2", NOW, NOW),),
        lambda db, found: [trials.begin(db, "t", "m", one) for one in found],
        lambda db: trials.load(db, "t", "m"),
    ),
    "compared": StoredItem(
        Agreement("m-v2", NOW, NOW),
        lambda db, one: agreements.save(db, "t", "m", one),
        lambda db: agreements.read(db.item),
    ),
    "captures": StoredItem(
        capture_states.CaptureState("2", True, NOW),
        lambda db, one: capture_states.save(db, "t", "m", one),
        lambda db: capture_states.read(db.item),
    ),
    "profiled": StoredItem(
        NOW,
        lambda db, one: progress.save_profiled(db, "t", "m", one),
        lambda db: progress.load_profiled(db, "t", "m"),
    ),
    "served": StoredItem(
        ["3"],
        lambda db, one: served.save(db, "t", "m", one[0], since=NOW),
        lambda db: served.load(db, "t", "m", now=NOW),
    ),
}

if __name__ == "__main__":
    write()
