"""Alerts: a plain-text mail for people and the JSON event for programs, on a topic each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lambdas.adapters.times import to_text
from report.alert_text import render_alert

AUDIENCES = ("people", "programs")


@dataclass(frozen=True)
class Topics:
    """Where alerts go."""

    people: str
    programs: str


def publish(
    sns: Any,
    topics: Topics,
    *,
    model: str,
    kind: str,
    time: datetime,
    detail: Mapping[str, Any],
    audiences: tuple[str, ...] = AUDIENCES,
) -> str:
    """Tell people and programs, or one of both; return the mail's subject."""
    text = render_alert(kind, model, time, detail)
    if "people" in audiences:
        sns.publish(TopicArn=topics.people, Subject=text.subject, Message=text.body)
    if "programs" in audiences:
        event = {"time": to_text(time), "model": model, "kind": kind, "detail": dict(detail)}
        attributes = {
            name: {"DataType": "String", "StringValue": value} for name, value in (("model", model), ("kind", kind))
        }
        sns.publish(TopicArn=topics.programs, Message=json.dumps(event, default=str), MessageAttributes=attributes)
    return text.subject
