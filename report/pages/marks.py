"""What was done and told, from the rows of the timeline: marks on a trend, a list in words, and what waits for a person."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from kedge.config.capture_place import version_label
from report.alert_words import alarm_words, deciding_reasons, shortened
from report.pages.trend_chart import Lane, Mark

Row = Mapping[str, Any]
_LANE_OF: dict[str, Lane] = {
    **dict.fromkeys(("canary_promoted", "baseline_switched"), "release"),
    **dict.fromkeys(("retraining_started",), "retraining"),
    **dict.fromkeys(
        (
            *("gate_failed", "data_rejected", "rejected", "retraining_held", "canary_rolled_back", "release_unproven"),
            *("release_refused", "release_withheld", "approval_taken_back", "failed"),
        ),
        "refusal",
    ),
    **dict.fromkeys(
        (
            *(
                "alert_sent",
                "promise_broken",
                "endpoint_changed",
                "retrainings_failing",
                "rows_uncounted",
                "labels_lost",
            ),
            *("labels_silent", "captures_unreadable", "capture_astray"),
        ),
        "alert",
    ),
}
# What a judged window writes every time, which the charts show; and what only sums up the week.
_QUIET = frozenset({"window_judged", "performance_measured", "training_completed", "job_judged", "digest"})
_WORDS = {
    "canary_promoted": "released",
    "canary_rolled_back": "rolled back",
    "canary_started": "canary started",
    "baseline_switched": "baseline switched",
    "gate_failed": "refused by the gate",
    "gate_passed": "passed the gate",
    "retraining_started": "retraining started",
    "retraining_held": "retraining held",
    "package_registered": "waits for approval",
    "second_approval_awaited": "waits for a second approval",
    "alert_sent": "alert",
    "release_unproven": "release not proven",
}
_DECIDED = frozenset({"approved", "rejected", "release_superseded"})
REASON_WIDTH = 260


def instant(time: datetime) -> datetime:
    """An instant of a row: the history writes them without a zone, in UTC."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def detail_of(row: Row) -> dict[str, Any]:
    """What the entry says."""
    found: dict[str, Any] = json.loads(row["detail"]) if row.get("detail") else {}
    return found


def kind_in_words(kind: str) -> str:
    """A kind of the timeline as a person reads it.

    >>> kind_in_words("gate_failed"), kind_in_words("endpoint_changed")
    ('refused by the gate', 'endpoint changed')
    """
    return _WORDS.get(kind, kind.replace("_", " "))


def package_of(row: Row) -> str:
    """The version that it is about; empty where it is about none."""
    arn = str(detail_of(row).get("package_arn") or "").rpartition("/")[2]
    return str(row.get("package") or arn)


def reason_of(row: Row) -> str:
    """Why it happened, in one line."""
    detail = detail_of(row)
    if row["kind"] == "alarm":
        return shortened(alarm_words(detail), REASON_WIDTH)
    subject = str(detail.get("subject") or "").removeprefix(f"[Kedge] {row['model']}: ")
    found = (deciding_reasons(detail) or [subject or str(row.get("reason") or "")])[0]
    version = f"version {package_of(row)}" if package_of(row) else ""
    return shortened(": ".join(part for part in (version, found) if part), REASON_WIDTH)


def marks_of(decisions: Sequence[Row]) -> list[Mark]:
    """The marks of a trend: a release once, where both its promotion and its new baseline are told."""
    found: dict[tuple[Lane, str], Mark] = {}
    for row in decisions:
        lane = _LANE_OF.get(row["kind"])
        if lane is None:
            continue
        time, package = instant(row["time"]), package_of(row)
        words = f"{time:%Y-%m-%d %H:%M} {kind_in_words(row['kind'])}: {reason_of(row)}"
        about = f"{package}#{time:%Y-%m-%d}" if lane == "release" else f"{time}#{row['kind']}"
        found.setdefault((lane, about), Mark(time, lane, words, version_label(package) if package else ""))
    return list(found.values())


def events_of(decisions: Sequence[Row]) -> list[dict[str, Any]]:
    """What happened, the newest first."""
    shown = [row for row in decisions if row["kind"] not in _QUIET]
    return [
        {
            "time": f"{instant(row['time']):%Y-%m-%d %H:%M}",
            "kind": kind_in_words(row["kind"]),
            "bad": _LANE_OF.get(row["kind"]) == "refusal",
            "reason": reason_of(row),
        }
        for row in sorted(shown, key=lambda row: row["time"], reverse=True)
    ]


def waiting_for_people(decisions: Sequence[Row]) -> list[str]:
    """What goes on only once a person has acted: packages without a decision, and a retraining that is held."""
    pending: dict[str, str] = {}
    held = ""
    for row in sorted(decisions, key=lambda row: row["time"]):
        package = package_of(row)
        if row["kind"] == "package_registered":
            pending[package] = f"version {package} waits for approval since {instant(row['time']):%Y-%m-%d}"
        elif row["kind"] in _DECIDED:
            pending.pop(package, None)
        elif row["kind"] == "retraining_held":
            held = f"retraining is held since {instant(row['time']):%Y-%m-%d}: {reason_of(row)}"
        elif row["kind"] in ("retraining_started", "canary_promoted"):
            held = ""
    # Only the newest package can still be released by its approval.
    return [*list(pending.values())[-1:], *([held] if held else [])]
