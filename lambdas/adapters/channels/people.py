"""A plain-text mail for people."""

from __future__ import annotations

from typing import Any

from lambdas.adapters.channels.channel import Alert, Topics
from report.alert_text import render_alert


def send(sns: Any, topics: Topics, alert: Alert) -> None:
    """Publish the mail."""
    entry = alert.entry
    text = render_alert(entry.kind, entry.model, entry.time, entry.detail)
    sns.publish(TopicArn=topics.people, Subject=text.subject, Message=text.body, MessageAttributes=alert.attributes)
