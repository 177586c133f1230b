"""Whether to retrain now: decided from the whole current state, never from a single event that could be missed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from kedge.config.policies import PerformancePolicy, RetrainingPolicy
from kedge.config.sections import Mode
from kedge.errors import WatchedModelError
from kedge.instants import to_text
from kedge.retraining.sustained import sustained
from kedge.severity import Severity

NO_PATIENCE = PerformancePolicy()
# The hold of a model that is only watched.
WATCHED = "watched"

Kind = Literal["performance", "estimate", "drift", "confidence", "schedule", "manual", "initial"]


@dataclass(frozen=True)
class WindowVerdict:
    """How one window was judged; a part that was not measured, estimated or derived is None."""

    start: datetime
    end: datetime
    drift: Severity
    performance: Severity | None
    estimate: Severity | None = None
    confidence: Severity | None = None


@dataclass(frozen=True)
class RetrainingStart:
    """A retraining that was started; one that failed uses up an attempt, but neither cooldown nor budget."""

    time: datetime
    kind: str
    episode: str
    failed: bool = False


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
    """

    windows: tuple[WindowVerdict, ...]
    starts: tuple[RetrainingStart, ...]
    champion_since: datetime
    new_labelled_rows: int
    paused: str | None = None


@dataclass(frozen=True)
class RetrainingDecision:
    """START, HOLD (wanted, but not now; `hold` says why) or NONE, with reasons in words."""

    action: Literal["START", "HOLD", "NONE"]
    reasons: tuple[str, ...]
    kind: Kind | None = None
    episode: str | None = None
    attempt: int = 1
    hold: str | None = None


def decide_retraining(
    state: RetrainingState, policy: RetrainingPolicy, now: datetime, performance: PerformancePolicy = NO_PATIENCE
) -> RetrainingDecision:
    """Decide from the current level whether a retraining starts.

    A measured loss comes first. Then come an estimated loss and critical drift (by default only if labels are late,
    because neither is a measured loss), then falling confidence, then the calendar. A wanted retraining is held in these
    cases: a person has paused it, the cooldown lasts, the month's budget is spent, one episode had too many
    attempts, or there is nothing new to learn from. A measured loss counts once `performance.breaches` of the last
    `performance.of_windows` windows show it, the last one among them.

    >>> from datetime import UTC
    >>> day = datetime(2016, 2, 1, tzinfo=UTC)
    >>> lost = WindowVerdict(day - timedelta(days=7), day, Severity.OK, Severity.CRITICAL)
    >>> state = RetrainingState((lost,), (), day - timedelta(days=90), 900)
    >>> decide_retraining(state, RetrainingPolicy(), day).action
    'START'
    """
    trigger = _trigger(state, policy, now, performance)
    if trigger is None:
        return RetrainingDecision("NONE", ("no trigger is active",))
    kind, episode, reason = trigger
    attempt = 1 + sum(start.episode == episode for start in state.starts)
    held = _held(state, policy, now, episode)
    if held is not None:
        code, why = held
        return RetrainingDecision("HOLD", (reason, why), kind, episode, attempt, code)
    return RetrainingDecision("START", (reason,), kind, episode, attempt)


def held_if_watched(decision: RetrainingDecision, *, model: str, mode: Mode) -> RetrainingDecision:
    """Hold what would start, whoever wants it, where the model is only watched.

    >>> wanted = RetrainingDecision("START", ("drift has been critical",), "drift", "drift-1")
    >>> held_if_watched(wanted, model="m", mode="watch").hold, held_if_watched(wanted, model="m", mode="manage").hold
    ('watched', None)
    """
    if mode == "manage" or decision.action == "NONE":
        return decision
    reasons = (*decision.reasons[:1], str(WatchedModelError(model=model)))
    return replace(decision, action="HOLD", hold=WATCHED, reasons=reasons)


def requested_retraining(kind: Literal["manual", "initial"], reason: str, now: datetime) -> RetrainingDecision:
    """A person's request starts at once: cooldown, budget and pause limit only automatic retrainings.

    Two people may ask within one second, so the reason, which names the person, is part of the episode.
    """
    said = hashlib.sha256(reason.encode()).hexdigest()[:6]
    return RetrainingDecision("START", (reason,), kind, f"{kind}-{now:%Y%m%dT%H%M%S}-{said}")


def run_name(model: str, kind: str, episode: str, attempt: int) -> str:
    """Name of the execution. The same cause gives the same name, so a second start finds the first.

    >>> run_name("hotel", "performance", "performance-2016-02-01T00:00:00Z", 1)
    'hotel-performance-1-f2a44be8'
    """
    digest = hashlib.sha256(f"{model}|{kind}|{episode}|{attempt}".encode()).hexdigest()[:8]
    return f"{run_prefix(model)}-{kind}-{attempt}-{digest}"


