"""A canary compared with the champion by the business's own figures, over the same minutes."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import ndtr

from kedge.business import figure_values
from kedge.canary import CanaryVerdict
from kedge.columns import cast_numbers
from kedge.comparisons import figures, in_words
from kedge.model_config import ModelConfig
from kedge.model_policies import BusinessFigure, CanaryPolicy

Floats = NDArray[np.float64]


def judge_canary_figures(
    canary: pa.Table, champion: pa.Table, config: ModelConfig, verdict: CanaryVerdict, *, released: ModelConfig
) -> CanaryVerdict:
    """The canary's verdict with the figures that have `canary`: a certain and large loss of one sends it back.

    Welch's z on the means of the two fleets' answers over the same minutes, and the loss in standard deviations of the
    champion's values: judged by the limits of the behaviour test (`kedge.canary.judge_canary`).

    Parameters
    ----------
    canary, champion : Table
        What each fleet was asked and has answered since the bake began.
    config, released : ModelConfig
        The canary's schema and the champion's. A figure of a column that one of them does not have is not compared.
    """
    if verdict.verdict == "MISBEHAVING":
        return verdict
    for figure in config.business:
        sides = ((canary, config), (champion, released)) if figure.canary else ()
        values = [_known(figure, rows, schema) for rows, schema in sides]
        reason = _loss(figure, values[0], values[1], config.canary) if values else ""
        if reason:
            return CanaryVerdict("MISBEHAVING", (reason,), verdict.judged)
    return verdict


def _known(figure: BusinessFigure, rows: pa.Table, config: ModelConfig) -> Floats:
    decided = None
    if figure.over != "all":
        answers = cast_numbers(rows.column(config.prediction.name), "float64").values
        decided = answers >= config.prediction.threshold
    values = figure_values(figure, rows, decided)
    return values[np.isfinite(values)] if values is not None else np.empty(0)


def _loss(figure: BusinessFigure, canary: Floats, champion: Floats, policy: CanaryPolicy) -> str:
    if min(len(canary), len(champion)) < 2:
        return ""
    spread = float(champion.std(ddof=1))
    error = math.hypot(spread / math.sqrt(len(champion)), float(canary.std(ddof=1)) / math.sqrt(len(canary)))
    loss = figure.sign * float(champion.mean() - canary.mean())
    if not error or not spread:
        return ""
    p_value, effect = float(ndtr(-loss / error)), loss / spread
    if p_value >= policy.behaviour_p_value_min or effect <= policy.behaviour_effect_max:
        return ""
    on_canary, on_champion = figures(float(canary.mean()), float(champion.mean()))
    return (
        f"{figure.name} is {on_canary} a prediction on the canary and {on_champion} on the champion over "
        f"the same minutes: worse by {in_words(effect)} standard deviations against {policy.behaviour_effect_max:g}, p {p_value:.1g}"
    )
