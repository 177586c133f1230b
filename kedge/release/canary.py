"""Whether a canary behaves like the champion over the same minutes: its answers and the business's own figures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from scipy.special import ndtr

from kedge.arrays import Floats
from kedge.columns.casting import cast_numbers
from kedge.comparisons import counted, figures, in_words
from kedge.config.model import ModelConfig
from kedge.config.policies import BusinessFigure, CanaryPolicy
from kedge.performance.business import figure_values
from kedge.release.canary_reading import NOTHING_READ, SAME_MINUTES, AnswersRead
from kedge.statistics.chi_square import chi_square
from kedge.statistics.kolmogorov_smirnov import ks_exact_p_value, ks_p_value
from kedge.statistics.total_variation import total_variation_distance

# Below this product of the two numbers of answers the exact tail is cheap, and the asymptotic one is not yet right.
EXACT_PRODUCT_MAX = 40_000


@dataclass(frozen=True)
class CanaryVerdict:
    """The verdict with reasons, and the number of captured canary answers behind it.

    HEALTHY; MISBEHAVING; UNDECIDED (no answer was read yet, or none of the champion's to compare with); or UNPROVEN (still
    undecided, or too few requests, at the end of the bake).
    """

    verdict: Literal["HEALTHY", "MISBEHAVING", "UNDECIDED", "UNPROVEN"]
    reasons: tuple[str, ...]
    judged: int = 0

    @property
    def gauge(self) -> int:
        """What the rollback alarm reads: 1 sends the canary back."""
        return 1 if self.verdict in ("MISBEHAVING", "UNPROVEN") else 0


@dataclass(frozen=True)
class Unread:
    """Captured records of a fleet that could not be read, and why most of them could not."""

    records: int = 0
    reason: str = ""


@dataclass(frozen=True)
class FleetAnswers:
    """A fleet's captured answers since the bake began, and what of its captures could not be read.

    Attributes
    ----------
    values : ndarray of float, shape (n_answers,)
        Codes for several classes; NaN for an answer that could not be read.
    """

    values: Floats
    unread: Unread = Unread()


def judge_canary(
    canary: FleetAnswers,
    champion: FleetAnswers,
    config: ModelConfig,
    *,
    requests: int,
    bake_is_ending: bool,
    read: AnswersRead = NOTHING_READ,
) -> CanaryVerdict:
    """Compare the canary's captured answers with the champion's.

    Over the same minutes both fleets answer a random share of the same traffic, so their inputs have one distribution, and a
    two-sample Kolmogorov-Smirnov test on the answers needs no labels; of classes, which have no order, chi-square and
    total variation. A new model should answer a little differently: only a difference that is both beyond chance and
    large sends it back.

    Parameters
    ----------
    requests : int
        Requests that the canary has answered, by the endpoint's own count.
    bake_is_ending : bool
        Whether this is the last look: then a canary with too few requests, or with no answer read, is UNPROVEN.
    read : AnswersRead
        What all looks have counted among the canary's answers. One that is not a number sends it back, even outside the sample.

    >>> from kedge.config.sections import Endpoint, Feature
    >>> config = ModelConfig(model="m", endpoint=Endpoint(name="m"), features=(Feature(name="x", kind="numeric"),))
    >>> scores = FleetAnswers(np.linspace(0.1, 0.9, 200))
    >>> judge_canary(scores, scores, config, requests=200, bake_is_ending=True).verdict
    'HEALTHY'
    """
    classes, policy, rows = config.problem == "multiclass_classification", config.canary, len(canary.values)
    wrong = _wrong_answers(canary.values, read, classes=classes)
    if wrong:
        return CanaryVerdict("MISBEHAVING", (wrong,))
    judged, reference = max(read.rows, rows), champion.values[np.isfinite(champion.values)]
    compared = rows > 0 and len(reference) > 0
    difference = _difference(canary.values, reference, policy, classes=classes, when=read.when) if compared else ""
    if difference:
        return CanaryVerdict("MISBEHAVING", (difference,), judged)
    answered = counted(requests, "request")
    if bake_is_ending and requests < policy.minimum_requests:
        return CanaryVerdict("UNPROVEN", (f"the canary answered {answered}; {policy.minimum_requests:,} are needed",))
    if not compared:
        nothing = f"the canary answered {answered}, but no answer was compared: "
        fleets = (("canary", rows, canary.unread), ("champion", len(reference), champion.unread))
        reason = nothing + "; ".join(
            _without_answers(name, unread) for name, readable, unread in fleets if not readable
        )
        return CanaryVerdict("UNPROVEN" if bake_is_ending else "UNDECIDED", (reason,))
    against = "" if read.when == SAME_MINUTES else f" with the champion's {read.when}"
    reasons = [f"{answered}, {counted(rows, 'captured answer')} compared{against}"]
    if read.sampled:
        reasons.append(f"these are an even sample; {judged:,} answers of the canary were read for errors")
    if read.behind:
        reasons.append(f"{read.behind / 2**20:.0f} MiB of the canary's captures are not read for errors yet")
    return CanaryVerdict("HEALTHY", ("; ".join(reasons),), judged)


def _wrong_answers(canary: Floats, read: AnswersRead, *, classes: bool) -> str:
    """Say how many answers are no answer at all; nothing where all are."""
    rows, invalid = len(canary), int((~np.isfinite(canary)).sum())
    wrong, of = (read.wrong, read.rows) if read.wrong >= invalid else (invalid, rows)
    if not wrong:
        return ""
    one, many = ("a class", "classes") if classes else ("a number", "numbers")
    what = (f"is not {one}" if wrong == 1 else f"are not {many}") + (" that the model's YAML names" if classes else "")
    return f"{wrong:,} of the canary's {of:,} answers {what}"


def _difference(canary: Floats, champion: Floats, policy: CanaryPolicy, *, classes: bool, when: str) -> str:
    """Say how the answers differ; nothing where that may be chance, or is small."""
    distance, p_value = distance_between(canary, champion, classes=classes)
    if not (p_value < policy.behaviour_p_value_min and distance > policy.behaviour_effect_max):
        return ""
    reason = (
        f"the canary's answers differ from the champion's {when}: {'total variation' if classes else 'KS'} "
        f"{in_words(distance)} (limit {policy.behaviour_effect_max:g}), p {p_value:.1g}"
    )
    means = "; means " + " and ".join(figures(float(canary.mean()), float(champion.mean())))
    return reason if classes else reason + means


def distance_between(first: Floats, second: Floats, *, classes: bool) -> tuple[float, float]:
    """How far two samples of answers are apart, KS or of classes total variation, and the p-value of that.

    >>> distance_between(np.array([0.1, 0.2]), np.array([0.1, 0.2]), classes=False)
    (0.0, 1.0)
    """
    return (_total_variation if classes else _ks)(first, second)


def _without_answers(fleet: str, unread: Unread) -> str:
    if not unread.records:
        return f"no request to the {fleet} was captured"
    return f"none of the {counted(unread.records, 'captured request')} of the {fleet} could be read ({unread.reason})"


def _total_variation(first: Floats, second: Floats) -> tuple[float, float]:
    codes, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    here, there = (np.bincount(side, minlength=len(codes)) for side in np.split(places, [len(first)]))
    return total_variation_distance(there, here), chi_square(there, here)[1]


def _ks(first: Floats, second: Floats) -> tuple[float, float]:
    pooled = np.sort(np.concatenate([first, second]))
    gap = np.searchsorted(np.sort(first), pooled, "right") / len(first) - np.searchsorted(
        np.sort(second), pooled, "right"
    ) / len(second)
    distance = float(np.abs(gap).max())
    few = len(first) * len(second) <= EXACT_PRODUCT_MAX
    return distance, (ks_exact_p_value if few else ks_p_value)(distance, len(first), len(second))


def judge_canary_figures(
    canary: pa.Table, champion: pa.Table, config: ModelConfig, verdict: CanaryVerdict, *, released: ModelConfig
) -> CanaryVerdict:
    """The canary's verdict with the figures that have `canary`: a large loss beyond chance in one sends it back.

    Welch's z on the means of the two fleets' answers over the same minutes, and the loss in standard deviations of the
    champion's values: judged by the limits of the behaviour test (`kedge.release.canary.judge_canary`).

    Parameters
    ----------
    canary, champion : Table
        The requests and answers of each fleet since the bake began.
    config, released : ModelConfig
        The canary's schema and the champion's. A figure is not compared if one of them lacks its column.
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
        f"{figure.name} is {on_canary} per prediction on the canary and {on_champion} on the champion over "
        f"the same minutes: worse by {in_words(effect)} standard deviations (limit {policy.behaviour_effect_max:g}), p {p_value:.1g}"
    )
