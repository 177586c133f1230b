"""History replayed through a policy, window by window: what it would have said and done, and whether it was right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kedge.alerts.episode import AlertEpisode, AlertWindow, News, as_told, follow_episode
from kedge.alerts.verdicts import alert_severity, answer_verdicts, newly_blind
from kedge.backtest.window import UNMEASURED, JudgedWindow, dated
from kedge.config.model import ModelConfig
from kedge.retraining.decision import (
    RetrainingDecision,
    RetrainingStart,
    RetrainingState,
    WindowVerdict,
    decide_retraining,
)
from kedge.retraining.sustained import sustained
from kedge.severity import Severity
from kedge.slices.judgement import fairness_json


@dataclass(frozen=True)
class ReplayedWindow:
    """One window with what would have been done about it.

    Attributes
    ----------
    severity : Severity
        The worst of drift, quality and fairness; a loss that has not lasted as long as the YAML requires is a warning.
    alert : bool
        Whether it is as bad as `alerts.severity_from`, or the monitor has become blind with it.
    told : str or None
        The message that people would have got: an episode of alarms "begins", is "worse", "lasts", is "back" or "ends", or the
        monitor is "blind"; None for no message.
    """

    judged: JudgedWindow
    severity: Severity
    alert: bool
    decision: RetrainingDecision
    told: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As DESIGN.md's backtest holds it under "windows"; `loss` is null if nothing was measured."""
        judged = self.judged
        told = [*judged.reasons, *(judged.estimate.reasons if judged.estimate and judged.estimated else ())]
        if self.decision.action != "NONE":
            told += [f"retraining: {reason}" for reason in self.decision.reasons]
        document: dict[str, Any] = {
            "start": _iso(judged.start),
            "end": _iso(judged.end),
            "rows": judged.rows,
            "severity": self.severity.value,
            "drift": judged.drift.value,
            "loss": judged.loss,
            "alert": self.alert,
            "action": self.decision.action,
            "drifted": list(judged.drifted),
            "reasons": told,
        }
        document |= {"hold": self.decision.hold} if self.decision.hold else {}
        document |= {"told": self.told} if self.told else {}
        return document | ({"performance": _performance(judged)} if judged.performance else {})


@dataclass(frozen=True)
class Replay:
    """A whole history under one policy.

    Attributes
    ----------
    alert_from : Severity
        The severity from which the policy alerts.
    """

    windows: tuple[ReplayedWindow, ...]
    alert_from: Severity
    retraining_cost_usd: float

    def totals(self) -> dict[str, Any]:
        """What the policy would have said and done, in numbers.

        `alerts` are windows with an alert, `alert_episodes` their episodes, and `messages` windows after which people would
        have got a message. `drift_alerts` are windows whose drift alone reaches the severity.
        If there are labels, `losses` are windows whose quality was lost, `missed_losses` those without an alert, `false_alerts`
        alerts without a loss. `drift_missed_losses` and `drift_false_alerts` count the same for drift alone, as if the
        labels had come too late.
        """
        alerts = [window.alert for window in self.windows]
        drift = [window.judged.drift >= self.alert_from for window in self.windows]
        starts = sum(window.decision.action == "START" for window in self.windows)
        found: dict[str, Any] = {
            "windows": len(self.windows),
            "alerts": sum(alerts),
            "alert_episodes": sum(window.told in ("begins", "blind") for window in self.windows),
            "messages": sum(window.told is not None for window in self.windows),
            "drift_alerts": sum(drift),
            "retrainings": starts,
            "retrainings_held": sum(window.decision.action == "HOLD" for window in self.windows),
            "cost_usd": round(starts * self.retraining_cost_usd, 2),
        }
        losses = [window.judged.loss for window in self.windows]
        if any(loss is not None for loss in losses):
            found |= {
                "losses": losses.count(True),
                "missed_losses": _both(losses, True, alerts, False),
                "false_alerts": _both(losses, False, alerts, True),
                "drift_missed_losses": _both(losses, True, drift, False),
                "drift_false_alerts": _both(losses, False, drift, True),
            }
        return found


