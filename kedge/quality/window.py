"""The quality of one window's answers: what is counted of them, the one judge of it, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from kedge.config.model import ModelConfig
from kedge.estimation.report import EstimateReport, WindowEstimates, estimate_window
from kedge.estimation.track_record import TrackRecord
from kedge.outcomes.counts import OutcomeCounts
from kedge.performance.business import FigureReport, FigureSums, judge_figures
from kedge.performance.verdicts import QualityVerdicts
from kedge.performance.window import LabelledOutcomes, PerformanceReport, judge_performance
from kedge.quality.chosen import chosen_verdicts
from kedge.severity import Severity, worst
from kedge.slices.concept_drift import ConceptDrift, clearly_moved
from kedge.slices.fairness import ColumnFairness, fairness_json, fairness_severity, judge_fairness
from kedge.slices.group_counts import GroupCounts
from kedge.slices.judgement import CountedSlices, SliceFindings, judge_slices

Part = Literal["estimate", "slices", "fairness", "business"]


@dataclass(frozen=True)
class QualityEvidence:
    """What is counted of a window's answers; what is absent is not judged.

    Attributes
    ----------
    outcomes : LabelledOutcomes or None
        What the labels say.
    estimates : WindowEstimates or None
        The estimate from the answers alone.
    slices : CountedSlices or None
        The labelled rows by group, beside the reference's.
    sensitive : tuple of GroupCounts
        The answered rows by the groups of each sensitive column.
    figures : mapping of str to FigureSums
        The business's figures.
    variants : mapping of str to LabelledOutcomes
        The labelled rows of each variant, where the endpoint has several.
    """

    outcomes: LabelledOutcomes | None = None
    estimates: WindowEstimates | None = None
    slices: CountedSlices | None = None
    sensitive: tuple[GroupCounts, ...] = ()
    figures: Mapping[str, FigureSums] = field(default_factory=dict)
    variants: Mapping[str, LabelledOutcomes] = field(default_factory=dict)


@dataclass(frozen=True)
class QualityReference:
    """What the champion's holdout, or the baseline's rows, say; without outcomes nothing is measured or estimated."""

    outcomes: OutcomeCounts | None = None
    figures: Mapping[str, FigureSums] = field(default_factory=dict)


@dataclass(frozen=True)
class EarlierWindows:
    """What the windows before have left: the record of their estimates, and what had moved in the last of them."""

    record: TrackRecord = field(default_factory=TrackRecord)
    concept_drift: ConceptDrift | None = None


@dataclass(frozen=True)
class WindowQuality:
    """The verdicts on one window's answers; what could not be judged is None, or empty.

    Attributes
    ----------
    measured : PerformanceReport or None
        What the labels say.
    estimate : EstimateReport or None
        The estimate from the answers, with the estimator's record.
    slices : SliceFindings or None
        The worst segments, which alarm only where the YAML says so; and whether P(y given x) moved, which alarms if it is CRITICAL.
    fairness : tuple of ColumnFairness
        Of each sensitive column.
    business : tuple of FigureReport
        The business's figures.
    variants : mapping of str to PerformanceReport
        Measured quality of each variant, where the endpoint has several; the verdict on measured quality is the worst of all.
    chosen : mapping of str to Severity
        The parts that alarm because the YAML says so.
    sensitive : tuple of str
        The columns that the YAML names as sensitive; groups of people are treated alike only where `fairness` judges all of them.
    """

    measured: PerformanceReport | None = None
    estimate: EstimateReport | None = None
    slices: SliceFindings | None = None
    fairness: tuple[ColumnFairness, ...] = ()
    business: tuple[FigureReport, ...] = ()
    variants: Mapping[str, PerformanceReport] = field(default_factory=dict)
    chosen: Mapping[str, Severity] = field(default_factory=dict)
    sensitive: tuple[str, ...] = ()

    @property
    def verdicts(self) -> QualityVerdicts:
        """What alarms and retrainings ask."""
        return QualityVerdicts(
            measured=worst([self.measured.severity, *(v.severity for v in self.variants.values())])
            if self.measured
            else None,
            estimated=self.estimate.severity if self.estimate else None,
            unequal=self._unequal,
            moved=clearly_moved(self.slices.concept_drift if self.slices else None),
            chosen=self.chosen,
        )

    @property
    def _unequal(self) -> Severity | None:
        return fairness_severity(self.fairness, self.sensitive) if self.fairness else None

    def to_json(self, order: tuple[Part, ...] = ("estimate", "slices", "fairness", "business")) -> dict[str, Any]:
        """As the report holds it under "performance"; what does not apply is absent.

        Parameters
        ----------
        order : tuple of str
            In which the parts stand behind what was measured.
        """
        parts: dict[Part, dict[str, Any]] = {
            "estimate": {"estimate": self.estimate.to_json()} if self.estimate else {},
            "slices": self.slices.to_json() if self.slices else {},
            "fairness": fairness_json(self.fairness, self._unequal) if self._unequal is not None else {},
            "business": {"business": [figure.to_json() for figure in self.business]} if self.business else {},
        }
        found = self.measured.to_json() if self.measured else {}
        for part in order:
            found |= parts[part]
        variants = {name: report.to_json() for name, report in self.variants.items()}
        chosen = {part: severity.value for part, severity in self.chosen.items()}
        return found | ({"variants": variants} if variants else {}) | ({"chosen": chosen} if chosen else {})


def judge_quality(
    evidence: QualityEvidence,
    reference: QualityReference,
    config: ModelConfig,
    *,
    earlier: EarlierWindows | None = None,
    start: datetime | None = None,
) -> WindowQuality:
    """Judge all that is counted of a window's answers against the reference.

    Parameters
    ----------
    earlier : EarlierWindows, optional
        Of the windows before.
    start : datetime, optional
        Of the window, to date what moved; rows without times have none.
    """
    earlier = earlier or EarlierWindows()
    slices = judge_slices(evidence.slices, config.segments) if evidence.slices else None
    measured = _measured(evidence.outcomes, reference, config)
    by_variant = {name: _measured(found, reference, config) for name, found in evidence.variants.items()}
    business = judge_figures(
        config.business,
        evidence.figures,
        reference.figures,
        confidence=config.performance.confidence,
        minimum_rows=config.performance.minimum_rows,
    )
    return WindowQuality(
        measured,
        _estimated(evidence, reference, config, earlier.record, measured),
        slices.dated(earlier.concept_drift, start=start) if slices and start else slices,
        judge_fairness(evidence.sensitive, config.fairness),
        business,
        {name: report for name, report in by_variant.items() if report is not None},
        chosen_verdicts(config, slices, business),
        config.fairness.columns,
    )


def dated(quality: WindowQuality, before: WindowQuality | None, *, start: datetime) -> WindowQuality:
    """The quality with what moved dated, by what the window before has told."""
    if quality.slices is None:
        return quality
    moved = before.slices.concept_drift if before and before.slices else None
    return replace(quality, slices=quality.slices.dated(moved, start=start))


def _measured(
    outcomes: LabelledOutcomes | None, reference: QualityReference, config: ModelConfig
) -> PerformanceReport | None:
    if outcomes is None or reference.outcomes is None:
        return None
    return judge_performance(outcomes, reference.outcomes, config.performance)


def _estimated(
    evidence: QualityEvidence,
    reference: QualityReference,
    config: ModelConfig,
    record: TrackRecord,
    measured: PerformanceReport | None,
) -> EstimateReport | None:
    if evidence.estimates is None or reference.outcomes is None:
        return None
    return estimate_window(evidence.estimates, reference.outcomes, config.performance, record=record, measured=measured)
