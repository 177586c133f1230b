"""A signed request to an address of your own: the event as the topic has it, with its id.

The signature is the HMAC-SHA256 of `timestamp.body`; a receiver refuses one whose timestamp is some minutes old.
"""

from __future__ import annotations

import hashlib
import hmac
import json

from lambdas.adapters.channels.message import Notice
from lambdas.adapters.channels.sending import Post


def render(message: Notice) -> Post:
    """The event, signed."""
    # A message without the address never comes here.
    address = message.owner.webhook.url if message.owner.webhook else ""
    event = {**message.event.document, "id": message.event.id, "repeated": message.repeated, "late": message.late}
    body = json.dumps(event, ensure_ascii=False).encode()
    timestamp = str(int(message.sent_at.timestamp()))
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Kedge-Id": message.event.id,
        "Kedge-Timestamp": timestamp,
        "Kedge-Signature": f"v1={signature(message.secret, timestamp, body)}",
    }
    return Post(address, body, headers)


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What the receiver computes too, and compares in constant time."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
