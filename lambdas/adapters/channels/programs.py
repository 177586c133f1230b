"""A JSON event for programs, with attributes to filter by."""

from __future__ import annotations

import json
from typing import Any

from kedge.instants import to_text
from lambdas.adapters.channels.channel import Alert, Topics


def send(sns: Any, topics: Topics, alert: Alert) -> None:
    """Publish the event."""
    event = {
        "time": to_text(alert.time),
        "model": alert.model,
        "kind": alert.kind,
        "severity": alert.severity.value,
        "team": alert.team,
        "detail": dict(alert.detail),
    }
    sns.publish(TopicArn=topics.programs, Message=json.dumps(event, default=str), MessageAttributes=alert.attributes)
