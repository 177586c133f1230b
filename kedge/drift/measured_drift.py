"""A window beside its baseline, measured before any rule judges it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kedge.columns.shown_values import hides_values
from kedge.config.model import ModelConfig
from kedge.drift.confidence import AnswerConfidence, answer_confidence
from kedge.drift.evidence import ColumnEvidence
from kedge.drift.judge import MeasuredColumns, measure_columns
from kedge.profile.baseline import Baseline, Profile
from kedge.profile.design_effect import combined

# The fields of the drift policy that judge a window once it is measured.
LIMITS = {"rule", "effect_warning", "effect_max", "psi_warning", "psi_max", "breaches", "of_windows"}


@dataclass(frozen=True)
class MeasuredDrift:
    """A window beside its baseline: all that is measured of its columns before a rule judges it, and of the answers' confidence."""

    columns: MeasuredColumns
    confidence: AnswerConfidence | None

    @staticmethod
    def key(config: ModelConfig) -> tuple[Any, ...]:
        """What it depends on: settings of one model with the same key measure the same.

        >>> from kedge.config.policies import DriftPolicy
        >>> from kedge.config.sections import Endpoint, Feature
        >>> one = ModelConfig(model="m", endpoint=Endpoint(name="e"), features=(Feature(name="x", kind="numeric"),))
        >>> key = MeasuredDrift.key(one)
        >>> other = {"rule": "psi", "psi_max": 1.0}, {"minimum_rows": 7}
        >>> [MeasuredDrift.key(one.model_copy(update={"drift": DriftPolicy(**said)})) == key for said in other]
        [True, False]
        """
        shown = (config.prediction.name, *sorted(config.hidden.items()))
        return (config.drift.model_dump_json(exclude=LIMITS), *shown)


def measure_drift(
    baseline: Baseline,
    window: Profile,
    config: ModelConfig,
    *,
    level: float,
    before: Profile | None = None,
    design_effects: Mapping[str, float] | None = None,
) -> MeasuredDrift:
    """Measure a window, to be judged at this level (`window_level`); the other parameters are those of `judge_drift`."""
    evidence = drift_evidence(baseline, window, config, before=before, design_effects=design_effects)
    confidence = answer_confidence(evidence, config)
    watched = [one for one in evidence if one.column.name != config.margin_column]
    derived = [confidence.margin] if confidence else []
    return MeasuredDrift(measure_columns(baseline, watched, config.drift, level=level, derived=derived), confidence)


def drift_evidence(
    baseline: Baseline,
    window: Profile,
    config: ModelConfig,
    *,
    before: Profile | None = None,
    design_effects: Mapping[str, float] | None = None,
) -> list[ColumnEvidence]:
    """Each column of the window beside the same column of what it is compared with; the parameters are those of `judge_drift`."""
    own = (baseline if before is None else replace(baseline, profile=before)).own
    effects = combined(baseline.design_effects, design_effects)
    levels = {name: len(bins.levels) + len(bins.rare) for name, bins in baseline.bins.items()}
    # The YAML names the classes of a prediction, so they may be shown.
    levels |= {config.prediction.name: 0}
    return [
        ColumnEvidence(
            column,
            baseline.bins[column.name],
            own[column.name],
            baseline.column(window, column.name),
            effects.get(column.name, 1.0),
            hides_values(column.name, levels[column.name], config.hidden),
        )
        for column in baseline.columns
    ]
