"""How a model stands, and which of many needs a person first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kedge.severity import Severity

# From here on the model's own alarm rings too: stacks/models.py.
LATE_CADENCES = 2
# A retraining that these reasons hold waits for nobody: it starts by itself, or it waits for labels.
SELF_ENDING = ("cooldown", "budget", "money", "no_new_labels", "quiet", "line", "lease")

# Messages are held; the model is watched and judged as ever.
SILENT = ("muted", "quiet")


@dataclass(frozen=True)
class QualityNow:
    """The measured or estimated metric that is nearest to its limit, or farthest beyond it."""

    metric: str
    value: float
    limit: float
    severity: Severity

    @property
    def loss(self) -> float:
        """How far it is beyond its limit, as a share of the limit; 0 while nothing is clearly lost.

        >>> QualityNow("auc", 0.6, 0.8, Severity.CRITICAL).loss
        0.25
        """
        if self.severity < Severity.CRITICAL:
            return 0.0
        return round(abs(self.value - self.limit) / max(abs(self.limit), 1e-9), 6)


def nearest_limit(metrics: tuple[Mapping[str, Any], ...]) -> QualityNow | None:
    """The worst of a window's judged metrics; None where labels judged nothing."""
    found = [QualityNow(m["name"], m["value"], m["limit"], Severity(m["severity"])) for m in metrics]
    return max(found, key=lambda one: (one.severity.rank, one.loss, -abs(one.value - one.limit)), default=None)


@dataclass(frozen=True)
class Pending:
    """A package that waits for a person's decision."""

    version: str
    since: datetime


@dataclass(frozen=True)
class ModelStatus:
    """One model at one moment.

    Attributes
    ----------
    serves : str or None
        The package version that serves.
    quality : QualityNow or None
        The measured metric of the newest window that is nearest to its limit.
    estimated, estimate : Severity or None, QualityNow or None
        While labels are out: the verdict of the estimate, and the estimated metric that is nearest to its limit.
    alarming : tuple of str
        The worst parts of an episode of alarms that lasts.
    judged_cadences : float or None
        Cadences since the last judged window, or since the promotion.
    rows_per_day : float
        The traffic of the newest stretch.
    counted_percentage : int
        How much of it is counted, and judged.
    rings : tuple of str
        What `watch_monitor` told of it that is not over, each with the remedy.
    alarming_since : datetime or None
        Since when its episode of alarms lasts.
    holds : mapping of str to str
        What is held, by a word, and why.
    unread : str or None
        Why nothing of it could be read.
    """

    model: str
    team: str | None
    mode: str
    serves: str | None = None
    serves_since: datetime | None = None
    severity: Severity = Severity.INSUFFICIENT_DATA
    quality: QualityNow | None = None
    estimated: Severity | None = None
    estimate: QualityNow | None = None
    drift: Severity = Severity.INSUFFICIENT_DATA
    judged: datetime | None = None
    judged_cadences: float | None = None
    rows_per_day: float = 0.0
    counted_percentage: int = 100
    alarming_since: datetime | None = None
    alarming: tuple[str, ...] = ()
    rings: tuple[str, ...] = ()
    pending: tuple[Pending, ...] = ()
    holds: Mapping[str, str] | None = None
    at_work: str | None = None
    unread: str | None = None

    @property
    def is_late(self) -> bool:
        """Whether its judgement is overdue."""
        return (self.judged_cadences or 0.0) >= LATE_CADENCES

    @property
    def needs_a_person(self) -> bool:
        """Whether something waits for a person: an alarm, what rings, a late judgement, a decision on a package, or a stopped retraining."""
        stopped = any(hold not in (*SELF_ENDING, "paused", *SILENT, "watched") for hold in self.holds or {})
        return bool(self.severity is Severity.CRITICAL or self.rings or self.is_late or self.pending or stopped)

    @property
    def urgency(self) -> tuple[int, float, float, bool]:
        """Severity, then loss times traffic, then traffic alone; what rings or is judged late counts as a WARNING at least.

        What cannot be read may be anything, so it counts as CRITICAL.
        """
        unknown = (
            Severity.CRITICAL if self.unread else Severity.WARNING if self.is_late or self.rings else self.severity
        )
        rank = max(self.severity, unknown).rank
        found = self.quality or self.estimate
        loss = found.loss if found else 0.0
        return rank, loss * self.rows_per_day, self.rows_per_day, self.needs_a_person


def by_urgency(found: list[ModelStatus]) -> list[ModelStatus]:
    """The most urgent first; those alike by name.

    >>> lost = QualityNow("auc", 0.6, 0.8, Severity.CRITICAL)
    >>> busy = ModelStatus("b", None, "manage", "1", severity=Severity.CRITICAL, quality=lost, rows_per_day=9000)
    >>> idle = ModelStatus("i", None, "manage", "1", severity=Severity.CRITICAL, quality=lost, rows_per_day=10)
    >>> fine = ModelStatus("f", None, "manage", "1", severity=Severity.OK, rows_per_day=1e6)
    >>> [one.model for one in by_urgency([fine, idle, busy])]
    ['b', 'i', 'f']
    """
    return sorted(
        found, key=lambda one: (tuple(-float(part) for part in one.urgency), not one.needs_a_person, one.model)
    )


def age_in_words(age: timedelta) -> str:
    """How long ago, short enough for a table.

    >>> age_in_words(timedelta(hours=5)), age_in_words(timedelta(days=3, hours=4)), age_in_words(timedelta(minutes=7))
    ('5h', '3d', '7m')
    """
    minutes = max(0, int(age.total_seconds() // 60))
    if minutes < 60:
        return f"{minutes}m"
    return f"{minutes // 60}h" if minutes < 48 * 60 else f"{minutes // (24 * 60)}d"
