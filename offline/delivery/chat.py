"""Amazon Q Developer in chat applications: what of a topic's messages a room shows.

The real service drops without a word what is neither an AWS service's event nor a custom notification, and what came by a
subscription with raw delivery. Imitated: custom notifications alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

ENDPOINT = "https://global.sns-api.chatbot.amazonaws.com"
CONTENT = {"textType", "title", "description", "nextSteps", "keywords"}
METADATA = {"threadId", "summary", "eventType", "relatedResources", "additionalContext", "enableCustomActions"}


def endpoint_of(channel: str) -> str:
    """Where SNS sends what a channel gets."""
    return f"{ENDPOINT}/{channel}"


def shown(recorded: Iterable[tuple[str, Mapping[str, Any]]], channel: str) -> list[dict[str, Any]]:
    """The notifications that a channel shows, in order."""
    sent = [read(notice["Message"]) for endpoint, notice in recorded if endpoint == endpoint_of(channel)]
    return [found for found in sent if found is not None]


def read(message: str) -> dict[str, Any] | None:
    """A custom notification; None for what the service drops."""
    try:
        found: dict[str, Any] = json.loads(message)
        content, metadata = found["content"], found.get("metadata", {})
        follows = (
            (found["version"], found["source"]) == ("1.0", "custom")
            and {*found} <= {"version", "source", "id", "content", "metadata"}
            and isinstance(content["description"], str)
            and content.get("textType", "client-markdown") == "client-markdown"
            and {*content} <= CONTENT
            and {*metadata} <= METADATA
            and all(isinstance(each, str) for name in ("nextSteps", "keywords") for each in content.get(name, ()))
            and all(isinstance(each, str) for each in metadata.get("additionalContext", {}).values())
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return found if follows else None
