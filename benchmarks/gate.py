"""What the gate decides of real challengers whose quality is known, and how often it lets through one that is no better.

Real rows: the hotels' bookings of `demo/`, and scikit-learn's digits and diabetes. "No better" are two models whose answers are
swapped at random in each row, so that both are the same mixture: whatever difference is measured is chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.special import ndtri
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge

from benchmarks.results import Figure, Section
from benchmarks.scale import Scale
from demo.bookings import load_frame
from kedge.config.model import ModelConfig
from kedge.config.reading import parse_model_config
from kedge.gate.every_check import judge_challenger
from kedge.gate.facts import Beside
from kedge.gate.holdout import GateReport, Holdout
from kedge.intervals import wilson_interval, z_of

COMMAND = "python -m benchmarks gate"
YAML = "model: m\nendpoint: {{name: m}}\nproblem: {problem}\nlabels: {{classes: {classes}}}\nfeatures: [{{name: x, kind: numeric}}]\n"
MARGIN, SEED = 0.01, 20160104
SHUFFLED_MAX, AT_THE_MARGIN_MAX = 0.025, 0.05
DUE = Beside(triggers=("schedule",), fresher_days=16.0)
Rng = np.random.Generator
NUMBERS = [
    "lead_time",
    "adr",
    "previous_cancellations",
    "total_of_special_requests",
    "required_car_parking_spaces",
    "adults",
]
WORDS = ["deposit_type", "market_segment", "customer_type", "hotel"]


def section(work: Path, scale: Scale) -> Section:
    """Decide the known cases, then count the promotions of challengers that are no better."""
    del work
    rng, cases = np.random.default_rng(SEED), list(known_cases())
    figures = [
        Figure(f"{name}: right decision (1)", float(report.verdict == wanted), "", COMMAND, 1.0, more_is_better=True)
        for name, wanted, report in cases
    ]
    notes = ["| case | decision | why |", "| --- | --- | --- |"]
    notes += [f"| {name} | {report.verdict} | {report.reasons[0].replace('|', '/')} |" for name, _, report in cases]
    for what, limit, promoted in (
        ("hotels, a challenger that is no better", SHUFFLED_MAX, swapped()),
        ("simulated scores, not better at all", SHUFFLED_MAX, simulated(0.0, "")),
        (
            "simulated scores, worse by exactly the margin, with non_inferior",
            AT_THE_MARGIN_MAX,
            simulated(-MARGIN, f"non_inferior: {{margin: {MARGIN}}}"),
        ),
    ):
        hits = sum(promoted(rng) for _ in range(scale.repeats))
        found = wilson_interval("rate", hits, scale.repeats, z_of(0.95))
        # Kept where chance alone may have made the share of promotions: the limit is within the interval, or above it.
        figures.append(Figure(f"{what}: promoted, of {scale.repeats:,}, lower end", found.low, "", COMMAND, limit))
        notes.append(f"\n{what}: {hits} of {scale.repeats:,} were promoted ({found.low:.4f} to {found.high:.4f}).")
    return Section("The gate's decisions", figures, "\n".join(notes))


def config_of(problem: str, gate: str = "", classes: int = 2) -> ModelConfig:
    """A model whose gate this is."""
    named = [str(code) for code in range(classes)]
    return parse_model_config(YAML.format(problem=problem, classes=named) + f"gate: {{{gate}}}\n", source="m.yaml")


def judge(labels: Any, challenger: Any, champion: Any, config: ModelConfig, beside: Beside | None = None) -> GateReport:
    """The gate's whole judgement of these answers."""
    table = pa.table({"label": pa.array(labels).cast(pa.string())})
    return judge_challenger(Holdout(labels, challenger, champion, config, table, beside=beside or Beside()))


def known_cases() -> Iterator[tuple[str, str, GateReport]]:
    """A name, the right decision, and the gate's."""
    frame = bookings()
    old, new, held = (frame[(frame["time"] >= a) & (frame["time"] < b)] for a, b in PERIODS)
    truth, config = held["label"].to_numpy(np.int64), config_of("binary_classification")
    full, few = columns(frame), [name for name in columns(frame) if name in NUMBERS[3:]]
    champion = scores(old, held, full)
    yield "hotels: learnt from 150 rows", "REFUSE", judge(truth, scores(old.tail(150), held, full), champion, config)
    yield "hotels: ten more trees", "REFUSE", judge(truth, scores(old, held, full, trees=70), champion, config)
    poor = scores(old, held, few)
    yield "hotels: seven features that the champion lacks", "PASS", judge(truth, scores(new, held, full), poor, config)
    months, longer = (
        frame[(frame["time"] >= "2015-10-01") & (frame["time"] < end)] for end in ("2016-04-15", "2016-05-01")
    )
    before, fresh = scores(months, held, full), scores(longer, held, full)
    refresh = config_of("binary_classification", "non_inferior: {margin: 0.02}")
    yield "hotels: as good and two weeks newer, due by the calendar", "PASS", judge(truth, fresh, before, refresh, DUE)
    yield "hotels: the same, without non_inferior", "REFUSE", judge(truth, fresh, before, config, DUE)
    lost = Beside(triggers=("performance",), fresher_days=16.0)
    yield "hotels: the same, because quality was lost", "REFUSE", judge(truth, fresh, before, refresh, lost)
    yield from small_sets()


