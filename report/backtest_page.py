"""A backtest as one self-contained page: what Kedge would have done, other settings beside it, and the proposed thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kedge.config.metrics import range_of
from kedge.instants import from_text
from report.charts import strip_svg
from report.drift_page import environment
from report.pages.time_frame import Span
from report.pages.trend_chart import Point, Trend

_QUALITY = {True: ("CRITICAL", "lost"), False: ("OK", "holds"), None: ("INSUFFICIENT_DATA", "not measured")}
_ESTIMATED = {"OK": "estimated: holds", "WARNING": "estimated: lower", "CRITICAL": "estimated: lost"}
_ACTION = {"START": ("START", "a retraining would have started"), "HOLD": ("HOLD", "a retraining was held")}
TRENDS_SHOWN = 3


def render_backtest_page(document: Mapping[str, Any]) -> str:
    """Render what `kedge backtest --json` writes."""
    windows = document["windows"]
    return (
        environment()
        .get_template("backtest.html")
        .render(
            document=document,
            strips=_strips(windows),
            trends=_trends(windows),
            settings_side_by_side=[
                (compared, _setting_strip(compared, windows)) for compared in document["comparison"]
            ],
            thresholds=_thresholds(document["proposal"]),
            quality=_quality,
            measured="losses" in document["totals"],
            day=10 if all(window["start"].endswith("T00:00:00Z") for window in windows) else 16,
        )
    )


def _quality(window: Mapping[str, Any]) -> tuple[str, str]:
    """The measured verdict, else the estimated one."""
    estimated = window.get("performance", {}).get("estimate", {}).get("severity")
    if window["loss"] is None and estimated in _ESTIMATED:
        return estimated, _ESTIMATED[estimated]
    return _QUALITY[window["loss"]]


def _strips(windows: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """Drift, quality, fairness (if judged) and action, each as a strip of the windows."""
    drift = [(w["drift"], f"{_span(w)}: {w['drift']}") for w in windows]
    quality = [(kind, f"{_span(w)}: quality {words}") for w in windows for kind, words in [_quality(w)]]
    unequal = [w.get("performance", {}).get("fairness", {}).get("severity", "INSUFFICIENT_DATA") for w in windows]
    fairness = [(kind, f"{_span(w)}: equal treatment {kind}") for w, kind in zip(windows, unequal, strict=True)]
    strips = {"drift": drift, "quality": quality, "fairness": fairness, "action": [_action(w) for w in windows]}
    if not any("fairness" in window.get("performance", {}) for window in windows):
        del strips["fairness"]
    return [(name, strip_svg(name, cells)) for name, cells in strips.items()]


def _action(window: Mapping[str, Any]) -> tuple[str, str]:
    if window["action"] in _ACTION:
        kind, words = _ACTION[window["action"]]
    else:
        kind, words = ("ALERT", "an alert") if window["alert"] else ("NONE", "nothing to do")
    return kind, f"{_span(window)}: {words}"


def _setting_strip(compared: Mapping[str, Any], windows: list[dict[str, Any]]) -> Any:
    """One setting's alerts by window."""
    cells = []
    for told, window in zip(compared["windows"], windows, strict=True):
        kind = "ALERT" if told["alert"] else "NONE"
        cells.append((kind, f"{_span(window)}: {'alert' if told['alert'] else 'no alert'}, drift {told['drift']}"))
    return strip_svg(compared["name"], cells)


def _trends(windows: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """The metrics with limits, over the windows."""
    judged: dict[str, None] = {}
    for window in windows:
        for metric in window.get("performance", {}).get("metrics", []):
            if "limit" in metric:
                judged[metric["name"]] = None
    return [
        (name, Trend(name, [_point(w, name) for w in windows], _axis(windows), range_of(name)).drawn())
        for name in list(judged)[:TRENDS_SHOWN]
    ]


def _axis(windows: list[dict[str, Any]]) -> Span:
    return Span.of(from_text(window["end"]) for window in windows)


def _point(window: Mapping[str, Any], name: str) -> Point:
    """One window of a metric's chart: measured, estimated, both or neither."""
    performance = window.get("performance", {})
    measured = _named(performance.get("metrics", []), name)
    expected = _named(performance.get("estimate", {}).get("metrics", []), name)
    words: list[str] = []
    known: dict[str, Any] = {}
    if measured is not None:
        words.append(f"{name} {measured['value']:.4f} ({measured['low']:.4f} to {measured['high']:.4f})")
        known |= {key: measured[key] for key in ("value", "low", "high", "limit") if key in measured}
    if expected is not None:
        words.append(f"{name} estimated at {expected['value']:.4f} ({expected['low']:.4f} to {expected['high']:.4f})")
        known |= {"estimate": expected["value"], "estimate_low": expected["low"], "estimate_high": expected["high"]}
    kind = (measured or {}).get("severity", "INSUFFICIENT_DATA")
    return Point(from_text(window["end"]), f"{_span(window)}: {'; '.join(words) or 'not measured'}", kind, **known)


def _named(metrics: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any] | None:
    return next((metric for metric in metrics if metric["name"] == name), None)


def _thresholds(proposal: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The proposed thresholds among the others, rule by rule and ascending."""
    rows = [{**found, "proposed": True} for found in proposal["thresholds"]]
    rows += [{**found, "proposed": False} for found in proposal["considered"] if found not in proposal["thresholds"]]
    return sorted(rows, key=lambda found: (found["rule"], found["threshold"]))


def _span(window: Mapping[str, Any]) -> str:
    return f"{window['start'][:16]} to {window['end'][:16]}".replace("T00:00", "").replace("T", " ")
