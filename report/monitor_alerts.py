"""Alerts about the monitor itself: rows and labels that it could not count."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from kedge.comparisons import counted
from report.alert_words import Message, alarm_words, bullets, section, shortened


def rows_uncounted(model: str, detail: Mapping[str, Any]) -> Message:
    """Captured rows that no later run looks at."""
    days = detail["days"]
    behind = date.fromisoformat(max(days)) + timedelta(days=1)
    return Message(
        f"captured rows of {counted(len(days), 'day')} are not counted",
        (
            section("WHICH", bullets(f"{day}: {counted(count, 'capture object')}" for day, count in days.items())),
            section(
                "WHAT IT MEANS",
                "No run could count them in time, and later runs do not look back that far. Windows with these days are judged "
                "without the rows, and their labels find no row. Nothing is deleted: the capture objects are still there.",
            ),
            section(
                "WHAT TO DO",
                "Look in the log of the function profile_logs (KedgeMonitoring) for why it fails, and correct that. Then have "
                f"the days counted:\nkedge backfill {model} --from {detail['since']} --to {behind}\n"
                "docs/operations.md, Count old days, says more.",
            ),
        ),
    )


def labels_lost(_model: str, detail: Mapping[str, Any]) -> Message:
    """Labels that arrive and cannot be used."""
    return Message(
        "labels arrive that cannot be used",
        (
            section("WHAT IS WRONG", bullets(detail["reasons"])),
            section(
                "WHAT IT MEANS",
                "The model's quality is measured on the other labels alone, or not at all. A retraining learns nothing from these.",
            ),
            section(
                "WHAT TO DO",
                "Send the labels again, corrected, as new files: if a row has two labels, the later one counts. README.md, "
                "Send labels, says what they look like.",
            ),
            section("WHAT HAPPENS NEXT", "You get this mail once, until another package version serves."),
        ),
    )


def alarm(_model: str, detail: Mapping[str, Any]) -> Message:
    """An alarm of CloudWatch's on the model's endpoint, or of the monitor's on models, that rings or has stopped."""
    named = detail.get("models", [])
    more = detail.get("models_count", 0) - len(named)
    which = ", ".join(named) + (f", and {more:,} more" if more else "") if len(named) > 1 else ""
    happened = section("WHAT HAPPENED", shortened(str(detail["reason"])))
    if detail["state"] == "OK":
        return Message(alarm_words(detail), (happened, section("WHICH MODELS", which)))
    place = "" if "remedy" in detail else f"CloudWatch, All alarms: {detail['alarm']}"
    place = f"All of them: {detail['list']}" if "list" in detail else place
    return Message(
        alarm_words(detail),
        (
            happened,
            section("WHICH MODELS", which),
            section("WHAT TO DO", "\n".join(text for text in (detail.get("remedy"), detail.get("command")) if text)),
            section("WHAT HAPPENS NEXT", "You hear when it is over. Until then there is no reminder."),
            section("WHERE TO LOOK", place),
        ),
    )


def mute_ended(_model: str, detail: Mapping[str, Any]) -> Message:
    """What was held back while the model was muted, and what still stands."""
    standing, messages = detail["standing"], detail["messages"]
    said = (
        f"{len(standing)} parts still alarm" if len(standing) > 1 else f"{standing[0]} still alarms" if standing else ""
    )
    until = str(detail.get("until", "")).replace("T", " ")[:16]
    why = f"It was muted by {detail['by']} until {until} UTC: {detail['reason']}" if "by" in detail else ""
    return Message(
        f"the mute has ended; {said or 'nothing alarms'}",
        (
            why,
            section("WHAT STANDS", bullets(standing)),
            section("WHAT YOU DID NOT HEAR", bullets(messages) or "Nothing: no message was held back."),
        ),
    )


def alert_tested(_model: str, detail: Mapping[str, Any]) -> Message:
    """A test that a person sent."""
    return Message(
        f"a test message, sent as {detail['severity']}",
        (f"{detail['by']} sent it with kedge test-alert. Nothing happened to the model, and there is nothing to do.",),
    )
