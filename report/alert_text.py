"""Mails that a person understands in ten seconds: what happened, whether it matters, what happens next, where to look."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from report import (
    capture_alerts,
    decision_alerts,
    digest_alert,
    endpoint_alerts,
    execution_alerts,
    health_alerts,
    monitor_alerts,
    release_alerts,
    retraining_alerts,
)
from report.alert_words import Message, Place, section, shortened
from report.window_alert import window_message

SUBJECT_CHARACTERS = 100  # SNS takes fewer than this many, and only ASCII


@dataclass(frozen=True)
class AlertText:
    """A plain-text mail."""

    subject: str
    body: str


def alert_parts(
    kind: str, model: str, time: datetime, detail: Mapping[str, Any], place: Place | None = None
) -> Message:
    """The title and the paragraphs for one timeline kind; a kind without its own words shows its facts.

    Parameters
    ----------
    place : Place or None
        Where the deployment keeps its pages; without it the message has no link to them.
    """
    message = MESSAGES[kind](model, detail) if kind in MESSAGES else facts(kind, detail)
    repeated = (
        "You may have received this message before: it could not be confirmed as sent."
        if detail.get("repeated")
        else ""
    )
    several = kind == "digest"
    links = "" if place is None else place.all_links() if several else place.model_links(model)
    stage = place.stage_note if place else ""
    pages = section("THE PAGE OF ALL MODELS" if several else "THE MODEL'S PAGE", links)
    body = (f"{time:%A, %d %B %Y, %H:%M} UTC", repeated, *message.paragraphs, pages, stage)
    return Message(
        message.headline if several else f"{model}: {message.headline}", tuple(part for part in body if part)
    )


def render_alert(
    kind: str, model: str, time: datetime, detail: Mapping[str, Any], place: Place | None = None
) -> AlertText:
    """Write the mail for one timeline kind."""
    parts = alert_parts(kind, model, time, detail, place)
    body = "\n\n".join((parts.headline, *parts.paragraphs)) + "\n"
    sender = f"Kedge {place.stage.name}".rstrip() if place else "Kedge"
    return AlertText(subject_line(f"[{sender}] {parts.headline}"), body)


def subject_line(text: str) -> str:
    """One line of ASCII that fits."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    line = " ".join(ascii_text.split())
    return line if len(line) < SUBJECT_CHARACTERS else line[: SUBJECT_CHARACTERS - 4] + "..."


def facts(kind: str, detail: Mapping[str, Any]) -> Message:
    """The facts as they are."""
    lines = [f"{name}: {shortened(str(value))}" for name, value in sorted(detail.items())]
    return Message(kind.replace("_", " "), ("\n".join(lines),))


MESSAGES: Mapping[str, Callable[[str, Mapping[str, Any]], Message]] = {
    "window_judged": window_message,
    "alarm": monitor_alerts.alarm,
    "test_alert": monitor_alerts.alert_tested,
    "mute_ended": monitor_alerts.mute_ended,
    "rows_uncounted": monitor_alerts.rows_uncounted,
    "labels_lost": monitor_alerts.labels_lost,
    "captures_unreadable": capture_alerts.captures_unreadable,
    "retraining_started": retraining_alerts.retraining_started,
    "retraining_held": retraining_alerts.retraining_held,
    "retrain_event_refused": retraining_alerts.retrain_event_refused,
    "data_rejected": retraining_alerts.data_rejected,
    "mlflow_failed": retraining_alerts.mlflow_failed,
    "gate_passed": retraining_alerts.gate_passed,
    "gate_failed": retraining_alerts.gate_failed,
    "package_registered": decision_alerts.package_registered,
    "package_found": decision_alerts.package_found,
    "approved_automatically": decision_alerts.approved_automatically,
    "second_approval_awaited": decision_alerts.second_approval_awaited,
    "approved": decision_alerts.approved,
    "rejected": decision_alerts.rejected,
    "paused": decision_alerts.paused,
    "muted": decision_alerts.muted,
    "approval_taken_back": decision_alerts.approval_taken_back,
    "approved_absent": decision_alerts.approved_absent,
    "decision_overtaken": decision_alerts.decision_overtaken,
    "capture_astray": capture_alerts.capture_astray,
    "experiment_started": release_alerts.experiment_started,
    "experiment_proved": release_alerts.experiment_proved,
    "experiment_withdrawn": release_alerts.experiment_withdrawn,
    "canary_started": release_alerts.canary_started,
    "canary_promoted": release_alerts.canary_promoted,
    "canary_rolled_back": release_alerts.canary_rolled_back,
    "release_unproven": release_alerts.release_unproven,
    "promise_broken": release_alerts.promise_broken,
    "release_superseded": decision_alerts.release_superseded,
    "release_withheld": decision_alerts.release_withheld,
    "release_refused": decision_alerts.release_refused,
    "endpoint_changed": endpoint_alerts.endpoint_changed,
    "baseline_switched": release_alerts.baseline_switched,
    "capacity_awaited": execution_alerts.capacity_awaited,
    "failed": execution_alerts.failed,
    "approval_waits": health_alerts.approval_waits,
    "approval_expired": health_alerts.approval_expired,
    "labels_silent": health_alerts.labels_silent,
    "baseline_stale": health_alerts.baseline_stale,
    "retrainings_failing": health_alerts.retrainings_failing,
    "digest": digest_alert.digest,
}
