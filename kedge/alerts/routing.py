"""How severe a message is, and by which channels it goes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kedge.alerts.incident import acknowledges
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
    "approved_absent", "release_withheld", "decision_overtaken", "approval_taken_back", "package_found",
    "retrain_event_refused", "second_approval_awaited", "approval_waits", "approval_expired", "labels_silent", "baseline_stale",
    "experiment_withdrawn", "mlflow_failed",
}  # fmt: skip


PAGERS: frozenset[Channel] = frozenset({"pagerduty", "opsgenie"})


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


def recipients(
    config: ModelConfig,
    kind: str,
    severity: Severity,
    *,
    over: bool = False,
    resolved: bool = False,
    mailed: bool = False,
) -> frozenset[Channel]:
    """The channels that a message goes out by: those of all routes that take it; without any route, mail alone.

    The end of an alarm (`over`) goes wherever the alarm may have gone. What resolves an incident, and what a person did and so
    acknowledges one, goes to every pager with an address: the routes may have changed since the incident began, and what is
    not open there is no news. What CloudWatch has `mailed` by itself, whether Kedge's functions run or not, goes out by no mail.
    """
    found = routed(config, kind, severity)
    if over:
        found |= routed(config, kind, Severity.WARNING) | routed(config, kind, Severity.CRITICAL)
    if resolved or acknowledges(kind):
        found |= config.owner.reachable & PAGERS
    if not config.alerts.routes:
        found = frozenset({"email"})
    return found - {"email"} if mailed else found


def routed(config: ModelConfig, kind: str, severity: Severity) -> frozenset[Channel]:
    """The channels of the routes that take a message."""
    return frozenset(c for route in config.alerts.routes or () if route.takes(kind, severity) for c in route.to)
