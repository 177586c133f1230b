"""What is known of two models beside their answers to the holdout: the artefact, the importances, the rows of training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kedge.performance.measures import Numbers


@dataclass(frozen=True, eq=False)
class Beside:
    """Facts for rows of the gate; a fact that is not at hand has no row.

    Attributes
    ----------
    triggers : tuple of str
        What wanted this retraining.
    fresher_days : float or None
        How much newer the newest training row is than the champion's.
    artefact_bytes : int or None
    importance, importance_before : mapping of str to float
        Each feature's share, of the challenger | of the champion.
    drift : mapping or None
        `{worst, limit, sentences}` of the training rows against the champion's.
    served : ndarray, shape (n_rows,), optional
        What the endpoint answered when the rows came, by the champion; NaN, or a negative code, of other rows.
    """

    triggers: tuple[str, ...] = ()
    fresher_days: float | None = None
    artefact_bytes: int | None = None
    importance: Mapping[str, float] = field(default_factory=dict)
    importance_before: Mapping[str, float] = field(default_factory=dict)
    drift: Mapping[str, Any] | None = None
    served: Numbers | None = None


def importance_change(before: Mapping[str, float], now: Mapping[str, float]) -> float:
    """The part of all importance that has moved to other features: half the sum of the absolute differences, 0 to 1.

    >>> importance_change({"a": 0.75, "b": 0.25}, {"a": 0.25, "b": 0.75})
    0.5
    """
    names = sorted({*before, *now})
    return float(np.abs([now.get(name, 0.0) - before.get(name, 0.0) for name in names]).sum() / 2)
