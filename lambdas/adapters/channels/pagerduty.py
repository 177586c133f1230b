"""PagerDuty's Events API v2: one incident an episode, which the end of the episode resolves.

https://developer.pagerduty.com/docs/send-alert-event
"""

from __future__ import annotations

from kedge.severity import Severity
from lambdas.adapters.channels.message import Notice, posted
from lambdas.adapters.channels.sending import Post, Reply, SendResult, by_json
from report.alert_words import cut_at_word

ALERTS, CHANGES = "/v2/enqueue", "/v2/change/enqueue"
SUMMARY_MAX, KEY_MAX = 1024, 255
# An event may have 512 KB; a character needs four bytes at most.
TEXT_MAX = 50_000
_SEVERITY = {Severity.CRITICAL: "critical", Severity.OK: "info"}


def render(message: Notice) -> Post:
    """Trigger, acknowledge or resolve by the incident's name; what wakes nobody is a change."""
    event, key = message.event, message.incident_key[:KEY_MAX]
    # A message without the address never comes here.
    service = message.owner.pagerduty.url if message.owner.pagerduty else ""
    if message.action in ("acknowledge", "resolve"):
        document = {"routing_key": message.secret, "event_action": message.action, "dedup_key": key}
        return posted(service + ALERTS, document)
    details = {"text": cut_at_word(message.text, TEXT_MAX), "kind": event.kind, "id": event.id}
    payload = {
        "summary": cut_at_word(message.title, SUMMARY_MAX),
        "source": f"kedge/{event.model}",
        "timestamp": event.document["time"],
        "custom_details": details,
    }
    links = [{"href": address, "text": text} for text, address in message.links.items()]
    if message.action == "change":
        return posted(service + CHANGES, {"routing_key": message.secret, "payload": payload, "links": links})
    payload |= {
        "severity": _SEVERITY.get(event.severity, "warning"),
        "component": event.model,
        "group": message.owner.team or "none",
        "class": event.kind,
    }
    document = {"routing_key": message.secret, "event_action": "trigger", "dedup_key": key, "client": "Kedge"}
    return posted(service + ALERTS, document | {"payload": payload, "links": links})


def read(answer: Reply) -> SendResult:
    """What PagerDuty says: a key that it does not know is status 400, and a person may have rotated it."""
    if answer.status == 400 and b"routing key" in answer.body.lower():
        return SendResult("denied", "status 400: the routing key is not known")
    return by_json(answer)
