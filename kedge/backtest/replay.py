"""History replayed through a policy, window by window: what it would have said and done, and whether it was right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

from kedge.alerts.episode import AlertEpisode, AlertWindow, News, as_told, follow_episode
from kedge.alerts.verdicts import alert_severity, answer_verdicts, newly_blind, young_drift
from kedge.backtest.window import JudgedWindow, all_dated
from kedge.config.model import ModelConfig
from kedge.instants import to_text
from kedge.performance.verdicts import QualityVerdicts
from kedge.quality.chosen import chosen_parts
from kedge.retraining.decision import decide_retraining
from kedge.retraining.state import RetrainingDecision, RetrainingStart, RetrainingState, WindowVerdict
from kedge.retraining.sustained import sustained
from kedge.severity import Severity


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
        """As the backtest's JSON has it under "windows"; `loss` is null if nothing was measured."""
        judged = self.judged
        estimate = judged.quality.estimate
        told = [*judged.reasons, *(estimate.reasons if estimate and estimate.severity else ())]
        if self.decision.action != "NONE":
            told += [f"retraining: {reason}" for reason in self.decision.reasons]
        document: dict[str, Any] = {
            "start": to_text(judged.start),
            "end": to_text(judged.end),
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
        return document | ({"performance": judged.quality.to_json()} if judged.quality.measured else {})


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
    windows = tuple(all_dated(tuple(judged)))
    lasting, drift_lasts = _lasting(windows, config), _drift_lasts(windows, config)
    verdicts, blind = tuple(map(_verdict, windows)), [window.blind for window in windows]
    learnable = list(accumulate(window.learnable_rows for window in windows))
    ripening = timedelta(days=config.labels.label_horizon_days or 0.0)
    walked: list[ReplayedWindow] = []
    starts: list[RetrainingStart] = []
    episode: AlertEpisode | None = None
    for number, window in enumerate(windows):
        now = window.end + ripening
        state = RetrainingState(verdicts[: number + 1], tuple(starts), since, learnable[number])
        decision = decide_retraining(state, config.retraining, now, config.performance)
        if decision.action == "START":
            starts.append(RetrainingStart(now, str(decision.kind), str(decision.episode)))
        seen = AlertWindow(
            window.start,
            window.end,
            "",
            {
                **(window.data if drift_lasts[number] else young_drift(window.data)),
                **answer_verdicts(lasting[number], window.less_confident, chosen_parts(config)),
            },
        )
        episode, news = _told(follow_episode(episode, seen, config.alerts))
        alarms = bool(seen.alarms(config.alerts))
        fell_blind = not alarms and newly_blind(blind[number::-1])
        severity = alert_severity(window.drift, lasting[number])
        told = "blind" if fell_blind else news.kind if news else None
        walked.append(ReplayedWindow(window, severity, alarms or fell_blind, decision, told))
    return Replay(tuple(walked), Severity(config.alerts.severity_from), retraining_cost_usd)


def _verdict(window: JudgedWindow) -> WindowVerdict:
    quality = window.quality.verdicts
    return WindowVerdict(
        window.start, window.end, window.retrainable, quality.measured, quality.estimated, window.less_confident
    )


def _drift_lasts(windows: Sequence[JudgedWindow], config: ModelConfig) -> list[bool]:
    drifted, policy = [window.retrainable is Severity.CRITICAL for window in windows], config.drift
    return sustained(windows, drifted, breaches=policy.breaches, of_windows=policy.of_windows)


def _lasting(windows: Sequence[JudgedWindow], config: ModelConfig) -> list[QualityVerdicts]:
    """The verdicts on each window's answers; a measured loss counts as one once it has lasted."""
    policy = config.performance
    measured = [window for window in windows if window.loss is not None]
    lost = [window.loss is True for window in measured]
    lasts = sustained(measured, lost, breaches=policy.breaches, of_windows=policy.of_windows)
    brief = {one.start for one, loss, last in zip(measured, lost, lasts, strict=True) if loss and not last}
    known = [(window, window.quality.verdicts) for window in windows]
    return [replace(v, measured=Severity.WARNING) if window.start in brief else v for window, v in known]


def _told(episode: AlertEpisode | None) -> tuple[AlertEpisode | None, News | None]:
    """The episode after its news was told."""
    return (None, None) if episode is None else (as_told(episode), episode.untold)


def _both(losses: Sequence[bool | None], loss: bool, flags: Sequence[bool], flag: bool) -> int:
    return sum(one is loss and other is flag for one, other in zip(losses, flags, strict=True))
