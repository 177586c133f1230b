"""A plain-text mail for people."""

from __future__ import annotations

from typing import Any

from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.channels.channel import Topics
from report.alert_text import render_alert


def send(sns: Any, topics: Topics, alert: Entry) -> None:
    """Publish the mail."""
    text = render_alert(alert.kind, alert.model, alert.time, alert.detail)
    sns.publish(TopicArn=topics.people, Subject=text.subject, Message=text.body)
