"""The alert that a container's captures cannot be read: the model answers, and none of it is watched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kedge.comparisons import counted
from report.alert_words import Message, bullets, section


def captures_unreadable(_model: str, detail: Mapping[str, Any]) -> Message:
    """What came, what was expected, and how to correct it."""
    came = [
        f"{side}: content type {facts['content_type']}, encoding {facts['encoding']}, looks like {facts['shape']}"
        for side, facts in (detail.get("came") or {}).items()
    ]
    looked = (
        f"Kedge looked at {counted(detail['records'], 'captured record')} and cannot read {detail['unread']:,} of them."
    )
    return Message(
        f"the captures of package version {detail['package_version']} cannot be read",
        (
            f"{looked} The model answers, but none of those requests is watched for drift or quality.",
            section("WHAT IS WRONG", " ".join((_FAULTS[str(detail["fault"])], str(detail.get("reason", "")))).strip()),
            section("WHAT CAME (9 stands for numbers, a for words)", bullets(came)),
            section("WHAT WAS EXPECTED", str(detail["expected"])),
            section("HOW TO CORRECT IT", str(detail["remedy"])),
            section(
                "WHAT HAPPENS NEXT",
                "You get this mail once while it lasts. The captured records stay where they are; "
                "unreadable records of earlier runs are below quarantine/, with their reasons.",
            ),
        ),
    )


_FAULTS = {
    "no answer": "The endpoint captures requests without their answers.",
    "no input": "The endpoint captures answers without their requests.",
    "answer": "The answers cannot be read.",
    "input": "The requests cannot be read.",
    "record": "The records themselves cannot be read.",
    "file": "The files of the newest transform job cannot be read:",
    "denied": "S3 refuses to list or to read them.",
}