# Names as `run_name` gives them. A person may start an execution under any other name.
RUN_NAME = r".+-[a-z_]+-\d+-[0-9a-f]{8}"


def run_prefix(model: str) -> str:
    """How the names of a model's executions begin; a model with a long name may share it with another."""
    return model[:24].rstrip("-")


def _trigger(
    state: RetrainingState, policy: RetrainingPolicy, now: datetime, performance: PerformancePolicy
) -> tuple[Kind, str, str] | None:
    windows = tuple(w for w in state.windows if w.end > state.champion_since)
    if policy.on_performance:
        measured = tuple(w for w in windows if w.performance not in (None, Severity.INSUFFICIENT_DATA))
        lost = [w.performance is Severity.CRITICAL for w in measured]
        lasting = sustained(measured, lost, breaches=performance.breaches, of_windows=performance.of_windows)
        episode = _episode(measured, lasting, policy) if lost[-1:] == [True] else None
        if episode is not None:
            return (
                "performance",
                f"performance-{to_text(episode)}",
                f"quality has been lost since the window to {episode:%Y-%m-%d}",
            )
    unmeasured = _unmeasured_trigger(windows, state, policy, now)
    if unmeasured is not None:
        return unmeasured
    if policy.every_days is not None:
        last = max([state.champion_since, *(start.time for start in state.starts if not start.failed)])
        if now - last >= timedelta(days=policy.every_days):
            return (
                "schedule",
                f"schedule-{to_text(last)}",
                f"{(now - last).days} days since {last:%Y-%m-%d}; the YAML wants one every {policy.every_days} days",
            )
    return None


def _unmeasured_trigger(
    windows: tuple[WindowVerdict, ...], state: RetrainingState, policy: RetrainingPolicy, now: datetime
) -> tuple[Kind, str, str] | None:
    """The trigger for a loss that no label has shown."""
    lag = _labels_lag(windows, state, policy, now)
    asked: tuple[tuple[Kind, str, str], ...] = (
        ("estimate", policy.on_estimate, "quality has been estimated as lost"),
        ("drift", policy.on_drift, "drift has been critical"),
        ("confidence", policy.on_confidence, "confidence has been critically low"),
    )
    for kind, when, words in asked:
        if when == "always" or (when == "when_labels_lag" and lag):
            episode = _episode(windows, [getattr(w, kind) is Severity.CRITICAL for w in windows], policy)
            if episode is not None:
                return kind, f"{kind}-{to_text(episode)}", f"{words} since the window to {episode:%Y-%m-%d}"
    return None


def _episode(windows: tuple[WindowVerdict, ...], breached: list[bool], policy: RetrainingPolicy) -> datetime | None:
    """End of the episode's first breached window, once the breach has lasted; None while the level is good."""
    first = len(windows)
    while first > 0 and breached[first - 1]:
        first -= 1
    if first == len(windows):
        return None
    independent, boundary = 0, None
    for window in reversed(windows[first:]):
        # Windows that share rows count as one piece of evidence.
        if boundary is None or window.end <= boundary:
            independent, boundary = independent + 1, window.start
    return windows[first].end if independent >= policy.persistence_windows else None


def _labels_lag(
    windows: tuple[WindowVerdict, ...], state: RetrainingState, policy: RetrainingPolicy, now: datetime
) -> bool:
    measured = [w.end for w in windows if w.performance not in (None, Severity.INSUFFICIENT_DATA)]
    return now - max([state.champion_since, *measured]) > timedelta(days=policy.labels_lag_days)


def _held(state: RetrainingState, policy: RetrainingPolicy, now: datetime, episode: str) -> tuple[str, str] | None:
    if policy.paused or state.paused:
        return "paused", f"retraining is paused: {state.paused or 'in the YAML'}"
    failed = sum(start.episode == episode and start.failed for start in state.starts)
    if failed >= policy.attempts_maximum:
        return "attempts", f"{failed} retrainings of this episode failed; a person must find out why"
    done = [start for start in state.starts if not start.failed]
    tried = sum(start.episode == episode for start in done)
    # Challengers that are refused again and again cost money and teach little, so the wait grows each time.
    cooldown = policy.cooldown_days * 2 ** max(0, tried - policy.attempts_maximum + 1)
    last = done[-1].time if done else None
    if last is not None and now - last < timedelta(days=cooldown):
        return "cooldown", f"the last retraining started on {last:%Y-%m-%d}; the cooldown is {cooldown} days"
    recent = sum(now - start.time < timedelta(days=30) for start in done)
    if recent >= policy.maximum_per_month:
        return "budget", f"{recent} retrainings in 30 days; {policy.maximum_per_month} are allowed"
    if state.new_labelled_rows < policy.min_new_labelled_rows:
        return (
            "no_new_labels",
            f"{state.new_labelled_rows:,} ripe labelled rows are newer than the champion's training rows; "
            f"{policy.min_new_labelled_rows:,} are needed",
        )
    return None