def replay(
    judged: Iterable[JudgedWindow], config: ModelConfig, *, since: datetime, retraining_cost_usd: float
) -> Replay:
    """Walk through judged windows in the order of time, and decide at each one's end.

    Nothing is trained: the same model goes on answering after a retraining would have started, so a loss that the
    retraining would have corrected goes on too. A decision is made when the window's labels are in: `labels.label_horizon_days`
    after the window's end.

    Parameters
    ----------
    judged : iterable of JudgedWindow
        Ascending, without overlap.
    since : datetime
        The time from which the model serves: the end of the baseline.
    """
    windows = tuple(dated(tuple(judged)))
    measured = _lasting(windows, config)
    ripening = timedelta(days=config.labels.label_horizon_days or 0.0)
    walked: list[ReplayedWindow] = []
    starts: list[RetrainingStart] = []
    episode: AlertEpisode | None = None
    for number, window in enumerate(windows):
        now = window.end + ripening
        decision = decide_retraining(
            _state(windows[: number + 1], starts, since), config.retraining, now, config.performance
        )
        if decision.action == "START":
            starts.append(RetrainingStart(now, str(decision.kind), str(decision.episode)))
        seen = _alert_window(window, measured[number])
        episode, news = _told(follow_episode(episode, seen, config.alerts))
        alarms = bool(seen.alarms(config.alerts))
        blind = not alarms and newly_blind([past.blind for past in windows[number::-1]])
        severity = alert_severity(window.drift, measured[number], window.estimated, window.unequal)
        told = "blind" if blind else news.kind if news else None
        walked.append(ReplayedWindow(window, severity, alarms or blind, decision, told))
    return Replay(tuple(walked), Severity(config.alerts.severity_from), retraining_cost_usd)


def _state(windows: Sequence[JudgedWindow], starts: Sequence[RetrainingStart], since: datetime) -> RetrainingState:
    verdicts = [
        WindowVerdict(w.start, w.end, w.retrainable, w.measured, w.estimated, w.less_confident) for w in windows
    ]
    return RetrainingState(tuple(verdicts), tuple(starts), since, sum(window.learnable_rows for window in windows))


def _lasting(windows: Sequence[JudgedWindow], config: ModelConfig) -> list[Severity | None]:
    """The measured verdict on each window; a loss counts once it has lasted."""
    policy = config.performance
    measured = [window for window in windows if window.measured not in UNMEASURED]
    lost = [window.measured is Severity.CRITICAL for window in measured]
    lasts = sustained(measured, lost, breaches=policy.breaches, of_windows=policy.of_windows)
    brief = {one.start for one, loss, last in zip(measured, lost, lasts, strict=True) if loss and not last}
    return [Severity.WARNING if window.start in brief else window.measured for window in windows]


def _alert_window(window: JudgedWindow, measured: Severity | None) -> AlertWindow:
    answers = answer_verdicts(
        measured=measured,
        estimated=window.estimated,
        unequal=window.unequal,
        less_confident=window.less_confident,
    )
    return AlertWindow(window.start, window.end, "", {**window.data, **answers})


def _told(episode: AlertEpisode | None) -> tuple[AlertEpisode | None, News | None]:
    """The episode after its news was told."""
    return (None, None) if episode is None else (as_told(episode), episode.untold)


def _performance(judged: JudgedWindow) -> dict[str, Any]:
    """As in the report: measured quality, estimated quality, and the groups."""
    found = judged.performance.to_json() if judged.performance else {}
    found |= {"estimate": judged.estimate.to_json()} if judged.estimate else {}
    found |= judged.slices.to_json() if judged.slices else {}
    return found | (fairness_json(judged.fairness) if judged.fairness else {})


def _both(losses: Sequence[bool | None], loss: bool, flags: Sequence[bool], flag: bool) -> int:
    return sum(one is loss and other is flag for one, other in zip(losses, flags, strict=True))


def _iso(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
