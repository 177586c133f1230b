"""Estimated against realised quality, beside NannyML's CBPE on the same rows: mean absolute errors over chunks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.measure import ROOT
from benchmarks.peers import SILENCE, environment
from benchmarks.results import Figure, Section
from benchmarks.scale import Scale
from kedge.estimation.estimators import ScoreEstimator, fit_estimator
from kedge.outcomes.outcomes import Outcomes

BOOKINGS = ROOT / "demo" / "data" / "hotel_bookings.parquet"
METRICS = ("auc", "accuracy", "f1")
RATIO_MAX = 1.0
COMMAND = "python -m benchmarks estimation"
_PEER = Path(__file__).parent / "peer_scripts" / "estimate_nannyml.py"
_PEER_SECONDS = 900
# Arrivals of July to September 2015 teach the model; of a third of them it learns nothing, and they are the reference.
_TAUGHT_UNTIL, _REFERENCE_FRACTION = "2015-10", 0.3
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def section(work: Path, scale: Scale) -> Section:
    """Write the data sets, let both estimate every chunk, and compare both with what came true."""
    place = work / "estimation"
    shutil.rmtree(place, ignore_errors=True)
    write_bookings(place)
    write_shifted(place, sets=24 if scale.repeats >= Scale.repeats else 2)
    python, reason = environment("nannyml")
    reason = reason or _estimated_by_peer(python, place)
    errors = {folder.name: errors_of(folder) for folder in sorted(place.iterdir())}
    return Section("Estimates without labels, against the labels", _figures(errors), _notes(errors, reason))


def errors_of(folder: Path) -> dict[str, dict[str, float]]:
    """Mean absolute error of each metric over a folder's chunks: Kedge's, and NannyML's where it has estimated."""
    reference, rows = (pq.read_table(folder / f"{name}.parquet") for name in ("reference", "chunks"))
    scores, labels = _columns(reference)
    estimator = fit_estimator(Outcomes("binary_classification", scores, labels, ("0", "1")), threshold=0.5)
    if not isinstance(estimator, ScoreEstimator):
        raise ValueError(f"{folder.name}: the reference teaches nothing")
    truths, ours = [], []
    for chunk in pc.unique(rows.column("chunk")).sort().to_pylist():
        scores, labels = _columns(rows.filter(pc.equal(rows.column("chunk"), chunk)))
        found = estimator.estimate(estimator.count(scores), 0.95)
        truths.append(_realised(scores, labels))
        ours.append([found[name].value for name in METRICS])
    sides = {"kedge": np.array(ours)}
    theirs = folder / "estimates.json"
    if theirs.exists():
        sides["nannyml"] = np.array([[one[name] for name in METRICS] for one in json.loads(theirs.read_text())])
    return {
        side: dict(zip(METRICS, np.abs(found - np.array(truths)).mean(axis=0).tolist(), strict=True))
        for side, found in sides.items()
    }


def write_bookings(place: Path) -> None:
    """Cancellations, predicted by models of 2015: every month of arrivals after is a chunk. P(y given x) moves here."""
    table = pq.read_table(BOOKINGS)
    months = np.array(pc.strftime(table.column("timestamp"), "%Y-%m").to_pylist())
    inputs, labels = _numbers(table), table.column("label").to_numpy().astype(np.int64)
    early, kept_apart = months < _TAUGHT_UNTIL, np.random.default_rng(0).random(len(labels)) < _REFERENCE_FRACTION
    models = {
        "trees": HistGradientBoostingClassifier(random_state=0),
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
        "bayes": GaussianNB(),
    }
    for name, model in models.items():
        model.fit(inputs[early & ~kept_apart], labels[early & ~kept_apart])
        scores = model.predict_proba(inputs)[:, 1]
        _write(place / f"hotel bookings, {name}", scores, labels, early & kept_apart, ~early, months)


