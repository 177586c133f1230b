"""Rows of the gate about what no holdout row shows: limits on size, importance, training rows, serving, an own rule."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kedge.arrays import Bools
from kedge.comparisons import counted, in_words, percent
from kedge.gate.facts import importance_change
from kedge.gate.holdout import GateRow, Holdout, Verdict
from kedge.intervals import wilson_interval, z_of
from kedge.performance.measures import Numbers

MIB = 2**20
# A number that was written as text and read again differs by less.
SAME = 1e-4
SHOWN = 3


def artefact_size(holdout: Holdout) -> Sequence[GateRow]:
    """The packed artefact, against `gate.artefact_mib_max`."""
    size, limit = holdout.beside.artefact_bytes, holdout.config.gate.artefact_mib_max
    if size is None:
        return []
    mib = size / MIB
    said = f"the artefact has {in_words(mib)} MiB"
    if limit is None:
        return [GateRow("artefact_mib", None, mib, "PASS", f"{said}; no limit is set")]
    verdict: Verdict = "REFUSE" if mib > limit else "PASS"
    return [GateRow("artefact_mib", limit, mib, verdict, f"{said}; gate.artefact_mib_max is {limit:g}")]


def training_drift(holdout: Holdout) -> Sequence[GateRow]:
    """Whether the training rows are distributed otherwise than the champion's: a warning, because data may rightly change."""
    found = holdout.beside.drift
    if found is None:
        return []
    worst, limit, sentences = float(found["worst"]), float(found["limit"]), list(found["sentences"])
    if sentences:
        return [GateRow("training_drift", limit, worst, "WARN", "; ".join(sentences))]
    said = f"no feature of the training rows has drifted: the largest PSI is {worst:.2f}, the limit {limit:g}"
    return [GateRow("training_drift", limit, worst, "PASS", said)]


def explainability(holdout: Holdout) -> Sequence[GateRow]:
    """How much of the importance has moved to other features, and which features moved most."""
    now, before, limit = (
        holdout.beside.importance,
        holdout.beside.importance_before,
        holdout.config.gate.importance_change_max,
    )
    if not now or not before:
        return []
    value = importance_change(before, now)
    names = sorted({*now, *before}, key=lambda name: -abs(now.get(name, 0.0) - before.get(name, 0.0)))[:SHOWN]
    moved = ", ".join(f"{name} {percent(before.get(name, 0.0))} -> {percent(now.get(name, 0.0))}" for name in names)
    said = f"{percent(value)} of the importance has moved to other features ({moved})"
    if limit is None:
        return [GateRow("importance_change", None, value, "PASS", f"{said}; no limit is set")]
    verdict: Verdict = "REFUSE" if value > limit else "PASS"
    return [GateRow("importance_change", limit, value, verdict, f"{said}; gate.importance_change_max is {limit:g}")]


def serving_skew(holdout: Holdout) -> Sequence[GateRow]:
    """Whether the champion answers the holdout in a transform job as it did on its endpoint: another answer is a skew of serving.

    The transform reads rows as Kedge kept them. So a difference says that what was captured, or what the container does with
    it, is not what was served, and that the comparison of the two models is about other answers than people get.
    """
    served, answers, limit = holdout.beside.served, holdout.champion, holdout.config.gate.skew_fraction_max
    if served is None or answers is None:
        return []
    classes = holdout.config.problem == "multiclass_classification"
    known = served >= 0 if classes else np.isfinite(served) & np.isfinite(answers)
    if not known.any():
        return []
    other = answered_otherwise(served[known], answers[known], classes=classes)
    share = wilson_interval("serving_skew", int(other.sum()), int(known.sum()), z_of(holdout.config.gate.confidence))
    said = (
        f"{percent(share.value)} of {counted(int(known.sum()), 'row')} were answered otherwise by the endpoint than by the "
        "transform job of the same version"
    )
    if limit is None:
        verdict: Verdict = "WARN" if other.any() else "PASS"
        return [GateRow("serving_skew", None, share.value, verdict, f"{said}; no limit is set", share.low, share.high)]
    verdict = "REFUSE" if share.low > limit else "PASS"
    said = f"{said}; gate.skew_fraction_max is {limit:g}"
    return [GateRow("serving_skew", limit, share.value, verdict, said, share.low, share.high)]


def answered_otherwise(first: Numbers, then: Numbers, *, classes: bool) -> Bools:
    """Which answers are other ones: other codes of classes, or numbers that differ by more than writing and reading them does.

    What is no number on one side is another answer.

    >>> answered_otherwise(np.array([0.5, 0.5, np.nan]), np.array([0.5, 0.6, 0.5]), classes=False).tolist()
    [False, True, True]
    """
    same: Bools = first == then if classes else np.abs(first - then) <= SAME * np.maximum(1.0, np.abs(first))
    return ~same


def rule_row(name: str, answer: Mapping[str, Any] | None) -> GateRow:
    """The answer of `gate.rule_function`, which others wrote: nothing but a clear PASS, or WARN, lets a model through."""
    if answer is None:
        return GateRow("own_rule", None, None, "REFUSE", f"the rule {name} was not called")
    verdict = answer.get("verdict")
    kept: Verdict = verdict if verdict in ("PASS", "WARN") else "REFUSE"
    numbers = {name: _number(answer.get(name)) for name in ("value", "low", "high", "limit")}
    said = str(answer.get("sentence") or f"own_rule answered {verdict!r} and no sentence")
    if verdict not in ("PASS", "WARN", "REFUSE"):
        said = f"{said}; its verdict {verdict!r} is none of PASS, WARN and REFUSE"
    return GateRow("own_rule", numbers["limit"], numbers["value"], kept, said, numbers["low"], numbers["high"])


def _number(given: Any) -> float | None:
    is_number = isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given)
    return float(given) if is_number else None
