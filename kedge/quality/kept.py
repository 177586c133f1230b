"""A window's quality as its report keeps it: the verdicts, and the document that travels with the judged window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kedge.performance.verdicts import QualityVerdicts
from kedge.quality.window import WindowQuality
from kedge.severity import Severity, worst
from kedge.slices.concept_drift import ConceptDrift, clearly_moved
from kedge.stored import QUALITY


@dataclass(frozen=True)
class KeptQuality:
    """What one function found of a window's answers, as the next one reads it.

    Attributes
    ----------
    document : mapping
        The report's "performance".
    judged_metrics : tuple of mapping
        Its measured metrics that have a limit.
    judged_estimates : tuple of mapping
        The estimated ones that have a limit, where labels are out.
    join : mapping of str to int
        What became of the labels.
    """

    verdicts: QualityVerdicts
    document: Mapping[str, Any]
    judged_metrics: tuple[dict[str, Any], ...] = ()
    concept_drift: ConceptDrift | None = None
    join: Mapping[str, Any] = field(default_factory=dict)
    judged_estimates: tuple[dict[str, Any], ...] = ()

    @property
    def right(self) -> float | None:
        """The share of right answers by the labels; None where it is not measured."""
        return _value("accuracy", self.document)

    @property
    def right_estimated(self) -> float | None:
        """The share of right answers as it is estimated; None where the estimator may not be believed."""
        estimate = self.document.get("estimate", {})
        believed = self.verdicts.estimated not in (None, Severity.INSUFFICIENT_DATA)
        return _value("accuracy", estimate) if believed else None

    @classmethod
    def of(cls, quality: WindowQuality) -> KeptQuality:
        """What has just been judged."""
        return cls.from_json(quality.to_json())

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> KeptQuality:
        """What `WindowQuality.to_json` wrote.

        >>> KeptQuality.from_json({"severity": "OK", "metrics": [], "estimate": {"metrics": []}}).verdicts.measured.value
        'OK'
        """
        return QUALITY.read(document, _kept)

    @classmethod
    def decode(cls, content: bytes) -> KeptQuality:
        """What a performance.json says."""
        return QUALITY.read_json(content, _kept)


def _kept(document: Mapping[str, Any]) -> KeptQuality:
    moved = ConceptDrift.from_json(document["concept_drift"]) if document.get("concept_drift") else None
    variants = document.get("variants", {}).values()
    measured = worst(Severity(part["severity"]) for part in (document, *variants))
    estimated, unequal = _severity(document.get("estimate")), _severity(document.get("fairness"))
    chosen = {part: Severity(found) for part, found in document.get("chosen", {}).items()}
    return KeptQuality(
        QualityVerdicts(measured, estimated, unequal, clearly_moved(moved), chosen),
        document,
        tuple(metric for metric in document["metrics"] if "limit" in metric),
        moved,
        document.get("join", {}),
        tuple(metric for metric in document.get("estimate", {}).get("metrics", ()) if "limit" in metric),
    )


def _value(name: str, part: Mapping[str, Any]) -> float | None:
    return next((float(metric["value"]) for metric in part.get("metrics", ()) if metric["name"] == name), None)


def _severity(part: Mapping[str, Any] | None) -> Severity | None:
    return Severity(part["severity"]) if part and "severity" in part else None