def write_shifted(place: Path, *, sets: int) -> None:
    """Made-up rows whose inputs move and whose P(y given x) stays: what the method is meant for."""
    for seed in range(sets):
        rng = np.random.default_rng(seed)
        inputs, labels = make_classification(
            40_000,
            10,
            n_informative=6,
            flip_y=0.1,
            class_sep=0.6 + 0.1 * (seed % 3),
            weights=[0.5 + 0.1 * (seed % 4)],
            random_state=seed,
        )
        model = (
            HistGradientBoostingClassifier(random_state=0),
            LogisticRegression(),
            GaussianNB(),
            RandomForestClassifier(60, min_samples_leaf=5, random_state=0),
        )[seed % 4]
        scores = model.fit(inputs[:4_000], labels[:4_000]).predict_proba(inputs)[:, 1]
        taught = np.arange(4_000, 4_000 + (1_000, 4_000)[seed // 4 % 2])
        picked = [_picked(inputs[:, seed % 10], taught[-1] + 1, step, rng) for step in np.linspace(-0.8, 0.8, 10)]
        order = np.concatenate([taught, *picked])
        chunk = np.repeat(np.arange(-1, 10), [len(taught), *map(len, picked)])
        _write(place / f"made up {seed + 1:02}", scores[order], labels[order], chunk < 0, chunk >= 0, chunk)


def _picked(feature: Floats, first: int, tilt: float, rng: np.random.Generator) -> Ints:
    rest = np.arange(first, len(feature))
    weight = np.exp(tilt * (feature[rest] - feature[rest].mean()) / feature[rest].std())
    return rng.choice(rest, 2_000, p=weight / weight.sum())


def _numbers(table: pa.Table) -> Floats:
    """The bookings' features; a category is its place in the order of its names."""
    columns = []
    for name in table.column_names:
        column = table.column(name)
        if name in ("id", "label") or pa.types.is_temporal(column.type):
            continue
        if pa.types.is_string(column.type) or pa.types.is_dictionary(column.type):
            columns.append(np.unique(np.array(column.to_pylist(), dtype=str), return_inverse=True)[1])
        else:
            columns.append(np.nan_to_num(column.to_numpy().astype(np.float64)))
    return np.column_stack(columns).astype(np.float64)


def _write(
    folder: Path, scores: Floats, labels: Ints, reference: NDArray[np.bool_], rows: NDArray[np.bool_], chunk: Ints
) -> None:
    folder.mkdir(parents=True)
    taught = pa.table({"score": scores[reference], "label": labels[reference]})
    pq.write_table(taught, folder / "reference.parquet")
    found = pa.table({"score": scores[rows], "label": labels[rows], "chunk": pa.array(chunk[rows].tolist())})
    pq.write_table(found, folder / "chunks.parquet")


def _columns(table: pa.Table) -> tuple[Floats, Ints]:
    return table.column("score").to_numpy().astype(np.float64), table.column("label").to_numpy().astype(np.int64)


def _realised(scores: Floats, labels: Ints) -> list[float]:
    decided = scores >= 0.5
    return [roc_auc_score(labels, scores), accuracy_score(labels, decided), f1_score(labels, decided)]


def _estimated_by_peer(python: Path | None, place: Path) -> str:
    """Let NannyML estimate every folder; why not, where it fails."""
    done = subprocess.run(  # noqa: S603  # the peer's own environment
        [str(python), str(_PEER), str(place)],
        capture_output=True,
        text=True,
        timeout=_PEER_SECONDS,
        check=False,
        env={**os.environ, **SILENCE},
    )
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["it failed"])[-1]


def _figures(errors: dict[str, dict[str, dict[str, float]]]) -> list[Figure]:
    figures = []
    for name in METRICS:
        ours = float(np.mean([found["kedge"][name] for found in errors.values()]))
        figures.append(Figure(f"{name}: mean absolute error, {len(errors)} data sets", ours, "", COMMAND))
        both = [found for found in errors.values() if "nannyml" in found]
        if both:
            ratio = np.mean([f["kedge"][name] for f in both]) / np.mean([f["nannyml"][name] for f in both])
            figures.append(
                Figure(f"{name}: against NannyML's CBPE", float(ratio), "times its error", COMMAND, RATIO_MAX)
            )
    return figures


def _notes(errors: dict[str, dict[str, dict[str, float]]], reason: str) -> str:
    """Every data set by itself, and why NannyML was skipped where it was."""
    lines = ["| mean absolute error | " + " | ".join(f"{m}, Kedge | {m}, NannyML" for m in METRICS) + " |"]
    lines.append("| --- |" + " ---: |" * (2 * len(METRICS)))
    for name, found in errors.items():
        cells = [f"{found[side][m]:.4f}" if side in found else "" for m in METRICS for side in ("kedge", "nannyml")]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([*([f"- nannyml was skipped: {reason}", ""] if reason else []), *lines])
