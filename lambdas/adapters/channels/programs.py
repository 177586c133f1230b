"""A JSON event for programs, with attributes to filter by."""

from __future__ import annotations

import json
from typing import Any

from lambdas.adapters.channels.channel import Alert, Topics


def send(sns: Any, topics: Topics, alert: Alert) -> None:
    """Publish the event."""
    event = alert.entry.to_json() | {"severity": alert.severity.value, "team": alert.team}
    sns.publish(TopicArn=topics.programs, Message=json.dumps(event, default=str), MessageAttributes=alert.attributes)
