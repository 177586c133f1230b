"""What a decision about a retraining rests on, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from kedge.severity import Severity

# In the order in which they name a retraining that several of them want: a measured loss before what is only estimated.
Kind = Literal[
    "performance",
    "sla",
    "estimate",
    "drift",
    "confidence",
    "event",
    "new_rows",
    "schedule",
    "manual",
    "initial",
]


@dataclass(frozen=True)
class WindowVerdict:
    """How one window was judged; a part that was not measured, estimated or derived is None.

    Attributes
    ----------
    right, right_estimated : float or None
        The share of right answers, as the labels say and as it is estimated without them.
    """

    start: datetime
    end: datetime
    drift: Severity
    performance: Severity | None
    estimate: Severity | None = None
    confidence: Severity | None = None
    right: float | None = None
    right_estimated: float | None = None


@dataclass(frozen=True)
class RetrainingStart:
    """A retraining that was started; one that failed uses up an attempt, but neither cooldown nor the number of starts.

    Attributes
    ----------
    new_rows : int
        New labelled rows when it started: the next ones are counted from there.
    cost_usd : float or None
        What its jobs cost, once they are measured; a failed one has cost money too.
    """

    time: datetime
    kind: str
    episode: str
    failed: bool = False
    new_rows: int = 0
    cost_usd: float | None = None


@dataclass(frozen=True)
class OutsideRequest:
    """Another program's wish for a retraining, kept until one starts."""

    time: datetime
    source: str
    reason: str


@dataclass(frozen=True)
class RetrainingState:
    """Everything that the decision depends on.

    Attributes
    ----------
    windows : tuple of WindowVerdict
        Windows of the serving package, ascending by end.
    starts : tuple of RetrainingStart
        Retrainings of the model so far, ascending by time.
    champion_since : datetime
        When the serving package was promoted.
    new_labelled_rows : int
        Ripe labelled rows newer than the champion's last training row.
    paused : str or None
        Why a person paused automatic retraining.
    request : OutsideRequest or None
        The newest wish of another program.
    """

    windows: tuple[WindowVerdict, ...]
    starts: tuple[RetrainingStart, ...]
    champion_since: datetime
    new_labelled_rows: int
    paused: str | None = None
    request: OutsideRequest | None = None

    @property
    def done(self) -> tuple[RetrainingStart, ...]:
        """The starts that did not fail."""
        return tuple(start for start in self.starts if not start.failed)

    @property
    def last_turn(self) -> datetime:
        """When the serving package was promoted, or a later retraining started."""
        return max([self.champion_since, *(start.time for start in self.done)])


@dataclass(frozen=True)
class Trigger:
    """A reason to retrain: its kind, the episode that it belongs to, and a sentence."""

    kind: Kind
    episode: str
    reason: str


@dataclass(frozen=True)
class Held:
    """A reason not to start now: a word, a sentence, and what would lift it."""

    code: str
    why: str
    lift: str


@dataclass(frozen=True)
class RetrainingDecision:
    """START, HOLD (wanted, but not now; `hold` says why) or NONE, with reasons in words.

    Attributes
    ----------
    reasons : tuple of str
        A sentence for each trigger, then one for each reason to hold.
    triggers : tuple of str
        The kind of each trigger that is active; `kind` and `episode` are the first one's.
    lifts : tuple of str
        What would lift each reason to hold.
    """

    action: Literal["START", "HOLD", "NONE"]
    reasons: tuple[str, ...]
    kind: Kind | None = None
    episode: str | None = None
    attempt: int = 1
    hold: str | None = None
    triggers: tuple[str, ...] = ()
    lifts: tuple[str, ...] = ()

    def held(self, *holds: Held) -> RetrainingDecision:
        """The same wish, held."""
        return RetrainingDecision(
            "HOLD",
            (*self.reasons, *(one.why for one in holds)),
            self.kind,
            self.episode,
            self.attempt,
            self.hold or holds[0].code,
            self.triggers,
            (*self.lifts, *(one.lift for one in holds)),
        )

    @property
    def why_wanted(self) -> tuple[str, ...]:
        """The triggers' sentences."""
        return self.reasons[: max(1, len(self.triggers))]

    @property
    def why_held(self) -> tuple[str, ...]:
        """The sentences of what holds it."""
        return self.reasons[max(1, len(self.triggers)) :]
