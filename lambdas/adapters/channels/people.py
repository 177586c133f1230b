"""A plain-text mail for people."""

from __future__ import annotations

import json
from typing import Any

from lambdas.adapters.channels.channel import Alert, Topics
from report.alert_text import render_alert


def send(sns: Any, topics: Topics, alert: Alert) -> None:
    """Publish the mail, where a route leads to mail: each address gets what names it, the deployment's what names nobody."""
    if "email" not in alert.recipients:
        return
    entry, attributes = alert.entry, alert.attributes
    if alert.mail:
        # Filters compare with the case, so both sides write addresses in lower case.
        addresses = json.dumps([address.lower() for address in alert.mail])
        attributes["mail"] = {"DataType": "String.Array", "StringValue": addresses}
    text = render_alert(entry.kind, entry.model, entry.time, entry.detail, alert.place)
    sns.publish(TopicArn=topics.people, Subject=text.subject, Message=text.body, MessageAttributes=attributes)
