"""What a channel is given: an alert, and the topics that it may publish to."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kedge.config.policies import QuietHours
from kedge.severity import Severity
from lambdas.adapters.bucket.timeline import Entry
from report.alert_words import Place

# SNS has no attribute without a text.
NO_TEAM = "none"


@dataclass(frozen=True)
class Topics:
    """Where alerts go."""

    people: str
    programs: str


@dataclass(frozen=True)
class Alert:
    """An entry of the timeline on its way to people and programs."""

    entry: Entry
    severity: Severity
    team: str | None
    # The channels of `kedge.config.owners` that it goes out by.
    recipients: frozenset[str]
    # The addresses of the model's people; none where its mail goes to the deployment's own address.
    mail: tuple[str, ...] = ()
    # When only what is CRITICAL is sent.
    quiet_hours: QuietHours | None = None
    # Where the pages are that a message links to.
    place: Place | None = None

    @property
    def attributes(self) -> dict[str, dict[str, str]]:
        """What subscriptions filter by, in the words of SNS."""
        texts = {
            "model": self.entry.model,
            "kind": self.entry.kind,
            "severity": self.severity.value,
            "team": self.team or NO_TEAM,
        }
        channels = {"DataType": "String.Array", "StringValue": json.dumps(sorted(self.recipients))}
        return {name: {"DataType": "String", "StringValue": text} for name, text in texts.items()} | {
            "channels": channels
        }


# Sends an alert with a client of SNS; a topic that cannot be reached raises botocore's error.
Channel = Callable[[Any, Topics, Alert], None]
