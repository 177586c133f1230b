"""A JSON event for programs, with attributes to filter by."""

from __future__ import annotations

import json
from typing import Any

from kedge.alerts.incident import incident_of
from lambdas.adapters.channels.channel import Alert, Topics


def send(sns: Any, topics: Topics, alert: Alert) -> None:
    """Publish the event."""
    entry = alert.entry
    incident = incident_of(entry.model, entry.kind, entry.time, entry.detail)
    event = entry.to_json() | {
        "severity": alert.severity.value,
        "team": alert.team,
        "episode": incident.name,
        "resolved": incident.resolved,
    }
    sns.publish(TopicArn=topics.programs, Message=json.dumps(event, default=str), MessageAttributes=alert.attributes)
