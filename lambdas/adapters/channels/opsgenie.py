"""Alerts of Jira Service Management, and of Opsgenie until it ends: one alert an episode, closed by its alias.

https://developer.atlassian.com/cloud/jira/service-desk-ops/rest/v2/intro/
"""

from __future__ import annotations

from urllib.parse import quote

from kedge.severity import Severity
from lambdas.adapters.channels.message import Notice, posted
from lambdas.adapters.channels.sending import Post
from report.alert_words import cut_at_word

MESSAGE_MAX, ALIAS_MAX, TEXT_MAX = 130, 512, 15_000
_PRIORITY = {Severity.CRITICAL: "P1", Severity.OK: "P5"}
_BY_ALIAS = {"acknowledge": "acknowledge", "resolve": "close"}


def render(message: Notice) -> Post:
    """Create an alert, or acknowledge or close it by its alias."""
    # A message without the address never comes here.
    address = message.owner.opsgenie.url if message.owner.opsgenie else ""
    event, alias = message.event, message.incident_key[:ALIAS_MAX]
    headers = {"Authorization": f"GenieKey {message.secret}"}
    if verb := _BY_ALIAS.get(message.action):
        url = f"{address}/{quote(alias, safe='')}/{verb}?identifierType=alias"
        note = cut_at_word(message.title, TEXT_MAX)
        return posted(url, {"source": "Kedge", "user": "Kedge", "note": note}, **headers)
    details = {"model": event.model, "kind": event.kind, "severity": event.severity.value, "id": event.id}
    document = {
        "message": cut_at_word(message.title, MESSAGE_MAX),
        "alias": alias,
        "description": cut_at_word(message.text, TEXT_MAX),
        "priority": _PRIORITY.get(event.severity, "P3"),
        "source": "Kedge",
        "tags": ["kedge", event.model, event.kind],
        "details": details | {text.lower(): address for text, address in message.links.items()},
    }
    return posted(address, document, **headers)
