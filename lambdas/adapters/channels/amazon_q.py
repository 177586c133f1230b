"""Chats through Amazon Q Developer (the former AWS Chatbot): a topic a room, and notifications in its own schema.

What does not follow the schema is dropped without a word. Q knows nothing of severities; it answers nothing either, so a
message counts as accepted once SNS has it.

https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

from kedge.config.owners import Channel
from lambdas.adapters.channels.message import Notice
from lambdas.adapters.channels.sending import SendResult
from lambdas.adapters.channels.slack import escaped
from report.alert_words import cut_at_word

# AWS documents no limits; these are within those of Slack's header and section, and of a card.
TITLE_MAX, TEXT_MAX, STEP_MAX, STEPS_MAX = 250, 3_000, 300, 5
# Paragraphs of a message that say what a person may do: in a chat they are its next steps.
_STEPS = ("WHAT YOU MAY DO NOW", "WHAT TO DO")
_PASSING = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "InternalError",
    "InternalFailure",
    "ServiceUnavailable",
}
_HEADING = re.compile(r"(?P<title>[A-Z][A-Z ,'?]+)\n(?P<text>.+)", re.DOTALL)


def publish(sns: Any, topic_arn: str, message: Notice, channel: Channel) -> SendResult:
    """Publish the notification to the room's topic."""
    try:
        sns.publish(TopicArn=topic_arn, Message=json.dumps(notification(message, channel), ensure_ascii=False))
    except ClientError as error:
        code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
        passes = code in _PASSING or status >= 500
        return SendResult("again" if passes else "refused", f"SNS: {code}", uncertain=status >= 500)
    except (ConnectionError, HTTPClientError, BotoCoreError) as error:
        return SendResult("again", f"SNS: {type(error).__name__}", uncertain=True)
    return SendResult("accepted", "SNS took it for Amazon Q Developer")


def notification(message: Notice, channel: Channel) -> dict[str, Any]:
    """The message in the schema of custom notifications; the thread is that of its incident."""
    event, write = message.event, _MARKDOWN[channel]
    paragraphs, steps = _parted(message.words.paragraphs)
    content: dict[str, Any] = {
        "textType": "client-markdown",
        "title": cut_at_word(write(message.title, ""), TITLE_MAX),
        "description": _fitting([write(text, title) for title, text in paragraphs]),
        "keywords": [event.model, event.severity.value, event.kind],
    }
    if steps:
        content["nextSteps"] = [cut_at_word(write(step, ""), STEP_MAX) for step in steps[:STEPS_MAX]]
    context = {"model": event.model, "team": message.owner.team, "severity": event.severity.value}
    detail = event.document["detail"]
    related = [str(detail[name]) for name in ("package_arn", "report") if detail.get(name)]
    return {
        "version": "1.0",
        "source": "custom",
        "id": event.id,
        "content": content,
        "metadata": {
            "threadId": message.incident_key,
            "summary": cut_at_word(message.title, TITLE_MAX),
            "eventType": event.kind,
            "relatedResources": related,
            "additionalContext": {name: value for name, value in context.items() if value},
        },
    }


def _parted(paragraphs: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Title and text of each paragraph, and by themselves the steps that a person may take."""
    said: list[tuple[str, str]] = []
    steps: list[str] = []
    for paragraph in paragraphs:
        found = _HEADING.fullmatch(paragraph)
        title, text = (found["title"], found["text"]) if found else ("", paragraph)
        if title in _STEPS:
            steps += _with_commands(text.splitlines())
        else:
            said.append((title, text))
    return said, steps


def _with_commands(lines: Sequence[str]) -> list[str]:
    """Each step whole: a line that ends with a colon is one with the command behind it, where both fit."""
    found: list[str] = []
    for line in lines:
        if found and found[-1].endswith(":") and len(found[-1]) + 1 + len(line) <= STEP_MAX:
            found[-1] += f" {line}"
        else:
            found.append(line)
    return found


def _fitting(paragraphs: Sequence[str]) -> str:
    """As many whole paragraphs as fit: half a link or half a command would mislead."""
    rest, shown, left = "The rest is in the mail and in the report.", list[str](), TEXT_MAX
    for paragraph in paragraphs:
        if len(paragraph) + len(rest) + 4 > left:
            shown.append(rest)
            break
        shown.append(paragraph)
        left -= len(paragraph) + 2
    return "\n\n".join(shown)


def _slack(text: str, title: str) -> str:
    """Slack's own Markdown, in which no name of a column is a mention or a link."""
    plain = escaped(text)
    return f"*{title.capitalize()}*\n{plain}" if title else plain


def _teams(text: str, title: str) -> str:
    """Teams' Markdown: two line ends begin a line, and a backslash takes a sign's meaning away."""
    parts = re.split(r"(https://\S+)", text)
    # An address stays as it is, or it would lead elsewhere.
    parts[::2] = [re.sub(r"[*_~`\[\]<>#]", r"\\\g<0>", part) for part in parts[::2]]
    plain = "".join(parts).replace("](", "] (").replace("\n", "\n\n")
    return f"**{title.capitalize()}**\n\n{plain}" if title else plain


_MARKDOWN: Mapping[Channel, Callable[[str, str], str]] = {"slack": _slack, "teams": _teams}
