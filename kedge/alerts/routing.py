"""How severe a message is, and by which channels it goes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kedge.config.model import ModelConfig
from kedge.config.owners import Channel
from kedge.severity import Severity

# What a person must look at today, beside windows, which say their own severity.
_CRITICAL = {
    "failed",
    "alarm",
    "rows_uncounted",
    "captures_unreadable",
    "canary_rolled_back",
    "promise_broken",
    "release_refused",
    "release_unproven",
    "retrainings_failing",
}
_WARNING = {
    "labels_lost", "capture_astray", "data_rejected", "retraining_held", "gate_failed", "capacity_awaited", "endpoint_changed",
    "approved_absent", "release_withheld", "decision_overtaken", "approval_taken_back",
    "approval_waits", "approval_expired", "labels_silent", "baseline_stale",
}  # fmt: skip


def severity_of(kind: str, detail: Mapping[str, Any]) -> Severity:
    """A window's own severity; of anything else what its kind says.

    >>> severity_of("failed", {}).value, severity_of("canary_promoted", {}).value
    ('CRITICAL', 'OK')
    >>> severity_of("window_judged", {"severity": "WARNING"}).value
    'WARNING'
    """
    if kind in ("window_judged", "mute_ended", "test_alert") and "severity" in detail:
        return Severity(detail["severity"])
    if kind == "alarm" and detail.get("state") == "OK":
        return Severity.OK
    if kind in _CRITICAL:
        return Severity.CRITICAL
    return Severity.WARNING if kind in _WARNING else Severity.OK


def is_over(kind: str, detail: Mapping[str, Any]) -> bool:
    """Whether a message says that what alarmed before is over."""
    if kind == "alarm":
        return detail.get("state") == "OK"
    return bool(detail.get("alarm_episode", {}).get("news") == "ends")


def recipients(config: ModelConfig, kind: str, severity: Severity, *, over: bool = False) -> frozenset[Channel]:
    """The channels that a message goes out by: those of all routes that take it; without any route, mail alone.

    The end of an alarm goes wherever the alarm may have gone, or a pager's incident would stay open. Mails about
    CloudWatch's alarms come from the alarms themselves, whether Kedge's functions run or not.
    """
    routes = config.alerts.routes or ()
    severities = {severity, Severity.WARNING, Severity.CRITICAL} if over else {severity}
    found: set[Channel] = {
        channel for route in routes for s in severities if route.takes(kind, s) for channel in route.to
    }
    if not routes:
        found = {"email"}
    return frozenset(found - {"email"}) if kind == "alarm" else frozenset(found)
