"""A JSON event for programs, with the model and the kind as attributes to filter by."""

from __future__ import annotations

import json
from typing import Any

from kedge.instants import to_text
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.channels.channel import Topics


def send(sns: Any, topics: Topics, alert: Entry) -> None:
    """Publish the event."""
    event = {"time": to_text(alert.time), "model": alert.model, "kind": alert.kind, "detail": dict(alert.detail)}
    attributes = {
        name: {"DataType": "String", "StringValue": value}
        for name, value in (("model", alert.model), ("kind", alert.kind))
    }
    sns.publish(TopicArn=topics.programs, Message=json.dumps(event, default=str), MessageAttributes=attributes)
