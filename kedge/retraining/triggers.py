"""What wants a retraining: every trigger that is active now, the weightiest first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from kedge.comparisons import percent
from kedge.config.cron import parse_cron
from kedge.config.policies import PerformancePolicy
from kedge.config.retraining import RetrainingPolicy
from kedge.instants import to_text
from kedge.retraining.state import Kind, RetrainingState, Trigger, WindowVerdict
from kedge.retraining.sustained import sustained
from kedge.severity import Severity

Windows = tuple[WindowVerdict, ...]


def active_triggers(
    state: RetrainingState, policy: RetrainingPolicy, now: datetime, performance: PerformancePolicy
) -> tuple[Trigger, ...]:
    """A measured loss comes first, then what is estimated, then other programs, new rows and the calendar."""
    windows = tuple(w for w in state.windows if w.end > state.champion_since)
    return (
        *_measured(windows, policy, performance),
        *_unmeasured(windows, state, policy, now),
        *_requested(state, policy),
        *_of_new_rows(state, policy),
        *_of_calendar(state, policy, now),
    )


def _measured(windows: Windows, policy: RetrainingPolicy, performance: PerformancePolicy) -> Iterator[Trigger]:
    newest = _newest_measured(windows)
    if policy.on_performance and newest is not None and newest.performance is Severity.CRITICAL:
        measured = tuple(filter(_is_measured, windows))
        lost = [w.performance is Severity.CRITICAL for w in measured]
        lasting = sustained(measured, lost, breaches=performance.breaches, of_windows=performance.of_windows)
        episode = _episode(measured, lasting, policy)
        if episode is not None:
            yield _lasting("performance", episode, "quality has been lost")
    floor = policy.confidence_min
    if floor is not None:
        shares = [w.right_estimated if w.right is None else w.right for w in windows]
        known = tuple(w for w, share in zip(windows, shares, strict=True) if share is not None)
        below = [share < floor for share in shares if share is not None]
        episode = _episode(known, below, policy)
        if episode is not None:
            last = known[-1]
            share = last.right_estimated if last.right is None else last.right
            how = "estimated" if last.right is None else "measured"
            yield _lasting(
                "sla",
                episode,
                f"{percent(share or 0.0)} of the answers are right ({how}), and retraining.confidence_min is {percent(floor)}: "
                "this has been so",
            )


def _unmeasured(windows: Windows, state: RetrainingState, policy: RetrainingPolicy, now: datetime) -> Iterator[Trigger]:
    """The triggers for a loss that no label has shown."""
    lag = _labels_lag(windows, state, policy, now)
    wanted: tuple[tuple[Kind, str, str], ...] = (
        ("estimate", policy.on_estimate, "quality has been estimated as lost"),
        ("drift", policy.on_drift, "drift has been critical"),
        ("confidence", policy.on_confidence, "confidence has been critically low"),
    )
    for kind, when, words in wanted:
        if when == "always" or (when == "when_labels_lag" and lag):
            episode = _episode(windows, [getattr(w, kind) is Severity.CRITICAL for w in windows], policy)
            if episode is not None:
                yield _lasting(kind, episode, words)


def _requested(state: RetrainingState, policy: RetrainingPolicy) -> Iterator[Trigger]:
    wish = state.request
    if policy.on_event and wish is not None and wish.time > state.last_turn:
        said = f"{wish.source} requested it at {wish.time:%Y-%m-%d %H:%M} UTC: {wish.reason}"
        yield Trigger("event", f"event-{to_text(wish.time)}", said)


def _of_new_rows(state: RetrainingState, policy: RetrainingPolicy) -> Iterator[Trigger]:
    since = max((start.new_rows for start in state.done if start.time > state.champion_since), default=0)
    fresh = state.new_labelled_rows - since
    if policy.on_new_rows is not None and fresh >= policy.on_new_rows:
        yield Trigger(
            "new_rows",
            f"new_rows-{to_text(state.last_turn)}",
            f"{fresh:,} new labelled rows have come since {state.last_turn:%Y-%m-%d}; retraining.on_new_rows is "
            f"{policy.on_new_rows:,}",
        )


def _of_calendar(state: RetrainingState, policy: RetrainingPolicy, now: datetime) -> Iterator[Trigger]:
    last = state.last_turn
    if policy.every_days is not None and now - last >= timedelta(days=policy.every_days):
        yield Trigger(
            "schedule",
            f"schedule-{to_text(last)}",
            f"{(now - last).days} days since {last:%Y-%m-%d}; the YAML wants one every {policy.every_days} days",
        )
    tick = parse_cron(policy.schedule).newest_tick(last, now) if policy.schedule else None
    if tick is not None:
        # While it is held the episode stays the first missed tick's day of the turn, not each new tick's.
        said = f"it has been due since {tick:%Y-%m-%d %H:%M} UTC by retraining.schedule, {policy.schedule}"
        yield Trigger("schedule", f"schedule-{to_text(last)}", said)


def _lasting(kind: Kind, episode: datetime, words: str) -> Trigger:
    return Trigger(kind, f"{kind}-{to_text(episode)}", f"{words} since the window to {episode:%Y-%m-%d}")


def _episode(windows: Windows, breached: list[bool], policy: RetrainingPolicy) -> datetime | None:
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


def _labels_lag(windows: Windows, state: RetrainingState, policy: RetrainingPolicy, now: datetime) -> bool:
    newest = _newest_measured(windows)
    return now - (newest.end if newest else state.champion_since) > timedelta(days=policy.labels_lag_days)


def _newest_measured(windows: Windows) -> WindowVerdict | None:
    return next(filter(_is_measured, reversed(windows)), None)


def _is_measured(window: WindowVerdict) -> bool:
    return window.performance not in (None, Severity.INSUFFICIENT_DATA)
