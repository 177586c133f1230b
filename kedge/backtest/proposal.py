"""Which drift thresholds would have kept a history within a given number of messages, and what they would have missed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from kedge.alerts.episode import AlertEpisode, AlertWindow, as_told, follow_episode
from kedge.backtest.window import Earlier, HistoryWindow, measure_history
from kedge.config.model import ModelConfig
from kedge.drift.column import DriftRule
from kedge.drift.seasonal_baseline import seasonal_baseline
from kedge.profile.baseline import Baseline
from kedge.severity import Severity, warned_if

# Steps in which a threshold is proposed, and the smallest one worth setting: below it every large window drifts.
STEP, SMALLEST = 0.01, 0.02
FIELDS = {"effect": "drift.effect_max", "psi": "drift.psi_max"}
_FLOORLESS = DriftRule(by_psi=False, warning=0.0, critical=0.0)


@dataclass(frozen=True)
class Sounding:
    """How far one window had moved, independent of thresholds.

    Attributes
    ----------
    effect : float
        Largest effect beyond the effect without drift, among the columns that moved beyond chance; 0 if none did.
    psi : float
        Largest PSI of any column; 0 if none was measured.
    otherwise : bool
        The window alerts for another reason than drift: quality is lost, or values are missing or strange.
    loss : bool or None
        Whether quality was lost; None if it was not measured.
    """

    start: datetime
    end: datetime
    effect: float
    psi: float
    otherwise: bool
    loss: bool | None


@dataclass(frozen=True)
class Outcome:
    """What one threshold would have given, in windows.

    Attributes
    ----------
    messages : int
        Windows without a loss after which people would have got a message about drift: that it begins, is back, or lasts.
    alerts : int
        Windows with an alert for any reason.
    drift_alerts : int
        Windows that alert for their drift.
    drift_missed_losses, drift_false_alerts : int
        Lost windows without a drift alert | drift alerts in windows whose quality held.
    """

    rule: str
    threshold: float
    messages: int
    alerts: int
    drift_alerts: int
    drift_missed_losses: int
    drift_false_alerts: int

    def to_json(self) -> dict[str, Any]:
        """As `kedge backtest` writes it."""
        return {"field": FIELDS[self.rule], **asdict(self)}


def sound_window(
    baseline: Baseline,
    window: HistoryWindow,
    config: ModelConfig,
    *,
    performance: Severity | None,
    earlier: Earlier | None = None,
) -> Sounding:
    """Judge a window without a floor for the effects: a column counts if it moved beyond chance.

    Parameters
    ----------
    performance : Severity, optional
        The window's measured quality.
    earlier : mapping of str to Profile, optional
        See `kedge.backtest.window.judge_window`.
    """
    season = seasonal_baseline(baseline, earlier, config) if earlier else None
    found = measure_history(baseline, window, config, season).columns
    tested = [(one.measured, one.p_value_adjusted) for one in found.own if one.measured is not None]
    moved = [
        measured.effect - measured.effect_without_drift
        for measured, p_value in tested
        if _FLOORLESS.severity(measured, p_value, found.level) is Severity.CRITICAL
    ]
    alert_from = Severity(config.alerts.severity_from)
    checks = any(check.severity >= alert_from for one in found.own for check in one.checks)
    lost = performance is not None and performance >= alert_from
    psi = max((measured.statistics.get("psi", 0.0) for measured, _ in tested), default=0.0)
    loss = None if performance in (None, Severity.INSUFFICIENT_DATA) else performance is Severity.CRITICAL
    return Sounding(window.start, window.end, max(moved, default=0.0), psi, checks or lost, loss)


def outcome_of(soundings: Sequence[Sounding], rule: str, threshold: float, config: ModelConfig) -> Outcome:
    """What a threshold would have given.

    Parameters
    ----------
    soundings : sequence of Sounding
        In the order of time.

    >>> from kedge.config.reading import parse_model_config
    >>> yaml = "{model: m, endpoint: {name: e}, features: [{name: x, kind: numeric}]}"
    >>> config = parse_model_config(yaml, source="m")
    >>> days = [datetime(2016, 1, day) for day in range(1, 6)]
    >>> moved = zip(days, days[1:], [0.01, 0.3, 0.3, 0.01])
    >>> history = [Sounding(start, end, effect, 0.0, False, False) for start, end, effect in moved]
    >>> found = outcome_of(history, "effect", 0.1, config)
    >>> found.drift_alerts, found.messages
    (2, 1)
    """
    drift = [getattr(sounding, rule) >= threshold for sounding in soundings]
    pairs = list(zip(drift, (sounding.loss for sounding in soundings), strict=True))
    return Outcome(
        rule,
        threshold,
        _messages(soundings, rule, threshold, config),
        sum(moved or one.otherwise for moved, one in zip(drift, soundings, strict=True)),
        sum(drift),
        drift_missed_losses=sum(loss is True and not moved for moved, loss in pairs),
        drift_false_alerts=sum(loss is False and moved for moved, loss in pairs),
    )


def allowed_alerts(alerts_per_year: float, years: float) -> int:
    """Alerts that a history of this length may have, rounded to a whole number.

    >>> allowed_alerts(1, 0.92), allowed_alerts(1, 0.3), allowed_alerts(4, 2.1)
    (1, 0, 8)
    """
    return math.floor(alerts_per_year * years + 0.5)


def propose(soundings: Sequence[Sounding], rule: str, *, allowed: int, config: ModelConfig) -> Outcome:
    """The smallest threshold, in steps of `STEP`, that keeps needless messages about drift within the allowed number.

    Every larger threshold must keep to it too.

    Messages come as for any alarm: when an episode begins or is back, and every `alerts.reminder_days` while it lasts. A
    message about a window whose quality was lost is useful and is not counted. One about a window that was not measured is
    counted, because its use is unknown.

    Parameters
    ----------
    soundings : sequence of Sounding
        In the order of time.

    >>> from kedge.config.reading import parse_model_config
    >>> yaml = "{model: m, endpoint: {name: e}, features: [{name: x, kind: numeric}]}"
    >>> config = parse_model_config(yaml, source="m")
    >>> days = [datetime(2016, 1, day) for day in range(1, 7)]
    >>> moved = zip(days, days[1:], [0.02, 0.20, 0.03, 0.31, 0.02])
    >>> history = [Sounding(start, end, effect, 0.0, False, False) for start, end, effect in moved]
    >>> propose(history, "effect", allowed=1, config=config).threshold
    0.21
    """
    steps = sorted({SMALLEST, *(max(SMALLEST, _above(getattr(one, rule))) for one in soundings)}, reverse=True)
    best = outcome_of(soundings, rule, steps[0], config)
    # From large to small: with a small threshold endless alarms would be a single episode.
    for threshold in steps[1:]:
        found = outcome_of(soundings, rule, threshold, config)
        if found.messages > allowed:
            break
        best = found
    return best


def _messages(soundings: Sequence[Sounding], rule: str, threshold: float, config: ModelConfig) -> int:
    """The number of windows without a loss after which people hear that drift begins, is back, or lasts."""
    of_effect, _ = config.drift.model_copy(update={"rule": "effect"}).effect_floors
    warning = min(threshold, config.drift.psi_warning if rule == "psi" else of_effect)
    episode: AlertEpisode | None = None
    told = 0
    for one in soundings:
        moved = getattr(one, rule)
        verdict = Severity.CRITICAL if moved >= threshold else warned_if(moved >= warning)
        episode = follow_episode(episode, AlertWindow(one.start, one.end, "", {"drift": verdict}), config.alerts)
        if episode is None or episode.untold is None:
            continue
        told += episode.untold.kind != "ends" and one.loss is not True
        episode = as_told(episode)
    return told


def _above(value: float) -> float:
    return round((math.floor(value / STEP + 1e-9) + 1) * STEP, 10)