def small_sets() -> Iterator[tuple[str, str, GateReport]]:
    """Several classes, and numbers."""
    digits = load_digits()
    order = np.random.default_rng(SEED).permutation(len(digits.target))
    x, y = digits.data[order] / 16, digits.target[order].astype(np.int64)
    learnt, held = slice(0, 900), slice(900, None)
    half, whole = (
        LogisticRegression(max_iter=300).fit(x[learnt, :size], y[learnt]).predict(x[held, :size]).astype(np.int64)
        for size in (16, 64)
    )
    macro = config_of("multiclass_classification", "metric: macro_f1", 10)
    yield "digits by macro_f1: the whole picture, not a quarter", "PASS", judge(y[held], whole, half, macro)
    yield "digits by macro_f1: a quarter of the picture", "REFUSE", judge(y[held], half, whole, macro)
    numbers = load_diabetes()
    x, y = numbers.data, numbers.target.astype(np.float64)
    learnt, held = slice(0, 200), slice(200, None)
    poor, good = (Ridge(0.01).fit(x[learnt, :size], y[learnt]).predict(x[held, :size]) for size in (2, 10))
    rmse = config_of("regression", "metric: rmse")
    yield "diabetes by rmse: ten features, not two", "PASS", judge(y[held], good, poor, rmse)
    yield "diabetes by rmse: two features, not ten", "REFUSE", judge(y[held], poor, good, rmse)


PERIODS = (("2015-10-01", "2016-02-01"), ("2016-01-01", "2016-05-01"), ("2016-05-01", "2016-06-15"))


def bookings() -> pd.DataFrame:
    """The hotels' bookings with words as columns of 0 and 1."""
    frame = load_frame()
    known = pd.concat([frame[NUMBERS], pd.get_dummies(frame[WORDS])], axis=1).astype(np.float64)
    return known.assign(label=frame["label"].astype(np.int64), time=frame["time"])


def columns(frame: pd.DataFrame) -> list[str]:
    """What a model may learn from."""
    return [name for name in frame.columns if name not in ("label", "time")]


def scores(learnt: pd.DataFrame, held: pd.DataFrame, names: list[str], trees: int = 60) -> Any:
    """The probability of a cancellation, by gradient boosting."""
    model = HistGradientBoostingClassifier(max_iter=trees, max_leaf_nodes=15, random_state=0)
    return model.fit(learnt[names], learnt["label"]).predict_proba(held[names])[:, 1]


def swapped() -> Callable[[Rng], bool]:
    """Two models of the hotels, their answers swapped at random in each row of a draw: whether the second is promoted."""
    frame = bookings()
    old, new, held = (frame[(frame["time"] >= a) & (frame["time"] < b)] for a, b in PERIODS)
    names, truth = columns(frame), held["label"].to_numpy(np.int64)
    sides = np.array([scores(learnt, held, names) for learnt in (old, new)])
    config = config_of("binary_classification", "minimum_effect: 0.0")

    def promoted(rng: Rng) -> bool:
        rows = rng.integers(0, len(truth), 2_000)
        first = rng.integers(0, 2, len(rows))
        return judge(truth[rows], sides[first, rows], sides[1 - first, rows], config).verdict == "PASS"

    return promoted


def simulated(gain: float, gate: str) -> Callable[[Rng], bool]:
    """Normal scores of two models whose true difference in AUC is `gain`."""
    config = config_of("binary_classification", ", ".join(part for part in ("minimum_effect: 0.0", gate) if part))

    def promoted(rng: Rng) -> bool:
        labels = (rng.random(3_000) < 0.3).astype(np.int64)
        shared = rng.normal(size=3_000)
        sides = []
        for auc in (0.8 + gain, 0.8):
            # The area under the curve of two normal distributions is that of their distance.
            distance = np.sqrt(2) * ndtri(auc)
            noise = 0.9 * shared + np.sqrt(1 - 0.81) * rng.normal(size=3_000)
            # As a probability at the true rate: the calibration's way past the metric is closed.
            sides.append(1 / (1 + np.exp(-(distance * (noise + distance * labels - distance / 2) + np.log(0.3 / 0.7)))))
        return judge(labels, sides[0], sides[1], config, DUE).verdict == "PASS"

    return promoted
