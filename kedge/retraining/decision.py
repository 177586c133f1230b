"""Whether to retrain now: decided from the whole current state, never from a single event that could be missed."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Literal

from kedge.config.policies import PerformancePolicy
from kedge.config.retraining import RetrainingPolicy
from kedge.config.sections import Mode
from kedge.config.training import run_prefix
from kedge.errors import WatchedModelError
from kedge.retraining.holds import WATCHED, active_holds
from kedge.retraining.state import Held, RetrainingDecision, RetrainingState
from kedge.retraining.triggers import active_triggers

NO_PATIENCE = PerformancePolicy()


def decide_retraining(
    state: RetrainingState, policy: RetrainingPolicy, now: datetime, performance: PerformancePolicy = NO_PATIENCE
) -> RetrainingDecision:
    """Decide from the current level whether a retraining starts.

    All triggers that are active are named; the weightiest gives the retraining its name. A measured loss comes first. Then
    come an estimated loss and critical drift (by default only if labels are late, because neither is a measured loss), then
    falling confidence, then another program's request, new rows and the calendar. All that holds it is named with what
    would lift it: a person has paused it, the cooldown lasts, starts or money of the month are spent, one episode had too
    many attempts, there is nothing new to learn from, or the hours are quiet. A measured loss counts once
    `performance.breaches` of the last `performance.of_windows` windows show it, the last one among them.

    >>> from datetime import UTC, timedelta
    >>> from kedge.retraining.state import WindowVerdict
    >>> from kedge.severity import Severity
    >>> day = datetime(2016, 2, 1, tzinfo=UTC)
    >>> lost = WindowVerdict(day - timedelta(days=7), day, Severity.OK, Severity.CRITICAL)
    >>> state = RetrainingState((lost,), (), day - timedelta(days=90), 900)
    >>> decide_retraining(state, RetrainingPolicy(), day).action
    'START'
    """
    triggers = active_triggers(state, policy, now, performance)
    if not triggers:
        return RetrainingDecision("NONE", ("no trigger is active",))
    kind, episode = triggers[0].kind, triggers[0].episode
    wanted = RetrainingDecision(
        "START",
        tuple(trigger.reason for trigger in triggers),
        kind,
        episode,
        1 + sum(start.episode == episode for start in state.starts),
        triggers=tuple(trigger.kind for trigger in triggers),
    )
    holds = active_holds(state, policy, now, episode)
    return wanted.held(*holds) if holds else wanted


def held_if_watched(decision: RetrainingDecision, *, model: str, mode: Mode) -> RetrainingDecision:
    """Hold what would start, whoever wants it, where the model is only watched.

    >>> wanted = RetrainingDecision("START", ("drift has been critical",), "drift", "drift-1")
    >>> held_if_watched(wanted, model="m", mode="watch").hold, held_if_watched(wanted, model="m", mode="manage").hold
    ('watched', None)
    """
    if mode == "manage" or decision.action == "NONE":
        return decision
    wish = RetrainingDecision(
        "START", decision.why_wanted, decision.kind, decision.episode, decision.attempt, triggers=decision.triggers
    )
    # That it is watched says it all: what else would hold it concerns nobody.
    return wish.held(Held(WATCHED, str(WatchedModelError(model=model)), "`mode: manage` in its YAML, deployed"))


def requested_retraining(kind: Literal["manual", "initial"], reason: str, now: datetime) -> RetrainingDecision:
    """A person's request starts at once: cooldown, budget, quiet hours and pause limit only automatic retrainings.

    Two people may ask within one second, so the reason, which names the person, is part of the episode.
    """
    said = hashlib.sha256(reason.encode()).hexdigest()[:6]
    return RetrainingDecision("START", (reason,), kind, f"{kind}-{now:%Y%m%dT%H%M%S}-{said}", triggers=(kind,))


def run_name(resource_name: str, kind: str, episode: str, attempt: int) -> str:
    """Name of the execution. The same cause gives the same name, so a second start finds the first.

    >>> run_name("hotel", "performance", "performance-2016-02-01T00:00:00Z", 1)
    'hotel-performance-1-f2a44be8'
    """
    digest = hashlib.sha256(f"{resource_name}|{kind}|{episode}|{attempt}".encode()).hexdigest()[:8]
    return f"{run_prefix(resource_name)}-{kind}-{attempt}-{digest}"


def tuning_name(run: str) -> str:
    """How the names of a run's tuning jobs begin: SageMaker takes 32 characters, and an attempt's number follows.

    >>> tuning_name("hotel-cancellations-performance-1-f2a44be8")
    'hotel-cancella-tune-6893c74a'
    """
    return f"{run[:14].rstrip('-')}-tune-{hashlib.sha256(run.encode()).hexdigest()[:8]}"


# Names as `run_name` gives them. A person may start an execution under any other name.
RUN_NAME = r".+-[a-z_]+-\d+-[0-9a-f]{8}"
