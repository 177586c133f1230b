"""The document that `kedge backtest` writes: JSON with the settings side by side and the proposed thresholds."""

from __future__ import annotations

from typing import Any

from cli.backtest.question import BacktestQuestion
from cli.backtest.run import Backtest
from cli.backtest.settings import SHIPPED
from kedge.backtest.proposal import allowed_alerts, outcome_of, propose
from kedge.backtest.replay import Replay
from kedge.columns.times import at
from kedge.config.model import ModelConfig
from kedge.instants import to_text
from kedge.outcomes.counts import measure
from kedge.performance.window import answers_against_labels

# Thresholds whose consequences are shown beside the proposal's, in effect and in PSI.
YEAR_SECONDS = 365.25 * 86_400
SHOWN = {"effect": (0.05, 0.1, 0.15, 0.2, 0.3, 0.5), "psi": (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)}


def document_of(question: BacktestQuestion, found: Backtest) -> dict[str, Any]:
    """The main setting's windows and totals, then everything to compare them with."""
    main = found.replays[question.settings[0].name]
    return {
        "settings": _settings(question),
        "windows": [window.to_json() for window in main.windows],
        "totals": main.totals(),
        "comparison": [_compared(setting.name, found.replays[setting.name]) for setting in question.settings],
        "proposal": _proposal(question, found),
        "baseline": _baseline(question, found),
        "rest": _rest(question),
        "notes": [*question.notes, *_reference_notes(question, found)],
    }


def _settings(question: BacktestQuestion) -> dict[str, Any]:
    options, setting = question.options, question.settings[0]
    found: dict[str, Any] = {
        "name": setting.name,
        "model": setting.config.model,
        "problem": setting.config.problem,
        "data": options.data,
        "time": options.time,
        "baseline_until": _iso(question.history.grid.start),
        "window": options.window,
        "columns": [{"name": c.name, "role": c.role, "kind": c.kind} for c in question.columns],
        "retraining_cost_usd": options.retraining_cost_usd,
        "alerts_from": setting.config.alerts.severity_from,
        "label_horizon_days": setting.config.labels.label_horizon_days or 0.0,
        "policy": _policy(setting.config),
        "assumptions": [
            "nothing is trained: after a retraining that would have started, the same model goes on answering",
            "every label is in when its window is judged, or label_horizon_days later",
            "volume, freshness, duplicates and requests without a capture are not judged, nor are pairs of features",
            f"a retraining costs {options.retraining_cost_usd:.2f} USD (--retraining-cost-usd)",
        ],
    }
    named = {"prediction": question.prediction, "label": options.label}
    return found | {name: value for name, value in named.items() if value}


def _policy(config: ModelConfig) -> dict[str, Any]:
    sections = {"drift", "performance", "retraining", "alerts"}
    return config.model_dump(mode="json", include=sections, exclude_none=True)


def _compared(name: str, replay: Replay) -> dict[str, Any]:
    windows = [
        {"severity": w.severity.value, "drift": w.judged.drift.value, "alert": w.alert, "action": w.decision.action}
        for w in replay.windows
    ]
    shipped = {"rule": SHIPPED[name]} if name in SHIPPED else {}
    return {"name": name, **shipped, "totals": replay.totals(), "windows": windows}


def _proposal(question: BacktestQuestion, found: Backtest) -> dict[str, Any]:
    wished = question.options.alerts_per_year
    if wished is None:
        wished = question.config.drift.alert_budget_per_year
    history = question.history
    years = history.windows * history.grid.length / (YEAR_SECONDS * 1e6)
    allowed = allowed_alerts(wished, years)
    soundings, config = found.soundings, question.config
    proposed = [propose(soundings, rule, allowed=allowed, config=config) for rule in SHOWN]
    considered = [outcome_of(soundings, rule, value, config) for rule, values in SHOWN.items() for value in values]
    return {
        "alerts_per_year": wished,
        "years": round(years, 3),
        "alerts_allowed": allowed,
        "thresholds": [outcome.to_json() for outcome in proposed],
        "considered": [outcome.to_json() for outcome in considered],
    }


def _baseline(question: BacktestQuestion, found: Backtest) -> dict[str, Any]:
    survey = question.history.survey
    told: dict[str, Any] = {
        "start": _iso(survey.oldest),
        "end": _iso(question.history.grid.start),
        "rows": found.baseline.profile.rows,
    }
    if found.reference is None:
        return told
    reference = measure(found.reference, question.config.performance)
    return told | {
        "labelled_rows": found.reference.rows,
        "reference": {name: {"value": e.value, "low": e.low, "high": e.high} for name, e in reference.items()},
    }


def _reference_notes(question: BacktestQuestion, found: Backtest) -> list[str]:
    if found.reference is None:
        return []
    if found.reference.rows:
        return [*answers_against_labels(measure(found.reference, question.config.performance))]
    return ["no row before the first window has both an answer and a label: quality has no reference and is not judged"]


def _rest(question: BacktestQuestion) -> dict[str, Any]:
    history = question.history
    start = _iso(history.grid.start + history.windows * history.grid.length)
    return {"rows": history.rest_rows} | ({"start": start} if history.rest_rows else {})


def _iso(microseconds: int) -> str:
    return to_text(at(microseconds))
